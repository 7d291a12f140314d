// SPDX-License-Identifier: Apache-2.0
/*
 * Proof before trust: rows of offsets that are wrong in one number, in all of them, or another kernel's. Whatever they say,
 * nothing false is in an event. The right row is made from this kernel's BTF, which is then hidden from the sensor; where
 * there is none, CORMORANT_DB has it.
 */
#include "e2e.h"
#include "check.h"
#include "clock.h"
#include "prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS(...) ((const char *const[]){ "run", "-f", "ocsf", __VA_ARGS__ __VA_OPT__(,) NULL })

enum { SENSORS = 6, SUBJECTS_MAX = 16, NUMBERS_MAX = 256 };

static bool in_vm(void)
{
	return getenv("E2E_VM") != NULL;
}

/* ------------------------------------------------------------------ databases */

static int run_builder(struct e2e *e, char *const *arguments)
{
	const char *sensor = sensor_program(&e->ws);
	char *builder = getenv("OFFSETS_BUILDER");
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	/* Beside the sensor; beside the one that is not under the sanitizers. */
	if (!builder)
		builder = workspace_text(&e->ws, "%.*s/offsets-builder", (int)(strrchr(sensor, '/') - sensor), sensor);
	if (access(builder, X_OK))
		builder = workspace_text(&e->ws, "%.*s/../bin/offsets-builder", (int)(strrchr(sensor, '/') - sensor), sensor);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0), 0);
	assert_int_equal(posix_spawn(&pid, builder, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A database of the kernel that this BTF, or this image, is of, as if it were the running one. NULL: it can't be made. */
static char *make_database(struct e2e *e, char *file)
{
	char *path = workspace_text(&e->ws, "%s/offsets.db", workspace_scratch(&e->ws));
	struct utsname host;

	uname(&host);
	return run_builder(e, (char *[]){ "offsets-builder", "add", "-d", path, "--arch", host.machine, "--release", host.release,
					  "--version", host.version, file, NULL }) ?
		       NULL :
		       path;
}

static char *copy_database(struct e2e *e, const char *from)
{
	char *path = workspace_text(&e->ws, "%s/offsets.db", workspace_scratch(&e->ws));
	struct bytes content;

	assert_true(bytes_read_file(from, &content));
	workspace_write_file(path, content.data, content.len, 0600);
	bytes_free(&content);
	return path;
}

static void change(const char *path, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static char *this_kernels_database(struct e2e *e)
{
	static char btf[] = "/sys/kernel/btf/vmlinux";
	const char *given = getenv("CORMORANT_DB");
	struct utsname host;
	char *path = NULL;

	if (!access(btf, R_OK)) {
		path = make_database(e, btf);
	} else if (given && *given) {
		uname(&host);
		path = copy_database(e, given);
		change(path, workspace_text(&e->ws,
					    "DELETE FROM kernel WHERE release <> '%s' OR version <> '%s';"
					    "DELETE FROM layout_field WHERE layout_id NOT IN (SELECT layout_id FROM kernel)",
					    host.release, host.version));
	} else {
		e2e_skip("this kernel has no BTF, and CORMORANT_DB names no database of it");
	}
	assert_non_null(path);
	return path;
}

/* One line of layout_field. */
struct number {
	char type[48], member[48];
	int offset, size;
};

static int take_number(void *arg, int columns, char **values, char **names)
{
	struct number **next = arg;

	(void)columns;
	(void)names;
	snprintf((*next)->type, sizeof((*next)->type), "%s", values[0]);
	snprintf((*next)->member, sizeof((*next)->member), "%s", values[1]);
	(*next)->offset = atoi(values[2]);
	(*next)->size = atoi(values[3]);
	(*next)++;
	return 0;
}

static size_t read_numbers(const char *path, struct number numbers[NUMBERS_MAX])
{
	struct number *next = numbers;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "SELECT struct, member, offset, size FROM layout_field WHERE offset IS NOT NULL "
				      "ORDER BY struct, member LIMIT 256",
				      take_number, &next, NULL), SQLITE_OK);
	sqlite3_close(db);
	return (size_t)(next - numbers);
}

/* ------------------------------------------------------------------ what is executed */

static int own_namespaces(void *arg)
{
	(void)arg;
	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS) || unshare(CLONE_NEWNET))
		return -errno;
	(void)!unshare(CLONE_NEWCGROUP);
	(void)!unshare(0x80); /* CLONE_NEWTIME */
	return prepare_four_ids(NULL);
}

static int log_in(void *arg)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	(void)arg;
	if (fd >= 0) {
		(void)!write(fd, "5005", 4);
		close(fd);
	}
	return 0;
}

static int take_terminal(void *arg)
{
	int *master = arg, slave;

	if (setsid() < 0)
		return -errno;
	slave = open(ptsname(*master), O_RDWR | O_CLOEXEC);
	return slave < 0 || ioctl(slave, TIOCSCTTY, 0) ? -errno : 0;
}

