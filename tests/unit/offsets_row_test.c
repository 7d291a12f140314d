// SPDX-License-Identifier: Apache-2.0
/* offsets_row.c: rows of the offsets service, sound ones and all others; and where they are kept. */
#include "offsets_row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "file.h"
#include "offsets_cache.h"
#include "state.h"

static const struct kernel_identity identity = {
	.build_id = "00112233445566778899aabbccddeeff00112233", .arch = "x86_64"};

static const char sound[] =
	"{\"row_version\":1,\"kernel\":{\"build_id\":\"00112233445566778899aabbccddeeff00112233\","
	"\"arch\":\"x86_64\",\"release\":\"5.4.286\",\"distro\":\"debian\",\"package\":\"p.deb\","
	"\"source\":\"http://mirror/p.deb\"},\"layout\":{\"sha256\":\"x\",\"fields\":{"
	"\"enum pid_type\":{\"PIDTYPE_SID\":[3,0]},\"task_struct\":{\"tgid\":[980,4],"
	"\"comm\":[2000,16]},\"upid\":{\"\":[0,32]}},\"absent\":{\"task_struct\":[\"audit\"]}}}\n";

static struct kernel_offsets offsets;
static struct offsets_provenance provenance;
static char error[512];

/* ------------------------------------------------------------------- helpers */

/* Of exactly that many bytes, so that a sanitizer sees a read beyond them. */
static int parse_as(const char *json, size_t n, const struct kernel_identity *who)
{
	static const struct offsets_provenance nothing;
	char *bytes = copy_of(json, n);
	int err;

	*error = 0;
	memset(&offsets, 0, sizeof(offsets));
	memset(&provenance, 'x', sizeof(provenance));
	err = offsets_row_parse(bytes, n, who, &offsets, &provenance, error, sizeof(error));
	free(bytes);
	if (err) {
		assert_true(offsets_empty(&offsets));
		assert_memory_equal(&provenance, &nothing, sizeof(nothing));
		assert_true(strlen(error) > 10);
	}
	return err;
}

static int parse(const char *json)
{
	return parse_as(json, strlen(json), &identity);
}

/* The sound row with one text in place of another. */
static int parse_with(const char *old, const char *new)
{
	const char *at = strstr(sound, old);
	struct text row = {0};
	int err;

	assert_non_null(at);
	text_bytes(&row, sound, (size_t)(at - sound));
	text_str(&row, new);
	text_str(&row, at + strlen(old));
	err = parse_as(row.data, row.len, &identity);
	text_free(&row);
	return err;
}

/* -------------------------------------------------------------------------- rows */

