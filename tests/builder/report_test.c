// SPDX-License-Identifier: Apache-2.0
/* show, stats, diff and missing: what they say of databases and fleets made by hand. */
#include "db_helpers.h"

#include <json-c/json.h>

#include "command.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA_2 "2222222222222222222222222222222222222222222222222222222222222222"

static void add_field(struct layout *layout, const char *type, const char *member, uint32_t offset,
		      uint32_t size, uint32_t bit_shift)
{
	struct layout_field *field = &layout->fields[layout->count++];

	*field = (struct layout_field){.offset = offset, .size = size, .bit_shift = bit_shift};
	strcpy(field->type, type);
	strcpy(field->member, member);
}

static void add_absent(struct layout *layout, const char *type, const char *member)
{
	strcpy(layout->absent[layout->absent_count].type, type);
	strcpy(layout->absent[layout->absent_count++].member, member);
}

/* Two layouts in which one thing of each kind has changed. */
static void make_pair(struct layout *a, struct layout *b)
{
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	add_field(a, "task_struct", "tgid", 980, 4, 0);
	add_field(b, "task_struct", "tgid", 988, 4, 0);
	add_field(a, "task_struct", "comm", 1200, 16, 0);
	add_field(b, "task_struct", "comm", 1200, 16, 0);
	add_field(a, "task_struct", "self_exec_id", 1300, 4, 0);
	add_field(b, "task_struct", "self_exec_id", 1300, 8, 0);
	add_field(a, "task_struct", "real_start_time", 1400, 8, 0);
	add_absent(b, "task_struct", "real_start_time");
	add_absent(a, "task_struct", "start_boottime");
	add_field(b, "task_struct", "start_boottime", 1408, 8, 0);
	add_field(b, "inode", "flux", 8, 4, 0);
	add_field(a, "upid", "", 0, 32, 0);
	add_field(b, "upid", "", 0, 16, 0);
	add_field(a, "enum pid_type", "PIDTYPE_SID", 2, 0, 0);
	add_field(b, "enum pid_type", "PIDTYPE_SID", 3, 0, 0);
	add_field(a, "dentry", "bits", 4, 4, 1);
	add_field(b, "dentry", "bits", 4, 4, 2);
	seal_layout(a);
	seal_layout(b);
}

static void make_database(const char *path)
{
	struct db_kernel kernel = kernel_named(A40, "5.4.0"), other = kernel_named("bb", "6.1.0");
	struct db_kernel release = kernel_named("", "5.10.9-x"),
			 conflict = kernel_named("cc", "5.10.2");
	struct db_crawled crawled = {.package_sha256 = SHA_2, .package = "empty", .why = "empty"};
	struct layout a, b;
	struct error error;
	struct db *db;

	unlink(path);
	make_pair(&a, &b);
	kernel.package = "p.deb";
	kernel.package_sha256 = SHA_1;
	kernel.source_verified = true;
	add_kernel(path, &kernel, &a);
	add_kernel(path, &other, &b);
	strcpy(release.identity.arch, "aarch64");
	release.distro = NULL;
	add_kernel(path, &release, &a);
	add_kernel(path, &conflict, &a);
	add_kernel(path, &conflict, &b);
	assert_int_equal(db_open(path, &db, &error), 0);
	assert_int_equal(db_crawled_put(db, &crawled, &error), 0);
	db_close(db);
}

/* ---------------------------------------------------------------------------- diff */

