/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a crawl: which packages it is for depends on their hashes alone. */
#ifndef BUILDER_SHARD_H
#define BUILDER_SHARD_H

#include <stdbool.h>

#include "error.h"

/* index is from 1 to count; {1, 1} is all of it. */
struct shard {
	unsigned int index, count;
	const char *origin; /* what said so: an option or a variable's name; NULL: nothing */
};

/*
 * text is --shard's: "I/N", "/N" for an index that the environment says, or NULL. The
 * environment is JOB_COMPLETION_INDEX (from 0, Kubernetes) with JOB_COMPLETIONS, or
 * SLURM_ARRAY_TASK_ID with SLURM_ARRAY_TASK_COUNT, _MIN and _STEP. A part of an unknown
 * whole is an error. Returns 0 or -EINVAL.
 */
int shard_parse(const char *text, struct shard *shard, struct error *error);

/* sha256 is 64 lower-case hex digits. */
bool shard_has(const struct shard *shard, const char *sha256);

#endif
