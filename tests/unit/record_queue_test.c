// SPDX-License-Identifier: Apache-2.0
/* record_queue.c */
#include "record_queue.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_pop(struct record_queue *queue, const char *want)
{
	struct queued_record *record = record_queue_pop(queue);

	assert_non_null(record);
	assert_int_equal(record->size, strlen(want));
	assert_memory_equal(record->bytes, want, record->size);
	assert_int_equal((uintptr_t)record->bytes % 8, 0);
	free(record);
}

static void records_come_out_in_their_order(void **state)
{
	struct record_queue queue = {0};

	(void)state;
	assert_null(record_queue_pop(&queue));
	record_queue_push(&queue, "one", 3, 100);
	record_queue_push(&queue, "three", 5, 100);
	assert_pop(&queue, "one");
	record_queue_push(&queue, "", 0, 100);
	record_queue_push(&queue, "last", 4, 100);
	assert_pop(&queue, "three");
	assert_pop(&queue, "");
	assert_pop(&queue, "last");
	assert_null(record_queue_pop(&queue));
	assert_int_equal(queue.bytes, 0);
	assert_int_equal(queue.refused, 0);
}

static void what_there_is_no_room_for_is_counted(void **state)
{
	struct record_queue queue = {0};

	(void)state;
	record_queue_push(&queue, "12345", 5, 8);
	record_queue_push(&queue, "6789", 4, 8);
	record_queue_push(&queue, "678", 3, 8);
	record_queue_push(&queue, "123456789", 9, 8);
	assert_int_equal(queue.refused, 2);
	assert_pop(&queue, "12345");
	record_queue_push(&queue, "abcde", 5, 8);
	assert_int_equal(queue.refused, 2);
	record_queue_clear(&queue);
	assert_int_equal(queue.refused, 0);
	assert_null(record_queue_pop(&queue));
	record_queue_clear(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_in_their_order),
		cmocka_unit_test(what_there_is_no_room_for_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
