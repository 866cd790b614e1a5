/*
 * Calls: what a plug-in slot gets, and wakers: how whoever finishes one tells whoever waits.
 *
 * Life of a call. Its driver makes it with a copy of the request, starts it, polls it, and drops it; the plug-in's claim
 * lasts from the start until aiorch_call_finish. Memory goes when both are gone, but the shell of a finished call stays
 * in a ring of the last AIO__CALL_QUARANTINE ones, so that a second finish is found out instead of corrupting memory. What a
 * plug-in never finishes is freed after its `destroy`.
 *
 * Lock order: call.mutex, then waker.mutex, then whatever ready() takes.
 */
#ifndef AIO_CORE_CALL_H
#define AIO_CORE_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/content.h"
#include "core/counters.h"
#include "core/error.h"
#include "core/log.h"
#include "core/plugins.h"

/* ---- waker ---------------------------------------------------------------------------------------------------------- */

/* Counted; outlives whoever waits. `ready` (may be NULL) is called with the waker's mutex held, each time that
 * `signalled` goes from false to true. */
typedef struct aio__waker {
  atomic_int refs;
  const aio__alloc *al;
  const aio__clock *clock;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  atomic_bool signalled; /* set with the mutex held */
  void (*ready)(void *ctx);
  void *ctx;
} aio__waker;

aiorch_status aio__waker_new(const aio__alloc *al, const aio__clock *clock, aio__waker **out);
aio__waker *aio__waker_retain(aio__waker *waker);
void aio__waker_release(aio__waker *waker);
void aio__waker_on_ready(aio__waker *waker, void (*ready)(void *ctx), void *ctx); /* NULL detaches */
void aio__waker_signal(aio__waker *waker);
void aio__waker_clear(aio__waker *waker);                       /* signalled = false; before looking at what was done */
bool aio__waker_wait(aio__waker *waker, int64_t deadline_ns);   /* until signalled; false at the deadline */

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

enum {
  AIO__CALL_QUARANTINE = 256,
  AIO__CALL_NAME_MAX = 255,
  AIO__CALL_ERROR_MAX = 500,
  AIO__CALL_HITS_MAX = 100000,
  AIO__CALL_EXTRAS_MAX = 1024,               /* tool calls, pieces of reasoning and warnings of one answer */
  AIO__CALL_EXTRAS_BYTES_MAX = 32 << 20      /* of all their texts */
};

typedef enum aio__call_kind {
  AIO__CALL_GENERATE = 1,
  AIO__CALL_EMBED,
  AIO__CALL_UPSERT,
  AIO__CALL_REMOVE,
  AIO__CALL_SEARCH
} aio__call_kind;

typedef struct aio__call_message {
  int32_t role;
  aio__str text;          /* of parts: those that are text, with an empty line between them */
  const aio__part *parts; /* NULL: the text is all there is */
  size_t part_count;
} aio__call_message;

/* A numbered source of the context, so that a provider can quote it without parsing the system text. */
typedef struct aio__call_source {
  aio__str title, uri, text;
  double similarity; /* cosine of the question and the nearest of its chunks; NaN: not known */
} aio__call_source;

/* What the cosines of a request mean, for the provider inside the library. */
typedef struct aio__call_meaning {
  double far, near; /* of a question and a sentence: up to `far` it says nothing of it, from `near` on it may answer it */
  /* Cosines of the question and each of `count` texts. Only on the thread that runs the slot, and while it does. NULL: there
   * are those of the sources alone. A failure: there are none, and the answer goes on without. */
  aiorch_status (*similarities)(void *ctx, const aio__str *texts, size_t count, double *out);
  void *ctx;
} aio__call_meaning;

/* What is asked. aio__call_new copies all of it but `meaning`, unless it is borrowed. */
typedef struct aio__call_request {
  bool borrowed; /* it lives until the slot has returned, which reads nothing of it afterwards, nor lets anybody read it */
  bool company;  /* others are about to be called by whoever calls this one, who then sees to it that all of them go on */
  aio__str tenant, run_id;
  /* generate */
  aio__str model, system, provider_options, question;
  const aio__call_message *messages;
  size_t message_count;
  const aio__call_source *sources;
  size_t source_count;
  int64_t max_tokens;
  double temperature; /* below 0: the provider's own */
  aio__wishes wishes;
  uint32_t endpoint;  /* which of the addresses and keys of a built-in provider; 0 for plug-ins */
  const aio__call_meaning *meaning; /* NULL: none; lives until the slot has returned */
  /* embed */
  int32_t purpose;
  const aio__str *texts;
  size_t text_count;
  /* vector store */
  aio__str collection;
  const aio__str *ids;
  const aio__str *scopes;  /* one a vector, or NULL: all empty */
  const float *vectors;    /* vector_count rows of dimensions */
  size_t vector_count, dimensions, limit;
} aio__call_request;

typedef struct aio__call_hit {
  size_t query;
  aio__str id;
  double similarity;
} aio__call_hit;

/* What was handed over. Read it after aio__call_ended said yes; text also before. */
typedef struct aio__call_result {
  aiorch_status status;
  int32_t http_status, finish_reason;
  int64_t retry_after_ms;
  int should_retry;   /* x-should-retry: 1, 0; -1: not said */
  bool not_today;     /* a limit of a day or a month is used up */
  bool sent;          /* bytes may have left: what a cut-off attempt has cost nobody knows. True for plug-ins */
  int64_t usage[AIORCH_USAGE_COUNT];
  bool has_usage;
  bool usage_partial; /* an answer broke off, and its last count had not come yet */
  char model[AIO__CALL_NAME_MAX + 1], request_id[AIO__CALL_NAME_MAX + 1];
  char message[AIO__CALL_ERROR_MAX + 1];
  const float *vectors;
  size_t vector_count, dimensions, truncated;
  const aio__call_hit *hits;
  size_t hit_count;
} aio__call_result;

