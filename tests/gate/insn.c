// SPDX-License-Identifier: Apache-2.0
#include "insn.h"

#include <stdint.h>
#include <stdlib.h>

/* Later than some build machine's <linux/bpf.h>. */
enum { MODE_MEMSX = 0x80, OP_JCOND = 0xe0, SOURCE_KFUNC = 2 };

size_t insn_slots(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1;
}

static bool is_jump_class(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32;
}

bool insn_is_jump(const struct bpf_insn *insn)
{
	return is_jump_class(insn) && BPF_OP(insn->code) != BPF_CALL &&
	       BPF_OP(insn->code) != BPF_EXIT;
}

bool insn_is_helper_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0;
}

bool insn_is_function_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) &&
	       (insn->src_reg == BPF_PSEUDO_CALL || insn->src_reg == SOURCE_KFUNC);
}

/* ------------------------------------------------------------------------ ISA */

static const char *alu_beyond_v1(const struct bpf_insn *insn)
{
	unsigned op = BPF_OP(insn->code);
	bool wide = BPF_CLASS(insn->code) == BPF_ALU64;

	/* The field was reserved before v4, and had to be 0. */
	if (insn->off)
		return op == BPF_MOV ? "a sign-extending move or address cast (v4)" :
				       "a signed division or modulo (v4)";
	if (op == BPF_END && wide)
		return "an unconditional byte swap (v4)";
	/* 4.4 has the others, though clang emits no 32-bit arithmetic for v1; this came with 5.0. */
	if (op == BPF_ARSH && !wide)
		return "a 32-bit arithmetic shift right (5.0)";
	return op > BPF_END ? "an unknown arithmetic instruction" : NULL;
}

static const char *jump_beyond_v1(const struct bpf_insn *insn)
{
	unsigned op = BPF_OP(insn->code);

	if (BPF_CLASS(insn->code) == BPF_JMP32)
		return op == BPF_JA ? "a jump of 32 bits' reach (v4)" :
				      "a 32-bit compare and jump (v3)";
	if (op == OP_JCOND)
		return "may_goto (v4)";
	if (op > BPF_EXIT)
		return "a jump if less or less or equal (v2)";
	if (BPF_SRC(insn->code) && (op == BPF_JA || op == BPF_CALL))
		return "a jump or call to where a register says";
	return NULL;
}

static const char *memory_beyond_v1(const struct bpf_insn *insn)
{
	unsigned mode = BPF_MODE(insn->code), class = BPF_CLASS(insn->code);

	if (mode == BPF_MEM)
		return NULL;
	if (class == BPF_LDX && mode == MODE_MEMSX)
		return "a sign-extending load (v4)";
	if (class != BPF_STX || mode != BPF_ATOMIC)
		return "an unknown load or store";
	/* An add that nobody asks the old value of; bytes and half words came with v4. */
	if (insn->imm == BPF_ADD &&
	    (BPF_SIZE(insn->code) == BPF_W || BPF_SIZE(insn->code) == BPF_DW))
		return NULL;
	return "an atomic operation other than add (v3)";
}

const char *insn_beyond_v1(const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: return alu_beyond_v1(insn);
	case BPF_JMP:
	case BPF_JMP32: return jump_beyond_v1(insn);
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: return memory_beyond_v1(insn);
	}
	return NULL;
}

/* ---------------------------------------------------------------------- stack */

/* What four bits can name: an ELF may hold anything. */
enum { REGISTERS = 16 };

/* For each register the offset from R10 it holds, or that it holds no such address. */
struct frame {
	int64_t at[REGISTERS];
};

#define NO_ADDRESS INT64_MAX

static struct frame frame_unknown(void)
{
	struct frame frame;

	for (int i = 0; i < REGISTERS; i++)
		frame.at[i] = NO_ADDRESS;
	frame.at[BPF_REG_10] = 0;
	return frame;
}

/* Where two ways meet, the lower address counts. */
static void frame_merge(struct frame *frame, const struct frame *other)
{
	for (int i = 0; i < REGISTERS; i++)
		if (other->at[i] < frame->at[i])
			frame->at[i] = other->at[i];
}

static void frame_alu(struct frame *frame, const struct bpf_insn *insn)
{
	int64_t *dst = &frame->at[insn->dst_reg];

	switch (insn->code) {
	case BPF_ALU64 | BPF_MOV | BPF_X: *dst = frame->at[insn->src_reg]; break;
	case BPF_ALU64 | BPF_ADD | BPF_K: *dst += *dst == NO_ADDRESS ? 0 : insn->imm; break;
	case BPF_ALU64 | BPF_SUB | BPF_K: *dst -= *dst == NO_ADDRESS ? 0 : insn->imm; break;
	default: *dst = NO_ADDRESS;
	}
}

/* What the instruction does to the registers. Returns the stack address it deals with. */
static int64_t frame_step(struct frame *frame, const struct bpf_insn *insn)
{
	int64_t base = NO_ADDRESS;

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: frame_alu(frame, insn); return frame->at[insn->dst_reg];
	case BPF_LD:
		if (insn_slots(insn) == 2)
			frame->at[insn->dst_reg] = NO_ADDRESS;
		return NO_ADDRESS;
	case BPF_LDX:
		base = frame->at[insn->src_reg];
		frame->at[insn->dst_reg] = NO_ADDRESS;
		break;
	case BPF_ST:
	case BPF_STX: base = frame->at[insn->dst_reg]; break;
	default:
		if (insn->code == (BPF_JMP | BPF_CALL))
			for (int i = BPF_REG_0; i <= BPF_REG_5; i++)
				frame->at[i] = NO_ADDRESS;
	}
	return base == NO_ADDRESS ? base : base + insn->off;
}

static bool falls_through(const struct bpf_insn *insn)
{
	return !is_jump_class(insn) ||
	       (BPF_OP(insn->code) != BPF_JA && BPF_OP(insn->code) != BPF_EXIT);
}

unsigned insns_stack(const struct bpf_insn *insns, size_t count)
{
	struct frame *frames = calloc(count + 1, sizeof(*frames));
	int64_t lowest = 0;

	if (!frames)
		abort();
	for (size_t i = 0; i < count; i++)
		frames[i] = frame_unknown();
	for (size_t i = 0; i < count; i++) {
		struct frame frame = frames[i];
		size_t target = i + 1 + (size_t)insns[i].off;
		int64_t at = frame_step(&frame, &insns[i]);

		if (at < lowest)
			lowest = at;
		if (falls_through(&insns[i]) && i + 1 < count)
			frame_merge(&frames[i + 1], &frame);
		if (insn_is_jump(&insns[i]) && target < count)
			frame_merge(&frames[target], &frame);
	}
	free(frames);
	return (unsigned)-lowest;
}
