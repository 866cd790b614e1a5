/* Answers that are kept. Uses are counted in memory and written with the next change, or after a second, so that a hit
 * does not wait for a writer. */
#include <string.h>

#include "stores/sqlite_vectors.h"

enum { LIST_MAX = 10000, ENTRY_OVERHEAD = 256, SOURCE_OVERHEAD = 48, SWEEP_MAX = 16, FLUSH_NS = 5000000 };

/* ---- uses that wait --------------------------------------------------------------------------------------------- */

static void touch_free(aio__sq_store *store, aio__sq_touch *touch) {
  aio__free(store->env.al, (void *)(uintptr_t)touch->tenant.p);
}

void aio__sq_touches_free(aio__sq_store *store) {
  aio__sq_touches *touches = &store->touches;
  if (!touches->synced) return;
  for (size_t i = 0; i < touches->n; i++) touch_free(store, &touches->touch[i]);
  pthread_mutex_destroy(&touches->mutex);
  touches->synced = false;
}

/* The last use is the last of the list. A use that finds no memory or no room is not counted. True when it is time to
 * write. */
static bool touch(aio__sq_store *store, aio__str tenant, const char *id, int64_t now_ms) {
  aio__sq_touches *touches = &store->touches;
  int64_t now = aio__clock_wall_ms(store->env.clock);
  pthread_mutex_lock(&touches->mutex);
  size_t i = 0;
  while (i < touches->n && (strcmp(touches->touch[i].id, id) != 0 || !aio__str_eq(touches->touch[i].tenant, tenant)))
    i++;
  if (i < touches->n) {
    aio__sq_touch one = touches->touch[i];
    memmove(&touches->touch[i], &touches->touch[i + 1], (touches->n - i - 1) * sizeof one);
    one.hits++;
    if (now_ms < one.now_ms) one.now_ms = now_ms;
    touches->touch[touches->n - 1] = one;
  } else if (touches->n < AIO__SQ_TOUCHES_MAX) {
    char *copy = aio__strndup(store->env.al, tenant.p, tenant.n);
    if (touches->n == 0) touches->since_ms = now;
    if (copy != NULL) {
      aio__sq_touch *one = &touches->touch[touches->n++];
      *one = (aio__sq_touch){.tenant = {copy, tenant.n}, .hits = 1, .now_ms = now_ms};
      memcpy(one->id, id, sizeof one->id);
    }
  }
  int64_t age = now - touches->since_ms;
  bool due = touches->n == AIO__SQ_TOUCHES_MAX || age < 0 || age >= AIO__SQ_TOUCH_AFTER_MS;
  pthread_mutex_unlock(&touches->mutex);
  return due;
}

static size_t take_touches(aio__sq_store *store, aio__sq_touch out[AIO__SQ_TOUCHES_MAX]) {
  aio__sq_touches *touches = &store->touches;
  pthread_mutex_lock(&touches->mutex);
  size_t n = touches->n;
  memcpy(out, touches->touch, n * sizeof *out);
  touches->n = 0;
  pthread_mutex_unlock(&touches->mutex);
  return n;
}

static aiorch_status set_counts(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__sq_tenant *row) {
  return aio__sq_run(conn, error, AIO__SQ_TENANT_SET_CACHE, "siii", tenant, row->cache_rows, row->cache_bytes,
                     row->cache_clock);
}

/* Inside a write transaction. What cannot be written is lost: it is a count, not an answer. */
aiorch_status aio__sq_touches_write(aio__sq_conn *conn, aiorch_error *error) {
  aio__sq_store *store = conn->owner->store;
  aio__sq_touch *all = aio__malloc(store->env.al, AIO__SQ_TOUCHES_MAX * sizeof *all);
  if (all == NULL) return aio__sq_nomem(error);
  size_t n = take_touches(store, all);
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < n; i++) {
    aio__sq_tenant row;
    if (status == AIORCH_OK) status = aio__sq_tenant_get(conn, error, all[i].tenant, &row);
    if (status == AIORCH_OK && row.no != 0) {
      row.cache_clock++;
      status =
        aio__sq_run(conn, error, AIO__SQ_CACHE_TOUCH, "sziii", all[i].tenant, all[i].id, all[i].hits, row.cache_clock,
                    all[i].now_ms);
      if (status == AIORCH_OK) status = set_counts(conn, error, all[i].tenant, &row);
    }
    touch_free(store, &all[i]);
  }
  aio__free(store->env.al, all);
  return status;
}

