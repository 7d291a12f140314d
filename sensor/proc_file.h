/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of /proc/PID, below a descriptor of that directory: each in few system calls
 * and in bounded room. What they hold was chosen by processes: names of any bytes, lists
 * of any length.
 */
#ifndef CORMORANT_PROC_FILE_H
#define CORMORANT_PROC_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "record.h"

/* The directory /proc/TGID, or -errno. */
int proc_file_open(uint32_t tgid);

/*
 * Reads name below dir once: right for what the kernel gives in one piece. Returns how
 * much it was, at most size, or -errno.
 */
ssize_t proc_file_read(int dir, const char *name, char *data, size_t size);

/* What is used of /proc/PID/stat (proc(5)). */
struct proc_stat {
	char comm[64]; /* a kernel worker's is longer than COMM_BYTES */
	uint64_t ppid;
	uint64_t pgid;
	uint64_t sid;
	uint64_t tty;
	uint64_t start; /* clock ticks, boot clock */
	uint64_t stack; /* where the program's stack began; 0 to who may not trace it */
};

/* Reads it from its beginning, as often as wanted, through one descriptor of it. Returns 0 or -errno. */
int proc_file_stat(int fd, struct proc_stat *stat);

/* Nanoseconds on the boot clock as proc_stat has them. */
uint64_t proc_ticks(uint64_t ns);

/*
 * The arguments, if they are whole in ARGV_MAX bytes, and the same twice, in argv and in
 * again: a process may write over them. data is NULL otherwise.
 */
struct slice proc_file_argv(int dir, char *argv, char *again);

/* ---------------------------------------------------------------------- lines */

enum { PROC_LINE_MAX = 8192, PROC_LINES_MAX = 256 * 1024 };

/* A file's lines. One longer than PROC_LINE_MAX, and all beyond PROC_LINES_MAX, is left out. */
struct proc_lines {
	int fd;
	size_t step; /* how much is asked for at a time: the kernel makes no more than that */
	size_t left; /* how much may still be read */
	size_t at;
	size_t len;
	bool skip; /* up to the next newline */
	char data[PROC_LINE_MAX];
};

/* Returns 0 or -errno; only then it is to be closed. */
int proc_lines_open(struct proc_lines *lines, int dir, const char *name, size_t step);
void proc_lines_close(struct proc_lines *lines);

/* The next line, without its newline, valid until the next call; NULL at the end. */
char *proc_lines_next(struct proc_lines *lines);

/* ---------------------------------------------------------------------- links */

/* Room for "root", a link's text, which is less than a page, and a NUL. */
enum { PROC_LINK_BYTES = 4 + PATH_BYTES_MAX + 4 };

/* What exe or cwd leads to. */
struct proc_link {
	struct slice shown; /* as the kernel shows it; data NULL if it does not */
	/* The same without the kernel's mark of a deleted file; data NULL if that can't be told. */
	struct slice path;
	bool whole;   /* path leads there from the process's root; else only its end is reliable */
	bool deleted; /* its name is gone; known if path is */
	bool has_stat;
	struct stat stat; /* of what it leads to */
};

/*
 * Reads link name below dir into room. The path is looked up below the process's own root:
 * it must be the same file. Where a file has no name left, its mount must still be
 * one of the process's. Both fail in a chroot, and for what was mounted elsewhere.
 */
void proc_file_link(int dir, const char *name, char room[PROC_LINK_BYTES], struct proc_lines *lines,
		    struct proc_link *link);

#endif
