/* UUIDv7 (RFC 9562): sortable by time, made by the library so that a repeated write is idempotent. */
#ifndef AIO_CORE_UUID_H
#define AIO_CORE_UUID_H

#include <aiorch/error.h>

enum { AIO__UUID_LEN = 36 };

/* Fills bytes from the kernel (getrandom). AIORCH_OK, AIORCH_E_SYSTEM. */
aiorch_status aio__random(void *out, size_t len);

/* Bytes of the kernel that were drawn together, each given once. Zero: none yet. One thread at a time, and not on both sides of a
 * fork. */
typedef struct aio__random_pool {
  uint8_t bytes[48];
  size_t left;
} aio__random_pool;
aiorch_status aio__random_take(aio__random_pool *pool, void *out, size_t len);

/* 36 characters and a NUL. AIORCH_OK, AIORCH_E_SYSTEM. */
aiorch_status aio__uuid_v7(int64_t wall_ms, char out[AIO__UUID_LEN + 1]);
aiorch_status aio__uuid_v7_from(aio__random_pool *pool, int64_t wall_ms, char out[AIO__UUID_LEN + 1]);

#endif
