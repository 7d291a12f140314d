// SPDX-License-Identifier: Apache-2.0
/* dnf's repositories: repomd.xml, perhaps signed, has the hash of primary.xml, and that the packages'. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crawl.h"
#include "gpgv.h"
#include "unpack.h"
#include "xml.h"

/* One repository, while its indexes are read. */
struct repo {
	const struct crawl_options *options;
	struct index_reader *reader;
	struct crawl_list *list;
	const char *uri; /* ends with a slash */
	bool vouched;	 /* a signature of repomd.xml was checked */
	/* repomd.xml's element data that is being read, and the one that is wanted */
	struct data {
		char type[32], href[1024], sha256[DIGEST_TEXT], sum_type[16];
		uint64_t size;
	} data, primary;
	/* primary.xml's package */
	struct entry {
		char name[256], arch[32], epoch[16], ver[128], rel[128], href[1024];
		char sha256[DIGEST_TEXT], sum_type[16];
		uint64_t size;
	} entry;
};

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "cannot read an index: no memory: free some");
}

static void keep(char *out, size_t size, const char *value)
{
	snprintf(out, size, "%s", strlen(value) < size ? value : "");
}

#define KEEP(out, value) keep(out, sizeof(out), value)

/* ------------------------------------------------------------------ repomd.xml */

static void start_repomd(void *arg, int depth, const char *element, const char **attributes)
{
	struct repo *repo = arg;
	struct data *data = &repo->data;

	if (depth == 2)
		*data = (struct data){0};
	if (depth == 2 && !strcmp(element, "data"))
		KEEP(data->type, xml_attribute(attributes, "type"));
	else if (depth == 3 && !strcmp(element, "location"))
		KEEP(data->href, xml_attribute(attributes, "href"));
	else if (depth == 3 && !strcmp(element, "checksum"))
		KEEP(data->sum_type, xml_attribute(attributes, "type"));
}

static int end_repomd(void *arg, int depth, const char *element, const char *text,
		      struct error *error)
{
	struct repo *repo = arg;
	struct data *data = &repo->data;

	(void)error;
	if (depth == 3 && !strcmp(element, "checksum"))
		KEEP(data->sha256, text);
	else if (depth == 3 && !strcmp(element, "size"))
		data->size = strtoull(text, NULL, 10);
	else if (depth == 2 && !strcmp(data->type, "primary"))
		repo->primary = *data;
	return 0;
}

/* ----------------------------------------------------------------- primary.xml */

/* A kernel's modules are packages of their own, and some are called "core", too. */
static bool is_kernel(const struct repo *repo, const char *name)
{
	static const char *const defaults[] = {"kernel",	  "kernel-core",
					       "kernel-*-core",	  "kernel[0-9]*[!a-z]",
					       "kernel-default",  "kernel-azure",
					       "kernel-rt",	  "kernel-64kb",
					       "kernel-longterm", "kernel-preempt",
					       "kernel-uek",	  "kernel-lt",
					       "kernel-ml",	  NULL};
	bool asked = repo->options->patterns.count;

	return crawl_wanted(&repo->options->patterns, defaults, name) &&
	       (asked || !strstr(name, "-modules"));
}

static bool is_debug(const char *name)
{
	static const char ending[] = "-debuginfo";
	size_t length = strlen(name), end = sizeof(ending) - 1;

	return !strncmp(name, "kernel", 6) && length > end && !strcmp(name + length - end, ending);
}

static void debug_name(const char *name, char *out, size_t size)
{
	size_t length = strlen(name);

	if (length > 5 && !strcmp(name + length - 5, "-core"))
		length -= 5;
	snprintf(out, size, "%.*s-debuginfo", (int)length, name);
}

static bool is_wanted_arch(const struct repo *repo, const char *arch)
{
	static const char *const defaults[] = {"x86_64", "aarch64", NULL};

	return crawl_wanted(&repo->options->arches, defaults, arch);
}

static int add_package(struct repo *repo, struct entry *e, struct error *error)
{
	char label[600], version[300], debug[300], *url = NULL;
	struct crawl_package package = {.label = label,
					.name = e->name,
					.version = version,
					.arch = e->arch,
					.path = e->href,
					.size = e->size,
					.vouched = repo->vouched};
	int err;

	if (e->size < CRAWL_KERNEL_MIN || !is_wanted_arch(repo, e->arch))
		return 0;
	if (!is_debug(e->name)) {
		if (!is_kernel(repo, e->name))
			return 0;
		debug_name(e->name, debug, sizeof(debug));
		package.debug_name = debug;
	}
	snprintf(version, sizeof(version), "%s:%s-%s", e->epoch, e->ver, e->rel);
	snprintf(label, sizeof(label), "%s-%s-%s.%s", e->name, e->ver, e->rel, e->arch);
	if (!strcmp(e->sum_type, "sha256"))
		memcpy(package.sha256, e->sha256, sizeof(package.sha256));
	if (asprintf(&url, "%s%s", repo->uri, e->href) < 0)
		return no_memory(error);
	package.url = url;
	err = crawl_list_add(repo->list, &package);
	free(url);
	return err ? no_memory(error) : 0;
}

