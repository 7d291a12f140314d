// SPDX-License-Identifier: Apache-2.0
#include "subject.h"
#include "clock.h"
#include "e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int subject_exec_by_fd(const char *path, char *const argv[], char *const envp[])
{
	(void)path;
	return (int)syscall(SYS_execveat, SUBJECT_EXEC_FD, "", argv, envp, AT_EMPTY_PATH);
}

char **subject_environment(struct workspace *ws, const char *role, size_t n)
{
	char **envp = workspace_memory(ws, (n + 3) * sizeof(*envp));
	const char *libraries = getenv("LD_LIBRARY_PATH");

	for (size_t i = 0; i < n; i++)
		envp[i] = workspace_text(ws, "E2E_VARIABLE_%zu=%zu", i, i);
	envp[n] = workspace_text(ws, "%s=%s", SUBJECT_ENV, role ? role : "hold");
	/* What this program needs to find its libraries. */
	if (libraries)
		envp[n + 1] = workspace_text(ws, "LD_LIBRARY_PATH=%s", libraries);
	return envp;
}

static void subject_child(const struct subject_plan *plan, const struct subject *s, int report, int gate, char **envp)
{
	int why = 0;

	/* The test's ends: a child that stays would keep the gate from ever ending. */
	close(s->report);
	close(s->gate);
	dup2(report, SUBJECT_REPORT_FD);
	dup2(gate, SUBJECT_GATE_FD);
	if (plan->exec_fd > 0)
		dup2(plan->exec_fd, SUBJECT_EXEC_FD);
	if (plan->prepare)
		why = plan->prepare(plan->arg);
	if (!why) {
		errno = 0;
		if (plan->exec)
			plan->exec(s->path, s->argv, envp);
		else
			execve(s->path, s->argv, envp);
		why = -errno;
	}
	if (why)
		dprintf(SUBJECT_REPORT_FD, "failed %d\n", -why);
	_exit(why ? 127 : 0);
}

/* One line from the subject; false if none comes. */
static bool subject_read_report(struct subject *s, char *line, size_t size)
{
	uint64_t deadline = clock_deadline(clock_patience_s());
	size_t len = 0;

	while (len + 1 < size && !clock_passed(deadline)) {
		struct pollfd p = { .fd = s->report, .events = POLLIN };
		ssize_t n = poll(&p, 1, 100) > 0 ? read(s->report, line + len, 1) : -1;

		if (n == 0)
			break;
		if (n > 0 && line[len++] == '\n')
			break;
	}
	line[len] = '\0';
	return len && line[len - 1] == '\n';
}

static int subject_take_report(struct subject *s)
{
	char line[256];
	int why;

	if (!subject_read_report(s, line, sizeof(line))) {
		print_error("the subject %d says nothing\n", s->child);
		return -ETIMEDOUT;
	}
	s->after_ns = clock_realtime_ns();
	if (sscanf(line, "failed %d", &why) == 1)
		return -why;
	if (s->plan.foreign) {
		for (s->argc = 0; s->argv[s->argc]; s->argc++)
			;
		return 0;
	}
	if (sscanf(line, "argc=%d pid=%d tid=%d ppid=%d", &s->argc, &s->own_pid, &s->own_tid, &s->own_ppid) != 4)
		return -EBADMSG;
	return 0;
}

static struct subject *subject_new(struct e2e *e, const struct subject_plan *plan)
{
	struct subject *s = workspace_memory(&e->ws, sizeof(*s));
	char **argv = workspace_memory(&e->ws, 3 * sizeof(*argv));

	argv[0] = "subject";
	argv[1] = workspace_marker(&e->ws);
	s->argv = plan->argv ? plan->argv : argv;
	s->path = plan->path ? plan->path : e->ws.program;
	s->plan = *plan;
	s->next = e->subjects;
	e->subjects = s;
	return s;
}

struct subject *subject_try_start(struct e2e *e, const struct subject_plan *plan)
{
	struct subject *s = subject_new(e, plan);
	char **envp = plan->environment ? plan->environment : subject_environment(&e->ws, plan->role, 0);
	int report[2], gate[2], why;

