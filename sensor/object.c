// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "exec.skel.h"

static enum bpf_prog_type type_of(const struct variant *variant)
{
	static const enum bpf_prog_type types[ATTACH_COUNT] = {
		[ATTACH_RAW_TP] = BPF_PROG_TYPE_RAW_TRACEPOINT,
		[ATTACH_TP] = BPF_PROG_TYPE_TRACEPOINT,
		[ATTACH_KPROBE] = BPF_PROG_TYPE_KPROBE,
	};

	return types[variant->attach];
}

static bool lacks(struct features *features, enum feature_id id)
{
	return feature_get(features, id)->answer == FEATURE_NO;
}

/* -------------------------------------------------------------------- the ELF */

/*
 * libbpf wants the kernel's types as soon as an ELF has CO-RE relocations, even if the
 * programs that have them are not loaded. For the other variants the section that holds
 * them gets a name that libbpf does not know.
 */
static int hide_relocations(char *elf, size_t size)
{
	static const char name[] = ".BTF.ext";
	char *at = memmem(elf, size, name, sizeof(name));

	if (!at)
		return -EINVAL;
	at[1] = 'x';
	return 0;
}

/*
 * Naming the file of the kernel's types keeps libbpf from listing the modules' types, too,
 * which takes CAP_SYS_ADMIN. The copy of the ELF stays: the object points into it.
 */
static int open_elf(struct object *object, const struct variant *variant)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "exec_bpf");
	const void *elf;
	size_t size;
	int err = 0;

	elf = exec_bpf__elf_bytes(&size);
	object->elf = malloc(size);
	if (!object->elf)
		return -ENOMEM;
	memcpy(object->elf, elf, size);
	if (variant->access == ACCESS_CORE)
		options.btf_custom_path = "/sys/kernel/btf/vmlinux";
	else
		err = hide_relocations(object->elf, size);
	if (err)
		return err;
	object->bpf = bpf_object__open_mem(object->elf, size, &options);
	return object->bpf ? 0 : -errno;
}

static struct bpf_program *program_of(const struct object *object, const char *name)
{
	return bpf_object__find_program_by_name(object->bpf, name);
}

static struct bpf_map *map_of(const struct object *object, const char *name)
{
	return bpf_object__find_map_by_name(object->bpf, name);
}

/* ------------------------------------------------------------------- programs */

/*
 * Helpers that a kernel may lack, and what stands in their place there: one of the same
 * kind, or the number 0, which the programs take for "not known". (probe_read_kernel and
 * its kin libbpf replaces itself.)
 */
static const struct stand_in {
	enum bpf_func_id helper;
	enum feature_id feature;
	struct bpf_insn insn;
} stand_ins[] = {
	{BPF_FUNC_ktime_get_boot_ns,
	 FEATURE_HELPER_BOOT_NS,
	 {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns}},
	{BPF_FUNC_get_current_cgroup_id, FEATURE_HELPER_CGROUP_ID, {.code = BPF_ALU64 | BPF_MOV}},
	{BPF_FUNC_get_current_task, FEATURE_HELPER_TASK, {.code = BPF_ALU64 | BPF_MOV}},
};

static bool calls(const struct bpf_insn *insn, enum bpf_func_id helper)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == (__s32)helper;
}

static void replace_helpers(struct bpf_insn *insns, size_t count, struct features *features)
{
	for (size_t h = 0; h < sizeof(stand_ins) / sizeof(stand_ins[0]); h++)
		for (size_t i = 0; i < count; i++)
			if (calls(&insns[i], stand_ins[h].helper) &&
			    lacks(features, stand_ins[h].feature))
				insns[i] = stand_ins[h].insn;
}

#ifdef CORMORANT_FAULTS
/* For tests: the verifier refuses the variant that the environment names. */
static void spoil(struct bpf_insn *insns, const struct variant *variant)
{
	const char *name = getenv("CORMORANT_FAULT_VERIFIER");

	if (name && !strcmp(name, variant->name))
		insns[0] = (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = 0x7ffffff};
}
#else
static void spoil(struct bpf_insn *insns, const struct variant *variant)
{
	(void)insns;
	(void)variant;
}
#endif

