/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets database (contract section 8) as the sensor reads it: one kernel's row. */
#ifndef CORMORANT_OFFSETS_DB_H
#define CORMORANT_OFFSETS_DB_H

#include "offsets.h"
#include "signature.h"

/* Who this kernel is. Unknown strings are empty. */
struct kernel_identity {
	char build_id[48]; /* GNU build-id from /sys/kernel/notes, lower-case hex */
	char arch[16];	   /* uname -m */
	char release[128]; /* uname -r */
	char version[256]; /* uname -v */
};

/* This machine's: /sys/kernel/notes and uname(2). */
void kernel_identity_read(struct kernel_identity *identity);
/*
 * The GNU build-id in ELF notes of this machine's byte order, lower-case hex; empty if
 * there is none, the notes contradict their own lengths before it, or it does not fit.
 */
void build_id_from_notes(const void *notes, size_t notes_size, char *build_id, size_t size);

/* Where a row came from, for the advertisement. */
struct offsets_provenance {
	/* "build_id", "version" for (arch, release, version), "release" for (arch, release). */
	char matched_by[16];
	char distro[64];
	char source[256];
	char package[256];
	char package_sha256[65]; /* as its signed index states it */
	bool source_verified;	 /* the whole package was hashed, and agreed */
	char built_at[32];
	/* What the kernel was not asked for, since the list of members was shorter; "" is best. */
	char not_looked_for[256];
	char signed_by[SIGNATURE_ID_TEXT]; /* the key's id; empty: the signature was not checked */
	/* Of the offsets service: "new", "confirmed" by it, or "kept" since it can't be asked. */
	char fetched[16];
	char fetched_at[32]; /* UTC, RFC 3339 */
};

/*
 * The row of this kernel: by build-id, else by (arch, release, version), else by (arch,
 * release) if the row says no more and is the only one that bears them. Rows that say
 * different things of this kernel are none. The database is opened read-only; with keys
 * (NULL: none) only if PATH.minisig is a signature of exactly the bytes that are read.
 * Returns 0; -ENOENT if the file or the row is missing; -EBADMSG if the file is no database,
 * is damaged, is foreign, or has a schema newer than this program; -EBUSY if it is being
 * written, for a tenth of a second at least, or its writer was stopped half-way; what
 * signature_check_beside returns; another negative errno if it can't be read. error gets what
 * failed, why, what to do.
 */
int offsets_db_find(const char *path, const struct signature_keys *keys,
		    const struct kernel_identity *identity, struct kernel_offsets *offsets,
		    struct offsets_provenance *provenance, char *error, size_t error_size);

#endif
