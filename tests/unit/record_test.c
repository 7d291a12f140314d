// SPDX-License-Identifier: Apache-2.0
/* record.c: what is decoded, and that nothing which contradicts itself is. */
#include "builder.h"
#include "record.h"

#include <errno.h>
#include <stdlib.h>

static struct record_decoder decoder;

static void assert_slice(struct slice got, const char *want)
{
	assert_non_null(got.data);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

/* Decodes what b makes; the record lives until the test's end through *record. */
static int decode(struct builder *b, struct exec_event *event, void **record)
{
	size_t size;

	*record = builder_record(b, &size);
	return record_decode(&decoder, *record, size, event);
}

static void a_whole_record_is_decoded(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_int_equal(event.head.tgid, 4101);
	assert_int_equal(event.head.ppid, 4100);
	assert_int_equal(event.argv.len, 19);
	assert_memory_equal(event.argv.data, "prog\0-x\0two words\0", 19);
	assert_false(event.argv_truncated);
	assert_true(event.argc_known);
	assert_int_equal(event.argc, 4);
	assert_slice(event.filename, "./asked/for");
	assert_slice(event.exe, "/opt/some dir/prog.bin");
	assert_slice(event.exe_name, "prog.bin");
	assert_slice(event.cwd, "/home/user/work");
	assert_slice(event.cgroup, "/user.slice/app.scope");
	assert_slice(event.cgroup_v1, "/v1/app");
	assert_null(event.container.data);
	assert_null(event.parent.exe.data);
	assert_null(event.parent.argv.data);
	for (unsigned fact = 0; fact < FACT_COUNT; fact++)
		assert_true(exec_knows(&event, fact));
	free(record);
	builder_free(&b);
}

static void a_record_without_facts_is_decoded(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_bare(&b);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_null(event.argv.data);
	assert_false(event.argc_known);
	assert_null(event.filename.data);
	assert_null(event.exe.data);
	assert_int_equal(event.exe_name.len, 0);
	assert_null(event.cwd.data);
	assert_null(event.cgroup.data);
	assert_null(event.cgroup_v1.data);
	for (unsigned fact = 0; fact < FACT_COUNT; fact++)
		assert_false(exec_knows(&event, fact));
	free(record);
	builder_free(&b);
}

static void a_record_cut_short_anywhere_is_refused(void **state)
{
	struct builder b;
	struct exec_event event;
	size_t size;
	char *record;

	(void)state;
	builder_full(&b);
	record = builder_record(&b, &size);
	for (size_t n = 0; n < size; n++) {
		void *cut = copy_of(record, n);

		assert_int_equal(record_decode(&decoder, cut, n, &event), -EBADMSG);
		free(cut);
	}
	assert_int_equal(record_decode(&decoder, record, size, &event), 0);
	free(record);
	builder_free(&b);
}

static void padding_of_up_to_seven_bytes_is_accepted(void **state)
{
	struct builder b;
	struct exec_event event;
	size_t size;
	char *record;

	(void)state;
	builder_full(&b);
	record = builder_record(&b, &size);
	for (size_t pad = 0; pad <= 9; pad++) {
		char *padded = calloc(1, size + pad);

		memcpy(padded, record, size);
		assert_int_equal(record_decode(&decoder, padded, size + pad, &event),
				 pad < 8 ? 0 : -EBADMSG);
		free(padded);
	}
	free(record);
	builder_free(&b);
}

/* ------------------------------------------------------------- contradictions */

/* Each changes one thing of a valid record so that it contradicts the rest. */
static void bad_kind_0(struct exec_record *r) { r->event.kind = 0; }
static void bad_kind_2(struct exec_record *r) { r->event.kind = RECORD_EXEC + 1; }
static void bad_version_0(struct exec_record *r) { r->event.version = 0; }
static void bad_version_2(struct exec_record *r) { r->event.version = RECORD_VERSION + 1; }
static void bad_part(struct exec_record *r) { r->event.part = 1; }
static void bad_parts_0(struct exec_record *r) { r->event.parts = 0; }
static void bad_parts_2(struct exec_record *r) { r->event.parts = 2; }
static void bad_length_0(struct exec_record *r) { r->event.length = 0; }
static void bad_length_less(struct exec_record *r) { r->event.length--; }
static void bad_length_more(struct exec_record *r) { r->event.length++; }
static void bad_length_huge(struct exec_record *r) { r->event.length = UINT32_MAX; }
static void bad_length_head(struct exec_record *r) { r->event.length = sizeof(*r) - 1; }
static void bad_argv_len_less(struct exec_record *r) { r->facts.section_len[SECTION_ARGV]--; }
static void bad_cwd_len_more(struct exec_record *r) { r->facts.section_len[SECTION_CWD]++; }
static void bad_last_len_less(struct exec_record *r) { r->facts.section_len[SECTION_CGROUP_V1]--; }
static void bad_len_huge(struct exec_record *r) { r->facts.section_len[SECTION_EXE] = UINT32_MAX; }
static void bad_present_bit(struct exec_record *r) { r->facts.present |= FACT_BIT(FACT_COUNT); }
static void bad_present_top(struct exec_record *r) { r->facts.present |= FACT_BIT(63); }
static void bad_flag(struct exec_record *r) { r->facts.flags |= 1 << 3; }
static void bad_flag_above(struct exec_record *r)
{
	r->facts.flags |= EXEC_TRUNCATED << SECTION_COUNT;
}
static void bad_flag_top(struct exec_record *r) { r->facts.flags |= 1U << 31; }
static void bad_nsec(struct exec_record *r) { r->facts.mtime_nsec = 1000000000; }
static void bad_comm(struct exec_record *r) { memset(r->facts.comm, 'x', COMM_BYTES); }
static void bad_parent_comm(struct exec_record *r) { memset(r->facts.parent_comm, 'x', COMM_BYTES); }
static void bad_tty(struct exec_record *r) { memset(r->facts.tty, 'x', TTY_BYTES); }
static void bad_fs(struct exec_record *r) { memset(r->facts.fs, 'x', FS_BYTES); }
static void bad_argv_bytes(struct exec_record *r) { r->facts.argv_bytes--; }
static void bad_argv_more(struct exec_record *r) { r->facts.argv_bytes++; }
static void bad_argv_flag(struct exec_record *r)
{
	r->facts.flags |= EXEC_TRUNCATED_BIT(SECTION_ARGV);
}
static void bad_argv_unknown(struct exec_record *r) { r->facts.present &= ~FACT_BIT(FACT_ARGV); }
static char *section(struct exec_record *r, int section)
{
	char *at = (char *)r->bytes;

	for (int i = 0; i < section; i++)
		at += r->facts.section_len[i];
	return at;
}
static void unterminated(struct exec_record *r, int which)
{
	section(r, which)[r->facts.section_len[which] - 1] = 'x';
}
static void bad_filename_nul(struct exec_record *r) { unterminated(r, SECTION_FILENAME); }
static void bad_exe_nul(struct exec_record *r) { unterminated(r, SECTION_EXE); }
static void bad_cwd_nul(struct exec_record *r) { unterminated(r, SECTION_CWD); }
static void bad_cgroup_nul(struct exec_record *r) { unterminated(r, SECTION_CGROUP); }
static void bad_cgroup_v1_nul(struct exec_record *r) { unterminated(r, SECTION_CGROUP_V1); }
static void bad_filename_two(struct exec_record *r) { section(r, SECTION_FILENAME)[3] = 0; }
static void absent(struct exec_record *r, int which)
{
	r->facts.present &= ~FACT_BIT(FACT_SECTION + which);
}
static void bad_argv_absent(struct exec_record *r) { absent(r, SECTION_ARGV); }
static void bad_filename_absent(struct exec_record *r) { absent(r, SECTION_FILENAME); }
static void bad_exe_absent(struct exec_record *r) { absent(r, SECTION_EXE); }
static void bad_cwd_absent(struct exec_record *r) { absent(r, SECTION_CWD); }
static void bad_cgroup_absent(struct exec_record *r) { absent(r, SECTION_CGROUP); }
static void bad_cgroup_v1_absent(struct exec_record *r) { absent(r, SECTION_CGROUP_V1); }

#define BAD(name) {#name, bad_##name}
static const struct {
	const char *name;
	void (*change)(struct exec_record *r);
} contradictions[] = {
	BAD(kind_0), BAD(kind_2), BAD(version_0), BAD(version_2), BAD(part), BAD(parts_0),
	BAD(parts_2), BAD(length_0), BAD(length_less), BAD(length_more), BAD(length_huge),
	BAD(length_head), BAD(argv_len_less), BAD(cwd_len_more), BAD(last_len_less), BAD(len_huge),
	BAD(present_bit), BAD(present_top), BAD(flag), BAD(flag_above), BAD(flag_top), BAD(nsec),
	BAD(comm), BAD(parent_comm), BAD(tty), BAD(fs), BAD(argv_bytes), BAD(argv_more),
	BAD(argv_flag), BAD(argv_unknown), BAD(filename_nul), BAD(exe_nul), BAD(cwd_nul),
	BAD(cgroup_nul), BAD(cgroup_v1_nul), BAD(filename_two), BAD(argv_absent),
	BAD(filename_absent), BAD(exe_absent), BAD(cwd_absent), BAD(cgroup_absent),
	BAD(cgroup_v1_absent),
};

static void a_record_that_contradicts_itself_is_refused(void **state)
{
	struct builder b;
	struct exec_event event;
	struct exec_record *record;
	size_t size;

	(void)state;
	builder_full(&b);
	for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
		record = builder_record(&b, &size);
		assert_int_equal(record_decode(&decoder, record, size, &event), 0);
		contradictions[i].change(record);
		if (record_decode(&decoder, record, size, &event) != -EBADMSG)
			fail_msg("%s was accepted", contradictions[i].name);
		free(record);
	}
	builder_free(&b);
}

