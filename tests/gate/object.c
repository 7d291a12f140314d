// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "references.h"

static bool is_core(const char *name)
{
	size_t len = strlen(name);

	return len >= 5 && !strcmp(name + len - 5, "_core");
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
	return 0;
}

static int complain(const char *path, const char *what, int err)
{
	char why[128];

	libbpf_strerror(err, why, sizeof(why));
	fprintf(stderr, "%s: %s: %s: %s: give the ELF that the BPF build has made\n",
		program_invocation_short_name, path, what, why);
	return 1;
}

int object_open(struct object *object, const char *path)
{
	int err;

	*object = (struct object){.bpf = bpf_object__open_file(path, NULL)};
	if (!object->bpf)
		return complain(path, "libbpf can't open it", errno);
	err = object_programs(object);
	if (!err)
		err = references_read(object, path);
	if (err)
		return complain(path, "its relocations can't be read", -err);
	/* Nothing that breaks a rule is no success if there was nothing to look at. */
	return object->program_count ? 0 : complain(path, "it has no programs", ENOENT);
}

void object_close(struct object *object)
{
	for (size_t i = 0; i < object->program_count; i++)
		free(object->programs[i].references);
	free(object->programs);
	bpf_object__close(object->bpf);
	*object = (struct object){0};
}
