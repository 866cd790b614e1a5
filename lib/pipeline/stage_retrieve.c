/* Stage 4: what do the tenant's documents say about it? The work is retrieval.c's; this puts its result on the run. */
#include "pipeline/stages.h"

static aiorch_status ask(aiorch_run *run) {
  aio__retrieval *r = &run->retrieval;
  aio__retrieval_init(r);
  aio__str *turns = aio__arena_alloc(&run->arena, run->message_count * sizeof *turns);
  if (!turns) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t i = 0; i <= run->question; i++) {
    if (run->messages[i].role == AIORCH_ROLE_USER) turns[n++] = run->messages[i].text;
  }
  aiorch_status st = aio__retrieval_query(&run->arena, turns, n, &r->query);
  if (st) return st;
  r->orch = run->orch;
  r->arena = &run->arena;
  r->waker = run->waker;
  r->options = run->options;
  r->tenant = run->tenant;
  r->run_id = aio__str_n(run->id, AIO__UUID_LEN);
  r->filters = run->filters;
  r->filter_count = run->filter_count;
  r->limit = (size_t)run->options->retrieve_top_k;
  r->token_budget = run->options->retrieve_context_tokens;
  r->deadline_ns = run->deadline_ns;
  run->retrieving = true;
  return AIORCH_OK;
}

/* The query's embedding is an attempt like any other: it has a row and a price. */
aiorch_status aio__run_note_embedding(aiorch_run *run) {
  const aio__embed_attempt *embed = &run->retrieval.embed;
  if (!embed->made || run->embed_noted) return AIORCH_OK;
  aio__attempt *attempt = aio__run_attempt(run, AIORCH_ATTEMPT_EMBED);
  if (!attempt) return AIORCH_E_NOMEM;
  run->embed_noted = true;
  attempt->created_ms = embed->started_wall_ms;
  attempt->status = embed->status;
  attempt->http_status = embed->http_status;
  attempt->duration_us = embed->duration_us;
  attempt->usage = embed->usage;
  attempt->provider = "embedder";
  aio__str model = embed->model.n ? embed->model : aio__str_z(run->orch->plugins.embedder.fingerprint);
  const char *name = aio__arena_strn(&run->arena, model.p, model.n);
  const char *request_id = aio__arena_strn(&run->arena, embed->request_id.p, embed->request_id.n);
  if (!name || !request_id) {
    run->cost_known = false;
    return AIORCH_E_NOMEM;
  }
  attempt->model = name;
  attempt->request_id = request_id;
  if (embed->status < 0) aio__count(&run->orch->counters, AIO__N_ATTEMPTS_FAILED);
  aio__attempt_price(run, attempt);
  /* Sent and cut off: what it has cost nobody knows. */
  if (embed->status == AIORCH_E_CANCELLED && !aio__usage_any(&embed->usage)) attempt->cost_known = run->cost_known = false;
  return AIORCH_OK;
}

aiorch_status aio__run_retrieve_step(aiorch_run *run) {
  aiorch_status st = run->retrieved || run->retrieving ? AIORCH_OK : ask(run);
  if (st == AIORCH_OK && !run->retrieved) st = aio__retrieval_step(&run->retrieval);
  if (st == AIORCH_PENDING) return st;
  if (st == AIORCH_OK && !run->retrieved) {
    run->retrieved = true;
    st = aio__run_note_embedding(run);
  }
  if (st == AIORCH_OK) return st;
  return aio__run_fail(run, run->current, st,
                       st == AIORCH_E_NOMEM ? "out of memory in retrieval" : "retrieval did not end in time");
}

aiorch_status aio__stage_retrieve(aiorch_run *run) {
  aiorch_status st = aio__run_retrieve_step(run);
  if (st) return st;
  const aio__retrieval *r = &run->retrieval;
  run->sources = r->sources;
  run->source_count = r->source_count;
  if (r->degraded) {
    run->stages[AIORCH_STAGE_RETRIEVE].outcome = AIORCH_OUTCOME_DEGRADED;
    aio__count(&run->orch->counters, AIO__N_RETRIEVE_DEGRADED);
    aio__run_warn(run, AIORCH_STAGE_RETRIEVE, r->why.status, "retrieval went on without a part of it: %s",
                  r->why.message);
  }
  for (size_t i = 0; i < run->source_count; i++) {
    struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_SOURCE, AIORCH_STAGE_RETRIEVE);
    if (event) event->index = i;
  }
  return AIORCH_OK;
}
