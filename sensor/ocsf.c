// SPDX-License-Identifier: Apache-2.0
#include "ocsf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "version.h"

#define UNSET_ID 0xffffffffU /* (uid_t)-1: no login uid, no audit session */
#define COMMAND_LINE_MAX 65535

struct ocsf {
	struct text head; /* class, device and metadata up to its changing members */
	char boot_id[64];
	uint64_t random; /* generator's state, seeded by the kernel */
};

/* A literal's bytes, its length known at compile time. */
#define PUT(t, literal) text_bytes(t, literal, sizeof(literal) - 1)

/* Inlined, so that a key's length is a constant too. */
#define HOT static inline __attribute__((always_inline))

/*
 * An object under construction. Every member is written with a comma before it; the
 * first comma becomes the brace, and an object that got no member vanishes, key and all.
 */
struct object {
	size_t key;
	size_t start;
};

HOT struct object object_begin(struct text *t, const char *key)
{
	struct object object = {.key = t->len};

	text_str(t, key);
	object.start = t->len;
	return object;
}

HOT void object_end(struct text *t, struct object object)
{
	if (t->failed)
		return;
	if (t->len == object.start) {
		t->len = object.key;
		return;
	}
	t->data[object.start] = '{';
	text_char(t, '}');
}

/* Members: key is the literal `,"name":`. */

HOT void put_u64(struct text *t, const char *key, uint64_t v)
{
	text_str(t, key);
	text_u64(t, v);
}

HOT void put_i64(struct text *t, const char *key, int64_t v)
{
	text_str(t, key);
	text_i64(t, v);
}

HOT void put_u64_string(struct text *t, const char *key, uint64_t v)
{
	text_str(t, key);
	text_char(t, '"');
	text_u64(t, v);
	text_char(t, '"');
}

HOT void put_bool(struct text *t, const char *key, bool v)
{
	text_str(t, key);
	text_str(t, v ? "true" : "false");
}

HOT void put_string(struct text *t, const char *key, struct slice s)
{
	text_str(t, key);
	text_json_string(t, s);
}

HOT void put_base64(struct text *t, const char *key, struct slice s)
{
	text_str(t, key);
	text_char(t, '"');
	text_base64(t, s.data, s.len);
	text_char(t, '"');
}

/* The exact bytes of a string that JSON can't hold, beside what it was written as. */
HOT void put_base64_unless_utf8(struct text *t, const char *key, struct slice s)
{
	if (s.data && !utf8_valid(s))
		put_base64(t, key, s);
}

/* ---------------------------------------------------------------------- argv */

/* plain: a shell reads it as one word. Not so a first word with a '=': that is an assignment. */
static void put_argument(struct text *t, struct slice argument, bool plain, size_t *budget)
{
	static const struct slice open_close = {"'", 1}, quote = {"'\\''", 4};
	const char *apostrophe;

	if (plain) {
		text_json_escaped(t, argument, budget);
		return;
	}
	text_json_escaped(t, open_close, budget);
	while (argument.len && (apostrophe = memchr(argument.data, '\'', argument.len))) {
		size_t n = (size_t)(apostrophe - argument.data);

		if (n)
			text_json_escaped(t, (struct slice){argument.data, n}, budget);
		if (*budget >= quote.len) {
			PUT(t,
			    "'\\\\''"); /* the same in JSON: a hostile argv may be all of these */
			*budget -= quote.len;
		} else {
			text_json_escaped(t, quote, budget);
		}
		argument.data += n + 1;
		argument.len -= n + 1;
	}
	text_json_escaped(t, argument, budget);
	text_json_escaped(t, open_close, budget);
}

void ocsf_command_line(struct text *out, struct slice argv)
{
	static const struct slice space = {" ", 1};
	size_t budget = COMMAND_LINE_MAX;
	struct slice argument;
	bool first = true;

	while (budget && argv_next(&argv, &argument)) {
		if (!first)
			text_json_escaped(out, space, &budget);
		put_argument(out, argument,
			     shell_plain(argument) &&
				     !(first && memchr(argument.data, '=', argument.len)),
			     &budget);
		first = false;
	}
}

static void put_command_line(struct text *t, struct slice argv)
{
	if (!argv.data)
		return;
	PUT(t, ",\"cmd_line\":\"");
	ocsf_command_line(t, argv);
	text_char(t, '"');
}

