// SPDX-License-Identifier: Apache-2.0
/* ocsf.c: every fact in its place (contract, section 4), and hostile bytes that stay data. */
#include "event_json.h"
#include "ocsf.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f1"

static const struct host test_host = {
	.hostname = "host-1.example.org",
	.release = "6.1.0-77-test",
	.machine_id = "0123456789abcdef0123456789abcdef",
	.boot_id = BOOT_ID,
	.os_name = "Test \"Linux\"",
	.os_version = "12.5",
	.virtual_machine = true,
};
static const struct wallclock test_clock = {
	.boot = 1690000000000000000LL,
	.monotonic = 1680000000000000000LL,
};
static struct record_decoder decoder;

#define PARENT_ARGV "parent\0--flag=a b"

/* One event and all that it points into. */
struct made {
	void *record;
	struct exec_event event;
	struct text line;
	struct json_object *json;
};

static struct ocsf *open_ocsf(void)
{
	struct ocsf *ocsf = ocsf_open(&test_host, "exec.raw_tp.ringbuf.core");

	assert_non_null(ocsf);
	return ocsf;
}

static void make_with(struct ocsf *ocsf, struct builder *b, uint64_t sequence, bool enriched,
		      struct made *made)
{
	size_t size;

	*made = (struct made){.record = builder_record(b, &size)};
	assert_int_equal(record_decode(&decoder, made->record, size, &made->event), 0);
	if (enriched) {
		made->event.container = slice_of("c0ffee");
		made->event.container_runtime = "podman";
		made->event.parent.exe = slice_of("/usr/sbin/parent");
		made->event.parent.argv = (struct slice){PARENT_ARGV, sizeof(PARENT_ARGV)};
	}
	ocsf_write(ocsf, &test_clock, &made->event, sequence, &made->line);
	assert_one_clean_line(&made->line);
	made->json = json_event(&made->line);
}

static void make(struct builder *b, struct made *made)
{
	struct ocsf *ocsf = open_ocsf();

	make_with(ocsf, b, 987, true, made);
	ocsf_close(ocsf);
}

static void made_free(struct made *made)
{
	json_object_put(made->json);
	text_free(&made->line);
	free(made->record);
}

static const char *string_at(const struct made *made, const char *path)
{
	struct json_object *value = json_at(made->json, path);

	if (!value || !json_object_is_type(value, json_type_string))
		fail_msg("no string at %s in %.*s", path, (int)made->line.len, made->line.data);
	return json_object_get_string(value);
}

static int64_t integer_at(const struct made *made, const char *path)
{
	struct json_object *value = json_at(made->json, path);

	if (!value || !json_object_is_type(value, json_type_int))
		fail_msg("no integer at %s in %.*s", path, (int)made->line.len, made->line.data);
	return json_object_get_int64(value);
}

static bool absent(const struct made *made, const char *path)
{
	return json_at(made->json, path) == NULL;
}

/* ------------------------------------------------------------ every fact's place */

/* Contract 4, with the numbers of builder_full; strings in quotes, numbers bare. */
static const char *const full_event[] = {
	"category_uid=1", "category_name=\"System Activity\"",
	"class_uid=1007", "class_name=\"Process Activity\"",
	"activity_id=1", "activity_name=\"Launch\"",
	"type_uid=100701", "type_name=\"Process Activity: Launch\"",
	"severity_id=1", "severity=\"Informational\"",
	"device.type_id=6", "device.type=\"Virtual\"",
	"device.hostname=\"host-1.example.org\"",
	"device.uid=\"0123456789abcdef0123456789abcdef\"",
	"device.os.name=\"Test \\\"Linux\\\"\"",
	"device.os.type_id=200", "device.os.type=\"Linux\"",
	"device.os.version=\"12.5\"", "device.os.build=\"6.1.0-77-test\"",
	"metadata.version=\"1.3.0\"",
	"metadata.product.vendor_name=\"Cormorant\"", "metadata.product.name=\"cormorant\"",
	"metadata.product.version=\"" CORMORANT_VERSION "\"",
	"metadata.profiles[0]=\"host\"", "metadata.profiles[1]=\"datetime\"",
	"metadata.profiles[2]=\"linux/linux_users\"", "metadata.profiles[3]=\"container\"",
	"metadata.extensions[0].name=\"linux\"", "metadata.extensions[0].uid=\"1\"",
	"metadata.extensions[0].version=\"1.3.0\"",
	"metadata.event_code=\"exec\"", "metadata.log_provider=\"cormorant\"",
	"metadata.log_name=\"exec.raw_tp.ringbuf.core\"",
	"metadata.sequence=987",
	"time=1690007200123", "time_dt=\"2023-07-22T06:26:40.123456789Z\"",
	"actor.process.pid=4100", "actor.process.uid=\"" BOOT_ID ":4100:7000000000002\"",
	"actor.process.name=\"the-parent\"",
	"process.pid=4101", "process.tid=4101",
	"process.uid=\"" BOOT_ID ":4101:7199000000001\"",
	"process.created_time=1690007199000",
	"process.name=\"the-comm\"",
	"process.cmd_line=\"prog -x 'two words' ''\"",
	"process.file.path=\"/opt/some dir/prog.bin\"",
	"process.file.name=\"prog.bin\"",
	"process.file.parent_folder=\"/opt/some dir\"",
	"process.file.type_id=1", "process.file.type=\"Regular File\"",
	"process.file.uid=\"254:5:18014398509481985\"",
	"process.file.size=123457",
	"process.file.attributes=33261", /* 0100755 */
	"process.file.modified_time=1700000000987",
	"process.file.xattributes.nlink=3",
	"process.file.xattributes.memfd=true",
	"process.file.xattributes.deleted=false",
	"process.file.xattributes.fs=\"btrfs\"",
	"process.user.uid=\"1101\"", "process.group.uid=\"1102\"",
	"process.euid=1105", "process.egid=1106", "process.auid=1201",
	"process.session.uid=\"1301\"", "process.session.terminal=\"pts7\"",
	"process.namespace_pid=41",
	"process.container.uid=\"c0ffee\"", "process.container.runtime=\"podman\"",
	"process.parent_process.pid=4100",
	"process.parent_process.uid=\"" BOOT_ID ":4100:7000000000002\"",
	"process.parent_process.name=\"the-parent\"",
	"process.parent_process.cmd_line=\"parent '--flag=a b'\"",
	"process.parent_process.file.path=\"/usr/sbin/parent\"",
	"process.parent_process.file.name=\"parent\"",
	"process.parent_process.file.parent_folder=\"/usr/sbin\"",
	"process.parent_process.file.type_id=1",
	"process.parent_process.file.type=\"Regular File\"",
	"process.xattributes.argv[0]=\"prog\"", "process.xattributes.argv[1]=\"-x\"",
	"process.xattributes.argv[2]=\"two words\"", "process.xattributes.argv[3]=\"\"",
	"process.xattributes.argv_truncated=false",
	"process.xattributes.argc=4", "process.xattributes.argv_bytes=19",
	"process.xattributes.exec_filename=\"./asked/for\"",
	"process.xattributes.cwd=\"/home/user/work\"",
	"process.xattributes.pgid=4102", "process.xattributes.sid=4103",
	"process.xattributes.suid=1103", "process.xattributes.sgid=1104",
	"process.xattributes.fsuid=1107", "process.xattributes.fsgid=1108",
	"process.xattributes.cap_inheritable=\"0000000000000011\"",
	"process.xattributes.cap_permitted=\"000001ffffffffff\"",
	"process.xattributes.cap_effective=\"00000000a80425fb\"",
	"process.xattributes.ns.mnt=\"4026531801\"", "process.xattributes.ns.pid=\"4026531802\"",
	"process.xattributes.ns.net=\"4026531803\"", "process.xattributes.ns.uts=\"4026531804\"",
	"process.xattributes.ns.ipc=\"4026531805\"", "process.xattributes.ns.user=\"4026531806\"",
	"process.xattributes.ns.cgroup=\"4026531807\"", "process.xattributes.ns.time=\"4026531808\"",
	"process.xattributes.cgroup.id=\"9007199254740993\"",
	"process.xattributes.cgroup.path=\"/user.slice/app.scope\"",
};
enum { FULL_EVENT = sizeof(full_event) / sizeof(full_event[0]) };

