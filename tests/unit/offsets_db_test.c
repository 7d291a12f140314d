// SPDX-License-Identifier: Apache-2.0
/* offsets_db.c: databases made here with plain SQL, sound ones and all others. */
#include "offsets_db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "cormorant/offsets_schema.h"
#include "offsets_sql.h"

static char directory[] = "/tmp/cormorant-offsets-db-test.XXXXXX";

static const struct kernel_identity identity = {.build_id =
							"00112233445566778899aabbccddeeff00112233",
						.arch = "x86_64",
						.release = "5.4.286",
						.version = "#1 SMP Wed Nov 25"};

/* One row with a layout of three numbers. */
static const char one_row[] =
	"INSERT INTO layout (id, sha256) VALUES (7, printf('%064d', 0));"
	"INSERT INTO layout_field (layout_id, struct, member, offset, size, bit_shift) VALUES"
	"(7, 'task_struct', 'tgid', 980, 4, 0), (7, 'upid', '', 0, 32, 0),"
	"(7, 'enum pid_type', 'PIDTYPE_SID', 3, 0, 0);"
	"INSERT INTO kernel (build_id, arch, release, version, distro, source, package, built_at, "
	"layout_id) VALUES ('00112233445566778899aabbccddeeff00112233', 'x86_64', '5.4.286', "
	"'#1 SMP Wed Nov 25', 'debian', '/boot/vmlinux', 'linux-image_1', '2026-11-25T00:00:00Z', "
	"7);";

/* The same tables with nothing that guards them. */
static const char loose_schema[] =
	"PRAGMA application_id = 0x434f524d; PRAGMA user_version = 1;"
	"CREATE TABLE layout_field (layout_id, struct, member, offset, size, bit_shift);"
	"CREATE TABLE kernel (build_id, arch, release, version, distro, source, package, built_at, "
	"layout_id, package_sha256, source_verified);";

static const char loose_row[] =
	"INSERT INTO kernel VALUES ('00112233445566778899aabbccddeeff00112233', 'x86_64', "
	"'5.4.286', '#1 SMP Wed Nov 25', NULL, NULL, NULL, NULL, 7, NULL, NULL);";

static struct kernel_offsets offsets;
static struct offsets_provenance provenance;
static char error[512];

/* ------------------------------------------------------------------- helpers */

static char *path_in(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	/* Damaged on purpose, sometimes. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s", message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A new database of that schema and those rows; its path is for free(). */
static char *make(const char *name, const char *schema, const char *rows)
{
	char *path = path_in(name);

	unlink(path);
	run_sql(path, schema);
	run_sql(path, rows);
	return path;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static char *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	char *bytes = malloc(1 << 20);

	assert_non_null(f);
	*size = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	return bytes;
}

static bool all_absent(void)
{
	for (size_t i = 0; i < offset_item_count; i++)
		if (offsets_get(&offsets, &offset_items[i]) != OFFSET_ABSENT)
			return false;
	return true;
}

/* Looks for a kernel; an error must say what of, and leave nothing behind. */
static int find_as(const char *path, const struct kernel_identity *who)
{
	static const struct offsets_provenance nothing;
	int err;

	memset(&offsets, 0, sizeof(offsets));
	memset(&provenance, 'x', sizeof(provenance));
	*error = 0;
	err = offsets_db_find(path, NULL, who, &offsets, &provenance, error, sizeof(error));
	assert_true(err <= 0);
	if (err) {
		assert_non_null(strstr(error, path));
		assert_true(all_absent());
		assert_memory_equal(&provenance, &nothing, sizeof(nothing));
	}
	return err;
}

static int find(const char *path)
{
	return find_as(path, &identity);
}

static void assert_says(const char *words)
{
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

/* -------------------------------------------------------------- sound databases */

static void the_schema_and_its_header_agree(void **state)
{
	char *path = make("schema.db", offsets_sql, "");
	sqlite3 *db;
	sqlite3_stmt *stmt;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT * FROM pragma_application_id, pragma_user_version", -1,
			   &stmt, NULL);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(stmt, 0), OFFSETS_APPLICATION_ID);
	assert_int_equal(sqlite3_column_int64(stmt, 1), OFFSETS_SCHEMA_VERSION);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	free(path);
}

