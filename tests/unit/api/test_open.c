/* aiorch_open and what it checks together; the calls for many runs with what is no orchestrator. */
#include "support/pipeline_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/fake_vectors.h"

static const scripted_answer answer[] = {{.text = "An answer."}};

/* Opens over the memory store with these settings, which must fail. */
static void refused(const char *settings, aiorch_status expected, const char *words) {
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), "settings", NULL), AIORCH_OK);
  aiorch_status st = aiorch_open(config, &orch, error);
  if (st != expected) fail_msg("%s: %s, %s", settings, aiorch_status_name(st), aiorch_error_message(error));
  if (!strstr(aiorch_error_message(error), words)) fail_msg("%s: %s", settings, aiorch_error_message(error));
  assert_null(orch);
  aiorch_config_free(config);
  aiorch_error_free(error);
}

static void test_open__settings_that_do_not_fit_together(void **state) {
  (void)state;
  refused("{\"prompt.context_template\": \"{fence} only {fence}\"}", AIORCH_E_CONFIG, "no {sources}");
  refused("{\"prompt.context_template\": \"{sources} only\"}", AIORCH_E_CONFIG, "no {fence}");
  refused("{\"chunk\": {\"target_tokens\": 600, \"max_tokens\": 500}}", AIORCH_E_CONFIG,
          "chunk.target_tokens (600) is above chunk.max_tokens (500)");
  refused("{\"generate.chain\": \"nobody\"}", AIORCH_E_CONFIG, "no provider \"nobody\"");
}

static void test_open__files_that_settings_name(void **state) {
  (void)state;
  const char *folder = getenv("AIORCH_TEST_TMP");
  char path[3000], settings[3200];
  (void)snprintf(path, sizeof path, "%s/broken.json", folder ? folder : ".");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs("{\"prices\": [{}], \"rules\": [{}]}", file) >= 0);
  assert_int_equal(fclose(file), 0);
  static const char *const keys[] = {"validate.rules_file", "cost.prices_file"};
  for (size_t i = 0; i < 2; i++) {
    (void)snprintf(settings, sizeof settings, "{\"%s\": \"%s\"}", keys[i], path);
    refused(settings, AIORCH_E_CONFIG, keys[i]);
    (void)snprintf(settings, sizeof settings, "{\"%s\": \"%s.none\"}", keys[i], path);
    refused(settings, AIORCH_E_NOT_FOUND, keys[i]);
  }
  assert_int_equal(remove(path), 0);
}

static void test_open__an_embedder_needs_a_threshold(void **state) {
  (void)state;
  fake_vectors vectors;
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  fake_vectors_init(&vectors);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  fake_vectors_register(&vectors, config);
  assert_int_equal(aiorch_open(config, &orch, error), AIORCH_E_CONFIG);
  assert_non_null(strstr(aiorch_error_message(error), "retrieve.threshold must be set for the embedder"));
  /* The plug-ins are still the configuration's: with the settings it opens, also one below 0. */
  assert_int_equal(aiorch_config_set_f64(config, "retrieve.threshold", -0.5, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, error), AIORCH_E_CONFIG);
  assert_non_null(strstr(aiorch_error_message(error), "cache.threshold must be set for the embedder"));
  assert_int_equal(aiorch_config_set_f64(config, "cache.threshold", 0.8, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, error), AIORCH_OK);
  aiorch *second = NULL;
  assert_int_equal(aiorch_open(config, &second, error), AIORCH_E_STATE);
  assert_non_null(strstr(aiorch_error_message(error), "belong to an orchestrator already"));
  assert_null(second);
  aiorch_config_free(config);
  assert_int_equal(aiorch_close(orch, 1000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  aiorch_error_free(error);
  fake_vectors_free(&vectors);
}

static void test_open__what_it_needs(void **state) {
  (void)state;
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_open(config, NULL, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "a place for the handle"));
  assert_int_equal(aiorch_open(NULL, &orch, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "needs a configuration"));
  assert_int_equal(aiorch_open(NULL, &orch, NULL), AIORCH_E_INVALID);
  assert_null(orch);
  aiorch_config_free(config);
  aiorch_error_free(error);
}

static void test_open__without_plug_ins_a_configuration_serves_twice(void **state) {
  (void)state;
  aiorch_config *config = NULL;
  aiorch *orch[2] = {NULL, NULL};
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  for (int i = 0; i < 2; i++) assert_int_equal(aiorch_open(config, &orch[i], NULL), AIORCH_OK);
  aiorch_config_free(config);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(aiorch_close(orch[i], 1000), AIORCH_OK);
    assert_int_equal(aiorch_free(orch[i]), AIORCH_OK);
  }
}