static void every_fact_is_in_its_place_and_nothing_else_is(void **state)
{
	struct builder b;
	struct made made;
	struct json_lines lines;

	(void)state;
	builder_full(&b);
	make(&b, &made);
	lines = json_flatten(made.json);
	for (size_t i = 0; i < FULL_EVENT; i++)
		if (!json_lines_have(&lines, full_event[i]))
			fail_msg("missing: %s\nin %.*s", full_event[i], (int)made.line.len,
				 made.line.data);
	/* One more: metadata.uid, random. */
	assert_int_equal(lines.count, FULL_EVENT + 1);
	assert_non_null(string_at(&made, "metadata.uid"));
	json_lines_free(&lines);
	made_free(&made);
	builder_free(&b);
}

static bool matches(const char *line, const char *pattern)
{
	size_t n = strlen(pattern);

	/* "a.b" is that attribute, "a.b*" all that begins so. */
	if (n && pattern[n - 1] == '*')
		return !strncmp(line, pattern, n - 1);
	return !strncmp(line, pattern, n) && line[n] == '=';
}

/* What is in before and not in after must be patterns, each of them matched; and so back. */
static void assert_difference(const struct json_lines *before, const struct json_lines *after,
			      const char *const *patterns, const char *what)
{
	bool used[8] = {0};

	for (size_t i = 0; i < before->count; i++) {
		bool expected = false;

		if (json_lines_have(after, before->lines[i]))
			continue;
		for (int p = 0; patterns[p]; p++)
			if (matches(before->lines[i], patterns[p]))
				used[p] = expected = true;
		if (!expected && strncmp(before->lines[i], "metadata.uid=", 13))
			fail_msg("%s: unexpected: %s", what, before->lines[i]);
	}
	for (int p = 0; patterns[p]; p++)
		if (!used[p])
			fail_msg("%s: %s is not affected", what, patterns[p]);
}

#define PARENT_ "process.parent_process."
#define MORE "process.xattributes."
static const struct {
	unsigned fact;
	const char *gone[8];
	const char *come[2];
} facts[] = {
	{FACT_PPID, {"actor.process.*", PARENT_ "*"}, {"actor.user.uid"}},
	{FACT_START, {"process.uid", "process.created_time"}, {0}},
	{FACT_PARENT_START, {"actor.process.uid", PARENT_ "uid"}, {0}},
	{FACT_PARENT_COMM, {"actor.process.name", PARENT_ "name"}, {0}},
	{FACT_COMM, {"process.name"}, {0}},
	{FACT_ARGC, {0}, {0}}, /* argv is whole: it can be counted */
	{FACT_LOGIN_UID, {"process.auid"}, {0}},
	{FACT_AUDIT_SESSION, {"process.session.uid"}, {0}},
	{FACT_TTY, {"process.session.terminal"}, {0}},
	{FACT_NAMESPACE_PID, {"process.namespace_pid"}, {0}},
	{FACT_PGID, {MORE "pgid"}, {0}},
	{FACT_SID, {MORE "sid"}, {0}},
	{FACT_DEV, {"process.file.uid"}, {0}},
	{FACT_INODE, {"process.file.uid"}, {0}},
	{FACT_MODE, {"process.file.attributes"}, {0}},
	{FACT_SIZE, {"process.file.size"}, {0}},
	{FACT_MTIME, {"process.file.modified_time"}, {0}},
	{FACT_NLINK, {"process.file.xattributes.nlink"}, {0}},
	{FACT_FS, {"process.file.xattributes.fs"}, {0}},
	{FACT_MEMFD, {"process.file.xattributes.memfd"}, {0}},
	{FACT_DELETED, {"process.file.xattributes.deleted"}, {0}},
	{FACT_CGROUP_ID, {MORE "cgroup.id"}, {0}},
	{FACT_ID + ID_UID, {0}, {0}}, /* the header has it, always */
	{FACT_ID + ID_GID, {"process.group.uid"}, {0}},
	{FACT_ID + ID_SUID, {MORE "suid"}, {0}},
	{FACT_ID + ID_SGID, {MORE "sgid"}, {0}},
	{FACT_ID + ID_EUID, {"process.euid"}, {0}},
	{FACT_ID + ID_EGID, {"process.egid"}, {0}},
	{FACT_ID + ID_FSUID, {MORE "fsuid"}, {0}},
	{FACT_ID + ID_FSGID, {MORE "fsgid"}, {0}},
	{FACT_CAPS + CAPS_INHERITABLE, {MORE "cap_inheritable"}, {0}},
	{FACT_CAPS + CAPS_PERMITTED, {MORE "cap_permitted"}, {0}},
	{FACT_CAPS + CAPS_EFFECTIVE, {MORE "cap_effective"}, {0}},
	{FACT_NS + NS_MNT, {MORE "ns.mnt"}, {0}},
	{FACT_NS + NS_PID, {MORE "ns.pid"}, {0}},
	{FACT_NS + NS_NET, {MORE "ns.net"}, {0}},
	{FACT_NS + NS_UTS, {MORE "ns.uts"}, {0}},
	{FACT_NS + NS_IPC, {MORE "ns.ipc"}, {0}},
	{FACT_NS + NS_USER, {MORE "ns.user"}, {0}},
	{FACT_NS + NS_CGROUP, {MORE "ns.cgroup"}, {0}},
	{FACT_NS + NS_TIME, {MORE "ns.time"}, {0}},
	{FACT_SECTION + SECTION_FILENAME, {MORE "exec_filename"}, {0}},
	/* OCSF wants a file to have a name: without one there is no file. */
	{FACT_SECTION + SECTION_EXE, {"process.file.*"}, {0}},
	{FACT_SECTION + SECTION_CWD, {MORE "cwd"}, {0}},
	{FACT_SECTION + SECTION_CGROUP, {MORE "cgroup.path"}, {0}},
	{FACT_SECTION + SECTION_CGROUP_V1, {0}, {0}},
	/* For telling programs of one process apart; not in the event. */
	{FACT_EXEC_ID, {0}, {0}},
	{FACT_PARENT_EXEC_ID, {0}, {0}},
	{FACT_PARENT_STACK, {0}, {0}},
	/* argc and argv_bytes are facts of their own. */
	{FACT_SECTION + SECTION_ARGV,
	 {"process.cmd_line", MORE "argv[*", MORE "argv_truncated"},
	 {0}},
};
enum { FACTS = sizeof(facts) / sizeof(facts[0]) };

