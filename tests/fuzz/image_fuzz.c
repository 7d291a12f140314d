// SPDX-License-Identifier: Apache-2.0
/* Kernel images: ELF with DWARF or BTF, raw BTF, bzImage, Image, each bare or compressed. */
#include <bpf/libbpf.h>

#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	libbpf_set_print(NULL);
	fuzz_read_image(data, size, 1 << 16);
	return 0;
}