static void put_argv_list(struct text *t, const char *key, struct slice argv, bool base64)
{
	struct slice argument;
	bool first = true;

	text_str(t, key);
	text_char(t, '[');
	while (argv_next(&argv, &argument)) {
		if (base64)
			put_base64(t, first ? "" : ",", argument);
		else
			put_string(t, first ? "" : ",", argument);
		first = false;
	}
	text_char(t, ']');
}

static void put_argv(struct text *t, const struct exec_event *event)
{
	if (event->argv.data) {
		put_argv_list(t, ",\"argv\":", event->argv, false);
		if (!utf8_valid(event->argv))
			put_argv_list(t, ",\"argv_base64\":", event->argv, true);
		put_bool(t, ",\"argv_truncated\":", event->argv_truncated);
	}
	if (event->argc_known)
		put_u64(t, ",\"argc\":", event->argc);
	if (exec_knows(event, FACT_ARGV))
		put_u64(t, ",\"argv_bytes\":", event->facts->argv_bytes);
}

/* ---------------------------------------------------------------------- file */

static void put_path(struct text *t, struct slice path)
{
	const char *slash = memrchr(path.data, '/', path.len);
	size_t folder = (size_t)(slash - path.data);

	put_string(t, ",\"path\":", path);
	put_string(t, ",\"name\":", (struct slice){slash + 1, path.len - folder - 1});
	put_string(t, ",\"parent_folder\":", (struct slice){path.data, folder ? folder : 1});
}

/* An absolute path, or nothing where it is not known: OCSF wants a file to have a name. */
static bool put_file_name(struct text *t, struct slice path, struct slice name)
{
	if (path.data && path.len > 1)
		put_path(t, path);
	else if (name.len)
		put_string(t, ",\"name\":", name);
	else
		return false;
	PUT(t, ",\"type_id\":1,\"type\":\"Regular File\"");
	return true;
}

static void put_file_facts(struct text *t, const struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	int64_t ms;

	if (exec_knows(event, FACT_DEV) && exec_knows(event, FACT_INODE)) {
		put_u64(t, ",\"uid\":\"", facts->dev >> 20);
		put_u64(t, ":", facts->dev & 0xfffff);
		put_u64(t, ":", facts->inode);
		text_char(t, '"');
	}
	if (exec_knows(event, FACT_SIZE))
		put_u64(t, ",\"size\":", facts->size);
	if (exec_knows(event, FACT_MODE))
		put_u64(t, ",\"attributes\":", facts->mode);
	/* A file system can be made to hold any number: one that has no milliseconds is no time. */
	if (exec_knows(event, FACT_MTIME) && !__builtin_mul_overflow(facts->mtime_sec, 1000, &ms) &&
	    !__builtin_add_overflow(ms, facts->mtime_nsec / 1000000, &ms))
		put_i64(t, ",\"modified_time\":", ms);
}

/* More of it existed than the record holds, or its end could not be reached. */
static bool truncated(const struct exec_event *event, enum exec_section section)
{
	return exec_knows(event, FACT_SECTION + section) &&
	       event->facts->flags & EXEC_TRUNCATED_BIT(section);
}

static void put_file(struct text *t, const struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	struct object file = object_begin(t, ",\"file\":"), more;

	if (put_file_name(t, event->exe, event->exe_name)) {
		put_file_facts(t, event);
		more = object_begin(t, ",\"xattributes\":");
		if (exec_knows(event, FACT_NLINK))
			put_u64(t, ",\"nlink\":", facts->nlink);
		if (exec_knows(event, FACT_MEMFD))
			put_bool(t, ",\"memfd\":", facts->flags & EXEC_MEMFD);
		if (exec_knows(event, FACT_DELETED))
			put_bool(t, ",\"deleted\":", facts->flags & EXEC_DELETED);
		if (exec_knows(event, FACT_FS))
			put_string(t, ",\"fs\":", slice_of(facts->fs));
		put_base64_unless_utf8(t, ",\"path_base64\":", event->exe);
		if (truncated(event, SECTION_EXE))
			put_bool(t, ",\"path_truncated\":", true);
		object_end(t, more);
	}
	object_end(t, file);
}

/* -------------------------------------------------------------------- process */

/* The stable key: BOOT_ID:PID:START_NS. */
static void put_key(struct text *t, const struct ocsf *ocsf, uint32_t tgid, uint64_t start_ns)
{
	if (!ocsf->boot_id[0])
		return;
	PUT(t, ",\"uid\":\"");
	text_str(t, ocsf->boot_id);
	put_u64(t, ":", tgid);
	put_u64(t, ":", start_ns);
	text_char(t, '"');
}

