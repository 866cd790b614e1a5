/* Stage 4: what do the tenant's documents say about it? The work is retrieval.c's; this puts its result on the run. */
#include <string.h>

#include "pipeline/stages.h"

/* Retrieval for a question in the place of the run's own: its own, or the one that a near answer was kept for. */
static aiorch_status ask(aiorch_run *run, aio__str question) {
  aio__retrieval *r = &run->retrieval;
  aio__retrieval_init(r);
  aio__str *turns = aio__arena_alloc(&run->arena, run->message_count * sizeof *turns);
  if (!turns) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t i = 0; i < run->question; i++) {
    if (run->messages[i].role == AIORCH_ROLE_USER) turns[n++] = run->messages[i].text;
  }
  turns[n++] = question;
  aiorch_status st = aio__retrieval_query(&run->arena, turns, n, &r->query);
  if (st) return st;
  r->orch = run->orch;
  r->arena = &run->search;
  r->waker = run->waker;
  r->options = run->options;
  r->tenant = run->tenant;
  r->run_id = aio__str_n(run->id, AIO__UUID_LEN);
  r->filters = run->filters;
  r->filter_count = run->filter_count;
  r->limit = (size_t)run->options->retrieve_top_k;
  r->token_budget = run->options->retrieve_context_tokens;
  r->deadline_ns = run->deadline_ns;
  if (aio__query_vector_serves(&run->question_vector, run->orch, r->query, AIORCH_PURPOSE_QUERY)) {
    r->vector = run->question_vector;
    memset(&r->vector.attempt, 0, sizeof r->vector.attempt); /* it was accounted for where it was made */
  }
  run->retrieving = true;
  return AIORCH_OK;
}

static aiorch_status begin(aiorch_run *run, aio__str question) {
  aiorch_status st = run->retrieving ? AIORCH_OK : ask(run, question);
  aio__query_vector *vector = &run->retrieval.vector;
  bool embeds = run->orch->plugins.has_embedder && run->options->retrieve_weight_vector > 0;
  if (st || !embeds || vector->state != AIO__VECTOR_NONE) return st;
  st = aio__run_embed_record(run);
  if (st == AIORCH_PENDING || st == AIORCH_E_NOMEM || st == AIORCH_OK) return st;
  aio__query_vector_fail(vector, st, AIO__LIT("its row could not be written before it was sent"));
  return AIORCH_OK;
}

static void move_text(aio__str *text, char **room) {
  char *copy = *room;
  if (text->n > 0) memcpy(copy, text->p, text->n);
  copy[text->n] = '\0';
  *room += text->n + 1;
  *text = aio__str_n(copy, text->n);
}

/* The sources go into the run's own memory, and what the search has worked with, most of it texts that were not chosen, is freed. */
static aiorch_status keep_result(aiorch_run *run) {
  aio__retrieval *r = &run->retrieval;
  aio__query_vector *vector = &r->vector;
  aio__source *sources = aio__arena_room(&run->arena, (r->source_count + 1) * sizeof *sources);
  size_t bytes = 0;
  for (size_t i = 0; i < r->source_count; i++) bytes += r->sources[i].title.n + r->sources[i].uri.n + r->sources[i].text.n + 3;
  char *room = aio__arena_room(&run->arena, bytes);
  if (!sources || !room) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < r->source_count; i++) {
    sources[i] = r->sources[i];
    move_text(&sources[i].title, &room);
    move_text(&sources[i].uri, &room);
    move_text(&sources[i].text, &room);
  }
  if (vector->state == AIO__VECTOR_READY && vector->unit != run->question_vector.unit) {
    float *unit = aio__arena_alloc(&run->arena, vector->dimensions * sizeof *unit);
    if (!unit) return AIORCH_E_NOMEM;
    memcpy(unit, vector->unit, vector->dimensions * sizeof *unit);
    vector->unit = unit;
  }
  vector->words = vector->attempt.model = vector->attempt.request_id = AIO__LIT("");
  r->sources = sources;
  r->work = NULL;
  aio__arena_free(&run->search);
  return AIORCH_OK;
}

aiorch_status aio__run_retrieve_step(aiorch_run *run, aio__str question) {
  aiorch_status st = run->retrieved ? AIORCH_OK : begin(run, question);
  if (st == AIORCH_OK && !run->retrieved) st = aio__retrieval_step(&run->retrieval);
  if (st == AIORCH_PENDING) {
    aio__run_wake_at(run, run->retrieving ? aio__retrieval_wakes_at(&run->retrieval) : AIO__NEVER);
    return st;
  }
  if (st == AIORCH_OK && !run->retrieved) {
    run->retrieved = true;
    st = aio__run_embed_note(run, &run->retrieval.vector);
    if (st == AIORCH_OK) st = keep_result(run);
  }
  if (st == AIORCH_OK) return st;
  return aio__run_fail(run, run->current, st,
                       st == AIORCH_E_NOMEM ? "out of memory in retrieval" : "retrieval did not end in time");
}

void aio__run_retrieve_again(aiorch_run *run) {
  run->retrieving = run->retrieved = false;
}

aiorch_status aio__stage_retrieve(aiorch_run *run) {
  aiorch_status st = aio__run_retrieve_step(run, run->messages[run->question].text);
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
