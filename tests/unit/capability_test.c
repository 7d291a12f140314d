// SPDX-License-Identifier: Apache-2.0
/*
 * capability.c and probe.c's table: what is said of a start, whatever came of it. With
 * CAPABILITY_DOCUMENTS=DIR the documents are left there for tests/ocsf/check_capabilities.
 */
#include "event_json.h"
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "version.h"

#define ALL_FACTS ((1ULL << PROOF_COUNT) - 1)

/* Fields that are made of more than a record: the container's two, and four of the parent's. */
enum { DERIVED_FIELDS = 6, LATER_FIELDS = 2, ALIKE_FIELDS = 4 };

/* What the kernel sets equal to another at every exec, and no proof can tell from it. */
static const uint64_t alike = FACT_BIT(FACT_ID + ID_SUID) | FACT_BIT(FACT_ID + ID_FSUID) |
			      FACT_BIT(FACT_ID + ID_SGID) | FACT_BIT(FACT_ID + ID_FSGID);

/* ------------------------------------------------------------------- the starts */

static const struct variant *variant_of(const char *name)
{
	for (size_t i = 0; i < variant_count; i++)
		if (!strcmp(variants[i].name, name))
			return &variants[i];
	fail_msg("no variant %s", name);
	return NULL;
}

static void set(char *to, const char *from)
{
	strcpy(to, from);
}

static void add_reason(struct capability *c, const char *variant, enum loader_error error,
		       const char *text)
{
	struct loader_reason *r = &c->report.reasons[c->report.count++];

	assert_true(c->report.count <= LOADER_VARIANTS_MAX);
	r->variant = variant ? variant_of(variant) : NULL;
	r->error = error;
	set(r->text, text);
}

static void ask_all(struct features *features, enum feature_answer answer, int error)
{
	for (int id = 0; id < FEATURE_COUNT; id++)
		features->of[id] =
			(struct feature){.asked = true, .answer = answer, .error = error};
}

/* A host on which nothing has been tried yet. */
static struct capability *host(void)
{
	struct capability *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	set(c->host.hostname, "host-1");
	set(c->host.release, "4.19.0-27-amd64");
	set(c->host.machine_id, "0123456789abcdef0123456789abcdef");
	set(c->host.boot_id, "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f1");
	set(c->host.os_name, "Debian GNU/Linux");
	set(c->host.os_version, "10");
	c->limits = (struct feature_limits){.lockdown = "none",
					    .memlock = 65536,
					    .perf_event_paranoid = 3,
					    .unprivileged_bpf_disabled = 1,
					    .cap_effective = 0x1fffeffffffULL,
					    .cpus_possible = 8,
					    .cpus_online = 4};
	c->proc = c->proc_cgroups = true;
	set(c->report.identity.build_id, "00112233445566778899aabbccddeeff00112233");
	set(c->report.identity.arch, "x86_64");
	set(c->report.identity.release, c->host.release);
	set(c->report.identity.version, "#1 SMP Debian");
	ask_all(&c->report.features, FEATURE_YES, 0);
	c->report.features.of[FEATURE_RAW_TP_PREEMPTED].answer = FEATURE_NO; /* the one that is bad */
	return c;
}

/* variant was picked, and all that it can have came with the records, and was right. */
static struct capability *picked(const char *variant)
{
	struct capability *c = host();
	const struct variant *v = variant_of(variant);

	c->report.picked = v;
	c->report.offsets_source = v->access == ACCESS_CORE ? OFFSETS_BTF :
				   v->access == ACCESS_MAP  ? OFFSETS_DB :
							      OFFSETS_NONE;
	if (v->access == ACCESS_MAP)
		c->report.provenance = (struct offsets_provenance){.matched_by = "build_id",
								   .distro = "debian",
								   .source = "http://mirror/x",
								   .package = "linux-image",
								   .built_at = "2026-11-25"};
	set(c->report.hook, "raw tracepoint sched_process_exec");
	c->report.clock_boot = true;
	c->report.buffer_bytes = 1 << 20;
	c->report.buffers = v->transport == TRANSPORT_PERFBUF ? 4 : 1;
	c->report.proof = (struct proof){.ran = true,
					 .took_ns = 43600000,
					 .children = 8,
					 .records = 7,
					 .present = ALL_FACTS,
					 .verified = ALL_FACTS & ~alike,
					 .right = alike};
	c->counters = (struct counters){.attempted = 6, .received = 6, .suppressed = 6};
	for (size_t i = 0; &variants[i] != v; i++)
		add_reason(c, variants[i].name,
			   variants[i].access == ACCESS_CORE ? LOADER_MISSING_BTF :
							       LOADER_NO_OFFSETS,
			   variants[i].access == ACCESS_CORE ? "no BTF: so: do" : "no row: so: do");
	return c;
}

/* What BPF can know without offsets. */
static const uint64_t bare = FACT_BIT(FACT_COMM) | FACT_BIT(FACT_ARGV) | FACT_BIT(FACT_ARGC) |
			     FACT_BIT(FACT_CGROUP_ID) | FACT_BIT(FACT_ID + ID_UID) |
			     FACT_BIT(FACT_ID + ID_GID) | FACT_BIT(FACT_SECTION + SECTION_ARGV) |
			     FACT_BIT(FACT_SECTION + SECTION_FILENAME) | FACT_BIT(PROOF_TIME) |
			     FACT_BIT(PROOF_PID) | FACT_BIT(PROOF_UID);

static struct capability *picked_none(void)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.none");

	c->report.proof.present = c->report.proof.verified = bare;
	return c;
}

static struct capability *refused(void)
{
	struct capability *c = host();

	c->error = LOADER_NOT_PERMITTED;
	add_reason(c, NULL, LOADER_NOT_PERMITTED, "cannot load: CAP_BPF is missing: run as root");
	ask_all(&c->report.features, FEATURE_UNKNOWN, EPERM);
	return c;
}

