/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a kernel's types and members are those of the list (offsets.h), and which of
 * several types of one name to believe. Whoever reads the types, from BTF or from DWARF,
 * asks about each and tells what it has:
 *
 *	if (offsets_search_type(search, name, is_enum, size)) {
 *		for each of its members, those of anonymous structs and unions inside included:
 *			if (!offsets_search_step(search)) enough;
 *			if ((item = offsets_search_member(search, name)))
 *				offsets_search_found(search, item, ...);
 *		offsets_search_type_end(search);
 *	}
 */
#ifndef CORMORANT_OFFSETS_SEARCH_H
#define CORMORANT_OFFSETS_SEARCH_H

#include "cormorant/kernel_members.h"
#include "offsets.h"

/* What a member is, behind typedefs and qualifiers. */
enum offset_shape {
	OFFSET_SHAPE_NUMBER, /* an integer, a pointer, an enum */
	OFFSET_SHAPE_ARRAY,
	OFFSET_SHAPE_COMPOSITE, /* a struct or a union */
};

/*
 * Kernels nest anonymous structs three deep, and all structs and enums of the list together
 * have some 2,000 members: more than OFFSET_DEPTH_MAX and OFFSET_MEMBERS_MAX is no kernel's.
 */
#define OFFSET_ONE_STRUCT(s) +1
#define OFFSET_ONE_VALUE(e, v, what_for) +1
enum {
	OFFSET_ALIASES = 1,
	OFFSET_ITEMS = sizeof(struct kernel_offsets) / sizeof(__u16),
	OFFSET_GROUPS_MAX = 0 KERNEL_STRUCTS(OFFSET_ONE_STRUCT) KERNEL_VALUES(OFFSET_ONE_VALUE),
	OFFSET_NAMES_MAX = OFFSET_GROUPS_MAX + OFFSET_ALIASES,
	OFFSET_DEPTH_MAX = 8,
	OFFSET_MEMBERS_MAX = 1 << 20,
};

/* The items of one struct or enum, next to each other in the list. */
struct offset_group {
	const char *type;
	bool is_enum;
	size_t first, end;
	size_t size_item; /* of the struct's size; OFFSET_ITEMS if it does not count */
	int rank;	  /* of the best type so far; 0: there is none yet */
};

/* A name that a kernel may have for a group. */
struct offset_name {
	const char *text;
	struct offset_group *group;
};

/* What is known of the items: of one type, or of the best types. */
struct offset_finds {
	struct kernel_offsets offsets;
	uint32_t sizes[OFFSET_ITEMS];
};

/* The search's own, but for the stack to have room for it. */
struct offsets_search {
	struct offset_group groups[OFFSET_GROUPS_MAX];
	struct offset_name names[OFFSET_NAMES_MAX]; /* sorted */
	size_t group_count, name_count;
	struct offset_finds best;
	long budget; /* members and enumerators that may still be looked at */
	/* of the type that is being told of */
	struct offset_group *group;
	struct offset_finds finds;
	int count;
	bool newer_name;
};

/* budget: how many members, those that the list lacks included, may be looked at. */
void offsets_search_begin(struct offsets_search *search, long budget);

/* The list has a type of this name and kind; its members are to follow. size: its bytes. */
bool offsets_search_type(struct offsets_search *search, const char *name, bool is_enum,
			 uint64_t size);
/* False: too many members have been looked at, the search is over. */
static inline bool offsets_search_step(struct offsets_search *search)
{
	return --search->budget >= 0;
}

/* The item of a member or an enumerator of that type, NULL if the list lacks it. */
const struct offset_item *offsets_search_member(const struct offsets_search *search,
						const char *name);
/*
 * The member lies at bit, from the struct's start, and has size bytes; it is no bit field.
 * It is taken if it has the shape that is read.
 */
void offsets_search_found(struct offsets_search *search, const struct offset_item *item,
			  uint64_t bit, enum offset_shape shape, uint64_t size);
/* The same of an enumerator. */
void offsets_search_value(struct offsets_search *search, const struct offset_item *item,
			  uint64_t value);
/* The type has been told of: its members are kept if it has more of them than those before. */
void offsets_search_type_end(struct offsets_search *search);

/*
 * The best types' numbers; sizes as offsets_from_btf_sized has them, or NULL. Returns how
 * many were found, or -E2BIG: too many members.
 */
int offsets_search_end(const struct offsets_search *search, struct kernel_offsets *offsets,
		       uint32_t *sizes);

#endif
