/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The access layer: where in the kernel's memory a struct member lies.
 *
 * All that the programs ask is HAS (does this kernel have the member?), OFF (its
 * offset in bytes), and the same for an enumerator's number and a struct's size.
 * Where the answer comes from is a constant of the program, so that the other sources
 * cost it nothing:
 *
 *   ACCESS_CORE   CO-RE: libbpf writes the answers into the instructions at load
 *                 time, from the kernel's BTF; the verifier then drops what HAS
 *                 said no to.
 *   ACCESS_MAP    struct kernel_offsets, the value of the map `settings`: one
 *                 look-up a program, then a load for each question.
 *   ACCESS_NONE   nothing is known: HAS is no.
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

#include "cormorant/kernel_offsets.h"

enum access {
	ACCESS_CORE,
	ACCESS_MAP,
	ACCESS_NONE,
};

#define RELOCATED __attribute__((preserve_access_index))

/* kuid_t, kgid_t and kernel_cap_t: structs whose first bytes are the value. */
struct kernel_id {
	__u32 val;
};
struct kernel_caps {
	__u64 val;
};

#define DECLARE_MEMBER(s, type, member, what_for) type member;
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

enum { TEXT_WORDS = 4 };

/* One program's run. Nothing is given its address, so that clang sees a constant in access. */
struct run {
	enum access access;
	const struct kernel_offsets *offsets; /* ACCESS_MAP */
	/*
	 * TEXT_WORDS of the stack. Everything is read to here and then copied: below 4.11
	 * helpers write nowhere else. They are zeroed at the start: below 4.8 a helper may
	 * not be given stack that has not been written.
	 */
	__u64 *text;
};

#define MEMBER(s, m) (((struct s *)0)->m)

#define ASK(run, core, map, none)                                                                  \
	((run)->access == ACCESS_CORE ? (core) : (run)->access == ACCESS_MAP ? (map) : (none))

#define HAS(run, s, m)                                                                             \
	ASK(run, bpf_core_field_exists(MEMBER(s, m)),                                              \
	    (run)->offsets->s##__##m != OFFSET_ABSENT, 0)
#define OFF(run, s, m)                                                                             \
	ASK(run, (__u64)__builtin_preserve_field_info(MEMBER(s, m), BPF_FIELD_BYTE_OFFSET),        \
	    (__u64)(run)->offsets->s##__##m, 0)
#define HAS_VALUE(run, e, v)                                                                       \
	ASK(run, bpf_core_enum_value_exists(enum e, v),                                            \
	    (run)->offsets->value__##v != OFFSET_ABSENT, 0)
#define VALUE(run, e, v)                                                                           \
	ASK(run, (__u64)bpf_core_enum_value(enum e, v), (__u64)(run)->offsets->value__##v, 0)
#define HAS_SIZE(run, s)                                                                           \
	ASK(run, bpf_core_type_exists(struct s), (run)->offsets->size__##s != OFFSET_ABSENT, 0)
#define SIZE(run, s)                                                                               \
	ASK(run, (__u64)bpf_core_type_size(struct s), (__u64)(run)->offsets->size__##s, 0)

/*
 * Reads size bytes, at most 8, at base + off to run->text[0]. Returns 1 if they are there.
 * A null base, a pointer that an earlier step could not read, fails like any other bad
 * address; asking first would only double the verifier's paths.
 */
static __always_inline int read_word(struct run *run, __u32 size, const void *base, __u64 off)
{
	return bpf_probe_read_kernel(run->text, size, (const char *)base + off) == 0;
}

/* The pointer at base + off, NULL if it can't be read. */
static __always_inline void *follow_at(struct run *run, const void *base, __u64 off)
{
	return read_word(run, sizeof(run->text[0]), base, off) ? (void *)run->text[0] : NULL;
}

/*
 * Text of TEXT_WORDS words at address, to out; made to end with a NUL. What stands behind
 * the first NUL means nothing: a string read needs 4.11. An address less than that from
 * the end of what is mapped is tried again with less. Returns 1 if it is there.
 */
static __always_inline int read_text(struct run *run, __u64 *out, const void *address)
{
	if (bpf_probe_read_kernel(run->text, TEXT_WORDS * 8, address)) {
		/* Old kernels leave of a failed read what it got, or what was there before. */
		for (int i = 0; i < TEXT_WORDS; i++)
			run->text[i] = 0;
		if (bpf_probe_read_kernel(run->text, sizeof(run->text[0]), address))
			return 0;
	}
	((char *)run->text)[TEXT_WORDS * 8 - 1] = 0;
	for (int i = 0; i < TEXT_WORDS; i++)
		out[i] = run->text[i];
	return 1;
}

/* READ: 1 if *dst now holds base->m. FOLLOW: the pointer base->m, NULL if unknown. */
#define READ(run, dst, base, s, m)                                                                 \
	(HAS(run, s, m) && read_word((run), sizeof(*(dst)), (base), OFF(run, s, m)) &&             \
	 (*(dst) = *(__typeof__(dst))(run)->text, 1))
#define FOLLOW(run, base, s, m)                                                                    \
	(HAS(run, s, m) ? follow_at((run), (base), OFF(run, s, m)) : NULL)
/* The address of the embedded member base->m; no readable address if base was none. */
#define WITHIN(run, base, s, m) (HAS(run, s, m) ? (char *)(base) + OFF(run, s, m) : NULL)

/* The same where HAS has been asked before: a walk asks once, not at each step. */
#define FOLLOW_KNOWN(run, base, s, m) follow_at((run), (base), OFF(run, s, m))
#define WITHIN_KNOWN(run, base, s, m) ((char *)(base) + OFF(run, s, m))

#endif