/* ------------------------------------------------------------------- the reading */

static void keep(const struct text *json)
{
	const char *directory = getenv("CAPABILITY_DOCUMENTS");
	static int number;
	char path[256];
	FILE *f;

	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/%03d.json", directory, number++);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(json->data, 1, json->len, f), json->len);
	assert_int_equal(fputc('\n', f), '\n');
	assert_int_equal(fclose(f), 0);
}

static struct json_object *document_of(const struct capability *c)
{
	struct json_object *document;
	struct text json = {0};

	assert_int_equal(capability_write(c, false, &json), 0);
	assert_one_clean_line(&json);
	keep(&json);
	document = json_event(&json);
	text_free(&json);
	return document;
}

static const char *string_at(struct json_object *object, const char *path)
{
	struct json_object *value = json_at(object, path);

	return value ? json_object_get_string(value) : "";
}

/* The entry of a list whose member key is name. */
static struct json_object *entry(struct json_object *document, const char *list, const char *key,
				 const char *name)
{
	struct json_object *all = json_at(document, list);

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		if (!strcmp(string_at(one, key), name))
			return one;
	}
	fail_msg("%s has no %s", list, name);
	return NULL;
}

static struct capability_field field_of(const struct capability *c, const char *name)
{
	struct capability_field field;

	for (size_t i = 0; capability_field(c, i, &field); i++)
		if (!strcmp(field.name, name))
			return field;
	fail_msg("no field %s", name);
	return field;
}

static size_t count_fields(const struct capability *c, enum field_state state)
{
	struct capability_field field;
	size_t n = 0;

	for (size_t i = 0; capability_field(c, i, &field); i++)
		n += field.state == state;
	return n;
}

static void assert_absent(const struct capability *c, const char *name, const char *why)
{
	struct capability_field field = field_of(c, name);

	assert_int_equal(field.state, FIELD_ABSENT);
	assert_false(field.from_proc);
	assert_string_equal(field.why, why);
}

static void assert_comes(const struct capability *c, const char *name, bool from_proc)
{
	struct capability_field field = field_of(c, name);

	if ((from_proc && field.state != FIELD_UNVERIFIED) || field.state == FIELD_ABSENT ||
	    field.withheld || field.from_proc != from_proc || (from_proc && field.why))
		fail_msg("%s: state %d, from_proc %d, %s", name, (int)field.state, field.from_proc,
			 field.why ? field.why : "no why");
}

static void assert_verified(const struct capability *c, const char *name)
{
	struct capability_field field = field_of(c, name);

	if (field.state != FIELD_VERIFIED || field.why || field.withheld || field.from_proc)
		fail_msg("%s: state %d, %s", name, (int)field.state,
			 field.why ? field.why : "no why");
}

static void assert_unverified(const struct capability *c, const char *name, const char *why)
{
	struct capability_field field = field_of(c, name);

	assert_int_equal(field.state, FIELD_UNVERIFIED);
	assert_false(field.withheld);
	assert_string_equal(field.why, why);
}

static void assert_readiness(const struct capability *c, enum readiness want, size_t reasons)
{
	struct text text = {0};
	size_t n = 0;

	assert_int_equal(capability_readiness(c, &text), want);
	for (size_t i = 0; i < text.len; i++)
		n += !text.data[i];
	assert_int_equal(n, reasons);
	text_free(&text);
}

static bool has_reason(const struct capability *c, const char *part)
{
	struct text reasons = {0};
	bool found;

	capability_readiness(c, &reasons);
	found = reasons.len && memmem(reasons.data, reasons.len, part, strlen(part));
	text_free(&reasons);
	return found;
}

static void assert_table_has(const struct capability *c, const char *want)
{
	struct text table = {0}, squeezed = {0};

	probe_table(c, 96, false, &table);
	for (size_t i = 0; i < table.len; i++)
		if ((table.data[i] != ' ' && table.data[i] != '\n') ||
		    (squeezed.len && squeezed.data[squeezed.len - 1] != ' '))
			text_char(&squeezed, table.data[i] == '\n' ? ' ' : table.data[i]);
	text_char(&squeezed, 0);
	if (!strstr(squeezed.data, want))
		fail_msg("not in the table: %s: %s", want, squeezed.data);
	text_free(&table);
	text_free(&squeezed);
}

/* ----------------------------------------------------------------------- tests */

static void the_best_variant_is_ready(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct json_object *document = document_of(c);

	(void)state;
	assert_string_equal(string_at(document, "capabilities_version"), "1");
	assert_string_equal(string_at(document, "sensor.version"), CORMORANT_VERSION);
	assert_string_equal(string_at(document, "host.hostname"), "host-1");
	assert_string_equal(string_at(document, "host.os.version"), "10");
	assert_string_equal(string_at(document, "kernel.build_id"), c->report.identity.build_id);
	assert_string_equal(string_at(document, "readiness.state"), "ready");
	assert_string_equal(string_at(document, "offsets.source"), "btf");
	assert_null(json_at(document, "offsets.matched_by"));
	assert_string_equal(string_at(document, "buffer.kind"), "ringbuf");
	assert_string_equal(string_at(document, "clock"), "boot");
	assert_string_equal(string_at(document, "hook"), c->report.hook);
	assert_string_equal(string_at(document, "counters.suppressed"), "6");
	assert_readiness(c, READINESS_READY, 0);
	/* What comes later is all that is missing. */
	assert_int_equal(count_fields(c, FIELD_ABSENT), LATER_FIELDS);
	assert_int_equal(count_fields(c, FIELD_UNVERIFIED), DERIVED_FIELDS + ALIKE_FIELDS);
	assert_true(count_fields(c, FIELD_VERIFIED) > 50);
	json_object_put(document);
	free(c);
}

