// SPDX-License-Identifier: Apache-2.0
#include "perf_ring.h"

#include <errno.h>
#include <string.h>

#define SECTION_FACTS (((1ULL << SECTION_COUNT) - 1) << FACT_SECTION)
#define TRUNCATED_FLAGS (((1U << SECTION_COUNT) - 1) * EXEC_TRUNCATED)

/* --------------------------------------------------------------------- memory */

void perf_ring_attach(struct perf_ring *ring, void *base, size_t page_size, size_t data_size)
{
	ring->page = base;
	ring->data = (const uint8_t *)base + page_size;
	ring->size = data_size;
	ring->head = ring->at = ring->tail = ring->page->data_tail;
	ring->unit = (struct perf_ring_unit){0};
}

void perf_ring_detach(struct perf_ring *ring)
{
	ring->page = NULL;
	ring->head = ring->at = ring->tail = 0;
	ring->unit = (struct perf_ring_unit){0};
}

/* n is at most the ring's size; what wraps at its end is copied in two. */
static void copy_out(const struct perf_ring *ring, uint64_t at, void *out, size_t n)
{
	size_t from = at & (ring->size - 1), first = ring->size - from;

	if (first > n)
		first = n;
	memcpy(out, ring->data + from, first);
	memcpy((char *)out + first, ring->data, n - first);
}

/* Gives the kernel back what is before upto. All reads of it must have happened by then. */
static void release(struct perf_ring *ring, uint64_t upto)
{
	if (!ring->page || ring->tail == upto)
		return;
	ring->tail = upto;
	__atomic_store_n(&ring->page->data_tail, upto, __ATOMIC_RELEASE);
}

/* -------------------------------------------------------------------- samples */

struct sample {
	uint64_t begin; /* of the perf record it is in */
	uint64_t at;	/* its first byte */
	size_t size;
};

/* A sample's bytes follow their number, which must not be believed beyond the record's end. */
static void sample_read(const struct perf_ring *ring, uint64_t begin, size_t size,
			struct sample *sample)
{
	const size_t before = sizeof(struct perf_event_header) + sizeof(uint32_t);
	uint32_t bytes = 0;

	*sample = (struct sample){.begin = begin, .at = begin + before};
	if (size < before)
		return;
	copy_out(ring, begin + sizeof(struct perf_event_header), &bytes, sizeof(bytes));
	sample->size = bytes < size - before ? bytes : size - before;
}

/* struct { header; u64 id; u64 lost; } */
static uint64_t lost_read(const struct perf_ring *ring, uint64_t begin, size_t size)
{
	const size_t before = sizeof(struct perf_event_header) + sizeof(uint64_t);
	uint64_t lost = 0;

	if (size >= before + sizeof(lost))
		copy_out(ring, begin + before, &lost, sizeof(lost));
	return lost;
}

/*
 * The next sample between *at and end: 1, and *at is behind it. 0 if there is none, or
 * -EBADMSG if where one begins can't be told; *at then is end. Losses the kernel reports
 * on the way are added to *lost.
 */
static int sample_next(const struct perf_ring *ring, uint64_t *at, uint64_t end,
		       struct sample *sample, uint64_t *lost)
{
	struct perf_event_header header;

	while (end - *at >= sizeof(header)) {
		uint64_t begin = *at;

		copy_out(ring, begin, &header, sizeof(header));
		if (header.size < sizeof(header) || header.size > end - begin)
			break;
		*at += header.size;
		if (header.type == PERF_RECORD_LOST)
			*lost += lost_read(ring, begin, header.size);
		if (header.type == PERF_RECORD_SAMPLE) {
			sample_read(ring, begin, header.size, sample);
			return 1;
		}
	}
	if (*at == end)
		return 0;
	*at = end;
	return -EBADMSG;
}

/* ------------------------------------------------------------------- sequence */

/*
 * Takes note of an attempt's number, and of those before it that never came. Returns
 * false for one that is not newer than the newest: where programs can interleave on a
 * CPU (PREEMPT_RT) it comes late, and has been taken for a gap.
 */
static bool sequence_note(struct perf_ring_counts *counts, uint32_t sequence)
{
	uint32_t ahead = sequence - counts->sequence;
	uint64_t missing = (uint64_t)ahead - 1;

	if (ahead == 0 || ahead > INT32_MAX)
		return false;
	counts->sequence = sequence;
	/* What came and could not be read was no gap. */
	counts->gaps += missing > counts->unnumbered ? missing - counts->unnumbered : 0;
	counts->unnumbered = 0;
	return true;
}

