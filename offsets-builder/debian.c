// SPDX-License-Identifier: Apache-2.0
/* Debian's archives: InRelease, signed, has the hashes of Packages files, and they the packages'. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apt.h"
#include "crawl.h"
#include "gpgv.h"
#include "lines.h"
#include "unpack.h"

#define DEBIAN_KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"

/* One suite, while its indexes are read. */
struct suite {
	const struct crawl_options *options;
	struct index_reader *reader;
	struct crawl_list *list;
	const char *uri, *name;
	struct text release; /* as far as a signature covers it */
	bool vouched;	     /* one was checked */
};

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "cannot read an index: no memory: free some");
}

/* -------------------------------------------------------------------- Packages */

struct paragraph {
	char package[256], version[256], arch[32], size[24], path[1024], sha256[DIGEST_TEXT];
};

static void keep_value(char *out, size_t size, const char *value)
{
	value += strspn(value, " \t");
	snprintf(out, size, "%s", strlen(value) < size ? value : "");
}

static void keep_field(struct paragraph *p, const char *line)
{
	const struct {
		const char *name;
		char *out;
		size_t size;
	} fields[] = {
		{"Package:", p->package, sizeof(p->package)},
		{"Version:", p->version, sizeof(p->version)},
		{"Architecture:", p->arch, sizeof(p->arch)},
		{"Size:", p->size, sizeof(p->size)},
		{"Filename:", p->path, sizeof(p->path)},
		{"SHA256:", p->sha256, sizeof(p->sha256)},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t length = strlen(fields[i].name);

		if (!strncmp(line, fields[i].name, length)) {
			keep_value(fields[i].out, fields[i].size, line + length);
			return;
		}
	}
}

/*
 * linux-image-R-dbg, of linux-image-R, linux-image-R-unsigned, linux-binary-R and
 * linux-binary-unsigned-R: all twins have one debug package, and it has the oldest name.
 */
static void debug_name(const char *name, char *out, size_t size)
{
	static const char *const starts[] = {"linux-image-", "linux-binary-", "unsigned-"};
	static const char end[] = "-unsigned";
	size_t length;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (!strncmp(name, starts[i], strlen(starts[i])))
			name += strlen(starts[i]);
	}
	length = strlen(name);
	if (length > strlen(end) && !strcmp(name + length - strlen(end), end))
		length -= strlen(end);
	snprintf(out, size, "linux-image-%.*s-dbg", (int)length, name);
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), n = strlen(end);

	return length > n && !strcmp(name + length - n, end);
}

static bool is_debug(const char *name)
{
	return !strncmp(name, "linux-", 6) && ends_in(name, "-dbg");
}

/* The templates are what Debian's signing service works from: lists of hashes. */
static bool is_kernel(const struct crawl_words *patterns, const char *name)
{
	static const char *const defaults[] = {"linux-image-*", "linux-binary-*", NULL};

	return crawl_wanted(patterns, defaults, name) && !ends_in(name, "-signed-template");
}

static int add_package(struct suite *suite, struct paragraph *p, struct error *error)
{
	const char *epoch_end = strchr(p->version, ':');
	char label[600], debug[300], *url = NULL;
	struct crawl_package package = {.label = label,
					.name = p->package,
					.version = p->version,
					.arch = p->arch,
					.path = p->path,
					.size = strtoull(p->size, NULL, 10),
					.vouched = suite->vouched};
	int err;

	if (package.size < CRAWL_KERNEL_MIN)
		return 0;
	if (!is_debug(p->package)) {
		if (!is_kernel(&suite->options->patterns, p->package))
			return 0;
		debug_name(p->package, debug, sizeof(debug));
		package.debug_name = debug;
	}
	snprintf(label, sizeof(label), "%s_%s_%s", p->package,
		 epoch_end ? epoch_end + 1 : p->version, p->arch);
	memcpy(package.sha256, p->sha256, sizeof(package.sha256));
	if (asprintf(&url, "%s%s", suite->uri, p->path) < 0)
		return no_memory(error);
	package.url = url;
	err = crawl_list_add(suite->list, &package);
	free(url);
	return err ? no_memory(error) : 0;
}

static int read_packages(struct suite *suite, struct source *source, struct error *error)
{
	struct lines lines = {.source = source};
	struct paragraph p = {0};
	int n, err = 0;

	while (!err && (n = lines_next(&lines, error)) > 0) {
		if (*lines.line.data) {
			keep_field(&p, lines.line.data);
			continue;
		}
		err = add_package(suite, &p, error);
		p = (struct paragraph){0};
	}
	if (!err)
		err = n < 0 ? n : add_package(suite, &p, error);
	lines_end(&lines);
	return err;
}

/* --------------------------------------------------------------------- Release */

/* A field's value, up to the end of its line; NULL if it is not there. */
static const char *release_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, name, length) && text[length] == ':')
			return text + length + 1 + strspn(text + length + 1, " \t");
	}
	return NULL;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list && *list && *list != '\n') {
		size_t n = strcspn(list, " \t\r\n");

		if (n == length && !strncmp(list, word, n))
			return true;
		list += n;
		list += strspn(list, " \t\r");
	}
	return false;
}

