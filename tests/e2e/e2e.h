// SPDX-License-Identifier: Apache-2.0
/* What every test of a run shares, and the groups the tests come in. */
#ifndef E2E_E2E_H
#define E2E_E2E_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event.h"
#include "observe.h"
#include "sensor_process.h"
#include "subject.h"
#include "workspace.h"

/* A variant of the sensor, or the sensor's own choice. The main group runs once for each of E2E_VARIANTS. */
struct variant {
	char name[64];		/* exec.ATTACH.TRANSPORT.ACCESS, or "auto" */
	char attach[16], transport[16], access[16];	/* "" with "auto" */
	bool must_run;		/* no reason not to is good enough */
};

struct e2e {
	struct workspace ws;
	struct variant variant;		/* of the main group */
	bool ready;			/* its sensor runs */
	bool knows_less;		/* it may leave attributes out */
	struct sensor sensor;		/* of the main group */
	struct event_log log;		/* its events */
	struct subject *subjects;	/* of the running test, released when it ends */
	struct observed *observed;	/* of the running test, freed when it ends */
	bool no_proc;			/* the sensor cannot see /proc: less is expected */
};

struct e2e_tests {
	const struct CMUnitTest *tests;
	size_t n;
};

#define E2E_TEST(f) { #f, f, e2e_test_setup, e2e_test_teardown, NULL }
#define E2E_TESTS(list) { list, sizeof(list) / sizeof((list)[0]) }

int e2e_test_setup(void **state);
int e2e_test_teardown(void **state);

/* Skips the test with its cause. */
#define e2e_skip(...)                                  \
	do {                                           \
		print_message("skipped: " __VA_ARGS__); \
		print_message("\n");                   \
		skip();                                \
	} while (0)

/* The running kernel is older than this. */
bool e2e_kernel_before(int major, int minor);
/*
 * The kernel preempts a raw tracepoint's program, as its symbols tell: tracepoints are called under SRCU. (From 4.20 to 6.12
 * those of idle CPUs were, with another way to free them: kernel/tracepoint.c.)
 */
bool e2e_preempts_raw_tp(void);
/* The offsets database that the sensors are given (CORMORANT_DB), NULL if none. */
const char *e2e_database(void);
/* tracefs is all there is to attach with on this kernel: no raw tracepoints, no PMU for kprobes. */
bool e2e_needs_tracefs(void);

extern const struct e2e_tests e2e_argv_tests, e2e_identity_tests, e2e_namespace_tests, e2e_file_tests,
	e2e_process_tests, e2e_cgroup_tests, e2e_load_tests, e2e_cli_tests,
	e2e_rungs_tests, e2e_differential_tests, e2e_proof_tests;

#endif
