/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc/PID says of a process, believed only if the process is the one that is
 * meant: its start time and comm are compared before and after everything is read.
 */
#ifndef CORMORANT_PROC_H
#define CORMORANT_PROC_H

#include "record.h"

/* Room for what one process's files hold; slices of a proc_process point into it. */
struct proc_buffer {
	char exe[PATH_BYTES_MAX + 16];
	char argv[ARGV_MAX];
};

struct proc_process {
	struct slice exe;  /* data NULL if not readable, or not to be told from a deleted one */
	struct slice argv; /* at most ARGV_MAX bytes; data NULL if not readable */
};

/*
 * True if /proc shows the host's processes: this process is in the initial pid
 * namespace and /proc is mounted for it. Otherwise its numbers must not be used.
 */
bool proc_is_host(void);

/*
 * Reads the process tgid that started at start_ns (boot clock; /proc knows it to a
 * clock tick only) and was last called comm. Returns 0, -ESRCH if it is not, or is no
 * longer, that process, or another negative errno.
 */
int proc_read(uint32_t tgid, uint64_t start_ns, const char *comm, struct proc_buffer *buffer,
	      struct proc_process *process);

#endif