static void start_primary(void *arg, int depth, const char *element, const char **attributes)
{
	struct entry *e = &((struct repo *)arg)->entry;

	if (depth == 2)
		*e = (struct entry){0};
	if (depth != 3)
		return;
	if (!strcmp(element, "version")) {
		KEEP(e->epoch, xml_attribute(attributes, "epoch"));
		KEEP(e->ver, xml_attribute(attributes, "ver"));
		KEEP(e->rel, xml_attribute(attributes, "rel"));
	} else if (!strcmp(element, "checksum")) {
		KEEP(e->sum_type, xml_attribute(attributes, "type"));
	} else if (!strcmp(element, "size")) {
		e->size = strtoull(xml_attribute(attributes, "package"), NULL, 10);
	} else if (!strcmp(element, "location")) {
		KEEP(e->href, xml_attribute(attributes, "href"));
	}
}

static int end_primary(void *arg, int depth, const char *element, const char *text,
		       struct error *error)
{
	struct repo *repo = arg;
	struct entry *e = &repo->entry;

	if (depth == 2 && !strcmp(element, "package"))
		return add_package(repo, e, error);
	if (depth != 3)
		return 0;
	if (!strcmp(element, "name"))
		KEEP(e->name, text);
	else if (!strcmp(element, "arch"))
		KEEP(e->arch, text);
	else if (!strcmp(element, "checksum"))
		KEEP(e->sha256, text);
	return 0;
}

/* ------------------------------------------------------------------ repository */

static int read_xml(const struct text *packed, const char *name, struct xml_handler handler,
		    struct error *error)
{
	struct unpack *unpack = NULL;
	int err = unpack_open(packed, name, &unpack, error);

	if (!err)
		err = xml_read(unpack_source(unpack), &handler, error);
	unpack_close(unpack);
	return err;
}

/* Most repositories have no signature: without a keyring none is asked for. */
static int check_repomd(struct repo *repo, const char *url, const struct text *repomd,
			struct error *error)
{
	const char *keyring = repo->options->keyring;
	struct text signature = {0};
	char *asc = NULL;
	int err;

	if (!keyring) {
		error_set(error, 0,
			  "%s is taken as it came: no signature was asked for: --keyring FILE asks",
			  url);
		crawl_texts_add(&repo->list->notes, error->text);
		return 0;
	}
	if (asprintf(&asc, "%s.asc", url) < 0)
		return no_memory(error);
	err = index_get(repo->reader, asc, &signature, error);
	if (!err)
		err = gpgv_check(keyring, url, repomd, &signature, NULL, error);
	repo->vouched = !err;
	if (err) {
		index_forget(repo->reader, url);
		index_forget(repo->reader, asc);
	}
	if (err && repo->options->allow_unsigned) {
		crawl_texts_add(&repo->list->notes, error->text);
		err = 0;
	}
	text_free(&signature);
	free(asc);
	return err;
}

static int read_repomd(struct repo *repo, struct error *error)
{
	struct text repomd = {0};
	char *url = NULL;
	int err;

	if (asprintf(&url, "%srepodata/repomd.xml", repo->uri) < 0)
		return no_memory(error);
	err = index_get(repo->reader, url, &repomd, error);
	if (!err)
		err = check_repomd(repo, url, &repomd, error);
	if (!err)
		err = read_xml(&repomd, url, (struct xml_handler){start_repomd, end_repomd, repo},
			       error);
	if (!err && (strcmp(repo->primary.sum_type, "sha256") || !*repo->primary.href))
		err = error_set(error, -EBADMSG,
				"cannot use %s: it names no primary index with a SHA-256: look at "
				"--repo",
				url);
	text_free(&repomd);
	free(url);
	return err;
}

static int read_primary(struct repo *repo, struct error *error)
{
	const struct data *primary = &repo->primary;
	struct text packed = {0};
	char *url = NULL;
	int err;

	if (!crawl_path_is_sane(primary->href))
		return error_set(error, -EBADMSG,
				 "cannot use the index of %s: its path is odd: look at --repo",
				 repo->uri);
	if (asprintf(&url, "%s%s", repo->uri, primary->href) < 0)
		return no_memory(error);
	err = index_get_known(repo->reader, url, primary->size, primary->sha256, &packed, error);
	if (!err)
		err = read_xml(&packed, url, (struct xml_handler){start_primary, end_primary, repo},
			       error);
	text_free(&packed);
	free(url);
	return err;
}

static int read_repo(struct repo *repo, const char *uri, struct error *error)
{
	size_t size = strlen(uri);
	char *with_slash = NULL;
	int err;

	if (asprintf(&with_slash, "%s%s", uri, size && uri[size - 1] == '/' ? "" : "/") < 0)
		return no_memory(error);
	repo->uri = with_slash;
	err = read_repomd(repo, error);
	if (!err)
		err = read_primary(repo, error);
	free(with_slash);
	return err;
}

int rpm_list(const struct crawl_options *options, struct index_reader *reader,
	     struct crawl_list *list, struct error *error)
{
	for (size_t i = 0; i < options->repos.count; i++) {
		struct repo repo = {.options = options, .reader = reader, .list = list};
		int err = read_repo(&repo, options->repos.word[i], error);

		if (err == -ENOMEM)
			return err;
		if (err)
			crawl_texts_add(&list->errors, error->text);
	}
	return 0;
}
