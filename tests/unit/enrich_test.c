// SPDX-License-Identifier: Apache-2.0
/* enrich.c: an event of a variant that knows little, filled from /proc, from the record to the JSON. */
#include "child.h"
#include "enrich.h"
#include "event_json.h"
#include "ocsf.h"
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static const char *const sleeper[] = {"called so", "60", "0", NULL};
#define SLEEPER "called so\0" "60\0" "0"

/* What helpers know, and the new program's stack: access none. */
static void builder_none(struct builder *b, pid_t pid, const char *comm)
{
	struct timespec now;

	builder_bare(b);
	clock_gettime(CLOCK_BOOTTIME, &now);
	b->head.time_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	b->head.tgid = b->head.tid = (uint32_t)pid;
	b->head.uid = getuid();
	strcpy(b->facts.comm, comm);
	b->facts.ids[ID_UID] = getuid();
	b->facts.ids[ID_GID] = getgid();
	b->facts.present = FACT_BIT(FACT_COMM) | FACT_BIT(FACT_ID + ID_UID) | FACT_BIT(FACT_ID + ID_GID);
	builder_argv_bytes(b, SLEEPER, sizeof(SLEEPER));
	builder_section(b, SECTION_FILENAME, "/bin/sleep", 11);
}

/* One event and all that it points into. */
struct made {
	struct enricher *enricher;
	struct record_decoder decoder;
	void *record;
	struct exec_event event;
	struct text line;
	struct json_object *json;
};

static void decode_and_enrich(struct builder *b, struct made *made)
{
	size_t size;

	free(made->record);
	made->record = builder_record(b, &size);
	assert_int_equal(record_decode(&made->decoder, made->record, size, &made->event), 0);
	enrich(made->enricher, &made->event);
}

/* On a busy machine the reader is not waited for: then the event is enriched again. */
static void make(struct builder *b, bool filled, struct made *made)
{
	static const struct host host = {.hostname = "host", .release = "4.4.0", .os_name = "Linux"};
	struct ocsf *ocsf = ocsf_open(&host, "exec.kprobe.perfbuf.none");
	struct wallclock clock;

	*made = (struct made){.enricher = enricher_open()};
	assert_non_null(made->enricher);
	assert_non_null(ocsf);
	decode_and_enrich(b, made);
	for (int i = 0; i < 2000 && filled && !made->event.from_proc; i++) {
		usleep(5000);
		decode_and_enrich(b, made);
	}
	wallclock_open(&clock);
	ocsf_write(ocsf, &clock, &made->event, 1, &made->line);
	assert_one_clean_line(&made->line);
	made->json = json_event(&made->line);
	enrich_remember(made->enricher, &made->event);
	ocsf_close(ocsf);
	builder_free(b);
}

static void made_free(struct made *made)
{
	json_object_put(made->json);
	text_free(&made->line);
	enricher_close(made->enricher);
	free(made->record);
}

static const char *string_at(const struct made *made, const char *path)
{
	struct json_object *value = json_at(made->json, path);

	if (!value)
		fail_msg("no %s in %.*s", path, (int)made->line.len, made->line.data);
	return json_object_get_string(value);
}

static bool absent(const struct made *made, const char *path)
{
	return json_at(made->json, path) == NULL;
}

/* The name in from_proc that stands for an attribute, which may lie below it. */
static const char *name_for(const struct made *made, const char *attribute)
{
	struct json_object *names = json_at(made->json, "process.xattributes.from_proc");

	for (size_t i = 0; names && i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		size_t n = strlen(name);

		if (!strncmp(attribute, name, n) && (!attribute[n] || attribute[n] == '.'))
			return name;
	}
	return NULL;
}

/* The project's own check of events, if its Python is here. */
static void assert_valid(const struct made *made)
{
	char check[4096], event[4096];
	struct text out = {0};
	FILE *f;

	snprintf(check, sizeof(check), "%.*s/../ocsf/check", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	snprintf(event, sizeof(event), "%s/event", scratch_directory());
	if (access(check, R_OK) || system("/usr/bin/python3 -c 'import jsonschema' 2>/dev/null")) {
		print_message("not checked: no %s or no jsonschema\n", check);
		return;
	}
	f = fopen(event, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(made->line.data, 1, made->line.len, f), made->line.len);
	fputc('\n', f);
	fclose(f);
	program_output((const char *const[]){"/usr/bin/python3", check, event, NULL}, &out);
	text_free(&out);
}

static bool host_proc(void)
{
	if (proc_is_host())
		return true;
	print_message("skipped: /proc is not the host's here\n");
	return false;
}

/* ------------------------------------------------------------------------ tests */

/* Attributes that a record of access none has; the rest of process must be /proc's and say so. */
static const char *const own[] = {
	"pid", "tid", "name", "cmd_line", "user.uid", "group.uid", "xattributes.argv",
	"xattributes.argv_truncated", "xattributes.argc", "xattributes.argv_bytes",
	"xattributes.exec_filename", "xattributes.from_proc",
	/* They go with file.path, the file's type is always the same. */
	"file.name", "file.parent_folder", "file.type_id", "file.type",
};

static bool is_own(const char *attribute)
{
	size_t n = strcspn(attribute, "[");

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strlen(own[i]) == n && !strncmp(attribute, own[i], n))
			return true;
	return false;
}

