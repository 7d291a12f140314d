// SPDX-License-Identifier: Apache-2.0
#include "feature.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <linux/version.h>

enum {
	LOG_BYTES = 8192, /* a refused trial's log is under 2 KiB on 4.4, the wordiest */
	BLOCK_BYTES = 65536,
	CODE_MAX = 24,	    /* instructions of a program in the table */
	LARGE_CODE = 4097,  /* one more than fits below 5.2 */
	CPUS_MAX = 1 << 16, /* no kernel is built for more */
};

/* A line of the table: how a feature is tried. */
struct row {
	const char *name;
	/* Fills all of f but asked, which says no, unknown, 0, "" before. */
	void (*trial)(struct features *features, const struct row *row, struct feature *f);
	enum feature_id needs; /* without this one there is no trial; FEATURE_COUNT: none */
	bool locked;	       /* lockdown=confidentiality refuses or hides it */
	enum bpf_map_type map; /* to be made first, or 0 */
	__u32 key_bytes, value_bytes;
	enum bpf_prog_type program;
	const struct bpf_insn *code;
	__u32 length;
	/* Words of the verifier that mean no; its other refusals would be our own mistakes. */
	const char *const *refusals;
};

/* -------------------------------------------------------------------- answers */

/*
 * The kernel knows what was asked for and says that it can't: not that we may not, that
 * something has run out, or that something between us and the kernel forbids it.
 */
static bool certain(int error)
{
	switch (error) {
	case EINVAL:
	case ENOENT:
	case ENOTDIR:
	case EEXIST:
	case E2BIG:
	case EROFS: return true;
	}
	return false;
}

static void settle(struct feature *f, int error)
{
	f->error = error;
	f->answer = !error ? FEATURE_YES : certain(error) ? FEATURE_NO : FEATURE_UNKNOWN;
}

static void detail(struct feature *f, const char *text)
{
	snprintf(f->detail, sizeof(f->detail), "%s", text);
}

static void settle_locked(struct feature *f)
{
	settle(f, EPERM);
	detail(f, "lockdown");
}

/* What needs a feature that is not there has its answer; true if it is there. */
static bool inherit(struct features *features, enum feature_id needs, struct feature *f)
{
	const struct feature *need = feature_get(features, needs);
	bool locked = !strcmp(need->detail, "lockdown");

	if (need->answer == FEATURE_YES)
		return true;
	f->answer = need->answer;
	f->error = need->error;
	snprintf(f->detail, sizeof(f->detail), "needs %s%s", feature_name(needs),
		 locked ? ": lockdown" : "");
	return false;
}

/* ---------------------------------------------------------------------- files */

/* A small file as a string: its length, or a negative errno. */
static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int error;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	error = errno;
	close(fd);
	if (n < 0)
		return -error;
	text[n] = 0;
	return strlen(text) == (size_t)n ? (int)n : -EINVAL;
}

/* A file that is one decimal number and a newline: 0 or a positive errno. */
static int read_number(const char *path, int *number)
{
	char text[32], *end;
	int n = read_text(path, text, sizeof(text));
	long value;

	if (n < 0)
		return -n;
	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || (*end && strcmp(end, "\n")) || errno || value != (int)value)
		return EINVAL;
	*number = (int)value;
	return 0;
}

/*
 * The file reads "none [integrity] confidentiality": the mode in force is in brackets.
 * "" if it can't be told, which is a kernel without lockdown or without securityfs.
 */
static void lockdown_read(char *mode, size_t size)
{
	char text[128] = "", *open, *close;

	mode[0] = 0;
	if (read_text("/sys/kernel/security/lockdown", text, sizeof(text)) < 0)
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return;
	*close = 0;
	snprintf(mode, size, "%s", open + 1);
}

static bool locked_down(void)
{
	char mode[32];

	lockdown_read(mode, sizeof(mode));
	return !strcmp(mode, "confidentiality");
}

/* ---------------------------------------------------------- the kernel's version */

/* In an ELF note segment, what stands in the note "Linux" of type 0; else 0. */
static uint32_t note_version(const char *note, size_t size)
{
	ElfW(Nhdr) head;
	uint32_t version;

	while (size >= sizeof(head)) {
		size_t name_bytes, bytes;

		memcpy(&head, note, sizeof(head));
		name_bytes = (head.n_namesz + 3ul) & ~3ul;
		bytes = sizeof(head) + name_bytes + ((head.n_descsz + 3ul) & ~3ul);
		if (bytes > size)
			break;
		if (!head.n_type && head.n_namesz == sizeof("Linux") &&
		    head.n_descsz == sizeof(version) && !memcmp(note + sizeof(head), "Linux", 6)) {
			memcpy(&version, note + sizeof(head) + name_bytes, sizeof(version));
			return version;
		}
		note += bytes;
		size -= bytes;
	}
	return 0;
}

/* What the vDSO says, which is built with the kernel; 0 if there is none ("vdso=0"). */
static uint32_t vdso_version(void)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	uint32_t version = 0;
	ElfW(Ehdr) head;
	ElfW(Phdr) segment;

	if (!vdso || memcmp(vdso, ELFMAG, SELFMAG))
		return 0;
	memcpy(&head, vdso, sizeof(head));
	for (int i = 0; i < head.e_phnum && !version; i++) {
		memcpy(&segment, vdso + head.e_phoff + i * head.e_phentsize, sizeof(segment));
		if (segment.p_type == PT_NOTE)
			version = note_version(vdso + segment.p_offset, segment.p_filesz);
	}
	return version;
}

