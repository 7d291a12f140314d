// SPDX-License-Identifier: Apache-2.0
#include "image_reader.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <bpf/btf.h>
#include <endian.h>

/* How far before the BTF the notes may begin, and how many BTF headers may lie in an image. */
enum { NOTES_MAX = 4096, BTF_TRIES = 64 };

static uint32_t u32_at(const unsigned char *data, size_t at)
{
	uint32_t value;

	memcpy(&value, data + at, sizeof(value));
	return le32toh(value);
}

static int read_part(struct image_reader *reader, const unsigned char *data, size_t size, size_t at,
		     size_t length)
{
	if (at > size || length > size - at || !length)
		return image_fail(reader, -EBADMSG,
				  "its header says that the kernel in it ends behind its own end: "
				  "get it again");
	return image_read_packed(reader, data + at, length);
}

/* ------------------------------------------------------------------------ bzImage */

enum {
	SETUP_SECTORS = 0x1f1, /* Documentation/arch/x86/boot.rst */
	BOOT_MAGIC = 0x202,
	BOOT_PROTOCOL = 0x206,
	PAYLOAD_AT = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	BOOT_HEADER_END = 0x250,
	PROTOCOL_WITH_PAYLOAD = 0x208, /* 2.6.26; there was neither BTF nor DWARF in older ones */
};

static int read_bzimage(struct image_reader *reader, const unsigned char *data, size_t size)
{
	size_t setup = (data[SETUP_SECTORS] ? data[SETUP_SECTORS] : 4) * 512 + 512;
	size_t at = setup + u32_at(data, PAYLOAD_AT), length = u32_at(data, PAYLOAD_LENGTH);

	if ((u32_at(data, BOOT_PROTOCOL) & 0xffff) < PROTOCOL_WITH_PAYLOAD)
		return image_fail(
			reader, -ENODATA,
			"its boot protocol is older than BTF: give the vmlinux with DWARF");
	/* All but gzip have no size of their own, so the kernel's build appends it. */
	if (length > 4 && at < size && size - at > 2 && memcmp(data + at, "\x1f\x8b", 2))
		length -= 4;
	return read_part(reader, data, size, at, length);
}

/* ------------------------------------------------------------------- EFI zboot */

enum { ZBOOT_MAGIC = 4, ZBOOT_AT = 8, ZBOOT_LENGTH = 12 }; /* drivers/firmware/efi/libstub */

static int read_zboot(struct image_reader *reader, const unsigned char *data, size_t size)
{
	return read_part(reader, data, size, u32_at(data, ZBOOT_AT), u32_at(data, ZBOOT_LENGTH));
}

/* ------------------------------------------------------------------------- Image */

/* Bytes of the BTF that begins here, 0 if none does. */
static size_t btf_size(const unsigned char *data, size_t left)
{
	struct btf_header header;
	uint64_t types_end, strings_end, end;

	if (left < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	types_end = (uint64_t)le32toh(header.type_off) + le32toh(header.type_len);
	strings_end = (uint64_t)le32toh(header.str_off) + le32toh(header.str_len);
	end = sizeof(header) + (types_end > strings_end ? types_end : strings_end);
	return end <= left ? (size_t)end : 0;
}

/*
 * The vDSOs in the image have build-ids, too; the kernel's own is in its .notes section,
 * which the linker script puts right before .BTF.
 */
static void take_build_id(struct image_reader *reader, const unsigned char *data, size_t btf_at)
{
	struct kernel_identity *identity = &reader->image.identity;
	size_t first = btf_at > NOTES_MAX ? btf_at - NOTES_MAX : 0;

	for (size_t at = btf_at & ~(size_t)3; at >= first + 16 && !*identity->build_id;) {
		at -= 4;
		if (at + 16 <= btf_at && !memcmp(data + at + 8, "\3\0\0\0GNU", 8))
			build_id_from_notes(data + at, btf_at - at, identity->build_id,
					    sizeof(identity->build_id));
	}
}

static int read_raw_image(struct image_reader *reader, const char *arch, const unsigned char *data,
			  size_t size)
{
	static const char magic[] = "\x9f\xeb\x01\0\x18\0\0\0";
	const unsigned char *end = data + size, *at = data;
	uint64_t budget = 4 * (uint64_t)size;

	strcpy(reader->image.identity.arch, arch);
	for (int i = 0; i < BTF_TRIES; i++, at += 8) {
		size_t left;

		at = memmem(at, (size_t)(end - at), magic, 8);
		if (!at)
			break;
		left = btf_size(at, (size_t)(end - at));
		if (!left || left > budget)
			continue;
		budget -= left;
		if (image_take_btf(reader, at, left))
			continue; /* BPF programs in the kernel bring their own */
		image_take_banner(reader, data, size);
		take_build_id(reader, data, (size_t)(at - data));
		return image_found(reader);
	}
	return image_fail(reader, -ENODATA,
			  "the kernel in it has no BTF: give the vmlinux of its -dbg package");
}

/* Machines whose kernels are booted as they are, by the magic number in their header. */
static const struct machine {
	const char *magic, *arch;
} machines[] = {
	{"ARM\x64", "aarch64"},
	{"RSC\x05", "riscv64"},
};

enum { IMAGE_MAGIC = 56, IMAGE_HEADER = 64 };

int image_read_boot(struct image_reader *reader, const void *data_in, size_t size)
{
	const unsigned char *data = data_in;

	if (size >= BOOT_HEADER_END && !memcmp(data + BOOT_MAGIC, "HdrS", 4))
		return read_bzimage(reader, data, size);
	if (size < IMAGE_HEADER)
		return -ENOENT;
	if (!memcmp(data + ZBOOT_MAGIC, "zimg", 4))
		return read_zboot(reader, data, size);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (!memcmp(data + IMAGE_MAGIC, machines[i].magic, 4))
			return read_raw_image(reader, machines[i].arch, data, size);
	return -ENOENT;
}
