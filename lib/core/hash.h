/* SHA-256 (FIPS 180-4), CRC-32C (RFC 3720) and a fast hash for tables (not for anything that an attacker must not meet:
 * it is keyed). */
#ifndef AIO_CORE_HASH_H
#define AIO_CORE_HASH_H

#include "core/str.h"

enum { AIO__SHA256_SIZE = 32 };

typedef struct aio__sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} aio__sha256;

void aio__sha256_init(aio__sha256 *hash);
void aio__sha256_add(aio__sha256 *hash, const void *bytes, size_t len);
/* Length-prefixed: (8 bytes little-endian length, bytes), so that "a","bc" and "ab","c" differ. */
void aio__sha256_str(aio__sha256 *hash, aio__str text);
void aio__sha256_u64(aio__sha256 *hash, uint64_t value);
void aio__sha256_end(aio__sha256 *hash, uint8_t out[AIO__SHA256_SIZE]);
/* Lower-case hex, NUL-terminated: 65 bytes. */
void aio__hex(const uint8_t *bytes, size_t len, char *out);

uint32_t aio__crc32c(uint32_t crc, const void *bytes, size_t len);
uint64_t aio__hash64(uint64_t key, const void *bytes, size_t len);

/* What is used where the processor has no instructions for it; apart, so that tests reach it on any machine. */
void aio__sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count);
uint32_t aio__crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
