// SPDX-License-Identifier: Apache-2.0
/* proc.c on real children of this test. */
#include "child.h"
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/cormorant-proc-test.XXXXXX";
static struct proc_buffer buffer;

/* A process that waits, as the kernel would describe it. */
struct known {
	pid_t pid;
	uint64_t start_ns; /* within a tick of it: /proc has no better */
	char comm[64];
};

/* starttime, field 22 of stat (proc(5)); the test's own comm holds no parenthesis after its last. */
static uint64_t start_of(pid_t pid)
{
	char path[64], stat[1024] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && read(fd, stat, sizeof(stat) - 1) > 0);
	close(fd);
	at = strrchr(stat, ')') + 2;
	for (int field = 3; field < 22; field++)
		at = strchr(at, ' ') + 1;
	return strtoull(at, NULL, 10) * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void comm_of(struct known *child)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", child->pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, child->comm, sizeof(child->comm));
	assert_true(n > 0);
	child->comm[n - 1] = 0; /* the newline after it */
	close(fd);
}

/* Starts path with argv; it has been executed when this returns. */
static struct known start(const char *path, const char *const *argv)
{
	struct child started = child_start(&(struct child_plan){.path = path, .argv = argv});
	struct known child = {.pid = started.pid, .start_ns = start_of(started.pid)};

	comm_of(&child);
	return child;
}

static void stop(struct known *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
}

static void copy_program(const char *path)
{
	struct text out = {0};

	program_output((const char *const[]){"/bin/cp", "/bin/sleep", path, NULL}, &out);
	text_free(&out);
}

static void assert_exe(const struct proc_process *process, const char *path)
{
	assert_non_null(process->exe.data);
	assert_int_equal(process->exe.len, strlen(path));
	assert_memory_equal(process->exe.data, path, process->exe.len);
}

static void a_running_process_is_read(void **state)
{
	char path[128];
	struct proc_process process;
	struct known child;

	(void)state;
	snprintf(path, sizeof(path), "%s/prog", directory);
	copy_program(path);
	child = start(path, (const char *const[]){"called so", "60", NULL});
	assert_string_equal(child.comm, "prog");
	assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, "prog", 0, &buffer, &process), 0);
	assert_exe(&process, path);
	assert_int_equal(process.argv.len, 13);
	assert_memory_equal(process.argv.data, "called so\0" "60", 13);
	/* Anywhere within the tick is the same process. */
	assert_int_equal(proc_read((uint32_t)child.pid,
				   child.start_ns + 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK) - 1,
				   "prog", 0, &buffer, &process), 0);
	stop(&child);
}

static void another_process_is_not_believed(void **state)
{
	uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_process process;
	struct known child = start("/bin/sleep", (const char *const[]){"sleep", "60", NULL});
	uint32_t pid = (uint32_t)child.pid;

	(void)state;
	assert_int_equal(proc_read(pid, child.start_ns, "sleep", 0, &buffer, &process), 0);
	assert_int_equal(proc_read(pid, child.start_ns + tick, "sleep", 0, &buffer, &process), -ESRCH);
	assert_int_equal(proc_read(pid, child.start_ns - 1, "sleep", 0, &buffer, &process), -ESRCH);
	assert_int_equal(proc_read(pid, 0, "sleep", 0, &buffer, &process), -ESRCH);
	assert_int_equal(proc_read(pid, child.start_ns, "slee", 0, &buffer, &process), -ESRCH);
	assert_int_equal(proc_read(pid, child.start_ns, "sleep ", 0, &buffer, &process), -ESRCH);
	assert_int_equal(proc_read(pid, child.start_ns, "", 0, &buffer, &process), -ESRCH);
	stop(&child);
	assert_true(proc_read(pid, child.start_ns, "sleep", 0, &buffer, &process) < 0);
}

static void a_comm_that_looks_like_stat_is_only_a_comm(void **state)
{
	static const char *const names[] = {"a) R 1 1 (b", ")", "(", "x y", "))((", "a\tb"};
	struct proc_process process;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		struct known child;

		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		copy_program(path);
		child = start(path, (const char *const[]){"x", "60", NULL});
		assert_string_equal(child.comm, names[i]);
		assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, names[i], 0, &buffer,
					   &process), 0);
		assert_exe(&process, path);
		stop(&child);
	}
}

static void a_deleted_executable_has_its_path_without_a_suffix(void **state)
{
	static const char *const names[] = {"gone", "gone (deleted)"};
	struct proc_process process;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char path[128];
		struct known child;

		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		copy_program(path);
		child = start(path, (const char *const[]){"x", "60", NULL});
		assert_int_equal(unlink(path), 0);
		assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, child.comm, 0, &buffer,
					   &process), 0);
		assert_exe(&process, path);
		stop(&child);
	}
}

