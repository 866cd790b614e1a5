/*
 * Finds documents by vectors: an embedder that counts letter triples (a stand-in for a model), and a vector store that
 * is an array.
 *
 * Introduces: the embedder and vector-store plug-ins, aiorch_knowledge_embed, search by words and vectors together.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

enum { DIMENSIONS = 256, VECTORS_MAX = 1000, NAME_MAX_BYTES = 300 };

static void check(aiorch_status status, const aiorch_error *error) {
  if (status >= 0) return;
  const char *message = aiorch_error_message(error);
  fprintf(stderr, "%s\n", message[0] ? message : aiorch_strerror(status));
  exit(1);
}

/* ---- the embedder ---- */

static void embed_text(const char *text, size_t len, float *out) {
  memset(out, 0, DIMENSIONS * sizeof *out);
  out[0] = 0.01f; /* no text gives the zero vector, which is none */
  for (size_t i = 0; i + 3 <= len; i++) {
    unsigned hash = 0;
    for (size_t k = 0; k < 3; k++) hash = hash * 31u + ((unsigned char)text[i + k] | 0x20u);
    out[hash % DIMENSIONS] += 1.0f;
  }
}

static aiorch_status embed(void *self, aiorch_call *call) {
  size_t count = aiorch_call_text_count(call);
  float *vectors = malloc(count * DIMENSIONS * sizeof *vectors);
  (void)self;
  if (!vectors) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < count; i++) {
    const char *text;
    size_t len;
    aiorch_call_text(call, i, &text, &len);
    embed_text(text, len, vectors + i * DIMENSIONS);
  }
  aiorch_status status = aiorch_call_put_vectors(call, vectors, count, DIMENSIONS, 0);
  free(vectors);
  aiorch_call_finish(call, status);
  return AIORCH_SLOT_OK;
}

/* ---- the vector store; its slots are never called by two threads at once (AIORCH_PLUGIN_SERIAL) ---- */

typedef struct row {
  char name[NAME_MAX_BYTES]; /* tenant, collection, scope */
  char id[64];
  float vector[DIMENSIONS];
} row;

typedef struct rows {
  row row[VECTORS_MAX];
  size_t count;
} rows;

static void name_of(const aiorch_call *call, size_t index, char out[NAME_MAX_BYTES]) {
  const char *tenant, *collection, *scope = "";
  aiorch_call_tenant(call, &tenant, NULL);
  aiorch_call_collection(call, &collection, NULL);
  aiorch_call_vector_scope(call, index, &scope, NULL);
  snprintf(out, NAME_MAX_BYTES, "%s/%s/%s", tenant, collection, scope);
}

static row *find(rows *all, const char *id) {
  for (size_t i = 0; i < all->count; i++) {
    if (strcmp(all->row[i].id, id) == 0) return &all->row[i];
  }
  return NULL;
}

