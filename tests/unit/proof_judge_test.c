// SPDX-License-Identifier: Apache-2.0
/* proof_judge.c: what agreements and differences mean. */
#include "proof_judge.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL ((1ULL << PROOF_COUNT) - 1)
#define BIT(fact) FACT_BIT(fact)
#define SUID (FACT_ID + ID_SUID)
#define EUID (FACT_ID + ID_EUID)
#define FSUID (FACT_ID + ID_FSUID)
#define EFFECTIVE (FACT_CAPS + CAPS_EFFECTIVE)
#define EXE (FACT_SECTION + SECTION_EXE)
#define ARGV (FACT_SECTION + SECTION_ARGV)

enum { SAMPLES = 3 };

/* Some execs of which everything is known, right, and different from everything else. */
struct world {
	struct proof_sample samples[SAMPLES];
	char text[SAMPLES][SECTION_COUNT][32];
	char rival[SAMPLES][RIVAL_COUNT][32];
	struct proof proof;
};

static void fill_account(struct proof_account *a, uint64_t at)
{
	struct exec_facts *facts = &a->facts;

	a->known = ALL;
	a->head = (struct process_exec_event){.time_ns = 5000 + at,
					      .tgid = (uint32_t)at + 1,
					      .ppid = (uint32_t)at + 2,
					      .uid = (uint32_t)at + 3};
	facts->start_ns = at + 4;
	facts->parent_start_ns = at + 5;
	facts->parent_stack = at + 6;
	facts->inode = at + 7;
	facts->size = at + 8;
	facts->mtime_sec = (int64_t)at + 9;
	facts->mtime_nsec = 10;
	facts->cgroup_id = at + 11;
	facts->argv_bytes = at + 12;
	facts->login_uid = (uint32_t)at + 13;
	facts->audit_session = (uint32_t)at + 14;
	facts->namespace_pid = (uint32_t)at + 15;
	facts->pgid = (uint32_t)at + 16;
	facts->sid = (uint32_t)at + 17;
	facts->dev = (uint32_t)at + 18;
	facts->mode = (uint32_t)at + 19;
	facts->nlink = (uint32_t)at + 20;
	facts->argc = (uint32_t)at + 21;
	facts->exec_id = 7;
	facts->parent_exec_id = 6;
	for (int i = 0; i < ID_COUNT; i++)
		facts->ids[i] = (uint32_t)at + 30 + (uint32_t)i;
	for (int i = 0; i < CAPS_COUNT; i++)
		facts->caps[i] = at + 40 + (uint64_t)i;
	for (int i = 0; i < NS_COUNT; i++)
		facts->ns[i] = (uint32_t)at + 50 + (uint32_t)i;
	snprintf(facts->comm, sizeof(facts->comm), "comm%llu", (unsigned long long)at);
	snprintf(facts->parent_comm, sizeof(facts->parent_comm), "up%llu", (unsigned long long)at);
	snprintf(facts->tty, sizeof(facts->tty), "pts%llu", (unsigned long long)at);
	snprintf(facts->fs, sizeof(facts->fs), "fs%llu", (unsigned long long)at);
}

static struct world *world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (int i = 0; i < SAMPLES; i++) {
		struct proof_sample *s = &w->samples[i];
		uint64_t at = 100000 * (uint64_t)(i + 1);

		s->what = "a child";
		s->came = true;
		fill_account(&s->truth, at);
		s->truth.facts.flags = i == 0 ? EXEC_MEMFD | EXEC_DELETED :
				       i == 1 ? EXEC_DELETED :
						0;
		for (int section = 0; section < SECTION_COUNT; section++) {
			snprintf(w->text[i][section], 32, "/section %d of %d", section, i);
			s->truth.text[section] = slice_of(w->text[i][section]);
		}
		s->seen = s->truth;
		s->truth.time = (struct proof_span){s->seen.head.time_ns, s->seen.head.time_ns + 9};
		s->truth.start = (struct proof_span){at, at + 4};
		s->truth.parent_start = (struct proof_span){at + 5, at + 8};
		s->rivals = (1U << RIVAL_COUNT) - 1;
		for (int rival = 0; rival < RIVAL_COUNT; rival++) {
			s->rival_number[rival] = at + 70 + (uint64_t)rival;
			snprintf(w->rival[i][rival], 32, "/rival %d of %d", rival, i);
			if (rival >= RIVAL_INTERPRETER)
				s->rival_text[rival] = slice_of(w->rival[i][rival]);
		}
	}
	return w;
}

