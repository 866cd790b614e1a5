/* The life of calls: made, started, ended, dropped, kept for a while. What plug-ins do with them is call_api.c. */
#include <string.h>

#include "core/call_private.h"

enum { KEEP_TEXT = 512 /* bytes of room that a call keeps for the next text */ };

struct aio__calls {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__log *log;
  aio__counters *counters;
  pthread_mutex_t mutex;
  aiorch_call *live;                            /* those with memory of their own */
  aiorch_call *ring[AIO__CALL_QUARANTINE];      /* shells of finished ones */
  size_t ring_at;
  aio__inside *inside;
  pthread_cond_t left;                          /* told when `finishing` is 0 */
  int finishing;                                /* threads inside aiorch_call_finish */
};

aiorch_status aio__calls_new(const aio__alloc *al, const aio__clock *clock, aio__log *log, aio__counters *counters,
                             aio__calls **out) {
  aio__calls *calls = aio__calloc(al, 1, sizeof *calls);
  if (!calls) return AIORCH_E_NOMEM;
  if (pthread_mutex_init(&calls->mutex, NULL) != 0) goto no_mutex;
  if (aio__cond_init(&calls->left) != 0) goto no_cond;
  calls->al = al;
  calls->clock = clock;
  calls->log = log;
  calls->counters = counters;
  *out = calls;
  return AIORCH_OK;

no_cond:
  pthread_mutex_destroy(&calls->mutex);
no_mutex:
  aio__free(al, calls);
  return AIORCH_E_NOMEM;
}

void aio__calls_finishing(aio__calls *calls, int step) {
  pthread_mutex_lock(&calls->mutex);
  calls->finishing += step;
  if (calls->finishing == 0) pthread_cond_broadcast(&calls->left);
  pthread_mutex_unlock(&calls->mutex);
}

void aio__calls_quiesce(aio__calls *calls) {
  if (!calls) return;
  pthread_mutex_lock(&calls->mutex);
  while (calls->finishing > 0) pthread_cond_wait(&calls->left, &calls->mutex);
  pthread_mutex_unlock(&calls->mutex);
}

static void free_contents(aiorch_call *call) {
  aio__buf_free(&call->text);
  aio__buf_free(&call->request_json);
  aio__arena_free(&call->arena);
  aio__free(call->al, call->hits);
  call->hits = NULL;
  aio__free(call->al, call->extras);
  call->extras = NULL;
  call->extra_count = 0;
  memset(&call->request, 0, sizeof call->request);
  aio__waker_release(call->waker);
  call->waker = NULL;
}

static void free_shell(aiorch_call *call) {
  call->magic = 0;
  pthread_mutex_destroy(&call->mutex);
  aio__free(call->al, call);
}

void aio__calls_free(aio__calls *calls) {
  if (!calls) return;
  for (aiorch_call *call = calls->live, *next; call; call = next) {
    next = call->next;
    free_contents(call);
    free_shell(call);
  }
  for (size_t i = 0; i < AIO__CALL_QUARANTINE; i++) {
    if (calls->ring[i]) free_shell(calls->ring[i]);
  }
  pthread_cond_destroy(&calls->left);
  pthread_mutex_destroy(&calls->mutex);
  aio__free(calls->al, calls);
}

bool aio__calls_inside(aio__calls *calls) {
  pthread_t me = pthread_self();
  bool found = false;
  pthread_mutex_lock(&calls->mutex);
  for (const aio__inside *i = calls->inside; i && !found; i = i->next) found = pthread_equal(i->thread, me) != 0;
  pthread_mutex_unlock(&calls->mutex);
  return found;
}

void aio__calls_enter(aio__calls *calls, aio__inside *frame) {
  frame->thread = pthread_self();
  pthread_mutex_lock(&calls->mutex);
  frame->next = calls->inside;
  calls->inside = frame;
  pthread_mutex_unlock(&calls->mutex);
}

void aio__calls_leave(aio__calls *calls, aio__inside *frame) {
  pthread_mutex_lock(&calls->mutex);
  aio__inside **link = &calls->inside;
  while (*link != frame) link = &(*link)->next;
  *link = frame->next;
  pthread_mutex_unlock(&calls->mutex);
}

void aio__calls_fault(aio__calls *calls, const char *what) {
  aio__count(calls->counters, AIO__N_PLUGIN_FAULTS);
  if (!aio__log_wants(calls->log, AIORCH_LOG_WARN)) return;
  aio__buf members;
  aio__buf_init(&members, calls->al, AIO__LOG_EVENT_MAX);
  if (aio__buf_fmt(&members, "\"fault\":\"%s\"", what) == AIORCH_OK) {
    aio__log_event(calls->log, AIORCH_LOG_WARN, "plugin_fault", aio__buf_view(&members));
  }
  aio__buf_free(&members);
}

