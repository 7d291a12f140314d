// SPDX-License-Identifier: Apache-2.0
#include "proof_crew.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proof_program.h"
#include "proof_stage.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since 6.3, where some hosts want it said */
#endif
/* include/uapi/linux/securebits.h: changing ids leaves capabilities as they are. */
#define SECBIT_NO_SETUID_FIXUP (1 << 2)

enum {
	FIRST_FD = 16, /* the crew's descriptors: those below are a child's */
	ARGUMENTS = 40,
	ARGUMENTS_MIN = 4,  /* the first child's, */
	ARGUMENTS_STEP = 3, /* and how many more each next one has */
	LONG_ARGUMENT = ARGV_MAX + 3000,
	STACK_BYTES = 64 * 1024,
	/* So long one of the crew waits for another: it may have been killed. */
	WAIT_MS = 3000,
	/* So long it may take to end by itself, and once more by force. */
	END_MS = 2000,
};

enum { PARENTS, DIRECTORS }; /* whose children: crew_shared's lists */

/*
 * The order counts: the first leads the group of the others and is the one that is traced;
 * the last is for a tracepoint. Programs that can be found in their directory are many, since one
 * might look found, or deleted, by accident.
 */
static const struct crew_role roles[CREW_MAX] = {
	{"a traced child", PLACE_TMPFS, CREW_TRACED | CREW_LEADS},
	{"a child with ids and namespaces of its own", PLACE_BOUND,
	 CREW_IDS | CREW_NAMESPACES | CREW_CGROUP | CREW_LOGIN},
	{"a child with more arguments than are carried", PLACE_RAMFS,
	 CREW_EFFECTIVE | CREW_LONG_ARGV | CREW_LOGIN},
	{"a child in a pid namespace of its own", PLACE_TMPFS, CREW_PID_NS | CREW_SESSION},
	{"a child whose program is deleted", PLACE_TMPFS, CREW_DELETED},
	{"a child in a user namespace of its own", PLACE_RAMFS, CREW_USER_NS},
	{"a child that is a script", PLACE_RAMFS, CREW_SCRIPT | CREW_SESSION | CREW_DIRECTORS},
	{"a child of a memfd", PLACE_TMPFS, CREW_MEMFD | CREW_DIRECTORS},
	{"a child with a long name", PLACE_TMPFS, CREW_LONG_NAME | CREW_DIRECTORS},
};

int64_t crew_boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ------------------------------------------------------------------- a child */

static void move_to_cgroups(const struct crew *crew)
{
	for (int i = 0; i < 2; i++)
		if (crew->cgroups[i] >= 0)
			(void)!write(crew->cgroups[i], "0", 1);
}

static void log_in(const struct crew *crew, int i)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", crew->first_id + 1000 + (unsigned)i);

	if (fd < 0)
		return;
	(void)!write(fd, text, (size_t)n);
	close(fd);
}

static void take_terminal(const struct crew *crew, int which)
{
	if (setsid() >= 0 && crew->terminals[which][1] >= 0)
		(void)ioctl(crew->terminals[which][1], TIOCSCTTY, 0);
}

/* One at a time: a kernel without one of them still has the others. */
static void leave_namespaces(void)
{
	static const int flags[] = {CLONE_NEWUTS, CLONE_NEWIPC,	   CLONE_NEWNET,
				    CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWTIME};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		(void)unshare(flags[i]);
}

/*
 * Of the capabilities two become inheritable, one of which leaves the bounding set, with
 * another one: after the exec all sets are different, or empty.
 */
static void change_capabilities(int i)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (!syscall(SYS_capget, &header, data)) {
		data[0].inheritable = 1U << (9 + i % 5) | 1U << (23 + i % 4);
		data[1].inheritable = 0;
		(void)syscall(SYS_capset, &header, data);
	}
	(void)prctl(PR_CAPBSET_DROP, 23 + i % 4, 0, 0, 0);
	(void)prctl(PR_CAPBSET_DROP, 27 + i % 4, 0, 0, 0);
	(void)prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
}

