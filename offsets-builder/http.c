// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "version.h"

enum {
	BLOCK = 256 << 10, /* what next() returns at most, but for one piece of libcurl's */
	/*
	 * What may be on its way when a reader has enough: a kernel's is a tenth of its
	 * package, and left alone the window grows to megabytes while xz is slower than
	 * the network.
	 */
	RECEIVE_BUFFER = 512 << 10,
	SLOWEST = 1024,	    /* bytes a second: less than this for timeout_s is a stall */
	PROGRESS = 1 << 20, /* bytes after which a connection has been worth a retry */
	POLL_MS = 200,	    /* how soon a stop is seen */
	BACK_OFF_MS = 500,  /* doubled with each retry, with jitter */
	BACK_OFF_MAX_MS = 30000,
	RETRY_AFTER_MAX_S = 120, /* what a server may ask for */
	REDIRECTS = 5,
};

struct http {
	struct http_options options;
	CURLM *multi;
	unsigned int seed;
};

struct http_stream {
	struct source source;
	struct http *http;
	CURL *easy;
	struct curl_slist *headers; /* of this attempt */
	struct http_request request;
	struct http_validators validators;
	struct digest *digest;
	struct text block;
	uint64_t size; /* of the file; 0: not known */
	uint64_t at;   /* bytes of the file that came in */
	uint64_t from; /* at, when this attempt began */
	uint64_t mark; /* at, when the retries were last counted anew */
	unsigned int tries;
	int64_t waited_ms; /* in this attempt, since window was 0 */
	uint64_t window;   /* bytes that came in meanwhile */
	bool running, paused, answered, unchanged, ended;
	int failure;
	struct error error;
	char curl_error[CURL_ERROR_SIZE];
};

/* ------------------------------------------------------------------------ fail */

/* The end of a stream, for good. */
static void fail(struct http_stream *stream, int err, const char *why)
{
	stream->ended = true;
	stream->failure =
		error_set(&stream->error, err, "cannot get %s: %s", stream->request.name, why);
}

static bool stopped(const struct http *http)
{
	return http->options.stop && atomic_load(http->options.stop);
}

static void sleep_ms(const struct http *http, int64_t ms)
{
	while (ms > 0 && !stopped(http)) {
		int64_t slice = ms < POLL_MS ? ms : POLL_MS;
		struct timespec pause = {.tv_nsec = slice * 1000000};

		nanosleep(&pause, NULL);
		ms -= slice;
	}
}

/* Half of it for certain, half by chance: many clients must not come back at once. */
static int64_t back_off_ms(struct http_stream *stream)
{
	curl_off_t after = 0;
	int64_t ms = (int64_t)BACK_OFF_MS << (stream->tries < 6 ? stream->tries : 6);

	if (ms > BACK_OFF_MAX_MS)
		ms = BACK_OFF_MAX_MS;
	ms = ms / 2 + rand_r(&stream->http->seed) % (ms / 2);
	curl_easy_getinfo(stream->easy, CURLINFO_RETRY_AFTER, &after);
	if (after > RETRY_AFTER_MAX_S)
		after = RETRY_AFTER_MAX_S;
	return after * 1000 > ms ? after * 1000 : ms;
}

/* A failure that may pass: waits for the next attempt, or gives up. */
static void fail_or_retry(struct http_stream *stream, const char *why)
{
	char text[CURL_ERROR_SIZE + 64];

	if (stream->at - stream->mark >= PROGRESS) {
		stream->mark = stream->at;
		stream->tries = 0;
	}
	if (stream->tries >= stream->http->options.retries) {
		snprintf(text, sizeof(text), "%s: %u retries did not help: try again later", why,
			 stream->tries);
		fail(stream, -EIO, text);
		return;
	}
	atomic_fetch_add(&stream->http->options.totals->retries, 1);
	sleep_ms(stream->http, back_off_ms(stream));
	stream->tries++;
}

/* ---------------------------------------------------------------------- answer */

