// SPDX-License-Identifier: Apache-2.0
#include "record.h"

#include <errno.h>

static const uint32_t section_max[SECTION_COUNT] = {
	[SECTION_ARGV] = ARGV_MAX,	     [SECTION_FILENAME] = FILENAME_BYTES_MAX,
	[SECTION_EXE] = PATH_BYTES_MAX,	     [SECTION_CWD] = PATH_BYTES_MAX,
	[SECTION_CGROUP] = CGROUP_BYTES_MAX, [SECTION_CGROUP_V1] = CGROUP_BYTES_MAX,
};

static bool head_valid(const struct process_exec_event *head, size_t size)
{
	return head->kind == RECORD_EXEC && head->version == RECORD_VERSION && head->part == 0 &&
	       head->parts == 1 && head->length >= sizeof(struct exec_record) &&
	       head->length <= RECORD_MAX && head->length <= size && size - head->length < 8;
}

static bool string_valid(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL;
}

uint64_t record_malformed_facts(const struct exec_facts *facts)
{
	uint64_t malformed = 0;

	if (!string_valid(facts->comm, sizeof(facts->comm)))
		malformed |= FACT_BIT(FACT_COMM);
	if (!string_valid(facts->parent_comm, sizeof(facts->parent_comm)))
		malformed |= FACT_BIT(FACT_PARENT_COMM);
	if (!string_valid(facts->tty, sizeof(facts->tty)))
		malformed |= FACT_BIT(FACT_TTY);
	if (!string_valid(facts->fs, sizeof(facts->fs)))
		malformed |= FACT_BIT(FACT_FS);
	if (facts->mtime_nsec >= 1000000000)
		malformed |= FACT_BIT(FACT_MTIME);
	return malformed & facts->present;
}

static bool facts_valid(const struct exec_facts *facts, uint64_t withheld)
{
	return !(facts->present >> FACT_COUNT || facts->flags & ~(uint32_t)EXEC_FLAGS_ALL ||
		 record_malformed_facts(facts) & ~withheld);
}

/* Cuts the record into its sections. They must fill it exactly. */
static bool sections_cut(const struct exec_record *record, struct slice *sections)
{
	const struct exec_facts *facts = &record->facts;
	size_t left = record->event.length - sizeof(*record);
	const char *at = (const char *)record->bytes;

	for (int i = 0; i < SECTION_COUNT; i++) {
		uint32_t len = facts->section_len[i];
		bool present = facts->present & FACT_BIT(FACT_SECTION + i);

		if (len > left || len > section_max[i] || (len && !present))
			return false;
		sections[i] = (struct slice){present ? at : NULL, len};
		/* All but argv are made of strings that the kernel side has terminated. */
		if (i != SECTION_ARGV && len && at[len - 1])
			return false;
		at += len;
		left -= len;
	}
	return left == 0;
}

static void sections_withhold(struct slice *sections, uint64_t withheld)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		if (withheld & FACT_BIT(FACT_SECTION + i))
			sections[i] = (struct slice){0};
}

/* argc as the stack of the new program says it, if it can be. */
static void argc_from_stack(size_t at_least, struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;

	event->argc = facts->argc;
	event->argc_known = exec_knows(event, FACT_ARGC) && facts->argc >= at_least &&
			    (!exec_knows(event, FACT_ARGV) || facts->argc <= facts->argv_bytes);
}

static bool argv_decode(struct slice argv, struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	bool truncated = facts->flags & EXEC_TRUNCATED_BIT(SECTION_ARGV);
	size_t count = 0;

	/* What is carried means nothing without knowing where it begins and ends. */
	if (event->withheld & FACT_BIT(FACT_ARGV))
		argv = (struct slice){0};
	event->argv = argv;
	if (argv.data && (!(facts->present & FACT_BIT(FACT_ARGV)) || argv.len > facts->argv_bytes ||
			  truncated != (argv.len < facts->argv_bytes)))
		return false;
	event->argv_truncated = argv.data && truncated;
	for (size_t i = 0; i < argv.len; i++)
		count += !argv.data[i];
	if (!argv.data || truncated) {
		argc_from_stack(count, event);
		return true;
	}
	/* The whole argv is there: the arguments can be counted. */
	event->argc = (uint32_t)count + (argv.len && argv.data[argv.len - 1]);
	event->argc_known = true;
	return true;
}

static bool filename_decode(struct slice section, struct slice *filename)
{
	*filename = section;
	if (!section.data)
		return true;
	if (!section.len || strlen(section.data) + 1 != section.len)
		return false;
	filename->len--;
	return true;
}

/*
 * Turns components, leaf first, into an absolute path in the decoder's buffer. An
 * empty component is the name of a root and adds nothing.
 */
static struct slice path_turn(struct record_decoder *decoder, struct slice components)
{
	char *end = decoder->paths + decoder->used + components.len + 1, *at = end;
	struct slice rest = components, name;
	struct slice path;

	while (argv_next(&rest, &name)) {
		if (!name.len || (name.len == 1 && name.data[0] == '/'))
			continue;
		at -= name.len;
		memcpy(at, name.data, name.len);
		*--at = '/';
	}
	if (at == end)
		*--at = '/';
	decoder->used += components.len + 1;
	path = (struct slice){at, (size_t)(end - at)};
	return path;
}

static void path_decode(struct record_decoder *decoder, const struct exec_facts *facts,
			const struct slice *sections, enum exec_section section, struct slice *path)
{
	*path = (struct slice){0};
	if (sections[section].data && !(facts->flags & EXEC_TRUNCATED_BIT(section)))
		*path = path_turn(decoder, sections[section]);
}

static struct slice leaf_of(struct slice components)
{
	struct slice name = {0};

	argv_next(&components, &name);
	return name;
}

int record_decode(struct record_decoder *decoder, const void *data, size_t size,
		  struct exec_event *event)
{
	const struct exec_record *record = data;
	const struct exec_facts *facts;
	struct slice sections[SECTION_COUNT];

	if (size < sizeof(*record) || !head_valid(&record->event, size))
		return -EBADMSG;
	facts = &record->facts;
	if (!facts_valid(facts, decoder->withheld) || !sections_cut(record, sections))
		return -EBADMSG;
	sections_withhold(sections, decoder->withheld);
	*event = (struct exec_event){
		.head = record->event, .facts = facts, .withheld = decoder->withheld};
	decoder->used = 0;
	if (!argv_decode(sections[SECTION_ARGV], event) ||
	    !filename_decode(sections[SECTION_FILENAME], &event->filename))
		return -EBADMSG;
	path_decode(decoder, facts, sections, SECTION_EXE, &event->exe);
	event->exe_name = leaf_of(sections[SECTION_EXE]);
	path_decode(decoder, facts, sections, SECTION_CWD, &event->cwd);
	path_decode(decoder, facts, sections, SECTION_CGROUP, &event->cgroup);
	path_decode(decoder, facts, sections, SECTION_CGROUP_V1, &event->cgroup_v1);
	return 0;
}
