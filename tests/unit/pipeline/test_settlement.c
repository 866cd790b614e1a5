/* Settlement: what a run has spent reaches the ledger, and what a dead process left there is named. */
#include "../support/pipeline_fixture.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settlement__attempts_of_a_dead_process_become_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
