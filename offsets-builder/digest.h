/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, as lower-case hex. */
#ifndef BUILDER_DIGEST_H
#define BUILDER_DIGEST_H

#include <stddef.h>

enum { DIGEST_TEXT = 65 };

struct digest;

/* NULL if there is no memory, or no SHA-256. */
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t size);
/* The result; frees the digest. Returns 0 or -EIO. */
int digest_end(struct digest *digest, char text[DIGEST_TEXT]);

#endif
