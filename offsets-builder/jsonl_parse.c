// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "jsonl.h"

/*
 * What is read here is only taken apart: that it was complete, without doubles and in order is
 * seen when it is written again and compared.
 */

/* A string that is there and fits, else empty. */
static void take_string(struct json_object *object, const char *name, char *out, size_t size)
{
	struct json_object *value;

	*out = 0;
	if (json_object_object_get_ex(object, name, &value) &&
	    json_object_is_type(value, json_type_string) &&
	    (size_t)json_object_get_string_len(value) < size)
		memcpy(out, json_object_get_string(value),
		       (size_t)json_object_get_string_len(value) + 1);
}

static uint32_t number_at(struct json_object *list, size_t i)
{
	struct json_object *value = json_object_array_get_idx(list, i);
	int64_t number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) :
								     UINT32_MAX;

	return number < 0 || number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static bool take_name(const char *from, char *to)
{
	size_t len = strlen(from);

	if (len >= LAYOUT_NAME_MAX)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static bool take_field(struct layout *layout, const char *type, const char *member,
		       struct json_object *numbers)
{
	struct layout_field *field = &layout->fields[layout->count];

	if (layout->count == LAYOUT_FIELDS_MAX || !json_object_is_type(numbers, json_type_array) ||
	    !take_name(type, field->type) || !take_name(member, field->member))
		return false;
	field->offset = number_at(numbers, 0);
	field->size = number_at(numbers, 1);
	field->bit_shift = json_object_array_length(numbers) > 2 ? number_at(numbers, 2) : 0;
	layout->count++;
	return true;
}

static bool take_absent(struct layout *layout, const char *type, struct json_object *member)
{
	struct layout_name *name = &layout->absent[layout->absent_count];

	if (layout->absent_count == LAYOUT_FIELDS_MAX ||
	    !json_object_is_type(member, json_type_string) || !take_name(type, name->type) ||
	    !take_name(json_object_get_string(member), name->member))
		return false;
	layout->absent_count++;
	return true;
}

static bool take_fields(struct layout *layout, struct json_object *structs)
{
	json_object_object_foreach(structs, type, members)
	{
		if (!json_object_is_type(members, json_type_object))
			return false;
		json_object_object_foreach(members, member, numbers)
		{
			if (!take_field(layout, type, member, numbers))
				return false;
		}
	}
	return true;
}

static bool take_absents(struct layout *layout, struct json_object *structs)
{
	json_object_object_foreach(structs, type, members)
	{
		if (!json_object_is_type(members, json_type_array))
			return false;
		for (size_t i = 0; i < json_object_array_length(members); i++)
			if (!take_absent(layout, type, json_object_array_get_idx(members, i)))
				return false;
	}
	return true;
}

static bool take_layout(struct json_object *object, struct jsonl_line *line)
{
	struct layout *layout = &line->layout;
	struct json_object *fields = NULL, *absent = NULL;

	line->kind = JSONL_LAYOUT;
	layout->count = layout->absent_count = 0;
	take_string(object, "sha256", layout->sha256, sizeof(layout->sha256));
	json_object_object_get_ex(object, "fields", &fields);
	json_object_object_get_ex(object, "absent", &absent);
	return json_object_is_type(fields, json_type_object) && take_fields(layout, fields) &&
	       (!absent ||
		(json_object_is_type(absent, json_type_object) && take_absents(layout, absent)));
}

static bool take_kernel(struct json_object *object, struct jsonl_line *line)
{
	struct db_kernel *kernel = &line->kernel;
	struct kernel_identity *identity = &kernel->identity;
	const struct {
		const char *name, **text;
	} texts[] = {{"distro", &kernel->distro},
		     {"package", &kernel->package},
		     {"package_sha256", &kernel->package_sha256},
		     {"source", &kernel->source},
		     {"sha256", &kernel->sha256}};
	struct json_object *verified = NULL;

	line->kind = JSONL_KERNEL;
	take_string(object, "build_id", identity->build_id, sizeof(identity->build_id));
	take_string(object, "arch", identity->arch, sizeof(identity->arch));
	take_string(object, "release", identity->release, sizeof(identity->release));
	take_string(object, "version", identity->version, sizeof(identity->version));
	take_string(object, "layout", line->layout_sha256, sizeof(line->layout_sha256));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		take_string(object, texts[i].name, line->texts[i], sizeof(line->texts[i]));
		*texts[i].text = line->texts[i];
	}
	json_object_object_get_ex(object, "source_verified", &verified);
	kernel->source_verified = json_object_get_boolean(verified);
	return true;
}

static bool take_crawled(struct json_object *object, struct jsonl_line *line)
{
	struct db_crawled *crawled = &line->crawled;

	line->kind = JSONL_CRAWLED;
	take_string(object, "package_sha256", crawled->package_sha256,
		    sizeof(crawled->package_sha256));
	take_string(object, "package", crawled->package, sizeof(crawled->package));
	take_string(object, "build_id", crawled->build_id, sizeof(crawled->build_id));
	take_string(object, "why", crawled->why, sizeof(crawled->why));
	return true;
}

static bool take_line(struct json_object *object, struct jsonl_line *line)
{
	static const struct {
		const char *name;
		bool (*take)(struct json_object *object, struct jsonl_line *line);
	} kinds[] = {{"layout", take_layout}, {"kernel", take_kernel}, {"crawled", take_crawled}};
	struct json_object *value;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (json_object_object_get_ex(object, kinds[i].name, &value))
			return json_object_is_type(value, json_type_object) &&
			       kinds[i].take(value, line);
	return false;
}

/* True if the line, written again, is the same. */
static bool is_as_written(const char *bytes, size_t size, struct jsonl_line *line)
{
	struct text text = {0};
	bool same;

	if (line->kind == JSONL_LAYOUT) {
		layout_sort(&line->layout);
		jsonl_put_layout(&text, &line->layout);
	} else if (line->kind == JSONL_KERNEL) {
		struct db_row row = {.kernel = line->kernel, .layout = &line->layout};

		memcpy(line->layout.sha256, line->layout_sha256, sizeof(line->layout_sha256));
		jsonl_put_kernel(&text, &row);
	} else {
		jsonl_put_crawled(&text, &line->crawled);
	}
	same = !text.failed && text.len == size && !memcmp(text.data, bytes, size);
	text_free(&text);
	return same;
}

int jsonl_parse(const char *bytes, size_t size, struct jsonl_line *line, struct error *error)
{
	struct json_tokener *tokener = size < JSONL_LINE_MAX ? json_tokener_new_ex(8) : NULL;
	struct json_object *object = NULL;
	const char *why = "it is too long";
	bool taken;

	if (tokener) {
		object = json_tokener_parse_ex(tokener, bytes, (int)size);
		why = json_tokener_error_desc(json_tokener_get_error(tokener));
		json_tokener_free(tokener);
	}
	if (!object)
		return error_set(error, -EINVAL, "it is no JSON object (%s): export it again", why);
	taken = json_object_is_type(object, json_type_object) && take_line(object, line);
	json_object_put(object);
	if (!taken || !is_as_written(bytes, size, line))
		return error_set(
			error, -EINVAL,
			"it is not as `offsets-builder export` writes it: export it again");
	return 0;
}
