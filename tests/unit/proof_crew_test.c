// SPDX-License-Identifier: Apache-2.0
/*
 * proof_crew.c, proof_stage.c, proof_truth.c: that the processes are there, stand still, are
 * what is said of them, and leave nothing behind. As root all of it is different from child to
 * child; as anybody else there is less.
 */
#include "proof_crew.h"
#include "proof_program.h"
#include "proof_truth.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void start(struct crew *crew, bool log_in)
{
	assert_int_equal(
		crew_start(crew, &(struct crew_options){.log_in = log_in, .long_name = true}), 0);
	for (int i = 0; !crew_stands(crew) && i < PATIENCE_MS / 10; i++) {
		struct pollfd fd = {.fd = crew_fd(crew), .events = POLLIN};

		poll(&fd, 1, 10);
	}
	assert_true(crew_stands(crew));
	assert_false(crew->dead);
}

static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void comm_of(pid_t pid, char *comm, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(comm, (int)size, f));
	comm[strcspn(comm, "\n")] = 0;
	fclose(f);
}

static void all_of_them_run_and_nothing_is_left(void **state)
{
	int fds = count_fds();
	struct crew crew;
	char comm[64];

	(void)state;
	start(&crew, false);
	assert_int_equal(crew.count, CREW_MAX);
	for (int i = 0; i < crew.count; i++) {
		const struct crew_member *m = &crew.shared->members[i];

		assert_true(m->pid > 0);
		assert_true(m->attempt < ATTEMPT_COUNT);
		assert_true(m->before_ns <= m->after_ns);
		comm_of(m->pid, comm, sizeof(comm));
		if (m->attempt == ATTEMPT_FILE)
			assert_string_equal(comm, crew.names[i]);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(crew.names[i], crew.names[k]);
	}
	crew_end(&crew);
	assert_no_children();
	assert_int_equal(count_fds(), fds);
	crew_end(&crew);
}

static void who_is_stopped_in_the_middle_is_ended_by_force(void **state)
{
	int fds = count_fds();
	struct crew crew;

	(void)state;
	start(&crew, false);
	/* They can't take note of the end, nor can their parents. */
	for (int i = 0; i < crew.count; i++)
		kill(crew.shared->members[i].pid, SIGSTOP);
	kill(crew.shared->parent, SIGSTOP);
	kill(crew.director, SIGSTOP);
	crew_end(&crew);
	assert_no_children();
	assert_int_equal(count_fds(), fds);
}

static void a_director_that_dies_takes_them_along(void **state)
{
	struct crew crew;

	(void)state;
	start(&crew, false);
	kill(crew.director, SIGKILL);
	for (int i = 0; !crew.dead && i < PATIENCE_MS; i++) {
		const struct timespec moment = {.tv_nsec = 1000000};

		assert_true(crew_stands(&crew));
		nanosleep(&moment, NULL);
	}
	assert_true(crew.dead);
	crew_end(&crew);
	assert_no_children();
}

/* As whoever starts this program may have left it: no end of a child could be waited for. */
static void that_ends_of_children_are_ignored_is_set_aside(void **state)
{
	struct sigaction after;
	struct crew crew;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	start(&crew, false);
	kill(crew.shared->members[4].pid, SIGKILL);
	for (int i = 0; !crew.shared->members[4].ended && i < PATIENCE_MS; i++)
		usleep(1000);
	assert_true(crew.shared->members[4].ended);
	crew_end(&crew);
	assert_int_equal(sigaction(SIGCHLD, NULL, &after), 0);
	assert_true(after.sa_handler == SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	assert_no_children();
}

/* Who has said that it runs, and ends, does not stand for another. */
static void an_end_is_no_other_ones_word(void **state)
{
	struct crew crew;

	(void)state;
	start(&crew, false);
	for (int i = 0; i < crew.count; i++)
		assert_true(crew_executed(&crew, i));
	kill(crew.shared->members[1].pid, SIGKILL);
	for (int i = 0; !crew.shared->members[1].ended && i < PATIENCE_MS; i++)
		usleep(1000);
	crew.executed &= ~(1U << 2); /* had it not said so yet */
	assert_false(crew_stands(&crew));
	crew_end(&crew);
}

/* ----------------------------------------------------------------------- truth */

static void of_who_has_ended_there_is_no_truth(void **state)
{
	struct proof_sample sample = {0};
	struct truth *truth;
	struct crew crew;

	(void)state;
	start(&crew, false);
	truth = truth_open(&crew);
	assert_non_null(truth);
	assert_true(truth_read(truth, 4, &sample));
	kill(crew.shared->parent, SIGSTOP); /* so that it stays a zombie */
	kill(crew.shared->members[4].pid, SIGKILL);
	for (int i = 0; truth_read(truth, 4, &sample) && i < PATIENCE_MS; i++)
		usleep(1000);
	assert_false(truth_read(truth, 4, &sample));
	assert_true(truth_read(truth, 5, &sample));
	/* Nor of whose parent has: it has got another. */
	kill(crew.shared->parent, SIGKILL);
	for (int i = 0; truth_read(truth, 5, &sample) && i < PATIENCE_MS; i++)
		usleep(1000);
	assert_false(truth_read(truth, 5, &sample));
	truth_close(truth);
	crew_end(&crew);
}

static uint64_t boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* A child in a time namespace whose boot clock is ahead by 100,000 s. False: there is none to be had. */
static void say_spans_elsewhere(int out)
{
	static const char offset[] = "boottime 100000 0\n";
	struct proof_sample sample = {0};
	struct truth *truth;
	struct crew crew;
	int fd;

	fd = unshare(CLONE_NEWTIME) ? -1 : open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, offset, sizeof(offset) - 1) != sizeof(offset) - 1)
		_exit(1);
	close(fd);
	if (!fork()) {
		start(&crew, false);
		truth = truth_open(&crew);
		for (int i = 0; i < crew.count; i += 7) { /* a parent's and a director's */
			truth_read(truth, i, &sample);
			(void)!write(out, &sample.truth.start, sizeof(sample.truth.start));
			(void)!write(out, &sample.truth.parent_start,
				     sizeof(sample.truth.parent_start));
		}
		truth_close(truth);
		crew_end(&crew);
		_exit(0);
	}
	_exit(wait(NULL) < 0);
}

