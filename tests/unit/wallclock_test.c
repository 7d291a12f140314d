// SPDX-License-Identifier: Apache-2.0
/* wallclock.c against gmtime_r, strftime and the kernel's clocks. */
#include "builder.h"
#include "wallclock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NS INT64_C(1000000000)

/* Floor division, as RFC 3339's fraction and OCSF's milliseconds want it before 1970 too. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static void assert_rfc3339(int64_t ns)
{
	time_t seconds = floor_div(ns, NS);
	char want[64], date[40];
	struct text got = {0};
	struct tm tm;

	assert_non_null(gmtime_r(&seconds, &tm));
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(want, sizeof(want), "%s.%09" PRId64 "Z", date, (ns % NS + NS) % NS);
	wallclock_rfc3339(&got, ns);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
	text_free(&got);
}

static void a_known_time_is_written_as_rfc_3339(void **state)
{
	struct text got = {0};

	(void)state;
	/* date -u -d @1690007200 */
	wallclock_rfc3339(&got, 1690007200000000009LL);
	assert_int_equal(got.len, 30);
	assert_memory_equal(got.data, "2023-07-22T06:26:40.000000009Z", 30);
	text_free(&got);
}

static void every_day_is_that_of_gmtime(void **state)
{
	(void)state;
	/* 1678 to 2261: all that 64-bit nanoseconds hold. */
	for (int64_t day = -106600; day <= 106600; day++) {
		assert_rfc3339(day * 86400 * NS);
		assert_rfc3339(day * 86400 * NS - 1);
	}
}

static void random_times_are_those_of_gmtime(void **state)
{
	struct dice dice = {5};

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_rfc3339((int64_t)dice_roll(&dice));
	assert_rfc3339(INT64_MAX);
	assert_rfc3339(0);
	assert_rfc3339(-1);
}

static void milliseconds_are_rounded_down(void **state)
{
	struct dice dice = {6};

	(void)state;
	assert_int_equal(wallclock_ms(0), 0);
	assert_int_equal(wallclock_ms(999999), 0);
	assert_int_equal(wallclock_ms(1000000), 1);
	assert_int_equal(wallclock_ms(-1), -1);
	assert_int_equal(wallclock_ms(-1000000), -1);
	assert_int_equal(wallclock_ms(-1000001), -2);
	for (int i = 0; i < 10000; i++) {
		int64_t ns = (int64_t)dice_roll(&dice);

		assert_true(wallclock_ms(ns) == floor_div(ns, 1000000));
	}
}

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

static void a_kernel_time_becomes_the_wall_time_of_that_moment(void **state)
{
	struct wallclock clock = {0};
	int64_t boot, monotonic, real;

	(void)state;
	wallclock_update(&clock);
	boot = wallclock_boot(&clock, (uint64_t)now(CLOCK_BOOTTIME));
	monotonic = wallclock_monotonic(&clock, (uint64_t)now(CLOCK_MONOTONIC));
	real = now(CLOCK_REALTIME);
	assert_true(real - boot < 100000000 && boot - real < 100000000);
	assert_true(real - monotonic < 100000000 && monotonic - real < 100000000);
}

static void an_offset_that_hardly_moved_is_kept_and_a_step_is_followed(void **state)
{
	struct wallclock first = {0}, near, far;

	(void)state;
	wallclock_update(&first);
	near = first;
	near.boot += 300000;
	near.monotonic -= 300000;
	far = near;
	wallclock_update(&near);
	assert_true(near.boot == first.boot + 300000);
	assert_true(near.monotonic == first.monotonic - 300000);
	far.boot += 3600 * NS;
	far.monotonic -= 3600 * NS;
	wallclock_update(&far);
	assert_true(far.boot - first.boot < 50000000 && first.boot - far.boot < 50000000);
	assert_true(far.monotonic - first.monotonic < 50000000 &&
		    first.monotonic - far.monotonic < 50000000);
}

static void the_first_second_of_all_is_written_too(void **state)
{
	(void)state;
	assert_rfc3339(INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_time_is_written_as_rfc_3339),
		cmocka_unit_test(every_day_is_that_of_gmtime),
		cmocka_unit_test(random_times_are_those_of_gmtime),
		cmocka_unit_test(milliseconds_are_rounded_down),
		cmocka_unit_test(a_kernel_time_becomes_the_wall_time_of_that_moment),
		cmocka_unit_test(an_offset_that_hardly_moved_is_kept_and_a_step_is_followed),
		cmocka_unit_test(the_first_second_of_all_is_written_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
