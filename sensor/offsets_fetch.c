// SPDX-License-Identifier: Apache-2.0
#include "offsets_fetch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fetch.h"
#include "offsets_cache.h"
#include "offsets_row.h"
#include "state.h"
#include "version.h"

enum {
	TIMEOUT_MS = 5000,
	/* Where there is a row already, a better one is not worth being blind for long. */
	TIMEOUT_KEPT_MS = 2000,
	URL_MAX = 1536,
};

/* What the service has of this kernel, and its signature. */
enum { ROW, SIGNATURE, FILES };

struct found {
	struct kernel_offsets offsets;
	struct offsets_provenance provenance;
};

struct search {
	const struct offsets_options *options;
	const struct kernel_identity *identity;
	int dir; /* the state directory; negative: there is none, and note says why */
	char url[URL_MAX];
	struct fetch_file files[FILES];
	struct found *found;
	char *note;
	size_t note_size;
};

static int fail(const struct search *s, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* why: what to do */
static int fail(const struct search *s, int err, const char *format, ...)
{
	int n = snprintf(s->note, s->note_size, "cannot use %s: ", s->url);
	va_list args;

	if (n < 0 || (size_t)n >= s->note_size)
		return err;
	va_start(args, format);
	vsnprintf(s->note + n, s->note_size - (size_t)n, format, args);
	va_end(args);
	return err;
}

/* ------------------------------------------------------------------ what is believed */

/* Takes a row if it is signed, and this kernel's; why, of SIGNATURE_ERROR_MAX, says what else. */
static int take(const struct search *s, const struct offsets_cached *row, struct found *found,
		char *why)
{
	char id[SIGNATURE_ID_TEXT];
	int err = signature_check(&s->options->keys, row->row, row->row_size, row->signature,
				  row->signature_size, id, why, SIGNATURE_ERROR_MAX);

	if (!err)
		err = offsets_row_parse(row->row, row->row_size, s->identity, &found->offsets,
					&found->provenance, why, SIGNATURE_ERROR_MAX);
	if (err)
		return err;
	memcpy(found->provenance.signed_by, id, sizeof(id));
	memcpy(found->provenance.fetched_at, row->fetched_at, sizeof(row->fetched_at));
	return 0;
}

static void set_fetched(struct found *found, const char *how)
{
	snprintf(found->provenance.fetched, sizeof(found->provenance.fetched), "%s", how);
}

/* ---------------------------------------------------------------------- asking */

/* It becomes part of a path on a server. */
static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static int make_url(struct search *s)
{
	const char *base = s->options->url;
	size_t n = strlen(base);

	while (n && base[n - 1] == '/')
		n--;
	snprintf(s->url, sizeof(s->url), "%.*s", (int)n, base);
	if (!is_name(s->identity->build_id) || !is_name(s->identity->arch))
		return fail(s, -ENOENT,
			    "this kernel does not say its build-id: mount /sys, or add its row to "
			    "a database");
	if (snprintf(s->url, sizeof(s->url), "%.*s/v1/%s/%s.json", (int)n, base, s->identity->arch,
		     s->identity->build_id) >= (int)sizeof(s->url))
		return fail(s, -ENAMETOOLONG, "the address is too long: give a shorter one");
	return 0;
}

static int fail_asked(const struct search *s, int err, const char *why)
{
	if (s->files[ROW].status == 404)
		return fail(s, -ENOENT,
			    "it has no row for this kernel: add its vmlinux to the database with "
			    "`offsets-builder add`, and publish that");
	if (s->files[SIGNATURE].status == 404)
		return fail(s, -ENOENT,
			    "the row is not signed: publish it with `offsets-builder publish "
			    "--key`");
	return fail(s, err, "%s", why);
}

/* The answer is in s->files; the status of its first is 200 or, where etag is not "", 304. */
static int ask(struct search *s, const char *etag, int timeout_ms)
{
	const struct fetch_options options = {.ca = s->options->ca, .timeout_ms = timeout_ms};
	char minisig[URL_MAX + 16], why[FETCH_ERROR_MAX];
	int err;

	snprintf(minisig, sizeof(minisig), "%s.minisig", s->url);
	s->files[ROW] = (struct fetch_file){.url = s->url, .etag = etag, .max = OFFSETS_ROW_MAX};
	s->files[SIGNATURE] =
		(struct fetch_file){.url = minisig, .etag = "", .max = SIGNATURE_BYTES_MAX};
	err = fetch(&options, s->files, FILES, why, sizeof(why));
	s->files[ROW].url = s->files[SIGNATURE].url = NULL;
	if (err)
		return fail_asked(s, err, why);
	if (s->files[ROW].status == 304 && *etag)
		return 0;
	for (int i = 0; i < FILES; i++)
		if (s->files[i].status != 200)
			return fail(
				s, -EPROTO,
				"it answers with HTTP status %d: see if it is an offsets service",
				s->files[i].status);
	return 0;
}

static void now_text(char text[32])
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = 0;
}

