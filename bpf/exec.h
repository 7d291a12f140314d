/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The body of the exec probe: fills one record with what the kernel knows of the
 * program that has just been executed. It runs in the new program's own context, after
 * the exec can no longer fail, so "current" is the subject and its new mm is in place.
 *
 * It is a chain of stages (enum exec_stage), since old verifiers allow neither loops
 * nor long programs. Each takes the record from the scratch buffer as the one before
 * left it. What a stage does is written once; where offsets come from is its parameter.
 *
 * Every fact is read on its own: one that this kernel does not have, or that can't
 * be read, costs its bit in facts.present and nothing else.
 */
#ifndef CORMORANT_BPF_EXEC_H
#define CORMORANT_BPF_EXEC_H

#include "kernel.h"
#include "output.h"

#define KNOWN(facts, fact, ok)                                                                     \
	do {                                                                                       \
		if (ok)                                                                            \
			(facts)->present |= FACT_BIT(fact);                                        \
	} while (0)

/* ------------------------------------------------------------------ the entry */

struct hook {
	__u64 task;
	__u64 bprm;
	__u64 filename;
	__u64 kernel_stack;
};

/* Counts the attempt and begins the record with what needs no offsets. */
static __always_inline int exec_begin(void *ctx, const struct hook *hook)
{
	const struct probe_settings *set = settings_get();
	/* Below 4.10 a pointer is known not to be null only in the register that was asked. */
	__u32 flags = set ? set->flags : 0;
	struct exec_counters *counts = counters_get();
	struct scratch *s = scratch_get();
	__u64 comm[COMM_BYTES / 8] = {}, pid_tgid = bpf_get_current_pid_tgid();
	__u64 uid_gid = bpf_get_current_uid_gid();
	struct exec_facts *facts;

	if (!counts)
		return 0;
	COUNT(counts, attempted);
	if (!s) {
		COUNT(counts, lost[LOSS_NO_SCRATCH]);
		return 0;
	}
	*(volatile __u64 *)&s->owner = pid_tgid;
	s->task = hook->task;
	s->bprm = hook->bprm;
	s->filename = hook->filename;
	s->filename_user = 0;
	s->kernel_stack = hook->kernel_stack;
	s->argv = s->argv_bytes = 0;
	s->env_at = 0;
	s->path[0] = s->path[1] = s->cgroup[0] = s->cgroup[1] = 0;
	s->which = 0;
	s->walk.begin = s->walk.runs = 0;
	s->at = sizeof(struct exec_record);
	s->record.event.time_ns = bpf_ktime_get_boot_ns();
	s->record.event.tgid = pid_tgid >> 32;
	s->record.event.tid = pid_tgid;
	s->record.event.ppid = 0;
	s->record.event.uid = uid_gid;
	s->record.event.kind = RECORD_EXEC;
	s->record.event.version = RECORD_VERSION;
	s->record.event.part = 0;
	s->record.event.parts = 1;
	facts = &s->record.facts;
	facts->present = 0;
	facts->flags = flags;
	facts->cpu_sequence = counts->attempted;
	for (int i = 0; i < SECTION_COUNT; i++)
		facts->section_len[i] = 0;
	KNOWN(facts, FACT_COMM, bpf_get_current_comm(comm, sizeof(comm)) == 0);
	for (int i = 0; i < COMM_BYTES / 8; i++)
		((__u64 *)facts->comm)[i] = comm[i];
	return next(ctx, STAGE_FACTS);
}

/* ------------------------------------------------------------------ sections */

/* What has been appended since begin is a section. complete: nothing is missing of it. */
static __always_inline void section_end(struct scratch *s, enum exec_section section, __u64 begin,
					int complete)
{
	s->record.facts.section_len[section] = s->at - begin;
	s->record.facts.present |= FACT_BIT(FACT_SECTION + section);
	if (!complete)
		s->record.facts.flags |= EXEC_TRUNCATED_BIT(section);
}

