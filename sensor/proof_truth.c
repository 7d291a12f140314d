// SPDX-License-Identifier: Apache-2.0
#include "proof_truth.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc.h"
#include "proc_facts.h"
#include "proof_stage.h"
#include "wallclock.h"

enum { STATUS_BYTES = 8192 };

struct member_truth {
	char argv[ARGV_MAX];
	char filename[64];
	struct proc_facts_buffer proc;
};

struct truth {
	const struct crew *crew;
	struct proc_setting setting;
	bool proc_is_own; /* /proc has the crew, by the numbers that fork says */
	int64_t shifted;  /* by this process's time namespace: the crew's clock, but no record's */
	bool memory_v1, any_v1; /* controllers that v1's path would be taken from */
	uint64_t stack; /* where this program's stack began, as its forks' did; 0: not known */
	char own_cgroup[CREW_DIR]; /* of v2, its directory; "" */
	struct member_truth members[CREW_MAX];
};

struct truth *truth_open(const struct crew *crew)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	int fd = truth ? open("/proc/self/stat", O_RDONLY | O_CLOEXEC) : -1;
	struct wallclock clock;
	struct proc_stat stat;

	if (!truth)
		return NULL;
	truth->crew = crew;
	wallclock_open(&clock);
	truth->shifted = clock.shifted_boot;
	proc_setting_read(&truth->setting);
	truth->proc_is_own = proc_is_own();
	truth->memory_v1 = stage_has_controller("memory");
	truth->any_v1 = truth->memory_v1 || stage_has_controller("pids");
	if (!stage_own_cgroup(truth->own_cgroup))
		truth->own_cgroup[0] = 0;
	if (fd >= 0 && !proc_file_stat(fd, &stat))
		truth->stack = stat.stack;
	if (fd >= 0)
		close(fd);
	return truth;
}

void truth_close(struct truth *truth)
{
	free(truth);
}

static void know(struct proof_account *account, unsigned fact)
{
	account->known |= FACT_BIT(fact);
}

static void know_section(struct proof_account *account, enum exec_section section,
			 struct slice text)
{
	if (!text.data)
		return;
	account->text[section] = text;
	know(account, FACT_SECTION + section);
}

static void know_string(struct proof_account *account, unsigned fact, char *member, size_t size,
			const char *string)
{
	size_t n = strnlen(string, size - 1);

	memcpy(member, string, n);
	member[n] = 0;
	know(account, fact);
}

static void know_rival(struct proof_sample *sample, enum proof_rival rival, uint64_t number)
{
	sample->rivals |= 1U << rival;
	sample->rival_number[rival] = number;
}

static void know_rival_text(struct proof_sample *sample, enum proof_rival rival, const char *text)
{
	if (!*text)
		return;
	sample->rivals |= 1U << rival;
	sample->rival_text[rival] = slice_of(text);
}

/* --------------------------------------------------------- what it was made to be */

/* A script's arguments are the interpreter's: itself, the script, and what follows its name. */
static const char *argument(const struct crew *crew, int i, int n)
{
	const struct crew_member *m = &crew->shared->members[i];

	if (!(crew->roles[i].flags & CREW_SCRIPT) || m->attempt != ATTEMPT_FILE)
		return crew->argv[i][n];
	return n == 0 ? m->interpreter : n == 1 ? m->path : crew->argv[i][n - 1];
}

static void know_argv(struct truth *truth, int i, struct proof_account *account)
{
	char *out = truth->members[i].argv;
	const char *string;
	uint64_t bytes = 0;
	int n;

	for (n = 0; (string = argument(truth->crew, i, n)); n++) {
		size_t len = strlen(string) + 1;
		size_t room = bytes < ARGV_MAX ? ARGV_MAX - bytes : 0;

		memcpy(out + ARGV_MAX - room, string, len < room ? len : room);
		bytes += len;
	}
	account->facts.argv_bytes = bytes;
	account->facts.argc = (uint32_t)n;
	know(account, FACT_ARGV);
	know(account, FACT_ARGC);
	know_section(account, SECTION_ARGV,
		     (struct slice){out, bytes < ARGV_MAX ? bytes : ARGV_MAX});
}

/* execveat without a name has one of the kernel's own making. */
static void know_filename(struct truth *truth, int i, struct proof_account *account)
{
	const struct crew_member *m = &truth->crew->shared->members[i];
	char *name = truth->members[i].filename;

	if (m->attempt == ATTEMPT_FILE) {
		know_section(account, SECTION_FILENAME, slice_of(m->path));
		return;
	}
	snprintf(name, sizeof(truth->members[i].filename), "/dev/fd/%d",
		 m->attempt == ATTEMPT_MEMFD ? truth->crew->memfd : truth->crew->self);
	know_section(account, SECTION_FILENAME, slice_of(name));
}

static struct proof_span span(const struct truth *truth, int64_t from, int64_t to)
{
	return (struct proof_span){(uint64_t)(from - truth->shifted),
				   (uint64_t)(to - truth->shifted)};
}

