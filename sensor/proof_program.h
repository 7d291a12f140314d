/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the proof's children execute: a program of a few instructions, made here, so that
 * no other file is needed and its size and times are known; and this program itself, for
 * hosts that let nothing else be executed. Either writes a byte to PROOF_ALIVE_FD as soon
 * as it runs, how many arguments it has, then waits for the end of what is behind PROOF_GATE_FD, and ends.
 */
#ifndef CORMORANT_PROOF_PROGRAM_H
#define CORMORANT_PROOF_PROGRAM_H

#include <stddef.h>

enum { PROOF_GATE_FD = 3, PROOF_ALIVE_FD = 4, PROOF_PROGRAM_MAX = 512 };

/* argv[0] of a child; main() gives way to proof_program_main when it is called so. */
#define PROOF_ARGV0 "cormorant-proof"

/* Puts an ELF file at out. Returns its size, 0 on a machine that there is no code for. */
size_t proof_program_make(unsigned char out[PROOF_PROGRAM_MAX]);

/* What that program does. Does not return. */
void __attribute__((noreturn)) proof_program_main(int argc);

#endif
