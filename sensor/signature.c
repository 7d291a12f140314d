// SPDX-License-Identifier: Apache-2.0
#include "signature.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "file.h"

enum {
	ALGORITHM_BYTES = 2,
	/* Of a file with the most keys, each with a comment as long as minisign allows. */
	KEY_FILE_MAX = 16 << 10,
	KEY_TEXT_LEN = 56,
};

/* As minisign writes them in base64. */
struct public_key {
	unsigned char algorithm[ALGORITHM_BYTES]; /* "Ed" */
	struct signature_key key;
};
struct signed_hash {
	unsigned char algorithm[ALGORITHM_BYTES]; /* "Ed", or "ED" of the hash */
	unsigned char id[8];
	unsigned char signature[crypto_sign_BYTES];
};
_Static_assert(sizeof(struct public_key) == 42 && sizeof(struct signed_hash) == 74,
	       "the bytes are read as they are");

static const char untrusted[] = "untrusted comment: ", trusted[] = "trusted comment: ";

/* Why, and what to do; returns err. */
static int fail(char *error, size_t error_size, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int fail(char *error, size_t error_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return err;
}

/* ---------------------------------------------------------------------- lines */

struct line {
	const char *at;
	size_t len;
};

/* Takes the next line off a text; the last one needs no newline. False at the end. */
static bool next_line(struct line *text, struct line *line)
{
	const char *end = memchr(text->at, '\n', text->len);

	if (!text->len)
		return false;
	line->at = text->at;
	line->len = end ? (size_t)(end - text->at) : text->len;
	text->at += line->len + (end ? 1 : 0);
	text->len -= line->len + (end ? 1 : 0);
	return true;
}

static bool begins_with(const struct line *line, const char *prefix)
{
	size_t n = strlen(prefix);

	return line->len >= n && !memcmp(line->at, prefix, n);
}

/*
 * Base64 of exactly that many bytes: no blanks, padded, no stray bits. libsodium takes some
 * bytes from 0x80 on for letters, so the alphabet is looked at here.
 */
static bool decode(const struct line *line, void *bytes, size_t size)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/=";
	size_t n;

	for (size_t i = 0; i < line->len; i++)
		if (!memchr(alphabet, line->at[i], sizeof(alphabet) - 1))
			return false;
	return !sodium_base642bin(bytes, size, line->at, line->len, NULL, &n, NULL,
				  sodium_base64_VARIANT_ORIGINAL) &&
	       n == size;
}

/* ----------------------------------------------------------------------- keys */

/* minisign prints the eight bytes as a little-endian number. */
static void id_text(const unsigned char id[8], char text[SIGNATURE_ID_TEXT])
{
	uint64_t number = 0;

	for (int i = 7; i >= 0; i--)
		number = number << 8 | id[i];
	snprintf(text, SIGNATURE_ID_TEXT, "%" PRIX64, number);
}

static bool take_key(struct signature_keys *keys, const struct line *line)
{
	struct public_key key;

	if (keys->count == SIGNATURE_KEYS_MAX || !decode(line, &key, sizeof(key)) ||
	    memcmp(key.algorithm, "Ed", ALGORITHM_BYTES))
		return false;
	keys->keys[keys->count++] = key.key;
	return true;
}

static int read_key_file(const char *path, struct signature_keys *keys, char *error,
			 size_t error_size)
{
	struct line text, line;
	char *bytes;
	size_t size;
	int err = file_read(AT_FDCWD, path, KEY_FILE_MAX, &bytes, &size);

	if (err)
		return fail(error, error_size, err,
			    "cannot read the public key %s: %s: give the path of a minisign public "
			    "key, or the key itself",
			    path, strerror(-err));
	text = (struct line){bytes, size};
	while (!err && next_line(&text, &line))
		if (line.len && !begins_with(&line, untrusted) && !take_key(keys, &line))
			err = -EBADMSG;
	free(bytes);
	if (err || !keys->count)
		return fail(
			error, error_size, -EBADMSG,
			"cannot use the public key %s: it is not minisign's, or holds more than "
			"%d keys: give the .pub file that `minisign -G` made",
			path, SIGNATURE_KEYS_MAX);
	return 0;
}

int signature_keys_read(const char *file_or_key, struct signature_keys *keys, char *error,
			size_t error_size)
{
	const struct line line = {file_or_key, strlen(file_or_key)};

	*keys = (struct signature_keys){0};
	if (line.len == KEY_TEXT_LEN && take_key(keys, &line))
		return 0;
	return read_key_file(file_or_key, keys, error, error_size);
}

/* ------------------------------------------------------------------ signatures */

struct signature {
	struct signed_hash hash;
	struct line comment;
	unsigned char global[crypto_sign_BYTES]; /* of hash.signature and the comment */
};

