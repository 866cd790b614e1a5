/* See spool_record.h. */
#include "stores/spool_record.h"

#include <string.h>

#include "core/hash.h"

enum {
  MAGIC_BYTES = 4,
  HEAD_SUMMED = 52,
  ATTEMPT_LEAST = 68 /* bytes that an attempt takes at the very least */
};

static const char magic[MAGIC_BYTES + 1] = "ASR1";

/* ---- writing: once to know length and sum, once for the bytes ------------------------------------------------------- */

typedef struct sink {
  aio__spool_put put; /* NULL: only counts */
  void *ctx;
  uint64_t n;
  uint32_t crc;
  aiorch_status status;
} sink;

static void put_bytes(sink *s, const void *bytes, size_t len) {
  if (len == 0 || s->status != AIORCH_OK) return;
  s->n += len;
  if (s->put != NULL)
    s->status = s->put(s->ctx, bytes, len);
  else
    s->crc = aio__crc32c(s->crc, bytes, len);
}

static void little(uint64_t value, uint8_t *to, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static void put_number(sink *s, uint64_t value, size_t bytes) {
  uint8_t to[8];
  little(value, to, bytes);
  put_bytes(s, to, bytes);
}

static void put_u8(sink *s, int value) { put_number(s, (uint64_t)value & 0xff, 1); }
static void put_i32(sink *s, int32_t value) { put_number(s, (uint32_t)value, 4); }
static void put_i64(sink *s, int64_t value) { put_number(s, (uint64_t)value, 8); }

static void put_text(sink *s, aio__str text) {
  size_t n = text.n < AIO__SPOOL_RECORD_MAX ? text.n : AIO__SPOOL_RECORD_MAX; /* more is too large anyway */
  put_number(s, n, 4);
  put_bytes(s, text.p, n);
}

static void put_usage(sink *s, const aio__usage *usage) {
  put_u8(s, AIORCH_USAGE_COUNT);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) put_i64(s, usage->n[i]);
  put_u8(s, usage->estimated);
}

static void put_attempt(sink *s, const aio__attempt_row *row) {
  put_text(s, aio__str_z(row->id));
  put_text(s, aio__str_z(row->run_id));
  put_u8(s, (int)row->state);
  put_i32(s, row->kind);
  put_i32(s, row->status);
  put_i32(s, row->http_status);
  put_text(s, row->provider);
  put_text(s, row->model);
  put_text(s, row->request_id);
  put_usage(s, &row->usage);
  put_u8(s, row->cost_known);
  put_i64(s, row->cost_nano_usd);
  put_i64(s, row->created_ms);
  put_i64(s, row->duration_us);
  put_i64(s, row->lease_until_ms);
}

static void put_run(sink *s, const aio__run_row *row) {
  put_text(s, aio__str_z(row->id));
  put_text(s, row->user);
  put_text(s, row->provider);
  put_text(s, row->model);
  put_i32(s, row->status);
  put_i32(s, row->cache);
  put_usage(s, &row->usage);
  put_u8(s, row->cost_known);
  put_i64(s, row->cost_nano_usd);
  put_i64(s, row->created_ms);
  put_i64(s, row->duration_us);
}

static void put_payload(sink *s, const aio__spool_row *row) {
  if (row->kind == AIO__SPOOL_REFUSED) {
    put_i32(s, row->status);
    put_text(s, row->reason);
    put_text(s, row->record);
    return;
  }
  put_text(s, row->tenant);
  if (row->kind == AIO__SPOOL_SETTLE) {
    put_run(s, row->run);
    put_number(s, row->count < UINT32_MAX ? row->count : UINT32_MAX, 4);
  }
  for (size_t i = 0; i < row->count && s->n <= AIO__SPOOL_PAYLOAD_MAX; i++) put_attempt(s, &row->attempts[i]);
}

