// SPDX-License-Identifier: Apache-2.0
/* proc_facts.c on real processes: compared with what stat, /proc and the test itself say of them. */
#include "child.h"
#include "proc_facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static struct proc_setting setting;
static struct proc_subject subject;
static struct proc_facts_buffer buffer;
static struct proc_facts got;

#define KNOWS(fact) (got.facts.present & FACT_BIT(fact))

/* ------------------------------------------------------------------- subjects */

/* An event of the process: its name and its whole argv, of n bytes. */
static void subject_is(const char *comm, const void *argv, size_t n)
{
	/* What is not known may hold anything: it is what the last event left there. */
	memset(&subject.facts, 0xa5, sizeof(subject.facts));
	subject.facts.flags = 0;
	subject.facts.present = FACT_BIT(FACT_COMM) | FACT_BIT(FACT_ARGV);
	memset(subject.facts.comm, 0, sizeof(subject.facts.comm));
	assert_true(strlen(comm) < COMM_BYTES);
	strcpy(subject.facts.comm, comm);
	subject.facts.argv_bytes = n;
	subject.argv_len = n < ARGV_MAX ? n : ARGV_MAX;
	memcpy(subject.argv, argv, subject.argv_len);
}

static int fill(pid_t pid)
{
	int err;

	subject.dir = proc_file_open((uint32_t)pid);
	if (subject.dir < 0)
		return subject.dir;
	err = proc_facts_read(&setting, &subject, &buffer, &got);
	close(subject.dir);
	return err;
}

/* The arguments of most children here. */
static const char *const sleeper[] = {"called so", "60", NULL};
#define SLEEPER "called so\0" "60"

static void fill_sleeper(const struct child *child, const char *comm)
{
	subject_is(comm, SLEEPER, sizeof(SLEEPER));
	assert_int_equal(fill(child->pid), 0);
}

/* What is executed by descriptor is called by its number, or since 6.14 by its file's name. */
static void fill_by_descriptor(const struct child *child)
{
	char comm[64];

	child_file(child->pid, "comm", comm, sizeof(comm));
	comm[strlen(comm) - 1] = 0;
	fill_sleeper(child, comm);
}

static void assert_slice(struct slice s, const char *want)
{
	assert_non_null(s.data);
	if (s.len != strlen(want) || memcmp(s.data, want, s.len) != 0)
		fail_msg("\"%.*s\", expected \"%s\"", (int)s.len, s.data, want);
}

static const char *text(const char *format, const char *a)
{
	static char texts[8][PATH_MAX];
	static unsigned next;
	char *t = texts[next++ % 8];

	snprintf(t, PATH_MAX, format, a);
	return t;
}

/* A child that executes a copy of sleep at path. */
static struct child sleep_at(const char *path)
{
	copy_sleep(path);
	return child_start(&(struct child_plan){.path = path, .argv = sleeper});
}

/* ---------------------------------------------------------------------- truth */

static void assert_number(unsigned fact, long long value, long long want, const char *what)
{
	if (!KNOWS(fact))
		fail_msg("%s is not known", what);
	if (value != want)
		fail_msg("%s is %lld, expected %lld", what, value, want);
}

static void assert_ids(pid_t pid)
{
	static const enum exec_id uids[] = {ID_UID, ID_EUID, ID_SUID, ID_FSUID};
	static const enum exec_id gids[] = {ID_GID, ID_EGID, ID_SGID, ID_FSGID};
	unsigned want[2][4];
	char line[128];

	child_status_value(pid, "Uid", line, sizeof(line));
	assert_int_equal(sscanf(line, "%u %u %u %u", &want[0][0], &want[0][1], &want[0][2], &want[0][3]), 4);
	child_status_value(pid, "Gid", line, sizeof(line));
	assert_int_equal(sscanf(line, "%u %u %u %u", &want[1][0], &want[1][1], &want[1][2], &want[1][3]), 4);
	assert_false(KNOWS(FACT_ID + ID_UID)); /* the header has it */
	for (int i = 0; i < 4; i++) {
		if (i)
			assert_number(FACT_ID + uids[i], got.facts.ids[uids[i]], want[0][i], "a uid");
		assert_number(FACT_ID + gids[i], got.facts.ids[gids[i]], want[1][i], "a gid");
	}
}

static void assert_caps(pid_t pid)
{
	static const char *const keys[CAPS_COUNT] = {
		[CAPS_INHERITABLE] = "CapInh",
		[CAPS_PERMITTED] = "CapPrm",
		[CAPS_EFFECTIVE] = "CapEff",
	};
	char value[64], hex[32];

	for (unsigned i = 0; i < CAPS_COUNT; i++) {
		child_status_value(pid, keys[i], value, sizeof(value));
		assert_true(KNOWS(FACT_CAPS + i));
		snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)got.facts.caps[i]);
		assert_string_equal(hex, value);
	}
}

static void assert_namespaces(pid_t pid)
{
	static const char *const names[NS_COUNT] = {
		[NS_MNT] = "mnt", [NS_PID] = "pid",   [NS_NET] = "net",	      [NS_UTS] = "uts",
		[NS_IPC] = "ipc", [NS_USER] = "user", [NS_CGROUP] = "cgroup", [NS_TIME] = "time",
	};
	char path[64];
	struct stat st;

	for (unsigned i = 0; i < NS_COUNT; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		if (stat(path, &st))
			assert_false(KNOWS(FACT_NS + i));
		else
			assert_number(FACT_NS + i, got.facts.ns[i], (long long)st.st_ino, path);
	}
}

/* 4294967295 is "unset", and then there is nothing to tell. */
static void assert_id_file(pid_t pid, const char *name, unsigned fact, uint32_t value)
{
	char path[64], number[32];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	if (access(path, R_OK)) {
		assert_false(KNOWS(fact));
		return;
	}
	child_file(pid, name, number, sizeof(number));
	if (!strcmp(number, "4294967295"))
		assert_false(KNOWS(fact));
	else
		assert_number(fact, value, atoll(number), name);
}

/* What the test mounts and starts here has on these file systems the numbers that stat shows. */
static void assert_file(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	assert_int_equal(stat(path, &st), 0);
	assert_number(FACT_INODE, (long long)got.facts.inode, (long long)st.st_ino, "inode");
	assert_number(FACT_DEV, got.facts.dev, (long long)(major(st.st_dev) << 20 | minor(st.st_dev)), "dev");
	assert_number(FACT_MODE, got.facts.mode, st.st_mode, "mode");
	assert_number(FACT_SIZE, (long long)got.facts.size, st.st_size, "size");
	assert_number(FACT_NLINK, got.facts.nlink, (long long)st.st_nlink, "nlink");
	assert_number(FACT_MTIME, got.facts.mtime_sec, st.st_mtim.tv_sec, "mtime");
	assert_int_equal(got.facts.mtime_nsec, st.st_mtim.tv_nsec);
}

static void assert_flags(bool memfd, bool deleted)
{
	assert_true(KNOWS(FACT_MEMFD) && KNOWS(FACT_DELETED));
	assert_int_equal(!!(got.facts.flags & EXEC_MEMFD), memfd);
	assert_int_equal(!!(got.facts.flags & EXEC_DELETED), deleted);
}

static void assert_path(const char *path)
{
	assert_slice(got.exe, path);
	assert_true(KNOWS(FACT_SECTION + SECTION_EXE));
	assert_false(got.facts.flags & EXEC_TRUNCATED_BIT(SECTION_EXE));
}

/* No path that could be believed, but the file's own name. */
static void assert_only_name(const char *name)
{
	assert_null(got.exe.data);
	assert_slice(got.exe_name, name);
	assert_true(KNOWS(FACT_SECTION + SECTION_EXE));
	assert_true(got.facts.flags & EXEC_TRUNCATED_BIT(SECTION_EXE));
}

static void assert_cwd(const char *path)
{
	assert_slice(got.cwd, path);
	assert_true(KNOWS(FACT_SECTION + SECTION_CWD));
	assert_false(got.facts.flags & EXEC_TRUNCATED_BIT(SECTION_CWD));
}

static void assert_cwd_untold(void)
{
	assert_null(got.cwd.data);
	assert_true(KNOWS(FACT_SECTION + SECTION_CWD));
	assert_true(got.facts.flags & EXEC_TRUNCATED_BIT(SECTION_CWD));
}

/* This test is the parent. */
static void assert_parent(void)
{
	char path[PATH_MAX] = "", name[32] = "", argv[ARGV_MAX];
	size_t n = child_file(getpid(), "cmdline", argv, sizeof(argv));

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_number(FACT_PPID, got.ppid, getpid(), "ppid");
	assert_true(KNOWS(FACT_PARENT_COMM));
	assert_string_equal(got.facts.parent_comm, name);
	assert_slice(got.parent.exe, path);
	assert_int_equal(got.parent.argv.len, n);
	assert_memory_equal(got.parent.argv.data, argv, n);
}

