/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of offsets-builder's database: layouts that a kernel could have, and files. */
#ifndef BUILDER_TESTS_DB_HELPERS_H
#define BUILDER_TESTS_DB_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db.h"

/* A new directory, in memory if there is one, which becomes the current one. */
int work_set_up(void **state);
int work_tear_down(void **state);

/*
 * A sound layout, with this program's whole list; those of different numbers differ. It is
 * made from the list alone: members one behind the other.
 */
void make_layout(struct layout *layout, unsigned int number);
/* As an older list would have made it: without the last members. */
void make_older(struct layout *layout, unsigned int number, size_t fewer);
/* After a change by hand. */
void seal_layout(struct layout *layout);
struct layout_field *field_named(struct layout *layout, const char *type, const char *member);

/* Adds it to the database at path, which is made if need be; anything but success fails. */
enum db_outcome add_kernel(const char *path, const struct db_kernel *kernel,
			   const struct layout *layout);
/* A kernel with this build-id and a name for each other thing. */
struct db_kernel kernel_named(const char *build_id, const char *release);

void run_sql(const char *path, const char *sql);
/* The first column of all rows, each with a newline; for free(). */
char *ask_sql(const char *path, const char *sql);
#define assert_sql(path, sql, expected)                                                            \
	do {                                                                                       \
		char *answer = ask_sql(path, sql);                                                 \
		assert_string_equal(answer, expected);                                             \
		free(answer);                                                                      \
	} while (0)

/* A whole file, with a NUL behind it; for free(). size may be NULL. */
char *slurp(const char *path, size_t *size);
void spill(const char *path, const void *bytes, size_t size);

/* The first line that differs is shown. */
void assert_same_lines(const char *a, const char *b);

/* What export writes; for free(). */
char *export_of(const char *path);

/*
 * Runs a command of offsets-builder, its words separated by spaces, and takes what it prints
 * on stdout and stderr; out and err, which may be NULL, are for free(). Returns the exit status.
 */
int run_command(int (*command)(int argc, char **argv), const char *words, char **out, char **err);

/* xorshift64*: the same numbers in every run. */
uint64_t roll(uint64_t *dice, uint64_t below);

#endif
