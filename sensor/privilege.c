// SPDX-License-Identifier: Apache-2.0
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Since 5.8; before, CAP_SYS_ADMIN covered both. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* The user and the group that own nothing. */
enum { NOBODY = 65534 };

static bool held(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* PR_CAPBSET_READ fails for a capability that this kernel does not know. */
static bool known(unsigned long capability)
{
	return prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
}

bool privilege_missing(char *missing, size_t size)
{
	if (capng_get_caps_process() || held(CAP_SYS_ADMIN))
		return false;
	if (!known(CAP_BPF)) {
		snprintf(missing, size, "CAP_SYS_ADMIN");
		return true;
	}
	if (held(CAP_BPF) && held(CAP_PERFMON))
		return false;
	snprintf(missing, size, "%s%s%s", held(CAP_BPF) ? "" : "CAP_BPF",
		 !held(CAP_BPF) && !held(CAP_PERFMON) ? ", " : "",
		 held(CAP_PERFMON) ? "" : "CAP_PERFMON");
	return true;
}

/* The file reads "none [integrity] confidentiality": the mode in force is in brackets. */
bool privilege_lockdown(char *mode, size_t size)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "", *open, *close;

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	open = strchr(line, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!close || !strncmp(open, "[none]", 6))
		return false;
	*close = 0;
	snprintf(mode, size, "%s", open + 1);
	return !strcmp(mode, "confidentiality");
}

/*
 * Debian's and Ubuntu's kernels have a level 3, and a 4, of kernel.perf_event_paranoid, at
 * which CAP_PERFMON does not do.
 */
static unsigned perf_capability(void)
{
	FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
	int level = 0;

	if (f && fscanf(f, "%d", &level) != 1)
		level = 0;
	if (f)
		fclose(f);
	return level > 2 ? CAP_SYS_ADMIN : CAP_PERFMON;
}

int privilege_drop(bool perf_events)
{
	/* bpf(2): with unprivileged_bpf_disabled even reading a map by descriptor wants one. */
	unsigned keep[] = {CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, perf_capability()};
	int count = perf_events ? 4 : 3;
	bool had[4], bounds;

	if (capng_get_caps_process())
		return -EINVAL;
	if (!known(CAP_BPF) || !held(CAP_BPF))
		keep[0] = CAP_SYS_ADMIN;
	for (int i = 0; i < count; i++)
		had[i] = known(keep[i]) && held(keep[i]);
	bounds = held(CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_BOTH);
	for (int i = 0; i < count; i++)
		if (had[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, keep[i]);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return capng_apply(bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* A user id of 0, though without capabilities, owns the system's files. */
static int become_nobody(void)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved))
		return -errno;
	if (real && effective && saved)
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

int privilege_abandon(void)
{
	int err = become_nobody();

	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	if (capng_get_caps_process())
		return -EINVAL;
	capng_clear(CAPNG_SELECT_CAPS);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}
