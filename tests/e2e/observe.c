// SPDX-License-Identifier: Apache-2.0
#include "observe.h"
#include "check.h"
#include "clock.h"
#include "e2e.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/*
 * The sensor makes wall time from the boot clock and an offset, which a clock that is being slewed moves a little, and
 * an emulated machine may be interrupted between the two readings.
 */
#define CLOCK_SLACK_NS (20 * NS_PER_MS)

/* RFC 3339 in UTC with nanoseconds; 0 if it is not. */
static uint64_t observe_parse_time(const char *text)
{
	struct tm tm = { 0 };
	unsigned int ns, digits_from = 0, end = 0;
	char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest || sscanf(rest, ".%n%9u%nZ", (int *)&digits_from, &ns, (int *)&end) != 1 || end - digits_from != 9 ||
	    strcmp(rest + end, "Z"))
		return 0;
	return (uint64_t)timegm(&tm) * NS_PER_S + ns;
}

static void compare_times(struct check *c, const struct subject *s)
{
	uint64_t at = observe_parse_time(event_text(c->event, "time_dt"));
	uint64_t from = s->before_ns - CLOCK_SLACK_NS, to = s->after_ns + CLOCK_SLACK_NS;
	uint64_t created_to = s->plan.pid_from_report ? to : s->forked_ns + CLOCK_SLACK_NS;

	if (at < from || at > to)
		check_wrong(c, "time_dt", "expected a time from %" PRIu64 " to %" PRIu64 ", got %s", from, to,
			    event_text(c->event, "time_dt"));
	check_int(c, "time", (int64_t)(at / NS_PER_MS));
	if (c->knows_less && !event_get(c->event, "process.created_time"))
		return;
	check_range(c, "process.created_time", (int64_t)(from / NS_PER_MS), (int64_t)(created_to / NS_PER_MS));
	if (json_object_get_int64(event_get(c->event, "process.created_time")) > (int64_t)(at / NS_PER_MS))
		check_wrong(c, "process.created_time", "later than the exec");
}

static void compare_profiles(struct check *c)
{
	static const char *const expected[] = { "host", "datetime", "linux/linux_users", "container" };
	struct json_object *profiles = event_get(c->event, "metadata.profiles");

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		bool found = false;

		for (size_t j = 0; json_object_is_type(profiles, json_type_array) && j < json_object_array_length(profiles); j++)
			found |= !strcmp(json_object_get_string(json_object_array_get_idx(profiles, j)), expected[i]);
		if (!found)
			check_wrong(c, "metadata.profiles", "%s is not in it", expected[i]);
	}
}

static void compare_metadata(struct check *c, const struct e2e *e)
{
	const char *product = event_text(c->event, "metadata.product.name");

	check_int(c, "class_uid", 1007);
	check_int(c, "category_uid", 1);
	check_int(c, "activity_id", 1);
	check_int(c, "type_uid", 100701);
	check_text(c, "metadata.version", "1.3.0");
	if (!product || strcasecmp(product, "cormorant"))
		check_wrong(c, "metadata.product.name", "expected cormorant, got %s", product ? product : "absent");
	if (!event_text(c->event, "metadata.product.vendor_name") || !event_text(c->event, "metadata.product.version"))
		check_wrong(c, "metadata.product", "vendor_name or version is absent");
	check_text(c, "metadata.event_code", "exec");
	check_text(c, "metadata.log_provider", "cormorant");
	check_text(c, "metadata.log_name", e->sensor.variant);
	if (!json_object_is_type(event_get(c->event, "metadata.extensions"), json_type_array))
		check_wrong(c, "metadata.extensions", "absent");
	compare_profiles(c);
}

