// SPDX-License-Identifier: Apache-2.0
#include "crawl_progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 30, REDRAW_MS = 200 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double crawl_progress_seconds(const struct crawl_progress *progress)
{
	return (double)(now_ms() - progress->began_ms) / 1000;
}

void crawl_progress_begin(struct crawl_progress *progress, size_t count,
			  const struct http_totals *totals)
{
	*progress = (struct crawl_progress){.totals = totals,
					    .count = count,
					    .began_ms = now_ms(),
					    .began_bytes = atomic_load(&totals->bytes),
					    .terminal = isatty(STDERR_FILENO)};
}

static void clear_line(const struct crawl_progress *progress)
{
	if (progress->terminal)
		fputs("\r\033[K", stderr);
}

/* Packages are all alike enough for a time that is left by their number. */
static void draw(struct crawl_progress *progress)
{
	static const char bar[BAR + 1] = "##############################";
	double seconds = crawl_progress_seconds(progress);
	double bytes = (double)(atomic_load(&progress->totals->bytes) - progress->began_bytes);
	int full = progress->count ? (int)(progress->done * BAR / progress->count) : BAR;
	char left[32] = "";

	if (progress->done) {
		long eta = (long)(seconds * (double)(progress->count - progress->done) /
				  (double)progress->done);

		snprintf(left, sizeof(left), ", %ld:%02ld left", eta / 60, eta % 60);
	}
	clear_line(progress);
	fprintf(stderr, "[%.*s%*s] %zu/%zu, %.1f MB/s%s", full, bar, BAR - full, "", progress->done,
		progress->count, seconds > 0 ? bytes / 1e6 / seconds : 0, left);
	if (progress->failed)
		fprintf(stderr, ", %zu without a kernel", progress->failed);
	fflush(stderr);
	progress->drawn_ms = now_ms();
}

void crawl_progress_job(struct crawl_progress *progress, const struct crawl_job *job,
			const char *release)
{
	progress->done++;
	progress->failed += job->why != NULL;
	if (job->why) {
		clear_line(progress);
		fprintf(stderr, "%zu/%zu %s: %s\n", progress->done, progress->count,
			job->package->label, job->why);
	} else if (!progress->terminal) {
		fprintf(stderr, "%zu/%zu %s: %s %s\n", progress->done, progress->count,
			job->package->label, job->state == CRAWL_NEW ? "new" : "twin", release);
	}
	if (progress->terminal)
		draw(progress);
}

void crawl_progress_tick(struct crawl_progress *progress)
{
	if (progress->terminal && now_ms() - progress->drawn_ms >= REDRAW_MS)
		draw(progress);
}

void crawl_progress_end(struct crawl_progress *progress)
{
	clear_line(progress);
	fflush(stderr);
}
