/* Random bytes, SHA-256, comparing secrets. */
#include "server_crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
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

/* Looked up once: OpenSSL 3 otherwise asks its providers at each call, which takes longer than hashing a key. */
static const EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void find_sha256(void) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
#endif
  if (!sha256) sha256 = EVP_sha256();
}

bool crypto_sha256(const void *data, size_t len, unsigned char out[SHA256_BYTES]) {
  unsigned int out_len = 0;
  pthread_once(&sha256_once, find_sha256);
  return EVP_Digest(data, len, out, &out_len, sha256, NULL) == 1 && out_len == SHA256_BYTES;
}

bool crypto_same(const void *a, const void *b, size_t len) { return CRYPTO_memcmp(a, b, len) == 0; }

void crypto_wipe(void *memory, size_t len) { OPENSSL_cleanse(memory, len); }
