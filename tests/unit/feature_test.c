// SPDX-License-Identifier: Apache-2.0
/*
 * feature.c, against what else can be found out about the kernel this runs on: nothing is
 * expected by its version. Hosts that are different (no tracefs, a seccomp filter, another
 * symbol table) are made in a child with mounts, limits and filters of its own.
 */
#include "builder.h"
#include "feature.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>

#define PMU "/sys/bus/event_source/devices"
#define CPUS "/sys/devices/system/cpu"

enum { LIBC_POSSIBLE = 4321, LIBC_ONLINE = 1234 };

long __sysconf(int name); /* libc's own name for it */

/* In libc's place, which would read the same files as feature.c, and less strictly. */
long sysconf(int name)
{
	switch (name) {
	case _SC_NPROCESSORS_CONF: return LIBC_POSSIBLE;
	case _SC_NPROCESSORS_ONLN: return LIBC_ONLINE;
	}
	return __sysconf(name);
}

/* --------------------------------------------------------- a host of one's own */

/* What a child found out, in memory that it shares with the test. */
struct found {
	struct features features;
	struct feature_limits limits;
	bool took; /* what the child itself tried */
	bool logged;
	int leaked; /* descriptors */
	struct rlimit memlock;
};

static struct found *found;

static int shared_memory(void **state)
{
	(void)state;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return found == MAP_FAILED;
}

static int unshare_memory(void **state)
{
	(void)state;
	return munmap(found, sizeof(*found));
}

enum { CHILD_OK, CHILD_CANNOT = 77 };

static bool kernel_locked_down(void)
{
	struct feature_limits limits;

	feature_limits_read(&limits);
	return !strcmp(limits.lockdown, "confidentiality");
}

/* Runs change and then, in what it made of the host, ask, in a child. */
static void in_child(bool (*change)(void), void (*ask)(void))
{
	int status;
	pid_t child;

	if (geteuid()) {
		print_message("not root: nothing of the host can be changed\n");
		skip();
	}
	if (kernel_locked_down()) {
		print_message("the kernel is locked down: nothing to compare with can be had\n");
		skip();
	}
	memset(found, 0, sizeof(*found));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(60);
		if (!change())
			_exit(CHILD_CANNOT);
		ask();
		_exit(CHILD_OK);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_CANNOT) {
		print_message("this host can't be changed as the test wants it\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), CHILD_OK);
	assert_int_equal(found->leaked, 0);
}

static int descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void ask_all(void)
{
	int before = descriptors();

	feature_get_all(&found->features);
	found->leaked = descriptors() - before;
}

static void ask_symbols(void)
{
	(void)feature_get(&found->features, FEATURE_SYMBOL_EXECVE);
}

static void ask_limits(void)
{
	getrlimit(RLIMIT_MEMLOCK, &found->memlock);
	feature_limits_read(&found->limits);
}

static void ask_all_and_limits(void)
{
	ask_all();
	ask_limits();
}

/* Mounts of this process only, and an empty /tmp. */
static bool private_mounts(void)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

/* Puts a file of this text over another. */
static bool cover(const char *path, const char *text)
{
	return put("/tmp/cover", text) && !mount("/tmp/cover", path, NULL, MS_BIND, NULL) &&
	       !unlink("/tmp/cover");
}

/* No tracefs anywhere, nor debugfs, which mounts one by itself. */
static bool without_tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
					     "/sys/kernel/debug"};

	if (!private_mounts())
		return false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		while (!umount2(places[i], MNT_DETACH))
			;
	return !system("! grep -q ' tracefs ' /proc/self/mounts");
}

static bool with_tracefs(void)
{
	return without_tracefs() && !mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

static const struct feature *answer(enum feature_id id)
{
	assert_true(found->features.of[id].asked);
	return &found->features.of[id];
}

static void assert_answer(enum feature_id id, enum feature_answer want, int error)
{
	const struct feature *f = answer(id);

	if (f->answer != want || f->error != error)
		fail_msg("%s: %s, %s (%s), expected %s, %s", feature_name(id),
			 feature_answer_str(f->answer), strerrorname_np(f->error), f->detail,
			 feature_answer_str(want), strerrorname_np(error));
}

/* ------------------------------------------------------------ words, bookkeeping */

static void every_feature_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int id = 0; id < FEATURE_COUNT; id++) {
		const char *name = feature_name((enum feature_id)id);

		assert_true(strlen(name) > 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		for (int other = 0; other < id; other++)
			assert_string_not_equal(name, feature_name((enum feature_id)other));
	}
	assert_string_equal(feature_name(FEATURE_MAP_RINGBUF), "map_ringbuf");
	assert_string_equal(feature_name(FEATURE_HELPER_TASK), "helper_task");
	assert_string_equal(feature_name(FEATURE_ATTACH_KPROBE), "attach_kprobe");
	assert_string_equal(feature_name(FEATURE_COUNT), "unknown");
	assert_string_equal(feature_answer_str(FEATURE_YES), "yes");
	assert_string_equal(feature_answer_str(FEATURE_NO), "no");
	assert_string_equal(feature_answer_str(FEATURE_UNKNOWN), "unknown");
}