static bool any_touches(aio__sq_store *store) {
  pthread_mutex_lock(&store->touches.mutex);
  bool any = store->touches.n > 0;
  pthread_mutex_unlock(&store->touches.mutex);
  return any;
}

void aio__sq_touches_flush(aio__sq_store *store) {
  aio__sq_conn *conn = NULL;
  aio__op op;
  if (!any_touches(store)) return;
  aio__op_init(&op, aio__clock_now(store->env.clock) + FLUSH_NS, NULL, NULL);
  if (aio__sq_write(&store->knowledge, &op, &conn) != AIORCH_OK) return;
  aio__sq_write_end(conn, &op, aio__sq_touches_write(conn, &op.error));
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* The columns that CACHE_LOOKUP, CACHE_READ and CACHE_LIST share. */
static bool read_entry(sqlite3_stmt *stmt, const aio__sq_tenant *row, int64_t now_ms, aio__arena *arena,
                       aio__cache_entry *out) {
  memset(out, 0, sizeof *out);
  aio__sq_id(stmt, 1, out->id);
  int64_t created = sqlite3_column_int64(stmt, 2);
  out->created_ms = created < now_ms ? created : now_ms;
  out->expires_ms = sqlite3_column_int64(stmt, 3);
  out->hits = sqlite3_column_int64(stmt, 4);
  out->stale = sqlite3_column_int64(stmt, 5) < row->knowledge;
  out->knowledge = row->knowledge + 1;
  out->finish_reason = sqlite3_column_int(stmt, 6);
  out->exact_only = sqlite3_column_int64(stmt, 13) != 0;
  return aio__sq_copy(stmt, 7, arena, &out->provider) && aio__sq_copy(stmt, 8, arena, &out->model) &&
         aio__sq_copy(stmt, 9, arena, &out->query) && aio__sq_copy(stmt, 10, arena, &out->chunks) &&
         aio__sq_copy(stmt, 11, arena, &out->scope) && aio__sq_copy(stmt, 12, arena, &out->key);
}

/* What a lookup asks for: by key, or by id when `key` is NULL. */
typedef struct question {
  aio__str tenant, scope, id;
  const aio__str *key;
  int64_t now_ms;
} question;

static aiorch_status find_row(aio__sq_conn *conn, aiorch_error *error, const question *q, sqlite3_stmt **stmt) {
  aiorch_status status =
    q->key != NULL ? aio__sq_query(conn, error, AIO__SQ_CACHE_LOOKUP, stmt, "sbb", q->tenant, q->scope, *q->key)
                   : aio__sq_query(conn, error, AIO__SQ_CACHE_READ, stmt, "sbs", q->tenant, q->scope, q->id);
  return status == AIORCH_OK ? aio__sq_step(conn, error, *stmt) : status;
}

static aiorch_status read_row(aio__sq_conn *conn, aiorch_error *error, const question *q, aio__arena *arena,
                              aio__cache_entry *out, bool *found) {
  sqlite3_stmt *stmt = NULL;
  aio__sq_tenant row;
  aiorch_status status = aio__sq_tenant_get(conn, error, q->tenant, &row);
  out->knowledge = row.knowledge + 1;
  if (status != AIORCH_OK || row.cache_rows == 0) return status;
  status = find_row(conn, error, q, &stmt);
  if (status == AIORCH_OK && sqlite3_column_int64(stmt, 3) > q->now_ms) {
    bool copied = read_entry(stmt, &row, q->now_ms, arena, out) && aio__sq_copy(stmt, 14, arena, &out->sources) &&
                  aio__sq_copy(stmt, 15, arena, &out->answer);
    status = copied ? aio__sq_rests_on_read(conn, error, aio__sq_text(stmt, 16), arena, out) : aio__sq_nomem(error);
    *found = status == AIORCH_OK;
    aio__sq_reset(stmt);
  } else if (status == AIORCH_OK) {
    aio__sq_reset(stmt);
  } else if (status == AIORCH_DONE) {
    status = AIORCH_OK;
  }
  if (status != AIORCH_OK || q->key == NULL || (*found && !out->stale)) return status;
  return aio__sq_cache_neighbours(conn, error, q->tenant, q->scope, *q->key, q->now_ms, &out->neighbours);
}

static aiorch_status answer(aio__sq_store *store, aio__op *op, const question *q, aio__arena *arena,
                            aio__cache_entry *entry, bool *found) {
  aio__sq_conn *conn = NULL;
  aio__cache_entry out = {0};
  bool hit = false;
  aiorch_status status = aio__sq_read_short(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = read_row(conn, &op->error, q, arena, &out, &hit);
  aio__sq_read_end(conn);
  if (status != AIORCH_OK) return status;
  if (hit) {
    out.hits++;
    if (touch(store, q->tenant, out.id, q->now_ms)) aio__sq_touches_flush(store);
  }
  *entry = out;
  *found = hit;
  return AIORCH_OK;
}

static aiorch_status lookup(aio__store *base, aio__op *op, aio__str tenant, aio__str scope, aio__str key,
                            int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  question q = {.tenant = tenant, .scope = scope, .key = &key, .now_ms = now_ms};
  return answer((aio__sq_store *)base, op, &q, arena, entry, found);
}

static aiorch_status read_by_id(aio__store *base, aio__op *op, aio__str tenant, aio__str scope, aio__str id,
                                int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  question q = {.tenant = tenant, .scope = scope, .id = id, .now_ms = now_ms};
  return answer((aio__sq_store *)base, op, &q, arena, entry, found);
}

/* AIORCH_DONE: it is not there any more. */
static aiorch_status read_text(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__arena *arena, aio__cache_text *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_DOCUMENT_PLACE, &stmt, "sz", tenant, out->document_id);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  int64_t document = sqlite3_column_int64(stmt, 0), version = sqlite3_column_int64(stmt, 1), bytes = sqlite3_column_int64(stmt, 2);
  aio__sq_reset(stmt);
  if (version != out->version || out->end < out->start || bytes < 0 || out->end > (uint64_t)bytes) return AIORCH_DONE;
  return aio__sq_document_text(conn, error, tenant, document, out->start, out->end, arena, &out->text);
}

static aiorch_status texts_of(aio__store *base, aio__op *op, aio__str tenant, aio__cache_text *texts, size_t count, aio__arena *arena,
                              bool *found) {
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__sq_read_short(&((aio__sq_store *)base)->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) status = read_text(conn, &op->error, tenant, arena, &texts[i]);
  aio__sq_read_end(conn);
  *found = status == AIORCH_OK;
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status list_rows(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, size_t limit, int64_t now_ms,
                               aio__arena *arena, aio__cache_entry **out, size_t *count) {
  aio__sq_tenant row;
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK) return status;
  if ((int64_t)limit > row.cache_rows) limit = (size_t)row.cache_rows;
  aio__cache_entry *rows = aio__arena_alloc(arena, (limit + 1) * sizeof *rows);
  if (rows == NULL) return aio__sq_nomem(error);
  status = aio__sq_query(conn, error, AIO__SQ_CACHE_LIST, &stmt, "sii", tenant, now_ms, (int64_t)limit);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    bool copied = read_entry(stmt, &row, now_ms, arena, &rows[*count]);
    rows[*count].bytes = sqlite3_column_int64(stmt, 14);
    status = copied ? aio__sq_rests_on_read(conn, error, aio__sq_text(stmt, 15), arena, &rows[*count])
                    : aio__sq_nomem(error);
    if (status == AIORCH_OK)
      (*count)++;
    else
      aio__sq_reset(stmt);
  }
  *out = rows;
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status list(aio__store *base, aio__op *op, aio__str tenant, size_t limit, int64_t now_ms,
                          aio__arena *arena, aio__cache_entry **entries, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__cache_entry *rows = NULL;
  size_t n = 0;
  aio__sq_touches_flush(store);
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = list_rows(conn, &op->error, tenant, limit < LIST_MAX ? limit : LIST_MAX, now_ms, arena, &rows, &n);
  aio__sq_read_end(conn);
  if (status != AIORCH_OK) return status;
  *entries = rows;
  *count = n;
  return AIORCH_OK;
}

/* ---- removing --------------------------------------------------------------------------------------------------- */

static aiorch_status drop(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no, int64_t bytes,
                          aio__sq_tenant *row) {
  aiorch_status status = aio__sq_rests_on_drop(conn, error, tenant, row, no);
  if (status == AIORCH_OK) status = aio__sq_vectors_drop(conn, error, tenant, AIO__SQ_ENTRIES, no, no);
  if (status == AIORCH_OK) status = aio__sq_run(conn, error, AIO__SQ_CACHE_DROP, "si", tenant, no);
  /* An index that names a row which is not there would be asked for it for ever. */
  if (status == AIORCH_OK && sqlite3_changes(conn->db) != 1)
    return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
  row->cache_rows--;
  row->cache_bytes -= bytes;
  return status;
}

/* Drops the first row that a query gives. AIORCH_DONE: it gives none. */
static aiorch_status drop_first(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, sqlite3_stmt *stmt,
                                aio__sq_tenant *row) {
  aiorch_status status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  int64_t no = sqlite3_column_int64(stmt, 0), bytes = sqlite3_column_int64(stmt, 1);
  aio__sq_reset(stmt);
  return drop(conn, error, tenant, no, bytes, row);
}

static aiorch_status drop_by_id(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str id,
                                aio__sq_tenant *row) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_BY_ID, &stmt, "ss", tenant, id);
  if (status == AIORCH_OK) status = drop_first(conn, error, tenant, stmt, row);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* Drops what rests on a document, part by part. */