/* The table has every fact once, FACT_ARGV aside, which argv depends on (record_test.c). */
static void every_fact_is_tested(void **state)
{
	uint64_t seen = FACT_BIT(FACT_ARGV);

	(void)state;
	for (size_t i = 0; i < FACTS; i++) {
		assert_false(seen & FACT_BIT(facts[i].fact));
		seen |= FACT_BIT(facts[i].fact);
	}
	assert_true(seen == FACT_BIT(FACT_COUNT) - 1);
}

static struct json_lines lines_of(struct builder *b)
{
	struct json_lines lines;
	struct made made;

	make(b, &made);
	lines = json_flatten(made.json);
	made_free(&made);
	return lines;
}

static void an_unknown_fact_takes_its_attribute_and_nothing_else(void **state)
{
	struct builder b;
	struct json_lines full, less;
	char what[32];

	(void)state;
	builder_full(&b);
	full = lines_of(&b);
	for (size_t i = 0; i < FACTS; i++) {
		struct builder without;

		builder_full(&without);
		if (facts[i].fact >= FACT_SECTION)
			builder_drop(&without, facts[i].fact - FACT_SECTION);
		else
			without.facts.present &= ~FACT_BIT(facts[i].fact);
		less = lines_of(&without);
		snprintf(what, sizeof(what), "without fact %u", facts[i].fact);
		assert_difference(&full, &less, facts[i].gone, what);
		assert_difference(&less, &full, facts[i].come, what);
		json_lines_free(&less);
		builder_free(&without);
	}
	json_lines_free(&full);
	builder_free(&b);
}

static void unknown_argv_bytes_take_only_argv_bytes(void **state)
{
	static const char *const gone[] = {MORE "argv_bytes", NULL}, *const none[] = {NULL};
	struct builder b;
	struct json_lines with, without;

	(void)state;
	builder_full(&b);
	builder_drop(&b, SECTION_ARGV);
	with = lines_of(&b);
	b.facts.present &= ~FACT_BIT(FACT_ARGV);
	without = lines_of(&b);
	assert_difference(&with, &without, gone, "without argv_bytes");
	assert_difference(&without, &with, none, "without argv_bytes");
	json_lines_free(&with);
	json_lines_free(&without);
	builder_free(&b);
}

static void an_event_of_no_facts_still_says_who_and_when(void **state)
{
	struct ocsf *ocsf = open_ocsf();
	struct builder b;
	struct made made;

	(void)state;
	builder_bare(&b);
	make_with(ocsf, &b, 1, false, &made);
	assert_int_equal(integer_at(&made, "process.pid"), 4101);
	assert_int_equal(integer_at(&made, "process.tid"), 4101);
	assert_string_equal(string_at(&made, "process.user.uid"), "1101");
	assert_string_equal(string_at(&made, "actor.user.uid"), "1101");
	assert_int_equal(integer_at(&made, "time"), 1690007200123);
	assert_int_equal(json_object_object_length(json_at(made.json, "process")), 3);
	made_free(&made);
	builder_free(&b);
	ocsf_close(ocsf);
}

static void an_unset_login_uid_and_session_are_left_out(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.login_uid = UINT32_MAX;
	make(&b, &made);
	assert_true(absent(&made, "process.auid"));
	assert_string_equal(string_at(&made, "process.session.uid"), "1301");
	made_free(&made);
	b.facts.login_uid = 0;
	b.facts.audit_session = UINT32_MAX;
	make(&b, &made);
	assert_int_equal(integer_at(&made, "process.auid"), 0);
	assert_true(absent(&made, "process.session.uid"));
	assert_string_equal(string_at(&made, "process.session.terminal"), "pts7");
	made_free(&made);
	b.facts.present &= ~FACT_BIT(FACT_TTY);
	make(&b, &made);
	assert_true(absent(&made, "process.session"));
	made_free(&made);
	builder_free(&b);
}

static void flags_say_yes_and_no(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	for (int i = 0; i < 4; i++) {
		builder_full(&b);
		b.facts.flags = (i & 1 ? EXEC_MEMFD : 0) | (i & 2 ? EXEC_DELETED : 0);
		make(&b, &made);
		assert_int_equal(json_object_get_boolean(
					 json_at(made.json, "process.file.xattributes.memfd")),
				 i & 1);
		assert_int_equal(json_object_get_boolean(
					 json_at(made.json, "process.file.xattributes.deleted")),
				 i >> 1);
		made_free(&made);
		builder_free(&b);
	}
}

static void a_monotonic_time_uses_the_monotonic_offset(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.flags |= EXEC_CLOCK_MONOTONIC;
	make(&b, &made);
	assert_int_equal(integer_at(&made, "time"), 1680007200123);
	assert_int_equal(integer_at(&made, "process.created_time"), 1690007199000);
	made_free(&made);
	builder_free(&b);
}

