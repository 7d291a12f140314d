// SPDX-License-Identifier: Apache-2.0
/* counters.c and host.c: small tables that others build on. */
#include "builder.h"
#include "counters.h"
#include "host.h"

#include <stdio.h>
#include <sys/utsname.h>

/* Contract 9: the names, and that each has its own value. */
static void every_counter_is_in_the_line_under_its_name(void **state)
{
	struct counters counters = {
		.attempted = 1, .received = 2, .lost_kernel = 3, .hook_missed = 4,
		.malformed_events = 5, .emitted = 6, .failed_sink = 7, .suppressed = 8,
		.pending_kernel = 9, .pending_user = UINT64_MAX,
	};
	struct text line = {0};

	(void)state;
	counters_line(&line, &counters);
	text_char(&line, 0);
	assert_string_equal(line.data,
			    "attempted=1 received=2 lost_kernel=3 hook_missed=4 malformed_events=5 "
			    "emitted=6 failed_sink=7 suppressed=8 pending_kernel=9 "
			    "pending_user=18446744073709551615");
	text_free(&line);
}

static void the_host_is_the_one_this_test_runs_on(void **state)
{
	char boot_id[64] = "";
	struct utsname uts;
	struct host host;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(boot_id, sizeof(boot_id), f));
	fclose(f);
	boot_id[strcspn(boot_id, "\n")] = 0;
	uname(&uts);
	memset(&host, 0xff, sizeof(host));
	host_read(&host);
	assert_string_equal(host.boot_id, boot_id);
	assert_string_equal(host.hostname, uts.nodename);
	assert_string_equal(host.release, uts.release);
	assert_true(strlen(host.os_name) > 0);
	assert_true(!host.machine_id[0] || (strlen(host.machine_id) == 32 &&
					    strspn(host.machine_id, "0123456789abcdef") == 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_is_in_the_line_under_its_name),
		cmocka_unit_test(the_host_is_the_one_this_test_runs_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
