// SPDX-License-Identifier: Apache-2.0
#include "package.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

/* Packages of kernels grow tenfold, with long runs of zeros in them twentyfold. */
enum { GROWTH_MAX = 250 };
static const uint64_t growth_free = 256 << 20; /* bytes that any package may grow to */

struct package {
	struct source member; /* the current one */
	char *member_name;    /* "SOURCE: PATH", for errors */
	int64_t member_at;
	bool member_ended;
	struct archive *archive;
	struct archive_entry *entry; /* of the current member */
	bool pending;		     /* entry has been read, but not yet handed out */
	bool ended;		     /* there is no further entry */
	enum package_kind kind;
	struct source *source;
	struct digest *digest;
	uint64_t size;	     /* of the source, so far */
	int err;	     /* what the source returned */
	struct error *error; /* of the call that is going on */
};

/* ------------------------------------------------------------------------ bytes */

/* The source's bytes on their way to libarchive, or to nowhere. */
static ssize_t pull(struct package *package, const void **block)
{
	ssize_t n = package->source->next(package->source, block, package->error);

	if (n < 0) {
		package->err = (int)n;
	} else if (n > 0) {
		digest_add(package->digest, *block, (size_t)n);
		package->size += (uint64_t)n;
	}
	return n;
}

static la_ssize_t read_source(struct archive *archive, void *arg, const void **block)
{
	ssize_t n = pull(arg, block);

	if (n < 0)
		archive_set_error(archive, EIO, "the source failed");
	return n < 0 ? -1 : n;
}

/* What libarchive said, unless it was the source's failure that made it say so. */
static int fail(const struct package *package)
{
	const char *why = archive_error_string(package->archive);

	if (package->err)
		return package->err;
	if (archive_errno(package->archive) == ENOMEM)
		return error_set(package->error, -ENOMEM, "cannot read %s: no memory: free some",
				 package->source->name);
	return error_set(package->error, -EBADMSG,
			 "cannot read %s: it is damaged or of no known format (%s): get it again",
			 package->source->name, why ? why : "no reason given");
}

static bool grows_too_much(const struct package *package)
{
	int64_t size = archive_filter_bytes(package->archive, 0);

	return size > 0 && (uint64_t)size > growth_free + GROWTH_MAX * package->size;
}

/* The current member's next bytes, and where they belong. 0 at its end, and behind it. */
static ssize_t read_block(struct package *package, const void **block, int64_t *at)
{
	size_t size = 0;
	int rc = ARCHIVE_OK;

	while (!package->member_ended && !size && !rc) {
		rc = archive_read_data_block(package->archive, block, &size, at);
		package->member_ended = rc == ARCHIVE_EOF;
	}
	if (package->member_ended)
		return 0;
	if (rc)
		return fail(package);
	if (grows_too_much(package))
		return error_set(package->error, -EBADMSG,
				 "cannot read %s: it grows %d-fold when it is unpacked, which no "
				 "kernel does: get it again",
				 package->source->name, GROWTH_MAX);
	return (ssize_t)size;
}

static ssize_t next_block(struct source *source, const void **block, struct error *error)
{
	struct package *package = (struct package *)source;
	int64_t at = 0;
	ssize_t n;

	package->error = error;
	n = read_block(package, block, &at);
	if (n > 0 && at != package->member_at)
		return error_set(error, -EBADMSG,
				 "cannot read %s: it has holes: pack it without --sparse",
				 source->name);
	package->member_at += n > 0 ? n : 0;
	return n;
}

/* ------------------------------------------------------------------------- open */

/* Filters that libarchive has in itself; others it would leave to a program. */
static int (*const supports[])(struct archive *) = {
	archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
	archive_read_support_filter_xz,	  archive_read_support_filter_lzma,
	archive_read_support_filter_zstd, archive_read_support_filter_lz4,
	archive_read_support_filter_rpm,  archive_read_support_format_ar,
	archive_read_support_format_cpio, archive_read_support_format_tar,
	archive_read_support_format_raw,
};

static bool add_support(struct archive *archive)
{
	for (size_t i = 0; i < sizeof(supports) / sizeof(supports[0]); i++)
		if (supports[i](archive) != ARCHIVE_OK)
			return false;
	return true;
}

static bool has_filter(struct archive *archive, int code)
{
	for (int i = 0; i < archive_filter_count(archive); i++)
		if (archive_filter_code(archive, i) == code)
			return true;
	return false;
}

