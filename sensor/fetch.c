// SPDX-License-Identifier: Apache-2.0
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "file.h"
#include "privilege.h"
#include "version.h"

enum {
	CA_MAX = 4 << 20,
	REDIRECTS_MAX = 3,
	/* The child ends by itself a little earlier, and says why. */
	GRACE_MS = 200,
	FD_MAX = 1 << 16,
};

/* error says why; of a transfer what can be done is the same, whatever it was. */
enum failure { FAILED_NOT, FAILED_TRANSFER, FAILED_CHILD };

/* What the child sends of each file, size bytes behind it. */
struct reply {
	uint32_t failed; /* enum failure; nothing follows */
	uint32_t status;
	uint32_t size;
	char etag[FETCH_ETAG_MAX];
	char error[FETCH_ERROR_MAX];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* An entity tag goes into a header: a quoted string, perhaps weak, and nothing else. */
static bool is_etag(const char *etag)
{
	size_t n = strlen(etag);

	if (!strncmp(etag, "W/", 2)) {
		etag += 2;
		n -= 2;
	}
	if (n < 2 || etag[0] != '"' || etag[n - 1] != '"')
		return false;
	for (size_t i = 1; i < n - 1; i++)
		if (etag[i] <= ' ' || etag[i] > '~' || etag[i] == '"')
			return false;
	return true;
}

/* ------------------------------------------------------------------- in the child */

struct transfer {
	const struct fetch_file *file;
	CURL *curl;
	struct reply reply;
	char *bytes;
};

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	char *bytes;

	(void)one;
	if (n > t->file->max - t->reply.size)
		return 0; /* an error to libcurl */
	bytes = realloc(t->bytes, t->reply.size + n + 1);
	if (!bytes)
		return 0;
	memcpy(bytes + t->reply.size, data, n);
	t->bytes = bytes;
	t->reply.size += (uint32_t)n;
	return n;
}

/* The header ETag of the last answer, as it is: quotes and all. */
static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
	static const char name[] = "etag:";
	struct transfer *t = arg;
	size_t at = sizeof(name) - 1, end = n;

	(void)one;
	if (n >= 5 && !memcmp(data, "HTTP/", 5))
		t->reply.etag[0] = 0;
	if (n < at || strncasecmp(data, name, at))
		return n;
	while (at < end && data[at] == ' ')
		at++;
	while (end > at && memchr("\r\n ", data[end - 1], 3))
		end--;
	if (end - at < sizeof(t->reply.etag)) {
		memcpy(t->reply.etag, data + at, end - at);
		t->reply.etag[end - at] = 0;
	}
	return n;
}

/* From https to https only; never to file:, ftp: and the like. */
static const char *redirections(const char *url)
{
	return strncasecmp(url, "https:", 6) ? "http,https" : "https";
}

static CURLcode set_options(struct transfer *t, struct curl_blob *ca, long timeout_ms,
			    struct curl_slist *headers)
{
	const char *url = t->file->url;
	CURL *c = t->curl;
	CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, url);

#define SET(option, value) rc = rc ? rc : curl_easy_setopt(c, option, value)
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, redirections(url));
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	SET(CURLOPT_FAILONERROR, 1L);
	/* The simplest of what can be spoken has the least to go wrong. */
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->file->max);
	SET(CURLOPT_USERAGENT, "cormorant/" CORMORANT_VERSION);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, (void *)t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *)t);
	SET(CURLOPT_ERRORBUFFER, t->reply.error);
	if (ca->data) { /* instead of the system's, which libcurl would take from there as well */
		SET(CURLOPT_CAINFO_BLOB, ca);
		SET(CURLOPT_CAPATH, NULL);
	}
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name that is not answered must not be waited for when the time is over. */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
#undef SET
	return rc;
}

/* libcurl's words, where it has some of its own. */
static void set_failure(struct transfer *t, CURLcode rc)
{
	struct reply *reply = &t->reply;

	reply->failed = FAILED_TRANSFER;
	reply->size = 0;
	if (rc == CURLE_WRITE_ERROR || rc == CURLE_FILESIZE_EXCEEDED)
		snprintf(reply->error, sizeof(reply->error), "the answer has more than %zu bytes",
			 t->file->max);
	else if (!reply->error[0])
		snprintf(reply->error, sizeof(reply->error), "%s", curl_easy_strerror(rc));
}

