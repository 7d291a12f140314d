// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

void counters_line(struct text *t, const struct counters *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"attempted=", c->attempted},
		{" received=", c->received},
		{" lost_kernel=", c->lost_kernel},
		{" hook_missed=", c->hook_missed},
		{" malformed_events=", c->malformed_events},
		{" emitted=", c->emitted},
		{" failed_sink=", c->failed_sink},
		{" suppressed=", c->suppressed},
		{" pending_kernel=", c->pending_kernel},
		{" pending_user=", c->pending_user},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		text_str(t, all[i].name);
		text_u64(t, all[i].value);
	}
}
