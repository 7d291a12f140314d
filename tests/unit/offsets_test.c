// SPDX-License-Identifier: Apache-2.0
/*
 * offsets.c: the running kernel's offsets against a C compiler's, and BTF made here for
 * what this kernel does not have.
 */
#include "offsets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

static const struct offset_item *item_of(const char *type, const char *member)
{
	for (size_t i = 0; i < offset_item_count; i++)
		if (!strcmp(offset_items[i].type, type) && !strcmp(offset_items[i].member, member))
			return &offset_items[i];
	fail_msg("no item %s.%s", type, member);
	return NULL;
}

/* ------------------------------------------------------------------- the list */

static void every_number_has_its_own_place(void **state)
{
	struct kernel_offsets offsets;

	(void)state;
	assert_int_equal(offset_item_count * 2, sizeof(offsets));
	for (size_t i = 0; i < offset_item_count; i++)
		offsets_set(&offsets, &offset_items[i], (uint16_t)i);
	for (size_t i = 0; i < offset_item_count; i++)
		assert_int_equal(offsets_get(&offsets, &offset_items[i]), i);
	offsets_set(&offsets, item_of("task_struct", "tgid"), 1000);
	offsets_set(&offsets, item_of("upid", ""), 1001);
	offsets_set(&offsets, item_of("pid_type", "PIDTYPE_SID"), 1002);
	assert_int_equal(offsets.task_struct__tgid, 1000);
	assert_int_equal(offsets.size__upid, 1001);
	assert_int_equal(offsets.value__PIDTYPE_SID, 1002);
	offsets_clear(&offsets);
	for (size_t i = 0; i < offset_item_count; i++)
		assert_int_equal(offsets_get(&offsets, &offset_items[i]), OFFSET_ABSENT);
}

static void sizes_are_those_of_what_is_read(void **state)
{
	static const struct {
		const char *type, *member;
		uint16_t size;
		enum offset_kind kind;
	} want[] = {
		{"inode", "i_mode", 2, OFFSET_OF_MEMBER},
		{"task_struct", "tgid", 4, OFFSET_OF_MEMBER},
		{"task_struct", "self_exec_id", 4, OFFSET_OF_MEMBER},
		{"cred", "uid", 4, OFFSET_OF_MEMBER},
		{"cred", "cap_effective", 8, OFFSET_OF_MEMBER},
		{"kernfs_node", "id", 8, OFFSET_OF_MEMBER},
		{"timespec64", "tv_nsec", sizeof(long), OFFSET_OF_MEMBER},
		{"mm_struct", "arg_start", sizeof(long), OFFSET_OF_MEMBER},
		{"task_struct", "real_parent", sizeof(void *), OFFSET_OF_MEMBER},
		{"file", "f_path", 0, OFFSET_OF_MEMBER},
		{"task_struct", "comm", 0, OFFSET_OF_MEMBER},
		{"pid", "numbers", 0, OFFSET_OF_MEMBER},
		{"css_set", "subsys", 0, OFFSET_OF_MEMBER},
		{"upid", "", 0, OFFSET_OF_SIZE},
		{"pid_type", "PIDTYPE_PGID", 0, OFFSET_OF_VALUE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct offset_item *item = item_of(want[i].type, want[i].member);

		assert_int_equal(item->size, want[i].size);
		assert_int_equal(item->kind, want[i].kind);
	}
}

/* ---------------------------------------------- this kernel, by a C compiler */

static char directory[] = "/tmp/cormorant-offsets-test.XXXXXX";

static FILE *file_in(const char *name, const char *mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, mode);
	assert_non_null(f);
	return f;
}

static int shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && PATH=$PATH:/usr/sbin:/sbin && { %s; } 2>>log",
		 directory, command);
	return system(line);
}

/* The kernel's types as C, from bpftool; false if the kernel shows none. */
static bool types_as_c(void)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		print_message("skipped: this kernel shows no BTF\n");
		return false;
	}
	assert_non_null(mkdtemp(directory));
	assert_int_equal(
		shell("bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h"), 0);
	return true;
}

static FILE *begin_source(const char *name)
{
	FILE *f = file_in(name, "w");

	fputs("#define BPF_NO_PRESERVE_ACCESS_INDEX\n#include \"vmlinux.h\"\n"
	      "int printf(const char *, ...);\n",
	      f);
	return f;
}

/* An expression of C that has the item's number as its value. */
static void print_expression(FILE *f, const struct offset_item *item)
{
	switch (item->kind) {
	case OFFSET_OF_MEMBER:
		fprintf(f, "__builtin_offsetof(struct %s, %s)", item->type, item->member);
		break;
	case OFFSET_OF_SIZE: fprintf(f, "sizeof(struct %s)", item->type); break;
	case OFFSET_OF_VALUE: fprintf(f, "(enum %s)%s", item->type, item->member); break;
	}
}

