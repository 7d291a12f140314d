/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The record: what one exec looks like between the kernel and user space.
 *
 *	struct process_exec_event	32 bytes, begins every record
 *	struct exec_facts		everything of fixed size
 *	sections			byte strings, back to back, in enum exec_section order
 *
 * Below 4.11 a program can hand over nothing but its own stack, and the record comes in
 * parts: see PART_BYTES.
 *
 * Included by the BPF build and by the user-space build, so it uses only the
 * kernel's fixed-width types, has no implicit padding, and asserts its layout in
 * both. A fact is valid only if its bit is set in exec_facts.present: unknown is
 * never zero.
 */
#ifndef CORMORANT_RECORD_H
#define CORMORANT_RECORD_H

#ifndef __bpf__
#include <linux/types.h>
#include <stddef.h>
#endif

#define RECORD_VERSION 1

enum record_kind {
	RECORD_EXEC = 1,
};

/* Limits, each with its reason. */
enum {
	/* Masks of 15 bits bound every position for old verifiers; a perf sample's limit is 64 KiB. */
	RECORD_MAX = 32000,
	/* The contract's floor; argv beyond it is counted, not carried. */
	ARGV_MAX = 16384,
	/*
	 * Bytes of a part. A record in parts is: part 0, the header and the facts, whose
	 * section_len is all zero; then argv in parts of PART_BYTES, the last one shorter;
	 * then one part with the file name's first PART_BYTES bytes, in which user space
	 * looks for the NUL. Every part has the header, with length as the bytes that count
	 * of this part; what a part is padded with behind them means nothing.
	 */
	PART_BYTES = 256,
	PARTS_MAX = 1 + ARGV_MAX / PART_BYTES + 1,
	/* PATH_MAX. Deeper paths can exist; they are marked as truncated. */
	PATH_BYTES_MAX = 4096,
	/* execveat puts /dev/fd/N/ before a path of up to PATH_MAX. */
	FILENAME_BYTES_MAX = 4096 + 32,
	/* Kubernetes nests about six levels of 100-byte names. */
	CGROUP_BYTES_MAX = 1280,
	/* NAME_MAX and its NUL: the longest dentry or kernfs name. */
	NAME_BYTES_MAX = 256,
	/* Steps of a path walk: components and mount crossings together. */
	PATH_STEPS_MAX = 160,
	CGROUP_STEPS_MAX = 96,
	COMM_BYTES = 16, /* TASK_COMM_LEN */
	TTY_BYTES = 32,
	FS_BYTES = 32,
};

struct process_exec_event {
	__u64 time_ns; /* when the hook ran; boot clock, or monotonic (EXEC_CLOCK_MONOTONIC) */
	__u32 tgid;    /* initial pid namespace */
	__u32 tid;     /* after an exec always the tgid */
	__u32 ppid;    /* real_parent->tgid, valid with FACT_PPID */
	__u32 uid;     /* real uid, initial user namespace */
	__u32 length;  /* of the whole record, this header included */
	__u8 kind;     /* enum record_kind */
	__u8 version;  /* RECORD_VERSION */
	__u8 part;     /* 0-based */
	__u8 parts;    /* how many records make this one; 1 where the kernel can send it whole */
};

enum exec_id { ID_UID, ID_GID, ID_SUID, ID_SGID, ID_EUID, ID_EGID, ID_FSUID, ID_FSGID, ID_COUNT };

enum exec_cap { CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_EFFECTIVE, CAPS_COUNT };

enum exec_ns { NS_MNT, NS_PID, NS_NET, NS_UTS, NS_IPC, NS_USER, NS_CGROUP, NS_TIME, NS_COUNT };

/*
 * The byte strings of a record. Paths are sent as the walk meets them: leaf
 * first, every component NUL-terminated; user space turns them round.
 */
enum exec_section {
	SECTION_ARGV,	   /* the process's own bytes, arguments NUL-terminated */
	SECTION_FILENAME,  /* what execve was asked for, one string */
	SECTION_EXE,	   /* path components */
	SECTION_CWD,	   /* path components */
	SECTION_CGROUP,	   /* path components in the cgroup v2 hierarchy */
	SECTION_CGROUP_V1, /* the same in a v1 controller's hierarchy, where there is one */
	SECTION_COUNT
};

