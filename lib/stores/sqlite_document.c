/* Adding, replacing and removing a document: its text, chunks, full text and the answers that rested on it, all in one
 * transaction. */
#include <string.h>

#include "core/map.h"
#include "stores/fts_query.h"
#include "stores/sqlite_vectors.h"

enum { SCRATCH_BLOCK = 65536, ANCHOR_HEAD = 12 };

/* A chunk of the version that goes. */
typedef struct old_chunk {
  char id[AIO__UUID_LEN + 1];
  char hash[32];
  int64_t no, start, stop, words;
  aio__str heading;
  bool kept;
  struct old_chunk *same; /* another with this hash */
} old_chunk;

typedef struct change {
  aio__sq_conn *conn;
  aiorch_error *error;
  aio__str tenant;
  int64_t now_ms;
  aio__arena scratch, *results;
  aio__sq_words given; /* to FTS5 */
  aio__sq_tenant row;
  /* what was there; no is 0 when nothing was */
  int64_t no, version, updated_ms, first_chunk, chunk_count, bytes;
  char id[AIO__UUID_LEN + 1];
  aio__str title, hash;
  old_chunk *old;
  size_t old_count;
  int64_t old_words;
  aio__sq_moves moves;
  aio__map by_hash;
  /* what comes */
  const aio__store_document *document;
  const aio__store_chunk *chunks;
  size_t count;
  int64_t *words;
  aio__str *anchor_of;
  aio__str anchors;
  int64_t first_new, new_words;
  aio__str *removed;
  size_t removed_count;
  bool again; /* it failed in a way that a second attempt may not */
} change;

static void change_init(change *c, aio__sq_store *store, aio__op *op, aio__str tenant, int64_t now_ms,
                        aio__arena *results) {
  memset(c, 0, sizeof *c);
  c->error = &op->error;
  c->tenant = tenant;
  c->now_ms = now_ms;
  c->results = results;
  aio__arena_init(&c->scratch, store->env.al, SCRATCH_BLOCK);
  aio__map_init(&c->by_hash, store->env.al);
  aio__sq_words_init(&c->given, store->env.al);
}

static void change_free(change *c) {
  aio__map_free(&c->by_hash);
  aio__sq_words_free(&c->given);
  aio__arena_free(&c->scratch);
}

/* ---- what comes, made ready before the transaction -------------------------------------------------------------- */

static void put_u(char *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = (char)(unsigned char)(value >> (8 * i));
}

static bool pack_anchors(change *c) {
  const aio__store_document *d = c->document;
  size_t size = 0;
  for (size_t i = 0; i < d->anchor_count; i++) size += ANCHOR_HEAD + d->anchors[i].name.n;
  char *p = aio__arena_alloc(&c->scratch, size + 1);
  if (p == NULL) return false;
  c->anchors = (aio__str){p, size};
  for (size_t i = 0; i < d->anchor_count; i++) {
    aio__str name = d->anchors[i].name;
    put_u(p, d->anchors[i].offset, 8);
    put_u(p + 8, name.n, 4);
    if (name.n > 0) memcpy(p + ANCHOR_HEAD, name.p, name.n);
    p += ANCHOR_HEAD + name.n;
  }
  return true;
}

static aiorch_status prepare_new(change *c) {
  const aio__store_document *d = c->document;
  c->words = aio__arena_alloc(&c->scratch, (c->count + 1) * sizeof *c->words);
  c->anchor_of = aio__arena_alloc(&c->scratch, (c->count + 1) * sizeof *c->anchor_of);
  if (c->words == NULL || c->anchor_of == NULL || !pack_anchors(c)) return aio__sq_nomem(c->error);
  int64_t title_words = (int64_t)aio__fts_count_words(d->title);
  size_t anchor = 0;
  for (size_t i = 0; i < c->count; i++) {
    const aio__store_chunk *chunk = &c->chunks[i];
    if (chunk->start > chunk->end || chunk->end > d->text.n)
      return aio__error_set(c->error, AIORCH_E_INVALID, "chunk %zu reaches beyond the text of its document", i);
    aio__str body = {d->text.p + chunk->start, chunk->end - chunk->start};
    c->words[i] = title_words + (int64_t)(aio__fts_count_words(chunk->heading) + aio__fts_count_words(body));
    c->new_words += c->words[i];
    while (anchor < d->anchor_count && d->anchors[anchor].offset <= chunk->start) anchor++;
    if (anchor > 0) c->anchor_of[i] = d->anchors[anchor - 1].name;
  }
  return AIORCH_OK;
}

