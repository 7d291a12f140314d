// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "db.h"
#include "fleet.h"

static const char usage_text[] =
	"usage: offsets-builder missing -d DB [--json] FILE...\n"
	"\n"
	"The kernels that a fleet runs and the database lacks, most hosts first. A FILE has\n"
	"what `cormorant capabilities` printed on its hosts, one document or many, also inside\n"
	"envelopes or OCSF events; - is the standard input. Several documents of one host and\n"
	"kernel count once.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"      --json            one JSON array instead of a table\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, whether something is missing or not, 1 the database, a FILE or a\n"
	"document failed (the others are counted), 2 bad usage.\n";

static void read_file(struct fleet *fleet, const char *path, size_t *bad)
{
	struct error error;
	FILE *stream = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int err = 0;

	if (!stream)
		err = error_set(&error, -errno, "cannot open %s: %s: give a file that can be read",
				path, strerror(errno));
	else
		err = fleet_read(fleet, stream, path, command_complain, bad, &error);
	if (err) {
		command_complain(&error);
		++*bad;
	}
	if (stream && stream != stdin)
		fclose(stream);
}

/* What the database has goes. */
static int keep_missing(struct fleet *fleet, struct db *db, struct error *error)
{
	size_t kept = 0;
	bool has;
	int err = 0;

	for (size_t i = 0; !err && i < fleet->count; i++) {
		err = db_has_kernel(db, &fleet->at[i].identity, &has, error);
		if (!has)
			fleet->at[kept++] = fleet->at[i];
	}
	fleet->count = kept;
	return err;
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void put_table(struct text *text, const struct fleet *fleet)
{
	if (fleet->count)
		text_format(text, "%7s %-10s %-32s %-40s %s\n", "HOSTS", "ARCH", "RELEASE",
			    "BUILD-ID", "VERSION");
	for (size_t i = 0; i < fleet->count; i++) {
		const struct kernel_identity *identity = &fleet->at[i].identity;

		text_format(text, "%7zu %-10s %-32s %-40s %s\n", fleet->at[i].hosts,
			    or_dash(identity->arch), or_dash(identity->release),
			    or_dash(identity->build_id), or_dash(identity->version));
	}
}

static void put_string(struct text *text, const char *name, const char *value)
{
	if (!*value)
		return;
	text_format(text, ",\"%s\":", name);
	text_json_string(text, slice_of(value));
}

static void put_json(struct text *text, const struct fleet *fleet)
{
	text_char(text, '[');
	for (size_t i = 0; i < fleet->count; i++) {
		const struct kernel_identity *identity = &fleet->at[i].identity;

		text_format(text, "%s{\"hosts\":%zu", i ? "," : "", fleet->at[i].hosts);
		put_string(text, "arch", identity->arch);
		put_string(text, "release", identity->release);
		put_string(text, "build_id", identity->build_id);
		put_string(text, "version", identity->version);
		text_char(text, '}');
	}
	text_str(text, "]\n");
}

static int run(const struct command_line *line, struct fleet *fleet)
{
	struct text text = {0};
	struct error error;
	size_t bad = 0;
	struct db *db;
	int status;

	if (db_open_read(line->database, &db, &error)) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	for (int i = 0; i < line->count; i++)
		read_file(fleet, line->operands[i], &bad);
	fleet_count(fleet);
	status = keep_missing(fleet, db, &error) ? EXIT_FAILED : EXIT_DONE;
	db_close(db);
	if (status) {
		command_complain(&error);
		return status;
	}
	if (line->json)
		put_json(&text, fleet);
	else
		put_table(&text, fleet);
	status = command_print_text(&text);
	text_free(&text);
	return bad ? EXIT_FAILED : status;
}

int command_missing(int argc, char **argv)
{
	struct fleet fleet = {0};
	struct command_line line;
	int status = command_parse(argc, argv, usage_text, true, 1, INT_MAX, "name a FILE", &line);

	if (status >= 0)
		return status;
	status = run(&line, &fleet);
	fleet_free(&fleet);
	return status;
}
