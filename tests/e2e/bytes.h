// SPDX-License-Identifier: Apache-2.0
/*
 * Byte strings, and the encodings an event uses for them. /proc hands out bytes with NULs in them, an event hands out
 * UTF-8: everything here exists to compare the two without borrowing a line from the sensor.
 */
#ifndef E2E_BYTES_H
#define E2E_BYTES_H

#include <stdbool.h>
#include <stddef.h>

/* Owned by whoever asked for it. data is never NULL and has a NUL behind it that len does not count. */
struct bytes {
	char *data;
	size_t len;
};

/* A list of byte strings, such as an argv. */
struct byte_list {
	struct bytes *items;
	size_t n;
};

struct bytes bytes_copy(const void *data, size_t len);
void bytes_free(struct bytes *b);
bool bytes_equal(const struct bytes *a, const struct bytes *b);
void bytes_append(struct bytes *b, const void *data, size_t len);

void byte_list_add(struct byte_list *list, const void *data, size_t len);
void byte_list_free(struct byte_list *list);
/* "a\0b\0" to {"a", "b"}: what /proc/PID/cmdline holds. */
struct byte_list byte_list_of_cmdline(const struct bytes *cmdline);
struct byte_list byte_list_of_argv(char *const argv[]);

/* Whole content of a file, of /proc too. false and errno if it cannot be read. */
bool bytes_read_file(const char *path, struct bytes *out);
/* Target of a symbolic link, as bytes. */
bool bytes_read_link(const char *path, struct bytes *out);

bool utf8_valid(const struct bytes *b);
/*
 * The bytes with every run of invalid UTF-8 (or of U+FFFD) made one U+FFFD, so that an event's string can be compared
 * with the bytes it stands for, however many replacement characters a run was given.
 */
struct bytes utf8_fold(const struct bytes *b);
/* Unicode characters in a valid UTF-8 string. */
size_t utf8_count(const struct bytes *b);

/* false if the text is not base64 with its padding. */
bool base64_decode(const char *text, struct bytes *out);
/* Splits a command line as a POSIX shell (2024: with $'...') splits it. false if a quote is open at the end. */
bool shell_split(const char *text, struct byte_list *out);

/* For messages: printable, quoted, cut to 200 bytes. In a static ring of four. */
const char *bytes_show(const struct bytes *b);

#endif