static void assert_all(pid_t pid)
{
	assert_ids(pid);
	assert_caps(pid);
	assert_namespaces(pid);
	assert_id_file(pid, "loginuid", FACT_LOGIN_UID, got.facts.login_uid);
	assert_id_file(pid, "sessionid", FACT_AUDIT_SESSION, got.facts.audit_session);
	assert_number(FACT_PGID, got.facts.pgid, child_stat_field(pid, 5), "pgid");
	assert_number(FACT_SID, got.facts.sid, child_stat_field(pid, 6), "sid");
	assert_file(pid);
	assert_parent();
	/* What only the kernel's hook could have known. */
	assert_false(KNOWS(FACT_START) || KNOWS(FACT_PARENT_START) || KNOWS(FACT_EXEC_ID) ||
		     KNOWS(FACT_PARENT_EXEC_ID) || KNOWS(FACT_PARENT_STACK) || KNOWS(FACT_FS) ||
		     KNOWS(FACT_CGROUP_ID));
}

/* -------------------------------------------------------------- what is filled */

static int chdir_to(void *arg)
{
	return chdir(arg) ? -errno : 0;
}

static void a_processs_facts_are_as_stat_and_proc_have_them(void **state)
{
	const struct timespec times[2] = {{1600000000, 123456789}, {1500000000, 987654321}};
	const char *dir = scratch_directory(), *path = text("%s/the program", dir);
	struct child child;

	(void)state;
	copy_sleep(path);
	assert_int_equal(chmod(path, 0751), 0);
	assert_int_equal(link(path, text("%s/too", dir)), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	child = child_start(&(struct child_plan){.path = path, .argv = sleeper, .prepare = chdir_to, .arg = (void *)dir});
	fill_sleeper(&child, "the program");
	assert_all(child.pid);
	assert_path(path);
	assert_slice(got.exe_name, "the program");
	assert_cwd(dir);
	assert_flags(false, false);
	assert_int_equal(got.facts.mode, 0100751);
	assert_int_equal(got.facts.nlink, 2);
	assert_true(got.facts.mtime_sec == 1500000000 && got.facts.mtime_nsec == 987654321);
	assert_int_equal(got.facts.namespace_pid, child.pid);
	assert_false(KNOWS(FACT_TTY));
	child_stop(&child);
}

static int become_somebody(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	(void)arg;
	if (prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) || syscall(SYS_capget, &header, data))
		return -errno;
	data[0].inheritable = 1U << CAP_NET_RAW;
	if (syscall(SYS_capset, &header, data) || setpgid(0, 0) || setresgid(1001, 1002, 1003) ||
	    setresuid(2001, 0, 2003))
		return -errno;
	return 0;
}

static bool root(void)
{
	if (!geteuid())
		return true;
	print_message("skipped: not root\n");
	return false;
}

static void ids_groups_and_capabilities_are_told_apart(void **state)
{
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = become_somebody});
	fill_sleeper(&child, "sleep");
	assert_all(child.pid);
	assert_int_equal(got.facts.ids[ID_EUID], 0);
	assert_int_equal(got.facts.ids[ID_GID], 1001);
	assert_int_equal(got.facts.ids[ID_EGID], 1002);
	assert_int_equal(got.facts.pgid, child.pid);
	assert_int_not_equal(got.facts.sid, child.pid);
	assert_true(got.facts.caps[CAPS_INHERITABLE] == 1ULL << CAP_NET_RAW);
	assert_true(got.facts.caps[CAPS_EFFECTIVE] && !(got.facts.caps[CAPS_PERMITTED] & 1ULL << CAP_KILL));
	child_stop(&child);
}

static int become_the_highest(void *arg)
{
	(void)arg;
	return setresgid(4294967294U, 4294967293U, 4294967293U) ||
			       setresuid(4294967292U, 4294967291U, 4294967291U) ?
		       -errno : 0;
}

static void ids_above_two_to_the_31_are_right(void **state)
{
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = become_the_highest});
	fill_sleeper(&child, "sleep");
	assert_ids(child.pid);
	assert_true(got.facts.ids[ID_GID] == 4294967294U && got.facts.ids[ID_EUID] == 4294967291U);
	child_stop(&child);
}

static int log_in(void *arg)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	(void)arg;
	return fd < 0 || write(fd, "5005", 4) != 4 ? -errno : 0;
}

static void a_login_is_told(void **state)
{
	struct child child;

	(void)state;
	if (!root() || access("/proc/self/loginuid", W_OK)) {
		print_message("skipped: no audit in this kernel\n");
		skip();
	}
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = log_in});
	fill_sleeper(&child, "sleep");
	assert_number(FACT_LOGIN_UID, got.facts.login_uid, 5005, "login uid");
	assert_id_file(child.pid, "sessionid", FACT_AUDIT_SESSION, got.facts.audit_session);
	assert_true(KNOWS(FACT_AUDIT_SESSION));
	child_stop(&child);
}

/* Longer than what is kept of a line, and than one read: what follows them is found all the same. */
static int join_many_groups(void *arg)
{
	size_t n = *(size_t *)arg;
	gid_t *groups = calloc(n, sizeof(*groups));

	for (size_t i = 0; groups && i < n; i++)
		groups[i] = (gid_t)(4000000000U - i);
	return !groups || setgroups(n, groups) ? -errno : 0;
}

static void many_groups_hide_nothing(void **state)
{
	size_t n = 4000;
	struct child_plan plan = {.path = "/bin/sleep", .argv = sleeper, .prepare = join_many_groups, .arg = &n};
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&plan);
	fill_sleeper(&child, "sleep");
	assert_all(child.pid);
	assert_int_equal(got.facts.namespace_pid, child.pid);
	child_stop(&child);
	n = 65536; /* more than is read of any file: then it is not known */
	child = child_start(&plan);
	fill_sleeper(&child, "sleep");
	assert_ids(child.pid);
	assert_file(child.pid);
	if (KNOWS(FACT_NAMESPACE_PID))
		assert_int_equal(got.facts.namespace_pid, child.pid);
	child_stop(&child);
}

/* ------------------------------------------------------------------- terminals */

static int take_terminal(void *arg)
{
	int *master = arg, slave;

	if (setsid() < 0)
		return -errno;
	slave = open(ptsname(*master), O_RDWR | O_CLOEXEC);
	return slave < 0 || ioctl(slave, TIOCSCTTY, 0) ? -errno : 0;
}

/* struct tty_struct calls /dev/pts/N "ptsN". */
static void the_controlling_terminal_is_told(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	unsigned number;
	char want[32];
	struct child child;

	(void)state;
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	assert_int_equal(ioctl(master, TIOCGPTN, &number), 0);
	snprintf(want, sizeof(want), "pts%u", number);
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = take_terminal, .arg = &master});
	fill_sleeper(&child, "sleep");
	assert_true(KNOWS(FACT_TTY));
	assert_string_equal(got.facts.tty, want);
	assert_int_equal(got.facts.sid, child.pid);
	child_stop(&child);
	close(master);
}

/* The device's number as stat has it (proc(5)): minor in bits 31 to 20 and 7 to 0. */
static uint32_t tty_number(unsigned major_number, unsigned minor_number)
{
	return (minor_number & 0xff) | major_number << 8 | (minor_number & ~0xffU) << 12;
}

/* Devices in sysfs are called as their tty_struct is, but for those that stand for another one. */
static void terminals_are_called_as_sysfs_calls_them(void **state)
{
	DIR *ttys = opendir("/sys/class/tty");
	unsigned named = 0, major_number, minor_number;
	struct dirent *entry;
	char path[512], name[TTY_BYTES];
	FILE *f;

	(void)state;
	while (ttys && (entry = readdir(ttys))) {
		snprintf(path, sizeof(path), "/sys/class/tty/%s/dev", entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		assert_int_equal(fscanf(f, "%u:%u", &major_number, &minor_number), 2);
		fclose(f);
		if (!proc_terminal_name(tty_number(major_number, minor_number), name, sizeof(name)))
			continue;
		assert_string_equal(name, entry->d_name);
		named++;
	}
	if (ttys)
		closedir(ttys);
	if (!named)
		print_message("no terminal in /sys/class/tty to compare with\n");
	assert_false(proc_terminal_name(0, name, sizeof(name)));
	assert_false(proc_terminal_name(tty_number(4, 0), name, sizeof(name)));
	assert_false(proc_terminal_name(tty_number(5, 0), name, sizeof(name)));
	assert_false(proc_terminal_name(tty_number(204, 64), name, sizeof(name)));
	assert_true(proc_terminal_name(tty_number(136, 1048575), name, sizeof(name)));
	assert_string_equal(name, "pts1048575");
	assert_true(proc_terminal_name(tty_number(137, 3), name, sizeof(name)));
	assert_string_equal(name, "pts259");
	assert_true(proc_terminal_name(tty_number(229, 0), name, sizeof(name)));
	assert_string_equal(name, "hvc0");
}

/* ----------------------------------------------------------------------- lines */

/* The lines of a file with these lengths, each of the letter of its place. */
static void assert_lines(const char *dir, size_t step, const size_t *lengths, size_t count)
{
	static struct proc_lines lines;
	char *line;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(proc_lines_open(&lines, fd, "lines", step), 0);
	for (size_t i = 0; i < count; i++) {
		if (lengths[i] >= PROC_LINE_MAX)
			continue;
		line = proc_lines_next(&lines);
		assert_non_null(line);
		assert_int_equal(strlen(line), lengths[i]);
		for (size_t at = 0; at < lengths[i]; at++)
			assert_int_equal(line[at], 'a' + i);
	}
	assert_null(proc_lines_next(&lines));
	assert_null(proc_lines_next(&lines));
	proc_lines_close(&lines);
	close(fd);
}

/* What is behind the part that fits would be another line, of the process's choice. */
static void a_line_that_is_too_long_is_left_out_whole(void **state)
{
	static const size_t steps[] = {1, 7, 256, 4096, PROC_LINE_MAX, 100000};
	const size_t lengths[] = {
		3, 0, PROC_LINE_MAX - 1, PROC_LINE_MAX, 5, 3 * PROC_LINE_MAX, 20000, 1, PROC_LINE_MAX + 1, 7, 0,
	};
	const size_t count = sizeof(lengths) / sizeof(lengths[0]);
	const char *dir = scratch_directory();
	FILE *f = fopen(text("%s/lines", dir), "we");

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < count; i++) {
		for (size_t at = 0; at < lengths[i]; at++)
			fputc('a' + (int)i, f);
		fputc('\n', f);
	}
	fputs("without an end", f);
	fclose(f);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_lines(dir, steps[i], lengths, count);
}