static const char *header(struct http_stream *stream, const char *name)
{
	struct curl_header *found = NULL;

	if (curl_easy_header(stream->easy, name, 0, CURLH_HEADER, -1, &found) || !found)
		return "";
	return found->value;
}

static void keep(char *out, size_t size, const char *value)
{
	snprintf(out, size, "%s", strlen(value) < size ? value : "");
}

/* What a change of the file shows in; both sides must know it. */
static bool same_file(struct http_stream *stream)
{
	const struct http_validators *before = &stream->validators;
	const char *etag = header(stream, "ETag"), *modified = header(stream, "Last-Modified");

	if (*before->etag && *etag)
		return !strcmp(before->etag, etag);
	return !*before->last_modified || !*modified || !strcmp(before->last_modified, modified);
}

/* The rest of a file of which a part is there. */
static void check_rest(struct http_stream *stream, long status)
{
	uint64_t from = 0, to = 0, size = 0;

	if (status != 206)
		fail(stream, -ESTALE,
		     "it changed while it was read, or its server knows no ranges");
	else if (sscanf(header(stream, "Content-Range"), "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64,
			&from, &to, &size) != 3 ||
		 from != stream->from)
		fail(stream, -EIO, "its server sent another range than was asked for");
	else if (!same_file(stream) || (stream->size && size != stream->size))
		fail(stream, -ESTALE, "it changed while it was read");
	else
		stream->size = size;
}