static void diff_says_what_moved_and_nothing_else(void **state)
{
	static const char expected[] =
		"--- 5.4.0 x86_64, build-id " A40 "\n"
		"+++ 6.1.0 x86_64, build-id bb\n"
		"struct dentry\n"
		"    bits                     4 bit 1 -> 4 bit 2\n"
		"enum pid_type\n"
		"    PIDTYPE_SID              2 -> 3\n"
		"struct inode\n"
		"  + flux                     8 (4 bytes), was not looked for in the "
		"other\n"
		"struct task_struct\n"
		"  - real_start_time          1400 (8 bytes)\n"
		"    self_exec_id             1300 (4 bytes) -> 1300 (8 bytes)\n"
		"  + start_boottime           1408 (8 bytes)\n"
		"    tgid                     980 -> 988\n"
		"struct upid\n"
		"    (whole)                  32 bytes -> 16 bytes\n"
		"8 changed, 1 the same\n";
	char *out;

	(void)state;
	make_database("diff.db");
	assert_int_equal(run_command(command_diff, "-d diff.db 5.4.0 bb", &out, NULL), EXIT_DONE);
	assert_same_lines(out, expected);
	free(out);
	assert_int_equal(run_command(command_diff, "-d diff.db bb 6.1.0", &out, NULL), EXIT_DONE);
	assert_non_null(strstr(out, "0 changed, 8 the same\n"));
	free(out);
}

static void diff_needs_two_kernels_that_are_one_each(void **state)
{
	char *err;

	(void)state;
	make_database("two.db");
	assert_int_equal(run_command(command_diff, "-d two.db 5.4 bb", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "cannot compare 5.4: two.db has no such"));
	free(err);
	assert_int_equal(run_command(command_diff, "-d two.db bb 5.10.2", NULL, &err), EXIT_FAILED);
	assert_non_null(strstr(err, "cannot compare 5.10.2: 2 rows bear it"));
	free(err);
	assert_int_equal(run_command(command_diff, "-d two.db bb", NULL, NULL), EXIT_USAGE);
	assert_int_equal(run_command(command_diff, "a b", NULL, NULL), EXIT_USAGE);
}

/* ---------------------------------------------------------------------------- show */

static void show_says_all_that_is_known(void **state)
{
	char *out, *err;

	(void)state;
	make_database("show.db");
	assert_int_equal(run_command(command_show, "-d show.db 5.4.0", &out, NULL), EXIT_DONE);
	assert_ptr_equal(strstr(out, "5.4.0 x86_64\n"), out);
	assert_non_null(strstr(out, "  build-id         " A40 "\n"));
	assert_non_null(strstr(out, "  package          p.deb\n"));
	assert_non_null(strstr(out, "  package sha256   " SHA_1 "\n"));
	assert_non_null(strstr(out, "  package hashed   whole, and it agreed\n"));
	assert_non_null(
		strstr(out, "    tgid                                          980      4\n"));
	assert_non_null(strstr(out, "  not in this kernel: task_struct.start_boottime\n"));
	assert_null(strstr(out, "conflict"));
	free(out);
	assert_int_equal(run_command(command_show, "-d show.db cc", &out, NULL), EXIT_DONE);
	assert_non_null(strstr(out, "\n\n5.10.2 x86_64\n"));
	assert_non_null(strstr(out, "in conflict"));
	free(out);
	assert_int_equal(run_command(command_show, "-d show.db 5.10.9-x", &out, NULL), EXIT_DONE);
	assert_non_null(strstr(out, "its release only"));
	free(out);
	assert_int_equal(run_command(command_show, "-d show.db 5.4", &out, &err), EXIT_FAILED);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "cannot show 5.4"));
	free(out);
	free(err);
}

static void show_json_can_be_imported(void **state)
{
	char *out, *part;

	(void)state;
	make_database("json.db");
	assert_int_equal(run_command(command_show, "--json -d json.db " A40, &out, NULL),
			 EXIT_DONE);
	spill("show.jsonl", out, strlen(out));
	assert_int_equal(run_command(command_import, "-d part.db show.jsonl", NULL, NULL),
			 EXIT_DONE);
	part = export_of("part.db");
	assert_same_lines(part, out);
	free(part);
	free(out);
}

/* --------------------------------------------------------------------------- stats */

