/* A store before another one that may be away: see spooled.h. */
#include "stores/spooled.h"

#include <string.h>

#include "stores/spooled_private.h"

/* ---- what a status says --------------------------------------------------------------------------------------------- */

bool aio__spooled_is_away(aiorch_status status) {
  switch (status) {
    case AIORCH_E_STORE_DOWN:
    case AIORCH_E_STORE_FULL:
    case AIORCH_E_STORE_READ_ONLY:
    case AIORCH_E_STORE_NEWER:
    case AIORCH_E_STORE_CORRUPT: return true;
    default: return false;
  }
}

bool aio__spooled_may_keep(aiorch_status status) {
  switch (status) {
    case AIORCH_E_STORE:
    case AIORCH_E_DEADLINE:
    case AIORCH_E_NOMEM:
    case AIORCH_E_SYSTEM:
    case AIORCH_E_CANCELLED:
    case AIORCH_E_CLOSED: return true;
    default: return aio__spooled_is_away(status);
  }
}

void aio__spooled_count(aio__spooled *s, int which) {
  if (s->env.counters != NULL) aio__count(s->env.counters, which);
}

void aio__spooled_tell(aio__spooled *s, int32_t level, const char *event, const char *name, aio__str text,
                       const char *number_name, uint64_t number) {
  aio__buf members, whole;
  aio__json_writer w;
  if (!aio__log_wants(s->env.log, level)) return;
  aio__buf_init(&members, s->env.al, AIO__LOG_EVENT_MAX);
  aio__buf_init(&whole, s->env.al, AIO__LOG_EVENT_MAX);
  aio__jw_init(&w, &whole);
  aio__jw_object(&w);
  if (name != NULL) aio__jw_kstr(&w, name, text);
  if (number_name != NULL) aio__jw_ki64(&w, number_name, (int64_t)number);
  aio__jw_object_end(&w);
  if (whole.n >= 2) aio__buf_add(&members, whole.p + 1, whole.n - 2);
  aio__log_event(s->env.log, level, event, aio__buf_view(&members));
  aio__buf_free(&members);
  aio__buf_free(&whole);
}

/* ---- settlements and attempts --------------------------------------------------------------------------------------- */

/* The inner store has failed for reasons of its own: from now on rows go past it, until it has taken one again. */
static void went_away(aio__spooled *s, aiorch_status status) {
  if (atomic_exchange(&s->down, true)) return;
  aio__spooled_tell(s, AIORCH_LOG_WARN, "cost_spooled", "reason", aio__str_z(aiorch_status_name(status)), NULL, 0);
  pthread_mutex_lock(&s->mutex);
  aio__replay_want(s);
  pthread_mutex_unlock(&s->mutex);
}

/* Files of processes that died are looked for now and then; the thread is woken, or started, for them alone. */
static bool has_left(const aio__spooled *s) {
  aio__spool_files files;
  bool left = false;
  const char *path = aio__spool_path(s->spool);
  if (aio__spool_list(s->env.al, path, &files, NULL) != AIORCH_OK) return false;
  for (size_t i = 0; i < files.n && !left; i++)
    left = files.file[i].state == AIO__SPOOL_ROWS && aio__spool_is_for(s->spool, files.file[i].name) &&
           aio__spool_is_left(path, files.file[i].name);
  aio__spool_files_free(&files);
  return left;
}

static void look_around(aio__spooled *s) {
  int64_t now = aio__clock_now(s->env.clock), due = atomic_load(&s->look_ns);
  if (now < due) return;
  if (!atomic_compare_exchange_strong(&s->look_ns, &due, aio__clock_after_ms(s->env.clock, AIO__SPOOLED_LOOK_MS))) return;
  if (!has_left(s)) return;
  pthread_mutex_lock(&s->mutex);
  aio__replay_want(s);
  if (!s->stopping) (void)aio__spooled_start(s);
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mutex);
}

static bool is_spooled(const aio__spooled_job *job, aiorch_status status) {
  bool money = job->row.kind == AIO__SPOOL_SETTLE || job->row.attempts->state != AIO__ATTEMPT_PENDING;
  return money ? aio__spooled_may_keep(status) : aio__spooled_is_away(status) || status == AIORCH_E_STORE;
}

