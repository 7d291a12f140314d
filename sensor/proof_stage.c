// SPDX-License-Identifier: Apache-2.0
#include "proof_stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- mounts */

static const struct place {
	const char *prefix; /* from the ground to what can be seen of it */
	const char *in_fs;  /* and from the file system's root */
	const char *fs;
} places[PLACE_COUNT] = {
	[PLACE_TMPFS] = {"", "", "tmpfs"},
	[PLACE_BOUND] = {"/bound", "/real/inner", "tmpfs"},
	[PLACE_RAMFS] = {"/ram", "", "ramfs"},
};

struct ground {
	const char *at; /* NULL: nothing can be mounted */
	bool has[PLACE_COUNT];
};

static bool make_directory(const char *ground, const char *name)
{
	char path[CREW_DIR];

	snprintf(path, sizeof(path), "%s%s", ground, name);
	return !mkdir(path, 0755);
}

static bool mount_on(const char *ground, const char *name, const char *source, const char *type,
		     unsigned long flags)
{
	char path[CREW_DIR];

	snprintf(path, sizeof(path), "%s%s", ground, name);
	return make_directory(ground, name) && !mount(source, path, type, flags, NULL);
}

/* Somewhere that every host has. What is mounted over is only hidden, and only from the crew. */
static const char *mount_ground(void)
{
	static const char *const grounds[] = {"/tmp", "/run", "/mnt", "/var", "/sys", "/dev"};

	/* Without the second nothing may be mounted: others would get it. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return NULL;
	for (size_t i = 0; i < sizeof(grounds) / sizeof(grounds[0]); i++)
		if (!mount("cormorant-proof", grounds[i], "tmpfs", MS_NOSUID | MS_NODEV,
			   "mode=755,size=1m"))
			return grounds[i];
	return NULL;
}

static void prepare_ground(struct ground *ground)
{
	char inner[CREW_DIR];

	*ground = (struct ground){.at = mount_ground()};
	if (!ground->at)
		return;
	snprintf(inner, sizeof(inner), "%s%s", ground->at, places[PLACE_BOUND].in_fs);
	ground->has[PLACE_TMPFS] = make_directory(ground->at, "/bin");
	ground->has[PLACE_BOUND] = make_directory(ground->at, "/real") &&
				   make_directory(ground->at, places[PLACE_BOUND].in_fs) &&
				   mount_on(ground->at, "/bound", inner, NULL, MS_BIND) &&
				   make_directory(ground->at, "/bound/bin");
	ground->has[PLACE_RAMFS] =
		mount_on(ground->at, "/ram", "cormorant-proof", "ramfs", MS_NOSUID | MS_NODEV) &&
		make_directory(ground->at, "/ram/bin");
}

/* ----------------------------------------------------------------------- files */

/* What is different from child to child; each can be executed by everybody. */
static const mode_t modes[CREW_MAX] = {0755, 0751, 0711, 0555, 0715, 0551, 0775, 0771, 0511};

/* In the past, both of them, and far from each other: the time of the last change is now. */
static void set_times(int fd, uint32_t seed)
{
	const struct timespec times[2] = {
		{.tv_sec = 1100000000 + seed % 90000000, .tv_nsec = 100000000 + seed % 7919 * 100},
		{.tv_sec = 1000000000 + seed % 80000000, .tv_nsec = 700000000 + seed % 9973 * 100},
	};

	(void)futimens(fd, times);
}

static bool write_file(const char *path, const void *bytes, size_t n, size_t size, mode_t mode,
		       uint32_t seed)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, bytes, n) == (ssize_t)n && !ftruncate(fd, (off_t)size) &&
	       !fchmod(fd, mode);
	set_times(fd, seed);
	return !close(fd) && done;
}

static void add_links(const char *path, int links)
{
	char other[CREW_PATH + 4];

	for (int i = 0; i < links; i++) {
		snprintf(other, sizeof(other), "%s.%d", path, i);
		(void)!link(path, other);
	}
}

static uint32_t seed_of(const struct crew *crew, int i)
{
	return crew->first_id * (uint32_t)(i + 3);
}

