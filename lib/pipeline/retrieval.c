/*
 * The step machine of retrieval: asks the legs, one thing at a time, and hands what they found on.
 *
 *   BEGIN -> TEXT (store op; the query's embedding is under way meanwhile) -> EMBED -> NEAREST (store op) -> FUSE -> PACK
 * (store ops: texts, of those that will be read) -> ENDED
 *                       or, where a plug-in has the vectors: EMBED -> VECTORS (call) -> FETCH (store op) -> FUSE
 *            or, with the query's vector at hand and a store to which each op is a journey: BOTH (store op) -> FUSE
 *
 * While a store op is out it may write into the arena from another thread, so nothing here touches the arena then.
 */
#include "pipeline/retrieval.h"

#include <math.h>
#include <string.h>

#include "pipeline/retrieval_private.h"

enum { BEGIN = 0, TEXT, BOTH, EMBED, VECTORS, NEAREST, FETCH, FUSE, PACK, ENDED };

void aio__retrieval_init(aio__retrieval *retrieval) {
  memset(retrieval, 0, sizeof *retrieval);
}

static aio__retrieval_work *work_of(aio__retrieval *r) {
  return r->work;
}

/* A leg failed: the first reason stays. */
static void degrade(aio__retrieval *r, const char *leg, aiorch_status status, const char *words) {
  work_of(r)->failed++;
  if (r->degraded) return;
  r->degraded = true;
  aio__error_init(&r->why);
  aio__error_set(&r->why, status, "%s: %s", leg, words && words[0] ? words : aiorch_strerror(status));
}

/* ---- store ops -------------------------------------------------------------------------------------------------- */

static void op_done(aio__op *op, void *ctx) {
  (void)op;
  aio__retrieval *r = ctx;
  aio__waker *waker = aio__waker_retain(r->waker); /* r may be gone as soon as op_done is seen */
  atomic_store_explicit(&r->op_done, true, memory_order_release);
  aio__waker_signal(waker);
  aio__waker_release(waker);
}

static aio__op *op_begin(aio__retrieval *r) {
  atomic_store_explicit(&r->op_done, false, memory_order_relaxed);
  aio__op_init(&r->op, r->deadline_ns, op_done, r);
  r->op_out = true; /* before the start: done() may come while it is still under way */
  return &r->op;
}

static void op_started(aio__retrieval *r, aiorch_status started) {
  if (started == AIORCH_PENDING) return;
  r->op.status = started;
  r->op_out = false;
}

static bool op_waits(aio__retrieval *r) {
  if (r->op_out && !atomic_load_explicit(&r->op_done, memory_order_acquire)) return true;
  r->op_out = false;
  return false;
}

/* ---- the vector leg --------------------------------------------------------------------------------------------- */

/* A leg without weight is not asked; full text is when there is no other. */
static bool has_vectors(const aio__retrieval *r) {
  return r->orch->plugins.embedder.vtbl.embed && r->options->retrieve_weight_vector > 0;
}

static double threshold_of(const aio__retrieval *r) {
  double set = r->options->retrieve_threshold;
  return set < 0 || set > 0 ? set : r->orch->retrieve_threshold;
}

static bool has_text(const aio__retrieval *r) {
  return r->options->retrieve_weight_text > 0 || !has_vectors(r);
}

/* Vectors are in the store itself unless a plug-in has them. */
static bool plugin_has_vectors(const aiorch *orch) {
  return orch->plugins.vector_store.vtbl.search != NULL;
}

static void drop_call(aio__retrieval *r) {
  aio__call_drop(r->call);
  r->call = NULL;
}

/* The vector leg is filtered afterwards, so it asks for more. */
static size_t vector_limit(const aio__retrieval *r) {
  return aio__leg_limit(r) * (r->filter_count > 0 ? AIO__LEG_FILTERED_TIMES : 1);
}

static aiorch_status start_search(aio__retrieval *r, const float *vector, size_t dimensions) {
  const aio__plugin_vector_store *v = &r->orch->plugins.vector_store;
  aio__call_request request = {.tenant = r->tenant,
                               .run_id = r->run_id,
                               .collection = AIO__LIT("chunks"),
                               .vectors = vector,
                               .vector_count = 1,
                               .dimensions = dimensions,
                               .limit = vector_limit(r)};
  aiorch_status st = aio__call_new(r->orch->calls, AIO__CALL_SEARCH, &request, r->waker, r->deadline_ns, 0, &r->call);
  if (st) return st;
  aio__call_start(r->call, v->vtbl.search, v->vtbl.cancel, v->self, v->vtbl.flags, v->serial);
  return AIORCH_OK;
}

