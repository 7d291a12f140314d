// SPDX-License-Identifier: Apache-2.0
#include "minisign.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

/* Quietly, with a line on stdin if it is not NULL; the exit status. */
static int run_with(const char *line, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status, ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	if (line)
		assert_true(dprintf(ends[1], "%s\n", line) > 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run(const char *const *argv)
{
	return run_with(NULL, argv);
}

void file_write(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

char *file_content(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *bytes = malloc((1 << 20) + 1);

	assert_non_null(f);
	assert_non_null(bytes);
	*n = fread(bytes, 1, 1 << 20, f);
	bytes[*n] = 0;
	fclose(f);
	return bytes;
}

struct minisign_key minisign_make(const char *directory, const char *name)
{
	struct minisign_key key;
	char *content;
	size_t n;

	snprintf(key.public, sizeof(key.public), "%s/%s.pub", directory, name);
	snprintf(key.secret, sizeof(key.secret), "%s/%s.key", directory, name);
	assert_int_equal(run((const char *const[]){"minisign", "-G", "-f", "-W", "-p", key.public,
						   "-s", key.secret, NULL}),
			 0);
	content = file_content(key.public, &n);
	assert_int_equal(sscanf(content, "untrusted comment: minisign public key %23s %63s", key.id,
				key.text),
			 2);
	free(content);
	return key;
}

void minisign_sign(const struct minisign_key *key, const char *path, bool legacy)
{
	assert_int_equal(
		run((const char *const[]){"minisign", legacy ? "-Sl" : "-S", "-s", key->secret,
					  "-t", "a trusted comment", "-m", path, NULL}),
		0);
}

void minisign_sign_with(const char *secret, const char *password, const char *path)
{
	assert_int_equal(run_with(password, (const char *const[]){"minisign", "-S", "-s", secret,
								  "-m", path, NULL}),
			 0);
}

bool minisign_accepts(const struct minisign_key *key, const char *path)
{
	return !run((const char *const[]){"minisign", "-V", "-p", key->public, "-m", path, NULL});
}
