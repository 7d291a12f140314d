/* SPDX-License-Identifier: Apache-2.0 */
/* `cormorant run`: from the kernel's records to the sinks, until told to stop. */
#ifndef CORMORANT_RUN_H
#define CORMORANT_RUN_H

#include <stdint.h>

#include "offsets_options.h"
#include "variant.h"

/* Exit status of both programs. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* while running */
	EXIT_USAGE = 2,	 /* bad usage or configuration */
	EXIT_CANNOT = 3, /* this host can't */
};

enum run_format { FORMAT_DEFAULT, FORMAT_OCSF, FORMAT_PRETTY };

enum { RUN_SINKS_MAX = 8 };

struct run_options {
	enum run_format format;
	const char *sinks[RUN_SINKS_MAX];
	int sink_count;
	uint64_t count;	   /* stop after so many events; 0: no limit */
	uint64_t duration; /* stop after so many seconds; 0: no limit */
	struct variant_force force;
	struct offsets_options offsets;
};

enum exit_status run(const struct run_options *options);

#endif
