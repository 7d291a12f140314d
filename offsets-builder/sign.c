// SPDX-License-Identifier: Apache-2.0
#include "sign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "file.h"

enum {
	KEY_FILE_MAX = 4096,
	PASSWORD_MAX = 1024,
	/* What minisign asks for is 1 GiB; more is no key but an attempt on the machine. */
	MEMORY_MAX = 1 << 30,
	CHECKSUM_BYTES = 32,
};

/* The part of a secret key that a password covers. */
struct secret {
	unsigned char id[8];
	unsigned char key[crypto_sign_SECRETKEYBYTES];
	unsigned char checksum[CHECKSUM_BYTES]; /* of "Ed", id and key; zero without a password */
};

/* As minisign writes it in base64. */
struct key_file {
	unsigned char algorithm[2]; /* "Ed" */
	unsigned char kdf[2];	    /* "Sc": scrypt; zero: there is no password */
	unsigned char hash[2];	    /* "B2" */
	unsigned char salt[crypto_pwhash_scryptsalsa208sha256_SALTBYTES];
	unsigned char operations[8], memory[8]; /* little-endian */
	struct secret secret;
};
_Static_assert(sizeof(struct key_file) == 158, "the bytes are read as they are");

/* What a signature is of: the BLAKE2b-512 of the data. */
struct signed_hash {
	unsigned char algorithm[2]; /* "ED" */
	unsigned char id[8];
	unsigned char signature[crypto_sign_BYTES];
};
_Static_assert(sizeof(struct signed_hash) == 74, "the bytes are written as they are");

struct sign_key {
	unsigned char id[8];
	unsigned char key[crypto_sign_SECRETKEYBYTES];
	char text[SIGNATURE_ID_TEXT];
};

static uint64_t little_endian(const unsigned char bytes[8])
{
	uint64_t number = 0;

	for (int i = 7; i >= 0; i--)
		number = number << 8 | bytes[i];
	return number;
}

/* ------------------------------------------------------------------------- the key */

/* The second line of the file; the first is a comment. */
static bool decode(const char *bytes, struct key_file *file)
{
	const char *line = strchr(bytes, '\n'), *end;
	size_t n;

	if (!line || strncmp(bytes, "untrusted comment:", 18))
		return false;
	line++;
	end = line + strcspn(line, "\n");
	return !sodium_base642bin((unsigned char *)file, sizeof(*file), line, (size_t)(end - line),
				  NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) &&
	       n == sizeof(*file) && !memcmp(file->algorithm, "Ed", 2) &&
	       !memcmp(file->hash, "B2", 2);
}

static int read_key_file(const char *path, struct key_file *file, struct error *error)
{
	char *bytes;
	size_t size;
	int err = file_read(AT_FDCWD, path, KEY_FILE_MAX, &bytes, &size);

	if (err)
		return error_set(error, err,
				 "cannot read the secret key %s: %s: give the .key file that "
				 "`minisign -G` made",
				 path, strerror(-err));
	if (!decode(bytes, file))
		err = error_set(error, -EBADMSG,
				"cannot use the secret key %s: it is not minisign's: give the .key "
				"file that `minisign -G` made",
				path);
	sodium_memzero(bytes, size);
	free(bytes);
	return err;
}

static int read_password(const char *path, const char *password_file, char **password,
			 struct error *error)
{
	size_t size;
	int err;

	if (!password_file)
		return error_set(error, -ENOKEY,
				 "cannot use the secret key %s: it has a password: give "
				 "--password-file",
				 path);
	err = file_read(AT_FDCWD, password_file, PASSWORD_MAX, password, &size);
	if (err)
		return error_set(error, err,
				 "cannot read the password file %s: %s: give a file whose first "
				 "line is the password",
				 password_file, strerror(-err));
	(*password)[strcspn(*password, "\n")] = 0;
	return 0;
}

static void checksum(const struct secret *secret, unsigned char sum[CHECKSUM_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, CHECKSUM_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)"Ed", 2);
	crypto_generichash_update(&state, secret->id, sizeof(secret->id));
	crypto_generichash_update(&state, secret->key, sizeof(secret->key));
	crypto_generichash_final(&state, sum, CHECKSUM_BYTES);
	sodium_memzero(&state, sizeof(state));
}

static int decrypt(const char *path, const char *password, struct key_file *file,
		   struct error *error)
{
	unsigned char stream[sizeof(struct secret)], sum[CHECKSUM_BYTES];
	unsigned char *secret = (unsigned char *)&file->secret;
	uint64_t memory = little_endian(file->memory);

