// SPDX-License-Identifier: Apache-2.0
#include "pretty.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NAMES = 256, NAME_MAX_BYTES = 32, USER_WIDTH = 10 };

/* uid to name, direct-mapped. */
struct user_name {
	bool used;
	uint32_t uid;
	char name[NAME_MAX_BYTES];
};

struct pretty {
	bool colour;
	struct user_name names[NAMES];
};

struct pretty *pretty_open(bool colour)
{
	struct pretty *pretty = calloc(1, sizeof(*pretty));

	if (pretty)
		pretty->colour = colour;
	return pretty;
}

void pretty_close(struct pretty *pretty)
{
	free(pretty);
}

/*
 * The name in /etc/passwd: read directly, since a name service may ask the network,
 * and the sensor must not wait for it.
 */
static void find_name(uint32_t uid, char *name, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *entry;

	snprintf(name, size, "%u", uid);
	while (f && (entry = fgetpwent(f))) {
		if (entry->pw_uid == uid) {
			snprintf(name, size, "%s", entry->pw_name);
			break;
		}
	}
	if (f)
		fclose(f);
}

static const char *user_name(struct pretty *pretty, uint32_t uid)
{
	struct user_name *slot = &pretty->names[uid % NAMES];

	if (!slot->used || slot->uid != uid) {
		slot->used = true;
		slot->uid = uid;
		find_name(uid, slot->name, sizeof(slot->name));
	}
	return slot->name;
}

static void colour(const struct pretty *pretty, struct text *out, const char *code)
{
	if (pretty->colour)
		text_format(out, "\x1b[%sm", code);
}

/*
 * A character of step bytes that a terminal obeys or that turns a line round: controls,
 * line and paragraph separators, bidirectional overrides and isolates.
 */
static bool is_control(const unsigned char *at, int step)
{
	if (step == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	if (step == 2)
		return at[0] == 0xc2 && at[1] < 0xa0;
	return step == 3 && at[0] == 0xe2 &&
	       ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
		(at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

/* True if any of it is a control, or no text at all. */
static bool needs_escape(struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.data;
	size_t left = s.len;

	while (left) {
		int step = utf8_step(at, left);

		if (step < 0 || is_control(at, step))
			return true;
		at += step;
		left -= (size_t)step;
	}
	return false;
}

static void escaped_byte(struct text *out, unsigned char c)
{
	switch (c) {
	case '\n': text_str(out, "\\n"); break;
	case '\t': text_str(out, "\\t"); break;
	case '\r': text_str(out, "\\r"); break;
	case '\'': text_str(out, "\\'"); break;
	case '\\': text_str(out, "\\\\"); break;
	default: text_format(out, "\\x%02x", c);
	}
}

/* The characters of s that are text as they are, all else as C escapes. */
static void put_escaped(struct text *out, struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.data;
	size_t left = s.len;
	int step;

	while (left) {
		step = utf8_step(at, left);
		if (step > 0 && !is_control(at, step) && at[0] != '\'' && at[0] != '\\')
			text_bytes(out, at, (size_t)step);
		else
			for (int i = 0; i < (step < 0 ? -step : step); i++)
				escaped_byte(out, at[i]);
		at += step < 0 ? -step : step;
		left -= (size_t)(step < 0 ? -step : step);
	}
}

/* An argument as a shell reads it: $'…' where it needs escapes. */
static void put_argument(struct text *out, struct slice s)
{
	const char *apostrophe;

	if (needs_escape(s)) {
		text_str(out, "$'");
		put_escaped(out, s);
		text_char(out, '\'');
	} else if (shell_plain(s)) {
		text_bytes(out, s.data, s.len);
	} else {
		text_char(out, '\'');
		while (s.len && (apostrophe = memchr(s.data, '\'', s.len))) {
			size_t n = (size_t)(apostrophe - s.data);

			text_bytes(out, s.data, n);
			text_str(out, "'\\''");
			s = (struct slice){s.data + n + 1, s.len - n - 1};
		}
		text_bytes(out, s.data, s.len);
		text_char(out, '\'');
	}
}

static void put_command(struct text *out, const struct exec_event *event)
{
	struct slice argv = event->argv, argument;
	bool first = true;

	if (!argv.len)
		put_argument(out, event->exe.data ? event->exe : event->exe_name);
	while (argv_next(&argv, &argument)) {
		if (!first)
			text_char(out, ' ');
		put_argument(out, argument);
		first = false;
	}
	if (event->argv_truncated)
		text_str(out, " …");
}

static void put_time(struct text *out, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	text_padded(out, (uint64_t)tm.tm_hour, 2);
	text_char(out, ':');
	text_padded(out, (uint64_t)tm.tm_min, 2);
	text_char(out, ':');
	text_padded(out, (uint64_t)tm.tm_sec, 2);
	text_char(out, '.');
	text_padded(out, (uint64_t)(ns / 1000000 % 1000), 3);
}

void pretty_title(const struct pretty *pretty, struct text *out)
{
	colour(pretty, out, "1");
	text_format(out, "%-12s %-*s %7s %7s  %s", "TIME", USER_WIDTH, "USER", "PID", "PPID",
		    "COMMAND");
	colour(pretty, out, "0");
}

void pretty_write(struct pretty *pretty, const struct wallclock *clock,
		  const struct exec_event *event, struct text *out)
{
	uint64_t at = event->head.time_ns;

	colour(pretty, out, "2");
	put_time(out, event->facts->flags & EXEC_CLOCK_MONOTONIC ? wallclock_monotonic(clock, at) :
								   wallclock_boot(clock, at));
	colour(pretty, out, event->head.uid ? "0;32" : "0;33");
	text_format(out, " %-*s", USER_WIDTH, user_name(pretty, event->head.uid));
	colour(pretty, out, "0");
	text_format(out, " %7u ", event->head.tgid);
	if (exec_knows(event, FACT_PPID))
		text_format(out, "%7u  ", event->head.ppid);
	else
		text_format(out, "%7s  ", "?");
	put_command(out, event);
	if (event->container.data) {
		colour(pretty, out, "36");
		text_format(out, "  [%s%s",
			    event->container_runtime ? event->container_runtime : "",
			    event->container_runtime ? ":" : "");
		put_escaped(out,
			    (struct slice){event->container.data,
					   event->container.len > 12 ? 12 : event->container.len});
		text_char(out, ']');
		colour(pretty, out, "0");
	}
}
