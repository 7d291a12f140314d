/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPGP signatures of package indexes, checked by gpgv(1). */
#ifndef BUILDER_GPGV_H
#define BUILDER_GPGV_H

#include <stddef.h>

#include "error.h"
#include "text.h"

/*
 * Is data signed by a key of the keyring (a file of binary keys)? signature is a detached
 * one; NULL: data carries its own, as an InRelease file does, and content becomes what the
 * signature covers, no more. name is data's, for errors. One good signature is enough where
 * others are by keys that the keyring lacks; a bad one spoils it. Returns 0, or a negative
 * errno: -EKEYREJECTED if it is not signed, or not by such a key.
 */
int gpgv_check(const char *keyring, const char *name, const struct text *data,
	       const struct text *signature, struct text *content, struct error *error);

#endif
