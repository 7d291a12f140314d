// SPDX-License-Identifier: Apache-2.0
/*
 * Test subjects: processes that execute a copy of this program, say over a pipe what they see of themselves, and then
 * stay alive until they are released, so that a test can read all of /proc/PID.
 *
 * What a subject is to do stands in its environment and on two fixed file descriptors, so that argv, path and file name
 * belong to the test.
 */
#ifndef E2E_SUBJECT_H
#define E2E_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct e2e;
struct workspace;

#define SUBJECT_ENV "E2E_SUBJECT"
#define SUBJECT_REPORT_FD 200	/* the subject writes its report here */
#define SUBJECT_GATE_FD 201	/* at its end of file the subject ends */
#define SUBJECT_EXEC_FD 205	/* the program, where it is executed by descriptor */

struct subject_plan {
	const char *path;	/* NULL: the copy of this program in the workspace */
	char *const *argv;	/* NULL: {"subject", a fresh marker} */
	const char *role;	/* NULL: "hold" */
	int (*prepare)(void *arg);	/* in the child before the exec: 0 or -errno */
	/* In the child, instead of execve; returns only if it failed (or has made the subject itself and waited). */
	int (*exec)(const char *path, char *const argv[], char *const envp[]);
	void *arg;		/* for prepare */
	unsigned long clone_flags;	/* namespaces to start the child in */
	bool pid_from_report;	/* the subject is a descendant of the child, in the test's pid namespace */
	int exec_fd;		/* > 0: becomes SUBJECT_EXEC_FD */
	/* What the event is to say where /proc cannot tell. */
	const char *exec_filename;	/* NULL: path */
	bool exec_filename_far;	/* it may be absent: it lies behind more than is searched */
	char **environment;	/* instead of the subject's own, which tells it its role; NULL: that */
	bool foreign;		/* another program than this one, which reports any line */
	char *const *parent_argv;	/* NULL: what /proc says of the parent */
	const char *container;		/* NULL: in no container */
	const char *runtime;		/* names it may have, divided by '|'; NULL: not looked at */
	const char *fs;			/* NULL: what mountinfo says */
};

struct subject {
	struct subject *next;
	pid_t child;		/* the process that was forked */
	pid_t pid;		/* the subject, in the test's pid namespace */
	int gate, report;
	char *const *argv;	/* as asked for */
	const char *path;
	struct subject_plan plan;
	int argc;		/* as the subject saw it; the rest of the report too */
	pid_t own_pid, own_tid, own_ppid;
	uint64_t before_ns, forked_ns, after_ns;	/* wall clock: before the fork, behind it, after the report */
};

/* Starts one and waits for its report. NULL with errno if prepare, exec or the clone failed. */
struct subject *subject_try_start(struct e2e *e, const struct subject_plan *plan);
/* The same, a failure fails the test. */
struct subject *subject_start(struct e2e *e, const struct subject_plan *plan);
/* Lets it end, and waits. */
void subject_release(struct subject *s);
/* Lets all of them end, and the next of them that hang are killed. */
void subject_release_all(struct e2e *e);

/* The environment of a role, with n variables of the test's before it. */
char **subject_environment(struct workspace *ws, const char *role, size_t n);

/* execveat(SUBJECT_EXEC_FD, "", AT_EMPTY_PATH), for plan.exec. */
int subject_exec_by_fd(const char *path, char *const argv[], char *const envp[]);

/* Entry point of the re-executed program. */
int subject_main(const char *role, int argc, char **argv);

#endif
