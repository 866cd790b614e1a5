/* Documents as they are read. */
#include <string.h>

#include "stores/sqlite_vectors.h"

enum { LIST_MAX = 10000, ANCHOR_HEAD = 12, METADATA_FIRST = 8 };

static aiorch_status read_row(sqlite3_stmt *stmt, aio__arena *arena, aio__store_document *out, aiorch_error *error) {
  memset(out, 0, sizeof *out);
  aio__sq_id(stmt, 1, out->id);
  out->version = sqlite3_column_int64(stmt, 2);
  out->updated_ms = sqlite3_column_int64(stmt, 3);
  out->chunk_count = (uint32_t)sqlite3_column_int64(stmt, 4);
  out->bytes = (uint64_t)sqlite3_column_int64(stmt, 7);
  out->format = sqlite3_column_int(stmt, 10);
  bool copied = aio__sq_copy(stmt, 5, arena, &out->hash) && aio__sq_copy(stmt, 8, arena, &out->title) &&
                aio__sq_copy(stmt, 9, arena, &out->source);
  return copied ? AIORCH_OK : aio__sq_nomem(error);
}

static aiorch_status check(aio__store *base, aio__op *op, aio__str tenant, aio__store_document *document,
                           bool *unchanged) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_query(conn, &op->error, AIO__SQ_DOCUMENT_BY_SOURCE, &stmt, "ss", tenant, document->source);
  if (status == AIORCH_OK) status = aio__sq_step(conn, &op->error, stmt);
  if (status == AIORCH_OK) {
    *unchanged = aio__str_eq(aio__sq_text(stmt, 5), document->hash);
    if (*unchanged) {
      aio__sq_id(stmt, 1, document->id);
      document->version = sqlite3_column_int64(stmt, 2);
      document->updated_ms = sqlite3_column_int64(stmt, 3);
      document->chunk_count = (uint32_t)sqlite3_column_int64(stmt, 4);
      document->bytes = (uint64_t)sqlite3_column_int64(stmt, 7);
    }
    aio__sq_reset(stmt);
  } else if (status == AIORCH_DONE) {
    *unchanged = false;
    status = AIORCH_OK;
  }
  aio__sq_read_end(conn);
  return status;
}

static aiorch_status list(aio__store *base, aio__op *op, aio__str tenant, aio__str after, size_t limit,
                          aio__arena *arena, aio__store_document **documents, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  size_t n = 0;
  if (limit > LIST_MAX) limit = LIST_MAX;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  aio__sq_tenant row;
  aio__store_document *rows = NULL;
  status = aio__sq_tenant_get(conn, &op->error, tenant, &row);
  if (status == AIORCH_OK && (int64_t)limit > row.documents) limit = (size_t)row.documents;
  if (status == AIORCH_OK && (rows = aio__arena_alloc(arena, (limit + 1) * sizeof *rows)) == NULL)
    status = aio__sq_nomem(&op->error);
  if (status == AIORCH_OK)
    status = aio__sq_query(conn, &op->error, AIO__SQ_DOCUMENT_LIST, &stmt, "ssi", tenant, after, (int64_t)limit);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, &op->error, stmt)) == AIORCH_OK) {
    status = read_row(stmt, arena, &rows[n++], &op->error);
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  aio__sq_read_end(conn);
  if (status != AIORCH_DONE) return status;
  *documents = rows;
  *count = n;
  return AIORCH_OK;
}

/* ---- show ------------------------------------------------------------------------------------------------------- */

static aiorch_status read_metadata(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                   aio__arena *arena, aio__store_document *out) {
  sqlite3_stmt *stmt = NULL;
  size_t cap = 0, n = 0;
  aio__pair *pairs = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_METADATA, &stmt, "si", tenant, no);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    pairs = aio__arena_grow(arena, pairs, n, &cap, METADATA_FIRST, sizeof *pairs);
    if (pairs == NULL || !aio__sq_copy(stmt, 0, arena, &pairs[n].name) ||
        !aio__sq_copy(stmt, 1, arena, &pairs[n].value)) {
      aio__sq_reset(stmt);
      return aio__sq_nomem(error);
    }
    n++;
  }
  out->metadata = pairs;
  out->metadata_count = n;
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static uint64_t get_u(const char *p, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | (unsigned char)p[i];
  return value;
}