/* Appends one string, at most max bytes with its NUL. Returns its length with the NUL, or <= 0. */
static __always_inline long append_string(struct scratch *s, __u64 string, __u32 max, int user)
{
	__u64 at = s->at;
	long n;

	if (at > RECORD_MAX - max)
		return 0;
	OPAQUE(at);
	at &= AT_MASK;
	n = user ? bpf_probe_read_user_str(&s->bytes[at], max, (void *)string) :
		   bpf_probe_read_kernel_str(&s->bytes[at], max, (void *)string);
	if (n > 0)
		s->at += n;
	return n;
}

/* --------------------------------------------------------------------- facts */

static __always_inline void read_parent(struct run *run, struct exec_record *record, void *task)
{
	struct exec_facts *facts = &record->facts;
	void *parent = FOLLOW(run, task, task_struct, real_parent);
	void *leader;

	KNOWN(facts, FACT_PPID, READ(run, &record->event.ppid, parent, task_struct, tgid));
	/* real_parent may be a thread; the process is its group's leader. */
	leader = FOLLOW(run, parent, task_struct, group_leader);
	KNOWN(facts, FACT_PARENT_START, task_start_ns(run, leader, &facts->parent_start_ns));
	if (HAS(run, task_struct, comm) &&
	    !bpf_probe_read_kernel(run->text, COMM_BYTES,
				   (char *)leader + OFF(run, task_struct, comm))) {
		((__u64 *)facts->parent_comm)[0] = run->text[0];
		((__u64 *)facts->parent_comm)[1] = run->text[1];
		facts->present |= FACT_BIT(FACT_PARENT_COMM);
	}
	KNOWN(facts, FACT_PARENT_EXEC_ID,
	      READ(run, &facts->parent_exec_id, leader, task_struct, self_exec_id));
	KNOWN(facts, FACT_PARENT_STACK,
	      READ(run, &facts->parent_stack, FOLLOW(run, leader, task_struct, mm), mm_struct,
		   start_stack));
}

static __always_inline void read_cred(struct run *run, struct exec_facts *facts, void *task)
{
	void *cred = FOLLOW(run, task, task_struct, cred);
	void *user_ns = FOLLOW(run, cred, cred, user_ns);

	KNOWN(facts, FACT_ID + ID_UID, READ(run, &facts->ids[ID_UID], cred, cred, uid));
	KNOWN(facts, FACT_ID + ID_GID, READ(run, &facts->ids[ID_GID], cred, cred, gid));
	KNOWN(facts, FACT_ID + ID_SUID, READ(run, &facts->ids[ID_SUID], cred, cred, suid));
	KNOWN(facts, FACT_ID + ID_SGID, READ(run, &facts->ids[ID_SGID], cred, cred, sgid));
	KNOWN(facts, FACT_ID + ID_EUID, READ(run, &facts->ids[ID_EUID], cred, cred, euid));
	KNOWN(facts, FACT_ID + ID_EGID, READ(run, &facts->ids[ID_EGID], cred, cred, egid));
	KNOWN(facts, FACT_ID + ID_FSUID, READ(run, &facts->ids[ID_FSUID], cred, cred, fsuid));
	KNOWN(facts, FACT_ID + ID_FSGID, READ(run, &facts->ids[ID_FSGID], cred, cred, fsgid));
	KNOWN(facts, FACT_CAPS + CAPS_INHERITABLE,
	      READ(run, &facts->caps[CAPS_INHERITABLE], cred, cred, cap_inheritable));
	KNOWN(facts, FACT_CAPS + CAPS_PERMITTED,
	      READ(run, &facts->caps[CAPS_PERMITTED], cred, cred, cap_permitted));
	KNOWN(facts, FACT_CAPS + CAPS_EFFECTIVE,
	      READ(run, &facts->caps[CAPS_EFFECTIVE], cred, cred, cap_effective));
	KNOWN(facts, FACT_NS + NS_USER,
	      READ(run, &facts->ns[NS_USER], WITHIN(run, user_ns, user_namespace, ns), ns_common,
		   inum));
}

/* One namespace of the nsproxy: its inode number as /proc/PID/ns shows it. */
#define READ_NS(run, facts, proxy, ns_bit, member, type)                                           \
	KNOWN(facts, FACT_NS + (ns_bit),                                                           \
	      READ(run, &(facts)->ns[ns_bit],                                                      \
		   WITHIN(run, FOLLOW(run, proxy, nsproxy, member), type, ns), ns_common, inum))

