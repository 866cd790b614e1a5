/* The fakes of fake_vectors.h. */
#include "support/fake_vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void fake_vectors_init(fake_vectors *f) {
  memset(f, 0, sizeof *f);
  pthread_mutex_init(&f->mutex, NULL);
  f->stored = calloc(FAKE_VECTORS_MAX, sizeof *f->stored);
  if (!f->stored) abort();
}

void fake_vectors_free(fake_vectors *f) {
  pthread_mutex_destroy(&f->mutex);
  free(f->stored);
}

/* Pairs of letters counted into buckets. */
static void embed_text(const char *text, size_t len, float row[FAKE_DIMENSIONS]) {
  memset(row, 0, FAKE_DIMENSIONS * sizeof *row);
  row[0] = 0.01f;
  for (size_t i = 0; i + 1 < len; i++) {
    unsigned a = (unsigned char)text[i] | 32u, b = (unsigned char)text[i + 1] | 32u;
    if (a < 'a' || a > 'z' || b < 'a' || b > 'z') continue;
    row[(a * 31 + b * 7) % FAKE_DIMENSIONS] += 1.0f;
  }
}

static aiorch_status embed(void *self, aiorch_call *call) {
  fake_vectors *f = self;
  size_t count = aiorch_call_text_count(call);
  pthread_mutex_lock(&f->mutex);
  f->embed_calls++;
  f->embedded_texts += (int)count;
  if (aiorch_call_purpose(call) == AIORCH_PURPOSE_QUERY) f->query_calls++;
  aiorch_status status = f->embed_status;
  size_t given = count - (f->short_by < count ? f->short_by : count - 1);
  bool say_usage = f->say_usage;
  pthread_mutex_unlock(&f->mutex);
  if (f->on_embed) f->on_embed(f->context);
  if (status == AIORCH_PENDING) return AIORCH_SLOT_PENDING;
  if (status < 0) return status;
  float *rows = calloc(given, FAKE_DIMENSIONS * sizeof *rows);
  if (!rows) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < given; i++) {
    const char *text = "";
    size_t len = 0;
    (void)aiorch_call_text(call, i, &text, &len);
    embed_text(text, len, rows + i * FAKE_DIMENSIONS);
    if (!isfinite(f->first)) rows[i * FAKE_DIMENSIONS] = f->first;
    if (f->zero) memset(rows + i * FAKE_DIMENSIONS, 0, FAKE_DIMENSIONS * sizeof *rows);
  }
  aiorch_status put = aiorch_call_put_vectors(call, rows, given, FAKE_DIMENSIONS, 0);
  free(rows);
  if (say_usage) (void)aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 7);
  (void)aiorch_call_finish(call, put);
  return AIORCH_SLOT_OK;
}

/* A plug-in that is told to stop, stops. */
static void cancel(void *self, aiorch_call *call) {
  (void)self;
  (void)aiorch_call_finish(call, AIORCH_E_CANCELLED);
}

static fake_vector *find(fake_vectors *f, const char *tenant, const char *collection, const char *id) {
  for (size_t i = 0; i < f->count; i++) {
    const fake_vector *v = &f->stored[i];
    if (strcmp(v->tenant, tenant) == 0 && strcmp(v->collection, collection) == 0 && strcmp(v->id, id) == 0)
      return &f->stored[i];
  }
  return NULL;
}

static void put(fake_vectors *f, aiorch_call *call, size_t i) {
  const char *tenant = "", *collection = "", *scope = "", *id = "";
  const float *row = NULL;
  size_t dimensions = 0;
  (void)aiorch_call_tenant(call, &tenant, NULL);
  (void)aiorch_call_collection(call, &collection, NULL);
  (void)aiorch_call_vector_scope(call, i, &scope, NULL);
  if (aiorch_call_vector_id(call, i, &id, NULL) || aiorch_call_vector(call, i, &row, &dimensions)) return;
  if (dimensions != FAKE_DIMENSIONS) return;
  fake_vector *v = find(f, tenant, collection, id);
  if (!v && f->count < FAKE_VECTORS_MAX) v = &f->stored[f->count++];
  if (!v) return;
  strncpy(v->tenant, tenant, sizeof v->tenant - 1);
  strncpy(v->collection, collection, sizeof v->collection - 1);
  strncpy(v->scope, scope, sizeof v->scope - 1);
  strncpy(v->id, id, sizeof v->id - 1);
  memcpy(v->row, row, sizeof v->row);
}

