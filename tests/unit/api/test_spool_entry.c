/* The spool for operators, and runs while the store is away. (label: threads) */
#include "support/pipeline_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stores/spooled_private.h"
#include "support/failing_store.h"
#include "support/test_alloc.h"
#include "text/json.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 10, .output = 5}};

typedef struct away {
  fixture f;
  failing_store store;
  aiorch_config *config;
  char folder[256], settings[600];
} away;

static int setup(void **state) {
  static int number;
  const char *base = getenv("AIORCH_TEST_TMP");
  away *a = calloc(1, sizeof *a);
  assert_non_null(a);
  (void)snprintf(a->folder, sizeof a->folder, "%.200s/entry-%d-%d", base != NULL ? base : "/tmp", (int)getpid(), number++);
  (void)snprintf(a->settings, sizeof a->settings,
                 "{\"spool\":{\"mode\":\"on\",\"path\":\"%s\"},\"rate_limit.on_store_down\":\"open\"}", a->folder);
  fixture_open(&a->f, a->settings, answer, 1, NULL, 0);
  assert_non_null(a->f.orch->spooled);
  a->f.clock.clock = *aio__clock_system(); /* rows are written by a thread, for which virtual time would not wait */
  failing_store_stand_before_store(&a->store, ((aio__spooled *)a->f.orch->spooled)->inner);
  assert_int_equal(aiorch_config_new(&a->config), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(a->config, a->settings, strlen(a->settings), NULL, NULL), AIORCH_OK);
  *state = a;
  return 0;
}

static int teardown(void **state) {
  away *a = *state;
  aio__spool_files files;
  char path[400];
  aiorch_config_free(a->config);
  fixture_close(&a->f);
  if (aio__spool_list(aio__alloc_default(), a->folder, &files, NULL) == AIORCH_OK) {
    for (size_t i = 0; i < files.n; i++) {
      (void)snprintf(path, sizeof path, "%.250s/%s", a->folder, files.file[i].name);
      (void)unlink(path);
    }
    aio__spool_files_free(&files);
  }
  (void)rmdir(a->folder);
  free(a);
  return 0;
}

static void all_fail(away *a, aiorch_status status) {
  for (int i = 0; i < FAILING_CALLS; i++) a->store.fails[i] = status;
}

static aio__json *parse(aiorch_text *from) {
  static const aio__json_limits limits = {
    .max_bytes = 1 << 24, .max_depth = 16, .syntax_status = AIORCH_E_INVALID, .name = "report"};
  const char *text = NULL;
  size_t len = 0;
  aio__json *json = NULL;
  assert_int_equal(aiorch_text_get(from, &text, &len), AIORCH_OK);
  assert_int_equal(aio__json_parse(aio__alloc_default(), aio__str_n(text, len), &limits, &json, NULL), AIORCH_OK);
  aiorch_text_free(from);
  return json;
}

static int64_t number(const aio__json_value *object, const char *key) {
  int64_t value = -1;
  if (!aio__json_i64(aio__json_get(object, key), &value)) fail_msg("%s is no number", key);
  return value;
}

static aio__json *list(away *a) {
  aiorch_text *text = NULL;
  assert_int_equal(aiorch_spool_list(a->config, &text, NULL), AIORCH_OK);
  return parse(text);
}

static int64_t listed(away *a, const char *key) {
  aio__json *json = list(a);
  int64_t value = number(aio__json_root(json), key);
  aio__json_free(json);
  return value;
}

static aiorch_status replay(away *a, int32_t what, int64_t *replayed, int64_t *poison) {
  aiorch_status status = AIORCH_AGAIN;
  *replayed = *poison = 0;
  (void)alarm(60);
  while (status == AIORCH_AGAIN) {
    aiorch_text *text = NULL;
    status = aiorch_spool_replay(a->f.orch, what, 1000, &text, NULL);
    if (status < 0) break;
    aio__json *json = parse(text);
    *replayed += number(aio__json_root(json), "replayed");
    *poison += number(aio__json_root(json), "poison");
    aio__json_free(json);
  }
  (void)alarm(0);
  return status;
}

