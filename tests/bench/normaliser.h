/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORMORANT_BENCH_NORMALISER_H
#define CORMORANT_BENCH_NORMALISER_H

#include <stddef.h>

struct normaliser_result {
	double seconds; /* CPU time */
	size_t bytes;	/* of OCSF written */
};

/* Takes events ordinary records through decode, enrich and OCSF. Returns 0 or -1 with errno. */
int normaliser_bench(int events, struct normaliser_result *result);

#endif
