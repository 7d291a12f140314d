// SPDX-License-Identifier: Apache-2.0
#include "e2e.h"
#include "check.h"
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *program_in(struct e2e *e, const char *dir, const char *name)
{
	char *path = workspace_text(&e->ws, "%s/%s", dir, name);

	workspace_copy_program(path);
	return path;
}

static void a_symbolic_link_is_followed(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws);
	char *target = program_in(e, dir, "target"), *link = workspace_text(&e->ws, "%s/link", dir);
	struct observed *o;

	assert_return_code(symlink(target, link), errno);
	o = observe(e, &(struct subject_plan){ .path = link });
	assert_string_equal(o->truth.exe.data, target);
}

static void hard_links_are_counted(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws), *path = program_in(e, dir, "one");

	assert_return_code(link(path, workspace_text(&e->ws, "%s/two", dir)), errno);
	assert_int_equal(observe(e, &(struct subject_plan){ .path = path })->truth.exe_stat.st_nlink, 2);
}

static struct observed *observe_fd(struct e2e *e, int fd, const char *fs)
{
	struct observed *o;

	assert_return_code(fd, errno);
	o = observe(e, &(struct subject_plan){ .exec = subject_exec_by_fd, .exec_fd = fd,
					       .exec_filename = "/dev/fd/205", .fs = fs });
	close(fd);
	return o;
}

static void a_program_executed_by_descriptor_has_its_path(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "by-fd");
	struct observed *o = observe_fd(e, open(path, O_PATH | O_CLOEXEC), NULL);

	assert_string_equal(o->truth.exe.data, path);
}

static void a_deleted_program_keeps_its_path_and_is_marked(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "gone");
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct observed *o;

	assert_return_code(unlink(path), errno);
	o = observe_fd(e, fd, NULL);
	assert_true(o->truth.deleted);
	assert_string_equal(o->truth.exe.data, path);
}

static void one_of_two_links_deleted_is_marked_too(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws), *path = program_in(e, dir, "gone");
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct observed *o;

	assert_return_code(link(path, workspace_text(&e->ws, "%s/stays", dir)), errno);
	assert_return_code(unlink(path), errno);
	o = observe_fd(e, fd, NULL);
	assert_true(o->truth.deleted);
	assert_int_equal(o->truth.exe_stat.st_nlink, 1);
}

static void a_program_really_called_deleted_is_not(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "name (deleted)");

	assert_false(observe(e, &(struct subject_plan){ .path = path })->truth.deleted);
}

static void a_memfd_is_marked(void **state)
{
	struct e2e *e = *state;
	int fd = memfd_create("a name", MFD_CLOEXEC);
	struct bytes program;
	struct observed *o;

	assert_return_code(fd, errno);
	assert_true(bytes_read_file("/proc/self/exe", &program));
	assert_int_equal(write(fd, program.data, program.len), program.len);
	bytes_free(&program);
	o = observe_fd(e, fd, "tmpfs");
	assert_string_equal(o->truth.exe.data, "/memfd:a name");
}

static void a_file_called_memfd_is_none(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "memfd:x");

	observe(e, &(struct subject_plan){ .path = path });
}

static void a_script_is_its_interpreter_and_keeps_its_name(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/script", workspace_scratch(&e->ws));
	char *line = workspace_text(&e->ws, "#!%s one argument\n", e->ws.program);
	char *const argv[] = { "replaced", "kept", NULL };
	struct observed *o;

	workspace_write_file(path, line, strlen(line), 0755);
	o = observe(e, &(struct subject_plan){ .path = path, .argv = argv });
	assert_string_equal(o->truth.exe.data, e->ws.program);
	assert_int_equal(o->subject->argc, 4);
}

static void a_script_of_a_script_is_the_last_interpreter(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws);
	char *inner = workspace_text(&e->ws, "%s/inner", dir), *outer = workspace_text(&e->ws, "%s/outer", dir);
	char *line = workspace_text(&e->ws, "#!%s first\n", e->ws.program);
	char *outer_line = workspace_text(&e->ws, "#!%s second\n", inner);

	workspace_write_file(inner, line, strlen(line), 0755);
	workspace_write_file(outer, outer_line, strlen(outer_line), 0755);
	assert_string_equal(observe(e, &(struct subject_plan){ .path = outer })->truth.exe.data, e->ws.program);
}

/* 15 bytes are a comm: the cut goes through the middle of a character, the path stays whole. */
static void a_comm_cut_within_a_character_survives_in_base64(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "fourteen-bytes\xe2\x82\xac");
	struct observed *o = observe(e, &(struct subject_plan){ .path = path });

	assert_int_equal(o->truth.comm.len, 15);
	assert_false(utf8_valid(&o->truth.comm));
	assert_true(utf8_valid(&o->truth.exe));
}

