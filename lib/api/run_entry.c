/* aiorch_run_* and aiorch_stage_*: a run from outside. Each entry takes the run
 * (pipeline/run_hold.c), so that a callback that comes back in is told so instead of being let in twice. */
#include <string.h>

#include "api/filter_json.h"
#include "pipeline/stages.h"

aiorch_status aiorch_run_new(aiorch *orch, const char *tenant, size_t tenant_len, const char *user, size_t user_len,
                             aiorch_run **out) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (!out || (!tenant && tenant_len) || (!user && user_len)) return AIORCH_E_INVALID;
  aio__str who;
  st = aio__orch_enter(orch, aio__str_n(tenant, tenant_len), &who, NULL);
  if (st == AIORCH_OK && user_len == 0 && !orch->options.anonymous) st = AIORCH_E_INVALID;
  if (st == AIORCH_OK) st = aio__check_name(aio__str_n(user, user_len), "the user", NULL);
  return st ? st : aio__run_make(orch, who, aio__str_n(user, user_len), out, NULL);
}

void aiorch_run_free(aiorch_run *run) { aio__run_free(run); }

/* ---- filling ---- */

aiorch_status aiorch_run_add_message(aiorch_run *run, int32_t role, const char *text, size_t len) {
  if (!text && len > 0) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = aio__run_add_message(run, role, aio__str_n(text, len));
  (void)aio__run_give_back(run);
  return st;
}

static aiorch_status own_options(aiorch_run *run) {
  if (run->own_options) return AIORCH_OK;
  aio__options *own = aio__calloc(run->al, 1, sizeof *own);
  if (!own) return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for the run's settings");
  aiorch_status st = aio__options_copy(own, run->options);
  if (st) {
    aio__free(run->al, own);
    return aio__run_refuse(run, st, "out of memory for the run's settings");
  }
  run->own_options = own;
  run->options = own;
  return AIORCH_OK;
}

aiorch_status aiorch_run_set_option(aiorch_run *run, const char *key, const char *value, size_t len) {
  if (!key || (!value && len > 0)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  if (run->phase != AIO__RUN_NEW) {
    st = aio__run_refuse(run, AIORCH_E_STATE, "the run has begun: settings are made before its first step");
  } else {
    st = own_options(run);
    bool failed = run->error.stage >= 0; /* its words stay */
    if (st == AIORCH_OK) {
      st = aio__options_set_text(run->own_options, aio__str_z(key), aio__str_n(value, len), true,
                                 failed ? NULL : &run->error);
    }
  }
  (void)aio__run_give_back(run);
  return st;
}

/* False: out of memory. A bound that is open stays so. */
static bool copy_text(aiorch_run *run, aio__str text, aio__str *out) {
  *out = text.p ? aio__arena_str(&run->arena, text) : text;
  return !text.p || out->p;
}

static aiorch_status add_filter(aiorch_run *run, const aio__filter *filter) {
  if (run->phase != AIO__RUN_NEW) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the run has begun: filters are added before its first step");
  }
  if (run->filter_count >= AIO__FILTERS_MAX) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run has at most %d filters", AIO__FILTERS_MAX);
  }
  const char *fault = aio__filter_fault(filter);
  if (fault) return aio__run_refuse(run, AIORCH_E_INVALID, "%s", fault);
  if (!run->filters) run->filters = aio__arena_alloc(&run->arena, AIO__FILTERS_MAX * sizeof *run->filters);
  aio__filter own = {.kind = filter->kind};
  if (!run->filters || !copy_text(run, filter->name, &own.name) || !copy_text(run, filter->value, &own.value) ||
      !copy_text(run, filter->to, &own.to)) {
    return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for a filter");
  }
  run->filters[run->filter_count++] = own;
  return AIORCH_OK;
}

static aiorch_status enter_filter(aiorch_run *run, const aio__filter *filter) {
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = add_filter(run, filter);
  (void)aio__run_give_back(run);
  return st;
}

aiorch_status aiorch_run_add_filter(aiorch_run *run, const char *name, size_t name_len, const char *value,
                                    size_t value_len) {
  if (!name || (!value && value_len > 0)) return AIORCH_E_INVALID;
  aio__filter filter = {aio__str_n(name, name_len), AIO__FILTER_IS, {value ? value : "", value_len}, {NULL, 0}};
  return enter_filter(run, &filter);
}

