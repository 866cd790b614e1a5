/* Puts steps together: statements, and their parameters in PostgreSQL's binary form. See postgres_private.h. */
#include <string.h>

#include "stores/postgres_engine.h"

enum {
  ARENA_BLOCK = 2048,
  FIRST_PARAMS = 8,
  UUID_BYTES = 16,
  ARRAY_HEAD = 20, /* dimensions, has NULLs, type; of the one dimension count and first index */
  LENGTH = 4       /* before each item */
};

/* ---- numbers, most significant byte first ------------------------------------------------------------------------------------- */

static void put32(char *out, uint32_t value) {
  for (int i = 0; i < 4; i++) out[i] = (char)(value >> (24 - 8 * i));
}

static void put64(char *out, uint64_t value) {
  put32(out, (uint32_t)(value >> 32));
  put32(out + 4, (uint32_t)value);
}

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* ---- a step ------------------------------------------------------------------------------------------------------------------- */

aio__pg_step *aio__pg_step_new(aio__store *base, aio__op *op, aio__str tenant, int flags, const void *ctx, size_t ctx_size,
                               aio__pg_finish finish) {
  aio__pg_store *store = (aio__pg_store *)base;
  aio__pg_step *step = aio__calloc(store->env.al, 1, sizeof *step);
  if (step == NULL) {
    (void)aio__pg_nomem(&op->error);
    return NULL;
  }
  step->store = store;
  step->op = op;
  step->tenant = tenant;
  step->flags = flags;
  step->finish = finish;
  aio__arena_init(&step->arena, store->env.al, ARENA_BLOCK);
  aio__buf_init(&step->array, store->env.al, AIO__PG_ARRAY_BYTES_MAX);
  if (ctx_size == 0) return step;
  void *given = aio__pg_step_alloc(step, ctx_size);
  step->ctx = aio__pg_step_alloc(step, ctx_size);
  if (given != NULL) memcpy(given, ctx, ctx_size);
  step->ctx_given = given;
  step->ctx_size = ctx_size;
  return step;
}

void aio__pg_step_free(aio__pg_step *step) {
  if (step == NULL) return;
  const aio__alloc *al = step->store->env.al;
  aio__buf_free(&step->array);
  aio__arena_free(&step->arena);
  aio__free(al, step);
}

void aio__pg_step_refuse(aio__pg_step *step, aiorch_status status) {
  if (step != NULL && step->refused == AIORCH_OK) step->refused = status;
}

void aio__pg_step_part(aio__pg_step *whole, size_t part) {
  whole->part = part + 1;
}

void aio__pg_step_gathers(aio__pg_step *step, aio__pg_gather gather) {
  if (step != NULL) step->gather = gather;
}

static void no_memory(aio__pg_step *step) {
  if (step->refused == AIORCH_OK) (void)aio__pg_nomem(&step->op->error);
  aio__pg_step_refuse(step, AIORCH_E_NOMEM);
}

static void too_large(aio__pg_step *step, const char *what, size_t most) {
  if (step->refused != AIORCH_OK) return;
  aio__pg_step_refuse(step, aio__error_set(&step->op->error, AIORCH_E_TOO_LARGE, "%s: at most %zu in one call", what, most));
}

/* A fault of ours: an op that does not keep to the header. */
static void wrong(aio__pg_step *step, const char *what) {
  if (step->refused != AIORCH_OK) return;
  aio__pg_step_refuse(step, aio__error_set(&step->op->error, AIORCH_E_INTERNAL, "a statement was put together wrongly: %s", what));
}

void *aio__pg_step_alloc(aio__pg_step *step, size_t size) {
  if (step == NULL) return NULL;
  void *memory = aio__arena_alloc(&step->arena, size);
  if (memory == NULL) no_memory(step);
  return memory;
}

aiorch_status aio__pg_step_start(aio__pg_step *step) {
  if (step == NULL) return AIORCH_E_NOMEM;
  aiorch_status status = step->refused;
  if (status == AIORCH_OK && step->array_left > 0) {
    wrong(step, "an array lacks items");
    status = step->refused;
  }
  if (status == AIORCH_OK) status = aio__pg_pool_put(&step->store->pool, step);
  if (status == AIORCH_OK) return AIORCH_PENDING;
  aio__pg_step_free(step);
  return status;
}

/* ---- statements --------------------------------------------------------------------------------------------------------------- */

