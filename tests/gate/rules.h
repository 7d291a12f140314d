/* SPDX-License-Identifier: Apache-2.0 */
/* What a program must keep to, so that the verifiers of old kernels can take it. */
#ifndef CORMORANT_GATE_RULES_H
#define CORMORANT_GATE_RULES_H

#include <stddef.h>
#include <stdio.h>

struct program;

/*
 * Prints each rule the program breaks to out: `gate: PROGRAM: what is wrong: why it
 * matters: what to do`. Returns how many.
 */
size_t rules_check(const struct program *program, FILE *out);

/* "probe_read", …, without bpf_; "unknown" for what this build's <linux/bpf.h> has not. */
const char *helper_name(int id);

#endif
