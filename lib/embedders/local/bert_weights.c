/* Where each weight lies in the block, and where it comes from. */
#include "embedders/local/bert_weights.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "embedders/local/bert_private.h"

enum { ALIGNMENT = 64, PATH_ROOM = 4096 };

static aiorch_status nomem(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a model's weights");
}

/* ---- the block ---- */

/* The next `bytes` of the block, or, before there is one, what counts them. */
static void *take(aio__bert *b, size_t bytes) {
  void *at = b->block != NULL ? b->block + b->bytes : NULL;
  b->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return at;
}

static float *take_floats(aio__bert *b, size_t count) {
  return take(b, count * sizeof(float));
}

static void take_linear(aio__bert *b, aio__linear *l, size_t in, size_t out) {
  bool int8 = b->precision == AIO__LOCAL_INT8;
  l->in = in;
  l->out = out;
  l->rotation = aio__rotation_of(in);
  l->panels = take(b, in * out * (int8 ? 1 : sizeof(float)));
  l->scale = int8 ? take_floats(b, out) : NULL;
  l->bias = take_floats(b, out);
}

static bool too_large(const aio__model_config *c) {
  uint64_t layer = (uint64_t)c->hidden * (4 * (uint64_t)c->hidden + 2 * (uint64_t)c->intermediate);
  uint64_t tables = ((uint64_t)c->vocabulary + c->max_tokens) * c->hidden;
  return layer * c->layers + tables > AIO__BERT_WEIGHTS_MAX;
}

/* In the order in which they are used. */
static void place(aio__bert *b) {
  const aio__model_config *c = &b->config;
  bool int8 = b->precision == AIO__LOCAL_INT8;
  b->bytes = 0;
  b->words = take(b, c->vocabulary * c->hidden * (int8 ? 1 : sizeof(float)));
  b->word_scale = int8 ? take_floats(b, c->vocabulary) : NULL;
  b->positions = take_floats(b, c->max_tokens * c->hidden);
  b->gamma = take_floats(b, c->hidden);
  b->beta = take_floats(b, c->hidden);
  for (size_t i = 0; i < c->layers; i++) {
    aio__bert_layer *l = &b->layers[i];
    take_linear(b, &l->mix, c->hidden, 3 * c->hidden);
    take_linear(b, &l->merge, c->hidden, c->hidden);
    l->merge_gamma = take_floats(b, c->hidden);
    l->merge_beta = take_floats(b, c->hidden);
    take_linear(b, &l->widen, c->hidden, c->intermediate);
    take_linear(b, &l->narrow, c->intermediate, c->hidden);
    l->gamma = take_floats(b, c->hidden);
    l->beta = take_floats(b, c->hidden);
  }
}

/* Fewer and larger pages make a pass over all weights faster; where the system does not do that, nothing is lost. */
static void ask_for_large_pages(char *block, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)block + page - 1) / page * page;
  uintptr_t end = ((uintptr_t)block + bytes) / page * page;
  if (end > begin) (void)madvise(block + (begin - (uintptr_t)block), end - begin, MADV_HUGEPAGE);
#else
  (void)block, (void)bytes;
#endif
}

static aiorch_status new_bert(const aio__alloc *al, const aio__model_config *config, aio__local_precision precision,
                              aio__bert **out, aiorch_error *error) {
  if (too_large(config))
    return aio__error_set(error, AIORCH_E_MODEL, "model \"%s\" has more than %d weights; such a large one is not supported",
                          config->name, AIO__BERT_WEIGHTS_MAX);
  aio__bert *b = aio__calloc(al, 1, sizeof *b);
  if (b == NULL) return nomem(error);
  b->al = al;
  b->config = *config;
  b->precision = precision;
  b->layers = aio__calloc(al, config->layers, sizeof *b->layers);
  if (b->layers == NULL) {
    aio__bert_free(b);
    return nomem(error);
  }
  place(b);
  b->memory = aio__malloc(al, b->bytes + ALIGNMENT);
  if (b->memory == NULL) {
    aio__bert_free(b);
    return nomem(error);
  }
  b->block = (char *)b->memory + (ALIGNMENT - (uintptr_t)b->memory % ALIGNMENT) % ALIGNMENT;
  ask_for_large_pages(b->block, b->bytes);
  place(b);
  *out = b;
  return AIORCH_OK;
}

