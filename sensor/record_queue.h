/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are kept for later, in their order. */
#ifndef CORMORANT_RECORD_QUEUE_H
#define CORMORANT_RECORD_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queued_record {
	struct queued_record *next;
	size_t size;
	uint64_t bytes[]; /* size bytes, 8-aligned as decoders want them */
};

/* Zero-initialised it is empty. */
struct record_queue {
	struct queued_record *first, *last;
	size_t bytes;
	uint64_t refused; /* records that there was no room for */
};

/* Keeps a copy, unless max_bytes would be passed or there is no memory: then it is refused. */
void record_queue_push(struct record_queue *queue, const void *data, size_t size, size_t max_bytes);

/* The first one, which becomes the caller's, who frees it; NULL if there is none. */
struct queued_record *record_queue_pop(struct record_queue *queue);

/* Frees all records, and forgets the refused ones. */
void record_queue_clear(struct record_queue *queue);

#endif
