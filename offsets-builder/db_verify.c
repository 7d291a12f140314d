// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"
#include "offsets_sql.h"

struct verify {
	struct db *db;
	void (*fault)(void *arg, const char *what);
	void *arg;
	int faults;
	const char *of; /* before what layout_check says */
	struct error *error;
};

static void fault(struct verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct verify *v, const char *format, ...)
{
	char what[1400];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	v->faults++;
	v->fault(v->arg, what);
}

/*
 * Every row of a query is a fault: its first column in what, a format with one %s. Returns 0
 * or a negative errno.
 */
static int each_is_a_fault(struct verify *v, const char *sql, const char *what)
{
	sqlite3_stmt *stmt;
	int err = db_query(v->db, v->error, &stmt, sql, "");

	while (!err && (err = db_step(v->db, stmt, v->error)) == 1) {
		char text[1400];
		const char *at = strstr(what, "%s");

		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - what), what, db_text(stmt, 0),
			 at + 2);
		fault(v, "%s", text);
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

/* --------------------------------------------------------------------------- file */

static int check_file(struct verify *v)
{
	int err = each_is_a_fault(v,
				  "SELECT integrity_check FROM pragma_integrity_check(50) "
				  "WHERE integrity_check <> 'ok'",
				  "the file is damaged: %s");

	return err ? err :
		     each_is_a_fault(v,
				     "SELECT \"table\" || ' ' || coalesce(rowid, '') || ' of ' || "
				     "parent FROM pragma_foreign_key_check",
				     "a row has nothing to belong to: %s");
}

/* Columns and indexes that data/offsets.sql has; what is there besides is ignored, as always. */
static const char columns_sql[] =
	"SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk "
	"FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' UNION ALL "
	"SELECT 'the index ' || i.name || ' on ' || i.tbl_name || ' (' || "
	"(SELECT group_concat(name) FROM pragma_index_info(i.name)) || ')' "
	"FROM sqlite_master i WHERE i.type = 'index' AND i.sql IS NOT NULL";

static int check_column(struct verify *v, const char *column)
{
	sqlite3_int64 there = 0;
	char sql[sizeof(columns_sql) + 64];
	int err;

	snprintf(sql, sizeof(sql),
		 "WITH has (what) AS (%s) SELECT count(*) FROM has WHERE what = ?1", columns_sql);
	err = db_run(v->db, v->error, &there, sql, "t", column);
	if (!err && !there)
		fault(v, "the schema lacks %s", column);
	return err;
}

