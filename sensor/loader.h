/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: puts the best variant that works into the kernel, and reads what it
 * sends. Variants are tried in the table's order; one that can't be used leaves its
 * reason in the report and nothing in the kernel.
 */
#ifndef CORMORANT_LOADER_H
#define CORMORANT_LOADER_H

#include "counters.h"
#include "variant.h"

enum loader_error {
	LOADER_OK,
	LOADER_KERNEL_TOO_OLD,	  /* no bpf(2), or no program type, map or hook that would do */
	LOADER_MISSING_BTF,	  /* the kernel shows no BTF, and CO-RE needs it */
	LOADER_NOT_PERMITTED,	  /* a capability is missing, or the kernel is locked down */
	LOADER_NO_TRACEFS,	  /* tracefs is not mounted or not readable */
	LOADER_VERIFIER_REJECTED, /* the verifier refused the program */
	LOADER_ATTACH_FAILED,	  /* loaded, but could not be attached */
	LOADER_FAILED,		  /* anything else: memory, descriptors */
};

/* The contract's name of an error: "KernelTooOld", … */
const char *loader_error_str(enum loader_error error);

enum { LOADER_VARIANTS_MAX = 32, LOADER_TEXT_MAX = 1024 };

struct loader_reason {
	const struct variant *variant;
	enum loader_error error;
	char text[LOADER_TEXT_MAX]; /* what failed: why: what to do */
};

/* Why the variants that were not picked were not; reason 0 is the best variant's. */
struct loader_report {
	const struct variant *picked; /* NULL if none */
	size_t count;
	struct loader_reason reasons[LOADER_VARIANTS_MAX];
};

/* Called for every record, in order; data is valid during the call only. */
typedef void loader_record_fn(void *arg, const void *data, size_t size);

struct loader;

/*
 * Loads and attaches; the buffers are being read before the hook is attached. Returns
 * LOADER_OK and *loader, or the error that stands for the start as a whole: that of the
 * best variant allowed by force.
 */
enum loader_error loader_open(const struct variant_force *force, loader_record_fn *fn, void *arg,
			      struct loader **loader, struct loader_report *report);

/* Detaches what is attached. What is in the buffer can still be read. */
void loader_detach(struct loader *loader);

/* Detaches and frees everything. NULL is allowed. */
void loader_close(struct loader *loader);

/* Descriptor that is readable when there are records (level-triggered). */
int loader_fd(const struct loader *loader);

/*
 * Hands the records that are there to fn. Returns 0 if that was all of them, 1 if there
 * may be more: a busy host can't keep the caller in here. Negative errno on failure.
 */
int loader_drain(struct loader *loader);

/*
 * Fills attempted, lost_kernel, hook_missed and pending_kernel; counters->received must
 * have been set before, so that nothing is negative. Returns 0 or a negative errno.
 */
int loader_counters(const struct loader *loader, struct counters *counters);

#endif
