/* SPDX-License-Identifier: Apache-2.0 */
/* One kernel's offsets as the database keeps them (data/offsets.sql, layout_field). */
#ifndef BUILDER_LAYOUT_H
#define BUILDER_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include <libelf.h>

#include "digest.h"
#include "error.h"
#include "offsets.h"

struct btf;

enum { LAYOUT_FIELDS_MAX = sizeof(struct kernel_offsets) / sizeof(__u16) };

struct layout_field {
	char type[64];	    /* "task_struct", "enum pid_type" */
	const char *member; /* "" for a struct's size */
	uint32_t offset, size, bit_shift;
};

struct layout {
	struct layout_field fields[LAYOUT_FIELDS_MAX]; /* what the kernel has, no more */
	size_t count;
	char sha256[DIGEST_TEXT]; /* of the fields as text, see data/offsets.sql */
};

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