static void a_path_with_control_characters_and_quotes_survives(void **state)
{
	struct e2e *e = *state;
	char *path = program_in(e, workspace_scratch(&e->ws), "\x01\x1b[31m \"it's\"\\\n\t\x7f");

	observe(e, &(struct subject_plan){ .path = path });
}

static void names_that_are_not_utf8_survive_in_base64(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_text(&e->ws, "%s/d\xff\xfeir", workspace_scratch(&e->ws));
	char *path = workspace_text(&e->ws, "%s/pr\xc3gram", dir);

	assert_return_code(mkdir(dir, 0755), errno);
	workspace_copy_program(path);
	assert_return_code(chdir(dir), errno);
	observe(e, &(struct subject_plan){ .path = path });
	assert_return_code(chdir("/"), errno);
}

/* A directory below dir, made of n components called name. Returns 0 and stays in it, or -errno. */
static int descend(const char *dir, const char *name, int n)
{
	if (chdir(dir))
		return -errno;
	for (int i = 0; i < n; i++)
		if (mkdir(name, 0755) || chdir(name))
			return -errno;
	return 0;
}

static void observe_deep(struct e2e *e, const char *name, int n)
{
	assert_int_equal(descend(workspace_scratch(&e->ws), name, n), 0);
	workspace_copy_program("./program");
	observe(e, &(struct subject_plan){ .path = "./program" });
	assert_return_code(chdir("/"), errno);
}

static void a_path_of_forty_components_is_whole(void **state)
{
	observe_deep(*state, "component", 40);
}

static void a_path_of_a_hundred_and_twenty_components_is_whole(void **state)
{
	observe_deep(*state, "c", 120);
}

static void a_path_of_more_than_two_thousand_bytes_is_whole(void **state)
{
	static const char name[] = "a-directory-with-a-name-of-one-hundred-characters-and-no-more-"
				   "to-fill-the-path-up-quickly-zzzzzzzzzzz";

	observe_deep(*state, name, 24);
}

/* /proc shows no path of more than a page, and the sensor none of which it has only a part. */
static void a_path_too_long_to_carry_is_left_out_and_its_name_kept(void **state)
{
	struct e2e *e = *state;
	char name[201];
	struct subject *s;
	struct json_object *event;
	struct check c;

	memset(name, 'n', 200);
	name[200] = 0;
	assert_int_equal(descend(workspace_scratch(&e->ws), name, 30), 0);
	workspace_copy_program("./program");
	s = subject_start(e, &(struct subject_plan){ .path = "./program" });
	assert_return_code(chdir("/"), errno);
	event = event_log_wait(&e->log, s->pid, NULL);
	assert_non_null(event);
	c = (struct check){ .event = event, .knows_less = e->knows_less };
	assert_null(event_get(event, "process.file.path"));
	assert_null(event_get(event, "process.file.parent_folder"));
	assert_null(event_get(event, "process.xattributes.cwd"));
	check_text(&c, "process.file.name", "program");
	check_bool(&c, "process.file.xattributes.path_truncated", true);
	check_bool(&c, "process.xattributes.cwd_truncated", true);
	check_done(&c);
	assert_string_equal(event_text(event, "process.xattributes.exec_filename"), "./program");
}

/* A mount that is taken out of the tree while somebody is in it: it looks like a root. */
static int detach_mount(void *arg)
{
	int why = mounts_private();

	if (why || mount("tmpfs", arg, "tmpfs", 0, "mode=755") || chdir(arg) || mkdir("usr", 0755) || mkdir("usr/sbin", 0755))
		return why ? why : -errno;
	workspace_copy_program("usr/sbin/sshd");
	return umount2(arg, MNT_DETACH) ? -errno : 0;
}

static void a_program_on_a_detached_mount_has_no_false_path(void **state)
{
	struct e2e *e = *state;
	struct subject_plan plan = { .path = "./usr/sbin/sshd", .prepare = detach_mount, .arg = workspace_scratch(&e->ws) };
	struct subject *s = subject_start(e, &plan);
	struct json_object *event = event_log_wait(&e->log, s->pid, NULL);
	struct check c = { .event = event, .knows_less = e->knows_less };

	assert_non_null(event);
	assert_null(event_get(event, "process.file.path"));
	assert_null(event_get(event, "process.xattributes.cwd"));
	check_text(&c, "process.file.name", "sshd");
	check_bool(&c, "process.file.xattributes.path_truncated", true);
	check_done(&c);
}

