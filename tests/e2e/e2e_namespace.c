// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* A subject in a new namespace of one kind: its inode differs from the test's own, and the event has it. */
static struct observed *observe_namespace(struct e2e *e, unsigned long flag, enum truth_ns kind)
{
	struct observed *plain = observe(e, &(struct subject_plan){ 0 });
	struct observed *o = observe(e, &(struct subject_plan){ .clone_flags = flag });

	assert_int_not_equal(o->truth.ns[kind], 0);
	assert_int_not_equal(o->truth.ns[kind], plain->truth.ns[kind]);
	return o;
}

static void a_mount_namespace_is_told(void **state)
{
	observe_namespace(*state, CLONE_NEWNS, NS_MNT);
}

static void in_a_pid_namespace_both_pids_are_told(void **state)
{
	struct observed *o = observe_namespace(*state, CLONE_NEWPID, NS_PID);

	assert_int_equal(o->truth.namespace_pid, 1);
	assert_int_not_equal(o->truth.pid, 1);
}

static int unshare_children(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWPID) ? -errno : 0;
}

static void the_pid_namespace_is_the_active_one_not_the_childrens(void **state)
{
	struct observed *plain = observe(*state, &(struct subject_plan){ 0 });
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = unshare_children });

	assert_int_equal(o->truth.ns[NS_PID], plain->truth.ns[NS_PID]);
}

static void a_network_namespace_is_told(void **state)
{
	observe_namespace(*state, CLONE_NEWNET, NS_NET);
}

static void a_uts_namespace_is_told(void **state)
{
	observe_namespace(*state, CLONE_NEWUTS, NS_UTS);
}

static void an_ipc_namespace_is_told(void **state)
{
	observe_namespace(*state, CLONE_NEWIPC, NS_IPC);
}

static void a_user_namespace_is_told_and_ids_stay_the_hosts(void **state)
{
	observe_namespace(*state, CLONE_NEWUSER, NS_USER);
}

static void a_cgroup_namespace_is_told(void **state)
{
	if (access("/proc/self/ns/cgroup", F_OK))
		e2e_skip("this kernel has no cgroup namespaces (4.6)");
	observe_namespace(*state, CLONE_NEWCGROUP, NS_CGROUP);
}

static int unshare_time(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWTIME) ? -errno : 0;
}

/* An hour further on the boot clock: the event's times and keys stay the host's. */
static int shift_time(void *arg)
{
	static const char offset[] = "boottime 3600 0\nmonotonic 3600 0\n";
	int why = unshare_time(arg), fd;

	if (why)
		return why;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, offset, sizeof(offset) - 1) < 0 ? -errno : 0;
}

static void in_a_shifted_time_namespace_times_stay_the_hosts(void **state)
{
	if (access("/proc/self/timens_offsets", F_OK))
		e2e_skip("this kernel has no time namespaces (5.6, CONFIG_TIME_NS)");
	observe(*state, &(struct subject_plan){ .prepare = shift_time });
}

static void the_time_namespace_after_the_exec_is_told(void **state)
{
	struct e2e *e = *state;
	struct subject *s;

	if (access("/proc/self/ns/time", F_OK))
		e2e_skip("this kernel has no time namespaces (5.6, CONFIG_TIME_NS)");
	s = subject_start(e, &(struct subject_plan){ .prepare = unshare_time });
	observe_subject(e, s);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(a_mount_namespace_is_told),
	E2E_TEST(in_a_pid_namespace_both_pids_are_told),
	E2E_TEST(the_pid_namespace_is_the_active_one_not_the_childrens),
	E2E_TEST(a_network_namespace_is_told),
	E2E_TEST(a_uts_namespace_is_told),
	E2E_TEST(an_ipc_namespace_is_told),
	E2E_TEST(a_user_namespace_is_told_and_ids_stay_the_hosts),
	E2E_TEST(a_cgroup_namespace_is_told),
	E2E_TEST(in_a_shifted_time_namespace_times_stay_the_hosts),
	E2E_TEST(the_time_namespace_after_the_exec_is_told),
};
const struct e2e_tests e2e_namespace_tests = E2E_TESTS(tests);
