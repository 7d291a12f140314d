/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offsets database (data/offsets.sql) as it is written.
 *
 * What it holds does not depend on the order in which it came: the same additions, in any
 * order, in one database or in several that are merged, give the same export.
 *
 *	Rows of one kernel (a build-id; without one arch, release and version; of a release
 *	only, the bytes of the image) that agree on the layout are one, whose source is the
 *	best: a package that was hashed whole, else one from an index, else any; of several
 *	such the first by name.
 *	Rows of one kernel that do not agree are both kept. It is a conflict: it is reported
 *	and the sensor uses neither.
 *	A row read with a longer list of members replaces those read with a shorter one.
 *	A row that says less of who it is goes when a row of the same kernel says more.
 */
#ifndef BUILDER_DB_H
#define BUILDER_DB_H

#include <stdbool.h>

#include "error.h"
#include "layout.h"
#include "offsets_db.h"

struct db;

enum { DB_TEXT_MAX = 1024 }; /* bytes of a text but for the identity's, its NUL included */

/*
 * A kernel's row but for its layout. "" and NULL are unknown. Texts are UTF-8 without
 * control characters, hashes 64 lower-case hex digits.
 */
struct db_kernel {
	/* build_id, or arch and release: without a version that is a release-only row. */
	struct kernel_identity identity;
	const char *distro;
	const char *source;	    /* where the image came from: a path, a URL */
	const char *sha256;	    /* of the image */
	const char *package;	    /* its file name */
	const char *package_sha256; /* as the signed index states it */
	bool source_verified;	    /* the whole package was hashed, and agreed */
};

enum db_outcome {
	DB_ADDED,
	DB_UPDATED,
	DB_UNCHANGED,
	DB_CONFLICT, /* stored, but another row of the same kernel says otherwise */
	DB_OUTCOMES,
};

/*
 * Opens it for writing, makes it if there is none, and brings an older schema up to date.
 * Returns 0 or a negative errno: -EBADMSG if it is no database, another program's or newer.
 */
int db_open(const char *path, struct db **db, struct error *error);
/* Opens one that is there to be read only; an older one is read as if it were up to date. */
int db_open_read(const char *path, struct db **db, struct error *error);
void db_close(struct db *db);

/*
 * Adds a kernel in one transaction. With package_sha256 (and a build-id) the package is
 * recorded as crawled in the same one. Returns 0 or a negative errno; the database is then
 * as it was. -EINVAL: what is to be stored is not well-formed.
 */
int db_add(struct db *db, const struct db_kernel *kernel, const struct layout *layout,
	   enum db_outcome *outcome, struct error *error);

/*
 * Adds all that another database holds, in one transaction. counts, of DB_OUTCOMES, get one
 * more for each kernel. Returns 0 or a negative errno; db is then as it was.
 */
int db_merge(struct db *db, struct db *from, size_t *counts, struct error *error);

/* ----------------------------------------------------------- what was crawled */

struct db_crawled {
	char package_sha256[DIGEST_TEXT];
	char package[256]; /* its file name */
	char build_id[48]; /* of the kernel in it, or "" and */
	char why[512];	   /* why there is none, for ever */
	bool implied;	   /* from the database: a kernel's row says as much */
};

/*
 * Returns 1 and fills crawled if the package needs not be read again, 0 if it does, since it
 * never was or with a list of members that lacks some of today's, or a negative errno.
 */
int db_crawled_get(struct db *db, const char *package_sha256, struct db_crawled *crawled,
		   struct error *error);
/* For packages without a kernel; db_add does it for others. A build-id overrules a why. */
int db_crawled_put(struct db *db, const struct db_crawled *crawled, struct error *error);

/* --------------------------------------------------------------------- reading */

/* Valid while the callback runs. */
struct db_row {
	struct db_kernel kernel; /* unknown texts are "" */
	const struct layout *layout;
	const char *built_at;
	bool conflict; /* another row of the same kernel has another layout */
};

/*
 * Whether the kernel has a row that the sensor would use: of its build-id, or of its arch,
 * release and version. Release-only rows don't count.
 */
int db_has_kernel(struct db *db, const struct kernel_identity *identity, bool *has,
		  struct error *error);

/* True if a row has that build-id or that release. */
bool db_row_is(const struct db_row *row, const char *name);

/*
 * Every kernel, by arch, release, version, build-id. fn returns 0, or what stops the walk
 * and is returned; it may not write to the database. Returns 0 or a negative errno.
 */
int db_each_kernel(struct db *db,
		   int (*fn)(void *arg, const struct db_row *row, struct error *error), void *arg,
		   struct error *error);
/* The same of packages, by package_sha256. */
int db_each_crawled(struct db *db,
		    int (*fn)(void *arg, const struct db_crawled *crawled, struct error *error),
		    void *arg, struct error *error);

/* ---------------------------------------------------------------------- checks */

/* Kernels that were read with a list of members which lacks some of this program's. */
struct db_age {
	size_t kernels, of;
	char members[512]; /* what is not known of them, "a.b, c.d"; cut with "..." */
};

int db_age(struct db *db, struct db_age *age, struct error *error);
/* Says so: "older than …: what to do". */
void db_age_text(const struct db_age *age, struct error *text);

/*
 * Calls fault for everything that is wrong in it: its file, its schema, hashes, layouts that
 * no kernel has (layout_check), rows that are not well-formed, alone or in conflict, and
 * its age. Returns how many there were, or a negative errno if it can't be read to the end.
 */
int db_verify(struct db *db, void (*fault)(void *arg, const char *what), void *arg,
	      struct error *error);

#endif
