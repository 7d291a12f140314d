// SPDX-License-Identifier: Apache-2.0
#include "loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "cormorant/record.h"
#include "object.h"
#include "offsets_fetch.h"
#include "perf_reader.h"
#include "privilege.h"
#include "reason.h"
#include "version.h"

enum {
	/* 16 MiB hold some 12,000 ordinary execs: seconds of a busy machine without being scheduled. */
	BUFFER_BYTES = 16 << 20,
	/* Of a CPU's perf buffer: a full record is 32 KiB; more than 4 MiB a CPU is never missed. */
	CPU_BYTES_MIN = 512 << 10,
	CPU_BYTES_MAX = 4 << 20,
	DRAIN_RECORDS = 4096,
	/*
	 * A record is handed on when it is so old: another CPU's older one is there by then,
	 * unless that CPU stood still within the program (an emulated or stolen CPU).
	 */
	WINDOW_NS = 5000000,
	/* NR_CPUS is at most this (CONFIG_MAXSMP). */
	CPUS_MAX = 8192,
	/* How often CPUs without a buffer are looked for. */
	CHECK_NS = 1000000000,
	/* Of the records that come while the proof runs: thousands. More count as lost. */
	QUEUE_BYTES = 16 << 20,
};

/* Where struct offsets come from; looked for once, by the first variant that wants them. */
struct offsets_state {
	bool asked;
	enum offsets_source source;
	struct kernel_offsets offsets;
	struct offsets_provenance provenance;
	struct { /* of the kernel's BTF, which is long: read once */
		bool asked, found;
		struct kernel_offsets offsets;
	} btf;
	/*
	 * What failed, why, what to do: of the database (no row, or one that the proof has
	 * refuted), and of the offsets service.
	 */
	char why[LOADER_TEXT_MAX], note[LOADER_TEXT_MAX];
	/* What the proof has refuted. */
	bool btf_wrong, row_wrong, fetched_wrong;
	char btf_why[LOADER_TEXT_MAX];
};

struct loader {
	const struct loader_options *options;
	struct loader_report *report;
	struct offsets_state *offsets; /* while opening */
	loader_record_fn *fn;
	void *arg;
	struct object object;
	struct hook hook;
	struct ring_buffer *ring;
	struct perf_reader *perf;
	bool proving;		   /* records are queued, */
	struct record_queue queue; /* here */
	int drained;		   /* records of this drain */
	int cpus;
	struct exec_counters *per_cpu; /* cpus of them, as last read */
	uint64_t *no_buffer;	       /* a CPU's losses for want of one, as last seen */
	int64_t checked_ns;
	uint64_t hook_missed; /* of hooks that are no more */
};

/* -------------------------------------------------------------------- the host */

