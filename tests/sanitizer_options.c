// SPDX-License-Identifier: Apache-2.0
/* Where a test hides /proc from the sanitized sensor, LeakSanitizer can't work: it is told so, and only there. */
#include <unistd.h>

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	return access("/proc/self", F_OK) != 0;
}
