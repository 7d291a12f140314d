// SPDX-License-Identifier: Apache-2.0
#include "db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"

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
	case SQLITE_ERROR:
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
		return error_set(
			error, -EBADMSG,
			"cannot %s %s: %s: see what `offsets-builder verify` says, or make "
			"it anew",
			what, db->path, why);
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

static int prepare(struct db *db, struct error *error, sqlite3_stmt **stmt, const char *sql,
		   const char *types, va_list args)
{
	int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, stmt, NULL);

	if (!rc)
		rc = bind(*stmt, types, args);
	return rc ? db_fail(db, rc, "use the database", error) : 0;
}

int db_query(struct db *db, struct error *error, sqlite3_stmt **stmt, const char *sql,
	     const char *types, ...)
{
	va_list args;
	int err;

	*stmt = NULL;
	va_start(args, types);
	err = prepare(db, error, stmt, sql, types, args);
	va_end(args);
	return err;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct error *error)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_fail(db, rc, "use the database", error);
}

const char *db_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return text ? (const char *)text : "";
}

int db_run(struct db *db, struct error *error, sqlite3_int64 *number, const char *sql,
	   const char *types, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list args;
	int err;

	va_start(args, types);
	err = prepare(db, error, &stmt, sql, types, args);
	va_end(args);
	if (!err)
		err = db_step(db, stmt, error);
	if (err == 1) {
		if (number)
			*number = sqlite3_column_int64(stmt, 0);
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

int db_begin(struct db *db, struct error *error)
{
	return db_run(db, error, NULL, "BEGIN IMMEDIATE", "");
}

int db_end(struct db *db, int err, struct error *error)
{
	if (!err && db->changed)
		err = db_run(db, error, NULL, "COMMIT", "");
	if (!sqlite3_get_autocommit(db->sqlite))
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	db->changed = false;
	return err;
}

/* ------------------------------------------------------------------------ open */

/* No view or trigger of the file may run, and no function that is not harmless. */
static int harden(struct db *db, struct error *error)
{
	static const struct {
		int option, value;
	} config[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},	     {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
		{SQLITE_DBCONFIG_ENABLE_FKEY, 1},
	};
	int rc = SQLITE_OK;

	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	for (size_t i = 0; !rc && i < sizeof(config) / sizeof(config[0]); i++)
		rc = sqlite3_db_config(db->sqlite, config[i].option, config[i].value, NULL);
	if (!rc)
		rc = sqlite3_exec(db->sqlite,
				  "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON", NULL,
				  NULL, NULL);
	return rc ? db_fail(db, rc, "open the database", error) : 0;
}

/* The temporary tables, see db_sql.h. */
static int list_members(struct db *db, struct error *error)
{
	static const char sql[] =
		"CREATE TEMP TABLE same (id INTEGER PRIMARY KEY);"
		"CREATE TEMP TABLE listed (struct TEXT NOT NULL, member TEXT NOT NULL, "
		"PRIMARY KEY (struct, member)) WITHOUT ROWID";
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
	int err = rc ? db_fail(db, rc, "open the database", error) : 0;

	if (!err)
		err = db_query(db, error, &stmt, "INSERT INTO temp.listed VALUES (?1 || ?2, ?3)",
			       "");
	for (size_t i = 0; !err && i < offset_item_count; i++) {
		const struct offset_item *item = &offset_items[i];
		const char *prefix = item->kind == OFFSET_OF_VALUE ? "enum " : "";

		sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, item->type, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 3, item->member, -1, SQLITE_STATIC);
		err = db_step(db, stmt, error);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return err;
}

/* -EBADMSG unless it is ours, of a version that is known; an empty one is version 0. */
static int schema_version(struct db *db, sqlite3_int64 *version, struct error *error)
{
	sqlite3_int64 id = 0, objects = 0;
	int err = db_run(db, error, &id, "PRAGMA application_id", "");

	if (!err)
		err = db_run(db, error, version, "PRAGMA user_version", "");
	if (!err)
		err = db_run(db, error, &objects, "SELECT count(*) FROM main.sqlite_master", "");
	if (err || (!id && !*version && !objects))
		return err;
	if (id != OFFSETS_APPLICATION_ID || *version < 1)
		return error_set(error, -EBADMSG,
				 "cannot use %s: it is a database of something else: give another "
				 "path",
				 db->path);
	if (*version > OFFSETS_SCHEMA_VERSION)
		return error_set(error, -EBADMSG,
				 "cannot use %s: its schema is number %lld, and this program knows "
				 "%d: use the offsets-builder that made it",
				 db->path, (long long)*version, OFFSETS_SCHEMA_VERSION);
	return 0;
}

/* Two builders may both find the file missing: the second one waits, and then finds it. */
static int bring_up_to_date(struct db *db, struct error *error)
{
	sqlite3_int64 version = 0;
	int err = db_begin(db, error);

	if (err)
		return err;
	err = schema_version(db, &version, error);
	if (!err && version < OFFSETS_SCHEMA_VERSION) {
		db->changed = true;
		err = db_migrate(db, version, error);
	}
	return db_end(db, err, error);
}

/* Opens a path as such: "file:x" is no URI here, and ":memory:" is a file. */
static int open_path(struct db *db, int flags, struct error *error)
{
	char *plain = NULL;
	struct stat st;
	int rc;

	/* SQLite would wait for a FIFO's other end. */
	if (!stat(db->path, &st) && !S_ISREG(st.st_mode))
		return error_set(error, -EINVAL,
				 "cannot open the database %s: it is not a file: give another path",
				 db->path);
	if (asprintf(&plain, "%s%s", *db->path == '/' ? "" : "./", db->path) < 0)
		return db_fail(db, SQLITE_NOMEM, "open the database", error);
	rc = sqlite3_open_v2(plain, &db->sqlite, flags, NULL);
	free(plain);
	return rc ? db_fail(db, rc, "open the database", error) : harden(db, error);
}

static struct db *new_db(const char *path, struct error *error)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db)
		db->path = strdup(path);
	if (db && db->path)
		return db;
	free(db);
	error_set(error, -ENOMEM, "cannot open %s: no memory: free some", path);
	return NULL;
}

