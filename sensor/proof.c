// SPDX-License-Identifier: Apache-2.0
#include "proof.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proof_crew.h"
#include "proof_judge.h"
#include "proof_truth.h"
#include "record.h"

enum {
	/* Until the crew stands. Natively it takes some 20 ms; emulated machines take their time. */
	LIMIT_MS = 20000,
	STEP_MS = 10,
	/* Thousands of records each: what was there is there by then, however many follow. */
	DRAINS = 16,
};

/* Inode number of the initial time namespace: PROC_TIME_INIT_INO, include/linux/proc_ns.h (5.6). */
#define PROC_TIME_INIT_INO 0xEFFFFFFAU

/* A record, and where its decoded paths are. */
struct seen {
	struct record_decoder decoder;
	struct exec_event event;
};

/* One crew, and what its samples point to. */
struct attempt {
	struct crew crew;
	struct truth *truth;
	struct seen *seen; /* one for each member */
	bool stood;	   /* all of the crew have executed what they ever will */
	uint64_t began_ns; /* on the records' clock */
};

struct proving {
	struct proof *proof;
	const struct proof_source *source;
	struct attempt attempts[PROOF_ATTEMPTS];
	int attempt;
	/* Of each member the first that left a record, in whichever attempt. */
	struct proof_sample samples[CREW_MAX];
	struct proof earlier; /* what the attempt before has found */
};

static struct attempt *this_attempt(struct proving *p)
{
	return &p->attempts[p->attempt];
}

