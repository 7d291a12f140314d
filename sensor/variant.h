/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variants of the exec probe: a table, best first, of what each is made of and needs.
 * A variant is a rung on each of three axes; its programs are an entry for the hook and
 * the stages behind it (bpf/exec.bpf.c).
 */
#ifndef CORMORANT_VARIANT_H
#define CORMORANT_VARIANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cormorant/record.h"

enum attach { ATTACH_RAW_TP, ATTACH_TP, ATTACH_KPROBE, ATTACH_COUNT };
enum transport { TRANSPORT_RINGBUF, TRANSPORT_PERFBUF, TRANSPORT_COUNT };
enum access { ACCESS_CORE, ACCESS_MAP, ACCESS_NONE, ACCESS_COUNT };

/* The rungs' names, best first: "raw_tp", "ringbuf", "core", … */
extern const char *const attach_names[ATTACH_COUNT];
extern const char *const transport_names[TRANSPORT_COUNT];
extern const char *const access_names[ACCESS_COUNT];

struct variant {
	const char *name; /* EVENT.ATTACH.TRANSPORT.ACCESS */
	enum attach attach;
	enum transport transport;
	enum access access;
};

extern const struct variant variants[];
extern const size_t variant_count;

/* A forced choice; a rung that is NULL is free. */
struct variant_force {
	const char *attach;
	const char *transport;
	const char *access;
};

/*
 * The variant of that rank within an access, below VARIANTS_OF_ACCESS, best first.
 * raw_tp_last: a raw tracepoint's program can be preempted, and misses execs meanwhile, so
 * the other attaches go before it.
 */
enum { VARIANTS_OF_ACCESS = ATTACH_COUNT * TRANSPORT_COUNT };
const struct variant *variant_ranked(enum access access, size_t rank, bool raw_tp_last);

bool variant_allowed(const struct variant *variant, const struct variant_force *force);

/*
 * Features (a bit each, enum feature_id) without which the variant can't be: all of
 * needs_all, and one of each other set that is not 0.
 */
struct variant_needs {
	uint64_t all;
	uint64_t any[2];
};
struct variant_needs variant_needs(const struct variant *variant);

/*
 * Names of a variant's programs. parts: helpers of this kernel take only the stack, and
 * records go out in parts. retprobe: a kprobe at execve's return, not at a function behind it.
 */
struct variant_programs {
	const char *entry;
	const char *stages[STAGE_COUNT]; /* NULL: there is no such stage */
};
void variant_programs(const struct variant *variant, bool parts, bool retprobe,
		      struct variant_programs *programs);

#endif
