// SPDX-License-Identifier: Apache-2.0
#include "truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const char *const truth_ns_names[NS_COUNT] = { "mnt", "pid", "net", "uts", "ipc", "user", "cgroup", "time" };

static const char deleted_suffix[] = " (deleted)";

static char *truth_path(char *buf, size_t size, pid_t pid, const char *name)
{
	snprintf(buf, size, "/proc/%d/%s", pid, name);
	return buf;
}

static bool truth_file(pid_t pid, const char *name, struct bytes *out)
{
	char path[64];

	return bytes_read_file(truth_path(path, sizeof(path), pid, name), out);
}

/* "pts0" for /dev/pts/0, as the kernel names its ttys; others by what sysfs calls the device. */
static void truth_read_terminal(struct truth *t, int tty)
{
	unsigned int number = (unsigned int)tty;
	unsigned int major_number = number >> 8 & 0xfff, minor_number = (number & 0xff) | (number >> 12 & 0xfff00);
	char path[64];
	struct bytes uevent;
	char *name;

	if (!tty)
		return;
	strcpy(t->terminal, "?");
	if (major_number >= 136 && major_number <= 143) {
		snprintf(t->terminal, sizeof(t->terminal), "pts%u", minor_number + (major_number - 136) * 256);
		return;
	}
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/uevent", major_number, minor_number);
	if (!bytes_read_file(path, &uevent))
		return;
	name = strstr(uevent.data, "DEVNAME=");
	if (name)
		sscanf(name, "DEVNAME=%63s", t->terminal);
	bytes_free(&uevent);
}

static void truth_read_stat(struct truth *t)
{
	struct bytes stat_line;
	char *fields;
	int tty = 0;

	assert_true(truth_file(t->pid, "stat", &stat_line));
	/* A comm may hold parentheses and newlines: the last one closes it. */
	fields = strrchr(stat_line.data, ')');
	assert_non_null(fields);
	assert_int_equal(sscanf(fields, ") %*c %d %d %d %d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
				&t->ppid, &t->pgid, &t->sid, &tty, &t->start_ticks), 5);
	bytes_free(&stat_line);
	truth_read_terminal(t, tty);
}

uint64_t truth_start_ticks(pid_t pid)
{
	struct bytes stat_line;
	uint64_t ticks = 0;

	if (!truth_file(pid, "stat", &stat_line))
		return 0;
	sscanf(strrchr(stat_line.data, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64, &ticks);
	bytes_free(&stat_line);
	return ticks;
}

static const char *truth_status_value(const char *status, const char *key)
{
	char line[32];
	const char *at;

	snprintf(line, sizeof(line), "\n%s:", key);
	at = strstr(status, line);
	if (!at)
		fail_msg("/proc/PID/status has no %s", key);
	return at + strlen(line);
}

static void truth_read_status(struct truth *t)
{
	struct bytes status;
	const char *pids;

	assert_true(truth_file(t->pid, "status", &status));
	sscanf(truth_status_value(status.data, "Uid"), "%u %u %u %u", &t->uid, &t->euid, &t->suid, &t->fsuid);
	sscanf(truth_status_value(status.data, "Gid"), "%u %u %u %u", &t->gid, &t->egid, &t->sgid, &t->fsgid);
	sscanf(truth_status_value(status.data, "CapEff"), "%16s", t->cap_effective);
	sscanf(truth_status_value(status.data, "CapPrm"), "%16s", t->cap_permitted);
	sscanf(truth_status_value(status.data, "CapInh"), "%16s", t->cap_inheritable);
	pids = truth_status_value(status.data, "NSpid");
	for (int n = 0, pid; sscanf(pids, "%*[ \t]%d%n", &pid, &n) == 1; pids += n)
		t->namespace_pid = pid;
	bytes_free(&status);
}

static uint32_t truth_read_id(pid_t pid, const char *name)
{
	struct bytes text;
	uint32_t id = TRUTH_UNSET;

	if (!truth_file(pid, name, &text))
		return TRUTH_UNSET;
	sscanf(text.data, "%u", &id);
	bytes_free(&text);
	return id;
}

static void truth_read_namespaces(struct truth *t)
{
	for (int i = 0; i < NS_COUNT; i++) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", t->pid, truth_ns_names[i]);
		t->ns[i] = stat(path, &st) ? 0 : st.st_ino;
	}
}

