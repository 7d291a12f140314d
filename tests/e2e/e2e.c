// SPDX-License-Identifier: Apache-2.0
/*
 * The end-to-end tests: the real sensor, real execs, and what /proc and stat know of them.
 *
 * The main group runs once for each way to attach, with one sensor for the whole group; the command line's tests start
 * sensors of their own. Each part is a process with mounts of its own.
 */
#include "e2e.h"
#include "clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct variant variants[] = {
	{ "raw_tp", false },
	{ "tp", true },
};

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

static int group_setup(void **state)
{
	const char *const args[] = { "run", "-f", "ocsf", "--attach", e2e.variant->attach, NULL };

	*state = &e2e;
	sensor_start(&e2e.ws, &e2e.sensor, &(struct sensor_plan){ .args = args });
	if (!sensor_wait_ready(&e2e.sensor))
		return -1;
	/* For the log of a machine that runs this: which variant it was. */
	print_message("cormorant: ready: %s\n", e2e.sensor.variant);
	event_log_open(&e2e.log, e2e.sensor.out_path);
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
	assert_int_equal(counters.hook_missed, 0);
	assert_int_equal(counters.malformed_events, 0);
	event_log_poll(&e->log);
	assert_int_equal(e->log.total, counters.emitted);
	assert_int_equal(e->log.bad_lines, 0);
	assert_int_equal(e->log.bad_sequence, 0);
	assert_int_equal(e->log.bad_uid, 0);
}

static const struct CMUnitTest end_tests[] = { E2E_TEST(the_sensor_ends_in_order_and_its_account_adds_up) };
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

static int part_variant(const struct variant *variant)
{
	static const struct e2e_tests *const groups[] = {
		&e2e_argv_tests, &e2e_identity_tests, &e2e_namespace_tests, &e2e_file_tests, &e2e_process_tests,
		&e2e_cgroup_tests, &e2e_load_tests, &e2e_end_tests, NULL,
	};

	e2e.variant = variant;
	if (set_tracefs(variant->needs_tracefs)) {
		perror("e2e: tracefs");
		return 1;
	}
	return run_groups(variant->attach, groups, group_setup, group_teardown);
}

static int part_cli(const struct variant *variant)
{
	static const struct e2e_tests *const groups[] = { &e2e_cli_tests, NULL };

	(void)variant;
	if (set_tracefs(false))
		return 1;
	return run_groups("command line", groups, cli_setup, NULL);
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

int main(int argc, char **argv)
{
	const char *role = getenv(SUBJECT_ENV);
	int failed = 0;

	if (role)
		return subject_main(role, argc, argv);
	if (geteuid()) {
		fprintf(stderr, "e2e: not root: the sensor needs it: run this as root\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		failed |= run_part(part_variant, &variants[i]);
	failed |= run_part(part_cli, NULL);
	return failed;
}
