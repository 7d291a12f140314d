// SPDX-License-Identifier: Apache-2.0
/*
 * perf_reader.c against the running kernel: a small program at every exec sends a record
 * with nothing in it but its time, CPU and number. It is written in instructions that 4.4
 * knew, and attached by whatever there is, so that these tests run on any kernel.
 *
 * Needs root. CORMORANT_HOTPLUG=1 also takes CPU 1 off and on again, which is for virtual
 * machines.
 */
#include "builder.h"
#include "perf_reader.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_10 UINT64_C(10000000000)

extern char **environ;

enum {
	CPUS_MAX = 256,
	NS_PER_MS = 1000000,
	/* Generous: these tests run on busy and on emulated machines. */
	WINDOW_MS = 1000,
	PATIENCE_MS = 10000,
};

/* ---------------------------------------------------------------- the program */

struct code {
	struct bpf_insn insns[400];
	int n;
};

static int emit(struct code *code, int op, int dst, int src, int off, int32_t imm)
{
	assert_true(code->n < (int)(sizeof(code->insns) / sizeof(code->insns[0])));
	code->insns[code->n] = (struct bpf_insn){
		.code = (__u8)op,
		.dst_reg = (__u8)dst & 15,
		.src_reg = (__u8)src & 15,
		.off = (__s16)off,
		.imm = imm,
	};
	return code->n++;
}

static void emit_move(struct code *code, int dst, int src)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_set(struct code *code, int dst, int32_t value)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}

static void emit_map(struct code *code, int dst, int map_fd)
{
	emit(code, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map_fd);
	emit(code, 0, 0, 0, 0, 0);
}

static void emit_call(struct code *code, int helper)
{
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static void emit_store(struct code *code, int size, int off, int src)
{
	emit(code, BPF_STX | BPF_MEM | size, BPF_REG_10, src, off, 0);
}

static void emit_store_word(struct code *code, int off, uint32_t value)
{
	emit(code, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, off, (int32_t)value);
}

static void emit_count(struct code *code, size_t off)
{
	emit_set(code, BPF_REG_1, 1);
	emit(code, BPF_STX | BPF_XADD | BPF_DW, BPF_REG_7, BPF_REG_1, (int)off, 0);
}

/* A jump whose target is where land() is called. */
static int emit_jump(struct code *code, int op, int32_t imm)
{
	return emit(code, BPF_JMP | op | BPF_K, BPF_REG_0, 0, 0, imm);
}

static void land(struct code *code, int jump)
{
	code->insns[jump].off = (__s16)(code->n - jump - 1);
}

enum { KEY = -4, RECORD = -(8 + (int)sizeof(struct exec_record)) };

/* r6 context, r7 this CPU's counters, r8 CPU, r9 number of the attempt; returns the jump out. */
static int emit_begin(struct code *code, int counters_fd)
{
	int none;

	emit_move(code, BPF_REG_6, BPF_REG_1);
	emit_call(code, BPF_FUNC_get_smp_processor_id);
	emit_move(code, BPF_REG_8, BPF_REG_0);
	emit_store(code, BPF_W, KEY, BPF_REG_0);
	emit_move(code, BPF_REG_2, BPF_REG_10);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, KEY);
	emit_map(code, BPF_REG_1, counters_fd);
	emit_call(code, BPF_FUNC_map_lookup_elem);
	none = emit_jump(code, BPF_JEQ, 0);
	emit_move(code, BPF_REG_7, BPF_REG_0);
	emit_count(code, offsetof(struct exec_counters, attempted));
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_9, BPF_REG_7,
	     offsetof(struct exec_counters, attempted), 0);
	return none;
}

