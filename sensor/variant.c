// SPDX-License-Identifier: Apache-2.0
#include "variant.h"

#include <string.h>

const struct variant variants[] = {
	{
		.name = "exec.raw_tp.ringbuf.core",
		.attach = "raw_tp",
		.transport = "ringbuf",
		.access = "core",
		.program = "exec_raw_tp_ringbuf_core",
		.needs = NEED_BTF,
	},
	{
		.name = "exec.tp.ringbuf.core",
		.attach = "tp",
		.transport = "ringbuf",
		.access = "core",
		.program = "exec_tp_ringbuf_core",
		.needs = NEED_BTF | NEED_TRACEFS,
	},
};
const size_t variant_count = sizeof(variants) / sizeof(variants[0]);

static bool rung_allowed(const char *rung, const char *forced)
{
	return !forced || !strcmp(rung, forced);
}

bool variant_allowed(const struct variant *variant, const struct variant_force *force)
{
	return rung_allowed(variant->attach, force->attach) &&
	       rung_allowed(variant->transport, force->transport) &&
	       rung_allowed(variant->access, force->access);
}
