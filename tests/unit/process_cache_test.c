// SPDX-License-Identifier: Apache-2.0
/* process_cache.c against a model that remembers everything: it may forget, but never be wrong. */
#include "builder.h"
#include "process_cache.h"

#include <stdio.h>
#include <stdlib.h>

static struct slice no_bytes(void)
{
	return (struct slice){0};
}

static void assert_slice(struct slice got, struct slice want)
{
	assert_int_equal(got.data == NULL, want.data == NULL);
	assert_int_equal(got.len, want.len);
	if (want.len)
		assert_memory_equal(got.data, want.data, want.len);
}

static void what_is_put_is_got(void **state)
{
	struct process_cache *cache = process_cache_open(1 << 20);
	struct process_key key = {7, 1000, 0}, other_time = {7, 1001, 0}, other_tgid = {8, 1000, 0};
	struct slice exe, argv;

	(void)state;
	assert_false(process_cache_get(cache, key, &exe, &argv));
	process_cache_put(cache, key, slice_of("/bin/x"), (struct slice){"x\0y", 4});
	assert_true(process_cache_get(cache, key, &exe, &argv));
	assert_slice(exe, slice_of("/bin/x"));
	assert_slice(argv, (struct slice){"x\0y", 4});
	assert_false(process_cache_get(cache, other_time, &exe, &argv));
	assert_false(process_cache_get(cache, other_tgid, &exe, &argv));
	process_cache_close(cache);
	process_cache_close(NULL);
}

static void a_later_image_replaces_an_earlier_one(void **state)
{
	struct process_cache *cache = process_cache_open(1 << 20);
	struct process_key key = {7, 1000, 0};
	struct slice exe, argv;

	(void)state;
	process_cache_put(cache, key, slice_of("/bin/first"), slice_of("first"));
	process_cache_put(cache, key, slice_of("/b"), no_bytes());
	assert_true(process_cache_get(cache, key, &exe, &argv));
	assert_slice(exe, slice_of("/b"));
	assert_slice(argv, no_bytes());
	process_cache_close(cache);
}

static void unknown_and_empty_are_told_apart(void **state)
{
	struct process_cache *cache = process_cache_open(1 << 20);
	struct process_key key = {7, 1000, 0};
	struct slice exe, argv;

	(void)state;
	process_cache_put(cache, key, no_bytes(), (struct slice){"", 0});
	assert_true(process_cache_get(cache, key, &exe, &argv));
	assert_null(exe.data);
	assert_non_null(argv.data);
	assert_int_equal(argv.len, 0);
	process_cache_close(cache);
}

static void what_was_put_is_a_copy(void **state)
{
	struct process_cache *cache = process_cache_open(1 << 20);
	struct process_key key = {7, 1000, 0};
	char *bytes = strdup("/bin/x");
	struct slice exe, argv;

	(void)state;
	process_cache_put(cache, key, slice_of(bytes), slice_of(bytes));
	memset(bytes, '?', strlen(bytes));
	free(bytes);
	assert_true(process_cache_get(cache, key, &exe, &argv));
	assert_slice(exe, slice_of("/bin/x"));
	assert_slice(argv, slice_of("/bin/x"));
	process_cache_close(cache);
}

static void another_program_of_the_same_process_is_not_it(void **state)
{
	struct process_key first = {7, 1000, 1}, second = {7, 1000, 2};
	struct process_cache *cache = process_cache_open(1 << 20);
	struct slice exe, argv;

	(void)state;
	process_cache_put(cache, first, slice_of("/bin/sh"), slice_of("sh"));
	assert_false(process_cache_get(cache, second, &exe, &argv));
	process_cache_put(cache, second, slice_of("/bin/ls"), slice_of("ls"));
	assert_true(process_cache_get(cache, first, &exe, &argv));
	assert_slice(exe, slice_of("/bin/sh"));
	process_cache_close(cache);
}

static void an_entry_larger_than_the_cache_is_not_kept(void **state)
{
	struct process_cache *cache = process_cache_open(100);
	struct process_key key = {7, 1000, 0};
	char big[101];
	struct slice exe, argv;

	(void)state;
	memset(big, 'x', sizeof(big));
	process_cache_put(cache, key, (struct slice){big, 60}, (struct slice){big, 41});
	assert_false(process_cache_get(cache, key, &exe, &argv));
	process_cache_put(cache, key, (struct slice){big, 60}, (struct slice){big, 40});
	assert_true(process_cache_get(cache, key, &exe, &argv));
	process_cache_close(cache);
}

