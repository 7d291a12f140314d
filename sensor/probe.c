// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "record.h"
#include "version.h"

enum {
	/* So long programs that are still running after the hook is gone are waited for. */
	SETTLE_MS = 200,
	WIDTH_MIN = 80,
	WIDTH = 96, /* where there is no terminal */
	WIDTH_MAX = 100,
};

/* ------------------------------------------------------------------- gathering */

struct probe {
	struct capability capability;
	struct loader *loader;
	struct record_decoder decoder;
};

static void on_record(void *arg, const void *data, size_t size)
{
	struct probe *probe = arg;
	struct counters *counters = &probe->capability.counters;
	struct exec_event event;

	counters->received++;
	if (record_decode(&probe->decoder, data, size, &event))
		counters->malformed_events++;
	else
		counters->suppressed++;
}

static bool read_counters(struct probe *probe, bool ended)
{
	struct counters *counters = &probe->capability.counters;

	if (!loader_counters(probe->loader, counters, ended))
		return !counters->pending_kernel;
	*counters = (struct counters){0}; /* half an account would contradict itself */
	return true;
}

/* Detaches, and accounts for what the hook has seen meanwhile. */
static void settle(struct probe *probe)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	loader_detach(probe->loader);
	for (int i = 0; i < SETTLE_MS; i++) {
		while (loader_drain(probe->loader, true) == LOADER_MORE)
			;
		if (read_counters(probe, false))
			return;
		nanosleep(&wait, NULL);
	}
	read_counters(probe, true);
}

struct probe_options {
	struct variant_force force;
	struct offsets_options offsets;
	bool json;
	bool ocsf;
	bool selftest;
	bool done; /* the text that was asked for has been printed */
};

/*
 * The features that the loader has not asked for are asked when nothing of ours is in the
 * kernel any more: a tracepoint below 4.15 takes one program.
 */
static void gather(struct probe *probe, const struct probe_options *options)
{
	struct capability *capability = &probe->capability;
	const struct loader_options loading = {
		.force = options->force,
		.offsets = &options->offsets,
		.fn = on_record,
		.arg = probe,
	};

	capability->force = options->force;
	capability_read_host(capability);
	capability->error = loader_open(&loading, &probe->loader, &capability->report);
	if (!capability->error) {
		probe->decoder.withheld = capability->report.proof.withheld;
		settle(probe);
		loader_close(probe->loader);
	}
	feature_get_all(&capability->report.features);
}

/* ------------------------------------------------------------------- the table */

enum { LABEL = 12, ITEM = 21 }; /* the columns where the second and the third begin */

struct table {
	struct text *out;
	struct text word;
	int width;
	int column;
	int indent; /* of the lines that follow */
	bool colour;
	bool first; /* the next word is the first of its line */
};

static const char bold[] = "1", red[] = "31", green[] = "32", yellow[] = "33";

/* Goes to a column, on a new line if this one is past it. */
static void go_to(struct table *t, int column)
{
	if (t->column > column - (column ? 1 : 0)) {
		text_char(t->out, '\n');
		t->column = 0;
	}
	for (; t->column < column; t->column++)
		text_char(t->out, ' ');
	t->indent = column;
	t->first = true;
}

static int characters(const struct text *text)
{
	int n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += (text->data[i] & 0xc0) != 0x80;
	return n;
}

/* One word, with a blank before it, or on a new line. What a terminal obeys is escaped. */
static void put_word(struct table *t, struct slice word)
{
	size_t budget = SIZE_MAX;
	int n;

	text_clear(&t->word);
	text_json_escaped(&t->word, word, &budget);
	n = characters(&t->word);
	/* One column stays for what may be glued behind it. */
	if (!t->first && t->column + 1 + n >= t->width)
		go_to(t, t->indent);
	if (!t->first) {
		text_char(t->out, ' ');
		t->column++;
	}
	text_bytes(t->out, t->word.data, t->word.len);
	t->column += n;
	t->first = false;
}

