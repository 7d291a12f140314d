/* SPDX-License-Identifier: Apache-2.0 */
/* One kernel's offsets as the database keeps them (data/offsets.sql, layout_field). */
#ifndef BUILDER_LAYOUT_H
#define BUILDER_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

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

/* Returns 0 or a negative errno. -EINVAL: this is no kernel's BTF; what names it in errors. */
int layout_from_btf(const struct btf *btf, const char *what, struct layout *layout,
		    struct error *error);

#endif
