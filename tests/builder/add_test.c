// SPDX-License-Identifier: Apache-2.0
/* command_add.c: who a kernel is, when its file does not say it all. */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <sqlite3.h>

#include <cmocka.h>

#include "command.h"

extern char **environ;

static char dir[] = "/tmp/cormorant-add-XXXXXX";
static char said[4096]; /* on stderr, by the last call */

static int shell(const char *command)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int make_images(void **state)
{
	(void)state;
	libbpf_set_print(NULL);
	if (!mkdtemp(dir) || chdir(dir))
		return -1;
	return shell(BUILDER_TESTS "/make_images . && mkdir -p hub/x86_64 hub/arm64 && "
				   "cp *.btf.tar.xz hub/x86_64 && cp *.btf.tar.xz hub/arm64");
}

static int remove_images(void **state)
{
	(void)state;
	return shell("rm -rf \"$PWD\"");
}

/* offsets-builder add -d db WORD..., on a new database; the exit status. */
static int add(const char *words)
{
	char *argv[16] = {(char *)"offsets-builder", (char *)"-d", (char *)"db"}, *save = NULL;
	char *copy = strdup(words);
	int argc = 3, status, old = dup(2), fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	unlink("db");
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	optind = 0; /* getopt begins anew */
	dup2(fd, 2);
	status = command_add(argc, argv);
	dup2(old, 2);
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = 0;
	close(fd);
	close(old);
	free(copy);
	return status;
}

/* One text out of the database; a row is "a|b|c", rows end with ";". */
static const char *query(const char *sql)
{
	static char text[2048];
	sqlite3_stmt *stmt;
	sqlite3 *db;

	assert_int_equal(sqlite3_open("db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	*text = 0;
	while (sqlite3_step(stmt) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const unsigned char *column = sqlite3_column_text(stmt, i);

			strcat(text, column ? (const char *)column : "-");
			strcat(text, i + 1 < sqlite3_column_count(stmt) ? "|" : ";");
		}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return text;
}

static const char who[] =
	"SELECT build_id, arch, release, version FROM kernel ORDER BY release, arch";

#define MADE "0123456789abcdef0123456789abcdef01234567|x86_64|6.1.0-made|#7 SMP made;"

/* --------------------------------------------------------------------------------- */

static void a_package_says_all_itself(void **state)
{
	(void)state;
	assert_int_equal(add("image-xz.deb image-zstd.rpm debug.deb vmlinux-btf"), EXIT_DONE);
	assert_string_equal(query(who), MADE);
	assert_string_equal(query("SELECT count(*) FROM layout"), "1;");
	assert_int_equal(add("--distro debian image-xz.deb"), EXIT_DONE);
	assert_string_equal(query("SELECT distro, source FROM kernel"), "debian|image-xz.deb;");
}

static void a_build_id_or_arch_and_release_are_enough(void **state)
{
	(void)state;
	assert_int_equal(add("vmlinux.btf"), EXIT_FAILED);
	assert_non_null(strstr(said, "does not say which kernel it is"));
	assert_int_equal(add("--release 6.1.0 vmlinux.btf"), EXIT_FAILED);
	assert_int_equal(add("--arch x86_64 vmlinux.btf"), EXIT_FAILED);
	assert_string_equal(query(who), "");
	assert_int_equal(add("--arch x86_64 --release 6.1.0 vmlinux.btf"), EXIT_DONE);
	assert_string_equal(query(who), "-|x86_64|6.1.0|-;");
	assert_int_equal(add("--build-id ABCDEF vmlinux.btf"), EXIT_DONE);
	assert_string_equal(query(who), "abcdef|-|-|-;");
	assert_int_equal(add("--arch x86_64 --release 6.1.0 --version #1 vmlinux.btf"), EXIT_DONE);
	assert_string_equal(query(who), "-|x86_64|6.1.0|#1;");
}

static void btfhubs_paths_say_release_and_arch(void **state)
{
	(void)state;
	assert_int_equal(add("hub/x86_64/6.1.0-made.btf.tar.xz"), EXIT_DONE);
	assert_string_equal(query(who), "-|x86_64|6.1.0-made|-;");
	assert_int_equal(add("./hub/arm64/6.1.0-made.btf.tar.xz"), EXIT_DONE);
	assert_string_equal(query(who), "-|aarch64|6.1.0-made|-;");
	assert_int_equal(add("6.1.0-made.btf.tar.xz"), EXIT_FAILED);
	assert_non_null(strstr(said, "does not say which kernel it is"));
	assert_int_equal(add("--arch s390x 6.1.0-made.btf.tar.xz"), EXIT_DONE);
	assert_string_equal(query(who), "-|s390x|6.1.0-made|-;");
	assert_int_equal(add("--version #3 --build-id ab hub/x86_64/6.1.0-made.btf.tar.xz"),
			 EXIT_DONE);
	assert_string_equal(query(who), "ab|x86_64|6.1.0-made|#3;");
}

static void several_kernels_of_one_file_are_all_added(void **state)
{
	(void)state;
	assert_int_equal(add("hub/x86_64/two.btf.tar.xz"), EXIT_DONE);
	assert_string_equal(query(who), "-|x86_64|6.1.0-made|-;-|x86_64|6.1.1-made|-;");
	assert_string_equal(query("SELECT count(*) FROM layout"), "2;");
}

static void one_identity_is_not_several_kernels(void **state)
{
	(void)state;
	assert_int_equal(add("--version #1 hub/x86_64/two.btf.tar.xz"), EXIT_FAILED);
	assert_non_null(strstr(said, "several kernels, 6.1.0-made.btf and 6.1.1-made.btf"));
	assert_string_equal(query(who), "");
	assert_int_equal(add("--version #1 vmlinux.btf shifted.btf"), EXIT_USAGE);
}

static void an_option_does_not_overrule_the_file(void **state)
{
	(void)state;
	assert_int_equal(add("--arch aarch64 image-xz.deb"), EXIT_FAILED);
	assert_non_null(strstr(said, "it says x86_64, and --arch says aarch64"));
	assert_int_equal(add("--release 6.2 hub/x86_64/6.1.0-made.btf.tar.xz"), EXIT_FAILED);
	assert_string_equal(query(who), "");
	assert_int_equal(add("--arch x86_64 image-xz.deb"), EXIT_DONE);
	assert_string_equal(query(who), MADE);
}

static void a_file_that_fails_keeps_no_other_out(void **state)
{
	(void)state;
	assert_int_equal(add("none empty.deb image-xz.deb truth"), EXIT_FAILED);
	assert_non_null(strstr(said, "cannot open none: No such file"));
	assert_non_null(strstr(said, "cannot read empty.deb: there is no kernel image in it"));
	assert_non_null(strstr(said, "cannot read truth: "));
	assert_string_equal(query(who), MADE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_package_says_all_itself),
		cmocka_unit_test(a_build_id_or_arch_and_release_are_enough),
		cmocka_unit_test(btfhubs_paths_say_release_and_arch),
		cmocka_unit_test(several_kernels_of_one_file_are_all_added),
		cmocka_unit_test(one_identity_is_not_several_kernels),
		cmocka_unit_test(an_option_does_not_overrule_the_file),
		cmocka_unit_test(a_file_that_fails_keeps_no_other_out),
	};

	return cmocka_run_group_tests(tests, make_images, remove_images);
}
