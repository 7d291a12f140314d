/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The one list of kernel struct members that Cormorant reads: one line a member,
 * M(struct, type as the BPF program sees it, member, what for). Made from it are the BPF
 * build's CO-RE types (bpf/access.h), the offsets in a BPF map
 * (cormorant/kernel_offsets.h), and what is looked for in BTF and in databases
 * (sensor/offsets.c).
 *
 * What for is NEEDED(the facts of a record, cormorant/record.h, that are not there without
 * it), which the sensor names it by where they are missing; or, of what an older or a
 * vendor's kernel has in its place, INSTEAD(number of struct kernel_offsets).
 *
 * Only names matter, so members that the kernel renamed stand side by side under
 * one struct; which of them a kernel has is asked at load time, and bpf/kernel.h is
 * the one place that chooses between them. Pointers are all void pointers here:
 * what they point to is said where they are followed.
 */
#ifndef CORMORANT_KERNEL_MEMBERS_H
#define CORMORANT_KERNEL_MEMBERS_H

/* clang-format off */

#define KERNEL_upid(M) \
	M(upid, __u32, nr, NEEDED(F(PGID) | F(SID) | F(NAMESPACE_PID))) \
	M(upid, void *, ns, NEEDED(NS(PID)))

#define KERNEL_pid(M) \
	M(pid, __u32, level, NEEDED(F(NAMESPACE_PID) | NS(PID))) \
	M(pid, __typeof__(struct upid[1]), numbers, NEEDED(F(PGID) | F(SID) | F(NAMESPACE_PID) | NS(PID)))

#define KERNEL_pid_link(M) /* until 4.19 */ \
	M(pid_link, void *, pid, INSTEAD(task_struct__thread_pid))

#define KERNEL_ns_common(M) \
	M(ns_common, __u32, inum, NEEDED(NS_ALL))

#define KERNEL_nsproxy(M) \
	M(nsproxy, void *, uts_ns, NEEDED(NS(UTS))) \
	M(nsproxy, void *, ipc_ns, NEEDED(NS(IPC))) \
	M(nsproxy, void *, mnt_ns, NEEDED(NS(MNT))) \
	M(nsproxy, void *, net_ns, NEEDED(NS(NET))) \
	M(nsproxy, void *, time_ns, NEEDED(NS(TIME))) /* since 5.6 */ \
	M(nsproxy, void *, cgroup_ns, NEEDED(NS(CGROUP))) /* since 4.6 */

#define KERNEL_uts_namespace(M) M(uts_namespace, struct ns_common, ns, NEEDED(NS(UTS)))
#define KERNEL_ipc_namespace(M) M(ipc_namespace, struct ns_common, ns, NEEDED(NS(IPC)))
#define KERNEL_mnt_namespace(M) M(mnt_namespace, struct ns_common, ns, NEEDED(NS(MNT)))
#define KERNEL_net(M) M(net, struct ns_common, ns, NEEDED(NS(NET)))
#define KERNEL_time_namespace(M) M(time_namespace, struct ns_common, ns, NEEDED(NS(TIME)))
#define KERNEL_cgroup_namespace(M) M(cgroup_namespace, struct ns_common, ns, NEEDED(NS(CGROUP)))
#define KERNEL_pid_namespace(M) M(pid_namespace, struct ns_common, ns, NEEDED(NS(PID)))
#define KERNEL_user_namespace(M) M(user_namespace, struct ns_common, ns, NEEDED(NS(USER)))

#define KERNEL_cred(M) \
	M(cred, struct kernel_id, uid, NEEDED(ID(UID))) \
	M(cred, struct kernel_id, gid, NEEDED(ID(GID))) \
	M(cred, struct kernel_id, suid, NEEDED(ID(SUID))) \
	M(cred, struct kernel_id, sgid, NEEDED(ID(SGID))) \
	M(cred, struct kernel_id, euid, NEEDED(ID(EUID))) \
	M(cred, struct kernel_id, egid, NEEDED(ID(EGID))) \
	M(cred, struct kernel_id, fsuid, NEEDED(ID(FSUID))) \
	M(cred, struct kernel_id, fsgid, NEEDED(ID(FSGID))) \
	M(cred, struct kernel_caps, cap_inheritable, NEEDED(CAPS(INHERITABLE))) \
	M(cred, struct kernel_caps, cap_permitted, NEEDED(CAPS(PERMITTED))) \
	M(cred, struct kernel_caps, cap_effective, NEEDED(CAPS(EFFECTIVE))) \
	M(cred, void *, user_ns, NEEDED(NS(USER)))

