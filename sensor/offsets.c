// SPDX-License-Identifier: Apache-2.0
#include "offsets.h"

#include "cormorant/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------- the list */

/*
 * The structs as the programs see them (bpf/access.h declares the same), for the sizes of
 * their members. Their names are the kernel's: no header that has one may come in here.
 */
struct kernel_id {
	__u32 val;
};
struct kernel_caps {
	__u64 val;
} __attribute__((packed, aligned(4))); /* an array of two until 6.2 */

#define DECLARE_MEMBER(s, type, member, what_for) type member;
#define DECLARE_STRUCT(s)                                                                          \
	struct s {                                                                                 \
		KERNEL_##s(DECLARE_MEMBER)                                                         \
	};
KERNEL_STRUCTS(DECLARE_STRUCT)

/*
 * Numbers, pointers and ids are read at once; of everything else, the structs and arrays,
 * only the address counts. An array becomes a pointer here, but to no void.
 */
/* clang-format off */
#define READ_SIZE(value)                                                                           \
	_Generic((value),                                                                          \
		unsigned char: 1, signed char: 1, char: 1,                                         \
		unsigned short: 2, short: 2, unsigned int: 4, int: 4,                              \
		unsigned long: sizeof(long), long: sizeof(long),                                   \
		unsigned long long: 8, long long: 8, void *: sizeof(void *),                       \
		struct kernel_id: sizeof(struct kernel_id),                                        \
		struct kernel_caps: sizeof(struct kernel_caps),                                    \
		default: 0)
/* clang-format on */

