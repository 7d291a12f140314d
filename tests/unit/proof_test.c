// SPDX-License-Identifier: Apache-2.0
/*
 * proof.c: whose records are whose. The kernel side is played by this test, which finds the
 * crew's execs in /proc and makes records of them, and of others that look like them.
 */
#include "builder.h"
#include "proc.h"
#include "proof.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NAME = COMM_BYTES - 1, EXECS_MAX = 64, STRANGER = 0x7000000, NOBODY = 65534, COUNT = 8 };

/* What the kernel side does besides. */
enum trick {
	FORGE_FIRST = 1 << 0, /* a stranger's record of the same name comes before each */
	FORGE_ALIKE = 1 << 1, /* one of the same user, behind each */
	MISS_ONE = 1 << 2,    /* the first exec of all leaves no record */
	KILL_ONE = 1 << 3,    /* who made the first one is killed */
	STOP = 1 << 4,	      /* the director is stopped before it does anything */
	NO_ARGV = 1 << 5,
	MISS_LONG = 1 << 6, /* no exec with a long file name is seen: the ninth's */
};

struct exec {
	uint32_t tgid; /* as the record has it */
	bool seen;     /* it has a record */
};

/* Shared with a child that lives in namespaces of its own. */
struct outcome {
	struct proof proof;
	struct exec execs[EXECS_MAX];
	int count;
	bool able; /* the namespaces could be had */
};

struct kernel {
	struct record_queue queue;
	unsigned tricks;
	uint32_t shift; /* what pids are more in records than in fork's answers */
	struct outcome *outcome;
};

static uint64_t boot_ns(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static ssize_t read_of(pid_t pid, const char *name, char *data, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, data, size - 1);
	close(fd);
	data[n > 0 ? n : 0] = 0;
	return n;
}

static long status_of(pid_t pid, const char *key)
{
	char text[4096], *at;

	if (read_of(pid, "status", text, sizeof(text)) <= 0)
		return -1;
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static bool descends(pid_t pid)
{
	for (int i = 0; i < 4 && pid > 0; i++)
		if ((pid = (pid_t)status_of(pid, "\nPPid:")) == getpid())
			return true;
	return false;
}

/* The argument that a child's name is, "c123456-123456a". NULL before its exec. */
static const char *name_in(const char *argv, size_t n)
{
	for (const char *at = argv; at < argv + n; at += strlen(at) + 1) {
		unsigned token, number;
		int end = 0;

		if (strlen(at) == NAME && sscanf(at, "c%6x-%6x%*c%n", &token, &number, &end) == 2 &&
		    end == NAME)
			return at;
	}
	return NULL;
}

static void push(struct kernel *k, uint32_t tgid, uint32_t uid, const char *comm, const char *argv,
		 size_t n)
{
	struct builder b;
	size_t size;
	void *record;

	builder_bare(&b);
	b.head.time_ns = boot_ns(NULL);
	b.head.tgid = b.head.tid = tgid;
	b.head.uid = uid;
	b.facts.present = FACT_BIT(FACT_COMM);
	snprintf(b.facts.comm, COMM_BYTES, "%s", comm);
	if (!(k->tricks & NO_ARGV) && n < ARGV_MAX)
		builder_argv_bytes(&b, argv, n);
	record = builder_record(&b, &size);
	record_queue_push(&k->queue, record, size, SIZE_MAX);
	free(record);
	builder_free(&b);
}

static void record_exec(struct kernel *k, pid_t pid, const char *argv, size_t n)
{
	struct outcome *out = k->outcome;
	bool miss = k->tricks & MISS_ONE && !out->count;
	uint32_t tgid = (uint32_t)pid + k->shift;
	char comm[64];

	if (read_of(pid, "comm", comm, sizeof(comm)) <= 0)
		return;
	comm[strcspn(comm, "\n")] = 0;
	miss |= k->tricks & MISS_LONG && comm[NAME - 1] == 'i';
	if (k->tricks & FORGE_FIRST)
		push(k, STRANGER + tgid, NOBODY, comm, argv, n);
	if (!miss)
		push(k, tgid, (uint32_t)status_of(pid, "\nUid:"), comm, argv, n);
	if (k->tricks & FORGE_ALIKE)
		push(k, STRANGER + tgid, (uint32_t)status_of(pid, "\nUid:"), comm, argv, n);
	if (k->tricks & KILL_ONE && !out->count)
		kill(pid, SIGKILL);
	out->execs[out->count++] = (struct exec){tgid, !miss};
}

static bool is_known(const struct kernel *k, pid_t pid)
{
	for (int i = 0; i < k->outcome->count; i++)
		if (k->outcome->execs[i].tgid == (uint32_t)pid + k->shift)
			return true;
	return false;
}

static int look_around(void *arg, bool all)
{
	struct kernel *k = arg;
	DIR *dir = opendir("/proc");
	char argv[ARGV_MAX + 8192];

	(void)all;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		const char *name;
		ssize_t n;

		if (!isdigit(entry->d_name[0]) || is_known(k, pid) || !descends(pid))
			continue;
		if (k->tricks & STOP && status_of(pid, "\nPPid:") == getpid())
			kill(pid, SIGSTOP);
		n = read_of(pid, "cmdline", argv, sizeof(argv));
		name = n > 0 ? name_in(argv, (size_t)n) : NULL;
		if (name && k->outcome->count < EXECS_MAX)
			record_exec(k, pid, argv, (size_t)n);
	}
	if (dir)
		closedir(dir);
	return 0;
}

