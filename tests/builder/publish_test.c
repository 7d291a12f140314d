// SPDX-License-Identifier: Apache-2.0
/* publish.c and tree.c: what is in the directory, and what happens to it when it is done again. */
#include "publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <sodium.h>
#include <sqlite3.h>

#include "minisign.h"
#include "offsets_sql.h"

#define ONE "0011223344556677889900112233445566778899"
#define TWO "ffeeddccbbaa0011223344556677889900112233"

static char directory[] = "/tmp/cormorant-publish-test.XXXXXX";
static struct minisign_key ours, other;
static struct error error;

/* ------------------------------------------------------------------- databases */

static char *path_in(const char *name)
{
	static char paths[64][256];
	static unsigned next;
	char *path = paths[next++ % 64];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void run_sql(const char *path, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s", message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void add_layout(const char *path, int id, int tgid)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO layout (id, sha256) VALUES (%d, printf('%%064d', %d));"
		 "INSERT INTO layout_field (layout_id, struct, member, offset, size, bit_shift) "
		 "VALUES (%d, 'task_struct', 'tgid', %d, 4, 0), (%d, 'upid', '', 0, 32, 0), "
		 "(%d, 'task_struct', 'audit', NULL, NULL, NULL);",
		 id, id, id, tgid, id, id);
	run_sql(path, sql);
}

/* A build_id or arch of NULL is "NULL"; others are quoted here. */
static void add_kernel(const char *path, const char *build_id, const char *arch,
		       const char *release, int layout)
{
	char *sql = sqlite3_mprintf(
		"INSERT INTO kernel (build_id, arch, release, version, distro, package, built_at, "
		"layout_id) VALUES (%Q, %Q, %Q, '#1 \"SMP\"', 'debian', 'linux.deb', "
		"'2026-11-25T00:00:00Z', %d);",
		build_id, arch, release, layout);

	run_sql(path, sql);
	sqlite3_free(sql);
}

/* Two kernels of two machines, of one layout each. */
static const char *make_database(const char *name)
{
	char *path = path_in(name);

	unlink(path);
	run_sql(path, offsets_sql);
	run_sql(path, "INSERT INTO meta (key, value) VALUES ('built_at', '2026-11-25T00:00:00Z')");
	add_layout(path, 1, 980);
	add_layout(path, 2, 1200);
	add_kernel(path, ONE, "x86_64", "5.4.286", 1);
	add_kernel(path, TWO, "aarch64", "6.1.0", 2);
	return path;
}

/* ------------------------------------------------------------------ directories */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static char *empty_directory(const char *name)
{
	char *path = path_in(name);

	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return path;
}

/* The files below a directory, sorted. */
struct files {
	char *names[64]; /* relative to it */
	struct stat stats[64];
	size_t count;
};

static void list_files(const char *top, const char *below, struct files *files)
{
	char path[2 * PATH_MAX], name[PATH_MAX];
	struct dirent **entries;
	int n;

	snprintf(path, sizeof(path), "%s/%s", top, below);
	n = scandir(path, &entries, NULL, alphasort);
	assert_true(n >= 2);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "",
			 entries[i]->d_name);
		snprintf(path, sizeof(path), "%s/%s", top, name);
		if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..")) {
			struct stat *st = &files->stats[files->count];

			assert_int_equal(lstat(path, st), 0);
			if (S_ISDIR(st->st_mode))
				list_files(top, name, files);
			else
				files->names[files->count++] = strdup(name);
			assert_true(files->count < 64);
		}
		free(entries[i]);
	}
	free(entries);
}

static struct files files_of(const char *top)
{
	struct files files = {.count = 0};

	list_files(top, "", &files);
	return files;
}

static void forget(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->names[i]);
}

static const struct stat *stat_of(const struct files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++)
		if (!strcmp(files->names[i], name))
			return &files->stats[i];
	return NULL;
}

static bool exists(const char *top, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return !access(path, F_OK);
}

