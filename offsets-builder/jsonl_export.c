// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jsonl.h"

/* ------------------------------------------------------------------------- lines */

/* One line of one file; "" is the name of the only one. */
struct line {
	char *file, *text;
	enum jsonl_kind kind;
	size_t number; /* in which it came */
	char build_id[48];
};

struct lines {
	struct line *at;
	size_t count, room;
	bool by_distro;
};

static void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		free(lines->at[i].file);
		free(lines->at[i].text);
	}
	free(lines->at);
}

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "cannot export: no memory: free some");
}

/* Takes text's bytes; file is copied. */
static int lines_add(struct lines *lines, const char *file, enum jsonl_kind kind,
		     const char *build_id, struct text *text, struct error *error)
{
	size_t room = lines->room ? 2 * lines->room : 256;
	struct line *at = lines->at;

	text_char(text, 0);
	if (lines->count == lines->room && (at = realloc(at, room * sizeof(*at)))) {
		lines->at = at;
		lines->room = room;
	}
	if (at && !text->failed) {
		at += lines->count;
		*at = (struct line){.file = strdup(file), .text = text->data, .kind = kind};
		at->number = lines->count;
		snprintf(at->build_id, sizeof(at->build_id), "%s", build_id);
		if (at->file) {
			lines->count++;
			return 0;
		}
	}
	text_free(text);
	return no_memory(error);
}

/* Layouts by their hash, everything else as the database gave it. */
static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (!order)
		order = (x->kind > y->kind) - (x->kind < y->kind);
	if (!order && x->kind == JSONL_LAYOUT)
		order = strcmp(x->text, y->text);
	return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* ------------------------------------------------------------------------ collect */

static void append_plain(char *out, size_t size, const char *text)
{
	size_t len = strlen(out);

	for (text = *text ? text : "unknown"; *text && len < size - 1; text++)
		out[len++] = isalnum((unsigned char)*text) || strchr("+_", *text) ? *text : '_';
	out[len] = 0;
}

/* "debian-x86_64.jsonl" */
static void file_of_kernel(const struct lines *lines, const struct db_row *row, char name[128])
{
	*name = 0;
	if (!lines->by_distro)
		return;
	append_plain(name, 64, row->kernel.distro);
	strcat(name, "-");
	append_plain(name, 100, row->kernel.identity.arch);
	strcat(name, ".jsonl");
}

static int take_kernel(void *arg, const struct db_row *row, struct error *error)
{
	struct text layout = {0}, kernel = {0};
	struct lines *lines = arg;
	char file[128];
	int err;

	file_of_kernel(lines, row, file);
	jsonl_put_layout(&layout, row->layout);
	err = lines_add(lines, file, JSONL_LAYOUT, "", &layout, error);
	if (err)
		return err;
	jsonl_put_kernel(&kernel, row);
	return lines_add(lines, file, JSONL_KERNEL, row->kernel.identity.build_id, &kernel, error);
}

/* A package stands with the kernel that was in it. */
static const char *file_of_package(const struct lines *lines, const struct db_crawled *crawled)
{
	for (size_t i = 0; *crawled->build_id && i < lines->count; i++)
		if (!strcmp(lines->at[i].build_id, crawled->build_id))
			return lines->at[i].file;
	return lines->by_distro ? "without-kernel.jsonl" : "";
}

static int take_crawled(void *arg, const struct db_crawled *crawled, struct error *error)
{
	struct text text = {0};
	struct lines *lines = arg;

	if (crawled->implied)
		return 0;
	jsonl_put_crawled(&text, crawled);
	return lines_add(lines, file_of_package(lines, crawled), JSONL_CRAWLED, "", &text, error);
}

static int collect(struct db *db, struct lines *lines, struct error *error)
{
	int err = db_each_kernel(db, take_kernel, lines, error);

	if (!err)
		err = db_each_crawled(db, take_crawled, lines, error);
	if (!err && lines->count)
		qsort(lines->at, lines->count, sizeof(*lines->at), compare_lines);
	return err;
}

