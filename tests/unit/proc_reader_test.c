// SPDX-License-Identifier: Apache-2.0
/* proc_reader.c: through its thread, right about a real process, this one. */
#include "builder.h"
#include "proc_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
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
		err = proc_reader_read(reader, key, comm, process);
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

/* Keeps CPU 0 busy while the reader's thread, idle class, may run on that CPU only. */
static pid_t starve(pid_t thread)
{
	const struct sched_param lowest = {0};
	cpu_set_t first;
	pid_t hog;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	assert_int_equal(sched_setaffinity(thread, sizeof(first), &first), 0);
	assert_int_equal(sched_setscheduler(thread, SCHED_IDLE, &lowest), 0);
	hog = fork();
	if (!hog) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sched_setaffinity(0, sizeof(first), &first);
		for (;;)
			;
	}
	return hog;
}

/* A request may be given up before the thread has begun with it: the next is answered still. */
static void a_thread_that_came_too_late_serves_the_next_request(void **state)
{
	struct proc_reader *reader = proc_reader_open();
	struct proc_process process;
	char comm[COMM_BYTES];
	struct process_key key = key_of(getpid(), comm);
	int timeouts = 0;
	pid_t hog;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		print_message("one CPU: a thread can't be starved without this one\n");
		skip();
	}
	assert_int_equal(read_patiently(reader, key, comm, &process), 0);
	hog = starve(reader_thread());
	for (int i = 0; i < 100 && timeouts < 4; i++) {
		timeouts += proc_reader_read(reader, key, comm, &process) == -ETIMEDOUT;
		usleep(20000);
	}
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	assert_true(timeouts > 0);
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
