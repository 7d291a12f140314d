// SPDX-License-Identifier: Apache-2.0
#include "proof.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proc.h"
#include "proof_crew.h"
#include "proof_judge.h"
#include "proof_truth.h"
#include "record.h"
#include "wallclock.h"

enum {
	/*
	 * Until the last crew stands. Natively one takes some 20 ms; emulated machines take their
	 * time. With the ends of who is kept by something (crew_dismiss) it is 20 s.
	 */
	LIMIT_MS = 15000,
	STEP_MS = 10,
	/* Thousands of records each: what was there is there by then, however many follow. */
	DRAINS = 16,
};

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
	int missed;	   /* execs that left no record, though one could have come */
};

struct proving {
	struct proof *proof;
	const struct proof_source *source;
	struct attempt attempts[PROOF_ATTEMPTS];
	int attempt;
	/* Of each member the first that left a record, in whichever attempt. */
	struct proof_sample samples[CREW_MAX];
	struct proof earlier; /* what the attempt before has found */
	int64_t deadline_ns;  /* on crew_boot_ns's clock */
	int64_t shifted_ns;   /* what this process's time namespace adds to the records' clock */
	int64_t suspended_ns; /* what the host's boot clock is ahead of its monotonic one */
};

static struct attempt *this_attempt(struct proving *p)
{
	return &p->attempts[p->attempt];
}

/* When it was, and whose execs its were. */
static struct proof_attempt *account(struct proving *p)
{
	return &p->proof->attempts[p->attempt];
}

