/* Random bytes of the kernel, and UUIDv7: 48 bits of milliseconds, then 74 random bits around version and variant. */
#include "core/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

aiorch_status aio__random(void *out, size_t len) {
  char *p = out;
  while (len > 0) {
    ssize_t got = getrandom(p, len, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return AIORCH_E_SYSTEM;
    p += got;
    len -= (size_t)got;
  }
  return AIORCH_OK;
}

aiorch_status aio__random_take(aio__random_pool *pool, void *out, size_t len) {
  if (len > sizeof pool->bytes) return aio__random(out, len);
  if (pool->left < len) {
    aiorch_status status = aio__random(pool->bytes, sizeof pool->bytes);
    if (status != AIORCH_OK) return status;
    pool->left = sizeof pool->bytes;
  }
  uint8_t *from = pool->bytes + (pool->left -= len);
  memcpy(out, from, len);
  memset(from, 0, len);
  return AIORCH_OK;
}

aiorch_status aio__uuid_v7(int64_t wall_ms, char out[AIO__UUID_LEN + 1]) {
  aio__random_pool none = {.left = 0};
  return aio__uuid_v7_from(&none, wall_ms, out);
}

aiorch_status aio__uuid_v7_from(aio__random_pool *pool, int64_t wall_ms, char out[AIO__UUID_LEN + 1]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t bytes[16];
  aiorch_status status = aio__random_take(pool, bytes + 6, sizeof bytes - 6);
  if (status != AIORCH_OK) return status;
  uint64_t ms = wall_ms < 0 ? 0 : (uint64_t)wall_ms;
  for (int i = 0; i < 6; i++) bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
  bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0F));
  bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3F));
  size_t at = 0;
  for (size_t i = 0; i < sizeof bytes; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    out[at++] = digits[bytes[i] >> 4];
    out[at++] = digits[bytes[i] & 0xF];
  }
  out[at] = '\0';
  return AIORCH_OK;
}
