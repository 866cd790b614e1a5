/* Brings a schema to a version: the files of sql/postgres, each in a transaction of its own, and what of them is there. */
#include <stdio.h>
#include <string.h>

#include "core/data.h"
#include "core/json_writer.h"
#include "stores/postgres_engine.h"
#include "text/unpack.h"

enum { SQL_MAX = 1 << 22, MIGRATIONS_MAX = 1024, APPLIED_TEXT = 40 };

/* The migrations of this library, and which of them the schema has. */
typedef struct book {
  bool exists;
  int32_t known, version; /* the newest: of this library, of the schema */
  char applied[MIGRATIONS_MAX][APPLIED_TEXT];
} book;

static int32_t known_migrations(void) {
  int32_t n = 0;
  while (aio__data_postgres[n].name != NULL) n++;
  return n;
}

/* "0001_base.sql" is "base". */
static aio__str name_of(int32_t version) {
  const char *file = aio__data_postgres[version - 1].name, *name = strchr(file, '_');
  name = name != NULL ? name + 1 : file;
  return aio__str_n(name, strcspn(name, "."));
}

/* ---- one after the other ------------------------------------------------------------------------------------------------------ */

typedef struct session {
  aio__pg_store *store;
  int64_t deadline_ns;
  aio__pg_wait wait;
} session;

static aio__pg_step *step_of(session *s, int flags, const void *ctx, size_t size, aio__pg_finish finish) {
  aio__pg_wait_again(&s->wait, s->deadline_ns);
  return aio__pg_step_new(&s->store->head, &s->wait.op, AIO__LIT(""), flags | AIO__PG_OWN | AIO__PG_LONG, ctx, size, finish);
}

