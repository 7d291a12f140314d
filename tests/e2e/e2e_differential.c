// SPDX-License-Identifier: Apache-2.0
/*
 * All variants at once, on the same execs: they are one body, and must agree.
 *
 * The first test starts a sensor for each variant, makes the execs and waits for everybody's events. Where a tracepoint
 * takes one program only (below 4.15) those that found it taken follow in further rounds, with a variant on another hook
 * beside them to be held against. Each variant then has a test of its own, which compares.
 */
#include "e2e.h"
#include "check.h"
#include "clock.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXECS_MAX = 40 };

/* One exec as one sensor told it. */
struct told {
	pid_t pid;
	int exec;	/* which of the list it is */
	struct json_object *event, *reference;	/* of the same exec, by the round's best; NULL: it was not told */
};

struct cell {
	const char *name;
	struct sensor sensor;
	struct event_log log;
	bool ready, done;	/* runs in this round; has told its execs in one */
	bool best;		/* is what the others of its round are held against */
	char *reason;		/* not ready: why */
	const char *against;	/* the reference's name */
	struct told told[EXECS_MAX];
	size_t n;
};

#define CELLS(access)                                                                                              \
	{ .name = "exec.raw_tp.ringbuf." access }, { .name = "exec.raw_tp.perfbuf." access },                      \
		{ .name = "exec.tp.ringbuf." access }, { .name = "exec.tp.perfbuf." access },                      \
		{ .name = "exec.kprobe.ringbuf." access }, { .name = "exec.kprobe.perfbuf." access }

/* Best first; the last is started again as a further round's reference. */
static struct cell cells[] = { CELLS("core"), CELLS("map"), CELLS("none"), { .name = NULL } };
enum { CELL_COUNT = sizeof(cells) / sizeof(cells[0]) - 1 };
static struct cell *const spare = &cells[CELL_COUNT];

static const char *access_of(const struct cell *cell)
{
	return strrchr(cell->name, '.') + 1;
}

/* ------------------------------------------------------------------ the sensors */

static void cell_start(struct e2e *e, struct cell *cell)
{
	const char *args[] = { "run", "-f", "ocsf", "--attach", NULL, "--transport", NULL, "--access", NULL, NULL };
	char attach[16], transport[16], access[16];
	int (*hide)(void *) = NULL;

	sscanf(cell->name, "exec.%15[^.].%15[^.].%15s", attach, transport, access);
	args[4] = attach;
	args[6] = transport;
	args[8] = access;
	/* The kernel's BTF would be preferred to the database, and it is the database that is to be held against it. */
	if (!strcmp(access, "map") && e2e_database())
		hide = prepare_without_btf;
	sensor_start(&e->ws, &cell->sensor, &(struct sensor_plan){ .args = args, .prepare = hide });
}

static void cell_wait(struct e2e *e, struct cell *cell)
{
	char *reason;

	cell->ready = sensor_wait_ready_or_end(&cell->sensor);
	if (cell->ready) {
		event_log_open(&cell->log, cell->sensor.out_path);
		return;
	}
	reason = sensor_reason(&cell->sensor, cell->name);
	cell->reason = workspace_text(&e->ws, "%s", *reason ? reason : "it says nothing");
	free(reason);
	sensor_kill(&cell->sensor);
}

/* Another program holds the tracepoint: one of ours. */
static bool cell_must_wait(const struct cell *cell)
{
	return e2e_kernel_before(4, 15) && !cell->ready && !cell->done && cell->reason &&
	       !strncmp(cell->reason, "AttachFailed: ", 14) && strstr(cell->reason, "another program");
}

static void cell_stop(struct cell *cell)
{
	if (!cell->ready)
		return;
	cell->ready = false;
	cell->done = true;
	sensor_stop(&cell->sensor, SIGTERM);
	event_log_close(&cell->log);
}

/* ------------------------------------------------------------------ the execs */

static int enter_namespaces(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS) ? -errno : 0;
}

static int descend(void *arg)
{
	if (chdir(arg))
		return -errno;
	for (int i = 0; i < 60; i++)
		if ((mkdir("deep", 0755) && errno != EEXIST) || chdir("deep"))
			return -errno;
	return 0;
}

