/* What the cache thinks of a question, and what hosts think of the cache: compare, explain, feedback. */
#include <aiorch/knowledge.h>
#include <aiorch/plugin.h>

#include <string.h>

#include "api/blocking_call.h"
#include "core/text_handle.h"
#include "pipeline/stages.h"
#include "text/normalize.h"

enum { JSON_MAX = 64 << 20, EXPLAIN_MAX = 100, ARENA_BLOCK = 16384, TEXT_MAX = 1 << 20 };

static aiorch_status no_embedder(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                        "there is no embedder: only the same words are found again. Register one, or put a local model "
                        "where \"embedder.local.path\" says (aiorch model pull)");
}

static bool guarded(const aiorch *orch) {
  return strcmp(orch->options.cache_guards, "off") != 0;
}

/* Unit vectors of texts, for likeness, in the arena. */
static aiorch_status embed(aiorch *orch, aio__str tenant, const aio__str *texts, size_t count, int64_t deadline_ns,
                           aio__arena *arena, float **rows, aiorch_error *error) {
  size_t dimensions = orch->plugins.embedder.vtbl.dimensions;
  aio__call_request request = {.tenant = tenant,
                               .purpose = AIORCH_PURPOSE_SIMILARITY,
                               .texts = texts,
                               .text_count = count,
                               .dimensions = dimensions};
  aiorch_call *call = NULL;
  aiorch_status st = aio__blocking_call(orch, AIO__CALL_EMBED, &request, deadline_ns, &call, error);
  const aio__call_result *result = call ? aio__call_result_of(call) : NULL;
  *rows = aio__arena_alloc(arena, count * dimensions * sizeof **rows);
  if (st == AIORCH_OK && !*rows) st = aio__error_set(error, AIORCH_E_NOMEM, "out of memory for vectors");
  bool whole = st == AIORCH_OK && result->vector_count == count && result->dimensions == dimensions;
  for (size_t i = 0; whole && i < count; i++) {
    whole = aio__unit_vector(result->vectors + i * dimensions, dimensions, *rows + i * dimensions);
  }
  if (st == AIORCH_OK && !whole) {
    st = aio__error_set(error, AIORCH_E_PLUGIN_CONTRACT, "the embedder gave too few vectors, or one without length");
  }
  aio__call_drop(call);
  return st;
}