aiorch_status aiorch_run_add_filter_prefix(aiorch_run *run, const char *name, size_t name_len, const char *prefix,
                                           size_t prefix_len) {
  if (!name || (!prefix && prefix_len > 0)) return AIORCH_E_INVALID;
  aio__filter filter = {aio__str_n(name, name_len), AIO__FILTER_PREFIX, {prefix ? prefix : "", prefix_len}, {NULL, 0}};
  return enter_filter(run, &filter);
}

aiorch_status aiorch_run_add_filter_range(aiorch_run *run, const char *name, size_t name_len, const char *from,
                                          size_t from_len, const char *to, size_t to_len) {
  if (!name || (!from && from_len > 0) || (!to && to_len > 0)) return AIORCH_E_INVALID;
  aio__filter filter = {aio__str_n(name, name_len), AIO__FILTER_RANGE, {from, from_len}, {to, to_len}};
  return enter_filter(run, &filter);
}

aiorch_status aiorch_run_set_whole(aiorch_run *run, int32_t whole) {
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  if (whole != 0 && whole != 1) {
    st = aio__run_refuse(run, AIORCH_E_INVALID, "an answer is given out whole (1) or as it comes (0)");
  } else if (run->phase != AIO__RUN_NEW) {
    st = aio__run_refuse(run, AIORCH_E_STATE, "the run has begun: how its answer is given out is said before its first step");
  } else {
    run->whole = whole == 1;
  }
  (void)aio__run_give_back(run);
  return st;
}

aiorch_status aiorch_run_set_user_data(aiorch_run *run, void *user_data) {
  aiorch_status st = aio__run_check(run);
  if (st == AIORCH_OK) run->user_data = user_data;
  return st;
}

void *aiorch_run_user_data(const aiorch_run *run) { return aio__run_check(run) ? NULL : run->user_data; }

/* ---- what a host gives itself ---- */

static bool is_text(aio__str text) { return aio__utf8_check(text, NULL) == text.n; }

/* An answer from the cache rests on sources of its own. */
static bool hit(const aiorch_run *run) {
  return run->cache_outcome == AIORCH_CACHE_EXACT || run->cache_outcome == AIORCH_CACHE_SEMANTIC;
}

static aiorch_status add_source(aiorch_run *run, aio__str uri, aio__str title, aio__str text) {
  const aio__stage_record *retrieve = &run->stages[AIORCH_STAGE_RETRIEVE];
  bool past = (retrieve->begun || retrieve->done) && !retrieve->by_host;
  if (past || run->stages[AIORCH_STAGE_GENERATE].begun || hit(run) || run->phase == AIO__RUN_ENDED) {
    return aio__run_refuse(run, AIORCH_E_STATE, "sources are added before retrieve and generate have run");
  }
  if (!is_text(uri) || !is_text(title) || !is_text(text)) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "a source's uri, title or text is not UTF-8");
  }
  if (run->host_sources && run->source_count >= AIO__SOURCES_MAX) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run has at most %d sources", AIO__SOURCES_MAX);
  }
  if (!run->host_sources) {
    run->sources = aio__arena_alloc(&run->arena, AIO__SOURCES_MAX * sizeof *run->sources);
    run->source_count = 0;
  }
  aio__source source;
  memset(&source, 0, sizeof source);
  source.uri = uri.n ? aio__arena_str(&run->arena, uri) : AIO__LIT("");
  source.title = title.n ? aio__arena_str(&run->arena, title) : AIO__LIT("");
  source.text = aio__arena_str(&run->arena, text);
  source.end = text.n;
  source.score = 1.0;
  source.similarity = (double)__builtin_nanf("");
  if (!run->sources || !source.uri.p || !source.title.p || !source.text.p) {
    return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for a source");
  }
  run->sources[run->source_count++] = source;
  run->host_sources = true;
  aio__stage_record *record = &run->stages[AIORCH_STAGE_RETRIEVE];
  record->by_host = record->done = true;
  record->outcome = AIORCH_OUTCOME_OK;
  return AIORCH_OK;
}

aiorch_status aiorch_run_add_source(aiorch_run *run, const char *uri, size_t uri_len, const char *title,
                                    size_t title_len, const char *text, size_t text_len) {
  if ((!uri && uri_len) || (!title && title_len) || !text || text_len == 0) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = add_source(run, aio__str_n(uri, uri_len), aio__str_n(title, title_len), aio__str_n(text, text_len));
  (void)aio__run_give_back(run);
  return st;
}

