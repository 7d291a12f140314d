/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge: what it means that records agree, or not, with the truth. It knows nothing of
 * how either was found out.
 */
#ifndef CORMORANT_PROOF_JUDGE_H
#define CORMORANT_PROOF_JUDGE_H

#include "proof.h"
#include "text.h"

/*
 * Places of the kernel that hold something alike, where an offset may lead to by mistake.
 * What is equal to one of them in every exec of the proof is not told from it.
 */
enum proof_rival {
	RIVAL_PARENT_THREAD, /* pid of the parent's thread that forked */
	RIVAL_TRACER,	     /* pid of who traces it: task_struct.parent */
	RIVAL_CAPS_BOUND,
	RIVAL_CAPS_AMBIENT,
	RIVAL_ATIME, /* ns, as FACT_MTIME's value */
	RIVAL_CTIME,
	RIVAL_TIME_FOR_CHILDREN, /* the time namespace that children get */
	RIVAL_START_MONOTONIC,	 /* task_struct.start_time, ns on the boot clock */
	RIVAL_PARENT_START_MONOTONIC,
	RIVAL_INTERPRETER, /* a script's: linux_binprm.interp */
	RIVAL_EXE_IN_FS,   /* the path within the file system, mounts not counted */
	RIVAL_CWD_IN_FS,
	RIVAL_ROOT, /* of the process: fs_struct.root */
	RIVAL_COUNT
};

struct proof_span {
	uint64_t from, to; /* both included */
};

/* One exec as one side has it. */
struct proof_account {
	uint64_t known; /* bits: it has the fact */
	uint64_t none;	/* bits: it knows that there is no such thing */
	struct process_exec_event head;
	struct exec_facts facts;
	struct slice
		text[SECTION_COUNT]; /* what facts has only the length of; argv: at most ARGV_MAX */
	struct proof_span time, start, parent_start; /* of the truth, which is no instant */
};

/* One exec. */
struct proof_sample {
	const char *what; /* "a traced child" */
	bool came;	  /* its record did: seen has something */
	struct proof_account truth, seen;
	uint32_t rivals; /* 1 << enum proof_rival: it is known here */
	uint64_t rival_number[RIVAL_COUNT];
	struct slice rival_text[RIVAL_COUNT];
};

/* Fills present, the four verdicts, withheld, clocks_agree and the findings of proof. */
void proof_judge(struct proof *proof, struct proof_sample *samples, int count, bool from_row);

#endif
