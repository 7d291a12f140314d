// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "jsonl.h"

static const char usage_text[] =
	"usage: offsets-builder export -d DB [FILE|DIRECTORY]\n"
	"\n"
	"Writes the database as lines of JSON, the form in which it is reviewed and kept in a\n"
	"repository (data/offsets): layouts, then kernels, then what else was crawled. The same\n"
	"content gives the same bytes. A kernel that is added to it is one line more, a set of\n"
	"offsets that no other kernel has is one more.\n"
	"\n"
	"Without an operand to stdout. In a DIRECTORY (one that exists, or a name that ends in\n"
	"a slash) it is one file for each distribution and machine, debian-x86_64.jsonl, each\n"
	"complete in itself, and without-kernel.jsonl for packages that were read in vain. It\n"
	"fails if the directory then has a .jsonl file that is not of this database.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 bad usage.\n";

int command_export(int argc, char **argv)
{
	struct command_line line;
	struct error error;
	struct db *db;
	int status = command_parse(argc, argv, usage_text, false, 0, 1, "", &line), err;

	if (status >= 0)
		return status;
	err = db_open_read(line.database, &db, &error);
	if (!err) {
		err = jsonl_export(db, line.count ? line.operands[0] : NULL, &error);
		db_close(db);
	}
	if (err)
		command_complain(&error);
	return err ? EXIT_FAILED : EXIT_DONE;
}
