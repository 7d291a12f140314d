// SPDX-License-Identifier: Apache-2.0
#include "db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"
#include "offsets_sql.h" /* generated: data/offsets.sql as the string offsets_sql */
#include "version.h"

enum { BUSY_MS = 30000 };

/* ------------------------------------------------------------------ statements */

int db_fail(const struct db *db, int rc, const char *what, struct error *error)
{
	const char *why = db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return error_set(error, -EBADMSG, "cannot %s %s: %s: give another path", what,
				 db->path, why);
	case SQLITE_BUSY:
		return error_set(error, -EBUSY,
				 "cannot %s %s: %s: wait until nobody else writes it", what,
				 db->path, why);
	default:
		return error_set(error, -EIO,
				 "cannot %s %s: %s: check its path, its permissions and the space "
				 "on its file system",
				 what, db->path, why);
	}
}

/* One argument a letter: t a string, NULL where it is empty; i a number of 64 bits. */
static int bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
	int rc = SQLITE_OK;

	for (int i = 0; !rc && types[i]; i++) {
		if (types[i] == 'i') {
			rc = sqlite3_bind_int64(stmt, i + 1, va_arg(args, sqlite3_int64));
		} else {
			const char *text = va_arg(args, const char *);

			/* What is bound to nothing is NULL. */
			if (text && *text)
				rc = sqlite3_bind_text(stmt, i + 1, text, -1, SQLITE_STATIC);
		}
	}
	return rc;
}

int db_run(struct db *db, struct error *error, sqlite3_int64 *number, const char *sql,
	       const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list args;
	int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL), err = 0;

	va_start(args, types);
	if (!rc)
		rc = bind(stmt, types, args);
	va_end(args);
	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && number)
		*number = sqlite3_column_int64(stmt, 0);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = db_fail(db, rc, "write the database", error);
	sqlite3_finalize(stmt);
	return err;
}

/* ------------------------------------------------------------------------ open */

