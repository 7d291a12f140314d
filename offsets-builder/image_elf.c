// SPDX-License-Identifier: Apache-2.0
#include "image_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/btf.h>
#include <gelf.h>
#include <libelf.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

/* Kernels have 180 MB of what is read of DWARF. */
enum { UNPACKED_MAX = 512 << 20 };

/*
 * The file as libelf wants it, in one piece: of its pages only those are there (the others
 * read as zeros and take no memory) that have been filled from held.
 */
struct elf_image {
	struct held *held;
	char *map;
	size_t size;
	Elf *elf;
	size_t names; /* the index of the section that has the sections' names */
};

/* ------------------------------------------------------------------ sections */

static bool fits(const struct elf_image *image, uint64_t at, uint64_t size)
{
	return at <= image->size && size <= image->size - at;
}

static bool fill(struct elf_image *image, uint64_t at, uint64_t size)
{
	return fits(image, at, size) && held_copy(image->held, at, size, image->map + at);
}

/* The first section of a name, NULL if the file has none or none in it. */
static Elf_Scn *find_section(const struct elf_image *image, const char *name, GElf_Shdr *header)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(image->elf, scn))) {
		const char *text;

		if (!gelf_getshdr(scn, header))
			continue;
		text = elf_strptr(image->elf, image->names, header->sh_name);
		if (text && !strcmp(text, name))
			return header->sh_type == SHT_NOBITS || !header->sh_size ? NULL : scn;
	}
	return NULL;
}

/* The bytes of the first section of a name. */
static Elf_Data *section(struct elf_image *image, const char *name)
{
	GElf_Shdr header;
	Elf_Scn *scn = find_section(image, name, &header);
	Elf_Data *data;

	if (!scn || !fill(image, header.sh_offset, header.sh_size))
		return NULL;
	data = elf_getdata(scn, NULL);
	return data && data->d_buf && data->d_size ? data : NULL;
}

/* uname -m. */
static const char *machine(const GElf_Ehdr *header)
{
	bool little = header->e_ident[EI_DATA] == ELFDATA2LSB;

	switch (header->e_machine) {
	case EM_X86_64: return "x86_64";
	case EM_AARCH64: return little ? "aarch64" : "aarch64_be";
	case EM_PPC64: return little ? "ppc64le" : "ppc64";
	case EM_S390: return "s390x";
	case EM_RISCV: return "riscv64";
	case EM_LOONGARCH: return "loongarch64";
	default: return NULL;
	}
}

static int check_header(struct image_reader *reader, const GElf_Ehdr *header)
{
	const char *arch = machine(header);

	if (!arch || header->e_ident[EI_CLASS] != ELFCLASS64)
		return image_fail(reader, -EBADMSG,
				  "it is not for a 64-bit machine that is known: give a vmlinux");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return image_fail(reader, -EBADMSG,
				  "it is an object file or a module, not a linked kernel: give a "
				  "vmlinux");
	strcpy(reader->image.identity.arch, arch);
	return 0;
}

static void take_identity(struct image_reader *reader, struct elf_image *image)
{
	static const char *const notes[] = {".notes", ".note.gnu.build-id"};
	struct kernel_identity *identity = &reader->image.identity;
	const Elf_Data *data;

	for (size_t i = 0; i < 2 && !*identity->build_id; i++) {
		data = section(image, notes[i]);
		if (data)
			build_id_from_notes(data->d_buf, data->d_size, identity->build_id,
					    sizeof(identity->build_id));
	}
	data = section(image, ".rodata");
	if (data)
		image_take_banner(reader, data->d_buf, data->d_size);
}

/* ---------------------------------------------------------------------- open */

static void elf_image_close(struct elf_image *image)
{
	elf_end(image->elf);
	if (image->map)
		munmap(image->map, image->size);
}

static int fail_cut(struct image_reader *reader)
{
	return image_fail(reader, -EBADMSG, "it is an ELF file, cut off or damaged: get it again");
}

static int read_header(struct image_reader *reader, struct elf_image *image, GElf_Ehdr *header)
{
	bool ok;

	if (!fill(image, 0, image->size < sizeof(*header) ? image->size : sizeof(*header)))
		return fail_cut(reader);
	image->elf = elf_memory(image->map, image->size);
	ok = image->elf && gelf_getehdr(image->elf, header);
	elf_end(image->elf);
	image->elf = NULL;
	return ok ? check_header(reader, header) : fail_cut(reader);
}

