// SPDX-License-Identifier: Apache-2.0
#include "crawl_team.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	/* A package may be this large: Debian's largest -dbg has 1.3 GB. */
	PACKAGE_MAX = INT32_MAX,
	/* How often a whole package is read anew that changed or was not what it should be. */
	READS_MAX = 3,
};

struct crawl_team {
	const struct crawl_options *options;
	struct crawl_job *jobs;
	size_t count;
	atomic_size_t next; /* job */
	atomic_bool stop;
	pthread_mutex_t lock; /* of the answers */
	pthread_cond_t came;
	struct crawl_answer *first, **end;
	size_t workers;
	struct worker {
		struct crawl_team *team;
		struct http *http;
		pthread_t thread;
	} worker[];
};

/* --------------------------------------------------------------------- package */

static int take_image(void *arg, const struct image *image, struct error *error)
{
	(void)error;
	*(struct image *)arg = *image;
	return 1;
}

static int read_rest(struct source *source, struct error *error)
{
	const void *block;
	ssize_t n;

	do
		n = source->next(source, &block, error);
	while (n > 0);
	return (int)n;
}

/*
 * The hash of a package that was read to its end. Returns 0 if it was not, 1 if it is the
 * index's, or -ESTALE.
 */
static int check_hash(struct http_stream *stream, const struct crawl_package *package,
		      struct error *error)
{
	char sha256[DIGEST_TEXT];
	int err = http_digest(stream, sha256);

	if (err == -EAGAIN)
		return 0;
	if (err || strcmp(sha256, package->sha256))
		return error_set(error, -ESTALE,
				 "cannot trust %s: its SHA-256 is not the index's %s: try again "
				 "later, or another mirror",
				 package->path, package->sha256);
	return 1;
}

/*
 * Reads a package from one place. What a transfer failed with comes before what the reader
 * made of it, and a hash that is wrong before both.
 */
static int read_stream(const struct crawl_options *options, struct http_stream *stream,
		       const struct crawl_package *package, struct crawl_answer *answer)
{
	struct source *source = http_source(stream);
	int found = image_read(source, take_image, &answer->image, &answer->error), err;
	/* What no kernel is in must be proven to be what the index lists, to be for ever so. */
	bool doubtful = found == -ENOENT || found == -EBADMSG;
	struct error error;

	if (!http_failure(stream) && (options->verify || doubtful))
		read_rest(source, &error);
	if (http_failure(stream)) {
		read_rest(source, &answer->error); /* its text again */
		return http_failure(stream);
	}
	err = check_hash(stream, package, &error);
	if (err < 0) {
		answer->error = error;
		return err;
	}
	answer->verified = err && package->vouched;
	if (found > 0) {
		answer->state = CRAWL_NEW;
		return 0;
	}
	/* A package that is what it should be will be the same next time. */
	if (found == -ENODATA || (doubtful && err))
		answer->state = CRAWL_BARREN;
	return found ? found : -ENOENT;
}

static int read_place(struct worker *worker, const struct crawl_package *package,
		      struct crawl_answer *answer)
{
	const struct http_request request = {.url = package->url,
					     .name = package->path,
					     .size = package->size,
					     .limit = PACKAGE_MAX};
	struct http_stream *stream = NULL;
	int err = http_open(worker->http, &request, &stream, &answer->error);

	answer->state = CRAWL_FAILED;
	answer->verified = false;
	if (!err)
		err = read_stream(worker->team->options, stream, package, answer);
	if (stream && http_failure(stream) == -ENOENT)
		answer->state = CRAWL_GONE;
	http_close(stream);
	return err;
}

/* From the place that is listed first, else from the others. It is gone if it is from all. */
static void read_package(struct worker *worker, struct crawl_answer *answer)
{
	const struct crawl_package *place = answer->package;
	struct error failure = {""};

	for (unsigned int reads = 1; place;) {
		int err = read_place(worker, place, answer);

		if (!err || answer->state == CRAWL_BARREN || atomic_load(&worker->team->stop))
			return;
		if (answer->state == CRAWL_FAILED)
			failure = answer->error;
		if (err == -ESTALE && reads < READS_MAX)
			reads++;
		else
			place = place->elsewhere;
	}
	if (*failure.text) {
		answer->state = CRAWL_FAILED;
		answer->error = failure;
	}
}