static __always_inline void read_namespaces(struct run *run, struct exec_facts *facts, void *task)
{
	void *proxy = FOLLOW(run, task, task_struct, nsproxy);

	READ_NS(run, facts, proxy, NS_MNT, mnt_ns, mnt_namespace);
	READ_NS(run, facts, proxy, NS_NET, net_ns, net);
	READ_NS(run, facts, proxy, NS_UTS, uts_ns, uts_namespace);
	READ_NS(run, facts, proxy, NS_IPC, ipc_ns, ipc_namespace);
	READ_NS(run, facts, proxy, NS_CGROUP, cgroup_ns, cgroup_namespace);
	READ_NS(run, facts, proxy, NS_TIME, time_ns, time_namespace);
}

/* A struct pid's number in the initial namespace: the first of numbers[]. */
static __always_inline int pid_number(struct run *run, void *pid, __u32 *nr)
{
	return READ(run, nr, WITHIN(run, pid, pid, numbers), upid, nr);
}

static __always_inline void read_pids(struct run *run, struct exec_facts *facts, void *task)
{
	void *pid = task_pid(run, task);
	void *upid = WITHIN(run, pid, pid, numbers);
	__u32 level = 0;
	void *ns;

	if (HAS_VALUE(run, pid_type, PIDTYPE_PGID))
		KNOWN(facts, FACT_PGID,
		      pid_number(run, task_pid_of(run, task, VALUE(run, pid_type, PIDTYPE_PGID)),
				 &facts->pgid));
	if (HAS_VALUE(run, pid_type, PIDTYPE_SID))
		KNOWN(facts, FACT_SID,
		      pid_number(run, task_pid_of(run, task, VALUE(run, pid_type, PIDTYPE_SID)),
				 &facts->sid));
	if (!HAS_SIZE(run, upid) || !READ(run, &level, pid, pid, level))
		return;
	/* numbers[level] is the innermost namespace: the one the process itself is in. */
	upid = (char *)upid + (__u64)level * SIZE(run, upid);
	KNOWN(facts, FACT_NAMESPACE_PID, READ(run, &facts->namespace_pid, upid, upid, nr));
	ns = FOLLOW(run, upid, upid, ns);
	KNOWN(facts, FACT_NS + NS_PID,
	      READ(run, &facts->ns[NS_PID], WITHIN(run, ns, pid_namespace, ns), ns_common, inum));
}

static __always_inline void read_inode(struct run *run, struct exec_facts *facts, void *inode)
{
	void *super = FOLLOW(run, inode, inode, i_sb);
	void *type = FOLLOW(run, super, super_block, s_type);
	void *name = FOLLOW(run, type, file_system_type, name);
	__u16 mode = 0;

	KNOWN(facts, FACT_INODE, READ(run, &facts->inode, inode, inode, i_ino));
	KNOWN(facts, FACT_MODE, READ(run, &mode, inode, inode, i_mode));
	facts->mode = mode;
	KNOWN(facts, FACT_SIZE, READ(run, &facts->size, inode, inode, i_size));
	KNOWN(facts, FACT_NLINK, READ(run, &facts->nlink, inode, inode, i_nlink));
	KNOWN(facts, FACT_MTIME, inode_mtime(run, inode, &facts->mtime_sec, &facts->mtime_nsec));
	KNOWN(facts, FACT_DEV, READ(run, &facts->dev, super, super_block, s_dev));
	KNOWN(facts, FACT_FS, read_text(run, (__u64 *)facts->fs, name));
}

/*
 * Deleted is what the kernel's d_path calls so: the name is no longer hashed. A root
 * never was; a memfd is such a root outside any mount, with a name that the kernel gave
 * it, and there the link count tells.
 */