/* The inner store has answered. Ends the job unless its row goes into the spool. */
static aiorch_status answered(aio__spooled_job *job, aiorch_status status) {
  aio__spooled *s = job->store;
  bool hung = status == AIORCH_E_DEADLINE && job->row.kind == AIO__SPOOL_SETTLE;
  if (aio__spooled_is_away(status) || hung) went_away(s, status);
  if (status < 0 && is_spooled(job, status)) return aio__spooled_write(job);
  if (status >= 0) atomic_fetch_add_explicit(&s->taken, 1, memory_order_relaxed);
  if (status < 0) aio__error_copy(&job->outer->error, &job->op.error);
  if (job->on_heap) aio__free(s->env.al, job);
  return status;
}

static void on_answer(aio__op *op, void *ctx) {
  aio__spooled_job *job = ctx;
  aio__op *outer = job->outer;
  aiorch_status status = answered(job, op->status);
  if (status == AIORCH_PENDING) return;
  outer->status = status;
  outer->done(outer, outer->ctx);
}

static void init_job(aio__spooled_job *job, aio__spooled *s, aio__op *outer, const aio__spool_row *row, bool sync) {
  job->next = NULL;
  job->store = s;
  job->outer = outer;
  job->row = *row;
  job->sync = sync;
  aio__op_init(&job->op, outer->deadline_ns, on_answer, job);
}

static aiorch_status ask(aio__spooled *s, aio__spooled_job *job) {
  const aio__spool_row *row = &job->row;
  const aio__ledger_ops *ledger = s->inner->ledger;
  if (row->kind == AIO__SPOOL_ATTEMPT) return ledger->attempt(s->inner, &job->op, row->tenant, row->attempts);
  return ledger->settle(s->inner, &job->op, row->tenant, row->run, row->attempts, row->count);
}

/* Without memory for a job its caller writes the row. */
static aiorch_status write_now(aio__spooled *s, aio__op *outer, const aio__spool_row *row) {
  aio__spooled_job job;
  init_job(&job, s, outer, row, true);
  job.on_heap = false;
  return aio__spooled_write(&job);
}

static aiorch_status carry_out(aio__spooled *s, aio__op *outer, const aio__spool_row *row, bool sync) {
  aio__spooled_job *job = aio__malloc(s->env.al, sizeof *job);
  look_around(s);
  if (job == NULL) return write_now(s, outer, row);
  init_job(job, s, outer, row, sync);
  job->on_heap = true;
  if (atomic_load(&s->down)) return aio__spooled_write(job);
  aiorch_status status = ask(s, job);
  return status == AIORCH_PENDING ? status : answered(job, status);
}

static aiorch_status attempt(aio__store *base, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  const aio__spool_row spooled = {.kind = AIO__SPOOL_ATTEMPT, .tenant = tenant, .attempts = row, .count = 1};
  return carry_out((aio__spooled *)base, op, &spooled, row->state != AIO__ATTEMPT_PENDING);
}

static aiorch_status settle(aio__store *base, aio__op *op, aio__str tenant, const aio__run_row *run,
                            const aio__attempt_row *attempts, size_t count) {
  const aio__spool_row row = {
    .kind = AIO__SPOOL_SETTLE, .tenant = tenant, .run = run, .attempts = attempts, .count = count};
  return carry_out((aio__spooled *)base, op, &row, true);
}

/* ---- all other calls ------------------------------------------------------------------------------------------------ */

/* Stands between a call and its caller while the store is away: one that succeeds says that it may be back. */
typedef struct watch {
  aio__op op;
  aio__op *outer;
  aio__spooled *store;
} watch;

static void watch_ended(watch *w, aiorch_status status) {
  if (status >= 0)
    aio__replay_soon(w->store);
  else
    aio__error_copy(&w->outer->error, &w->op.error);
  aio__free(w->store->env.al, w);
}

static void watched(aio__op *op, void *ctx) {
  watch *w = ctx;
  aio__op *outer = w->outer;
  aiorch_status status = op->status;
  watch_ended(w, status);
  outer->status = status;
  outer->done(outer, outer->ctx);
}

/* The op that the inner store gets: the caller's, unless there is something to find out. */
static aio__op *begin(aio__spooled *s, aio__op *op, watch **out) {
  *out = NULL;
  watch *w = atomic_load_explicit(&s->down, memory_order_relaxed) ? aio__malloc(s->env.al, sizeof *w) : NULL;
  if (w == NULL) return op;
  w->outer = op;
  w->store = s;
  aio__op_init(&w->op, op->deadline_ns, watched, w);
  *out = w;
  return &w->op;
}

static aiorch_status end(watch *w, aiorch_status status) {
  if (w != NULL && status != AIORCH_PENDING) watch_ended(w, status);
  return status;
}