static uint32_t uname_version(void)
{
	unsigned major = 0, minor = 0, patch = 0;
	struct utsname uts;

	if (uname(&uts) || sscanf(uts.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return KERNEL_VERSION(1, 0, 0);
	return KERNEL_VERSION(major, minor, patch > 255 ? 255 : patch);
}

uint32_t feature_kernel_version(void)
{
	uint32_t version = vdso_version();

	return version ? version : uname_version();
}

/* --------------------------------------------------------------------- bpf(2) */

static int bpf_call(enum bpf_cmd command, union bpf_attr *attr)
{
	long fd;
	int tries = 0;

	do /* the verifier gives up with EAGAIN when a signal is pending */
		fd = syscall(__NR_bpf, command, attr, sizeof(*attr));
	while (fd < 0 && errno == EAGAIN && ++tries < 5);
	return fd < 0 ? -errno : (int)fd;
}

static bool memlock_raise(struct rlimit *was)
{
	struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};

	if (getrlimit(RLIMIT_MEMLOCK, was) || was->rlim_cur == RLIM_INFINITY)
		return false;
	if (!setrlimit(RLIMIT_MEMLOCK, &most))
		return true;
	most.rlim_cur = most.rlim_max = was->rlim_max;
	return was->rlim_cur < was->rlim_max && !setrlimit(RLIMIT_MEMLOCK, &most);
}

/*
 * Makes something: a descriptor or a negative errno. Below 5.11 EPERM may mean the limit
 * on locked memory, which what others closed counts against for a while. It is raised
 * for this call only: libbpf would do so for good, behind the back of feature_limits_read.
 */
static int bpf_make(enum bpf_cmd command, union bpf_attr *attr)
{
	int fd = bpf_call(command, attr);
	struct rlimit was;

	if (fd != -EPERM || !memlock_raise(&was))
		return fd;
	fd = bpf_call(command, attr);
	(void)setrlimit(RLIMIT_MEMLOCK, &was);
	return fd;
}

static int map_make(const struct row *row)
{
	bool ring = row->map == BPF_MAP_TYPE_RINGBUF;
	union bpf_attr attr = {
		.map_type = row->map,
		.key_size = row->key_bytes,
		.value_size = row->value_bytes,
		.max_entries = ring ? (__u32)sysconf(_SC_PAGESIZE) : 1,
	};

	return bpf_make(BPF_MAP_CREATE, &attr);
}

/* log, of LOG_BYTES, gets the verifier's words if it refuses, else "". */
static int program_load(enum bpf_prog_type type, const struct bpf_insn *code, size_t length,
			char *log)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)code,
		.insn_cnt = (__u32)length,
		.license = (uintptr_t) "GPL", /* most helpers are for such programs only */
		.kern_version = feature_kernel_version(),
	};
	int fd = bpf_make(BPF_PROG_LOAD, &attr), again;

	log[0] = 0;
	if (fd >= 0 || fd == -EPERM)
		return fd;
	/* Not at once: a log too small for its text makes a good program fail. */
	attr.log_buf = (uintptr_t)log;
	attr.log_size = LOG_BYTES;
	attr.log_level = 1;
	again = bpf_make(BPF_PROG_LOAD, &attr);
	return again >= 0 ? again : fd;
}

/* The verifier's last word is in the last line that is not a sum. */
static void detail_of_log(struct feature *f, char *log)
{
	char *line, *save = NULL;

	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "processed ", 10))
			detail(f, line);
}

static bool says_any(const char *log, const char *const *words)
{
	for (; words && *words; words++)
		if (strstr(log, *words))
			return true;
	return false;
}

static void settle_refused(struct feature *f, const struct row *row, int error, char *log)
{
	settle(f, error);
	if (log[0])
		f->answer = says_any(log, row->refusals) ? FEATURE_NO : FEATURE_UNKNOWN;
	detail_of_log(f, log); /* which takes it to pieces */
}

/* --------------------------------------------------------- trials by bpf(2) alone */

/* There is no map type 0: EINVAL is what a kernel with bpf(2) must say. */
static void trial_syscall(struct features *features, const struct row *row, struct feature *f)
{
	union bpf_attr attr = {0};
	int error = -bpf_call(BPF_MAP_CREATE, &attr);

	(void)features;
	(void)row;
	settle(f, error == EINVAL ? 0 : error);
	if (error == ENOSYS)
		f->answer = FEATURE_NO;
}

static void trial_map(struct features *features, const struct row *row, struct feature *f)
{
	int fd = map_make(row);

	(void)features;
	settle(f, fd < 0 ? -fd : 0);
	if (fd >= 0)
		close(fd);
}

static void try_code(const struct row *row, const struct bpf_insn *code, struct feature *f)
{
	char log[LOG_BYTES];
	int fd = program_load(row->program, code, row->length, log);

	if (fd < 0) {
		settle_refused(f, row, -fd, log);
		return;
	}
	settle(f, 0);
	close(fd);
}

