/*
 * Stage 3: has this been answered before, for somebody who may see it, from documents that are still the same?
 *
 * The same words first (no embedding is needed for it), then a near question that passes the guards (cache_near.c).
 *
 * An entry that was stored before the tenant's knowledge grew is stale: "cache.on_add" says whether it is checked by retrieving
 * again (a hit only when the same chunks are found; what was retrieved serves the retrieve stage otherwise), served, or
 * passed over.
 */
#include <string.h>

#include "pipeline/cache_kept.h"
#include "pipeline/stages.h"

enum { START = 0, LOOKUP, NEAR, REVALIDATE, MARK };

static aiorch_status miss(aiorch_run *run) {
  run->cache_outcome = AIORCH_CACHE_MISS;
  run->near.found = false;
  if (run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome != AIORCH_OUTCOME_DEGRADED) {
    run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome = AIORCH_OUTCOME_MISS;
  }
  aio__count(&run->orch->counters, AIO__N_CACHE_MISSES);
  return AIORCH_OK;
}

static aiorch_status down(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_E_NOMEM) {
    return aio__run_fail(run, AIORCH_STAGE_CACHE_LOOKUP, st, "out of memory in the cache lookup");
  }
  aio__count(&run->orch->counters, AIO__N_STORE_ERRORS);
  run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome = AIORCH_OUTCOME_DEGRADED;
  aio__run_warn(run, AIORCH_STAGE_CACHE_LOOKUP, st, "the cache could not be asked: %s", run->op.error.message);
  return miss(run);
}

static aiorch_status hit(aiorch_run *run) {
  aiorch_status st = aio__cache_kept_read(run);
  if (st == AIORCH_OK) st = aio__buf_str(&run->answer, run->entry.answer);
  const char *provider = aio__arena_strn(&run->arena, run->entry.provider.p, run->entry.provider.n);
  const char *model = aio__arena_strn(&run->arena, run->entry.model.p, run->entry.model.n);
  if (st == AIORCH_E_STORE_CORRUPT) return miss(run);
  if (st || !provider || !model) {
    return aio__run_fail(run, AIORCH_STAGE_CACHE_LOOKUP, AIORCH_E_NOMEM, "out of memory for a cached answer");
  }
  run->cache_outcome = run->near.found ? AIORCH_CACHE_SEMANTIC : AIORCH_CACHE_EXACT;
  run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome = AIORCH_OUTCOME_HIT;
  memcpy(run->entry_id, run->entry.id, sizeof run->entry_id);
  run->cache_similarity = run->near.found ? run->near.similarity : 1.0;
  run->cache_refused_by = run->cache_refused_detail = ""; /* of a nearer one that was passed over */
  run->finish_reason = run->entry.finish_reason;
  run->provider = provider;
  run->model = model;
  run->answered = true;
  aio__count(&run->orch->counters, run->near.found ? AIO__N_CACHE_HITS_SEMANTIC : AIO__N_CACHE_HITS_EXACT);
  for (size_t i = 0; i < run->source_count; i++) {
    struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_SOURCE, AIORCH_STAGE_CACHE_LOOKUP);
    if (event) event->index = i;
  }
  struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_DELTA, AIORCH_STAGE_CACHE_LOOKUP);
  if (event) event->text = aio__buf_view(&run->answer);
  return AIORCH_OK;
}

static aiorch_status marked(aiorch_run *run, aiorch_status st) {
  /* The entry is good whether or not the store could note so: the next reader checks again. */
  return st == AIORCH_PENDING ? st : hit(run);
}

/* An answer is good as long as the question that it was kept for finds the same. */
static aiorch_status revalidate(aiorch_run *run) {
  run->step = REVALIDATE;
  aio__str question = run->near.found ? run->entry.query : run->messages[run->question].text;
  aiorch_status st = aio__run_retrieve_step(run, question);
  if (st) return st;
  const aio__retrieval *r = &run->retrieval;
  bool same = !r->degraded && run->entry.chunks.n == sizeof r->digest &&
              memcmp(run->entry.chunks.p, r->digest, sizeof r->digest) == 0;
  if (run->near.found) aio__run_retrieve_again(run);
  if (!same) return miss(run);
  aio__count(&run->orch->counters, AIO__N_CACHE_REVALIDATED);
  run->step = MARK;
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return marked(run, aio__run_op(run, store->cache->revalidated(store, op, run->tenant,
                                                                aio__str_n(run->entry.id, AIO__UUID_LEN),
                                                                run->knowledge)));
}

