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
	uint16_t size;	    /* bytes that are read of a member at once; 0: its address counts */
	uint16_t align;	    /* no compiler puts it anywhere but at multiples of it */
	uint16_t at;	    /* offsetof in struct kernel_offsets */
	/* Of a record (FACT_BITs, cormorant/record.h): those that are not there without it. */
	uint64_t needed_by;
	uint16_t instead; /* `at` of what other kernels have in its place, or OFFSET_ABSENT */
};

extern const struct offset_item offset_items[];
extern const size_t offset_item_count;

/* Everything absent. */
void offsets_clear(struct kernel_offsets *offsets);
/* One number; OFFSET_ABSENT if absent. */
uint16_t offsets_get(const struct kernel_offsets *offsets, const struct offset_item *item);
void offsets_set(struct kernel_offsets *offsets, const struct offset_item *item, uint16_t value);
/* Nothing is known. */
bool offsets_empty(const struct kernel_offsets *offsets);

/* A member as databases and rows name it (data/offsets.sql, layout_field). */
struct offset_field {
	const char *type;   /* "task_struct", or of an enumerator "enum pid_type" */
	const char *member; /* "tgid", the enumerator, "" for the struct itself */
	int64_t offset, size, bit_shift;
};
/*
 * Takes what such a field says. One that this program does not know is passed over; one
 * that can't be read as the programs read it is absent, as from BTF. Returns 0, or -EEXIST
 * if it contradicts what was taken before.
 */
int offsets_take(struct kernel_offsets *offsets, const struct offset_field *field);

/* The item that databases and rows call so; NULL if this program does not know it. */
const struct offset_item *offset_item_named(const char *type, const char *member);
/*
 * The first item for want of which a record has not this fact (a FACT_BIT): neither it nor what
 * other kernels have in its place is known. NULL: none is wanting.
 */
const struct offset_item *offsets_lacking(const struct kernel_offsets *offsets, uint64_t fact);
/* The items, of offset_item_count, that were not seen in a row: "cred.uid, upid", or "". */
void offsets_name_unseen(const bool *seen, char *text, size_t size);

/* Is the item one of those that such a text names? */
bool offsets_named(const struct offset_item *item, const char *text);

/* Takes what can't be where it is said to be for absent. Returns how many that were. */
int offsets_drop_misplaced(struct kernel_offsets *offsets);

/*
 * Fills offsets from a kernel's BTF, which may be hostile: members of anonymous structs
 * and unions inside included. A bit field, a member smaller than what is read of it, one
 * of another shape (a pointer where a struct or an array is expected, a struct where a
 * number is) or at OFFSET_ABSENT and beyond counts as absent. Structs that older kernels
 * call differently are looked for under both names (timespec64 was timespec before 4.18).
 * Of several types of one name the first that has most of the members is taken. Returns
 * how many numbers were found, or a negative errno: -E2BIG if the types have more members
 * than any kernel's.
 */
int offsets_from_btf(const struct btf *btf, struct kernel_offsets *offsets);
/*
 * The same, and sizes[i], of offset_item_count: the bytes of member i in that kernel (of a
 * struct's size, that size; 0 of an enumerator, a flexible array and what is absent).
 */
int offsets_from_btf_sized(const struct btf *btf, struct kernel_offsets *offsets, uint32_t *sizes);

#endif