static int64_t runs_in_store(away *a) {
  aiorch_text *text = NULL;
  assert_int_equal(aiorch_costs(a->f.orch, "acme", 4, 0, INT64_MAX, "day", 1000, &text, NULL), AIORCH_OK);
  aio__json *json = parse(text);
  int64_t runs = number(aio__json_root(json), "runs");
  aio__json_free(json);
  return runs;
}

static void test_run__goes_on_while_the_store_is_away(void **state) {
  away *a = *state;
  int64_t replayed, poison;
  all_fail(a, AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 5; i++) {
    aiorch_run *run = fixture_execute(&a->f, "What?", AIORCH_OK);
    assert_string_equal(fixture_answer(run), "An answer.");
    assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST), AIORCH_OUTCOME_OK);
    aiorch_run_free(run);
  }
  assert_int_equal(a->f.first.calls, 5);
  assert_int_equal(fixture_counter(&a->f, AIO__N_COST_ROWS), 5);
  assert_int_equal(fixture_counter(&a->f, AIO__N_COST_SPOOLED), 10); /* an attempt before the call, a settlement after it */
  assert_int_equal(listed(a, "rows"), 10);
  all_fail(a, AIORCH_OK);
  assert_int_equal(replay(a, 0, &replayed, &poison), AIORCH_OK);
  assert_int_equal(fixture_counter(&a->f, AIO__N_SPOOL_REPLAYED), 10);
  assert_int_equal(listed(a, "rows"), 0);
  assert_int_equal(runs_in_store(a), 5);
}

static void test_run__is_told_when_the_spool_does_not_take_it_either(void **state) {
  away *a = *state;
  char other[300];
  assert_int_equal(rmdir(a->folder), 0);
  FILE *file = fopen(a->folder, "w"); /* in the way of the folder */
  assert_non_null(file);
  assert_int_equal(fclose(file), 0);
  a->store.fails[FAILING_SETTLE] = AIORCH_E_STORE_DOWN;
  aiorch_run *run = fixture_execute(&a->f, "What?", AIORCH_E_STORE);
  const char *words = aiorch_error_message(aiorch_run_error(run));
  assert_non_null(strstr(words, "spool.path"));
  assert_non_null(strstr(words, "the disk is gone"));
  assert_int_equal(fixture_counter(&a->f, AIO__N_SPOOL_FAILED), 1);
  aiorch_run_free(run);
  (void)snprintf(other, sizeof other, "%s", a->folder);
  assert_int_equal(unlink(other), 0);
  a->store.fails[FAILING_SETTLE] = AIORCH_OK;
}

static void test_spool_list__files_and_why_rows_were_refused(void **state) {
  away *a = *state;
  int64_t replayed, poison;
  all_fail(a, AIORCH_E_STORE_DOWN);
  aiorch_run_free(fixture_execute(&a->f, "What?", AIORCH_OK));
  aio__json *json = list(a);
  const aio__json_value *files = aio__json_get(aio__json_root(json), "files");
  assert_true(aio__json_size(files) >= 1);
  assert_true(number(aio__json_root(json), "bytes") > AIO__SPOOL_FILE_HEAD);
  aio__json_free(json);
  all_fail(a, AIORCH_OK);
  a->store.fails[FAILING_SETTLE] = AIORCH_E_STORE;
  assert_int_equal(replay(a, 0, &replayed, &poison), AIORCH_OK);
  assert_int_equal(listed(a, "poison"), 1);
  json = list(a);
  files = aio__json_get(aio__json_root(json), "files");
  const aio__json_value *refused = aio__json_get(aio__json_first(files), "refused");
  aio__str reason = AIO__LIT("");
  assert_int_equal(aio__json_size(refused), 1);
  assert_true(aio__json_str(aio__json_get(aio__json_first(refused), "reason"), &reason));
  assert_string_equal(reason.p, "the disk is gone");
  aio__json_free(json);
  a->store.fails[FAILING_SETTLE] = AIORCH_OK;
  assert_int_equal(replay(a, AIORCH_SPOOL_POISON | AIORCH_SPOOL_ANY_STORE, &replayed, &poison), AIORCH_OK);
  assert_int_equal(listed(a, "poison"), 0);
  assert_int_equal(runs_in_store(a), 1);
}

