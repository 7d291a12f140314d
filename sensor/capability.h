/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capability advertisement (contract section 6): what this host lets the sensor see,
 * and why not more, as one JSON document. docs/capabilities.md explains its members,
 * data/schemas/capabilities.schema.json says them formally.
 */
#ifndef CORMORANT_CAPABILITY_H
#define CORMORANT_CAPABILITY_H

#include "host.h"
#include "loader.h"
#include "text.h"

/* All that the document is made from; what can't be known is zero or "". */
struct capability {
	struct host host;
	struct feature_limits limits;
	uint32_t namespaces_missing; /* bits, enum exec_ns: this kernel does not have it */
	bool proc;		     /* /proc shows the host's processes */
	bool proc_cgroups;	     /* and their cgroups from the hierarchy's root */
	struct variant_force force;
	enum loader_error error; /* what loader_open returned */
	struct loader_report report;
	struct counters counters;
};

/*
 * The host's part: from host to proc_cgroups. To be called before loader_open, which raises
 * a limit.
 */
void capability_read_host(struct capability *capability);

enum readiness { READINESS_READY, READINESS_DEGRADED, READINESS_UNABLE };

/* "ready", … */
const char *readiness_str(enum readiness readiness);

/* Appends the reasons, each a sentence and a NUL (argv_next takes them apart); none of ready. */
enum readiness capability_readiness(const struct capability *capability, struct text *reasons);

enum variant_state { VARIANT_PICKED, VARIANT_FAILED, VARIANT_NOT_TRIED, VARIANT_NOT_ASKED_FOR };

/* "picked", "failed", "not_tried", "not_asked_for" */
const char *variant_state_str(enum variant_state state);

/* What became of a variant. *reason is NULL if picked; *error is LOADER_OK unless failed. */
enum variant_state capability_variant(const struct capability *capability,
				      const struct variant *variant, enum loader_error *error,
				      const char **reason);

enum field_state {
	FIELD_VERIFIED,	  /* compared with the truth, found right, and not to be mistaken */
	FIELD_UNVERIFIED, /* it comes */
	FIELD_ABSENT,
};

/* "verified", … */
const char *field_state_str(enum field_state state);

/* Variant number i, of variant_count, best first as this host ranks them. */
const struct variant *capability_ranked(const struct capability *capability, size_t i);

/* One attribute of the event. Strings are the capability's, or static; NULL: nothing to say. */
struct capability_field {
	const char *name; /* its path in the event: "process.file.path" */
	enum field_state state;
	bool from_proc; /* read from /proc, if the process lives long enough */
	bool withheld; /* absent, though records have it: it is wrong, or a row does not prove it */
	const char *why;	     /* absent, or not verified: why */
	const char *expected, *seen; /* it is wrong: what it should have been, and was */
};

/* The fields in the event's order: number i. False behind the last one. */
bool capability_field(const struct capability *capability, size_t i,
		      struct capability_field *field);

/*
 * Appends the document as JSON, without a newline: on one line, or laid out for people.
 * Whatever bytes the host's strings have, it is valid UTF-8 and without controls. Returns 0
 * or -ENOMEM, and then nothing has been appended.
 */
int capability_write(const struct capability *capability, bool pretty, struct text *out);

/* What `cormorant selftest` says: variant, offsets, proof and fields of the document. */
int capability_write_selftest(const struct capability *capability, bool pretty, struct text *out);

/* The same as the document in an OCSF 1.3.0 event, Device Inventory Info: Log, under `unmapped.capabilities`. */
int capability_write_ocsf(const struct capability *capability, bool pretty, struct text *out);

#endif
