/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps, the buffer a record is built in, the way from stage to stage, and how a
 * finished record is handed over. A transport is one more program for STAGE_OUTPUT.
 *
 * Maps that belong to a CPU are arrays with the CPU's number as the key, not per-CPU
 * maps: those came with 4.6, and their values end at 32 KiB.
 */
#ifndef CORMORANT_BPF_OUTPUT_H
#define CORMORANT_BPF_OUTPUT_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "cormorant/kernel_offsets.h"
#include "cormorant/record.h"

/* A value the verifier must not assume anything about: keeps clang from merging bounds checks. */
#define OPAQUE(var) asm volatile("" : "+r"(var))

enum {
	/* Old verifiers believe a mask more readily than a comparison. */
	AT_MASK = 0x7fff,
	/* Behind every masked position there is room for the longest string. */
	SCRATCH_BYTES = AT_MASK + 1 + FILENAME_BYTES_MAX,
};

/* A walk from a leaf to the root, carried from one run of its stage to the next. */
struct walk {
	__u64 begin; /* where its section begins; 0: it has not begun */
	__u64 runs;  /* of the stage, so far */
	__u64 node;
	__u64 mount;
	__u64 root;
};

struct scratch {
	/*
	 * Whose record this is. Preemption is off in a tracepoint's programs on the
	 * kernels known, and each way to attach refuses a second entry on a CPU (raw_tp
	 * since 6.1). Were two execs to write here at once all the same, this says so and
	 * the record is given up; only an interleaving within the output helper's own
	 * copy would escape it.
	 */
	__u64 owner;
	/*
	 * Where the next section goes. It lives here and not in a register so that the
	 * verifier knows nothing of it: a value it followed through the steps would
	 * multiply the states it has to look at.
	 */
	__u64 at;
	/* What the hook gave; 0 if it did not. */
	__u64 task;
	__u64 bprm;
	__u64 filename;	     /* a string */
	__u64 filename_user; /* it is in user memory */
	__u64 kernel_stack;  /* some address in the kernel stack of this task */
	/* Where argv lies in user memory. */
	__u64 argv;
	__u64 argv_bytes;
	/* The way from envp to the file name. */
	__u64 env_at;
	__u64 env_narrow; /* words of 4 bytes */
	__u64 env_found;  /* past the NULL behind envp, in the auxiliary vector */
	__u64 env_rounds;
	/* What is walked: first the executable, then the working directory; cgroup v2, then v1. */
	__u64 path[2];
	__u64 mnt_ns;
	__u64 cgroup[2];
	__u64 which;
	struct walk walk;
	union {
		struct exec_record record;
		__u8 bytes[SCRATCH_BYTES];
	};
};

/* Sizes that are 1 here are set by the loader before the maps are made. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs */
	__type(key, __u32);
	__type(value, struct exec_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs */
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGE_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* bytes, set by the loader */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1); /* possible CPUs */
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

static __always_inline struct exec_counters *counters_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline struct scratch *scratch_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratch, &cpu);
}

static __always_inline const struct probe_settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/*
 * Adds 1 to a member. In assembler, since clang may compute the member's address first,
 * and below 4.9 an address computed from a map's value is none any more.
 */
#define COUNT(counts, member)                                                                      \
	asm volatile("lock *(u64 *)(%0 + %1) += %2"                                                \
		     :                                                                             \
		     : "r"(counts), "i"(__builtin_offsetof(struct exec_counters, member)),         \
		       "r"(1ULL)                                                                   \
		     : "memory")

static __always_inline void count_lost(enum exec_loss loss)
{
	struct exec_counters *counts = counters_get();

	if (counts)
		COUNT(counts, lost[loss]);
}

/* Goes on with another program. It comes back only if that can't be called. */
static __always_inline int next(void *ctx, enum exec_stage stage)
{
	bpf_tail_call(ctx, &stages, stage);
	count_lost(LOSS_STAGE);
	return 0;
}

/* What a buffer helper returned; -ENOENT and -EOPNOTSUPP: no buffer for this CPU. */
static __always_inline void count_output(long result)
{
	if (result == -2 || result == -95)
		count_lost(LOSS_NO_BUFFER);
	else if (result < 0)
		count_lost(LOSS_BUFFER_FULL);
}

/* The record's length as it goes out; 0, and counted, if it is not this exec's any more. */
static __always_inline __u64 output_length(struct scratch *s)
{
	__u64 length = s->at;

	if (*(volatile __u64 *)&s->owner != bpf_get_current_pid_tgid()) {
		count_lost(LOSS_SCRATCH_RACE);
		return 0;
	}
	s->record.event.length = length;
	return length;
}

/*
 * A kprobe that is an int3 runs as if in an NMI, where the ring's lock is only tried
 * (kernel/bpf/ringbuf.c, __bpf_ringbuf_reserve): another CPU that holds it for a moment is
 * no full ring.
 */
enum { RING_TRIES = 8 };

static __always_inline int output_ringbuf(void *ctx)
{
	struct scratch *s = scratch_get();
	__u64 length = s ? output_length(s) : 0;
	long result = -11; /* -EAGAIN: full, or locked */

	(void)ctx;
	if (!s || !length)
		return 0;
	OPAQUE(length);
	length = ((length - 1) & AT_MASK) + 1;
#pragma unroll
	for (int i = 0; i < RING_TRIES; i++)
		if (result == -11)
			result = bpf_ringbuf_output(&ring, &s->record, length, 0);
	count_output(result);
	return 0;
}

