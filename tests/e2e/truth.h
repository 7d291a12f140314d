// SPDX-License-Identifier: Apache-2.0
/*
 * What /proc, stat and the kernel's other interfaces say of a process that is alive: the measure an event is held
 * against. Read by the test itself, never by the sensor's code.
 */
#ifndef E2E_TRUTH_H
#define E2E_TRUTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "bytes.h"

enum truth_ns { NS_MNT, NS_PID, NS_NET, NS_UTS, NS_IPC, NS_USER, NS_CGROUP, NS_TIME, NS_COUNT };
extern const char *const truth_ns_names[NS_COUNT];

#define TRUTH_UNSET 4294967295U	/* of loginuid and sessionid */

struct truth {
	pid_t pid, ppid, pgid, sid, namespace_pid;
	uint64_t start_ticks;		/* 1/100 s on the boot clock */
	char terminal[64];		/* "" without one, "?" if it cannot be told */
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	char cap_effective[17], cap_permitted[17], cap_inheritable[17];
	uint32_t loginuid, sessionid;	/* TRUTH_UNSET also where the kernel has no audit */
	uint64_t ns[NS_COUNT];		/* 0: the kernel has no such namespace */
	struct bytes comm, cmdline, cwd, exe;	/* exe and cwd without " (deleted)" */
	bool deleted;
	struct stat exe_stat;
	unsigned int exe_major, exe_minor;	/* of the mapping in maps */
	uint64_t exe_inode;
	char fs[64];			/* type of the file system of exe, "" if it is on no mount */
	char *cgroup;			/* path in the v2 hierarchy, NULL if there is none */
	uint64_t cgroup_id;		/* 0 if the hierarchy is not mounted */
};

/* Fails the test if the process is not there. */
void truth_read(struct truth *t, pid_t pid, const char *cgroup_mount);
void truth_free(struct truth *t);
/* The start time of a process in ticks, 0 if it is gone. */
uint64_t truth_start_ticks(pid_t pid);

#endif