/* ---- a copy of the request ---- */

static bool copy_str(aio__arena *arena, aio__str *text) {
  if (text->n == 0) {
    *text = AIO__LIT("");
    return true;
  }
  *text = aio__arena_str(arena, *text);
  return text->p != NULL;
}

static bool copy_strs(aio__arena *arena, const aio__str **list, size_t count) {
  if (!*list || count == 0) return true;
  aio__str *copy = aio__arena_alloc(arena, count * sizeof *copy);
  if (!copy) return false;
  for (size_t i = 0; i < count; i++) {
    copy[i] = (*list)[i];
    if (!copy_str(arena, &copy[i])) return false;
  }
  *list = copy;
  return true;
}

static bool copy_parts(aio__arena *arena, aio__call_message *message) {
  if (message->part_count == 0) {
    message->parts = NULL;
    return true;
  }
  aio__part *copy = aio__arena_alloc(arena, message->part_count * sizeof *copy);
  if (!copy) return false;
  for (size_t i = 0; i < message->part_count; i++) {
    copy[i] = message->parts[i];
    if (!copy_str(arena, &copy[i].text) || !copy_str(arena, &copy[i].media_type) || !copy_str(arena, &copy[i].id) ||
        !copy_str(arena, &copy[i].name) || !copy_str(arena, &copy[i].signature)) {
      return false;
    }
  }
  message->parts = copy;
  return true;
}

static bool copy_wishes(aio__arena *arena, aio__wishes *wishes) {
  if (!copy_str(arena, &wishes->tool_name) || !copy_str(arena, &wishes->schema) || !copy_str(arena, &wishes->schema_name) ||
      !copy_strs(arena, &wishes->stops, wishes->stop_count)) {
    return false;
  }
  if (wishes->tool_count == 0) return true;
  aio__tool *copy = aio__arena_alloc(arena, wishes->tool_count * sizeof *copy);
  if (!copy) return false;
  for (size_t i = 0; i < wishes->tool_count; i++) {
    copy[i] = wishes->tools[i];
    if (!copy_str(arena, &copy[i].name) || !copy_str(arena, &copy[i].description) || !copy_str(arena, &copy[i].schema)) {
      return false;
    }
  }
  wishes->tools = copy;
  return true;
}

static bool copy_messages(aio__arena *arena, aio__call_request *request) {
  if (request->message_count == 0) return true;
  aio__call_message *copy = aio__arena_alloc(arena, request->message_count * sizeof *copy);
  if (!copy) return false;
  for (size_t i = 0; i < request->message_count; i++) {
    copy[i] = request->messages[i];
    if (!copy_str(arena, &copy[i].text) || !copy_parts(arena, &copy[i])) return false;
  }
  request->messages = copy;
  return true;
}

static bool copy_sources(aio__arena *arena, aio__call_request *request) {
  if (request->source_count == 0) return true;
  aio__call_source *copy = aio__arena_alloc(arena, request->source_count * sizeof *copy);
  if (!copy) return false;
  for (size_t i = 0; i < request->source_count; i++) {
    copy[i] = request->sources[i];
    if (!copy_str(arena, &copy[i].title) || !copy_str(arena, &copy[i].uri) || !copy_str(arena, &copy[i].text)) {
      return false;
    }
  }
  request->sources = copy;
  return true;
}

static bool copy_vectors(aio__arena *arena, aio__call_request *request) {
  size_t count = request->vector_count, dimensions = request->dimensions;
  if (!request->vectors || count == 0 || dimensions == 0) return true;
  if (count > SIZE_MAX / sizeof(float) / dimensions) return false;
  float *copy = aio__arena_alloc(arena, count * dimensions * sizeof *copy);
  if (!copy) return false;
  memcpy(copy, request->vectors, count * dimensions * sizeof *copy);
  request->vectors = copy;
  return true;
}

static bool copy_request(aio__arena *arena, aio__call_request *r) {
  return copy_str(arena, &r->tenant) && copy_str(arena, &r->run_id) && copy_str(arena, &r->model) &&
         copy_str(arena, &r->system) && copy_str(arena, &r->provider_options) && copy_str(arena, &r->question) &&
         copy_str(arena, &r->collection) && copy_wishes(arena, &r->wishes) && copy_messages(arena, r) && copy_sources(arena, r) &&
         copy_strs(arena, &r->texts, r->text_count) && copy_strs(arena, &r->ids, r->vector_count) &&
         copy_strs(arena, &r->scopes, r->vector_count) && copy_vectors(arena, r);
}

