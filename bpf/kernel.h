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
	if (HAS(run, task_struct, start_boottime))
		return READ(run, start_ns, task, task_struct, start_boottime);
	return READ(run, start_ns, task, task_struct, real_start_time);
}

/* Container-Optimized OS keeps loginuid and sessionid in a struct of their own. */
static __always_inline int task_login_uid(struct run *run, void *task, __u32 *uid)
{
	if (HAS(run, task_struct, loginuid))
		return READ(run, uid, task, task_struct, loginuid);
	return READ(run, uid, FOLLOW(run, task, task_struct, audit), audit_task_info, loginuid);
}

static __always_inline int task_audit_session(struct run *run, void *task, __u32 *id)
{
	if (HAS(run, task_struct, sessionid))
		return READ(run, id, task, task_struct, sessionid);
	return READ(run, id, FOLLOW(run, task, task_struct, audit), audit_task_info, sessionid);
}

/* The task's own struct pid. 4.19 (2c4704756cab) moved it out of the pids[] links. */
static __always_inline void *task_pid(struct run *run, void *task)
{
	if (HAS(run, task_struct, thread_pid))
		return FOLLOW(run, task, task_struct, thread_pid);
	if (!HAS(run, task_struct, pids) || !HAS(run, pid_link, pid))
		return NULL;
	return follow_at(run, task, OFF(run, task_struct, pids) + OFF(run, pid_link, pid));
}

/*
 * The struct pid of a task's process group or session: type is the running kernel's
 * PIDTYPE_PGID or PIDTYPE_SID. Since 4.19 in the signal struct, before in the
 * leader's pids[] links.
 */
static __always_inline void *task_pid_of(struct run *run, void *task, __u64 type)
{
	void *leader;

	if (HAS(run, signal_struct, pids))
		return follow_at(run, FOLLOW(run, task, task_struct, signal),
				 OFF(run, signal_struct, pids) + type * sizeof(void *));
	if (!HAS(run, task_struct, pids) || !HAS(run, pid_link, pid) || !HAS_SIZE(run, pid_link))
		return NULL;
	leader = FOLLOW(run, task, task_struct, group_leader);
	return follow_at(run, leader,
			 OFF(run, task_struct, pids) + type * SIZE(run, pid_link) +
				 OFF(run, pid_link, pid));
}

/* A file's modification time; 6.7 (12cd44023651) and 6.11 (3aa63a569c64) renamed and split it. */
static __always_inline int inode_mtime(struct run *run, void *inode, __s64 *sec, __u32 *nsec)
{
	void *mtime;

	if (HAS(run, inode, i_mtime_sec))
		return READ(run, sec, inode, inode, i_mtime_sec) &&
		       READ(run, nsec, inode, inode, i_mtime_nsec);
	if (HAS(run, inode, __i_mtime))
		mtime = WITHIN(run, inode, inode, __i_mtime);
	else
		mtime = WITHIN(run, inode, inode, i_mtime);
	return READ(run, sec, mtime, timespec64, tv_sec) &&
	       READ(run, nsec, mtime, timespec64, tv_nsec);
}

/* The id that bpf_get_current_cgroup_id gives; 5.5 (67c0496e87d1) made the union a number. */
static __always_inline int kernfs_id(struct run *run, void *kn, __u64 *id)
{
	if (run->access != ACCESS_CORE || bpf_core_field_exists(MEMBER(kernfs_node, id)))
		return READ(run, id, kn, kernfs_node, id);
	if (!bpf_core_field_exists(MEMBER(kernfs_node___union, id)) ||
	    !read_word(run, sizeof(*id), kn,
		       __builtin_preserve_field_info(MEMBER(kernfs_node___union, id),
						     BPF_FIELD_BYTE_OFFSET)))
		return 0;
	*id = run->text[0];
	return 1;
}

/* 6.15 (633488947ef6) made the pointer RCU-protected and renamed it. */
static __always_inline int kernfs_has_parent(struct run *run)
{
	return HAS(run, kernfs_node, __parent) || HAS(run, kernfs_node, parent);
}

/* Only where kernfs_has_parent. */
static __always_inline void *kernfs_parent(struct run *run, void *kn)
{
	if (HAS(run, kernfs_node, __parent))
		return FOLLOW_KNOWN(run, kn, kernfs_node, __parent);
	return FOLLOW_KNOWN(run, kn, kernfs_node, parent);
}