/* The compiler's word for what is there: "INDEX NUMBER SIZE" a line; the size where it is read. */
static void compiler_numbers(const struct kernel_offsets *offsets)
{
	FILE *f = begin_source("there.c");

	fputs("int main(void)\n{\n", f);
	for (size_t i = 0; i < offset_item_count; i++) {
		const struct offset_item *item = &offset_items[i];

		if (offsets_get(offsets, item) == OFFSET_ABSENT)
			continue;
		fprintf(f, "printf(\"%zu %%ld %%ld\\n\", (long)", i);
		print_expression(f, item);
		fputs(", (long)", f);
		if (item->size)
			fprintf(f, "sizeof(((struct %s *)0)->%s)", item->type, item->member);
		else
			fputs("0", f);
		fputs(");\n", f);
	}
	fputs("return 0;\n}\n", f);
	fclose(f);
	assert_int_equal(shell("cc -std=gnu11 -w -o there there.c && ./there > numbers"), 0);
}

static void this_kernels_offsets_are_the_compilers(void **state)
{
	struct btf *btf;
	struct kernel_offsets offsets;
	uint32_t sizes[offset_item_count];
	int found, compared = 0;
	size_t i;
	long number, size;
	FILE *f;

	(void)state;
	if (!types_as_c())
		skip();
	btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	assert_non_null(btf);
	found = offsets_from_btf_sized(btf, &offsets, sizes);
	compiler_numbers(&offsets);
	f = file_in("numbers", "r");
	while (fscanf(f, "%zu %ld %ld", &i, &number, &size) == 3) {
		const struct offset_item *item = &offset_items[i];

		if (offsets_get(&offsets, item) != number)
			fail_msg("%s %s.%s is %d here, %ld to the compiler",
				 item->kind == OFFSET_OF_VALUE ? "enum" : "struct", item->type,
				 item->member, offsets_get(&offsets, item), number);
		if (item->size)
			assert_int_equal(sizes[i], size);
		compared++;
	}
	fclose(f);
	btf__free(btf);
	assert_int_equal(compared, found);
	assert_true(compared >= 70);
}

/* Every line of the program names something that is said to be absent: each must be an error. */
static void what_is_absent_here_is_unknown_to_the_compiler(void **state)
{
	struct kernel_offsets offsets;
	struct btf *btf;
	int absent = 0, errors = -1;
	FILE *f;

	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		print_message("skipped: this kernel shows no BTF\n");
		skip();
	}
	btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	assert_true(offsets_from_btf(btf, &offsets) > 0);
	btf__free(btf);
	f = begin_source("absent.c");
	for (size_t i = 0; i < offset_item_count; i++) {
		if (offsets_get(&offsets, &offset_items[i]) != OFFSET_ABSENT)
			continue;
		fprintf(f, "long x%zu = ", i);
		print_expression(f, &offset_items[i]);
		fputs(";\n", f);
		absent++;
	}
	fclose(f);
	shell("LC_ALL=C cc -std=gnu11 -w -fmax-errors=0 -fsyntax-only absent.c 2>errors; "
	      "grep -E 'error:' errors | grep -oE '^absent.c:[0-9]+' | sort -u | wc -l > count");
	f = file_in("count", "r");
	assert_int_equal(fscanf(f, "%d", &errors), 1);
	fclose(f);
	assert_int_equal(errors, absent);
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return strstr(directory, "XXXXXX") ? 0 : system(command);
}

/* ------------------------------------------------------------- BTF made here */

/* A BTF with the types that members are made of. */
struct types {
	struct btf *btf;
	int u16, u32, u64, ulong, ptr, chars;
};

static struct types types_new(void)
{
	struct types t = {.btf = btf__new_empty()};

	assert_non_null(t.btf);
	t.u16 = btf__add_int(t.btf, "short unsigned int", 2, 0);
	t.u32 = btf__add_int(t.btf, "unsigned int", 4, 0);
	t.u64 = btf__add_int(t.btf, "long long unsigned int", 8, 0);
	t.ulong = btf__add_int(t.btf, "long unsigned int", 8, 0);
	t.ptr = btf__add_ptr(t.btf, 0);
	t.chars = btf__add_array(t.btf, t.u32, t.u16, 8);
	assert_int_equal(t.chars, 6);
	return t;
}

/* A struct begun; its fields follow. */
static int add_struct(struct types *t, const char *name)
{
	int id = btf__add_struct(t->btf, name, 4096);

	assert_true(id > 0);
	return id;
}

