// SPDX-License-Identifier: Apache-2.0
/* jsonl_*.c: the text of a database, and back. */
#include "db_helpers.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "command.h"
#include "jsonl.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define SHA_3 "3333333333333333333333333333333333333333333333333333333333333333"

/* sha256sum of "enum e.V 3 0 0\ntask_struct.mm absent\ntask_struct.tgid 980 4 0\nupid. 0 32 2\n" */
#define LAYOUT "9eba2305607081114c846e30bf25ec06efec3393d65169cdf0a32b33a7c75de0"

static const char layout_line[] =
	"{\"layout\":{\"sha256\":\"" LAYOUT "\",\"fields\":{\"enum e\":{\"V\":[3,0]},"
	"\"task_struct\":{\"tgid\":[980,4]},\"upid\":{\"\":[0,32,2]}},"
	"\"absent\":{\"task_struct\":[\"mm\"]}}}\n";
static const char kernel_line[] =
	"{\"kernel\":{\"build_id\":\"" A40 "\",\"arch\":\"x86_64\",\"release\":\"6.1.0\","
	"\"version\":\"#1 SMP \\\"x\\\"\",\"distro\":\"debian\",\"package\":\"p.deb\","
	"\"package_sha256\":\"" SHA_1 "\",\"source\":\"https://m/p.deb\",\"sha256\":\"" SHA_3 "\","
	"\"source_verified\":true,\"layout\":\"" LAYOUT "\"}}\n";
static const char release_line[] =
	"{\"kernel\":{\"arch\":\"aarch64\",\"release\":\"6.2.0\",\"layout\":\"" LAYOUT "\"}}\n";
static const char twin_line[] = "{\"crawled\":{\"package_sha256\":\"" SHA_2
				"\",\"package\":\"q.deb\",\"build_id\":\"" A40 "\"}}\n";
static const char empty_line[] = "{\"crawled\":{\"package_sha256\":\"" SHA_3
				 "\",\"package\":\"r.deb\",\"why\":\"it is empty\"}}\n";

static void add_field(struct layout *layout, const char *type, const char *member, uint32_t offset,
		      uint32_t size, uint32_t bit_shift)
{
	struct layout_field *field = &layout->fields[layout->count++];

	*field = (struct layout_field){.offset = offset, .size = size, .bit_shift = bit_shift};
	strcpy(field->type, type);
	strcpy(field->member, member);
}

/* The database of the lines above, made without them. */
static void make_database(const char *path)
{
	struct db_kernel kernel = {.distro = "debian",
				   .source = "https://m/p.deb",
				   .sha256 = SHA_3,
				   .package = "p.deb",
				   .package_sha256 = SHA_1,
				   .source_verified = true};
	struct db_crawled twin = {.package_sha256 = SHA_2, .package = "q.deb", .build_id = A40};
	struct db_crawled empty = {
		.package_sha256 = SHA_3, .package = "r.deb", .why = "it is empty"};
	struct db_kernel release = {.identity = {.arch = "aarch64", .release = "6.2.0"}};
	struct layout *layout = calloc(1, sizeof(*layout));
	struct error error;
	struct db *db;

	unlink(path);
	add_field(layout, "upid", "", 0, 32, 2);
	add_field(layout, "task_struct", "tgid", 980, 4, 0);
	add_field(layout, "enum e", "V", 3, 0, 0);
	layout->absent_count = 1;
	strcpy(layout->absent[0].type, "task_struct");
	strcpy(layout->absent[0].member, "mm");
	seal_layout(layout);
	strcpy(kernel.identity.build_id, A40);
	strcpy(kernel.identity.arch, "x86_64");
	strcpy(kernel.identity.release, "6.1.0");
	strcpy(kernel.identity.version, "#1 SMP \"x\"");
	add_kernel(path, &kernel, layout);
	add_kernel(path, &release, layout);
	free(layout);
	assert_int_equal(db_open(path, &db, &error), 0);
	assert_int_equal(db_crawled_put(db, &twin, &error), 0);
	assert_int_equal(db_crawled_put(db, &empty, &error), 0);
	db_close(db);
}

