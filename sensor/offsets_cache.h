/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows that the offsets service has sent, in the state directory: one file a kernel, as
 * they came and with their signatures, so that they are checked whenever they are read.
 */
#ifndef CORMORANT_OFFSETS_CACHE_H
#define CORMORANT_OFFSETS_CACHE_H

#include "fetch.h"

struct offsets_cached {
	char etag[FETCH_ETAG_MAX]; /* "" if the server gave none */
	char fetched_at[32];	   /* UTC, RFC 3339 */
	char *row, *signature;
	size_t row_size, signature_size;
};

/*
 * dir is of state_open, build_id lower-case hex. Each returns 0 or a negative errno: -ENOENT if
 * there is none, -EBADMSG if it is damaged. Nothing of what is read is to be believed yet; it
 * is freed with offsets_cached_free.
 */
int offsets_cache_read(int dir, const char *build_id, struct offsets_cached *cached);
int offsets_cache_write(int dir, const char *build_id, const struct offsets_cached *cached);

void offsets_cached_free(struct offsets_cached *cached);

#endif
