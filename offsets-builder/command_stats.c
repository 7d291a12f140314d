// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "db.h"
#include "text.h"

static const char usage_text[] =
	"usage: offsets-builder stats -d DB [--json]\n"
	"\n"
	"Counts the kernels by distribution, series (5.10, 6.1) and machine, and the layouts\n"
	"and packages.\n"
	"\n"
	"  -d, --database=DB     the database\n"
	"      --json            one JSON object instead of text\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 bad usage.\n";

enum { GROUPS_MAX = 1024, GROUP_NAME = 64 };

/* How many kernels have what in common. */
struct groups {
	const char *title, *key; /* for people, for programs */
	struct {
		char name[GROUP_NAME];
		size_t count;
	} at[GROUPS_MAX];
	size_t count;
};

struct stats {
	struct groups distros, series, archs;
	size_t kernels, conflicts, release_only, packages, without_kernel;
	struct layout_set {
		char (*sha256)[DIGEST_TEXT];
		size_t count;
	} layouts;
	long long bytes;
};

/* ------------------------------------------------------------------------- count */

/* What does not fit any more is counted as others. */
static void groups_add(struct groups *groups, const char *name)
{
	char cut[GROUP_NAME];
	size_t i;

	snprintf(cut, sizeof(cut), "%s", *name ? name : "unknown");
	if (groups->count == GROUPS_MAX - 1)
		strcpy(cut, "others");
	for (i = 0; i < groups->count; i++)
		if (!strcmp(groups->at[i].name, cut))
			break;
	if (i == groups->count) {
		strcpy(groups->at[i].name, cut);
		groups->count++;
	}
	groups->at[i].count++;
}

/* 5.10 of 5.10.0-46-cloud-amd64 */
static void series_of(const char *release, char *series, size_t size)
{
	size_t len = 0, dots = 0;

	for (; isdigit((unsigned char)release[len]) || release[len] == '.'; len++)
		if (release[len] == '.' && ++dots == 2)
			break;
	snprintf(series, size, "%.*s", (int)len, release);
}

static int add_layout(struct layout_set *set, const char *sha256, struct error *error)
{
	void *more;

	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->sha256[i], sha256))
			return 0;
	more = realloc(set->sha256, (set->count + 1) * sizeof(*set->sha256));
	if (!more)
		return error_set(error, -1, "cannot count: no memory: free some");
	set->sha256 = more;
	snprintf(set->sha256[set->count++], DIGEST_TEXT, "%s", sha256);
	return 0;
}

static int count_kernel(void *arg, const struct db_row *row, struct error *error)
{
	const struct kernel_identity *identity = &row->kernel.identity;
	struct stats *stats = arg;
	char series[GROUP_NAME];

	stats->kernels++;
	stats->conflicts += row->conflict;
	stats->release_only += !*identity->build_id && !*identity->version;
	groups_add(&stats->distros, row->kernel.distro);
	groups_add(&stats->archs, identity->arch);
	series_of(identity->release, series, sizeof(series));
	groups_add(&stats->series, series);
	return add_layout(&stats->layouts, row->layout->sha256, error);
}

static int count_package(void *arg, const struct db_crawled *crawled, struct error *error)
{
	struct stats *stats = arg;

	(void)error;
	stats->packages++;
	stats->without_kernel += !*crawled->build_id;
	return 0;
}

/* 5.10 comes after 5.9. */
static int compare_groups(const void *a, const void *b)
{
	return strverscmp(a, b); /* the name is what a group begins with */
}

static int count(struct db *db, const char *path, struct stats *stats, struct error *error)
{
	struct groups *all[] = {&stats->distros, &stats->series, &stats->archs};
	struct stat st;
	int err = db_each_kernel(db, count_kernel, stats, error);

	if (!err)
		err = db_each_crawled(db, count_package, stats, error);
	for (size_t i = 0; i < 3; i++)
		qsort(all[i]->at, all[i]->count, sizeof(all[i]->at[0]), compare_groups);
	stats->bytes = stat(path, &st) ? 0 : st.st_size;
	return err;
}

/* ------------------------------------------------------------------------- print */

static void put_groups(struct text *text, const struct groups *groups)
{
	text_format(text, "kernels by %s\n", groups->title);
	for (size_t i = 0; i < groups->count; i++)
		text_format(text, "  %-20s %6zu\n", groups->at[i].name, groups->at[i].count);
}

static void put_stats(struct text *text, const struct stats *stats)
{
	const struct {
		const char *name;
		size_t count;
	} rows[] = {{"kernels", stats->kernels},
		    {"  in conflict", stats->conflicts},
		    {"  release only", stats->release_only},
		    {"layouts", stats->layouts.count},
		    {"packages crawled", stats->packages},
		    {"  without a kernel", stats->without_kernel},
		    {"bytes", (size_t)stats->bytes}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		text_format(text, "%-22s %6zu\n", rows[i].name, rows[i].count);
	put_groups(text, &stats->distros);
	put_groups(text, &stats->series);
	put_groups(text, &stats->archs);
}

static void put_groups_json(struct text *text, const struct groups *groups)
{
	text_format(text, ",\"%s\":{", groups->key);
	for (size_t i = 0; i < groups->count; i++) {
		text_str(text, i ? "," : "");
		text_json_string(text, slice_of(groups->at[i].name));
		text_format(text, ":%zu", groups->at[i].count);
	}
	text_str(text, "}");
}

static void put_stats_json(struct text *text, const struct stats *stats)
{
	text_format(text,
		    "{\"kernels\":%zu,\"in_conflict\":%zu,\"release_only\":%zu,\"layouts\":%zu,"
		    "\"packages_crawled\":%zu,\"packages_without_kernel\":%zu,\"bytes\":%lld",
		    stats->kernels, stats->conflicts, stats->release_only, stats->layouts.count,
		    stats->packages, stats->without_kernel, stats->bytes);
	put_groups_json(text, &stats->distros);
	put_groups_json(text, &stats->series);
	put_groups_json(text, &stats->archs);
	text_str(text, "}\n");
}

static int run(const struct command_line *line, struct stats *stats, struct error *error)
{
	struct text text = {0};
	struct db *db;
	int err = db_open_read(line->database, &db, error), status;

	if (err)
		return EXIT_FAILED;
	err = count(db, line->database, stats, error);
	db_close(db);
	if (err)
		return EXIT_FAILED;
	if (line->json)
		put_stats_json(&text, stats);
	else
		put_stats(&text, stats);
	*error->text = 0;
	status = command_print_text(&text);
	text_free(&text);
	return status;
}

int command_stats(int argc, char **argv)
{
	struct command_line line;
	struct stats *stats;
	struct error error;
	int status = command_parse(argc, argv, usage_text, true, 0, 0, "", &line);

	if (status >= 0)
		return status;
	stats = calloc(1, sizeof(*stats));
	if (!stats)
		return EXIT_FAILED;
	stats->distros.title = "distribution", stats->distros.key = "by_distribution";
	stats->series.title = stats->series.key = "series";
	stats->archs.title = "machine", stats->archs.key = "by_arch";
	stats->series.key = "by_series";
	status = run(&line, stats, &error);
	if (status && *error.text)
		command_complain(&error);
	free(stats->layouts.sha256);
	free(stats);
	return status;
}
