/* A run's memory: made, filled, freed. What it does is engine.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/run_state.h"

#define RUN_MAGIC UINT64_C(0x61696f2e72756e21)

enum { ARENA_BLOCK = 2048, SEARCH_BLOCK = 32768 };
enum { MESSAGES_FIRST = 4, ATTEMPTS_FIRST = 2 /* most runs make one attempt */ };
enum { ANSWER_GROWTH = 4 /* times what came: "[redacted:host]" may be longer than the host */ };

aiorch_status aio__run_check(const aiorch_run *run) {
  if (!run || run->magic != RUN_MAGIC) return AIORCH_E_INVALID;
  return aio__orch_check(run->orch);
}

aiorch_status aio__run_refuse(aiorch_run *run, aiorch_status status, const char *format, ...) {
  if (run->error.stage >= 0 && run->error.status < 0) return status;
  char text[AIO__ERROR_MESSAGE_MAX + 1];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return aio__error_set(&run->error, status, "%s", text);
}

static void on_ready(void *ctx) {
  aiorch_run *run = ctx;
  aio__sched_ready(run->orch->sched, &run->sched);
}

/* Under the orchestrator's mutex, so that a run is either seen by close or refused by it. */
static aiorch_status join_orch(aiorch_run *run, aiorch_error *error) {
  aiorch *orch = run->orch;
  aiorch_status st;
  pthread_mutex_lock(&orch->mutex);
  if (orch->closing) st = AIORCH_E_CLOSED;
  else st = aio__map_put(&orch->runs, aio__str_n(run->id, AIO__UUID_LEN), run);
  pthread_mutex_unlock(&orch->mutex);
  if (st == AIORCH_E_CLOSED) return aio__error_set(error, st, "the orchestrator is closing: no new run is accepted");
  return st ? aio__error_set(error, st, "out of memory for a new run") : AIORCH_OK;
}

aiorch_status aio__run_make(aiorch *orch, aio__str tenant, aio__str user, aiorch_run **out, aiorch_error *error) {
  aiorch_run *run = aio__calloc(orch->al, 1, sizeof *run);
  if (!run) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a new run");
  run->orch = orch;
  run->al = orch->al;
  run->options = &orch->options;
  run->status = AIORCH_PENDING;
  run->question = run->embed_attempt = SIZE_MAX;
  run->finish_reason = AIORCH_FINISH_NONE;
  run->provider = run->model = "";
  run->cost_known = true;
  run->deadline_ns = run->wake_ns = AIO__NEVER;
  run->sched.heap_index = SIZE_MAX;
  run->sched.run = run;
  run->cache_refused_by = run->cache_refused_detail = "";
  aio__error_init(&run->error);
  aio__arena_init(&run->arena, orch->al, ARENA_BLOCK);
  aio__arena_init(&run->search, orch->al, SEARCH_BLOCK);
  aio__buf_init(&run->raw, orch->al, (size_t)orch->options.response_max_bytes);
  aio__buf_init(&run->answer, orch->al, ANSWER_GROWTH * (size_t)orch->options.response_max_bytes);
  aio__buf_init(&run->event_json, orch->al, SIZE_MAX / 2);
  aio__buf_init(&run->report_json, orch->al, SIZE_MAX / 2);
  aio__buf_init(&run->system_text, orch->al, 0);
  aio__buf_init(&run->kept_json, orch->al, 0);
  run->created_ms = aio__clock_wall_ms(orch->clock);
  aiorch_status st = aio__uuid_v7_from(&run->random, run->created_ms, run->id);
  if (st) {
    aio__error_set(error, st, "the system gave no random bytes for a run's id");
    goto fail;
  }
  run->tenant = aio__arena_str(&run->arena, tenant);
  run->user = user.n ? aio__arena_str(&run->arena, user) : AIO__LIT("");
  run->settlement = aio__settlement_new(orch, tenant, user);
  bool have = run->tenant.p && run->user.p && run->settlement;
  st = have ? aio__waker_new(orch->al, orch->clock, &run->waker) : AIORCH_E_NOMEM;
  if (st) {
    aio__error_set(error, st, "out of memory for a new run");
    goto fail;
  }
  /* Whole before it is joined: from then on aiorch_close may take it. */
  aio__waker_on_ready(run->waker, on_ready, run);
  run->magic = RUN_MAGIC;
  aio__orch_retain(orch);
  if ((st = join_orch(run, error)) == AIORCH_OK) {
    *out = run;
    return AIORCH_OK;
  }
  aio__run_destroy(run);
  aio__orch_release(orch); /* not the last: the caller's is there */
  return st;

fail:
  aio__run_destroy(run);
  return st;
}

