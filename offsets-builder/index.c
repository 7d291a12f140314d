// SPDX-License-Identifier: Apache-2.0
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

enum { INDEX_MAX = 256 << 20 }; /* bytes, as it is served: packed, as a rule */

struct index_reader {
	struct http *http;
	char *cache; /* the directory; NULL: there is none */
};

/* ----------------------------------------------------------------------- cache */

static void digest_bytes(const void *data, size_t size, char text[DIGEST_TEXT])
{
	struct digest *digest = digest_new();

	*text = 0;
	if (!digest)
		return;
	digest_add(digest, data, size);
	if (digest_end(digest, text))
		*text = 0;
}

/* The directory, made with the ones above it; NULL if that does not work. */
static char *make_cache(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n;

	if (cache && *cache == '/')
		n = asprintf(&path, "%s/cormorant/index", cache);
	else if (home && *home == '/')
		n = asprintf(&path, "%s/.cache/cormorant/index", home);
	else
		return NULL;
	if (n < 0)
		return NULL;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0777);
		*slash = '/';
	}
	mkdir(path, 0777);
	if (!access(path, W_OK))
		return path;
	free(path);
	return NULL;
}

/* An address's file has the name of its hash. NULL: it can't be kept. */
static char *cache_path(const struct index_reader *reader, const char *url)
{
	char name[DIGEST_TEXT], *path = NULL;

	digest_bytes(url, strlen(url), name);
	if (!reader->cache || !*name || asprintf(&path, "%s/%s", reader->cache, name) < 0)
		return NULL;
	return path;
}

/* A line of the validators that a cached file begins with; NULL: it is none. */
static char *take_line(char *text, char *out, size_t size)
{
	size_t length = strcspn(text, "\n");

	if (text[length] != '\n' || length >= size)
		return NULL;
	memcpy(out, text, length);
	out[length] = 0;
	return text + length + 1;
}

/* Is it there? What is in bytes otherwise is nothing. */
static bool cache_load(const struct index_reader *reader, const char *url,
		       struct http_validators *validators, struct text *bytes)
{
	char *path = cache_path(reader, url), *file = NULL, *rest = NULL;
	size_t size = 0;

	if (path && !file_read(AT_FDCWD, path, INDEX_MAX, &file, &size))
		rest = take_line(file, validators->etag, sizeof(validators->etag));
	if (rest)
		rest = take_line(rest, validators->last_modified,
				 sizeof(validators->last_modified));
	if (rest)
		text_bytes(bytes, rest, size - (size_t)(rest - file));
	text_end(bytes);
	free(file);
	free(path);
	if (rest && !bytes->failed)
		return true;
	text_free(bytes);
	return false;
}

/* Whole or not at all. A cache that is full costs a download, no more. */
static void cache_store(const struct index_reader *reader, const char *url,
			const struct http_validators *validators, const struct text *bytes)
{
	char *path = cache_path(reader, url), *new = NULL;
	FILE *file = NULL;
	int fd = -1;
	bool ok;

	if (path && asprintf(&new, "%s.XXXXXX", path) > 0)
		fd = mkostemp(new, O_CLOEXEC);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (!file)
		goto out;
	ok = fprintf(file, "%s\n%s\n", validators->etag, validators->last_modified) > 0 &&
	     fwrite(bytes->data, 1, bytes->len, file) == bytes->len;
	if (fclose(file) || !ok || rename(new, path))
		unlink(new);
out:
	if (fd >= 0 && !file) {
		close(fd);
		unlink(new);
	}
	free(new);
	free(path);
}

void index_forget(struct index_reader *reader, const char *url)
{
	char *path = cache_path(reader, url);

	if (path)
		unlink(path);
	free(path);
}

/* -------------------------------------------------------------------- download */

static int download(struct index_reader *reader, const struct http_request *request,
		    struct text *bytes, bool *unchanged, struct http_validators *validators,
		    struct error *error)
{
	struct http_stream *stream = NULL;
	const void *block;
	ssize_t n = 0;
	int err = http_open(reader->http, request, &stream, error);

	while (!err && !bytes->failed &&
	       (n = http_source(stream)->next(http_source(stream), &block, error)) > 0) {
		text_bytes(bytes, block, (size_t)n);
	}
	if (!err && n < 0)
		err = (int)n;
	if (!err) {
		*unchanged = http_unchanged(stream);
		*validators = *http_validators(stream);
	}
	text_end(bytes);
	if (!err && bytes->failed)
		err = error_set(error, -ENOMEM, "cannot get %s: no memory: free some",
				request->name);
	http_close(stream);
	return err;
}

int index_get(struct index_reader *reader, const char *url, struct text *bytes, struct error *error)
{
	struct http_validators validators = {0}, fresh = {0};
	struct text cached = {0};
	bool have = cache_load(reader, url, &validators, &cached), unchanged = false;
	struct http_request request = {
		.url = url, .name = url, .limit = INDEX_MAX, .unless = have ? &validators : NULL};
	int err = download(reader, &request, bytes, &unchanged, &fresh, error);

	if (!err && unchanged) {
		text_free(bytes);
		*bytes = cached;
		return 0;
	}
	if (!err)
		cache_store(reader, url, &fresh, bytes);
	text_free(&cached);
	return err;
}

int index_get_known(struct index_reader *reader, const char *url, uint64_t size, const char *sha256,
		    struct text *bytes, struct error *error)
{
	struct http_validators validators = {0};
	struct http_request request = {.url = url, .name = url, .size = size, .limit = INDEX_MAX};
	char found[DIGEST_TEXT];
	bool unchanged;
	int err;

	if (cache_load(reader, url, &validators, bytes)) {
		digest_bytes(bytes->data, bytes->len, found);
		if (!strcmp(found, sha256))
			return 0;
		text_free(bytes);
	}
	err = download(reader, &request, bytes, &unchanged, &validators, error);
	if (err)
		return err;
	digest_bytes(bytes->data, bytes->len, found);
	if (strcmp(found, sha256))
		return error_set(error, -EBADMSG,
				 "cannot trust %s: its SHA-256 is %s, and the signed list says %s: "
				 "try again later, or another mirror",
				 url, found, sha256);
	cache_store(reader, url, &validators, bytes);
	return 0;
}

/* ---------------------------------------------------------------------- reader */

int index_new(const struct http_options *options, struct index_reader **out, struct error *error)
{
	struct index_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? http_new(options, &reader->http, error) :
			   error_set(error, -ENOMEM, "cannot read indexes: no memory: free some");

	if (err) {
		free(reader);
		return err;
	}
	reader->cache = make_cache();
	*out = reader;
	return 0;
}

void index_free(struct index_reader *reader)
{
	if (!reader)
		return;
	http_free(reader->http);
	free(reader->cache);
	free(reader);
}
