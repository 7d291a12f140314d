/* SPDX-License-Identifier: Apache-2.0 */
/* Which container a cgroup path belongs to. */
#ifndef CORMORANT_CONTAINER_H
#define CORMORANT_CONTAINER_H

#include "text.h"

/*
 * Finds the innermost container named in a cgroup path. On success *id is a slice of
 * the path and *runtime its engine (static; NULL if the path does not tell).
 */
bool container_of_cgroup(struct slice path, struct slice *id, const char **runtime);

#endif