static aiorch_status drop_by_document(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t document,
                                      aio__sq_tenant *row) {
  int64_t part = -1;
  aiorch_status status;
  while ((status = aio__sq_rests_on_part(conn, error, row, &part)) == AIORCH_OK) {
    while (status == AIORCH_OK) {
      sqlite3_stmt *stmt = NULL;
      status = aio__sq_query(conn, error, AIO__SQ_CACHE_BY_DOCUMENT, &stmt, "siii", tenant, row->no, part, document);
      if (status == AIORCH_OK) status = drop_first(conn, error, tenant, stmt, row);
    }
    if (status != AIORCH_DONE) break;
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

aiorch_status aio__sq_cache_drop_for_document(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                              int64_t document) {
  aio__sq_tenant row;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK || row.cache_rows == 0) return status;
  status = drop_by_document(conn, error, tenant, document, &row);
  return status == AIORCH_OK ? set_counts(conn, error, tenant, &row) : status;
}

aiorch_status aio__sq_cache_drop_expired(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t now_ms,
                                         size_t most, int64_t end_ns, size_t *dropped) {
  aio__sq_tenant row;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  for (size_t i = 0; i < most && status == AIORCH_OK && aio__clock_now(conn->owner->store->env.clock) < end_ns; i++) {
    sqlite3_stmt *stmt = NULL;
    status = aio__sq_query(conn, error, AIO__SQ_CACHE_OLDEST_EXPIRED, &stmt, "si", tenant, now_ms);
    if (status == AIORCH_OK) status = drop_first(conn, error, tenant, stmt, &row);
    if (status == AIORCH_OK) ++*dropped;
  }
  return status == AIORCH_OK || status == AIORCH_DONE ? set_counts(conn, error, tenant, &row) : status;
}

/* `how` finds the document's number by a tag. */
static aiorch_status drop_by_tag(aio__sq_conn *conn, aiorch_error *error, int how, aio__str tenant, aio__str tag,
                                 aio__sq_tenant *row) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, how, &stmt, "ss", tenant, tag);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  int64_t document = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return drop_by_document(conn, error, tenant, document, row);
}

