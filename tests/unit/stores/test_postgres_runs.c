/* Whole runs on the PostgreSQL store: every call of theirs to the store waits. (label: threads) */
#include "stores/conformance.h"

#include <aiorch/aiorch.h>
#include <pthread.h>

#include "pipeline/orch.h"
#include "stores/postgres_server.c"
#include "support/journeys.h"

/* An embedder whose vectors are what letters a text has, and a provider. Both answer at once. */
enum { LETTERS = 32 };

static aiorch_status embed_letters(void *self, aiorch_call *call) {
  float rows[64][LETTERS];
  size_t n = aiorch_call_text_count(call), len = 0;
  const char *text = NULL;
  (void)self;
  memset(rows, 0, sizeof rows);
  for (size_t i = 0; i < n && i < 64; i++) {
    rows[i][0] = 1;
    (void)aiorch_call_text(call, i, &text, &len);
    for (size_t c = 0; c < len; c++) rows[i][1 + (size_t)(unsigned char)text[c] % (LETTERS - 1)] += 0.01f;
  }
  (void)aiorch_call_put_vectors(call, rows[0], n, LETTERS, 0);
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static aiorch_status say_something(void *self, aiorch_call *call) {
  (void)self;
  (void)aiorch_call_emit(call, "From eight to six.", 18);
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static void add_plugins(aiorch_config *config) {
  const aiorch_embedder_vtbl embedder = {.struct_size = sizeof embedder,
                                         .flags = AIORCH_PLUGIN_ONE_PURPOSE,
                                         .dimensions = LETTERS,
                                         .fingerprint = "letters",
                                         .embed = embed_letters};
  const aiorch_provider_vtbl provider = {.struct_size = sizeof provider, .model = "m", .generate = say_something};
  assert_int_equal(aiorch_config_set_embedder(config, &embedder, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "retrieve.threshold", 0.1, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "cache.threshold", 0.9999, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "instant", &provider, NULL, NULL), AIORCH_OK);
}

static bool with_plugins;

static aiorch *open_orch(const char *url, const char *const *settings) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", url, strlen(url), NULL), AIORCH_OK);
  if (with_plugins) add_plugins(config);
  for (; settings != NULL && settings[0] != NULL; settings += 2) {
    bool is_number = settings[1][0] >= '0' && settings[1][0] <= '9';
    assert_int_equal(is_number ? aiorch_config_set_i64(config, settings[0], strtoll(settings[1], NULL, 10), NULL)
                               : aiorch_config_set_str(config, settings[0], settings[1], strlen(settings[1]), NULL),
                     AIORCH_OK);
  }
  if (aiorch_open(config, &orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_config_free(config);
  aiorch_error_free(error);
  return orch;
}

static void add_document(aiorch *orch, const char *source, const char *text) {
  aiorch_document *document = NULL;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_document_new(&document), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(document, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, strlen(text)), AIORCH_OK);
  if (aiorch_knowledge_add(orch, "acme", 4, document, 10000, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_document_free(document);
  aiorch_error_free(error);
}

static aiorch_run *ask(aiorch *orch, const char *question) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(orch, "acme", 4, "alice", 5, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)), AIORCH_OK);
  return run;
}

static void expect_answer(aiorch_run *run, const char *words) {
  const char *answer = NULL;
  assert_int_equal(aiorch_run_answer(run, &answer, NULL), AIORCH_OK);
  if (strstr(answer, words) == NULL) fail_msg("\"%s\" is not in: %s", words, answer);
}

static void test_execute__answers_and_answers_again(void **state) {
  (void)state;
  empty_tables();
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES"), NULL);
  add_document(orch, "hours.md", "The shop is open from eight to six. On Sundays it is closed.");
  for (int i = 0; i < 3; i++) {
    aiorch_run *run = ask(orch, "When is the shop open?");
    aiorch_status status = aiorch_run_execute(run);
    if (status != AIORCH_OK) fail_msg("%s", aiorch_error_message(aiorch_run_error(run)));
    expect_answer(run, "eight");
    aiorch_run_free(run);
  }
  assert_int_equal(aiorch_close(orch, 5000), AIORCH_OK);
  aiorch_free(orch);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_api_calls"), 3);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_api_calls WHERE cache >= 2"), 2);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_attempts WHERE state <> 1"), 0);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admissions"), 3);
}

/* What a run that finds no answer asks the store for, with an embedder and answers to other questions: five calls, one after the other,
 * before the provider is asked, and afterwards two side by side. */
static void test_execute__journeys_of_a_miss(void **state) {
  static const char *const wanted[] = {"enter", "attempt", "near", "both", "attempt", "settle", "put"};
  (void)state;
  empty_tables();
  with_plugins = true;
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES"), NULL);
  with_plugins = false;
  add_document(orch, "hours.md", "The shop is open from eight to six. On Sundays it is closed.");
  add_document(orch, "keys.md", "The key of the shop hangs beside the door.");
  aiorch_run *run = ask(orch, "Who has the key?");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  aiorch_run_free(run);
  journeys_begin(orch->store);
  run = ask(orch, "When is the shop open?");
  if (aiorch_run_execute(run) != AIORCH_OK) fail_msg("%s", aiorch_error_message(aiorch_run_error(run)));
  expect_answer(run, "eight");
  aiorch_run_free(run);
  int n = atomic_load(&journeys.count);
  for (int i = 0; i < n && i < 7; i++) assert_string_equal(journeys.names[i], wanted[i]);
  assert_int_equal(n, 7);
  assert_int_equal(aiorch_close(orch, 5000), AIORCH_OK);
  aiorch_free(orch);
}

