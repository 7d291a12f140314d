/* SPDX-License-Identifier: Apache-2.0 */
/* What a crawl ends with: what is new, what was known, and what is lacking and why. */
#ifndef BUILDER_CRAWL_REPORT_H
#define BUILDER_CRAWL_REPORT_H

#include "crawl_team.h"
#include "text.h"

struct crawl_report {
	const struct crawl_options *options;
	const struct crawl_list *list;
	const struct crawl_job *jobs; /* this shard's kernel packages */
	size_t count;
	unsigned long long index_bytes, package_bytes; /* downloaded */
	unsigned int retries;
	double seconds;
};

/* How many jobs are in each state. */
void crawl_report_count(const struct crawl_report *report, size_t counts[CRAWL_STATES]);
/* For a reader. */
void crawl_report_text(const struct crawl_report *report, struct text *text);
/* The same for a program: docs/crawl.md says what is in it. */
void crawl_report_json(const struct crawl_report *report, struct text *text);

#endif
