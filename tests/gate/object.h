/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BPF ELF as libbpf will load it: its programs with their instructions, and what
 * those refer to. Opening needs no kernel.
 */
#ifndef CORMORANT_GATE_OBJECT_H
#define CORMORANT_GATE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

struct bpf_object;

enum reference_kind {
	REFERENCE_MAP,
	REFERENCE_DATA,	    /* .data, .bss, .rodata: a global variable or a constant in memory */
	REFERENCE_EXTERN,   /* __kconfig, __ksym: libbpf has to find it at load time */
	REFERENCE_FUNCTION, /* another function's address, or a call of it */
	REFERENCE_TYPE,	    /* a CO-RE relocation: a type of the running kernel, from its BTF */
};

struct reference {
	enum reference_kind kind;
	size_t insn; /* index in the program */
	char name[128];
};

struct program {
	const char *name; /* the bpf_object's */
	/* Named ..._core: needs the kernel's BTF, hence 5.2, and is exempt from older rules. */
	bool core;
	const struct bpf_insn *insns; /* the bpf_object's, before relocation */
	size_t insn_count;
	struct reference *references; /* owned */
	size_t reference_count;
};

struct object {
	struct bpf_object *bpf;
	struct program *programs;
	size_t program_count;
};

/* 0, or 1 after a message on stderr. object_close is right in both cases. */
int object_open(struct object *object, const char *path);
void object_close(struct object *object);

#endif
