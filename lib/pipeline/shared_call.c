/* See shared_call.h. */
#include "pipeline/shared_call.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/stages.h"

enum { NAME_MAX_BYTES = AIO__CALL_NAME_MAX + 1, BUSY_MS = 10, ARENA_BLOCK = 1024 };

/* A warning that a leader has got. Never changed once it is in the list. */
struct aio__told {
  const struct aio__told *next;
  uint64_t by; /* who has it already; 0: nobody */
  aiorch_status status;
  aio__str text;
};

/* An attempt whose starter has left: its rows, which wait for its end. */
typedef struct orphan {
  bool waits;
  aio__settlement *settlement;
  aio__run_row run;
  aio__attempt_row attempt;
  int64_t started_ns, prompt_tokens;
  char model[NAME_MAX_BYTES];
} orphan;

struct aio__shared_call {
  aiorch *orch;
  uint8_t key[AIO__SHA256_SIZE];
  aio__flight f;               /* under the table's mutex, as the list of seats and those who are leaving */
  aio__seat *seats;
  atomic_uint seated;          /* how many they are */
  uint32_t leaving;            /* no members any more, but they still touch it */
  struct aio__told *told, *told_last; /* under the table's mutex, in `words` */
  size_t told_count;
  aio__arena words;
  pthread_mutex_t step;        /* guards what follows */
  aio__waker *waker;
  aiorch_call *call;           /* the starter's, or the orphan's own; NULL when its starter is done with it */
  bool starting, ended;        /* its slot runs; all of the round is there */
  aio__buf text;
  aio__arena thoughts;         /* of the round: its reasoning */
  aio__call_extra *extras;     /* AIO__REASONING_MAX of them */
  size_t extra_count, extras_seen;
  aio__str stop;               /* the stop sequence that ended it; empty: not said */
  uint64_t starter;            /* of the round */
  aiorch_status status;        /* of the round that has ended */
  int32_t finish_reason;
  char provider[AIO__PROVIDER_NAME_MAX + 1], model[NAME_MAX_BYTES];
  aio__str canary;
  char canary_bytes[64];
  aiorch_error error;
  orphan orphan;
};

struct aio__shared_calls {
  const aio__alloc *al;
  pthread_mutex_t mutex;
  aio__map map;
};

aiorch_status aio__shared_calls_new(const aio__alloc *al, aio__shared_calls **out) {
  aio__shared_calls *flights = aio__calloc(al, 1, sizeof *flights);
  if (!flights) return AIORCH_E_NOMEM;
  if (pthread_mutex_init(&flights->mutex, NULL) != 0) {
    aio__free(al, flights);
    return AIORCH_E_NOMEM;
  }
  flights->al = al;
  aio__map_init(&flights->map, al);
  *out = flights;
  return AIORCH_OK;
}

void aio__shared_calls_free(aio__shared_calls *flights) {
  if (!flights) return;
  aio__map_free(&flights->map);
  pthread_mutex_destroy(&flights->mutex);
  aio__free(flights->al, flights);
}

static pthread_mutex_t *table(const struct aio__shared_call *s) { return &s->orch->flights->mutex; }

static int64_t ms_of(const aiorch_run *run) { return aio__run_now(run) / 1000000; }

static int64_t now_ms(const struct aio__shared_call *s) { return aio__clock_now(s->orch->clock) / 1000000; }

/* ---- made and freed ---- */

/* The table's mutex is held. */
static void wake_seats(struct aio__shared_call *s, const aio__seat *but) {
  for (aio__seat *seat = s->seats; seat; seat = seat->next) {
    if (seat != but) aio__waker_signal(seat->waker);
  }
}

static void wake_others(struct aio__shared_call *s, const aio__seat *but) {
  pthread_mutex_lock(table(s));
  wake_seats(s, but);
  pthread_mutex_unlock(table(s));
}

