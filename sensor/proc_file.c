// SPDX-License-Identifier: Apache-2.0
#include "proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int proc_file_open(uint32_t tgid)
{
	char path[32];
	int dir;

	snprintf(path, sizeof(path), "/proc/%u", tgid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

ssize_t proc_file_read(int dir, const char *name, char *data, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, data, size);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

/* Field number of a stat line; at is the last byte of its second field, comm. 0 if there is none. */
static uint64_t stat_field(const char *at, int number)
{
	for (int i = 2; at && i < number; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* The second field is (comm), which may hold ')', spaces and newlines; only numbers follow it. */
int proc_file_stat(int fd, struct proc_stat *stat)
{
	char line[1024], *open, *close;
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	if (n < 0)
		return -errno;
	line[n] = 0;
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (!open || !close || close <= open || (size_t)(close - open) > sizeof(stat->comm))
		return -ESRCH;
	*close = 0;
	strcpy(stat->comm, open + 1);
	stat->ppid = stat_field(close, 4);
	stat->pgid = stat_field(close, 5);
	stat->sid = stat_field(close, 6);
	stat->tty = stat_field(close, 7);
	stat->start = stat_field(close, 22);
	stat->stack = stat_field(close, 28);
	return 0;
}

uint64_t proc_ticks(uint64_t ns)
{
	return ns / (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

struct slice proc_file_argv(int dir, char *argv, char *again)
{
	int fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	bool same;
	ssize_t n;

	if (fd < 0)
		return (struct slice){0};
	n = pread(fd, argv, ARGV_MAX, 0);
	/* Empty: a zombie's, or a kernel thread's. */
	same = n > 0 && n < ARGV_MAX && pread(fd, again, ARGV_MAX, 0) == n &&
	       !memcmp(argv, again, (size_t)n);
	close(fd);
	return same ? (struct slice){argv, (size_t)n} : (struct slice){0};
}

/* ---------------------------------------------------------------------- lines */

int proc_lines_open(struct proc_lines *lines, int dir, const char *name, size_t step)
{
	lines->fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	lines->step = step;
	lines->left = PROC_LINES_MAX;
	lines->at = lines->len = 0;
	lines->skip = false;
	return lines->fd < 0 ? -errno : 0;
}

void proc_lines_close(struct proc_lines *lines)
{
	close(lines->fd);
}

/* Reads on. What has not been given out yet moves to the front. */
static bool lines_fill(struct proc_lines *lines)
{
	size_t room;
	ssize_t n;

	lines->len -= lines->at;
	memmove(lines->data, lines->data + lines->at, lines->len);
	lines->at = 0;
	if (lines->len == sizeof(lines->data)) {
		lines->skip = true;
		lines->len = 0;
	}
	room = sizeof(lines->data) - lines->len;
	if (room > lines->step)
		room = lines->step;
	if (room > lines->left)
		room = lines->left;
	n = room ? read(lines->fd, lines->data + lines->len, room) : 0;
	if (n <= 0)
		return false;
	lines->len += (size_t)n;
	lines->left -= (size_t)n;
	return true;
}

char *proc_lines_next(struct proc_lines *lines)
{
	char *line, *end;

	for (;;) {
		line = lines->data + lines->at;
		end = memchr(line, '\n', lines->len - lines->at);
		if (!end) {
			if (!lines_fill(lines))
				return NULL;
			continue;
		}
		lines->at = (size_t)(end - lines->data) + 1;
		if (lines->skip) { /* the end of a line that was too long */
			lines->skip = false;
			continue;
		}
		*end = 0;
		return line;
	}
}

/* ---------------------------------------------------------------------- links */

/* The id of the mount that descriptor fd is on; 0 if it can't be told. */
static unsigned long mount_id(int fd)
{
	static const char key[] = "mnt_id:";
	char name[32], info[512], *at;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	n = proc_file_read(AT_FDCWD, name, info, sizeof(info) - 1);
	if (n < 0)
		return 0;
	info[n] = 0;
	at = strstr(info, key);
	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

/*
 * True if the mount that a link leads to is in the process's own tree of mounts, not one
 * that was taken out of it or is another namespace's. The descriptor keeps it, and so
 * its id, while the list is looked through.
 */
static bool mount_listed(int dir, const char *name, struct proc_lines *lines)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC);
	unsigned long id = fd < 0 ? 0 : mount_id(fd);
	bool found = false;
	char *line;

	if (id && !proc_lines_open(lines, dir, "mountinfo", PROC_LINE_MAX)) {
		while (!found && (line = proc_lines_next(lines)))
			found = strtoul(line, NULL, 10) == id;
		proc_lines_close(lines);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * The kernel marks a deleted file with a suffix that a file's name may also end in. If it
 * does not, and no link is left, the suffix is the kernel's. Where neither is so, the
 * path is unknown: the file may still have other names.
 */
void proc_file_link(int dir, const char *name, char room[PROC_LINK_BYTES], struct proc_lines *lines,
		    struct proc_link *link)
{
	static const char root[] = "root", deleted[] = " (deleted)";
	const size_t prefix = sizeof(root) - 1, suffix = sizeof(deleted) - 1;
	char *path = room + prefix;
	struct stat found;
	ssize_t n;

	*link = (struct proc_link){0};
	link->has_stat = !fstatat(dir, name, &link->stat, 0);
	n = readlinkat(dir, name, path, PROC_LINK_BYTES - prefix - 1);
	if (n <= 0 || path[0] != '/')
		return;
	memcpy(room, root, prefix);
	path[n] = 0;
	link->shown = link->path = (struct slice){path, (size_t)n};
	link->whole = link->has_stat &&
		      !fstatat(dir, room, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) &&
		      same_file(&found, &link->stat);
	if (link->whole || (size_t)n <= suffix || memcmp(path + n - suffix, deleted, suffix))
		return;
	link->deleted = link->has_stat && !link->stat.st_nlink;
	if (!link->deleted) {
		link->path = (struct slice){0};
		return;
	}
	link->path.len -= suffix;
	link->whole = mount_listed(dir, name, lines);
}