void aio__bert_free(aio__bert *bert) {
  if (bert == NULL) return;
  aio__free(bert->al, bert->layers);
  aio__free(bert->al, bert->memory);
  aio__free(bert->al, bert);
}

/* ---- where it comes from ---- */

static void say_made(aio__log *log, const aio__bert *b, const char *why_not) {
  char members[256];
  if (!aio__log_wants(log, AIORCH_LOG_INFO)) return;
  int n = snprintf(members, sizeof members, "\"model\":\"%s\",\"kept\":%s%s%s%s", b->config.name,
                   why_not == NULL ? "true" : "false", why_not != NULL ? ",\"reason\":\"" : "",
                   why_not != NULL ? why_not : "", why_not != NULL ? "\"" : "");
  aio__log_event(log, AIORCH_LOG_INFO, "local_model_made", aio__str_n(members, (size_t)n));
}

static aiorch_status make_int8(aio__bert *b, const char *folder, const aio__safetensors *file, aio__log *log,
                               aiorch_error *error) {
  aio__file_stamp source = aio__safetensors_stamp(file);
  aiorch_status status = aio__bert_fill(b, file, true, b->digest, error);
  if (status == AIORCH_OK) status = aio__safetensors_unchanged(file, error);
  if (status == AIORCH_OK) say_made(log, b, aio__int8_write(b, folder, &source));
  return status;
}

static aiorch_status load_int8(aio__bert *b, const char *folder, const aio__safetensors *file, aio__log *log,
                               aiorch_error *error) {
  aio__file_stamp source = aio__safetensors_stamp(file);
  aio__int8_state state = aio__int8_read(b, folder, &source);
  if (state == AIO__INT8_DOUBT) {
    uint8_t digest[AIO__SHA256_SIZE];
    aiorch_status status = aio__bert_fill(b, file, false, digest, error);
    if (status == AIORCH_OK) status = aio__safetensors_unchanged(file, error);
    if (status != AIORCH_OK) return status;
    if (memcmp(digest, b->digest, sizeof digest) == 0) {
      (void)aio__int8_write(b, folder, &source); /* when it cannot be written, the next to load it has this work too */
      return AIORCH_OK;
    }
    state = AIO__INT8_USELESS;
  }
  return state == AIO__INT8_FRESH ? AIORCH_OK : make_int8(b, folder, file, log, error);
}

aiorch_status aio__bert_load(const aio__alloc *al, const char *folder, const aio__model_config *config,
                             aio__local_precision precision, aio__log *log, aio__bert **out, aiorch_error *error) {
  char path[PATH_ROOM];
  aio__safetensors *file = NULL;
  aio__bert *b = NULL;
  if (snprintf(path, sizeof path, "%s/model.safetensors", folder) >= (int)sizeof path)
    return aio__error_set(error, AIORCH_E_MODEL, "the path of the model's folder is longer than %d bytes", PATH_ROOM);
  aiorch_status status = aio__safetensors_open(al, path, &file, error);
  if (status == AIORCH_OK) status = new_bert(al, config, precision, &b, error);
  if (status == AIORCH_OK && precision == AIO__LOCAL_INT8) {
    status = load_int8(b, folder, file, log, error);
  } else if (status == AIORCH_OK) {
    status = aio__bert_fill(b, file, true, b->digest, error);
    if (status == AIORCH_OK) status = aio__safetensors_unchanged(file, error);
  }
  aio__safetensors_free(file);
  if (status == AIORCH_OK) *out = b;
  else aio__bert_free(b);
  return status;
}
