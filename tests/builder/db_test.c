// SPDX-License-Identifier: Apache-2.0
/* db_put.c, db_crawl.c, db_merge.c, db_migrate.c: what is left, whatever came in which order. */
#include "db_helpers.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "command.h"
#include "cormorant/offsets_schema.h"
#include "db_sql.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define SHA_3 "3333333333333333333333333333333333333333333333333333333333333333"

static struct layout first, second, older;

static int set_up(void **state)
{
	make_layout(&first, 1);
	make_layout(&second, 2);
	make_older(&older, 1, 2);
	return work_set_up(state);
}

/* What the sensor says of this kernel. */
static int sensor_finds(const char *path, const struct kernel_identity *identity)
{
	struct offsets_provenance provenance;
	struct kernel_offsets offsets;
	char why[512];

	return offsets_db_find(path, NULL, identity, &offsets, &provenance, why, sizeof(why));
}

/* --------------------------------------------------------------------- one kernel */

static void twin_packages_are_one_row_of_the_best_source(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0"), better = kernel;

	(void)state;
	kernel.package = "linux-image-unsigned.deb";
	kernel.package_sha256 = SHA_2;
	kernel.sha256 = SHA_3;
	assert_int_equal(add_kernel("twins.db", &kernel, &first), DB_ADDED);
	assert_int_equal(add_kernel("twins.db", &kernel, &first), DB_UNCHANGED);
	better.package = "linux-image-signed.deb";
	better.package_sha256 = SHA_1;
	assert_int_equal(add_kernel("twins.db", &better, &first), DB_UPDATED);
	assert_int_equal(add_kernel("twins.db", &kernel, &first), DB_UNCHANGED);
	assert_sql("twins.db", "SELECT package || ' ' || coalesce(sha256, '-') FROM kernel",
		   "linux-image-signed.deb -\n");
	/* Hashed whole comes before any name. */
	kernel.source_verified = true;
	assert_int_equal(add_kernel("twins.db", &kernel, &first), DB_UPDATED);
	assert_int_equal(add_kernel("twins.db", &better, &first), DB_UNCHANGED);
	assert_sql("twins.db", "SELECT package || ' ' || source_verified FROM kernel",
		   "linux-image-unsigned.deb 1\n");
	/* A package that an index states comes before a file that nobody vouches for. */
	kernel = kernel_named(A40, "6.1.0");
	kernel.source = "a";
	assert_int_equal(add_kernel("twins.db", &kernel, &first), DB_UNCHANGED);
	assert_sql("twins.db", "SELECT package FROM crawled ORDER BY 1",
		   "linux-image-signed.deb\nlinux-image-unsigned.deb\n");
	assert_sql("twins.db", "SELECT count(*) FROM layout", "1\n");
}

static void what_one_source_knows_all_rows_say(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0"), bare = {.source = "x"};

	(void)state;
	strcpy(bare.identity.build_id, A40);
	assert_int_equal(add_kernel("known.db", &bare, &first), DB_ADDED);
	kernel.source = "z";
	assert_int_equal(add_kernel("known.db", &kernel, &first), DB_UPDATED);
	assert_int_equal(add_kernel("known.db", &bare, &first), DB_UNCHANGED);
	assert_sql("known.db",
		   "SELECT arch || release || version || distro || ' ' || source FROM kernel",
		   "x86_646.1.0#1 SMP 6.1.0debian x\n");
}

static void two_layouts_of_one_kernel_are_a_conflict(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0"), other = kernel;
	char *out;

	(void)state;
	assert_int_equal(add_kernel("conflict.db", &kernel, &first), DB_ADDED);
	assert_int_equal(sensor_finds("conflict.db", &kernel.identity), 0);
	other.source = "another";
	assert_int_equal(add_kernel("conflict.db", &other, &second), DB_CONFLICT);
	assert_int_equal(add_kernel("conflict.db", &other, &second), DB_CONFLICT);
	assert_int_equal(add_kernel("conflict.db", &kernel, &first), DB_CONFLICT);
	assert_sql("conflict.db", "SELECT source FROM kernel ORDER BY 1", "another\nvmlinuz\n");
	assert_int_equal(sensor_finds("conflict.db", &kernel.identity), -EBADMSG);
	assert_int_equal(run_command(command_verify, "-d conflict.db", NULL, &out), EXIT_FAILED);
	assert_non_null(strstr(out, "kernel " A40 ": two layouts are claimed for it"));
	free(out);
}