static void no_more_than_the_limit_is_read(void **state)
{
	static struct proc_lines lines;
	const char *dir = scratch_directory();
	FILE *f = fopen(text("%s/lines", dir), "we");
	size_t n = 0;
	int fd;

	(void)state;
	for (int i = 0; i < 2 * PROC_LINES_MAX / 16; i++)
		fputs("fifteen letters\n", f);
	fclose(f);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(proc_lines_open(&lines, fd, "lines", 1000), 0);
	while (proc_lines_next(&lines))
		n++;
	proc_lines_close(&lines);
	close(fd);
	assert_int_equal(n, PROC_LINES_MAX / 16);
}

/* ------------------------------------------------------------------------ argv */

static void assert_argv_is_believed(const char *const *argv, const void *bytes, size_t n)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = argv});

	subject_is("sleep", bytes, n);
	assert_int_equal(fill(child.pid), 0);
	assert_all(child.pid);
	child_stop(&child);
}

static void empty_and_odd_arguments_are_compared_exactly(void **state)
{
	(void)state;
	assert_argv_is_believed((const char *const[]){"", "60", "0", NULL}, "\0" "60\0" "0", 6);
	assert_argv_is_believed((const char *const[]){"\xff\xfe\n ' \"", "60", NULL}, "\xff\xfe\n ' \"\0" "60", 11);
	assert_argv_is_believed((const char *const[]){"s", "6", "1", "1", "1", "1", NULL}, "s\0" "6\0" "1\0" "1\0" "1\0" "1", 12);
}

static void a_program_whose_last_arguments_are_empty_is_believed(void **state)
{
	struct child child = child_start(&(struct child_plan){
		.path = "/bin/sh", .argv = (const char *const[]){"", "-c", "sleep 60; :", "", "", "", NULL}});

	(void)state;
	subject_is("sh", "\0-c\0sleep 60; :\0\0\0", 19);
	assert_int_equal(fill(child.pid), 0);
	assert_all(child.pid);
	/* One empty argument more, or one less, is another argv. */
	subject_is("sh", "\0-c\0sleep 60; :\0\0\0\0", 20);
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sh", "\0-c\0sleep 60; :\0\0", 18);
	assert_int_equal(fill(child.pid), -ESRCH);
	child_stop(&child);
}

enum { BIG = 3 * ARGV_MAX };

static void an_argv_of_which_the_record_has_the_beginning_is_compared_with_its_length(void **state)
{
	static char big[BIG], bytes[BIG + 64];
	size_t n = 0;
	struct child child;

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	for (const char *const *at = (const char *const[]){"sh", "-c", "sleep 60; :", big, NULL}; *at; at++) {
		memcpy(bytes + n, *at, strlen(*at) + 1);
		n += strlen(*at) + 1;
	}
	child = child_start(&(struct child_plan){.path = "/bin/sh", .argv = (const char *const[]){"sh", "-c", "sleep 60; :", big, NULL}});
	subject_is("sh", bytes, n);
	assert_int_equal(subject.argv_len, ARGV_MAX);
	assert_int_equal(fill(child.pid), 0);
	assert_all(child.pid);
	for (int i = -1; i <= 1; i += 2) {
		subject.facts.argv_bytes = n + (size_t)i;
		assert_int_equal(fill(child.pid), -ESRCH);
	}
	subject.facts.argv_bytes = ARGV_MAX;
	assert_int_equal(fill(child.pid), -ESRCH);
	subject.facts.argv_bytes = UINT64_MAX;
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sh", bytes, n);
	subject.argv[ARGV_MAX - 1] = 'c';
	assert_int_equal(fill(child.pid), -ESRCH);
	/* Parts carry what they carry: less is compared with less. */
	subject_is("sh", bytes, n);
	subject.argv_len = 7;
	assert_int_equal(fill(child.pid), 0);
	child_stop(&child);
}

static void exactly_as_much_as_a_record_carries_is_believed(void **state)
{
	static char big[ARGV_MAX], bytes[ARGV_MAX];
	const size_t before = sizeof("sh\0-c\0sleep 60; :");
	struct child child;

	(void)state;
	memcpy(bytes, "sh\0-c\0sleep 60; :", before);
	memset(big, 'b', ARGV_MAX - before - 1);
	memset(bytes + before, 'b', ARGV_MAX - before - 1);
	child = child_start(&(struct child_plan){.path = "/bin/sh", .argv = (const char *const[]){"sh", "-c", "sleep 60; :", big, NULL}});
	subject_is("sh", bytes, sizeof(bytes));
	assert_int_equal(subject.facts.argv_bytes, ARGV_MAX);
	assert_int_equal(fill(child.pid), 0);
	child_stop(&child);
}

/* ---------------------------------------------------------------------- belief */

static void another_program_is_not_believed(void **state)
{
	uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	uint64_t start = (uint64_t)child_stat_field(child.pid, 22) * tick;

	(void)state;
	fill_sleeper(&child, "sleep");
	subject_is("slee", SLEEPER, sizeof(SLEEPER));
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sleep ", SLEEPER, sizeof(SLEEPER));
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sleep", "called so\0" "61", sizeof(SLEEPER));
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sleep", SLEEPER, sizeof(SLEEPER) - 1);
	assert_int_equal(fill(child.pid), -ESRCH);
	subject_is("sleep", SLEEPER "\0", sizeof(SLEEPER) + 1);
	assert_int_equal(fill(child.pid), -ESRCH);
	/* Where the kernel told the start, that too. */
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	subject.facts.present |= FACT_BIT(FACT_START);
	for (int i = -1; i <= 1; i++) {
		subject.facts.start_ns = start + (uint64_t)((int64_t)tick * i);
		assert_int_equal(fill(child.pid), i ? -ESRCH : 0);
	}
	child_stop(&child);
}

static void a_process_that_has_ended_is_not_believed(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	siginfo_t info;
	int dir;

	(void)state;
	dir = proc_file_open((uint32_t)child.pid);
	assert_true(dir >= 0);
	kill(child.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	assert_true(fill(child.pid) < 0);
	waitpid(child.pid, NULL, 0);
	assert_true(fill(child.pid) < 0);
	/* Through a descriptor from before. */
	subject.dir = dir;
	assert_true(proc_facts_read(&setting, &subject, &buffer, &got) < 0);
	close(dir);
}

/* The program's own roles, for what a process does to itself: main. */
static struct child start_role(const char *role, const char *argument, char *path, size_t size)
{
	const char *const argv[] = {argument, "second", NULL};
	struct child child;
	int status;

	assert_true(readlink("/proc/self/exe", path, size - 1) > 0);
	setenv("CORMORANT_TEST_ROLE", role, 1);
	child = child_start(&(struct child_plan){.path = path, .argv = argv});
	unsetenv("CORMORANT_TEST_ROLE");
	assert_int_equal(waitpid(child.pid, &status, WUNTRACED), child.pid);
	assert_true(WIFSTOPPED(status));
	return child;
}

static void a_process_that_changes_itself_is_not_believed(void **state)
{
	static const struct {
		const char *role;
		int want;
	} cases[] = {
		{"idle", 0}, {"overwrite", -ESRCH}, {"title", -ESRCH}, {"rename", -ESRCH}, {"sleep", -ESRCH},
	};
	char path[PATH_MAX] = "", comm[COMM_BYTES] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child child = start_role(cases[i].role, "argument", path, sizeof(path));

		memcpy(comm, strrchr(path, '/') + 1, strnlen(strrchr(path, '/') + 1, COMM_BYTES - 1));
		subject_is(comm, "argument\0second", 16);
		if (fill(child.pid) != cases[i].want)
			fail_msg("%s", cases[i].role);
		child_stop(&child);
	}
}