/* ------------------------------------------------------------- user registers */

/*
 * Where a process's registers of user mode lie: at the top of its kernel stack, which
 * is aligned to its size. The size is 16 KiB on x86-64 (since 3.15, 6538b8ea886e) and arm64,
 * 32 KiB under KASAN, 64 KiB where arm64 has pages of that size or x86 KMSAN; above
 * the registers x86 leaves 16 bytes where FRED is built in (6.9, 65c9cc9e2c14), arm64
 * did so until 4.13 (34be98f4944f). A place is believed only if what an exec leaves
 * there is there: no other exec's, since it is this task's own stack.
 */
enum { STACK_SHIFT_MIN = 14, STACK_SHIFT_MAX = 16, STACK_PADDING = 16 };

/* Addresses of user space: 56 bits with five levels of page tables. */
static __always_inline int is_user_address(__u64 address)
{
	return address >= 4096 && address < 1ULL << 56;
}

#if defined(__TARGET_ARCH_arm64)

/* struct user_pt_regs: x0 … x30, sp, pc, pstate (arch/arm64/include/uapi/asm/ptrace.h). */
enum { REGS_SP = 248, REGS_PC = 256, REGS_PSTATE = 264 };
/* sizeof(struct pt_regs) has been 288 to 352, in steps of 16. */
enum { REGS_MIN = 288, REGS_MAX = 352, REGS_STEP = 16 };

/* start_thread: all zero but pc, sp and the mode, EL0t or 32 bits. */
static __always_inline __u64 user_stack_at(struct run *run, __u64 regs)
{
	__u64 sp;

	if (!read_word(run, 8, (void *)regs, REGS_PSTATE) || (run->text[0] & ~0x10ULL & 0x1f) ||
	    !read_word(run, 8, (void *)regs, 8) || run->text[0] ||
	    !read_word(run, 8, (void *)regs, REGS_PC) || !is_user_address(run->text[0]) ||
	    !read_word(run, 8, (void *)regs, REGS_SP))
		return 0;
	sp = run->text[0];
	/* compat_start_thread's sp is x13. */
	if (!sp && read_word(run, 8, (void *)regs, 13 * 8))
		sp = run->text[0];
	return is_user_address(sp) ? sp : 0;
}

#else

/* struct pt_regs: 15 registers, orig_ax, ip, cs, flags, sp, ss (arch/x86/include/asm/ptrace.h). */
enum { REGS_IP = 128, REGS_SP = 152, REGS_MIN = 168, REGS_MAX = 168, REGS_STEP = 8 };

/* start_thread: __USER_CS or __USER32_CS, __USER_DS, interrupts on. FRED has other bits above 16. */
static __always_inline __u64 user_stack_at(struct run *run, __u64 regs)
{
	__u64 cs, sp;

	if (bpf_probe_read_kernel(run->text, 32, (void *)(regs + REGS_IP)))
		return 0;
	cs = run->text[1] & 0xffff;
	sp = run->text[3];
	if (!is_user_address(run->text[0]) || (cs != 0x33 && cs != 0x23) ||
	    !(run->text[2] & 0x200) || !is_user_address(sp) ||
	    !read_word(run, 8, (void *)regs, REGS_SP + 8) || (run->text[0] & 0xffff) != 0x2b)
		return 0;
	return sp;
}

#endif

/* The stack pointer of user mode, from any address in the task's kernel stack. 0: not found. */
static __always_inline __u64 user_stack(struct run *run, __u64 kernel_stack)
{
	__u64 top, sp;

#pragma unroll
	for (int shift = STACK_SHIFT_MIN; shift <= STACK_SHIFT_MAX; shift++) {
#pragma unroll
		for (int padding = 0; padding <= STACK_PADDING; padding += STACK_PADDING) {
#pragma unroll
			for (int size = REGS_MIN; size <= REGS_MAX; size += REGS_STEP) {
				top = (kernel_stack | ((1ULL << shift) - 1)) + 1;
				sp = user_stack_at(run, top - padding - size);
				if (sp)
					return sp;
			}
		}
	}
	return 0;
}

#endif