static void a_row_is_found_by_its_build_id(void **state)
{
	char *path = make("by-id.db", offsets_sql, one_row);
	struct kernel_identity who = identity;
	int present = 0;

	(void)state;
	strcpy(who.version, "#2 of another day");
	assert_int_equal(find_as(path, &who), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_int_equal(offsets.size__upid, 32);
	assert_int_equal(offsets.value__PIDTYPE_SID, 3);
	for (size_t i = 0; i < offset_item_count; i++)
		present += offsets_get(&offsets, &offset_items[i]) != OFFSET_ABSENT;
	assert_int_equal(present, 3);
	assert_string_equal(provenance.matched_by, "build_id");
	assert_string_equal(provenance.distro, "debian");
	assert_string_equal(provenance.source, "/boot/vmlinux");
	assert_string_equal(provenance.package, "linux-image_1");
	assert_string_equal(provenance.built_at, "2026-11-25T00:00:00Z");
	free(path);
}

static void a_row_without_build_id_is_found_by_its_version(void **state)
{
	char *path = make("by-version.db", offsets_sql, one_row);
	struct kernel_identity who = identity;

	(void)state;
	run_sql(path, "UPDATE kernel SET build_id = NULL, distro = NULL");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_string_equal(provenance.matched_by, "version");
	assert_string_equal(provenance.distro, "");
	who.build_id[0] = 0;
	assert_int_equal(find_as(path, &who), 0);
	strcpy(who.arch, "aarch64");
	assert_int_equal(find_as(path, &who), -ENOENT);
	free(path);
}

/* No near kernel: not the same version of another build, nor another version. */
static void another_kernels_row_is_not_taken(void **state)
{
	char *path = make("another.db", offsets_sql, one_row);
	struct kernel_identity who = identity;

	(void)state;
	who.build_id[0] = 'f';
	assert_int_equal(find_as(path, &who), -ENOENT);
	who.build_id[0] = 0;
	assert_int_equal(find_as(path, &who), 0);
	strcpy(who.version, "#1 SMP Wed Nov 2");
	assert_int_equal(find_as(path, &who), -ENOENT);
	strcpy(who.version, identity.version);
	strcpy(who.release, "5.4.28");
	assert_int_equal(find_as(path, &who), -ENOENT);
	memset(&who, 0, sizeof(who));
	assert_int_equal(find_as(path, &who), -ENOENT);
	assert_says("offsets-builder add");
	free(path);
	/* Not even by names that nobody knows. */
	path = make("nameless.db", loose_schema, loose_row);
	run_sql(path, "UPDATE kernel SET build_id = '', arch = '', release = '', version = ''");
	assert_int_equal(find_as(path, &who), -ENOENT);
	free(path);
}

/* A copy of BTF, say: nothing but the release tells whose it is. */
static void a_row_of_a_release_only_is_found(void **state)
{
	char *path = make("release.db", offsets_sql, one_row);
	struct kernel_identity who = identity;

	(void)state;
	run_sql(path, "UPDATE kernel SET build_id = NULL, version = NULL");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_string_equal(provenance.matched_by, "release");
	who.build_id[0] = who.version[0] = 0;
	assert_int_equal(find_as(path, &who), 0);
	/* No near one: not another machine's, nor a release that begins like it. */
	strcpy(who.arch, "aarch64");
	assert_int_equal(find_as(path, &who), -ENOENT);
	who = identity;
	strcpy(who.release, "5.4.286-1");
	assert_int_equal(find_as(path, &who), -ENOENT);
	strcpy(who.release, "5.4.28");
	assert_int_equal(find_as(path, &who), -ENOENT);
	free(path);
}

static void a_row_of_a_release_is_used_only_if_it_is_alone(void **state)
{
	static const char *const others[] = {
		/* another build of the release, known by its build-id, or by its version */
		"'ffff', 'x86_64', '5.4.286', NULL, 7",
		"NULL, 'x86_64', '5.4.286', '#2 SMP Thu Nov 26', 7",
		/* one more copy of BTF */
		"NULL, 'x86_64', '5.4.286', NULL, 7",
		"NULL, 'x86_64', '5.4.286', NULL, 8",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char *path = make("alone.db", offsets_sql, one_row), sql[256];

		run_sql(path,
			"UPDATE kernel SET build_id = NULL, version = NULL;"
			"INSERT INTO layout VALUES (8, printf('%064d', 1));"
			"INSERT INTO layout_field VALUES (8, 'task_struct', 'tgid', 55, 4, 0);"
			"INSERT INTO kernel (arch, release, layout_id) VALUES "
			"('aarch64', '5.4.286', 8), ('x86_64', '5.4.287', 8)");
		assert_int_equal(find(path), 0);
		snprintf(sql, sizeof(sql),
			 "INSERT INTO kernel (build_id, arch, release, version, layout_id) "
			 "VALUES (%s)",
			 others[i]);
		run_sql(path, sql);
		assert_int_equal(find(path), i == 3 ? -EBADMSG : -ENOENT);
		free(path);
	}
}

static void where_the_package_came_from_is_said(void **state)
{
	char *path = make("package.db", offsets_sql, one_row);

	(void)state;
	assert_int_equal(find(path), 0);
	assert_string_equal(provenance.package_sha256, "");
	assert_false(provenance.source_verified);
	run_sql(path, "UPDATE kernel SET source_verified = 1, package_sha256 = "
		      "printf('%.*c', 64, 'a')");
	assert_int_equal(find(path), 0);
	assert_int_equal(strspn(provenance.package_sha256, "a"), 64);
	assert_true(provenance.source_verified);
	free(path);
}

/* A list that was shorter when the kernel was read costs what is not known, and is named. */
static void what_was_not_looked_for_is_named(void **state)
{
	char *path = make("looked-for.db", offsets_sql, one_row);
	sqlite3 *db;

	(void)state;
	assert_int_equal(find(path), 0);
	assert_null(strstr(provenance.not_looked_for, "task_struct.tgid"));
	assert_non_null(strstr(provenance.not_looked_for, "..."));
	assert_in_range(strlen(provenance.not_looked_for), 200,
			sizeof(provenance.not_looked_for) - 1);
	/* All there is, absent but for what the row has; then all but two. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < offset_item_count; i++) {
		const struct offset_item *item = &offset_items[i];
		char *sql = sqlite3_mprintf(
			"INSERT OR IGNORE INTO layout_field VALUES (7, '%q%q', '%q', NULL, NULL, "
			"NULL)",
			item->kind == OFFSET_OF_VALUE ? "enum " : "", item->type, item->member);

		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_free(sql);
	}
	sqlite3_close(db);
	assert_int_equal(find(path), 0);
	assert_string_equal(provenance.not_looked_for, "");
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_int_equal(offsets.task_struct__comm, OFFSET_ABSENT);
	run_sql(path, "DELETE FROM layout_field WHERE (struct, member) IN "
		      "(('upid', ''), ('cred', 'uid'))");
	assert_int_equal(find(path), 0);
	assert_string_equal(provenance.not_looked_for, "cred.uid, upid");
	free(path);
}

static void the_build_id_comes_before_the_version(void **state)
{
	char *path = make("both.db", offsets_sql, one_row);

	(void)state;
	run_sql(path, "INSERT INTO layout VALUES (8, printf('%064d', 1));"
		      "INSERT INTO layout_field VALUES (8, 'task_struct', 'tgid', 55, 4, 0);"
		      "INSERT INTO kernel (id, arch, release, version, built_at, layout_id) VALUES "
		      "(-5, 'x86_64', '5.4.286', '#1 SMP Wed Nov 25', '', 8)");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_string_equal(provenance.matched_by, "build_id");
	free(path);
}

static void what_this_program_does_not_know_is_ignored(void **state)
{
	char *path = make("unknown.db", offsets_sql, one_row);

	(void)state;
	run_sql(path,
		"INSERT INTO layout_field VALUES (7, 'task_struct', 'flux', 4, 4, 0),"
		"(7, 'flux', 'tgid', 4, 4, 0), (7, 'enum task_struct', 'tgid', 4, 4, 0),"
		"(7, 'pid_type', 'PIDTYPE_SID', 9, 4, 0), (7, 'enum', '', 1, 1, 0), (7, '', '', 1, "
		"1, 0); ALTER TABLE kernel ADD COLUMN later TEXT; CREATE TABLE later (x)");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_int_equal(offsets.value__PIDTYPE_SID, 3);
	free(path);
}

static void long_provenance_is_cut(void **state)
{
	char *path = make("long.db", offsets_sql, one_row);

	(void)state;
	run_sql(path, "UPDATE kernel SET source = printf('%.*c', 5000, 's')");
	assert_int_equal(find(path), 0);
	assert_int_equal(strlen(provenance.source), sizeof(provenance.source) - 1);
	free(path);
}

/* -------------------------------------------------------------- where it lies */

static void any_path_is_a_path(void **state)
{
	static const char *const names[] = {"a b.db", "%41.db",	  "q?mode=rwc&x.db", "#.db",
					    "file:x", "\xff\x80", ":memory:",	     "a;b'c\"d\\e"};
	char *path, *twice;

	(void)state;
	assert_int_equal(chdir(directory), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *plain = make("plain.db", offsets_sql, one_row);

		path = path_in(names[i]);
		assert_int_equal(rename(plain, path), 0);
		assert_int_equal(find(path), 0);
		assert_int_equal(find(names[i]), 0);
		assert_true(asprintf(&twice, "/%s", path) > 0);
		assert_int_equal(find(twice), 0);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(find(names[i]), -ENOENT);
		free(twice);
		free(path);
		free(plain);
	}
	assert_int_equal(chdir("/"), 0);
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void nothing_is_written_beside_it(void **state)
{
	char *dir = path_in("alone"), *path;
	int before;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	path = make("alone/wal.db", offsets_sql, one_row);
	run_sql(path, "PRAGMA journal_mode = WAL; UPDATE kernel SET distro = 'x'");
	before = count_entries(dir);
	assert_int_equal(find(path), 0);
	assert_string_equal(provenance.distro, "x");
	assert_int_equal(count_entries(dir), before);
	free(path);
	free(dir);
}

/* In a mount namespace of its own: a file system where nothing can be written. */
static int find_read_only(const char *dir, const char *path)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(dir, dir, NULL, MS_BIND, NULL) ||
	    mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
		return 77;
	if (open(path, O_RDWR) >= 0 || errno != EROFS)
		return 78;
	return offsets_db_find(path, NULL, &identity, &offsets, &provenance, error,
			       sizeof(error)) != 0;
}

static void a_read_only_file_system_will_do(void **state)
{
	char *path = make("read-only.db", offsets_sql, one_row);
	pid_t child;
	int status;

	(void)state;
	run_sql(path, "PRAGMA journal_mode = WAL");
	child = fork();
	if (!child)
		_exit(find_read_only(directory, path));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	free(path);
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: a read-only mount: not root\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ------------------------------------------------------------------ no database */

static void a_missing_file_says_so(void **state)
{
	char *path = path_in("missing.db");

	(void)state;
	assert_int_equal(find(path), -ENOENT);
	assert_says("offsets-builder");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(find("/dev/null/x"), -ENOTDIR);
	free(path);
}

static void what_is_no_file_is_refused(void **state)
{
	char *fifo = path_in("fifo");

	(void)state;
	assert_int_equal(find(directory), -EISDIR);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(find(fifo), -EINVAL);
	assert_int_equal(find("/dev/zero"), -EINVAL);
	free(fifo);
}

static void an_unreadable_file_says_so(void **state)
{
	char *path = make("unreadable.db", offsets_sql, one_row);
	int err;

	(void)state;
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	if (!geteuid())
		assert_int_equal(seteuid(65534), 0);
	err = find(path);
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, -EACCES);
	assert_says("Permission denied");
	free(path);
}

static void a_link_is_followed_to_a_file_and_nowhere_else(void **state)
{
	char *path = make("target.db", offsets_sql, one_row), *link = path_in("link.db");

	(void)state;
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(find(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(find(link), -ENOENT);
	unlink(link);
	assert_int_equal(symlink(link, link), 0);
	assert_int_equal(find(link), -ELOOP);
	unlink(link);
	assert_int_equal(symlink(directory, link), 0);
	assert_int_equal(find(link), -EISDIR);
	unlink(link);
	free(link);
	free(path);
}

/* A terabyte that is not there: neither read nor allocated. */
static void a_huge_hole_is_no_database(void **state)
{
	char *path = path_in("sparse.db"), *grown = make("grown.db", offsets_sql, one_row);

	(void)state;
	write_file(path, "", 0);
	assert_int_equal(truncate(path, 1LL << 40), 0);
	assert_int_equal(find(path), -EBADMSG);
	/* Behind a database it is not part of it. */
	assert_int_equal(truncate(grown, 1LL << 40), 0);
	assert_int_equal(find(grown), 0);
	unlink(path);
	unlink(grown);
	free(grown);
	free(path);
}

static void other_bytes_are_no_database(void **state)
{
	char *path = path_in("bytes.db"), bytes[8192];
	unsigned int seed = 7;

	(void)state;
	write_file(path, "", 0);
	assert_int_equal(find(path), -EBADMSG);
	assert_says("empty");
	write_file(path, "x", 1);
	assert_int_equal(find(path), -EBADMSG);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rand_r(&seed);
	write_file(path, bytes, sizeof(bytes));
	assert_int_equal(find(path), -EBADMSG);
	assert_says("not a database");
	memcpy(bytes, "SQLite format 3", 16);
	write_file(path, bytes, sizeof(bytes));
	assert_int_equal(find(path), -EBADMSG);
	free(path);
}

/* With the smallest pages there are, so that there are few bytes and many pages. */
static char *make_small(const char *name)
{
	static const char small_pages[] = "PRAGMA page_size = 512;";
	char *path, *schema;

	assert_true(asprintf(&schema, "%s%s", small_pages, offsets_sql) > 0);
	path = make(name, schema, one_row);
	free(schema);
	return path;
}

static void one_cut_short_anywhere_is_refused(void **state)
{
	char *path = make_small("cut.db");
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 5000, 20000);
	assert_int_equal(find(path), 0);
	for (off_t n = st.st_size - 1; n >= 0; n--) {
		assert_int_equal(truncate(path, n), 0);
		assert_int_equal(find(path), -EBADMSG);
	}
	free(path);
}

/* Whatever a few wrong bytes make of it: an answer, no fault, and none that takes long. */
static void a_damaged_one_is_survived(void **state)
{
	char *path = make_small("sound.db"), *damaged = path_in("damaged.db");
	size_t size;
	char *bytes = read_file(path, &size), *copy = malloc(size);
	unsigned int seed = 3;
	int refused = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		memcpy(copy, bytes, size);
		for (int n = rand_r(&seed) % 8; n >= 0; n--) {
			size_t page = (unsigned int)rand_r(&seed) % (size / 512) * 512;
			size_t span = rand_r(&seed) % 2 ? 64 : 512;

			copy[page + (unsigned int)rand_r(&seed) % span] ^= 1 << rand_r(&seed) % 8;
		}
		write_file(damaged, copy, size);
		refused += find(damaged) < 0;
	}
	assert_in_range(refused, 100, 1500);
	free(copy);
	free(bytes);
	free(damaged);
	free(path);
}

/* A writer gives all numbers of the layout, which lie on many pages, the same value. */
static void keep_writing(const char *path)
{
	sqlite3 *db;
	char sql[128];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || sqlite3_open(path, &db) ||
	    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL))
		_exit(1);
	for (int i = 0;; i++) {
		snprintf(sql, sizeof(sql), "UPDATE layout_field SET offset = %d", 1 + i % 1000);
		if (sqlite3_exec(db, sql, NULL, NULL, NULL))
			_exit(2);
		usleep(1500);
	}
}

