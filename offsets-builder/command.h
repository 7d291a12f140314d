/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of offsets-builder, and what they share on the terminal. */
#ifndef BUILDER_COMMAND_H
#define BUILDER_COMMAND_H

#include "error.h"

/* The exit status of both programs; status 3, this host can't, has no use here. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/*
 * Each takes argv as getopt_long(3) wants it, argv[0] being the program's name, and returns
 * the exit status.
 */
int command_add(int argc, char **argv);
int command_publish(int argc, char **argv);

/* Says what is wrong with the command line, then how it should look. Returns EXIT_USAGE. */
int command_usage(const char *usage, const char *what, const char *value);

/* "offsets-builder: what failed: why: what to do" on stderr. */
void command_complain(const struct error *error);

/* Prints to stdout; a reader that has gone or a full disk is EXIT_FAILED. */
int command_print(const char *text);

#endif
