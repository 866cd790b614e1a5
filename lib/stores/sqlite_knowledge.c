/* Documents as they are read, and the marks of chunks that have vectors. */
#include <string.h>

#include "stores/sqlite_private.h"

enum { LIST_MAX = 10000, UNEMBEDDED_MAX = 10000, ANCHOR_HEAD = 12 };

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
    if (n == cap) {
      cap = cap > 0 ? cap * 2 : 8;
      aio__pair *more = aio__arena_alloc(arena, cap * sizeof *more);
      if (more != NULL && n > 0) memcpy(more, pairs, n * sizeof *more);
      pairs = more;
    }
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

/* ---- vectors to be made ----------------------------------------------------------------------------------------- */

/* Title, heading path and text, each on lines of its own; what is empty is left out. */
static aio__str compose(aio__arena *arena, const aio__found_chunk *chunk) {
  const aio__str pieces[] = {chunk->title, chunk->heading, chunk->text};
  char *p = aio__arena_alloc(arena, chunk->title.n + chunk->heading.n + chunk->text.n + 3);
  size_t n = 0;
  for (size_t i = 0; i < 3 && p != NULL; i++) {
    if (pieces[i].n == 0) continue;
    if (n > 0) p[n++] = '\n';
    memcpy(p + n, pieces[i].p, pieces[i].n);
    n += pieces[i].n;
  }
  return (aio__str){p, n};
}

static aiorch_status read_unembedded(aio__sq_conn *conn, aio__op *op, aio__str tenant, aio__str fingerprint,
                                     const aio__sq_tenant *row, size_t limit, aio__arena *arena, aio__unembedded *out,
                                     size_t *count) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, &op->error, AIO__SQ_UNEMBEDDED, &stmt, "siisi", tenant,
                                       aio__sq_first_no(row), aio__sq_last_no(row), fingerprint, (int64_t)limit);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, &op->error, stmt)) == AIORCH_OK) {
    aio__found_chunk chunk;
    status = aio__sq_found_chunk(conn, &op->error, tenant, stmt, arena, &chunk);
    if (status == AIORCH_OK) {
      memcpy(out[*count].chunk_id, chunk.chunk_id, sizeof chunk.chunk_id);
      out[*count].text = compose(arena, &chunk);
      if (out[(*count)++].text.p == NULL) status = aio__sq_nomem(&op->error);
    }
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status count_marks(aio__sq_conn *conn, aio__op *op, aio__str tenant, aio__str fingerprint, int64_t *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, &op->error, AIO__SQ_EMBEDDED_COUNT, &stmt, "ss", tenant, fingerprint);
  if (status == AIORCH_OK) status = aio__sq_step(conn, &op->error, stmt);
  if (status != AIORCH_OK) return status;
  *out = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

static aiorch_status unembedded(aio__store *base, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                aio__arena *arena, aio__unembedded **chunks, size_t *count, uint64_t *left) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__sq_tenant row;
  int64_t marked = 0;
  size_t n = 0;
  if (limit > UNEMBEDDED_MAX) limit = UNEMBEDDED_MAX;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  aio__unembedded *out = aio__arena_alloc(arena, (limit + 1) * sizeof *out);
  if (out == NULL) status = aio__sq_nomem(&op->error);
  if (status == AIORCH_OK) status = aio__sq_tenant_get(conn, &op->error, tenant, &row);
  if (status == AIORCH_OK) status = count_marks(conn, op, tenant, fingerprint, &marked);
  if (status == AIORCH_OK && marked < row.chunks)
    status = read_unembedded(conn, op, tenant, fingerprint, &row, limit, arena, out, &n);
  aio__sq_read_end(conn);
  if (status != AIORCH_OK) return status;
  *chunks = out;
  *count = n;
  *left = (uint64_t)(row.chunks > marked ? row.chunks - marked : 0);
  return AIORCH_OK;
}

static aiorch_status mark_embedded(aio__store *base, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                   const aio__str *chunk_ids, size_t count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++)
    status = aio__sq_run(conn, &op->error, AIO__SQ_EMBEDDED_NEW, "sss", tenant, vectors->fingerprint, chunk_ids[i]);
  return aio__sq_write_end(conn, op, status);
}

const aio__knowledge_ops aio__sq_knowledge_ops = {
  .add = aio__sq_document_add,
  .check = check,
  .remove = aio__sq_document_remove,
  .list = list,
  .show = show,
  .search = aio__sq_search,
  .fetch = aio__sq_fetch,
  .unembedded = unembedded,
  .mark_embedded = mark_embedded,
};