/* glibc's own would change them for all of the parent's threads, whose memory this still is. */
static void change_ids(const struct crew *crew, int i, bool real)
{
	uint32_t id = crew->first_id + 16 * (uint32_t)i, none = UINT32_MAX;

	(void)syscall(SYS_setresgid, real ? id : none, id + 1, id + 2);
	if (!syscall(SYS_setresuid, real ? id + 3 : none, id + 4, id + 5) && real)
		crew->shared->members[i].uid = id + 3;
}

/* Until the director, who alone has the other end, closes it, or is dead. It may not come. */
static void await_tracer(const struct crew *crew)
{
	struct pollfd go = {.fd = crew->go[0], .events = POLLIN};

	if (write(crew->ask[1], "", 1) == 1)
		(void)poll(&go, 1, WAIT_MS);
}

static void change(struct crew *crew, int i)
{
	const struct crew_member *m = &crew->shared->members[i];
	unsigned flags = crew->roles[i].flags;

	if (flags & CREW_CGROUP)
		move_to_cgroups(crew);
	if (flags & CREW_LOGIN && crew->log_in)
		log_in(crew, i);
	if (flags & CREW_SESSION)
		take_terminal(crew, !!(flags & CREW_DIRECTORS));
	else if (!(flags & CREW_DIRECTORS))
		(void)setpgid(0, flags & CREW_LEADS ? 0 : crew->shared->members[0].pid);
	if (flags & CREW_NAMESPACES && !crew->plain)
		leave_namespaces();
	if (m->cwd[0])
		(void)!chdir(m->cwd);
	if (flags & CREW_TRACED && !crew->plain)
		await_tracer(crew);
	change_capabilities(i);
	if (flags & (CREW_IDS | CREW_EFFECTIVE))
		change_ids(crew, i, flags & CREW_IDS);
}

/* Which child is to be born. */
struct birth {
	struct crew *crew;
	int i;
};

static void execute(struct crew *crew, int i)
{
	struct crew_member *m = &crew->shared->members[i];
	char **argv = crew->argv[i];

	for (m->attempt = ATTEMPT_FILE; m->attempt < ATTEMPT_COUNT; m->attempt++) {
		errno = ENOENT;
		if (m->attempt == ATTEMPT_FILE && m->path[0])
			execve(m->path, argv, crew->envp);
		else if (m->attempt == ATTEMPT_MEMFD && crew->memfd >= 0)
			syscall(SYS_execveat, crew->memfd, "", argv, crew->envp, AT_EMPTY_PATH);
		else if (m->attempt == ATTEMPT_SELF && crew->self >= 0)
			syscall(SYS_execveat, crew->self, "", argv, crew->envp, AT_EMPTY_PATH);
		m->error = errno;
	}
}

/* The caller's memory is its own, too, until it executes: see start_child. */
static int be_child(void *arg)
{
	const struct birth *birth = arg;
	struct crew *crew = birth->crew;

	crew->shared->members[birth->i].after_ns = crew_boot_ns();
	change(crew, birth->i);
	dup2(crew->gate[0], PROOF_GATE_FD);
	dup2(crew->alive[1], PROOF_ALIVE_FD);
	execute(crew, birth->i);
	_exit(write(crew->alive[1], "", 1) == 1 ? 126 : 127);
}

/*
 * As vfork does it, since copies of this program's memory would be most of the work: the
 * caller, and it alone, waits until the child executes. The kernel writes its pid down before it
 * runs, so none executes unknown. Where a namespace is not to be had, it is done without.
 */
static void start_child(struct crew *crew, int i, int whose)
{
	const unsigned flags = crew->roles[i].flags;
	const int namespaces = (flags & CREW_PID_NS ? CLONE_NEWPID : 0) |
			       (flags & CREW_USER_NS ? CLONE_NEWUSER : 0);
	const int always = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD;
	struct crew_member *m = &crew->shared->members[i];
	char *stack_end = crew->stack[whose] + STACK_BYTES;
	struct birth birth = {crew, i};
	pid_t pid;

	m->uid = getuid();
	m->before_ns = crew_boot_ns();
	pid = clone(be_child, stack_end, always | namespaces, &birth, &m->pid);
	if (pid < 0 && namespaces)
		pid = clone(be_child, stack_end, always, &birth, &m->pid);
	if (pid < 0)
		m->error = errno;
}