/* Kernels before 5.11 charge maps against this limit; libbpf's own test for it can be fooled. */
static void raise_memlock(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

/* The highest number of a CPU that /proc/stat shows, and one; without /sys in a container. */
static int cpus_of_proc(void)
{
	FILE *f = fopen("/proc/stat", "re");
	char line[4096], digit[2];
	int cpu, cpus = 0;

	while (f && fgets(line, sizeof(line), f))
		/* The first line's "cpu  NUMBER" is the sum of all. */
		if (sscanf(line, "cpu%1[0-9]", digit) == 1 && sscanf(line, "cpu%d", &cpu) == 1 &&
		    cpu >= cpus && cpu < CPUS_MAX)
			cpus = cpu + 1;
	if (f)
		fclose(f);
	return cpus;
}

static int count_cpus(void)
{
	int cpus = libbpf_num_possible_cpus(), configured = (int)sysconf(_SC_NPROCESSORS_CONF);

	if (cpus > 0)
		return cpus;
	cpus = cpus_of_proc();
	return cpus > configured ? cpus : configured;
}

/* What no variant can do without. */
static enum loader_error check_host(struct features *features, struct loader_reason *r)
{
	char missing[128];

	if (feature_get(features, FEATURE_BPF_SYSCALL)->answer == FEATURE_NO)
		return reason_set(r, LOADER_KERNEL_TOO_OLD,
				  "cannot use BPF: this kernel has no bpf(2): Linux 4.4 or newer "
				  "with CONFIG_BPF_SYSCALL is needed");
	if (privilege_missing(missing, sizeof(missing)))
		return reason_permission(r, "load BPF programs", -EPERM);
	return LOADER_OK;
}

/* -------------------------------------------------------------------- offsets */

static void read_btf(struct loader *loader)
{
	struct offsets_state *state = loader->offsets;
	struct btf *btf;

	state->btf.asked = true;
	if (feature_get(&loader->report->features, FEATURE_BTF)->answer != FEATURE_YES)
		return;
	btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	if (!btf)
		return;
	state->btf.found = offsets_from_btf(btf, &state->btf.offsets) > 0;
	btf__free(btf);
}

/* BTF, where it is shown, is the kernel's own word; the database's is for where it is not. */
static const struct kernel_offsets *btf_offsets(struct loader *loader)
{
	if (!loader->offsets->btf.asked)
		read_btf(loader);
	return loader->offsets->btf.found ? &loader->offsets->btf.offsets : NULL;
}

/*
 * A row is proven by values, and two things would let a wrong one through: a pointer read
 * askew is sometimes null and sometimes not, whatever it is; and where linux_binprm's file
 * name is null, the programs take the new stack's, which is the same.
 */
static void distrust_row(struct kernel_offsets *offsets)
{
	(void)offsets_drop_misplaced(offsets);
	offsets->linux_binprm__filename = OFFSET_ABSENT;
}

static const char *database_path(const struct loader *loader)
{
	const char *path = loader->options->offsets->path;

	return path ? path : CORMORANT_OFFSETS_DB;
}

static const struct signature_keys *database_keys(const struct loader *loader)
{
	return loader->options->offsets->key ? &loader->options->offsets->keys : NULL;
}

/* The best source that was not refuted. */
static void find_offsets(struct loader *loader)
{
	const struct offsets_options *options = loader->options->offsets;
	const struct kernel_identity *identity = &loader->report->identity;
	struct offsets_state *state = loader->offsets;

	state->asked = true;
	state->source = OFFSETS_NONE;
	if (!state->btf_wrong && btf_offsets(loader)) {
		state->source = OFFSETS_BTF;
		state->offsets = *btf_offsets(loader);
		return;
	}
	if (!state->row_wrong &&
	    !offsets_db_find(database_path(loader), database_keys(loader), identity,
			     &state->offsets, &state->provenance, state->why, sizeof(state->why)))
		state->source = OFFSETS_DB;
	else if (options->url && !state->fetched_wrong &&
		 !offsets_fetch(options, identity, &state->offsets, &state->provenance, state->note,
				sizeof(state->note)))
		state->source = OFFSETS_URL;
	if (offsets_of_row(state->source))
		distrust_row(&state->offsets);
}

static enum loader_error need_offsets(struct loader *loader, struct loader_reason *r)
{
	const struct offsets_state *state = loader->offsets;

	if (!state->asked)
		find_offsets(loader);
	if (state->source == OFFSETS_NONE)
		return reason_set(r, LOADER_NO_OFFSETS, "%s%s%s", state->why,
				  state->note[0] ? "; " : "", state->note);
	return LOADER_OK;
}

/* ---------------------------------------------------------------- one variant */

static enum loader_error need_all(struct features *features, uint64_t needs,
				  struct loader_reason *r)
{
	for (int id = 0; id < FEATURE_COUNT; id++) {
		const struct feature *feature;

		if (!(needs & (1ULL << id)))
			continue;
		feature = feature_get(features, (enum feature_id)id);
		if (feature->answer == FEATURE_NO)
			return reason_feature(r, (enum feature_id)id, feature);
	}
	return LOADER_OK;
}

/* One of several is enough. Without tracefs its mounting may mend it; else the reason is the last one's. */
static enum loader_error need_any(struct features *features, uint64_t needs,
				  struct loader_reason *r)
{
	const struct feature *tracefs = feature_get(features, FEATURE_TRACEFS);
	enum loader_error error = LOADER_OK;

	for (int id = 0; id < FEATURE_COUNT; id++) {
		const struct feature *feature;

		if (!(needs & (1ULL << id)))
			continue;
		feature = feature_get(features, (enum feature_id)id);
		if (feature->answer != FEATURE_NO)
			return LOADER_OK;
		error = reason_feature(r, (enum feature_id)id, feature);
	}
	if (needs & (1ULL << FEATURE_KPROBE_TRACEFS) && tracefs->answer == FEATURE_NO)
		return reason_feature(r, FEATURE_TRACEFS, tracefs);
	return error;
}

static enum loader_error check_needs(struct loader *loader, struct loader_reason *r)
{
	struct variant_needs needs = variant_needs(r->variant);
	struct features *features = &loader->report->features;
	enum loader_error error = LOADER_OK;

	if (r->variant->access == ACCESS_CORE && loader->offsets->btf_wrong)
		return reason_set(r, LOADER_NO_OFFSETS, "%s", loader->offsets->btf_why);
	if (r->variant->access == ACCESS_MAP)
		error = need_offsets(loader, r);
	if (!error)
		error = need_all(features, needs.all, r);
	for (int i = 0; !error && i < 2; i++)
		if (needs.any[i])
			error = need_any(features, needs.any[i], r);
	return error;
}

/*
 * The offset of __data_loc filename in the tracepoint's context, from tracefs' format file:
 * "field:__data_loc char[] filename; offset:8; size:4; signed:0;" (a tab before, and between).
 */
static uint32_t tp_filename_at(const struct features *features)
{
	char path[160], line[256];
	unsigned offset = 8, found;
	FILE *f;

	snprintf(path, sizeof(path), "%s/events/sched/sched_process_exec/format",
		 features->tracefs);
	f = features->tracefs[0] ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " field:__data_loc char[] filename; offset:%u;", &found) == 1 &&
		    found < 256)
			offset = found;
	if (f)
		fclose(f);
	return offset;
}