static void the_largest_numbers_are_exact(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.inode = UINT64_MAX;
	b.facts.cgroup_id = UINT64_MAX;
	b.facts.size = 9007199254740993ULL;
	b.facts.dev = UINT32_MAX;
	memset(b.facts.caps, 0xff, sizeof(b.facts.caps));
	memset(b.facts.ids, 0xff, sizeof(b.facts.ids));
	memset(b.facts.ns, 0xff, sizeof(b.facts.ns));
	b.facts.start_ns = 9007199254740993ULL;
	make(&b, &made);
	assert_string_equal(string_at(&made, "process.file.uid"), "4095:1048575:18446744073709551615");
	assert_string_equal(string_at(&made, MORE "cgroup.id"), "18446744073709551615");
	assert_int_equal(integer_at(&made, "process.file.size"), 9007199254740993LL);
	assert_string_equal(string_at(&made, MORE "cap_effective"), "ffffffffffffffff");
	assert_int_equal(integer_at(&made, "process.euid"), 4294967295LL);
	assert_int_equal(integer_at(&made, MORE "fsgid"), 4294967295LL);
	assert_string_equal(string_at(&made, "process.group.uid"), "4294967295");
	assert_string_equal(string_at(&made, MORE "ns.time"), "4294967295");
	assert_string_equal(string_at(&made, "process.uid"), BOOT_ID ":4101:9007199254740993");
	made_free(&made);
	builder_free(&b);
}

static void a_file_before_1970_has_a_negative_time(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.mtime_sec = -2;
	b.facts.mtime_nsec = 500999999;
	make(&b, &made);
	assert_int_equal(integer_at(&made, "process.file.modified_time"), -1500);
	made_free(&made);
	builder_free(&b);
}

/* ------------------------------------------------------------------------- paths */

static void a_path_is_taken_apart_at_its_last_slash(void **state)
{
	static const struct {
		const char *path, *folder, *name;
	} cases[] = {
		{"/prog", "/", "prog"}, {"/a/b", "/a", "b"}, {"/a b/c/d e", "/a b/c", "d e"},
		{"/x (deleted)", "/", "x (deleted)"}, {"/memfd:some name", "/", "memfd:some name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder b;
		struct made made;

		builder_full(&b);
		builder_path(&b, SECTION_EXE, cases[i].path);
		make(&b, &made);
		assert_string_equal(string_at(&made, "process.file.path"), cases[i].path);
		assert_string_equal(string_at(&made, "process.file.parent_folder"), cases[i].folder);
		assert_string_equal(string_at(&made, "process.file.name"), cases[i].name);
		made_free(&made);
		builder_free(&b);
	}
}

static void a_cut_path_leaves_the_files_name(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.flags |= (unsigned)EXEC_TRUNCATED_BIT(SECTION_EXE);
	make(&b, &made);
	assert_string_equal(string_at(&made, "process.file.name"), "prog.bin");
	assert_true(absent(&made, "process.file.path"));
	assert_true(absent(&made, "process.file.parent_folder"));
	assert_int_equal(integer_at(&made, "process.file.size"), 123457);
	made_free(&made);
	builder_free(&b);
}

static void the_root_directory_is_a_cwd_and_a_cgroup(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	builder_path(&b, SECTION_CWD, "");
	builder_path(&b, SECTION_CGROUP, "");
	make(&b, &made);
	assert_string_equal(string_at(&made, MORE "cwd"), "/");
	assert_string_equal(string_at(&made, MORE "cgroup.path"), "/");
	made_free(&made);
	builder_free(&b);
}

/* ------------------------------------------------------------------------- parent */

static void what_is_not_known_of_the_parent_is_left_out(void **state)
{
	struct ocsf *ocsf = open_ocsf();
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	make_with(ocsf, &b, 1, false, &made);
	assert_int_equal(integer_at(&made, PARENT_ "pid"), 4100);
	assert_true(absent(&made, PARENT_ "file"));
	assert_true(absent(&made, PARENT_ "cmd_line"));
	assert_true(absent(&made, "process.container"));
	made_free(&made);
	builder_free(&b);
	ocsf_close(ocsf);
}

static void without_a_boot_id_there_are_no_stable_keys(void **state)
{
	struct host host = test_host;
	struct ocsf *ocsf;
	struct builder b;
	struct made made;

	(void)state;
	host.boot_id[0] = 0;
	host.machine_id[0] = 0;
	host.os_version[0] = 0;
	host.virtual_machine = false;
	ocsf = ocsf_open(&host, "exec.tp.ringbuf.core");
	builder_full(&b);
	make_with(ocsf, &b, 1, true, &made);
	assert_true(absent(&made, "process.uid"));
	assert_true(absent(&made, PARENT_ "uid"));
	assert_true(absent(&made, "actor.process.uid"));
	assert_int_equal(integer_at(&made, "process.created_time"), 1690007199000);
	assert_true(absent(&made, "device.uid"));
	assert_true(absent(&made, "device.os.version"));
	assert_int_equal(integer_at(&made, "device.type_id"), 0);
	assert_string_equal(string_at(&made, "device.type"), "Unknown");
	assert_string_equal(string_at(&made, "metadata.log_name"), "exec.tp.ringbuf.core");
	made_free(&made);
	builder_free(&b);
	ocsf_close(ocsf);
}

/* OCSF 1.3.0, data type hostname_t. */
static void a_name_that_is_no_ocsf_hostname_goes_to_device_name(void **state)
{
	static const char pattern[] =
		"^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\\.)*"
		"([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])$";
	static const char *const names[] = {
		"vm", "a", "a.b.c", "web-01.example.com", "7", "1-2", "a--b", "A.Z", "localhost",
		"under_score", "-x", "x-", "a..b", ".a", "a.", "a.-b", "a-.b", "", ".", "-", "a b",
		"caf\xc3\xa9", "\xff\x1b[31m", "a/b", "(none)",
	};
	regex_t hostname;
	unsigned yes = 0, no = 0;

	(void)state;
	assert_int_equal(regcomp(&hostname, pattern, REG_EXTENDED | REG_NOSUB), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool valid = !regexec(&hostname, names[i], 0, NULL, 0);
		struct host host = test_host;
		struct ocsf *ocsf;
		struct builder b;
		struct made made;

		strcpy(host.hostname, names[i]);
		ocsf = ocsf_open(&host, "v");
		builder_bare(&b);
		make_with(ocsf, &b, 1, false, &made);
		assert_json_text(json_at(made.json, valid ? "device.hostname" : "device.name"),
				 slice_of(names[i]));
		assert_true(absent(&made, valid ? "device.name" : "device.hostname"));
		valid ? yes++ : no++;
		made_free(&made);
		builder_free(&b);
		ocsf_close(ocsf);
	}
	regfree(&hostname);
	assert_true(yes > 5 && no > 5);
}

/* ------------------------------------------------------------------------ /proc */

/* docs/event.md: the names in xattributes.from_proc. */
static const struct {
	unsigned fact;
	const char *name;
} proc_names[] = {
	{FACT_PPID, "parent_process.pid"},
	{FACT_PARENT_COMM, "parent_process.name"},
	{FACT_LOGIN_UID, "auid"},
	{FACT_AUDIT_SESSION, "session.uid"},
	{FACT_TTY, "session.terminal"},
	{FACT_NAMESPACE_PID, "namespace_pid"},
	{FACT_PGID, "xattributes.pgid"},
	{FACT_SID, "xattributes.sid"},
	{FACT_INODE, "file.uid"},
	{FACT_MODE, "file.attributes"},
	{FACT_SIZE, "file.size"},
	{FACT_MTIME, "file.modified_time"},
	{FACT_NLINK, "file.xattributes.nlink"},
	{FACT_MEMFD, "file.xattributes.memfd"},
	{FACT_DELETED, "file.xattributes.deleted"},
	{FACT_ID + ID_GID, "group.uid"},
	{FACT_ID + ID_SUID, "xattributes.suid"},
	{FACT_ID + ID_SGID, "xattributes.sgid"},
	{FACT_ID + ID_EUID, "euid"},
	{FACT_ID + ID_EGID, "egid"},
	{FACT_ID + ID_FSUID, "xattributes.fsuid"},
	{FACT_ID + ID_FSGID, "xattributes.fsgid"},
	{FACT_CAPS + CAPS_INHERITABLE, "xattributes.cap_inheritable"},
	{FACT_CAPS + CAPS_PERMITTED, "xattributes.cap_permitted"},
	{FACT_CAPS + CAPS_EFFECTIVE, "xattributes.cap_effective"},
	{FACT_NS + NS_MNT, "xattributes.ns.mnt"},
	{FACT_NS + NS_PID, "xattributes.ns.pid"},
	{FACT_NS + NS_NET, "xattributes.ns.net"},
	{FACT_NS + NS_UTS, "xattributes.ns.uts"},
	{FACT_NS + NS_IPC, "xattributes.ns.ipc"},
	{FACT_NS + NS_USER, "xattributes.ns.user"},
	{FACT_NS + NS_CGROUP, "xattributes.ns.cgroup"},
	{FACT_NS + NS_TIME, "xattributes.ns.time"},
	{FACT_SECTION + SECTION_EXE, "file.path"},
	{FACT_SECTION + SECTION_CWD, "xattributes.cwd"},
	{FACT_SECTION + SECTION_CGROUP, "xattributes.cgroup.path"},
};
enum { PROC_NAMES = sizeof(proc_names) / sizeof(proc_names[0]) };

/* The same record, of which these facts are from /proc. */
static void make_from_proc(struct builder *b, uint64_t from_proc, bool enriched, struct made *made)
{
	struct ocsf *ocsf = open_ocsf();

	make_with(ocsf, b, 1, enriched, made);
	json_object_put(made->json);
	text_clear(&made->line);
	made->event.from_proc = from_proc;
	made->event.parent.from_proc = from_proc & FACT_BIT(FACT_PPID);
	ocsf_write(ocsf, &test_clock, &made->event, 1, &made->line);
	assert_one_clean_line(&made->line);
	made->json = json_event(&made->line);
	ocsf_close(ocsf);
}

static bool named(const struct made *made, const char *name)
{
	struct json_object *names = json_at(made->json, MORE "from_proc");

	for (size_t i = 0; names && i < json_object_array_length(names); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(names, i)), name))
			return true;
	return false;
}

