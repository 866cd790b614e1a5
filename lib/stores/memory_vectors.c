/* Vectors in memory: each belongs to a chunk or an answer, and to the index of its model. All that may fail comes before
 * the first link; taking a vector out cannot fail. */
#include <stdlib.h>
#include <string.h>

#include "stores/memory_private.h"
#include "stores/vector_rows.h"

enum { NEAREST_LIMIT_MAX = 1000 };

/* ---- models ------------------------------------------------------------------------------------------------------ */

static aio__str name_of(const aio__mem_model *model) {
  return (aio__str){model->fingerprint, model->fingerprint_len};
}

int aio__mem_model_find(const aio__mem_tenant *tenant, aio__str fingerprint) {
  for (size_t i = 0; i < tenant->model_count; i++)
    if (aio__str_eq(name_of(&tenant->models[i]), fingerprint)) return (int)i;
  return -1;
}

uint64_t aio__mem_model_bit(const aio__mem_tenant *tenant, aio__str fingerprint) {
  int i = aio__mem_model_find(tenant, fingerprint);
  return i >= 0 ? (uint64_t)1 << i : 0;
}

static void set_clear(aio__mem_set *set) {
  aio__index_free(set->index);
  aio__map_free(&set->by_key);
  set->index = NULL;
  set->dimensions = 0;
}

static void model_clear(const aio__mem_tenant *tenant, aio__mem_model *model) {
  for (size_t k = 0; k < AIO__MEM_KINDS; k++) set_clear(&model->set[k]);
  aio__free(tenant->al, model->fingerprint);
  model->fingerprint = NULL;
}

void aio__mem_models_free(aio__mem_tenant *tenant) {
  for (size_t i = 0; i < tenant->model_count; i++) model_clear(tenant, &tenant->models[i]);
  aio__free(tenant->al, tenant->models);
}

static bool is_unused(const aio__mem_model *model) {
  return model->set[AIO__MEM_CHUNKS].marks == 0 && model->set[AIO__MEM_ENTRIES].marks == 0;
}

static aiorch_status model_new(aio__mem_tenant *tenant, aio__op *op, aio__str fingerprint, int *which) {
  size_t i = 0;
  while (i < tenant->model_count && !is_unused(&tenant->models[i])) i++;
  if (i == AIO__MEM_MODELS_MAX)
    return aio__error_set(&op->error, AIORCH_E_TOO_LARGE,
                          "more than %d embedding models of a tenant: remove the vectors of some (`aiorch reembed`)",
                          AIO__MEM_MODELS_MAX);
  void *models = tenant->models;
  bool room = aio__mem_reserve(tenant->al, &models, &tenant->model_cap, i + 1, sizeof *tenant->models);
  tenant->models = models;
  char *copy = room ? aio__strndup(tenant->al, fingerprint.p, fingerprint.n) : NULL;
  if (copy == NULL) return aio__mem_nomem(op);
  aio__mem_model *model = &tenant->models[i];
  if (i < tenant->model_count)
    model_clear(tenant, model);
  else
    tenant->model_count++;
  *model = (aio__mem_model){.fingerprint = copy, .fingerprint_len = fingerprint.n};
  for (size_t k = 0; k < AIO__MEM_KINDS; k++) aio__map_init(&model->set[k].by_key, tenant->al);
  *which = (int)i;
  return AIORCH_OK;
}

aiorch_status aio__mem_model_for(aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, const aio__vectors *vectors,
                                 int *which) {
  aiorch_status status = AIORCH_OK;
  *which = aio__mem_model_find(tenant, vectors->fingerprint);
  if (*which < 0) status = model_new(tenant, op, vectors->fingerprint, which);
  if (status != AIORCH_OK) return status;
  aio__mem_set *set = &tenant->models[*which].set[kind];
  if (set->dimensions != vectors->dimensions && set->marks > 0) {
    if (set->dimensions == 0 || vectors->dimensions == 0)
      return aio__vector_other_place(vectors->fingerprint, set->dimensions, &op->error);
    return aio__vector_other_size(vectors->fingerprint, set->dimensions, vectors->dimensions, &op->error);
  }
  if (set->dimensions != vectors->dimensions) set_clear(set);
  if (vectors->dimensions > 0 && set->index == NULL &&
      aio__index_new(tenant->al, vectors->dimensions, tenant->cpu, &set->index) != AIORCH_OK)
    return aio__mem_nomem(op);
  set->dimensions = vectors->dimensions;
  return AIORCH_OK;
}

/* ---- marks ------------------------------------------------------------------------------------------------------- */

