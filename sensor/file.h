/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read whole, or not at all. */
#ifndef CORMORANT_FILE_H
#define CORMORANT_FILE_H

#include <stddef.h>

/*
 * The bytes of a regular file of at most max bytes, for free(); a NUL follows them, which
 * *size does not count. path is relative to the directory dir (AT_FDCWD: the current one).
 * Returns 0 or a negative errno: -EISDIR, -EINVAL if it is no file, -EFBIG if it is larger.
 */
int file_read(int dir, const char *path, size_t max, char **bytes, size_t *size);

#endif
