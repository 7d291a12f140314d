// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "enrich.h"
#include "loader.h"
#include "notify.h"
#include "ocsf.h"
#include "pretty.h"
#include "privilege.h"
#include "sink.h"

enum {
	BATCH_BYTES = 64 * 1024,
	/* So many records in one drain, and the next one follows at once. */
	BUSY_RECORDS = 500,
	/*
	 * After a drain the buffer is left alone for so long. The kernel wakes a reader
	 * only when it has caught up, so this bounds the wake-ups to 20 a second however
	 * many execs there are; an idle host has none.
	 */
	HOLD_MS = 50,
	/*
	 * So long where most of an event is asked of /proc, and the process may be gone by
	 * then; the order of a perf buffer's records still wants some.
	 */
	HOLD_PROC_MS = 2,
	/* How long a program still running on another CPU is waited for after detaching. */
	SETTLE_MS = 1000,
};

struct run {
	const struct run_options *options;
	struct loader *loader;
	struct loader_report *report;
	struct enricher *enricher;
	struct ocsf *ocsf;
	struct pretty *pretty; /* NULL: OCSF */
	struct sink *sinks[RUN_SINKS_MAX];
	int sink_count;
	struct wallclock clock;
	struct record_decoder decoder;
	struct counters counters;
	struct text batch; /* finished lines */
	uint64_t batch_count;
	uint64_t sequence;
	int hold_ms;
	int64_t suspended_ns; /* how long this host had been so when it was proven */
	bool counters_failed;
	bool stop;
	bool sink_failed;
	int signal_fd;
	int timer_fd;
	int stop_fd; /* readable when one of these two is */
	int epoll_fd;
};

/* One line on stderr: cormorant: what failed: why: what to do. */
static void say(const char *what, const char *detail)
{
	fprintf(stderr, "cormorant: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
}

static void say_text(struct text *message)
{
	if (message->len)
		fprintf(stderr, "cormorant: %.*s\n", (int)message->len, message->data);
	text_free(message);
}

/* ------------------------------------------------------------------ the stages */

/* A sink whose reader has gone is done with; without a sink there is nothing left to do. */
static void drop_sink(struct run *run, int i)
{
	epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, sink_watch_fd(run->sinks[i]), NULL);
	sink_close(run->sinks[i]);
	run->sinks[i] = run->sinks[--run->sink_count];
	if (!run->sink_count)
		run->stop = true;
}

/* An event is emitted when one sink has accepted it, failed when none has. */
static void flush(struct run *run)
{
	uint64_t accepted, most = 0;

	if (!run->batch_count)
		return;
	for (int i = run->sink_count - 1; i >= 0; i--) {
		struct text error = {0};
		int err =
			sink_write(run->sinks[i], &run->batch, run->batch_count, &accepted, &error);

		say_text(&error);
		if (accepted > most)
			most = accepted;
		if (err == -EPIPE)
			drop_sink(run, i);
		else if (err)
			run->sink_failed = true;
	}
	run->counters.emitted += most;
	run->counters.failed_sink += run->batch_count - most;
	run->batch_count = 0;
	text_clear(&run->batch);
}

static void write_event(struct run *run, const struct exec_event *event)
{
	size_t start = run->batch.len;

	if (run->pretty)
		pretty_write(run->pretty, &run->clock, event, &run->batch);
	else
		ocsf_write(run->ocsf, &run->clock, event, run->sequence + 1, &run->batch);
	text_char(&run->batch, '\n');
	if (run->batch.failed) { /* no memory for it: the lines before it are whole */
		run->batch.len = start;
		run->batch.failed = false;
		run->counters.failed_sink++;
		run->sink_failed = true;
		return;
	}
	run->sequence++;
	run->batch_count++;
}

static bool limit_reached(const struct run *run)
{
	return run->options->count && run->sequence >= run->options->count;
}