static char *make_wide(const char *name)
{
	char *path = make_small(name);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM layout_field", NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < offset_item_count; i++) {
		const struct offset_item *item = &offset_items[i];
		char *sql =
			sqlite3_mprintf("INSERT INTO layout_field VALUES (7, '%q', '%q', 1, 8, 0)",
					item->type, item->member);

		if (item->kind == OFFSET_OF_MEMBER)
			assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_free(sql);
	}
	sqlite3_close(db);
	return path;
}

static void assert_all_the_same(void)
{
	for (size_t i = 0; i < offset_item_count; i++)
		if (offset_items[i].kind == OFFSET_OF_MEMBER)
			assert_int_equal(offsets_get(&offsets, &offset_items[i]),
					 offsets.task_struct__tgid);
}

static void one_that_is_being_written_gives_whole_answers(void **state)
{
	char *path = make_wide("writing.db");
	int found = 0, busy = 0;
	pid_t child = fork();

	(void)state;
	if (!child)
		keep_writing(path);
	while (found < 20 || found + busy < 100) {
		int err = find(path);

		assert_true(!err || err == -EBUSY);
		busy += err != 0;
		found += !err;
		assert_in_range(busy, 0, 1000);
		if (!err)
			assert_all_the_same();
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	print_message("%d found, %d busy\n", found, busy);
	/* Whoever writes it next puts right what was left half-way. */
	run_sql(path, "UPDATE layout_field SET offset = 980");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.task_struct__tgid, 980);
	assert_all_the_same();
	free(path);
}

