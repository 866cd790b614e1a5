/* What the server asks of libcrypto: random bytes, SHA-256, a comparison whose time tells nothing. server_crypto.c includes it. */
#ifndef SERVER_CRYPTO_H
#define SERVER_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

enum { SHA256_BYTES = 32 };

/* From the kernel. False when it has none to give (errno says why). */
bool crypto_random(void *out, size_t len);
/* False when libcrypto has no memory. */
bool crypto_sha256(const void *data, size_t len, unsigned char out[SHA256_BYTES]);
bool crypto_same(const void *a, const void *b, size_t len);
void crypto_wipe(void *memory, size_t len);

#endif
