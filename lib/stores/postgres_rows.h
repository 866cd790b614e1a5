/*
 * What the knowledge and cache ops of the PostgreSQL store share. What depends on what is there already is decided by the functions of
 * sql/postgres/0005_knowledge_calls.sql and 0006_cache_calls.sql, so that each op is one transaction in one round trip.
 */
#ifndef AIO_STORES_POSTGRES_ROWS_H
#define AIO_STORES_POSTGRES_ROWS_H

#include "core/map.h"
#include "stores/fts_query.h"
#include "stores/postgres_private.h"

enum {
  AIO__PG_ROWS_MAX = 10000,   /* of a list */
  AIO__PG_HITS_MAX = 1000,    /* of a search */
  AIO__PG_VECTOR_MAX = 16000, /* numbers that pgvector keeps in one */
  AIO__PG_TEXTS_WITH_LEAN = 24, /* of the best of a search come though they may be left out: so nobody has to fetch what they most likely want */
  AIO__PG_MARK = 4            /* bytes of a tenant's mark before each of its words */
};

/* The tenant's rows of a table are asked for by name, too, so that an index serves them. */
#define AIO__PG_TENANT "current_setting('aiorch.tenant')"

/* ---- postgres_words.c ----------------------------------------------------------------------------------------------------------- */

/* The words of one chunk after the other, as they are kept (see 0005_knowledge_calls.sql). */
typedef struct aio__pg_words {
  const aio__alloc *al;
  char mark[AIO__PG_MARK];
  bool stem;
  aio__arena arena;
  aio__map seen;
  aio__buf out;
} aio__pg_words;

/* stem: as English; otherwise words stay as they are, and the server stems them. */
void aio__pg_words_init(aio__pg_words *words, const aio__alloc *al, aio__str tenant, bool stem);
void aio__pg_words_free(aio__pg_words *words);
/* As a tsvector is written; valid until the next call. *count: how many words it has. False: no memory, or too long (words->out.failed). */
bool aio__pg_words_of(aio__pg_words *words, aio__str title, aio__str heading, aio__str body, aio__str *out, uint32_t *count);

/* A term of a query as a lexeme: the mark, and the word as it is kept. Into `out`, which has the room for it. */
aio__str aio__pg_lexeme(aio__str tenant, const aio__fts_word *word, bool stem, char out[AIO__PG_MARK + AIO__FTS_WORD_MAX]);

/* ---- postgres_cache.c ----------------------------------------------------------------------------------------------------------- */

/* A lookup on its way. */
typedef struct aio__pg_taken {
  aio__cache_ask ask;
  bool hit;
  aio__cache_entry row;
} aio__pg_taken;

/* Columns of take_answer. */
#define AIO__PG_TAKEN                                                                                                                      \
  "found, stale, knowledge, neighbours, id, created_ms, expires_ms, hits, finish_reason, exact_only, key, chunks, provider, model, query," \
  " sources, answer, rests_on"
/* From column `first` on. */
aiorch_status aio__pg_taken_read(const aio__pg_rows *rows, size_t row, size_t first, aio__op *op, aio__pg_taken *taken);
void aio__pg_taken_give(const aio__pg_taken *taken);

/* ---- postgres_admit.c ----------------------------------------------------------------------------------------------------------- */

/* now_ms where the settings say that the callers' clocks count, else NULL. Tests bring their own time. */
void aio__pg_now(aio__pg_step *step, const aio__store *store, int64_t now_ms);
aiorch_status aio__pg_admit(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, const aio__constraint *constraints,
                            size_t count, int64_t now_ms, aio__admission *out);
aiorch_status aio__pg_enter(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, const aio__constraint *constraints,
                            size_t count, const aio__cache_ask *ask, int64_t now_ms, aio__admission *out);

/* ---- postgres_search.c ---------------------------------------------------------------------------------------------------------- */

/* Columns of chunks c and documents d; `text` is an expression. */
#define AIO__PG_CHUNK(text) \
  "c.id, d.id, d.version, c.ordinal, c.tokens, c.start, c.stop, d.source, d.title, c.anchor, c.heading, " text
enum { AIO__PG_CHUNK_COLUMNS = 12 };

/* Reads them from the column `first` on; text.p is NULL where the text is. False: no memory. */
bool aio__pg_found(const aio__pg_rows *rows, size_t row, size_t first, aio__arena *arena, aio__found_chunk *out);