	assert_return_code(pipe2(report, O_CLOEXEC), errno);
	assert_return_code(pipe2(gate, O_CLOEXEC), errno);
	s->report = report[0];
	s->gate = gate[1];
	s->before_ns = clock_realtime_ns();
	/* A bare clone, for the namespace flags: this program has one thread, so the child may do what it likes. */
	s->child = (pid_t)syscall(SYS_clone, plan->clone_flags | SIGCHLD, 0, 0, 0, 0);
	why = -errno;
	if (s->child == 0)
		subject_child(plan, s, report[1], gate[0], envp);
	s->forked_ns = clock_realtime_ns();
	close(report[1]);
	close(gate[0]);
	if (s->child > 0)
		why = subject_take_report(s);
	s->pid = plan->pid_from_report ? s->own_pid : s->child;
	errno = -why;
	return why ? NULL : s;
}

struct subject *subject_start(struct e2e *e, const struct subject_plan *plan)
{
	struct subject *s = subject_try_start(e, plan);

	if (!s)
		fail_msg("cannot start a subject: %s", strerror(errno));
	return s;
}

void subject_release(struct subject *s)
{
	int status;

	if (s->gate > 0)
		close(s->gate);
	if (s->report > 0)
		close(s->report);
	s->gate = s->report = 0;
	if (s->child > 0 && !clock_wait_child(s->child, &status, clock_deadline(clock_patience_s()))) {
		print_error("the subject %d does not end\n", s->child);
		kill(s->child, SIGKILL);
		waitpid(s->child, &status, 0);
	}
	s->child = 0;
}

void subject_release_all(struct e2e *e)
{
	for (struct subject *s = e->subjects; s; s = s->next)
		subject_release(s);
	e->subjects = NULL;
}

static void subject_report(int argc)
{
	dprintf(SUBJECT_REPORT_FD, "argc=%d pid=%d tid=%d ppid=%d\n", argc, getpid(), gettid(), getppid());
}

static void subject_hold(void)
{
	char byte;

	while (read(SUBJECT_GATE_FD, &byte, 1) < 0 && errno == EINTR)
		;
}

/* The parent of a subject of its own, made by this role after its own exec. */
static int subject_parent(int argc, char **argv)
{
	char *env[] = { SUBJECT_ENV "=hold", NULL, NULL };
	char *child_argv[] = { "child", argv[argc - 1], NULL };
	char library_path[4096];
	int status;
	pid_t pid;

	if (getenv("LD_LIBRARY_PATH")) {
		snprintf(library_path, sizeof(library_path), "LD_LIBRARY_PATH=%s", getenv("LD_LIBRARY_PATH"));
		env[1] = library_path;
	}
	pid = fork();
	if (pid == 0) {
		/* From here on /proc tells a lie about the parent's command line; its own exec event does not. */
		execve("/proc/self/exe", child_argv, env);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0;
}

/*
 * Forks a child that executes this program while it executes argv[2], a copy under another name, itself: two execs at
 * once, of which either may come first. The report has the child's pid as its ppid.
 */
static int subject_race(char **argv)
{
	char *child_argv[] = { "child", argv[1], NULL }, *after_argv[] = { "after", argv[1], NULL };
	char *child_env[] = { SUBJECT_ENV "=exit", NULL }, *after_env[] = { SUBJECT_ENV "=hold", NULL };
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		execve("/proc/self/exe", child_argv, child_env);
		_exit(127);
	}
	dprintf(SUBJECT_REPORT_FD, "argc=3 pid=%d tid=%d ppid=%d\n", getpid(), gettid(), pid);
	execve(argv[2], after_argv, after_env);
	return 127;
}

int subject_main(const char *role, int argc, char **argv)
{
	if (!strcmp(role, "exit"))
		return 0;
	if (!strcmp(role, "lying-parent")) {
		memset(argv[1], 'X', strlen(argv[1]));
		return subject_parent(argc, argv);
	}
	if (!strcmp(role, "race"))
		return subject_race(argv);
	if (!strcmp(role, "again") && strcmp(argv[1], "0")) {
		argv[1][0]--;
		execve("/proc/self/exe", argv, environ);
		return 127;
	}
	subject_report(argc);
	subject_hold();
	return 0;
}
