// SPDX-License-Identifier: Apache-2.0
#include "references.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gelf.h>

#include "object.h"

/* An open ELF: what libbpf does not tell is where a program's relocations point. */
struct elf {
	Elf *elf;
	size_t names; /* index of the section names' string table */
	Elf_Data *symbols;
	size_t symbol_count;
	size_t symbol_names;
	struct btf *btf;
	struct btf_ext *btf_ext;
	const void *ext; /* its bytes, NULL if the ELF has none */
	const char *ext_end;
};

static const char *section_name(const struct elf *elf, size_t index, GElf_Shdr *header)
{
	Elf_Scn *section = elf_getscn(elf->elf, index);
	const char *name = NULL;

	if (section && gelf_getshdr(section, header))
		name = elf_strptr(elf->elf, elf->names, header->sh_name);
	return name ? name : "";
}

static bool find_symbols(struct elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf->elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		elf->symbols = elf_getdata(section, NULL);
		elf->symbol_count = header.sh_size / header.sh_entsize;
		elf->symbol_names = header.sh_link;
		return elf->symbols;
	}
	return false;
}

/* A program's function symbol: its section, and where in the section it begins. */
static bool find_function(const struct elf *elf, const char *name, GElf_Sym *symbol)
{
	const char *candidate;

	for (size_t i = 0; i < elf->symbol_count; i++) {
		if (!gelf_getsym(elf->symbols, (int)i, symbol) ||
		    GELF_ST_TYPE(symbol->st_info) != STT_FUNC)
			continue;
		candidate = elf_strptr(elf->elf, elf->symbol_names, symbol->st_name);
		if (candidate && !strcmp(candidate, name))
			return true;
	}
	return false;
}

/* What a relocation points to. */
static bool reference_read(const struct elf *elf, const GElf_Rel *rel, struct reference *reference)
{
	const char *name, *section = "";
	GElf_Shdr header = {0};
	GElf_Sym symbol;

	if (!gelf_getsym(elf->symbols, (int)GELF_R_SYM(rel->r_info), &symbol))
		return false;
	name = elf_strptr(elf->elf, elf->symbol_names, symbol.st_name);
	reference->kind = REFERENCE_EXTERN;
	if (symbol.st_shndx != SHN_UNDEF) {
		section = section_name(elf, symbol.st_shndx, &header);
		reference->kind = !strcmp(section, ".maps")	  ? REFERENCE_MAP :
				  header.sh_flags & SHF_EXECINSTR ? REFERENCE_FUNCTION :
								    REFERENCE_DATA;
	}
	/* A string literal has no name, but a section of its own. */
	snprintf(reference->name, sizeof(reference->name), "%s", name && *name ? name : section);
	return true;
}

static int program_add(struct program *program, const struct reference *reference)
{
	struct reference *more =
		reallocarray(program->references, program->reference_count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	program->references = more;
	more[program->reference_count++] = *reference;
	return 0;
}

/* The relocations of one section that lie in the program. */
static int program_section_references(struct program *program, const struct elf *elf,
				      Elf_Scn *section, const GElf_Shdr *header,
				      const GElf_Sym *function)
{
	Elf_Data *data = elf_getdata(section, NULL);
	struct reference reference;
	GElf_Rel rel;

	for (size_t i = 0; i < header->sh_size / header->sh_entsize; i++) {
		if (!gelf_getrel(data, (int)i, &rel) || rel.r_offset < function->st_value)
			continue;
		reference.insn = (rel.r_offset - function->st_value) / sizeof(*program->insns);
		if (reference.insn >= program->insn_count || !reference_read(elf, &rel, &reference))
			continue;
		if (program_add(program, &reference))
			return -ENOMEM;
	}
	return 0;
}

/* ------------------------------------------------------------------------ CO-RE */

/* The head of .BTF.ext, as far as it is needed: offsets are from the head's end. */
struct ext_head {
	__u16 magic;
	__u8 version, flags;
	__u32 head_len;
	__u32 func_off, func_len, line_off, line_len;
	__u32 core_off, core_len;
};

/* Relocations of one section of the ELF; count records follow. */
struct ext_section {
	__u32 name;
	__u32 count;
};

static int program_add_core(struct program *program, const struct elf *elf,
			    const struct bpf_core_relo *relo, const GElf_Sym *function)
{
	struct reference reference = {.kind = REFERENCE_TYPE};
	const struct btf_type *type = btf__type_by_id(elf->btf, relo->type_id);
	const char *name = type ? btf__name_by_offset(elf->btf, type->name_off) : NULL;

	reference.insn = (relo->insn_off - function->st_value) / sizeof(*program->insns);
	if (relo->insn_off < function->st_value || reference.insn >= program->insn_count)
		return 0;
	snprintf(reference.name, sizeof(reference.name), "%s", name && *name ? name : "no name");
	return program_add(program, &reference);
}

static int program_core_references(struct program *program, const struct elf *elf,
				   const char *section, const GElf_Sym *function)
{
	const struct ext_head *head = elf->ext;
	const char *at = (const char *)head + head->head_len + head->core_off;
	const char *end = at + head->core_len;
	size_t record;
	int err = 0;

	if (head->head_len < sizeof(*head) || !head->core_len || end > elf->ext_end)
		return 0;
	record = *(const __u32 *)at;
	if (record < sizeof(struct bpf_core_relo))
		return -EINVAL;
	at += sizeof(__u32);
	while (!err && at + sizeof(struct ext_section) <= end) {
		const struct ext_section *s = (const void *)at;
		const char *name = btf__name_by_offset(elf->btf, s->name);

		at += sizeof(*s);
		if (s->count > (size_t)(end - at) / record)
			return -EINVAL;
		for (__u32 i = 0; !err && name && !strcmp(name, section) && i < s->count; i++)
			err = program_add_core(program, elf, (const void *)(at + i * record),
					       function);
		at += s->count * record;
	}
	return err;
}

/* -------------------------------------------------------------------------- all */

static void find_types(struct elf *elf, const char *path)
{
	__u32 size = 0;

	elf->btf = btf__parse_elf(path, &elf->btf_ext);
	if (elf->btf && elf->btf_ext)
		elf->ext = btf_ext__get_raw_data(elf->btf_ext, &size);
	if (elf->ext)
		elf->ext_end = (const char *)elf->ext + size;
}

static int program_references(struct program *program, const struct elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Sym function;
	GElf_Shdr header;
	int err = 0;

	if (!find_function(elf, program->name, &function))
		return -ENOENT;
	if (elf->ext)
		err = program_core_references(
			program, elf, section_name(elf, function.st_shndx, &header), &function);
	while (!err && (section = elf_nextscn(elf->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_REL &&
		    header.sh_info == function.st_shndx)
			err = program_section_references(program, elf, section, &header, &function);
	return err;
}

int references_read(struct object *object, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = -EINVAL;
	struct elf elf = {0};

	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf.elf || elf_getshdrstrndx(elf.elf, &elf.names) || !find_symbols(&elf))
		goto out;
	find_types(&elf, path);
	err = 0;
	for (size_t i = 0; !err && i < object->program_count; i++)
		err = program_references(&object->programs[i], &elf);
out:
	btf_ext__free(elf.btf_ext);
	btf__free(elf.btf);
	elf_end(elf.elf);
	close(fd);
	return err;
}
