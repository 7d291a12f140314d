// SPDX-License-Identifier: Apache-2.0
#include "unpacked.h"

#include <errno.h>
#include <stdlib.h>

#include "feed.h"

/* Packages of kernels grow tenfold, with long runs of zeros in them twentyfold. */
enum { GROWTH_MAX = 250 };
static const uint64_t growth_free = 256 << 20; /* bytes that anything may grow to */

struct unpacked {
	struct source source;
	struct feed feed;
	int64_t at;
	bool ended;
};

static bool grows_too_much(const struct unpacked *unpacked)
{
	return (uint64_t)unpacked->at > growth_free + GROWTH_MAX * unpacked->feed.size;
}

static ssize_t next(struct source *source, const void **block, struct error *error)
{
	struct unpacked *unpacked = (struct unpacked *)source;
	size_t size = 0;
	la_int64_t at;
	int rc = ARCHIVE_OK;

	unpacked->feed.error = error;
	while (!unpacked->ended && !size && !rc) {
		rc = archive_read_data_block(unpacked->feed.archive, block, &size, &at);
		unpacked->ended = rc == ARCHIVE_EOF;
	}
	if (unpacked->ended)
		return unpacked->feed.err; /* filters may take a failed source for its end */
	if (rc)
		return feed_fail(&unpacked->feed);
	unpacked->at += (int64_t)size;
	if (grows_too_much(unpacked))
		return error_set(error, -EBADMSG,
				 "cannot read %s: it grows %d-fold when it is unpacked, which no "
				 "kernel does: get it again",
				 source->name, GROWTH_MAX);
	return (ssize_t)size;
}

int unpacked_open(struct source *source, struct unpacked **unpacked_out, struct error *error)
{
	static feed_support *const supports[] = {
		archive_read_support_filter_gzip,
		archive_read_support_filter_bzip2,
		archive_read_support_filter_xz,
		archive_read_support_filter_lzma,
		archive_read_support_filter_zstd,
		archive_read_support_filter_lz4,
		archive_read_support_filter_rpm,
		archive_read_support_format_raw,
		NULL,
	};
	struct unpacked *unpacked = calloc(1, sizeof(*unpacked));
	struct digest *digest = digest_new();
	struct archive_entry *entry;
	int err;

	if (!unpacked || !digest) {
		free(unpacked);
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 source->name);
	}
	unpacked->source = (struct source){next, source->name};
	err = feed_open(&unpacked->feed, source, supports, digest, error);
	if (!err && archive_read_next_header(unpacked->feed.archive, &entry))
		err = feed_fail(&unpacked->feed);
	if (err)
		unpacked_close(unpacked);
	else
		*unpacked_out = unpacked;
	return err;
}

void unpacked_close(struct unpacked *unpacked)
{
	if (!unpacked)
		return;
	feed_close(&unpacked->feed);
	free(unpacked);
}

struct source *unpacked_source(struct unpacked *unpacked)
{
	return &unpacked->source;
}

bool unpacked_is_rpm(const struct unpacked *unpacked)
{
	struct archive *archive = unpacked->feed.archive;

	for (int i = 0; i < archive_filter_count(archive); i++)
		if (archive_filter_code(archive, i) == ARCHIVE_FILTER_RPM)
			return true;
	return false;
}

int unpacked_digest(struct unpacked *unpacked, char sha256[DIGEST_TEXT], struct error *error)
{
	struct digest *digest = unpacked->feed.digest;
	const void *block;
	ssize_t n;

	unpacked->feed.error = error;
	do
		n = feed_pull(&unpacked->feed, &block);
	while (n > 0);
	if (n < 0)
		return (int)n;
	unpacked->feed.digest = NULL;
	if (digest_end(digest, sha256))
		return error_set(error, -EIO, "cannot read %s: SHA-256 failed: check libcrypto",
				 unpacked->source.name);
	return 0;
}
