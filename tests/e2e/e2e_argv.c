// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"

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
};
const struct e2e_tests e2e_argv_tests = E2E_TESTS(tests);
