// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>

/* A kernel's BTF has 5 to 10 MB. */
enum { HEAD_BYTES = 1024, BTF_MAX = 256 << 20 };

/* ----------------------------------------------------------------- raw BTF */

static void *read_whole(int fd, size_t size)
{
	char *data = malloc(size);
	size_t at = 0;

	while (data && at < size) {
		ssize_t n = pread(fd, data + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(data);
			return NULL;
		}
		at += (size_t)n;
	}
	return data;
}

/* A copy of /sys/kernel/btf/vmlinux: it says neither who it is nor for which machine. */
static int read_raw_btf(int fd, const char *path, struct image *image, struct error *error)
{
	struct stat st;
	void *data = NULL;

	if (!fstat(fd, &st) && st.st_size <= BTF_MAX)
		data = read_whole(fd, (size_t)st.st_size);
	if (data)
		image->btf = btf__new(data, (__u32)st.st_size);
	free(data);
	if (!image->btf)
		return error_set(
			error, -EINVAL,
			"cannot add %s: it begins like BTF, but is cut off or damaged: copy "
			"it again",
			path);
	return 0;
}

/* --------------------------------------------------------------- the formats */

/* How a file begins, and who reads the rest. Without a reader: what to do instead. */
static const struct format {
	const char *name;
	size_t at;
	const char *magic;
	size_t size;
	int (*read)(int fd, const char *path, struct image *image, struct error *error);
	const char *instead;
} formats[] = {
	{"ELF", 0, "\177ELF", 4, image_read_elf, NULL},
	{"BTF", 0, "\x9f\xeb\x01", 3, read_raw_btf, NULL},
	{"BTF of the other byte order", 0, "\xeb\x9f\x01", 3, read_raw_btf, NULL},
	{"a bzImage", 0x202, "HdrS", 4, NULL, "take its vmlinux out (scripts/extract-vmlinux)"},
	{"an arm64 Image", 56, "ARM\x64", 4, NULL, "give the vmlinux that it was made of"},
	{"a Debian package", 0, "!<arch>\n", 8, NULL, "unpack it (dpkg-deb -x)"},
	{"an RPM package", 0, "\xed\xab\xee\xdb", 4, NULL, "unpack it (rpm2cpio)"},
	{"compressed by xz", 0, "\xfd\x37zXZ", 6, NULL, "unpack it (xz -d)"},
	{"compressed by gzip", 0, "\x1f\x8b", 2, NULL, "unpack it (gzip -d)"},
	{"compressed by zstd", 0, "\x28\xb5\x2f\xfd", 4, NULL, "unpack it (zstd -d)"},
};

static const struct format *format_of(const char *head, size_t size)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].at + formats[i].size <= size &&
		    !memcmp(head + formats[i].at, formats[i].magic, formats[i].size))
			return &formats[i];
	return NULL;
}

static int read_image(int fd, const char *path, struct image *image, struct error *error)
{
	char head[HEAD_BYTES];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	const struct format *format = n > 0 ? format_of(head, (size_t)n) : NULL;

	if (n < 0)
		return error_set(error, -errno, "cannot read %s: %s: check the file", path,
				 strerror(errno));
	if (!format)
		return error_set(error, -EINVAL,
				 "cannot add %s: it is neither ELF nor BTF: give a vmlinux, or a "
				 "copy of /sys/kernel/btf/vmlinux",
				 path);
	if (!format->read)
		return error_set(error, -EINVAL,
				 "cannot add %s: it is %s, which is not read yet: %s", path,
				 format->name, format->instead);
	return format->read(fd, path, image, error);
}

int image_open(const char *path, struct image *image, struct error *error)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

	*image = (struct image){0};
	if (fd < 0 || fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (err)
		error_set(error, err, "cannot open %s: %s: give a file that can be read", path,
			  strerror(-err));
	else
		err = read_image(fd, path, image, error);
	if (!err) {
		err = digest_file(fd, image->sha256);
		if (err)
			error_set(error, err, "cannot read %s: %s: check the file", path,
				  strerror(-err));
	}
	if (fd >= 0)
		close(fd);
	return err;
}

void image_close(struct image *image)
{
	btf__free(image->btf);
	image->btf = NULL;
}
