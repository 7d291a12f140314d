// SPDX-License-Identifier: Apache-2.0
#include "shard.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARD_MAX = 100000 };

/* A number with nothing around it but end, or NULL. */
static const char *number(const char *text, unsigned long *n)
{
	char *end = NULL;

	if (!isdigit((unsigned char)*text))
		return NULL;
	errno = 0;
	*n = strtoul(text, &end, 10);
	return errno || *n > SHARD_MAX ? NULL : end;
}

/* The variable as a number. 1: it is there; 0: it is not. */
static int variable(const char *name, unsigned long *n, struct error *error)
{
	const char *text = getenv(name), *end;

	if (!text || !*text)
		return 0;
	end = number(text, n);
	if (!end || *end)
		return error_set(error, -EINVAL, "cannot use %s: \"%s\" is no number: unset it",
				 name, text);
	return 1;
}

/* The index, from 1, and the number of shards where it is known, else 0. */
static int kubernetes(struct shard *shard, struct error *error)
{
	unsigned long index = 0, count = 0;
	int found = variable("JOB_COMPLETION_INDEX", &index, error);

	if (found <= 0)
		return found;
	if (variable("JOB_COMPLETIONS", &count, error) < 0)
		return -EINVAL;
	*shard = (struct shard){(unsigned int)index + 1, (unsigned int)count,
				"JOB_COMPLETION_INDEX"};
	return 1;
}

static int slurm(struct shard *shard, struct error *error)
{
	unsigned long id = 0, count = 0, min = 0, step = 1;
	int found = variable("SLURM_ARRAY_TASK_ID", &id, error);

	if (found <= 0)
		return found;
	if (variable("SLURM_ARRAY_TASK_COUNT", &count, error) < 0 ||
	    variable("SLURM_ARRAY_TASK_MIN", &min, error) < 0 ||
	    variable("SLURM_ARRAY_TASK_STEP", &step, error) < 0)
		return -EINVAL;
	if (id < min || !step || (id - min) % step)
		return error_set(error, -EINVAL,
				 "cannot use SLURM_ARRAY_TASK_ID: it is none of its array's: "
				 "give --shard I/N");
	*shard = (struct shard){(unsigned int)((id - min) / step) + 1, (unsigned int)count,
				"SLURM_ARRAY_TASK_ID"};
	return 1;
}

static int from_option(const char *text, struct shard *shard, struct error *error)
{
	unsigned long index = shard->index, count = 0;
	const char *slash = text, *end;

	if (*text != '/') {
		slash = number(text, &index);
		shard->origin = "--shard";
	}
	end = slash && *slash == '/' ? number(slash + 1, &count) : NULL;
	if (!end || *end)
		return error_set(error, -EINVAL,
				 "cannot use --shard %s: it is not I/N: give 1/4 to 4/4", text);
	shard->index = (unsigned int)index;
	shard->count = (unsigned int)count;
	return 0;
}

int shard_parse(const char *text, struct shard *shard, struct error *error)
{
	bool whole = text && *text != '/'; /* the environment has no say */
	int found = 0, err = 0;

	*shard = (struct shard){0};
	if (!whole)
		found = kubernetes(shard, error);
	if (!whole && !found)
		found = slurm(shard, error);
	if (found < 0)
		return found;
	if (text)
		err = from_option(text, shard, error);
	if (err)
		return err;
	if (!text && !found)
		*shard = (struct shard){1, 1, NULL};
	if (!shard->origin && text)
		return error_set(error, -EINVAL,
				 "cannot use --shard %s: neither JOB_COMPLETION_INDEX nor "
				 "SLURM_ARRAY_TASK_ID says which one: give I/N",
				 text);
	if (!shard->count)
		return error_set(
			error, -EINVAL,
			"cannot use %s: the number of shards is not known: give --shard /N",
			shard->origin);
	if (!shard->index || shard->index > shard->count)
		return error_set(error, -EINVAL, "cannot use %s: shard %u of %u: count from 1 to N",
				 shard->origin, shard->index, shard->count);
	return 0;
}

bool shard_has(const struct shard *shard, const char *sha256)
{
	char text[16] = "";

	/* 60 bits of it are as good as all. */
	strncat(text, sha256, sizeof(text) - 1);
	return strtoull(text, NULL, 16) % shard->count == shard->index - 1;
}
