// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

struct file {
	struct source source;
	int fd;
	char block[BLOCK];
};

static ssize_t next(struct source *source, const void **block, struct error *error)
{
	struct file *file = (struct file *)source;
	ssize_t n;

	do
		n = read(file->fd, file->block, sizeof(file->block));
	while (n < 0 && errno == EINTR);
	*block = file->block;
	if (n < 0)
		return error_set(error, -errno, "cannot read %s: %s: check the file", source->name,
				 strerror(errno));
	return n;
}

int source_open_file(const char *path, struct source **source, struct error *error)
{
	struct file *file = malloc(sizeof(*file));
	struct stat st;
	int err = 0;

	*source = NULL;
	if (!file)
		return error_set(error, -ENOMEM, "cannot open %s: no memory: free some", path);
	file->source = (struct source){.next = next, .name = path};
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	if (err) {
		source_close_file(&file->source);
		return error_set(error, err, "cannot open %s: %s: give a file that can be read",
				 path, strerror(-err));
	}
	*source = &file->source;
	return 0;
}

void source_close_file(struct source *source)
{
	struct file *file = (struct file *)source;

	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}
