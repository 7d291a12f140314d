// SPDX-License-Identifier: Apache-2.0
#include "offsets_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <elf.h>
#include <sqlite3.h>

#include "cormorant/offsets_schema.h"
#include "file.h"

/*
 * A look-up takes some 2,000 of SQLite's instructions; a database made to keep the sensor
 * busy is given up on after a tenth of a second or so.
 */
enum { STEPS_MAX = 1000000, LENGTH_MAX = 1 << 20, NOTES_MAX = 64 << 10, HEAD_BYTES = 100 };

/* 10 ms apart: a transaction of offsets-builder takes less. */
enum { BUSY_TRIES = 10 };

/* A signed database is read into memory; that of all of Debian's kernels has some 3 MB. */
enum { SIGNED_MAX = 64 << 20 };

/* ------------------------------------------------------------------- identity */

static size_t note_padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static void hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = 0;
}

void build_id_from_notes(const void *notes, size_t notes_size, char *build_id, size_t size)
{
	const unsigned char *at = notes;
	size_t left = notes_size;

	*build_id = 0;
	while (left >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note; /* 32-bit ELF has the same */
		size_t desc_at;

		memcpy(&note, at, sizeof(note));
		desc_at = sizeof(note) + note_padded(note.n_namesz);
		if (note.n_namesz > left || desc_at > left || note.n_descsz > left - desc_at)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    !memcmp(at + sizeof(note), "GNU", sizeof("GNU"))) {
			if (note.n_descsz < size / 2)
				hex(at + desc_at, note.n_descsz, build_id);
			return;
		}
		desc_at += note_padded(note.n_descsz);
		if (desc_at > left)
			return;
		at += desc_at;
		left -= desc_at;
	}
}

