/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may do, and giving up what it no longer needs. */
#ifndef CORMORANT_PRIVILEGE_H
#define CORMORANT_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True if loading would fail for want of a capability: missing then names it (static
 * words, comma-separated).
 */
bool privilege_missing(char *missing, size_t size);

/*
 * True if the kernel is locked down so far that BPF may not read its memory, which only
 * "confidentiality" forbids; mode then names it.
 */
bool privilege_lockdown(char *mode, size_t size);

/*
 * Once attached: keeps only what reading maps and other users' /proc needs, for good; with
 * perf_events also what opens a perf buffer for a CPU that comes online: CAP_PERFMON, or
 * CAP_SYS_ADMIN where perf_event_paranoid is above 2. Returns 0 or a negative errno.
 */
int privilege_drop(bool perf_events);

/*
 * For a child that reads what strangers send: gives up everything, for good. A root becomes
 * nobody, no capability is left, and no other process of nobody's may trace it. Returns 0 or
 * a negative errno: it then still may be what it was.
 */
int privilege_abandon(void);

#endif