/* A package's own names may be in it, and it goes to a terminal and into the database. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/* ---------------------------------------------------------------------- worker */

static void hand_over(struct crawl_team *team, struct crawl_answer *answer)
{
	pthread_mutex_lock(&team->lock);
	*team->end = answer;
	team->end = &answer->next;
	pthread_cond_signal(&team->came);
	pthread_mutex_unlock(&team->lock);
}

/* Returns whether the job goes on with its debug package. */
static bool answer_for(struct worker *worker, struct crawl_job *job,
		       const struct crawl_package *package, bool last)
{
	struct crawl_answer *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		atomic_store(&worker->team->stop, true); /* crawl_team_stopped says so */
		return false;
	}
	answer->job = job;
	answer->package = package;
	read_package(worker, answer);
	make_printable(answer->error.text);
	last |= answer->state != CRAWL_BARREN;
	answer->last = last;
	hand_over(worker->team, answer);
	return !last;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crawl_team *team = worker->team;

	while (!atomic_load(&team->stop)) {
		size_t i = atomic_fetch_add(&team->next, 1);
		struct crawl_job *job;

		if (i >= team->count)
			break;
		job = &team->jobs[i];
		if (job->state != CRAWL_WAITING)
			continue;
		if (job->only_debug || answer_for(worker, job, job->package, !job->package->debug))
			answer_for(worker, job, job->package->debug, true);
	}
	return NULL;
}

/* ------------------------------------------------------------------------ team */

static size_t waiting(const struct crawl_job *jobs, size_t count, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < count && n < most; i++)
		n += jobs[i].state == CRAWL_WAITING;
	return n;
}

static int start_worker(struct crawl_team *team, struct http_totals *totals, struct error *error)
{
	const struct http_options options = {.retries = team->options->retries,
					     .timeout_s = team->options->timeout_s,
					     .totals = totals,
					     .stop = &team->stop};
	struct worker *worker = &team->worker[team->workers];
	int err = http_new(&options, &worker->http, error);

	if (err)
		return err;
	worker->team = team;
	err = pthread_create(&worker->thread, NULL, work, worker);
	if (err) {
		http_free(worker->http);
		return error_set(error, -err, "cannot start a thread: %s: give a smaller --jobs",
				 strerror(err));
	}
	team->workers++;
	return 0;
}

int crawl_team_start(const struct crawl_options *options, struct http_totals *totals,
		     struct crawl_job *jobs, size_t count, struct crawl_team **out,
		     struct error *error)
{
	size_t workers = waiting(jobs, count, options->jobs);
	struct crawl_team *team = calloc(1, sizeof(*team) + workers * sizeof(team->worker[0]));
	pthread_condattr_t attributes;
	int err = 0;

	if (!team)
		return error_set(error, -ENOMEM, "cannot start threads: no memory: free some");
	team->options = options;
	team->jobs = jobs;
	team->count = count;
	team->end = &team->first;
	pthread_mutex_init(&team->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&team->came, &attributes);
	pthread_condattr_destroy(&attributes);
	for (size_t i = 0; !err && i < workers; i++)
		err = start_worker(team, totals, error);
	if (err)
		crawl_team_end(team);
	else
		*out = team;
	return err;
}

struct crawl_answer *crawl_team_next(struct crawl_team *team, unsigned int wait_ms)
{
	struct crawl_answer *answer;
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&team->lock);
	while (!team->first && !err)
		err = pthread_cond_timedwait(&team->came, &team->lock, &until);
	answer = team->first;
	if (answer)
		team->first = answer->next;
	if (!team->first)
		team->end = &team->first;
	pthread_mutex_unlock(&team->lock);
	return answer;
}

bool crawl_team_stopped(const struct crawl_team *team)
{
	return atomic_load(&team->stop);
}

void crawl_team_end(struct crawl_team *team)
{
	struct crawl_answer *answer;

	if (!team)
		return;
	atomic_store(&team->stop, true);
	for (size_t i = 0; i < team->workers; i++) {
		pthread_join(team->worker[i].thread, NULL);
		http_free(team->worker[i].http);
	}
	while ((answer = team->first)) {
		team->first = answer->next;
		free(answer);
	}
	pthread_cond_destroy(&team->came);
	pthread_mutex_destroy(&team->lock);
	free(team);
}
