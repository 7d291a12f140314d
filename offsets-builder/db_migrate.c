// SPDX-License-Identifier: Apache-2.0
#include "db_sql.h"

#include <stdio.h>

#include "cormorant/offsets_schema.h"
#include "offsets_sql.h" /* generated: data/offsets.sql as the string offsets_sql */

/*
 * What makes version i + 2 of version i + 1. A step is written once, with the tables as
 * data/offsets.sql had them then, and left alone ever after.
 */
static const char *const steps[] = {
	/*
	 * 2: what a kernel lacks is told from what was not looked for, and kernels about which
	 * two readers do not agree have two rows. What was crawled is new, too.
	 */
	"CREATE TEMP TABLE old_field AS SELECT * FROM main.layout_field;"
	"CREATE TEMP TABLE old_kernel AS SELECT * FROM main.kernel;"
	"DROP TABLE main.layout_field;"
	"DROP TABLE main.kernel;"
	"CREATE TABLE main.layout_field ("
	"	layout_id INTEGER NOT NULL REFERENCES layout (id) ON DELETE CASCADE,"
	"	struct TEXT NOT NULL,"
	"	member TEXT NOT NULL,"
	"	offset INTEGER CHECK (offset IS NULL OR (typeof(offset) = 'integer' AND offset >= "
	"0)),"
	"	size INTEGER CHECK (size IS NULL OR (typeof(size) = 'integer' AND size >= 0)),"
	"	bit_shift INTEGER CHECK (bit_shift IS NULL OR typeof(bit_shift) = 'integer'),"
	"	PRIMARY KEY (layout_id, struct, member),"
	"	CHECK ((offset IS NULL) = (size IS NULL) AND (offset IS NULL) = (bit_shift IS "
	"NULL))"
	") WITHOUT ROWID;"
	"CREATE TABLE main.kernel ("
	"	id INTEGER PRIMARY KEY,"
	"	build_id TEXT CHECK (build_id <> '' AND build_id NOT GLOB '*[^0-9a-f]*'),"
	"	arch TEXT CHECK (arch <> ''),"
	"	release TEXT CHECK (release <> ''),"
	"	version TEXT CHECK (version <> ''),"
	"	distro TEXT,"
	"	source TEXT,"
	"	package TEXT,"
	"	sha256 TEXT,"
	"	package_sha256 TEXT,"
	"	source_verified INTEGER NOT NULL DEFAULT 0,"
	"	built_at TEXT,"
	"	layout_id INTEGER NOT NULL REFERENCES layout (id),"
	"	CHECK (build_id IS NOT NULL OR release IS NOT NULL)"
	");"
	"CREATE INDEX main.kernel_by_build_id ON kernel (build_id);"
	"CREATE INDEX main.kernel_by_version ON kernel (release, version, arch);"
	"CREATE INDEX main.kernel_by_layout ON kernel (layout_id);"
	"CREATE TABLE IF NOT EXISTS main.crawled ("
	"	package_sha256 TEXT PRIMARY KEY NOT NULL,"
	"	package TEXT NOT NULL,"
	"	build_id TEXT,"
	"	why TEXT,"
	"	CHECK ((build_id IS NULL) <> (why IS NULL))"
	") WITHOUT ROWID;"
	"INSERT INTO main.layout_field (layout_id, struct, member, offset, size, bit_shift) "
	"SELECT layout_id, struct, member, offset, size, bit_shift FROM temp.old_field;"
	"INSERT INTO main.kernel (id, build_id, arch, release, version, distro, source, package, "
	"sha256, package_sha256, source_verified, built_at, layout_id) "
	"SELECT id, build_id, arch, release, version, distro, source, package, sha256, "
	"package_sha256, source_verified, built_at, layout_id FROM temp.old_kernel;"
	"DROP TABLE temp.old_field;"
	"DROP TABLE temp.old_kernel;"
	"PRAGMA main.user_version = 2;",
};

_Static_assert(sizeof(steps) / sizeof(steps[0]) == OFFSETS_SCHEMA_VERSION - 1,
	       "every older version has its step");

int db_migrate(struct db *db, sqlite3_int64 version, struct error *error)
{
	char number[16];
	int rc = SQLITE_OK;

	if (!version) {
		rc = sqlite3_exec(db->sqlite, offsets_sql, NULL, NULL, NULL);
		return rc ? db_fail(db, rc, "create the database", error) : 0;
	}
	for (; !rc && version < OFFSETS_SCHEMA_VERSION; version++)
		rc = sqlite3_exec(db->sqlite, steps[version - 1], NULL, NULL, NULL);
	if (rc)
		return db_fail(db, rc, "bring up to date the database", error);
	snprintf(number, sizeof(number), "%d", OFFSETS_SCHEMA_VERSION);
	return db_run(db, error, NULL,
		      "INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?1)", "t",
		      number);
}
