// SPDX-License-Identifier: Apache-2.0
#include "jsonl.h"

/* A member of an object, unless it is empty; the comma comes before all but the first. */
static void put_string(struct text *text, const char *name, const char *value, bool first)
{
	if (!*value)
		return;
	text_str(text, first ? "\"" : ",\"");
	text_str(text, name);
	text_str(text, "\":");
	text_json_string(text, slice_of(value));
}

/* "STRUCT": at the first member of a struct; what ends the one before. */
static void put_struct(struct text *text, const char *type, const char *before, const char *end,
		       const char *begin)
{
	if (before && !strcmp(before, type)) {
		text_char(text, ',');
		return;
	}
	if (before) {
		text_str(text, end);
		text_char(text, ',');
	}
	text_json_string(text, slice_of(type));
	text_char(text, ':');
	text_str(text, begin);
}

static void put_fields(struct text *text, const struct layout *layout)
{
	const char *before = NULL;

	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		put_struct(text, field->type, before, "}", "{");
		text_json_string(text, slice_of(field->member));
		text_format(text, ":[%u,%u", field->offset, field->size);
		if (field->bit_shift)
			text_format(text, ",%u", field->bit_shift);
		text_char(text, ']');
		before = field->type;
	}
	text_str(text, before ? "}" : "");
}

static void put_absent(struct text *text, const struct layout *layout)
{
	const char *before = NULL;

	for (size_t i = 0; i < layout->absent_count; i++) {
		put_struct(text, layout->absent[i].type, before, "]", "[");
		text_json_string(text, slice_of(layout->absent[i].member));
		before = layout->absent[i].type;
	}
	text_str(text, before ? "]" : "");
}

void jsonl_put_layout(struct text *text, const struct layout *layout)
{
	text_str(text, "{\"layout\":{");
	put_string(text, "sha256", layout->sha256, true);
	text_str(text, ",\"fields\":{");
	put_fields(text, layout);
	text_str(text, "}");
	if (layout->absent_count) {
		text_str(text, ",\"absent\":{");
		put_absent(text, layout);
		text_str(text, "}");
	}
	text_str(text, "}}");
}

void jsonl_put_kernel(struct text *text, const struct db_row *row)
{
	const struct db_kernel *kernel = &row->kernel;
	const struct kernel_identity *identity = &kernel->identity;

	text_str(text, "{\"kernel\":{");
	put_string(text, "build_id", identity->build_id, true);
	put_string(text, "arch", identity->arch, !*identity->build_id);
	put_string(text, "release", identity->release, false);
	put_string(text, "version", identity->version, false);
	put_string(text, "distro", kernel->distro, false);
	put_string(text, "package", kernel->package, false);
	put_string(text, "package_sha256", kernel->package_sha256, false);
	put_string(text, "source", kernel->source, false);
	put_string(text, "sha256", kernel->sha256, false);
	if (kernel->source_verified)
		text_str(text, ",\"source_verified\":true");
	put_string(text, "layout", row->layout->sha256, false);
	text_str(text, "}}");
}

void jsonl_put_crawled(struct text *text, const struct db_crawled *crawled)
{
	text_str(text, "{\"crawled\":{");
	put_string(text, "package_sha256", crawled->package_sha256, true);
	put_string(text, "package", crawled->package, false);
	put_string(text, "build_id", crawled->build_id, false);
	put_string(text, "why", crawled->why, false);
	text_str(text, "}}");
}
