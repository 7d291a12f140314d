/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crew: processes that are started to be looked at, each so that one field or another
 * can be told by it. A director, in a session of its own, starts a parent, one of whose
 * threads, not the first, starts most of the others; the rest are the director's. They
 * execute a few instructions (proof_program.h) and then stand still, so that what they
 * are can be read at leisure. They end when the sensor lets them, or is no more.
 *
 * All that a child is to be different in is tried, and what this host does not allow is
 * left as it is: what came of it, the truth says (proof_truth.h).
 */
#ifndef CORMORANT_PROOF_CREW_H
#define CORMORANT_PROOF_CREW_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cormorant/record.h"

enum { CREW_MAX = 9, CREW_PATH = 4096, CREW_DIR = 1024 };

/* Where a child's program and its working directory lie. */
enum crew_place {
	PLACE_TMPFS,
	PLACE_BOUND, /* on the same file system, seen through a bind mount of a directory */
	PLACE_RAMFS, /* on another one, mounted within the first */
	PLACE_COUNT
};

/* What else a child is. */
enum crew_flag {
	CREW_DIRECTORS = 1 << 0, /* the director's child, not the parent's */
	CREW_TRACED = 1 << 1,	 /* by the director, who is not its parent */
	CREW_LEADS = 1 << 2,	 /* the process group that the others are in */
	CREW_SESSION = 1 << 3,	 /* a session of its own, with a terminal */
	CREW_IDS = 1 << 4,	 /* real, effective and saved ids that all differ */
	CREW_EFFECTIVE =
		1 << 5, /* only effective ids: so permitted capabilities are not effective */
	CREW_NAMESPACES = 1 << 6, /* uts, ipc, net, mnt, cgroup, time */
	CREW_USER_NS = 1 << 7,
	CREW_PID_NS = 1 << 8,
	CREW_CGROUP = 1 << 9,	  /* cgroups of its own, below the sensor's */
	CREW_LOGIN = 1 << 10,	  /* a login uid of its own */
	CREW_LONG_ARGV = 1 << 11, /* more than a record carries */
	CREW_SCRIPT = 1 << 12,
	CREW_MEMFD = 1 << 13,
	CREW_DELETED = 1 << 14,
	CREW_LONG_NAME = 1 << 15, /* a file name of over 2,048 bytes */
};

struct crew_role {
	const char *what; /* "the child with ids that differ" */
	enum crew_place place;
	unsigned flags;
};

/* The programs that a child tries to execute; the others are for hosts that forbid the first. */
enum crew_attempt { ATTEMPT_FILE, ATTEMPT_MEMFD, ATTEMPT_SELF, ATTEMPT_COUNT };

/* One child. Strings are empty where there is no such thing. */
struct crew_member {
	char path[CREW_PATH];	    /* what is executed */
	char in_fs[CREW_DIR];	    /* the executable's path within its own file system */
	char interpreter[CREW_DIR]; /* of a script */
	char cwd[CREW_DIR], cwd_in_fs[CREW_DIR];
	const char *fs;		     /* type of the executable's file system; NULL: not known */
	pid_t pid;		     /* as the sensor knows it; 0: it was never started */
	int64_t before_ns, after_ns; /* boot clock, around its fork */
	uid_t uid;		     /* its real one */
	bool traced;
	enum crew_attempt attempt; /* the last one made; ATTEMPT_COUNT: none of them went well */
	bool ended;		   /* before its time */
	int error;		   /* errno: it could execute nothing */
};

/* What the crew and the sensor both write to; it lives in shared memory. */
struct crew_shared {
	pid_t parent, thread; /* of the children's parent; 0: none */
	int64_t parent_before_ns, parent_after_ns;
	bool staged;	  /* the files are there */
	bool finished[2]; /* no more children will be started: the parent's, the director's */
	struct crew_member members[CREW_MAX];
};

struct crew_options {
	bool log_in;	/* children may have login uids, which is logged where audit is on */
	bool long_name; /* one child is to have a file name of over 2,048 bytes */
	bool plain;	/* no mounts, no namespaces, no tracing: who tries these here is killed */
};

struct crew {
	struct crew_shared *shared;
	int count; /* members, with a role each */
	const struct crew_role *roles;
	char token[8]; /* what their names begin with */
	char director_name[COMM_BYTES], parent_name[COMM_BYTES];
	char names[CREW_MAX]
		  [COMM_BYTES]; /* of the members' files, and so their own: nobody else's */
	uint32_t first_id;	/* user and group ids from here on belong to nobody */
	pid_t director;
	int64_t director_before_ns, director_after_ns;
	char **argv[CREW_MAX], *envp[3];
	char *stack[2]; /* of children, until they execute */
	/* Descriptors, -1 where there is none; all far from those that a child gets. */
	int gate[2], alive[2], ask[2], go[2];
	int terminals[2][2]; /* master and slave */
	int memfd, self;
	int cgroups[2];		       /* cgroup.procs, of v2 and of v1 */
	char cgroup_dirs[2][CREW_DIR]; /* "": none was made */
	unsigned char program[512];
	size_t program_size; /* 0: none for this machine */
	unsigned executed;   /* bits: the member's program has said that it runs */
	bool log_in, plain;
	bool dead;   /* the director is, before its time */
	bool adopts; /* this process gets the orphans, until the end */
	bool heeds;  /* and SIGCHLD is as it has to be for that; before says how it was */
	struct sigaction before;
};

/*
 * Starts it. Returns 0, or a negative errno: nobody was started, or not everything could
 * be had that all of them need. To be ended in both cases.
 */
int crew_start(struct crew *crew, const struct crew_options *options);

/* A descriptor that is readable when crew_stands is to be asked. */
int crew_fd(const struct crew *crew);

/* True once every child that will ever be runs its program, or has failed to. */
bool crew_stands(struct crew *crew);

/* True if crew_stands has heard member i's program say that it runs. */
bool crew_executed(const struct crew *crew, int i);

/*
 * Ends its processes, by force if need be, and removes what they left; what is known of them
 * stays. It takes some 4 s at most: whom the kernel holds longer ends when it lets go of him. Safe on one that is zero, or has been dismissed.
 */
void crew_dismiss(struct crew *crew);
/* Dismisses it and frees everything. */
void crew_end(struct crew *crew);

/* The same descriptor (or -1) with a number that is none of a child's; fd is closed. -1: there is none. */
int crew_raise_fd(int fd);

/* Nanoseconds on the boot clock. */
int64_t crew_boot_ns(void);

#endif