aiorch_status aio__call_new(aio__calls *calls, aio__call_kind kind, const aio__call_request *request,
                            aio__waker *waker, int64_t deadline_ns, size_t max_text, aiorch_call **out) {
  aiorch_call *call = aio__calloc(calls->al, 1, sizeof *call);
  if (!call) return AIORCH_E_NOMEM;
  call->magic = AIO__CALL_MAGIC;
  atomic_init(&call->refs, 1);
  atomic_init(&call->ended, false);
  call->calls = calls;
  call->al = calls->al;
  call->clock = calls->clock;
  call->kind = kind;
  call->request = *request;
  call->deadline_ns = deadline_ns;
  call->result.retry_after_ms = -1;
  call->result.should_retry = -1;
  call->result.sent = true;
  call->wake_ns = AIO__NEVER;
  call->result.finish_reason = AIORCH_FINISH_STOP;
  aio__arena_init(&call->arena, call->al, 4096);
  aio__buf_init(&call->text, call->al, max_text);
  call->text_left = max_text;
  aio__buf_init(&call->request_json, call->al, SIZE_MAX / 2);
  if (pthread_mutex_init(&call->mutex, NULL) != 0) {
    aio__free(calls->al, call);
    return AIORCH_E_NOMEM;
  }
  if (!request->borrowed && !copy_request(&call->arena, &call->request)) {
    free_contents(call);
    free_shell(call);
    return AIORCH_E_NOMEM;
  }
  call->waker = waker ? aio__waker_retain(waker) : NULL;
  pthread_mutex_lock(&calls->mutex);
  call->next = calls->live;
  if (call->next) call->next->prev = call;
  calls->live = call;
  pthread_mutex_unlock(&calls->mutex);
  *out = call;
  return AIORCH_OK;
}

/* The last claim is gone: the contents go, the shell into the ring, and the oldest shell for it. */
void aio__call_release(aiorch_call *call) {
  if (!call || atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1) return;
  aio__calls *calls = call->calls;
  free_contents(call);
  pthread_mutex_lock(&calls->mutex);
  if (call->prev) call->prev->next = call->next;
  else calls->live = call->next;
  if (call->next) call->next->prev = call->prev;
  call->prev = call->next = NULL;
  aiorch_call *oldest = calls->ring[calls->ring_at];
  calls->ring[calls->ring_at] = call;
  calls->ring_at = (calls->ring_at + 1) % AIO__CALL_QUARANTINE;
  pthread_mutex_unlock(&calls->mutex);
  if (oldest) free_shell(oldest);
}

/* ---- start, end, drop ---- */

static bool lock_serial(aiorch_call *call) {
  if (!(call->flags & AIORCH_PLUGIN_SERIAL) || !call->serial) return true;
  if (call->deadline_ns == AIO__NEVER) return pthread_mutex_lock(call->serial) == 0;
  struct timespec until = {.tv_sec = (time_t)(call->deadline_ns / 1000000000),
                           .tv_nsec = (long)(call->deadline_ns % 1000000000)};
  return pthread_mutex_clocklock(call->serial, CLOCK_MONOTONIC, &until) == 0;
}

static void unlock_serial(aiorch_call *call) {
  if ((call->flags & AIORCH_PLUGIN_SERIAL) && call->serial) pthread_mutex_unlock(call->serial);
}

/* The slot said that it has not finished and never will, or broke its contract: the call ends here. A finish that another
 * thread makes at this moment has taken the claim itself: it changes hands under the mutex. */
static void end_by_library(aiorch_call *call, aiorch_status status, const char *message) {
  pthread_mutex_lock(&call->mutex);
  bool claim = call->plugin_claim;
  call->plugin_claim = false;
  call->result.status = status;
  if (message && call->result.message[0] == '\0') {
    aio__str text = aio__str_z(message);
    memcpy(call->result.message, text.p, text.n + 1);
  }
  call->finished = true;
  atomic_store_explicit(&call->ended, true, memory_order_release);
  pthread_mutex_unlock(&call->mutex);
  if (claim) aio__call_release(call); /* it will not finish: its claim ends here */
}