static void field(struct types *t, const char *name, int type, unsigned int byte)
{
	assert_int_equal(btf__add_field(t->btf, name, type, byte * 8, 0), 0);
}

static struct kernel_offsets offsets_of(struct types *t)
{
	struct kernel_offsets offsets;

	assert_true(offsets_from_btf(t->btf, &offsets) >= 0);
	return offsets;
}

/* The end of a test with one more look: what BTF says is the same after its way through bytes. */
static struct kernel_offsets finish(struct types *t)
{
	struct kernel_offsets before = offsets_of(t), after;
	__u32 size;
	const void *raw = btf__raw_data(t->btf, &size);
	struct btf *copy = btf__new(raw, size);

	assert_non_null(copy);
	assert_true(offsets_from_btf(copy, &after) >= 0);
	assert_memory_equal(&before, &after, sizeof(after));
	btf__free(copy);
	btf__free(t->btf);
	return after;
}

static void nothing_is_found_in_an_empty_btf(void **state)
{
	struct btf *btf = btf__new_empty();
	struct kernel_offsets offsets, none;

	(void)state;
	memset(&offsets, 0, sizeof(offsets));
	offsets_clear(&none);
	assert_int_equal(offsets_from_btf(btf, &offsets), 0);
	assert_memory_equal(&offsets, &none, sizeof(none));
	btf__free(btf);
}

static void members_sizes_and_enumerators_are_found(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	uint32_t sizes[offset_item_count];

	(void)state;
	add_struct(&t, "task_struct");
	field(&t, "state", t.u64, 0);
	field(&t, "tgid", t.u32, 12);
	field(&t, "self_exec_id", t.u64, 16);
	field(&t, "comm", t.chars, 24);
	assert_true(btf__add_struct(t.btf, "upid", 24) > 0);
	field(&t, "nr", t.u32, 4);
	assert_true(btf__add_enum(t.btf, "pid_type", 4) > 0);
	assert_int_equal(btf__add_enum_value(t.btf, "PIDTYPE_PID", 0), 0);
	assert_int_equal(btf__add_enum_value(t.btf, "PIDTYPE_PGID", 7), 0);
	assert_true(btf__add_enum64(t.btf, "cgroup_subsys_id", 8, false) > 0);
	assert_int_equal(btf__add_enum64_value(t.btf, "memory_cgrp_id", 9), 0);
	assert_int_equal(offsets_from_btf_sized(t.btf, &offsets, sizes), 7);
	assert_int_equal(sizes[item_of("task_struct", "self_exec_id") - offset_items], 8);
	assert_int_equal(sizes[item_of("task_struct", "comm") - offset_items], 16);
	assert_int_equal(sizes[item_of("upid", "") - offset_items], 24);
	assert_int_equal(sizes[item_of("pid_type", "PIDTYPE_PGID") - offset_items], 0);
	assert_int_equal(sizes[item_of("task_struct", "mm") - offset_items], 0);
	offsets = finish(&t);
	assert_int_equal(offsets.task_struct__tgid, 12);
	assert_int_equal(offsets.task_struct__self_exec_id, 16);
	assert_int_equal(offsets.task_struct__comm, 24);
	assert_int_equal(offsets.task_struct__mm, OFFSET_ABSENT);
	assert_int_equal(offsets.upid__nr, 4);
	assert_int_equal(offsets.size__upid, 24);
	assert_int_equal(offsets.size__pid_link, OFFSET_ABSENT);
	assert_int_equal(offsets.value__PIDTYPE_PGID, 7);
	assert_int_equal(offsets.value__PIDTYPE_SID, OFFSET_ABSENT);
	assert_int_equal(offsets.value__memory_cgrp_id, 9);
}

/* Three deep, through a union, a qualifier, a typedef and a tag. */
static void anonymous_structs_and_unions_are_looked_into(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int inner, in_union, middle;

	(void)state;
	inner = add_struct(&t, NULL);
	field(&t, "pad", t.u64, 0);
	field(&t, "arg_end", t.ulong, 8);
	inner = btf__add_type_tag(t.btf, "rcu", inner);
	in_union = btf__add_union(t.btf, NULL, 64);
	field(&t, "arg_start", t.ulong, 0);
	field(&t, NULL, inner, 0);
	in_union = btf__add_const(t.btf, in_union);
	middle = add_struct(&t, NULL);
	field(&t, "pad", t.u64, 0);
	field(&t, NULL, in_union, 16);
	middle = btf__add_typedef(t.btf, "whatever", middle);
	add_struct(&t, "mm_struct");
	field(&t, NULL, middle, 32);
	field(&t, "env_end", t.ulong, 512);
	offsets = finish(&t);
	assert_int_equal(offsets.mm_struct__arg_start, 48);
	assert_int_equal(offsets.mm_struct__arg_end, 56);
	assert_int_equal(offsets.mm_struct__env_end, 512);
}