static void on_record(void *arg, const void *data, size_t size)
{
	struct run *run = arg;
	struct exec_event event;

	run->counters.received++;
	if (run->stop && (limit_reached(run) || !run->sink_count)) {
		run->counters.suppressed++;
		return;
	}
	if (record_decode(&run->decoder, data, size, &event)) {
		run->counters.malformed_events++;
		return;
	}
	if (proof_made(&run->report->proof, &event.head)) {
		run->counters.suppressed++;
		return;
	}
	enrich(run->enricher, &event);
	write_event(run, &event);
	enrich_remember(run->enricher, &event);
	if (run->batch.len >= BATCH_BYTES)
		flush(run);
	if (limit_reached(run))
		run->stop = true;
}

/* Snapshot of the counters, user space's first. */
static void update_counters(struct run *run, bool ended)
{
	int err;

	run->counters.pending_user = run->batch_count;
	err = loader_counters(run->loader, &run->counters, ended);
	if (err && !run->counters_failed)
		say("cannot read the kernel's counters: losses are unknown from here on",
		    strerror(-err));
	run->counters_failed = err != 0;
}

/*
 * Start times by a row of offsets may be the monotonic clock's, for all that could be proven
 * as long as the two clocks agree. Once they do not, there are none.
 */
static void doubt_start_times(struct run *run)
{
	const uint64_t starts = FACT_BIT(FACT_START) | FACT_BIT(FACT_PARENT_START);
	int64_t since = wallclock_suspended(&run->clock) - run->suspended_ns;

	if (!run->report->proof.clocks_agree || !offsets_of_row(run->report->offsets_source) ||
	    (since < WALLCLOCK_SUSPENDED_NS && since > -WALLCLOCK_SUSPENDED_NS) ||
	    (run->decoder.withheld & starts) == starts)
		return;
	run->decoder.withheld |= starts;
	say("withheld from all events from now on: start times",
	    "this host was suspended, and by which clock its row of offsets has them is not "
	    "proven: start the sensor anew");
}

/* Takes what the kernel has; all: also what is young. */
static enum loader_left drain(struct run *run, bool all)
{
	uint64_t before = run->counters.received;
	int left;

	wallclock_update(&run->clock);
	doubt_start_times(run);
	left = loader_drain(run->loader, all);
	flush(run);
	if (left < 0) /* nothing to be had, and nothing that could be done about it here */
		return LOADER_EMPTY;
	return run->counters.received - before > BUSY_RECORDS ? LOADER_MORE :
								(enum loader_left)left;
}

/* --------------------------------------------------------------------- opening */

/* A person is watching, and nothing else gets the lines. */
static bool on_terminal(const struct run_options *options)
{
	return isatty(STDOUT_FILENO) && options->sink_count == 1 &&
	       !strcmp(options->sinks[0], "stdout");
}

static bool wants_pretty(const struct run_options *options)
{
	if (options->format != FORMAT_DEFAULT)
		return options->format == FORMAT_PRETTY;
	return on_terminal(options);
}

static enum exit_status open_sinks(struct run *run)
{
	for (int i = 0; i < run->options->sink_count; i++) {
		struct text error = {0};
		int err = sink_open(run->options->sinks[i], run->stop_fd, &run->sinks[i], &error);

		if (err == -EINVAL && !error.len)
			text_format(&error,
				    "unknown sink %s: not stdout or file:PATH: see "
				    "cormorant --help",
				    run->options->sinks[i]);
		else if (err && !error.len)
			text_format(&error, "cannot open sink %s: %s: free memory",
				    run->options->sinks[i], strerror(-err));
		say_text(&error);
		if (err)
			return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
		run->sink_count++;
	}
	return EXIT_DONE;
}

/* One line for all variants in a row that have the same reason. */
static void say_reasons(const struct loader_report *report)
{
	size_t more;

	for (size_t i = 0; i < report->count; i += 1 + more) {
		const struct loader_reason *r = &report->reasons[i];

		for (more = 0; i + more + 1 < report->count; more++)
			if (strcmp(r->text, r[more + 1].text))
				break;
		fprintf(stderr, "cormorant: ");
		if (r->variant)
			fprintf(stderr, more ? "%s and %zu more: " : "%s: ", r->variant->name, more);
		fprintf(stderr, "%s [%s]\n", r->text, loader_error_str(r->error));
	}
}