/* At an exec some ids become others: only later can all eight differ. */
static void eight_different_ids_are_told_apart(void **state)
{
	static const uint32_t want[ID_COUNT] = {
		[ID_UID] = 2001, [ID_EUID] = 2002, [ID_SUID] = 2003, [ID_FSUID] = 2001,
		[ID_GID] = 1001, [ID_EGID] = 1002, [ID_SGID] = 1003, [ID_FSGID] = 1004,
	};
	char path[PATH_MAX] = "", comm[COMM_BYTES] = "";
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = start_role("ids", "argument", path, sizeof(path));
	memcpy(comm, strrchr(path, '/') + 1, strnlen(strrchr(path, '/') + 1, COMM_BYTES - 1));
	subject_is(comm, "argument\0second", 16);
	assert_int_equal(fill(child.pid), 0);
	for (unsigned i = 0; i < ID_COUNT; i++)
		if (i != ID_UID)
			assert_number(FACT_ID + i, got.facts.ids[i], want[i], "an id");
	child_stop(&child);
}

/*
 * Two programs of one name and argv take turns in one process, as fast as they can. What is
 * believed must be of one of them, whole.
 */
static void two_programs_in_turn_are_never_mixed(void **state)
{
	static const char script[] =
		"if [ $N = 2 ]; then N=1; exec -a x $D/1/prog s; else N=2; exec -a x $D/2/prog s; fi";
	const char *dir = scratch_directory();
	unsigned believed[2] = {0}, tried = 0;
	struct stat files[2];
	struct text out = {0};
	struct child child;
	struct timespec now;
	time_t end;
	int fd;

	(void)state;
	if (access("/bin/bash", X_OK)) {
		print_message("skipped: no bash\n");
		skip();
	}
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%d", dir, i + 1);
		assert_int_equal(mkdir(path, 0755), 0);
		strcat(path, "/prog");
		program_output((const char *const[]){"/bin/cp", "/bin/bash", path, NULL}, &out);
		assert_int_equal(stat(path, &files[i]), 0);
	}
	fd = open(text("%s/s", dir), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	close(fd);
	setenv("D", dir, 1);
	setenv("N", "1", 1);
	child = child_start(&(struct child_plan){.path = text("%s/1/prog", dir), .argv = (const char *const[]){"x", "s", NULL}, .prepare = chdir_to, .arg = (void *)dir});
	unsetenv("D");
	unsetenv("N");
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (end = now.tv_sec + 2; now.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &now)) {
		int which;

		subject_is("prog", "x\0s", 4);
		tried++;
		if (fill(child.pid))
			continue;
		assert_non_null(got.exe.data);
		which = got.exe.data[strlen(dir) + 1] - '1';
		assert_in_range(which, 0, 1);
		believed[which]++;
		assert_int_equal(got.facts.inode, files[which].st_ino);
		assert_true(got.facts.mtime_sec == files[which].st_mtim.tv_sec &&
			    got.facts.mtime_nsec == files[which].st_mtim.tv_nsec);
	}
	print_message("%u tries, believed: %u and %u\n", tried, believed[0], believed[1]);
	child_stop(&child);
	text_free(&out);
}

static void a_comm_that_looks_like_stat_is_only_a_comm(void **state)
{
	static const char *const names[] = {"a) R 1 1 (b", ")", "(", "x y", "))((", "a\tb", "1\n2) S 3", "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = text("%s/", scratch_directory());
		char whole[PATH_MAX];
		struct child child;

		snprintf(whole, sizeof(whole), "%s%s", path, names[i]);
		child = sleep_at(whole);
		fill_sleeper(&child, names[i]);
		assert_path(whole);
		assert_all(child.pid);
		child_stop(&child);
	}
}

/* ---------------------------------------------------------- what is there stays */

static void what_the_record_has_is_neither_read_nor_changed(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	struct exec_facts had;

	(void)state;
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	subject.facts.present = (FACT_BIT(FACT_COUNT) - 1) & ~FACT_BIT(FACT_START) &
				~FACT_BIT(FACT_DEV) & ~FACT_BIT(FACT_SECTION + SECTION_EXE);
	had = subject.facts;
	assert_int_equal(fill(child.pid), 0);
	assert_true(got.facts.present == (had.present | FACT_BIT(FACT_DEV) | FACT_BIT(FACT_INODE) |
					  FACT_BIT(FACT_SECTION + SECTION_EXE)));
	had.present = got.facts.present;
	had.dev = got.facts.dev;
	had.inode = got.facts.inode;
	assert_memory_equal(&had, &got.facts, sizeof(had));
	assert_slice(got.exe, "/usr/bin/sleep");
	assert_null(got.cwd.data);
	assert_null(got.cgroup.data);
	assert_null(got.parent.exe.data);
	assert_null(got.parent.argv.data);
	child_stop(&child);
}

static void a_file_that_the_kernel_knew_to_be_another_is_not_believed(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	struct stat st;

	(void)state;
	assert_int_equal(stat("/bin/sleep", &st), 0);
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	subject.facts.present |= FACT_BIT(FACT_DEV) | FACT_BIT(FACT_INODE);
	subject.facts.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	subject.facts.inode = st.st_ino;
	assert_int_equal(fill(child.pid), 0);
	assert_slice(got.exe, "/usr/bin/sleep");
	subject.facts.inode++;
	assert_int_equal(fill(child.pid), -ESRCH);
	child_stop(&child);
}

/* ----------------------------------------------------------------------- paths */

static void a_deleted_program_keeps_its_path_without_a_suffix(void **state)
{
	static const char *const names[] = {"gone", "gone (deleted)"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char path[PATH_MAX];
		struct child child;

		snprintf(path, sizeof(path), "%s/%s", scratch_directory(), names[i]);
		child = sleep_at(path);
		assert_int_equal(unlink(path), 0);
		fill_sleeper(&child, names[i]);
		assert_path(path);
		assert_slice(got.exe_name, names[i]);
		assert_flags(false, true);
		assert_int_equal(got.facts.nlink, 0);
		assert_all(child.pid);
		child_stop(&child);
	}
}

static void a_deleted_program_is_not_another_that_came_in_its_place(void **state)
{
	const char *path = text("%s/prog", scratch_directory());
	struct child child = sleep_at(path);

	(void)state;
	assert_int_equal(unlink(path), 0);
	copy_sleep(path);
	fill_sleeper(&child, "prog");
	assert_path(path);
	assert_flags(false, true);
	assert_file(child.pid);
	child_stop(&child);
}

static void a_program_really_called_deleted_is_not(void **state)
{
	const char *path = text("%s/real (deleted)", scratch_directory());
	struct child child = sleep_at(path);

	(void)state;
	fill_sleeper(&child, "real (deleted)");
	assert_path(path);
	assert_flags(false, false);
	child_stop(&child);
}

/* The suffix may be the kernel's or the name's: neither is told, nor anything of a file without a name. */
static void one_of_two_links_deleted_is_unknown(void **state)
{
	const char *dir = scratch_directory(), *path = text("%s/prog", dir);
	struct child child = sleep_at(path);

	(void)state;
	assert_int_equal(link(path, text("%s/stays", dir)), 0);
	assert_int_equal(unlink(path), 0);
	fill_sleeper(&child, "prog");
	assert_null(got.exe.data);
	assert_null(got.exe_name.data);
	assert_false(KNOWS(FACT_SECTION + SECTION_EXE) || KNOWS(FACT_INODE) || KNOWS(FACT_DELETED));
	assert_ids(child.pid);
	child_stop(&child);
}

static void a_renamed_program_has_its_new_path(void **state)
{
	const char *dir = scratch_directory(), *path = text("%s/prog", dir), *now = text("%s/new", dir);
	struct child child = sleep_at(path);

	(void)state;
	assert_int_equal(rename(path, now), 0);
	fill_sleeper(&child, "prog");
	assert_path(now);
	child_stop(&child);
}

/* maps writes a newline as \012 and a backslash as it is. */
static void names_of_any_bytes_are_found_in_maps(void **state)
{
	static const char *const names[] = {
		"a\nb", "a\\012b", "\n", "\\", " a  b ", "\xff\xfe", "- 00:00 0", "\x01\x1b[31m", "a\\\nb",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];
		struct child child;

		snprintf(path, sizeof(path), "%s/%s", scratch_directory(), names[i]);
		child = sleep_at(path);
		fill_sleeper(&child, names[i]);
		assert_path(path);
		assert_file(child.pid);
		child_stop(&child);
	}
}

/* A process may map anything below its program. */
static void the_number_is_the_programs_whatever_is_mapped_below_it(void **state)
{
	const char *other = text("%s/other", scratch_directory());
	char path[PATH_MAX] = "", comm[COMM_BYTES] = "", argv[PATH_MAX], maps[4096];
	struct child child;
	size_t n;

	(void)state;
	copy_sleep(other);
	child = start_role("low", other, path, sizeof(path));
	child_file(child.pid, "maps", maps, sizeof(maps));
	maps[strcspn(maps, "\n")] = 0;
	if (!strstr(maps, "/other")) {
		print_message("skipped: nothing can be mapped there: %s\n", maps);
		child_stop(&child);
		skip();
	}
	memcpy(comm, strrchr(path, '/') + 1, strnlen(strrchr(path, '/') + 1, COMM_BYTES - 1));
	n = child_file(child.pid, "cmdline", argv, sizeof(argv));
	subject_is(comm, argv, n);
	assert_int_equal(fill(child.pid), 0);
	assert_path(path);
	assert_file(child.pid);
	child_stop(&child);
}

