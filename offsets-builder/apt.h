/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine's apt is configured to use, as apt-get indextargets tells it. */
#ifndef BUILDER_APT_H
#define BUILDER_APT_H

#include <stddef.h>

#include "error.h"

/* A suite of an archive: an address that ends with a slash, and "bookworm-security". */
struct apt_suite {
	char *uri, *suite;
};

struct apt_suites {
	struct apt_suite *suite;
	size_t count;
};

/*
 * Debian's suites that apt knows. Of names, only those: each at the address of the archive
 * that it would be in, whether apt is configured for it or not. Returns 0 or a negative errno.
 */
int apt_suites_read(const char *const names[], size_t count, struct apt_suites *suites,
		    struct error *error);
/* Adds one; an address without a slash at its end gets it. Returns 0 or -ENOMEM. */
int apt_suites_add(struct apt_suites *suites, const char *uri, const char *suite);
void apt_suites_free(struct apt_suites *suites);

#endif
