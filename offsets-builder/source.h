/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that come one block after another: of a file, of a download, of a package in one. */
#ifndef BUILDER_SOURCE_H
#define BUILDER_SOURCE_H

#include <sys/types.h>

#include "error.h"

/* The first member of whatever reads the bytes; who made it closes it. */
struct source {
	/*
	 * The next block: its size, and *block, which stays valid until the next call. 0 at
	 * the end, and again behind it; a negative errno, and error says why.
	 */
	ssize_t (*next)(struct source *source, const void **block, struct error *error);
	const char *name; /* a path or a URL, for errors */
};

/* A local file, or a pipe. path is to stay. Returns 0 or a negative errno. */
int source_open_file(const char *path, struct source **source, struct error *error);
/* Safe on NULL. */
void source_close_file(struct source *source);

#endif