#define LIST(...) __VA_ARGS__
/* A call that passes through: its name, the table it is in, its further parameters, and their names. */
#define PASS(name, table, parameters, arguments)                                \
  static aiorch_status name(aio__store *base, aio__op *op, parameters) {        \
    aio__spooled *s = (aio__spooled *)base;                                     \
    watch *w;                                                                   \
    aio__op *inner = begin(s, op, &w);                                          \
    return end(w, s->inner->table(s->inner, inner, arguments));                 \
  }

PASS(add, knowledge->add,
     LIST(aio__str tenant, aio__store_document *document, const aio__store_chunk *chunks, size_t count, int64_t now_ms,
          aio__arena *arena, int *what, aio__str **removed_chunks, size_t *removed_count),
     LIST(tenant, document, chunks, count, now_ms, arena, what, removed_chunks, removed_count))
PASS(check, knowledge->check, LIST(aio__str tenant, aio__store_document *document, bool *unchanged),
     LIST(tenant, document, unchanged))
PASS(remove_document, knowledge->remove,
     LIST(aio__str tenant, aio__str source, int64_t now_ms, aio__arena *arena, aio__str **removed_chunks,
          size_t *removed_count),
     LIST(tenant, source, now_ms, arena, removed_chunks, removed_count))
PASS(list_documents, knowledge->list,
     LIST(aio__str tenant, aio__str after, size_t limit, aio__arena *arena, aio__store_document **documents, size_t *count),
     LIST(tenant, after, limit, arena, documents, count))
PASS(show, knowledge->show,
     LIST(aio__str tenant, aio__str source_or_id, aio__arena *arena, aio__store_document *document),
     LIST(tenant, source_or_id, arena, document))
PASS(search, knowledge->search,
     LIST(aio__str tenant, const aio__search_args *args, aio__arena *arena, aio__found_chunk **chunks, size_t *count),
     LIST(tenant, args, arena, chunks, count))
PASS(fetch, knowledge->fetch,
     LIST(aio__str tenant, const aio__str *ids, size_t count, const aio__filter *filters, size_t filter_count,
          aio__arena *arena, aio__found_chunk *chunks),
     LIST(tenant, ids, count, filters, filter_count, arena, chunks))
PASS(unembedded, knowledge->unembedded,
     LIST(aio__str tenant, aio__str fingerprint, size_t limit, aio__arena *arena, aio__unembedded **chunks, size_t *count,
          uint64_t *left),
     LIST(tenant, fingerprint, limit, arena, chunks, count, left))
PASS(mark_embedded, knowledge->mark_embedded,
     LIST(aio__str tenant, const aio__vectors *vectors, const aio__str *chunk_ids, size_t count),
     LIST(tenant, vectors, chunk_ids, count))
PASS(nearest, knowledge->nearest,
     LIST(aio__str tenant, const aio__nearest_args *args, const aio__filter *filters, size_t filter_count, aio__arena *arena,
          aio__found_chunk **chunks, size_t *count),
     LIST(tenant, args, filters, filter_count, arena, chunks, count))
PASS(both, knowledge->both, LIST(aio__str tenant, aio__both_args *both_args, aio__arena *arena), LIST(tenant, both_args, arena))
PASS(models, knowledge->models, LIST(aio__str tenant, aio__arena *arena, aio__vector_model **models_out, size_t *count),
     LIST(tenant, arena, models_out, count))
PASS(forget_model, knowledge->forget_model, LIST(aio__str tenant, aio__str fingerprint, size_t limit, size_t *removed),
     LIST(tenant, fingerprint, limit, removed))

PASS(lookup, cache->lookup,
     LIST(aio__str tenant, aio__str scope, aio__str key, int64_t now_ms, aio__arena *arena, aio__cache_entry *entry,
          bool *found),
     LIST(tenant, scope, key, now_ms, arena, entry, found))
PASS(put_entry, cache->put,
     LIST(aio__str tenant, const aio__cache_entry *entry, const aio__cache_limits *limits, int64_t now_ms, bool *stored),
     LIST(tenant, entry, limits, now_ms, stored))
PASS(near_entries, cache->near,
     LIST(aio__str tenant, aio__str scope, const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
          aio__cache_near **entries, size_t *count),
     LIST(tenant, scope, args, now_ms, arena, entries, count))
