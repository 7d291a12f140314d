// SPDX-License-Identifier: Apache-2.0
#include "proof_judge.h"

#include <stdio.h>

/* ------------------------------------------------------------------ the facts */

enum kind {
	NUMBER,
	HEX,	/* the same, shown so */
	SPAN,	/* a time that the truth knows between two others */
	FLAG,	/* yes or no */
	STRING, /* in exec_facts, ended by a NUL */
	SECTION,
};

enum {
	VARIES = 1 << 0,  /* where a constant would do in the proof, it would be wrong elsewhere */
	RELATED = 1 << 1, /* its truth is made of other facts: nothing else can fulfil it */
	HELPERS = 1 << 2, /* a helper says it: there is no offset that could be mistaken */
};

#define RIVAL(name) (1U << RIVAL_##name)
#define AT(member) offsetof(struct exec_facts, member), sizeof(((struct exec_facts *)0)->member)

/*
 * The facts, how they are compared, and the rivals that they must have been told from. START's
 * place tells it from the monotonic one only once the host has been suspended.
 */
static const struct item {
	const char *name;
	enum kind kind;
	size_t at, size;
	unsigned rivals, more;
} items[PROOF_COUNT] = {
	[FACT_PPID] = {"process.parent_process.pid", NUMBER, 0, 0,
		       RIVAL(PARENT_THREAD) | RIVAL(TRACER), 0},
	[FACT_START] = {"process.created_time", SPAN, AT(start_ns), RIVAL(START_MONOTONIC), 0},
	[FACT_PARENT_START] = {"the parent's start time", SPAN, AT(parent_start_ns),
			       RIVAL(PARENT_START_MONOTONIC), 0},
	[FACT_PARENT_COMM] = {"process.parent_process.name", STRING, AT(parent_comm), 0, 0},
	[FACT_COMM] = {"process.name", STRING, AT(comm), 0, HELPERS},
	[FACT_EXEC_ID] = {"the number of execs", NUMBER, AT(exec_id), 0, RELATED},
	[FACT_PARENT_EXEC_ID] = {"the parent's number of execs", NUMBER, AT(parent_exec_id), 0,
				 RELATED},
	[FACT_PARENT_STACK] = {"the parent's stack", HEX, AT(parent_stack), 0, 0},
	[FACT_ARGV] = {"process.xattributes.argv_bytes", NUMBER, AT(argv_bytes), 0, 0},
	[FACT_ARGC] = {"process.xattributes.argc", NUMBER, AT(argc), 0, 0},
	[FACT_LOGIN_UID] = {"process.auid", NUMBER, AT(login_uid), 0, 0},
	[FACT_AUDIT_SESSION] = {"process.session.uid", NUMBER, AT(audit_session), 0, 0},
	[FACT_TTY] = {"process.session.terminal", STRING, AT(tty), 0, VARIES},
	[FACT_NAMESPACE_PID] = {"process.namespace_pid", NUMBER, AT(namespace_pid), 0, VARIES},
	[FACT_PGID] = {"process.xattributes.pgid", NUMBER, AT(pgid), 0, 0},
	[FACT_SID] = {"process.xattributes.sid", NUMBER, AT(sid), 0, 0},
	[FACT_DEV] = {"the device of process.file.uid", NUMBER, AT(dev), 0, 0},
	[FACT_INODE] = {"the inode of process.file.uid", NUMBER, AT(inode), 0, 0},
	[FACT_MODE] = {"process.file.attributes", NUMBER, AT(mode), 0, 0},
	[FACT_SIZE] = {"process.file.size", NUMBER, AT(size), 0, 0},
	[FACT_MTIME] = {"process.file.modified_time", NUMBER, 0, 0, RIVAL(ATIME) | RIVAL(CTIME), 0},
	[FACT_NLINK] = {"process.file.xattributes.nlink", NUMBER, AT(nlink), 0, 0},
	[FACT_FS] = {"process.file.xattributes.fs", STRING, AT(fs), 0, 0},
	[FACT_MEMFD] = {"process.file.xattributes.memfd", FLAG, 0, EXEC_MEMFD, 0, VARIES},
	[FACT_DELETED] = {"process.file.xattributes.deleted", FLAG, 0, EXEC_DELETED, 0, VARIES},
	[FACT_CGROUP_ID] = {"process.xattributes.cgroup.id", NUMBER, AT(cgroup_id), 0, 0},
	[FACT_ID + ID_UID] = {"the real user id of cred", NUMBER, AT(ids[ID_UID]), 0, 0},
	[FACT_ID + ID_GID] = {"process.group.uid", NUMBER, AT(ids[ID_GID]), 0, 0},
	[FACT_ID + ID_SUID] = {"process.xattributes.suid", NUMBER, AT(ids[ID_SUID]), 0, 0},
	[FACT_ID + ID_SGID] = {"process.xattributes.sgid", NUMBER, AT(ids[ID_SGID]), 0, 0},
	[FACT_ID + ID_EUID] = {"process.euid", NUMBER, AT(ids[ID_EUID]), 0, 0},
	[FACT_ID + ID_EGID] = {"process.egid", NUMBER, AT(ids[ID_EGID]), 0, 0},
	[FACT_ID + ID_FSUID] = {"process.xattributes.fsuid", NUMBER, AT(ids[ID_FSUID]), 0, 0},
	[FACT_ID + ID_FSGID] = {"process.xattributes.fsgid", NUMBER, AT(ids[ID_FSGID]), 0, 0},
	[FACT_CAPS + CAPS_INHERITABLE] = {"process.xattributes.cap_inheritable", HEX,
					  AT(caps[CAPS_INHERITABLE]),
					  RIVAL(CAPS_BOUND) | RIVAL(CAPS_AMBIENT), 0},
	[FACT_CAPS + CAPS_PERMITTED] = {"process.xattributes.cap_permitted", HEX,
					AT(caps[CAPS_PERMITTED]),
					RIVAL(CAPS_BOUND) | RIVAL(CAPS_AMBIENT), 0},
	[FACT_CAPS + CAPS_EFFECTIVE] = {"process.xattributes.cap_effective", HEX,
					AT(caps[CAPS_EFFECTIVE]),
					RIVAL(CAPS_BOUND) | RIVAL(CAPS_AMBIENT), 0},
	[FACT_NS + NS_MNT] = {"process.xattributes.ns.mnt", NUMBER, AT(ns[NS_MNT]), 0, 0},
	[FACT_NS + NS_PID] = {"process.xattributes.ns.pid", NUMBER, AT(ns[NS_PID]), 0, VARIES},
	[FACT_NS + NS_NET] = {"process.xattributes.ns.net", NUMBER, AT(ns[NS_NET]), 0, 0},
	[FACT_NS + NS_UTS] = {"process.xattributes.ns.uts", NUMBER, AT(ns[NS_UTS]), 0, 0},
	[FACT_NS + NS_IPC] = {"process.xattributes.ns.ipc", NUMBER, AT(ns[NS_IPC]), 0, 0},
	[FACT_NS + NS_USER] = {"process.xattributes.ns.user", NUMBER, AT(ns[NS_USER]), 0, 0},
	[FACT_NS + NS_CGROUP] = {"process.xattributes.ns.cgroup", NUMBER, AT(ns[NS_CGROUP]), 0, 0},
	[FACT_NS + NS_TIME] = {"process.xattributes.ns.time", NUMBER, AT(ns[NS_TIME]),
			       RIVAL(TIME_FOR_CHILDREN), 0},
	[FACT_SECTION +
		SECTION_ARGV] = {"process.xattributes.argv", SECTION, SECTION_ARGV, 0, 0, 0},
	[FACT_SECTION + SECTION_FILENAME] = {"process.xattributes.exec_filename", SECTION,
					     SECTION_FILENAME, 0, RIVAL(INTERPRETER), 0},
	[FACT_SECTION +
		SECTION_EXE] = {"process.file.path", SECTION, SECTION_EXE, 0, RIVAL(EXE_IN_FS), 0},
	[FACT_SECTION + SECTION_CWD] = {"process.xattributes.cwd", SECTION, SECTION_CWD, 0,
					RIVAL(CWD_IN_FS) | RIVAL(ROOT), 0},
	[FACT_SECTION + SECTION_CGROUP] = {"process.xattributes.cgroup.path", SECTION,
					   SECTION_CGROUP, 0, 0, 0},
	[FACT_SECTION +
		SECTION_CGROUP_V1] = {"the path in cgroup v1", SECTION, SECTION_CGROUP_V1, 0, 0, 0},
	[PROOF_TIME] = {"time", SPAN, 0, 0, 0, HELPERS},
	[PROOF_PID] = {"process.pid", NUMBER, 0, 0, 0, HELPERS},
	[PROOF_UID] = {"process.user.uid", NUMBER, 0, 0, 0, HELPERS},
};

