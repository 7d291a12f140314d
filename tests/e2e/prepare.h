// SPDX-License-Identifier: Apache-2.0
/* What a child does between its fork and its exec, where more than one group of tests wants it: for subject_plan. */
#ifndef E2E_PREPARE_H
#define E2E_PREPARE_H

#include <sys/types.h>

/* subject_plan.prepare: 0 or -errno. */

/* Real, effective and saved ids that all differ: uid 2001 to 2003, gid 1001 to 1003. */
int prepare_four_ids(void *arg);
/* uid 4001, gid 4002. */
int prepare_nobody(void *arg);
/* Permitted, inheritable and bounding sets that differ. */
int prepare_capabilities(void *arg);
/* A process group of its own. */
int prepare_group(void *arg);
/* arg is the cgroup's directory. */
int prepare_cgroup(void *arg);
/* The working directory is arg, and gone. */
int prepare_removed_directory(void *arg);

/* For a sensor: mounts of its own, in which something is not there. What is not there anyway is no error. */
int prepare_without_btf(void *arg);
int prepare_without_tracefs(void *arg);
int prepare_without_sys(void *arg);
/* And one in which tracefs is. */
int prepare_with_tracefs(void *arg);

/* subject_plan.exec: -1 with errno if it failed. */

int prepare_exec_from_thread(const char *path, char *const argv[], char *const envp[]);
/* The subject is a child: pid_from_report. */
int prepare_exec_after_vfork(const char *path, char *const argv[], char *const envp[]);
/* For those that make the subject themselves: until it ends. */
int prepare_wait(pid_t pid);

#endif