/* ---- what was there --------------------------------------------------------------------------------------------- */

static aiorch_status load_document(change *c, aio__str source) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(c->conn, c->error, AIO__SQ_DOCUMENT_BY_SOURCE, &stmt, "ss", c->tenant, source);
  if (status == AIORCH_OK) status = aio__sq_step(c->conn, c->error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  c->no = sqlite3_column_int64(stmt, 0);
  aio__sq_id(stmt, 1, c->id);
  c->version = sqlite3_column_int64(stmt, 2);
  c->updated_ms = sqlite3_column_int64(stmt, 3);
  c->chunk_count = sqlite3_column_int64(stmt, 4);
  c->first_chunk = sqlite3_column_int64(stmt, 6);
  c->bytes = sqlite3_column_int64(stmt, 7);
  bool copied = aio__sq_copy(stmt, 5, &c->scratch, &c->hash) && aio__sq_copy(stmt, 8, &c->scratch, &c->title);
  aio__sq_reset(stmt);
  return copied ? AIORCH_OK : aio__sq_nomem(c->error);
}

static bool read_old_chunk(change *c, sqlite3_stmt *stmt, old_chunk *old) {
  aio__sq_id(stmt, 1, old->id);
  old->no = sqlite3_column_int64(stmt, 0);
  old->start = sqlite3_column_int64(stmt, 2);
  old->stop = sqlite3_column_int64(stmt, 3);
  old->words = sqlite3_column_int64(stmt, 5);
  aio__str hash = aio__sq_text(stmt, 6);
  if (hash.n > 0) memcpy(old->hash, hash.p, hash.n < sizeof old->hash ? hash.n : sizeof old->hash);
  return aio__sq_copy(stmt, 4, &c->scratch, &old->heading);
}

/* What a damaged file may say is checked before it is used as a size or a place. */
static aiorch_status damaged(change *c) {
  return aio__sq_fail_code(c->conn->owner->path, NULL, SQLITE_CORRUPT, c->error);
}

static bool is_size(int64_t n) {
  return n >= 0 && n <= AIO__SQ_DOCUMENT_BYTES_MAX;
}

/* By what is there, not by what the document says: a damaged number would ask for all the memory there is. */
static bool grow_old(change *c, size_t *cap) {
  if (c->old_count < *cap) return true;
  size_t more = *cap > 0 ? *cap * 2 : 16;
  old_chunk *old = aio__arena_alloc(&c->scratch, more * sizeof *old);
  if (old == NULL) return false;
  if (c->old_count > 0) memcpy(old, c->old, c->old_count * sizeof *old);
  c->old = old;
  *cap = more;
  return true;
}