static void emit_record(struct code *code, int argv_parts)
{
	const int facts = RECORD + (int)offsetof(struct exec_record, facts);

	emit_set(code, BPF_REG_1, 0);
	for (int off = RECORD; off < RECORD + (int)sizeof(struct exec_record); off += 8)
		emit_store(code, BPF_DW, off, BPF_REG_1);
	emit_call(code, BPF_FUNC_ktime_get_ns);
	emit_store(code, BPF_DW, RECORD, BPF_REG_0);
	emit_call(code, BPF_FUNC_get_current_pid_tgid);
	emit_store(code, BPF_W, RECORD + (int)offsetof(struct process_exec_event, tid), BPF_REG_0);
	emit(code, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32);
	emit_store(code, BPF_W, RECORD + (int)offsetof(struct process_exec_event, tgid), BPF_REG_0);
	emit_store(code, BPF_W, facts + (int)offsetof(struct exec_facts, cpu_sequence), BPF_REG_9);
	emit_store(code, BPF_W, facts + (int)offsetof(struct exec_facts, ids), BPF_REG_8);
	emit_store_word(code, facts + (int)offsetof(struct exec_facts, present),
			FACT_BIT(FACT_ARGV));
	emit_store_word(code, facts + (int)offsetof(struct exec_facts, argv_bytes),
			(uint32_t)argv_parts * PART_BYTES);
}

/* Sends the record's first bytes as a part, or all of it. Returns the jump for a failure. */
static int emit_send(struct code *code, int events_fd, int size, int part, int parts)
{
	const int head = RECORD + (int)offsetof(struct process_exec_event, length);

	emit_store_word(code, head, (uint32_t)size);
	emit_store_word(code, head + 4,
			RECORD_EXEC | RECORD_VERSION << 8 | (uint32_t)part << 16 |
				(uint32_t)parts << 24);
	emit_move(code, BPF_REG_1, BPF_REG_6);
	emit_map(code, BPF_REG_2, events_fd);
	emit_move(code, BPF_REG_3, BPF_REG_8);
	emit_move(code, BPF_REG_4, BPF_REG_10);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, RECORD);
	emit_set(code, BPF_REG_5, size);
	emit_call(code, BPF_FUNC_perf_event_output);
	return emit_jump(code, BPF_JNE, 0);
}

/* Counts a failure by its reason, and ends. */
static void emit_end(struct code *code, const int *failures, int n, int none)
{
	int done = emit(code, BPF_JMP | BPF_JA, 0, 0, 0, 0), absent, stale, out;

	for (int i = 0; i < n; i++)
		land(code, failures[i]);
	absent = emit_jump(code, BPF_JEQ, -ENOENT);
	stale = emit_jump(code, BPF_JEQ, -EOPNOTSUPP);
	emit_count(code, offsetof(struct exec_counters, lost[LOSS_BUFFER_FULL]));
	out = emit(code, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	land(code, absent);
	land(code, stale);
	emit_count(code, offsetof(struct exec_counters, lost[LOSS_NO_BUFFER]));
	land(code, out);
	land(code, done);
	land(code, none);
	emit_set(code, BPF_REG_0, 0);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* argv_parts -1: the record is sent whole. */
static void program_make(struct code *code, int counters_fd, int events_fd, int argv_parts)
{
	const int parts = argv_parts < 0 ? 1 : argv_parts + 2;
	int failures[PARTS_MAX], none;

	code->n = 0;
	none = emit_begin(code, counters_fd);
	emit_record(code, argv_parts < 0 ? 0 : argv_parts);
	for (int i = 0; i < parts; i++)
		failures[i] = emit_send(code, events_fd,
					i ? (int)sizeof(struct process_exec_event) + PART_BYTES :
					    (int)sizeof(struct exec_record),
					i, parts);
	emit_end(code, failures, parts, none);
}

/* ----------------------------------------------------------------- attachment */

static uint32_t kernel_version(void)
{
	unsigned a = 0, b = 0, c = 0;
	struct utsname host;

	uname(&host);
	sscanf(host.release, "%u.%u.%u", &a, &b, &c);
	return a << 16 | b << 8 | (c > 255 ? 255 : c);
}

static int program_load(const struct code *code, enum bpf_prog_type type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .kern_version = kernel_version());

	return bpf_prog_load(type, NULL, "GPL", code->insns, (size_t)code->n, &options);
}

static int tracefs_open(const char *name, int flags)
{
	static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[256];
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", roots[i], name);
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd;
}

/* Opens a tracefs event on every CPU, the first of which gets the program. */
static int tracefs_attach(const char *name, int program)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT,
				       .size = sizeof(attr),
				       .sample_period = 1,
				       .wakeup_events = 1};
	char text[32] = "";
	int id = tracefs_open(name, O_RDONLY), fd;

	if (id < 0 || read(id, text, sizeof(text) - 1) < 0)
		return -1;
	close(id);
	attr.config = strtoull(text, NULL, 10);
	fd = (int)syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int attach_raw_tracepoint(const struct code *code)
{
	int program = program_load(code, BPF_PROG_TYPE_RAW_TRACEPOINT), link;

	if (program < 0)
		return -1;
	link = bpf_raw_tracepoint_open("sched_process_exec", program);
	close(program);
	return link;
}