static void in_a_time_namespace_times_are_the_hosts(void **state)
{
	struct proof_span spans[4];
	uint64_t before, after;
	int ends[2];
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	before = boot_ns();
	pid = fork();
	if (!pid)
		say_spans_elsewhere(ends[1]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	after = boot_ns();
	n = read(ends[0], spans, sizeof(spans));
	close(ends[0]);
	if (!n)
		skip(); /* no time namespaces (CONFIG_TIME_NS), or no privilege for one */
	assert_int_equal(n, sizeof(spans));
	for (int i = 0; i < 4; i++)
		assert_true(spans[i].from >= before && spans[i].from <= spans[i].to &&
			    spans[i].to <= after);
}

static bool knows(const struct proof_sample *s, unsigned fact)
{
	return s->truth.known & FACT_BIT(fact);
}

static void assert_text(struct slice text, const char *want)
{
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.data, want, text.len);
}

static void the_truth_is_what_they_were_made_to_be(void **state)
{
	struct proof_sample samples[CREW_MAX] = {0};
	struct truth *truth;
	struct crew crew;

	(void)state;
	start(&crew, false);
	truth = truth_open(&crew);
	assert_non_null(truth);
	for (int i = 0; i < crew.count; i++) {
		const struct crew_member *m = &crew.shared->members[i];
		struct proof_sample *s = &samples[i];
		unsigned flags = crew.roles[i].flags;

		assert_true(truth_read(truth, i, s));
		assert_int_equal(s->truth.head.tgid, m->pid);
		assert_int_equal(s->truth.head.ppid,
				 flags & CREW_DIRECTORS ? crew.director : crew.shared->parent);
		assert_true(knows(s, FACT_PGID) && knows(s, FACT_SID) && knows(s, FACT_ARGV));
		assert_int_equal(s->truth.facts.argv_bytes > ARGV_MAX, !!(flags & CREW_LONG_ARGV));
		if (flags & CREW_SESSION)
			assert_int_equal(s->truth.facts.sid, m->pid);
		else
			assert_int_equal(s->truth.facts.sid, crew.director);
		if (m->attempt != ATTEMPT_FILE)
			continue;
		/* Two ways to know one thing. */
		assert_string_equal(s->truth.facts.comm, crew.names[i]);
		assert_text(s->truth.text[SECTION_FILENAME], m->path);
		if (m->cwd[0])
			assert_text(s->truth.text[SECTION_CWD], m->cwd);
		assert_int_equal(!!(s->truth.facts.flags & EXEC_MEMFD), !!(flags & CREW_MEMFD));
		assert_int_equal(!!(s->truth.facts.flags & EXEC_DELETED),
				 !!(flags & (CREW_MEMFD | CREW_DELETED)));
		if (flags & CREW_SCRIPT)
			assert_text(s->truth.text[SECTION_EXE], m->interpreter);
		else if (!(flags & (CREW_MEMFD | CREW_DELETED | CREW_LONG_NAME)))
			assert_text(s->truth.text[SECTION_EXE], m->path);
	}
	truth_close(truth);
	crew_end(&crew);
}