void aio__call_start(aiorch_call *call, aiorch_status (*slot)(void *self, aiorch_call *call),
                     void (*cancel)(void *self, aiorch_call *call), void *self, uint32_t flags,
                     pthread_mutex_t *serial) {
  call->self = self;
  call->cancel = cancel;
  call->flags = flags;
  call->serial = serial;
  call->started = true;
  if (!lock_serial(call)) {
    end_by_library(call, AIORCH_E_DEADLINE, "the plug-in was busy with another call until the deadline");
    return;
  }
  call->plugin_claim = true;
  atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
  aio__inside frame;
  aio__calls_enter(call->calls, &frame);
  aiorch_status said = slot(self, call);
  aio__calls_leave(call->calls, &frame);
  unlock_serial(call);
  if (call->request.borrowed) memset(&call->request, 0, sizeof call->request);
  if (aio__clock_now(call->clock) > call->deadline_ns) aio__count(call->calls->counters, AIO__N_PLUGIN_OVERRUNS);

  pthread_mutex_lock(&call->mutex);
  bool finished = call->finished;
  pthread_mutex_unlock(&call->mutex);
  if (said == AIORCH_SLOT_PENDING || (said == AIORCH_SLOT_OK && finished)) return;

  /* A callback that died in another language returns 0, or whatever was on its stack: only errors that we know count. */
  if (said == AIORCH_SLOT_OK) {
    aio__calls_fault(call->calls, "returned SLOT_OK without aiorch_call_finish");
    end_by_library(call, AIORCH_E_PLUGIN_CONTRACT, "the plug-in returned AIORCH_SLOT_OK without aiorch_call_finish");
  } else if (said < 0 && strcmp(aiorch_status_name(said), "UNKNOWN") != 0) {
    end_by_library(call, said, "the plug-in failed and said no more");
  } else {
    aio__calls_fault(call->calls, "returned what no slot returns");
    end_by_library(call, AIORCH_E_PLUGIN,
                   "the plug-in returned neither AIORCH_SLOT_OK nor AIORCH_SLOT_PENDING nor an error: did it throw?");
  }
}

void aio__call_set_step(aiorch_call *call, void (*step)(void *ctx, aiorch_call *call), void *ctx) {
  call->step = step;
  call->step_ctx = ctx;
}

void *aio__call_step_ctx(const aiorch_call *call) { return call->step_ctx; }

aio__waker *aio__call_waker(const aiorch_call *call) { return call->waker; }

int64_t aio__call_deadline(const aiorch_call *call) { return call->deadline_ns; }

void aio__call_wake_at(aiorch_call *call, int64_t at_ns) { call->wake_ns = at_ns; }

int64_t aio__call_wakes_at(const aiorch_call *call) { return aio__call_ended(call) ? AIO__NEVER : call->wake_ns; }

void aio__call_put_retry(aiorch_call *call, int should_retry, bool not_today) {
  call->result.should_retry = should_retry;
  call->result.not_today = not_today;
}

void aio__call_put_sent(aiorch_call *call, bool sent) { call->result.sent = sent; }

void aio__call_put_usage_partial(aiorch_call *call) { call->result.usage_partial = true; }

bool aio__call_poll(aiorch_call *call) {
  if (call->step && !aio__call_ended(call)) {
    call->wake_ns = AIO__NEVER;
    call->stepping = true;
    call->step(call->step_ctx, call);
    call->stepping = false;
  }
  return aio__call_ended(call);
}

bool aio__call_ended(const aiorch_call *call) { return atomic_load_explicit(&call->ended, memory_order_acquire); }

const aio__call_result *aio__call_result_of(const aiorch_call *call) { return &call->result; }

bool aio__call_cut_off(const aiorch_call *call, aiorch_status status) {
  const aio__call_result *result = &call->result;
  if (!result->sent || status == AIORCH_OK) return false;
  if (!aio__call_ended(call)) return true;
  if ((result->has_usage && !result->usage_partial) || result->http_status >= 300) return false;
  return status == AIORCH_E_NETWORK || status == AIORCH_E_TRUNCATED || status == AIORCH_E_CANCELLED || status == AIORCH_E_DEADLINE;
}

const aio__call_request *aio__call_request_of(const aiorch_call *call) { return &call->request; }

aiorch_status aio__call_take_text(aiorch_call *call, aio__buf *into) {
  aiorch_status status = AIORCH_OK;
  pthread_mutex_lock(&call->mutex);
  if (call->text.n > 0) status = aio__buf_str(into, aio__buf_view(&call->text));
  if (call->text.cap > KEEP_TEXT) aio__buf_free(&call->text);
  aio__buf_reset(&call->text);
  pthread_mutex_unlock(&call->mutex);
  return status;
}

bool aio__call_cancel(aiorch_call *call) {
  pthread_mutex_lock(&call->mutex);
  bool out = call->started && !call->finished && !call->dropped;
  call->dropped = true;
  aio__waker *waker = call->waker;
  call->waker = NULL;
  pthread_mutex_unlock(&call->mutex);
  aio__waker_release(waker);
  if (out && call->cancel) {
    aio__inside frame;
    aio__calls_enter(call->calls, &frame);
    call->cancel(call->self, call);
    aio__calls_leave(call->calls, &frame);
  }
  return aio__call_ended(call);
}

void aio__call_drop(aiorch_call *call) {
  if (!call) return;
  (void)aio__call_cancel(call);
  aio__call_release(call);
}
