/* SPDX-License-Identifier: Apache-2.0 */
/* Who this host is: read once at the start, the same in every event. */
#ifndef CORMORANT_HOST_H
#define CORMORANT_HOST_H

#include <stdbool.h>

struct host {
	char hostname[256];
	char release[256];    /* uname -r */
	char machine_id[64];  /* empty if there is none */
	char boot_id[64];     /* /proc/sys/kernel/random/boot_id; empty if not readable */
	char os_name[256];    /* os-release NAME, "Linux" if there is none */
	char os_version[256]; /* os-release VERSION_ID; empty if there is none */
	bool virtual_machine;
};

void host_read(struct host *host);

#endif
