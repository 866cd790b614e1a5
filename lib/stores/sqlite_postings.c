/*
 * Where words stand, how many a chunk has and what a hit is, as read and kept for the next search on the same connection.
 * SQLite forgets its pages whenever anybody writes, and every answer that is kept is a write.
 *
 * A list is good as long as the tenant's chunks are those that it was made of. The number of its next chunk never goes
 * back, and while that stands still chunks only go: the two together tell one state from any other. Of a chunk
 * nothing changes as long as it is there, for a number is used once: its row and its length need no such mark.
 *
 * Lists and rows are kept in two generations: when the young one is full it becomes the old one, and what nobody has asked for
 * since the last time goes.
 */
#include <string.h>

#include "core/map.h"
#include "stores/sqlite_private.h"

enum {
  KEPT_BYTES = 1 << 21,   /* in one generation */
  KEPT_ONE_MAX = 1 << 18, /* what is longer is read anew each time */
  KEPT_OVERHEAD = 64,     /* of one in a map */
  BLOCK_CHUNKS = 256,     /* whose lengths are read together */
  BLOCKS_MAX = 8192,      /* two million chunks: 4 MiB */
  EXPRESSION_MAX = 256,
  GROW_MIN = 512,
  VARINT_BYTES = 9
};

static const char POSTINGS_TYPE[] = "aio__sq_postings";

/* What is kept, the head of each kind. */
typedef struct kept {
  aio__str key;
  size_t bytes;
  struct kept *next; /* while it is one that passes */
} kept;

typedef struct kept_list {
  kept head;
  int64_t next_chunk, chunks;
  aio__fts_list list;
} kept_list; /* followed by the postings and the key */

typedef struct kept_chunk {
  kept head;
  int64_t next_chunk, chunks; /* 0: it was asked for by its number */
  int64_t no;
  aio__found_chunk chunk;
} kept_chunk; /* followed by its texts and the key */

typedef struct generation {
  aio__map by_key;
  size_t bytes;
} generation;

typedef struct block {
  uint64_t no;
  uint16_t words[BLOCK_CHUNKS]; /* 0: not known */
} block;

struct aio__sq_postings {
  const aio__alloc *al;
  generation young, old;
  kept *passing; /* too long to be kept: until the search ends */
  aio__map blocks;
  block *last;
  aio__buf expression;
  uint64_t *taken; /* by the statement under way */
  size_t taken_n, taken_cap;
  int64_t first_no, last_no;
  uint32_t most;
};

/* ---- the life of it --------------------------------------------------------------------------------------------- */

static void generation_free(const aio__alloc *al, generation *g) {
  size_t pos = 0;
  for (kept *k; (k = aio__map_next(&g->by_key, &pos)) != NULL;) aio__free(al, k);
  aio__map_free(&g->by_key);
  g->bytes = 0;
}

static void drop_blocks(aio__sq_postings *p) {
  size_t pos = 0;
  for (block *b; (b = aio__map_next(&p->blocks, &pos)) != NULL;) aio__free(p->al, b);
  aio__map_free(&p->blocks);
  p->last = NULL;
}

aiorch_status aio__sq_postings_begin(aio__sq_conn *conn, aiorch_error *error) {
  const aio__alloc *al = conn->owner->store->env.al;
  aio__sq_postings *p = conn->postings;
  if (p == NULL) {
    p = conn->postings = aio__calloc(al, 1, sizeof *p);
    if (p == NULL) return aio__sq_nomem(error);
    p->al = al;
    aio__map_init(&p->young.by_key, al);
    aio__map_init(&p->old.by_key, al);
    aio__map_init(&p->blocks, al);
    aio__buf_init(&p->expression, al, EXPRESSION_MAX);
  }
  if (p->young.bytes > KEPT_BYTES) {
    generation_free(al, &p->old);
    p->old = p->young;
    aio__map_init(&p->young.by_key, al);
    p->young.bytes = 0;
  }
  return AIORCH_OK;
}

