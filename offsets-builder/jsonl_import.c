// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db_sql.h"
#include "jsonl.h"

struct importer {
	struct db *db;
	size_t counts[DB_OUTCOMES];
	struct jsonl_line line;
	struct layout layout; /* a kernel's */
	char bytes[JSONL_LINE_MAX];
};

static int put_kernel(struct importer *importer, struct error *error)
{
	struct jsonl_line *line = &importer->line;
	enum db_outcome outcome = DB_UNCHANGED;
	sqlite3_int64 id = 0;
	int err = db_run(importer->db, error, &id, "SELECT id FROM layout WHERE sha256 = ?1", "t",
			 line->layout_sha256);

	if (!err && !id)
		return error_set(error, -EINVAL,
				 "no line before it has its layout: export it again");
	if (!err)
		err = db_read_layout(importer->db, id, &importer->layout, error);
	if (!err)
		err = db_put(importer->db, &line->kernel, &importer->layout, &outcome, error);
	if (!err)
		importer->counts[outcome]++;
	return err;
}

static int put_line(struct importer *importer, size_t size, struct error *error)
{
	struct jsonl_line *line = &importer->line;
	sqlite3_int64 id;
	int err = jsonl_parse(importer->bytes, size, line, error);

	if (err)
		return err;
	switch (line->kind) {
	case JSONL_LAYOUT: return db_put_layout(importer->db, &line->layout, &id, error);
	case JSONL_KERNEL: return put_kernel(importer, error);
	default: return db_put_crawled(importer->db, &line->crawled, error);
	}
}

/* Puts the place before what is wrong there. */
static int fail_at(const char *name, size_t number, int err, struct error *error)
{
	struct error what = *error;

	return error_set(error, err, "cannot import %s: line %zu: %s", name, number, what.text);
}

static int put_lines(struct importer *importer, FILE *stream, const char *name, struct error *error)
{
	size_t number = 0;

	while (fgets(importer->bytes, sizeof(importer->bytes), stream)) {
		size_t size = strlen(importer->bytes);
		int err;

		number++;
		if (!size || importer->bytes[size - 1] != '\n')
			err = error_set(error, -EINVAL,
					"it is too long, cut off or not text: export it again");
		else
			err = put_line(importer, size - 1, error);
		if (err)
			return fail_at(name, number, err, error);
	}
	if (ferror(stream))
		return error_set(error, -EIO, "cannot read %s: %s: check the file", name,
				 strerror(errno));
	return 0;
}

int jsonl_import_stream(struct db *db, FILE *stream, const char *name, size_t *counts,
			struct error *error)
{
	struct importer *importer = calloc(1, sizeof(*importer));
	int err;

	if (!importer)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some", name);
	importer->db = db;
	err = db_begin(db, error);
	if (!err) {
		err = put_lines(importer, stream, name, error);
		if (!err)
			err = db_tidy(db, error);
		err = db_end(db, err, error);
	}
	for (int i = 0; !err && i < DB_OUTCOMES; i++)
		counts[i] += importer->counts[i];
	free(importer);
	return err;
}

int jsonl_import(struct db *db, const char *path, size_t *counts, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	FILE *stream = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (!(stream = fdopen(fd, "r")))
		err = -errno;
	if (err)
		error_set(error, err, "cannot open %s: %s: give a file that can be read", path,
			  strerror(-err));
	else
		err = jsonl_import_stream(db, stream, path, counts, error);
	if (stream)
		fclose(stream);
	else if (fd >= 0)
		close(fd);
	return err;
}
