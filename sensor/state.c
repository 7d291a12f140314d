// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_owner(int dir)
{
	struct stat st;

	if (fstat(dir, &st))
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

int state_open(const char *path, char *error, size_t error_size)
{
	int dir, err;

	if (mkdir(path, 0700) && errno != EEXIST) {
		err = -errno;
		snprintf(error, error_size,
			 "cannot make the state directory %s: %s: make it, or give --state-dir",
			 path, strerror(-err));
		return err;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = dir < 0 ? -errno : check_owner(dir);
	if (!err)
		return dir;
	if (err == -EPERM)
		snprintf(
			error, error_size,
			"cannot use the state directory %s: others may write to it: give it to the "
			"sensor's user, mode 0700",
			path);
	else
		snprintf(error, error_size,
			 "cannot use the state directory %s: %s: give --state-dir", path,
			 strerror(-err));
	if (dir >= 0)
		close(dir);
	return err;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

int state_write(int dir, const char *name, const void *bytes, size_t size)
{
	char next[128];
	int fd, err;

	if (snprintf(next, sizeof(next), "%s.new", name) >= (int)sizeof(next))
		return -ENAMETOOLONG;
	/* Of a start that was stopped half-way. */
	unlinkat(dir, next, 0);
	fd = openat(dir, next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, bytes, size);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(dir, next, dir, name))
		err = -errno;
	if (err)
		unlinkat(dir, next, 0);
	return err;
}
