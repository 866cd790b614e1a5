/* Filling a run from outside: limits, order, and what a refused call leaves as it was. */
#include "support/pipeline_fixture.h"

#include <stdlib.h>

static const scripted_answer answer[] = {{.text = "An answer.", .input = 5, .output = 3}};

static const char *words(const aiorch_run *run) { return aiorch_error_message(aiorch_run_error(run)); }

static void test_add_message__up_to_its_limits(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", NULL);
  for (int i = 0; i < AIO__MESSAGES_MAX; i++) {
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "x", 1), AIORCH_OK);
  }
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "x", 1), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(words(run), "at most 4096 messages"));
  aiorch_run_free(run);
  run = fixture_ask(&f, "acme", "u1", NULL);
  const size_t most = AIO__MESSAGE_BYTES_MAX;
  char *text = malloc(most + 1);
  assert_non_null(text);
  memset(text, 'a', most + 1);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, text, most + 1), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, text, most), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "x", 1), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, "", 0), AIORCH_OK);
  free(text);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_add_filter__names_values_and_how_many(void **state) {
  (void)state;
  fixture f;
  char name[64], value[1025];
  memset(name, 'n', sizeof name);
  memset(value, 'v', sizeof value);
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_filter(run, NULL, 0, "v", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter(run, "", 0, "v", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter(run, name, 64, "v", 1), AIORCH_E_INVALID);
  assert_non_null(strstr(words(run), "1 to 63 bytes"));
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, value, 1025), AIORCH_E_INVALID);
  assert_non_null(strstr(words(run), "1,024 bytes"));
  assert_int_equal(run->filter_count, 0);
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, "\xFF", 1), AIORCH_E_INVALID);
  assert_int_equal(run->filter_count, 0);
  assert_int_equal(aiorch_run_add_filter(run, name, 63, value, 1024), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, NULL, 0), AIORCH_OK);
  for (int i = 2; i < AIO__FILTERS_MAX; i++) assert_int_equal(aiorch_run_add_filter(run, "n", 1, "v", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, "v", 1), AIORCH_E_TOO_LARGE);
  assert_int_equal(run->filter_count, AIO__FILTERS_MAX);
  assert_int_equal(run->filters[0].name.n, 63);
  assert_int_equal(run->filters[1].value.n, 0);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_add_source__what_it_needs_and_how_many(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_source(run, "u", 1, "t", 1, NULL, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_source(run, "u", 1, "t", 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_source(run, NULL, 1, "t", 1, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_source(run, "u", 1, NULL, 1, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_count(run), 0);
  for (int i = 0; i < AIO__SOURCES_MAX; i++) {
    assert_int_equal(aiorch_run_add_source(run, NULL, 0, NULL, 0, "A source.", 9), AIORCH_OK);
  }
  assert_int_equal(aiorch_run_add_source(run, "", 0, "", 0, "A source.", 9), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_run_source_count(run), AIO__SOURCES_MAX);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_source_count(run), AIO__SOURCES_MAX);
  assert_int_equal(aiorch_run_add_source(run, "", 0, "", 0, "A source.", 9), AIORCH_E_STATE);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_set__after_the_begin_is_refused(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_stage_validate(run), AIORCH_OK);
  assert_int_equal(aiorch_run_set_option(run, "cache.mode", "off", 3), AIORCH_E_STATE);
  assert_non_null(strstr(words(run), "settings are made before"));
  assert_int_equal(aiorch_run_add_filter(run, "n", 1, "v", 1), AIORCH_E_STATE);
  assert_non_null(strstr(words(run), "filters are added before"));
  aiorch_text *text = NULL;
  assert_int_equal(aiorch_run_preview(run, &text), AIORCH_E_STATE);
  assert_non_null(strstr(words(run), "a preview is made of a run that has not begun"));
  assert_null(text);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_set_option__what_is_no_option(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_option(run, NULL, "off", 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_option(run, "cache.mode", NULL, 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_option(NULL, "cache.mode", "off", 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_option(run, "cache.mode", "off", 3), AIORCH_OK);
  assert_int_equal(aiorch_run_set_option(run, "retrieve.enabled", "false", 5), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_OFF);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RETRIEVE), AIORCH_OUTCOME_SKIPPED);
  aiorch_run_free(run);
  run = fixture_execute(&f, "What?", AIORCH_OK); /* another run has the orchestrator's */
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_set_answer__bounds_and_once(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"generate.response_max_bytes\": 1024}", answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  char longer[1025];
  memset(longer, 'a', sizeof longer);
  assert_int_equal(aiorch_run_set_answer(run, NULL, 1, AIORCH_FINISH_STOP, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_answer(run, "", 0, AIORCH_FINISH_STOP, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_answer(run, "x", 1, AIORCH_FINISH_STOP - 1, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_answer(run, "x", 1, AIORCH_FINISH_ERROR + 1, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_answer(run, longer, sizeof longer, AIORCH_FINISH_STOP, NULL, NULL),
                   AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(words(run), "generate.response_max_bytes"));
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, 1), AIORCH_E_STATE);
  assert_int_equal(aiorch_run_set_answer(run, "Mine.", 5, AIORCH_FINISH_LENGTH, "own", NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_set_answer(run, "Mine.", 5, AIORCH_FINISH_STOP, NULL, NULL), AIORCH_E_STATE);
  assert_int_equal(aiorch_run_set_usage(run, -1, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_COUNT, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, -1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, (INT64_C(1) << 53) + 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, 20), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_string_equal(fixture_answer(run), "Mine.");
  const char *text;
  assert_int_equal(aiorch_run_provider(run, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "own");
  assert_int_equal(aiorch_run_model(run, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "host");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_LENGTH);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 20);
  assert_int_equal(f.first.calls, 0);
  assert_int_equal(aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, 1), AIORCH_E_STATE);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_user_data__is_the_hosts(void **state) {
  (void)state;
  fixture f;
  int mine = 0;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_null(aiorch_run_user_data(run));
  assert_int_equal(aiorch_run_set_user_data(run, &mine), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_ptr_equal(aiorch_run_user_data(run), &mine);
  assert_int_equal(aiorch_run_set_user_data(NULL, &mine), AIORCH_E_INVALID);
  assert_null(aiorch_run_user_data(NULL));
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_submit__is_driven_by_wait_and_next_alone(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?"), *ready = NULL;
  const aiorch_event *event;
  assert_int_equal(aiorch_run_submit(NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_submit(run), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_STATE);
  assert_int_equal(aiorch_stage_validate(run), AIORCH_E_STATE);
  assert_int_equal(aiorch_run_next(run, 0, &event), AIORCH_E_STATE); /* nobody has leased it yet */
  assert_int_equal(aiorch_run_submit(run), AIORCH_E_STATE);
  assert_int_equal(aiorch_wait(f.orch, 0, &ready), AIORCH_OK);
  assert_ptr_equal(ready, run);
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(fixture_answer(run), "An answer.");
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_submit__into_a_closing_orchestrator(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?"), *late = NULL;
  assert_int_equal(aiorch_close(f.orch, 0), AIORCH_OK);
  assert_true(aiorch_run_submit(run) < 0);
  assert_int_equal(aiorch_run_new(f.orch, "acme", 4, "u1", 2, &late), AIORCH_E_CLOSED);
  assert_null(late);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* ---- from inside a callback ---- */

typedef struct inside {
  aiorch *orch;
  aiorch_run *run;
  bool free_it;
  aiorch_status execute, message, next, close, free, knowledge;
} inside;

static aiorch_status from_inside(void *self, aiorch_call *call) {
  inside *in = self;
  const aiorch_event *event;
  in->execute = aiorch_run_execute(in->run);
  in->message = aiorch_run_add_message(in->run, AIORCH_ROLE_USER, "x", 1);
  in->next = aiorch_run_next(in->run, 0, &event);
  in->close = aiorch_close(in->orch, 0);
  in->free = aiorch_free(in->orch);
  in->knowledge = aiorch_knowledge_remove(in->orch, "acme", 4, "x", 1, 0, NULL);
  if (in->free_it) aiorch_run_free(in->run);
  assert_int_equal(aiorch_call_emit(call, "From inside.", 12), AIORCH_OK);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static void open_inside(fixture *f, inside *in) {
  memset(f, 0, sizeof *f);
  virtual_clock_init(&f->clock);
  aiorch_config *config = NULL;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &f->clock.clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "m";
  vtbl.generate = from_inside;
  assert_int_equal(aiorch_config_add_provider(config, "inside", &vtbl, in, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &f->orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  in->orch = f->orch;
}

static void test_reentrant__a_slot_is_told_so(void **state) {
  (void)state;
  fixture f;
  inside in = {.free_it = false};
  open_inside(&f, &in);
  in.run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_execute(in.run), AIORCH_OK);
  assert_int_equal(in.execute, AIORCH_E_REENTRANT);
  assert_int_equal(in.message, AIORCH_E_REENTRANT);
  assert_int_equal(in.next, AIORCH_E_REENTRANT);
  assert_int_equal(in.close, AIORCH_E_REENTRANT);
  assert_int_equal(in.free, AIORCH_E_REENTRANT);
  assert_int_equal(in.knowledge, AIORCH_E_REENTRANT);
  assert_string_equal(fixture_answer(in.run), "From inside.");
  aiorch_run_free(in.run);
  fixture_close(&f);
}

static void test_free__inside_its_own_slot_frees_it_afterwards(void **state) {
  (void)state;
  fixture f;
  inside in = {.free_it = true};
  open_inside(&f, &in);
  in.run = fixture_ask(&f, "acme", "u1", "What?");
  (void)aiorch_run_execute(in.run); /* the run is gone: nothing of it may be read */
  in.run = fixture_ask(&f, "acme", "u1", "What?");
  const aiorch_event *event;
  aiorch_status st;
  do {
    st = aiorch_run_next(in.run, 0, &event);
  } while (st == AIORCH_OK && in.execute != AIORCH_OK && f.orch->runs.n > 0);
  assert_int_equal(st, AIORCH_E_CANCELLED);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 2); /* what was spent is written all the same */
  fixture_close(&f);
}

static void test_add_filter__prefix_and_range(void **state) {
  (void)state;
  fixture f;
  char value[1025];
  memset(value, 'v', sizeof value);
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_filter_prefix(NULL, "n", 1, "p", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_prefix(run, NULL, 0, "p", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_prefix(run, "n", 1, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_prefix(run, "n", 1, value, 1025), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(NULL, "n", 1, "a", 1, "b", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(run, NULL, 0, "a", 1, "b", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, NULL, 1, "b", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, "a", 1, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, "a", 1, value, 1025), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, NULL, 0, NULL, 0), AIORCH_E_INVALID);
  assert_non_null(strstr(words(run), "a range needs a bound"));
  assert_int_equal(run->filter_count, 0);
  assert_int_equal(aiorch_run_add_filter_prefix(run, "n", 1, "p", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter_prefix(run, "n", 1, NULL, 0), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, "a", 1, "b", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, NULL, 0, "b", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_filter_range(run, "n", 1, "a", 1, NULL, 0), AIORCH_OK);
  assert_int_equal(run->filter_count, 5);
  assert_int_equal(run->filters[0].kind, AIO__FILTER_PREFIX);
  assert_int_equal(run->filters[1].value.n, 0);
  assert_int_equal(run->filters[2].kind, AIO__FILTER_RANGE);
  assert_true(aio__str_eqz(run->filters[2].to, "b"));
  assert_null(run->filters[3].value.p);
  assert_null(run->filters[4].to.p);
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_add_message__up_to_its_limits),
      cmocka_unit_test(test_add_filter__names_values_and_how_many),
      cmocka_unit_test(test_add_filter__prefix_and_range),
      cmocka_unit_test(test_add_source__what_it_needs_and_how_many),
      cmocka_unit_test(test_set__after_the_begin_is_refused),
      cmocka_unit_test(test_set_option__what_is_no_option),
      cmocka_unit_test(test_set_answer__bounds_and_once),
      cmocka_unit_test(test_user_data__is_the_hosts),
      cmocka_unit_test(test_submit__is_driven_by_wait_and_next_alone),
      cmocka_unit_test(test_submit__into_a_closing_orchestrator),
      cmocka_unit_test(test_reentrant__a_slot_is_told_so),
      cmocka_unit_test(test_free__inside_its_own_slot_frees_it_afterwards),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
