// SPDX-License-Identifier: Apache-2.0
#include "wallclock.h"

#include <stdio.h>
#include <time.h>

#include "proc.h"

#define NS_PER_S 1000000000LL

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* CLOCK_REALTIME - id, from the tightest of three measurements. */
static int64_t offset_from(clockid_t id)
{
	int64_t best = INT64_MAX, offset = 0;

	for (int i = 0; i < 3; i++) {
		int64_t before = now(id), real = now(CLOCK_REALTIME), after = now(id);

		if (after - before < best) {
			best = after - before;
			offset = real - (before + (after - before) / 2);
		}
	}
	return offset;
}

static void update(int64_t *offset, int64_t measured)
{
	if (measured - *offset > 1000000 || *offset - measured > 1000000)
		*offset = measured;
}

void wallclock_update(struct wallclock *clock)
{
	update(&clock->boot, offset_from(CLOCK_BOOTTIME) + clock->shifted_boot);
	update(&clock->monotonic, offset_from(CLOCK_MONOTONIC) + clock->shifted_monotonic);
}

/*
 * time_namespaces(7): lines of CLOCK SECONDS NANOSECONDS. None without time namespaces. They are
 * those that this process's children get, which may have been asked for without being its own.
 */
void wallclock_open(struct wallclock *clock)
{
	FILE *f = proc_is_initial("time") == 1 ? NULL : fopen("/proc/self/timens_offsets", "re");
	long long seconds, ns;
	char name[32];

	*clock = (struct wallclock){0};
	while (f && fscanf(f, "%31s %lld %lld", name, &seconds, &ns) == 3) {
		if (!strcmp(name, "boottime"))
			clock->shifted_boot = seconds * NS_PER_S + ns;
		else if (!strcmp(name, "monotonic"))
			clock->shifted_monotonic = seconds * NS_PER_S + ns;
	}
	if (f)
		fclose(f);
	wallclock_update(clock);
}

int64_t wallclock_ms(int64_t ns)
{
	return ns / 1000000 - (ns % 1000000 < 0);
}

/* Days since 1970-01-01 to a civil date (Howard Hinnant's days algorithm, proleptic Gregorian). */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t era, z = days + 719468;
	unsigned doe, yoe, doy, mp;

	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

void wallclock_rfc3339(struct text *t, int64_t ns)
{
	int64_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0), year;
	int64_t rest = ns % NS_PER_S < 0 ? ns % NS_PER_S + NS_PER_S : ns % NS_PER_S;
	int64_t days = seconds / 86400 - (seconds % 86400 < 0);
	unsigned left = (unsigned)(seconds - days * 86400), month, day;

	civil(days, &year, &month, &day);
	text_padded(t, (uint64_t)year, 4);
	text_char(t, '-');
	text_padded(t, month, 2);
	text_char(t, '-');
	text_padded(t, day, 2);
	text_char(t, 'T');
	text_padded(t, left / 3600, 2);
	text_char(t, ':');
	text_padded(t, left / 60 % 60, 2);
	text_char(t, ':');
	text_padded(t, left % 60, 2);
	text_char(t, '.');
	text_padded(t, (uint64_t)rest, 9);
	text_char(t, 'Z');
}