static bool make_program(const struct crew *crew, int i, const char *path)
{
	size_t size = crew->program_size + 64 + 48 * (size_t)i + crew->first_id % 31;

	if (!crew->program_size ||
	    !write_file(path, crew->program, crew->program_size, size, modes[i], seed_of(crew, i)))
		return false;
	add_links(path, (i * 5 + 1) % 7);
	return true;
}

/* The name is the child's, and leads to the file. */
static bool link_to_descriptor(const char *path, int fd)
{
	char target[32];

	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	return fd >= 0 && !access(target, F_OK) && !symlink(target, path);
}

static bool make_deleted(const struct crew *crew, int i, const char *path)
{
	char gone[CREW_PATH + 8];
	int fd;

	snprintf(gone, sizeof(gone), "%s.gone", path);
	if (!crew->program_size ||
	    !write_file(gone, crew->program, crew->program_size, crew->program_size + 4096,
			modes[i], seed_of(crew, i)))
		return false;
	fd = crew_raise_fd(open(gone, O_PATH | O_CLOEXEC));
	return !unlink(gone) && link_to_descriptor(path, fd);
}

static bool make_script(const struct crew *crew, int i, const char *ground, const char *path)
{
	struct crew_member *m = &crew->shared->members[i];
	char line[CREW_DIR + 8];
	int n;

	snprintf(m->in_fs, sizeof(m->in_fs), "/bin/i-%s", crew->names[i]);
	snprintf(m->interpreter, sizeof(m->interpreter), "%s/bin/i-%s", ground, crew->names[i]);
	n = snprintf(line, sizeof(line), "#!%s\n", m->interpreter);
	m->fs = places[PLACE_TMPFS].fs;
	return make_program(crew, i, m->interpreter) &&
	       write_file(path, line, (size_t)n, (size_t)n, 0755, 0);
}

static bool make_file(const struct crew *crew, int i, const char *ground, const char *path)
{
	unsigned flags = crew->roles[i].flags;

	if (flags & CREW_MEMFD)
		return link_to_descriptor(path, crew->memfd);
	if (flags & CREW_DELETED)
		return make_deleted(crew, i, path);
	if (flags & CREW_SCRIPT)
		return make_script(crew, i, ground, path);
	return make_program(crew, i, path);
}

/* ----------------------------------------------------------------- directories */

/* A component of over 40 bytes is not kept within the kernel's dentry; more than 20 take a second run. */
static void make_cwd(struct crew *crew, int i, const char *ground, const struct place *place)
{
	static const char rest[] = "-as-a-name-that-is-longer-than-the-others-are";
	struct crew_member *m = &crew->shared->members[i];
	size_t prefix = strlen(ground) + strlen(place->prefix), n;
	char path[CREW_DIR];

	n = (size_t)snprintf(path, sizeof(path), "%s%s/%s%s", ground, place->prefix, crew->names[i],
			     rest);
	for (int depth = 0; depth < i * 13 % 29 && !mkdir(path, 0755); depth++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/%d", depth);
	if (mkdir(path, 0755))
		return;
	snprintf(m->cwd_in_fs, sizeof(m->cwd_in_fs), "%s%s", place->in_fs, path + prefix);
	strcpy(m->cwd, path);
}

/* "/." as often as it takes: a long name of the same file. */
static void lengthen(struct crew_member *m, const char *ground)
{
	size_t at = strlen(ground);
	char rest[CREW_DIR];

	snprintf(rest, sizeof(rest), "%s", m->path + at);
	while (at < 2200) {
		memcpy(m->path + at, "/.", 2);
		at += 2;
	}
	strcpy(m->path + at, rest);
}

static void set_member(struct crew *crew, int i, const struct ground *ground)
{
	const struct place *place = &places[crew->roles[i].place];
	struct crew_member *m = &crew->shared->members[i];
	char path[CREW_DIR];

	if (!ground->has[crew->roles[i].place])
		return;
	snprintf(path, sizeof(path), "%s%s/bin/%s", ground->at, place->prefix, crew->names[i]);
	snprintf(m->in_fs, sizeof(m->in_fs), "%s/bin/%s", place->in_fs, crew->names[i]);
	m->fs = place->fs;
	make_cwd(crew, i, ground->at, place);
	if (!make_file(crew, i, ground->at, path))
		return;
	snprintf(m->path, sizeof(m->path), "%s", path);
	if (crew->roles[i].flags & CREW_LONG_NAME)
		lengthen(m, ground->at);
}

void stage_set(struct crew *crew)
{
	struct ground ground;

	umask(022);
	if (crew->memfd >= 0)
		set_times(crew->memfd, crew->first_id);
	prepare_ground(&ground);
	if (!ground.at)
		return;
	for (int i = 0; i < crew->count; i++)
		set_member(crew, i, &ground);
	crew->shared->staged = true;
}

/* --------------------------------------------------------------------- cgroups */

#define CGROUP_NAME "cormorant-proof-"

/* "a,b,c" has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += n)
		if ((at == list || at[-1] == ',') && strchr(",\n", at[n]))
			return true;
	return false;
}

/* This process's path in the hierarchy of a controller; v2's is that of "". */
static bool own_path(const char *controller, char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096], *list, *at;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		list = strchr(line, ':');
		at = list ? strchr(list + 1, ':') : NULL;
		if (!at)
			continue;
		*at++ = 0;
		at[strcspn(at, "\n")] = 0;
		found = (*controller ? has_word(list + 1, controller) : !list[1]) &&
			strlen(at) < size && !strstr(at, "/..");
		if (found)
			strcpy(path, at);
	}
	if (f)
		fclose(f);
	return found;
}