static int hand_over(struct db *db, int err, struct db **db_out)
{
	if (err)
		db_close(db);
	else
		*db_out = db;
	return err;
}

int db_open(const char *path, struct db **db_out, struct error *error)
{
	struct db *db = new_db(path, error);
	int err;

	if (!db)
		return -ENOMEM;
	err = open_path(db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
	if (!err)
		err = bring_up_to_date(db, error);
	/* The sensor reads the file alone: nothing may wait in a -wal beside it. */
	if (!err)
		err = db_run(db, error, NULL, "PRAGMA journal_mode = DELETE", "");
	if (!err)
		err = list_members(db, error);
	return hand_over(db, err, db_out);
}

/* The connection becomes one to a copy in memory, which is then brought up to date. */
static int copy_to_memory(struct db *db, struct error *error)
{
	sqlite3 *file = db->sqlite;
	sqlite3_backup *backup;
	int rc = sqlite3_open_v2(":memory:", &db->sqlite, SQLITE_OPEN_READWRITE, NULL), err;

	backup = rc ? NULL : sqlite3_backup_init(db->sqlite, "main", file, "main");
	if (backup) {
		sqlite3_backup_step(backup, -1);
		sqlite3_backup_finish(backup);
	}
	if (!rc)
		rc = sqlite3_errcode(db->sqlite);
	err = rc ? db_fail(db, rc, "read the database", error) : harden(db, error);
	sqlite3_close(file);
	return err ? err : bring_up_to_date(db, error);
}

int db_open_read(const char *path, struct db **db_out, struct error *error)
{
	struct db *db = new_db(path, error);
	sqlite3_int64 version = 0;
	int err;

	if (!db)
		return -ENOMEM;
	/* A writer that was killed leaves a journal, which has to be rolled back to read. */
	err = open_path(db, SQLITE_OPEN_READWRITE, error);
	if (!err)
		err = schema_version(db, &version, error);
	if (!err && version < OFFSETS_SCHEMA_VERSION)
		err = copy_to_memory(db, error);
	if (!err)
		err = list_members(db, error);
	if (!err)
		err = db_run(db, error, NULL, "PRAGMA query_only = ON", "");
	return hand_over(db, err, db_out);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	sqlite3_close(db->sqlite);
	free(db->path);
	free(db);
}