static int exec_below_directory(const char *path, char *const argv[], char *const envp[])
{
	return (int)syscall(SYS_execveat, SUBJECT_EXEC_FD, path, argv, envp, 0);
}

/* execveat puts the descriptor before the path it was given, which may itself be as long as a path can be. */
static void the_longest_path_of_execveat_is_told_whole(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws), *path = workspace_memory(&e->ws, 4096);
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (e2e_kernel_before(4, 11)) {
		close(fd);
		e2e_skip("records in parts carry 255 bytes of it");
	}
	/* Nothing a program could do about: it is not run. */
	if (strstr(e->sensor.variant, ".tp.") && e2e_kernel_before(5, 16)) {
		close(fd);
		e2e_skip("below 5.16 (e531e90b5ab0) no program is run on a tracepoint with a record of over 2,048 bytes");
	}
	program_in(e, dir, "program");
	for (size_t len = 0; len < 4086; len += 2)
		strcpy(path + len, "./");
	strcat(path, "program");
	assert_int_equal(strlen(path), 4093);
	observe(e, &(struct subject_plan){ .path = path, .exec = exec_below_directory, .exec_fd = fd,
					   .exec_filename = workspace_text(&e->ws, "/dev/fd/205/%s", path) });
	close(fd);
}

static void a_deleted_working_directory_keeps_its_path(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws);
	struct observed *o = observe(e, &(struct subject_plan){ .prepare = prepare_removed_directory, .arg = dir });

	assert_string_equal(o->truth.cwd.data, dir);
}

/* ------------------------------------------------------------------ mounts */

struct bind {
	const char *from, *to;
	unsigned long flags;
};

/* Mounts in a namespace of the subject's own; a bind, or a tmpfs with a copy of the program if from is NULL. */
static int make_mounts(void *arg)
{
	int why = mounts_private();

	for (struct bind *b = arg; !why && b->to; b++) {
		if (b->from)
			why = mount(b->from, b->to, NULL, MS_BIND | b->flags, NULL) ? -errno : 0;
		else
			why = mount("tmpfs", b->to, "tmpfs", 0, "mode=755") ? -errno : 0;
	}
	return why;
}

static void a_bind_mounted_directory_is_crossed(void **state)
{
	struct e2e *e = *state;
	char *from = workspace_scratch(&e->ws), *to = workspace_scratch(&e->ws);
	struct bind binds[] = { { from, to, 0 }, { 0 } };
	char *path = workspace_text(&e->ws, "%s/program", to);
	struct observed *o;

	program_in(e, from, "program");
	o = observe(e, &(struct subject_plan){ .path = path, .prepare = make_mounts, .arg = binds });
	assert_string_equal(o->truth.exe.data, path);
}

static void a_bind_mounted_file_is_crossed(void **state)
{
	struct e2e *e = *state;
	char *path = workspace_text(&e->ws, "%s/mounted", workspace_scratch(&e->ws));
	struct bind binds[] = { { e->ws.program, path, 0 }, { 0 } };
	struct observed *o;

	workspace_write_file(path, "", 0, 0755);
	o = observe(e, &(struct subject_plan){ .path = path, .prepare = make_mounts, .arg = binds });
	assert_string_equal(o->truth.exe.data, path);
}

struct nest {
	const char *dir;
	char *path;
};

/* A tmpfs in a tmpfs in a tmpfs, the program in the innermost, and a working directory there. */
static int nest_mounts(void *arg)
{
	struct nest *nest = arg;
	int why = mounts_private();

	if (!why && chdir(nest->dir))
		why = -errno;
	for (int i = 0; !why && i < 3; i++) {
		if (mkdir("in", 0755) || mount("tmpfs", "in", "tmpfs", 0, "mode=755") || chdir("in") ||
		    mkdir("side", 0755))
			why = -errno;
	}
	if (!why)
		workspace_copy_program("program");
	return why;
}

static void mounts_within_mounts_are_crossed(void **state)
{
	struct e2e *e = *state;
	struct nest nest = { .dir = workspace_scratch(&e->ws) };
	struct observed *o;

	nest.path = workspace_text(&e->ws, "%s/in/in/in/program", nest.dir);
	o = observe(e, &(struct subject_plan){ .path = nest.path, .prepare = nest_mounts, .arg = &nest, .fs = "tmpfs" });
	assert_string_equal(o->truth.exe.data, nest.path);
}

/* The whole tree bound below a directory, which becomes the root. */
static int change_root(void *arg)
{
	struct bind binds[] = { { "/", arg, MS_REC }, { 0 } };
	int why = make_mounts(binds);

	return why ? why : chroot(arg) || chdir("/") ? -errno : 0;
}