static void prove(unsigned tricks, uint32_t shift, struct outcome *outcome)
{
	struct kernel kernel = {.tricks = tricks, .shift = shift, .outcome = outcome};
	const struct proof_source source = {
		.fd = -1,
		.drain = look_around,
		.now_ns = boot_ns,
		.arg = &kernel,
		.queue = &kernel.queue,
		.long_name = tricks & MISS_LONG,
	};

	proof_run(&outcome->proof, &source);
	outcome->able = true;
	record_queue_clear(&kernel.queue);
}

static struct outcome *outcome_open(void)
{
	struct outcome *outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(outcome != MAP_FAILED);
	return outcome;
}

static void outcome_close(struct outcome *outcome)
{
	munmap(outcome, sizeof(*outcome));
}

/* mount(2) needs it; whoever executes as root gets it back, in vain. */
static void forget_mounting(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		_exit(1);
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data))
		_exit(1);
}

/* In a pid namespace and a mount namespace with its /proc. */
static void prove_inside(unsigned tricks, bool mounts, struct outcome *outcome)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(0);
		pid = fork();
		if (!pid) {
			if (mount("proc", "/proc", "proc", 0, NULL))
				_exit(0);
			if (!mounts)
				forget_mounting();
			prove(tricks, 100000, outcome);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (!outcome->able) {
		outcome_close(outcome);
		skip(); /* no privilege for namespaces */
	}
}

static bool made(const struct outcome *o, uint32_t tgid)
{
	for (int i = 0; i < PROOF_ATTEMPTS; i++) {
		const struct process_exec_event head = {.time_ns = o->proof.attempts[i].began_ns,
							.tgid = tgid};

		if (head.time_ns && proof_made(&o->proof, &head))
			return true;
	}
	return false;
}

/* All execs that left a record are its own, and nobody else's. */
static void assert_made_are_its_own(const struct outcome *o)
{
	for (int i = 0; i < o->count; i++) {
		if (o->execs[i].seen)
			assert_true(made(o, o->execs[i].tgid));
		assert_false(made(o, STRANGER + o->execs[i].tgid));
	}
}

static void assert_proven(const struct outcome *o, int execs)
{
	assert_true(o->proof.ran);
	assert_int_equal(o->count, execs);
	assert_int_equal(o->proof.children, COUNT);
	assert_int_equal(o->proof.records, COUNT);
	assert_int_equal(o->proof.wrong, 0);
	assert_made_are_its_own(o);
}

static void need_hosts_pids(void)
{
	if (proc_is_initial("pid") != 1 || !proc_is_own())
		skip(); /* a container */
}

/* ----------------------------------------------------------------------- tests */