/* What a fact's place holds while its bit is unset means nothing and hurts nothing. */
static void garbage_in_absent_facts_is_ignored(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_bare(&b);
	memset(&b.facts.start_ns, 0xff, sizeof(b.facts) - sizeof(b.facts.present));
	b.facts.flags = 0;
	assert_int_equal(decode(&b, &event, &record), 0);
	free(record);
	builder_free(&b);
}

/* A section of n bytes made of components (or arguments) of at most 200 bytes. */
static void fill(struct text *t, size_t n, size_t component)
{
	text_clear(t);
	for (size_t i = 1; i <= n; i++)
		text_char(t, i % component && i != n ? 'c' : 0);
}

static void a_section_at_its_limit_is_accepted_and_one_over_it_refused(void **state)
{
	static const struct {
		enum exec_section section;
		size_t max;
	} limits[] = {
		{SECTION_ARGV, 16384},	{SECTION_FILENAME, 4128}, {SECTION_EXE, 4096},
		{SECTION_CWD, 4096},	{SECTION_CGROUP, 1280},	  {SECTION_CGROUP_V1, 1280},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (size_t over = 0; over < 2; over++) {
			size_t n = limits[i].max + over;
			struct builder b;
			struct exec_event event;
			void *record;

			builder_full(&b);
			fill(&b.sections[limits[i].section], n,
			     limits[i].section == SECTION_FILENAME ? n : 200);
			b.facts.argv_bytes = b.sections[SECTION_ARGV].len;
			assert_int_equal(decode(&b, &event, &record), over ? -EBADMSG : 0);
			free(record);
			builder_free(&b);
		}
	}
}

