// SPDX-License-Identifier: Apache-2.0
/* pretty.c: one line for a person, and nothing in it that a terminal would obey. */
#include "event_json.h"
#include "pretty.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct record_decoder decoder;
static const struct wallclock test_clock = {
	.boot = 1690000000000000000LL,
	.monotonic = 1680000000000000000LL,
};

static void write_line(struct builder *b, bool colour, struct slice container, const char *runtime,
		       struct text *line)
{
	struct pretty *pretty = pretty_open(colour);
	struct exec_event event;
	size_t size;
	void *record = builder_record(b, &size);

	assert_non_null(pretty);
	assert_int_equal(record_decode(&decoder, record, size, &event), 0);
	event.container = container;
	event.container_runtime = runtime;
	text_clear(line);
	pretty_write(pretty, &test_clock, &event, line);
	assert_false(line->failed);
	pretty_close(pretty);
	free(record);
}

/* The line with runs of spaces made one, to compare what it says and not its widths. */
static void assert_says(const struct text *line, const char *want)
{
	struct text squeezed = {0};

	for (size_t i = 0; i < line->len; i++)
		if (line->data[i] != ' ' || (i && line->data[i - 1] != ' '))
			text_char(&squeezed, line->data[i]);
	text_char(&squeezed, 0);
	assert_string_equal(squeezed.data, want);
	text_free(&squeezed);
}

static void a_line_says_when_who_and_what(void **state)
{
	time_t seconds = 1690007200;
	struct passwd *root = getpwuid(0);
	char clock[16], want[256];
	struct text line = {0};
	struct builder b;

	(void)state;
	assert_non_null(root);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&seconds));
	builder_full(&b);
	b.head.uid = 0;
	write_line(&b, false, (struct slice){0}, NULL, &line);
	snprintf(want, sizeof(want), "%s.123 %s 4101 4100 prog -x 'two words' ''", clock,
		 root->pw_name);
	assert_says(&line, want);
	b.head.uid = 3999999999U; /* nobody has it */
	b.facts.present &= ~FACT_BIT(FACT_PPID);
	write_line(&b, false, slice_of("0123456789abcdef0123"), "podman", &line);
	snprintf(want, sizeof(want),
		 "%s.123 3999999999 4101 ? prog -x 'two words' '' [podman:0123456789ab]", clock);
	assert_says(&line, want);
	write_line(&b, false, slice_of("name"), NULL, &line);
	snprintf(want, sizeof(want), "%s.123 3999999999 4101 ? prog -x 'two words' '' [name]", clock);
	assert_says(&line, want);
	text_free(&line);
	builder_free(&b);
}

static void a_cut_argv_is_marked_and_a_missing_one_replaced_by_the_program(void **state)
{
	struct text line = {0};
	struct builder b;

	(void)state;
	builder_full(&b);
	builder_argv_bytes(&b, "one\0tw", 6);
	b.facts.argv_bytes = 70000;
	b.facts.flags |= (unsigned)EXEC_TRUNCATED_BIT(SECTION_ARGV);
	write_line(&b, false, (struct slice){0}, NULL, &line);
	assert_true(line.len > 11 && !memcmp(line.data + line.len - 10, "one tw \xe2\x80\xa6", 10));
	builder_drop(&b, SECTION_ARGV);
	b.facts.flags &= ~(unsigned)EXEC_TRUNCATED_BIT(SECTION_ARGV);
	write_line(&b, false, (struct slice){0}, NULL, &line);
	assert_non_null(memmem(line.data, line.len, "'/opt/some dir/prog.bin'", 24));
	builder_drop(&b, SECTION_EXE);
	write_line(&b, false, (struct slice){0}, NULL, &line);
	assert_non_null(memmem(line.data, line.len, "4101", 4));
	text_free(&line);
	builder_free(&b);
}