static void stats_count(void **state)
{
	static const char expected[] = "kernels                     5\n"
				       "  in conflict               2\n"
				       "  release only              1\n"
				       "layouts                     2\n"
				       "packages crawled            2\n"
				       "  without a kernel          1\n";
	static const char groups[] = "kernels by distribution\n"
				     "  debian                    4\n"
				     "  unknown                   1\n"
				     "kernels by series\n"
				     "  5.4                       1\n"
				     "  5.10                      3\n"
				     "  6.1                       1\n"
				     "kernels by machine\n"
				     "  aarch64                   1\n"
				     "  x86_64                    4\n";
	char *out;

	(void)state;
	make_database("stats.db");
	assert_int_equal(run_command(command_stats, "-d stats.db", &out, NULL), EXIT_DONE);
	assert_ptr_equal(strstr(out, expected), out);
	assert_non_null(strstr(out, groups));
	free(out);
}

static int number_at(struct json_object *object, const char *group, const char *name)
{
	struct json_object *value = object;

	if (group)
		assert_true(json_object_object_get_ex(object, group, &value));
	assert_true(json_object_object_get_ex(value, name, &value));
	return json_object_get_int(value);
}

static void stats_count_in_json_too(void **state)
{
	struct json_object *object;
	size_t size;
	char *out;

	(void)state;
	make_database("stats.db");
	free(slurp("stats.db", &size));
	assert_int_equal(run_command(command_stats, "--json -d stats.db", &out, NULL), EXIT_DONE);
	object = json_tokener_parse(out);
	assert_non_null(object);
	assert_int_equal(number_at(object, NULL, "kernels"), 5);
	assert_int_equal(number_at(object, NULL, "layouts"), 2);
	assert_int_equal(number_at(object, NULL, "bytes"), size);
	assert_int_equal(number_at(object, "by_series", "5.10"), 3);
	assert_int_equal(number_at(object, "by_arch", "x86_64"), 4);
	assert_int_equal(number_at(object, "by_distribution", "debian"), 4);
	json_object_put(object);
	free(out);
}

/* -------------------------------------------------------------------------- missing */

#define DOCUMENT(host, kernel)                                                                     \
	"{\"capabilities_version\":1,\"host\":{" host "},\"kernel\":{" kernel "}}"
#define KERNEL(id, release)                                                                        \
	"\"release\":\"" release "\",\"version\":\"#1 SMP " release "\",\"arch\":\"x86_64\","      \
	"\"build_id\":\"" id "\""
#define HOST(id) "\"hostname\":\"h\",\"machine_id\":\"" id "\""