/* By the flight's waker, with its mutex held. */
static void wake_all(void *ctx) { wake_others(ctx, NULL); }

static void free_flight(struct aio__shared_call *s) {
  if (s->waker) aio__waker_on_ready(s->waker, NULL, NULL);
  aio__waker_release(s->waker);
  aio__buf_free(&s->text);
  aio__arena_free(&s->words);
  aio__arena_free(&s->thoughts);
  pthread_mutex_destroy(&s->step);
  aio__free(s->orch->al, s);
}

static struct aio__shared_call *new_flight(aiorch *orch, const uint8_t key[AIO__SHA256_SIZE]) {
  struct aio__shared_call *s = aio__calloc(orch->al, 1, sizeof *s);
  if (!s) return NULL;
  if (pthread_mutex_init(&s->step, NULL) != 0) {
    aio__free(orch->al, s);
    return NULL;
  }
  s->orch = orch;
  memcpy(s->key, key, sizeof s->key);
  aio__error_init(&s->error);
  aio__buf_init(&s->text, orch->al, (size_t)orch->options.response_max_bytes);
  aio__arena_init(&s->words, orch->al, ARENA_BLOCK);
  aio__arena_init(&s->thoughts, orch->al, ARENA_BLOCK);
  if (aio__waker_new(orch->al, orch->clock, &s->waker) == AIORCH_OK) {
    s->waker->ready = wake_all; /* nobody knows it yet: no lock, for the table's is held here */
    s->waker->ctx = s;
    return s;
  }
  free_flight(s);
  return NULL;
}

/* ---- joining ---- */

/* Everything that the answer is made of: the scope, the question, and what was retrieved for it: a part of one version of a document has
 * one text. */
static void make_key(const aiorch_run *run, uint8_t key[AIO__SHA256_SIZE]) {
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_add(&h, run->scope, sizeof run->scope);
  aio__sha256_add(&h, run->key, sizeof run->key);
  aio__sha256_u64(&h, run->source_count);
  if (!run->host_sources) aio__sha256_add(&h, run->retrieval.digest, sizeof run->retrieval.digest);
  for (size_t i = 0; i < run->source_count; i++) {
    aio__sha256_str(&h, run->sources[i].uri);
    aio__sha256_str(&h, run->sources[i].title);
    if (run->host_sources) aio__sha256_str(&h, run->sources[i].text);
  }
  aio__sha256_end(&h, key);
}

/* Tools and their calls are each run's own affair. */
static bool may_share(const aiorch_run *run) {
  return run->keyed && strcmp(run->options->cache_mode, "on") == 0 && strcmp(run->options->single_flight, "on") == 0 &&
         run->tool_count == 0 && !run->degraded && !run->plan.targets[0].built_in;
}

void aio__shared_call_join(aiorch_run *run) {
  aio__shared_calls *flights = run->orch->flights;
  struct aio__shared_call *homeless = NULL;
  uint8_t key[AIO__SHA256_SIZE];
  if (!may_share(run)) return;
  make_key(run, key);
  pthread_mutex_lock(&flights->mutex);
  struct aio__shared_call *s = aio__map_get(&flights->map, aio__str_n((const char *)key, sizeof key));
  if (s && !aio__flight_open(&s->f)) {
    (void)aio__map_remove(&flights->map, aio__str_n((const char *)key, sizeof key)); /* those in it finish without the table */
    s = NULL;
  }
  if (!s) {
    s = new_flight(run->orch, key);
    if (s && aio__map_put(&flights->map, aio__str_n((const char *)s->key, sizeof s->key), s) != AIORCH_OK) {
      homeless = s;
      s = NULL;
    }
  }
  if (s) {
    run->seat = (aio__seat){.flight = s, .id = aio__flight_join(&s->f), .waker = run->waker, .next = s->seats};
    if (s->seats) s->seats->prev = &run->seat;
    s->seats = &run->seat;
    atomic_fetch_add_explicit(&s->seated, 1, memory_order_relaxed);
  }
  pthread_mutex_unlock(&flights->mutex);
  if (homeless) free_flight(homeless);
}