static __always_inline void read_links(struct run *run, struct exec_facts *facts, void *dentry,
				       void *root)
{
	const __u64 memfd = 0x3a64666d656dULL; /* "memfd:", the first byte lowest */
	void *parent = FOLLOW(run, dentry, dentry, d_parent);
	void *hash = WITHIN(run, dentry, dentry, d_hash);
	__u64 pprev = 0;

	if (!parent || !root)
		return;
	if (read_word(run, 6, FOLLOW(run, WITHIN(run, dentry, dentry, d_name), qstr, name), 0)) {
		facts->present |= FACT_BIT(FACT_MEMFD);
		if (parent == dentry && dentry != root && (run->text[0] & 0xffffffffffffULL) == memfd)
			facts->flags |= EXEC_MEMFD;
	}
	if (!READ(run, &pprev, hash, hlist_bl_node, pprev) ||
	    !(facts->present & FACT_BIT(FACT_NLINK)))
		return;
	KNOWN(facts, FACT_DELETED, 1);
	if (parent == dentry ? !facts->nlink : !pprev)
		facts->flags |= EXEC_DELETED;
}

static __always_inline void read_session(struct run *run, struct exec_facts *facts, void *task)
{
	void *tty = FOLLOW(run, FOLLOW(run, task, task_struct, signal), signal_struct, tty);

	KNOWN(facts, FACT_LOGIN_UID, task_login_uid(run, task, &facts->login_uid));
	KNOWN(facts, FACT_AUDIT_SESSION, task_audit_session(run, task, &facts->audit_session));
	if (tty && HAS(run, tty_struct, name))
		KNOWN(facts, FACT_TTY,
		      read_text(run, (__u64 *)facts->tty, WITHIN_KNOWN(run, tty, tty_struct, name)) &&
			      facts->tty[0]);
}

/*
 * The v1 cgroup that container engines use, NULL where the memory (else pids)
 * controller belongs to the v2 hierarchy.
 */
static __always_inline void *cgroup_v1(struct run *run, void *css_set, void *cgroup_v2)
{
	__u64 id;
	void *css, *cgroup;

	if (HAS_VALUE(run, cgroup_subsys_id, memory_cgrp_id))
		id = VALUE(run, cgroup_subsys_id, memory_cgrp_id);
	else if (HAS_VALUE(run, cgroup_subsys_id, pids_cgrp_id))
		id = VALUE(run, cgroup_subsys_id, pids_cgrp_id);
	else
		return NULL;
	if (!HAS(run, css_set, subsys))
		return NULL;
	css = follow_at(run, css_set, OFF(run, css_set, subsys) + id * sizeof(void *));
	cgroup = FOLLOW(run, css, cgroup_subsys_state, cgroup);
	if (FOLLOW(run, cgroup, cgroup, root) == FOLLOW(run, cgroup_v2, cgroup, root))
		return NULL;
	return cgroup;
}

static __always_inline void read_cgroups(struct run *run, struct scratch *s, void *task)
{
	void *css_set = FOLLOW(run, task, task_struct, cgroups);
	void *cgroup = FOLLOW(run, css_set, css_set, dfl_cgrp);
	void *kn = FOLLOW(run, cgroup, cgroup, kn);

	KNOWN(&s->record.facts, FACT_CGROUP_ID, kernfs_id(run, kn, &s->record.facts.cgroup_id));
	s->cgroup[0] = (__u64)kn;
	cgroup = cgroup_v1(run, css_set, cgroup);
	s->cgroup[1] = (__u64)FOLLOW(run, cgroup, cgroup, kn);
}

/* Everything of fixed size, and where the walks begin. */
static __always_inline void read_facts(struct run *run, struct scratch *s)
{
	struct exec_facts *facts = &s->record.facts;
	void *task = (void *)s->task;
	void *file = FOLLOW(run, FOLLOW(run, task, task_struct, mm), mm_struct, exe_file);
	void *path = WITHIN(run, file, file, f_path);

	KNOWN(facts, FACT_START,
	      task_start_ns(run, FOLLOW(run, task, task_struct, group_leader), &facts->start_ns));
	KNOWN(facts, FACT_EXEC_ID, READ(run, &facts->exec_id, task, task_struct, self_exec_id));
	read_parent(run, &s->record, task);
	read_cred(run, facts, task);
	read_namespaces(run, facts, task);
	read_pids(run, facts, task);
	read_session(run, facts, task);
	read_inode(run, facts, FOLLOW(run, file, file, f_inode));
	read_links(run, facts, FOLLOW(run, path, path, dentry),
		   FOLLOW(run, FOLLOW(run, path, path, mnt), vfsmount, mnt_root));
	read_cgroups(run, s, task);
	s->path[0] = (__u64)path;
	s->path[1] = (__u64)WITHIN(run, FOLLOW(run, task, task_struct, fs), fs_struct, pwd);
	s->mnt_ns = (__u64)FOLLOW(run, FOLLOW(run, task, task_struct, nsproxy), nsproxy, mnt_ns);
}