static void an_unfinished_one_is_not_read(void **state)
{
	char *path = make("unfinished.db", offsets_sql, one_row);
	char *journal = path_in("unfinished.db-journal"), *wal = path_in("unfinished.db-wal");

	(void)state;
	write_file(journal, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
	assert_int_equal(find(path), -EBUSY);
	write_file(journal, "\0\0\0\0\0\0\0\0", 8); /* journal_mode = PERSIST */
	assert_int_equal(find(path), 0);
	write_file(journal, "", 0); /* TRUNCATE */
	assert_int_equal(find(path), 0);
	write_file(wal, "\x37\x7f\x06\x82", 4);
	assert_int_equal(find(path), -EBUSY);
	free(path);
	free(wal);
	free(journal);
}

/* --------------------------------------------------------------------- foreign */

static void a_foreign_database_is_refused(void **state)
{
	char *path = make("foreign.db", offsets_sql, one_row);

	(void)state;
	run_sql(path, "PRAGMA application_id = 0");
	assert_int_equal(find(path), -EBADMSG);
	assert_says("something else");
	run_sql(path, "PRAGMA application_id = 252006673");
	assert_int_equal(find(path), -EBADMSG);
	free(path);
}

static void a_newer_schema_is_refused(void **state)
{
	char *path = make("newer.db", offsets_sql, one_row), sql[64];

	(void)state;
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", OFFSETS_SCHEMA_VERSION + 1);
	run_sql(path, sql);
	assert_int_equal(find(path), -EBADMSG);
	assert_says("update cormorant");
	run_sql(path, "PRAGMA user_version = 0");
	assert_int_equal(find(path), -EBADMSG);
	run_sql(path, "PRAGMA user_version = -1");
	assert_int_equal(find(path), -EBADMSG);
	run_sql(path, "PRAGMA user_version = 2");
	assert_int_equal(find(path), 0);
	free(path);
}

static void a_schema_that_lacks_something_is_refused(void **state)
{
	static const char *const changes[] = {
		"DROP TABLE kernel",
		"DROP TABLE layout_field",
		"ALTER TABLE kernel DROP COLUMN distro",
		"ALTER TABLE layout_field RENAME COLUMN size TO sizes",
		"DELETE FROM layout_field",
		"UPDATE layout_field SET layout_id = 8",
		"UPDATE kernel SET layout_id = '7'",
		"UPDATE kernel SET layout_id = NULL",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *path = make("lacks.db", loose_schema, loose_row);

		run_sql(path, "INSERT INTO layout_field VALUES (7, 'cred', 'uid', 4, 4, 0)");
		assert_int_equal(find(path), 0);
		run_sql(path, changes[i]);
		assert_int_equal(find(path), -EBADMSG);
		free(path);
	}
}

/* ---------------------------------------------------------------- absurd numbers */

static void numbers_out_of_range_are_absent(void **state)
{
	static const char *const values[] = {
		"-1, 4, 0",
		"65535, 4, 0",
		"65536, 4, 0",
		"9223372036854775807, 4, 0",
		"65540, 4, 0",
		"4294967296, 4, 0",
		"NULL, 4, 0",
		"'12', 4, 0",
		"1.5, 4, 0",
		"x'04', 4, 0",
		"8, 3, 0",
		"8, 0, 0",
		"8, -4, 0",
		"8, NULL, 0",
		"8, '4', 0",
		"8, 4, 3",
		"8, 4, -1",
		"8, 4, NULL",
		"8, 9223372036854775807, 0",
		"-9223372036854775808, 4, 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *path = make("absurd.db", loose_schema, loose_row);
		char sql[256];

		snprintf(sql, sizeof(sql),
			 "INSERT INTO layout_field VALUES (7, 'cred', 'uid', %s), (7, 'cred', "
			 "'gid', "
			 "65534, 4, 0)",
			 values[i]);
		run_sql(path, sql);
		assert_int_equal(find(path), 0);
		if (offsets.cred__uid != OFFSET_ABSENT)
			fail_msg("%s gives %d", values[i], offsets.cred__uid);
		assert_int_equal(offsets.cred__gid, 65534);
		free(path);
	}
}

static void sizes_and_enumerators_have_ranges_too(void **state)
{
	char *path = make("ranges.db", loose_schema, loose_row);

	(void)state;
	run_sql(path,
		"INSERT INTO layout_field VALUES (7, 'upid', '', 0, 65535, 0),"
		"(7, 'pid_link', '', 0, 0, 0), (7, 'enum pid_type', 'PIDTYPE_SID', -1, 0, 0),"
		"(7, 'enum pid_type', 'PIDTYPE_PGID', 70000, 0, 0),"
		"(7, 'file', 'f_path', 16, 0, 0), (7, 'kernfs_node', 'id', 8, 16, 0),"
		"(7, 42, 'uid', 1, 4, 0), (7, NULL, NULL, 1, 4, 0), (7, x'00', x'ff', 1, 4, 0)");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.size__upid, OFFSET_ABSENT);
	assert_int_equal(offsets.size__pid_link, OFFSET_ABSENT);
	assert_int_equal(offsets.value__PIDTYPE_SID, OFFSET_ABSENT);
	assert_int_equal(offsets.value__PIDTYPE_PGID, OFFSET_ABSENT);
	assert_int_equal(offsets.file__f_path, 16);
	assert_int_equal(offsets.kernfs_node__id, 8);
	free(path);
}

