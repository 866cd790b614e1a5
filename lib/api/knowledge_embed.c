/*
 * aiorch_knowledge_embed: takes chunks without a vector, has them embedded, and keeps the vectors: in the store, in one
 * transaction with the mark; or in a vector store plug-in, where the chunks are marked only afterwards, so that what breaks
 * off in between is done again. After the chunks come the questions of kept answers (their vectors are in the store alone:
 * a plug-in gets them one by one as answers are kept).
 *
 * Several threads may do this at once: each looks at a window of what is still to do and claims a part of it that no other
 * caller of this orchestrator has in hand (pipeline/embed_claims.h). Processes do not speak to each other: the part is a
 * random one, and two that take the same do it twice, to the same end. A chunk that goes away meanwhile would leave its vector behind:
 * chunks are looked up again after the upsert, and vectors of those gone are removed; whoever removes the chunk later removes
 * the vector himself.
 */
#include <aiorch/knowledge.h>

#include <string.h>

#include "api/blocking_call.h"
#include "pipeline/query_vector.h"

/* A batch of the local embedder is small, so that it ends soon after the time is up: what is under way is finished. */
enum { ARENA_BLOCK = 64 << 10, BATCH = 32, LOCAL_BATCH = 8, WINDOW = 8 * BATCH, GRACE_MS = 5000 };

typedef struct embedding {
  aiorch *orch;
  aio__str tenant, fingerprint;
  int64_t deadline_ns, grace_ns;
  aio__sync sync;
  aio__arena arena; /* of one batch */
  aio__unembedded *chunks;
  size_t count;    /* of the window, then of the batch */
  bool in_plugin;  /* the vectors are a plug-in's */
  bool questions;  /* of kept answers: the chunks are done */
  aio__embed_claim claim;
  uint64_t done, left, questions_left;
  aiorch_error *error;
} embedding;

static aio__store *store_of(const embedding *e) {
  return e->orch->store;
}

/* A random batch of the window: where the count is small, all of it. */
static void take_part(embedding *e) {
  uint32_t random = 0;
  size_t batch = e->orch->embedder_is_local ? LOCAL_BATCH : BATCH, parts = (e->count + batch - 1) / batch;
  if (parts < 2) return;
  if (aio__random(&random, sizeof random)) random = 0;
  size_t at = (size_t)random % parts * batch;
  e->chunks += at;
  e->count = e->count - at < batch ? e->count - at : batch;
}

static bool near_cache(const embedding *e) {
  return !e->in_plugin && strcmp(e->orch->options.cache_match, "semantic") == 0;
}

static aiorch_status look_questions(embedding *e, size_t window, uint64_t *left) {
  aio__store *store = store_of(e);
  return aio__sync_end(&e->sync,
                       store->cache->unembedded(store, &e->sync.op, e->tenant, e->fingerprint, window, &e->arena,
                                                &e->chunks, &e->count, left),
                       e->error);
}

/* What is to do next: a window of it, and how much there is in all. */
static aiorch_status look(embedding *e) {
  aio__store *store = store_of(e);
  aiorch_status st = AIORCH_OK;
  e->chunks = NULL;
  e->count = 0;
  size_t window = WINDOW + aio__embed_claims_held(&e->orch->embed_claims, e->tenant, e->questions);
  if (!e->questions) {
    if (near_cache(e)) st = look_questions(e, 0, &e->questions_left);
    if (st == AIORCH_OK)
      st = aio__sync_end(&e->sync,
                         store->knowledge->unembedded(store, &e->sync.op, e->tenant, e->fingerprint, window, &e->arena,
                                                      &e->chunks, &e->count, &e->left),
                         e->error);
    if (st || e->count > 0) return st;
    e->questions = true;
    window = WINDOW + aio__embed_claims_held(&e->orch->embed_claims, e->tenant, true);
  }
  e->left = 0;
  if (!near_cache(e)) return AIORCH_OK;
  return look_questions(e, window, &e->questions_left);
}

/* The next batch, claimed: AIORCH_OK, with a count of 0 when nothing is left; AIORCH_AGAIN when the time is up, also when all
 * that is left is in others' hands until then. They may fail, and then it is anybody's. */