static void missing_lists_what_most_hosts_run_first(void **state)
{
	static const char documents[] = DOCUMENT(HOST("1"), KERNEL("dd", "6.5.0")) "\n" DOCUMENT(
		HOST("1"), KERNEL("dd", "6.5.0")) "\n" /* the same host again */
		DOCUMENT(HOST("2"), KERNEL("ee", "6.6.0")) "\n" DOCUMENT(
			HOST("3"),
			KERNEL("ee", "6.6.0")) "\n" DOCUMENT(HOST("4"),
							     KERNEL(A40, "5.4.0")) "\n" /* known */
		DOCUMENT(HOST("5"), KERNEL("cc", "5.10.2")) "\n" /* in conflict: of no use */
		/* another build of a version that is known, and a version without a build-id */
		DOCUMENT(HOST("6"), KERNEL("ff", "6.1.0")) "\n" DOCUMENT(
			HOST("7"), "\"release\":\"6.1.0\",\"version\":\"#1 SMP "
				   "6.1.0\",\"arch\":\"x86_64\"") "\n"
		/* a release that is all there is known of a row */
		DOCUMENT(
			HOST("8"),
			"\"release\":\"5.10.9-x\",\"version\":\"#9\",\"arch\":"
			"\"aarch64\"") "\n"
				       /* on several lines, in an envelope, in an OCSF event; hosts that don't say who they are */
				       "{\n  \"kind\": \"capabilities\",\n  "
				       "\"capabilities\":\n    {\"kernel\": {" KERNEL(
					       "ee", "6.6.0") "}}\n}\n"
							      "{\"class_uid\":5001,"
							      "\"unmapped\":{"
							      "\"capabilities\""
							      ":" DOCUMENT("", KERNEL("ee", "6.6."
											    "0")) "}}" DOCUMENT(
								      HOST("9"),
								      KERNEL("ee", "6.6.0"));
	static const char expected[] =
		"[{\"hosts\":5,\"arch\":\"x86_64\",\"release\":\"6.6.0\",\"build_id\":\"ee\","
		"\"version\":\"#1 SMP 6.6.0\"},"
		"{\"hosts\":1,\"arch\":\"aarch64\",\"release\":\"5.10.9-x\",\"version\":\"#9\"},"
		"{\"hosts\":1,\"arch\":\"x86_64\",\"release\":\"5.10.2\",\"build_id\":\"cc\","
		"\"version\":\"#1 SMP 5.10.2\"},"
		"{\"hosts\":1,\"arch\":\"x86_64\",\"release\":\"6.1.0\",\"build_id\":\"ff\","
		"\"version\":\"#1 SMP 6.1.0\"},"
		"{\"hosts\":1,\"arch\":\"x86_64\",\"release\":\"6.5.0\",\"build_id\":\"dd\","
		"\"version\":\"#1 SMP 6.5.0\"}]\n";
	char *out, *err;

	(void)state;
	make_database("fleet.db");
	spill("fleet.json", documents, sizeof(documents) - 1);
	assert_int_equal(run_command(command_missing, "-d fleet.db --json fleet.json", &out, &err),
			 EXIT_DONE);
	assert_string_equal(err, "");
	assert_string_equal(out, expected);
	free(out);
	free(err);
	assert_int_equal(run_command(command_missing, "-d fleet.db fleet.json", &out, NULL),
			 EXIT_DONE);
	assert_ptr_equal(strstr(out, "  HOSTS ARCH"), out);
	assert_non_null(strstr(out, "\n      5 x86_64     6.6.0                            ee  "));
	assert_non_null(strstr(out, " aarch64    5.10.9-x                         -  "));
	free(out);
}

static void nothing_missing_is_nothing_listed(void **state)
{
	static const char document[] = DOCUMENT(HOST("4"), KERNEL(A40, "5.4.0"));
	char *out;

	(void)state;
	make_database("none.db");
	spill("none.json", document, sizeof(document) - 1);
	assert_int_equal(run_command(command_missing, "-d none.db none.json", &out, NULL),
			 EXIT_DONE);
	assert_string_equal(out, "");
	free(out);
	assert_int_equal(run_command(command_missing, "-d none.db --json none.json", &out, NULL),
			 EXIT_DONE);
	assert_string_equal(out, "[]\n");
	free(out);
}

static void garbage_is_named_and_the_rest_is_read(void **state)
{
	static const struct {
		const char *garbage, *says;
	} cases[] = {
		{"what is this\n", "line 2: no document begins there"},
		{"{\"kernel\":{\n", "line 2: it ends too early"},
		{"{\"kernel\":}\n", "line 2: "},
		{"{\"kernel\":{\"release\":\"6.1\x01\",\"arch\":\"x86_64\"}}\n", "line 2: "},
		{"{\"kernel\":{\"release\":\"6.1\\n\",\"arch\":\"x86_64\"}}\n",
		 "line 2: it does not say which kernel"},
		{"{\"kernel\":{\"release\":\"6.1\"}}\n", "line 2: it does not say which kernel"},
		{"{\"kernel\":{\"build_id\":\"zz\"}}\n", "line 2: it does not say which kernel"},
		{"{\"kernel\":{\"build_id\":7}}\n", "line 2: it does not say which kernel"},
		{"{\"kernel\":[]}\n", "line 2: it does not say which kernel"},
		{"{}\n", "line 2: it does not say which kernel"},
		{"[{}]\n", "line 2: "},
		{"\n\n\n{}\n", "line 5: it does not say which kernel"},
		{"{\n \"a\":\n }\n", "line 2: "},
	};
	static const char good[] = DOCUMENT(HOST("1"), KERNEL("ee", "6.6.0")) "\n";
	char *out, *err, *text;

	(void)state;
	make_database("garbage.db");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* The first line stands alone, so that garbage is not taken for its end. */
		assert_true(asprintf(&text, "\n%s%s%s", cases[i].garbage,
				     DOCUMENT(HOST("2"), KERNEL("ee", "6.6.0")) "\n", good) > 0);
		spill("garbage.json", text, strlen(text));
		free(text);
		assert_int_equal(run_command(command_missing, "--json -d garbage.db garbage.json",
					     &out, &err),
				 EXIT_FAILED);
		if (!strstr(err, cases[i].says) || !strstr(err, "garbage.json"))
			fail_msg("\"%s\" does not say \"%s\"", err, cases[i].says);
		if (!strstr(out, "{\"hosts\":2,\"arch\":\"x86_64\",\"release\":\"6.6.0\""))
			fail_msg("after \"%s\": %s", cases[i].garbage, out);
		free(out);
		free(err);
	}
}

