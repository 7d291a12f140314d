/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc/PID says of a process, believed only if the process is the one that is
 * meant: what tells it from others is compared before and after everything is read.
 */
#ifndef CORMORANT_PROC_H
#define CORMORANT_PROC_H

#include "record.h"

/* Room for what one process's files hold; slices of a proc_process point into it. */
struct proc_buffer {
	char exe[PATH_BYTES_MAX + 16];
	char argv[ARGV_MAX];
	char again[ARGV_MAX];
};

struct proc_process {
	struct slice exe;  /* data NULL if not readable, or not to be told from a deleted one */
	struct slice argv; /* data NULL if not readable, not to be had whole, or changing */
};

/*
 * 1 if this process's own namespace ("pid", "user", "time") is the initial one, 0 if it is
 * another, a negative errno if that can't be told: this kernel has none, or there is no /proc.
 */
int proc_is_initial(const char *name);

/* True if /proc is that of this process's own pid namespace: it has the processes that fork names. */
bool proc_is_own(void);

/*
 * True if /proc shows the host's processes, users and times: this process is in the
 * initial pid, user and time namespaces and /proc is mounted for it. Otherwise its
 * numbers must not be used.
 */
bool proc_is_host(void);

/*
 * Reads the process tgid that started at start_ns (boot clock; /proc knows it to a clock
 * tick only). stack is where its program's stack began, which every exec chooses anew:
 * it tells one program of a process from the next. Where it is not known (0) or not
 * shown, the process must still be called comm. All is compared before and after the reading.
 * Returns 0, -ESRCH if it is not, or is no longer, that program, or another negative
 * errno.
 */
int proc_read(uint32_t tgid, uint64_t start_ns, const char *comm, uint64_t stack,
	      struct proc_buffer *buffer, struct proc_process *process);

#endif
