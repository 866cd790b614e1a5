/* Steps as ops write them: every kind of value there and back, and what a step says that was put together wrongly. (label: threads) */
#include "stores/conformance.c"

#include "stores/postgres_private.h"
#include "stores/postgres_store.c"

aiorch_status open_store(fixture *f) {
  return open_url(f, variable("AIORCH_TEST_POSTGRES"));
}

static void expect(const fixture *f, const char *words) {
  if (strstr(f->call.op.error.message, words) == NULL) fail_msg("\"%s\" is not in: %s", words, f->call.op.error.message);
}

static aio__pg_step *begin(fixture *f, const void *ctx, size_t size, aio__pg_finish finish) {
  waiting_init(&f->call, AIO__NEVER);
  return aio__pg_step_new(f->store, &f->call.op, ACME, AIO__PG_READ, ctx, size, finish);
}

static aiorch_status run_step(fixture *f, aio__pg_step *step) {
  return waiting_end(&f->call, aio__pg_step_start(step));
}

/* ---- values --------------------------------------------------------------------------------------------------------------------- */

typedef struct values {
  aio__arena *arena;
  bool *seen;
} values;

static aiorch_status read_values(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  const values *v = ctx;
  char id[AIO__UUID_LEN + 1];
  aio__str copy;
  (void)op;
  assert_int_equal(aio__pg_count(rows), 1);
  assert_int_equal(aio__pg_get_i64(rows, 0, 0), INT64_MIN);
  assert_int_equal(aio__pg_get_i64(rows, 0, 1), -2147483647 - 1);
  assert_int_equal(aio__pg_get_i64(rows, 0, 2), -32768);
  assert_true(aio__pg_get_f64(rows, 0, 3) > 0.0999999999 && aio__pg_get_f64(rows, 0, 3) < 0.1000000001);
  assert_true(aio__pg_get_bool(rows, 0, 4));
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 5), "äöü"));
  assert_true(aio__str_eq(aio__pg_get_bytes(rows, 0, 6), AIO__LIT("\0\xff")));
  aio__pg_get_uuid(rows, 0, 7, id);
  assert_string_equal(id, "0191f3c4-5a6b-7c8d-9eaf-b0c1d2e3f405");
  assert_true(aio__pg_is_null(rows, 0, 8));
  assert_true(aio__pg_is_null(rows, 0, 9)); /* what was no UUID */
  assert_int_equal(aio__pg_get_i64(rows, 0, 8), 0);
  assert_true(aio__pg_copy(rows, 0, 10, v->arena, &copy) && copy.n == 0); /* an empty text is none that is NULL */
  assert_false(aio__pg_is_null(rows, 0, 10));
  *v->seen = true;
  return AIORCH_OK;
}

static void test_step__values_there_and_back(void **state) {
  fixture *f = *state;
  bool seen = false;
  values v = {&f->arena, &seen};
  aio__pg_step *step = begin(f, &v, sizeof v, NULL);
  aio__pg_sql(step, "SELECT $1::bigint, $2::int, (-32768)::smallint, $3::float8, $4::bool, $5::text, $6::bytea, $7::uuid, $8::bigint, $9::uuid, $10::text",
              read_values);
  aio__pg_i64(step, INT64_MIN);
  aio__pg_i32(step, INT32_MIN);
  aio__pg_f64(step, 0.1);
  aio__pg_bool(step, true);
  aio__pg_text(step, AIO__LIT("äöü"));
  aio__pg_bytea(step, AIO__LIT("\0\xff"));
  aio__pg_uuid(step, AIO__LIT("0191F3C4-5a6b-7c8d-9eaf-b0c1d2e3f405"));
  aio__pg_null(step);
  aio__pg_uuid(step, AIO__LIT("no such id"));
  aio__pg_text(step, AIO__LIT(""));
  assert_int_equal(run_step(f, step), AIORCH_OK);
  assert_true(seen);
}

static aiorch_status read_arrays(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  const values *v = ctx;
  float *floats;
  size_t n;
  (void)op;
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 0), "{1,NULL,-3}"));
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 1), "{a,\"\",\"b,c\"}"));
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 2), "{}"));
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 3), "{t,f}"));
  assert_true(aio__str_eqz(aio__pg_get_bytes(rows, 0, 4), "{0191f3c4-5a6b-7c8d-9eaf-b0c1d2e3f405,NULL}"));
  assert_true(aio__pg_get_floats(rows, 0, 5, v->arena, &floats, &n));
  assert_int_equal(n, 3);
  assert_memory_equal(floats, ((const float[]){1.5f, -0.25f, 3e-20f}), sizeof(float) * 3);
  assert_true(aio__pg_get_floats(rows, 0, 6, v->arena, &floats, &n));
  assert_int_equal(n, 0);
  assert_true(aio__pg_get_floats(rows, 0, 7, v->arena, &floats, &n));
  assert_null(floats);
  *v->seen = true;
  return AIORCH_OK;
}

