// SPDX-License-Identifier: Apache-2.0
/*
 * The heart of the tests: start a subject, find its event, and hold every attribute of contract section 4 against the
 * truth. All differences of an event are printed before the test fails.
 */
#ifndef E2E_OBSERVE_H
#define E2E_OBSERVE_H

#include "event.h"
#include "subject.h"
#include "truth.h"

struct e2e;

struct observed {
	struct observed *next;
	struct subject *subject;	/* still alive */
	struct truth truth;
	struct json_object *event;
};

/* Fails the test if there is no event or a field of it differs. Lives until the test ends. */
struct observed *observe(struct e2e *e, const struct subject_plan *plan);
/* The same for a subject that has been started already. */
struct observed *observe_subject(struct e2e *e, struct subject *s);
/* The same of an event that may lack whatever offsets tell: how much of it is wrong, which is printed. */
unsigned int observe_wrong(struct e2e *e, struct subject *s);
void observe_free_all(struct e2e *e);

#endif
