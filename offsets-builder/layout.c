// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 192 };

static struct layout_field field_of(const struct offset_item *item, uint16_t value, uint32_t size)
{
	struct layout_field field = {.member = item->member, .size = size};

	snprintf(field.type, sizeof(field.type), "%s%s",
		 item->kind == OFFSET_OF_VALUE ? "enum " : "", item->type);
	/* A struct's size has its column, and begins where the struct does. */
	field.offset = item->kind == OFFSET_OF_SIZE ? 0 : value;
	return field;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int hash_fields(struct layout *layout)
{
	char lines[LAYOUT_FIELDS_MAX][LINE_MAX_BYTES];
	struct digest *digest = digest_new();

	if (!digest)
		return -ENOMEM;
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		snprintf(lines[i], sizeof(lines[i]), "%s.%s %u %u %u\n", field->type, field->member,
			 field->offset, field->size, field->bit_shift);
	}
	qsort(lines, layout->count, sizeof(lines[0]), compare_lines);
	for (size_t i = 0; i < layout->count; i++)
		digest_add(digest, lines[i], strlen(lines[i]));
	return digest_end(digest, layout->sha256);
}

/* What no exec can be told without: every kernel has it. */
static bool is_kernel(const struct kernel_offsets *offsets)
{
	return offsets->task_struct__tgid != OFFSET_ABSENT &&
	       offsets->task_struct__real_parent != OFFSET_ABSENT &&
	       offsets->mm_struct__arg_start != OFFSET_ABSENT;
}

int layout_from_numbers(int found, const struct kernel_offsets *offsets, const uint32_t *sizes,
			const char *what, struct layout *layout, struct error *error)
{
	if (found < 0 || !is_kernel(offsets))
		return error_set(error, -EINVAL,
				 "cannot read %s: its types are not a 64-bit kernel's (no usable "
				 "struct task_struct): give a vmlinux or its BTF",
				 what);
	layout->count = 0;
	for (size_t i = 0; i < offset_item_count; i++) {
		uint16_t value = offsets_get(offsets, &offset_items[i]);

		if (value != OFFSET_ABSENT)
			layout->fields[layout->count++] =
				field_of(&offset_items[i], value, sizes[i]);
	}
	if (hash_fields(layout))
		return error_set(error, -ENOMEM,
				 "cannot read %s: SHA-256 failed: free memory, or check libcrypto",
				 what);
	return 0;
}

int layout_from_btf(const struct btf *btf, const char *what, struct layout *layout,
		    struct error *error)
{
	uint32_t sizes[LAYOUT_FIELDS_MAX];
	struct kernel_offsets offsets;
	int found = offsets_from_btf_sized(btf, &offsets, sizes);

	return layout_from_numbers(found, &offsets, sizes, what, layout, error);
}
