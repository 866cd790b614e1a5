/* The indexes of vectors, for who owns the schema: what there is, and making what is worth it without having anybody wait. */
#include <stdio.h>
#include <string.h>

#include "core/json_writer.h"
#include "stores/postgres_engine.h"

enum {
  INDEXED_MAX = 4000, /* numbers of a vector: what pgvector indexes of halfvec */
  MODELS_MAX = 4096,
  VERSION_MAX = 32,
  ARENA = 4096,
  CREATE_TRIES = 5
};
static const int64_t NAP_NS = 250000000;
static const char DEADLOCK[] = "(40P01)"; /* in the words of the server's error */
static const char CONCURRENTLY[] = "(XX000)"; /* "tuple concurrently updated", in the server's language */

typedef struct model {
  int64_t no, dimensions, vectors, largest;
  aio__str fingerprint, state;
  bool made;
} model;

typedef struct indexes {
  aio__pg_store *store;
  int64_t deadline_ns;
  aio__pg_wait wait;
  aio__arena arena;
  model *models;
  size_t count;
  char version[VERSION_MAX]; /* of pgvector */
  int64_t exact_up_to, done, total;
  bool may_build;
  aio__str phase, readiness, statement;
} indexes;

static aio__pg_step *step_of(indexes *x, int flags, void *ctx, size_t size) {
  aio__pg_wait_again(&x->wait, x->deadline_ns);
  return aio__pg_step_new(&x->store->head, &x->wait.op, AIO__LIT(""), flags | AIO__PG_OWN | AIO__PG_LONG, ctx, size, NULL);
}

/* ---- what there is -------------------------------------------------------------------------------------------------------------- */

static aiorch_status read_setup(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  indexes *x = *(indexes **)ctx;
  aio__str version = aio__pg_get_bytes(rows, 0, 0);
  (void)op;
  size_t n = version.n < VERSION_MAX ? version.n : VERSION_MAX - 1;
  if (n > 0) memcpy(x->version, version.p, n);
  x->version[n] = '\0';
  x->exact_up_to = aio__pg_get_i64(rows, 0, 1);
  x->may_build = aio__pg_get_bool(rows, 0, 2);
  return AIORCH_OK;
}

static aiorch_status read_models(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  indexes *x = *(indexes **)ctx;
  x->count = aio__pg_count(rows);
  if (x->count > MODELS_MAX) x->count = MODELS_MAX;
  x->models = aio__arena_alloc(&x->arena, (x->count + 1) * sizeof *x->models);
  if (x->models == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < x->count; i++) {
    model *m = &x->models[i];
    *m = (model){.no = aio__pg_get_i64(rows, i, 0), .dimensions = aio__pg_get_i64(rows, i, 2), .vectors = aio__pg_get_i64(rows, i, 3),
                 .largest = aio__pg_get_i64(rows, i, 4)};
    if (!aio__pg_copy(rows, i, 1, &x->arena, &m->fingerprint) || !aio__pg_copy(rows, i, 5, &x->arena, &m->state))
      return aio__pg_nomem(&op->error);
  }
  return AIORCH_OK;
}