static void members_of_named_structs_inside_are_not(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int inner;

	(void)state;
	inner = add_struct(&t, NULL);
	field(&t, "arg_end", t.ulong, 8);
	add_struct(&t, "mm_struct");
	field(&t, "named", inner, 32);
	field(&t, "arg_start", t.ulong, 64);
	offsets = finish(&t);
	assert_int_equal(offsets.mm_struct__arg_end, OFFSET_ABSENT);
	assert_int_equal(offsets.mm_struct__arg_start, 64);
}

static void bit_fields_are_absent_and_their_neighbours_are_not(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;

	(void)state;
	add_struct(&t, "cred");
	assert_int_equal(btf__add_field(t.btf, "uid", t.u32, 0, 32), 0);
	assert_int_equal(btf__add_field(t.btf, "gid", t.u32, 32, 7), 0);
	assert_int_equal(btf__add_field(t.btf, "suid", t.u32, 64, 0), 0);
	assert_int_equal(btf__add_field(t.btf, "sgid", t.u32, 96, 1), 0);
	assert_int_equal(btf__add_field(t.btf, "euid", t.u32, 128, 0), 0);
	offsets = finish(&t);
	assert_int_equal(offsets.cred__uid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__gid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__suid, 8);
	assert_int_equal(offsets.cred__sgid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__euid, 16);
}

/* The first BTFs had no flag for bit fields: the int itself had fewer bits, or began later. */
static void old_bit_fields_are_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int narrow = btf__add_int(t.btf, "narrow", 4, 0);
	int later = btf__add_int(t.btf, "later", 4, 0);
	int cred;

	(void)state;
	*(__u32 *)(btf__type_by_id(t.btf, (__u32)narrow) + 1) = 31;
	*(__u32 *)(btf__type_by_id(t.btf, (__u32)later) + 1) = 8 << 16 | 32;
	cred = add_struct(&t, "cred");
	field(&t, "uid", narrow, 0);
	field(&t, "gid", later, 4);
	field(&t, "suid", t.u32, 8);
	field(&t, "sgid", t.u32, 12);
	/* It begins within a byte. */
	btf_members(btf__type_by_id(t.btf, (__u32)cred))[3].offset = 97;
	offsets = finish(&t);
	assert_int_equal(offsets.cred__uid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__gid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__suid, 8);
	assert_int_equal(offsets.cred__sgid, OFFSET_ABSENT);
}

static void members_too_small_are_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int id16, id32, caps4, caps8, caps16;

	(void)state;
	id16 = btf__add_struct(t.btf, "kuid16", 2);
	field(&t, "val", t.u16, 0);
	id32 = btf__add_typedef(t.btf, "kuid_t", btf__add_struct(t.btf, NULL, 4));
	caps4 = btf__add_struct(t.btf, "caps4", 4);
	caps8 = btf__add_struct(t.btf, "kernel_cap_struct", 8);
	caps16 = btf__add_struct(t.btf, "caps16", 16);
	add_struct(&t, "cred");
	field(&t, "uid", id16, 0);
	field(&t, "gid", t.u16, 4);
	field(&t, "suid", id32, 8);
	field(&t, "sgid", t.u32, 12);
	field(&t, "euid", t.u64, 16);
	field(&t, "cap_effective", caps4, 24);
	field(&t, "cap_permitted", caps8, 32);
	field(&t, "cap_inheritable", caps16, 40);
	field(&t, "user_ns", t.u32, 64);
	offsets = finish(&t);
	assert_int_equal(offsets.cred__uid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__gid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__suid, 8);
	assert_int_equal(offsets.cred__sgid, 12);
	assert_int_equal(offsets.cred__euid, 16);
	assert_int_equal(offsets.cred__cap_effective, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__cap_permitted, 32);
	assert_int_equal(offsets.cred__cap_inheritable, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__user_ns, OFFSET_ABSENT);
}