/* Without build-id the version is who it is; with one it still has to agree. */
static void a_version_with_two_layouts_is_a_conflict(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0"), nameless = kernel;

	(void)state;
	*nameless.identity.build_id = 0;
	assert_int_equal(add_kernel("version.db", &nameless, &first), DB_ADDED);
	assert_int_equal(add_kernel("version.db", &nameless, &second), DB_CONFLICT);
	assert_int_equal(add_kernel("versions.db", &kernel, &first), DB_ADDED);
	assert_int_equal(add_kernel("versions.db", &nameless, &second), DB_CONFLICT);
	assert_int_equal(sensor_finds("version.db", &nameless.identity), -EBADMSG);
	assert_int_equal(sensor_finds("versions.db", &nameless.identity), -EBADMSG);
}

static void two_names_of_one_build_id_are_a_conflict(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.1"), other = kernel_named(A40, "6.1.0");

	(void)state;
	assert_int_equal(add_kernel("names.db", &kernel, &first), DB_ADDED);
	assert_int_equal(add_kernel("names.db", &other, &first), DB_CONFLICT);
	assert_sql("names.db", "SELECT release FROM kernel", "6.1.0\n");
	assert_int_equal(add_kernel("names-2.db", &other, &first), DB_ADDED);
	assert_int_equal(add_kernel("names-2.db", &kernel, &first), DB_CONFLICT);
	assert_sql("names-2.db", "SELECT release FROM kernel", "6.1.0\n");
}

static void a_longer_list_replaces_what_a_shorter_one_found(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");

	(void)state;
	kernel.source = "old";
	assert_int_equal(add_kernel("list.db", &kernel, &older), DB_ADDED);
	kernel.source = "new";
	/* Also where the numbers differ: it is no conflict. */
	assert_int_equal(add_kernel("list.db", &kernel, &second), DB_UPDATED);
	assert_sql("list.db", "SELECT source FROM kernel", "new\n");
	kernel.source = "a";
	assert_int_equal(add_kernel("list.db", &kernel, &older), DB_UNCHANGED);
	assert_sql("list.db", "SELECT source FROM kernel", "new\n");
	assert_sql("list.db", "SELECT count(*) FROM layout", "1\n");
}

/* ------------------------------------------------------------------- release only */

static void a_release_only_row_is_completed(void **state)
{
	struct db_kernel whole = kernel_named(A40, "6.1.0"), release = whole, version;

	(void)state;
	*release.identity.build_id = *release.identity.version = 0;
	assert_int_equal(add_kernel("complete.db", &release, &first), DB_ADDED);
	assert_int_equal(sensor_finds("complete.db", &whole.identity), 0);
	version = whole;
	*version.identity.build_id = 0;
	assert_int_equal(add_kernel("complete.db", &version, &first), DB_ADDED);
	assert_sql("complete.db", "SELECT version FROM kernel", "#1 SMP 6.1.0\n");
	assert_int_equal(add_kernel("complete.db", &whole, &first), DB_ADDED);
	assert_sql("complete.db", "SELECT build_id FROM kernel", A40 "\n");
	assert_int_equal(add_kernel("complete.db", &version, &first), DB_UNCHANGED);
	assert_int_equal(add_kernel("complete.db", &release, &first), DB_UNCHANGED);
	assert_sql("complete.db", "SELECT build_id FROM kernel", A40 "\n");
	assert_int_equal(sensor_finds("complete.db", &whole.identity), 0);
	/* Another build of the release is not known, then. */
	memcpy(whole.identity.build_id, B40, sizeof(B40));
	strcpy(whole.identity.version, "#2");
	assert_int_equal(sensor_finds("complete.db", &whole.identity), -ENOENT);
}

/* Two images of one release are two kernels, and nobody can say which is which. */
static void two_images_of_a_release_are_two_rows(void **state)
{
	struct db_kernel one = kernel_named("", "6.1.0"), two = one;

	(void)state;
	one.sha256 = SHA_1;
	two.sha256 = SHA_2;
	assert_int_equal(add_kernel("images.db", &one, &first), DB_ADDED);
	assert_int_equal(add_kernel("images.db", &two, &second), DB_ADDED);
	assert_int_equal(add_kernel("images.db", &one, &first), DB_UNCHANGED);
	assert_sql("images.db", "SELECT count(*) FROM kernel", "2\n");
	assert_true(sensor_finds("images.db", &one.identity) < 0);
	/* One image that is read as two things is a conflict. */
	assert_int_equal(add_kernel("images.db", &one, &second), DB_CONFLICT);
}

/* ------------------------------------------------------------------------- order */

enum { CLAIMS = 14, SETS = 20, PERMUTATIONS = 4, SHARDS = 4 };

struct claim {
	struct db_kernel kernel;
	const struct layout *layout; /* NULL: a package without a kernel */
	struct db_crawled crawled;
};

static const char *const shas[] = {NULL, SHA_1, SHA_2, SHA_3};