static void all_sections_at_their_limit_fit_the_decoder(void **state)
{
	static const size_t max[SECTION_COUNT] = {16384, 4128, 4096, 4096, 1280, 1280};
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	for (int i = 0; i < SECTION_COUNT; i++)
		fill(&b.sections[i], max[i], i == SECTION_FILENAME ? max[i] : 2);
	b.facts.argv_bytes = 16384;
	assert_int_equal(decode(&b, &event, &record), 0);
	/* 2,048 components of one letter: a slash and a letter each. */
	assert_int_equal(event.exe.len, 4096);
	assert_int_equal(event.cwd.len, 4096);
	assert_int_equal(event.cgroup.len, 1280);
	assert_int_equal(event.cgroup_v1.len, 1280);
	for (size_t i = 0; i < event.cwd.len; i++)
		assert_int_equal(event.cwd.data[i], i % 2 ? 'c' : '/');
	free(record);
	builder_free(&b);
}

/* ----------------------------------------------------------------------- paths */

static void components_become_a_path(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *path;
	} cases[] = {
		{"", 0, "/"},			    /* the root itself */
		{"/", 2, "/"},			    /* its dentry's name */
		{"", 1, "/"},			    /* a root without a name */
		{"bin", 4, "/bin"},		    /* one */
		{"ls\0bin\0usr", 11, "/usr/bin/ls"},
		{"ls\0bin\0usr\0/", 13, "/usr/bin/ls"},
		{"ls\0bin\0usr\0", 12, "/usr/bin/ls"}, /* an empty root component */
		{"memfd:x y", 10, "/memfd:x y"},
		{"a\0b", 4, "/b/a"},
		{"\xff\n", 3, "/\xff\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder b;
		struct exec_event event;
		void *record;

		builder_full(&b);
		builder_section(&b, SECTION_CWD, cases[i].bytes, cases[i].n);
		builder_section(&b, SECTION_CGROUP, cases[i].bytes, cases[i].n);
		builder_section(&b, SECTION_EXE, cases[i].bytes, cases[i].n);
		assert_int_equal(decode(&b, &event, &record), 0);
		assert_slice(event.cwd, cases[i].path);
		assert_slice(event.cgroup, cases[i].path);
		assert_slice(event.exe, cases[i].path);
		free(record);
		builder_free(&b);
	}
}