void aio__sq_postings_end(aio__sq_conn *conn) {
  aio__sq_postings *p = conn->postings;
  if (p == NULL) return;
  while (p->passing != NULL) {
    kept *next = p->passing->next;
    aio__free(p->al, p->passing);
    p->passing = next;
  }
  if (p->taken_cap > KEPT_ONE_MAX / sizeof *p->taken) {
    aio__free(p->al, p->taken);
    p->taken = NULL;
    p->taken_cap = 0;
  }
}

void aio__sq_postings_free(aio__sq_conn *conn) {
  aio__sq_postings *p = conn->postings;
  if (p == NULL) return;
  aio__sq_postings_end(conn);
  generation_free(p->al, &p->young);
  generation_free(p->al, &p->old);
  drop_blocks(p);
  aio__buf_free(&p->expression);
  aio__free(p->al, p->taken);
  aio__free(p->al, p);
  conn->postings = NULL;
}

/* ---- reading a list --------------------------------------------------------------------------------------------- */

static bool put(aio__sq_postings *p, uint64_t posting) {
  if (p->taken_n == p->taken_cap) {
    size_t cap = p->taken_cap > 0 ? p->taken_cap * 2 : GROW_MIN;
    uint64_t *more = aio__realloc(p->al, p->taken, cap * sizeof *more);
    if (more == NULL) return false;
    p->taken = more;
    p->taken_cap = cap;
  }
  p->taken[p->taken_n++] = posting;
  return true;
}

/* aio_take(chunk_words, pointer): notes how often the phrase stands in the row. */
static void take(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *context, int argc,
                 sqlite3_value **argv) {
  aio__sq_postings *p = argc == 1 ? sqlite3_value_pointer(argv[0], POSTINGS_TYPE) : NULL;
  Fts5PhraseIter at;
  int field = 0, offset = 0;
  uint64_t often = 0;
  if (p == NULL) {
    sqlite3_result_error(context, "aio_take is for libaiorch's own use", -1);
    return;
  }
  int64_t no = api->xRowid(fts), before = p->first_no - 1;
  if (p->taken_n > 0) before = p->first_no + (int64_t)aio__fts_posting_chunk(p->taken[p->taken_n - 1]);
  int code = no > before && no <= p->last_no ? SQLITE_OK : SQLITE_CORRUPT_VTAB;
  if (code == SQLITE_OK) code = api->xPhraseFirst(fts, 0, &at, &field, &offset);
  for (; code == SQLITE_OK && field >= 0; api->xPhraseNext(fts, &at, &field, &offset))
    often += aio__fts_field_weight((size_t)field);
  if (code != SQLITE_OK) {
    sqlite3_result_error_code(context, code);
    return;
  }
  uint64_t posting = aio__fts_posting((uint64_t)(no - p->first_no), often);
  if (often > 0 && !put(p, posting)) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (often > p->most) p->most = aio__fts_posting_often(posting);
  sqlite3_result_int(context, 1);
}

aiorch_status aio__sq_take_register(aio__sq_conn *conn, aiorch_error *error) {
  fts5_api *api = NULL;
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(conn->db, "SELECT fts5(?1)", -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_bind_pointer(stmt, 1, (void *)&api, "fts5_api_ptr", NULL);
  if (code == SQLITE_OK) sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  if (code != SQLITE_OK && (code & 0xff) == SQLITE_NOMEM) return aio__sq_nomem(error);
  if (api == NULL)
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "this SQLite was built without FTS5: use another build of it");
  code = api->xCreateFunction(api, "aio_take", NULL, take, NULL);
  return code == SQLITE_OK ? AIORCH_OK : aio__sq_fail_code(conn->owner->path, conn->db, code, error);
}