static void say_withheld(uint64_t facts, const char *why)
{
	const char *comma = "";

	if (!facts)
		return;
	fprintf(stderr, "cormorant: withheld from all events: ");
	for (; facts; facts &= facts - 1) {
		fprintf(stderr, "%s%s", comma, proof_fact_name((unsigned)__builtin_ctzll(facts)));
		comma = ", ";
	}
	fprintf(stderr, ": %s: see `cormorant selftest`\n", why);
}

/* What is not in the events although records have it. */
static void say_proof(const struct proof *proof)
{
	if (!proof->ran)
		fprintf(stderr, "cormorant: nothing is verified: %s: see `cormorant selftest`\n",
			proof->why);
	say_withheld(proof->wrong, "wrong in execs of this sensor's own");
	say_withheld(proof->withheld & (proof->present | proof->none) & ~proof->wrong,
		     "the row of offsets could not be proven for it here");
}

static enum exit_status open_loader(struct run *run, const struct variant **variant)
{
	const struct loader_options options = {
		.force = run->options->force,
		.offsets = &run->options->offsets,
		.fn = on_record,
		.arg = run,
	};
	struct loader_report *report = run->report;
	enum loader_error error = loader_open(&options, &run->loader, report);

	say_reasons(report);
	if (report->offsets_note[0])
		say(report->offsets_note, NULL);
	if (error) {
		if (!report->count)
			say("cannot start: no memory: free some", NULL);
		return error == LOADER_FAILED ? EXIT_FAILED : EXIT_CANNOT;
	}
	*variant = report->picked;
	run->decoder.withheld = report->proof.withheld;
	say_proof(&report->proof);
	return EXIT_DONE;
}

static enum exit_status open_stages(struct run *run, const char *variant)
{
	struct host host;

	host_read(&host);
	run->enricher = enricher_open();
	run->ocsf = ocsf_open(&host, variant);
	if (wants_pretty(run->options))
		run->pretty = pretty_open(on_terminal(run->options) && !getenv("NO_COLOR"));
	if (!run->enricher || !run->ocsf || (wants_pretty(run->options) && !run->pretty)) {
		say("cannot start: no memory: free some", NULL);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* The column titles, for a person: not where lines are counted or stored. */
static void write_title(const struct run *run)
{
	struct text title = {0}, error = {0};
	uint64_t accepted;

	if (!run->pretty || !on_terminal(run->options))
		return;
	pretty_title(run->pretty, &title);
	text_char(&title, '\n');
	sink_write(run->sinks[0], &title, 1, &accepted, &error);
	say_text(&error);
	text_free(&title);
}

static int watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* A signal that the caller has had ignored (nohup) stays ignored: blocked, it would be read. */
static void add_signal(sigset_t *set, int number)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) || action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

/* Signals are read from a descriptor: they can't interrupt a write or be missed. */
static int open_signals(struct run *run)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	add_signal(&set, SIGINT);
	add_signal(&set, SIGTERM);
	add_signal(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->stop_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->signal_fd < 0 || run->timer_fd < 0 || run->epoll_fd < 0 || run->stop_fd < 0)
		return -errno;
	err = watch(run->stop_fd, run->signal_fd, EPOLLIN);
	return err ? err : watch(run->stop_fd, run->timer_fd, EPOLLIN);
}

static int open_loop(struct run *run)
{
	struct itimerspec end = {.it_value.tv_sec = (time_t)run->options->duration};
	int err = timerfd_settime(run->timer_fd, 0, &end, NULL) ? -errno : 0;

	if (!err)
		err = watch(run->epoll_fd, run->stop_fd, EPOLLIN);
	if (!err)
		err = watch(run->epoll_fd, loader_fd(run->loader), EPOLLIN);
	for (int i = 0; !err && i < run->sink_count; i++)
		if (sink_watch_fd(run->sinks[i]) >= 0)
			err = watch(run->epoll_fd, sink_watch_fd(run->sinks[i]),
				    0); /* EPOLLERR, EPOLLHUP */
	return err;
}

/* -------------------------------------------------------------------- the loop */