/* The parent as the kernel gave it: all of the actor's process, the start of the parent_process. */
static void put_parent_identity(struct text *t, const struct ocsf *ocsf,
				const struct exec_event *event)
{
	put_u64(t, ",\"pid\":", event->head.ppid);
	if (exec_knows(event, FACT_PARENT_START))
		put_key(t, ocsf, event->head.ppid, event->facts->parent_start_ns);
	if (exec_knows(event, FACT_PARENT_COMM))
		put_string(t, ",\"name\":", slice_of(event->facts->parent_comm));
}

static void put_parent(struct text *t, const struct ocsf *ocsf, const struct exec_event *event)
{
	struct object parent, file, more;

	if (!exec_knows(event, FACT_PPID))
		return;
	parent = object_begin(t, ",\"parent_process\":");
	put_parent_identity(t, ocsf, event);
	put_command_line(t, event->parent.argv);
	file = object_begin(t, ",\"file\":");
	if (put_file_name(t, event->parent.exe, (struct slice){0})) {
		more = object_begin(t, ",\"xattributes\":");
		put_base64_unless_utf8(t, ",\"path_base64\":", event->parent.exe);
		object_end(t, more);
	}
	object_end(t, file);
	object_end(t, parent);
}

static void put_actor(struct text *t, const struct ocsf *ocsf, const struct exec_event *event)
{
	struct object actor = object_begin(t, ",\"actor\":"), who;

	if (exec_knows(event, FACT_PPID)) {
		who = object_begin(t, ",\"process\":");
		put_parent_identity(t, ocsf, event);
	} else {
		who = object_begin(t, ",\"user\":");
		put_u64_string(t, ",\"uid\":", event->head.uid);
	}
	object_end(t, who);
	object_end(t, actor);
}

static void put_users(struct text *t, const struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	struct object session;

	put_u64_string(t, ",\"user\":{\"uid\":", event->head.uid);
	text_char(t, '}');
	if (exec_knows(event, FACT_ID + ID_GID)) {
		put_u64_string(t, ",\"group\":{\"uid\":", facts->ids[ID_GID]);
		text_char(t, '}');
	}
	if (exec_knows(event, FACT_ID + ID_EUID))
		put_u64(t, ",\"euid\":", facts->ids[ID_EUID]);
	if (exec_knows(event, FACT_ID + ID_EGID))
		put_u64(t, ",\"egid\":", facts->ids[ID_EGID]);
	if (exec_knows(event, FACT_LOGIN_UID) && facts->login_uid != UNSET_ID)
		put_u64(t, ",\"auid\":", facts->login_uid);
	session = object_begin(t, ",\"session\":");
	if (exec_knows(event, FACT_AUDIT_SESSION) && facts->audit_session != UNSET_ID)
		put_u64_string(t, ",\"uid\":", facts->audit_session);
	if (exec_knows(event, FACT_TTY))
		put_string(t, ",\"terminal\":", slice_of(facts->tty));
	object_end(t, session);
}

static void put_container(struct text *t, const struct exec_event *event)
{
	struct object container = object_begin(t, ",\"container\":");

	if (event->container.data)
		put_string(t, ",\"uid\":", event->container);
	if (event->container_runtime)
		put_string(t, ",\"runtime\":", slice_of(event->container_runtime));
	object_end(t, container);
}

static void put_namespaces(struct text *t, const struct exec_event *event)
{
	static const char *const keys[NS_COUNT] = {
		[NS_MNT] = ",\"mnt\":",	      [NS_PID] = ",\"pid\":",	[NS_NET] = ",\"net\":",
		[NS_UTS] = ",\"uts\":",	      [NS_IPC] = ",\"ipc\":",	[NS_USER] = ",\"user\":",
		[NS_CGROUP] = ",\"cgroup\":", [NS_TIME] = ",\"time\":",
	};
	struct object ns = object_begin(t, ",\"ns\":");

	for (int i = 0; i < NS_COUNT; i++)
		if (exec_knows(event, FACT_NS + (unsigned)i))
			put_u64_string(t, keys[i], event->facts->ns[i]);
	object_end(t, ns);
}

static void put_cgroup(struct text *t, const struct exec_event *event)
{
	struct object cgroup = object_begin(t, ",\"cgroup\":");

	if (exec_knows(event, FACT_CGROUP_ID))
		put_u64_string(t, ",\"id\":", event->facts->cgroup_id);
	if (event->cgroup.data)
		put_string(t, ",\"path\":", event->cgroup);
	put_base64_unless_utf8(t, ",\"path_base64\":", event->cgroup);
	if (truncated(event, SECTION_CGROUP))
		put_bool(t, ",\"path_truncated\":", true);
	object_end(t, cgroup);
}

