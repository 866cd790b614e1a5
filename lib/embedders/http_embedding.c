/*
 * One call of an embedder behind HTTP: see http_embedder.h.
 *
 *   start -> [batch: request -> transport -> whole answer -> vectors] ... -> all vectors to the call
 *               \ failed for a while: wait, at most until the deadline, and ask again
 */
#include <string.h>

#include "core/uuid.h"
#include "embedders/http_embedder_private.h"
#include "text/tokens.h"

enum { NS_PER_MS = 1000000 };

typedef struct embedding {
  aio__http_embedder *embedder;
  aiorch_call *call;
  aio__arena memory;
  aio__str *texts;         /* as they are sent: with their prompt, cut where that is needed */
  size_t count, done, batch; /* texts in all, whose vectors are there, that are out */
  float *vectors;
  size_t truncated;
  int64_t tokens;
  bool has_tokens;
  int attempts;            /* of this batch */
  bool asked;              /* something was sent */
  int64_t deadline_ns;     /* of all of it */
  int64_t retry_ns;        /* when the batch is sent again; 0: it is out */
  aio__exchange *exchange;
  aio__buf body;
  char request_id[AIO__WIRE_ID_MAX + 1], model[AIO__WIRE_ID_MAX + 1];
} embedding;

static void free_embedding(embedding *e) {
  const aio__alloc *al = e->embedder->al;
  e->embedder->transport->drop(e->exchange);
  aio__buf_free(&e->body);
  aio__free(al, e->vectors);
  aio__arena_free(&e->memory);
  aio__free(al, e);
}

/* ---- the end ---- */

static void finish(embedding *e, aiorch_status status) {
  aiorch_call *call = e->call;
  if (e->has_tokens) aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, e->tokens);
  if (e->request_id[0]) aiorch_call_put_request_id(call, e->request_id, strlen(e->request_id));
  aio__str asked = e->embedder->model;
  size_t n = strlen(e->model);
  if (n > 0) aiorch_call_put_model(call, e->model, n);
  else aiorch_call_put_model(call, asked.p, asked.n);
  free_embedding(e);
  aiorch_call_finish(call, status);
}

static void finish_failed(embedding *e, const aio__wire_error *error) {
  aiorch_call_put_error(e->call, error->message, strlen(error->message), error->http_status, error->retry_after_ms);
  aio__call_put_retry(e->call, error->should_retry, error->not_today);
  aio__call_put_sent(e->call, e->asked);
  finish(e, error->status < 0 ? error->status : AIORCH_E_RESPONSE);
}

static void finish_whole(embedding *e) {
  aio__call_put_sent(e->call, true);
  aiorch_status st = aiorch_call_put_vectors(e->call, e->vectors, e->count, e->embedder->dimensions, e->truncated);
  finish(e, st);
}

/* ---- one request ---- */

/* As many texts as the service takes at once, and as are worth one request. */
static size_t batch_size(const embedding *e) {
  size_t tokens = 0, n = 0;
  while (e->done + n < e->count && n < e->embedder->codec->batch_max) {
    tokens += aio__tokens_estimate(e->texts[e->done + n]);
    if (n > 0 && tokens > AIO__HTTP_EMBEDDER_BATCH_TOKENS) break;
    n++;
  }
  return n;
}

static bool is_question(const embedding *e) {
  return e->count == 1 && aio__call_request_of(e->call)->purpose != AIORCH_PURPOSE_PASSAGE;
}

/* False when the call was ended: what cannot be sent will not be better later. */
static bool send(embedding *e) {
  aio__http_embedder *m = e->embedder;
  aio__wire_request wire;
  aiorch_error why;
  aio__error_init(&why);
  aio__wire_request_init(&wire, m->al);
  e->batch = batch_size(e);
  e->retry_ns = 0;
  e->attempts++;
  aio__embed_request request = {.model = m->model,
                                .texts = e->texts + e->done,
                                .text_count = e->batch,
                                .purpose = aio__call_request_of(e->call)->purpose,
                                .dimensions = m->say_dimensions ? m->dimensions : 0,
                                .provider_options = m->options};
  aio__exchange_limits limits = {.deadline_ns = e->deadline_ns,
                                 .connect_ms = AIO__HTTP_EMBEDDER_CONNECT_MS,
                                 .first_byte_ms = is_question(e) ? 0 : AIO__HTTP_EMBEDDER_BATCH_MS,
                                 .idle_ms = is_question(e) ? 0 : AIO__HTTP_EMBEDDER_BATCH_MS,
                                 .response_max = AIO__EMBED_BODY_MAX,
                                 .buffer_max = AIO__EXCHANGE_BUFFER_MAX};
  aiorch_status st = aio__embed_encode(m->codec, &request, &m->target, &wire, &why);
  if (st == AIORCH_OK) st = m->transport->start(m->transport, &wire, &limits, aio__call_waker(e->call), &e->exchange, &why);
  aio__wire_request_free(&wire);
  if (st == AIORCH_OK) return true;
  aio__wire_error error = {.status = st, .retry_after_ms = -1, .should_retry = -1};
  aio__wire_say(&error, aio__str_z(why.message), m->target.key);
  finish_failed(e, &error);
  return false;
}

