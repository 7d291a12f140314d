/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The body of every exec program: fills one record with what the kernel knows of
 * the program that has just been executed. It runs in the new program's own
 * context, after the exec can no longer fail (sched_process_exec), so "current" is
 * the subject and its new mm is in place.
 *
 * Every fact is read on its own: one that this kernel does not have, or that can't
 * be read, costs its bit in facts.present and nothing else.
 */
#ifndef CORMORANT_BPF_EXEC_H
#define CORMORANT_BPF_EXEC_H

#include "kernel.h"
#include "output.h"

/* A value the verifier must not assume anything about: keeps clang from merging bounds checks. */
#define OPAQUE(var) asm volatile("" : "+r"(var))

#define KNOWN(facts, fact, ok)                                                                     \
	do {                                                                                       \
		if (ok)                                                                            \
			(facts)->present |= FACT_BIT(fact);                                        \
	} while (0)

/* ------------------------------------------------------------------ sections */

/*
 * A section is begun as truncated, and only a walk that has come to its end takes
 * that back: state in memory, not in the verifier's registers.
 */
static __always_inline void section_begin(struct scratch *s, enum exec_section section)
{
	s->record.facts.present |= FACT_BIT(FACT_SECTION + section);
	s->record.facts.flags |= EXEC_TRUNCATED_BIT(section);
}

static __always_inline void section_complete(struct scratch *s, enum exec_section section)
{
	s->record.facts.flags &= ~EXEC_TRUNCATED_BIT(section);
}

static __always_inline void section_add(struct scratch *s, enum exec_section section, __u32 n)
{
	s->record.facts.section_len[section] += n;
	s->at += n;
}

/*
 * Appends one NUL-terminated string of kernel memory, at most NAME_BYTES_MAX with
 * its NUL, to a section of at most max bytes. Returns 1 if it was added.
 */
static __always_inline int append_name(struct scratch *s, enum exec_section section, __u32 max,
				       const void *name)
{
	__u64 at = s->at;
	long n;

	if (at > RECORD_MAX - NAME_BYTES_MAX ||
	    s->record.facts.section_len[section] > max - NAME_BYTES_MAX)
		return 0;
	n = bpf_probe_read_kernel_str(&s->bytes[at], NAME_BYTES_MAX, name);
	if (n <= 0)
		return 0;
	section_add(s, section, n);
	return 1;
}

/*
 * A path, from the dentry up to the root of the process's mount namespace: the mount
 * that is its own parent, and in that namespace. A detached mount (umount -l), or one of
 * another namespace, is its own root too: there the path ends as truncated. path is the
 * address of a struct path in kernel memory. Components are appended leaf first.
 */
static __always_inline void append_path(struct run *run, struct scratch *s, const void *path,
					const void *mnt_ns, enum exec_section section)
{
	void *dentry = FOLLOW(run, path, path, dentry);
	void *vfsmount = FOLLOW(run, path, path, mnt);
	void *mount, *root, *parent;

	if (!dentry || !vfsmount || !HAS(run->access, mount, mnt))
		return;
	mount = (char *)vfsmount - OFF(run->access, mount, mnt);
	root = FOLLOW(run, vfsmount, vfsmount, mnt_root);
	section_begin(s, section);
	for (int i = 0; i < PATH_STEPS_MAX; i++) {
		if (dentry == root) {
			parent = FOLLOW(run, mount, mount, mnt_parent);
			if (!parent)
				return;
			if (parent == mount) {
				if (mnt_ns && FOLLOW(run, mount, mount, mnt_ns) == mnt_ns)
					section_complete(s, section);
				return;
			}
			dentry = FOLLOW(run, mount, mount, mnt_mountpoint);
			mount = parent;
			root = FOLLOW(run, WITHIN(run, mount, mount, mnt), vfsmount, mnt_root);
			continue;
		}
		parent = FOLLOW(run, dentry, dentry, d_parent);
		if (!parent)
			return;
		if (!append_name(s, section, PATH_BYTES_MAX,
				 FOLLOW(run, WITHIN(run, dentry, dentry, d_name), qstr, name)))
			return;
		if (parent == dentry) { /* a file without a place in the tree: memfd */
			section_complete(s, section);
			return;
		}
		dentry = parent;
	}
}

/* A cgroup's path in its hierarchy, leaf first, without the root. */
static __always_inline void append_cgroup(struct run *run, struct scratch *s, void *kn,
					  enum exec_section section)
{
	void *parent;

	if (!kn)
		return;
	section_begin(s, section);
	for (int i = 0; i < CGROUP_STEPS_MAX; i++) {
		parent = kernfs_parent(run, kn);
		if (!parent) {
			section_complete(s, section);
			return;
		}
		if (!append_name(s, section, CGROUP_BYTES_MAX, FOLLOW(run, kn, kernfs_node, name)))
			return;
		kn = parent;
	}
}

