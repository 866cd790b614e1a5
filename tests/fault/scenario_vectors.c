/*
 * An ingest with vectors, by the store's own calls: chunks are embedded, documents replaced and removed under them, answers
 * kept with their questions' vectors and driven out again, a model forgotten. See scenario.h.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/orch.h"
#include "scenario.h"

enum { DIM = 48, BATCH = 8, BATCHES_MAX = 100, ANSWERS = 5, LIMIT = 5, FORGET = 16, CALL_S = 45 };

static const aio__str tenant = {"acme", 4}, model = {"model-1", 7}, other = {"model-2", 7};
static const char scope[] = "the scope of these answers is...";

typedef struct embedding {
  aio__store *store;
  scenario_ledger *ledger;
  aio__arena arena;
  aio__op op;
  bool good;
} embedding;

static aio__op *op_of(embedding *e) {
  aio__error_init(&e->op.error);
  aio__op_init(&e->op, aio__clock_after_ms(aio__clock_system(), CALL_S * 1000), NULL, NULL);
  return &e->op;
}

/* Knowledge and cache end at once. */
static bool done(embedding *e, const char *what, aiorch_status status) {
  scenario_note(e->ledger, what, status, &e->op.error);
  e->good = e->good && status == AIORCH_OK;
  return status == AIORCH_OK;
}

/* Of unit length; two chunks of one text have the same. */
static void vector_of(aio__str text, float out[DIM]) {
  float sum = 0.0f;
  memset(out, 0, DIM * sizeof *out);
  for (size_t i = 0; i < text.n; i++) out[(unsigned char)text.p[i] * 7u % DIM] += 1.0f;
  out[0] += 1.0f;
  for (size_t i = 0; i < DIM; i++) sum += out[i] * out[i];
  float length = 1.0f; /* a root without the library for it */
  for (int i = 0; i < 40; i++) length = 0.5f * (length + sum / length);
  for (size_t i = 0; i < DIM; i++) out[i] /= length;
}

/* *left: chunks without a vector. */
static void embed_batch(embedding *e, aio__str fingerprint, bool counted, uint64_t *left) {
  aio__unembedded *chunks = NULL;
  aio__str ids[BATCH];
  float rows[BATCH * DIM];
  size_t n = 0;
  *left = 0;
  if (!done(e, "unembedded", e->store->knowledge->unembedded(e->store, op_of(e), tenant, fingerprint, BATCH, &e->arena,
                                                            &chunks, &n, left)))
    return;
  for (size_t i = 0; i < n; i++) {
    ids[i] = aio__str_z(chunks[i].chunk_id);
    vector_of(chunks[i].text, rows + i * DIM);
  }
  aio__vectors vectors = {fingerprint, DIM, rows};
  if (done(e, "mark_embedded",
           e->store->knowledge->mark_embedded(e->store, op_of(e), tenant, &vectors, ids, n)) &&
      counted)
    atomic_fetch_add(&e->ledger->embedded, (int)n);
  *left -= n;
}

static void embed_all(embedding *e, aio__str fingerprint) {
  uint64_t left = 1;
  for (int i = 0; i < BATCHES_MAX && left > 0 && e->good; i++) {
    embed_batch(e, fingerprint, false, &left);
    aio__arena_free(&e->arena);
  }
}

/* Where something failed before there may be nothing to find. */
static void search(embedding *e) {
  if (!e->good) return;
  aio__found_chunk *found = NULL;
  size_t n = 0;
  float query[DIM];
  vector_of(AIO__LIT("A dump of kind 4 is made with pg_dump"), query);
  aio__nearest_args args = {.fingerprint = model, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = LIMIT};
  if (done(e, "nearest",
           e->store->knowledge->nearest(e->store, op_of(e), tenant, &args, NULL, 0, &e->arena, &found, &n)) &&
      n == 0)
    scenario_say(e->ledger, "no chunk is near though all are embedded");
  aio__arena_free(&e->arena);
}

static void keep_answer(embedding *e, int number) {
  float row[DIM];
  char query[40], key[33];
  bool stored = false;
  (void)snprintf(query, sizeof query, "What is dump number %d?", number);
  (void)snprintf(key, sizeof key, "%032d", number);
  vector_of(aio__str_z(query), row);
  aio__vectors vector = {model, DIM, row};
  aio__cache_entry entry = {.scope = {scope, 32},
                            .key = {key, 32},
                            .query = aio__str_z(query),
                            .answer = AIO__LIT("a dump"),
                            .sources = AIO__LIT("[]"),
                            .chunks = {key, 32},
                            .created_ms = aio__clock_wall_ms(aio__clock_system()),
                            .vector = &vector};
  aio__cache_limits limits = {ANSWERS - 2, 1 << 20, 1}; /* some have to go */
  entry.expires_ms = entry.created_ms + 3600000;
  if (aio__uuid_v7(entry.created_ms, entry.id) != AIORCH_OK)
    e->good = false;
  else
    (void)done(e, "put", e->store->cache->put(e->store, op_of(e), tenant, &entry, &limits, entry.created_ms, &stored));
}

static void look_near(embedding *e) {
  if (!e->good) return;
  aio__cache_near *found = NULL;
  size_t n = 0;
  float query[DIM];
  vector_of(AIO__LIT("What is dump number 4?"), query);
  aio__nearest_args args = {.fingerprint = model, .dimensions = DIM, .query = query, .threshold = 0.9, .limit = LIMIT};
  if (done(e, "near",
           e->store->cache->near(e->store, op_of(e), tenant, (aio__str){scope, 32}, &args,
                                 aio__clock_wall_ms(aio__clock_system()), &e->arena, &found, &n)) &&
      n == 0)
    scenario_say(e->ledger, "no answer is near though there are some");
  if (n > 0) (void)done(e, "exact_only", e->store->cache->exact_only(e->store, op_of(e), tenant, aio__str_z(found[0].id)));
  aio__arena_free(&e->arena);
}

static void forget(embedding *e, aio__str fingerprint) {
  size_t removed = FORGET;
  for (int i = 0; i < BATCHES_MAX && removed == FORGET && e->good; i++)
    (void)done(e, "forget_model",
               e->store->knowledge->forget_model(e->store, op_of(e), tenant, fingerprint, FORGET, &removed));
}

bool scenario_embed(aiorch *orch, scenario_ledger *ledger) {
  embedding e = {.store = orch->store, .ledger = ledger, .good = true};
  uint64_t left = 0;
  aio__arena_init(&e.arena, aio__alloc_default(), 4096);
  embed_all(&e, model);
  embed_batch(&e, other, false, &left);
  search(&e);
  e.good = scenario_add(orch, 1, 4, ledger) && e.good;
  e.good = scenario_add(orch, 1, 5, ledger) && e.good;
  embed_all(&e, model);
  search(&e);
  for (int i = 0; i < ANSWERS; i++) keep_answer(&e, i);
  look_near(&e);
  keep_answer(&e, 4);
  forget(&e, other);
  if (e.good && scenario_add(orch, 9, 1, ledger)) /* stays as it is: what was acknowledged of it must be there */
    for (left = 1; left > 0 && e.good;) embed_batch(&e, model, true, &left);
  aio__arena_free(&e.arena);
  return e.good;
}
