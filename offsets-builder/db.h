/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets database (data/offsets.sql) as it is written. */
#ifndef BUILDER_DB_H
#define BUILDER_DB_H

#include "error.h"
#include "layout.h"
#include "offsets_db.h"

struct db;

/* A kernel's row but for its layout. "" and NULL are unknown. */
struct db_kernel {
	struct kernel_identity identity; /* the build-id, or arch, release and version at least */
	const char *distro, *source;
	const char *sha256; /* of the image */
};

enum db_outcome { DB_ADDED, DB_UPDATED, DB_UNCHANGED };

/* Opens it, and makes it if there is none. Returns 0 or a negative errno. */
int db_open(const char *path, struct db **db, struct error *error);
void db_close(struct db *db);

/*
 * Adds a kernel in one transaction, or changes its row if it is there with another layout
 * or with less known of it. A row that says the same is left alone. Returns 0 or a
 * negative errno; the database is then as it was.
 */
int db_add(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error);

#endif
