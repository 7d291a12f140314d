// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "check.h"
#include "clock.h"
#include "tiny.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_plain_exec_is_told_in_every_field(void **state)
{
	observe(*state, &(struct subject_plan){ 0 });
}

static void arguments_with_any_byte_of_text_survive(void **state)
{
	char *const argv[] = { "a b", "", "it's", "\"quoted\"", "back\\slash", "new\nline", "tab\tand\rreturn",
			       "\x01\x02\x1b[31m\x7f", "$(touch x) `y` ${z} *?", "\xe2\x80\xa8", "\xf0\x9f\xa6\xa4",
			       "\xc2\x85", "--x=y", "", NULL };

	observe(*state, &(struct subject_plan){ .argv = argv });
}

static void arguments_that_are_not_utf8_survive_in_base64(void **state)
{
	char *const argv[] = { "caf\xe9", "ok", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "", "\xe2\x82", "end\x80", NULL };

	observe(*state, &(struct subject_plan){ .argv = argv });
}

static void an_empty_argv_is_what_the_kernel_makes_of_it(void **state)
{
	char *const argv[] = { NULL };

	observe(*state, &(struct subject_plan){ .argv = argv });
}

/* argv of total bytes, NULs counted, in arguments of at most 100,000. */
static char *const *argv_of(struct e2e *e, size_t total)
{
	char **argv = workspace_memory(&e->ws, 64 * sizeof(*argv));
	size_t n = 0;

	argv[n++] = "subject";
	for (total -= sizeof("subject"); total; n++) {
		size_t len = total > 100001 ? 100000 : total - 1;

		argv[n] = workspace_memory(&e->ws, len + 1);
		memset(argv[n], 'a' + (int)(n % 26), len);
		total -= len + 1;
	}
	return argv;
}

static struct observed *observe_size(struct e2e *e, size_t total)
{
	struct observed *o = observe(e, &(struct subject_plan){ .argv = argv_of(e, total) });

	assert_int_equal(o->truth.cmdline.len, total);
	return o;
}

static bool truncated(const struct observed *o)
{
	return json_object_get_boolean(event_get(o->event, "process.xattributes.argv_truncated"));
}

static void sixteen_kibibytes_of_argv_are_carried_whole(void **state)
{
	assert_false(truncated(observe_size(*state, 16384)));
}

static void one_byte_more_is_marked_and_counted(void **state)
{
	assert_true(truncated(observe_size(*state, 16385)));
}

static void large_argvs_are_marked_and_counted(void **state)
{
	assert_true(truncated(observe_size(*state, 100000)));
	assert_true(truncated(observe_size(*state, 1000000)));
}

static void thousands_of_empty_arguments_are_counted(void **state)
{
	char *argv[5001];

	for (int i = 0; i < 5000; i++)
		argv[i] = "";
	argv[5000] = NULL;
	observe(*state, &(struct subject_plan){ .argv = argv });
}

static void apostrophes_without_end_stay_within_the_command_line_limit(void **state)
{
	struct e2e *e = *state;
	char *quotes = workspace_memory(&e->ws, 16001);
	char *const argv[] = { "subject", quotes, NULL };
	struct observed *o;
	struct bytes line;
	const char *text;

	memset(quotes, '\'', 16000);
	o = observe(e, &(struct subject_plan){ .argv = argv });
	text = event_text(o->event, "process.cmd_line");
	line = bytes_copy(text, strlen(text));
	/* 16,000 times four characters, two quotes around them, and the first word. */
	assert_int_equal(utf8_count(&line), 64000 + 2 + 8);
	bytes_free(&line);
}

static void three_thousand_arguments_are_exact(void **state)
{
	struct e2e *e = *state;
	char *argv[3001];

	for (int i = 0; i < 3000; i++)
		argv[i] = workspace_text(&e->ws, "%d", i % 100);
	argv[3000] = NULL;
	assert_false(truncated(observe(e, &(struct subject_plan){ .argv = argv })));
}

