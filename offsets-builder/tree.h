/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that `publish` writes. A file whose bytes are there already is left alone, so
 * that it keeps its time and with it the ETag that web servers make of that; others are
 * replaced at once, so that nobody ever reads half of one.
 */
#ifndef BUILDER_TREE_H
#define BUILDER_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct tree;

struct tree_counts {
	size_t written, unchanged, removed; /* files */
};

/* Opens DIR/v1, makes both if they are missing, and keeps others out. A negative errno. */
int tree_open(const char *path, struct tree **tree, struct error *error);
void tree_close(struct tree *tree);

/*
 * Puts a file there; name is relative to v1, with at most one directory in it. *changed, if
 * not NULL, says whether it was written. Returns 0 or a negative errno.
 */
int tree_put(struct tree *tree, const char *name, const void *bytes, size_t size, bool *changed,
	     struct error *error);
/* One that was put by others is to stay, if it is there. Returns 0 or -ENOMEM. */
int tree_keep(struct tree *tree, const char *name, struct error *error);
/* What has been put so far is on the disk when this returns. */
int tree_sync(struct tree *tree, struct error *error);
/*
 * Removes the files that an earlier publish has put and this one has neither put nor kept.
 * What is called otherwise than publish calls its files is not touched.
 */
int tree_sweep(struct tree *tree, struct error *error);

struct tree_counts tree_counts(const struct tree *tree);

#endif