static void a_probe_closes_what_it_opens_and_leaves_limits_alone(void **state)
{
	static struct features features;
	struct rlimit before, after;
	struct timespec start, end;
	int count = descriptors();
	double ms;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	feature_get_all(&features);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(descriptors(), count);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &after), 0);
	assert_true(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
	for (int id = 0; id < FEATURE_COUNT; id++)
		assert_true(features.of[id].asked);
	ms = (double)(end.tv_sec - start.tv_sec) * 1e3 +
	     (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	print_message("all features: %.1f ms\n", ms);
	assert_true(ms < 30000); /* the aim is 150, but not of a busy emulator with sanitizers */
}

/* Whether one of the lines logged since the last look may be about us. */
static bool kernel_said_something(int kmsg)
{
	static const char *const ours[] = {"bpf", "BPF", "kprobe", "Lockdown", "trac", "perf"};
	char line[8192];
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = 0;
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			if (strstr(line, ours[i])) {
				print_message("the kernel's log: %s", line);
				return true;
			}
	}
	return false;
}

static void ask_all_watching_the_log(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		_exit(CHILD_CANNOT);
	ask_all();
	found->logged = kernel_said_something(kmsg);
}

/* Others may have the kernel say something at the same time, but not every time. */
static void assert_quiet(bool (*change)(void))
{
	for (int i = 0; i < 3; i++) {
		in_child(change, ask_all_watching_the_log);
		if (!found->logged)
			return;
	}
	fail_msg("the kernel's log: a line three times out of three");
}

static void a_probe_says_nothing_in_the_kernels_log(void **state)
{
	(void)state;
	assert_quiet(with_tracefs);
}

static bool btf_hidden(void)
{
	return private_mounts() && !mount("tmpfs", "/sys/kernel/btf", "tmpfs", 0, NULL);
}

static void ask_before_and_after(void)
{
	struct features fresh = {0};
	enum feature_answer before = feature_get(&found->features, FEATURE_BTF)->answer;

	if (!private_mounts() || before != FEATURE_YES)
		_exit(CHILD_CANNOT);
	if (!btf_hidden() || feature_get(&fresh, FEATURE_BTF)->answer != FEATURE_NO)
		_exit(1);
	(void)feature_get(&found->features, FEATURE_BTF);
}

static void an_answer_is_kept(void **state)
{
	(void)state;
	in_child(private_mounts, ask_before_and_after);
	assert_answer(FEATURE_BTF, FEATURE_YES, 0);
}

static void the_version_is_the_kernels(void **state)
{
	uint32_t version = feature_kernel_version();
	unsigned major, minor;
	struct utsname uts;

	(void)state;
	uname(&uts);
	assert_int_equal(sscanf(uts.release, "%u.%u", &major, &minor), 2);
	assert_int_equal(version >> 16, major);
	assert_int_equal(version >> 8 & 255, minor);
}

/* --------------------------------------------------------- against other evidence */

static bool made(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool loads(enum bpf_prog_type type, const struct bpf_insn *code, size_t length)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .kern_version = feature_kernel_version());

	return made(bpf_prog_load(type, NULL, "GPL", code, length, &opts));
}

static bool loads_trivial(enum bpf_prog_type type)
{
	const struct bpf_insn code[] = {{.code = 0xb7}, {.code = 0x95}};

	return loads(type, code, 2);
}

static bool loads_large(void)
{
	static struct bpf_insn code[5000];

	for (int i = 0; i < 4999; i++)
		code[i].code = 0xb7;
	code[4999].code = 0x95;
	return loads(BPF_PROG_TYPE_KPROBE, code, 5000);
}

/* r0 = 3; do r0 -= 1; while (r0 > 0) */
static bool loads_loop(void)
{
	const struct bpf_insn code[] = {{.code = 0xb7, .imm = 3},
					{.code = 0x17, .imm = 1},
					{.code = 0x25, .off = -2},
					{.code = 0x95}};

	return loads(BPF_PROG_TYPE_KPROBE, code, 4);
}

/* bpf_get_current_comm into a map's value. */
static bool loads_map_memory(void)
{
	struct bpf_insn code[] = {
		{.code = 0x7a, .dst_reg = 10, .off = -8},
		{.code = 0x18, .dst_reg = 1, .src_reg = 1},
		{.code = 0},
		{.code = 0xbf, .dst_reg = 2, .src_reg = 10},
		{.code = 0x07, .dst_reg = 2, .imm = -8},
		{.code = 0x85, .imm = BPF_FUNC_map_lookup_elem},
		{.code = 0x15, .off = 3},
		{.code = 0xbf, .dst_reg = 1},
		{.code = 0xb7, .dst_reg = 2, .imm = 16},
		{.code = 0x85, .imm = BPF_FUNC_get_current_comm},
		{.code = 0xb7},
		{.code = 0x95},
	};
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 16, 1, NULL);
	bool yes;

	assert_true(map >= 0);
	code[1].imm = map;
	yes = loads(BPF_PROG_TYPE_KPROBE, code, sizeof(code) / sizeof(code[0]));
	close(map);
	return yes;
}

static bool knows_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, NULL) == 1;
}

static void assert_yes_or_no(enum feature_id id, bool evidence)
{
	const struct feature *f = answer(id);

	if (f->answer != (evidence ? FEATURE_YES : FEATURE_NO) || !f->error != evidence)
		fail_msg("%s: %s, %s (%s), but it is %s", feature_name(id),
			 feature_answer_str(f->answer), strerrorname_np(f->error), f->detail,
			 evidence ? "there" : "not there");
}

static bool nothing(void)
{
	return true;
}