static int attach_tracepoint(const struct code *code)
{
	int program = program_load(code, BPF_PROG_TYPE_TRACEPOINT);
	int link = program < 0 ? -1 : tracefs_attach("events/sched/sched_process_exec/id", program);

	close(program);
	return link;
}

static int attach_kprobe(const struct code *code)
{
	static const char probe[] = "p:cormorant_test proc_exec_connector";
	int program = program_load(code, BPF_PROG_TYPE_KPROBE), link = -1;
	int probes = tracefs_open("kprobe_events", O_WRONLY | O_APPEND);

	if (program >= 0 && probes >= 0 &&
	    (write(probes, probe, sizeof(probe) - 1) > 0 || errno == EEXIST))
		link = tracefs_attach("events/kprobes/cormorant_test/id", program);
	close(program);
	close(probes);
	return link;
}

/* ----------------------------------------------------------------------- live */

struct live {
	int cpus;
	int counters, events;
	int link;
	const char *how;
	struct perf_reader *reader;
	int epoll_fd;
	struct exec_counters per_cpu[CPUS_MAX];
	uint32_t sequence[CPUS_MAX]; /* the last one handed over */
	uint64_t received, malformed, disordered, skipped;
	uint64_t last_ns;
	size_t argv;
};

static int cpus_possible(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n < 1 ? 1 : n > CPUS_MAX ? CPUS_MAX : (int)n;
}

static void on_record(void *arg, const void *data, size_t size)
{
	struct live *live = arg;
	const struct exec_record *r = data;
	uint32_t cpu;

	live->received++;
	if (size < sizeof(*r) || r->event.kind != RECORD_EXEC || r->event.parts != 1 ||
	    r->facts.ids[0] >= (uint32_t)live->cpus) {
		live->malformed++;
		return;
	}
	cpu = r->facts.ids[0];
	live->disordered += r->event.time_ns < live->last_ns;
	live->last_ns = r->event.time_ns;
	live->skipped += r->facts.cpu_sequence != live->sequence[cpu] + 1;
	live->sequence[cpu] = r->facts.cpu_sequence;
	live->argv = r->facts.section_len[SECTION_ARGV];
}

static void live_watch(struct live *live)
{
	struct epoll_event event = {.events = EPOLLIN};

	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(
		epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, perf_reader_fd(live->reader), &event), 0);
}

static void live_attach(struct live *live, int argv_parts)
{
	static struct code code;

	program_make(&code, live->counters, live->events, argv_parts);
	live->how = "raw tracepoint";
	live->link = attach_raw_tracepoint(&code);
	if (live->link < 0) {
		live->how = "tracepoint";
		live->link = attach_tracepoint(&code);
	}
	if (live->link < 0) {
		live->how = "kprobe";
		live->link = attach_kprobe(&code);
	}
}

static void live_close(struct live *live)
{
	close(live->link);
	close(live->epoll_fd);
	perf_reader_close(live->reader);
	close(live->events);
	close(live->counters);
}