static void a_layout_of_nothing_usable_is_refused(void **state)
{
	char *path = make("useless.db", loose_schema, loose_row);

	(void)state;
	run_sql(path, "INSERT INTO layout_field VALUES (7, 'cred', 'uid', -1, 4, 0)");
	assert_int_equal(find(path), -EBADMSG);
	free(path);
}

/* ------------------------------------------------------------------- duplicates */

static void rows_that_agree_are_one(void **state)
{
	char *path = make("twins.db", loose_schema, loose_row);

	(void)state;
	run_sql(path, loose_row);
	run_sql(path, "INSERT INTO layout_field VALUES (7, 'cred', 'uid', 4, 4, 0)");
	run_sql(path, "INSERT INTO layout_field VALUES (7, 'cred', 'uid', 4, 4, 0)");
	assert_int_equal(find(path), 0);
	assert_int_equal(offsets.cred__uid, 4);
	free(path);
}

static void rows_that_contradict_are_refused(void **state)
{
	char *path = make("contradiction.db", loose_schema, loose_row);

	(void)state;
	run_sql(path, "INSERT INTO layout_field VALUES (7, 'cred', 'uid', 4, 4, 0),"
		      "(8, 'cred', 'uid', 4, 4, 0)");
	run_sql(path, loose_row);
	assert_int_equal(find(path), 0);
	run_sql(path, "UPDATE kernel SET layout_id = 8 WHERE rowid = 2");
	assert_int_equal(find(path), -EBADMSG);
	assert_says("two layouts");
	run_sql(path, "DELETE FROM kernel WHERE rowid = 2;"
		      "INSERT INTO layout_field VALUES (7, 'cred', 'uid', 8, 4, 0)");
	assert_int_equal(find(path), -EBADMSG);
	assert_says("contradicts");
	free(path);
}