/* Every attribute is either the record's or named, every name is an attribute. */
static void assert_all_named(const struct made *made)
{
	struct json_object *names = json_at(made->json, "process.xattributes.from_proc");
	struct json_lines lines = json_flatten(json_at(made->json, "process"));
	char attribute[256], path[512];

	for (size_t i = 0; i < lines.count; i++) {
		snprintf(attribute, sizeof(attribute), "%.*s", (int)strcspn(lines.lines[i], "="), lines.lines[i]);
		if (is_own(attribute) == (name_for(made, attribute) != NULL))
			fail_msg("%s: %s", attribute, is_own(attribute) ? "named" : "not named");
	}
	assert_non_null(names);
	for (size_t i = 0; i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		snprintf(path, sizeof(path), "process.%s", name);
		if (absent(made, path))
			fail_msg("%s is named and not there", name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, json_object_get_string(json_object_array_get_idx(names, j)));
	}
	json_lines_free(&lines);
}

static void an_event_without_offsets_is_filled_and_says_so(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	char self[4096] = "", number[64];
	struct builder b;
	struct made made;
	struct stat st;

	(void)state;
	if (!host_proc())
		skip();
	assert_int_equal(stat("/bin/sleep", &st), 0);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	builder_none(&b, child.pid, "sleep");
	make(&b, true, &made);
	assert_all_named(&made);
	assert_string_equal(string_at(&made, "process.file.path"), "/usr/bin/sleep");
	snprintf(number, sizeof(number), "%u:%u:%lu", major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	assert_string_equal(string_at(&made, "process.file.uid"), number);
	assert_int_equal(json_object_get_int(json_at(made.json, "process.parent_process.pid")), getpid());
	assert_int_equal(json_object_get_int(json_at(made.json, "actor.process.pid")), getpid());
	assert_string_equal(string_at(&made, "process.parent_process.file.path"), self);
	assert_int_equal(json_object_get_int(json_at(made.json, "process.namespace_pid")), child.pid);
	/* From ticks no key and no time is made. */
	assert_true(absent(&made, "process.uid") && absent(&made, "process.created_time") &&
		    absent(&made, "process.parent_process.uid"));
	assert_valid(&made);
	made_free(&made);
	child_stop(&child);
}

static int chdir_away(void *arg)
{
	return chdir(arg) || rmdir(arg) ? -errno : 0;
}

/* Deleted, and not UTF-8: what goes with a path comes as well. */
static void a_hostile_path_is_a_valid_event(void **state)
{
	const char *dir = scratch_directory();
	char path[512], below[512];
	struct child child;
	struct builder b;
	struct made made;

	(void)state;
	if (!host_proc())
		skip();
	snprintf(path, sizeof(path), "%s/pr\xff\n\"g (deleted)", dir);
	snprintf(below, sizeof(below), "%s/\xfe", dir);
	copy_sleep(path);
	assert_int_equal(mkdir(below, 0755), 0);
	child = child_start(&(struct child_plan){.path = path, .argv = sleeper, .prepare = chdir_away, .arg = below});
	assert_int_equal(unlink(path), 0);
	builder_none(&b, child.pid, "");
	memcpy(b.facts.comm, strrchr(path, '/') + 1, COMM_BYTES - 1);
	make(&b, true, &made);
	assert_json_text(json_at(made.json, "process.file.path"), slice_of(path));
	assert_json_base64(json_at(made.json, "process.file.xattributes.path_base64"), slice_of(path));
	assert_json_base64(json_at(made.json, "process.xattributes.cwd_base64"), slice_of(below));
	assert_true(json_object_get_boolean(json_at(made.json, "process.file.xattributes.deleted")));
	assert_valid(&made);
	made_free(&made);
	child_stop(&child);
}

/* A variant with offsets has looked: that it found no end of the path is an answer, too. */
static void an_event_with_the_executables_section_is_left_alone(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});

	(void)state;
	for (int truncated = 0; truncated < 2; truncated++) {
		struct builder b;
		struct made made;

		builder_none(&b, child.pid, "sleep");
		builder_path(&b, SECTION_EXE, "/kernel/says");
		b.facts.flags |= truncated ? (unsigned)EXEC_TRUNCATED_BIT(SECTION_EXE) : 0;
		make(&b, false, &made);
		assert_true(made.event.from_proc == 0);
		assert_true(absent(&made, "process.xattributes.from_proc"));
		assert_true(absent(&made, "process.parent_process"));
		assert_string_equal(string_at(&made, "process.file.name"), "says");
		made_free(&made);
	}
	child_stop(&child);
}