static void handle(struct run *run, const struct epoll_event *event)
{
	int fd = event->data.fd;

	if (fd == run->stop_fd) {
		run->stop = true;
		return;
	}
	for (int i = run->sink_count - 1; i >= 0; i--) {
		if (sink_watch_fd(run->sinks[i]) == fd && event->events & (EPOLLERR | EPOLLHUP))
			drop_sink(run, i);
	}
}

/* Leaves the kernel's buffer alone for a while, but not a signal or the end of the time. */
static void hold(const struct run *run)
{
	struct pollfd stop = {.fd = run->stop_fd, .events = POLLIN};

	(void)poll(&stop, 1, run->hold_ms);
}

static void loop(struct run *run)
{
	enum loader_left left = LOADER_MORE; /* what came during the start */
	struct epoll_event events[8];

	while (!run->stop) {
		int n = epoll_wait(run->epoll_fd, events, 8, left == LOADER_EMPTY ? -1 : 0);

		for (int i = 0; i < n; i++)
			handle(run, &events[i]);
		left = drain(run, false);
		if (!run->stop && left != LOADER_MORE)
			hold(run);
	}
}

/* Detaches, then reads what is still on its way. */
static void settle(struct run *run)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	loader_detach(run->loader);
	for (int i = 0; i < SETTLE_MS; i++) {
		while (drain(run, true) == LOADER_MORE)
			;
		update_counters(run, false);
		if (!run->counters.pending_kernel)
			return;
		nanosleep(&wait, NULL);
	}
	update_counters(run, true);
}

static void say_counters(const struct run *run)
{
	struct text line = {0};

	text_str(&line, "counters: ");
	counters_line(&line, &run->counters);
	say_text(&line);
}

static void close_all(struct run *run)
{
	for (int i = 0; i < run->sink_count; i++)
		sink_close(run->sinks[i]);
	loader_close(run->loader);
	enricher_close(run->enricher);
	ocsf_close(run->ocsf);
	pretty_close(run->pretty);
	text_free(&run->batch);
	free(run->report);
	close(run->signal_fd);
	close(run->timer_fd);
	close(run->stop_fd);
	close(run->epoll_fd);
	free(run);
}

static enum exit_status start(struct run *run)
{
	const struct variant *variant = NULL;
	enum exit_status status;
	int err = open_signals(run);

	if (err) {
		fprintf(stderr,
			"cormorant: cannot set up signals: %s: raise the limit of open files\n",
			strerror(-err));
		return EXIT_FAILED;
	}
	status = open_sinks(run);
	if (!status)
		status = open_loader(run, &variant);
	if (!status)
		status = open_stages(run, variant->name);
	if (status)
		return status;
	err = open_loop(run);
	if (err) {
		fprintf(stderr,
			"cormorant: cannot start the event loop: %s: raise the limit of open "
			"files\n",
			strerror(-err));
		return EXIT_FAILED;
	}
	err = privilege_drop(variant->transport == TRANSPORT_PERFBUF);
	if (err) {
		fprintf(stderr,
			"cormorant: cannot give up privileges: %s: run it without a filter on "
			"capset(2) and prctl(2)\n",
			strerror(-err));
		return EXIT_FAILED;
	}
	wallclock_open(&run->clock);
	run->suspended_ns = wallclock_suspended(&run->clock);
	run->hold_ms = variant->access == ACCESS_NONE ? HOLD_PROC_MS : HOLD_MS;
	say("ready", variant->name);
	notify_state("READY=1");
	write_title(run);
	return EXIT_DONE;
}

enum exit_status run(const struct run_options *options)
{
	struct run *run = calloc(1, sizeof(*run));
	enum exit_status status;

	if (run)
		run->report = calloc(1, sizeof(*run->report));
	if (!run || !run->report) {
		say("cannot start: no memory: free some", NULL);
		free(run);
		return EXIT_FAILED;
	}
	run->options = options;
	run->signal_fd = run->timer_fd = run->stop_fd = run->epoll_fd = -1;
	status = start(run);
	if (!status) {
		loop(run);
		settle(run);
		if (run->sink_failed)
			status = EXIT_FAILED;
		say_counters(run);
	}
	close_all(run);
	return status;
}
