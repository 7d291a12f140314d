// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void all_ids_are_told_apart(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = prepare_four_ids });

	/* That the truth is what was asked for: the kernel sets the saved ids to the effective ones. */
	assert_int_equal(o->truth.uid, 2001);
	assert_int_equal(o->truth.euid, 2002);
	assert_int_equal(o->truth.gid, 1001);
	assert_int_equal(o->truth.egid, 1002);
}

static int become_the_highest(void *arg)
{
	(void)arg;
	return setresgid(4294967294U, 4294967293U, 4294967293U) || setresuid(4294967292U, 4294967291U, 4294967291U) ?
		       -errno : 0;
}

static void ids_above_two_to_the_31_are_positive(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = become_the_highest });

	assert_true(o->truth.gid == 4294967294U && o->truth.euid == 4294967291U);
}

static void a_set_uid_program_has_its_owners_effective_ids(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/setuid", workspace_scratch(&e->ws));
	struct observed *o;

	workspace_copy_program(path);
	assert_return_code(chown(path, 3001, 3002), errno);
	assert_return_code(chmod(path, 06755), errno);
	o = observe(e, &(struct subject_plan){ .path = path, .prepare = prepare_nobody });
	assert_int_equal(o->truth.uid, 4001);
	assert_int_equal(o->truth.euid, 3001);
	assert_int_equal(o->truth.egid, 3002);
}

static void capabilities_are_told(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = prepare_capabilities });

	assert_string_equal(o->truth.cap_inheritable, "0000000000002000");
	assert_string_not_equal(o->truth.cap_permitted, "0000000000000000");
}

static int lose_capabilities(void *arg)
{
	(void)arg;
	return setresuid(2001, 2001, 2001) ? -errno : 0;
}

static void no_capabilities_are_told_as_zeroes(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = lose_capabilities });

	assert_string_equal(o->truth.cap_effective, "0000000000000000");
}

static int log_in(void *arg)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	(void)arg;
	return fd < 0 || write(fd, "5005", 4) != 4 ? -errno : 0;
}

static void login_uid_and_audit_session_are_told(void **state)
{
	struct e2e *e = *state;
	struct observed *o;

	if (access("/proc/self/loginuid", F_OK))
		e2e_skip("this kernel has no audit (CONFIG_AUDIT)");
	o = observe(e, &(struct subject_plan){ .prepare = log_in });
	assert_int_equal(o->truth.loginuid, 5005);
	assert_int_not_equal(o->truth.sessionid, TRUTH_UNSET);
}

static int take_terminal(void *arg)
{
	int *master = arg, slave;

	if (setsid() < 0)
		return -errno;
	slave = open(ptsname(*master), O_RDWR | O_CLOEXEC);
	return slave < 0 || ioctl(slave, TIOCSCTTY, 0) ? -errno : 0;
}

static void the_controlling_terminal_is_told(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct observed *o;

	assert_return_code(master, errno);
	assert_return_code(grantpt(master), errno);
	assert_return_code(unlockpt(master), errno);
	o = observe(*state, &(struct subject_plan){ .prepare = take_terminal, .arg = &master });
	assert_int_equal(strncmp(o->truth.terminal, "pts", 3), 0);
	assert_int_equal(o->truth.sid, o->subject->pid);
	close(master);
}

static void process_group_and_session_are_told(void **state)
{
	struct observed *o = observe(*state, &(struct subject_plan){ .prepare = prepare_group });

	assert_int_equal(o->truth.pgid, o->subject->pid);
	assert_int_not_equal(o->truth.sid, o->subject->pid);
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(all_ids_are_told_apart),
	E2E_TEST(ids_above_two_to_the_31_are_positive),
	E2E_TEST(a_set_uid_program_has_its_owners_effective_ids),
	E2E_TEST(capabilities_are_told),
	E2E_TEST(no_capabilities_are_told_as_zeroes),
	E2E_TEST(login_uid_and_audit_session_are_told),
	E2E_TEST(the_controlling_terminal_is_told),
	E2E_TEST(process_group_and_session_are_told),
};
const struct e2e_tests e2e_identity_tests = E2E_TESTS(tests);
