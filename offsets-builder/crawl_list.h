/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel packages that the indexes of a distribution's archives list. */
#ifndef BUILDER_CRAWL_LIST_H
#define BUILDER_CRAWL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

struct crawl_package {
	char *label; /* with version and architecture, as a file is named: provenance */
	char *name, *version, *arch;
	char *path;	  /* in the archive: provenance, without its server's name */
	char *url;	  /* today's address */
	char *debug_name; /* of the package with the same kernel's DWARF; NULL: this is one */
	uint64_t size;	  /* in bytes, as the index states it; never 0 */
	char sha256[DIGEST_TEXT]; /* likewise */
	bool vouched;		  /* a signature of the index was checked */

	/* Set by crawl_list_finish. */
	struct crawl_package *debug;	 /* NULL: there is none */
	struct crawl_package *elsewhere; /* the same bytes in another place; NULL: no more */
};

struct crawl_texts {
	char **text;
	size_t count;
};

/* All zero is empty. */
struct crawl_list {
	/* Kernels first, in the order of their hashes, then debug packages and other places. */
	struct crawl_package *packages;
	size_t count; /* of all of them */
	size_t kernels;
	size_t refused; /* entries that no archive would have: odd names, paths, hashes */
	struct crawl_texts errors; /* of indexes that could not be read: texts of struct error */
	struct crawl_texts notes;  /* what else a reader of the report must know */
};

/* May an index's path follow an archive's address? Not ones that lead elsewhere. */
bool crawl_path_is_sane(const char *path);

/*
 * Copies an index's entry. One that is not sane is counted as refused instead. Returns 0
 * or -ENOMEM.
 */
int crawl_list_add(struct crawl_list *list, const struct crawl_package *package);
/* Keeps a copy of the text, if there is memory for it. */
void crawl_texts_add(struct crawl_texts *texts, const char *text);
/* After the last entry: sorts, joins what is listed twice, and finds the debug packages. */
int crawl_list_finish(struct crawl_list *list);
void crawl_list_free(struct crawl_list *list);

#endif