static void compare_device(struct check *c)
{
	struct utsname host;
	struct bytes machine_id;
	const char *id = NULL;

	uname(&host);
	check_text(c, "device.hostname", host.nodename);
	check_text(c, "device.os.build", host.release);
	check_int(c, "device.os.type_id", 200);
	if (!event_text(c->event, "device.os.name") || !json_object_is_type(event_get(c->event, "device.type_id"), json_type_int))
		check_wrong(c, "device", "os.name or type_id is absent");
	if (bytes_read_file("/etc/machine-id", &machine_id)) {
		machine_id.data[strcspn(machine_id.data, "\n")] = '\0';
		id = machine_id.data;
	}
	check_text(c, "device.uid", id && *id ? id : NULL);
	if (id)
		bytes_free(&machine_id);
}

/* BOOT_ID:PID:START_NS, and START_NS must be the kernel's start time, which /proc shows in 1/100 s. */
static void compare_key(struct check *c, const char *path, pid_t pid, uint64_t ticks, bool may_be_absent)
{
	const char *got = event_text(c->event, path);
	char prefix[128], *end = NULL;
	struct bytes boot_id;
	uint64_t start_ns = 0;

	if (!got && (may_be_absent || c->knows_less)) {
		check_absent(c, path);
		return;
	}
	assert_true(bytes_read_file("/proc/sys/kernel/random/boot_id", &boot_id));
	snprintf(prefix, sizeof(prefix), "%.36s:%d:", boot_id.data, pid);
	bytes_free(&boot_id);
	if (got && !strncmp(got, prefix, strlen(prefix)) && isdigit((unsigned char)got[strlen(prefix)]))
		start_ns = strtoull(got + strlen(prefix), &end, 10);
	if (!end || *end || start_ns / 10000000 != ticks)
		check_wrong(c, path, "expected %s(%" PRIu64 "..%" PRIu64 "0000000), got %s", prefix, ticks, ticks + 1,
			    got ? got : "absent");
}

static void compare_process(struct check *c, const struct e2e *e, const struct truth *t)
{
	check_int(c, "process.pid", t->pid);
	check_int(c, "process.tid", t->pid);
	compare_key(c, "process.uid", t->pid, t->start_ticks, e->no_proc);
	check_int(c, "process.xattributes.pgid", t->pgid);
	check_int(c, "process.xattributes.sid", t->sid);
	check_int(c, "process.namespace_pid", t->namespace_pid);
	check_bytes(c, "process.name", "process.xattributes.comm_base64", &t->comm);
	check_bytes(c, "process.xattributes.cwd", "process.xattributes.cwd_base64", &t->cwd);
}

static void compare_ids(struct check *c, const struct truth *t)
{
	char uid[16], gid[16];

	snprintf(uid, sizeof(uid), "%u", t->uid);
	snprintf(gid, sizeof(gid), "%u", t->gid);
	check_text(c, "process.user.uid", uid);
	check_text(c, "process.group.uid", gid);
	check_int(c, "process.euid", t->euid);
	check_int(c, "process.egid", t->egid);
	check_int(c, "process.xattributes.suid", t->suid);
	check_int(c, "process.xattributes.sgid", t->sgid);
	check_int(c, "process.xattributes.fsuid", t->fsuid);
	check_int(c, "process.xattributes.fsgid", t->fsgid);
	check_text(c, "process.xattributes.cap_effective", t->cap_effective);
	check_text(c, "process.xattributes.cap_permitted", t->cap_permitted);
	check_text(c, "process.xattributes.cap_inheritable", t->cap_inheritable);
}

static void compare_session(struct check *c, const struct truth *t)
{
	char session[16];

	snprintf(session, sizeof(session), "%u", t->sessionid);
	if (t->loginuid == TRUTH_UNSET)
		check_absent(c, "process.auid");
	else
		check_int(c, "process.auid", t->loginuid);
	check_text(c, "process.session.uid", t->sessionid == TRUTH_UNSET ? NULL : session);
	if (strcmp(t->terminal, "?"))
		check_text(c, "process.session.terminal", *t->terminal ? t->terminal : NULL);
}