static void members_of_another_shape_are_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int path = btf__add_struct(t.btf, "whatever", 16);

	(void)state;
	add_struct(&t, "file");
	field(&t, "f_path", t.ptr, 0); /* a pointer to it */
	field(&t, "f_inode", path, 8); /* the thing itself */
	add_struct(&t, "tty_struct");
	field(&t, "name", t.u64, 0);
	add_struct(&t, "nsproxy");
	field(&t, "uts_ns", t.chars, 0); /* 16 bytes, but an array */
	field(&t, "ipc_ns", t.ptr, 16);
	offsets = finish(&t);
	assert_int_equal(offsets.file__f_path, OFFSET_ABSENT);
	assert_int_equal(offsets.file__f_inode, OFFSET_ABSENT);
	assert_int_equal(offsets.tty_struct__name, OFFSET_ABSENT);
	assert_int_equal(offsets.nsproxy__uts_ns, OFFSET_ABSENT);
	assert_int_equal(offsets.nsproxy__ipc_ns, 16);
}

static void a_flexible_array_has_an_address(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int upid, numbers;

	(void)state;
	upid = btf__add_struct(t.btf, "upid", 16);
	numbers = btf__add_array(t.btf, t.u32, upid, 0);
	add_struct(&t, "pid");
	field(&t, "level", t.u32, 4);
	field(&t, "numbers", numbers, 96);
	offsets = finish(&t);
	assert_int_equal(offsets.pid__numbers, 96);
	/* A struct without members says nothing of itself. */
	assert_int_equal(offsets.size__upid, OFFSET_ABSENT);
}

/* Kernels before 5.5, 4.19 and 4.18. */
static void old_kernels_kernfs_ids_pids_and_times_are_found(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int id, halves, link, times;

	(void)state;
	halves = btf__add_struct(t.btf, NULL, 8);
	field(&t, "ino", t.u32, 0);
	field(&t, "generation", t.u32, 4);
	id = btf__add_union(t.btf, "kernfs_node_id", 8);
	field(&t, NULL, halves, 0);
	field(&t, "id", t.u64, 0);
	add_struct(&t, "kernfs_node");
	field(&t, "id", id, 104);
	link = btf__add_struct(t.btf, "pid_link", 24);
	field(&t, "node", t.chars, 0);
	field(&t, "pid", t.ptr, 16);
	link = btf__add_array(t.btf, t.u32, link, 3);
	add_struct(&t, "task_struct");
	field(&t, "pids", link, 1072);
	times = btf__add_struct(t.btf, "timespec", 16);
	field(&t, "tv_sec", t.ulong, 0);
	field(&t, "tv_nsec", t.ulong, 8);
	add_struct(&t, "inode");
	field(&t, "i_mtime", times, 104);
	offsets = finish(&t);
	assert_int_equal(offsets.kernfs_node__id, 104);
	assert_int_equal(offsets.task_struct__pids, 1072);
	assert_int_equal(offsets.pid_link__pid, 16);
	assert_int_equal(offsets.size__pid_link, 24);
	assert_int_equal(offsets.inode__i_mtime, 104);
	assert_int_equal(offsets.timespec64__tv_sec, 0);
	assert_int_equal(offsets.timespec64__tv_nsec, 8);
}

/* 4.18 to 5.5 have both: one of the kernel's own, one of its interface. */
static void the_newer_name_wins(void **state)
{
	struct kernel_offsets offsets;

	(void)state;
	for (int older_first = 0; older_first < 2; older_first++) {
		struct types t = types_new();

		for (int i = 0; i < 2; i++) {
			bool older = older_first == !i;

			add_struct(&t, older ? "timespec" : "timespec64");
			field(&t, "tv_sec", t.ulong, older ? 32 : 0);
			field(&t, "tv_nsec", t.ulong, older ? 40 : 8);
		}
		offsets = finish(&t);
		assert_int_equal(offsets.timespec64__tv_sec, 0);
		assert_int_equal(offsets.timespec64__tv_nsec, 8);
	}
}

static void typedefs_qualifiers_and_tags_do_not_matter(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int id = t.u32, pointer = t.ptr;

	(void)state;
	id = btf__add_typedef(t.btf, "__kernel_pid_t", id);
	id = btf__add_typedef(t.btf, "pid_t", btf__add_volatile(t.btf, id));
	pointer = btf__add_restrict(t.btf, btf__add_const(t.btf, pointer));
	pointer = btf__add_type_tag(t.btf, "rcu", pointer);
	add_struct(&t, "task_struct");
	field(&t, "tgid", id, 8);
	field(&t, "real_parent", pointer, 16);
	offsets = finish(&t);
	assert_int_equal(offsets.task_struct__tgid, 8);
	assert_int_equal(offsets.task_struct__real_parent, 16);
}

