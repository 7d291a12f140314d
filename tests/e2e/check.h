// SPDX-License-Identifier: Apache-2.0
/* One event held against what is expected of it: every difference is printed and counted, none ends the comparison. */
#ifndef E2E_CHECK_H
#define E2E_CHECK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

struct check {
	struct json_object *event;
	bool knows_less;	/* the sensor's variant: an attribute may be absent unless every variant must know it */
	bool knows_no_offset;	/* and what is read by an offset may be withheld */
	unsigned int wrong;
};

/* Dotted paths of what every variant must know, NULL behind the last. */
extern const char *const check_must_know[];
/* Whether an attribute may be absent in a variant that knows less. */
bool check_may_be_absent(const struct check *c, const char *path);

__attribute__((format(printf, 3, 4))) void check_wrong(struct check *c, const char *path, const char *format, ...);
/* An expected NULL means: the attribute is absent. */
void check_text(struct check *c, const char *path, const char *expected);
void check_absent(struct check *c, const char *path);
void check_int(struct check *c, const char *path, int64_t expected);
void check_range(struct check *c, const char *path, int64_t from, int64_t to);
void check_bool(struct check *c, const char *path, bool expected);
/* A 64-bit id as a decimal string; 0 means: the attribute is absent. */
void check_decimal(struct check *c, const char *path, uint64_t expected);
/* Bytes in a string, and in the base64 attribute exactly when they are not UTF-8. */
void check_bytes(struct check *c, const char *path, const char *base64_path, const struct bytes *expected);
/* A shell-quoted command line against the arguments it stands for. */
void check_command_line(struct check *c, const char *path, const struct byte_list *argv);
/* An event's string against the bytes it stands for, replacement characters allowed for. */
bool check_same(const char *got, const struct bytes *expected);
void check_show_event(struct json_object *event);
/* Fails the test, with the event, if anything was wrong. */
void check_done(struct check *c);

#endif
