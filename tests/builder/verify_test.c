// SPDX-License-Identifier: Apache-2.0
/* db_verify.c, layout_check.c: a sound database has no fault, and one with one has that one. */
#include "db_helpers.h"

#include "command.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_1 "1111111111111111111111111111111111111111111111111111111111111111"

/* Two kernels, two layouts, a package with a kernel and one without. */
static void make_sound(const char *path)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	struct db_crawled crawled = {.package_sha256 = SHA_1, .package = "empty", .why = "empty"};
	struct layout layout;
	struct error error;
	struct db *db;

	unlink(path);
	make_layout(&layout, 1);
	kernel.package = "p";
	kernel.package_sha256 = "2222222222222222222222222222222222222222222222222222222222222222";
	add_kernel(path, &kernel, &layout);
	make_layout(&layout, 2);
	kernel = kernel_named("bb", "6.2.0");
	add_kernel(path, &kernel, &layout);
	assert_int_equal(db_open(path, &db, &error), 0);
	assert_int_equal(db_crawled_put(db, &crawled, &error), 0);
	db_close(db);
}

static void a_sound_database_has_no_fault(void **state)
{
	char *out, *err;

	(void)state;
	make_sound("sound.db");
	assert_int_equal(run_command(command_verify, "-d sound.db", &out, &err), EXIT_DONE);
	assert_string_equal(out, "no faults\n");
	assert_string_equal(err, "");
	free(out);
	free(err);
	assert_int_equal(run_command(command_import, "-d empty.db", NULL, NULL), EXIT_DONE);
	assert_int_equal(run_command(command_verify, "-d empty.db", NULL, NULL), EXIT_DONE);
}

