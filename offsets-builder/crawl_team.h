/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that download and read packages. They touch no database: what they find is
 * handed to the one thread that started them.
 */
#ifndef BUILDER_CRAWL_TEAM_H
#define BUILDER_CRAWL_TEAM_H

#include "crawl.h"
#include "image.h"

/* A kernel package that is to be read, and what it gets to be known of it. */
struct crawl_job {
	const struct crawl_package *package;
	bool only_debug; /* it is known to have no types: its debug package is read at once */
	enum crawl_state {
		CRAWL_WAITING,
		CRAWL_NEW,    /* a kernel that the database did not have */
		CRAWL_TWIN,   /* one that it had, from another package or file */
		CRAWL_KNOWN,  /* read by an earlier run */
		CRAWL_BARREN, /* no kernel in it, or one without types: so it is for ever */
		CRAWL_GONE,   /* the index lists it, and its server does not have it */
		CRAWL_FAILED, /* everything that may be better next time */
		CRAWL_STATES,
	} state;
	char *why; /* there is none: of the last three states */
};

/* What one package has given. */
struct crawl_answer {
	struct crawl_answer *next;
	struct crawl_job *job;
	const struct crawl_package *package; /* the job's, or its debug package */
	bool last;			     /* of the job */
	bool verified;		/* the whole package was hashed, and agreed with the index */
	enum crawl_state state; /* CRAWL_NEW: a kernel is there; or one of the last three */
	struct image image;
	struct error error; /* if there is none */
};

struct crawl_team;

/*
 * Starts options->jobs threads, or less if there is less to do, on the jobs that wait.
 * Returns 0 or a negative errno.
 */
int crawl_team_start(const struct crawl_options *options, struct http_totals *totals,
		     struct crawl_job *jobs, size_t count, struct crawl_team **team,
		     struct error *error);
/* The next answer, for free(); NULL if there is none after that time. */
struct crawl_answer *crawl_team_next(struct crawl_team *team, unsigned int wait_ms);
/* The threads gave up: they have no memory. */
bool crawl_team_stopped(const struct crawl_team *team);
/* Stops what goes on, waits for the threads, drops answers that nobody took. */
void crawl_team_end(struct crawl_team *team);

#endif
