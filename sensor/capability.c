// SPDX-License-Identifier: Apache-2.0
#include "capability.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>
#include <json-c/json_visit.h>

#include "ocsf.h"
#include "proc_facts.h"
#include "version.h"

/* -------------------------------------------------------------------- the host */

static const char *const ns_names[NS_COUNT] = {
	[NS_MNT] = "mnt", [NS_PID] = "pid",   [NS_NET] = "net",	      [NS_UTS] = "uts",
	[NS_IPC] = "ipc", [NS_USER] = "user", [NS_CGROUP] = "cgroup", [NS_TIME] = "time",
};

static uint32_t namespaces_missing(void)
{
	uint32_t missing = 0;
	char path[64];

	if (access("/proc/self/ns", X_OK)) /* without /proc nothing is known */
		return 0;
	for (int i = 0; i < NS_COUNT; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_names[i]);
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
			missing |= 1U << i;
	}
	return missing;
}

void capability_read_host(struct capability *capability)
{
	struct proc_setting setting;

	host_read(&capability->host);
	feature_limits_read(&capability->limits);
	capability->namespaces_missing = namespaces_missing();
	capability->proc = proc_is_host();
	proc_setting_read(&setting);
	capability->proc_cgroups = setting.cgroups_whole;
}

/* ------------------------------------------------------------------ the fields */

/* What else there is to know of a field. */
enum {
	PROC = 1 << 0,	  /* /proc has it, where the variant has not */
	BOOT_ID = 1 << 1, /* the boot id is part of it */
	LATER = 1 << 2,	  /* the contract has it, this version not yet */
	WHOLE = 1 << 3,	  /* left out of the event where its section is truncated */
	DERIVED = 1 << 4, /* made in user space of more than its facts: these prove it not */
};

#define F(fact) FACT_BIT(FACT_##fact)
#define P(fact) FACT_BIT(PROOF_##fact)
#define ID(id) FACT_BIT(FACT_ID + ID_##id)
#define CAPS(set) FACT_BIT(FACT_CAPS + CAPS_##set)
#define NS(ns) FACT_BIT(FACT_NS + NS_##ns)
#define SECTION(section) FACT_BIT(FACT_SECTION + SECTION_##section)

/* The parent's own exec, or /proc, is believed for what these tell apart. */
#define PARENT (F(PPID) | F(PARENT_START) | F(PARENT_EXEC_ID))

/*
 * A field's path, the facts of the record that it is made of (all of them, and one of `any`
 * if that is not 0) and what else there is to know.
 */