static void compare_namespaces(struct check *c, const struct truth *t)
{
	char path[64];

	for (int i = 0; i < NS_COUNT; i++) {
		snprintf(path, sizeof(path), "process.xattributes.ns.%s", truth_ns_names[i]);
		check_decimal(c, path, t->ns[i]);
	}
}

static bool compare_one_of(const char *names, const char *got)
{
	size_t len = strlen(got);

	for (; names; names = strchr(names, '|') ? strchr(names, '|') + 1 : NULL)
		if (!strncmp(names, got, len) && (names[len] == '|' || !names[len]))
			return true;
	return false;
}

static void compare_cgroup(struct check *c, const struct subject *s, const struct truth *t)
{
	const char *runtime = event_text(c->event, "process.container.runtime");

	check_text(c, "process.xattributes.cgroup.path", t->cgroup);
	if (t->cgroup_id)
		check_decimal(c, "process.xattributes.cgroup.id", t->cgroup_id);
	check_text(c, "process.container.uid", s->plan.container);
	if (!s->plan.container)
		check_absent(c, "process.container");
	if (s->plan.runtime && (runtime || !c->knows_less) && (!runtime || !compare_one_of(s->plan.runtime, runtime)))
		check_wrong(c, "process.container.runtime", "expected %s, got %s", s->plan.runtime,
			    runtime ? runtime : "absent");
}

/* The carried arguments, NULs between them, must be the front of what the process has. */
static void compare_argv_prefix(struct check *c, struct json_object *argv, const struct bytes *cmdline)
{
	size_t at = 0, n = json_object_array_length(argv);

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(argv, i);
		size_t len = (size_t)json_object_get_string_len(item);

		if (at + len > cmdline->len || memcmp(cmdline->data + at, json_object_get_string(item), len) ||
		    (i + 1 < n && cmdline->data[at + len])) {
			check_wrong(c, "process.xattributes.argv", "entry %zu is not what the process has at byte %zu", i, at);
			return;
		}
		at += len + 1;
	}
	if (at < 16384)
		check_wrong(c, "process.xattributes.argv", "only %zu bytes are carried, the contract says 16384", at);
	/* The last argument's own NUL may be what is missing: at counts one for it. */
	if (at > cmdline->len)
		check_wrong(c, "process.xattributes.argv_truncated", "true, but all %zu bytes are carried", cmdline->len);
}

static bool compare_argument(struct json_object *item, const struct bytes *expected, bool base64)
{
	struct bytes decoded = { 0 };
	bool same;

	if (!json_object_is_type(item, json_type_string))
		return false;
	if (!base64)
		return check_same(json_object_get_string(item), expected);
	same = base64_decode(json_object_get_string(item), &decoded) && bytes_equal(&decoded, expected);
	bytes_free(&decoded);
	return same;
}

