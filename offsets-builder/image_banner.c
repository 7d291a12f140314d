// SPDX-License-Identifier: Apache-2.0
#include "image_reader.h"

#include <ctype.h>
#include <string.h>

static const char banner_start[] = "Linux version ";

/* Text of at most size bytes into a string of the identity, which it has to fit. */
static bool take_text(const char *text, size_t size, char *out, size_t out_size)
{
	if (!size || size >= out_size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isprint((unsigned char)text[i]))
			return false;
	memcpy(out, text, size);
	out[size] = 0;
	return true;
}

/*
 * linux_banner, behind its first two words: "R (who@where) (compiler) V\n". V, the
 * uname -v, begins with "#1" or another build's number. 6.1 and later have a second
 * banner, a weak symbol that was compiled before the number was known: "# SMP". Ubuntu
 * adds the package's version, which uname has not.
 */
static bool parse_banner(const char *at, size_t left, struct kernel_identity *identity)
{
	const char *end = memchr(at, '\n', left < 1024 ? left : 1024);
	const char *space = end ? memchr(at, ' ', (size_t)(end - at)) : NULL;
	const char *version = space ? memmem(space, (size_t)(end - space), ") #", 3) : NULL;
	const char *ubuntu;

	if (!version)
		return false;
	version += 2;
	if (version[1] == ' ')
		return false;
	ubuntu = memmem(version, (size_t)(end - version), " (Ubuntu ", 9);
	if (ubuntu)
		end = ubuntu;
	return take_text(at, (size_t)(space - at), identity->release, sizeof(identity->release)) &&
	       take_text(version, (size_t)(end - version), identity->version,
			 sizeof(identity->version));
}

void image_take_banner(struct image_reader *reader, const void *data, size_t size)
{
	struct kernel_identity *identity = &reader->image.identity;
	const char *at = data, *end = at + size;
	size_t length = sizeof(banner_start) - 1;

	/* Formats begin like the banner, too; the banner has a number there. */
	while ((at = memmem(at, (size_t)(end - at), banner_start, length))) {
		at += length;
		if (at < end && isdigit((unsigned char)*at) &&
		    parse_banner(at, (size_t)(end - at), identity))
			return;
	}
	identity->release[0] = identity->version[0] = 0;
}
