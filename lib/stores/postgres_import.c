/* Taking over what another program has in the database: one step of import_from (sql/postgres/0009_take_over.sql). */
#include "core/json_writer.h"
#include "stores/postgres_engine.h"

enum { ARENA = 1 << 16 };

typedef struct answer {
  aio__arena *arena;
  aio__str *out;
} answer;

static aiorch_status read_answer(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  const answer *a = ctx;
  return aio__pg_copy(rows, 0, 0, a->arena, a->out) ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status take_step(aio__pg_store *store, aio__str request, int64_t deadline_ns, aio__arena *arena, aio__str *out,
                               aiorch_error *error) {
  aio__pg_wait wait;
  const answer a = {.arena = arena, .out = out};
  aiorch_status status = aio__pg_wait_init(&wait, error);
  if (status != AIORCH_OK) return status;
  aio__pg_wait_again(&wait, deadline_ns);
  aio__pg_step *step = aio__pg_step_new(&store->head, &wait.op, AIO__LIT(""), AIO__PG_WRITE | AIO__PG_OWN | AIO__PG_LONG, &a, sizeof a, NULL);
  aio__pg_sql(step, "SELECT import_from($1::text::jsonb)::text", read_answer);
  aio__pg_text(step, request);
  status = aio__pg_wait_for(&wait, step, error);
  aio__pg_wait_free(&wait);
  return status;
}

aiorch_status aio__store_postgres_import(const aio__store_env *env, const char *url, aio__str request, int64_t deadline_ns,
                                         aio__json_writer *report, aiorch_error *error) {
  aio__store *store = NULL;
  aio__arena arena;
  aio__str out = {NULL, 0};
  aiorch_status status = aio__pg_store_open(env, url, true, &store, error);
  if (status != AIORCH_OK) return status;
  aio__arena_init(&arena, env->al, ARENA);
  status = take_step((aio__pg_store *)store, request, deadline_ns, &arena, &out, error);
  if (status == AIORCH_OK) aio__jw_raw(report, out);
  aio__arena_free(&arena);
  store->close(store);
  return status;
}
