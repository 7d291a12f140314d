/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that say what an archive holds. They are kept below $XDG_CACHE_HOME/cormorant/
 * index, the newest of each address, so that a crawl that finds nothing new downloads
 * nothing. Nothing there is trusted: hashes and signatures are checked at every use.
 */
#ifndef BUILDER_INDEX_H
#define BUILDER_INDEX_H

#include "error.h"
#include "http.h"
#include "text.h"

struct index_reader;

/* A cache that can't be made is done without. Returns 0 or a negative errno. */
int index_new(const struct http_options *options, struct index_reader **reader,
	      struct error *error);
void index_free(struct index_reader *reader);

/*
 * A file that may change: the server is asked whether it has. Returns 0 or a negative
 * errno, http.h's among them.
 */
int index_get(struct index_reader *reader, const char *url, struct text *bytes,
	      struct error *error);

/* Drops what the cache holds of an address: it turned out to be worth nothing. */
void index_forget(struct index_reader *reader, const char *url);

/*
 * A file of which size in bytes (0: not known) and SHA-256 are known: the server is asked
 * only if the cache does not have it. -EBADMSG if the server's is another.
 */
int index_get_known(struct index_reader *reader, const char *url, uint64_t size, const char *sha256,
		    struct text *bytes, struct error *error);

#endif
