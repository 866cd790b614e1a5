/* See http_embedder.h: an embedder made of its settings, and its breaker. */
#include "embedders/http_embedder_private.h"

#include <string.h>

#include "text/json_merge.h"

enum { NS_PER_MS = 1000000 };

/* ---- the breaker ---- */

bool aio__http_embedder_allows(aio__http_embedder *e, int64_t *wait_ms, char words[AIO__WIRE_MESSAGE_MAX + 1]) {
  int64_t now = aio__clock_now(e->clock);
  pthread_mutex_lock(&e->mutex);
  bool open = e->failures >= AIO__HTTP_EMBEDDER_FAILURES, allowed = !open || now >= e->open_until_ns;
  if (open && allowed) e->open_until_ns = now + (int64_t)AIO__HTTP_EMBEDDER_OPEN_MS * NS_PER_MS; /* for the others */
  *wait_ms = allowed ? 0 : (e->open_until_ns - now + NS_PER_MS - 1) / NS_PER_MS;
  if (!allowed) memcpy(words, e->last, sizeof e->last);
  pthread_mutex_unlock(&e->mutex);
  return allowed;
}

void aio__http_embedder_succeeded(aio__http_embedder *e) {
  pthread_mutex_lock(&e->mutex);
  e->failures = 0;
  pthread_mutex_unlock(&e->mutex);
}

/* A request that was refused for what is in it says nothing of the service. */
void aio__http_embedder_failed(aio__http_embedder *e, const aio__wire_error *error) {
  if (error->status == AIORCH_E_CONTEXT_WINDOW || error->status == AIORCH_E_PROVIDER_REJECTED || error->status == AIORCH_E_NOMEM) return;
  int64_t wait_ms = error->retry_after_ms > AIO__HTTP_EMBEDDER_OPEN_MS ? error->retry_after_ms : AIO__HTTP_EMBEDDER_OPEN_MS;
  if (wait_ms > AIO__HTTP_EMBEDDER_OPEN_MAX_MS) wait_ms = AIO__HTTP_EMBEDDER_OPEN_MAX_MS;
  pthread_mutex_lock(&e->mutex);
  if (e->failures < AIO__HTTP_EMBEDDER_FAILURES) e->failures++;
  if (e->failures == AIO__HTTP_EMBEDDER_FAILURES) e->open_until_ns = aio__clock_now(e->clock) + wait_ms * NS_PER_MS;
  memcpy(e->last, error->message, sizeof e->last);
  pthread_mutex_unlock(&e->mutex);
}

/* ---- its settings ---- */

static void destroy(void *self) {
  aio__http_embedder *e = self;
  const aio__alloc *al = e->al;
  if (e->secret) explicit_bzero(e->secret, strlen(e->secret));
  aio__free(al, e->secret);
  aio__arena_free(&e->memory);
  pthread_mutex_destroy(&e->mutex);
  aio__free(al, e);
}

static aiorch_status bad(const char *key, const char *what, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_CONFIG, "\"%s\" %s", key, what);
}

static bool one_word(const char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text <= 0x20 || *text == 0x7F) return false;
  }
  return true;
}

/* As the codec would say it, before anything is sent: address, key and options in one trial. */
static aiorch_status try_request(const aio__http_embedder *e, aiorch_error *error) {
  aio__wire_request wire;
  aiorch_error why;
  const aio__str text = AIO__LIT("text");
  aio__embed_request request = {.model = e->model, .texts = &text, .text_count = 1, .purpose = AIORCH_PURPOSE_QUERY,
                                .provider_options = e->options};
  aio__error_init(&why);
  aio__wire_request_init(&wire, e->al);
  aiorch_status st = aio__embed_encode(e->codec, &request, &e->target, &wire, &why);
  aio__wire_request_free(&wire);
  if (st == AIORCH_E_NOMEM) return aio__error_set(error, st, "out of memory for the embedder");
  return st ? aio__error_set(error, AIORCH_E_CONFIG, "the embedder's settings (\"embedder.base_url\", \"embedder.key\", \"embedder.options\"): %s",
                             why.message)
            : AIORCH_OK;
}

