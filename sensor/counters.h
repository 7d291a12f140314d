/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of a run: what was attempted, and where each event went. */
#ifndef CORMORANT_COUNTERS_H
#define CORMORANT_COUNTERS_H

#include "text.h"

/*
 * In every snapshot:
 *	attempted = received + lost_kernel + pending_kernel
 *	received = emitted + malformed_events + failed_sink + suppressed + pending_user
 */
struct counters {
	uint64_t attempted;	   /* the hook ran */
	uint64_t received;	   /* records taken from the kernel's buffer */
	uint64_t lost_kernel;	   /* attempted, but no whole record was handed over */
	uint64_t hook_missed;	   /* execs at which the kernel did not run the hook */
	uint64_t malformed_events; /* records that did not parse */
	uint64_t emitted;	   /* a sink has accepted it */
	uint64_t failed_sink;	   /* no sink has */
	uint64_t suppressed;	   /* received, but not asked for */
	uint64_t pending_kernel;   /* on the way in the kernel */
	uint64_t pending_user;	   /* received, not yet written */
};

/* Appends "attempted=N received=N …" in the order above. */
void counters_line(struct text *t, const struct counters *counters);

#endif
