/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinks: where finished lines go. A line is accepted when the last of its bytes has
 * been written.
 */
#ifndef CORMORANT_SINK_H
#define CORMORANT_SINK_H

#include "text.h"

struct sink;

/*
 * stop_fd: readable when the sensor is asked to stop; a reader that does not read is
 * then waited for one second more and no longer. -1: wait for ever.
 *
 * Opens "stdout" or "file:PATH" (created 0600, appended to). Returns 0 and *sink, or
 * a negative errno with a message of what failed, why and what to do in error. -EINVAL:
 * not a sink's name.
 */
int sink_open(const char *name, int stop_fd, struct sink **sink, struct text *error);

/* NULL is allowed. */
void sink_close(struct sink *sink);

/*
 * Writes whole lines, count of them. *accepted: how many were written, from the first
 * on. Returns 0, or a negative errno with a message in error the first time in a row
 * that it fails. -EPIPE: the reader has gone, for good.
 */
int sink_write(struct sink *sink, const struct text *lines, uint64_t count, uint64_t *accepted,
	       struct text *error);

/* Descriptor to watch for the reader's end (EPOLLERR), -1 if it is no pipe or socket. */
int sink_watch_fd(const struct sink *sink);

#endif
