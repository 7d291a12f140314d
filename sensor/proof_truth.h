/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth about the crew: what each was made to be, what /proc and stat say of it while it
 * stands still. Nothing of it comes from the kernel side's records.
 */
#ifndef CORMORANT_PROOF_TRUTH_H
#define CORMORANT_PROOF_TRUTH_H

#include "proof_crew.h"
#include "proof_judge.h"

struct truth;

/* Returns NULL without memory. What a sample's truth points to lives as long as it. */
struct truth *truth_open(const struct crew *crew);
void truth_close(struct truth *truth);

/*
 * Fills the truth and the rivals of the crew's member i. False if it may have ended meanwhile:
 * then they are not to be used.
 */
bool truth_read(struct truth *truth, int i, struct proof_sample *sample);

#endif
