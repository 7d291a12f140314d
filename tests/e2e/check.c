// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_wrong(struct check *c, const char *path, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_error("%s: %s\n", path, text);
	c->wrong++;
}

/* What helpers, hook arguments and the new program's own stack tell, on every kernel. */
const char *const check_must_know[] = {
	"class_uid", "category_uid", "activity_id", "type_uid", "time", "time_dt", "metadata", "device",
	"process.pid", "process.tid", "process.name", "process.cmd_line", "process.xattributes.argv",
	"process.xattributes.argc", "process.xattributes.argv_bytes", "process.xattributes.argv_truncated",
	"process.xattributes.exec_filename", "process.user.uid", "process.group.uid", NULL,
};

/* Of these, what an offset has to do with where there are some. */
static const char *const check_by_offset[] = { "process.xattributes.exec_filename", "process.group.uid" };

bool check_may_be_absent(const struct check *c, const char *path)
{
	for (size_t i = 0; c->knows_no_offset && i < sizeof(check_by_offset) / sizeof(*check_by_offset); i++)
		if (!strcmp(path, check_by_offset[i]))
			return true;
	for (const char *const *known = check_must_know; *known; known++) {
		size_t len = strlen(*known);

		if (!strncmp(path, *known, len) && (!path[len] || path[len] == '.'))
			return false;
	}
	return c->knows_less;
}

/* Absent, and nobody may complain. */
static bool check_excused(const struct check *c, const char *path)
{
	return !event_get(c->event, path) && check_may_be_absent(c, path);
}

static const char *check_shown(struct json_object *value)
{
	return value ? json_object_to_json_string(value) : "absent";
}

void check_absent(struct check *c, const char *path)
{
	struct json_object *value = event_get(c->event, path);

	if (value)
		check_wrong(c, path, "expected absent, got %.200s", check_shown(value));
}

void check_text(struct check *c, const char *path, const char *expected)
{
	const char *got = event_text(c->event, path);

	if (!expected)
		check_absent(c, path);
	else if (!check_excused(c, path) && (!got || strcmp(got, expected)))
		check_wrong(c, path, "expected \"%s\", got %.500s", expected, check_shown(event_get(c->event, path)));
}

void check_range(struct check *c, const char *path, int64_t from, int64_t to)
{
	struct json_object *value = event_get(c->event, path);
	int64_t got = json_object_get_int64(value);

	if (!check_excused(c, path) && (!json_object_is_type(value, json_type_int) || got < from || got > to))
		check_wrong(c, path, "expected an integer from %" PRId64 " to %" PRId64 ", got %s", from, to, check_shown(value));
}

void check_int(struct check *c, const char *path, int64_t expected)
{
	check_range(c, path, expected, expected);
}

void check_bool(struct check *c, const char *path, bool expected)
{
	struct json_object *value = event_get(c->event, path);

	if (!check_excused(c, path) &&
	    (!json_object_is_type(value, json_type_boolean) || json_object_get_boolean(value) != expected))
		check_wrong(c, path, "expected %s, got %.200s", expected ? "true" : "false", check_shown(value));
}

void check_decimal(struct check *c, const char *path, uint64_t expected)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, expected);
	check_text(c, path, expected ? text : NULL);
}

static void check_base64(struct check *c, const char *path, const struct bytes *expected)
{
	const char *text = event_text(c->event, path);
	struct bytes got = { 0 };

	if (utf8_valid(expected)) {
		check_absent(c, path);
		return;
	}
	if (!text || !base64_decode(text, &got) || !bytes_equal(&got, expected))
		check_wrong(c, path, "expected the bytes %s, got %.300s", bytes_show(expected), text ? text : "absent");
	bytes_free(&got);
}

bool check_same(const char *got, const struct bytes *expected)
{
	struct bytes as_bytes = bytes_copy(got, strlen(got));
	struct bytes folded = utf8_fold(&as_bytes), wanted = utf8_fold(expected);
	bool same = bytes_equal(&folded, &wanted);

	bytes_free(&as_bytes);
	bytes_free(&folded);
	bytes_free(&wanted);
	return same;
}

void check_bytes(struct check *c, const char *path, const char *base64_path, const struct bytes *expected)
{
	const char *got = event_text(c->event, path);

	if (check_excused(c, path)) {
		if (base64_path)
			check_absent(c, base64_path);
		return;
	}
	if (!got || !check_same(got, expected))
		check_wrong(c, path, "expected %s, got %.500s", bytes_show(expected), check_shown(event_get(c->event, path)));
	if (base64_path)
		check_base64(c, base64_path, expected);
}

void check_command_line(struct check *c, const char *path, const struct byte_list *argv)
{
	const char *got = event_text(c->event, path);
	struct byte_list words = { 0 };

	if ((!argv->n && (!got || !*got)) || check_excused(c, path))
		return;
	if (!got || !shell_split(got, &words)) {
		check_wrong(c, path, "no shell can read it: %.500s", check_shown(event_get(c->event, path)));
	} else if (words.n != argv->n) {
		check_wrong(c, path, "expected %zu words, got %zu: %.500s", argv->n, words.n, got);
	} else {
		for (size_t i = 0; i < argv->n; i++)
			if (!check_same(words.items[i].data, &argv->items[i]))
				check_wrong(c, path, "word %zu: expected %s, got %s", i, bytes_show(&argv->items[i]),
					    bytes_show(&words.items[i]));
	}
	byte_list_free(&words);
}

void check_show_event(struct json_object *event)
{
	const char *text = json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN);

	/* In pieces: cmocka cuts what is long. */
	print_error("the event: ");
	for (size_t at = 0, len = strlen(text); at < len && at < 6000; at += 900)
		print_error("%.900s", text + at);
	print_error("\n");
}

void check_done(struct check *c)
{
	if (!c->wrong)
		return;
	check_show_event(c->event);
	fail_msg("%u fields of the event are wrong", c->wrong);
}
