/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The access layer: where in the kernel's memory a struct member lies.
 *
 * All that the program body asks is HAS (does this kernel have the member?), OFF
 * (its offset in bytes), and the same for an enum's value and a struct's size. The
 * first argument says where the answer comes from, and is a constant in every
 * program, so that the others cost nothing:
 *
 *   ACCESS_CORE   CO-RE: libbpf writes the answers into the instructions at load
 *                 time, from the kernel's BTF; the verifier then drops what HAS
 *                 said no to.
 *
 * A source of offsets is added here, as one more term of each macro, and nowhere
 * else.
 */
#ifndef CORMORANT_BPF_ACCESS_H
#define CORMORANT_BPF_ACCESS_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "cormorant/kernel_members.h"

enum access {
	ACCESS_CORE,
};

#define RELOCATED __attribute__((preserve_access_index))

/* kuid_t, kgid_t and kernel_cap_t: structs whose first bytes are the value. */
struct kernel_id {
	__u32 val;
};
struct kernel_caps {
	__u64 val;
};

#define DECLARE_MEMBER(s, type, member) type member;
#define DECLARE_STRUCT(s)                                                                          \
	struct s {                                                                                 \
		KERNEL_##s(DECLARE_MEMBER)                                                         \
	} RELOCATED;
KERNEL_STRUCTS(DECLARE_STRUCT)

/* Until 5.4 the id was a union; CO-RE wants the kind of type to agree. */
struct kernfs_node___union {
	union {
		__u64 id;
	} id;
} RELOCATED;

/* The tracepoint's context; its fields move where a kernel adds common fields (PREEMPT_RT). */
struct trace_event_raw_sched_process_exec {
	__u32 __data_loc_filename;
} RELOCATED;

/* Only the names count: the values are the running kernel's. */
enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
};
enum cgroup_subsys_id {
	memory_cgrp_id,
	pids_cgrp_id,
};

#define MEMBER(s, m) (((struct s *)0)->m)

#define HAS(access, s, m) ((access) == ACCESS_CORE ? bpf_core_field_exists(MEMBER(s, m)) : 0)
#define OFF(access, s, m)                                                                          \
	((access) == ACCESS_CORE ?                                                                 \
		 __builtin_preserve_field_info(MEMBER(s, m), BPF_FIELD_BYTE_OFFSET) :              \
		 0)
#define HAS_VALUE(access, e, v)                                                                    \
	((access) == ACCESS_CORE ? bpf_core_enum_value_exists(enum e, v) : 0)
#define VALUE(access, e, v) ((access) == ACCESS_CORE ? bpf_core_enum_value(enum e, v) : 0)
#define SIZE(access, s) ((access) == ACCESS_CORE ? bpf_core_type_size(struct s) : 0)

/* One program's run. tmp is the one stack slot that kernel pointers are read through. */
struct run {
	enum access access;
	__u64 tmp;
};

/*
 * Reads size bytes at base + off into dst. Returns 1 if they are there. A null base,
 * a pointer that an earlier step could not read, fails like any other bad address;
 * asking first would only double the verifier's paths.
 */
static __always_inline int read_at(void *dst, __u32 size, const void *base, __u64 off)
{
	return bpf_probe_read_kernel(dst, size, (const char *)base + off) == 0;
}

/* The pointer at base + off, NULL if it can't be read (the helper then writes zeroes). */
static __always_inline void *follow_at(struct run *run, const void *base, __u64 off)
{
	bpf_probe_read_kernel(&run->tmp, sizeof(run->tmp), (const char *)base + off);
	return (void *)run->tmp;
}

/* READ: 1 if *dst now holds base->m. FOLLOW: the pointer base->m, NULL if unknown. */
#define READ(run, dst, base, s, m)                                                                 \
	(HAS((run)->access, s, m) &&                                                               \
	 read_at((dst), sizeof(*(dst)), (base), OFF((run)->access, s, m)))
#define FOLLOW(run, base, s, m)                                                                    \
	(HAS((run)->access, s, m) ? follow_at((run), (base), OFF((run)->access, s, m)) : NULL)
/* The address of the embedded member base->m; no readable address if base was none. */
#define WITHIN(run, base, s, m)                                                                    \
	(HAS((run)->access, s, m) ? (char *)(base) + OFF((run)->access, s, m) : NULL)

#endif