static aiorch_status upsert(void *self, aiorch_call *call) {
  fake_vectors *f = self;
  pthread_mutex_lock(&f->mutex);
  aiorch_status status = f->upsert_status;
  for (size_t i = 0; status == AIORCH_OK && i < aiorch_call_vector_count(call); i++) put(f, call, i);
  pthread_mutex_unlock(&f->mutex);
  if (status < 0) return status;
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static aiorch_status remove_vectors(void *self, aiorch_call *call) {
  fake_vectors *f = self;
  const char *tenant = "", *collection = "", *id = "";
  (void)aiorch_call_tenant(call, &tenant, NULL);
  (void)aiorch_call_collection(call, &collection, NULL);
  pthread_mutex_lock(&f->mutex);
  for (size_t i = 0; i < aiorch_call_vector_count(call); i++) {
    if (aiorch_call_vector_id(call, i, &id, NULL)) continue;
    fake_vector *v = find(f, tenant, collection, id);
    if (!v) continue;
    *v = f->stored[--f->count];
    f->removed++;
  }
  pthread_mutex_unlock(&f->mutex);
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static double similarity(const float *a, const float *b) {
  double dot = 0;
  for (size_t i = 0; i < FAKE_DIMENSIONS; i++) dot += (double)a[i] * (double)b[i];
  return dot;
}

typedef struct scored {
  double similarity;
  const char *id;
} scored;

static int by_similarity(const void *a, const void *b) {
  double x = ((const scored *)a)->similarity, y = ((const scored *)b)->similarity;
  return x > y ? -1 : x < y;
}

static aiorch_status search(void *self, aiorch_call *call) {
  fake_vectors *f = self;
  const char *tenant = "", *collection = "", *scope = "";
  const float *row = NULL;
  size_t n = 0, limit = aiorch_call_limit(call);
  (void)aiorch_call_tenant(call, &tenant, NULL);
  (void)aiorch_call_collection(call, &collection, NULL);
  (void)aiorch_call_vector_scope(call, 0, &scope, NULL);
  pthread_mutex_lock(&f->mutex);
  aiorch_status status = f->search_status;
  scored *all = calloc(f->count + 1, sizeof *all);
  if (all && status == AIORCH_OK && aiorch_call_vector(call, 0, &row, NULL) == AIORCH_OK) {
    for (size_t i = 0; i < f->count; i++) {
      const fake_vector *v = &f->stored[i];
      if (strcmp(v->tenant, tenant) == 0 && strcmp(v->collection, collection) == 0 && strcmp(v->scope, scope) == 0)
        all[n++] = (scored){similarity(v->row, row), v->id};
    }
    qsort(all, n, sizeof *all, by_similarity);
    for (size_t i = 0; i < n && i < limit; i++) {
      (void)aiorch_call_put_hit(call, 0, all[i].id, strlen(all[i].id), all[i].similarity);
    }
  }
  pthread_mutex_unlock(&f->mutex);
  free(all);
  if (status == AIORCH_PENDING) return AIORCH_SLOT_PENDING;
  if (status < 0) return status;
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

void fake_vectors_register_embedder(fake_vectors *f, aiorch_config *config) {
  aiorch_embedder_vtbl embedder = {.struct_size = sizeof embedder,
                                   .dimensions = FAKE_DIMENSIONS,
                                   .fingerprint = "fake",
                                   .embed = embed,
                                   .cancel = cancel};
  if (aiorch_config_set_embedder(config, &embedder, f, NULL) != AIORCH_OK) abort();
}

void fake_vectors_register(fake_vectors *f, aiorch_config *config) {
  aiorch_vector_store_vtbl store = {
    .struct_size = sizeof store, .upsert = upsert, .remove = remove_vectors, .search = search, .cancel = cancel};
  fake_vectors_register_embedder(f, config);
  if (aiorch_config_set_vector_store(config, &store, f, NULL) != AIORCH_OK) abort();
}