/* The longest that the kernel takes. */
static void an_argument_of_128_kibibytes_is_marked_and_counted(void **state)
{
	struct e2e *e = *state;
	char *longest = workspace_memory(&e->ws, 131072);
	char *const argv[] = { "subject", longest, "behind it", NULL };

	memset(longest, 'l', 131071);
	assert_true(truncated(observe(e, &(struct subject_plan){ .argv = argv })));
}

/* The file name lies behind them all on the new stack: it may be out of reach, argv may not. */
static void before_four_thousand_variables_argv_is_exact(void **state)
{
	struct e2e *e = *state;
	char *const argv[] = { "subject", "", "many variables", workspace_marker(&e->ws), NULL };

	observe(e, &(struct subject_plan){ .argv = argv, .environment = subject_environment(&e->ws, NULL, 4000),
					   .exec_filename_far = true });
}

static char *tiny(struct e2e *e, bool narrow)
{
	char *path = workspace_text(&e->ws, "%s/tiny", workspace_scratch(&e->ws));

	if (!tiny_write(path, narrow))
		e2e_skip("the smallest program is written for x86_64 and i386");
	return path;
}

static void observe_tiny(struct e2e *e, bool narrow, char *const argv[], char *environment[])
{
	struct subject_plan plan = { .path = tiny(e, narrow), .argv = argv, .environment = environment, .foreign = true };
	struct subject *s = subject_try_start(e, &plan);

	if (!s && errno == ENOEXEC)
		e2e_skip("this kernel does not run i386 programs (CONFIG_IA32_EMULATION, ia32_emulation=)");
	if (!s)
		fail_msg("cannot start a subject: %s", strerror(errno));
	observe_subject(e, s);
}

static void without_an_environment_argv_is_exact(void **state)
{
	struct e2e *e = *state;
	char *const argv[] = { "subject", "", "alone", workspace_marker(&e->ws), NULL };

	observe_tiny(e, false, argv, (char *[]){ NULL });
}

static void without_argv_and_environment_it_is_what_the_kernel_makes_of_it(void **state)
{
	observe_tiny(*state, false, (char *[]){ NULL }, (char *[]){ NULL });
}

static void with_empty_arguments_and_variables_argv_is_exact(void **state)
{
	observe_tiny(*state, false, (char *[]){ "", "", "", NULL }, (char *[]){ "", "", NULL });
}

static void a_32_bit_programs_argv_is_exact(void **state)
{
	struct e2e *e = *state;
	char *const argv[] = { "narrow", "", "caf\xe9", workspace_marker(&e->ws), NULL };

	observe_tiny(e, true, argv, (char *[]){ "A=1", "B=", NULL });
	observe_tiny(e, true, argv, (char *[]){ NULL });
	observe_tiny(e, true, (char *[]){ "one", NULL }, (char *[]){ "A=1", NULL });
}

/* Below 5.18 argc is 0 then, and an image's words cannot be told from its stack: unknown is allowed there, wrong is not. */
static void a_32_bit_program_without_argv_is_not_misread(void **state)
{
	struct e2e *e = *state;
	struct subject *s = subject_try_start(e, &(struct subject_plan){ .path = tiny(e, true), .argv = (char *[]){ NULL },
									  .environment = (char *[]){ "A=1", NULL }, .foreign = true });
	struct json_object *event;

	if (!s && errno == ENOEXEC)
		e2e_skip("this kernel does not run i386 programs (CONFIG_IA32_EMULATION, ia32_emulation=)");
	assert_non_null(s);
	event = event_log_wait(&e->log, s->pid, NULL);
	assert_non_null(event);
	if (!e->knows_less || event_get(event, "process.xattributes.argc"))
		observe_subject(e, s);
}