static void colours_are_on_a_terminal_only_and_end_where_they_began(void **state)
{
	struct text plain = {0}, coloured = {0}, stripped = {0};
	struct builder b;

	(void)state;
	builder_full(&b);
	write_line(&b, false, slice_of("abc"), "docker", &plain);
	write_line(&b, true, slice_of("abc"), "docker", &coloured);
	assert_null(memchr(plain.data, 0x1b, plain.len));
	assert_non_null(memchr(coloured.data, 0x1b, coloured.len));
	for (size_t i = 0; i < coloured.len; i++) {
		if (coloured.data[i] == 0x1b) {
			while (coloured.data[i] != 'm')
				i++;
			continue;
		}
		text_char(&stripped, coloured.data[i]);
	}
	assert_int_equal(stripped.len, plain.len);
	assert_memory_equal(stripped.data, plain.data, plain.len);
	assert_memory_equal(coloured.data + coloured.len - 4, "\x1b[0m", 4);
	text_free(&plain);
	text_free(&coloured);
	text_free(&stripped);
	builder_free(&b);
}

static void the_title_has_a_column_for_each(void **state)
{
	struct pretty *pretty = pretty_open(false);
	struct text title = {0};

	(void)state;
	pretty_title(pretty, &title);
	assert_says(&title, "TIME USER PID PPID COMMAND");
	text_free(&title);
	pretty_close(pretty);
}

static void hostile_bytes_never_control_the_terminal(void **state)
{
	struct dice dice = {808};
	struct text line = {0};

	(void)state;
	for (int round = 0; round < 5000; round++) {
		char argv[300], exe[120], container[80];
		struct builder b;
		size_t n;

		builder_full(&b);
		n = dice_hostile(&dice, argv, sizeof(argv) - 1);
		for (size_t i = 0; i < n; i++)
			if (!dice_below(&dice, 12))
				argv[i] = 0;
		argv[n] = 0;
		builder_argv_bytes(&b, argv, n + 1);
		n = 1 + dice_hostile(&dice, exe + 1, sizeof(exe) - 2);
		exe[0] = 'e';
		exe[n] = 0;
		builder_section(&b, SECTION_EXE, exe, n + 1);
		if (!dice_below(&dice, 3))
			builder_drop(&b, SECTION_ARGV);
		memset(b.facts.comm, 0, COMM_BYTES);
		dice_hostile(&dice, b.facts.comm, COMM_BYTES - 1);
		n = dice_hostile(&dice, container, sizeof(container));
		write_line(&b, false, (struct slice){container, n}, "docker", &line);
		assert_one_clean_line(&line);
		builder_free(&b);
	}
	text_free(&line);
}

/* bash, which knows $'…', is given each command and prints the arguments it understood. */
static void a_real_bash_reads_the_same_arguments(void **state)
{
	char path[] = "/tmp/cormorant-pretty-test.XXXXXX";
	struct text script = {0}, want = {0}, got = {0}, line = {0};
	struct dice dice = {515};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (int round = 0; round < 600; round++) {
		struct text argv = {0};
		struct builder b;
		const char *command;

		/* A first argument that is easily found: the command begins after the columns. */
		text_bytes(&argv, "MARK", 5);
		for (uint64_t n = 1 + dice_below(&dice, 4); n; n--) {
			char argument[40];

			text_bytes(&argv, argument, dice_hostile(&dice, argument, sizeof(argument)));
			text_char(&argv, 0);
		}
		builder_full(&b);
		builder_argv_bytes(&b, argv.data, argv.len);
		write_line(&b, false, (struct slice){0}, NULL, &line);
		command = memmem(line.data, line.len, "MARK", 4);
		assert_non_null(command);
		text_str(&script, "set -- ");
		text_bytes(&script, command, (size_t)(line.data + line.len - command));
		text_str(&script, "\nprintf '%s\\0' \"$@\"\n");
		text_bytes(&want, argv.data, argv.len);
		text_free(&argv);
		builder_free(&b);
	}
	assert_int_equal(write(fd, script.data, script.len), script.len);
	close(fd);
	program_output((const char *const[]){"/bin/bash", "--norc", path, NULL}, &got);
	unlink(path);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	text_free(&script);
	text_free(&want);
	text_free(&got);
	text_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_when_who_and_what),
		cmocka_unit_test(a_cut_argv_is_marked_and_a_missing_one_replaced_by_the_program),
		cmocka_unit_test(colours_are_on_a_terminal_only_and_end_where_they_began),
		cmocka_unit_test(the_title_has_a_column_for_each),
		cmocka_unit_test(hostile_bytes_never_control_the_terminal),
		cmocka_unit_test(a_real_bash_reads_the_same_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
