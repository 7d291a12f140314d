/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading /proc/PID without being held up by it. A process can make its own argument
 * memory block whoever reads it (a FUSE file mapped there), so the reading is a thread's
 * work and is waited for a tenth of a second at most. While a read is stuck, others are
 * refused: the events go on with less.
 */
#ifndef CORMORANT_PROC_READER_H
#define CORMORANT_PROC_READER_H

#include "proc_facts.h"
#include "process_cache.h"

struct proc_reader;

/* Starts no thread yet: that happens at the first read. Returns NULL without memory. */
struct proc_reader *proc_reader_open(void);

/* A stuck read is left behind; the process's end is its end. NULL is allowed. */
void proc_reader_close(struct proc_reader *reader);

/*
 * proc_read of process key, last called comm (COMM_BYTES with its NUL), stack as there. -EBUSY: an
 * earlier read is stuck; -ETIMEDOUT: this one is. The slices are valid until the next
 * proc_reader_read.
 */
int proc_reader_read(struct proc_reader *reader, struct process_key key, const char *comm,
		     uint64_t stack, struct proc_process *process);

/*
 * proc_facts_read of process tgid for a record's facts and what it carries of argv; both are copied. The
 * errors are those of proc_reader_read; the slices are valid until the next
 * proc_reader_facts.
 */
int proc_reader_facts(struct proc_reader *reader, uint32_t tgid, const struct exec_facts *facts,
		      struct slice argv, struct proc_facts *out);

#endif