/* The CPU's number, not BPF_F_CURRENT_CPU: that came with 4.7. */
static __always_inline int output_perfbuf(void *ctx)
{
	struct scratch *s = scratch_get();
	__u64 length = s ? output_length(s) : 0;
	__u64 cpu = bpf_get_smp_processor_id();

	if (!s || !length)
		return 0;
	OPAQUE(length);
	/* A size that might be 0 is refused below 4.15. */
	length = ((length - 1) & AT_MASK) + 1;
	count_output(bpf_perf_event_output(ctx, &events, cpu, &s->record, length));
	return 0;
}

/* ------------------------------------------------------------------------ parts */

/*
 * Below 4.11 only the stack can be handed over, in pieces of constant size: see
 * PART_BYTES. Four programs share the work: together they would be more than the
 * verifiers of 4.9 and 4.10 follow. What has been sent is taken off argv and argv_bytes;
 * which says that a part could not be sent.
 */
static __always_inline int output_parts_facts(void *ctx)
{
	struct exec_record record;
	struct scratch *s = scratch_get();
	__u64 cpu = bpf_get_smp_processor_id(), bytes;
	long result;

	if (!s || !output_length(s))
		return 0;
	bytes = s->argv_bytes < ARGV_MAX ? s->argv_bytes : ARGV_MAX;
	s->argv_bytes = bytes;
	s->record.event.length = sizeof(record);
	s->record.event.parts = 2 + (bytes + PART_BYTES - 1) / PART_BYTES;
#pragma unroll
	for (int i = 0; i < (int)(sizeof(record) / sizeof(__u64)); i++)
		((__u64 *)&record)[i] = ((__u64 *)&s->record)[i];
	result = bpf_perf_event_output(ctx, &events, cpu, &record, sizeof(record));
	if (result < 0) {
		count_output(result);
		return 0;
	}
	return next(ctx, STAGE_PATH);
}

struct part {
	struct process_exec_event event;
	__u64 words[PART_BYTES / 8];
};

static __always_inline void part_begin(struct part *part, const struct scratch *s)
{
	for (int i = 0; i < (int)(sizeof(part->event) / sizeof(__u64)); i++)
		((__u64 *)&part->event)[i] = ((__u64 *)&s->record.event)[i];
}

/* Returns what the helper did: negative if the part is lost. */
static __always_inline long part_send(void *ctx, struct part *part, __u64 bytes)
{
	__u64 cpu = bpf_get_smp_processor_id();

	part->event.length = sizeof(part->event) + bytes;
	part->event.part++;
	return bpf_perf_event_output(ctx, &events, cpu, part, sizeof(*part));
}

/* For the next program. Each member is written once: below 4.9 its address must not be computed. */
static __always_inline void part_end(const struct part *part, struct scratch *s, long result)
{
	s->record.event.part = part->event.part;
	if (result < 0)
		s->which = 1;
}

/* Full parts a run; two runs are ARGV_MAX. */
enum { PARTS_RUN = ARGV_MAX / PART_BYTES / 2 };

static __always_inline int output_parts_argv(void *ctx)
{
	struct part part = {};
	struct scratch *s = scratch_get();
	__u64 from, left;
	long result = 0;

	if (!s)
		return 0;
	part_begin(&part, s);
	from = s->argv;
	left = s->argv_bytes;
#pragma unroll
	for (int i = 0; i < PARTS_RUN; i++) {
		OPAQUE(left); /* else clang computes the count and makes one loop of it */
		if (left < PART_BYTES)
			break;
		bpf_probe_read_user(part.words, sizeof(part.words), (void *)from);
		result |= part_send(ctx, &part, PART_BYTES);
		from += PART_BYTES;
		left -= PART_BYTES;
	}
	s->argv = from;
	s->argv_bytes = left;
	part_end(&part, s, result);
	return next(ctx, left < PART_BYTES ? STAGE_CGROUP : STAGE_PATH);
}

/* The end of argv, word by word: the last one ends at most 7 bytes behind it, in the file name. */
static __always_inline int output_parts_rest(void *ctx)
{
	struct part part = {};
	struct scratch *s = scratch_get();
	__u64 from, left;

	if (!s)
		return 0;
	part_begin(&part, s);
	from = s->argv;
	left = s->argv_bytes;
#pragma unroll
	for (__u64 i = 0; i < PART_BYTES / 8; i++)
		if (i * 8 < left)
			bpf_probe_read_user(&part.words[i], 8, (void *)(from + i * 8));
	if (left)
		part_end(&part, s, part_send(ctx, &part, left));
	return next(ctx, STAGE_OUTPUT);
}

/* A string of user or kernel memory, word by word to its NUL and no further. */
static __always_inline void part_string(struct part *part, __u64 from)
{
	__u64 word, on = from;

#pragma unroll
	for (__u64 i = 0; i < PART_BYTES / 8; i++) {
		part->words[i] = 0;
		if (!on || bpf_probe_read_user(&part->words[i], 8, (void *)(from + i * 8)))
			on = 0;
		word = part->words[i];
		if ((word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL)
			on = 0;
	}
}

static __always_inline int output_parts_name(void *ctx)
{
	struct part part = {};
	struct scratch *s = scratch_get();
	__u64 filename;

	if (!s)
		return 0;
	part_begin(&part, s);
	filename = s->filename;
	part_string(&part, filename);
	if (part_send(ctx, &part, filename ? PART_BYTES : 0) < 0 || s->which)
		count_lost(LOSS_BUFFER_FULL);
	return 0;
}

#endif
