// SPDX-License-Identifier: Apache-2.0
#include "proc_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Inode number of the initial cgroup namespace: PROC_CGROUP_INIT_INO, include/linux/proc_ns.h (4.6). */
#define PROC_CGROUP_INIT_INO 0xEFFFFFFBU
/* No program is to come from this one. Since 6.3: some hosts then refuse a memfd that does not say. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#define UNSET_ID 0xffffffffU /* (uid_t)-1: no login uid, no audit session */

enum {
	PID_LIMIT = 4 * 1024 * 1024, /* PID_MAX_LIMIT of 64-bit kernels: no pid is larger */
	STATUS_STEP = 4096,	     /* all of it, unless there are very many groups */
	MAPS_STEP = 256,	     /* a line or two: the kernel makes no more than is asked for */
};

void proc_setting_read(struct proc_setting *setting)
{
	struct stat st;
	int fd = memfd_create("cormorant", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cormorant", MFD_CLOEXEC);
	*setting = (struct proc_setting){0};
	setting->cgroups_whole =
		stat("/proc/self/ns/cgroup", &st) || st.st_ino == PROC_CGROUP_INIT_INO;
	if (fd < 0)
		return;
	setting->memfd_known = !fstat(fd, &st);
	setting->memfd_dev = st.st_dev;
	close(fd);
}

/* -------------------------------------------------------------------- filling */

static bool lacks(const struct exec_facts *facts, unsigned fact)
{
	return !(facts->present & FACT_BIT(fact));
}

static void fill_u32(struct exec_facts *facts, unsigned fact, uint32_t *member, uint64_t value)
{
	if (!lacks(facts, fact) || value > UINT32_MAX)
		return;
	*member = (uint32_t)value;
	facts->present |= FACT_BIT(fact);
}

static void fill_u64(struct exec_facts *facts, unsigned fact, __u64 *member, uint64_t value)
{
	if (!lacks(facts, fact))
		return;
	*member = value;
	facts->present |= FACT_BIT(fact);
}

static void fill_flag(struct exec_facts *facts, unsigned fact, uint32_t flag, bool value)
{
	if (!lacks(facts, fact))
		return;
	facts->flags = value ? facts->flags | flag : facts->flags & ~flag;
	facts->present |= FACT_BIT(fact);
}

/* A path that is not sure to be true is not told, but it is told that there is one. */
static void fill_path(struct exec_facts *facts, enum exec_section section, struct slice path,
		      bool sure, struct slice *member)
{
	if (sure && lacks(facts, FACT_SECTION + section))
		*member = path;
	fill_flag(facts, FACT_SECTION + section, EXEC_TRUNCATED_BIT(section), !sure);
}

/* --------------------------------------------------------------------- belief */

/* What of a process is read twice, through one descriptor each; -1 where there is none. */
struct twice {
	int stat;
	int cmdline;
};

static int twice_open(struct twice *twice, int dir)
{
	*twice = (struct twice){-1, -1};
	twice->stat = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	if (twice->stat < 0)
		return -errno;
	twice->cmdline = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	return twice->cmdline < 0 ? -errno : 0;
}

static void twice_close(struct twice *twice)
{
	if (twice->stat >= 0)
		close(twice->stat);
	if (twice->cmdline >= 0)
		close(twice->cmdline);
}

/*
 * All that the record has, and no byte more. Where that is only the beginning, the end
 * must at least be where the record says.
 */
static bool argv_same(const struct proc_subject *subject, int cmdline, char *shown)
{
	size_t len = subject->argv_len;
	bool more = subject->facts.argv_bytes > len;

	if (pread(cmdline, shown, len + 1, 0) != (ssize_t)(len + more) ||
	    memcmp(shown, subject->argv, len) != 0)
		return false;
	return !more || pread(cmdline, shown, 2, (off_t)subject->facts.argv_bytes - 1) == 1;
}

static int is_subject(const struct proc_subject *subject, const struct twice *twice, char *room,
		      struct proc_stat *stat)
{
	const struct exec_facts *facts = &subject->facts;
	int err = proc_file_stat(twice->stat, stat);

	if (err)
		return err;
	if (strcmp(stat->comm, facts->comm) != 0 ||
	    (!lacks(facts, FACT_START) && stat->start != proc_ticks(facts->start_ns)))
		return -ESRCH;
	return argv_same(subject, twice->cmdline, room) ? 0 : -ESRCH;
}

/* Every exec begins another stack; its place is chosen anew. */
static bool same_program(const struct proc_stat *a, const struct proc_stat *b)
{
	return a->start == b->start && a->stack == b->stack && !strcmp(a->comm, b->comm);
}

/* ----------------------------------------------------------------------- stat */

/* Minor: bits 0 to 7 and 20 to 31; major: 8 to 19 (new_encode_dev, include/linux/kdev_t.h). */
bool proc_terminal_name(uint32_t tty, char *name, size_t size)
{
	unsigned major = tty >> 8 & 0xfff, minor = (tty & 0xff) | (tty >> 12 & 0xfff00);

	if (major >= 136 && major <= 143)
		snprintf(name, size, "pts%u", (major - 136) * 256 + minor);
	else if (major == 4 && minor >= 1 && minor <= 63)
		snprintf(name, size, "tty%u", minor);
	else if (major == 4 && minor >= 64 && minor <= 255)
		snprintf(name, size, "ttyS%u", minor - 64);
	else if (major == 229)
		snprintf(name, size, "hvc%u", minor);
	else if (major == 5 && minor == 1)
		snprintf(name, size, "console");
	else
		return false;
	return true;
}

static void fill_stat(struct exec_facts *facts, const struct proc_stat *stat)
{
	if (stat->pgid < PID_LIMIT)
		fill_u32(facts, FACT_PGID, &facts->pgid, stat->pgid);
	if (stat->sid < PID_LIMIT)
		fill_u32(facts, FACT_SID, &facts->sid, stat->sid);
	if (lacks(facts, FACT_TTY) &&
	    proc_terminal_name((uint32_t)stat->tty, facts->tty, sizeof(facts->tty)))
		facts->present |= FACT_BIT(FACT_TTY);
}

/* --------------------------------------------------------------------- status */

/* Real, effective, saved and file system's. Kernel 4.4 shows those above 2^31 as negative. */
static void fill_ids(struct exec_facts *facts, const char *values, const enum exec_id ids[4])
{
	char *at = (char *)values;

	for (int i = 0; i < 4; i++) {
		long long id = strtoll(at, &at, 10);

		if (ids[i] != ID_UID) /* the header has it */
			fill_u32(facts, FACT_ID + ids[i], &facts->ids[ids[i]],
				 id < 0 ? (uint32_t)id : (uint64_t)id);
	}
}

/* The numbers of one process from the outermost namespace to its own. */
static void fill_namespace_pid(struct exec_facts *facts, const char *values)
{
	const char *last = strrchr(values, '\t');
	uint64_t pid = last ? strtoull(last, NULL, 10) : 0;

	if (pid && pid < PID_LIMIT)
		fill_u32(facts, FACT_NAMESPACE_PID, &facts->namespace_pid, pid);
}

static void fill_caps(struct exec_facts *facts, const char *value, enum exec_cap set)
{
	fill_u64(facts, FACT_CAPS + (unsigned)set, &facts->caps[set], strtoull(value, NULL, 16));
}

/* NULL if line is not that of key, which ends in a colon. */
static const char *value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	return strncmp(line, key, n) ? NULL : line + n;
}