static void its_own_records_are_found_and_no_strangers(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(FORGE_FIRST, 0, o);
	assert_true(o->proof.hosts_pids);
	assert_proven(o, COUNT);
	assert_true(o->proof.verified & 1ULL << PROOF_PID);
	outcome_close(o);
}

/* root's, too: the pid says it. */
static void where_pids_are_the_hosts_the_user_does_not_matter(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(FORGE_ALIKE | NO_ARGV, 0, o);
	assert_proven(o, COUNT);
	outcome_close(o);
}

static void in_a_pid_namespace_the_name_and_the_user_tell(void **state)
{
	struct outcome *o = outcome_open();

	(void)state;
	prove_inside(FORGE_FIRST, true, o);
	assert_false(o->proof.hosts_pids);
	assert_proven(o, COUNT);
	outcome_close(o);
}

static void in_a_container_that_may_not_mount_an_argument_tells(void **state)
{
	struct outcome *o = outcome_open();

	(void)state;
	prove_inside(FORGE_FIRST, false, o);
	assert_false(o->proof.hosts_pids);
	/* The one with more arguments than a record carries leaves one without them here. */
	assert_true(o->proof.ran);
	assert_int_equal(o->proof.children, COUNT);
	assert_true(o->proof.records >= COUNT - 1);
	assert_int_equal(o->proof.wrong, 0);
	for (int i = 0; i < o->count; i++)
		assert_false(made(o, STRANGER + o->execs[i].tgid));
	outcome_close(o);
}

static void two_that_look_alike_prove_nothing(void **state)
{
	struct outcome *o = outcome_open();

	(void)state;
	prove_inside(FORGE_ALIKE, true, o);
	assert_false(o->proof.ran);
	assert_int_equal(o->proof.records, 0);
	assert_int_equal(o->proof.children, COUNT);
	assert_int_equal(o->count, COUNT);
	assert_made_are_its_own(o);
	outcome_close(o);
}

static void an_exec_that_left_no_record_is_made_up_for(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(MISS_ONE, 0, o);
	assert_proven(o, 2 * COUNT);
	outcome_close(o);
}

static void a_second_attempts_execs_are_its_own_in_a_namespace_too(void **state)
{
	struct outcome *o = outcome_open();

	(void)state;
	prove_inside(MISS_ONE, true, o);
	assert_proven(o, 2 * COUNT);
	outcome_close(o);
}

static void who_is_killed_after_its_exec_is_no_witness(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(KILL_ONE, 0, o);
	assert_proven(o, 2 * COUNT);
	outcome_close(o);
}

static void a_hook_that_sees_no_long_names_is_not_asked_again(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(MISS_LONG, 0, o);
	assert_int_equal(o->count, COUNT + 1);
	assert_int_equal(o->proof.children, COUNT + 1);
	assert_int_equal(o->proof.records, COUNT);
	assert_false(o->proof.long_name);
	assert_made_are_its_own(o);
	outcome_close(o);
}

static void what_stands_still_is_given_up_in_time(void **state)
{
	struct outcome *o;

	(void)state;
	need_hosts_pids();
	o = outcome_open();
	prove(STOP, 0, o);
	assert_true(o->proof.took_ns < INT64_C(20000000000));
	assert_true(o->proof.children < COUNT);
	assert_int_equal(o->proof.attempts[1].began_ns, 0);
	if (!o->proof.ran)
		assert_true(*o->proof.why);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
	outcome_close(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_records_are_found_and_no_strangers),
		cmocka_unit_test(where_pids_are_the_hosts_the_user_does_not_matter),
		cmocka_unit_test(in_a_pid_namespace_the_name_and_the_user_tell),
		cmocka_unit_test(in_a_container_that_may_not_mount_an_argument_tells),
		cmocka_unit_test(two_that_look_alike_prove_nothing),
		cmocka_unit_test(an_exec_that_left_no_record_is_made_up_for),
		cmocka_unit_test(a_second_attempts_execs_are_its_own_in_a_namespace_too),
		cmocka_unit_test(who_is_killed_after_its_exec_is_no_witness),
		cmocka_unit_test(a_hook_that_sees_no_long_names_is_not_asked_again),
		cmocka_unit_test(what_stands_still_is_given_up_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
