// SPDX-License-Identifier: Apache-2.0
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* To the end of the file, which may grow or shrink meanwhile. */
static int read_all(int fd, char *bytes, size_t max, size_t *size)
{
	ssize_t n = 1;

	*size = 0;
	while (n && *size <= max) {
		n = read(fd, bytes + *size, max + 1 - *size);
		if (n < 0 && errno != EINTR)
			return -errno;
		*size += n > 0 ? (size_t)n : 0;
	}
	return *size > max ? -EFBIG : 0;
}

static int check_kind(const struct stat *st, size_t max)
{
	if (!S_ISREG(st->st_mode))
		return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	return (unsigned long long)st->st_size > max ? -EFBIG : 0;
}

int file_read(int dir, const char *path, size_t max, char **bytes, size_t *size)
{
	/* What is no file must not be waited for. */
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err = fd < 0 || fstat(fd, &st) ? -errno : check_kind(&st, max);

	*bytes = NULL;
	if (!err) {
		max = (size_t)st.st_size;
		*bytes = malloc(max + 1);
		err = *bytes ? read_all(fd, *bytes, max, size) : -ENOMEM;
	}
	if (!err)
		(*bytes)[*size] = 0;
	if (err) {
		free(*bytes);
		*bytes = NULL;
	}
	if (fd >= 0)
		close(fd);
	return err;
}
