// SPDX-License-Identifier: Apache-2.0
#include "loader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "cormorant/record.h"
#include "exec.skel.h"
#include "privilege.h"

/* 16 MiB hold some 12,000 ordinary execs: seconds of a busy machine without being scheduled. */
enum { RING_BYTES = 16 << 20, LOG_BYTES = 4096, DRAIN_RECORDS = 4096 };

struct loader {
	struct exec_bpf *skel;
	struct bpf_program *program;
	struct bpf_link *link;
	struct ring_buffer *ring;
	loader_record_fn *fn;
	void *arg;
	int drained; /* records of this drain */
	int cpus;
	struct exec_counters *per_cpu; /* cpus of them */
};

const char *loader_error_str(enum loader_error error)
{
	switch (error) {
	case LOADER_OK: return "Ok";
	case LOADER_KERNEL_TOO_OLD: return "KernelTooOld";
	case LOADER_MISSING_BTF: return "MissingBtf";
	case LOADER_NOT_PERMITTED: return "NotPermitted";
	case LOADER_NO_TRACEFS: return "NoTracefs";
	case LOADER_VERIFIER_REJECTED: return "VerifierRejected";
	case LOADER_ATTACH_FAILED: return "AttachFailed";
	case LOADER_FAILED: return "Failed";
	}
	return "Unknown";
}

/* ---------------------------------------------------------------- libbpf's log */

/*
 * What libbpf said last, the verifier's words among it. libbpf's callback has no
 * argument to hand a buffer through, hence the one mutable global of the sensor; it
 * is used only while loader_open runs.
 */
static struct {
	char text[LOG_BYTES];
	size_t len;
} log_tail;

static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line = NULL;
	size_t n, drop;

	if (level == LIBBPF_DEBUG || vasprintf(&line, format, args) < 0)
		return 0;
	n = strlen(line);
	if (n >= LOG_BYTES) {
		memcpy(log_tail.text, line + n - (LOG_BYTES - 1), LOG_BYTES);
		log_tail.len = LOG_BYTES - 1;
	} else {
		drop = log_tail.len + n >= LOG_BYTES ? log_tail.len + n - (LOG_BYTES - 1) : 0;
		memmove(log_tail.text, log_tail.text + drop, log_tail.len - drop);
		memcpy(log_tail.text + log_tail.len - drop, line, n + 1);
		log_tail.len += n - drop;
	}
	free(line);
	return 0;
}

/* The verifier ran and said no: its summary line is in the log. */
static bool log_from_verifier(void)
{
	return strstr(log_tail.text, "processed ") && strstr(log_tail.text, " insns ");
}

/* The last two lines of the log that say something, on one line, libbpf's framing left out. */
static void log_last(char *out, size_t size)
{
	char *line, *save = NULL, *last = NULL, *before = NULL;

	for (line = strtok_r(log_tail.text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "-- END PROG LOAD LOG --") || strstr(line, "failed to load"))
			continue;
		before = last;
		last = line;
	}
	snprintf(out, size, "%s%s%s", before ? before : "", before ? "; " : "",
		 last ? last : "no message");
}

/* -------------------------------------------------------------------- reasons */

