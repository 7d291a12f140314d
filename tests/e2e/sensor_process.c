// SPDX-License-Identifier: Apache-2.0
#include "sensor_process.h"
#include "bytes.h"
#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *sensor_program(struct workspace *ws)
{
	const char *named = getenv("CORMORANT");
	struct bytes self;
	char *path;

	if (named && *named)
		return named;
	assert_true(bytes_read_link("/proc/self/exe", &self));
	path = workspace_text(ws, "%s/../bin/cormorant", dirname(self.data));
	bytes_free(&self);
	return path;
}

static int sensor_open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	assert_return_code(fd, errno);
	return fd;
}

/* Nothing of a test run outlives the test program. */
static void sensor_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static pid_t sensor_start_pump(int from, int to)
{
	char buf[65536];
	ssize_t n;
	pid_t parent = getpid(), pid = fork();

	assert_return_code(pid, errno);
	if (pid)
		return pid;
	sensor_die_with(parent);
	/* No pipe of a subject may stay open here, its end is the subjects' sign to go. */
	dup2(from, 0);
	dup2(to, 1);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	while ((n = read(0, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, w; done < n; done += w > 0 ? w : 0)
			if ((w = write(1, buf + done, (size_t)(n - done))) < 0 && errno != EINTR)
				_exit(1);
	_exit(n < 0);
}

static void sensor_exec(const char *program, const struct sensor_plan *plan, int out, int err)
{
	const char *argv[34] = { "cormorant" }, *db = getenv("CORMORANT_DB");
	/* Opened before prepare() may take the rights to reach it. */
	int fd = open(program, O_PATH | O_CLOEXEC);
	size_t n = 1;
	int why = 0;

	for (size_t i = 0; i < 30 && plan->args[i]; i++) {
		argv[n++] = plan->args[i];
		if (!strcmp(plan->args[i], "-d"))
			db = NULL;
	}
	if (db && *db && n > 1 && (!strcmp(argv[1], "run") || !strcmp(argv[1], "probe") || !strcmp(argv[1], "capabilities") ||
				!strcmp(argv[1], "selftest"))) {
		argv[n++] = "-d";
		argv[n++] = db;
	}
	dup2(out, 1);
	dup2(err, 2);
	if (plan->prepare)
		why = plan->prepare(plan->arg);
	if (!why) {
		/* By its name where that can be reached, so that the sensor finds itself. */
		execv(program, (char *const *)argv);
		execveat(fd, "", (char *const *)argv, environ, AT_EMPTY_PATH);
		why = -errno;
	}
	dprintf(2, "e2e: cannot start %s: %s\n", program, strerror(-why));
	_exit(126);
}

void sensor_start(struct workspace *ws, struct sensor *s, const struct sensor_plan *plan)
{
	unsigned int serial = ++ws->serial;
	int out[2], err, log;
	pid_t parent = getpid();

	*s = (struct sensor){ .stdout_fd = -1 };
	s->out_path = workspace_text(ws, "%s/%u.stdout", ws->dir, serial);
	s->err_path = workspace_text(ws, "%s/%u.stderr", ws->dir, serial);
	assert_return_code(pipe2(out, O_CLOEXEC), errno);
	err = sensor_open_log(s->err_path);
	log = sensor_open_log(s->out_path);
	s->pid = fork();
	assert_return_code(s->pid, errno);
	if (!s->pid) {
		sensor_die_with(parent);
		sensor_exec(plan->program ? plan->program : sensor_program(ws), plan, out[1], err);
	}
	close(out[1]);
	close(err);
	if (plan->raw_stdout) {
		s->stdout_fd = out[0];
	} else {
		s->pump = sensor_start_pump(out[0], log);
		close(out[0]);
	}
	close(log);
}

static char *sensor_file(const char *path)
{
	struct bytes content;

	if (!bytes_read_file(path, &content))
		return strdup("");
	return content.data;
}

char *sensor_stderr(const struct sensor *s)
{
	return sensor_file(s->err_path);
}

char *sensor_stdout(const struct sensor *s)
{
	return sensor_file(s->out_path);
}

static bool sensor_try_reap(struct sensor *s)
{
	if (!s->reaped && waitpid(s->pid, &s->status, WNOHANG) == s->pid)
		s->reaped = true;
	return s->reaped;
}

static bool sensor_find_ready(struct sensor *s)
{
	static const char prefix[] = "cormorant: ready: ";
	char *text = sensor_stderr(s), *at = strstr(text, prefix);
	bool whole = at && strchr(at, '\n') && (at == text || at[-1] == '\n');

	if (whole)
		sscanf(at + strlen(prefix), "%127[^\n]", s->variant);
	free(text);
	return whole;
}

bool sensor_is_ready(struct sensor *s)
{
	return sensor_find_ready(s);
}

bool sensor_wait_ready_or_end(struct sensor *s)
{
	/* Twice the patience: the first start proves its fields and may compile BPF on an emulated CPU. */
	uint64_t deadline = clock_deadline(2 * clock_patience_s());

	while (!sensor_find_ready(s)) {
		if (sensor_try_reap(s) || clock_passed(deadline))
			return sensor_find_ready(s);
		clock_sleep_ms(2);
	}
	return true;
}

bool sensor_wait_ready(struct sensor *s)
{
	char *text, *save = NULL;

	if (sensor_wait_ready_or_end(s))
		return true;
	text = sensor_stderr(s);
	print_error("the sensor is not ready%s; its stderr:\n", s->reaped ? ", it has ended" : "");
	/* A line at a time: cmocka cuts what is long, its newline too. */
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_error("%.900s\n", line);
	free(text);
	return false;
}

/* Best first, as the contract ranks them; -1 for what is none. */
static int sensor_rank(const char *variant)
{
	static const char *const access[] = { "core", "map", "none" }, *const attach[] = { "raw_tp", "tp", "kprobe" };
	char name[64];
	int rank = 0;

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			for (int k = 0; k < 2; k++, rank++) {
				snprintf(name, sizeof(name), "exec.%s.%s.%s", attach[j], k ? "perfbuf" : "ringbuf", access[i]);
				if (!strncmp(variant, name, strlen(name)) && strchr(": ", variant[strlen(name)]))
					return rank;
			}
	return -1;
}

/*
 * "cormorant: VARIANT: why: what to do [Error]", "cormorant: VARIANT and N more: …" where the next ones in the ranking
 * share it, or without a variant where it is the host as a whole. Cut in place into the error and the text.
 */
static bool sensor_read_reason(char *line, int *rank, const char **error, const char **text)
{
	static const char prefix[] = "cormorant: ";
	size_t len = strlen(line);
	char *bracket = strrchr(line, '[');

	*text = line + strlen(prefix);
	if (strncmp(line, prefix, strlen(prefix)) || !bracket || line[len - 1] != ']' || bracket[-1] != ' ')
		return false;
	line[len - 1] = bracket[-1] = '\0';
	*error = bracket + 1;
	*rank = sensor_rank(*text);
	if (*rank >= 0)
		*text = strstr(*text, ": ") + 2;
	return true;
}

char *sensor_reason(const struct sensor *s, const char *variant)
{
	char *text = sensor_stderr(s), *save = NULL, *reason = NULL;
	int wanted = variant ? sensor_rank(variant) : -1;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *error, *why;
		int rank;

		/* The last that does not speak of a later one: its own, or one that it shares. */
		if (!sensor_read_reason(line, &rank, &error, &why) || (variant ? rank > wanted : reason != NULL))
			continue;
		free(reason);
		if (asprintf(&reason, "%s: %s", error, why) < 0)
			abort();
	}
	free(text);
	return reason ? reason : strdup("");
}

bool sensor_reason_is_the_hosts(const char *reason)
{
	static const char *const hosts[] = { "KernelTooOld: ", "MissingBtf: ", "NoOffsets: ", "NoTracefs: " };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!strncmp(reason, hosts[i], strlen(hosts[i])))
			return true;
	return false;
}

