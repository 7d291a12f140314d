/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of an archive, each a source of its own; of what is no archive, one member
 * without a name: all of it.
 */
#ifndef BUILDER_PACKAGE_H
#define BUILDER_PACKAGE_H

#include "source.h"

enum package_kind { PACKAGE_BARE, PACKAGE_AR, PACKAGE_TAR /* or cpio */ };

struct package;

/* source is without compression. Returns 0 or a negative errno; -EBADMSG if it is damaged. */
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

#endif
