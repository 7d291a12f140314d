// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "command.h"
#include "db.h"

static const char usage_text[] =
	"usage: offsets-builder verify -d DB\n"
	"\n"
	"Checks the database: its file and schema, the hash of every layout, that its members\n"
	"lie where a kernel can have them, that every row is well-formed and has what it\n"
	"belongs to, kernels for which two layouts are claimed, and whether today's list of\n"
	"members was looked for. Every fault is a line on stderr.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 without a fault, 1 with some, 2 bad usage.\n";

static void print_fault(void *arg, const char *what)
{
	fprintf(stderr, "offsets-builder: %s: %s\n", (const char *)arg, what);
}

int command_verify(int argc, char **argv)
{
	struct command_line line;
	struct error error;
	struct db *db;
	char text[256];
	int status = command_parse(argc, argv, usage_text, false, 0, 0, "", &line), faults;

	if (status >= 0)
		return status;
	faults = db_open_read(line.database, &db, &error);
	if (!faults) {
		faults = db_verify(db, print_fault, (void *)line.database, &error);
		db_close(db);
	}
	if (faults < 0) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	snprintf(text, sizeof(text), faults ? "faults: %d\n" : "no faults\n", faults);
	status = command_print(text);
	return faults ? EXIT_FAILED : status;
}