static void trial_program(struct features *features, const struct row *row, struct feature *f)
{
	struct bpf_insn code[CODE_MAX] = {0};
	int map = row->map ? map_make(row) : -1;

	(void)features;
	if (row->map && map < 0) {
		settle(f, -map);
		return;
	}
	memcpy(code, row->code, row->length * sizeof(*code));
	for (__u32 i = 0; i < row->length; i++)
		if (code[i].src_reg == BPF_PSEUDO_MAP_FD &&
		    code[i].code == (BPF_LD | BPF_DW | BPF_IMM))
			code[i].imm = map;
	try_code(row, code, f);
	if (row->map)
		close(map);
}

/* Below 5.0 EINVAL may also mean that the version stated is not the kernel's. */
static void trial_prog_kprobe(struct features *features, const struct row *row, struct feature *f)
{
	trial_program(features, row, f);
	if (f->answer != FEATURE_NO || vdso_version() || uname_version() >= KERNEL_VERSION(5, 0, 0))
		return;
	f->answer = FEATURE_UNKNOWN;
	detail(f, "the kernel's version code is not known");
}

/* ------------------------------------------------------------------- programs */

/* The instructions in use, all of them ISA v1. */
#define OP(op, to, from, at, value)                                                                \
	{                                                                                          \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (at), .imm = (value)      \
	}
#define MOV(reg, value) OP(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define COPY(to, from) OP(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define ADD(reg, value) OP(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, value)
#define ZERO_STACK(at) OP(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, at, 0)
/* By so many instructions, counted from the next. */
#define JUMP_IF(reg, value, by) OP(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, by, value)
#define JUMP_UNLESS(reg, value, by) OP(BPF_JMP | BPF_JNE | BPF_K, reg, 0, by, value)
#define LOAD(to, from, at) OP(BPF_LDX | BPF_MEM | BPF_DW, to, from, at, 0)
#define STORE(to, at, from) OP(BPF_STX | BPF_MEM | BPF_DW, to, from, at, 0)
#define CALL(helper) OP(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT() OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two instructions; trial_program fills in the map. */
#define MAP(reg) OP(BPF_LD | BPF_DW | BPF_IMM, reg, BPF_PSEUDO_MAP_FD, 0, 0), OP(0, 0, 0, 0, 0)

/*
 * What is attached for a moment. It returns 1: with 0 perf's users of the same tracepoint
 * or kprobe would lose the events of that moment.
 */
static const struct bpf_insn trivial[] = {MOV(BPF_REG_0, 1), EXIT()};

static const struct bpf_insn call_task[] = {CALL(BPF_FUNC_get_current_task), EXIT()};
static const struct bpf_insn call_cgroup_id[] = {CALL(BPF_FUNC_get_current_cgroup_id), EXIT()};
static const struct bpf_insn call_boot_ns[] = {CALL(BPF_FUNC_ktime_get_boot_ns), EXIT()};

/* A reading helper with 8 bytes of the stack, initialised (below 4.8 it must be), from address 0. */
#define READ(helper)                                                                               \
	ZERO_STACK(-8), COPY(BPF_REG_1, BPF_REG_10), ADD(BPF_REG_1, -8), MOV(BPF_REG_2, 8),        \
		MOV(BPF_REG_3, 0), CALL(helper)

static const struct bpf_insn call_read_str[] = {READ(BPF_FUNC_probe_read_str), EXIT()};
static const struct bpf_insn call_read_kernel[] = {READ(BPF_FUNC_probe_read_kernel),
						   READ(BPF_FUNC_probe_read_user), EXIT()};

/* The context is in r1 already. */
static const struct bpf_insn call_perf_output[] = {
	ZERO_STACK(-8),
	MAP(BPF_REG_2),
	MOV(BPF_REG_3, 0),
	COPY(BPF_REG_4, BPF_REG_10),
	ADD(BPF_REG_4, -8),
	MOV(BPF_REG_5, 8),
	CALL(BPF_FUNC_perf_event_output),
	EXIT(),
};

static const struct bpf_insn read_to_map[] = {
	ZERO_STACK(-8),
	MAP(BPF_REG_1),
	COPY(BPF_REG_2, BPF_REG_10),
	ADD(BPF_REG_2, -8),
	CALL(BPF_FUNC_map_lookup_elem),
	JUMP_IF(BPF_REG_0, 0, 4),
	COPY(BPF_REG_1, BPF_REG_0),
	MOV(BPF_REG_2, 8),
	MOV(BPF_REG_3, 0),
	CALL(BPF_FUNC_probe_read),
	MOV(BPF_REG_0, 1),
	EXIT(),
};

static const struct bpf_insn loop[] = {
	MOV(BPF_REG_1, 0),
	ADD(BPF_REG_1, 1),
	JUMP_UNLESS(BPF_REG_1, 4, -2),
	MOV(BPF_REG_0, 1),
	EXIT(),
};

static void trial_large(struct features *features, const struct row *row, struct feature *f)
{
	struct bpf_insn code[LARGE_CODE];

	(void)features;
	for (int i = 0; i < LARGE_CODE - 1; i++)
		code[i] = trivial[0];
	code[LARGE_CODE - 1] = trivial[1];
	try_code(row, code, f);
}

/* ----------------------------------------------------------- trials by files */

static void trial_btf(struct features *features, const struct row *row, struct feature *f)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	uint16_t magic = 0;

	(void)features;
	(void)row;
	if (fd < 0) {
		settle(f, errno);
		return;
	}
	if (read(fd, &magic, sizeof(magic)) < 0)
		settle(f, errno);
	else
		settle(f, magic == 0xeb9f ? 0 : EINVAL);
	if (f->answer == FEATURE_NO)
		detail(f, "not BTF");
	close(fd);
}