static void test_step__arrays_there_and_back(void **state) {
  fixture *f = *state;
  bool seen = false;
  values v = {&f->arena, &seen};
  const aio__str texts[] = {AIO__LIT("a"), AIO__LIT(""), AIO__LIT("b,c")};
  const aio__str ids[] = {AIO__LIT("0191f3c4-5a6b-7c8d-9eaf-b0c1d2e3f405"), AIO__LIT("x")};
  const float floats[] = {1.5f, -0.25f, 3e-20f};
  aio__pg_step *step = begin(f, &v, sizeof v, NULL);
  aio__pg_sql(step, "SELECT $1::bigint[]::text, $2::text[]::text, $3::int[]::text, $4::bool[]::text, $5::uuid[]::text, $6::real[], $7::real[], NULL::real[]",
              read_arrays);
  aio__pg_array(step, AIO__PG_INT8, 3);
  aio__pg_i64(step, 1);
  aio__pg_null(step);
  aio__pg_i64(step, -3);
  aio__pg_texts(step, texts, 3);
  aio__pg_array(step, AIO__PG_INT4, 0);
  aio__pg_array(step, AIO__PG_BOOL, 2);
  aio__pg_bool(step, true);
  aio__pg_bool(step, false);
  aio__pg_uuids(step, ids, 2);
  aio__pg_floats(step, floats, 3);
  aio__pg_floats(step, floats, 0);
  assert_int_equal(run_step(f, step), AIORCH_OK);
  assert_true(seen);
}

/* ---- what a transaction is ------------------------------------------------------------------------------------------------------- */

static aiorch_status read_setting(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  char *const *out = ctx;
  aio__str text = aio__pg_get_bytes(rows, 0, 0);
  snprintf(*out, 256, "%.*s", (int)text.n, text.n > 0 ? text.p : "");
  return AIORCH_OK;
}

static void setting(fixture *f, const char *sql, char out[256]) {
  char *ctx = out;
  aio__pg_step *step = begin(f, &ctx, sizeof ctx, NULL);
  aio__pg_sql(step, sql, read_setting);
  assert_int_equal(run_step(f, step), AIORCH_OK);
}

static void test_step__leaves_nothing_in_the_session(void **state) {
  fixture *f = *state;
  char text[256];
  close_store(f);
  f->options.postgres_connections_max = 1;
  assert_int_equal(open_store(f), AIORCH_OK);
  setting(f, "SELECT concat_ws(' ', current_user, current_setting('aiorch.tenant'), current_setting('transaction_read_only'))", text);
  assert_string_equal(text, "aiorch_app acme on");
  setting(f, "SELECT current_setting('search_path')", text);
  assert_non_null(strstr(text, "aiorch"));
  admin("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'", text);
  assert_string_equal(text, "1");
  waiting_init(&f->call, AIO__NEVER);
  char *ctx = text;
  aio__pg_step *step = aio__pg_step_new(f->store, &f->call.op, AIO__LIT(""), AIO__PG_READ | AIO__PG_OWN, &ctx, sizeof ctx, NULL);
  aio__pg_sql(step, "SELECT concat_ws(' ', current_user, current_setting('aiorch.tenant', true) = '')", read_setting);
  assert_int_equal(run_step(f, step), AIORCH_OK);
  assert_string_equal(text, "app t");
}

static aiorch_status refuse(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)rows;
  (void)ctx;
  return aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "nothing there");
}

static void test_step__what_decode_says_ends_the_op(void **state) {
  fixture *f = *state;
  aio__pg_step *step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT 1", refuse);
  assert_int_equal(run_step(f, step), AIORCH_E_NOT_FOUND);
  expect(f, "nothing there");
}

static aiorch_status finish_second(aio__op *op, void *ctx) {
  (void)op;
  **(int *const *)ctx += 10;
  return AIORCH_OK;
}

typedef struct chained {
  int *count;
  aio__store *store;
} chained;

