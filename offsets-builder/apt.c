// SPDX-License-Identifier: Apache-2.0
#include "apt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

/* A line that apt-get wrote, taken apart in place. */
struct target {
	char *uri, *suite, *label, *origin;
};

int apt_suites_add(struct apt_suites *suites, const char *uri, const char *suite)
{
	struct apt_suite *grown, one = {0};
	size_t size = strlen(uri);

	for (size_t i = 0; i < suites->count; i++) {
		if (!strcmp(suites->suite[i].suite, suite) &&
		    !strncmp(suites->suite[i].uri, uri, size) &&
		    strspn(suites->suite[i].uri + size, "/") == strlen(suites->suite[i].uri + size))
			return 0;
	}
	grown = realloc(suites->suite, (suites->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	suites->suite = grown;
	one.suite = strdup(suite);
	if (!one.suite ||
	    asprintf(&one.uri, "%s%s", uri, size && uri[size - 1] == '/' ? "" : "/") < 0) {
		free(one.suite);
		return -ENOMEM;
	}
	suites->suite[suites->count++] = one;
	return 0;
}

void apt_suites_free(struct apt_suites *suites)
{
	for (size_t i = 0; i < suites->count; i++) {
		free(suites->suite[i].uri);
		free(suites->suite[i].suite);
	}
	free(suites->suite);
	*suites = (struct apt_suites){0};
}

static bool next_target(char **text, struct target *target)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		target->uri = strsep(&line, "\t");
		target->suite = line ? strsep(&line, "\t") : NULL;
		target->label = line ? strsep(&line, "\t") : NULL;
		target->origin = line;
		if (target->origin && !strcmp(target->origin, "Debian"))
			return true;
	}
	return false;
}

/* The archive of security updates is one of its own. */
static bool is_home(const struct target *target, const char *suite)
{
	const char *dash = strrchr(suite, '-');
	bool security = dash && !strcmp(dash, "-security");

	return !strcmp(target->label, security ? "Debian-Security" : "Debian");
}

static int take_named(char *text, const char *name, struct apt_suites *suites, struct error *error)
{
	struct target target;

	while (next_target(&text, &target)) {
		if (is_home(&target, name))
			return apt_suites_add(suites, target.uri, name);
	}
	return error_set(error, -ENOENT,
			 "cannot find suite %s: apt knows no archive that it would be in: give "
			 "--mirror, or add the archive to apt's sources and run apt-get update",
			 name);
}

static int take_all(char *text, struct apt_suites *suites, struct error *error)
{
	struct target target;
	int err = 0;

	while (!err && next_target(&text, &target))
		err = apt_suites_add(suites, target.uri, target.suite);
	if (!err && !suites->count)
		err = error_set(error, -ENOENT,
				"cannot find an archive: apt knows none of Debian: run apt-get "
				"update, or give --mirror and --suite");
	return err;
}

static int ask_apt(struct text *text, struct error *error)
{
	static const char *const argv[] = {"apt-get",
					   "indextargets",
					   "--format",
					   "$(REPO_URI)\t$(RELEASE)\t$(LABEL)\t$(ORIGIN)",
					   "Created-By: Packages",
					   NULL};
	int out = program_file(NULL, 0), err = out;

	if (out >= 0) {
		err = program_run(argv, (const int[]){-1, out, 2}, 3, error);
		if (err > 0)
			err = error_set(error, -EIO,
					"cannot ask apt for its archives: apt-get indextargets "
					"failed with %d: give --mirror and --suite",
					err);
		if (!err && program_file_read(out, 16 << 20, text))
			err = error_set(error, -ENOMEM, "cannot ask apt: no memory: free some");
		close(out);
	}
	return err;
}

int apt_suites_read(const char *const names[], size_t count, struct apt_suites *suites,
		    struct error *error)
{
	struct text text = {0};
	int err = ask_apt(&text, error);

	if (!err && !count)
		err = take_all(text.data, suites, error);
	for (size_t i = 0; !err && i < count; i++) {
		char *copy = strdup(text.data);

		err = copy ? take_named(copy, names[i], suites, error) : -ENOMEM;
		free(copy);
	}
	if (err == -ENOMEM)
		error_set(error, err, "cannot list apt's suites: no memory: free some");
	text_free(&text);
	return err;
}