/* -------------------------------------------------------------------------- write */

/* The lines of one file, from the i-th on; *i is then the first of the next. */
static void write_lines(FILE *stream, const struct lines *lines, size_t *i)
{
	const char *file = lines->count ? lines->at[*i].file : NULL, *before = "";

	for (; *i < lines->count && !strcmp(lines->at[*i].file, file); (*i)++) {
		const struct line *line = &lines->at[*i];

		/* Several kernels have the same layout. */
		if (line->kind != JSONL_LAYOUT || strcmp(line->text, before))
			fprintf(stream, "%s\n", line->text);
		before = line->text;
	}
}

static int fail_write(const char *path, int err, struct error *error)
{
	return error_set(error, err, "cannot write %s: %s: check its directory and the space there",
			 path, strerror(-err));
}

/* A file is there whole or as it was before. */
static int write_file(const char *path, const struct lines *lines, size_t *i, struct error *error)
{
	FILE *stream;
	char *part;
	int err = 0;

	if (asprintf(&part, "%s.part", path) < 0)
		return no_memory(error);
	stream = fopen(part, "we");
	if (stream)
		write_lines(stream, lines, i);
	if (!stream || fflush(stream) || fsync(fileno(stream)) || ferror(stream))
		err = errno ? -errno : -EIO;
	if (stream && fclose(stream) && !err)
		err = -errno;
	if (!err && rename(part, path))
		err = -errno;
	if (err) {
		unlink(part);
		fail_write(path, err, error);
	}
	free(part);
	return err;
}

static bool is_written(const struct lines *lines, const char *name)
{
	for (size_t i = 0; i < lines->count; i++)
		if (!strcmp(lines->at[i].file, name))
			return true;
	return false;
}

/* What an earlier export has left there would be imported with the rest. */
static int check_leftovers(const char *path, const struct lines *lines, struct error *error)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = dir ? 0 : -errno;

	if (err)
		return fail_write(path, err, error);
	while (!err && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && !strcmp(dot, ".jsonl") && !is_written(lines, entry->d_name))
			err = error_set(error, -EEXIST,
					"%s/%s is not of this database: all others are written: "
					"remove it",
					path, entry->d_name);
	}
	closedir(dir);
	return err;
}

static int write_directory(const char *path, const struct lines *lines, struct error *error)
{
	int err = mkdir(path, 0777) && errno != EEXIST ? fail_write(path, -errno, error) : 0;
	size_t i = 0;
	char *name;

	while (!err && i < lines->count) {
		if (asprintf(&name, "%s/%s", path, lines->at[i].file) < 0)
			return no_memory(error);
		err = write_file(name, lines, &i, error);
		free(name);
	}
	return err ? err : check_leftovers(path, lines, error);
}

static int write_stdout(const struct lines *lines, struct error *error)
{
	size_t i = 0;

	write_lines(stdout, lines, &i);
	if (fflush(stdout) || ferror(stdout))
		return error_set(
			error, -EIO,
			"cannot write to stdout: it is closed or full: look where it goes");
	return 0;
}

static bool is_directory(const char *path)
{
	struct stat st;
	size_t len = path ? strlen(path) : 0;

	return len && (path[len - 1] == '/' || (!stat(path, &st) && S_ISDIR(st.st_mode)));
}

int jsonl_export(struct db *db, const char *path, struct error *error)
{
	struct lines lines = {.by_distro = is_directory(path)};
	size_t i = 0;
	int err = collect(db, &lines, error);

	if (err)
		;
	else if (lines.by_distro)
		err = write_directory(path, &lines, error);
	else if (path)
		err = write_file(path, &lines, &i, error);
	else
		err = write_stdout(&lines, error);
	lines_free(&lines);
	return err;
}
