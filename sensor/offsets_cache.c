// SPDX-License-Identifier: Apache-2.0
#include "offsets_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "file.h"
#include "state.h"

enum { VERSION = 1, CACHE_MAX = 8 << 20, DEPTH_MAX = 3, NAME_MAX_BYTES = 96 };

static void name_of(const char *build_id, char name[NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, "offsets-%s.json", build_id);
}

/* ----------------------------------------------------------------------- read */

static struct json_object *string_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return value;
}

static bool take_bytes(struct json_object *object, const char *key, char **bytes, size_t *size)
{
	struct json_object *value = string_of(object, key);

	if (!value)
		return false;
	*size = (size_t)json_object_get_string_len(value);
	*bytes = malloc(*size + 1);
	if (*bytes)
		memcpy(*bytes, json_object_get_string(value), *size + 1);
	return *bytes;
}

static bool take_text(struct json_object *object, const char *key, char *out, size_t size)
{
	struct json_object *value = string_of(object, key);

	if (!value || (size_t)json_object_get_string_len(value) >= size)
		return false;
	snprintf(out, size, "%s", json_object_get_string(value));
	return true;
}

static bool take_all(struct json_object *object, struct offsets_cached *cached)
{
	struct json_object *version = NULL;

	return json_object_is_type(object, json_type_object) &&
	       json_object_object_get_ex(object, "cache_version", &version) &&
	       json_object_get_int(version) == VERSION &&
	       take_text(object, "etag", cached->etag, sizeof(cached->etag)) &&
	       take_text(object, "fetched_at", cached->fetched_at, sizeof(cached->fetched_at)) &&
	       take_bytes(object, "row", &cached->row, &cached->row_size) &&
	       take_bytes(object, "signature", &cached->signature, &cached->signature_size);
}

int offsets_cache_read(int dir, const char *build_id, struct offsets_cached *cached)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *object = NULL;
	char name[NAME_MAX_BYTES], *bytes = NULL;
	size_t size;
	int err;

	*cached = (struct offsets_cached){0};
	name_of(build_id, name);
	err = tokener ? file_read(dir, name, CACHE_MAX, &bytes, &size) : -ENOMEM;
	if (!err) {
		object = json_tokener_parse_ex(tokener, bytes, (int)size);
		err = take_all(object, cached) ? 0 : -EBADMSG;
	}
	if (err)
		offsets_cached_free(cached);
	json_object_put(object);
	json_tokener_free(tokener);
	free(bytes);
	return err;
}

/* ---------------------------------------------------------------------- write */

static bool put(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && !json_object_object_add(object, key, value))
		return true;
	json_object_put(value);
	return false;
}

static bool put_all(struct json_object *object, const struct offsets_cached *cached)
{
	return put(object, "cache_version", json_object_new_int(VERSION)) &&
	       put(object, "etag", json_object_new_string(cached->etag)) &&
	       put(object, "fetched_at", json_object_new_string(cached->fetched_at)) &&
	       put(object, "row", json_object_new_string_len(cached->row, (int)cached->row_size)) &&
	       put(object, "signature",
		   json_object_new_string_len(cached->signature, (int)cached->signature_size));
}

int offsets_cache_write(int dir, const char *build_id, const struct offsets_cached *cached)
{
	struct json_object *object = json_object_new_object();
	char name[NAME_MAX_BYTES];
	const char *json = NULL;
	int err = -ENOMEM;

	name_of(build_id, name);
	if (object && put_all(object, cached))
		json = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (json)
		err = state_write(dir, name, json, strlen(json));
	json_object_put(object);
	return err;
}

void offsets_cached_free(struct offsets_cached *cached)
{
	free(cached->row);
	free(cached->signature);
	*cached = (struct offsets_cached){0};
}