void aio__pg_sql(aio__pg_step *step, const char *sql, aio__pg_decode decode) {
  if (step == NULL) return;
  if (step->array_left > 0) wrong(step, "an array lacks items");
  if (step->count == AIO__PG_STATEMENTS_MAX) {
    too_large(step, "statements", AIO__PG_STATEMENTS_MAX);
    return;
  }
  aio__pg_statement *statement = aio__pg_step_alloc(step, sizeof *statement);
  if (statement == NULL) return;
  statement->sql = sql;
  statement->decode = decode;
  statement->part = step->part;
  if (step->last != NULL)
    step->last->next = statement;
  else
    step->first = statement;
  step->last = statement;
  step->count++;
}

/* ---- parameters --------------------------------------------------------------------------------------------------------------- */

/* Room for one more parameter of the last statement. NULL: something was wrong, and is noted. */
static aio__pg_param *next_param(aio__pg_step *step) {
  aio__pg_statement *statement = step->last;
  if (statement == NULL || step->refused != AIORCH_OK) {
    wrong(step, "a parameter before any statement");
    return NULL;
  }
  if (statement->count == AIO__PG_PARAMETERS_MAX) {
    wrong(step, "too many parameters");
    return NULL;
  }
  if (statement->count == statement->cap) {
    size_t cap = statement->cap > 0 ? statement->cap * 2 : FIRST_PARAMS;
    aio__pg_param *more = aio__pg_step_alloc(step, cap * sizeof *more);
    if (more == NULL) return NULL;
    if (statement->count > 0) memcpy(more, statement->params, statement->count * sizeof *more);
    statement->params = more;
    statement->cap = cap;
  }
  return &statement->params[statement->count++];
}

/* The array is complete: it becomes the parameter that it was begun as. */
static void end_array(aio__pg_step *step) {
  aio__pg_statement *statement = step->last;
  if (step->array.failed == AIORCH_E_NOMEM) {
    no_memory(step);
  } else if (step->array.failed != AIORCH_OK) {
    too_large(step, "bytes of an array", AIO__PG_ARRAY_BYTES_MAX);
  } else {
    char *copy = aio__pg_step_alloc(step, step->array.n);
    if (copy == NULL) return;
    memcpy(copy, step->array.p, step->array.n);
    statement->params[statement->count - 1].value = copy;
    statement->params[statement->count - 1].length = (int)step->array.n;
  }
  aio__buf_reset(&step->array);
}

static void put_item(aio__pg_step *step, aio__pg_type type, const char *bytes, size_t n) {
  char length[LENGTH];
  if (bytes != NULL && type != step->array_type) {
    wrong(step, "an item of another type than its array");
    return;
  }
  put32(length, bytes != NULL ? (uint32_t)n : UINT32_MAX);
  aio__buf_add(&step->array, length, sizeof length);
  if (bytes != NULL) aio__buf_add(&step->array, bytes, n);
  if (bytes == NULL && step->array.failed == AIORCH_OK) step->array.p[7] = 1;
  if (--step->array_left == 0) end_array(step);
}

/* `bytes` NULL is NULL. `keep`: they are not the caller's. */
static void put_value(aio__pg_step *step, aio__pg_type type, const char *bytes, size_t n, bool keep) {
  if (step == NULL || step->refused != AIORCH_OK) return;
  if (n > AIO__PG_ARRAY_BYTES_MAX) {
    too_large(step, "bytes of a value", AIO__PG_ARRAY_BYTES_MAX);
    return;
  }
  if (step->array_left > 0) {
    put_item(step, type, bytes, n);
    return;
  }
  aio__pg_param *param = next_param(step);
  if (param == NULL) return;
  param->type = (uint32_t)type;
  if (bytes == NULL) return;
  param->length = (int)n;
  param->value = bytes;
  if (!keep && !step->copies) return;
  char *copy = aio__pg_step_alloc(step, n);
  if (copy != NULL) memcpy(copy, bytes, n);
  param->value = copy;
}

void aio__pg_text(aio__pg_step *step, aio__str text) {
  put_value(step, AIO__PG_TEXT, text.n > 0 ? text.p : "", text.n, false);
}

void aio__pg_bytea(aio__pg_step *step, aio__str bytes) {
  put_value(step, AIO__PG_BYTEA, bytes.n > 0 ? bytes.p : "", bytes.n, false);
}

void aio__pg_i64(aio__pg_step *step, int64_t value) {
  char bytes[8];
  put64(bytes, (uint64_t)value);
  put_value(step, AIO__PG_INT8, bytes, sizeof bytes, true);
}

void aio__pg_i32(aio__pg_step *step, int32_t value) {
  char bytes[4];
  put32(bytes, (uint32_t)value);
  put_value(step, AIO__PG_INT4, bytes, sizeof bytes, true);
}

