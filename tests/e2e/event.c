// SPDX-License-Identifier: Apache-2.0
#include "event.h"
#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void event_log_open(struct event_log *log, const char *path)
{
	const char *copy = getenv("E2E_EVENTS");

	*log = (struct event_log){ .fd = -1, .copy_fd = -1 };
	log->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_return_code(log->fd, errno);
	if (copy && *copy) {
		log->copy_fd = open(copy, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		assert_return_code(log->copy_fd, errno);
	}
}

void event_log_forget(struct event_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		json_object_put(log->events[i]);
	log->n = 0;
}

void event_log_close(struct event_log *log)
{
	event_log_forget(log);
	free(log->events);
	free(log->partial);
	if (log->fd >= 0)
		close(log->fd);
	if (log->copy_fd >= 0)
		close(log->copy_fd);
	*log = (struct event_log){ .fd = -1, .copy_fd = -1 };
}

/* 8-4-4-4-12 hex digits, version 7, variant 10. */
static bool event_is_uuid7(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return i == 36 && text[14] == '7' && strchr("89abAB", text[19]);
}

static void event_log_check_metadata(struct event_log *log, struct json_object *event)
{
	struct json_object *sequence = event_get(event, "metadata.sequence");
	const char *uid = event_text(event, "metadata.uid");

	if (!json_object_is_type(sequence, json_type_int) || (uint64_t)json_object_get_int64(sequence) != log->total) {
		if (!log->bad_sequence++)
			print_error("line %llu has metadata.sequence %s\n", (unsigned long long)log->total,
				    json_object_get_string(sequence));
	}
	if (!uid || !event_is_uuid7(uid) || strcmp(uid, log->last_uid) == 0) {
		if (!log->bad_uid++)
			print_error("metadata.uid %s after %s\n", uid ? uid : "absent", log->last_uid);
	} else {
		snprintf(log->last_uid, sizeof(log->last_uid), "%s", uid);
	}
}

static struct json_object *event_parse(const char *line, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *event;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	event = json_tokener_parse_ex(tok, line, (int)len + 1);
	if (json_tokener_get_error(tok) != json_tokener_success || json_tokener_get_parse_end(tok) != len ||
	    !json_object_is_type(event, json_type_object)) {
		json_object_put(event);
		event = NULL;
	}
	json_tokener_free(tok);
	return event;
}

/* line ends with a NUL where its newline was. */
static void event_log_add(struct event_log *log, char *line, size_t len)
{
	struct json_object *event = event_parse(line, len);

	log->total++;
	if (log->copy_fd >= 0 && (!log->copy_every || log->total % log->copy_every == 0)) {
		line[len] = '\n';
		if (write(log->copy_fd, line, len + 1) != (ssize_t)len + 1)
			print_error("E2E_EVENTS: %s\n", strerror(errno));
	}
	if (!event) {
		if (!log->bad_lines++)
			print_error("line %llu is not one JSON object: %.300s\n", (unsigned long long)log->total, line);
		return;
	}
	event_log_check_metadata(log, event);
	log->events = realloc(log->events, (log->n + 1) * sizeof(struct json_object *));
	if (!log->events)
		abort();
	log->events[log->n++] = event;
}

/* Cuts the whole lines off the front of what was read. */
static void event_log_split(struct event_log *log, size_t searched)
{
	char *start = log->partial, *end = log->partial + log->partial_len, *newline;

	for (char *from = start + searched; (newline = memchr(from, '\n', (size_t)(end - from)));) {
		*newline = '\0';
		event_log_add(log, start, (size_t)(newline - start));
		start = from = newline + 1;
	}
	log->partial_len = (size_t)(end - start);
	memmove(log->partial, start, log->partial_len);
}

bool event_log_poll(struct event_log *log)
{
	char buf[65536];
	ssize_t n;
	bool any = false;

	while (log->fd >= 0 && (n = read(log->fd, buf, sizeof(buf))) > 0) {
		size_t searched = log->partial_len;

		any = true;
		log->partial = realloc(log->partial, searched + (size_t)n);
		if (!log->partial)
			abort();
		memcpy(log->partial + searched, buf, (size_t)n);
		log->partial_len += (size_t)n;
		event_log_split(log, searched);
	}
	return any;
}

static struct json_object *event_log_find(const struct event_log *log, size_t from, pid_t pid, const char *marker)
{
	for (size_t i = from; i < log->n; i++) {
		struct json_object *at = event_get(log->events[i], "process.pid");

		if (at && json_object_get_int64(at) == pid && (!marker || event_has_argument(log->events[i], marker)))
			return log->events[i];
	}
	return NULL;
}

struct json_object *event_log_wait(struct event_log *log, pid_t pid, const char *marker)
{
	uint64_t deadline = clock_deadline(clock_patience_s());
	struct json_object *event;
	size_t seen = 0;

	for (;;) {
		event_log_poll(log);
		event = event_log_find(log, seen, pid, marker);
		if (event || clock_passed(deadline))
			return event;
		seen = log->n;
		clock_sleep_ms(1);
	}
}

size_t event_log_count(const struct event_log *log, pid_t pid)
{
	size_t count = 0;

	for (size_t i = 0; i < log->n; i++) {
		struct json_object *at = event_get(log->events[i], "process.pid");

		count += at && json_object_get_int64(at) == pid;
	}
	return count;
}

struct json_object *event_get(struct json_object *event, const char *path)
{
	char key[64];
	size_t len;

	for (; event; path += len + 1) {
		len = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		if (!json_object_is_type(event, json_type_object) || !json_object_object_get_ex(event, key, &event))
			return NULL;
		if (!path[len])
			return event;
	}
	return NULL;
}

const char *event_text(struct json_object *event, const char *path)
{
	struct json_object *value = event_get(event, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

bool event_has_argument(struct json_object *event, const char *argument)
{
	struct json_object *argv = event_get(event, "process.xattributes.argv");

	if (!json_object_is_type(argv, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(argv); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(argv, i)), argument))
			return true;
	return false;
}

bool event_is_from_proc(struct json_object *event, const char *name)
{
	struct json_object *list = event_get(event, "process.xattributes.from_proc");

	for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
		const char *named = json_object_get_string(json_object_array_get_idx(list, i));
		size_t len = strlen(named);

		if (!strncmp(name, named, len) && (!name[len] || name[len] == '.'))
			return true;
	}
	return false;
}
