/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All bytes of a source in memory, for formats that say at their end where things are. What
 * lies behind the first 64 MB is kept compressed: a vmlinux of 600 MB takes 250 MB.
 */
#ifndef BUILDER_HELD_H
#define BUILDER_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "source.h"

struct held;

/*
 * Reads source to its end. Returns 0 or a negative errno: -EBADMSG if it is larger than any
 * kernel image.
 */
int held_read(struct source *source, struct held **held, struct error *error);
/* Safe on NULL. */
void held_free(struct held *held);

size_t held_size(const struct held *held);
/* False if the range is not within the bytes, or of what has been dropped. */
bool held_copy(const struct held *held, size_t at, size_t size, void *out);
/* The same, and gives the memory back as far as it has been copied. */
bool held_take(struct held *held, size_t at, size_t size, void *out);
/* Gives back the memory of a range that is not wanted. */
void held_drop(struct held *held, size_t at, size_t size);

#endif
