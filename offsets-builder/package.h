/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libarchive makes of a source: the members of a package, each a source of its own, or
 * for a bare file, compressed or not, one member without a name.
 */
#ifndef BUILDER_PACKAGE_H
#define BUILDER_PACKAGE_H

#include "digest.h"
#include "source.h"

enum package_kind { PACKAGE_BARE, PACKAGE_DEB, PACKAGE_RPM, PACKAGE_TAR };

struct package;

/* Returns 0 or a negative errno; -EBADMSG if it is empty or damaged. */
int package_open(struct source *source, struct package **package, struct error *error);
/* Safe on NULL. */
void package_close(struct package *package);
enum package_kind package_kind(const struct package *package);

/*
 * The next regular file that has bytes. Returns 1, 0 at the end, or a negative errno. path
 * and member stay valid until the next call; a path begins with neither "/" nor "./".
 */
int package_next(struct package *package, const char **path, struct source **member,
		 struct error *error);

/* SHA-256 of the source, of which the rest is read. Returns 0 or a negative errno. */
int package_digest(struct package *package, char sha256[DIGEST_TEXT], struct error *error);

#endif
