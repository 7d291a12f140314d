// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "db.h"
#include "text.h"

static const char usage_text[] =
	"usage: offsets-builder diff -d DB A B\n"
	"\n"
	"What moved between two kernels, each a build-id or a release that one kernel bears.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, whether something moved or not, 1 a kernel is not there or the\n"
	"database failed, 2 bad usage.\n";

/* One of the two. */
struct side {
	const char *name;
	int rows; /* that bear the name */
	char build_id[48], release[128], arch[16];
	struct layout layout;
};

struct diff {
	struct side sides[2];
	struct text text;
	const char *type; /* whose heading was written last */
	size_t changed, same;
};

/* --------------------------------------------------------------------- two kernels */

static int take_row(void *arg, const struct db_row *row, struct error *error)
{
	struct diff *diff = arg;

	(void)error;
	for (int i = 0; i < 2; i++) {
		struct side *side = &diff->sides[i];

		if (!db_row_is(row, side->name))
			continue;
		side->rows++;
		side->layout = *row->layout;
		strcpy(side->build_id, row->kernel.identity.build_id);
		strcpy(side->release, row->kernel.identity.release);
		strcpy(side->arch, row->kernel.identity.arch);
	}
	return 0;
}

static int check_sides(const struct diff *diff, const char *database, struct error *error)
{
	for (int i = 0; i < 2; i++) {
		const struct side *side = &diff->sides[i];

		if (!side->rows)
			return error_set(error, -1,
					 "cannot compare %s: %s has no such build-id or release: "
					 "see `offsets-builder stats`, or add it",
					 side->name, database);
		if (side->rows > 1)
			return error_set(error, -1,
					 "cannot compare %s: %d rows bear it: give a build-id, see "
					 "`offsets-builder show`",
					 side->name, side->rows);
	}
	return 0;
}

/* --------------------------------------------------------------------- one member */

static void put_type(struct diff *diff, const char *type)
{
	if (!diff->type || strcmp(diff->type, type))
		text_format(&diff->text, "%s%s\n", strncmp(type, "enum ", 5) ? "struct " : "",
			    type);
	diff->type = type;
	diff->changed++;
}

/* "12", of a struct's size "32 bytes"; the bytes of a member only where they are not the same. */
static void put_place(struct text *text, const struct layout_field *field, bool with_size)
{
	if (!*field->member) {
		text_format(text, "%u bytes", field->size);
		return;
	}
	text_format(text, "%u", field->offset);
	if (field->bit_shift)
		text_format(text, " bit %u", field->bit_shift);
	if (with_size)
		text_format(text, " (%u bytes)", field->size);
}

static const char *name_of(const struct layout_field *field)
{
	return *field->member ? field->member : "(whole)";
}

static bool looked_for(const struct layout *layout, const struct layout_field *field)
{
	for (size_t i = 0; i < layout->absent_count; i++)
		if (!strcmp(layout->absent[i].type, field->type) &&
		    !strcmp(layout->absent[i].member, field->member))
			return true;
	return false;
}

/* A member that only one of them has. */
static void put_single(struct diff *diff, int side, const struct layout_field *field)
{
	put_type(diff, field->type);
	text_format(&diff->text, "  %c %-24s ", side ? '+' : '-', name_of(field));
	put_place(&diff->text, field, true);
	if (!looked_for(&diff->sides[!side].layout, field))
		text_str(&diff->text, ", was not looked for in the other");
	text_char(&diff->text, '\n');
}

static void put_both(struct diff *diff, const struct layout_field *a, const struct layout_field *b)
{
	bool sizes = a->size != b->size;

	if (a->offset == b->offset && !sizes && a->bit_shift == b->bit_shift) {
		diff->same++;
		return;
	}
	put_type(diff, a->type);
	text_format(&diff->text, "    %-24s ", name_of(a));
	put_place(&diff->text, a, sizes);
	text_str(&diff->text, " -> ");
	put_place(&diff->text, b, sizes);
	text_char(&diff->text, '\n');
}

static int compare(const struct layout_field *a, const struct layout_field *b)
{
	int order = strcmp(a->type, b->type);

	return order ? order : strcmp(a->member, b->member);
}

/* Both are sorted. */
static void put_members(struct diff *diff)
{
	const struct layout *a = &diff->sides[0].layout, *b = &diff->sides[1].layout;
	size_t i = 0, j = 0;

	while (i < a->count || j < b->count) {
		int order = i == a->count ? 1 :
			    j == b->count ? -1 :
					    compare(&a->fields[i], &b->fields[j]);

		if (order < 0)
			put_single(diff, 0, &a->fields[i++]);
		else if (order > 0)
			put_single(diff, 1, &b->fields[j++]);
		else
			put_both(diff, &a->fields[i++], &b->fields[j++]);
	}
}

static void put_diff(struct diff *diff)
{
	for (int i = 0; i < 2; i++) {
		const struct side *side = &diff->sides[i];

		text_format(&diff->text, "%s %s %s%s%s\n", i ? "+++" : "---",
			    *side->release ? side->release : "(no release)", side->arch,
			    *side->build_id ? ", build-id " : "", side->build_id);
	}
	put_members(diff);
	text_format(&diff->text, "%zu changed, %zu the same\n", diff->changed, diff->same);
}

static int run(const struct command_line *line, struct diff *diff)
{
	struct error error;
	struct db *db;
	int err = db_open_read(line->database, &db, &error);

	if (!err) {
		err = db_each_kernel(db, take_row, diff, &error);
		db_close(db);
	}
	if (!err)
		err = check_sides(diff, line->database, &error);
	if (err) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	put_diff(diff);
	return command_print_text(&diff->text);
}

int command_diff(int argc, char **argv)
{
	struct command_line line;
	struct diff *diff;
	int status = command_parse(argc, argv, usage_text, false, 2, 2, "name two kernels", &line);

	if (status >= 0)
		return status;
	diff = calloc(1, sizeof(*diff));
	if (!diff)
		return EXIT_FAILED;
	diff->sides[0].name = line.operands[0];
	diff->sides[1].name = line.operands[1];
	status = run(&line, diff);
	text_free(&diff->text);
	free(diff);
	return status;
}
