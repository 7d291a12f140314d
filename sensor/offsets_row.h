/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kernel's row as the offsets service has it (docs/offsets-service.md): JSON that
 * `offsets-builder publish` writes and signs.
 */
#ifndef CORMORANT_OFFSETS_ROW_H
#define CORMORANT_OFFSETS_ROW_H

#include "offsets_db.h"

enum {
	OFFSETS_ROW_VERSION = 1,
	/* Bytes of one: a real one has some 6,000. */
	OFFSETS_ROW_MAX = 1 << 20,
};

/*
 * Takes the offsets from a row whose signature has been checked. It must be of the kernel
 * that identity names, by build-id and arch: a service may serve what was signed for another
 * one. Returns 0, -EBADMSG if it is no row, -ESTALE if it is another kernel's, or -ENOMEM;
 * error then gets why: what to do, and offsets and provenance are empty.
 */
int offsets_row_parse(const char *json, size_t size, const struct kernel_identity *identity,
		      struct kernel_offsets *offsets, struct offsets_provenance *provenance,
		      char *error, size_t error_size);

#endif
