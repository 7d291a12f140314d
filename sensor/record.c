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

static bool facts_valid(const struct exec_facts *facts)
{
	if (facts->present >> FACT_COUNT || facts->flags & ~(uint32_t)EXEC_FLAGS_ALL)
		return false;
	if (facts->present & FACT_BIT(FACT_MTIME) && facts->mtime_nsec >= 1000000000)
		return false;
	return (!(facts->present & FACT_BIT(FACT_COMM)) ||
		string_valid(facts->comm, sizeof(facts->comm))) &&
	       (!(facts->present & FACT_BIT(FACT_PARENT_COMM)) ||
		string_valid(facts->parent_comm, sizeof(facts->parent_comm))) &&
	       (!(facts->present & FACT_BIT(FACT_TTY)) ||
		string_valid(facts->tty, sizeof(facts->tty))) &&
	       (!(facts->present & FACT_BIT(FACT_FS)) ||
		string_valid(facts->fs, sizeof(facts->fs)));
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

/* argc as the stack of the new program says it, if it can be. */
static void argc_from_stack(const struct exec_facts *facts, size_t at_least,
			    struct exec_event *event)
{
	event->argc = facts->argc;
	event->argc_known =
		facts->present & FACT_BIT(FACT_ARGC) && facts->argc >= at_least &&
		(!(facts->present & FACT_BIT(FACT_ARGV)) || facts->argc <= facts->argv_bytes);
}

static bool argv_decode(const struct exec_facts *facts, struct slice argv, struct exec_event *event)
{
	bool truncated = facts->flags & EXEC_TRUNCATED_BIT(SECTION_ARGV);
	size_t count = 0;

	event->argv = argv;
	if (argv.data && (!(facts->present & FACT_BIT(FACT_ARGV)) || argv.len > facts->argv_bytes ||
			  truncated != (argv.len < facts->argv_bytes)))
		return false;
	event->argv_truncated = argv.data && truncated;
	for (size_t i = 0; i < argv.len; i++)
		count += !argv.data[i];
	if (!argv.data || truncated) {
		argc_from_stack(facts, count, event);
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
	if (!facts_valid(facts) || !sections_cut(record, sections))
		return -EBADMSG;
	*event = (struct exec_event){.head = record->event, .facts = facts};
	decoder->used = 0;
	if (!argv_decode(facts, sections[SECTION_ARGV], event) ||
	    !filename_decode(sections[SECTION_FILENAME], &event->filename))
		return -EBADMSG;
	path_decode(decoder, facts, sections, SECTION_EXE, &event->exe);
	event->exe_name = leaf_of(sections[SECTION_EXE]);
	path_decode(decoder, facts, sections, SECTION_CWD, &event->cwd);
	path_decode(decoder, facts, sections, SECTION_CGROUP, &event->cgroup);
	path_decode(decoder, facts, sections, SECTION_CGROUP_V1, &event->cgroup_v1);
	return 0;
}