/* The section headers and the sections' names; libelf looks at the headers when it opens. */
static int read_sections(struct image_reader *reader, struct elf_image *image)
{
	GElf_Ehdr header;
	GElf_Shdr names;
	Elf_Scn *scn = NULL;
	int err = read_header(reader, image, &header);

	if (err)
		return err;
	if (fill(image, header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize))
		image->elf = elf_memory(image->map, image->size);
	if (image->elf && !elf_getshdrstrndx(image->elf, &image->names))
		scn = elf_getscn(image->elf, image->names);
	if (!scn || !gelf_getshdr(scn, &names) || !fill(image, names.sh_offset, names.sh_size))
		return fail_cut(reader);
	return 0;
}

static int elf_image_open(struct image_reader *reader, struct held *held, struct elf_image *image)
{
	*image = (struct elf_image){.held = held, .size = held_size(held)};
	image->map = mmap(NULL, image->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (image->map == MAP_FAILED) {
		image->map = NULL;
		return image_fail(reader, -ENOMEM, "no memory: free some");
	}
	elf_version(EV_CURRENT);
	return read_sections(reader, image);
}

/* ---------------------------------------------------------------------- types */

static bool is_dwarf(const char *name)
{
	for (size_t i = 0; layout_dwarf_sections[i]; i++)
		if (name && !strcmp(name, layout_dwarf_sections[i]))
			return true;
	return false;
}

/* Gives back the memory of all sections that have no types, before those that have are filled. */
static void drop_others(struct elf_image *image)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(image->elf, scn)))
		if (gelf_getshdr(scn, &header) && header.sh_type != SHT_NOBITS &&
		    !is_dwarf(elf_strptr(image->elf, image->names, header.sh_name)))
			held_drop(image->held, header.sh_offset, header.sh_size);
}

static bool fill_dwarf(struct elf_image *image)
{
	drop_others(image);
	for (size_t i = 0; layout_dwarf_sections[i]; i++) {
		GElf_Shdr header;

		if (find_section(image, layout_dwarf_sections[i], &header) &&
		    !(fits(image, header.sh_offset, header.sh_size) &&
		      held_take(image->held, header.sh_offset, header.sh_size,
				image->map + header.sh_offset)))
			return false;
	}
	return true;
}

/*
 * libdw unpacks compressed sections by itself, however large they say that they are; what has
 * not been filled in is no compressed section to it. Returns the bytes of all of them.
 */
static uint64_t unpacked_size(const struct elf_image *image)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	GElf_Chdr packed;
	uint64_t size = 0;

	while ((scn = elf_nextscn(image->elf, scn)))
		if (gelf_getshdr(scn, &header) && header.sh_flags & SHF_COMPRESSED &&
		    gelf_getchdr(scn, &packed) &&
		    __builtin_add_overflow(size, packed.ch_size, &size))
			return UINT64_MAX;
	return size;
}

/* The way of binutils before 2.26; libdw would unpack that, too. */
static bool has_old_packing(const struct elf_image *image)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(image->elf, scn))) {
		const char *name = gelf_getshdr(scn, &header) ?
					   elf_strptr(image->elf, image->names, header.sh_name) :
					   NULL;

		if (name && !strncmp(name, ".zdebug", 7))
			return true;
	}
	return false;
}

static int read_dwarf(struct image_reader *reader, struct elf_image *image)
{
	GElf_Shdr header;

	if (has_old_packing(image))
		return image_fail(
			reader, -EBADMSG,
			"its DWARF is compressed in the old way (.zdebug_info): give a copy "
			"made by objcopy --decompress-debug-sections");
	if (!find_section(image, layout_dwarf_sections[0], &header))
		return image_fail(reader, *reader->image.identity.release ? -ENODATA : -EBADMSG,
				  "it has neither BTF nor DWARF: give the vmlinux of its -dbg "
				  "package");
	if (!fill_dwarf(image))
		return fail_cut(reader);
	if (unpacked_size(image) > UNPACKED_MAX)
		return image_fail(reader, -EBADMSG,
				  "its DWARF has more than %d MB, as no kernel: give a vmlinux",
				  UNPACKED_MAX >> 20);
	reader->image.types = IMAGE_DWARF;
	return layout_from_dwarf(image->elf, reader->name, &reader->image.layout, reader->error);
}

static int read_types(struct image_reader *reader, struct elf_image *image)
{
	const Elf_Data *btf = section(image, BTF_ELF_SEC);

	return btf ? image_take_btf(reader, btf->d_buf, btf->d_size) : read_dwarf(reader, image);
}

int image_read_elf(struct image_reader *reader, struct held *held)
{
	struct elf_image image;
	int err = elf_image_open(reader, held, &image);

	if (!err) {
		take_identity(reader, &image);
		err = read_types(reader, &image);
		err = err == -EINVAL ? -EBADMSG : err ? err : image_found(reader);
	}
	elf_image_close(&image);
	return err;
}