static void a_sound_row_gives_its_offsets_and_says_where_it_is_from(void **state)
{
	(void)state;
	assert_int_equal(parse(sound), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_int_equal(offsets.task_struct__comm, 2000);
	assert_int_equal(offsets.value__PIDTYPE_SID, 3);
	assert_int_equal(offsets.size__upid, 32);
	assert_int_equal(offsets.task_struct__real_parent, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__audit, OFFSET_ABSENT);
	assert_string_equal(provenance.matched_by, "build_id");
	assert_string_equal(provenance.distro, "debian");
	assert_string_equal(provenance.package, "p.deb");
	assert_string_equal(provenance.source, "http://mirror/p.deb");
}

static void what_was_not_looked_for_is_named_and_what_is_absent_is_not(void **state)
{
	char with_hash[256];

	(void)state;
	assert_int_equal(parse(sound), 0);
	assert_non_null(strstr(provenance.not_looked_for, "upid.nr"));
	assert_int_equal(parse_with("\"absent\":{", "\"absent\":{\"upid\":[\"nr\",5],\"x\":3,"), 0);
	assert_null(strstr(provenance.not_looked_for, "upid.nr"));
	assert_non_null(strstr(provenance.not_looked_for, "upid.ns"));
	assert_int_equal(offsets.upid__nr, OFFSET_ABSENT);
	assert_false(provenance.source_verified);
	snprintf(with_hash, sizeof(with_hash),
		 "\"package_sha256\":\"%064d\",\"source_verified\":true,\"distro\"", 0);
	assert_int_equal(parse_with("\"distro\"", with_hash), 0);
	assert_true(provenance.source_verified);
	assert_int_equal(strlen(provenance.package_sha256), 64);
}

static void another_kernels_row_is_refused(void **state)
{
	struct kernel_identity who = identity;

	(void)state;
	who.build_id[0] = '1';
	assert_int_equal(parse_as(sound, strlen(sound), &who), -ESTALE);
	who = identity;
	strcpy(who.arch, "aarch64");
	assert_int_equal(parse_as(sound, strlen(sound), &who), -ESTALE);
	/* An unknown build-id is nobody's. */
	who = identity;
	who.build_id[0] = 0;
	assert_int_equal(parse_as(sound, strlen(sound), &who), -ESTALE);
	assert_int_equal(parse_with(identity.build_id, ""), -ESTALE);
	assert_int_equal(parse_with("\"00112233445566778899aabbccddeeff00112233\"", "12"), -ESTALE);
	assert_int_equal(parse_with("00112233\",", "00112233\\u0000\","), -ESTALE);
}

static void members_and_structs_that_are_not_known_here_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(parse_with("\"upid\":", "\"new_struct\":{\"x\":[1,2]},\"upid\":"), 0);
	assert_int_equal(parse_with("\"comm\":", "\"new_member\":[1,2],\"comm\":"), 0);
	assert_int_equal(parse_with("\"row_version\":1", "\"row_version\":1,\"more\":[]"), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
}

static void numbers_that_cannot_be_used_are_absent(void **state)
{
	static const char *const numbers[] = {
		"[-1,4]",    "[65535,4]", "[980,3]",
		"[980,4,1]", "[980,0]",	  "[99999999999999999999,4]",
		"[980,-4]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(parse_with("[980,4]", numbers[i]), 0);
		assert_int_equal(offsets.task_struct__tgid, OFFSET_ABSENT);
		assert_int_equal(offsets.task_struct__comm, 2000);
	}
}

static void what_is_no_row_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"{}",
		"1",
		"\"x\"",
		"{\"row_version\":\"1\"}",
		"<html></html>",
		"{\"index_version\":1,\"kernels\":{}}",
	};
	static const char *const changes[][2] = {
		{"[980,4]", "[980]"},
		{"[980,4]", "[980,4,0,0]"},
		{"[980,4]", "[980,\"4\"]"},
		{"[980,4]", "[980.5,4]"},
		{"[980,4]", "980"},
		{"[980,4]", "{\"offset\":980}"},
		{"{\"tgid\"", "[\"tgid\""},
		{"\"fields\":{", "\"fields\":[{"},
		{"\"fields\"", "\"other\""},
		{"\"layout\"", "\"other\""},
		{"\"row_version\":1", "\"row_version\":0"},
		{"\"row_version\":1", "\"row_version\":1.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(parse(rows[i]), -EBADMSG);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (parse_with(changes[i][0], changes[i][1]) != -EBADMSG)
			fail_msg("%s instead of %s is taken", changes[i][1], changes[i][0]);
}

static void a_newer_form_asks_for_an_update(void **state)
{
	(void)state;
	assert_int_equal(parse_with("\"row_version\":1", "\"row_version\":2"), -EBADMSG);
	assert_non_null(strstr(error, "update cormorant"));
}

static void a_row_that_says_nothing_usable_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"row_version\":1,\"kernel\":{\"build_id\":"
			       "\"00112233445566778899aabbccddeeff00112233\",\"arch\":\"x86_64\"},"
			       "\"layout\":{\"fields\":{\"other\":{\"x\":[1,2]}}}}"),
			 -EBADMSG);
}

static void nothing_may_follow_a_row(void **state)
{
	static const char *const tails[] = {"x", "{}", "\n\nx", ",", "]"};
	struct text row = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		text_clear(&row);
		text_str(&row, sound);
		text_str(&row, tails[i]);
		assert_int_equal(parse_as(row.data, row.len, &identity), -EBADMSG);
	}
	text_clear(&row);
	text_bytes(&row, sound, sizeof(sound)); /* its NUL, too */
	assert_int_equal(parse_as(row.data, row.len, &identity), -EBADMSG);
	text_free(&row);
}

static void a_row_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(sound) - 2; n++)
		assert_int_equal(parse_as(sound, n, &identity), -EBADMSG);
}

/* A signed row may be anything, if the signer is mistaken: it does no harm. */
static void rows_with_wild_bytes_do_no_harm(void **state)
{
	struct dice dice = {7};

	(void)state;
	for (int i = 0; i < 30000; i++) {
		char row[sizeof(sound)];

		memcpy(row, sound, sizeof(row));
		for (uint64_t n = 1 + dice_below(&dice, 4); n; n--)
			row[dice_below(&dice, sizeof(row) - 1)] = (char)dice_roll(&dice);
		if (parse_as(row, sizeof(row) - 1, &identity))
			continue;
		for (size_t k = 0; k < offset_item_count; k++)
			(void)offsets_get(&offsets, &offset_items[k]);
	}
}