static bool parse(const char *bytes, size_t size, struct signature *signature)
{
	struct line text = {bytes, size}, line;

	if (size > SIGNATURE_BYTES_MAX || !next_line(&text, &line) ||
	    !begins_with(&line, untrusted))
		return false;
	if (!next_line(&text, &line) || !decode(&line, &signature->hash, sizeof(signature->hash)))
		return false;
	if (memcmp(signature->hash.algorithm, "Ed", ALGORITHM_BYTES) &&
	    memcmp(signature->hash.algorithm, "ED", ALGORITHM_BYTES))
		return false;
	if (!next_line(&text, &line) || !begins_with(&line, trusted))
		return false;
	signature->comment.at = line.at + strlen(trusted);
	signature->comment.len = line.len - strlen(trusted);
	return next_line(&text, &line) &&
	       decode(&line, signature->global, sizeof(signature->global)) && !text.len;
}

static bool check_data(const struct signature_key *key, const struct signed_hash *hash,
		       const void *data, size_t size)
{
	unsigned char digest[crypto_generichash_BYTES_MAX];

	if (hash->algorithm[1] == 'D') {
		crypto_generichash(digest, sizeof(digest), data, size, NULL, 0);
		data = digest;
		size = sizeof(digest);
	}
	return !crypto_sign_verify_detached(hash->signature, data, size, key->key);
}

static bool check_comment(const struct signature_key *key, const struct signature *signature)
{
	unsigned char bytes[crypto_sign_BYTES + SIGNATURE_BYTES_MAX];

	memcpy(bytes, signature->hash.signature, crypto_sign_BYTES);
	memcpy(bytes + crypto_sign_BYTES, signature->comment.at, signature->comment.len);
	return !crypto_sign_verify_detached(signature->global, bytes,
					    crypto_sign_BYTES + signature->comment.len, key->key);
}

/* "0123456789ABCDEF, …": what a signature could have been made with. */
static void list_ids(const struct signature_keys *keys, char *out, size_t size)
{
	char id[SIGNATURE_ID_TEXT];
	size_t at = 0;

	*out = 0;
	for (size_t i = 0; i < keys->count && at < size; i++) {
		id_text(keys->keys[i].id, id);
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", id);
	}
}

static int fail_other_key(const struct signature_keys *keys, const char *id, char *error,
			  size_t error_size)
{
	char ids[SIGNATURE_KEYS_MAX * (SIGNATURE_ID_TEXT + 2)];

	list_ids(keys, ids, sizeof(ids));
	return fail(
		error, error_size, -ENOKEY,
		"it is signed with key %s, and the public key given is %s: one of them is stale "
		"or wrong: sign it anew, or give the signer's public key",
		id, ids);
}

int signature_check(const struct signature_keys *keys, const void *data, size_t size,
		    const char *bytes, size_t bytes_size, char id[SIGNATURE_ID_TEXT], char *error,
		    size_t error_size)
{
	struct signature signature;
	bool known = false;

	if (sodium_init() < 0)
		return fail(error, error_size, -ENOSYS,
			    "libsodium does not work here: allow getrandom(2), or mount /dev");
	if (!parse(bytes, bytes_size, &signature))
		return fail(error, error_size, -EBADMSG,
			    "its signature is not minisign's, or damaged: sign it anew");
	id_text(signature.hash.id, id);
	for (size_t i = 0; i < keys->count; i++) {
		const struct signature_key *key = &keys->keys[i];

		if (memcmp(key->id, signature.hash.id, sizeof(key->id)))
			continue;
		known = true;
		if (check_data(key, &signature.hash, data, size) && check_comment(key, &signature))
			return 0;
	}
	if (!known)
		return fail_other_key(keys, id, error, error_size);
	return fail(
		error, error_size, -EKEYREJECTED,
		"its signature is wrong: it was changed after it was signed, or the signature is "
		"another file's: replace both, or sign it anew");
}

int signature_check_beside(const struct signature_keys *keys, const char *path, const void *data,
			   size_t size, char id[SIGNATURE_ID_TEXT], char *error, size_t error_size)
{
	char *name = NULL, *bytes = NULL;
	size_t bytes_size = 0;
	int err;

	if (asprintf(&name, "%s.minisig", path) < 0)
		return fail(error, error_size, -ENOMEM, "no memory: free some");
	err = file_read(AT_FDCWD, name, SIGNATURE_BYTES_MAX, &bytes, &bytes_size);
	if (err == -ENOENT)
		fail(error, error_size, err,
		     "it is not signed: there is no %s: sign it with `minisign -S`", name);
	else if (err == -EFBIG)
		err = fail(error, error_size, -EBADMSG,
			   "its signature %s is too long: sign it anew", name);
	else if (err)
		fail(error, error_size, err, "its signature can't be read: %s: check %s",
		     strerror(-err), name);
	else
		err = signature_check(keys, data, size, bytes, bytes_size, id, error, error_size);
	free(bytes);
	free(name);
	return err;
}