static const struct row {
	const char *name;
	uint64_t all, any;
	unsigned more;
} rows[] = {
	{"time", P(TIME), 0, 0},
	{"time_dt", P(TIME), 0, 0},
	{"actor.process.pid", F(PPID), 0, PROC},
	{"actor.process.uid", F(PPID) | F(PARENT_START), 0, BOOT_ID},
	{"actor.process.name", F(PPID) | F(PARENT_COMM), 0, PROC},
	{"process.pid", P(PID), 0, 0},
	{"process.tid", P(PID), 0, 0},
	{"process.uid", F(START), 0, BOOT_ID},
	{"process.created_time", F(START), 0, 0},
	{"process.name", F(COMM), 0, 0},
	{"process.cmd_line", F(ARGV) | SECTION(ARGV), 0, 0},
	{"process.file.path", SECTION(EXE), 0, PROC | WHOLE},
	{"process.file.name", SECTION(EXE), 0, PROC},
	{"process.file.parent_folder", SECTION(EXE), 0, PROC | WHOLE},
	{"process.file.uid", F(DEV) | F(INODE), 0, PROC},
	{"process.file.size", F(SIZE), 0, PROC},
	{"process.file.attributes", F(MODE), 0, PROC},
	{"process.file.modified_time", F(MTIME), 0, PROC},
	{"process.file.xattributes.nlink", F(NLINK), 0, PROC},
	{"process.file.xattributes.memfd", F(MEMFD), 0, PROC},
	{"process.file.xattributes.deleted", F(DELETED), 0, PROC},
	{"process.file.xattributes.fs", F(FS), 0, 0},
	{"process.user.uid", P(UID), 0, 0},
	{"process.group.uid", ID(GID), 0, PROC},
	{"process.euid", ID(EUID), 0, PROC},
	{"process.egid", ID(EGID), 0, PROC},
	{"process.auid", F(LOGIN_UID), 0, PROC},
	{"process.session.uid", F(AUDIT_SESSION), 0, PROC},
	{"process.session.terminal", F(TTY), 0, PROC},
	{"process.namespace_pid", F(NAMESPACE_PID), 0, PROC},
	{"process.container.uid", 0, SECTION(CGROUP) | SECTION(CGROUP_V1), PROC | DERIVED},
	{"process.container.runtime", 0, SECTION(CGROUP) | SECTION(CGROUP_V1), PROC | DERIVED},
	{"process.parent_process.pid", F(PPID), 0, PROC},
	{"process.parent_process.uid", F(PPID) | F(PARENT_START), 0, BOOT_ID},
	{"process.parent_process.name", F(PPID) | F(PARENT_COMM), 0, PROC},
	{"process.parent_process.cmd_line", PARENT, 0, PROC | DERIVED},
	{"process.parent_process.file.path", PARENT, 0, PROC | DERIVED},
	{"process.parent_process.file.name", PARENT, 0, PROC | DERIVED},
	{"process.parent_process.file.parent_folder", PARENT, 0, PROC | DERIVED},
	{"process.lineage", 0, 0, LATER},
	{"process.xattributes.argv", F(ARGV) | SECTION(ARGV), 0, 0},
	{"process.xattributes.argv_truncated", F(ARGV) | SECTION(ARGV), 0, 0},
	{"process.xattributes.argc", 0, F(ARGC) | SECTION(ARGV), 0},
	{"process.xattributes.argv_bytes", F(ARGV), 0, 0},
	{"process.xattributes.exec_filename", SECTION(FILENAME), 0, 0},
	{"process.xattributes.interpreter_chain", 0, 0, LATER},
	{"process.xattributes.cwd", SECTION(CWD), 0, PROC | WHOLE},
	{"process.xattributes.pgid", F(PGID), 0, PROC},
	{"process.xattributes.sid", F(SID), 0, PROC},
	{"process.xattributes.suid", ID(SUID), 0, PROC},
	{"process.xattributes.fsuid", ID(FSUID), 0, PROC},
	{"process.xattributes.sgid", ID(SGID), 0, PROC},
	{"process.xattributes.fsgid", ID(FSGID), 0, PROC},
	{"process.xattributes.cap_effective", CAPS(EFFECTIVE), 0, PROC},
	{"process.xattributes.cap_permitted", CAPS(PERMITTED), 0, PROC},
	{"process.xattributes.cap_inheritable", CAPS(INHERITABLE), 0, PROC},
	{"process.xattributes.ns.mnt", NS(MNT), 0, PROC},
	{"process.xattributes.ns.pid", NS(PID), 0, PROC},
	{"process.xattributes.ns.net", NS(NET), 0, PROC},
	{"process.xattributes.ns.uts", NS(UTS), 0, PROC},
	{"process.xattributes.ns.ipc", NS(IPC), 0, PROC},
	{"process.xattributes.ns.user", NS(USER), 0, PROC},
	{"process.xattributes.ns.cgroup", NS(CGROUP), 0, PROC},
	{"process.xattributes.ns.time", NS(TIME), 0, PROC},
	{"process.xattributes.cgroup.id", F(CGROUP_ID), 0, 0},
	{"process.xattributes.cgroup.path", SECTION(CGROUP), 0, PROC | WHOLE},
};

/* What access none can know: helpers say it, or the new program's own stack. */
static const uint64_t without_offsets = F(COMM) | F(ARGV) | F(ARGC) | F(CGROUP_ID) | ID(UID) |
					ID(GID) | SECTION(ARGV) | SECTION(FILENAME) | P(TIME) |
					P(PID) | P(UID);
/* Walks, which records in parts have no room for. */
static const uint64_t walked = SECTION(EXE) | SECTION(CWD) | SECTION(CGROUP) | SECTION(CGROUP_V1);

static bool row_has(const struct row *row, uint64_t facts)
{
	return (row->all & facts) == row->all && (!row->any || row->any & facts);
}

static const char *why_namespace(const struct capability *c, const struct row *row)
{
	static const char *const none[NS_COUNT] = {
		[NS_MNT] = "this kernel has no mount namespaces",
		[NS_PID] = "this kernel has no pid namespaces",
		[NS_NET] = "this kernel has no network namespaces",
		[NS_UTS] = "this kernel has no UTS namespaces",
		[NS_IPC] = "this kernel has no IPC namespaces",
		[NS_USER] = "this kernel has no user namespaces",
		[NS_CGROUP] = "this kernel has no cgroup namespaces",
		[NS_TIME] = "this kernel has no time namespaces",
	};

	for (int i = 0; i < NS_COUNT; i++)
		if (row->all == FACT_BIT(FACT_NS + i) && c->namespaces_missing & (1U << i))
			return none[i];
	return NULL;
}

/* The path of every exec of the proof was walked in vain. */
static bool row_cut(const struct capability *c, const struct row *row)
{
	return row->more & WHOLE && row->all & c->report.proof.truncated;
}

/* Facts that this variant never has, whatever the kernel. */
static uint64_t facts_impossible(const struct capability *c)
{
	uint64_t facts = 0;

	if (c->report.picked->access == ACCESS_NONE)
		facts |= ~without_offsets;
	if (c->report.parts)
		facts |= walked;
	return facts;
}

static const struct proof_finding *finding_of(const struct capability *c, uint64_t facts)
{
	return facts ? &c->report.proof.findings[__builtin_ctzll(facts)] : NULL;
}

