// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "db_sql.h"
#include "text.h"

/* ------------------------------------------------------------------------- texts */

/* UTF-8 without control characters: it is shown on terminals and kept in lines. */
static bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return len < size && utf8_valid((struct slice){text, len});
}

static bool is_hex(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	return len < size && strspn(text, "0123456789abcdef") == len;
}

static bool is_build_id(const char *text)
{
	return is_hex(text, sizeof(((struct kernel_identity *)0)->build_id)) &&
	       strlen(text) % 2 == 0;
}

static bool is_sha256(const char *text)
{
	return is_hex(text, DIGEST_TEXT) && strlen(text) == DIGEST_TEXT - 1;
}

/* Unknown is well-formed. */
static bool maybe_text(const char *text)
{
	return !text || is_text(text, DB_TEXT_MAX);
}

static bool maybe_sha256(const char *text)
{
	return !text || !*text || is_sha256(text);
}

static int bad(struct error *error, const char *what, const char *rule)
{
	return error_set(error, -EINVAL, "its %s is not well-formed: %s", what, rule);
}

#define TEXT_RULE "use UTF-8 without control characters, and not too much of it"
#define SHA256_RULE "use 64 lower-case hex digits"

/* ------------------------------------------------------------------------ kernel */

static int check_identity(const struct kernel_identity *identity, struct error *error)
{
	if (!is_build_id(identity->build_id))
		return bad(error, "build-id", "use at most 23 bytes as lower-case hex digits");
	if (!is_text(identity->arch, sizeof(identity->arch)))
		return bad(error, "arch", TEXT_RULE);
	if (!is_text(identity->release, sizeof(identity->release)))
		return bad(error, "release", TEXT_RULE);
	if (!is_text(identity->version, sizeof(identity->version)))
		return bad(error, "version", TEXT_RULE);
	if (!*identity->build_id && !(*identity->arch && *identity->release))
		return bad(error, "identity", "give the build-id, or arch and release");
	return 0;
}

int db_check_kernel(const struct db_kernel *kernel, struct error *error)
{
	int err = check_identity(&kernel->identity, error);

	if (err)
		return err;
	if (!maybe_text(kernel->distro))
		return bad(error, "distro", TEXT_RULE);
	if (!maybe_text(kernel->source))
		return bad(error, "source", TEXT_RULE);
	if (!maybe_text(kernel->package))
		return bad(error, "package", TEXT_RULE);
	if (!maybe_sha256(kernel->sha256))
		return bad(error, "sha256", SHA256_RULE);
	if (!maybe_sha256(kernel->package_sha256))
		return bad(error, "package_sha256", SHA256_RULE);
	return 0;
}

int db_check_crawled(const struct db_crawled *crawled, struct error *error)
{
	if (!is_sha256(crawled->package_sha256))
		return bad(error, "package_sha256", SHA256_RULE);
	if (!*crawled->package || !is_text(crawled->package, sizeof(crawled->package)))
		return bad(error, "package", TEXT_RULE);
	if (!is_text(crawled->why, sizeof(crawled->why)))
		return bad(error, "why", TEXT_RULE);
	if (!is_build_id(crawled->build_id) || !*crawled->build_id == !*crawled->why)
		return bad(error, "build-id", "give it, or why there is none");
	return 0;
}

/* ------------------------------------------------------------------------ layout */

/* "task_struct", "enum pid_type", "" */
static bool is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_";
	size_t len = strnlen(name, LAYOUT_NAME_MAX);

	return len < LAYOUT_NAME_MAX && strspn(name, letters) == len;
}

static bool is_pair(const char *type, const char *member)
{
	static const char prefix[] = "enum ";
	bool value = !strncmp(type, prefix, sizeof(prefix) - 1);

	type += value ? sizeof(prefix) - 1 : 0;
	return *type && is_name(type) && is_name(member) && (*member || !value);
}

/* That it names no member twice is seen when it is stored. */
int db_check_layout(const struct layout *layout, struct error *error)
{
	char sha256[DIGEST_TEXT];

	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_field *field = &layout->fields[i];

		if (!is_pair(field->type, field->member))
			return bad(error, "layout", "a member has a name of letters and digits");
		if (field->offset > INT32_MAX || field->size > INT32_MAX ||
		    field->bit_shift > INT32_MAX)
			return bad(error, "layout", "a number is below 2^31");
	}
	for (size_t i = 0; i < layout->absent_count; i++)
		if (!is_pair(layout->absent[i].type, layout->absent[i].member))
			return bad(error, "layout", "a member has a name of letters and digits");
	if (!layout->count)
		return bad(error, "layout", "it has at least one member");
	if (layout_hash(layout, sha256))
		return error_set(error, -ENOMEM, "SHA-256 failed: free memory, or check libcrypto");
	return strcmp(sha256, layout->sha256) ?
		       bad(error, "layout", "its SHA-256 is of other numbers") :
		       0;
}