/* Cuts " (deleted)" off a link of /proc, unless the file is really called that. true if it was cut off. */
static bool truth_cut_deleted(pid_t pid, struct bytes *link, const struct stat *target)
{
	size_t suffix = strlen(deleted_suffix);
	struct stat st;
	char *named;
	bool real;

	if (link->len < suffix || strcmp(link->data + link->len - suffix, deleted_suffix))
		return false;
	if (asprintf(&named, "/proc/%d/root%s", pid, link->data) < 0)
		abort();
	real = lstat(named, &st) == 0 && st.st_ino == target->st_ino && st.st_dev == target->st_dev;
	free(named);
	if (real)
		return false;
	link->len -= suffix;
	link->data[link->len] = '\0';
	return true;
}

static void truth_read_links(struct truth *t)
{
	char path[64];
	struct stat st;

	assert_true(bytes_read_link(truth_path(path, sizeof(path), t->pid, "exe"), &t->exe));
	assert_return_code(stat(path, &t->exe_stat), errno);
	t->deleted = truth_cut_deleted(t->pid, &t->exe, &t->exe_stat);
	assert_true(bytes_read_link(truth_path(path, sizeof(path), t->pid, "cwd"), &t->cwd));
	assert_return_code(stat(path, &st), errno);
	truth_cut_deleted(t->pid, &t->cwd, &st);
}

/* The program is its first mapping: interpreter and libraries lie above it. */
static void truth_read_mapping(struct truth *t)
{
	struct bytes maps;

	assert_true(truth_file(t->pid, "maps", &maps));
	assert_int_equal(sscanf(maps.data, "%*s %*s %*s %x:%x %" SCNu64, &t->exe_major, &t->exe_minor, &t->exe_inode), 3);
	bytes_free(&maps);
}

static void truth_read_fs(struct truth *t)
{
	char device[32], *save = NULL;
	struct bytes info;

	snprintf(device, sizeof(device), " %u:%u ", t->exe_major, t->exe_minor);
	assert_true(truth_file(t->pid, "mountinfo", &info));
	for (char *line = strtok_r(info.data, "\n", &save); line && !t->fs[0]; line = strtok_r(NULL, "\n", &save)) {
		const char *type = strstr(line, " - ");

		if (strstr(line, device) && type)
			sscanf(type, " - %63s", t->fs);
	}
	bytes_free(&info);
}

/*
 * A cgroup's 64-bit id: its file handle (since 4.14); from 5.5 on it is the inode number as well, before that its upper half
 * counts how often the number was used.
 */
static uint64_t truth_cgroup_id(const char *dir)
{
	union {
		struct file_handle head;
		unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	uint64_t id;
	struct stat st;
	int mount_id;

	if (!name_to_handle_at(AT_FDCWD, dir, &handle.head, &mount_id, 0) && handle.head.handle_bytes == sizeof(id)) {
		memcpy(&id, handle.head.f_handle, sizeof(id));
		return id;
	}
	return stat(dir, &st) ? 0 : st.st_ino;
}

static void truth_read_cgroup(struct truth *t, const char *cgroup_mount)
{
	struct bytes groups;
	char *at, *dir;

	if (!truth_file(t->pid, "cgroup", &groups))
		return;
	at = strncmp(groups.data, "0::", 3) ? strstr(groups.data, "\n0::") : groups.data;
	if (at && sscanf(at, " 0::%m[^\n]", &t->cgroup) == 1 && cgroup_mount) {
		if (asprintf(&dir, "%s%s", cgroup_mount, t->cgroup) < 0)
			abort();
		t->cgroup_id = truth_cgroup_id(dir);
		free(dir);
	}
	bytes_free(&groups);
}

void truth_read(struct truth *t, pid_t pid, const char *cgroup_mount)
{
	*t = (struct truth){ .pid = pid };
	truth_read_stat(t);
	truth_read_status(t);
	t->loginuid = truth_read_id(pid, "loginuid");
	t->sessionid = truth_read_id(pid, "sessionid");
	truth_read_namespaces(t);
	assert_true(truth_file(pid, "comm", &t->comm));
	t->comm.data[--t->comm.len] = '\0'; /* the newline /proc adds */
	assert_true(truth_file(pid, "cmdline", &t->cmdline));
	truth_read_links(t);
	truth_read_mapping(t);
	truth_read_fs(t);
	truth_read_cgroup(t, cgroup_mount);
}

void truth_free(struct truth *t)
{
	bytes_free(&t->comm);
	bytes_free(&t->cmdline);
	bytes_free(&t->cwd);
	bytes_free(&t->exe);
	free(t->cgroup);
}