static const struct proof *judge(struct world *w, bool from_row)
{
	w->proof = (struct proof){0};
	proof_judge(&w->proof, w->samples, SAMPLES, from_row);
	/* A fact is in one state at most. */
	assert_int_equal(w->proof.verified & w->proof.right, 0);
	assert_int_equal((w->proof.verified | w->proof.right) & w->proof.wrong, 0);
	assert_int_equal(w->proof.wrong & ~w->proof.withheld, 0);
	return &w->proof;
}

static const char *why(const struct world *w, unsigned fact)
{
	return w->proof.findings[fact].why;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* Right, but for a row not good enough, because of that. */
static void assert_doubted(struct world *w, unsigned fact, const char *part)
{
	judge(w, false);
	assert_true(w->proof.right & BIT(fact));
	assert_false(w->proof.withheld & BIT(fact));
	assert_has(why(w, fact), part);
	judge(w, true);
	assert_true(w->proof.withheld & BIT(fact));
	assert_false(w->proof.verified & BIT(fact));
}

/* Right, and for a row good enough, but never verified, because of that. */
static void assert_harmless(struct world *w, unsigned fact, const char *part)
{
	for (int row = 0; row < 2; row++) {
		judge(w, row);
		assert_true(w->proof.right & BIT(fact));
		assert_false(w->proof.withheld & BIT(fact));
		assert_has(why(w, fact), part);
	}
}

/* ----------------------------------------------------------------------- tests */

static void what_is_right_and_like_nothing_else_is_verified(void **state)
{
	struct world *w = world();
	unsigned fact;

	(void)state;
	for (int row = 0; row < 2; row++) {
		judge(w, row);
		assert_int_equal(w->proof.verified, ALL);
		assert_int_equal(w->proof.present, ALL);
		assert_int_equal(w->proof.withheld, 0);
		assert_false(w->proof.clocks_agree);
		assert_false(proof_fails(&w->proof, row, &fact));
	}
	free(w);
}

static void one_difference_in_one_exec_is_wrong(void **state)
{
	struct world *w = world();

	(void)state;
	for (unsigned fact = 0; fact < PROOF_COUNT; fact++) {
		struct proof_sample *s = &w->samples[fact % SAMPLES];
		struct proof_sample kept = *s;

		s->seen.head.time_ns += 10;
		s->seen.head.tgid++;
		s->seen.head.ppid++;
		s->seen.head.uid++;
		for (size_t at = offsetof(struct exec_facts, start_ns);
		     at < sizeof(struct exec_facts); at++)
			((unsigned char *)&s->seen.facts)[at] ^= 3;
		s->seen.facts.flags = kept.seen.facts.flags ^ (EXEC_MEMFD | EXEC_DELETED);
		for (int section = 0; section < SECTION_COUNT; section++)
			s->seen.text[section].len--;
		s->seen.known = BIT(fact) | BIT(FACT_EXEC_ID) | BIT(FACT_PARENT_EXEC_ID);
		judge(w, false);
		if (!(w->proof.wrong & BIT(fact)) || !(w->proof.withheld & BIT(fact)))
			fail_msg("%s is not wrong", proof_fact_name(fact));
		assert_true(w->proof.findings[fact].expected[0]);
		assert_true(w->proof.findings[fact].seen[0]);
		assert_string_not_equal(w->proof.findings[fact].seen,
					w->proof.findings[fact].expected);
		*s = kept;
	}
	free(w);
}

static void the_finding_says_what_was_expected_and_seen(void **state)
{
	struct world *w = world();

	(void)state;
	w->samples[1].what = "a traced child";
	w->samples[1].seen.facts.size = 7;
	w->samples[1].seen.facts.caps[CAPS_EFFECTIVE] = 0x1f;
	w->samples[1].seen.text[SECTION_EXE] = slice_of("/else\xff");
	w->samples[1].seen.facts.flags = 0;
	judge(w, false);
	assert_string_equal(w->proof.findings[FACT_SIZE].expected, "200008");
	assert_string_equal(w->proof.findings[FACT_SIZE].seen, "7");
	assert_has(why(w, FACT_SIZE), "a traced child");
	assert_string_equal(w->proof.findings[EFFECTIVE].seen, "000000000000001f");
	assert_string_equal(w->proof.findings[EXE].seen, "\"/else\xff\"");
	assert_string_equal(w->proof.findings[FACT_DELETED].expected, "true");
	assert_string_equal(w->proof.findings[FACT_DELETED].seen, "false");
	assert_int_equal(w->proof.findings[FACT_NLINK].expected[0], 0);
	free(w);
}

static void what_equals_another_fact_is_not_verified(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		w->samples[i].truth.facts.audit_session = w->samples[i].truth.facts.login_uid;
		w->samples[i].seen.facts.audit_session = w->samples[i].seen.facts.login_uid;
	}
	assert_doubted(w, FACT_LOGIN_UID, "process.session.uid");
	assert_doubted(w, FACT_AUDIT_SESSION, "process.auid");
	/* One exec in which they differ is enough. */
	w->samples[2].truth.facts.audit_session = w->samples[2].seen.facts.audit_session = 3;
	judge(w, true);
	assert_int_equal(w->proof.verified, ALL);
	free(w);
}

