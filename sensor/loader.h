/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: puts the best variant that works into the kernel, and reads what it
 * sends. Variants are tried in the table's order; one that can't be used leaves its
 * reason in the report and nothing in the kernel.
 */
#ifndef CORMORANT_LOADER_H
#define CORMORANT_LOADER_H

#include "counters.h"
#include "feature.h"
#include "hook.h"
#include "offsets_db.h"
#include "offsets_options.h"
#include "proof.h"
#include "variant.h"

enum loader_error {
	LOADER_OK,
	LOADER_KERNEL_TOO_OLD,	  /* no bpf(2), or no program type, map or hook that would do */
	LOADER_MISSING_BTF,	  /* the kernel shows no BTF, and CO-RE needs it */
	LOADER_NO_OFFSETS,	  /* no row of this kernel's for `map`, or none that is right */
	LOADER_NOT_PERMITTED,	  /* a capability is missing, or the kernel is locked down */
	LOADER_NO_TRACEFS,	  /* tracefs is not mounted or not readable */
	LOADER_VERIFIER_REJECTED, /* the verifier refused a program */
	LOADER_ATTACH_FAILED,	  /* loaded, but could not be attached */
	LOADER_FAILED,		  /* anything else: memory, descriptors */
};

/* The contract's name of an error: "KernelTooOld", … */
const char *loader_error_str(enum loader_error error);

enum { LOADER_VARIANTS_MAX = 18, LOADER_TEXT_MAX = 1024 };

struct loader_reason {
	const struct variant *variant; /* NULL: it holds for the host as a whole */
	enum loader_error error;
	char text[LOADER_TEXT_MAX]; /* what failed: why: what to do */
};

enum offsets_source { OFFSETS_NONE, OFFSETS_BTF, OFFSETS_DB, OFFSETS_URL };

static inline bool offsets_of_row(enum offsets_source source)
{
	return source == OFFSETS_DB || source == OFFSETS_URL;
}

/* This kernel's row of the database, held against its BTF, where both are there. */
struct loader_comparison {
	bool done;
	struct offsets_provenance provenance; /* of the row */
	int differences;		      /* numbers that are not the same */
	char first[512];		      /* the first of them, for people */
};

/* What was found out, and what became of it. */
struct loader_report {
	/* Why the variants that were not picked were not; reason 0 is the best variant's. */
	size_t count;
	struct loader_reason reasons[LOADER_VARIANTS_MAX];

	bool raw_tp_last[ACCESS_COUNT]; /* of that access: variant_ranked */

	const struct variant *picked; /* NULL if none; the rest is of it */
	enum offsets_source offsets_source;
	struct offsets_provenance provenance; /* of OFFSETS_DB and OFFSETS_URL */
	char offsets_passed_over
		[LOADER_TEXT_MAX];	    /* of OFFSETS_URL: why the database is not used */
	char offsets_note[LOADER_TEXT_MAX]; /* of OFFSETS_URL: what did not go well, or "" */
	struct loader_comparison comparison;
	struct proof proof;
	/* Facts that no record of the proof had for want of a member: findings[].why names it. */
	uint64_t lacking;
	bool refuted; /* some offsets were found wrong before these */
	char hook[HOOK_TEXT_BYTES];
	bool parts;	     /* records come in parts, strings are short and paths missing */
	bool clock_boot;     /* times are of the boot clock, which does not stop in suspend */
	size_t buffer_bytes; /* of the ring, or of one CPU's perf buffer */
	int buffers;	     /* 1, or how many CPUs have one */

	struct kernel_identity identity;
	struct features features; /* those that were asked for */
};

/* Called for every record, in order; data is valid during the call only. */
typedef void loader_record_fn(void *arg, const void *data, size_t size);

struct loader_options {
	struct variant_force force;
	const struct offsets_options *offsets; /* checked */
	loader_record_fn *fn;
	void *arg;
};

struct loader;

/*
 * Loads and attaches; the buffers are being read before the hook is attached. Then what it
 * says is proven (proof.h), and what is wrong in it is passed over as if it had not loaded.
 * fn is not called yet: what came meanwhile is kept for the first drain, execs of the proof's
 * own among it (proof_made). Returns LOADER_OK and *loader, or the error that stands for the
 * start as a whole: that of the best variant allowed by force.
 */
enum loader_error loader_open(const struct loader_options *options, struct loader **loader,
			      struct loader_report *report);

/* Detaches what is attached. What is in the buffer can still be read. */
void loader_detach(struct loader *loader);

/* Detaches and frees everything. NULL is allowed. */
void loader_close(struct loader *loader);

/* Descriptor that is readable when there are records (level-triggered, or an edge on old kernels). */
int loader_fd(const struct loader *loader);

/* What loader_drain has left in the buffer. */
enum loader_left {
	LOADER_EMPTY,
	LOADER_MORE,  /* records, at once: a busy host can't keep the caller in here */
	LOADER_LATER, /* records so young that an older one may still come: some ms later */
};

/*
 * Hands records that are there to fn, in the order of their time as far as the buffers
 * know it. all: also those that LOADER_LATER would leave. Returns enum loader_left, or a
 * negative errno.
 */
int loader_drain(struct loader *loader, bool all);

/*
 * Fills attempted, lost_kernel, hook_missed and pending_kernel; counters->received must
 * have been set before, so that nothing is negative. ended: the programs run no more and
 * the buffer is empty, so that what is missing is lost. Returns 0 or a negative errno.
 */
int loader_counters(struct loader *loader, struct counters *counters, bool ended);

#endif
