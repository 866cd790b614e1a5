/* Random bytes, SHA-256, comparing secrets. */
#include "server_crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

bool crypto_random(void *out, size_t len) {
  unsigned char *at = out;
  while (len > 0) {
    ssize_t got = getrandom(at, len, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    len -= (size_t)got;
  }
  return true;
}

bool crypto_sha256(const void *data, size_t len, unsigned char out[SHA256_BYTES]) {
  unsigned int out_len = 0;
  return EVP_Digest(data, len, out, &out_len, EVP_sha256(), NULL) == 1 && out_len == SHA256_BYTES;
}

bool crypto_same(const void *a, const void *b, size_t len) { return CRYPTO_memcmp(a, b, len) == 0; }

void crypto_wipe(void *memory, size_t len) { OPENSSL_cleanse(memory, len); }
