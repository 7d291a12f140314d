// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <getopt.h>
#include <stdio.h>

#include "db.h"

int command_usage(const char *usage, const char *what, const char *value)
{
	fprintf(stderr, "offsets-builder: %s: %s: see below\n\n%s", what, value, usage);
	return EXIT_USAGE;
}

void command_complain(const struct error *error)
{
	fprintf(stderr, "offsets-builder: %s\n", error->text);
}

int command_print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout))
		return EXIT_FAILED;
	return EXIT_DONE;
}

int command_print_text(const struct text *text)
{
	if (text->failed) {
		fprintf(stderr, "offsets-builder: cannot print: no memory: free some\n");
		return EXIT_FAILED;
	}
	if ((text->len && fwrite(text->data, 1, text->len, stdout) != text->len) || fflush(stdout)) {
		fprintf(stderr, "offsets-builder: cannot write to stdout: it is closed or full: look "
				"where it goes\n");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* ----------------------------------------------------------------- command lines */

static const struct option long_options[] = {
	{"database", required_argument, NULL, 'd'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int check_operands(const char *usage, const struct command_line *line, int least, int most,
			  const char *wanted)
{
	if (!line->database || !*line->database)
		return command_usage(usage, "no database", "-d DB says which");
	if (line->count < least)
		return command_usage(usage, "something is missing", wanted);
	if (line->count > most)
		return command_usage(usage, "too much", line->operands[most]);
	return -1;
}

int command_parse(int argc, char **argv, const char *usage, bool json_allowed, int least, int most,
		  const char *wanted, struct command_line *line)
{
	int option;

	*line = (struct command_line){0};
	while ((option = getopt_long(argc, argv, "d:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'd': line->database = optarg; break;
		case 'h': return command_print(usage);
		case 'j':
			if (!json_allowed)
				return command_usage(usage, "unknown option", "--json");
			line->json = true;
			break;
		default:
			fprintf(stderr, "\n%s", usage);
			return EXIT_USAGE; /* getopt has said why */
		}
	}
	line->operands = argv + optind;
	line->count = argc - optind;
	return check_operands(usage, line, least, most, wanted);
}

int command_tell_counts(const char *path, const size_t *counts, struct error *error)
{
	if (printf("%s: %zu added, %zu updated, %zu unchanged, %zu in conflict\n", path,
		   counts[DB_ADDED], counts[DB_UPDATED], counts[DB_UNCHANGED],
		   counts[DB_CONFLICT]) < 0 ||
	    fflush(stdout))
		return error_set(
			error, -1,
			"cannot write to stdout: it is closed or full: look where it goes");
	if (counts[DB_CONFLICT])
		return error_set(error, -1,
				 "%s contradicts what is known of %zu kernels: their numbers or "
				 "their names: see what `offsets-builder verify` says",
				 path, counts[DB_CONFLICT]);
	return 0;
}
