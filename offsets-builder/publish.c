// SPDX-License-Identifier: Apache-2.0
#include "publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cormorant/offsets_schema.h"
#include "db_sql.h"
#include "digest.h"

enum { ROW_VERSION = 1, LIST_VERSION = 1, INDEX_VERSION = 1, NAME_BYTES = 192 };

struct publication {
	struct db *db;
	const struct sign_key *key;
	struct tree *tree;
	struct publish_counts *counts;
	struct json_object *lists; /* of each arch its kernels */
	struct json_object *index;
	struct error *error;
};

/* ------------------------------------------------------------------------- json */

static int fail_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "cannot publish: no memory: free some");
}

/* Takes value, whatever comes of it. */
static int put(struct json_object *object, const char *key, struct json_object *value)
{
	if (object && value && !json_object_object_add(object, key, value))
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static int append(struct json_object *list, struct json_object *value)
{
	if (list && value && !json_object_array_add(list, value))
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

/* What is not known is left out. */
static int put_text(struct json_object *object, const char *key, const char *text)
{
	return text && *text ? put(object, key, json_object_new_string(text)) : 0;
}

static int put_int(struct json_object *object, const char *key, int64_t number)
{
	return put(object, key, json_object_new_int64(number));
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

static int hash(const struct publication *p, const void *bytes, size_t size,
		char sha256[DIGEST_TEXT])
{
	struct digest *digest = digest_new();

	if (!digest)
		return fail_memory(p->error);
	digest_add(digest, bytes, size);
	return digest_end(digest, sha256) ? fail_memory(p->error) : 0;
}

/* A document in one line, and its hash. text is for text_free, also after an error. */
static int render(const struct publication *p, struct json_object *document, struct text *text,
		  char sha256[DIGEST_TEXT])
{
	int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *json = json_object_to_json_string_ext(document, flags);

	text_format(text, "%s\n", json ? json : "");
	if (!json || text->failed)
		return fail_memory(p->error);
	return hash(p, text->data, text->len, sha256);
}

/* -------------------------------------------------------------------------- rows */

static int put_kernel(struct json_object *row, const struct kernel_identity *identity)
{
	struct json_object *kernel = json_object_new_object();

	if (put_text(kernel, "build_id", identity->build_id) ||
	    put_text(kernel, "arch", identity->arch) ||
	    put_text(kernel, "release", identity->release) ||
	    put_text(kernel, "version", identity->version)) {
		json_object_put(kernel);
		return -ENOMEM;
	}
	return put(row, "kernel", kernel);
}

static int put_provenance(struct json_object *row, const struct db_row *from)
{
	const struct db_kernel *kernel = &from->kernel;
	struct json_object *provenance = json_object_new_object();

	if (put_text(provenance, "distro", kernel->distro) ||
	    put_text(provenance, "source", kernel->source) ||
	    put_text(provenance, "package", kernel->package) ||
	    put_text(provenance, "sha256", kernel->sha256) ||
	    put_text(provenance, "package_sha256", kernel->package_sha256) ||
	    put(provenance, "source_verified", json_object_new_boolean(kernel->source_verified)) ||
	    put_text(provenance, "built_at", from->built_at)) {
		json_object_put(provenance);
		return -ENOMEM;
	}
	return put(row, "provenance", provenance);
}

static struct json_object *field_of(const struct layout_field *field)
{
	struct json_object *list = json_object_new_array();

	if (append(list, json_object_new_string(field->type)) ||
	    append(list, json_object_new_string(field->member)) ||
	    append(list, json_object_new_int64(field->offset)) ||
	    append(list, json_object_new_int64(field->size)) ||
	    append(list, json_object_new_int64(field->bit_shift))) {
		json_object_put(list);
		return NULL;
	}
	return list;
}

static struct json_object *absent_of(const struct layout_name *name)
{
	struct json_object *list = json_object_new_array();

	if (append(list, json_object_new_string(name->type)) ||
	    append(list, json_object_new_string(name->member))) {
		json_object_put(list);
		return NULL;
	}
	return list;
}

static int put_layout(struct json_object *row, const struct layout *layout)
{
	struct json_object *object = json_object_new_object();
	struct json_object *fields = json_object_new_array(), *absent = json_object_new_array();
	int err = 0;

	for (size_t i = 0; !err && i < layout->count; i++)
		err = append(fields, field_of(&layout->fields[i]));
	for (size_t i = 0; !err && i < layout->absent_count; i++)
		err = append(absent, absent_of(&layout->absent[i]));
	if (!err)
		err = put_text(object, "sha256", layout->sha256);
	err |= put(object, "fields", fields);
	err |= put(object, "absent", absent);
	return put(row, "layout", object) | err;
}

/* An entry of the list of an arch's kernels. */
static int list_row(const struct publication *p, const struct db_row *row, const char *sha256)
{
	const struct kernel_identity *identity = &row->kernel.identity;
	struct json_object *list = NULL, *entry = json_object_new_object();
	int err = 0;

	if (!json_object_object_get_ex(p->lists, identity->arch, &list)) {
		list = json_object_new_array();
		err = put(p->lists, identity->arch, list);
	}
	if (err || put_text(entry, "build_id", identity->build_id) ||
	    put_text(entry, "release", identity->release) ||
	    put_text(entry, "version", identity->version) ||
	    put_text(entry, "distro", row->kernel.distro) ||
	    put_text(entry, "package", row->kernel.package) || put_text(entry, "sha256", sha256)) {
		json_object_put(entry);
		return -ENOMEM;
	}
	return append(list, entry);
}

/* It becomes part of a path. */
static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static struct json_object *document_of(const struct db_row *row)
{
	struct json_object *document = json_object_new_object();

	if (put_int(document, "row_version", ROW_VERSION) ||
	    put_kernel(document, &row->kernel.identity) || put_provenance(document, row) ||
	    put_layout(document, row->layout)) {
		json_object_put(document);
		return NULL;
	}
	return document;
}

static int publish_row(void *arg, const struct db_row *row, struct error *error)
{
	const struct publication *p = arg;
	const struct kernel_identity *identity = &row->kernel.identity;
	struct json_object *document;
	struct text text = {0};
	char name[NAME_BYTES], sha256[DIGEST_TEXT];
	int err;

	if (!is_name(identity->build_id) || !is_name(identity->arch) || row->conflict) {
		p->counts->conflicts += row->conflict;
		p->counts->nameless += !row->conflict;
		return 0;
	}
	snprintf(name, sizeof(name), "%s/%s.json", identity->arch, identity->build_id);
	document = document_of(row);
	err = document ? render(p, document, &text, sha256) : fail_memory(error);
	if (!err)
		err = put_file(p, name, text.data, text.len);
	if (!err && list_row(p, row, sha256))
		err = fail_memory(error);
	text_free(&text);
	json_object_put(document);
	p->counts->kernels += !err;
	return err;
}

/* -------------------------------------------------------------- what lists them all */

/* The whole database, byte for byte. */
static int publish_database(const struct publication *p)
{
	struct json_object *object = json_object_new_object();
	char name[NAME_BYTES], sha256[DIGEST_TEXT];
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(p->db->sqlite, "main", &size, 0);
	int err = bytes ? hash(p, bytes, (size_t)size, sha256) : fail_memory(p->error);

	if (!err) {
		snprintf(name, sizeof(name), "offsets-%s.db", sha256);
		err = put_file(p, name, bytes, (size_t)size);
	}
	if (!err && (put_text(object, "file", name) || put_text(object, "sha256", sha256) ||
		     put_int(object, "size", size)))
		err = fail_memory(p->error);
	sqlite3_free(bytes);
	if (put(p->index, "database", object) && !err)
		err = fail_memory(p->error);
	return err;
}

static struct json_object *list_of(const char *arch, struct json_object *kernels)
{
	struct json_object *list = json_object_new_object();

	if (put_int(list, "list_version", LIST_VERSION) || put_text(list, "arch", arch) ||
	    put(list, "kernels", json_object_get(kernels))) {
		json_object_put(list);
		return NULL;
	}
	return list;
}

static int publish_list(const struct publication *p, const char *arch, struct json_object *kernels,
			struct json_object *lists)
{
	struct json_object *list = list_of(arch, kernels), *entry = json_object_new_object();
	struct text text = {0};
	char name[NAME_BYTES], sha256[DIGEST_TEXT];
	int err = list ? render(p, list, &text, sha256) : fail_memory(p->error);

	if (!err) {
		snprintf(name, sizeof(name), "kernels-%s-%s.json", arch, sha256);
		err = put_file(p, name, text.data, text.len);
	}
	if (!err && (put_text(entry, "file", name) || put_text(entry, "sha256", sha256) ||
		     put_int(entry, "count", (int64_t)json_object_array_length(kernels))))
		err = fail_memory(p->error);
	text_free(&text);
	json_object_put(list);
	if (put(lists, arch, entry) && !err)
		err = fail_memory(p->error);
	return err;
}

static int publish_lists(const struct publication *p)
{
	struct json_object *lists = json_object_new_object();
	int err = 0;

	json_object_object_foreach(p->lists, arch, kernels)
	{
		if (!err)
			err = publish_list(p, arch, kernels, lists);
	}
	if (put(p->index, "kernels", lists) && !err)
		err = fail_memory(p->error);
	return err;
}

/* The database's own word of when and with what it was made; nothing here knows the time. */
static int put_meta(const struct publication *p)
{
	sqlite3_stmt *stmt;
	int err = db_query(p->db, p->error, &stmt,
			   "SELECT key, value FROM meta WHERE key IN ('built_at', 'tool_version') "
			   "ORDER BY key",
			   "");

	while (!err && (err = db_step(p->db, stmt, p->error)) == 1)
		err = put_text(p->index, db_text(stmt, 0), db_text(stmt, 1)) ?
			      fail_memory(p->error) :
			      0;
	sqlite3_finalize(stmt);
	return err;
}

static int publish_index(const struct publication *p)
{
	struct text text = {0};
	char sha256[DIGEST_TEXT];
	int err = render(p, p->index, &text, sha256);

	if (!err)
		err = put_file(p, "index.json", text.data, text.len);
	text_free(&text);
	return err;
}

static int publish_all(const struct publication *p)
{
	int err = put_int(p->index, "index_version", INDEX_VERSION) ||
				  put_int(p->index, "schema_version", OFFSETS_SCHEMA_VERSION) ?
			  fail_memory(p->error) :
			  0;

	if (!err)
		err = put_meta(p);
	if (!err)
		err = db_each_kernel(p->db, publish_row, (void *)p, p->error);
	if (!err)
		err = publish_database(p);
	if (!err)
		err = publish_lists(p);
	/* What the index names is there before it is. */
	if (!err)
		err = tree_sync(p->tree, p->error);
	if (!err)
		err = publish_index(p);
	return err ? err : tree_sweep(p->tree, p->error);
}

int publish(struct db *db, const struct sign_key *key, struct tree *tree,
	    struct publish_counts *counts, struct error *error)
{
	struct publication p = {
		.db = db,
		.key = key,
		.tree = tree,
		.counts = counts,
		.lists = json_object_new_object(),
		.index = json_object_new_object(),
		.error = error,
	};
	int err = p.lists && p.index ? 0 : fail_memory(error);

	*counts = (struct publish_counts){0};
	/* All that is read is of one moment. */
	if (!err)
		err = db_run(db, error, NULL, "BEGIN", "");
	if (!err)
		err = db_end(db, publish_all(&p), error);
	json_object_put(p.lists);
	json_object_put(p.index);
	return err;
}