static aiorch_status finish_first(aio__op *op, void *ctx) {
  const chained *c = ctx;
  *c->count += 1;
  aio__pg_step *step = aio__pg_step_new(c->store, op, ACME, AIO__PG_READ, &c->count, sizeof c->count, finish_second);
  aio__pg_sql(step, "SELECT 2", NULL);
  return aio__pg_step_start(step);
}

static void test_step__one_after_another_for_one_op(void **state) {
  fixture *f = *state;
  int count = 0;
  chained c = {&count, f->store};
  aio__pg_step *step = begin(f, &c, sizeof c, finish_first);
  aio__pg_sql(step, "SELECT 1", NULL);
  assert_int_equal(run_step(f, step), AIORCH_OK);
  assert_int_equal(count, 11);
}

static aiorch_status count_row(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  **(int64_t *const *)ctx += aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static void test_step__many_statements(void **state) {
  fixture *f = *state;
  int64_t sum = 0, *ctx = &sum;
  aio__pg_step *step = begin(f, &ctx, sizeof ctx, NULL);
  for (int i = 1; i <= 2000; i++) {
    aio__pg_sql(step, "SELECT $1", count_row);
    aio__pg_i64(step, i);
  }
  assert_int_equal(run_step(f, step), AIORCH_OK);
  assert_int_equal(sum, 2001 * 1000);
}

/* ---- put together wrongly ----------------------------------------------------------------------------------------------------------- */

static aiorch_status read_wrong(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  (void)ctx;
  (void)aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status read_beyond(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  (void)ctx;
  (void)aio__pg_get_bytes(rows, 3, 7);
  return AIORCH_OK;
}

static void test_step__a_decode_that_asks_for_what_is_not_there(void **state) {
  fixture *f = *state;
  aio__pg_step *step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT 'text'::text", read_wrong);
  assert_int_equal(run_step(f, step), AIORCH_E_INTERNAL);
  expect(f, "SELECT 'text'");
  step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT 1", read_beyond);
  assert_int_equal(run_step(f, step), AIORCH_E_INTERNAL);
}

static void test_step__put_together_wrongly(void **state) {
  fixture *f = *state;
  aio__pg_step *step = begin(f, NULL, 0, NULL);
  aio__pg_i64(step, 1); /* before any statement */
  assert_int_equal(run_step(f, step), AIORCH_E_INTERNAL);
  step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT $1::bigint[]", NULL);
  aio__pg_array(step, AIO__PG_INT8, 2);
  aio__pg_i64(step, 1);
  assert_int_equal(run_step(f, step), AIORCH_E_INTERNAL); /* one item lacks */
  step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT $1::bigint[]", NULL);
  aio__pg_array(step, AIO__PG_INT8, 1);
  aio__pg_bool(step, true);
  assert_int_equal(run_step(f, step), AIORCH_E_INTERNAL); /* of another type */
  step = begin(f, NULL, 0, NULL);
  for (int i = 0; i <= AIO__PG_STATEMENTS_MAX; i++) aio__pg_sql(step, "SELECT 1", NULL);
  assert_int_equal(run_step(f, step), AIORCH_E_TOO_LARGE);
  step = begin(f, NULL, 0, NULL);
  aio__pg_step_refuse(step, aio__error_set(&f->call.op.error, AIORCH_E_INVALID, "not like this"));
  aio__pg_sql(step, "SELECT 1", NULL);
  assert_int_equal(run_step(f, step), AIORCH_E_INVALID);
  step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT nonsense", NULL);
  assert_int_equal(run_step(f, step), AIORCH_E_STORE_CORRUPT);
  step = begin(f, NULL, 0, NULL);
  aio__pg_sql(step, "SELECT $1::text", NULL);
  aio__pg_text(step, AIO__LIT("a\0b"));
  assert_int_equal(run_step(f, step), AIORCH_E_INVALID);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    CASE(test_step__values_there_and_back),
    CASE(test_step__arrays_there_and_back),
    CASE(test_step__leaves_nothing_in_the_session),
    CASE(test_step__what_decode_says_ends_the_op),
    CASE(test_step__one_after_another_for_one_op),
    CASE(test_step__many_statements),
    CASE(test_step__a_decode_that_asks_for_what_is_not_there),
    CASE(test_step__put_together_wrongly),
  };
  need_server_with(argv, "--no-bouncer");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  (void)conformance_tests;
  (void)empty_tables;
  (void)admin_number;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