static aiorch_status upsert(void *self, aiorch_call *call) {
  rows *all = self;
  for (size_t i = 0; i < aiorch_call_vector_count(call); i++) {
    const char *id;
    const float *vector;
    size_t dimensions;
    aiorch_call_vector_id(call, i, &id, NULL);
    aiorch_call_vector(call, i, &vector, &dimensions);
    row *at = find(all, id);
    if (!at && all->count == VECTORS_MAX) return AIORCH_E_TOO_LARGE;
    if (!at) at = &all->row[all->count++];
    name_of(call, i, at->name);
    snprintf(at->id, sizeof at->id, "%s", id);
    memcpy(at->vector, vector, dimensions * sizeof *vector);
  }
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static aiorch_status remove_rows(void *self, aiorch_call *call) {
  rows *all = self;
  for (size_t i = 0; i < aiorch_call_vector_count(call); i++) {
    const char *id;
    aiorch_call_vector_id(call, i, &id, NULL);
    row *at = find(all, id);
    if (at) *at = all->row[--all->count];
  }
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

typedef struct hit {
  const row *row;
  float score;
} hit;

static int by_score(const void *a, const void *b) {
  const hit *left = a, *right = b;
  return (left->score < right->score) - (left->score > right->score);
}

static aiorch_status search(void *self, aiorch_call *call) {
  const rows *all = self;
  hit *hits = malloc((all->count + 1) * sizeof *hits);
  if (!hits) return AIORCH_E_NOMEM;
  for (size_t q = 0; q < aiorch_call_vector_count(call); q++) {
    char name[NAME_MAX_BYTES];
    const float *query;
    size_t dimensions, count = 0;
    name_of(call, q, name);
    aiorch_call_vector(call, q, &query, &dimensions);
    for (size_t i = 0; i < all->count; i++) {
      if (strcmp(all->row[i].name, name) != 0) continue; /* another tenant's, or another collection */
      hits[count].row = &all->row[i];
      hits[count].score = 0.0f;
      for (size_t d = 0; d < dimensions; d++) hits[count].score += query[d] * all->row[i].vector[d];
      count++;
    }
    qsort(hits, count, sizeof *hits, by_score);
    for (size_t i = 0; i < count && i < aiorch_call_limit(call); i++) {
      aiorch_call_put_hit(call, q, hits[i].row->id, strlen(hits[i].row->id), (double)hits[i].score);
    }
  }
  free(hits);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

/* ---- the program ---- */

static void add(aiorch *orch, const char *source, const char *text, aiorch_error *error) {
  aiorch_document *document;
  check(aiorch_document_new(&document), NULL);
  check(aiorch_document_set_source(document, source, strlen(source)), NULL);
  check(aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, strlen(text)), NULL);
  check(aiorch_knowledge_add(orch, "acme", 4, document, 5000, error), error);
  aiorch_document_free(document);
}

int main(void) {
  static rows all;
  static const char query[] = "refrigeration of vaccines"; /* the documents have neither word */
  aiorch_embedder_vtbl embedder = {0};
  aiorch_vector_store_vtbl store = {0};
  aiorch_error *error;
  aiorch_config *config;
  aiorch *orch;
  aiorch_hits *hits;
  aiorch_status status;

  embedder.struct_size = sizeof embedder;
  embedder.dimensions = DIMENSIONS;
  embedder.fingerprint = "letter-triples-256-v1";
  embedder.embed = embed;
  store.struct_size = sizeof store;
  store.flags = AIORCH_PLUGIN_SERIAL;
  store.upsert = upsert;
  store.remove = remove_rows;
  store.search = search;

  check(aiorch_error_new(&error), NULL);
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error);
  check(aiorch_config_set_f64(config, "retrieve.threshold", 0.15, error), error); /* each embedder has its own scale */
  check(aiorch_config_set_f64(config, "cache.threshold", 0.9, error), error);
  check(aiorch_config_set_embedder(config, &embedder, NULL, error), error);
  check(aiorch_config_set_vector_store(config, &store, &all, error), error);
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);

  add(orch, "cold.txt", "A vaccine shall be kept in the refrigerator of the ward.", error);
  add(orch, "parking.txt", "Guests park behind the main building.", error);
  do {
    status = aiorch_knowledge_embed(orch, "acme", 4, 1000, NULL, NULL, error);
  } while (status == AIORCH_AGAIN);
  check(status, error);

  check(aiorch_knowledge_search(orch, "acme", 4, query, sizeof query - 1, NULL, 3, 5000, &hits, error), error);
  for (size_t i = 0; i < aiorch_hits_count(hits); i++) {
    const char *uri;
    double similarity;
    check(aiorch_hits_uri(hits, i, &uri, NULL), NULL);
    check(aiorch_hits_score(hits, i, NULL, &similarity), NULL);
    if (isnan(similarity)) printf("%s, by its words\n", uri);
    else printf("%s, similarity %.2f\n", uri, similarity);
  }

  aiorch_hits_free(hits);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return 0;
}