int db_end(struct db *db, int err, struct error *error)
{
	if (!err)
		err = db_run(db, error, NULL, "COMMIT", "");
	if (err && !sqlite3_get_autocommit(db->sqlite))
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int create_schema(struct db *db, struct error *error)
{
	int rc = sqlite3_exec(db->sqlite, offsets_sql, NULL, NULL, NULL);

	return rc ? db_fail(db, rc, "create the database", error) : 0;
}

static int check_schema(struct db *db, struct error *error)
{
	sqlite3_int64 id = 0, version = 0, objects = 0;
	int err = db_run(db, error, &id, "PRAGMA application_id", "");

	if (!err)
		err = db_run(db, error, &version, "PRAGMA user_version", "");
	if (!err)
		err = db_run(db, error, &objects, "SELECT count(*) FROM sqlite_master", "");
	if (err)
		return err;
	if (!id && !version && !objects)
		return create_schema(db, error);
	if (id != OFFSETS_APPLICATION_ID)
		return error_set(error, -EBADMSG,
				 "cannot use %s: it is a database of something else: give another "
				 "path",
				 db->path);
	if (version != OFFSETS_SCHEMA_VERSION)
		return error_set(
			error, -EBADMSG,
			"cannot use %s: its schema is number %lld, and this program writes "
			"%d: use the offsets-builder that made it, or make it anew",
			db->path, (long long)version, OFFSETS_SCHEMA_VERSION);
	return 0;
}

/* Two builders may both find the file missing: the second one waits, and then finds it. */
static int prepare(struct db *db, struct error *error)
{
	int err;

	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	err = db_run(db, error, NULL, "BEGIN IMMEDIATE", "");
	if (!err)
		err = db_end(db, check_schema(db, error), error);
	/* The sensor reads the file alone: nothing may wait in a -wal beside it. */
	return err ? err : db_run(db, error, NULL, "PRAGMA journal_mode = DELETE", "");
}

/* Opens a path as such: "file:x" is no URI here, and ":memory:" is a file. */
static int open_path(struct db *db)
{
	char *plain = NULL;
	int rc;

	if (asprintf(&plain, "%s%s", *db->path == '/' ? "" : "./", db->path) < 0)
		return SQLITE_NOMEM;
	rc = sqlite3_open_v2(plain, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	free(plain);
	return rc;
}

int db_open(const char *path, struct db **db_out, struct error *error)
{
	struct db *db = calloc(1, sizeof(*db));
	int rc, err;

	if (db)
		db->path = strdup(path);
	if (!db || !db->path) {
		free(db);
		return error_set(error, -ENOMEM, "cannot open %s: no memory: free some", path);
	}
	rc = open_path(db);
	err = rc ? db_fail(db, rc, "open the database", error) : prepare(db, error);
	if (err)
		db_close(db);
	else
		*db_out = db;
	return err;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	sqlite3_close(db->sqlite);
	free(db->path);
	free(db);
}

/* ------------------------------------------------------------------------- add */

/* RFC 3339, UTC. SOURCE_DATE_EPOCH, seconds since 1970, is for builds that must not differ. */
static void now_text(char text[32])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t now = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = 0;
}

static int add_fields(struct db *db, sqlite3_int64 id, const struct layout *layout,
		      struct error *error)
{
	int err = 0;

	/* A struct's size has the member '', which must not become NULL. */
	for (size_t i = 0; !err && i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		err = db_run(db, error, NULL,
			  "INSERT INTO layout_field (layout_id, struct, member, offset, size, "
			  "bit_shift) VALUES (?1, ?2, coalesce(?3, ''), ?4, ?5, ?6)",
			  "ittiii", id, field->type, field->member, (sqlite3_int64)field->offset,
			  (sqlite3_int64)field->size, (sqlite3_int64)field->bit_shift);
	}
	return err;
}

/* The layout's id; it is stored if it is new. */
static int layout_id(struct db *db, const struct layout *layout, sqlite3_int64 *id,
		     struct error *error)
{
	int err;

	*id = 0;
	err = db_run(db, error, id, "SELECT id FROM layout WHERE sha256 = ?1", "t", layout->sha256);
	if (err || *id)
		return err;
	err = db_run(db, error, NULL, "INSERT INTO layout (sha256) VALUES (?1)", "t", layout->sha256);
	*id = sqlite3_last_insert_rowid(db->sqlite);
	return err ? err : add_fields(db, *id, layout, error);
}

/* The kernel's row, 0 if there is none: its build-id's, or one that still has no build-id. */
static int kernel_id(struct db *db, const struct kernel_identity *identity, sqlite3_int64 *id,
		     struct error *error)
{
	int err = 0;

	*id = 0;
	if (*identity->build_id)
		err = db_run(db, error, id, "SELECT id FROM kernel WHERE build_id = ?1", "t",
			  identity->build_id);
	if (err || *id)
		return err;
	return db_run(db, error, id,
		   "SELECT id FROM kernel WHERE build_id IS NULL AND arch = ?1 AND release = ?2 "
		   "AND version = ?3",
		   "ttt", identity->arch, identity->release, identity->version);
}

/* What is known now comes first, what was known before stays; nothing new writes nothing. */
static const char update_sql[] =
	"UPDATE kernel SET build_id = coalesce(?2, build_id), arch = coalesce(?3, arch), "
	"release = coalesce(?4, release), version = coalesce(?5, version), "
	"distro = coalesce(?6, distro), source = ?7, sha256 = ?8, built_at = ?9, layout_id = ?10 "
	"WHERE id = ?1 AND (layout_id <> ?10 OR build_id IS NOT coalesce(?2, build_id) "
	"OR arch IS NOT coalesce(?3, arch) OR release IS NOT coalesce(?4, release) "
	"OR version IS NOT coalesce(?5, version) OR distro IS NOT coalesce(?6, distro))";

static const char insert_sql[] =
	"INSERT INTO kernel (id, build_id, arch, release, version, distro, source, sha256, "
	"built_at, layout_id) VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

static int put_kernel(struct db *db, const struct db_kernel *kernel, sqlite3_int64 layout,
		      enum db_outcome *outcome, struct error *error)
{
	const struct kernel_identity *identity = &kernel->identity;
	sqlite3_int64 id;
	char now[32];
	int err = kernel_id(db, identity, &id, error);

	if (err)
		return err;
	now_text(now);
	err = db_run(db, error, NULL, id ? update_sql : insert_sql, "itttttttti", id,
		  identity->build_id, identity->arch, identity->release, identity->version,
		  kernel->distro, kernel->source, kernel->sha256, now, layout);
	if (!err && !id)
		*outcome = DB_ADDED;
	else if (!err)
		*outcome = sqlite3_changes(db->sqlite) ? DB_UPDATED : DB_UNCHANGED;
	return err;
}

static int put_meta(struct db *db, const char *key, const char *value, struct error *error)
{
	return db_run(db, error, NULL, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
		   "tt", key, value);
}

/* After a change: layouts that nobody has any more go, and meta says who wrote last. */
static int tidy(struct db *db, struct error *error)
{
	char now[32], version[16];
	int err = db_run(db, error, NULL,
		      "DELETE FROM layout WHERE NOT EXISTS "
		      "(SELECT 1 FROM kernel WHERE kernel.layout_id = layout.id)",
		      "");

	now_text(now);
	snprintf(version, sizeof(version), "%d", OFFSETS_SCHEMA_VERSION);
	if (!err)
		err = put_meta(db, "schema_version", version, error);
	if (!err)
		err = put_meta(db, "built_at", now, error);
	return err ? err :
		     put_meta(db, "tool_version", "offsets-builder " CORMORANT_VERSION, error);
}

int db_add(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error)
{
	sqlite3_int64 id = 0;
	int err = db_run(db, error, NULL, "BEGIN IMMEDIATE", "");

	if (err)
		return err;
	err = layout_id(db, layout, &id, error);
	if (!err)
		err = put_kernel(db, kernel, id, outcome, error);
	if (!err && *outcome != DB_UNCHANGED)
		err = tidy(db, error);
	return db_end(db, err, error);
}