static void count_record(struct perf_ring_counts *counts, const struct perf_ring_unit *unit)
{
	counts->records++;
	if (!unit->numbered)
		counts->unnumbered++;
	else if (!sequence_note(counts, unit->sequence) && counts->gaps)
		counts->gaps--;
}

static void count_incomplete(struct perf_ring_counts *counts, uint32_t sequence)
{
	counts->incomplete++;
	if (sequence_note(counts, sequence))
		counts->gaps++;
}

/* ---------------------------------------------------------------------- units */

static bool sample_head(const struct perf_ring *ring, const struct sample *sample,
			struct process_exec_event *head)
{
	if (sample->size < sizeof(*head))
		return false;
	copy_out(ring, sample->at, head, sizeof(*head));
	return head->kind == RECORD_EXEC && head->version == RECORD_VERSION;
}

static uint32_t sample_sequence(const struct perf_ring *ring, const struct sample *sample)
{
	uint32_t sequence;

	copy_out(ring, sample->at + offsetof(struct exec_record, facts.cpu_sequence), &sequence,
		 sizeof(sequence));
	return sequence;
}

/* The part alone makes sense. Its sample may be longer than it says, but not shorter. */
static bool part_valid(const struct process_exec_event *head, const struct sample *sample)
{
	if (head->parts > PARTS_MAX || head->length > sample->size)
		return false;
	if (head->part == 0)
		return head->length == sizeof(struct exec_record);
	return head->length >= sizeof(*head) && head->length <= sizeof(*head) + PART_BYTES;
}

static bool part_continues(const struct perf_ring_unit *unit, const struct process_exec_event *head)
{
	return head->part == unit->parts && head->parts == unit->head.parts &&
	       head->tgid == unit->head.tgid && head->tid == unit->head.tid &&
	       head->time_ns == unit->head.time_ns;
}

static void unit_begin(struct perf_ring *ring, const struct sample *sample,
		       const struct process_exec_event *head)
{
	ring->unit = (struct perf_ring_unit){
		.time_ns = head->time_ns,
		.begin = sample->begin,
		.end = ring->at,
		.head = *head,
		.numbered = sample->size >= sizeof(struct exec_record),
	};
	if (ring->unit.numbered)
		ring->unit.sequence = sample_sequence(ring, sample);
}

/* Gives up on the rest of an unfinished record. */
static void unit_drop(struct perf_ring *ring)
{
	if (ring->unit.state == PERF_RING_UNFINISHED)
		count_incomplete(&ring->counts, ring->unit.sequence);
	ring->unit = (struct perf_ring_unit){0};
}

static void feed_part(struct perf_ring *ring, const struct sample *sample,
		      const struct process_exec_event *head)
{
	struct perf_ring_unit *unit = &ring->unit;
	bool valid = part_valid(head, sample);

	if (unit->state == PERF_RING_UNFINISHED && !(valid && part_continues(unit, head)))
		unit_drop(ring);
	if (!valid)
		return;
	if (unit->state == PERF_RING_UNFINISHED) {
		unit->end = ring->at;
	} else {
		if (head->part) /* its first one is lost, and the sequence will tell */
			return;
		unit_begin(ring, sample, head);
	}
	unit->parts++;
	unit->state = unit->parts == head->parts ? PERF_RING_READY : PERF_RING_UNFINISHED;
}

/* What the next sample means for the unit. */
static void feed(struct perf_ring *ring, const struct sample *sample)
{
	static const struct process_exec_event none;
	struct process_exec_event head;
	bool ours = sample_head(ring, sample, &head);

	if (ours && head.parts > 1) {
		feed_part(ring, sample, &head);
		return;
	}
	unit_drop(ring);
	unit_begin(ring, sample, ours ? &head : &none);
	ring->unit.numbered = ring->unit.numbered && ours;
	ring->unit.state = PERF_RING_READY;
}

void perf_ring_update(struct perf_ring *ring)
{
	if (!ring->page)
		return;
	ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	if (ring->head - ring->tail <= ring->size)
		return;
	/* Not what a kernel does: nothing in there can be told apart. */
	unit_drop(ring);
	ring->at = ring->head;
}

enum perf_ring_state perf_ring_look(struct perf_ring *ring, uint64_t now_ns)
{
	struct perf_ring_unit *unit = &ring->unit;
	uint64_t from = ring->at;
	struct sample sample;
	int more = 1;

