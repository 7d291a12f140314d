// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <bpf/btf.h>
#include <gelf.h>
#include <libelf.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

/* -------------------------------------------------------------------- banner */

static const char banner_start[] = "Linux version ";

/* Text of at most size bytes into a string of the identity, which it has to fit. */
static bool take_text(const char *text, size_t size, char *out, size_t out_size)
{
	if (!size || size >= out_size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isprint((unsigned char)text[i]))
			return false;
	memcpy(out, text, size);
	out[size] = 0;
	return true;
}

/*
 * linux_banner, behind its first two words: "R (who@where) (compiler) V\n". V, the
 * uname -v, begins with "#1" or another build's number. 6.1 and later have a second
 * banner, a weak symbol that was compiled before the number was known: "# SMP". Ubuntu
 * adds the package's version, which uname has not.
 */
static bool parse_banner(const char *at, size_t left, struct kernel_identity *identity)
{
	const char *end = memchr(at, '\n', left < 1024 ? left : 1024);
	const char *space = end ? memchr(at, ' ', (size_t)(end - at)) : NULL;
	const char *version = space ? memmem(space, (size_t)(end - space), ") #", 3) : NULL;
	const char *ubuntu;

	if (!version)
		return false;
	version += 2;
	if (version[1] == ' ')
		return false;
	ubuntu = memmem(version, (size_t)(end - version), " (Ubuntu ", 9);
	if (ubuntu)
		end = ubuntu;
	return take_text(at, (size_t)(space - at), identity->release, sizeof(identity->release)) &&
	       take_text(version, (size_t)(end - version), identity->version,
			 sizeof(identity->version));
}

/* Formats begin like the banner, too; the banner has a number there. */
static void find_banner(const Elf_Data *data, struct kernel_identity *identity)
{
	const char *at = data->d_buf, *end = at + data->d_size;
	size_t size = sizeof(banner_start) - 1;

	while ((at = memmem(at, (size_t)(end - at), banner_start, size))) {
		at += size;
		if (at < end && isdigit((unsigned char)*at) &&
		    parse_banner(at, (size_t)(end - at), identity))
			return;
	}
	identity->release[0] = identity->version[0] = 0;
}

/* ------------------------------------------------------------------ sections */

/* The bytes of the first section of a name, NULL if the file has none in it. */
static Elf_Data *section(Elf *elf, const char *name)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr header;
		const char *text;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &header))
			continue;
		text = elf_strptr(elf, names, header.sh_name);
		if (!text || strcmp(text, name))
			continue;
		data = header.sh_type == SHT_NOBITS ? NULL : elf_getdata(scn, NULL);
		return data && data->d_buf && data->d_size ? data : NULL;
	}
	return NULL;
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

static int read_header(Elf *elf, const char *path, struct kernel_identity *identity,
		       struct error *error)
{
	GElf_Ehdr header;
	const char *arch = gelf_getehdr(elf, &header) ? machine(&header) : NULL;

	if (!arch || header.e_ident[EI_CLASS] != ELFCLASS64)
		return error_set(error, -EINVAL,
				 "cannot add %s: it is not for a 64-bit machine that is known: "
				 "give a vmlinux",
				 path);
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return error_set(error, -EINVAL,
				 "cannot add %s: it is an object file or a module, not a linked "
				 "kernel: give a vmlinux",
				 path);
	strcpy(identity->arch, arch);
	return 0;
}

static void read_identity(Elf *elf, struct kernel_identity *identity)
{
	static const char *const notes[] = {".notes", ".note.gnu.build-id"};
	const Elf_Data *data;

	for (size_t i = 0; i < 2 && !*identity->build_id; i++) {
		data = section(elf, notes[i]);
		if (data)
			build_id_from_notes(data->d_buf, data->d_size, identity->build_id,
					    sizeof(identity->build_id));
	}
	data = section(elf, ".rodata");
	if (data)
		find_banner(data, identity);
}

static int read_btf(Elf *elf, const char *path, struct image *image, struct error *error)
{
	const Elf_Data *data = section(elf, BTF_ELF_SEC);

	if (!data)
		return error_set(
			error, -EINVAL,
			"cannot add %s: it has no .BTF section, and DWARF is not read yet: "
			"add one to a copy with `pahole -J`",
			path);
	if (data->d_size <= UINT32_MAX)
		image->btf = btf__new(data->d_buf, (__u32)data->d_size);
	if (!image->btf)
		return error_set(error, -EINVAL,
				 "cannot add %s: its .BTF section is damaged: get the file again",
				 path);
	return 0;
}

int image_read_elf(int fd, const char *path, struct image *image, struct error *error)
{
	Elf *elf;
	int err;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return error_set(error, -EINVAL, "cannot read %s: %s: get the file again", path,
				 elf_errmsg(-1));
	err = read_header(elf, path, &image->identity, error);
	if (!err) {
		read_identity(elf, &image->identity);
		err = read_btf(elf, path, image, error);
	}
	elf_end(elf);
	return err;
}
