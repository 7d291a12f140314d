// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "image_reader.h"
#include "package.h"
#include "unpacked.h"

/*
 * A .deb is the deepest: its data.tar, the vmlinuz in that, and the vmlinux in the vmlinuz.
 * Images that are not ELF have to fit into memory once more, unpacked.
 */
enum { DEPTH_MAX = 4, HEAD_BYTES = 4, BLOB_MAX = 256 << 20 };

int image_fail(struct image_reader *reader, int err, const char *format, ...)
{
	struct error *error = reader->error;
	va_list args;
	int n = snprintf(error->text, sizeof(error->text), "cannot read %s: ", reader->name);

	if (n < 0 || (size_t)n >= sizeof(error->text))
		return err;
	va_start(args, format);
	vsnprintf(error->text + n, sizeof(error->text) - (size_t)n, format, args);
	va_end(args);
	return err;
}

int image_found(struct image_reader *reader)
{
	int rc;

	reader->found++;
	rc = reader->fn(reader->arg, &reader->image, reader->error);
	reader->enough = rc != 0 || reader->single;
	return rc < 0 ? rc : 0;
}

/* --------------------------------------------------------------------- one image */

int image_take_btf(struct image_reader *reader, const void *data, size_t size)
{
	struct btf *btf = size <= UINT32_MAX ? btf__new(data, (__u32)size) : NULL;
	int err;

	if (!btf)
		return image_fail(reader, -EINVAL,
				  "its BTF is cut off or damaged: get the file again");
	reader->image.types = IMAGE_BTF;
	err = layout_from_btf(btf, reader->name, &reader->image.layout, reader->error);
	btf__free(btf);
	return err;
}

/* A copy of /sys/kernel/btf/vmlinux: it says neither who it is nor for which machine. */
static int read_raw_btf(struct image_reader *reader, const void *data, size_t size)
{
	int err = image_take_btf(reader, data, size);

	return err == -EINVAL ? -EBADMSG : err ? err : image_found(reader);
}

static bool begins_btf(const unsigned char *head)
{
	return !memcmp(head, "\x9f\xeb\x01", 3) || !memcmp(head, "\xeb\x9f\x01", 3);
}

static int read_blob(struct image_reader *reader, const unsigned char *data, size_t size)
{
	int err;

	if (begins_btf(data))
		return read_raw_btf(reader, data, size);
	err = image_read_boot(reader, data, size);
	if (err != -ENOENT)
		return err;
	if (!memcmp(data, "\x89LZO", 4))
		return image_fail(reader, -EBADMSG,
				  "it is compressed by lzo, which is not read: give the vmlinux");
	return image_fail(
		reader, -EBADMSG,
		"it is no kernel image, no BTF and no package: give a vmlinux, a vmlinuz, "
		"a .deb, an .rpm or a copy of /sys/kernel/btf/vmlinux");
}

static int read_held(struct image_reader *reader, struct held *held)
{
	size_t size = held_size(held);
	unsigned char head[HEAD_BYTES] = {0};
	unsigned char *data;
	int err;

	held_copy(held, 0, size < sizeof(head) ? size : sizeof(head), head);
	if (!memcmp(head, "\177ELF", 4))
		return image_read_elf(reader, held);
	if (size > BLOB_MAX || size < sizeof(head))
		return image_fail(reader, -EBADMSG,
				  "it has %zu bytes, as no kernel image: give one", size);
	data = malloc(size);
	if (!data || !held_take(held, 0, size, data))
		err = image_fail(reader, -ENOMEM, "no memory: free some");
	else
		err = read_blob(reader, data, size);
	free(data);
	return err;
}

/* ---------------------------------------------------------------------- packages */

/* Where packages keep kernels; "usr" and "usr/lib/debug" before it are taken off. */
static bool is_kernel_path(const char *path)
{
	static const char *const prefixes[] = {"usr/lib/debug/", "usr/"};
	static const char *const patterns[] = {
		"boot/vmlinu[xz]-*",	"boot/Image-*", "lib/modules/*/vmlinu[xz]*",
		"lib/modules/*/Image*", "vmlinu[xz]*",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			path += strlen(prefixes[i]);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (!fnmatch(patterns[i], path, FNM_PATHNAME | FNM_PERIOD))
			return true;
	return false;
}

/* BTFHub's RELEASE.btf; in a distribution's package it would be a program's. */
static bool is_btf_path(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot, ".btf");
}