/* With the suffix in its name, or with another name left: exact or absent, never another file's. */
static void a_path_that_may_be_two_files_is_absent_or_exact(void **state)
{
	struct proc_process process;
	char path[128], other[128];
	struct known child;

	(void)state;
	snprintf(path, sizeof(path), "%s/real (deleted)", directory);
	copy_program(path);
	child = start(path, (const char *const[]){"x", "60", NULL});
	assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, child.comm, 0, &buffer, &process),
			 0);
	if (process.exe.data)
		assert_exe(&process, path);
	assert_non_null(process.argv.data);
	stop(&child);

	snprintf(path, sizeof(path), "%s/linked", directory);
	snprintf(other, sizeof(other), "%s/linked-too", directory);
	copy_program(path);
	assert_int_equal(link(path, other), 0);
	child = start(path, (const char *const[]){"x", "60", NULL});
	assert_int_equal(unlink(path), 0);
	assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, child.comm, 0, &buffer, &process),
			 0);
	if (process.exe.data)
		assert_exe(&process, path);
	stop(&child);
}

static void an_argv_too_long_to_be_had_whole_is_unknown(void **state)
{
	static char big[ARGV_MAX + 5000];
	struct proc_process process;
	struct known child;

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	child = start("/bin/sh", (const char *const[]){"sh", "-c", "sleep 60; :", big, NULL});
	assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, "sh", 0, &buffer, &process), 0);
	assert_null(process.argv.data);
	assert_non_null(process.exe.data);
	stop(&child);
}

/* Field 28 of a stat line, startstack; comm here has no spaces. */
static uint64_t stack_of(pid_t pid)
{
	char path[64], line[1024] = "", *at = line;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	for (int field = 1; at && field < 28; field++)
		at = strchr(at, ' ') + 1;
	return strtoull(at, NULL, 10);
}

/* A process that has executed another program since is known by its stack, whatever it is called. */
static void the_stack_tells_one_program_of_a_process_from_the_next(void **state)
{
	struct proc_process process;
	struct known child = start("/bin/sleep", (const char *const[]){"sleep", "60", NULL});
	uint64_t stack = stack_of(child.pid);
	uint32_t pid = (uint32_t)child.pid;

	(void)state;
	assert_true(stack > 4096);
	assert_int_equal(proc_read(pid, child.start_ns, "any name", stack, &buffer, &process), 0);
	assert_int_equal(proc_read(pid, child.start_ns, "sleep", stack + 16, &buffer, &process), -ESRCH);
	stop(&child);
}

static void a_zombie_has_no_argv_and_a_process_that_is_gone_is_an_error(void **state)
{
	struct proc_process process;
	struct known child = start("/bin/sleep", (const char *const[]){"sleep", "60", NULL});
	siginfo_t info;

	(void)state;
	kill(child.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_read((uint32_t)child.pid, child.start_ns, "sleep", 0, &buffer, &process), 0);
	assert_null(process.argv.data);
	assert_null(process.exe.data);
	waitpid(child.pid, NULL, 0);
	assert_true(proc_read((uint32_t)child.pid, child.start_ns, "sleep", 0, &buffer, &process) < 0);
	assert_null(process.argv.data);
}

static void a_child_of_another_pid_namespace_knows_that_its_proc_is_not_the_hosts(void **state)
{
	struct stat st;
	bool initial;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	initial = st.st_ino == 0xEFFFFFFCU; /* PROC_PID_INIT_INO, the kernel's include/linux/proc_ns.h */
	assert_int_equal(proc_is_host(), initial);
	if (geteuid()) {
		print_message("not root: no pid namespace can be made\n");
		skip();
	}
	pid = fork();
	if (!pid) {
		pid_t below;

		if (unshare(CLONE_NEWPID))
			_exit(3);
		below = fork();
		if (!below)
			_exit(proc_is_host() ? 1 : 0);
		waitpid(below, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 4);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Users, too: their numbers are shown as the reader's namespace has them. */
static void a_process_of_another_user_namespace_knows_that_proc_is_not_the_hosts(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? 77 : proc_is_host());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no user namespace can be made\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct text out = {0};

	(void)state;
	program_output((const char *const[]){"/bin/rm", "-rf", directory, NULL}, &out);
	text_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_process_is_read),
		cmocka_unit_test(another_process_is_not_believed),
		cmocka_unit_test(a_comm_that_looks_like_stat_is_only_a_comm),
		cmocka_unit_test(a_deleted_executable_has_its_path_without_a_suffix),
		cmocka_unit_test(a_path_that_may_be_two_files_is_absent_or_exact),
		cmocka_unit_test(an_argv_too_long_to_be_had_whole_is_unknown),
		cmocka_unit_test(the_stack_tells_one_program_of_a_process_from_the_next),
		cmocka_unit_test(a_zombie_has_no_argv_and_a_process_that_is_gone_is_an_error),
		cmocka_unit_test(a_child_of_another_pid_namespace_knows_that_its_proc_is_not_the_hosts),
		cmocka_unit_test(a_process_of_another_user_namespace_knows_that_proc_is_not_the_hosts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
