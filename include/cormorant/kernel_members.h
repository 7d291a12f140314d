/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The one list of kernel struct members that Cormorant reads: one line a member,
 * M(struct, type as the BPF program sees it, member). Made from it are the BPF
 * build's CO-RE types (bpf/access.h), the offsets in a BPF map
 * (cormorant/kernel_offsets.h), and what is looked for in BTF and in databases
 * (sensor/offsets.c).
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
	M(upid, __u32, nr) \
	M(upid, void *, ns)

#define KERNEL_pid(M) \
	M(pid, __u32, level) \
	M(pid, __typeof__(struct upid[1]), numbers)

#define KERNEL_pid_link(M) /* until 4.19 */ \
	M(pid_link, void *, pid)

#define KERNEL_ns_common(M) \
	M(ns_common, __u32, inum)

#define KERNEL_nsproxy(M) \
	M(nsproxy, void *, uts_ns) \
	M(nsproxy, void *, ipc_ns) \
	M(nsproxy, void *, mnt_ns) \
	M(nsproxy, void *, net_ns) \
	M(nsproxy, void *, time_ns) /* since 5.6 */ \
	M(nsproxy, void *, cgroup_ns) /* since 4.6 */

#define KERNEL_uts_namespace(M) M(uts_namespace, struct ns_common, ns)
#define KERNEL_ipc_namespace(M) M(ipc_namespace, struct ns_common, ns)
#define KERNEL_mnt_namespace(M) M(mnt_namespace, struct ns_common, ns)
#define KERNEL_net(M) M(net, struct ns_common, ns)
#define KERNEL_time_namespace(M) M(time_namespace, struct ns_common, ns)
#define KERNEL_cgroup_namespace(M) M(cgroup_namespace, struct ns_common, ns)
#define KERNEL_pid_namespace(M) M(pid_namespace, struct ns_common, ns)
#define KERNEL_user_namespace(M) M(user_namespace, struct ns_common, ns)

#define KERNEL_cred(M) \
	M(cred, struct kernel_id, uid) \
	M(cred, struct kernel_id, gid) \
	M(cred, struct kernel_id, suid) \
	M(cred, struct kernel_id, sgid) \
	M(cred, struct kernel_id, euid) \
	M(cred, struct kernel_id, egid) \
	M(cred, struct kernel_id, fsuid) \
	M(cred, struct kernel_id, fsgid) \
	M(cred, struct kernel_caps, cap_inheritable) \
	M(cred, struct kernel_caps, cap_permitted) \
	M(cred, struct kernel_caps, cap_effective) \
	M(cred, void *, user_ns)

#define KERNEL_mm_struct(M) \
	M(mm_struct, unsigned long, arg_start) \
	M(mm_struct, unsigned long, arg_end) \
	M(mm_struct, unsigned long, env_end) \
	M(mm_struct, unsigned long, start_stack) \
	M(mm_struct, void *, exe_file)

#define KERNEL_path(M) \
	M(path, void *, mnt) \
	M(path, void *, dentry)

#define KERNEL_file(M) \
	M(file, struct path, f_path) \
	M(file, void *, f_inode)

#define KERNEL_fs_struct(M) \
	M(fs_struct, struct path, pwd)

#define KERNEL_qstr(M) \
	M(qstr, void *, name)

#define KERNEL_hlist_bl_node(M) \
	M(hlist_bl_node, void *, pprev)

#define KERNEL_dentry(M) \
	M(dentry, void *, d_parent) \
	M(dentry, struct qstr, d_name) \
	M(dentry, struct hlist_bl_node, d_hash)

#define KERNEL_vfsmount(M) \
	M(vfsmount, void *, mnt_root)

#define KERNEL_mount(M) \
	M(mount, struct vfsmount, mnt) \
	M(mount, void *, mnt_parent) \
	M(mount, void *, mnt_mountpoint) \
	M(mount, void *, mnt_ns)

#define KERNEL_timespec64(M) \
	M(timespec64, __s64, tv_sec) \
	M(timespec64, long, tv_nsec)