static void every_variant_says_what_became_of_it(void **state)
{
	struct capability *c = picked("exec.tp.perfbuf.core");
	struct json_object *document, *one;

	(void)state;
	c->report.count = 0;
	add_reason(c, "exec.raw_tp.ringbuf.core", LOADER_VERIFIER_REJECTED, "the verifier: so: do");
	add_reason(c, "exec.raw_tp.perfbuf.core", LOADER_ATTACH_FAILED, "it is held: so: do");
	c->force.transport = "perfbuf";
	document = document_of(c);
	assert_int_equal(json_object_array_length(json_at(document, "variants")), variant_count);
	one = entry(document, "variants", "name", "exec.raw_tp.ringbuf.core");
	assert_string_equal(string_at(one, "state"), "failed");
	assert_string_equal(string_at(one, "error"), "VerifierRejected");
	assert_string_equal(string_at(one, "reason"), "the verifier: so: do");
	one = entry(document, "variants", "name", "exec.tp.perfbuf.core");
	assert_string_equal(string_at(one, "state"), "picked");
	assert_null(json_at(one, "reason"));
	one = entry(document, "variants", "name", "exec.tp.ringbuf.core");
	assert_string_equal(string_at(one, "state"), "not_asked_for");
	one = entry(document, "variants", "name", "exec.raw_tp.perfbuf.none");
	assert_string_equal(string_at(one, "state"), "not_tried");
	assert_null(json_at(one, "error"));
	assert_true(*string_at(one, "reason"));
	json_object_put(document);
	free(c);
}

static void without_offsets_most_comes_from_proc(void **state)
{
	struct capability *c = picked_none();

	(void)state;
	json_object_put(document_of(c));
	/* The sentence, why not core, and why not map; not each of the twelve. */
	assert_readiness(c, READINESS_DEGRADED, 3);
	assert_true(has_reason(c, "MissingBtf: no BTF"));
	assert_true(has_reason(c, "NoOffsets: no row"));
	assert_comes(c, "process.pid", false);
	assert_comes(c, "process.name", false);
	assert_comes(c, "process.xattributes.argv", false);
	assert_comes(c, "process.xattributes.cgroup.id", false);
	assert_comes(c, "process.group.uid", false);
	assert_comes(c, "process.parent_process.pid", true);
	assert_comes(c, "process.file.path", true);
	assert_comes(c, "process.xattributes.ns.mnt", true);
	assert_comes(c, "process.container.uid", true);
	assert_absent(c, "process.uid", "access none knows no struct offsets");
	assert_absent(c, "process.created_time", "access none knows no struct offsets");
	assert_absent(c, "process.file.xattributes.fs", "access none knows no struct offsets");
	assert_absent(c, "process.parent_process.uid", "access none knows no struct offsets");
	free(c);
}

static void nothing_comes_from_a_proc_that_is_not_the_hosts(void **state)
{
	struct capability *c = picked_none();

	(void)state;
	c->proc_cgroups = false;
	assert_absent(c, "process.xattributes.cgroup.path", "access none knows no struct offsets");
	assert_comes(c, "process.container.uid", true);
	c->proc = false;
	json_object_put(document_of(c));
	assert_absent(c, "process.file.path", "access none knows no struct offsets");
	assert_absent(c, "process.parent_process.pid", "access none knows no struct offsets");
	assert_comes(c, "process.xattributes.argv", false);
	free(c);
}

/* The sensor tells the process in /proc by its arguments. */
static void nothing_comes_from_proc_without_argv(void **state)
{
	struct capability *c = picked_none();

	(void)state;
	c->report.proof.present &= ~FACT_BIT(FACT_SECTION + SECTION_ARGV);
	json_object_put(document_of(c));
	assert_absent(c, "process.file.path", "access none knows no struct offsets");
	assert_true(has_reason(c, "process.xattributes.argv is absent"));
	assert_true(has_reason(c, "process.parent_process.pid is absent"));
	free(c);
}

static void records_in_parts_are_degraded(void **state)
{
	struct capability *c = picked("exec.kprobe.perfbuf.map");
	struct json_object *document;

	(void)state;
	c->report.parts = true;
	c->report.proof.present &=
		~(FACT_BIT(FACT_SECTION + SECTION_EXE) | FACT_BIT(FACT_SECTION + SECTION_CWD) |
		  FACT_BIT(FACT_SECTION + SECTION_CGROUP) |
		  FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1));
	document = document_of(c);
	assert_readiness(c, READINESS_DEGRADED, 1);
	assert_true(json_object_get_boolean(json_at(document, "buffer.parts")));
	assert_null(json_at(document, "limits.path_bytes_max"));
	assert_string_equal(string_at(document, "limits.exec_filename_bytes_max"), "256");
	assert_comes(c, "process.file.path", true);
	assert_comes(c, "process.file.size", false);
	c->proc = false;
	assert_absent(c, "process.file.path", "records in parts have no paths");
	json_object_put(document);
	free(c);
}

static void an_exec_that_was_not_seen_is_said(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");

	(void)state;
	c->report.proof = (struct proof){.why = "no record came: so"};
	json_object_put(document_of(c));
	assert_readiness(c, READINESS_DEGRADED, 1);
	assert_true(has_reason(c, "nothing could be verified: no record came: so"));
	assert_comes(c, "process.uid", false);
	assert_comes(c, "process.session.terminal", false);
	assert_int_equal(count_fields(c, FIELD_ABSENT), LATER_FIELDS);
	assert_int_equal(count_fields(c, FIELD_VERIFIED), 0);
	free(c);
	c = picked_none();
	c->report.proof = (struct proof){.why = "no record came: so"};
	json_object_put(document_of(c));
	assert_readiness(c, READINESS_DEGRADED, 4);
	assert_comes(c, "process.xattributes.argv", false);
	assert_comes(c, "process.file.path", true);
	assert_absent(c, "process.uid", "access none knows no struct offsets");
	free(c);
}