static int import_text(const char *path, const char *text, size_t size, struct error *error)
{
	size_t counts[DB_OUTCOMES] = {0};
	struct db *db;
	int err;

	spill("import.jsonl", text, size);
	if (db_open(path, &db, error))
		fail_msg("%s", error->text);
	err = jsonl_import(db, "import.jsonl", counts, error);
	db_close(db);
	return err;
}

/* -------------------------------------------------------------------------- export */

static void a_database_is_these_lines(void **state)
{
	char *expected, *export;

	(void)state;
	make_database("lines.db");
	assert_true(asprintf(&expected, "%s%s%s%s%s", layout_line, release_line, kernel_line,
			     twin_line, empty_line) > 0);
	export = export_of("lines.db");
	assert_same_lines(export, expected);
	free(export);
	free(expected);
}

static void lines_are_the_database_again(void **state)
{
	struct error error;
	char *text, *again;

	(void)state;
	make_database("original.db");
	text = export_of("original.db");
	assert_int_equal(import_text("again.db", text, strlen(text), &error), 0);
	again = export_of("again.db");
	assert_same_lines(again, text);
	free(again);
	/* And once more into the same changes nothing. */
	assert_int_equal(import_text("again.db", text, strlen(text), &error), 0);
	again = export_of("again.db");
	assert_same_lines(again, text);
	free(again);
	free(text);
	/* Down to the columns that the text leaves out. */
	assert_sql("again.db", "SELECT count(*) FROM crawled", "3\n");
	assert_sql("again.db", "SELECT count(*) FROM layout_field WHERE offset IS NULL", "1\n");
}

static char *random_database(uint64_t *dice, const char *path)
{
	struct layout layout;

	unlink(path);
	for (int i = 0; i < 12; i++) {
		struct db_kernel kernel = kernel_named("", "6.1.0-\xc3\xa9\"\\/");
		char source[64];

		snprintf(kernel.identity.build_id, 16, "%04x", (unsigned int)roll(dice, 10));
		snprintf(source, sizeof(source), "s\xe2\x80\xa8%u<>&'",
			 (unsigned int)roll(dice, 9));
		kernel.source = source;
		kernel.source_verified = roll(dice, 2);
		if (!roll(dice, 3))
			*kernel.identity.build_id = 0;
		make_older(&layout, (unsigned int)roll(dice, 4), roll(dice, 2));
		add_kernel(path, &kernel, &layout);
	}
	return export_of(path);
}

static void any_database_survives_being_text(void **state)
{
	uint64_t dice = 77;

	(void)state;
	for (int i = 0; i < 10; i++) {
		char *text = random_database(&dice, "random.db"), *again;
		struct error error;

		unlink("survived.db");
		if (import_text("survived.db", text, strlen(text), &error))
			fail_msg("%s", error.text);
		again = export_of("survived.db");
		assert_same_lines(again, text);
		free(again);
		free(text);
	}
}

static void the_same_text_gives_the_same_bytes(void **state)
{
	size_t size, same_size;
	struct error error;
	char *text, *one, *two;

	(void)state;
	make_database("bytes.db");
	text = export_of("bytes.db");
	setenv("SOURCE_DATE_EPOCH", "0", 1);
	assert_int_equal(import_text("bytes-1.db", text, strlen(text), &error), 0);
	usleep(1100000); /* SQLite and clocks know seconds */
	assert_int_equal(import_text("bytes-2.db", text, strlen(text), &error), 0);
	assert_sql("bytes-1.db", "SELECT count(built_at) FROM kernel", "0\n");
	assert_sql("bytes-1.db", "SELECT count(*) FROM meta WHERE key = 'built_at'", "0\n");
	setenv("SOURCE_DATE_EPOCH", "86399", 1);
	assert_int_equal(import_text("bytes-3.db", text, strlen(text), &error), 0);
	unsetenv("SOURCE_DATE_EPOCH");
	assert_sql("bytes-3.db", "SELECT DISTINCT built_at FROM kernel", "1970-01-01T23:59:59Z\n");
	one = slurp("bytes-1.db", &size);
	two = slurp("bytes-2.db", &same_size);
	assert_int_equal(size, same_size);
	assert_memory_equal(one, two, size);
	free(one);
	free(two);
	free(text);
}