/* --------------------------------------------------------------- hostile schemas */

static void views_and_virtual_tables_are_not_read(void **state)
{
	static const char *const changes[] = {
		"CREATE VIEW kernel AS SELECT * FROM other",
		"CREATE VIEW kernel AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x FROM r) "
		"SELECT x AS layout_id, x AS distro, x AS source, x AS package, x AS built_at, x "
		"AS "
		"build_id FROM r",
		"CREATE VIRTUAL TABLE kernel USING fts5 (build_id, arch, release, version, distro, "
		"source, package, built_at, layout_id)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *path = make("views.db", loose_schema, loose_row);

		run_sql(path, "ALTER TABLE kernel RENAME TO other");
		run_sql(path, changes[i]);
		assert_int_equal(find(path), -EBADMSG);
		assert_says("lacks a table");
		free(path);
	}
}

/* The same under a table's flag, as only an editor of bytes would make it. */
static void a_view_in_a_tables_clothes_is_refused(void **state)
{
	char *path = make("clothes.db", loose_schema, loose_row);

	(void)state;
	run_sql(path, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE VIEW "
		      "kernel AS SELECT 7 AS layout_id' WHERE name = 'kernel'");
	assert_int_equal(find(path), -EBADMSG);
	run_sql(path, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE "
		      "sqlite_master (x)' WHERE name = 'kernel'");
	assert_int_equal(find(path), -EBADMSG);
	free(path);
}

static void triggers_and_functions_of_the_schema_do_no_harm(void **state)
{
	char *path = make("functions.db", loose_schema, loose_row);

	(void)state;
	run_sql(path, "CREATE TRIGGER t BEFORE INSERT ON kernel BEGIN SELECT RAISE(ABORT, 'no'); "
		      "END; INSERT INTO layout_field VALUES (7, 'cred', 'uid', 4, 4, 0)");
	assert_int_equal(find(path), 0);
	/* Half a gigabyte, in a column that is read. */
	run_sql(path, "DROP TRIGGER t; DROP TABLE kernel; CREATE TABLE kernel (x, layout_id, arch, "
		      "release, version, distro AS (zeroblob(x)), source, package, "
		      "package_sha256, source_verified, built_at, build_id AS "
		      "('00112233445566778899aabbccddeeff00112233'));"
		      "INSERT INTO kernel (x, layout_id) VALUES (500000000, 7)");
	assert_int_equal(find(path), -EBADMSG);
	assert_says("too big");
	free(path);
}

