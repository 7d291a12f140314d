// SPDX-License-Identifier: Apache-2.0
#include "perf_reader.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	/* What an event in the epoll is, where it is no CPU's number. */
	FROM_TIMER = -1,
	FROM_HOTPLUG = -2,
	EVENTS = 32,
	HOTPLUG_MESSAGES = 256,
};

/* A timer that is never far off and never turns into a busy loop. */
static const uint64_t wait_min_ns = 1000000, wait_max_ns = 1000000000;

struct buffer {
	int fd; /* of the perf event, -1: none */
	void *base;
};

struct perf_reader {
	int map_fd;
	int cpus;
	size_t page_size;
	size_t data_size;
	struct buffer *buffers; /* cpus of them, like the rings */
	struct perf_merge merge;
	int epoll_fd;
	int timer_fd; /* for what a drain has left behind: nothing else would wake the caller */
	bool timer_on;
	int hotplug_fd; /* -1: the kernel does not tell */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static int watch(const struct perf_reader *reader, int fd, int from)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = from};

	return epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* --------------------------------------------------------------------- events */

/*
 * The event is on from the start. Every sample wakes: the kernel knows nothing between that
 * and once for so many, which would leave the last ones unread on a quiet host. A reader
 * that is busy or leaves the buffer alone is not disturbed; the program pays for it, with
 * an interrupt to its own CPU.
 */
static int event_open(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_RAW,
		.read_format = PERF_FORMAT_TOTAL_TIME_RUNNING,
		.wakeup_events = 1,
	};
	long fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static bool is_offline(int err)
{
	return err == -ENODEV || err == -ENXIO;
}

/* How long the event has run; 0 if the kernel has given it up. */
static uint64_t event_running_ns(int fd)
{
	uint64_t values[2];

	return read(fd, values, sizeof(values)) == (ssize_t)sizeof(values) ? values[1] : 0;
}

/*
 * An event whose CPU was offline in the meantime looks like any other, but its clock
 * stands still. fresh, opened for the same CPU just now, shows that time has passed: it
 * may come in steps of 10 ms.
 */
static bool event_alive(int fd, int fresh)
{
	const struct timespec step = {.tv_nsec = 1000000};
	uint64_t before = event_running_ns(fd), start = event_running_ns(fresh);

	for (int i = 0; i < 25 && event_running_ns(fresh) == start; i++)
		nanosleep(&step, NULL);
	return event_running_ns(fd) != before;
}

/* -------------------------------------------------------------------- buffers */

static int slot_set(const struct perf_reader *reader, int cpu, int fd)
{
	uint32_t key = (uint32_t)cpu;

	return bpf_map_update_elem(reader->map_fd, &key, &fd, BPF_ANY) ? -errno : 0;
}

/* The slot holds the event's file: unless it is emptied, the event lives on after its close. */
static void slot_clear(const struct perf_reader *reader, int cpu)
{
	uint32_t key = (uint32_t)cpu;

	(void)bpf_map_delete_elem(reader->map_fd, &key);
}

static void buffer_close(struct perf_reader *reader, int cpu)
{
	struct buffer *buffer = &reader->buffers[cpu];

	if (buffer->fd < 0)
		return;
	slot_clear(reader, cpu);
	/* Closing alone does not do it, while somebody else holds the file. */
	epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, buffer->fd, NULL);
	perf_ring_detach(&reader->merge.rings[cpu]);
	if (buffer->base)
		munmap(buffer->base, reader->page_size + reader->data_size);
	close(buffer->fd);
	*buffer = (struct buffer){.fd = -1};
}

/* Takes fd, an event of this CPU, whether it succeeds or not. */
static int buffer_open(struct perf_reader *reader, int cpu, int fd)
{
	struct buffer *buffer = &reader->buffers[cpu];
	size_t size = reader->page_size + reader->data_size;
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err;

	buffer->fd = fd;
	if (base == MAP_FAILED) {
		err = -errno;
	} else {
		buffer->base = base;
		perf_ring_attach(&reader->merge.rings[cpu], base, reader->page_size,
				 reader->data_size);
		err = watch(reader, fd, cpu);
	}
	/* Last: what the program writes from here on is read. */
	if (!err)
		err = slot_set(reader, cpu, fd);
	if (err)
		buffer_close(reader, cpu);
	return err;
}

/* What has been written is read; nothing more can come from an event that is dead. */
static void buffer_retire(struct perf_reader *reader, int cpu)
{
	if (reader->buffers[cpu].fd < 0)
		return;
	perf_merge_flush(&reader->merge, &reader->merge.rings[cpu]);
	buffer_close(reader, cpu);
}