static void check_whole(struct http_stream *stream, long status)
{
	const struct http_request *request = &stream->request;
	curl_off_t length = -1;
	char why[128];

	if (status == 304 && request->unless) {
		stream->unchanged = true;
		return;
	}
	curl_easy_getinfo(stream->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (status != 200) {
		snprintf(why, sizeof(why), "its server answers with status %ld", status);
		fail(stream, -EIO, why);
	} else if (length >= 0 && request->size && (uint64_t)length != request->size) {
		snprintf(why, sizeof(why), "it has %" PRIu64 " bytes, and its index says %" PRIu64,
			 (uint64_t)length, request->size);
		fail(stream, -ESTALE, why);
	} else if (length >= 0 && (uint64_t)length > request->limit) {
		fail(stream, -EFBIG, "it is larger than such a file may be");
	}
	if (length > 0)
		stream->size = (uint64_t)length;
	keep(stream->validators.etag, sizeof(stream->validators.etag), header(stream, "ETag"));
	keep(stream->validators.last_modified, sizeof(stream->validators.last_modified),
	     header(stream, "Last-Modified"));
}

/* Is it what was asked for? Before the first byte of each attempt's body. */
static void check_answer(struct http_stream *stream)
{
	long status = 0;

	if (stream->answered)
		return;
	stream->answered = true;
	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	if (stream->from)
		check_rest(stream, status);
	else
		check_whole(stream, status);
}

/* libcurl's write function: any other number than all of them ends the transfer. */
static size_t take(char *data, size_t one, size_t size, void *arg)
{
	struct http_stream *stream = arg;
	uint64_t most = stream->size ? stream->size : stream->request.limit;

	(void)one;
	if (stream->block.len >= BLOCK) {
		stream->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	check_answer(stream);
	if (stream->failure)
		return 0;
	if (size > most || stream->at > most - size) {
		fail(stream, stream->size ? -ESTALE : -EFBIG, "it is longer than it should be");
		return 0;
	}
	text_bytes(&stream->block, data, size);
	if (stream->block.failed) {
		fail(stream, -ENOMEM, "no memory: free some");
		return 0;
	}
	digest_add(stream->digest, data, size);
	stream->at += size;
	stream->window += size;
	atomic_fetch_add(&stream->http->options.totals->bytes, size);
	return size;
}

/* --------------------------------------------------------------------- attempt */

static int set_socket(void *arg, curl_socket_t fd, curlsocktype type)
{
	int size = RECEIVE_BUFFER;

	(void)arg;
	(void)type;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return CURL_SOCKOPT_OK;
}

static bool add_header(struct http_stream *stream, const char *name, const char *value)
{
	char text[320];
	struct curl_slist *longer;

	if (!*value)
		return false;
	snprintf(text, sizeof(text), "%s: %s", name, value);
	longer = curl_slist_append(stream->headers, text);
	if (longer)
		stream->headers = longer;
	return longer;
}

/* Only a strong ETag says that the bytes are the same. */
static void ask_for_rest(struct http_stream *stream)
{
	const struct http_validators *validators = &stream->validators;
	char range[32];

	snprintf(range, sizeof(range), "%" PRIu64 "-", stream->at);
	curl_easy_setopt(stream->easy, CURLOPT_RANGE, range);
	if (*validators->etag == '"')
		add_header(stream, "If-Range", validators->etag);
	else
		add_header(stream, "If-Range", validators->last_modified);
}

static void start(struct http_stream *stream)
{
	const struct http_validators *unless = stream->request.unless;

	curl_slist_free_all(stream->headers);
	stream->headers = NULL;
	stream->from = stream->at;
	stream->answered = stream->paused = false;
	stream->waited_ms = 0;
	stream->window = 0;
	*stream->curl_error = 0;
	if (stream->at)
		ask_for_rest(stream);
	else if (unless && !add_header(stream, "If-None-Match", unless->etag))
		add_header(stream, "If-Modified-Since", unless->last_modified);
	curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers);
	if (curl_multi_add_handle(stream->http->multi, stream->easy))
		fail(stream, -EIO, "libcurl does not begin: report this");
	else
		stream->running = true;
}

static void stop(struct http_stream *stream)
{
	if (stream->running)
		curl_multi_remove_handle(stream->http->multi, stream->easy);
	stream->running = false;
}

static void fail_by_status(struct http_stream *stream)
{
	long status = 0;
	char why[128];

	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(why, sizeof(why), "its server answers with status %ld", status);
	if (status == 404 || status == 410)
		fail(stream, -ENOENT, status == 404 ? "it is not there (404)" : "it is gone (410)");
	else if (status == 416)
		fail(stream, -ESTALE, "it changed while it was read");
	else if (status >= 500 || status == 408 || status == 425 || status == 429)
		fail_or_retry(stream, why);
	else
		fail(stream, -EACCES, why);
}

static void end_attempt(struct http_stream *stream, CURLcode result)
{
	const char *why = *stream->curl_error ? stream->curl_error : curl_easy_strerror(result);

	if (result == CURLE_OK)
		check_answer(stream);
	stop(stream);
	if (stream->failure)
		return;
	switch (result) {
	case CURLE_OK:
		if (stream->at < stream->size)
			fail_or_retry(stream, "the connection was cut");
		else
			stream->ended = true;
		return;
	case CURLE_HTTP_RETURNED_ERROR: fail_by_status(stream); return;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE: fail(stream, -EACCES, why); return;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_TOO_MANY_REDIRECTS: fail(stream, -EACCES, why); return;
	default: fail_or_retry(stream, why);
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Only time spent waiting counts: the reader may be slow. A server that sends a byte now
 * and then stands still, too.
 */
static void wait_for_more(struct http_stream *stream)
{
	int64_t timeout_ms = stream->http->options.timeout_s * 1000LL, begin = now_ms();

	curl_multi_poll(stream->http->multi, NULL, 0, POLL_MS, NULL);
	stream->waited_ms += now_ms() - begin;
	if (stream->waited_ms < timeout_ms)
		return;
	if (stream->window * 1000 < (uint64_t)(timeout_ms * SLOWEST)) {
		stop(stream);
		fail_or_retry(stream, "its server has fallen silent");
	}
	stream->waited_ms = 0;
	stream->window = 0;
}

static void step(struct http_stream *stream)
{
	CURLMsg *message;
	int running = 0, left = 0;

	if (stream->paused) {
		stream->paused = false;
		curl_easy_pause(stream->easy, CURLPAUSE_CONT);
	}
	curl_multi_perform(stream->http->multi, &running);
	message = curl_multi_info_read(stream->http->multi, &left);
	if (message && message->msg == CURLMSG_DONE)
		end_attempt(stream, message->data.result);
	else if (!stream->block.len)
		wait_for_more(stream);
}

static ssize_t next(struct source *source, const void **block, struct error *error)
{
	struct http_stream *stream = (struct http_stream *)source;

	text_clear(&stream->block);
	while (!stream->block.len && !stream->ended) {
		if (stopped(stream->http))
			fail(stream, -ECANCELED, "this program is ending");
		else if (stream->running)
			step(stream);
		else
			start(stream);
	}
	if (stream->block.len) {
		*block = stream->block.data;
		return (ssize_t)stream->block.len;
	}
	if (stream->failure)
		*error = stream->error;
	return stream->failure;
}

/* ---------------------------------------------------------------------- stream */

/* A https address is not left for an http one. */
static bool set_options(struct http_stream *stream)
{
	CURL *easy = stream->easy;
	long timeout = stream->http->options.timeout_s;
	bool secure = !strncasecmp(stream->request.url, "https:", 6);

	return !curl_easy_setopt(easy, CURLOPT_URL, stream->request.url) &&
	       !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       !curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
				 secure ? "https" : "http,https") &&
	       !curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS) &&
	       !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, timeout) &&
	       !curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10) &&
	       !curl_easy_setopt(easy, CURLOPT_USERAGENT, "offsets-builder/" CORMORANT_VERSION) &&
	       !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->curl_error) &&
	       !curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
}