static void put_words(struct table *t, struct slice s)
{
	while (s.len) {
		const char *blank = memchr(s.data, ' ', s.len);
		size_t n = blank ? (size_t)(blank - s.data) : s.len;

		if (n)
			put_word(t, (struct slice){s.data, n});
		s.data += n + (blank ? 1 : 0);
		s.len -= n + (blank ? 1 : 0);
	}
}

static void put(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct table *t, const char *format, ...)
{
	char *line;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&line, format, args);
	va_end(args);
	if (n < 0)
		return;
	put_words(t, (struct slice){line, (size_t)n});
	free(line);
}

/* Right behind the last word. */
static void put_glued(struct table *t, const char *mark)
{
	text_str(t->out, mark);
	t->column += (int)strlen(mark);
}

/* A word of our own in a column of its own. */
static void put_label(struct table *t, int column, const char *code, const char *label)
{
	go_to(t, column);
	if (t->colour)
		text_format(t->out, "\x1b[%sm", code);
	text_str(t->out, label);
	if (t->colour)
		text_str(t->out, "\x1b[0m");
	t->column += (int)strlen(label);
}

static void put_title(struct table *t, const char *title)
{
	put_label(t, 0, bold, title);
	go_to(t, LABEL);
}

static void put_gap(struct table *t)
{
	go_to(t, 0);
	text_char(t->out, '\n');
}

static void put_kernel(struct table *t, const struct capability *c)
{
	const struct kernel_identity *identity = &c->report.identity;

	put_title(t, "host");
	put(t, "%s, %s%s%s", c->host.hostname, c->host.os_name, c->host.os_version[0] ? " " : "",
	    c->host.os_version);
	put_title(t, "kernel");
	put(t, "%s %s", c->host.release, identity->arch);
	if (identity->version[0])
		put(t, "(%s)", identity->version);
	if (!identity->build_id[0])
		return;
	put_title(t, "build-id");
	put(t, "%s", identity->build_id);
}

static void put_readiness(struct table *t, const struct capability *c)
{
	static const char *const codes[] = {
		[READINESS_READY] = green,
		[READINESS_DEGRADED] = yellow,
		[READINESS_UNABLE] = red,
	};
	struct text reasons = {0};
	enum readiness readiness = capability_readiness(c, &reasons);
	struct slice left = {reasons.data, reasons.len}, reason;

	put_label(t, 0, bold, "readiness");
	put_label(t, LABEL, codes[readiness], readiness_str(readiness));
	while (argv_next(&left, &reason)) {
		go_to(t, LABEL);
		text_str(t->out, "- ");
		t->column += 2;
		t->indent = LABEL + 2;
		put_words(t, reason);
	}
	text_free(&reasons);
}

static void put_limits(struct table *t, const struct capability *c)
{
	const struct feature_limits *limits = &c->limits;

	put_title(t, "limits");
	if (limits->lockdown[0])
		put(t, "lockdown %s,", limits->lockdown);
	if (limits->memlock < 0)
		put(t, "memlock unlimited,");
	else
		put(t, "memlock %lld KiB,", limits->memlock / 1024);
	if (limits->perf_event_paranoid != -100)
		put(t, "perf_event_paranoid %d,", limits->perf_event_paranoid);
	if (limits->unprivileged_bpf_disabled != -1)
		put(t, "unprivileged_bpf_disabled %d,", limits->unprivileged_bpf_disabled);
	if (limits->cpus_possible)
		put(t, "CPUs %d of %d,", limits->cpus_online, limits->cpus_possible);
	put(t, "capabilities %016llx", (unsigned long long)limits->cap_effective);
}

/* -------------------------------------------------------------------- features */

static bool same_answer(const struct feature *a, const struct feature *b)
{
	return a->asked && a->answer == b->answer &&
	       (a->answer == FEATURE_YES ||
		(a->error == b->error && !strcmp(a->detail, b->detail)));
}