static void a_path_held_in_part_is_absent_but_its_name_is_known(void **state)
{
	static const enum exec_section paths[] = {SECTION_EXE, SECTION_CWD, SECTION_CGROUP,
						  SECTION_CGROUP_V1};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct builder b;
		struct exec_event event;
		void *record;

		builder_full(&b);
		b.facts.flags |= (unsigned)EXEC_TRUNCATED_BIT(paths[i]);
		assert_int_equal(decode(&b, &event, &record), 0);
		assert_int_equal(event.exe.data == NULL, paths[i] == SECTION_EXE);
		assert_int_equal(event.cwd.data == NULL, paths[i] == SECTION_CWD);
		assert_int_equal(event.cgroup.data == NULL, paths[i] == SECTION_CGROUP);
		assert_int_equal(event.cgroup_v1.data == NULL, paths[i] == SECTION_CGROUP_V1);
		assert_slice(event.exe_name, "prog.bin");
		free(record);
		builder_free(&b);
	}
}

/* ------------------------------------------------------------------------ argc */

static void argc_of_a_whole_argv_is_counted(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	builder_argv_bytes(&b, "a\0\0\0b", 6); /* a, two empty, b */
	b.facts.argc = 77;		       /* the stack's word does not count here */
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_true(event.argc_known);
	assert_int_equal(event.argc, 4);
	free(record);
	b.facts.present &= ~FACT_BIT(FACT_ARGC);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_true(event.argc_known);
	assert_int_equal(event.argc, 4);
	free(record);
	builder_argv_bytes(&b, "", 0);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_true(event.argc_known);
	assert_int_equal(event.argc, 0);
	assert_non_null(event.argv.data);
	free(record);
	builder_free(&b);
}

static void cut_argv(struct builder *b, uint32_t argc)
{
	builder_argv_bytes(b, "one\0two\0thr", 11);
	b->facts.argv_bytes = 20;
	b->facts.argc = argc;
	b->facts.flags |= (unsigned)EXEC_TRUNCATED_BIT(SECTION_ARGV);
}

