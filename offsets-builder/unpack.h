/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package index out of its compression: gzip, xz, zstd, bzip2, or none. Unlike a package
 * (unpacked.h) it is in memory, may be empty, and must not take all of a machine's memory.
 */
#ifndef BUILDER_UNPACK_H
#define BUILDER_UNPACK_H

#include "source.h"
#include "text.h"

struct unpack;

/* The source of what packed, which outlives it, holds; name is for errors. */
int unpack_open(const struct text *packed, const char *name, struct unpack **unpack,
		struct error *error);
struct source *unpack_source(struct unpack *unpack);
void unpack_close(struct unpack *unpack);

#endif
