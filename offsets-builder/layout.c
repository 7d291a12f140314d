// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 192 };

_Static_assert(sizeof(struct kernel_offsets) / sizeof(__u16) <= LAYOUT_FIELDS_MAX,
	       "the whole list fits a layout");

static struct layout_field field_of(const struct offset_item *item, uint16_t value, uint32_t size)
{
	struct layout_field field = {.size = size};

	snprintf(field.member, sizeof(field.member), "%s", item->member);
	snprintf(field.type, sizeof(field.type), "%s%s",
		 item->kind == OFFSET_OF_VALUE ? "enum " : "", item->type);
	/* A struct's size has its column, and begins where the struct does. */
	field.offset = item->kind == OFFSET_OF_SIZE ? 0 : value;
	return field;
}

static void add_item(struct layout *layout, const struct offset_item *item, uint16_t value,
		     uint32_t size)
{
	struct layout_field field = field_of(item, value, size);

	if (value != OFFSET_ABSENT) {
		layout->fields[layout->count++] = field;
		return;
	}
	memcpy(layout->absent[layout->absent_count].type, field.type, sizeof(field.type));
	memcpy(layout->absent[layout->absent_count++].member, field.member, sizeof(field.member));
}

static int compare_fields(const void *a, const void *b)
{
	const struct layout_field *x = a, *y = b;
	int order = strcmp(x->type, y->type);

	return order ? order : strcmp(x->member, y->member);
}

static int compare_names(const void *a, const void *b)
{
	const struct layout_name *x = a, *y = b;
	int order = strcmp(x->type, y->type);

	return order ? order : strcmp(x->member, y->member);
}

void layout_sort(struct layout *layout)
{
	qsort(layout->fields, layout->count, sizeof(layout->fields[0]), compare_fields);
	qsort(layout->absent, layout->absent_count, sizeof(layout->absent[0]), compare_names);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

static size_t write_lines(const struct layout *layout, char (*lines)[LINE_MAX_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		snprintf(lines[n++], LINE_MAX_BYTES, "%s.%s %u %u %u\n", field->type, field->member,
			 field->offset, field->size, field->bit_shift);
	}
	for (size_t i = 0; i < layout->absent_count; i++)
		snprintf(lines[n++], LINE_MAX_BYTES, "%s.%s absent\n", layout->absent[i].type,
			 layout->absent[i].member);
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	return n;
}

int layout_hash(const struct layout *layout, char sha256[DIGEST_TEXT])
{
	char(*lines)[LINE_MAX_BYTES] = malloc(2 * LAYOUT_FIELDS_MAX * sizeof(*lines));
	struct digest *digest = lines ? digest_new() : NULL;
	size_t n;

	if (digest) {
		n = write_lines(layout, lines);
		for (size_t i = 0; i < n; i++)
			digest_add(digest, lines[i], strlen(lines[i]));
	}
	free(lines);
	return digest ? digest_end(digest, sha256) : -ENOMEM;
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
	layout->count = layout->absent_count = 0;
	for (size_t i = 0; i < offset_item_count; i++)
		add_item(layout, &offset_items[i], offsets_get(offsets, &offset_items[i]),
			 sizes[i]);
	if (layout_hash(layout, layout->sha256))
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