static void put_credentials(struct text *t, const struct exec_event *event)
{
	static const struct {
		enum exec_id id;
		const char *key;
	} ids[] = {
		{ID_SUID, ",\"suid\":"},
		{ID_FSUID, ",\"fsuid\":"},
		{ID_SGID, ",\"sgid\":"},
		{ID_FSGID, ",\"fsgid\":"},
	};
	static const char *const caps[CAPS_COUNT] = {
		[CAPS_EFFECTIVE] = ",\"cap_effective\":\"",
		[CAPS_PERMITTED] = ",\"cap_permitted\":\"",
		[CAPS_INHERITABLE] = ",\"cap_inheritable\":\"",
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (exec_knows(event, FACT_ID + ids[i].id))
			put_u64(t, ids[i].key, event->facts->ids[ids[i].id]);
	for (int i = 0; i < CAPS_COUNT; i++) {
		if (!exec_knows(event, FACT_CAPS + (unsigned)i))
			continue;
		text_str(t, caps[i]);
		text_hex64(t, event->facts->caps[i]);
		text_char(t, '"');
	}
}

/* The attributes that the facts become, below process. Where there is none a fact has no name. */
static const char *const fact_names[FACT_COUNT] = {
	[FACT_PPID] = "parent_process.pid",
	[FACT_PARENT_COMM] = "parent_process.name",
	[FACT_LOGIN_UID] = "auid",
	[FACT_AUDIT_SESSION] = "session.uid",
	[FACT_TTY] = "session.terminal",
	[FACT_NAMESPACE_PID] = "namespace_pid",
	[FACT_PGID] = "xattributes.pgid",
	[FACT_SID] = "xattributes.sid",
	[FACT_INODE] = "file.uid",
	[FACT_MODE] = "file.attributes",
	[FACT_SIZE] = "file.size",
	[FACT_MTIME] = "file.modified_time",
	[FACT_NLINK] = "file.xattributes.nlink",
	[FACT_MEMFD] = "file.xattributes.memfd",
	[FACT_DELETED] = "file.xattributes.deleted",
	[FACT_ID + ID_GID] = "group.uid",
	[FACT_ID + ID_SUID] = "xattributes.suid",
	[FACT_ID + ID_SGID] = "xattributes.sgid",
	[FACT_ID + ID_EUID] = "euid",
	[FACT_ID + ID_EGID] = "egid",
	[FACT_ID + ID_FSUID] = "xattributes.fsuid",
	[FACT_ID + ID_FSGID] = "xattributes.fsgid",
	[FACT_CAPS + CAPS_INHERITABLE] = "xattributes.cap_inheritable",
	[FACT_CAPS + CAPS_PERMITTED] = "xattributes.cap_permitted",
	[FACT_CAPS + CAPS_EFFECTIVE] = "xattributes.cap_effective",
	[FACT_NS + NS_MNT] = "xattributes.ns.mnt",
	[FACT_NS + NS_PID] = "xattributes.ns.pid",
	[FACT_NS + NS_NET] = "xattributes.ns.net",
	[FACT_NS + NS_UTS] = "xattributes.ns.uts",
	[FACT_NS + NS_IPC] = "xattributes.ns.ipc",
	[FACT_NS + NS_USER] = "xattributes.ns.user",
	[FACT_NS + NS_CGROUP] = "xattributes.ns.cgroup",
	[FACT_NS + NS_TIME] = "xattributes.ns.time",
	[FACT_SECTION + SECTION_CGROUP] = "xattributes.cgroup.path",
};

HOT void put_name(struct text *t, const char *name)
{
	text_char(t, ',');
	text_char(t, '"');
	text_str(t, name);
	text_char(t, '"');
}

static void put_fact_names(struct text *t, const struct exec_event *event)
{
	const uint64_t cgroups = FACT_BIT(FACT_SECTION + SECTION_CGROUP) |
				 FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1);
	uint64_t left = event->from_proc;

	for (; left; left &= left - 1) {
		const char *name = fact_names[__builtin_ctzll(left)];

		if (name)
			put_name(t, name);
	}
	if (event->from_proc & FACT_BIT(FACT_SECTION + SECTION_EXE))
		put_name(t, event->exe.data ? "file.path" : "file.name");
	if (event->from_proc & FACT_BIT(FACT_SECTION + SECTION_CWD) && event->cwd.data)
		put_name(t, "xattributes.cwd");
	if (event->from_proc & cgroups && event->container.data)
		put_name(t, "container");
}

