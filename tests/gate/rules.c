// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <stdarg.h>
#include <stdbool.h>

#include <linux/bpf.h>

#include "flow.h"
#include "insn.h"
#include "object.h"

enum {
	/* BPF_MAXINSNS, below 5.2, is 4,096; 4.4.155 takes one less, 4.14.67 all of them. */
	INSNS_MAX = 4095,
	/* MAX_BPF_STACK, on every kernel. */
	STACK_MAX = 512,
	/* Helpers 1 to 16 are in every kernel that attaches a kprobe program, 4.4 too. */
	HELPER_FLOOR = BPF_FUNC_get_current_comm,
};

/*
 * Newer helpers that programs for old kernels may call all the same: the loader or
 * libbpf writes something else in their place where the kernel has none, or leaves the
 * program out. One that is added here needs its stand-in there.
 */
static const int helpers_allowed[] = {
	BPF_FUNC_perf_event_output,	/* 4.4 */
	BPF_FUNC_get_current_task,	/* 4.8 */
	BPF_FUNC_probe_read_str,	/* 4.11 */
	BPF_FUNC_get_current_cgroup_id, /* 4.18 */
	BPF_FUNC_probe_read_user,	/* 5.5; libbpf makes it probe_read */
	BPF_FUNC_probe_read_kernel,	/* the same */
	BPF_FUNC_probe_read_user_str,	/* 5.5; libbpf makes it probe_read_str */
	BPF_FUNC_probe_read_kernel_str, /* the same */
	BPF_FUNC_ktime_get_boot_ns,	/* 5.8 */
	BPF_FUNC_ringbuf_output,	/* 5.8; the program is not loaded without the map */
};

static const char *const helper_names[] = {
#define HELPER_NAME(name) [BPF_FUNC_##name] = #name
	__BPF_FUNC_MAPPER(HELPER_NAME)
#undef HELPER_NAME
};

const char *helper_name(int id)
{
	if (id < 0 || (size_t)id >= sizeof(helper_names) / sizeof(helper_names[0]))
		return "unknown";
	return helper_names[id];
}

static bool helper_allowed(int id)
{
	if (id > 0 && id <= HELPER_FLOOR)
		return true;
	for (size_t i = 0; i < sizeof(helpers_allowed) / sizeof(helpers_allowed[0]); i++)
		if (helpers_allowed[i] == id)
			return true;
	return false;
}

/* ------------------------------------------------------------- what breaks a rule */

/* How often a rule is broken, and in words the first time. */
struct fault {
	size_t count;
	char text[256];
};

