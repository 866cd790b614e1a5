/* aiorch_knowledge_search and its hits: retrieval without a run, on the caller's thread. */
#include <aiorch/knowledge.h>

#include <string.h>

#include "api/filter_json.h"
#include "pipeline/run_state.h"
#include "text/json.h"

enum { ARENA_BLOCK = 64 << 10, SEARCH_LIMIT_MAX = 100, FILTERS_JSON_MAX = 1 << 20, HITS_JSON_MAX = 1 << 30 };

#define HITS_MAGIC UINT64_C(0x61696f2d68697473)

struct aiorch_hits {
  uint64_t magic;
  aio__alloc allocator;
  aio__arena arena;
  aio__source *sources;
  size_t count;
  aio__buf json;
};

/* ---- filters ---------------------------------------------------------------------------------------------------- */

typedef struct filters {
  aio__arena *arena;
  aiorch_error *error;
  aio__filter *filter;
  size_t count;
} filters;

static aio__str copy_text(aio__arena *arena, aio__str text) {
  return text.p ? aio__arena_str(arena, text) : text;
}

static aiorch_status add_filter(void *ctx, const aio__filter *filter) {
  filters *to = ctx;
  const char *fault = aio__filter_fault(filter);
  if (fault) return aio__error_set(to->error, AIORCH_E_INVALID, "filters: %s", fault);
  if (to->count == AIO__FILTERS_MAX)
    return aio__error_set(to->error, AIORCH_E_INVALID, "filters: more than %d values", (int)AIO__FILTERS_MAX);
  aio__filter own = {copy_text(to->arena, filter->name), filter->kind, copy_text(to->arena, filter->value),
                     copy_text(to->arena, filter->to)};
  bool copied = own.name.p && (own.value.p || !filter->value.p) && (own.to.p || !filter->to.p);
  if (!copied) return aio__error_set(to->error, AIORCH_E_NOMEM, "out of memory for the filters");
  to->filter[to->count++] = own;
  return AIORCH_OK;
}

static aiorch_status read_filters(const char *text, filters *to) {
  static const aio__json_limits limits = {FILTERS_JSON_MAX, 4, AIORCH_E_INVALID, "filters"};
  aiorch_error *error = to->error;
  aio__json *json = NULL;
  if (!text || !text[0]) return AIORCH_OK;
  aiorch_status st = aio__json_parse(to->arena->al, aio__str_z(text), &limits, &json, error);
  if (st == AIORCH_E_TOO_LARGE) st = aio__error_set(error, AIORCH_E_INVALID, "filters: longer than 1 MiB");
  if (st) return st;
  to->filter = aio__arena_alloc(to->arena, AIO__FILTERS_MAX * sizeof *to->filter);
  st = to->filter ? aio__filters_read(aio__json_root(json), "filters", add_filter, to, error)
                  : aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the filters");
  aio__json_free(json);
  return st;
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

/* Steps until it has ended; a store op that is out keeps to its deadline, and its memory stays until then. */
static aiorch_status drive(aio__retrieval *r) {
  for (;;) {
    aiorch_status st = aio__retrieval_step(r);
    if (st != AIORCH_PENDING) {
      while (r->op_out && !atomic_load_explicit(&r->op_done, memory_order_acquire)) {
        (void)aio__waker_wait(r->waker, AIO__NEVER);
        aio__waker_clear(r->waker);
      }
      return st;
    }
    int64_t wakes_at = aio__retrieval_wakes_at(r);
    (void)aio__waker_wait(r->waker, wakes_at < r->deadline_ns ? wakes_at : r->deadline_ns);
    aio__waker_clear(r->waker);
  }
}

static aiorch_status search(aio__retrieval *r, aiorch_error *error) {
  aiorch_status st = aio__waker_new(r->orch->al, r->orch->clock, &r->waker);
  if (st == AIORCH_OK) st = drive(r);
  aio__waker_release(r->waker);
  if (st) {
    return aio__error_set(error, st,
                          st == AIORCH_E_NOMEM ? "out of memory in the search" : "the search did not end in time");
  }
  return r->all_failed ? aio__error_copy(error, &r->why) : AIORCH_OK;
}

static aiorch_status write_json(aiorch_hits *hits) {
  aio__json_writer w;
  aio__buf_init(&hits->json, &hits->allocator, HITS_JSON_MAX);
  aio__jw_init(&w, &hits->json);
  aio__jw_array(&w);
  for (size_t i = 0; i < hits->count; i++) aio__source_json(&w, &hits->sources[i], i + 1);
  aio__jw_array_end(&w);
  return hits->json.failed;
}

static aiorch_status find(aiorch *orch, aiorch_hits *hits, aio__retrieval *r, const char *filters_json,
                          aiorch_error *error) {
  filters f = {&hits->arena, error, NULL, 0};
  aiorch_status st = read_filters(filters_json, &f);
  if (st) return st;
  r->orch = orch;
  r->arena = &hits->arena;
  r->options = &orch->options;
  r->run_id = AIO__LIT("");
  r->filters = f.filter;
  r->filter_count = f.count;
  st = search(r, error);
  if (st) return st;
  hits->sources = r->sources;
  hits->count = r->source_count;
  st = write_json(hits);
  return st ? aio__error_set(error, st, "out of memory for the hits") : AIORCH_OK;
}

static aiorch_status check_arguments(const char *query, size_t query_len, size_t limit, aiorch_hits **out,
                                     aiorch_error *error) {
  if (!out || (!query && query_len > 0))
    return aio__error_set(error, AIORCH_E_INVALID, "a query and a place for hits are needed");
  if (limit < 1 || limit > SEARCH_LIMIT_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID, "the limit must be 1 to %d", (int)SEARCH_LIMIT_MAX);
  }
  if (aio__utf8_check(aio__str_n(query, query_len), NULL) != query_len) {
    return aio__error_set(error, AIORCH_E_INVALID, "the query is not UTF-8");
  }
  return AIORCH_OK;
}

