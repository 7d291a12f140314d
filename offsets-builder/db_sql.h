/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that work on the offsets database share: its handle and its statements. */
#ifndef BUILDER_DB_SQL_H
#define BUILDER_DB_SQL_H

#include <sqlite3.h>

#include "db.h"

/*
 * Every connection has two temporary tables: `listed (struct, member)`, the members of this
 * program's list as layout_field names them, and `same (id)`, which is db_put's.
 */
struct db {
	sqlite3 *sqlite;
	char *path;   /* as it was given, for errors */
	bool changed; /* in this transaction */
};

/* How many members of this program's list a layout says something of. */
#define DB_COVERAGE(layout_id)                                                                     \
	"(SELECT count(*) FROM layout_field JOIN temp.listed USING (struct, member) "              \
	"WHERE layout_field.layout_id = " layout_id ")"

/* True of a row k if another row of the same kernel, see db.h, has another layout. */
#define DB_CONFLICT_OF(k)                                                                          \
	"EXISTS (SELECT 1 FROM kernel o WHERE o.layout_id <> " k ".layout_id AND "                 \
	"(o.build_id = " k ".build_id OR "                                                         \
	"((o.build_id IS NULL OR " k ".build_id IS NULL) AND o.release = " k ".release AND "       \
	"o.arch = " k ".arch AND (o.version = " k ".version OR "                                   \
	"(o.version IS NULL AND " k ".version IS NULL AND o.build_id IS NULL AND " k               \
	".build_id IS NULL AND o.sha256 IS " k ".sha256)))))"

/* Turns SQLite's rc into "cannot WHAT PATH: why: what to do" and a negative errno. */
int db_fail(const struct db *db, int rc, const char *what, struct error *error);

/*
 * Runs one statement to its first row or its end. number, if not NULL, is its first
 * column: left alone where there is no row. types has a letter for each argument: t a
 * string, NULL where it is empty; i an sqlite3_int64. Returns 0 or a negative errno.
 */
int db_run(struct db *db, struct error *error, sqlite3_int64 *number, const char *sql,
	   const char *types, ...);
/* The same up to its first row; stmt is for sqlite3_finalize, also after an error. */
int db_query(struct db *db, struct error *error, sqlite3_stmt **stmt, const char *sql,
	     const char *types, ...);
/* 1: a row, 0: there are no more, else a negative errno. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct error *error);
/* A column; "" where it is NULL. Valid until the next step. */
const char *db_text(sqlite3_stmt *stmt, int column);

int db_begin(struct db *db, struct error *error);
/*
 * Ends the transaction that db_begin began: all of it if err is 0, else nothing. One that has
 * changed nothing leaves the file as it was, byte for byte.
 */
int db_end(struct db *db, int err, struct error *error);

/* db_migrate.c: from an empty or an older database to this one; within a transaction. */
int db_migrate(struct db *db, sqlite3_int64 version, struct error *error);

/* db_check.c: -EINVAL if it is not well-formed, see db.h and data/offsets.sql. */
int db_check_kernel(const struct db_kernel *kernel, struct error *error);
int db_check_layout(const struct layout *layout, struct error *error);
int db_check_crawled(const struct db_crawled *crawled, struct error *error);

/* db_put.c: within a transaction; db_tidy comes last. */
int db_put(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error);
/* The layout's id; it is stored if it is new, and goes with db_tidy if no kernel has it. */
int db_put_layout(struct db *db, const struct layout *layout, sqlite3_int64 *id,
		  struct error *error);
int db_put_crawled(struct db *db, const struct db_crawled *crawled, struct error *error);
/* After changes: layouts that nobody has any more go, and meta says who wrote last. */
int db_tidy(struct db *db, struct error *error);

/* db_read.c, db_crawl.c: -EBADMSG or -EINVAL if it is damaged. */
int db_read_layout(struct db *db, sqlite3_int64 id, struct layout *layout, struct error *error);
/* As db_each_kernel, of one; fn is not called if there is none. */
int db_read_kernel(struct db *db, sqlite3_int64 id,
		   int (*fn)(void *arg, const struct db_row *row, struct error *error), void *arg,
		   struct error *error);
/* A row of package_sha256, package, build_id, why and, if it is asked for, implied. */
int db_take_crawled(sqlite3_stmt *stmt, struct db_crawled *crawled, struct error *error);

#endif