static void bpf_answers_agree_with_libbpf(void **state)
{
	int page = getpagesize();

	(void)state;
	in_child(nothing, ask_all);
	libbpf_set_print(NULL);
	assert_answer(FEATURE_BPF_SYSCALL, FEATURE_YES, 0);
	assert_answer(FEATURE_MAP_ARRAY, FEATURE_YES, 0);
	assert_yes_or_no(FEATURE_MAP_PROG_ARRAY,
			 made(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, NULL, 4, 4, 1, NULL)));
	assert_yes_or_no(FEATURE_MAP_PERF_EVENT_ARRAY,
			 made(bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, NULL, 4, 4, 1, NULL)));
	assert_yes_or_no(FEATURE_MAP_RINGBUF,
			 made(bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, (__u32)page, NULL)));
	assert_yes_or_no(FEATURE_PROG_KPROBE, loads_trivial(BPF_PROG_TYPE_KPROBE));
	assert_yes_or_no(FEATURE_PROG_TRACEPOINT, loads_trivial(BPF_PROG_TYPE_TRACEPOINT));
	assert_yes_or_no(FEATURE_PROG_RAW_TRACEPOINT, loads_trivial(BPF_PROG_TYPE_RAW_TRACEPOINT));
	assert_yes_or_no(FEATURE_LARGE_PROGRAM, loads_large());
	assert_yes_or_no(FEATURE_LOOP, loads_loop());
}

static void helper_answers_agree_with_libbpf(void **state)
{
	(void)state;
	in_child(nothing, ask_all);
	assert_yes_or_no(FEATURE_HELPER_TASK, knows_helper(BPF_FUNC_get_current_task));
	assert_yes_or_no(FEATURE_HELPER_CGROUP_ID, knows_helper(BPF_FUNC_get_current_cgroup_id));
	assert_yes_or_no(FEATURE_HELPER_BOOT_NS, knows_helper(BPF_FUNC_ktime_get_boot_ns));
	assert_yes_or_no(FEATURE_HELPER_PERF_OUTPUT, knows_helper(BPF_FUNC_perf_event_output));
	assert_yes_or_no(FEATURE_HELPER_READ_STR, knows_helper(BPF_FUNC_probe_read_str));
	assert_yes_or_no(FEATURE_HELPER_READ_KERNEL,
			 knows_helper(BPF_FUNC_probe_read_kernel) &&
				 knows_helper(BPF_FUNC_probe_read_user));
	assert_yes_or_no(FEATURE_MAP_MEMORY, loads_map_memory());
}

/* A perf event that took a program, or -1. */
static int perf_attached(struct perf_event_attr *attr, enum bpf_prog_type type)
{
	const struct bpf_insn code[] = {{.code = 0xb7, .imm = 1}, {.code = 0x95}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .kern_version = feature_kernel_version());
	int program = bpf_prog_load(type, NULL, "GPL", code, 2, &opts), event = -1;

	attr->size = sizeof(*attr);
	for (int cpu = 0; event < 0 && cpu < 1024; cpu++)
		event = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, 0);
	if (program >= 0 && event >= 0 && ioctl(event, PERF_EVENT_IOC_SET_BPF, program)) {
		close(event);
		event = -1;
	}
	if (program >= 0)
		close(program);
	return program < 0 ? -1 : event;
}

static int tracepoint_attached(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	FILE *f = fopen("/sys/kernel/tracing/events/sched/sched_process_exec/id", "r");
	unsigned id;

	if (!f || fscanf(f, "%u", &id) != 1)
		_exit(2);
	fclose(f);
	attr.config = id;
	return perf_attached(&attr, BPF_PROG_TYPE_TRACEPOINT);
}

static void a_raw_tracepoint_program_attaches_if_it_does(void **state)
{
	const struct bpf_insn code[] = {{.code = 0xb7}, {.code = 0x95}};
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", code, 2, NULL);
	bool took = program >= 0 && made(bpf_raw_tracepoint_open("sched_process_exec", program));

	(void)state;
	if (program >= 0)
		close(program);
	in_child(nothing, ask_all);
	assert_yes_or_no(FEATURE_ATTACH_RAW_TP, took);
}

/* In bytes from the start of task_struct, as the running kernel's BTF says; -1 if it does not. */
static int in_task(const char *member)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT) : -1, at = -1;
	const struct btf_type *task = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	for (int i = 0; task && i < btf_vlen(task); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(task)[i].name_off), member))
			at = (int)btf_member_bit_offset(task, (__u32)i) / 8;
	btf__free(btf);
	return at;
}

static uint16_t asked_at;

static void ask_preempted(void)
{
	found->features.migration_disabled_at = asked_at;
	(void)feature_get(&found->features, FEATURE_RAW_TP_PREEMPTED);
}

/*
 * What the trial reads is another member first, which is not 0 here and so would mean that a
 * program is kept on its CPU; for the program's own sake, if the symbols do not know better.
 * Which kernels do so the end-to-end tests know.
 */
static void a_preempted_program_is_told_by_what_keeps_it_on_its_cpu(void **state)
{
	int comm = in_task("comm"), migration = in_task("migration_disabled");
	enum feature_answer by_symbols;

	(void)state;
	if (comm < 0 || migration < 0) {
		print_message("no BTF with task_struct.migration_disabled (5.11)\n");
		skip();
	}
	asked_at = 0;
	in_child(nothing, ask_preempted);
	assert_string_equal(answer(FEATURE_RAW_TP_PREEMPTED)->detail, "by the symbols only");
	by_symbols = answer(FEATURE_RAW_TP_PREEMPTED)->answer;
	asked_at = (uint16_t)comm;
	in_child(nothing, ask_preempted);
	assert_answer(FEATURE_RAW_TP_PREEMPTED, by_symbols == FEATURE_UNKNOWN ? FEATURE_YES : by_symbols, 0);
	asked_at = (uint16_t)migration;
	in_child(nothing, ask_preempted);
	assert_int_not_equal(answer(FEATURE_RAW_TP_PREEMPTED)->answer, FEATURE_UNKNOWN);
	assert_int_equal(answer(FEATURE_RAW_TP_PREEMPTED)->error, 0);
	if (by_symbols != FEATURE_UNKNOWN)
		assert_int_equal(answer(FEATURE_RAW_TP_PREEMPTED)->answer, by_symbols);
}