/* ------------------------------------------------------------------------- import */

static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	char *out;

	if (!at)
		fail_msg("no %s", old);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) > 0);
	return out;
}

/* One thing of the text is another: nothing of it is taken, and the line is named. */
static void what_export_would_not_write_is_refused(void **state)
{
	static const struct {
		const char *old, *new, *place;
	} changes[] = {
		/* the numbers are not those that were hashed */
		{"[980,4]", "[984,4]", "line 1:"},
		{"[980,4]", "[980,4,0]", "line 1:"},
		{"[980,4]", "[980]", "line 1:"},
		{"[980,4]", "[-1,4]", "line 1:"},
		{"[980,4]", "[9800000000,4]", "line 1:"},
		{"[980,4]", "[980.0,4]", "line 1:"},
		{"[980,4]", "[\"980\",4]", "line 1:"},
		{"[980,4]", "980", "line 1:"},
		{"[0,32,2]", "[0,32,2,0]", "line 1:"},
		{"\"tgid\":", "\"tgid\":[1,4],\"tgid\":", "line 1:"},
		{"\"absent\":", "\"missing\":", "line 1:"},
		{"[\"mm\"]", "[\"mm\",\"mm\"]", "line 1:"},
		{"[\"mm\"]", "[\"tgid\"]", "line 1:"},
		{"[\"mm\"]", "[3]", "line 1:"},
		{"[\"mm\"]", "\"mm\"", "line 1:"},
		{"{\"layout\":{", "{\"layout\":[", "line 1:"},
		{"{\"layout\":{", "{\"lay\":{", "line 1:"},
		{"{\"layout\":{", "[{\"layout\":{", "line 1:"},
		{"{\"layout\":{", " {\"layout\":{", "line 1:"},
		{"}}}\n", "}}}", "line 1:"},
		{"}}}\n", "}}} \n", "line 1:"},
		{"}}}\n", "}}}\r\n", "line 1:"},
		{"}}}\n", "}}}{}\n", "line 1:"},
		{"}}}\n", "}}}\n\n", "line 2:"},
		{"}}}\n", "}}}\n# comment\n", "line 2:"},
		/* the kernels */
		{"\"6.2.0\"", "\"6.2.0\",\"version\":\"\"", "line 2:"},
		{"\"6.2.0\"", "\"6.2.0\\n\"", "line 2:"},
		{"\"6.2.0\"", "\"6.2.0\\u0000\"", "line 2:"},
		{"\"6.2.0\"", "\"6\\u002e2.0\"", "line 2:"},
		{"\"6.2.0\"", "null", "line 2:"},
		{"\"aarch64\"", "\"a machine of too long a name\"", "line 2:"},
		{"\"aarch64\",", "\"aarch64\", ", "line 2:"},
		{"\"arch\":\"aarch64\",", "", "line 2:"},
		{"\"build_id\":\"" A40, "\"build_id\":\"A", "line 3:"},
		{"\"build_id\":\"" A40, "\"build_id\":\"" A40 A40, "line 3:"},
		{"\"build_id\":\"" A40, "\"build_id\":\"bb\",\"build_id\":\"" A40, "line 3:"},
		{"\"package_sha256\":\"1", "\"package_sha256\":\"G", "line 3:"},
		{"\"source_verified\":true", "\"source_verified\":1", "line 3:"},
		{"\"source_verified\":true", "\"source_verified\":false", "line 3:"},
		{"\"source_verified\":true", "\"verified\":true", "line 3:"},
		{"https:", "https\x1b", "line 3:"},
		{"https:", "https\xff", "line 3:"},
		{"true,\"layout\":\"", "true,\"layout\":\"0", "line 3:"},
		{"\"layout\":\"" LAYOUT "\"}}\n{\"crawled",
		 "\"layout\":\"" SHA_1 "\"}}\n{\"crawled", "line 3:"},
		/* the packages */
		{"\"why\":", "\"build_id\":\"aa\",\"why\":", "line 5:"},
		{",\"why\":\"it is empty\"", "", "line 5:"},
		{"\"r.deb\"", "\"\"", "line 5:"},
	};
	struct error error;
	char *text, *export;

	(void)state;
	make_database("text.db");
	text = export_of("text.db");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *changed = replaced(text, changes[i].old, changes[i].new);
		int err;

		unlink("refused.db");
		err = import_text("refused.db", changed, strlen(changed), &error);
		if (err >= 0)
			fail_msg("taken: %s", changes[i].new);
		if (!strstr(error.text, changes[i].place) || !strstr(error.text, "import.jsonl"))
			fail_msg("\"%s\" for %s", error.text, changes[i].new);
		export = export_of("refused.db");
		assert_string_equal(export, "");
		free(export);
		free(changed);
	}
	free(text);
}

