/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The perf buffers: one for each CPU, behind a BPF_MAP_TYPE_PERF_EVENT_ARRAY with one
 * slot for each possible CPU. libbpf has a reader for them too; this one hands records
 * over in order of time across CPUs, joins records that come in parts, counts what the
 * kernel lost without a word, and follows CPUs that come and go.
 *
 * Not for several threads. fn may not call back into the reader.
 */
#ifndef CORMORANT_PERF_READER_H
#define CORMORANT_PERF_READER_H

#include "perf_merge.h"

struct perf_reader;

/*
 * Opens a buffer of bytes_per_cpu (rounded up to a power of two of pages) for every CPU
 * that is online, of cpus possible ones; the others get theirs when they come online.
 * fn gets the records, and what is in the buffers but is none. map_fd stays the caller's,
 * and must stay open until after perf_reader_close: the kernel empties the slots with it.
 * Returns NULL with a negative errno in *err if a CPU that is online can't be had: its
 * execs would all be missed.
 */
struct perf_reader *perf_reader_open(int map_fd, int cpus, size_t bytes_per_cpu, perf_merge_fn *fn,
				     void *arg, int *err);

/* Frees everything; what is in the buffers is gone. NULL is allowed. */
void perf_reader_close(struct perf_reader *reader);

/*
 * Descriptor for epoll. It becomes readable when there are records (once for those that
 * come until the next drain, not once for each), when what a drain has left behind is due,
 * when CPUs came or went, and once after it was opened. Asking whether it is readable may
 * take that back, for a perf event says so only once: whoever was told must drain.
 */
int perf_reader_fd(const struct perf_reader *reader);

/*
 * Hands over the records with time_ns <= limit_ns, in order of time. The limit is the
 * records' clock now, less the time that a record may take from its time_ns to the buffer;
 * UINT64_MAX means all. A record that comes later than those after it is handed over all
 * the same. Returns 0 if nothing is left, 1 if there is more at once (a call hands over
 * PERF_MERGE_RECORDS at most), 2 if what is left is younger than the limit or has parts
 * missing that may yet come, or a negative errno.
 */
int perf_reader_drain(struct perf_reader *reader, uint64_t limit_ns);

/*
 * Sees to a CPU's buffer, to be called when the program had none for its record
 * (LOSS_NO_BUFFER): a CPU that went offline takes its buffer along and comes back without.
 * One that still works stays as it is. One that does not is read to its end, whatever the
 * order, and replaced; of a CPU that is offline it is only removed. Returns 0 or a negative
 * errno: the CPU then has no buffer, or still its old one.
 */
int perf_reader_refresh(struct perf_reader *reader, int cpu);

/* How many CPUs have a buffer. */
int perf_reader_buffers(const struct perf_reader *reader);

/*
 * How many of a CPU's attempts before the newest one known of came to nothing, as its
 * sequence tells. What was lost behind that one can't be told from what is on its way.
 */
uint64_t perf_reader_gaps(const struct perf_reader *reader, int cpu);

/* How many samples (of a record in parts each is one) the kernel itself says it lost. */
uint64_t perf_reader_lost_samples(const struct perf_reader *reader, int cpu);

#endif
