// SPDX-License-Identifier: Apache-2.0
/*
 * Something that looks like a vmlinux to offsets-builder: some of the kernel's structs, with
 * whatever may surround a member. make_images compiles it with debug information, and once
 * more with -DTRUTH as a program that prints where the members lie: the compiler's word.
 */
typedef int pid_t;
typedef struct {
	unsigned int val;
} kuid_t;
typedef kuid_t const login_t;
typedef struct {
	unsigned int cap[2];
} kernel_cap_t;

/* Makes one layout differ from another. */
#ifndef SHIFT
#define SHIFT 8
#endif

struct net; /* never defined */
struct user_namespace;

struct upid {
	const int nr;
	struct pid_namespace *ns;
	char filler[SHIFT];
};

struct ns_common {
	void *stashed;
	unsigned int inum;
};

struct pid_namespace {
	char filler[SHIFT];
	struct ns_common ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[]; /* flexible: no bytes */
};

struct cred {
	kuid_t uid;
	volatile kuid_t gid;
	kuid_t suid[2];		 /* an array where an id is read: absent */
	unsigned long long euid; /* the lower half is read */
	kernel_cap_t cap_effective;
	unsigned int cap_permitted; /* too small: absent */
	struct user_namespace *const user_ns;
};

struct vfsmount;
struct path {
	struct vfsmount *mnt;
	void *dentry;
};

struct file {
	struct path f_path;
	void **f_inode;
};

struct fs_struct {
	struct path *pwd; /* a pointer where a struct is read: absent */
};

/* timespec64 before 4.18 */
struct timespec {
	long tv_sec;
	long tv_nsec;
};

struct inode {
	unsigned short i_mode;
	unsigned int i_flags : 12;
	unsigned int i_nlink : 20; /* a bit field: absent */
	unsigned long i_ino;
	struct timespec i_mtime;
};

struct tty_struct {
	char filler[SHIFT + 1];
	char name[64];
};

struct css_set {
	void *subsys[13];
	int matrix[3][5];
};

struct mm_struct {
	struct {
		char filler[3 * SHIFT];
		unsigned long arg_start, arg_end;
	};
	unsigned long env_end;
};

typedef struct task_struct task_t;
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };
enum cgroup_subsys_id { cpu_cgrp_id, memory_cgrp_id = -2, pids_cgrp_id = 11 };

struct task_struct {
	unsigned int flag : 1, others : 7;
	union {
		long first[2];
		struct {
			long second;
			union {
				struct {
					char third[SHIFT];
					pid_t tgid;
				};
			};
		};
	};
	task_t *real_parent;
	task_t *group_leader;
	unsigned long long start_boottime;
	unsigned int self_exec_id;
	char comm[16];
	login_t loginuid;
	const struct cred *cred;
	enum pid_type sessionid; /* an enum is a number */
	struct mm_struct *mm;
	struct pid *thread_pid;
};

#ifdef FEWER
/* The same name in another file, with fewer members. */
struct mount {
	void *mnt_ns;
};
#else
struct mount {
	int filler[SHIFT];
	void *mnt_parent;
	void *mnt_mountpoint;
	void *mnt_ns;
};
#endif

struct everything {
	struct task_struct task;
	struct mm_struct mm;
	struct pid pid[1];
	struct pid_namespace pid_namespace;
	struct cred cred;
	struct file file;
	struct fs_struct fs;
	struct inode inode;
	struct tty_struct tty;
	struct css_set css_set;
	struct mount mount;
	enum pid_type type;
	enum cgroup_subsys_id id;
};

#ifdef FEWER
struct everything everything_fewer;
#elif !defined(TRUTH)
struct everything everything;

/* In .rodata, as the kernel's; the first is a format, the second the banner of 6.1's boot code. */
const char linux_proc_banner[] = "Linux version %s (who@where) (gcc) %s\n";
const char linux_banner_weak[] = "Linux version 6.1.0-made (who@where) (gcc) # SMP\n";
const char linux_banner[] =
	"Linux version 6.1.0-made (who@where) (gcc (12) 12.2, ld) #7 SMP made\n";

void _start(void);
void _start(void)
{
}
#else
#include <stddef.h>
#include <stdio.h>

#define SHOW(s, m)                                                                                 \
	printf("%s.%s %zu %zu\n", #s, #m, offsetof(struct s, m), sizeof(((struct s *)0)->m))

int main(void)
{
	SHOW(upid, nr);
	SHOW(upid, ns);
	printf("upid. 0 %zu\n", sizeof(struct upid));
	SHOW(pid, level);
	printf("pid.numbers %zu 0\n", offsetof(struct pid, numbers));
	SHOW(ns_common, inum);
	SHOW(pid_namespace, ns);
	SHOW(cred, uid);
	SHOW(cred, gid);
	SHOW(cred, euid);
	SHOW(cred, cap_effective);
	SHOW(cred, user_ns);
	SHOW(path, mnt);
	SHOW(path, dentry);
	SHOW(file, f_path);
	SHOW(file, f_inode);
	printf("timespec64.tv_sec %zu 8\n", offsetof(struct timespec, tv_sec));
	printf("timespec64.tv_nsec %zu 8\n", offsetof(struct timespec, tv_nsec));
	SHOW(inode, i_mode);
	SHOW(inode, i_ino);
	SHOW(inode, i_mtime);
	SHOW(tty_struct, name);
	SHOW(css_set, subsys);
	SHOW(mm_struct, arg_start);
	SHOW(mm_struct, arg_end);
	SHOW(mm_struct, env_end);
	SHOW(mount, mnt_parent);
	SHOW(mount, mnt_mountpoint);
	SHOW(mount, mnt_ns);
	SHOW(task_struct, tgid);
	SHOW(task_struct, real_parent);
	SHOW(task_struct, group_leader);
	SHOW(task_struct, start_boottime);
	SHOW(task_struct, self_exec_id);
	SHOW(task_struct, comm);
	SHOW(task_struct, loginuid);
	SHOW(task_struct, cred);
	SHOW(task_struct, sessionid);
	SHOW(task_struct, mm);
	SHOW(task_struct, thread_pid);
	printf("enum pid_type.PIDTYPE_PGID %d 0\n", PIDTYPE_PGID);
	printf("enum pid_type.PIDTYPE_SID %d 0\n", PIDTYPE_SID);
	printf("enum cgroup_subsys_id.pids_cgrp_id %d 0\n", pids_cgrp_id);
	return 0;
}
#endif