/* As an editor that cares for nothing would make it. */
static void every_planted_fault_is_found(void **state)
{
	static const struct {
		const char *sql, *says;
	} faults[] = {
		/* schema */
		{"DROP INDEX kernel_by_version", "the schema lacks the index kernel_by_version"},
		{"ALTER TABLE crawled RENAME COLUMN why TO reason", "crawled"},
		{"ALTER TABLE meta DROP COLUMN value", "the schema lacks meta.value"},
		/* layouts */
		{"UPDATE layout_field SET offset = offset + 8 WHERE layout_id = 1 AND member = "
		 "'mm'",
		 "its SHA-256 is of other numbers"},
		{"UPDATE layout SET sha256 = printf('%.*c', 64, 'a') WHERE id = 1",
		 "layout aaaaaaaaaaaa: "},
		{"UPDATE layout SET sha256 = 'short' WHERE id = 1", "layout short: "},
		{"UPDATE layout_field SET size = NULL WHERE layout_id = 1 AND member = 'mm'",
		 "a layout has what is no offset"},
		{"UPDATE layout_field SET offset = 'x' WHERE layout_id = 1 AND member = 'mm'",
		 "a layout has what is no offset"},
		{"UPDATE layout_field SET member = printf('%.*c', 80, 'm') WHERE layout_id = 1 AND "
		 "member = 'mm'",
		 "a layout has what is no offset"},
		{"DELETE FROM layout_field WHERE layout_id = 1", "it has at least one member"},
		{"INSERT INTO layout VALUES (9, printf('%.*c', 64, 'e'));"
		 "INSERT INTO layout_field SELECT 9, struct, member, offset, size, bit_shift FROM "
		 "layout_field WHERE layout_id = 1",
		 "layout eeeeeeeeeeee: no kernel has it"},
		/* rows that belong to nothing */
		{"INSERT INTO layout_field VALUES (77, 'cred', 'uid', 4, 4, 0)",
		 "a row has nothing to belong to: layout_field"},
		{"UPDATE kernel SET layout_id = 77 WHERE id = 1",
		 "a row has nothing to belong to: kernel 1 of layout"},
		{"UPDATE crawled SET build_id = 'cc' WHERE build_id IS NOT NULL",
		 "package p: its kernel has no row"},
		/* kernels */
		{"UPDATE kernel SET build_id = 'BB' WHERE id = 2", "kernel BB: "},
		{"UPDATE kernel SET build_id = '' WHERE id = 2",
		 "CHECK constraint failed in kernel"},
		{"UPDATE kernel SET arch = NULL, build_id = NULL WHERE id = 2",
		 "its identity is not well-formed"},
		{"UPDATE kernel SET release = char(10) WHERE id = 2",
		 "its release is not well-formed"},
		{"UPDATE kernel SET version = printf('%.*c', 300, 'v') WHERE id = 2", "too long"},
		{"UPDATE kernel SET sha256 = 'abc' WHERE id = 2", "its sha256 is not well-formed"},
		{"UPDATE kernel SET package_sha256 = 'abc' WHERE id = 2",
		 "its package_sha256 is not well-formed"},
		{"UPDATE kernel SET source = x'c0af' WHERE id = 2",
		 "its source is not well-formed"},
		{"UPDATE kernel SET source_verified = 2 WHERE id = 2",
		 "kernel bb: source_verified is neither"},
		{"UPDATE kernel SET built_at = 'today' WHERE id = 2",
		 "kernel bb: built_at is no time"},
		{"INSERT INTO kernel (build_id, arch, release, version, layout_id) SELECT "
		 "build_id, "
		 "arch, release, version, 3 - layout_id FROM kernel WHERE id = 2",
		 "kernel bb: two layouts are claimed for it"},
		{"INSERT INTO kernel (arch, release, version, layout_id) SELECT arch, release, "
		 "version, "
		 "3 - layout_id FROM kernel WHERE id = 2",
		 "two layouts are claimed for it"},
		{"INSERT INTO kernel (build_id, arch, release, version, layout_id) SELECT "
		 "build_id, "
		 "arch, release, version, layout_id FROM kernel WHERE id = 2",
		 "kernel bb: it has two rows that say the same"},
		/* packages */
		{"UPDATE crawled SET package_sha256 = 'abc' WHERE why IS NOT NULL",
		 "package empty: its package_sha256"},
		{"UPDATE crawled SET why = char(27) WHERE why IS NOT NULL",
		 "package empty: its why"},
		{"UPDATE crawled SET build_id = 'bb' WHERE why IS NOT NULL",
		 "package empty: its build-id"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char *err, *sql;

		make_sound("fault.db");
		assert_true(asprintf(&sql,
				     "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = "
				     "OFF; %s",
				     faults[i].sql) > 0);
		run_sql("fault.db", sql);
		free(sql);
		if (run_command(command_verify, "-d fault.db", NULL, &err) != EXIT_FAILED)
			fail_msg("no fault after %s", faults[i].sql);
		if (!strstr(err, faults[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err, faults[i].says);
		free(err);
	}
}

static void a_damaged_page_is_found(void **state)
{
	size_t size;
	char *bytes, *err;

	(void)state;
	make_sound("pages.db");
	bytes = slurp("pages.db", &size);
	/* An index that says something else than its table. */
	for (size_t at = 4096; at + 40 < size; at++)
		if (!memcmp(bytes + at, A40, 40) && memcmp(bytes + at + 40, "x86_64", 6))
			bytes[at + 5] = 'b';
	spill("pages.db", bytes, size);
	free(bytes);
	assert_int_equal(run_command(command_verify, "-d pages.db", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "the file is damaged"));
	free(err);
	spill("no.db", "no database at all, but long enough", 35);
	assert_int_equal(run_command(command_verify, "-d no.db", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "not a database"));
	free(err);
}

/* ------------------------------------------------------------------------ layouts */

static char said[8192];
static int faults;

static void take(void *arg, const char *what)
{
	(void)arg;
	faults++;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", what);
}

static void check(const struct layout *layout)
{
	*said = 0;
	faults = 0;
	layout_check(layout, take, NULL);
}

static void a_layout_that_a_kernel_can_have_has_no_fault(void **state)
{
	struct layout layout;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		make_layout(&layout, i);
		check(&layout);
		assert_string_equal(said, "");
	}
	/* A member that this program does not know lies where it wants, if nobody else does. */
	snprintf(layout.fields[layout.count].type, LAYOUT_NAME_MAX, "task_struct");
	snprintf(layout.fields[layout.count].member, LAYOUT_NAME_MAX, "flux");
	layout.fields[layout.count].offset = 9999;
	layout.fields[layout.count].size = 3;
	layout.count++;
	check(&layout);
	assert_string_equal(said, "");
	/* Capabilities were two words of 32 bits, once. */
	field_named(&layout, "cred", "cap_effective")->offset = 204;
	check(&layout);
	assert_string_equal(said, "");
}

static void every_impossible_place_is_found(void **state)
{
	static const struct {
		const char *type, *member;
		uint32_t offset, size, bit_shift;
		const char *says;
	} places[] = {
		{"task_struct", "tgid", 1002, 4, 0,
		 "task_struct.tgid lies at 1002, which is not aligned"},
		{"task_struct", "mm", 1004, 8, 0,
		 "task_struct.mm lies at 1004, which is not aligned"},
		{"cred", "cap_effective", 206, 8, 0, "which is not aligned"},
		{"task_struct", "mm", 1000, 4, 0,
		 "task_struct.mm has 4 bytes, and 8 are read of it"},
		{"task_struct", "mm", 1000, 64, 0, "task_struct.mm has 64 bytes"},
		{"task_struct", "tgid", 1000, 4, 3, "is no bit field"},
		{"task_struct", "tgid", 70000, 4, 0, "beyond any kernel's"},
		{"task_struct", "comm", 65530, 16, 0, "beyond any kernel's"},
		{"task_struct", "comm", 0, 70000, 0, "beyond any kernel's"},
		{"task_struct", "comm", 4294967290u, 16, 0, "beyond any kernel's"},
		{"upid", "ns", 60, 8, 0, "upid.ns ends at 68, and the struct has 64 bytes"},
		{"upid", "", 0, 0, 0, "is a small struct"},
		{"upid", "", 8, 64, 0, "is a small struct"},
		{"upid", "", 0, 5000, 0, "is a small struct"},
		{"enum pid_type", "PIDTYPE_SID", 5, 0, 0, "PIDTYPE_PGID is 2 and PIDTYPE_SID 5"},
		{"enum pid_type", "PIDTYPE_SID", 2, 0, 0, "are both 2"},
		{"enum pid_type", "PIDTYPE_PGID", 900, 0, 0, "no small number"},
		{"enum pid_type", "PIDTYPE_PGID", 2, 4, 0, "no small number"},
	};
	struct layout layout;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct layout_field *field;

		make_layout(&layout, 1);
		field = field_named(&layout, places[i].type, places[i].member);
		field->offset = places[i].offset;
		field->size = places[i].size;
		field->bit_shift = places[i].bit_shift;
		check(&layout);
		if (!strstr(said, places[i].says))
			fail_msg("\"%s\" does not say \"%s\"", said, places[i].says);
	}
}

static void members_that_overlap_are_found(void **state)
{
	struct layout layout;

	(void)state;
	make_layout(&layout, 1);
	field_named(&layout, "task_struct", "comm")->offset =
		field_named(&layout, "task_struct", "cred")->offset - 8;
	check(&layout);
	assert_non_null(strstr(said, "overlap"));
	assert_non_null(strstr(said, "task_struct.comm"));
	/* One byte is enough; next to each other is not. */
	make_layout(&layout, 1);
	field_named(&layout, "task_struct", "comm")->offset = 2000;
	field_named(&layout, "task_struct", "tgid")->offset = 2016;
	check(&layout);
	assert_string_equal(said, "");
	field_named(&layout, "task_struct", "comm")->size = 17;
	check(&layout);
	assert_int_equal(faults, 1);
	/* The same place in another struct is another place. */
	make_layout(&layout, 1);
	assert_int_equal(field_named(&layout, "cred", "uid")->offset,
			 field_named(&layout, "inode", "i_mode")->offset);
}

static void drop(struct layout *layout, const char *type, const char *member)
{
	*field_named(layout, type, member) = layout->fields[layout->count - 1];
	layout->count--;
}

static void what_every_kernel_has_may_not_lack(void **state)
{
	static const char *const members[][2] = {
		{"task_struct", "tgid"},    {"task_struct", "real_parent"},
		{"mm_struct", "arg_start"}, {"mm_struct", "arg_end"},
		{"task_struct", "comm"},    {"cred", "uid"},
		{"task_struct", "mm"},	    {"mm_struct", "exe_file"},
	};
	struct layout layout;
	char expected[128];

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		make_layout(&layout, 1);
		drop(&layout, members[i][0], members[i][1]);
		check(&layout);
		snprintf(expected, sizeof(expected), "%s.%s is missing, and every kernel has it\n",
			 members[i][0], members[i][1]);
		assert_string_equal(said, expected);
	}
	/* Of two names one is enough. */
	make_layout(&layout, 1);
	drop(&layout, "task_struct", "start_boottime");
	drop(&layout, "task_struct", "pids");
	check(&layout);
	assert_string_equal(said, "");
	drop(&layout, "task_struct", "real_start_time");
	check(&layout);
	assert_int_equal(faults, 1);
}

static void a_list_that_has_grown_is_seen(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	struct layout layout;
	char *err;

	(void)state;
	make_older(&layout, 1, 2);
	add_kernel("older.db", &kernel, &layout);
	kernel = kernel_named("bb", "6.2.0");
	make_layout(&layout, 1);
	add_kernel("older.db", &kernel, &layout);
	assert_int_equal(run_command(command_verify, "-d older.db", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "older than the list of members: of 1 of 2 kernels nothing is "
				    "said about enum cgroup_subsys_id.memory_cgrp_id, enum "
				    "cgroup_subsys_id.pids_cgrp_id: read them again"));
	free(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_database_has_no_fault),
		cmocka_unit_test(every_planted_fault_is_found),
		cmocka_unit_test(a_damaged_page_is_found),
		cmocka_unit_test(a_layout_that_a_kernel_can_have_has_no_fault),
		cmocka_unit_test(every_impossible_place_is_found),
		cmocka_unit_test(members_that_overlap_are_found),
		cmocka_unit_test(what_every_kernel_has_may_not_lack),
		cmocka_unit_test(a_list_that_has_grown_is_seen),
	};

	return cmocka_run_group_tests(tests, work_set_up, work_tear_down);
}