static void a_host_that_refuses_is_unable(void **state)
{
	struct capability *c = refused();
	struct json_object *document = document_of(c), *one;

	(void)state;
	assert_string_equal(string_at(document, "readiness.state"), "unable");
	assert_readiness(c, READINESS_UNABLE, 1);
	assert_true(has_reason(c, "NotPermitted: cannot load: CAP_BPF is missing: run as root"));
	assert_null(json_at(document, "hook"));
	assert_null(json_at(document, "buffer"));
	assert_null(json_at(document, "clock"));
	assert_string_equal(string_at(document, "offsets.source"), "none");
	one = entry(document, "variants", "name", "exec.raw_tp.ringbuf.core");
	assert_string_equal(string_at(one, "state"), "not_tried");
	assert_absent(c, "process.pid", "no variant could be loaded");
	assert_int_equal(count_fields(c, FIELD_UNVERIFIED), 0);
	assert_string_equal(string_at(document, "features.map_ringbuf.errno"), "EPERM");
	assert_table_has(c, "fields none: no variant could be loaded");
	json_object_put(document);
	free(c);
}

static void each_kind_of_error_is_a_reason_once(void **state)
{
	struct capability *c = host();
	struct json_object *document;

	(void)state;
	c->error = LOADER_MISSING_BTF;
	for (size_t i = 0; i < variant_count; i++)
		add_reason(c, variants[i].name,
			   (enum loader_error)(LOADER_KERNEL_TOO_OLD + i % LOADER_FAILED), "no");
	document = document_of(c);
	assert_readiness(c, READINESS_UNABLE, LOADER_FAILED);
	assert_string_equal(
		string_at(entry(document, "variants", "name", "exec.kprobe.perfbuf.none"), "state"),
		"failed");
	json_object_put(document);
	free(c);
}

static void a_start_without_memory_has_a_reason(void **state)
{
	struct capability *c = calloc(1, sizeof(*c));

	(void)state;
	assert_non_null(c);
	c->error = LOADER_FAILED;
	assert_readiness(c, READINESS_UNABLE, 1);
	assert_true(has_reason(c, "Failed: "));
	free(c);
}

static void a_row_found_by_release_is_degraded(void **state)
{
	struct capability *c = picked("exec.raw_tp.perfbuf.map");
	struct json_object *document = document_of(c);

	(void)state;
	assert_readiness(c, READINESS_READY, 0);
	assert_string_equal(string_at(document, "offsets.source"), "db");
	assert_string_equal(string_at(document, "offsets.matched_by"), "build_id");
	assert_string_equal(string_at(document, "offsets.provenance.package"), "linux-image");
	assert_null(json_at(document, "offsets.provenance.package_sha256"));
	assert_null(json_at(document, "offsets.provenance.source_verified"));
	assert_null(json_at(document, "offsets.provenance.not_looked_for"));
	json_object_put(document);
	set(c->report.provenance.package_sha256, "aa");
	set(c->report.provenance.not_looked_for, "cred.uid");
	c->report.provenance.source_verified = true;
	document = document_of(c);
	assert_string_equal(string_at(document, "offsets.provenance.package_sha256"), "aa");
	assert_string_equal(string_at(document, "offsets.provenance.not_looked_for"), "cred.uid");
	assert_true(json_object_get_boolean(json_at(document, "offsets.provenance.source_verified")));
	json_object_put(document);
	set(c->report.provenance.matched_by, "version");
	assert_readiness(c, READINESS_READY, 0);
	set(c->report.provenance.matched_by, "release");
	json_object_put(document_of(c));
	assert_readiness(c, READINESS_DEGRADED, 1);
	/* Offsets for the map that were made of BTF have no row. */
	c->report.offsets_source = OFFSETS_BTF;
	assert_readiness(c, READINESS_READY, 0);
	free(c);
}

static void whose_word_a_row_is_can_be_seen(void **state)
{
	struct capability *c = picked("exec.raw_tp.perfbuf.map");
	struct json_object *document = document_of(c);

	(void)state;
	assert_string_equal(string_at(document, "offsets.signature"), "not checked");
	assert_null(json_at(document, "offsets.signed_by"));
	assert_null(json_at(document, "offsets.fetched"));
	json_object_put(document);
	set(c->report.provenance.signed_by, "5E000344C464AC05");
	document = document_of(c);
	assert_string_equal(string_at(document, "offsets.signature"), "verified");
	assert_string_equal(string_at(document, "offsets.signed_by"), "5E000344C464AC05");
	json_object_put(document);
	c->report.offsets_source = OFFSETS_URL;
	set(c->report.offsets_passed_over, "there is none");
	set(c->report.offsets_note, "no answer in time");
	set(c->report.provenance.fetched, "kept");
	set(c->report.provenance.fetched_at, "2026-11-25T00:00:00Z");
	document = document_of(c);
	assert_string_equal(string_at(document, "offsets.source"), "url");
	assert_string_equal(string_at(document, "offsets.passed_over"), "there is none");
	assert_string_equal(string_at(document, "offsets.fetched.state"), "kept");
	assert_string_equal(string_at(document, "offsets.fetched.at"), "2026-11-25T00:00:00Z");
	assert_string_equal(string_at(document, "offsets.fetched.note"), "no answer in time");
	json_object_put(document);
	assert_readiness(c, READINESS_READY, 0);
	free(c);
}

