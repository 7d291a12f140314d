/* SPDX-License-Identifier: Apache-2.0 */
/* One kernel's offsets as the database keeps them (data/offsets.sql, layout_field). */
#ifndef BUILDER_LAYOUT_H
#define BUILDER_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libelf.h>

#include "digest.h"
#include "error.h"
#include "offsets.h"

struct btf;

/* More than this program's list has: a database may be another program's. */
enum { LAYOUT_FIELDS_MAX = 256, LAYOUT_NAME_MAX = 64 };

struct layout_field {
	char type[LAYOUT_NAME_MAX];   /* "task_struct", "enum pid_type" */
	char member[LAYOUT_NAME_MAX]; /* "" for a struct's size */
	uint32_t offset, size, bit_shift;
};

struct layout_name {
	char type[LAYOUT_NAME_MAX], member[LAYOUT_NAME_MAX]; /* as a field's */
};

/*
 * What was looked for is in one of the two: a kernel that was read with an older list of
 * members (include/cormorant/kernel_members.h) has less in both together.
 */
struct layout {
	struct layout_field fields[LAYOUT_FIELDS_MAX]; /* what the kernel has */
	size_t count;
	struct layout_name absent[LAYOUT_FIELDS_MAX]; /* what it was found to lack */
	size_t absent_count;
	char sha256[DIGEST_TEXT]; /* of all that as text, see data/offsets.sql */
};

/* By struct and member, as the database has them. */
void layout_sort(struct layout *layout);

/* What sha256 has to be. Returns 0 or a negative errno. */
int layout_hash(const struct layout *layout, char sha256[DIGEST_TEXT]);

/*
 * Calls fault for everything in it that no kernel has: members that are not aligned, overlap
 * or lie too far off, of a size that they can't have, and the lack of what no exec can be told
 * without. Members that this program does not know only have to lie apart.
 */
void layout_check(const struct layout *layout, void (*fault)(void *arg, const char *what),
		  void *arg);

/*
 * From a kernel's types. Returns 0 or a negative errno: -EINVAL: they are no kernel's, or
 * damaged. what names them in errors.
 */
int layout_from_btf(const struct btf *btf, const char *what, struct layout *layout,
		    struct error *error);
/* The sections that are read of elf are layout_dwarf_sections; the others may be empty. */
int layout_from_dwarf(Elf *elf, const char *what, struct layout *layout, struct error *error);

/* Ends with NULL; the first one is never missing. */
extern const char *const layout_dwarf_sections[];

/* What both end with: the numbers found, or found is a negative errno. */
int layout_from_numbers(int found, const struct kernel_offsets *offsets, const uint32_t *sizes,
			const char *what, struct layout *layout, struct error *error);

#endif
