// SPDX-License-Identifier: Apache-2.0
/* signature.c: what the program `minisign` signs is accepted, and nothing else. */
#include "signature.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "minisign.h"

static const char comment[] = "untrusted comment: ";

static const char *directory;
static struct minisign_key ours, other;
static struct signature_keys keys;
static char error[SIGNATURE_ERROR_MAX];
static char id[SIGNATURE_ID_TEXT];

/* A file and what minisign says of it; data and signature are of exactly their size. */
struct signed_file {
	char path[128], minisig[160];
	char *data, *signature;
	size_t size, signature_size;
};

/* ------------------------------------------------------------------- helpers */

static struct signature_keys keys_of(const char *file_or_key)
{
	struct signature_keys read;

	if (signature_keys_read(file_or_key, &read, error, sizeof(error)))
		fail_msg("%s", error);
	return read;
}

static struct signed_file sign(const char *name, const void *data, size_t size,
			       const struct minisign_key *key, bool legacy)
{
	struct signed_file file = {.size = size, .data = copy_of(data, size)};
	char *content;

	snprintf(file.path, sizeof(file.path), "%s/%s", directory, name);
	snprintf(file.minisig, sizeof(file.minisig), "%s.minisig", file.path);
	file_write(file.path, data, size);
	minisign_sign(key, file.path, legacy);
	content = file_content(file.minisig, &file.signature_size);
	file.signature = copy_of(content, file.signature_size);
	free(content);
	return file;
}

static void forget(struct signed_file *file)
{
	free(file->data);
	free(file->signature);
}

static int check_with(const struct signature_keys *with, const struct signed_file *file)
{
	*error = 0;
	return signature_check(with, file->data, file->size, file->signature, file->signature_size,
			       id, error, sizeof(error));
}

static int check(const struct signed_file *file)
{
	return check_with(&keys, file);
}

static void assert_says(const char *words)
{
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

/* Where the text of the untrusted comment lies: nothing looks at it. */
static bool ignored(const struct signed_file *file, size_t at)
{
	const char *end = memchr(file->signature, '\n', file->signature_size);

	return at >= strlen(comment) && at < (size_t)(end - file->signature);
}

/* -------------------------------------------------------------------- sound ones */

static void what_minisign_signs_is_good(void **state)
{
	struct dice dice = {1};
	char bytes[70000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)dice_roll(&dice);
	for (int legacy = 0; legacy < 2; legacy++) {
		for (size_t size = 0; size <= sizeof(bytes); size = size * 41 + 1) {
			struct signed_file file = sign("good", bytes, size, &ours, legacy);

			assert_int_equal(check(&file), 0);
			assert_string_equal(id, ours.id);
			forget(&file);
		}
	}
}

static void both_ways_to_sign_are_what_they_are_called(void **state)
{
	struct signed_file hashed = sign("a", "data", 4, &ours, false);
	struct signed_file plain = sign("b", "data", 4, &ours, true);
	const char *at = strchr(hashed.signature, '\n') + 1, *b = strchr(plain.signature, '\n') + 1;

	(void)state;
	/* "ED" and "Ed" begin so in base64. */
	assert_memory_equal(at, "RU", 2);
	assert_memory_equal(b, "RW", 2);
	forget(&hashed);
	forget(&plain);
}

static void a_key_may_be_a_file_or_the_text_in_it(void **state)
{
	struct signed_file file = sign("data", "data", 4, &ours, false);
	struct signature_keys from_file = keys_of(ours.public), from_text = keys_of(ours.text);

	(void)state;
	assert_int_equal(from_file.count, 1);
	assert_int_equal(from_text.count, 1);
	assert_memory_equal(&from_file.keys[0], &from_text.keys[0], sizeof(from_file.keys[0]));
	assert_int_equal(check_with(&from_text, &file), 0);
	forget(&file);
}

/* How a key is replaced: both are in the file for a while. */
static void with_several_keys_in_a_file_any_of_them_will_do(void **state)
{
	char path[128], text[512], b[256];
	struct signed_file first = sign("first", "data", 4, &ours, false);
	struct signed_file second = sign("second", "data", 4, &other, true);
	struct signature_keys both;

	(void)state;
	snprintf(path, sizeof(path), "%s/both.pub", directory);
	snprintf(b, sizeof(b), "untrusted comment: two\n%s\n", other.text);
	snprintf(text, sizeof(text), "untrusted comment: one\n%s\n\n%s", ours.text, b);
	file_write(path, text, strlen(text));
	both = keys_of(path);
	assert_int_equal(both.count, 2);
	assert_int_equal(check_with(&both, &first), 0);
	assert_string_equal(id, ours.id);
	assert_int_equal(check_with(&both, &second), 0);
	assert_string_equal(id, other.id);
	forget(&first);
	forget(&second);
}

static void the_untrusted_comment_may_say_anything(void **state)
{
	struct signed_file file = sign("comment", "data", 4, &ours, false);
	size_t at = strlen(comment);

	(void)state;
	for (; ignored(&file, at); at++)
		file.signature[at] = (char)('\n' + 1 + at);
	assert_int_equal(check(&file), 0);
	file_write(file.minisig, file.signature, file.signature_size);
	assert_true(minisign_accepts(&ours, file.path));
	forget(&file);
}

/* -------------------------------------------------------------------- all others */

static void every_bit_of_a_signature_counts(void **state)
{
	(void)state;
	for (int legacy = 0; legacy < 2; legacy++) {
		struct signed_file file = sign("flip", "some data", 9, &ours, legacy);

		for (size_t i = 0; i < file.signature_size; i++) {
			if (ignored(&file, i))
				continue;
			for (int bit = 0; bit < 8; bit++) {
				file.signature[i] = (char)(file.signature[i] ^ 1 << bit);

				if (!check(&file))
					fail_msg("byte %zu, bit %d is not seen", i, bit);
				assert_true(strlen(error) > 20);
				file.signature[i] = (char)(file.signature[i] ^ 1 << bit);
			}
		}
		assert_int_equal(check(&file), 0);
		forget(&file);
	}
}

static void every_bit_of_the_data_counts(void **state)
{
	(void)state;
	for (int legacy = 0; legacy < 2; legacy++) {
		struct signed_file file = sign("bits", "some data", 9, &ours, legacy);

		for (size_t bit = 0; bit < file.size * 8; bit++) {
			file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
			assert_int_equal(check(&file), -EKEYREJECTED);
			file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
		}
		file.size--;
		assert_int_equal(check(&file), -EKEYREJECTED);
		forget(&file);
	}
}

/* Only the newline at its end may be missing. */
static void a_signature_cut_short_is_none(void **state)
{
	struct signed_file file = sign("cut", "data", 4, &ours, false);
	size_t whole = file.signature_size;

	(void)state;
	for (size_t n = 0; n < whole - 1; n++) {
		char *cut = copy_of(file.signature, n);

		assert_int_equal(signature_check(&keys, file.data, file.size, cut, n, id, error,
						 sizeof(error)),
				 -EBADMSG);
		assert_says("damaged");
		free(cut);
	}
	file.signature_size = whole - 1;
	assert_int_equal(check(&file), 0);
	forget(&file);
}

static void nothing_may_follow_a_signature(void **state)
{
	static const char *const tails[] = {"\n", "x", " ", "\nuntrusted comment: x\n"};
	struct signed_file file = sign("tail", "data", 4, &ours, false);

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct text longer = {0};

		text_bytes(&longer, file.signature, file.signature_size);
		text_str(&longer, tails[i]);
		assert_int_equal(signature_check(&keys, file.data, file.size, longer.data,
						 longer.len, id, error, sizeof(error)),
				 -EBADMSG);
		text_free(&longer);
	}
	forget(&file);
}