static void offsets_that_do_not_fit_are_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int inner;

	(void)state;
	inner = btf__add_struct(t.btf, NULL, 0x20000);
	field(&t, "tgid", t.u32, 0x8000);
	field(&t, "sessionid", t.u32, 0x7ff0);
	btf__add_struct(t.btf, "task_struct", 0x40000);
	field(&t, "mm", t.ptr, 0xfffe);
	field(&t, "fs", t.ptr, 0xffff);
	field(&t, "signal", t.ptr, 0x10000);
	field(&t, "nsproxy", t.ptr, 0x10008);
	field(&t, "cred", t.ptr, UINT32_MAX / 8);
	field(&t, NULL, inner, 0x8000);
	assert_true(btf__add_enum(t.btf, "pid_type", 4) > 0);
	assert_int_equal(btf__add_enum_value(t.btf, "PIDTYPE_PGID", -65533), 0);
	assert_int_equal(btf__add_enum_value(t.btf, "PIDTYPE_SID", 0xfffe), 0);
	assert_true(btf__add_enum64(t.btf, "cgroup_subsys_id", 8, false) > 0);
	assert_int_equal(btf__add_enum64_value(t.btf, "memory_cgrp_id", 0x100000001), 0);
	assert_int_equal(btf__add_enum64_value(t.btf, "pids_cgrp_id", 0xffff), 0);
	btf__add_struct(t.btf, "upid", 0x10000);
	field(&t, "nr", t.u32, 0);
	offsets = finish(&t);
	assert_int_equal(offsets.task_struct__mm, 0xfffe);
	assert_int_equal(offsets.task_struct__fs, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__signal, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__nsproxy, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__cred, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__tgid, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__sessionid, 0xfff0);
	assert_int_equal(offsets.value__PIDTYPE_PGID, OFFSET_ABSENT);
	assert_int_equal(offsets.value__PIDTYPE_SID, 0xfffe);
	assert_int_equal(offsets.value__memory_cgrp_id, OFFSET_ABSENT);
	assert_int_equal(offsets.value__pids_cgrp_id, OFFSET_ABSENT);
	assert_int_equal(offsets.size__upid, OFFSET_ABSENT);
	assert_int_equal(offsets.upid__nr, 0);
}

/* ------------------------------------------------------ several of one name */

static void forward_declarations_unions_and_empty_types_are_passed_over(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;

	(void)state;
	assert_true(btf__add_fwd(t.btf, "path", BTF_FWD_STRUCT) > 0);
	assert_true(btf__add_fwd(t.btf, "pid_type", BTF_FWD_ENUM) > 0);
	assert_true(btf__add_typedef(t.btf, "path", t.u32) > 0);
	assert_true(btf__add_union(t.btf, "path", 16) > 0);
	field(&t, "mnt", t.ptr, 0);
	assert_true(btf__add_enum(t.btf, "path", 4) > 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(btf__add_enum_value(t.btf, i ? "mnt" : "dentry", i), 0);
	add_struct(&t, "pid_type");
	field(&t, "PIDTYPE_SID", t.ptr, 8);
	field(&t, "PIDTYPE_PGID", t.ptr, 16);
	add_struct(&t, "path");
	add_struct(&t, "path");
	field(&t, "mnt", t.ptr, 8);
	field(&t, "dentry", t.ptr, 16);
	assert_true(btf__add_enum(t.btf, "pid_type", 4) > 0);
	assert_int_equal(btf__add_enum_value(t.btf, "PIDTYPE_SID", 3), 0);
	assert_true(btf__add_fwd(t.btf, "path", BTF_FWD_STRUCT) > 0);
	offsets = finish(&t);
	assert_int_equal(offsets.path__mnt, 8);
	assert_int_equal(offsets.path__dentry, 16);
	assert_int_equal(offsets.value__PIDTYPE_SID, 3);
	assert_int_equal(offsets.value__PIDTYPE_PGID, OFFSET_ABSENT);
}

/* A driver's struct path, the kernel's, and the same again from another compilation unit. */
static void the_first_struct_that_has_the_members_is_taken(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;

	(void)state;
	add_struct(&t, "path");
	field(&t, "hops", t.u32, 0);
	add_struct(&t, "path");
	field(&t, "dentry", t.ptr, 40);
	add_struct(&t, "path");
	field(&t, "mnt", t.ptr, 0);
	field(&t, "dentry", t.ptr, 8);
	add_struct(&t, "path");
	field(&t, "mnt", t.ptr, 100);
	field(&t, "dentry", t.ptr, 108);
	add_struct(&t, "path");
	field(&t, "mnt", t.ptr, 200);
	offsets = finish(&t);
	assert_int_equal(offsets.path__mnt, 0);
	assert_int_equal(offsets.path__dentry, 8);
}

/* -------------------------------------------------------------- hostile BTF */

static void types_that_lead_nowhere_are_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int next = (int)btf__type_cnt(t.btf), loop;

	(void)state;
	loop = btf__add_typedef(t.btf, "loop", next);
	assert_int_equal(loop, next);
	next = btf__add_typedef(t.btf, "there", next + 2);
	assert_int_equal(btf__add_const(t.btf, next), next + 1);
	add_struct(&t, "cred");
	field(&t, "uid", loop, 0);
	field(&t, "gid", next, 4);
	field(&t, "suid", 1 << 20, 8); /* no such type */
	field(&t, "sgid", 0, 12);      /* void */
	field(&t, NULL, loop, 16);
	field(&t, NULL, 1 << 20, 20);
	field(&t, "euid", t.u32, 24);
	offsets = finish(&t);
	assert_int_equal(offsets.cred__uid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__gid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__suid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__sgid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__euid, 24);
}

