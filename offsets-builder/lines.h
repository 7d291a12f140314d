/* SPDX-License-Identifier: Apache-2.0 */
/* A source's bytes as lines of text. */
#ifndef BUILDER_LINES_H
#define BUILDER_LINES_H

#include "source.h"
#include "text.h"

struct lines {
	struct source *source;
	const char *block; /* what of the source's last block is left */
	size_t left;
	struct text line;
};

/*
 * The next line, without its end, in lines->line. Returns 1, 0 at the end, or a negative
 * errno: the source's, or -EBADMSG if a line is longer than any could be.
 */
int lines_next(struct lines *lines, struct error *error);
void lines_end(struct lines *lines);

#endif
