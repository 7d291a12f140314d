/* SPDX-License-Identifier: Apache-2.0 */
/* Why a variant could not be used: the loader's typed errors, and the sentences for them. */
#ifndef CORMORANT_REASON_H
#define CORMORANT_REASON_H

#include "loader.h"

/* Collects what libbpf says from now on, and stops. What it said before is forgotten. */
void reason_listen(void);
void reason_listen_end(void);

/* Each fills r and returns its error. */
enum loader_error reason_set(struct loader_reason *r, enum loader_error error, const char *format,
			     ...) __attribute__((format(printf, 3, 4)));
/* The kernel said no (err, negative) to what, and it was not the verifier: who forbids it? */
enum loader_error reason_permission(struct loader_reason *r, const char *what, int err);
/* The programs or maps could not be made. */
enum loader_error reason_load(struct loader_reason *r, int err);
enum loader_error reason_attach(struct loader_reason *r, int err);
/* The kernel lacks a feature that the variant needs. */
enum loader_error reason_feature(struct loader_reason *r, enum feature_id id,
				 const struct feature *feature);

#endif