static void in_a_chroot_paths_are_the_mount_namespaces(void **state)
{
	struct e2e *e = *state;
	char *root = workspace_scratch(&e->ws);
	struct observed *o = observe(e, &(struct subject_plan){ .prepare = change_root, .arg = root });

	assert_string_equal(o->truth.exe.data, workspace_text(&e->ws, "%s%s", root, e->ws.program));
	assert_string_equal(o->truth.cwd.data, root);
}

static int mount_overlay(void *arg)
{
	const char *dir = arg;
	char options[1200];
	int why = mounts_private();

	if (why || chdir(dir))
		return why ? why : -errno;
	if (mount("tmpfs", "lower", "tmpfs", 0, "mode=755") || mount("tmpfs", "upper", "tmpfs", 0, "mode=755") ||
	    mkdir("upper/up", 0755) || mkdir("upper/work", 0755))
		return -errno;
	workspace_copy_program("lower/program");
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper/up,workdir=%s/upper/work", dir, dir, dir);
	return mount("overlay", "merged", "overlay", 0, options) ? -errno : 0;
}

static void on_overlayfs_the_kernels_own_inode_is_told(void **state)
{
	struct e2e *e = *state;
	char *dir = workspace_scratch(&e->ws), *path = workspace_text(&e->ws, "%s/merged/program", dir);
	static const char *const parts[] = { "lower", "upper", "merged" };
	struct subject *s;
	struct json_object *event;
	struct check c;

	for (int i = 0; i < 3; i++)
		assert_return_code(mkdir(workspace_text(&e->ws, "%s/%s", dir, parts[i]), 0755), errno);
	s = subject_try_start(e, &(struct subject_plan){ .path = path, .prepare = mount_overlay, .arg = dir });
	if (!s && errno == ENODEV)
		e2e_skip("this kernel has no overlayfs (CONFIG_OVERLAY_FS is off or a module)");
	assert_non_null(s);
	/* Over two file systems stat, maps and the kernel's inode differ: only what they agree on can be compared. */
	event = event_log_wait(&e->log, s->pid, NULL);
	assert_non_null(event);
	c = (struct check){ .event = event, .knows_less = e->knows_less };
	check_text(&c, "process.file.path", path);
	/* Below 4.19 (d1d04ef8572b) the file that runs was opened on the file system below. */
	if (!e2e_kernel_before(4, 19))
		check_text(&c, "process.file.xattributes.fs", "overlay");
	check_done(&c);
	assert_true(e->knows_less || event_text(event, "process.file.uid"));
}

static const struct CMUnitTest tests[] = {
	E2E_TEST(a_symbolic_link_is_followed),
	E2E_TEST(hard_links_are_counted),
	E2E_TEST(a_program_executed_by_descriptor_has_its_path),
	E2E_TEST(a_deleted_program_keeps_its_path_and_is_marked),
	E2E_TEST(one_of_two_links_deleted_is_marked_too),
	E2E_TEST(a_program_really_called_deleted_is_not),
	E2E_TEST(a_memfd_is_marked),
	E2E_TEST(a_file_called_memfd_is_none),
	E2E_TEST(a_script_is_its_interpreter_and_keeps_its_name),
	E2E_TEST(a_script_of_a_script_is_the_last_interpreter),
	E2E_TEST(a_comm_cut_within_a_character_survives_in_base64),
	E2E_TEST(a_path_with_control_characters_and_quotes_survives),
	E2E_TEST(names_that_are_not_utf8_survive_in_base64),
	E2E_TEST(a_path_of_forty_components_is_whole),
	E2E_TEST(a_path_of_a_hundred_and_twenty_components_is_whole),
	E2E_TEST(a_path_of_more_than_two_thousand_bytes_is_whole),
	E2E_TEST(a_path_too_long_to_carry_is_left_out_and_its_name_kept),
	E2E_TEST(a_program_on_a_detached_mount_has_no_false_path),
	E2E_TEST(the_longest_path_of_execveat_is_told_whole),
	E2E_TEST(a_deleted_working_directory_keeps_its_path),
	E2E_TEST(a_bind_mounted_directory_is_crossed),
	E2E_TEST(a_bind_mounted_file_is_crossed),
	E2E_TEST(mounts_within_mounts_are_crossed),
	E2E_TEST(in_a_chroot_paths_are_the_mount_namespaces),
	E2E_TEST(on_overlayfs_the_kernels_own_inode_is_told),
};
const struct e2e_tests e2e_file_tests = E2E_TESTS(tests);
