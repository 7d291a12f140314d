/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of both programs: key pairs and signatures made by the program `minisign`. */
#ifndef CORMORANT_TESTS_MINISIGN_H
#define CORMORANT_TESTS_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>

/* A key pair without a password. */
struct minisign_key {
	char public[128], secret[128]; /* paths */
	char text[64];		       /* the public key itself, in base64 */
	char id[24];		       /* as minisign says it */
};

/* Makes a key pair in directory. */
struct minisign_key minisign_make(const char *directory, const char *name);

/* The same with a secret key of the caller's; the public one is key's. password may be NULL. */
void minisign_sign_with(const char *secret, const char *password, const char *path);

/* Signs path: path.minisig. legacy: the bytes themselves, not their hash. */
void minisign_sign(const struct minisign_key *key, const char *path, bool legacy);

/* True if minisign itself accepts path.minisig. */
bool minisign_accepts(const struct minisign_key *key, const char *path);

/* Files of at most 1 MiB; the caller frees what is read. */
void file_write(const char *path, const void *bytes, size_t n);
char *file_content(const char *path, size_t *n);

#endif