/* Whoever traces it is not its parent. */
static int be_traced(void *arg)
{
	pid_t parent = getpid(), tracer = fork();

	(void)arg;
	if (tracer < 0)
		return -errno;
	if (!tracer) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		if (ptrace(PTRACE_SEIZE, parent, NULL, NULL))
			_exit(1);
		while (waitpid(parent, NULL, __WALL) > 0)
			;
		_exit(0);
	}
	/* Until it does, or can't. */
	for (int i = 0; i < 5000; i++) {
		struct bytes status;
		int by = 0;

		if (bytes_read_file("/proc/self/status", &status)) {
			sscanf(strstr(status.data, "\nTracerPid:"), " TracerPid: %d", &by);
			bytes_free(&status);
		}
		if (by || waitpid(tracer, NULL, WNOHANG))
			break;
		usleep(200);
	}
	return 0;
}

static int deleted_program(struct e2e *e)
{
	char *path = workspace_text(&e->ws, "%s/gone", workspace_scratch(&e->ws));
	int fd;

	workspace_copy_program(path);
	fd = open(path, O_PATH | O_CLOEXEC);
	assert_return_code(unlink(path), errno);
	return fd;
}

static int memfd_of_program(struct e2e *e)
{
	int fd = memfd_create("proof", MFD_CLOEXEC);
	struct bytes program;

	assert_return_code(fd, errno);
	assert_true(bytes_read_file(e->ws.program, &program));
	assert_int_equal(write(fd, program.data, program.len), program.len);
	bytes_free(&program);
	return fd;
}

static int deep_directory(void *arg)
{
	if (chdir(arg))
		return -errno;
	for (int i = 0; i < 24; i++)
		if ((mkdir("deep", 0755) && errno != EEXIST) || chdir("deep"))
			return -errno;
	return 0;
}

static char *script(struct e2e *e)
{
	char *path = workspace_text(&e->ws, "%s/script", workspace_scratch(&e->ws));
	char *line = workspace_text(&e->ws, "#!%s an argument\n", e->ws.program);

	workspace_write_file(path, line, strlen(line), 0755);
	return path;
}

/* Members of the audience of one round: as different as the fields of an event can be. Returns how many. */
static size_t start_subjects(struct e2e *e, struct subject *subjects[SUBJECTS_MAX], int *master)
{
	struct subject_plan plans[] = {
		{ 0 },
		{ .prepare = own_namespaces },
		{ .clone_flags = CLONE_NEWPID, .prepare = deep_directory, .arg = workspace_scratch(&e->ws) },
		{ .clone_flags = CLONE_NEWUSER },
		{ .prepare = prepare_capabilities },
		{ .prepare = log_in },
		{ .prepare = take_terminal, .arg = master },
		{ .prepare = be_traced },
		{ .path = script(e) },
		{ .exec = subject_exec_by_fd, .exec_fd = deleted_program(e) },
		{ .exec = subject_exec_by_fd, .exec_fd = deleted_program(e) },
		{ .exec = subject_exec_by_fd, .exec_fd = memfd_of_program(e) },
		{ .prepare = prepare_cgroup, .arg = workspace_cgroup(&e->ws, workspace_text(&e->ws, "/e2e-proof-%d", getpid())) },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		if (plans[i].prepare == prepare_cgroup && !plans[i].arg)
			continue;
		if (plans[i].exec_fd > 0)
			plans[i].exec_filename = "/dev/fd/205";
		subjects[n] = subject_try_start(e, &plans[i]);
		n += subjects[n] != NULL;
		if (plans[i].exec_fd > 0)
			close(plans[i].exec_fd);
	}
	assert_true(n >= 5);
	return n;
}

/* ------------------------------------------------------------------ rounds of sensors */

struct plant {
	char what[128];
	char *database;
};

struct watcher {
	struct plant plant;
	struct sensor sensor;
	struct event_log log;
	bool ready;
};

static struct {
	struct watcher watchers[SENSORS];
	size_t n;
	/* Of all rounds: so many of the sensors used the row, so many had it rejected, and said so. */
	unsigned int sensors, used, rejected, wrong;
} stage;

static void watcher_start(struct e2e *e, struct watcher *w, const struct plant *plant)
{
	const char *const args[] = { "run", "-f", "ocsf", "-d", plant->database, NULL };

	*w = (struct watcher){ .plant = *plant };
	sensor_start(&e->ws, &w->sensor, &(struct sensor_plan){ .args = args, .prepare = prepare_without_btf });
}

/* Says what is wrong in what this sensor tells of the round's execs. */
static unsigned int watcher_compare(struct e2e *e, struct watcher *w, struct subject **subjects, size_t n)
{
	unsigned int wrong = 0;

	e->sensor = w->sensor;
	e->log = w->log;
	for (size_t i = 0; i < n; i++)
		wrong += observe_wrong(e, subjects[i]);
	w->log = e->log;
	if (wrong)
		print_error("%s: %u wrong with %s\n", w->plant.what, wrong, w->sensor.variant);
	return wrong;
}

static unsigned int watcher_end(struct e2e *e, struct watcher *w)
{
	struct sensor_counters counters;
	char *err;
	unsigned int wrong = 0;

	if (sensor_stop(&w->sensor, SIGTERM) || !sensor_read_counters(&w->sensor, &counters)) {
		print_error("%s: it does not end in order\n", w->plant.what);
		return 1;
	}
	event_log_close(&w->log);
	sensor_assert_counters(&counters);
	if (counters.malformed_events || counters.lost_kernel) {
		print_error("%s: %llu malformed, %llu lost\n", w->plant.what, (unsigned long long)counters.malformed_events,
			    (unsigned long long)counters.lost_kernel);
		wrong++;
	}
	err = sensor_stderr(&w->sensor);
	stage.sensors++;
	stage.used += strstr(w->sensor.variant, ".map") != NULL;
	stage.rejected += strstr(err, "[NoOffsets]") && strstr(w->sensor.variant, ".none");
	free(err);
	(void)e;
	return wrong;
}