PASS(read_entry, cache->read,
     LIST(aio__str tenant, aio__str scope, aio__str id, int64_t now_ms, aio__arena *arena, aio__cache_entry *entry,
          bool *found),
     LIST(tenant, scope, id, now_ms, arena, entry, found))
PASS(entries_unembedded, cache->unembedded,
     LIST(aio__str tenant, aio__str fingerprint, size_t limit, aio__arena *arena, aio__unembedded **entries, size_t *count,
          uint64_t *left),
     LIST(tenant, fingerprint, limit, arena, entries, count, left))
PASS(mark_entries, cache->mark_embedded,
     LIST(aio__str tenant, const aio__vectors *vectors, const aio__str *ids, size_t count),
     LIST(tenant, vectors, ids, count))
PASS(exact_only, cache->exact_only, LIST(aio__str tenant, aio__str id), LIST(tenant, id))
PASS(revalidated, cache->revalidated, LIST(aio__str tenant, aio__str id, int64_t knowledge), LIST(tenant, id, knowledge))
PASS(list_entries, cache->list,
     LIST(aio__str tenant, size_t limit, int64_t now_ms, aio__arena *arena, aio__cache_entry **entries, size_t *count),
     LIST(tenant, limit, now_ms, arena, entries, count))
PASS(invalidate, cache->invalidate, LIST(aio__str tenant, aio__str tag, uint64_t *removed), LIST(tenant, tag, removed))

PASS(admit, ledger->admit,
     LIST(aio__str tenant, aio__str run_id, const aio__constraint *constraints, size_t count, int64_t now_ms,
          aio__admission *out),
     LIST(tenant, run_id, constraints, count, now_ms, out))
PASS(enter, ledger->enter,
     LIST(aio__str tenant, aio__str run_id, const aio__constraint *constraints, size_t count, const aio__cache_ask *ask,
          int64_t now_ms, aio__admission *out),
     LIST(tenant, run_id, constraints, count, ask, now_ms, out))
PASS(expire, ledger->expire, LIST(int64_t now_ms, uint64_t *expired), LIST(now_ms, expired))
PASS(costs, ledger->costs,
     LIST(aio__str tenant, int64_t since_ms, int64_t until_ms, aio__str by, aio__arena *arena, aio__cost_row **rows,
          size_t *count),
     LIST(tenant, since_ms, until_ms, by, arena, rows, count))
PASS(attempts, ledger->attempts,
     LIST(aio__str tenant, aio__str run_id, aio__arena *arena, aio__attempt_row **rows, size_t *count),
     LIST(tenant, run_id, arena, rows, count))
PASS(stats, ledger->stats, LIST(aio__str tenant, int64_t now_ms, aio__store_stats *out), LIST(tenant, now_ms, out))
PASS(prune, ledger->prune, LIST(const aio__prune_args *args, aio__pruned *out), LIST(args, out))

static const aio__knowledge_ops knowledge_ops = {.add = add,
                                                 .check = check,
                                                 .remove = remove_document,
                                                 .list = list_documents,
                                                 .show = show,
                                                 .search = search,
                                                 .fetch = fetch,
                                                 .unembedded = unembedded,
                                                 .mark_embedded = mark_embedded,
                                                 .nearest = nearest,
                                                 .both = both,
                                                 .models = models,
                                                 .forget_model = forget_model};
static const aio__cache_ops cache_ops = {.lookup = lookup,
                                         .put = put_entry,
                                         .near = near_entries,
                                         .read = read_entry,
                                         .unembedded = entries_unembedded,
                                         .mark_embedded = mark_entries,
                                         .exact_only = exact_only,
                                         .revalidated = revalidated,
                                         .list = list_entries,
                                         .invalidate = invalidate};
static const aio__ledger_ops ledger_ops = {.admit = admit,
                                           .enter = enter,
                                           .attempt = attempt,
                                           .settle = settle,
                                           .expire = expire,
                                           .costs = costs,
                                           .attempts = attempts,
                                           .stats = stats,
                                           .prune = prune};

/* ---- replay when asked ---------------------------------------------------------------------------------------------- */

