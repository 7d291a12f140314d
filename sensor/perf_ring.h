/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One CPU's perf buffer in memory: its samples, put together to the records they were,
 * and its losses. Nothing here calls the kernel: a test can be the kernel.
 *
 * What is in a ring is not trusted. A sample that is no record at all is handed over as
 * it is, for the caller to count as malformed; parts that do not make a record are
 * dropped and counted as a loss.
 */
#ifndef CORMORANT_PERF_RING_H
#define CORMORANT_PERF_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cormorant/record.h"

enum {
	/* A perf record's size has 16 bits. */
	PERF_RING_SAMPLE_MAX = 1 << 16,
};

/*
 * The parts of a record follow each other within microseconds, from one stretch of a
 * program that can't be preempted. Those that have not come after so long will not come.
 */
#define PERF_RING_PARTS_WAIT_NS UINT64_C(100000000)

/*
 * What is known of one CPU's records. As long as no attempt is on its way or without a
 * successor, records + gaps is the number of its attempts.
 */
struct perf_ring_counts {
	uint64_t records;      /* handed over */
	uint64_t gaps;	       /* attempts before the newest one known of that came to nothing */
	uint64_t incomplete;   /* records with a part missing; in gaps as well */
	uint64_t lost_samples; /* as the kernel says (PERF_RECORD_LOST); every part is one */
	uint32_t sequence;     /* cpu_sequence of the newest attempt known of, 0: none */
	uint32_t unnumbered;   /* handed over since then without a readable number */
};

enum perf_ring_state {
	PERF_RING_NOTHING,    /* all that was in the ring has been handed over */
	PERF_RING_UNFINISHED, /* parts of a record are there, its last one is not */
	PERF_RING_READY,
};

/* What a ring hands over next: one sample, or the samples with the parts of one record. */
struct perf_ring_unit {
	enum perf_ring_state state;
	uint64_t time_ns; /* its place in the order; 0: at once */
	uint64_t begin;	  /* of its first sample, in the ring */
	uint64_t end;	  /* of its last sample */
	uint64_t seen_ns; /* unfinished: when its newest part was first seen */
	struct process_exec_event head;
	uint32_t sequence;
	int parts;     /* so many of them are there; 0: it is one sample */
	bool numbered; /* sequence is valid */
};

struct perf_ring {
	struct perf_event_mmap_page *page; /* NULL: this CPU has no buffer */
	const uint8_t *data;
	uint64_t size; /* of data, a power of two */
	uint64_t head; /* how far the kernel had written at the last look */
	uint64_t at;   /* the next sample not looked at */
	uint64_t tail; /* what is before it the kernel may overwrite */
	struct perf_ring_unit unit;
	struct perf_ring_counts counts; /* outlive the buffer */
};

/* Begins to read a buffer, mapped at base: page_size bytes of control page, then the data. */
void perf_ring_attach(struct perf_ring *ring, void *base, size_t page_size, size_t data_size);

/* Forgets the buffer. */
void perf_ring_detach(struct perf_ring *ring);

/* Looks how far the kernel has written. */
void perf_ring_update(struct perf_ring *ring);

/*
 * Finds what the ring hands over next, up to where the kernel was at the last update;
 * ring->unit describes it. now_ns is any clock that always runs.
 */
enum perf_ring_state perf_ring_look(struct perf_ring *ring, uint64_t now_ns);

/*
 * Copies what is ready into buffer (8-aligned, PERF_RING_SAMPLE_MAX bytes), counts it and
 * returns its size. Its place in the ring is the kernel's again with perf_ring_done.
 */
size_t perf_ring_take(struct perf_ring *ring, uint8_t *buffer);
void perf_ring_done(struct perf_ring *ring);

/* Gives up on a record that is unfinished. */
void perf_ring_drop(struct perf_ring *ring);

#endif