static char *long_argument(struct e2e *e, size_t len)
{
	char *text = workspace_memory(&e->ws, len + 1);

	memset(text, 'x', len);
	return text;
}

static int memfd_of_program(struct e2e *e)
{
	int fd = memfd_create("differential", MFD_CLOEXEC);
	struct bytes program;

	assert_return_code(fd, errno);
	assert_true(bytes_read_file(e->ws.program, &program));
	assert_int_equal(write(fd, program.data, program.len), program.len);
	bytes_free(&program);
	return fd;
}

static char *copy(struct e2e *e, const char *name)
{
	char *path = workspace_text(&e->ws, "%s/%s", workspace_scratch(&e->ws), name);

	workspace_copy_program(path);
	return path;
}

static char *script(struct e2e *e, const char *interpreter)
{
	char *path = workspace_text(&e->ws, "%s/script", workspace_scratch(&e->ws));
	char *line = workspace_text(&e->ws, "#!%s an argument\n", interpreter);

	workspace_write_file(path, line, strlen(line), 0755);
	return path;
}

static char *set_uid_program(struct e2e *e)
{
	char *path = copy(e, "set-uid");

	assert_return_code(chown(path, 3001, 3002), errno);
	assert_return_code(chmod(path, 06755), errno);
	return path;
}

static int deleted_program(struct e2e *e)
{
	char *path = copy(e, "gone");
	int fd = open(path, O_PATH | O_CLOEXEC);

	assert_return_code(unlink(path), errno);
	return fd;
}

/* A copy that outlives the block it is made in. */
static char *const *keep_argv(struct e2e *e, char *const *argv, size_t size)
{
	return memcpy(workspace_memory(&e->ws, size), argv, size);
}

#define LIST(...) keep_argv(e, (char *const[]){ __VA_ARGS__ }, sizeof((char *const[]){ __VA_ARGS__ }))
#define ARGV(...) LIST("subject", __VA_ARGS__, NULL)

/* Makes exec i of the list; NULL: there is no such one. A namespace that this kernel does not have makes it a plain one. */
static struct subject *make_exec(struct e2e *e, int i)
{
	struct subject_plan plan = { 0 };
	struct subject *s;

	switch (i) {
	case 0: break;
	case 1: plan.argv = ARGV("a b", "", "it's", "\"quoted\"", "new\nline", "$(x) *?"); break;
	case 2: plan.argv = ARGV("caf\xe9", "\xff\xfe", "ok"); break;
	case 3: plan.argv = ARGV("", "", ""); break;
	case 4: plan.argv = LIST(NULL); break;
	case 5: plan.argv = ARGV(long_argument(e, 1000)); break;
	case 6: plan.argv = ARGV(long_argument(e, 16384 - 9)); break;
	case 7: plan.argv = ARGV(long_argument(e, 20480)); break;
	case 8: plan.argv = ARGV(long_argument(e, 131000), "more"); break;
	case 9: plan = (struct subject_plan){ .prepare = descend, .arg = workspace_scratch(&e->ws) }; break;
	case 10: plan = (struct subject_plan){ .exec = subject_exec_by_fd, .exec_fd = deleted_program(e) }; break;
	case 11: plan = (struct subject_plan){ .exec = subject_exec_by_fd, .exec_fd = memfd_of_program(e) }; break;
	case 12: plan.path = script(e, e->ws.program); break;
	case 13: plan.path = script(e, script(e, e->ws.program)); break;
	case 14: plan.prepare = prepare_four_ids; break;
	case 15: plan = (struct subject_plan){ .path = set_uid_program(e), .prepare = prepare_nobody }; break;
	case 16: plan.prepare = prepare_capabilities; break;
	case 17: plan.prepare = enter_namespaces; break;
	case 18: plan.clone_flags = CLONE_NEWPID; break;
	case 19: plan.clone_flags = CLONE_NEWUSER; break;
	case 20: plan.prepare = prepare_group; break;
	case 21: plan.exec = prepare_exec_from_thread; break;
	case 22: plan = (struct subject_plan){ .exec = prepare_exec_after_vfork, .pid_from_report = true }; break;
	case 23: plan = (struct subject_plan){ .prepare = prepare_removed_directory, .arg = workspace_scratch(&e->ws) }; break;
	case 24: plan.path = copy(e, "na\xc3me not \xff utf8"); break;
	case 25: plan.arg = workspace_cgroup(&e->ws, "/e2e.slice/differential");
		if (plan.arg)
			plan.prepare = prepare_cgroup;
		break;
	case 26: plan.environment = subject_environment(&e->ws, NULL, 500); break;
	default: return NULL;
	}
	s = subject_try_start(e, &plan);
	if (plan.exec_fd > 0)
		close(plan.exec_fd);
	if (s)
		return s;
	if (errno != EINVAL && errno != ENOSPC && errno != EPERM)
		fail_msg("exec %d of the list: %s", i, strerror(errno));
	print_message("exec %d of the list is not possible here: %s\n", i, strerror(errno));
	return subject_start(e, &(struct subject_plan){ 0 });
}