static void know_family(const struct truth *truth, int i, struct proof_sample *sample)
{
	const struct crew *crew = truth->crew;
	const struct crew_shared *shared = crew->shared;
	const struct crew_member *m = &shared->members[i];
	struct proof_account *account = &sample->truth;
	bool directors = crew->roles[i].flags & CREW_DIRECTORS;

	account->head.tgid = (uint32_t)m->pid;
	account->head.ppid = (uint32_t)(directors ? crew->director : shared->parent);
	account->facts.pgid = (uint32_t)getpgid(m->pid);
	account->facts.sid = (uint32_t)getsid(m->pid);
	account->start = span(truth, m->before_ns, m->after_ns);
	account->parent_start =
		directors ? span(truth, crew->director_before_ns, crew->director_after_ns) :
			    span(truth, shared->parent_before_ns, shared->parent_after_ns);
	account->known |= FACT_BIT(PROOF_PID) | FACT_BIT(FACT_PPID) | FACT_BIT(FACT_PGID) |
			  FACT_BIT(FACT_SID) | FACT_BIT(FACT_START) | FACT_BIT(FACT_PARENT_START);
	know_string(account, FACT_PARENT_COMM, account->facts.parent_comm, COMM_BYTES,
		    directors ? crew->director_name : crew->parent_name);
	if (!directors)
		know_rival(sample, RIVAL_PARENT_THREAD, (uint64_t)shared->thread);
	if (m->traced)
		know_rival(sample, RIVAL_TRACER, (uint64_t)crew->director);
}

static void know_files(const struct crew *crew, int i, struct proof_sample *sample)
{
	const struct crew_member *m = &crew->shared->members[i];

	know_rival_text(sample, RIVAL_ROOT, "/");
	if (m->cwd[0])
		know_rival_text(sample, RIVAL_CWD_IN_FS, m->cwd_in_fs);
	if (m->attempt != ATTEMPT_FILE)
		return;
	know_string(&sample->truth, FACT_COMM, sample->truth.facts.comm, COMM_BYTES,
		    crew->names[i]);
	know_rival_text(sample, RIVAL_INTERPRETER, m->interpreter);
	if (m->fs)
		know_string(&sample->truth, FACT_FS, sample->truth.facts.fs, FS_BYTES, m->fs);
	/* Where the name leads to a descriptor, there is no such path. */
	if (!(crew->roles[i].flags & (CREW_MEMFD | CREW_DELETED)))
		know_rival_text(sample, RIVAL_EXE_IN_FS, m->in_fs);
}

/* --------------------------------------------------------------- what /proc says */

static const char *status_value(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? at + strlen(key) : NULL;
}

/* What proc_facts leaves out, since no event needs it. */
static void know_status(int dir, struct proof_sample *sample)
{
	struct proof_account *account = &sample->truth;
	char status[STATUS_BYTES];
	ssize_t n = proc_file_read(dir, "status", status, sizeof(status) - 1);
	const char *value;

	if (n <= 0)
		return;
	status[n] = 0;
	if ((value = status_value(status, "\nUid:"))) {
		account->head.uid = account->facts.ids[ID_UID] = (uint32_t)strtoll(value, NULL, 10);
		know(account, PROOF_UID);
		know(account, FACT_ID + ID_UID);
	}
	if ((value = status_value(status, "\nCapBnd:")))
		know_rival(sample, RIVAL_CAPS_BOUND, strtoull(value, NULL, 16));
	/* Before 4.3 there is no such set to be mistaken for. */
	value = status_value(status, "\nCapAmb:");
	know_rival(sample, RIVAL_CAPS_AMBIENT, value ? strtoull(value, NULL, 16) : 1);
}