/* --------------------------------------------------------------------- facts */

/* argv as the new program has it: one contiguous stretch of its own memory. */
static __always_inline void read_argv(struct run *run, struct scratch *s, void *mm)
{
	struct exec_facts *facts = &s->record.facts;
	__u64 from = 0, to = 0, n;
	void *stack;

	if (!READ(run, &from, mm, mm_struct, arg_start) ||
	    !READ(run, &to, mm, mm_struct, arg_end) || to < from)
		return;
	facts->argv_bytes = to - from;
	KNOWN(facts, FACT_ARGV, 1);
	/* argc is the first word at the stack's start; four bytes serve 32-bit images too. */
	stack = FOLLOW(run, mm, mm_struct, start_stack);
	KNOWN(facts, FACT_ARGC, bpf_probe_read_user(&facts->argc, sizeof(facts->argc), stack) == 0);
	n = to - from;
	if (n > ARGV_MAX)
		n = ARGV_MAX;
	OPAQUE(n);
	if (n > ARGV_MAX || (n && bpf_probe_read_user(s->record.bytes, n, (void *)from) != 0))
		return;
	section_begin(s, SECTION_ARGV);
	section_add(s, SECTION_ARGV, n);
	if (facts->argv_bytes <= ARGV_MAX)
		section_complete(s, SECTION_ARGV);
}

static __always_inline void read_parent(struct run *run, struct exec_record *record, void *task)
{
	struct exec_facts *facts = &record->facts;
	void *parent = FOLLOW(run, task, task_struct, real_parent);
	void *leader;

	KNOWN(facts, FACT_PPID, READ(run, &record->event.ppid, parent, task_struct, tgid));
	/* real_parent may be a thread; the process is its group's leader. */
	leader = FOLLOW(run, parent, task_struct, group_leader);
	KNOWN(facts, FACT_PARENT_START, task_start_ns(run, leader, &facts->parent_start_ns));
	KNOWN(facts, FACT_PARENT_COMM, READ(run, &facts->parent_comm, leader, task_struct, comm));
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

	if (HAS_VALUE(run->access, pid_type, PIDTYPE_PGID))
		KNOWN(facts, FACT_PGID,
		      pid_number(run,
				 task_pid_of(run, task, VALUE(run->access, pid_type, PIDTYPE_PGID)),
				 &facts->pgid));
	if (HAS_VALUE(run->access, pid_type, PIDTYPE_SID))
		KNOWN(facts, FACT_SID,
		      pid_number(run,
				 task_pid_of(run, task, VALUE(run->access, pid_type, PIDTYPE_SID)),
				 &facts->sid));
	if (!READ(run, &level, pid, pid, level))
		return;
	/* numbers[level] is the innermost namespace: the one the process itself is in. */
	upid = (char *)upid + (__u64)level * SIZE(run->access, upid);
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
	KNOWN(facts, FACT_FS, bpf_probe_read_kernel_str(facts->fs, sizeof(facts->fs), name) > 0);
}

/*
 * Deleted is what the kernel's d_path calls so: the name is no longer hashed. A root
 * never was; a memfd is such a root outside any mount, with a name that the kernel gave
 * it, and there the link count tells.
 */
static __always_inline void read_links(struct run *run, struct exec_facts *facts, void *dentry,
				       void *root)
{
	void *parent = FOLLOW(run, dentry, dentry, d_parent);
	void *hash = WITHIN(run, dentry, dentry, d_hash);
	char name[8] = {};
	__u64 pprev = 0;

	if (!parent || !root)
		return;
	KNOWN(facts, FACT_MEMFD,
	      bpf_probe_read_kernel(
		      name, 6, FOLLOW(run, WITHIN(run, dentry, dentry, d_name), qstr, name)) == 0);
	if (parent == dentry && dentry != root && name[0] == 'm' && name[1] == 'e' &&
	    name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':')
		facts->flags |= EXEC_MEMFD;
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
	KNOWN(facts, FACT_TTY,
	      HAS(run->access, tty_struct, name) &&
		      bpf_probe_read_kernel_str(facts->tty, sizeof(facts->tty),
						WITHIN(run, tty, tty_struct, name)) > 1);
}

/*
 * The v1 cgroup that container engines use, NULL where the memory (else pids)
 * controller belongs to the v2 hierarchy.
 */
static __always_inline void *cgroup_v1(struct run *run, void *css_set, void *cgroup_v2)
{
	__u64 id;
	void *css, *cgroup;

	if (HAS_VALUE(run->access, cgroup_subsys_id, memory_cgrp_id))
		id = VALUE(run->access, cgroup_subsys_id, memory_cgrp_id);
	else if (HAS_VALUE(run->access, cgroup_subsys_id, pids_cgrp_id))
		id = VALUE(run->access, cgroup_subsys_id, pids_cgrp_id);
	else
		return NULL;
	if (!HAS(run->access, css_set, subsys))
		return NULL;
	css = follow_at(run, css_set, OFF(run->access, css_set, subsys) + id * sizeof(void *));
	cgroup = FOLLOW(run, css, cgroup_subsys_state, cgroup);
	if (FOLLOW(run, cgroup, cgroup, root) == FOLLOW(run, cgroup_v2, cgroup, root))
		return NULL;
	return cgroup;
}

