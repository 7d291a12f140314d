// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_WAIT_MS = 1000 };

struct sink {
	char *name;
	int fd;
	int stop_fd;
	bool owned;    /* fd is ours to close */
	bool regular;  /* a file: a half line can be taken back */
	bool socket;   /* non-blocking by the call, not by the descriptor */
	bool failing;  /* the last write failed: its error has been told */
	bool given_up; /* its reader was waited for in vain at the end */
};

static int open_fd(struct sink *sink, const char *name, struct text *error)
{
	static const char file[] = "file:";
	struct stat st;

	if (!strcmp(name, "stdout")) {
		/*
		 * A pipe or a terminal is opened anew, so that it can be non-blocking for us
		 * alone; what can't be (a closed descriptor, no /proc) is used as it is.
		 */
		sink->fd = -1;
		if (!fstat(STDOUT_FILENO, &st) && (S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
			sink->fd = open("/proc/self/fd/1",
					O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		sink->owned = sink->fd >= 0;
		if (sink->fd < 0)
			sink->fd = STDOUT_FILENO;
		return 0;
	}
	if (strncmp(name, file, sizeof(file) - 1) || !name[sizeof(file) - 1])
		return -EINVAL;
	sink->fd = open(name + sizeof(file) - 1,
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (sink->fd < 0) {
		int err = -errno;

		text_format(error,
			    "cannot open sink %s: %s: give a path in an existing directory "
			    "that this user may write to",
			    name, strerror(-err));
		return err;
	}
	sink->owned = true;
	return 0;
}

int sink_open(const char *name, int stop_fd, struct sink **sink_out, struct text *error)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	struct stat st;
	int err;

	if (!sink)
		return -ENOMEM;
	sink->fd = -1;
	sink->stop_fd = stop_fd;
	sink->name = strdup(name);
	err = sink->name ? open_fd(sink, name, error) : -ENOMEM;
	if (err) {
		sink_close(sink);
		return err;
	}
	if (!fstat(sink->fd, &st)) {
		sink->regular = S_ISREG(st.st_mode);
		sink->socket = S_ISSOCK(st.st_mode);
	}
	*sink_out = sink;
	return 0;
}

void sink_close(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->owned)
		close(sink->fd);
	free(sink->name);
	free(sink);
}

/* Waits for room behind a non-blocking descriptor, until it is time to stop. */
static int wait_writable(const struct sink *sink)
{
	struct pollfd p[2] = {{.fd = sink->fd, .events = POLLOUT},
			      {.fd = sink->stop_fd, .events = POLLIN}};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (p[0].revents || !p[1].revents)
		return 0;
	return poll(p, 1, STOP_WAIT_MS) > 0 ? 0 : -ETIMEDOUT;
}

static ssize_t write_some(const struct sink *sink, const char *data, size_t len)
{
	return sink->socket ? send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
			      write(sink->fd, data, len);
}

/* Returns how many bytes were written; *err says why not all. */
static size_t write_all(const struct sink *sink, const struct text *lines, int *err)
{
	size_t done = 0;
	ssize_t n;

	*err = 0;
	while (done < lines->len && !*err) {
		n = write_some(sink, lines->data + done, lines->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			*err = wait_writable(sink);
		else if (n == 0 || errno != EINTR)
			*err = n == 0 ? -EIO : -errno;
	}
	return done;
}

/* How many whole lines the first n bytes are, and where the last of them ends. */
static uint64_t whole_lines(const char *data, size_t n, size_t *end)
{
	const char *at = data, *nl;
	uint64_t lines = 0;

	while ((nl = memchr(at, '\n', n - (size_t)(at - data)))) {
		lines++;
		at = nl + 1;
	}
	*end = (size_t)(at - data);
	return lines;
}

/*
 * Takes a half-written line off a file's end, so that the next one starts a line. Only
 * if it is the end: others may write to the same file.
 */
static void take_back(const struct sink *sink, size_t bytes)
{
	off_t at = sink->regular ? lseek(sink->fd, 0, SEEK_CUR) : -1;

	if (!bytes || at < (off_t)bytes || lseek(sink->fd, 0, SEEK_END) != at)
		return;
	if (!ftruncate(sink->fd, at - (off_t)bytes))
		(void)lseek(sink->fd, at - (off_t)bytes, SEEK_SET);
}

static void tell(struct sink *sink, int err, uint64_t failed, struct text *error)
{
	if (sink->failing || err == -EPIPE)
		return;
	text_format(error,
		    "cannot write to sink %s: %s: %llu event(s) not written, counted in "
		    "failed_sink; %s",
		    sink->name, strerror(-err), (unsigned long long)failed,
		    err == -ENOSPC ? "make room, later events are tried again" :
				     "later events are tried again");
}

int sink_write(struct sink *sink, const struct text *lines, uint64_t count, uint64_t *accepted,
	       struct text *error)
{
	size_t end;
	int err;
	size_t done;

	*accepted = 0;
	if (sink->given_up)
		return -ETIMEDOUT;
	done = write_all(sink, lines, &err);
	*accepted = count;
	if (err) {
		*accepted = whole_lines(lines->data, done, &end);
		take_back(sink, done - end);
		tell(sink, err, count - *accepted, error);
	}
	sink->failing = err != 0;
	sink->given_up = err == -ETIMEDOUT;
	return err;
}

int sink_watch_fd(const struct sink *sink)
{
	struct stat st;

	if (fstat(sink->fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return -1;
	return sink->fd;
}
