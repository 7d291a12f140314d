// SPDX-License-Identifier: Apache-2.0
/* Bad days: something is missing, refused, taken or goes away. The next rung runs, or a typed error says why none can. */
#include "e2e.h"
#include "bpf_programs.h"
#include "clock.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS(...) ((const char *const[]){ "run", "-f", "ocsf", __VA_ARGS__ __VA_OPT__(,) NULL })

static void start(struct e2e *e, const struct sensor_plan *plan)
{
	sensor_start(&e->ws, &e->sensor, plan);
	assert_true(sensor_wait_ready(&e->sensor));
	event_log_open(&e->log, e->sensor.out_path);
}

/* Ends the sensor in order: status 0 and a whole account. */
static struct sensor_counters end(struct e2e *e)
{
	struct sensor_counters counters;

	assert_int_equal(sensor_stop(&e->sensor, SIGTERM), 0);
	event_log_close(&e->log);
	assert_true(sensor_read_counters(&e->sensor, &counters));
	sensor_assert_counters(&counters);
	return counters;
}

/* One exec, told as well as this variant can: pid, argv and file name always. */
static void observe_one(struct e2e *e)
{
	e->knows_less = true;
	observe(e, &(struct subject_plan){ 0 });
	e->knows_less = false;
}

static bool has_rung(const struct e2e *e, const char *rung)
{
	return strstr(e->sensor.variant, rung) != NULL;
}

/* The reason it gave for a variant begins with this error and has this text in it. */
static void assert_reason(struct e2e *e, const char *variant, const char *error, const char *text)
{
	char *reason = sensor_reason(&e->sensor, variant);
	char *kept = workspace_text(&e->ws, "%s", reason);

	free(reason);
	if (strncmp(kept, error, strlen(error)) || kept[strlen(error)] != ':' || (text && !strstr(kept, text)))
		fail_msg("%s: expected %s (… %s …), got \"%s\"", variant ? variant : "the first reason", error, text ? text : "",
			 kept);
}

static int refused(struct e2e *e, const struct sensor_plan *plan)
{
	sensor_start(&e->ws, &e->sensor, plan);
	return sensor_wait_end(&e->sensor);
}

/* ------------------------------------------------------------------ something is not there */

static void without_btf_and_offsets_it_runs_and_names_both(void **state)
{
	static const char nowhere[] = "/nonexistent/offsets.db";
	struct e2e *e = *state;

	start(e, &(struct sensor_plan){ .args = ARGS("-d", nowhere), .prepare = prepare_without_btf });
	assert_true(has_rung(e, ".none"));
	observe_one(e);
	end(e);
	/* The best that this kernel has but for BTF: its reason is not another one. */
	if (!e2e_kernel_before(5, 8)) {
		assert_reason(e, "exec.raw_tp.ringbuf.core", "MissingBtf", "/sys/kernel/btf/vmlinux");
		assert_reason(e, "exec.raw_tp.ringbuf.map", "NoOffsets", nowhere);
	}
	if (!e2e_kernel_before(4, 17))
		assert_reason(e, "exec.raw_tp.perfbuf.map", "NoOffsets", nowhere);
}

static void without_tracefs_it_runs_unless_nothing_else_can_attach(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan plan = { .args = ARGS(), .prepare = prepare_without_tracefs };

	if (e2e_needs_tracefs()) {
		assert_int_equal(refused(e, &plan), 3);
		assert_true(sensor_has_clear_error(&e->sensor));
		return;
	}
	start(e, &plan);
	observe_one(e);
	end(e);
}

static void without_sys_it_runs_unless_nothing_can_attach(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan plan = { .args = ARGS("-d", "/nonexistent/offsets.db"), .prepare = prepare_without_sys };

	if (e2e_kernel_before(4, 17)) {
		assert_int_equal(refused(e, &plan), 3);
		assert_true(sensor_has_clear_error(&e->sensor));
		return;
	}
	start(e, &plan);
	assert_true(has_rung(e, ".raw_tp.") && has_rung(e, ".none"));
	observe_one(e);
	end(e);
}

/* ------------------------------------------------------------------ something is refused */