static void start_children(struct crew *crew, int whose)
{
	for (int i = 0; i < crew->count; i++)
		if (!!(crew->roles[i].flags & CREW_DIRECTORS) == (whose == DIRECTORS))
			start_child(crew, i, whose);
	crew->shared->finished[whose] = true;
	(void)!write(crew->alive[1], "", 1);
}

static struct crew_member *member_of(const struct crew *crew, pid_t pid, int whose)
{
	for (int i = 0; i < crew->count; i++)
		if (crew->shared->members[i].pid == pid &&
		    !!(crew->roles[i].flags & CREW_DIRECTORS) == (whose == DIRECTORS))
			return &crew->shared->members[i];
	return NULL;
}

/* Somebody has ended. Before the end of all that is who was killed, by a filter say, and had no time to say so. */
static void take_end(struct crew *crew, pid_t pid, int whose)
{
	struct crew_member *m = member_of(crew, pid, whose);

	if (m)
		m->ended = true;
	else if (whose == DIRECTORS && pid == crew->shared->parent &&
		 !crew->shared->finished[PARENTS])
		crew->shared->finished[PARENTS] = true;
	else
		return;
	(void)!write(crew->alive[1], "", 1);
}

/* Until all children have ended. A traced one that is stopped by a signal gets it, and goes on. */
static void await_children(struct crew *crew, int whose)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid > 0 && WIFSTOPPED(status))
			(void)ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status));
		else if (pid > 0)
			take_end(crew, pid, whose);
	}
}

/* -------------------------------------------------------- parent and director */

static void *parent_thread(void *arg)
{
	struct crew *crew = arg;

	prctl(PR_SET_NAME, "not-the-leader");
	crew->shared->thread = (pid_t)syscall(SYS_gettid);
	start_children(crew, PARENTS);
	close_fd(&crew->ask[1]);       /* nobody asks any more */
	await_children(crew, PARENTS); /* it stays their parent */
	return NULL;
}

static void __attribute__((noreturn)) be_parent(struct crew *crew)
{
	pthread_t thread;

	crew->shared->parent = getpid(); /* the director may be no more to write it down */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, crew->parent_name);
	close_fd(&crew->go[1]);
	if (pthread_create(&thread, NULL, parent_thread, crew)) {
		crew->shared->finished[PARENTS] = true;
		_exit(write(crew->alive[1], "", 1) == 1 ? 126 : 127);
	}
	pthread_join(thread, NULL);
	_exit(0);
}

static void start_parent(struct crew *crew)
{
	struct crew_shared *shared = crew->shared;
	pid_t pid;

	shared->parent_before_ns = crew_boot_ns();
	pid = fork();
	if (!pid)
		be_parent(crew);
	shared->parent_after_ns = crew_boot_ns();
	if (pid > 0) {
		shared->parent = pid;
		return;
	}
	shared->finished[PARENTS] = true;
	(void)!write(crew->alive[1], "", 1);
}

/*
 * Not the parent: after the exec the child's parent and its tracer are two. The child asks for
 * it and waits, unless it was never born: then nobody holds the pipe any more, sooner or later.
 */
static void trace(struct crew *crew)
{
	struct pollfd ask = {.fd = crew->ask[0], .events = POLLIN};
	struct crew_member *m = &crew->shared->members[0];

	close_fd(&crew->ask[1]);
	if (crew->shared->parent && !crew->plain && poll(&ask, 1, WAIT_MS) == 1 &&
	    ask.revents & POLLIN && !crew->shared->finished[PARENTS])
		m->traced = !ptrace(PTRACE_SEIZE, m->pid, NULL, NULL);
	close_fd(&crew->go[1]);
}

