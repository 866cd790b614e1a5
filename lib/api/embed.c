/* aiorch_embed: texts to vectors, by the orchestrator's embedder, in batches. */
#include <aiorch/knowledge.h>
#include <aiorch/plugin.h>

#include <string.h>

#include "api/blocking_call.h"
#include "core/text_handle.h"
#include "embedders/local/local.h"
#include "pipeline/query_vector.h"

enum { TEXTS_MAX = 4096, BATCH = 32, JSON_MAX = 256 << 20 };

typedef struct embedding {
  aiorch *orch;
  int32_t purpose;
  aio__str texts[BATCH];
  size_t count;
  int64_t deadline_ns, tokens;
  size_t truncated;
  int32_t *ids; /* of one text, when the embedder is local */
  float *unit;  /* of one text */
  aio__json_writer *w;
  aiorch_error *error;
} embedding;

static aiorch_status no_memory(const embedding *e) {
  return aio__error_set(e->error, AIORCH_E_NOMEM, "out of memory for embeddings");
}

/* Which tokens the model sees: only the local embedder says so. */
static aiorch_status put_tokens(embedding *e, aio__str text) {
  if (!e->orch->embedder_is_local) {
    aio__jw_knull(e->w, "tokens");
    aio__jw_knull(e->w, "truncated");
    return AIORCH_OK;
  }
  size_t count = 0;
  bool truncated = false;
  aiorch_status st =
    aio__local_tokens(e->orch->plugins.embedder.self, e->purpose, text, e->ids, &count, &truncated);
  if (st) return no_memory(e);
  aio__jw_key(e->w, "tokens");
  aio__jw_array(e->w);
  for (size_t i = 0; i < count; i++) aio__jw_i64(e->w, e->ids[i]);
  aio__jw_array_end(e->w);
  aio__jw_kbool(e->w, "truncated", truncated);
  return AIORCH_OK;
}

static aiorch_status put_result(embedding *e, aio__str text, const float *row, size_t dimensions) {
  if (!aio__unit_vector(row, dimensions, e->unit)) {
    return aio__error_set(e->error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave a vector without length");
  }
  aio__jw_object(e->w);
  aiorch_status st = put_tokens(e, text);
  aio__jw_key(e->w, "embedding");
  aio__jw_array(e->w);
  for (size_t i = 0; i < dimensions; i++) aio__jw_f64(e->w, (double)e->unit[i]);
  aio__jw_array_end(e->w);
  aio__jw_object_end(e->w);
  return st;
}

static aiorch_status embed_batch(embedding *e) {
  size_t dimensions = e->orch->plugins.embedder.vtbl.dimensions;
  aio__call_request request = {.tenant = AIO__LIT(""),
                               .purpose = e->purpose,
                               .texts = e->texts,
                               .text_count = e->count,
                               .dimensions = dimensions};
  aiorch_call *call = NULL;
  aiorch_status st = aio__blocking_call(e->orch, AIO__CALL_EMBED, &request, e->deadline_ns, &call, e->error);
  const aio__call_result *result = call ? aio__call_result_of(call) : NULL;
  if (st == AIORCH_OK && (result->vector_count != e->count || result->dimensions != dimensions)) {
    st = aio__error_set(e->error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave %zu vectors for %zu texts",
                        result->vector_count, e->count);
  }
  for (size_t i = 0; st == AIORCH_OK && i < e->count; i++) {
    st = put_result(e, e->texts[i], result->vectors + i * dimensions, dimensions);
  }
  if (st == AIORCH_OK) {
    e->tokens += result->usage[AIORCH_USAGE_INPUT];
    e->truncated += result->truncated;
  }
  aio__call_drop(call);
  return st;
}

static aiorch_status embed_all(embedding *e, const char *const *texts, const size_t *lens, size_t count) {
  aio__jw_object(e->w);
  aio__jw_kz(e->w, "model", e->orch->plugins.embedder.fingerprint);
  aio__jw_ki64(e->w, "dimensions", (int64_t)e->orch->plugins.embedder.vtbl.dimensions);
  aio__jw_key(e->w, "results");
  aio__jw_array(e->w);
  aiorch_status st = AIORCH_OK;
  for (size_t at = 0; at < count && st == AIORCH_OK; at += e->count) {
    e->count = count - at < BATCH ? count - at : BATCH;
    for (size_t i = 0; i < e->count; i++) e->texts[i] = aio__str_n(texts[at + i], lens[at + i]);
    st = embed_batch(e);
  }
  aio__jw_array_end(e->w);
  aio__jw_ki64(e->w, "tokens", e->tokens);
  aio__jw_ki64(e->w, "truncated", (int64_t)e->truncated);
  aio__jw_object_end(e->w);
  return st;
}

static aiorch_status check(aiorch *orch, int32_t purpose, const char *const *texts, const size_t *lens, size_t count,
                           aiorch_text **out, aiorch_error *error) {
  aio__error_clear(error);
  aiorch_status st = aio__orch_check(orch);
  if (st) return aio__error_set(error, st, "this is no open orchestrator, or one that was opened before fork()");
  if (aio__calls_inside(orch->calls)) {
    return aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  bool purposeful = purpose >= AIORCH_PURPOSE_QUERY && purpose <= AIORCH_PURPOSE_SIMILARITY;
  if (!out || !texts || !lens || count < 1 || count > TEXTS_MAX || !purposeful) {
    return aio__error_set(error, AIORCH_E_INVALID, "1 to %d texts, a purpose and a place for the result are needed",
                          TEXTS_MAX);
  }
  for (size_t i = 0; i < count; i++) {
    if (!texts[i] && lens[i] > 0) return aio__error_set(error, AIORCH_E_INVALID, "text %zu is NULL", i);
  }
  if (orch->plugins.has_embedder) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                        "there is no embedder: register one, or put a local model where \"embedder.local.path\" says "
                        "(aiorch model pull)");
}

aiorch_status aiorch_embed(aiorch *orch, int32_t purpose, const char *const *texts, const size_t *lens, size_t count,
                           int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aiorch_status st = check(orch, purpose, texts, lens, count, out, error);
  if (st) return st;
  aio__buf buf;
  aio__json_writer w;
  embedding e = {.orch = orch, .purpose = purpose, .w = &w, .error = error};
  e.deadline_ns = aio__clock_after_ms(orch->clock, timeout_ms);
  aio__buf_init(&buf, orch->al, JSON_MAX);
  aio__jw_init(&w, &buf);
  e.unit = aio__malloc(orch->al, orch->plugins.embedder.vtbl.dimensions * sizeof *e.unit);
  if (orch->embedder_is_local) {
    e.ids = aio__malloc(orch->al, aio__local_max_tokens(orch->plugins.embedder.self) * sizeof *e.ids);
  }
  st = e.unit && (e.ids || !orch->embedder_is_local) ? embed_all(&e, texts, lens, count) : no_memory(&e);
  if (st == AIORCH_OK) {
    st = aio__text_from_buf(&buf, out);
    if (st == AIORCH_E_TOO_LARGE) aio__error_set(error, st, "the vectors are above %d bytes of JSON: embed fewer", JSON_MAX);
    else if (st) st = no_memory(&e);
  }
  aio__free(orch->al, e.unit);
  aio__free(orch->al, e.ids);
  aio__buf_free(&buf);
  aio__log_flush(orch->log);
  return st;
}
