// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "clock.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ways for the child to make the subject: each returns -1 with errno only if it failed. */

static int exec_by_posix_spawn(const char *path, char *const argv[], char *const envp[])
{
	pid_t pid;

	errno = posix_spawn(&pid, path, NULL, NULL, argv, envp);
	return errno ? -1 : prepare_wait(pid);
}

/* The subject executes when its parent has gone and it has another one. */
static int exec_after_reparenting(const char *path, char *const argv[], char *const envp[])
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid < 0 ? -1 : 0;
	while (getppid() == parent)
		usleep(1000);
	execve(path, argv, envp);
	_exit(127);
}

static void vfork_is_seen(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .exec = prepare_exec_after_vfork, .pid_from_report = true });

	assert_int_equal(o->truth.ppid, o->subject->child);
}

static void posix_spawn_is_seen(void **state)
{
	observe(*state, &(struct subject_plan){ .exec = exec_by_posix_spawn, .pid_from_report = true });
}

static void an_exec_from_a_thread_is_the_processs(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .exec = prepare_exec_from_thread });

	assert_int_equal(o->subject->own_tid, o->subject->own_pid);
}

static void a_reparented_process_has_its_new_parent(void **state)
{
	struct subject_plan plan = { .exec = exec_after_reparenting, .pid_from_report = true };
	struct observed *o = observe(*state, &plan);

	assert_int_not_equal(o->truth.ppid, o->subject->child);
	assert_int_not_equal(o->truth.ppid, getpid());
}

static void the_parents_command_line_is_that_of_its_own_exec(void **state)
{
	struct e2e *e = *state;
	char *const argv[] = { "parent", "an honest argument", workspace_marker(&e->ws), NULL };

	observe(e, &(struct subject_plan){ .role = "lying-parent", .argv = argv, .parent_argv = argv,
					   .pid_from_report = true, .exec_filename = "/proc/self/exe" });
}

/* The parent's comm is the kernel's word at the moment of the exec: its command line must be of the same program. */
static unsigned int check_race(struct e2e *e, char *after)
{
	char *const argv[] = { "before", workspace_marker(&e->ws), after, NULL };
	struct subject *s = subject_start(e, &(struct subject_plan){ .role = "race", .argv = argv });
	struct json_object *event = event_log_wait(&e->log, s->own_ppid, NULL);
	const char *name = event_text(event, "process.parent_process.name");
	const char *line = event_text(event, "process.parent_process.cmd_line");
	bool is_after;

	if (!name && e->knows_less) {
		assert_null(line);
		subject_release(s);
		return 0;
	}
	assert_non_null(name);
	is_after = !strcmp(name, "after");
	if (line && strncmp(line, is_after ? "after " : "before ", 6))
		fail_msg("parent %s with the command line %s", name, line);
	subject_release(s);
	return is_after ? 2 : 1;
}

static void a_parent_that_executes_meanwhile_is_never_mixed_up(void **state)
{
	struct e2e *e = *state;
	char *after = workspace_text(&e->ws, "%s/after", workspace_scratch(&e->ws));
	unsigned int seen = 0;

	workspace_copy_program(after);
	for (int i = 0; i < (getenv("E2E_VM") ? 50 : 300); i++)
		seen |= check_race(e, after);
	print_message("the parent was%s seen%s%s its own exec\n", seen ? "" : " not", seen & 1 ? " before" : "",
		      seen & 2 ? " after" : "");
}

static void a_failed_exec_makes_no_event(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/not-executable", workspace_scratch(&e->ws));
	pid_t missing, forbidden;

	workspace_write_file(path, "text", 4, 0644);
	assert_null(subject_try_start(e, &(struct subject_plan){ .path = "/nonexistent" }));
	assert_int_equal(errno, ENOENT);
	missing = e->subjects->child;
	assert_null(subject_try_start(e, &(struct subject_plan){ .path = path }));
	assert_int_equal(errno, EACCES);
	forbidden = e->subjects->child;
	observe(e, &(struct subject_plan){ 0 }); /* whatever came before it has come by now */
	assert_int_equal(event_log_count(&e->log, missing), 0);
	assert_int_equal(event_log_count(&e->log, forbidden), 0);
}