/* Why a field does not come with the records of a variant that runs; NULL if it does. */
static const char *why_not_in_record(const struct capability *c, const struct row *row)
{
	uint64_t impossible = facts_impossible(c), lacking;

	if (!row_has(row, ~impossible))
		return c->report.picked->access == ACCESS_NONE ?
			       "access none knows no struct offsets" :
			       "records in parts have no paths";
	if (!c->report.proof.ran)
		return NULL;
	/* What none of the execs had may come all the same. */
	if (row_has(row, c->report.proof.present | c->report.proof.none))
		return row_cut(c, row) ? "the paths of the execs that were looked at are too long, "
					 "or end at no root" :
					 NULL;
	lacking = (row->all | row->any) & c->report.lacking;
	if (lacking)
		return finding_of(c, lacking)->why;
	return c->report.picked->access == ACCESS_MAP ?
		       "the kernel or its row of offsets does not have it, or it could not be "
		       "read" :
		       "the kernel does not have it, or it could not be read";
}

/* Why a field can't come at all; NULL if it can. */
static const char *why_never(const struct capability *c, const struct row *row)
{
	if (row->more & LATER)
		return "not part of this version of the sensor";
	if (!c->report.picked)
		return "no variant could be loaded";
	if (row->more & BOOT_ID && !c->host.boot_id[0])
		return "the boot id is not known";
	return why_namespace(c, row);
}

/* Facts that come to the events of a variant that runs, as far as is known. */
static uint64_t facts_coming(const struct capability *c)
{
	const struct proof *proof = &c->report.proof;

	return (proof->ran ? proof->present : ~facts_impossible(c)) & ~proof->withheld;
}

/*
 * What a record lacks is asked of /proc, but only if it lacks the executable, too, and has
 * what the process can be told by (enrich.c, fillable).
 */
static bool proc_asked(const struct capability *c)
{
	const uint64_t told_by = F(COMM) | F(ARGV) | SECTION(ARGV);
	uint64_t coming = facts_coming(c);

	return c->proc && !(coming & SECTION(EXE)) && (coming & told_by) == told_by;
}

static bool proc_fills(const struct capability *c, const struct row *row)
{
	return row->more & PROC && proc_asked(c) &&
	       (row->all != SECTION(CGROUP) || c->proc_cgroups);
}

/* The facts of a row that an event's field is made of here. */
static uint64_t facts_of(const struct capability *c, const struct row *row)
{
	return row->all | (row->any & facts_coming(c));
}

/* True if what the record says of it may not be told. */
static bool withhold(const struct capability *c, const struct row *row,
		     struct capability_field *field)
{
	const struct proof *proof = &c->report.proof;
	/* What no event can do without is told, right or wrong. */
	const uint64_t always = P(TIME) | P(PID) | P(UID);
	uint64_t facts = row->all | row->any;
	const struct proof_finding *finding;

	if (row_has(row, ~proof->withheld | always))
		return false;
	finding = finding_of(c,
			     facts & proof->wrong ? facts & proof->wrong : facts & proof->withheld);
	field->why = finding->why;
	if (finding->expected[0]) {
		field->expected = finding->expected;
		field->seen = finding->seen;
	}
	field->withheld = true;
	return true;
}

/* It comes: does the proof say that it is right? */
static void verify(const struct capability *c, const struct row *row,
		   struct capability_field *field)
{
	const struct proof *proof = &c->report.proof;
	const struct proof_finding *finding;
	uint64_t doubtful = facts_of(c, row) & ~proof->verified;

	if (!proof->ran)
		return;
	if (row->more & DERIVED) {
		field->why = "it is made of more than the record, and is not compared";
		return;
	}
	finding = finding_of(c, doubtful);
	if (!finding)
		field->state = FIELD_VERIFIED;
	else if (finding->why[0])
		field->why = finding->why;
}

bool capability_field(const struct capability *c, size_t i, struct capability_field *field)
{
	const struct row *row;

	if (i >= sizeof(rows) / sizeof(rows[0]))
		return false;
	row = &rows[i];
	*field = (struct capability_field){.name = row->name, .state = FIELD_UNVERIFIED};
	field->why = why_never(c, row);
	if (field->why) {
		field->state = FIELD_ABSENT;
		return true;
	}
	field->why = why_not_in_record(c, row);
	if (!field->why && !withhold(c, row, field)) {
		verify(c, row, field);
		return true;
	}
	if (proc_fills(c, row))
		*field = (struct capability_field){
			.name = row->name, .state = FIELD_UNVERIFIED, .from_proc = true};
	else
		field->state = FIELD_ABSENT;
	return true;
}

const char *field_state_str(enum field_state state)
{
	switch (state) {
	case FIELD_VERIFIED: return "verified";
	case FIELD_UNVERIFIED: return "unverified";
	case FIELD_ABSENT: break;
	}
	return "absent";
}

/* ---------------------------------------------------------------- the variants */

const char *variant_state_str(enum variant_state state)
{
	switch (state) {
	case VARIANT_PICKED: return "picked";
	case VARIANT_FAILED: return "failed";
	case VARIANT_NOT_TRIED: return "not_tried";
	case VARIANT_NOT_ASKED_FOR: break;
	}
	return "not_asked_for";
}