/* ---- what else is said ---- */

/* Without memory it is its leader's alone. */
static void tell(struct aio__shared_call *s, uint64_t by, aiorch_status status, aio__str text) {
  pthread_mutex_lock(table(s));
  struct aio__told *told = s->told_count < AIO__SHARED_TOLD_MAX ? aio__arena_alloc(&s->words, sizeof *told) : NULL;
  aio__str copy = told ? aio__arena_str(&s->words, text) : AIO__LIT("");
  if (told && copy.p) {
    *told = (struct aio__told){.by = by, .status = status, .text = copy};
    if (s->told_last) s->told_last->next = told;
    else s->told = told;
    s->told_last = told;
    s->told_count++;
  }
  pthread_mutex_unlock(table(s));
}

static void hear(aiorch_run *run) {
  struct aio__shared_call *s = run->seat.flight;
  pthread_mutex_lock(table(s));
  const struct aio__told *last = s->told_last, *next = run->seat.heard ? run->seat.heard->next : s->told;
  pthread_mutex_unlock(table(s));
  while (run->seat.heard != last) {
    if (next->by != run->seat.id) {
      aio__run_warn(run, AIORCH_STAGE_GENERATE, next->status, "%.*s", (int)next->text.n, next->text.p);
    }
    run->seat.heard = next;
    if (next != last) next = next->next; /* that of the last may be set now */
  }
}

void aio__shared_call_warn(aiorch_run *run, aiorch_status status, const char *format, ...) {
  char text[AIO__ERROR_MESSAGE_MAX];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  len = aio__utf8_check(aio__str_n(text, len), NULL); /* what was cut may end inside a character */
  aio__run_warn(run, AIORCH_STAGE_GENERATE, status, "%.*s", (int)len, text);
  if (!run->seat.flight) return;
  tell(run->seat.flight, run->seat.id, status, aio__str_n(text, len));
  wake_others(run->seat.flight, &run->seat);
}

/* ---- roles ---- */

aio__flight_role aio__shared_call_role(aiorch_run *run) {
  struct aio__shared_call *s = run->seat.flight;
  int64_t now = ms_of(run);
  hear(run);
  pthread_mutex_lock(table(s));
  aio__flight_role role = aio__flight_ask(&s->f, run->seat.id, now);
  int64_t until_ms = aio__flight_waits_until(&s->f, now);
  pthread_mutex_unlock(table(s));
  if (role == AIO__FLIGHT_WAITS) aio__run_wake_at(run, until_ms * 1000000);
  return role;
}

bool aio__shared_call_lead(aiorch_run *run, int64_t wait_ms) {
  struct aio__shared_call *s = run->seat.flight;
  int64_t now_ms = ms_of(run);
  pthread_mutex_lock(table(s));
  run->seat.leading = aio__flight_lead(&s->f, run->seat.id, now_ms + wait_ms + AIO__FLIGHT_LEASE_MS, now_ms);
  pthread_mutex_unlock(table(s));
  return run->seat.leading;
}

aio__waker *aio__shared_call_waker(const aiorch_run *run) { return run->seat.flight->waker; }

/* Longer than the starter's own, so that others may go on without it. */
int64_t aio__shared_call_deadline(const aiorch_run *run) {
  int64_t handles = aio__clock_after_ms(run->orch->clock, run->orch->options.deadline_ms);
  return run->deadline_ns > handles ? run->deadline_ns : handles;
}

static void keep_text(char *room, size_t size, const char *text) {
  size_t n = aio__utf8_cut(aio__str_z(text), size - 1);
  memcpy(room, text, n);
  room[n] = '\0';
}

