// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

struct check {
	const struct layout *layout;
	void (*fault)(void *arg, const char *what);
	void *arg;
};

static void fault(const struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fault(const struct check *check, const char *format, ...)
{
	char what[320];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	check->fault(check->arg, what);
}

static bool is_enum(const struct layout_field *field)
{
	return !strncmp(field->type, "enum ", 5);
}

static const struct layout_field *find(const struct layout *layout, const char *type,
				       const char *member)
{
	for (size_t i = 0; i < layout->count; i++)
		if (!strcmp(layout->fields[i].type, type) &&
		    !strcmp(layout->fields[i].member, member))
			return &layout->fields[i];
	return NULL;
}

static const struct offset_item *item_of(const struct layout_field *field)
{
	const char *type = field->type + (is_enum(field) ? 5 : 0);

	for (size_t i = 0; i < offset_item_count; i++)
		if (is_enum(field) == (offset_items[i].kind == OFFSET_OF_VALUE) &&
		    !strcmp(offset_items[i].type, type) &&
		    !strcmp(offset_items[i].member, field->member))
			return &offset_items[i];
	return NULL;
}

/* ------------------------------------------------------------------- one number */

/* Where a member of that size may begin. Capabilities were two words of 32 bits until 6.3. */
static uint32_t alignment(const struct layout_field *field, const struct offset_item *item)
{
	bool words = !strcmp(field->type, "cred") && !strncmp(field->member, "cap_", 4);

	if (item->size == 8 && words)
		return 4;
	return item->size ? item->size : 1;
}

/* What is read of a member at once is one number: 1, 2, 4 or 8 bytes, or two words. */
static void check_member(const struct check *check, const struct layout_field *field,
			 const struct offset_item *item)
{
	if (field->size < item->size || (item->size && field->size > 8))
		fault(check, "%s.%s has %u bytes, and %u are read of it", field->type,
		      field->member, field->size, item->size);
	if (field->offset % alignment(field, item))
		fault(check, "%s.%s lies at %u, which is not aligned", field->type, field->member,
		      field->offset);
	if (field->bit_shift)
		fault(check, "%s.%s has a bit shift of %u, and is no bit field", field->type,
		      field->member, field->bit_shift);
}

/* Enumerators that are used are small: kinds of pids, cgroup controllers. */
static void check_value(const struct check *check, const struct layout_field *field)
{
	if (field->offset > 31 || field->size || field->bit_shift)
		fault(check, "%s.%s is %u of %u bytes, and no small number", field->type,
		      field->member, field->offset, field->size);
}

static void check_size(const struct check *check, const struct layout_field *field)
{
	if (field->offset || field->bit_shift || !field->size || field->size > 256)
		fault(check, "struct %s has %u bytes from %u on, and is a small struct",
		      field->type, field->size, field->offset);
}

static void check_field(const struct check *check, const struct layout_field *field)
{
	const struct offset_item *item = item_of(field);

	if (is_enum(field))
		check_value(check, field);
	else if (!*field->member)
		check_size(check, field);
	else if (item)
		check_member(check, field, item);
	/* The largest, struct net and task_struct, have some 10 KiB. */
	if (field->offset >= OFFSET_ABSENT || field->size >= OFFSET_ABSENT ||
	    field->offset + field->size >= OFFSET_ABSENT)
		fault(check, "%s.%s lies at %u with %u bytes, beyond any kernel's", field->type,
		      field->member, field->offset, field->size);
}

/* -------------------------------------------------------------------- two of them */

static bool overlap(const struct layout_field *a, const struct layout_field *b)
{
	return (uint64_t)a->offset < (uint64_t)b->offset + b->size &&
	       (uint64_t)b->offset < (uint64_t)a->offset + a->size;
}

/* None of the members in the list share a union. */
static void check_pair(const struct check *check, const struct layout_field *a,
		       const struct layout_field *b)
{
	if (strcmp(a->type, b->type))
		return;
	if (is_enum(a)) {
		if (a->offset == b->offset)
			fault(check, "%s.%s and %s are both %u", a->type, a->member, b->member,
			      a->offset);
	} else if (!*a->member || !*b->member) {
		const struct layout_field *whole = *a->member ? b : a, *part = *a->member ? a : b;

		if ((uint64_t)part->offset + part->size > whole->size)
			fault(check, "%s.%s ends at %u, and the struct has %u bytes", part->type,
			      part->member, part->offset + part->size, whole->size);
	} else if (overlap(a, b)) {
		fault(check, "%s.%s (%u, %u bytes) and %s (%u, %u bytes) overlap", a->type,
		      a->member, a->offset, a->size, b->member, b->offset, b->size);
	}
}

/* Process groups come right before sessions (4.18 and older: 1 and 2, later 2 and 3). */
static void check_pid_types(const struct check *check)
{
	const struct layout_field *group = find(check->layout, "enum pid_type", "PIDTYPE_PGID");
	const struct layout_field *session = find(check->layout, "enum pid_type", "PIDTYPE_SID");

	if (group && session && session->offset != group->offset + 1)
		fault(check, "enum pid_type: PIDTYPE_PGID is %u and PIDTYPE_SID %u, not the next",
		      group->offset, session->offset);
}

/* ---------------------------------------------------------------------- what lacks */

/* Each line: one of the two is in every kernel since 4.4, whatever its configuration. */
static void check_necessary(const struct check *check)
{
	static const struct {
		const char *type, *member, * or ;
	} necessary[] = {
		{"task_struct", "tgid", NULL},
		{"task_struct", "real_parent", NULL},
		{"task_struct", "group_leader", NULL},
		{"task_struct", "comm", NULL},
		{"task_struct", "cred", NULL},
		{"task_struct", "mm", NULL},
		{"task_struct", "fs", NULL},
		{"task_struct", "nsproxy", NULL},
		{"task_struct", "signal", NULL},
		{"task_struct", "start_boottime", "real_start_time"},
		{"task_struct", "thread_pid", "pids"},
		{"mm_struct", "arg_start", NULL},
		{"mm_struct", "arg_end", NULL},
		{"mm_struct", "exe_file", NULL},
		{"cred", "uid", NULL},
		{"cred", "gid", NULL},
		{"cred", "euid", NULL},
		{"cred", "egid", NULL},
		{"file", "f_path", NULL},
		{"file", "f_inode", NULL},
		{"path", "dentry", NULL},
		{"dentry", "d_parent", NULL},
		{"dentry", "d_name", NULL},
		{"inode", "i_ino", NULL},
		{"super_block", "s_dev", NULL},
	};

	for (size_t i = 0; i < sizeof(necessary) / sizeof(necessary[0]); i++) {
		const char *type = necessary[i].type, * or = necessary[i].or ;

		if (!find(check->layout, type, necessary[i].member) &&
		    !(or &&find(check->layout, type, or)))
			fault(check, "%s.%s is missing, and every kernel has it", type,
			      necessary[i].member);
	}
}

void layout_check(const struct layout *layout, void (*fault_fn)(void *arg, const char *what),
		  void *arg)
{
	const struct check check = {layout, fault_fn, arg};

	for (size_t i = 0; i < layout->count; i++) {
		check_field(&check, &layout->fields[i]);
		for (size_t j = i + 1; j < layout->count; j++)
			check_pair(&check, &layout->fields[i], &layout->fields[j]);
	}
	check_pid_types(&check);
	check_necessary(&check);
}
