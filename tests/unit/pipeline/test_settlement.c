/* Settlement: what a run has spent reaches the ledger, and what a dead process left there is named. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "../support/test_alloc.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 7, .output = 3}};
static const char dead_run[] = "01890000-0000-7000-8000-0000000000aa";

static void leave_attempt(fixture *f, const char *id, int64_t lease_until_ms) {
  aio__attempt_row row;
  aio__op op;
  memset(&row, 0, sizeof row);
  memcpy(row.id, id, sizeof row.id);
  memcpy(row.run_id, dead_run, sizeof row.run_id);
  row.kind = AIORCH_ATTEMPT_GENERATE;
  row.status = AIORCH_PENDING;
  row.provider = AIO__LIT("first");
  row.model = AIO__LIT("scripted-1");
  row.request_id = AIO__LIT("");
  row.created_ms = aio__clock_wall_ms(&f->clock.clock);
  row.lease_until_ms = lease_until_ms;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  aio__store *store = f->orch->store;
  assert_int_equal(store->ledger->attempt(store, &op, AIO__LIT("acme"), &row), AIORCH_OK);
}

static aio__attempt_state state_of(fixture *f, size_t index) {
  aio__arena arena;
  aio__attempt_row *rows = NULL;
  size_t count = 0;
  aio__op op;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  aio__store *store = f->orch->store;
  assert_int_equal(store->ledger->attempts(store, &op, AIO__LIT("acme"), aio__str_z(dead_run), &arena, &rows, &count),
                   AIORCH_OK);
  assert_true(index < count);
  aio__attempt_state state = rows[index].state;
  aio__arena_free(&arena);
  return state;
}

static void test_settlement__attempts_of_a_dead_process_become_unknown(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit.requests\": 0, \"cache.mode\": \"off\"}", answer, 1, NULL, 0);
  int64_t now_ms = aio__clock_wall_ms(&f.clock.clock);
  leave_attempt(&f, "01890000-0000-7000-8000-000000000001", now_ms + 1000);
  leave_attempt(&f, "01890000-0000-7000-8000-000000000002", now_ms + 3600000);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK));
  assert_int_equal(state_of(&f, 0), AIO__ATTEMPT_PENDING); /* its lease still runs */
  virtual_clock_advance_ms(&f.clock, AIO__EXPIRE_EVERY_MS - 1);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK));
  assert_int_equal(state_of(&f, 0), AIO__ATTEMPT_PENDING); /* not looked for yet */
  virtual_clock_advance_ms(&f.clock, 1);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK));
  assert_int_equal(state_of(&f, 0), AIO__ATTEMPT_UNKNOWN);
  assert_int_equal(state_of(&f, 1), AIO__ATTEMPT_PENDING);
  fixture_close(&f);
}

/* ---- a run that ends without memory ---- */

static aiorch_status generate(void *self, aiorch_call *call) {
  (void)self;
  aiorch_call_put_model(call, "a-model", 7);
  aiorch_call_emit(call, "An answer.", 10);
  aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 7);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

typedef struct poor {
  aio__test_alloc memory;
  aiorch *orch;
} poor;

static void poor_open(poor *p) {
  char place[300];
  const char *tmp = getenv("AIORCH_TEST_TMP");
  aiorch_provider_vtbl vtbl;
  aiorch_config *config = NULL;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "poor";
  vtbl.generate = generate;
  snprintf(place, sizeof place, "%s/poor-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(place));
  aio__test_alloc_init(&p->memory);
  assert_int_equal(aiorch_config_new_with(&p->memory.al, &config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", place, strlen(place), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "poor", &vtbl, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &p->orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
}

static void poor_close(poor *p) {
  assert_int_equal(aiorch_close(p->orch, 30000), AIORCH_OK);
  assert_int_equal(aiorch_free(p->orch), AIORCH_OK);
  assert_int_equal(p->memory.live, 0);
}

/* A run that has its answer; from now on there is no memory. */
static aiorch_run *spend(poor *p) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(p->orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "What?", 5), AIORCH_OK);
  assert_int_equal(aiorch_stage_validate(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_rate_limit(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_cache_lookup(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_retrieve(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_generate(run), AIORCH_OK);
  p->memory.fail_on = true;
  p->memory.fail_at = p->memory.count + 1;
  return run;
}

static void expect_rows(poor *p, const char *run_id, int64_t runs) {
  aio__store_stats stats;
  aio__arena arena;
  aio__attempt_row *rows = NULL;
  size_t count = 0;
  aio__op op;
  aio__store *store = p->orch->store;
  p->memory.fail_at = 0;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(store->ledger->stats(store, &op, AIO__LIT("acme"), 1, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, runs);
  assert_int_equal(store->ledger->attempts(store, &op, AIO__LIT("acme"), aio__str_z(run_id), &arena, &rows, &count),
                   AIORCH_OK);
  assert_int_equal(count, 1);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(rows[0].usage.n[AIORCH_USAGE_INPUT], 7);
  assert_true(aio__str_eqz(rows[0].model, "a-model"));
  aio__arena_free(&arena);
}

static void test_settlement__needs_no_memory_at_the_end(void **state) {
  (void)state;
  poor p;
  char id[AIO__UUID_LEN + 1];
  poor_open(&p);
  aiorch_run *run = spend(&p);
  memcpy(id, run->id, sizeof id);
  assert_int_equal(aiorch_stage_log_cost(run), AIORCH_OK);
  expect_rows(&p, id, 1);
  aiorch_run_free(run);
  run = spend(&p);
  memcpy(id, run->id, sizeof id);
  aiorch_run_free(run); /* it never came to log_cost */
  poor_close(&p);
}

/* The first settlement of a store, when its queue has no room yet: the caller carries it out. */
static void test_settlement__without_a_queue(void **state) {
  (void)state;
  poor p;
  char id[AIO__UUID_LEN + 1];
  poor_open(&p);
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(p.orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "What?", 5), AIORCH_OK);
  assert_int_equal(aiorch_stage_validate(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_rate_limit(run), AIORCH_OK);
  memcpy(id, run->id, sizeof id);
  assert_int_equal(aiorch_run_set_answer(run, "The answer.", 11, AIORCH_FINISH_STOP, "host", "own"), AIORCH_OK);
  p.memory.fail_on = true;
  p.memory.fail_at = p.memory.count + 1;
  assert_int_equal(aiorch_stage_log_cost(run), AIORCH_OK);
  p.memory.fail_at = 0;
  aio__store_stats stats;
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(p.orch->store->ledger->stats(p.orch->store, &op, AIO__LIT("acme"), 1, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, 1);
  aiorch_run_free(run);
  poor_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settlement__attempts_of_a_dead_process_become_unknown),
      cmocka_unit_test(test_settlement__needs_no_memory_at_the_end),
      cmocka_unit_test(test_settlement__without_a_queue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
