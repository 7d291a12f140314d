// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "insn.h"

#define NOWHERE ((size_t)-1)

void flow_next(const struct bpf_insn *insns, size_t count, size_t i, size_t next[2])
{
	const struct bpf_insn *insn = &insns[i];
	size_t target = i + 1 + (size_t)insn->off;

	next[0] = insn_ends_way(insn) ? NOWHERE : i + 1;
	next[1] = insn_is_jump(insn) ? target : NOWHERE;
	for (int way = 0; way < 2; way++)
		if (next[way] >= count)
			next[way] = NOWHERE;
}

/* Depth first: a step to what is still on the way here closes a circle. */
enum visit { UNSEEN, ON_THE_WAY, DONE };

struct walk {
	const struct bpf_insn *insns;
	size_t count;
	uint8_t *visits; /* enum visit */
	size_t *way;	 /* from the first instruction to where we are */
	size_t length;
};

/* The next instruction not seen yet from the end of the way, NOWHERE if there is none. */
static size_t walk_next(const struct walk *walk, size_t from)
{
	size_t next[2];

	flow_next(walk->insns, walk->count, from, next);
	for (int way = 0; way < 2; way++)
		if (next[way] != NOWHERE && walk->visits[next[way]] == UNSEEN)
			return next[way];
	return NOWHERE;
}

/* All of the instruction's ways have been gone: those that led back to the way were circles. */
static void walk_finish(const struct walk *walk, size_t from, struct flow *flow)
{
	size_t next[2];

	flow_next(walk->insns, walk->count, from, next);
	for (int way = 0; way < 2; way++) {
		if (next[way] == NOWHERE || walk->visits[next[way]] != ON_THE_WAY)
			continue;
		flow->loop_from = from;
		flow->loop_to = next[way];
		flow->loops++;
	}
	walk->visits[from] = DONE;
	flow->order[flow->count++] = from;
}

static void walk_all(struct walk *walk, struct flow *flow)
{
	size_t from, next;

	walk->way[walk->length++] = 0;
	walk->visits[0] = ON_THE_WAY;
	while (walk->length) {
		from = walk->way[walk->length - 1];
		next = walk_next(walk, from);
		if (next == NOWHERE) {
			walk_finish(walk, from, flow);
			walk->length--;
			continue;
		}
		walk->visits[next] = ON_THE_WAY;
		walk->way[walk->length++] = next;
	}
}

void flow_read(struct flow *flow, const struct bpf_insn *insns, size_t count)
{
	struct walk walk = {
		.insns = insns,
		.count = count,
		.visits = calloc(count + 1, sizeof(*walk.visits)),
		.way = calloc(count + 1, sizeof(*walk.way)),
	};

	*flow = (struct flow){.order = calloc(count + 1, sizeof(*flow->order))};
	if (!walk.visits || !walk.way || !flow->order)
		abort();
	if (count)
		walk_all(&walk, flow);
	/* Finished last is what comes first. */
	for (size_t i = 0; i < flow->count / 2; i++) {
		size_t other = flow->order[flow->count - 1 - i];

		flow->order[flow->count - 1 - i] = flow->order[i];
		flow->order[i] = other;
	}
	free(walk.visits);
	free(walk.way);
}

void flow_free(struct flow *flow)
{
	free(flow->order);
	*flow = (struct flow){0};
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
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
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

unsigned flow_stack(const struct bpf_insn *insns, size_t count)
{
	struct frame *frames = calloc(count + 1, sizeof(*frames));
	size_t next[2];
	struct flow flow;
	int64_t lowest = 0;

	if (!frames)
		abort();
	for (size_t i = 0; i < count; i++)
		frames[i] = frame_unknown();
	flow_read(&flow, insns, count);
	for (size_t at = 0; at < flow.count; at++) {
		size_t i = flow.order[at];
		int64_t address = frame_step(&frames[i], &insns[i]);

		if (address < lowest)
			lowest = address;
		flow_next(insns, count, i, next);
		for (int way = 0; way < 2; way++)
			if (next[way] != NOWHERE)
				frame_merge(&frames[next[way]], &frames[i]);
	}
	flow_free(&flow);
	free(frames);
	return (unsigned)-lowest;
}
