// SPDX-License-Identifier: Apache-2.0
/*
 * The end-to-end tests: the real sensor, real execs, and what /proc and stat know of them.
 *
 * The main group runs once for each variant of E2E_VARIANTS, with one sensor for the whole group; the other groups'
 * tests start sensors of their own. Each part is a process with mounts of its own.
 */
#include "e2e.h"
#include "clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each rung of every axis once, as far as a machine without kprobes can. */
static const char default_variants[] = "exec.raw_tp.ringbuf.core exec.tp.perfbuf.map exec.raw_tp.perfbuf.none";

static struct e2e e2e;

int e2e_test_setup(void **state)
{
	(void)state;
	return 0;
}

int e2e_test_teardown(void **state)
{
	struct e2e *e = *state;

	observe_free_all(e);
	subject_release_all(e);
	event_log_forget(&e->log);
	workspace_tidy(&e->ws);
	return 0;
}

bool e2e_kernel_before(int major, int minor)
{
	struct utsname host;
	int is_major = 0, is_minor = 0;

	uname(&host);
	sscanf(host.release, "%d.%d", &is_major, &is_minor);
	return is_major < major || (is_major == major && is_minor < minor);
}

static bool pmu_has_kprobes(void)
{
	return access("/sys/bus/event_source/devices/kprobe/type", F_OK) == 0;
}

const char *e2e_database(void)
{
	const char *db = getenv("CORMORANT_DB");

	return db && *db ? db : NULL;
}

bool e2e_needs_tracefs(void)
{
	return e2e_kernel_before(4, 17) && !pmu_has_kprobes();
}

/* ------------------------------------------------------------------ the sensor of a group */

static int start_setup(void **state)
{
	*state = &e2e;
	e2e.log = (struct event_log){ .fd = -1, .copy_fd = -1 };
	return 0;
}

/* Paths are missing and strings short where helpers cannot write into maps: below 4.11 records come in parts. */
static bool knows_less(const char *variant)
{
	const char *access = strrchr(variant, '.');

	return e2e_kernel_before(4, 11) || (access && !strcmp(access, ".none"));
}

/*
 * The subjects' parent is older than the sensor, which asks /proc for it and does not wait for long: on a busy machine it
 * may need a second chance. The tests are about what it says then.
 */
static void meet_the_parent(struct e2e *e)
{
	for (int i = 0; i < 20; i++) {
		struct subject *s = subject_start(e, &(struct subject_plan){ 0 });
		struct json_object *event = event_log_wait(&e->log, s->pid, NULL);

		subject_release(s);
		if (event_get(event, "process.parent_process.cmd_line") && event_get(event, "process.parent_process.file"))
			return;
		clock_sleep_ms(500);
	}
}

/* The first test of a variant, in a group of its own: without a sensor the others make no sense. */
static void the_sensor_starts(void **state)
{
	struct e2e *e = *state;
	const struct variant *v = &e->variant;
	const char *args[16] = { "run", "-f", "ocsf" };
	char *reason;

	if (*v->attach)
		memcpy(args + 3, (const char *[]){ "--attach", v->attach, "--transport", v->transport, "--access", v->access },
		       6 * sizeof(*args));
	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = args });
	e->ready = sensor_wait_ready_or_end(&e->sensor);
	if (!e->ready) {
		reason = workspace_text(&e->ws, "%s", sensor_reason(&e->sensor, NULL));
		if (e->sensor.reaped && !v->must_run && sensor_reason_is_the_hosts(reason))
			e2e_skip("%s: %.400s", v->name, reason);
		sensor_wait_ready(&e->sensor);
		fail_msg("%s does not start: %s", v->name, reason);
	}
	/* For the log of a machine that runs this: which variant it was. */
	print_message("cormorant: ready: %s\n", e->sensor.variant);
	if (*v->attach)
		assert_string_equal(e->sensor.variant, v->name);
	e->knows_less = knows_less(e->sensor.variant);
	event_log_open(&e->log, e->sensor.out_path);
	meet_the_parent(e);
}

