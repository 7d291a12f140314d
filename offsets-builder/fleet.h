/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels a fleet runs: from its capability documents (docs/capabilities.md). */
#ifndef BUILDER_FLEET_H
#define BUILDER_FLEET_H

#include <stddef.h>
#include <stdio.h>

#include "error.h"
#include "offsets_db.h"

/* One kernel on one host. */
struct fleet_entry {
	struct kernel_identity identity;
	char host[80]; /* its machine-id, else its name; empty: not known, and so any host */
	size_t hosts;  /* after fleet_count: how many run this kernel */
};

struct fleet {
	struct fleet_entry *at;
	size_t count, room;
};

/*
 * Adds the documents of a stream: each begins a line with "{" and may be on one line or on
 * several. Bare documents, envelopes and OCSF events that have one inside are all read. What
 * is none is left out, and complain is called with the name, the line and why. Returns 0 or a
 * negative errno.
 */
int fleet_read(struct fleet *fleet, FILE *stream, const char *name,
	       void (*complain)(const struct error *error), size_t *bad, struct error *error);

/* One entry for each kernel is left, most hosts first. */
void fleet_count(struct fleet *fleet);

void fleet_free(struct fleet *fleet);

#endif