/* False, and says why, where this can't be tested. */
static bool live_open(struct live *live, size_t bytes, int argv_parts)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int err = 0;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	*live = (struct live){.cpus = cpus_possible(), .link = -1, .epoll_fd = -1};
	live->counters = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, sizeof(struct exec_counters),
					(uint32_t)live->cpus, NULL);
	live->events = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, NULL, 4, 4,
				      (uint32_t)live->cpus, NULL);
	if (live->events < 0 || live->counters < 0) {
		print_message("skipped: no BPF maps to be had: %s\n", strerror(errno));
		live_close(live);
		return false;
	}
	live->reader = perf_reader_open(live->events, live->cpus, bytes, on_record, live, &err);
	assert_int_equal(err, 0);
	assert_non_null(live->reader);
	live_attach(live, argv_parts);
	if (live->link < 0) {
		print_message("skipped: nothing to attach to: %s\n", strerror(errno));
		live_close(live);
		return false;
	}
	live_watch(live);
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void live_count(struct live *live)
{
	for (uint32_t cpu = 0; cpu < (uint32_t)live->cpus; cpu++)
		assert_int_equal(bpf_map_lookup_elem(live->counters, &cpu, &live->per_cpu[cpu]), 0);
}

static int live_drain(struct live *live)
{
	return perf_reader_drain(live->reader, now_ns() - (uint64_t)WINDOW_MS * NS_PER_MS);
}

/* Takes the program off, and reads to the end. */
static void live_end(struct live *live)
{
	close(live->link);
	live->link = -1;
	usleep(100000);
	while (perf_reader_drain(live->reader, UINT64_MAX) != 0)
		usleep(10000);
	live_count(live);
}

static uint64_t attempted(const struct live *live)
{
	uint64_t sum = 0;

	for (int cpu = 0; cpu < live->cpus; cpu++)
		sum += live->per_cpu[cpu].attempted;
	return sum;
}

static bool readable(const struct live *live, int wait_ms)
{
	struct epoll_event event;

	return epoll_wait(live->epoll_fd, &event, 1, wait_ms) == 1;
}

/* ---------------------------------------------------------------------- execs */