static void a_path_too_long_to_be_shown_is_left_out(void **state)
{
	char name[201];
	struct child child;

	(void)state;
	memset(name, 'n', 200);
	name[200] = 0;
	assert_int_equal(chdir(scratch_directory()), 0);
	for (int i = 0; i < 30; i++)
		assert_true(!mkdir(name, 0755) && !chdir(name));
	copy_sleep("./prog");
	child = child_start(&(struct child_plan){.path = "./prog", .argv = sleeper});
	assert_int_equal(chdir("/"), 0);
	fill_sleeper(&child, "prog");
	assert_null(got.exe.data);
	assert_null(got.exe_name.data);
	assert_null(got.cwd.data);
	assert_ids(child.pid);
	child_stop(&child);
}

/* The longest that is shown. */
static void a_path_of_almost_a_page_is_whole_or_left_out(void **state)
{
	char name[201], path[PATH_MAX] = "";
	struct child child;

	(void)state;
	memset(name, 'n', 200);
	name[200] = 0;
	assert_int_equal(chdir(scratch_directory()), 0);
	assert_non_null(getcwd(path, sizeof(path)));
	while (strlen(path) + 202 < 4090) {
		assert_true(!mkdir(name, 0755) && !chdir(name));
		strcat(strcat(path, "/"), name);
	}
	name[4089 - strlen(path)] = 0;
	strcat(strcat(path, "/"), name);
	copy_sleep(name);
	child = child_start(&(struct child_plan){.path = name, .argv = sleeper});
	assert_int_equal(chdir("/"), 0);
	name[15] = 0;
	fill_sleeper(&child, name);
	assert_int_equal(strlen(path), 4090);
	assert_path(path);
	assert_file(child.pid);
	child_stop(&child);
}

static int remove_directory(void *arg)
{
	return chdir(arg) || rmdir(arg) ? -errno : 0;
}

static void a_deleted_working_directory_has_its_path(void **state)
{
	const char *dir = scratch_directory();
	struct child child;

	(void)state;
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = remove_directory, .arg = (void *)dir});
	fill_sleeper(&child, "sleep");
	assert_cwd(dir);
	child_stop(&child);
	/* And one that is called so. */
	dir = text("%s/x (deleted)", scratch_directory());
	assert_int_equal(mkdir(dir, 0755), 0);
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = chdir_to, .arg = (void *)dir});
	fill_sleeper(&child, "sleep");
	assert_cwd(dir);
	child_stop(&child);
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = chdir_to, .arg = "/"});
	fill_sleeper(&child, "sleep");
	assert_cwd("/");
	child_stop(&child);
}

/* ---------------------------------------------------------------------- memfds */

static int memfd_with_sleep(const char *name)
{
	int from = open("/bin/sleep", O_RDONLY | O_CLOEXEC), fd = memfd_create(name, MFD_CLOEXEC);
	char bytes[65536];
	ssize_t n;

	assert_true(from >= 0 && fd >= 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(fd, bytes, (size_t)n), n);
	close(from);
	return fd;
}

/* As the kernel's own variants tell it: /memfd:NAME, deleted, and a memfd. */
static void a_memfd_is_marked(void **state)
{
	static const char *const names[] = {"a name", "", "with/slash", "x (deleted)", "new\nline"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = memfd_with_sleep(names[i]);
		struct child child = child_start(&(struct child_plan){.exec_fd = fd, .argv = sleeper});

		close(fd);
		fill_by_descriptor(&child);
		assert_path(text("/memfd:%s", names[i]));
		assert_flags(true, true);
		assert_int_equal(got.facts.nlink, 0);
		assert_all(child.pid);
		child_stop(&child);
	}
}

static void a_file_called_memfd_is_none(void **state)
{
	const char *path = text("%s/memfd:x", scratch_directory());
	struct child child = sleep_at(path);

	(void)state;
	fill_sleeper(&child, "memfd:x");
	assert_path(path);
	assert_flags(false, false);
	assert_int_equal(unlink(path), 0);
	fill_sleeper(&child, "memfd:x");
	assert_path(path);
	assert_flags(false, true);
	child_stop(&child);
}

/* ---------------------------------------------------------------------- mounts */

static int private_mounts(void)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

static int copy_in_child(const char *path)
{
	int from = open("/bin/sleep", O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char bytes[65536];
	ssize_t n;

	while (from >= 0 && to >= 0 && (n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return -errno;
	if (from < 0 || to < 0)
		return -errno;
	close(from);
	close(to);
	return 0;
}

/* A file system of the child's own, the program in it. */
static int mount_own(void *arg)
{
	int why = private_mounts();

	if (why || mount("tmpfs", arg, "tmpfs", 0, "mode=755") || chdir(arg))
		return why ? why : -errno;
	return copy_in_child("prog");
}

static void in_a_mount_namespace_of_its_own_the_paths_are_that_namespaces(void **state)
{
	const char *dir = scratch_directory(), *path = text("%s/prog", dir);
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = path, .argv = sleeper, .prepare = mount_own, .arg = (void *)dir});
	assert_int_equal(access(path, F_OK), -1);
	fill_sleeper(&child, "prog");
	assert_path(path);
	assert_cwd(dir);
	assert_all(child.pid);
	child_stop(&child);
}

/* One program in two places: the one that is executed lies on a mount that is hidden by now. */
static int hide_own(void *arg)
{
	int why = mount_own(arg), fd;

	fd = why ? -1 : open("prog", O_PATH);
	if (!why && (dup2(fd, 100) < 0 || mount("tmpfs", arg, "tmpfs", 0, "mode=755")))
		why = -errno;
	return why;
}

static void what_a_mount_hides_has_no_path_that_leads_elsewhere(void **state)
{
	const char *dir = scratch_directory();
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.exec_fd = 100, .argv = sleeper, .prepare = hide_own, .arg = (void *)dir});
	fill_by_descriptor(&child);
	assert_only_name("prog");
	assert_cwd_untold();
	assert_flags(false, false);
	child_stop(&child);
}

/* A mount that is taken out of the tree while somebody is in it looks like a root. */
static int detach_own(void *arg)
{
	int why = private_mounts();

	if (why || mount("tmpfs", arg, "tmpfs", 0, "mode=755") || chdir(arg) || mkdir("usr", 0755) || mkdir("usr/bin", 0755))
		return why ? why : -errno;
	why = copy_in_child("usr/bin/sleep");
	return why || chdir("usr") || umount2(arg, MNT_DETACH) ? (why ? why : -errno) : 0;
}

/* The same, and what is executed has no name any more: nothing is left to look up. */
static int detach_and_delete(void *arg)
{
	int why = detach_own(arg), fd = why ? -1 : open("bin/sleep", O_PATH);

	if (!why && (dup2(fd, 100) < 0 || unlink("bin/sleep") || chdir("bin") || rmdir("../bin")))
		why = -errno;
	return why;
}

static void what_is_on_a_detached_mount_has_no_false_path(void **state)
{
	const char *dir = scratch_directory();
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "bin/sleep", .argv = sleeper, .prepare = detach_own, .arg = (void *)dir});
	fill_sleeper(&child, "sleep");
	assert_only_name("sleep");
	assert_cwd_untold();
	assert_flags(false, false);
	assert_file(child.pid);
	child_stop(&child);
	child = child_start(&(struct child_plan){.exec_fd = 100, .argv = sleeper, .prepare = detach_and_delete, .arg = (void *)dir});
	fill_by_descriptor(&child);
	assert_only_name("sleep");
	assert_cwd_untold();
	assert_flags(false, true);
	child_stop(&child);
}

/* At the root of a detached mount, deleted, and called as a memfd is: it is shown in the very same way. */
static int detach_like_a_memfd(void *arg)
{
	int why = private_mounts(), fd;

	if (why || mount("tmpfs", arg, "tmpfs", 0, "mode=755") || chdir(arg))
		return why ? why : -errno;
	why = copy_in_child("memfd:x");
	fd = why ? -1 : open("memfd:x", O_PATH);
	if (why || dup2(fd, 100) < 0 || unlink("memfd:x") || umount2(arg, MNT_DETACH))
		return why ? why : -errno;
	return 0;
}

static void a_detached_file_is_no_memfd(void **state)
{
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.exec_fd = 100, .argv = sleeper, .prepare = detach_like_a_memfd, .arg = (void *)scratch_directory()});
	fill_by_descriptor(&child);
	assert_only_name("memfd:x");
	assert_flags(false, true);
	child_stop(&child);
}

/* The whole tree bound below a directory, which becomes the root. */
static int change_root(void *arg)
{
	int why = private_mounts();

	if (why || mount("/", arg, NULL, MS_BIND | MS_REC, NULL) || chroot(arg) || chdir("/tmp"))
		return why ? why : -errno;
	return 0;
}

