/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database as text that is reviewed and kept in a repository, a JSON object a line:
 *
 *	{"layout":{"sha256":S,"fields":{STRUCT:{MEMBER:[OFFSET,SIZE]}},"absent":{STRUCT:[MEMBER]}}}
 *	{"kernel":{"build_id":…,"arch":…,"release":…,…,"layout":S}}
 *	{"crawled":{"package_sha256":…,"package":…,"build_id":… or "why":…}}
 *
 * A bit field has its shift as a third number. Layouts come before the kernels that have
 * them; a package that a kernel's line names has no line of its own. What is not known is left
 * out, and so is when a row was made: two runs give the same bytes. There is one way to write a row, and no other is read.
 */
#ifndef BUILDER_JSONL_H
#define BUILDER_JSONL_H

#include <stdio.h>

#include "db.h"
#include "text.h"

/* The longest that is read, its newline included; a layout has some 3,000 bytes. */
enum { JSONL_LINE_MAX = 128 << 10 };

/* A line each, without its newline. */
void jsonl_put_layout(struct text *text, const struct layout *layout);
void jsonl_put_kernel(struct text *text, const struct db_row *row);
void jsonl_put_crawled(struct text *text, const struct db_crawled *crawled);

enum jsonl_kind { JSONL_LAYOUT, JSONL_KERNEL, JSONL_CRAWLED };

/* A line that was read. */
struct jsonl_line {
	enum jsonl_kind kind;
	struct layout layout;
	struct db_kernel kernel; /* its texts are those of texts */
	char layout_sha256[DIGEST_TEXT];
	struct db_crawled crawled;
	char texts[5][DB_TEXT_MAX];
};

/*
 * Reads a line of size bytes, its newline not included. Returns 0 or -EINVAL, why in error;
 * what the line says is well-formed as text, not yet as a row.
 */
int jsonl_parse(const char *bytes, size_t size, struct jsonl_line *line, struct error *error);

/*
 * Writes the whole database: to stdout if path is NULL, into a file, or, if path is a directory
 * or ends in a slash, into one file there for each distribution and machine, "debian-x86_64.jsonl",
 * each of which can be read alone. -EEXIST: all is written, but the directory has another file
 * of the kind, which is none of it.
 */
int jsonl_export(struct db *db, const char *path, struct error *error);

/*
 * Adds what a file says, in one transaction. counts, of DB_OUTCOMES, get one more for each
 * kernel. Returns 0, or a negative errno, with the file and the line in error; the database is
 * then as it was.
 */
int jsonl_import(struct db *db, const char *path, size_t *counts, struct error *error);
/* The same of an open stream; name is for errors. */
int jsonl_import_stream(struct db *db, FILE *stream, const char *name, size_t *counts,
			struct error *error);

#endif
