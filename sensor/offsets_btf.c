// SPDX-License-Identifier: Apache-2.0
#include <bpf/btf.h>

#include "offsets_search.h"

/* The type behind typedefs, qualifiers and tags, NULL if there is none. */
static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	int resolved = btf__resolve_type(btf, id);

	return resolved < 0 ? NULL : btf__type_by_id(btf, resolved);
}

static enum offset_shape shape_of(const struct btf_type *type)
{
	if (btf_is_composite(type))
		return OFFSET_SHAPE_COMPOSITE;
	return btf_is_array(type) ? OFFSET_SHAPE_ARRAY : OFFSET_SHAPE_NUMBER;
}

/* Before 5.0 (kflag) the type of a bit field was an int of fewer bits. */
static bool is_part(const struct btf_type *type, __s64 size)
{
	return btf_is_int(type) && (btf_int_offset(type) || btf_int_bits(type) != size * 8);
}

static void take_member(struct offsets_search *search, const struct btf *btf,
			const struct btf_type *parent, __u32 index, const char *name, __u64 bit)
{
	const struct offset_item *item = offsets_search_member(search, name);
	const struct btf_type *type;
	__s64 size;

	if (!item || btf_member_bitfield_size(parent, index))
		return;
	type = resolve(btf, btf_members(parent)[index].type);
	size = btf__resolve_size(btf, btf_members(parent)[index].type);
	if (type && size >= 0 && !is_part(type, size))
		offsets_search_found(search, item, bit, shape_of(type), (uint64_t)size);
}

static void walk_members(struct offsets_search *search, const struct btf *btf,
			 const struct btf_type *parent, __u64 base, int depth)
{
	for (__u32 i = 0; i < btf_vlen(parent) && offsets_search_step(search); i++) {
		const struct btf_member *member = btf_members(parent) + i;
		const char *name = btf__name_by_offset(btf, member->name_off);
		__u64 bit = base + btf_member_bit_offset(parent, i);
		const struct btf_type *inner;

		if (name && *name) {
			take_member(search, btf, parent, i, name, bit);
			continue;
		}
		inner = resolve(btf, member->type);
		if (inner && btf_is_composite(inner) && depth < OFFSET_DEPTH_MAX)
			walk_members(search, btf, inner, bit, depth + 1);
	}
}

static void walk_enumerators(struct offsets_search *search, const struct btf *btf,
			     const struct btf_type *type)
{
	for (__u32 i = 0; i < btf_vlen(type) && offsets_search_step(search); i++) {
		bool wide = btf_is_enum64(type);
		__u32 at = wide ? btf_enum64(type)[i].name_off : btf_enum(type)[i].name_off;
		const char *name = btf__name_by_offset(btf, at);
		const struct offset_item *item = name ? offsets_search_member(search, name) : NULL;

		if (item)
			offsets_search_value(search, item,
					     wide ? btf_enum64_value(&btf_enum64(type)[i]) :
						    (__u64)(__s64)btf_enum(type)[i].val);
	}
}

/* A type with members; a forward declaration has none. */
static void walk_type(struct offsets_search *search, const struct btf *btf,
		      const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);
	bool is_enum = btf_is_any_enum(type);

	if (!name || !offsets_search_type(search, name, is_enum, type->size))
		return;
	if (is_enum)
		walk_enumerators(search, btf, type);
	else
		walk_members(search, btf, type, 0, 0);
	offsets_search_type_end(search);
}

/* Looks at every type once: a vmlinux has 150,000, of which some 10,000 are structs. */
int offsets_from_btf_sized(const struct btf *btf, struct kernel_offsets *offsets, uint32_t *sizes)
{
	struct offsets_search search;
	__u32 count = btf__type_cnt(btf);

	offsets_search_begin(&search, OFFSET_MEMBERS_MAX);
	for (__u32 id = 1; id < count && search.budget >= 0; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (type && (btf_is_struct(type) || btf_is_any_enum(type)) && type->name_off &&
		    btf_vlen(type))
			walk_type(&search, btf, type);
	}
	return offsets_search_end(&search, offsets, sizes);
}

int offsets_from_btf(const struct btf *btf, struct kernel_offsets *offsets)
{
	return offsets_from_btf_sized(btf, offsets, NULL);
}
