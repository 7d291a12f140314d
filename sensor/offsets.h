/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Struct offsets of a kernel (include/cormorant/kernel_offsets.h) from user space's
 * side: the list of what there is to know, and where the numbers come from.
 */
#ifndef CORMORANT_OFFSETS_H
#define CORMORANT_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cormorant/kernel_offsets.h"

struct btf;

enum offset_kind { OFFSET_OF_MEMBER, OFFSET_OF_SIZE, OFFSET_OF_VALUE };

/* One number of struct kernel_offsets. */
struct offset_item {
	enum offset_kind kind;
	const char *type;   /* struct (or, of a value, enum) name, without the keyword */
	const char *member; /* member or enumerator; "" for a struct's size */
	uint16_t size;	    /* bytes that the programs read of a member; 0 if only its address counts */
	uint16_t at;	    /* offsetof in struct kernel_offsets */
};

extern const struct offset_item offset_items[];
extern const size_t offset_item_count;

/* Everything absent. */
void offsets_clear(struct kernel_offsets *offsets);
/* One number; OFFSET_ABSENT if absent. */
uint16_t offsets_get(const struct kernel_offsets *offsets, const struct offset_item *item);
void offsets_set(struct kernel_offsets *offsets, const struct offset_item *item, uint16_t value);

/*
 * Fills offsets from a kernel's BTF: members of anonymous structs and unions inside
 * included; a bit field, a member smaller than what is read of it, or one at 64 KiB or
 * beyond counts as absent. Structs that older kernels call differently are looked for
 * under both names (timespec64 was timespec before 4.18). Returns how many numbers were
 * found, or a negative errno.
 */
int offsets_from_btf(const struct btf *btf, struct kernel_offsets *offsets);

#endif
