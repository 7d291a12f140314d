// SPDX-License-Identifier: Apache-2.0
#include "unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <archive.h>
#include <archive_entry.h>

/* The largest index known, of a whole Fedora release, has 400 MB. */
enum { UNPACKED_MAX = 2000000000 };

struct unpack {
	struct source source;
	struct archive *archive;
	uint64_t size; /* that came out */
	bool ended;
};

static int fail(const struct unpack *unpack, struct error *error)
{
	return error_set(error, -EBADMSG, "cannot unpack %s: %s: tell who runs the archive",
			 unpack->source.name, archive_error_string(unpack->archive));
}

static ssize_t next(struct source *source, const void **block, struct error *error)
{
	struct unpack *unpack = (struct unpack *)source;
	size_t size = 0;
	la_int64_t offset;

	while (!unpack->ended && !size) {
		int rc = archive_read_data_block(unpack->archive, block, &size, &offset);

		if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
			return fail(unpack, error);
		unpack->ended = rc == ARCHIVE_EOF;
	}
	unpack->size += size;
	if (unpack->size > UNPACKED_MAX)
		return error_set(error, -EFBIG,
				 "cannot unpack %s: it is larger than an index can be: tell who "
				 "runs the archive",
				 source->name);
	return (ssize_t)size;
}

/* Not "all" filters: some of libarchive's run programs. */
static int open_archive(struct unpack *unpack, const struct text *packed)
{
	struct archive *archive = unpack->archive;
	struct archive_entry *entry;
	int rc;

	if (archive_read_support_filter_gzip(archive) || archive_read_support_filter_xz(archive) ||
	    archive_read_support_filter_zstd(archive) ||
	    archive_read_support_filter_bzip2(archive) ||
	    archive_read_support_format_raw(archive) || archive_read_support_format_empty(archive))
		return -1;
	if (archive_read_open_memory(archive, packed->data, packed->len))
		return -1;
	rc = archive_read_next_header(archive, &entry);
	unpack->ended = rc == ARCHIVE_EOF;
	return rc < ARCHIVE_OK ? -1 : 0;
}

int unpack_open(const struct text *packed, const char *name, struct unpack **out,
		struct error *error)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));
	int err = 0;

	if (unpack) {
		unpack->source = (struct source){.next = next, .name = name};
		unpack->archive = archive_read_new();
	}
	if (!unpack || !unpack->archive)
		err = error_set(error, -ENOMEM, "cannot unpack %s: no memory: free some", name);
	else if (open_archive(unpack, packed))
		err = fail(unpack, error);
	if (err)
		unpack_close(unpack);
	else
		*out = unpack;
	return err;
}

struct source *unpack_source(struct unpack *unpack)
{
	return &unpack->source;
}

void unpack_close(struct unpack *unpack)
{
	if (!unpack)
		return;
	archive_read_free(unpack->archive);
	free(unpack);
}
