/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instructions the verifiers of real kernels processed, from the files that
 * tests/gate/verified printed there: lines `RELEASE<TAB>PROGRAM<TAB>PROCESSED`, where
 * PROCESSED is a number, `-` (not loaded), or a word; lines that begin with # are skipped.
 */
#ifndef CORMORANT_GATE_FIGURES_H
#define CORMORANT_GATE_FIGURES_H

#include <stddef.h>

struct figure {
	char release[64];
	char program[64];
	char processed[24];
};

struct figures {
	struct figure *all;
	size_t count;
};

/* Adds a file. 0, or 1 after a message on stderr. */
int figures_read(struct figures *figures, const char *path);
/*
 * What a kernel made of a program: of several lines the worst, a word before the largest
 * number before `-`; "?" if there is none.
 */
const char *figures_get(const struct figures *figures, const char *release, const char *program);
/* The nth kernel in the files' order, NULL behind the last. */
const char *figures_release(const struct figures *figures, size_t nth);
void figures_free(struct figures *figures);

#endif
