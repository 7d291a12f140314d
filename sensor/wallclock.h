/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel clocks to wall time: a boot or monotonic time plus an offset that NTP may move. */
#ifndef CORMORANT_WALLCLOCK_H
#define CORMORANT_WALLCLOCK_H

#include "text.h"

struct wallclock {
	int64_t boot;	   /* ns to add to the kernel's boot clock */
	int64_t monotonic; /* ns to add to the kernel's monotonic clock */
	/* What this process's own time namespace adds to those clocks when it reads them. */
	int64_t shifted_boot;
	int64_t shifted_monotonic;
};

/* Reads the time namespace's offsets and measures. */
void wallclock_open(struct wallclock *clock);

/*
 * Measures the offsets anew. One that moved by less than a millisecond is kept, so
 * that the same kernel time always gives the same wall time.
 */
void wallclock_update(struct wallclock *clock);

/* Wall time, ns since the epoch, of a boot clock time. */
static inline int64_t wallclock_boot(const struct wallclock *clock, uint64_t ns)
{
	return (int64_t)(ns + (uint64_t)clock->boot); /* wraps, whatever the record says */
}

static inline int64_t wallclock_monotonic(const struct wallclock *clock, uint64_t ns)
{
	return (int64_t)(ns + (uint64_t)clock->monotonic);
}

/* The two clocks are read one after the other: less than this is no suspend. */
enum { WALLCLOCK_SUSPENDED_NS = 20000000 };

/* How long the host has been suspended since it was booted, ns: what the boot clock is ahead. */
static inline int64_t wallclock_suspended(const struct wallclock *clock)
{
	return clock->monotonic - clock->boot;
}

/* Appends ns since the epoch as RFC 3339 in UTC with nanoseconds. */
void wallclock_rfc3339(struct text *t, int64_t ns);

/* ns to ms, rounded down also before 1970. */
int64_t wallclock_ms(int64_t ns);

#endif
