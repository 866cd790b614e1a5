/* A store in PostgreSQL: opens and closes it. */
#include <string.h>

#include "stores/postgres_engine.h"

/* "schema", "other", pg_temp: as search_path takes it. */
static void add_name(aio__buf *out, const char *name) {
  aio__buf_char(out, '"');
  for (; *name != '\0'; name++) {
    if (*name == '"') aio__buf_char(out, '"');
    aio__buf_char(out, *name);
  }
  aio__buf_z(out, "\", ");
}

char *aio__pg_search_path(const aio__alloc *al, const char *schema, const char *vector_schema) {
  aio__buf path;
  aio__buf_init(&path, al, 4 * AIO__PG_NAME_MAX + 32);
  add_name(&path, schema);
  if (vector_schema[0] != '\0' && strcmp(schema, vector_schema) != 0) add_name(&path, vector_schema);
  aio__buf_z(&path, "pg_temp");
  char *words = aio__buf_take(&path, NULL);
  aio__buf_free(&path);
  return words;
}

bool aio__store_is_postgres(const char *setting) {
  return strncmp(setting, "postgresql://", 13) == 0 || strncmp(setting, "postgres://", 11) == 0;
}

bool aio__pg_caller_clock(const aio__store *store) {
  return strcmp(((const aio__pg_store *)store)->env.options->postgres_clock, "caller") == 0;
}

bool aio__pg_counts_by_rate(const aio__store *store) {
  return strcmp(((const aio__pg_store *)store)->env.options->postgres_limiter, "rate") == 0;
}

static void store_free(aio__store *base) {
  aio__pg_store *store = (aio__pg_store *)base;
  const aio__alloc *al = store->env.al;
  aio__pg_pool_close(store);
  aio__pg_target_free(store->target);
  aio__free(al, store->role);
  aio__free(al, store->schema);
  aio__free(al, store->place);
  aio__free(al, store->search_path);
  aio__free(al, store);
}

static aiorch_status copy_name(const aio__alloc *al, const char *setting, const char *name, char **out, aiorch_error *error) {
  size_t n = strlen(name);
  if (n == 0 || n > AIO__PG_NAME_MAX)
    return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "%s: a name of 1 to %d bytes is needed", setting, AIO__PG_NAME_MAX);
  *out = aio__strndup(al, name, n);
  return *out != NULL ? AIORCH_OK : aio__pg_nomem(error);
}

/* "postgresql://user@host:port/database (schema aiorch)": a database may hold several stores, and rows for one must not go to another. */
static aiorch_status name_place(aio__pg_store *store, aiorch_error *error) {
  aio__buf place;
  aio__buf_init(&place, store->env.al, strlen(store->target->place) + AIO__PG_NAME_MAX + 32);
  aio__buf_fmt(&place, "%s (schema %s)", store->target->place, store->schema);
  store->place = aio__buf_take(&place, NULL);
  aio__buf_free(&place);
  return store->place != NULL ? AIORCH_OK : aio__pg_nomem(error);
}

/* ---- the first connection ----------------------------------------------------------------------------------------------------- */

/* A transaction with nothing in it: connects, and checks what it is connected to. */
static aiorch_status try_it(aio__pg_store *store, aiorch_error *error) {
  aio__pg_wait wait;
  aiorch_status status = aio__pg_wait_init(&wait, error);
  if (status != AIORCH_OK) return status;
  aio__pg_wait_again(&wait, AIO__NEVER);
  status = aio__pg_wait_for(&wait, aio__pg_step_new(&store->head, &wait.op, AIO__LIT(""), AIO__PG_READ, NULL, 0, NULL), error);
  aio__pg_wait_free(&wait);
  return status;
}

/* A server that is down is no reason not to open where runs may go on without it. */
static aiorch_status connect_first(aio__pg_store *store, aiorch_error *error) {
  aiorch_status status = try_it(store, error);
  if (status != AIORCH_E_STORE_DOWN || strcmp(store->env.options->rate_on_store_down, "closed") == 0) return status;
  aio__error_clear(error);
  return AIORCH_OK;
}

static aiorch_status open_all(aio__pg_store *store, const char *url, aiorch_error *error) {
  const aio__store_env *env = &store->env;
  aiorch_status status = copy_name(env->al, "postgres.role", env->options->postgres_role, &store->role, error);
  if (status == AIORCH_OK) status = copy_name(env->al, "postgres.schema", env->options->postgres_schema, &store->schema, error);
  if (status == AIORCH_OK) status = aio__pg_target_new(env->al, url, env->options, &store->target, error);
  if (status == AIORCH_OK) status = name_place(store, error);
  if (status != AIORCH_OK) return status;
  store->search_path = aio__pg_search_path(env->al, store->schema, "");
  if (store->search_path == NULL) return aio__pg_nomem(error);
  return aio__pg_pool_open(store, env->io, error);
}

aiorch_status aio__pg_store_open(const aio__store_env *env, const char *url, bool unchecked, aio__store **out, aiorch_error *error) {
  aio__error_clear(error);
  aio__pg_store *store = aio__calloc(env->al, 1, sizeof *store);
  if (store == NULL) return aio__pg_nomem(error);
  store->env = *env;
  store->unchecked = unchecked;
  aiorch_status status = open_all(store, url, error);
  if (status == AIORCH_OK && !unchecked) status = connect_first(store, error);
  if (status != AIORCH_OK) {
    store_free(&store->head);
    return status;
  }
  store->head.kind = "postgres";
  store->head.place = store->place;
  store->head.is_remote = true;
  store->head.knowledge = &aio__pg_knowledge_ops;
  store->head.cache = &aio__pg_cache_ops;
  store->head.ledger = &aio__pg_ledger_ops;
  store->head.close = store_free;
  *out = &store->head;
  return AIORCH_OK;
}

aiorch_status aio__store_postgres_open(const aio__store_env *env, const char *url, aio__store **out, aiorch_error *error) {
  return aio__pg_store_open(env, url, false, out, error);
}