/* Returns false after the last line of use: what follows is not even read. */
static bool fill_status_line(struct exec_facts *facts, const char *line)
{
	static const enum exec_id uids[4] = {ID_UID, ID_EUID, ID_SUID, ID_FSUID};
	static const enum exec_id gids[4] = {ID_GID, ID_EGID, ID_SGID, ID_FSGID};
	const char *value;

	if ((value = value_of(line, "Uid:")))
		fill_ids(facts, value, uids);
	else if ((value = value_of(line, "Gid:")))
		fill_ids(facts, value, gids);
	else if ((value = value_of(line, "NSpid:")))
		fill_namespace_pid(facts, value);
	else if ((value = value_of(line, "CapInh:")))
		fill_caps(facts, value, CAPS_INHERITABLE);
	else if ((value = value_of(line, "CapPrm:")))
		fill_caps(facts, value, CAPS_PERMITTED);
	else if ((value = value_of(line, "CapEff:")))
		fill_caps(facts, value, CAPS_EFFECTIVE);
	return !value || !value_of(line, "CapEff:");
}

static void fill_status(struct exec_facts *facts, int dir, struct proc_lines *lines)
{
	char *line;

	if (proc_lines_open(lines, dir, "status", STATUS_STEP))
		return;
	while ((line = proc_lines_next(lines)) && fill_status_line(facts, line))
		;
	proc_lines_close(lines);
}

