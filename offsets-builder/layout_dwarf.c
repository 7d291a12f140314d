// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <errno.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "offsets_search.h"

const char *const layout_dwarf_sections[] = {
	".debug_info",	      ".debug_abbrev", ".debug_str", ".debug_line_str",
	".debug_str_offsets", ".debug_types",  NULL,
};

/* Typedefs and qualifiers before a type, and arrays in arrays: as many as libbpf follows. */
enum { STEPS_MAX = 32, MEMBERS_MAX = 1 << 24 };

/* -------------------------------------------------------------------- attributes */

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(die, DW_AT_name, &attribute));
}

static bool number_of(Dwarf_Die *die, unsigned int which, Dwarf_Word *number)
{
	Dwarf_Attribute attribute;

	return !dwarf_formudata(dwarf_attr(die, which, &attribute), number);
}

static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	return dwarf_formref_die(dwarf_attr(die, DW_AT_type, &attribute), type) != NULL;
}

/* The next child. One that lies before the last would be met for ever. */
static bool next_die(Dwarf_Die *die)
{
	Dwarf_Die next;

	if (dwarf_siblingof(die, &next) || dwarf_dieoffset(&next) <= dwarf_dieoffset(die))
		return false;
	*die = next;
	return true;
}

/* ------------------------------------------------------------------------- types */

/* The type behind typedefs and qualifiers. */
static bool resolve(Dwarf_Die *die, Dwarf_Die *type)
{
	bool ok = type_of(die, type);

	for (int i = 0; ok && i < STEPS_MAX; i++) {
		switch (dwarf_tag(type)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type: ok = type_of(type, type); break;
		default: return true;
		}
	}
	return false;
}

/* Elements of one dimension; a flexible array has none, or one less than none. */
static Dwarf_Word elements(Dwarf_Die *range)
{
	Dwarf_Word n = 0;

	if (number_of(range, DW_AT_count, &n))
		return n;
	return number_of(range, DW_AT_upper_bound, &n) ? n + 1 : 0;
}

static bool size_of(Dwarf_Die *type, uint64_t *size, int depth);

static bool array_size(Dwarf_Die *array, uint64_t *size, int depth)
{
	Dwarf_Die element, range;
	bool ranges = false;

	if (depth == STEPS_MAX || !resolve(array, &element) || !size_of(&element, size, depth + 1))
		return false;
	if (dwarf_child(array, &range))
		return false;
	do {
		if (dwarf_tag(&range) != DW_TAG_subrange_type)
			continue;
		if (__builtin_mul_overflow(*size, elements(&range), size))
			return false;
		ranges = true;
	} while (next_die(&range));
	return ranges;
}

static bool size_of(Dwarf_Die *type, uint64_t *size, int depth)
{
	uint8_t address = 0;

	switch (dwarf_tag(type)) {
	case DW_TAG_array_type: return array_size(type, size, depth);
	case DW_TAG_pointer_type: /* clang leaves its size out */
		if (!number_of(type, DW_AT_byte_size, size)) {
			dwarf_diecu(type, &(Dwarf_Die){0}, &address, NULL);
			*size = address;
		}
		return true;
	default: return number_of(type, DW_AT_byte_size, size);
	}
}

static bool shape_of(Dwarf_Die *type, enum offset_shape *shape)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type:
	case DW_TAG_union_type: *shape = OFFSET_SHAPE_COMPOSITE; return true;
	case DW_TAG_array_type: *shape = OFFSET_SHAPE_ARRAY; return true;
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_pointer_type: *shape = OFFSET_SHAPE_NUMBER; return true;
	default: return false;
	}
}

/* ----------------------------------------------------------------------- members */

/* Where a member begins; those of unions do not say it. DWARF 2 has an expression for it. */
static bool member_at(Dwarf_Die *member, uint64_t *at)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *op;
	size_t ops;

	*at = 0;
	if (!dwarf_attr(member, DW_AT_data_member_location, &attribute))
		return !dwarf_hasattr(member, DW_AT_data_bit_offset);
	if (!dwarf_formudata(&attribute, at))
		return true;
	if (dwarf_getlocation(&attribute, &op, &ops) || ops != 1 || op->atom != DW_OP_plus_uconst)
		return false;
	*at = op->number;
	return true;
}

static void take_member(struct offsets_search *search, Dwarf_Die *member, const char *name,
			uint64_t base)
{
	const struct offset_item *item = offsets_search_member(search, name);
	enum offset_shape shape;
	Dwarf_Die type;
	uint64_t at, size;

	if (item && !dwarf_hasattr(member, DW_AT_bit_size) && member_at(member, &at) &&
	    resolve(member, &type) && shape_of(&type, &shape) && size_of(&type, &size, 0))
		offsets_search_found(search, item, (base + at) * 8, shape, size);
}

static void walk_members(struct offsets_search *search, Dwarf_Die *parent, uint64_t base, int depth)
{
	Dwarf_Die member;

	if (dwarf_child(parent, &member))
		return;
	do {
		const char *name;
		Dwarf_Die inner;
		uint64_t at;

		if (dwarf_tag(&member) != DW_TAG_member)
			continue;
		name = name_of(&member);
		if (name)
			take_member(search, &member, name, base);
		else if (depth < OFFSET_DEPTH_MAX && member_at(&member, &at) &&
			 resolve(&member, &inner))
			walk_members(search, &inner, base + at, depth + 1);
	} while (next_die(&member) && offsets_search_step(search));
}

static void walk_enumerators(struct offsets_search *search, Dwarf_Die *parent)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return;
	do {
		const char *name = name_of(&die);
		const struct offset_item *item = name ? offsets_search_member(search, name) : NULL;
		Dwarf_Word value;

		if (item && number_of(&die, DW_AT_const_value, &value))
			offsets_search_value(search, item, value);
	} while (next_die(&die) && offsets_search_step(search));
}

/* ------------------------------------------------------------------- all the types */

static void walk_type(struct offsets_search *search, Dwarf_Die *type)
{
	bool is_enum = dwarf_tag(type) == DW_TAG_enumeration_type;
	const char *name;
	Dwarf_Word size;

	if (!is_enum && dwarf_tag(type) != DW_TAG_structure_type)
		return;
	name = name_of(type);
	if (!name || !number_of(type, DW_AT_byte_size, &size) || !dwarf_haschildren(type) ||
	    !offsets_search_type(search, name, is_enum, size))
		return;
	if (is_enum)
		walk_enumerators(search, type);
	else
		walk_members(search, type, 0, 0);
	offsets_search_type_end(search);
}

/* Every unit has its own copy of the types that it uses. */
static void walk_units(struct offsets_search *search, Dwarf *dwarf)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die unit_die, die;

	while (!dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &unit_die, NULL)) {
		if (dwarf_child(&unit_die, &die))
			continue;
		do
			walk_type(search, &die);
		while (next_die(&die) && search->budget >= 0);
	}
}

int layout_from_dwarf(Elf *elf, const char *what, struct layout *layout, struct error *error)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	uint32_t sizes[LAYOUT_FIELDS_MAX];
	struct kernel_offsets offsets;
	struct offsets_search search;
	int found;

	if (!dwarf)
		return error_set(error, -EINVAL,
				 "cannot read %s: its DWARF is damaged (%s): get the file again",
				 what, dwarf_errmsg(-1));
	offsets_search_begin(&search, MEMBERS_MAX);
	walk_units(&search, dwarf);
	dwarf_end(dwarf);
	found = offsets_search_end(&search, &offsets, sizes);
	return layout_from_numbers(found, &offsets, sizes, what, layout, error);
}