static size_t read_notes(char *notes, size_t size)
{
	int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = fd < 0 ? 0 : 1;

	while (n > 0 && len < size) {
		n = read(fd, notes + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	return len;
}

/* Half a name is no identity: one that does not fit is unknown. */
static void copy_whole(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	memcpy(out, text, len < size ? len + 1 : 0);
}

void kernel_identity_read(struct kernel_identity *identity)
{
	struct utsname uts = {0};
	char *notes = malloc(NOTES_MAX);

	*identity = (struct kernel_identity){0};
	uname(&uts);
	copy_whole(identity->arch, sizeof(identity->arch), uts.machine);
	copy_whole(identity->release, sizeof(identity->release), uts.release);
	copy_whole(identity->version, sizeof(identity->version), uts.version);
	if (notes)
		build_id_from_notes(notes, read_notes(notes, NOTES_MAX), identity->build_id,
				    sizeof(identity->build_id));
	free(notes);
}

/* --------------------------------------------------------------------- errors */

struct reader {
	const char *path;
	sqlite3 *db;
	char *bytes; /* of a signed database, all there is; db reads them */
	size_t size;
	struct stat st; /* of the file, and its first bytes, before it is read */
	unsigned char head[HEAD_BYTES];
	char *error;
	size_t error_size;
};

static int fail(const struct reader *r, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* why: what to do */
static int fail(const struct reader *r, int err, const char *format, ...)
{
	va_list args;
	int n = snprintf(r->error, r->error_size, "cannot use the offsets database %s: ", r->path);

	if (n < 0 || (size_t)n >= r->error_size)
		return err;
	va_start(args, format);
	vsnprintf(r->error + n, r->error_size - n, format, args);
	va_end(args);
	return err;
}

static int fail_damaged(const struct reader *r, const char *why)
{
	return fail(r, -EBADMSG, "%s: replace it, or make it anew with offsets-builder", why);
}

/* What SQLite said. Errors of its SQL are a schema that is not ours. */
static int fail_sqlite(const struct reader *r, int rc)
{
	const char *why = r->db ? sqlite3_errmsg(r->db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_NOMEM: return fail(r, -ENOMEM, "%s: free memory", why);
	case SQLITE_IOERR: return fail(r, -EIO, "%s: check the file system", why);
	case SQLITE_CANTOPEN: return fail(r, -EIO, "%s: give a path of at most 500 bytes", why);
	case SQLITE_INTERRUPT: return fail_damaged(r, "reading it takes too long");
	default: return fail_damaged(r, why);
	}
}

/* ----------------------------------------------------------------------- open */

static uint32_t big_endian(const unsigned char *at, int bytes)
{
	uint32_t n = 0;

	for (int i = 0; i < bytes; i++)
		n = n << 8 | at[i];
	return n;
}

/*
 * The pages that the file's head counts are there: SQLite fills up a last page that is cut
 * off with zeroes. Writers older than 3.7 leave the count alone, and the two counters then
 * differ.
 */
static bool is_whole(const unsigned char *head, off_t size)
{
	uint32_t page_size = big_endian(head + 16, 2);

	if (memcmp(head + 24, head + 92, 4))
		return true;
	return size >= (off_t)big_endian(head + 28, 4) * (page_size == 1 ? 65536 : page_size);
}

/* It is there, whole, and a file that can be read. */
static int check_file(struct reader *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 || fstat(fd, &r->st) ? -errno : 0;

	if (!err && !S_ISREG(r->st.st_mode))
		err = S_ISDIR(r->st.st_mode) ? -EISDIR : -EINVAL;
	if (err == -ENOENT)
		fail(r, err, "there is none: make it with offsets-builder, or give its path");
	else if (err)
		fail(r, err, "%s: give the path of a file that can be read",
		     err == -EINVAL ? "not a file" : strerror(-err));
	else if (pread(fd, r->head, HEAD_BYTES, 0) != HEAD_BYTES ||
		 !is_whole(r->head, r->st.st_size))
		err = fail_damaged(r, r->st.st_size ? "it is not a database, or cut short" :
						      "it is empty");
	if (fd >= 0)
		close(fd);
	return err;
}

/* A file beside it that begins with something: SQLite zeroes or removes what is done with. */
static bool has_beside(const struct reader *r, const char *suffix)
{
	char *name = NULL, first = 0;
	bool has;
	int fd;

	if (asprintf(&name, "%s%s", r->path, suffix) < 0)
		return false;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	has = fd >= 0 && read(fd, &first, 1) == 1 && first;
	if (fd >= 0)
		close(fd);
	free(name);
	return has;
}

/* As immutable the file is read as it is: half a transaction would be read, too. */
static int check_finished(const struct reader *r)
{
	if (has_beside(r, "-journal") || has_beside(r, "-wal"))
		return fail(r, -EBUSY,
			    "it is being written, or its writer was stopped half-way: wait, or "
			    "run the same `offsets-builder add` again");
	return 0;
}

/*
 * After it was read: nobody has written it meanwhile. A writer has a journal while it writes
 * pages, and each of its transactions counts up a number in the file's head.
 */
static int check_unchanged(const struct reader *r)
{
	struct reader now = {.path = r->path, .error = r->error, .error_size = r->error_size};
	int err = check_file(&now);

	if (!err && (now.st.st_dev != r->st.st_dev || now.st.st_ino != r->st.st_ino ||
		     now.st.st_size != r->st.st_size || memcmp(now.head, r->head, HEAD_BYTES)))
		err = fail(r, -EBUSY, "it was written while it was read: start again");
	return err ? err : check_finished(r);
}

/*
 * file: URI of a path. immutable keeps SQLite from looking for files beside it and from
 * locks, which a read-only file system has no place for. NULL: no memory.
 */
static char *immutable_uri(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";
	static const char query[] = "?mode=ro&immutable=1";
	char *uri = malloc(sizeof("file://") + 3 * strlen(path) + sizeof(query)), *at;

	if (!uri)
		return NULL;
	/* A path may begin with two slashes, or be ":memory:". */
	at = stpcpy(uri, *path == '/' ? "file://" : "file:./");
	for (; *path; path++) {
		if (strchr(plain, *path))
			*at++ = *path;
		else
			at += sprintf(at, "%%%02X", (unsigned char)*path);
	}
	strcpy(at, query);
	return uri;
}

static int give_up(void *arg)
{
	(void)arg;
	return 1;
}

/* No view or trigger of the file may run, and no function that is not harmless. */
static int harden(const struct reader *r)
{
	static const struct {
		int option, value;
	} config[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},	     {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
		{SQLITE_DBCONFIG_ENABLE_FKEY, 0},
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; !rc && i < sizeof(config) / sizeof(config[0]); i++)
		rc = sqlite3_db_config(r->db, config[i].option, config[i].value, NULL);
	sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	sqlite3_progress_handler(r->db, STEPS_MAX, give_up, NULL);
	if (!rc)
		rc = sqlite3_exec(r->db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
	return rc ? fail_sqlite(r, rc) : 0;
}

static int open_database(struct reader *r)
{
	char *uri = immutable_uri(r->path);
	int rc;

	if (!uri)
		return fail(r, -ENOMEM, "no memory: free some");
	rc = sqlite3_open_v2(uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	free(uri);
	return rc ? fail_sqlite(r, rc) : harden(r);
}

/*
 * The file is read once, so that nobody can change it between the check and the look-up.
 * The bytes are the caller's to free when the database is closed.
 */
static int open_signed(struct reader *r, const struct signature_keys *keys,
		       char id[SIGNATURE_ID_TEXT])
{
	char why[2 * SIGNATURE_ERROR_MAX];
	int rc, err = file_read(AT_FDCWD, r->path, SIGNED_MAX, &r->bytes, &r->size);

	if (err)
		return fail(r, err, "%s: free memory, or give the path of another", strerror(-err));
	err = signature_check_beside(keys, r->path, r->bytes, r->size, id, why, sizeof(why));
	if (err)
		return fail(r, err, "%s", why);
	rc = sqlite3_open_v2(":memory:", &r->db, SQLITE_OPEN_READWRITE, NULL);
	if (!rc)
		rc = sqlite3_deserialize(r->db, "main", (unsigned char *)r->bytes,
					 (sqlite3_int64)r->size, (sqlite3_int64)r->size,
					 SQLITE_DESERIALIZE_READONLY);
	return rc ? fail_sqlite(r, rc) : harden(r);
}

/* ----------------------------------------------------------------------- read */

static int one_number(const struct reader *r, const char *sql, sqlite3_int64 *number)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL);

	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*number = sqlite3_column_int64(stmt, 0);
	rc = rc == SQLITE_ROW ? 0 : fail_sqlite(r, rc);
	sqlite3_finalize(stmt);
	return rc;
}

/* The file says that it is ours, of a version known here, and its tables are tables. */
static int check_schema(const struct reader *r)
{
	static const char tables_sql[] =
		"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
		"AND name IN ('kernel', 'layout_field')";
	sqlite3_int64 id = 0, version = 0, tables = 0;
	int err = one_number(r, "PRAGMA application_id", &id);

	if (!err && id != OFFSETS_APPLICATION_ID)
		return fail_damaged(r, "it is a database of something else");
	if (!err)
		err = one_number(r, "PRAGMA user_version", &version);
	if (!err && version > OFFSETS_SCHEMA_VERSION)
		return fail(
			r, -EBADMSG,
			"its schema is number %lld, and this program knows %d: update cormorant",
			(long long)version, OFFSETS_SCHEMA_VERSION);
	if (!err && version < OFFSETS_SCHEMA_OLDEST)
		return fail_damaged(r, "it has no schema version");
	if (!err)
		err = one_number(r, tables_sql, &tables);
	if (!err && tables != 2)
		return fail_damaged(r, "it lacks a table");
	return err;
}

static void copy_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

#define ROW                                                                                        \
	"SELECT layout_id, distro, source, package, package_sha256, built_at, source_verified "    \
	"FROM kernel WHERE "

/* Ways to find a kernel, best first. A row with another build-id is another kernel. */
static const struct way {
	const char *name, *sql;
	bool needs_build_id, needs_version, only_one;
} ways[] = {
	{"build_id", ROW "build_id = ?1 LIMIT 64", true, false, false},
	{"version",
	 ROW "release = ?3 AND version = ?4 AND arch = ?2 AND (build_id IS NULL OR ?1 = '') "
	     "LIMIT 64",
	 false, true, false},
	/* Whatever else bears the release says that there is more than one such kernel. */
	{"release",
	 ROW "release = ?3 AND arch = ?2 AND NOT EXISTS (SELECT 1 FROM kernel o WHERE "
	     "o.release = ?3 AND o.arch = ?2 AND (o.build_id IS NOT NULL OR o.version IS NOT "
	     "NULL)) LIMIT 64",
	 false, false, true},
};

static bool way_open(const struct way *way, const struct kernel_identity *identity)
{
	if (way->needs_build_id)
		return *identity->build_id;
	return *identity->arch && *identity->release && (*identity->version || !way->needs_version);
}

static int bind_identity(sqlite3_stmt *stmt, const struct kernel_identity *identity)
{
	const char *const values[] = {identity->build_id, identity->arch, identity->release,
				      identity->version};
	int rc = SQLITE_OK;

	for (int i = 0; !rc && i < sqlite3_bind_parameter_count(stmt); i++)
		rc = sqlite3_bind_text(stmt, i + 1, values[i], -1, SQLITE_STATIC);
	return rc;
}

/* One row of the kernel; several may name the same layout, and only that. */
static int take_row(const struct reader *r, sqlite3_stmt *stmt, bool first, sqlite3_int64 *layout,
		    struct offsets_provenance *provenance)
{
	sqlite3_int64 id;

	if (sqlite3_column_type(stmt, 0) != SQLITE_INTEGER)
		return fail_damaged(r, "this kernel's row has no layout");
	id = sqlite3_column_int64(stmt, 0);
	if (!first)
		return id == *layout ? 0 : fail_damaged(r, "it has two layouts for this kernel");
	*layout = id;
	copy_text(stmt, 1, provenance->distro, sizeof(provenance->distro));
	copy_text(stmt, 2, provenance->source, sizeof(provenance->source));
	copy_text(stmt, 3, provenance->package, sizeof(provenance->package));
	copy_text(stmt, 4, provenance->package_sha256, sizeof(provenance->package_sha256));
	copy_text(stmt, 5, provenance->built_at, sizeof(provenance->built_at));
	provenance->source_verified = sqlite3_column_int(stmt, 6) == 1;
	return 0;
}

/* Returns how many rows the way has found. */
static int try_way(const struct reader *r, const struct way *way,
		   const struct kernel_identity *identity, sqlite3_int64 *layout,
		   struct offsets_provenance *provenance)
{
	sqlite3_stmt *stmt = NULL;
	int rows = 0, err = 0;
	int rc = sqlite3_prepare_v2(r->db, way->sql, -1, &stmt, NULL);

	if (!rc)
		rc = bind_identity(stmt, identity);
	while (!rc && !err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		err = take_row(r, stmt, !rows++, layout, provenance);
		rc = SQLITE_OK;
	}
	if (!err && rc != SQLITE_DONE)
		err = fail_sqlite(r, rc);
	sqlite3_finalize(stmt);
	if (!err && way->only_one && rows > 1)
		err = fail(
			r, -ENOENT,
			"%d rows bear this kernel's release (%s %s), and none says which build it "
			"is of: add one with `offsets-builder add --build-id`",
			rows, identity->arch, identity->release);
	return err ? err : rows;
}

static int find_kernel(const struct reader *r, const struct kernel_identity *identity,
		       sqlite3_int64 *layout, struct offsets_provenance *provenance)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int rows = way_open(&ways[i], identity) ?
				   try_way(r, &ways[i], identity, layout, provenance) :
				   0;

		if (rows > 0)
			snprintf(provenance->matched_by, sizeof(provenance->matched_by), "%s",
				 ways[i].name);
		if (rows)
			return rows < 0 ? rows : 0;
	}
	return fail(
		r, -ENOENT,
		"no row for this kernel (%s %s %s, build-id %s): add its vmlinux or its package "
		"with `offsets-builder add`",
		identity->arch, identity->release, identity->version,
		*identity->build_id ? identity->build_id : "unknown");
}

/* A row's number, -1 if it is none or no size or offset. */
static long small_number(sqlite3_stmt *stmt, int column)
{
	sqlite3_int64 number;

	if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER)
		return -1;
	number = sqlite3_column_int64(stmt, column);
	return number < 0 || number > INT32_MAX ? -1 : (long)number;
}

