// SPDX-License-Identifier: Apache-2.0
#include "fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "db.h"
#include "db_sql.h"
#include "text.h"

/* A document has some 15 KB. */
enum { DOCUMENT_MAX = 1 << 20, CHUNK = 64 << 10 };

/* -------------------------------------------------------------------- one document */

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

/* False if it is there, but no string, or too long, or has a NUL in it. */
static bool take_string(struct json_object *object, const char *name, char *out, size_t size)
{
	struct json_object *value = member(object, name);
	const char *text;
	size_t len;

	*out = 0;
	if (!value)
		return true;
	if (!json_object_is_type(value, json_type_string))
		return false;
	text = json_object_get_string(value);
	len = (size_t)json_object_get_string_len(value);
	if (len >= size || strlen(text) != len)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

/* As it is, in an envelope, or in an OCSF event. */
static struct json_object *unwrap(struct json_object *object)
{
	struct json_object *inner = member(object, "capabilities");

	if (!inner)
		inner = member(member(object, "unmapped"), "capabilities");
	return inner ? inner : object;
}

static bool take_entry(struct json_object *object, struct fleet_entry *entry)
{
	struct json_object *document = unwrap(object);
	struct json_object *kernel = member(document, "kernel"), *host = member(document, "host");
	struct kernel_identity *identity = &entry->identity;
	struct error ignored;

	*entry = (struct fleet_entry){.hosts = 1};
	if (!take_string(kernel, "build_id", identity->build_id, sizeof(identity->build_id)) ||
	    !take_string(kernel, "arch", identity->arch, sizeof(identity->arch)) ||
	    !take_string(kernel, "release", identity->release, sizeof(identity->release)) ||
	    !take_string(kernel, "version", identity->version, sizeof(identity->version)))
		return false;
	if (!take_string(host, "machine_id", entry->host, sizeof(entry->host)) || !*entry->host)
		take_string(host, "hostname", entry->host, sizeof(entry->host));
	return !db_check_kernel(&(struct db_kernel){.identity = *identity}, &ignored);
}

static int add(struct fleet *fleet, const struct fleet_entry *entry)
{
	size_t room = fleet->room ? 2 * fleet->room : 64;
	void *at;

	if (fleet->count == fleet->room) {
		at = realloc(fleet->at, room * sizeof(*fleet->at));
		if (!at)
			return -ENOMEM;
		fleet->at = at;
		fleet->room = room;
	}
	fleet->at[fleet->count++] = *entry;
	return 0;
}

/* -------------------------------------------------------------------------- stream */

struct reader {
	struct fleet *fleet;
	const char *name;
	struct text block; /* what began with "{", up to what does next */
	size_t line;	   /* in which it began */
	void (*complain)(const struct error *error);
	size_t *bad;
};

/* at: in the block. */
static void complain(struct reader *r, size_t at, const char *why)
{
	struct error error;
	size_t line = r->line;

	for (size_t i = 0; i < at; i++)
		line += r->block.data[i] == '\n';

	error_set(&error, -EINVAL,
		  "cannot read %s: line %zu: %s: it is left out, look at it or make it again with "
		  "`cormorant capabilities`",
		  r->name, line, why);
	r->complain(&error);
	++*r->bad;
}

static const char *why_not(struct json_tokener *tokener)
{
	enum json_tokener_error error = json_tokener_get_error(tokener);

	return error == json_tokener_continue ? "it ends too early" :
						json_tokener_error_desc(error);
}

/* The objects of a block, mostly one. */
static int take_objects(struct reader *r, struct json_tokener *tokener)
{
	size_t at = 0;

	while (at < r->block.len) {
		struct fleet_entry entry;
		struct json_object *object;
		bool good;

		json_tokener_reset(tokener);
		object = json_tokener_parse_ex(tokener, r->block.data + at,
					       (int)(r->block.len - at));
		if (!object) {
			complain(r, at, why_not(tokener));
			return 0;
		}
		good = take_entry(object, &entry);
		json_object_put(object);
		if (!good)
			complain(r, at, "it does not say which kernel it is of");
		else if (add(r->fleet, &entry))
			return -ENOMEM;
		at += json_tokener_get_parse_end(tokener);
		at += strspn(r->block.data + at, " \t\r\n");
	}
	return 0;
}

static int take_block(struct reader *r)
{
	struct json_tokener *tokener = NULL;
	int err = 0;

	if (r->block.failed)
		return -ENOMEM;
	if (r->block.len >= DOCUMENT_MAX)
		complain(r, 0, "it is too long for a document");
	else if (r->block.len && *r->block.data != '{')
		complain(r, 0, "no document begins there");
	else if (r->block.len) {
		text_char(&r->block, 0); /* so that strspn ends */
		r->block.len--;
		tokener = json_tokener_new();
		err = tokener ? take_objects(r, tokener) : -ENOMEM;
	}
	if (tokener)
		json_tokener_free(tokener);
	text_clear(&r->block);
	return err;
}

static void append(struct reader *r, const char *bytes, size_t n)
{
	/* Blank lines between documents are nobody's. */
	if (!r->block.len && strspn(bytes, " \t\r\n") == n)
		return;
	if (r->block.len < DOCUMENT_MAX)
		text_bytes(&r->block, bytes, n);
}

int fleet_read(struct fleet *fleet, FILE *stream, const char *name,
	       void (*complain_fn)(const struct error *error), size_t *bad, struct error *error)
{
	struct reader r = {.fleet = fleet, .name = name, .complain = complain_fn, .bad = bad};
	size_t line = 1;
	bool at_start = true;
	char chunk[CHUNK];
	int err = 0;

	while (!err && fgets(chunk, sizeof(chunk), stream)) {
		size_t n = strlen(chunk);

		/* A block without a "{" is the garbage before the first. */
		if (at_start && *chunk == '{')
			err = take_block(&r);
		if (!r.block.len)
			r.line = line;
		append(&r, chunk, n);
		at_start = n && chunk[n - 1] == '\n';
		line += at_start;
	}
	if (!err)
		err = take_block(&r);
	text_free(&r.block);
	if (!err && ferror(stream))
		err = errno ? -errno : -EIO;
	return err ? error_set(error, err, "cannot read %s: %s: check it", name, strerror(-err)) :
		     0;
}

/* --------------------------------------------------------------------------- count */

static int compare_kernels(const struct fleet_entry *a, const struct fleet_entry *b)
{
	int order = strcmp(a->identity.arch, b->identity.arch);

	if (!order)
		order = strcmp(a->identity.release, b->identity.release);
	if (!order)
		order = strcmp(a->identity.build_id, b->identity.build_id);
	return order ? order : strcmp(a->identity.version, b->identity.version);
}

static int compare_entries(const void *a, const void *b)
{
	const struct fleet_entry *x = a, *y = b;
	int order = compare_kernels(x, y);

	return order ? order : strcmp(x->host, y->host);
}

static int compare_hosts(const void *a, const void *b)
{
	const struct fleet_entry *x = a, *y = b;

	if (x->hosts != y->hosts)
		return x->hosts > y->hosts ? -1 : 1;
	return compare_kernels(x, y);
}

void fleet_count(struct fleet *fleet)
{
	size_t kept = 0;

	if (fleet->count)
		qsort(fleet->at, fleet->count, sizeof(*fleet->at), compare_entries);
	for (size_t i = 0; i < fleet->count; i++) {
		const struct fleet_entry *entry = &fleet->at[i];
		struct fleet_entry *last = kept ? &fleet->at[kept - 1] : NULL;

		if (!last || compare_kernels(last, entry)) {
			fleet->at[kept++] = *entry;
			continue;
		}
		/* The same host again says nothing new; one that is not known may be any. */
		last->hosts += !*entry->host || strcmp(last->host, entry->host) != 0;
		memcpy(last->host, entry->host, sizeof(last->host));
	}
	fleet->count = kept;
	if (kept)
		qsort(fleet->at, kept, sizeof(*fleet->at), compare_hosts);
}

void fleet_free(struct fleet *fleet)
{
	free(fleet->at);
	*fleet = (struct fleet){0};
}
