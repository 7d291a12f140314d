// SPDX-License-Identifier: Apache-2.0
#include "workspace.h"
#include "bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void workspace_keep(struct workspace *ws, void *memory)
{
	ws->kept = realloc(ws->kept, (ws->n_kept + 1) * sizeof(*ws->kept));
	if (!ws->kept || !memory)
		abort();
	ws->kept[ws->n_kept++] = memory;
}

void *workspace_memory(struct workspace *ws, size_t size)
{
	void *memory = calloc(1, size);

	workspace_keep(ws, memory);
	return memory;
}

char *workspace_text(struct workspace *ws, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	workspace_keep(ws, text);
	return text;
}

char *workspace_marker(struct workspace *ws)
{
	return workspace_text(ws, "e2e-%d-%u", getpid(), ++ws->serial);
}

char *workspace_scratch(struct workspace *ws)
{
	char *path = workspace_text(ws, "%s/%u", ws->dir, ++ws->serial);

	assert_return_code(mkdir(path, 0755), errno);
	return path;
}

void workspace_write_file(const char *path, const void *data, size_t len, unsigned int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	assert_return_code(fd, errno);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		assert_return_code(n, errno);
		done += (size_t)n;
	}
	assert_return_code(fchmod(fd, mode), errno);
	close(fd);
}

void workspace_copy_program(const char *path)
{
	struct bytes program;

	assert_true(bytes_read_file("/proc/self/exe", &program));
	workspace_write_file(path, program.data, program.len, 0755);
	bytes_free(&program);
}

bool workspace_open(struct workspace *ws)
{
	const char *tmp = getenv("TMPDIR");

	*ws = (struct workspace){ 0 };
	snprintf(ws->dir, sizeof(ws->dir), "%s/e2e.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	/* Subjects with other ids work here too. */
	if (!mkdtemp(ws->dir) || chmod(ws->dir, 0755)) {
		fprintf(stderr, "e2e: cannot make a directory: %s: %m: set TMPDIR\n", ws->dir);
		return false;
	}
	snprintf(ws->program, sizeof(ws->program), "%s/subject", ws->dir);
	workspace_copy_program(ws->program);
	return true;
}

/* By descriptors: some paths here are longer than a system call takes. */
static bool workspace_remove(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool removed = true;

	if (!dir)
		return unlinkat(parent, name, 0) == 0;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			removed &= workspace_remove(dirfd(dir), entry->d_name);
	closedir(dir);
	return removed && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

void workspace_tidy(struct workspace *ws)
{
	while (ws->n_cgroups)
		/* A member that is just exiting keeps its cgroup busy for a moment. */
		for (int tries = 0; tries < 500; tries++) {
			if (!rmdir(ws->cgroups[ws->n_cgroups - 1]) || errno != EBUSY) {
				ws->n_cgroups--;
				break;
			}
			usleep(2000);
		}
}

void workspace_close(struct workspace *ws)
{
	workspace_tidy(ws);
	if (!workspace_remove(AT_FDCWD, ws->dir))
		fprintf(stderr, "e2e: left behind: %s: %m\n", ws->dir);
	for (size_t i = 0; i < ws->n_kept; i++)
		free(ws->kept[i]);
	free(ws->kept);
	free(ws->cgroups);
}

char *workspace_cgroup_mount(struct workspace *ws)
{
	char line[4096], where[2048], type[64];
	char *found = NULL;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %2047s", where) == 1 && strstr(line, " - cgroup2 ") &&
		    sscanf(strstr(line, " - "), " - %63s", type) == 1)
			found = workspace_text(ws, "%s", where);
	fclose(f);
	return found;
}

static int workspace_mkdir_noted(struct workspace *ws, char *path)
{
	if (mkdir(path, 0755))
		return errno == EEXIST ? 0 : -errno;
	ws->cgroups = realloc(ws->cgroups, (ws->n_cgroups + 1) * sizeof(*ws->cgroups));
	if (!ws->cgroups)
		abort();
	ws->cgroups[ws->n_cgroups++] = path;
	return 0;
}

char *workspace_cgroup(struct workspace *ws, const char *path)
{
	char *mount_point = workspace_cgroup_mount(ws);
	char *full = workspace_text(ws, "%s%s", mount_point ? mount_point : "", path);

	errno = ENODEV;
	if (!mount_point)
		return NULL;
	for (char *slash = full + strlen(mount_point) + 1; slash; slash++) {
		char *part;

		slash = strchr(slash, '/');
		part = slash ? workspace_text(ws, "%.*s", (int)(slash - full), full) : full;
		errno = -workspace_mkdir_noted(ws, part);
		if (errno)
			return NULL;
		if (!slash)
			break;
	}
	return full;
}

int mounts_private(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return 0;
}

int mounts_hide(const char *path)
{
	return mount("hidden", path, "tmpfs", 0, "mode=755") ? -errno : 0;
}

bool mounts_have_tracefs(void)
{
	return access("/sys/kernel/tracing/events", F_OK) == 0;
}
