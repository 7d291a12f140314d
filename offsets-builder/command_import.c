// SPDX-License-Identifier: Apache-2.0
#include <limits.h>

#include "command.h"
#include "jsonl.h"

static const char usage_text[] =
	"usage: offsets-builder import -d DB [FILE]...\n"
	"\n"
	"Adds what `offsets-builder export` has written. A FILE is taken whole or, if anything\n"
	"in it is wrong, not at all. Without a FILE the database is only made.\n"
	"\n"
	"  -d, --database=DB     the database; it is made if it is missing\n"
	"  -h, --help            this text\n"
	"\n"
	"Environment: SOURCE_DATE_EPOCH, the seconds since 1970 that the database says it was\n"
	"made at; with 0 it says nothing, and the same files give the same bytes.\n"
	"\n"
	"Exit status: 0 done, 1 a FILE or the database failed, 2 bad usage.\n";

static int import_one(struct db *db, const char *path, struct error *error)
{
	size_t counts[DB_OUTCOMES] = {0};
	int err = jsonl_import(db, path, counts, error);

	return err ? err : command_tell_counts(path, counts, error);
}

/* The build shows it when the list of members has grown. */
static int complain_of_age(struct db *db, const char *path, struct error *error)
{
	struct error text;
	struct db_age age;
	int err = db_age(db, &age, error);

	if (!err && age.kernels) {
		db_age_text(&age, &text);
		error_set(error, 0, "%s is %s", path, text.text);
		command_complain(error);
	}
	return err;
}

int command_import(int argc, char **argv)
{
	struct command_line line;
	struct error error;
	struct db *db;
	int status = command_parse(argc, argv, usage_text, false, 0, INT_MAX, "", &line);

	if (status >= 0)
		return status;
	if (db_open(line.database, &db, &error)) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	status = EXIT_DONE;
	for (int i = 0; i < line.count; i++) {
		if (import_one(db, line.operands[i], &error)) {
			command_complain(&error);
			status = EXIT_FAILED;
		}
	}
	if (complain_of_age(db, line.database, &error)) {
		command_complain(&error);
		status = EXIT_FAILED;
	}
	db_close(db);
	return status;
}