static void take_told(struct cell *cell, const struct subject *s, int exec)
{
	struct json_object *event = cell->n < EXECS_MAX ? event_log_wait(&cell->log, s->pid, NULL) : NULL;

	if (cell->n < EXECS_MAX)
		cell->told[cell->n++] = (struct told){ .pid = s->pid, .exec = exec, .event = json_object_get(event) };
}

/* Every exec is held until all have told of it: what they ask /proc stands still. */
static void run_round(struct e2e *e)
{
	struct subject *s;

	for (int i = 0; (s = make_exec(e, i)); i++) {
		for (struct cell *cell = cells; cell <= spare; cell++)
			if (cell->ready)
				take_told(cell, s, i);
		subject_release_all(e);
		workspace_tidy(&e->ws);
	}
}

static void end_round(void)
{
	struct cell *best = NULL;

	for (struct cell *cell = cells; cell <= spare; cell++) {
		if (!cell->ready)
			continue;
		/* The spare one sees as much as any of its round: it is chosen so. */
		if (!best || cell == spare)
			best = cell;
	}
	for (struct cell *cell = cells; cell <= spare; cell++) {
		if (!cell->ready)
			continue;
		cell->best = cell == best;
		cell->against = best->name;
		for (size_t i = 0; i < cell->n; i++)
			cell->told[i].reference = json_object_get(best->told[i].event);
	}
	for (struct cell *cell = cells; cell <= spare; cell++)
		cell_stop(cell);
}

/* Those that found the tracepoint taken, one a round, and beside it the best that does not use it. */
static bool start_next(struct e2e *e)
{
	struct cell *next = NULL, *best = NULL;

	for (struct cell *cell = cells; cell < spare; cell++) {
		if (!next && cell_must_wait(cell))
			next = cell;
		if (!best && cell->done && strstr(cell->name, ".kprobe."))
			best = cell;
	}
	if (!next || !best)
		return false;
	next->n = 0;
	cell_start(e, next);
	cell_wait(e, next);
	*spare = (struct cell){ .name = best->name };
	cell_start(e, spare);
	cell_wait(e, spare);
	if (!next->ready)
		next->reason = workspace_text(&e->ws, "%s (alone on the tracepoint)", next->reason), next->done = true;
	return true;
}

static void every_variant_starts_or_says_why(void **state)
{
	struct e2e *e = *state;
	size_t works = 0;

	for (struct cell *cell = cells; cell < spare; cell++)
		cell_start(e, cell);
	for (struct cell *cell = cells; cell < spare; cell++)
		cell_wait(e, cell);
	run_round(e);
	end_round();
	while (start_next(e)) {
		run_round(e);
		end_round();
	}
	for (struct cell *cell = cells; cell < spare; cell++) {
		if (!cell->done && !strlen(cell->reason ? cell->reason : ""))
			fail_msg("%s: neither ready nor a reason", cell->name);
		works += cell->done;
	}
	if (!works)
		fail_msg("no variant works: %s", cells[CELL_COUNT - 1].reason);
}