static const struct loader_reason *reason_of(const struct loader_report *report,
					     const struct variant *variant)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->reasons[i].variant == variant)
			return &report->reasons[i];
	return NULL;
}

static bool raw_tp_preempted(const struct capability *c)
{
	return c->report.features.of[FEATURE_RAW_TP_PREEMPTED].answer == FEATURE_YES;
}

const struct variant *capability_ranked(const struct capability *c, size_t i)
{
	enum access access = (enum access)(i / VARIANTS_OF_ACCESS);

	return variant_ranked(access, i % VARIANTS_OF_ACCESS, c->report.raw_tp_last[access]);
}

enum variant_state capability_variant(const struct capability *c, const struct variant *variant,
				      enum loader_error *error, const char **reason)
{
	const struct loader_reason *failed = reason_of(&c->report, variant);

	*error = LOADER_OK;
	*reason = NULL;
	if (variant == c->report.picked)
		return VARIANT_PICKED;
	if (failed) {
		*error = failed->error;
		*reason = failed->text;
		return VARIANT_FAILED;
	}
	if (!variant_allowed(variant, &c->force)) {
		*reason = "another rung was forced";
		return VARIANT_NOT_ASKED_FOR;
	}
	if (!c->report.picked)
		*reason = "the host as a whole can't: see readiness";
	else if (variant->attach == ATTACH_RAW_TP && raw_tp_preempted(c))
		*reason = "this kernel preempts a raw tracepoint's program, and does not run it "
			  "for an exec meanwhile on that CPU";
	else
		*reason = "it ranks below the picked one";
	return VARIANT_NOT_TRIED;
}

/* ------------------------------------------------------------------- readiness */

const char *readiness_str(enum readiness readiness)
{
	switch (readiness) {
	case READINESS_READY: return "ready";
	case READINESS_DEGRADED: return "degraded";
	case READINESS_UNABLE: break;
	}
	return "unable";
}

static void add_reason(struct text *reasons, const char *reason)
{
	text_bytes(reasons, reason, strlen(reason) + 1);
}

static void add_error(const struct loader_reason *r, struct text *reasons)
{
	text_format(reasons, "%s: %s", loader_error_str(r->error), r->text);
	text_char(reasons, 0);
}

/* The loader's errors, the first of each kind. */
static void add_errors(const struct loader_report *report, struct text *reasons)
{
	uint32_t said = 0;

	for (size_t i = 0; i < report->count; i++) {
		if (!(said & (1U << report->reasons[i].error)))
			add_error(&report->reasons[i], reasons);
		said |= 1U << report->reasons[i].error;
	}
}

/* Why none of the variants with offsets from there could be had: for want of them, if that is said. */
static void add_error_of(const struct loader_report *report, enum access access,
			 struct text *reasons)
{
	const struct loader_reason *first = NULL;

	for (size_t i = 0; i < report->count; i++) {
		const struct loader_reason *r = &report->reasons[i];
		bool wanting = r->error == LOADER_MISSING_BTF || r->error == LOADER_NO_OFFSETS;

		if (r->variant && r->variant->access == access &&
		    (!first || (wanting && first->error != r->error)))
			first = r;
	}
	if (first)
		add_error(first, reasons);
}

static void add_access_none(const struct capability *c, struct text *reasons)
{
	add_reason(reasons,
		   proc_asked(c) ?
			   "struct offsets are not known (access none): most fields are read "
			   "from /proc, if a process lives long enough" :
			   "struct offsets are not known (access none), and /proc can't stand in "
			   "for them: most fields are absent");
	add_error_of(&c->report, ACCESS_CORE, reasons);
	add_error_of(&c->report, ACCESS_MAP, reasons);
}

/* Without these a record says too little of who executed what. */
static void add_identity(const struct capability *c, struct text *reasons)
{
	static const char *const names[] = {"process.parent_process.pid",
					    "process.xattributes.argv"};
	struct capability_field field;

	for (size_t i = 0; capability_field(c, i, &field); i++)
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			if (field.state == FIELD_ABSENT && !strcmp(field.name, names[n])) {
				text_format(reasons, "%s is absent: %s", field.name, field.why);
				text_char(reasons, 0);
			}
}

/* Neither by build-id nor by the whole version. */
static bool offsets_by_release(const struct loader_report *report)
{
	return offsets_of_row(report->offsets_source) &&
	       strcmp(report->provenance.matched_by, "build_id") &&
	       strcmp(report->provenance.matched_by, "version");
}

static void add_facts(uint64_t facts, const char *why, struct text *reasons)
{
	const char *before = "withheld: ";

	if (!facts)
		return;
	for (; facts; facts &= facts - 1) {
		text_format(reasons, "%s%s", before,
			    proof_fact_name((unsigned)__builtin_ctzll(facts)));
		before = ", ";
	}
	text_format(reasons, ": %s", why);
	text_char(reasons, 0);
}

static void add_proof(const struct capability *c, struct text *reasons)
{
	const struct proof *proof = &c->report.proof;

	if (!proof->ran) {
		text_format(reasons, "nothing could be verified: %s", proof->why);
		text_char(reasons, 0);
		return;
	}
	add_facts(proof->wrong, "wrong in execs of the sensor's own: see the fields", reasons);
	add_facts(proof->withheld & (proof->present | proof->none) & ~proof->wrong,
		  "the row of offsets could not be proven for it here: see the fields", reasons);
}