/* A file that holds one number. Unset is as good as unknown: both are left out of the event. */
static void fill_id_file(struct exec_facts *facts, int dir, const char *name, unsigned fact,
			 uint32_t *member)
{
	char text[32], *end;
	uint64_t id;
	ssize_t n;

	if (!lacks(facts, fact))
		return;
	n = proc_file_read(dir, name, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = 0;
	id = strtoull(text, &end, 10);
	if (end != text && id < UNSET_ID)
		fill_u32(facts, fact, member, id);
}

/* ----------------------------------------------------------------- namespaces */

/* Each is a link to "NAME:[INODE]". */
static void fill_namespaces(struct exec_facts *facts, int dir)
{
	static const char *const names[NS_COUNT] = {
		[NS_MNT] = "ns/mnt",	   [NS_PID] = "ns/pid",	  [NS_NET] = "ns/net",
		[NS_UTS] = "ns/uts",	   [NS_IPC] = "ns/ipc",	  [NS_USER] = "ns/user",
		[NS_CGROUP] = "ns/cgroup", [NS_TIME] = "ns/time",
	};
	char text[64], *number;
	uint64_t inode;
	ssize_t n;

	for (unsigned i = 0; i < NS_COUNT; i++) {
		if (!lacks(facts, FACT_NS + i))
			continue;
		n = readlinkat(dir, names[i], text, sizeof(text) - 1);
		if (n <= 0)
			continue;
		text[n] = 0;
		number = strchr(text, '[');
		inode = number ? strtoull(number + 1, NULL, 10) : 0;
		if (inode)
			fill_u32(facts, FACT_NS + i, &facts->ns[i], inode);
	}
}

/* -------------------------------------------------------------------- cgroups */

static bool has_controller(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, name, n) && (!list[n] || list[n] == ','))
			return true;
	}
	return false;
}

static struct slice keep(const char *path, char *room, size_t size)
{
	size_t n = strlen(path);

	if (n >= size)
		return (struct slice){0};
	memcpy(room, path, n + 1);
	return (struct slice){room, n};
}

/* From a cgroup namespace, what is not below its root is shown by way of "/..". */
static bool is_relative(const char *path)
{
	return !strncmp(path, "/..", 3) && (!path[3] || path[3] == '/');
}

/*
 * A line is ID:CONTROLLERS:PATH, v2's "0::PATH" the last. What engines use of v1 is the
 * memory controller's hierarchy or, where that is not v1's, the one of pids; a name found in
 * such a path is a container's, wherever the path begins.
 */
static void fill_cgroups(const struct proc_setting *setting, struct proc_facts *out, int dir,
			 struct proc_facts_buffer *buffer)
{
	struct slice v2 = {0}, memory = {0}, pids = {0};
	char *line, *list, *path;

	if (proc_lines_open(&buffer->lines, dir, "cgroup", PROC_LINE_MAX))
		return;
	while (!v2.data && (line = proc_lines_next(&buffer->lines))) {
		list = strchr(line, ':');
		path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		if (!list[1] && !is_relative(path))
			v2 = keep(path, buffer->cgroup, sizeof(buffer->cgroup));
		else if (has_controller(list + 1, "memory"))
			memory = keep(path, buffer->cgroup_v1, sizeof(buffer->cgroup_v1));
		else if (has_controller(list + 1, "pids") && !memory.data)
			pids = keep(path, buffer->cgroup_v1, sizeof(buffer->cgroup_v1));
	}
	proc_lines_close(&buffer->lines);
	if (v2.data && setting->cgroups_whole)
		fill_path(&out->facts, SECTION_CGROUP, v2, true, &out->cgroup);
	if (memory.data || pids.data)
		fill_path(&out->facts, SECTION_CGROUP_V1, memory.data ? memory : pids, true,
			  &out->cgroup_v1);
}

/* ----------------------------------------------------------------- executable */

/*
 * True if path, as maps shows it, is what a link was shown as. Maps writes a newline as
 * \012, and leaves a backslash as it is.
 */
static bool is_shown(const char *path, struct slice link)
{
	for (size_t i = 0; i < link.len; i++) {
		if (link.data[i] != '\n') {
			if (*path++ != link.data[i])
				return false;
			continue;
		}
		if (strncmp(path, "\\012", 4) != 0)
			return false;
		path += 4;
	}
	return !*path;
}