static aiorch_status copy_texts(aio__http_embedder *e, const aio__http_embedder_args *args, aiorch_error *error) {
  aio__str key = aio__str_trim(aio__str_z(args->key));
  e->model = aio__arena_str(&e->memory, aio__str_z(args->model));
  e->options = aio__arena_str(&e->memory, aio__str_trim(aio__str_z(args->options)));
  e->target.base_url = aio__arena_str(&e->memory, aio__str_trim(aio__str_z(args->base_url)));
  e->secret = aio__strndup(e->al, key.n ? key.p : "", key.n);
  e->target.key = aio__str_z(e->secret);
  if (e->model.p && e->options.p && e->target.base_url.p && e->secret) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the embedder");
}

static aiorch_status take_settings(aio__http_embedder *e, const aio__http_embedder_args *args, aiorch_error *error) {
  const aio__served_model *known = aio__served_model_find(aio__str_z(args->model));
  e->codec = aio__embed_codec_find(aio__str_z(args->api));
  if (!e->codec) return bad("embedder", "is no service that is known: huggingface, openai, ollama", error);
  if (args->model[0] == '\0') return bad("embedder.model", "must be set: which model of the service?", error);
  if (!one_word(args->model)) return bad("embedder.model", "must be one word", error);
  e->dimensions = (size_t)(args->dimensions > 0 ? args->dimensions : known ? known->dimensions : 0);
  if (e->dimensions == 0) {
    return bad("embedder.dimensions", "must be set: how long its vectors are is not known of this model, and nothing is sent to find out", error);
  }
  e->max_tokens = (size_t)(args->max_tokens > 0 ? args->max_tokens : known ? known->max_tokens : 0);
  e->say_dimensions = known && e->dimensions != known->dimensions;
  e->cut = e->codec == &aio__embed_openai;
  e->timeout_ms = args->timeout_ms;
  for (int i = 0; i < AIO__EMBED_PURPOSES; i++) e->prompt[i] = known ? known->prompt[i] : "";
  aiorch_status st = copy_texts(e, args, error);
  return st ? st : try_request(e, error);
}

static bool one_purpose(const aio__http_embedder *e) {
  for (int i = 1; i < AIO__EMBED_PURPOSES; i++) {
    if (strcmp(e->prompt[i], e->prompt[0]) != 0) return false;
  }
  return true;
}

static aiorch_status make_fingerprint(const aio__http_embedder *e, char **out, aiorch_error *error) {
  aio__buf text;
  aio__buf_init(&text, e->al, AIO__PLUGIN_TEXT_MAX);
  aio__buf_fmt(&text, "%s:%.*s:%zu", e->codec->name, (int)e->model.n, e->model.p, e->dimensions);
  if (text.failed == AIORCH_E_TOO_LARGE) return bad("embedder.model", "has a name that is too long", error);
  *out = aio__buf_take(&text, NULL);
  return *out ? AIORCH_OK : aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the embedder");
}

aiorch_status aio__http_embedder_open(const aio__alloc *al, const aio__clock *clock, aio__transport *transport,
                                      const aio__http_embedder_args *args, aio__plugin_embedder *out, aiorch_error *error) {
  aio__http_embedder *e = aio__calloc(al, 1, sizeof *e);
  if (!e) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the embedder");
  if (pthread_mutex_init(&e->mutex, NULL) != 0) {
    aio__free(al, e);
    return aio__error_set(error, AIORCH_E_SYSTEM, "the system gave no lock for the embedder");
  }
  e->al = al;
  e->clock = clock;
  e->transport = transport;
  aio__arena_init(&e->memory, al, 512);
  aiorch_status st = take_settings(e, args, error);
  char *fingerprint = NULL;
  if (st == AIORCH_OK) st = make_fingerprint(e, &fingerprint, error);
  if (st) {
    destroy(e);
    return st;
  }
  *out = (aio__plugin_embedder){
      .vtbl = {.struct_size = sizeof out->vtbl,
               .flags = one_purpose(e) ? AIORCH_PLUGIN_ONE_PURPOSE : 0,
               .dimensions = (uint32_t)e->dimensions,
               .max_tokens = (uint32_t)e->max_tokens,
               .fingerprint = fingerprint,
               .embed = aio__http_embedding_start,
               .cancel = aio__http_embedding_cancel,
               .destroy = destroy},
      .self = e,
      .fingerprint = fingerprint};
  return AIORCH_OK;
}
