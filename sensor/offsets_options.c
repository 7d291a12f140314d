// SPDX-License-Identifier: Apache-2.0
#include "offsets_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

enum { URL_MAX = 1024 };

bool offsets_option(int option, const char *value, struct offsets_options *options)
{
	switch (option) {
	case 'd': options->path = value; return true;
	case OFFSETS_OPTION_KEY: options->key = value; return true;
	case OFFSETS_OPTION_URL: options->url = value; return true;
	case OFFSETS_OPTION_CA: options->ca = value; return true;
	case OFFSETS_OPTION_STATE_DIR: options->state_dir = value; return true;
	default: return false;
	}
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = !curl_url_get(url, part, &text, 0);

	curl_free(text);
	return has;
}

/* Why it can't be used; NULL if it can. Everybody sees a password on a command line. */
static const char *url_fault(const char *text)
{
	CURLU *url = curl_url();
	const char *fault = NULL;

	if (!url)
		return "no memory: free some";
	if (strncasecmp(text, "https://", 8) && strncasecmp(text, "http://", 7))
		fault = "it is not https:// or http://: give the address that holds v1/";
	else if (strlen(text) > URL_MAX || curl_url_set(url, CURLUPART_URL, text, 0))
		fault = "it is not a URL: give the address that holds v1/";
	else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		fault = "everybody on this host would see the password: leave it out";
	else if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		fault = "a path is added to it: leave ? and # out";
	curl_url_cleanup(url);
	return fault;
}

static int check_url(const struct offsets_options *options, char *error, size_t error_size)
{
	const char *fault = url_fault(options->url);

	/* The password, if that is what is wrong, is not repeated. */
	if (fault)
		snprintf(error, error_size, "cannot use --offsets-url: %s", fault);
	else if (!options->key)
		snprintf(error, error_size,
			 "cannot use --offsets-url: nothing says whose rows may be believed: give "
			 "--offsets-key");
	return fault || !options->key ? -EINVAL : 0;
}

int offsets_options_check(struct offsets_options *options, char *error, size_t error_size)
{
	int err = options->url ? check_url(options, error, error_size) : 0;

	if (!err && options->key)
		err = signature_keys_read(options->key, &options->keys, error, error_size);
	return err;
}
