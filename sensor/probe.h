/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cormorant probe`, `cormorant capabilities` and `cormorant selftest`: they start as `run`
 * does, with its proof, stop, and say what they have found.
 */
#ifndef CORMORANT_PROBE_H
#define CORMORANT_PROBE_H

#include "capability.h"
#include "run.h"

/* argv[0] stands for the program, getopt's arguments follow. */
enum exit_status command_probe(int argc, char **argv);
enum exit_status command_capabilities(int argc, char **argv);
enum exit_status command_selftest(int argc, char **argv);

/* Appends what was found as a table for people, in lines of width characters if words allow. */
void probe_table(const struct capability *capability, int width, bool colour, struct text *out);

/* Of that, what the proof has to say. */
void selftest_table(const struct capability *capability, int width, bool colour, struct text *out);

#endif
