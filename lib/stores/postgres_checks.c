/* What is looked at once a new connection stands: the server, pgvector, the schema, and that the role cannot see past row-level security. */
#include <stdio.h>
#include <string.h>

#include "core/data.h"
#include "stores/postgres_engine.h"

enum { VERSION_TEXT = 32 };

typedef struct aio__pg_check {
  aio__op op;
  aio__pg_conn *conn;
} aio__pg_check;

typedef struct seen {
  aio__pg_check *check;
  int32_t server;  /* 150018 */
  int32_t pgvector; /* 0.8.2 is 802 */
  int32_t schema;  /* the newest migration that was applied */
  bool bypasses;
  char vector[VERSION_TEXT], vector_schema[AIO__PG_NAME_MAX + 1];
} seen;

static const char FACTS[] =
  "SELECT current_setting('server_version_num')::int4, coalesce(e.extversion, ''), coalesce(n.nspname::text, ''),"
  " coalesce((SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user), true)"
  " FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'vector'"
  " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace";
static const char SCHEMA[] = "SELECT coalesce(max(version), 0)::int4 FROM schema_version";

/* "0.8.2" is 802. */
static int32_t version_number(aio__str text) {
  int32_t parts[3] = {0, 0, 0};
  size_t at = 0;
  for (size_t i = 0; i < text.n && at < 3; i++) {
    if (text.p[i] == '.')
      at++;
    else if (text.p[i] >= '0' && text.p[i] <= '9' && parts[at] < 1000)
      parts[at] = parts[at] * 10 + (text.p[i] - '0');
    else
      break;
  }
  return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

static void keep(char *out, size_t size, aio__str text) {
  size_t n = text.n < size ? text.n : size - 1;
  if (n > 0) memcpy(out, text.p, n);
  out[n] = '\0';
}

static aiorch_status read_facts(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  seen *s = ctx;
  (void)op;
  s->server = (int32_t)aio__pg_get_i64(rows, 0, 0);
  s->pgvector = version_number(aio__pg_get_bytes(rows, 0, 1));
  keep(s->vector, sizeof s->vector, aio__pg_get_bytes(rows, 0, 1));
  keep(s->vector_schema, sizeof s->vector_schema, aio__pg_get_bytes(rows, 0, 2));
  s->bypasses = aio__pg_get_bool(rows, 0, 3);
  return AIORCH_OK;
}

static aiorch_status read_schema(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((seen *)ctx)->schema = (int32_t)aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static int32_t newest_schema(void) {
  int32_t n = 0;
  while (aio__data_postgres[n].name != NULL) n++;
  return n;
}

/* ---- verdict ------------------------------------------------------------------------------------------------------------------ */

static aiorch_status judge(const aio__pg_store *store, const seen *s, aiorch_error *error) {
  const char *place = store->target->place;
  if (s->server < AIO__PG_SERVER_MIN)
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "%s is PostgreSQL %d: version %d or newer is needed", place,
                          s->server / 10000, AIO__PG_SERVER_MIN / 10000);
  if (s->vector[0] == '\0')
    return aio__error_set(error, AIORCH_E_STORE, "%s has no pgvector: run CREATE EXTENSION vector there, or `aiorch migrate`", place);
  if (s->pgvector < AIO__PG_VECTOR_MIN)
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "%s has pgvector %s: 0.8.0 or newer is needed, since older ones lose the results of small tenants", place,
                          s->vector);
  if (s->bypasses)
    return aio__error_set(error, AIORCH_E_STORE,
                          "%s: the role %s is not bound by row-level security (superuser or BYPASSRLS): tenants would see each other;"
                          " ALTER ROLE %s NOSUPERUSER NOBYPASSRLS, or set \"postgres.role\" to another",
                          place, store->role, store->role);
  if (s->schema > newest_schema())
    return aio__error_set(error, AIORCH_E_STORE_NEWER,
                          "%s: the schema %s is at version %d, this libaiorch knows %d: update libaiorch", place, store->schema,
                          s->schema, newest_schema());
  if (s->schema < newest_schema())
    return aio__error_set(error, AIORCH_E_STORE, "%s: the schema %s is at version %d of %d: run `aiorch migrate`", place, store->schema,
                          s->schema, newest_schema());
  return AIORCH_OK;
}

