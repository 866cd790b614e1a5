/* Vectors through any changes, compared with a list that is scanned whole; and from several threads. A part of
 * conformance.c. */
#include "stores/conformance.h"

enum { MODEL_DOCS = 12, MODEL_CHUNKS = 5, MODEL_STEPS = 300 };

/* What the store is to know: of each document the numbers of its chunks, and which of them have a vector. */
typedef struct expected {
  int chunks[MODEL_DOCS][MODEL_CHUNKS]; /* number of the chunk's id; its vector is vector_of(number) */
  int text[MODEL_DOCS][MODEL_CHUNKS];
  bool marked[MODEL_DOCS][MODEL_CHUNKS];
  int count[MODEL_DOCS];
  int next;
} expected;

static uint32_t roll(uint32_t *seed, uint32_t n) {
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % n;
}

/* Adds or replaces a document: some of its texts are as before, and their chunks keep their ids. */
static void change_document(fixture *f, expected *e, int doc, uint32_t *seed) {
  char source[16], words[MODEL_CHUNKS][32], hash[32];
  piece pieces[MODEL_CHUNKS];
  result r;
  int count = 1 + (int)roll(seed, MODEL_CHUNKS), number = ++e->next;
  int chunks[MODEL_CHUNKS], text[MODEL_CHUNKS];
  bool marked[MODEL_CHUNKS];
  for (int i = 0; i < count; i++) {
    bool keep = e->count[doc] > 0 && roll(seed, 2) == 0;
    int old = keep ? (int)roll(seed, (uint32_t)e->count[doc]) : 0;
    for (int c = 0; keep && c < i; c++) keep = text[c] != e->text[doc][old];
    chunks[i] = keep ? e->chunks[doc][old] : number * 100 + i;
    text[i] = keep ? e->text[doc][old] : number * 100 + i;
    marked[i] = keep && e->marked[doc][old];
    snprintf(words[i], sizeof words[i], "%d is this text", text[i]);
    pieces[i] = (piece){"H", words[i]};
  }
  snprintf(source, sizeof source, "s%d", doc);
  snprintf(hash, sizeof hash, "%d", number);
  aio__store_document d = {.source = aio__str_z(source), .hash = {hash_of(hash), 32}};
  assert_int_equal(add_full(f, ACME, &d, pieces, (size_t)count, number, T0, &r), AIORCH_OK);
  memcpy(e->chunks[doc], chunks, sizeof chunks);
  memcpy(e->text[doc], text, sizeof text);
  memcpy(e->marked[doc], marked, sizeof marked);
  e->count[doc] = count;
}

static void remove_document(fixture *f, expected *e, int doc) {
  char source[16];
  aio__str *removed;
  size_t n = 0;
  snprintf(source, sizeof source, "s%d", doc);
  assert_int_equal(CALL(f, knowledge, remove, ACME, aio__str_z(source), T0, &f->arena, &removed, &n),
                   e->count[doc] > 0 ? AIORCH_OK : AIORCH_E_NOT_FOUND);
  e->count[doc] = 0;
}

static void mark_some(fixture *f, expected *e, uint32_t *seed) {
  enum { MOST = MODEL_DOCS * MODEL_CHUNKS };
  static float rows[MOST * DIM];
  char ids[MOST][AIO__UUID_LEN + 1];
  aio__str list[MOST];
  size_t n = 0;
  for (int doc = 0; doc < MODEL_DOCS; doc++)
    for (int i = 0; i < e->count[doc]; i++) {
      if (e->marked[doc][i] || roll(seed, 3) == 0) continue;
      e->marked[doc][i] = true;
      vector_of((unsigned)e->chunks[doc][i], rows + n * DIM);
      list[n] = aio__str_z(id_of(ids[n], "chnk", e->chunks[doc][i]));
      n++;
    }
  assert_int_equal(mark_rows(f, ACME, MODEL, list, n, rows, DIM), AIORCH_OK);
}

static void forget_all(fixture *f, expected *e, uint32_t *seed) {
  size_t removed = 0, limit = 1 + roll(seed, 20);
  do assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, limit, &removed), AIORCH_OK);
  while (removed == limit);
  memset(e->marked, 0, sizeof e->marked);
}