static void saved_and_effective_ids_are_never_verified(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		struct exec_facts *both[] = {&w->samples[i].truth.facts, &w->samples[i].seen.facts};

		for (int side = 0; side < 2; side++)
			both[side]->ids[ID_SUID] = both[side]->ids[ID_FSUID] =
				both[side]->ids[ID_EUID];
	}
	assert_harmless(w, SUID, "process.euid: the kernel makes them equal");
	assert_harmless(w, FSUID, "process.xattributes.suid: the kernel makes them equal");
	assert_harmless(w, EUID, "process.xattributes.suid: the kernel makes them equal");
	assert_true(w->proof.verified & BIT(FACT_ID + ID_SGID));
	free(w);
}

static void a_constant_may_be_anything(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		w->samples[i].truth.facts.nlink = w->samples[i].seen.facts.nlink = 1;
		w->samples[i].truth.facts.inode = w->samples[i].seen.facts.inode = 4026531834;
	}
	assert_doubted(w, FACT_NLINK, "the same in all");
	/* What is found nowhere else by chance is believed, but not called proven. */
	assert_harmless(w, FACT_INODE, "the same in all");
	free(w);
}

/* A level that is always 0 looks right where nobody is in a pid namespace. */
static void what_must_vary_is_not_believed_if_it_does_not(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].truth.facts.ns[NS_PID] = w->samples[i].seen.facts.ns[NS_PID] =
			4026531836;
	assert_doubted(w, FACT_NS + NS_PID, "the same in all");
	free(w);
}

static void a_rival_that_is_equal_or_unknown_raises_doubt(void **state)
{
	static const struct {
		unsigned fact;
		enum proof_rival rival;
		const char *part;
	} cases[] = {
		{FACT_PPID, RIVAL_TRACER, "traces it"},
		{FACT_PPID, RIVAL_PARENT_THREAD, "the thread"},
		{EFFECTIVE, RIVAL_CAPS_BOUND, "bounding"},
		{EFFECTIVE, RIVAL_CAPS_AMBIENT, "ambient"},
		{FACT_MTIME, RIVAL_ATIME, "last access"},
		{FACT_MTIME, RIVAL_CTIME, "last change"},
		{EXE, RIVAL_EXE_IN_FS, "within its file system"},
		{FACT_SECTION + SECTION_CWD, RIVAL_CWD_IN_FS, "within its file system"},
		{FACT_SECTION + SECTION_CWD, RIVAL_ROOT, "root directory"},
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct world *w = world();

		for (int i = 0; i < SAMPLES; i++)
			w->samples[i].rivals &= ~(1U << cases[c].rival);
		assert_doubted(w, cases[c].fact, cases[c].part);
		for (int i = 0; i < SAMPLES; i++) {
			struct proof_sample *s = &w->samples[i];

			s->rivals |= 1U << cases[c].rival;
			s->rival_number[cases[c].rival] =
				cases[c].fact == FACT_PPID ?
					s->truth.head.ppid :
				cases[c].fact == EFFECTIVE ?
					s->truth.facts.caps[CAPS_EFFECTIVE] :
					(uint64_t)s->truth.facts.mtime_sec * 1000000000 + 10;
			if (s->rival_text[cases[c].rival].data)
				s->rival_text[cases[c].rival] =
					s->truth.text[cases[c].fact - FACT_SECTION];
		}
		assert_doubted(w, cases[c].fact, cases[c].part);
		free(w);
	}
}

static void start_times_by_two_clocks_that_agree_are_marked(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].rival_number[RIVAL_START_MONOTONIC] =
			w->samples[i].seen.facts.start_ns;
	assert_harmless(w, FACT_START, "monotonic");
	assert_true(w->proof.clocks_agree);
	free(w);
}