/* Unset is a value like any other here. */
static void know_audit(int dir, const char *name, struct proof_account *account, unsigned fact,
		       uint32_t *member)
{
	char text[32];
	ssize_t n = proc_file_read(dir, name, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = 0;
	*member = (uint32_t)strtoull(text, NULL, 10);
	know(account, fact);
}

static bool read_stat(int dir, struct proc_stat *stat)
{
	int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return false;
	err = proc_file_stat(fd, stat);
	close(fd);
	return !err;
}

static void know_stat(int dir, struct proof_account *account)
{
	struct proc_stat stat;

	if (!read_stat(dir, &stat))
		return;
	know_string(account, FACT_COMM, account->facts.comm, COMM_BYTES, stat.comm);
	account->none |= stat.tty ? 0 : FACT_BIT(FACT_TTY);
}

static void know_times(int dir, struct proof_sample *sample)
{
	struct stat st;

	if (!fstatat(dir, "ns/time_for_children", &st, 0))
		know_rival(sample, RIVAL_TIME_FOR_CHILDREN, st.st_ino);
	if (fstatat(dir, "exe", &st, 0))
		return;
	know_rival(sample, RIVAL_ATIME,
		   (uint64_t)st.st_atim.tv_sec * 1000000000 + (uint64_t)st.st_atim.tv_nsec);
	know_rival(sample, RIVAL_CTIME,
		   (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec);
}

/*
 * A cgroup's id is its file handle (since 4.14), which has been its inode number, too, since 5.5.
 */
static uint64_t cgroup_id(const char *dir)
{
	union {
		struct file_handle head;
		unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	uint64_t id = 0;
	int mount_id;

	if (!name_to_handle_at(AT_FDCWD, dir, &handle.head, &mount_id, 0) &&
	    handle.head.handle_bytes == sizeof(id))
		memcpy(&id, handle.head.f_handle, sizeof(id));
	return id;
}

static bool ends_in(struct slice path, const char *dir)
{
	const char *last = strrchr(dir, '/');
	size_t n = last ? strlen(last) : 0;

	return n && path.len >= n && !memcmp(path.data + path.len - n, last, n);
}

static void know_cgroups(const struct truth *truth, const struct proc_facts *proc,
			 struct proof_account *account)
{
	const char *moved = truth->crew->cgroup_dirs[0];
	const char *dir = ends_in(proc->cgroup, moved) ? moved : truth->own_cgroup;

	know_section(account, SECTION_CGROUP, proc->cgroup);
	if (truth->memory_v1)
		know_section(account, SECTION_CGROUP_V1, proc->cgroup_v1);
	else if (!truth->any_v1 && proc->cgroup.data)
		account->none |= FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1);
	if (!proc->cgroup.data || !*dir)
		return;
	account->facts.cgroup_id = cgroup_id(dir);
	if (account->facts.cgroup_id)
		know(account, FACT_CGROUP_ID);
}

/* Those that proc_facts fills just as a record would. The first to be known. */
static void know_facts(const struct proc_facts *proc, struct proof_account *account)
{
	const uint64_t sections = ((1ULL << SECTION_COUNT) - 1) << FACT_SECTION;
	const uint64_t mine = FACT_BIT(FACT_PGID) | FACT_BIT(FACT_SID) | sections;

	account->facts = proc->facts;
	account->known |= proc->facts.present & ~mine;
}

static void read_proc(struct truth *truth, int i, struct proof_sample *sample)
{
	struct proof_account *account = &sample->truth;
	int dir = proc_file_open((uint32_t)truth->crew->shared->members[i].pid);
	struct proc_facts proc;

	if (dir < 0)
		return;
	proc_facts_take(&truth->setting, dir, &truth->members[i].proc, &proc);
	know_facts(&proc, account);
	know_section(account, SECTION_EXE, proc.exe);
	know_section(account, SECTION_CWD, proc.cwd);
	know_cgroups(truth, &proc, account);
	know_status(dir, sample);
	know_audit(dir, "loginuid", account, FACT_LOGIN_UID, &account->facts.login_uid);
	know_audit(dir, "sessionid", account, FACT_AUDIT_SESSION, &account->facts.audit_session);
	know_stat(dir, account);
	know_times(dir, sample);
	close(dir);
}

/* Whoever started it lives: else it has another parent, and may have had when it executed. */
static bool has_its_parent(const struct crew *crew, int i, int dir)
{
	bool directors = crew->roles[i].flags & CREW_DIRECTORS;
	struct proc_stat stat;

	return read_stat(dir, &stat) &&
	       stat.ppid == (uint64_t)(directors ? crew->director : crew->shared->parent);
}

/*
 * It is still what it was when the reading began: its memory, which goes first when a process
 * ends, has its arguments. Where it can't be looked at, nothing was read of it but what its pid says.
 */
static bool is_there(const struct truth *truth, int i)
{
	const struct crew *crew = truth->crew;
	const struct crew_member *m = &crew->shared->members[i];
	const char *name = crew->names[i];
	char text[CREW_PATH];
	ssize_t n = 0;
	int dir;

	if (crew->dead || m->ended || m->attempt == ATTEMPT_COUNT || getpgid(m->pid) < 0 ||
	    getsid(m->pid) < 0)
		return false;
	if (!truth->proc_is_own)
		return true;
	dir = proc_file_open((uint32_t)m->pid);
	if (dir < 0)
		return false;
	if (has_its_parent(crew, i, dir))
		n = proc_file_read(dir, "cmdline", text, sizeof(text));
	close(dir);
	return n > 0 && memmem(text, (size_t)n, name, strlen(name));
}

bool truth_read(struct truth *truth, int i, struct proof_sample *sample)
{
	struct proof_account *account = &sample->truth;

	if (truth->proc_is_own)
		read_proc(truth, i, sample);
	know_argv(truth, i, account);
	know_filename(truth, i, account);
	know_family(truth, i, sample);
	know_files(truth->crew, i, sample);
	if (truth->stack) {
		account->facts.parent_stack = truth->stack;
		know(account, FACT_PARENT_STACK);
	}
	return is_there(truth, i);
}
