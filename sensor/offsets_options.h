/* SPDX-License-Identifier: Apache-2.0 */
/* Where struct offsets may come from, as every command that starts the sensor is told. */
#ifndef CORMORANT_OFFSETS_OPTIONS_H
#define CORMORANT_OFFSETS_OPTIONS_H

#include <stdbool.h>

#include "signature.h"

struct offsets_options {
	const char *path;	    /* the database; NULL: where it is installed */
	const char *key;	    /* NULL: signatures are not checked */
	struct signature_keys keys; /* of key, once checked */
	const char *url;	    /* of the offsets service; NULL: there is none */
	const char *ca;		    /* certificates to check it by; NULL: the system's */
	const char *state_dir;	    /* what it sent is kept there; NULL: where it is installed */
};

enum {
	OFFSETS_OPTION_KEY = 512,
	OFFSETS_OPTION_URL,
	OFFSETS_OPTION_CA,
	OFFSETS_OPTION_STATE_DIR,
};

/* For getopt_long(3). */
/* clang-format off */
#define OFFSETS_LONG_OPTIONS                                                                       \
	{"offsets", required_argument, NULL, 'd'},                                                 \
	{"offsets-key", required_argument, NULL, OFFSETS_OPTION_KEY},                              \
	{"offsets-url", required_argument, NULL, OFFSETS_OPTION_URL},                              \
	{"offsets-ca", required_argument, NULL, OFFSETS_OPTION_CA},                                \
	{"state-dir", required_argument, NULL, OFFSETS_OPTION_STATE_DIR}
/* clang-format on */

#define OFFSETS_USAGE                                                                              \
	"  -d, --offsets=FILE    the database of struct offsets for kernels without BTF\n"         \
	"      --offsets-key=KEY use only offsets that this key has signed: a minisign public\n"   \
	"                        key, or the file of one\n"                                        \
	"      --offsets-url=URL a service to ask for them if the database does not have them;\n"  \
	"                        wants --offsets-key\n"                                            \
	"      --offsets-ca=FILE certificates to check it by, instead of the system's\n"           \
	"      --state-dir=DIR   what is kept from one start to the next\n"

/* Takes one of the options above. False: it is none of them. */
bool offsets_option(int option, const char *value, struct offsets_options *options);

/*
 * Once all are taken: reads the key, looks at the URL. Returns 0 or a negative errno; error
 * then gets what is wrong: why: what to do.
 */
int offsets_options_check(struct offsets_options *options, char *error, size_t error_size);

#endif
