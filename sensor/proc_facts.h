/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's hook could not tell of an exec, as /proc/PID shows it a moment later.
 * It is believed only if the process is the event's: its name and arguments are compared
 * with the event's before and after everything is read, and its start time and stack
 * with themselves. What the record already has is neither read nor changed.
 */
#ifndef CORMORANT_PROC_FACTS_H
#define CORMORANT_PROC_FACTS_H

#include "proc.h"
#include "proc_file.h"

/* What is the same for every process: found out once. */
struct proc_setting {
	bool cgroups_whole; /* cgroup paths are shown from their hierarchies' roots */
	bool memfd_known;
	dev_t memfd_dev; /* the file system that memfds are on, which has no other files */
};
void proc_setting_read(struct proc_setting *setting);

/* The event's program: what its record knows, FACT_COMM, FACT_ARGV and some of argv at least. */
struct proc_subject {
	int dir; /* /proc/PID, open; it stays so */
	struct exec_facts facts;
	size_t argv_len; /* what is carried of facts.argv_bytes */
	char argv[ARGV_MAX];
};

/* Room for what is read; slices of a proc_facts point into it. */
struct proc_facts_buffer {
	char exe[PROC_LINK_BYTES];
	char cwd[PROC_LINK_BYTES];
	char cgroup[PATH_BYTES_MAX];
	char cgroup_v1[PATH_BYTES_MAX];
	char parent_exe[PROC_LINK_BYTES];
	char parent_argv[ARGV_MAX];
	char again[ARGV_MAX + 1];
	struct proc_lines lines;
};

/* The record's facts and those from /proc. Of the sections only the present bits count. */
struct proc_facts {
	struct exec_facts facts;
	uint32_t ppid;	       /* where the record had no FACT_PPID and facts has */
	struct slice exe;      /* absent where the path is not sure to be true: then it is marked */
	struct slice exe_name; /* as truncated in facts.flags, and its last component is here */
	struct slice cwd;
	struct slice cgroup;
	struct slice cgroup_v1;
	struct proc_process parent; /* if ppid is from /proc */
};

/*
 * The kernel's name (struct tty_struct) of a terminal by its device number as stat has it.
 * Known are those with a number of their own (Documentation/admin-guide/devices.txt); others'
 * are given out as their drivers come.
 */
bool proc_terminal_name(uint32_t tty, char *name, size_t size);

/*
 * All that /proc/PID, open as dir, says of a process that the caller knows to be the one,
 * and to stand still. Nothing of its parent.
 */
void proc_facts_take(const struct proc_setting *setting, int dir, struct proc_facts_buffer *buffer,
		     struct proc_facts *out);

/* Returns 0, -ESRCH if the process is not, or no longer, the event's, or another negative errno. */
int proc_facts_read(const struct proc_setting *setting, const struct proc_subject *subject,
		    struct proc_facts_buffer *buffer, struct proc_facts *out);

#endif