static void sensor_join_pump(struct sensor *s)
{
	int status;

	if (s->pump && !clock_wait_child(s->pump, &status, clock_deadline(clock_patience_s()))) {
		kill(s->pump, SIGKILL);
		waitpid(s->pump, &status, 0);
	}
	s->pump = 0;
	if (s->stdout_fd >= 0)
		close(s->stdout_fd);
	s->stdout_fd = -1;
}

int sensor_wait_end(struct sensor *s)
{
	uint64_t deadline = clock_deadline(clock_patience_s());

	while (!sensor_try_reap(s) && !clock_passed(deadline))
		clock_sleep_ms(1);
	if (!s->reaped) {
		print_error("the sensor does not end\n");
		sensor_kill(s);
		return -1000;
	}
	sensor_join_pump(s);
	return WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -WTERMSIG(s->status);
}

int sensor_stop(struct sensor *s, int signal)
{
	if (!sensor_try_reap(s))
		kill(s->pid, signal);
	return sensor_wait_end(s);
}

void sensor_kill(struct sensor *s)
{
	if (s->pid > 0 && !sensor_try_reap(s)) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &s->status, 0);
		s->reaped = true;
	}
	sensor_join_pump(s);
}

/* The last line of the text, cut off in place. */
static char *sensor_last_line(char *text)
{
	size_t len = strlen(text);
	char *newline;

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	newline = strrchr(text, '\n');
	return newline ? newline + 1 : text;
}

