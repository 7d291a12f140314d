// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Executes the program n times, one after the other, each with its number behind the prefix in argv. */
static int storm(const char *program, const char *prefix, int from, int n, int cpu)
{
	char *const envp[] = { SUBJECT_ENV "=exit", NULL };
	char marker[64];
	char *argv[] = { "storm", marker, NULL };
	cpu_set_t cpus;
	pid_t pid;

	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	for (int i = from; i < from + n; i++) {
		snprintf(marker, sizeof(marker), "%s/%d", prefix, i);
		if (posix_spawn(&pid, program, NULL, NULL, argv, envp) || waitpid(pid, NULL, 0) != pid)
			return 1;
	}
	return 0;
}

/*
 * Events come in the order of their time, as far as it can be told: two CPUs stamp and hand over at their own pace, and
 * an emulated one may stand still in between.
 */
static void check_order(struct e2e *e, struct json_object *event)
{
	int64_t at = json_object_get_int64(event_get(event, "time")), slack = getenv("E2E_VM") ? 100 : 5;

	/* In ms: their parts are below what is allowed. */
	if (at + slack + 1 < e->log.latest_ms && !e->log.bad_order++)
		print_error("an event of %lld ms behind one of %lld\n", (long long)at, (long long)e->log.latest_ms);
	if (at > e->log.latest_ms)
		e->log.latest_ms = at;
}

/* Counts the marked events that have come; they are dropped then. */
static int count_marked(struct e2e *e, const char *prefix, unsigned char *seen, int n)
{
	size_t len = strlen(prefix);
	int found = 0;

	event_log_poll(&e->log);
	for (size_t i = 0; i < e->log.n; i++) {
		struct json_object *argv = event_get(e->log.events[i], "process.xattributes.argv");
		const char *marker = json_object_get_string(json_object_array_get_idx(argv, 1));
		int number;

		check_order(e, e->log.events[i]);
		if (!marker || strncmp(marker, prefix, len) || marker[len] != '/')
			continue;
		number = atoi(marker + len + 1);
		assert_in_range(number, 0, n - 1);
		seen[number]++;
		found++;
	}
	event_log_forget(&e->log);
	return found;
}

/* n execs, divided between processes on CPUs of their own: each is told exactly once. */
static void observe_storm(struct e2e *e, int n, int processes)
{
	unsigned char *seen = workspace_memory(&e->ws, (size_t)n);
	const char *prefix = workspace_marker(&e->ws);
	uint64_t deadline;
	int found = 0, running = processes, status;

	/* They are all alike: checking each against the schema later would take minutes. */
	e->log.copy_every = 100;
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		assert_return_code(pid, errno);
		if (!pid)
			_exit(storm(e->ws.program, prefix, n / processes * i, n / processes, processes > 1 ? i : -1));
	}
	while (running) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		assert_true(pid >= 0);
		if (pid > 0) {
			assert_int_equal(status, 0);
			running--;
		}
		found += count_marked(e, prefix, seen, n);
		clock_sleep_ms(5);
	}
	for (deadline = clock_deadline(clock_patience_s()); found < n && !clock_passed(deadline); clock_sleep_ms(5))
		found += count_marked(e, prefix, seen, n);
	e->log.copy_every = 0;
	assert_int_equal(found, n);
	assert_int_equal(e->log.bad_order, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(seen[i], 1);
}

/* Emulated machines take 20 ms for an exec, this one less than one. */
static void two_thousand_execs_are_all_told(void **state)
{
	observe_storm(*state, getenv("E2E_VM") ? 200 : 2000, 1);
}

static void execs_on_two_cpus_at_once_are_all_told(void **state)
{
	if (!getenv("E2E_LONG")) {
		observe_storm(*state, getenv("E2E_VM") ? 200 : 2000, 2);
		return;
	}
	observe_storm(*state, 20000, 2);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(two_thousand_execs_are_all_told),
	E2E_TEST(execs_on_two_cpus_at_once_are_all_told),
};
const struct e2e_tests e2e_load_tests = E2E_TESTS(tests);