/* The four parameters of a function that filters: names, kinds, values, upper bounds. */
void aio__pg_filters(aio__pg_step *step, const aio__filter *filters, size_t count);

aiorch_status aio__pg_search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args, aio__arena *arena,
                             aio__found_chunk **chunks, size_t *count);
/* Lexemes, the same unstemmed, as beginnings of longer words (or NULL), weights. */
void aio__pg_terms(aio__pg_step *step, aio__str tenant, const aio__fts_query *query);
/* From column `first` on: score, words, and how often each of `terms` terms stands. */
aiorch_status aio__pg_score(const aio__pg_rows *rows, size_t row, size_t first, aio__op *op, aio__arena *arena, size_t terms,
                            aio__found_chunk *out);
aiorch_status aio__pg_both(aio__store *store, aio__op *op, aio__str tenant, aio__both_args *both, aio__arena *arena);
aiorch_status aio__pg_fetch(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                            const aio__filter *filters, size_t filter_count, aio__arena *arena, aio__found_chunk *chunks);

/* ---- postgres_document.c -------------------------------------------------------------------------------------------------------- */

aiorch_status aio__pg_add(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document, const aio__store_chunk *chunks,
                          size_t count, int64_t now_ms, aio__arena *arena, int *what, aio__str **removed_chunks, size_t *removed_count);
aiorch_status aio__pg_remove(aio__store *store, aio__op *op, aio__str tenant, aio__str source, int64_t now_ms, aio__arena *arena,
                             aio__str **removed_chunks, size_t *removed_count);

/* ---- postgres_nearest.c, postgres_near.c ------------------------------------------------------------------------------------------ */

/* Checks as the other stores do, and that pgvector can keep it. */
aiorch_status aio__pg_vectors_check(const aio__vectors *vectors, size_t count, aiorch_error *error);
aiorch_status aio__pg_nearest_check(const aio__nearest_args *args, aiorch_error *error);
/* What model_for answered. */
aiorch_status aio__pg_model_code(int64_t code, int64_t stored, const aio__vectors *vectors, aiorch_error *error);

/* The rows that tell why nothing can be near: kinds 2 to 4 of nearest_chunks and near_answers. */
typedef struct aio__pg_others {
  int64_t kind, size;
  aio__str *names;
  size_t count;
} aio__pg_others;
/* Columns: kind, size, fingerprint. Of all rows; false: no memory. */
bool aio__pg_others_read(const aio__pg_rows *rows, size_t size_column, size_t name_column, aio__arena *arena, aio__pg_others *out);
/* AIORCH_OK when they say nothing. */
aiorch_status aio__pg_others_end(const aio__pg_others *others, const char *what, const aio__nearest_args *args, aiorch_error *error);

aiorch_status aio__pg_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit, aio__arena *arena,
                                 aio__unembedded **chunks, size_t *count, uint64_t *left);
aiorch_status aio__pg_mark_embedded(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors, const aio__str *ids,
                                    size_t count);
aiorch_status aio__pg_nearest(aio__store *store, aio__op *op, aio__str tenant, const aio__nearest_args *args, const aio__filter *filters,
                              size_t filter_count, aio__arena *arena, aio__found_chunk **chunks, size_t *count);

aiorch_status aio__pg_near(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, const aio__nearest_args *args, int64_t now_ms,
                           aio__arena *arena, aio__cache_near **entries, size_t *count);
aiorch_status aio__pg_answers_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                         aio__arena *arena, aio__unembedded **entries, size_t *count, uint64_t *left);
aiorch_status aio__pg_answers_mark(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors, const aio__str *ids,
                                   size_t count);

/* What is embedded of a row of chunks_without_vector or answers_without_vector; false: no memory. */
typedef bool (*aio__pg_embed_text)(const aio__pg_rows *rows, size_t row, aio__arena *arena, aio__str *out);
aiorch_status aio__pg_list_unembedded(aio__store *store, aio__op *op, aio__str tenant, const char *sql, aio__pg_embed_text text,
                                      aio__str fingerprint, size_t limit, aio__arena *arena, aio__unembedded **list, size_t *count,
                                      uint64_t *left);
/* keep_chunk_vectors or keep_answer_vectors. */
aiorch_status aio__pg_mark(aio__store *store, aio__op *op, aio__str tenant, const char *sql, const aio__vectors *vectors,
                           const aio__str *ids, size_t count);

#endif
