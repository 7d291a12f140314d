/* SPDX-License-Identifier: Apache-2.0 */
/* A file that holds a kernel's types: who the kernel is, and its BTF. */
#ifndef BUILDER_IMAGE_H
#define BUILDER_IMAGE_H

#include "digest.h"
#include "error.h"
#include "offsets_db.h"

struct btf;

struct image {
	struct kernel_identity identity; /* what the file says of itself, the rest is empty */
	char sha256[DIGEST_TEXT];	 /* of the file */
	struct btf *btf;
};

/* Returns 0 or a negative errno; what is in image then is for image_close all the same. */
int image_open(const char *path, struct image *image, struct error *error);
void image_close(struct image *image);

/* Readers of the formats that have a file of their own; image.c's table calls them. */
int image_read_elf(int fd, const char *path, struct image *image, struct error *error);

#endif
