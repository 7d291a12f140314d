/* SPDX-License-Identifier: Apache-2.0 */
/* Why something failed, for the user: "what failed: why: what to do". */
#ifndef BUILDER_ERROR_H
#define BUILDER_ERROR_H

struct error {
	char text[1024];
};

/* Sets the text, cut at its end if need be, and returns err. */
int error_set(struct error *error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