void aio__run_destroy(aiorch_run *run) {
  run->magic = 0;
  aio__waker_release(run->waker);
  aio__settlement_release(run->settlement);
  aio__buf_free(&run->raw);
  aio__buf_free(&run->answer);
  aio__buf_free(&run->event_json);
  aio__buf_free(&run->report_json);
  aio__buf_free(&run->system_text);
  aio__buf_free(&run->kept_json);
  if (run->own_options) {
    aio__options_free(run->own_options);
    aio__free(run->al, run->own_options);
  }
  for (struct aiorch_event *event = run->events, *next; event; event = next) {
    next = event->next;
    aio__run_free_event(run, event);
  }
  aio__run_free_event(run, run->event_given);
  aio__arena_free(&run->search);
  aio__arena_free(&run->arena);
  aio__free(run->al, run);
}

aiorch_status aio__run_add_message(aiorch_run *run, int32_t role, aio__str text) {
  if (role < AIORCH_ROLE_SYSTEM || role > AIORCH_ROLE_TOOL) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "a message's role is AIORCH_ROLE_SYSTEM to _TOOL, not %d",
                           (int)role);
  }
  if (run->phase != AIO__RUN_NEW) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the run has begun: messages are added before its first step");
  }
  if (run->message_count >= AIO__MESSAGES_MAX || text.n > AIO__MESSAGE_BYTES_MAX - run->message_bytes) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run has at most %d messages and %d bytes of them",
                           AIO__MESSAGES_MAX, AIO__MESSAGE_BYTES_MAX);
  }
  aio__message *messages = aio__arena_grow(&run->arena, run->messages, run->message_count, &run->message_cap, MESSAGES_FIRST, sizeof *messages);
  if (messages) run->messages = messages;
  aio__str copy = text.n ? aio__arena_str(&run->arena, text) : AIO__LIT("");
  if (!messages || !copy.p) return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for a message");
  if (role == AIORCH_ROLE_USER) run->question = run->message_count;
  run->messages[run->message_count++] = (aio__message){.role = role, .text = copy};
  run->message_bytes += text.n;
  return AIORCH_OK;
}

aio__attempt *aio__run_attempt(aiorch_run *run, int32_t kind) {
  if (run->attempt_count >= AIO__ATTEMPTS_MAX) return NULL;
  aio__attempt *attempts = aio__arena_grow(&run->arena, run->attempts, run->attempt_count, &run->attempt_cap, ATTEMPTS_FIRST, sizeof *attempts);
  if (attempts) run->attempts = attempts;
  if (!attempts || !aio__settlement_reserve(run->settlement, run->attempt_count + 1)) return NULL;
  aio__attempt *attempt = &run->attempts[run->attempt_count];
  memset(attempt, 0, sizeof *attempt);
  attempt->kind = kind;
  attempt->status = AIORCH_PENDING;
  attempt->retry_after_ms = -1;
  attempt->provider = attempt->model = attempt->request_id = attempt->message = "";
  attempt->created_ms = aio__clock_wall_ms(run->orch->clock);
  attempt->started_ns = aio__run_now(run);
  if (aio__uuid_v7_from(&run->random, attempt->created_ms, attempt->id) != AIORCH_OK) return NULL;
  run->attempt_count++;
  aio__count(&run->orch->counters, AIO__N_ATTEMPTS);
  return attempt;
}

