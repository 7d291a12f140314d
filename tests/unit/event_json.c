// SPDX-License-Identifier: Apache-2.0
#include "event_json.h"

#include <stdio.h>
#include <stdlib.h>

struct json_object *json_event(const struct text *line)
{
	struct json_tokener *parser = json_tokener_new();
	struct json_object *event;

	json_tokener_set_flags(parser, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	event = json_tokener_parse_ex(parser, line->data, (int)line->len);
	if (!event)
		fail_msg("not JSON: %s: %.*s", json_tokener_error_desc(json_tokener_get_error(parser)),
			 (int)line->len, line->data);
	assert_int_equal(json_tokener_get_parse_end(parser), line->len);
	assert_int_equal(json_object_get_type(event), json_type_object);
	json_tokener_free(parser);
	return event;
}

struct json_object *json_at(struct json_object *event, const char *path)
{
	char key[64];

	while (*path && event) {
		size_t n = strcspn(path, ".");
		struct json_object *next = NULL;

		assert_true(n < sizeof(key));
		memcpy(key, path, n);
		key[n] = 0;
		json_object_object_get_ex(event, key, &next);
		event = next;
		path += n + (path[n] == '.');
	}
	return event;
}

static void add_line(struct json_lines *lines, const char *path, const char *value)
{
	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	assert_true(asprintf(&lines->lines[lines->count++], "%s=%s", path, value) > 0);
}

static void flatten(struct json_object *value, const char *path, struct json_lines *lines)
{
	char *below;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			assert_true(asprintf(&below, "%s%s%s", path, *path ? "." : "", key) > 0);
			flatten(member, below, lines);
			free(below);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			assert_true(asprintf(&below, "%s[%zu]", path, i) > 0);
			flatten(json_object_array_get_idx(value, i), below, lines);
			free(below);
		}
		if (!json_object_array_length(value))
			add_line(lines, path, "[]");
	} else {
		add_line(lines, path,
			 json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct json_lines json_flatten(struct json_object *event)
{
	struct json_lines lines = {0};

	flatten(event, "", &lines);
	qsort(lines.lines, lines.count, sizeof(char *), compare);
	return lines;
}

void json_lines_free(struct json_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
	*lines = (struct json_lines){0};
}

bool json_lines_have(const struct json_lines *lines, const char *line)
{
	return lines->count &&
	       bsearch(&line, lines->lines, lines->count, sizeof(char *), compare) != NULL;
}

void assert_one_clean_line(const struct text *line)
{
	assert_false(line->failed);
	for (size_t i = 0; i < line->len; i++) {
		unsigned char c = (unsigned char)line->data[i];

		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && i + 1 < line->len && (unsigned char)line->data[i + 1] < 0xa0))
			fail_msg("raw control character %02x at %zu", c, i);
	}
	assert_true(utf8_valid((struct slice){line->data, line->len}));
}

/* Unicode 15.0, table 3-7: well-formed UTF-8 byte sequences. */
static const struct {
	int n;
	unsigned char low[4], high[4];
} well_formed[] = {
	{1, {0x00}, {0x7f}},
	{2, {0xc2, 0x80}, {0xdf, 0xbf}},
	{3, {0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
	{3, {0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
	{3, {0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
	{3, {0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
	{4, {0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
	{4, {0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
	{4, {0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
};

/* How many bytes at s begin row; the row is whole if that is its n. */
static int matching(size_t row, const unsigned char *s, size_t left)
{
	int n = 0;

	while (n < well_formed[row].n && (size_t)n < left && s[n] >= well_formed[row].low[n] &&
	       s[n] <= well_formed[row].high[n])
		n++;
	return n;
}

void reference_text(struct slice bytes, struct text *out)
{
	const unsigned char *s = (const unsigned char *)bytes.data;
	size_t left = bytes.len;

	while (left) {
		int longest = 0;
		bool whole = false;

		for (size_t row = 0; row < sizeof(well_formed) / sizeof(well_formed[0]); row++) {
			int n = matching(row, s, left);

			if (n > longest) {
				longest = n;
				whole = n == well_formed[row].n;
			}
		}
		if (whole)
			text_bytes(out, s, (size_t)longest);
		else
			text_bytes(out, "\xef\xbf\xbd", 3);
		longest = longest ? longest : 1;
		s += longest;
		left -= (size_t)longest;
	}
}

void assert_json_text(struct json_object *value, struct slice bytes)
{
	struct text want = {0};

	assert_non_null(value);
	assert_int_equal(json_object_get_type(value), json_type_string);
	reference_text(bytes, &want);
	assert_int_equal(json_object_get_string_len(value), want.len);
	if (want.len)
		assert_memory_equal(json_object_get_string(value), want.data, want.len);
	text_free(&want);
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	assert_true(c && at);
	return (int)(at - digits);
}

void assert_json_base64(struct json_object *value, struct slice bytes)
{
	struct text got = {0};
	const char *s;

	assert_non_null(value);
	s = json_object_get_string(value);
	assert_int_equal(strlen(s) % 4, 0);
	for (; *s; s += 4) {
		int pads = s[2] == '=' ? 2 : s[3] == '=';
		unsigned bits = (unsigned)base64_digit(s[0]) << 18 | (unsigned)base64_digit(s[1]) << 12;

		assert_true(!pads || !s[4]);
		bits |= pads < 2 ? (unsigned)base64_digit(s[2]) << 6 : 0;
		bits |= pads < 1 ? (unsigned)base64_digit(s[3]) : 0;
		for (int i = 0; i < 3 - pads; i++)
			text_char(&got, (char)(bits >> (16 - 8 * i)));
	}
	assert_int_equal(got.len, bytes.len);
	if (got.len)
		assert_memory_equal(got.data, bytes.data, bytes.len);
	text_free(&got);
}
