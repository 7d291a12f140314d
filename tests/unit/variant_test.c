// SPDX-License-Identifier: Apache-2.0
/* variant.c: the table of variants, what they need, and that their programs are in the ELF. */
#include "builder.h"
#include "feature.h"
#include "variant.h"

#include <stdio.h>

#include <bpf/libbpf.h>

static const struct variant *find(const char *name)
{
	for (size_t i = 0; i < variant_count; i++)
		if (!strcmp(variants[i].name, name))
			return &variants[i];
	fail_msg("no variant %s", name);
	return NULL;
}

/* Contract 2: three axes, every combination once, EVENT.ATTACH.TRANSPORT.ACCESS. */
static void every_combination_of_rungs_is_there_once(void **state)
{
	static const char *const attach[] = {"raw_tp", "tp", "kprobe"};
	static const char *const transport[] = {"ringbuf", "perfbuf"};
	static const char *const access[] = {"core", "map", "none"};
	char name[128];

	(void)state;
	assert_int_equal(variant_count, 18);
	for (int a = 0; a < 3; a++)
		for (int t = 0; t < 2; t++)
			for (int x = 0; x < 3; x++) {
				const struct variant_force force = {attach[a], transport[t], access[x]};

				snprintf(name, sizeof(name), "exec.%s.%s.%s", attach[a], transport[t],
					 access[x]);
				assert_true(variant_allowed(find(name), &force));
			}
}

/*
 * Contract 2, but for one thing: access first, then attach, then transport; a kprobe before
 * a tracepoint, which below 5.16 does not see execs of long file names.
 */
static void better_variants_come_first(void **state)
{
	static const char *const best_first[] = {
		"exec.raw_tp.ringbuf.core", "exec.raw_tp.perfbuf.core",
		"exec.kprobe.ringbuf.core", "exec.kprobe.perfbuf.core",
		"exec.tp.ringbuf.core", "exec.tp.perfbuf.core",
		"exec.raw_tp.ringbuf.map", "exec.raw_tp.perfbuf.map",
		"exec.kprobe.ringbuf.map", "exec.kprobe.perfbuf.map",
		"exec.tp.ringbuf.map", "exec.tp.perfbuf.map",
		"exec.raw_tp.ringbuf.none", "exec.raw_tp.perfbuf.none",
		"exec.kprobe.ringbuf.none", "exec.kprobe.perfbuf.none",
		"exec.tp.ringbuf.none", "exec.tp.perfbuf.none",
	};

	(void)state;
	for (size_t i = 0; i < variant_count; i++)
		assert_string_equal(variants[i].name, best_first[i]);
}

static void raw_tracepoints_that_are_preempted_rank_last_in_their_access(void **state)
{
	static const char *const preempted[] = {
		"exec.kprobe.ringbuf.map", "exec.kprobe.perfbuf.map", "exec.tp.ringbuf.map",
		"exec.tp.perfbuf.map",	   "exec.raw_tp.ringbuf.map", "exec.raw_tp.perfbuf.map",
	};

	(void)state;
	for (size_t i = 0; i < VARIANTS_OF_ACCESS; i++)
		assert_string_equal(variant_ranked(ACCESS_MAP, i, true)->name, preempted[i]);
	for (size_t i = 0; i < variant_count; i++)
		assert_ptr_equal(variant_ranked((enum access)(i / VARIANTS_OF_ACCESS),
						i % VARIANTS_OF_ACCESS, false),
				 &variants[i]);
}

static void a_forced_rung_leaves_only_its_variants(void **state)
{
	struct variant_force none = {0}, attach = {.attach = "tp"}, nowhere = {.transport = "pigeon"},
			     access = {.access = "core"};

	(void)state;
	for (size_t i = 0; i < variant_count; i++) {
		assert_true(variant_allowed(&variants[i], &none));
		assert_int_equal(variant_allowed(&variants[i], &attach),
				 strstr(variants[i].name, ".tp.") != NULL);
		assert_int_equal(variant_allowed(&variants[i], &access),
				 strstr(variants[i].name, ".core") != NULL);
		assert_false(variant_allowed(&variants[i], &nowhere));
	}
}

#define BIT(feature) (1ULL << FEATURE_##feature)