static void an_absent_field_says_why(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	const char *generic = "the kernel does not have it, or it could not be read";

	(void)state;
	c->report.proof.present &= ~(FACT_BIT(FACT_NS + NS_TIME) | FACT_BIT(FACT_TTY) |
				     FACT_BIT(FACT_NS + NS_CGROUP) | FACT_BIT(FACT_LOGIN_UID));
	c->report.proof.verified &= c->report.proof.present;
	c->report.proof.none = FACT_BIT(FACT_TTY);
	set(c->report.proof.findings[FACT_TTY].why, "none of the execs had one");
	c->namespaces_missing = 1U << NS_TIME;
	c->report.proof.truncated =
		FACT_BIT(FACT_SECTION + SECTION_EXE) | FACT_BIT(FACT_SECTION + SECTION_ARGV);
	c->host.boot_id[0] = 0;
	json_object_put(document_of(c));
	assert_absent(c, "process.xattributes.ns.time", "this kernel has no time namespaces");
	assert_absent(c, "process.xattributes.ns.cgroup", generic);
	assert_absent(c, "process.auid", generic);
	assert_unverified(c, "process.session.terminal", "none of the execs had one");
	assert_absent(c, "process.uid", "the boot id is not known");
	assert_absent(c, "process.file.path",
		      "the paths of the execs that were looked at are too long, or end at no root");
	assert_comes(c, "process.file.name", false);
	assert_comes(c, "process.xattributes.cwd", false);
	assert_comes(c, "process.xattributes.argv", false);
	/* What /proc itself does not have, it can't fill. */
	free(c);
	c = picked_none();
	c->namespaces_missing = 1U << NS_TIME;
	assert_absent(c, "process.xattributes.ns.time", "this kernel has no time namespaces");
	free(c);
}

/* A fact that comes to the record without coming to the advertisement is found here. */
static void every_fact_of_the_record_has_a_field(void **state)
{
	/* The key of the parent's cache, the container's second source, and what is in the header. */
	const uint64_t inner = FACT_BIT(FACT_EXEC_ID) | FACT_BIT(FACT_PARENT_STACK) |
			       FACT_BIT(FACT_ARGC) | FACT_BIT(FACT_ID + ID_UID) |
			       FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1);
	struct capability *c = picked("exec.raw_tp.ringbuf.core");

	(void)state;
	c->proc = false;
	for (int fact = 0; fact < PROOF_COUNT; fact++) {
		c->report.proof.present = ALL_FACTS & ~FACT_BIT(fact);
		if ((count_fields(c, FIELD_ABSENT) > LATER_FIELDS) == !!(inner & FACT_BIT(fact)))
			fail_msg("fact %d", fact);
	}
	c->report.proof.present &= ~(FACT_BIT(FACT_SECTION + SECTION_CGROUP) |
				     FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1));
	assert_int_equal(field_of(c, "process.container.uid").state, FIELD_ABSENT);
	free(c);
}

/* ------------------------------------------------------------------------- proof */

static void a_wrong_field_is_withheld_and_named(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct proof *proof = &c->report.proof;
	struct json_object *document, *one;

	(void)state;
	proof->wrong = proof->withheld = FACT_BIT(FACT_SIZE) | FACT_BIT(FACT_INODE);
	proof->verified &= ~proof->wrong;
	for (int i = 0; i < 2; i++) {
		struct proof_finding *finding = &proof->findings[i ? FACT_SIZE : FACT_INODE];

		set(finding->why, "it disagrees with the truth");
		set(finding->expected, i ? "206" : "17");
		set(finding->seen, i ? "\xff" : "18");
	}
	document = document_of(c);
	assert_readiness(c, READINESS_DEGRADED, 1);
	assert_true(
		has_reason(c, "withheld: the inode of process.file.uid, process.file.size: wrong"));
	one = entry(document, "fields", "field", "process.file.size");
	assert_string_equal(string_at(one, "state"), "absent");
	assert_true(json_object_get_boolean(json_at(one, "withheld")));
	assert_string_equal(string_at(one, "why"), "it disagrees with the truth");
	assert_string_equal(string_at(one, "expected"), "206");
	one = entry(document, "fields", "field", "process.file.uid");
	assert_string_equal(string_at(one, "seen"), "18");
	assert_verified(c, "process.file.attributes");
	assert_table_has(c,
			 "withheld process.file.uid: it disagrees with the truth: it should be 17 "
			 "and is 18");
	json_object_put(document);
	free(c);
}

static void what_a_row_does_not_prove_is_withheld(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.map");
	struct proof *proof = &c->report.proof;
	struct capability_field field;

	(void)state;
	proof->withheld = FACT_BIT(FACT_LOGIN_UID) | FACT_BIT(FACT_TTY);
	proof->right = FACT_BIT(FACT_LOGIN_UID);
	proof->verified &= ~proof->withheld;
	proof->present &= ~FACT_BIT(FACT_TTY);
	set(proof->findings[FACT_LOGIN_UID].why, "it can't be told from process.session.uid");
	json_object_put(document_of(c));
	field = field_of(c, "process.auid");
	assert_int_equal(field.state, FIELD_ABSENT);
	assert_true(field.withheld);
	assert_null(field.expected);
	assert_string_equal(field.why, "it can't be told from process.session.uid");
	/* What the records do not have is not withheld from anybody. */
	assert_false(field_of(c, "process.session.terminal").withheld);
	assert_readiness(c, READINESS_DEGRADED, 1);
	assert_true(
		has_reason(c, "withheld: process.auid: the row of offsets could not be proven"));
	free(c);
}

/* Where the executable's path is withheld, /proc is asked for all that is. */
static void what_is_withheld_may_come_from_proc(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.map");

	(void)state;
	c->report.proof.withheld = FACT_BIT(FACT_SECTION + SECTION_EXE) | FACT_BIT(FACT_SIZE);
	json_object_put(document_of(c));
	assert_comes(c, "process.file.path", true);
	assert_comes(c, "process.file.size", true);
	assert_verified(c, "process.xattributes.cwd");
	c->proc = false;
	assert_true(field_of(c, "process.file.size").withheld);
	free(c);
}

