/* The local embedder as others see it: a folder in, unit vectors out. */
#include "embedders/local/local.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/call.h"
#include "core/hash.h"
#include "embedders/local/bert_encoder.h"
#include "embedders/local/wordpiece.h"

enum {
  SPARE_ROOMS = 4,       /* kept for the next call; more threads than that make their own anew */
  DIGEST_SHOWN = 8,      /* bytes of the fingerprint's digest */
  FINGERPRINT_ROOM = AIO__MODEL_NAME_MAX + 32,
  TEXT_TOKENS_MIN = 2,   /* [CLS] and [SEP] */
  PADDING_MAX = 256      /* rows of the table of words beyond the vocabulary: some models round its size up */
};

struct aio__local {
  aio__alloc al;
  aio__bert *bert;
  aio__wordpiece *tokenizer;
  const aio__bert_kernels *kernels;
  size_t room_bytes;
  _Atomic(void *) *spare; /* SPARE_ROOMS of them; apart, since they change in a const embedder */
  char fingerprint[FINGERPRINT_ROOM];
};

/* ---- opening ---- */

static aiorch_status open_tokenizer(aio__local *l, const char *folder, bool lower, aiorch_error *error) {
  static const char vocabulary[] = "vocab.txt", json[] = "tokenizer.json";
  char *text = NULL, path[4096];
  size_t len = 0;
  const char *name = vocabulary;
  aiorch_status s = aio__model_file_read(&l->al, folder, name, AIO__WORDPIECE_FILE_MAX, &text, &len, error);
  if (s == AIORCH_E_NOT_FOUND)
    s = aio__model_file_read(&l->al, folder, name = json, AIO__WORDPIECE_FILE_MAX, &text, &len, error);
  if (s == AIORCH_E_NOT_FOUND)
    return aio__error_set(error, AIORCH_E_MODEL, "%s has neither %s nor %s", folder, vocabulary, json);
  if (s != AIORCH_OK) return s;
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  s = name == json ? aio__wordpiece_from_json(&l->al, aio__str_n(text, len), path, &l->tokenizer, error)
                   : aio__wordpiece_from_vocabulary(&l->al, aio__str_n(text, len), lower, path, &l->tokenizer, error);
  aio__free(&l->al, text);
  return s;
}

static void set_fingerprint(aio__local *l) {
  uint8_t digest[AIO__SHA256_SIZE], tokenizer[AIO__SHA256_SIZE];
  char hex[2 * DIGEST_SHOWN + 1];
  const aio__bert *b = l->bert;
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__wordpiece_digest(l->tokenizer, tokenizer);
  aio__sha256_add(&hash, tokenizer, sizeof tokenizer);
  aio__model_config_digest(&b->config, &hash);
  aio__sha256_add(&hash, b->digest, sizeof b->digest);
  aio__sha256_u64(&hash, b->precision == AIO__LOCAL_INT8 ? AIO__BERT_SCHEME : 0);
  aio__sha256_end(&hash, digest);
  aio__hex(digest, DIGEST_SHOWN, hex);
  (void)snprintf(l->fingerprint, sizeof l->fingerprint, "%s/%s/%s", b->config.name,
                 b->precision == AIO__LOCAL_INT8 ? "int8" : "f32", hex);
}

static aiorch_status open_parts(aio__local *l, const aio__local_args *args, aiorch_error *error) {
  aio__model_config config;
  aiorch_status s = aio__model_config_read(&l->al, args->folder, &config, error);
  if (s == AIORCH_OK) s = open_tokenizer(l, args->folder, config.lower_case, error);
  if (s != AIORCH_OK) return s;
  size_t words = aio__wordpiece_size(l->tokenizer);
  if (words > config.vocabulary || words + PADDING_MAX <= config.vocabulary)
    return aio__error_set(error, AIORCH_E_MODEL, "%s: the vocabulary has %zu entries, config.json says %zu%s", args->folder,
                          words, config.vocabulary,
                          words < config.vocabulary ? "; was the file cut short? Get the model again" : "");
  s = aio__bert_load(&l->al, args->folder, &config, args->precision, args->log, &l->bert, error);
  if (s != AIORCH_OK) return s;
  size_t most = config.max_tokens > AIO__ENCODER_TOKENS ? config.max_tokens : AIO__ENCODER_TOKENS;
  l->kernels = aio__bert_kernels_for(args->cpu);
  l->room_bytes = aio__encoder_room(l->bert, l->kernels, most, config.max_tokens);
  set_fingerprint(l);
  return AIORCH_OK;
}

