/* SPDX-License-Identifier: Apache-2.0 */
/* Pretty: one exec as one line for a person: time, user, pid, ppid, command, container. */
#ifndef CORMORANT_PRETTY_H
#define CORMORANT_PRETTY_H

#include "record.h"
#include "wallclock.h"

struct pretty;

/* colour: write terminal colours. Returns NULL without memory. */
struct pretty *pretty_open(bool colour);
void pretty_close(struct pretty *pretty);

/* Appends the column titles, without a newline. */
void pretty_title(const struct pretty *pretty, struct text *out);

/*
 * Appends the event, without a newline. No byte of the process's own reaches the
 * terminal as a control character.
 */
void pretty_write(struct pretty *pretty, const struct wallclock *clock,
		  const struct exec_event *event, struct text *out);

#endif
