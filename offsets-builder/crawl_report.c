// SPDX-License-Identifier: Apache-2.0
#include "crawl_report.h"

/* As the report calls them; NULL: the database has the kernel. */
static const char *const lacking[CRAWL_STATES] = {[CRAWL_WAITING] = "not read",
						  [CRAWL_BARREN] = "no kernel",
						  [CRAWL_GONE] = "gone",
						  [CRAWL_FAILED] = "failed"};

void crawl_report_count(const struct crawl_report *report, size_t counts[CRAWL_STATES])
{
	for (int i = 0; i < CRAWL_STATES; i++)
		counts[i] = 0;
	for (size_t i = 0; i < report->count; i++)
		counts[report->jobs[i].state]++;
}

/* ------------------------------------------------------------------------ text */

static void put_lacking(const struct crawl_report *report, enum crawl_state state,
			struct text *text)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct crawl_job *job = &report->jobs[i];

		if (job->state == state)
			text_format(text, "  %s: %s: %s\n", lacking[state], job->package->label,
				    job->why ? job->why : "the crawl ended before");
	}
}

static void put_texts(const struct crawl_texts *texts, const char *what, struct text *text)
{
	for (size_t i = 0; i < texts->count; i++)
		text_format(text, "  %s: %s\n", what, texts->text[i]);
}

void crawl_report_text(const struct crawl_report *report, struct text *text)
{
	size_t n[CRAWL_STATES];

	crawl_report_count(report, n);
	text_format(text,
		    "%zu kernel packages: %zu new, %zu twins of others, %zu known, %zu without a "
		    "kernel, %zu gone, %zu failed",
		    report->count, n[CRAWL_NEW], n[CRAWL_TWIN], n[CRAWL_KNOWN], n[CRAWL_BARREN],
		    n[CRAWL_GONE], n[CRAWL_FAILED] + n[CRAWL_WAITING]);
	if (report->options->shard.count > 1)
		text_format(text, "; shard %u/%u", report->options->shard.index,
			    report->options->shard.count);
	text_format(text, "\n%.1f MB of packages, %.1f MB of indexes, %u retries, %.1f s\n",
		    (double)report->package_bytes / 1e6, (double)report->index_bytes / 1e6,
		    report->retries, report->seconds);
	put_texts(&report->list->errors, "index", text);
	put_texts(&report->list->notes, "note", text);
	if (report->list->refused)
		text_format(text,
			    "  note: %zu entries of indexes are refused: odd names, paths or "
			    "hashes\n",
			    report->list->refused);
	for (int i = 0; i < CRAWL_STATES; i++) {
		if (lacking[i])
			put_lacking(report, i, text);
	}
}

/* ------------------------------------------------------------------------ JSON */

static void put_member(struct text *text, const char *name, const char *value)
{
	text_json_string(text, slice_of(name));
	text_char(text, ':');
	text_json_string(text, slice_of(value));
}

static void put_number(struct text *text, const char *name, unsigned long long value)
{
	text_json_string(text, slice_of(name));
	text_char(text, ':');
	text_u64(text, value);
	text_char(text, ',');
}

static void put_list(struct text *text, const char *name, const struct crawl_texts *texts)
{
	text_json_string(text, slice_of(name));
	text_str(text, ":[");
	for (size_t i = 0; i < texts->count; i++) {
		text_str(text, i ? ",\n " : "\n ");
		text_json_string(text, slice_of(texts->text[i]));
	}
	text_str(text, "],\n");
}

static void put_job(struct text *text, const struct crawl_job *job)
{
	text_str(text, "{");
	put_member(text, "package", job->package->label);
	text_char(text, ',');
	put_member(text, "path", job->package->path);
	text_char(text, ',');
	put_member(text, "sha256", job->package->sha256);
	text_char(text, ',');
	put_member(text, "state", lacking[job->state]);
	text_char(text, ',');
	put_member(text, "reason", job->why ? job->why : "the crawl ended before");
	text_char(text, '}');
}

void crawl_report_json(const struct crawl_report *report, struct text *text)
{
	size_t n[CRAWL_STATES];
	bool any = false;

	crawl_report_count(report, n);
	text_str(text, "{");
	put_number(text, "shard", report->options->shard.index);
	put_number(text, "shards", report->options->shard.count);
	put_number(text, "packages", report->count);
	put_number(text, "new", n[CRAWL_NEW]);
	put_number(text, "twins", n[CRAWL_TWIN]);
	put_number(text, "known", n[CRAWL_KNOWN]);
	put_number(text, "no_kernel", n[CRAWL_BARREN]);
	put_number(text, "gone", n[CRAWL_GONE]);
	put_number(text, "failed", n[CRAWL_FAILED] + n[CRAWL_WAITING]);
	put_number(text, "refused_entries", report->list->refused);
	put_number(text, "package_bytes", report->package_bytes);
	put_number(text, "index_bytes", report->index_bytes);
	put_number(text, "retries", report->retries);
	text_format(text, "\"seconds\":%.1f,\n", report->seconds);
	put_list(text, "index_errors", &report->list->errors);
	put_list(text, "notes", &report->list->notes);
	text_str(text, "\"lacking\":[");
	for (size_t i = 0; i < report->count; i++) {
		if (!lacking[report->jobs[i].state])
			continue;
		text_str(text, any ? ",\n " : "\n ");
		put_job(text, &report->jobs[i]);
		any = true;
	}
	text_str(text, "]}\n");
}