/* A file is what it was: neither written nor put there anew. */
static bool untouched(const struct stat *a, const struct stat *b)
{
	return a && b && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* ---------------------------------------------------------------------- publish */

static struct publish_counts counts;

static struct tree_counts publish_with(const char *database, const char *top,
				       const struct minisign_key *with)
{
	struct sign_key *key = NULL;
	struct tree_counts files;
	struct tree *tree;
	struct db *db;

	if (db_open_read(database, &db, &error) || tree_open(top, &tree, &error) ||
	    (with && sign_key_open(with->secret, NULL, &key, &error)) ||
	    publish(db, key, tree, &counts, &error))
		fail_msg("%s", error.text);
	files = tree_counts(tree);
	tree_close(tree);
	db_close(db);
	sign_key_close(key);
	return files;
}

static struct json_object *json_of(const char *top, const char *name)
{
	char path[PATH_MAX], *content;
	struct json_object *value;
	size_t n;

	snprintf(path, sizeof(path), "%s/v1/%s", top, name);
	content = file_content(path, &n);
	assert_true(n && content[n - 1] == '\n');
	value = json_tokener_parse(content);
	assert_non_null(value);
	free(content);
	return value;
}

/* The member at "a.b.c"; the test fails if there is none. */
static struct json_object *at(struct json_object *value, const char *path)
{
	char keys[256], *save = NULL;

	snprintf(keys, sizeof(keys), "%s", path);
	for (char *key = strtok_r(keys, ".", &save); key; key = strtok_r(NULL, ".", &save))
		if (!json_object_object_get_ex(value, key, &value))
			fail_msg("there is no %s", path);
	return value;
}

static const char *text_at(struct json_object *value, const char *path)
{
	return json_object_get_string(at(value, path));
}

static void assert_sha256(const char *top, const char *name, const char *expected)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char path[PATH_MAX], text[2 * sizeof(hash) + 1], *content;
	size_t n;

	snprintf(path, sizeof(path), "%s/v1/%s", top, name);
	content = file_content(path, &n);
	crypto_hash_sha256(hash, (unsigned char *)content, n);
	sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
	assert_string_equal(text, expected);
	assert_non_null(strstr(name, expected)); /* its address is its contents */
	free(content);
}

/* -------------------------------------------------------------------- what is there */

static void a_row_says_whose_it_is_and_all_its_offsets(void **state)
{
	char *top = empty_directory("rows");
	struct json_object *row;

	(void)state;
	publish_with(make_database("rows.db"), top, &ours);
	assert_int_equal(counts.kernels, 2);
	row = json_of(top, "x86_64/" ONE ".json");
	assert_int_equal(json_object_get_int(at(row, "row_version")), 1);
	assert_string_equal(text_at(row, "kernel.build_id"), ONE);
	assert_string_equal(text_at(row, "kernel.arch"), "x86_64");
	assert_string_equal(text_at(row, "kernel.release"), "5.4.286");
	assert_string_equal(text_at(row, "kernel.version"), "#1 \"SMP\"");
	assert_string_equal(text_at(row, "kernel.distro"), "debian");
	assert_string_equal(text_at(row, "kernel.package"), "linux.deb");
	assert_string_equal(text_at(row, "layout.fields.task_struct.tgid"), "[ 980, 4 ]");
	json_object_put(row);
	row = json_of(top, "aarch64/" TWO ".json");
	assert_string_equal(text_at(row, "layout.fields.task_struct.tgid"), "[ 1200, 4 ]");
	json_object_put(row);
}

static void the_index_names_all_else_by_its_contents(void **state)
{
	const char *database = make_database("index.db");
	char *top = empty_directory("index"), path[PATH_MAX], *bytes, *published;
	struct json_object *index, *list;
	size_t n, published_n;

	(void)state;
	publish_with(database, top, &ours);
	index = json_of(top, "index.json");
	assert_int_equal(json_object_get_int(at(index, "index_version")), 1);
	assert_string_equal(text_at(index, "built_at"), "2026-11-25T00:00:00Z");
	assert_sha256(top, text_at(index, "database.file"), text_at(index, "database.sha256"));
	bytes = file_content(database, &n);
	snprintf(path, sizeof(path), "%s/v1/%s", top, text_at(index, "database.file"));
	published = file_content(path, &published_n);
	assert_int_equal(published_n, n);
	assert_memory_equal(published, bytes, n);
	assert_int_equal(json_object_get_int64(at(index, "database.size")), n);
	assert_int_equal(json_object_object_length(at(index, "kernels")), 2);
	assert_sha256(top, text_at(index, "kernels.x86_64.file"),
		      text_at(index, "kernels.x86_64.sha256"));
	list = json_of(top, text_at(index, "kernels.aarch64.file"));
	assert_string_equal(text_at(list, "arch"), "aarch64");
	assert_int_equal(json_object_array_length(at(list, "kernels")), 1);
	assert_string_equal(text_at(json_object_array_get_idx(at(list, "kernels"), 0), "build_id"),
			    TWO);
	json_object_put(list);
	json_object_put(index);
	free(bytes);
	free(published);
}

