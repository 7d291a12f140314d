// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char hex[] = "0123456789abcdef";

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){0};
}

char *text_grow(struct text *t, size_t n)
{
	size_t cap = t->cap ? t->cap : 4096;
	char *data;

	if (t->failed || n > SIZE_MAX / 4 - t->len)
		goto fail;
	if (t->len + n <= t->cap)
		return t->data + t->len;
	while (cap < t->len + n)
		cap *= 2;
	data = realloc(t->data, cap);
	if (!data)
		goto fail;
	t->data = data;
	t->cap = cap;
	return t->data + t->len;
fail:
	t->failed = true;
	return NULL;
}

void text_u64(struct text *t, uint64_t v)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	text_bytes(t, digits + at, sizeof(digits) - at);
}

void text_i64(struct text *t, int64_t v)
{
	if (v < 0)
		text_char(t, '-');
	text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void text_padded(struct text *t, uint64_t v, unsigned digits)
{
	char *room = text_room(t, digits);

	if (!room)
		return;
	t->len += digits;
	while (digits--) {
		room[digits] = (char)('0' + v % 10);
		v /= 10;
	}
}

void text_hex64(struct text *t, uint64_t v)
{
	char *room = text_room(t, 16);

	if (!room)
		return;
	t->len += 16;
	for (int i = 15; i >= 0; i--, v >>= 4)
		room[i] = hex[v & 15];
}

void text_format(struct text *t, const char *format, ...)
{
	va_list args;
	char *room;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	room = n < 0 ? NULL : text_room(t, (size_t)n + 1);
	if (!room)
		return;
	va_start(args, format);
	vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	t->len += (size_t)n;
}

void text_base64(struct text *t, const void *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;
	char *out = text_room(t, (n + 2) / 3 * 4);

	if (!out)
		return;
	t->len += (n + 2) / 3 * 4;
	for (; n >= 3; n -= 3, in += 3, out += 4) {
		out[0] = digits[in[0] >> 2];
		out[1] = digits[(in[0] & 3) << 4 | in[1] >> 4];
		out[2] = digits[(in[1] & 15) << 2 | in[2] >> 6];
		out[3] = digits[in[2] & 63];
	}
	if (!n)
		return;
	out[0] = digits[in[0] >> 2];
	out[1] = digits[(in[0] & 3) << 4 | (n == 2 ? in[1] >> 4 : 0)];
	out[2] = n == 2 ? digits[(in[1] & 15) << 2] : '=';
	out[3] = '=';
}

int utf8_step(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	int want, have;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return -1;
	want = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* Overlong forms, surrogates, and beyond U+10FFFF: told by the second byte. */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (have = 1; have < want; have++, low = 0x80, high = 0xbf)
		if ((size_t)have >= n || s[have] < low || s[have] > high)
			return -have;
	return want;
}

bool utf8_valid(struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.data, *end = s.len ? at + s.len : at;
	uint64_t word;
	int step;

	while (at < end) {
		if (end - at >= 8) {
			memcpy(&word, at, 8);
			if (!(word & 0x8080808080808080ULL)) {
				at += 8;
				continue;
			}
		}
		step = utf8_step(at, (size_t)(end - at));
		if (step < 0)
			return false;
		at += step;
	}
	return true;
}

#define EACH_BYTE(c) (0x0101010101010101ULL * (c))

/* The high bit of some byte set if any byte of word is zero. */
static inline uint64_t any_zero(uint64_t word)
{
	return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* True if all eight bytes go into a JSON string as they are. */
static inline bool json_plain8(uint64_t word)
{
	uint64_t special = word | any_zero(word ^ EACH_BYTE('"')) |
			   any_zero(word ^ EACH_BYTE('\\')) | any_zero(word ^ EACH_BYTE(0x7f)) |
			   ((word - EACH_BYTE(0x20)) & ~word);

	return !(special & EACH_BYTE(0x80));
}

static inline bool json_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many of the first n bytes go into a JSON string as they are. */
static size_t json_plain_run(const unsigned char *s, size_t n)
{
	size_t at = 0;
	uint64_t word;

	for (; at + 8 <= n; at += 8) {
		memcpy(&word, s + at, 8);
		if (!json_plain8(word))
			break;
	}
	while (at < n && json_plain(s[at]))
		at++;
	return at;
}

static void json_escape(struct text *t, unsigned code)
{
	switch (code) {
	case '"': text_bytes(t, "\\\"", 2); break;
	case '\\': text_bytes(t, "\\\\", 2); break;
	case '\n': text_bytes(t, "\\n", 2); break;
	case '\t': text_bytes(t, "\\t", 2); break;
	case '\r': text_bytes(t, "\\r", 2); break;
	default: /* U+0000 to U+009F */
		text_bytes(t, (char[]){'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]}, 6);
	}
}

void text_json_escaped(struct text *t, struct slice s, size_t *budget)
{
	const unsigned char *at = (const unsigned char *)s.data;
	size_t left = s.len, run;
	int step;

	while (left && *budget) {
		run = json_plain_run(at, left < *budget ? left : *budget);
		text_bytes(t, at, run);
		*budget -= run;
		at += run;
		left -= run;
		if (!left || !*budget)
			return;
		step = utf8_step(at, left);
		if (step < 0)
			text_bytes(t, "\xef\xbf\xbd", 3);
		else if (step == 1)
			json_escape(t, at[0]);
		else if (at[0] == 0xc2 && at[1] < 0xa0)
			json_escape(t, at[1]);
		else if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] | 1) == 0xa9)
			text_bytes(t, at[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
		else
			text_bytes(t, at, (size_t)step);
		step = step < 0 ? -step : step;
		at += step;
		left -= (size_t)step;
		--*budget;
	}
}

void text_json_string(struct text *t, struct slice s)
{
	size_t budget = SIZE_MAX;

	text_char(t, '"');
	text_json_escaped(t, s, &budget);
	text_char(t, '"');
}

bool shell_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '+' && c <= ':') ||
		      c == '_' || c == '=' || c == '@' || c == '%'))
			return false;
	}
	return s.len > 0;
}