static const char *const rival_names[RIVAL_COUNT] = {
	[RIVAL_PARENT_THREAD] = "the thread that forked it",
	[RIVAL_TRACER] = "the process that traces it",
	[RIVAL_CAPS_BOUND] = "the bounding set",
	[RIVAL_CAPS_AMBIENT] = "the ambient set",
	[RIVAL_ATIME] = "the time of the last access",
	[RIVAL_CTIME] = "the time of the last change of the inode",
	[RIVAL_TIME_FOR_CHILDREN] = "the time namespace for children",
	[RIVAL_START_MONOTONIC] = "the start on the monotonic clock",
	[RIVAL_PARENT_START_MONOTONIC] = "the start on the monotonic clock",
	[RIVAL_INTERPRETER] = "a script's interpreter",
	[RIVAL_EXE_IN_FS] = "the path within its file system",
	[RIVAL_CWD_IN_FS] = "the path within its file system",
	[RIVAL_ROOT] = "the root directory",
};

#define ID(id) FACT_BIT(FACT_ID + ID_##id)

/* What the kernel itself sets equal at every exec: mistaken for each other they are still right. */
static const uint64_t equals[] = {ID(EUID) | ID(SUID) | ID(FSUID), ID(EGID) | ID(SGID) | ID(FSGID)};
/* One thing that comes in two ways. */
static const uint64_t twice = FACT_BIT(PROOF_UID) | ID(UID);

