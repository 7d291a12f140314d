// SPDX-License-Identifier: Apache-2.0
/* proc_reader.c: through its thread, right about a real process, this one. */
#include "child.h"
#include "proc_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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

/* ----------------------------------------------------------------------- facts */

#define SLEEPER "called so\0" "60"

/* What an event of /bin/sleep SLEEPER knows. */
static struct exec_facts sleepers_facts(void)
{
	struct exec_facts facts = {.present = FACT_BIT(FACT_COMM) | FACT_BIT(FACT_ARGV),
				   .argv_bytes = sizeof(SLEEPER)};

	strcpy(facts.comm, "sleep");
	return facts;
}

static struct child start_sleep(void)
{
	return child_start(&(struct child_plan){
		.path = "/bin/sleep", .argv = (const char *const[]){"called so", "60", NULL}});
}

static int facts_once(struct proc_reader *reader, pid_t pid, struct proc_facts *out)
{
	const struct exec_facts facts = sleepers_facts();

	return proc_reader_facts(reader, (uint32_t)pid, &facts, (struct slice){SLEEPER, sizeof(SLEEPER)}, out);
}

static int facts_patiently(struct proc_reader *reader, pid_t pid, struct proc_facts *out)
{
	int err = -EBUSY;

	for (int i = 0; i < 2000 && (err == -EBUSY || err == -ETIMEDOUT); i++) {
		if (i)
			usleep(5000);
		err = facts_once(reader, pid, out);
	}
	return err;
}

static unsigned open_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(fds);
	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

static void a_programs_facts_are_read_through_the_thread(void **state)
{
	struct proc_reader *reader = proc_reader_open();
	struct child child = start_sleep();
	unsigned before = open_descriptors();
	struct process_key key;
	struct proc_process process;
	struct proc_facts facts;
	char comm[COMM_BYTES];

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(facts_patiently(reader, child.pid, &facts), 0);
		assert_int_equal(facts.ppid, getpid());
		assert_int_equal(facts.exe.len, strlen("/usr/bin/sleep"));
		assert_memory_equal(facts.exe.data, "/usr/bin/sleep", facts.exe.len);
		/* Another process is read in between: what was found stays. */
		key = key_of(getpid(), comm);
		assert_int_equal(read_patiently(reader, key, comm, &process), 0);
		assert_memory_equal(facts.exe.data, "/usr/bin/sleep", facts.exe.len);
	}
	assert_int_equal(open_descriptors(), before);
	child_stop(&child);
	assert_true(facts_patiently(reader, child.pid, &facts) < 0);
	assert_int_equal(open_descriptors(), before);
	proc_reader_close(reader);
}

static void a_request_for_facts_that_was_given_up_leaves_nothing_open(void **state)
{
	struct proc_reader *reader = proc_reader_open();
	struct child child = start_sleep();
	struct proc_facts facts;
	unsigned before;
	pid_t debugger;
	int gate;

	(void)state;
	assert_int_equal(facts_patiently(reader, child.pid, &facts), 0);
	before = open_descriptors();
	debugger = stop_thread(reader_thread(), &gate);
	if (debugger < 0) {
		print_message("skipped: threads of this process can't be stopped (ptrace is refused)\n");
		skip();
	}
	assert_int_equal(facts_once(reader, child.pid, &facts), -ETIMEDOUT);
	assert_int_equal(facts_once(reader, child.pid, &facts), -EBUSY);
	close(gate);
	assert_int_equal(waitpid(debugger, NULL, 0), debugger);
	assert_int_equal(facts_patiently(reader, child.pid, &facts), 0);
	assert_int_equal(open_descriptors(), before);
	child_stop(&child);
	proc_reader_close(reader);
}

static int64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A file that nobody writes to, in the place of one of the process's: whoever opens it waits. */
static bool block_readers(pid_t pid, const char *fifo)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mkfifo(fifo, 0600) && !mount(fifo, path, NULL, MS_BIND, NULL);
}

/* The caller waits a tenth of a second, others are refused for as long as it takes. */
static void a_process_that_blocks_its_readers_stops_nothing(void **state)
{
	struct proc_reader *reader = proc_reader_open();
	struct child fine = start_sleep(), blocker = start_sleep();
	char fifo[4096];
	struct proc_facts facts;
	int64_t began;
	int gate;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", scratch_directory());
	if (!block_readers(blocker.pid, fifo)) {
		print_message("skipped: nothing can be mounted over /proc/PID/status\n");
		skip();
	}
	assert_int_equal(facts_patiently(reader, fine.pid, &facts), 0);
	began = ms_now();
	assert_int_equal(facts_once(reader, blocker.pid, &facts), -ETIMEDOUT);
	assert_in_range(ms_now() - began, 90, 2000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(facts_once(reader, fine.pid, &facts), -EBUSY);
	gate = open(fifo, O_WRONLY);
	assert_true(gate >= 0);
	close(gate);
	assert_int_equal(facts_patiently(reader, fine.pid, &facts), 0);
	assert_int_equal(facts.ppid, getpid());
	child_stop(&fine);
	child_stop(&blocker);
	proc_reader_close(reader);
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_read_again_and_again),
		cmocka_unit_test(a_thread_that_came_too_late_serves_the_next_request),
		cmocka_unit_test(a_programs_facts_are_read_through_the_thread),
		cmocka_unit_test(a_request_for_facts_that_was_given_up_leaves_nothing_open),
		cmocka_unit_test(a_process_that_blocks_its_readers_stops_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