/* Since 6.0 an exec moves to the namespace that was meant for children: then, and only then, the two are one. */
static void the_time_namespace_for_children_is_harmless_where_execs_move(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		w->samples[i].truth.facts.ns[NS_TIME] = w->samples[i].seen.facts.ns[NS_TIME] =
			4026531834;
		w->samples[i].rival_number[RIVAL_TIME_FOR_CHILDREN] = 4026531834;
	}
	assert_doubted(w, FACT_NS + NS_TIME, "for children");
	w->samples[1].truth.facts.ns[NS_TIME] = w->samples[1].seen.facts.ns[NS_TIME] = 4026532222;
	w->samples[1].rival_number[RIVAL_TIME_FOR_CHILDREN] = 4026532222;
	assert_harmless(w, FACT_NS + NS_TIME, "for children");
	/* Before, it stays where it was: told apart. */
	w->samples[1].truth.facts.ns[NS_TIME] = w->samples[1].seen.facts.ns[NS_TIME] = 4026531834;
	w->samples[2].truth.facts.ns[NS_TIME] = w->samples[2].seen.facts.ns[NS_TIME] = 4026533333;
	judge(w, true);
	assert_true(w->proof.verified & BIT(FACT_NS + NS_TIME));
	free(w);
}

static void what_is_not_there_is_a_value_too(void **state)
{
	struct world *w = world();

	(void)state;
	w->samples[0].truth.none = BIT(FACT_TTY);
	w->samples[0].truth.known &= ~BIT(FACT_TTY);
	judge(w, false);
	assert_true(w->proof.wrong & BIT(FACT_TTY));
	assert_string_equal(w->proof.findings[FACT_TTY].expected, "none");
	w->samples[0].seen.known &= ~BIT(FACT_TTY);
	judge(w, true);
	assert_true(w->proof.verified & BIT(FACT_TTY));
	for (int i = 0; i < SAMPLES; i++) {
		w->samples[i].truth.none = BIT(FACT_TTY);
		w->samples[i].truth.known &= ~BIT(FACT_TTY);
		w->samples[i].seen.known &= ~BIT(FACT_TTY);
	}
	judge(w, false);
	assert_int_equal(w->proof.none, BIT(FACT_TTY));
	assert_false(w->proof.withheld & BIT(FACT_TTY));
	judge(w, true);
	assert_true(w->proof.withheld & BIT(FACT_TTY));
	free(w);
}

static void what_is_missing_somewhere_is_not_verified(void **state)
{
	struct world *w = world();

	(void)state;
	w->samples[1].seen.known &= ~BIT(FACT_INODE);
	assert_doubted(w, FACT_INODE, "missing in the exec of a child");
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].seen.known &= ~BIT(FACT_INODE);
	judge(w, false);
	assert_false((w->proof.verified | w->proof.right | w->proof.wrong | w->proof.withheld) &
		     BIT(FACT_INODE));
	assert_has(why(w, FACT_INODE), "no record had it");
	judge(w, true);
	assert_true(w->proof.withheld & BIT(FACT_INODE));
	free(w);
}

static void without_a_truth_nothing_is_said(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].truth.known &= ~BIT(FACT_SIZE);
	judge(w, false);
	assert_false((w->proof.verified | w->proof.right | w->proof.wrong | w->proof.withheld) &
		     BIT(FACT_SIZE));
	judge(w, true);
	assert_true(w->proof.withheld & BIT(FACT_SIZE));
	free(w);
}

static void execs_that_did_not_come_do_not_count(void **state)
{
	struct world *w = world();

	(void)state;
	w->samples[0].came = false;
	w->samples[0].seen.facts.size = 1;
	judge(w, true);
	assert_true(w->proof.verified & BIT(FACT_SIZE));
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].came = false;
	judge(w, false);
	assert_int_equal(w->proof.verified | w->proof.right | w->proof.wrong | w->proof.present, 0);
	free(w);
}

/* The child's count of execs is its parent's and one more; nobody else can say what it is. */
static void the_number_of_execs_follows_the_parents(void **state)
{
	const uint64_t both = BIT(FACT_EXEC_ID) | BIT(FACT_PARENT_EXEC_ID);
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].truth.known &= ~both;
	judge(w, true);
	assert_int_equal(w->proof.verified & both, both);
	w->samples[1].seen.facts.exec_id = 0;
	w->samples[1].seen.facts.parent_exec_id = UINT32_MAX;
	judge(w, true);
	assert_int_equal(w->proof.verified & both, both);
	w->samples[1].seen.facts.parent_exec_id = 0;
	judge(w, true);
	assert_int_equal(w->proof.wrong & both, both);
	free(w);
}

static void times_have_to_lie_between_two(void **state)
{
	struct world *w = world();

	(void)state;
	for (int i = 0; i < SAMPLES; i++) /* both ends are in it */
		w->samples[i].seen.facts.start_ns =
			i ? w->samples[i].truth.start.from : w->samples[i].truth.start.to;
	judge(w, false);
	assert_true(w->proof.verified & BIT(FACT_START));
	w->samples[1].seen.facts.start_ns--;
	judge(w, false);
	assert_true(w->proof.wrong & BIT(FACT_START));
	assert_string_equal(w->proof.findings[FACT_START].expected, "200000 to 200004");
	free(w);
}

