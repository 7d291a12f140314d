// SPDX-License-Identifier: Apache-2.0
#include "record_queue.h"

#include <stdlib.h>
#include <string.h>

void record_queue_push(struct record_queue *queue, const void *data, size_t size, size_t max_bytes)
{
	struct queued_record *record = NULL;

	if (size <= max_bytes && queue->bytes <= max_bytes - size)
		record = malloc(sizeof(*record) + size);
	if (!record) {
		queue->refused++;
		return;
	}
	record->next = NULL;
	record->size = size;
	memcpy(record->bytes, data, size);
	if (queue->last)
		queue->last->next = record;
	else
		queue->first = record;
	queue->last = record;
	queue->bytes += size;
}

struct queued_record *record_queue_pop(struct record_queue *queue)
{
	struct queued_record *record = queue->first;

	if (!record)
		return NULL;
	queue->first = record->next;
	if (!queue->first)
		queue->last = NULL;
	queue->bytes -= record->size;
	return record;
}

void record_queue_clear(struct record_queue *queue)
{
	struct queued_record *record;

	while ((record = record_queue_pop(queue)))
		free(record);
	queue->refused = 0;
}