static bool post_exec(struct loader *loader)
{
	return feature_get(&loader->report->features, FEATURE_SYMBOL_POST_EXEC)->answer !=
	       FEATURE_NO;
}

static bool wants_parts(struct loader *loader)
{
	return feature_get(&loader->report->features, FEATURE_MAP_MEMORY)->answer == FEATURE_NO;
}

static enum loader_error load(struct loader *loader, struct loader_reason *r, bool retprobe)
{
	struct features *features = &loader->report->features;
	struct object_plan plan = {
		.variant = r->variant,
		.parts = wants_parts(loader),
		.retprobe = retprobe,
		.features = features,
		.offsets = r->variant->access == ACCESS_MAP ? &loader->offsets->offsets : NULL,
		.cpus = loader->cpus,
		.ring_bytes = BUFFER_BYTES,
		.tp_filename_at = r->variant->attach == ATTACH_TP ? tp_filename_at(features) : 0,
	};
	int err = object_load(&loader->object, &plan);

	return err ? reason_load(r, err) : LOADER_OK;
}

static void take_record(void *arg, const void *data, size_t size)
{
	struct loader *loader = arg;

	if (loader->proving)
		record_queue_push(&loader->queue, data, size, QUEUE_BYTES);
	else
		loader->fn(loader->arg, data, size);
}

static int on_sample(void *ctx, void *data, size_t size)
{
	struct loader *loader = ctx;

	take_record(loader, data, size);
	/* An error ends the drain behind this record; the others stay in the buffer. */
	return ++loader->drained < DRAIN_RECORDS ? 0 : -EAGAIN;
}

/* As much as the ring in all, in powers of two that no CPU is too poor with. */
static size_t cpu_bytes(int cpus)
{
	size_t bytes = CPU_BYTES_MAX;

	while (bytes > CPU_BYTES_MIN && bytes * (size_t)cpus > BUFFER_BYTES)
		bytes /= 2;
	return bytes;
}

static enum loader_error read_buffers(struct loader *loader, struct loader_reason *r)
{
	int err = 0;