/* Full text has found chunks that are not among the nearest: how near they are counts as well. */
static aiorch_status ask_for_text_too(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  if (w->text_count == 0) return AIORCH_OK;
  aio__str *ids = aio__arena_alloc(r->arena, w->text_count * sizeof *ids);
  double *similarity = aio__arena_alloc(r->arena, w->text_count * sizeof *similarity);
  if (!ids || !similarity) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < w->text_count; i++) {
    ids[i] = aio__str_z(w->text[i].chunk_id);
    similarity[i] = (double)NAN;
  }
  w->nearest.also = ids;
  w->nearest.also_count = w->text_count;
  w->nearest.also_similarity = similarity;
  return AIORCH_OK;
}

static void want_nearest(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  w->nearest = (aio__nearest_args){.fingerprint = aio__str_z(r->orch->plugins.embedder.fingerprint),
                                   .dimensions = r->vector.dimensions,
                                   .query = r->vector.unit,
                                   .threshold = w->threshold,
                                   .limit = aio__leg_limit(r),
                                   .lean = true};
}

static aiorch_status start_nearest(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aio__store *store = r->orch->store;
  want_nearest(r);
  aiorch_status st = ask_for_text_too(r);
  if (st) return st;
  r->phase = NEAREST;
  op_started(r, store->knowledge->nearest(store, op_begin(r), r->tenant, &w->nearest, r->filters, r->filter_count,
                                          r->arena, &w->near, &w->near_count));
  return AIORCH_OK;
}

/* The query's vector has come, or not. */
static aiorch_status embedded(aio__retrieval *r) {
  aiorch_status st = aio__query_vector_poll(&r->vector, r->orch, r->arena);
  if (st) return st;
  r->phase = FUSE;
  if (r->vector.state != AIO__VECTOR_READY) {
    degrade(r, "the embedder", r->vector.status, r->vector.words.p);
    return AIORCH_OK;
  }
  if (!plugin_has_vectors(r->orch)) return start_nearest(r);
  r->phase = VECTORS;
  return start_search(r, r->vector.unit, r->vector.dimensions);
}

static aiorch_status searched(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  const aio__call_result *result = aio__call_result_of(r->call);
  aiorch_status st = AIORCH_OK;
  r->phase = FETCH;
  if (result->status < 0) {
    degrade(r, "the vector store", result->status, result->message);
  } else if (result->hit_count > 0) {
    size_t count = result->hit_count < vector_limit(r) ? result->hit_count : vector_limit(r);
    w->hits = aio__arena_alloc(r->arena, count * sizeof *w->hits);
    if (!w->hits) st = AIORCH_E_NOMEM;
    for (size_t i = 0; st == AIORCH_OK && i < count; i++) {
      const aio__call_hit *hit = &result->hits[i];
      if (!(hit->similarity >= w->threshold)) continue;
      aio__vector_hit *to = &w->hits[w->hit_count++];
      *to = (aio__vector_hit){aio__arena_str(r->arena, hit->id), hit->similarity};
      if (!to->id.p) st = AIORCH_E_NOMEM;
    }
  }
  drop_call(r);
  return st;
}

static void start_both(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aio__store *store = r->orch->store;
  want_nearest(r);
  w->both = (aio__both_args){.search = &w->search, .nearest = &w->nearest};
  aio__error_init(&w->both.near_error);
  r->phase = BOTH;
  op_started(r, store->knowledge->both(store, op_begin(r), r->tenant, &w->both, r->arena));
}

/* ---- phases ----------------------------------------------------------------------------------------------------- */

static aiorch_status begin(aio__retrieval *r) {
  r->work = aio__arena_alloc(r->arena, sizeof(aio__retrieval_work));
  if (!r->work) return AIORCH_E_NOMEM;
  r->query = aio__str_trim(r->query);
  if (r->query.n == 0 || r->limit == 0) {
    r->phase = FUSE;
    return AIORCH_OK;
  }
  aio__retrieval_work *w = work_of(r);
  w->legs = has_vectors(r) && has_text(r) ? 2 : 1;
  w->threshold = threshold_of(r);
  aiorch_status st = AIORCH_OK;
  if (has_vectors(r) && r->vector.state == AIO__VECTOR_NONE) {
    st = aio__query_vector_start(&r->vector, r->orch, r->waker, r->tenant, r->run_id, r->query, AIORCH_PURPOSE_QUERY,
                                 r->deadline_ns);
  }
  r->phase = EMBED;
  if (st || !has_text(r)) return st;
  aio__store *store = r->orch->store;
  w->search = (aio__search_args){.query = r->query,
                                 .filters = r->filters,
                                 .filter_count = r->filter_count,
                                 .limit = aio__leg_limit(r) * AIO__TEXT_TIMES,
                                 .lean = true,
                                 .terms = &w->query};
  bool together = has_vectors(r) && r->vector.state == AIO__VECTOR_READY && !plugin_has_vectors(r->orch);
  if (together && store->knowledge->both) {
    start_both(r);
  } else {
    r->phase = TEXT;
    op_started(r, store->knowledge->search(store, op_begin(r), r->tenant, &w->search, r->arena, &w->text, &w->text_count));
  }
  return AIORCH_OK;
}