static void end_round(struct e2e *e)
{
	struct subject *subjects[SUBJECTS_MAX];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	size_t n;

	if (!stage.n)
		return;
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	for (size_t i = 0; i < stage.n; i++) {
		assert_true(sensor_wait_ready(&stage.watchers[i].sensor));
		event_log_open(&stage.watchers[i].log, stage.watchers[i].sensor.out_path);
	}
	n = start_subjects(e, subjects, &master);
	for (size_t i = 0; i < stage.n; i++)
		stage.wrong += watcher_compare(e, &stage.watchers[i], subjects, n);
	e->sensor = (struct sensor){ .stdout_fd = -1 };
	e->log = (struct event_log){ .fd = -1, .copy_fd = -1 };
	observe_free_all(e);
	subject_release_all(e);
	close(master);
	for (size_t i = 0; i < stage.n; i++)
		stage.wrong += watcher_end(e, &stage.watchers[i]);
	workspace_tidy(&e->ws);
	stage.n = 0;
}

/* Another sensor for this round, which begins when there are enough. */
static void watch(struct e2e *e, const struct plant *plant)
{
	watcher_start(e, &stage.watchers[stage.n++], plant);
	if (stage.n == (in_vm() ? 2 : SENSORS))
		end_round(e);
}

__attribute__((format(printf, 4, 5))) static void plant(struct e2e *e, const char *right, const char *sql, const char *what, ...)
{
	struct plant p = { .database = copy_database(e, right) };
	va_list args;

	va_start(args, what);
	vsnprintf(p.what, sizeof(p.what), what, args);
	va_end(args);
	change(p.database, sql);
	watch(e, &p);
}

static void begin_rounds(void)
{
	memset(&stage, 0, sizeof(stage));
}

static void end_rounds(struct e2e *e)
{
	end_round(e);
	print_message("proof: %u sensors with wrong rows: %u used what was right of it, %u rejected it\n", stage.sensors,
		      stage.used, stage.rejected);
	if (stage.used + stage.rejected != stage.sensors)
		fail_msg("%u sensors neither used the row nor said why not", stage.sensors - stage.used - stage.rejected);
	if (stage.wrong)
		fail_msg("%u things are wrong", stage.wrong);
}

/* ------------------------------------------------------------------ the right row */

static void the_right_row_is_proven_and_says_all(void **state)
{
	struct e2e *e = *state;
	char *database = this_kernels_database(e);
	struct sensor_counters counters;
	struct subject *subjects[SUBJECTS_MAX];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	size_t n;

	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS("-d", database), .prepare = prepare_without_btf });
	assert_true(sensor_wait_ready(&e->sensor));
	event_log_open(&e->log, e->sensor.out_path);
	assert_non_null(strstr(e->sensor.variant, ".map"));
	n = start_subjects(e, subjects, &master);
	e->knows_less = e2e_kernel_before(4, 11);
	for (size_t i = 0; i < n; i++)
		observe_subject(e, subjects[i]);
	e->knows_less = false;
	close(master);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
	assert_true(sensor_read_counters(&e->sensor, &counters));
	sensor_assert_counters(&counters);
	assert_true(counters.suppressed >= 5);
}

/* ------------------------------------------------------------------ wrong rows */

/* A row with one number wrong: by a word, nothing, at random, or a neighbour's of the same size. */
static void plant_number(struct e2e *e, const char *right, const struct number *numbers, size_t n, size_t i, unsigned int way)
{
	const struct number *number = &numbers[i], *other = number;
	bool enumerator = !strncmp(number->type, "enum ", 5);
	const char *column = *number->member ? "offset" : "size";
	int now = *number->member ? number->offset : number->size, next;

	for (size_t k = 1; k < n; k++) {
		const struct number *candidate = &numbers[(i + k) % n];

		if (!strcmp(candidate->type, number->type) && candidate->size == number->size && candidate->offset != number->offset) {
			other = candidate;
			break;
		}
	}
	switch (way) {
	case 0: next = now + (enumerator ? 1 : 8); break;
	case 1: next = now - (enumerator ? 1 : 8); break;
	case 2: next = now + (enumerator ? 2 : 4); break;
	case 3: next = now - (enumerator ? 2 : 4); break;
	case 4: next = 0; break;
	case 5: next = (int)(rand() % 1024) * 4; break;
	default: next = other->offset; break;
	}
	if (next < 0 || next == now || (!*number->member && !next))
		return;
	plant(e, right,
	      workspace_text(&e->ws, "UPDATE layout_field SET %s = %d WHERE struct = '%s' AND member = '%s'", column, next,
			     number->type, number->member),
	      "%s.%s: %d for %d", number->type, number->member, next, now);
}