static void depth_and_size_have_their_limits(void **state)
{
	char *huge = malloc(OFFSETS_ROW_MAX + 2);

	(void)state;
	assert_int_equal(parse_with("[980,4]", "[980,[[[[[[4]]]]]]]"), -EBADMSG);
	memset(huge, '[', OFFSETS_ROW_MAX + 1);
	assert_int_equal(parse_as(huge, OFFSETS_ROW_MAX, &identity), -EBADMSG);
	memset(huge, '\n', OFFSETS_ROW_MAX + 1);
	memcpy(huge, sound, strlen(sound));
	assert_int_equal(parse_as(huge, OFFSETS_ROW_MAX, &identity), 0);
	assert_int_equal(parse_as(huge, OFFSETS_ROW_MAX + 1, &identity), -EBADMSG);
	free(huge);
}

/* -------------------------------------------------------------- the state directory */

static void what_is_kept_comes_back_as_it_was(void **state)
{
	/* A signature's untrusted comment may have any bytes. */
	char row[] = "{\"a\":\"\xc3\xa4\n\\\"\"}\n", signature[] = "untrusted comment: \xff\x01\n";
	struct offsets_cached kept = {.etag = "W/\"x\"",
				      .fetched_at = "2026-11-25T00:00:00Z",
				      .row = row,
				      .row_size = sizeof(row) - 1,
				      .signature = signature,
				      .signature_size = sizeof(signature) - 1};
	struct offsets_cached back;
	int dir = state_open(scratch_directory(), error, sizeof(error));

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(offsets_cache_read(dir, "ab", &back), -ENOENT);
	assert_int_equal(offsets_cache_write(dir, "ab", &kept), 0);
	assert_int_equal(offsets_cache_write(dir, "ab", &kept), 0);
	assert_int_equal(offsets_cache_read(dir, "ab", &back), 0);
	assert_string_equal(back.etag, kept.etag);
	assert_string_equal(back.fetched_at, kept.fetched_at);
	assert_int_equal(back.row_size, kept.row_size);
	assert_memory_equal(back.row, row, sizeof(row));
	assert_int_equal(back.signature_size, kept.signature_size);
	assert_memory_equal(back.signature, signature, sizeof(signature));
	offsets_cached_free(&back);
	assert_int_equal(offsets_cache_read(dir, "cd", &back), -ENOENT);
	close(dir);
}

static void a_state_directory_is_made_for_its_owner_alone(void **state)
{
	char path[256];
	struct stat st;
	int dir;

	(void)state;
	snprintf(path, sizeof(path), "%s/state", scratch_directory());
	dir = state_open(path, error, sizeof(error));
	assert_true(dir >= 0);
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	close(dir);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(state_open(path, error, sizeof(error)), -EPERM);
	assert_non_null(strstr(error, path));
	assert_int_equal(chmod(path, 0755), 0);
	dir = state_open(path, error, sizeof(error));
	assert_true(dir >= 0);
	close(dir);
	snprintf(path, sizeof(path), "%s/missing/state", scratch_directory());
	assert_int_equal(state_open(path, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, path));
}

/* What somebody has put in the way of the next file is neither followed nor kept. */
static void a_file_is_written_beside_what_is_in_its_way(void **state)
{
	const char *top = scratch_directory();
	int dir = state_open(top, error, sizeof(error));
	char target[256], *bytes;
	struct stat st;
	size_t size;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", scratch_directory());
	assert_int_equal(symlinkat(target, dir, "x.new"), 0);
	assert_int_equal(symlinkat(target, dir, "x"), 0);
	assert_int_equal(state_write(dir, "x", "data", 4), 0);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(fstatat(dir, "x", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(fstatat(dir, "x.new", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(file_read(dir, "x", 4, &bytes, &size), 0);
	assert_string_equal(bytes, "data");
	free(bytes);
	assert_int_equal(file_read(dir, "x", 3, &bytes, &size), -EFBIG);
	close(dir);
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
		cmocka_unit_test(a_sound_row_gives_its_offsets_and_says_where_it_is_from),
		cmocka_unit_test(what_was_not_looked_for_is_named_and_what_is_absent_is_not),
		cmocka_unit_test(another_kernels_row_is_refused),
		cmocka_unit_test(members_and_structs_that_are_not_known_here_are_passed_over),
		cmocka_unit_test(numbers_that_cannot_be_used_are_absent),
		cmocka_unit_test(what_is_no_row_is_refused),
		cmocka_unit_test(a_newer_form_asks_for_an_update),
		cmocka_unit_test(a_row_that_says_nothing_usable_is_refused),
		cmocka_unit_test(nothing_may_follow_a_row),
		cmocka_unit_test(a_row_cut_anywhere_is_refused),
		cmocka_unit_test(rows_with_wild_bytes_do_no_harm),
		cmocka_unit_test(depth_and_size_have_their_limits),
		cmocka_unit_test(what_is_kept_comes_back_as_it_was),
		cmocka_unit_test(a_state_directory_is_made_for_its_owner_alone),
		cmocka_unit_test(a_file_is_written_beside_what_is_in_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, close_group);
}