/* ------------------------------------------------------------------------ the model */

enum { KEYS = 2500, MAX_BYTES = 40000, LONGEST = 200 };

struct model {
	bool put[KEYS];
	unsigned version[KEYS]; /* of the entry: what its bytes are made from */
};

static struct process_key key_of(unsigned i)
{
	/* Reused pids and close start times: the neighbours that must not be confused. */
	return (struct process_key){100 + i % 50, 1000000000ULL * (i / 50), 0};
}

/* The bytes of a version of an entry: told apart from any other's. */
static struct slice bytes_of(unsigned i, unsigned version, char kind, char *room)
{
	unsigned n = (i * 31 + version * 17 + (unsigned)kind) % LONGEST;

	if (n % 13 == 0)
		return (struct slice){0};
	snprintf(room, LONGEST + 32, "%c%u/%u", kind, i, version);
	for (size_t at = strlen(room); at < n; at++)
		room[at] = (char)('a' + (i + version) % 26);
	return (struct slice){room, n};
}

static void what_is_remembered_is_the_newest_and_right(void **state)
{
	struct process_cache *cache = process_cache_open(MAX_BYTES);
	static struct model model;
	struct dice dice = {17};
	unsigned hits = 0, misses = 0;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		unsigned i = (unsigned)dice_below(&dice, KEYS);
		char exe_room[LONGEST + 32], argv_room[LONGEST + 32];
		struct slice exe, argv;

		switch (dice_below(&dice, 2000) ? dice_below(&dice, 2) : 2) {
		case 0:
			model.put[i] = true;
			model.version[i]++;
			process_cache_put(cache, key_of(i),
					  bytes_of(i, model.version[i], 'e', exe_room),
					  bytes_of(i, model.version[i], 'a', argv_room));
			break;
		case 1:
			if (!process_cache_get(cache, key_of(i), &exe, &argv)) {
				misses += model.put[i];
				break;
			}
			hits++;
			assert_true(model.put[i]);
			assert_slice(exe, bytes_of(i, model.version[i], 'e', exe_room));
			assert_slice(argv, bytes_of(i, model.version[i], 'a', argv_room));
			break;
		default:
			process_cache_close(cache);
			cache = process_cache_open(MAX_BYTES);
			model = (struct model){0};
		}
	}
	assert_true(hits > 1000 && misses > 1000);
	process_cache_close(cache);
}

/* Never more bytes than it may, and not far fewer either once it had to choose. */
static void bytes_are_bounded(void **state)
{
	struct process_cache *cache = process_cache_open(MAX_BYTES);
	struct dice dice = {18};
	char bytes[400] = {0};

	(void)state;
	for (int round = 0; round < 60; round++) {
		size_t total = 0;
		struct slice exe, argv;

		for (int n = 0; n < 100; n++) {
			unsigned i = (unsigned)dice_below(&dice, KEYS);

			process_cache_put(cache, key_of(i),
					  (struct slice){bytes, dice_below(&dice, 400)},
					  (struct slice){bytes, dice_below(&dice, 400)});
		}
		for (unsigned i = 0; i < KEYS; i++)
			if (process_cache_get(cache, key_of(i), &exe, &argv))
				total += exe.len + argv.len;
		assert_true(total <= MAX_BYTES);
		assert_true(round < 5 || total > MAX_BYTES / 2);
	}
	process_cache_close(cache);
}

static void recent_processes_are_remembered(void **state)
{
	struct process_cache *cache = process_cache_open(1 << 20);
	unsigned found = 0;
	struct slice exe, argv;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		process_cache_put(cache, (struct process_key){i, i * 10000000ULL, 0}, slice_of("/x"),
				  slice_of("y"));
	for (unsigned i = 20000 - 500; i < 20000; i++)
		found += process_cache_get(cache, (struct process_key){i, i * 10000000ULL, 0}, &exe, &argv);
	assert_true(found > 450);
	process_cache_close(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_got),
		cmocka_unit_test(a_later_image_replaces_an_earlier_one),
		cmocka_unit_test(unknown_and_empty_are_told_apart),
		cmocka_unit_test(what_was_put_is_a_copy),
		cmocka_unit_test(another_program_of_the_same_process_is_not_it),
		cmocka_unit_test(an_entry_larger_than_the_cache_is_not_kept),
		cmocka_unit_test(what_is_remembered_is_the_newest_and_right),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(recent_processes_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