static aiorch_status invalidate_rows(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str tag,
                                     uint64_t *removed) {
  aio__sq_tenant row;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK || row.cache_rows == 0) return status;
  int64_t before = row.cache_rows;
  if (tag.n == 0) {
    status = aio__sq_run(conn, error, AIO__SQ_CACHE_DOCUMENTS_DROP_ALL, "i", row.no);
    if (status == AIORCH_OK) status = aio__sq_run(conn, error, AIO__SQ_CACHE_DROP_ALL, "s", tenant);
    if (status == AIORCH_OK)
      status = aio__sq_vectors_drop(conn, error, tenant, AIO__SQ_ENTRIES, 0, AIO__SQ_ITEM_MASK);
    row.cache_rows = row.cache_bytes = 0;
  } else {
    status = drop_by_id(conn, error, tenant, tag, &row);
    if (status == AIORCH_OK) status = drop_by_tag(conn, error, AIO__SQ_DOCUMENT_VERSION, tenant, tag, &row);
    if (status == AIORCH_OK) status = drop_by_tag(conn, error, AIO__SQ_DOCUMENT_OF_SOURCE, tenant, tag, &row);
  }
  *removed = (uint64_t)(before - row.cache_rows);
  return status == AIORCH_OK ? set_counts(conn, error, tenant, &row) : status;
}