bool aio__shared_call_launch(aiorch_run *run, void (*start)(aiorch_run *run)) {
  struct aio__shared_call *s = run->seat.flight;
  const aio__attempt *attempt = &run->attempts[run->attempt_count - 1];
  pthread_mutex_lock(&s->step);
  pthread_mutex_lock(table(s));
  bool launched = aio__flight_launch(&s->f, run->seat.id);
  pthread_mutex_unlock(table(s));
  if (launched) {
    s->call = run->call;
    s->ended = false;
    s->status = AIORCH_PENDING;
    aio__buf_reset(&s->text);
    aio__arena_free(&s->thoughts);
    s->extras = NULL;
    s->extra_count = s->extras_seen = 0;
    s->stop = AIO__LIT("");
    s->starter = run->seat.id;
    keep_text(s->provider, sizeof s->provider, attempt->provider);
    keep_text(s->model, sizeof s->model, attempt->model);
    size_t n = run->canary.n < sizeof s->canary_bytes ? run->canary.n : sizeof s->canary_bytes;
    if (n) memcpy(s->canary_bytes, run->canary.p, n);
    s->canary = aio__str_n(s->canary_bytes, n);
    s->starting = true;
    run->seat.round = s->f.round;
  }
  pthread_mutex_unlock(&s->step);
  run->seat.leading = launched;
  if (!launched) return false;
  start(run); /* a slot may take its time: nobody waits for it but the run itself */
  pthread_mutex_lock(&s->step);
  s->starting = false;
  pthread_mutex_unlock(&s->step);
  wake_others(s, &run->seat);
  return true;
}

/* ---- the end of an orphan; `step` is held, or nobody else is left ---- */

static void settle_orphan(struct aio__shared_call *s) {
  orphan *o = &s->orphan;
  if (!o->waits) return;
  if (!s->starting) (void)aio__call_poll(s->call); /* for its last word on whether bytes have left */
  const aio__call_result *result = aio__call_result_of(s->call);
  bool ended = aio__call_ended(s->call);
  o->waits = false;
  o->attempt.status = ended ? result->status : AIORCH_E_CANCELLED;
  o->attempt.state = AIO__ATTEMPT_SETTLED;
  o->attempt.duration_us = (aio__clock_now(s->orch->clock) - o->started_ns) / 1000;
  bool cut_off = aio__call_cut_off(s->call, o->attempt.status), given_up = aio__attempt_given_up(s->call, o->attempt.status);
  bool told = ended || aio__call_cancel(s->call);
  if (!ended) (void)aio__call_take_text(s->call, &s->text);
  if (result->sent) aio__attempt_usage(&o->attempt.usage, told ? result : NULL, aio__buf_view(&s->text), given_up, o->prompt_tokens);
  if (ended) {
    o->attempt.http_status = result->http_status;
    if (result->model[0]) keep_text(o->model, sizeof o->model, result->model);
    o->attempt.model = aio__str_z(o->model);
    o->attempt.request_id = aio__str_z(result->request_id);
  }
  o->attempt.cost_nano_usd = 0;
  o->attempt.cost_known = !cut_off;
  if (aio__usage_any(&o->attempt.usage)) {
    o->attempt.cost_known = aio__prices_cost(s->orch->prices, o->attempt.provider, o->attempt.model, &o->attempt.usage,
                                             o->attempt.created_ms, &o->attempt.cost_nano_usd);
  }
  aio__usage_add(&o->run.usage, &o->attempt.usage);
  bool known = o->run.cost_known && o->attempt.cost_known &&
               !__builtin_add_overflow(o->run.cost_nano_usd, o->attempt.cost_nano_usd, &o->run.cost_nano_usd);
  o->run.cost_known = known;
  if (!known) aio__count(&s->orch->counters, AIO__N_COST_UNKNOWN_PRICE);
  if (o->attempt.status < 0) aio__count(&s->orch->counters, AIO__N_ATTEMPTS_FAILED);
  o->run.provider = o->attempt.provider;
  o->run.model = o->attempt.model;
  aio__settlement_add(o->settlement, &o->attempt);
  aio__settlement_start(o->settlement, &o->run, NULL);
  aio__settlement_release(o->settlement);
  o->settlement = NULL;
  aio__call_drop(s->call);
  s->call = NULL;
}