static size_t names_in(const struct made *made)
{
	struct json_object *names = json_at(made->json, MORE "from_proc");

	return names ? json_object_array_length(names) : 0;
}

static const char *proc_name(unsigned fact)
{
	for (size_t i = 0; i < PROC_NAMES; i++)
		if (proc_names[i].fact == fact)
			return proc_names[i].name;
	return NULL;
}

/* One fact at a time: its name, which is a place in the event, and nothing else in it changes. */
static void a_fact_from_proc_is_named_as_its_attribute(void **state)
{
	char path[64];

	(void)state;
	for (unsigned fact = 0; fact < FACT_COUNT; fact++) {
		const char *name = proc_name(fact);
		struct builder b;
		struct made made;

		builder_full(&b);
		make_from_proc(&b, FACT_BIT(fact), false, &made);
		assert_int_equal(names_in(&made), name ? 1 : 0);
		if (!name) {
			assert_true(absent(&made, MORE "from_proc"));
		} else {
			assert_true(named(&made, name));
			snprintf(path, sizeof(path), "process.%s", name);
			assert_false(absent(&made, path));
		}
		made_free(&made);
		builder_free(&b);
	}
}

static void all_that_is_from_proc_is_named_once(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	make_from_proc(&b, FACT_BIT(FACT_COUNT) - 1, true, &made);
	for (size_t i = 0; i < PROC_NAMES; i++)
		assert_true(named(&made, proc_names[i].name));
	assert_true(named(&made, "parent_process.file"));
	assert_true(named(&made, "parent_process.cmd_line"));
	assert_true(named(&made, "container"));
	assert_int_equal(names_in(&made), PROC_NAMES + 3);
	made_free(&made);
	builder_free(&b);
}

static void what_is_not_in_the_event_is_not_named(void **state)
{
	const uint64_t all = FACT_BIT(FACT_COUNT) - 1;
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	b.facts.flags |= (unsigned)(EXEC_TRUNCATED_BIT(SECTION_EXE) | EXEC_TRUNCATED_BIT(SECTION_CWD));
	make_from_proc(&b, all, false, &made);
	assert_true(named(&made, "file.name"));
	assert_false(named(&made, "file.path"));
	assert_false(named(&made, "xattributes.cwd"));
	assert_false(named(&made, "container"));
	assert_false(named(&made, "parent_process.file"));
	assert_false(named(&made, "parent_process.cmd_line"));
	made_free(&made);
	make_from_proc(&b, 0, true, &made);
	assert_true(absent(&made, MORE "from_proc"));
	made_free(&made);
	builder_free(&b);
}

