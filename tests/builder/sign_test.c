// SPDX-License-Identifier: Apache-2.0
/* sign.c: minisign's keys are read, and minisign accepts what they sign. */
#include "sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "minisign.h"

enum { KEY_BYTES = 158, SECRET_AT = 54, SECRET_BYTES = 104 };

static char directory[] = "/tmp/cormorant-sign-test.XXXXXX";
static struct minisign_key minisign;
static struct error error;

/* ------------------------------------------------------------------- helpers */

static char *path_in(const char *name)
{
	static char paths[256][128];
	static unsigned next;
	char *path = paths[next++ % 256];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static struct sign_key *open_key(const char *path, const char *password_file)
{
	struct sign_key *key;

	if (sign_key_open(path, password_file, &key, &error))
		fail_msg("%s", error.text);
	return key;
}

static void refuse(const char *path, const char *password_file, int expected, const char *words)
{
	struct sign_key *key;

	assert_int_equal(sign_key_open(path, password_file, &key, &error), expected);
	assert_null(key);
	if (!strstr(error.text, words))
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

/* Signs with key, and asks minisign. */
static void assert_good(const struct sign_key *key, const char *data, size_t size)
{
	char *path = path_in("data"), minisig[160];
	struct text signature = {0};

	sign(key, data, size, "file:v1/x", &signature);
	assert_false(signature.failed);
	file_write(path, data, size);
	snprintf(minisig, sizeof(minisig), "%s.minisig", path);
	file_write(minisig, signature.data, signature.len);
	assert_true(minisign_accepts(&minisign, path));
	text_free(&signature);
}

static void read_key_bytes(unsigned char bytes[KEY_BYTES])
{
	size_t n, decoded;
	char *content = file_content(minisign.secret, &n);
	char *line = strchr(content, '\n') + 1;

	line[strcspn(line, "\n")] = 0;
	assert_int_equal(sodium_base642bin(bytes, KEY_BYTES, line, strlen(line), NULL, &decoded,
					   NULL, sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(decoded, KEY_BYTES);
	free(content);
}

static void write_key_bytes(const char *path, const unsigned char bytes[KEY_BYTES])
{
	char text[512] = "untrusted comment: a key\n";

	sodium_bin2base64(text + strlen(text), sizeof(text) - strlen(text), bytes, KEY_BYTES,
			  sodium_base64_VARIANT_ORIGINAL);
	strcat(text, "\n");
	file_write(path, text, strlen(text));
}

/*
 * minisign's own with a password takes it 1 GiB and eight seconds to open. This is the same
 * with little of both, as minisign(1) describes it; a test sees to it that minisign agrees.
 */
static void encrypt(unsigned char bytes[KEY_BYTES], const char *password)
{
	unsigned char stream[SECRET_BYTES], *secret = bytes + SECRET_AT;
	const unsigned long long operations = 32768, memory = 16 << 20;
	crypto_generichash_state state;

	memcpy(bytes + 2, "Sc", 2);
	memset(bytes + 6, 's', 32);
	memcpy(bytes + 38, &operations, 8);
	memcpy(bytes + 46, &memory, 8);
	crypto_generichash_init(&state, NULL, 0, 32);
	crypto_generichash_update(&state, bytes, 2);
	crypto_generichash_update(&state, secret, 72);
	crypto_generichash_final(&state, secret + 72, 32);
	assert_int_equal(crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), password,
							    strlen(password), bytes + 6, operations,
							    memory),
			 0);
	for (size_t i = 0; i < sizeof(stream); i++)
		secret[i] ^= stream[i];
}

/* A key with the password "a password", and the file of it. */
static const char *encrypted_key(void)
{
	unsigned char bytes[KEY_BYTES];
	const char *path = path_in("encrypted.key");

	read_key_bytes(bytes);
	encrypt(bytes, "a password");
	write_key_bytes(path, bytes);
	file_write(path_in("password"), "a password\n", 11);
	file_write(path_in("wrong"), "another\n", 8);
	return path;
}

/* -------------------------------------------------------------------- the tests */

static void minisign_accepts_what_is_signed(void **state)
{
	struct sign_key *key = open_key(minisign.secret, NULL);
	char data[70000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 + i / 256);
	for (size_t size = 0; size <= sizeof(data); size = size * 41 + 1)
		assert_good(key, data, size);
	assert_string_equal(sign_key_id(key), minisign.id);
	sign_key_close(key);
}

static void the_sensor_accepts_what_is_signed(void **state)
{
	struct sign_key *key = open_key(minisign.secret, NULL);
	struct signature_keys keys;
	struct text signature = {0};
	char id[SIGNATURE_ID_TEXT], why[SIGNATURE_ERROR_MAX];

	(void)state;
	assert_int_equal(signature_keys_read(minisign.public, &keys, why, sizeof(why)), 0);
	sign(key, "data", 4, "file:x", &signature);
	assert_int_equal(signature_check(&keys, "data", 4, signature.data, signature.len, id, why,
					 sizeof(why)),
			 0);
	assert_string_equal(id, minisign.id);
	assert_int_equal(signature_check(&keys, "date", 4, signature.data, signature.len, id, why,
					 sizeof(why)),
			 -EKEYREJECTED);
	text_free(&signature);
	sign_key_close(key);
}

static void the_same_is_signed_with_the_same_bytes(void **state)
{
	struct sign_key *key = open_key(minisign.secret, NULL);
	struct text one = {0}, two = {0}, other = {0};

	(void)state;
	sign(key, "data", 4, "file:x", &one);
	sign(key, "data", 4, "file:x", &two);
	sign(key, "data", 4, "file:y", &other);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	assert_memory_not_equal(one.data, other.data, one.len);
	text_free(&one);
	text_free(&two);
	text_free(&other);
	sign_key_close(key);
}

static void a_key_with_a_password_is_read(void **state)
{
	const char *path = encrypted_key();
	struct sign_key *key = open_key(path, path_in("password"));

	(void)state;
	assert_good(key, "data", 4);
	assert_string_equal(sign_key_id(key), minisign.id);
	sign_key_close(key);
	/* The key that this test has made is one to minisign, too. */
	file_write(path_in("data"), "more", 4);
	minisign_sign_with(path, "a password", path_in("data"));
	assert_true(minisign_accepts(&minisign, path_in("data")));
}

static void a_password_that_is_wrong_or_missing_is_said(void **state)
{
	const char *path = encrypted_key();

	(void)state;
	refuse(path, path_in("wrong"), -EKEYREJECTED, "password is wrong");
	refuse(path, NULL, -ENOKEY, "--password-file");
	refuse(path, path_in("nothing"), -ENOENT, path_in("nothing"));
}

static void a_damaged_key_is_refused(void **state)
{
	unsigned char bytes[KEY_BYTES];
	const char *path = path_in("damaged.key");
	struct sign_key *key;

	(void)state;
	read_key_bytes(bytes);
	/* The secret and the public half; without a password nothing covers the rest. */
	for (size_t i = SECRET_AT + 8; i < SECRET_AT + 8 + 64; i++) {
		bytes[i] ^= 1;
		write_key_bytes(path, bytes);
		bytes[i] ^= 1;
		refuse(path, NULL, -EBADMSG, "damaged");
	}
	read_key_bytes(bytes);
	encrypt(bytes, "a password");
	file_write(path_in("password"), "a password", 10);
	for (size_t i = SECRET_AT; i < KEY_BYTES; i += 8) {
		bytes[i] ^= 1;
		write_key_bytes(path, bytes);
		bytes[i] ^= 1;
		assert_int_equal(sign_key_open(path, path_in("password"), &key, &error),
				 -EKEYREJECTED);
	}
}

static void what_is_no_secret_key_is_refused(void **state)
{
	unsigned char bytes[KEY_BYTES];
	size_t n;
	char *content = file_content(minisign.secret, &n);

	(void)state;
	refuse(path_in("missing.key"), NULL, -ENOENT, path_in("missing.key"));
	refuse(minisign.public, NULL, -EBADMSG, "not minisign's");
	for (size_t i = 0; i < n - 1; i += 7) {
		file_write(path_in("cut.key"), content, i);
		refuse(path_in("cut.key"), NULL, -EBADMSG, "not minisign's");
	}
	read_key_bytes(bytes);
	memcpy(bytes + 2, "Ar", 2);
	write_key_bytes(path_in("kdf.key"), bytes);
	refuse(path_in("kdf.key"), NULL, -EBADMSG, "encrypted in a way");
	free(content);
}

/* A key file is no reason to fill the memory. */
static void a_password_that_takes_too_much_to_check_is_not_checked(void **state)
{
	unsigned char bytes[KEY_BYTES];
	const unsigned long long memory = 1ULL << 40;

	(void)state;
	read_key_bytes(bytes);
	encrypt(bytes, "a password");
	memcpy(bytes + 46, &memory, 8);
	write_key_bytes(path_in("huge.key"), bytes);
	refuse(path_in("huge.key"), path_in("password"), -ENOMEM, "1048576 MiB");
}

/* --------------------------------------------------------------------- the group */

static int open_group(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || sodium_init() < 0)
		return -1;
	minisign = minisign_make(directory, "ours");
	return 0;
}

static int close_group(void **state)
{
	static const char *const names[] = {
		"data",	 "data.minisig", "ours.pub", "ours.key", "encrypted.key", "password",
		"wrong", "damaged.key",	 "cut.key",  "kdf.key",	 "huge.key",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_in(names[i]));
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minisign_accepts_what_is_signed),
		cmocka_unit_test(the_sensor_accepts_what_is_signed),
		cmocka_unit_test(the_same_is_signed_with_the_same_bytes),
		cmocka_unit_test(a_key_with_a_password_is_read),
		cmocka_unit_test(a_password_that_is_wrong_or_missing_is_said),
		cmocka_unit_test(a_damaged_key_is_refused),
		cmocka_unit_test(what_is_no_secret_key_is_refused),
		cmocka_unit_test(a_password_that_takes_too_much_to_check_is_not_checked),
	};

	return cmocka_run_group_tests(tests, open_group, close_group);
}