/* The tracepoint's number, from the tracefs that was found: 0 or a positive errno. */
static int tracepoint_id(const char *tracefs, int *id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events/sched/sched_process_exec/id", tracefs);
	return read_number(path, id);
}

/* 0 or a positive errno. A tracefs without the event is kept, too: it may have kprobe_events. */
static int tracefs_try(struct features *features, const char *path)
{
	struct statfs fs;
	int id, error;

	if (strlen(path) >= sizeof(features->tracefs))
		return ENAMETOOLONG;
	if (statfs(path, &fs))
		return errno;
	if (fs.f_type != TRACEFS_MAGIC)
		return ENOENT;
	error = tracepoint_id(path, &id);
	if (!error || !features->tracefs[0])
		strcpy(features->tracefs, path);
	return error;
}

/* Of two errnos the one that says more than that nothing is there; 0, success, wins. */
static int better(int error, int other)
{
	return !other || error == ENOENT ? other : error;
}

static int tracefs_try_mounts(struct features *features, int error)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char text[4096];
	struct mntent entry;

	if (!mounts)
		return better(error, errno);
	while (error && getmntent_r(mounts, &entry, text, sizeof(text)))
		if (!strcmp(entry.mnt_type, "tracefs"))
			error = better(error, tracefs_try(features, entry.mnt_dir));
	endmntent(mounts);
	return error;
}

/*
 * The other usual place last: where only debugfs is mounted, looking there makes it mount a
 * tracefs, and since 6.17 log that this is deprecated. Nobody needs it there any more.
 */
static void trial_tracefs(struct features *features, const struct row *row, struct feature *f)
{
	int error = tracefs_try(features, "/sys/kernel/tracing");

	(void)row;
	if (error)
		error = tracefs_try_mounts(features, error);
	if (error && feature_kernel_version() < KERNEL_VERSION(6, 17, 0))
		error = better(error, tracefs_try(features, "/sys/kernel/debug/tracing"));
	settle(f, error);
	detail(f, features->tracefs);
}

static int kprobe_pmu(int *type)
{
	return read_number("/sys/bus/event_source/devices/kprobe/type", type);
}

static void trial_kprobe_pmu(struct features *features, const struct row *row, struct feature *f)
{
	int type = 0;

	(void)features;
	(void)row;
	settle(f, kprobe_pmu(&type));
	if (f->answer == FEATURE_YES)
		snprintf(f->detail, sizeof(f->detail), "%d", type);
}

/* O_APPEND: opened with O_TRUNC it would remove everybody's kprobes. */
static void trial_kprobe_tracefs(struct features *features, const struct row *row,
				 struct feature *f)
{
	char path[128];
	int fd;

	(void)row;
	if (!inherit(features, FEATURE_TRACEFS, f) && !features->tracefs[0])
		return;
	snprintf(path, sizeof(path), "%s/kprobe_events", features->tracefs);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	settle(f, fd < 0 ? errno : 0);
	detail(f, path);
	if (fd >= 0)
		close(fd);
}

/* -------------------------------------------------------------------- symbols */

static const char post_exec[] = "proc_exec_connector";

/*
 * The same function by the names that it has had, best first. Below 4.17 two of them are
 * aliases, and a probe at both would see everything twice: one of a row is taken.
 */
static const char *const execve_names[4][5] = {
	{"__x64_sys_execve", "__arm64_sys_execve", "__se_sys_execve", "sys_execve", "SyS_execve"},
	{"__x64_sys_execveat", "__arm64_sys_execveat", "__se_sys_execveat", "sys_execveat",
	 "SyS_execveat"},
	{"__ia32_compat_sys_execve", "__arm64_compat_sys_execve", "__se_compat_sys_execve",
	 "compat_sys_execve", "compat_SyS_execve"},
	{"__ia32_compat_sys_execveat", "__arm64_compat_sys_execveat", "__se_compat_sys_execveat",
	 "compat_sys_execveat", "compat_SyS_execveat"},
};
enum { NAMES = sizeof(execve_names[0]) / sizeof(execve_names[0][0]) };

struct symbols {
	bool post_exec;
	int best[4]; /* of execve_names; NAMES: none */
	bool all;    /* the next three are asked for: to the end */
	bool srcu, srcu_until_6_12, data;
	bool done; /* what follows can't change the answer */
};

static bool is(const char *name, size_t length, const char *want)
{
	return strlen(want) == length && !memcmp(name, want, length);
}

static bool ends(const char *name, size_t length, const char *want)
{
	size_t n = strlen(want);

	return length >= n && !memcmp(name + length - n, want, n);
}

/* All found, execve's by the names that only the newest kernels have: x86's or arm64's. */
static bool symbols_complete(const struct symbols *symbols)
{
	for (int slot = 0; slot < 4; slot++)
		if (symbols->best[slot] > 1)
			return false;
	return symbols->post_exec;
}

/*
 * "ffffffff81234560 T name"; the address may be all 0. "\t[module]" stands behind those of
 * modules, which all come behind the kernel's own.
 */