/* ---- reading ---- */

/* The round is over, and it has brought nothing. */
static void end_failed(struct aio__shared_call *s, aiorch_status status, int64_t retry_after_ms) {
  s->ended = true;
  s->status = status;
  pthread_mutex_lock(table(s));
  aio__flight_attempt_failed(&s->f, retry_after_ms, now_ms(s));
  pthread_mutex_unlock(table(s));
}

static void note_end(struct aio__shared_call *s) {
  const aio__call_result *result = aio__call_result_of(s->call);
  aio__str text = aio__buf_view(&s->text);
  aiorch_status st = result->status;
  if (st == AIORCH_OK && text.n == 0 && result->finish_reason == AIORCH_FINISH_STOP) st = AIORCH_E_RESPONSE;
  if (st == AIORCH_OK && aio__utf8_check(text, NULL) < text.n) st = AIORCH_E_RESPONSE;
  /* Tools that a provider's own options offer: what is to be called is the starter's affair. */
  bool own = result->status == AIORCH_OK && result->finish_reason == AIORCH_FINISH_TOOL_CALLS;
  s->finish_reason = result->finish_reason;
  if (result->model[0]) keep_text(s->model, sizeof s->model, result->model);
  if (own || st < 0) end_failed(s, own ? AIORCH_E_UNSUPPORTED : st, result->retry_after_ms);
  pthread_mutex_lock(table(s));
  if (own) aio__flight_gave_up(&s->f, s->f.leader, true); /* without an error: see aio__shared_call_error */
  else if (st == AIORCH_OK) aio__flight_landed(&s->f);
  pthread_mutex_unlock(table(s));
  if (own || st < 0) return;
  s->ended = true;
  s->status = st;
}

/* What the call has said besides text: the call may be gone when a follower wants to know. */
static aiorch_status take_extras(struct aio__shared_call *s, bool *news) {
  aio__call_extra extra;
  for (; aio__call_extra_at(s->call, s->extras_seen, &extra); s->extras_seen++) {
    if (extra.kind == AIO__EVENT_WARNING) {
      tell(s, s->starter, AIORCH_OK, extra.text);
      *news = true;
    }
    if (extra.kind == AIO__EVENT_STOP) s->stop = aio__arena_str(&s->thoughts, extra.text);
    if (!s->stop.p) return AIORCH_E_NOMEM;
    bool shared = extra.kind == AIO__EVENT_REASONING || extra.kind == AIO__EVENT_REDACTED;
    if (!shared || s->extra_count == AIO__REASONING_MAX) continue;
    if (!s->extras) s->extras = aio__arena_alloc(&s->thoughts, AIO__REASONING_MAX * sizeof *s->extras);
    if (!s->extras) return AIORCH_E_NOMEM;
    aio__call_extra *copy = &s->extras[s->extra_count];
    *copy = (aio__call_extra){.kind = extra.kind,
                              .text = aio__arena_str(&s->thoughts, extra.text),
                              .signature = aio__arena_str(&s->thoughts, extra.signature)};
    if (!copy->text.p || !copy->signature.p) return AIORCH_E_NOMEM;
    s->extra_count++;
  }
  return AIORCH_OK;
}

/* True when there is news for the others. */
static bool step_call(struct aio__shared_call *s) {
  if (!s->call || s->ended || s->starting) return false;
  size_t before = s->text.n;
  bool news = false, ended = aio__call_poll(s->call);
  if (aio__call_take_text(s->call, &s->text) != AIORCH_OK) ended = true; /* no more of it can be read: the round is over */
  aiorch_status st = take_extras(s, &news);
  if (s->text.failed != AIORCH_OK) st = s->text.failed;
  if (st != AIORCH_OK) end_failed(s, st, -1);
  else if (ended) note_end(s);
  if (s->ended) settle_orphan(s);
  return news || s->ended || s->text.n > before;
}

