// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db_sql.h"

static int fail_damaged(const struct db *db, const char *what, struct error *error)
{
	return error_set(error, -EBADMSG,
			 "cannot read the database %s: %s: see what `offsets-builder verify` says, "
			 "or make it anew",
			 db->path, what);
}

/* False if the column does not fit. */
static bool take_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
	int n = snprintf(out, size, "%s", db_text(stmt, column));

	return n >= 0 && (size_t)n < size && n == sqlite3_column_bytes(stmt, column);
}

/* ------------------------------------------------------------------------- layout */

static bool take_number(sqlite3_stmt *stmt, int column, uint32_t *number)
{
	sqlite3_int64 value = sqlite3_column_int64(stmt, column);

	*number = (uint32_t)value;
	return sqlite3_column_type(stmt, column) == SQLITE_INTEGER && value >= 0 &&
	       value <= INT32_MAX;
}

static bool take_field(sqlite3_stmt *stmt, struct layout *layout)
{
	struct layout_field field = {0};
	struct layout_name *absent = &layout->absent[layout->absent_count];

	if (layout->count == LAYOUT_FIELDS_MAX || layout->absent_count == LAYOUT_FIELDS_MAX ||
	    !take_text(stmt, 0, field.type, sizeof(field.type)) ||
	    !take_text(stmt, 1, field.member, sizeof(field.member)))
		return false;
	if (sqlite3_column_type(stmt, 2) == SQLITE_NULL) {
		memcpy(absent->type, field.type, sizeof(field.type));
		memcpy(absent->member, field.member, sizeof(field.member));
		layout->absent_count++;
		return true;
	}
	if (!take_number(stmt, 2, &field.offset) || !take_number(stmt, 3, &field.size) ||
	    !take_number(stmt, 4, &field.bit_shift))
		return false;
	layout->fields[layout->count++] = field;
	return true;
}

int db_read_layout(struct db *db, sqlite3_int64 id, struct layout *layout, struct error *error)
{
	sqlite3_stmt *stmt;
	int err = db_query(db, error, &stmt,
			   "SELECT struct, member, offset, size, bit_shift, sha256 "
			   "FROM layout_field JOIN layout ON layout.id = layout_id "
			   "WHERE layout_id = ?1 ORDER BY struct, member",
			   "i", id);

	layout->count = layout->absent_count = 0;
	*layout->sha256 = 0;
	while (!err && (err = db_step(db, stmt, error)) == 1)
		err = take_field(stmt, layout) &&
				      take_text(stmt, 5, layout->sha256, sizeof(layout->sha256)) ?
			      0 :
			      fail_damaged(db, "a layout has what is no offset", error);
	sqlite3_finalize(stmt);
	return err;
}

/* ------------------------------------------------------------------------ kernels */

int db_has_kernel(struct db *db, const struct kernel_identity *identity, bool *has,
		  struct error *error)
{
	static const char sql[] = "SELECT count(*) FROM kernel k WHERE NOT " DB_CONFLICT_OF(
		"k") " AND "
		     "(k.build_id = ?1 OR (k.release = ?3 AND k.arch = ?2 AND k.version = ?4 AND "
		     "(k.build_id IS NULL OR ?1 IS NULL)))";
	sqlite3_int64 count = 0;
	int err = db_run(db, error, &count, sql, "tttt", identity->build_id, identity->arch,
			 identity->release, identity->version);

	*has = count > 0;
	return err;
}

bool db_row_is(const struct db_row *row, const char *name)
{
	const struct kernel_identity *identity = &row->kernel.identity;

	return *name && (!strcmp(identity->build_id, name) || !strcmp(identity->release, name));
}

/* All, or the one of ?1. */
static const char kernels_sql[] =
	"SELECT k.build_id, k.arch, k.release, k.version, k.distro, k.source, k.sha256, "
	"k.package, k.package_sha256, k.built_at, k.source_verified, k.layout_id, " DB_CONFLICT_OF(
		"k") " FROM kernel k JOIN layout ON layout.id = k.layout_id "
		     "WHERE ?1 IS NULL OR k.id = ?1 "
		     "ORDER BY k.arch, k.release, k.version, k.build_id, layout.sha256, k.sha256, "
		     "k.source";

/* Texts are SQLite's, until the next step. */
static bool take_row(sqlite3_stmt *stmt, struct db_row *row)
{
	struct kernel_identity *identity = &row->kernel.identity;

	row->kernel.distro = db_text(stmt, 4);
	row->kernel.source = db_text(stmt, 5);
	row->kernel.sha256 = db_text(stmt, 6);
	row->kernel.package = db_text(stmt, 7);
	row->kernel.package_sha256 = db_text(stmt, 8);
	row->built_at = db_text(stmt, 9);
	row->kernel.source_verified = sqlite3_column_int(stmt, 10);
	row->conflict = sqlite3_column_int(stmt, 12);
	return take_text(stmt, 0, identity->build_id, sizeof(identity->build_id)) &&
	       take_text(stmt, 1, identity->arch, sizeof(identity->arch)) &&
	       take_text(stmt, 2, identity->release, sizeof(identity->release)) &&
	       take_text(stmt, 3, identity->version, sizeof(identity->version));
}

/* What is wrong with a row, after what database it is in. */
static int check_row(const struct db *db, const struct db_row *row, struct error *error)
{
	struct error why;
	int err = db_check_kernel(&row->kernel, &why);

	return err ? fail_damaged(db, why.text, error) : 0;
}

static int each_kernel(struct db *db, const sqlite3_int64 *id,
		       int (*fn)(void *arg, const struct db_row *row, struct error *error),
		       void *arg, struct error *error)
{
	struct layout *layout = malloc(sizeof(*layout));
	struct db_row row = {.layout = layout};
	sqlite3_stmt *stmt = NULL;
	int err = layout ? db_query(db, error, &stmt, kernels_sql, id ? "i" : "", id ? *id : 0) :
			   db_fail(db, SQLITE_NOMEM, "read the database", error);

	while (!err && (err = db_step(db, stmt, error)) == 1) {
		err = take_row(stmt, &row) ? check_row(db, &row, error) :
					     fail_damaged(db, "a kernel's name is too long", error);
		if (!err)
			err = db_read_layout(db, sqlite3_column_int64(stmt, 11), layout, error);
		if (!err)
			err = fn(arg, &row, error);
	}
	sqlite3_finalize(stmt);
	free(layout);
	return err;
}

int db_each_kernel(struct db *db,
		   int (*fn)(void *arg, const struct db_row *row, struct error *error), void *arg,
		   struct error *error)
{
	return each_kernel(db, NULL, fn, arg, error);
}

int db_read_kernel(struct db *db, sqlite3_int64 id,
		   int (*fn)(void *arg, const struct db_row *row, struct error *error), void *arg,
		   struct error *error)
{
	return each_kernel(db, &id, fn, arg, error);
}