static enum package_kind kind_of(struct archive *archive)
{
	switch (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) {
	case ARCHIVE_FORMAT_RAW: return PACKAGE_BARE;
	case ARCHIVE_FORMAT_AR: return PACKAGE_DEB;
	default: return has_filter(archive, ARCHIVE_FILTER_RPM) ? PACKAGE_RPM : PACKAGE_TAR;
	}
}

static int next_entry(struct package *package)
{
	int rc = package->ended ? ARCHIVE_EOF :
				  archive_read_next_header(package->archive, &package->entry);

	package->ended = rc == ARCHIVE_EOF;
	if (package->ended) {
		package->member_ended = true;
		return 0;
	}
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 1 : fail(package);
}

/* The kind is known once the first header has been read. */
static int open_archive(struct package *package)
{
	int rc;

	if (!add_support(package->archive))
		return error_set(package->error, -ENOTSUP,
				 "cannot read %s: libarchive was built without a format that is "
				 "needed: %s: install another",
				 package->source->name, archive_error_string(package->archive));
	if (archive_read_open(package->archive, package, NULL, read_source, NULL))
		return fail(package);
	rc = next_entry(package);
	package->pending = rc > 0;
	if (rc >= 0)
		package->kind = kind_of(package->archive);
	return rc < 0 ? rc : 0;
}

int package_open(struct source *source, struct package **package_out, struct error *error)
{
	struct package *package = calloc(1, sizeof(*package));
	int err = -ENOMEM;

	if (package) {
		package->member.next = next_block;
		package->source = source;
		package->error = error;
		package->digest = digest_new();
		package->archive = archive_read_new();
	}
	if (package && package->digest && package->archive)
		err = open_archive(package);
	else
		error_set(error, err, "cannot read %s: no memory: free some", source->name);
	if (err)
		package_close(package);
	else
		*package_out = package;
	return err;
}

void package_close(struct package *package)
{
	char unused[DIGEST_TEXT];

	if (!package)
		return;
	archive_read_free(package->archive);
	if (package->digest)
		digest_end(package->digest, unused);
	free(package->member_name);
	free(package);
}

enum package_kind package_kind(const struct package *package)
{
	return package->kind;
}

/* ---------------------------------------------------------------------- members */

/* Reads what is left of the current member: libarchive's skipping would not see it grow. */
static int skip_member(struct package *package)
{
	const void *block;
	int64_t at;
	ssize_t n;

	do
		n = read_block(package, &block, &at);
	while (n > 0);
	return (int)n;
}

/* The current entry as a member. */
static int begin_member(struct package *package, const char *path)
{
	free(package->member_name);
	package->member_name = NULL;
	if (package->kind == PACKAGE_BARE)
		package->member_name = strdup(package->source->name);
	else if (asprintf(&package->member_name, "%s: %s", package->source->name, path) < 0)
		package->member_name = NULL;
	if (!package->member_name)
		return error_set(package->error, -ENOMEM, "cannot read %s: no memory: free some",
				 package->source->name);
	package->member.name = package->member_name;
	return 1;
}

static const char *plain_path(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);

	if (!path)
		return "";
	while (*path == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	return path;
}

static bool is_file(struct archive_entry *entry)
{
	return archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) &&
	       (!archive_entry_size_is_set(entry) || archive_entry_size(entry) > 0);
}

int package_next(struct package *package, const char **path, struct source **member,
		 struct error *error)
{
	int rc = 1;

	package->error = error;
	*member = &package->member;
	while (rc > 0) {
		rc = package->pending ? 1 : skip_member(package);
		if (!package->pending && rc >= 0)
			rc = next_entry(package);
		if (rc <= 0)
			break;
		package->pending = package->member_ended = false;
		package->member_at = 0;
		*path = package->kind == PACKAGE_BARE ? "" : plain_path(package->entry);
		if (is_file(package->entry))
			return begin_member(package, *path);
	}
	return rc;
}

int package_digest(struct package *package, char sha256[DIGEST_TEXT], struct error *error)
{
	struct digest *digest = package->digest;
	const void *block;
	ssize_t n;

	package->error = error;
	do
		n = pull(package, &block);
	while (n > 0);
	if (n < 0)
		return (int)n;
	package->digest = NULL;
	if (digest_end(digest, sha256))
		return error_set(error, -EIO, "cannot read %s: SHA-256 failed: check libcrypto",
				 package->source->name);
	return 0;
}