/* A cgroup of the memory controller's; its directory, and the names of the files for the limit and the most that was used. */
static char *memory_cgroup(struct e2e *e, const char **limit, const char **usage)
{
	char *v2 = workspace_cgroup_mount(&e->ws), *dir;
	char *v1 = "/sys/fs/cgroup/memory";
	int fd;

	fd = v2 ? open(workspace_text(&e->ws, "%s/cgroup.subtree_control", v2), O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && write(fd, "+memory", 7) == 7) {
		close(fd);
		dir = workspace_text(&e->ws, "%s/e2e-limit-%d", v2, getpid());
		*limit = "memory.max";
		*usage = "memory.peak";
		return mkdir(dir, 0755) ? NULL : dir;
	}
	close(fd);
	/* The other hierarchy has the controller. */
	if (access(workspace_text(&e->ws, "%s/cgroup.procs", v1), W_OK)) {
		v1 = workspace_scratch(&e->ws);
		if (mount("cgroup", v1, "cgroup", 0, "memory"))
			return NULL;
	}
	dir = workspace_text(&e->ws, "%s/e2e-limit-%d", v1, getpid());
	*limit = "memory.limit_in_bytes";
	*usage = "memory.max_usage_in_bytes";
	return mkdir(dir, 0755) ? NULL : dir;
}

static void memory_cgroup_remove(struct e2e *e, const char *dir)
{
	char *v2 = workspace_cgroup_mount(&e->ws);
	int fd;

	for (int i = 0; i < 1000 && rmdir(dir) && errno == EBUSY; i++)
		usleep(1000);
	if (!strncmp(dir, e->ws.dir, strlen(e->ws.dir)))
		umount2(workspace_text(&e->ws, "%.*s", (int)(strrchr(dir, '/') - dir), dir), MNT_DETACH);
	/* Given back, so that another hierarchy may have the controller. */
	if (!v2 || strncmp(dir, v2, strlen(v2)) || !strncmp(dir, "/sys/fs/cgroup/memory/", 22))
		return;
	fd = open(workspace_text(&e->ws, "%s/cgroup.subtree_control", v2), O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "-memory", 7) != 7)
		print_error("%s: the memory controller stays on: %s\n", v2, strerror(errno));
	close(fd);
}

static uint64_t read_number(const char *path)
{
	struct bytes text;
	uint64_t number = 0;

	if (!bytes_read_file(path, &text))
		return 0;
	number = strtoull(text.data, NULL, 10);
	bytes_free(&text);
	return number;
}

static void write_number(const char *path, uint64_t number)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_return_code(fd, errno);
	assert_true(dprintf(fd, "%llu", (unsigned long long)number) > 0);
	close(fd);
}

/*
 * What a sensor needs at most without a ring of 16 MiB is measured, and a little is put on top: enough to start, far from
 * enough for the ring. (In between there is room for the ring and then none for the rest: the kernel kills for that.)
 */
static void a_ring_that_memory_has_no_room_for_becomes_a_perf_buffer(void **state)
{
	struct e2e *e = *state;
	const char *limit, *usage;
	uint64_t needed;
	char ring[sizeof(e->sensor.variant)], *dir;

	if (e2e_kernel_before(5, 11))
		e2e_skip("below 5.11 a cgroup's memory limit does not count maps, and below 5.8 there is no ring buffer");
	if (strstr(sensor_program(&e->ws), "sanitized"))
		e2e_skip("the sanitizers' own memory is more than what the ring would need");
	dir = memory_cgroup(e, &limit, &usage);
	if (!dir)
		e2e_skip("no cgroup of the memory controller can be had: %s", strerror(errno));
	start(e, &(struct sensor_plan){ .args = ARGS("--transport", "perfbuf"), .prepare = prepare_cgroup, .arg = dir });
	observe_one(e);
	needed = read_number(workspace_text(&e->ws, "%s/%s", dir, usage));
	end(e);
	if (!needed) {
		memory_cgroup_remove(e, dir);
		e2e_skip("this kernel does not tell the most that a cgroup has used (memory.peak, 5.19)");
	}
	write_number(workspace_text(&e->ws, "%s/%s", dir, limit), needed + (4 << 20));
	start(e, &(struct sensor_plan){ .args = ARGS(), .prepare = prepare_cgroup, .arg = dir });
	assert_true(has_rung(e, ".perfbuf."));
	observe_one(e);
	end(e);
	memory_cgroup_remove(e, dir);
	/* The same but for the ring, which is better. */
	snprintf(ring, sizeof(ring), "%s", e->sensor.variant);
	memcpy(strstr(ring, ".perfbuf."), ".ringbuf.", strlen(".ringbuf."));
	assert_reason(e, ring, "Failed", "memory");
}

struct fault {
	char variant[128];
};

static int spoil(void *arg)
{
	const struct fault *fault = arg;

	return setenv("CORMORANT_FAULT_VERIFIER", fault->variant, 1) ? -errno : 0;
}

