// SPDX-License-Identifier: Apache-2.0
/*
 * `offsets-builder import` of any lines. What it takes is exported, and that is taken again and
 * gives the same export.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db_sql.h"
#include "jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/dev/shm/cormorant-import-fuzz.XXXXXX";
static char database[64], export_path[64];
static struct db *db;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void clean_up(void)
{
	db_close(db);
	unlink(database);
	unlink(export_path);
	rmdir(directory);
}

static void set_up(void)
{
	struct error error;

	must(mkdtemp(directory) != NULL, "no directory");
	snprintf(database, sizeof(database), "%s/offsets.db", directory);
	snprintf(export_path, sizeof(export_path), "%s/export.jsonl", directory);
	must(!db_open(database, &db, &error), error.text);
	must(!sqlite3_exec(db->sqlite, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY",
			   NULL, NULL, NULL),
	     "no pragma");
	atexit(clean_up);
}

static void empty(void)
{
	must(!sqlite3_exec(db->sqlite,
			   "BEGIN; DELETE FROM kernel; DELETE FROM layout; DELETE FROM crawled; "
			   "COMMIT",
			   NULL, NULL, NULL),
	     "not emptied");
}

static int import(const char *text, size_t size)
{
	size_t counts[DB_OUTCOMES] = {0};
	FILE *stream = fmemopen((void *)text, size, "r");
	struct error error;
	int err;

	must(stream != NULL, "no stream");
	err = jsonl_import_stream(db, stream, "input", counts, &error);
	fclose(stream);
	must(err <= 0, "a positive errno");
	return err;
}

static char *export_all(size_t *size)
{
	static char bytes[4 << 20];
	struct error error;
	FILE *f;

	must(!jsonl_export(db, export_path, &error), error.text);
	f = fopen(export_path, "re");
	must(f != NULL, "no export");
	*size = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return memcpy(malloc(*size + 1), bytes, *size);
}

static void check_round_trip(void)
{
	size_t size, again_size;
	char *text = export_all(&size), *again;

	empty();
	must(!size || !import(text, size), "its own export is refused");
	again = export_all(&again_size);
	must(size == again_size && !memcmp(text, again, size), "another export");
	free(text);
	free(again);
}

/*
 * A layout that was changed has the wrong hash, and would get no further: it gets the right
 * one, and the kernels behind it that layout.
 */
static void repair(const char *bytes, size_t size, struct text *out, char sha256[DIGEST_TEXT])
{
	static struct jsonl_line line;
	static struct layout layout;
	struct db_row row = {.layout = &layout};
	struct error error;

	memset(&line, 0, sizeof(line));
	if (jsonl_parse(bytes, size, &line, &error)) {
		text_bytes(out, bytes, size);
	} else if (line.kind == JSONL_LAYOUT) {
		must(!layout_hash(&line.layout, line.layout.sha256), "no hash");
		memcpy(sha256, line.layout.sha256, DIGEST_TEXT);
		jsonl_put_layout(out, &line.layout);
	} else if (line.kind == JSONL_KERNEL) {
		row.kernel = line.kernel;
		memcpy(layout.sha256, sha256, DIGEST_TEXT);
		jsonl_put_kernel(out, &row);
	} else {
		jsonl_put_crawled(out, &line.crawled);
	}
	text_char(out, '\n');
}

static void repair_all(const char *bytes, size_t size, struct text *out)
{
	char sha256[DIGEST_TEXT] = "";

	while (size) {
		const char *end = memchr(bytes, '\n', size);
		size_t len = end ? (size_t)(end - bytes) : size;

		repair(bytes, len, out, sha256);
		bytes += len + (end != NULL);
		size -= len + (end != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text repaired = {0};

	if (!db)
		set_up();
	if (!size)
		return 0;
	if (!import((const char *)data, size))
		check_round_trip();
	empty();
	repair_all((const char *)data, size, &repaired);
	if (!import(repaired.data, repaired.len))
		check_round_trip();
	text_free(&repaired);
	empty();
	return 0;
}