static aiorch_status set_answer(aiorch_run *run, aio__str text, int32_t finish_reason, const char *provider,
                                const char *model) {
  aio__stage_record *record = &run->stages[AIORCH_STAGE_GENERATE];
  if (!is_text(text)) return aio__run_refuse(run, AIORCH_E_INVALID, "the answer is not UTF-8");
  if (record->begun || record->done || run->answered || run->phase == AIO__RUN_ENDED) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the run has an answer, or is past generate");
  }
  bool too_long = text.n > (size_t)run->orch->options.response_max_bytes;
  aiorch_status st = too_long ? AIORCH_E_TOO_LARGE : aio__buf_str(&run->answer, text);
  if (st) {
    aio__buf_reset(&run->answer);
    return aio__run_refuse(run, st, "the answer is longer than \"generate.response_max_bytes\", or memory ran out");
  }
  provider = provider ? provider : "host";
  model = model ? model : "host";
  run->provider = aio__arena_strn(&run->arena, provider, strlen(provider));
  run->model = aio__arena_strn(&run->arena, model, strlen(model));
  if (!run->provider || !run->model) {
    run->provider = run->model = "";
    aio__buf_reset(&run->answer);
    return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for the names of provider and model");
  }
  run->finish_reason = finish_reason;
  run->answered = true;
  record->by_host = record->done = true;
  record->outcome = AIORCH_OUTCOME_OK;
  return AIORCH_OK;
}

aiorch_status aiorch_run_set_answer(aiorch_run *run, const char *text, size_t len, int32_t finish_reason,
                                    const char *provider, const char *model) {
  if (!text || len == 0 || finish_reason < AIORCH_FINISH_STOP || finish_reason > AIORCH_FINISH_ERROR) {
    return AIORCH_E_INVALID;
  }
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = set_answer(run, aio__str_n(text, len), finish_reason, provider, model);
  (void)aio__run_give_back(run);
  return st;
}

aiorch_status aiorch_run_set_usage(aiorch_run *run, int32_t usage_class, int64_t tokens) {
  if (usage_class < 0 || usage_class >= AIORCH_USAGE_COUNT || tokens < 0 || tokens > (INT64_C(1) << 53)) {
    return AIORCH_E_INVALID;
  }
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  if (!run->stages[AIORCH_STAGE_GENERATE].by_host || run->stages[AIORCH_STAGE_LOG_COST].begun) {
    st = aio__run_refuse(run, AIORCH_E_STATE,
                        "usage belongs to an answer of the host's own, before log_cost has run");
  } else {
    run->host_usage.n[usage_class] = tokens;
    aio__run_total(run);
  }
  (void)aio__run_give_back(run);
  return st;
}

/* ---- running ---- */

static aiorch_status check_may_drive(aiorch_run *run) {
  if (run->phase == AIO__RUN_ENDED) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the run has ended");
  }
  if (aio__sched_state_of(run->orch->sched, &run->sched) != AIO__SCHED_IDLE) {
    return aio__run_refuse(run, AIORCH_E_STATE,
                          "the run is submitted: drive it by aiorch_wait and aiorch_run_next");
  }
  return AIORCH_OK;
}

aiorch_status aiorch_run_execute(aiorch_run *run) {
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = check_may_drive(run);
  if (st == AIORCH_OK) {
    aio__run_begin(run);
    for (;;) {
      aio__waker_clear(run->waker);
      if (aio__run_advance(run) == AIORCH_DONE) break;
      aio__orch_flush(run->orch);
      (void)aio__waker_wait(run->waker, aio__run_waits_until(run));
    }
    st = run->status;
  }
  (void)aio__run_give_back(run);
  return st;
}

static aiorch_status one_stage(aiorch_run *run, int stage) {
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = run->phase == AIO__RUN_ENDED ? AIORCH_OK : check_may_drive(run);
  if (st == AIORCH_OK) st = aio__run_stage(run, stage);
  (void)aio__run_give_back(run);
  return st;
}

aiorch_status aiorch_stage_validate(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_VALIDATE); }
aiorch_status aiorch_stage_rate_limit(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_RATE_LIMIT); }
aiorch_status aiorch_stage_cache_lookup(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_CACHE_LOOKUP); }
aiorch_status aiorch_stage_retrieve(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_RETRIEVE); }
aiorch_status aiorch_stage_generate(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_GENERATE); }
aiorch_status aiorch_stage_log_cost(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_LOG_COST); }
aiorch_status aiorch_stage_cache_store(aiorch_run *run) { return one_stage(run, AIORCH_STAGE_CACHE_STORE); }