/* Without offsets: what helpers know. The loader replaces a helper that this kernel lacks by 0. */
static __always_inline void read_facts_none(struct exec_facts *facts)
{
	__u64 uid_gid = bpf_get_current_uid_gid();

	facts->ids[ID_UID] = uid_gid;
	facts->ids[ID_GID] = uid_gid >> 32;
	facts->present |= FACT_BIT(FACT_ID + ID_UID) | FACT_BIT(FACT_ID + ID_GID);
	facts->cgroup_id = bpf_get_current_cgroup_id();
	KNOWN(facts, FACT_CGROUP_ID, facts->cgroup_id != 0);
}

/* ---------------------------------------------------------- where argv lies */

/* argv as the new program has it: one contiguous stretch of its own memory. */
static __always_inline void find_args(struct run *run, struct scratch *s)
{
	struct exec_facts *facts = &s->record.facts;
	void *mm = FOLLOW(run, (void *)s->task, task_struct, mm);
	__u64 from = 0, to = 0;

	/* The kernel's own copy of what execve was asked for; it is on the new stack, too. */
	if (!s->filename && s->bprm)
		s->filename = (__u64)FOLLOW(run, (void *)s->bprm, linux_binprm, filename);
	if (!s->filename) {
		s->filename = (__u64)FOLLOW(run, mm, mm_struct, env_end);
		s->filename_user = 1;
	}
	if (!READ(run, &from, mm, mm_struct, arg_start) ||
	    !READ(run, &to, mm, mm_struct, arg_end) || to < from)
		return;
	s->argv = from;
	s->argv_bytes = to - from;
	facts->argv_bytes = to - from;
	KNOWN(facts, FACT_ARGV, 1);
	/* argc is the first word at the stack's start; four bytes serve 32-bit images too. */
	if (!bpf_probe_read_user(run->text, 4, FOLLOW(run, mm, mm_struct, start_stack))) {
		facts->argc = run->text[0];
		facts->present |= FACT_BIT(FACT_ARGC);
	}
}

/* Word i of the stack at sp; 0 and *ok = 0 if it can't be read. */
static __always_inline __u64 stack_word(struct run *run, __u64 sp, __u64 i, int narrow, int *ok)
{
	__u64 at = sp + (narrow ? i * 4 : i * 8);

	if (bpf_probe_read_user(run->text, 8, (void *)at)) {
		*ok = 0;
		return 0;
	}
	return narrow ? run->text[0] & 0xffffffff : run->text[0];
}

/* More arguments than fit below the kernel's limit (a quarter of 8 MiB and a word each) are no argc. */
enum { ARGC_MAX = 1 << 22 };

/*
 * The same without offsets: the new program's stack begins with argc, argv[], NULL,
 * envp[], NULL and the auxiliary vector; the strings behind stand in that order, too, and
 * the file name follows them (fs/binfmt_elf.c, create_elf_tables; fs/exec.c, do_execve).
 * An image with words of 4 bytes has argv[0] in the upper half of the first 8; if it has
 * no argument (possible below 5.18), what follows the first 8 is not a NULL of 8 bytes.
 */
