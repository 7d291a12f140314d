// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"
#include "version.h"

/* --------------------------------------------------------------------------- meta */

/*
 * RFC 3339, UTC. SOURCE_DATE_EPOCH, seconds since 1970, is for builds that must not differ;
 * 0 tells no time.
 */
static void now_text(char text[32])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t now = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm tm;

	if (!now || !gmtime_r(&now, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = 0;
}

/* An empty value is none. */
static int put_meta(struct db *db, const char *key, const char *value, struct error *error)
{
	if (!*value)
		return db_run(db, error, NULL, "DELETE FROM meta WHERE key = ?1", "t", key);
	return db_run(db, error, NULL, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
		      "tt", key, value);
}

int db_tidy(struct db *db, struct error *error)
{
	char now[32], version[16];
	int err;

	if (!db->changed)
		return 0;
	now_text(now);
	snprintf(version, sizeof(version), "%d", OFFSETS_SCHEMA_VERSION);
	err = db_run(db, error, NULL,
		     "DELETE FROM layout WHERE NOT EXISTS "
		     "(SELECT 1 FROM kernel WHERE kernel.layout_id = layout.id)",
		     "");
	if (!err)
		err = put_meta(db, "schema_version", version, error);
	if (!err)
		err = put_meta(db, "built_at", now, error);
	return err ? err :
		     put_meta(db, "tool_version", "offsets-builder " CORMORANT_VERSION, error);
}

/* ------------------------------------------------------------------------- layout */

static const char field_sql[] =
	"INSERT INTO layout_field (layout_id, struct, member, offset, size, bit_shift) "
	"VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

static int put_field(struct db *db, sqlite3_stmt *stmt, const char *type, const char *member,
		     struct error *error)
{
	int err;

	sqlite3_bind_text(stmt, 2, type, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, member, -1, SQLITE_STATIC);
	err = db_step(db, stmt, error);
	sqlite3_reset(stmt);
	return err;
}

static int put_fields(struct db *db, sqlite3_int64 id, const struct layout *layout,
		      struct error *error)
{
	sqlite3_stmt *stmt;
	int err = db_query(db, error, &stmt, field_sql, "i", id);

	/* First what is absent: its numbers are not bound yet. */
	for (size_t i = 0; !err && i < layout->absent_count; i++)
		err = put_field(db, stmt, layout->absent[i].type, layout->absent[i].member, error);
	for (size_t i = 0; !err && i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		sqlite3_bind_int64(stmt, 4, field->offset);
		sqlite3_bind_int64(stmt, 5, field->size);
		sqlite3_bind_int64(stmt, 6, field->bit_shift);
		err = put_field(db, stmt, field->type, field->member, error);
	}
	sqlite3_finalize(stmt);
	return err;
}

static int put_layout(struct db *db, const struct layout *layout, sqlite3_int64 *id,
		      struct error *error)
{
	int err;

	*id = 0;
	err = db_run(db, error, id, "SELECT id FROM layout WHERE sha256 = ?1", "t", layout->sha256);
	if (err || *id)
		return err;
	err = db_run(db, error, NULL, "INSERT INTO layout (sha256) VALUES (?1)", "t",
		     layout->sha256);
	*id = sqlite3_last_insert_rowid(db->sqlite);
	db->changed = true;
	return err ? err : put_fields(db, *id, layout, error);
}

int db_put_layout(struct db *db, const struct layout *layout, sqlite3_int64 *id,
		  struct error *error)
{
	int err = db_check_layout(layout, error);

	return err ? err : put_layout(db, layout, id, error);
}

/* ------------------------------------------------------------------------- kernel */

struct put {
	struct db *db;
	const struct db_kernel *kernel;
	sqlite3_int64 layout;
	struct error *error;
};

static int insert_row(const struct put *put)
{
	const struct db_kernel *kernel = put->kernel;
	char now[32];

	now_text(now);
	return db_run(put->db, put->error, NULL,
		      "INSERT INTO kernel (build_id, arch, release, version, distro, source, "
		      "sha256, package, package_sha256, source_verified, built_at, layout_id) "
		      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		      "tttttttttiti", kernel->identity.build_id, kernel->identity.arch,
		      kernel->identity.release, kernel->identity.version, kernel->distro,
		      kernel->source, kernel->sha256, kernel->package, kernel->package_sha256,
		      (sqlite3_int64)kernel->source_verified, now, put->layout);
}

/* The rows of the same kernel, see db.h, into temp.same. */
static int find_same(const struct put *put)
{
	const struct kernel_identity *identity = &put->kernel->identity;
	int err = db_run(put->db, put->error, NULL, "DELETE FROM temp.same", "");

	if (!err && *identity->build_id)
		return db_run(put->db, put->error, NULL,
			      "INSERT INTO temp.same SELECT id FROM kernel WHERE build_id = ?1",
			      "t", identity->build_id);
	return err ? err :
		     db_run(put->db, put->error, NULL,
			    "INSERT INTO temp.same SELECT id FROM kernel WHERE build_id IS NULL "
			    "AND arch = ?1 AND release = ?2 AND version IS ?3 "
			    "AND (version IS NOT NULL OR sha256 IS ?4)",
			    "tttt", identity->arch, identity->release, identity->version,
			    put->kernel->sha256);
}

/* All that the rows say, as one text for free(); NULL if there are none. */
static int state_of_same(const struct put *put, char **state)
{
	sqlite3_stmt *stmt;
	int err = db_query(put->db, put->error, &stmt,
			   "SELECT group_concat(id || quote(arch) || quote(release) || "
			   "quote(version) || quote(distro)) FROM "
			   "(SELECT * FROM kernel WHERE id IN temp.same ORDER BY id)",
			   "");

	*state = NULL;
	if (!err)
		err = db_step(put->db, stmt, put->error);
	if (err == 1) {
		err = 0;
		if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
			*state = strdup(db_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
	return err;
}

static const char contradiction_sql[] =
	"SELECT count(DISTINCT arch) > 1 OR count(DISTINCT release) > 1 OR "
	"count(DISTINCT version) > 1 FROM kernel WHERE id IN temp.same";

static const char conflict_sql[] =
	"SELECT EXISTS (SELECT 1 FROM kernel k WHERE k.id IN temp.same AND " DB_CONFLICT_OF(
		"k") ")";

/* One step after another makes what there is independent of the order in which it came. */
static const char *const rules[] = {
	/* What one row knows of the kernel all of them know. */
	"UPDATE kernel SET arch = (SELECT min(arch) FROM kernel WHERE id IN temp.same), "
	"release = (SELECT min(release) FROM kernel WHERE id IN temp.same), "
	"version = (SELECT min(version) FROM kernel WHERE id IN temp.same), "
	"distro = (SELECT min(distro) FROM kernel k WHERE k.id IN temp.same AND "
	"(k.build_id IS NOT NULL OR k.layout_id = kernel.layout_id)) WHERE id IN temp.same",
	/* Of rows with one layout the one with the best source stays. */
	"DELETE FROM kernel WHERE id IN temp.same AND layout_id = ?1 AND id <> "
	"(SELECT id FROM kernel WHERE id IN temp.same AND layout_id = ?1 ORDER BY "
	"source_verified DESC, package_sha256 IS NULL, package IS NULL, package, package_sha256, "
	"source IS NULL, source, sha256 IS NULL, sha256, id LIMIT 1)",
	/* Rows that were read with a shorter list go. */
	"DELETE FROM kernel WHERE id IN temp.same AND " DB_COVERAGE(
		"kernel.layout_id") " < "
				    "(SELECT max(" DB_COVERAGE(
					    "k.layout_id") ") FROM kernel k WHERE k.id IN "
							   "temp.same)",
	/* Rows that say less of who they are go, since the sensor would not use them either. */
	"DELETE FROM kernel WHERE build_id IS NULL AND EXISTS (SELECT 1 FROM kernel x "
	"WHERE x.release = kernel.release AND x.arch = kernel.arch AND "
	"CASE WHEN kernel.version IS NULL THEN x.version IS NOT NULL OR x.build_id IS NOT NULL "
	"ELSE x.build_id IS NOT NULL AND x.version = kernel.version AND "
	"(x.layout_id = kernel.layout_id OR " DB_COVERAGE("x.layout_id") " > " DB_COVERAGE(
		"kernel.layout_id") ") END)",
};

/* Stores the row as one more, and then lets the rules decide; conflict: it contradicts. */
static int place(const struct put *put, sqlite3_int64 *conflict)
{
	sqlite3_int64 contradiction = 0;
	int err = insert_row(put);

	if (!err)
		err = find_same(put);
	if (!err)
		err = db_run(put->db, put->error, &contradiction, contradiction_sql, "");
	for (size_t i = 0; !err && i < sizeof(rules) / sizeof(rules[0]); i++)
		err = db_run(put->db, put->error, NULL, rules[i], i == 1 ? "i" : "", put->layout);
	if (!err)
		err = db_run(put->db, put->error, conflict, conflict_sql, "");
	*conflict |= contradiction;
	return err;
}

static enum db_outcome outcome_of(const char *before, const char *after)
{
	if (!before)
		return after ? DB_ADDED : DB_UNCHANGED;
	return after && !strcmp(before, after) ? DB_UNCHANGED : DB_UPDATED;
}

/* What changes nothing is taken back, so that the file stays as it is. */
static int put_row(const struct put *put, enum db_outcome *outcome)
{
	char *before = NULL, *after = NULL;
	sqlite3_int64 conflict = 0;
	int err = find_same(put);

	if (!err)
		err = state_of_same(put, &before);
	if (!err)
		err = place(put, &conflict);
	if (!err)
		err = state_of_same(put, &after);
	*outcome = outcome_of(before, after);
	if (!err && *outcome == DB_UNCHANGED)
		err = db_run(put->db, put->error, NULL, "ROLLBACK TO put", "");
	else if (!err)
		put->db->changed = true;
	if (conflict)
		*outcome = DB_CONFLICT;
	free(before);
	free(after);
	return err;
}

/* The package that the kernel was in has been crawled. */
static int put_package(const struct put *put)
{
	const struct db_kernel *kernel = put->kernel;
	struct db_crawled crawled = {0};

	if (!kernel->package_sha256 || !*kernel->package_sha256 || !kernel->package ||
	    !*kernel->package || !*kernel->identity.build_id)
		return 0;
	memcpy(crawled.package_sha256, kernel->package_sha256, sizeof(crawled.package_sha256));
	memcpy(crawled.build_id, kernel->identity.build_id, sizeof(crawled.build_id));
	snprintf(crawled.package, sizeof(crawled.package), "%s", kernel->package);
	return db_put_crawled(put->db, &crawled, put->error);
}

static int check(const struct put *put, const struct layout *layout)
{
	const struct kernel_identity *identity = &put->kernel->identity;
	struct error why;
	int err = db_check_kernel(put->kernel, &why);

	if (!err)
		err = db_check_layout(layout, &why);
	return err ? error_set(put->error, err, "cannot store %s in %s: %s",
			       *identity->build_id ? identity->build_id : identity->release,
			       put->db->path, why.text) :
		     0;
}

int db_put(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error)
{
	struct put put = {.db = db, .kernel = kernel, .error = error};
	bool changed = db->changed;
	int err = check(&put, layout);

	if (!err)
		err = db_run(db, error, NULL, "SAVEPOINT put", "");
	if (err)
		return err;
	err = put_layout(db, layout, &put.layout, error);
	db->changed = changed;
	if (!err)
		err = put_row(&put, outcome);
	if (!err)
		err = db_run(db, error, NULL, "RELEASE put", "");
	return err ? err : put_package(&put);
}

int db_add(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error)
{
	int err = db_begin(db, error);

	if (err)
		return err;
	err = db_put(db, kernel, layout, outcome, error);
	if (!err)
		err = db_tidy(db, error);
	return db_end(db, err, error);
}
