/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the kernels of a whole archive into the database. */
#ifndef BUILDER_CRAWL_H
#define BUILDER_CRAWL_H

#include <stdbool.h>
#include <stddef.h>

#include "crawl_list.h"
#include "error.h"
#include "index.h"
#include "shard.h"

struct db;

enum { CRAWL_WORDS = 64 };

/* What an option that may be given several times was given. */
struct crawl_words {
	const char *word[CRAWL_WORDS];
	size_t count;
};

struct crawl_options {
	const char *database;
	const char *report; /* a file for the report as JSON; NULL: none */
	const char *distro; /* column kernel.distro, and the first word of kernel.source */
	const char *mirror, *component, *keyring;
	struct crawl_words suites, arches, repos;
	struct crawl_words patterns; /* of package names; none: every kernel package's */
	struct shard shard;
	unsigned int jobs, retries, timeout_s;
	bool verify;	     /* whole packages are read and hashed */
	bool again;	     /* packages in which no kernel was found are read again */
	bool allow_unsigned; /* an index without a good signature is used all the same */
};

/* A package smaller than this has no kernel: it is empty and depends on another one. */
enum { CRAWL_KERNEL_MIN = 1 << 20 };

/* Does a package's name match one of the patterns, or of the defaults if there is none? */
bool crawl_wanted(const struct crawl_words *patterns, const char *const defaults[],
		  const char *name);

/*
 * Lists what the archives' indexes have. An index that can't be read is an error in the
 * list; a negative errno is for what ends the crawl.
 */
int debian_list(const struct crawl_options *options, struct index_reader *reader,
		struct crawl_list *list, struct error *error);
int rpm_list(const struct crawl_options *options, struct index_reader *reader,
	     struct crawl_list *list, struct error *error);

/*
 * Reads the listed packages that the database does not know yet, says how it goes on
 * stderr, and prints the report. Returns the exit status.
 */
int crawl_run(const struct crawl_options *options, struct db *db, const struct crawl_list *list,
	      struct http_totals *totals);

#endif