/* It is not what it says that is kept, but what is there. */
static void a_line_after_its_kernel_is_too_late(void **state)
{
	struct error error;
	char *text;

	(void)state;
	assert_true(asprintf(&text, "%s%s", release_line, layout_line) > 0);
	assert_int_equal(import_text("late.db", text, strlen(text), &error), -EINVAL);
	assert_non_null(strstr(error.text, "line 1: no line before it has its layout"));
	free(text);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	size_t size = JSONL_LINE_MAX + 10;
	char *long_line = malloc(size);
	struct error error;

	(void)state;
	memset(long_line, 'x', size);
	long_line[size - 1] = '\n';
	assert_int_equal(import_text("bytes.db", long_line, size, &error), -EINVAL);
	assert_int_equal(import_text("bytes.db", "{}\n", 3, &error), -EINVAL);
	assert_int_equal(import_text("bytes.db", "\0\0\n", 3, &error), -EINVAL);
	assert_int_equal(import_text("bytes.db", "{\"layout\":{}}\n", 14, &error), -EINVAL);
	memset(long_line, '[', size - 1);
	assert_int_equal(import_text("bytes.db", long_line + 1000, size - 1000, &error), -EINVAL);
	free(long_line);
	/* No line at all is an empty database. */
	assert_int_equal(import_text("bytes.db", "", 0, &error), 0);
}

static void one_file_that_fails_does_not_keep_the_others_out(void **state)
{
	char *text, *out, *err;

	(void)state;
	make_database("good.db");
	text = export_of("good.db");
	spill("good.jsonl", text, strlen(text));
	free(text);
	spill("bad.jsonl", "{}\n", 3);
	assert_int_equal(run_command(command_import, "-d some.db bad.jsonl none.jsonl . good.jsonl",
				     &out, &err),
			 EXIT_FAILED);
	assert_string_equal(out, "good.jsonl: 2 added, 0 updated, 0 unchanged, 0 in conflict\n");
	assert_non_null(strstr(err, "bad.jsonl: line 1"));
	assert_non_null(strstr(err, "none.jsonl"));
	assert_non_null(strstr(err, "cannot open .:"));
	/* The layout of these lines is no list's. */
	assert_non_null(
		strstr(err, "some.db is older than the list of members: of 2 of 2 kernels"));
	free(out);
	free(err);
	assert_int_equal(run_command(command_import, "-d empty.db", &out, &err), EXIT_DONE);
	assert_string_equal(err, "");
	assert_sql("empty.db", "SELECT count(*) FROM kernel", "0\n");
	free(out);
	free(err);
}

/* What two files claim for one kernel is reported, and then settled by hand. */
static void a_conflict_is_reported_and_settled_in_the_text(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	struct layout one, two;
	char *text, *at, *err;

	(void)state;
	make_layout(&one, 1);
	make_layout(&two, 2);
	add_kernel("settle.db", &kernel, &one);
	add_kernel("settle.db", &kernel, &two);
	text = export_of("settle.db");
	spill("settle.jsonl", text, strlen(text));
	assert_int_equal(run_command(command_import, "-d settle-2.db settle.jsonl", NULL, &err),
			 EXIT_FAILED);
	assert_non_null(strstr(err, "settle.jsonl contradicts what is known of 1 kernels"));
	free(err);
	at = strstr(text, "{\"kernel\"");
	at = strstr(at + 1, "{\"kernel\"");
	assert_non_null(at);
	spill("settle.jsonl", text, (size_t)(at - text));
	assert_int_equal(run_command(command_import, "-d settle-3.db settle.jsonl", NULL, NULL),
			 EXIT_DONE);
	assert_int_equal(run_command(command_verify, "-d settle-3.db", NULL, NULL), EXIT_DONE);
	free(text);
}