aiorch_status aio__local_open(const aio__alloc *al, const aio__local_args *args, aio__local **out, aiorch_error *error) {
  aio__local *l = aio__calloc(al, 1, sizeof *l);
  if (l == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the local embedder");
  l->al = *al;
  l->spare = aio__malloc(al, SPARE_ROOMS * sizeof *l->spare);
  if (l->spare == NULL) {
    aio__local_free(l);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the local embedder");
  }
  for (size_t i = 0; i < SPARE_ROOMS; i++) atomic_init(&l->spare[i], NULL);
  aiorch_status status = open_parts(l, args, error);
  if (status == AIORCH_OK) *out = l;
  else aio__local_free(l);
  return status;
}

void aio__local_free(aio__local *local) {
  if (local == NULL) return;
  aio__alloc al = local->al;
  for (size_t i = 0; i < SPARE_ROOMS && local->spare != NULL; i++) aio__free(&al, atomic_load(&local->spare[i]));
  aio__free(&al, local->spare);
  aio__wordpiece_free(local->tokenizer);
  aio__bert_free(local->bert);
  aio__free(&al, local);
}

const char *aio__local_fingerprint(const aio__local *local) {
  return local->fingerprint;
}

size_t aio__local_dimensions(const aio__local *local) {
  return local->bert->config.hidden;
}

size_t aio__local_max_tokens(const aio__local *local) {
  return local->bert->config.max_tokens;
}

bool aio__local_one_purpose(const aio__local *local) {
  const aio__model_config *c = &local->bert->config;
  for (int i = 1; i < AIO__MODEL_PURPOSES; i++) {
    if (strcmp(c->prompt[i], c->prompt[0]) != 0) return false;
  }
  return true;
}

/* ---- room to work in ---- */

static void *take_room(const aio__local *l) {
  for (size_t i = 0; i < SPARE_ROOMS; i++) {
    void *room = atomic_exchange_explicit(&l->spare[i], NULL, memory_order_acquire);
    if (room != NULL) return room;
  }
  return aio__malloc(&l->al, l->room_bytes);
}

static void give_room_back(const aio__local *l, void *room) {
  for (size_t i = 0; i < SPARE_ROOMS && room != NULL; i++)
    room = atomic_exchange_explicit(&l->spare[i], room, memory_order_acq_rel);
  aio__free(&l->al, room);
}

/* ---- embedding ---- */

static const char *prompt_of(const aio__local *l, int32_t purpose) {
  return purpose >= 1 && purpose <= AIO__MODEL_PURPOSES ? l->bert->config.prompt[purpose - 1] : NULL;
}

aiorch_status aio__local_tokens(const aio__local *local, int32_t purpose, aio__str text, int32_t *ids, size_t *count,
                                bool *truncated) {
  const char *prompt = prompt_of(local, purpose);
  const size_t most = local->bert->config.max_tokens;
  if (prompt == NULL) return AIORCH_E_INVALID;
  size_t n = strlen(prompt);
  if (n == 0) return aio__wordpiece_encode(local->tokenizer, text, most, ids, count, truncated);
  char *both = aio__malloc(&local->al, n + text.n);
  if (both == NULL) return AIORCH_E_NOMEM;
  memcpy(both, prompt, n);
  if (text.n > 0) memcpy(both + n, text.p, text.n);
  aiorch_status status = aio__wordpiece_encode(local->tokenizer, aio__str_n(both, n + text.n), most, ids, count, truncated);
  aio__free(&local->al, both);
  return status;
}

/* Texts whose tokens are gathered until they are enough for one pass. */
typedef struct batch {
  const aio__local *local;
  void *room;
  int32_t *ids;
  size_t lengths[AIO__ENCODER_TOKENS / TEXT_TOKENS_MIN], count, tokens;
  float *out;
} batch;

static aiorch_status run_batch(batch *b) {
  if (b->count == 0) return AIORCH_OK;
  const aio__local *l = b->local;
  bool good = aio__encoder_run(l->bert, l->kernels, b->ids, b->lengths, b->count, b->room, b->out);
  b->out += b->count * l->bert->config.hidden;
  b->count = b->tokens = 0;
  return good ? AIORCH_OK : AIORCH_E_MODEL;
}

/* Appends a text; those before it are embedded first when all together would be too many. So there are never more than
 * AIO__ENCODER_TOKENS, or one text's, and room behind them for a text of any length. */
static aiorch_status add_text(batch *b, int32_t purpose, aio__str text, size_t *tokens, bool *truncated) {
  size_t n = 0;
  aiorch_status status = b->tokens >= AIO__ENCODER_TOKENS ? run_batch(b) : AIORCH_OK;
  if (status != AIORCH_OK) return status;
  int32_t *at = b->ids + b->tokens;
  status = aio__local_tokens(b->local, purpose, text, at, &n, truncated);
  if (status == AIORCH_OK && b->tokens + n > AIO__ENCODER_TOKENS) {
    status = run_batch(b);
    if (at != b->ids) memmove(b->ids, at, n * sizeof *at);
  }
  if (status != AIORCH_OK) return status;
  b->lengths[b->count++] = n;
  b->tokens += n;
  *tokens += n;
  return AIORCH_OK;
}

aiorch_status aio__local_embed(const aio__local *local, int32_t purpose, const aio__str *texts, size_t count, float *out,
                               size_t *tokens, size_t *truncated, bool (*cancelled)(void *ctx), void *ctx) {
  batch b = {.local = local, .out = out};
  aiorch_status status = prompt_of(local, purpose) != NULL ? AIORCH_OK : AIORCH_E_INVALID;
  *tokens = *truncated = 0;
  if (status != AIORCH_OK || count == 0) return status;
  b.room = take_room(local);
  b.ids = aio__malloc(&local->al, (AIO__ENCODER_TOKENS + local->bert->config.max_tokens) * sizeof *b.ids);
  if (b.room == NULL || b.ids == NULL) status = AIORCH_E_NOMEM;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    bool cut = false;
    if (cancelled != NULL && cancelled(ctx)) status = AIORCH_E_CANCELLED;
    else status = add_text(&b, purpose, texts[i], tokens, &cut);
    if (cut) ++*truncated;
  }
  if (status == AIORCH_OK) status = run_batch(&b);
  aio__free(&local->al, b.ids);
  if (b.room != NULL) give_room_back(local, b.room);
  return status;
}