static void add_degradations(const struct capability *c, struct text *reasons)
{
	if (c->report.picked->access == ACCESS_NONE)
		add_access_none(c, reasons);
	if (c->report.parts)
		add_reason(reasons, "records come in parts, as helpers of this kernel take no "
				    "memory of maps: they have no paths, and little of the name "
				    "that was executed");
	if (c->report.picked->attach == ATTACH_TP && !c->report.proof.long_name)
		add_reason(reasons,
			   "attached to a tracepoint: below 5.16 the kernel calls no program "
			   "for an exec with a file name of over about 2,000 bytes, which "
			   "is then neither seen nor counted");
	if (c->report.picked->attach == ATTACH_RAW_TP && raw_tp_preempted(c))
		add_reason(reasons, "attached to a raw tracepoint: this kernel preempts its "
				    "program, and an exec meanwhile on that CPU is not seen, but "
				    "counted in hook_missed");
	if (offsets_by_release(&c->report))
		add_reason(reasons, "the struct offsets were found by the kernel's release only: "
				    "another build may have others");
	add_proof(c, reasons);
	add_identity(c, reasons);
}

enum readiness capability_readiness(const struct capability *c, struct text *reasons)
{
	size_t before = reasons->len;

	if (c->report.picked) {
		add_degradations(c, reasons);
		return reasons->len > before ? READINESS_DEGRADED : READINESS_READY;
	}
	add_errors(&c->report, reasons);
	if (!c->report.count) {
		text_format(reasons, "%s: cannot start: no memory: free some",
			    loader_error_str(c->error));
		text_char(reasons, 0);
	}
	return READINESS_UNABLE;
}

/* --------------------------------------------------------------- making objects */

/* A document under construction. Where memory ran out, it is not whole. */
struct maker {
	const struct capability *c;
	bool failed;
};

static struct json_object *object_of(struct maker *m, struct json_object *value)
{
	if (!value)
		m->failed = true;
	return value;
}

/* Takes value over. NULL would be JSON's null: it can only be a want of memory. */
static void put(struct maker *m, struct json_object *object, const char *key,
		struct json_object *value)
{
	if (!value || !object || json_object_object_add(object, key, value)) {
		m->failed = true;
		json_object_put(value);
	}
}

static void append(struct maker *m, struct json_object *list, struct json_object *value)
{
	if (!value || !list || json_object_array_add(list, value)) {
		m->failed = true;
		json_object_put(value);
	}
}

static void put_int(struct maker *m, struct json_object *object, const char *key, int64_t value)
{
	put(m, object, key, json_object_new_int64(value));
}

/* What is empty is not known. */
static void put_string(struct maker *m, struct json_object *object, const char *key,
		       const char *value)
{
	if (*value)
		put(m, object, key, json_object_new_string(value));
}

static struct json_object *put_object(struct maker *m, struct json_object *object, const char *key)
{
	struct json_object *value = json_object_new_object();

	put(m, object, key, value);
	return m->failed ? NULL : value;
}

static struct json_object *put_list(struct maker *m, struct json_object *object, const char *key)
{
	struct json_object *value = json_object_new_array();

	put(m, object, key, value);
	return m->failed ? NULL : value;
}

/* ---------------------------------------------------------------- the document */

static void put_host(struct maker *m, struct json_object *document)
{
	const struct host *host = &m->c->host;
	struct json_object *object = put_object(m, document, "host"), *os;

	put_string(m, object, "hostname", host->hostname);
	put_string(m, object, "machine_id", host->machine_id);
	put_string(m, object, "boot_id", host->boot_id);
	os = put_object(m, object, "os");
	put_string(m, os, "name", host->os_name);
	put_string(m, os, "version", host->os_version);
}

static void put_kernel(struct maker *m, struct json_object *document)
{
	const struct kernel_identity *identity = &m->c->report.identity;
	struct json_object *object = put_object(m, document, "kernel");

	put_string(m, object, "release", m->c->host.release);
	put_string(m, object, "version", identity->version);
	put_string(m, object, "build_id", identity->build_id);
	put_string(m, object, "arch", identity->arch);
}

static void put_readiness(struct maker *m, struct json_object *document)
{
	struct json_object *object = put_object(m, document, "readiness"), *list;
	struct text reasons = {0};
	enum readiness readiness = capability_readiness(m->c, &reasons);
	struct slice left = {reasons.data, reasons.len}, reason;

	put_string(m, object, "state", readiness_str(readiness));
	list = put_list(m, object, "reasons");
	while (argv_next(&left, &reason))
		append(m, list, json_object_new_string_len(reason.data, (int)reason.len));
	m->failed |= reasons.failed;
	text_free(&reasons);
}

/* "EPERM"; the kernel's own numbers have no names. */
static void put_errno(struct maker *m, struct json_object *object, int error)
{
	const char *name = strerrorname_np(error);
	char number[16];

	snprintf(number, sizeof(number), "%d", error);
	if (error)
		put_string(m, object, "errno", name ? name : number);
}

