/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF ELF in the kernel: of all its programs and maps those of one variant, with
 * their settings and stages filled in. Nothing of it is attached yet.
 */
#ifndef CORMORANT_OBJECT_H
#define CORMORANT_OBJECT_H

#include "feature.h"
#include "offsets.h"
#include "variant.h"

struct bpf_object;

struct object_plan {
	const struct variant *variant;
	bool parts;    /* helpers take only the stack: records go out in parts */
	bool retprobe; /* the hook is execve's return */
	struct features *features;
	const struct kernel_offsets *offsets; /* for ACCESS_MAP; else NULL */
	int cpus;			      /* possible ones */
	size_t ring_bytes;		      /* a power of two, at least a page */
	uint32_t tp_filename_at;
};

struct object {
	struct bpf_object *bpf;
	char *elf;    /* what bpf was opened from */
	int entry;    /* descriptors; owned by bpf */
	int counters; /* keyed by CPU, struct exec_counters */
	int buffer;   /* the ring or the perf event array */
	bool clock_boot;
};

/*
 * Returns 0 or a negative errno; object is to be closed in both cases. The programs and
 * maps that the variant does not use are never created.
 */
int object_load(struct object *object, const struct object_plan *plan);

/* Safe on one that is zero. */
void object_close(struct object *object);

#endif