static aiorch_status load_old_chunks(change *c) {
  sqlite3_stmt *stmt = NULL;
  if (!is_size(c->chunk_count) || !is_size(c->bytes) || c->first_chunk < 0 || c->first_chunk > INT64_MAX / 2)
    return damaged(c);
  size_t cap = 0;
  aiorch_status status = aio__sq_query(c->conn, c->error, AIO__SQ_CHUNKS_OF, &stmt, "sii", c->tenant, c->first_chunk,
                                       c->first_chunk + c->chunk_count - 1);
  while (status == AIORCH_OK && (status = aio__sq_step(c->conn, c->error, stmt)) == AIORCH_OK) {
    if (!grow_old(c, &cap) || !read_old_chunk(c, stmt, &c->old[c->old_count])) {
      aio__sq_reset(stmt);
      return aio__sq_nomem(c->error);
    }
    if (!is_size(c->old[c->old_count].words)) {
      aio__sq_reset(stmt);
      return damaged(c);
    }
    c->old_words += c->old[c->old_count++].words;
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* ---- taking out ------------------------------------------------------------------------------------------------- */

static aiorch_status drop_words(change *c) {
  aio__str text = {"", 0};
  aiorch_status status = AIORCH_OK;
  if (c->bytes > 0)
    status = aio__sq_document_text(c->conn, c->error, c->tenant, c->no, 0, (uint64_t)c->bytes, &c->scratch, &text);
  for (size_t i = 0; i < c->old_count && status == AIORCH_OK; i++) {
    const old_chunk *old = &c->old[i];
    if (old->start < 0 || old->stop < old->start || (uint64_t)old->stop > text.n) return damaged(c);
    aio__str body = {text.p + old->start, (size_t)(old->stop - old->start)};
    status = aio__sq_words_run(c->conn, c->error, &c->given, AIO__SQ_WORDS_DROP, old->no, c->title, old->heading, body);
  }
  return status;
}

static aiorch_status drop_rows(change *c) {
  int64_t last = c->first_chunk + c->chunk_count - 1;
  aiorch_status status = aio__sq_run(c->conn, c->error, AIO__SQ_CHUNKS_DROP, "sii", c->tenant, c->first_chunk, last);
  if (status == AIORCH_OK) status = aio__sq_run(c->conn, c->error, AIO__SQ_PARTS_DROP, "si", c->tenant, c->no);
  if (status == AIORCH_OK) status = aio__sq_run(c->conn, c->error, AIO__SQ_METADATA_DROP, "si", c->tenant, c->no);
  if (status == AIORCH_OK) status = aio__sq_cache_drop_for_document(c->conn, c->error, c->tenant, c->no);
  return status;
}

static aiorch_status list_removed(change *c) {
  c->removed = aio__arena_alloc(c->results, (c->old_count + 1) * sizeof *c->removed);
  if (c->removed == NULL) return aio__sq_nomem(c->error);
  for (size_t i = 0; i < c->old_count; i++) {
    if (c->old[i].kept) continue;
    aio__str id = aio__arena_str(c->results, aio__str_z(c->old[i].id));
    if (id.p == NULL) return aio__sq_nomem(c->error);
    c->removed[c->removed_count++] = id;
  }
  return AIORCH_OK;
}

/* ---- putting in ------------------------------------------------------------------------------------------------- */

static aiorch_status put_document(change *c) {
  const aio__store_document *d = c->document;
  bool is_new = c->no == 0;
  aiorch_status status =
    aio__sq_run(c->conn, c->error, is_new ? AIO__SQ_DOCUMENT_NEW : AIO__SQ_DOCUMENT_SET, "ssssibiiiiib", c->tenant,
                is_new ? aio__str_z(d->id) : aio__str_z(c->id), d->source, d->title, (int64_t)d->format, d->hash,
                c->version + 1, c->now_ms, (int64_t)d->text.n, c->first_new, (int64_t)c->count, c->anchors);
  if (status == AIORCH_OK && is_new) c->no = sqlite3_last_insert_rowid(c->conn->db);
  return status;
}

static aiorch_status put_text(change *c) {
  aio__str text = c->document->text;
  aiorch_status status = AIORCH_OK;
  for (size_t at = 0, part = 0; at < text.n && status == AIORCH_OK; part++) {
    size_t n = text.n - at < AIO__SQ_PART_BYTES ? text.n - at : AIO__SQ_PART_BYTES;
    aio__str piece = {text.p + at, n};
    status = aio__sq_run(c->conn, c->error, AIO__SQ_PART_NEW, "siib", c->tenant, c->no, (int64_t)part, piece);
    at += n;
  }
  return status;
}

static aiorch_status put_metadata(change *c) {
  const aio__store_document *d = c->document;
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < d->metadata_count && status == AIORCH_OK; i++)
    status = aio__sq_run(c->conn, c->error, AIO__SQ_METADATA_NEW, "siiss", c->tenant, c->no, (int64_t)i,
                         d->metadata[i].name, d->metadata[i].value);
  return status;
}

/* Chunks that are the same as before, under the same title, keep their id and their vectors. */
static aiorch_status index_old(change *c) {
  if (!aio__str_eq(c->title, c->document->title)) return AIORCH_OK;
  for (size_t i = c->old_count; i-- > 0;) {
    aio__str key = {c->old[i].hash, sizeof c->old[i].hash};
    c->old[i].same = aio__map_remove(&c->by_hash, key);
    if (aio__map_put(&c->by_hash, key, &c->old[i]) != AIORCH_OK) return aio__sq_nomem(c->error);
  }
  return AIORCH_OK;
}

static aiorch_status put_chunk(change *c, size_t i) {
  const aio__store_chunk *chunk = &c->chunks[i];
  int64_t no = c->first_new + (int64_t)i;
  old_chunk *old = chunk->hash.n == 32 ? aio__map_get(&c->by_hash, chunk->hash) : NULL;
  while (old != NULL && old->kept) old = old->same;
  const char *id = old != NULL ? old->id : chunk->id;
  aio__str body = {c->document->text.p + chunk->start, chunk->end - chunk->start};
  aiorch_status status = aio__sq_run(c->conn, c->error, AIO__SQ_CHUNK_NEW, "iszidiiiissb", no, c->tenant, id, c->no,
                                     (int)i, (int64_t)chunk->tokens, c->words[i], (int64_t)chunk->start,
                                     (int64_t)chunk->end, chunk->heading, c->anchor_of[i], chunk->hash);
  if (status == AIORCH_OK)
    status = aio__sq_words_run(c->conn, c->error, &c->given, AIO__SQ_WORDS_NEW, no, c->document->title, chunk->heading,
                               body);
  if (status == AIORCH_OK && old != NULL) {
    old->kept = true;
    status = aio__sq_moves_one(&c->moves, c->conn, c->error, old->no, no);
  }
  return status;
}

static aiorch_status set_totals(change *c, int64_t documents, int64_t chunks, int64_t bytes, bool grown) {
  return aio__sq_run(c->conn, c->error, AIO__SQ_TENANT_SET_KNOWLEDGE, "siiiiiii", c->tenant,
                     c->row.next_chunk + (int64_t)c->count, documents, chunks, c->new_words - c->old_words, bytes,
                     (int64_t)grown, c->now_ms);
}

static aiorch_status replace_all(change *c) {
  bool is_new = c->no == 0;
  int64_t old_bytes = c->bytes;
  aiorch_status status = AIORCH_OK;
  if (c->row.next_chunk + (int64_t)c->count >= (int64_t)1 << AIO__SQ_TENANT_SHIFT)
    return aio__error_set(c->error, AIORCH_E_TOO_LARGE, "%s has numbered all chunks that a tenant can have",
                          c->conn->owner->path);
  c->first_new = aio__sq_first_no(&c->row) + c->row.next_chunk;
  if (!is_new) {
    status = load_old_chunks(c);
    if (status == AIORCH_OK) status = index_old(c);
    if (status == AIORCH_OK) status = drop_words(c);
    if (status == AIORCH_OK) status = drop_rows(c);
    if (status == AIORCH_OK) status = aio__sq_moves_begin(&c->moves, c->conn, c->error, c->tenant);
  }
  if (status == AIORCH_OK) status = put_document(c);
  if (status == AIORCH_OK) status = put_text(c);
  if (status == AIORCH_OK) status = put_metadata(c);
  for (size_t i = 0; i < c->count && status == AIORCH_OK; i++) status = put_chunk(c, i);
  if (status == AIORCH_OK && !is_new)
    status = aio__sq_moves_end(&c->moves, c->conn, c->error, c->tenant, c->first_chunk, c->chunk_count, c->first_new,
                               (int64_t)c->count);
  if (status == AIORCH_OK) status = list_removed(c);
  if (status != AIORCH_OK) return status;
  return set_totals(c, is_new ? 1 : 0, (int64_t)c->count - (int64_t)c->old_count,
                    (int64_t)c->document->text.n - old_bytes, true);
}

/* When SQLite had no memory in the midst of a change, FTS5 may take its own half-done work for damage at the next one.
 * With the rollback it forgets that: the second attempt tells. */
static aiorch_status end_change(change *c, aio__op *op, aiorch_status status) {
  c->again = status == AIORCH_E_STORE_CORRUPT && sqlite3_extended_errcode(c->conn->db) == SQLITE_CORRUPT_VTAB;
  return aio__sq_write_end(c->conn, op, status);
}

static aiorch_status add_once(change *c, aio__sq_store *store, aio__op *op, int *outcome) {
  aiorch_status status = prepare_new(c);
  *outcome = AIORCH_DOCUMENT_UNCHANGED;
  if (status == AIORCH_OK) status = aio__sq_write(&store->knowledge, op, &c->conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_tenant_make(c->conn, c->error, c->tenant, &c->row);
  if (status == AIORCH_OK) status = load_document(c, c->document->source);
  if (status == AIORCH_OK && (c->no == 0 || !aio__str_eq(c->hash, c->document->hash))) {
    *outcome = c->no == 0 ? AIORCH_DOCUMENT_ADDED : AIORCH_DOCUMENT_UPDATED;
    status = replace_all(c);
  }
  return end_change(c, op, status);
}

aiorch_status aio__sq_document_add(aio__store *base, aio__op *op, aio__str tenant, aio__store_document *document,
                                   const aio__store_chunk *chunks, size_t count, int64_t now_ms, aio__arena *arena,
                                   int *what, aio__str **removed_chunks, size_t *removed_count) {
  aio__sq_store *store = (aio__sq_store *)base;
  change c;
  int outcome = AIORCH_DOCUMENT_UNCHANGED;
  aiorch_status status = AIORCH_OK;
  for (int attempt = 0; attempt == 0 || (attempt == 1 && c.again); attempt++) {
    if (attempt > 0) change_free(&c);
    aio__error_clear(&op->error);
    change_init(&c, store, op, tenant, now_ms, arena);
    c.document = document;
    c.chunks = chunks;
    c.count = count;
    status = add_once(&c, store, op, &outcome);
  }
  if (status == AIORCH_OK) {
    bool unchanged = outcome == AIORCH_DOCUMENT_UNCHANGED;
    if (outcome != AIORCH_DOCUMENT_ADDED) memcpy(document->id, c.id, sizeof document->id);
    document->version = unchanged ? c.version : c.version + 1;
    document->updated_ms = unchanged ? c.updated_ms : now_ms;
    document->chunk_count = (uint32_t)(unchanged ? (size_t)c.chunk_count : count);
    document->bytes = document->text.n;
    *what = outcome;
    *removed_chunks = c.removed;
    *removed_count = c.removed_count;
  }
  change_free(&c);
  return status;
}

static aiorch_status remove_once(change *c, aio__sq_store *store, aio__op *op, aio__str source) {
  aiorch_status status = aio__sq_write(&store->knowledge, op, &c->conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_tenant_get(c->conn, c->error, c->tenant, &c->row);
  if (status == AIORCH_OK) status = load_document(c, source);
  if (status == AIORCH_OK && c->no == 0)
    status = aio__error_set(c->error, AIORCH_E_NOT_FOUND, "no document with the source \"%.*s\"",
                            (int)(source.n < 200 ? source.n : 200), source.p);
  if (status == AIORCH_OK) status = load_old_chunks(c);
  if (status == AIORCH_OK) status = drop_words(c);
  if (status == AIORCH_OK) status = drop_rows(c);
  if (status == AIORCH_OK)
    status = aio__sq_vectors_drop(c->conn, c->error, c->tenant, AIO__SQ_CHUNKS, c->first_chunk,
                                  c->first_chunk + c->chunk_count - 1);
  if (status == AIORCH_OK) status = aio__sq_run(c->conn, c->error, AIO__SQ_DOCUMENT_DROP, "si", c->tenant, c->no);
  if (status == AIORCH_OK) status = list_removed(c);
  if (status == AIORCH_OK) status = set_totals(c, -1, -(int64_t)c->old_count, -c->bytes, false);
  return end_change(c, op, status);
}

aiorch_status aio__sq_document_remove(aio__store *base, aio__op *op, aio__str tenant, aio__str source, int64_t now_ms,
                                      aio__arena *arena, aio__str **removed_chunks, size_t *removed_count) {
  aio__sq_store *store = (aio__sq_store *)base;
  change c;
  aiorch_status status = AIORCH_OK;
  for (int attempt = 0; attempt == 0 || (attempt == 1 && c.again); attempt++) {
    if (attempt > 0) change_free(&c);
    aio__error_clear(&op->error);
    change_init(&c, store, op, tenant, now_ms, arena);
    status = remove_once(&c, store, op, source);
  }
  if (status == AIORCH_OK) {
    *removed_chunks = c.removed;
    *removed_count = c.removed_count;
  }
  change_free(&c);
  return status;
}

/* ---- reading a text --------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_document_text(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t document,
                                    uint64_t start, uint64_t end, aio__arena *arena, aio__str *out) {
  if (end < start || end - start > AIO__SQ_DOCUMENT_BYTES_MAX || start > AIO__SQ_DOCUMENT_BYTES_MAX)
    return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
  size_t size = (size_t)(end - start), at = 0;
  uint64_t skip = start % AIO__SQ_PART_BYTES;
  char *p = aio__arena_alloc(arena, size + 1);
  if (p == NULL) return aio__sq_nomem(error);
  sqlite3_stmt *stmt = NULL;
  int64_t first = (int64_t)(start / AIO__SQ_PART_BYTES), last = end > 0 ? (int64_t)((end - 1) / AIO__SQ_PART_BYTES) : 0;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_PARTS, &stmt, "siii", tenant, document, first, last);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    aio__str part = aio__sq_text(stmt, 0);
    size_t from = skip < part.n ? (size_t)skip : part.n, n = part.n - from;
    skip = 0;
    if (n > size - at) n = size - at;
    if (n > 0) memcpy(p + at, part.p + from, n);
    at += n;
  }
  if (status != AIORCH_DONE) return status;
  if (at != size)
    return aio__error_set(error, AIORCH_E_STORE_CORRUPT, "%s has lost a part of a document: add the document again",
                          conn->owner->path);
  *out = (aio__str){p, size};
  return AIORCH_OK;
}