static void a_document_without_end_is_not_kept(void **state)
{
	size_t size = 5 << 20;
	char *bytes = malloc(size + 512), *out, *err;

	(void)state;
	make_database("endless.db");
	memset(bytes, ' ', size);
	bytes[0] = '{';
	bytes[size - 1] = '\n';
	strcpy(bytes + size, DOCUMENT(HOST("1"), KERNEL("ee", "6.6.0")) "\n");
	spill("endless.json", bytes, strlen(bytes));
	assert_int_equal(run_command(command_missing,
				     "--json -d endless.db endless.json none.json /", &out, &err),
			 EXIT_FAILED);
	assert_non_null(strstr(err, "line 1: it is too long for a document"));
	assert_non_null(strstr(err, "cannot read /"));
	assert_non_null(strstr(out, "\"hosts\":1"));
	free(out);
	free(err);
	free(bytes);
}

/* The schema's own example of what the sensor prints. */
static void this_hosts_document_is_read(void **state)
{
	static const char document[] =
		"{\"capabilities_version\":1,\"sensor\":{\"name\":\"cormorant\",\"version\":\"0.1."
		"0\"},"
		"\"host\":{\"hostname\":\"vm\",\"machine_id\":\"3d1219c7c4c5404aaa1f6d2a48adfda4\","
		"\"boot_id\":\"70dad737-db1b-434b-8f01-fec84377fc10\",\"os\":{\"name\":\"Debian\"}}"
		","
		"\"kernel\":{\"release\":\"6.18.44\",\"version\":\"#1 SMP PREEMPT_DYNAMIC @0\","
		"\"build_id\":\"85c7e4e2ed76f4417e8aaad7c6b040d2bb897a26\",\"arch\":\"x86_64\"},"
		"\"readiness\":{\"state\":\"ready\",\"reasons\":[]}}\n";
	char *out;

	(void)state;
	make_database("host.db");
	spill("host.json", document, sizeof(document) - 1);
	assert_int_equal(run_command(command_missing, "--json -d host.db host.json", &out, NULL),
			 EXIT_DONE);
	assert_non_null(strstr(out, "\"build_id\":\"85c7e4e2ed76f4417e8aaad7c6b040d2bb897a26\""));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diff_says_what_moved_and_nothing_else),
		cmocka_unit_test(diff_needs_two_kernels_that_are_one_each),
		cmocka_unit_test(show_says_all_that_is_known),
		cmocka_unit_test(show_json_can_be_imported),
		cmocka_unit_test(stats_count),
		cmocka_unit_test(stats_count_in_json_too),
		cmocka_unit_test(missing_lists_what_most_hosts_run_first),
		cmocka_unit_test(nothing_missing_is_nothing_listed),
		cmocka_unit_test(garbage_is_named_and_the_rest_is_read),
		cmocka_unit_test(a_document_without_end_is_not_kept),
		cmocka_unit_test(this_hosts_document_is_read),
	};

	return cmocka_run_group_tests(tests, work_set_up, work_tear_down);
}
