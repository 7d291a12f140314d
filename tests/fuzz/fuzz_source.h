/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzer's input as a source, in blocks of a given size. */
#ifndef CORMORANT_TESTS_FUZZ_SOURCE_H
#define CORMORANT_TESTS_FUZZ_SOURCE_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "image.h"

struct fuzz_source {
	struct source source;
	const uint8_t *data;
	size_t left, block;
};

static inline ssize_t fuzz_source_next(struct source *source, const void **block,
				       struct error *error)
{
	struct fuzz_source *fuzz = (struct fuzz_source *)source;
	size_t n = fuzz->left < fuzz->block ? fuzz->left : fuzz->block;

	(void)error;
	*block = fuzz->data;
	fuzz->data += n;
	fuzz->left -= n;
	return (ssize_t)n;
}

/* What is handed out has to hold together, whatever it was made of. */
static inline int fuzz_check_image(void *arg, const struct image *image, struct error *error)
{
	(void)arg;
	(void)error;
	if (image->layout.count > LAYOUT_FIELDS_MAX || image->layout.count < 3)
		abort();
	for (size_t i = 0; i < image->layout.count; i++)
		if (image->layout.fields[i].offset >= OFFSET_ABSENT)
			abort();
	return 0;
}

/* An error has a text, and a number that the contract of image_read knows. */
static inline void fuzz_read_image(const uint8_t *data, size_t size, size_t block)
{
	struct fuzz_source source = {{fuzz_source_next, "input"}, data, size, block};
	struct error error = {""};
	int rc = image_read(&source.source, fuzz_check_image, NULL, &error);

	if (rc < 0 && !*error.text)
		abort();
	if (rc == 0 || (rc < 0 && rc != -EBADMSG && rc != -ENODATA && rc != -ENOENT &&
			rc != -ENOMEM))
		abort();
}

#endif
