/* The plug-ins of eval_vectors.h. */
#include "support/eval_vectors.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/json_writer.h"

enum { HEAD = 12, KEY = 8, DIMENSIONS_DEFAULT = 384, HITS_MAX = 10000 };

static const char *const PURPOSES[] = {"", "query", "passage", "similarity"};

static uint64_t key_of(int32_t purpose, const char *text, size_t len) {
  uint8_t digest[AIO__SHA256_SIZE];
  aio__sha256 h;
  uint64_t key;
  aio__sha256_init(&h);
  aio__sha256_add(&h, PURPOSES[purpose], strlen(PURPOSES[purpose]));
  aio__sha256_add(&h, "\n", 1);
  aio__sha256_add(&h, text, len);
  aio__sha256_end(&h, digest);
  memcpy(&key, digest, sizeof key);
  return key;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static size_t record_size(const eval_vectors *v) {
  return KEY + v->dimensions * sizeof(float);
}

static const char *record_of(const eval_vectors *v, size_t i) {
  return v->bytes + HEAD + i * record_size(v);
}

static size_t slot_of(const eval_vectors *v, uint64_t key) {
  size_t at = (size_t)key & (v->slot_count - 1);
  for (; v->slots[at] != 0; at = (at + 1) & (v->slot_count - 1)) {
    if (memcmp(record_of(v, v->slots[at] - 1), &key, sizeof key) == 0) break;
  }
  return at;
}

static bool index_records(eval_vectors *v) {
  for (v->slot_count = 16; v->slot_count < 2 * v->count + 2;) v->slot_count *= 2;
  v->slots = calloc(v->slot_count, sizeof *v->slots);
  for (size_t i = 0; v->slots && i < v->count; i++) {
    uint64_t key;
    memcpy(&key, record_of(v, i), sizeof key);
    v->slots[slot_of(v, key)] = i + 1;
  }
  return v->slots != NULL;
}

static bool read_file(eval_vectors *v, FILE *file) {
  uint32_t dimensions = 0;
  bool sized = fseek(file, 0, SEEK_END) == 0;
  long size = sized ? ftell(file) : -1;
  rewind(file);
  if (size < HEAD) return false;
  v->bytes = malloc((size_t)size);
  if (!v->bytes || fread(v->bytes, 1, (size_t)size, file) != (size_t)size || memcmp(v->bytes, "AIOVEC1\n", 8) != 0)
    return false;
  memcpy(&dimensions, v->bytes + 8, sizeof dimensions);
  if (dimensions == 0 || dimensions > 65536) return false;
  v->dimensions = dimensions;
  v->count = ((size_t)size - HEAD) / record_size(v);
  return true;
}

bool eval_vectors_open(eval_vectors *v, const char *file) {
  memset(v, 0, sizeof *v);
  v->dimensions = DIMENSIONS_DEFAULT;
  aio__map_init(&v->by_id, aio__alloc_default());
  snprintf(v->missing_name, sizeof v->missing_name, "%s.missing", file);
  FILE *in = fopen(file, "rb");
  bool good = !in || read_file(v, in);
  if (in) fclose(in);
  if (!good) fprintf(stderr, "%s is no file of vectors\n", file);
  return good && index_records(v);
}

void eval_vectors_close(eval_vectors *v) {
  if (v->missing_file) {
    fclose(v->missing_file);
    fprintf(stderr, "%zu texts have no vector: compute those of %s, or the figures of vectors mean nothing\n",
            v->missing, v->missing_name);
  }
  aio__map_free(&v->by_id);
  free(v->bytes);
  free(v->slots);
  free(v->ids);
  free(v->rows);
  memset(v, 0, sizeof *v);
}

/* ---- the embedder ------------------------------------------------------------------------------------------------- */

static void note_missing(eval_vectors *v, int32_t purpose, const char *text, size_t len) {
  aio__buf line;
  aio__json_writer w;
  if (!v->missing_file) v->missing_file = fopen(v->missing_name, "w");
  if (!v->missing_file) return;
  aio__buf_init(&line, aio__alloc_default(), 1u << 28);
  aio__jw_init(&w, &line);
  aio__jw_object(&w);
  aio__jw_kstr(&w, "purpose", aio__str_z(PURPOSES[purpose]));
  aio__jw_kstr(&w, "text", aio__str_n(text, len));
  aio__jw_object_end(&w);
  fprintf(v->missing_file, "%s\n", aio__buf_cstr(&line));
  aio__buf_free(&line);
  v->missing++;
}

static aiorch_status embed(void *self, aiorch_call *call) {
  eval_vectors *v = self;
  size_t count = aiorch_call_text_count(call);
  int32_t purpose = aiorch_call_purpose(call);
  float *rows = calloc(count + 1, v->dimensions * sizeof *rows);
  if (!rows || purpose < 1 || purpose > 3) {
    free(rows);
    return AIORCH_E_NOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    const char *text = "";
    size_t len = 0;
    float *row = rows + i * v->dimensions;
    (void)aiorch_call_text(call, i, &text, &len);
    uint64_t key = key_of(purpose, text, len);
    size_t record = v->slots[slot_of(v, key)];
    if (record > 0) {
      memcpy(row, record_of(v, record - 1) + KEY, v->dimensions * sizeof *row);
      continue;
    }
    row[key % v->dimensions] = 1.0f;
    note_missing(v, purpose, text, len);
  }
  aiorch_status status = aiorch_call_put_vectors(call, rows, count, v->dimensions, 0);
  free(rows);
  (void)aiorch_call_finish(call, status);
  return AIORCH_SLOT_OK;
}

/* ---- the vector store --------------------------------------------------------------------------------------------- */

static bool grow(eval_vectors *v) {
  if (v->stored < v->cap) return true;
  size_t cap = v->cap > 0 ? v->cap * 2 : 1024;
  void *ids = realloc(v->ids, cap * sizeof *v->ids), *rows = NULL;
  if (ids) {
    v->ids = ids;
    rows = realloc(v->rows, cap * v->dimensions * sizeof *v->rows);
  }
  if (!rows) return false;
  v->rows = rows;
  v->cap = cap;
  aio__map_free(&v->by_id); /* its keys lie where the ids were */
  for (size_t i = 0; i < v->stored; i++) {
    if (aio__map_put(&v->by_id, aio__str_z(v->ids[i]), (void *)(i + 1)) != AIORCH_OK) return false;
  }
  return true;
}

static bool put(eval_vectors *v, const char *id, const float *row) {
  size_t at = (size_t)aio__map_get(&v->by_id, aio__str_z(id));
  if (at == 0) {
    if (!grow(v)) return false;
    snprintf(v->ids[v->stored], sizeof v->ids[0], "%s", id);
    at = ++v->stored;
    if (aio__map_put(&v->by_id, aio__str_z(v->ids[at - 1]), (void *)at) != AIORCH_OK) return false;
  }
  memcpy(v->rows + (at - 1) * v->dimensions, row, v->dimensions * sizeof *row);
  return true;
}

static aiorch_status upsert(void *self, aiorch_call *call) {
  eval_vectors *v = self;
  bool good = true;
  for (size_t i = 0; i < aiorch_call_vector_count(call) && good; i++) {
    const char *id = "";
    const float *row = NULL;
    size_t dimensions = 0;
    good = aiorch_call_vector_id(call, i, &id, NULL) == AIORCH_OK &&
           aiorch_call_vector(call, i, &row, &dimensions) == AIORCH_OK && dimensions == v->dimensions && put(v, id, row);
  }
  (void)aiorch_call_finish(call, good ? AIORCH_OK : AIORCH_E_NOMEM);
  return AIORCH_SLOT_OK;
}

/* Evaluations remove nothing. */
static aiorch_status remove_none(void *self, aiorch_call *call) {
  (void)self;
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

typedef struct scored {
  float similarity;
  size_t at;
} scored;

static int by_similarity(const void *a, const void *b) {
  const scored *x = a, *y = b;
  if (x->similarity > y->similarity || x->similarity < y->similarity) return x->similarity > y->similarity ? -1 : 1;
  return x->at < y->at ? -1 : x->at > y->at;
}

static aiorch_status search(void *self, aiorch_call *call) {
  eval_vectors *v = self;
  scored *all = malloc((v->stored + 1) * sizeof *all);
  const float *query = NULL;
  size_t dimensions = 0, limit = aiorch_call_limit(call);
  if (!all) return AIORCH_E_NOMEM;
  for (size_t q = 0; q < aiorch_call_vector_count(call); q++) {
    if (aiorch_call_vector(call, q, &query, &dimensions) != AIORCH_OK || dimensions != v->dimensions) continue;
    for (size_t i = 0; i < v->stored; i++) {
      const float *row = v->rows + i * dimensions;
      float sum = 0;
      for (size_t k = 0; k < dimensions; k++) sum += row[k] * query[k];
      all[i] = (scored){sum, i};
    }
    qsort(all, v->stored, sizeof *all, by_similarity);
    for (size_t i = 0; i < v->stored && i < limit && i < HITS_MAX; i++) {
      const char *id = v->ids[all[i].at];
      (void)aiorch_call_put_hit(call, q, id, strlen(id), (double)all[i].similarity);
    }
  }
  free(all);
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

bool eval_vectors_register(eval_vectors *v, aiorch_config *config, aiorch_error *error) {
  aiorch_embedder_vtbl embedder = {.struct_size = sizeof embedder,
                                   .dimensions = (uint32_t)v->dimensions,
                                   .max_tokens = 256,
                                   .fingerprint = "all-MiniLM-L6-v2/f32/file",
                                   .embed = embed};
  aiorch_vector_store_vtbl store = {
    .struct_size = sizeof store, .upsert = upsert, .remove = remove_none, .search = search};
  return aiorch_config_set_embedder(config, &embedder, v, error) == AIORCH_OK &&
         aiorch_config_set_vector_store(config, &store, v, error) == AIORCH_OK;
}