/* ------------------------------------------------------------------ the comparison */

struct difference {
	struct check check;
	const struct cell *cell;
	struct json_object *event, *reference;
};

/* Of the sensor, not of the exec. */
static bool is_the_sensors(const char *path)
{
	static const char *const own[] = { "metadata.uid", "metadata.sequence", "metadata.log_name",
					   "process.xattributes.from_proc" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(path, own[i]))
			return true;
	return false;
}

/* Both variants run one after the other, and each sensor makes wall time for itself. */
static bool is_near(const char *path, struct json_object *a, struct json_object *b)
{
	/* The programs of 18 variants run one after the other; an emulated CPU may stand still in between. */
	int64_t apart = json_object_get_int64(a) - json_object_get_int64(b), near = getenv("E2E_VM") ? 2000 : 100;

	if (!strcmp(path, "time_dt"))
		return true; /* time is compared, and that the two are the same is the main group's business */
	return (!strcmp(path, "time") || !strcmp(path, "process.created_time")) && apart >= -near && apart <= near;
}

/*
 * The parent's file and command line are asked of /proc where its own exec was not seen, and a sensor does not wait for
 * /proc for long: they may be there in one and not in the other, but not differ.
 */
static bool is_the_parents_from_proc(const char *path, struct json_object *having)
{
	return (!strncmp(path, "process.parent_process.file.", 28) && event_is_from_proc(having, "parent_process.file")) ||
	       (!strcmp(path, "process.parent_process.cmd_line") && event_is_from_proc(having, "parent_process.cmd_line"));
}

/* What stands where something else is unknown. */
static bool is_a_substitute(const struct difference *d, const char *path)
{
	if (!strncmp(path, "actor.user", 10))
		return !event_get(d->event, "actor.process");
	if (!strcmp(path, "process.file.xattributes.path_truncated"))
		return !event_get(d->event, "process.file.path");
	if (!strcmp(path, "process.xattributes.cwd_truncated"))
		return !event_get(d->event, "process.xattributes.cwd");
	return false;
}

static bool may_lack(const struct difference *d, const char *path)
{
	return check_may_be_absent(&d->check, path);
}

/* Two of access none, or in parts, ask /proc, each in its own time: what one got there the other may have missed. */
static bool reference_may_lack(const struct difference *d, const char *path)
{
	const struct check c = { .knows_less = strstr(d->cell->against, ".none") || e2e_kernel_before(4, 11) };

	return check_may_be_absent(&c, path);
}

/* Every leaf of one event against the other's; lists are leaves. */
static void compare_object(struct difference *d, struct json_object *object, const char *prefix, bool is_reference)
{
	char path[256];

	json_object_object_foreach(object, key, value) {
		struct json_object *other;

		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_object_is_type(value, json_type_object)) {
			compare_object(d, value, path, is_reference);
			continue;
		}
		if (is_the_sensors(path))
			continue;
		other = event_get(is_reference ? d->event : d->reference, path);
		if (!other && is_the_parents_from_proc(path, is_reference ? d->reference : d->event))
			continue;
		if (is_reference && !other && !may_lack(d, path))
			check_wrong(&d->check, path, "absent, %s has %.300s", d->cell->against, json_object_to_json_string(value));
		if (!is_reference && !other && !is_a_substitute(d, path) && !reference_may_lack(d, path))
			check_wrong(&d->check, path, "%.300s, %s has none", json_object_to_json_string(value), d->cell->against);
		if (is_reference && other && !json_object_equal(value, other) && !is_near(path, value, other))
			check_wrong(&d->check, path, "%.300s, %s has %.300s", json_object_to_json_string(other), d->cell->against,
				    json_object_to_json_string(value));
	}
}