static void ask_all_and_attach(void)
{
	ask_all();
	found->took = made(tracepoint_attached());
}

static void a_tracepoint_program_attaches_if_it_does(void **state)
{
	(void)state;
	in_child(with_tracefs, ask_all_and_attach);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_yes_or_no(FEATURE_ATTACH_TP, found->took);
}

/* As the only one below 4.15, as one of many since. */
static void attach_and_ask_all_and_attach(void)
{
	if (tracepoint_attached() < 0)
		_exit(CHILD_CANNOT);
	ask_all_and_attach();
}

static void a_tracepoint_held_by_another_is_said_to_be(void **state)
{
	(void)state;
	in_child(with_tracefs, attach_and_ask_all_and_attach);
	assert_answer(FEATURE_ATTACH_TP, found->took ? FEATURE_YES : FEATURE_NO,
		      found->took ? 0 : EEXIST);
	assert_string_equal(answer(FEATURE_ATTACH_TP)->detail,
			    found->took ? "" : "another program holds the tracepoint");
}

static void ask_all_and_look(void)
{
	ask_all();
	found->took = !access("/sys/kernel/tracing/kprobe_events", W_OK);
}

/* Where there are no kprobes, that they are not there; else that the kernel took one. */
static void kprobe_answers_agree_with_sysfs(void **state)
{
	struct perf_event_attr attr = {.config1 = (uintptr_t) "proc_exec_connector"};
	FILE *f = fopen(PMU "/kprobe/type", "r");
	unsigned type = 0;

	(void)state;
	if (f) {
		assert_int_equal(fscanf(f, "%u", &type), 1);
		fclose(f);
	}
	in_child(with_tracefs, ask_all_and_look);
	assert_yes_or_no(FEATURE_KPROBE_PMU, f != NULL);
	assert_yes_or_no(FEATURE_KPROBE_TRACEFS, found->took);
	if (f) {
		assert_int_equal(atoi(answer(FEATURE_KPROBE_PMU)->detail), type);
		attr.type = type;
		assert_yes_or_no(FEATURE_ATTACH_KPROBE,
				 made(perf_attached(&attr, BPF_PROG_TYPE_KPROBE)));
	} else if (found->took) {
		assert_answer(FEATURE_ATTACH_KPROBE, FEATURE_UNKNOWN, 0);
		assert_string_equal(answer(FEATURE_ATTACH_KPROBE)->detail,
				    "tracefs only; tried at start");
		assert_string_equal(answer(FEATURE_SYMBOL_POST_EXEC)->detail, "");
	} else {
		assert_answer(FEATURE_ATTACH_KPROBE, FEATURE_NO, ENOENT);
		assert_answer(FEATURE_SYMBOL_POST_EXEC, FEATURE_UNKNOWN, ENOENT);
		assert_answer(FEATURE_SYMBOL_EXECVE, FEATURE_UNKNOWN, ENOENT);
	}
}

/* ---------------------------------------------------------------- BTF, tracefs */

static void btf_is_there_if_it_begins_like_btf(void **state)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	unsigned char head[2] = {0};

	(void)state;
	if (fd >= 0) {
		assert_int_equal(read(fd, head, 2), 2);
		close(fd);
	}
	in_child(nothing, ask_all);
	assert_yes_or_no(FEATURE_BTF, (head[0] == 0x9f && head[1] == 0xeb) ||
					      (head[0] == 0xeb && head[1] == 0x9f));
}

static void hidden_btf_is_no(void **state)
{
	(void)state;
	in_child(btf_hidden, ask_all);
	assert_answer(FEATURE_BTF, FEATURE_NO, ENOENT);
}

static bool btf_replaced(void)
{
	return btf_hidden() && put("/sys/kernel/btf/vmlinux", "type 1\n");
}

static bool btf_cut(void)
{
	return btf_hidden() && put("/sys/kernel/btf/vmlinux", "\x9f");
}

static void what_is_no_btf_is_no(void **state)
{
	bool (*const ways[])(void) = {btf_replaced, btf_cut};

	(void)state;
	for (int i = 0; i < 2; i++) {
		in_child(ways[i], ask_all);
		assert_answer(FEATURE_BTF, FEATURE_NO, EINVAL);
		assert_string_equal(answer(FEATURE_BTF)->detail, "not BTF");
	}
}

static void without_tracefs_what_needs_it_is_no(void **state)
{
	(void)state;
	in_child(without_tracefs, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_NO, ENOENT);
	assert_string_equal(found->features.tracefs, "");
	assert_answer(FEATURE_KPROBE_TRACEFS, FEATURE_NO, ENOENT);
	if (answer(FEATURE_PROG_TRACEPOINT)->answer == FEATURE_YES) {
		assert_answer(FEATURE_ATTACH_TP, FEATURE_NO, ENOENT);
		assert_string_equal(answer(FEATURE_ATTACH_TP)->detail, "needs tracefs");
	}
}

static bool tracefs_elsewhere(void)
{
	return without_tracefs() && !mkdir("/tmp/my trace", 0755) &&
	       !mount("tracefs", "/tmp/my trace", "tracefs", 0, NULL);
}

