// SPDX-License-Identifier: Apache-2.0
/* A running `cormorant`: how it is started, what it prints, how it ends. */
#ifndef E2E_SENSOR_PROCESS_H
#define E2E_SENSOR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "workspace.h"

/* How to start it. args ends with NULL and has no program name. Without -d its commands get CORMORANT_DB, where that is set. */
struct sensor_plan {
	const char *const *args;
	const char *program;	/* NULL: sensor_program() */
	/* Called in the new process before the exec: 0, or -errno and there is no sensor. */
	int (*prepare)(void *arg);
	void *arg;
	/* The test reads stdout itself, from sensor.stdout_fd, instead of the file out_path. */
	bool raw_stdout;
};

struct sensor {
	pid_t pid;
	pid_t pump;		/* carries the stdout pipe to out_path, so that the sensor never waits for a test */
	int stdout_fd;		/* raw_stdout only, else -1 */
	char *out_path, *err_path;
	char variant[128];	/* from the ready line */
	bool reaped;
	int status;		/* as waitpid gives it, once reaped */
};

/* Contract section 9. */
struct sensor_counters {
	uint64_t attempted, received, lost_kernel, hook_missed, malformed_events;
	uint64_t emitted, failed_sink, suppressed, pending_kernel, pending_user;
};

/* Path of the sensor: $CORMORANT, or ../bin/cormorant beside the directory of this program. */
const char *sensor_program(struct workspace *ws);

void sensor_start(struct workspace *ws, struct sensor *s, const struct sensor_plan *plan);
/* Waits for the line "cormorant: ready: VARIANT". false: it ended before, or the patience did; its stderr is shown. */
bool sensor_wait_ready(struct sensor *s);
/* The same without a word. s->reaped tells an end from impatience. */
bool sensor_wait_ready_or_end(struct sensor *s);
/* Whether that line is there by now. */
bool sensor_is_ready(struct sensor *s);
/*
 * Why it did not use a variant (NULL: the first one it speaks of): "MissingBtf: cannot use CO-RE: …", or "" if it does
 * not say. The caller frees it.
 */
char *sensor_reason(const struct sensor *s, const char *variant);
/* A reason that lies in the kernel or its set-up, and not in the sensor. */
bool sensor_reason_is_the_hosts(const char *reason);
/* Waits for the end; the exit status, or -signal. -1000: it still runs when the patience ends, and is killed. */
int sensor_wait_end(struct sensor *s);
/* Signal and wait. */
int sensor_stop(struct sensor *s, int signal);
/* Safe on a sensor that never started or has ended. */
void sensor_kill(struct sensor *s);

/* Its stderr, or stdout, so far; NUL-terminated, the caller frees it. */
char *sensor_stderr(const struct sensor *s);
char *sensor_stdout(const struct sensor *s);
/* The counters in the last line of stderr. false: that line is not a counters line. */
bool sensor_read_counters(const struct sensor *s, struct sensor_counters *c);
/* Fails the test if the identities of contract section 9 do not hold, or anything is pending. */
void sensor_assert_counters(const struct sensor_counters *c);
/* Some line of its stderr that names an error as the contract wants it: `cormorant: what: why: what to do`. */
bool sensor_has_clear_error(const struct sensor *s);

#endif
