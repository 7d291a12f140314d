// SPDX-License-Identifier: Apache-2.0
#include "proof_program.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

/* Where the file begins in the program's memory: above mmap_min_addr, aligned to any page. */
enum { BASE = 0x400000, ALIGNMENT = 0x10000 };

/* write(4, sp, 1): argc; read(3, sp - 64, 1); exit(0) */
#if defined(__x86_64__)
static const unsigned char code[] = {
	0xbf, PROOF_ALIVE_FD,
	0,    0,
	0, /* mov edi, 4 */
	0x48, 0x89,
	0xe6, /* mov rsi, rsp */
	0xba, 1,
	0,    0,
	0, /* mov edx, 1 */
	0xb8, 1,
	0,    0,
	0,	    /* mov eax, write */
	0x0f, 0x05, /* syscall */
	0xbf, PROOF_GATE_FD,
	0,    0,
	0, /* mov edi, 3 */
	0x48, 0x8d,
	0x74, 0x24,
	0xc0,	    /* lea rsi, [rsp - 64] */
	0x31, 0xc0, /* xor eax, eax: read */
	0x0f, 0x05, /* syscall */
	0x31, 0xff, /* xor edi, edi */
	0xb8, 60,
	0,    0,
	0,	    /* mov eax, exit */
	0x0f, 0x05, /* syscall */
};
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
static const unsigned code[] = {
	0xd2800080, /* mov x0, #4 */
	0x910003e1, /* mov x1, sp */
	0xd2800022, /* mov x2, #1 */
	0xd2800808, /* mov x8, #64: write */
	0xd4000001, /* svc #0 */
	0xd2800060, /* mov x0, #3 */
	0xd10103e1, /* sub x1, sp, #64 */
	0xd2800022, /* mov x2, #1 */
	0xd28007e8, /* mov x8, #63: read */
	0xd4000001, /* svc #0 */
	0xd2800000, /* mov x0, #0 */
	0xd2800ba8, /* mov x8, #93: exit */
	0xd4000001, /* svc #0 */
};
enum { MACHINE = EM_AARCH64 };
#else
static const unsigned char code[1];
enum { MACHINE = EM_NONE };
#endif

struct program {
	Elf64_Ehdr head;
	Elf64_Phdr load, stack; /* without PT_GNU_STACK the stack could be executed */
	unsigned char code[sizeof(code)];
};
_Static_assert(sizeof(struct program) <= PROOF_PROGRAM_MAX, "it fits");

size_t proof_program_make(unsigned char out[PROOF_PROGRAM_MAX])
{
	static const struct program frame = {
		.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT},
			 .e_type = ET_EXEC,
			 .e_machine = MACHINE,
			 .e_version = EV_CURRENT,
			 .e_entry = BASE + offsetof(struct program, code),
			 .e_phoff = offsetof(struct program, load),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2},
		.load = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = BASE,
			 .p_paddr = BASE,
			 .p_filesz = sizeof(struct program),
			 .p_memsz = sizeof(struct program),
			 .p_align = ALIGNMENT},
		.stack = {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16},
	};

	if (MACHINE == EM_NONE)
		return 0;
	memcpy(out, &frame, sizeof(frame));
	memcpy(out + offsetof(struct program, code), code, sizeof(code));
	return sizeof(frame);
}

void proof_program_main(int argc)
{
	unsigned char byte = (unsigned char)argc;

	if (write(PROOF_ALIVE_FD, &byte, 1) == 1)
		while (read(PROOF_GATE_FD, &byte, 1) > 0)
			;
	_exit(0);
}