/* The errno and the detail of those that are not there. */
static void put_refusal(struct table *t, const struct feature *feature)
{
	const char *name = strerrorname_np(feature->error);

	if (name && feature->error)
		put(t, "(%s%s%s)", name, feature->detail[0] ? ": " : "", feature->detail);
	else if (feature->error)
		put(t, "(errno %d%s%s)", feature->error, feature->detail[0] ? ": " : "",
		    feature->detail);
	else if (feature->detail[0])
		put(t, "(%s)", feature->detail);
}

/* The features up to end that have the same to say as the first; takes them out of left. */
static void put_alike(struct table *t, const struct features *features, int first, int end,
		      uint64_t *left)
{
	static const char *const codes[] = {
		[FEATURE_UNKNOWN] = yellow, [FEATURE_YES] = green, [FEATURE_NO] = red};
	const struct feature *feature = &features->of[first];
	const char *comma = "";

	put_label(t, LABEL, codes[feature->answer], feature_answer_str(feature->answer));
	go_to(t, ITEM);
	for (int id = first; id < end; id++) {
		const struct feature *one = &features->of[id];

		if (!(*left & (1ULL << id)) || !same_answer(one, feature))
			continue;
		*left &= ~(1ULL << id);
		put_glued(t, comma);
		put(t, "%s", feature_name((enum feature_id)id));
		if (one->answer == FEATURE_YES && one->detail[0])
			put(t, "(%s)", one->detail);
		comma = ",";
	}
	if (feature->answer != FEATURE_YES)
		put_refusal(t, feature);
}

static void put_features(struct table *t, const struct features *features)
{
	static const struct {
		const char *title;
		int end;
	} groups[] = {
		{"bpf(2)", FEATURE_HELPER_TASK},
		{"programs", FEATURE_BTF},
		{"kernel", FEATURE_COUNT},
	};
	static const enum feature_answer order[] = {FEATURE_YES, FEATURE_NO, FEATURE_UNKNOWN};
	uint64_t left = 0;
	int begin = 0;

	for (int id = 0; id < FEATURE_COUNT; id++)
		left |= features->of[id].asked ? 1ULL << id : 0;
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); begin = groups[g++].end) {
		put_label(t, 0, bold, groups[g].title);
		for (int answer = 0; answer < 3; answer++)
			for (int id = begin; id < groups[g].end; id++)
				if (left & (1ULL << id) && features->of[id].answer == order[answer])
					put_alike(t, features, id, groups[g].end, &left);
	}
}

/* -------------------------------------------------------------------- variants */

static const char *state_label(enum variant_state state)
{
	switch (state) {
	case VARIANT_PICKED: return "picked";
	case VARIANT_FAILED: return "failed";
	case VARIANT_NOT_TRIED: return "untried";
	case VARIANT_NOT_ASKED_FOR: break;
	}
	return "unasked";
}

static const char *state_code(enum variant_state state)
{
	return state == VARIANT_PICKED ? green : state == VARIANT_FAILED ? red : yellow;
}

/* True if the reasons of two variants differ in nothing but the variants' names. */
static bool same_reason(const char *a, const char *name_a, const char *b, const char *name_b)
{
	size_t len_a = strlen(name_a), len_b = strlen(name_b);

	if (!a || !b)
		return a == b;
	while (*a && *b) {
		bool named = !strncmp(a, name_a, len_a) && !strncmp(b, name_b, len_b);

		if (!named && *a != *b)
			return false;
		a += named ? len_a : 1;
		b += named ? len_b : 1;
	}
	return *a == *b;
}