static enum loader_error reason(struct loader_reason *r, enum loader_error error,
				const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum loader_error reason(struct loader_reason *r, enum loader_error error,
				const char *format, ...)
{
	va_list args;

	r->error = error;
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
	return error;
}

/* The kernel said EPERM or EACCES, and not the verifier: who forbids it? */
static enum loader_error reason_permission(struct loader_reason *r, const char *what, int err)
{
	char missing[128], mode[64];

	if (privilege_missing(missing, sizeof(missing)))
		return reason(r, LOADER_NOT_PERMITTED,
			      "cannot %s: %s is missing: run as root, or grant CAP_SYS_ADMIN", what,
			      missing);
	if (privilege_lockdown(mode, sizeof(mode)))
		return reason(r, LOADER_NOT_PERMITTED,
			      "cannot %s: the kernel is locked down (%s): boot without "
			      "lockdown=confidentiality, or sign what needs it",
			      what, mode);
	if (!privilege_admin())
		return reason(
			r, LOADER_NOT_PERMITTED,
			"cannot %s: CAP_SYS_ADMIN is missing: libbpf lists the types of kernel "
			"modules, which wants it beside CAP_BPF and CAP_PERFMON; grant it",
			what);
	return reason(
		r, LOADER_NOT_PERMITTED,
		"cannot %s: %s although the capabilities are held: a seccomp filter, an LSM, "
		"or a container's policy forbids it; allow bpf(2) and perf_event_open(2) here",
		what, strerror(-err));
}

static enum loader_error reason_load(struct loader_reason *r, int err)
{
	char last[512];

	/* Lockdown hides the helpers that read: to the verifier they are then unknown. */
	if (privilege_lockdown(last, sizeof(last)))
		return reason_permission(r, "load the program", -EPERM);
	if (log_from_verifier()) {
		log_last(last, sizeof(last));
		return reason(r, LOADER_VERIFIER_REJECTED,
			      "cannot load %s: the verifier refused it (%s): please report this "
			      "with the kernel's version",
			      r->variant->program, last);
	}
	if (err == -EPERM || err == -EACCES)
		return reason_permission(r, "load the program", err);
	if (err == -ESRCH || err == -ENOENT)
		return reason(r, LOADER_MISSING_BTF,
			      "cannot load %s: the kernel's BTF can't be used (%s): a kernel with "
			      "CONFIG_DEBUG_INFO_BTF is needed for this variant",
			      r->variant->program, strerror(-err));
	log_last(last, sizeof(last));
	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
		return reason(r, LOADER_FAILED,
			      "cannot load %s: %s (%s): free memory or raise the limit",
			      r->variant->program, strerror(-err), last);
	return reason(r, LOADER_KERNEL_TOO_OLD,
		      "cannot load %s: %s (%s): this kernel lacks what the variant needs (ring "
		      "buffer: 5.8, raw tracepoints: 4.17, tracepoint programs: 4.7)",
		      r->variant->program, strerror(-err), last);
}

static const char no_tracefs[] =
	"cannot attach to the tracepoint sched_process_exec: tracefs is not mounted or not "
	"readable: "
	"mount it with `mount -t tracefs tracefs /sys/kernel/tracing`, or use a variant without it";

/* The places where libbpf, too, looks for the tracepoint. */
static bool tracepoint_readable(void)
{
	return !access("/sys/kernel/tracing/events/sched/sched_process_exec/id", R_OK) ||
	       !access("/sys/kernel/debug/tracing/events/sched/sched_process_exec/id", R_OK);
}

static enum loader_error reason_attach(struct loader_reason *r, int err)
{
	char mode[64];

	if (privilege_lockdown(mode, sizeof(mode)))
		return reason_permission(r, "attach the program", -EPERM);
	if (r->variant->needs & NEED_TRACEFS && !tracepoint_readable())
		return reason(r, LOADER_NO_TRACEFS, "%s", no_tracefs);
	if (err == -EPERM || err == -EACCES)
		return reason_permission(r, "attach the program", err);
	if (err == -EEXIST)
		return reason(
			r, LOADER_ATTACH_FAILED,
			"cannot attach %s: another program holds the tracepoint, and this kernel "
			"allows one: stop the other agent",
			r->variant->program);
	return reason(r, LOADER_ATTACH_FAILED,
		      "cannot attach %s: %s: the kernel may lack the hook (CONFIG_BPF_EVENTS)",
		      r->variant->program, strerror(-err));
}

/* ---------------------------------------------------------------- one variant */

static int on_sample(void *ctx, void *data, size_t size)
{
	struct loader *loader = ctx;

	loader->fn(loader->arg, data, size);
	/* An error ends the drain behind this record; the others stay in the buffer. */
	return ++loader->drained < DRAIN_RECORDS ? 0 : -EAGAIN;
}

static enum loader_error check_needs(struct loader_reason *r)
{
	char mode[64];

	if (r->variant->needs & NEED_BTF && access("/sys/kernel/btf/vmlinux", R_OK))
		return reason(r, LOADER_MISSING_BTF,
			      "cannot use CO-RE: /sys/kernel/btf/vmlinux: %s: a kernel with "
			      "CONFIG_DEBUG_INFO_BTF that shows it is needed for this variant",
			      strerror(errno));
	if (r->variant->needs & NEED_TRACEFS && !tracepoint_readable()) {
		if (privilege_lockdown(mode, sizeof(mode)))
			return reason_permission(r, "read tracefs", -EPERM);
		return reason(r, LOADER_NO_TRACEFS, "%s", no_tracefs);
	}
	return LOADER_OK;
}

/* Turns on the variant's program and nothing else. */
static int choose_program(struct loader *loader, const struct variant *variant)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, loader->skel->obj) {
		bool chosen = !strcmp(bpf_program__name(program), variant->program);

		bpf_program__set_autoload(program, chosen);
		if (chosen)
			loader->program = program;
	}
	return loader->program ? bpf_map__set_max_entries(loader->skel->maps.ring, RING_BYTES) :
				 -ENOENT;
}

static enum loader_error load(struct loader *loader, struct loader_reason *r)
{
	int err;

	loader->skel = exec_bpf__open();
	if (!loader->skel)
		return reason_load(r, -errno);
	err = choose_program(loader, r->variant);
	if (!err)
		err = exec_bpf__load(loader->skel);
	return err ? reason_load(r, err) : LOADER_OK;
}

static enum loader_error read_buffers(struct loader *loader, struct loader_reason *r)
{
	loader->cpus = libbpf_num_possible_cpus();
	if (loader->cpus > 0)
		loader->per_cpu = calloc((size_t)loader->cpus, sizeof(*loader->per_cpu));
	loader->ring =
		ring_buffer__new(bpf_map__fd(loader->skel->maps.ring), on_sample, loader, NULL);
	if (!loader->ring || !loader->per_cpu)
		return reason(r, LOADER_FAILED, "cannot map the ring buffer: %s: free memory",
			      strerror(errno));
	return LOADER_OK;
}

