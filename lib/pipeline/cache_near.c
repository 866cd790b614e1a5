/*
 * The near part of cache_lookup: no answer was kept for these words; is there one for a question that means the same?
 *
 *   EMBED the question -> SEARCH its scope for near ones -> judge each by the guards, best first -> READ the first that passes
 *
 * The search is the store's, or that of a vector store plug-in, which knows ids and scopes only: then each candidate is
 * read before it is judged.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/stages.h"

enum { BEGIN = 0, EMBED, SEARCH, SEARCH_PLUGIN, READ, FORGET, ENDED };
enum { NEAR_LIMIT = 8 /* candidates that are judged at most */ };

_Static_assert(AIO__N_CACHE_REFUSED_LANGUAGE + AIO__HIT_REFUSALS - 2 == AIO__N_CACHE_REFUSED_LENGTH,
               "counters name the guards in their order");

bool aio__cache_near_wanted(const aiorch_run *run) {
  const aiorch *orch = run->orch;
  return orch->plugins.has_embedder && run->messages[run->question].text.n > 0 && strcmp(run->options->cache_match, "semantic") == 0 &&
         (orch->cache_threshold > 0 || run->options->cache_threshold > 0);
}

double aio__cache_near_threshold(const aiorch_run *run) {
  double own = run->options->cache_threshold, least = run->orch->cache_threshold;
  return own > least ? own : least;
}

static bool guarded(const aiorch_run *run) {
  return strcmp(run->orch->options.cache_guards, "off") != 0;
}

/* The first refusal, which is the nearest candidate's, is what the run shows. */
static aiorch_status refuse(aiorch_run *run, const aio__hit_finding *finding, double similarity) {
  aio__count(&run->orch->counters, AIO__N_CACHE_REFUSED_LANGUAGE + (int)finding->refused_by - 1);
  if (run->cache_refused_by[0] != '\0') return AIORCH_OK;
  const char *detail = aio__arena_strn(&run->arena, finding->detail, strlen(finding->detail));
  if (!detail) return AIORCH_E_NOMEM;
  run->cache_refused_by = aio__hit_refusal_name(finding->refused_by);
  run->cache_refused_detail = detail;
  run->cache_similarity = similarity;
  return AIORCH_OK;
}

/* AIORCH_PASS: refused. */
static aiorch_status judge(aiorch_run *run, const aio__cache_near *candidate) {
  aio__hit_finding finding;
  if (!guarded(run)) return AIORCH_OK;
  aiorch_status st = aio__hit_guard_check(run->orch->hit_guard, &run->arena, run->messages[run->question].text,
                                          candidate->query, &finding);
  if (st || finding.refused_by == AIO__HIT_PASS) return st;
  st = refuse(run, &finding, candidate->similarity);
  return st ? st : AIORCH_PASS;
}

static aiorch_status ended(aiorch_run *run) {
  run->near.phase = ENDED;
  return AIORCH_OK;
}

static bool too_old(const aiorch_run *run, const aio__cache_entry *entry) {
  int64_t most = run->options->cache_max_age_s;
  return most > 0 && run->lookup_ms - entry->created_ms > most * 1000;
}

static aiorch_status next(aiorch_run *run);

/* A plug-in's vector without its entry, which has been evicted meanwhile: the plug-in may forget it, too. */
static aiorch_status forget(aiorch_run *run) {
  const aio__plugin_vector_store *v = &run->orch->plugins.vector_store;
  aio__str id = aio__str_n(run->near.entries[run->near.at - 1].id, AIO__UUID_LEN);
  aio__call_request request = {.tenant = run->tenant,
                               .run_id = aio__str_n(run->id, AIO__UUID_LEN),
                               .collection = AIO__LIT("cache"),
                               .ids = &id,
                               .vector_count = 1};
  aiorch_status st = aio__call_new(run->orch->calls, AIO__CALL_REMOVE, &request, run->waker, run->deadline_ns, 0,
                                   &run->vector_call);
  if (st) return st;
  run->near.phase = FORGET;
  aio__call_start(run->vector_call, v->vtbl.remove, v->vtbl.cancel, v->self, v->vtbl.flags, v->serial);
  return AIORCH_PENDING;
}

static aiorch_status forgotten(aiorch_run *run) {
  if (!aio__call_poll(run->vector_call)) return AIORCH_PENDING;
  aio__call_drop(run->vector_call); /* whether it did or not: it is asked again when it names the id again */
  run->vector_call = NULL;
  return next(run);
}

static aiorch_status was_read(aiorch_run *run, aiorch_status st) {
  aio__cache_near_state *near = &run->near;
  bool plugin = run->orch->plugins.vector_store.vtbl.search != NULL;
  if (st) return st;
  const aio__cache_near *candidate = &near->entries[near->at++];
  if (!run->entry_found) return plugin ? forget(run) : next(run);
  if (run->entry.exact_only || too_old(run, &run->entry)) return next(run);
  if (plugin) {
    st = judge(run, &(aio__cache_near){.query = run->entry.query, .similarity = candidate->similarity});
    if (st == AIORCH_PASS) return next(run);
    if (st) return st;
  }
  near->found = true;
  near->similarity = candidate->similarity;
  return ended(run);
}

