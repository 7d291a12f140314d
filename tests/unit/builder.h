/* SPDX-License-Identifier: Apache-2.0 */
/* For the unit tests: valid records built byte by byte, and small helpers. */
#ifndef CORMORANT_TESTS_BUILDER_H
#define CORMORANT_TESTS_BUILDER_H

#include "cormorant/record.h"
#include "text.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A record under construction. head.length and section_len are filled by builder_record. */
struct builder {
	struct process_exec_event head;
	struct exec_facts facts;
	struct text sections[SECTION_COUNT];
};

/* A valid record with every fact present and every number in it different. */
void builder_full(struct builder *b);

/* A valid record with no fact present. */
void builder_bare(struct builder *b);

void builder_free(struct builder *b);

/* Replaces a section's bytes and marks it present. */
void builder_section(struct builder *b, enum exec_section section, const void *bytes, size_t n);

/* Takes a section and its present bit away, argv with what depends on it staying. */
void builder_drop(struct builder *b, enum exec_section section);

/* An absolute path as the kernel side sends it: components leaf first, each with its NUL. */
void builder_path(struct builder *b, enum exec_section section, const char *path);

/* Whole argv from a NULL-terminated list; argc and argv_bytes follow. */
void builder_argv(struct builder *b, const char *const *argv);

/* Whole argv from bytes, each argument NUL-terminated; argc and argv_bytes follow. */
void builder_argv_bytes(struct builder *b, const void *bytes, size_t n);

/*
 * The record in memory of exactly its size, so that a sanitizer sees a read beyond it.
 * The caller frees it.
 */
void *builder_record(struct builder *b, size_t *size);

/* A copy of exactly n bytes; the caller frees it. */
void *copy_of(const void *bytes, size_t n);

/* xorshift64*: the same numbers in every run. */
struct dice {
	uint64_t state;
};
uint64_t dice_roll(struct dice *dice);
static inline uint64_t dice_below(struct dice *dice, uint64_t n)
{
	return dice_roll(dice) % n;
}
/* Fills bytes with a mixture that hurts: quotes, controls, broken and whole UTF-8. No NUL. */
size_t dice_hostile(struct dice *dice, char *bytes, size_t max);

/* Runs argv (argv[0] is the program's path) and takes its output; asserts exit status 0. */
void program_output(const char *const *argv, struct text *out);

#endif
