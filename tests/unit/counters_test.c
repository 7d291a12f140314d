// SPDX-License-Identifier: Apache-2.0
/* counters.c, variant.c and host.c: small tables that others build on. */
#include "builder.h"
#include "counters.h"
#include "host.h"
#include "variant.h"

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

/* Contract 2: EVENT.ATTACH.TRANSPORT.ACCESS, no two alike. */
static void a_variants_name_is_made_of_its_rungs(void **state)
{
	char want[128];

	(void)state;
	assert_true(variant_count >= 2);
	for (size_t i = 0; i < variant_count; i++) {
		snprintf(want, sizeof(want), "exec.%s.%s.%s", variants[i].attach, variants[i].transport,
			 variants[i].access);
		assert_string_equal(variants[i].name, want);
		for (size_t other = 0; other < i; other++) {
			assert_string_not_equal(variants[i].name, variants[other].name);
			assert_string_not_equal(variants[i].program, variants[other].program);
		}
	}
}

/* Contract 2: access first, then attach, then transport. */
static void better_variants_come_first(void **state)
{
	static const char *const access[] = {"core", "map", "none", NULL};
	static const char *const attach[] = {"raw_tp", "tp", "kprobe", NULL};
	static const char *const transport[] = {"ringbuf", "perfbuf", NULL};
	int last = -1;

	(void)state;
	for (size_t i = 0; i < variant_count; i++) {
		int a = 0, b = 0, c = 0, rank;

		for (; access[a] && strcmp(access[a], variants[i].access); a++)
			;
		for (; attach[b] && strcmp(attach[b], variants[i].attach); b++)
			;
		for (; transport[c] && strcmp(transport[c], variants[i].transport); c++)
			;
		assert_true(access[a] && attach[b] && transport[c]);
		rank = a * 100 + b * 10 + c;
		assert_true(rank > last);
		last = rank;
	}
}

static void a_forced_rung_leaves_only_its_variants(void **state)
{
	struct variant_force none = {0}, attach = {.attach = "tp"}, nowhere = {.transport = "pigeon"},
			     access = {.access = "core"};

	(void)state;
	for (size_t i = 0; i < variant_count; i++) {
		assert_true(variant_allowed(&variants[i], &none));
		assert_int_equal(variant_allowed(&variants[i], &attach),
				 !strcmp(variants[i].attach, "tp"));
		assert_int_equal(variant_allowed(&variants[i], &access),
				 !strcmp(variants[i].access, "core"));
		assert_false(variant_allowed(&variants[i], &nowhere));
	}
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
		cmocka_unit_test(a_variants_name_is_made_of_its_rungs),
		cmocka_unit_test(better_variants_come_first),
		cmocka_unit_test(a_forced_rung_leaves_only_its_variants),
		cmocka_unit_test(the_host_is_the_one_this_test_runs_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