/* What execve was asked for: the kernel's own copy of the path. */
static __always_inline void read_filename(struct scratch *s, const void *filename)
{
	__u64 at = s->at;
	long n;

	if (at > RECORD_MAX - FILENAME_BYTES_MAX)
		return;
	n = bpf_probe_read_kernel_str(&s->bytes[at], FILENAME_BYTES_MAX, filename);
	if (n <= 0)
		return;
	section_begin(s, SECTION_FILENAME);
	section_add(s, SECTION_FILENAME, n);
	if (n < FILENAME_BYTES_MAX)
		section_complete(s, SECTION_FILENAME);
}

static __always_inline void read_cgroups(struct run *run, struct scratch *s, void *task)
{
	void *css_set = FOLLOW(run, task, task_struct, cgroups);
	void *cgroup = FOLLOW(run, css_set, css_set, dfl_cgrp);
	void *kn = FOLLOW(run, cgroup, cgroup, kn);

	KNOWN(&s->record.facts, FACT_CGROUP_ID, kernfs_id(run, kn, &s->record.facts.cgroup_id));
	append_cgroup(run, s, kn, SECTION_CGROUP);
	cgroup = cgroup_v1(run, css_set, cgroup);
	append_cgroup(run, s, FOLLOW(run, cgroup, cgroup, kn), SECTION_CGROUP_V1);
}

static __always_inline void read_event(enum transport transport, struct exec_record *record)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	record->facts.flags = 0;
	record->event.time_ns = output_clock(transport, &record->facts.flags);
	record->event.tgid = pid_tgid >> 32;
	record->event.tid = pid_tgid;
	record->event.ppid = 0;
	record->event.uid = bpf_get_current_uid_gid();
	record->event.kind = RECORD_EXEC;
	record->event.version = RECORD_VERSION;
	record->event.part = 0;
	record->event.parts = 1;
	record->facts.present = 0;
	__builtin_memset(record->facts.section_len, 0, sizeof(record->facts.section_len));
	KNOWN(&record->facts, FACT_COMM,
	      bpf_get_current_comm(record->facts.comm, sizeof(record->facts.comm)) == 0);
}

static __always_inline void read_exec(struct run *run, enum transport transport, struct scratch *s,
				      const void *filename)
{
	struct exec_facts *facts = &s->record.facts;
	void *task = (void *)bpf_get_current_task();
	void *mm = FOLLOW(run, task, task_struct, mm);
	void *file = FOLLOW(run, mm, mm_struct, exe_file);
	void *path = WITHIN(run, file, file, f_path);
	void *mnt_ns = FOLLOW(run, FOLLOW(run, task, task_struct, nsproxy), nsproxy, mnt_ns);

	read_event(transport, &s->record);
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
	s->at = sizeof(struct exec_record);
	read_argv(run, s, mm);
	read_filename(s, filename);
	append_path(run, s, path, mnt_ns, SECTION_EXE);
	append_path(run, s, WITHIN(run, FOLLOW(run, task, task_struct, fs), fs_struct, pwd), mnt_ns,
		    SECTION_CWD);
	read_cgroups(run, s, task);
}

/*
 * The body. filename is the kernel's copy of the path that execve was given. access
 * and transport are constants in every caller.
 */
static __always_inline int exec_event(enum access access, enum transport transport,
				      const void *filename)
{
	struct run run = {.access = access};
	struct exec_counters *counts = counters_get();
	struct scratch *s = scratch_get();
	__u64 owner = bpf_get_current_pid_tgid();
	__u64 length;

	if (!counts)
		return 0;
	__sync_fetch_and_add(&counts->attempted, 1);
	if (!s) {
		__sync_fetch_and_add(&counts->lost[LOSS_NO_SCRATCH], 1);
		return 0;
	}
	*(volatile __u64 *)&s->owner = owner;
	read_exec(&run, transport, s, filename);
	length = s->at;
	OPAQUE(length);
	if (length > RECORD_MAX)
		length = RECORD_MAX;
	s->record.event.length = length;
	if (*(volatile __u64 *)&s->owner != owner)
		__sync_fetch_and_add(&counts->lost[LOSS_SCRATCH_RACE], 1);
	else if (output_record(transport, &s->record, length) < 0)
		__sync_fetch_and_add(&counts->lost[LOSS_BUFFER_FULL], 1);
	return 0;
}

#endif