bool aio__shared_call_extra_at(const aiorch_run *run, size_t index, aio__call_extra *out) {
  const struct aio__shared_call *s = run->seat.flight; /* what has landed does not change any more */
  bool stop = index == s->extra_count && s->stop.n > 0;
  if (index < s->extra_count) *out = s->extras[index];
  else if (stop) *out = (aio__call_extra){.kind = AIO__EVENT_STOP, .text = s->stop};
  return stop || index < s->extra_count;
}

static aiorch_status read_text(aiorch_run *run, struct aio__shared_call *s) {
  uint32_t round = s->f.round; /* it changes under `step` alone */
  if (run->seat.round != round) {
    if (run->committed) return AIORCH_E_TRUNCATED;
    run->seat.round = round;
    aio__str canary = s->canary.n ? aio__arena_str(&run->arena, s->canary) : AIO__LIT("");
    if (!canary.p) return AIORCH_E_NOMEM;
    aio__generate_begin_check(run, canary);
  }
  if (s->text.n > run->raw.n) return aio__buf_add(&run->raw, s->text.p + run->raw.n, s->text.n - run->raw.n);
  return AIORCH_OK;
}

aiorch_status aio__shared_call_pump(aiorch_run *run, bool *ended, aiorch_status *status) {
  struct aio__shared_call *s = run->seat.flight;
  if (pthread_mutex_trylock(&s->step) != 0) {
    aio__run_wake_at(run, aio__run_now(run) + INT64_C(1000000) * BUSY_MS);
    return AIORCH_PENDING;
  }
  if (run->call && s->call != run->call) { /* others have gone on while this run was not driven */
    pthread_mutex_unlock(&s->step);
    return AIORCH_AGAIN;
  }
  aio__waker_clear(s->waker);
  bool news = step_call(s);
  aiorch_status st = read_text(run, s);
  *ended = s->ended;
  *status = s->status;
  if (!s->ended && s->call && !s->starting) aio__run_wake_at(run, aio__call_wakes_at(s->call));
  pthread_mutex_unlock(&s->step);
  /* Who joins now looks for itself what there is. */
  if (news && atomic_load_explicit(&s->seated, memory_order_relaxed) > 1) wake_others(s, &run->seat);
  if (!run->call) hear(run);
  return st;
}

void aio__shared_call_spoilt(aiorch_run *run, aiorch_status status) {
  struct aio__shared_call *s = run->seat.flight;
  pthread_mutex_lock(&s->step);
  if (!s->ended && s->f.round == run->seat.round) {
    end_failed(s, status, -1);
    settle_orphan(s);
  }
  pthread_mutex_unlock(&s->step);
  wake_others(s, &run->seat);
}

void aio__shared_call_done(aiorch_run *run, aiorch_status status) {
  struct aio__shared_call *s = run->seat.flight;
  if (!s || !run->call) return;
  pthread_mutex_lock(&s->step);
  bool own = s->call == run->call;
  if (own && status >= 0) (void)step_call(s); /* it may have ended since anybody looked: the others are to know how */
  if (own && !s->ended && status < 0) end_failed(s, status, aio__call_ended(run->call) ? aio__call_result_of(run->call)->retry_after_ms : -1);
  if (own) s->call = NULL;
  pthread_mutex_unlock(&s->step);
  if (own) wake_others(s, &run->seat);
}

aiorch_status aio__shared_call_answer(aiorch_run *run, aio__shared_answer *out) {
  struct aio__shared_call *s = run->seat.flight;
  pthread_mutex_lock(&s->step);
  out->provider = aio__arena_strn(&run->arena, s->provider, strlen(s->provider));
  out->model = aio__arena_strn(&run->arena, s->model, strlen(s->model));
  out->finish_reason = s->finish_reason;
  pthread_mutex_unlock(&s->step);
  return out->provider && out->model ? AIORCH_OK : AIORCH_E_NOMEM;
}