static void an_array_of_arrays_without_end_is_absent(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int array = (int)btf__type_cnt(t.btf);

	(void)state;
	assert_int_equal(btf__add_array(t.btf, t.u32, array, UINT32_MAX), array);
	add_struct(&t, "task_struct");
	field(&t, "comm", array, 0);
	field(&t, "tgid", t.u32, 8);
	offsets = finish(&t);
	assert_int_equal(offsets.task_struct__comm, OFFSET_ABSENT);
	assert_int_equal(offsets.task_struct__tgid, 8);
}

/* Once it is inside itself: as deep as is looked, no deeper. */
static void a_struct_inside_itself_has_an_end(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets;
	int self = (int)btf__type_cnt(t.btf);

	(void)state;
	assert_int_equal(add_struct(&t, "path"), self);
	field(&t, NULL, self, 8);
	field(&t, "mnt", t.ptr, 0);
	offsets = finish(&t);
	assert_int_not_equal(offsets.path__mnt, OFFSET_ABSENT);
}

/* 100 to the power of eight members, if all were looked at. */
static void more_members_than_any_kernel_has_are_an_error(void **state)
{
	struct types t = types_new();
	struct kernel_offsets offsets, none;
	int self = (int)btf__type_cnt(t.btf);

	(void)state;
	add_struct(&t, "path");
	for (int i = 0; i < 100; i++)
		field(&t, NULL, self, 8);
	field(&t, "mnt", t.ptr, 0);
	offsets_clear(&none);
	assert_int_equal(offsets_from_btf(t.btf, &offsets), -E2BIG);
	assert_memory_equal(&offsets, &none, sizeof(none));
	btf__free(t.btf);
}

/* A small BTF of everything that is looked at. */
static struct btf *sample(void)
{
	struct types t = types_new();
	int alias = btf__add_typedef(t.btf, "x", t.ulong);
	int inner = add_struct(&t, NULL);

	field(&t, "arg_start", t.ulong, 0);
	field(&t, "arg_end", alias, 8);
	inner = btf__add_const(t.btf, inner);
	add_struct(&t, "mm_struct");
	field(&t, NULL, inner, 8);
	add_struct(&t, "task_struct");
	field(&t, "tgid", t.u32, 0);
	field(&t, "comm", t.chars, 8);
	btf__add_field(t.btf, "loginuid", t.u32, 300, 3);
	btf__add_enum(t.btf, "pid_type", 4);
	btf__add_enum_value(t.btf, "PIDTYPE_SID", 3);
	btf__add_enum64(t.btf, "cgroup_subsys_id", 8, false);
	btf__add_enum64_value(t.btf, "pids_cgrp_id", 4);
	return t.btf;
}

/* What libbpf takes for BTF is read without a fault, whatever it says. */
static void damaged_btf_is_survived(void **state)
{
	struct btf *whole = sample(), *btf;
	struct kernel_offsets offsets;
	__u32 size;
	const unsigned char *raw = btf__raw_data(whole, &size);
	unsigned char *copy = malloc(size);
	unsigned int seed = 1;
	int accepted = 0;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		memcpy(copy, raw, size);
		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			copy[24 + (unsigned int)rand_r(&seed) % (size - 24)] =
				rand_r(&seed) % 3 ? rand_r(&seed) % 32 : rand_r(&seed);
		btf = btf__new(copy, size);
		if (!btf)
			continue;
		accepted += offsets_from_btf(btf, &offsets) >= 0;
		btf__free(btf);
	}
	assert_true(accepted > 1000);
	free(copy);
	btf__free(whole);
}