/* Bits of exec_facts.present. */
enum exec_fact {
	FACT_PPID,
	FACT_START,
	FACT_PARENT_START,
	FACT_PARENT_COMM,
	FACT_COMM,
	FACT_EXEC_ID,
	FACT_PARENT_EXEC_ID,
	FACT_PARENT_STACK,
	FACT_ARGV, /* argv_bytes is known */
	FACT_ARGC,
	FACT_LOGIN_UID,
	FACT_AUDIT_SESSION,
	FACT_TTY,
	FACT_NAMESPACE_PID,
	FACT_PGID,
	FACT_SID,
	FACT_DEV,
	FACT_INODE,
	FACT_MODE,
	FACT_SIZE,
	FACT_MTIME,
	FACT_NLINK,
	FACT_FS,
	FACT_MEMFD,   /* EXEC_MEMFD says yes or no */
	FACT_DELETED, /* EXEC_DELETED says yes or no */
	FACT_CGROUP_ID,
	FACT_ID,			   /* 8 bits, enum exec_id */
	FACT_CAPS = FACT_ID + ID_COUNT,	   /* 3 bits, enum exec_cap */
	FACT_NS = FACT_CAPS + CAPS_COUNT,  /* 8 bits, enum exec_ns */
	FACT_SECTION = FACT_NS + NS_COUNT, /* 6 bits, enum exec_section */
	FACT_COUNT = FACT_SECTION + SECTION_COUNT
};

#define FACT_BIT(fact) (1ULL << (fact))

/* Bits of exec_facts.flags. */
enum exec_flag {
	EXEC_MEMFD = 1 << 0,
	EXEC_DELETED = 1 << 1,
	EXEC_CLOCK_MONOTONIC = 1 << 2,
	EXEC_TRUNCATED = 1 << 8, /* SECTION_COUNT bits: more existed than the section holds */
};

#define EXEC_TRUNCATED_BIT(section) (EXEC_TRUNCATED << (section))
#define EXEC_FLAGS_ALL                                                                             \
	(EXEC_MEMFD | EXEC_DELETED | EXEC_CLOCK_MONOTONIC |                                        \
	 (((1 << SECTION_COUNT) - 1) * EXEC_TRUNCATED))

struct exec_facts {
	__u64 present;	       /* FACT_BIT()s */
	__u64 start_ns;	       /* boot clock, of the thread group leader */
	__u64 parent_start_ns; /* boot clock, of the parent's thread group leader */
	__u64 parent_stack; /* where the parent's stack began at its exec; its image's fingerprint */
	__u64 caps[CAPS_COUNT];
	__u64 inode;
	__u64 size;
	__s64 mtime_sec;
	__u64 cgroup_id;
	__u64 argv_bytes; /* the process's whole argv, NULs included */
	__u32 ids[ID_COUNT];
	__u32 ns[NS_COUNT];
	__u32 section_len[SECTION_COUNT];
	__u32 login_uid;
	__u32 audit_session;
	__u32 namespace_pid;
	__u32 pgid;
	__u32 sid;
	__u32 dev; /* the kernel's dev_t: 12 bits major, 20 bits minor */
	__u32 mode;
	__u32 nlink;
	__u32 mtime_nsec;
	__u32 argc;
	__u32 flags;	      /* enum exec_flag */
	__u32 exec_id;	      /* how often this process has executed, modulo 2^32 */
	__u32 parent_exec_id; /* the same of the parent, at this moment */
	__u32 cpu_sequence; /* attempts on this CPU, this one included, modulo 2^32: a gap is a loss */
	char comm[COMM_BYTES];
	char parent_comm[COMM_BYTES];
	char tty[TTY_BYTES];
	char fs[FS_BYTES];
};

struct exec_record {
	struct process_exec_event event;
	struct exec_facts facts;
	__u8 bytes[]; /* the sections */
};

/* Why a record was not handed over; each place counts for itself. */
enum exec_loss {
	LOSS_BUFFER_FULL,  /* the ring or perf buffer had no room */
	LOSS_NO_BUFFER,	   /* this CPU has no perf buffer: it came online a moment ago */
	LOSS_SCRATCH_RACE, /* another exec used this CPU's scratch buffer at the same time */
	LOSS_NO_SCRATCH,   /* the scratch map could not be looked up */
	LOSS_STAGE,	   /* the next stage could not be called: it is not there, or was one too many */
	LOSS_COUNT
};