static int read_source(struct image_reader *reader, struct source *source);

/* One bare image. What has been hashed first is what lay in the source. */
static int read_bare(struct image_reader *reader, struct unpacked *unpacked, struct source *source)
{
	char *sha256 = reader->image.sha256, unused[DIGEST_TEXT];
	struct held *held = NULL;
	int err = held_read(source, &held, reader->error);

	if (!err)
		err = unpacked_digest(unpacked, *sha256 ? unused : sha256, reader->error);
	if (!err)
		err = read_held(reader, held);
	held_free(held);
	return err;
}

static int read_member(struct image_reader *reader, const char *path, struct source *source)
{
	if (!is_kernel_path(path) && (reader->single || !is_btf_path(path)))
		return 0;
	reader->image = (struct image){0};
	snprintf(reader->image.member, sizeof(reader->image.member), "%s", path);
	return read_source(reader, source);
}

/* The files of a .deb are a tar archive of its own in it. */
static int read_deb(struct image_reader *reader, struct package *package)
{
	struct source *member;
	const char *path;
	int rc;

	while ((rc = package_next(package, &path, &member, reader->error)) > 0)
		if (!strncmp(path, "data.tar", 8))
			return read_source(reader, member);
	return rc < 0 ? rc :
			image_fail(reader, -EBADMSG,
				   "it is no Debian package, or is cut off: get it again");
}

static int read_members(struct image_reader *reader, struct package *package)
{
	struct source *member;
	const char *path;
	int rc = 1, err = 0;

	while (!err && !reader->enough) {
		rc = package_next(package, &path, &member, reader->error);
		if (rc <= 0)
			return rc;
		err = read_member(reader, path, member);
	}
	return err;
}

/* A distribution's package has one kernel. */
static int read_package(struct image_reader *reader, struct unpacked *unpacked,
			struct package *package)
{
	enum package_kind kind = package_kind(package);
	struct source *member;
	const char *path;
	int rc;

	reader->single = reader->single || kind == PACKAGE_AR || unpacked_is_rpm(unpacked);
	if (kind == PACKAGE_AR)
		return read_deb(reader, package);
	if (kind == PACKAGE_TAR)
		return read_members(reader, package);
	rc = package_next(package, &path, &member, reader->error);
	return rc > 0 ? read_bare(reader, unpacked, member) : rc;
}

static int read_source(struct image_reader *reader, struct source *source)
{
	const char *name = reader->name;
	struct unpacked *unpacked = NULL;
	struct package *package = NULL;
	int err;

	reader->name = source->name;
	if (reader->depth == DEPTH_MAX)
		return image_fail(reader, -EBADMSG,
				  "packages lie too deep in each other: unpack the outer ones");
	reader->depth++;
	err = unpacked_open(source, &unpacked, reader->error);
	if (!err)
		err = package_open(unpacked_source(unpacked), &package, reader->error);
	if (!err)
		err = read_package(reader, unpacked, package);
	package_close(package);
	unpacked_close(unpacked);
	reader->depth--;
	reader->name = name;
	return err;
}

/* ------------------------------------------------------------------------ packed */

/* Bytes in memory, in one block. */
struct memory {
	struct source source;
	const void *data;
	size_t size;
};

static ssize_t next_of_memory(struct source *source, const void **block, struct error *error)
{
	struct memory *memory = (struct memory *)source;
	size_t size = memory->size;

	(void)error;
	*block = memory->data;
	memory->size = 0;
	return (ssize_t)size;
}

int image_read_packed(struct image_reader *reader, const void *data, size_t size)
{
	struct memory memory = {{next_of_memory, reader->name}, data, size};

	return read_source(reader, &memory.source);
}

int image_read(struct source *source, image_fn *fn, void *arg, struct error *error)
{
	struct image_reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 source->name);
	*reader = (struct image_reader){.fn = fn, .arg = arg, .error = error, .name = source->name};
	err = read_source(reader, source);
	if (!err)
		err = reader->found;
	if (!err)
		image_fail(reader, err = -ENOENT,
			   "there is no kernel image in it: give the package that has vmlinuz");
	free(reader);
	return err;
}