/*
 * ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [TAG]... - TYPE SOURCE OPTIONS. Only what is
 * mounted from above this process's cgroup has it.
 */
static bool mounted_at(const char *controller, const char *own, char dir[CREW_DIR])
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], root[1024], where[1024], type[16], options[1024], *rest;
	bool found = false;
	size_t n;

	while (f && !found && fgets(line, sizeof(line), f)) {
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %1023s %1023s", root, where) != 2 ||
		    sscanf(rest, " - %15s %*s %1023s", type, options) != 2 ||
		    strcmp(type, *controller ? "cgroup" : "cgroup2") != 0 ||
		    (*controller && !has_word(options, controller)) || strchr(where, '\\'))
			continue;
		n = strcmp(root, "/") ? strlen(root) : 0;
		if (strncmp(own, root, n) || (n && own[n] && own[n] != '/'))
			continue;
		found = snprintf(dir, CREW_DIR, "%s%s", where, own + n) < CREW_DIR;
	}
	if (f)
		fclose(f);
	return found;
}

/* Those of sensors that were killed in the middle of it. */
static void remove_stale(const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	char path[CREW_DIR + 260];
	int pid;

	while (list && (entry = readdir(list))) {
		if ((sscanf(entry->d_name, CGROUP_NAME "%d", &pid) != 1 &&
		     sscanf(entry->d_name, CGROUP_NAME "v1-%d", &pid) != 1) ||
		    !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		(void)rmdir(path);
	}
	if (list)
		closedir(list);
}

static bool find_cgroup(const char *controller, char dir[CREW_DIR])
{
	char own[CREW_DIR];

	return own_path(controller, own, sizeof(own)) && mounted_at(controller, own, dir);
}

bool stage_own_cgroup(char dir[CREW_DIR])
{
	return find_cgroup("", dir);
}

bool stage_has_controller(const char *controller)
{
	char path[CREW_DIR];

	return own_path(controller, path, sizeof(path));
}

int stage_cgroup(int v1, char dir[CREW_DIR])
{
	char path[CREW_DIR + 16];
	size_t n;
	int fd;

	if (!(v1 ? find_cgroup("memory", dir) || find_cgroup("pids", dir) : find_cgroup("", dir))) {
		dir[0] = 0;
		return -1;
	}
	remove_stale(dir);
	n = strlen(dir);
	snprintf(dir + n, CREW_DIR - n, "/" CGROUP_NAME "%s%d", v1 ? "v1-" : "", (int)getpid());
	if (mkdir(dir, 0755)) {
		dir[0] = 0;
		return -1;
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	stage_cgroup_remove(dir);
	dir[0] = 0;
	return -1;
}

/* Who has just ended is still in it for a moment. */
void stage_cgroup_remove(const char *dir)
{
	const struct timespec moment = {.tv_nsec = 500000};

	for (int i = 0; *dir && i < 400 && rmdir(dir) && errno == EBUSY; i++)
		nanosleep(&moment, NULL);
}
