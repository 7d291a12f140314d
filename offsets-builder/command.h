/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of offsets-builder, and what they share on the terminal. */
#ifndef BUILDER_COMMAND_H
#define BUILDER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "text.h"

/* The exit status of both programs; status 3, this host can't, has no use here. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/*
 * Each takes argv as getopt_long(3) wants it, argv[0] being the program's name, and returns
 * the exit status.
 */
int command_add(int argc, char **argv);
int command_publish(int argc, char **argv);
int command_crawl(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_export(int argc, char **argv);
int command_import(int argc, char **argv);
int command_merge(int argc, char **argv);
int command_missing(int argc, char **argv);
int command_show(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_verify(int argc, char **argv);

/* What the line of a command that has no options of its own says. */
struct command_line {
	const char *database; /* never NULL */
	char **operands;
	int count;
	bool json;
};

/*
 * Reads it: -d DB, --help, --json if that is allowed, and from least to most operands, which
 * wanted names. Returns -1 to go on, or the exit status.
 */
int command_parse(int argc, char **argv, const char *usage, bool json_allowed, int least, int most,
		  const char *wanted, struct command_line *line);

/* Says what is wrong with the command line, then how it should look. Returns EXIT_USAGE. */
int command_usage(const char *usage, const char *what, const char *value);

/* "offsets-builder: what failed: why: what to do" on stderr. */
void command_complain(const struct error *error);

/*
 * What became of the kernels in a file, counted by enum db_outcome: a line on stdout. Returns
 * 0, or -1 if that fails or if there was a conflict.
 */
int command_tell_counts(const char *path, const size_t *counts, struct error *error);

/* Prints to stdout; a reader that has gone or a full disk is EXIT_FAILED. */
int command_print(const char *text);
/* The same; text that ran out of memory fails, too, and says so. */
int command_print_text(const struct text *text);

#endif