/* There is an entry: may it serve? */
static aiorch_status found(aiorch_run *run) {
  if (!run->entry.stale || strcmp(run->options->cache_on_add, "keep") == 0) return hit(run);
  if (strcmp(run->options->cache_on_add, "flush") == 0 || run->host_sources) return miss(run);
  /* An answer that rests on no retrieval cannot change by a document. */
  if (!run->options->retrieve_enabled) return hit(run);
  return revalidate(run);
}

static aiorch_status near_failed(aiorch_run *run, aiorch_status st) {
  if (st != AIORCH_E_EMBEDDER_MISMATCH) return down(run, st);
  aio__run_warn(run, AIORCH_STAGE_CACHE_LOOKUP, st, "%s", run->op.error.message);
  return miss(run);
}

static aiorch_status look_near(aiorch_run *run) {
  run->step = NEAR;
  aiorch_status st = aio__cache_near_step(run);
  if (st == AIORCH_PENDING) return st;
  if (st < 0) return near_failed(run, st);
  return run->near.found ? found(run) : miss(run);
}

static bool too_old(const aiorch_run *run) {
  int64_t most = run->options->cache_max_age_s;
  return most > 0 && run->lookup_ms - run->entry.created_ms > most * 1000;
}

static aiorch_status looked_up(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st < 0) return down(run, st);
  run->knowledge = run->entry.knowledge;
  if (!run->entry_found) return look_near(run);
  return too_old(run) ? miss(run) : found(run);
}

aiorch_status aio__cache_ask_place(aiorch_run *run, aio__str *scope, aio__str *key) {
  const char *mode = run->options->cache_mode;
  aiorch_status st = aio__cache_place(run);
  if (st) return st;
  if (run->answered) return AIORCH_PASS; /* only the key was needed, to keep it */
  *scope = aio__str_n((const char *)run->scope, sizeof run->scope);
  *key = aio__str_n((const char *)run->key, sizeof run->key);
  /* Who looks nothing up asks for a place where nothing is, to know where the tenant's knowledge stands. */
  if (strcmp(mode, "write") == 0 || strcmp(mode, "refresh") == 0) *scope = *key = AIO__LIT("");
  return AIORCH_OK;
}

/* It went along with the admission, and nothing has changed since that would belong to another place. */
static bool was_asked(const aiorch_run *run) {
  return run->asked && memcmp(run->asked_scope, run->scope, sizeof run->scope) == 0 &&
         memcmp(run->asked_key, run->key, sizeof run->key) == 0;
}

static aiorch_status start(aiorch_run *run) {
  aio__str scope, key;
  aiorch_status st = aio__cache_ask_place(run, &scope, &key);
  if (st == AIORCH_PASS && !run->keyed) {
    run->cache_outcome = AIORCH_CACHE_OFF;
    run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome = AIORCH_OUTCOME_SKIPPED;
  }
  if (st == AIORCH_PASS) return st;
  if (st) return aio__run_fail(run, AIORCH_STAGE_CACHE_LOOKUP, st, "out of memory for the cache key");
  run->step = LOOKUP;
  if (was_asked(run)) return looked_up(run, AIORCH_OK);
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return looked_up(run, aio__run_op(run, store->cache->lookup(store, op, run->tenant, scope, key, run->lookup_ms,
                                                              &run->arena, &run->entry, &run->entry_found)));
}

aiorch_status aio__stage_cache_lookup(aiorch_run *run) {
  switch (run->step) {
    case LOOKUP: return looked_up(run, aio__run_op_poll(run));
    case NEAR: return look_near(run);
    case REVALIDATE: return revalidate(run);
    case MARK: return marked(run, aio__run_op_poll(run));
    default: return start(run);
  }
}
