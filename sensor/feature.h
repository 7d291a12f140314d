/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel offers, found out by trying (a map made, a program loaded, a hook
 * attached for a moment), never by its version. An answer is yes, no, or could not
 * tell; with the errno that said so. Nothing here prints to the kernel's log, nothing is
 * left behind, and no program that is attached keeps an event from anybody else.
 *
 * No is said only where the kernel itself means it. What a missing capability, a seccomp
 * filter, an LSM, a limit or lockdown=confidentiality refuses is "could not tell": the
 * last, with EPERM and the detail "lockdown", without a trial, as the kernel logs those.
 */
#ifndef CORMORANT_FEATURE_H
#define CORMORANT_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum feature_answer { FEATURE_UNKNOWN, FEATURE_YES, FEATURE_NO };

/* The order of the table in feature.c, of `cormorant probe` and of the advertisement. */
enum feature_id {
	FEATURE_BPF_SYSCALL, /* bpf(2) */
	FEATURE_MAP_ARRAY,
	FEATURE_MAP_PROG_ARRAY,
	FEATURE_MAP_PERF_EVENT_ARRAY,
	FEATURE_MAP_RINGBUF,
	FEATURE_PROG_KPROBE,
	FEATURE_PROG_TRACEPOINT,
	FEATURE_PROG_RAW_TRACEPOINT,
	FEATURE_HELPER_TASK,	    /* bpf_get_current_task, 4.8 */
	FEATURE_HELPER_CGROUP_ID,   /* bpf_get_current_cgroup_id, 4.18 */
	FEATURE_HELPER_BOOT_NS,	    /* bpf_ktime_get_boot_ns, 5.8 */
	FEATURE_HELPER_READ_STR,    /* bpf_probe_read_str, 4.11 */
	FEATURE_HELPER_READ_KERNEL, /* bpf_probe_read_kernel and _user, 5.5 */
	FEATURE_HELPER_PERF_OUTPUT, /* bpf_perf_event_output, 4.4 */
	FEATURE_MAP_MEMORY,	    /* helpers take map values, 4.11; else: records in parts */
	FEATURE_LARGE_PROGRAM,	    /* more than 4,096 instructions, 5.2 */
	FEATURE_LOOP,		    /* bounded loops, 5.3 */
	FEATURE_BTF,		    /* /sys/kernel/btf/vmlinux is readable and begins like BTF */
	FEATURE_TRACEFS,	    /* mounted anywhere, sched_process_exec's id readable */
	FEATURE_KPROBE_PMU,	    /* /sys/bus/event_source/devices/kprobe, 4.17 */
	FEATURE_KPROBE_TRACEFS,	    /* kprobe_events can be opened for writing */
	FEATURE_SYMBOL_POST_EXEC,   /* proc_exec_connector is a function in the symbol table */
	FEATURE_SYMBOL_EXECVE,	    /* so is execve's entry; detail: all that were found */
	FEATURE_ATTACH_RAW_TP,	    /* sched_process_exec took a raw tracepoint program */
	FEATURE_ATTACH_TP,     /* … a tracepoint program; EEXIST: another's is there (< 4.15) */
	FEATURE_ATTACH_KPROBE, /* a kprobe of the PMU was set and took a program */
	/*
	 * The kernel preempts a raw tracepoint's program (7.2: tracepoints are under SRCU). An
	 * exec meanwhile on that CPU finds it running, and is passed over. Detail: how it is
	 * known, if by the symbols only.
	 */
	FEATURE_RAW_TP_PREEMPTED,
	FEATURE_COUNT
};

struct feature {
	bool asked;
	enum feature_answer answer;
	int error;	  /* errno of the trial, 0 if there was none */
	char detail[128]; /* what else there is to say: a path, a symbol; "" if nothing */
};

/* Answers so far; zero-initialised it has none. Not thread-safe. */
struct features {
	struct feature of[FEATURE_COUNT];
	char tracefs[64]; /* mount point, "" if none was found; filled by FEATURE_TRACEFS */
	/*
	 * Entries of execve, execveat, and both for 32-bit programs, in this order, those
	 * that exist; "" ends a list of fewer. Filled by FEATURE_SYMBOL_EXECVE.
	 */
	char execve_symbols[4][48];
	/* task_struct.migration_disabled's offset by the kernel's BTF, from the caller, for FEATURE_RAW_TP_PREEMPTED; 0: not known. */
	uint16_t migration_disabled_at;
};

/*
 * The answer, from a trial at the first call. What needs another feature that is not
 * there takes its answer and errno. The symbols are only looked for where a kprobe is
 * possible, and one by tracefs is never tried: unknown, then.
 */
const struct feature *feature_get(struct features *features, enum feature_id id);
/* All of them: under 150 ms natively. */
void feature_get_all(struct features *features);

/* "map_ringbuf", "helper_task", …: the name in the advertisement. */
const char *feature_name(enum feature_id id);
/* "yes", "no", "unknown" */
const char *feature_answer_str(enum feature_answer answer);

/*
 * The LINUX_VERSION_CODE this kernel was built with, which a kprobe program must state
 * below 5.0 (uname can't tell: "4.9.0-8-amd64" is 4.9.130). Never 0 on Linux.
 */
uint32_t feature_kernel_version(void);

/* Facts about the host that are no yes or no. */
struct feature_limits {
	char lockdown[32];	       /* "none", "integrity", "confidentiality"; "" if not known */
	long long memlock;	       /* RLIMIT_MEMLOCK in bytes, -1 unlimited */
	int perf_event_paranoid;       /* -100 if not known */
	int unprivileged_bpf_disabled; /* -1 if not known */
	uint64_t cap_effective;	       /* of this process */
	int cpus_possible, cpus_online; /* 0 if not known */
};
void feature_limits_read(struct feature_limits *limits);

#endif
