/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Where the members of kernel_members.h lie in one kernel: the numbers that programs
 * with access `map` take from a BPF map, one 16-bit word each, expanded from the list.
 *
 *	STRUCT__MEMBER		offset of the member in bytes
 *	size__STRUCT		size of the struct in bytes
 *	value__ENUMERATOR	the enumerator's number
 *
 * OFFSET_ABSENT says that this kernel has no such thing. Offsets of 64 KiB and more do
 * not occur in the structs listed (the largest, struct net and task_struct, have some
 * 10 KiB); one that did would have to be treated as absent.
 */
#ifndef CORMORANT_KERNEL_OFFSETS_H
#define CORMORANT_KERNEL_OFFSETS_H

#include <linux/types.h>

#include "cormorant/kernel_members.h"

#define OFFSET_ABSENT 0xffff

#define OFFSET_MEMBER(s, type, member, what_for) __u16 s##__##member;
#define OFFSET_STRUCT(s) KERNEL_##s(OFFSET_MEMBER)
#define OFFSET_SIZE(s, what_for) __u16 size__##s;
#define OFFSET_VALUE(e, v, what_for) __u16 value__##v;

struct kernel_offsets {
	KERNEL_STRUCTS(OFFSET_STRUCT)
	KERNEL_SIZES(OFFSET_SIZE)
	KERNEL_VALUES(OFFSET_VALUE)
};

#undef OFFSET_MEMBER
#undef OFFSET_STRUCT
#undef OFFSET_SIZE
#undef OFFSET_VALUE

/* What the loader tells the programs: the one value of the map `settings`. */
struct probe_settings {
	__u32 flags; /* enum exec_flag, set in every record's facts: EXEC_CLOCK_MONOTONIC */
	/*
	 * sched_process_exec's __data_loc filename: its offset in the tracepoint's context.
	 * 8 but for kernels with more common fields (PREEMPT_RT); tracefs' format file says.
	 */
	__u32 tp_filename_at;
	struct kernel_offsets offsets;
};

#endif