	while (more > 0 && unit->state != PERF_RING_READY) {
		more = sample_next(ring, &ring->at, ring->head, &sample,
				   &ring->counts.lost_samples);
		if (more > 0)
			feed(ring, &sample);
	}
	if (more < 0)
		unit_drop(ring);
	if (unit->state == PERF_RING_UNFINISHED && ring->at != from)
		unit->seen_ns = now_ns;
	else if (unit->state == PERF_RING_UNFINISHED &&
		 now_ns - unit->seen_ns > PERF_RING_PARTS_WAIT_NS)
		unit_drop(ring);
	release(ring, unit->state == PERF_RING_NOTHING ? ring->at : unit->begin);
	return unit->state;
}

/* -------------------------------------------------------------------- joining */

/* The bytes behind a part's header; never more than there are. */
static size_t part_copy(const struct perf_ring *ring, const struct sample *sample, uint8_t *out)
{
	struct process_exec_event head;
	size_t n;

	if (sample->size < sizeof(head))
		return 0;
	copy_out(ring, sample->at, &head, sizeof(head));
	n = sample->size - sizeof(head);
	if (head.length < sizeof(head))
		return 0;
	if (n > head.length - sizeof(head))
		n = head.length - sizeof(head);
	if (n > PART_BYTES)
		n = PART_BYTES;
	copy_out(ring, sample->at + sizeof(head), out, n);
	return n;
}

static void section_set(struct exec_record *record, enum exec_section section, size_t len,
			bool truncated)
{
	record->facts.present |= FACT_BIT(FACT_SECTION + section);
	record->facts.section_len[section] = (uint32_t)len;
	record->event.length += (uint32_t)len;
	if (truncated)
		record->facts.flags |= (uint32_t)EXEC_TRUNCATED_BIT(section);
}

/* A part 0 becomes a record without sections. */
static void join_begin(struct exec_record *record)
{
	record->event.length = sizeof(*record);
	record->event.part = 0;
	record->event.parts = 1;
	record->facts.present &= ~SECTION_FACTS;
	record->facts.flags &= ~TRUNCATED_FLAGS;
	memset(record->facts.section_len, 0, sizeof(record->facts.section_len));
}

static void join_argv(struct exec_record *record, size_t len)
{
	if (len || record->facts.present & FACT_BIT(FACT_ARGV))
		section_set(record, SECTION_ARGV, len, len < record->facts.argv_bytes);
}

/*
 * The string begins the part. One that is longer is cut, and ends in a NUL all the same. An
 * empty one could not be read: execve takes no empty name.
 */
static void join_filename(struct exec_record *record, uint8_t *name, size_t n)
{
	const uint8_t *end = n ? memchr(name, 0, n) : NULL;

	if (!n || end == name)
		return;
	name[n] = 0;
	section_set(record, SECTION_FILENAME, end ? (size_t)(end - name) + 1 : n + 1, !end);
}

/*
 * Makes one record of the unit's parts. argv ends with its first part that is not full:
 * what is behind it would be in the wrong place.
 */
static size_t join(const struct perf_ring *ring, uint8_t *out)
{
	struct exec_record *record = (struct exec_record *)out;
	uint64_t at = ring->unit.begin, lost = 0;
	struct sample sample = {0};
	size_t len = 0, n;
	bool full = true;

	sample_next(ring, &at, ring->unit.end, &sample, &lost);
	copy_out(ring, sample.at, record, sizeof(*record));
	join_begin(record);
	for (int part = 1; part < ring->unit.parts - 1; part++) {
		sample_next(ring, &at, ring->unit.end, &sample, &lost);
		n = full ? part_copy(ring, &sample, record->bytes + len) : 0;
		full = n == PART_BYTES;
		len += n;
	}
	join_argv(record, len);
	sample_next(ring, &at, ring->unit.end, &sample, &lost);
	n = part_copy(ring, &sample, record->bytes + len);
	join_filename(record, record->bytes + len, n);
	return record->event.length;
}

/* Copies: a sample's bytes are never 8-aligned in the ring, and may wrap. */
static size_t unit_copy(const struct perf_ring *ring, uint8_t *out)
{
	uint64_t at = ring->unit.begin, lost = 0;
	struct sample sample = {0};

	if (ring->unit.parts)
		return join(ring, out);
	sample_next(ring, &at, ring->unit.end, &sample, &lost);
	copy_out(ring, sample.at, out, sample.size);
	return sample.size;
}

size_t perf_ring_take(struct perf_ring *ring, uint8_t *buffer)
{
	size_t size = unit_copy(ring, buffer);

	count_record(&ring->counts, &ring->unit);
	return size;
}

void perf_ring_done(struct perf_ring *ring)
{
	release(ring, ring->unit.end);
	ring->unit = (struct perf_ring_unit){0};
}

void perf_ring_drop(struct perf_ring *ring)
{
	unit_drop(ring);
	release(ring, ring->at);
}