static __always_inline void find_args_on_stack(struct run *run, struct scratch *s,
					       __u64 kernel_stack)
{
	struct exec_facts *facts = &s->record.facts;
	__u64 sp = user_stack(run, kernel_stack), argc, argv, end, env;
	int ok = 1, narrow;

	if (!sp)
		return;
	argc = stack_word(run, sp, 0, 0, &ok);
	narrow = argc >> 32 || (!argc && stack_word(run, sp, 1, 0, &ok));
	argc &= 0xffffffff;
	argv = stack_word(run, sp, 1, narrow, &ok);
	end = stack_word(run, sp, argc + 1, narrow, &ok);
	env = stack_word(run, sp, argc + 2, narrow, &ok);
	if (!ok || argc > ARGC_MAX || end || (argc ? argv <= sp : argv != 0) ||
	    (argc && env && env < argv))
		return;
	facts->argc = argc;
	KNOWN(facts, FACT_ARGC, 1);
	s->argv = argv;
	s->env_narrow = narrow;
	s->env_at = sp + (argc + 2) * (narrow ? 4 : 8);
	s->env_found = 0;
	s->env_rounds = 0;
	/* Without an environment argv ends where the file name begins. */
	if (argc && !env)
		return;
	s->argv_bytes = argc ? env - argv : 0;
	facts->argv_bytes = s->argv_bytes;
	KNOWN(facts, FACT_ARGV, 1);
}

/* The file name is known from the hook, and argv ends at an environment: nothing to look for. */
static __always_inline int args_known(const struct scratch *s)
{
	return !s->env_at ||
	       (s->filename && s->record.facts.present & FACT_BIT(FACT_ARGV));
}

/* ------------------------------------------------------ the file name's place */

enum {
	ENV_WORDS = 16,	 /* of 8 bytes, read at a time; less than what always follows envp */
	ENV_CHUNKS = 4,	 /* such reads in a run of the stage */
	AUX_PAIRS = 12,	 /* pairs of the auxiliary vector in a run */
	ENV_ROUNDS = 24, /* runs: of the 32 tail calls the others need 6 */
	AUX_EXECFN = 31, /* AT_EXECFN, AT_NULL: include/uapi/linux/auxvec.h */
	AUX_NULL = 0,
};

/* Looks for the NULL behind envp. Returns 1 if s->env_at now lies past it. */
static __always_inline int env_skip(struct scratch *s, const __u64 *words)
{
	__u64 at = s->env_at;

#pragma unroll
	for (int i = 0; i < ENV_WORDS; i++) {
		__u64 low = words[i] & 0xffffffff, high = words[i] >> 32;

		if (s->env_narrow && !low) {
			s->env_at = at + i * 8 + 4;
			return 1;
		}
		if (!high && (s->env_narrow || !low)) {
			s->env_at = at + i * 8 + 8;
			return 1;
		}
	}
	s->env_at = at + ENV_WORDS * 8;
	return 0;
}

static __always_inline void env_found(struct scratch *s, __u64 filename)
{
	struct exec_facts *facts = &s->record.facts;

	if (!s->filename) {
		s->filename = filename;
		s->filename_user = 1;
	}
	if (facts->present & FACT_BIT(FACT_ARGV) || filename < s->argv)
		return;
	s->argv_bytes = filename - s->argv;
	facts->argv_bytes = s->argv_bytes;
	KNOWN(facts, FACT_ARGV, 1);
}

/* One run of the stage. Returns 1 if there is nothing more to look for. */
static __always_inline int env_run(struct run *run, struct scratch *s)
{
	__u64 words[ENV_WORDS] = {};
	__u64 type, value;

	if (s->env_rounds++ >= ENV_ROUNDS)
		return 1;
#pragma unroll
	for (int i = 0; i < ENV_CHUNKS; i++) {
		if (s->env_found)
			break;
		if (bpf_probe_read_user(words, sizeof(words), (void *)s->env_at))
			return 1;
		s->env_found = env_skip(s, words);
	}
	if (!s->env_found)
		return 0;
#pragma unroll
	for (int i = 0; i < AUX_PAIRS; i++) {
		/* A pair at a time: behind the last one there may be little to read. */
		if (s->env_narrow) {
			if (bpf_probe_read_user(run->text, 8, (void *)s->env_at))
				return 1;
			type = run->text[0] & 0xffffffff;
			value = run->text[0] >> 32;
			s->env_at += 8;
		} else {
			if (bpf_probe_read_user(run->text, 16, (void *)s->env_at))
				return 1;
			type = run->text[0];
			value = run->text[1];
			s->env_at += 16;
		}
		if (type == AUX_EXECFN)
			env_found(s, value);
		if (type == AUX_EXECFN || type == AUX_NULL)
			return 1;
	}
	return 0;
}

