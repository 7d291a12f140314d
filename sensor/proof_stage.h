/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the crew plays: files that it executes and directories that it works in, on file
 * systems that are mounted for it in a mount namespace of its own. Nobody else sees them,
 * and they are gone with the last of the crew.
 */
#ifndef CORMORANT_PROOF_STAGE_H
#define CORMORANT_PROOF_STAGE_H

#include "proof_crew.h"

/*
 * For the director: makes all of it, as far as it goes, and writes down in the members
 * what and where it is.
 */
void stage_set(struct crew *crew);

/*
 * For the sensor: a cgroup below its own of the v2 hierarchy (0), or of the memory (else
 * pids) controller's (1), as far as they are mounted and can be written to. Returns a
 * descriptor of its cgroup.procs and where it is, or -1 and "".
 */
int stage_cgroup(int v1, char dir[CREW_DIR]);

/* The sensor's own cgroup of the v2 hierarchy, its directory. False if it can't be found. */
bool stage_own_cgroup(char dir[CREW_DIR]);

/* True if a controller is v1's, and the sensor in a cgroup of its. */
bool stage_has_controller(const char *controller);

/* Removes it, once nobody is in it any more. */
void stage_cgroup_remove(const char *dir);

#endif