static void test_many__what_is_no_orchestrator(void **state) {
  (void)state;
  static const uint64_t zeros[64] = {0};
  aiorch_run *run = NULL;
  int32_t fd = -1;
  aiorch *none = NULL;
  assert_int_equal(aiorch_close(none, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_free(none), AIORCH_OK);
  assert_int_equal(aiorch_cancel(none, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_wait(none, 0, &run), AIORCH_E_INVALID);
  assert_int_equal(aiorch_fd(none, &fd), AIORCH_E_INVALID);
  assert_int_equal(aio__orch_check((const aiorch *)(const void *)zeros), AIORCH_E_INVALID);
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  assert_int_equal(aiorch_cancel(f.orch, NULL, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cancel(f.orch, "nobody", 6), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_wait(f.orch, 0, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_wait(f.orch, 0, &run), AIORCH_AGAIN);
  assert_null(run);
  assert_int_equal(aiorch_fd(f.orch, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_fd(f.orch, &fd), AIORCH_OK);
  assert_true(fd >= 0);
  fixture_close(&f);
}

static void test_close__ends_what_nobody_drives(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_stage_validate(run), AIORCH_OK);
  assert_int_equal(aiorch_close(f.orch, -1), AIORCH_OK); /* below 0: no wait */
  assert_int_equal(aiorch_run_status(run), AIORCH_E_CANCELLED);
  assert_non_null(strstr(aiorch_error_message(aiorch_run_error(run)), "closed"));
  assert_int_equal(fixture_counter(&f, AIO__N_RUNS_CANCELLED), 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_enter__names_of_tenants(void **state) {
  (void)state;
  fixture f;
  aio__str tenant;
  aiorch_error error;
  char name[300];
  memset(name, 'x', sizeof name);
  aio__error_init(&error);
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  assert_int_equal(aio__orch_enter(f.orch, AIO__LIT(""), &tenant, &error), AIORCH_E_INVALID);
  assert_non_null(strstr(error.message, "\"tenancy\" is \"single\""));
  assert_int_equal(aio__orch_enter(f.orch, aio__str_n(name, 255), &tenant, &error), AIORCH_OK);
  assert_int_equal(aio__orch_enter(f.orch, aio__str_n(name, 256), &tenant, &error), AIORCH_E_INVALID);
  assert_non_null(strstr(error.message, "the tenant is 256 bytes long"));
  assert_int_equal(aio__orch_enter(f.orch, AIO__LIT("a\x7f"), &tenant, &error), AIORCH_E_INVALID);
  assert_non_null(strstr(error.message, "at byte 1"));
  assert_int_equal(aio__orch_enter(NULL, AIO__LIT("a"), &tenant, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_close(f.orch, 0), AIORCH_OK);
  assert_int_equal(aio__orch_enter(f.orch, AIO__LIT("a"), &tenant, &error), AIORCH_E_CLOSED);
  fixture_close(&f);
  fixture_open(&f, "{\"tenancy\": \"single\"}", answer, 1, NULL, 0);
  assert_int_equal(aio__orch_enter(f.orch, AIO__LIT(""), &tenant, &error), AIORCH_OK);
  assert_true(aio__str_eqz(tenant, "default"));
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open__settings_that_do_not_fit_together),
      cmocka_unit_test(test_open__files_that_settings_name),
      cmocka_unit_test(test_open__an_embedder_needs_a_threshold),
      cmocka_unit_test(test_open__what_it_needs),
      cmocka_unit_test(test_open__without_plug_ins_a_configuration_serves_twice),
      cmocka_unit_test(test_many__what_is_no_orchestrator),
      cmocka_unit_test(test_close__ends_what_nobody_drives),
      cmocka_unit_test(test_enter__names_of_tenants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
