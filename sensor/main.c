// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "proof_program.h"
#include "run.h"
#include "version.h"

static const char usage_text[] =
	"usage: cormorant run [OPTION]...\n"
	"       cormorant probe [--json] [OPTION]...\n"
	"       cormorant capabilities [--ocsf] [OPTION]...\n"
	"       cormorant selftest [--json] [OPTION]...\n"
	"       cormorant --help | --version\n"
	"\n"
	"Watches every program that is executed on this host.\n"
	"\n"
	"  -o, --output=SINK     stdout (the default) or file:PATH; may be given several times\n"
	"  -f, --format=FORMAT   ocsf: one JSON object a line; pretty: for a person\n"
	"                        (the default on a terminal)\n"
	"      --count=N         stop after N events\n"
	"      --duration=SEC    stop after SEC seconds\n"
	OFFSETS_USAGE
	"      --attach=A        force a rung, for tests and debugging: raw_tp, tp, kprobe\n"
	"      --transport=T     ringbuf, perfbuf\n"
	"      --access=X        core, map, none\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version\n"
	"\n"
	"Exit status: 0 done, 1 failed while running, 2 bad usage, 3 this host can't.\n";

enum { OPTION_COUNT = 256, OPTION_DURATION, OPTION_ATTACH, OPTION_TRANSPORT, OPTION_ACCESS };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, 'f'},
	OFFSETS_LONG_OPTIONS,
	{"count", required_argument, NULL, OPTION_COUNT},
	{"duration", required_argument, NULL, OPTION_DURATION},
	{"attach", required_argument, NULL, OPTION_ATTACH},
	{"transport", required_argument, NULL, OPTION_TRANSPORT},
	{"access", required_argument, NULL, OPTION_ACCESS},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

/* Says what is wrong with the command line, then how it should look. */
static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "cormorant: %s: %s: see below\n\n%s", what, value, usage_text);
	return EXIT_USAGE;
}

static int parse_positive(const char *text, uint64_t max, uint64_t *value)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || end == text || text[0] < '0' || text[0] > '9' || !v || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

static int parse_format(const char *text, struct run_options *options)
{
	if (!strcmp(text, "ocsf"))
		options->format = FORMAT_OCSF;
	else if (!strcmp(text, "pretty"))
		options->format = FORMAT_PRETTY;
	else
		return usage_error("unknown format", text);
	return 0;
}

static int add_sink(const char *name, struct run_options *options)
{
	if (options->sink_count == RUN_SINKS_MAX)
		return usage_error("too many sinks, at most 8", name);
	options->sinks[options->sink_count++] = name;
	return 0;
}

/* A forced rung must leave at least one variant. */
static int check_force(const struct run_options *options)
{
	const struct variant_force *force = &options->force;

	for (size_t i = 0; i < variant_count; i++)
		if (variant_allowed(&variants[i], force))
			return 0;
	fprintf(stderr, "cormorant: no variant exec.%s.%s.%s: not built in: see below\n\n%s",
		force->attach ? force->attach : "*", force->transport ? force->transport : "*",
		force->access ? force->access : "*", usage_text);
	return EXIT_USAGE;
}

static int parse_option(int option, struct run_options *options)
{
	if (offsets_option(option, optarg, &options->offsets))
		return 0;
	switch (option) {
	case 'o': return add_sink(optarg, options);
	case 'f': return parse_format(optarg, options);
	case OPTION_COUNT:
		if (parse_positive(optarg, UINT64_MAX - 1, &options->count))
			return usage_error("--count wants a positive number", optarg);
		return 0;
	case OPTION_DURATION:
		if (parse_positive(optarg, INT32_MAX, &options->duration))
			return usage_error("--duration wants a positive number of seconds", optarg);
		return 0;
	case OPTION_ATTACH: options->force.attach = optarg; return 0;
	case OPTION_TRANSPORT: options->force.transport = optarg; return 0;
	case OPTION_ACCESS: options->force.access = optarg; return 0;
	default: fprintf(stderr, "\n%s", usage_text); return EXIT_USAGE; /* getopt has said why */
	}
}

/* Prints to stdout; a reader that has gone or a full disk is an error like any other. */
static int print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout))
		return EXIT_FAILED;
	return EXIT_DONE;
}

static enum exit_status command_run(int argc, char **argv)
{
	struct run_options options = {0};
	char error[1024];
	int option, err;

	while ((option = getopt_long(argc, argv, "o:f:d:hV", long_options, NULL)) != -1) {
		if (option == 'h')
			return print(usage_text);
		if (option == 'V')
			return print("cormorant " CORMORANT_VERSION "\n");
		err = parse_option(option, &options);
		if (err)
			return err;
	}
	if (optind < argc)
		return usage_error("unexpected argument", argv[optind]);
	if (offsets_options_check(&options.offsets, error, sizeof(error))) {
		fprintf(stderr, "cormorant: %s\n", error);
		return EXIT_USAGE;
	}
	if (!options.sink_count)
		options.sinks[options.sink_count++] = "stdout";
	err = check_force(&options);
	return err ? (enum exit_status)err : run(&options);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum exit_status (*run)(int argc, char **argv);
	} commands[] = {
		{"run", command_run},
		{"probe", command_probe},
		{"capabilities", command_capabilities},
		{"selftest", command_selftest},
	};
	const char *command = argc > 1 ? argv[1] : "";

	if (argc && !strcmp(argv[0], PROOF_ARGV0))
		proof_program_main(argc);
	if (!strcmp(command, "--help") || !strcmp(command, "-h"))
		return print(usage_text);
	if (!strcmp(command, "--version") || !strcmp(command, "-V"))
		return print("cormorant " CORMORANT_VERSION "\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(command, commands[i].name))
			continue;
		argv[1] = argv[0]; /* getopt's messages begin with the program's name */
		return commands[i].run(argc - 1, argv + 1);
	}
	if (!*command)
		return usage_error("no command", "run is one");
	return usage_error("unknown command", command);
}
