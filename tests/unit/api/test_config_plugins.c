/* lib/api/config_plugins.c: the entry points; the rules themselves are tested with core/plugins.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "api/config.h"
#include "support/test_alloc.h"

static void count_destroy(void *self) {
  ++*(int *)self;
}

static aiorch_status slot(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_SLOT_OK;
}

static void log_nothing(void *self, int32_t level, const char *json, size_t len) {
  (void)self;
  (void)level;
  (void)json;
  (void)len;
}

static const aiorch_embedder_vtbl EMBEDDER = {.struct_size = sizeof(aiorch_embedder_vtbl), .dimensions = 3,
                                              .fingerprint = "f", .embed = slot, .destroy = count_destroy};
static const aiorch_vector_store_vtbl VECTOR_STORE = {.struct_size = sizeof(aiorch_vector_store_vtbl), .upsert = slot,
                                                      .remove = slot, .search = slot, .destroy = count_destroy};
static const aiorch_provider_vtbl PROVIDER = {.struct_size = sizeof(aiorch_provider_vtbl), .model = "m",
                                              .generate = slot, .destroy = count_destroy};
static const aiorch_logger_vtbl LOGGER = {.struct_size = sizeof(aiorch_logger_vtbl), .log = log_nothing,
                                          .destroy = count_destroy};

static void test_free__destroys_what_no_orchestrator_took(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_config *config;
  int destroyed[5] = {0, 0, 0, 0, 0};
  aio__test_alloc_init(&t);
  assert_int_equal(aiorch_config_new_with(&t.al, &config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_embedder(config, &EMBEDDER, &destroyed[0], NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_vector_store(config, &VECTOR_STORE, &destroyed[1], NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_logger(config, &LOGGER, &destroyed[2], NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "a", &PROVIDER, &destroyed[3], NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "b", &PROVIDER, &destroyed[4], NULL), AIORCH_OK);
  aiorch_config_free(config);
  for (int i = 0; i < 5; i++) assert_int_equal(destroyed[i], 1);
  assert_int_equal(t.live, 0);
}

static void test_free__leaves_what_was_taken(void **state) {
  (void)state;
  aiorch_config *config;
  aio__plugins taken;
  int destroyed = 0;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "a", &PROVIDER, &destroyed, NULL), AIORCH_OK);
  aio__plugins_move(&taken, &config->plugins);
  aiorch_config_free(config);
  assert_int_equal(destroyed, 0);
  aio__plugins_destroy(&taken);
  assert_int_equal(destroyed, 1);
}

static void test_registration__refused_self_stays_the_callers(void **state) {
  (void)state;
  aiorch_config *config;
  aiorch_error *error;
  int destroyed = 0;
  aiorch_embedder_vtbl e = EMBEDDER;
  aiorch_vector_store_vtbl s = VECTOR_STORE;
  aiorch_provider_vtbl p = PROVIDER;
  aiorch_logger_vtbl l = LOGGER;
  e.struct_size = s.struct_size = p.struct_size = l.struct_size = 8;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_set_embedder(config, &e, &destroyed, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "embedder: struct_size is 8"));
  assert_int_equal(aiorch_config_set_vector_store(config, &s, &destroyed, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "vector store"));
  assert_int_equal(aiorch_config_add_provider(config, "a", &p, &destroyed, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "provider"));
  assert_int_equal(aiorch_config_set_logger(config, &l, &destroyed, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "logger"));
  assert_int_equal(aiorch_config_add_provider(config, "extractive", &PROVIDER, &destroyed, error), AIORCH_E_INVALID);
  aiorch_config_free(config);
  assert_int_equal(destroyed, 0);
  aiorch_error_free(error);
}

static void test_registration__no_configuration(void **state) {
  (void)state;
  int destroyed = 0;
  assert_int_equal(aiorch_config_set_embedder(NULL, &EMBEDDER, &destroyed, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_vector_store(NULL, &VECTOR_STORE, &destroyed, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_add_provider(NULL, "a", &PROVIDER, &destroyed, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_logger(NULL, &LOGGER, &destroyed, NULL), AIORCH_E_INVALID);
  assert_int_equal(destroyed, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_free__destroys_what_no_orchestrator_took),
      cmocka_unit_test(test_free__leaves_what_was_taken),
      cmocka_unit_test(test_registration__refused_self_stays_the_callers),
      cmocka_unit_test(test_registration__no_configuration),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