/* Every number by a word up and down, and in one more way, each in its turn (E2E_PLANTS=1: in all). A VM has time for a few. */
static void one_wrong_number_says_nothing_false(void **state)
{
	/* Where a neighbour holds nearly the same, and those that say whose exec it is. */
	static const char *const chosen[] = { "task_struct.real_parent", "cred.cap_effective", "dentry.d_hash",
					      "mm_struct.arg_start" };
	struct number numbers[NUMBERS_MAX];
	struct e2e *e = *state;
	char *right = this_kernels_database(e);
	size_t n = read_numbers(right, numbers);

	assert_true(n > 50);
	begin_rounds();
	srand(1);
	for (size_t i = 0; i < n && !in_vm(); i++)
		for (unsigned int way = 0; way < 7; way++)
			if (way < 2 || way == 2 + i % 5 || getenv("E2E_PLANTS"))
				plant_number(e, right, numbers, n, i, way);
	for (size_t i = 0; i < n && in_vm(); i++)
		for (size_t k = 0; k < sizeof(chosen) / sizeof(chosen[0]); k++)
			if (!strcmp(chosen[k], workspace_text(&e->ws, "%s.%s", numbers[i].type, numbers[i].member)))
				plant_number(e, right, numbers, n, i, k % 2);
	end_rounds(e);
	assert_true(stage.used && stage.rejected);
}

static void a_row_that_is_wrong_in_all_is_rejected(void **state)
{
	static const char *const changes[][2] = {
		{ "UPDATE layout_field SET offset = offset + 8", "all by 8" },
		{ "UPDATE layout_field SET offset = offset + 8 WHERE struct = 'task_struct'", "the task's by 8" },
		{ "UPDATE layout_field SET offset = 0, size = 8 WHERE offset IS NOT NULL", "zeroes" },
		{ "UPDATE layout_field SET offset = 0 WHERE struct NOT LIKE 'enum %' AND offset IS NOT NULL", "offsets of zero" },
		{ "UPDATE layout_field SET offset = 65520 WHERE offset IS NOT NULL", "as far as can be" },
		{ "DELETE FROM layout_field WHERE struct <> 'cred'", "nothing but ids" },
	};
	struct e2e *e = *state;
	char *right = this_kernels_database(e);

	begin_rounds();
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		plant(e, right, changes[i][0], "%s", changes[i][1]);
	end_rounds(e);
	assert_int_equal(stage.rejected, stage.sensors);
}

static void rows_of_random_numbers_are_rejected(void **state)
{
	struct number numbers[NUMBERS_MAX];
	struct e2e *e = *state;
	char *right = this_kernels_database(e);
	size_t n = read_numbers(right, numbers);

	begin_rounds();
	srand(2);
	for (int round = 0; round < (in_vm() ? 1 : 12); round++) {
		char *sql = workspace_text(&e->ws, "%s", "");

		for (size_t i = 0; i < n; i++)
			sql = workspace_text(&e->ws, "%sUPDATE layout_field SET offset = %d WHERE struct = '%s' AND member = '%s';", sql,
					     rand() % (round % 2 ? 4096 : 256) & ~7, numbers[i].type, numbers[i].member);
		plant(e, right, sql, "random row %d", round);
	}
	end_rounds(e);
	assert_int_equal(stage.rejected, stage.sensors);
}

/* Two members of one struct, and of one size, change places: what is read is then the other's. */
static void members_that_changed_places_say_nothing_false(void **state)
{
	struct number numbers[NUMBERS_MAX];
	struct e2e *e = *state;
	char *right = this_kernels_database(e);
	size_t n = read_numbers(right, numbers);

	if (in_vm())
		e2e_skip("done where machines are fast");
	begin_rounds();
	for (size_t i = 0; i + 1 < n; i++) {
		const struct number *a = &numbers[i], *b = &numbers[i + 1];

		if (strcmp(a->type, b->type) || a->size != b->size || a->offset == b->offset || !*a->member)
			continue;
		plant(e, right,
		      workspace_text(&e->ws,
				     "UPDATE layout_field SET offset = CASE member WHEN '%s' THEN %d ELSE %d END "
				     "WHERE struct = '%s' AND member IN ('%s', '%s')",
				     a->member, b->offset, a->offset, a->type, a->member, b->member),
		      "%s: %s and %s", a->type, a->member, b->member);
	}
	end_rounds(e);
}

static int take_id(void *arg, int columns, char **values, char **names)
{
	int **next = arg;

	(void)columns;
	(void)names;
	*(*next)++ = atoi(values[0]);
	return 0;
}

/* Layouts of this architecture's kernels, at most max of them, from all over the list. */
static size_t read_layouts(struct e2e *e, const char *path, int *layouts, size_t max)
{
	int all[1024], *next = all;
	struct utsname host;
	sqlite3 *db;
	size_t n;

	uname(&host);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      workspace_text(&e->ws,
						     "SELECT DISTINCT layout_id FROM kernel WHERE coalesce(arch, '%s') = '%s' "
						     "ORDER BY release LIMIT 1024",
						     host.machine, host.machine),
				      take_id, &next, NULL), SQLITE_OK);
	sqlite3_close(db);
	n = (size_t)(next - all);
	for (size_t i = 0; i < n && i < max; i++)
		layouts[i] = all[n <= max ? i : i * n / max];
	return n < max ? n : max;
}

/* The database that comes with the sensor, or the one that it is to be tested with: whichever has other kernels. */
static const char *database_of_kernels(struct e2e *e)
{
	const char *sensor = sensor_program(&e->ws), *given = getenv("CORMORANT_DB");
	char *shipped = workspace_text(&e->ws, "%.*s/../share/cormorant/offsets.db", (int)(strrchr(sensor, '/') - sensor), sensor);

	if (!access(shipped, R_OK))
		return shipped;
	if (given && *given)
		return given;
	print_message("skipped: no database of other kernels: neither %s nor CORMORANT_DB\n", shipped);
	skip();
	return NULL;
}