static const char *id_of(const aio__spool_row *row) {
  if (row->kind == AIO__SPOOL_SETTLE) return row->run->id;
  return row->kind == AIO__SPOOL_ATTEMPT ? row->attempts->id : "";
}

static uint64_t most(const aio__spool_row *row) {
  return row->kind == AIO__SPOOL_REFUSED ? AIO__SPOOL_PAYLOAD_MAX : AIO__SPOOL_ROW_MAX;
}

size_t aio__spool_record_size(const aio__spool_row *row) {
  sink count = {0};
  put_payload(&count, row);
  return count.n <= most(row) ? AIO__SPOOL_HEAD + (size_t)count.n : 0;
}

aiorch_status aio__spool_record_write(const aio__spool_row *row, aio__spool_put put, void *ctx, aiorch_error *error) {
  uint8_t head[AIO__SPOOL_HEAD] = {0};
  sink count = {0}, bytes = {.put = put, .ctx = ctx};
  put_payload(&count, row);
  if (count.n > most(row))
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "a row of more than %d bytes does not go into the spool",
                          AIO__SPOOL_ROW_MAX);
  memcpy(head, magic, MAGIC_BYTES);
  little(count.n, head + 4, 4);
  little(count.crc, head + 8, 4);
  head[12] = (uint8_t)row->kind;
  head[13] = AIO__SPOOL_RECORD_VERSION;
  memcpy(head + 16, id_of(row), strnlen(id_of(row), AIO__UUID_LEN));
  little(aio__crc32c(0, head, HEAD_SUMMED), head + HEAD_SUMMED, 4);
  put_bytes(&bytes, head, sizeof head);
  put_payload(&bytes, row);
  return bytes.status;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

typedef struct source {
  const char *p;
  size_t left;
  bool bad;
} source;

static const char *take(source *s, size_t n) {
  const char *p = s->p;
  if (s->bad || n > s->left) {
    s->bad = true;
    return NULL;
  }
  s->p += n;
  s->left -= n;
  return p;
}

static uint64_t number_at(const char *p, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)(unsigned char)p[i] << (8 * i);
  return value;
}

static uint64_t take_number(source *s, size_t bytes) {
  const char *p = take(s, bytes);
  return p != NULL ? number_at(p, bytes) : 0;
}

static int32_t take_i32(source *s) { return (int32_t)(uint32_t)take_number(s, 4); }
static int64_t take_i64(source *s) { return (int64_t)take_number(s, 8); }

static bool take_bool(source *s) {
  uint64_t value = take_number(s, 1);
  if (value > 1) s->bad = true;
  return value == 1;
}

static aio__str take_text(source *s) {
  size_t n = (size_t)take_number(s, 4);
  const char *p = take(s, n);
  return p != NULL ? aio__str_n(p, n) : (aio__str){0};
}

static void take_id(source *s, char out[AIO__UUID_LEN + 1]) {
  aio__str text = take_text(s);
  if (s->bad || text.n > AIO__UUID_LEN || (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)) {
    s->bad = true;
    return;
  }
  if (text.n > 0) memcpy(out, text.p, text.n);
  out[text.n] = '\0';
}

static void take_usage(source *s, aio__usage *usage) {
  size_t n = (size_t)take_number(s, 1);
  if (n > AIORCH_USAGE_COUNT) s->bad = true; /* more classes come with another version of the record */
  for (size_t i = 0; i < n && !s->bad; i++) usage->n[i] = take_i64(s);
  usage->estimated = take_bool(s);
}

static void take_attempt(source *s, aio__attempt_row *row) {
  take_id(s, row->id);
  take_id(s, row->run_id);
  uint64_t state = take_number(s, 1);
  if (state > AIO__ATTEMPT_UNKNOWN) s->bad = true;
  row->state = (aio__attempt_state)(s->bad ? 0 : state);
  row->kind = take_i32(s);
  row->status = take_i32(s);
  row->http_status = take_i32(s);
  row->provider = take_text(s);
  row->model = take_text(s);
  row->request_id = take_text(s);
  take_usage(s, &row->usage);
  row->cost_known = take_bool(s);
  row->cost_nano_usd = take_i64(s);
  row->created_ms = take_i64(s);
  row->duration_us = take_i64(s);
  row->lease_until_ms = take_i64(s);
}