static int check_schema(struct verify *v)
{
	struct db fresh = {.path = v->db->path};
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_open_v2(":memory:", &fresh.sqlite, SQLITE_OPEN_READWRITE, NULL), err;

	if (!rc)
		rc = sqlite3_exec(fresh.sqlite, offsets_sql, NULL, NULL, NULL);
	err = rc ? db_fail(&fresh, rc, "make a database to compare with", v->error) :
		   db_query(&fresh, v->error, &stmt, columns_sql, "");
	while (!err && (err = db_step(&fresh, stmt, v->error)) == 1)
		err = check_column(v, db_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(fresh.sqlite);
	return err;
}

/* ------------------------------------------------------------------------ layouts */

static void layout_fault(void *arg, const char *what)
{
	struct verify *v = arg;

	fault(v, "layout %.12s: %s", v->of, what);
}

/* One that can't be read is a fault, not the end. */
static void check_layout(struct verify *v, sqlite3_int64 id, struct layout *layout)
{
	struct error why;

	if (db_read_layout(v->db, id, layout, &why) || db_check_layout(layout, &why))
		fault(v, "layout %.12s: %s", v->of, why.text);
	else
		layout_check(layout, layout_fault, v);
}

static int check_layouts(struct verify *v)
{
	struct layout *layout = malloc(sizeof(*layout));
	sqlite3_stmt *stmt = NULL;
	int err = layout ? db_query(v->db, v->error, &stmt,
				    "SELECT id, sha256 FROM layout ORDER BY sha256", "") :
			   db_fail(v->db, SQLITE_NOMEM, "read the database", v->error);

	while (!err && (err = db_step(v->db, stmt, v->error)) == 1) {
		v->of = db_text(stmt, 1);
		check_layout(v, sqlite3_column_int64(stmt, 0), layout);
		err = 0;
	}
	sqlite3_finalize(stmt);
	free(layout);
	return err ? err :
		     each_is_a_fault(
			     v,
			     "SELECT substr(sha256, 1, 12) FROM layout WHERE NOT EXISTS "
			     "(SELECT 1 FROM kernel WHERE layout_id = layout.id) ORDER BY 1",
			     "layout %s: no kernel has it");
}

/* ------------------------------------------------------------------------ kernels */

#define NAME "coalesce(k.build_id, k.release, '?')"

static int nothing(void *arg, const struct db_row *row, struct error *error)
{
	(void)arg, (void)row, (void)error;
	return 0;
}

static int check_rows(struct verify *v)
{
	sqlite3_stmt *stmt;
	int err = db_query(v->db, v->error, &stmt,
			   "SELECT id, " NAME " FROM kernel k ORDER BY 2, 1", "");

	while (!err && (err = db_step(v->db, stmt, v->error)) == 1) {
		struct error why;

		if (db_read_kernel(v->db, sqlite3_column_int64(stmt, 0), nothing, NULL, &why))
			fault(v, "kernel %s: %s", db_text(stmt, 1), why.text);
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

static int check_kernels(struct verify *v)
{
	static const struct {
		const char *sql, *what;
	} checks[] = {
		{"SELECT DISTINCT " NAME " FROM kernel k WHERE " DB_CONFLICT_OF("k") " ORDER BY 1",
		 "kernel %s: two layouts are claimed for it, and the sensor uses neither: export, "
		 "remove the wrong line, import"},
		{"SELECT " NAME " FROM kernel k GROUP BY build_id, arch, release, version, "
		 "layout_id, CASE WHEN build_id IS NULL AND version IS NULL THEN sha256 END "
		 "HAVING count(*) > 1 ORDER BY 1",
		 "kernel %s: it has two rows that say the same"},
		{"SELECT " NAME " FROM kernel k WHERE source_verified NOT IN (0, 1) OR "
		 "typeof(source_verified) <> 'integer' ORDER BY 1",
		 "kernel %s: source_verified is neither 0 nor 1"},
		{"SELECT " NAME " FROM kernel k WHERE built_at NOT GLOB "
		 "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z' "
		 "ORDER BY 1",
		 "kernel %s: built_at is no time"},
		{"SELECT package FROM crawled WHERE build_id IS NOT NULL AND NOT EXISTS "
		 "(SELECT 1 FROM kernel WHERE kernel.build_id = crawled.build_id) ORDER BY 1",
		 "package %s: its kernel has no row"},
	};
	int err = check_rows(v);

	for (size_t i = 0; !err && i < sizeof(checks) / sizeof(checks[0]); i++)
		err = each_is_a_fault(v, checks[i].sql, checks[i].what);
	return err;
}

static int check_crawled(struct verify *v)
{
	sqlite3_stmt *stmt;
	int err = db_query(v->db, v->error, &stmt,
			   "SELECT package_sha256, package, build_id, why FROM crawled "
			   "ORDER BY 1",
			   "");

	while (!err && (err = db_step(v->db, stmt, v->error)) == 1) {
		struct db_crawled crawled;
		struct error why;

		if (db_take_crawled(stmt, &crawled, &why))
			fault(v, "package %s: %s", db_text(stmt, 1), why.text);
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

/* ---------------------------------------------------------------------------- age */

/* Appends to a list in text, which ends in "..." if it is full. */
static void list_add(char *text, size_t size, const char *what)
{
	size_t len = strlen(text);

	if (len + strlen(what) + sizeof(", ...") < size)
		snprintf(text + len, size - len, "%s%s", len ? ", " : "", what);
	else if (len < 3 || strcmp(text + len - 3, "..."))
		snprintf(text + len, size - len, ", ...");
}

int db_age(struct db *db, struct db_age *age, struct error *error)
{
	sqlite3_int64 kernels = 0, of = 0;
	sqlite3_stmt *stmt = NULL;
	int err = db_run(db, error, &of, "SELECT count(*) FROM kernel", "");

	*age = (struct db_age){0};
	if (!err)
		err = db_run(db, error, &kernels,
			     "SELECT count(*) FROM kernel WHERE " DB_COVERAGE(
				     "kernel.layout_id") " < (SELECT count(*) FROM temp.listed)",
			     "");
	if (!err)
		err = db_query(db, error, &stmt,
			       "SELECT DISTINCT l.struct || rtrim('.' || l.member, '.') "
			       "FROM temp.listed l, layout WHERE NOT EXISTS (SELECT 1 FROM "
			       "layout_field f WHERE f.layout_id = layout.id AND "
			       "f.struct = l.struct AND f.member = l.member) ORDER BY 1",
			       "");
	while (!err && (err = db_step(db, stmt, error)) == 1) {
		list_add(age->members, sizeof(age->members), db_text(stmt, 0));
		err = 0;
	}
	sqlite3_finalize(stmt);
	age->kernels = (size_t)kernels;
	age->of = (size_t)of;
	return err;
}

void db_age_text(const struct db_age *age, struct error *text)
{
	error_set(text, 0,
		  "older than the list of members: of %zu of %zu kernels nothing is said about %s: "
		  "read them again with `offsets-builder crawl` or `add`",
		  age->kernels, age->of, age->members);
}

static int check_age(struct verify *v)
{
	struct db_age age;
	struct error text;
	int err = db_age(v->db, &age, v->error);

	if (err || !age.kernels)
		return err;
	db_age_text(&age, &text);
	fault(v, "%s", text.text);
	return 0;
}

int db_verify(struct db *db, void (*fault_fn)(void *arg, const char *what), void *arg,
	      struct error *error)
{
	static int (*const checks[])(struct verify *) = {
		check_file, check_schema, check_layouts, check_kernels, check_crawled, check_age};
	struct verify v = {.db = db, .fault = fault_fn, .arg = arg, .error = error};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(checks) / sizeof(checks[0]); i++)
		err = checks[i](&v);
	return err ? err : v.faults;
}