/* --------------------------------------------------------------------------- argv */

static void an_empty_argv_is_an_empty_list(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	builder_argv_bytes(&b, "", 0);
	make(&b, &made);
	assert_int_equal(json_object_array_length(json_at(made.json, MORE "argv")), 0);
	assert_int_equal(integer_at(&made, MORE "argc"), 0);
	assert_int_equal(integer_at(&made, MORE "argv_bytes"), 0);
	assert_false(json_object_get_boolean(json_at(made.json, MORE "argv_truncated")));
	assert_string_equal(string_at(&made, "process.cmd_line"), "");
	made_free(&made);
	builder_free(&b);
}

static void a_cut_argv_says_so(void **state)
{
	struct builder b;
	struct made made;

	(void)state;
	builder_full(&b);
	builder_argv_bytes(&b, "one\0two\0thr", 11);
	b.facts.argv_bytes = 90000;
	b.facts.argc = 12;
	b.facts.flags |= (unsigned)EXEC_TRUNCATED_BIT(SECTION_ARGV);
	make(&b, &made);
	assert_true(json_object_get_boolean(json_at(made.json, MORE "argv_truncated")));
	assert_int_equal(integer_at(&made, MORE "argc"), 12);
	assert_int_equal(integer_at(&made, MORE "argv_bytes"), 90000);
	assert_int_equal(json_object_array_length(json_at(made.json, MORE "argv")), 3);
	assert_string_equal(string_at(&made, "process.cmd_line"), "one two thr");
	made_free(&made);
	b.facts.present &= ~FACT_BIT(FACT_ARGC);
	make(&b, &made);
	assert_true(absent(&made, MORE "argc"));
	made_free(&made);
	builder_free(&b);
}

/* The characters of cmd_line, or -1 if what ocsf_command_line wrote is no JSON string. */
static long command_line_length(struct slice argv, char **value)
{
	struct text t = {0};
	struct json_object *parsed;
	long n = 0;

	text_char(&t, '"');
	ocsf_command_line(&t, argv);
	text_bytes(&t, "\"", 2);
	parsed = json_tokener_parse(t.data);
	text_free(&t);
	if (!parsed)
		return -1;
	for (const char *at = json_object_get_string(parsed); *at; at++)
		n += ((unsigned char)*at & 0xc0) != 0x80;
	if (value)
		*value = strdup(json_object_get_string(parsed));
	json_object_put(parsed);
	return n;
}

/* OCSF: cmd_line has at most 65,535 characters. */
static void a_command_line_has_at_most_65535_characters(void **state)
{
	static const struct {
		unsigned char c;
		size_t each; /* bytes of an argument with its NUL */
		size_t n;
		long want; /* 0: the limit */
	} cases[] = {
		{'\'', 16384, 16384, 16383 * 4 + 2},
		{'\'', 2, 16384, 8192 * 6 + 8191},
		{'x', 1, 16384, 16384 * 2 + 16383},
		{'\'', 20000, 20000, 0},
		{'\'', 16385, 32770, 0},
		{0xff, 70000, 70000, 0},
		{'\n', 65536, 65536, 0},
		{'a', 65536, 65536, 65535},
		{'a', 65537, 65537, 0},
		{'a', 2, 65536, 65535},
		{'a', 2, 65538, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv = malloc(cases[i].n);

		for (size_t at = 0; at < cases[i].n; at++)
			argv[at] = (at + 1) % cases[i].each ? (char)cases[i].c : 0;
		assert_int_equal(command_line_length((struct slice){argv, cases[i].n}, NULL),
				 cases[i].want ? cases[i].want : 65535);
		free(argv);
	}
}

static void a_record_of_apostrophes_is_still_a_valid_event(void **state)
{
	char argv[ARGV_MAX];
	struct builder b;
	struct made made;

	(void)state;
	memset(argv, '\'', sizeof(argv));
	argv[sizeof(argv) - 1] = 0;
	builder_full(&b);
	builder_argv_bytes(&b, argv, sizeof(argv));
	make(&b, &made);
	assert_true(strlen(string_at(&made, "process.cmd_line")) <= 65535);
	assert_string_equal(json_object_get_string(
				    json_object_array_get_idx(json_at(made.json, MORE "argv"), 0)),
			    argv);
	made_free(&made);
	builder_free(&b);
}

/*
 * A real sh is given each command line and prints the arguments that it understood.
 * `set --` takes any word literally, also one like "if" or "a=b" at the front.
 */
static void a_real_shell_reads_the_same_arguments(void **state)
{
	enum { ROUNDS = 600 };
	char path[] = "/tmp/cormorant-ocsf-test.XXXXXX";
	struct text script = {0}, want = {0}, got = {0};
	struct dice dice = {4711};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct text argv = {0};
		char *line;

		for (uint64_t n = 1 + dice_below(&dice, 5); n; n--) {
			char argument[48];
			size_t len = dice_hostile(&dice, argument, sizeof(argument));

			if (!utf8_valid((struct slice){argument, len}))
				len = 0; /* those are in argv_base64, not in cmd_line */
			text_bytes(&argv, argument, len);
			text_char(&argv, 0);
		}
		assert_true(command_line_length((struct slice){argv.data, argv.len}, &line) >= 0);
		text_format(&script, "set -- %s\nprintf '%%s\\0' \"$#\" \"$@\"\n", line);
		{
			struct slice rest = {argv.data, argv.len}, argument;
			int count = 0;

			while (argv_next(&rest, &argument))
				count++;
			text_format(&want, "%d", count);
			text_char(&want, 0);
			text_bytes(&want, argv.data, argv.len);
		}
		free(line);
		text_free(&argv);
	}
	assert_int_equal(write(fd, script.data, script.len), script.len);
	close(fd);
	program_output((const char *const[]){"/bin/sh", path, NULL}, &got);
	unlink(path);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	text_free(&script);
	text_free(&want);
	text_free(&got);
}

/* ------------------------------------------------------------------- hostile bytes */

/* Bytes in a record, and what must come out of them. */
static void assert_string_and_bytes(const struct made *made, const char *path,
				    const char *base64_path, struct slice bytes)
{
	assert_json_text(json_at(made->json, path), bytes);
	if (utf8_valid(bytes))
		assert_true(absent(made, base64_path));
	else
		assert_json_base64(json_at(made->json, base64_path), bytes);
}