static aiorch_status read_exists(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  (*(book **)ctx)->exists = aio__pg_get_bool(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status read_applied(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  book *b = *(book **)ctx;
  (void)op;
  b->version = 0;
  for (size_t i = 0; i < aio__pg_count(rows); i++) {
    int64_t version = aio__pg_get_i64(rows, i, 0);
    aio__str when = aio__pg_get_bytes(rows, i, 1);
    if (version > b->version && version <= INT32_MAX) b->version = (int32_t)version;
    if (version < 1 || version > MIGRATIONS_MAX || when.n >= APPLIED_TEXT) continue;
    memcpy(b->applied[version - 1], when.p, when.n);
    b->applied[version - 1][when.n] = '\0';
  }
  return AIORCH_OK;
}

static aiorch_status read_book(session *s, book *b, aiorch_error *error) {
  b->exists = false;
  b->version = 0;
  aio__pg_step *step = step_of(s, AIO__PG_READ, &b, sizeof b, NULL);
  aio__pg_sql(step, "SELECT to_regclass(format('%I.schema_version', $1::text)) IS NOT NULL", read_exists);
  aio__pg_text(step, aio__str_z(s->store->schema));
  aiorch_status status = aio__pg_wait_for(&s->wait, step, error);
  if (status != AIORCH_OK || !b->exists) return status;
  step = step_of(s, AIO__PG_READ, &b, sizeof b, NULL);
  aio__pg_sql(step,
              "SELECT version, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM schema_version"
              " ORDER BY version",
              read_applied);
  return aio__pg_wait_for(&s->wait, step, error);
}

/* ---- a file ------------------------------------------------------------------------------------------------------------------- */

/* As PostgreSQL quotes: the mark twice where it stands in the text. */
static void add_quoted(aio__buf *out, const char *text, char mark) {
  aio__buf_char(out, mark);
  for (; *text != '\0'; text++) {
    if (*text == mark) aio__buf_char(out, mark);
    aio__buf_char(out, *text);
  }
  aio__buf_char(out, mark);
}

/* psql's two ways to write the variable: :"schema" is a name, :'schema' a text. They stand nowhere but where they are meant. */
static aiorch_status add_file(aio__buf *out, const char *sql, const char *schema) {
  static const char name[] = ":\"schema\"", text[] = ":'schema'";
  while (*sql != '\0') {
    const char *next = strchr(sql, ':');
    if (next == NULL) next = sql + strlen(sql);
    aio__buf_add(out, sql, (size_t)(next - sql));
    sql = next;
    bool is_name = strncmp(sql, name, sizeof name - 1) == 0;
    if (is_name || strncmp(sql, text, sizeof text - 1) == 0) {
      add_quoted(out, schema, is_name ? '"' : '\'');
      sql += sizeof name - 1;
    } else if (*sql != '\0') {
      aio__buf_char(out, *sql++);
    }
  }
  return out->failed;
}

static aiorch_status sql_of(const session *s, int32_t version, aio__buf *out, aiorch_error *error) {
  const aio__alloc *al = s->store->env.al;
  char *sql = aio__unpack(&aio__data_postgres[version - 1], al);
  aiorch_status status = sql != NULL ? add_file(out, sql, s->store->schema) : AIORCH_E_NOMEM;
  aio__free(al, sql);
  return status == AIORCH_OK ? AIORCH_OK : aio__pg_nomem(error);
}

/* A server that waits for a lock does not notice that nobody waits for it any more, and would go on when it gets the lock: so it
 * gives up by itself. */
static void begin(const session *s, aio__buf *sql) {
  char text[64];
  int64_t left_ms = (s->deadline_ns - aio__clock_now(s->store->env.clock)) / 1000000;
  if (left_ms < 1) left_ms = 1;
  if (s->deadline_ns == AIO__NEVER || left_ms > INT32_MAX) left_ms = 0;
  snprintf(text, sizeof text, "BEGIN;\nSET LOCAL lock_timeout = %lld;\n", (long long)left_ms);
  aio__buf_z(sql, text);
}

/* Another may be at it: it is waited for, and what it has done is not done again. */
static aiorch_status apply(session *s, book *b, int32_t version, aiorch_error *error) {
  aio__buf sql;
  aiorch_error why;
  aio__error_init(&why);
  aio__buf_init(&sql, s->store->env.al, SQL_MAX);
  begin(s, &sql);
  aiorch_status status = sql_of(s, version, &sql, error);
  aio__buf_z(&sql, "\nCOMMIT;");
  if (status == AIORCH_OK && sql.failed != AIORCH_OK) status = aio__pg_nomem(error);
  if (status == AIORCH_OK) {
    aio__pg_step *step = step_of(s, AIO__PG_WRITE, NULL, 0, NULL);
    aio__pg_sql(step, aio__buf_cstr(&sql), NULL);
    if (step != NULL) step->script = true;
    status = aio__pg_wait_for(&s->wait, step, &why);
    if (status != AIORCH_OK) {
      bool by_another = read_book(s, b, error) == AIORCH_OK && b->version >= version;
      aio__str name = name_of(version);
      if (by_another)
        status = AIORCH_OK;
      else
        (void)aio__error_set(error, status, "migration %d (%.*s) was not applied, nothing of it was changed: %s", (int)version, (int)name.n,
                             name.p, why.message);
    }
  }
  aio__buf_free(&sql);
  return status;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------------- */

static aiorch_status apply_all(session *s, book *b, int32_t to, aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  if (b->version > b->known)
    return aio__error_set(error, AIORCH_E_STORE_NEWER, "%s: the schema %s is at version %d, this libaiorch knows %d: update libaiorch",
                          s->store->target->place, s->store->schema, (int)b->version, (int)b->known);
  if (to < b->version)
    return aio__error_set(error, AIORCH_E_INVALID, "%s: the schema %s is at version %d, and there is no way back to %d",
                          s->store->target->place, s->store->schema, (int)b->version, (int)to);
  for (int32_t version = b->version + 1; version <= to && status == AIORCH_OK; version++) status = apply(s, b, version, error);
  return status == AIORCH_OK ? read_book(s, b, error) : status;
}

static aiorch_status write_report(const session *s, const book *b, int32_t before, int32_t to, bool dry_run, aio__json_writer *w,
                                  aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  aio__jw_kz(w, "store", s->store->target->place);
  aio__jw_kz(w, "schema", s->store->schema);
  aio__jw_ki64(w, "version", b->version);
  aio__jw_ki64(w, "known", b->known);
  aio__jw_ki64(w, "applied_now", b->version - before);
  aio__jw_key(w, "migrations");
  aio__jw_array(w);
  for (int32_t version = 1; version <= b->known && status == AIORCH_OK; version++) {
    bool there = version <= b->version;
    aio__jw_object(w);
    aio__jw_ki64(w, "version", version);
    aio__jw_kstr(w, "name", name_of(version));
    aio__jw_kz(w, "state", there ? "applied" : "pending");
    aio__jw_kz(w, "applied_at", there && b->applied[version - 1][0] != '\0' ? b->applied[version - 1] : NULL);
    if (dry_run && !there && version <= to) {
      aio__buf sql;
      aio__buf_init(&sql, s->store->env.al, SQL_MAX);
      status = sql_of(s, version, &sql, error);
      if (status == AIORCH_OK) aio__jw_kstr(w, "sql", aio__buf_view(&sql));
      aio__buf_free(&sql);
    }
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  return status;
}

static aiorch_status migrate(session *s, int64_t to, int32_t mode, aio__json_writer *report, aiorch_error *error) {
  book *b = aio__calloc(s->store->env.al, 1, sizeof *b);
  if (b == NULL) return aio__pg_nomem(error);
  b->known = known_migrations();
  if (to == 0) to = b->known;
  aiorch_status status = read_book(s, b, error);
  int32_t before = b->version;
  if (status == AIORCH_OK && (to < 0 || to > b->known))
    status = aio__error_set(error, AIORCH_E_INVALID, "there is no version %lld: this libaiorch knows 1 to %d", (long long)to, (int)b->known);
  if (status == AIORCH_OK && mode == AIORCH_MIGRATE_APPLY) status = apply_all(s, b, (int32_t)to, error);
  if (status == AIORCH_OK) status = write_report(s, b, before, (int32_t)to, mode == AIORCH_MIGRATE_DRY_RUN, report, error);
  aio__free(s->store->env.al, b);
  return status;
}

aiorch_status aio__store_postgres_migrate(const aio__store_env *env, const char *url, int64_t to, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error) {
  session s = {.deadline_ns = deadline_ns};
  aio__store *store = NULL;
  aiorch_status status = aio__pg_store_open(env, url, true, &store, error);
  if (status != AIORCH_OK) return status;
  s.store = (aio__pg_store *)store;
  status = aio__pg_wait_init(&s.wait, error);
  if (status == AIORCH_OK) {
    status = migrate(&s, to, mode, report, error);
    aio__pg_wait_free(&s.wait);
  }
  store->close(store);
  return status;
}