/* ---- after a failure ---- */

static bool worth_a_retry(const aio__wire_error *error) {
  if (error->should_retry == 0 || error->not_today) return false;
  switch (error->status) {
    case AIORCH_E_NETWORK:
    case AIORCH_E_PROVIDER_BUSY:
    case AIORCH_E_PROVIDER_LIMIT:
    case AIORCH_E_TRUNCATED: return true;
    default: return false;
  }
}

/* Full jitter, or what the service says where that is longer. */
static int64_t backoff_ms(int attempts, int64_t retry_after_ms) {
  uint32_t random = UINT32_MAX;
  int64_t most = AIO__HTTP_EMBEDDER_BACKOFF_MS;
  for (int i = 1; i < attempts && most < AIO__HTTP_EMBEDDER_BACKOFF_MAX_MS; i++) most *= 2;
  if (most > AIO__HTTP_EMBEDDER_BACKOFF_MAX_MS) most = AIO__HTTP_EMBEDDER_BACKOFF_MAX_MS;
  if (aio__random(&random, sizeof random)) random = UINT32_MAX;
  int64_t wait = most * random / UINT32_MAX;
  return retry_after_ms > wait ? retry_after_ms : wait;
}

static void attempt_failed(embedding *e, aio__wire_error *error) {
  aio__http_embedder *m = e->embedder;
  int64_t now = aio__clock_now(m->clock), wait_ms;
  char words[AIO__WIRE_MESSAGE_MAX + 1];
  if (error->status == AIORCH_E_DEADLINE && now < aio__call_deadline(e->call)) {
    error->status = AIORCH_E_NETWORK; /* our own limit, not the run's */
    aio__buf text;
    aio__buf_init(&text, m->al, AIO__WIRE_MESSAGE_MAX);
    aio__buf_fmt(&text, "no answer within %lld ms (\"embedder.timeout_ms\")", (long long)m->timeout_ms);
    aio__wire_say(error, aio__buf_view(&text), m->target.key);
    aio__buf_free(&text);
  }
  e->asked = e->asked || m->transport->sent(e->exchange);
  if (error->status != AIORCH_E_DEADLINE) aio__http_embedder_failed(m, error);
  m->transport->drop(e->exchange);
  e->exchange = NULL;
  wait_ms = backoff_ms(e->attempts, error->retry_after_ms);
  bool in_time = wait_ms < (e->deadline_ns - now) / NS_PER_MS;
  if (!worth_a_retry(error) || e->attempts >= AIO__HTTP_EMBEDDER_ATTEMPTS || !in_time ||
      !aio__http_embedder_allows(m, &(int64_t){0}, words)) {
    finish_failed(e, error);
    return;
  }
  e->retry_ns = now + wait_ms * NS_PER_MS;
  aio__call_wake_at(e->call, e->retry_ns);
}

/* ---- an answer ---- */

/* AIORCH_OK: its vectors are kept. */
static aiorch_status decode(embedding *e, aio__embed_result *result) {
  aio__http_embedder *m = e->embedder;
  const aio__wire_reply *reply = m->transport->head(e->exchange), none = {.http_status = 0};
  aiorch_status st = aio__embed_decode(m->codec, &m->target, reply ? reply : &none, aio__buf_view(&e->body), e->batch, m->dimensions, result);
  if (result->request_id[0]) memcpy(e->request_id, result->request_id, sizeof e->request_id);
  if (st) return st;
  memcpy(e->vectors + e->done * m->dimensions, result->vectors, e->batch * m->dimensions * sizeof *e->vectors);
  if (result->model[0]) memcpy(e->model, result->model, sizeof e->model);
  if (result->tokens >= 0) {
    e->tokens += result->tokens;
    e->has_tokens = true;
  }
  return AIORCH_OK;
}

static void take_answer(embedding *e) {
  aio__http_embedder *m = e->embedder;
  aio__embed_result result;
  aio__embed_result_init(&result, m->al);
  aiorch_status st = decode(e, &result);
  aio__wire_error error = result.error;
  aio__embed_result_free(&result);
  if (st) {
    error.status = st;
    attempt_failed(e, &error);
    return;
  }
  aio__http_embedder_succeeded(m);
  m->transport->drop(e->exchange);
  e->exchange = NULL;
  e->asked = true;
  aio__buf_reset(&e->body);
  e->done += e->batch;
  e->attempts = 0;
  if (e->done == e->count) finish_whole(e);
  else (void)send(e);
}