/* What only a held process can show, each with its name in from_proc; what the kernel told is not named there. */
static const char *const from_proc[] = {
	"parent_process.pid", "parent_process.name", "euid", "egid", "namespace_pid", "file.path", "file.uid", "file.size",
	"file.attributes", "file.modified_time", "file.xattributes.nlink", "xattributes.pgid", "xattributes.sid",
	"xattributes.suid", "xattributes.sgid", "xattributes.fsuid", "xattributes.fsgid", "xattributes.cap_effective",
	"xattributes.cap_permitted", "xattributes.cap_inheritable", "xattributes.cwd", "xattributes.ns.mnt",
	"xattributes.ns.pid", "xattributes.ns.net", "xattributes.ns.uts", "xattributes.ns.ipc", "xattributes.ns.user",
};

/* The sensor waits a tenth of a second for /proc, and not for each: where a machine is busy, the next one has its turn. */
static struct observed *observe_filled(struct e2e *e, bool none)
{
	struct observed *o = observe(e, &(struct subject_plan){ 0 });

	for (int i = 0; none && i < 10 && !event_get(o->event, "process.euid"); i++) {
		clock_sleep_ms(1000);
		o = observe(e, &(struct subject_plan){ 0 });
	}
	return o;
}

/* Records in parts have no paths, whatever the access. */
static bool is_walked(const char *path)
{
	return !strcmp(path, "file.path") || !strcmp(path, "xattributes.cwd");
}

static void what_the_kernel_cannot_tell_comes_from_proc_and_says_so(void **state)
{
	struct e2e *e = *state;
	bool none = !strcmp(strrchr(e->sensor.variant, '.'), ".none");
	struct observed *o = observe_filled(e, none);
	struct check c = { .event = o->event };
	char path[64];

	for (const char *const *known = check_must_know; *known; known++)
		if (!event_get(o->event, *known) || (!strncmp(*known, "process.", 8) && event_is_from_proc(o->event, *known + 8)))
			check_wrong(&c, *known, "the kernel tells this everywhere, it is absent or from /proc");
	for (size_t i = 0; i < sizeof(from_proc) / sizeof(from_proc[0]); i++) {
		snprintf(path, sizeof(path), "process.%s", from_proc[i]);
		if (none && !event_get(o->event, path))
			check_wrong(&c, path, "absent, though the process stood still");
		if (e2e_kernel_before(4, 11) && is_walked(from_proc[i]))
			continue;
		if (event_get(o->event, path) && event_is_from_proc(o->event, from_proc[i]) != none)
			check_wrong(&c, path, none ? "not named in from_proc" : "from /proc, though the kernel told it");
	}
	check_done(&c);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(a_plain_exec_is_told_in_every_field),
	E2E_TEST(arguments_with_any_byte_of_text_survive),
	E2E_TEST(arguments_that_are_not_utf8_survive_in_base64),
	E2E_TEST(an_empty_argv_is_what_the_kernel_makes_of_it),
	E2E_TEST(sixteen_kibibytes_of_argv_are_carried_whole),
	E2E_TEST(one_byte_more_is_marked_and_counted),
	E2E_TEST(large_argvs_are_marked_and_counted),
	E2E_TEST(thousands_of_empty_arguments_are_counted),
	E2E_TEST(apostrophes_without_end_stay_within_the_command_line_limit),
	E2E_TEST(three_thousand_arguments_are_exact),
	E2E_TEST(an_argument_of_128_kibibytes_is_marked_and_counted),
	E2E_TEST(before_four_thousand_variables_argv_is_exact),
	E2E_TEST(without_an_environment_argv_is_exact),
	E2E_TEST(without_argv_and_environment_it_is_what_the_kernel_makes_of_it),
	E2E_TEST(with_empty_arguments_and_variables_argv_is_exact),
	E2E_TEST(a_32_bit_programs_argv_is_exact),
	E2E_TEST(a_32_bit_program_without_argv_is_not_misread),
	E2E_TEST(what_the_kernel_cannot_tell_comes_from_proc_and_says_so),
};
const struct e2e_tests e2e_argv_tests = E2E_TESTS(tests);