/* A line of maps: START-END PERMISSIONS OFFSET MAJOR:MINOR INODE, spaces, PATH. */
static bool mapping_of(const char *line, struct slice link, uint32_t *dev, uint64_t *inode)
{
	const char *path = strchr(line, '/');
	unsigned major, minor;
	unsigned long long number;

	if (!path || !is_shown(path, link) ||
	    sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &number) != 3)
		return false;
	*dev = major << 20 | minor;
	*inode = number;
	return true;
}

/*
 * The file's number as the kernel has it, which stat need not show (btrfs, overlayfs): that of the
 * mapping of the same path, nearly always the first.
 */
static bool find_mapping(int dir, struct slice link, struct proc_lines *lines, uint32_t *dev,
			 uint64_t *inode)
{
	bool found = false;
	char *line;

	if (proc_lines_open(lines, dir, "maps", MAPS_STEP))
		return false;
	while (!found && (line = proc_lines_next(lines)))
		found = mapping_of(line, link, dev, inode);
	proc_lines_close(lines);
	return found;
}

/* The kernel gives a memfd such a name, and a file system that nothing else is on. */
static bool is_memfd(const struct proc_setting *setting, const struct proc_link *link)
{
	static const char prefix[] = "/memfd:";

	return setting->memfd_known && link->deleted && link->stat.st_dev == setting->memfd_dev &&
	       link->path.len >= sizeof(prefix) - 1 &&
	       !memcmp(link->path.data, prefix, sizeof(prefix) - 1);
}

static struct slice last_component(struct slice path)
{
	const char *slash = memrchr(path.data, '/', path.len);

	return (struct slice){slash + 1, path.len - (size_t)(slash + 1 - path.data)};
}

static void fill_inode(struct exec_facts *facts, const struct stat *st)
{
	fill_u32(facts, FACT_MODE, &facts->mode, st->st_mode);
	fill_u64(facts, FACT_SIZE, &facts->size, (uint64_t)st->st_size);
	fill_u32(facts, FACT_NLINK, &facts->nlink, st->st_nlink);
	if (!lacks(facts, FACT_MTIME))
		return;
	facts->mtime_sec = st->st_mtim.tv_sec;
	facts->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	facts->present |= FACT_BIT(FACT_MTIME);
}

/* Returns -ESRCH if the kernel said that another file was executed. */
static int fill_number(struct exec_facts *facts, int dir, struct slice shown,
		       struct proc_lines *lines)
{
	bool known = !lacks(facts, FACT_DEV) && !lacks(facts, FACT_INODE);
	uint64_t inode;
	uint32_t dev;

	if (!find_mapping(dir, shown, lines, &dev, &inode))
		return 0;
	if (known)
		return dev == facts->dev && inode == facts->inode ? 0 : -ESRCH;
	facts->dev = dev;
	facts->inode = inode;
	facts->present |= FACT_BIT(FACT_DEV) | FACT_BIT(FACT_INODE);
	return 0;
}

/* Nothing of a file whose very name is not known: an event could not say whose it is. */
static int fill_exe(const struct proc_setting *setting, struct proc_facts *out, int dir,
		    struct proc_facts_buffer *buffer)
{
	struct exec_facts *facts = &out->facts;
	struct proc_link link;
	bool memfd;

	proc_file_link(dir, "exe", buffer->exe, &buffer->lines, &link);
	if (!link.path.data || (link.has_stat && !S_ISREG(link.stat.st_mode)))
		return 0;
	memfd = is_memfd(setting, &link);
	out->exe_name = last_component(link.path);
	fill_path(facts, SECTION_EXE, link.path, link.whole || memfd, &out->exe);
	fill_flag(facts, FACT_MEMFD, EXEC_MEMFD, memfd);
	fill_flag(facts, FACT_DELETED, EXEC_DELETED, link.deleted);
	if (link.has_stat)
		fill_inode(facts, &link.stat);
	return fill_number(facts, dir, link.shown, &buffer->lines);
}

static void fill_cwd(struct proc_facts *out, int dir, struct proc_facts_buffer *buffer)
{
	struct proc_link link;

	if (!lacks(&out->facts, FACT_SECTION + SECTION_CWD))
		return;
	proc_file_link(dir, "cwd", buffer->cwd, &buffer->lines, &link);
	if (link.path.data)
		fill_path(&out->facts, SECTION_CWD, link.path, link.whole, &out->cwd);
}