/* -------------------------------------------------------------------- strings */

static __always_inline void append_argv(struct scratch *s)
{
	__u64 n = s->argv_bytes, begin = s->at;

	if (!(s->record.facts.present & FACT_BIT(FACT_ARGV)))
		return;
	if (n > ARGV_MAX)
		n = ARGV_MAX;
	if (n) {
		OPAQUE(n);
		/* 1 to ARGV_MAX: a size that might be 0 is refused below 4.15. */
		n = ((n - 1) & (ARGV_MAX - 1)) + 1;
		if (bpf_probe_read_user(s->record.bytes, n, (void *)s->argv))
			return;
		s->at += n;
	}
	section_end(s, SECTION_ARGV, begin, s->argv_bytes <= ARGV_MAX);
}

static __always_inline void append_filename(struct scratch *s)
{
	__u64 begin = s->at;
	long n;

	if (!s->filename)
		return;
	if (s->filename_user)
		n = append_string(s, s->filename, FILENAME_BYTES_MAX, 1);
	else
		n = append_string(s, s->filename, FILENAME_BYTES_MAX, 0);
	if (n > 0)
		section_end(s, SECTION_FILENAME, begin, n < FILENAME_BYTES_MAX);
}

/* ---------------------------------------------------------------------- walks */

/* Steps of one run: PATH_STEPS_MAX of both paths and CGROUP_STEPS_MAX of both cgroups take 26 runs. */
enum { PATH_STEPS_RUN = 20, CGROUP_STEPS_RUN = 24 };

enum step {
	STEP_ON,
	STEP_END,  /* the root was reached */
	STEP_LOST, /* the walk can't go on: what there is of it is not whole */
};

/*
 * One step up from a dentry to the root of the process's mount namespace: the mount that is
 * its own parent, and in that namespace. A detached mount (umount -l), or one of another
 * namespace, is its own root too: there the path ends as truncated. Components are
 * appended leaf first.
 */
static __always_inline enum step path_step(struct run *run, struct scratch *s, struct walk *walk)
{
	void *dentry = (void *)walk->node, *mount = (void *)walk->mount, *parent;

	if (walk->node == walk->root) {
		parent = FOLLOW_KNOWN(run, mount, mount, mnt_parent);
		if (!parent)
			return STEP_LOST;
		if (parent == mount)
			return s->mnt_ns &&
					       (__u64)FOLLOW_KNOWN(run, mount, mount, mnt_ns) ==
						       s->mnt_ns ?
				       STEP_END :
				       STEP_LOST;
		walk->node = (__u64)FOLLOW_KNOWN(run, mount, mount, mnt_mountpoint);
		walk->mount = (__u64)parent;
		walk->root = (__u64)FOLLOW_KNOWN(run, WITHIN_KNOWN(run, parent, mount, mnt),
						 vfsmount, mnt_root);
		return STEP_ON;
	}
	parent = FOLLOW_KNOWN(run, dentry, dentry, d_parent);
	if (!parent || s->at - walk->begin > PATH_BYTES_MAX - NAME_BYTES_MAX ||
	    append_string(s,
			  (__u64)FOLLOW_KNOWN(run, WITHIN_KNOWN(run, dentry, dentry, d_name), qstr,
					      name),
			  NAME_BYTES_MAX, 0) <= 0)
		return STEP_LOST;
	if (parent == dentry) /* a file without a place in the tree: memfd */
		return STEP_END;
	walk->node = (__u64)parent;
	return STEP_ON;
}

static __always_inline int path_possible(struct run *run)
{
	return HAS(run, path, dentry) && HAS(run, path, mnt) && HAS(run, mount, mnt) &&
	       HAS(run, mount, mnt_parent) && HAS(run, mount, mnt_mountpoint) &&
	       HAS(run, mount, mnt_ns) && HAS(run, vfsmount, mnt_root) &&
	       HAS(run, dentry, d_parent) && HAS(run, dentry, d_name) && HAS(run, qstr, name);
}