static void argc_of_a_cut_argv_is_the_stacks_where_it_can_be_true(void **state)
{
	static const struct {
		uint32_t argc;
		bool known;
	} cases[] = {
		/* Two arguments end in the bytes that are there, and each needs a byte. */
		{0, false}, {1, false}, {3, true}, {5, true}, {20, true}, {21, false}, {UINT32_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder b;
		struct exec_event event;
		void *record;

		builder_full(&b);
		cut_argv(&b, cases[i].argc);
		assert_int_equal(decode(&b, &event, &record), 0);
		assert_true(event.argv_truncated);
		assert_int_equal(event.argc_known, cases[i].known);
		if (cases[i].known)
			assert_int_equal(event.argc, cases[i].argc);
		free(record);
		b.facts.present &= ~FACT_BIT(FACT_ARGC);
		assert_int_equal(decode(&b, &event, &record), 0);
		assert_false(event.argc_known);
		free(record);
		builder_free(&b);
	}
}

/* Contract 3: every count is explicit. argc is a fact of its own, whether or not argv is carried. */
static void argc_is_known_without_argv(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	builder_drop(&b, SECTION_ARGV);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_null(event.argv.data);
	assert_true(event.argc_known);
	assert_int_equal(event.argc, 4);
	free(record);
	builder_free(&b);
}

/* At exec argv always ends in a NUL; were it missing, argc must still be that of the list. */
static void argc_and_the_list_agree_without_the_last_nul(void **state)
{
	struct builder b;
	struct exec_event event;
	struct slice rest, argument;
	uint32_t listed = 0;
	void *record;

	(void)state;
	builder_full(&b);
	builder_argv_bytes(&b, "one\0two", 7);
	if (!decode(&b, &event, &record)) {
		for (rest = event.argv; argv_next(&rest, &argument);)
			listed++;
		assert_true(!event.argc_known || event.argc == listed);
	}
	free(record);
	builder_free(&b);
}

/* ----------------------------------------------------------------- any bytes */

static bool within(struct slice s, const void *start, size_t n)
{
	uintptr_t at = (uintptr_t)s.data, from = (uintptr_t)start;

	return !s.data || (at >= from && s.len <= n && at - from <= n - s.len);
}

static void assert_path_sane(struct slice path)
{
	assert_true(within(path, decoder.paths, sizeof(decoder.paths)));
	if (path.data) {
		assert_true(path.len > 0);
		assert_int_equal(path.data[0], '/');
		assert_null(memchr(path.data, 0, path.len));
	}
}

/* Whatever was accepted holds together. */
static void assert_event_sane(const struct exec_event *event, const void *record, size_t size)
{
	assert_true(within(event->argv, record, size));
	assert_true(within(event->filename, record, size));
	assert_true(within(event->exe_name, record, size));
	assert_path_sane(event->exe);
	assert_path_sane(event->cwd);
	assert_path_sane(event->cgroup);
	assert_path_sane(event->cgroup_v1);
	if (event->argv.data) {
		assert_true(exec_knows(event, FACT_ARGV));
		assert_int_equal(event->argv_truncated, event->argv.len != event->facts->argv_bytes);
	}
	if (event->filename.data)
		assert_null(memchr(event->filename.data, 0, event->filename.len));
	if (exec_knows(event, FACT_COMM))
		assert_true(strnlen(event->facts->comm, COMM_BYTES) < COMM_BYTES);
	if (exec_knows(event, FACT_TTY))
		assert_true(strnlen(event->facts->tty, TTY_BYTES) < TTY_BYTES);
}

static void every_byte_flipped_is_refused_or_sane(void **state)
{
	struct builder b;
	struct exec_event event;
	size_t size;
	char *record;
	unsigned refused = 0, accepted = 0;

	(void)state;
	builder_full(&b);
	record = builder_record(&b, &size);
	for (size_t at = 0; at < size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			record[at] ^= (char)(1 << bit);
			if (record_decode(&decoder, record, size, &event)) {
				refused++;
			} else {
				accepted++;
				assert_event_sane(&event, record, size);
			}
			record[at] ^= (char)(1 << bit);
		}
	}
	assert_true(refused > 100 && accepted > 100);
	free(record);
	builder_free(&b);
}

static void mutate(struct dice *dice, char *record, size_t size)
{
	static const unsigned char nasty[] = {0, 1, 0x7f, 0x80, 0xff};

	for (uint64_t n = 1 + dice_below(dice, 4); n; n--) {
		/* Most of the meaning is in the fixed part, so most of the damage goes there. */
		size_t end = dice_below(dice, 4) ? sizeof(struct exec_record) : size;
		size_t at = dice_below(dice, end < size ? end : size);

		record[at] = dice_below(dice, 2) ? (char)nasty[dice_below(dice, sizeof(nasty))] :
						   (char)dice_roll(dice);
	}
}

static void random_damage_is_refused_or_sane(void **state)
{
	struct dice dice = {20240229};
	unsigned refused = 0, accepted = 0;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct builder b;
		struct exec_event event;
		size_t size;
		char *record;

		i % 8 ? builder_full(&b) : builder_bare(&b);
		if (i % 8 == 1)
			cut_argv(&b, 4);
		record = builder_record(&b, &size);
		mutate(&dice, record, size);
		if (record_decode(&decoder, record, size, &event)) {
			refused++;
		} else {
			accepted++;
			assert_event_sane(&event, record, size);
		}
		free(record);
		builder_free(&b);
	}
	assert_true(refused > 1000 && accepted > 1000);
}

