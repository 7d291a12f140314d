// SPDX-License-Identifier: Apache-2.0
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define GROUP "cormorant"

enum { CPUS_MAX = 8192 };

void hook_init(struct hook *hook)
{
	*hook = (struct hook){.tracefs = -1};
}

/* ---------------------------------------------------------------- perf events */

/*
 * The event of a tracepoint or kprobe for the first CPU that takes it: its program is
 * called on all of them (perf_trace_run_bpf_submit), but CPU 0 may be offline.
 */
static int open_event(struct perf_event_attr *attr)
{
	int fd = -1;

	attr->size = sizeof(*attr);
	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		fd = (int)syscall(__NR_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (fd >= 0 || (errno != ENODEV && errno != ENXIO))
			break;
	}
	return fd < 0 ? -errno : fd;
}

static int add_event(struct hook *hook, struct perf_event_attr *attr, int prog)
{
	int fd, err;

	if (hook->count == HOOK_FDS_MAX)
		return -E2BIG;
	fd = open_event(attr);
	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	hook->fds[hook->count++] = fd;
	return 0;
}

/* The whole of a small file below dir as a number, or a negative errno. */
static long long read_number(int dir, const char *path, int base)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return n ? -errno : -EINVAL;
	text[n] = 0;
	return strtoll(text, NULL, base);
}

/* ------------------------------------------------------------------- tracepoints */

int hook_raw_tracepoint(struct hook *hook, int prog, const char *name)
{
	int fd = bpf_raw_tracepoint_open(name, prog);

	if (fd < 0)
		return fd == -1 ? -errno : fd;
	hook->fds[hook->count++] = fd;
	snprintf(hook->text, sizeof(hook->text), "raw tracepoint %s", name);
	return 0;
}

int hook_tracepoint(struct hook *hook, int prog, const char *tracefs, const char *name)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .sample_period = 1};
	char path[PATH_MAX];
	long long id;

	snprintf(path, sizeof(path), "%s/events/%s/id", tracefs, name);
	id = read_number(AT_FDCWD, path, 10);
	if (id < 0)
		return (int)id;
	attr.config = (uint64_t)id;
	snprintf(hook->text, sizeof(hook->text), "tracepoint %s", name);
	return add_event(hook, &attr, prog);
}

/* ----------------------------------------------------------------------- kprobes */

/* /sys/bus/event_source/devices/kprobe/format/retprobe reads "config:0": the bit's number. */
static int retprobe_bit(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/kprobe/format/retprobe", "re");
	int bit = -1;

	if (!f)
		return -1;
	if (fscanf(f, "config:%d", &bit) != 1 || bit < 0 || bit > 63)
		bit = -1;
	fclose(f);
	return bit;
}

static int add_pmu_kprobe(struct hook *hook, int prog, const char *symbol, bool retprobe)
{
	struct perf_event_attr attr = {.config1 = (uintptr_t)symbol, .sample_period = 1};
	long long type = read_number(AT_FDCWD, "/sys/bus/event_source/devices/kprobe/type", 10);
	int bit = retprobe ? retprobe_bit() : 0;

	if (type < 0 || bit < 0)
		return type < 0 ? (int)type : -ENOTSUP;
	attr.type = (uint32_t)type;
	if (retprobe)
		attr.config = 1ULL << bit;
	return add_event(hook, &attr, prog);
}