/* False for bytes that are none of ours. */
static bool next_anchor(aio__str packed, size_t *at, aio__anchor *out) {
  if (packed.n - *at < ANCHOR_HEAD) return false;
  size_t n = (size_t)get_u(packed.p + *at + 8, 4);
  if (packed.n - *at - ANCHOR_HEAD < n) return false;
  out->offset = get_u(packed.p + *at, 8);
  out->name = (aio__str){packed.p + *at + ANCHOR_HEAD, n};
  *at += ANCHOR_HEAD + n;
  return true;
}

static aiorch_status unpack_anchors(aio__str packed, aio__arena *arena, aio__store_document *out, aiorch_error *error) {
  aio__anchor anchor;
  size_t n = 0, at = 0;
  while (at < packed.n && next_anchor(packed, &at, &anchor)) n++;
  aio__anchor *anchors = aio__arena_alloc(arena, (n + 1) * sizeof *anchors);
  if (anchors == NULL) return aio__sq_nomem(error);
  at = 0;
  for (size_t i = 0; i < n && next_anchor(packed, &at, &anchors[i]); i++) {
    anchors[i].name = aio__arena_str(arena, anchors[i].name);
    if (anchors[i].name.p == NULL) return aio__sq_nomem(error);
  }
  out->anchors = anchors;
  out->anchor_count = n;
  return AIORCH_OK;
}

static aiorch_status read_anchors(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                  aio__arena *arena, aio__store_document *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_DOCUMENT_ANCHORS, &stmt, "si", tenant, no);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  status = unpack_anchors(aio__sq_text(stmt, 0), arena, out, error);
  aio__sq_reset(stmt);
  return status;
}

static aiorch_status find(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str source_or_id,
                          aio__arena *arena, aio__store_document *out, int64_t *no) {
  static const int ways[] = {AIO__SQ_DOCUMENT_BY_SOURCE, AIO__SQ_DOCUMENT_BY_ID};
  aiorch_status status = AIORCH_DONE;
  for (size_t i = 0; i < 2 && status == AIORCH_DONE; i++) {
    sqlite3_stmt *stmt = NULL;
    status = aio__sq_query(conn, error, ways[i], &stmt, "ss", tenant, source_or_id);
    if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
    if (status != AIORCH_OK) continue;
    *no = sqlite3_column_int64(stmt, 0);
    status = read_row(stmt, arena, out, error);
    aio__sq_reset(stmt);
    return status;
  }
  if (status != AIORCH_DONE) return status;
  return aio__error_set(error, AIORCH_E_NOT_FOUND, "no document with the source or id \"%.*s\"",
                        (int)(source_or_id.n < 200 ? source_or_id.n : 200), source_or_id.p);
}

static aiorch_status show(aio__store *base, aio__op *op, aio__str tenant, aio__str source_or_id, aio__arena *arena,
                          aio__store_document *document) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__store_document out;
  int64_t no = 0;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = find(conn, &op->error, tenant, source_or_id, arena, &out, &no);
  if (status == AIORCH_OK) status = aio__sq_document_text(conn, &op->error, tenant, no, 0, out.bytes, arena, &out.text);
  if (status == AIORCH_OK) status = read_metadata(conn, &op->error, tenant, no, arena, &out);
  if (status == AIORCH_OK) status = read_anchors(conn, &op->error, tenant, no, arena, &out);
  aio__sq_read_end(conn);
  if (status == AIORCH_OK) *document = out;
  return status;
}

const aio__knowledge_ops aio__sq_knowledge_ops = {
  .add = aio__sq_document_add,
  .check = check,
  .remove = aio__sq_document_remove,
  .list = list,
  .show = show,
  .search = aio__sq_search,
  .fetch = aio__sq_fetch,
  .unembedded = aio__sq_unembedded,
  .mark_embedded = aio__sq_mark_embedded,
  .nearest = aio__sq_nearest,
  .models = aio__sq_models,
  .forget_model = aio__sq_forget_model,
};
