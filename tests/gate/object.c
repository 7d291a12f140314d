// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <gelf.h>

/* An open ELF: what libbpf does not tell is where a program's relocations point. */
struct elf {
	Elf *elf;
	size_t names; /* index of the section names' string table */
	Elf_Data *symbols;
	size_t symbol_count;
	size_t symbol_names;
};

static bool is_core(const char *name)
{
	size_t len = strlen(name);

	return len >= 5 && !strcmp(name + len - 5, "_core");
}

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

/* What a relocation points to; false if that is a map, the one thing every kernel knows. */
static bool reference_read(const struct elf *elf, const GElf_Rel *rel, struct reference *reference)
{
	const char *name, *section = "";
	GElf_Shdr header = {0};
	GElf_Sym symbol;

	if (!gelf_getsym(elf->symbols, (int)GELF_R_SYM(rel->r_info), &symbol))
		return false;
	reference->kind = REFERENCE_EXTERN;
	if (symbol.st_shndx != SHN_UNDEF) {
		section = section_name(elf, symbol.st_shndx, &header);
		if (!strcmp(section, ".maps") || !strcmp(section, "maps"))
			return false;
		reference->kind =
			header.sh_flags & SHF_EXECINSTR ? REFERENCE_FUNCTION : REFERENCE_DATA;
	}
	/* A string literal has no name of its own. */
	name = elf_strptr(elf->elf, elf->symbol_names, symbol.st_name);
	snprintf(reference->name, sizeof(reference->name), "%s%s%s%s", name ? name : "",
		 name && *name && *section ? " in " : "", section,
		 reference->kind == REFERENCE_EXTERN ? " (extern)" : "");
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

static int program_references(struct program *program, const struct elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Sym function;
	GElf_Shdr header;
	int err = 0;

	if (!find_function(elf, program->name, &function))
		return -ENOENT;
	while (!err && (section = elf_nextscn(elf->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_REL &&
		    header.sh_info == function.st_shndx)
			err = program_section_references(program, elf, section, &header, &function);
	return err;
}

static int object_references(struct object *object, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = -EINVAL;
	struct elf elf = {0};

	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf.elf || elf_getshdrstrndx(elf.elf, &elf.names) || !find_symbols(&elf))
		goto out;
	err = 0;
	for (size_t i = 0; !err && i < object->program_count; i++)
		err = program_references(&object->programs[i], &elf);
out:
	elf_end(elf.elf);
	close(fd);
	return err;
}

static int object_programs(struct object *object)
{
	struct bpf_program *bpf;
	size_t count = 0;

	bpf_object__for_each_program (bpf, object->bpf)
		count++;
	object->programs = calloc(count + 1, sizeof(*object->programs));
	if (!object->programs)
		return -ENOMEM;
	bpf_object__for_each_program (bpf, object->bpf) {
		struct program *program = &object->programs[object->program_count++];

		program->name = bpf_program__name(bpf);
		program->core = is_core(program->name);
		program->insns = bpf_program__insns(bpf);
		program->insn_count = bpf_program__insn_cnt(bpf);
	}
	return count ? 0 : -ENOENT;
}

int object_open(struct object *object, const char *path)
{
	int err;

	*object = (struct object){.bpf = bpf_object__open_file(path, NULL)};
	if (!object->bpf) {
		fprintf(stderr,
			"gate: %s: libbpf can't open it: %s: the sensor could not either: "
			"see libbpf's words above\n",
			path, strerror(errno));
		return 1;
	}
	err = object_programs(object);
	if (!err)
		err = object_references(object, path);
	if (err)
		fprintf(stderr,
			"gate: %s: %s: %s: nothing was checked: look at it with llvm-objdump -d\n",
			path, object->program_count ? "it can't be read" : "it has no programs",
			strerror(-err));
	return err ? 1 : 0;
}

void object_close(struct object *object)
{
	for (size_t i = 0; i < object->program_count; i++)
		free(object->programs[i].references);
	free(object->programs);
	bpf_object__close(object->bpf);
	*object = (struct object){0};
}
