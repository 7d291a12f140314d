// SPDX-License-Identifier: Apache-2.0
/*
 * The place a run works in: one directory under ${TMPDIR:-/tmp} that holds a copy of this program and everything the
 * tests make, and the steps that undo what a test did outside of it.
 */
#ifndef E2E_WORKSPACE_H
#define E2E_WORKSPACE_H

#include <stdbool.h>
#include <stddef.h>

struct workspace {
	char dir[256];
	char program[300];	/* the copy of this program that subjects execute */
	unsigned int serial;	/* makes names and markers unique */
	void **kept;		/* memory that lives as long as the workspace */
	size_t n_kept;
	char **cgroups;		/* cgroup directories to remove after the test, in order of creation */
	size_t n_cgroups;
};

/* false with a message on stderr. */
bool workspace_open(struct workspace *ws);
void workspace_close(struct workspace *ws);
/* Undoes what one test made outside the directory. */
void workspace_tidy(struct workspace *ws);

/* Formats a string that lives as long as the workspace. */
__attribute__((format(printf, 2, 3))) char *workspace_text(struct workspace *ws, const char *format, ...);
/* Memory that lives as long as the workspace, zeroed. */
void *workspace_memory(struct workspace *ws, size_t size);
/* A text no other process on this machine has in its argv. */
char *workspace_marker(struct workspace *ws);
/* A new empty directory that everybody may enter. */
char *workspace_scratch(struct workspace *ws);

/* A copy of this program at path, mode 0755; with another inode, so that its link count and times are its own. */
void workspace_copy_program(const char *path);
void workspace_write_file(const char *path, const void *data, size_t len, unsigned int mode);

/* Where cgroup v2 is mounted, NULL if it is not. */
char *workspace_cgroup_mount(struct workspace *ws);
/* A new cgroup of the v2 hierarchy, path relative to its mount. Its directory, or NULL with errno. */
char *workspace_cgroup(struct workspace *ws, const char *path);

/* Own mount namespace of the calling process, nothing of it seen outside. 0 or -errno. */
int mounts_private(void);
/* An empty tmpfs over a directory. 0 or -errno. */
int mounts_hide(const char *path);
bool mounts_have_tracefs(void);

#endif