/* The variants from the i-th on that have the same to say; takes them out of left. */
static void put_alike_variants(struct table *t, const struct capability *c, size_t i,
			       uint64_t *left)
{
	enum loader_error error, other_error;
	const char *reason, *other, *comma = "";
	const char *first = capability_ranked(c, i)->name, *name;
	enum variant_state state =
		capability_variant(c, capability_ranked(c, i), &error, &reason);

	put_label(t, LABEL, state_code(state), state_label(state));
	go_to(t, ITEM);
	if (reason && !error)
		put(t, "%s:", reason);
	for (; i < variant_count; i++) {
		name = capability_ranked(c, i)->name;
		if (!(*left & (1ULL << i)) ||
		    capability_variant(c, capability_ranked(c, i), &other_error, &other) != state ||
		    !same_reason(other, name, reason, first))
			continue;
		*left &= ~(1ULL << i);
		put_glued(t, comma);
		put(t, "%s", name);
		comma = ",";
	}
	if (!error)
		return;
	put_glued(t, ":"); /* a failure is told at length */
	go_to(t, ITEM);
	put_words(t, slice_of(reason));
	put(t, "[%s]", loader_error_str(error));
}

/* First those that were tried, best first. */
static void put_variants(struct table *t, const struct capability *c)
{
	uint64_t left = (1ULL << variant_count) - 1;
	enum loader_error error;
	const char *reason;

	put_label(t, 0, bold, "variants");
	for (int tried = 1; tried >= 0; tried--)
		for (size_t i = 0; i < variant_count; i++)
			if (left & (1ULL << i) &&
			    (!tried || capability_variant(c, capability_ranked(c, i), &error,
							  &reason) <= VARIANT_FAILED))
				put_alike_variants(t, c, i, &left);
}

static void put_provenance(struct table *t, const struct loader_report *report)
{
	const struct offsets_provenance *row = &report->provenance;
	const char *const facts[] = {row->distro, row->package, row->source, row->built_at};
	bool url = report->offsets_source == OFFSETS_URL;

	put(t, "the %s's row by %s,", url ? "offsets service" : "database", row->matched_by);
	if (row->signed_by[0])
		put(t, "signed by %s", row->signed_by);
	else
		put(t, "signature not checked");
	if (url)
		put(t, "(%s%s%s)", row->fetched, row->fetched_at[0] ? ", sent " : "",
		    row->fetched_at);
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (facts[i][0])
			put(t, "%s%s", i == 3 ? "made " : "", facts[i]);
	if (row->not_looked_for[0])
		put(t, "- older than this program's list of members: nothing is known of %s",
		    row->not_looked_for);
	if (report->offsets_note[0])
		put(t, "- %s", report->offsets_note);
}

static void put_comparison(struct table *t, const struct loader_comparison *comparison)
{
	if (!comparison->done)
		return;
	if (!comparison->differences) {
		put_glued(t, ";");
		put(t, "the database's row says the same");
		return;
	}
	put_glued(t, ";");
	put(t, "the database's row differs in %d numbers:", comparison->differences);
	put_words(t, slice_of(comparison->first));
}

static void put_picked(struct table *t, const struct loader_report *report)
{
	char per_cpu[48] = "";

	if (!report->picked)
		return;
	if (report->picked->transport == TRANSPORT_PERFBUF)
		snprintf(per_cpu, sizeof(per_cpu), " for each of %d CPUs", report->buffers);
	put_title(t, "hook");
	put(t, "%s", report->hook);
	put_title(t, "offsets");
	if (report->offsets_source == OFFSETS_DB || report->offsets_source == OFFSETS_URL)
		put_provenance(t, report);
	else
		put(t, report->offsets_source == OFFSETS_BTF ? "the kernel's BTF" : "none");
	put_comparison(t, &report->comparison);
	put_title(t, "buffer");
	put(t, "%s, %zu KiB%s%s", transport_names[report->picked->transport],
	    report->buffer_bytes / 1024, per_cpu, report->parts ? ", records in parts" : "");
	put_title(t, "clock");
	put(t, "%s", report->clock_boot ? "boot" : "monotonic (stops in suspend)");
}

/* ---------------------------------------------------------------------- fields */

/* True if two fields have the same to say. */
static bool same_field(const struct capability_field *a, const struct capability_field *b)
{
	return a->state == b->state && a->withheld == b->withheld && a->why && b->why &&
	       !strcmp(a->why, b->why) && !a->expected && !b->expected;
}