/* path is the address of a struct path. Returns 0 if it can't be walked. */
static __always_inline int path_start(struct run *run, struct scratch *s, __u64 path)
{
	struct walk *walk = &s->walk;
	void *dentry = FOLLOW_KNOWN(run, (void *)path, path, dentry);
	void *vfsmount = FOLLOW_KNOWN(run, (void *)path, path, mnt);

	if (!path || !dentry || !vfsmount)
		return 0;
	walk->node = (__u64)dentry;
	walk->mount = (__u64)vfsmount - OFF(run, mount, mnt);
	walk->root = (__u64)FOLLOW_KNOWN(run, vfsmount, vfsmount, mnt_root);
	walk->begin = s->at;
	return 1;
}

/* Ends the walk of s->which, and is ready for the next. */
static __always_inline void walk_end(struct scratch *s, enum exec_section first,
				     enum exec_section second, int complete)
{
	if (s->which)
		section_end(s, second, s->walk.begin, complete);
	else
		section_end(s, first, s->walk.begin, complete);
	s->walk.begin = 0;
	s->walk.runs = 0;
	s->which++;
}

/* One run of STAGE_PATH: the executable's path, then the working directory's. */
static __always_inline void path_run(struct run *run, struct scratch *s)
{
	enum step step = STEP_ON;

	if (!path_possible(run)) {
		s->which = 2;
		return;
	}
	if (!s->walk.begin && !path_start(run, s, s->which ? s->path[1] : s->path[0])) {
		s->which++;
		return;
	}
#pragma unroll
	for (int i = 0; i < PATH_STEPS_RUN; i++) {
		step = path_step(run, s, &s->walk);
		if (step != STEP_ON)
			break;
	}
	if (step == STEP_ON && ++s->walk.runs < PATH_STEPS_MAX / PATH_STEPS_RUN)
		return;
	walk_end(s, SECTION_EXE, SECTION_CWD, step == STEP_END);
}

/* A cgroup's path in its hierarchy, leaf first, without the root: one step. */
static __always_inline enum step cgroup_step(struct run *run, struct scratch *s, struct walk *walk)
{
	void *kn = (void *)walk->node, *parent = kernfs_parent(run, kn);

	if (!parent)
		return STEP_END;
	if (s->at - walk->begin > CGROUP_BYTES_MAX - NAME_BYTES_MAX ||
	    append_string(s, (__u64)FOLLOW_KNOWN(run, kn, kernfs_node, name), NAME_BYTES_MAX, 0) <=
		    0)
		return STEP_LOST;
	walk->node = (__u64)parent;
	return STEP_ON;
}

/* One run of STAGE_CGROUP: the path in the v2 hierarchy, then in v1's. */
static __always_inline void cgroup_run(struct run *run, struct scratch *s)
{
	enum step step = STEP_ON;

	if (!kernfs_has_parent(run) || !HAS(run, kernfs_node, name)) {
		s->which = 2;
		return;
	}
	if (!s->walk.begin) {
		s->walk.node = s->which ? s->cgroup[1] : s->cgroup[0];
		s->walk.begin = s->at;
	}
	if (!s->walk.node) {
		s->walk.begin = 0;
		s->which++;
		return;
	}
#pragma unroll
	for (int i = 0; i < CGROUP_STEPS_RUN; i++) {
		step = cgroup_step(run, s, &s->walk);
		if (step != STEP_ON)
			break;
	}
	if (step == STEP_ON && ++s->walk.runs < CGROUP_STEPS_MAX / CGROUP_STEPS_RUN)
		return;
	walk_end(s, SECTION_CGROUP, SECTION_CGROUP_V1, step == STEP_END);
}

/* Both walks of a stage are done. The next stage's begin anew. */
static __always_inline int walks_done(struct scratch *s)
{
	if (s->which < 2)
		return 0;
	s->which = 0;
	return 1;
}

#endif
