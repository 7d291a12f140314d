// SPDX-License-Identifier: Apache-2.0
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bytes bytes_copy(const void *data, size_t len)
{
	struct bytes b = { .data = malloc(len + 1), .len = len };

	if (!b.data)
		abort();
	if (len)
		memcpy(b.data, data, len);
	b.data[len] = '\0';
	return b;
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
}

bool bytes_equal(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

void bytes_append(struct bytes *b, const void *data, size_t len)
{
	b->data = realloc(b->data, b->len + len + 1);
	if (!b->data)
		abort();
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void byte_list_add(struct byte_list *list, const void *data, size_t len)
{
	list->items = realloc(list->items, (list->n + 1) * sizeof(*list->items));
	if (!list->items)
		abort();
	list->items[list->n++] = bytes_copy(data, len);
}

void byte_list_free(struct byte_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		bytes_free(&list->items[i]);
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

struct byte_list byte_list_of_cmdline(const struct bytes *cmdline)
{
	struct byte_list list = { 0 };
	size_t at = 0;

	while (at < cmdline->len) {
		size_t len = strnlen(cmdline->data + at, cmdline->len - at);

		byte_list_add(&list, cmdline->data + at, len);
		at += len + 1;
	}
	return list;
}

struct byte_list byte_list_of_argv(char *const argv[])
{
	struct byte_list list = { 0 };

	for (size_t i = 0; argv[i]; i++)
		byte_list_add(&list, argv[i], strlen(argv[i]));
	return list;
}

bool bytes_read_file(const char *path, struct bytes *out)
{
	char buf[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	*out = bytes_copy("", 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		bytes_append(out, buf, (size_t)n);
	close(fd);
	if (n < 0)
		bytes_free(out);
	return n == 0;
}

bool bytes_read_link(const char *path, struct bytes *out)
{
	char buf[8192];
	ssize_t n = readlink(path, buf, sizeof(buf));

	if (n < 0)
		return false;
	*out = bytes_copy(buf, (size_t)n);
	return true;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629: no surrogates, nothing overlong), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (len == 1)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

bool utf8_valid(const struct bytes *b)
{
	size_t len;

	for (size_t at = 0; at < b->len; at += len) {
		len = utf8_sequence((const unsigned char *)b->data + at, b->len - at);
		if (!len)
			return false;
	}
	return true;
}

struct bytes utf8_fold(const struct bytes *b)
{
	static const char replacement[] = "\xef\xbf\xbd";
	struct bytes out = bytes_copy("", 0);
	bool in_run = false;

	for (size_t at = 0; at < b->len;) {
		size_t len = utf8_sequence((const unsigned char *)b->data + at, b->len - at);
		bool bad = !len || (len == 3 && memcmp(b->data + at, replacement, 3) == 0);

		if (!bad)
			bytes_append(&out, b->data + at, len);
		else if (!in_run)
			bytes_append(&out, replacement, 3);
		in_run = bad;
		at += len ? len : 1;
	}
	return out;
}

size_t utf8_count(const struct bytes *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += ((unsigned char)b->data[i] & 0xc0) != 0x80;
	return n;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool base64_decode(const char *text, struct bytes *out)
{
	size_t len = strlen(text);

	*out = bytes_copy("", 0);
	for (size_t i = 0; i < len; i += 4) {
		size_t pad = 0;
		unsigned int group = 0;
		char three[3];

		for (size_t j = 0; j < 4; j++) {
			char c = i + j < len ? text[i + j] : '\0';
			bool is_pad = c == '=' && j >= 2 && i + 4 == len;
			int digit = is_pad ? 0 : base64_digit(c);

			if (digit < 0 || (pad && !is_pad))
				return false;
			pad += is_pad;
			group = group << 6 | (unsigned int)digit;
		}
		three[0] = (char)(group >> 16);
		three[1] = (char)(group >> 8);
		three[2] = (char)group;
		bytes_append(out, three, 3 - pad);
	}
	return true;
}

/* One backslash escape of $'...', p behind the backslash; the byte goes to *byte, the position behind it comes back. */
static const char *shell_ansi_escape(const char *p, char *byte)
{
	static const char names[] = "abefnrtv\\'\"?";
	static const char values[] = "\a\b\033\f\n\r\t\v\\'\"?";
	const char *name = *p ? strchr(names, *p) : NULL;
	char digits[4] = "";
	int base = *p == 'x' ? 16 : 8;
	size_t max = base == 16 ? 2 : 3, n = 0;

	if (name) {
		*byte = values[name - names];
		return p + 1;
	}
	p += base == 16;
	while (n < max && *p && strchr(base == 16 ? "0123456789abcdefABCDEF" : "01234567", *p))
		digits[n++] = *p++;
	*byte = (char)strtoul(digits, NULL, base);
	return n ? p : NULL;
}

/* A quoted part, p at its opening quote; appends its content and returns the position behind it, NULL if it is open. */
static const char *shell_quoted(const char *p, struct bytes *word)
{
	bool ansi = *p == '$';
	char quote = p[ansi];

	for (p += ansi + 1; *p != quote; p++) {
		char byte = *p;

		if (!byte)
			return NULL;
		if (byte == '\\' && ansi) {
			p = shell_ansi_escape(p + 1, &byte);
			if (!p)
				return NULL;
			p--;
		} else if (byte == '\\' && quote == '"' && p[1] && strchr("$`\"\\", p[1])) {
			byte = *++p;
		}
		bytes_append(word, &byte, 1);
	}
	return p + 1;
}

/* An unquoted character that a shell would act on instead of passing it to the program. */
static bool shell_special(char c, bool first)
{
	return strchr("|&;<>()$`*?[", c) || (first && strchr("~#", c));
}

static const char *shell_word(const char *p, struct bytes *word)
{
	const char *start = p;

	while (p && *p && !strchr(" \t\n", *p)) {
		if (*p == '\'' || *p == '"' || (*p == '$' && p[1] == '\'')) {
			p = shell_quoted(p, word);
			continue;
		}
		if (shell_special(*p, p == start) || (*p == '\\' && !*++p))
			return NULL;
		bytes_append(word, p++, 1);
	}
	return p;
}

bool shell_split(const char *text, struct byte_list *out)
{
	const char *p = text + strspn(text, " \t\n");

	*out = (struct byte_list){ 0 };
	while (p && *p) {
		struct bytes word = bytes_copy("", 0);

		p = shell_word(p, &word);
		if (p) {
			byte_list_add(out, word.data, word.len);
			p += strspn(p, " \t\n");
		}
		bytes_free(&word);
	}
	return p != NULL;
}

const char *bytes_show(const struct bytes *b)
{
	static char ring[4][900];
	static unsigned int turn;
	char *out = ring[turn++ % 4], *p = out;
	size_t shown = b->len < 200 ? b->len : 200;

	*p++ = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)b->data[i];

		p += c >= 0x20 && c < 0x7f ? sprintf(p, "%c", c) : sprintf(p, "\\x%02x", c);
	}
	sprintf(p, shown < b->len ? "\"... (%zu bytes)" : "\"", b->len);
	return out;
}
