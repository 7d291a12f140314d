// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "jsonl.h"

static const char usage_text[] =
	"usage: offsets-builder show -d DB [--json] BUILD-ID|RELEASE\n"
	"\n"
	"Prints a kernel's row, where it came from, and all its offsets; of a release, every\n"
	"kernel that bears it.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"      --json            as `offsets-builder export` would\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 there is none or the database failed, 2 bad usage.\n";

struct show {
	const struct command_line *line;
	struct text text;
	int rows;
};

static void put_line(struct text *text, const char *name, const char *value)
{
	if (*value)
		text_format(text, "  %-16s %s\n", name, value);
}

static void put_row(struct text *text, const struct db_row *row)
{
	const struct db_kernel *kernel = &row->kernel;
	const struct kernel_identity *identity = &kernel->identity;

	text_format(text, "%s %s\n", *identity->release ? identity->release : "(no release)",
		    identity->arch);
	put_line(text, "build-id", identity->build_id);
	put_line(text, "version", identity->version);
	if (!*identity->build_id && !*identity->version)
		put_line(text, "known by", "its release only: used if no other row bears it");
	if (row->conflict)
		put_line(text, "in conflict",
			 "another row has other offsets for this kernel: neither is used");
	put_line(text, "distribution", kernel->distro);
	put_line(text, "package", kernel->package);
	put_line(text, "package sha256", kernel->package_sha256);
	put_line(text, "package hashed", kernel->source_verified ? "whole, and it agreed" : "");
	put_line(text, "source", kernel->source);
	put_line(text, "image sha256", kernel->sha256);
	put_line(text, "row made", row->built_at);
	put_line(text, "layout", row->layout->sha256);
}

static void put_layout(struct text *text, const struct layout *layout)
{
	const char *before = "";

	text_format(text, "  %-42s %8s %6s\n", "member", "offset", "bytes");
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		if (strcmp(field->type, before))
			text_format(text, "  %s\n", field->type);
		before = field->type;
		text_format(text, "    %-40s %8u %6u", *field->member ? field->member : "(whole)",
			    field->offset, field->size);
		if (field->bit_shift)
			text_format(text, ", bit %u", field->bit_shift);
		text_char(text, '\n');
	}
	for (size_t i = 0; i < layout->absent_count; i++)
		text_format(text, "%s%s%s%s",
			    i ? ", " : "  not in this kernel: ", layout->absent[i].type,
			    *layout->absent[i].member ? "." : "", layout->absent[i].member);
	text_str(text, layout->absent_count ? "\n" : "");
}

static void put_json(struct text *text, const struct db_row *row)
{
	jsonl_put_layout(text, row->layout);
	text_char(text, '\n');
	jsonl_put_kernel(text, row);
	text_char(text, '\n');
}

static int show_row(void *arg, const struct db_row *row, struct error *error)
{
	struct show *show = arg;

	(void)error;
	if (!db_row_is(row, show->line->operands[0]))
		return 0;
	if (show->line->json) {
		put_json(&show->text, row);
	} else {
		text_str(&show->text, show->rows ? "\n" : "");
		put_row(&show->text, row);
		put_layout(&show->text, row->layout);
	}
	show->rows++;
	return 0;
}

int command_show(int argc, char **argv)
{
	struct command_line line;
	struct show show = {.line = &line};
	struct error error;
	struct db *db;
	int status = command_parse(argc, argv, usage_text, true, 1, 1, "name a kernel", &line), err;

	if (status >= 0)
		return status;
	err = db_open_read(line.database, &db, &error);
	if (!err) {
		err = db_each_kernel(db, show_row, &show, &error);
		db_close(db);
	}
	if (!err && !show.rows)
		err = error_set(&error, -1,
				"cannot show %s: %s has no such build-id or release: see "
				"`offsets-builder stats`, or add it",
				line.operands[0], line.database);
	if (err)
		command_complain(&error);
	status = err ? EXIT_FAILED : command_print_text(&show.text);
	text_free(&show.text);
	return status;
}