static const struct CMUnitTest start_tests[] = { E2E_TEST(the_sensor_starts) };
static const struct e2e_tests e2e_start_tests = E2E_TESTS(start_tests);

static int group_setup(void **state)
{
	*state = &e2e;
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sensor_kill(&e2e.sensor);
	event_log_close(&e2e.log);
	return 0;
}

static int cli_setup(void **state)
{
	*state = &e2e;
	e2e.log = (struct event_log){ .fd = -1, .copy_fd = -1 };
	return 0;
}

/* The last of the group: it ends the sensor. */
static void the_sensor_ends_in_order_and_its_account_adds_up(void **state)
{
	struct e2e *e = *state;
	struct sensor_counters counters;

	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(sensor_read_counters(&e->sensor, &counters));
	sensor_assert_counters(&counters);
	assert_int_equal(counters.lost_kernel, 0);
	/*
	 * A return probe may miss an exec; and where tracepoints are called under SRCU (7.2; 6.19 is not one) an exec may find
	 * the program preempted on its CPU, where the kernel does not run it again, and counts that. None of those that were
	 * waited for, or they would be missing.
	 */
	if (strcmp(e->variant.attach, "kprobe") && e2e_kernel_before(7, 0))
		assert_int_equal(counters.hook_missed, 0);
	assert_int_equal(counters.malformed_events, 0);
	event_log_poll(&e->log);
	assert_int_equal(e->log.total, counters.emitted);
	assert_int_equal(e->log.bad_lines, 0);
	assert_int_equal(e->log.bad_sequence, 0);
	assert_int_equal(e->log.bad_uid, 0);
}

/* Left alone, the sensor takes what sees most: BTF where it is shown, offsets where it was given some, or neither. */
static void the_best_access_was_picked(void **state)
{
	struct e2e *e = *state;
	bool btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	if (!*e->variant.access)
		assert_string_equal(strrchr(e->sensor.variant, '.'), btf ? ".core" : e2e_database() ? ".map" : ".none");
}

static const struct CMUnitTest end_tests[] = {
	E2E_TEST(the_best_access_was_picked),
	E2E_TEST(the_sensor_ends_in_order_and_its_account_adds_up),
};
static const struct e2e_tests e2e_end_tests = E2E_TESTS(end_tests);

static int run_groups(const char *name, const struct e2e_tests *const *groups, CMFixtureFunction setup,
		      CMFixtureFunction teardown)
{
	struct CMUnitTest tests[128];
	size_t n = 0;

	uint64_t begun = clock_monotonic_ns();
	int failed;

	for (; *groups; groups++) {
		memcpy(tests + n, (*groups)->tests, (*groups)->n * sizeof(*tests));
		n += (*groups)->n;
	}
	failed = _cmocka_run_group_tests(name, tests, n, setup, teardown);
	print_message("# %s: %u s\n", name, (unsigned int)((clock_monotonic_ns() - begun) / NS_PER_S));
	return failed;
}

/* tracefs only where the variant needs it: that the others run is the proof that they do not. */
static int set_tracefs(bool wanted)
{
	if (mounts_private())
		return -1;
	while (!umount2("/sys/kernel/tracing", MNT_DETACH) || !umount2("/sys/kernel/debug", MNT_DETACH))
		;
	return wanted && mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) ? -1 : 0;
}

/* A tracepoint needs it; a kprobe does not, on kernels that make one without: that is the way that is tried there. */
static bool wants_tracefs(const struct variant *v)
{
	return !strcmp(v->attach, "tp") || (!strcmp(v->attach, "kprobe") && !pmu_has_kprobes()) || e2e_needs_tracefs();
}