static void put_features(struct maker *m, struct json_object *document)
{
	struct json_object *list = put_object(m, document, "features");

	for (int id = 0; id < FEATURE_COUNT; id++) {
		const struct feature *feature = &m->c->report.features.of[id];
		struct json_object *object;

		if (!feature->asked)
			continue;
		object = put_object(m, list, feature_name((enum feature_id)id));
		put_string(m, object, "answer", feature_answer_str(feature->answer));
		put_errno(m, object, feature->error);
		put_string(m, object, "detail", feature->detail);
	}
}

static void put_host_limits(struct maker *m, struct json_object *object)
{
	const struct feature_limits *limits = &m->c->limits;
	char capabilities[20];

	put_string(m, object, "lockdown", limits->lockdown);
	if (limits->memlock < 0)
		put_string(m, object, "memlock_bytes", "unlimited");
	else
		put_int(m, object, "memlock_bytes", limits->memlock);
	if (limits->perf_event_paranoid != -100)
		put_int(m, object, "perf_event_paranoid", limits->perf_event_paranoid);
	if (limits->unprivileged_bpf_disabled != -1)
		put_int(m, object, "unprivileged_bpf_disabled", limits->unprivileged_bpf_disabled);
	snprintf(capabilities, sizeof(capabilities), "%016llx",
		 (unsigned long long)limits->cap_effective);
	put_string(m, object, "cap_effective", capabilities);
	if (limits->cpus_possible)
		put_int(m, object, "cpus_possible", limits->cpus_possible);
	if (limits->cpus_online)
		put_int(m, object, "cpus_online", limits->cpus_online);
}

static void put_limits(struct maker *m, struct json_object *document)
{
	struct json_object *object = put_object(m, document, "limits");
	bool parts = m->c->report.parts;

	put_host_limits(m, object);
	put_int(m, object, "argv_bytes_max", ARGV_MAX);
	put_int(m, object, "exec_filename_bytes_max", parts ? PART_BYTES : FILENAME_BYTES_MAX);
	if (parts)
		return;
	put_int(m, object, "path_bytes_max", PATH_BYTES_MAX);
	put_int(m, object, "path_steps_max", PATH_STEPS_MAX);
	put_int(m, object, "cgroup_path_bytes_max", CGROUP_BYTES_MAX);
	put_int(m, object, "cgroup_path_steps_max", CGROUP_STEPS_MAX);
}

static void put_variants(struct maker *m, struct json_object *document)
{
	struct json_object *list = put_list(m, document, "variants"), *object;

	for (size_t i = 0; i < variant_count; i++) {
		enum loader_error error;
		const char *reason;
		const struct variant *variant = capability_ranked(m->c, i);
		enum variant_state state = capability_variant(m->c, variant, &error, &reason);

		object = object_of(m, json_object_new_object());
		put_string(m, object, "name", variant->name);
		put_string(m, object, "state", variant_state_str(state));
		if (error)
			put_string(m, object, "error", loader_error_str(error));
		if (reason)
			put_string(m, object, "reason", reason);
		append(m, list, object);
	}
}

/* Whether anybody vouches for the row, and how the offsets service came to give it. */
static void put_trust(struct maker *m, struct json_object *object)
{
	const struct loader_report *report = &m->c->report;
	const struct offsets_provenance *row = &report->provenance;
	struct json_object *fetched;

	put_string(m, object, "signature", row->signed_by[0] ? "verified" : "not checked");
	put_string(m, object, "signed_by", row->signed_by);
	if (report->offsets_source != OFFSETS_URL)
		return;
	put_string(m, object, "passed_over", report->offsets_passed_over);
	fetched = put_object(m, object, "fetched");
	put_string(m, fetched, "state", row->fetched);
	put_string(m, fetched, "at", row->fetched_at);
	put_string(m, fetched, "note", report->offsets_note);
}

static void put_row(struct maker *m, struct json_object *object,
		    const struct offsets_provenance *row)
{
	struct json_object *provenance;

	put_string(m, object, "matched_by", row->matched_by);
	provenance = put_object(m, object, "provenance");
	put_string(m, provenance, "distro", row->distro);
	put_string(m, provenance, "source", row->source);
	put_string(m, provenance, "package", row->package);
	put_string(m, provenance, "package_sha256", row->package_sha256);
	if (row->source_verified)
		put(m, provenance, "source_verified", json_object_new_boolean(true));
	put_string(m, provenance, "built_at", row->built_at);
	put_string(m, provenance, "not_looked_for", row->not_looked_for);
}

/* The row that is not used, since there is BTF. */
static void put_comparison(struct maker *m, struct json_object *object,
			   const struct loader_comparison *comparison)
{
	struct json_object *row = put_object(m, object, "row");

	put_row(m, row, &comparison->provenance);
	put_int(m, row, "differences", comparison->differences);
	put_string(m, row, "first", comparison->first);
}