static enum loader_error attach(struct loader *loader, struct loader_reason *r)
{
	loader->link = bpf_program__attach(loader->program);
	return loader->link ? LOADER_OK : reason_attach(r, -errno);
}

static enum loader_error try_variant(struct loader *loader, struct loader_reason *r)
{
	static enum loader_error (*const steps[])(struct loader *, struct loader_reason *) = {
		load, read_buffers, attach};
	enum loader_error error = check_needs(r);

	log_tail.len = 0;
	log_tail.text[0] = 0;
	for (size_t i = 0; !error && i < sizeof(steps) / sizeof(steps[0]); i++)
		error = steps[i](loader, r);
	return error;
}

/* ----------------------------------------------------------------------- open */

/* Kernels before 5.11 charge maps against this limit; libbpf's own test for it can be fooled. */
static void raise_memlock(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

/* What no variant can do without. */
static enum loader_error check_host(struct loader_reason *r)
{
	union bpf_attr attr = {0};
	char missing[128];

	if (syscall(__NR_bpf, BPF_MAP_CREATE, &attr, 0) < 0 && errno == ENOSYS)
		return reason(r, LOADER_KERNEL_TOO_OLD,
			      "cannot use BPF: this kernel has no bpf(2): Linux 4.4 or newer with "
			      "CONFIG_BPF_SYSCALL is needed");
	if (privilege_missing(missing, sizeof(missing)))
		return reason_permission(r, "load BPF programs", -EPERM);
	return LOADER_OK;
}

static void loader_reset(struct loader *loader)
{
	struct loader keep = {.fn = loader->fn, .arg = loader->arg};

	loader_detach(loader);
	ring_buffer__free(loader->ring);
	exec_bpf__destroy(loader->skel);
	free(loader->per_cpu);
	*loader = keep;
}

static enum loader_error try_variants(struct loader *loader, const struct variant_force *force,
				      struct loader_report *report)
{
	for (size_t i = 0; i < variant_count && report->count < LOADER_VARIANTS_MAX; i++) {
		struct loader_reason *r = &report->reasons[report->count];

		if (!variant_allowed(&variants[i], force))
			continue;
		*r = (struct loader_reason){.variant = &variants[i]};
		if (try_variant(loader, r) == LOADER_OK) {
			report->picked = &variants[i];
			return LOADER_OK;
		}
		report->count++;
		loader_reset(loader);
	}
	return report->count ? report->reasons[0].error : LOADER_FAILED;
}

enum loader_error loader_open(const struct variant_force *force, loader_record_fn *fn, void *arg,
			      struct loader **loader_out, struct loader_report *report)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	enum loader_error error;

	memset(report, 0, sizeof(*report));
	if (!loader)
		return LOADER_FAILED;
	loader->fn = fn;
	loader->arg = arg;
	error = check_host(&report->reasons[0]);
	if (error) {
		report->count = 1;
		goto out;
	}
	raise_memlock();
	libbpf_set_print(keep_log);
	error = try_variants(loader, force, report);
	libbpf_set_print(NULL);
out:
	if (error) {
		loader_close(loader);
		return error;
	}
	*loader_out = loader;
	return LOADER_OK;
}

void loader_detach(struct loader *loader)
{
	bpf_link__destroy(loader->link);
	loader->link = NULL;
}

void loader_close(struct loader *loader)
{
	if (!loader)
		return;
	loader_reset(loader);
	free(loader);
}

/* -------------------------------------------------------------------- reading */

int loader_fd(const struct loader *loader)
{
	return ring_buffer__epoll_fd(loader->ring);
}

int loader_drain(struct loader *loader)
{
	int n;

	loader->drained = 0;
	n = ring_buffer__consume(loader->ring);
	if (n == -EAGAIN)
		return 1;
	return n < 0 ? n : 0;
}

/*
 * Execs at which the kernel found a program already running on the CPU and did not run
 * this one. Told since 5.12, for tracepoints (not raw ones) since about 6.7; before, 0.
 */
static uint64_t recursion_misses(const struct loader *loader)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(loader->program), &info, &size))
		return 0;
	return info.recursion_misses;
}

int loader_counters(const struct loader *loader, struct counters *counters)
{
	__u32 zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(loader->skel->maps.counters), &zero, loader->per_cpu))
		return -errno;
	counters->attempted = counters->lost_kernel = 0;
	for (int cpu = 0; cpu < loader->cpus; cpu++) {
		counters->attempted += loader->per_cpu[cpu].attempted;
		for (int i = 0; i < LOSS_COUNT; i++)
			counters->lost_kernel += loader->per_cpu[cpu].lost[i];
	}
	counters->hook_missed = recursion_misses(loader);
	counters->pending_kernel = counters->attempted - counters->received - counters->lost_kernel;
	return 0;
}
