/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read kernel images share: the state of one call of image_read. */
#ifndef BUILDER_IMAGE_READER_H
#define BUILDER_IMAGE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "held.h"
#include "image.h"

struct image_reader {
	struct image image; /* the one that is being read */
	const char *name;   /* what is being read, for errors */
	image_fn *fn;
	void *arg;
	struct error *error;
	int found;
	int depth;   /* of packages, compression and images in each other */
	bool single; /* a distribution's package: it has one kernel */
	bool enough; /* fn has said so */
};

/* "cannot read NAME: " and the text, which says why and what to do. Returns err. */
int image_fail(struct image_reader *reader, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Hands reader->image to fn. Returns 0 or a negative errno. */
int image_found(struct image_reader *reader);

/* Reads the image that is packed into another one. */
int image_read_packed(struct image_reader *reader, const void *data, size_t size);

/* The image's layout from BTF: 0; -EINVAL, and error is set, if it is no kernel's. */
int image_take_btf(struct image_reader *reader, const void *data, size_t size);

/*
 * release and version of the identity from the kernel's banner, which lies somewhere in
 * data; empty if it does not.
 */
void image_take_banner(struct image_reader *reader, const void *data, size_t size);

/* An ELF vmlinux. */
int image_read_elf(struct image_reader *reader, struct held *held);
/* What a boot loader takes. -ENOENT, and error is not set: it is none of those. */
int image_read_boot(struct image_reader *reader, const void *data, size_t size);

#endif