static aio__str key_of(const uint64_t *key) {
  return (aio__str){(const char *)key, sizeof *key};
}

aiorch_status aio__mem_mark(aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, int which, aio__mem_marks *marks,
                            void *owner, uint64_t scope, const float *row) {
  aio__mem_set *set = &tenant->models[which].set[kind];
  uint64_t bit = (uint64_t)1 << which;
  if ((marks->bits & bit) != 0) return AIORCH_OK;
  if (set->dimensions > 0) {
    aio__mem_vector *vector = aio__malloc(tenant->al, sizeof *vector + set->dimensions * sizeof *row);
    if (vector == NULL) return aio__mem_nomem(op);
    *vector = (aio__mem_vector){marks->vectors, owner, ++tenant->next_vector, which};
    memcpy(vector->row, row, set->dimensions * sizeof *row);
    bool ok = aio__map_put(&set->by_key, key_of(&vector->key), vector) == AIORCH_OK;
    if (ok && aio__index_put(set->index, vector->key, scope, row) != AIORCH_OK) {
      aio__map_remove(&set->by_key, key_of(&vector->key));
      ok = false;
    }
    if (!ok) {
      aio__free(tenant->al, vector);
      return aio__mem_nomem(op);
    }
    marks->vectors = vector;
  }
  marks->bits |= bit;
  set->marks++;
  return AIORCH_OK;
}

void aio__mem_unmark(aio__mem_tenant *tenant, aio__mem_kind kind, int which, aio__mem_marks *marks) {
  aio__mem_set *set = &tenant->models[which].set[kind];
  uint64_t bit = (uint64_t)1 << which;
  if ((marks->bits & bit) == 0) return;
  marks->bits &= ~bit;
  set->marks--;
  aio__mem_vector **at = &marks->vectors;
  while (*at != NULL && (*at)->model != which) at = &(*at)->next;
  aio__mem_vector *vector = *at;
  if (vector == NULL) return;
  *at = vector->next;
  (void)aio__index_remove(set->index, vector->key);
  aio__map_remove(&set->by_key, key_of(&vector->key));
  aio__free(tenant->al, vector);
}

void aio__mem_unmark_all(aio__mem_tenant *tenant, aio__mem_kind kind, aio__mem_marks *marks) {
  for (int i = 0; marks->bits != 0 && i < AIO__MEM_MODELS_MAX; i++) aio__mem_unmark(tenant, kind, i, marks);
}

void aio__mem_marks_move(aio__mem_marks *to, aio__mem_marks *from, void *owner) {
  *to = *from;
  *from = (aio__mem_marks){0};
  for (aio__mem_vector *vector = to->vectors; vector != NULL; vector = vector->next) vector->owner = owner;
}