static aiorch_status claim_batch(embedding *e) {
  aio__embed_claims *claims = &e->orch->embed_claims;
  aio__embed_claims_lock(claims);
  aiorch_status st;
  for (;;) {
    st = look(e);
    if (st || e->count == 0) break;
    if (aio__clock_now(e->orch->clock) >= e->deadline_ns) {
      st = AIORCH_AGAIN;
      break;
    }
    e->count = aio__embed_claims_free_of(claims, e->tenant, e->questions, e->chunks, e->count);
    if (e->count > 0) {
      take_part(e);
      e->claim = (aio__embed_claim){
        .tenant = e->tenant, .questions = e->questions, .items = e->chunks, .count = e->count};
      aio__embed_claims_take(claims, &e->claim);
      break;
    }
    aio__arena_free(&e->arena);
    if (!aio__embed_claims_wait(claims, e->orch->clock, e->deadline_ns)) {
      st = AIORCH_AGAIN;
      break;
    }
  }
  aio__embed_claims_unlock(claims);
  return st;
}

/* Embeds the batch: rows of unit length in the arena. */
static aiorch_status embed_batch(embedding *e, float **rows, size_t *dimensions) {
  aio__str *texts = aio__arena_alloc(&e->arena, e->count * sizeof *texts);
  if (!texts) return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for texts to embed");
  for (size_t i = 0; i < e->count; i++) texts[i] = e->chunks[i].text;
  aio__call_request request = {.tenant = e->tenant,
                               .purpose = e->questions ? AIORCH_PURPOSE_SIMILARITY : AIORCH_PURPOSE_PASSAGE,
                               .texts = texts,
                               .text_count = e->count,
                               .dimensions = e->orch->plugins.embedder.vtbl.dimensions};
  aiorch_call *call = NULL;
  int64_t until_ns = e->orch->embedder_is_local ? e->grace_ns : e->deadline_ns;
  aiorch_status st = aio__blocking_call(e->orch, AIO__CALL_EMBED, &request, until_ns, &call, e->error);
  if (st) goto out;
  const aio__call_result *result = aio__call_result_of(call);
  if (result->vector_count != e->count || result->dimensions == 0) {
    st = aio__error_set(e->error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave %zu vectors for %zu texts",
                        result->vector_count, e->count);
    goto out;
  }
  for (size_t i = 0; i < result->truncated; i++) aio__count(&e->orch->counters, AIO__N_EMBED_TRUNCATED);
  *dimensions = result->dimensions;
  *rows = aio__arena_alloc(&e->arena, e->count * result->dimensions * sizeof **rows);
  if (!*rows) {
    st = aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for vectors");
    goto out;
  }
  for (size_t i = 0; i < e->count; i++) {
    if (aio__unit_vector(result->vectors + i * *dimensions, *dimensions, *rows + i * *dimensions)) continue;
    st = aio__error_set(e->error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave a vector without length");
    goto out;
  }
out:
  aio__call_drop(call);
  return st;
}

static aiorch_status put_batch(embedding *e, const aio__str *ids, const float *rows, size_t dimensions) {
  aio__call_request request = {.tenant = e->tenant,
                               .collection = AIO__LIT("chunks"),
                               .ids = ids,
                               .vectors = rows,
                               .vector_count = e->count,
                               .dimensions = dimensions};
  aiorch_call *call = NULL;
  aiorch_status st = aio__blocking_call(e->orch, AIO__CALL_UPSERT, &request, e->deadline_ns, &call, e->error);
  aio__call_drop(call);
  return st;
}

/* Marks what is there still and takes the vectors of what went away out again. */
static aiorch_status mark_batch(embedding *e, aio__str *ids) {
  aio__store *store = store_of(e);
  aio__found_chunk *found = aio__arena_alloc(&e->arena, e->count * sizeof *found);
  aio__str *gone = aio__arena_alloc(&e->arena, e->count * sizeof *gone);
  if (!found || !gone) return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for marking chunks");
  aiorch_status st = aio__sync_end(
    &e->sync, store->knowledge->fetch(store, &e->sync.op, e->tenant, ids, e->count, NULL, 0, &e->arena, found),
    e->error);
  if (st) return st;
  size_t there = 0, away = 0;
  for (size_t i = 0; i < e->count; i++) {
    if (found[i].chunk_id[0])
      ids[there++] = ids[i];
    else
      gone[away++] = ids[i];
  }
  aio__forget_vectors(e->orch, e->tenant, gone, away, e->deadline_ns);
  if (there == 0) return AIORCH_OK;
  aio__vectors vectors = {.fingerprint = e->fingerprint};
  st = aio__sync_end(&e->sync, store->knowledge->mark_embedded(store, &e->sync.op, e->tenant, &vectors, ids, there),
                     e->error);
  if (st == AIORCH_OK) e->done += there;
  return st;
}

/* Into the store: vectors and marks in one transaction; what is gone meanwhile is passed over there. */
static aiorch_status keep_batch(embedding *e, const aio__str *ids, const float *rows, size_t dimensions) {
  aio__store *store = store_of(e);
  aio__vectors vectors = {.fingerprint = e->fingerprint, .dimensions = dimensions, .rows = rows};
  aiorch_status st = aio__sync_end(
    &e->sync,
    e->questions ? store->cache->mark_embedded(store, &e->sync.op, e->tenant, &vectors, ids, e->count)
                 : store->knowledge->mark_embedded(store, &e->sync.op, e->tenant, &vectors, ids, e->count),
    e->error);
  if (st == AIORCH_OK) e->done += e->count;
  return st;
}

static aiorch_status do_batch(embedding *e) {
  float *rows = NULL;
  size_t dimensions = 0;
  aio__str *ids = aio__arena_alloc(&e->arena, e->count * sizeof *ids);
  if (!ids) return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for ids");
  for (size_t i = 0; i < e->count; i++) ids[i] = aio__str_n(e->chunks[i].chunk_id, AIO__UUID_LEN);
  aiorch_status st = embed_batch(e, &rows, &dimensions);
  if (st) return st;
  if (!e->in_plugin) return keep_batch(e, ids, rows, dimensions);
  st = put_batch(e, ids, rows, dimensions);
  return st ? st : mark_batch(e, ids);
}

/* Batch after batch until nothing is left or the time is up: that is AGAIN, also when it ran out inside a batch. */
static aiorch_status embed_all(embedding *e) {
  for (;;) {
    aiorch_status st = claim_batch(e);
    if (st == AIORCH_AGAIN || (st == AIORCH_OK && e->count == 0)) return st;
    if (st == AIORCH_OK) {
      uint64_t before = e->done;
      st = do_batch(e);
      aio__embed_claims_release(&e->orch->embed_claims, &e->claim);
      uint64_t *left = e->questions ? &e->questions_left : &e->left;
      *left -= e->done - before < *left ? e->done - before : *left;
    }
    aio__arena_free(&e->arena);
    bool late = st == AIORCH_E_DEADLINE || st == AIORCH_E_CANCELLED; /* a plug-in calls it as it likes */
    if (late && aio__clock_now(e->orch->clock) >= e->deadline_ns) {
      aio__error_clear(e->error);
      return AIORCH_AGAIN;
    }
    if (st) return st;
  }
}

static aiorch_status check(aiorch *orch, int64_t max_ms, aiorch_error *error) {
  if (aio__calls_inside(orch->calls)) {
    return aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  if (max_ms < 0) return aio__error_set(error, AIORCH_E_INVALID, "max_ms must not be negative");
  if (!orch->plugins.has_embedder) {
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "there is no embedder: register one, or put a local model where \"embedder.local.path\" says "
                          "(aiorch model pull)");
  }
  return AIORCH_OK;
}

aiorch_status aiorch_knowledge_embed(aiorch *orch, const char *tenant, size_t tenant_len, int64_t max_ms,
                                     uint64_t *done, uint64_t *left, aiorch_error *error) {
  embedding e;
  memset(&e, 0, sizeof e);
  if (!tenant && tenant_len > 0) return aio__error_set(error, AIORCH_E_INVALID, "the tenant is NULL");
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant, tenant_len), &e.tenant, error);
  if (st == AIORCH_OK) st = check(orch, max_ms, error);
  /* The local embedder and the store may take a little longer: what was begun in time is to be kept. */
  int64_t grace_ms = max_ms < INT64_MAX - GRACE_MS ? max_ms + GRACE_MS : max_ms;
  if (st == AIORCH_OK) st = aio__sync_begin(&e.sync, orch, grace_ms, error);
  if (st) return st;
  e.orch = orch;
  e.error = error;
  e.in_plugin = orch->plugins.has_vector_store;
  e.fingerprint = aio__str_z(orch->plugins.embedder.fingerprint);
  e.deadline_ns = aio__clock_after_ms(orch->clock, max_ms);
  e.grace_ns = aio__clock_after_ms(orch->clock, grace_ms);
  aio__arena_init(&e.arena, orch->al, ARENA_BLOCK);
  st = embed_all(&e);
  aio__arena_free(&e.arena);
  aio__sync_free(&e.sync);
  aio__log_flush(orch->log);
  if (st >= 0 && done) *done = e.done;
  if (st >= 0 && left) *left = e.left + e.questions_left;
  return st;
}
