// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <stdio.h>

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