static unsigned int compare_told(const struct cell *cell, const struct told *told)
{
	struct difference d = { .cell = cell, .event = told->event, .reference = told->reference,
				.check = { .event = told->event, .knows_less = !strcmp(access_of(cell), "none") } };

	if (!told->event || !told->reference) {
		print_error("exec %d of the list, by %d: not told by %s\n", told->exec, told->pid,
			    told->event ? cell->against : cell->name);
		return 1;
	}
	for (const char *const *known = check_must_know; *known; known++)
		if (!event_get(told->event, *known))
			check_wrong(&d.check, *known, "absent");
	compare_object(&d, told->reference, "", true);
	compare_object(&d, told->event, "", false);
	if (d.check.wrong) {
		print_error("exec %d of the list: %u differences\n", told->exec, d.check.wrong);
		check_show_event(told->event);
	}
	return d.check.wrong;
}

static void forget(struct cell *cell)
{
	for (size_t i = 0; i < cell->n; i++) {
		json_object_put(cell->told[i].event);
		json_object_put(cell->told[i].reference);
	}
	cell->n = 0;
}

/* For the matrix: one line for each variant. The error's name is all of a reason that fits there. */
static void say_cell(const struct cell *cell, const char *result)
{
	print_message("cormorant: cell: %s %s\n", cell->name, result);
}

static void compare_cell(struct cell *cell)
{
	unsigned int wrong = 0;
	struct sensor_counters counters;
	char result[64];

	if (!cell->done || !cell->n) {
		bool hosts = cell->reason && sensor_reason_is_the_hosts(cell->reason);

		snprintf(result, sizeof(result), "%s %.40s", hosts ? "SKIP" : "FAIL", cell->reason ? cell->reason : "Nothing");
		result[strcspn(result, ":")] = '\0';
		say_cell(cell, result);
		if (!hosts)
			fail_msg("%s does not start: %s", cell->name, cell->reason ? cell->reason : "no sensor ran");
		e2e_skip("%s: %.500s", cell->name, cell->reason);
	}
	for (size_t i = 0; i < cell->n; i++)
		wrong += compare_told(cell, &cell->told[i]);
	forget(cell);
	if (!sensor_read_counters(&cell->sensor, &counters) || counters.lost_kernel || counters.malformed_events) {
		print_error("%s: lost %llu, malformed %llu\n", cell->name, (unsigned long long)counters.lost_kernel,
			    (unsigned long long)counters.malformed_events);
		wrong++;
	}
	say_cell(cell, wrong ? "FAIL differs" : "works");
	if (wrong)
		fail_msg("%s differs from %s", cell->name, cell->against);
}

/* A function for each: cmocka's tests have no argument of their own beside the group's. */
#define VARIANT_TEST(number, attach, transport, access)                              \
	static void exec_##attach##_##transport##_##access##_agrees(void **state)    \
	{                                                                            \
		(void)state;                                                         \
		assert_string_equal(cells[number].name, "exec." #attach "." #transport "." #access); \
		compare_cell(&cells[number]);                                        \
	}
#define VARIANT_TESTS(first, access)                       \
	VARIANT_TEST((first) + 0, raw_tp, ringbuf, access) \
	VARIANT_TEST((first) + 1, raw_tp, perfbuf, access) \
	VARIANT_TEST((first) + 2, tp, ringbuf, access)     \
	VARIANT_TEST((first) + 3, tp, perfbuf, access)     \
	VARIANT_TEST((first) + 4, kprobe, ringbuf, access) \
	VARIANT_TEST((first) + 5, kprobe, perfbuf, access)
VARIANT_TESTS(0, core)
VARIANT_TESTS(6, map)
VARIANT_TESTS(12, none)

#define LISTED(access)                                                                                        \
	E2E_TEST(exec_raw_tp_ringbuf_##access##_agrees), E2E_TEST(exec_raw_tp_perfbuf_##access##_agrees),     \
		E2E_TEST(exec_tp_ringbuf_##access##_agrees), E2E_TEST(exec_tp_perfbuf_##access##_agrees),     \
		E2E_TEST(exec_kprobe_ringbuf_##access##_agrees), E2E_TEST(exec_kprobe_perfbuf_##access##_agrees)

static const struct CMUnitTest tests[] = {
	E2E_TEST(every_variant_starts_or_says_why),
	LISTED(core),
	LISTED(map),
	LISTED(none),
};
const struct e2e_tests e2e_differential_tests = E2E_TESTS(tests);