/* --------------------------------------------------------------------- parent */

struct parent {
	bool known;
	char comm[64]; /* as in struct proc_stat */
	struct proc_process process;
};

static void read_program(const struct proc_setting *setting, int dir,
			 struct proc_facts_buffer *buffer, struct proc_process *process)
{
	struct proc_link link;

	proc_file_link(dir, "exe", buffer->parent_exe, &buffer->lines, &link);
	if (link.whole || is_memfd(setting, &link))
		process->exe = link.path;
	process->argv = proc_file_argv(dir, buffer->parent_argv, buffer->again);
}

/* Known only if it is the same program before and after the reading. */
static void read_parent(const struct proc_setting *setting, uint64_t ppid,
			struct proc_facts_buffer *buffer, struct parent *parent)
{
	int dir = ppid && ppid < PID_LIMIT ? proc_file_open((uint32_t)ppid) : -1;
	int fd = dir < 0 ? -1 : openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	struct proc_stat before, after;

	if (fd >= 0 && !proc_file_stat(fd, &before)) {
		read_program(setting, dir, buffer, &parent->process);
		parent->known = !proc_file_stat(fd, &after) && same_program(&before, &after);
		memcpy(parent->comm, before.comm, sizeof(parent->comm));
	}
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
}

/* A worker of the kernel shows more than its name: what is longer than a name is none. */
static void fill_parent(struct proc_facts *out, uint64_t ppid, const struct parent *parent)
{
	struct exec_facts *facts = &out->facts;

	if (!lacks(facts, FACT_PPID) || ppid >= PID_LIMIT)
		return;
	out->ppid = (uint32_t)ppid;
	facts->present |= FACT_BIT(FACT_PPID);
	if (!parent->known)
		return;
	out->parent = parent->process;
	if (!lacks(facts, FACT_PARENT_COMM) || strlen(parent->comm) >= COMM_BYTES)
		return;
	strcpy(facts->parent_comm, parent->comm);
	facts->present |= FACT_BIT(FACT_PARENT_COMM);
}

/* ------------------------------------------------------------------------ all */

static int fill_all(const struct proc_setting *setting, struct proc_facts *out,
		    const struct proc_stat *stat, int dir, struct proc_facts_buffer *buffer)
{
	struct exec_facts *facts = &out->facts;

	fill_stat(facts, stat);
	fill_status(facts, dir, &buffer->lines);
	fill_id_file(facts, dir, "loginuid", FACT_LOGIN_UID, &facts->login_uid);
	fill_id_file(facts, dir, "sessionid", FACT_AUDIT_SESSION, &facts->audit_session);
	fill_namespaces(facts, dir);
	if (lacks(facts, FACT_SECTION + SECTION_CGROUP) ||
	    lacks(facts, FACT_SECTION + SECTION_CGROUP_V1))
		fill_cgroups(setting, out, dir, buffer);
	fill_cwd(out, dir, buffer);
	return fill_exe(setting, out, dir, buffer);
}

void proc_facts_take(const struct proc_setting *setting, int dir, struct proc_facts_buffer *buffer,
		     struct proc_facts *out)
{
	int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	struct proc_stat stat;

	*out = (struct proc_facts){0};
	if (fd < 0)
		return;
	if (!proc_file_stat(fd, &stat))
		fill_all(setting, out, &stat, dir, buffer);
	close(fd);
}

int proc_facts_read(const struct proc_setting *setting, const struct proc_subject *subject,
		    struct proc_facts_buffer *buffer, struct proc_facts *out)
{
	struct proc_stat before, after;
	struct parent parent = {0};
	struct twice twice;
	int err = twice_open(&twice, subject->dir);

	*out = (struct proc_facts){.facts = subject->facts};
	if (!err)
		err = is_subject(subject, &twice, buffer->again, &before);
	if (!err)
		err = fill_all(setting, out, &before, subject->dir, buffer);
	if (!err && lacks(&subject->facts, FACT_PPID))
		read_parent(setting, before.ppid, buffer, &parent);
	if (!err)
		err = is_subject(subject, &twice, buffer->again, &after);
	if (!err && !same_program(&before, &after))
		err = -ESRCH;
	/* A parent that has died in between has left its number, and its child, to others. */
	if (!err && before.ppid == after.ppid)
		fill_parent(out, after.ppid, &parent);
	twice_close(&twice);
	return err;
}
