// SPDX-License-Identifier: Apache-2.0
#include "minisign.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Quietly; the exit status. */
static int run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
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

bool minisign_accepts(const struct minisign_key *key, const char *path)
{
	return !run((const char *const[]){"minisign", "-V", "-p", key->public, "-m", path, NULL});
}
