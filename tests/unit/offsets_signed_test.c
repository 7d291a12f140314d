// SPDX-License-Identifier: Apache-2.0
/* offsets_db.c with a public key: only what minisign has signed is used. */
#include "offsets_db.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "child.h"
#include "minisign.h"
#include "offsets_sql.h"

enum { TGID = 980, OTHER_TGID = 640 };

static const struct kernel_identity identity = {.build_id = "0011223344", .arch = "x86_64"};

static const char *directory;
static struct minisign_key ours, other;
static struct signature_keys keys;
static char path[128], minisig[160];
static struct kernel_offsets offsets;
static struct offsets_provenance provenance;
static char error[1024];

/* ------------------------------------------------------------------- helpers */

/* A database of one kernel, whose task_struct.tgid lies there. */
static void make(const char *name, int tgid)
{
	sqlite3 *db;
	char *sql, *message = NULL;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	snprintf(minisig, sizeof(minisig), "%s.minisig", path);
	unlink(path);
	unlink(minisig);
	assert_true(asprintf(&sql,
			     "PRAGMA synchronous = OFF;"
			     "%s INSERT INTO layout (id, sha256) VALUES (7, printf('%%064d', 0));"
			     "INSERT INTO layout_field (layout_id, struct, member, offset, size, "
			     "bit_shift) VALUES (7, 'task_struct', 'tgid', %d, 4, 0);"
			     "INSERT INTO kernel (build_id, built_at, layout_id) "
			     "VALUES ('%s', '2026-11-25T00:00:00Z', 7);",
			     offsets_sql, tgid, identity.build_id) > 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s", message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(sql);
}

static int find(const struct signature_keys *with)
{
	int err;

	*error = 0;
	memset(&offsets, 0, sizeof(offsets));
	memset(&provenance, 'x', sizeof(provenance));
	err = offsets_db_find(path, with, &identity, &offsets, &provenance, error, sizeof(error));
	if (err)
		assert_true(offsets_empty(&offsets) && !*provenance.signed_by &&
			    !*provenance.matched_by);
	return err;
}

static void assert_says(const char *words)
{
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

/* -------------------------------------------------------------------- the tests */

static void a_signed_database_is_used(void **state)
{
	(void)state;
	for (int legacy = 0; legacy < 2; legacy++) {
		make("signed.db", TGID);
		minisign_sign(&ours, path, legacy);
		assert_int_equal(find(&keys), 0);
		assert_int_equal(offsets.task_struct__tgid, TGID);
		assert_string_equal(provenance.matched_by, "build_id");
		assert_string_equal(provenance.signed_by, ours.id);
	}
}

static void an_unsigned_database_is_not_used(void **state)
{
	(void)state;
	make("unsigned.db", TGID);
	assert_int_equal(find(&keys), -ENOENT);
	assert_says(path);
	assert_says("not signed");
}

static void without_a_key_nothing_is_checked_and_none_is_named(void **state)
{
	(void)state;
	make("keyless.db", TGID);
	file_write(minisig, "nonsense", 8);
	assert_int_equal(find(NULL), 0);
	assert_int_equal(offsets.task_struct__tgid, TGID);
	assert_string_equal(provenance.signed_by, "");
}

static void a_database_changed_after_it_was_signed_is_not_used(void **state)
{
	size_t size;
	char *bytes;

	(void)state;
	make("changed.db", TGID);
	minisign_sign(&ours, path, false);
	bytes = file_content(path, &size);
	for (size_t at = 0; at < size; at += 509) {
		bytes[at] ^= 1;
		file_write(path, bytes, size);
		bytes[at] ^= 1;
		/* A head that is damaged is seen before the signature is. */
		assert_true(find(&keys) < 0);
		if (at >= 100)
			assert_says("changed after it was signed");
	}
	file_write(path, bytes, size);
	assert_int_equal(find(&keys), 0);
	free(bytes);
}

static void a_database_signed_by_another_key_is_not_used(void **state)
{
	(void)state;
	make("other.db", TGID);
	minisign_sign(&other, path, false);
	assert_int_equal(find(&keys), -ENOKEY);
	assert_says(other.id);
	assert_says(ours.id);
}

static void a_broken_signature_is_not_used(void **state)
{
	(void)state;
	make("broken.db", TGID);
	file_write(minisig, "untrusted comment: x\n", 21);
	assert_int_equal(find(&keys), -EBADMSG);
	assert_says("signature");
}

/* Signed, so nothing has been changed on the way; a database all the same it need not be. */
static void what_is_signed_may_still_be_no_database(void **state)
{
	char junk[8192];

	(void)state;
	make("junk.db", TGID);
	memset(junk, 'j', sizeof(junk));
	file_write(path, junk, sizeof(junk));
	minisign_sign(&ours, path, false);
	assert_int_equal(find(&keys), -EBADMSG);
	file_write(path, "", 0);
	minisign_sign(&ours, path, false);
	assert_int_equal(find(&keys), -EBADMSG);
}

/* ------------------------------------------------------------- a race for the file */

struct race {
	char good[160], bad[160]; /* links of these take turns at path */
	atomic_bool over;
};

static void *swap_files(void *arg)
{
	struct race *race = arg;
	char next[160];

	snprintf(next, sizeof(next), "%s/next", directory);
	for (int i = 0; !atomic_load(&race->over); i++) {
		unlink(next);
		if (link(i % 2 ? race->bad : race->good, next) || rename(next, path))
			abort();
	}
	return NULL;
}

static void what_is_read_is_what_was_checked(void **state)
{
	struct race race = {.over = false};
	pthread_t thread;
	int used = 0, refused = 0;

	(void)state;
	make("bad.db", OTHER_TGID);
	strcpy(race.bad, path);
	make("good.db", TGID);
	strcpy(race.good, path);
	make("raced.db", TGID);
	minisign_sign(&ours, race.good, false);
	snprintf(path, sizeof(path), "%s/good.db.minisig", directory);
	assert_int_equal(link(path, minisig), 0);
	snprintf(path, sizeof(path), "%s/raced.db", directory);
	assert_int_equal(pthread_create(&thread, NULL, swap_files, &race), 0);
	for (int i = 0; i < 2000 || ((!used || !refused) && i < 200000); i++) {
		if (find(&keys)) {
			refused++;
			continue;
		}
		used++;
		assert_int_equal(offsets.task_struct__tgid, TGID);
	}
	atomic_store(&race.over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(used > 0);
	assert_true(refused > 0);
}

/* --------------------------------------------------------------------- the group */

static int open_group(void **state)
{
	(void)state;
	directory = scratch_directory();
	ours = minisign_make(directory, "ours");
	other = minisign_make(directory, "other");
	return signature_keys_read(ours.public, &keys, error, sizeof(error));
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
		cmocka_unit_test(a_signed_database_is_used),
		cmocka_unit_test(an_unsigned_database_is_not_used),
		cmocka_unit_test(without_a_key_nothing_is_checked_and_none_is_named),
		cmocka_unit_test(a_database_changed_after_it_was_signed_is_not_used),
		cmocka_unit_test(a_database_signed_by_another_key_is_not_used),
		cmocka_unit_test(a_broken_signature_is_not_used),
		cmocka_unit_test(what_is_signed_may_still_be_no_database),
		cmocka_unit_test(what_is_read_is_what_was_checked),
	};

	return cmocka_run_group_tests(tests, open_group, close_group);
}
