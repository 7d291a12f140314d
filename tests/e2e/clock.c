// SPDX-License-Identifier: Apache-2.0
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_realtime_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

void clock_sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

unsigned int clock_patience_s(void)
{
	const char *text = getenv("E2E_TIMEOUT");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? (unsigned int)seconds : 30;
}

uint64_t clock_deadline(unsigned int seconds)
{
	return clock_monotonic_ns() + seconds * NS_PER_S;
}

bool clock_passed(uint64_t deadline)
{
	return clock_monotonic_ns() >= deadline;
}

bool clock_wait_child(pid_t pid, int *status, uint64_t deadline)
{
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 && !clock_passed(deadline))
		clock_sleep_ms(1);
	/* ECHILD: somebody else reaped it, which is an end too. */
	return got == pid || (got < 0 && errno == ECHILD);
}