#define KERNEL_mm_struct(M) \
	M(mm_struct, unsigned long, arg_start, NEEDED(ARGS)) \
	M(mm_struct, unsigned long, arg_end, NEEDED(ARGS)) \
	M(mm_struct, unsigned long, env_end, NEEDED(SECTION(FILENAME))) \
	M(mm_struct, unsigned long, start_stack, NEEDED(F(ARGC) | F(PARENT_STACK))) \
	M(mm_struct, void *, exe_file, NEEDED(EXE_FILE | LINKS | SECTION(EXE)))

#define KERNEL_path(M) \
	M(path, void *, mnt, NEEDED(LINKS | PATHS)) \
	M(path, void *, dentry, NEEDED(LINKS | PATHS))

#define KERNEL_file(M) \
	M(file, struct path, f_path, NEEDED(LINKS | SECTION(EXE))) \
	M(file, void *, f_inode, NEEDED(EXE_FILE | F(DELETED)))

#define KERNEL_fs_struct(M) \
	M(fs_struct, struct path, pwd, NEEDED(SECTION(CWD)))

#define KERNEL_qstr(M) \
	M(qstr, void *, name, NEEDED(F(MEMFD) | PATHS))

#define KERNEL_hlist_bl_node(M) \
	M(hlist_bl_node, void *, pprev, NEEDED(F(DELETED)))

#define KERNEL_dentry(M) \
	M(dentry, void *, d_parent, NEEDED(LINKS | PATHS)) \
	M(dentry, struct qstr, d_name, NEEDED(F(MEMFD) | PATHS)) \
	M(dentry, struct hlist_bl_node, d_hash, NEEDED(F(DELETED)))

#define KERNEL_vfsmount(M) \
	M(vfsmount, void *, mnt_root, NEEDED(LINKS | PATHS))

#define KERNEL_mount(M) \
	M(mount, struct vfsmount, mnt, NEEDED(PATHS)) \
	M(mount, void *, mnt_parent, NEEDED(PATHS)) \
	M(mount, void *, mnt_mountpoint, NEEDED(PATHS)) \
	M(mount, void *, mnt_ns, NEEDED(PATHS))

#define KERNEL_timespec64(M) \
	M(timespec64, __s64, tv_sec, NEEDED(F(MTIME))) \
	M(timespec64, long, tv_nsec, NEEDED(F(MTIME)))

#define KERNEL_inode(M) \
	M(inode, __u16, i_mode, NEEDED(F(MODE))) \
	M(inode, void *, i_sb, NEEDED(F(DEV) | F(FS))) \
	M(inode, unsigned long, i_ino, NEEDED(F(INODE))) \
	M(inode, __u32, i_nlink, NEEDED(F(NLINK) | F(DELETED))) \
	M(inode, __s64, i_size, NEEDED(F(SIZE))) \
	M(inode, struct timespec64, i_mtime, INSTEAD(inode__i_mtime_sec)) /* until 6.6 */ \
	M(inode, struct timespec64, __i_mtime, INSTEAD(inode__i_mtime_sec)) /* 6.7 to 6.10 */ \
	M(inode, __s64, i_mtime_sec, NEEDED(F(MTIME))) /* since 6.11 */ \
	M(inode, __u32, i_mtime_nsec, NEEDED(0)) /* since 6.11, with i_mtime_sec */

#define KERNEL_super_block(M) \
	M(super_block, __u32, s_dev, NEEDED(F(DEV))) \
	M(super_block, void *, s_type, NEEDED(F(FS)))

#define KERNEL_file_system_type(M) \
	M(file_system_type, void *, name, NEEDED(F(FS)))

#define KERNEL_kernfs_node(M) \
	M(kernfs_node, void *, parent, INSTEAD(kernfs_node____parent)) /* until 6.14 */ \
	M(kernfs_node, void *, __parent, NEEDED(CGROUPS)) /* since 6.15 */ \
	M(kernfs_node, void *, name, NEEDED(CGROUPS)) \
	M(kernfs_node, __u64, id, NEEDED(F(CGROUP_ID))) /* since 5.5; a union before */

#define KERNEL_cgroup(M) \
	M(cgroup, void *, kn, NEEDED(F(CGROUP_ID) | CGROUPS)) \
	M(cgroup, void *, root, NEEDED(SECTION(CGROUP_V1)))

#define KERNEL_cgroup_subsys_state(M) \
	M(cgroup_subsys_state, void *, cgroup, NEEDED(SECTION(CGROUP_V1)))

#define KERNEL_css_set(M) \
	M(css_set, __typeof__(void *[1]), subsys, NEEDED(SECTION(CGROUP_V1))) \
	M(css_set, void *, dfl_cgrp, NEEDED(F(CGROUP_ID) | SECTION(CGROUP)))

#define KERNEL_tty_struct(M) \
	M(tty_struct, __typeof__(char[64]), name, NEEDED(F(TTY)))