static void what_was_cut_is_compared_as_far_as_it_goes(void **state)
{
	struct world *w = world();

	(void)state;
	w->samples[0].seen.text[SECTION_FILENAME].len = 5;
	judge(w, false);
	assert_true(w->proof.wrong & BIT(FACT_SECTION + SECTION_FILENAME));
	w->samples[0].seen.facts.flags |= EXEC_TRUNCATED_BIT(SECTION_FILENAME);
	judge(w, false);
	assert_true(w->proof.verified & BIT(FACT_SECTION + SECTION_FILENAME));
	/* Only of a section that all have cut the field never comes. */
	assert_int_equal(w->proof.truncated, 0);
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].seen.facts.flags |= EXEC_TRUNCATED_BIT(SECTION_EXE);
	judge(w, false);
	assert_int_equal(w->proof.truncated, BIT(EXE));
	free(w);
}

static void whose_exec_it_is_must_be_right(void **state)
{
	struct world *w = world();
	unsigned fact;

	(void)state;
	w->samples[2].seen.head.ppid = 1;
	assert_true(proof_fails(judge(w, false), false, &fact));
	assert_int_equal(fact, FACT_PPID);
	w->samples[2].seen.head.ppid = w->samples[2].truth.head.ppid;
	w->samples[2].seen.text[SECTION_ARGV].len--;
	assert_true(proof_fails(judge(w, false), false, &fact));
	assert_int_equal(fact, ARGV);
	w->samples[2].seen = w->samples[1].seen;
	w->samples[2].seen.known = 0;
	w->samples[2].came = false;
	/* Of a row it has to be known, of BTF not. */
	for (int i = 0; i < SAMPLES; i++)
		w->samples[i].seen.known &= ~BIT(FACT_PPID);
	assert_false(proof_fails(judge(w, false), false, &fact));
	assert_true(proof_fails(judge(w, true), true, &fact));
	assert_int_equal(fact, FACT_PPID);
	free(w);
}

static void its_own_execs_are_known_by_pid_and_time(void **state)
{
	const struct proof proof = {.attempts = {{100, 200, {7, 9}}, {300, 400, {8}}}};
	struct process_exec_event head = {.time_ns = 150, .tgid = 9};

	(void)state;
	assert_true(proof_made(&proof, &head));
	head.tgid = 8;
	assert_false(proof_made(&proof, &head));
	head = (struct process_exec_event){.time_ns = 201, .tgid = 9};
	assert_false(proof_made(&proof, &head));
	head.time_ns = 99;
	assert_false(proof_made(&proof, &head));
	head = (struct process_exec_event){.time_ns = 150};
	assert_false(proof_made(&proof, &head));
	/* Each attempt's for its own time: the pid of one that is over may be anybody's. */
	head = (struct process_exec_event){.time_ns = 400, .tgid = 8};
	assert_true(proof_made(&proof, &head));
	head.tgid = 9;
	assert_false(proof_made(&proof, &head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_and_like_nothing_else_is_verified),
		cmocka_unit_test(one_difference_in_one_exec_is_wrong),
		cmocka_unit_test(the_finding_says_what_was_expected_and_seen),
		cmocka_unit_test(what_equals_another_fact_is_not_verified),
		cmocka_unit_test(saved_and_effective_ids_are_never_verified),
		cmocka_unit_test(a_constant_may_be_anything),
		cmocka_unit_test(what_must_vary_is_not_believed_if_it_does_not),
		cmocka_unit_test(a_rival_that_is_equal_or_unknown_raises_doubt),
		cmocka_unit_test(start_times_by_two_clocks_that_agree_are_marked),
		cmocka_unit_test(the_time_namespace_for_children_is_harmless_where_execs_move),
		cmocka_unit_test(what_is_not_there_is_a_value_too),
		cmocka_unit_test(what_is_missing_somewhere_is_not_verified),
		cmocka_unit_test(without_a_truth_nothing_is_said),
		cmocka_unit_test(execs_that_did_not_come_do_not_count),
		cmocka_unit_test(the_number_of_execs_follows_the_parents),
		cmocka_unit_test(times_have_to_lie_between_two),
		cmocka_unit_test(what_was_cut_is_compared_as_far_as_it_goes),
		cmocka_unit_test(whose_exec_it_is_must_be_right),
		cmocka_unit_test(its_own_execs_are_known_by_pid_and_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