static void what_can_be_mistaken_is_unverified(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");

	(void)state;
	c->report.proof.right |= FACT_BIT(FACT_START);
	c->report.proof.verified &= ~c->report.proof.right;
	set(c->report.proof.findings[FACT_ID + ID_SUID].why, "it can't be told from process.euid");
	set(c->report.proof.findings[FACT_START].why, "it can't be told from another clock");
	json_object_put(document_of(c));
	assert_readiness(c, READINESS_READY, 0);
	assert_unverified(c, "process.xattributes.suid", "it can't be told from process.euid");
	assert_unverified(c, "process.uid", "it can't be told from another clock");
	assert_verified(c, "process.euid");
	assert_table_has(c, "unverified it can't be told from another clock: process.uid, "
			    "process.created_time");
	free(c);
}

static void a_row_that_differs_from_btf_is_said(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct json_object *document;

	(void)state;
	c->report.comparison.done = true;
	set(c->report.comparison.provenance.matched_by, "version");
	set(c->report.comparison.provenance.package, "linux-image");
	document = document_of(c);
	assert_string_equal(string_at(document, "offsets.row.differences"), "0");
	assert_string_equal(string_at(document, "offsets.row.matched_by"), "version");
	assert_null(json_at(document, "offsets.row.first"));
	assert_table_has(c, "the kernel's BTF; the database's row says the same");
	json_object_put(document);
	c->report.comparison.differences = 1;
	set(c->report.comparison.first, "cred.uid: BTF 8, row 16");
	document = document_of(c);
	assert_string_equal(string_at(document, "offsets.row.first"), "cred.uid: BTF 8, row 16");
	assert_table_has(c, "differs in 1 numbers: cred.uid: BTF 8, row 16");
	json_object_put(document);
	free(c);
}

static void a_tracepoint_that_sees_long_names_is_ready(void **state)
{
	struct capability *c = picked("exec.tp.ringbuf.core");

	(void)state;
	assert_readiness(c, READINESS_DEGRADED, 1);
	c->report.proof.long_name = true;
	assert_readiness(c, READINESS_READY, 0);
	free(c);
}

static void a_raw_tracepoint_that_is_preempted_ranks_below_and_is_degraded(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core"), *other;
	struct json_object *document;

	(void)state;
	assert_readiness(c, READINESS_READY, 0);
	c->report.features.of[FEATURE_RAW_TP_PREEMPTED].answer = FEATURE_YES;
	assert_readiness(c, READINESS_DEGRADED, 1);
	assert_true(has_reason(c, "attached to a raw tracepoint: this kernel preempts its "));
	free(c);
	other = picked("exec.kprobe.ringbuf.core");
	other->report.count = 0;
	other->report.features.of[FEATURE_RAW_TP_PREEMPTED].answer = FEATURE_YES;
	other->report.raw_tp_last[ACCESS_CORE] = true;
	assert_readiness(other, READINESS_READY, 0);
	document = document_of(other);
	assert_non_null(strstr(string_at(entry(document, "variants", "name",
					       "exec.raw_tp.ringbuf.core"),
					 "reason"),
			       "preempts a raw tracepoint's program"));
	assert_string_equal(
		string_at(entry(document, "variants", "name", "exec.tp.ringbuf.core"), "reason"),
		"it ranks below the picked one");
	assert_string_equal(string_at(json_object_array_get_idx(json_at(document, "variants"), 0),
				      "name"),
			    "exec.kprobe.ringbuf.core");
	json_object_put(document);
	free(other);
}

static void the_selftest_says_what_was_proven(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct json_object *document;
	struct text json = {0}, table = {0};

	(void)state;
	assert_int_equal(capability_write_selftest(c, false, &json), 0);
	assert_one_clean_line(&json);
	document = json_event(&json);
	assert_string_equal(string_at(document, "variant"), "exec.raw_tp.ringbuf.core");
	assert_string_equal(string_at(document, "proof.duration_ms"), "44");
	assert_string_equal(string_at(document, "proof.execs"), "8");
	assert_string_equal(string_at(document, "proof.compared"), "7");
	assert_string_equal(string_at(entry(document, "fields", "field", "process.pid"), "state"),
			    "verified");
	selftest_table(c, 96, false, &table);
	assert_non_null(memmem(table.data, table.len, "7 of 8 execs compared, 44 ms", 28));
	json_object_put(document);
	text_free(&json);
	text_free(&table);
	free(c);
}

static void no_field_is_there_twice(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct capability_field a, b;

	(void)state;
	for (size_t i = 0; capability_field(c, i, &a); i++)
		for (size_t k = i + 1; capability_field(c, k, &b); k++)
			assert_string_not_equal(a.name, b.name);
	assert_false(capability_field(c, 1000, &a));
	free(c);
}

static void what_is_not_known_is_left_out(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct json_object *document;

	(void)state;
	c->host = (struct host){.release = "5.10", .os_name = "Linux"};
	c->report.identity = (struct kernel_identity){0};
	c->limits = (struct feature_limits){
		.memlock = -1, .perf_event_paranoid = -100, .unprivileged_bpf_disabled = -1};
	memset(&c->report.features, 0, sizeof(c->report.features));
	c->report.features.of[FEATURE_BTF] =
		(struct feature){.asked = true, .answer = FEATURE_NO, .error = 524};
	c->report.features.of[FEATURE_LOOP] = (struct feature){.asked = true};
	document = document_of(c);
	assert_null(json_at(document, "host.machine_id"));
	assert_null(json_at(document, "host.hostname"));
	assert_null(json_at(document, "kernel.build_id"));
	assert_null(json_at(document, "limits.lockdown"));
	assert_null(json_at(document, "limits.perf_event_paranoid"));
	assert_null(json_at(document, "limits.unprivileged_bpf_disabled"));
	assert_null(json_at(document, "limits.cpus_online"));
	assert_string_equal(string_at(document, "limits.memlock_bytes"), "unlimited");
	assert_string_equal(string_at(document, "limits.cap_effective"), "0000000000000000");
	assert_null(json_at(document, "features.map_array"));
	assert_string_equal(string_at(document, "features.btf.errno"), "524");
	assert_null(json_at(document, "features.loop.errno"));
	assert_string_equal(string_at(document, "features.loop.answer"), "unknown");
	json_object_put(document);
	free(c);
}