static double dot(const float *a, const float *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* ---- compare ---- */

static aiorch_status same_words(aio__arena *arena, aio__str a, aio__str b, bool *out) {
  aio__str x, y;
  aiorch_status st = aio__normalize_key(arena, a, &x);
  if (st == AIORCH_OK) st = aio__normalize_key(arena, b, &y);
  if (st == AIORCH_OK) *out = aio__str_eq(x, y);
  return st;
}

/* As cache_lookup: the same words are an exact hit, and no guard is asked. */
static aiorch_status judge(const aiorch *orch, aio__arena *arena, aio__str a, aio__str b, bool *same,
                           aio__hit_finding *finding) {
  memset(finding, 0, sizeof *finding);
  aiorch_status st = same_words(arena, a, b, same);
  if (st || *same || !guarded(orch)) return st;
  return aio__hit_guard_check(orch->hit_guard, arena, a, b, finding);
}

static void put_refusal(aio__json_writer *w, const aio__hit_finding *finding) {
  bool refused = finding->refused_by != AIO__HIT_PASS;
  aio__jw_kz(w, "refused_by", refused ? aio__hit_refusal_name(finding->refused_by) : NULL);
  aio__jw_kz(w, "refused_detail", refused ? finding->detail : NULL);
}

static aiorch_status check_texts(aiorch *orch, aio__str a, aio__str b, const aiorch_text *const *out,
                                 aiorch_error *error) {
  aio__error_clear(error);
  aiorch_status st = aio__orch_check(orch);
  if (st) return aio__error_set(error, st, "this is no open orchestrator, or one that was opened before fork()");
  if (aio__calls_inside(orch->calls)) {
    return aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  bool text = a.n <= TEXT_MAX && b.n <= TEXT_MAX && (a.p || !a.n) && (b.p || !b.n);
  if (!out || !text || aio__utf8_check(a, NULL) != a.n || aio__utf8_check(b, NULL) != b.n) {
    return aio__error_set(error, AIORCH_E_INVALID, "two texts of UTF-8, at most %d bytes each, are compared", TEXT_MAX);
  }
  return orch->plugins.has_embedder ? AIORCH_OK : no_embedder(error);
}

aiorch_status aiorch_cache_compare(aiorch *orch, const char *a, size_t a_len, const char *b, size_t b_len,
                                   int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aio__str texts[2] = {{a, a_len}, {b, b_len}};
  aiorch_status st = check_texts(orch, texts[0], texts[1], (const aiorch_text *const *)out, error);
  if (st) return st;
  aio__arena arena;
  aio__buf buf;
  aio__json_writer w;
  aio__hit_finding finding;
  float *rows = NULL;
  bool same = false;
  size_t dimensions = orch->plugins.embedder.vtbl.dimensions;
  aio__arena_init(&arena, orch->al, ARENA_BLOCK);
  aio__buf_init(&buf, orch->al, JSON_MAX);
  st = embed(orch, AIO__LIT(""), texts, 2, aio__clock_after_ms(orch->clock, timeout_ms), &arena, &rows, error);
  if (st == AIORCH_OK && judge(orch, &arena, texts[0], texts[1], &same, &finding) != AIORCH_OK) {
    st = aio__error_set(error, AIORCH_E_NOMEM, "out of memory while two questions were compared");
  }
  if (st == AIORCH_OK) {
    double similarity = dot(rows, rows + dimensions, dimensions);
    aio__jw_init(&w, &buf);
    aio__jw_object(&w);
    aio__jw_kf64(&w, "similarity", similarity);
    aio__jw_kf64(&w, "threshold", orch->cache_threshold);
    aio__jw_kbool(&w, "hit", same || (similarity >= orch->cache_threshold && finding.refused_by == AIO__HIT_PASS));
    put_refusal(&w, &finding);
    aio__jw_object_end(&w);
    if (aio__text_from_buf(&buf, out) != AIORCH_OK) st = aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  }
  aio__buf_free(&buf);
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}

/* ---- explain ---- */

static aiorch_status put_guards(aiorch_run *run, aio__str kept, aio__json_writer *w) {
  aio__hit_finding all[AIO__HIT_REFUSALS - 1];
  aiorch_status st = aio__hit_guard_check_all(run->orch->hit_guard, &run->arena, run->messages[run->question].text, kept,
                                              all);
  aio__jw_key(w, "guards");
  aio__jw_array(w);
  for (int g = 1; st == AIORCH_OK && g < (int)AIO__HIT_REFUSALS; g++) {
    const aio__hit_finding *finding = &all[g - 1];
    aio__jw_object(w);
    aio__jw_kz(w, "guard", aio__hit_refusal_name((aio__hit_refusal)g));
    aio__jw_kbool(w, "pass", finding->refused_by == AIO__HIT_PASS);
    aio__jw_kz(w, "detail", finding->refused_by == AIO__HIT_PASS ? NULL : finding->detail);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  return st;
}

static aiorch_status put_near(aiorch_run *run, const aio__cache_near *near, aio__json_writer *w) {
  aio__hit_finding finding;
  bool same = false;
  aiorch_status st = judge(run->orch, &run->arena, run->messages[run->question].text, near->query, &same, &finding);
  if (st) return st;
  bool hit = same || (near->similarity >= aio__cache_near_threshold(run) && finding.refused_by == AIO__HIT_PASS);
  aio__jw_object(w);
  aio__jw_kz(w, "id", near->id);
  aio__jw_kstr(w, "query", near->query);
  aio__jw_kf64(w, "similarity", near->similarity);
  aio__jw_kbool(w, "exact", same);
  aio__jw_kbool(w, "hit", hit);
  put_refusal(w, &finding);
  st = put_guards(run, near->query, w);
  aio__jw_object_end(w);
  return st;
}

static aiorch_status find_near(aiorch_run *run, size_t limit, aio__cache_near **entries, size_t *count) {
  aiorch *orch = run->orch;
  aio__sync sync;
  float *row = NULL;
  int64_t timeout_ms = run->options->deadline_ms;
  aiorch_status st = embed(orch, run->tenant, &run->messages[run->question].text, 1,
                           aio__clock_after_ms(orch->clock, timeout_ms), &run->arena, &row, &run->error);
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, &run->error);
  if (st) return st;
  aio__nearest_args args = {.fingerprint = aio__str_z(orch->plugins.embedder.fingerprint),
                            .dimensions = orch->plugins.embedder.vtbl.dimensions,
                            .query = row,
                            .threshold = -1,
                            .limit = limit};
  aio__store *store = orch->store;
  st = aio__sync_end(&sync,
                     store->cache->near(store, &sync.op, run->tenant,
                                        aio__str_n((const char *)run->scope, sizeof run->scope), &args,
                                        aio__clock_wall_ms(orch->clock), &run->arena, entries, count),
                     &run->error);
  aio__sync_free(&sync);
  return st;
}

static aiorch_status write_explanation(aiorch_run *run, size_t limit, aio__json_writer *w) {
  const aiorch *orch = run->orch;
  aio__cache_near *entries = NULL;
  size_t count = 0;
  aiorch_status st = find_near(run, limit, &entries, &count);
  if (st) return st;
  aio__jw_object(w);
  aio__jw_kf64(w, "threshold", aio__cache_near_threshold(run));
  aio__jw_kz(w, "guards", guarded(orch) ? "on" : "off");
  aio__jw_kbool(w, "readable", aio__hit_guard_reads(orch->hit_guard, run->messages[run->question].text));
  aio__jw_kz(w, "model", orch->plugins.embedder.fingerprint);
  aio__jw_key(w, "entries");
  aio__jw_array(w);
  for (size_t i = 0; i < count && st == AIORCH_OK; i++) st = put_near(run, &entries[i], w);
  aio__jw_array_end(w);
  aio__jw_object_end(w);
  return st;
}

static aiorch_status explain(aiorch_run *run, size_t limit, aiorch_text **out) {
  if (run->phase != AIO__RUN_NEW || run->question == SIZE_MAX) {
    return aio__run_refuse(run, AIORCH_E_STATE, "a run is explained that has a user message and has not begun");
  }
  if (!run->orch->plugins.has_embedder) return no_embedder(&run->error);
  if (run->orch->plugins.has_vector_store) {
    return aio__run_refuse(run, AIORCH_E_UNSUPPORTED, "vectors in a vector store plug-in cannot be explained");
  }
  run->preview = true;
  aiorch_status st = aio__run_stage(run, AIORCH_STAGE_VALIDATE);
  if (st < 0) return st;
  st = aio__cache_place(run);
  if (st == AIORCH_PASS) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the cache is off for this run: \"cache.mode\", or filters without a user");
  }
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, run->al, JSON_MAX);
  aio__jw_init(&w, &buf);
  if (st == AIORCH_OK) st = write_explanation(run, limit, &w);
  if (st == AIORCH_OK) st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_run_cache_explain(aiorch_run *run, size_t limit, aiorch_text **out) {
  if (!out || limit < 1 || limit > EXPLAIN_MAX) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  if (aio__calls_inside(run->orch->calls)) st = aio__run_refuse(run, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  else st = explain(run, limit, out);
  if (run->phase != AIO__RUN_NEW) aio__run_end(run); /* it is used up */
  (void)aio__run_give_back(run);
  return st;
}

/* ---- feedback ---- */

static aiorch_status drop_bad(aiorch *orch, aio__sync *sync, aio__str tenant, aio__str id, aiorch_error *error) {
  aio__store *store = orch->store;
  uint64_t removed = 0;
  aiorch_status st = aio__sync_end(sync, store->cache->invalidate(store, &sync->op, tenant, id, &removed), error);
  if (st == AIORCH_OK && removed == 0) {
    st = aio__error_set(error, AIORCH_E_NOT_FOUND, "no answer with this id is kept; it may have gone meanwhile");
  }
  return st;
}

aiorch_status aiorch_cache_feedback(aiorch *orch, const char *tenant_in, size_t tenant_len, const char *entry_id,
                                    size_t entry_id_len, int32_t verdict, int64_t timeout_ms, aiorch_error *error) {
  static const int counters[] = {0, AIO__N_CACHE_FEEDBACK_GOOD, AIO__N_CACHE_FEEDBACK_BAD, AIO__N_CACHE_FEEDBACK_NOT_SAME};
  aio__str tenant, id = aio__str_n(entry_id, entry_id_len);
  aio__sync sync;
  if (!tenant_in && tenant_len > 0) return aio__error_set(error, AIORCH_E_INVALID, "the tenant is NULL");
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant_in, tenant_len), &tenant, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  if (st) return st;
  if (!entry_id || id.n != AIO__UUID_LEN || verdict < AIORCH_VERDICT_GOOD || verdict > AIORCH_VERDICT_NOT_SAME) {
    return aio__error_set(error, AIORCH_E_INVALID, "a verdict (good, bad, not same) is given on an entry's id of %d characters",
                          AIO__UUID_LEN);
  }
  if (verdict != AIORCH_VERDICT_GOOD) {
    st = aio__sync_begin(&sync, orch, timeout_ms, error);
    if (st) return st;
    aio__store *store = orch->store;
    st = verdict == AIORCH_VERDICT_BAD
           ? drop_bad(orch, &sync, tenant, id, error)
           : aio__sync_end(&sync, store->cache->exact_only(store, &sync.op, tenant, id), error);
    aio__sync_free(&sync);
  }
  if (st == AIORCH_OK) aio__count(&orch->counters, counters[verdict]);
  aio__log_flush(orch->log);
  return st;
}