/* No index, and a row for every step of a long way. */
static void a_database_that_takes_too_long_is_given_up(void **state)
{
	char *path = make("slow.db", loose_schema, "");

	(void)state;
	run_sql(path, "INSERT INTO kernel (build_id) WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL "
		      "SELECT x + 1 FROM r WHERE x < 400000) SELECT x FROM r");
	assert_int_equal(find(path), -EBADMSG);
	assert_says("too long");
	unlink(path);
	free(path);
}

/* ------------------------------------------------------------------------ speed */

/* As many kernels and layouts as all of Debian has. */
static void make_large(sqlite3 *db)
{
	char sql[512];

	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (int layout = 1; layout <= 150; layout++) {
		snprintf(sql, sizeof(sql), "INSERT INTO layout VALUES (%d, printf('%%064d', %d))",
			 layout, layout);
		sqlite3_exec(db, sql, NULL, NULL, NULL);
		for (size_t i = 0; i < offset_item_count; i++) {
			snprintf(sql, sizeof(sql),
				 "INSERT INTO layout_field VALUES (%d, '%s%s', '%s', %d, 8, 0)",
				 layout, offset_items[i].kind == OFFSET_OF_VALUE ? "enum " : "",
				 offset_items[i].type, offset_items[i].member, layout);
			assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		}
	}
	for (int kernel = 0; kernel < 450; kernel++) {
		snprintf(sql, sizeof(sql),
			 "INSERT INTO kernel (build_id, arch, release, version, source, package, "
			 "layout_id) VALUES (printf('%%040x', %d), 'x86_64', '6.1.0-%d-amd64', "
			 "'#1 SMP Debian 6.1.%d', printf('%%.*c', 120, 's'), "
			 "printf('%%.*c', 60, 'p'), %d)",
			 kernel, kernel, kernel, 1 + kernel / 3);
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	}
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

static long best_microseconds(const char *path, const struct kernel_identity *who)
{
	long best = LONG_MAX;

	for (int i = 0; i < 20; i++) {
		struct timespec before, after;
		long spent;

		clock_gettime(CLOCK_MONOTONIC, &before);
		assert_int_equal(find_as(path, who), 0);
		clock_gettime(CLOCK_MONOTONIC, &after);
		spent = (after.tv_sec - before.tv_sec) * 1000000 +
			(after.tv_nsec - before.tv_nsec) / 1000;
		best = spent < best ? spent : best;
	}
	return best;
}

/* Under the sanitizers, and on a busy machine, ten times what the contract allows. */
static void a_row_among_450_is_found_at_once(void **state)
{
	char *path = make("large.db", offsets_sql, "");
	struct kernel_identity who = {.arch = "x86_64"};
	sqlite3 *db;
	long by_id, by_version, by_release;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	make_large(db);
	sqlite3_close(db);
	snprintf(who.build_id, sizeof(who.build_id), "%040x", 449);
	by_id = best_microseconds(path, &who);
	assert_int_equal(offsets.mm_struct__arg_start, 150);
	who.build_id[0] = 0;
	strcpy(who.release, "6.1.0-300-amd64");
	strcpy(who.version, "#1 SMP Debian 6.1.300");
	by_version = best_microseconds(path, &who);
	assert_int_equal(offsets.mm_struct__arg_start, 101);
	run_sql(path, "UPDATE kernel SET build_id = NULL, version = NULL");
	by_release = best_microseconds(path, &who);
	print_message("by build-id %ld us, version %ld us, release %ld us\n", by_id, by_version,
		      by_release);
	assert_in_range(by_id, 0, 10000);
	assert_in_range(by_version, 0, 10000);
	assert_in_range(by_release, 0, 10000);
	free(path);
}

/* -------------------------------------------------------------------- identity */

/* Appends an ELF note, padded as the linker does. */
static size_t note(unsigned char *at, const char *name, unsigned int type, const void *desc,
		   unsigned int size)
{
	unsigned int head[3] = {(unsigned int)strlen(name) + 1, size, type};
	size_t name_size = (head[0] + 3) & ~3U, desc_size = (size + 3) & ~3U;

	memset(at, 0xee, sizeof(head) + name_size + desc_size);
	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), name, head[0]);
	memcpy(at + sizeof(head) + name_size, desc, size);
	return sizeof(head) + name_size + desc_size;
}

/* From a copy that ends where the notes do, so that a step too far is seen. */
static const char *build_id_of(const unsigned char *notes, size_t size)
{
	static char build_id[48];
	void *copy = malloc(size ? size : 1);

	memcpy(copy, notes, size);
	memset(build_id, 'x', sizeof(build_id));
	build_id_from_notes(copy, size, build_id, sizeof(build_id));
	free(copy);
	return build_id;
}