	if (r->variant->transport == TRANSPORT_RINGBUF) {
		loader->ring = ring_buffer__new(loader->object.buffer, on_sample, loader, NULL);
		err = loader->ring ? 0 : -errno;
		loader->report->buffer_bytes = BUFFER_BYTES;
		loader->report->buffers = 1;
	} else {
		loader->report->buffer_bytes = cpu_bytes(loader->cpus);
		loader->perf =
			perf_reader_open(loader->object.buffer, loader->cpus,
					 loader->report->buffer_bytes, take_record, loader, &err);
		loader->report->buffers = loader->perf ? perf_reader_buffers(loader->perf) : 0;
	}
	if (err == -EPERM || err == -EACCES)
		return reason_permission(r, "open the buffer", err);
	if (err)
		return reason_set(r, LOADER_FAILED, "cannot map the buffer of %s: %s: free memory",
				  r->variant->name, strerror(-err));
	return LOADER_OK;
}

/* execve and execveat, as the kernel calls their entries. All that are there, or none. */
static int attach_execve(struct loader *loader)
{
	struct features *features = &loader->report->features;
	int err = -ENOENT;

	for (int i = 0; i < 4 && features->execve_symbols[i][0]; i++) {
		err = hook_kprobe(&loader->hook, loader->object.entry, features,
				  features->execve_symbols[i], true);
		if (err)
			return err;
	}
	return err;
}

static enum loader_error attach(struct loader *loader, struct loader_reason *r, bool retprobe)
{
	struct features *features = &loader->report->features;
	int entry = loader->object.entry, err;

	if (r->variant->attach == ATTACH_RAW_TP)
		err = hook_raw_tracepoint(&loader->hook, entry, "sched_process_exec");
	else if (r->variant->attach == ATTACH_TP)
		err = hook_tracepoint(&loader->hook, entry, features->tracefs,
				      "sched/sched_process_exec");
	else if (retprobe)
		err = attach_execve(loader);
	else
		err = hook_kprobe(&loader->hook, entry, features, "proc_exec_connector", false);
	return err ? reason_attach(r, err) : LOADER_OK;
}

/* Frees all that a variant has made. */
static void reset(struct loader *loader)
{
	hook_detach(&loader->hook);
	ring_buffer__free(loader->ring);
	perf_reader_close(loader->perf);
	object_close(&loader->object);
	record_queue_clear(&loader->queue);
	loader->ring = NULL;
	loader->perf = NULL;
}

static enum loader_error try_hook(struct loader *loader, struct loader_reason *r, bool retprobe)
{
	enum loader_error error;

	reason_listen();
	error = load(loader, r, retprobe);
	if (!error)
		error = read_buffers(loader, r);
	if (!error)
		error = attach(loader, r, retprobe);
	reason_listen_end();
	if (error)
		reset(loader);
	return error;
}

static int read_per_cpu(struct loader *loader)
{
	for (__u32 cpu = 0; cpu < (__u32)loader->cpus; cpu++)
		if (bpf_map_lookup_elem(loader->object.counters, &cpu, &loader->per_cpu[cpu]))
			return -errno;
	return 0;
}

/* ------------------------------------------------------------------- the proof */

