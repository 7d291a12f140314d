// SPDX-License-Identifier: Apache-2.0
/* Clocks in nanoseconds, and waits that always end. */
#ifndef E2E_CLOCK_H
#define E2E_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

uint64_t clock_realtime_ns(void);
uint64_t clock_monotonic_ns(void);
void clock_sleep_ms(unsigned int ms);

/* How long a test waits for what should happen at once: 30 s, or E2E_TIMEOUT seconds. Emulated machines are slow. */
unsigned int clock_patience_s(void);
uint64_t clock_deadline(unsigned int seconds);
bool clock_passed(uint64_t deadline);

/* Waits for a child until the deadline. false: it still runs. */
bool clock_wait_child(pid_t pid, int *status, uint64_t deadline);

#endif
