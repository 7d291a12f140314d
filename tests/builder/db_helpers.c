// SPDX-License-Identifier: Apache-2.0
#include "db_helpers.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "jsonl.h"

static char work[64];

int work_set_up(void **state)
{
	struct stat st;
	bool memory = !stat("/dev/shm", &st) && S_ISDIR(st.st_mode) && !access("/dev/shm", W_OK);

	(void)state;
	snprintf(work, sizeof(work), "%s/cormorant-builder-test.XXXXXX",
		 memory ? "/dev/shm" : "/tmp");
	return mkdtemp(work) && !chdir(work) ? 0 : -1;
}

int work_tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", work);
	return chdir("/") || system(command) ? -1 : 0;
}

/* ------------------------------------------------------------------------ layouts */

/* What is read of structs and arrays is their address; here they have 16 bytes. */
static void add_member(struct layout *layout, const struct offset_item *item, uint32_t *end)
{
	struct layout_field *field = &layout->fields[layout->count++];
	uint32_t size = item->size ? item->size : 16, align = item->size ? item->size : 8;

	*end = (*end + align - 1) / align * align;
	snprintf(field->type, sizeof(field->type), "%s", item->type);
	snprintf(field->member, sizeof(field->member), "%s", item->member);
	field->offset = *end;
	field->size = size;
	field->bit_shift = 0;
	*end += size;
}

static void add_size(struct layout *layout, const struct offset_item *item)
{
	layout->fields[layout->count] = (struct layout_field){.size = 64};
	snprintf(layout->fields[layout->count++].type, LAYOUT_NAME_MAX, "%s", item->type);
}

static void add_value(struct layout *layout, const struct offset_item *item, uint32_t value)
{
	struct layout_field *field = &layout->fields[layout->count++];

	*field = (struct layout_field){.offset = value};
	snprintf(field->type, sizeof(field->type), "enum %s", item->type);
	snprintf(field->member, sizeof(field->member), "%s", item->member);
}

void seal_layout(struct layout *layout)
{
	layout_sort(layout);
	assert_int_equal(layout_hash(layout, layout->sha256), 0);
}

void make_layout(struct layout *layout, unsigned int number)
{
	make_older(layout, number, 0);
}

void make_older(struct layout *layout, unsigned int number, size_t fewer)
{
	const char *type = "";
	uint32_t end = 0;

	memset(layout, 0, sizeof(*layout));
	for (size_t i = 0; i + fewer < offset_item_count; i++) {
		const struct offset_item *item = &offset_items[i];

		if (strcmp(type, item->type))
			end = strcmp(item->type, "task_struct") ? 0 : 8 * number;
		type = item->type;
		if (item->kind == OFFSET_OF_MEMBER)
			add_member(layout, item, &end);
		else if (item->kind == OFFSET_OF_SIZE)
			add_size(layout, item);
		else
			add_value(layout, item, (uint32_t)(2 + end++));
	}
	/* Every kernel lacks something. */
	assert_true(layout->count > 20);
	memcpy(layout->absent[0].type, layout->fields[19].type, LAYOUT_NAME_MAX);
	memcpy(layout->absent[0].member, layout->fields[19].member, LAYOUT_NAME_MAX);
	layout->absent_count = 1;
	layout->fields[19] = layout->fields[--layout->count];
	seal_layout(layout);
}

struct layout_field *field_named(struct layout *layout, const char *type, const char *member)
{
	for (size_t i = 0; i < layout->count; i++)
		if (!strcmp(layout->fields[i].type, type) &&
		    !strcmp(layout->fields[i].member, member))
			return &layout->fields[i];
	fail_msg("no %s.%s", type, member);
	return NULL;
}

/* ----------------------------------------------------------------------- databases */

struct db_kernel kernel_named(const char *build_id, const char *release)
{
	struct db_kernel kernel = {.distro = "debian", .source = "vmlinuz"};

	snprintf(kernel.identity.build_id, sizeof(kernel.identity.build_id), "%s", build_id);
	strcpy(kernel.identity.arch, "x86_64");
	snprintf(kernel.identity.release, sizeof(kernel.identity.release), "%s", release);
	if (*build_id)
		snprintf(kernel.identity.version, sizeof(kernel.identity.version), "#1 SMP %s",
			 release);
	return kernel;
}

enum db_outcome add_kernel(const char *path, const struct db_kernel *kernel,
			   const struct layout *layout)
{
	enum db_outcome outcome = DB_OUTCOMES;
	struct error error;
	struct db *db;

	if (db_open(path, &db, &error))
		fail_msg("%s", error.text);
	if (db_add(db, kernel, layout, &outcome, &error))
		fail_msg("%s", error.text);
	db_close(db);
	return outcome;
}

void run_sql(const char *path, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

char *ask_sql(const char *path, const char *sql)
{
	char *answer = calloc(1, 1 << 20);
	sqlite3_stmt *stmt;
	sqlite3 *db;
	size_t len = 0;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW)
		len += (size_t)snprintf(answer + len, (1 << 20) - len, "%s\n",
					sqlite3_column_text(stmt, 0) ?
						(const char *)sqlite3_column_text(stmt, 0) :
						"NULL");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return answer;
}

/* --------------------------------------------------------------------------- files */

char *slurp(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	char *bytes = malloc((4 << 20) + 1);
	size_t n;

	if (!f)
		fail_msg("no %s", path);
	n = fread(bytes, 1, 4 << 20, f);
	fclose(f);
	bytes[n] = 0;
	if (size)
		*size = n;
	return bytes;
}

void spill(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

char *export_of(const char *path)
{
	struct error error;
	struct db *db;

	if (db_open_read(path, &db, &error))
		fail_msg("%s", error.text);
	if (jsonl_export(db, "export.jsonl", &error))
		fail_msg("%s", error.text);
	db_close(db);
	return slurp("export.jsonl", NULL);
}

void assert_same_lines(const char *a, const char *b)
{
	while (*a || *b) {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

		if (la != lb || memcmp(a, b, la)) {
			print_error("%.*s\nis not\n%.*s\n", (int)(la < 700 ? la : 700), a,
				    (int)(lb < 700 ? lb : 700), b);
			fail();
		}
		a += la + (a[la] != 0);
		b += lb + (b[lb] != 0);
	}
}

/* ------------------------------------------------------------------------- commands */

static int redirect(int fd, const char *path)
{
	int old = dup(fd), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(old >= 0 && to >= 0);
	dup2(to, fd);
	close(to);
	return old;
}

int run_command(int (*command)(int argc, char **argv), const char *words, char **out, char **err)
{
	char *argv[32] = {(char *)"offsets-builder"}, *save = NULL, *copy = strdup(words);
	int argc = 1, status, old_out, old_err;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(stdout);
	old_out = redirect(STDOUT_FILENO, "stdout");
	old_err = redirect(STDERR_FILENO, "stderr");
	optind = 0; /* getopt begins anew */
	status = command(argc, argv);
	fflush(stdout);
	dup2(old_out, STDOUT_FILENO);
	dup2(old_err, STDERR_FILENO);
	close(old_out);
	close(old_err);
	free(copy);
	if (out)
		*out = slurp("stdout", NULL);
	if (err)
		*err = slurp("stderr", NULL);
	return status;
}

uint64_t roll(uint64_t *dice, uint64_t below)
{
	*dice ^= *dice >> 12;
	*dice ^= *dice << 25;
	*dice ^= *dice >> 27;
	return (*dice * 0x2545f4914f6cdd1dULL >> 32) % below;
}
