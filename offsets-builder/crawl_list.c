// SPDX-License-Identifier: Apache-2.0
#include "crawl_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_~^:";
static const char path_bytes[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_~^:/@,=";

/* ------------------------------------------------------------------------- add */

static bool is_name(const char *name)
{
	size_t size = name ? strlen(name) : 0;

	return size && size < 256 && strspn(name, name_bytes) == size;
}

bool crawl_path_is_sane(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	if (!size || size >= 1024 || strspn(path, path_bytes) != size || *path == '/')
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "../", 3) || !strcmp(part, ".."))
			return false;
	}
	return true;
}

static bool is_sha256(const char *sha256)
{
	return strlen(sha256) == DIGEST_TEXT - 1 &&
	       strspn(sha256, "0123456789abcdef") == DIGEST_TEXT - 1;
}

static bool is_sane(const struct crawl_package *package)
{
	return is_name(package->label) && is_name(package->name) && is_name(package->version) &&
	       is_name(package->arch) && crawl_path_is_sane(package->path) &&
	       is_sha256(package->sha256) && package->size;
}

static void free_package(struct crawl_package *package)
{
	free(package->label);
	free(package->name);
	free(package->version);
	free(package->arch);
	free(package->path);
	free(package->url);
	free(package->debug_name);
}

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool copy_package(struct crawl_package *to, const struct crawl_package *from)
{
	bool ok;

	*to = (struct crawl_package){.size = from->size, .vouched = from->vouched};
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	ok = copy(&to->label, from->label);
	ok &= copy(&to->name, from->name);
	ok &= copy(&to->version, from->version);
	ok &= copy(&to->arch, from->arch);
	ok &= copy(&to->path, from->path);
	ok &= copy(&to->url, from->url);
	ok &= copy(&to->debug_name, from->debug_name);
	if (!ok)
		free_package(to);
	return ok;
}

int crawl_list_add(struct crawl_list *list, const struct crawl_package *package)
{
	struct crawl_package *grown;

	if (!is_sane(package)) {
		list->refused++;
		return 0;
	}
	if (!(list->count & (list->count - 1))) {
		size_t room = list->count ? 2 * list->count : 1;

		grown = realloc(list->packages, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->packages = grown;
	}
	if (!copy_package(&list->packages[list->count], package))
		return -ENOMEM;
	list->count++;
	return 0;
}

void crawl_texts_add(struct crawl_texts *texts, const char *text)
{
	char **grown = realloc(texts->text, (texts->count + 1) * sizeof(*grown));

	if (!grown)
		return;
	texts->text = grown;
	texts->text[texts->count] = strdup(text);
	texts->count += texts->text[texts->count] != NULL;
}

static void texts_free(struct crawl_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->text[i]);
	free(texts->text);
}

/* ---------------------------------------------------------------------- finish */

/*
 * By hash: the same in every run, and all sizes mixed, which makes for a good guess of the
 * time left. Of one file's places a signed index's comes first.
 */
static int by_hash(const void *a, const void *b)
{
	const struct crawl_package *x = a, *y = b;
	int order = !x->debug_name - !y->debug_name;

	if (!order)
		order = strcmp(x->sha256, y->sha256);
	if (!order)
		order = y->vouched - x->vouched;
	if (!order)
		order = strcmp(x->path, y->path);
	return order ? order : strcmp(x->url, y->url);
}

/* Takes the next ones with the same hash out of the way: they go behind all others. */
static int join_places(struct crawl_list *list)
{
	struct crawl_package *joined = malloc((list->count + 1) * sizeof(*joined));
	size_t front = 0, back = list->count;

	if (!joined)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		const struct crawl_package *p = &list->packages[i];
		bool again = i && !strcmp(p->sha256, p[-1].sha256) &&
			     !p->debug_name == !p[-1].debug_name;

		if (!again) {
			joined[front] = *p;
			list->kernels += p->debug_name != NULL;
			front++;
			continue;
		}
		joined[--back] = *p;
		joined[back].elsewhere = joined[front - 1].elsewhere;
		joined[front - 1].elsewhere = &joined[back];
	}
	free(list->packages);
	list->packages = joined;
	return 0;
}

static struct crawl_package *find_debug(const struct crawl_list *list,
					const struct crawl_package *kernel)
{
	for (size_t i = list->kernels; i < list->count; i++) {
		struct crawl_package *p = &list->packages[i];

		if (!p->debug_name && !strcmp(p->name, kernel->debug_name) &&
		    !strcmp(p->version, kernel->version) && !strcmp(p->arch, kernel->arch))
			return p;
	}
	return NULL;
}

int crawl_list_finish(struct crawl_list *list)
{
	int err;

	if (list->count)
		qsort(list->packages, list->count, sizeof(*list->packages), by_hash);
	err = join_places(list);
	for (size_t i = 0; !err && i < list->kernels; i++)
		list->packages[i].debug = find_debug(list, &list->packages[i]);
	return err;
}

void crawl_list_free(struct crawl_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free_package(&list->packages[i]);
	free(list->packages);
	texts_free(&list->errors);
	texts_free(&list->notes);
	*list = (struct crawl_list){0};
}