static int part_variant(const struct variant *variant)
{
	static const struct e2e_tests *const start[] = { &e2e_start_tests, NULL };
	static const struct e2e_tests *const groups[] = {
		&e2e_argv_tests, &e2e_identity_tests, &e2e_namespace_tests, &e2e_file_tests, &e2e_process_tests,
		&e2e_cgroup_tests, &e2e_load_tests, &e2e_end_tests, NULL,
	};
	int failed;

	e2e.variant = *variant;
	if (set_tracefs(wants_tracefs(variant))) {
		perror("e2e: tracefs");
		return 1;
	}
	failed = run_groups(variant->name, start, start_setup, NULL);
	return e2e.ready ? failed | run_groups(variant->name, groups, group_setup, group_teardown) : failed;
}

static int part_cli(const struct variant *variant)
{
	static const struct e2e_tests *const groups[] = { &e2e_cli_tests, NULL };

	(void)variant;
	if (set_tracefs(e2e_needs_tracefs()))
		return 1;
	return run_groups("command line", groups, cli_setup, NULL);
}

static int part_differential(const struct variant *variant)
{
	static const struct e2e_tests *const groups[] = { &e2e_differential_tests, NULL };

	(void)variant;
	if (set_tracefs(true))
		perror("e2e: tracefs");
	return run_groups("differential", groups, cli_setup, NULL);
}

static int part_rungs(const struct variant *variant)
{
	static const struct e2e_tests *const groups[] = { &e2e_rungs_tests, NULL };

	(void)variant;
	if (set_tracefs(e2e_needs_tracefs()))
		return 1;
	return run_groups("bad days", groups, cli_setup, NULL);
}

static int run_part(int (*part)(const struct variant *), const struct variant *variant)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int failed = !workspace_open(&e2e.ws) || part(variant);

		workspace_close(&e2e.ws);
		fflush(NULL);
		_exit(failed ? 1 : 0);
	}
	return waitpid(pid, &status, 0) != pid || status;
}

/* The next name of the list; a "!" behind it says that it must run. */
static bool variant_next(const char **list, struct variant *v)
{
	size_t len;

	*v = (struct variant){ 0 };
	*list += strspn(*list, " \t\n");
	len = strcspn(*list, " \t\n");
	if (!len)
		return false;
	v->must_run = (*list)[len - 1] == '!';
	snprintf(v->name, sizeof(v->name), "%.*s", (int)(len - v->must_run), *list);
	*list += len;
	if (sscanf(v->name, "exec.%15[^.].%15[^.].%15s", v->attach, v->transport, v->access) != 3 && strcmp(v->name, "auto")) {
		fprintf(stderr, "e2e: E2E_VARIANTS: %s: no variant: exec.ATTACH.TRANSPORT.ACCESS, or auto\n", v->name);
		exit(2);
	}
	return true;
}

static const struct {
	const char *name;
	int (*run)(const struct variant *);
} parts[] = { { "differential", part_differential }, { "cli", part_cli }, { "rungs", part_rungs } };

/* E2E_PARTS lists what to run besides the variants; all of it without that. */
static bool part_wanted(const char *name)
{
	const char *list = getenv("E2E_PARTS");

	return !list || strstr(list, name);
}

int main(int argc, char **argv)
{
	const char *role = getenv(SUBJECT_ENV);
	const char *list = getenv("E2E_VARIANTS");
	struct variant variant;
	int failed = 0;

	if (role)
		return subject_main(role, argc, argv);
	/* Ignored in a shell's background job, and the sensor would ignore it, too. */
	signal(SIGINT, SIG_DFL);
	if (geteuid()) {
		fprintf(stderr, "e2e: not root: the sensor needs it: run this as root\n");
		return 2;
	}
	if (!list)
		list = default_variants;
	for (; variant_next(&list, &variant);)
		failed |= run_part(part_variant, &variant);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (part_wanted(parts[i].name))
			failed |= run_part(parts[i].run, NULL);
	return failed;
}
