/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decode: from a record's bytes (include/cormorant/record.h) to an exec_event that
 * the later stages can trust: every length checked, every string turned into a slice.
 */
#ifndef CORMORANT_SENSOR_RECORD_H
#define CORMORANT_SENSOR_RECORD_H

#include "cormorant/record.h"
#include "text.h"

/* What is known of the parent beyond the record; absent slices have data NULL. */
struct exec_parent {
	struct slice exe;
	struct slice argv;
	bool from_proc; /* /proc says so, not the parent's own exec */
};

/*
 * One exec. The slices point into the record and into the decoder's own buffer: both
 * must outlive it. A path is absolute, as seen from the root of the mount namespace;
 * one that the record holds only part of is absent.
 */
struct exec_event {
	struct process_exec_event head;
	const struct exec_facts *facts; /* the record's, or after enrich perhaps the enricher's */
	uint64_t withheld;		/* FACT_BIT()s of what facts has, but nobody may believe */
	uint64_t from_proc; /* FACT_BIT()s of those facts that are /proc's, not the record's */
	struct slice argv;  /* data NULL if it is not carried */
	bool argv_truncated;
	bool argc_known;
	uint32_t argc;
	struct slice filename;
	struct slice exe;
	struct slice exe_name; /* its last component, known also where the path is not */
	struct slice cwd;
	struct slice cgroup;
	struct slice cgroup_v1;
	/* Filled by enrich. */
	struct slice container;
	const char *container_runtime; /* NULL if unknown */
	struct exec_parent parent;
};

/* Where decoded paths are built; reused from event to event. Zero-initialised it withholds nothing. */
struct record_decoder {
	uint64_t withheld; /* FACT_BIT()s that no event is to have: see proof.h */
	char paths[3 * PATH_BYTES_MAX + 2 * CGROUP_BYTES_MAX];
	size_t used;
};

static inline bool exec_knows(const struct exec_event *event, unsigned fact)
{
	return event->facts->present & ~event->withheld & FACT_BIT(fact);
}

/* FACT_BIT()s of facts whose content is none: text without an end, more nanoseconds than a second has. */
uint64_t record_malformed_facts(const struct exec_facts *facts);

/*
 * Decodes size bytes at data (8-aligned) into event. A transport may pad: size may
 * exceed the record's own length by up to 7 bytes. Returns 0, or -EBADMSG if any
 * part of the record contradicts another; event is then unusable. What is withheld may be
 * malformed, and is not looked at.
 */
int record_decode(struct record_decoder *decoder, const void *data, size_t size,
		  struct exec_event *event);

#endif