static void another_kernels_row_says_nothing_false(void **state)
{
	struct e2e *e = *state;
	const char *kernels = database_of_kernels(e);
	struct utsname host;
	int layouts[24];
	size_t n = read_layouts(e, kernels, layouts, in_vm() ? 3 : 24);

	uname(&host);
	begin_rounds();
	for (size_t i = 0; i < n; i++)
		plant(e, kernels,
		      workspace_text(&e->ws,
				     "DELETE FROM kernel WHERE layout_id <> %d;"
				     "UPDATE kernel SET build_id = NULL, arch = '%s', release = '%s', version = '%s'",
				     layouts[i], host.machine, host.release, host.version),
		      "layout %d, another kernel's", layouts[i]);
	end_rounds(e);
	assert_true(stage.sensors);
}

/* ------------------------------------------------------------------ a wrong BTF */

/* struct btf_header, struct btf_type, struct btf_member of include/uapi/linux/btf.h, as far as they are wanted. */
struct types {
	struct bytes btf;
	const char *strings;
	char *at, *end;
};

static uint32_t word(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void types_open(struct types *t)
{
	uint32_t head;

	assert_true(bytes_read_file("/sys/kernel/btf/vmlinux", &t->btf));
	head = word(t->btf.data + 4);
	t->at = t->btf.data + head + word(t->btf.data + 8);
	t->end = t->at + word(t->btf.data + 12);
	t->strings = t->btf.data + head + word(t->btf.data + 16);
}

/* Bytes behind struct btf_type, by kind. */
static size_t types_more(uint32_t kind, uint32_t n)
{
	static const size_t fixed[20] = { [1] = 4, [3] = 12, [14] = 4, [17] = 4 };

	return kind == 4 || kind == 5 || kind == 15 || kind == 19 ? 12 * n : kind == 6 || kind == 13 ? 8 * n : fixed[kind % 20];
}

/* Moves a struct's member by so many bytes. */
static void types_move(struct types *t, const char *type, const char *member, uint32_t by)
{
	unsigned int moved = 0;

	for (char *at = t->at; at < t->end;) {
		uint32_t info = word(at + 4), kind = info >> 24 & 0x1f, n = info & 0xffff;

		for (char *m = at + 12; kind == 4 && !strcmp(t->strings + word(at), type) && m < at + 12 + 12 * n; m += 12) {
			uint32_t offset = word(m + 8) + 8 * by;

			if (strcmp(t->strings + word(m), member))
				continue;
			memcpy(m + 8, &offset, sizeof(offset));
			moved++;
		}
		at += 12 + types_more(kind, n);
	}
	assert_true(moved);
}

static int show_other_btf(void *arg)
{
	if (mounts_private() || mount(arg, "/sys/kernel/btf/vmlinux", NULL, MS_BIND, NULL))
		return -errno;
	return 0;
}

static void a_btf_that_is_wrong_is_no_better_than_a_row(void **state)
{
	struct e2e *e = *state;
	struct types types;
	char *database, *one = workspace_text(&e->ws, "%s/one", workspace_scratch(&e->ws));
	char *whose = workspace_text(&e->ws, "%s/whose", workspace_scratch(&e->ws));

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		e2e_skip("this kernel shows no BTF");
	database = this_kernels_database(e);
	types_open(&types);
	types_move(&types, "cred", "euid", 4);
	workspace_write_file(one, types.btf.data, types.btf.len, 0444);
	types_move(&types, "task_struct", "tgid", 4);
	workspace_write_file(whose, types.btf.data, types.btf.len, 0444);
	bytes_free(&types.btf);
	/* One number: it is withheld. */
	sensor_start(&e->ws, &e->sensor,
		     &(struct sensor_plan){ .args = ARGS("-d", database), .prepare = show_other_btf, .arg = one });
	assert_true(sensor_wait_ready(&e->sensor));
	assert_non_null(strstr(e->sensor.variant, ".core"));
	event_log_open(&e->log, e->sensor.out_path);
	assert_int_equal(observe_wrong(e, subject_start(e, &(struct subject_plan){ .prepare = prepare_four_ids })), 0);
	assert_null(event_get(e->observed->event, "process.euid"));
	assert_non_null(event_get(e->observed->event, "process.egid"));
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
	/* Whose exec it is: the row is right, and used. */
	sensor_start(&e->ws, &e->sensor,
		     &(struct sensor_plan){ .args = ARGS("-d", database), .prepare = show_other_btf, .arg = whose });
	assert_true(sensor_wait_ready(&e->sensor));
	assert_non_null(strstr(e->sensor.variant, ".map"));
	event_log_open(&e->log, e->sensor.out_path);
	observe(e, &(struct subject_plan){ .prepare = prepare_four_ids });
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
}

/* ------------------------------------------------------------------ no proof */

/* No process can be made any more: neither fork nor clone, threads included. */
static int refuse_children(void *arg)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3, 0),
#ifdef SYS_fork
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 1, 0),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

#ifndef SYS_fork
	filter[1].jt = 1;
