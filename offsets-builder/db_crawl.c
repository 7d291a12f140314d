// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "db_sql.h"

int db_take_crawled(sqlite3_stmt *stmt, struct db_crawled *crawled, struct error *error)
{
	const struct {
		char *out;
		size_t size;
	} columns[] = {{crawled->package_sha256, sizeof(crawled->package_sha256)},
		       {crawled->package, sizeof(crawled->package)},
		       {crawled->build_id, sizeof(crawled->build_id)},
		       {crawled->why, sizeof(crawled->why)}};

	*crawled = (struct db_crawled){0};
	/* One that is cut short is no SHA-256, or the text was too long to be ours. */
	for (int i = 0; i < 4; i++)
		snprintf(columns[i].out, columns[i].size, "%s", db_text(stmt, i));
	crawled->implied = sqlite3_column_int(stmt, 4); /* 0 where there is no such column */
	return db_check_crawled(crawled, error);
}

#define COLUMNS "package_sha256, package, build_id, why"
#define IMPLIED                                                                                    \
	"EXISTS (SELECT 1 FROM kernel WHERE kernel.build_id = crawled.build_id AND "               \
	"kernel.package = crawled.package AND kernel.package_sha256 = crawled.package_sha256)"

/* With a kernel, it has to be there, and read with a list that has all of today's members. */
static const char get_sql[] =
	"SELECT " COLUMNS ", " IMPLIED
	" FROM crawled WHERE package_sha256 = ?1 AND (build_id IS NULL OR "
	"EXISTS (SELECT 1 FROM kernel WHERE kernel.build_id = crawled.build_id AND " DB_COVERAGE(
		"kernel.layout_id") " = (SELECT count(*) FROM temp.listed)))";

int db_crawled_get(struct db *db, const char *package_sha256, struct db_crawled *crawled,
		   struct error *error)
{
	sqlite3_stmt *stmt;
	int err = db_query(db, error, &stmt, get_sql, "t", package_sha256), found;

	found = err ? err : db_step(db, stmt, error);
	if (found == 1) {
		err = db_take_crawled(stmt, crawled, error);
		found = err ? err : 1;
	}
	sqlite3_finalize(stmt);
	return found;
}

/* Of two answers the one with a kernel stays, else the first by its bytes. */
static const char put_sql[] =
	"INSERT INTO crawled (" COLUMNS ") VALUES (?1, ?2, ?3, ?4) "
	"ON CONFLICT (package_sha256) DO UPDATE SET package = excluded.package, "
	"build_id = excluded.build_id, why = excluded.why "
	"WHERE (excluded.build_id IS NULL, coalesce(excluded.build_id, ''), excluded.package, "
	"coalesce(excluded.why, '')) < "
	"(build_id IS NULL, coalesce(build_id, ''), package, coalesce(why, ''))";

int db_put_crawled(struct db *db, const struct db_crawled *crawled, struct error *error)
{
	int err = db_check_crawled(crawled, error);

	if (!err)
		err = db_run(db, error, NULL, put_sql, "tttt", crawled->package_sha256,
			     crawled->package, crawled->build_id, crawled->why);
	if (!err && sqlite3_changes(db->sqlite))
		db->changed = true;
	return err;
}

int db_crawled_put(struct db *db, const struct db_crawled *crawled, struct error *error)
{
	int err = db_begin(db, error);

	if (err)
		return err;
	err = db_put_crawled(db, crawled, error);
	if (!err)
		err = db_tidy(db, error);
	return db_end(db, err, error);
}

int db_each_crawled(struct db *db,
		    int (*fn)(void *arg, const struct db_crawled *crawled, struct error *error),
		    void *arg, struct error *error)
{
	struct db_crawled crawled;
	sqlite3_stmt *stmt;
	int err = db_query(db, error, &stmt,
			   "SELECT " COLUMNS ", " IMPLIED " FROM crawled ORDER BY package_sha256",
			   "");

	while (!err && (err = db_step(db, stmt, error)) == 1) {
		err = db_take_crawled(stmt, &crawled, error);
		if (!err)
			err = fn(arg, &crawled, error);
	}
	sqlite3_finalize(stmt);
	return err;
}