/*
 * A row without names is passed over, and so is one of something that is not known here. One
 * without numbers says that the kernel lacks it.
 */
static int take_field(const struct reader *r, sqlite3_stmt *stmt, struct kernel_offsets *offsets,
		      bool *seen)
{
	const struct offset_field field = {
		.type = (const char *)sqlite3_column_text(stmt, 0),
		.member = (const char *)sqlite3_column_text(stmt, 1),
		.offset = small_number(stmt, 2),
		.size = small_number(stmt, 3),
		.bit_shift = small_number(stmt, 4),
	};

	const struct offset_item *item;

	if (!field.type || !field.member)
		return 0;
	item = offset_item_named(field.type, field.member);
	if (item)
		seen[item - offset_items] = true;
	return offsets_take(offsets, &field) ? fail_damaged(r, "its layout contradicts itself") : 0;
}

static int read_layout(const struct reader *r, sqlite3_int64 layout, struct kernel_offsets *offsets,
		       struct offsets_provenance *provenance)
{
	static const char sql[] = "SELECT struct, member, offset, size, bit_shift "
				  "FROM layout_field WHERE layout_id = ?1 LIMIT 4096";
	bool seen[sizeof(struct kernel_offsets) / sizeof(uint16_t)] = {false};
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL), err = 0;

	if (!rc)
		rc = sqlite3_bind_int64(stmt, 1, layout);
	while (!rc && !err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		err = take_field(r, stmt, offsets, seen);
		rc = SQLITE_OK;
	}
	if (!err && rc != SQLITE_DONE)
		err = fail_sqlite(r, rc);
	sqlite3_finalize(stmt);
	if (!err && offsets_empty(offsets))
		err = fail_damaged(r, "this kernel's layout is empty");
	offsets_name_unseen(seen, provenance->not_looked_for, sizeof(provenance->not_looked_for));
	return err;
}