/* The clock that records are stamped with. */
static int64_t now_ns(const struct loader *loader)
{
	struct timespec ts;

	clock_gettime(loader->object.clock_boot ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static uint64_t proof_now_ns(void *arg)
{
	return (uint64_t)now_ns(arg);
}

static int proof_drain(void *arg, bool all)
{
	return loader_drain(arg, all);
}

static bool from_row(const struct loader *loader, const struct variant *variant)
{
	return variant->access == ACCESS_MAP && offsets_of_row(loader->offsets->source);
}

/* "the row for this kernel in /usr/share/…/offsets.db (linux-image-…)" */
static void name_offsets(const struct loader *loader, bool row, char *out, size_t size)
{
	const struct offsets_provenance *p = &loader->offsets->provenance;
	const char *of = p->package[0] ? p->package : p->source, *in = database_path(loader);

	if (loader->offsets->source == OFFSETS_URL)
		in = loader->options->offsets->url;
	if (row)
		snprintf(out, size, "the row for this kernel in %s%s%s%s", in, *of ? " (" : "", of,
			 *of ? ")" : "");
	else
		snprintf(out, size, "the BTF in /sys/kernel/btf/vmlinux");
}

/* The source is not asked again: another variant with it would be as wrong. */
static enum loader_error reject(struct loader *loader, struct loader_reason *r, bool row,
				const char *why, const char *remedy)
{
	struct offsets_state *state = loader->offsets;
	char *kept = state->btf_why, source[400];

	if (row && state->source == OFFSETS_DB) {
		state->row_wrong = true;
		kept = state->why;
	} else if (row) {
		state->fetched_wrong = true;
		kept = state->note;
	} else {
		state->btf_wrong = true;
		/* What was found out by it is not known any more. */
		loader->report->features.migration_disabled_at = 0;
		loader->report->features.of[FEATURE_RAW_TP_PREEMPTED].asked = false;
	}
	name_offsets(loader, row, source, sizeof(source));
	snprintf(kept, LOADER_TEXT_MAX, "%s %s: %s", source, why, remedy);
	state->asked = false;
	return reason_set(r, LOADER_NO_OFFSETS, "%s", kept);
}

static enum loader_error reject_fact(struct loader *loader, struct loader_reason *r, bool row,
				     unsigned fact)
{
	const struct proof_finding *finding = &loader->report->proof.findings[fact];
	char why[320];

	loader->report->refuted |= !!(loader->report->proof.wrong & FACT_BIT(fact));
	if (loader->report->proof.wrong & FACT_BIT(fact))
		snprintf(why, sizeof(why), "is wrong: %s should be %s, and is %s",
			 proof_fact_name(fact), finding->expected, finding->seen);
	else
		snprintf(why, sizeof(why), "is not proven: %s: %s", proof_fact_name(fact),
			 finding->why);
	if (!(loader->report->proof.wrong & FACT_BIT(fact)) && !loader->report->proof.hosts_pids)
		return reject(loader, r, row, why, "run the sensor in the host's pid namespace");
	return reject(loader, r, row, why,
		      row ? "make it anew from this kernel with `offsets-builder add`" :
			    "it is another kernel's, or this is a bug: please report it");
}

/* Facts that no record had, for want of a member: it is named. */
static void name_lacking(struct loader *loader, const struct variant *variant)
{
	struct proof *proof = &loader->report->proof;
	bool core = variant->access == ACCESS_CORE;
	const struct kernel_offsets *offsets =
		core ? btf_offsets(loader) : &loader->offsets->offsets;

	loader->report->lacking = 0;
	for (unsigned fact = 0; offsets && fact < FACT_COUNT; fact++) {
		const struct offset_item *item = proof->present & FACT_BIT(fact) ?
							 NULL :
							 offsets_lacking(offsets, FACT_BIT(fact));

		if (!item)
			continue;
		loader->report->lacking |= FACT_BIT(fact);
		snprintf(proof->findings[fact].why, sizeof(proof->findings[fact].why),
			 "%s has no %s%s%s",
			 core || loader->offsets->source == OFFSETS_BTF ? "the kernel's BTF" :
									  "the row",
			 item->type, *item->member ? "." : "", item->member);
	}
}

/*
 * Attached, but the kernel never calls it: kprobes may be disarmed as a whole, and attach all
 * the same. What was executed for the proof is what it should have been called for.
 */
static bool never_called(struct loader *loader)
{
	uint64_t called = 0;

	if (loader->report->proof.ran || !loader->report->proof.children || read_per_cpu(loader))
		return false;
	for (int cpu = 0; cpu < loader->cpus; cpu++)
		called += loader->per_cpu[cpu].attempted;
	return !called;
}

static enum loader_error reject_hook(struct loader *loader, struct loader_reason *r)
{
	const char *remedy = r->variant->attach == ATTACH_KPROBE ?
				     "see /sys/kernel/debug/kprobes/enabled and "
				     "/proc/sys/kernel/ftrace_enabled" :
				     "this is a bug: please report it";

	return reason_set(r, LOADER_ATTACH_FAILED,
			  "cannot see by %s: attached, but not called for any of %d execs: %s",
			  loader->hook.text, loader->report->proof.children, remedy);
}

/* A row is believed if it is proven; all else unless it is refuted. Without offsets there is nothing below. */
static enum loader_error prove(struct loader *loader, struct loader_reason *r)
{
	struct proof *proof = &loader->report->proof;
	bool row = from_row(loader, r->variant);
	const struct proof_source source = {
		.fd = loader_fd(loader),
		.drain = proof_drain,
		.now_ns = proof_now_ns,
		.monotonic = !loader->object.clock_boot,
		.arg = loader,
		.queue = &loader->queue,
		.from_row = row,
		.long_name = r->variant->attach == ATTACH_TP,
	};
	unsigned fact;

	loader->proving = true;
	proof_run(proof, &source);
	loader->proving = false;
	if (never_called(loader))
		return reject_hook(loader, r);
	if (proof->ran && r->variant->access != ACCESS_NONE)
		name_lacking(loader, r->variant);
	if (r->variant->access == ACCESS_NONE || (!row && !proof->ran))
		return LOADER_OK;
	if (!proof->ran)
		return reject(loader, r, row, "could not be proven", proof->why);
	return proof_fails(proof, row, &fact) ? reject_fact(loader, r, row, fact) : LOADER_OK;
}

/*
 * A kprobe's own rungs: the function behind an exec that has succeeded, which an entry
 * probe does not miss, then execve's return.
 */
static enum loader_error try_once(struct loader *loader, struct loader_reason *r)
{
	enum loader_error error = check_needs(loader, r);
	bool retprobe = r->variant->attach == ATTACH_KPROBE && !post_exec(loader);

	if (error)
		return error;
	error = try_hook(loader, r, retprobe);
	if (error == LOADER_ATTACH_FAILED && r->variant->attach == ATTACH_KPROBE && !retprobe)
		error = try_hook(loader, r, true);
	if (error)
		return error;
	error = prove(loader, r);
	if (error)
		reset(loader);
	return error;
}

/* Offsets that were refuted give way to those of the next source, of which the same variant is the best. */
static enum loader_error try_variant(struct loader *loader, struct loader_reason *r)
{
	enum loader_error error;

	do
		error = try_once(loader, r);
	while (error == LOADER_NO_OFFSETS && r->variant->access == ACCESS_MAP &&
	       !loader->offsets->asked);
	return error;
}

static bool has_offsets(struct loader *loader, enum access access)
{
	struct loader_reason unused;

	if (access == ACCESS_CORE)
		return !loader->offsets->btf_wrong && btf_offsets(loader);
	return !need_offsets(loader, &unused);
}

/* Whether raw tracepoints rank last. A row of offsets is not asked: nothing has proven it yet. */
static bool raw_tp_last(struct loader *loader, enum access access)
{
	struct features *features = &loader->report->features;
	const struct kernel_offsets *btf =
		loader->offsets->btf_wrong ? NULL : btf_offsets(loader);

	if (access != ACCESS_NONE && !has_offsets(loader, access))
		return false; /* and no variant */
	if (btf && btf->task_struct__migration_disabled != OFFSET_ABSENT)
		features->migration_disabled_at = btf->task_struct__migration_disabled;
	return feature_get(features, FEATURE_RAW_TP_PREEMPTED)->answer == FEATURE_YES;
}

static const struct variant *try_access(struct loader *loader, enum access access)
{
	struct loader_report *report = loader->report;
	bool last = report->raw_tp_last[access] = raw_tp_last(loader, access);

	for (size_t rank = 0; rank < VARIANTS_OF_ACCESS; rank++) {
		const struct variant *variant = variant_ranked(access, rank, last);
		struct loader_reason *r = &report->reasons[report->count];

		if (!variant_allowed(variant, &loader->options->force))
			continue;
		*r = (struct loader_reason){.variant = variant};
		if (try_variant(loader, r) == LOADER_OK)
			return variant;
		report->count++;
	}
	return NULL;
}

static enum loader_error try_variants(struct loader *loader)
{
	struct loader_report *report = loader->report;
	const char *forced = loader->options->force.access;

	for (int access = 0; access < ACCESS_COUNT && !report->picked; access++)
		if (!forced || !strcmp(forced, access_names[access]))
			report->picked = try_access(loader, (enum access)access);
	if (report->picked)
		return LOADER_OK;
	return report->count ? report->reasons[0].error : LOADER_FAILED;
}

/* ----------------------------------------------------------------------- open */

static void name_difference(struct loader_comparison *comparison, const struct offset_item *item,
			    uint16_t btf, uint16_t row)
{
	size_t used = strlen(comparison->first);
	char says[2][16];

	snprintf(says[0], sizeof(says[0]), btf == OFFSET_ABSENT ? "none" : "%u", btf);
	snprintf(says[1], sizeof(says[1]), row == OFFSET_ABSENT ? "none" : "%u", row);
	if (comparison->differences++ < 8)
		snprintf(comparison->first + used, sizeof(comparison->first) - used,
			 "%s%s%s%s: BTF %s, row %s", used ? "; " : "", item->type,
			 *item->member ? "." : "", item->member, says[0], says[1]);
}

/* Where the kernel shows BTF and the database has a row, too, the two must say the same. */
static void compare_row(struct loader *loader)
{
	struct loader_comparison *comparison = &loader->report->comparison;
	const char *unseen = comparison->provenance.not_looked_for;
	const struct kernel_offsets *btf;
	struct kernel_offsets row;
	char why[512];

	if (offsets_db_find(database_path(loader), database_keys(loader), &loader->report->identity,
			    &row, &comparison->provenance, why, sizeof(why)))
		return;
	btf = btf_offsets(loader);
	if (!btf)
		return;
	comparison->done = true;
	for (size_t i = 0; i < offset_item_count; i++) {
		uint16_t a = offsets_get(btf, &offset_items[i]);
		uint16_t b = offsets_get(&row, &offset_items[i]);

		/* A row that is older than the list of members says nothing of the new ones. */
		if (b == OFFSET_ABSENT && offsets_named(&offset_items[i], unseen))
			continue;
		if (a != b)
			name_difference(comparison, &offset_items[i], a, b);
	}
}

static void report_picked(struct loader *loader)
{
	struct loader_report *report = loader->report;

	if (report->picked->access == ACCESS_CORE)
		report->offsets_source = OFFSETS_BTF;
	else if (report->picked->access == ACCESS_MAP)
		report->offsets_source = loader->offsets->source;
	report->provenance = loader->offsets->provenance;
	if (report->offsets_source == OFFSETS_URL) {
		memcpy(report->offsets_passed_over, loader->offsets->why, LOADER_TEXT_MAX);
		memcpy(report->offsets_note, loader->offsets->note, LOADER_TEXT_MAX);
	}
	report->parts = wants_parts(loader);
	report->clock_boot = loader->object.clock_boot;
	memcpy(report->hook, loader->hook.text, sizeof(report->hook));
	if (report->offsets_source == OFFSETS_BTF)
		compare_row(loader);
}

static enum loader_error open_loader(struct loader *loader)
{
	struct loader_report *report = loader->report;
	enum loader_error error;

	kernel_identity_read(&report->identity);
	error = check_host(&report->features, &report->reasons[0]);
	if (error) {
		report->count = 1;
		return error;
	}
	raise_memlock();
	if (feature_get(&report->features, FEATURE_TRACEFS)->answer == FEATURE_YES)
		hook_remove_stale(report->features.tracefs);
	error = try_variants(loader);
	if (!error)
		report_picked(loader);
	return error;
}

enum loader_error loader_open(const struct loader_options *options, struct loader **loader_out,
			      struct loader_report *report)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	struct offsets_state *offsets = calloc(1, sizeof(*offsets));
	enum loader_error error = LOADER_FAILED;

	memset(report, 0, sizeof(*report));
	reason_listen_end(); /* libbpf prints nothing by itself */
	if (!loader || !offsets)
		goto out;
	loader->options = options;
	loader->report = report;
	loader->offsets = offsets;
	loader->fn = options->fn;
	loader->arg = options->arg;
	hook_init(&loader->hook);
	loader->cpus = count_cpus();
	loader->per_cpu = calloc((size_t)loader->cpus, sizeof(*loader->per_cpu));
	loader->no_buffer = calloc((size_t)loader->cpus, sizeof(*loader->no_buffer));
	if (loader->per_cpu && loader->no_buffer)
		error = open_loader(loader);
	loader->options = NULL;
	loader->report = NULL;
	loader->offsets = NULL;
out:
	free(offsets);
	if (error)
		loader_close(loader);
	else
		*loader_out = loader;
	return error;
}

void loader_detach(struct loader *loader)
{
	loader->hook_missed += hook_missed(&loader->hook);
	hook_detach(&loader->hook);
}

void loader_close(struct loader *loader)
{
	if (!loader)
		return;
	reset(loader);
	free(loader->per_cpu);
	free(loader->no_buffer);
	free(loader);
}

/* -------------------------------------------------------------------- reading */

int loader_fd(const struct loader *loader)
{
	return loader->ring ? ring_buffer__epoll_fd(loader->ring) : perf_reader_fd(loader->perf);
}

/* A CPU that lost records for want of a buffer has come online. */
static void check_cpus(struct loader *loader, int64_t now)
{
	if (now - loader->checked_ns < CHECK_NS)
		return;
	loader->checked_ns = now;
	if (read_per_cpu(loader))
		return;
	for (int cpu = 0; cpu < loader->cpus; cpu++) {
		uint64_t lost = loader->per_cpu[cpu].lost[LOSS_NO_BUFFER];

		if (lost != loader->no_buffer[cpu])
			perf_reader_refresh(loader->perf, cpu);
		loader->no_buffer[cpu] = lost;
	}
}

static void hand_over_queued(struct loader *loader)
{
	struct queued_record *record;

	while ((record = record_queue_pop(&loader->queue))) {
		loader->fn(loader->arg, record->bytes, record->size);
		free(record);
	}
}

int loader_drain(struct loader *loader, bool all)
{
	int64_t now;
	int n;

	if (!loader->proving)
		hand_over_queued(loader);
	if (loader->perf) {
		now = now_ns(loader);
		check_cpus(loader, now);
		return perf_reader_drain(loader->perf,
					 all ? UINT64_MAX : (uint64_t)(now - WINDOW_NS));
	}
	loader->drained = 0;
	n = ring_buffer__consume(loader->ring);
	if (n == -EAGAIN)
		return LOADER_MORE;
	return n < 0 ? n : LOADER_EMPTY;
}

/*
 * Execs at which the kernel found a program already running on the CPU and did not run
 * this one. Told since 5.12, for tracepoints (not raw ones) since about 6.7; before, 0.
 */
static uint64_t recursion_misses(const struct loader *loader)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(loader->object.entry, &info, &size))
		return 0;
	return info.recursion_misses;
}