static void take_run(source *s, aio__run_row *row) {
  take_id(s, row->id);
  row->user = take_text(s);
  row->provider = take_text(s);
  row->model = take_text(s);
  row->status = take_i32(s);
  row->cache = take_i32(s);
  take_usage(s, &row->usage);
  row->cost_known = take_bool(s);
  row->cost_nano_usd = take_i64(s);
  row->created_ms = take_i64(s);
  row->duration_us = take_i64(s);
}

bool aio__spool_head_read(const char *bytes, aio__spool_head *head) {
  if (memcmp(bytes, magic, MAGIC_BYTES) != 0) return false;
  if (number_at(bytes + HEAD_SUMMED, 4) != aio__crc32c(0, bytes, HEAD_SUMMED)) return false;
  head->length = (uint32_t)number_at(bytes + 4, 4);
  head->crc = (uint32_t)number_at(bytes + 8, 4);
  head->kind = (unsigned char)bytes[12];
  head->version = (unsigned char)bytes[13];
  return head->length <= AIO__SPOOL_PAYLOAD_MAX;
}

bool aio__spool_record_is_whole(aio__str record) {
  aio__spool_head head;
  return record.n >= AIO__SPOOL_HEAD && aio__spool_head_read(record.p, &head) &&
         record.n == AIO__SPOOL_HEAD + head.length &&
         aio__crc32c(0, record.p + AIO__SPOOL_HEAD, head.length) == head.crc;
}

static aiorch_status corrupt(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_STORE_CORRUPT, "a row of the spool is not as libaiorch writes them");
}

static aiorch_status read_rows(source *s, aio__arena *arena, aio__spool_row *row, aiorch_error *error) {
  aio__run_row *run = NULL;
  row->tenant = take_text(s);
  row->count = 1;
  if (row->kind == AIO__SPOOL_SETTLE) {
    run = aio__arena_alloc(arena, sizeof *run);
    if (run == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a row of the spool");
    take_run(s, run);
    row->count = (size_t)take_number(s, 4);
    if (row->count > s->left / ATTEMPT_LEAST) s->bad = true;
  }
  if (s->bad) return corrupt(error);
  aio__attempt_row *attempts = aio__arena_alloc(arena, (row->count + 1) * sizeof *attempts);
  if (attempts == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a row of the spool");
  for (size_t i = 0; i < row->count; i++) take_attempt(s, &attempts[i]);
  row->run = run;
  row->attempts = attempts;
  return s->bad || s->left > 0 ? corrupt(error) : AIORCH_OK;
}

aiorch_status aio__spool_record_read(aio__str record, aio__arena *arena, aio__spool_row *row, aiorch_error *error) {
  aio__spool_head head;
  source s = {record.p + AIO__SPOOL_HEAD, record.n - AIO__SPOOL_HEAD, false};
  if (!aio__spool_head_read(record.p, &head)) return corrupt(error);
  if (head.version > AIO__SPOOL_RECORD_VERSION)
    return aio__error_set(error, AIORCH_E_STORE_NEWER, "a row of the spool was written by a newer libaiorch");
  *row = (aio__spool_row){.kind = (aio__spool_kind)head.kind};
  switch (head.kind) {
    case AIO__SPOOL_ATTEMPT:
    case AIO__SPOOL_SETTLE: return read_rows(&s, arena, row, error);
    case AIO__SPOOL_REFUSED: break;
    default: return corrupt(error);
  }
  row->status = take_i32(&s);
  row->reason = take_text(&s);
  row->record = take_text(&s);
  return s.bad || s.left > 0 || !aio__spool_record_is_whole(row->record) ? corrupt(error) : AIORCH_OK;
}
