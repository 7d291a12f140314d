// SPDX-License-Identifier: Apache-2.0
/* sink.c on real files, pipes, a full device and a full file system. */
#include "builder.h"
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/cormorant-sink-test.XXXXXX";

static char *path_in(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static struct sink *open_sink(const char *name, int stop_fd)
{
	struct text error = {0};
	struct sink *sink = NULL;

	assert_int_equal(sink_open(name, stop_fd, &sink, &error), 0);
	assert_int_equal(error.len, 0);
	text_free(&error);
	return sink;
}

static struct sink *open_file(const char *path, int stop_fd)
{
	struct sink *sink;
	char *name;

	assert_true(asprintf(&name, "file:%s", path) > 0);
	sink = open_sink(name, stop_fd);
	free(name);
	return sink;
}

/* Lines of n bytes each, newline included, numbered. */
static struct text lines_of(unsigned first, unsigned count, size_t n)
{
	struct text lines = {0};

	for (unsigned i = first; i < first + count; i++) {
		size_t start = lines.len;

		text_format(&lines, "%08u", i);
		while (lines.len - start < n - 1)
			text_char(&lines, (char)('a' + i % 26));
		text_char(&lines, '\n');
	}
	return lines;
}

static int put(struct sink *sink, const struct text *lines, uint64_t count, uint64_t *accepted,
	       struct text *error)
{
	text_clear(error);
	*accepted = 12345;
	return sink_write(sink, lines, count, accepted, error);
}

static struct text read_file(const char *path)
{
	struct text all = {0};
	char chunk[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		text_bytes(&all, chunk, (size_t)n);
	close(fd);
	return all;
}

static void a_file_is_made_private_and_appended_to(void **state)
{
	char *path = path_in("new");
	struct text lines = lines_of(1, 3, 20), more = lines_of(4, 1, 30), error = {0}, got;
	uint64_t accepted;
	struct sink *sink;
	struct stat st;

	(void)state;
	umask(0);
	for (int i = 0; i < 2; i++) {
		sink = open_file(path, -1);
		assert_int_equal(put(sink, i ? &more : &lines, i ? 1 : 3, &accepted, &error), 0);
		assert_int_equal(accepted, i ? 1 : 3);
		assert_int_equal(sink_watch_fd(sink), -1);
		sink_close(sink);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	got = read_file(path);
	text_bytes(&lines, more.data, more.len);
	assert_int_equal(got.len, lines.len);
	assert_memory_equal(got.data, lines.data, got.len);
	text_free(&got);
	text_free(&lines);
	text_free(&more);
	text_free(&error);
	free(path);
	sink_close(NULL);
}

static void a_name_that_is_no_sink_is_refused(void **state)
{
	static const char *const names[] = {"", "file", "file:", "stdou", "stdout ", "tcp:x", "/tmp/x"};
	struct text error = {0};
	struct sink *sink;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sink_open(names[i], -1, &sink, &error), -EINVAL);
	text_free(&error);
}

/* What failed: why: what to do. */
static void assert_three_parts(struct text *error, const char *name, int err)
{
	char want[512];
	const char *why;

	snprintf(want, sizeof(want), "%s: %s: ", name, strerror(err));
	text_char(error, 0);
	why = strstr(error->data, want);
	assert_non_null(why);
	assert_true(why > error->data);
	assert_true(strlen(why) > strlen(want) + 5);
	assert_null(strchr(error->data, '\n'));
}

static void a_path_that_cannot_be_opened_says_why_and_what_to_do(void **state)
{
	char *path = path_in("no/such/dir"), *name;
	struct text error = {0};
	struct sink *sink;

	(void)state;
	assert_true(asprintf(&name, "file:%s", path) > 0);
	assert_int_equal(sink_open(name, -1, &sink, &error), -ENOENT);
	assert_three_parts(&error, name, ENOENT);
	text_clear(&error);
	free(name);
	assert_true(asprintf(&name, "file:%s", directory) > 0);
	assert_int_equal(sink_open(name, -1, &sink, &error), -EISDIR);
	assert_three_parts(&error, name, EISDIR);
	text_free(&error);
	free(name);
	free(path);
}

static void a_full_device_accepts_nothing_and_is_told_once(void **state)
{
	struct sink *sink = open_file("/dev/full", -1);
	struct text lines = lines_of(1, 7, 100), error = {0};
	uint64_t accepted;

	(void)state;
	assert_int_equal(put(sink, &lines, 7, &accepted, &error), -ENOSPC);
	assert_int_equal(accepted, 0);
	assert_three_parts(&error, "file:/dev/full", ENOSPC);
	assert_int_equal(put(sink, &lines, 7, &accepted, &error), -ENOSPC);
	assert_int_equal(accepted, 0);
	assert_int_equal(error.len, 0);
	sink_close(sink);
	text_free(&lines);
	text_free(&error);
}

/* ------------------------------------------------------------------ stdout, a pipe */

/* Runs body in a child whose stdout is fd, so that the test's own stays; 0 is success. */
static int in_child_with_stdout(int fd, int (*body)(void *argument), void *argument, unsigned seconds)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		alarm(seconds);
		if (dup2(fd, STDOUT_FILENO) < 0)
			_exit(99);
		_exit(body(argument));
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns the number of the first thing that is not as it should be. */
#define WANT(n, what)                                                                              \
	do {                                                                                       \
		if (!(what))                                                                       \
			return n;                                                                  \
	} while (0)

static int write_to_gone_reader(void *argument)
{
	struct text lines = lines_of(1, 2, 50), error = {0};
	struct sink *sink;
	uint64_t accepted = 9;

	(void)argument;
	WANT(1, !sink_open("stdout", -1, &sink, &error));
	WANT(2, sink_watch_fd(sink) >= 0);
	WANT(3, sink_write(sink, &lines, 2, &accepted, &error) == -EPIPE);
	WANT(4, accepted == 0);
	WANT(5, error.len == 0); /* a closed pipe ends quietly */
	return 0;
}

static void a_reader_that_has_gone_is_a_quiet_end(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(in_child_with_stdout(ends[1], write_to_gone_reader, NULL, 10), 0);
	close(ends[1]);
}

static int watch_reader_go(void *argument)
{
	int reader = *(int *)argument;
	struct text error = {0};
	struct pollfd p = {0};
	struct sink *sink;

	WANT(1, !sink_open("stdout", -1, &sink, &error));
	p.fd = sink_watch_fd(sink);
	WANT(2, p.fd >= 0);
	WANT(3, poll(&p, 1, 0) == 0);
	close(reader);
	WANT(4, poll(&p, 1, 2000) == 1);
	WANT(5, p.revents & POLLERR);
	return 0;
}

static void the_readers_end_can_be_watched(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	/* The child has the only open reading end once ours is closed: so it closes both copies. */
	{
		int status;
		pid_t pid = fork();

		if (!pid) {
			alarm(10);
			dup2(ends[1], STDOUT_FILENO);
			_exit(watch_reader_go(&ends[0]));
		}
		close(ends[0]);
		close(ends[1]);
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int stop_at_unread_pipe(void *argument)
{
	struct text lines = lines_of(1, 3000, 100), error = {0};
	int64_t start = now_ms(), took;
	struct sink *sink;
	uint64_t accepted;
	int stop[2];

	WANT(1, !pipe(stop) && write(stop[1], "x", 1) == 1);
	WANT(2, !sink_open(argument ? argument : "stdout", stop[0], &sink, &error));
	WANT(3, sink_write(sink, &lines, 3000, &accepted, &error) == -ETIMEDOUT);
	took = now_ms() - start;
	WANT(4, took >= 900 && took < 4000);
	WANT(5, accepted < 3000 && accepted > 0); /* a pipe holds 64 KiB */
	WANT(6, error.len > 0);
	return 0;
}

static void a_reader_that_does_not_read_is_left_a_second_after_a_stop(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(in_child_with_stdout(ends[1], stop_at_unread_pipe, NULL, 8), 0);
	close(ends[0]);
	close(ends[1]);
}

/* The same of a FIFO given as file:PATH: no other way out of a blocked write exists. */
static void a_fifo_that_nobody_reads_is_left_a_second_after_a_stop(void **state)
{
	char *path = path_in("fifo"), *name;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_true(asprintf(&name, "file:%s", path) > 0);
	assert_int_equal(in_child_with_stdout(STDOUT_FILENO, stop_at_unread_pipe, name, 6), 0);
	close(fd);
	free(name);
	free(path);
}

static int write_much(void *argument)
{
	struct text lines = lines_of(1, 20000, 100), error = {0};
	struct sink *sink;
	uint64_t accepted;

	(void)argument;
	WANT(1, !sink_open("stdout", -1, &sink, &error));
	WANT(2, !sink_write(sink, &lines, 20000, &accepted, &error));
	WANT(3, accepted == 20000);
	/* Made non-blocking for the sink alone: others share this pipe. */
	WANT(4, !(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK));
	return 0;
}

static void a_slow_reader_gets_every_byte(void **state)
{
	struct text want = lines_of(1, 20000, 100), got = {0};
	char chunk[7001];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(in_child_with_stdout(ends[1], write_much, NULL, 30));
	}
	close(ends[1]);
	for (int i = 0; (n = read(ends[0], chunk, sizeof(chunk))) > 0; i++) {
		text_bytes(&got, chunk, (size_t)n);
		if (i % 20 == 0)
			usleep(5000);
	}
	close(ends[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	text_free(&got);
	text_free(&want);
}

/* -------------------------------------------------------------- a full file system */

enum { LINE = 1000 };

/* Mounts a tmpfs of 64 KiB in a mount namespace of the child's own. */
static int mount_small(const char *at)
{
	WANT(90, !unshare(CLONE_NEWNS));
	WANT(91, !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	WANT(92, !mount("tmpfs", at, "tmpfs", 0, "size=64k,mode=700"));
	return 0;
}

/* Only whole, numbered lines, in order, expected of them in number. */
static bool lines_whole(const char *path, uint64_t expected)
{
	struct text all = read_file(path);
	uint64_t count = 0;
	long last = 0;

	for (size_t at = 0; at < all.len; at += LINE, count++) {
		long number = strtol(all.data + at, NULL, 10);

		if (at + LINE > all.len || all.data[at + LINE - 1] != '\n' ||
		    memchr(all.data + at, 0, LINE) || number <= last)
			return false;
		last = number;
	}
	return count == expected;
}

static int fill_file_system(void *argument)
{
	bool as_stdout = argument != NULL;
	char *path = path_in("small/events"), *ballast = path_in("small/ballast");
	struct text lines = lines_of(1, 80, LINE), more = lines_of(81, 5, LINE), error = {0};
	uint64_t accepted, sum;
	struct sink *sink;
	int err, fd;

	err = mount_small(path_in("small"));
	if (err)
		return err;
	/* Some room that can be given back later: half of it. */
	fd = open(ballast, O_WRONLY | O_CREAT, 0600);
	WANT(1, fd >= 0 && write(fd, lines.data, 30000) == 30000);
	close(fd);
	if (as_stdout) { /* cormorant run > events: not opened for appending */
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		WANT(2, fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
		sink = open_sink("stdout", -1);
	} else {
		sink = open_file(path, -1);
	}
	WANT(3, sink_write(sink, &lines, 80, &accepted, &error) == -ENOSPC);
	WANT(4, accepted > 0 && accepted < 80);
	WANT(5, error.len > 0);
	WANT(6, lines_whole(path, accepted));
	sum = accepted;
	text_clear(&error);
	WANT(7, !unlink(ballast));
	WANT(8, !sink_write(sink, &more, 5, &accepted, &error));
	WANT(9, accepted == 5 && error.len == 0);
	WANT(10, lines_whole(path, sum + 5));
	/* Full again: told again. */
	for (int i = 0; i < 3 && !error.len; i++)
		sink_write(sink, &lines, 80, &accepted, &error);
	WANT(11, error.len > 0);
	return 0;
}

static void half_lines_are_taken_back_and_later_ones_written_when_there_is_room(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("not root: no small file system can be mounted\n");
		skip();
	}
	assert_int_equal(in_child_with_stdout(STDOUT_FILENO, fill_file_system, NULL, 20), 0);
}

static void half_lines_leave_no_hole_in_a_redirected_stdout(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("not root: no small file system can be mounted\n");
		skip();
	}
	assert_int_equal(in_child_with_stdout(STDOUT_FILENO, fill_file_system, "stdout", 20), 0);
}

static int set_up(void **state)
{
	char *small;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(directory))
		return -1;
	small = path_in("small");
	if (mkdir(small, 0700))
		return -1;
	free(small);
	return 0;
}

static int tear_down(void **state)
{
	struct text out = {0};

	(void)state;
	program_output((const char *const[]){"/bin/rm", "-rf", directory, NULL}, &out);
	text_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_made_private_and_appended_to),
		cmocka_unit_test(a_name_that_is_no_sink_is_refused),
		cmocka_unit_test(a_path_that_cannot_be_opened_says_why_and_what_to_do),
		cmocka_unit_test(a_full_device_accepts_nothing_and_is_told_once),
		cmocka_unit_test(a_reader_that_has_gone_is_a_quiet_end),
		cmocka_unit_test(the_readers_end_can_be_watched),
		cmocka_unit_test(a_reader_that_does_not_read_is_left_a_second_after_a_stop),
		cmocka_unit_test(a_fifo_that_nobody_reads_is_left_a_second_after_a_stop),
		cmocka_unit_test(a_slow_reader_gets_every_byte),
		cmocka_unit_test(half_lines_are_taken_back_and_later_ones_written_when_there_is_room),
		cmocka_unit_test(half_lines_leave_no_hole_in_a_redirected_stdout),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