static bool give_event(aiorch_run *run, const aiorch_event **event) {
  struct aiorch_event *first = run->events;
  if (!first) return false;
  run->events = first->next;
  if (!run->events) run->events_last = NULL;
  if (first->type == AIORCH_EVENT_FINAL) run->final_given = true;
  run->event_given = first;
  *event = first;
  return true;
}

/* The final event must come even when there was no memory for it. */
static void ensure_final(aiorch_run *run) {
  if (run->final_given || run->events) return;
  memset(&run->final_event, 0, sizeof run->final_event);
  run->final_event.type = AIORCH_EVENT_FINAL;
  run->final_event.stage = -1;
  run->final_event.status = run->status;
  run->final_event.run = run;
  run->events = run->events_last = &run->final_event;
}

/* A leased run leaves the store calls that wait for company to the runs that are next. */
static bool may_flush(const aiorch_run *run, bool leased) {
  return !leased || !aio__sched_has_ready(run->orch->sched);
}

static aiorch_status next_event(aiorch_run *run, bool leased, int64_t timeout_ms, const aiorch_event **event) {
  aio__run_free_event(run, run->event_given); /* it was valid until now */
  run->event_given = NULL;
  int64_t until = INT64_MIN; /* not known yet: most events are there already */
  for (;;) {
    if (give_event(run, event)) return AIORCH_OK;
    if (run->final_given) break;
    if (until == INT64_MIN) until = aio__clock_after_ms(run->orch->clock, timeout_ms);
    aio__waker_clear(run->waker);
    aiorch_status st = aio__run_advance(run);
    if (st == AIORCH_DONE) ensure_final(run);
    if (run->events) continue;
    if (may_flush(run, leased)) aio__orch_flush(run->orch);
    int64_t wake_ns = aio__run_waits_until(run), wait_until = until < wake_ns ? until : wake_ns;
    bool waits = timeout_ms != 0; /* else `until` has come already, and the clock need not be asked */
    bool woken = waits && aio__run_now(run) < wait_until && aio__waker_wait(run->waker, wait_until);
    if (!woken && wait_until == until && (!waits || aio__run_now(run) >= until)) return AIORCH_AGAIN;
  }
  if (may_flush(run, leased)) aio__orch_flush(run->orch);
  return AIORCH_DONE;
}

aiorch_status aiorch_run_next(aiorch_run *run, int64_t timeout_ms, const aiorch_event **event) {
  if (!event) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  aio__sched *sched = run->orch->sched;
  aio__sched_state state = aio__sched_state_of(sched, &run->sched);
  bool leased = state == AIO__SCHED_LEASED || state == AIO__SCHED_AGAIN_DUE;
  if (!leased && state != AIO__SCHED_IDLE) {
    (void)aio__run_give_back(run);
    return AIORCH_E_STATE; /* submitted, and not leased to this thread */
  }
  if (run->phase != AIO__RUN_ENDED) run->events_wanted = true;
  aio__run_begin(run);
  st = next_event(run, leased, timeout_ms, event);
  if (st == AIORCH_DONE) aio__sched_remove(sched, &run->sched);
  int64_t wake_ns = aio__run_waits_until(run);
  if (!aio__run_give_back(run)) return AIORCH_E_CANCELLED; /* it was freed inside a callback */
  /* The last touch: once parked, another thread may have the run. */
  if (st == AIORCH_AGAIN && leased) aio__sched_park(sched, &run->sched, wake_ns);
  return st;
}

aiorch_status aiorch_run_submit(aiorch_run *run) {
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  st = check_may_drive(run);
  pthread_mutex_lock(&run->orch->mutex);
  bool closing = run->orch->closing;
  pthread_mutex_unlock(&run->orch->mutex);
  if (st == AIORCH_OK && closing) st = AIORCH_E_CLOSED;
  if (st == AIORCH_OK) {
    run->events_wanted = true;
    aio__run_begin(run);
    aio__sched *sched = run->orch->sched;
    if (!aio__run_give_back(run)) return AIORCH_E_CANCELLED;
    st = aio__sched_submit(sched, &run->sched);
    return st < 0 ? aio__error_set(&run->error, st, "the run could not be queued: %s", aiorch_strerror(st)) : st;
  }
  (void)aio__run_give_back(run);
  return st;
}