static void fault_add(struct fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fault_add(struct fault *fault, const char *format, ...)
{
	va_list args;

	if (fault->count++)
		return;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
}

static void find_too_many_insns(const struct program *program, struct fault *fault)
{
	if (program->insn_count > INSNS_MAX)
		fault_add(fault, "%zu instructions, more than %d", program->insn_count, INSNS_MAX);
}

static void find_too_much_stack(const struct program *program, struct fault *fault)
{
	unsigned bytes = flow_stack(program->insns, program->insn_count);

	if (bytes > STACK_MAX)
		fault_add(fault, "%u bytes of stack, more than %d", bytes, STACK_MAX);
}

static void find_references(const struct program *program, enum reference_kind kind,
			    const char *what, struct fault *fault)
{
	for (size_t i = 0; i < program->reference_count; i++) {
		const struct reference *reference = &program->references[i];

		/* Calls are found as instructions: those within a section have no relocation. */
		if (reference->kind == kind &&
		    !insn_is_function_call(&program->insns[reference->insn]))
			fault_add(fault, "refers to %s %s at instruction %zu", what,
				  reference->name, reference->insn);
	}
}

static void find_data(const struct program *program, struct fault *fault)
{
	find_references(program, REFERENCE_DATA, "global data,", fault);
}

static void find_externs(const struct program *program, struct fault *fault)
{
	find_references(program, REFERENCE_EXTERN, "the extern", fault);
}

static void find_core_relocations(const struct program *program, struct fault *fault)
{
	find_references(program, REFERENCE_TYPE, "the kernel's type", fault);
}

static void find_calls(const struct program *program, struct fault *fault)
{
	const struct bpf_insn *insns = program->insns;

	for (size_t i = 0; i < program->insn_count; i++)
		if (insn_is_function_call(&insns[i]))
			fault_add(fault, "calls a function at instruction %zu", i);
	find_references(program, REFERENCE_FUNCTION, "the function", fault);
}

static void find_loops(const struct program *program, struct fault *fault)
{
	struct flow flow;

	flow_read(&flow, program->insns, program->insn_count);
	if (flow.loops)
		fault_add(fault, "loops from instruction %zu back to %zu", flow.loop_from,
			  flow.loop_to);
	fault->count = flow.loops;
	flow_free(&flow);
}

static void find_newer_insns(const struct program *program, struct fault *fault)
{
	const struct bpf_insn *insns = program->insns;
	const char *what;

	for (size_t i = 0; i < program->insn_count; i++) {
		what = insn_beyond_v1(&insns[i]);
		if (what)
			fault_add(fault, "%s at instruction %zu", what, i);
	}
}

static void find_newer_helpers(const struct program *program, struct fault *fault)
{
	const struct bpf_insn *insns = program->insns;

	for (size_t i = 0; i < program->insn_count; i++)
		if (insn_is_helper_call(&insns[i]) && !helper_allowed(insns[i].imm))
			fault_add(fault, "calls helper %d, bpf_%s, at instruction %zu",
				  insns[i].imm, helper_name(insns[i].imm), i);
}

/* ---------------------------------------------------------------------- the rules */

struct rule {
	void (*find)(const struct program *program, struct fault *fault);
	bool core_too;
	const char *why;
	const char *advice;
};

static const struct rule rules[] = {
	{find_too_many_insns, false, "kernels below 5.2 load no more",
	 "move a part of it to a stage of its own, behind a tail call"},
	{find_too_much_stack, true, "no verifier allows more",
	 "keep the data in a map's value, or split the program"},
	{find_data, false,
	 "global data is a map that kernels below 5.2 can't have, and the load fails",
	 "make it a constant in the code (no array, no string literal), or keep it in a map"},
	{find_externs, false, "libbpf has to find it on every host, or the whole ELF does not load",
	 "let the loader write what is to be known into the map of settings"},
	{find_core_relocations, false,
	 "kernels without BTF have no answer to a CO-RE relocation, and refuse what libbpf leaves "
	 "in its place",
	 "make what chooses the access a constant that clang can see (nothing in memory that a "
	 "helper is given the address of), or name the program ..._core"},
	{find_calls, false, "kernels below 4.16 have no BPF-to-BPF calls",
	 "make the function static __always_inline"},
	{find_loops, false, "verifiers below 5.3 refuse a loop, even one that ends",
	 "unroll the loop, or make each round a tail call"},
	{find_newer_insns, true, "4.4 knows nothing beyond ISA v1",
	 "compile with -mcpu=v1, and look for inline assembly and __sync_ builtins"},
	{find_newer_helpers, false,
	 "4.4 has helpers 1 to 16, and the loader has no stand-in for it",
	 "leave it to a program named ..._core, or give the loader a stand-in and list the "
	 "helper in tests/gate/rules.c"},
};

size_t rules_check(const struct program *program, FILE *out)
{
	size_t broken = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];
		struct fault fault = {0};

		if (program->core && !rule->core_too)
			continue;
		rule->find(program, &fault);
		if (!fault.count)
			continue;
		broken++;
		fprintf(out, "gate: %s: %s", program->name, fault.text);
		if (fault.count > 1)
			fprintf(out, " and %zu more", fault.count - 1);
		fprintf(out, ": %s: %s\n", rule->why, rule->advice);
	}
	return broken;
}