/* A line " HASH SIZE PATH" of the list of SHA-256 sums. */
static bool release_file(const char *text, const char *path, char sha256[DIGEST_TEXT],
			 uint64_t *size)
{
	const char *line = release_field(text, "SHA256");
	char copy[1400], found[1025];

	while (line && (line = strchr(line, '\n')) && line[1] == ' ') {
		size_t length = strcspn(++line, "\n");

		if (length >= sizeof(copy))
			continue;
		memcpy(copy, line, length);
		copy[length] = 0;
		if (sscanf(copy, " %64s %" SCNu64 " %1024s", sha256, size, found) == 3 &&
		    !strcmp(found, path) && strlen(sha256) == DIGEST_TEXT - 1)
			return true;
	}
	return false;
}

/* The signed text of the suite's InRelease file. */
static int read_release(struct suite *suite, const char *url, struct error *error)
{
	const char *keyring = suite->options->keyring ? suite->options->keyring : DEBIAN_KEYRING;
	struct text file = {0};
	int err = index_get(suite->reader, url, &file, error);

	if (err)
		return err;
	err = gpgv_check(keyring, url, &file, NULL, &suite->release, error);
	suite->vouched = !err;
	if (!err || !suite->options->allow_unsigned) {
		if (err)
			index_forget(suite->reader, url);
		text_free(&file);
		return err;
	}
	crawl_texts_add(&suite->list->notes, error->text);
	text_free(&suite->release);
	suite->release = file;
	return 0;
}

/* ----------------------------------------------------------------------- suite */

/* The address of an index. By its hash it can't be replaced while it is fetched. */
static int index_url(const struct suite *suite, const char *path, const char *sha256, char **url)
{
	const char *by_hash = release_field(suite->release.data, "Acquire-By-Hash");
	const char *slash = strrchr(path, '/');

	if (by_hash && has_word(by_hash, "yes"))
		return asprintf(url, "%sdists/%s/%.*s/by-hash/SHA256/%s", suite->uri, suite->name,
				(int)(slash - path), path, sha256);
	return asprintf(url, "%sdists/%s/%s", suite->uri, suite->name, path);
}

static int read_index(struct suite *suite, const char *path, const char *sha256, uint64_t size,
		      struct error *error)
{
	struct text packed = {0};
	struct unpack *unpack = NULL;
	char *url = NULL;
	int err;

	if (index_url(suite, path, sha256, &url) < 0)
		return no_memory(error);
	err = index_get_known(suite->reader, url, size, sha256, &packed, error);
	if (!err)
		err = unpack_open(&packed, url, &unpack, error);
	if (!err)
		err = read_packages(suite, unpack_source(unpack), error);
	unpack_close(unpack);
	text_free(&packed);
	free(url);
	return err;
}

static int read_arch(struct suite *suite, const char *arch, struct error *error)
{
	static const char *const endings[] = {".xz", ".zst", ".gz", ".bz2", ""};
	char path[512], sha256[DIGEST_TEXT];
	uint64_t size;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(path, sizeof(path), "%s/binary-%s/Packages%s", suite->options->component,
			 arch, endings[i]);
		if (release_file(suite->release.data, path, sha256, &size))
			return read_index(suite, path, sha256, size, error);
	}
	return error_set(error, -ENOENT,
			 "cannot find %s/binary-%s/Packages of %s: its InRelease has no SHA-256 of "
			 "it: look at --component and --arch",
			 suite->options->component, arch, suite->name);
}

static int read_arches(struct suite *suite, struct error *error)
{
	static const struct crawl_words defaults = {{"amd64", "arm64"}, 2};
	const struct crawl_words *asked = &suite->options->arches;
	const struct crawl_words *arches = asked->count ? asked : &defaults;
	const char *has = release_field(suite->release.data, "Architectures");
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; !err && i < arches->count; i++) {
		if (!asked->count && !has_word(has, arches->word[i]))
			continue;
		count++;
		err = read_arch(suite, arches->word[i], error);
	}
	if (!err && !count)
		err = error_set(error, -ENOENT,
				"cannot crawl %s: it has neither amd64 nor arm64: give --arch",
				suite->name);
	return err;
}

static int read_suite(struct suite *suite, struct error *error)
{
	char *url = NULL;
	int err;

	if (asprintf(&url, "%sdists/%s/InRelease", suite->uri, suite->name) < 0)
		return no_memory(error);
	err = read_release(suite, url, error);
	if (!err)
		err = read_arches(suite, error);
	text_free(&suite->release);
	free(url);
	return err;
}

static int find_suites(const struct crawl_options *options, struct apt_suites *suites,
		       struct error *error)
{
	const struct crawl_words *names = &options->suites;
	int err = 0;

	if (!options->mirror)
		return apt_suites_read(names->word, names->count, suites, error);
	for (size_t i = 0; !err && i < names->count; i++)
		err = apt_suites_add(suites, options->mirror, names->word[i]);
	return err ? no_memory(error) : 0;
}

int debian_list(const struct crawl_options *options, struct index_reader *reader,
		struct crawl_list *list, struct error *error)
{
	struct apt_suites suites = {0};
	int err = find_suites(options, &suites, error);

	for (size_t i = 0; !err && i < suites.count; i++) {
		struct suite suite = {.options = options,
				      .reader = reader,
				      .list = list,
				      .uri = suites.suite[i].uri,
				      .name = suites.suite[i].suite};

		err = read_suite(&suite, error);
		if (err == -ENOMEM)
			break;
		if (err)
			crawl_texts_add(&list->errors, error->text);
		err = 0;
	}
	apt_suites_free(&suites);
	return err;
}
