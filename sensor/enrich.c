// SPDX-License-Identifier: Apache-2.0
#include "enrich.h"

#include <stdlib.h>

#include "container.h"
#include "proc_reader.h"

enum { CACHE_BYTES = 2 << 20 };

struct enricher {
	struct process_cache *seen; /* from processes' own exec events */
	struct process_cache *read; /* from /proc */
	bool proc;		    /* /proc shows the host's processes */
	struct proc_reader *reader;
	struct proc_facts filled; /* of the event at hand */
};

struct enricher *enricher_open(void)
{
	struct enricher *enricher = calloc(1, sizeof(*enricher));

	if (!enricher)
		return NULL;
	enricher->seen = process_cache_open(CACHE_BYTES);
	enricher->read = process_cache_open(CACHE_BYTES);
	enricher->reader = proc_reader_open();
	if (!enricher->seen || !enricher->read || !enricher->reader) {
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
	process_cache_close(enricher->seen);
	process_cache_close(enricher->read);
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

/* The parent as /proc has it, if that is still the program it was at this exec. */
static bool read_parent(struct enricher *enricher, const struct exec_event *event,
			struct process_key key, struct exec_parent *parent)
{
	uint64_t stack = exec_knows(event, FACT_PARENT_STACK) ? event->facts->parent_stack : 0;
	struct proc_process process;

	if (process_cache_get(enricher->read, key, &parent->exe, &parent->argv))
		return true;
	if (!enricher->proc || !exec_knows(event, FACT_PARENT_COMM) ||
	    proc_reader_read(enricher->reader, key, event->facts->parent_comm, stack, &process))
		return false;
	process_cache_put(enricher->read, key, process.exe, process.argv);
	parent->exe = process.exe;
	parent->argv = process.argv;
	return true;
}

/*
 * The parent's program: from its own exec event if that was seen, else from /proc. The
 * kernel's count of the parent's execs, taken with this exec, says which of its programs
 * is meant, whatever was lost or came in another order.
 */
static void add_parent(struct enricher *enricher, struct exec_event *event)
{
	struct process_key key = {event->head.ppid, event->facts->parent_start_ns,
				  event->facts->parent_exec_id};

	if (!exec_knows(event, FACT_PPID) || !exec_knows(event, FACT_PARENT_START) ||
	    !exec_knows(event, FACT_PARENT_EXEC_ID))
		return;
	if (!process_cache_get(enricher->seen, key, &event->parent.exe, &event->parent.argv))
		event->parent.from_proc = read_parent(enricher, event, key, &event->parent);
}

/*
 * Variants with struct offsets send the executable's path, or that it is too long: only
 * the others' events are filled, and only those by whose argv the process can be told.
 */
static bool fillable(const struct enricher *enricher, const struct exec_event *event)
{
	return enricher->proc && event->argv.len && exec_knows(event, FACT_COMM) &&
	       !exec_knows(event, FACT_SECTION + SECTION_EXE);
}

/* Adds what the record lacks and /proc has. */
static void fill(struct enricher *enricher, struct exec_event *event)
{
	struct proc_facts *filled = &enricher->filled;
	struct exec_facts facts;

	if (!fillable(enricher, event))
		return;
	facts = *event->facts;
	facts.present &= ~event->withheld;
	if (proc_reader_facts(enricher->reader, event->head.tgid, &facts, event->argv, filled))
		return;
	event->from_proc = filled->facts.present & ~facts.present;
	event->facts = &filled->facts;
	event->withheld = 0;
	event->exe = filled->exe;
	event->exe_name = filled->exe_name;
	if (event->from_proc & FACT_BIT(FACT_SECTION + SECTION_CWD))
		event->cwd = filled->cwd;
	if (event->from_proc & FACT_BIT(FACT_SECTION + SECTION_CGROUP))
		event->cgroup = filled->cgroup;
	if (event->from_proc & FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1))
		event->cgroup_v1 = filled->cgroup_v1;
	if (!(event->from_proc & FACT_BIT(FACT_PPID)))
		return;
	event->head.ppid = filled->ppid;
	event->parent.exe = filled->parent.exe;
	event->parent.argv = filled->parent.argv;
	event->parent.from_proc = true;
}

void enrich(struct enricher *enricher, struct exec_event *event)
{
	fill(enricher, event);
	add_container(event);
	add_parent(enricher, event);
}

void enrich_remember(struct enricher *enricher, const struct exec_event *event)
{
	struct process_key key = {event->head.tgid, event->facts->start_ns, event->facts->exec_id};
	/* A part of an argv is no command line. */
	struct slice argv = event->argv_truncated ? (struct slice){0} : event->argv;

	if (exec_knows(event, FACT_START) && exec_knows(event, FACT_EXEC_ID))
		process_cache_put(enricher->seen, key, event->exe, argv);
}
