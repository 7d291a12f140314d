/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text: a reusable, growing byte buffer, and the encodings that bytes from hostile
 * processes go through on their way out (JSON, base64, shell quoting, UTF-8).
 *
 * Appending never fails visibly: when memory runs out the buffer remembers it in
 * `failed`, stays as it was, and the owner checks once at the end.
 */
#ifndef CORMORANT_TEXT_H
#define CORMORANT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

/* Bytes owned by somebody else, not NUL-terminated. data is NULL if there are none to speak of. */
struct slice {
	const char *data;
	size_t len;
};

static inline struct slice slice_of(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

void text_free(struct text *t);
static inline void text_clear(struct text *t)
{
	t->len = 0;
	t->failed = false;
}

/* Makes room; the slow path of text_room. */
char *text_grow(struct text *t, size_t n);

/* Room for n more bytes at data + len, or NULL. The caller adds what it used to len. */
static inline char *text_room(struct text *t, size_t n)
{
	return t->cap - t->len >= n && !t->failed && t->cap ? t->data + t->len : text_grow(t, n);
}

static inline void text_bytes(struct text *t, const void *bytes, size_t n)
{
	char *room = text_room(t, n);

	if (!room)
		return;
	if (n)
		memcpy(room, bytes, n);
	t->len += n;
}

static inline void text_str(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

static inline void text_char(struct text *t, char c)
{
	char *room = text_room(t, 1);

	if (!room)
		return;
	*room = c;
	t->len++;
}

/* Puts a NUL behind the text that is not part of it. */
static inline void text_end(struct text *t)
{
	char *room = text_room(t, 1);

	if (room)
		*room = 0;
}

void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
void text_hex64(struct text *t, uint64_t v); /* 16 lower-case digits */
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* v as exactly `digits` decimal digits, zero-padded. */
void text_padded(struct text *t, uint64_t v, unsigned digits);

void text_base64(struct text *t, const void *bytes, size_t n);

/*
 * The inside of a JSON string: what JSON wants escaped, DEL and the C1 controls, which a
 * terminal might obey, and U+2028 and U+2029, at which some readers end a line, is escaped; what is not UTF-8 becomes U+FFFD, one for
 * each maximal ill-formed part (Unicode 15, 3.9, as Python and browsers do). Stops
 * after *budget characters and takes those written off it.
 */
void text_json_escaped(struct text *t, struct slice s, size_t *budget);

/* The same with its quotes, without a limit. */
void text_json_string(struct text *t, struct slice s);

/* True if the bytes are well-formed UTF-8. */
bool utf8_valid(struct slice s);

/*
 * Length of the well-formed character at s (1 to 4), or minus the length of the
 * ill-formed part there (-1 to -3). n > 0 bytes are readable.
 */
int utf8_step(const unsigned char *s, size_t n);

/* True if a POSIX shell reads the bytes as one literal word without quotes. */
bool shell_plain(struct slice s);

/* Takes the next NUL-terminated argument off argv; the last may lack its NUL. False at the end. */
static inline bool argv_next(struct slice *argv, struct slice *argument)
{
	const char *nul;

	if (!argv->len)
		return false;
	nul = memchr(argv->data, 0, argv->len);
	argument->data = argv->data;
	argument->len = nul ? (size_t)(nul - argv->data) : argv->len;
	argv->data += argument->len + (nul ? 1 : 0);
	argv->len -= argument->len + (nul ? 1 : 0);
	return true;
}

#endif
