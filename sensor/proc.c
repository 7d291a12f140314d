// SPDX-License-Identifier: Apache-2.0
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc_file.h"

/* Inode numbers of the initial namespaces: include/linux/proc_ns.h (3.8, time 5.6). */
#define PROC_USER_INIT_INO 0xEFFFFFFDU
#define PROC_PID_INIT_INO 0xEFFFFFFCU
#define PROC_TIME_INIT_INO 0xEFFFFFFAU

int proc_is_initial(const char *name)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (stat(path, &st))
		return -errno;
	return st.st_ino == (*name == 'p' ? PROC_PID_INIT_INO :
			     *name == 'u' ? PROC_USER_INIT_INO :
					    PROC_TIME_INIT_INO);
}

bool proc_is_own(void)
{
	char self[32] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
	       strtol(self, NULL, 10) == (long)getpid();
}

bool proc_is_host(void)
{
	if (proc_is_initial("pid") != 1 || !proc_is_initial("user") || !proc_is_initial("time"))
		return false;
	return proc_is_own();
}

/* startstack is shown as 0 to who may not trace the process. */
static int is_process(int fd, uint64_t start_ns, const char *comm, uint64_t stack)
{
	struct proc_stat stat;
	int err = proc_file_stat(fd, &stat);

	if (err)
		return err;
	if (stack && stat.stack ? stat.stack != stack : strcmp(stat.comm, comm) != 0)
		return -ESRCH;
	return stat.start == proc_ticks(start_ns) ? 0 : -ESRCH;
}

/*
 * The kernel marks a deleted executable with a suffix that a file's name may also end
 * in. A link count of zero, read before the name, proves that the suffix is the
 * kernel's; where it proves nothing, the path is unknown.
 */
static struct slice read_exe(int dir, char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	const size_t suffix = sizeof(deleted) - 1;
	struct slice exe = {0};
	struct stat st;
	bool gone = !fstatat(dir, "exe", &st, 0) && !st.st_nlink;
	ssize_t n = readlinkat(dir, "exe", path, size);

	if (n <= 0 || (size_t)n >= size || path[0] != '/')
		return exe;
	if ((size_t)n > suffix && !memcmp(path + n - suffix, deleted, suffix)) {
		if (!gone)
			return exe;
		n -= (ssize_t)suffix;
	}
	return (struct slice){path, (size_t)n};
}

int proc_read(uint32_t tgid, uint64_t start_ns, const char *comm, uint64_t stack,
	      struct proc_buffer *buffer, struct proc_process *process)
{
	int dir = proc_file_open(tgid), fd, err;

	*process = (struct proc_process){0};
	if (dir < 0)
		return dir;
	fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : is_process(fd, start_ns, comm, stack);
	if (!err) {
		process->exe = read_exe(dir, buffer->exe, sizeof(buffer->exe));
		process->argv = proc_file_argv(dir, buffer->argv, buffer->again);
		err = is_process(fd, start_ns, comm, stack);
	}
	if (fd >= 0)
		close(fd);
	close(dir);
	return err;
}