static void pure_noise_is_refused(void **state)
{
	struct dice dice = {7};
	struct exec_event event;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = dice_below(&dice, 600);
		char *bytes = malloc(n + 1);

		for (size_t at = 0; at < n; at++)
			bytes[at] = (char)dice_roll(&dice);
		assert_int_equal(record_decode(&decoder, bytes, n, &event), -EBADMSG);
		free(bytes);
	}
}

/* ------------------------------------------------------------------- withheld */

static void what_is_withheld_is_not_known(void **state)
{
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	for (unsigned fact = 0; fact < FACT_COUNT; fact++) {
		decoder.withheld = FACT_BIT(fact);
		assert_int_equal(decode(&b, &event, &record), 0);
		for (unsigned other = 0; other < FACT_COUNT; other++)
			assert_int_equal(exec_knows(&event, other), other != fact);
		free(record);
	}
	decoder.withheld = FACT_BIT(FACT_SECTION + SECTION_EXE) | FACT_BIT(FACT_SECTION + SECTION_CWD) |
			   FACT_BIT(FACT_SECTION + SECTION_FILENAME) | FACT_BIT(FACT_ARGV);
	assert_int_equal(decode(&b, &event, &record), 0);
	assert_null(event.exe.data);
	assert_null(event.exe_name.data);
	assert_null(event.cwd.data);
	assert_null(event.filename.data);
	/* Where argv ends is not known: what was carried means nothing. */
	assert_null(event.argv.data);
	assert_slice(event.cgroup, "/user.slice/app.scope");
	free(record);
	decoder.withheld = 0;
	builder_free(&b);
}

static void what_is_withheld_may_be_malformed(void **state)
{
	const uint64_t malformed = FACT_BIT(FACT_PARENT_COMM) | FACT_BIT(FACT_TTY) |
				   FACT_BIT(FACT_FS) | FACT_BIT(FACT_MTIME);
	struct builder b;
	struct exec_event event;
	void *record;

	(void)state;
	builder_full(&b);
	memset(b.facts.parent_comm, 'x', COMM_BYTES);
	memset(b.facts.tty, 'x', TTY_BYTES);
	memset(b.facts.fs, 'x', FS_BYTES);
	b.facts.mtime_nsec = 1000000000;
	assert_int_equal(record_malformed_facts(&b.facts), malformed);
	assert_int_equal(decode(&b, &event, &record), -EBADMSG);
	free(record);
	decoder.withheld = malformed & ~FACT_BIT(FACT_TTY);
	assert_int_equal(decode(&b, &event, &record), -EBADMSG);
	free(record);
	decoder.withheld = malformed;
	assert_int_equal(decode(&b, &event, &record), 0);
	free(record);
	decoder.withheld = 0;
	b.facts.present &= ~malformed;
	assert_int_equal(record_malformed_facts(&b.facts), 0);
	builder_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_withheld_is_not_known),
		cmocka_unit_test(what_is_withheld_may_be_malformed),
		cmocka_unit_test(a_whole_record_is_decoded),
		cmocka_unit_test(a_record_without_facts_is_decoded),
		cmocka_unit_test(a_record_cut_short_anywhere_is_refused),
		cmocka_unit_test(padding_of_up_to_seven_bytes_is_accepted),
		cmocka_unit_test(a_record_that_contradicts_itself_is_refused),
		cmocka_unit_test(garbage_in_absent_facts_is_ignored),
		cmocka_unit_test(a_section_at_its_limit_is_accepted_and_one_over_it_refused),
		cmocka_unit_test(all_sections_at_their_limit_fit_the_decoder),
		cmocka_unit_test(components_become_a_path),
		cmocka_unit_test(a_path_held_in_part_is_absent_but_its_name_is_known),
		cmocka_unit_test(argc_of_a_whole_argv_is_counted),
		cmocka_unit_test(argc_of_a_cut_argv_is_the_stacks_where_it_can_be_true),
		cmocka_unit_test(argc_is_known_without_argv),
		cmocka_unit_test(argc_and_the_list_agree_without_the_last_nul),
		cmocka_unit_test(every_byte_flipped_is_refused_or_sane),
		cmocka_unit_test(random_damage_is_refused_or_sane),
		cmocka_unit_test(pure_noise_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
