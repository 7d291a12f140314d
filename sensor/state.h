/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: what the sensor keeps from one start to the next. */
#ifndef CORMORANT_STATE_H
#define CORMORANT_STATE_H

#include <stddef.h>

/*
 * Opens the directory, and makes it (mode 0700, not its parents) if it is missing. One that
 * others may write to is refused: who can exchange files in it could deceive. Returns a
 * descriptor for openat(2) and file_read, or a negative errno; error then gets what failed:
 * why: what to do.
 */
int state_open(const char *path, char *error, size_t error_size);

/*
 * Writes a file whole: whoever reads name finds the old bytes or the new ones, after a crash,
 * too. Returns 0 or a negative errno.
 */
int state_write(int dir, const char *name, const void *bytes, size_t size);

#endif
