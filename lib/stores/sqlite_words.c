/*
 * The rows of full text: what FTS5 is given for a chunk, and how stores of earlier versions come to it.
 *
 * Until runs were spread (fts_runs.h) FTS5 had each of them as one word. A row of FTS5 without content is taken out by
 * giving the same words again, so the migration takes out what was given then and puts in what is given now. It touches
 * the documents that have runs; of the others it only reads the text.
 */
#include "stores/fts_query.h"
#include "stores/fts_runs.h"
#include "stores/sqlite_private.h"

enum { SPREAD_MAX = 1 << 30, SCRATCH_BLOCK = 65536 };

/* ---- one row ---------------------------------------------------------------------------------------------------- */

void aio__sq_words_init(aio__sq_words *words, const aio__alloc *al) {
  for (int i = 0; i < AIO__FTS_FIELDS; i++) aio__buf_init(&words->spread[i], al, SPREAD_MAX);
}

void aio__sq_words_free(aio__sq_words *words) {
  for (int i = 0; i < AIO__FTS_FIELDS; i++) aio__buf_free(&words->spread[i]);
}

static bool spread(aio__sq_words *words, int field, aio__str *text) {
  if (!aio__fts_has_runs(*text)) return true;
  aio__buf *out = &words->spread[field];
  aio__buf_reset(out);
  aio__fts_spread(*text, out);
  *text = aio__buf_view(out);
  return out->failed == AIORCH_OK;
}

aiorch_status aio__sq_words_run(aio__sq_conn *conn, aiorch_error *error, aio__sq_words *words, int id, int64_t no,
                                aio__str title, aio__str heading, aio__str body) {
  bool ok = spread(words, AIO__FTS_TITLE, &title) && spread(words, AIO__FTS_HEADING, &heading) &&
            spread(words, AIO__FTS_BODY, &body);
  aio__sq_merge_changed(conn->owner->store);
  return ok ? aio__sq_run(conn, error, id, "isss", no, title, heading, body) : aio__sq_nomem(error);
}

/* ---- the migration ---------------------------------------------------------------------------------------------- */

typedef struct rebuild {
  aio__sq_conn *conn;
  aiorch_error *error;
  aio__sq_words words;
  aio__arena scratch; /* of one document */
  int64_t no, first_chunk, chunk_count, bytes;
  aio__str tenant, title, text;
  int64_t more_words;
} rebuild;

static aiorch_status damaged(rebuild *r) {
  return aio__sq_fail_code(r->conn->owner->path, NULL, SQLITE_CORRUPT, r->error);
}

static aiorch_status rebuild_chunk(rebuild *r, int64_t no, int64_t start, int64_t stop, aio__str heading,
                                   int64_t old_words) {
  if (start < 0 || stop < start || (uint64_t)stop > r->text.n) return damaged(r);
  aio__str body = {r->text.p + start, (size_t)(stop - start)};
  if (!aio__fts_has_runs(r->title) && !aio__fts_has_runs(heading) && !aio__fts_has_runs(body)) return AIORCH_OK;
  aiorch_status status = aio__sq_run(r->conn, r->error, AIO__SQ_WORDS_DROP, "isss", no, r->title, heading, body);
  if (status == AIORCH_OK)
    status = aio__sq_words_run(r->conn, r->error, &r->words, AIO__SQ_WORDS_NEW, no, r->title, heading, body);
  int64_t words = (int64_t)(aio__fts_count_words(r->title) + aio__fts_count_words(heading) + aio__fts_count_words(body));
  if (status == AIORCH_OK) status = aio__sq_run(r->conn, r->error, AIO__SQ_CHUNK_WORDS, "sii", r->tenant, no, words);
  r->more_words += words - old_words;
  return status;
}

static aiorch_status rebuild_chunks(rebuild *r) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(r->conn, r->error, AIO__SQ_CHUNKS_OF, &stmt, "sii", r->tenant, r->first_chunk,
                                       r->first_chunk + r->chunk_count - 1);
  while (status == AIORCH_OK && (status = aio__sq_step(r->conn, r->error, stmt)) == AIORCH_OK) {
    status = rebuild_chunk(r, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 2),
                           sqlite3_column_int64(stmt, 3), aio__sq_text(stmt, 4), sqlite3_column_int64(stmt, 5));
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* A title stands in every chunk, so that it alone is reason enough. */
static aiorch_status rebuild_document(rebuild *r) {
  bool sane = r->bytes >= 0 && r->bytes <= AIO__SQ_DOCUMENT_BYTES_MAX && r->chunk_count >= 0 &&
              r->chunk_count <= AIO__SQ_DOCUMENT_BYTES_MAX && r->first_chunk >= 0 && r->first_chunk <= INT64_MAX / 2;
  if (!sane) return damaged(r);
  if (r->bytes == 0 || r->chunk_count == 0) return AIORCH_OK;
  aiorch_status status =
    aio__sq_document_text(r->conn, r->error, r->tenant, r->no, 0, (uint64_t)r->bytes, &r->scratch, &r->text);
  if (status != AIORCH_OK || (!aio__fts_has_runs(r->title) && !aio__fts_has_runs(r->text))) return status;
  r->more_words = 0;
  status = rebuild_chunks(r);
  if (status == AIORCH_OK)
    status = aio__sq_run(r->conn, r->error, AIO__SQ_TENANT_WORDS, "si", r->tenant, r->more_words);
  return status;
}

/* The document after r->no, or AIORCH_DONE. */
static aiorch_status next_document(rebuild *r) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(r->conn, r->error, AIO__SQ_DOCUMENT_NEXT, &stmt, "i", r->no);
  if (status == AIORCH_OK) status = aio__sq_step(r->conn, r->error, stmt);
  if (status != AIORCH_OK) return status;
  r->no = sqlite3_column_int64(stmt, 0);
  r->first_chunk = sqlite3_column_int64(stmt, 3);
  r->chunk_count = sqlite3_column_int64(stmt, 4);
  r->bytes = sqlite3_column_int64(stmt, 5);
  bool copied = aio__sq_copy(stmt, 1, &r->scratch, &r->tenant) && aio__sq_copy(stmt, 2, &r->scratch, &r->title);
  aio__sq_reset(stmt);
  return copied ? AIORCH_OK : aio__sq_nomem(r->error);
}

aiorch_status aio__sq_words_rebuild(aio__sq_conn *conn, aiorch_error *error) {
  const aio__alloc *al = conn->owner->store->env.al;
  rebuild r = {.conn = conn, .error = error, .no = INT64_MIN};
  aiorch_status status = AIORCH_OK;
  aio__sq_words_init(&r.words, al);
  while (status == AIORCH_OK) {
    aio__arena_init(&r.scratch, al, SCRATCH_BLOCK);
    status = next_document(&r);
    if (status == AIORCH_OK) status = rebuild_document(&r);
    aio__arena_free(&r.scratch);
  }
  aio__sq_words_free(&r.words);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}
