/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive, fed from a source. */
#ifndef BUILDER_FEED_H
#define BUILDER_FEED_H

#include <stdint.h>

#include <archive.h>

#include "digest.h"
#include "source.h"

struct feed {
	struct archive *archive;
	struct source *source;
	struct digest *digest; /* of what has been read of the source; or NULL */
	uint64_t size;	       /* bytes of the source, so far */
	uint64_t limit;	       /* of size, behind which it is an error to read */
	struct error *error;   /* of the call that is going on; the owner sets it */
	int err;	       /* what the source returned, or the limit */
};

/* Filters or formats, the last one NULL. Each has to be built into libarchive. */
typedef int feed_support(struct archive *archive);

/*
 * Opens the archive, of which nothing is read yet. digest becomes the feed's. Returns 0 or a
 * negative errno; the feed is to be closed in both cases.
 */
int feed_open(struct feed *feed, struct source *source, feed_support *const *supports,
	      struct digest *digest, struct error *error);
void feed_close(struct feed *feed);

/* The source's next block, past libarchive. As source->next. */
ssize_t feed_pull(struct feed *feed, const void **block);

/* After libarchive has failed: sets the error, returns a negative errno. */
int feed_fail(const struct feed *feed);

#endif
