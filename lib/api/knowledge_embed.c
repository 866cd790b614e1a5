/*
 * aiorch_knowledge_embed: takes chunks without a vector, has them embedded, puts the vectors into the vector store, and
 * only then marks the chunks, so that what breaks off in between is done again.
 *
 * Several threads and processes may do this at once without speaking to each other. Each looks at a window of what is
 * still to do and takes a random part of it; two that take the same part do it twice, to the same end. A chunk that
 * goes away meanwhile would leave its vector behind: chunks are looked up again after the upsert, and vectors of those
 * gone are removed; whoever removes the chunk later removes the vector himself.
 */
#include <aiorch/knowledge.h>

#include <string.h>

#include "api/blocking_call.h"
#include "pipeline/retrieval.h"

enum { ARENA_BLOCK = 64 << 10, BATCH = 32, WINDOW = 8 * BATCH, STORE_GRACE_MS = 5000 };

typedef struct embedding {
  aiorch *orch;
  aio__str tenant, fingerprint;
  int64_t deadline_ns;
  aio__sync sync;
  aio__arena arena; /* of one batch */
  aio__unembedded *chunks;
  size_t count; /* of the window, then of the batch */
  uint64_t done, left;
  aiorch_error *error;
} embedding;

static aio__store *store_of(const embedding *e) {
  return e->orch->store;
}

/* A random batch of the window: where the count is small, all of it. */
static void take_part(embedding *e) {
  uint32_t random = 0;
  size_t parts = (e->count + BATCH - 1) / BATCH;
  if (parts < 2) return;
  if (aio__random(&random, sizeof random)) random = 0;
  size_t at = (size_t)random % parts * BATCH;
  e->chunks += at;
  e->count = e->count - at < BATCH ? e->count - at : BATCH;
}

static aiorch_status look(embedding *e) {
  aio__store *store = store_of(e);
  e->chunks = NULL;
  e->count = 0;
  return aio__sync_end(&e->sync,
                       store->knowledge->unembedded(store, &e->sync.op, e->tenant, e->fingerprint, WINDOW, &e->arena,
                                                    &e->chunks, &e->count, &e->left),
                       e->error);
}

/* Embeds the batch: rows of unit length in the arena. */
static aiorch_status embed_batch(embedding *e, float **rows, size_t *dimensions) {
  aio__str *texts = aio__arena_alloc(&e->arena, e->count * sizeof *texts);
  if (!texts) return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for texts to embed");
  for (size_t i = 0; i < e->count; i++) texts[i] = e->chunks[i].text;
  aio__call_request request = {.tenant = e->tenant,
                               .purpose = AIORCH_PURPOSE_PASSAGE,
                               .texts = texts,
                               .text_count = e->count,
                               .dimensions = e->orch->plugins.embedder.vtbl.dimensions};
  aiorch_call *call = NULL;
  aiorch_status st = aio__blocking_call(e->orch, AIO__CALL_EMBED, &request, e->deadline_ns, &call, e->error);
  if (st) goto out;
  const aio__call_result *result = aio__call_result_of(call);
  if (result->vector_count != e->count || result->dimensions == 0) {
    st = aio__error_set(e->error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave %zu vectors for %zu texts",
                        result->vector_count, e->count);
    goto out;
  }
  *dimensions = result->dimensions;
  *rows = aio__arena_alloc(&e->arena, e->count * result->dimensions * sizeof **rows);
  if (!*rows) {
    st = aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for vectors");
    goto out;
  }
  for (size_t i = 0; i < e->count; i++) {
    if (aio__retrieval_unit(result->vectors + i * *dimensions, *dimensions, *rows + i * *dimensions)) continue;
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

static aiorch_status do_batch(embedding *e) {
  float *rows = NULL;
  size_t dimensions = 0;
  aio__str *ids = aio__arena_alloc(&e->arena, e->count * sizeof *ids);
  if (!ids) return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for ids");
  for (size_t i = 0; i < e->count; i++) ids[i] = aio__str_n(e->chunks[i].chunk_id, AIO__UUID_LEN);
  aiorch_status st = embed_batch(e, &rows, &dimensions);
  if (st == AIORCH_OK) st = put_batch(e, ids, rows, dimensions);
  if (st == AIORCH_OK) st = mark_batch(e, ids);
  return st;
}

/* Batch after batch until nothing is left or the time is up: that is AGAIN, also when it ran out inside a batch. */
static aiorch_status embed_all(embedding *e) {
  for (;;) {
    aiorch_status st = look(e);
    if (st == AIORCH_OK && e->count == 0) return AIORCH_OK;
    if (st == AIORCH_OK && aio__clock_now(e->orch->clock) >= e->deadline_ns) return AIORCH_AGAIN;
    if (st == AIORCH_OK) {
      uint64_t before = e->done;
      take_part(e);
      st = do_batch(e);
      e->left -= e->done - before < e->left ? e->done - before : e->left;
    }
    aio__arena_free(&e->arena);
    if (st == AIORCH_E_DEADLINE && aio__clock_now(e->orch->clock) >= e->deadline_ns) {
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
  if (!orch->plugins.embedder.fingerprint || !orch->plugins.vector_store.vtbl.upsert) {
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "embedding needs a registered embedder and a vector store");
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
  /* The store may take a little longer: what was embedded in time is to be marked. */
  int64_t store_ms = max_ms < INT64_MAX - STORE_GRACE_MS ? max_ms + STORE_GRACE_MS : max_ms;
  if (st == AIORCH_OK) st = aio__sync_begin(&e.sync, orch, store_ms, error);
  if (st) return st;
  e.orch = orch;
  e.error = error;
  e.fingerprint = aio__str_z(orch->plugins.embedder.fingerprint);
  e.deadline_ns = aio__clock_after_ms(orch->clock, max_ms);
  aio__arena_init(&e.arena, orch->al, ARENA_BLOCK);
  st = embed_all(&e);
  aio__arena_free(&e.arena);
  aio__sync_free(&e.sync);
  aio__log_flush(orch->log);
  if (st >= 0 && done) *done = e.done;
  if (st >= 0 && left) *left = e.left;
  return st;
}
