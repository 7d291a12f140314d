/* SPDX-License-Identifier: Apache-2.0 */
/* The ways through a program, as the verifier's first look at it (check_cfg) finds them. */
#ifndef CORMORANT_GATE_FLOW_H
#define CORMORANT_GATE_FLOW_H

#include <stddef.h>

#include <linux/bpf.h>

struct flow {
	/*
	 * What can be reached, each instruction behind all that lead to it but for jumps
	 * that close a circle. Owned.
	 */
	size_t *order;
	size_t count;
	/*
	 * Jumps that close a circle, and the first one found. A jump to a lower address is
	 * not always one: clang lets branches share their ends, in either direction.
	 */
	size_t loops;
	size_t loop_from, loop_to;
};

/* Ends the program if there is no memory. */
void flow_read(struct flow *flow, const struct bpf_insn *insns, size_t count);
void flow_free(struct flow *flow);

/*
 * Where the program can go from instruction i: next[0] straight on, next[1] by a jump,
 * (size_t)-1 if not there.
 */
void flow_next(const struct bpf_insn *insns, size_t count, size_t i, size_t next[2]);

/*
 * Bytes of stack the program may touch: the lowest offset from R10 in loads, stores and
 * address arithmetic. Addresses are followed through registers, not through memory; what
 * a loop adds to one in its second round is not seen.
 */
unsigned flow_stack(const struct bpf_insn *insns, size_t count);

#endif
