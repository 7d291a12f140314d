// SPDX-License-Identifier: Apache-2.0
#include "offsets_row.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

/* {"layout":{"fields":{"task_struct":{"tgid":[… */
enum { DEPTH_MAX = 6 };

struct reader {
	struct kernel_offsets *offsets;
	bool seen[sizeof(struct kernel_offsets) / sizeof(uint16_t)]; /* what was looked for */
	char *error;
	size_t error_size;
};

static int fail(const struct reader *r, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(const struct reader *r, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->error, r->error_size, format, args);
	va_end(args);
	return err;
}

static int fail_malformed(const struct reader *r, const char *what)
{
	return fail(r, -EBADMSG, "%s: publish it anew with offsets-builder", what);
}

/* A member, NULL if there is none of that name and type. */
static struct json_object *member(struct json_object *object, const char *key, json_type type)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return NULL;
	return value;
}

/* The text of a string; NULL if it is none, or has a NUL in it. */
static const char *text_of(struct json_object *value)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static bool is_text(struct json_object *object, const char *key, const char *expected)
{
	const char *text = text_of(member(object, key, json_type_string));

	return text && !strcmp(text, expected);
}

static void copy_text(struct json_object *object, const char *key, char *out, size_t size)
{
	const char *text = text_of(member(object, key, json_type_string));

	snprintf(out, size, "%s", text ? text : "");
}

static int check_version(const struct reader *r, struct json_object *row)
{
	struct json_object *version = member(row, "row_version", json_type_int);
	int64_t number = version ? json_object_get_int64(version) : 0;

	if (number < 1)
		return fail_malformed(r, "it is no row of offsets");
	if (number > OFFSETS_ROW_VERSION)
		return fail(r, -EBADMSG,
			    "its form is number %lld, and this program knows %d: update cormorant",
			    (long long)number, OFFSETS_ROW_VERSION);
	return 0;
}

static int check_kernel(const struct reader *r, struct json_object *row,
			const struct kernel_identity *identity)
{
	struct json_object *kernel = member(row, "kernel", json_type_object);

	if (*identity->build_id && is_text(kernel, "build_id", identity->build_id) &&
	    is_text(kernel, "arch", identity->arch))
		return 0;
	return fail(r, -ESTALE,
		    "it is another kernel's row: whoever serves it has mixed files up, or lies");
}

static void mark_seen(struct reader *r, const char *type, const char *name)
{
	const struct offset_item *item = offset_item_named(type, name);

	if (item)
		r->seen[item - offset_items] = true;
}

/* "tgid":[2500,4], and of a bit field its shift. */
static int take_field(struct reader *r, const char *type, const char *name,
		      struct json_object *numbers)
{
	struct offset_field field = {.type = type, .member = name};
	int64_t *const to[] = {&field.offset, &field.size, &field.bit_shift};
	size_t count = json_object_is_type(numbers, json_type_array) ?
			       json_object_array_length(numbers) :
			       0;

	if (count < 2 || count > 3)
		return fail_malformed(r, "a field of it is none");
	for (size_t i = 0; i < count; i++) {
		struct json_object *number = json_object_array_get_idx(numbers, i);

		if (!json_object_is_type(number, json_type_int))
			return fail_malformed(r, "a field of it has no numbers");
		*to[i] = json_object_get_int64(number);
	}
	mark_seen(r, type, name);
	return offsets_take(r->offsets, &field) ? fail_malformed(r, "it contradicts itself") : 0;
}

/* "task_struct":{"tgid":[2500,4], …} */
static int take_struct(struct reader *r, const char *type, struct json_object *members)
{
	int err = 0;

	if (!json_object_is_type(members, json_type_object))
		return fail_malformed(r, "a struct of it is none");
	json_object_object_foreach(members, name, numbers)
	{
		if (!err)
			err = take_field(r, type, name, numbers);
	}
	return err;
}

/* "task_struct":["audit", …]: what the kernel was found to lack. */
static void take_absent(struct reader *r, struct json_object *absent)
{
	if (!absent)
		return;
	json_object_object_foreach(absent, type, names)
	{
		if (!json_object_is_type(names, json_type_array))
			continue;
		for (size_t i = 0; i < json_object_array_length(names); i++) {
			const char *name = text_of(json_object_array_get_idx(names, i));

			if (name)
				mark_seen(r, type, name);
		}
	}
}

static int take_layout(struct reader *r, struct json_object *row)
{
	struct json_object *layout = member(row, "layout", json_type_object);
	struct json_object *fields = member(layout, "fields", json_type_object);
	int err = fields ? 0 : fail_malformed(r, "it has no offsets");

	if (err)
		return err;
	json_object_object_foreach(fields, type, members)
	{
		if (!err)
			err = take_struct(r, type, members);
	}
	if (!err && offsets_empty(r->offsets))
		err = fail_malformed(r, "it has no offsets that are known here");
	take_absent(r, member(layout, "absent", json_type_object));
	return err;
}

static void take_provenance(const struct reader *r, struct json_object *row,
			    struct offsets_provenance *provenance)
{
	struct json_object *object = member(row, "kernel", json_type_object);

	snprintf(provenance->matched_by, sizeof(provenance->matched_by), "build_id");
	copy_text(object, "distro", provenance->distro, sizeof(provenance->distro));
	copy_text(object, "source", provenance->source, sizeof(provenance->source));
	copy_text(object, "package", provenance->package, sizeof(provenance->package));
	copy_text(object, "package_sha256", provenance->package_sha256,
		  sizeof(provenance->package_sha256));
	provenance->source_verified =
		json_object_get_boolean(member(object, "source_verified", json_type_boolean));
	offsets_name_unseen(r->seen, provenance->not_looked_for,
			    sizeof(provenance->not_looked_for));
}

/* NULL if the bytes are not exactly one JSON value; newlines may follow it. */
static struct json_object *parse(const char *json, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *value;
	size_t end;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = size <= OFFSETS_ROW_MAX ? json_tokener_parse_ex(tokener, json, (int)size) : NULL;
	end = json_tokener_get_parse_end(tokener);
	while (value && end < size && json[end] == '\n')
		end++;
	if (value && end != size) {
		json_object_put(value);
		value = NULL;
	}
	json_tokener_free(tokener);
	return value;
}

int offsets_row_parse(const char *json, size_t size, const struct kernel_identity *identity,
		      struct kernel_offsets *offsets, struct offsets_provenance *provenance,
		      char *error, size_t error_size)
{
	struct reader r = {.offsets = offsets, .error = error, .error_size = error_size};
	struct json_object *row = parse(json, size);
	int err = row ? check_version(&r, row) : fail_malformed(&r, "it is not JSON");

	offsets_clear(offsets);
	*provenance = (struct offsets_provenance){0};
	if (!err)
		err = check_kernel(&r, row, identity);
	if (!err)
		err = take_layout(&r, row);
	if (!err)
		take_provenance(&r, row, provenance);
	else
		offsets_clear(offsets);
	json_object_put(row);
	return err;
}