/* What a script executes with has the script's name put in. */
static void arguments_are_the_processes_own(void **state)
{
	struct proof_sample sample;
	struct truth *truth;
	char path[64], shown[2 * ARGV_MAX];
	struct crew crew;

	(void)state;
	start(&crew, false);
	truth = truth_open(&crew);
	assert_non_null(truth);
	for (int i = 0; i < crew.count; i++) {
		struct slice argv;
		ssize_t n;
		int fd;

		sample = (struct proof_sample){0};
		truth_read(truth, i, &sample);
		argv = sample.truth.text[SECTION_ARGV];
		snprintf(path, sizeof(path), "/proc/%d/cmdline", crew.shared->members[i].pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		n = read(fd, shown, sizeof(shown));
		close(fd);
		assert_int_equal(n, sample.truth.facts.argv_bytes);
		assert_int_equal(argv.len, n < ARGV_MAX ? n : ARGV_MAX);
		assert_memory_equal(argv.data, shown, argv.len);
	}
	truth_close(truth);
	crew_end(&crew);
}

/* That so much can be told apart as root is what the proof lives on. */
static void as_root_they_differ_in_everything(void **state)
{
	struct proof_sample samples[CREW_MAX] = {0};
	struct truth *truth;
	struct crew crew;
	const struct exec_facts *ids, *root, *inner, *user;

	(void)state;
	if (geteuid())
		skip();
	start(&crew, false);
	if (!crew.shared->staged) { /* a container that may not mount */
		crew_end(&crew);
		skip();
	}
	truth = truth_open(&crew);
	for (int i = 0; i < crew.count; i++)
		truth_read(truth, i, &samples[i]);
	root = &samples[0].truth.facts;
	ids = &samples[1].truth.facts;
	inner = &samples[3].truth.facts;
	user = &samples[5].truth.facts;
	assert_true(crew.shared->members[0].traced);
	for (int i = 0; i < crew.count; i++) /* the one whose program is deleted among them */
		assert_int_equal(crew.shared->members[i].attempt, ATTEMPT_FILE);
	assert_int_equal(samples[0].rival_number[RIVAL_TRACER], crew.director);
	assert_int_not_equal(samples[0].rival_number[RIVAL_PARENT_THREAD], crew.shared->parent);
	assert_int_not_equal(ids->ids[ID_UID], ids->ids[ID_EUID]);
	assert_int_not_equal(ids->ids[ID_GID], ids->ids[ID_EGID]);
	assert_int_equal(ids->ids[ID_SUID], ids->ids[ID_EUID]);
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (ns != NS_PID && ns != NS_USER && ns != NS_TIME)
			assert_int_not_equal(ids->ns[ns], root->ns[ns]);
	assert_int_not_equal(inner->ns[NS_PID], root->ns[NS_PID]);
	assert_int_equal(inner->namespace_pid, 1);
	assert_int_not_equal(user->ns[NS_USER], root->ns[NS_USER]);
	assert_int_equal(root->caps[CAPS_EFFECTIVE], root->caps[CAPS_PERMITTED]);
	assert_int_not_equal(root->caps[CAPS_EFFECTIVE], samples[0].rival_number[RIVAL_CAPS_BOUND]);
	assert_int_not_equal(root->caps[CAPS_INHERITABLE], root->caps[CAPS_PERMITTED]);
	assert_int_not_equal(samples[2].truth.facts.caps[CAPS_EFFECTIVE],
			     samples[2].truth.facts.caps[CAPS_PERMITTED]);
	assert_int_not_equal(samples[0].truth.facts.pgid, samples[0].truth.facts.sid);
	assert_int_equal(samples[1].truth.facts.pgid, crew.shared->members[0].pid);
	assert_true(strcmp(samples[2].truth.facts.fs, "ramfs") == 0);
	assert_true(strcmp(samples[0].truth.facts.fs, "tmpfs") == 0);
	truth_close(truth);
	crew_end(&crew);
}

/* --------------------------------------------------------------------- program */

static void the_program_says_that_it_runs_and_waits(void **state)
{
	unsigned char program[PROOF_PROGRAM_MAX];
	size_t size = proof_program_make(program);
	int gate[2], alive[2], fd, status;
	char byte;
	pid_t pid;

	(void)state;
	assert_true(size > sizeof(Elf64_Ehdr) && size <= sizeof(program));
	fd = memfd_create("program", MFD_CLOEXEC);
	assert_int_equal(write(fd, program, size), size);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		char *const none[] = {NULL};
		int in = fcntl(gate[0], F_DUPFD_CLOEXEC, 20), out;

		out = fcntl(alive[1], F_DUPFD_CLOEXEC, 20);
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 20);
		dup2(in, PROOF_GATE_FD);
		dup2(out, PROOF_ALIVE_FD);
		fexecve(fd, none, none);
		_exit(99);
	}
	close(alive[1]);
	close(gate[0]);
	assert_int_equal(read(alive[0], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	close(gate[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(alive[0]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_them_run_and_nothing_is_left),
		cmocka_unit_test(who_is_stopped_in_the_middle_is_ended_by_force),
		cmocka_unit_test(a_director_that_dies_takes_them_along),
		cmocka_unit_test(that_ends_of_children_are_ignored_is_set_aside),
		cmocka_unit_test(an_end_is_no_other_ones_word),
		cmocka_unit_test(of_who_has_ended_there_is_no_truth),
		cmocka_unit_test(in_a_time_namespace_times_are_the_hosts),
		cmocka_unit_test(the_truth_is_what_they_were_made_to_be),
		cmocka_unit_test(arguments_are_the_processes_own),
		cmocka_unit_test(as_root_they_differ_in_everything),
		cmocka_unit_test(the_program_says_that_it_runs_and_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