#endif
	if (arg && prepare_without_btf(NULL))
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static struct json_object *run_json(struct e2e *e, const struct sensor_plan *plan, int *status)
{
	struct json_object *object;
	char *out;

	sensor_start(&e->ws, &e->sensor, plan);
	*status = sensor_wait_end(&e->sensor);
	out = sensor_stdout(&e->sensor);
	object = json_tokener_parse(out);
	free(out);
	if (*status == 126)
		e2e_skip("this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)");
	assert_true(json_object_is_type(object, json_type_object));
	return object;
}

static size_t count_fields(struct json_object *document, const char *state)
{
	struct json_object *fields = event_get(document, "fields");
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(fields); i++)
		n += !strcmp(event_text(json_object_array_get_idx(fields, i), "state"), state);
	return n;
}

/* They start threads of their own, and are killed where they can't. */
static void need_no_threads(struct e2e *e)
{
	if (strstr(sensor_program(&e->ws), "sanitized"))
		e2e_skip("the sanitizers need threads of their own");
}

static void without_a_child_it_is_degraded_and_runs(void **state)
{
	struct e2e *e = *state;
	struct json_object *document;
	int status;

	need_no_threads(e);
	document = run_json(e, &(struct sensor_plan){ .args = (const char *const[]){ "capabilities", NULL }, .prepare = refuse_children },
			    &status);
	assert_int_equal(status, 0);
	assert_string_equal(event_text(document, "readiness.state"), "degraded");
	assert_int_equal(count_fields(document, "verified"), 0);
	assert_true(count_fields(document, "unverified") > 10);
	assert_false(json_object_get_boolean(event_get(document, "proof.ran")));
	assert_non_null(event_text(document, "proof.why"));
	json_object_put(document);
	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS(), .prepare = refuse_children });
	assert_true(sensor_wait_ready(&e->sensor));
	event_log_open(&e->log, e->sensor.out_path);
	e->knows_less = e->no_proc = true;
	observe(e, &(struct subject_plan){ 0 });
	e->knows_less = e->no_proc = false;
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
}

static void without_a_child_a_row_is_not_believed(void **state)
{
	struct e2e *e = *state;
	char *database = this_kernels_database(e), *err;

	need_no_threads(e);
	sensor_start(&e->ws, &e->sensor,
		     &(struct sensor_plan){ .args = ARGS("-d", database), .prepare = refuse_children, .arg = database });
	assert_true(sensor_wait_ready(&e->sensor));
	assert_non_null(strstr(e->sensor.variant, ".none"));
	err = sensor_stderr(&e->sensor);
	if (!strstr(err, "[NoOffsets]") || !strstr(err, "could not be proven"))
		fail_msg("it does not say why the row is not believed: %s", err);
	free(err);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
}

/* The crew's names: "c", six digits, "-". */
static size_t count_crew(void)
{
	DIR *dir = opendir("/proc");
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[300], comm[32] = "";
		struct bytes text;
		unsigned int token;
		int end = 0;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !bytes_read_file(path, &text))
			continue;
		snprintf(comm, sizeof(comm), "%.20s", text.data);
		n += sscanf(comm, "c%6x-%n", &token, &end) == 1 && end == 8;
		bytes_free(&text);
	}
	closedir(dir);
	return n;
}

/* Whoever makes the system call that arg points to is killed. */
static int kill_callers(void *arg)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)*(const long *)arg, 0, 1),
		/* SECCOMP_RET_KILL_PROCESS is of 4.14; a process of one thread is killed by either. */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void where_a_filter_kills_it_does_without(void **state)
{
	static const long calls[] = { SYS_mount, SYS_unshare, SYS_ptrace, SYS_setresuid };
	struct e2e *e = *state;

	need_no_threads(e);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct sensor_plan plan = { .args = (const char *const[]){ "selftest", "--json", NULL },
						  .prepare = kill_callers, .arg = (void *)&calls[i] };
		struct json_object *document;
		int status;

		document = run_json(e, &plan, &status);
		if (status)
			fail_msg("filter %zu: status %d: %s", i, status, json_object_to_json_string(document));
		assert_true(json_object_get_boolean(event_get(document, "proof.ran")));
		assert_true(count_fields(document, "verified") > 5);
		json_object_put(document);
		assert_int_equal(count_crew(), 0);
	}
}

/* ------------------------------------------------------------------ the command */

