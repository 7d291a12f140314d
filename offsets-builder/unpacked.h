/* SPDX-License-Identifier: Apache-2.0 */
/* A source without its compression (and a .rpm without what is before its cpio archive). */
#ifndef BUILDER_UNPACKED_H
#define BUILDER_UNPACKED_H

#include <stdbool.h>

#include "digest.h"
#include "source.h"

struct unpacked;

/*
 * Returns 0 or a negative errno: -EBADMSG if source is empty or damaged. What is not
 * compressed comes as it is; what becomes much larger than any kernel does is refused.
 */
int unpacked_open(struct source *source, struct unpacked **unpacked, struct error *error);
/* Safe on NULL. */
void unpacked_close(struct unpacked *unpacked);

struct source *unpacked_source(struct unpacked *unpacked);
bool unpacked_is_rpm(const struct unpacked *unpacked);

/*
 * SHA-256 of the source as it came, of which the rest is read. Once. Returns 0 or a negative
 * errno.
 */
int unpacked_digest(struct unpacked *unpacked, char sha256[DIGEST_TEXT], struct error *error);

#endif