/* The k best of the list, in the order of their cosine. */
static void compare_nearest(fixture *f, const expected *e, uint32_t *seed) {
  float query[DIM], row[DIM];
  double best[MODEL_DOCS * MODEL_CHUNKS];
  int all = 0;
  size_t limit = 1 + roll(seed, 12), n = 0;
  aio__found_chunk *found;
  vector_of(1u << 30 | roll(seed, 1u << 20), query);
  for (int doc = 0; doc < MODEL_DOCS; doc++)
    for (int i = 0; i < e->count[doc]; i++) {
      if (!e->marked[doc][i]) continue;
      vector_of((unsigned)e->chunks[doc][i], row);
      double cosine = cosine_of(query, row);
      int at = all++;
      for (; at > 0 && best[at - 1] < cosine; at--) best[at] = best[at - 1];
      best[at] = cosine;
    }
  assert_int_equal(try_nearest(f, ACME, MODEL, query, limit, &found, &n), AIORCH_OK);
  assert_int_equal(n, (size_t)all < limit ? (size_t)all : limit);
  for (size_t i = 0; i < n; i++) {
    int number = atoi(found[i].chunk_id + 28);
    expect_near(found[i].similarity, best[i]);
    vector_of((unsigned)number, row);
    expect_near(found[i].similarity, cosine_of(query, row));
  }
}

static void test_nearest__as_a_full_scan_through_any_changes(void **state) {
  fixture *f = *state;
  expected e;
  uint32_t seed = 7;
  memset(&e, 0, sizeof e);
  for (int step = 0; step < MODEL_STEPS; step++) {
    int doc = (int)roll(&seed, MODEL_DOCS);
    uint32_t what = roll(&seed, 20);
    if (what < 8)
      change_document(f, &e, doc, &seed);
    else if (what < 11)
      remove_document(f, &e, doc);
    else if (what < 19)
      mark_some(f, &e, &seed);
    else
      forget_all(f, &e, &seed);
    compare_nearest(f, &e, &seed);
    aio__arena_free(&f->arena);
  }
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

enum { STAYING = 20, SEARCHERS = 3, SEARCHES = 60 };

typedef struct searcher {
  fixture *f;
  bool failed;
} searcher;

/* What was there before it began and stays is found by each search, with its own similarity. */
static void *keep_searching(void *ctx) {
  searcher *s = ctx;
  aio__arena arena;
  waiting w;
  float query[DIM], row[DIM];
  for (int i = 0; i < SEARCHES && !s->failed; i++) {
    aio__found_chunk *found = NULL;
    size_t n = 0;
    unsigned wanted = (unsigned)(1 + i % STAYING) * 100;
    aio__arena_init(&arena, &s->f->memory.al, 1024);
    vector_of(wanted, query);
    aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = 0.5, .limit = 5};
    waiting_init(&w, AIO__NEVER);
    aiorch_status status =
      waiting_end(&w, s->f->store->knowledge->nearest(s->f->store, &w.op, ACME, &args, NULL, 0, &arena, &found, &n));
    s->failed = status != AIORCH_OK || n == 0 || (unsigned)atoi(found[0].chunk_id + 28) != wanted;
    for (size_t k = 0; k < n && !s->failed; k++) {
      vector_of((unsigned)atoi(found[k].chunk_id + 28), row);
      s->failed = fabs(found[k].similarity - cosine_of(query, row)) > 1e-5;
    }
    aio__arena_free(&arena);
  }
  return NULL;
}

static void test_nearest__while_another_writes(void **state) {
  fixture *f = *state;
  pthread_t threads[SEARCHERS];
  searcher searchers[SEARCHERS];
  float row[DIM];
  char source[16], text[32];
  for (int i = 1; i <= STAYING; i++) {
    snprintf(source, sizeof source, "stay%d", i);
    add_text(f, ACME, source, "", "stays", i, T0);
    vector_of((unsigned)i * 100, row);
    mark(f, ACME, MODEL, i * 100, row);
  }
  for (int i = 0; i < SEARCHERS; i++) {
    searchers[i] = (searcher){f, false};
    assert_int_equal(pthread_create(&threads[i], NULL, keep_searching, &searchers[i]), 0);
  }
  for (int i = 1; i <= 40; i++) {
    aio__str *removed;
    size_t n = 0;
    snprintf(source, sizeof source, "go%d", i % 4);
    snprintf(text, sizeof text, "text %d", i);
    add_text(f, ACME, source, "", text, 100 + i, T0 + i);
    vector_of((unsigned)(100 + i) * 100, row);
    mark(f, ACME, MODEL, (100 + i) * 100, row);
    if (i % 5 == 0)
      assert_int_equal(CALL(f, knowledge, remove, ACME, aio__str_z(source), T0, &f->arena, &removed, &n), AIORCH_OK);
  }
  for (int i = 0; i < SEARCHERS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(searchers[i].failed);
  }
}
