/* See query_vector.h. */
#include "pipeline/query_vector.h"

#include <math.h>
#include <string.h>

#include "text/tokens.h"

bool aio__unit_vector(const float *from, size_t dimensions, float *to) {
  double sum = 0;
  for (size_t i = 0; i < dimensions; i++) sum += (double)from[i] * (double)from[i];
  if (!(sum > 0) || !isfinite(sum)) return false;
  double scale = 1 / sqrt(sum);
  for (size_t i = 0; i < dimensions; i++) to[i] = (float)((double)from[i] * scale);
  return true;
}

void aio__query_vector_fail(aio__query_vector *vector, aiorch_status status, aio__str words) {
  vector->state = AIO__VECTOR_FAILED;
  vector->status = status;
  vector->words = words.n > 0 ? words : aio__str_z(aiorch_strerror(status));
}

aiorch_status aio__query_vector_start(aio__query_vector *vector, aiorch *orch, aio__waker *waker, aio__str tenant,
                                      aio__str run_id, aio__str text, int32_t purpose, int64_t deadline_ns) {
  const aio__plugin_embedder *e = &orch->plugins.embedder;
  aio__call_request request = {.tenant = tenant,
                               .run_id = run_id,
                               .purpose = purpose,
                               .texts = &text,
                               .text_count = 1,
                               .dimensions = e->vtbl.dimensions};
  memset(vector, 0, sizeof *vector);
  aiorch_status st = aio__call_new(orch->calls, AIO__CALL_EMBED, &request, waker, deadline_ns, 0, &vector->call);
  if (st) return st;
  vector->text = text;
  vector->purpose = purpose;
  vector->state = AIO__VECTOR_OUT;
  vector->attempt.made = !orch->embedder_is_local;
  vector->attempt.status = AIORCH_PENDING;
  vector->started_ns = aio__clock_now(orch->clock);
  aio__call_start(vector->call, e->vtbl.embed, e->vtbl.cancel, e->self, e->vtbl.flags, e->serial);
  return AIORCH_OK;
}

static void estimate(aio__query_vector *vector) {
  vector->attempt.usage.n[AIORCH_USAGE_INPUT] = (int64_t)aio__tokens_estimate(vector->text);
  vector->attempt.usage.estimated = true;
}

/* What the attempt was. Strings are copied: the call goes. */
static aiorch_status note_attempt(aio__query_vector *vector, const aiorch *orch, aio__arena *arena,
                                  const aio__call_result *result) {
  aio__embed_attempt *attempt = &vector->attempt;
  attempt->status = result->status;
  attempt->cut_off = aio__call_cut_off(vector->call, result->status);
  attempt->http_status = result->http_status;
  attempt->duration_us = (aio__clock_now(orch->clock) - vector->started_ns) / 1000;
  aio__usage_clear(&attempt->usage);
  if (result->has_usage) {
    memcpy(attempt->usage.n, result->usage, sizeof attempt->usage.n);
  } else if (result->status >= 0 || (attempt->cut_off && (result->status == AIORCH_E_CANCELLED || result->status == AIORCH_E_DEADLINE))) {
    estimate(vector);
  }
  const char *model = result->model[0] ? result->model : orch->plugins.embedder.fingerprint;
  attempt->model = aio__arena_str(arena, aio__str_z(model));
  attempt->request_id = aio__arena_str(arena, aio__str_z(result->request_id));
  return attempt->model.p && attempt->request_id.p ? AIORCH_OK : AIORCH_E_NOMEM;
}

static aiorch_status take_result(aio__query_vector *vector, aiorch *orch, aio__arena *arena,
                                 const aio__call_result *result) {
  if (result->status < 0) {
    aio__str words = aio__arena_str(arena, aio__str_z(result->message));
    aio__query_vector_fail(vector, result->status, words.p ? words : AIO__LIT(""));
    return AIORCH_OK;
  }
  if (result->vector_count != 1 || result->dimensions == 0) {
    aio__query_vector_fail(vector, AIORCH_E_PLUGIN_CONTRACT, AIO__LIT("the embedder gave no vector for the text"));
    return AIORCH_OK;
  }
  vector->unit = aio__arena_alloc(arena, result->dimensions * sizeof *vector->unit);
  if (!vector->unit) return AIORCH_E_NOMEM;
  vector->dimensions = result->dimensions;
  vector->truncated = result->truncated > 0;
  if (vector->truncated) aio__count(&orch->counters, AIO__N_EMBED_TRUNCATED);
  vector->state = AIO__VECTOR_READY;
  if (!aio__unit_vector(result->vectors, result->dimensions, vector->unit)) {
    aio__query_vector_fail(vector, AIORCH_E_PLUGIN_CONTRACT, AIO__LIT("the text's vector has no length"));
  }
  return AIORCH_OK;
}

aiorch_status aio__query_vector_poll(aio__query_vector *vector, aiorch *orch, aio__arena *arena) {
  if (vector->state != AIO__VECTOR_OUT) return AIORCH_OK;
  if (!aio__call_poll(vector->call)) return AIORCH_PENDING;
  const aio__call_result *result = aio__call_result_of(vector->call);
  aiorch_status st = note_attempt(vector, orch, arena, result);
  if (st == AIORCH_OK) st = take_result(vector, orch, arena, result);
  if (st != AIORCH_OK) aio__query_vector_fail(vector, st, AIO__LIT(""));
  aio__call_drop(vector->call);
  vector->call = NULL;
  return st;
}

void aio__query_vector_drop(aio__query_vector *vector, aiorch *orch) {
  if (vector->state != AIO__VECTOR_OUT) return;
  vector->attempt.status = AIORCH_E_CANCELLED;
  (void)aio__call_poll(vector->call); /* for its last word on whether bytes have left */
  vector->attempt.cut_off = aio__call_cut_off(vector->call, AIORCH_E_CANCELLED);
  if (vector->attempt.cut_off) estimate(vector);
  vector->attempt.duration_us = (aio__clock_now(orch->clock) - vector->started_ns) / 1000;
  aio__query_vector_fail(vector, AIORCH_E_CANCELLED, AIO__LIT(""));
  aio__call_drop(vector->call);
  vector->call = NULL;
}

bool aio__query_vector_serves(const aio__query_vector *vector, const aiorch *orch, aio__str text, int32_t purpose) {
  bool any_purpose = (orch->plugins.embedder.vtbl.flags & AIORCH_PLUGIN_ONE_PURPOSE) != 0;
  return vector->state == AIO__VECTOR_READY && (vector->purpose == purpose || any_purpose) &&
         aio__str_eq(aio__str_trim(vector->text), aio__str_trim(text));
}