/* Turns a program on, as the type of the hook. */
static int choose_program(struct object *object, const struct object_plan *plan, const char *name)
{
	struct bpf_program *program = program_of(object, name);
	size_t count = program ? bpf_program__insn_cnt(program) : 0;
	struct bpf_insn *insns;
	int err;

	if (!program)
		return -ENOENT;
	insns = malloc(count * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	replace_helpers(insns, count, plan->features);
	spoil(insns, plan->variant);
	err = bpf_program__set_insns(program, insns, count);
	free(insns);
	if (!err)
		err = bpf_program__set_type(program, type_of(plan->variant));
	if (!err)
		err = bpf_program__set_autoload(program, true);
	return err;
}

static int choose_programs(struct object *object, const struct object_plan *plan,
			   const struct variant_programs *programs)
{
	struct bpf_program *program;
	int err;

	bpf_object__for_each_program (program, object->bpf)
		bpf_program__set_autoload(program, false);
	err = choose_program(object, plan, programs->entry);
	for (int i = 0; !err && i < STAGE_COUNT; i++) {
		const char *name = programs->stages[i];

		/* One program can stand at two stages. */
		if (name && !bpf_program__autoload(
				    program_of(object, name)))
			err = choose_program(object, plan, name);
	}
	return err;
}

/* ----------------------------------------------------------------------- maps */

static int choose_maps(struct object *object, const struct object_plan *plan)
{
	bool ring = plan->variant->transport == TRANSPORT_RINGBUF;
	__u32 cpus = (__u32)plan->cpus;
	int err = bpf_map__set_autocreate(map_of(object, "ring"), ring);

	if (!err)
		err = bpf_map__set_autocreate(map_of(object, "events"), !ring);
	if (!err && ring)
		err = bpf_map__set_max_entries(map_of(object, "ring"), (__u32)plan->ring_bytes);
	if (!err && !ring)
		err = bpf_map__set_max_entries(map_of(object, "events"), cpus);
	if (!err)
		err = bpf_map__set_max_entries(map_of(object, "counters"), cpus);
	if (!err)
		err = bpf_map__set_max_entries(map_of(object, "scratch"), cpus);
	return err;
}

static int fill_settings(const struct object *object, const struct object_plan *plan)
{
	struct probe_settings settings = {.tp_filename_at = plan->tp_filename_at};
	__u32 zero = 0;

	if (!object->clock_boot)
		settings.flags |= EXEC_CLOCK_MONOTONIC;
	if (plan->offsets)
		settings.offsets = *plan->offsets;
	else
		offsets_clear(&settings.offsets);
	return bpf_map_update_elem(bpf_map__fd(map_of(object, "settings")), &zero, &settings,
				   BPF_ANY) ?
		       -errno :
		       0;
}

static int fill_stages(const struct object *object, const struct variant_programs *programs)
{
	int map = bpf_map__fd(map_of(object, "stages")), fd;

	for (__u32 i = 0; i < STAGE_COUNT; i++) {
		if (!programs->stages[i])
			continue;
		fd = bpf_program__fd(program_of(object, programs->stages[i]));
		if (bpf_map_update_elem(map, &i, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* ----------------------------------------------------------------------- whole */

int object_load(struct object *object, const struct object_plan *plan)
{
	struct variant_programs programs;
	int err;

	*object = (struct object){0};
	variant_programs(plan->variant, plan->parts, plan->retprobe, &programs);
	object->clock_boot = !lacks(plan->features, FEATURE_HELPER_BOOT_NS);
	err = open_elf(object, plan->variant);
	if (!err)
		err = choose_programs(object, plan, &programs);
	if (!err)
		err = choose_maps(object, plan);
	if (!err)
		err = bpf_object__load(object->bpf);
	if (!err)
		err = fill_settings(object, plan);
	if (!err)
		err = fill_stages(object, &programs);
	if (err)
		return err;
	object->entry = bpf_program__fd(program_of(object, programs.entry));
	object->counters = bpf_map__fd(map_of(object, "counters"));
	object->buffer = bpf_map__fd(plan->variant->transport == TRANSPORT_RINGBUF ?
					     map_of(object, "ring") :
					     map_of(object, "events"));
	return 0;
}

void object_close(struct object *object)
{
	bpf_object__close(object->bpf);
	free(object->elf);
	*object = (struct object){0};
}