#define KERNEL_signal_struct(M) \
	M(signal_struct, __typeof__(void *[1]), pids, NEEDED(F(PGID) | F(SID))) /* since 4.19 */ \
	M(signal_struct, void *, tty, NEEDED(F(TTY)))

#define KERNEL_audit_task_info(M) /* Container-Optimized OS */ \
	M(audit_task_info, struct kernel_id, loginuid, INSTEAD(task_struct__loginuid)) \
	M(audit_task_info, __u32, sessionid, INSTEAD(task_struct__sessionid))

#define KERNEL_task_struct(M) \
	M(task_struct, __u32, tgid, NEEDED(F(PPID))) \
	M(task_struct, void *, real_parent, NEEDED(F(PPID) | F(PARENT_START) | F(PARENT_COMM) | F(PARENT_EXEC_ID) | F(PARENT_STACK))) \
	M(task_struct, void *, group_leader, NEEDED(F(START) | F(PARENT_START) | F(PARENT_COMM) | F(PARENT_EXEC_ID) | F(PARENT_STACK))) \
	M(task_struct, void *, thread_pid, NEEDED(F(NAMESPACE_PID) | NS(PID))) /* since 4.19 */ \
	M(task_struct, __typeof__(struct pid_link[1]), pids, INSTEAD(task_struct__thread_pid)) /* until 4.18 */ \
	M(task_struct, __u64, start_boottime, NEEDED(F(START) | F(PARENT_START))) /* since 5.5 */ \
	M(task_struct, __u64, real_start_time, INSTEAD(task_struct__start_boottime)) /* until 5.4 */ \
	M(task_struct, __typeof__(char[16]), comm, NEEDED(F(PARENT_COMM))) \
	M(task_struct, __u32, self_exec_id, NEEDED(F(EXEC_ID) | F(PARENT_EXEC_ID))) /* u64 since 5.7: the low half is read */ \
	M(task_struct, void *, cred, NEEDED(CREDS)) \
	M(task_struct, struct kernel_id, loginuid, NEEDED(F(LOGIN_UID))) \
	M(task_struct, __u32, sessionid, NEEDED(F(AUDIT_SESSION))) \
	M(task_struct, void *, audit, INSTEAD(task_struct__loginuid)) /* COS */ \
	M(task_struct, void *, signal, NEEDED(F(TTY) | F(PGID) | F(SID))) \
	M(task_struct, void *, nsproxy, NEEDED(NS_PROXY)) \
	M(task_struct, void *, mm, NEEDED(ARGS | F(ARGC) | F(PARENT_STACK) | SECTION(FILENAME) | EXE_FILE | LINKS | SECTION(EXE))) \
	M(task_struct, void *, fs, NEEDED(SECTION(CWD))) \
	M(task_struct, __u16, migration_disabled, NEEDED(0)) /* since 5.7, where preemption is */ \
	M(task_struct, void *, cgroups, NEEDED(F(CGROUP_ID) | CGROUPS))

#define KERNEL_linux_binprm(M) \
	M(linux_binprm, void *, filename, NEEDED(0))

/* Every struct, embedded ones before those that hold them: S(struct). */
#define KERNEL_STRUCTS(S) \
	S(upid) S(pid) S(pid_link) S(ns_common) S(nsproxy) S(uts_namespace) S(ipc_namespace) \
	S(mnt_namespace) S(net) S(time_namespace) S(cgroup_namespace) S(pid_namespace) \
	S(user_namespace) S(cred) S(mm_struct) S(path) S(file) S(fs_struct) S(qstr) \
	S(hlist_bl_node) S(dentry) S(vfsmount) S(mount) S(timespec64) S(inode) S(super_block) \
	S(file_system_type) S(kernfs_node) S(cgroup) S(cgroup_subsys_state) S(css_set) \
	S(tty_struct) S(signal_struct) S(audit_task_info) S(task_struct) S(linux_binprm)

/* Structs whose size counts, since arrays of them are indexed: S(struct, what for). */
#define KERNEL_SIZES(S) \
	S(upid, NEEDED(F(NAMESPACE_PID) | NS(PID))) \
	S(pid_link, INSTEAD(task_struct__thread_pid))

/* Enumerators whose number counts: V(enum, enumerator, what for). */
#define KERNEL_VALUES(V) \
	V(pid_type, PIDTYPE_PGID, NEEDED(F(PGID))) \
	V(pid_type, PIDTYPE_SID, NEEDED(F(SID))) \
	V(cgroup_subsys_id, memory_cgrp_id, NEEDED(SECTION(CGROUP_V1))) \
	V(cgroup_subsys_id, pids_cgrp_id, INSTEAD(value__memory_cgrp_id))

/* clang-format on */

#endif
