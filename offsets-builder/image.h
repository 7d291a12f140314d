/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel image: who the kernel is, and its layout. It comes bare, compressed or in a
 * package, from a file or from a download, and is read from front to back once.
 */
#ifndef BUILDER_IMAGE_H
#define BUILDER_IMAGE_H

#include "digest.h"
#include "error.h"
#include "layout.h"
#include "offsets_db.h"
#include "source.h"

enum image_types { IMAGE_BTF, IMAGE_DWARF }; /* where the layout came from */

struct image {
	struct kernel_identity identity; /* what the image says of itself, the rest is empty */
	char sha256[DIGEST_TEXT]; /* of its bytes as they lay in the source, or in the package */
	char member[512];	  /* the member of the package it was, "" for a bare file */
	enum image_types types;
	struct layout layout;
};

/*
 * Called for each kernel found. Returns 0: go on; 1: enough, stop reading; or a negative
 * errno, and error says why.
 */
typedef int image_fn(void *arg, const struct image *image, struct error *error);

/*
 * Reads what source has: an ELF vmlinux with BTF or DWARF, raw BTF, a bzImage, an arm64
 * Image, any of them compressed, a .deb, an .rpm, a tar archive such as BTFHub's
 * .btf.tar.xz. Hands each kernel to fn; a .deb or .rpm has one, and is read no further.
 * Of an image with BTF and DWARF the BTF is read. Takes some 300 MB at most, nothing goes
 * to disk. Returns how many kernels were found, or a negative errno: -ENODATA: a kernel
 * image was there, but has neither BTF nor DWARF (its -dbg package has); -ENOENT: a package
 * with no kernel image in it; -EBADMSG: damaged, or no known format; or what source->next
 * or fn returned.
 */
int image_read(struct source *source, image_fn *fn, void *arg, struct error *error);

#endif
