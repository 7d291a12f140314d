// SPDX-License-Identifier: Apache-2.0
#include "crawl.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "crawl_progress.h"
#include "crawl_report.h"
#include "crawl_team.h"
#include "db.h"

enum { TICK_MS = 200 };

struct crawl {
	const struct crawl_options *options;
	struct db *db;
	struct crawl_job *jobs;
	size_t count;
	struct crawl_progress progress;
};

bool crawl_wanted(const struct crawl_words *patterns, const char *const defaults[],
		  const char *name)
{
	for (size_t i = 0; i < patterns->count; i++) {
		if (!fnmatch(patterns->word[i], name, 0))
			return true;
	}
	for (size_t i = 0; !patterns->count && defaults[i]; i++) {
		if (!fnmatch(defaults[i], name, 0))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------ plan */

static int set_why(struct crawl_job *job, enum crawl_state state, const char *why,
		   struct error *error)
{
	job->state = state;
	free(job->why);
	job->why = strdup(why);
	return job->why ? 0 : error_set(error, -ENOMEM, "cannot crawl: no memory: free some");
}

/* What earlier runs have found out about a package, or about its debug package. */
static int plan_job(const struct crawl *crawl, struct crawl_job *job, struct error *error)
{
	const struct crawl_package *debug = job->package->debug;
	struct db_crawled crawled;
	int found = db_crawled_get(crawl->db, job->package->sha256, &crawled, error);

	if (found == 1 && !*crawled.build_id && debug) {
		job->only_debug = true;
		found = db_crawled_get(crawl->db, debug->sha256, &crawled, error);
	}
	if (found <= 0)
		return found;
	if (*crawled.build_id)
		job->state = CRAWL_KNOWN;
	else if (!crawl->options->again)
		return set_why(job, CRAWL_BARREN, crawled.why, error);
	else
		job->only_debug = false;
	return 0;
}

static int plan(struct crawl *crawl, const struct crawl_list *list, struct error *error)
{
	int err = 0;

	crawl->jobs = calloc(list->kernels + 1, sizeof(*crawl->jobs));
	if (!crawl->jobs)
		return error_set(error, -ENOMEM, "cannot crawl: no memory: free some");
	for (size_t i = 0; !err && i < list->kernels; i++) {
		struct crawl_job *job = &crawl->jobs[crawl->count];

		if (!shard_has(&crawl->options->shard, list->packages[i].sha256))
			continue;
		job->package = &list->packages[i];
		crawl->count++;
		err = plan_job(crawl, job, error);
	}
	return err;
}

/* ----------------------------------------------------------------------- store */

static int store_crawled(const struct crawl *crawl, const struct crawl_answer *answer,
			 const char *build_id, const char *why, struct error *error)
{
	struct db_crawled crawled = {0};

	if (!*build_id && !*why)
		return 0; /* a kernel without a build-id can't be pointed at: it is read again */
	memcpy(crawled.package_sha256, answer->package->sha256, sizeof(crawled.package_sha256));
	snprintf(crawled.package, sizeof(crawled.package), "%s", answer->package->label);
	snprintf(crawled.build_id, sizeof(crawled.build_id), "%s", build_id);
	snprintf(crawled.why, sizeof(crawled.why), "%s", why);
	return db_crawled_put(crawl->db, &crawled, error);
}

/* Only the hash that a signature vouches for is worth a place in the row. */
static int store_kernel(const struct crawl *crawl, struct crawl_answer *answer, struct error *error)
{
	const struct crawl_package *package = answer->package;
	char source[DB_TEXT_MAX];
	struct db_kernel kernel = {.identity = answer->image.identity,
				   .distro = crawl->options->distro,
				   .source = source,
				   .sha256 = answer->image.sha256,
				   .package = package->label,
				   .package_sha256 = package->vouched ? package->sha256 : "",
				   .source_verified = answer->verified};
	enum db_outcome outcome = DB_UNCHANGED;
	int err;

	snprintf(source, sizeof(source), "%s %s", crawl->options->distro, package->path);
	err = db_add(crawl->db, &kernel, &answer->image.layout, &outcome, error);
	if (err == -EINVAL) /* no kernel calls itself so: it is this package's fault alone */
		return set_why(answer->job, CRAWL_FAILED, error->text, error);
	if (err)
		return err;
	answer->job->state = outcome == DB_ADDED ? CRAWL_NEW : CRAWL_TWIN;
	if (outcome == DB_CONFLICT)
		return set_why(answer->job, CRAWL_FAILED,
			       "another row of the same kernel has other numbers: see "
			       "`offsets-builder verify`",
			       error);
	if (package->vouched)
		return 0;
	return store_crawled(crawl, answer, kernel.identity.build_id, "", error);
}

static int store(struct crawl *crawl, struct crawl_answer *answer, struct error *error)
{
	int err;

	if (answer->state == CRAWL_NEW) {
		err = store_kernel(crawl, answer, error);
	} else {
		err = set_why(answer->job, answer->state, answer->error.text, error);
		if (!err && answer->state == CRAWL_BARREN)
			err = store_crawled(crawl, answer, "", answer->error.text, error);
	}
	if (!err && answer->last)
		crawl_progress_job(&crawl->progress, answer->job, answer->image.identity.release);
	return err;
}

/* ------------------------------------------------------------------------- run */

static size_t count_waiting(const struct crawl *crawl)
{
	size_t n = 0;

	for (size_t i = 0; i < crawl->count; i++)
		n += crawl->jobs[i].state == CRAWL_WAITING;
	return n;
}

static int read_packages(struct crawl *crawl, struct http_totals *totals, struct error *error)
{
	struct crawl_team *team = NULL;
	size_t left = count_waiting(crawl);
	int err;

	crawl_progress_begin(&crawl->progress, left, totals);
	err = crawl_team_start(crawl->options, totals, crawl->jobs, crawl->count, &team, error);
	while (!err && left) {
		struct crawl_answer *answer = crawl_team_next(team, TICK_MS);

		crawl_progress_tick(&crawl->progress);
		if (!answer && crawl_team_stopped(team))
			err = error_set(error, -ENOMEM, "cannot crawl: no memory: free some");
		if (!answer)
			continue;
		left -= answer->last;
		err = store(crawl, answer, error);
		free(answer);
	}
	crawl_team_end(team);
	crawl_progress_end(&crawl->progress);
	return err;
}

static int write_report(const struct crawl_report *report)
{
	const char *path = report->options->report;
	struct text text = {0};
	struct error error;
	FILE *file;
	bool ok;
	int status;

	crawl_report_text(report, &text);
	status = command_print_text(&text);
	text_clear(&text);
	if (!path)
		goto out;
	crawl_report_json(report, &text);
	file = fopen(path, "we");
	ok = file && !text.failed && fwrite(text.data, 1, text.len, file) == text.len;
	if ((file && fclose(file)) || !ok) {
		error_set(&error, -EIO, "cannot write %s: %s: give --report another path", path,
			  strerror(errno));
		command_complain(&error);
		status = EXIT_FAILED;
	}
out:
	text_free(&text);
	return status;
}

static int report_crawl(const struct crawl *crawl, const struct crawl_list *list,
			const struct http_totals *totals)
{
	struct crawl_report report = {.options = crawl->options,
				      .list = list,
				      .jobs = crawl->jobs,
				      .count = crawl->count,
				      .index_bytes = crawl->progress.began_bytes,
				      .package_bytes = atomic_load(&totals->bytes) -
						       crawl->progress.began_bytes,
				      .retries = atomic_load(&totals->retries),
				      .seconds = crawl_progress_seconds(&crawl->progress)};
	size_t n[CRAWL_STATES];
	int status = write_report(&report);

	crawl_report_count(&report, n);
	if (n[CRAWL_FAILED] || n[CRAWL_WAITING] || list->errors.count)
		status = EXIT_FAILED;
	return status;
}

int crawl_run(const struct crawl_options *options, struct db *db, const struct crawl_list *list,
	      struct http_totals *totals)
{
	struct crawl crawl = {.options = options, .db = db};
	struct error error;
	int err = plan(&crawl, list, &error), status = EXIT_FAILED;

	if (!err)
		err = read_packages(&crawl, totals, &error);
	if (err)
		command_complain(&error);
	if (crawl.progress.totals)
		status = report_crawl(&crawl, list, totals);
	for (size_t i = 0; i < crawl.count; i++)
		free(crawl.jobs[i].why);
	free(crawl.jobs);
	return err ? EXIT_FAILED : status;
}