/* One of few, so that they meet. contradict: a build-id may bear any name. */
static void random_claim(uint64_t *dice, bool contradict, struct claim *claim)
{
	static const char *const ids[] = {A40, B40, "cc", ""};
	static const char *const releases[] = {"6.1.0", "6.1.0", "6.12", "6.1.0"};
	static const char *const packages[] = {NULL, "p", "q", "r"};
	static const struct layout *const layouts[] = {&first, &first, &second, &older};
	size_t id = roll(dice, contradict ? 3 : 4), name = contradict ? roll(dice, 3) : id;

	*claim = (struct claim){.layout = layouts[roll(dice, 4)]};
	claim->kernel = kernel_named(ids[id], releases[name]);
	snprintf(claim->kernel.identity.version, 8, "#%zu", name % 2);
	if (!roll(dice, 4))
		*claim->kernel.identity.version = 0;
	if (*ids[id] && !roll(dice, 4))
		*claim->kernel.identity.arch = 0;
	if (*ids[id] && !roll(dice, 4))
		*claim->kernel.identity.release = 0;
	claim->kernel.distro = roll(dice, 2) ? "debian" : roll(dice, 2) ? "arch" : NULL;
	claim->kernel.source = roll(dice, 2) ? "s" : "t";
	claim->kernel.sha256 = shas[roll(dice, 4)];
	claim->kernel.package = packages[roll(dice, 4)];
	claim->kernel.package_sha256 = shas[roll(dice, 4)];
	claim->kernel.source_verified = !roll(dice, 3);
	if (roll(dice, 6))
		return;
	claim->layout = NULL;
	strcpy(claim->crawled.package_sha256, shas[1 + roll(dice, 3)]);
	strcpy(claim->crawled.package, packages[1 + roll(dice, 3)]);
	strcpy(claim->crawled.why, roll(dice, 2) ? "it is empty" : "no BTF");
}

static void make_claim(struct db *db, const struct claim *claim)
{
	enum db_outcome outcome;
	struct error error;
	int err = claim->layout ? db_add(db, &claim->kernel, claim->layout, &outcome, &error) :
				  db_crawled_put(db, &claim->crawled, &error);

	if (err)
		fail_msg("%s", error.text);
}

static struct db *open_new(const char *path)
{
	struct error error;
	struct db *db;

	unlink(path);
	if (db_open(path, &db, &error))
		fail_msg("%s", error.text);
	return db;
}