/*
 * What comes besides the text of an answer, each once it is whole, in the order in which they ended:
 *   AIO__EVENT_TOOL_END    a tool call: id, name, arguments (a JSON object, as the model wrote it) in `text`, signature or nothing
 *   AIO__EVENT_REASONING   a piece of reasoning in `text`, with its signature or none
 *   AIO__EVENT_REDACTED    reasoning of which the signature is all there is
 *   AIO__EVENT_WARNING     words, in `text`
 *   AIO__EVENT_STOP        the stop sequence that ended the answer, in `text`
 */
typedef struct aio__call_extra {
  aio__event_kind kind;
  aio__str id, name, text, signature;
} aio__call_extra;

/* All calls of an orchestrator, and the threads that are inside a callback right now. */
typedef struct aio__calls aio__calls;
aiorch_status aio__calls_new(const aio__alloc *al, const aio__clock *clock, aio__log *log, aio__counters *counters,
                             aio__calls **out);
void aio__calls_quiesce(aio__calls *calls);             /* before the plug-ins' destroy: waits for threads that are inside
                                                           aiorch_call_finish to leave it */
void aio__calls_free(aio__calls *calls);                /* after the plug-ins' destroy: frees what was never finished */
bool aio__calls_inside(aio__calls *calls);              /* is this thread inside a callback? */
/* A thread that is inside a callback, on its own stack. */
typedef struct aio__inside {
  pthread_t thread;
  struct aio__inside *next;
} aio__inside;
void aio__calls_enter(aio__calls *calls, aio__inside *frame);
void aio__calls_leave(aio__calls *calls, aio__inside *frame);

/* Makes a call. `max_text` bounds what may be emitted. AIORCH_E_NOMEM. */
aiorch_status aio__call_new(aio__calls *calls, aio__call_kind kind, const aio__call_request *request,
                            aio__waker *waker, int64_t deadline_ns, size_t max_text, aiorch_call **out);
/* Calls the slot on this thread. Afterwards the call has ended, or will wake the waker. */
void aio__call_start(aiorch_call *call, aiorch_status (*slot)(void *self, aiorch_call *call),
                     void (*cancel)(void *self, aiorch_call *call), void *self, uint32_t flags,
                     pthread_mutex_t *serial);
/*
 * For slots inside the library that wait for bytes: instead of a thread of their own they leave a step, which aio__call_poll calls
 * on the driver's thread until the call has ended. The step emits and finishes as a plug-in does. Set by the slot, before it
 * returns AIORCH_SLOT_PENDING; what it waits for signals aio__call_waker, or time does: aio__call_wake_at.
 */
void aio__call_set_step(aiorch_call *call, void (*step)(void *ctx, aiorch_call *call), void *ctx);
void *aio__call_step_ctx(const aiorch_call *call); /* for the cancel slot */
aio__waker *aio__call_waker(const aiorch_call *call); /* borrowed; NULL when nobody waits */
int64_t aio__call_deadline(const aiorch_call *call);
void aio__call_wake_at(aiorch_call *call, int64_t at_ns);  /* by the step: it wants to be called then, at the latest */
int64_t aio__call_wakes_at(const aiorch_call *call);       /* AIO__NEVER when the waker is all there is to wait for */
/* For those slots: what aiorch_call_put_error has no room for. */
void aio__call_put_retry(aiorch_call *call, int should_retry, bool not_today);
void aio__call_put_sent(aiorch_call *call, bool sent);
void aio__call_put_usage_partial(aiorch_call *call);
/* Texts are copied. AIORCH_E_CANCELLED, _STATE, _NOMEM as aiorch_call_put_*; AIORCH_E_TOO_LARGE above the limits, where a warning is passed
 * over in silence and anything else makes the call fail as emitted text does that finds no room. */
aiorch_status aio__call_put_extra(aiorch_call *call, const aio__call_extra *extra);
/* Calls the step, if there is one. Has the call ended? Drivers ask this; aio__call_ended only looks. */
bool aio__call_poll(aiorch_call *call);
bool aio__call_ended(const aiorch_call *call);
const aio__call_result *aio__call_result_of(const aiorch_call *call);
/* It ended so, or was given up while it was out: may it have been worked on, while nobody has said how much? So with an answer that broke
 * off, but not with an error that the service gave, nor with what was never sent. */
bool aio__call_cut_off(const aiorch_call *call, aiorch_status status);
/* Appends what was emitted since the last take. The failure of `into`. */
aiorch_status aio__call_take_text(aiorch_call *call, aio__buf *into);
/* Extra number `index`, from 0; false when there is none yet. For drivers, who keep count of those they have read; also while the call is
 * out. Texts are the call's, until it is dropped. */
bool aio__call_extra_at(aiorch_call *call, size_t index, aio__call_extra *out);
/* Cancels the call when it is still out: it is dropped next. True: it has ended, and says what it had counted until then. */
bool aio__call_cancel(aiorch_call *call);
/* Ends the driver's interest: cancels the call when it is still out. Takes NULL. */
void aio__call_drop(aiorch_call *call);
/* For slots inside the library (extractive): the sources and the question. */
const aio__call_request *aio__call_request_of(const aiorch_call *call);

#endif
