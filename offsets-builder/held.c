// SPDX-License-Identifier: Apache-2.0
#include "held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <zstd.h>

/* Debian's largest vmlinux with debug information has 630 MB, and takes 200 MB compressed. */
enum { BLOCK = 256 << 10, PLAIN_BLOCKS = 256, BLOCKS_MAX = 16384, MEMORY_MAX = 320 << 20 };

/* Pages of their own, so that what is dropped is free at once. */
struct block {
	void *data;    /* NULL: dropped */
	size_t stored; /* BLOCK: as it came; less: compressed */
};

struct held {
	struct block *blocks;
	size_t count, room; /* blocks, and how many there is room for */
	size_t size;	    /* of all blocks as they came; all but the last are full */
	size_t memory;	    /* of all blocks as they are kept */
	char *plain;	    /* room for the block that is being read, or unpacked */
	/* NULL until there is so much that it is compressed */
	char *packed; /* room for a block */
	ZSTD_CCtx *packer;
	ZSTD_DCtx *unpacker;
};

static void *pages_new(size_t size)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? NULL : data;
}

static void block_drop(struct block *block)
{
	if (block->data)
		munmap(block->data, block->stored);
	block->data = NULL;
}

/* ------------------------------------------------------------------------ read */

static struct held *held_new(void)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->plain = malloc(BLOCK);
	if (held->plain)
		return held;
	held_free(held);
	return NULL;
}

void held_free(struct held *held)
{
	if (!held)
		return;
	for (size_t i = 0; i < held->count; i++)
		block_drop(&held->blocks[i]);
	ZSTD_freeCCtx(held->packer);
	ZSTD_freeDCtx(held->unpacker);
	free(held->packed);
	free(held->plain);
	free(held->blocks);
	free(held);
}

/* Compresses held->plain. Returns its new size, BLOCK if it can't be made smaller. */
static size_t pack(struct held *held)
{
	size_t room = ZSTD_compressBound(BLOCK), n;

	if (!held->packer) {
		held->packer = ZSTD_createCCtx();
		held->unpacker = ZSTD_createDCtx();
		held->packed = malloc(room);
	}
	if (!held->packer || !held->unpacker || !held->packed)
		return BLOCK;
	n = ZSTD_compressCCtx(held->packer, held->packed, room, held->plain, BLOCK, 1);
	return ZSTD_isError(n) || n >= BLOCK ? BLOCK : n;
}

static int make_room(struct held *held)
{
	size_t room = held->room ? 2 * held->room : 64;
	struct block *blocks;

	if (held->count == BLOCKS_MAX || held->memory > MEMORY_MAX)
		return -EBADMSG;
	if (held->count < held->room)
		return 0;
	blocks = realloc(held->blocks, room * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	held->blocks = blocks;
	held->room = room;
	return 0;
}

/* Keeps n bytes of held->plain as the next block. */
static int keep_block(struct held *held, size_t n)
{
	int err = make_room(held);
	struct block block;

	if (err)
		return err;
	block.stored = n == BLOCK && held->count >= PLAIN_BLOCKS ? pack(held) : BLOCK;
	block.data = pages_new(block.stored);
	if (!block.data)
		return -ENOMEM;
	if (block.stored < BLOCK)
		memcpy(block.data, held->packed, block.stored);
	else
		memcpy(block.data, held->plain, n);
	held->blocks[held->count++] = block;
	held->memory += block.stored;
	return 0;
}

static int append(struct held *held, const char *data, size_t size)
{
	int err = 0;

	while (size && !err) {
		size_t used = held->size % BLOCK;
		size_t n = size < BLOCK - used ? size : BLOCK - used;

		memcpy(held->plain + used, data, n);
		held->size += n;
		data += n;
		size -= n;
		if (held->size % BLOCK == 0)
			err = keep_block(held, BLOCK);
	}
	return err;
}

int held_read(struct source *source, struct held **held_out, struct error *error)
{
	struct held *held = held_new();
	const void *block;
	ssize_t n = 0;
	int err = held ? 0 : -ENOMEM;

	while (!err && (n = source->next(source, &block, error)) > 0)
		err = append(held, block, (size_t)n);
	if (!err && !n && held->size % BLOCK)
		err = keep_block(held, held->size % BLOCK);
	if (err == -EBADMSG)
		error_set(error, err,
			  "cannot read %s: it is larger than any kernel image: give a vmlinux",
			  source->name);
	else if (err)
		error_set(error, err, "cannot read %s: no memory: free some", source->name);
	else if (n < 0)
		err = (int)n;
	if (err)
		held_free(held);
	else
		*held_out = held;
	return err;
}

size_t held_size(const struct held *held)
{
	return held->size;
}

/* ------------------------------------------------------------------------ copy */

/* n bytes of a block, from at on. */
static bool copy_block(const struct held *held, const struct block *block, size_t at, size_t n,
		       char *out)
{
	bool whole = at == 0 && n == BLOCK;
	char *plain = whole ? out : held->plain;

	if (!block->data)
		return false;
	if (block->stored == BLOCK) {
		memcpy(out, (char *)block->data + at, n);
		return true;
	}
	if (ZSTD_decompressDCtx(held->unpacker, plain, BLOCK, block->data, block->stored) != BLOCK)
		return false;
	if (!whole)
		memcpy(out, plain + at, n);
	return true;
}

bool held_copy(const struct held *held, size_t at, size_t size, void *out)
{
	char *to = out;

	if (at > held->size || size > held->size - at)
		return false;
	while (size) {
		size_t n = BLOCK - at % BLOCK;

		if (n > size)
			n = size;
		if (!copy_block(held, &held->blocks[at / BLOCK], at % BLOCK, n, to))
			return false;
		at += n;
		to += n;
		size -= n;
	}
	return true;
}

bool held_take(struct held *held, size_t at, size_t size, void *out)
{
	size_t done = 0;

	while (done < size) {
		size_t n = size - done < BLOCK ? size - done : BLOCK;

		if (!held_copy(held, at + done, n, (char *)out + done))
			return false;
		done += n;
		held_drop(held, at, done);
	}
	return true;
}

void held_drop(struct held *held, size_t at, size_t size)
{
	size_t first = at / BLOCK + !!(at % BLOCK), end;

	if (at > held->size || size > held->size - at)
		return;
	end = (at + size) / BLOCK;
	for (size_t i = first; i < end; i++)
		block_drop(&held->blocks[i]);
}
