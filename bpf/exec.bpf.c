// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs: entries, named entry_ATTACH, take their hook's arguments apart; stages,
 * named STAGE_PARAMETER, make the record (exec.h) and hand it over (output.h). A variant
 * is one entry and the stages it goes through; sensor/variant.c says which, the loader
 * loads those and no others, all as the program type of the entry.
 *
 * All of it is ISA v1 and has neither global data, BPF-to-BPF calls nor loops: what may
 * run on 4.4 has no choice, and one shape serves the others as well. tests/gate checks it.
 */
#include "exec.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* -------------------------------------------------------------------- entries */

/* TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) */
SEC("raw_tracepoint/sched_process_exec")
int entry_raw_tp(struct bpf_raw_tracepoint_args *ctx)
{
	struct hook hook = {
		.task = ctx->args[0],
		.bprm = ctx->args[2],
		.kernel_stack = (__u64)ctx,
	};

	return exec_begin(ctx, &hook);
}

/* __data_loc: the low half is the string's offset from the start of the context. */
SEC("tracepoint/sched/sched_process_exec")
int entry_tp(void *ctx)
{
	const struct probe_settings *set = settings_get();
	struct hook hook = {.task = bpf_get_current_task()};
	__u64 loc = 0;

	if (set && !bpf_probe_read_kernel(&loc, 4, ctx + (set->tp_filename_at & 0xff)))
		hook.filename = (__u64)(ctx + (loc & 0xffff));
	return exec_begin(ctx, &hook);
}

/* void proc_exec_connector(struct task_struct *task), called once an exec has succeeded. */
SEC("kprobe/proc_exec_connector")
int entry_kprobe(struct pt_regs *ctx)
{
	struct hook hook = {
		.task = PT_REGS_PARM1(ctx),
		.kernel_stack = PT_REGS_SP(ctx),
	};

	return exec_begin(ctx, &hook);
}

/* execve and execveat at their return: 0 is an exec. */
SEC("kretprobe/execve")
int entry_kretprobe(struct pt_regs *ctx)
{
	struct hook hook = {
		.task = bpf_get_current_task(),
		.kernel_stack = PT_REGS_SP(ctx),
	};

	return PT_REGS_RC(ctx) ? 0 : exec_begin(ctx, &hook);
}

/* --------------------------------------------------------------------- stages */

/* What a stage begins with: look-ups that the entry has made too, with the same keys, and that can't fail now. */
static __always_inline struct scratch *stage_begin(struct run *run)
{
	const struct probe_settings *set = NULL;

	if (run->access == ACCESS_MAP) {
		set = settings_get();
		if (!set)
			return NULL;
		run->offsets = &set->offsets;
	}
	return scratch_get();
}

static __always_inline int stage_facts(void *ctx, enum access access)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = access, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	if (access == ACCESS_NONE)
		read_facts_none(&s->record.facts);
	else
		read_facts(&run, s);
	return next(ctx, STAGE_ARGS);
}

static __always_inline int stage_args(void *ctx, enum access access)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = access, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	find_args(&run, s);
	return next(ctx, STAGE_STRINGS);
}

static __always_inline int stage_args_none(void *ctx, __u64 kernel_stack)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = ACCESS_NONE, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	find_args_on_stack(&run, s, kernel_stack ? kernel_stack : s->kernel_stack);
	return next(ctx, args_known(s) ? STAGE_STRINGS : STAGE_ENV);
}

static __always_inline int stage_path(void *ctx, enum access access)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = access, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	path_run(&run, s);
	return next(ctx, walks_done(s) ? STAGE_CGROUP : STAGE_PATH);
}

static __always_inline int stage_cgroup(void *ctx, enum access access)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = access, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	cgroup_run(&run, s);
	return next(ctx, walks_done(s) ? STAGE_OUTPUT : STAGE_CGROUP);
}

/* Loaded as the type of the entry; the section only gives a type to start from. */
#define STAGE(name, call)                                                                          \
	SEC("kprobe")                                                                              \
	int name(void *ctx)                                                                        \
	{                                                                                          \
		return call;                                                                       \
	}

STAGE(facts_core, stage_facts(ctx, ACCESS_CORE))
STAGE(facts_map, stage_facts(ctx, ACCESS_MAP))
STAGE(facts_none, stage_facts(ctx, ACCESS_NONE))
STAGE(args_core, stage_args(ctx, ACCESS_CORE))
STAGE(args_map, stage_args(ctx, ACCESS_MAP))
STAGE(args_none, stage_args_none(ctx, 0))

/*
 * A tracepoint's context does not lie on the kernel stack, but begins with a pointer to
 * registers of the kernel, its stack pointer among them (perf_fetch_caller_regs).
 */
SEC("kprobe")
int args_none_tp(void *ctx)
{
	__u64 regs = 0, sp = 0;

	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	bpf_probe_read_kernel(&sp, sizeof(sp), (void *)(regs + REGS_SP));
	return stage_args_none(ctx, sp);
}

SEC("kprobe")
int env_none(void *ctx)
{
	__u64 text[TEXT_WORDS] = {};
	struct run run = {.access = ACCESS_NONE, .text = text};
	struct scratch *s = stage_begin(&run);

	if (!s)
		return 0;
	return next(ctx, env_run(&run, s) ? STAGE_STRINGS : STAGE_ENV);
}

/* Without offsets there is nothing to walk: the loader puts the output in the place of the paths. */
SEC("kprobe")
int strings(void *ctx)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	append_argv(s);
	append_filename(s);
	return next(ctx, STAGE_PATH);
}

STAGE(path_core, stage_path(ctx, ACCESS_CORE))
STAGE(path_map, stage_path(ctx, ACCESS_MAP))
STAGE(cgroup_core, stage_cgroup(ctx, ACCESS_CORE))
STAGE(cgroup_map, stage_cgroup(ctx, ACCESS_MAP))
STAGE(ringbuf, output_ringbuf(ctx))
STAGE(perfbuf, output_perfbuf(ctx))
STAGE(parts_facts, output_parts_facts(ctx))
STAGE(parts_argv, output_parts_argv(ctx))
STAGE(parts_rest, output_parts_rest(ctx))
STAGE(parts_name, output_parts_name(ctx))
