/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that work on the offsets database share: its handle and its statements. */
#ifndef BUILDER_DB_SQL_H
#define BUILDER_DB_SQL_H

#include <sqlite3.h>

#include "db.h"

struct db {
	sqlite3 *sqlite;
	char *path; /* as it was given, for errors */
};

/* Turns SQLite's rc into "cannot WHAT PATH: why: what to do" and a negative errno. */
int db_fail(const struct db *db, int rc, const char *what, struct error *error);

/*
 * Runs one statement to its first row or its end. number, if not NULL, is its first
 * column: left alone where there is no row. types has a letter for each argument: t a
 * string, NULL where it is empty; i an sqlite3_int64. Returns 0 or a negative errno.
 */
int db_run(struct db *db, struct error *error, sqlite3_int64 *number, const char *sql,
	   const char *types, ...);

/* Ends the transaction that "BEGIN IMMEDIATE" began: all of it if err is 0, else nothing. */
int db_end(struct db *db, int err, struct error *error);

#endif