/* Adds what an ended attempt has spent to the run. */
void aio__attempt_price(aiorch_run *run, aio__attempt *attempt) {
  attempt->cost_known = aio__prices_cost(run->orch->prices, aio__str_z(attempt->provider), aio__str_z(attempt->model),
                                         &attempt->usage, attempt->created_ms, &attempt->cost_nano_usd);
  if (!aio__usage_any(&attempt->usage) && !attempt->usage.estimated) {
    attempt->cost_known = true; /* nothing was used: whatever the price, it is 0 */
    attempt->cost_nano_usd = 0;
  }
  aio__usage_add(&run->usage, &attempt->usage);
  if (!attempt->cost_known || attempt->cost_nano_usd > INT64_MAX - run->cost_nano_usd) {
    run->cost_known = false;
    aio__count(&run->orch->counters, AIO__N_COST_UNKNOWN_PRICE);
  } else {
    run->cost_nano_usd += attempt->cost_nano_usd;
  }
}

void aio__attempt_to_row(const aiorch_run *run, const aio__attempt *attempt, aio__attempt_row *row) {
  memset(row, 0, sizeof *row);
  memcpy(row->id, attempt->id, sizeof row->id);
  memcpy(row->run_id, run->id, sizeof row->run_id);
  row->state = attempt->status == AIORCH_PENDING ? AIO__ATTEMPT_PENDING : AIO__ATTEMPT_SETTLED;
  row->kind = attempt->kind;
  row->status = attempt->status;
  row->http_status = attempt->http_status;
  row->provider = aio__str_z(attempt->provider);
  row->model = aio__str_z(attempt->model);
  row->request_id = aio__str_z(attempt->request_id);
  row->usage = attempt->usage;
  row->cost_known = attempt->cost_known;
  row->cost_nano_usd = attempt->cost_nano_usd;
  row->created_ms = attempt->created_ms;
  row->duration_us = attempt->duration_us;
  row->lease_until_ms = attempt->created_ms + run->options->deadline_ms + AIO__ATTEMPT_LEASE_MS;
}

static bool cost_of(const aiorch_run *run, const aio__usage *usage, int64_t *nano_usd) {
  *nano_usd = 0;
  if (!aio__usage_any(usage)) return true; /* nothing was used: whatever the price, it is 0 */
  return aio__prices_cost(run->orch->prices, aio__str_z(run->provider), aio__str_z(run->model), usage, run->created_ms,
                          nano_usd);
}

void aio__run_total(aiorch_run *run) {
  int64_t cost = 0;
  run->cost_known = cost_of(run, &run->host_usage, &cost);
  run->usage = run->host_usage;
  for (size_t i = 0; i < run->attempt_count; i++) {
    const aio__attempt *attempt = &run->attempts[i];
    aio__usage_add(&run->usage, &attempt->usage);
    if (!attempt->cost_known || __builtin_add_overflow(cost, attempt->cost_nano_usd, &cost)) run->cost_known = false;
  }
  run->cost_nano_usd = run->cost_known ? cost : 0;
}

bool aio__run_highest_price(aiorch_run *run, int64_t input_tokens, int64_t *nano_usd) {
  if (aio__run_find_chain(run, NULL) != AIORCH_OK) return false;
  aio__usage usage;
  aio__usage_clear(&usage);
  usage.n[AIORCH_USAGE_INPUT] = input_tokens;
  usage.n[AIORCH_USAGE_OUTPUT] = run->options->generate_max_tokens;
  bool known = false;
  int64_t highest = 0, cost = 0;
  for (size_t i = 0; i < run->chain_count; i++) {
    const aio__plugin_provider *provider = run->chain[i];
    if (!aio__prices_cost(run->orch->prices, aio__str_z(provider->name), aio__str_z(aio__run_model_for(run, provider)),
                          &usage, run->created_ms, &cost)) {
      continue;
    }
    known = true;
    if (cost > highest) highest = cost;
  }
  if (known) *nano_usd = highest;
  return known;
}