aiorch_status aiorch_knowledge_search(aiorch *orch, const char *tenant, size_t tenant_len, const char *query,
                                      size_t query_len, const char *filters_json, size_t limit, int64_t timeout_ms,
                                      aiorch_hits **out, aiorch_error *error) {
  aio__str who;
  aio__retrieval r;
  if (!tenant && tenant_len > 0) return aio__error_set(error, AIORCH_E_INVALID, "the tenant is NULL");
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant, tenant_len), &who, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  if (st == AIORCH_OK) st = check_arguments(query, query_len, limit, out, error);
  if (st) return st;
  aiorch_hits *hits = aio__calloc(orch->al, 1, sizeof *hits);
  if (!hits) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the hits");
  hits->magic = HITS_MAGIC;
  hits->allocator = *orch->al;
  aio__arena_init(&hits->arena, &hits->allocator, ARENA_BLOCK);
  aio__retrieval_init(&r);
  r.tenant = who;
  r.query = aio__str_n(query, query_len);
  r.limit = limit;
  r.deadline_ns = aio__clock_after_ms(orch->clock, timeout_ms);
  st = find(orch, hits, &r, filters_json, error);
  aio__log_flush(orch->log);
  if (st) {
    aiorch_hits_free(hits);
    return st;
  }
  *out = hits;
  return AIORCH_OK;
}

/* ---- hits ------------------------------------------------------------------------------------------------------- */

static bool is_hits(const aiorch_hits *hits) {
  return hits && hits->magic == HITS_MAGIC;
}

static const aio__source *hit_at(const aiorch_hits *hits, size_t index) {
  return is_hits(hits) && index < hits->count ? &hits->sources[index] : NULL;
}

static aiorch_status give(bool there, aio__str text, const char **out, size_t *out_len) {
  if (!there || !out) return AIORCH_E_INVALID;
  *out = text.n > 0 ? text.p : "";
  if (out_len) *out_len = text.n;
  return AIORCH_OK;
}

size_t aiorch_hits_count(const aiorch_hits *hits) {
  return is_hits(hits) ? hits->count : 0;
}

aiorch_status aiorch_hits_json(const aiorch_hits *hits, const char **out, size_t *out_len) {
  bool there = is_hits(hits);
  return give(there, there ? aio__buf_view(&hits->json) : AIO__LIT(""), out, out_len);
}

aiorch_status aiorch_hits_document_id(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len) {
  const aio__source *hit = hit_at(hits, index);
  return give(hit, aio__str_z(hit ? hit->document_id : NULL), out, out_len);
}

aiorch_status aiorch_hits_title(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len) {
  const aio__source *hit = hit_at(hits, index);
  return give(hit, hit ? hit->title : AIO__LIT(""), out, out_len);
}

aiorch_status aiorch_hits_uri(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len) {
  const aio__source *hit = hit_at(hits, index);
  return give(hit, hit ? hit->uri : AIO__LIT(""), out, out_len);
}

aiorch_status aiorch_hits_text(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len) {
  const aio__source *hit = hit_at(hits, index);
  return give(hit, hit ? hit->text : AIO__LIT(""), out, out_len);
}

aiorch_status aiorch_hits_range(const aiorch_hits *hits, size_t index, uint64_t *start, uint64_t *end) {
  const aio__source *hit = hit_at(hits, index);
  if (!hit) return AIORCH_E_INVALID;
  if (start) *start = hit->start;
  if (end) *end = hit->end;
  return AIORCH_OK;
}

aiorch_status aiorch_hits_score(const aiorch_hits *hits, size_t index, double *score, double *similarity) {
  const aio__source *hit = hit_at(hits, index);
  if (!hit) return AIORCH_E_INVALID;
  if (score) *score = hit->score;
  if (similarity) *similarity = hit->similarity;
  return AIORCH_OK;
}

void aiorch_hits_free(aiorch_hits *hits) {
  if (!is_hits(hits)) return;
  hits->magic = 0;
  aio__alloc al = hits->allocator;
  aio__buf_free(&hits->json);
  aio__arena_free(&hits->arena);
  aio__free(&al, hits);
}