int perf_reader_refresh(struct perf_reader *reader, int cpu)
{
	int fd, old;

	if (cpu < 0 || cpu >= reader->cpus)
		return -EINVAL;
	old = reader->buffers[cpu].fd;
	fd = event_open(cpu);
	if (fd < 0 && !is_offline(fd))
		return fd;
	if (fd >= 0 && old >= 0 && event_alive(old, fd)) {
		close(fd);
		return slot_set(reader, cpu, old);
	}
	buffer_retire(reader, cpu);
	return fd < 0 ? 0 : buffer_open(reader, cpu, fd);
}

/* -------------------------------------------------------------------- hotplug */

/*
 * Of all that the kernel tells of its devices only this is let through:
 * "online@/devices/system/cpu/cpuN" and "offline@…". A container's start alone would be
 * dozens of other messages.
 */
static const struct sock_filter hotplug_code[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6f6e6c69 /* onli */, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6f66666c /* offl */, 0, 5),
	BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 1),
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 19),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x74656d2f /* tem/ */, 0, 2),
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 23),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6370752f /* cpu/ */, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
};

/* Without it the program's count of missing buffers still tells, an exec later. */
static int hotplug_open(void)
{
	const struct sock_fprog filter = {
		.len = sizeof(hotplug_code) / sizeof(hotplug_code[0]),
		.filter = (struct sock_filter *)hotplug_code,
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) &&
	    !bind(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		return fd;
	close(fd);
	return -1;
}

/* The CPU a message is about, or -1. */
static int hotplug_cpu(const struct perf_reader *reader, const char *message)
{
	static const char path[] = "/cpu/cpu";
	const char *name = strstr(message, path);
	int cpu = name ? atoi(name + sizeof(path) - 1) : -1;

	return cpu >= 0 && cpu < reader->cpus ? cpu : -1;
}

/*
 * Whether the CPU came or went is not believed but looked up. One that can't be seen to now
 * is the caller's, when the program has counted.
 */
static void hotplug_follow(struct perf_reader *reader)
{
	char message[64];
	bool all = false;

	/* A stream of them can't keep the caller in here. */
	for (int i = 0; i < HOTPLUG_MESSAGES; i++) {
		ssize_t n = recv(reader->hotplug_fd, message, sizeof(message) - 1, 0);
		int cpu;

		if (n < 0 && errno == EAGAIN)
			break;
		message[n < 0 ? 0 : n] = 0;
		cpu = hotplug_cpu(reader, message);
		if (cpu >= 0)
			(void)perf_reader_refresh(reader, cpu);
		else
			all = true; /* messages were lost (ENOBUFS) */
	}
	for (int cpu = 0; all && cpu < reader->cpus; cpu++)
		(void)perf_reader_refresh(reader, cpu);
}

/* -------------------------------------------------------------------- reading */

/* wait_ns 0: nothing is left behind. */
static void timer_set(struct perf_reader *reader, uint64_t wait_ns)
{
	struct itimerspec in = {0};

	if (!wait_ns && !reader->timer_on)
		return;
	reader->timer_on = wait_ns != 0;
	if (wait_ns && wait_ns < wait_min_ns)
		wait_ns = wait_min_ns;
	if (wait_ns > wait_max_ns)
		wait_ns = wait_max_ns;
	in.it_value.tv_sec = (time_t)(wait_ns / UINT64_C(1000000000));
	in.it_value.tv_nsec = (long)(wait_ns % UINT64_C(1000000000));
	(void)timerfd_settime(reader->timer_fd, 0, &in, NULL);
}

static void take_event(struct perf_reader *reader, const struct epoll_event *event)
{
	int from = event->data.fd;
	uint64_t expired;

	if (from == FROM_TIMER) {
		(void)!read(reader->timer_fd, &expired, sizeof(expired));
	} else if (from == FROM_HOTPLUG) {
		hotplug_follow(reader);
	} else if (event->events & (EPOLLHUP | EPOLLERR)) {
		/* It would be readable for ever. */
		if (perf_reader_refresh(reader, from))
			buffer_retire(reader, from);
	}
}

/*
 * Makes the descriptor unreadable, before the rings are looked at: what comes after that
 * look makes it readable again. A perf event forgets that it was readable when it is
 * asked; those that are not asked now would each wake the caller once more for nothing.
 */
static int take_events(struct perf_reader *reader)
{
	struct epoll_event events[EVENTS];
	int n, rounds = reader->cpus / EVENTS + 1;

	do {
		n = epoll_wait(reader->epoll_fd, events, EVENTS, 0);
		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		for (int i = 0; i < n; i++)
			take_event(reader, &events[i]);
	} while (n == EVENTS && --rounds > 0);
	return 0;
}

int perf_reader_drain(struct perf_reader *reader, uint64_t limit_ns)
{
	int result = take_events(reader);

	if (result < 0)
		return result;
	result = perf_merge_drain(&reader->merge, limit_ns, now_ns());
	timer_set(reader, result == 2 ? reader->merge.wait_ns : 0);
	return result;
}

int perf_reader_fd(const struct perf_reader *reader)
{
	return reader->epoll_fd;
}

int perf_reader_buffers(const struct perf_reader *reader)
{
	int buffers = 0;

	for (int cpu = 0; cpu < reader->cpus; cpu++)
		buffers += reader->buffers[cpu].fd >= 0;
	return buffers;
}

uint64_t perf_reader_gaps(const struct perf_reader *reader, int cpu)
{
	return reader->merge.rings[cpu].counts.gaps;
}

uint64_t perf_reader_lost_samples(const struct perf_reader *reader, int cpu)
{
	return reader->merge.rings[cpu].counts.lost_samples;
}

/* ----------------------------------------------------------------------- open */

static size_t data_size(size_t page_size, size_t bytes)
{
	size_t size = page_size;

	while (size < bytes && size <= SIZE_MAX / 4)
		size *= 2;
	return size;
}

static int open_memory(struct perf_reader *reader)
{
	size_t cpus = (size_t)reader->cpus;
	struct perf_merge *merge = &reader->merge;

	merge->count = reader->cpus;
	merge->rings = calloc(cpus, sizeof(*merge->rings));
	merge->heap = calloc(cpus, sizeof(*merge->heap));
	merge->buffer = malloc(PERF_RING_SAMPLE_MAX);
	reader->buffers = calloc(cpus, sizeof(*reader->buffers));
	for (int cpu = 0; reader->buffers && cpu < reader->cpus; cpu++)
		reader->buffers[cpu].fd = -1;
	return merge->rings && merge->heap && merge->buffer && reader->buffers ? 0 : -ENOMEM;
}

static int open_descriptors(struct perf_reader *reader)
{
	int err;

	reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	reader->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (reader->epoll_fd < 0 || reader->timer_fd < 0)
		return -errno;
	reader->hotplug_fd = hotplug_open();
	err = watch(reader, reader->timer_fd, FROM_TIMER);
	if (!err && reader->hotplug_fd >= 0)
		err = watch(reader, reader->hotplug_fd, FROM_HOTPLUG);
	return err;
}

static int open_buffers(struct perf_reader *reader)
{
	int err = 0;

	for (int cpu = 0; !err && cpu < reader->cpus; cpu++) {
		int fd = event_open(cpu);

		if (!is_offline(fd))
			err = fd < 0 ? fd : buffer_open(reader, cpu, fd);
	}
	if (!err && !perf_reader_buffers(reader))
		err = -ENODEV;
	return err;
}

struct perf_reader *perf_reader_open(int map_fd, int cpus, size_t bytes_per_cpu, perf_merge_fn *fn,
				     void *arg, int *err)
{
	struct perf_reader *reader = calloc(1, sizeof(*reader));

	*err = -ENOMEM;
	if (!reader)
		return NULL;
	reader->map_fd = map_fd;
	reader->cpus = cpus;
	reader->page_size = (size_t)sysconf(_SC_PAGESIZE);
	reader->data_size = data_size(reader->page_size, bytes_per_cpu);
	reader->merge.fn = fn;
	reader->merge.arg = arg;
	reader->epoll_fd = reader->timer_fd = reader->hotplug_fd = -1;
	*err = cpus > 0 ? open_memory(reader) : -EINVAL;
	if (!*err)
		*err = open_descriptors(reader);
	if (!*err)
		*err = open_buffers(reader);
	if (*err) {
		perf_reader_close(reader);
		return NULL;
	}
	/*
	 * Adding a descriptor to an epoll asks it, and a perf event says only once that it is
	 * readable: what comes before the caller watches would wake nobody.
	 */
	timer_set(reader, wait_min_ns);
	return reader;
}

void perf_reader_close(struct perf_reader *reader)
{
	if (!reader)
		return;
	for (int cpu = 0; reader->buffers && cpu < reader->cpus; cpu++)
		buffer_close(reader, cpu);
	if (reader->epoll_fd >= 0)
		close(reader->epoll_fd);
	if (reader->timer_fd >= 0)
		close(reader->timer_fd);
	if (reader->hotplug_fd >= 0)
		close(reader->hotplug_fd);
	free(reader->merge.rings);
	free(reader->merge.heap);
	free(reader->merge.buffer);
	free(reader->buffers);
	free(reader);
}