static void in_a_chroot_there_are_only_names(void **state)
{
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = change_root, .arg = (void *)scratch_directory()});
	fill_sleeper(&child, "sleep");
	assert_only_name("sleep");
	assert_cwd_untold();
	assert_all(child.pid);
	child_stop(&child);
}

/* stat's numbers are the overlay's, the kernel's may be a layer's: maps has those. */
static int mount_overlay(void *arg)
{
	char options[PATH_MAX * 3];
	int why = private_mounts();

	if (why || mount("tmpfs", arg, "tmpfs", 0, "mode=755") || chdir(arg) || mkdir("lower", 0755) ||
	    mkdir("upper", 0755) || mkdir("work", 0755) || mkdir("merged", 0755))
		return why ? why : -errno;
	why = copy_in_child("lower/prog");
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", (char *)arg, (char *)arg, (char *)arg);
	return why || mount("overlay", "merged", "overlay", 0, options) || chdir("merged") ? (why ? why : -errno) : 0;
}

static void on_overlayfs_the_number_is_that_of_maps(void **state)
{
	const char *dir = scratch_directory(), *path = text("%s/merged/prog", dir);
	struct child_plan plan = {.path = path, .argv = sleeper, .prepare = mount_overlay, .arg = (void *)dir};
	unsigned major_number, minor_number;
	unsigned long long inode;
	char maps[4096];
	struct child child;

	(void)state;
	if (!root())
		skip();
	child = child_try_start(&plan);
	if (child.errnum) {
		print_message("skipped: no overlayfs here (%s)\n", strerror(child.errnum));
		skip();
	}
	fill_sleeper(&child, "prog");
	assert_path(path);
	child_file(child.pid, "maps", maps, sizeof(maps));
	assert_int_equal(sscanf(maps, "%*s %*s %*s %x:%x %llu", &major_number, &minor_number, &inode), 3);
	assert_number(FACT_DEV, got.facts.dev, major_number << 20 | minor_number, "dev");
	assert_number(FACT_INODE, (long long)got.facts.inode, (long long)inode, "inode");
	child_stop(&child);
}

/* ------------------------------------------------------------------ namespaces */

static void other_namespaces_are_told(void **state)
{
	static const unsigned long flags[] = {
		CLONE_NEWPID, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWUSER,
		CLONE_NEWNS, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWUTS,
	};
	unsigned told = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct child child = child_try_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .clone_flags = flags[i]});

		if (child.errnum)
			continue;
		fill_sleeper(&child, "sleep");
		assert_all(child.pid);
		assert_int_equal(got.facts.namespace_pid, flags[i] & CLONE_NEWPID ? 1 : child.pid);
		told++;
		child_stop(&child);
	}
	if (!told) {
		print_message("skipped: no namespace can be made here\n");
		skip();
	}
}

/* A namespace of its own for children: unshare alone does not move the process itself. */
static int unshare_pids(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWPID) ? -errno : 0;
}

static void the_pid_namespace_is_the_processs_not_its_childrens(void **state)
{
	struct child child;
	struct stat own;

	(void)state;
	if (!root())
		skip();
	assert_int_equal(stat("/proc/self/ns/pid", &own), 0);
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = unshare_pids});
	fill_sleeper(&child, "sleep");
	assert_number(FACT_NS + NS_PID, got.facts.ns[NS_PID], (long long)own.st_ino, "pid namespace");
	child_stop(&child);
}

/* --------------------------------------------------------------------- cgroups */

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A cgroup below where a hierarchy of this type is mounted. False if none can be made. */
static bool make_cgroup(const char *type, const char *option, const char *name, char *dir, size_t size)
{
	char line[4096], point[1024], kind[64], options[1024];
	FILE *f = fopen("/proc/self/mounts", "re");
	bool made = false;

	while (f && !made && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %1023s %63s %1023s", point, kind, options) != 3 || strcmp(kind, type) ||
		    (option && !strstr(options, option)))
			continue;
		snprintf(dir, size, "%s/%s", point, name);
		made = !mkdir(dir, 0755);
	}
	if (f)
		fclose(f);
	return made;
}

static int enter_cgroup(void *arg)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", (const char *)arg);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

static void the_v2_cgroup_is_told(void **state)
{
	char dir[PATH_MAX], name[64];
	struct child child;

	(void)state;
	snprintf(name, sizeof(name), "cormorant test: %d", getpid());
	if (!root() || !make_cgroup("cgroup2", NULL, name, dir, sizeof(dir))) {
		print_message("skipped: no cgroup v2 can be made\n");
		skip();
	}
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = enter_cgroup, .arg = dir});
	fill_sleeper(&child, "sleep");
	assert_true(KNOWS(FACT_SECTION + SECTION_CGROUP));
	assert_slice(got.cgroup, text("/%s", name));
	/* From a cgroup namespace it would be another path. */
	setting.cgroups_whole = false;
	fill_sleeper(&child, "sleep");
	assert_false(KNOWS(FACT_SECTION + SECTION_CGROUP));
	assert_null(got.cgroup.data);
	setting.cgroups_whole = true;
	child_stop(&child);
	assert_int_equal(rmdir(dir), 0);
}

static void the_v1_cgroup_is_that_of_the_memory_controller(void **state)
{
	char dir[PATH_MAX], name[64];
	struct child child;

	(void)state;
	snprintf(name, sizeof(name), "cormorant,memory:%d", getpid());
	if (!root() || !make_cgroup("cgroup", "memory", name, dir, sizeof(dir))) {
		print_message("skipped: no cgroup of the memory controller can be made\n");
		skip();
	}
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .prepare = enter_cgroup, .arg = dir});
	fill_sleeper(&child, "sleep");
	assert_true(KNOWS(FACT_SECTION + SECTION_CGROUP_V1));
	assert_slice(got.cgroup_v1, text("/%s", name));
	child_stop(&child);
	rmdir(dir);
}

/* The sensor in a cgroup namespace: what it is shown is not from the root, and it knows. */
static void from_a_cgroup_namespace_no_path_is_told(void **state)
{
	struct child child;
	pid_t sensor;
	int status;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	sensor = fork();
	if (!sensor) {
		if (unshare(CLONE_NEWCGROUP))
			_exit(77);
		proc_setting_read(&setting);
		subject_is("sleep", SLEEPER, sizeof(SLEEPER));
		if (fill(child.pid))
			_exit(1);
		_exit(setting.cgroups_whole || got.cgroup.data ? 2 : 0);
	}
	assert_int_equal(waitpid(sensor, &status, 0), sensor);
	child_stop(&child);
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no cgroup namespaces\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---------------------------------------------------------------------- parents */

static void a_parent_that_is_gone_has_left_its_child_to_another(void **state)
{
	pid_t middle, child = 0;
	int ends[2];

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe(ends), 0);
	middle = fork();
	if (!middle) {
		struct child below = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper, .survives = true});

		_exit(write(ends[1], &below.pid, sizeof(below.pid)) != sizeof(below.pid));
	}
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	close(ends[0]);
	close(ends[1]);
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	assert_int_equal(fill(child), 0);
	assert_parent();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

/* Under a parent that has become another program. */
static void the_parents_program_is_the_one_it_is_now(void **state)
{
	const char *dir = scratch_directory();
	char script[PATH_MAX], path[128], file[128];
	struct child child;
	pid_t below = 0;
	FILE *f = NULL;

	(void)state;
	snprintf(path, sizeof(path), "%s/parent", dir);
	snprintf(file, sizeof(file), "%s/pid", dir);
	copy_sleep(path);
	snprintf(script, sizeof(script), "/bin/sleep 60 & echo $! > %s.new; mv %s.new %s; exec %s 50", file, file, file, path);
	child = child_start(&(struct child_plan){.path = "/bin/sh", .argv = (const char *const[]){"sh", "-c", script, NULL}});
	for (int i = 0; i < 1000 && !(f = fopen(file, "re")); i++)
		usleep(10000);
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &below), 1);
	fclose(f);
	subject_is("sleep", "/bin/sleep\0" "60", 14);
	for (int i = 0; i < 1000; i++) {
		if (!fill(below) && KNOWS(FACT_PARENT_COMM) && !strcmp(got.facts.parent_comm, "parent") && got.parent.argv.data)
			break;
		usleep(10000);
	}
	assert_number(FACT_PPID, got.ppid, child.pid, "ppid");
	assert_string_equal(got.facts.parent_comm, "parent");
	assert_slice(got.parent.exe, path);
	assert_int_equal(got.parent.argv.len, strlen(path) + 4);
	assert_memory_equal(got.parent.argv.data, path, strlen(path) + 1);
	assert_memory_equal(got.parent.argv.data + strlen(path) + 1, "50", 3);
	kill(below, SIGKILL);
	child_stop(&child);
}

