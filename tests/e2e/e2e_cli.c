// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "clock.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS(...) ((const char *const[]){ "run", __VA_ARGS__, NULL })

/* Starts one and waits until it is ready. */
static void start(struct e2e *e, const struct sensor_plan *plan)
{
	sensor_start(&e->ws, &e->sensor, plan);
	assert_true(sensor_wait_ready(&e->sensor));
}

/* Runs one to its end by itself; its exit status. */
static int run_to_end(struct e2e *e, const struct sensor_plan *plan)
{
	sensor_start(&e->ws, &e->sensor, plan);
	return sensor_wait_end(&e->sensor);
}

/* Executes the program n times with this argument and waits for each. */
static void execute(struct e2e *e, int n, char *argument)
{
	char *const envp[] = { SUBJECT_ENV "=exit", NULL };
	char *const argv[] = { "subject", argument, NULL };
	pid_t pid;

	for (int i = 0; i < n; i++) {
		assert_int_equal(posix_spawn(&pid, e->ws.program, NULL, NULL, argv, envp), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static bool stderr_has(const struct sensor *s, const char *wanted)
{
	char *text = sensor_stderr(s);
	bool found = strstr(text, wanted);

	if (!found)
		print_error("\"%s\" is not on stderr:\n%s\n", wanted, text);
	free(text);
	return found;
}

static struct sensor_counters counters_of(const struct sensor *s)
{
	struct sensor_counters counters;

	assert_true(sensor_read_counters(s, &counters));
	sensor_assert_counters(&counters);
	return counters;
}

static void count_ends_with_exactly_so_many_lines(void **state)
{
	struct e2e *e = *state;
	char *out;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf", "--count", "3") });
	execute(e, 10, "count");
	assert_int_equal(sensor_wait_end(&e->sensor), 0);
	out = sensor_stdout(&e->sensor);
	assert_int_equal(count_lines(out), 3);
	assert_int_equal(counters_of(&e->sensor).emitted, 3);
	free(out);
}

static void duration_ends_it(void **state)
{
	struct e2e *e = *state;
	uint64_t begun = clock_monotonic_ns();

	assert_int_equal(run_to_end(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf", "--duration", "1") }), 0);
	assert_true(clock_monotonic_ns() - begun >= NS_PER_S);
	counters_of(&e->sensor);
}

static void a_signal_ends_it_with_everything_written(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct e2e *e = *state;

	for (int i = 0; i < 2; i++) {
		struct sensor_counters counters;
		char *out;

		start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
		execute(e, 50, "signal");
		assert_int_equal(sensor_stop(&e->sensor, signals[i]), 0);
		counters = counters_of(&e->sensor);
		out = sensor_stdout(&e->sensor);
		assert_true(counters.emitted >= 50);
		assert_int_equal(count_lines(out), counters.emitted);
		free(out);
	}
}

static void a_reader_that_goes_away_ends_it_quietly(void **state)
{
	struct e2e *e = *state;
	char line[65536], *text;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf"), .raw_stdout = true });
	execute(e, 1, "head");
	assert_true(read(e->sensor.stdout_fd, line, sizeof(line)) > 0);
	close(e->sensor.stdout_fd);
	e->sensor.stdout_fd = -1;
	/* No further exec: it has to notice by itself. */
	assert_int_equal(sensor_wait_end(&e->sensor), 0);
	text = sensor_stderr(&e->sensor);
	assert_null(strstr(strstr(text, "cormorant: ready: "), "cannot"));
	assert_int_equal(count_lines(strstr(text, "cormorant: ready: ")), 2); /* ready, counters */
	free(text);
	counters_of(&e->sensor);
}

static void a_reader_that_does_not_read_cannot_hold_up_the_end(void **state)
{
	struct e2e *e = *state;
	struct sensor_counters counters;
	uint64_t begun;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf"), .raw_stdout = true });
	execute(e, 100, "unread"); /* a pipe holds 64 KiB, an event has 2 */
	clock_sleep_ms(200);
	begun = clock_monotonic_ns();
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 1);
	assert_true(clock_monotonic_ns() - begun < 10 * NS_PER_S);
	counters = counters_of(&e->sensor);
	assert_true(counters.failed_sink > 0);
	assert_true(counters.emitted > 0);
}

static void a_file_gets_the_lines(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/events", workspace_scratch(&e->ws));
	char *sink = workspace_text(&e->ws, "file:%s", path), *marker = workspace_marker(&e->ws);
	struct bytes content;
	struct stat st;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf", "-o", sink, "-o", "stdout") });
	execute(e, 1, marker);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(bytes_read_file(path, &content));
	assert_non_null(strstr(content.data, marker));
	assert_int_equal(count_lines(content.data), counters_of(&e->sensor).emitted);
	assert_return_code(stat(path, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0600);
	bytes_free(&content);
}

static void a_full_disk_is_said_and_counted(void **state)
{
	struct e2e *e = *state;
	struct sensor_counters counters;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf", "-o", "file:/dev/full") });
	execute(e, 5, "full");
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 1);
	counters = counters_of(&e->sensor);
	assert_true(counters.failed_sink >= 5);
	assert_int_equal(counters.emitted, 0);
	assert_true(sensor_has_clear_error(&e->sensor));
}

static void an_unwritable_path_is_said(void **state)
{
	struct e2e *e = *state;

	assert_int_equal(run_to_end(e, &(struct sensor_plan){ .args = ARGS("-o", "file:/nonexistent/x") }), 1);
	assert_true(sensor_has_clear_error(&e->sensor));
	assert_true(stderr_has(&e->sensor, "/nonexistent/x"));
}

static void bad_usage_is_said_with_status_2(void **state)
{
	static const char *const cases[][4] = {
		{ "run", "--no-such-option", NULL }, { "run", "--count", "x", NULL },  { "run", "--count", "-1", NULL },
		{ "run", "--duration", "0", NULL },  { "run", "-f", "xml", NULL },     { "run", "-o", "carrier:pigeon", NULL },
		{ "run", "--attach", "uprobe", NULL }, { "run", "surplus", NULL },     { "fly", NULL },
		{ NULL },
	};
	struct e2e *e = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = run_to_end(e, &(struct sensor_plan){ .args = cases[i] });

		if (status != 2)
			fail_msg("%s %s: status %d", cases[i][0] ? cases[i][0] : "", cases[i][0] ? cases[i][1] : "", status);
		assert_true(stderr_has(&e->sensor, "cormorant: "));
	}
}

static void help_and_version_go_to_stdout(void **state)
{
	static const char *const cases[][2] = { { "--help", NULL }, { "--version", NULL } };
	struct e2e *e = *state;

	for (int i = 0; i < 2; i++) {
		char *out;

		assert_int_equal(run_to_end(e, &(struct sensor_plan){ .args = cases[i] }), 0);
		out = sensor_stdout(&e->sensor);
		assert_non_null(strstr(out, "cormorant"));
		free(out);
	}
}

static int give_up_root(void *arg)
{
	(void)arg;
	return setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ? -errno : 0;
}

static void not_root_is_status_3_and_names_the_capability(void **state)
{
	struct e2e *e = *state;

	assert_int_equal(run_to_end(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf"), .prepare = give_up_root }), 3);
	assert_true(stderr_has(&e->sensor, "CAP_"));
	assert_true(stderr_has(&e->sensor, "NotPermitted"));
	assert_true(sensor_has_clear_error(&e->sensor));
}

static void without_tracefs_a_forced_tracepoint_says_how_to_mount_it(void **state)
{
	struct e2e *e = *state;

	const struct sensor_plan plan = { .args = ARGS("-f", "ocsf", "--attach", "tp"), .prepare = prepare_without_tracefs };

	if (e2e_kernel_before(4, 7))
		e2e_skip("below 4.7 there are no BPF programs on tracepoints: tracefs is not what is missing");
	assert_int_equal(run_to_end(e, &plan), 3);
	assert_true(stderr_has(&e->sensor, "NoTracefs"));
	assert_true(stderr_has(&e->sensor, "mount -t tracefs"));
	assert_true(sensor_has_clear_error(&e->sensor));
}

static void without_btf_forced_co_re_says_so_with_status_3(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan plan = { .args = ARGS("-f", "ocsf", "--attach", "kprobe", "--transport", "perfbuf", "--access", "core"),
					  .prepare = prepare_without_btf };
	const struct sensor_plan any = { .args = ARGS("-f", "ocsf", "--access", "core"), .prepare = prepare_without_btf };

	/* Whatever else is missing here: what is forced has its own reason. */
	assert_int_equal(run_to_end(e, &plan), 3);
	assert_true(sensor_has_clear_error(&e->sensor));
	assert_int_equal(run_to_end(e, &any), 3);
	assert_true(stderr_has(&e->sensor, "MissingBtf"));
	assert_true(sensor_has_clear_error(&e->sensor));
}

static int hide_proc(void *arg)
{
	int why = mounts_private();

	(void)arg;
	return why ? why : mounts_hide("/proc");
}

static void without_proc_events_still_come(void **state)
{
	struct e2e *e = *state;
	struct observed *o;

	if (access("/sys/kernel/btf/vmlinux", F_OK))
		e->knows_less = true;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf"), .prepare = hide_proc });
	event_log_open(&e->log, e->sensor.out_path);
	e->no_proc = true;
	o = observe(e, &(struct subject_plan){ 0 });
	/* What only /proc knows is missing, not wrong: keys (no boot id), the parent's command line. */
	assert_null(event_get(o->event, "process.parent_process.cmd_line"));
	e->no_proc = e->knows_less = false;
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
}

static void after_a_kill_the_next_one_starts(void **state)
{
	struct e2e *e = *state;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	assert_int_equal(sensor_stop(&e->sensor, SIGKILL), -SIGKILL);
	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	execute(e, 1, "after");
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(counters_of(&e->sensor).emitted >= 1);
}

static void two_sensors_at_once_both_see(void **state)
{
	struct e2e *e = *state;
	struct sensor first;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	first = e->sensor;
	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	execute(e, 5, "both");
	assert_int_equal(sensor_stop(&first, SIGTERM), 0);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(counters_of(&first).emitted >= 5);
	assert_true(counters_of(&e->sensor).emitted >= 5);
}

/* After the start only these are left: reading maps, and other users' /proc. */
static void privileges_are_given_up(void **state)
{
	/* CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH; below 5.8 there is no CAP_BPF, and SYS_ADMIN takes its place. */
	const uint64_t bpf = prctl(PR_CAPBSET_READ, 39, 0, 0, 0) >= 0 ? 1ULL << 39 : 1ULL << 21;
	const uint64_t kept = bpf | 1ULL << 19 | 1ULL << 2;
	struct e2e *e = *state;
	struct truth truth;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	truth_read(&truth, e->sensor.pid, NULL);
	assert_int_equal(strtoull(truth.cap_effective, NULL, 16) & ~kept, 0);
	assert_int_equal(strtoull(truth.cap_permitted, NULL, 16) & ~kept, 0);
	truth_free(&truth);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
}

static void pretty_shows_no_control_character_of_a_hostile_argv(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/pretty", workspace_scratch(&e->ws));
	char *sink = workspace_text(&e->ws, "file:%s", path), *marker = workspace_marker(&e->ws);
	char *hostile = workspace_text(&e->ws, "%s\x1b]0;title\x07\x1b[2J\x7f\xc2\x9b\n\r\xff", marker);
	struct bytes content;

	start(e, &(struct sensor_plan){ .args = ARGS("-f", "pretty", "-o", sink) });
	execute(e, 1, hostile);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	assert_true(bytes_read_file(path, &content));
	assert_non_null(strstr(content.data, marker));
	assert_true(utf8_valid(&content));
	for (size_t i = 0; i < content.len; i++) {
		unsigned char c = (unsigned char)content.data[i];

		assert_true(c == '\n' || (c >= 0x20 && c != 0x7f));
		assert_false(c == 0xc2 && (unsigned char)content.data[i + 1] < 0xa0);
	}
	assert_int_equal(count_lines(content.data), counters_of(&e->sensor).emitted);
	bytes_free(&content);
}

/* What a command prints: one JSON object and status 0, or a refusal with its own status. The caller puts it. */
static struct json_object *document(struct e2e *e, const char *const *args)
{
	int status = run_to_end(e, &(struct sensor_plan){ .args = args });
	char *out = sensor_stdout(&e->sensor);
	struct json_object *object = json_tokener_parse(out);

	if (status == 2)
		e2e_skip("this sensor has no %s yet", args[0]);
	assert_int_equal(status, 0);
	assert_true(json_object_is_type(object, json_type_object));
	free(out);
	return object;
}

static void assert_member(struct json_object *object, const char *path, enum json_type type)
{
	struct json_object *value = event_get(object, path);

	if (!json_object_is_type(value, type))
		fail_msg("%s: expected %s, got %s", path, json_type_to_name(type), json_object_to_json_string(value));
}

/* Its variants are the contract's eighteen, one is picked, and it is the one that would run; each better one says why not. */
static void assert_capabilities(struct e2e *e, struct json_object *object)
{
	static const char *const objects[] = { "sensor", "host", "kernel", "readiness", "features", "limits", "offsets", "counters" };
	struct json_object *variants = event_get(object, "variants");
	const char *picked = NULL;

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		assert_member(object, objects[i], json_type_object);
	assert_member(object, "fields", json_type_array);
	assert_member(object, "variants", json_type_array);
	assert_member(object, "kernel.release", json_type_string);
	assert_int_equal(json_object_array_length(variants), 18);
	for (size_t i = 0; i < 18; i++) {
		struct json_object *variant = json_object_array_get_idx(variants, i);
		const char *state = event_text(variant, "state"), *name = event_text(variant, "name");

		assert_non_null(state);
		assert_non_null(name);
		if (!strcmp(state, "picked")) {
			assert_null(picked);
			picked = name;
		} else if (!picked && (strcmp(state, "failed") || !event_text(variant, "error"))) {
			fail_msg("%s is better than the picked one, and no error says why it was not: %s", name,
				 json_object_to_json_string(variant));
		}
	}
	assert_non_null(picked);
	start(e, &(struct sensor_plan){ .args = ARGS("-f", "ocsf") });
	assert_string_equal(e->sensor.variant, picked);
	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
}

static void probe_says_what_would_run_and_why_nothing_better(void **state)
{
	struct e2e *e = *state;
	struct json_object *object = document(e, (const char *const[]){ "probe", "--json", NULL });

	assert_capabilities(e, object);
	json_object_put(object);
}

/* E2E_CAPABILITIES names a file that gets the document, for a check against its schema where there is one. */
static void capabilities_are_one_document(void **state)
{
	struct e2e *e = *state;
	struct json_object *object = document(e, (const char *const[]){ "capabilities", NULL });
	const char *copy = getenv("E2E_CAPABILITIES");

	if (copy && *copy)
		assert_int_equal(json_object_to_file(copy, object), 0);
	assert_capabilities(e, object);
	json_object_put(object);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(count_ends_with_exactly_so_many_lines),
	E2E_TEST(duration_ends_it),
	E2E_TEST(a_signal_ends_it_with_everything_written),
	E2E_TEST(a_reader_that_goes_away_ends_it_quietly),
	E2E_TEST(a_reader_that_does_not_read_cannot_hold_up_the_end),
	E2E_TEST(a_file_gets_the_lines),
	E2E_TEST(a_full_disk_is_said_and_counted),
	E2E_TEST(an_unwritable_path_is_said),
	E2E_TEST(bad_usage_is_said_with_status_2),
	E2E_TEST(help_and_version_go_to_stdout),
	E2E_TEST(not_root_is_status_3_and_names_the_capability),
	E2E_TEST(without_tracefs_a_forced_tracepoint_says_how_to_mount_it),
	E2E_TEST(without_btf_forced_co_re_says_so_with_status_3),
	E2E_TEST(without_proc_events_still_come),
	E2E_TEST(after_a_kill_the_next_one_starts),
	E2E_TEST(two_sensors_at_once_both_see),
	E2E_TEST(privileges_are_given_up),
	E2E_TEST(probe_says_what_would_run_and_why_nothing_better),
	E2E_TEST(capabilities_are_one_document),
	E2E_TEST(pretty_shows_no_control_character_of_a_hostile_argv),
};
const struct e2e_tests e2e_cli_tests = E2E_TESTS(tests);
