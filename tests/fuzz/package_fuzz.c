// SPDX-License-Identifier: Apache-2.0
/* Packages with kernels in them: .deb, .rpm, .btf.tar.xz; they come in small blocks. */
#include <bpf/libbpf.h>

#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	libbpf_set_print(NULL);
	fuzz_read_image(data, size, 1000);
	return 0;
}
