// SPDX-License-Identifier: Apache-2.0
#include "bpf_programs.h"
#include "bytes.h"
#include "clock.h"

#include <dirent.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

struct program_list programs_list(void)
{
	struct program_list list = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	while (list.n < PROGRAMS_MAX && !syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr))) {
		list.ids[list.n++] = attr.next_id;
		attr.start_id = attr.next_id;
	}
	list.known = list.n == PROGRAMS_MAX || errno == ENOENT;
	return list;
}

static bool programs_have(const struct program_list *list, uint32_t id)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (list->ids[i] == id)
			return true;
	return false;
}

static void programs_add_open(struct program_list *list, pid_t pid, const char *fd)
{
	char path[300];
	struct bytes info;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	if (!bytes_read_file(path, &info))
		return;
	at = strstr(info.data, "prog_id:");
	if (at && list->n < PROGRAMS_MAX)
		list->ids[list->n++] = (uint32_t)strtoul(at + strlen("prog_id:"), NULL, 10);
	bytes_free(&info);
}

struct program_list programs_of(pid_t pid, const struct program_list *before)
{
	struct program_list now = programs_list(), mine = { .known = now.known && before->known };
	char path[64];
	struct dirent *entry;
	DIR *dir;

	if (getenv("E2E_VM")) {
		for (unsigned int i = 0; i < now.n; i++)
			if (!programs_have(before, now.ids[i]))
				mine.ids[mine.n++] = now.ids[i];
		return mine;
	}
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		programs_add_open(&mine, pid, entry->d_name);
	if (dir)
		closedir(dir);
	return mine;
}

bool programs_wait_gone(const struct program_list *list)
{
	uint64_t deadline = clock_deadline(clock_patience_s());

	for (;;) {
		struct program_list now = programs_list();
		bool left = false;

		for (unsigned int i = 0; i < list->n; i++)
			left |= programs_have(&now, list->ids[i]);
		if (!left || clock_passed(deadline))
			return !left;
		clock_sleep_ms(20);
	}
}
