/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files of a web server. They are fetched by a child that has given up every
 * privilege before it says a word to the network: what TLS, HTTP and names are parsed by
 * holds no secret, may write nowhere, and hands back bytes of limited number. Nothing that
 * comes back is to be believed; it may come from anybody.
 */
#ifndef CORMORANT_FETCH_H
#define CORMORANT_FETCH_H

#include <stddef.h>
#include <stdint.h>

enum { FETCH_FILES_MAX = 2, FETCH_ETAG_MAX = 128, FETCH_ERROR_MAX = 512 };

struct fetch_file {
	const char *url;  /* http:// or https:// */
	const char *etag; /* of the copy that is at hand; "": there is none */
	size_t max;	  /* bytes; more is an error */

	/* The answer. */
	int status;		       /* HTTP's: 200, or 304 if etag is still it */
	char new_etag[FETCH_ETAG_MAX]; /* "" if the server says none that can be kept */
	char *bytes;		       /* of 200, for free() */
	size_t size;
};

struct fetch_options {
	const char *ca; /* certificates of those who vouch for servers; NULL: the system's */
	int timeout_ms; /* for all files together, names and all */
};

/*
 * Fetches the files one after another, up to the first that is not 200. Proxies are taken
 * from the environment; redirections are followed, but from https only to https. To be called
 * before there are threads. Returns 0, and the files' answers are there, or a negative errno:
 * -ETIMEDOUT, or what else prevented it. error then gets why: what to do.
 */
int fetch(const struct fetch_options *options, struct fetch_file *files, size_t count, char *error,
	  size_t error_size);

/* Frees what fetch has filled in. */
void fetch_free(struct fetch_file *files, size_t count);

#endif