/* One process, three programs: the role "again" executes itself until its number is 0, then holds. */
static void every_exec_of_one_process_is_an_event(void **state)
{
	struct e2e *e = *state;
	char *const argv[] = { "again", "2", NULL };
	struct subject *s = subject_start(e, &(struct subject_plan){ .role = "again", .argv = argv });

	assert_non_null(event_log_wait(&e->log, s->pid, "0"));
	assert_int_equal(event_log_count(&e->log, s->pid), 3);
}

/* ---------------------------------------------- a parent whose arguments can't be read */

/* Where this process's arguments begin: field 48 of its stat. 0 if it cannot be told. */
static unsigned long own_arg_start(void)
{
	struct bytes stat;
	unsigned long address = 0;
	char *at;

	if (!bytes_read_file("/proc/self/stat", &stat))
		return 0;
	at = strrchr(stat.data, ')');
	for (int field = 2; at && field < 48; field++)
		at = strchr(at + 1, ' ');
	if (at)
		address = strtoul(at, NULL, 10);
	bytes_free(&stat);
	return address;
}

/* Puts memory that nobody will ever fill where the arguments are: whoever touches it waits. */
static int block_argument_readers(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	unsigned long page = own_arg_start() & ~4095UL;
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (!page || fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -1;
	if (mmap((void *)page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -1;
	registration.range.start = page;
	registration.range.len = 4096;
	return ioctl(fd, UFFDIO_REGISTER, &registration);
}

static int exec_from_blocking_parent(const char *path, char *const argv[], char *const envp[])
{
	pid_t pid = fork();

	/* The parent blocks before its child executes; the child still has memory as it was. */
	if (!pid) {
		while (!access(argv[1], F_OK))
			usleep(1000);
		execve(path, argv, envp);
		_exit(127);
	}
	if (pid < 0 || block_argument_readers())
		return -1;
	/* A name that no process of this test had: the parent has to be looked up. */
	prctl(PR_SET_NAME, "blocker", 0, 0, 0);
	unlink(argv[1]);
	return prepare_wait(pid);
}

/*
 * A process can put memory where its arguments are that cannot be read, or only by waiting. The sensor must go on, with
 * the parent's command line unknown. (No observe(): it would read that file too.)
 */
static void a_parent_with_unreadable_arguments_stops_nothing(void **state)
{
	struct e2e *e = *state;
	char *gate = workspace_text(&e->ws, "%s/gate", workspace_scratch(&e->ws));
	char *const argv[] = { "subject", gate, NULL };
	struct subject_plan plan = { .exec = exec_from_blocking_parent, .pid_from_report = true, .argv = argv };
	struct subject *s, *after;
	struct json_object *event;

	workspace_write_file(gate, "", 0, 0644);
	s = subject_try_start(e, &plan);
	if (!s && errno == ENOSYS)
		e2e_skip("this kernel has no userfaultfd (CONFIG_USERFAULTFD)");
	if (!s)
		fail_msg("the parent cannot be made: %s", strerror(errno));
	event = event_log_wait(&e->log, s->pid, NULL);
	assert_non_null(event);
	if (!e->knows_less || event_get(event, "process.parent_process.pid"))
		assert_int_equal(json_object_get_int64(event_get(event, "process.parent_process.pid")), s->own_ppid);
	assert_null(event_get(event, "process.parent_process.cmd_line"));
	/* And the next ones come, at once. */
	for (int i = 0; i < 20; i++) {
		after = subject_start(e, &(struct subject_plan){ .role = "hold" });
		assert_non_null(event_log_wait(&e->log, after->pid, NULL));
		subject_release(after);
	}
	kill(s->child, SIGKILL);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(vfork_is_seen),
	E2E_TEST(posix_spawn_is_seen),
	E2E_TEST(an_exec_from_a_thread_is_the_processs),
	E2E_TEST(a_reparented_process_has_its_new_parent),
	E2E_TEST(the_parents_command_line_is_that_of_its_own_exec),
	E2E_TEST(a_parent_that_executes_meanwhile_is_never_mixed_up),
	E2E_TEST(a_failed_exec_makes_no_event),
	E2E_TEST(every_exec_of_one_process_is_an_event),
	E2E_TEST(a_parent_with_unreadable_arguments_stops_nothing),
};
const struct e2e_tests e2e_process_tests = E2E_TESTS(tests);
