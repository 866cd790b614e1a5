/* Every allocation of a whole life fails once, and once from then on: an error or an answer, no leak, no crash. */
#include "../support/pipeline_fixture.h"
#include "../support/test_alloc.h"

static aiorch_status add_document(aiorch *orch) {
  static const char text[] = "# Zebra\n\nA zebra has black and white stripes on its coat.\n";
  aiorch_document *d = NULL;
  aiorch_status st = aiorch_document_new(&d);
  if (st == AIORCH_OK) st = aiorch_document_set_source(d, "zebra.md", 8);
  if (st == AIORCH_OK) st = aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, text, sizeof text - 1);
  if (st == AIORCH_OK) st = aiorch_knowledge_add(orch, "acme", 4, d, 30000, NULL);
  aiorch_document_free(d);
  return st;
}

static aiorch_status ask(aiorch *orch) {
  static const char question[] = "Which stripes has a zebra?";
  aiorch_run *run = NULL;
  const aiorch_event *event;
  aiorch_status st = aiorch_run_new(orch, "acme", 4, "u1", 2, &run);
  if (st) return st;
  st = aiorch_run_add_message(run, AIORCH_ROLE_USER, question, sizeof question - 1);
  int finals = 0;
  aiorch_status next = AIORCH_OK;
  while (st == AIORCH_OK && (next = aiorch_run_next(run, 1000, &event)) == AIORCH_OK) {
    const char *json;
    finals += aiorch_event_type(event) == AIORCH_EVENT_FINAL;
    (void)aiorch_event_json(event, &json, NULL);
  }
  if (st == AIORCH_OK) {
    assert_int_equal(next, AIORCH_DONE);
    assert_int_equal(finals, 1); /* also without memory for it */
    st = aiorch_run_status(run);
  }
  aiorch_run_free(run);
  return st;
}

static aiorch_status live(aiorch_config *config) {
  aiorch *orch = NULL;
  aiorch_status st = aiorch_config_set_str(config, "store", "memory", 6, NULL);
  if (st == AIORCH_OK) st = aiorch_open(config, &orch, NULL);
  if (st) return st;
  st = add_document(orch);
  if (st == AIORCH_OK) st = ask(orch);
  if (st == AIORCH_OK) st = ask(orch); /* a hit */
  assert_int_equal(aiorch_close(orch, 30000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  return st;
}

static long fail_each(bool from_then_on) {
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  t.fail_on = from_then_on;
  long rounds = 0;
  aiorch_status st;
  do {
    aio__test_alloc_next(&t);
    aiorch_config *config = NULL;
    st = aiorch_config_new_with(&t.al, &config);
    if (st == AIORCH_OK) st = live(config);
    aiorch_config_free(config);
    if (t.live != 0) fail_msg("allocation %ld failed: %ld leaked", t.fail_at, (long)t.live);
    if (st != AIORCH_OK && st != AIORCH_E_NOMEM && t.failed == 0) fail_msg("%s", aiorch_status_name(st));
    rounds++;
  } while (t.failed > 0);
  assert_int_equal(st, AIORCH_OK);
  return rounds;
}

static void test_life__each_allocation_fails_once(void **state) {
  (void)state;
  print_message("%ld allocations failed one by one\n", fail_each(false) - 1);
}

static void test_life__all_fail_from_one_on(void **state) {
  (void)state;
  assert_true(fail_each(true) > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life__each_allocation_fails_once),
      cmocka_unit_test(test_life__all_fail_from_one_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