/* Out of memory ends retrieval; whatever else a leg meets only ends the leg. */
static aiorch_status leg_ended(aio__retrieval *r, const char *leg) {
  if (r->op.status >= 0) return AIORCH_OK;
  if (r->op.status == AIORCH_E_NOMEM) return AIORCH_E_NOMEM;
  degrade(r, leg, r->op.status, r->op.error.message);
  return AIORCH_OK;
}

static aiorch_status text_found(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aiorch_status st = leg_ended(r, "full-text search");
  if (r->op.status < 0) w->text_count = 0;
  r->phase = has_vectors(r) ? EMBED : FUSE;
  if (st == AIORCH_OK) st = aio__retrieval_rank_text(r);
  for (size_t i = 0; i < w->text_count; i++) w->text[i].similarity = (double)NAN; /* not known yet */
  return st;
}

static bool in_text(const aio__retrieval_work *w, aio__str id) {
  for (size_t i = 0; i < w->text_count; i++) {
    if (aio__str_eqz(id, w->text[i].chunk_id)) return true;
  }
  return false;
}

static aiorch_status start_fetch(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aio__store *store = r->orch->store;
  r->phase = FUSE;
  if (w->hit_count == 0) return AIORCH_OK;
  w->missing = aio__arena_alloc(r->arena, w->hit_count * sizeof *w->missing);
  w->fetched = aio__arena_alloc(r->arena, w->hit_count * sizeof *w->fetched);
  if (!w->missing || !w->fetched) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < w->hit_count; i++) {
    if (!in_text(w, w->hits[i].id)) w->missing[w->missing_count++] = w->hits[i].id;
  }
  if (w->missing_count == 0) {
    w->missing = NULL;
    return AIORCH_OK;
  }
  op_started(r, store->knowledge->fetch(store, op_begin(r), r->tenant, w->missing, w->missing_count, r->filters,
                                        r->filter_count, r->arena, w->fetched));
  return AIORCH_OK;
}

/* In the form in which a plug-in's hits are fused. */
static aiorch_status take_nearest(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  if (w->near_count == 0) return AIORCH_OK;
  w->hits = aio__arena_alloc(r->arena, w->near_count * sizeof *w->hits);
  w->fetched = aio__arena_alloc(r->arena, w->near_count * sizeof *w->fetched);
  if (!w->hits || !w->fetched) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < w->near_count; i++) {
    aio__str id = aio__str_n(w->near[i].chunk_id, AIO__UUID_LEN);
    w->hits[w->hit_count++] = (aio__vector_hit){id, w->near[i].similarity};
    if (!in_text(w, id)) w->fetched[w->missing_count++] = w->near[i];
  }
  return AIORCH_OK;
}

/* What is nearest has come whole from the store. */
static aiorch_status nearest_found(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aiorch_status st = leg_ended(r, "vector search");
  r->phase = FUSE;
  if (st || r->op.status < 0) return st;
  for (size_t i = 0; i < w->nearest.also_count; i++) w->text[i].similarity = w->nearest.also_similarity[i];
  return take_nearest(r);
}

static aiorch_status both_found(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aiorch_status st = leg_ended(r, "full-text search");
  bool failed = r->op.status < 0;
  r->phase = FUSE;
  if (failed && st == AIORCH_OK) degrade(r, "vector search", r->op.status, r->op.error.message);
  if (failed) return st;
  w->text = w->both.text;
  w->text_count = w->both.text_count;
  w->near = w->both.near;
  w->near_count = w->both.near_count;
  if (w->both.near_error.status < 0) degrade(r, "vector search", w->both.near_error.status, w->both.near_error.message);
  st = aio__retrieval_rank_text(r);
  return st ? st : take_nearest(r);
}
static aiorch_status fuse(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aiorch_status st = w->missing ? leg_ended(r, "the vector leg") : AIORCH_OK;
  if (st == AIORCH_OK && w->missing && r->op.status < 0) w->missing_count = 0;
  if (st == AIORCH_OK) st = aio__retrieval_fuse(r, &w->candidates, &w->candidate_count);
  r->phase = PACK;
  return st;
}

