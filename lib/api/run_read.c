/* Reading a run: accessors over run_state.h. Whoever reads is the thread that has the run. */
#include <math.h>
#include <string.h>

#include "pipeline/run_state.h"

static aiorch_status give(const aiorch_run *run, aio__str text, const char **out, size_t *out_len) {
  aiorch_status st = aio__run_check(run);
  if (st) return st;
  if (!out) return AIORCH_E_INVALID;
  *out = text.p ? text.p : "";
  if (out_len) *out_len = text.n;
  return AIORCH_OK;
}

static bool good(const aiorch_run *run) { return aio__run_check(run) == AIORCH_OK; }

aiorch_status aiorch_run_status(const aiorch_run *run) {
  aiorch_status st = aio__run_check(run);
  if (st) return st;
  if (run->phase == AIO__RUN_ENDED) return run->status;
  return run->error.stage >= 0 && run->error.status < 0 ? run->error.status : AIORCH_PENDING;
}

const aiorch_error *aiorch_run_error(const aiorch_run *run) { return good(run) ? &run->error : NULL; }

aiorch_status aiorch_run_id(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) ? give(run, aio__str_n(run->id, AIO__UUID_LEN), out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_answer(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) ? give(run, aio__str_n(aio__buf_cstr(&run->answer), run->answer.n), out, out_len) : AIORCH_E_INVALID;
}

int32_t aiorch_run_finish_reason(const aiorch_run *run) { return good(run) ? run->finish_reason : 0; }

aiorch_status aiorch_run_provider(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) ? give(run, aio__str_z(run->provider), out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_model(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) ? give(run, aio__str_z(run->model), out, out_len) : AIORCH_E_INVALID;
}

/* ---- sources ---- */

static const aio__source *source_at(const aiorch_run *run, size_t index) {
  return good(run) && index < run->source_count ? &run->sources[index] : NULL;
}

size_t aiorch_run_source_count(const aiorch_run *run) { return good(run) ? run->source_count : 0; }

