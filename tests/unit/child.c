// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The child: says through the pipe why it can't become the program; the exec closes it. */
static void become(const struct child_plan *plan, int tell)
{
	int why = plan->prepare ? plan->prepare(plan->arg) : 0;

	if (!why) {
		if (!plan->survives)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (plan->exec_fd)
			fexecve(plan->exec_fd, (char *const *)plan->argv, environ);
		else
			execv(plan->path, (char *const *)plan->argv);
		why = -errno;
	}
	if (write(tell, &why, sizeof(why)) != sizeof(why))
		_exit(1);
	_exit(127);
}

void child_wait(pid_t pid, const char *comm)
{
	char line[2048], argv[8], *open, *close;

	for (int i = 0; i < 4000; i++) {
		child_file(pid, "stat", line, sizeof(line));
		open = strchr(line, '(');
		close = strrchr(line, ')');
		if (!open || !close || close[2] == 'Z')
			return;
		*close = 0;
		if (strchr("ST", close[2]) && (!comm || !strcmp(open + 1, comm)) &&
		    child_file(pid, "cmdline", argv, sizeof(argv)))
			return;
		usleep(500);
	}
}

struct child child_try_start(const struct child_plan *plan)
{
	struct child child = {0};
	int ends[2], why = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.pid = (pid_t)syscall(SYS_clone, plan->clone_flags | SIGCHLD, 0, 0, 0, 0);
	if (child.pid < 0) {
		child.errnum = errno;
		return child;
	}
	if (!child.pid)
		become(plan, ends[1]);
	close(ends[1]);
	if (read(ends[0], &why, sizeof(why)) > 0) {
		child.errnum = -why;
		waitpid(child.pid, NULL, 0);
	} else {
		child_wait(child.pid, NULL);
	}
	close(ends[0]);
	return child;
}

struct child child_start(const struct child_plan *plan)
{
	struct child child = child_try_start(plan);

	if (child.errnum)
		fail_msg("%s can't be started: %s", plan->path ? plan->path : "a descriptor",
			 strerror(child.errnum));
	return child;
}

void child_stop(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
}

void copy_sleep(const char *path)
{
	struct text out = {0};

	program_output((const char *const[]){"/bin/cp", "--", "/bin/sleep", path, NULL}, &out);
	text_free(&out);
}

size_t child_file(pid_t pid, const char *name, char *data, size_t size)
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(data, 1, size - 1, f);
	fclose(f);
	data[n] = 0;
	return n;
}

long long child_stat_field(pid_t pid, int number)
{
	char line[2048], *at;

	child_file(pid, "stat", line, sizeof(line));
	at = strrchr(line, ')');
	for (int field = 2; field < number; field++) {
		at = strchr(at + 1, ' ');
		assert_non_null(at);
	}
	return atoll(at);
}

void child_status_value(pid_t pid, const char *key, char *value, size_t size)
{
	char path[64], *line = NULL;
	size_t room = 0, n = strlen(key);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (!found && getline(&line, &room, f) > 0) {
		found = !strncmp(line, key, n) && line[n] == ':';
		line[strcspn(line, "\n")] = 0;
		if (found)
			snprintf(value, size, "%s", line + n + 1 + strspn(line + n + 1, " \t"));
	}
	free(line);
	fclose(f);
	if (!found)
		fail_msg("no %s in %s", key, path);
}

static char top[32];

const char *scratch_directory(void)
{
	static char paths[64][64];
	static unsigned count;

	if (!top[0]) {
		strcpy(top, "/tmp/cormorant-unit.XXXXXX");
		assert_non_null(mkdtemp(top));
		assert_int_equal(chmod(top, 0755), 0);
	}
	assert_true(count < 64);
	snprintf(paths[count], sizeof(paths[count]), "%s/%u", top, count);
	assert_int_equal(mkdir(paths[count], 0755), 0);
	return paths[count++];
}

/* With a program that also removes paths longer than PATH_MAX. */
void scratch_remove(void)
{
	struct text out = {0};

	if (top[0])
		program_output((const char *const[]){"/bin/rm", "-rf", "--one-file-system", top, NULL}, &out);
	text_free(&out);
	top[0] = 0;
}
