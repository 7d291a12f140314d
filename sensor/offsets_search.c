// SPDX-License-Identifier: Apache-2.0
#include "offsets_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Structs that went by another name. */
static const struct alias {
	const char *type, *older;
} aliases[OFFSET_ALIASES] = {
	/* Until 4.17 a macro of time64.h, on 64-bit machines; inodes' times have it since 4.18. */
	{"timespec64", "timespec"},
};

/* --------------------------------------------------------------------- the names */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct offset_name *)a)->text, ((const struct offset_name *)b)->text);
}

static void add_name(struct offsets_search *search, const char *text, struct offset_group *group)
{
	search->names[search->name_count++] = (struct offset_name){text, group};
}

static void list_groups(struct offsets_search *search)
{
	struct offset_group *group = NULL;

	for (size_t i = 0; i < OFFSET_ITEMS; i++) {
		const struct offset_item *item = &offset_items[i];

		if (item->kind == OFFSET_OF_SIZE)
			continue;
		if (!group || strcmp(group->type, item->type)) {
			group = &search->groups[search->group_count++];
			*group = (struct offset_group){.type = item->type, .first = i};
			group->is_enum = item->kind == OFFSET_OF_VALUE;
			group->size_item = OFFSET_ITEMS;
			add_name(search, item->type, group);
		}
		group->end = i + 1;
	}
}

/* The group that a type's name belongs to, NULL if it is none of the list's. */
static struct offset_group *group_named(const struct offsets_search *search, const char *text)
{
	struct offset_name key = {.text = text};
	struct offset_name *name =
		bsearch(&key, search->names, search->name_count, sizeof(key), compare_names);

	return name ? name->group : NULL;
}

static void sort_names(struct offsets_search *search)
{
	qsort(search->names, search->name_count, sizeof(search->names[0]), compare_names);
}

void offsets_search_begin(struct offsets_search *search, long budget)
{
	memset(search, 0, sizeof(*search));
	search->budget = budget;
	offsets_clear(&search->best.offsets);
	list_groups(search);
	sort_names(search);
	for (size_t i = 0; i < OFFSET_ITEMS; i++)
		if (offset_items[i].kind == OFFSET_OF_SIZE)
			group_named(search, offset_items[i].type)->size_item = i;
	for (size_t i = 0; i < OFFSET_ALIASES; i++)
		add_name(search, aliases[i].older, group_named(search, aliases[i].type));
	sort_names(search);
}

/* ---------------------------------------------------------------------- one type */

static void found(struct offsets_search *search, const struct offset_item *item, uint64_t value,
		  uint64_t size)
{
	struct offset_finds *finds = &search->finds;

	if (value >= OFFSET_ABSENT || offsets_get(&finds->offsets, item) != OFFSET_ABSENT)
		return;
	offsets_set(&finds->offsets, item, (uint16_t)value);
	finds->sizes[item - offset_items] = (uint32_t)size;
	search->count++;
}

bool offsets_search_type(struct offsets_search *search, const char *name, bool is_enum,
			 uint64_t size)
{
	struct offset_group *group = group_named(search, name);

	if (!group || group->is_enum != is_enum)
		return false;
	search->group = group;
	search->count = 0;
	search->newer_name = !strcmp(name, group->type);
	offsets_clear(&search->finds.offsets);
	if (group->size_item < OFFSET_ITEMS)
		found(search, &offset_items[group->size_item], size, size);
	return true;
}

const struct offset_item *offsets_search_member(const struct offsets_search *search,
						const char *name)
{
	const struct offset_group *group = search->group;

	for (size_t i = group->first; i < group->end; i++)
		if (!strcmp(offset_items[i].member, name))
			return &offset_items[i];
	return NULL;
}

/* A member of this shape can be read as the item wants it. */
static bool readable(const struct offset_item *item, enum offset_shape shape, uint64_t size)
{
	if (!item->size)
		return shape != OFFSET_SHAPE_NUMBER;
	/* kuid_t, kernel_cap_t; until 5.4 kernfs_node.id, a union of the number and its halves. */
	if (shape == OFFSET_SHAPE_COMPOSITE)
		return size == item->size;
	return shape == OFFSET_SHAPE_NUMBER && size >= item->size;
}

void offsets_search_found(struct offsets_search *search, const struct offset_item *item,
			  uint64_t bit, enum offset_shape shape, uint64_t size)
{
	if (bit % 8 == 0 && size <= UINT32_MAX && readable(item, shape, size))
		found(search, item, bit / 8, size);
}

void offsets_search_value(struct offsets_search *search, const struct offset_item *item,
			  uint64_t value)
{
	/* A negative number has become a huge one, and is refused as such. */
	found(search, item, value, 0);
}

static void keep(struct offsets_search *search, size_t i)
{
	uint16_t value = offsets_get(&search->finds.offsets, &offset_items[i]);

	offsets_set(&search->best.offsets, &offset_items[i], value);
	search->best.sizes[i] = value == OFFSET_ABSENT ? 0 : search->finds.sizes[i];
}

void offsets_search_type_end(struct offsets_search *search)
{
	struct offset_group *group = search->group;
	/* Of two that have the same, the one that bears the newer name. */
	int rank = 2 * search->count + search->newer_name;

	if (!search->count || rank <= group->rank)
		return;
	group->rank = rank;
	for (size_t i = group->first; i < group->end; i++)
		keep(search, i);
	if (group->size_item < OFFSET_ITEMS)
		keep(search, group->size_item);
}

int offsets_search_end(const struct offsets_search *search, struct kernel_offsets *offsets,
		       uint32_t *sizes)
{
	int count = 0;

	offsets_clear(offsets);
	if (search->budget < 0)
		return -E2BIG;
	*offsets = search->best.offsets;
	if (sizes)
		memcpy(sizes, search->best.sizes, sizeof(search->best.sizes));
	for (size_t i = 0; i < OFFSET_ITEMS; i++)
		count += offsets_get(offsets, &offset_items[i]) != OFFSET_ABSENT;
	return count;
}
