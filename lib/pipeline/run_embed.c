/*
 * What a run embeds, and how that is accounted for: an embedding that a plug-in makes is an attempt like any other, recorded
 * as pending before it is sent and settled with the run. The local embedder spends nothing and leaves no attempt.
 */
#include "pipeline/stages.h"

static bool needs_row(const aiorch_run *run) {
  return !run->orch->embedder_is_local && !run->preview;
}

static aiorch_status recorded(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st >= 0) {
    run->embed_recorded = true;
    return AIORCH_OK;
  }
  aio__attempt *attempt = &run->attempts[run->embed_attempt];
  attempt->status = st;
  attempt->cost_known = true; /* nothing was sent */
  attempt->message = "its row could not be written before it was sent";
  run->embed_attempt = SIZE_MAX;
  return st;
}

aiorch_status aio__run_embed_record(aiorch_run *run) {
  if (run->embed_recorded || !needs_row(run)) return AIORCH_OK;
  if (run->embed_attempt != SIZE_MAX) return recorded(run, aio__run_op_poll(run));
  aio__attempt *attempt = aio__run_attempt(run, AIORCH_ATTEMPT_EMBED);
  if (!attempt) return AIORCH_E_NOMEM;
  run->embed_attempt = run->attempt_count - 1;
  attempt->provider = run->orch->embedder_name;
  attempt->model = run->orch->plugins.embedder.fingerprint;
  aio__attempt_to_row(run, attempt, &run->attempt_row);
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return recorded(run, aio__run_op(run, store->ledger->attempt(store, op, run->tenant, &run->attempt_row)));
}

aiorch_status aio__run_embed_note(aiorch_run *run, const aio__query_vector *vector) {
  if (run->embed_attempt == SIZE_MAX) return AIORCH_OK;
  aio__attempt *attempt = &run->attempts[run->embed_attempt];
  const aio__embed_attempt *embed = &vector->attempt;
  run->embed_attempt = SIZE_MAX;
  run->embed_recorded = false;
  attempt->status = embed->made ? embed->status : AIORCH_E_CANCELLED;
  attempt->http_status = embed->http_status;
  attempt->duration_us = embed->duration_us;
  attempt->usage = embed->usage;
  if (embed->made && embed->status < 0) aio__count(&run->orch->counters, AIO__N_ATTEMPTS_FAILED);
  aiorch_status st = AIORCH_OK;
  if (embed->model.n > 0) {
    const char *model = aio__arena_strn(&run->arena, embed->model.p, embed->model.n);
    const char *request_id = aio__arena_strn(&run->arena, embed->request_id.p, embed->request_id.n);
    if (model && request_id) {
      attempt->model = model;
      attempt->request_id = request_id;
    } else {
      st = AIORCH_E_NOMEM;
    }
  }
  aio__attempt_price(run, attempt);
  if (embed->made && embed->cut_off && !aio__usage_any(&embed->usage)) attempt->cost_known = run->cost_known = false;
  return st;
}

aiorch_status aio__run_question_vector(aiorch_run *run) {
  aio__query_vector *v = &run->question_vector;
  if (v->state == AIO__VECTOR_NONE) {
    aiorch_status st = aio__run_embed_record(run);
    if (st == AIORCH_PENDING || st == AIORCH_E_NOMEM) return st;
    if (st) {
      aio__query_vector_fail(v, st, AIO__LIT("its row could not be written before it was sent"));
      return AIORCH_OK;
    }
    st = aio__query_vector_start(v, run->orch, run->waker, run->tenant, aio__str_n(run->id, AIO__UUID_LEN),
                                 run->messages[run->question].text, AIORCH_PURPOSE_SIMILARITY, run->deadline_ns);
    if (st) return st;
  }
  if (v->state == AIO__VECTOR_OUT) {
    aiorch_status st = aio__query_vector_poll(v, run->orch, &run->arena);
    if (st == AIORCH_PENDING) {
      aio__run_wake_at(run, aio__call_wakes_at(v->call));
      return st;
    }
    aiorch_status noted = aio__run_embed_note(run, v);
    if (st || noted) return st ? st : noted;
  }
  return AIORCH_OK;
}

void aio__run_embed_end(aiorch_run *run) {
  bool question = run->question_vector.state == AIO__VECTOR_OUT;
  aio__query_vector_drop(&run->question_vector, run->orch);
  if (run->retrieving) aio__retrieval_drop(&run->retrieval);
  (void)aio__run_embed_note(run, question ? &run->question_vector : &run->retrieval.vector);
  aio__call_drop(run->vector_call);
  run->vector_call = NULL;
}
