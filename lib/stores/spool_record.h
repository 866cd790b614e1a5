/*
 * A row of the ledger as it lies in a file of the spool (spool.h). All numbers are little-endian.
 *
 *   record:  u32 magic "ASR1" | u32 length of the payload | u32 CRC-32C of the payload | u8 kind | u8 version (1) | u16 0 |
 *            36 bytes: id of the attempt or the run, filled up with NUL | u32 CRC-32C of the 52 bytes before | payload
 *   payload of an attempt:   text tenant | attempt
 *   payload of a settlement: text tenant | run | u32 number of attempts | attempts
 *   payload of a refused row: i32 status | text reason | text: the record that was refused, whole
 *   attempt: text id, run_id | u8 state | i32 kind, status, http_status | text provider, model, request_id | usage |
 *            u8 cost_known | i64 cost_nano_usd, created_ms, duration_us, lease_until_ms
 *   run:     text id, user, provider, model | i32 status, cache | usage | u8 cost_known |
 *            i64 cost_nano_usd, created_ms, duration_us
 *   usage:   u8 number of classes | an i64 each, in the order of AIORCH_USAGE_* | u8 estimated
 *   text:    u32 length | bytes
 *
 * The head has a sum of its own, so that the length can be believed when the payload is damaged: what comes behind is found
 * in one pass over the file, whatever it holds.
 */
#ifndef AIO_STORES_SPOOL_RECORD_H
#define AIO_STORES_SPOOL_RECORD_H

#include "stores/store.h"

enum {
  AIO__SPOOL_HEAD = 56,              /* bytes of a record before its payload */
  AIO__SPOOL_PAYLOAD_MAX = 1 << 20,
  AIO__SPOOL_ROW_MAX = AIO__SPOOL_PAYLOAD_MAX - 8192, /* of an attempt or a settlement, so that it has room in a refused row */
  AIO__SPOOL_RECORD_MAX = AIO__SPOOL_HEAD + AIO__SPOOL_PAYLOAD_MAX,
  AIO__SPOOL_RECORD_VERSION = 1
};

typedef enum aio__spool_kind { AIO__SPOOL_ATTEMPT = 1, AIO__SPOOL_SETTLE = 2, AIO__SPOOL_REFUSED = 3 } aio__spool_kind;

typedef struct aio__spool_row {
  aio__spool_kind kind;
  aio__str tenant;
  const aio__run_row *run;          /* of a settlement */
  const aio__attempt_row *attempts; /* an attempt has one */
  size_t count;
  /* of a refused row: */
  aiorch_status status;
  aio__str reason, record;
} aio__spool_row;

/* Where the bytes of a record go; the first error ends it. */
typedef aiorch_status (*aio__spool_put)(void *ctx, const void *bytes, size_t len);

/* Allocates nothing. AIORCH_E_TOO_LARGE, or what `put` says. */
aiorch_status aio__spool_record_write(const aio__spool_row *row, aio__spool_put put, void *ctx, aiorch_error *error);
/* How many bytes it writes; 0 when the row is too large. */
size_t aio__spool_record_size(const aio__spool_row *row);

typedef struct aio__spool_head {
  uint32_t length, crc;
  int kind, version;
} aio__spool_head;

/* Whether a head stands at `bytes`, of which there are AIO__SPOOL_HEAD. */
bool aio__spool_head_read(const char *bytes, aio__spool_head *head);
/* Whether `record` is whole: head, length and sum. */
bool aio__spool_record_is_whole(aio__str record);
/* The row in a whole record. Its texts lie in `record`, its rows in `arena`. AIORCH_E_STORE_NEWER, AIORCH_E_STORE_CORRUPT (what no
 * libaiorch has written), AIORCH_E_NOMEM. */
aiorch_status aio__spool_record_read(aio__str record, aio__arena *arena, aio__spool_row *row, aiorch_error *error);

#endif