static void minisign_accepts_every_file(void **state)
{
	char *top = empty_directory("signed"), path[PATH_MAX];
	struct files files;
	size_t checked = 0;

	(void)state;
	publish_with(make_database("signed.db"), top, &ours);
	files = files_of(top);
	for (size_t i = 0; i < files.count; i++) {
		const char *dot = strrchr(files.names[i], '.');

		snprintf(path, sizeof(path), "%s/%s", top, files.names[i]);
		if (!strcmp(dot, ".minisig"))
			continue;
		assert_true(minisign_accepts(&ours, path));
		assert_false(minisign_accepts(&other, path));
		checked++;
	}
	/* Two rows, two lists, the database, the index; and as many signatures. */
	assert_int_equal(checked, 6);
	assert_int_equal(files.count, 12);
	forget(&files);
}

static void the_same_database_gives_the_same_bytes(void **state)
{
	const char *database = make_database("same.db");
	char *a = empty_directory("same-a"), *b = empty_directory("same-b");
	char path_a[PATH_MAX], path_b[PATH_MAX];
	struct files files;

	(void)state;
	publish_with(database, a, &ours);
	publish_with(database, b, &ours);
	files = files_of(a);
	assert_int_equal(files.count, 12);
	for (size_t i = 0; i < files.count; i++) {
		size_t n_a, n_b;
		char *bytes_a, *bytes_b;

		snprintf(path_a, sizeof(path_a), "%s/%s", a, files.names[i]);
		snprintf(path_b, sizeof(path_b), "%s/%s", b, files.names[i]);
		bytes_a = file_content(path_a, &n_a);
		bytes_b = file_content(path_b, &n_b);
		assert_int_equal(n_a, n_b);
		assert_memory_equal(bytes_a, bytes_b, n_a);
		free(bytes_a);
		free(bytes_b);
	}
	forget(&files);
}

/* ------------------------------------------------------------------ done once more */

static void what_has_not_changed_is_not_touched(void **state)
{
	const char *database = make_database("again.db");
	char *top = empty_directory("again");
	struct tree_counts first, second;
	struct files before, after;

	(void)state;
	first = publish_with(database, top, &ours);
	assert_int_equal(first.written, 12);
	before = files_of(top);
	second = publish_with(database, top, &ours);
	assert_int_equal(second.written, 0);
	assert_int_equal(second.unchanged, 12);
	assert_int_equal(second.removed, 0);
	after = files_of(top);
	assert_int_equal(after.count, before.count);
	for (size_t i = 0; i < before.count; i++)
		assert_true(untouched(&before.stats[i], stat_of(&after, before.names[i])));
	forget(&before);
	forget(&after);
}

static void a_new_kernel_leaves_the_rows_of_others_alone(void **state)
{
	const char *database = make_database("new.db");
	char *top = empty_directory("new");
	struct files before, after;

	(void)state;
	publish_with(database, top, &ours);
	before = files_of(top);
	add_kernel(database, "abcdef", "x86_64", "6.6.6", 1);
	publish_with(database, top, &ours);
	after = files_of(top);
	/* A row more; one list, the index and the database are other ones now. */
	assert_int_equal(after.count, before.count + 2);
	assert_non_null(stat_of(&after, "v1/x86_64/abcdef.json.minisig"));
	assert_true(untouched(stat_of(&before, "v1/x86_64/" ONE ".json"),
			      stat_of(&after, "v1/x86_64/" ONE ".json")));
	assert_true(untouched(stat_of(&before, "v1/x86_64/" ONE ".json.minisig"),
			      stat_of(&after, "v1/x86_64/" ONE ".json.minisig")));
	assert_false(
		untouched(stat_of(&before, "v1/index.json"), stat_of(&after, "v1/index.json")));
	forget(&before);
	forget(&after);
}