static aiorch_status invalidate(aio__store *base, aio__op *op, aio__str tenant, aio__str tag, uint64_t *removed) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  uint64_t n = 0;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = invalidate_rows(conn, &op->error, tenant, tag, &n);
  status = aio__sq_write_end(conn, op, status);
  if (status == AIORCH_OK) *removed = n;
  return status;
}

/* ---- storing ---------------------------------------------------------------------------------------------------- */

static int64_t entry_bytes(const aio__cache_entry *e) {
  return (int64_t)(ENTRY_OVERHEAD + e->query.n + e->answer.n + e->sources.n + e->provider.n + e->model.n +
                   e->rests_on_count * SOURCE_OVERHEAD + (e->vector != NULL ? e->vector->dimensions * sizeof(float) : 0));
}

/* May the entry be stored? What stands in its place and has to go is dropped. */
static aiorch_status make_place(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__cache_entry *e,
                                const aio__cache_limits *limits, int64_t now_ms, aio__sq_tenant *row, bool *free) {
  sqlite3_stmt *stmt = NULL;
  *free = true;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_BY_KEY, &stmt, "sbb", tenant, e->scope, e->key);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  int64_t no = sqlite3_column_int64(stmt, 0), bytes = sqlite3_column_int64(stmt, 1);
  bool expired = sqlite3_column_int64(stmt, 2) <= now_ms, stale = sqlite3_column_int64(stmt, 3) < row->knowledge;
  aio__sq_reset(stmt);
  *free = limits->replace || expired || stale;
  return *free ? drop(conn, error, tenant, no, bytes, row) : AIORCH_OK;
}