static void the_selftest_says_what_is_wrong(void **state)
{
	struct e2e *e = *state;
	char *database = this_kernels_database(e);
	const char *const right[] = { "selftest", "--json", "-d", database, NULL };
	struct json_object *document;
	int status;

	document = run_json(e, &(struct sensor_plan){ .args = right, .prepare = prepare_without_btf }, &status);
	assert_int_equal(status, 0);
	assert_true(json_object_get_boolean(event_get(document, "proof.ran")));
	assert_true(count_fields(document, "verified") > (e2e_kernel_before(4, 11) ? 20 : 40));
	json_object_put(document);
	/* What can't be told apart never is verified. */
	document = run_json(e, &(struct sensor_plan){ .args = right, .prepare = prepare_without_btf }, &status);
	for (size_t i = 0; i < json_object_array_length(event_get(document, "fields")); i++) {
		struct json_object *field = json_object_array_get_idx(event_get(document, "fields"), i);
		const char *name = event_text(field, "field");

		if (strstr(name, ".suid") || strstr(name, ".fsuid") || strstr(name, ".sgid") || strstr(name, ".fsgid"))
			assert_string_equal(event_text(field, "state"), "unverified");
		if (strstr(name, ".suid"))
			assert_non_null(strstr(event_text(field, "why"), "process.euid"));
	}
	json_object_put(document);
	change(database, "UPDATE layout_field SET offset = offset + 8 WHERE member = 'i_size'");
	document = run_json(e, &(struct sensor_plan){ .args = right, .prepare = prepare_without_btf }, &status);
	assert_int_equal(status, 1);
	assert_string_equal(event_text(document, "readiness.state"), "degraded");
	for (size_t i = 0; i < json_object_array_length(event_get(document, "fields")); i++) {
		struct json_object *field = json_object_array_get_idx(event_get(document, "fields"), i);

		if (strcmp(event_text(field, "field"), "process.file.size"))
			continue;
		/* Where records come without paths, /proc is asked instead. */
		if (event_get(field, "from_proc")) {
			assert_true(e2e_kernel_before(4, 11));
			continue;
		}
		assert_string_equal(event_text(field, "state"), "absent");
		assert_true(json_object_get_boolean(event_get(field, "withheld")));
		assert_non_null(event_text(field, "expected"));
		assert_string_not_equal(event_text(field, "seen"), event_text(field, "expected"));
	}
	json_object_put(document);
	change(database, "UPDATE layout_field SET offset = offset + 8 WHERE struct = 'task_struct' AND member = 'tgid'");
	document = run_json(e, &(struct sensor_plan){ .args = right, .prepare = prepare_without_btf }, &status);
	assert_int_equal(status, 1);
	assert_non_null(strstr(event_text(document, "variant"), ".none"));
	json_object_put(document);
}

/* Fields that right has, absent for want of the number: each must name it. Returns how many there are; -1: no row was used. */
static int count_lost(struct e2e *e, struct json_object *right, struct json_object *document, const char *number)
{
	struct json_object *fields = event_get(document, "fields"), *before = event_get(right, "fields");
	int lost = 0;

	if (!strstr(event_text(document, "variant"), ".map"))
		return -1;
	for (size_t i = 0; i < json_object_array_length(fields); i++) {
		struct json_object *field = json_object_array_get_idx(fields, i), *was = json_object_array_get_idx(before, i);

		if (strcmp(event_text(field, "state"), "absent") || !strcmp(event_text(was, "state"), "absent") ||
		    event_get(field, "withheld"))
			continue;
		/* Where it never was, another has its place, as with i_mtime_sec: which of the two is wanting is not told. */
		if (!strcmp(number, "inode.i_mtime_nsec"))
			assert_null(strstr(event_text(field, "why"), "the row has no "));
		else if (strcmp(event_text(field, "why"), workspace_text(&e->ws, "the row has no %s", number)))
			fail_msg("without %s: %s: %s", number, event_text(field, "field"), event_text(field, "why"));
		lost++;
	}
	return lost;
}

/* What needs a member is on the list beside it (kernel_members.h): nothing else is lost without it, and it is named. */
static void a_member_that_is_missing_is_named_by_what_needs_it(void **state)
{
	static const char *const chosen[] = { "task_struct.loginuid", "upid", "dentry.d_parent" };
	struct number numbers[NUMBERS_MAX];
	struct e2e *e = *state;
	char *right = this_kernels_database(e);
	size_t n = read_numbers(right, numbers), costly = 0, refused = 0;
	struct json_object *all;
	int status;

	if (e2e_kernel_before(4, 11))
		e2e_skip("records in parts ask /proc for what they lack");
	all = run_json(e, &(struct sensor_plan){ .args = (const char *const[]){ "selftest", "--json", "-d", right, NULL },
						 .prepare = prepare_without_btf }, &status);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < n; i++) {
		bool enumerator = !strncmp(numbers[i].type, "enum ", 5);
		char *name = workspace_text(&e->ws, "%s%s%s", numbers[i].type + (enumerator ? 5 : 0), *numbers[i].member ? "." : "",
					    numbers[i].member);
		char *database = copy_database(e, right);
		const char *const args[] = { "selftest", "--json", "-d", database, NULL };
		struct json_object *document;
		bool asked = !in_vm();
		int lost;

		for (size_t k = 0; k < sizeof(chosen) / sizeof(chosen[0]); k++)
			asked |= !strcmp(name, chosen[k]);
		if (!asked)
			continue;
		change(database, workspace_text(&e->ws,
						"UPDATE layout_field SET offset = NULL, size = NULL, bit_shift = NULL "
						"WHERE struct = '%s' AND member = '%s'", numbers[i].type, numbers[i].member));
		document = run_json(e, &(struct sensor_plan){ .args = args, .prepare = prepare_without_btf }, &status);
		lost = count_lost(e, all, document, name);
		costly += lost > 0;
		refused += lost < 0;
		json_object_put(document);
		workspace_tidy(&e->ws);
	}
	json_object_put(all);
	print_message("proof: %zu of %zu members are missed in a field, without %zu more the row is not used\n", costly, n, refused);
	assert_true(costly >= (in_vm() ? 2 : 60));
}

/* ------------------------------------------------------------------ manners */

static char *file_of(struct e2e *e, pid_t pid, const char *name)
{
	struct bytes text;
	char *kept;

	if (!bytes_read_file(workspace_text(&e->ws, "/proc/%d/%s", pid, name), &text))
		return workspace_text(&e->ws, "%s", "");
	kept = workspace_text(&e->ws, "%s", text.data);
	bytes_free(&text);
	return kept;
}