/*
 * One for each CPU. The losses come first: a reader that copies upwards can then never
 * see a loss whose attempt it has not seen.
 */
struct exec_counters {
	__u64 lost[LOSS_COUNT];
	__u64 attempted;
};

/* The programs that make a record one after the other, by tail call: indexes of the map `stages`. */
enum exec_stage {
	STAGE_FACTS,   /* what has a fixed size */
	STAGE_ARGS,    /* where argv lies, and the file name if the hook did not say */
	STAGE_ENV,     /* the new stack's way from envp to the file name; runs until it is found */
	STAGE_STRINGS, /* argv and the file name into the record */
	STAGE_PATH,    /* a path, some steps at a time; runs until both are done */
	STAGE_CGROUP,  /* the same for cgroups */
	STAGE_OUTPUT,  /* hands the record over */
	STAGE_COUNT
};

#define RECORD_ASSERT(expr) _Static_assert(expr, #expr)
#define RECORD_AT(type, member, at) RECORD_ASSERT(__builtin_offsetof(struct type, member) == (at))

RECORD_ASSERT(sizeof(struct process_exec_event) == 32);
RECORD_AT(process_exec_event, time_ns, 0);
RECORD_AT(process_exec_event, tgid, 8);
RECORD_AT(process_exec_event, tid, 12);
RECORD_AT(process_exec_event, ppid, 16);
RECORD_AT(process_exec_event, uid, 20);
RECORD_AT(process_exec_event, length, 24);
RECORD_AT(process_exec_event, kind, 28);
RECORD_AT(process_exec_event, version, 29);
RECORD_AT(process_exec_event, part, 30);
RECORD_AT(process_exec_event, parts, 31);

RECORD_ASSERT(sizeof(struct exec_facts) == 336);
RECORD_AT(exec_facts, present, 0);
RECORD_AT(exec_facts, start_ns, 8);
RECORD_AT(exec_facts, parent_start_ns, 16);
RECORD_AT(exec_facts, parent_stack, 24);
RECORD_AT(exec_facts, caps, 32);
RECORD_AT(exec_facts, inode, 56);
RECORD_AT(exec_facts, size, 64);
RECORD_AT(exec_facts, mtime_sec, 72);
RECORD_AT(exec_facts, cgroup_id, 80);
RECORD_AT(exec_facts, argv_bytes, 88);
RECORD_AT(exec_facts, ids, 96);
RECORD_AT(exec_facts, ns, 128);
RECORD_AT(exec_facts, section_len, 160);
RECORD_AT(exec_facts, login_uid, 184);
RECORD_AT(exec_facts, audit_session, 188);
RECORD_AT(exec_facts, namespace_pid, 192);
RECORD_AT(exec_facts, pgid, 196);
RECORD_AT(exec_facts, sid, 200);
RECORD_AT(exec_facts, dev, 204);
RECORD_AT(exec_facts, mode, 208);
RECORD_AT(exec_facts, nlink, 212);
RECORD_AT(exec_facts, mtime_nsec, 216);
RECORD_AT(exec_facts, argc, 220);
RECORD_AT(exec_facts, flags, 224);
RECORD_AT(exec_facts, exec_id, 228);
RECORD_AT(exec_facts, parent_exec_id, 232);
RECORD_AT(exec_facts, cpu_sequence, 236);
RECORD_AT(exec_facts, comm, 240);
RECORD_AT(exec_facts, parent_comm, 256);
RECORD_AT(exec_facts, tty, 272);
RECORD_AT(exec_facts, fs, 304);

RECORD_ASSERT(sizeof(struct exec_record) == 368);
RECORD_AT(exec_record, bytes, 368);
RECORD_ASSERT(FACT_COUNT <= 64);
RECORD_ASSERT(sizeof(struct exec_record) + ARGV_MAX + FILENAME_BYTES_MAX + 2 * PATH_BYTES_MAX +
		      2 * CGROUP_BYTES_MAX <=
	      RECORD_MAX);
RECORD_ASSERT(sizeof(struct exec_counters) == 48);
RECORD_ASSERT(PARTS_MAX <= 255);

#endif
