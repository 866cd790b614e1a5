/* Stage 7: keep the answer, if it may be: complete, checked, no refusal, no stage degraded, no makeshift, no source of unknown version. The
 * store checks in the same transaction that the documents are still those that it was written from. With an embedder the
 * question's vector is kept with it, so that near questions find it; without it the answer serves its own question only. */
#include <string.h>

#include "pipeline/cache_kept.h"
#include "pipeline/stages.h"
#include "providers/extractive.h"

enum { START = 0, EMBED, PUT, UPSERT };

/* Sentences of the documents, given because no provider could answer: the next run may find one that can. Whether they were asked,
 * passed over, or asked by a run that this one shares its answer with makes no difference. */
static bool is_makeshift(const aiorch_run *run) {
  if (!run->provider || strcmp(run->provider, aio__extractive.name) != 0) return false;
  return run->plan.count > 0 && !run->plan.targets[0].built_in;
}

static bool may_keep(const aiorch_run *run) {
  const char *mode = run->options->cache_mode;
  if (!run->keyed || strcmp(mode, "off") == 0 || strcmp(mode, "read") == 0) return false;
  return run->answered && !run->degraded && !run->refused && !is_makeshift(run) && run->finish_reason == AIORCH_FINISH_STOP &&
         run->check.finding.verdict == AIO__VERDICT_PASS && run->input_finding.verdict == AIO__VERDICT_PASS;
}

/* What a provider wrote was checked as it came; what the host wrote is checked before others may get it. */
static aiorch_status check_hosts(aiorch_run *run) {
  if (!run->stages[AIORCH_STAGE_GENERATE].by_host || strcmp(run->options->output_check, "off") == 0) return AIORCH_OK;
  return aio__output_guard_check(run->orch->output_guard, aio__buf_view(&run->answer), 0, AIO__LIT(""),
                                 &run->check.finding);
}

static aiorch_status drop(aiorch_run *run, aiorch_status st, const char *why) {
  aio__count(&run->orch->counters, AIO__N_CACHE_DROPPED);
  if (st < 0) {
    run->stages[AIORCH_STAGE_CACHE_STORE].outcome = AIORCH_OUTCOME_DEGRADED;
    aio__run_warn(run, AIORCH_STAGE_CACHE_STORE, st, "the answer was not kept: %s", why);
  }
  return AIORCH_OK;
}

/* The answer is kept; only near questions will not find it. */
static aiorch_status exact_only(aiorch_run *run, aiorch_status st, aio__str words) {
  aio__run_warn(run, AIORCH_STAGE_CACHE_STORE, st, "the answer is kept for its own question only: %.*s", (int)words.n,
                words.p);
  return AIORCH_OK;
}

static aiorch_status upserted(aiorch_run *run) {
  if (!aio__call_poll(run->vector_call)) return AIORCH_PENDING;
  const aio__call_result *result = aio__call_result_of(run->vector_call);
  aiorch_status st = AIORCH_OK;
  if (result->status < 0) {
    const char *words = result->message[0] ? result->message : aiorch_strerror(result->status);
    st = exact_only(run, result->status, aio__str_z(words));
  }
  aio__call_drop(run->vector_call);
  run->vector_call = NULL;
  return st;
}

/* To the vector store plug-in, after the entry: a vector without an entry would only cost a look. */
static aiorch_status upsert(aiorch_run *run) {
  const aio__plugin_vector_store *v = &run->orch->plugins.vector_store;
  char hex[2 * AIO__SHA256_SIZE + 1];
  aio__cache_scope_hex(run->scope, hex);
  aio__str scope = aio__str_z(hex), id = aio__str_n(run->entry.id, AIO__UUID_LEN);
  aio__call_request request = {.tenant = run->tenant,
                               .run_id = aio__str_n(run->id, AIO__UUID_LEN),
                               .collection = AIO__LIT("cache"),
                               .ids = &id,
                               .scopes = &scope,
                               .vectors = run->question_vector.unit,
                               .vector_count = 1,
                               .dimensions = run->question_vector.dimensions};
  aiorch_status st = aio__call_new(run->orch->calls, AIO__CALL_UPSERT, &request, run->waker, run->deadline_ns, 0,
                                   &run->vector_call);
  if (st) return exact_only(run, st, aio__str_z(aiorch_strerror(st)));
  run->step = UPSERT;
  aio__call_start(run->vector_call, v->vtbl.upsert, v->vtbl.cancel, v->self, v->vtbl.flags, v->serial);
  return upserted(run);
}

static aiorch_status stored(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st < 0) {
    aio__count(&run->orch->counters, AIO__N_STORE_ERRORS);
    return drop(run, st, run->op.error.message);
  }
  if (!run->stored) return drop(run, AIORCH_OK, NULL);
  memcpy(run->entry_id, run->entry.id, sizeof run->entry_id);
  aio__count(&run->orch->counters, AIO__N_CACHE_STORED);
  return run->entry.vector && run->orch->plugins.vector_store.vtbl.search ? upsert(run) : AIORCH_OK;
}

static aiorch_status list_documents(aiorch_run *run, aio__cache_entry *entry) {
  size_t room = run->source_count ? run->source_count : 1;
  aio__cache_source *list = aio__arena_alloc(&run->arena, room * sizeof *list);
  if (!list) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t i = 0; i < run->source_count; i++) {
    const aio__source *s = &run->sources[i];
    bool seen = s->document_id[0] == '\0';
    for (size_t k = 0; k < n && !seen; k++) seen = strcmp(list[k].document_id, s->document_id) == 0;
    if (seen) continue;
    memcpy(list[n].document_id, s->document_id, sizeof list[n].document_id);
    list[n++].version = s->document_version;
  }
  entry->rests_on = list;
  entry->rests_on_count = n;
  return AIORCH_OK;
}