/* Which attributes are /proc's word, not the kernel's at this exec. */
static void put_from_proc(struct text *t, const struct exec_event *event)
{
	const struct exec_parent *parent = &event->parent;
	size_t key = t->len, start;

	if (!event->from_proc && !parent->from_proc)
		return;
	PUT(t, ",\"from_proc\":");
	start = t->len;
	if (parent->from_proc && parent->exe.data)
		put_name(t, "parent_process.file");
	if (parent->from_proc && parent->argv.data)
		put_name(t, "parent_process.cmd_line");
	put_fact_names(t, event);
	if (t->failed)
		return;
	if (t->len == start) {
		t->len = key;
		return;
	}
	t->data[start] = '['; /* in the place of the first comma */
	text_char(t, ']');
}

static void put_xattributes(struct text *t, const struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	struct object more = object_begin(t, ",\"xattributes\":");

	put_argv(t, event);
	if (event->filename.data)
		put_string(t, ",\"exec_filename\":", event->filename);
	put_base64_unless_utf8(t, ",\"exec_filename_base64\":", event->filename);
	if (event->cwd.data)
		put_string(t, ",\"cwd\":", event->cwd);
	put_base64_unless_utf8(t, ",\"cwd_base64\":", event->cwd);
	if (truncated(event, SECTION_CWD))
		put_bool(t, ",\"cwd_truncated\":", true);
	if (exec_knows(event, FACT_COMM))
		put_base64_unless_utf8(t, ",\"comm_base64\":", slice_of(facts->comm));
	if (exec_knows(event, FACT_PGID))
		put_u64(t, ",\"pgid\":", facts->pgid);
	if (exec_knows(event, FACT_SID))
		put_u64(t, ",\"sid\":", facts->sid);
	put_credentials(t, event);
	put_namespaces(t, event);
	put_cgroup(t, event);
	put_from_proc(t, event);
	object_end(t, more);
}

static void put_process(struct text *t, const struct ocsf *ocsf, const struct wallclock *clock,
			const struct exec_event *event)
{
	const struct exec_facts *facts = event->facts;
	struct object process = object_begin(t, ",\"process\":");

	put_u64(t, ",\"pid\":", event->head.tgid);
	put_u64(t, ",\"tid\":", event->head.tid);
	if (exec_knows(event, FACT_START)) {
		put_key(t, ocsf, event->head.tgid, facts->start_ns);
		put_i64(t,
			",\"created_time\":", wallclock_ms(wallclock_boot(clock, facts->start_ns)));
	}
	if (exec_knows(event, FACT_COMM))
		put_string(t, ",\"name\":", slice_of(facts->comm));
	put_command_line(t, event->argv);
	put_file(t, event);
	put_users(t, event);
	if (exec_knows(event, FACT_NAMESPACE_PID))
		put_u64(t, ",\"namespace_pid\":", facts->namespace_pid);
	put_container(t, event);
	put_parent(t, ocsf, event);
	put_xattributes(t, event);
	object_end(t, process);
}

/* ---------------------------------------------------------------------- event */

/* splitmix64: ids must be unique, not secret; no system call an event. */
static uint64_t random_next(struct ocsf *ocsf)
{
	uint64_t z = ocsf->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* RFC 9562 UUID version 7: 48 bits of milliseconds, the rest random. */
static void put_uuid7(struct text *t, struct ocsf *ocsf, int64_t ms)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char uuid[16];
	char *at = text_room(t, 36);

	if (!at)
		return;
	for (int i = 0; i < 6; i++)
		uuid[i] = (unsigned char)((uint64_t)ms >> (40 - 8 * i));
	memcpy(uuid + 6, (uint64_t[]){random_next(ocsf)}, 2);
	memcpy(uuid + 8, (uint64_t[]){random_next(ocsf)}, 8);
	uuid[6] = (unsigned char)(0x70 | (uuid[6] & 0x0f));
	uuid[8] = (unsigned char)(0x80 | (uuid[8] & 0x3f));
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[uuid[i] >> 4];
		*at++ = hex[uuid[i] & 15];
	}
	t->len += 36;
}

