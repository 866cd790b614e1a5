/* Plug-in calls that are waited for on the caller's thread. */
#include "api/blocking_call.h"

enum { FORGET_BATCH = 1000 };

typedef struct slot {
  const char *name;
  aiorch_status (*start)(void *self, aiorch_call *call);
  void (*cancel)(void *self, aiorch_call *call);
  void *self;
  uint32_t flags;
  pthread_mutex_t *serial;
} slot;

static slot slot_of(aiorch *orch, aio__call_kind kind) {
  if (kind == AIO__CALL_EMBED) {
    const aio__plugin_embedder *e = &orch->plugins.embedder;
    return (slot){"the embedder", e->vtbl.embed, e->vtbl.cancel, e->self, e->vtbl.flags, e->serial};
  }
  const aio__plugin_vector_store *v = &orch->plugins.vector_store;
  return (slot){"the vector store", kind == AIO__CALL_UPSERT ? v->vtbl.upsert : v->vtbl.remove,
                v->vtbl.cancel,     v->self,
                v->vtbl.flags,      v->serial};
}

static void wait_for(aiorch_call *call, aio__waker *waker, int64_t deadline_ns) {
  while (!aio__call_poll(call)) {
    int64_t wakes_at = aio__call_wakes_at(call), until = wakes_at < deadline_ns ? wakes_at : deadline_ns;
    if (!aio__waker_wait(waker, until) && until == deadline_ns) return;
    aio__waker_clear(waker);
  }
}

static aiorch_status result_of(const aiorch_call *call, const char *name, aiorch_error *error) {
  if (!aio__call_ended(call)) {
    return aio__error_set(error, AIORCH_E_DEADLINE, "%s did not finish in time", name);
  }
  const aio__call_result *result = aio__call_result_of(call);
  if (result->status >= 0) return result->status;
  const char *words = result->message[0] ? result->message : aiorch_strerror(result->status);
  aio__error_set(error, result->status, "%s failed: %s", name, words);
  if (error) {
    error->http_status = aio__error_http_of_refusal(result->status, result->http_status);
    error->retry_after_ms = result->retry_after_ms;
  }
  return result->status;
}

aiorch_status aio__blocking_call(aiorch *orch, aio__call_kind kind, const aio__call_request *request,
                                 int64_t deadline_ns, aiorch_call **out, aiorch_error *error) {
  slot s = slot_of(orch, kind);
  aio__waker *waker = NULL;
  *out = NULL;
  aiorch_status st = aio__waker_new(orch->al, orch->clock, &waker);
  if (st == AIORCH_OK) st = aio__call_new(orch->calls, kind, request, waker, deadline_ns, 0, out);
  if (st) {
    aio__error_set(error, st, "out of memory for a call to %s", s.name);
    goto out;
  }
  aio__call_start(*out, s.start, s.cancel, s.self, s.flags, s.serial);
  wait_for(*out, waker, deadline_ns);
  st = result_of(*out, s.name, error);
out:
  aio__waker_release(waker);
  return st;
}

void aio__forget_vectors(aiorch *orch, aio__str tenant, const aio__str *ids, size_t count, int64_t deadline_ns) {
  if (!orch->plugins.vector_store.vtbl.remove) return;
  for (size_t at = 0; at < count; at += FORGET_BATCH) {
    aio__call_request request = {.tenant = tenant, .collection = AIO__LIT("chunks"), .ids = ids + at};
    request.vector_count = count - at < FORGET_BATCH ? count - at : FORGET_BATCH;
    aiorch_call *call = NULL;
    aiorch_status st = aio__blocking_call(orch, AIO__CALL_REMOVE, &request, deadline_ns, &call, NULL);
    aio__call_drop(call);
    if (st) {
      aio__log_event(orch->log, AIORCH_LOG_WARN, "vectors_not_removed", AIO__LIT(""));
      return;
    }
  }
}
