/* lib/pipeline/answer_meaning.c, with a model that is on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/aiorch.h>

#include "pipeline/run_state.h"
#include "support/model_files.h"

enum { TIMEOUT_MS = 60000 };

static char models[4096];

static const char text[] = "The kitchen is open from six in the evening. A query like this suggests spellings for misspelled words. "
                           "Bread is baked twice a day.";
static const char question[] = "Is there any spellchecking?";

static aiorch *open_with(const char *embedder) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "embedder", embedder, strlen(embedder), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "embedder.local.path", models, strlen(models), NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  return orch;
}

static void close_all(aiorch *orch, aiorch_run *run) {
  aiorch_run_free(run);
  assert_int_equal(aiorch_close(orch, TIMEOUT_MS), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
}

static aiorch_run *run_for(aiorch *orch) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(orch, "acme", 4, "ann", 3, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, sizeof question - 1), AIORCH_OK);
  return run;
}

static const char *answer_of(aiorch_run *run) {
  const char *answer = "";
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_answer(run, &answer, NULL), AIORCH_OK);
  return answer;
}

/* Sources of the host's own: nothing was retrieved, so the question has no vector yet. */
static void test_run_meaning__sources_of_the_host(void **state) {
  (void)state;
  aiorch *orch = open_with("local");
  aiorch_run *run = run_for(orch);
  assert_int_equal(aiorch_run_add_source(run, "menu", 4, "Notes", 5, text, sizeof text - 1), AIORCH_OK);
  const char *answer = answer_of(run);
  assert_non_null(strstr(answer, "suggests spellings"));
  assert_null(strstr(answer, "Bread"));
  close_all(orch, run);
}

static void test_run_meaning__what_retrieval_found(void **state) {
  (void)state;
  aiorch *orch = open_with("local");
  aiorch_document *document = NULL;
  uint64_t done = 0, left = 0;
  double similarity = 0;
  assert_int_equal(aiorch_document_new(&document), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(document, "menu", 4), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, sizeof text - 1), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(orch, "acme", 4, document, TIMEOUT_MS, NULL), AIORCH_OK);
  aiorch_document_free(document);
  assert_int_equal(aiorch_knowledge_embed(orch, "acme", 4, TIMEOUT_MS, &done, &left, NULL), AIORCH_OK);
  aiorch_run *run = run_for(orch);
  assert_non_null(strstr(answer_of(run), "suggests spellings"));
  assert_int_equal(aiorch_run_source_score(run, 0, NULL, &similarity), AIORCH_OK);
  assert_true(similarity > 0.25);
  close_all(orch, run);
}

static void test_run_meaning__none_without_an_embedder(void **state) {
  (void)state;
  aiorch *orch = open_with("none");
  aiorch_run *run = run_for(orch);
  assert_null(aio__run_meaning(run));
  assert_int_equal(aiorch_run_add_source(run, "menu", 4, "Notes", 5, text, sizeof text - 1), AIORCH_OK);
  assert_string_equal(answer_of(run), "The documents do not answer this.");
  close_all(orch, run);
}

/* The rest of the answer is made all the same. */
static void test_run_meaning__nothing_is_embedded_for_a_run_that_is_over(void **state) {
  (void)state;
  aiorch *orch = open_with("local");
  aiorch_run *run = run_for(orch);
  const aio__call_meaning *meaning = aio__run_meaning(run);
  const aio__str one = AIO__LIT("suggests spellings for misspelled words");
  double near = 7;
  assert_non_null(meaning);
  assert_true(meaning->far < meaning->near);
  run->deadline_ns = 0;
  assert_int_equal(meaning->similarities(meaning->ctx, &one, 1, &near), AIORCH_E_CANCELLED);
  assert_true(near > 6.9);
  run->deadline_ns = INT64_MAX;
  assert_int_equal(meaning->similarities(meaning->ctx, &one, 1, &near), AIORCH_OK);
  assert_true(near > 0.4 && near < 1);
  atomic_store(&run->cancelled, true);
  assert_int_equal(meaning->similarities(meaning->ctx, &one, 1, &near), AIORCH_E_CANCELLED);
  close_all(orch, run);
}

int main(void) {
  char path[4096];
  if (!aio__test_model_path("all-MiniLM-L6-v2", "config.json", path, sizeof path)) return 77;
  snprintf(models, sizeof models, "%.*s", (int)(strstr(path, "/all-MiniLM-L6-v2") - path), path);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_run_meaning__sources_of_the_host),
      cmocka_unit_test(test_run_meaning__what_retrieval_found),
      cmocka_unit_test(test_run_meaning__none_without_an_embedder),
      cmocka_unit_test(test_run_meaning__nothing_is_embedded_for_a_run_that_is_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