bool sensor_read_counters(const struct sensor *s, struct sensor_counters *c)
{
	char *text = sensor_stderr(s), *last = sensor_last_line(text);
	int end = 0;
	bool ok;

	sscanf(last,
	       "cormorant: counters: attempted=%" SCNu64 " received=%" SCNu64 " lost_kernel=%" SCNu64
	       " hook_missed=%" SCNu64 " malformed_events=%" SCNu64 " emitted=%" SCNu64 " failed_sink=%" SCNu64
	       " suppressed=%" SCNu64 " pending_kernel=%" SCNu64 " pending_user=%" SCNu64 "%n",
	       &c->attempted, &c->received, &c->lost_kernel, &c->hook_missed, &c->malformed_events, &c->emitted,
	       &c->failed_sink, &c->suppressed, &c->pending_kernel, &c->pending_user, &end);
	ok = end > 0 && last[end] == '\0' && !strchr(last, '-');
	if (!ok)
		print_error("the last line on stderr is not the counters line: \"%s\"\n", last);
	free(text);
	return ok;
}

void sensor_assert_counters(const struct sensor_counters *c)
{
	assert_int_equal(c->attempted, c->received + c->lost_kernel + c->pending_kernel);
	assert_int_equal(c->received,
			 c->emitted + c->malformed_events + c->failed_sink + c->suppressed + c->pending_user);
	assert_int_equal(c->pending_kernel, 0);
	assert_int_equal(c->pending_user, 0);
}

bool sensor_has_clear_error(const struct sensor *s)
{
	char *text = sensor_stderr(s), *save = NULL;
	bool found = false;

	for (char *line = strtok_r(text, "\n", &save); line && !found; line = strtok_r(NULL, "\n", &save)) {
		const char *what = line + strlen("cormorant: "), *why, *remedy;

		if (strncmp(line, "cormorant: ", strlen("cormorant: ")) || !strncmp(what, "ready: ", 7) ||
		    !strncmp(what, "counters: ", 10))
			continue;
		why = strstr(what, ": ");
		remedy = why ? strstr(why + 2, ": ") : NULL;
		found = remedy && remedy[2];
	}
	free(text);
	return found;
}