static void tracefs_is_found_where_it_is(void **state)
{
	(void)state;
	in_child(with_tracefs, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_string_equal(found->features.tracefs, "/sys/kernel/tracing");
	in_child(tracefs_elsewhere, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_string_equal(found->features.tracefs, "/tmp/my trace");
}

static bool tracefs_without_proc(void)
{
	return with_tracefs() && !mount("tmpfs", "/proc", "tmpfs", 0, NULL);
}

static void tracefs_is_found_without_proc(void **state)
{
	(void)state;
	in_child(tracefs_without_proc, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_string_equal(found->features.tracefs, "/sys/kernel/tracing");
}

static bool debugfs_only(void)
{
	return without_tracefs() && !mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

static bool debugfs_with_tracefs(void)
{
	return debugfs_only() && !access("/sys/kernel/debug/tracing/.", F_OK);
}

static void tracefs_is_found_in_debugfs(void **state)
{
	(void)state;
	in_child(debugfs_with_tracefs, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_string_equal(found->features.tracefs, "/sys/kernel/debug/tracing");
}

/* Since 6.17 the kernel logs it when debugfs has to mount one. */
static void tracefs_is_not_looked_for_loudly(void **state)
{
	(void)state;
	assert_quiet(debugfs_only);
	if (answer(FEATURE_TRACEFS)->answer == FEATURE_YES)
		assert_string_equal(found->features.tracefs, "/sys/kernel/debug/tracing");
	else
		assert_answer(FEATURE_TRACEFS, FEATURE_NO, ENOENT);
}

static bool event_hidden(void)
{
	return with_tracefs() &&
	       !mount("tmpfs", "/sys/kernel/tracing/events/sched", "tmpfs", 0, NULL);
}

static void tracefs_without_the_event_is_no(void **state)
{
	(void)state;
	in_child(event_hidden, ask_all);
	assert_answer(FEATURE_TRACEFS, FEATURE_NO, ENOENT);
	assert_string_equal(found->features.tracefs, "/sys/kernel/tracing");
}

/* --------------------------------------------------------------- what is forbidden */

static bool needs_privilege(int id)
{
	return id >= FEATURE_PROG_KPROBE && id <= FEATURE_LOOP;
}

static bool as_nobody(void)
{
	return with_tracefs() && !setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534);
}

static void without_privilege_nothing_is_a_no(void **state)
{
	enum feature_answer as_root[FEATURE_COUNT];

	(void)state;
	in_child(with_tracefs, ask_all);
	for (int id = 0; id < FEATURE_COUNT; id++)
		as_root[id] = answer(id)->answer;
	in_child(as_nobody, ask_all);
	for (int id = 0; id < FEATURE_COUNT; id++) {
		if (needs_privilege(id) || id == FEATURE_ATTACH_RAW_TP || id == FEATURE_ATTACH_TP)
			assert_answer(id, FEATURE_UNKNOWN, EPERM);
		if (as_root[id] == FEATURE_YES)
			assert_int_not_equal(answer(id)->answer, FEATURE_NO);
	}
	assert_answer(FEATURE_TRACEFS, FEATURE_UNKNOWN, EACCES);
	assert_answer(FEATURE_KPROBE_TRACEFS, FEATURE_UNKNOWN, EACCES);
}

/* Answers a system call with an errno; only with this first argument, if it is not -1. */
static bool deny_only(unsigned number, int argument, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | (argument < 0 ? BPF_JGE : BPF_JEQ) | BPF_K,
			 argument < 0 ? 0 : (unsigned)argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {6, code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static bool deny(unsigned number, unsigned error)
{
	return deny_only(number, -1, error);
}

static bool bpf_enosys(void)
{
	return with_tracefs() && deny(SYS_bpf, ENOSYS);
}

static bool bpf_eperm(void)
{
	return with_tracefs() && deny(SYS_bpf, EPERM);
}

/* EPERM may mean this limit, so that it is raised for a moment. */
static bool load_eperm(void)
{
	struct rlimit memlock;

	if (getrlimit(RLIMIT_MEMLOCK, &memlock))
		return false;
	memlock.rlim_cur = 65536;
	return !setrlimit(RLIMIT_MEMLOCK, &memlock) && with_tracefs() &&
	       deny_only(SYS_bpf, BPF_PROG_LOAD, EPERM);
}

static bool bpf_enomem(void)
{
	return with_tracefs() && deny(SYS_bpf, ENOMEM);
}

static void assert_all_bpf(enum feature_answer want, int error)
{
	assert_answer(FEATURE_BPF_SYSCALL, want, error);
	for (int id = FEATURE_MAP_ARRAY; id <= FEATURE_LOOP; id++)
		assert_answer(id, want, error);
	assert_answer(FEATURE_ATTACH_RAW_TP, want, error);
	assert_answer(FEATURE_ATTACH_TP, want, error);
	assert_answer(FEATURE_ATTACH_KPROBE, want, error);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0); /* needs no bpf(2) */
	assert_string_equal(answer(FEATURE_MAP_ARRAY)->detail, "needs bpf_syscall");
}

static void without_bpf_all_that_needs_it_is_no(void **state)
{
	(void)state;
	in_child(bpf_enosys, ask_all);
	assert_all_bpf(FEATURE_NO, ENOSYS);
}

static void where_bpf_is_forbidden_nothing_is_known(void **state)
{
	(void)state;
	in_child(bpf_eperm, ask_all);
	assert_all_bpf(FEATURE_UNKNOWN, EPERM);
	in_child(bpf_enomem, ask_all);
	assert_all_bpf(FEATURE_UNKNOWN, ENOMEM);
}

static void where_loading_is_forbidden_maps_are_known(void **state)
{
	(void)state;
	in_child(load_eperm, ask_all_and_limits);
	assert_answer(FEATURE_MAP_ARRAY, FEATURE_YES, 0);
	for (int id = FEATURE_PROG_KPROBE; id <= FEATURE_LOOP; id++)
		assert_answer(id, FEATURE_UNKNOWN, EPERM);
	assert_answer(FEATURE_ATTACH_RAW_TP, FEATURE_UNKNOWN, EPERM);
	assert_int_equal(found->limits.memlock, 65536);
}

static bool perf_eacces(void)
{
	return with_tracefs() && deny(SYS_perf_event_open, EACCES);
}

static bool perf_enosys(void)
{
	return with_tracefs() && deny(SYS_perf_event_open, ENOSYS);
}

static void where_perf_is_forbidden_attaching_is_unknown(void **state)
{
	(void)state;
	in_child(perf_eacces, ask_all);
	if (answer(FEATURE_PROG_TRACEPOINT)->answer == FEATURE_YES)
		assert_answer(FEATURE_ATTACH_TP, FEATURE_UNKNOWN, EACCES);
	if (answer(FEATURE_KPROBE_PMU)->answer == FEATURE_YES)
		assert_answer(FEATURE_ATTACH_KPROBE, FEATURE_UNKNOWN, EACCES);
	in_child(perf_enosys, ask_all);
	if (answer(FEATURE_PROG_TRACEPOINT)->answer == FEATURE_YES)
		assert_answer(FEATURE_ATTACH_TP, FEATURE_UNKNOWN, ENOSYS);
}

static bool no_descriptors(void)
{
	const struct rlimit none = {0, 0};

	return !setrlimit(RLIMIT_NOFILE, &none);
}

static void without_descriptors_nothing_is_known(void **state)
{
	(void)state;
	in_child(no_descriptors, ask_all);
	assert_answer(FEATURE_BPF_SYSCALL, FEATURE_YES, 0); /* its trial opens nothing */
	assert_answer(FEATURE_MAP_ARRAY, FEATURE_UNKNOWN, EMFILE);
	assert_answer(FEATURE_PROG_KPROBE, FEATURE_UNKNOWN, EMFILE);
	assert_answer(FEATURE_HELPER_TASK, FEATURE_UNKNOWN, EMFILE);
	assert_answer(FEATURE_BTF, FEATURE_UNKNOWN, EMFILE);
	assert_answer(FEATURE_KPROBE_PMU, FEATURE_UNKNOWN, EMFILE);
	assert_answer(FEATURE_SYMBOL_EXECVE, FEATURE_UNKNOWN, EMFILE);
}

static const char *lockdown_text;

static bool locked_down(void)
{
	return with_tracefs() && !mount("tmpfs", "/sys/kernel/security", "tmpfs", 0, NULL) &&
	       put("/sys/kernel/security/lockdown", lockdown_text);
}

/* Not the kernel's own lockdown: only that its file is believed. */
static void lockdown_hides_what_reads(void **state)
{
	static const enum feature_id hidden[] = {
		FEATURE_HELPER_READ_STR, FEATURE_HELPER_READ_KERNEL, FEATURE_MAP_MEMORY,
		FEATURE_TRACEFS,	 FEATURE_KPROBE_TRACEFS,     FEATURE_ATTACH_KPROBE};

	(void)state;
	lockdown_text = "none integrity [confidentiality]\n";
	in_child(locked_down, ask_all_and_limits);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		assert_answer(hidden[i], FEATURE_UNKNOWN, EPERM);
		assert_string_equal(answer(hidden[i])->detail, "lockdown");
	}
	if (answer(FEATURE_PROG_TRACEPOINT)->answer == FEATURE_YES) {
		assert_answer(FEATURE_ATTACH_TP, FEATURE_UNKNOWN, EPERM);
		assert_string_equal(answer(FEATURE_ATTACH_TP)->detail, "needs tracefs: lockdown");
	}
	assert_answer(FEATURE_HELPER_PERF_OUTPUT, FEATURE_YES, 0);
	assert_string_equal(found->limits.lockdown, "confidentiality");
	lockdown_text = "none [integrity] confidentiality\n";
	in_child(locked_down, ask_all_and_limits);
	assert_answer(FEATURE_TRACEFS, FEATURE_YES, 0);
	assert_string_equal(found->limits.lockdown, "integrity");
	lockdown_text = "none [integrity\n";
	in_child(locked_down, ask_limits);
	assert_string_equal(found->limits.lockdown, "");
}

/* --------------------------------------------------------------------- symbols */

static const char *symbol_table;

/* A type for kprobes that no kernel has given away yet: attaching fails, nothing else. */
static bool with_symbols(void)
{
	return private_mounts() && !mount("tmpfs", PMU, "tmpfs", 0, NULL) &&
	       !mkdir(PMU "/kprobe", 0755) && put(PMU "/kprobe/type", "123456\n") &&
	       cover("/proc/kallsyms", symbol_table);
}

/* The names expected, in order, separated by blanks, from a table of symbols. */
static void assert_symbols(const char *table, bool post_exec, const char *want)
{
	char got[256] = "";

	symbol_table = table;
	in_child(with_symbols, ask_symbols);
	for (int i = 0; i < 4 && found->features.execve_symbols[i][0]; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "",
			 found->features.execve_symbols[i]);
	assert_string_equal(got, want);
	assert_string_equal(answer(FEATURE_SYMBOL_EXECVE)->detail, want);
	assert_answer(FEATURE_SYMBOL_POST_EXEC, post_exec ? FEATURE_YES : FEATURE_NO,
		      post_exec ? 0 : ENOENT);
}

static void symbols_of_new_kernels_are_found(void **state)
{
	(void)state;
	assert_symbols("ffffffff81000000 T _text\n"
		       "ffffffff816e37b0 T __ia32_sys_execve\n"
		       "ffffffff816e37b0 t __do_sys_execve\n"
		       "ffffffff816e37b0 t __se_sys_execve\n"
		       "ffffffff816e37b0 T __x64_sys_execve\n"
		       "ffffffff816e3870 T __x64_sys_execveat\n"
		       "ffffffff816e3950 T __ia32_compat_sys_execve\n"
		       "ffffffff816e39b0 T __ia32_compat_sys_execveat\n"
		       "ffffffff81d94a30 t proc_exec_connector\n",
		       true,
		       "__x64_sys_execve __x64_sys_execveat __ia32_compat_sys_execve "
		       "__ia32_compat_sys_execveat");
	assert_symbols("ffff800010300000 T __arm64_sys_execve\n"
		       "ffff800010300100 T __arm64_compat_sys_execveat\n",
		       false, "__arm64_sys_execve __arm64_compat_sys_execveat");
}

/* 4.4 to 4.16: two names of one address, in either order, and addresses may be hidden. */
static void of_aliases_one_is_taken(void **state)
{
	(void)state;
	assert_symbols("ffffffff811e0000 T SyS_execve\nffffffff811e0000 T sys_execve\n"
		       "ffffffff811e0100 T sys_execveat\nffffffff811e0100 T SyS_execveat\n"
		       "ffffffff811e0200 T compat_SyS_execve\n"
		       "ffffffff811e0200 T compat_sys_execve\n"
		       "ffffffff81300000 T proc_exec_connector\n",
		       true, "sys_execve sys_execveat compat_sys_execve");
	assert_symbols("0000000000000000 T SyS_execve\n0000000000000000 T compat_SyS_execveat\n",
		       false, "SyS_execve compat_SyS_execveat");
}

static void what_only_looks_like_a_symbol_is_not_one(void **state)
{
	(void)state;
	assert_symbols("ffffffff811e0000 D sys_execve\n"
		       "ffffffff811e0000 T sys_execve.cold\n"
		       "ffffffff811e0000 T xsys_execve\n"
		       "ffffffff811e0000 T do_execve\n"
		       "ffffffff811e0000 d proc_exec_connector\n"
		       "ffffffff811e0000 T proc_exec_connector.isra.0\n"
		       "ffffffff811e0000 T __proc_exec_connector\n"
		       "ffffffff811e0000\n\n \n  \nT\n"
		       "ffffffffc0000000 T sys_execve\t[agent]\n"
		       "ffffffffc0000100 t proc_exec_connector\t[agent]\n",
		       false, "");
	assert_answer(FEATURE_SYMBOL_EXECVE, FEATURE_NO, ENOENT);
	assert_symbols("", false, "");
}

/* The table is read in blocks of 64 KiB: the line that lies across their border is whole. */
static void a_symbol_across_blocks_is_found(void **state)
{
	static const char line[] = "ffffffff81d94a30 T proc_exec_connector\n";
	static const char filler[] = "ffffffff81000000 T a_function\n";
	static char table[70000];

	(void)state;
	for (size_t cut = 0; cut <= sizeof(line); cut += 3) {
		size_t at = 0, start = 65536 - cut;

		while (at + 2 * sizeof(filler) < start)
			at += (size_t)sprintf(table + at, "%s", filler);
		/* one name longer than the others, so that the line starts where it should */
		at += (size_t)sprintf(table + at, "ffffffff81000000 T ");
		memset(table + at, 'x', start - 1 - at);
		sprintf(table + start - 1, "\n%sffffffff81d94a30 T sys_execve\n", line);
		assert_symbols(table, true, "sys_execve");
	}
}

static void a_kprobe_that_cannot_be_is_no(void **state)
{
	(void)state;
	symbol_table = "ffffffff81d94a30 T proc_exec_connector\n";
	in_child(with_symbols, ask_all);
	assert_answer(FEATURE_ATTACH_KPROBE, FEATURE_NO, ENOENT);
	assert_string_equal(answer(FEATURE_ATTACH_KPROBE)->detail, "proc_exec_connector");
	symbol_table = "ffffffff81d94a30 T sys_execve\n";
	in_child(with_symbols, ask_all);
	assert_string_equal(answer(FEATURE_ATTACH_KPROBE)->detail, "sys_execve");
	symbol_table = "ffffffff81d94a30 T _text\n";
	in_child(with_symbols, ask_all);
	assert_answer(FEATURE_ATTACH_KPROBE, FEATURE_NO, ENOENT);
	assert_string_equal(answer(FEATURE_ATTACH_KPROBE)->detail, "needs symbol_execve");
}

/* ---------------------------------------------------------------------- limits */

static bool few_limits(void)
{
	const struct rlimit memlock = {123456, 654321};

	return private_mounts() && cover("/proc/sys/kernel/perf_event_paranoid", "-1\n") &&
	       cover("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n") &&
	       !mount("tmpfs", "/sys/kernel/security", "tmpfs", 0, NULL) &&
	       !prctl(PR_CAPBSET_DROP, 0) && !setrlimit(RLIMIT_MEMLOCK, &memlock);
}

static void limits_are_read(void **state)
{
	(void)state;
	in_child(few_limits, ask_limits);
	assert_int_equal(found->limits.memlock, 123456);
	assert_int_equal(found->limits.perf_event_paranoid, -1);
	assert_int_equal(found->limits.unprivileged_bpf_disabled, 2);
	assert_string_equal(found->limits.lockdown, "");
}

static bool no_limits(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	return private_mounts() && cover("/proc/sys/kernel/perf_event_paranoid", "often\n") &&
	       cover("/proc/sys/kernel/unprivileged_bpf_disabled", "") &&
	       (setrlimit(RLIMIT_MEMLOCK, &unlimited) || true); /* may want CAP_SYS_RESOURCE */
}

static void what_cannot_be_read_is_not_known(void **state)
{
	(void)state;
	in_child(no_limits, ask_limits);
	assert_int_equal(found->limits.memlock, (long long)found->memlock.rlim_cur);
	assert_int_equal(found->limits.perf_event_paranoid, -100);
	assert_int_equal(found->limits.unprivileged_bpf_disabled, -1);
}

static uint64_t capabilities_by_proc(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long value = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &value) == 1)
			break;
	fclose(f);
	return value;
}

static bool with_permitted_only(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) || !data[0].permitted)
		return false;
	data[0].effective = data[1].effective = 0;
	return !syscall(SYS_capset, &head, data);
}

