/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs, run with a fixed argv, no shell, and memory files for what they read and write. */
#ifndef BUILDER_PROGRAM_H
#define BUILDER_PROGRAM_H

#include <stddef.h>

#include "error.h"
#include "text.h"

enum { PROGRAM_FDS = 8 };

/* A file in memory, its position at its start. Returns the fd or a negative errno. */
int program_file(const void *data, size_t size);
/* All of such a file; a longer one than limit is -EFBIG. */
int program_file_read(int fd, size_t limit, struct text *bytes);

/*
 * Runs argv[0], found in PATH, to its end. fds[i] becomes its descriptor i, -1 /dev/null.
 * Returns its exit status (128 + the signal that ended it), or a negative errno:
 * -ENOENT if there is no such program.
 */
int program_run(const char *const argv[], const int fds[], size_t count, struct error *error);

#endif