static void an_event_that_can_not_be_compared_is_left_alone(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct builder b;
		struct made made;

		builder_none(&b, child.pid, "sleep");
		if (i == 0)
			builder_drop(&b, SECTION_ARGV);
		else if (i == 1)
			builder_argv_bytes(&b, "", 0);
		else if (i == 2)
			b.facts.present &= ~FACT_BIT(FACT_COMM);
		else
			strcpy(b.facts.comm, "other");
		make(&b, false, &made);
		assert_true(made.event.from_proc == 0);
		assert_true(absent(&made, "process.xattributes.from_proc"));
		assert_true(absent(&made, "process.file"));
		made_free(&made);
	}
	child_stop(&child);
}

/* A record in parts, made with offsets: only the strings are missing. */
static void an_event_in_parts_gets_its_paths(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	struct json_object *from_proc;
	struct builder b, full;
	struct made made;
	struct stat st;

	(void)state;
	if (!host_proc())
		skip();
	assert_int_equal(stat("/bin/sleep", &st), 0);
	builder_none(&b, child.pid, "sleep");
	builder_full(&full);
	full.facts.argv_bytes = b.facts.argv_bytes;
	full.facts.argc = b.facts.argc;
	strcpy(full.facts.comm, "sleep");
	full.facts.start_ns = (uint64_t)child_stat_field(child.pid, 22) * (1000000000U / (unsigned)sysconf(_SC_CLK_TCK)) + 7;
	full.facts.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	full.facts.inode = st.st_ino;
	full.facts.flags = 0;
	for (unsigned i = SECTION_EXE; i < SECTION_COUNT; i++)
		full.facts.present &= ~FACT_BIT(FACT_SECTION + i);
	b.facts = full.facts;
	b.head.ppid = full.head.ppid;
	builder_free(&full);
	make(&b, true, &made);
	assert_string_equal(string_at(&made, "process.file.path"), "/usr/bin/sleep");
	assert_int_equal(json_object_get_int64(json_at(made.json, "process.file.size")), 123457);
	assert_int_equal(json_object_get_int64(json_at(made.json, "process.parent_process.pid")), 4100);
	from_proc = json_at(made.json, "process.xattributes.from_proc");
	assert_non_null(name_for(&made, "file.path"));
	assert_non_null(name_for(&made, "xattributes.cwd"));
	assert_int_equal(json_object_array_length(from_proc),
			 2 + (name_for(&made, "xattributes.cgroup.path") != NULL));
	made_free(&made);
	child_stop(&child);
}

/* ------------------------------------------------------------------- containers */

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A container's cgroup in a hierarchy of this type. False if none can be made. */
static bool make_cgroup(const char *type, const char *option, char *dir, size_t size)
{
	char line[4096], point[1024], kind[64], options[1024];
	FILE *f = fopen("/proc/self/mounts", "re");
	bool made = false;

	while (f && !made && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %1023s %63s %1023s", point, kind, options) != 3 || strcmp(kind, type) ||
		    (option && !strstr(options, option)))
			continue;
		snprintf(dir, size, "%s/docker-" ID64 ".scope", point);
		made = !mkdir(dir, 0755);
	}
	if (f)
		fclose(f);
	return made;
}

static int enter_cgroup(void *arg)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", (const char *)arg);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

static void a_container_is_found_in_either_hierarchy(void **state)
{
	unsigned found = 0;

	(void)state;
	for (int i = 0; i < 2 && host_proc(); i++) {
		char dir[4096];
		struct child child;
		struct builder b;
		struct made made;

		if (!make_cgroup(i ? "cgroup" : "cgroup2", i ? "memory" : NULL, dir, sizeof(dir)))
			continue;
		child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = enter_cgroup, .arg = dir});
		builder_none(&b, child.pid, "sleep");
		make(&b, true, &made);
		assert_string_equal(string_at(&made, "process.container.uid"), ID64);
		assert_string_equal(string_at(&made, "process.container.runtime"), "docker");
		assert_non_null(name_for(&made, "container"));
		if (!i)
			assert_string_equal(string_at(&made, "process.xattributes.cgroup.path"), "/docker-" ID64 ".scope");
		assert_all_named(&made);
		assert_valid(&made);
		made_free(&made);
		child_stop(&child);
		assert_int_equal(rmdir(dir), 0);
		found++;
	}
	if (!found) {
		print_message("skipped: no cgroup can be made\n");
		skip();
	}
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_without_offsets_is_filled_and_says_so),
		cmocka_unit_test(a_hostile_path_is_a_valid_event),
		cmocka_unit_test(an_event_with_the_executables_section_is_left_alone),
		cmocka_unit_test(an_event_that_can_not_be_compared_is_left_alone),
		cmocka_unit_test(an_event_in_parts_gets_its_paths),
		cmocka_unit_test(a_container_is_found_in_either_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
