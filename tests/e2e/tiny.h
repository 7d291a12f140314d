// SPDX-License-Identifier: Apache-2.0
/*
 * Two smallest programs, for what a copy of this program cannot be: an image with words of 4 bytes, and one that needs no
 * environment. Both write "here" and a newline to SUBJECT_REPORT_FD, read SUBJECT_GATE_FD, and end.
 */
#ifndef E2E_TINY_H
#define E2E_TINY_H

#include <stdbool.h>

/* Writes one to path; false on a machine that runs neither. */
bool tiny_write(const char *path, bool narrow);

#endif