static aiorch_status next(aiorch_run *run) {
  aio__cache_near_state *near = &run->near;
  aio__store *store = run->orch->store;
  for (; near->at < near->count; near->at++) {
    const aio__cache_near *candidate = &near->entries[near->at];
    aiorch_status st = candidate->query.p ? judge(run, candidate) : AIORCH_OK;
    if (st == AIORCH_PASS) continue;
    if (st) return st;
    near->phase = READ;
    int64_t knowledge = run->entry.knowledge;
    memset(&run->entry, 0, sizeof run->entry);
    run->entry.knowledge = knowledge;
    aio__op *op = aio__run_op_begin(run, run->deadline_ns);
    return was_read(run, aio__run_op(run, store->cache->read(
                           store, op, run->tenant, aio__str_n((const char *)run->scope, sizeof run->scope),
                           aio__str_n(candidate->id, AIO__UUID_LEN), run->lookup_ms, &run->arena, &run->entry,
                           &run->entry_found)));
  }
  run->entry_found = false;
  return ended(run);
}

static aiorch_status searched(aiorch_run *run, aiorch_status st) {
  return st ? st : next(run);
}

static aiorch_status take_hits(aiorch_run *run) {
  aio__cache_near_state *near = &run->near;
  if (!aio__call_poll(run->vector_call)) return AIORCH_PENDING;
  const aio__call_result *result = aio__call_result_of(run->vector_call);
  aiorch_status st = result->status < 0 ? result->status : AIORCH_OK;
  if (st) {
    aio__error_set(&run->op.error, st, "the vector store: %s",
                   result->message[0] ? result->message : aiorch_strerror(st));
  } else {
    near->entries = aio__arena_alloc(&run->arena, NEAR_LIMIT * sizeof *near->entries);
    if (!near->entries) st = AIORCH_E_NOMEM;
  }
  for (size_t i = 0; st == AIORCH_OK && i < result->hit_count && near->count < NEAR_LIMIT; i++) {
    const aio__call_hit *hit = &result->hits[i];
    if (hit->id.n != AIO__UUID_LEN || !(hit->similarity >= near->args.threshold)) continue;
    aio__cache_near *to = &near->entries[near->count++];
    memcpy(to->id, hit->id.p, AIO__UUID_LEN);
    to->similarity = hit->similarity;
  }
  aio__call_drop(run->vector_call);
  run->vector_call = NULL;
  return st ? st : next(run);
}

static aiorch_status search_plugin(aiorch_run *run) {
  const aio__plugin_vector_store *v = &run->orch->plugins.vector_store;
  char hex[2 * AIO__SHA256_SIZE + 1];
  aio__cache_scope_hex(run->scope, hex);
  aio__str scope = aio__str_z(hex);
  aio__call_request request = {.tenant = run->tenant,
                               .run_id = aio__str_n(run->id, AIO__UUID_LEN),
                               .collection = AIO__LIT("cache"),
                               .scopes = &scope,
                               .vectors = run->question_vector.unit,
                               .vector_count = 1,
                               .dimensions = run->question_vector.dimensions,
                               .limit = NEAR_LIMIT};
  aiorch_status st = aio__call_new(run->orch->calls, AIO__CALL_SEARCH, &request, run->waker, run->deadline_ns, 0,
                                   &run->vector_call);
  if (st) return st;
  run->near.phase = SEARCH_PLUGIN;
  aio__call_start(run->vector_call, v->vtbl.search, v->vtbl.cancel, v->self, v->vtbl.flags, v->serial);
  return take_hits(run);
}

static aiorch_status search(aiorch_run *run) {
  aio__cache_near_state *near = &run->near;
  aio__store *store = run->orch->store;
  const aio__query_vector *v = &run->question_vector;
  if (v->state != AIO__VECTOR_READY) {
    return aio__error_set(&run->op.error, v->status, "the embedder: %.*s", (int)v->words.n, v->words.p);
  }
  near->args = (aio__nearest_args){.fingerprint = aio__str_z(run->orch->plugins.embedder.fingerprint),
                                   .dimensions = v->dimensions,
                                   .query = v->unit,
                                   .threshold = aio__cache_near_threshold(run),
                                   .limit = NEAR_LIMIT};
  if (run->orch->plugins.vector_store.vtbl.search) return search_plugin(run);
  near->phase = SEARCH;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return searched(run, aio__run_op(run, store->cache->near(
                         store, op, run->tenant, aio__str_n((const char *)run->scope, sizeof run->scope), &near->args,
                         run->lookup_ms, &run->arena, &near->entries, &near->count)));
}

static aiorch_status embed(aiorch_run *run) {
  run->near.phase = EMBED;
  aiorch_status st = aio__run_question_vector(run);
  return st ? st : search(run);
}

/* An empty scope costs no embedding; neither does a question that the guards cannot read. */
static aiorch_status begin(aiorch_run *run) {
  aio__str question = run->messages[run->question].text;
  if (!aio__cache_near_wanted(run) || !run->entry.neighbours) return ended(run);
  double own = run->options->cache_threshold;
  if (own > 0 && own < run->orch->cache_threshold) {
    aio__run_warn(run, AIORCH_STAGE_CACHE_LOOKUP, AIORCH_E_CONFIG_RANGE,
                  "a run can only raise \"cache.threshold\": %.3f counts", run->orch->cache_threshold);
  }
  if (guarded(run) && !aio__hit_guard_reads(run->orch->hit_guard, question)) {
    aio__hit_finding finding = {.refused_by = AIO__HIT_LANGUAGE, .detail = "not read as English: exact hits only"};
    aiorch_status st = refuse(run, &finding, 0);
    return st ? st : ended(run);
  }
  return embed(run);
}

aiorch_status aio__cache_near_step(aiorch_run *run) {
  switch (run->near.phase) {
    case EMBED: return embed(run);
    case SEARCH: return searched(run, aio__run_op_poll(run));
    case SEARCH_PLUGIN: return take_hits(run);
    case READ: return was_read(run, aio__run_op_poll(run));
    case FORGET: return forgotten(run);
    case ENDED: return AIORCH_OK;
    default: return begin(run);
  }
}
