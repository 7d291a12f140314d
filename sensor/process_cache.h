/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of processes that may become parents: executable and argv by (tgid,
 * start time, number of execs), from their own exec events or from /proc. Bounded in entries and in
 * bytes; the oldest of a neighbourhood go first.
 */
#ifndef CORMORANT_PROCESS_CACHE_H
#define CORMORANT_PROCESS_CACHE_H

#include "text.h"

struct process_key {
	uint32_t tgid;
	uint64_t start_ns; /* boot clock */
	uint32_t exec_id;  /* which of the process's programs: the kernel's count of its execs */
};

struct process_cache;

/* At most max_bytes of names and arguments are kept. Returns NULL without memory. */
struct process_cache *process_cache_open(size_t max_bytes);
void process_cache_close(struct process_cache *cache);

/*
 * Remembers a process, over what was known of it before. A slice with data NULL is
 * remembered as unknown. Both are copied, and must not be the cache's own. Without memory the process is forgotten.
 */
void process_cache_put(struct process_cache *cache, struct process_key key, struct slice exe,
		       struct slice argv);

/* The newest entry for key. The slices are valid until the next put. */
bool process_cache_get(const struct process_cache *cache, struct process_key key, struct slice *exe,
		       struct slice *argv);

#endif
