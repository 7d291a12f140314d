/* SPDX-License-Identifier: Apache-2.0 */
/* The variants of the exec probe: a table, best first, of what each is and needs. */
#ifndef CORMORANT_VARIANT_H
#define CORMORANT_VARIANT_H

#include <stdbool.h>
#include <stddef.h>

/* What a variant needs of the kernel, asked before it is loaded. */
enum variant_need {
	NEED_BTF = 1 << 0,     /* the kernel's type information, for CO-RE */
	NEED_TRACEFS = 1 << 1, /* tracefs, for the tracepoint's id */
};

struct variant {
	const char *name; /* EVENT.ATTACH.TRANSPORT.ACCESS */
	const char *attach;
	const char *transport;
	const char *access;
	const char *program; /* its program's name in the BPF ELF */
	unsigned needs;	     /* enum variant_need */
};

extern const struct variant variants[];
extern const size_t variant_count;

/* A forced choice; a rung that is NULL is free. */
struct variant_force {
	const char *attach;
	const char *transport;
	const char *access;
};

bool variant_allowed(const struct variant *variant, const struct variant_force *force);

#endif
