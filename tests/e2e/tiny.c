// SPDX-License-Identifier: Apache-2.0
#include "tiny.h"
#include "subject.h"
#include "workspace.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

#ifdef __x86_64__
static const unsigned char code32[] = {
	0xb8, 4, 0, 0, 0,			/* mov $4 (write), %eax */
	0xbb, SUBJECT_REPORT_FD, 0, 0, 0,	/* mov $fd, %ebx */
	0xb9, 0x84, 0x80, 0x04, 0x08,		/* mov $text, %ecx */
	0xba, 5, 0, 0, 0,			/* mov $5, %edx */
	0xcd, 0x80,				/* int $0x80 */
	0xb8, 3, 0, 0, 0,			/* mov $3 (read), %eax */
	0xbb, SUBJECT_GATE_FD, 0, 0, 0,		/* mov $fd, %ebx */
	0x89, 0xe1,				/* mov %esp, %ecx */
	0xba, 1, 0, 0, 0,			/* mov $1, %edx */
	0xcd, 0x80,				/* int $0x80 */
	0xb8, 1, 0, 0, 0,			/* mov $1 (exit), %eax */
	0xcd, 0x80,				/* int $0x80: with whatever status */
	'h', 'e', 'r', 'e', '\n',
};
static const unsigned char code64[] = {
	0xb8, 1, 0, 0, 0,			/* mov $1 (write), %eax */
	0xbf, SUBJECT_REPORT_FD, 0, 0, 0,	/* mov $fd, %edi */
	0xbe, 0xa8, 0x00, 0x40, 0x00,		/* mov $text, %esi */
	0xba, 5, 0, 0, 0,			/* mov $5, %edx */
	0x0f, 0x05,				/* syscall */
	0x31, 0xc0,				/* xor %eax, %eax (read) */
	0xbf, SUBJECT_GATE_FD, 0, 0, 0,		/* mov $fd, %edi */
	0x48, 0x89, 0xe6,			/* mov %rsp, %rsi */
	0xba, 1, 0, 0, 0,			/* mov $1, %edx */
	0x0f, 0x05,				/* syscall */
	0xb8, 60, 0, 0, 0,			/* mov $60 (exit), %eax */
	0x31, 0xff,				/* xor %edi, %edi */
	0x0f, 0x05,				/* syscall */
	'h', 'e', 'r', 'e', '\n',
};
/* Both are read as they are into memory at one address, their headers too. */
enum { BASE32 = 0x08048000, BASE64 = 0x00400000 };

struct tiny32 {
	Elf32_Ehdr head;
	Elf32_Phdr segment;
	unsigned char code[sizeof(code32)];
};
struct tiny64 {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	unsigned char code[sizeof(code64)];
};
_Static_assert(offsetof(struct tiny32, code) + sizeof(code32) - 5 == 0x84, "the text's address in code32");
_Static_assert(offsetof(struct tiny64, code) + sizeof(code64) - 5 == 0xa8, "the text's address in code64");

static void write32(const char *path)
{
	struct tiny32 t = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			  .e_machine = EM_386, .e_version = EV_CURRENT, .e_entry = BASE32 + offsetof(struct tiny32, code),
			  .e_phoff = offsetof(struct tiny32, segment), .e_ehsize = sizeof(Elf32_Ehdr),
			  .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD, .p_vaddr = BASE32, .p_paddr = BASE32, .p_filesz = sizeof(t),
			     .p_memsz = sizeof(t), .p_flags = PF_R | PF_X, .p_align = 4096 },
	};

	memcpy(t.code, code32, sizeof(code32));
	workspace_write_file(path, &t, sizeof(t), 0755);
}

static void write64(const char *path)
{
	struct tiny64 t = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			  .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = BASE64 + offsetof(struct tiny64, code),
			  .e_phoff = offsetof(struct tiny64, segment), .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD, .p_vaddr = BASE64, .p_paddr = BASE64, .p_filesz = sizeof(t),
			     .p_memsz = sizeof(t), .p_flags = PF_R | PF_X, .p_align = 4096 },
	};

	memcpy(t.code, code64, sizeof(code64));
	workspace_write_file(path, &t, sizeof(t), 0755);
}

bool tiny_write(const char *path, bool narrow)
{
	if (narrow)
		write32(path);
	else
		write64(path);
	return true;
}
#else
bool tiny_write(const char *path, bool narrow)
{
	(void)path;
	(void)narrow;
	return false;
}
#endif
