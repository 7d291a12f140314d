/* SPDX-License-Identifier: Apache-2.0 */
/* A table of strings, printed in columns for people or as Markdown. */
#ifndef CORMORANT_GATE_TABLE_H
#define CORMORANT_GATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table {
	size_t columns; /* set before the first cell */
	size_t left;	/* so many columns are aligned to the left, the others to the right */
	char **cells;	/* row by row, the head first */
	size_t count;
};

/* The next cell, left to right, top to bottom. Ends the program if there is no memory. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, bool markdown);
void table_free(struct table *table);

#endif
