/* SPDX-License-Identifier: Apache-2.0 */
/* For the unit tests: a finished event read back with json-c, and text compared with Unicode's rules. */
#ifndef CORMORANT_TESTS_EVENT_JSON_H
#define CORMORANT_TESTS_EVENT_JSON_H

#include <json-c/json.h>

#include "builder.h"

/* Parses one strict JSON object; fails the test if it is none, or if more follows. */
struct json_object *json_event(const struct text *line);

/* The value at a dotted path, NULL if there is none. */
struct json_object *json_at(struct json_object *event, const char *path);

/* Every scalar as "PATH=VALUE", VALUE as json-c writes it; sorted. */
struct json_lines {
	char **lines;
	size_t count;
};
struct json_lines json_flatten(struct json_object *event);
void json_lines_free(struct json_lines *lines);
bool json_lines_have(const struct json_lines *lines, const char *line);

/* One line of UTF-8 without a raw control character, DEL and C1 included. */
void assert_one_clean_line(const struct text *line);

/* What bytes are as text: U+FFFD for each maximal ill-formed part (Unicode 15, table 3-7). */
void reference_text(struct slice bytes, struct text *out);

/* The string at path is the text of bytes. */
void assert_json_text(struct json_object *value, struct slice bytes);

/* value is bytes in base64 (RFC 4648), decoded by the test's own decoder. */
void assert_json_base64(struct json_object *value, struct slice bytes);

#endif