#define KERNEL_inode(M) \
	M(inode, __u16, i_mode) \
	M(inode, void *, i_sb) \
	M(inode, unsigned long, i_ino) \
	M(inode, __u32, i_nlink) \
	M(inode, __s64, i_size) \
	M(inode, struct timespec64, i_mtime) /* until 6.6 */ \
	M(inode, struct timespec64, __i_mtime) /* 6.7 to 6.10 */ \
	M(inode, __s64, i_mtime_sec) /* since 6.11 */ \
	M(inode, __u32, i_mtime_nsec) /* since 6.11 */

#define KERNEL_super_block(M) \
	M(super_block, __u32, s_dev) \
	M(super_block, void *, s_type)

#define KERNEL_file_system_type(M) \
	M(file_system_type, void *, name)

#define KERNEL_kernfs_node(M) \
	M(kernfs_node, void *, parent) /* until 6.14 */ \
	M(kernfs_node, void *, __parent) /* since 6.15 */ \
	M(kernfs_node, void *, name) \
	M(kernfs_node, __u64, id) /* since 5.5; a union before */

#define KERNEL_cgroup(M) \
	M(cgroup, void *, kn) \
	M(cgroup, void *, root)

#define KERNEL_cgroup_subsys_state(M) \
	M(cgroup_subsys_state, void *, cgroup)

#define KERNEL_css_set(M) \
	M(css_set, __typeof__(void *[1]), subsys) \
	M(css_set, void *, dfl_cgrp)

#define KERNEL_tty_struct(M) \
	M(tty_struct, __typeof__(char[64]), name)

#define KERNEL_signal_struct(M) \
	M(signal_struct, __typeof__(void *[1]), pids) /* since 4.19 */ \
	M(signal_struct, void *, tty)

#define KERNEL_audit_task_info(M) /* Container-Optimized OS */ \
	M(audit_task_info, struct kernel_id, loginuid) \
	M(audit_task_info, __u32, sessionid)

#define KERNEL_task_struct(M) \
	M(task_struct, __u32, tgid) \
	M(task_struct, void *, real_parent) \
	M(task_struct, void *, group_leader) \
	M(task_struct, void *, thread_pid) /* since 4.19 */ \
	M(task_struct, __typeof__(struct pid_link[1]), pids) /* until 4.18 */ \
	M(task_struct, __u64, start_boottime) /* since 5.5 */ \
	M(task_struct, __u64, real_start_time) /* until 5.4 */ \
	M(task_struct, __typeof__(char[16]), comm) \
	M(task_struct, __u32, self_exec_id) /* u64 since 5.7: the low half is read */ \
	M(task_struct, void *, cred) \
	M(task_struct, struct kernel_id, loginuid) \
	M(task_struct, __u32, sessionid) \
	M(task_struct, void *, audit) /* COS */ \
	M(task_struct, void *, signal) \
	M(task_struct, void *, nsproxy) \
	M(task_struct, void *, mm) \
	M(task_struct, void *, fs) \
	M(task_struct, __u16, migration_disabled) /* since 5.7, where preemption is */ \
	M(task_struct, void *, cgroups)

#define KERNEL_linux_binprm(M) \
	M(linux_binprm, void *, filename)

/* Every struct, embedded ones before those that hold them: S(struct). */
#define KERNEL_STRUCTS(S) \
	S(upid) S(pid) S(pid_link) S(ns_common) S(nsproxy) S(uts_namespace) S(ipc_namespace) \
	S(mnt_namespace) S(net) S(time_namespace) S(cgroup_namespace) S(pid_namespace) \
	S(user_namespace) S(cred) S(mm_struct) S(path) S(file) S(fs_struct) S(qstr) \
	S(hlist_bl_node) S(dentry) S(vfsmount) S(mount) S(timespec64) S(inode) S(super_block) \
	S(file_system_type) S(kernfs_node) S(cgroup) S(cgroup_subsys_state) S(css_set) \
	S(tty_struct) S(signal_struct) S(audit_task_info) S(task_struct) S(linux_binprm)

/* Structs whose size counts, since arrays of them are indexed: S(struct). */
#define KERNEL_SIZES(S) S(upid) S(pid_link)

/* Enumerators whose number counts: V(enum, enumerator). */
#define KERNEL_VALUES(V) \
	V(pid_type, PIDTYPE_PGID) \
	V(pid_type, PIDTYPE_SID) \
	V(cgroup_subsys_id, memory_cgrp_id) \
	V(cgroup_subsys_id, pids_cgrp_id)

/* clang-format on */

#endif
