/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What BPF instructions are and do, as far as the rules of rules.c ask. The second slot
 * of a 64-bit constant, of code 0, passes for an instruction that does nothing.
 */
#ifndef CORMORANT_GATE_INSN_H
#define CORMORANT_GATE_INSN_H

#include <stdbool.h>

#include <linux/bpf.h>

/* A jump, conditional or not, that stays in the program: its target is i + 1 + off. */
bool insn_is_jump(const struct bpf_insn *insn);
/* Nothing goes on behind it: a jump without condition, or the program's end. */
bool insn_ends_way(const struct bpf_insn *insn);
/* A call of a helper: its id is imm. */
bool insn_is_helper_call(const struct bpf_insn *insn);
/* A call of another BPF function, or of a kernel function. */
bool insn_is_function_call(const struct bpf_insn *insn);
/* What the instruction set of 4.4 lacks of this instruction, NULL if nothing. */
const char *insn_beyond_v1(const struct bpf_insn *insn);

#endif
