/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This kernel's row from the offsets service (docs/offsets-service.md), which `offsets-builder
 * publish` feeds and any web server can be.
 */
#ifndef CORMORANT_OFFSETS_FETCH_H
#define CORMORANT_OFFSETS_FETCH_H

#include "offsets_db.h"
#include "offsets_options.h"

/*
 * Asks options->url for the row of this kernel's build-id, and takes it if it is signed by one
 * of options->keys and this kernel's. What was taken is kept in the state directory, and used
 * where the service can't be asked or has nothing better. Takes 5 s at most, 2 s if there is
 * a row at hand, whatever the network does. To be called before there are threads.
 *
 * Returns 0, and note is empty or says what did not go well; or a negative errno, and note says
 * what failed: why: what to do.
 */
int offsets_fetch(const struct offsets_options *options, const struct kernel_identity *identity,
		  struct kernel_offsets *offsets, struct offsets_provenance *provenance, char *note,
		  size_t note_size);

#endif
