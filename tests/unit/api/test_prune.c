/* aiorch_prune: what it takes and what it says, over a store in memory and one in a folder. */
#include <stdio.h>
#include <stdlib.h>

#include <aiorch/operate.h>

#include "support/pipeline_fixture.h"
#include "support/test_alloc.h"

static const char *report_of(aiorch_text *text) {
  const char *json = NULL;
  assert_int_equal(aiorch_text_get(text, &json, NULL), AIORCH_OK);
  return json;
}

static void test_prune__a_store_in_memory_forgets_by_itself(void **state) {
  (void)state;
  fixture f;
  aiorch_text *text = NULL;
  memset(&f, 0, sizeof f);
  fixture_open(&f, NULL, NULL, 0, NULL, 0);
  assert_int_equal(aiorch_prune(f.orch, 0, AIORCH_PRUNE_REMOVE, 1000, &text, NULL), AIORCH_OK);
  assert_string_equal(report_of(text), "{\"admissions\":0,\"answers\":0,\"runs\":0}");
  aiorch_text_free(text);
  assert_int_equal(aiorch_prune(f.orch, 5, AIORCH_PRUNE_COUNT, 1000, NULL, NULL), AIORCH_E_UNSUPPORTED);
  fixture_close(&f);
}

static void test_prune__over_a_spool_and_a_store_in_memory(void **state) {
  (void)state;
  fixture f;
  memset(&f, 0, sizeof f);
  fixture_open(&f, "{\"spool\":{\"mode\":\"on\"}}", NULL, 0, NULL, 0);
  assert_int_equal(aiorch_prune(f.orch, 0, AIORCH_PRUNE_REMOVE, 1000, NULL, NULL), AIORCH_OK);
  fixture_close(&f);
}

static void test_prune__what_is_not_taken(void **state) {
  (void)state;
  fixture f;
  aiorch_error *error = NULL;
  memset(&f, 0, sizeof f);
  fixture_open(&f, NULL, NULL, 0, NULL, 0);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_prune(NULL, 0, AIORCH_PRUNE_REMOVE, 0, NULL, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_prune(f.orch, -1, AIORCH_PRUNE_REMOVE, 0, NULL, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_prune(f.orch, 0, 2, 0, NULL, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "AIORCH_PRUNE_"));
  assert_int_equal(aiorch_close(f.orch, 1000), AIORCH_OK);
  assert_int_equal(aiorch_prune(f.orch, 0, AIORCH_PRUNE_REMOVE, 0, NULL, error), AIORCH_E_CLOSED);
  aiorch_error_free(error);
  fixture_close(&f);
}

/* Whatever finds no memory: an error, nothing leaks, and the next call does it. */
static void test_prune__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc memory;
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  aiorch_text *text = NULL;
  const char *base = getenv("AIORCH_TEST_TMP");
  char folder[300];
  aiorch_status status;
  (void)snprintf(folder, sizeof folder, "%.200s/prune", base != NULL ? base : "/tmp");
  aio__test_alloc_init(&memory);
  assert_int_equal(aiorch_config_new_with(&memory.al, &config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", folder, strlen(folder), NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  for (int mode = AIORCH_PRUNE_REMOVE; mode <= AIORCH_PRUNE_COUNT; mode++) {
    memory.fail_at = 0;
    do {
      aio__test_alloc_next(&memory);
      status = aiorch_prune(orch, 1, mode, 10000, &text, NULL);
      if (status == AIORCH_OK) aiorch_text_free(text);
      else assert_int_equal(status, AIORCH_E_NOMEM);
    } while (memory.failed > 0);
    assert_int_equal(status, AIORCH_OK);
  }
  memory.fail_at = 0;
  assert_int_equal(aiorch_close(orch, 10000), AIORCH_OK);
  aiorch_free(orch);
  aiorch_config_free(config);
  assert_int_equal(memory.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_prune__a_store_in_memory_forgets_by_itself),
                                     cmocka_unit_test(test_prune__over_a_spool_and_a_store_in_memory),
                                     cmocka_unit_test(test_prune__what_is_not_taken),
                                     cmocka_unit_test(test_prune__out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
