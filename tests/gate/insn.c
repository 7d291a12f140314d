// SPDX-License-Identifier: Apache-2.0
#include "insn.h"

#include <stddef.h>

/* Later than some build machine's <linux/bpf.h>. */
enum { MODE_MEMSX = 0x80, OP_JCOND = 0xe0, SOURCE_KFUNC = 2 };

static bool is_jump_class(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32;
}

bool insn_is_jump(const struct bpf_insn *insn)
{
	return is_jump_class(insn) && BPF_OP(insn->code) != BPF_CALL &&
	       BPF_OP(insn->code) != BPF_EXIT;
}

bool insn_ends_way(const struct bpf_insn *insn)
{
	return is_jump_class(insn) &&
	       (BPF_OP(insn->code) == BPF_JA || BPF_OP(insn->code) == BPF_EXIT);
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
