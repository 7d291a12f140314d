// SPDX-License-Identifier: Apache-2.0
#include "publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"
#include "digest.h"
#include "jsonl.h"

enum { ROW_VERSION = 1, LIST_VERSION = 1, INDEX_VERSION = 1, NAME_BYTES = 192 };

struct publication {
	struct db *db;
	const struct sign_key *key;
	struct tree *tree;
	struct publish_counts *counts;
	char arch[16];	   /* whose kernels come: they are in order */
	struct text list;  /* of them, as JSON objects */
	size_t listed;	   /* how many */
	struct text lists; /* the lists that are written, as the index names them */
	struct error *error;
};

static int fail_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "cannot publish: no memory: free some");
}

/* ------------------------------------------------------------------------- files */

/* A file of the tree, signed if there is a key. The comment says which file it is. */
static int put_file(const struct publication *p, const char *name, const void *bytes, size_t size)
{
	char minisig[NAME_BYTES + 16], comment[NAME_BYTES + 16];
	struct text signature = {0};
	bool changed;
	int err = tree_put(p->tree, name, bytes, size, &changed, p->error);

	snprintf(minisig, sizeof(minisig), "%s.minisig", name);
	snprintf(comment, sizeof(comment), "file:v1/%s", name);
	if (!err && p->key) {
		sign(p->key, bytes, size, comment, &signature);
		err = signature.failed ? fail_memory(p->error) :
					 tree_put(p->tree, minisig, signature.data, signature.len,
						  NULL, p->error);
	} else if (!err && !changed) {
		err = tree_keep(p->tree, minisig, p->error);
	}
	text_free(&signature);
	return err;
}

/* The same of a document, which is freed. */
static int put_document(const struct publication *p, const char *name, struct text *document)
{
	int err = document->failed ? fail_memory(p->error) :
				     put_file(p, name, document->data, document->len);

	text_free(document);
	return err;
}

static int hash(const struct publication *p, const void *bytes, size_t size,
		char sha256[DIGEST_TEXT])
{
	struct digest *digest = digest_new();

	if (!digest)
		return fail_memory(p->error);
	digest_add(digest, bytes, size);
	return digest_end(digest, sha256) ? fail_memory(p->error) : 0;
}

/* -------------------------------------------------------------------------- lists */

/* Of the kernels of one arch, named by its contents. */
static int end_list(struct publication *p)
{
	struct text document = {0};
	char name[NAME_BYTES], sha256[DIGEST_TEXT];
	int err;

	if (!p->listed)
		return 0;
	text_format(&document, "{\"list_version\":%d,\"arch\":\"%s\",\"kernels\":[", LIST_VERSION,
		    p->arch);
	text_bytes(&document, p->list.data, p->list.len);
	text_str(&document, "]}\n");
	if (document.failed || p->list.failed) {
		text_free(&document);
		return fail_memory(p->error);
	}
	err = hash(p, document.data, document.len, sha256);
	snprintf(name, sizeof(name), "kernels-%s-%s.json", p->arch, sha256);
	text_format(&p->lists, "%s\"%s\":{\"file\":\"%s\",\"sha256\":\"%s\",\"count\":%zu}",
		    p->lists.len ? "," : "", p->arch, name, sha256, p->listed);
	if (err)
		text_free(&document);
	else
		err = put_document(p, name, &document);
	text_clear(&p->list);
	p->listed = 0;
	return err;
}

/* What jsonl writes is an object of one member; this is that member, or its value alone. */
static struct slice inside(const struct text *line, size_t name)
{
	return (struct slice){line->data + 1 + name, line->len - 2 - name};
}

static void list_kernel(struct publication *p, const struct text *kernel)
{
	struct slice value = inside(kernel, strlen("\"kernel\":"));

	if (p->listed++)
		text_char(&p->list, ',');
	text_bytes(&p->list, value.data, value.len);
}

/* --------------------------------------------------------------------------- rows */