static void a_trusted_comment_of_somebody_else_is_refused(void **state)
{
	struct signed_file file = sign("comments", "data", 4, &ours, false);
	char *at = memmem(file.signature, file.signature_size, "a trusted", 9);

	(void)state;
	assert_non_null(at);
	memcpy(at, "A TRUSTED", 9);
	assert_int_equal(check(&file), -EKEYREJECTED);
	forget(&file);
}

static void the_signature_of_another_file_is_refused(void **state)
{
	struct signed_file one = sign("one", "data one", 8, &ours, false);
	struct signed_file two = sign("two", "data two", 8, &ours, false);
	char *signature = one.signature;

	(void)state;
	one.signature = two.signature;
	assert_int_equal(check(&one), -EKEYREJECTED);
	assert_says("changed after it was signed");
	one.signature = signature;
	forget(&one);
	forget(&two);
}

static void a_stale_key_is_named_with_the_one_that_is_wanted(void **state)
{
	struct signed_file file = sign("stale", "data", 4, &other, false);

	(void)state;
	assert_int_equal(check(&file), -ENOKEY);
	assert_says(other.id);
	assert_says(ours.id);
	assert_says("stale");
	forget(&file);
}

static void a_key_that_only_bears_the_right_id_is_refused(void **state)
{
	struct signed_file file = sign("forged", "data", 4, &other, false);
	struct signature_keys mixed = keys, others = keys_of(other.public);

	(void)state;
	memcpy(mixed.keys[0].id, others.keys[0].id, sizeof(mixed.keys[0].id));
	assert_int_equal(check_with(&mixed, &file), -EKEYREJECTED);
	forget(&file);
}