/* Leaves in `taken` where the expression stands in the tenant's chunks. */
static aiorch_status read_list(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *tenant,
                               aio__str expression) {
  aio__sq_postings *p = conn->postings;
  sqlite3_stmt *stmt = NULL;
  p->taken_n = 0;
  p->most = 0;
  p->first_no = aio__sq_first_no(tenant);
  p->last_no = aio__sq_last_no(tenant);
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_WORDS_TAKE, &stmt, "sii", expression, p->first_no, p->last_no);
  if (status != AIORCH_OK) return status;
  if (sqlite3_bind_pointer(stmt, 4, p, POSTINGS_TYPE, NULL) != SQLITE_OK) {
    status = aio__sq_fail(conn, error);
    aio__sq_reset(stmt);
    return status;
  }
  status = aio__sq_step(conn, error, stmt);
  if (status == AIORCH_OK) aio__sq_reset(stmt);
  aio__sq_merge_searched(conn->owner->store, tenant->chunks);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static kept_list *list_new(aio__sq_postings *p, const aio__sq_tenant *tenant, aio__str key) {
  size_t postings = p->taken_n * sizeof *p->taken, bytes = sizeof(kept_list) + postings + key.n;
  kept_list *k = aio__malloc(p->al, bytes);
  if (k == NULL) return NULL;
  uint64_t *posting = (uint64_t *)(void *)(k + 1);
  char *name = (char *)(posting + p->taken_n);
  if (postings > 0) memcpy(posting, p->taken, postings);
  memcpy(name, key.p, key.n);
  *k = (kept_list){.head = {.key = {name, key.n}, .bytes = bytes + KEPT_OVERHEAD},
                   .next_chunk = tenant->next_chunk,
                   .chunks = tenant->chunks,
                   .list = {posting, p->taken_n, p->most}};
  return k;
}

/* ---- keeping ---------------------------------------------------------------------------------------------------- */

static bool put_kept(aio__sq_postings *p, kept *k) {
  if (k->bytes > KEPT_ONE_MAX) {
    k->next = p->passing;
    p->passing = k;
    return true;
  }
  if (aio__map_put(&p->young.by_key, k->key, k) != AIORCH_OK) {
    aio__free(p->al, k);
    return false;
  }
  p->young.bytes += k->bytes;
  return true;
}

static kept *take_out(generation *g, aio__str key) {
  kept *k = aio__map_remove(&g->by_key, key);
  if (k != NULL) g->bytes -= k->bytes;
  return k;
}

/* AIORCH_OK: *out is young, or was not there (NULL). */
static aiorch_status find_kept(aio__sq_postings *p, aiorch_error *error, aio__str key, kept **out) {
  *out = aio__map_get(&p->young.by_key, key);
  if (*out != NULL) return AIORCH_OK;
  *out = take_out(&p->old, key);
  return *out == NULL || put_kept(p, *out) ? AIORCH_OK : aio__sq_nomem(error);
}