static aiorch_status fill_entry(aiorch_run *run, int64_t now_ms) {
  aio__cache_entry *e = &run->entry;
  memset(e, 0, sizeof *e);
  if (run->host_sources) aio__cache_scope(run, run->scope); /* anew: it may have added them since the lookup */
  aiorch_status st = aio__uuid_v7_from(&run->random, now_ms, e->id);
  if (st) return st;
  e->scope = aio__str_n((const char *)run->scope, sizeof run->scope);
  e->key = aio__str_n((const char *)run->key, sizeof run->key);
  e->query = run->messages[run->question].text;
  e->answer = aio__buf_view(&run->answer);
  e->chunks = aio__str_n((const char *)run->retrieval.digest, sizeof run->retrieval.digest);
  e->provider = aio__str_z(run->provider);
  e->model = aio__str_z(run->model);
  e->finish_reason = run->finish_reason;
  /* What was added since the cache was asked may be missing in what was retrieved. */
  e->knowledge = run->knowledge;
  e->created_ms = run->knowledge > 0 ? now_ms : run->lookup_ms;
  e->expires_ms = now_ms + run->options->cache_ttl_s * 1000;
  st = list_documents(run, e);
  return st ? st : aio__cache_kept_write(run, &e->sources);
}

static bool wants_vector(const aiorch_run *run) {
  bool guarded = strcmp(run->orch->options.cache_guards, "off") != 0;
  return aio__cache_near_wanted(run) &&
         (!guarded || aio__hit_guard_reads(run->orch->hit_guard, run->messages[run->question].text));
}

/* The question's vector, when it is there; a plug-in's is only noted in the store. */
static void add_vector(aiorch_run *run) {
  const aio__query_vector *v = &run->question_vector;
  if (v->state == AIO__VECTOR_FAILED) (void)exact_only(run, v->status, v->words);
  if (v->state != AIO__VECTOR_READY || !wants_vector(run)) return;
  bool elsewhere = run->orch->plugins.vector_store.vtbl.search != NULL;
  run->entry_vector = (aio__vectors){.fingerprint = aio__str_z(run->orch->plugins.embedder.fingerprint),
                                     .dimensions = elsewhere ? 0 : v->dimensions,
                                     .rows = elsewhere ? NULL : v->unit};
  run->entry.vector = &run->entry_vector;
}

static aiorch_status put(aiorch_run *run) {
  int64_t now_ms = aio__clock_wall_ms(run->orch->clock);
  aiorch_status st = fill_entry(run, now_ms);
  if (st) return drop(run, st, aiorch_strerror(st));
  add_vector(run);
  run->cache_limits = (aio__cache_limits){.max_rows = run->options->cache_max_rows,
                                          .max_bytes = run->options->cache_max_bytes,
                                          .replace = strcmp(run->options->cache_mode, "refresh") == 0};
  run->step = PUT;
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return stored(run, aio__run_op(run, store->cache->put(store, op, run->tenant, &run->entry, &run->cache_limits, now_ms,
                                                        &run->stored)));
}

bool aio__cache_store_wants_vector(aiorch_run *run) {
  aio__query_vector *own = &run->question_vector;
  bool hit = run->cache_outcome == AIORCH_CACHE_EXACT || run->cache_outcome == AIORCH_CACHE_SEMANTIC;
  if (hit || own->state != AIO__VECTOR_NONE || !may_keep(run) || !wants_vector(run)) return false;
  /* What retrieve has embedded serves here, too, where the model has one vector for every purpose. */
  aio__str question = run->messages[run->question].text;
  bool serves = run->retrieved && aio__query_vector_serves(&run->retrieval.vector, run->orch, question,
                                                           AIORCH_PURPOSE_SIMILARITY);
  if (serves) *own = run->retrieval.vector;
  return !serves;
}

/* log_cost has embedded the question, so that it is in the books; here it is done only when that has not run yet. */
static aiorch_status embed(aiorch_run *run) {
  run->step = EMBED;
  aiorch_status st = run->settlement ? AIORCH_OK : aio__run_question_vector(run);
  if (st == AIORCH_PENDING) return st;
  if (st) return drop(run, st, aiorch_strerror(st));
  return put(run);
}

static aiorch_status start(aiorch_run *run) {
  aiorch_status st = check_hosts(run);
  /* Run alone, nobody has asked the cache before: the place of the answer is worked out here. */
  if (st == AIORCH_OK && !run->stages[AIORCH_STAGE_CACHE_LOOKUP].done && run->question != SIZE_MAX) {
    st = aio__cache_place(run);
  }
  if (st < 0) return drop(run, st, aiorch_strerror(st));
  if (!may_keep(run)) {
    if (run->keyed && run->degraded) return drop(run, AIORCH_OK, NULL);
    return AIORCH_PASS;
  }
  return aio__cache_store_wants_vector(run) || run->question_vector.state == AIO__VECTOR_OUT ? embed(run) : put(run);
}

aiorch_status aio__stage_cache_store(aiorch_run *run) {
  switch (run->step) {
    case EMBED: return embed(run);
    case PUT: return stored(run, aio__run_op_poll(run));
    case UPSERT: return upserted(run);
    default: return start(run);
  }
}