static void symbol_line(struct symbols *symbols, const char *line, size_t length)
{
	const char *name = memchr(line, ' ', length);

	if (length && line[length - 1] == ']')
		symbols->done = true;
	if (symbols->done || !name || name + 3 > line + length || name[2] != ' ')
		return;
	length -= (size_t)(name + 3 - line);
	symbols->srcu |= is(name + 3, length, "tracepoint_srcu");
	symbols->data |= is(name + 3, length, "tracepoints_mutex");
	if (name[1] != 'T' && name[1] != 't')
		return;
	name += 3;
	symbols->srcu_until_6_12 |= is(name, length, "srcu_free_old_probes");
	if (is(name, length, post_exec))
		symbols->post_exec = true;
	else if (!ends(name, length, "execve") && !ends(name, length, "execveat"))
		return;
	for (int slot = 0; slot < 4; slot++)
		for (int i = 0; i < symbols->best[slot]; i++)
			if (is(name, length, execve_names[slot][i]))
				symbols->best[slot] = i;
	symbols->done = !symbols->all && symbols_complete(symbols);
}

/* Takes the whole lines off the block; returns how many bytes of a last one are left over. */
static size_t symbol_lines(struct symbols *symbols, const char *block, size_t length)
{
	const char *end;

	while ((end = memchr(block, '\n', length))) {
		symbol_line(symbols, block, (size_t)(end - block));
		length -= (size_t)(end + 1 - block);
		block = end + 1;
	}
	return length;
}

/* The kernel hands out a page at a time, some 2,000 of them: no stdio. 0 or a positive errno. */
static int symbols_read(struct symbols *symbols)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC), error;
	char block[BLOCK_BYTES];
	size_t held = 0;
	ssize_t n = 0;

	if (fd < 0)
		return errno;
	/* A line that fills the block is none of ours: reading 0 bytes ends it. */
	while (!symbols->done && (n = read(fd, block + held, sizeof(block) - held)) > 0) {
		size_t length = held + (size_t)n;

		held = symbol_lines(symbols, block, length);
		memmove(block, block + length - held, held);
	}
	error = n < 0 ? errno : !symbols->done && held == sizeof(block) ? EOVERFLOW : 0;
	close(fd);
	return error;
}

/* Into the list of those that exist. */
static void symbols_keep(struct features *features, const struct symbols *symbols,
			 struct feature *execve)
{
	size_t count = 0, used = 0;

	for (int slot = 0; slot < 4; slot++) {
		const char *name;

		if (symbols->best[slot] == NAMES)
			continue;
		name = execve_names[slot][symbols->best[slot]];
		snprintf(features->execve_symbols[count], sizeof(features->execve_symbols[count]),
			 "%s", name);
		if (used < sizeof(execve->detail))
			used += (size_t)snprintf(execve->detail + used,
						 sizeof(execve->detail) - used, "%s%s",
						 count ? " " : "", name);
		count++;
	}
}

/* Both symbol features at once. */
static void trial_symbols(struct features *features, const struct row *row, struct feature *f)
{
	struct feature *post = &features->of[FEATURE_SYMBOL_POST_EXEC];
	struct feature *execve = &features->of[FEATURE_SYMBOL_EXECVE];
	struct symbols symbols = {.best = {NAMES, NAMES, NAMES, NAMES}};
	int error;

	(void)row;
	if (!inherit(features, FEATURE_KPROBE_PMU, f) &&
	    !inherit(features, FEATURE_KPROBE_TRACEFS, f)) {
		f->answer = FEATURE_UNKNOWN;
		detail(f, "not looked for: no kprobes");
		return;
	}
	*f = (struct feature){.asked = true};
	post->asked = execve->asked = true;
	error = symbols_read(&symbols);
	if (error) {
		post->error = execve->error = error;
		return;
	}
	settle(post, symbols.post_exec ? 0 : ENOENT);
	settle(execve, symbols.best[0] < NAMES ? 0 : ENOENT);
	symbols_keep(features, &symbols, execve);
}

/* ------------------------------------------------------------------ attaching */

static int trivial_load(enum bpf_prog_type type)
{
	char log[LOG_BYTES];

	return program_load(type, trivial, 2, log);
}

/* Of all processes, on one CPU that is online: the one this runs on. CPU 0 may not be. */
static int perf_open(struct perf_event_attr *attr)
{
	long fd;
	int tries = 0, cpu;

	do { /* it may have been moved, and that CPU gone, in between */
		cpu = sched_getcpu();
		fd = syscall(__NR_perf_event_open, attr, -1, cpu < 0 ? 0 : cpu, -1,
			     PERF_FLAG_FD_CLOEXEC);
	} while (fd < 0 && errno == ENODEV && ++tries < 10);
	return fd < 0 ? -errno : (int)fd;
}

/* Attaches by a perf event and lets go: 0 or a positive errno. */
static int perf_attach(struct perf_event_attr *attr, enum bpf_prog_type type)
{
	int program = trivial_load(type), event, error;

	if (program < 0)
		return -program;
	attr->size = sizeof(*attr);
	attr->disabled = 1;
	event = perf_open(attr);
	error = event < 0 ? -event : ioctl(event, PERF_EVENT_IOC_SET_BPF, program) ? errno : 0;
	if (event >= 0)
		close(event);
	close(program);
	return error;
}