static void put_proof(struct maker *m, struct json_object *document)
{
	const struct proof *proof = &m->c->report.proof;
	struct json_object *object;

	if (!m->c->report.picked)
		return;
	object = put_object(m, document, "proof");
	put(m, object, "ran", json_object_new_boolean(proof->ran));
	put_string(m, object, "why", proof->ran ? "" : proof->why);
	put_int(m, object, "duration_ms", (proof->took_ns + 500000) / 1000000);
	put_int(m, object, "execs", proof->children);
	put_int(m, object, "compared", proof->records);
}

static void put_offsets(struct maker *m, struct json_object *document)
{
	static const char *const sources[] = {[OFFSETS_NONE] = "none",
					      [OFFSETS_BTF] = "btf",
					      [OFFSETS_DB] = "db",
					      [OFFSETS_URL] = "url"};
	const struct loader_report *report = &m->c->report;
	struct json_object *object = put_object(m, document, "offsets");

	put_string(m, object, "source", sources[report->offsets_source]);
	if (offsets_of_row(report->offsets_source)) {
		put_row(m, object, &report->provenance);
		put_trust(m, object);
	} else if (report->comparison.done) {
		put_comparison(m, object, &report->comparison);
	}
}

/* What only a variant that runs has. */
static void put_picked(struct maker *m, struct json_object *document)
{
	const struct loader_report *report = &m->c->report;
	struct json_object *buffer;

	if (!report->picked)
		return;
	put_string(m, document, "hook", report->hook);
	buffer = put_object(m, document, "buffer");
	put_string(m, buffer, "kind", transport_names[report->picked->transport]);
	put_int(m, buffer, "bytes", (int64_t)report->buffer_bytes);
	put_int(m, buffer, "count", report->buffers);
	put(m, buffer, "parts", json_object_new_boolean(report->parts));
	put_string(m, document, "clock", report->clock_boot ? "boot" : "monotonic");
}

static void put_fields(struct maker *m, struct json_object *document)
{
	struct json_object *list = put_list(m, document, "fields"), *object;
	struct capability_field field;

	for (size_t i = 0; capability_field(m->c, i, &field); i++) {
		object = object_of(m, json_object_new_object());
		put_string(m, object, "field", field.name);
		put_string(m, object, "state", field_state_str(field.state));
		if (field.from_proc)
			put(m, object, "from_proc", json_object_new_boolean(true));
		if (field.withheld)
			put(m, object, "withheld", json_object_new_boolean(true));
		if (field.why)
			put_string(m, object, "why", field.why);
		if (field.expected) {
			put(m, object, "expected", json_object_new_string(field.expected));
			put(m, object, "seen", json_object_new_string(field.seen));
		}
		append(m, list, object);
	}
}

static void put_counters(struct maker *m, struct json_object *document)
{
	const struct counters *counters = &m->c->counters;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"attempted", counters->attempted},
		{"received", counters->received},
		{"lost_kernel", counters->lost_kernel},
		{"hook_missed", counters->hook_missed},
		{"malformed_events", counters->malformed_events},
		{"emitted", counters->emitted},
		{"failed_sink", counters->failed_sink},
		{"suppressed", counters->suppressed},
		{"pending_kernel", counters->pending_kernel},
		{"pending_user", counters->pending_user},
	};
	struct json_object *object = put_object(m, document, "counters");

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		put_int(m, object, all[i].name, (int64_t)all[i].value);
}

/* NULL without memory, sooner or later: m->failed. */
static struct json_object *make_document(struct maker *m)
{
	struct json_object *document = object_of(m, json_object_new_object()), *sensor;

	put_int(m, document, "capabilities_version", 1);
	sensor = put_object(m, document, "sensor");
	put_string(m, sensor, "name", "cormorant");
	put_string(m, sensor, "version", CORMORANT_VERSION);
	put_host(m, document);
	put_kernel(m, document);
	put_readiness(m, document);
	put_features(m, document);
	put_limits(m, document);
	put_variants(m, document);
	put_offsets(m, document);
	put_picked(m, document);
	put_proof(m, document);
	put_fields(m, document);
	put_counters(m, document);
	return document;
}

/* -------------------------------------------------------------------- as bytes */

/* json-c writes a string's bytes as they are; ours are anybody's. */
static int write_string(struct json_object *string, struct printbuf *out, int level, int flags)
{
	struct text text = {0};
	int err;

	(void)level;
	(void)flags;
	text_json_string(&text, (struct slice){json_object_get_string(string),
					       (size_t)json_object_get_string_len(string)});
	err = text.failed ? -1 : printbuf_memappend(out, text.data, (int)text.len);
	text_free(&text);
	return err;
}

static int guard_string(struct json_object *value, int flags, struct json_object *parent,
			const char *key, size_t *index, void *arg)
{
	(void)flags;
	(void)parent;
	(void)key;
	(void)index;
	(void)arg;
	if (json_object_is_type(value, json_type_string))
		json_object_set_serializer(value, write_string, NULL, NULL);
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* Appends document, and frees it. */
static int write_document(struct maker *m, struct json_object *document, bool pretty,
			  struct text *out)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	size_t before = out->len;
	const char *json = NULL;

	if (pretty)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	if (!m->failed && !json_c_visit(document, 0, guard_string, NULL))
		json = json_object_to_json_string_ext(document, flags);
	if (json)
		text_str(out, json);
	json_object_put(document);
	if (json && !out->failed)
		return 0;
	out->len = before;
	return -ENOMEM;
}