/* The parent is in a chroot: of its path only the end would be true. */
static void a_parents_path_that_is_not_sure_is_not_told(void **state)
{
	const char *dir = scratch_directory();
	char script[512], file[128], jail[128];
	struct child child;
	pid_t below = 0;
	FILE *f = NULL;

	(void)state;
	if (!root())
		skip();
	snprintf(file, sizeof(file), "%s/pid", dir);
	snprintf(jail, sizeof(jail), "%s/jail", dir);
	assert_int_equal(mkdir(jail, 0755), 0);
	snprintf(script, sizeof(script), "/bin/sleep 60 & echo $! > %s.new; mv %s.new %s; wait", file, file, file);
	child = child_start(&(struct child_plan){
		.path = "/bin/sh",
		.argv = (const char *const[]){"sh", "-c", script, NULL},
		.prepare = change_root,
		.arg = jail,
	});
	for (int i = 0; i < 1000 && !(f = fopen(file, "re")); i++)
		usleep(10000);
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &below), 1);
	fclose(f);
	child_wait(below, "sleep");
	subject_is("sleep", "/bin/sleep\0" "60", 14);
	assert_int_equal(fill(below), 0);
	assert_number(FACT_PPID, got.ppid, child.pid, "ppid");
	assert_string_equal(got.facts.parent_comm, "sh");
	assert_null(got.parent.exe.data);
	assert_int_equal(got.parent.argv.len, 6 + strlen(script) + 1);
	kill(below, SIGKILL);
	child_stop(&child);
}

static void the_first_process_has_no_parent(void **state)
{
	char argv[ARGV_MAX], comm[64];
	size_t n = child_file(1, "cmdline", argv, sizeof(argv));

	(void)state;
	child_file(1, "comm", comm, sizeof(comm));
	comm[strlen(comm) - 1] = 0;
	if (!root() || !n) {
		print_message("skipped: process 1 can't be read\n");
		skip();
	}
	subject_is(comm, argv, n);
	assert_int_equal(fill(1), 0);
	assert_number(FACT_PPID, got.ppid, 0, "ppid");
	assert_false(KNOWS(FACT_PARENT_COMM));
	assert_null(got.parent.exe.data);
}

/* ------------------------------------------------------------------ in between */

/*
 * A pipe in the place of one of a process's files (bind mounts can do that): whoever opens it
 * waits, and so what happens in the middle of a fill can be chosen.
 */
static bool gate_mount(const char *fifo, pid_t pid, const char *name)
{
	static bool own_mounts;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	own_mounts = own_mounts || (!geteuid() && !private_mounts());
	if (own_mounts && !mkfifo(fifo, 0600) && !mount(fifo, path, NULL, MS_BIND, NULL))
		return true;
	print_message("skipped: nothing can be mounted over %s\n", path);
	return false;
}

/* The process waits, and has waited for a while. */
static bool is_asleep(pid_t pid)
{
	char line[2048];

	for (int i = 0; i < 5; i++) {
		child_file(pid, "stat", line, sizeof(line));
		if (strrchr(line, ')')[2] != 'S')
			return false;
		usleep(5000);
	}
	return true;
}

/* Fills, while another process does something as soon as the gate is come to, and then opens it. */
static int fill_around(pid_t pid, const char *fifo, void (*meanwhile)(void *), void *arg)
{
	const pid_t self = getpid();
	pid_t other = fork();
	int err, gate, status;

	if (!other) {
		while (!is_asleep(self))
			usleep(1000);
		meanwhile(arg);
		_exit(open(fifo, O_WRONLY) < 0);
	}
	err = fill(pid);
	gate = open(fifo, O_RDONLY | O_NONBLOCK); /* if the fill ended before it came there */
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	close(gate);
	return err;
}

/*
 * A shell that becomes another program when it is told to; name and arguments stay as they
 * are. Before, it starts a sleep of its own.
 */
struct turncoat {
	struct child child;
	pid_t sleep;
	int tell;
	char now[128], then[128];
};

static int take_input(void *arg)
{
	return dup2(*(int *)arg, STDIN_FILENO) < 0 ? -errno : 0;
}

static void turncoat_copy(struct turncoat *turncoat, const char *dir)
{
	struct text out = {0};

	snprintf(turncoat->now, sizeof(turncoat->now), "%s/prog", dir);
	snprintf(turncoat->then, sizeof(turncoat->then), "%s/below/prog", dir);
	assert_int_equal(mkdir(text("%s/below", dir), 0755), 0);
	program_output((const char *const[]){"/bin/cp", "/bin/bash", turncoat->now, NULL}, &out);
	program_output((const char *const[]){"/bin/cp", "/bin/bash", turncoat->then, NULL}, &out);
	text_free(&out);
}

/* Returns false where there is no bash. */
static bool turncoat_start(struct turncoat *turncoat)
{
	const char *dir = scratch_directory();
	char script[1024], file[128];
	int input[2];
	FILE *f = NULL;

	if (access("/bin/bash", X_OK)) {
		print_message("skipped: no bash\n");
		return false;
	}
	turncoat_copy(turncoat, dir);
	snprintf(file, sizeof(file), "%s/pid", dir);
	snprintf(script, sizeof(script),
		 "if [ ! -f %s ]; then /bin/sleep 60 & echo $! > %s.new; mv %s.new %s; fi; "
		 "while read x; do exec -a sh %s -c \"$BASH_EXECUTION_STRING\"; done",
		 file, file, file, file, turncoat->then);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	turncoat->child = child_start(&(struct child_plan){
		.path = turncoat->now,
		.argv = (const char *const[]){"sh", "-c", script, NULL},
		.prepare = take_input,
		.arg = &input[0],
	});
	turncoat->tell = input[1];
	close(input[0]);
	for (int i = 0; i < 1000 && !(f = fopen(file, "re")); i++)
		usleep(10000);
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &turncoat->sleep), 1);
	fclose(f);
	child_wait(turncoat->sleep, "sleep");
	return true;
}

static bool turncoat_is(const struct turncoat *turncoat, const char *path)
{
	char link[64], now[128];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", turncoat->child.pid);
	n = readlink(link, now, sizeof(now));
	return n == (ssize_t)strlen(path) && !memcmp(now, path, (size_t)n);
}

/* The exec is over when there is an environment, too. (Its arguments may be behind the gate.) */
static void turncoat_turn(void *arg)
{
	struct turncoat *turncoat = arg;
	char some[8];

	while (!turncoat_is(turncoat, turncoat->then)) {
		if (write(turncoat->tell, "\n", 1) != 1)
			_exit(1);
		usleep(20000);
	}
	while (!child_file(turncoat->child.pid, "environ", some, sizeof(some)) || !is_asleep(turncoat->child.pid))
		usleep(1000);
}

static void turncoat_stop(struct turncoat *turncoat)
{
	kill(turncoat->sleep, SIGKILL);
	child_stop(&turncoat->child);
	close(turncoat->tell);
}

/* bash waits for its input with the same name and arguments, whichever of the two it is. */
static void subject_is_turncoat(const struct turncoat *turncoat)
{
	char argv[2048];

	subject_is("prog", argv, child_file(turncoat->child.pid, "cmdline", argv, sizeof(argv)));
}

static void do_nothing(void *arg)
{
	(void)arg;
}

static void an_exec_in_between_is_noticed(void **state)
{
	struct turncoat turncoat;
	char fifo[128];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", scratch_directory());
	if (!turncoat_start(&turncoat))
		skip();
	subject_is_turncoat(&turncoat);
	assert_int_equal(fill(turncoat.child.pid), 0);
	assert_path(turncoat.now);
	if (!gate_mount(fifo, turncoat.child.pid, "status")) {
		turncoat_stop(&turncoat);
		skip();
	}
	assert_int_equal(fill_around(turncoat.child.pid, fifo, do_nothing, NULL), 0);
	assert_path(turncoat.now);
	assert_int_equal(fill_around(turncoat.child.pid, fifo, turncoat_turn, &turncoat), -ESRCH);
	/* Name and arguments would not have told. */
	assert_int_equal(fill_around(turncoat.child.pid, fifo, do_nothing, NULL), 0);
	assert_path(turncoat.then);
	turncoat_stop(&turncoat);
}

static void overwrite_name(void *arg)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", *(pid_t *)arg);
	fd = open(path, O_WRONLY);
	if (fd < 0 || pwrite(fd, "C", 1, child_stat_field(*(pid_t *)arg, 48)) != 1)
		_exit(1);
	close(fd);
}

/* The arguments are as they were when the reading begins, and others when it ends. */
static void arguments_overwritten_in_between_are_noticed(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	char fifo[128];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", scratch_directory());
	if (!gate_mount(fifo, child.pid, "status")) {
		child_stop(&child);
		skip();
	}
	subject_is("sleep", SLEEPER, sizeof(SLEEPER));
	assert_int_equal(fill_around(child.pid, fifo, do_nothing, NULL), 0);
	assert_int_equal(fill_around(child.pid, fifo, overwrite_name, &child.pid), -ESRCH);
	child_stop(&child);
}