/* The candidates from `first` on whose text was left out, as many as are looked at in any case. */
static aiorch_status start_fill(aio__retrieval *r, size_t first) {
  aio__retrieval_work *w = work_of(r);
  aio__store *store = r->orch->store;
  size_t most = r->limit * AIO__LOOK_TIMES_LIMIT;
  w->lean = aio__arena_alloc(r->arena, most * sizeof *w->lean);
  w->filled = aio__arena_alloc(r->arena, most * sizeof *w->filled);
  if (!w->lean || !w->filled) return AIORCH_E_NOMEM;
  for (size_t i = first; i < w->candidate_count && w->lean_count < most; i++) {
    const aio__found_chunk *chunk = w->candidates[i].chunk;
    if (!chunk->text.p) w->lean[w->lean_count++] = aio__str_z(chunk->chunk_id);
  }
  op_started(r, store->knowledge->fetch(store, op_begin(r), r->tenant, w->lean, w->lean_count, r->filters,
                                        r->filter_count, r->arena, w->filled));
  return AIORCH_OK;
}

/* What has gone meanwhile, or cannot be read, is no candidate any more. */
static aiorch_status filled(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  aiorch_status st = leg_ended(r, "full-text search");
  size_t n = 0, next = 0;
  for (size_t i = 0; i < w->candidate_count; i++) {
    aio__candidate c = w->candidates[i];
    bool asked = !c.chunk->text.p && next < w->lean_count;
    if (asked) c.chunk = &w->filled[next++];
    if (r->op.status < 0 ? c.chunk->text.p != NULL : !asked || c.chunk->chunk_id[0] != '\0') w->candidates[n++] = c;
  }
  w->candidate_count = n;
  w->lean_count = 0;
  return st;
}

static aiorch_status pack(aio__retrieval *r) {
  aio__retrieval_work *w = work_of(r);
  size_t needed = 0;
  aiorch_status st = w->lean_count > 0 ? filled(r) : AIORCH_OK;
  if (st == AIORCH_OK) st = aio__retrieval_pack(r, w->candidates, w->candidate_count, &needed);
  if (st == AIORCH_AGAIN) return start_fill(r, needed);
  r->all_failed = w->failed > 0 && w->failed >= w->legs;
  if (st == AIORCH_OK) r->phase = ENDED;
  return st;
}

static aiorch_status step_once(aio__retrieval *r) {
  switch (r->phase) {
  case BEGIN:
    return begin(r);
  case TEXT:
    return text_found(r);
  case BOTH:
    return both_found(r);
  case EMBED:
    return embedded(r);
  case VECTORS:
    return searched(r);
  case NEAREST:
    return nearest_found(r);
  case FETCH:
    return start_fetch(r);
  case FUSE:
    return fuse(r);
  default:
    return pack(r);
  }
}

static bool call_waits(aio__retrieval *r) {
  if (r->phase == EMBED) return r->vector.state == AIO__VECTOR_OUT && !aio__call_poll(r->vector.call);
  return r->phase == VECTORS && !aio__call_poll(r->call);
}

int64_t aio__retrieval_wakes_at(const aio__retrieval *r) {
  if (r->phase == EMBED && r->vector.state == AIO__VECTOR_OUT) return aio__call_wakes_at(r->vector.call);
  return r->phase == VECTORS ? aio__call_wakes_at(r->call) : AIO__NEVER;
}

aiorch_status aio__retrieval_step(aio__retrieval *retrieval) {
  aio__retrieval *r = retrieval;
  while (r->phase != ENDED) {
    if (op_waits(r) || call_waits(r)) {
      if (aio__clock_now(r->orch->clock) < r->deadline_ns) return AIORCH_PENDING;
      aio__retrieval_drop(r);
      return AIORCH_E_DEADLINE;
    }
    aiorch_status st = step_once(r);
    if (st) {
      aio__retrieval_drop(r);
      return st;
    }
  }
  return AIORCH_OK;
}

void aio__retrieval_drop(aio__retrieval *retrieval) {
  aio__query_vector_drop(&retrieval->vector, retrieval->orch);
  drop_call(retrieval);
}
