// SPDX-License-Identifier: Apache-2.0
/*
 * The build's gate for BPF programs: refuses an ELF with a program that an old kernel's
 * verifier would refuse, and prints what the programs and maps come to.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "figures.h"
#include "flow.h"
#include "insn.h"
#include "object.h"
#include "rules.h"
#include "table.h"

static const char usage[] =
	"usage: gate [--verbose] ELF                  check; silent if all is well\n"
	"       gate --table [--markdown] ELF [--verified FILE...]\n"
	"  --verbose   name the helpers of each program\n"
	"  --table     print programs and maps instead of checking\n"
	"  --verified  a column for each kernel, from the output of tests/gate/verified\n"
	"exit: 0 done, 1 a rule is broken or something can't be read, 2 bad usage\n";

/* ------------------------------------------------------------------------- check */

static size_t helper_calls(const struct program *program, int id)
{
	size_t count = 0;

	for (size_t i = 0; i < program->insn_count; i++)
		if (insn_is_helper_call(&program->insns[i]) &&
		    (id < 0 || program->insns[i].imm == id))
			count++;
	return count;
}

static void print_helpers(const struct program *program)
{
	const char *before = "";

	printf("%s:", program->name);
	for (int id = 0; id < __BPF_FUNC_MAX_ID; id++) {
		size_t calls = helper_calls(program, id);

		if (!calls)
			continue;
		printf("%s %s(%d)", before, helper_name(id), id);
		if (calls > 1)
			printf(" x%zu", calls);
		before = ",";
	}
	puts(*before ? "" : " no helpers");
}

static int check(const struct object *object, bool verbose)
{
	size_t broken = 0;

	for (size_t i = 0; i < object->program_count; i++) {
		if (verbose)
			print_helpers(&object->programs[i]);
		broken += rules_check(&object->programs[i], stderr);
	}
	return broken ? 1 : 0;
}

/* ------------------------------------------------------------------------- table */

static void print_programs(const struct object *object, const struct figures *figures,
			   bool markdown)
{
	struct table table = {.columns = 4, .left = 1};
	const char *release;

	while (figures_release(figures, table.columns - 4))
		table.columns++;
	table_add(&table, "program");
	table_add(&table, "instructions");
	table_add(&table, "stack");
	table_add(&table, "calls");
	for (size_t i = 0; (release = figures_release(figures, i)); i++)
		table_add(&table, "%s", release);
	for (size_t i = 0; i < object->program_count; i++) {
		const struct program *program = &object->programs[i];

		table_add(&table, "%s", program->name);
		table_add(&table, "%zu", program->insn_count);
		table_add(&table, "%u", flow_stack(program->insns, program->insn_count));
		table_add(&table, "%zu", helper_calls(program, -1));
		for (size_t k = 0; (release = figures_release(figures, k)); k++)
			table_add(&table, "%s", figures_get(figures, release, program->name));
	}
	table_print(&table, markdown);
	table_free(&table);
}

/* Their max_entries in the ELF are a stopgap: the loader sets them from the host's CPUs. */
static bool sized_by_loader(const struct bpf_map *map)
{
	static const char *const an_entry_a_cpu[] = {"counters", "scratch"};
	enum bpf_map_type type = bpf_map__type(map);

	for (size_t i = 0; i < sizeof(an_entry_a_cpu) / sizeof(an_entry_a_cpu[0]); i++)
		if (!strcmp(bpf_map__name(map), an_entry_a_cpu[i]))
			return true;
	return type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_PERF_EVENT_ARRAY ||
	       !bpf_map__max_entries(map);
}

static bool holds_one_a_cpu(const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);

	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* An array's keys take no memory. What the kernel adds to an entry is not counted. */
static unsigned long long entry_bytes(const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);
	bool hash = type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH ||
		    type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;

	return (hash ? bpf_map__key_size(map) : 0ULL) + bpf_map__value_size(map);
}

static void add_map_size(struct table *table, const struct bpf_map *map)
{
	unsigned long long bytes = entry_bytes(map) * bpf_map__max_entries(map);

	if (sized_by_loader(map)) {
		table_add(table, "set at load");
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			table_add(table, "set at load");
		else
			table_add(table, "%llu an entry", entry_bytes(map));
		return;
	}
	table_add(table, "%u", bpf_map__max_entries(map));
	table_add(table, "%llu%s", bytes, holds_one_a_cpu(map) ? " a CPU" : "");
}

static void print_maps(const struct object *object, bool markdown)
{
	struct table table = {.columns = 6, .left = 2};
	static const char *const head[] = {"map", "type", "key", "value", "entries", "bytes"};
	const struct bpf_map *map = NULL;

	for (size_t i = 0; i < table.columns; i++)
		table_add(&table, "%s", head[i]);
	while ((map = bpf_object__next_map(object->bpf, map))) {
		const char *type = libbpf_bpf_map_type_str(bpf_map__type(map));

		table_add(&table, "%s", bpf_map__name(map));
		table_add(&table, "%s", type ? type : "unknown");
		table_add(&table, "%u", bpf_map__key_size(map));
		table_add(&table, "%u", bpf_map__value_size(map));
		add_map_size(&table, map);
	}
	putchar('\n');
	table_print(&table, markdown);
	table_free(&table);
}

/* ---------------------------------------------------------------------- the rest */

struct options {
	bool verbose, table, markdown;
	const char *elf;
	char *first_figures; /* --verified takes the argument behind it, ... */
	char **more_figures; /* ... and all that follow the ELF, up to a NULL */
};

static int bad_usage(void)
{
	fputs(usage, stderr);
	return 2;
}

static int options_read(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"verbose", no_argument, NULL, 'v'},  {"table", no_argument, NULL, 't'},
		{"markdown", no_argument, NULL, 'm'}, {"verified", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},     {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "vh", known, NULL)) != -1) {
		switch (c) {
		case 'v': o->verbose = true; break;
		case 't': o->table = true; break;
		case 'm': o->markdown = true; break;
		case 'f': o->first_figures = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: return bad_usage();
		}
	}
	if (optind == argc || (!o->table && (o->first_figures || o->markdown)) ||
	    (argc > optind + 1 && !o->first_figures))
		return bad_usage();
	o->elf = argv[optind];
	o->more_figures = argv + optind + 1;
	return 0;
}

static int table(const struct object *object, const struct options *o)
{
	struct figures figures = {0};
	int err = o->first_figures ? figures_read(&figures, o->first_figures) : 0;

	for (char **path = o->more_figures; *path && !err; path++)
		err = figures_read(&figures, *path);
	if (!err) {
		print_programs(object, &figures, o->markdown);
		print_maps(object, o->markdown);
	}
	figures_free(&figures);
	return err;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct object object = {0};
	int status = options_read(&options, argc, argv);

	if (!status)
		status = object_open(&object, options.elf);
	if (!status)
		status = options.table ? table(&object, &options) : check(&object, options.verbose);
	object_close(&object);
	return status;
}
