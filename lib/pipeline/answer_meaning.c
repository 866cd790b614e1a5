/*
 * How near the sentences of the sources are to the question: what the extractive provider asks while it answers. The local embedder
 * makes their vectors, in one call, until the run is cancelled or late; a plug-in is not asked, which would be an attempt that
 * costs, for an answer that costs nothing.
 */
#include <string.h>

#include "embedders/known_models.h"
#include "embedders/local/local.h"
#include "pipeline/run_state.h"
#include "stores/vector_rows.h"

static bool is_over(void *ctx) {
  const aiorch_run *run = ctx;
  return atomic_load_explicit(&run->cancelled, memory_order_acquire) || aio__run_now(run) >= run->deadline_ns;
}

/* The vector that found the sources, where there is one: it knows the turns before the question. */
static aiorch_status question_vector(aiorch_run *run, const aio__local *local, float *out) {
  const aio__query_vector *found = &run->retrieval.vector;
  size_t dimensions = aio__local_dimensions(local), tokens, truncated;
  if (found->state == AIO__VECTOR_READY && found->purpose == AIORCH_PURPOSE_QUERY && found->dimensions == dimensions) {
    memcpy(out, found->unit, dimensions * sizeof *out);
    return AIORCH_OK;
  }
  if (run->question == SIZE_MAX) return AIORCH_E_INVALID;
  aio__str question = run->messages[run->question].text;
  return aio__local_embed(local, AIORCH_PURPOSE_QUERY, &question, 1, out, &tokens, &truncated, is_over, run);
}

static aiorch_status similarities(void *ctx, const aio__str *texts, size_t count, double *out) {
  aiorch_run *run = ctx;
  const aio__local *local = run->orch->plugins.embedder.self;
  size_t dimensions = aio__local_dimensions(local), tokens, truncated;
  float *rows = aio__malloc(run->orch->al, (count + 1) * dimensions * sizeof *rows);
  if (!rows) return AIORCH_E_NOMEM;
  aiorch_status st = question_vector(run, local, rows);
  if (st == AIORCH_OK) {
    st = aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, texts, count, rows + dimensions, &tokens, &truncated, is_over, run);
  }
  for (size_t i = 0; i < count && st == AIORCH_OK; i++) {
    out[i] = aio__vector_cosine(rows, rows + (i + 1) * dimensions, dimensions);
  }
  aio__free(run->orch->al, rows);
  return st;
}

const aio__call_meaning *aio__run_meaning(aiorch_run *run) {
  const aiorch *orch = run->orch;
  if (!orch->plugins.embedder.vtbl.embed) return NULL;
  const aio__known_model *known = aio__known_model_find(aio__str_z(orch->plugins.embedder.fingerprint));
  aio__call_meaning *meaning = known ? aio__arena_alloc(&run->arena, sizeof *meaning) : NULL;
  if (!meaning) return NULL;
  *meaning = (aio__call_meaning){.far = known->answer_far, .near = known->answer_near};
  if (orch->embedder_is_local) {
    meaning->similarities = similarities;
    meaning->ctx = run;
  }
  return meaning;
}
