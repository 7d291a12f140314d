/* SPDX-License-Identifier: Apache-2.0 */
/* What a program's instructions refer to, from the relocations of the ELF and of its BTF. */
#ifndef CORMORANT_GATE_REFERENCES_H
#define CORMORANT_GATE_REFERENCES_H

struct object;

/* Fills in the references of all programs. 0, or a negative errno. */
int references_read(struct object *object, const char *path);

#endif
