// SPDX-License-Identifier: Apache-2.0
#include "offsets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

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

#define DECLARE_MEMBER(s, type, member) type member;
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
#define ITEM_MEMBER(s, type, member)                                                               \
	{OFFSET_OF_MEMBER, #s, #member, READ_SIZE(((struct s *)0)->member), _Alignof(type),        \
	 AT(s##__##member)},
#define ITEM_STRUCT(s) KERNEL_##s(ITEM_MEMBER)
#define ITEM_SIZE(s) {OFFSET_OF_SIZE, #s, "", 0, _Alignof(struct s), AT(size__##s)},
#define ITEM_VALUE(e, v) {OFFSET_OF_VALUE, #e, #v, 0, 1, AT(value__##v)},

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

/* ---------------------------------------------------------- what is looked for */

/* Structs that went by another name. */
static const struct alias {
	const char *type, *older;
} aliases[] = {
	/* Until 4.17 a macro of time64.h, on 64-bit machines; inodes' times have it since 4.18. */
	{"timespec64", "timespec"},
};

/*
 * Kernels nest anonymous structs three deep, and all structs and enums of the list together
 * have some 2,000 members: more than DEPTH_MAX and MEMBERS_MAX is no kernel's BTF.
 */
#define ONE_STRUCT(s) +1
#define ONE_VALUE(e, v) +1
enum {
	ALIASES = sizeof(aliases) / sizeof(aliases[0]),
	GROUPS_MAX = 0 KERNEL_STRUCTS(ONE_STRUCT) KERNEL_VALUES(ONE_VALUE),
	NAMES_MAX = GROUPS_MAX + ALIASES,
	DEPTH_MAX = 8,
	MEMBERS_MAX = 1 << 20,
};

/* The items of one struct or enum, next to each other in the list, and the best type for them. */
struct group {
	const char *type;
	bool is_enum;
	size_t first, end;
	__u32 id; /* 0: none yet */
	int rank; /* of that type */
};

/* A name that BTF may have for a group. */
struct name {
	const char *text;
	struct group *group;
};

struct search {
	const struct btf *btf;
	struct group groups[GROUPS_MAX];
	struct name names[NAMES_MAX]; /* sorted */
	size_t group_count, name_count;
	long budget; /* members and enumerators that may still be looked at */
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void add_name(struct search *search, const char *text, struct group *group)
{
	search->names[search->name_count++] = (struct name){text, group};
}

static void list_groups(struct search *search)
{
	struct group *group = NULL;

	for (size_t i = 0; i < ITEM_COUNT; i++) {
		const struct offset_item *item = &offset_items[i];

		if (item->kind == OFFSET_OF_SIZE)
			continue;
		if (!group || strcmp(group->type, item->type)) {
			group = &search->groups[search->group_count++];
			*group = (struct group){.type = item->type, .first = i};
			group->is_enum = item->kind == OFFSET_OF_VALUE;
			add_name(search, item->type, group);
		}
		group->end = i + 1;
	}
}

static void list_names(struct search *search)
{
	list_groups(search);
	for (size_t i = 0; i < ALIASES; i++)
		for (size_t g = 0; g < search->group_count; g++)
			if (!strcmp(search->groups[g].type, aliases[i].type))
				add_name(search, aliases[i].older, &search->groups[g]);
	qsort(search->names, search->name_count, sizeof(search->names[0]), compare_names);
}

/* The group that a type's name belongs to, NULL if it is none of the list's. */
static struct group *group_named(const struct search *search, const char *text)
{
	struct name key = {.text = text};
	struct name *name =
		bsearch(&key, search->names, search->name_count, sizeof(key), compare_names);

	return name ? name->group : NULL;
}

/* ------------------------------------------------------------------- one type */

/* What one type says of its group's items. */
struct finds {
	struct kernel_offsets offsets;
	uint32_t sizes[ITEM_COUNT];
	int count;
};

static void found(struct finds *finds, size_t i, __u64 value, __u64 size)
{
	if (value >= OFFSET_ABSENT ||
	    offsets_get(&finds->offsets, &offset_items[i]) != OFFSET_ABSENT)
		return;
	offsets_set(&finds->offsets, &offset_items[i], value);
	finds->sizes[i] = size;
	finds->count++;
}

/* The item of a member or an enumerator; the group's end if it is none of the list's. */
static size_t item_named(const struct group *group, const char *name)
{
	size_t i = group->first;

	while (i < group->end && strcmp(offset_items[i].member, name))
		i++;
	return i;
}

/* The type behind typedefs, qualifiers and tags, NULL if there is none. */
static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	int resolved = btf__resolve_type(btf, id);

	return resolved < 0 ? NULL : btf__type_by_id(btf, resolved);
}

/* A member of this type can be read as the item wants it. */
static bool readable(const struct btf_type *type, __s64 size, const struct offset_item *item)
{
	if (!item->size)
		return btf_is_array(type) || btf_is_composite(type);
	/* kuid_t, kernel_cap_t; until 5.4 kernfs_node.id, a union of the number and its halves. */
	if (btf_is_composite(type))
		return size == item->size;
	/* Before 5.0 (kflag) the type of a bit field was an int of fewer bits. */
	if (btf_is_int(type) && (btf_int_offset(type) || btf_int_bits(type) != size * 8))
		return false;
	return !btf_is_array(type) && size >= item->size;
}

static void take_member(const struct search *search, const struct group *group,
			const struct btf_type *parent, __u32 index, __u64 bits, struct finds *finds)
{
	const struct btf_member *member = btf_members(parent) + index;
	const struct btf_type *type = resolve(search->btf, member->type);
	size_t i = item_named(group, btf__name_by_offset(search->btf, member->name_off));
	__s64 size;

	if (i == group->end || !type || bits % 8 || btf_member_bitfield_size(parent, index))
		return;
	size = btf__resolve_size(search->btf, member->type);
	if (size >= 0 && size <= UINT32_MAX && readable(type, size, &offset_items[i]))
		found(finds, i, bits / 8, size);
}

static void walk_members(struct search *search, const struct group *group,
			 const struct btf_type *parent, __u64 base, int depth, struct finds *finds)
{
	for (__u32 i = 0; i < btf_vlen(parent) && --search->budget >= 0; i++) {
		const struct btf_member *member = btf_members(parent) + i;
		const char *name = btf__name_by_offset(search->btf, member->name_off);
		__u64 bits = base + btf_member_bit_offset(parent, i);
		const struct btf_type *inner;

		if (name && *name) {
			take_member(search, group, parent, i, bits, finds);
			continue;
		}
		inner = resolve(search->btf, member->type);
		if (inner && btf_is_composite(inner) && depth < DEPTH_MAX)
			walk_members(search, group, inner, bits, depth + 1, finds);
	}
}

static void walk_enumerators(struct search *search, const struct group *group,
			     const struct btf_type *type, struct finds *finds)
{
	for (__u32 i = 0; i < btf_vlen(type) && --search->budget >= 0; i++) {
		bool wide = btf_is_enum64(type);
		__u32 at = wide ? btf_enum64(type)[i].name_off : btf_enum(type)[i].name_off;
		const char *name = btf__name_by_offset(search->btf, at);
		size_t item = name ? item_named(group, name) : group->end;

		/* A negative number becomes a huge one here, and is refused as such. */
		if (item < group->end)
			found(finds, item,
			      wide ? btf_enum64_value(&btf_enum64(type)[i]) :
				     (__u64)(__s64)btf_enum(type)[i].val,
			      0);
	}
}

static void take_size(const struct group *group, const struct btf_type *type, struct finds *finds)
{
	for (size_t i = 0; i < ITEM_COUNT; i++)
		if (offset_items[i].kind == OFFSET_OF_SIZE &&
		    !strcmp(offset_items[i].type, group->type))
			found(finds, i, type->size, type->size);
}

/* Everything that this type says of the group, added to finds. */
static void walk_type(struct search *search, const struct group *group, const struct btf_type *type,
		      struct finds *finds)
{
	if (group->is_enum) {
		walk_enumerators(search, group, type, finds);
		return;
	}
	walk_members(search, group, type, 0, 0, finds);
	take_size(group, type, finds);
}

/* --------------------------------------------------------------- all the types */

/* A type with members, of the kind that the group is of; a forward declaration has none. */
static bool kind_fits(const struct group *group, const struct btf_type *type)
{
	return group->is_enum ? btf_is_any_enum(type) : btf_is_struct(type);
}

/* Takes the type for its group if it has more of the members than the one before. */
static void consider(struct search *search, __u32 id, const struct btf_type *type,
		     struct finds *scratch)
{
	const char *name = btf__name_by_offset(search->btf, type->name_off);
	struct group *group = name ? group_named(search, name) : NULL;
	int rank;

	if (!group || !kind_fits(group, type))
		return;
	offsets_clear(&scratch->offsets);
	scratch->count = 0;
	walk_type(search, group, type, scratch);
	/* Of two that have the same, the one that bears the newer name. */
	rank = 2 * scratch->count + !strcmp(name, group->type);
	if (scratch->count && rank > group->rank) {
		group->rank = rank;
		group->id = id;
	}
}

/* Looks at every type once: a vmlinux has 150,000, of which some 10,000 are structs. */
static void find_types(struct search *search, struct finds *scratch)
{
	__u32 count = btf__type_cnt(search->btf);

	for (__u32 id = 1; id < count && search->budget >= 0; id++) {
		const struct btf_type *type = btf__type_by_id(search->btf, id);

		if (type && (btf_is_struct(type) || btf_is_any_enum(type)) && type->name_off &&
		    btf_vlen(type))
			consider(search, id, type, scratch);
	}
}

static void take_types(struct search *search, struct finds *finds)
{
	offsets_clear(&finds->offsets);
	memset(finds->sizes, 0, sizeof(finds->sizes));
	finds->count = 0;
	for (size_t g = 0; g < search->group_count && search->budget >= 0; g++) {
		const struct group *group = &search->groups[g];

		if (group->id)
			walk_type(search, group, btf__type_by_id(search->btf, group->id), finds);
	}
}

int offsets_from_btf_sized(const struct btf *btf, struct kernel_offsets *offsets, uint32_t *sizes)
{
	struct search search = {.btf = btf, .budget = MEMBERS_MAX};
	struct finds finds;

	offsets_clear(offsets);
	list_names(&search);
	find_types(&search, &finds);
	take_types(&search, &finds);
	if (search.budget < 0)
		return -E2BIG;
	*offsets = finds.offsets;
	if (sizes)
		memcpy(sizes, finds.sizes, sizeof(finds.sizes));
	return finds.count;
}

int offsets_from_btf(const struct btf *btf, struct kernel_offsets *offsets)
{
	return offsets_from_btf_sized(btf, offsets, NULL);
}