static void get_one(struct transfer *t, struct curl_blob *ca, int64_t deadline)
{
	int64_t left = deadline - now_ms();
	struct curl_slist *headers = NULL;
	char match[FETCH_ETAG_MAX + 32];
	CURLcode rc = CURLE_OK;
	long status = 0;

	if (is_etag(t->file->etag)) {
		snprintf(match, sizeof(match), "If-None-Match: %s", t->file->etag);
		headers = curl_slist_append(NULL, match);
		rc = headers ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	}
	if (!rc)
		rc = set_options(t, ca, left > 0 ? (long)left : 1, headers);
	if (!rc)
		rc = curl_easy_perform(t->curl);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	t->reply.status = (uint32_t)status;
	if (!rc && status != 200)
		t->reply.size = 0;
	if (rc)
		set_failure(t, rc);
	curl_easy_reset(t->curl);
	curl_slist_free_all(headers);
}

static bool send_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static void get_all(int fd, const struct fetch_file *files, size_t count, struct curl_blob *ca,
		    int64_t deadline)
{
	struct transfer t = {.reply.status = 200};

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return;
	t.curl = curl_easy_init();
	for (size_t i = 0; t.curl && i < count && !t.reply.failed && t.reply.status == 200; i++) {
		t.file = &files[i];
		t.reply = (struct reply){0};
		get_one(&t, ca, deadline);
		if (!send_all(fd, &t.reply, sizeof(t.reply)) ||
		    !send_all(fd, t.bytes, t.reply.size))
			return;
	}
}

static void close_from(int first)
{
	struct rlimit limit = {.rlim_cur = FD_MAX};

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, (unsigned)first, ~0U, 0U))
		return;
#endif
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > FD_MAX)
		limit.rlim_cur = FD_MAX;
	for (int fd = first; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

/* Nothing of the sensor's stays open: no sink, no map, no terminal. Returns where to write. */
static int keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR), keep;

	/* Any of them may be one of the first three. */
	keep = fcntl(fd, F_DUPFD, 3);
	if (keep < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		if (dup2(null >= 0 ? null : keep, i) < 0)
			return -errno;
	if (keep != 3 && dup2(keep, 3) < 0)
		return -errno;
	close_from(4);
	return 3;
}

static void __attribute__((noreturn))
become_child(int fd, pid_t parent, const struct fetch_file *files, size_t count,
	     struct curl_blob *ca, int64_t deadline)
{
	const struct rlimit nothing = {0, 0};
	struct reply reply = {.failed = FAILED_CHILD};
	int err;

	fd = keep_only(fd);
	if (fd < 0)
		_exit(1);
	err = privilege_abandon();
	if (!err && (setrlimit(RLIMIT_FSIZE, &nothing) || setrlimit(RLIMIT_CORE, &nothing)))
		err = -errno;
	if (err) {
		snprintf(reply.error, sizeof(reply.error),
			 "cannot give up privileges: %s: grant CAP_SETUID and CAP_SETGID",
			 strerror(-err));
		_exit(!send_all(fd, &reply, sizeof(reply)));
	}
	/* A change of the user takes this back, so it comes behind it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	get_all(fd, files, count, ca, deadline);
	_exit(0);
}

/* ------------------------------------------------------------------ in the parent */

/* All that comes until the child is done. It may be hostile: at most max bytes, and in time. */
static int receive(int fd, char *bytes, size_t max, size_t *size, int64_t deadline)
{
	*size = 0;
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (!ready.revents)
			continue;
		n = read(fd, bytes + *size, max - *size);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return *size == max ? -EPROTO : 0;
		*size += n > 0 ? (size_t)n : 0;
	}
}