/* --------------------------------------------------------------------- directories */

static int count_files(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += *entry->d_name != '.';
	closedir(dir);
	return n;
}

static void a_directory_has_a_file_for_each_distribution_and_machine(void **state)
{
	struct db_kernel kernel = kernel_named("aa", "6.1.0");
	struct layout layout;
	char *text, *whole, *err;

	(void)state;
	make_layout(&layout, 1);
	make_database("split.db");
	kernel.distro = "../a b/\xc3\xa9";
	add_kernel("split.db", &kernel, &layout);
	assert_int_equal(run_command(command_export, "-d split.db split/", NULL, NULL), EXIT_DONE);
	assert_int_equal(count_files("split"), 4);
	text = slurp("split/unknown-aarch64.jsonl", NULL);
	assert_non_null(strstr(text, layout_line));
	assert_non_null(strstr(text, release_line));
	assert_null(strstr(text, A40));
	free(text);
	text = slurp("split/debian-x86_64.jsonl", NULL);
	assert_true(asprintf(&whole, "%s%s%s", layout_line, kernel_line, twin_line) > 0);
	assert_same_lines(text, whole);
	free(whole);
	free(text);
	text = slurp("split/without-kernel.jsonl", NULL);
	assert_string_equal(text, empty_line);
	free(text);
	text = slurp("split/___a_b___-x86_64.jsonl", NULL);
	free(text);
	/* All of it together is the database. */
	assert_int_equal(run_command(command_import,
				     "-d joined.db split/without-kernel.jsonl "
				     "split/debian-x86_64.jsonl split/___a_b___-x86_64.jsonl "
				     "split/unknown-aarch64.jsonl",
				     NULL, NULL),
			 EXIT_DONE);
	text = export_of("split.db");
	whole = export_of("joined.db");
	assert_same_lines(whole, text);
	free(whole);
	free(text);
	/* What is left of an earlier one would come back. */
	spill("split/old.jsonl", "", 0);
	spill("split/README", "", 0);
	assert_int_equal(run_command(command_export, "-d split.db split", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "split/old.jsonl is not of this database"));
	free(err);
}

static void what_can_not_be_written_is_left_as_it_was(void **state)
{
	char *text, *err;

	(void)state;
	make_database("kept.db");
	assert_int_equal(mkdir("full", 0700), 0);
	spill("full/debian-x86_64.jsonl", "before\n", 7);
	assert_int_equal(mkdir("full/debian-x86_64.jsonl.part", 0700), 0);
	assert_int_equal(run_command(command_export, "-d kept.db full", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "cannot write full/debian-x86_64.jsonl"));
	free(err);
	text = slurp("full/debian-x86_64.jsonl", NULL);
	assert_string_equal(text, "before\n");
	free(text);
	assert_int_equal(run_command(command_export, "-d kept.db /dev/null/x", NULL, NULL),
			 EXIT_FAILED);
	assert_int_equal(run_command(command_export, "-d none.db", NULL, NULL), EXIT_FAILED);
	assert_int_equal(run_command(command_export, "", NULL, NULL), EXIT_USAGE);
	assert_int_equal(run_command(command_export, "-d kept.db a b", NULL, NULL), EXIT_USAGE);
	assert_int_equal(run_command(command_export, "-d kept.db --json", NULL, NULL), EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_is_these_lines),
		cmocka_unit_test(lines_are_the_database_again),
		cmocka_unit_test(any_database_survives_being_text),
		cmocka_unit_test(the_same_text_gives_the_same_bytes),
		cmocka_unit_test(what_export_would_not_write_is_refused),
		cmocka_unit_test(a_line_after_its_kernel_is_too_late),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(one_file_that_fails_does_not_keep_the_others_out),
		cmocka_unit_test(a_conflict_is_reported_and_settled_in_the_text),
		cmocka_unit_test(a_directory_has_a_file_for_each_distribution_and_machine),
		cmocka_unit_test(what_can_not_be_written_is_left_as_it_was),
	};

	return cmocka_run_group_tests(tests, work_set_up, work_tear_down);
}
