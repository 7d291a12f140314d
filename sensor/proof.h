/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof: before the first event is sent, the sensor starts processes of which it knows
 * every field (proof_crew.h), and compares what the kernel side says of their execs with
 * what user space finds out without it. docs/decisions/0006-proof.md says, field by field,
 * what an agreement proves.
 */
#ifndef CORMORANT_PROOF_H
#define CORMORANT_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "cormorant/record.h"
#include "record_queue.h"

/* What is in every record and has no fact of its own; bits behind those of enum exec_fact. */
enum proof_fact { PROOF_TIME = FACT_COUNT, PROOF_PID, PROOF_UID, PROOF_COUNT };
_Static_assert(PROOF_COUNT <= 64, "a bit each");

/*
 * Execs of one attempt, and attempts: an exec that a raw tracepoint's program misses (where
 * the kernel had preempted it, FEATURE_RAW_TP_PREEMPTED) proves nothing, and what it alone
 * proves would be withheld for as long as the sensor runs. On a busy emulated machine that is 1 in 20.
 */
enum { PROOF_EXECS = 9, PROOF_ATTEMPTS = 5 };

/* What there is to say of a fact, in words; "" if nothing. */
struct proof_finding {
	char why[160];	   /* not verified: why not */
	char expected[96]; /* wrong: what it should have been, */
	char seen[96];	   /* and was */
};

/* Whose execs one attempt's were, and when, on the records' clock: before and after a pid is another's. */
struct proof_attempt {
	uint64_t began_ns, ended_ns;
	uint32_t tgids[PROOF_EXECS]; /* as records have them; 0: none */
};

/* What came of it. Zero-initialised, there was none. Masks are FACT_BIT()s, of enum proof_fact, too. */
struct proof {
	bool ran;      /* records of its execs were compared */
	char why[256]; /* it did not: why not */
	int64_t took_ns;
	/* That certainly executed something: they have said so themselves, or left a record. */
	int children;
	int records;	    /* of these: compared */
	uint64_t present;   /* facts that a record had */
	uint64_t truncated; /* sections that no record had whole */
	uint64_t verified;  /* right, and not to be mistaken for anything else */
	uint64_t right;	    /* right, but that might be chance, or another member's value */
	uint64_t wrong;	    /* disagrees with the truth */
	uint64_t none;	    /* none of the execs had such a thing, and no record said so */
	uint64_t
		withheld; /* not to be in any event: what is wrong, and of a row what nothing proves */
	bool hosts_pids; /* this is the host's pid namespace: numbers of processes were compared */
	bool long_name;	 /* an exec with a file name of over 2,048 bytes was seen */
	/* The start times are right by both clocks, as this host has never been suspended. */
	bool clocks_agree;
	struct proof_finding findings[PROOF_COUNT];

	struct proof_attempt attempts[PROOF_ATTEMPTS];
};

/* How the proof gets at the records that the kernel side makes meanwhile. */
struct proof_source {
	int fd;				   /* readable when there are some */
	int (*drain)(void *arg, bool all); /* queues them; as loader_drain */
	uint64_t (*now_ns)(void *arg);	   /* the records' clock, as this process reads it */
	bool monotonic;			   /* that is the monotonic one; else the boot clock */
	void *arg;
	const struct record_queue *queue; /* those that came so far */
	bool from_row;	/* the offsets are a database row's: what is not proven is not believed */
	bool long_name; /* whether long file names are seen is not certain: try one */
};

/*
 * Does all of it; natively in some 40 ms, on an emulated machine in seconds, and in 20 s at
 * most, whatever its processes are kept by. Nothing is left behind. proof->ran says whether it could be done.
 */
void proof_run(struct proof *proof, const struct proof_source *source);

/* One of its own execs: never an event. */
static inline bool proof_made(const struct proof *proof, const struct process_exec_event *head)
{
	for (int i = 0; i < PROOF_ATTEMPTS * PROOF_EXECS; i++) {
		const struct proof_attempt *attempt = &proof->attempts[i / PROOF_EXECS];

		if (attempt->tgids[i % PROOF_EXECS] == head->tgid && head->tgid &&
		    head->time_ns >= attempt->began_ns && head->time_ns <= attempt->ended_ns)
			return true;
	}
	return false;
}

/*
 * True if what says whose exec it is (pid, parent's pid, argv) is wrong or, of a row, not
 * proven: it can't be used at all. *fact is one of these.
 */
bool proof_fails(const struct proof *proof, bool from_row, unsigned *fact);

/* A fact's attribute in the event: "process.parent_process.pid"; what has none has a name in words. */
const char *proof_fact_name(unsigned fact);

#endif
