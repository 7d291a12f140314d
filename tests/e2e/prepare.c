// SPDX-License-Identifier: Apache-2.0
#include "prepare.h"
#include "workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int prepare_four_ids(void *arg)
{
	(void)arg;
	return setresgid(1001, 1002, 1003) || setresuid(2001, 2002, 2003) ? -errno : 0;
}

int prepare_nobody(void *arg)
{
	(void)arg;
	return setresgid(4002, 4002, 4002) || setresuid(4001, 4001, 4001) ? -errno : 0;
}

/* Three capabilities leave the bounding set, one becomes inheritable: the three sets then differ. */
int prepare_capabilities(void *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	(void)arg;
	if (prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) || prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) ||
	    prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) || syscall(SYS_capget, &header, data))
		return -errno;
	data[0].inheritable = 1U << CAP_NET_RAW;
	data[1].inheritable = 0;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int prepare_group(void *arg)
{
	(void)arg;
	return setpgid(0, 0) ? -errno : 0;
}

/* Moves the child into a cgroup before the exec; arg is the cgroup's directory. */
int prepare_cgroup(void *arg)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", (const char *)arg);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

int prepare_removed_directory(void *arg)
{
	return chdir(arg) || rmdir(arg) ? -errno : 0;
}

struct thread_exec {
	const char *path;
	char *const *argv, *const *envp;
};

static void *exec_in_thread(void *arg)
{
	const struct thread_exec *t = arg;

	execve(t->path, t->argv, t->envp);
	return NULL;
}

int prepare_exec_from_thread(const char *path, char *const argv[], char *const envp[])
{
	struct thread_exec arg = { path, argv, envp };
	pthread_t thread;

	errno = pthread_create(&thread, NULL, exec_in_thread, &arg);
	if (!errno)
		pthread_join(thread, NULL);
	return -1;
}

int prepare_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

int prepare_exec_after_vfork(const char *path, char *const argv[], char *const envp[])
{
	pid_t pid = vfork();

	if (!pid) {
		execve(path, argv, envp);
		_exit(127);
	}
	return prepare_wait(pid);
}

static int prepare_hidden(const char *path)
{
	int why = mounts_private();

	if (!why)
		why = mounts_hide(path);
	return why == -ENOENT ? 0 : why;
}

int prepare_without_btf(void *arg)
{
	(void)arg;
	return prepare_hidden("/sys/kernel/btf");
}

int prepare_without_sys(void *arg)
{
	(void)arg;
	return prepare_hidden("/sys");
}

int prepare_without_tracefs(void *arg)
{
	int why = mounts_private();

	(void)arg;
	while (!why && (!umount2("/sys/kernel/tracing", MNT_DETACH) || !umount2("/sys/kernel/debug", MNT_DETACH)))
		;
	return why;
}

int prepare_with_tracefs(void *arg)
{
	int why = prepare_without_tracefs(arg);

	return why || !mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) ? why : -errno;
}
