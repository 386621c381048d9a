// SPDX-License-Identifier: MIT
/*
 * SHA-256 by OpenSSL. The algorithm is fetched once, at start: the confined children could not load anything.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "server/server.h"

static EVP_MD *sha256;
static EVP_MD_CTX *context;

void srv_digest_init(void)
{
	u8 sum[32];

	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	context = EVP_MD_CTX_new();
	if (!sha256 || !context) {
		srv_log(SRV_ERR, "OpenSSL gives no SHA-256");
		exit(1);
	}
	srv_sha256("", 0, sum);		/* whatever is set up at first use is set up now */
}

void srv_sha256(const void *p, size_t n, u8 out[32])
{
	unsigned len = 32;

	if (!EVP_DigestInit_ex2(context, sha256, NULL) || !EVP_DigestUpdate(context, p, n) ||
	    !EVP_DigestFinal_ex(context, out, &len))
		abort();	/* a digest that was not computed must not be taken for one */
}

char *srv_hex(char *out, const u8 *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
	return out;
}