int64_t aio__mem_vector_bytes(const aio__mem_tenant *tenant, aio__mem_kind kind, int which) {
  return (int64_t)(tenant->models[which].set[kind].dimensions * sizeof(float));
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

static bool allow(void *ctx, uint64_t key) {
  const aio__mem_near *near = ctx;
  const aio__mem_vector *vector = aio__map_get(&near->set->by_key, key_of(&key));
  return vector != NULL && near->fits(near, vector->owner);
}

static aiorch_status read_row(void *ctx, uint64_t key, float *out) {
  const aio__mem_near *near = ctx;
  const aio__mem_vector *vector = aio__map_get(&near->set->by_key, key_of(&key));
  if (vector == NULL) return AIORCH_E_NOT_FOUND;
  memcpy(out, vector->row, near->set->dimensions * sizeof *out);
  return AIORCH_OK;
}

aiorch_status aio__mem_near_search(aio__mem_near *near, aio__op *op, const aio__nearest_args *args,
                                   const uint64_t *scope) {
  size_t limit = args->limit < NEAREST_LIMIT_MAX ? args->limit : NEAREST_LIMIT_MAX, n = 0;
  const aio__alloc *al = near->tenant->al;
  if (near->set->dimensions == 0) return aio__vector_other_place(args->fingerprint, 0, &op->error);
  if (near->set->dimensions != args->dimensions)
    return aio__vector_other_size(args->fingerprint, near->set->dimensions, args->dimensions, &op->error);
  if (limit == 0) return AIORCH_OK;
  aio__index_search search = {.queries = args->query,
                              .query_count = 1,
                              .scopes = scope,
                              .limit = limit,
                              .threshold = aio__vector_threshold(args->threshold),
                              .allow = near->fits != NULL ? allow : NULL,
                              .row = read_row,
                              .ctx = near};
  aio__index_hit *hits = aio__malloc(al, limit * sizeof *hits);
  near->found = aio__malloc(al, limit * sizeof *near->found);
  bool ok = hits != NULL && near->found != NULL &&
            aio__index_search_run(near->set->index, &search, hits, &n) == AIORCH_OK;
  for (size_t i = 0; ok && i < n; i++) {
    const aio__mem_vector *vector = aio__map_get(&near->set->by_key, key_of(&hits[i].key));
    near->found[near->n++] = (aio__mem_found){vector->owner, (double)hits[i].similarity};
  }
  aio__free(al, hits);
  return ok ? AIORCH_OK : aio__mem_nomem(op);
}

void aio__mem_near_free(aio__mem_near *near) {
  if (near->tenant != NULL) aio__free(near->tenant->al, near->found);
  near->found = NULL;
}

aiorch_status aio__mem_others(const aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, aio__str wanted) {
  aio__str names[AIO__MEM_MODELS_MAX];
  size_t n = 0;
  for (size_t i = 0; i < tenant->model_count; i++) {
    const aio__mem_model *model = &tenant->models[i];
    if (model->set[kind].marks > 0 && !aio__str_eq(name_of(model), wanted)) names[n++] = name_of(model);
  }
  if (n == 0) return AIORCH_OK;
  return aio__vector_mismatch(kind == AIO__MEM_CHUNKS ? "chunks" : "kept answers", wanted, names, n, &op->error);
}

/* ---- the calls on models ----------------------------------------------------------------------------------------- */

static int by_fingerprint(const void *a, const void *b) {
  return aio__str_cmp(((const aio__vector_model *)a)->fingerprint, ((const aio__vector_model *)b)->fingerprint);
}

aiorch_status aio__mem_models(aio__store *base, aio__op *op, aio__str tenant_name, aio__arena *arena,
                              aio__vector_model **models, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  size_t most = tenant != NULL ? tenant->model_count : 0, n = 0;
  aio__vector_model *out = aio__arena_alloc(arena, (most + 1) * sizeof *out);
  bool ok = out != NULL;
  for (size_t i = 0; i < most && ok; i++) {
    const aio__mem_model *model = &tenant->models[i];
    if (is_unused(model)) continue;
    const aio__mem_set *chunks = &model->set[AIO__MEM_CHUNKS], *entries = &model->set[AIO__MEM_ENTRIES];
    out[n] = (aio__vector_model){.fingerprint = aio__arena_str(arena, name_of(model)),
                                 .chunks = chunks->marks,
                                 .entries = entries->marks,
                                 .stored = (chunks->marks > 0 && chunks->dimensions > 0) ||
                                           (entries->marks > 0 && entries->dimensions > 0)};
    ok = out[n++].fingerprint.p != NULL;
  }
  if (ok) {
    if (n > 1) qsort(out, n, sizeof *out, by_fingerprint);
    *models = out;
    *count = n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static size_t forget_chunks(aio__mem_tenant *tenant, int which, size_t limit) {
  uint64_t bit = (uint64_t)1 << which;
  size_t n = 0;
  for (size_t i = 0; i < tenant->document_count && n < limit; i++) {
    aio__mem_document *d = tenant->documents[i];
    for (size_t c = 0; c < d->count && n < limit; c++) {
      if ((d->chunks[c].marks.bits & bit) == 0) continue;
      aio__mem_unmark(tenant, AIO__MEM_CHUNKS, which, &d->chunks[c].marks);
      n++;
    }
  }
  return n;
}

static size_t forget_entries(aio__mem_tenant *tenant, int which, size_t limit) {
  uint64_t bit = (uint64_t)1 << which;
  int64_t bytes = aio__mem_vector_bytes(tenant, AIO__MEM_ENTRIES, which);
  size_t n = 0;
  for (aio__mem_entry *entry = tenant->oldest; entry != NULL && n < limit; entry = entry->newer) {
    if ((entry->marks.bits & bit) == 0) continue;
    aio__mem_unmark(tenant, AIO__MEM_ENTRIES, which, &entry->marks);
    entry->bytes -= bytes;
    tenant->entry_bytes -= bytes;
    n++;
  }
  return n;
}

aiorch_status aio__mem_forget_model(aio__store *base, aio__op *op, aio__str tenant_name, aio__str fingerprint,
                                    size_t limit, size_t *removed) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  int which = tenant != NULL ? aio__mem_model_find(tenant, fingerprint) : -1;
  *removed = 0;
  if (which >= 0) {
    *removed = forget_chunks(tenant, which, limit);
    *removed += forget_entries(tenant, which, limit - *removed);
  }
  return aio__mem_leave(store, AIORCH_OK);
}