static void trial_attach_raw_tp(struct features *features, const struct row *row, struct feature *f)
{
	int program = trivial_load(row->program), link;
	union bpf_attr attr = {.raw_tracepoint.name = (uintptr_t) "sched_process_exec"};

	(void)features;
	if (program < 0) {
		settle(f, -program);
		return;
	}
	attr.raw_tracepoint.prog_fd = (__u32)program;
	link = bpf_call(BPF_RAW_TRACEPOINT_OPEN, &attr);
	settle(f, link < 0 ? -link : 0);
	if (link >= 0)
		close(link);
	close(program);
}

/* *(u64 *)map = 1 + the current task's migration_disabled; trial_preempted fills in the map and the offset. */
static const struct bpf_insn read_migration[] = {
	CALL(BPF_FUNC_get_current_task),
	COPY(BPF_REG_3, BPF_REG_0),
	ADD(BPF_REG_3, 0),
	ZERO_STACK(-8),
	COPY(BPF_REG_1, BPF_REG_10),
	ADD(BPF_REG_1, -8),
	MOV(BPF_REG_2, 2),
	CALL(BPF_FUNC_probe_read),
	LOAD(BPF_REG_6, BPF_REG_10, -8),
	ADD(BPF_REG_6, 1),
	ZERO_STACK(-8),
	MAP(BPF_REG_1),
	COPY(BPF_REG_2, BPF_REG_10),
	ADD(BPF_REG_2, -8),
	CALL(BPF_FUNC_map_lookup_elem),
	JUMP_IF(BPF_REG_0, 0, 1),
	STORE(BPF_REG_0, 0, BPF_REG_6),
	MOV(BPF_REG_0, 0),
	EXIT(),
};
enum { READ_MIGRATION_OFFSET = 2, READ_MIGRATION_MAP = 11 };

/* Gives this thread the name it has, which is a tracepoint. What the program said, or a negative errno. */
static int64_t read_at_rename(int program, int map)
{
	union bpf_attr open = {
		.raw_tracepoint = {.name = (uintptr_t) "task_rename", .prog_fd = (__u32)program}};
	uint64_t value = 0;
	uint32_t key = 0;
	union bpf_attr lookup = {
		.map_fd = (__u32)map, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
	char name[16];
	int link = bpf_call(BPF_RAW_TRACEPOINT_OPEN, &open), err;

	if (link < 0)
		return link;
	if (!prctl(PR_GET_NAME, name))
		(void)prctl(PR_SET_NAME, name);
	close(link);
	err = bpf_call(BPF_MAP_LOOKUP_ELEM, &lookup);
	return err < 0 ? err : value ? (int64_t)value - 1 : -ENODATA;
}

/*
 * Tracepoints are called under SRCU if there is one for them. From 4.20 to 6.12 it was for
 * those of idle CPUs only, and had a function of its own (kernel/tracepoint.c); other kernels
 * have none. Without KALLSYMS_ALL, which shows data, nothing is known of the newer ones.
 */
static enum feature_answer preempted_by_symbols(int *error)
{
	struct symbols symbols = {.best = {NAMES, NAMES, NAMES, NAMES}, .all = true};

	*error = symbols_read(&symbols);
	if (*error)
		return FEATURE_UNKNOWN;
	if (symbols.srcu_until_6_12)
		return FEATURE_NO;
	if (symbols.srcu)
		return FEATURE_YES;
	return symbols.data ? FEATURE_NO : FEATURE_UNKNOWN;
}

/* What this task's migration_disabled is in a raw tracepoint's program, or a negative errno. */
static int64_t migration_disabled(const struct features *features, const struct row *row)
{
	struct bpf_insn code[sizeof(read_migration) / sizeof(*read_migration)];
	int map, program = -1;
	char log[LOG_BYTES];
	int64_t said;

	if (!features->migration_disabled_at)
		return -ENOENT;
	if (locked_down())
		return -EPERM;
	map = map_make(row);
	if (map >= 0) {
		memcpy(code, read_migration, sizeof(code));
		code[READ_MIGRATION_OFFSET].imm = features->migration_disabled_at;
		code[READ_MIGRATION_MAP].imm = map;
		program = program_load(row->program, code, row->length, log);
	}
	said = map < 0 ? map : program < 0 ? program : read_at_rename(program, map);
	if (program >= 0)
		close(program);
	if (map >= 0)
		close(map);
	return said;
}

/*
 * A program that is kept on its CPU by migrate_disable() (include/linux/rcupdate.h,
 * rcu_read_lock_dont_migrate) is one that can be preempted: with preemption off there is no
 * need. What holds it there may also be a lock that sleeps (PREEMPT_RT; task_rename is called
 * under one up to 6.13), and where it can't be read, nothing is known: then the symbols have to tell.
 */
static void trial_preempted(struct features *features, const struct row *row, struct feature *f)
{
	int64_t said = migration_disabled(features, row);

	if (!said) {
		f->answer = FEATURE_NO;
		return;
	}
	f->answer = preempted_by_symbols(&f->error);
	if (said < 0)
		detail(f, "by the symbols only");
	else if (f->answer == FEATURE_UNKNOWN)
		*f = (struct feature){.asked = true, .answer = FEATURE_YES};
}

static void trial_attach_tp(struct features *features, const struct row *row, struct feature *f)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	int id, error;

	if (!inherit(features, FEATURE_TRACEFS, f))
		return;
	error = tracepoint_id(features->tracefs, &id);
	if (!error) {
		attr.config = (__u64)id;
		error = perf_attach(&attr, row->program);
	}
	settle(f, error);
	if (error == EEXIST) /* below 4.15 */
		detail(f, "another program holds the tracepoint");
	if (error == E2BIG) /* since then */
		detail(f, "too many programs hold the tracepoint");
}

