/* SPDX-License-Identifier: Apache-2.0 */
/* The records of several perf rings, merged in order of time. */
#ifndef CORMORANT_PERF_MERGE_H
#define CORMORANT_PERF_MERGE_H

#include "perf_ring.h"

/* A busy host can't keep the caller in a drain. */
enum { PERF_MERGE_RECORDS = 4096 };

/* Called for every record; data is 8-aligned and valid during the call only. */
typedef void perf_merge_fn(void *arg, const void *data, size_t size);

struct perf_merge {
	struct perf_ring *rings;
	int count;
	perf_merge_fn *fn;
	void *arg;
	int *heap;	   /* count of them: rings with a record that is due, earliest first */
	int due;	   /* so many are in the heap */
	uint8_t *buffer;   /* 8-aligned, PERF_RING_SAMPLE_MAX bytes */
	uint64_t limit_ns; /* of this drain */
	uint64_t now_ns;   /* of this drain */
	uint64_t wait_ns;  /* out: so long after now_ns what was left behind should be asked for */
};

/*
 * Hands over what is in the rings with time_ns <= limit_ns, at most PERF_MERGE_RECORDS, in
 * order of time across the rings; now_ns is any clock that always runs. Returns 0 if
 * nothing is left, 1 if more is due at once, 2 if what is left is younger than the limit
 * or unfinished.
 */
int perf_merge_drain(struct perf_merge *merge, uint64_t limit_ns, uint64_t now_ns);

/*
 * Hands over all that one ring has, whatever its time. An unfinished record has lost its
 * other parts.
 */
void perf_merge_flush(struct perf_merge *merge, struct perf_ring *ring);

#endif