static void put_wrong(struct table *t, const struct capability_field *field)
{
	put(t, "%s: %s: it should be", field->name, field->why);
	put_words(t, slice_of(field->expected));
	put(t, "and is");
	put_words(t, slice_of(field->seen));
}

/* The fields from the i-th on that are as they are for its reason; marks them as said. */
static void put_alike_fields(struct table *t, const struct capability *c, size_t i, bool *said)
{
	struct capability_field first, field;
	const char *comma = "";

	capability_field(c, i, &first);
	put_label(t, LABEL,
		  first.withheld		? red :
		  first.state == FIELD_VERIFIED ? green :
						  yellow,
		  first.withheld ? "withheld" : field_state_str(first.state));
	go_to(t, ITEM + 2);
	if (first.expected) {
		said[i] = true;
		put_wrong(t, &first);
		return;
	}
	put(t, "%s:", first.why);
	for (; capability_field(c, i, &field); i++) {
		if (said[i] || !same_field(&field, &first))
			continue;
		said[i] = true;
		put_glued(t, comma);
		put(t, "%s", field.name);
		comma = ",";
	}
}

static void put_proof(struct table *t, const struct proof *proof)
{
	put_title(t, "proof");
	if (proof->ran)
		put(t, "%d of %d execs compared, %lld ms", proof->records, proof->children,
		    (long long)((proof->took_ns + 500000) / 1000000));
	else
		put(t, "none: %s", proof->why);
}

static void put_fields(struct table *t, const struct capability *c)
{
	size_t states[3] = {0}, from_proc = 0, withheld = 0, count = 0;
	struct capability_field field;
	bool *said;

	put_title(t, "fields");
	if (!c->report.picked) {
		put(t, "none: no variant could be loaded");
		return;
	}
	for (; capability_field(c, count, &field); count++) {
		states[field.state]++;
		from_proc += field.from_proc;
		withheld += field.withheld;
	}
	put(t, "%zu verified, %zu unverified, %zu absent", states[FIELD_VERIFIED],
	    states[FIELD_UNVERIFIED], states[FIELD_ABSENT]);
	if (withheld)
		put(t, "(%zu withheld)", withheld);
	if (from_proc)
		put(t, "(%zu only from /proc, of processes that live long enough)", from_proc);
	said = calloc(count, sizeof(*said));
	/* The worst comes first. */
	for (int state = FIELD_ABSENT; said && state >= FIELD_VERIFIED; state--)
		for (size_t i = 0; capability_field(c, i, &field); i++)
			if ((int)field.state == state && field.why && !said[i])
				put_alike_fields(t, c, i, said);
	free(said);
}

void probe_table(const struct capability *capability, int width, bool colour, struct text *out)
{
	struct table table = {.out = out, .width = width, .colour = colour}, *t = &table;

	put_title(t, "sensor");
	put(t, "cormorant %s", CORMORANT_VERSION);
	put_kernel(t, capability);
	put_readiness(t, capability);
	put_limits(t, capability);
	put_gap(t);
	put_features(t, &capability->report.features);
	put_gap(t);
	put_variants(t, capability);
	put_gap(t);
	put_picked(t, &capability->report);
	if (capability->report.picked)
		put_proof(t, &capability->report.proof);
	put_fields(t, capability);
	go_to(t, 0);
	text_free(&table.word);
}

static void put_verified(struct table *t, const struct capability *c)
{
	struct capability_field field;
	const char *comma = "";

	put_label(t, 0, green, "verified");
	go_to(t, LABEL);
	for (size_t i = 0; capability_field(c, i, &field); i++) {
		if (field.state != FIELD_VERIFIED)
			continue;
		put_glued(t, comma);
		put(t, "%s", field.name);
		comma = ",";
	}
}

