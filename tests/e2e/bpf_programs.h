// SPDX-License-Identifier: Apache-2.0
/* The BPF programs that are loaded, by their ids, as the kernel lists them (4.13). */
#ifndef E2E_BPF_PROGRAMS_H
#define E2E_BPF_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROGRAMS_MAX = 1024 };

struct program_list {
	bool known;	/* this kernel can list them */
	unsigned int n;
	uint32_t ids[PROGRAMS_MAX];
};

struct program_list programs_list(void);
/* Those that are loaded now and were not before, if nobody else loads any (virtual machines), else those pid has open. */
struct program_list programs_of(pid_t pid, const struct program_list *before);
/* Waits until none of them is loaded; false when the patience ends. */
bool programs_wait_gone(const struct program_list *list);

#endif
