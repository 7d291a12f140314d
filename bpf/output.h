/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The output layer: counters, the buffer a record is built in, and how a finished
 * record is handed over. Like the access layer it is a constant parameter of the
 * body; a transport is added as one more case of output_record.
 */
#ifndef CORMORANT_BPF_OUTPUT_H
#define CORMORANT_BPF_OUTPUT_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "cormorant/record.h"

enum transport {
	TRANSPORT_RINGBUF,
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
	 * verifier knows nothing of it: a value it followed through the loops would
	 * multiply the states it has to look at by the number of steps.
	 */
	__u64 at;
	union {
		struct exec_record record;
		__u8 bytes[RECORD_MAX];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Its size is set by the loader before it is created. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static __always_inline struct exec_counters *counters_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The clock that goes with the transport: ring buffer and boot clock helper both came with 5.8. */
static __always_inline __u64 output_clock(enum transport transport, __u32 *flags)
{
	if (transport == TRANSPORT_RINGBUF)
		return bpf_ktime_get_boot_ns();
	*flags |= EXEC_CLOCK_MONOTONIC;
	return bpf_ktime_get_ns();
}

/* Hands length bytes of the record over. Returns 0, or negative if the buffer was full. */
static __always_inline long output_record(enum transport transport, struct exec_record *record,
					  __u64 length)
{
	if (transport == TRANSPORT_RINGBUF)
		return bpf_ringbuf_output(&ring, record, length, 0);
	return -1;
}

#endif