static void capabilities_are_the_effective_ones(void **state)
{
	struct feature_limits limits;

	(void)state;
	feature_limits_read(&limits);
	assert_true(limits.cap_effective == capabilities_by_proc());
	in_child(with_permitted_only, ask_limits);
	assert_true(found->limits.cap_effective == 0);
}

static const char *cpu_list;

static bool with_cpus(void)
{
	return private_mounts() && cover(CPUS "/possible", cpu_list) &&
	       cover(CPUS "/online", cpu_list);
}

static void cpus_are_counted(void **state)
{
	static const struct {
		const char *list;
		int count;
	} lists[] = {{"0\n", 1}, {"0-3\n", 4}, {"0-3,5\n", 5},	       {"0,2,4-7\n", 6},
		     {"7", 1},	 {"1-1\n", 1}, {"0-255,512-767", 512}, {"0-65535\n", 65536}};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cpu_list = lists[i].list;
		in_child(with_cpus, ask_limits);
		assert_int_equal(found->limits.cpus_possible, lists[i].count);
		assert_int_equal(found->limits.cpus_online, lists[i].count);
	}
}

/* None of them is counted in part; libc is asked instead. */
static void a_malformed_cpu_list_is_not_believed(void **state)
{
	static const char *const lists[] = {
		"",
		"\n",
		"100-",
		"100-199,",
		"100-199,\n",
		"-100\n",
		"199-100\n",
		"100-199 \n",
		" 100-199\n",
		"+100-199\n",
		"100-199:2/4",
		"100--199",
		"100,,102",
		"100-199\n5",
		"100-199,150",
		"100-199,199",
		"100-299,400-301",
		"0x64-0xc7",
		"100-65536",
		"cpus",
		"100-99999999999999999999",
		"100-199;5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cpu_list = lists[i];
		in_child(with_cpus, ask_limits);
		assert_int_equal(found->limits.cpus_possible, LIBC_POSSIBLE);
		assert_int_equal(found->limits.cpus_online, LIBC_ONLINE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_feature_has_a_name_of_its_own),
		cmocka_unit_test(a_probe_closes_what_it_opens_and_leaves_limits_alone),
		cmocka_unit_test(a_probe_says_nothing_in_the_kernels_log),
		cmocka_unit_test(an_answer_is_kept),
		cmocka_unit_test(the_version_is_the_kernels),
		cmocka_unit_test(bpf_answers_agree_with_libbpf),
		cmocka_unit_test(helper_answers_agree_with_libbpf),
		cmocka_unit_test(a_raw_tracepoint_program_attaches_if_it_does),
		cmocka_unit_test(a_preempted_program_is_told_by_what_keeps_it_on_its_cpu),
		cmocka_unit_test(a_tracepoint_program_attaches_if_it_does),
		cmocka_unit_test(a_tracepoint_held_by_another_is_said_to_be),
		cmocka_unit_test(kprobe_answers_agree_with_sysfs),
		cmocka_unit_test(btf_is_there_if_it_begins_like_btf),
		cmocka_unit_test(hidden_btf_is_no),
		cmocka_unit_test(what_is_no_btf_is_no),
		cmocka_unit_test(without_tracefs_what_needs_it_is_no),
		cmocka_unit_test(tracefs_is_found_where_it_is),
		cmocka_unit_test(tracefs_is_found_without_proc),
		cmocka_unit_test(tracefs_is_found_in_debugfs),
		cmocka_unit_test(tracefs_is_not_looked_for_loudly),
		cmocka_unit_test(tracefs_without_the_event_is_no),
		cmocka_unit_test(without_privilege_nothing_is_a_no),
		cmocka_unit_test(without_bpf_all_that_needs_it_is_no),
		cmocka_unit_test(where_bpf_is_forbidden_nothing_is_known),
		cmocka_unit_test(where_loading_is_forbidden_maps_are_known),
		cmocka_unit_test(where_perf_is_forbidden_attaching_is_unknown),
		cmocka_unit_test(without_descriptors_nothing_is_known),
		cmocka_unit_test(lockdown_hides_what_reads),
		cmocka_unit_test(symbols_of_new_kernels_are_found),
		cmocka_unit_test(of_aliases_one_is_taken),
		cmocka_unit_test(what_only_looks_like_a_symbol_is_not_one),
		cmocka_unit_test(a_symbol_across_blocks_is_found),
		cmocka_unit_test(a_kprobe_that_cannot_be_is_no),
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(what_cannot_be_read_is_not_known),
		cmocka_unit_test(capabilities_are_the_effective_ones),
		cmocka_unit_test(cpus_are_counted),
		cmocka_unit_test(a_malformed_cpu_list_is_not_believed),
	};

	return cmocka_run_group_tests(tests, shared_memory, unshare_memory);
}