static void assert_argv(const struct made *made, struct slice argv)
{
	struct json_object *list = json_at(made->json, MORE "argv");
	struct json_object *exact = json_at(made->json, MORE "argv_base64");
	struct slice rest = argv, argument;
	size_t count = 0;
	bool broken = false;

	assert_non_null(list);
	while (argv_next(&rest, &argument)) {
		assert_json_text(json_object_array_get_idx(list, count), argument);
		if (exact)
			assert_json_base64(json_object_array_get_idx(exact, count), argument);
		broken |= !utf8_valid(argument);
		count++;
	}
	assert_int_equal(json_object_array_length(list), count);
	if (exact)
		assert_int_equal(json_object_array_length(exact), count);
	assert_int_equal(exact != NULL, broken);
}

/* A path component: no slash, not empty. */
static void hostile_component(struct dice *dice, struct text *t)
{
	char bytes[40];
	size_t n = dice_hostile(dice, bytes, sizeof(bytes));

	for (size_t i = 0; i < n; i++)
		if (bytes[i] == '/')
			bytes[i] = '_';
	text_bytes(t, bytes, n);
	if (!n)
		text_char(t, 'n');
}

static void hostile_path(struct dice *dice, struct builder *b, enum exec_section section,
			 struct text *path)
{
	text_clear(path);
	for (uint64_t n = 1 + dice_below(dice, 4); n; n--) {
		text_char(path, '/');
		hostile_component(dice, path);
	}
	text_char(path, 0);
	builder_path(b, section, path->data);
	path->len--;
}

static void hostile_name(struct dice *dice, char *name, size_t size)
{
	size_t n = dice_hostile(dice, name, size - 1);

	memset(name + n, 0, size - n);
}

static void hostile_bytes_stay_data(void **state)
{
	struct ocsf *ocsf = open_ocsf();
	struct dice dice = {31337};

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct text argv = {0}, exe = {0}, cwd = {0}, cgroup = {0}, name = {0};
		struct slice rest;
		struct builder b;
		struct made made;
		char *slash;

		builder_full(&b);
		for (uint64_t n = dice_below(&dice, 6); n; n--) {
			char bytes[80];

			text_bytes(&argv, bytes, dice_hostile(&dice, bytes, sizeof(bytes)));
			text_char(&argv, 0);
		}
		builder_argv_bytes(&b, argv.len ? argv.data : "", argv.len);
		hostile_path(&dice, &b, SECTION_EXE, &exe);
		hostile_path(&dice, &b, SECTION_CWD, &cwd);
		hostile_path(&dice, &b, SECTION_CGROUP, &cgroup);
		hostile_component(&dice, &name);
		text_char(&name, 0);
		builder_section(&b, SECTION_FILENAME, name.data, name.len);
		hostile_name(&dice, b.facts.comm, COMM_BYTES);
		hostile_name(&dice, b.facts.parent_comm, COMM_BYTES);
		hostile_name(&dice, b.facts.tty, TTY_BYTES);
		hostile_name(&dice, b.facts.fs, FS_BYTES);
		make_with(ocsf, &b, 1, false, &made);
		/* And once more with a hostile parent and container. */
		json_object_put(made.json);
		text_clear(&made.line);
		made.event.container = (struct slice){name.data, name.len - 1};
		made.event.parent.exe = (struct slice){exe.data, exe.len};
		made.event.parent.argv = (struct slice){argv.data, argv.len};
		ocsf_write(ocsf, &test_clock, &made.event, 1, &made.line);
		assert_one_clean_line(&made.line);
		made.json = json_event(&made.line);

		assert_argv(&made, (struct slice){argv.data, argv.len});
		assert_string_and_bytes(&made, "process.file.path",
					"process.file.xattributes.path_base64",
					(struct slice){exe.data, exe.len});
		slash = memrchr(exe.data, '/', exe.len);
		rest = (struct slice){slash + 1, (size_t)(exe.data + exe.len - slash - 1)};
		assert_json_text(json_at(made.json, "process.file.name"), rest);
		assert_string_and_bytes(&made, MORE "cwd", MORE "cwd_base64",
					(struct slice){cwd.data, cwd.len});
		assert_string_and_bytes(&made, MORE "cgroup.path", MORE "cgroup.path_base64",
					(struct slice){cgroup.data, cgroup.len});
		assert_string_and_bytes(&made, MORE "exec_filename", MORE "exec_filename_base64",
					(struct slice){name.data, name.len - 1});
		assert_string_and_bytes(&made, "process.name", MORE "comm_base64",
					slice_of(b.facts.comm));
		assert_json_text(json_at(made.json, PARENT_ "name"), slice_of(b.facts.parent_comm));
		assert_json_text(json_at(made.json, "actor.process.name"),
				 slice_of(b.facts.parent_comm));
		assert_json_text(json_at(made.json, "process.session.terminal"),
				 slice_of(b.facts.tty));
		assert_json_text(json_at(made.json, "process.file.xattributes.fs"),
				 slice_of(b.facts.fs));
		assert_string_and_bytes(&made, PARENT_ "file.path",
					PARENT_ "file.xattributes.path_base64",
					(struct slice){exe.data, exe.len});
		assert_json_text(json_at(made.json, "process.container.uid"),
				 (struct slice){name.data, name.len - 1});
		made_free(&made);
		text_free(&argv);
		text_free(&exe);
		text_free(&cwd);
		text_free(&cgroup);
		text_free(&name);
		builder_free(&b);
	}
	ocsf_close(ocsf);
}

/* ------------------------------------------------------------------------- the head */

static int compare_uids(const void *a, const void *b)
{
	return memcmp(a, b, 37);
}