static int put_row(struct publication *p, const struct db_row *row)
{
	const struct kernel_identity *identity = &row->kernel.identity;
	struct text kernel = {0}, layout = {0}, document = {0};
	char name[NAME_BYTES];
	int err = -ENOMEM;

	jsonl_put_kernel(&kernel, row);
	jsonl_put_layout(&layout, row->layout);
	if (!kernel.failed && !layout.failed) {
		struct slice first = inside(&kernel, 0), second = inside(&layout, 0);

		list_kernel(p, &kernel);
		text_format(&document, "{\"row_version\":%d,%.*s,%.*s}\n", ROW_VERSION,
			    (int)first.len, first.data, (int)second.len, second.data);
		snprintf(name, sizeof(name), "%s/%s.json", identity->arch, identity->build_id);
		err = put_document(p, name, &document);
	} else {
		fail_memory(p->error);
	}
	text_free(&kernel);
	text_free(&layout);
	return err;
}

/* It becomes part of a path. */
static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static int publish_row(void *arg, const struct db_row *row, struct error *error)
{
	struct publication *p = arg;
	const struct kernel_identity *identity = &row->kernel.identity;
	int err = 0;

	(void)error; /* is p's */
	if (!is_name(identity->build_id) || !is_name(identity->arch) || row->conflict) {
		p->counts->conflicts += row->conflict;
		p->counts->nameless += !row->conflict;
		return 0;
	}
	if (strcmp(p->arch, identity->arch)) {
		err = end_list(p);
		memcpy(p->arch, identity->arch, sizeof(p->arch));
	}
	if (!err)
		err = put_row(p, row);
	p->counts->kernels += !err;
	return err;
}

/* ---------------------------------------------------------------- what names them all */

/* The whole database, byte for byte. */
static int publish_database(const struct publication *p, struct text *index)
{
	char name[NAME_BYTES], sha256[DIGEST_TEXT];
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(p->db->sqlite, "main", &size, 0);
	int err = bytes ? hash(p, bytes, (size_t)size, sha256) : fail_memory(p->error);

	if (!err) {
		snprintf(name, sizeof(name), "offsets-%s.db", sha256);
		err = put_file(p, name, bytes, (size_t)size);
	}
	if (!err)
		text_format(index, "\"database\":{\"file\":\"%s\",\"sha256\":\"%s\",\"size\":%lld}",
			    name, sha256, (long long)size);
	sqlite3_free(bytes);
	return err;
}

/* The database's own word of when and with what it was made; nothing here knows the time. */
static int put_meta(const struct publication *p, struct text *index)
{
	sqlite3_stmt *stmt;
	int err = db_query(p->db, p->error, &stmt,
			   "SELECT key, value FROM meta WHERE key IN ('built_at', 'tool_version') "
			   "ORDER BY key",
			   "");

	while (!err && (err = db_step(p->db, stmt, p->error)) == 1) {
		text_json_string(index, slice_of(db_text(stmt, 0)));
		text_char(index, ':');
		text_json_string(index, slice_of(db_text(stmt, 1)));
		text_char(index, ',');
		err = 0;
	}
	sqlite3_finalize(stmt);
	return err;
}

static int publish_index(struct publication *p)
{
	struct text index = {0};
	int err;

	text_format(&index, "{\"index_version\":%d,\"schema_version\":%d,", INDEX_VERSION,
		    OFFSETS_SCHEMA_VERSION);
	err = put_meta(p, &index);
	if (!err)
		err = publish_database(p, &index);
	text_str(&index, ",\"kernels\":{");
	text_bytes(&index, p->lists.data, p->lists.len);
	text_str(&index, "}}\n");
	/* What the index names is there before it is. */
	if (!err)
		err = p->lists.failed ? fail_memory(p->error) : tree_sync(p->tree, p->error);
	if (!err)
		return put_document(p, "index.json", &index);
	text_free(&index);
	return err;
}

static int publish_all(struct publication *p)
{
	int err = db_each_kernel(p->db, publish_row, p, p->error);

	if (!err)
		err = end_list(p);
	if (!err)
		err = publish_index(p);
	return err ? err : tree_sweep(p->tree, p->error);
}

int publish(struct db *db, const struct sign_key *key, struct tree *tree,
	    struct publish_counts *counts, struct error *error)
{
	struct publication p = {
		.db = db, .key = key, .tree = tree, .counts = counts, .error = error};
	/* All that is read is of one moment. */
	int err = db_run(db, error, NULL, "BEGIN", "");

	*counts = (struct publish_counts){0};
	if (!err)
		err = db_end(db, publish_all(&p), error);
	text_free(&p.list);
	text_free(&p.lists);
	return err;
}
