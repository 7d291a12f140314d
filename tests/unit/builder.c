// SPDX-License-Identifier: Apache-2.0
#include "builder.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void builder_bare(struct builder *b)
{
	*b = (struct builder){.head = {
				      .time_ns = 7200123456789ULL,
				      .tgid = 4101,
				      .tid = 4101,
				      .uid = 1101,
				      .kind = RECORD_EXEC,
				      .version = RECORD_VERSION,
				      .part = 0,
				      .parts = 1,
			      }};
}

static void numbers_full(struct exec_facts *f)
{
	f->start_ns = 7199000000001ULL;
	f->parent_start_ns = 7000000000002ULL;
	f->caps[CAPS_INHERITABLE] = 0x11;
	f->caps[CAPS_PERMITTED] = 0x000001ffffffffffULL;
	f->caps[CAPS_EFFECTIVE] = 0x00000000a80425fbULL;
	f->inode = 18014398509481985ULL; /* 2^54 + 1: no double holds it */
	f->size = 123457;
	f->mtime_sec = 1700000000;
	f->mtime_nsec = 987654321;
	f->cgroup_id = 9007199254740993ULL; /* 2^53 + 1 */
	for (unsigned i = 0; i < ID_COUNT; i++)
		f->ids[i] = 1101 + i;
	for (unsigned i = 0; i < NS_COUNT; i++)
		f->ns[i] = 4026531801U + i;
	f->login_uid = 1201;
	f->audit_session = 1301;
	f->namespace_pid = 41;
	f->pgid = 4102;
	f->sid = 4103;
	f->dev = 0x0fe00005; /* 254:5 */
	f->mode = 0100755;
	f->nlink = 3;
	f->flags = EXEC_MEMFD;
}

void builder_full(struct builder *b)
{
	builder_bare(b);
	b->head.ppid = 4100;
	numbers_full(&b->facts);
	b->facts.present = FACT_BIT(FACT_COUNT) - 1;
	strcpy(b->facts.comm, "the-comm");
	strcpy(b->facts.parent_comm, "the-parent");
	strcpy(b->facts.tty, "pts7");
	strcpy(b->facts.fs, "btrfs");
	builder_argv(b, (const char *const[]){"prog", "-x", "two words", "", NULL});
	builder_section(b, SECTION_FILENAME, "./asked/for", 12);
	builder_path(b, SECTION_EXE, "/opt/some dir/prog.bin");
	builder_path(b, SECTION_CWD, "/home/user/work");
	builder_path(b, SECTION_CGROUP, "/user.slice/app.scope");
	builder_path(b, SECTION_CGROUP_V1, "/v1/app");
}

void builder_free(struct builder *b)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		text_free(&b->sections[i]);
}

void builder_section(struct builder *b, enum exec_section section, const void *bytes, size_t n)
{
	text_clear(&b->sections[section]);
	text_bytes(&b->sections[section], bytes, n);
	b->facts.present |= FACT_BIT(FACT_SECTION + section);
}

void builder_drop(struct builder *b, enum exec_section section)
{
	text_clear(&b->sections[section]);
	b->facts.present &= ~FACT_BIT(FACT_SECTION + section);
}

void builder_path(struct builder *b, enum exec_section section, const char *path)
{
	size_t end = strlen(path), start;

	builder_section(b, section, "", 0);
	while (end) {
		for (start = end; path[start - 1] != '/'; start--)
			;
		text_bytes(&b->sections[section], path + start, end - start);
		text_char(&b->sections[section], 0);
		end = start - 1;
	}
}

void builder_argv_bytes(struct builder *b, const void *bytes, size_t n)
{
	builder_section(b, SECTION_ARGV, bytes, n);
	b->facts.present |= FACT_BIT(FACT_ARGV) | FACT_BIT(FACT_ARGC);
	b->facts.argv_bytes = n;
	b->facts.argc = 0;
	for (size_t i = 0; i < n; i++)
		b->facts.argc += !((const char *)bytes)[i];
	b->facts.flags &= ~(unsigned)EXEC_TRUNCATED_BIT(SECTION_ARGV);
}

void builder_argv(struct builder *b, const char *const *argv)
{
	struct text all = {0};

	for (; *argv; argv++)
		text_bytes(&all, *argv, strlen(*argv) + 1);
	builder_argv_bytes(b, all.len ? all.data : "", all.len);
	text_free(&all);
}

void *builder_record(struct builder *b, size_t *size)
{
	size_t length = sizeof(struct exec_record);
	char *record, *at;

	for (int i = 0; i < SECTION_COUNT; i++) {
		b->facts.section_len[i] = (uint32_t)b->sections[i].len;
		length += b->sections[i].len;
	}
	b->head.length = (uint32_t)length;
	record = malloc(length);
	if (!record)
		abort();
	memcpy(record, &b->head, sizeof(b->head));
	memcpy(record + sizeof(b->head), &b->facts, sizeof(b->facts));
	at = record + sizeof(struct exec_record);
	for (int i = 0; i < SECTION_COUNT; i++) {
		if (b->sections[i].len)
			memcpy(at, b->sections[i].data, b->sections[i].len);
		at += b->sections[i].len;
	}
	*size = length;
	return record;
}

void *copy_of(const void *bytes, size_t n)
{
	void *copy = malloc(n);

	if (!copy && n)
		abort();
	if (n)
		memcpy(copy, bytes, n);
	return copy;
}

uint64_t dice_roll(struct dice *dice)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return dice->state * 0x2545f4914f6cdd1dULL;
}

size_t dice_hostile(struct dice *dice, char *bytes, size_t max)
{
	static const char *const pieces[] = {
		"'", "\"", "\\", "`", "$x", "$(id)", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x01",
		" ", "*", "~", "#", "!", ";", "&", "a", "Z9", "\xc2\x9b", "\xc2\x80", "\xc2\xa0",
		"\xc3\xa9", "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "\xc0\xaf", "\xed\xa0\x80", "\x80",
		"\xff", "\xf4\x90\x80\x80", "\xe2\x82", "\xf0\x9f", "\xef\xbf\xbd", "\xef\xbb\xbf",
	};
	size_t len = 0, want = dice_below(dice, max + 1), n;

	while (len < want) {
		const char *piece = pieces[dice_below(dice, sizeof(pieces) / sizeof(pieces[0]))];
		char any[2] = {(char)(1 + dice_below(dice, 255)), 0};

		if (!dice_below(dice, 4))
			piece = any;
		n = strlen(piece);
		if (len + n > want)
			break;
		memcpy(bytes + len, piece, n);
		len += n;
	}
	return len;
}

void program_output(const char *const *argv, struct text *out)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	char chunk[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while ((n = read(ends[0], chunk, sizeof(chunk))) > 0)
		text_bytes(out, chunk, (size_t)n);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
