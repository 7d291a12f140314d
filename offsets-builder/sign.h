/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as the program `minisign` makes them, with its secret keys. */
#ifndef BUILDER_SIGN_H
#define BUILDER_SIGN_H

#include <stddef.h>

#include "error.h"
#include "signature.h"
#include "text.h"

struct sign_key;

/*
 * Reads a minisign secret key. One that is encrypted wants the file of its password, whose
 * first line is it; for others password_file may be NULL. Returns 0 or a negative errno:
 * -EKEYREJECTED if the password is wrong, -ENOKEY if there is none.
 */
int sign_key_open(const char *path, const char *password_file, struct sign_key **key,
		  struct error *error);
/* Wipes it. NULL is allowed. */
void sign_key_close(struct sign_key *key);

/* The key's id, as minisign prints it. */
const char *sign_key_id(const struct sign_key *key);

/*
 * Appends the signature file of the data: the same bytes for the same data, comment and key.
 * comment, one line, is the trusted one. Without memory out has failed.
 */
void sign(const struct sign_key *key, const void *data, size_t size, const char *comment,
	  struct text *out);

#endif
