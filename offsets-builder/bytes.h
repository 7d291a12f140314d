/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of memory that its holder owns and that grows. */
#ifndef BUILDER_BYTES_H
#define BUILDER_BYTES_H

#include <stddef.h>

/* All zero is empty. */
struct bytes {
	char *data; /* a NUL follows the last byte; NULL if nothing was ever added */
	size_t size, room;
};

/* Appends. Returns 0 or -ENOMEM; the bytes are then as they were. */
int bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_free(struct bytes *bytes);

#endif
