/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORMORANT_NOTIFY_H
#define CORMORANT_NOTIFY_H

/* Tells systemd, where it started us with Type=notify, the state ("READY=1"); sd_notify(3). */
void notify_state(const char *state);

#endif
