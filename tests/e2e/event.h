// SPDX-License-Identifier: Apache-2.0
/* The events a sensor has printed: read as they come, found by pid, looked into by dotted path. */
#ifndef E2E_EVENT_H
#define E2E_EVENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct event_log {
	int fd;
	int copy_fd;		/* E2E_EVENTS, or -1 */
	unsigned int copy_every;	/* of so many events one is copied; 0 is all of them */
	char *partial;		/* the line that is not whole yet */
	size_t partial_len;
	struct json_object **events;
	size_t n;
	uint64_t total;		/* lines since the start, events_forget or not */
	uint64_t bad_lines;	/* not one JSON object, or not valid UTF-8 */
	uint64_t bad_sequence;	/* metadata.sequence was not the number of the line */
	uint64_t bad_uid;	/* metadata.uid not a UUIDv7, or that of the event before */
	uint64_t bad_order;	/* so much older than one before it that it should not have come behind it */
	int64_t latest_ms;
	char last_uid[40];
};

/* Reads what is or will be in the file. */
void event_log_open(struct event_log *log, const char *path);
void event_log_close(struct event_log *log);
/* Takes in what has come since; true if there was something. */
bool event_log_poll(struct event_log *log);
/* Drops the events held, not the counts. */
void event_log_forget(struct event_log *log);

/* Waits for the event of an exec by pid whose argv has the marker (NULL: any argv). NULL when the patience ends. */
struct json_object *event_log_wait(struct event_log *log, pid_t pid, const char *marker);
/* How many of the events held are of this pid. */
size_t event_log_count(const struct event_log *log, pid_t pid);

/* "process.parent_process.name" of the event, NULL if there is no such attribute. */
struct json_object *event_get(struct json_object *event, const char *path);
/* NULL if absent or no string. */
const char *event_text(struct json_object *event, const char *path);
bool event_has_argument(struct json_object *event, const char *argument);
/* process.xattributes.from_proc names the attribute (its path below process) or an object it is in. */
bool event_is_from_proc(struct json_object *event, const char *name);

#endif