static void test_spool_list__odd_arguments(void **state) {
  away *a = *state;
  aiorch_text *text = NULL;
  assert_int_equal(aiorch_spool_list(NULL, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_spool_list(a->config, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_str(a->config, "spool.path", "/no/such/folder", 15, NULL), AIORCH_OK);
  assert_int_equal(listed(a, "rows"), 0);
}

static void test_spool_list__out_of_memory(void **state) {
  away *a = *state;
  aio__test_alloc memory;
  aiorch_error *error = NULL;
  all_fail(a, AIORCH_E_STORE_DOWN);
  aiorch_run_free(fixture_execute(&a->f, "What?", AIORCH_OK));
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  aio__test_alloc_init(&memory);
  do {
    aiorch_config *config = NULL;
    aiorch_text *text = NULL;
    aio__test_alloc_next(&memory);
    if (aiorch_config_new_with(&memory.al, &config) == AIORCH_OK) {
      aiorch_status status = aiorch_config_load_json(config, a->settings, strlen(a->settings), NULL, NULL);
      if (status == AIORCH_OK) status = aiorch_spool_list(config, &text, error);
      assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
      aiorch_text_free(text);
    }
    aiorch_config_free(config);
    assert_int_equal(memory.live, 0);
  } while (memory.failed > 0);
  aiorch_error_free(error);
  all_fail(a, AIORCH_OK);
}

static void test_spool_replay__odd_arguments(void **state) {
  away *a = *state;
  aiorch_text *text = NULL;
  fixture plain;
  assert_int_equal(aiorch_spool_replay(a->f.orch, 4, 1000, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_spool_replay(a->f.orch, -1, 1000, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_spool_replay(a->f.orch, 0, 1000, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_spool_replay(NULL, 0, 1000, &text, NULL), AIORCH_E_INVALID);
  fixture_open(&plain, NULL, NULL, 0, NULL, 0);
  assert_null(plain.orch->spooled);
  assert_int_equal(aiorch_spool_replay(plain.orch, 0, 1000, &text, NULL), AIORCH_E_UNSUPPORTED);
  fixture_close(&plain);
}

static void test_spool_replay__the_store_is_still_away(void **state) {
  away *a = *state;
  int64_t replayed, poison;
  all_fail(a, AIORCH_E_STORE_READ_ONLY);
  aiorch_run_free(fixture_execute(&a->f, "What?", AIORCH_OK));
  assert_int_equal(replay(a, 0, &replayed, &poison), AIORCH_E_STORE_READ_ONLY);
  assert_int_equal(listed(a, "rows"), 2);
  all_fail(a, AIORCH_OK);
}

static void test_stats__say_what_the_spool_holds(void **state) {
  away *a = *state;
  aiorch_text *text = NULL;
  a->store.fails[FAILING_SETTLE] = AIORCH_E_STORE_DOWN;
  aiorch_run_free(fixture_execute(&a->f, "What?", AIORCH_OK));
  assert_int_equal(aiorch_stats(a->f.orch, "acme", 4, 1000, &text, NULL), AIORCH_OK);
  aio__json *json = parse(text);
  const aio__json_value *spool = aio__json_get(aio__json_root(json), "spool");
  assert_true(number(spool, "bytes") > AIO__SPOOL_FILE_HEAD);
  assert_int_equal(number(spool, "max_bytes"), 268435456);
  aio__json_free(json);
  a->store.fails[FAILING_SETTLE] = AIORCH_OK;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(test_run__goes_on_while_the_store_is_away),
    CASE(test_run__is_told_when_the_spool_does_not_take_it_either),
    CASE(test_spool_list__files_and_why_rows_were_refused),
    CASE(test_spool_list__odd_arguments),
    CASE(test_spool_list__out_of_memory),
    CASE(test_spool_replay__odd_arguments),
    CASE(test_spool_replay__the_store_is_still_away),
    CASE(test_stats__say_what_the_spool_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