aiorch_status aiorch_run_source_document_id(const aiorch_run *run, size_t index, const char **out, size_t *out_len) {
  const aio__source *s = source_at(run, index);
  return s ? give(run, aio__str_z(s->document_id), out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_source_title(const aiorch_run *run, size_t index, const char **out, size_t *out_len) {
  const aio__source *s = source_at(run, index);
  return s ? give(run, s->title, out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_source_uri(const aiorch_run *run, size_t index, const char **out, size_t *out_len) {
  const aio__source *s = source_at(run, index);
  return s ? give(run, s->uri, out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_source_text(const aiorch_run *run, size_t index, const char **out, size_t *out_len) {
  const aio__source *s = source_at(run, index);
  return s ? give(run, s->text, out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_source_range(const aiorch_run *run, size_t index, uint64_t *start, uint64_t *end) {
  const aio__source *s = source_at(run, index);
  if (!s) return AIORCH_E_INVALID;
  if (start) *start = s->start;
  if (end) *end = s->end;
  return AIORCH_OK;
}

aiorch_status aiorch_run_source_score(const aiorch_run *run, size_t index, double *score, double *similarity) {
  const aio__source *s = source_at(run, index);
  if (!s) return AIORCH_E_INVALID;
  if (score) *score = s->score;
  if (similarity) *similarity = s->similarity;
  return AIORCH_OK;
}

/* ---- usage and cost ---- */

int64_t aiorch_run_usage(const aiorch_run *run, int32_t usage_class) {
  return good(run) && usage_class >= 0 && usage_class < AIORCH_USAGE_COUNT ? run->usage.n[usage_class] : 0;
}

int32_t aiorch_run_usage_estimated(const aiorch_run *run) { return good(run) && run->usage.estimated; }

aiorch_status aiorch_run_cost(const aiorch_run *run, int64_t *nano_usd) {
  if (!good(run) || !nano_usd) return AIORCH_E_INVALID;
  if (!run->cost_known) return AIORCH_E_NOT_FOUND;
  *nano_usd = run->cost_nano_usd;
  return AIORCH_OK;
}

/* ---- limits ---- */

/* The ledger says what is used of the first constraint, or of the one that refused: of runs, when those are limited. */
aiorch_status aiorch_run_rate_limit(const aiorch_run *run, int64_t *limit, int64_t *remaining, int64_t *reset_ms) {
  if (!good(run)) return AIORCH_E_INVALID;
  int32_t outcome = run->stages[AIORCH_STAGE_RATE_LIMIT].outcome;
  /* Of a run that did not wait for its admission the ledger may still be writing it. */
  if (outcome != AIORCH_OUTCOME_OK && outcome != AIORCH_OUTCOME_REFUSED) return AIORCH_E_NOT_FOUND;
  size_t at = run->admission.admitted || run->admission.violated < 0 ? 0 : (size_t)run->admission.violated;
  if (at >= run->constraint_count || run->constraints[at].kind != AIO__LIMIT_RUNS) return AIORCH_E_NOT_FOUND;
  const aio__constraint *c = &run->constraints[at];
  int64_t left = c->limit - run->admission.used;
  if (limit) *limit = c->limit;
  if (remaining) *remaining = left > 0 && run->admission.admitted ? left : 0;
  if (reset_ms) *reset_ms = c->window_ms;
  return AIORCH_OK;
}

/* ---- cache ---- */

int32_t aiorch_run_cache_outcome(const aiorch_run *run) { return good(run) ? run->cache_outcome : AIORCH_CACHE_OFF; }

aiorch_status aiorch_run_cache_entry(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) ? give(run, aio__str_z(run->entry_id), out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_run_cache_refused(const aiorch_run *run, const char **guard, const char **detail) {
  if (!good(run) || !guard) return AIORCH_E_INVALID;
  *guard = run->cache_refused_by;
  if (detail) *detail = run->cache_refused_detail;
  return AIORCH_OK;
}

/* ---- stages and attempts ---- */

int32_t aiorch_run_stage_outcome(const aiorch_run *run, int32_t stage) {
  return good(run) && stage >= 0 && stage < AIORCH_STAGE_COUNT ? run->stages[stage].outcome : AIORCH_OUTCOME_SKIPPED;
}

int64_t aiorch_run_stage_us(const aiorch_run *run, int32_t stage) {
  return good(run) && stage >= 0 && stage < AIORCH_STAGE_COUNT ? run->stages[stage].us : 0;
}

int64_t aiorch_run_duration_us(const aiorch_run *run) {
  if (!good(run) || run->phase == AIO__RUN_NEW) return 0;
  return ((run->phase == AIO__RUN_ENDED ? run->ended_ns : aio__run_now(run)) - run->started_ns) / 1000;
}

static const aio__attempt *attempt_at(const aiorch_run *run, size_t index) {
  return good(run) && index < run->attempt_count ? &run->attempts[index] : NULL;
}

size_t aiorch_run_attempt_count(const aiorch_run *run) { return good(run) ? run->attempt_count : 0; }

aiorch_status aiorch_run_attempt(const aiorch_run *run, size_t index, int32_t *kind, aiorch_status *outcome,
                                 int32_t *http_status, int64_t *duration_us) {
  const aio__attempt *a = attempt_at(run, index);
  if (!a) return AIORCH_E_INVALID;
  if (kind) *kind = a->kind;
  if (outcome) *outcome = a->status;
  if (http_status) *http_status = a->http_status;
  if (duration_us) *duration_us = a->duration_us;
  return AIORCH_OK;
}

aiorch_status aiorch_run_attempt_names(const aiorch_run *run, size_t index, const char **provider, const char **model,
                                       const char **request_id) {
  const aio__attempt *a = attempt_at(run, index);
  if (!a) return AIORCH_E_INVALID;
  if (provider) *provider = a->provider;
  if (model) *model = a->model;
  if (request_id) *request_id = a->request_id;
  return AIORCH_OK;
}

int64_t aiorch_run_attempt_usage(const aiorch_run *run, size_t index, int32_t usage_class) {
  const aio__attempt *a = attempt_at(run, index);
  return a && usage_class >= 0 && usage_class < AIORCH_USAGE_COUNT ? a->usage.n[usage_class] : 0;
}

aiorch_status aiorch_run_attempt_cost(const aiorch_run *run, size_t index, int64_t *nano_usd) {
  const aio__attempt *a = attempt_at(run, index);
  if (!a || !nano_usd) return AIORCH_E_INVALID;
  if (!a->cost_known) return AIORCH_E_NOT_FOUND;
  *nano_usd = a->cost_nano_usd;
  return AIORCH_OK;
}

/* ---- events ---- */

int32_t aiorch_event_type(const aiorch_event *event) { return event ? event->type : 0; }
int32_t aiorch_event_stage(const aiorch_event *event) { return event ? event->stage : -1; }
int32_t aiorch_event_outcome(const aiorch_event *event) { return event ? event->outcome : 0; }
aiorch_status aiorch_event_status(const aiorch_event *event) { return event ? event->status : AIORCH_OK; }
size_t aiorch_event_index(const aiorch_event *event) { return event ? event->index : 0; }

aiorch_status aiorch_event_text(const aiorch_event *event, const char **out, size_t *out_len) {
  if (!event || !out) return AIORCH_E_INVALID;
  *out = event->text.p ? event->text.p : "";
  if (out_len) *out_len = event->text.n;
  return AIORCH_OK;
}
