// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "command.h"
#include "version.h"

static const char usage_text[] =
	"usage: offsets-builder COMMAND -d DB ...\n"
	"       offsets-builder COMMAND --help\n"
	"       offsets-builder --help | --version\n"
	"\n"
	"Makes the database of struct offsets for kernels that show no BTF.\n"
	"\n"
	"  add        the kernels that files are of\n"
	"  crawl      the kernels of a distribution's archive\n"
	"  merge      what other databases hold\n"
	"  verify     checks all there is\n"
	"  stats      counts it\n"
	"  show       one kernel's row and offsets\n"
	"  diff       what moved between two kernels\n"
	"  export     the database as lines of JSON\n"
	"  import     reads them again\n"
	"  missing    kernels that a fleet runs and the database lacks\n"
	"  publish    the database as files for a web server\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 bad usage.\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	/* clang-format off */
	{"add", command_add},
	{"crawl", command_crawl},
	{"diff", command_diff},
	{"export", command_export},
	{"import", command_import},
	{"merge", command_merge},
	{"missing", command_missing},
	{"publish", command_publish},
	{"show", command_show},
	{"stats", command_stats},
	{"verify", command_verify},
	/* clang-format on */
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	libbpf_set_print(NULL);
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		return command_print(usage_text);
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		return command_print("offsets-builder " CORMORANT_VERSION "\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		argv[1] = argv[0]; /* getopt's messages begin with the program's name */
		return commands[i].run(argc - 1, argv + 1);
	}
	if (!*name)
		return command_usage(usage_text, "no command", "add is one");
	return command_usage(usage_text, "unknown command", name);
}
