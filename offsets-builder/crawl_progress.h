/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a crawl goes on, on stderr: on a terminal a bar that is drawn over itself, with rate
 * and the time left; elsewhere a line for each package.
 */
#ifndef BUILDER_CRAWL_PROGRESS_H
#define BUILDER_CRAWL_PROGRESS_H

#include "crawl_team.h"

struct crawl_progress {
	const struct http_totals *totals;
	size_t count, done; /* packages that were to be read, and were */
	size_t failed;
	int64_t began_ms, drawn_ms;
	unsigned long long began_bytes;
	bool terminal;
};

void crawl_progress_begin(struct crawl_progress *progress, size_t count,
			  const struct http_totals *totals);
/* A job has its last answer. */
void crawl_progress_job(struct crawl_progress *progress, const struct crawl_job *job,
			const char *release);
/* From time to time. */
void crawl_progress_tick(struct crawl_progress *progress);
/* Takes the bar away. */
void crawl_progress_end(struct crawl_progress *progress);

double crawl_progress_seconds(const struct crawl_progress *progress);

#endif
