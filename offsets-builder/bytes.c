// SPDX-License-Identifier: Apache-2.0
#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct bytes *bytes, size_t least)
{
	size_t room = bytes->room ? bytes->room : 4096;
	char *grown;

	while (room < least)
		room *= 2;
	grown = realloc(bytes->data, room);
	if (!grown)
		return -ENOMEM;
	bytes->data = grown;
	bytes->room = room;
	return 0;
}

int bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (size >= SIZE_MAX / 4 - bytes->size)
		return -ENOMEM;
	if (bytes->size + size >= bytes->room && grow(bytes, bytes->size + size + 1))
		return -ENOMEM;
	if (size)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	bytes->data[bytes->size] = 0;
	return 0;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}