aiorch_status aio__sq_postings_find(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *tenant,
                                    const aio__fts_term *term, bool prefix, aio__fts_list *out) {
  aio__sq_postings *p = conn->postings;
  kept *found = NULL;
  char bytes[sizeof tenant->no + AIO__FTS_WORD_MAX + 1];
  size_t n = sizeof tenant->no;
  memcpy(bytes, &tenant->no, n);
  bytes[n++] = prefix ? '*' : '=';
  memcpy(bytes + n, term->word.text, term->word.n);
  aio__str key = {bytes, n + term->word.n};
  aiorch_status status = find_kept(p, error, key, &found);
  if (status != AIORCH_OK) return status;
  kept_list *k = (kept_list *)found;
  if (k != NULL && (k->next_chunk != tenant->next_chunk || k->chunks != tenant->chunks)) {
    aio__free(p->al, take_out(&p->young, key));
    k = NULL;
  }
  if (k == NULL) {
    aio__buf_reset(&p->expression);
    aio__fts_term_write(term, prefix, &p->expression);
    if (p->expression.failed != AIORCH_OK) return aio__sq_nomem(error);
    status = read_list(conn, error, tenant, aio__buf_view(&p->expression));
    if (status != AIORCH_OK) return status;
    k = list_new(p, tenant, key);
    if (k == NULL || !put_kept(p, &k->head)) return aio__sq_nomem(error);
  }
  *out = k->list;
  return AIORCH_OK;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

enum { CHUNK_TEXTS = 5 };

static void texts_of(aio__found_chunk *chunk, aio__str *out[CHUNK_TEXTS]) {
  out[0] = &chunk->source;
  out[1] = &chunk->title;
  out[2] = &chunk->anchor;
  out[3] = &chunk->heading;
  out[4] = &chunk->text;
}

static kept_chunk *chunk_new(aio__sq_postings *p, aio__str key, int64_t no, const aio__found_chunk *chunk) {
  aio__found_chunk copy = *chunk;
  aio__str *text[CHUNK_TEXTS];
  size_t bytes = sizeof(kept_chunk) + key.n;
  texts_of(&copy, text);
  for (size_t i = 0; i < CHUNK_TEXTS; i++) bytes += text[i]->n;
  kept_chunk *k = aio__malloc(p->al, bytes);
  if (k == NULL) return NULL;
  char *at = (char *)(k + 1);
  for (size_t i = 0; i < CHUNK_TEXTS; i++) {
    if (text[i]->p == NULL) continue; /* left out */
    if (text[i]->n > 0) memcpy(at, text[i]->p, text[i]->n);
    text[i]->p = at;
    at += text[i]->n;
  }
  memcpy(at, key.p, key.n);
  *k = (kept_chunk){.head = {.key = {at, key.n}, .bytes = bytes + KEPT_OVERHEAD}, .no = no, .chunk = copy};
  return k;
}

static aiorch_status give_chunk(const kept_chunk *k, aiorch_error *error, aio__arena *arena, aio__found_chunk *out) {
  aio__str *text[CHUNK_TEXTS];
  *out = k->chunk;
  texts_of(out, text);
  for (size_t i = 0; i < CHUNK_TEXTS; i++) {
    if (text[i]->p == NULL) continue;
    *text[i] = aio__arena_str(arena, *text[i]);
    if (text[i]->p == NULL) return aio__sq_nomem(error);
  }
  return AIORCH_OK;
}

aiorch_status aio__sq_postings_row(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                   aio__arena *arena, aio__found_chunk *out) {
  aio__sq_postings *p = conn->postings;
  aio__str key = {(const char *)&no, sizeof no};
  sqlite3_stmt *stmt = NULL;
  kept *found = NULL;
  aiorch_status status = find_kept(p, error, key, &found);
  if (status != AIORCH_OK) return status;
  if (found != NULL) return give_chunk((kept_chunk *)found, error, arena, out);
  status = aio__sq_query(conn, error, AIO__SQ_CHUNK_BY_NO, &stmt, "si", tenant, no);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  status = aio__sq_found_row(error, stmt, arena, out);
  aio__sq_reset(stmt);
  if (status != AIORCH_OK) return status;
  kept_chunk *k = chunk_new(p, key, no, out);
  return k != NULL && put_kept(p, &k->head) ? AIORCH_OK : aio__sq_nomem(error);
}

/* An id stays with a text when its document changes around it: what was read under it is good for one state only. */
aiorch_status aio__sq_postings_chunk(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row,
                                     aio__str tenant, aio__str id, aio__arena *arena, int64_t *no,
                                     aio__found_chunk *out) {
  aio__sq_postings *p = conn->postings;
  char bytes[sizeof row->no + 1 + AIO__UUID_LEN];
  sqlite3_stmt *stmt = NULL;
  kept *found = NULL;
  if (id.n > AIO__UUID_LEN) return AIORCH_DONE;
  memcpy(bytes, &row->no, sizeof row->no);
  bytes[sizeof row->no] = '#';
  if (id.n > 0) memcpy(bytes + sizeof row->no + 1, id.p, id.n);
  aio__str key = {bytes, sizeof row->no + 1 + id.n};
  aiorch_status status = find_kept(p, error, key, &found);
  if (status != AIORCH_OK) return status;
  kept_chunk *k = (kept_chunk *)found;
  if (k != NULL && k->next_chunk == row->next_chunk && k->chunks == row->chunks) {
    *no = k->no;
    return give_chunk(k, error, arena, out);
  }
  if (k != NULL) aio__free(p->al, take_out(&p->young, key));
  status = aio__sq_query(conn, error, AIO__SQ_CHUNK_BY_ID, &stmt, "ss", tenant, id);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  *no = sqlite3_column_int64(stmt, 0);
  status = aio__sq_found_chunk(conn, error, tenant, stmt, arena, out);
  aio__sq_reset(stmt);
  if (status != AIORCH_OK) return status;
  k = chunk_new(p, key, *no, out);
  if (k == NULL) return aio__sq_nomem(error);
  k->next_chunk = row->next_chunk;
  k->chunks = row->chunks;
  return put_kept(p, &k->head) ? AIORCH_OK : aio__sq_nomem(error);
}

/* ---- lengths ---------------------------------------------------------------------------------------------------- */

/* The sum of the numbers in a blob of SQLite's varints: FTS5 notes the words of each column so. */
static uint64_t sum_varints(aio__str sizes) {
  const unsigned char *byte = (const unsigned char *)sizes.p;
  uint64_t sum = 0, value = 0;
  size_t in_value = 0;
  for (size_t i = 0; i < sizes.n; i++) {
    value = value << 7 | (byte[i] & 0x7f);
    if ((byte[i] & 0x80) != 0 && ++in_value < VARINT_BYTES) continue;
    sum += value < UINT16_MAX ? value : UINT16_MAX;
    value = in_value = 0;
  }
  return sum;
}

static aiorch_status fill_block(aio__sq_conn *conn, aiorch_error *error, block *b) {
  sqlite3_stmt *stmt = NULL;
  int64_t first = (int64_t)(b->no * BLOCK_CHUNKS);
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_WORDS_SIZES, &stmt, "ii", first, first + BLOCK_CHUNKS - 1);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    uint64_t words = sum_varints(aio__sq_text(stmt, 1));
    b->words[sqlite3_column_int64(stmt, 0) - first] = (uint16_t)(words < UINT16_MAX ? words : UINT16_MAX);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static block *find_block(aio__sq_postings *p, uint64_t no) {
  if (p->last != NULL && p->last->no == no) return p->last;
  block *b = aio__map_get(&p->blocks, (aio__str){(const char *)&no, sizeof no});
  if (b == NULL) {
    if (p->blocks.n >= BLOCKS_MAX) drop_blocks(p);
    b = aio__calloc(p->al, 1, sizeof *b);
    if (b == NULL) return NULL;
    b->no = no;
    if (aio__map_put(&p->blocks, (aio__str){(const char *)&b->no, sizeof b->no}, b) != AIORCH_OK) {
      aio__free(p->al, b);
      return NULL;
    }
  }
  return p->last = b;
}

aiorch_status aio__sq_postings_words(aio__sq_conn *conn, aiorch_error *error, int64_t no, uint32_t *out) {
  block *b = find_block(conn->postings, (uint64_t)no / BLOCK_CHUNKS);
  size_t at = (size_t)((uint64_t)no % BLOCK_CHUNKS);
  if (b == NULL) return aio__sq_nomem(error);
  aiorch_status status = b->words[at] > 0 ? AIORCH_OK : fill_block(conn, error, b);
  if (status == AIORCH_OK && b->words[at] == 0)
    status = aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
  *out = b->words[at];
  return status;
}