void aio__pg_f64(aio__pg_step *step, double value) {
  uint64_t bits;
  char bytes[8];
  memcpy(&bits, &value, sizeof bits);
  put64(bytes, bits);
  put_value(step, AIO__PG_FLOAT8, bytes, sizeof bytes, true);
}

void aio__pg_bool(aio__pg_step *step, bool value) {
  char byte = value ? 1 : 0;
  put_value(step, AIO__PG_BOOL, &byte, 1, true);
}

void aio__pg_null(aio__pg_step *step) {
  put_value(step, (aio__pg_type)0, NULL, 0, false);
}

static bool read_uuid(aio__str id, char out[UUID_BYTES]) {
  if (id.n != AIO__UUID_LEN) return false;
  size_t at = 0;
  for (size_t i = 0; i < id.n; i++) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (id.p[i] != '-') return false;
      continue;
    }
    int high = aio__hex_value(id.p[i]), low = aio__hex_value(id.p[i + 1]);
    if (high < 0 || low < 0) return false;
    out[at++] = (char)(high << 4 | low);
    i++;
  }
  return true;
}

void aio__pg_uuid(aio__pg_step *step, aio__str id) {
  char bytes[UUID_BYTES];
  bool good = read_uuid(id, bytes);
  put_value(step, AIO__PG_UUID, good ? bytes : NULL, good ? sizeof bytes : 0, true);
}

/* ---- arrays ------------------------------------------------------------------------------------------------------------------- */

static uint32_t array_of(aio__pg_type type) {
  switch (type) {
  case AIO__PG_BOOL:
    return 1000;
  case AIO__PG_BYTEA:
    return 1001;
  case AIO__PG_INT8:
    return 1016;
  case AIO__PG_INT4:
    return 1007;
  case AIO__PG_TEXT:
    return 1009;
  case AIO__PG_FLOAT4:
    return 1021;
  case AIO__PG_FLOAT8:
    return 1022;
  default:
    return 2951;
  }
}

static void put_head(char head[ARRAY_HEAD], aio__pg_type type, size_t count) {
  put32(head, count > 0 ? 1 : 0);
  put32(head + 4, 0);
  put32(head + 8, (uint32_t)type);
  put32(head + 12, (uint32_t)count);
  put32(head + 16, 1);
}

void aio__pg_array(aio__pg_step *step, aio__pg_type type, size_t count) {
  char head[ARRAY_HEAD];
  if (step == NULL) return;
  if (step->array_left > 0) wrong(step, "an array within an array");
  if (count > AIO__PG_ARRAY_BYTES_MAX / LENGTH) too_large(step, "items of an array", AIO__PG_ARRAY_BYTES_MAX / LENGTH);
  aio__pg_param *param = step->refused == AIORCH_OK ? next_param(step) : NULL;
  if (param == NULL) return;
  param->type = array_of(type);
  put_head(head, type, count);
  aio__buf_reset(&step->array);
  aio__buf_add(&step->array, head, count > 0 ? sizeof head : 12); /* one without items has no dimension */
  step->array_type = type;
  step->array_left = count;
  if (count == 0) end_array(step);
}

void aio__pg_texts(aio__pg_step *step, const aio__str *texts, size_t count) {
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) aio__pg_text(step, texts[i]);
}

void aio__pg_uuids(aio__pg_step *step, const aio__str *ids, size_t count) {
  aio__pg_array(step, AIO__PG_UUID, count);
  for (size_t i = 0; i < count; i++) aio__pg_uuid(step, ids[i]);
}

void aio__pg_floats(aio__pg_step *step, const float *values, size_t count) {
  if (step == NULL || step->refused != AIORCH_OK) return;
  if (step->array_left > 0) wrong(step, "an array within an array");
  if (count > AIO__PG_ARRAY_BYTES_MAX / (2 * LENGTH)) too_large(step, "numbers of an array", AIO__PG_ARRAY_BYTES_MAX / (2 * LENGTH));
  aio__pg_param *param = step->refused == AIORCH_OK ? next_param(step) : NULL;
  if (param == NULL) return;
  size_t n = count > 0 ? ARRAY_HEAD + count * 2 * LENGTH : 12;
  char *bytes = aio__pg_step_alloc(step, n > ARRAY_HEAD ? n : ARRAY_HEAD);
  if (bytes == NULL) return;
  put_head(bytes, AIO__PG_FLOAT4, count);
  for (size_t i = 0; i < count; i++) {
    put32(bytes + ARRAY_HEAD + i * 2 * LENGTH, LENGTH);
    put32(bytes + ARRAY_HEAD + i * 2 * LENGTH + LENGTH, bits_of(values[i]));
  }
  param->type = array_of(AIO__PG_FLOAT4);
  param->value = bytes;
  param->length = (int)n;
}