static void a_variant_needs_what_its_rungs_need(void **state)
{
	struct variant_needs floor = variant_needs(find("exec.raw_tp.perfbuf.none"));
	struct variant_needs best = variant_needs(find("exec.raw_tp.ringbuf.core"));
	struct variant_needs tp = variant_needs(find("exec.tp.ringbuf.map"));
	struct variant_needs kprobe = variant_needs(find("exec.kprobe.perfbuf.none"));

	(void)state;
	/* No types, no tracefs, no ring buffer: a container without /sys still has this one. */
	assert_int_equal(floor.all & (BIT(BTF) | BIT(TRACEFS) | BIT(MAP_RINGBUF)), 0);
	assert_int_equal(best.all & (BIT(BTF) | BIT(MAP_RINGBUF) | BIT(PROG_RAW_TRACEPOINT)),
			 BIT(BTF) | BIT(MAP_RINGBUF) | BIT(PROG_RAW_TRACEPOINT));
	assert_int_equal(tp.all & (BIT(TRACEFS) | BIT(BTF)), BIT(TRACEFS));
	/* Either way to make a kprobe, either function to set it on. */
	assert_int_equal(kprobe.any[0], BIT(KPROBE_PMU) | BIT(KPROBE_TRACEFS));
	assert_int_equal(kprobe.any[1], BIT(SYMBOL_POST_EXEC) | BIT(SYMBOL_EXECVE));
}

/* ---------------------------------------------------------------- its programs */

static bool has_program(const struct bpf_object *object, const char *name)
{
	return bpf_object__find_program_by_name(object, name) != NULL;
}

static int ignore(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Where a stage goes on to (bpf/exec.bpf.c) must be there, and the last one hands the record over. */
static void check_chain(const struct variant *variant, bool parts,
			const struct variant_programs *programs)
{
	assert_non_null(programs->stages[STAGE_FACTS]);
	assert_non_null(programs->stages[STAGE_ARGS]);
	assert_non_null(programs->stages[STAGE_STRINGS]);
	assert_non_null(programs->stages[STAGE_OUTPUT]);
	assert_int_equal(programs->stages[STAGE_ENV] != NULL, variant->access == ACCESS_NONE);
	assert_non_null(programs->stages[STAGE_PATH]);
	assert_int_equal(programs->stages[STAGE_CGROUP] != NULL,
			 parts || variant->access != ACCESS_NONE);
}

static void every_program_of_every_variant_is_in_the_elf(void **state)
{
	struct bpf_object *object;

	(void)state;
	libbpf_set_print(ignore);
	object = bpf_object__open(EXEC_BPF_O);
	assert_non_null(object);
	for (size_t i = 0; i < variant_count; i++)
		for (int choice = 0; choice < 4; choice++) {
			struct variant_programs programs;

			variant_programs(&variants[i], choice & 1, choice & 2, &programs);
			assert_true(has_program(object, programs.entry));
			check_chain(&variants[i], choice & 1, &programs);
			for (int s = 0; s < STAGE_COUNT; s++)
				assert_true(!programs.stages[s] ||
					    has_program(object, programs.stages[s]));
		}
	bpf_object__close(object);
}

/* No program is dead weight: each belongs to some variant. */
static void every_program_in_the_elf_belongs_to_a_variant(void **state)
{
	struct bpf_object *object = bpf_object__open(EXEC_BPF_O);
	struct bpf_program *program;

	(void)state;
	assert_non_null(object);
	bpf_object__for_each_program (program, object) {
		const char *name = bpf_program__name(program);
		bool used = false;

		for (size_t i = 0; i < variant_count * 4; i++) {
			struct variant_programs programs;

			variant_programs(&variants[i / 4], i & 1, i & 2, &programs);
			used |= !strcmp(programs.entry, name);
			for (int s = 0; s < STAGE_COUNT; s++)
				used |= programs.stages[s] && !strcmp(programs.stages[s], name);
		}
		if (!used)
			fail_msg("%s belongs to no variant", name);
	}
	bpf_object__close(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_of_rungs_is_there_once),
		cmocka_unit_test(better_variants_come_first),
		cmocka_unit_test(raw_tracepoints_that_are_preempted_rank_last_in_their_access),
		cmocka_unit_test(a_forced_rung_leaves_only_its_variants),
		cmocka_unit_test(a_variant_needs_what_its_rungs_need),
		cmocka_unit_test(every_program_of_every_variant_is_in_the_elf),
		cmocka_unit_test(every_program_in_the_elf_belongs_to_a_variant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