/* ------------------------------------------------------------------ hostile bytes */

static const char odd[] = "a\x1b[31m\"\\/\xff\xc3\xe2\x80\xa8\x7f\xc2\x9b'\n\xf0\x9f\x90\xa6";

static struct capability *odd_everywhere(bool runs)
{
	struct capability *c = runs ? picked("exec.raw_tp.perfbuf.map") : host();

	set(c->host.hostname, odd);
	set(c->host.os_name, odd);
	set(c->host.os_version, odd);
	set(c->host.boot_id, odd);
	set(c->host.release, odd);
	set(c->report.identity.version, odd);
	set(c->report.identity.arch, "\xff\xfe");
	set(c->report.hook, odd);
	set(c->report.provenance.distro, odd);
	set(c->report.provenance.package, odd);
	set(c->report.features.of[FEATURE_BTF].detail, odd);
	c->report.features.of[FEATURE_BTF].answer = FEATURE_NO;
	c->report.count = 0;
	for (size_t i = 0; i < variant_count && &variants[i] != c->report.picked; i++)
		add_reason(c, variants[i].name, LOADER_VERIFIER_REJECTED, odd);
	c->error = runs ? LOADER_OK : LOADER_VERIFIER_REJECTED;
	return c;
}

static void whatever_bytes_there_are_the_document_is_clean(void **state)
{
	struct capability *c = odd_everywhere(true);
	struct json_object *document = document_of(c);

	(void)state;
	assert_json_text(json_at(document, "host.hostname"), slice_of(odd));
	assert_json_text(json_at(document, "host.os.name"), slice_of(odd));
	assert_json_text(json_at(document, "kernel.version"), slice_of(odd));
	assert_json_text(json_at(document, "features.btf.detail"), slice_of(odd));
	assert_json_text(json_at(document, "offsets.provenance.package"), slice_of(odd));
	assert_json_text(
		json_at(entry(document, "variants", "name", "exec.raw_tp.ringbuf.core"), "reason"),
		slice_of(odd));
	json_object_put(document);
	free(c);
	c = odd_everywhere(false);
	json_object_put(document_of(c));
	assert_true(has_reason(c, odd));
	free(c);
}

static void laid_out_it_is_the_same_document(void **state)
{
	struct capability *c = odd_everywhere(true);
	struct text pretty = {0};
	struct json_object *a = document_of(c), *b;

	(void)state;
	assert_int_equal(capability_write(c, true, &pretty), 0);
	for (size_t i = 0; i < pretty.len; i++)
		assert_true((unsigned char)pretty.data[i] >= ' ' || pretty.data[i] == '\n');
	keep(&pretty);
	b = json_event(&pretty);
	assert_true(json_object_equal(a, b));
	json_object_put(a);
	json_object_put(b);
	text_free(&pretty);
	free(c);
}

static void the_longest_reasons_fit(void **state)
{
	struct capability *c = host();
	struct json_object *document;
	char text[LOADER_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	c->error = LOADER_ATTACH_FAILED;
	for (size_t i = 0; i < variant_count; i++)
		add_reason(c, variants[i].name, LOADER_ATTACH_FAILED, text);
	document = document_of(c);
	assert_string_equal(
		string_at(entry(document, "variants", "name", "exec.kprobe.perfbuf.none"),
			  "reason"),
		text);
	json_object_put(document);
	free(c);
}

/* -------------------------------------------------------------------------- OCSF */

static struct json_object *event_of(const struct capability *c)
{
	struct json_object *event;
	struct text json = {0};

	assert_int_equal(capability_write_ocsf(c, false, &json), 0);
	assert_one_clean_line(&json);
	keep(&json);
	event = json_event(&json);
	text_free(&json);
	return event;
}

static void the_event_carries_the_document(void **state)
{
	struct capability *c = picked("exec.raw_tp.ringbuf.core");
	struct json_object *document = document_of(c), *event = event_of(c);

	(void)state;
	assert_true(json_object_equal(document, json_at(event, "unmapped.capabilities")));
	assert_string_equal(string_at(event, "type_uid"), "500101");
	assert_string_equal(string_at(event, "metadata.log_name"), "exec.raw_tp.ringbuf.core");
	assert_string_equal(string_at(event, "metadata.event_code"), "capabilities");
	assert_string_equal(string_at(event, "metadata.product.version"), CORMORANT_VERSION);
	assert_int_equal(strlen(string_at(event, "metadata.uid")), 36);
	assert_null(json_at(event, "metadata.sequence"));
	assert_string_equal(string_at(event, "device.hostname"), "host-1");
	assert_string_equal(string_at(event, "device.os.build"), c->host.release);
	assert_string_equal(string_at(event, "status_id"), "1");
	assert_null(json_at(event, "status_code"));
	assert_null(json_at(event, "process"));
	json_object_put(document);
	json_object_put(event);
	free(c);
}

static void an_unable_hosts_event_is_a_failure(void **state)
{
	struct capability *c = refused();
	struct json_object *event = event_of(c);

	(void)state;
	assert_string_equal(string_at(event, "status_id"), "2");
	assert_string_equal(string_at(event, "status_code"), "NotPermitted");
	assert_string_equal(string_at(event, "status_detail"),
			    "NotPermitted: cannot load: CAP_BPF is missing: run as root");
	assert_null(json_at(event, "metadata.log_name"));
	json_object_put(event);
	free(c);
	c = odd_everywhere(false);
	json_object_put(event_of(c));
	free(c);
}

/* ------------------------------------------------------------------------- table */

static size_t characters(const char *line, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (line[i] & 0xc0) != 0x80;
	return count;
}

static void assert_table(const struct capability *c, size_t width, bool colour)
{
	struct text table = {0};
	const char *line, *end;

	probe_table(c, (int)width, colour, &table);
	assert_false(table.failed);
	assert_true(utf8_valid((struct slice){table.data, table.len}));
	for (size_t i = 0; i < table.len; i++)
		assert_true((unsigned char)table.data[i] >= ' ' || table.data[i] == '\n' ||
			    (colour && table.data[i] == '\x1b'));
	for (line = table.data; (end = memchr(line, '\n', table.data + table.len - line));
	     line = end + 1)
		if (!colour && characters(line, (size_t)(end - line)) > width)
			fail_msg("over %zu: %.*s", width, (int)(end - line), line);
	assert_int_equal(line - table.data, table.len); /* the last line has its end */
	text_free(&table);
}

static void the_table_keeps_to_its_width_and_to_text(void **state)
{
	struct capability *all[] = {
		picked("exec.raw_tp.ringbuf.core"), picked_none(),	  refused(),
		picked("exec.kprobe.perfbuf.map"),  odd_everywhere(true), odd_everywhere(false)};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_table(all[i], 80, false);
		assert_table(all[i], 100, false);
		assert_table(all[i], 96, true);
		free(all[i]);
	}
}

