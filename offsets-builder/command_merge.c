// SPDX-License-Identifier: Apache-2.0
#include <limits.h>

#include "command.h"
#include "db.h"

static const char usage_text[] =
	"usage: offsets-builder merge -d DB FROM...\n"
	"\n"
	"Adds everything that the databases FROM hold to DB. The order does not matter: what\n"
	"was read in parts and merged exports the same bytes as what was read in one go.\n"
	"Kernels for which two databases have different numbers are kept twice, named, and\n"
	"used by no sensor; export, removing one of the lines, and import decides it.\n"
	"\n"
	"  -d, --database=DB     the database; it is made if it is missing\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 a database failed or contradicts another, 2 bad usage.\n";

static int merge_one(struct db *db, const char *path, struct error *error)
{
	size_t counts[DB_OUTCOMES] = {0};
	struct db *from;
	int err = db_open_read(path, &from, error);

	if (err)
		return err;
	err = db_merge(db, from, counts, error);
	db_close(from);
	return err ? err : command_tell_counts(path, counts, error);
}

int command_merge(int argc, char **argv)
{
	struct command_line line;
	struct error error;
	struct db *db;
	int status = command_parse(argc, argv, usage_text, false, 1, INT_MAX,
				   "name a database to take from", &line);

	if (status >= 0)
		return status;
	if (db_open(line.database, &db, &error)) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	/* One that fails does not keep the others out. */
	status = EXIT_DONE;
	for (int i = 0; i < line.count; i++) {
		if (merge_one(db, line.operands[i], &error)) {
			command_complain(&error);
			status = EXIT_FAILED;
		}
	}
	db_close(db);
	return status;
}