static void step(void *ctx, aiorch_call *call) {
  embedding *e = ctx;
  const aio__transport *transport = e->embedder->transport;
  if (e->retry_ns) {
    if (aio__clock_now(e->embedder->clock) < e->retry_ns) {
      aio__call_wake_at(call, e->retry_ns);
      return;
    }
    aio__buf_reset(&e->body);
    if (!send(e)) return;
  }
  aio__wire_error error = {.retry_after_ms = -1, .should_retry = -1};
  aiorch_status taken = transport->take(e->exchange, &e->body);
  aiorch_status st = transport->state(e->exchange, &error);
  if (st == AIORCH_OK) taken = transport->take(e->exchange, &e->body);
  if (taken) {
    error.status = taken;
    aio__wire_say(&error, taken == AIORCH_E_NOMEM ? AIO__LIT("out of memory") : AIO__LIT("the answer is too long"), AIO__LIT(""));
    attempt_failed(e, &error);
  } else if (st == AIORCH_OK) {
    take_answer(e);
  } else if (st < 0) {
    if (error.status == AIORCH_OK) error.status = st;
    attempt_failed(e, &error);
  } else {
    aio__call_put_sent(call, e->asked || transport->sent(e->exchange));
  }
}

/* ---- the start ---- */

/* With its prompt; one that is longer than the model reads is counted, and cut where the service would refuse it. */
static aio__str make_text(embedding *e, aio__str text, const char *prompt) {
  const aio__http_embedder *m = e->embedder;
  if (aio__str_trim(text).n == 0) text = AIO__LIT("."); /* services take no empty text, and it has to have some vector */
  if (m->max_tokens > 0 && aio__tokens_estimate(text) > m->max_tokens) {
    e->truncated++;
    if (m->cut) text.n = aio__tokens_cut(text, m->max_tokens);
  }
  size_t n = strlen(prompt);
  if (n == 0) return text;
  char *both = aio__arena_alloc(&e->memory, n + text.n);
  if (!both) return (aio__str){NULL, 0};
  memcpy(both, prompt, n);
  memcpy(both + n, text.p, text.n);
  return aio__str_n(both, n + text.n);
}

static aiorch_status make_texts(embedding *e) {
  const aio__call_request *request = aio__call_request_of(e->call);
  bool known = request->purpose >= 1 && request->purpose <= AIO__EMBED_PURPOSES;
  const char *prompt = known ? e->embedder->prompt[request->purpose - 1] : "";
  e->count = request->text_count;
  e->texts = aio__arena_alloc(&e->memory, (e->count + 1) * sizeof *e->texts);
  e->vectors = aio__calloc(e->embedder->al, e->count + 1, e->embedder->dimensions * sizeof *e->vectors);
  if (!e->texts || !e->vectors) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < e->count; i++) {
    e->texts[i] = make_text(e, request->texts[i], prompt);
    if (!e->texts[i].p) return AIORCH_E_NOMEM;
  }
  return AIORCH_OK;
}

static aiorch_status left_alone(aiorch_call *call, aio__http_embedder *m, int64_t wait_ms, const char *words) {
  aio__wire_error error = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = wait_ms, .should_retry = -1};
  aio__buf text;
  aio__buf_init(&text, m->al, 2 * AIO__WIRE_MESSAGE_MAX);
  aio__buf_fmt(&text, "it failed %d times in a row and is left alone for %lld ms; it said: %s", AIO__HTTP_EMBEDDER_FAILURES,
               (long long)wait_ms, words);
  aio__wire_say(&error, aio__buf_view(&text), m->target.key);
  aio__buf_free(&text);
  aiorch_call_put_error(call, error.message, strlen(error.message), 0, wait_ms);
  aiorch_call_finish(call, error.status);
  return AIORCH_SLOT_OK;
}

aiorch_status aio__http_embedding_start(void *self, aiorch_call *call) {
  aio__http_embedder *m = self;
  char words[AIO__WIRE_MESSAGE_MAX + 1];
  int64_t wait_ms;
  aio__call_put_sent(call, false);
  if (aio__call_request_of(call)->text_count == 0) return AIORCH_E_INVALID;
  if (!aio__http_embedder_allows(m, &wait_ms, words)) return left_alone(call, m, wait_ms, words);
  embedding *e = aio__calloc(m->al, 1, sizeof *e);
  if (!e) return AIORCH_E_NOMEM;
  e->embedder = m;
  e->call = call;
  aio__arena_init(&e->memory, m->al, 1024);
  aio__buf_init(&e->body, m->al, AIO__EMBED_BODY_MAX);
  if (make_texts(e) != AIORCH_OK) {
    free_embedding(e);
    return AIORCH_E_NOMEM;
  }
  e->deadline_ns = aio__call_deadline(call);
  int64_t own_ns = aio__clock_after_ms(m->clock, m->timeout_ms);
  if (is_question(e) && own_ns < e->deadline_ns) e->deadline_ns = own_ns;
  if (!send(e)) return AIORCH_SLOT_OK;
  aio__call_set_step(call, step, e);
  return AIORCH_SLOT_PENDING;
}

void aio__http_embedding_cancel(void *self, aiorch_call *call) {
  embedding *e = aio__call_step_ctx(call);
  (void)self;
  if (e) finish(e, AIORCH_E_CANCELLED);
}