/* Longer than minisign makes them, though sound: what is read has a limit. */
static void an_endless_signature_is_not_read(void **state)
{
	struct signed_file file = sign("endless", "data", 4, &ours, false);
	size_t more = SIGNATURE_BYTES_MAX, at = strlen(comment);
	char *longer = malloc(file.signature_size + more);

	(void)state;
	memcpy(longer, file.signature, at);
	memset(longer + at, 'x', more);
	memcpy(longer + at + more, file.signature + at, file.signature_size - at);
	assert_int_equal(signature_check(&keys, file.data, file.size, longer,
					 file.signature_size + more, id, error, sizeof(error)),
			 -EBADMSG);
	file_write(file.minisig, longer, file.signature_size + more);
	assert_int_equal(signature_check_beside(&keys, file.path, file.data, file.size, id, error,
						sizeof(error)),
			 -EBADMSG);
	assert_says("too long");
	free(longer);
	forget(&file);
}

static void a_file_without_a_signature_is_named(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/unsigned", directory);
	file_write(path, "data", 4);
	assert_int_equal(signature_check_beside(&keys, path, "data", 4, id, error, sizeof(error)),
			 -ENOENT);
	assert_says("not signed");
	assert_says(path);
}

static void a_signature_beside_a_file_is_found(void **state)
{
	struct signed_file file = sign("beside", "data", 4, &ours, false);

	(void)state;
	assert_int_equal(signature_check_beside(&keys, file.path, file.data, file.size, id, error,
						sizeof(error)),
			 0);
	assert_string_equal(id, ours.id);
	assert_int_equal(unlink(file.minisig), 0);
	assert_int_equal(mkdir(file.minisig, 0700), 0);
	assert_int_equal(signature_check_beside(&keys, file.path, file.data, file.size, id, error,
						sizeof(error)),
			 -EISDIR);
	forget(&file);
}

/* -------------------------------------------------------------------------- keys */

static void refuse_key(const char *name, const char *text, int expected)
{
	struct signature_keys read;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (text)
		file_write(path, text, strlen(text));
	assert_int_equal(signature_keys_read(path, &read, error, sizeof(error)), expected);
	assert_says(path);
	assert_says("cannot ");
}

static void what_is_no_public_key_is_refused(void **state)
{
	struct text many = {0}, cut = {0};
	char *secret;
	size_t n;

	(void)state;
	refuse_key("missing", NULL, -ENOENT);
	refuse_key(".", NULL, -EISDIR);
	refuse_key("empty", "", -EBADMSG);
	refuse_key("comment", "untrusted comment: nothing\n", -EBADMSG);
	refuse_key("words", "untrusted comment: x\nnot a key\n", -EBADMSG);
	for (int i = 0; i <= SIGNATURE_KEYS_MAX; i++)
		text_format(&many, "%s\n", ours.text);
	text_char(&many, 0);
	refuse_key("many", many.data, -EBADMSG);
	text_format(&cut, "%.55s", ours.text);
	text_char(&cut, 0);
	refuse_key("cut", cut.data, -EBADMSG);
	secret = file_content(ours.secret, &n);
	refuse_key("secret", secret, -EBADMSG);
	free(secret);
	text_free(&many);
	text_free(&cut);
}

static void a_key_of_another_algorithm_is_refused(void **state)
{
	char text[64];

	(void)state;
	strcpy(text, ours.text);
	text[1] = 'U'; /* "ED" */
	assert_string_not_equal(text, ours.text);
	refuse_key("algorithm", text, -EBADMSG);
}

/* --------------------------------------------------------------------- the group */

static int open_group(void **state)
{
	(void)state;
	directory = scratch_directory();
	ours = minisign_make(directory, "ours");
	other = minisign_make(directory, "other");
	keys = keys_of(ours.public);
	return 0;
}

static int close_group(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_minisign_signs_is_good),
		cmocka_unit_test(both_ways_to_sign_are_what_they_are_called),
		cmocka_unit_test(a_key_may_be_a_file_or_the_text_in_it),
		cmocka_unit_test(with_several_keys_in_a_file_any_of_them_will_do),
		cmocka_unit_test(the_untrusted_comment_may_say_anything),
		cmocka_unit_test(every_bit_of_a_signature_counts),
		cmocka_unit_test(every_bit_of_the_data_counts),
		cmocka_unit_test(a_signature_cut_short_is_none),
		cmocka_unit_test(nothing_may_follow_a_signature),
		cmocka_unit_test(a_trusted_comment_of_somebody_else_is_refused),
		cmocka_unit_test(the_signature_of_another_file_is_refused),
		cmocka_unit_test(a_stale_key_is_named_with_the_one_that_is_wanted),
		cmocka_unit_test(a_key_that_only_bears_the_right_id_is_refused),
		cmocka_unit_test(an_endless_signature_is_not_read),
		cmocka_unit_test(a_file_without_a_signature_is_named),
		cmocka_unit_test(a_signature_beside_a_file_is_found),
		cmocka_unit_test(what_is_no_public_key_is_refused),
		cmocka_unit_test(a_key_of_another_algorithm_is_refused),
	};

	return cmocka_run_group_tests(tests, open_group, close_group);
}
