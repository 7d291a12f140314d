// SPDX-License-Identifier: Apache-2.0
#include "perf_merge.h"

/*
 * A record so far beyond the limit has no time that could be waited for: waiting would
 * hold up all that is behind it, for good.
 */
#define AHEAD_MAX_NS UINT64_C(60000000000)

static void hand_over(struct perf_merge *merge, struct perf_ring *ring)
{
	size_t size = perf_ring_take(ring, merge->buffer);

	merge->fn(merge->arg, merge->buffer, size);
	perf_ring_done(ring);
}

static void wait_at_most(struct perf_merge *merge, uint64_t ns)
{
	if (ns < merge->wait_ns)
		merge->wait_ns = ns;
}

/* Does the ring have a record that may be handed over now? */
static bool is_due(struct perf_merge *merge, struct perf_ring *ring)
{
	enum perf_ring_state state = perf_ring_look(ring, merge->now_ns);
	uint64_t time_ns = ring->unit.time_ns;

	if (state == PERF_RING_UNFINISHED)
		wait_at_most(merge, PERF_RING_PARTS_WAIT_NS);
	if (state != PERF_RING_READY)
		return false;
	if (time_ns <= merge->limit_ns)
		return true;
	if (time_ns - merge->limit_ns > AHEAD_MAX_NS) {
		ring->unit.time_ns = 0;
		return true;
	}
	wait_at_most(merge, time_ns - merge->limit_ns);
	return false;
}

/* The order is total, so that it is the same in every run. */
static bool is_before(const struct perf_merge *merge, int a, int b)
{
	uint64_t time_a = merge->rings[a].unit.time_ns, time_b = merge->rings[b].unit.time_ns;

	return time_a != time_b ? time_a < time_b : a < b;
}

static void heap_swap(int *heap, int i, int k)
{
	int ring = heap[i];

	heap[i] = heap[k];
	heap[k] = ring;
}

static void heap_up(struct perf_merge *merge, int i)
{
	int *heap = merge->heap;

	for (; i && is_before(merge, heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_swap(heap, i, (i - 1) / 2);
}

static void heap_down(struct perf_merge *merge)
{
	int *heap = merge->heap, i = 0, first;

	while ((first = 2 * i + 1) < merge->due) {
		if (first + 1 < merge->due && is_before(merge, heap[first + 1], heap[first]))
			first++;
		if (!is_before(merge, heap[first], heap[i]))
			return;
		heap_swap(heap, i, first);
		i = first;
	}
}

/*
 * How far each ring goes is looked up once, at the start: a drain has an end, and what
 * comes meanwhile wakes the caller anew.
 */
int perf_merge_drain(struct perf_merge *merge, uint64_t limit_ns, uint64_t now_ns)
{
	merge->limit_ns = limit_ns;
	merge->now_ns = now_ns;
	merge->wait_ns = UINT64_MAX;
	merge->due = 0;
	for (int i = 0; i < merge->count; i++) {
		perf_ring_update(&merge->rings[i]);
		if (is_due(merge, &merge->rings[i])) {
			merge->heap[merge->due] = i;
			heap_up(merge, merge->due++);
		}
	}
	for (int n = 0; merge->due && n < PERF_MERGE_RECORDS; n++) {
		struct perf_ring *ring = &merge->rings[merge->heap[0]];

		hand_over(merge, ring);
		if (!is_due(merge, ring))
			merge->heap[0] = merge->heap[--merge->due];
		heap_down(merge);
	}
	if (merge->due)
		return 1;
	return merge->wait_ns == UINT64_MAX ? 0 : 2;
}

void perf_merge_flush(struct perf_merge *merge, struct perf_ring *ring)
{
	perf_ring_update(ring);
	while (perf_ring_look(ring, merge->now_ns) == PERF_RING_READY)
		hand_over(merge, ring);
	perf_ring_drop(ring);
}