/* The records' clock, as the host has it. */
static uint64_t now_ns(const struct proving *p)
{
	return p->source->now_ns(p->source->arg) - (uint64_t)p->shifted_ns;
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
	struct crew *crew = &this_attempt(p)->crew;
	struct pollfd fds[] = {{.fd = crew_fd(crew), .events = POLLIN},
			       {.fd = source->fd, .events = POLLIN}};
	int left = 0;

	while (left >= 0 && !crew_stands(crew) && crew_boot_ns() < p->deadline_ns) {
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
 * The pid is a helper's word, that nobody can forge; in another pid namespace than the initial
 * one it is not fork's. There the user has to do, and what nobody else knows before the exec: the name,
 * which is the file's, or an argument where a memfd or this program itself had to be executed.
 */
static bool is_members(struct proving *p, int i, const struct queued_record *queued)
{
	const struct crew *crew = &this_attempt(p)->crew;
	const struct crew_member *m = &crew->shared->members[i];
	const struct exec_record *record = record_of(queued);
	bool hosts = p->proof->hosts_pids;

	if (!record || m->pid <= 0 || record->event.time_ns < account(p)->began_ns ||
	    (hosts ? record->event.tgid != (uint32_t)m->pid : record->event.uid != m->uid))
		return false;
	return m->attempt == ATTEMPT_FILE ? is_named(record, crew->names[i]) :
					    hosts || has_argument(queued, crew->names[i]);
}

/* The first of member i's, from one on. */
static const struct queued_record *find_record(struct proving *p, int i,
					       const struct queued_record *from)
{
	while (from && !is_members(p, i, from))
		from = from->next;
	return from;
}

/* Another process's looks like its, too. */
static bool is_ambiguous(struct proving *p, int i, const struct queued_record *queued)
{
	const struct queued_record *other = queued;

	while (other && record_of(other)->event.tgid == record_of(queued)->event.tgid)
		other = find_record(p, i, other->next);
	return other;
}

/* Without /proc a record that is one of theirs by all but its pid tells. */
static bool pids_are_hosts(struct proving *p)
{
	const struct crew *crew = &this_attempt(p)->crew;
	int initial = proc_is_initial("pid");

	if (initial >= 0)
		return initial;
	for (int i = 0; i < crew->count; i++) {
		const struct queued_record *queued = find_record(p, i, p->source->queue->first);

		if (queued)
			return record_of(queued)->event.tgid ==
			       (uint32_t)crew->shared->members[i].pid;
	}
	return true;
}

/* Of several that look alike the first is theirs: it is what the others could know the name from. */
static void note_tgids(struct proving *p)
{
	const struct crew *crew = &this_attempt(p)->crew;

	for (int i = 0; i < crew->count; i++) {
		const struct queued_record *queued;

		if (p->proof->hosts_pids) {
			account(p)->tgids[i] = (uint32_t)crew->shared->members[i].pid;
			continue;
		}
		queued = find_record(p, i, p->source->queue->first);
		if (queued)
			account(p)->tgids[i] = record_of(queued)->event.tgid;
	}
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
	see(&sample->seen, &seen->event);
}

/* ----------------------------------------------------------------------- times */

/* Once: what changes from one measuring to the next is no suspend. */
static void read_clocks(struct proving *p)
{
	struct wallclock clock;

	wallclock_open(&clock);
	p->shifted_ns = p->source->monotonic ? clock.shifted_monotonic : clock.shifted_boot;
	p->suspended_ns = wallclock_suspended(&clock);
	if (p->suspended_ns < WALLCLOCK_SUSPENDED_NS && p->suspended_ns > -WALLCLOCK_SUSPENDED_NS)
		p->suspended_ns = 0;
}

/* What the monotonic clock said then: the same, as far as anybody can tell, if that lies between the two, too. */
static void set_start_rival(const struct proving *p, struct proof_sample *sample,
			    enum proof_rival rival, uint64_t seen, const struct proof_span *span)
{
	uint64_t monotonic = seen - (uint64_t)p->suspended_ns;

	sample->rivals |= 1U << rival;
	sample->rival_number[rival] =
		monotonic >= span->from && monotonic <= span->to ? seen : monotonic;
}

static void set_times(struct proving *p, struct proof_sample *sample)
{
	const int64_t slack = 10000000; /* the helper's clock may be late by a little */
	struct proof_account *truth = &sample->truth;

	truth->time =
		(struct proof_span){account(p)->began_ns - slack, account(p)->ended_ns + slack};
	truth->known |= FACT_BIT(PROOF_TIME);
	set_start_rival(p, sample, RIVAL_START_MONOTONIC, sample->seen.facts.start_ns,
			&truth->start);
	set_start_rival(p, sample, RIVAL_PARENT_START_MONOTONIC, sample->seen.facts.parent_start_ns,
			&truth->parent_start);
}

/* --------------------------------------------------------------------- comparing */

/* Of who has ended meanwhile, or can't be told from another, there is none. Returns true if a record came. */
static bool take_sample(struct proving *p, int i)
{
	const uint64_t pids = FACT_BIT(PROOF_PID) | FACT_BIT(FACT_PPID) | FACT_BIT(FACT_PGID) |
			      FACT_BIT(FACT_SID);
	const struct proof_sample none = {.what = this_attempt(p)->crew.roles[i].what};
	const struct queued_record *queued = find_record(p, i, p->source->queue->first);
	struct proof_sample *sample = &p->samples[i];

	*sample = none;
	if (!queued || is_ambiguous(p, i, queued))
		return queued;
	take_record(p, i, queued);
	if (!sample->came)
		return true;
	if (!truth_read(this_attempt(p)->truth, i, sample)) {
		*sample = none;
		return true;
	}
	set_times(p, sample);
	if (!p->proof->hosts_pids)
		sample->truth.known &= ~pids;
	return true;
}

static void compare(struct proving *p)
{
	struct attempt *attempt = this_attempt(p);
	const struct crew *crew = &attempt->crew;
	struct proof *proof = p->proof;

	for (int i = 0; i < crew->count; i++) {
		const struct crew_member *m = &crew->shared->members[i];
		bool is_long = crew->roles[i].flags & CREW_LONG_NAME, executed;

		executed = p->samples[i].came || take_sample(p, i) || crew_executed(crew, i);
		proof->children += executed;
		proof->records += p->samples[i].came;
		/* A hook that does not see these never will. */
		attempt->missed += executed && !p->samples[i].came && !is_long;
		if (is_long && m->attempt == ATTEMPT_FILE)
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
	else if (!this_attempt(p)->stood)
		not_run(p->proof,
			"the processes that were started for it executed nothing within %d s: "
			"look at what keeps them",
			LIMIT_MS / 1000);
	else
		not_run(p->proof, "no child could be started: a filter or a limit ends it: let "
				  "this program fork");
}

static void with_crew(struct proving *p)
{
	struct attempt *attempt = this_attempt(p);
	int err = await_crew(p);

	account(p)->ended_ns = now_ns(p);
	attempt->stood = crew_stands(&attempt->crew);
	attempt->truth = truth_open(&attempt->crew);
	attempt->seen = calloc(CREW_MAX, sizeof(*attempt->seen));
	p->proof->hosts_pids = pids_are_hosts(p);
	note_tgids(p);
	if (attempt->truth && attempt->seen && !err)
		compare(p);
	if (!p->proof->ran)
		explain(p, err);
}

/* What they executed until they were ended is theirs, too. */
static void end_crew(struct proving *p)
{
	const struct proof_source *source = p->source;

	crew_dismiss(&this_attempt(p)->crew);
	if (this_attempt(p)->stood)
		return;
	account(p)->ended_ns = now_ns(p);
	(void)source->drain(source->arg, true);
	note_tgids(p);
}

/* The verdict of the attempt before is set aside, but not its samples, nor whose execs they were. */
static void begin(struct proving *p)
{
	struct proof blank = {0};

	p->earlier = *p->proof;
	memcpy(blank.attempts, p->proof->attempts, sizeof(blank.attempts));
	*p->proof = blank;
	account(p)->began_ns = now_ns(p);
}

/* One attempt. Returns true if another one could do better: options are set for that. */
static bool try_crew(struct proving *p, struct crew_options *options)
{
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
		crew_dismiss(&attempt->crew);
	} else {
		with_crew(p);
		again = attempt->stood &&
			(proof->ran ? attempt->missed > 0 : attempt->crew.dead && !options->plain);
		options->plain |= !proof->ran;
		end_crew(p);
	}
	if (proof->ran || !p->earlier.ran)
		return again;
	/* It could not be done once more: the verdict stands. */
	memcpy(p->earlier.attempts, proof->attempts, sizeof(proof->attempts));
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
	p->deadline_ns = begun + LIMIT_MS * INT64_C(1000000);
	read_clocks(p);
	while (try_crew(p, &options) && p->attempt < PROOF_ATTEMPTS - 1)
		p->attempt++;
	end(p);
	proof->took_ns = crew_boot_ns() - begun;
}