/* ---- as a plug-in ---- */

static bool call_cancelled(void *ctx) {
  return aiorch_call_cancelled(ctx) != 0;
}

static aiorch_status say_failed(aiorch_call *call, aiorch_status status) {
  const char *what = status == AIORCH_E_MODEL ? "the model's weights give no vector for a text" : aiorch_strerror(status);
  (void)aiorch_call_put_error(call, what, strlen(what), 0, -1);
  return status;
}

static aiorch_status plugin_embed(void *self, aiorch_call *call) {
  const aio__local *l = self;
  const aio__call_request *request = aio__call_request_of(call);
  size_t tokens = 0, truncated = 0, dimensions = aio__local_dimensions(l);
  float *out = aio__calloc(&l->al, request->text_count, dimensions * sizeof *out);
  if (out == NULL && request->text_count > 0) return say_failed(call, AIORCH_E_NOMEM);
  aiorch_status status = aio__local_embed(l, request->purpose, request->texts, request->text_count, out, &tokens,
                                          &truncated, call_cancelled, call);
  if (status == AIORCH_OK) status = aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, (int64_t)tokens);
  if (status == AIORCH_OK) status = aiorch_call_put_vectors(call, out, request->text_count, dimensions, truncated);
  aio__free(&l->al, out);
  if (status != AIORCH_OK) return say_failed(call, status);
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static void plugin_destroy(void *self) {
  aio__local_free(self);
}

void aio__local_plugin(aio__local *local, aio__plugin_embedder *out) {
  *out = (aio__plugin_embedder){
    .vtbl = {.struct_size = sizeof out->vtbl,
             .flags = aio__local_one_purpose(local) ? AIORCH_PLUGIN_ONE_PURPOSE : 0,
             .dimensions = (uint32_t)aio__local_dimensions(local),
             .max_tokens = (uint32_t)aio__local_max_tokens(local),
             .fingerprint = local->fingerprint,
             .embed = plugin_embed,
             .destroy = plugin_destroy},
    .self = local};
}