/* Where there is no PMU for kprobes. */
static void no_kprobe_pmu(struct features *features, struct feature *f)
{
	if (feature_get(features, FEATURE_KPROBE_TRACEFS)->answer == FEATURE_YES)
		detail(f, "tracefs only; tried at start");
	else if (feature_get(features, FEATURE_KPROBE_PMU)->answer == FEATURE_UNKNOWN)
		(void)inherit(features, FEATURE_KPROBE_PMU, f);
	else
		(void)inherit(features, FEATURE_KPROBE_TRACEFS, f);
}

/* Only on a symbol that exists: some kernels log an attempt at another. */
static void trial_attach_kprobe(struct features *features, const struct row *row, struct feature *f)
{
	struct perf_event_attr attr = {0};
	const char *symbol = post_exec;
	int type;

	if (kprobe_pmu(&type)) {
		no_kprobe_pmu(features, f);
		return;
	}
	if (feature_get(features, FEATURE_SYMBOL_POST_EXEC)->answer != FEATURE_YES) {
		if (!inherit(features, FEATURE_SYMBOL_EXECVE, f))
			return;
		symbol = features->execve_symbols[0];
	}
	attr.type = (__u32)type;
	attr.config1 = (uintptr_t)symbol;
	settle(f, perf_attach(&attr, row->program));
	detail(f, symbol);
}

/* ------------------------------------------------------------------- the table */

/* 4.4 says the number, 4.10 the name as well, 6.13 "program of this type cannot use helper". */
static const char *const no_helper[] = {"invalid func", "unknown func", "cannot use helper", NULL};
/*
 * For readers only the first means no. A kernel that knows one and keeps it from a kprobe
 * is locked down, which can't be told otherwise where securityfs is not mounted.
 */
static const char *const no_reader[] = {"invalid func", NULL};
static const char *const no_map_memory[] = {"type=map_value", NULL};
static const char *const no_loop[] = {"back-edge", NULL};

#define PROGRAM(type, instructions)                                                                \
	.program = BPF_PROG_TYPE_##type, .code = (instructions),                                   \
	.length = sizeof(instructions) / sizeof((instructions)[0])
#define MAP_OF(type, key, value)                                                                   \
	.map = BPF_MAP_TYPE_##type, .key_bytes = (key), .value_bytes = (value)
#define MAP_TYPE(type, key, value) trial_map, .needs = FEATURE_BPF_SYSCALL, MAP_OF(type, key, value)
#define PROGRAM_TYPE(type, trial_of_it)                                                            \
	trial_of_it, .needs = FEATURE_BPF_SYSCALL, PROGRAM(type, trivial)
#define VERIFIER(instructions, words)                                                              \
	trial_program, .needs = FEATURE_PROG_KPROBE, PROGRAM(KPROBE, instructions),                \
		       .refusals = (words)
#define SYSTEM(trial_of_it) trial_of_it, .needs = FEATURE_COUNT
#define OF_TYPE(type, trial_of_it)                                                                 \
	trial_of_it, .needs = FEATURE_PROG_##type, .program = BPF_PROG_TYPE_##type

static const struct row table[FEATURE_COUNT] = {
	[FEATURE_BPF_SYSCALL] = {"bpf_syscall", SYSTEM(trial_syscall)},
	[FEATURE_MAP_ARRAY] = {"map_array", MAP_TYPE(ARRAY, 4, 8)},
	[FEATURE_MAP_PROG_ARRAY] = {"map_prog_array", MAP_TYPE(PROG_ARRAY, 4, 4)},
	[FEATURE_MAP_PERF_EVENT_ARRAY] = {"map_perf_event_array", MAP_TYPE(PERF_EVENT_ARRAY, 4, 4)},
	[FEATURE_MAP_RINGBUF] = {"map_ringbuf", MAP_TYPE(RINGBUF, 0, 0)},
	[FEATURE_PROG_KPROBE] = {"prog_kprobe", PROGRAM_TYPE(KPROBE, trial_prog_kprobe)},
	[FEATURE_PROG_TRACEPOINT] = {"prog_tracepoint", PROGRAM_TYPE(TRACEPOINT, trial_program)},
	[FEATURE_PROG_RAW_TRACEPOINT] = {"prog_raw_tracepoint",
					 PROGRAM_TYPE(RAW_TRACEPOINT, trial_program)},
	[FEATURE_HELPER_TASK] = {"helper_task", VERIFIER(call_task, no_helper)},
	[FEATURE_HELPER_CGROUP_ID] = {"helper_cgroup_id", VERIFIER(call_cgroup_id, no_helper)},
	[FEATURE_HELPER_BOOT_NS] = {"helper_boot_ns", VERIFIER(call_boot_ns, no_helper)},
	[FEATURE_HELPER_READ_STR] = {"helper_read_str", VERIFIER(call_read_str, no_reader),
				     .locked = true},
	[FEATURE_HELPER_READ_KERNEL] = {"helper_read_kernel", VERIFIER(call_read_kernel, no_reader),
					.locked = true},
	[FEATURE_HELPER_PERF_OUTPUT] = {"helper_perf_output", VERIFIER(call_perf_output, no_helper),
					MAP_OF(PERF_EVENT_ARRAY, 4, 4)},
	[FEATURE_MAP_MEMORY] = {"map_memory", VERIFIER(read_to_map, no_map_memory),
				MAP_OF(ARRAY, 4, 8), .locked = true},
	[FEATURE_LARGE_PROGRAM] = {"large_program", OF_TYPE(KPROBE, trial_large),
				   .length = LARGE_CODE},
	[FEATURE_LOOP] = {"loop", VERIFIER(loop, no_loop)},
	[FEATURE_BTF] = {"btf", SYSTEM(trial_btf)},
	[FEATURE_TRACEFS] = {"tracefs", SYSTEM(trial_tracefs), .locked = true},
	[FEATURE_KPROBE_PMU] = {"kprobe_pmu", SYSTEM(trial_kprobe_pmu)},
	[FEATURE_KPROBE_TRACEFS] = {"kprobe_tracefs", SYSTEM(trial_kprobe_tracefs), .locked = true},
	[FEATURE_SYMBOL_POST_EXEC] = {"symbol_post_exec", SYSTEM(trial_symbols)},
	[FEATURE_SYMBOL_EXECVE] = {"symbol_execve", SYSTEM(trial_symbols)},
	[FEATURE_ATTACH_RAW_TP] = {"attach_raw_tp", OF_TYPE(RAW_TRACEPOINT, trial_attach_raw_tp)},
	[FEATURE_ATTACH_TP] = {"attach_tp", OF_TYPE(TRACEPOINT, trial_attach_tp)},
	[FEATURE_ATTACH_KPROBE] = {"attach_kprobe", OF_TYPE(KPROBE, trial_attach_kprobe),
				   .locked = true},
	[FEATURE_RAW_TP_PREEMPTED] = {"raw_tp_preempted", trial_preempted,
				      .needs = FEATURE_ATTACH_RAW_TP,
				      PROGRAM(RAW_TRACEPOINT, read_migration), MAP_OF(ARRAY, 4, 8)},
};