static void what_the_verifier_rejects_is_passed_over_with_its_words(void **state)
{
	struct e2e *e = *state;
	const char *faulty = getenv("CORMORANT_FAULTY");
	struct fault fault;

	if (!faulty || !*faulty)
		e2e_skip("CORMORANT_FAULTY names no sensor that can be made to fail");
	start(e, &(struct sensor_plan){ .args = ARGS(), .program = faulty });
	snprintf(fault.variant, sizeof(fault.variant), "%s", e->sensor.variant);
	end(e);
	start(e, &(struct sensor_plan){ .args = ARGS(), .program = faulty, .prepare = spoil, .arg = &fault });
	assert_string_not_equal(e->sensor.variant, fault.variant);
	observe_one(e);
	end(e);
	assert_reason(e, fault.variant, "VerifierRejected", "func");
}

/* bpf(2) fails with the errno that arg points to. */
static int refuse_bpf(void *arg)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (*(const unsigned int *)arg & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void refuse_bpf_with(struct e2e *e, unsigned int error, const char *reason)
{
	int status = refused(e, &(struct sensor_plan){ .args = ARGS(), .prepare = refuse_bpf, .arg = &error });

	if (status == 126)
		e2e_skip("this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)");
	assert_int_equal(status, 3);
	/* What needs the least: others may lack BTF or tracefs as well. */
	assert_reason(e, e2e_kernel_before(4, 17) ? "exec.kprobe.perfbuf.none" : "exec.raw_tp.perfbuf.none", reason, NULL);
	assert_true(sensor_has_clear_error(&e->sensor));
}

static void a_filter_that_refuses_bpf_is_not_permitted(void **state)
{
	refuse_bpf_with(*state, EPERM, "NotPermitted");
}

static void a_kernel_without_bpf_is_too_old(void **state)
{
	refuse_bpf_with(*state, ENOSYS, "KernelTooOld");
}

/* Below 4.15 a tracepoint takes one program: the next hook has to do. From then on both are served. */
static void another_program_on_the_tracepoint_stops_nothing(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan tp = { .args = ARGS("--attach", "tp", "--transport", "perfbuf", "--access", "none"),
					.prepare = prepare_with_tracefs };
	struct sensor other;

	if (e2e_kernel_before(4, 7))
		e2e_skip("below 4.7 there are no BPF programs on tracepoints");
	sensor_start(&e->ws, &other, &tp);
	assert_true(sensor_wait_ready(&other));
	if (e2e_kernel_before(4, 15)) {
		assert_int_equal(refused(e, &tp), 3);
		assert_reason(e, NULL, "AttachFailed", "another program");
		start(e, &(struct sensor_plan){ .args = ARGS("--access", "none"), .prepare = prepare_with_tracefs });
		assert_true(has_rung(e, ".kprobe."));
	} else {
		start(e, &tp);
	}
	observe_one(e);
	end(e);
	assert_int_equal(sensor_stop(&other, SIGTERM), 0);
}

/* ------------------------------------------------------------------ CPUs come and go */

#define CPU1 "/sys/devices/system/cpu/cpu1/online"

static void need_hotplug(void)
{
	if (!getenv("E2E_VM"))
		e2e_skip("CPUs are taken away in virtual machines only");
	if (access(CPU1, W_OK))
		e2e_skip("there is no second CPU that can be taken away");
}

static int on_cpu1(void *arg)
{
	cpu_set_t cpus;

	(void)arg;
	CPU_ZERO(&cpus);
	CPU_SET(1, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

/* Execs on CPU 1 until one is told, at most for some seconds: the sensor looks for new CPUs about once a second. */
static void wait_for_cpu1(struct e2e *e)
{
	uint64_t deadline = clock_deadline(clock_patience_s());
	size_t told = 0;

	while (!told && !clock_passed(deadline)) {
		struct subject *s = subject_start(e, &(struct subject_plan){ .prepare = on_cpu1 });

		clock_sleep_ms(300);
		event_log_poll(&e->log);
		told = event_log_count(&e->log, s->pid);
		subject_release(s);
	}
	assert_true(told);
}

static void observe_on_cpu1(struct e2e *e)
{
	e->knows_less = true;
	for (int i = 0; i < 10; i++)
		observe(e, &(struct subject_plan){ .prepare = on_cpu1 });
	e->knows_less = false;
}

static void a_cpu_that_comes_after_the_start_is_heard(void **state)
{
	struct e2e *e = *state;

	need_hotplug();
	write_number(CPU1, 0);
	start(e, &(struct sensor_plan){ .args = ARGS("--transport", "perfbuf") });
	observe_one(e);
	write_number(CPU1, 1);
	wait_for_cpu1(e);
	observe_on_cpu1(e);
	end(e);
}

static void a_cpu_that_goes_and_comes_back_is_heard_again(void **state)
{
	struct e2e *e = *state;

	need_hotplug();
	start(e, &(struct sensor_plan){ .args = ARGS("--transport", "perfbuf") });
	for (int i = 0; i < 2; i++) {
		observe_on_cpu1(e);
		write_number(CPU1, 0);
		observe_one(e);
		write_number(CPU1, 1);
		wait_for_cpu1(e);
	}
	observe_on_cpu1(e);
	end(e);
}

/* ------------------------------------------------------------------ nothing is left behind */

/* tracefs in a place of the test's own. */
static char *own_tracefs(struct e2e *e)
{
	char *dir = workspace_scratch(&e->ws);

	return mount("tracefs", dir, "tracefs", 0, NULL) ? NULL : dir;
}

/* Lines of kprobe_events that are a sensor's; those of one pid, or of all with 0. */
static int probes_of(struct e2e *e, const char *tracefs, pid_t pid)
{
	char *wanted = pid ? workspace_text(&e->ws, ":cormorant/exec_%d_", pid) : ":cormorant/";
	struct bytes text;
	int n = 0;

	if (!bytes_read_file(workspace_text(&e->ws, "%s/kprobe_events", tracefs), &text))
		return 0;
	for (char *at = text.data; (at = strstr(at, wanted)); at++)
		n++;
	bytes_free(&text);
	return n;
}

static void leave_nothing(struct e2e *e, const struct sensor_plan *plan, int signal)
{
	char *tracefs = own_tracefs(e);
	struct program_list before = programs_list(), mine;
	pid_t pid;

	sensor_start(&e->ws, &e->sensor, plan);
	if (!sensor_wait_ready_or_end(&e->sensor)) {
		char *reason = sensor_reason(&e->sensor, NULL);
		bool hosts = sensor_reason_is_the_hosts(reason);

		if (!hosts)
			fail_msg("the sensor does not start: %s", reason);
		free(reason);
		goto out; /* not a way of this kernel's: another call of this test's has its turn */
	}
	pid = e->sensor.pid;
	mine = programs_of(pid, &before);
	if (mine.known && !mine.n)
		fail_msg("%s: no BPF program is loaded while it runs", e->sensor.variant);
	assert_int_equal(sensor_stop(&e->sensor, signal), signal == SIGKILL ? -SIGKILL : 0);
	if (mine.known && !programs_wait_gone(&mine))
		fail_msg("%s: BPF programs are left behind by signal %d", e->sensor.variant, signal);
	/* A kprobe in tracefs outlives kill -9, and the next start removes it: a test of its own. */
	if (tracefs && signal != SIGKILL && probes_of(e, tracefs, pid))
		fail_msg("%s: probes are left behind in tracefs", e->sensor.variant);
out:
	if (tracefs)
		umount2(tracefs, MNT_DETACH);
}

static void nothing_is_left_after_an_end_or_a_kill(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan plans[] = {
		{ .args = ARGS() },
		{ .args = ARGS("--attach", "tp", "--transport", "perfbuf", "--access", "none"), .prepare = prepare_with_tracefs },
		{ .args = ARGS("--attach", "kprobe", "--transport", "perfbuf", "--access", "none"), .prepare = prepare_with_tracefs },
	};

	if (e2e_kernel_before(4, 13))
		print_message("below 4.13 loaded programs can't be listed: only tracefs is looked at\n");
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		leave_nothing(e, &plans[i], SIGTERM);
		leave_nothing(e, &plans[i], SIGKILL);
	}
}

/* No PMU for kprobes: tracefs is the only way to make one. */
static int only_tracefs(void *arg)
{
	int why = prepare_with_tracefs(arg);

	if (!why)
		why = mounts_hide("/sys/bus/event_source");
	return why == -ENOENT ? 0 : why;
}

static void a_probe_left_by_a_kill_is_removed_by_the_next_start(void **state)
{
	struct e2e *e = *state;
	const struct sensor_plan plan = { .args = ARGS("--attach", "kprobe", "--access", "none"), .prepare = only_tracefs };
	char *tracefs = own_tracefs(e);
	pid_t dead;

	if (!tracefs || access(workspace_text(&e->ws, "%s/kprobe_events", tracefs), W_OK)) {
		if (tracefs)
			umount2(tracefs, MNT_DETACH);
		e2e_skip("this kernel has no kprobes in tracefs (CONFIG_KPROBE_EVENTS)");
	}
	start(e, &plan);
	dead = e->sensor.pid;
	assert_true(probes_of(e, tracefs, dead) > 0);
	assert_int_equal(sensor_stop(&e->sensor, SIGKILL), -SIGKILL);
	event_log_close(&e->log);
	assert_true(probes_of(e, tracefs, dead) > 0);
	start(e, &plan);
	assert_int_equal(probes_of(e, tracefs, dead), 0);
	observe_one(e);
	end(e);
	assert_int_equal(probes_of(e, tracefs, 0), 0);
	umount2(tracefs, MNT_DETACH);
}

/* ------------------------------------------------------------------ something does nothing */

/* The kernel's own switch for all kprobes; a descriptor to write to. */
static int open_kprobes_switch(struct e2e *e)
{
	const char *debugfs = workspace_scratch(&e->ws);
	int fd;

	if (!getenv("E2E_VM"))
		e2e_skip("kprobes are disarmed in virtual machines only: other programs have some");
	if (mount("debugfs", debugfs, "debugfs", 0, NULL))
		e2e_skip("this kernel has no debugfs: %s", strerror(errno));
	fd = open(workspace_text(&e->ws, "%s/kprobes/enabled", debugfs), O_WRONLY | O_CLOEXEC);
	umount2(debugfs, MNT_DETACH);
	if (fd < 0)
		e2e_skip("this kernel has no switch for kprobes");
	return fd;
}

/* Disarmed as a whole, kprobes can be made and attached to as ever, and nothing calls them. */
static void a_hook_that_is_never_called_is_passed_over(void **state)
{
	struct e2e *e = *state;
	int fd = open_kprobes_switch(e), status;
	bool ready;

	assert_int_equal(write(fd, "0", 1), 1);
	status = refused(e, &(struct sensor_plan){ .args = ARGS("--attach", "kprobe", "--access", "none") });
	assert_int_equal(write(fd, "1", 1), 1);
	assert_int_equal(status, 3);
	assert_reason(e, "exec.kprobe.perfbuf.none", "AttachFailed", "not called for any of ");
	assert_int_equal(write(fd, "0", 1), 1);
	sensor_start(&e->ws, &e->sensor, &(struct sensor_plan){ .args = ARGS("--access", "none") });
	ready = sensor_wait_ready_or_end(&e->sensor);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
	if (e2e_kernel_before(4, 7)) /* nothing but kprobes */
		assert_false(ready);
	if (!ready)
		return;
	assert_false(has_rung(e, ".kprobe."));
	event_log_open(&e->log, e->sensor.out_path);
	observe_one(e);
	end(e);
}

/* ------------------------------------------------------------------ lockdown: the last, for it stays */

static void a_locked_down_kernel_is_named(void **state)
{
	static const char lockdown[] = "/sys/kernel/security/lockdown";
	struct e2e *e = *state;
	int fd;

	if (!getenv("E2E_VM"))
		e2e_skip("a kernel is locked down in virtual machines only: it stays so");
	fd = open(lockdown, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "confidentiality", 15) != 15)
		e2e_skip("this kernel cannot be locked down (5.4, CONFIG_SECURITY_LOCKDOWN_LSM): %s", strerror(errno));
	close(fd);
	assert_int_equal(refused(e, &(struct sensor_plan){ .args = ARGS() }), 3);
	assert_reason(e, "exec.raw_tp.perfbuf.none", "NotPermitted", "confidentiality");
	assert_true(sensor_has_clear_error(&e->sensor));
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(without_btf_and_offsets_it_runs_and_names_both),
	E2E_TEST(without_tracefs_it_runs_unless_nothing_else_can_attach),
	E2E_TEST(without_sys_it_runs_unless_nothing_can_attach),
	E2E_TEST(a_ring_that_memory_has_no_room_for_becomes_a_perf_buffer),
	E2E_TEST(what_the_verifier_rejects_is_passed_over_with_its_words),
	E2E_TEST(a_filter_that_refuses_bpf_is_not_permitted),
	E2E_TEST(a_kernel_without_bpf_is_too_old),
	E2E_TEST(another_program_on_the_tracepoint_stops_nothing),
	E2E_TEST(a_cpu_that_comes_after_the_start_is_heard),
	E2E_TEST(a_cpu_that_goes_and_comes_back_is_heard_again),
	E2E_TEST(nothing_is_left_after_an_end_or_a_kill),
	E2E_TEST(a_probe_left_by_a_kill_is_removed_by_the_next_start),
	E2E_TEST(a_hook_that_is_never_called_is_passed_over),
	E2E_TEST(a_locked_down_kernel_is_named),
};
const struct e2e_tests e2e_rungs_tests = E2E_TESTS(tests);