/* What a stranger wrote, for people: printable, on one line. */
static void make_plain(char *text, size_t size)
{
	text[size - 1] = 0;
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static const char asked_in_vain[] = ": see if the service is up and can be reached from here";

static int take_reply(struct fetch_file *file, struct reply *reply, char **at, size_t *left,
		      char *error, size_t error_size)
{
	make_plain(reply->error, sizeof(reply->error));
	make_plain(reply->etag, sizeof(reply->etag));
	if (reply->failed) {
		file->status = reply->status < 1000 ? (int)reply->status : 0;
		snprintf(error, error_size, "%s%s", reply->error,
			 reply->failed == FAILED_TRANSFER ? asked_in_vain : "");
		return -EIO;
	}
	if (reply->size > *left || reply->size > file->max || reply->status > 999)
		return -EPROTO;
	file->status = (int)reply->status;
	file->bytes = malloc((size_t)reply->size + 1);
	if (!file->bytes)
		return -ENOMEM;
	memcpy(file->bytes, *at, reply->size);
	file->bytes[reply->size] = 0;
	file->size = reply->size;
	if (is_etag(reply->etag))
		memcpy(file->new_etag, reply->etag, sizeof(file->new_etag));
	*at += reply->size;
	*left -= reply->size;
	return 0;
}

static int take_replies(char *bytes, size_t size, struct fetch_file *files, size_t count,
			char *error, size_t error_size)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		struct reply reply;

		if (size < sizeof(reply))
			return -EPROTO;
		memcpy(&reply, bytes, sizeof(reply));
		bytes += sizeof(reply);
		size -= sizeof(reply);
		err = take_reply(&files[i], &reply, &bytes, &size, error, error_size);
		if (files[i].status != 200)
			break;
	}
	return err ? err : size ? -EPROTO : 0;
}

/* Starts the child; its end of the pipe is read from *fd. */
static int start(struct fetch_file *files, size_t count, struct curl_blob *ca, int64_t deadline,
		 pid_t *child, int *fd)
{
	pid_t parent = getpid();
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*child = fork();
	err = *child < 0 ? -errno : 0;
	if (!*child)
		become_child(ends[1], parent, files, count, ca, deadline);
	*fd = ends[0];
	close(ends[1]);
	return err;
}

/* Its number stays its own until it has been waited for, whoever may have SIGCHLD ignored. */
static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static int run_child(struct fetch_file *files, size_t count, struct curl_blob *ca, int timeout_ms,
		     char *error, size_t error_size)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	struct sigaction before;
	size_t max = 1, size = 0;
	int64_t deadline = now_ms() + timeout_ms;
	int fd = -1, err;
	pid_t child = -1;
	char *bytes;

	for (size_t i = 0; i < count; i++)
		max += sizeof(struct reply) + files[i].max;
	bytes = malloc(max);
	if (!bytes)
		return -ENOMEM;
	sigaction(SIGCHLD, &plain, &before);
	err = start(files, count, ca, deadline - GRACE_MS, &child, &fd);
	if (!err)
		err = receive(fd, bytes, max, &size, deadline);
	if (child > 0)
		end_child(child);
	sigaction(SIGCHLD, &before, NULL);
	if (!err)
		err = take_replies(bytes, size, files, count, error, error_size);
	if (fd >= 0)
		close(fd);
	free(bytes);
	return err;
}

int fetch(const struct fetch_options *options, struct fetch_file *files, size_t count, char *error,
	  size_t error_size)
{
	struct curl_blob ca = {.flags = CURL_BLOB_NOCOPY};
	char *certificates = NULL;
	int err = 0;

	*error = 0;
	for (size_t i = 0; i < count; i++) {
		files[i].status = 0;
		files[i].new_etag[0] = 0;
		files[i].bytes = NULL;
		files[i].size = 0;
	}
	/* Now, since nobody may not be allowed to read them. */
	if (options->ca)
		err = file_read(AT_FDCWD, options->ca, CA_MAX, &certificates, &ca.len);
	if (err) {
		snprintf(error, error_size, "%s: %s: give a file of certificates in PEM",
			 options->ca, strerror(-err));
		return err;
	}
	ca.data = certificates;
	err = run_child(files, count, &ca, options->timeout_ms, error, error_size);
	free(certificates);
	if (err && !*error)
		snprintf(error, error_size, "%s%s",
			 err == -ETIMEDOUT ? "no answer in time" :
			 err == -EPROTO	   ? "the child that asks was ended, or sent nonsense" :
					     strerror(-err),
			 err == -ETIMEDOUT ? asked_in_vain : ": start again");
	if (err)
		fetch_free(files, count);
	return err;
}

void fetch_free(struct fetch_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(files[i].bytes);
		files[i].bytes = NULL;
	}
}