const struct feature *feature_get(struct features *features, enum feature_id id)
{
	const struct row *row = &table[id];
	struct feature *f = &features->of[id];

	if (f->asked)
		return f;
	*f = (struct feature){.asked = true};
	if (row->needs != FEATURE_COUNT && !inherit(features, row->needs, f))
		return f;
	if (row->locked && locked_down())
		settle_locked(f);
	else
		row->trial(features, row, f);
	return f;
}

void feature_get_all(struct features *features)
{
	for (int id = 0; id < FEATURE_COUNT; id++)
		(void)feature_get(features, (enum feature_id)id);
}

const char *feature_name(enum feature_id id)
{
	return (unsigned)id < FEATURE_COUNT ? table[id].name : "unknown";
}

const char *feature_answer_str(enum feature_answer answer)
{
	switch (answer) {
	case FEATURE_YES: return "yes";
	case FEATURE_NO: return "no";
	case FEATURE_UNKNOWN: break;
	}
	return "unknown";
}

/* --------------------------------------------------------------------- limits */

static bool cpu_number(const char **text, long *number)
{
	char *end;

	if (**text < '0' || **text > '9') /* no blanks, no sign */
		return false;
	*number = strtol(*text, &end, 10);
	*text = end;
	return *number < CPUS_MAX;
}

/* How many CPUs a list like "0-3,5" names, rising and without overlap; -1 if it is none. */
static int cpu_list_count(const char *text)
{
	long first, last, before = -1, count = 0;

	for (;; text++) {
		if (!cpu_number(&text, &first))
			return -1;
		last = first;
		if (*text == '-' && (text++, !cpu_number(&text, &last)))
			return -1;
		if (first <= before || last < first)
			return -1;
		count += last - first + 1;
		before = last;
		if (*text != ',')
			break;
	}
	return !*text || !strcmp(text, "\n") ? (int)count : -1;
}

static int cpus_read(const char *path, int fallback)
{
	char text[4096];
	int count = read_text(path, text, sizeof(text)) > 0 ? cpu_list_count(text) : -1;
	long n;

	if (count > 0)
		return count;
	n = sysconf(fallback);
	return n > 0 && n < CPUS_MAX ? (int)n : 0;
}

static uint64_t capabilities_effective(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

void feature_limits_read(struct feature_limits *limits)
{
	struct rlimit memlock;

	memset(limits, 0, sizeof(*limits));
	lockdown_read(limits->lockdown, sizeof(limits->lockdown));
	if (!getrlimit(RLIMIT_MEMLOCK, &memlock))
		limits->memlock =
			memlock.rlim_cur == RLIM_INFINITY ? -1 : (long long)memlock.rlim_cur;
	if (read_number("/proc/sys/kernel/perf_event_paranoid", &limits->perf_event_paranoid))
		limits->perf_event_paranoid = -100;
	if (read_number("/proc/sys/kernel/unprivileged_bpf_disabled",
			&limits->unprivileged_bpf_disabled))
		limits->unprivileged_bpf_disabled = -1;
	limits->cap_effective = capabilities_effective();
	limits->cpus_possible = cpus_read("/sys/devices/system/cpu/possible", _SC_NPROCESSORS_CONF);
	limits->cpus_online = cpus_read("/sys/devices/system/cpu/online", _SC_NPROCESSORS_ONLN);
}
