// SPDX-License-Identifier: Apache-2.0
#include "enrich.h"

#include <stdlib.h>

#include "container.h"
#include "proc_reader.h"

enum { CACHE_BYTES = 2 << 20 };

struct enricher {
	struct process_cache *cache;
	bool proc; /* /proc shows the host's processes */
	struct proc_reader *reader;
};

struct enricher *enricher_open(void)
{
	struct enricher *enricher = calloc(1, sizeof(*enricher));

	if (!enricher)
		return NULL;
	enricher->cache = process_cache_open(CACHE_BYTES);
	enricher->reader = proc_reader_open();
	if (!enricher->cache || !enricher->reader) {
		enricher_close(enricher);
		return NULL;
	}
	enricher->proc = proc_is_host();
	return enricher;
}

void enricher_close(struct enricher *enricher)
{
	if (!enricher)
		return;
	proc_reader_close(enricher->reader);
	process_cache_close(enricher->cache);
	free(enricher);
}

static void add_container(struct exec_event *event)
{
	const char *runtime = NULL;

	/* v1 engines put their containers below a controller's hierarchy, not into v2's. */
	if (!container_of_cgroup(event->cgroup, &event->container, &runtime) &&
	    !container_of_cgroup(event->cgroup_v1, &event->container, &runtime))
		return;
	event->container_runtime = runtime;
}

/*
 * The parent's image: from its own exec event if that was seen, else from /proc,
 * where start time and comm must be those that the kernel gave with this exec.
 */
static void add_parent(struct enricher *enricher, struct exec_event *event)
{
	struct process_key key = {event->head.ppid, event->facts->parent_start_ns};
	struct proc_process parent;

	if (!exec_knows(event, FACT_PPID) || !exec_knows(event, FACT_PARENT_START))
		return;
	if (process_cache_get(enricher->cache, key, &event->parent.exe, &event->parent.argv))
		return;
	if (!enricher->proc || !exec_knows(event, FACT_PARENT_COMM))
		return;
	if (proc_reader_read(enricher->reader, key, event->facts->parent_comm, &parent))
		return;
	process_cache_put(enricher->cache, key, parent.exe, parent.argv);
	event->parent.exe = parent.exe;
	event->parent.argv = parent.argv;
}

void enrich(struct enricher *enricher, struct exec_event *event)
{
	add_container(event);
	add_parent(enricher, event);
}

void enrich_remember(struct enricher *enricher, const struct exec_event *event)
{
	struct process_key key = {event->head.tgid, event->facts->start_ns};

	if (exec_knows(event, FACT_START))
		process_cache_put(enricher->cache, key, event->exe, event->argv);
}

void enrich_forget(struct enricher *enricher)
{
	process_cache_clear(enricher->cache);
}
