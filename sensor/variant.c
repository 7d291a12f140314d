// SPDX-License-Identifier: Apache-2.0
#include "variant.h"

#include <string.h>

#include "feature.h"

const char *const attach_names[ATTACH_COUNT] = {"raw_tp", "tp", "kprobe"};
const char *const transport_names[TRANSPORT_COUNT] = {"ringbuf", "perfbuf"};
const char *const access_names[ACCESS_COUNT] = {"core", "map", "none"};

/* clang-format off */
#define VARIANT(ATTACH, attach, TRANSPORT, transport, ACCESS, access)                              \
	{"exec." #attach "." #transport "." #access, ATTACH_##ATTACH, TRANSPORT_##TRANSPORT,       \
	 ACCESS_##ACCESS}

/*
 * What a variant sees comes first, so access leads; then what it costs. A kprobe goes before
 * a tracepoint: below 5.16 (e531e90b5ab0) perf has no record of over 2,048 bytes, and gives up
 * a sched_process_exec with a longer file name before any program is called. Nobody counts it.
 */
#define VARIANTS_OF(ACCESS, access)                                                                \
	VARIANT(RAW_TP, raw_tp, RINGBUF, ringbuf, ACCESS, access),                                 \
	VARIANT(RAW_TP, raw_tp, PERFBUF, perfbuf, ACCESS, access),                                 \
	VARIANT(KPROBE, kprobe, RINGBUF, ringbuf, ACCESS, access),                                 \
	VARIANT(KPROBE, kprobe, PERFBUF, perfbuf, ACCESS, access),                                 \
	VARIANT(TP, tp, RINGBUF, ringbuf, ACCESS, access),                                         \
	VARIANT(TP, tp, PERFBUF, perfbuf, ACCESS, access)
/* clang-format on */

const struct variant variants[] = {
	VARIANTS_OF(CORE, core),
	VARIANTS_OF(MAP, map),
	VARIANTS_OF(NONE, none),
};
const size_t variant_count = sizeof(variants) / sizeof(variants[0]);

const struct variant *variant_ranked(enum access access, size_t rank, bool raw_tp_last)
{
	if (raw_tp_last) /* those of raw_tp are the first */
		rank = (rank + TRANSPORT_COUNT) % VARIANTS_OF_ACCESS;
	return &variants[access * VARIANTS_OF_ACCESS + rank];
}

static bool rung_allowed(const char *rung, const char *forced)
{
	return !forced || !strcmp(rung, forced);
}

bool variant_allowed(const struct variant *variant, const struct variant_force *force)
{
	return rung_allowed(attach_names[variant->attach], force->attach) &&
	       rung_allowed(transport_names[variant->transport], force->transport) &&
	       rung_allowed(access_names[variant->access], force->access);
}

/* --------------------------------------------------------------- what it needs */

#define BIT(feature) (1ULL << FEATURE_##feature)

static const struct variant_needs attach_needs[ATTACH_COUNT] = {
	[ATTACH_RAW_TP] = {.all = BIT(PROG_RAW_TRACEPOINT)},
	[ATTACH_TP] = {.all = BIT(PROG_TRACEPOINT) | BIT(TRACEFS)},
	[ATTACH_KPROBE] = {.all = BIT(PROG_KPROBE),
			   .any = {BIT(KPROBE_PMU) | BIT(KPROBE_TRACEFS),
				   BIT(SYMBOL_POST_EXEC) | BIT(SYMBOL_EXECVE)}},
};

static const uint64_t transport_needs[TRANSPORT_COUNT] = {
	[TRANSPORT_RINGBUF] = BIT(MAP_RINGBUF),
	[TRANSPORT_PERFBUF] = BIT(MAP_PERF_EVENT_ARRAY),
};

/* Offsets for `map` are no feature of the kernel: the loader looks for them. */
static const uint64_t access_needs[ACCESS_COUNT] = {
	[ACCESS_CORE] = BIT(BTF),
};

struct variant_needs variant_needs(const struct variant *variant)
{
	struct variant_needs needs = attach_needs[variant->attach];

	needs.all |= access_needs[variant->access] | transport_needs[variant->transport];
	return needs;
}

/* ------------------------------------------------------------------ its programs */

static const char *entry_of(const struct variant *variant, bool retprobe)
{
	switch (variant->attach) {
	case ATTACH_RAW_TP: return "entry_raw_tp";
	case ATTACH_TP: return "entry_tp";
	default: return retprobe ? "entry_kretprobe" : "entry_kprobe";
	}
}

void variant_programs(const struct variant *variant, bool parts, bool retprobe,
		      struct variant_programs *programs)
{
	static const char *const of_access[ACCESS_COUNT][STAGE_COUNT] = {
		[ACCESS_CORE] = {[STAGE_FACTS] = "facts_core",
				 [STAGE_ARGS] = "args_core",
				 [STAGE_PATH] = "path_core",
				 [STAGE_CGROUP] = "cgroup_core"},
		[ACCESS_MAP] = {[STAGE_FACTS] = "facts_map",
				[STAGE_ARGS] = "args_map",
				[STAGE_PATH] = "path_map",
				[STAGE_CGROUP] = "cgroup_map"},
		[ACCESS_NONE] = {[STAGE_FACTS] = "facts_none",
				 [STAGE_ARGS] = "args_none",
				 [STAGE_ENV] = "env_none"},
	};

	programs->entry = entry_of(variant, retprobe);
	memcpy(programs->stages, of_access[variant->access], sizeof(programs->stages));
	if (variant->access == ACCESS_NONE && variant->attach == ATTACH_TP)
		programs->stages[STAGE_ARGS] = "args_none_tp";
	if (parts) { /* strings can't be gathered, nor paths walked: their stages send argv */
		programs->stages[STAGE_STRINGS] = "parts_facts";
		programs->stages[STAGE_PATH] = "parts_argv";
		programs->stages[STAGE_CGROUP] = "parts_rest";
		programs->stages[STAGE_OUTPUT] = "parts_name";
		return;
	}
	programs->stages[STAGE_STRINGS] = "strings";
	programs->stages[STAGE_OUTPUT] =
		variant->transport == TRANSPORT_RINGBUF ? "ringbuf" : "perfbuf";
	if (variant->access == ACCESS_NONE) /* nothing to walk */
		programs->stages[STAGE_PATH] = programs->stages[STAGE_OUTPUT];
}
