// SPDX-License-Identifier: Apache-2.0
#include "feed.h"

#include <errno.h>

ssize_t feed_pull(struct feed *feed, const void **block)
{
	ssize_t n = feed->source->next(feed->source, block, feed->error);

	if (n < 0) {
		feed->err = (int)n;
		return n;
	}
	feed->size += (uint64_t)n;
	if (feed->digest)
		digest_add(feed->digest, *block, (size_t)n);
	if (feed->size <= feed->limit)
		return n;
	feed->err = error_set(feed->error, -EBADMSG,
			      "cannot read %s: a header in it has no end: get it again",
			      feed->source->name);
	return feed->err;
}

static la_ssize_t read_source(struct archive *archive, void *arg, const void **block)
{
	ssize_t n = feed_pull(arg, block);

	if (n < 0)
		archive_set_error(archive, EIO, "the source failed");
	return n < 0 ? -1 : n;
}

/* What libarchive said, unless it was the source's failure that made it say so. */
int feed_fail(const struct feed *feed)
{
	const char *why = archive_error_string(feed->archive);

	if (feed->err)
		return feed->err;
	if (archive_errno(feed->archive) == ENOMEM)
		return error_set(feed->error, -ENOMEM, "cannot read %s: no memory: free some",
				 feed->source->name);
	return error_set(feed->error, -EBADMSG,
			 "cannot read %s: it is damaged or of no known format (%s): get it again",
			 feed->source->name, why ? why : "no reason given");
}

int feed_open(struct feed *feed, struct source *source, feed_support *const *supports,
	      struct digest *digest, struct error *error)
{
	*feed = (struct feed){.source = source, .digest = digest, .error = error};
	feed->limit = UINT64_MAX;
	feed->archive = archive_read_new();
	if (!feed->archive)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 source->name);
	for (size_t i = 0; supports[i]; i++)
		/* What it has not built in it would leave to a program. */
		if (supports[i](feed->archive) != ARCHIVE_OK)
			return error_set(error, -ENOTSUP,
					 "cannot read %s: libarchive lacks a format: %s: install "
					 "one that is built with it",
					 source->name, archive_error_string(feed->archive));
	return archive_read_open(feed->archive, feed, NULL, read_source, NULL) ? feed_fail(feed) :
										 0;
}

void feed_close(struct feed *feed)
{
	char unused[DIGEST_TEXT];

	archive_read_free(feed->archive);
	if (feed->digest)
		digest_end(feed->digest, unused);
}