/* One command to kprobe_events, appended: opened for writing without it, all probes are removed. */
static int probe_command(int tracefs, const char *command)
{
	int fd = openat(tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	ssize_t n, len = (ssize_t)strlen(command);
	int err;

	if (fd < 0)
		return -errno;
	n = write(fd, command, (size_t)len);
	err = n < 0 ? -errno : n == len ? 0 : -EIO;
	close(fd);
	return err;
}

static int probe_remove(int tracefs, const char *name)
{
	char command[HOOK_PROBE_BYTES + 32];

	snprintf(command, sizeof(command), "-:" GROUP "/%s\n", name);
	return probe_command(tracefs, command);
}

/*
 * maxactive (4.12, 696ced4fb1d7): how many calls of execve can be under way before one is
 * missed. The default, two for each CPU, is less than a machine that is loading programs
 * from a slow disk can have.
 */
static int probe_create(int tracefs, const char *name, const char *symbol, bool retprobe)
{
	char command[256];
	int err;

	if (!retprobe) {
		snprintf(command, sizeof(command), "p:" GROUP "/%s %s\n", name, symbol);
		return probe_command(tracefs, command);
	}
	snprintf(command, sizeof(command), "r4096:" GROUP "/%s %s\n", name, symbol);
	err = probe_command(tracefs, command);
	if (err != -EINVAL)
		return err;
	snprintf(command, sizeof(command), "r:" GROUP "/%s %s\n", name, symbol);
	return probe_command(tracefs, command);
}

static int add_tracefs_kprobe(struct hook *hook, int prog, const char *tracefs, const char *symbol,
			      bool retprobe)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .sample_period = 1};
	char *name = hook->probe[hook->probes], path[128];
	long long id;
	int err;

	if (hook->tracefs < 0)
		hook->tracefs = open(tracefs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hook->tracefs < 0)
		return -errno;
	snprintf(name, HOOK_PROBE_BYTES, "exec_%d_%d", (int)getpid(), hook->probes);
	err = probe_create(hook->tracefs, name, symbol, retprobe);
	if (err)
		return err;
	hook->probes++;
	snprintf(path, sizeof(path), "events/" GROUP "/%s/id", name);
	id = read_number(hook->tracefs, path, 10);
	if (id < 0)
		return (int)id;
	attr.config = (uint64_t)id;
	return add_event(hook, &attr, prog);
}

int hook_kprobe(struct hook *hook, int prog, struct features *features, const char *symbol,
		bool retprobe)
{
	bool pmu = feature_get(features, FEATURE_KPROBE_PMU)->answer == FEATURE_YES;
	bool tracefs = feature_get(features, FEATURE_KPROBE_TRACEFS)->answer == FEATURE_YES;
	int err = -EOPNOTSUPP;
	size_t len;

	if (hook->count == HOOK_FDS_MAX || hook->probes == HOOK_FDS_MAX)
		return -E2BIG;
	if (tracefs && (retprobe || !pmu))
		err = add_tracefs_kprobe(hook, prog, features->tracefs, symbol, retprobe);
	if (err && pmu)
		err = add_pmu_kprobe(hook, prog, symbol, retprobe);
	if (err)
		return err;
	hook->retprobe = retprobe;
	len = strlen(hook->text);
	snprintf(hook->text + len, sizeof(hook->text) - len, "%s%s %s%s", len ? ", " : "",
		 retprobe ? "kretprobe" : "kprobe", symbol, hook->probes ? " (tracefs)" : "");
	return 0;
}

void hook_detach(struct hook *hook)
{
	for (int i = 0; i < hook->count; i++)
		close(hook->fds[i]);
	for (int i = 0; i < hook->probes; i++)
		(void)probe_remove(hook->tracefs, hook->probe[i]);
	if (hook->tracefs >= 0)
		close(hook->tracefs);
	hook_init(hook);
}

/*
 * kprobe_profile: a line "NAME HITS MISSED" for each probe. An entry probe is missed only
 * within another probe's handler, where nothing executes; but until 5.14 (ec6aba3d2be1)
 * its faults, too, were counted there.
 */
uint64_t hook_missed(const struct hook *hook)
{
	char line[256], name[128];
	uint64_t hits, missed, sum = 0;
	FILE *f;
	int fd;

	if (!hook->probes || !hook->retprobe)
		return 0;
	fd = openat(hook->tracefs, "kprobe_profile", O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %" SCNu64 " %" SCNu64, name, &hits, &missed) != 3)
			continue;
		for (int i = 0; i < hook->probes; i++)
			if (!strcmp(name, hook->probe[i]))
				sum += missed;
	}
	fclose(f);
	return sum;
}

/* ------------------------------------------------------------------- the dead's */

/* A sensor of that pid runs. In another pid namespace's sensor's case, the kernel refuses: EBUSY. */
static bool sensor_alive(int pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return !strncmp(comm, "cormorant", 9);
}

/* Lines read "p:cormorant/exec_PID_N SYMBOL". A probe in use can't be removed. */
void hook_remove_stale(const char *tracefs)
{
	int dir = open(tracefs, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, pid, n;
	char line[512], name[HOOK_PROBE_BYTES];
	FILE *f;

	if (dir < 0)
		return;
	fd = openat(dir, "kprobe_events", O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, ":" GROUP "/exec_");

		if (!at || sscanf(at, ":" GROUP "/exec_%d_%d", &pid, &n) != 2)
			continue;
		snprintf(name, sizeof(name), "exec_%d_%d", pid, n);
		if (pid != getpid() && !sensor_alive(pid))
			(void)probe_remove(dir, name);
	}
	if (f)
		fclose(f);
	close(dir);
}
