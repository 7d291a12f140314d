// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* A file on its way; what a publish that was stopped has left of it is overwritten. */
static const char next_name[] = ".publish.new";

struct tree {
	char *path; /* as it was given, for errors */
	int dir;    /* v1 */
	char **names;
	size_t count, room;
	struct tree_counts counts;
};

static int fail(const struct tree *tree, int err, const char *what, const char *name,
		struct error *error)
{
	return error_set(error, err,
			 "cannot %s %s/v1/%s: %s: check its path, its permissions and the space on "
			 "its file system",
			 what, tree->path, name, strerror(-err));
}

/* ------------------------------------------------------------------------- open */

static int open_dir(int at, const char *path)
{
	int fd;

	if (mkdirat(at, path, 0777) && errno != EEXIST)
		return -errno;
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Of two that publish at once, the second would remove what the first has written. */
static int lock(const struct tree *tree, struct error *error)
{
	if (!flock(tree->dir, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(error, -EBUSY,
				 "cannot publish to %s: another publish is at it: wait until it is "
				 "done",
				 tree->path);
	return fail(tree, -errno, "lock", "", error);
}

int tree_open(const char *path, struct tree **tree_out, struct error *error)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int top, err;

	if (tree)
		tree->path = strdup(path);
	if (!tree || !tree->path) {
		free(tree);
		return error_set(error, -ENOMEM, "cannot publish: no memory: free some");
	}
	tree->dir = top = open_dir(AT_FDCWD, path);
	if (top >= 0) {
		tree->dir = open_dir(top, "v1");
		close(top);
	}
	err = tree->dir < 0 ? fail(tree, tree->dir, "make", "", error) : lock(tree, error);
	if (err)
		tree_close(tree);
	else
		*tree_out = tree;
	return err;
}

void tree_close(struct tree *tree)
{
	if (!tree)
		return;
	if (tree->dir >= 0)
		close(tree->dir);
	for (size_t i = 0; i < tree->count; i++)
		free(tree->names[i]);
	free(tree->names);
	free(tree->path);
	free(tree);
}

struct tree_counts tree_counts(const struct tree *tree)
{
	return tree->counts;
}

/* -------------------------------------------------------------------------- put */

int tree_keep(struct tree *tree, const char *name, struct error *error)
{
	if (tree->count == tree->room) {
		size_t room = tree->room ? 2 * tree->room : 256;
		char **names = realloc(tree->names, room * sizeof(*names));

		if (!names)
			return fail(tree, -ENOMEM, "write", name, error);
		tree->names = names;
		tree->room = room;
	}
	tree->names[tree->count] = strdup(name);
	if (!tree->names[tree->count])
		return fail(tree, -ENOMEM, "write", name, error);
	tree->count++;
	return 0;
}

static bool is_there(const struct tree *tree, const char *name, const void *bytes, size_t size)
{
	char *old;
	size_t old_size;
	bool same;

	if (file_read(tree->dir, name, size, &old, &old_size))
		return false;
	same = old_size == size && !memcmp(old, bytes, size);
	free(old);
	return same;
}

static int make_directory(const struct tree *tree, const char *name)
{
	char directory[NAME_MAX + 1];
	const char *slash = strchr(name, '/');

	if (!slash)
		return 0;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - name), name);
	return mkdirat(tree->dir, directory, 0777) && errno != EEXIST ? -errno : 0;
}

static int write_next(const struct tree *tree, const char *bytes, size_t size)
{
	int fd = openat(tree->dir, next_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0666);
	int err = fd < 0 ? -errno : 0;

	while (!err && size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			err = -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	return err;
}

int tree_put(struct tree *tree, const char *name, const void *bytes, size_t size, bool *changed,
	     struct error *error)
{
	bool same = is_there(tree, name, bytes, size);
	int err = same ? 0 : make_directory(tree, name);

	if (changed)
		*changed = !same;
	if (!err && !same)
		err = write_next(tree, bytes, size);
	if (!err && !same && renameat(tree->dir, next_name, tree->dir, name))
		err = -errno;
	if (err)
		return fail(tree, err, "write", name, error);
	tree->counts.written += !same;
	tree->counts.unchanged += same;
	return tree_keep(tree, name, error);
}

int tree_sync(struct tree *tree, struct error *error)
{
	return syncfs(tree->dir) ? fail(tree, -errno, "write", "", error) : 0;
}

/* ------------------------------------------------------------------------ sweep */

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

/* BUILD-ID.json */
static bool is_row(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n && (!strcmp(name + n, ".json") || !strcmp(name + n, ".json.minisig"));
}

/* index.json, kernels-ARCH-SHA256.json, offsets-SHA256.db */
static bool is_listing(const char *name)
{
	if (!strcmp(name, next_name) || !strcmp(name, "index.json.minisig"))
		return true;
	if (!strncmp(name, "kernels-", 8))
		return ends_with(name, ".json") || ends_with(name, ".json.minisig");
	return !strncmp(name, "offsets-", 8) &&
	       (ends_with(name, ".db") || ends_with(name, ".db.minisig"));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_kept(const struct tree *tree, const char *name)
{
	return bsearch(&name, tree->names, tree->count, sizeof(*tree->names), compare_names);
}

/* Of one directory of v1; "" is v1 itself. */
static int sweep(struct tree *tree, const char *directory, struct error *error)
{
	const char *slash = *directory ? "/" : "";
	int fd =
		openat(tree->dir, *directory ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char name[2 * NAME_MAX + 2];
	int err = 0;

	if (!dir && fd >= 0)
		close(fd);
	while (!err && dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s%s%s", directory, slash, entry->d_name);
		if (!(*directory ? is_row(entry->d_name) : is_listing(entry->d_name)) ||
		    is_kept(tree, name))
			continue;
		if (!unlinkat(tree->dir, name, 0))
			tree->counts.removed++;
		else if (errno != ENOENT)
			err = fail(tree, -errno, "remove", name, error);
	}
	if (dir)
		closedir(dir);
	if (*directory && !err)
		unlinkat(tree->dir, directory, AT_REMOVEDIR); /* if it is empty */
	return err;
}

int tree_sweep(struct tree *tree, struct error *error)
{
	int fd = openat(tree->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return fail(tree, err, "read", "", error);
	}
	qsort(tree->names, tree->count, sizeof(*tree->names), compare_names);
	err = sweep(tree, "", error);
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    !fstatat(tree->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISDIR(st.st_mode))
			err = sweep(tree, entry->d_name, error);
	closedir(dir);
	return err;
}
