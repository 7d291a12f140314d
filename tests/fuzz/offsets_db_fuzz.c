// SPDX-License-Identifier: Apache-2.0
/* The sensor's reading of a database: any bytes, looked into in each of the three ways. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "offsets_db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What tests/fuzz/offsets_db_seeds puts into its databases. */
static const struct kernel_identity identities[] = {
	{.build_id = "aabb", .arch = "x86_64", .release = "6.1.0", .version = "#1"},
	{.build_id = "", .arch = "x86_64", .release = "6.2.0", .version = "#2"},
	{.build_id = "ccdd", .arch = "aarch64", .release = "6.3.0", .version = "#3"},
};

static char path[] = "/dev/shm/cormorant-offsets-db-fuzz.XXXXXX";

static void remove_file(void)
{
	unlink(path);
}

static int open_file(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		abort();
	atexit(remove_file);
	return fd;
}

/* After an error nothing is left that could be taken for an offset. */
static void look(const struct kernel_identity *identity)
{
	struct offsets_provenance provenance;
	struct kernel_offsets offsets;
	char why[512] = "";
	int err = offsets_db_find(path, NULL, identity, &offsets, &provenance, why, sizeof(why));

	if (err > 0 || (err && (!offsets_empty(&offsets) || !*why)) ||
	    (!err && (offsets_empty(&offsets) || !*provenance.matched_by)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_file();
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++)
		look(&identities[i]);
	return 0;
}
