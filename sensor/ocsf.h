/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCSF: an exec_event as one JSON object, OCSF 1.3.0 Process Activity: Launch.
 *
 * The hot path: bytes are appended straight to the caller's buffer, what is the same
 * in every event is made once, and no event allocates unless the buffer must grow.
 */
#ifndef CORMORANT_OCSF_H
#define CORMORANT_OCSF_H

#include "host.h"
#include "record.h"
#include "wallclock.h"

struct ocsf;

/* variant is the log_name. Returns NULL without memory. */
struct ocsf *ocsf_open(const struct host *host, const char *variant);
void ocsf_close(struct ocsf *ocsf);

/* Appends the event, without a newline. sequence is metadata.sequence. */
void ocsf_write(struct ocsf *ocsf, const struct wallclock *clock, const struct exec_event *event,
		uint64_t sequence, struct text *out);

/*
 * Appends the inside of a JSON string: the argv (arguments NUL-terminated) as a POSIX
 * shell would have to be given it, at most 65,535 characters.
 */
void ocsf_command_line(struct text *out, struct slice argv);

#endif