static void __attribute__((noreturn)) be_director(struct crew *crew)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, crew->director_name);
	close_fd(&crew->gate[1]); /* its number may be taken from here on */
	setsid();
	if (!crew->plain)
		stage_set(crew);
	start_parent(crew);
	trace(crew);
	start_children(crew, DIRECTORS);
	await_children(crew, DIRECTORS);
	_exit(0);
}

/* -------------------------------------------------------------- the sensor's side */

int crew_raise_fd(int fd)
{
	int raised = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

	if (fd >= 0)
		close(fd);
	return raised;
}

static int open_pipe(int fds[2], int flags)
{
	int found[2];

	if (pipe2(found, O_CLOEXEC | flags))
		return -errno;
	fds[0] = crew_raise_fd(found[0]);
	fds[1] = crew_raise_fd(found[1]);
	return fds[0] < 0 || fds[1] < 0 ? -EMFILE : 0;
}

static void open_terminal(int fds[2])
{
	char name[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	fds[0] = crew_raise_fd(fd);
	if (fds[0] >= 0 && !grantpt(fds[0]) && !unlockpt(fds[0]) &&
	    !ptsname_r(fds[0], name, sizeof(name)))
		fds[1] = crew_raise_fd(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

static void open_programs(struct crew *crew)
{
	const char *self = (const char *)getauxval(AT_EXECFN); /* NOLINT: an address by design */
	int fd;

	crew->program_size = proof_program_make(crew->program);
	if (crew->program_size) {
		fd = memfd_create(PROOF_ARGV0, MFD_CLOEXEC | MFD_EXEC);
		if (fd < 0)
			fd = memfd_create(PROOF_ARGV0, MFD_CLOEXEC);
		if (fd >= 0 &&
		    write(fd, crew->program, crew->program_size) != (ssize_t)crew->program_size) {
			close(fd);
			fd = -1;
		}
		crew->memfd = crew_raise_fd(fd);
	}
	fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (fd < 0 && self)
		fd = open(self, O_PATH | O_CLOEXEC);
	crew->self = crew_raise_fd(fd);
}

/* Each drawn for itself: who has seen one of them exec must not know what the next is called. */
static void name_all(struct crew *crew)
{
	uint32_t random[CREW_MAX + 2];

	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		for (size_t i = 0; i < sizeof(random) / sizeof(random[0]); i++)
			random[i] = (uint32_t)(((uint64_t)crew_boot_ns() + (uint64_t)getpid()) *
						       UINT64_C(0x9e3779b97f4a7c15) >>
					       20);
	snprintf(crew->token, sizeof(crew->token), "c%06x", random[CREW_MAX] & 0xffffff);
	snprintf(crew->director_name, COMM_BYTES, "%s-lead", crew->token);
	snprintf(crew->parent_name, COMM_BYTES, "%s-parent", crew->token);
	crew->first_id = 0x10000000 + (random[CREW_MAX + 1] & 0xfffffff);
	for (int i = 0; i < CREW_MAX; i++)
		snprintf(crew->names[i], COMM_BYTES, "%s-%06x%c", crew->token, random[i] & 0xffffff,
			 (char)('a' + i));
}

/*
 * An empty one, quotes and bytes that are no text among them; three more of them from child to
 * child, of which a long one or the script's own, one at most, count for one. So their number,
 * which is what a child says once it runs (proof_program.h), tells who it is. Whoever is this
 * program itself, since nothing else may be executed, is told so by the first.
 */
static int make_arguments(struct crew *crew, int i)
{
	static char marker[] = PROOF_ARGV0, empty[] = "", bytes[] = "caf\xc3\xa9 \xff\xfe'\"\n\\";
	char **argv = calloc(ARGUMENTS + 1, sizeof(*argv));
	int n = 0;

	crew->argv[i] = argv;
	if (!argv)
		return -ENOMEM;
	argv[n++] = marker;
	argv[n++] = crew->names[i];
	argv[n++] = empty;
	argv[n++] = bytes; /* ARGUMENTS_MIN */
	if (crew->roles[i].flags & CREW_LONG_ARGV) {
		argv[n] = malloc(LONG_ARGUMENT + 1);
		if (!argv[n])
			return -ENOMEM;
		memset(argv[n], 'x', LONG_ARGUMENT);
		argv[n++][LONG_ARGUMENT] = 0;
	}
	for (int more = ARGUMENTS_STEP * i; more > 0 && n < ARGUMENTS; more--)
		argv[n++] = crew->names[i];
	return 0;
}

static void free_arguments(struct crew *crew, int i)
{
	for (int n = 0; crew->argv[i] && crew->argv[i][n]; n++)
		if (strlen(crew->argv[i][n]) == LONG_ARGUMENT)
			free(crew->argv[i][n]);
	free(crew->argv[i]);
	crew->argv[i] = NULL;
}

/* Some environment of its own, and what this program needs to find its libraries. */
static void make_environment(struct crew *crew)
{
	static char variable[] = "CORMORANT_PROOF=1";
	int n = 0;

	crew->envp[n++] = variable;
	for (char **at = environ; at && *at; at++)
		if (!strncmp(*at, "LD_LIBRARY_PATH=", 16))
			crew->envp[n] = *at;
}

static int open_all(struct crew *crew, const struct crew_options *options)
{
	int err;

	crew->shared = mmap(NULL, sizeof(*crew->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew->shared == MAP_FAILED) {
		crew->shared = NULL;
		return -errno;
	}
	crew->roles = roles;
	crew->log_in = options->log_in;
	crew->plain = options->plain;
	crew->count = options->long_name ? CREW_MAX : CREW_MAX - 1;
	name_all(crew);
	make_environment(crew);
	err = open_pipe(crew->gate, 0);
	if (!err)
		err = open_pipe(crew->alive, O_NONBLOCK);
	if (!err)
		err = open_pipe(crew->ask, 0);
	if (!err)
		err = open_pipe(crew->go, 0);
	for (int i = 0; !err && i < crew->count; i++)
		err = make_arguments(crew, i);
	for (int i = 0; i < 2; i++)
		crew->stack[i] = malloc(STACK_BYTES);
	return !err && (!crew->stack[0] || !crew->stack[1]) ? -ENOMEM : err;
}

static void forget(struct crew *crew)
{
	*crew = (struct crew){.gate = {-1, -1},
			      .alive = {-1, -1},
			      .ask = {-1, -1},
			      .go = {-1, -1},
			      .terminals = {{-1, -1}, {-1, -1}},
			      .memfd = -1,
			      .self = -1,
			      .cgroups = {-1, -1}};
}

int crew_start(struct crew *crew, const struct crew_options *options)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	int err, adopts = 0;

	forget(crew);
	err = open_all(crew, options);
	if (err)
		return err;
	/* Where it is ignored there is no end of a child to be waited for. */
	crew->heeds = !sigaction(SIGCHLD, &plain, &crew->before);
	open_programs(crew);
	for (int i = 0; i < 2; i++) {
		open_terminal(crew->terminals[i]);
		crew->cgroups[i] = crew_raise_fd(stage_cgroup(i, crew->cgroup_dirs[i]));
	}
	/* Should it have to be ended by force, what is left of it comes here. */
	crew->adopts = !prctl(PR_GET_CHILD_SUBREAPER, &adopts) && !adopts &&
		       !prctl(PR_SET_CHILD_SUBREAPER, 1);
	crew->director_before_ns = crew_boot_ns();
	crew->director = fork();
	if (!crew->director)
		be_director(crew);
	err = crew->director < 0 ? -errno : 0;
	crew->director_after_ns = crew_boot_ns();
	close_fd(&crew->ask[1]); /* so that the crew can see each other's end */
	close_fd(&crew->go[1]);
	return err;
}

int crew_fd(const struct crew *crew)
{
	return crew->alive[0];
}

/* A child's first word is how many arguments it has. What is none of these is only to be awakened by. */
static void take_word(struct crew *crew, unsigned char word)
{
	int i = (word - ARGUMENTS_MIN) / ARGUMENTS_STEP;

	if (word >= ARGUMENTS_MIN && i < crew->count)
		crew->executed |= 1U << i;
}

/* It runs, or is not to be waited for. */
static bool is_settled(const struct crew *crew, int i)
{
	const struct crew_member *m = &crew->shared->members[i];

	return m->pid <= 0 || m->ended || m->attempt == ATTEMPT_COUNT || crew_executed(crew, i);
}

bool crew_executed(const struct crew *crew, int i)
{
	return crew->executed & 1U << i;
}

bool crew_stands(struct crew *crew)
{
	const struct crew_shared *shared = crew->shared;
	unsigned char words[64];
	ssize_t n;

	while ((n = read(crew->alive[0], words, sizeof(words))) > 0)
		for (ssize_t at = 0; at < n; at++)
			take_word(crew, words[at]);
	if (!crew->dead && waitpid(crew->director, NULL, WNOHANG) == crew->director)
		crew->dead = true;
	if (crew->dead)
		return true;
	if (!shared->finished[PARENTS] || !shared->finished[DIRECTORS])
		return false;
	for (int i = 0; i < crew->count; i++)
		if (!is_settled(crew, i))
			return false;
	return true;
}

static void director_ends(struct crew *crew)
{
	const struct timespec moment = {.tv_nsec = 200000};
	int64_t limit = crew_boot_ns() + END_MS * INT64_C(1000000);

	while (!crew->dead && crew_boot_ns() < limit) {
		if (waitpid(crew->director, NULL, WNOHANG))
			crew->dead = true;
		else
			nanosleep(&moment, NULL);
	}
}

/* A process, or a group if negative. Only what is this process's own child: no other can have taken its number. */
static void kill_child(pid_t pid, int64_t limit)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	pid_t ended;

	while (pid && (ended = waitpid(pid, NULL, WNOHANG | __WALL)) >= 0) {
		if (ended)
			continue;
		(void)kill(pid, SIGKILL);
		if (crew_boot_ns() > limit)
			return;
		nanosleep(&moment, NULL);
	}
}

/* From the top: whoever loses his parent is this process's child from then on. */
static void kill_all(struct crew *crew)
{
	int64_t limit = crew_boot_ns() + END_MS * INT64_C(1000000);

	if (!crew->dead)
		kill_child(crew->director, limit);
	kill_child(crew->shared->parent, limit);
	kill_child(-crew->director, limit); /* who was born, and not yet written down */
	for (int i = 0; i < crew->count; i++)
		kill_child(crew->shared->members[i].pid, limit);
}

void crew_dismiss(struct crew *crew)
{
	if (!crew->shared)
		return;
	close_fd(&crew->gate[1]);
	if (crew->director > 0) {
		director_ends(crew);
		kill_all(crew); /* whom it has not seen the end of, if any */
	}
	if (crew->adopts)
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	for (int i = 0; i < 2; i++) {
		close_fd(&crew->gate[i]);
		close_fd(&crew->alive[i]);
		close_fd(&crew->ask[i]);
		close_fd(&crew->go[i]);
		close_fd(&crew->terminals[i][0]);
		close_fd(&crew->terminals[i][1]);
		close_fd(&crew->cgroups[i]);
		stage_cgroup_remove(crew->cgroup_dirs[i]);
		crew->cgroup_dirs[i][0] = 0;
		free(crew->stack[i]);
		crew->stack[i] = NULL;
	}
	close_fd(&crew->memfd);
	close_fd(&crew->self);
	if (crew->heeds)
		sigaction(SIGCHLD, &crew->before, NULL);
	crew->director = 0;
	crew->adopts = crew->heeds = false;
}

void crew_end(struct crew *crew)
{
	crew_dismiss(crew);
	if (!crew->shared)
		return;
	for (int i = 0; i < crew->count; i++)
		free_arguments(crew, i);
	munmap(crew->shared, sizeof(*crew->shared));
	forget(crew);
}
