// SPDX-License-Identifier: Apache-2.0
#include "figures.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int figures_add(struct figures *figures, const struct figure *figure)
{
	struct figure *more = reallocarray(figures->all, figures->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	figures->all = more;
	more[figures->count++] = *figure;
	return 0;
}

/* A serial console ends lines with CR, too, which the last conversion leaves out. */
static int figures_line(struct figures *figures, const char *line)
{
	struct figure figure;

	if (line[0] == '#' || line[strspn(line, " \t\r\n")] == 0)
		return 0;
	if (sscanf(line, "%63[^\t]\t%63[^\t]\t%23[^\t\r\n]", figure.release, figure.program,
		   figure.processed) != 3)
		return -EINVAL;
	return figures_add(figures, &figure);
}

int figures_read(struct figures *figures, const char *path)
{
	FILE *f = fopen(path, "r");
	int err = f ? 0 : -errno;
	char *line = NULL;
	size_t size = 0, number = 0;

	while (f && !err && getline(&line, &size, f) > 0) {
		number++;
		err = figures_line(figures, line);
	}
	if (f)
		fclose(f);
	free(line);
	if (err)
		fprintf(stderr,
			"gate: %s: line %zu: %s: the table would be wrong: give files of lines "
			"RELEASE<TAB>PROGRAM<TAB>PROCESSED, as tests/gate/verified prints them\n",
			path, number, strerror(-err));
	return err ? 1 : 0;
}

/* Words are worst, then numbers by size. */
static unsigned long badness(const char *processed)
{
	if (!strcmp(processed, "-"))
		return 0;
	return isdigit((unsigned char)processed[0]) ? strtoul(processed, NULL, 10) : ~0UL;
}

const char *figures_get(const struct figures *figures, const char *release, const char *program)
{
	const char *worst = NULL;

	for (size_t i = 0; i < figures->count; i++) {
		const struct figure *figure = &figures->all[i];

		if (strcmp(figure->release, release) || strcmp(figure->program, program))
			continue;
		if (!worst || badness(figure->processed) > badness(worst))
			worst = figure->processed;
	}
	return worst ? worst : "?";
}

const char *figures_release(const struct figures *figures, size_t nth)
{
	for (size_t i = 0, earlier; i < figures->count; i++) {
		for (earlier = 0; earlier < i; earlier++)
			if (!strcmp(figures->all[earlier].release, figures->all[i].release))
				break;
		if (earlier == i && !nth--)
			return figures->all[i].release;
	}
	return NULL;
}

void figures_free(struct figures *figures)
{
	free(figures->all);
	*figures = (struct figures){0};
}