aiorch_status aio__spooled_replay(aio__store *base, int what, int64_t deadline_ns, aio__spool_report *report,
                                  aiorch_error *error) {
  aio__spooled *s = (aio__spooled *)base;
  uint64_t replayed = atomic_load(&s->replayed), poison = atomic_load(&s->poison), damaged = atomic_load(&s->damaged);
  aio__error_clear(error);
  pthread_mutex_lock(&s->mutex);
  uint64_t awaited = s->cycles + 1; /* one that is under way knows nothing of the latest rows */
  aiorch_status status = s->stopping ? AIORCH_E_CLOSED : aio__spooled_start(s);
  if (status == AIORCH_OK) {
    s->asked |= what | AIO__REPLAY_ASKED;
    s->due_ns = 0;
    pthread_cond_broadcast(&s->cond);
  }
  bool in_time = true;
  while (status == AIORCH_OK && s->ended < awaited && in_time)
    in_time = aio__clock_wait(s->env.clock, &s->cond, &s->mutex, deadline_ns);
  if (status != AIORCH_OK)
    aio__error_set(error, status, "the spool cannot be replayed: %s", aiorch_strerror(status));
  else if (s->ended < awaited)
    status = AIORCH_AGAIN;
  else if ((status = s->outcome.status) != AIORCH_OK)
    aio__error_copy(error, &s->outcome.error);
  pthread_mutex_unlock(&s->mutex);
  *report = (aio__spool_report){.replayed = atomic_load(&s->replayed) - replayed,
                                .poison = atomic_load(&s->poison) - poison,
                                .damaged = atomic_load(&s->damaged) - damaged,
                                .held = atomic_load(&s->held)};
  return status;
}

bool aio__spooled_is_down(aio__store *base) { return atomic_load(&((aio__spooled *)base)->down); }

const char *aio__spooled_path(aio__store *base) { return aio__spool_path(((aio__spooled *)base)->spool); }

/* ---- opening and closing -------------------------------------------------------------------------------------------- */

static void free_spooled(aio__spooled *s) {
  aio__spool_close(s->spool);
  pthread_cond_destroy(&s->cond);
  pthread_mutex_destroy(&s->mutex);
  aio__free(s->env.al, s);
}

static void flush_inner(aio__store *base) {
  aio__store *inner = ((aio__spooled *)base)->inner;
  if (inner->flush != NULL) inner->flush(inner);
}

/* The inner store ends the rows that are being replayed; the thread writes what waits, and ends after them. */
static void close_spooled(aio__store *base) {
  aio__spooled *s = (aio__spooled *)base;
  pthread_mutex_lock(&s->mutex);
  s->stopping = true;
  pthread_cond_broadcast(&s->cond);
  while (s->starting) pthread_cond_wait(&s->cond, &s->mutex);
  pthread_mutex_unlock(&s->mutex);
  s->inner->close(s->inner);
  if (s->started) pthread_join(s->thread, NULL);
  free_spooled(s);
}

static aiorch_status init(aio__spooled *s, const aio__store_env *env, aio__store *inner) {
  s->env = *env;
  s->inner = inner;
  s->head = *inner;
  s->knowledge = knowledge_ops;
  if (inner->knowledge->both == NULL) s->knowledge.both = NULL;
  s->head.knowledge = &s->knowledge;
  s->head.cache = &cache_ops;
  s->ledger = ledger_ops;
  if (inner->ledger->enter == NULL) s->ledger.enter = NULL;
  if (inner->ledger->prune == NULL) s->ledger.prune = NULL; /* it sees to what is old by itself */
  s->head.ledger = &s->ledger;
  s->head.flush = flush_inner;
  s->head.close = close_spooled;
  s->due_ns = AIO__NEVER;
  aio__error_init(&s->outcome.error);
  if (pthread_mutex_init(&s->mutex, NULL) != 0) return AIORCH_E_NOMEM;
  if (aio__cond_init(&s->cond) == 0) return AIORCH_OK;
  pthread_mutex_destroy(&s->mutex);
  return AIORCH_E_NOMEM;
}

aiorch_status aio__store_spooled_open(const aio__store_env *env, const char *path, aio__store *inner, aio__store **out,
                                      aiorch_error *error) {
  const aio__spool_setup setup = {.al = env->al,
                                  .clock = env->clock,
                                  .path = path,
                                  .store = inner->place,
                                  .file_max = env->options->spool_file_max,
                                  .max_bytes = env->options->spool_max_bytes};
  aio__error_clear(error);
  aio__spooled *s = aio__calloc(env->al, 1, sizeof *s);
  if (s == NULL || init(s, env, inner) != AIORCH_OK) {
    aio__free(env->al, s);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the spool");
  }
  aiorch_status status = aio__spool_open(&setup, &s->spool, error);
  if (status != AIORCH_OK) {
    free_spooled(s);
    return status;
  }
  look_around(s);
  *out = &s->head;
  return AIORCH_OK;
}