static void exec_once(void)
{
	char *argv[] = {"true", NULL};
	int status;
	pid_t pid;

	assert_int_equal(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

enum { ANY_CPU = -1 };

/* A process that executes n times on one CPU. */
static pid_t exec_many(int cpu, int n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (cpu != ANY_CPU && !pin(cpu))
		_exit(1);
	for (int i = 0; i < n; i++)
		exec_once();
	_exit(0);
}

static bool ended(pid_t pid)
{
	int status = 0;

	if (!waitpid(pid, &status, WNOHANG))
		return false;
	assert_int_equal(status, 0);
	return true;
}

static void exec_and_wait(int cpu, int n)
{
	pid_t pid = exec_many(cpu, n);

	while (!ended(pid))
		usleep(1000);
}

/* ---------------------------------------------------------------------- tests */

static void storm(struct live *live, int execs, int argv_parts)
{
	pid_t workers[2] = {exec_many(0, execs), exec_many(live->cpus > 1, execs)};
	uint64_t begin = now_ns();
	int running = 2, wakes = 0;

	while (running) {
		running = 0;
		for (int i = 0; i < 2; i++) {
			if (workers[i] && ended(workers[i]))
				workers[i] = 0;
			running += workers[i] != 0;
		}
		if (readable(live, 100)) {
			wakes++;
			while (live_drain(live) == 1)
				;
			usleep(50000);
		}
	}
	print_message("%s, %s: %llu records, %d wake-ups in %llu ms\n", live->how,
		      argv_parts < 0 ? "whole" : "in parts", (unsigned long long)live->received,
		      wakes, (unsigned long long)((now_ns() - begin) / NS_PER_MS));
	/* The reader is left alone for 50 ms after each. */
	assert_true((uint64_t)wakes <= (now_ns() - begin) / (50ULL * NS_PER_MS) + 1);
}

static void assert_all_in_order(int execs, int argv_parts)
{
	struct live live;

	if (!live_open(&live, 4 << 20, argv_parts))
		skip();
	storm(&live, execs, argv_parts);
	live_end(&live);
	assert_true(live.received >= 2 * (uint64_t)execs);
	assert_int_equal(live.received, attempted(&live));
	assert_int_equal(live.malformed, 0);
	assert_int_equal(live.skipped, 0);
	assert_int_equal(live.disordered, 0);
	assert_int_equal(live.argv, argv_parts < 0 ? 0 : argv_parts * PART_BYTES);
	for (int cpu = 0; cpu < live.cpus; cpu++) {
		assert_int_equal(perf_reader_gaps(live.reader, cpu), 0);
		assert_int_equal(perf_reader_lost_samples(live.reader, cpu), 0);
	}
	live_close(&live);
}

static void every_exec_comes_once_and_in_order(void **state)
{
	(void)state;
	assert_all_in_order(200, -1);
}

static void every_exec_in_parts_comes_once_and_in_order(void **state)
{
	(void)state;
	assert_all_in_order(200, 3);
}

static void a_sleeping_reader_is_woken_by_one_exec(void **state)
{
	struct live live;
	int quiet = 0;

	(void)state;
	if (!live_open(&live, 65536, -1))
		skip();
	/* This machine's other processes execute, too: among many tries some are undisturbed. */
	for (int i = 0; i < 20; i++) {
		perf_reader_drain(live.reader, UINT64_MAX);
		quiet += !readable(&live, 0);
		exec_once();
		assert_true(readable(&live, PATIENCE_MS));
	}
	assert_true(quiet > 0);
	live_close(&live);
}

/* Adding a descriptor to an epoll asks it, and a perf event says so only once. */
static void what_came_before_the_reader_was_watched_wakes(void **state)
{
	struct live live;

	(void)state;
	if (!live_open(&live, 65536, -1))
		skip();
	close(live.epoll_fd);
	exec_once();
	live_watch(&live);
	assert_true(readable(&live, PATIENCE_MS));
	assert_true(perf_reader_drain(live.reader, UINT64_MAX) >= 0);
	assert_true(live.received > 0);
	live_close(&live);
}

static void what_a_drain_has_left_wakes_when_it_is_due(void **state)
{
	struct live live;
	uint64_t now = now_ns();

	(void)state;
	if (!live_open(&live, 1 << 20, -1))
		skip();
	exec_once();
	/* Long before the exec: the next drain is asked for in a second, the longest it waits. */
	assert_int_equal(perf_reader_drain(live.reader, now > SECONDS_10 ? now - SECONDS_10 : 1),
			 2);
	assert_int_equal(live.received, 0);
	for (int i = 0; !live.received && i < 100; i++) {
		assert_true(readable(&live, PATIENCE_MS));
		assert_true(live_drain(&live) >= 0);
	}
	assert_true(live.received > 0);
	live_close(&live);
}

static void a_full_buffer_loses_and_the_losses_add_up(void **state)
{
	struct live live;
	uint64_t gaps, lost = 0;

	(void)state;
	if (!live_open(&live, 1, -1))
		skip();
	exec_and_wait(0, 60);
	/* Room again; the next record shows what was lost before it. */
	assert_true(perf_reader_drain(live.reader, UINT64_MAX) >= 0);
	exec_and_wait(0, 1);
	live_end(&live);
	gaps = perf_reader_gaps(live.reader, 0);
	assert_true(gaps >= 40);
	assert_int_equal(perf_reader_lost_samples(live.reader, 0), gaps);
	for (int cpu = 0; cpu < live.cpus; cpu++)
		lost += perf_reader_gaps(live.reader, cpu) + live.per_cpu[cpu].attempted -
			live.sequence[cpu];
	assert_int_equal(attempted(&live), live.received + lost);
	/* Before 5.1 the program is not told. */
	if (live.per_cpu[0].lost[LOSS_BUFFER_FULL])
		assert_int_equal(live.per_cpu[0].lost[LOSS_BUFFER_FULL],
				 gaps + live.per_cpu[0].attempted - live.sequence[0]);
	assert_int_equal(live.per_cpu[0].lost[LOSS_NO_BUFFER], 0);
	live_close(&live);
}

static void an_emptied_slot_is_filled_again(void **state)
{
	struct live live;
	uint32_t cpu = 0;
	uint64_t lost, received;

	(void)state;
	if (!live_open(&live, 1 << 20, -1))
		skip();
	exec_and_wait(0, 5);
	assert_int_equal(bpf_map_delete_elem(live.events, &cpu), 0);
	exec_and_wait(0, 5);
	live_count(&live);
	lost = live.per_cpu[0].lost[LOSS_NO_BUFFER];
	assert_true(lost >= 5);
	assert_int_equal(perf_reader_refresh(live.reader, 0), 0);
	received = live.received;
	assert_int_equal(received, 0); /* the buffer is as it was, in order */
	live_count(&live);
	lost = live.per_cpu[0].lost[LOSS_NO_BUFFER];
	exec_and_wait(0, 5);
	live_end(&live);
	assert_int_equal(live.per_cpu[0].lost[LOSS_NO_BUFFER], lost);
	assert_int_equal(perf_reader_gaps(live.reader, 0), lost);
	assert_int_equal(live.received + lost, attempted(&live));
	live_close(&live);
}

/* What a CPU's way offline does to an event: it is there, but runs nowhere any more. */
static int disable_events(void)
{
	char path[64], target[64];
	int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, target, sizeof(target) - 1);
		target[size < 0 ? 0 : size] = 0;
		if (!strcmp(target, "anon_inode:[perf_event]") &&
		    !ioctl(fd, PERF_EVENT_IOC_DISABLE, 0))
			n++;
	}
	return n;
}