static void test_next__pulled_to_the_end(void **state) {
  (void)state;
  empty_tables();
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES_PGBOUNCER"), NULL);
  add_document(orch, "hours.md", "The shop is open from eight to six.");
  aiorch_run *run = ask(orch, "When is the shop open?");
  const aiorch_event *event = NULL;
  aiorch_status status;
  do status = aiorch_run_next(run, 1000, &event);
  while (status == AIORCH_OK || status == AIORCH_AGAIN);
  assert_int_equal(status, AIORCH_DONE);
  expect_answer(run, "eight");
  aiorch_run_free(run);
  assert_int_equal(aiorch_close(orch, 5000), AIORCH_OK);
  aiorch_free(orch);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_api_calls"), 1);
}

/* Freed at any moment: nothing hangs, nothing is used after it was freed, and what was begun has its row. */
static void test_free__in_mid_call(void **state) {
  (void)state;
  empty_tables();
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES"), NULL);
  add_document(orch, "hours.md", "The shop is open from eight to six.");
  for (int i = 0; i < 40; i++) {
    aiorch_run *run = ask(orch, "When is the shop open?");
    const aiorch_event *event = NULL;
    for (int k = 0; k < i; k++)
      if (aiorch_run_next(run, 0, &event) == AIORCH_DONE) break;
    aiorch_run_free(run);
  }
  assert_int_equal(aiorch_close(orch, 5000), AIORCH_OK);
  aiorch_free(orch);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_attempts WHERE state = 0"), 0);
}

typedef struct asker {
  aiorch *orch;
  int number, good;
} asker;

static void *ask_many(void *ctx) {
  asker *a = ctx;
  for (int i = 0; i < 20; i++) {
    char question[64];
    snprintf(question, sizeof question, "When is the shop open, %d %d?", a->number, i);
    aiorch_run *run = NULL;
    if (aiorch_run_new(a->orch, "acme", 4, "bob", 3, &run) != AIORCH_OK) continue;
    aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question));
    a->good += aiorch_run_execute(run) == AIORCH_OK;
    aiorch_run_free(run);
  }
  return NULL;
}

static void test_execute__from_several_threads_to_the_limit(void **state) {
  (void)state;
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  asker askers[THREADS];
  int good = 0;
  empty_tables();
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES"), NULL);
  add_document(orch, "hours.md", "The shop is open from eight to six.");
  for (int i = 0; i < THREADS; i++) {
    askers[i] = (asker){orch, i, 0};
    assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &askers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    good += askers[i].good;
  }
  assert_int_equal(aiorch_close(orch, 5000), AIORCH_OK);
  aiorch_free(orch);
  assert_int_equal(good, 20);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_api_calls"), 20);
}

/* How many of three runs are admitted where two may be. */
static int admitted_of_three(const char *const *settings) {
  int n = 0;
  empty_tables();
  aiorch *orch = open_orch(variable("AIORCH_TEST_POSTGRES"), settings);
  for (int i = 0; i < 3; i++) {
    aiorch_run *run = ask(orch, "When is the shop open?");
    aiorch_status status = aiorch_stage_rate_limit(run);
    n += status == AIORCH_OK;
    if (status != AIORCH_OK) {
      assert_int_equal(status, AIORCH_E_RATE_LIMITED);
      assert_true(aiorch_error_retry_after_ms(aiorch_run_error(run)) > 0);
    }
    aiorch_run_free(run);
  }
  assert_int_equal(aiorch_close(orch, 10000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  return n;
}

static void test_rate_limit__by_rate_in_one_row(void **state) {
  static const char *const by_log[] = {"rate_limit.requests", "2", NULL};
  static const char *const by_rate[] = {"rate_limit.requests", "2", "postgres.limiter", "rate", NULL};
  static const char *const money[] = {"rate_limit.requests", "2", "postgres.limiter", "rate", "budget.user_nano_usd", "1000000", NULL};
  (void)state;
  assert_int_equal(admitted_of_three(by_log), 2);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admissions"), 2);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admission_rates"), 0);
  assert_int_equal(admitted_of_three(by_rate), 2);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admissions"), 0);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admission_rates"), 1);
  assert_int_equal(admitted_of_three(money), 2); /* which the log alone can set right afterwards */
  assert_true(admin_number("SELECT count(*) FROM aiorch.admissions") >= 2);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.admission_rates"), 0);
}

/* The password is in nothing that can be read from outside. */
static void test_open__password_is_not_told(void **state) {
  (void)state;
  char url[256];
  aiorch_config *config = NULL;
  aiorch_text *text = NULL;
  const char *value = NULL;
  snprintf(url, sizeof url, "postgresql://app:s3cr3t@%s", strchr(variable("AIORCH_TEST_POSTGRES"), '@') + 1);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", url, strlen(url), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_get(config, "store", &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &value, NULL), AIORCH_OK);
  assert_non_null(strstr(value, "postgresql://app@127.0.0.1:"));
  assert_null(strstr(value, "s3cr3t"));
  aiorch_text_free(text);
  aiorch_config_free(config);
  aiorch *orch = open_orch(url, NULL);
  assert_int_equal(aiorch_stats(orch, "acme", 4, 5000, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &value, NULL), AIORCH_OK);
  assert_non_null(strstr(value, "postgresql://app@127.0.0.1:"));
  assert_null(strstr(value, "s3cr3t"));
  aiorch_text_free(text);
  aiorch_free(orch);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_execute__answers_and_answers_again),
    cmocka_unit_test(test_execute__journeys_of_a_miss),
    cmocka_unit_test(test_next__pulled_to_the_end),
    cmocka_unit_test(test_free__in_mid_call),
    cmocka_unit_test(test_execute__from_several_threads_to_the_limit),
    cmocka_unit_test(test_rate_limit__by_rate_in_one_row),
    cmocka_unit_test(test_open__password_is_not_told),
  };
  need_server_with(argv, "--schema=aiorch");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
