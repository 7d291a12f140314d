/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads over http and https, as sources of bytes. A download that is closed early ends
 * its connection: no more is transferred than was asked for and what was on its way. One
 * that is cut goes on where it was, if the server does ranges and the file is the same.
 */
#ifndef BUILDER_HTTP_H
#define BUILDER_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "source.h"
#include "text.h"

struct http;
struct http_stream;

/* What all clients together have done. */
struct http_totals {
	atomic_ullong bytes; /* of bodies, as they came in */
	atomic_uint retries;
};

struct http_options {
	unsigned int retries;	/* after a failure that may pass; progress resets the count */
	unsigned int timeout_s; /* to connect, and for a transfer that all but stands still */
	struct http_totals *totals;
	const atomic_bool *stop; /* every transfer ends with -ECANCELED once it is set; or NULL */
};

/* By which a server knows whether a file has changed; "" is unknown. */
struct http_validators {
	char etag[256], last_modified[64];
};

/* All strings are the caller's and outlive the stream. */
struct http_request {
	const char *url;
	const char *name;		      /* of the file, for errors */
	uint64_t size;			      /* in bytes, as an index states it; 0: not known */
	uint64_t limit;			      /* a larger file is an error */
	const struct http_validators *unless; /* the caller has this one; NULL: it has none */
};

/* One thread's client: it keeps one connection. Returns 0 or a negative errno. */
int http_new(const struct http_options *options, struct http **http, struct error *error);
void http_free(struct http *http);

/*
 * A download; it begins with its source's first next(), which fails with
 * -ENOENT the file is not there (404, 410)
 * -EACCES the server refuses, or is not who it should be
 * -ESTALE the file is not the size that the index states, or changed while it was read
 * -EFBIG  it is larger than the limit
 * -EIO    everything else, retries included
 */
int http_open(struct http *http, const struct http_request *request, struct http_stream **stream,
	      struct error *error);
void http_close(struct http_stream *stream);

struct source *http_source(struct http_stream *stream);
/* 0, or what its source's next() failed with. */
int http_failure(const struct http_stream *stream);
/* The server says that the file is the one the caller has: the source has no bytes. */
bool http_unchanged(const struct http_stream *stream);
const struct http_validators *http_validators(const struct http_stream *stream);
/* SHA-256 of the whole file, once its end was read; not before: -EAGAIN. Call it once. */
int http_digest(struct http_stream *stream, char sha256[DIGEST_TEXT]);

#endif
