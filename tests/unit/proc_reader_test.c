// SPDX-License-Identifier: Apache-2.0
/* proc_reader.c: through its thread, right about a real process, this one. */
#include "builder.h"
#include "proc_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The key of a process of this test: its start time as /proc/PID/stat has it (proc(5), field 22). */
static struct process_key key_of(pid_t pid, char *comm)
{
	char path[64], stat[1024] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && read(fd, stat, sizeof(stat) - 1) > 0);
	close(fd);
	at = strrchr(stat, ')');
	*at = 0;
	memset(comm, 0, COMM_BYTES);
	memcpy(comm, strchr(stat, '(') + 1, strlen(strchr(stat, '(') + 1));
	at += 2;
	for (int field = 3; field < 22; field++)
		at = strchr(at, ' ') + 1;
	return (struct process_key){
		.tgid = (uint32_t)pid,
		.start_ns = strtoull(at, NULL, 10) * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK)),
	};
}

/* A read is waited for briefly, and only so often, on a busy machine: then it is asked again. */
static int read_patiently(struct proc_reader *reader, struct process_key key, const char *comm,
			  struct proc_process *process)
{
	int err = -EBUSY;

	for (int i = 0; i < 2000 && (err == -EBUSY || err == -ETIMEDOUT); i++) {
		if (i)
			usleep(5000);
		err = proc_reader_read(reader, key, comm, 0, process);
	}
	return err;
}

static void assert_self(struct proc_reader *reader)
{
	struct proc_process process;
	char comm[COMM_BYTES], path[4096];
	struct process_key key = key_of(getpid(), comm);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	assert_int_equal(read_patiently(reader, key, comm, &process), 0);
	assert_int_equal(process.exe.len, n);
	assert_memory_equal(process.exe.data, path, (size_t)n);
	assert_non_null(process.argv.data);
	key.start_ns -= 1;
	assert_int_equal(read_patiently(reader, key, comm, &process), -ESRCH);
}

static void a_process_is_read_again_and_again(void **state)
{
	struct proc_reader *reader = proc_reader_open();

	(void)state;
	assert_non_null(reader);
	for (int i = 0; i < 20; i++)
		assert_self(reader);
	proc_reader_close(reader);
	proc_reader_close(NULL);
}

/* The reader's own thread: the other one of this process. */
static pid_t reader_thread(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks)))
		if (atoi(entry->d_name) && atoi(entry->d_name) != getpid())
			found = atoi(entry->d_name);
	closedir(tasks);
	assert_true(found > 0);
	return found;
}

/*
 * Stops one thread of this process, as a debugger in a child of it: a thread that the
 * scheduler never comes to. Returns the child, which lets go when gate is closed; -1 if
 * this may not be done here.
 */
static pid_t stop_thread(pid_t thread, int *gate)
{
	int ready[2], hold[2];
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		close(ready[0]);
		if (ptrace(PTRACE_ATTACH, thread, NULL, NULL) ||
		    waitpid(thread, NULL, __WALL) != thread || write(ready[1], "", 1) != 1)
			_exit(1);
		while (read(hold[0], &byte, 1) > 0)
			;
		ptrace(PTRACE_DETACH, thread, NULL, NULL);
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	*gate = hold[1];
	if (read(ready[0], &byte, 1) != 1)
		child = -1;
	close(ready[0]);
	return child;
}

/* A request may be given up before the thread has begun with it: the next is answered still. */
static void a_thread_that_came_too_late_serves_the_next_request(void **state)
{
	struct proc_reader *reader = proc_reader_open();
	struct proc_process process;
	char comm[COMM_BYTES];
	struct process_key key = key_of(getpid(), comm);
	pid_t debugger;
	int gate;

	(void)state;
	assert_int_equal(read_patiently(reader, key, comm, &process), 0);
	debugger = stop_thread(reader_thread(), &gate);
	if (debugger < 0) {
		print_message("skipped: threads of this process can't be stopped (ptrace is refused)\n");
		skip();
	}
	assert_int_equal(proc_reader_read(reader, key, comm, 0, &process), -ETIMEDOUT);
	assert_int_equal(proc_reader_read(reader, key, comm, 0, &process), -EBUSY);
	close(gate);
	assert_int_equal(waitpid(debugger, NULL, 0), debugger);
	assert_int_equal(read_patiently(reader, key, comm, &process), 0);
	proc_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_read_again_and_again),
		cmocka_unit_test(a_thread_that_came_too_late_serves_the_next_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
