// SPDX-License-Identifier: Apache-2.0
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Inode number of the initial pid namespace: PROC_PID_INIT_INO, include/linux/proc_ns.h (3.8). */
#define PROC_PID_INIT_INO 0xEFFFFFFCU
/* The same of the time namespace: PROC_TIME_INIT_INO (5.6). */
#define PROC_TIME_INIT_INO 0xEFFFFFFAU

bool proc_is_host(void)
{
	char self[32] = "";
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino != PROC_PID_INIT_INO)
		return false;
	if (!stat("/proc/self/ns/time", &st) && st.st_ino != PROC_TIME_INIT_INO)
		return false;
	return readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
	       strtol(self, NULL, 10) == (long)getpid();
}

/* Reads a whole small file below dir. Returns its length, at most size, or -errno. */
static ssize_t read_file(int dir, const char *name, char *data, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size && (n = read(fd, data + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		len += (size_t)n;
	}
	close(fd);
	return (ssize_t)len;
}

/* Field number of a stat line; at is the last byte of its second field, comm. 0 if there is none. */
static uint64_t stat_field(const char *at, int number)
{
	for (int i = 2; at && i < number; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* proc(5): the second field is (comm), which may hold ')' and spaces; 22 starttime, 28 startstack. */
static int is_process(int dir, uint64_t start_ns, const char *comm, uint64_t stack)
{
	uint64_t tick_ns = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK), shown;
	char stat[1024], *open, *close;
	ssize_t n = read_file(dir, "stat", stat, sizeof(stat) - 1);

	if (n < 0)
		return (int)n;
	stat[n] = 0;
	open = strchr(stat, '(');
	close = strrchr(stat, ')');
	if (!open || !close || close < open)
		return -ESRCH;
	*close = 0;
	/* startstack is shown as 0 to who may not trace the process. */
	shown = stat_field(close, 28);
	if (stack && shown ? shown != stack : strcmp(open + 1, comm) != 0)
		return -ESRCH;
	return stat_field(close, 22) == start_ns / tick_ns ? 0 : -ESRCH;
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

/* The arguments, if they are whole, and the same twice: a process may write over them. */
static struct slice read_argv(int dir, struct proc_buffer *buffer)
{
	ssize_t n = read_file(dir, "cmdline", buffer->argv, sizeof(buffer->argv));

	if (n <= 0 || n == sizeof(buffer->argv)) /* empty: a zombie's, or a kernel thread's */
		return (struct slice){0};
	if (read_file(dir, "cmdline", buffer->again, sizeof(buffer->again)) != n ||
	    memcmp(buffer->argv, buffer->again, (size_t)n))
		return (struct slice){0};
	return (struct slice){buffer->argv, (size_t)n};
}

int proc_read(uint32_t tgid, uint64_t start_ns, const char *comm, uint64_t stack,
	      struct proc_buffer *buffer, struct proc_process *process)
{
	char path[32];
	int dir, err;

	*process = (struct proc_process){0};
	snprintf(path, sizeof(path), "/proc/%u", tgid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	err = is_process(dir, start_ns, comm, stack);
	if (!err) {
		process->exe = read_exe(dir, buffer->exe, sizeof(buffer->exe));
		process->argv = read_argv(dir, buffer);
		err = is_process(dir, start_ns, comm, stack);
	}
	close(dir);
	return err;
}