/* No compiler puts a pointer askew: who says so is not believed in it. */
static void what_lies_askew_is_absent(void **state)
{
	struct kernel_offsets offsets;

	(void)state;
	offsets_clear(&offsets);
	assert_int_equal(offsets_drop_misplaced(&offsets), 0);
	offsets.task_struct__mm = 1136;
	offsets.task_struct__fs = 1812;
	offsets.cred__uid = 4;
	offsets.cred__gid = 6;
	offsets.cred__cap_effective = 44; /* an array of two words, until 6.2 */
	offsets.inode__i_mode = 2;
	offsets.task_struct__comm = 777;
	offsets.size__upid = 12;
	offsets.value__PIDTYPE_PGID = 3;
	assert_int_equal(offsets_drop_misplaced(&offsets), 3);
	assert_int_equal(offsets.task_struct__mm, 1136);
	assert_int_equal(offsets.task_struct__fs, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__uid, 4);
	assert_int_equal(offsets.cred__gid, OFFSET_ABSENT);
	assert_int_equal(offsets.cred__cap_effective, 44);
	assert_int_equal(offsets.inode__i_mode, 2);
	assert_int_equal(offsets.task_struct__comm, 777);
	assert_int_equal(offsets.size__upid, OFFSET_ABSENT);
	assert_int_equal(offsets.value__PIDTYPE_PGID, 3);
}

/* The running kernel's own are where they can be. */
static void this_kernels_offsets_are_not_askew(void **state)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	struct kernel_offsets offsets;

	(void)state;
	if (!btf) {
		print_message("skipped: this kernel shows no BTF\n");
		skip();
	}
	assert_true(offsets_from_btf(btf, &offsets) > 50);
	assert_int_equal(offsets_drop_misplaced(&offsets), 0);
	btf__free(btf);
}

static void an_item_is_found_in_the_text_that_names_those_unseen(void **state)
{
	const struct offset_item *start = item_of("task_struct", "start_boottime");
	bool seen[256] = {false};
	char text[256], first[256];

	(void)state;
	assert_true(offset_item_count <= 256);
	assert_true(offsets_named(start, "cred.uid, task_struct.start_boottime, upid"));
	assert_true(offsets_named(start, "task_struct.start_boottime"));
	assert_false(offsets_named(start, ""));
	assert_false(offsets_named(start, "task_struct.start_boottime2, task_struct, start_boottime"));
	assert_false(offsets_named(start, "ask_struct.start_boottime, ..."));
	for (size_t i = 0; i < offset_item_count; i++)
		seen[i] = true;
	for (size_t i = 0; i < offset_item_count; i++) { /* what the writer writes, the reader reads */
		seen[i] = false;
		offsets_name_unseen(seen, text, sizeof(text));
		seen[i] = true;
		assert_true(offsets_named(&offset_items[i], text));
		if (i)
			assert_false(offsets_named(&offset_items[i], first));
		else
			memcpy(first, text, sizeof(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_is_found_in_the_text_that_names_those_unseen),
		cmocka_unit_test(what_lies_askew_is_absent),
		cmocka_unit_test(this_kernels_offsets_are_not_askew),
		cmocka_unit_test(every_number_has_its_own_place),
		cmocka_unit_test(sizes_are_those_of_what_is_read),
		cmocka_unit_test(this_kernels_offsets_are_the_compilers),
		cmocka_unit_test(what_is_absent_here_is_unknown_to_the_compiler),
		cmocka_unit_test(nothing_is_found_in_an_empty_btf),
		cmocka_unit_test(members_sizes_and_enumerators_are_found),
		cmocka_unit_test(anonymous_structs_and_unions_are_looked_into),
		cmocka_unit_test(members_of_named_structs_inside_are_not),
		cmocka_unit_test(bit_fields_are_absent_and_their_neighbours_are_not),
		cmocka_unit_test(old_bit_fields_are_absent),
		cmocka_unit_test(members_too_small_are_absent),
		cmocka_unit_test(members_of_another_shape_are_absent),
		cmocka_unit_test(a_flexible_array_has_an_address),
		cmocka_unit_test(old_kernels_kernfs_ids_pids_and_times_are_found),
		cmocka_unit_test(the_newer_name_wins),
		cmocka_unit_test(typedefs_qualifiers_and_tags_do_not_matter),
		cmocka_unit_test(offsets_that_do_not_fit_are_absent),
		cmocka_unit_test(forward_declarations_unions_and_empty_types_are_passed_over),
		cmocka_unit_test(the_first_struct_that_has_the_members_is_taken),
		cmocka_unit_test(types_that_lead_nowhere_are_absent),
		cmocka_unit_test(an_array_of_arrays_without_end_is_absent),
		cmocka_unit_test(a_struct_inside_itself_has_an_end),
		cmocka_unit_test(more_members_than_any_kernel_has_are_an_error),
		cmocka_unit_test(damaged_btf_is_survived),
	};

	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, remove_directory);
}
