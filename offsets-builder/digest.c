// SPDX-License-Identifier: Apache-2.0
#include "digest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *context;
	bool failed;
};

struct digest *digest_new(void)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		return NULL;
	digest->context = EVP_MD_CTX_new();
	if (!digest->context || !EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(digest->context);
		free(digest);
		return NULL;
	}
	return digest;
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
	if (!EVP_DigestUpdate(digest->context, data, size))
		digest->failed = true;
}

int digest_end(struct digest *digest, char text[DIGEST_TEXT])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	bool ok = EVP_DigestFinal_ex(digest->context, bytes, &n) && !digest->failed &&
		  2 * n == DIGEST_TEXT - 1;

	for (unsigned int i = 0; ok && i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	EVP_MD_CTX_free(digest->context);
	free(digest);
	return ok ? 0 : -EIO;
}