static void the_proof_leaves_nothing_behind(void **state)
{
	struct e2e *e = *state;
	char path[64], target[256], own[256], out[256];
	ssize_t len;
	DIR *dir;

	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS() });
	assert_true(sensor_wait_ready(&e->sensor));
	assert_string_equal(file_of(e, e->sensor.pid, "mountinfo"), file_of(e, getpid(), "mountinfo"));
	assert_string_equal(file_of(e, e->sensor.pid, "cgroup"), file_of(e, getpid(), "cgroup"));
	assert_string_equal(file_of(e, e->sensor.pid, workspace_text(&e->ws, "task/%d/children", e->sensor.pid)), "");
	assert_int_equal(count_crew(), 0);
	len = readlink(workspace_text(&e->ws, "/proc/%d/fd/1", e->sensor.pid), out, sizeof(out) - 1);
	out[len > 0 ? len : 0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/fd", e->sensor.pid);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		/* Its stdout again, or what this test itself has been started with. */
		if (!strcmp(target, out))
			continue;
		n = readlink(workspace_text(&e->ws, "/proc/self/fd/%s", entry->d_name), own, sizeof(own) - 1);
		own[n > 0 ? n : 0] = '\0';
		if (strcmp(target, own) &&
		    (strstr(target, "memfd:") || strstr(target, "ptmx") || strstr(target, "cgroup") || strstr(target, "pipe:")))
			fail_msg("descriptor %s is %s", entry->d_name, target);
	}
	closedir(dir);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
}

/* Killed at any moment of its start, it leaves no process behind; a cgroup that it left is the next one's to remove. */
static void killed_in_the_middle_it_leaves_no_process(void **state)
{
	struct e2e *e = *state;
	uint64_t deadline;

	for (int i = 0; i < (in_vm() ? 3 : 40); i++) {
		sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS() });
		clock_sleep_ms(in_vm() ? 500 + 300 * (unsigned int)i : 60 + 5 * (unsigned int)i);
		sensor_stop(&e->sensor, SIGKILL);
	}
	deadline = clock_deadline(clock_patience_s());
	while (count_crew() && !clock_passed(deadline))
		clock_sleep_ms(5);
	assert_int_equal(count_crew(), 0);
}

/* Execs go on while it starts: from the first one that it tells, none is missing, and none is the proof's. */
static void what_is_executed_during_the_proof_is_told(void **state)
{
	struct e2e *e = *state;
	char *marker = workspace_marker(&e->ws), argument[64];
	struct sensor_counters counters;
	int first = -1, last = -1, sent = 0;
	struct event_log log;

	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS() });
	for (uint64_t deadline = clock_deadline(2 * clock_patience_s()); !clock_passed(deadline); sent++) {
		bool ready = sensor_is_ready(&e->sensor);
		char *const envp[] = { SUBJECT_ENV "=exit", NULL }, *const argv[] = { "subject", argument, NULL };
		pid_t pid;

		snprintf(argument, sizeof(argument), "%s.%d.", marker, sent);
		assert_int_equal(posix_spawn(&pid, e->ws.program, NULL, NULL, argv, envp), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (ready)
			break;
	}
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(sensor_read_counters(&e->sensor, &counters));
	sensor_assert_counters(&counters);
	assert_int_equal(counters.lost_kernel, 0);
	event_log_open(&log, e->sensor.out_path);
	event_log_poll(&log);
	for (size_t i = 0; i < log.n; i++) {
		const char *line = event_text(log.events[i], "process.cmd_line");
		const char *at = line ? strstr(line, marker) : NULL;

		if (line && strstr(line, "cormorant-proof"))
			fail_msg("the proof's own exec is an event: %s", line);
		if (!at)
			continue;
		if (first < 0)
			first = atoi(at + strlen(marker) + 1);
		else if (atoi(at + strlen(marker) + 1) != last + 1)
			fail_msg("after exec %d comes %s", last, at);
		last = atoi(at + strlen(marker) + 1);
	}
	event_log_close(&log);
	print_message("proof: of %d execs during the start %d were told\n", sent + 1, last - first + 1);
	assert_int_equal(last, sent);
	assert_true(counters.suppressed >= 5);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(the_right_row_is_proven_and_says_all),
	E2E_TEST(one_wrong_number_says_nothing_false),
	E2E_TEST(members_that_changed_places_say_nothing_false),
	E2E_TEST(a_row_that_is_wrong_in_all_is_rejected),
	E2E_TEST(rows_of_random_numbers_are_rejected),
	E2E_TEST(another_kernels_row_says_nothing_false),
	E2E_TEST(a_btf_that_is_wrong_is_no_better_than_a_row),
	E2E_TEST(without_a_child_it_is_degraded_and_runs),
	E2E_TEST(without_a_child_a_row_is_not_believed),
	E2E_TEST(where_a_filter_kills_it_does_without),
	E2E_TEST(the_selftest_says_what_is_wrong),
	E2E_TEST(a_member_that_is_missing_is_named_by_what_needs_it),
	E2E_TEST(the_proof_leaves_nothing_behind),
	E2E_TEST(killed_in_the_middle_it_leaves_no_process),
	E2E_TEST(what_is_executed_during_the_proof_is_told),
};
const struct e2e_tests e2e_proof_tests = E2E_TESTS(tests);