/* None that has expired is looked for again by those that come with this one, unless there is no room. */
static aiorch_status make_room(aio__sq_keeping *keeping, aiorch_error *error, aio__str tenant, int64_t bytes,
                               const aio__cache_limits *limits, int64_t now_ms) {
  aio__sq_conn *conn = keeping->conn;
  aio__sq_tenant *row = &keeping->row;
  aiorch_status status = AIORCH_OK;
  bool expired = true;
  for (int swept = 0; status == AIORCH_OK; swept++) {
    bool full = row->cache_rows + 1 > limits->max_rows || row->cache_bytes + bytes > limits->max_bytes;
    if (!full && (!expired || keeping->none_expired || swept >= SWEEP_MAX)) break;
    sqlite3_stmt *stmt = NULL;
    if (expired)
      status = aio__sq_query(conn, error, AIO__SQ_CACHE_OLDEST_EXPIRED, &stmt, "si", tenant, now_ms);
    else
      status = aio__sq_query(conn, error, AIO__SQ_CACHE_LEAST_USED, &stmt, "s", tenant);
    if (status == AIORCH_OK) status = drop_first(conn, error, tenant, stmt, row);
    if (status == AIORCH_DONE && expired) {
      keeping->none_expired = true;
      expired = false;
      status = AIORCH_OK;
    }
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status insert(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__cache_entry *e,
                            aio__str rests_on, int64_t bytes, int64_t now_ms, aio__sq_tenant *row) {
  int64_t grown_ms = row->knowledge_ms < now_ms ? row->knowledge_ms : now_ms;
  int64_t stood =
    e->knowledge > 0 ? e->knowledge - 1 : row->knowledge - (row->knowledge > 0 && e->created_ms <= grown_ms);
  if (stood > row->knowledge) stood = row->knowledge;
  row->cache_clock++;
  row->cache_rows++;
  row->cache_bytes += bytes;
  aiorch_status status =
    aio__sq_run(conn, error, AIO__SQ_CACHE_NEW, "szbbiiiiidbsssssds", tenant, e->id, e->scope, e->key, e->created_ms,
                e->expires_ms, row->cache_clock, bytes, stood, (int)e->finish_reason, e->chunks, e->provider, e->model,
                e->query, e->sources, e->answer, (int)e->exact_only, rests_on);
  int64_t no = sqlite3_last_insert_rowid(conn->db);
  if (status == AIORCH_OK) status = aio__sq_rests_on_add(conn, error, row, no, rests_on);
  if (status == AIORCH_OK && e->vector != NULL) status = aio__sq_cache_put_vector(conn, error, tenant, no, e);
  return status;
}

static aiorch_status is_there(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const char *id, bool *there) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_BY_ID, &stmt, "sz", tenant, id);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  *there = status == AIORCH_OK;
  if (status == AIORCH_OK) aio__sq_reset(stmt);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* The tenant's row, as the answers before have left it. */
static aiorch_status turn_to(aio__sq_keeping *keeping, aiorch_error *error, aio__str tenant) {
  if (keeping->row.no != 0 && aio__str_eq(keeping->tenant, tenant)) return AIORCH_OK;
  aiorch_status status = aio__sq_cache_put_end(keeping, error);
  if (status == AIORCH_OK) status = aio__sq_tenant_make(keeping->conn, error, tenant, &keeping->row);
  if (status != AIORCH_OK) keeping->row.no = 0;
  keeping->tenant = tenant;
  keeping->none_expired = false;
  return status;
}

aiorch_status aio__sq_cache_put_end(aio__sq_keeping *keeping, aiorch_error *error) {
  if (!keeping->changed) return AIORCH_OK;
  keeping->changed = false;
  return set_counts(keeping->conn, error, keeping->tenant, &keeping->row);
}

static aiorch_status put_new(aio__sq_keeping *keeping, aiorch_error *error, aio__str tenant, const aio__cache_entry *e,
                             const aio__cache_limits *limits, int64_t now_ms, aio__buf *rests_on, bool *stored) {
  aio__sq_conn *conn = keeping->conn;
  aio__sq_tenant *row = &keeping->row;
  bool ok = false;
  aiorch_status status = turn_to(keeping, error, tenant);
  if (status == AIORCH_OK) status = aio__sq_rests_on_write(conn, error, tenant, row, e, rests_on, &ok);
  if (status == AIORCH_OK && ok) status = make_place(conn, error, tenant, e, limits, now_ms, row, &ok);
  if (status != AIORCH_OK || !ok) return status;
  int64_t bytes = entry_bytes(e);
  keeping->changed = true;
  status = make_room(keeping, error, tenant, bytes, limits, now_ms);
  if (status == AIORCH_OK) status = insert(conn, error, tenant, e, aio__buf_view(rests_on), bytes, now_ms, row);
  *stored = status == AIORCH_OK;
  return status;
}

aiorch_status aio__sq_cache_put_row(aio__sq_keeping *keeping, aiorch_error *error, aio__str tenant,
                                    const aio__cache_entry *e, const aio__cache_limits *limits, int64_t now_ms,
                                    bool *stored) {
  aio__buf rests_on;
  aiorch_status status = is_there(keeping->conn, error, tenant, e->id, stored);
  if (status != AIORCH_OK || *stored) return status;
  aio__sq_rests_on_init(keeping->conn, &rests_on);
  status = put_new(keeping, error, tenant, e, limits, now_ms, &rests_on, stored);
  aio__buf_free(&rests_on);
  return status;
}

static aiorch_status put(aio__store *base, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                         const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  aiorch_status status = entry->vector != NULL ? aio__vectors_check(entry->vector, 1, &op->error) : AIORCH_OK;
  if (status != AIORCH_OK) return status;
  if (entry_bytes(entry) > limits->max_bytes || limits->max_rows < 1) {
    *stored = false;
    return AIORCH_OK;
  }
  return aio__sq_put_entry((aio__sq_store *)base, op, tenant, entry, limits, now_ms, stored);
}

static aiorch_status revalidated(aio__store *base, aio__op *op, aio__str tenant, aio__str id, int64_t knowledge) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__sq_tenant row;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_tenant_get(conn, &op->error, tenant, &row);
  if (status == AIORCH_OK && row.no != 0) {
    int64_t stood = knowledge - 1 < row.knowledge ? knowledge - 1 : row.knowledge;
    status = aio__sq_run(conn, &op->error, AIO__SQ_CACHE_REVALIDATED, "ssi", tenant, id, stood);
  }
  return aio__sq_write_end(conn, op, status);
}

const aio__cache_ops aio__sq_cache_ops = {
  .lookup = lookup,
  .put = put,
  .near = aio__sq_cache_near,
  .read = read_by_id,
  .unembedded = aio__sq_cache_unembedded,
  .mark_embedded = aio__sq_cache_mark_embedded,
  .exact_only = aio__sq_cache_exact_only,
  .revalidated = revalidated,
  .list = list,
  .invalidate = invalidate,
  .texts = texts_of,
};