/* ---- the ends ---- */

void aio__shared_call_gave_up(aiorch_run *run) {
  struct aio__shared_call *s = run->seat.flight;
  if (!s) return;
  pthread_mutex_lock(table(s));
  aio__error_copy(&s->error, &run->error); /* read when the state says so, under the same mutex */
  aio__flight_gave_up(&s->f, run->seat.id, true);
  pthread_mutex_unlock(table(s));
  wake_others(s, &run->seat);
}

void aio__shared_call_error(aiorch_run *run, aiorch_error *out) {
  struct aio__shared_call *s = run->seat.flight;
  pthread_mutex_lock(table(s));
  aio__error_copy(out, &s->error);
  pthread_mutex_unlock(table(s));
}

/* The rows of the run as they are but for the attempt that is out. */
static void leave_orphan(aiorch_run *run, struct aio__shared_call *s) {
  orphan *o = &s->orphan;
  const aio__attempt *attempt = &run->attempts[run->attempt_count - 1];
  aio__log_cost_run_row(run, &o->run);
  for (size_t i = 0; i + 1 < run->attempt_count; i++) {
    aio__attempt_row row;
    aio__attempt_to_row(run, &run->attempts[i], &row);
    aio__settlement_add(run->settlement, &row);
  }
  aio__attempt_to_row(run, attempt, &o->attempt);
  keep_text(o->model, sizeof o->model, attempt->model);
  o->attempt.provider = aio__str_z(s->provider);
  o->attempt.model = aio__str_z(o->model);
  o->attempt.request_id = AIO__LIT("");
  o->run.provider = o->run.model = AIO__LIT("");
  o->run.user = AIO__LIT(""); /* the settlement has its own */
  o->started_ns = attempt->started_ns;
  o->prompt_tokens = aio__prompt_tokens(run);
  o->settlement = run->settlement;
  run->settlement = NULL;
  o->waits = true;
  run->call = NULL;
}

static void unseat(aiorch_run *run, struct aio__shared_call *s) {
  aio__seat *seat = &run->seat;
  if (seat->prev) seat->prev->next = seat->next;
  else s->seats = seat->next;
  if (seat->next) seat->next->prev = seat->prev;
  atomic_fetch_sub_explicit(&s->seated, 1, memory_order_relaxed);
}

bool aio__shared_call_leave(aiorch_run *run) {
  struct aio__shared_call *s = run->seat.flight;
  if (!s) return false;
  aio__shared_calls *flights = run->orch->flights;
  pthread_mutex_lock(&s->step);
  pthread_mutex_lock(table(s));
  aio__flight_left left = aio__flight_leave(&s->f, run->seat.id);
  s->leaving++;
  unseat(run, s);
  bool empty = s->f.members == 0;
  aio__str key = aio__str_n((const char *)s->key, sizeof s->key);
  if (empty && aio__map_get(&flights->map, key) == s) (void)aio__map_remove(&flights->map, key);
  pthread_mutex_unlock(table(s));
  bool orphaned = left == AIO__FLIGHT_ORPHANED && run->call && s->call == run->call;
  if (orphaned) leave_orphan(run, s);
  if (orphaned && s->ended) settle_orphan(s);
  else if (run->call && s->call == run->call) s->call = NULL; /* the run drops it itself */
  if (empty) settle_orphan(s);
  pthread_mutex_unlock(&s->step);
  run->seat = (aio__seat){.flight = NULL};
  pthread_mutex_lock(&flights->mutex);
  wake_seats(s, NULL);
  bool last = --s->leaving == 0 && s->f.members == 0; /* others may have left meanwhile */
  pthread_mutex_unlock(&flights->mutex);
  if (last) free_flight(s);
  return orphaned;
}