static void the_table_says_what_the_document_says(void **state)
{
	struct capability *c = picked_none();

	(void)state;
	c->report.features.of[FEATURE_BTF] =
		(struct feature){.asked = true, .answer = FEATURE_NO, .error = ENOENT};
	c->report.features.of[FEATURE_LOOP] =
		(struct feature){.asked = true, .error = EPERM, .detail = "lockdown"};
	assert_table_has(c, "readiness degraded");
	assert_table_has(c, "- MissingBtf: no BTF: so: do");
	assert_table_has(c, "no btf (ENOENT)");
	assert_table_has(c, "unknown loop (EPERM: lockdown)");
	assert_table_has(c, "picked exec.raw_tp.ringbuf.none");
	assert_table_has(c, "exec.tp.perfbuf.core: no BTF: so: do [MissingBtf]");
	assert_table_has(c, "untried it ranks below the picked one: exec.raw_tp.perfbuf.none,");
	assert_table_has(c, "absent access none knows no struct offsets: actor.process.uid,");
	free(c);
	c = picked("exec.raw_tp.perfbuf.map");
	assert_table_has(c, "the database's row by build_id");
	assert_table_has(c, "perfbuf, 1024 KiB for each of 4 CPUs");
	free(c);
}

/* Reasons that name their own variant are told once for all of them. */
static void alike_reasons_are_told_together(void **state)
{
	struct capability *c = picked("exec.tp.ringbuf.core");

	(void)state;
	c->report.count = 0;
	add_reason(c, "exec.raw_tp.ringbuf.core", LOADER_KERNEL_TOO_OLD,
		   "cannot use exec.raw_tp.ringbuf.core: no: do");
	add_reason(c, "exec.raw_tp.perfbuf.core", LOADER_KERNEL_TOO_OLD,
		   "cannot use exec.raw_tp.perfbuf.core: no: do");
	assert_table_has(c, "failed exec.raw_tp.ringbuf.core, exec.raw_tp.perfbuf.core: cannot use "
			    "exec.raw_tp.ringbuf.core: no: do [KernelTooOld]");
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_variant_is_ready),
		cmocka_unit_test(every_variant_says_what_became_of_it),
		cmocka_unit_test(without_offsets_most_comes_from_proc),
		cmocka_unit_test(nothing_comes_from_a_proc_that_is_not_the_hosts),
		cmocka_unit_test(nothing_comes_from_proc_without_argv),
		cmocka_unit_test(records_in_parts_are_degraded),
		cmocka_unit_test(an_exec_that_was_not_seen_is_said),
		cmocka_unit_test(a_host_that_refuses_is_unable),
		cmocka_unit_test(each_kind_of_error_is_a_reason_once),
		cmocka_unit_test(a_start_without_memory_has_a_reason),
		cmocka_unit_test(a_row_found_by_release_is_degraded),
		cmocka_unit_test(whose_word_a_row_is_can_be_seen),
		cmocka_unit_test(an_absent_field_says_why),
		cmocka_unit_test(every_fact_of_the_record_has_a_field),
		cmocka_unit_test(a_wrong_field_is_withheld_and_named),
		cmocka_unit_test(what_a_row_does_not_prove_is_withheld),
		cmocka_unit_test(what_is_withheld_may_come_from_proc),
		cmocka_unit_test(what_can_be_mistaken_is_unverified),
		cmocka_unit_test(a_row_that_differs_from_btf_is_said),
		cmocka_unit_test(a_tracepoint_that_sees_long_names_is_ready),
		cmocka_unit_test(
			a_raw_tracepoint_that_is_preempted_ranks_below_and_is_degraded),
		cmocka_unit_test(the_selftest_says_what_was_proven),
		cmocka_unit_test(no_field_is_there_twice),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(whatever_bytes_there_are_the_document_is_clean),
		cmocka_unit_test(laid_out_it_is_the_same_document),
		cmocka_unit_test(the_longest_reasons_fit),
		cmocka_unit_test(the_event_carries_the_document),
		cmocka_unit_test(an_unable_hosts_event_is_a_failure),
		cmocka_unit_test(the_table_keeps_to_its_width_and_to_text),
		cmocka_unit_test(the_table_says_what_the_document_says),
		cmocka_unit_test(alike_reasons_are_told_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