/*
 * Before 5.1 (56201969114a) bpf_perf_event_output returned 0 whatever happened: there the
 * gaps that the reader has seen in a CPU's sequence tell what was lost.
 */
static uint64_t lost_on(const struct loader *loader, int cpu)
{
	uint64_t lost = 0, gaps = loader->perf ? perf_reader_gaps(loader->perf, cpu) : 0;

	for (int i = 0; i < LOSS_COUNT; i++)
		lost += loader->per_cpu[cpu].lost[i];
	return lost > gaps ? lost : gaps;
}

int loader_counters(struct loader *loader, struct counters *counters, bool ended)
{
	int err = read_per_cpu(loader);
	uint64_t known;

	if (err)
		return err;
	counters->attempted = counters->lost_kernel = 0;
	for (int cpu = 0; cpu < loader->cpus; cpu++) {
		counters->attempted += loader->per_cpu[cpu].attempted;
		counters->lost_kernel += lost_on(loader, cpu);
	}
	counters->lost_kernel += loader->queue.refused;
	counters->hook_missed =
		recursion_misses(loader) + loader->hook_missed + hook_missed(&loader->hook);
	known = counters->received + counters->lost_kernel;
	/* More than was attempted only if somebody else writes to the buffer. */
	counters->pending_kernel = counters->attempted > known ? counters->attempted - known : 0;
	if (ended && loader->perf) {
		counters->lost_kernel += counters->pending_kernel;
		counters->pending_kernel = 0;
	}
	return 0;
}
