/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offsets service: a database as files that any web server can serve, and a sensor
 * believes (docs/offsets-service.md says what is where).
 */
#ifndef BUILDER_PUBLISH_H
#define BUILDER_PUBLISH_H

#include "db.h"
#include "sign.h"
#include "tree.h"

struct publish_counts {
	size_t kernels;	  /* whose row is there */
	size_t nameless;  /* not: their build-id or arch is not known, so nobody could ask */
	size_t conflicts; /* not: two rows of the kernel do not agree */
};

/*
 * Writes all of the database, of db_open_read, to the tree, and removes what is not in it any
 * more. With key (NULL: none) every file gets its .minisig; without, signatures of files that
 * have not changed stay. Returns 0 or a negative errno.
 */
int publish(struct db *db, const struct sign_key *key, struct tree *tree,
	    struct publish_counts *counts, struct error *error);

#endif
