// SPDX-License-Identifier: Apache-2.0
#include "package.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive_entry.h>

#include "feed.h"

/*
 * Between two members: names, links, extended headers. libarchive keeps all of a header in
 * memory, however long it says that it is.
 */
enum { HEADER_MAX = 16 << 20 };

struct package {
	struct source member; /* the current one */
	char *member_name;    /* "SOURCE: PATH", for errors */
	int64_t member_at;
	bool member_ended;
	struct feed feed;
	struct archive_entry *entry; /* of the current member */
	bool pending;		     /* entry has been read, but not yet handed out */
	bool ended;		     /* there is no further entry */
	enum package_kind kind;
};

/* ------------------------------------------------------------------------ bytes */

/* The current member's next bytes, and where they belong. 0 at its end, and behind it. */
static ssize_t read_block(struct package *package, const void **block, la_int64_t *at)
{
	size_t size = 0;
	int rc = ARCHIVE_OK;

	while (!package->member_ended && !size && !rc) {
		rc = archive_read_data_block(package->feed.archive, block, &size, at);
		package->member_ended = rc == ARCHIVE_EOF;
	}
	if (package->member_ended)
		return package->feed.err;
	return rc ? feed_fail(&package->feed) : (ssize_t)size;
}

static ssize_t next_block(struct source *source, const void **block, struct error *error)
{
	struct package *package = (struct package *)source;
	la_int64_t at = 0;
	ssize_t n;

	package->feed.error = error;
	n = read_block(package, block, &at);
	if (n > 0 && at != package->member_at)
		return error_set(error, -EBADMSG,
				 "cannot read %s: it has holes: pack it without --sparse",
				 source->name);
	package->member_at += n > 0 ? n : 0;
	return n;
}

/* Reads what is left of the current member, which is as long as it likes. */
static int skip_member(struct package *package)
{
	const void *block;
	la_int64_t at;
	ssize_t n;

	do
		n = read_block(package, &block, &at);
	while (n > 0);
	return (int)n;
}

/* ------------------------------------------------------------------------- open */

static int next_entry(struct package *package)
{
	struct feed *feed = &package->feed;
	int rc = ARCHIVE_EOF;

	feed->limit = feed->size + HEADER_MAX;
	if (!package->ended)
		rc = archive_read_next_header(feed->archive, &package->entry);
	feed->limit = UINT64_MAX;
	if (rc == ARCHIVE_EOF) {
		package->ended = package->member_ended = true;
		return feed->err; /* some formats take a failed source for its end */
	}
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 1 : feed_fail(feed);
}

static enum package_kind kind_of(struct archive *archive)
{
	switch (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) {
	case ARCHIVE_FORMAT_RAW: return PACKAGE_BARE;
	case ARCHIVE_FORMAT_AR: return PACKAGE_AR;
	default: return PACKAGE_TAR;
	}
}

int package_open(struct source *source, struct package **package_out, struct error *error)
{
	static feed_support *const supports[] = {
		archive_read_support_format_ar,
		archive_read_support_format_cpio,
		archive_read_support_format_tar,
		archive_read_support_format_raw,
		NULL,
	};
	struct package *package = calloc(1, sizeof(*package));
	int rc;

	if (!package)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 source->name);
	package->member.next = next_block;
	rc = feed_open(&package->feed, source, supports, NULL, error);
	if (!rc)
		rc = next_entry(package);
	if (rc < 0) {
		package_close(package);
		return rc;
	}
	package->pending = rc > 0;
	package->kind = kind_of(package->feed.archive);
	*package_out = package;
	return 0;
}

void package_close(struct package *package)
{
	if (!package)
		return;
	feed_close(&package->feed);
	free(package->member_name);
	free(package);
}

enum package_kind package_kind(const struct package *package)
{
	return package->kind;
}

/* ---------------------------------------------------------------------- members */

static const char *plain_path(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);

	if (!path)
		return "";
	while (*path == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	return path;
}

/* GNU ar, unlike dpkg-deb, may leave the type out of the mode. */
static bool is_file(struct archive_entry *entry)
{
	mode_t type = archive_entry_filetype(entry);

	return (type == AE_IFREG || !type) && !archive_entry_hardlink(entry) &&
	       (!archive_entry_size_is_set(entry) || archive_entry_size(entry) > 0);
}

/* The current entry as a member. */
static int begin_member(struct package *package, const char *path)
{
	const char *name = package->feed.source->name;

	free(package->member_name);
	if (asprintf(&package->member_name, "%s%s%s", name, *path ? ": " : "", path) < 0) {
		package->member_name = NULL;
		return error_set(package->feed.error, -ENOMEM,
				 "cannot read %s: no memory: free some", name);
	}
	package->member.name = package->member_name;
	return 1;
}

int package_next(struct package *package, const char **path, struct source **member,
		 struct error *error)
{
	int rc = 1;

	package->feed.error = error;
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