/* That it can't be kept stops nothing, but is said. */
static void keep(const struct search *s, const struct offsets_cached *row)
{
	int err;

	if (s->dir < 0) /* said already */
		return;
	err = offsets_cache_write(s->dir, s->identity->build_id, row);
	if (err)
		snprintf(s->note, s->note_size,
			 "cannot keep the row in %s: %s: make room, or give --state-dir",
			 s->options->state_dir ? s->options->state_dir : CORMORANT_STATE_DIR,
			 strerror(-err));
}

static int take_new(const struct search *s)
{
	const struct fetch_file *row = &s->files[ROW], *signature = &s->files[SIGNATURE];
	struct offsets_cached new = {
		.row = row->bytes,
		.row_size = row->size,
		.signature = signature->bytes,
		.signature_size = signature->size,
	};
	char why[SIGNATURE_ERROR_MAX];
	struct found found;
	int err;

	memcpy(new.etag, row->new_etag, sizeof(new.etag));
	now_text(new.fetched_at);
	err = take(s, &new, &found, why);
	if (err)
		return fail(s, err, "%s", why);
	set_fetched(&found, "new");
	*s->found = found;
	keep(s, &new);
	return 0;
}

/* ------------------------------------------------------------------------- both */

/* The row of an earlier start, if it is good still; its entity tag, else "". */
static bool take_kept(const struct search *s, char etag[FETCH_ETAG_MAX])
{
	struct offsets_cached kept;
	char why[SIGNATURE_ERROR_MAX];
	bool good;

	*etag = 0;
	if (s->dir < 0 || offsets_cache_read(s->dir, s->identity->build_id, &kept))
		return false;
	good = !take(s, &kept, s->found, why);
	if (good)
		memcpy(etag, kept.etag, sizeof(kept.etag));
	offsets_cached_free(&kept);
	return good;
}

static int find(struct search *s)
{
	char etag[FETCH_ETAG_MAX];
	bool kept;
	int err = make_url(s);

	if (err)
		return err;
	kept = take_kept(s, etag);
	err = ask(s, etag, kept ? TIMEOUT_KEPT_MS : TIMEOUT_MS);
	if (!err && s->files[ROW].status == 304)
		set_fetched(s->found, "confirmed");
	else if (!err)
		err = take_new(s);
	if (err && kept)
		set_fetched(s->found, "kept");
	fetch_free(s->files, FILES);
	return kept ? 0 : err;
}

int offsets_fetch(const struct offsets_options *options, const struct kernel_identity *identity,
		  struct kernel_offsets *offsets, struct offsets_provenance *provenance, char *note,
		  size_t note_size)
{
	const char *path = options->state_dir ? options->state_dir : CORMORANT_STATE_DIR;
	struct found found = {0};
	struct search s = {
		.options = options,
		.identity = identity,
		.found = &found,
		.note = note,
		.note_size = note_size,
	};
	int err;

	*note = 0;
	s.dir = state_open(path, note, note_size);
	offsets_clear(&found.offsets);
	err = find(&s);
	if (s.dir >= 0)
		close(s.dir);
	if (err) {
		found = (struct found){0};
		offsets_clear(&found.offsets);
	}
	*offsets = found.offsets;
	*provenance = found.provenance;
	return err;
}