const char *proof_fact_name(unsigned fact)
{
	return items[fact].name;
}

/* ----------------------------------------------------------------- their values */

struct value {
	enum { IS_NUMBER, IS_FLAG, IS_TEXT } class;
	uint64_t number;
	struct slice text;
};

static uint64_t number_of(const struct proof_account *account, unsigned fact)
{
	const struct exec_facts *facts = &account->facts;
	const char *at = (const char *)facts + items[fact].at;
	uint64_t wide;
	uint32_t narrow;

	switch (fact) {
	case FACT_PPID: return account->head.ppid;
	case PROOF_TIME: return account->head.time_ns;
	case PROOF_PID: return account->head.tgid;
	case PROOF_UID: return account->head.uid;
	case FACT_MTIME: return (uint64_t)facts->mtime_sec * 1000000000 + facts->mtime_nsec;
	default: break;
	}
	if (items[fact].size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static struct value value_of(const struct proof_account *account, unsigned fact)
{
	const struct item *item = &items[fact];
	const char *string = (const char *)&account->facts + item->at;

	switch (item->kind) {
	case SECTION: return (struct value){IS_TEXT, 0, account->text[item->at]};
	case STRING: return (struct value){IS_TEXT, 0, {string, strnlen(string, item->size)}};
	case FLAG: return (struct value){IS_FLAG, !!(account->facts.flags & item->size), {0}};
	default: return (struct value){IS_NUMBER, number_of(account, fact), {0}};
	}
}

static bool same_text(struct slice a, struct slice b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

/* Of the same class. */
static bool same(const struct value *a, const struct value *b)
{
	return a->class == IS_TEXT ? same_text(a->text, b->text) : a->number == b->number;
}

static const struct proof_span *span_of(const struct proof_account *truth, unsigned fact)
{
	return fact == PROOF_TIME ? &truth->time :
	       fact == FACT_START ? &truth->start :
				    &truth->parent_start;
}

static bool has(uint64_t mask, unsigned fact)
{
	return mask & FACT_BIT(fact);
}

static bool agrees(const struct proof_sample *sample, unsigned fact)
{
	struct value seen = value_of(&sample->seen, fact), truth;
	const struct proof_span *span;

	if (items[fact].kind == SPAN) {
		span = span_of(&sample->truth, fact);
		return seen.number >= span->from && seen.number <= span->to;
	}
	truth = value_of(&sample->truth, fact);
	/* Records in parts have only the beginning of a long name. */
	if (fact == FACT_SECTION + SECTION_FILENAME && truth.text.len > seen.text.len &&
	    sample->seen.facts.flags & EXEC_TRUNCATED_BIT(SECTION_FILENAME))
		truth.text.len = seen.text.len;
	return same(&seen, &truth);
}

/* ----------------------------------------------------------------------- words */

static void show(char *out, size_t size, const struct item *item, const struct value *value)
{
	if (value->class == IS_TEXT)
		snprintf(out, size, "\"%.*s\"%s",
			 (int)(value->text.len > 64 ? 64 : value->text.len),
			 value->text.data ? value->text.data : "",
			 value->text.len > 64 ? "..." : "");
	else if (value->class == IS_FLAG)
		snprintf(out, size, "%s", value->number ? "true" : "false");
	else
		snprintf(out, size, item->kind == HEX ? "%016llx" : "%llu",
			 (unsigned long long)value->number);
}

static void say_wrong(struct proof_finding *finding, const struct proof_sample *sample,
		      unsigned fact)
{
	struct value truth = value_of(&sample->truth, fact), seen = value_of(&sample->seen, fact);
	const struct item *item = &items[fact];
	const struct proof_span *span;

	show(finding->seen, sizeof(finding->seen), item, &seen);
	if (has(sample->truth.none, fact)) {
		snprintf(finding->expected, sizeof(finding->expected), "none");
	} else if (item->kind == SPAN) {
		span = span_of(&sample->truth, fact);
		snprintf(finding->expected, sizeof(finding->expected), "%llu to %llu",
			 (unsigned long long)span->from, (unsigned long long)span->to);
	} else {
		show(finding->expected, sizeof(finding->expected), item, &truth);
	}
	snprintf(finding->why, sizeof(finding->why),
		 "it disagrees with the truth in the exec of %s", sample->what);
}

/* ---------------------------------------------------------------- one fact's case */

struct judging {
	const struct proof_sample *samples;
	int count;
	struct proof *proof;
	bool from_row;
};

/* What the samples say of a fact, each for itself. */
struct tally {
	int right;
	const struct proof_sample *wrong, *missing; /* the first such */
	bool none;				    /* there is none, and none was seen */
};

static struct tally tally_of(const struct judging *j, unsigned fact)
{
	struct tally tally = {0};

	for (int i = 0; i < j->count; i++) {
		const struct proof_sample *sample = &j->samples[i];
		bool seen = has(sample->seen.known, fact), none = has(sample->truth.none, fact);

		if (!sample->came || (!none && !has(sample->truth.known, fact)))
			continue;
		if (none && !seen)
			tally.none = true;
		else if (none || (seen && !agrees(sample, fact)))
			tally.wrong = tally.wrong ? tally.wrong : sample;
		else if (seen)
			tally.right++;
		else
			tally.missing = tally.missing ? tally.missing : sample;
	}
	return tally;
}

/* What a fact was in a sample, if that is known and right. The truth of a span is the record's word. */
static bool value_in(const struct proof_sample *sample, unsigned fact, struct value *value)
{
	if (!sample->came || !has(sample->truth.known, fact) || !has(sample->seen.known, fact))
		return false;
	*value = value_of(&sample->seen, fact);
	return true;
}

static bool rival_in(const struct proof_sample *sample, int rival, struct value *value)
{
	if (!(sample->rivals & 1U << rival))
		return false;
	*value = (struct value){
		sample->rival_text[rival].data ? IS_TEXT : IS_NUMBER,
		sample->rival_number[rival],
		sample->rival_text[rival],
	};
	return true;
}

static bool varies(const struct judging *j, unsigned fact, struct value *constant)
{
	struct value value;
	bool first = true;

	for (int i = 0; i < j->count; i++) {
		if (!value_in(&j->samples[i], fact, &value))
			continue;
		if (!first && !same(constant, &value))
			return true;
		*constant = value;
		first = false;
	}
	return false;
}

/* True if both were known in some sample, and were the same in all of those. */
static bool mistakable(const struct judging *j, unsigned fact, unsigned other)
{
	struct value a, b;
	bool together = false;

	for (int i = 0; i < j->count; i++) {
		if (!value_in(&j->samples[i], fact, &a) || !value_in(&j->samples[i], other, &b))
			continue;
		if (a.class != b.class || !same(&a, &b))
			return false;
		together = true;
	}
	return together;
}

/* A rival that nobody knows may be the same. */
static bool told_from_rival(const struct judging *j, unsigned fact, int rival)
{
	struct value a, b;

	for (int i = 0; i < j->count; i++)
		if (value_in(&j->samples[i], fact, &a) && rival_in(&j->samples[i], rival, &b) &&
		    !same(&a, &b))
			return true;
	return false;
}

static bool set_equal(unsigned fact, unsigned other)
{
	for (size_t i = 0; i < sizeof(equals) / sizeof(equals[0]); i++)
		if (has(equals[i], fact) && has(equals[i], other))
			return true;
	return false;
}

/*
 * The start times are right as long as clocks_agree: who relies on them has to look. Of
 * linux_binprm nothing is read by a row. And that an exec moves to the time namespace that its
 * children get shows in a child that had asked for one: since 6.0 (133e2d3e81de) the two
 * are then the same.
 */
static bool rival_harmless(const struct judging *j, int rival)
{
	uint64_t number = 0;

	if (rival == RIVAL_START_MONOTONIC || rival == RIVAL_PARENT_START_MONOTONIC ||
	    rival == RIVAL_INTERPRETER)
		return true;
	if (rival != RIVAL_TIME_FOR_CHILDREN)
		return false;
	for (int i = 0; i < j->count; i++) {
		if (!j->samples[i].came || !(j->samples[i].rivals & 1U << rival))
			continue;
		if (number && number != j->samples[i].rival_number[rival])
			return true;
		number = j->samples[i].rival_number[rival];
	}
	return false;
}

/* Found in memory at random only by a miracle. */
static bool is_rare(const struct value *value)
{
	if (value->class == IS_TEXT)
		return value->text.len >= 4;
	return value->class == IS_NUMBER && value->number > UINT16_MAX &&
	       value->number != UINT32_MAX && value->number != UINT64_MAX;
}

/* What kind of right a fact is. */
struct doubt {
	bool any;     /* it is not verified, */
	bool serious; /* and in another exec it might be wrong */
};

static void doubt_add(struct doubt *doubt, bool serious, struct proof_finding *finding,
		      const char *why, const char *detail)
{
	/* The worst is told. */
	if (!doubt->any || (serious && !doubt->serious))
		snprintf(finding->why, sizeof(finding->why), why, detail);
	doubt->any = true;
	doubt->serious |= serious;
}

static void doubt_others(const struct judging *j, unsigned fact, struct doubt *doubt,
			 struct proof_finding *finding)
{
	for (unsigned other = 0; other < PROOF_COUNT; other++) {
		bool equal = set_equal(fact, other);

		if (other == fact || (has(twice, fact) && has(twice, other)) ||
		    items[other].more & RELATED || !mistakable(j, fact, other))
			continue;
		doubt_add(doubt, !equal, finding,
			  equal ? "it can't be told from %s: the kernel makes them equal at every "
				  "exec" :
				  "it can't be told from %s: they were equal in all of the proof's "
				  "execs",
			  items[other].name);
	}
}

static void doubt_rivals(const struct judging *j, unsigned fact, struct doubt *doubt,
			 struct proof_finding *finding)
{
	for (int rival = 0; rival < RIVAL_COUNT; rival++) {
		if (!(items[fact].rivals & 1U << rival) || told_from_rival(j, fact, rival))
			continue;
		if (rival == RIVAL_START_MONOTONIC || rival == RIVAL_PARENT_START_MONOTONIC)
			j->proof->clocks_agree = true;
		doubt_add(doubt, !rival_harmless(j, rival), finding, "it can't be told from %s",
			  rival_names[rival]);
	}
}

static struct doubt doubt_of(const struct judging *j, unsigned fact, const struct tally *tally,
			     struct proof_finding *finding)
{
	const struct item *item = &items[fact];
	struct doubt doubt = {0};
	struct value constant = {0};

	if (tally->missing)
		doubt_add(&doubt, true, finding, "it is missing in the exec of %s",
			  tally->missing->what);
	if (item->more & (RELATED | HELPERS))
		return doubt;
	if (!varies(j, fact, &constant) && !tally->none)
		doubt_add(&doubt, item->more & VARIES || !is_rare(&constant), finding,
			  "it was the same in all of the proof's execs%s", "");
	doubt_others(j, fact, &doubt, finding);
	doubt_rivals(j, fact, &doubt, finding);
	return doubt;
}

/* -------------------------------------------------------------------- all facts */

static void judge_fact(const struct judging *j, unsigned fact)
{
	struct proof_finding *finding = &j->proof->findings[fact];
	struct tally tally = tally_of(j, fact);
	struct doubt doubt = {true, true};
	struct proof *proof = j->proof;

	if (tally.wrong) {
		say_wrong(finding, tally.wrong, fact);
		proof->wrong |= FACT_BIT(fact);
	} else if (tally.right) {
		doubt = doubt_of(j, fact, &tally, finding);
		if (doubt.any)
			proof->right |= FACT_BIT(fact);
		else
			proof->verified |= FACT_BIT(fact);
	} else if (tally.missing) {
		snprintf(finding->why, sizeof(finding->why), "no record had it");
	} else {
		snprintf(finding->why, sizeof(finding->why),
			 tally.none ? "none of the proof's execs had one" :
				      "nothing but the record says what it should be");
	}
	if (tally.none && !tally.right && !tally.missing && !tally.wrong)
		proof->none |= FACT_BIT(fact);
	if (tally.wrong || (j->from_row && doubt.serious && !(items[fact].more & HELPERS)))
		proof->withheld |= FACT_BIT(fact);
}

/* Related facts: the truth of either is what the other says. */
static void relate(struct proof_sample *sample)
{
	const uint64_t both = FACT_BIT(FACT_EXEC_ID) | FACT_BIT(FACT_PARENT_EXEC_ID);

	if ((sample->seen.known & both) != both)
		return;
	sample->truth.known |= both;
	sample->truth.facts.exec_id = sample->seen.facts.parent_exec_id + 1;
	sample->truth.facts.parent_exec_id = sample->seen.facts.exec_id - 1;
}

void proof_judge(struct proof *proof, struct proof_sample *samples, int count, bool from_row)
{
	struct judging j = {samples, count, proof, from_row};

	proof->truncated = UINT64_MAX;
	for (int i = 0; i < count; i++) {
		if (!samples[i].came)
			continue;
		relate(&samples[i]);
		proof->present |= samples[i].seen.known;
		proof->truncated &= (uint64_t)(samples[i].seen.facts.flags / EXEC_TRUNCATED)
				    << FACT_SECTION;
	}
	for (unsigned fact = 0; fact < PROOF_COUNT; fact++)
		judge_fact(&j, fact);
}

bool proof_fails(const struct proof *proof, bool from_row, unsigned *fact)
{
	static const unsigned identity[] = {PROOF_PID, PROOF_UID, FACT_PPID, FACT_ARGV,
					    FACT_SECTION + SECTION_ARGV};

	for (size_t i = 0; i < sizeof(identity) / sizeof(identity[0]); i++) {
		*fact = identity[i];
		if (has(proof->wrong, *fact) || (from_row && !(items[*fact].more & HELPERS) &&
						 !has(proof->verified | proof->right, *fact)))
			return true;
	}
	return false;
}