static void a_kernel_that_is_gone_goes_and_nothing_of_others(void **state)
{
	static const char *const foreign[] = {"robots.txt",	     "v1/README",
					      "v1/x86_64/README",    "v1/x86_64/notes.json",
					      "v1/notes/readme.txt", "v1/offsets-latest.txt"};
	const char *database = make_database("gone.db");
	char *top = empty_directory("gone"), path[PATH_MAX];

	(void)state;
	publish_with(database, top, &ours);
	snprintf(path, sizeof(path), "%s/v1/notes", top);
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, foreign[i]);
		file_write(path, "mine", 4);
	}
	run_sql(database, "DELETE FROM kernel WHERE arch = 'aarch64'");
	/* A row, a list, the old database, and their signatures. */
	assert_int_equal(publish_with(database, top, &ours).removed, 6);
	assert_false(exists(top, "v1/aarch64"));
	assert_true(exists(top, "v1/x86_64/" ONE ".json"));
	run_sql(database, "DELETE FROM kernel");
	publish_with(database, top, &ours);
	assert_false(exists(top, "v1/x86_64/" ONE ".json"));
	assert_false(exists(top, "v1/x86_64/" ONE ".json.minisig"));
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_true(exists(top, foreign[i]));
}

static void a_publish_that_was_stopped_is_made_good(void **state)
{
	const char *database = make_database("stopped.db");
	char *top = empty_directory("stopped"), path[PATH_MAX];
	struct tree_counts files;

	(void)state;
	publish_with(database, top, &ours);
	snprintf(path, sizeof(path), "%s/v1/.publish.new", top);
	file_write(path, "half", 4);
	snprintf(path, sizeof(path), "%s/v1/index.json", top);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/v1/x86_64/" ONE ".json", top);
	file_write(path, "{", 1);
	snprintf(path, sizeof(path), "%s/v1/x86_64/" ONE ".json.minisig", top);
	file_write(path, "another signature", 17);
	files = publish_with(database, top, &ours);
	assert_int_equal(files.written, 3);
	assert_false(exists(top, "v1/.publish.new"));
	snprintf(path, sizeof(path), "%s/v1/x86_64/" ONE ".json", top);
	assert_true(minisign_accepts(&ours, path));
}

static void another_key_signs_anew_and_rows_stay(void **state)
{
	const char *database = make_database("key.db");
	char *top = empty_directory("key"), path[PATH_MAX];
	struct files before, after;

	(void)state;
	publish_with(database, top, &ours);
	before = files_of(top);
	assert_int_equal(publish_with(database, top, &other).written, 6);
	after = files_of(top);
	assert_true(untouched(stat_of(&before, "v1/x86_64/" ONE ".json"),
			      stat_of(&after, "v1/x86_64/" ONE ".json")));
	snprintf(path, sizeof(path), "%s/v1/x86_64/" ONE ".json", top);
	assert_true(minisign_accepts(&other, path));
	assert_false(minisign_accepts(&ours, path));
	forget(&before);
	forget(&after);
}

/* Somebody signs elsewhere, with a key that never comes here. */
static void without_a_key_a_signature_stays_as_long_as_its_file(void **state)
{
	const char *database = make_database("by-hand.db");
	char *top = empty_directory("by-hand"), path[PATH_MAX];

	(void)state;
	assert_int_equal(publish_with(database, top, NULL).written, 6);
	assert_false(exists(top, "v1/index.json.minisig"));
	snprintf(path, sizeof(path), "%s/v1/x86_64/" ONE ".json", top);
	minisign_sign(&ours, path, false);
	snprintf(path, sizeof(path), "%s/v1/index.json", top);
	minisign_sign(&ours, path, false);
	publish_with(database, top, NULL);
	assert_true(exists(top, "v1/x86_64/" ONE ".json.minisig"));
	assert_true(exists(top, "v1/index.json.minisig"));
	add_kernel(database, "abcdef", "x86_64", "6.6.6", 1);
	publish_with(database, top, NULL);
	assert_true(exists(top, "v1/x86_64/" ONE ".json.minisig"));
	assert_false(exists(top, "v1/index.json.minisig"));
}

