/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one home for differences between kernels: each function answers one
 * question about a kernel object, whatever the kernel called the answer.
 */
#ifndef CORMORANT_BPF_KERNEL_H
#define CORMORANT_BPF_KERNEL_H

#include "access.h"

/*
 * Start of a task on the boot clock. 5.5 (cf25e24db61c) renamed real_start_time;
 * both are boot time.
 */
static __always_inline int task_start_ns(struct run *run, void *task, __u64 *start_ns)
{
	if (HAS(run->access, task_struct, start_boottime))
		return READ(run, start_ns, task, task_struct, start_boottime);
	return READ(run, start_ns, task, task_struct, real_start_time);
}

/* Container-Optimized OS keeps loginuid and sessionid in a struct of their own. */
static __always_inline int task_login_uid(struct run *run, void *task, __u32 *uid)
{
	if (HAS(run->access, task_struct, loginuid))
		return READ(run, uid, task, task_struct, loginuid);
	return READ(run, uid, FOLLOW(run, task, task_struct, audit), audit_task_info, loginuid);
}

static __always_inline int task_audit_session(struct run *run, void *task, __u32 *id)
{
	if (HAS(run->access, task_struct, sessionid))
		return READ(run, id, task, task_struct, sessionid);
	return READ(run, id, FOLLOW(run, task, task_struct, audit), audit_task_info, sessionid);
}

/* The task's own struct pid. 4.19 (2c4704756cab) moved it out of the pids[] links. */
static __always_inline void *task_pid(struct run *run, void *task)
{
	if (HAS(run->access, task_struct, thread_pid))
		return FOLLOW(run, task, task_struct, thread_pid);
	if (!HAS(run->access, task_struct, pids))
		return NULL;
	return follow_at(run, task,
			 OFF(run->access, task_struct, pids) + OFF(run->access, pid_link, pid));
}

/*
 * The struct pid of a task's process group or session: type is the running kernel's
 * PIDTYPE_PGID or PIDTYPE_SID. Since 4.19 in the signal struct, before in the
 * leader's pids[] links.
 */
static __always_inline void *task_pid_of(struct run *run, void *task, __u64 type)
{
	void *leader;

	if (HAS(run->access, signal_struct, pids))
		return follow_at(run, FOLLOW(run, task, task_struct, signal),
				 OFF(run->access, signal_struct, pids) + type * sizeof(void *));
	if (!HAS(run->access, task_struct, pids))
		return NULL;
	leader = FOLLOW(run, task, task_struct, group_leader);
	return follow_at(run, leader,
			 OFF(run->access, task_struct, pids) + type * SIZE(run->access, pid_link) +
				 OFF(run->access, pid_link, pid));
}

/* A file's modification time; 6.7 (12cd44023651) and 6.11 (3aa63a569c64) renamed and split it. */
static __always_inline int inode_mtime(struct run *run, void *inode, __s64 *sec, __u32 *nsec)
{
	void *mtime;

	if (HAS(run->access, inode, i_mtime_sec))
		return READ(run, sec, inode, inode, i_mtime_sec) &&
		       READ(run, nsec, inode, inode, i_mtime_nsec);
	if (HAS(run->access, inode, __i_mtime))
		mtime = WITHIN(run, inode, inode, __i_mtime);
	else
		mtime = WITHIN(run, inode, inode, i_mtime);
	return READ(run, sec, mtime, timespec64, tv_sec) &&
	       READ(run, nsec, mtime, timespec64, tv_nsec);
}

/* The id that bpf_get_current_cgroup_id gives; 5.5 (67c0496e87d1) made the union a number. */
static __always_inline int kernfs_id(struct run *run, void *kn, __u64 *id)
{
	if (HAS(run->access, kernfs_node, id))
		return READ(run, id, kn, kernfs_node, id);
	return READ(run, id, kn, kernfs_node___union, id);
}

/* 6.15 (633488947ef6) made the pointer RCU-protected and renamed it. */
static __always_inline void *kernfs_parent(struct run *run, void *kn)
{
	if (HAS(run->access, kernfs_node, __parent))
		return FOLLOW(run, kn, kernfs_node, __parent);
	return FOLLOW(run, kn, kernfs_node, parent);
}

#endif