/* What the settings of the transaction and the schema say no to. */
static aiorch_status explain(const aio__pg_store *store, const aio__pg_step *step, aiorch_error *error) {
  const char *state = step->state, *place = store->target->place;
  if (strcmp(state, "22023") == 0 || (strcmp(state, "42501") == 0 && step->refused_at <= 1))
    return aio__error_set(error, AIORCH_E_STORE,
                          "%s: the login %s may not act as %s: as the owner run `aiorch migrate` and GRANT %s TO %s, or set"
                          " \"postgres.role\" to another",
                          place, store->target->user, store->role, store->role, store->target->user);
  if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0)
    return aio__error_set(error, AIORCH_E_STORE_CORRUPT,
                          "%s has no store in the schema %s: run `aiorch migrate`, or set \"postgres.schema\" to where it is", place,
                          store->schema);
  return aio__error_copy(error, &step->op->error);
}

static void warn(aio__pg_store *store, const seen *s) {
  char members[320];
  if (s->pgvector >= AIO__PG_VECTOR_GOOD || store->warned || store->env.log == NULL) return;
  store->warned = true;
  int n = snprintf(members, sizeof members,
                   "\"version\":\"%d.%d.%d\",\"defects\":\"%svacuum may damage an HNSW index; update pgvector to 0.8.4\"",
                   s->pgvector / 10000, s->pgvector / 100 % 100, s->pgvector % 100,
                   s->pgvector < AIO__PG_VECTOR_PARALLEL
                     ? "a parallel build of an HNSW index may write past its memory, so they are off; "
                     : "");
  if (n > 0 && (size_t)n < sizeof members)
    aio__log_event(store->env.log, AIORCH_LOG_WARN, "pgvector_old", aio__str_n(members, (size_t)n));
}

/* The schema first, then where pgvector is; pg_catalog comes before both by itself, temporary tables last. */
static aiorch_status set_path(aio__pg_store *store, const char *vector_schema, aiorch_error *error) {
  char *path = aio__pg_search_path(store->env.al, store->schema, vector_schema);
  if (path == NULL) return aio__pg_nomem(error);
  aio__free(store->env.al, store->search_path);
  store->search_path = path;
  return AIORCH_OK;
}

static void check_ended(aio__pg_step *step) {
  aio__pg_store *store = step->store;
  const seen *s = step->ctx;
  aio__pg_conn *conn = s->check->conn;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status = step->status == AIORCH_OK ? judge(store, s, &error) : explain(store, step, &error);
  if (status == AIORCH_OK) status = set_path(store, s->vector_schema, &error);
  if (status == AIORCH_OK) warn(store, s);
  aio__pg_step_free(step);
  aio__pg_pool_checked(conn, status, &error);
}

void aio__pg_check_start(aio__pg_conn *conn) {
  aio__pg_store *store = conn->pool->store;
  aiorch_error error;
  aio__error_init(&error);
  if (store->unchecked) {
    aio__pg_pool_checked(conn, AIORCH_OK, &error);
    return;
  }
  conn->check = aio__calloc(store->env.al, 1, sizeof *conn->check);
  if (conn->check == NULL) {
    aio__pg_pool_checked(conn, aio__pg_nomem(&error), &error);
    return;
  }
  conn->check->conn = conn;
  seen start = {.check = conn->check, .bypasses = true};
  aio__op_init(&conn->check->op, AIO__NEVER, NULL, NULL);
  aio__pg_step *step = aio__pg_step_new(&store->head, &conn->check->op, AIO__LIT(""), AIO__PG_READ, &start, sizeof start, NULL);
  aio__pg_sql(step, FACTS, read_facts);
  aio__pg_sql(step, SCHEMA, read_schema);
  if (step == NULL || step->refused != AIORCH_OK) {
    aio__pg_step_free(step);
    aio__pg_pool_checked(conn, aio__pg_nomem(&error), &error);
    return;
  }
  step->deadline_ns = aio__clock_after_ms(aio__io_clock(conn->pool->io), store->env.options->postgres_connect_timeout_ms);
  step->ended = check_ended;
  aio__pg_pool_run_on(conn, step);
}

void aio__pg_check_drop(aio__pg_conn *conn) {
  aio__free(conn->pool->store->env.al, conn->check);
  conn->check = NULL;
}