void selftest_table(const struct capability *capability, int width, bool colour, struct text *out)
{
	struct table table = {.out = out, .width = width, .colour = colour}, *t = &table;

	put_title(t, "variant");
	put(t, "%s", capability->report.picked ? capability->report.picked->name : "none");
	put_readiness(t, capability);
	if (capability->report.picked) {
		put_proof(t, &capability->report.proof);
		put_verified(t, capability);
	}
	put_fields(t, capability);
	go_to(t, 0);
	text_free(&table.word);
}

/* -------------------------------------------------------------------- commands */

#define LOADER_OPTIONS                                                                             \
	OFFSETS_USAGE                                                                              \
	"      --attach=A        force a rung, for tests and debugging: raw_tp, tp, kprobe\n"      \
	"      --transport=T     ringbuf, perfbuf\n"                                               \
	"      --access=X        core, map, none\n"                                                \
	"  -h, --help            this text\n"                                                      \
	"\n"
#define START_OPTIONS                                                                              \
	LOADER_OPTIONS "Exit status: 0 a variant would run, 1 failed, 2 bad usage, 3 none "        \
		       "would.\n"
#define SELFTEST_OPTIONS                                                                           \
	LOADER_OPTIONS                                                                             \
	"Exit status: 0 nothing is wrong, 1 something disagrees with the truth, 2 bad usage,\n"    \
	"3 no variant would run, or no program could be executed.\n"

static const char probe_usage[] =
	"usage: cormorant probe [--json] [OPTION]...\n"
	"\n"
	"Says what this kernel offers, which variant `cormorant run` would use, and why not\n"
	"each better one. It starts one, proves what it says, and stops it again.\n"
	"\n"
	"      --json            the document of `cormorant capabilities`\n" START_OPTIONS;

static const char capabilities_usage[] =
	"usage: cormorant capabilities [--ocsf] [OPTION]...\n"
	"\n"
	"Prints what `cormorant run` could see on this host as JSON, on one line if stdout is\n"
	"no terminal.\n"
	"\n"
	"      --ocsf            in an OCSF 1.3.0 event (5001, Device Inventory "
	"Info)\n" START_OPTIONS;

static const char selftest_usage[] =
	"usage: cormorant selftest [--json] [OPTION]...\n"
	"\n"
	"Starts what `cormorant run` would use, executes programs of which every field is known,\n"
	"and compares what the kernel side says of them. As every start of `cormorant run` does.\n"
	"\n"
	"      --json            as JSON\n" SELFTEST_OPTIONS;

enum { OPTION_ATTACH = 256, OPTION_TRANSPORT, OPTION_ACCESS, OPTION_JSON, OPTION_OCSF };

#define LONG_OPTIONS                                                                               \
	OFFSETS_LONG_OPTIONS, {"attach", required_argument, NULL, OPTION_ATTACH},                  \
		{"transport", required_argument, NULL, OPTION_TRANSPORT},                          \
		{"access", required_argument, NULL, OPTION_ACCESS},                                \
		{"help", no_argument, NULL, 'h'},                                                  \
	{                                                                                          \
		0                                                                                  \
	}

static const struct option probe_long_options[] = {{"json", no_argument, NULL, OPTION_JSON},
						   LONG_OPTIONS};
static const struct option capabilities_long_options[] = {{"ocsf", no_argument, NULL, OPTION_OCSF},
							  LONG_OPTIONS};

/* A reader that has gone or a full disk is an error like any other. */
static enum exit_status print(const char *bytes, size_t n)
{
	if (fwrite(bytes, 1, n, stdout) == n && !fflush(stdout))
		return EXIT_DONE;
	fprintf(stderr, "cormorant: cannot write to stdout: %s: see where it leads\n",
		strerror(errno));
	return EXIT_FAILED;
}

static enum exit_status usage_error(const char *usage, const char *what, const char *value)
{
	fprintf(stderr, "cormorant: %s: %s: see below\n\n%s", what, value, usage);
	return EXIT_USAGE;
}

/* A forced rung must leave at least one variant. */
static enum exit_status check_force(const struct variant_force *force, const char *usage)
{
	char name[128];

