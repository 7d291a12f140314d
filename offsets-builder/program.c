// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Above all descriptors that a program is given, so that no dup2(2) hits a source. */
static int above(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, PROGRAM_FDS);
	int err = high < 0 ? -errno : 0;

	close(fd);
	return err ? err : high;
}

int program_file(const void *data, size_t size)
{
	int fd = memfd_create("offsets-builder", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0 && errno != EINTR) {
			int err = -errno;

			close(fd);
			return err;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	lseek(fd, 0, SEEK_SET);
	return above(fd);
}

int program_file_read(int fd, size_t limit, struct text *bytes)
{
	char chunk[8192];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, chunk, sizeof(chunk), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > limit - bytes->len)
			return -EFBIG;
		text_bytes(bytes, chunk, (size_t)n);
		at += n;
	}
	text_end(bytes);
	return bytes->failed ? -ENOMEM : 0;
}

static int spawn(const char *const argv[], const int fds[], size_t count, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	for (int i = 0; !err && i < (int)count; i++) {
		if (fds[i] < 0)
			err = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
		else
			err = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	}
	/* posix_spawnp(3) changes none of the strings; its type is older than const. */
	if (!err)
		err = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int program_run(const char *const argv[], const int fds[], size_t count, struct error *error)
{
	int status = 0, err;
	pid_t pid = -1;

	err = spawn(argv, fds, count, &pid);
	if (err)
		return error_set(error, err, "cannot run %s: %s: install it", argv[0],
				 strerror(-err));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set(error, -errno, "cannot wait for %s: %s: report this",
					 argv[0], strerror(errno));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
