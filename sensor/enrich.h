/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrich: what user space adds to a decoded exec: its container, its parent's image, and
 * where the kernel side knows little, what /proc has of the process.
 */
#ifndef CORMORANT_ENRICH_H
#define CORMORANT_ENRICH_H

#include "record.h"

struct enricher;

/* Returns NULL without memory. */
struct enricher *enricher_open(void);
void enricher_close(struct enricher *enricher);

/* Adds to event. What it points event to is valid until enrich_remember or the next enrich. */
void enrich(struct enricher *enricher, struct exec_event *event);

/* Keeps what event says of its process for that process's children. Call it last. */
void enrich_remember(struct enricher *enricher, const struct exec_event *event);

#endif