	for (size_t i = 0; i < variant_count; i++)
		if (variant_allowed(&variants[i], force))
			return EXIT_DONE;
	snprintf(name, sizeof(name), "exec.%s.%s.%s: not built in",
		 force->attach ? force->attach : "*", force->transport ? force->transport : "*",
		 force->access ? force->access : "*");
	return usage_error(usage, "no variant", name);
}

static enum exit_status parse(int argc, char **argv, const struct option *long_options,
			      const char *usage, struct probe_options *options)
{
	char error[1024];
	int option;

	while ((option = getopt_long(argc, argv, "d:h", long_options, NULL)) != -1) {
		if (offsets_option(option, optarg, &options->offsets))
			continue;
		switch (option) {
		case OPTION_ATTACH: options->force.attach = optarg; break;
		case OPTION_TRANSPORT: options->force.transport = optarg; break;
		case OPTION_ACCESS: options->force.access = optarg; break;
		case OPTION_JSON: options->json = true; break;
		case OPTION_OCSF: options->ocsf = true; break;
		case 'h': options->done = true; return print(usage, strlen(usage));
		default: fprintf(stderr, "\n%s", usage); return EXIT_USAGE; /* getopt said why */
		}
	}
	if (optind < argc)
		return usage_error(usage, "unexpected argument", argv[optind]);
	if (offsets_options_check(&options->offsets, error, sizeof(error))) {
		fprintf(stderr, "cormorant: %s\n", error);
		return EXIT_USAGE;
	}
	return check_force(&options->force, usage);
}

static int table_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return WIDTH;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN :
	       size.ws_col > WIDTH_MAX ? WIDTH_MAX :
					 size.ws_col;
}

static int write_found(const struct capability *capability, const struct probe_options *options,
		       struct text *out)
{
	bool terminal = isatty(STDOUT_FILENO);
	int err = 0;

	if (options->selftest && options->json)
		err = capability_write_selftest(capability, terminal, out);
	else if (options->selftest)
		selftest_table(capability, table_width(), terminal && !getenv("NO_COLOR"), out);
	else if (options->ocsf)
		err = capability_write_ocsf(capability, terminal, out);
	else if (options->json)
		err = capability_write(capability, terminal, out);
	else
		probe_table(capability, table_width(), terminal && !getenv("NO_COLOR"), out);
	if (options->ocsf || options->json)
		text_char(out, '\n');
	return out->failed ? -ENOMEM : err;
}

static enum exit_status status_of(const struct loader_report *report,
				  const struct probe_options *options)
{
	if (options->selftest && (report->refuted || report->proof.wrong))
		return EXIT_FAILED;
	if (!report->picked || (options->selftest && !report->proof.ran))
		return EXIT_CANNOT;
	return EXIT_DONE;
}

static enum exit_status find_and_print(const struct probe_options *options)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	enum exit_status status = EXIT_FAILED;
	struct text out = {0};

	if (probe)
		gather(probe, options);
	if (!probe || write_found(&probe->capability, options, &out))
		fprintf(stderr, "cormorant: cannot say what was found: no memory: free some\n");
	else
		status = print(out.data, out.len);
	if (!status)
		status = status_of(&probe->capability.report, options);
	text_free(&out);
	free(probe);
	return status;
}

enum exit_status command_probe(int argc, char **argv)
{
	struct probe_options options = {0};
	enum exit_status status = parse(argc, argv, probe_long_options, probe_usage, &options);

	return status || options.done ? status : find_and_print(&options);
}

enum exit_status command_capabilities(int argc, char **argv)
{
	struct probe_options options = {.json = true};
	enum exit_status status =
		parse(argc, argv, capabilities_long_options, capabilities_usage, &options);

	return status || options.done ? status : find_and_print(&options);
}

enum exit_status command_selftest(int argc, char **argv)
{
	struct probe_options options = {.selftest = true};
	enum exit_status status = parse(argc, argv, probe_long_options, selftest_usage, &options);

	return status || options.done ? status : find_and_print(&options);
}