/* ------------------------------------------------------------------ what is left out */

static void kernels_without_an_address_are_in_the_database_only(void **state)
{
	const char *database = make_database("nameless.db");
	char *top = empty_directory("nameless");
	struct files files;

	(void)state;
	add_kernel(database, NULL, "x86_64", "4.4.0", 1);
	add_kernel(database, "aa", NULL, "4.4.1", 1);
	add_kernel(database, "bb", "..", "4.4.2", 1);
	add_kernel(database, "cc", "../../x", "4.4.3", 1);
	publish_with(database, top, NULL);
	assert_int_equal(counts.kernels, 2);
	assert_int_equal(counts.nameless, 4);
	files = files_of(top);
	assert_int_equal(files.count, 6);
	forget(&files);
}

static void rows_that_do_not_agree_are_left_out(void **state)
{
	const char *database = make_database("conflict.db");
	char *top = empty_directory("conflict");

	(void)state;
	publish_with(database, top, NULL);
	add_kernel(database, ONE, "x86_64", "5.4.286", 2);
	publish_with(database, top, NULL);
	assert_int_equal(counts.kernels, 1);
	assert_int_equal(counts.conflicts, 2);
	assert_false(exists(top, "v1/x86_64/" ONE ".json"));
	assert_true(exists(top, "v1/aarch64/" TWO ".json"));
}

/* ----------------------------------------------------------------------------- errors */

static void two_do_not_publish_at_once(void **state)
{
	char *top = empty_directory("twice");
	struct tree *first, *second = NULL;

	(void)state;
	assert_int_equal(tree_open(top, &first, &error), 0);
	assert_int_equal(tree_open(top, &second, &error), -EBUSY);
	assert_non_null(strstr(error.text, top));
	tree_close(first);
	assert_int_equal(tree_open(top, &second, &error), 0);
	tree_close(second);
}

static void a_directory_that_cannot_be_is_said(void **state)
{
	char *file = path_in("file"), below[PATH_MAX];
	struct tree *tree = NULL;

	(void)state;
	file_write(file, "x", 1);
	snprintf(below, sizeof(below), "%s/below", file);
	assert_int_equal(tree_open(file, &tree, &error), -ENOTDIR);
	assert_non_null(strstr(error.text, file));
	assert_int_equal(tree_open(below, &tree, &error), -ENOTDIR);
	assert_non_null(strstr(error.text, below));
}

/* --------------------------------------------------------------------- the group */

static int open_group(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || sodium_init() < 0)
		return -1;
	ours = minisign_make(directory, "ours");
	other = minisign_make(directory, "other");
	return 0;
}

static int close_group(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_says_whose_it_is_and_all_its_offsets),
		cmocka_unit_test(the_index_names_all_else_by_its_contents),
		cmocka_unit_test(minisign_accepts_every_file),
		cmocka_unit_test(the_same_database_gives_the_same_bytes),
		cmocka_unit_test(what_has_not_changed_is_not_touched),
		cmocka_unit_test(a_new_kernel_leaves_the_rows_of_others_alone),
		cmocka_unit_test(a_kernel_that_is_gone_goes_and_nothing_of_others),
		cmocka_unit_test(a_publish_that_was_stopped_is_made_good),
		cmocka_unit_test(another_key_signs_anew_and_rows_stay),
		cmocka_unit_test(without_a_key_a_signature_stays_as_long_as_its_file),
		cmocka_unit_test(kernels_without_an_address_are_in_the_database_only),
		cmocka_unit_test(rows_that_do_not_agree_are_left_out),
		cmocka_unit_test(two_do_not_publish_at_once),
		cmocka_unit_test(a_directory_that_cannot_be_is_said),
	};

	return cmocka_run_group_tests(tests, open_group, close_group);
}
