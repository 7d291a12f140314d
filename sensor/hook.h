/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: where in the kernel a program is called. Raw tracepoints and kprobes of the PMU
 * end with their descriptors; a kprobe made through tracefs is an entry in kprobe_events
 * that has to be removed, and is, by the next start if need be.
 */
#ifndef CORMORANT_HOOK_H
#define CORMORANT_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "feature.h"

enum { HOOK_FDS_MAX = 4, HOOK_PROBE_BYTES = 48, HOOK_TEXT_BYTES = 128 };

struct hook {
	int count;
	int fds[HOOK_FDS_MAX];
	int probes;				       /* of tracefs */
	char probe[HOOK_FDS_MAX][HOOK_PROBE_BYTES]; /* their names, without the group */
	bool retprobe;				       /* they are at returns, and can be missed */
	int tracefs;				       /* its directory if there are probes, else -1 */
	char text[HOOK_TEXT_BYTES];		       /* what is hooked, for people */
};

void hook_init(struct hook *hook);

/* Each returns 0, or a negative errno and nothing is attached. prog is a loaded program's descriptor. */
int hook_raw_tracepoint(struct hook *hook, int prog, const char *name);
int hook_tracepoint(struct hook *hook, int prog, const char *tracefs, const char *name);
/*
 * A kprobe on a function of the kernel, by the PMU, or else through tracefs. With
 * retprobe on its return, and then through tracefs first: it counts what it missed.
 * Several functions can be hooked by several calls.
 */
int hook_kprobe(struct hook *hook, int prog, struct features *features, const char *symbol,
		bool retprobe);

/* Detaches everything and removes what was made. hook can be used again. */
void hook_detach(struct hook *hook);

/* Returns that kretprobes of tracefs have missed; 0 where nobody counts. */
uint64_t hook_missed(const struct hook *hook);

/* Removes the kprobes that sensors left in tracefs which are no more. */
void hook_remove_stale(const char *tracefs);

#endif