int capability_write(const struct capability *capability, bool pretty, struct text *out)
{
	struct maker m = {.c = capability};

	return write_document(&m, make_document(&m), pretty, out);
}

int capability_write_selftest(const struct capability *c, bool pretty, struct text *out)
{
	struct maker m = {.c = c};
	struct json_object *document = object_of(&m, json_object_new_object());

	put_string(&m, document, "variant", c->report.picked ? c->report.picked->name : "");
	put_kernel(&m, document);
	put_readiness(&m, document);
	put_offsets(&m, document);
	put_proof(&m, document);
	put_fields(&m, document);
	return write_document(&m, document, pretty, out);
}

/* ------------------------------------------------------------------------ OCSF */

static int64_t boot_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/*
 * Device, metadata and time are those of any event of this sensor, so they come from where
 * those are made: out of an exec event that knows nothing.
 */
static struct json_object *make_exec_event(const struct capability *c)
{
	const struct variant *variant = c->report.picked;
	struct ocsf *ocsf = ocsf_open(&c->host, variant ? variant->name : "");
	const struct exec_facts nothing = {0};
	const struct exec_event event = {.facts = &nothing, .head.time_ns = (uint64_t)boot_now()};
	struct json_object *object = NULL;
	struct text json = {0};
	struct wallclock clock;

	if (!ocsf)
		return NULL;
	wallclock_open(&clock);
	ocsf_write(ocsf, &clock, &event, 1, &json);
	ocsf_close(ocsf);
	text_char(&json, 0);
	if (!json.failed)
		object = json_tokener_parse(json.data);
	text_free(&json);
	return object;
}

/* Moves a member from one object to another. */
static void take(struct maker *m, struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *value = from ? json_object_object_get(from, key) : NULL;

	put(m, to, key, value ? json_object_get(value) : NULL);
}

/* Of an exec's profiles the class has two, and needs no extension; no stream, no sequence. */
static void adapt_metadata(struct maker *m, struct json_object *metadata)
{
	struct json_object *profiles;

	if (m->failed)
		return;
	json_object_object_del(metadata, "sequence");
	json_object_object_del(metadata, "extensions");
	json_object_object_del(metadata, "profiles");
	if (!m->c->report.picked)
		json_object_object_del(metadata, "log_name");
	profiles = put_list(m, metadata, "profiles");
	append(m, profiles, json_object_new_string("host"));
	append(m, profiles, json_object_new_string("datetime"));
	put_string(m, metadata, "event_code", "capabilities");
}

static void put_class(struct maker *m, struct json_object *event)
{
	put_int(m, event, "category_uid", 5);
	put_string(m, event, "category_name", "Discovery");
	put_int(m, event, "class_uid", 5001);
	put_string(m, event, "class_name", "Device Inventory Info");
	put_int(m, event, "activity_id", 1);
	put_string(m, event, "activity_name", "Log");
	put_int(m, event, "type_uid", 500101);
	put_string(m, event, "type_name", "Device Inventory Info: Log");
	put_int(m, event, "severity_id", 1);
	put_string(m, event, "severity", "Informational");
}

/* A start that failed is a failure in OCSF's words, too. */
static void put_status(struct maker *m, struct json_object *event)
{
	const struct loader_report *report = &m->c->report;
	struct text reasons = {0};
	enum readiness readiness = capability_readiness(m->c, &reasons);
	char message[128];

	snprintf(message, sizeof(message), "Exec sensor %s%s%s", readiness_str(readiness),
		 report->picked ? ": " : "", report->picked ? report->picked->name : "");
	put_string(m, event, "message", message);
	put_int(m, event, "status_id", report->picked ? 1 : 2);
	put_string(m, event, "status", report->picked ? "Success" : "Failure");
	if (!report->picked)
		put_string(m, event, "status_code", loader_error_str(m->c->error));
	if (reasons.len && !reasons.failed)
		put_string(m, event, "status_detail", reasons.data);
	text_free(&reasons);
}

int capability_write_ocsf(const struct capability *capability, bool pretty, struct text *out)
{
	struct maker m = {.c = capability};
	struct json_object *event = object_of(&m, json_object_new_object()), *unmapped;
	struct json_object *exec = object_of(&m, make_exec_event(capability));

	put_class(&m, event);
	take(&m, event, exec, "device");
	take(&m, event, exec, "metadata");
	adapt_metadata(&m, json_object_object_get(event, "metadata"));
	take(&m, event, exec, "time");
	take(&m, event, exec, "time_dt");
	put_status(&m, event);
	unmapped = put_object(&m, event, "unmapped");
	put(&m, unmapped, "capabilities", make_document(&m));
	json_object_put(exec);
	return write_document(&m, event, pretty, out);
}
