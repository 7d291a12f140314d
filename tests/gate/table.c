// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_add(struct table *table, const char *format, ...)
{
	char **cells = reallocarray(table->cells, table->count + 1, sizeof(*cells));
	va_list args;

	if (!cells)
		abort();
	table->cells = cells;
	va_start(args, format);
	if (vasprintf(&cells[table->count++], format, args) < 0)
		abort();
	va_end(args);
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = 3; /* Markdown's rule needs as much */

	for (size_t i = column; i < table->count; i += table->columns)
		if (strlen(table->cells[i]) > width)
			width = strlen(table->cells[i]);
	return (int)width;
}

static void print_rule(const struct table *table)
{
	for (size_t column = 0; column < table->columns; column++) {
		int width = column_width(table, column);

		printf("|%c", column < table->left ? ':' : '-');
		for (int i = 0; i < width; i++)
			putchar('-');
		putchar(column < table->left ? '-' : ':');
	}
	puts("|");
}

void table_print(const struct table *table, bool markdown)
{
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;
		int width = column_width(table, column);

		if (markdown || column)
			printf("%s", !markdown ? "  " : column ? " | " : "| ");
		printf("%*s", column < table->left ? -width : width, table->cells[i]);
		if (column + 1 < table->columns)
			continue;
		puts(markdown ? " |" : "");
		if (markdown && i + 1 == table->columns)
			print_rule(table);
	}
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}