#define AT(number) offsetof(struct kernel_offsets, number)
#define ITEM_MEMBER(s, type, member, what_for)                                                     \
	{OFFSET_OF_MEMBER,  #s,	     #member, READ_SIZE(((struct s *)0)->member), _Alignof(type),  \
	 AT(s##__##member), what_for},
#define ITEM_STRUCT(s) KERNEL_##s(ITEM_MEMBER)
#define ITEM_SIZE(s, what_for)                                                                     \
	{OFFSET_OF_SIZE, #s, "", 0, _Alignof(struct s), AT(size__##s), what_for},
#define ITEM_VALUE(e, v, what_for) {OFFSET_OF_VALUE, #e, #v, 0, 1, AT(value__##v), what_for},

/* What for: the list's words. */
#define NEEDED(facts) (facts), OFFSET_ABSENT
#define INSTEAD(number) 0, AT(number)
#define F(fact) FACT_BIT(FACT_##fact)
#define ID(id) FACT_BIT(FACT_ID + ID_##id)
#define CAPS(set) FACT_BIT(FACT_CAPS + CAPS_##set)
#define NS(ns) FACT_BIT(FACT_NS + NS_##ns)
#define SECTION(section) FACT_BIT(FACT_SECTION + SECTION_##section)
#define BITS(first, count) (((1ULL << (count)) - 1) * FACT_BIT(first))
#define NS_ALL BITS(FACT_NS, NS_COUNT)
#define NS_PROXY (NS_ALL & ~NS(PID) & ~NS(USER))
#define CREDS (BITS(FACT_ID, ID_COUNT) | BITS(FACT_CAPS, CAPS_COUNT) | NS(USER))
#define ARGS (F(ARGV) | SECTION(ARGV))
#define EXE_FILE (F(DEV) | F(INODE) | F(MODE) | F(SIZE) | F(MTIME) | F(NLINK) | F(FS))
#define LINKS (F(MEMFD) | F(DELETED))
#define PATHS (SECTION(EXE) | SECTION(CWD))
#define CGROUPS (SECTION(CGROUP) | SECTION(CGROUP_V1))

const struct offset_item offset_items[] = {KERNEL_STRUCTS(ITEM_STRUCT) KERNEL_SIZES(ITEM_SIZE)
						   KERNEL_VALUES(ITEM_VALUE)};

enum { ITEM_COUNT = sizeof(offset_items) / sizeof(offset_items[0]) };
const size_t offset_item_count = ITEM_COUNT;

_Static_assert(sizeof(struct kernel_offsets) == ITEM_COUNT * sizeof(__u16),
	       "every number of struct kernel_offsets has its item");

void offsets_clear(struct kernel_offsets *offsets)
{
	for (size_t i = 0; i < ITEM_COUNT; i++)
		offsets_set(offsets, &offset_items[i], OFFSET_ABSENT);
}

uint16_t offsets_get(const struct kernel_offsets *offsets, const struct offset_item *item)
{
	uint16_t value;

	memcpy(&value, (const char *)offsets + item->at, sizeof(value));
	return value;
}

void offsets_set(struct kernel_offsets *offsets, const struct offset_item *item, uint16_t value)
{
	memcpy((char *)offsets + item->at, &value, sizeof(value));
}

int offsets_drop_misplaced(struct kernel_offsets *offsets)
{
	int dropped = 0;

	for (size_t i = 0; i < ITEM_COUNT; i++) {
		uint16_t value = offsets_get(offsets, &offset_items[i]);

		if (value == OFFSET_ABSENT || value % offset_items[i].align == 0)
			continue;
		offsets_set(offsets, &offset_items[i], OFFSET_ABSENT);
		dropped++;
	}
	return dropped;
}

bool offsets_empty(const struct kernel_offsets *offsets)
{
	for (size_t i = 0; i < ITEM_COUNT; i++)
		if (offsets_get(offsets, &offset_items[i]) != OFFSET_ABSENT)
			return false;
	return true;
}

/* --------------------------------------------------------------------- fields */

const struct offset_item *offset_item_named(const char *type, const char *member)
{
	static const char prefix[] = "enum ";
	bool value = !strncmp(type, prefix, sizeof(prefix) - 1);

	if (value)
		type += sizeof(prefix) - 1;
	for (size_t i = 0; i < ITEM_COUNT; i++) {
		const struct offset_item *item = &offset_items[i];

		if (value == (item->kind == OFFSET_OF_VALUE) && !strcmp(item->type, type) &&
		    !strcmp(item->member, member))
			return item;
	}
	return NULL;
}

/* The item's number; OFFSET_ABSENT if the field says nothing usable. */
static uint16_t number_of_field(const struct offset_field *field, const struct offset_item *item)
{
	int64_t number = item->kind == OFFSET_OF_SIZE ? field->size : field->offset;

	if (field->offset < 0 || field->size < item->size || field->bit_shift)
		return OFFSET_ABSENT;
	if (number < 0 || number >= OFFSET_ABSENT || (item->kind == OFFSET_OF_SIZE && !number))
		return OFFSET_ABSENT;
	return (uint16_t)number;
}

int offsets_take(struct kernel_offsets *offsets, const struct offset_field *field)
{
	const struct offset_item *item = offset_item_named(field->type, field->member);
	uint16_t number, before;

	if (!item)
		return 0;
	number = number_of_field(field, item);
	before = offsets_get(offsets, item);
	if (before != OFFSET_ABSENT && before != number)
		return -EEXIST;
	offsets_set(offsets, item, number);
	return 0;
}

/* The list's names; what does not fit is "...". */
/* Number at, or what some kernels have in its place. */
static bool has_any(const struct kernel_offsets *offsets, uint16_t at)
{
	for (size_t i = 0; i < ITEM_COUNT; i++)
		if ((offset_items[i].at == at || offset_items[i].instead == at) &&
		    offsets_get(offsets, &offset_items[i]) != OFFSET_ABSENT)
			return true;
	return false;
}

const struct offset_item *offsets_lacking(const struct kernel_offsets *offsets, uint64_t fact)
{
	for (size_t i = 0; i < ITEM_COUNT; i++)
		if (offset_items[i].needed_by & fact && !has_any(offsets, offset_items[i].at))
			return &offset_items[i];
	return NULL;
}

void offsets_name_unseen(const bool *seen, char *text, size_t size)
{
	size_t len = 0;

	*text = 0;
	for (size_t i = 0; i < ITEM_COUNT; i++) {
		const struct offset_item *item = &offset_items[i];
		char name[160];
		int n = snprintf(name, sizeof(name), "%s%s%s%s", len ? ", " : "", item->type,
				 *item->member ? "." : "", item->member);

		if (seen[i])
			continue;
		if (len + (size_t)n + sizeof(", ...") > size) {
			snprintf(text + len, size - len, "%s...", len ? ", " : "");
			return;
		}
		memcpy(text + len, name, (size_t)n + 1);
		len += (size_t)n;
	}
}

bool offsets_named(const struct offset_item *item, const char *text)
{
	size_t type = strlen(item->type), member = strlen(item->member);

	while (*text) {
		size_t n = strcspn(text, ",");

		if (n == type + !!member + member && !memcmp(text, item->type, type) &&
		    (!member ||
		     (text[type] == '.' && !memcmp(text + type + 1, item->member, member))))
			return true;
		text += n + strspn(text + n, ", ");
	}
	return false;
}