static void not_run(struct proof *proof, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void not_run(struct proof *proof, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(proof->why, sizeof(proof->why), format, args);
	va_end(args);
}

/* --------------------------------------------------------------------- waiting */

/* Drains meanwhile, so that nothing is lost on a busy host. Returns 0 or a negative errno. */
static int await_crew(struct proving *p)
{
	const struct proof_source *source = p->source;
	int64_t limit = crew_boot_ns() + LIMIT_MS * INT64_C(1000000);
	struct crew *crew = &this_attempt(p)->crew;
	struct pollfd fds[] = {{.fd = crew_fd(crew), .events = POLLIN},
			       {.fd = source->fd, .events = POLLIN}};
	int left = 0;

	while (left >= 0 && !crew_stands(crew) && crew_boot_ns() < limit) {
		(void)poll(fds, 2, STEP_MS);
		left = source->drain(source->arg, false);
	}
	/* Whoever stands has had its record written, if it was not lost. */
	for (int i = 0; left >= 0 && i < DRAINS; i++) {
		left = source->drain(source->arg, true);
		if (left != 1)
			break;
	}
	return left < 0 ? left : 0;
}

/* -------------------------------------------------------------------- matching */

static const struct exec_record *record_of(const struct queued_record *queued)
{
	const struct exec_record *record = (const void *)queued->bytes;

	return queued->size >= sizeof(*record) ? record : NULL;
}

static bool is_named(const struct exec_record *record, const char *name)
{
	return record->facts.present & FACT_BIT(FACT_COMM) &&
	       !strncmp(record->facts.comm, name, COMM_BYTES);
}

static bool has_argument(const struct queued_record *queued, const char *name)
{
	return memmem(queued->bytes, queued->size, name, strlen(name));
}

/*
 * A helper gives the name, which is the file's, and that no other has. Where this program
 * itself or a memfd had to be executed, the pid tells, or in a pid namespace an argument.
 */
static bool is_members(const struct attempt *attempt, int i, const struct queued_record *queued,
		       bool hosts)
{
	const struct crew_member *m = &attempt->crew.shared->members[i];
	const struct exec_record *record = record_of(queued);

	if (!record || !m->pid || record->event.time_ns < attempt->began_ns)
		return false;
	if (m->attempt == ATTEMPT_FILE)
		return is_named(record, attempt->crew.names[i]);
	return hosts ? record->event.tgid == (uint32_t)m->pid :
		       has_argument(queued, attempt->crew.names[i]);
}

static const struct queued_record *find_record(struct proving *p, int i, bool hosts)
{
	const struct queued_record *queued = p->source->queue->first;

	while (queued && !is_members(this_attempt(p), i, queued, hosts))
		queued = queued->next;
	return queued;
}

/*
 * A record's pid is a helper's word. If it is not what fork said, this is another pid
 * namespace than the initial one, and numbers of processes can't be compared.
 */
static bool pids_are_hosts(struct proving *p)
{
	const struct crew *crew = &this_attempt(p)->crew;

	for (int i = 0; i < crew->count; i++) {
		const struct crew_member *m = &crew->shared->members[i];
		const struct queued_record *queued =
			m->attempt == ATTEMPT_FILE ? find_record(p, i, false) : NULL;

		if (queued)
			return record_of(queued)->event.tgid == (uint32_t)m->pid;
	}
	return true;
}

static void see(struct proof_account *account, const struct exec_event *event)
{
	const struct slice texts[SECTION_COUNT] = {
		[SECTION_ARGV] = event->argv,	  [SECTION_FILENAME] = event->filename,
		[SECTION_EXE] = event->exe,	  [SECTION_CWD] = event->cwd,
		[SECTION_CGROUP] = event->cgroup, [SECTION_CGROUP_V1] = event->cgroup_v1,
	};
	const uint64_t sections = ((1ULL << SECTION_COUNT) - 1) << FACT_SECTION;

	account->head = event->head;
	account->facts = *event->facts;
	account->known = (event->facts->present & ~event->withheld & ~sections) |
			 FACT_BIT(PROOF_TIME) | FACT_BIT(PROOF_PID) | FACT_BIT(PROOF_UID);
	memcpy(account->text, texts, sizeof(texts));
	for (int i = 0; i < SECTION_COUNT; i++)
		if (texts[i].data)
			account->known |= FACT_BIT(FACT_SECTION + i);
}

/* What is no text, or no time, is no reason not to look at the rest: it is missing. */
static void take_record(struct proving *p, int i, const struct queued_record *queued)
{
	struct proof_sample *sample = &p->samples[i];
	struct seen *seen = &this_attempt(p)->seen[i];

	seen->decoder.withheld = record_malformed_facts(&record_of(queued)->facts);
	if (record_decode(&seen->decoder, queued->bytes, queued->size, &seen->event))
		return;
	sample->came = true;
	p->proof->tgids[p->attempt][i] = seen->event.head.tgid;
	see(&sample->seen, &seen->event);
}

/* ----------------------------------------------------------------------- times */

static bool boot_clock_is_hosts(void)
{
	struct stat st;

	return stat("/proc/self/ns/time", &st) || st.st_ino == PROC_TIME_INIT_INO;
}

static int64_t suspended_ns(void)
{
	struct timespec mono, boot;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (boot.tv_sec - mono.tv_sec) * INT64_C(1000000000) + boot.tv_nsec - mono.tv_nsec;
}

/* What the monotonic clock said then: the same, as far as anybody can tell, if that lies between the two, too. */
static void set_start_rival(struct proof_sample *sample, enum proof_rival rival, uint64_t seen,
			    const struct proof_span *span)
{
	uint64_t monotonic = seen - (uint64_t)suspended_ns();

	sample->rivals |= 1U << rival;
	sample->rival_number[rival] =
		monotonic >= span->from && monotonic <= span->to ? seen : monotonic;
}

static void set_times(struct proving *p, struct proof_sample *sample)
{
	const int64_t slack = 10000000; /* the helper's clock may be late by a little */
	struct proof_account *truth = &sample->truth;

	truth->time = (struct proof_span){this_attempt(p)->began_ns - slack,
					  p->proof->ended_ns + slack};
	truth->known |= FACT_BIT(PROOF_TIME);
	if (!boot_clock_is_hosts()) {
		truth->known &= ~(FACT_BIT(PROOF_TIME) | FACT_BIT(FACT_START) |
				  FACT_BIT(FACT_PARENT_START));
		return;
	}
	set_start_rival(sample, RIVAL_START_MONOTONIC, sample->seen.facts.start_ns, &truth->start);
	set_start_rival(sample, RIVAL_PARENT_START_MONOTONIC, sample->seen.facts.parent_start_ns,
			&truth->parent_start);
}

/* --------------------------------------------------------------------- comparing */

static void take_sample(struct proving *p, int i, bool hosts)
{
	const uint64_t pids = FACT_BIT(PROOF_PID) | FACT_BIT(FACT_PPID) | FACT_BIT(FACT_PGID) |
			      FACT_BIT(FACT_SID);
	struct proof_sample *sample = &p->samples[i];
	const struct queued_record *queued = find_record(p, i, hosts);

	sample->what = this_attempt(p)->crew.roles[i].what;
	if (!queued)
		return;
	take_record(p, i, queued);
	if (!sample->came)
		return;
	truth_read(this_attempt(p)->truth, i, sample);
	set_times(p, sample);
	if (!hosts)
		sample->truth.known &= ~pids;
}

static void compare(struct proving *p)
{
	const struct crew *crew = &this_attempt(p)->crew;
	struct proof *proof = p->proof;
	bool hosts = pids_are_hosts(p);

	proof->hosts_pids = hosts;
	proof->children = proof->records = 0;
	for (int i = 0; i < crew->count; i++) {
		const struct crew_member *m = &crew->shared->members[i];
		bool executed = m->pid > 0 && m->attempt < ATTEMPT_COUNT;

		if (hosts && m->pid > 0)
			proof->tgids[p->attempt][i] = (uint32_t)m->pid;
		if (!p->samples[i].came)
			take_sample(p, i, hosts);
		proof->children += executed || p->samples[i].came;
		proof->records += p->samples[i].came;
		if (crew->roles[i].flags & CREW_LONG_NAME && m->attempt == ATTEMPT_FILE)
			proof->long_name = p->samples[i].came;
	}
	proof->ran = proof->records > 0;
	proof_judge(proof, p->samples, crew->count, p->source->from_row);
}

static void explain(struct proving *p, int err)
{
	const struct crew *crew = &this_attempt(p)->crew;
	const struct crew_shared *shared = crew->shared;
	int error = 0;

	for (int i = 0; shared && i < crew->count; i++)
		error = shared->members[i].error ? shared->members[i].error : error;
	if (err)
		not_run(p->proof, "cannot read the buffer: %s", strerror(-err));
	else if (p->proof->children)
		not_run(p->proof,
			"none of the %d execs that were made for it left a record: see "
			"the counters",
			p->proof->children);
	else if (error)
		not_run(p->proof,
			"no child could execute anything: %s: let this program fork, and "
			"execute itself",
			strerror(error));
	else
		not_run(p->proof, "no child could be started: a filter or a limit ends it: let "
				  "this program fork");
}

static void with_crew(struct proving *p)
{
	struct attempt *attempt = this_attempt(p);
	int err = await_crew(p);

	p->proof->ended_ns = p->source->now_ns(p->source->arg);
	attempt->stood = crew_stands(&attempt->crew);
	attempt->truth = truth_open(&attempt->crew);
	attempt->seen = calloc(CREW_MAX, sizeof(*attempt->seen));
	if (attempt->truth && attempt->seen && !err)
		compare(p);
	if (!p->proof->ran)
		explain(p, err);
}

/* The verdict of the attempt before is set aside, but not its samples, nor whose execs they were. */
static void begin(struct proving *p)
{
	struct proof blank = {.began_ns = p->proof->began_ns};

	p->earlier = *p->proof;
	memcpy(blank.tgids, p->proof->tgids, sizeof(blank.tgids));
	*p->proof = blank;
	this_attempt(p)->began_ns = p->source->now_ns(p->source->arg);
	if (!p->attempt)
		p->proof->began_ns = this_attempt(p)->began_ns;
}

/* One attempt. Returns true if another one could do better: options are set for that. */
static bool try_crew(struct proving *p, struct crew_options *options)
{
	const struct proof_source *source = p->source;
	struct attempt *attempt = this_attempt(p);
	struct proof *proof = p->proof;
	bool again = false;
	int err;

	begin(p);
	err = crew_start(&attempt->crew, options);

	if (err) {
		not_run(proof,
			"cannot start a child: %s: raise the limits of processes and open files",
			strerror(-err));
	} else {
		with_crew(p);
		again = proof->ran ? proof->records < proof->children :
				     attempt->crew.dead && !options->plain;
		options->plain |= !proof->ran;
	}
	crew_dismiss(&attempt->crew);
	if (!attempt->stood)
		proof->ended_ns = source->now_ns(source->arg);
	if (proof->ran || !p->earlier.ran)
		return again;
	/* It could not be done once more: the verdict stands. */
	p->earlier.ended_ns = proof->ended_ns;
	memcpy(p->earlier.tgids, proof->tgids, sizeof(proof->tgids));
	*proof = p->earlier;
	return false;
}

static void end(struct proving *p)
{
	for (int i = 0; i <= p->attempt; i++) {
		crew_end(&p->attempts[i].crew);
		truth_close(p->attempts[i].truth);
		free(p->attempts[i].seen);
	}
	free(p);
}

void proof_run(struct proof *proof, const struct proof_source *source)
{
	struct crew_options options = {.log_in = source->from_row, .long_name = source->long_name};
	struct proving *p = calloc(1, sizeof(*p));
	int64_t begun = crew_boot_ns();

	*proof = (struct proof){0};
	if (!p) {
		not_run(proof, "no memory: free some");
		return;
	}
	p->proof = proof;
	p->source = source;
	while (try_crew(p, &options) && p->attempt < PROOF_ATTEMPTS - 1)
		p->attempt++;
	end(p);
	proof->took_ns = crew_boot_ns() - begun;
}