/* RFC 9562: version 7, variant 10, the first 48 bits are the milliseconds. */
static void a_uid_is_a_version_7_uuid_and_never_the_same(void **state)
{
	enum { UIDS = 100000 };
	char (*uids)[37] = calloc(UIDS, 37), want[16];
	struct ocsf *ocsf = open_ocsf();
	struct text line = {0};
	struct exec_event event;
	struct builder b;
	size_t size;
	void *record;

	(void)state;
	builder_bare(&b);
	record = builder_record(&b, &size);
	assert_int_equal(record_decode(&decoder, record, size, &event), 0);
	/* 1690007200123 ms, in hexadecimal, cut 8-4. */
	snprintf(want, sizeof(want), "%012llx", 1690007200123ULL);
	memmove(want + 9, want + 8, 5);
	want[8] = '-';
	for (int i = 0; i < UIDS; i++) {
		char *uid;

		text_clear(&line);
		ocsf_write(ocsf, &test_clock, &event, 1, &line);
		uid = memmem(line.data, line.len, "\"sequence\":1,\"uid\":\"", 20);
		if (!uid) {
			struct json_object *json = json_event(&line);

			snprintf(uids[i], 37, "%s",
				 json_object_get_string(json_at(json, "metadata.uid")));
			json_object_put(json);
		} else {
			memcpy(uids[i], uid + 20, 36);
		}
		assert_memory_equal(uids[i], want, 13);
		assert_int_equal(uids[i][13], '-');
		assert_int_equal(uids[i][14], '7');
		assert_non_null(strchr("89ab", uids[i][19]));
		assert_int_equal(strspn(uids[i], "0123456789abcdef-"), 36);
	}
	qsort(uids, UIDS, 37, compare_uids);
	for (int i = 1; i < UIDS; i++)
		assert_memory_not_equal(uids[i - 1], uids[i], 37);
	free(uids);
	free(record);
	text_free(&line);
	builder_free(&b);
	ocsf_close(ocsf);
}

static void two_sensors_do_not_make_the_same_uids(void **state)
{
	struct builder b;
	struct made one, two;

	(void)state;
	builder_full(&b);
	make(&b, &one);
	make(&b, &two);
	assert_string_not_equal(string_at(&one, "metadata.uid"), string_at(&two, "metadata.uid"));
	made_free(&one);
	made_free(&two);
	builder_free(&b);
}

static void events_are_appended(void **state)
{
	struct ocsf *ocsf = open_ocsf();
	struct text line = {0};
	struct exec_event event;
	struct builder b;
	size_t size;
	void *record;

	(void)state;
	builder_bare(&b);
	record = builder_record(&b, &size);
	assert_int_equal(record_decode(&decoder, record, size, &event), 0);
	text_str(&line, "before");
	ocsf_write(ocsf, &test_clock, &event, UINT64_MAX / 2, &line);
	assert_memory_equal(line.data, "before{", 7);
	assert_int_equal(line.data[line.len - 1], '}');
	assert_non_null(memmem(line.data, line.len, "\"sequence\":9223372036854775807", 30));
	text_free(&line);
	free(record);
	builder_free(&b);
	ocsf_close(ocsf);
}

/* ------------------------------------------------------------------ numbers too large */

/* Any user can give a file on tmpfs any 64-bit time. One that has no milliseconds is unknown. */
static void a_modified_time_that_has_no_milliseconds_is_left_out(void **state)
{
	static const struct {
		int64_t sec;
		bool fits;
	} cases[] = {
		{INT64_MAX / 1000 - 1, true}, {INT64_MIN / 1000 + 1, true},
		{INT64_MAX / 1000 + 1, false}, {INT64_MIN / 1000 - 2, false},
		{INT64_MAX, false},	       {INT64_MIN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder b;
		struct made made;

		builder_full(&b);
		b.facts.mtime_sec = cases[i].sec;
		b.facts.mtime_nsec = 7000000;
		make(&b, &made);
		if (cases[i].fits)
			assert_true(integer_at(&made, "process.file.modified_time") ==
				    cases[i].sec * 1000 + 7);
		else
			assert_true(absent(&made, "process.file.modified_time"));
		made_free(&made);
		builder_free(&b);
	}
}

/* A record that decodes never breaks what comes after it, whatever its numbers are. */
static void any_record_that_decodes_becomes_a_valid_event(void **state)
{
	struct ocsf *ocsf = open_ocsf();
	struct dice dice = {99};
	unsigned written = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct text line = {0};
		struct exec_event event;
		struct builder b;
		size_t size;
		char *record;

		builder_full(&b);
		record = builder_record(&b, &size);
		for (uint64_t n = 1 + dice_below(&dice, 6); n; n--)
			record[dice_below(&dice, size)] = (char)dice_roll(&dice);
		if (!record_decode(&decoder, record, size, &event)) {
			ocsf_write(ocsf, &test_clock, &event, 1, &line);
			assert_one_clean_line(&line);
			json_object_put(json_event(&line));
			written++;
		}
		text_free(&line);
		free(record);
		builder_free(&b);
	}
	assert_true(written > 1000);
	ocsf_close(ocsf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fact_is_in_its_place_and_nothing_else_is),
		cmocka_unit_test(every_fact_is_tested),
		cmocka_unit_test(an_unknown_fact_takes_its_attribute_and_nothing_else),
		cmocka_unit_test(unknown_argv_bytes_take_only_argv_bytes),
		cmocka_unit_test(an_event_of_no_facts_still_says_who_and_when),
		cmocka_unit_test(an_unset_login_uid_and_session_are_left_out),
		cmocka_unit_test(flags_say_yes_and_no),
		cmocka_unit_test(a_monotonic_time_uses_the_monotonic_offset),
		cmocka_unit_test(the_largest_numbers_are_exact),
		cmocka_unit_test(a_file_before_1970_has_a_negative_time),
		cmocka_unit_test(a_path_is_taken_apart_at_its_last_slash),
		cmocka_unit_test(a_cut_path_leaves_the_files_name),
		cmocka_unit_test(the_root_directory_is_a_cwd_and_a_cgroup),
		cmocka_unit_test(what_is_not_known_of_the_parent_is_left_out),
		cmocka_unit_test(without_a_boot_id_there_are_no_stable_keys),
		cmocka_unit_test(a_name_that_is_no_ocsf_hostname_goes_to_device_name),
		cmocka_unit_test(a_fact_from_proc_is_named_as_its_attribute),
		cmocka_unit_test(all_that_is_from_proc_is_named_once),
		cmocka_unit_test(what_is_not_in_the_event_is_not_named),
		cmocka_unit_test(an_empty_argv_is_an_empty_list),
		cmocka_unit_test(a_cut_argv_says_so),
		cmocka_unit_test(a_command_line_has_at_most_65535_characters),
		cmocka_unit_test(a_record_of_apostrophes_is_still_a_valid_event),
		cmocka_unit_test(a_real_shell_reads_the_same_arguments),
		cmocka_unit_test(hostile_bytes_stay_data),
		cmocka_unit_test(a_uid_is_a_version_7_uuid_and_never_the_same),
		cmocka_unit_test(two_sensors_do_not_make_the_same_uids),
		cmocka_unit_test(events_are_appended),
		cmocka_unit_test(a_modified_time_that_has_no_milliseconds_is_left_out),
		cmocka_unit_test(any_record_that_decodes_becomes_a_valid_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
