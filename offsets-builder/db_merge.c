// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "db_sql.h"

struct merge {
	struct db *into;
	size_t *counts;
};

static int take_kernel(void *arg, const struct db_row *row, struct error *error)
{
	struct merge *merge = arg;
	enum db_outcome outcome;
	int err = db_put(merge->into, &row->kernel, row->layout, &outcome, error);

	if (!err)
		merge->counts[outcome]++;
	return err;
}

static int take_crawled(void *arg, const struct db_crawled *crawled, struct error *error)
{
	return db_put_crawled(((struct merge *)arg)->into, crawled, error);
}

int db_merge(struct db *db, struct db *from, size_t *counts, struct error *error)
{
	size_t taken[DB_OUTCOMES] = {0};
	struct merge merge = {db, taken};
	int err = db_begin(db, error);

	if (err)
		return err;
	err = db_each_kernel(from, take_kernel, &merge, error);
	if (!err)
		err = db_each_crawled(from, take_crawled, &merge, error);
	if (!err)
		err = db_tidy(db, error);
	err = db_end(db, err, error);
	for (int i = 0; !err && i < DB_OUTCOMES; i++)
		counts[i] += taken[i];
	return err;
}