	if (memory > MEMORY_MAX ||
	    crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), password, strlen(password),
					       file->salt, little_endian(file->operations),
					       (size_t)memory))
		return error_set(error, -ENOMEM,
				 "cannot use the secret key %s: its password takes %" PRIu64
				 " MiB of memory to check: do it where there is so much",
				 path, memory >> 20);
	for (size_t i = 0; i < sizeof(stream); i++)
		secret[i] ^= stream[i];
	sodium_memzero(stream, sizeof(stream));
	checksum(&file->secret, sum);
	if (sodium_memcmp(sum, file->secret.checksum, sizeof(sum)))
		return error_set(error, -EKEYREJECTED,
				 "cannot use the secret key %s: the password is wrong: give the "
				 "file of the right one",
				 path);
	return 0;
}

/* A damaged key would sign what nobody can check. */
static bool is_pair(const unsigned char key[crypto_sign_SECRETKEYBYTES])
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES], again[crypto_sign_SECRETKEYBYTES];
	bool same;

	crypto_sign_seed_keypair(public, again, key);
	same = !sodium_memcmp(again, key, sizeof(again));
	sodium_memzero(again, sizeof(again));
	return same;
}

static int open_secret(const char *path, const char *password_file, struct key_file *file,
		       struct error *error)
{
	static const unsigned char none[2] = {0};
	char *password = NULL;
	int err = 0;

	if (!memcmp(file->kdf, none, sizeof(none)))
		return 0;
	if (memcmp(file->kdf, "Sc", 2))
		return error_set(error, -EBADMSG,
				 "cannot use the secret key %s: it is encrypted in a way that is "
				 "not known here: give one of minisign's",
				 path);
	err = read_password(path, password_file, &password, error);
	if (!err)
		err = decrypt(path, password, file, error);
	if (password)
		sodium_memzero(password, strlen(password));
	free(password);
	return err;
}

int sign_key_open(const char *path, const char *password_file, struct sign_key **key,
		  struct error *error)
{
	struct key_file file;
	int err;

	*key = NULL;
	if (sodium_init() < 0)
		return error_set(
			error, -ENOSYS,
			"cannot sign: libsodium does not work here: allow getrandom(2), or "
			"mount /dev");
	err = read_key_file(path, &file, error);
	if (!err)
		err = open_secret(path, password_file, &file, error);
	if (!err && !is_pair(file.secret.key))
		err = error_set(error, -EBADMSG,
				"cannot use the secret key %s: it is damaged: give a whole copy",
				path);
	if (!err)
		*key = malloc(sizeof(**key));
	if (*key) {
		memcpy((*key)->id, file.secret.id, sizeof((*key)->id));
		memcpy((*key)->key, file.secret.key, sizeof((*key)->key));
		snprintf((*key)->text, sizeof((*key)->text), "%" PRIX64,
			 little_endian(file.secret.id));
	}
	sodium_memzero(&file, sizeof(file));
	if (!err && !*key)
		err = error_set(error, -ENOMEM, "cannot sign: no memory: free some");
	return err;
}

void sign_key_close(struct sign_key *key)
{
	if (key)
		sodium_memzero(key, sizeof(*key));
	free(key);
}

const char *sign_key_id(const struct sign_key *key)
{
	return key->text;
}

/* ------------------------------------------------------------------------ signing */

/* Of the signature and the comment behind it. False: no memory. */
static bool sign_comment(const struct sign_key *key, const struct signed_hash *hash,
			 const char *comment, unsigned char signature[crypto_sign_BYTES])
{
	struct text both = {0};
	bool ok;

	text_bytes(&both, hash->signature, sizeof(hash->signature));
	text_str(&both, comment);
	ok = !both.failed &&
	     !crypto_sign_detached(signature, NULL, (const unsigned char *)both.data, both.len,
				   key->key);
	text_free(&both);
	return ok;
}

void sign(const struct sign_key *key, const void *data, size_t size, const char *comment,
	  struct text *out)
{
	unsigned char digest[crypto_generichash_BYTES_MAX], global[crypto_sign_BYTES] = {0};
	struct signed_hash hash = {.algorithm = {'E', 'D'}};

	crypto_generichash(digest, sizeof(digest), data, size, NULL, 0);
	memcpy(hash.id, key->id, sizeof(hash.id));
	crypto_sign_detached(hash.signature, NULL, digest, sizeof(digest), key->key);
	if (!sign_comment(key, &hash, comment, global))
		out->failed = true;
	text_format(out, "untrusted comment: signature by offsets-builder with minisign key %s\n",
		    key->text);
	text_base64(out, &hash, sizeof(hash));
	text_format(out, "\ntrusted comment: %s\n", comment);
	text_base64(out, global, sizeof(global));
	text_char(out, '\n');
}