int http_open(struct http *http, const struct http_request *request, struct http_stream **out,
	      struct error *error)
{
	struct http_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return error_set(error, -ENOMEM, "cannot get %s: no memory: free some",
				 request->name);
	*stream = (struct http_stream){.source = {.next = next, .name = request->name},
				       .http = http,
				       .request = *request,
				       .size = request->size,
				       .digest = digest_new(),
				       .easy = curl_easy_init()};
	if (!stream->digest || !stream->easy || !set_options(stream)) {
		http_close(stream);
		return error_set(error, -ENOMEM,
				 "cannot get %s: no memory, or not an address of http: look at it",
				 request->name);
	}
	*out = stream;
	return 0;
}

void http_close(struct http_stream *stream)
{
	char unused[DIGEST_TEXT];

	if (!stream)
		return;
	stop(stream);
	curl_easy_cleanup(stream->easy);
	curl_slist_free_all(stream->headers);
	if (stream->digest)
		digest_end(stream->digest, unused);
	text_free(&stream->block);
	free(stream);
}

struct source *http_source(struct http_stream *stream)
{
	return &stream->source;
}

int http_failure(const struct http_stream *stream)
{
	return stream->failure;
}

bool http_unchanged(const struct http_stream *stream)
{
	return stream->unchanged;
}

const struct http_validators *http_validators(const struct http_stream *stream)
{
	return &stream->validators;
}

int http_digest(struct http_stream *stream, char sha256[DIGEST_TEXT])
{
	struct digest *digest = stream->digest;

	if (!stream->ended || stream->failure || !digest)
		return -EAGAIN;
	stream->digest = NULL;
	return digest_end(digest, sha256);
}

/* ---------------------------------------------------------------------- client */

int http_new(const struct http_options *options, struct http **out, struct error *error)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http && !curl_global_init(CURL_GLOBAL_DEFAULT)) {
		http->options = *options;
		http->seed = (unsigned int)now_ms() ^ (unsigned int)(uintptr_t)http;
		http->multi = curl_multi_init();
	}
	if (!http || !http->multi) {
		http_free(http);
		return error_set(error, -ENOMEM, "cannot start libcurl: no memory: free some");
	}
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L);
	*out = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->multi) {
		curl_multi_cleanup(http->multi);
		curl_global_cleanup();
	}
	free(http);
}