void ocsf_write(struct ocsf *ocsf, const struct wallclock *clock, const struct exec_event *event,
		uint64_t sequence, struct text *out)
{
	int64_t ns = event->facts->flags & EXEC_CLOCK_MONOTONIC ?
			     wallclock_monotonic(clock, event->head.time_ns) :
			     wallclock_boot(clock, event->head.time_ns);

	text_bytes(out, ocsf->head.data, ocsf->head.len);
	put_u64(out, ",\"sequence\":", sequence);
	PUT(out, ",\"uid\":\"");
	put_uuid7(out, ocsf, wallclock_ms(ns));
	PUT(out, "\"}");
	put_i64(out, ",\"time\":", wallclock_ms(ns));
	PUT(out, ",\"time_dt\":\"");
	wallclock_rfc3339(out, ns);
	text_char(out, '"');
	put_actor(out, ocsf, event);
	put_process(out, ocsf, clock, event);
	text_char(out, '}');
}

/* OCSF's hostname_t: labels of letters, digits and inner hyphens. */
static bool hostname_valid(const char *name)
{
	static const char inner[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	do {
		size_t n = strspn(name, inner);

		if (!n || name[0] == '-' || name[n - 1] == '-')
			return false;
		name += n;
	} while (*name == '.' && *++name);
	return !*name && name[-1] != '.';
}

static void put_device(struct text *t, const struct host *host)
{
	struct object device = object_begin(t, ",\"device\":"), os;

	if (host->virtual_machine)
		PUT(t, ",\"type_id\":6,\"type\":\"Virtual\"");
	else
		PUT(t, ",\"type_id\":0,\"type\":\"Unknown\"");
	put_string(t, hostname_valid(host->hostname) ? ",\"hostname\":" : ",\"name\":",
		   slice_of(host->hostname));
	if (host->machine_id[0])
		put_string(t, ",\"uid\":", slice_of(host->machine_id));
	os = object_begin(t, ",\"os\":");
	put_string(t, ",\"name\":", slice_of(host->os_name));
	PUT(t, ",\"type_id\":200,\"type\":\"Linux\"");
	if (host->os_version[0])
		put_string(t, ",\"version\":", slice_of(host->os_version));
	put_string(t, ",\"build\":", slice_of(host->release));
	object_end(t, os);
	object_end(t, device);
}

/* What every event begins with, metadata still open. */
static void make_head(struct text *t, const struct host *host, const char *variant)
{
	PUT(t, "{\"category_uid\":1,\"category_name\":\"System Activity\""
	       ",\"class_uid\":1007,\"class_name\":\"Process Activity\""
	       ",\"activity_id\":1,\"activity_name\":\"Launch\""
	       ",\"type_uid\":100701,\"type_name\":\"Process Activity: Launch\""
	       ",\"severity_id\":1,\"severity\":\"Informational\"");
	put_device(t, host);
	PUT(t, ",\"metadata\":{\"version\":\"1.3.0\""
	       ",\"product\":{\"vendor_name\":\"Cormorant\",\"name\":\"cormorant\""
	       ",\"version\":\"" CORMORANT_VERSION "\"}"
	       ",\"profiles\":[\"host\",\"datetime\",\"linux/linux_users\",\"container\"]"
	       ",\"extensions\":[{\"name\":\"linux\",\"uid\":\"1\",\"version\":\"1.3.0\"}]"
	       ",\"event_code\":\"exec\",\"log_provider\":\"cormorant\"");
	put_string(t, ",\"log_name\":", slice_of(variant));
}

/* Without waiting: getrandom(2) blocks until an early boot has gathered enough to keep secrets. */
static int random_seed(uint64_t *seed)
{
	ssize_t n = getrandom(seed, sizeof(*seed), GRND_NONBLOCK);
	int fd;

	if (n == sizeof(*seed))
		return 0;
	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, seed, sizeof(*seed));
	if (fd >= 0)
		close(fd);
	return n == sizeof(*seed) ? 0 : -EIO;
}

struct ocsf *ocsf_open(const struct host *host, const char *variant)
{
	struct ocsf *ocsf = calloc(1, sizeof(*ocsf));

	if (!ocsf || random_seed(&ocsf->random)) {
		free(ocsf);
		return NULL;
	}
	memcpy(ocsf->boot_id, host->boot_id, sizeof(ocsf->boot_id));
	make_head(&ocsf->head, host, variant);
	if (ocsf->head.failed) {
		ocsf_close(ocsf);
		return NULL;
	}
	return ocsf;
}

void ocsf_close(struct ocsf *ocsf)
{
	if (!ocsf)
		return;
	text_free(&ocsf->head);
	free(ocsf);
}
