/* SPDX-License-Identifier: Apache-2.0 */
/* For the unit tests: processes that wait to be looked at, and what /proc says of them. */
#ifndef CORMORANT_TESTS_CHILD_H
#define CORMORANT_TESTS_CHILD_H

#include <sys/types.h>

#include "builder.h"

struct child_plan {
	const char *path;
	const char *const *argv;
	unsigned long clone_flags; /* CLONE_NEW… */
	int (*prepare)(void *arg); /* in the child, before the exec; 0 or -errno */
	void *arg;
	int exec_fd;   /* executed instead of path, if not 0 */
	bool survives; /* the death of who started it */
};

struct child {
	pid_t pid;
	int errnum; /* why there is none */
};

/* Starts it; it has been executed when this returns. The test fails if it can't be. */
struct child child_start(const struct child_plan *plan);

/* The same, but the caller looks at errnum. */
struct child child_try_start(const struct child_plan *plan);

void child_stop(struct child *child);

/*
 * An exec closes descriptors before argv is in place. It is over when the process is called
 * comm (NULL: whatever it is called), has arguments and waits for something.
 */
void child_wait(pid_t pid, const char *comm);

/* A copy of a program that sleeps as many seconds as its first argument says. */
void copy_sleep(const char *path);

/* /proc/PID/NAME, a NUL added. Returns its length. */
size_t child_file(pid_t pid, const char *name, char *data, size_t size);

/* Field number of /proc/PID/stat, 4 or higher. */
long long child_stat_field(pid_t pid, int number);

/* What follows "KEY:" and blanks in /proc/PID/status, to the end of the line. */
void child_status_value(pid_t pid, const char *key, char *value, size_t size);

/* A new directory, below a new one in /tmp; all of them go with scratch_remove. */
const char *scratch_directory(void);
void scratch_remove(void);

#endif