static void the_build_id_is_found_among_notes(void **state)
{
	static const unsigned char id[] = "\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76";
	unsigned char notes[512];
	size_t n, ends;

	(void)state;
	n = note(notes, "Xen", 3, "not it", 6);
	n += note(notes + n, "Linux", 257, "", 0);
	n += note(notes + n, "GNU", 5, "nor this", 8);
	n += note(notes + n, "GNU", 3, id, 13);
	ends = n;
	n += note(notes + n, "GNU", 3, "another", 7);
	assert_string_equal(build_id_of(notes, n), "0123456789abcdeffedcba9876");
	for (size_t cut = 0; cut < ends - 3; cut++)
		assert_string_equal(build_id_of(notes, cut), "");
	/* The last note's padding may be missing. */
	assert_string_equal(build_id_of(notes, ends - 3), "0123456789abcdeffedcba9876");
}

static void a_build_id_that_does_not_fit_is_unknown(void **state)
{
	unsigned char notes[128], id[32];

	(void)state;
	memset(id, 0xab, sizeof(id));
	assert_int_equal(strlen(build_id_of(notes, note(notes, "GNU", 3, id, 23))), 46);
	assert_int_equal(strlen(build_id_of(notes, note(notes, "GNU", 3, id, 20))), 40);
	assert_string_equal(build_id_of(notes, note(notes, "GNU", 3, id, 24)), "");
	assert_string_equal(build_id_of(notes, note(notes, "GNU", 3, id, 32)), "");
	assert_string_equal(build_id_of(notes, note(notes, "GNU", 3, id, 0)), "");
}

static void notes_with_absurd_lengths_are_left(void **state)
{
	static const unsigned int lengths[] = {0xffffffff, 0xfffffffc, 0x80000000, 0x7fffffff,
					       1000,	   45,	       33};
	unsigned char notes[64];
	size_t n = note(notes, "GNU", 3, "12345678901234567890", 20);

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t at = 0; at < 8; at += 4) {
			unsigned char copy[64];

			memcpy(copy, notes, n);
			memcpy(copy + at, &lengths[i], 4);
			assert_string_equal(build_id_of(copy, n), "");
		}
	}
	assert_string_equal(build_id_of(notes, n), "3132333435363738393031323334353637383930");
}

static void this_machine_knows_who_it_is(void **state)
{
	struct kernel_identity who;
	struct utsname uts;

	(void)state;
	memset(&who, 'x', sizeof(who));
	kernel_identity_read(&who);
	uname(&uts);
	assert_string_equal(who.arch, uts.machine);
	assert_string_equal(who.release, uts.release);
	assert_string_equal(who.version, uts.version);
	assert_int_equal(strspn(who.build_id, "0123456789abcdef"), strlen(who.build_id));
	if (access("/sys/kernel/notes", R_OK))
		assert_string_equal(who.build_id, "");
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_and_its_header_agree),
		cmocka_unit_test(a_row_is_found_by_its_build_id),
		cmocka_unit_test(a_row_without_build_id_is_found_by_its_version),
		cmocka_unit_test(another_kernels_row_is_not_taken),
		cmocka_unit_test(a_row_of_a_release_only_is_found),
		cmocka_unit_test(a_row_of_a_release_is_used_only_if_it_is_alone),
		cmocka_unit_test(where_the_package_came_from_is_said),
		cmocka_unit_test(what_was_not_looked_for_is_named),
		cmocka_unit_test(the_build_id_comes_before_the_version),
		cmocka_unit_test(what_this_program_does_not_know_is_ignored),
		cmocka_unit_test(long_provenance_is_cut),
		cmocka_unit_test(any_path_is_a_path),
		cmocka_unit_test(nothing_is_written_beside_it),
		cmocka_unit_test(a_read_only_file_system_will_do),
		cmocka_unit_test(a_missing_file_says_so),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(an_unreadable_file_says_so),
		cmocka_unit_test(a_link_is_followed_to_a_file_and_nowhere_else),
		cmocka_unit_test(a_huge_hole_is_no_database),
		cmocka_unit_test(other_bytes_are_no_database),
		cmocka_unit_test(one_cut_short_anywhere_is_refused),
		cmocka_unit_test(a_damaged_one_is_survived),
		cmocka_unit_test(one_that_is_being_written_gives_whole_answers),
		cmocka_unit_test(an_unfinished_one_is_not_read),
		cmocka_unit_test(a_foreign_database_is_refused),
		cmocka_unit_test(a_newer_schema_is_refused),
		cmocka_unit_test(a_schema_that_lacks_something_is_refused),
		cmocka_unit_test(numbers_out_of_range_are_absent),
		cmocka_unit_test(sizes_and_enumerators_have_ranges_too),
		cmocka_unit_test(a_layout_of_nothing_usable_is_refused),
		cmocka_unit_test(rows_that_agree_are_one),
		cmocka_unit_test(rows_that_contradict_are_refused),
		cmocka_unit_test(views_and_virtual_tables_are_not_read),
		cmocka_unit_test(a_view_in_a_tables_clothes_is_refused),
		cmocka_unit_test(triggers_and_functions_of_the_schema_do_no_harm),
		cmocka_unit_test(a_database_that_takes_too_long_is_given_up),
		cmocka_unit_test(a_row_among_450_is_found_at_once),
		cmocka_unit_test(the_build_id_is_found_among_notes),
		cmocka_unit_test(a_build_id_that_does_not_fit_is_unknown),
		cmocka_unit_test(notes_with_absurd_lengths_are_left),
		cmocka_unit_test(this_machine_knows_who_it_is),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