static void a_dead_event_is_read_to_its_end_and_replaced(void **state)
{
	struct live live;
	uint64_t lost = 0;

	(void)state;
	if (!live_open(&live, 1 << 20, -1))
		skip();
	if (strcmp(live.how, "raw tracepoint")) {
		print_message("skipped: the program itself is attached by a perf event\n");
		live_close(&live);
		skip();
	}
	exec_and_wait(0, 5);
	assert_true(disable_events() >= perf_reader_buffers(live.reader));
	exec_and_wait(0, 5);
	for (int cpu = 0; cpu < live.cpus; cpu++)
		assert_int_equal(perf_reader_refresh(live.reader, cpu), 0);
	assert_true(live.received >= 5);
	exec_and_wait(0, 5);
	assert_true(readable(&live, PATIENCE_MS));
	live_end(&live);
	assert_true(live.per_cpu[0].lost[LOSS_NO_BUFFER] >= 5);
	for (int cpu = 0; cpu < live.cpus; cpu++)
		lost += live.per_cpu[cpu].lost[LOSS_NO_BUFFER];
	assert_int_equal(live.received + lost, attempted(&live));
	live_close(&live);
}

static void refreshing_a_working_buffer_changes_nothing(void **state)
{
	struct live live;
	uint64_t begin = now_ns();
	pid_t worker;
	int refreshed = 0;

	(void)state;
	if (!live_open(&live, 4 << 20, 3))
		skip();
	worker = exec_many(0, 100);
	for (; !ended(worker); refreshed++)
		for (int cpu = 0; cpu < live.cpus; cpu++)
			assert_int_equal(perf_reader_refresh(live.reader, cpu), 0);
	assert_int_equal(live.received, 0);
	live_end(&live);
	print_message("%d refreshes of %d buffers in %llu ms\n", refreshed, live.cpus,
		      (unsigned long long)((now_ns() - begin) / NS_PER_MS));
	assert_true(refreshed > 0);
	assert_int_equal(live.received, attempted(&live));
	assert_int_equal(live.skipped + live.disordered + live.malformed, 0);
	live_close(&live);
}

static void what_can_not_be_opened_says_why(void **state)
{
	int err = 0, map;

	(void)state;
	assert_null(perf_reader_open(-1, 0, 4096, on_record, NULL, &err));
	assert_int_equal(err, -EINVAL);
	map = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, NULL, 4, 4, 4, NULL);
	if (map < 0) {
		print_message("skipped: no BPF maps to be had: %s\n", strerror(errno));
		skip();
	}
	assert_null(perf_reader_open(-1, cpus_possible(), 4096, on_record, NULL, &err));
	assert_int_equal(err, -EBADF);
	assert_null(perf_reader_open(map, cpus_possible(), SIZE_MAX, on_record, NULL, &err));
	assert_true(err < 0);
	close(map);
	perf_reader_close(NULL);
}