/* Of the one that is being made now by this login; who made it by another login alone sees it. */
static aiorch_status read_progress(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  indexes *x = *(indexes **)ctx;
  x->phase = AIO__LIT("");
  if (aio__pg_count(rows) == 0) return AIORCH_OK;
  x->done = aio__pg_get_i64(rows, 0, 1);
  x->total = aio__pg_get_i64(rows, 0, 2);
  return aio__pg_copy(rows, 0, 0, &x->arena, &x->phase) ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status look(indexes *x, aiorch_error *error) {
  aio__pg_step *step = step_of(x, AIO__PG_READ, &x, sizeof x);
  aio__pg_sql(step,
              "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), ''), exact_up_to(),"
              " pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'chunk_vectors'::regclass), 'USAGE')",
              read_setup);
  aiorch_status status = aio__pg_wait_for(&x->wait, step, error);
  if (status != AIORCH_OK || !x->may_build) return status;
  step = step_of(x, AIO__PG_READ, &x, sizeof x);
  aio__pg_sql(step, "SELECT no, fingerprint, dimensions, vectors, largest, state FROM embedding_indexes()", read_models);
  aio__pg_sql(step,
              "SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END,"
              " CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END"
              " FROM pg_stat_progress_create_index WHERE relid = 'chunk_vectors'::regclass AND phase IS NOT NULL LIMIT 1",
              read_progress);
  return aio__pg_wait_for(&x->wait, step, error);
}

/* ---- making them ---------------------------------------------------------------------------------------------------------------- */

static bool is_worth_it(const indexes *x, const model *m) {
  return m->largest > x->exact_up_to && m->dimensions <= INDEXED_MAX;
}

static bool is_wanted(const indexes *x, const model *m) {
  return is_worth_it(x, m) && !aio__str_eqz(m->state, "valid");
}

static aiorch_status read_statement(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  indexes *x = *(indexes **)ctx;
  bool copied = aio__pg_copy(rows, 0, 0, &x->arena, &x->readiness) && aio__pg_copy(rows, 0, 1, &x->arena, &x->statement);
  return copied ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static void nap(indexes *x) {
  int64_t until_ns = aio__clock_now(x->store->env.clock) + NAP_NS;
  pthread_mutex_lock(&x->wait.mutex);
  (void)aio__clock_wait(x->store->env.clock, &x->wait.cond, &x->wait.mutex, until_ns < x->deadline_ns ? until_ns : x->deadline_ns);
  pthread_mutex_unlock(&x->wait.mutex);
}

/* What was broken off is removed. */
static aiorch_status prepare(indexes *x, const model *m, aiorch_error *error) {
  aio__pg_step *step = step_of(x, AIO__PG_WRITE, &x, sizeof x);
  aio__pg_sql(step, "SELECT embedding_index_prepare($1), embedding_index_statement($1, true)", read_statement);
  aio__pg_i32(step, (int32_t)m->no);
  return aio__pg_wait_for(&x->wait, step, error);
}

static aiorch_status create(indexes *x, aiorch_error *error) {
  char *sql = aio__strndup(x->store->env.al, x->statement.p, x->statement.n);
  if (sql == NULL) return aio__pg_nomem(error);
  aio__pg_step *step = step_of(x, AIO__PG_WRITE, NULL, 0);
  aio__pg_sql(step, sql, NULL);
  if (step != NULL) step->script = true; /* CONCURRENTLY: by itself, not in a transaction */
  aiorch_status status = aio__pg_wait_for(&x->wait, step, error);
  aio__free(x->store->env.al, sql);
  return status;
}

/* Who makes an index concurrently waits for everybody, also for another who begins to do so and waits for him: one of them is ended by
 * the server, and goes on here when the other is done. Whoever made it, it is looked at once more: "there" is one that serves. The server lets
 * the table go a moment before it says that the index is whole: who takes it for a broken one then is told that another has changed it. */
static aiorch_status make(indexes *x, model *m, aiorch_error *error) {
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status status = AIORCH_OK;
  for (int tries = 0; tries < CREATE_TRIES;) {
    status = prepare(x, m, &why);
    bool has_just_ended = status != AIORCH_OK && strstr(why.message, CONCURRENTLY) != NULL && ++tries < CREATE_TRIES;
    if (status != AIORCH_OK && !has_just_ended) return aio__error_copy(error, &why);
    if (status == AIORCH_OK && aio__str_eqz(x->readiness, "there")) return AIORCH_OK;
    if (has_just_ended || aio__str_eqz(x->readiness, "busy")) {
      if (aio__clock_now(x->store->env.clock) >= x->deadline_ns)
        return aio__error_set(error, AIORCH_E_DEADLINE, "another is making an index of vectors, or vacuums them, and has not ended in time");
      nap(x);
      continue;
    }
    tries++;
    status = create(x, &why);
    m->made = status == AIORCH_OK;
    if (!m->made && strstr(why.message, DEADLOCK) == NULL) break;
  }
  if (status == AIORCH_OK) return AIORCH_OK;
  return aio__error_set(error, status,
                        "the index of the vectors of \"%.*s\" was not made, searches go on without it; run it again (where the server ends"
                        " long statements, after ALTER ROLE CURRENT_USER SET statement_timeout = 0): %s",
                        (int)(m->fingerprint.n < 120 ? m->fingerprint.n : 120), m->fingerprint.p, why.message);
}

static aiorch_status make_all(indexes *x, aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  if (!x->may_build)
    return aio__error_set(error, AIORCH_E_STORE,
                          "%s: the login %s is no member of aiorch_owner, which alone makes indexes: run `aiorch migrate` as who migrates",
                          x->store->target->place, x->store->target->user);
  for (size_t i = 0; i < x->count && status == AIORCH_OK; i++)
    if (is_wanted(x, &x->models[i])) status = make(x, &x->models[i], error);
  if (status != AIORCH_OK) return status;
  model *before = x->models;
  size_t count = x->count;
  status = look(x, error);
  for (size_t i = 0; i < x->count && i < count && status == AIORCH_OK; i++) 
    x->models[i].made = before[i].made && aio__str_eqz(x->models[i].state, "valid");
  return status;
}

/* ---- the report ----------------------------------------------------------------------------------------------------------------- */

static bool is_older(const char *version, int major, int minor, int patch) {
  int part[3] = {0, 0, 0};
  for (int i = 0; i < 3; i++) {
    while (*version >= '0' && *version <= '9' && part[i] < 10000) part[i] = part[i] * 10 + (*version++ - '0');
    if (*version != '.') break;
    version++;
  }
  if (part[0] != major) return part[0] < major;
  if (part[1] != minor) return part[1] < minor;
  return part[2] < patch;
}

static const char *defects_of(const char *version) {
  if (is_older(version, 0, 8, 2))
    return "a parallel build of an HNSW index may write past its memory, so indexes are built by one process; vacuum may damage an HNSW"
           " index; update pgvector to 0.8.4";
  return is_older(version, 0, 8, 4) ? "vacuum may damage an HNSW index; update pgvector to 0.8.4" : NULL;
}

static void write_model(const indexes *x, const model *m, aio__json_writer *w) {
  aio__jw_object(w);
  aio__jw_kstr(w, "model", m->fingerprint);
  aio__jw_ki64(w, "dimensions", m->dimensions);
  aio__jw_ki64(w, "vectors", m->vectors);
  aio__jw_ki64(w, "largest_tenant", m->largest);
  aio__jw_kstr(w, "index", m->state);
  aio__jw_kbool(w, "wanted", is_wanted(x, m));
  aio__jw_kbool(w, "made_now", m->made);
  aio__jw_kz(w, "search", is_worth_it(x, m) && aio__str_eqz(m->state, "valid") ? "index" : "exact");
  aio__jw_object_end(w);
}

static void write_report(const indexes *x, aio__json_writer *w) {
  aio__jw_kz(w, "store", x->store->target->place);
  aio__jw_kz(w, "schema", x->store->schema);
  aio__jw_kz(w, "pgvector", x->version);
  aio__jw_kz(w, "pgvector_defects", defects_of(x->version));
  aio__jw_ki64(w, "exact_up_to", x->exact_up_to);
  aio__jw_kbool(w, "may_build", x->may_build);
  if (!x->may_build) {
    aio__jw_knull(w, "models");
  } else {
    aio__jw_key(w, "models");
    aio__jw_array(w);
    for (size_t i = 0; i < x->count; i++) write_model(x, &x->models[i], w);
    aio__jw_array_end(w);
  }
  if (x->phase.n == 0) {
    aio__jw_knull(w, "progress");
    return;
  }
  aio__jw_key(w, "progress");
  aio__jw_object(w);
  aio__jw_kstr(w, "phase", x->phase);
  aio__jw_ki64(w, "done", x->done);
  aio__jw_ki64(w, "total", x->total);
  aio__jw_object_end(w);
}

aiorch_status aio__store_postgres_indexes(const aio__store_env *env, const char *url, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error) {
  indexes x = {.deadline_ns = deadline_ns};
  aio__store *store = NULL;
  aiorch_status status = aio__pg_store_open(env, url, true, &store, error);
  if (status != AIORCH_OK) return status;
  x.store = (aio__pg_store *)store;
  aio__arena_init(&x.arena, env->al, ARENA);
  status = aio__pg_wait_init(&x.wait, error);
  if (status == AIORCH_OK) {
    status = look(&x, error);
    if (status == AIORCH_OK && mode == AIORCH_INDEXES_MAKE) status = make_all(&x, error);
    if (status == AIORCH_OK) write_report(&x, report);
    aio__pg_wait_free(&x.wait);
  }
  aio__arena_free(&x.arena);
  store->close(store);
  return status;
}