static void a_parents_exec_in_between_is_noticed(void **state)
{
	struct turncoat turncoat;
	char fifo[128];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", scratch_directory());
	if (!turncoat_start(&turncoat))
		skip();
	if (!gate_mount(fifo, turncoat.child.pid, "cmdline")) {
		turncoat_stop(&turncoat);
		skip();
	}
	subject_is("sleep", "/bin/sleep\0" "60", 14);
	assert_int_equal(fill_around(turncoat.sleep, fifo, do_nothing, NULL), 0);
	assert_true(KNOWS(FACT_PARENT_COMM));
	assert_slice(got.parent.exe, turncoat.now);
	assert_int_equal(fill_around(turncoat.sleep, fifo, turncoat_turn, &turncoat), 0);
	assert_number(FACT_PPID, got.ppid, turncoat.child.pid, "ppid");
	assert_false(KNOWS(FACT_PARENT_COMM));
	assert_null(got.parent.exe.data);
	assert_null(got.parent.argv.data);
	turncoat_stop(&turncoat);
}

static void kill_it(void *arg)
{
	kill(*(pid_t *)arg, SIGKILL);
	usleep(100000);
}

/* Neither the one that died nor the one that took the child is surely the parent of the exec. */
static void a_parent_that_dies_in_between_is_not_told(void **state)
{
	struct turncoat turncoat;
	char fifo[128];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", scratch_directory());
	if (!turncoat_start(&turncoat))
		skip();
	if (!gate_mount(fifo, turncoat.sleep, "status")) {
		turncoat_stop(&turncoat);
		skip();
	}
	subject_is("sleep", "/bin/sleep\0" "60", 14);
	assert_int_equal(fill_around(turncoat.sleep, fifo, kill_it, &turncoat.child.pid), 0);
	assert_false(KNOWS(FACT_PPID) || KNOWS(FACT_PARENT_COMM));
	assert_null(got.parent.exe.data);
	assert_true(KNOWS(FACT_PGID));
	turncoat_stop(&turncoat);
}

/* --------------------------------------------------------------- other sensors */

/* What is everybody's to see is filled, the rest is not known: no false word for want of permission. */
static void an_unprivileged_sensor_fills_what_it_may_see(void **state)
{
	struct child child;
	pid_t sensor;
	int status;

	(void)state;
	if (!root())
		skip();
	child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	sensor = fork();
	if (!sensor) {
		const uint64_t secret = FACT_BIT(FACT_SECTION + SECTION_EXE) | FACT_BIT(FACT_SECTION + SECTION_CWD) |
					FACT_BIT(FACT_INODE) | FACT_BIT(FACT_SIZE) | FACT_BIT(FACT_DELETED) |
					FACT_BIT(FACT_MEMFD) | FACT_BIT(FACT_NS + NS_MNT);

		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(1);
		subject_is("sleep", SLEEPER, sizeof(SLEEPER));
		if (fill(child.pid))
			_exit(2);
		if (got.facts.present & secret || got.exe.data || got.exe_name.data || got.cwd.data)
			_exit(3);
		if (!KNOWS(FACT_PPID) || got.ppid != (uint32_t)getppid() || !KNOWS(FACT_ID + ID_EUID) ||
		    !KNOWS(FACT_NAMESPACE_PID) || got.facts.ids[ID_EUID])
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(sensor, &status, 0), sensor);
	assert_int_equal(status, 0);
	child_stop(&child);
}

/* No descriptor is left open, whatever came of it. */
static void nothing_is_left_open(void **state)
{
	struct child child = child_start(&(struct child_plan){.path = "/bin/sleep", .argv = sleeper});
	int first = open("/dev/null", O_RDONLY), second;

	(void)state;
	for (int i = 0; i < 50; i++) {
		fill_sleeper(&child, "sleep");
		subject_is("other", SLEEPER, sizeof(SLEEPER));
		assert_int_equal(fill(child.pid), -ESRCH);
	}
	child_stop(&child);
	assert_true(fill(child.pid) < 0);
	close(first);
	second = open("/dev/null", O_RDONLY);
	assert_int_equal(second, first);
	close(second);
}

/* ------------------------------------------------------------------------ main */

static void become_eight(void)
{
	if (setresgid(1001, 1002, 1003) || setfsgid(1004) < 0 || setresuid(2001, 2002, 2003) || setfsuid(2001) < 0)
		_exit(1);
}

static int act(const char *role, char **argv)
{
	if (!strcmp(role, "overwrite"))
		argv[1][2] = 'X';
	else if (!strcmp(role, "title"))
		memset(argv[0], 't', strlen(argv[0]) + 1 + strlen(argv[1]) + 1 + 20);
	else if (!strcmp(role, "ids"))
		become_eight();
	else if (!strcmp(role, "low"))
		mmap((void *)0x10000, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, open(argv[0], O_RDONLY), 0);
	else if (!strcmp(role, "rename"))
		prctl(PR_SET_NAME, "another", 0, 0, 0);
	raise(SIGSTOP);
	return 0;
}

/* The next program stops as its test waits for it to. */
static int act_sleep(void)
{
	execl("/bin/sh", "argument", "-c", "kill -STOP $$; :", NULL);
	return 1;
}

static int set_up(void **state)
{
	(void)state;
	proc_setting_read(&setting);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(int argc, char **argv)
{
	const char *role = getenv("CORMORANT_TEST_ROLE");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_processs_facts_are_as_stat_and_proc_have_them),
		cmocka_unit_test(ids_groups_and_capabilities_are_told_apart),
		cmocka_unit_test(ids_above_two_to_the_31_are_right),
		cmocka_unit_test(a_login_is_told),
		cmocka_unit_test(many_groups_hide_nothing),
		cmocka_unit_test(the_controlling_terminal_is_told),
		cmocka_unit_test(terminals_are_called_as_sysfs_calls_them),
		cmocka_unit_test(a_line_that_is_too_long_is_left_out_whole),
		cmocka_unit_test(no_more_than_the_limit_is_read),
		cmocka_unit_test(empty_and_odd_arguments_are_compared_exactly),
		cmocka_unit_test(a_program_whose_last_arguments_are_empty_is_believed),
		cmocka_unit_test(an_argv_of_which_the_record_has_the_beginning_is_compared_with_its_length),
		cmocka_unit_test(exactly_as_much_as_a_record_carries_is_believed),
		cmocka_unit_test(another_program_is_not_believed),
		cmocka_unit_test(a_process_that_has_ended_is_not_believed),
		cmocka_unit_test(a_process_that_changes_itself_is_not_believed),
		cmocka_unit_test(eight_different_ids_are_told_apart),
		cmocka_unit_test(two_programs_in_turn_are_never_mixed),
		cmocka_unit_test(a_comm_that_looks_like_stat_is_only_a_comm),
		cmocka_unit_test(what_the_record_has_is_neither_read_nor_changed),
		cmocka_unit_test(a_file_that_the_kernel_knew_to_be_another_is_not_believed),
		cmocka_unit_test(a_deleted_program_keeps_its_path_without_a_suffix),
		cmocka_unit_test(a_deleted_program_is_not_another_that_came_in_its_place),
		cmocka_unit_test(a_program_really_called_deleted_is_not),
		cmocka_unit_test(one_of_two_links_deleted_is_unknown),
		cmocka_unit_test(a_renamed_program_has_its_new_path),
		cmocka_unit_test(names_of_any_bytes_are_found_in_maps),
		cmocka_unit_test(the_number_is_the_programs_whatever_is_mapped_below_it),
		cmocka_unit_test(a_path_too_long_to_be_shown_is_left_out),
		cmocka_unit_test(a_path_of_almost_a_page_is_whole_or_left_out),
		cmocka_unit_test(a_deleted_working_directory_has_its_path),
		cmocka_unit_test(a_memfd_is_marked),
		cmocka_unit_test(a_file_called_memfd_is_none),
		cmocka_unit_test(in_a_mount_namespace_of_its_own_the_paths_are_that_namespaces),
		cmocka_unit_test(what_a_mount_hides_has_no_path_that_leads_elsewhere),
		cmocka_unit_test(what_is_on_a_detached_mount_has_no_false_path),
		cmocka_unit_test(a_detached_file_is_no_memfd),
		cmocka_unit_test(in_a_chroot_there_are_only_names),
		cmocka_unit_test(on_overlayfs_the_number_is_that_of_maps),
		cmocka_unit_test(other_namespaces_are_told),
		cmocka_unit_test(the_pid_namespace_is_the_processs_not_its_childrens),
		cmocka_unit_test(the_v2_cgroup_is_told),
		cmocka_unit_test(the_v1_cgroup_is_that_of_the_memory_controller),
		cmocka_unit_test(from_a_cgroup_namespace_no_path_is_told),
		cmocka_unit_test(a_parent_that_is_gone_has_left_its_child_to_another),
		cmocka_unit_test(the_parents_program_is_the_one_it_is_now),
		cmocka_unit_test(a_parents_path_that_is_not_sure_is_not_told),
		cmocka_unit_test(the_first_process_has_no_parent),
		cmocka_unit_test(an_exec_in_between_is_noticed),
		cmocka_unit_test(arguments_overwritten_in_between_are_noticed),
		cmocka_unit_test(a_parents_exec_in_between_is_noticed),
		cmocka_unit_test(a_parent_that_dies_in_between_is_not_told),
		cmocka_unit_test(an_unprivileged_sensor_fills_what_it_may_see),
		cmocka_unit_test(nothing_is_left_open),
	};

	if (role)
		return strcmp(role, "sleep") ? act(role, argv) : act_sleep();
	(void)argc;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