static void shuffle(uint64_t *dice, size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t other = roll(dice, i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static char *export_in_order(const struct claim *claims, const size_t *order)
{
	struct db *db = open_new("order.db");

	for (size_t i = 0; i < CLAIMS; i++)
		make_claim(db, &claims[order[i]]);
	db_close(db);
	return export_of("order.db");
}

/* Each claim to one of the shards or to two, and these merged in any order. */
static char *export_of_shards(uint64_t *dice, const struct claim *claims, const size_t *order)
{
	static const char *const names[] = {"shard-0.db", "shard-1.db", "shard-2.db", "shard-3.db"};
	struct db *dbs[SHARDS], *db = open_new("order.db");
	size_t counts[DB_OUTCOMES] = {0}, merge[SHARDS];
	struct error error;

	for (size_t i = 0; i < SHARDS; i++)
		dbs[i] = open_new(names[i]);
	for (size_t i = 0; i < CLAIMS; i++) {
		make_claim(dbs[roll(dice, SHARDS)], &claims[order[i]]);
		if (!roll(dice, 4))
			make_claim(dbs[roll(dice, SHARDS)], &claims[order[i]]);
	}
	shuffle(dice, merge, SHARDS);
	/* Twice, which must make no difference. */
	for (size_t i = 0; i < 2 * SHARDS; i++)
		assert_int_equal(db_merge(db, dbs[merge[i % SHARDS]], counts, &error), 0);
	for (size_t i = 0; i < SHARDS; i++)
		db_close(dbs[i]);
	db_close(db);
	return export_of("order.db");
}

static void any_order(bool contradict)
{
	uint64_t dice = 0x9e3779b97f4a7c15ULL;

	for (int set = 0; set < SETS; set++) {
		struct claim claims[CLAIMS];
		size_t order[CLAIMS];
		char *expected = NULL;

		for (size_t i = 0; i < CLAIMS; i++)
			random_claim(&dice, contradict, &claims[i]);
		for (int i = 0; i < PERMUTATIONS + 1; i++) {
			char *export;

			shuffle(&dice, order, CLAIMS);
			export = i < PERMUTATIONS ? export_in_order(claims, order) :
						    export_of_shards(&dice, claims, order);
			if (expected)
				assert_same_lines(export, expected);
			free(expected);
			expected = export;
		}
		assert_non_null(strstr(expected, "\"kernel\""));
		free(expected);
	}
}

static void the_order_of_additions_does_not_matter(void **state)
{
	(void)state;
	any_order(false);
}

static void nor_does_it_where_they_contradict_each_other(void **state)
{
	(void)state;
	any_order(true);
}

/* ------------------------------------------------------------------------- crawled */

static void what_was_crawled_is_known(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	struct db_crawled crawled = {.package_sha256 = SHA_2, .package = "q", .why = "it is empty"};
	struct error error;
	struct db *db;

	(void)state;
	kernel.package = "p";
	kernel.package_sha256 = SHA_1;
	add_kernel("crawled.db", &kernel, &first);
	assert_int_equal(db_open("crawled.db", &db, &error), 0);
	assert_int_equal(db_crawled_put(db, &crawled, &error), 0);
	assert_int_equal(db_crawled_get(db, SHA_3, &crawled, &error), 0);
	assert_int_equal(db_crawled_get(db, SHA_2, &crawled, &error), 1);
	assert_string_equal(crawled.why, "it is empty");
	assert_string_equal(crawled.build_id, "");
	assert_int_equal(db_crawled_get(db, SHA_1, &crawled, &error), 1);
	assert_string_equal(crawled.build_id, A40);
	assert_string_equal(crawled.package, "p");
	/* A kernel that was found after all. */
	strcpy(crawled.package_sha256, SHA_2);
	assert_int_equal(db_crawled_put(db, &crawled, &error), 0);
	assert_int_equal(db_crawled_get(db, SHA_2, &crawled, &error), 1);
	assert_string_equal(crawled.build_id, A40);
	strcpy(crawled.why, "both");
	assert_int_equal(db_crawled_put(db, &crawled, &error), -EINVAL);
	db_close(db);
}

static void a_package_read_with_an_older_list_is_read_again(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	struct db_crawled crawled;
	struct error error;
	struct db *db;

	(void)state;
	kernel.package = "p";
	kernel.package_sha256 = SHA_1;
	add_kernel("again.db", &kernel, &older);
	assert_int_equal(db_open("again.db", &db, &error), 0);
	assert_int_equal(db_crawled_get(db, SHA_1, &crawled, &error), 0);
	db_close(db);
	add_kernel("again.db", &kernel, &first);
	assert_int_equal(db_open("again.db", &db, &error), 0);
	assert_int_equal(db_crawled_get(db, SHA_1, &crawled, &error), 1);
	db_close(db);
}

/* ----------------------------------------------------------------------- the file */

static void what_is_known_writes_nothing(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0"), less = kernel;
	size_t size, same_size;
	char *before, *after;

	(void)state;
	kernel.package = "p";
	kernel.package_sha256 = SHA_1;
	kernel.source_verified = true;
	add_kernel("same.db", &kernel, &first);
	add_kernel("other.db", &kernel, &first);
	before = slurp("same.db", &size);
	add_kernel("same.db", &kernel, &first);
	add_kernel("same.db", &kernel, &older);
	add_kernel("same.db", &less, &first);
	*less.identity.build_id = *less.identity.version = 0;
	add_kernel("same.db", &less, &second);
	assert_int_equal(run_command(command_merge, "-d same.db other.db", NULL, NULL), EXIT_DONE);
	after = slurp("same.db", &same_size);
	assert_int_equal(size, same_size);
	assert_memory_equal(before, after, size);
	free(before);
	free(after);
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const struct db_kernel kernels[] = {
		{.identity = {.build_id = "AA"}},
		{.identity = {.build_id = "abc"}},
		{.identity = {.build_id = "zz"}},
		{.identity = {.release = "6.1"}},
		{.identity = {.arch = "x86_64"}},
		{.identity = {.arch = "x86_64", .version = "#1"}},
		{.identity = {.build_id = "aa", .release = "6.1\n"}},
		{.identity = {.build_id = "aa", .version = "#1 \x1b[31m"}},
		{.identity = {.build_id = "aa", .arch = "\xff"}},
		{.identity = {.build_id = "aa"}, .source = "\xc0\xaf"},
		{.identity = {.build_id = "aa"}, .distro = "a\tb"},
		{.identity = {.build_id = "aa"}, .package = "\x7f"},
		{.identity = {.build_id = "aa"}, .sha256 = "aa"},
		{.identity = {.build_id = "aa"}, .package_sha256 = SHA_1 "1"},
	};
	struct layout layout = first;
	enum db_outcome outcome;
	struct error error;
	struct db *db;

	(void)state;
	add_kernel("formed.db", &(struct db_kernel){.identity = {.build_id = "bb"}}, &first);
	assert_int_equal(db_open("formed.db", &db, &error), 0);
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (db_add(db, &kernels[i], &first, &outcome, &error) != -EINVAL)
			fail_msg("kernel %zu is taken", i);
	layout.fields[0].offset++;
	assert_int_equal(db_add(db, &(struct db_kernel){.identity = {.build_id = "aa"}}, &layout,
				&outcome, &error),
			 -EINVAL);
	strcpy(layout.fields[0].member, "a b");
	seal_layout(&layout);
	assert_int_equal(db_add(db, &(struct db_kernel){.identity = {.build_id = "aa"}}, &layout,
				&outcome, &error),
			 -EINVAL);
	layout = second;
	layout.fields[0] = layout.fields[1];
	seal_layout(&layout);
	assert_true(db_add(db, &(struct db_kernel){.identity = {.build_id = "aa"}}, &layout,
			   &outcome, &error) < 0);
	db_close(db);
	assert_sql("formed.db", "SELECT build_id FROM kernel", "bb\n");
	assert_sql("formed.db", "SELECT count(*) FROM layout", "1\n");
}

/* ----------------------------------------------------------------------- kill -9 */

/* Says so on fd when the first row is in. */
static void keep_adding(const char *path, int fd)
{
	struct layout layout;
	struct error error;
	struct db *db;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (db_open(path, &db, &error))
		_exit(1);
	for (unsigned int i = (unsigned int)getpid() << 12;; i++) {
		struct db_kernel kernel = {.source = "x"};
		enum db_outcome outcome;

		snprintf(kernel.identity.build_id, sizeof(kernel.identity.build_id), "%08x", i);
		make_layout(&layout, i % 1000);
		if (db_add(db, &kernel, &layout, &outcome, &error) || write(fd, "", 1) != 1)
			_exit(2);
	}
}

static void a_builder_killed_at_any_time_leaves_whole_rows(void **state)
{
	struct timespec pause = {0};
	uint64_t dice = 5;
	char *out;
	int rows = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		int status, ends[2];
		pid_t child;
		char byte;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (!child)
			keep_adding("killed.db", ends[1]);
		/* Some are killed while they open it. */
		if (i % 4)
			assert_int_equal(read(ends[0], &byte, 1), 1);
		close(ends[1]);
		pause.tv_nsec = (long)roll(&dice, 60000000);
		nanosleep(&pause, NULL);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		close(ends[0]);
		/* It goes on from there: the first rows are known, and then come new ones. */
		add_kernel("killed.db", &(struct db_kernel){.identity = {.build_id = "ff"}},
			   &first);
		if (run_command(command_verify, "-d killed.db", NULL, &out))
			fail_msg("%s", out);
		free(out);
	}
	out = ask_sql("killed.db", "SELECT count(*) FROM kernel");
	rows = atoi(out);
	free(out);
	assert_in_range(rows, 16, 100000);
}

static void two_builders_at_once_both_get_through(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	for (unsigned int i = 0; i < 60; i++) {
		struct db_kernel kernel = {.source = "x"};

		snprintf(kernel.identity.build_id, sizeof(kernel.identity.build_id), "%02x%02x",
			 child ? 1 : 2, i);
		add_kernel("both.db", &kernel, i % 2 ? &first : &second);
	}
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_sql("both.db", "SELECT count(*) FROM kernel", "120\n");
	assert_sql("both.db", "SELECT count(*) FROM layout", "2\n");
}

static void four_hundred_kernels_take_seconds(void **state)
{
	struct timespec before, after;
	struct layout layout;
	struct error error;
	struct db *db;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(db_open("many.db", &db, &error), 0);
	for (unsigned int i = 0; i < 400; i++) {
		struct db_kernel kernel = kernel_named("", "6.1.0");
		enum db_outcome outcome;

		snprintf(kernel.identity.build_id, sizeof(kernel.identity.build_id), "%04x", i);
		make_layout(&layout, i / 3);
		assert_int_equal(db_add(db, &kernel, &layout, &outcome, &error), 0);
		assert_int_equal(outcome, DB_ADDED);
	}
	db_close(db);
	clock_gettime(CLOCK_MONOTONIC, &after);
	print_message("400 kernels in %.1f s\n",
		      (double)(after.tv_sec - before.tv_sec) +
			      (double)(after.tv_nsec - before.tv_nsec) / 1e9);
	assert_in_range(after.tv_sec - before.tv_sec, 0, 30);
}

/* ---------------------------------------------------------------------- versions */

/* data/offsets.sql as it was when the schema's number was 1, without its comments. */
static const char schema_1[] =
	"PRAGMA application_id = 0x434f524d; PRAGMA user_version = 1;"
	"CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE layout (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE CHECK "
	"(length(sha256) = 64));"
	"CREATE TABLE layout_field (layout_id INTEGER NOT NULL REFERENCES layout (id) ON DELETE "
	"CASCADE, struct TEXT NOT NULL, member TEXT NOT NULL, offset INTEGER NOT NULL CHECK "
	"(typeof(offset) = 'integer' AND offset >= 0), size INTEGER NOT NULL CHECK (typeof(size) = "
	"'integer' AND size >= 0), bit_shift INTEGER NOT NULL DEFAULT 0 CHECK (typeof(bit_shift) = "
	"'integer'), PRIMARY KEY (layout_id, struct, member)) WITHOUT ROWID;"
	"CREATE TABLE kernel (id INTEGER PRIMARY KEY, build_id TEXT UNIQUE CHECK (build_id <> '' "
	"AND build_id NOT GLOB '*[^0-9a-f]*'), arch TEXT CHECK (arch <> ''), release TEXT CHECK "
	"(release <> ''), version TEXT CHECK (version <> ''), distro TEXT, source TEXT, package "
	"TEXT, sha256 TEXT, package_sha256 TEXT, source_verified INTEGER NOT NULL DEFAULT 0, "
	"built_at TEXT NOT NULL, layout_id INTEGER NOT NULL REFERENCES layout (id), CHECK "
	"(build_id IS NOT NULL OR release IS NOT NULL));"
	"CREATE INDEX kernel_by_version ON kernel (release, version, arch);"
	"CREATE INDEX kernel_by_layout ON kernel (layout_id);";

static const char rows_1[] =
	"INSERT INTO meta VALUES ('schema_version', '1'), ('tool_version', 'offsets-builder "
	"0.1.0');"
	"INSERT INTO layout VALUES (7, "
	/* sha256 of "task_struct.mm 16 8 0\ntask_struct.tgid 980 4 0\n", by sha256sum */
	"'3929a8d2e6b17bdcd18a7160338470037d38bc5fa38846ab3b16acf1b97735be');"
	"INSERT INTO layout_field VALUES (7, 'task_struct', 'tgid', 980, 4, 0), "
	"(7, 'task_struct', 'mm', 16, 8, 0);"
	"INSERT INTO kernel (id, build_id, arch, release, version, distro, source, package, "
	"package_sha256, source_verified, built_at, layout_id) VALUES (3, '" A40 "', 'x86_64', "
	"'6.1.0', '#1', 'debian', 's', 'p', '" SHA_1 "', 1, '2026-11-25T00:00:00Z', 7);";

static const char columns[] =
	"SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk || "
	"' ' || "
	"coalesce(c.dflt_value, '-') FROM sqlite_master m, pragma_table_info(m.name) c "
	"WHERE m.type = 'table' ORDER BY m.name, c.cid";

static const char indexes[] =
	"SELECT name || ' ' || tbl_name || ' ' || (SELECT group_concat(name) FROM "
	"pragma_index_info(m.name)) FROM sqlite_master m WHERE type = 'index' ORDER BY name";

static void make_version_1(const char *path)
{
	unlink(path);
	run_sql(path, schema_1);
	run_sql(path, rows_1);
}

static void assert_same_answers(const char *a, const char *b, const char *sql)
{
	char *one = ask_sql(a, sql), *two = ask_sql(b, sql);

	assert_string_equal(one, two);
	assert_true(strlen(one) > 20);
	free(one);
	free(two);
}

static void an_older_schema_is_brought_up_to_date(void **state)
{
	struct db_kernel kernel = kernel_named(B40, "6.2.0");

	(void)state;
	make_version_1("old.db");
	assert_int_equal(add_kernel("old.db", &kernel, &first), DB_ADDED);
	add_kernel("new.db", &kernel, &first);
	assert_sql("old.db", "PRAGMA user_version", "2\n");
	assert_sql("old.db", "SELECT value FROM meta WHERE key = 'schema_version'", "2\n");
	assert_same_answers("old.db", "new.db", columns);
	assert_same_answers("old.db", "new.db", indexes);
	assert_sql("old.db", "PRAGMA foreign_key_check", "");
	assert_sql("old.db", "PRAGMA integrity_check", "ok\n");
	assert_sql(
		"old.db",
		"SELECT build_id || arch || release || version || distro || source || package || "
		"package_sha256 || source_verified || built_at FROM kernel WHERE id = 3",
		A40 "x86_646.1.0#1debiansp" SHA_1 "12026-11-25T00:00:00Z\n");
	assert_sql("old.db",
		   "SELECT member || offset || ',' || size || ',' || bit_shift FROM layout_field "
		   "JOIN kernel USING (layout_id) WHERE kernel.id = 3 ORDER BY member",
		   "mm16,8,0\ntgid980,4,0\n");
	/* What it now allows. */
	assert_int_equal(add_kernel("old.db", &kernel, &second), DB_CONFLICT);
}

/* The version 1 that had the table of what was crawled already. */
static void an_older_schema_with_packages_is_too(void **state)
{
	struct db_kernel kernel = kernel_named(B40, "6.2.0");

	(void)state;
	make_version_1("packages.db");
	run_sql("packages.db",
		"CREATE TABLE crawled (package_sha256 TEXT PRIMARY KEY NOT NULL, package TEXT NOT "
		"NULL, build_id TEXT, why TEXT, CHECK ((build_id IS NULL) <> (why IS NULL))) "
		"WITHOUT ROWID; INSERT INTO crawled VALUES ('" SHA_2 "', 'q', NULL, 'empty')");
	add_kernel("packages.db", &kernel, &first);
	add_kernel("new-2.db", &kernel, &first);
	assert_same_answers("packages.db", "new-2.db", columns);
	assert_sql("packages.db", "SELECT why FROM crawled", "empty\n");
}

static int count_row(void *arg, const struct db_row *row, struct error *error)
{
	(void)row, (void)error;
	++*(int *)arg;
	return 0;
}

static void an_older_one_can_be_read_without_a_change(void **state)
{
	size_t size, same_size;
	struct error error;
	struct db *db;
	int rows = 0;
	char *before, *after;

	(void)state;
	make_version_1("read.db");
	before = slurp("read.db", &size);
	assert_int_equal(chmod("read.db", 0400), 0);
	assert_int_equal(db_open_read("read.db", &db, &error), 0);
	assert_int_equal(db_each_kernel(db, count_row, &rows, &error), 0);
	assert_int_equal(rows, 1);
	db_close(db);
	after = slurp("read.db", &same_size);
	assert_int_equal(size, same_size);
	assert_memory_equal(before, after, size);
	free(before);
	free(after);
}

/* An upgrade that fails half-way leaves version 1. */
static void an_upgrade_is_whole_or_not_at_all(void **state)
{
	struct error error;
	struct db *db;

	(void)state;
	make_version_1("half.db");
	run_sql("half.db", "PRAGMA ignore_check_constraints = ON;"
			   "UPDATE layout_field SET offset = -1 WHERE member = 'mm'");
	assert_true(db_open("half.db", &db, &error) < 0);
	assert_sql("half.db", "PRAGMA user_version", "1\n");
	assert_sql("half.db", "SELECT count(*) FROM layout_field", "2\n");
	assert_sql("half.db", "SELECT count(*) FROM kernel", "1\n");
}

static void newer_and_foreign_ones_are_refused(void **state)
{
	static const struct {
		const char *sql, *says;
	} changes[] = {
		{"PRAGMA user_version = 3", "its schema is number 3"},
		{"PRAGMA user_version = 0", "something else"},
		{"PRAGMA application_id = 7", "something else"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct db_kernel kernel = kernel_named(B40, "6.2.0");
		struct error error;
		struct db *db;

		unlink("refused.db");
		add_kernel("refused.db", &kernel, &first);
		run_sql("refused.db", changes[i].sql);
		assert_int_equal(db_open("refused.db", &db, &error), -EBADMSG);
		assert_non_null(strstr(error.text, changes[i].says));
		assert_int_equal(db_open_read("refused.db", &db, &error), -EBADMSG);
	}
}

static void only_files_are_databases(void **state)
{
	struct error error;
	struct db *db;

	(void)state;
	assert_int_equal(db_open_read("none.db", &db, &error), -EIO);
	assert_int_equal(access("none.db", F_OK), -1);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(db_open("fifo", &db, &error), -EINVAL);
	assert_int_equal(db_open_read("/dev/null", &db, &error), -EINVAL);
	spill("text", "no database at all, but long enough", 35);
	assert_int_equal(db_open("text", &db, &error), -EBADMSG);
	/* Names are names. */
	add_kernel(":memory:", &(struct db_kernel){.identity = {.build_id = "aa"}}, &first);
	add_kernel("file:x?mode=ro", &(struct db_kernel){.identity = {.build_id = "aa"}}, &first);
	assert_int_equal(access(":memory:", F_OK), 0);
	assert_int_equal(access("file:x?mode=ro", F_OK), 0);
}

/* What a database in this mode has not yet written back, the sensor would not see. */
static void no_log_is_left_beside_a_database(void **state)
{
	(void)state;
	add_kernel("wal.db", &(struct db_kernel){.identity = {.build_id = "aa"}}, &first);
	run_sql("wal.db", "PRAGMA journal_mode = WAL");
	add_kernel("wal.db", &(struct db_kernel){.identity = {.build_id = "bb"}}, &first);
	assert_sql("wal.db", "PRAGMA journal_mode", "delete\n");
	assert_int_equal(access("wal.db-wal", F_OK), -1);
	assert_int_equal(access("wal.db-journal", F_OK), -1);
}

/* ------------------------------------------------------------------------- merge */

static void a_bad_database_does_not_keep_the_others_out(void **state)
{
	struct db_kernel kernel = kernel_named(A40, "6.1.0");
	char *out, *err;

	(void)state;
	spill("bad.db", "nothing of the kind", 19);
	add_kernel("good.db", &kernel, &first);
	assert_int_equal(
		run_command(command_merge, "-d into.db bad.db missing.db good.db", &out, &err),
		EXIT_FAILED);
	assert_string_equal(out, "good.db: 1 added, 0 updated, 0 unchanged, 0 in conflict\n");
	assert_non_null(strstr(err, "bad.db"));
	assert_non_null(strstr(err, "missing.db"));
	free(out);
	free(err);
	assert_int_equal(run_command(command_merge, "-d into.db good.db into.db", &out, NULL),
			 EXIT_DONE);
	assert_string_equal(out, "good.db: 0 added, 0 updated, 1 unchanged, 0 in conflict\n"
				 "into.db: 0 added, 0 updated, 1 unchanged, 0 in conflict\n");
	free(out);
}

/* One row of it is damaged: nothing of it is taken. */
static void a_damaged_database_is_not_taken_in_part(void **state)
{
	static const char *const changes[] = {
		"UPDATE kernel SET release = printf('%.*c', 200, 'x') WHERE build_id = 'bb'",
		"UPDATE kernel SET source = char(27) WHERE build_id = 'bb'",
		"UPDATE layout_field SET offset = offset + 8 WHERE layout_id = 2 AND member = 'mm'",
		"UPDATE layout SET sha256 = printf('%.*c', 64, 'a') WHERE id = 2",
		"UPDATE layout_field SET member = 'm m' WHERE layout_id = 2 AND member = 'mm'",
		"UPDATE layout_field SET offset = 4294967296 WHERE layout_id = 2 AND member = 'mm'",
		"DELETE FROM layout_field WHERE layout_id = 2",
		"INSERT INTO crawled VALUES ('aa', 'x', NULL, 'short')",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *err;

		unlink("damaged.db");
		unlink("target.db");
		add_kernel("damaged.db", &(struct db_kernel){.identity = {.build_id = "aa"}},
			   &first);
		add_kernel("damaged.db", &(struct db_kernel){.identity = {.build_id = "bb"}},
			   &second);
		run_sql("damaged.db", changes[i]);
		if (run_command(command_merge, "-d target.db damaged.db", NULL, &err) !=
		    EXIT_FAILED)
			fail_msg("taken after %s", changes[i]);
		assert_true(strlen(err) > 20);
		free(err);
		assert_sql("target.db", "SELECT count(*) FROM kernel", "0\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twin_packages_are_one_row_of_the_best_source),
		cmocka_unit_test(what_one_source_knows_all_rows_say),
		cmocka_unit_test(two_layouts_of_one_kernel_are_a_conflict),
		cmocka_unit_test(a_version_with_two_layouts_is_a_conflict),
		cmocka_unit_test(two_names_of_one_build_id_are_a_conflict),
		cmocka_unit_test(a_longer_list_replaces_what_a_shorter_one_found),
		cmocka_unit_test(a_release_only_row_is_completed),
		cmocka_unit_test(two_images_of_a_release_are_two_rows),
		cmocka_unit_test(the_order_of_additions_does_not_matter),
		cmocka_unit_test(nor_does_it_where_they_contradict_each_other),
		cmocka_unit_test(what_was_crawled_is_known),
		cmocka_unit_test(a_package_read_with_an_older_list_is_read_again),
		cmocka_unit_test(what_is_known_writes_nothing),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(a_builder_killed_at_any_time_leaves_whole_rows),
		cmocka_unit_test(two_builders_at_once_both_get_through),
		cmocka_unit_test(four_hundred_kernels_take_seconds),
		cmocka_unit_test(an_older_schema_is_brought_up_to_date),
		cmocka_unit_test(an_older_schema_with_packages_is_too),
		cmocka_unit_test(an_older_one_can_be_read_without_a_change),
		cmocka_unit_test(an_upgrade_is_whole_or_not_at_all),
		cmocka_unit_test(newer_and_foreign_ones_are_refused),
		cmocka_unit_test(only_files_are_databases),
		cmocka_unit_test(no_log_is_left_beside_a_database),
		cmocka_unit_test(a_bad_database_does_not_keep_the_others_out),
		cmocka_unit_test(a_damaged_database_is_not_taken_in_part),
	};

	return cmocka_run_group_tests(tests, set_up, work_tear_down);
}