static int find_once(const char *path, const struct signature_keys *keys,
		     const struct kernel_identity *identity, struct kernel_offsets *offsets,
		     struct offsets_provenance *provenance, char *error, size_t error_size)
{
	struct reader r = {.path = path, .error = error, .error_size = error_size};
	sqlite3_int64 layout = 0;
	int err = check_file(&r);

	*provenance = (struct offsets_provenance){0};
	offsets_clear(offsets);
	if (err)
		return err;
	err = check_finished(&r);
	if (!err)
		err = keys ? open_signed(&r, keys, provenance->signed_by) : open_database(&r);
	if (!err)
		err = check_schema(&r);
	if (!err)
		err = find_kernel(&r, identity, &layout, provenance);
	if (!err)
		err = read_layout(&r, layout, offsets, provenance);
	sqlite3_close(r.db);
	free(r.bytes);
	/* Whatever was found in a file that was being written; signed bytes are as they were. */
	if (err != -EBUSY && !keys && check_unchanged(&r))
		err = -EBUSY;
	return err;
}

int offsets_db_find(const char *path, const struct signature_keys *keys,
		    const struct kernel_identity *identity, struct kernel_offsets *offsets,
		    struct offsets_provenance *provenance, char *error, size_t error_size)
{
	static const struct timespec pause = {.tv_nsec = 10000000};
	int err;

	for (int i = 0;; i++) {
		err = find_once(path, keys, identity, offsets, provenance, error, error_size);
		if (err != -EBUSY || i == BUSY_TRIES)
			break;
		nanosleep(&pause, NULL);
	}
	if (err) {
		*provenance = (struct offsets_provenance){0};
		offsets_clear(offsets);
	}
	return err;
}
