/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached signatures in the format of the `minisign` program (Ed25519), checked with
 * libsodium: over a file's bytes ("Ed") or over their BLAKE2b-512 ("ED"). The trusted
 * comment is checked with the signature and says nothing here; the untrusted one is ignored.
 */
#ifndef CORMORANT_SIGNATURE_H
#define CORMORANT_SIGNATURE_H

#include <stddef.h>

enum {
	/* Several at once: while a key is being replaced, files are signed by either. */
	SIGNATURE_KEYS_MAX = 8,
	/* Of a signature file: minisign's own comments have at most 1,024 and 8,192 bytes. */
	SIGNATURE_BYTES_MAX = 16 << 10,
	/* A key's id as minisign prints it, at most 16 hex digits, and a NUL. */
	SIGNATURE_ID_TEXT = 17,
	/* Of the texts below, but for a path in them. */
	SIGNATURE_ERROR_MAX = 512,
};

struct signature_key {
	unsigned char id[8];
	unsigned char key[32];
};

/* Public keys; a file may be signed by any of them. */
struct signature_keys {
	size_t count;
	struct signature_key keys[SIGNATURE_KEYS_MAX];
};

/*
 * Reads keys from a minisign public-key file, or several of them one after the other, or
 * takes the one that file_or_key itself is, in base64. Returns 0 or a negative errno; error
 * then gets what failed: why: what to do.
 */
int signature_keys_read(const char *file_or_key, struct signature_keys *keys, char *error,
			size_t error_size);

/*
 * Checks the bytes of a signature file against the data it is said to be of. Returns 0, and
 * id says whose it is, or
 *	-EBADMSG	it is no signature: malformed, cut short, too long
 *	-ENOKEY		it is by a key that is not among keys, a stale or a wrong one
 *	-EKEYREJECTED	it is by one of keys, or so it says, but not of these data
 *	-ENOSYS		libsodium does not work here
 * and error gets why: what to do.
 */
int signature_check(const struct signature_keys *keys, const void *data, size_t size,
		    const char *signature, size_t signature_size, char id[SIGNATURE_ID_TEXT],
		    char *error, size_t error_size);

/*
 * The same with the signature in the file PATH.minisig. -ENOENT: there is none; another
 * negative errno: it can't be read.
 */
int signature_check_beside(const struct signature_keys *keys, const char *path, const void *data,
			   size_t size, char id[SIGNATURE_ID_TEXT], char *error, size_t error_size);

#endif
