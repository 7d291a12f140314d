// SPDX-License-Identifier: Apache-2.0
#include "lines.h"

#include <errno.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1 << 20 };

static int add(struct lines *lines, size_t size, struct error *error)
{
	if (lines->line.len + size > LINE_MAX_BYTES)
		return error_set(error, -EBADMSG,
				 "cannot read %s: a line has more than %d bytes: tell who runs "
				 "the archive",
				 lines->source->name, LINE_MAX_BYTES);
	text_bytes(&lines->line, lines->block, size);
	text_end(&lines->line);
	if (lines->line.failed)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 lines->source->name);
	lines->block += size;
	lines->left -= size;
	return 0;
}

int lines_next(struct lines *lines, struct error *error)
{
	const void *block;

	text_clear(&lines->line);
	for (;;) {
		const char *end = lines->left ? memchr(lines->block, '\n', lines->left) : NULL;
		int err = add(lines, end ? (size_t)(end - lines->block) : lines->left, error);
		ssize_t n;

		if (err)
			return err;
		if (end) {
			lines->block++;
			lines->left--;
			return 1;
		}
		n = lines->source->next(lines->source, &block, error);
		if (n <= 0)
			return n < 0 ? (int)n : lines->line.len > 0;
		lines->block = block;
		lines->left = (size_t)n;
	}
}

void lines_end(struct lines *lines)
{
	text_free(&lines->line);
}