static void a_cpu_that_does_not_exist_can_not_be_refreshed(void **state)
{
	struct live live;

	(void)state;
	if (!live_open(&live, 4096, -1))
		skip();
	assert_int_equal(perf_reader_refresh(live.reader, -1), -EINVAL);
	assert_int_equal(perf_reader_refresh(live.reader, live.cpus), -EINVAL);
	live_close(&live);
}

/* -------------------------------------------------------------------- hotplug */

static bool cpu1_switch(bool on)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;

	close(fd);
	return done;
}

static void hotplug_round(struct live *live, bool follow)
{
	int before = perf_reader_buffers(live->reader);

	exec_and_wait(1, 3); /* not read before the CPU is gone */
	assert_true(cpu1_switch(false));
	if (follow) {
		assert_true(readable(live, PATIENCE_MS));
		while (live_drain(live) == 1)
			;
		assert_int_equal(perf_reader_buffers(live->reader), before - 1);
	}
	exec_and_wait(0, 3);
	assert_true(cpu1_switch(true));
	if (follow) {
		assert_true(readable(live, PATIENCE_MS));
		while (live_drain(live) == 1)
			;
	} else {
		assert_int_equal(perf_reader_refresh(live->reader, 1), 0);
	}
	assert_int_equal(perf_reader_buffers(live->reader), before);
	exec_and_wait(1, 3);
}

static void a_cpu_that_goes_and_comes_back_is_followed(void **state)
{
	struct live live;
	uint64_t lost = 0;
	pid_t load;

	(void)state;
	if (!getenv("CORMORANT_HOTPLUG") || cpus_possible() < 2) {
		print_message("skipped: CORMORANT_HOTPLUG is not set: a CPU would be taken off\n");
		skip();
	}
	if (!live_open(&live, 1 << 20, -1))
		skip();
	load = exec_many(ANY_CPU, 100000);
	for (int i = 0; i < 6; i++)
		hotplug_round(&live, i % 2 == 0);
	kill(load, SIGKILL);
	waitpid(load, NULL, 0);
	exec_and_wait(0, 1);
	exec_and_wait(1, 1);
	live_end(&live);
	for (int cpu = 0; cpu < live.cpus; cpu++) {
		lost += live.per_cpu[cpu].lost[LOSS_NO_BUFFER];
		assert_int_equal(perf_reader_gaps(live.reader, cpu),
				 live.per_cpu[cpu].lost[LOSS_NO_BUFFER]);
		print_message("CPU %d: %llu attempted, %llu without a buffer, %llu gaps\n", cpu,
			      (unsigned long long)live.per_cpu[cpu].attempted,
			      (unsigned long long)live.per_cpu[cpu].lost[LOSS_NO_BUFFER],
			      (unsigned long long)perf_reader_gaps(live.reader, cpu));
	}
	assert_int_equal(live.received + lost, attempted(&live));
	assert_int_equal(live.malformed, 0);
	live_close(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_exec_comes_once_and_in_order),
		cmocka_unit_test(every_exec_in_parts_comes_once_and_in_order),
		cmocka_unit_test(a_sleeping_reader_is_woken_by_one_exec),
		cmocka_unit_test(what_came_before_the_reader_was_watched_wakes),
		cmocka_unit_test(what_a_drain_has_left_wakes_when_it_is_due),
		cmocka_unit_test(a_full_buffer_loses_and_the_losses_add_up),
		cmocka_unit_test(an_emptied_slot_is_filled_again),
		cmocka_unit_test(a_dead_event_is_read_to_its_end_and_replaced),
		cmocka_unit_test(refreshing_a_working_buffer_changes_nothing),
		cmocka_unit_test(what_can_not_be_opened_says_why),
		cmocka_unit_test(a_cpu_that_does_not_exist_can_not_be_refreshed),
		cmocka_unit_test(a_cpu_that_goes_and_comes_back_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