static void compare_argv_list(struct check *c, const char *path, const struct byte_list *expected, bool base64)
{
	struct json_object *list = event_get(c->event, path);
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (!list || n != expected->n) {
		check_wrong(c, path, "expected %zu entries, got %zu", expected->n, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!compare_argument(json_object_array_get_idx(list, i), &expected->items[i], base64))
			check_wrong(c, path, "entry %zu: expected %s, got %.300s", i, bytes_show(&expected->items[i]),
				    json_object_get_string(json_object_array_get_idx(list, i)));
}

static void compare_whole_argv(struct check *c, const struct byte_list *argv, const char *cmd_line)
{
	struct bytes line = bytes_copy(cmd_line, strlen(cmd_line));
	bool valid = true;

	for (size_t i = 0; i < argv->n; i++)
		valid &= utf8_valid(&argv->items[i]);
	compare_argv_list(c, "process.xattributes.argv", argv, false);
	if (valid)
		check_absent(c, "process.xattributes.argv_base64");
	else
		compare_argv_list(c, "process.xattributes.argv_base64", argv, true);
	if (utf8_count(&line) < 65000)
		check_command_line(c, "process.cmd_line", argv);
	bytes_free(&line);
}

static void compare_argv(struct check *c, const struct subject *s, const struct truth *t)
{
	struct json_object *argv = event_get(c->event, "process.xattributes.argv");
	bool cut = json_object_get_boolean(event_get(c->event, "process.xattributes.argv_truncated"));
	const char *cmd_line = event_text(c->event, "process.cmd_line");
	struct bytes line = bytes_copy(cmd_line ? cmd_line : "", cmd_line ? strlen(cmd_line) : 0);
	struct byte_list expected = byte_list_of_cmdline(&t->cmdline);

	/* The kernel may make an empty argv one of an empty argument (5.18, dcd46d897adb). */
	check_int(c, "process.xattributes.argc", s->plan.foreign && !s->argc ? (int64_t)expected.n : s->argc);
	check_int(c, "process.xattributes.argv_bytes", (int64_t)t->cmdline.len);
	check_bool(c, "process.xattributes.argv_truncated", cut);
	if (utf8_count(&line) > 65535)
		check_wrong(c, "process.cmd_line", "%zu characters", utf8_count(&line));
	if (!cut)
		compare_whole_argv(c, &expected, line.data);
	else if (json_object_is_type(argv, json_type_array))
		compare_argv_prefix(c, argv, &t->cmdline);
	check_absent(c, "process.xattributes.argv_source");
	byte_list_free(&expected);
	bytes_free(&line);
}

/* name and parent_folder belong to path: they are cut from the true path here. */
static void compare_path(struct check *c, const struct bytes *path)
{
	const char *slash = strrchr(path->data, '/');
	size_t folder_len = slash > path->data ? (size_t)(slash - path->data) : 1;
	struct bytes folder = bytes_copy(path->data, folder_len);
	struct bytes name = bytes_copy(slash + 1, path->len - (size_t)(slash + 1 - path->data));

	check_bytes(c, "process.file.path", "process.file.xattributes.path_base64", path);
	check_bytes(c, "process.file.name", NULL, &name);
	check_bytes(c, "process.file.parent_folder", NULL, &folder);
	bytes_free(&folder);
	bytes_free(&name);
}

static void compare_file(struct check *c, const struct subject *s, const struct truth *t)
{
	const struct stat *st = &t->exe_stat;
	const char *fs = s->plan.fs ? s->plan.fs : t->fs;
	char uid[64];

	compare_path(c, &t->exe);
	snprintf(uid, sizeof(uid), "%u:%u:%" PRIu64, t->exe_major, t->exe_minor, t->exe_inode);
	check_text(c, "process.file.uid", uid);
	check_int(c, "process.file.type_id", 1);
	check_int(c, "process.file.size", st->st_size);
	check_int(c, "process.file.attributes", st->st_mode);
	check_int(c, "process.file.modified_time", st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000);
	check_int(c, "process.file.xattributes.nlink", (int64_t)st->st_nlink);
	check_bool(c, "process.file.xattributes.deleted", t->deleted);
	check_bool(c, "process.file.xattributes.memfd", !strncmp(t->exe.data, "/memfd:", 7));
	if (*fs)
		check_text(c, "process.file.xattributes.fs", fs);
}

static void compare_asked_for(struct check *c, const struct subject *s)
{
	const char *path = "process.xattributes.exec_filename";
	const char *name = s->plan.exec_filename ? s->plan.exec_filename : s->path;
	struct bytes expected = bytes_copy(name, strlen(name));

	if (!s->plan.exec_filename_far || event_get(c->event, path))
		check_bytes(c, path, "process.xattributes.exec_filename_base64", &expected);
	bytes_free(&expected);
}

/* File and command line of the parent come from its own exec event, or from /proc where it was started before. */
static void compare_parent_program(struct check *c, const struct subject *s, const struct truth *t)
{
	struct bytes cmdline, exe;
	struct byte_list argv;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", t->ppid);
	assert_true(bytes_read_file(path, &cmdline));
	/* What the event calls /proc's word is held against /proc. */
	argv = s->plan.parent_argv && !event_is_from_proc(c->event, "parent_process.cmd_line") ?
		       byte_list_of_argv(s->plan.parent_argv) :
		       byte_list_of_cmdline(&cmdline);
	check_command_line(c, "process.parent_process.cmd_line", &argv);
	snprintf(path, sizeof(path), "/proc/%d/exe", t->ppid);
	if (bytes_read_link(path, &exe)) {
		check_bytes(c, "process.parent_process.file.path", NULL, &exe);
		bytes_free(&exe);
	}
	byte_list_free(&argv);
	bytes_free(&cmdline);
}

static void compare_parent(struct check *c, const struct e2e *e, const struct subject *s, const struct truth *t)
{
	uint64_t ticks = truth_start_ticks(t->ppid);
	struct bytes comm;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", t->ppid);
	assert_true(bytes_read_file(path, &comm));
	comm.data[--comm.len] = '\0';
	check_int(c, "process.parent_process.pid", t->ppid);
	check_int(c, "actor.process.pid", t->ppid);
	compare_key(c, "process.parent_process.uid", t->ppid, ticks, e->no_proc);
	compare_key(c, "actor.process.uid", t->ppid, ticks, e->no_proc);
	check_bytes(c, "process.parent_process.name", NULL, &comm);
	bytes_free(&comm);
	if (!e->no_proc)
		compare_parent_program(c, s, t);
}

/* An unknown value is left out: nothing in an event is null. */
static void compare_no_nulls(struct check *c, struct json_object *object, const char *name)
{
	if (json_object_is_type(object, json_type_object)) {
		json_object_object_foreach(object, key, value)
			compare_no_nulls(c, value, key);
	} else if (!object) {
		check_wrong(c, name, "is null");
	}
}

static struct observed *observe_event(struct e2e *e, struct subject *s)
{
	struct observed *o = workspace_memory(&e->ws, sizeof(*o));

	o->subject = s;
	o->event = event_log_wait(&e->log, s->pid, NULL);
	if (!o->event)
		fail_msg("no event of the exec of %.200s by %d", s->path, s->pid);
	truth_read(&o->truth, s->pid, workspace_cgroup_mount(&e->ws));
	o->next = e->observed;
	e->observed = o;
	return o;
}

static void compare_all(struct check *c, const struct e2e *e, const struct observed *o)
{
	const struct subject *s = o->subject;

	compare_no_nulls(c, o->event, "event");
	compare_metadata(c, e);
	compare_device(c);
	compare_times(c, s);
	compare_process(c, e, &o->truth);
	compare_ids(c, &o->truth);
	compare_session(c, &o->truth);
	compare_namespaces(c, &o->truth);
	compare_cgroup(c, s, &o->truth);
	compare_argv(c, s, &o->truth);
	compare_file(c, s, &o->truth);
	compare_asked_for(c, s);
	compare_parent(c, e, s, &o->truth);
}

struct observed *observe_subject(struct e2e *e, struct subject *s)
{
	struct observed *o = observe_event(e, s);
	/* A row's numbers that only /proc could prove are withheld where there is none. */
	struct check c = { .event = o->event, .knows_less = e->knows_less, .knows_no_offset = e->knows_less && e->no_proc };

	compare_all(&c, e, o);
	check_done(&c);
	return o;
}

unsigned int observe_wrong(struct e2e *e, struct subject *s)
{
	struct observed *o = observe_event(e, s);
	struct check c = { .event = o->event, .knows_less = true, .knows_no_offset = true };

	compare_all(&c, e, o);
	if (c.wrong)
		check_show_event(c.event);
	return c.wrong;
}

struct observed *observe(struct e2e *e, const struct subject_plan *plan)
{
	return observe_subject(e, subject_start(e, plan));
}

void observe_free_all(struct e2e *e)
{
	for (struct observed *o = e->observed; o; o = o->next)
		truth_free(&o->truth);
	e->observed = NULL;
}
