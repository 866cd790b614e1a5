/* lib/api/config_load.c and lib/api/config_place.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <aiorch/error.h>

#include "api/config.h"
#include "support/test_alloc.h"

typedef struct fixture {
  aiorch_config *config;
  aiorch_error *error;
  char folder[64], file[96];
} fixture;

static void clear_environment(void) {
  unsetenv("AIORCH_CONFIG");
  unsetenv("AIORCH_STORE");
  unsetenv("AIORCH_TENANCY");
  unsetenv("AIORCH_DEADLINE_MS");
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  const char *temp = getenv("TMPDIR");
  assert_non_null(f);
  snprintf(f->folder, sizeof f->folder, "%.40s/aio-config-XXXXXX", temp == NULL || strlen(temp) > 40 ? P_tmpdir : temp);
  assert_non_null(mkdtemp(f->folder));
  snprintf(f->file, sizeof f->file, "%s/c.json", f->folder);
  assert_int_equal(aiorch_config_new(&f->config), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&f->error), AIORCH_OK);
  clear_environment();
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  clear_environment();
  aiorch_config_free(f->config);
  aiorch_error_free(f->error);
  unlink(f->file);
  rmdir(f->folder);
  free(f);
  return 0;
}

static aiorch_status load(fixture *f, const char *json) {
  return aiorch_config_load_json(f->config, json, strlen(json), "c.json", f->error);
}

static void expect_error(fixture *f, const char *json, aiorch_status status, const char *words) {
  aiorch_status got = load(f, json);
  const char *message = aiorch_error_message(f->error);
  if (got != status || strstr(message, words) == NULL) fail_msg("%s: %d \"%s\"", json, (int)got, message);
}

static void write_file(const fixture *f, const char *text, size_t len) {
  FILE *file = fopen(f->file, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static void test_load_json__flat_and_nested(void **state) {
  fixture *f = *state;
  assert_int_equal(load(f, "{\"cache.ttl_s\": 61, \"cache\": {\"mode\": \"off\", \"max_rows\": 7}, \"anonymous\": "
                           "true,\n"
                           "\"generate\": {\"temperature\": 1, \"model\": \"m\"}, \"retrieve.threshold\": 0.5}"),
                   AIORCH_OK);
  assert_int_equal(f->config->options.cache_ttl_s, 61);
  assert_string_equal(f->config->options.cache_mode, "off");
  assert_int_equal(f->config->options.cache_max_rows, 7);
  assert_int_equal(f->config->options.anonymous, 1);
  assert_true(f->config->options.generate_temperature > 0.99);
  assert_string_equal(f->config->options.generate_model, "m");
  assert_true(f->config->options.retrieve_threshold > 0.49);
  assert_int_equal(load(f, "{}"), AIORCH_OK);
  assert_int_equal(load(f, " {\"cache\": {}} "), AIORCH_OK);
  assert_int_equal(f->config->options.cache_ttl_s, 61);
}

/* "embedder" is a setting, and what the keys of others begin with. */
static void test_load_json__members_of_a_key_that_is_a_setting(void **state) {
  fixture *f = *state;
  assert_int_equal(load(f, "{\"embedder\": {\"local\": {\"path\": \"/m\", \"model\": \"bge-small-en-v1.5\"}}}"),
                   AIORCH_OK);
  assert_string_equal(f->config->options.embedder, "auto");
  assert_string_equal(f->config->options.embedder_local_path, "/m");
  assert_string_equal(f->config->options.embedder_local_model, "bge-small-en-v1.5");
  assert_int_equal(load(f, "{\"embedder\": \"none\", \"embedder.local\": {\"path\": \"/n\"}}"), AIORCH_OK);
  assert_string_equal(f->config->options.embedder, "none");
  assert_string_equal(f->config->options.embedder_local_path, "/n");
  assert_int_equal(load(f, "{\"embedder\": {}}"), AIORCH_OK);
  assert_string_equal(f->config->options.embedder, "none");
  expect_error(f, "{\"embedder\": {\"locl\": {\"path\": \"/m\"}}}", AIORCH_E_CONFIG_KEY,
               "\"embedder.locl.path\"; the nearest is \"embedder.local.path\"");
  expect_error(f, "{\"embedder\": {\"local\": {\"path\": \"/m\"}}, \"embedder.local.path\": \"/n\"}",
               AIORCH_E_CONFIG_SYNTAX, "comes twice");
  expect_error(f, "{\"embedder\": [1]}", AIORCH_E_CONFIG_TYPE, "\"embedder\" takes a text, not an array");
}

static void test_load_json__one_fault_and_nothing_is_set(void **state) {
  fixture *f = *state;
  const char *old = f->config->options.store;
  expect_error(f, "{\"store\": \"memory\", \"deadline_ms\": 5, \"anonymous\": true, \"cache.ttl_s\": 0}",
               AIORCH_E_CONFIG_RANGE, "\"cache.ttl_s\" takes 1 to 315360000, not 0");
  assert_ptr_equal(f->config->options.store, old);
  assert_int_equal(f->config->options.deadline_ms, 120000);
  assert_int_equal(f->config->options.anonymous, 0);
}

static void test_load_json__errors_name_text_line_and_key(void **state) {
  fixture *f = *state;
  expect_error(f, "{\n  \"deadline_ms\": 5,\n  \"cache\": {\n    \"mode\": \"on\",\n    \"tll_s\": 5\n  }\n}",
               AIORCH_E_CONFIG_KEY, "c.json, line 5: there is no setting \"cache.tll_s\"; the nearest is "
                                    "\"cache.ttl_s\"");
  expect_error(f, "{\"a\n", AIORCH_E_CONFIG_SYNTAX, "line 1");
  assert_int_equal(aiorch_config_load_json(f->config, "{\"x\": 1}", 8, NULL, f->error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(f->error), "configuration, line 1: "));
}

static void test_load_json__types(void **state) {
  fixture *f = *state;
  expect_error(f, "{\"deadline_ms\": \"5\"}", AIORCH_E_CONFIG_TYPE, "\"deadline_ms\" takes a whole number, not a text");
  expect_error(f, "{\"deadline_ms\": 5.5}", AIORCH_E_CONFIG_TYPE, "takes a whole number, not a fraction");
  expect_error(f, "{\"deadline_ms\": 1e300}", AIORCH_E_CONFIG_RANGE, "takes 1 to 86400000");
  expect_error(f, "{\"deadline_ms\": -1e300}", AIORCH_E_CONFIG_RANGE, "takes 1 to 86400000");
  expect_error(f, "{\"deadline_ms\": true}", AIORCH_E_CONFIG_TYPE, "not true or false");
  expect_error(f, "{\"deadline_ms\": null}", AIORCH_E_CONFIG_TYPE, "not null");
  expect_error(f, "{\"deadline_ms\": [1]}", AIORCH_E_CONFIG_TYPE, "not an array");
  expect_error(f, "{\"deadline_ms\": {\"x\": 1}}", AIORCH_E_CONFIG_TYPE, "\"deadline_ms\" takes a whole number, not "
                                                                         "an object");
  expect_error(f, "{\"deadline_ms\": {}}", AIORCH_E_CONFIG_TYPE, "not an object");
  expect_error(f, "{\"anonymous\": 1}", AIORCH_E_CONFIG_TYPE, "\"anonymous\" takes true or false, not a number");
  expect_error(f, "{\"store\": 1}", AIORCH_E_CONFIG_TYPE, "\"store\" takes a text, not a number");
  expect_error(f, "{\"retrieve.threshold\": \"0.5\"}", AIORCH_E_CONFIG_TYPE, "takes a number, not a text");
  expect_error(f, "{\"retrieve.threshold\": 1.5}", AIORCH_E_CONFIG_RANGE, "takes -1 to 1, not 1.5");
  expect_error(f, "{\"cache.mode\": \"of\"}", AIORCH_E_CONFIG_RANGE, "one of on|off|read|write|refresh, not \"of\"");
  expect_error(f, "[1]", AIORCH_E_CONFIG_SYNTAX, "an object of settings is needed, this is an array");
  expect_error(f, "7", AIORCH_E_CONFIG_SYNTAX, "a number");
  assert_int_equal(load(f, "{\"deadline_ms\": 1e3}"), AIORCH_OK);
  assert_int_equal(f->config->options.deadline_ms, 1000);
}

static void test_load_json__keys_that_come_twice(void **state) {
  fixture *f = *state;
  expect_error(f, "{\"deadline_ms\": 5, \"deadline_ms\": 5}", AIORCH_E_CONFIG_SYNTAX, "line 1");
  expect_error(f, "{\"cache.ttl_s\": 5,\n \"cache\": {\"ttl_s\": 5}}", AIORCH_E_CONFIG_SYNTAX,
               "c.json, line 2: \"cache.ttl_s\" comes twice");
  expect_error(f, "{\"cache\": {\"ttl_s\": 5},\n\n \"cache.ttl_s\": 5}", AIORCH_E_CONFIG_SYNTAX,
               "c.json, line 3: \"cache.ttl_s\" comes twice");
  assert_int_equal(f->config->options.cache_ttl_s, 86400);
}

static void test_load_json__unknown_sections(void **state) {
  fixture *f = *state;
  expect_error(f, "{\"cahce\": {\"ttl_s\": 5}}", AIORCH_E_CONFIG_KEY, "\"cahce.ttl_s\"; the nearest is "
                                                                      "\"cache.ttl_s\"");
  expect_error(f, "{\"cahce\": {}}", AIORCH_E_CONFIG_KEY, "no setting \"cahce\"");
  expect_error(f, "{\"\": 1}", AIORCH_E_CONFIG_KEY, "no setting \"\"");
  expect_error(f, "{\"cache\": 1}", AIORCH_E_CONFIG_KEY, "no setting \"cache\"");
  expect_error(f, "{\"cache\": {\"ttl_s\": {\"x\": 1}}}", AIORCH_E_CONFIG_TYPE, "\"cache.ttl_s\" takes a whole number");
  expect_error(f, "{\"cache.\": {\"ttl_s\": 1}}", AIORCH_E_CONFIG_KEY, "\"cache..ttl_s\"");
}

static void test_load_json__very_long_keys(void **state) {
  fixture *f = *state;
  enum { LONG = 100000 };
  char *json = malloc(LONG + 64);
  assert_non_null(json);
  memcpy(json, "{\"", 2);
  memset(json + 2, 'k', LONG);
  strcpy(json + 2 + LONG, "\": {\"deadline_ms\": 1}}");
  expect_error(f, json, AIORCH_E_CONFIG_KEY, "there is no setting \"kkkk");
  assert_true(strlen(aiorch_error_message(f->error)) < 400);
  free(json);
}

static void test_load_json__syntax_and_depth(void **state) {
  fixture *f = *state;
  static const char *const bad[] = {"", "{", "{\"deadline_ms\": 5,}", "{\"deadline_ms\": 5} x", "{'deadline_ms': 5}",
                                    "{\"deadline_ms\": 05}", "{\"store\": \"\xff\"}", "{\"store\": \"a\\u0000b\"}",
                                    "{\"deadline_ms\" 5}", "{// no\n}", "nul"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect_error(f, bad[i], AIORCH_E_CONFIG_SYNTAX, "c.json");
  enum { DEEP = 10000 };
  char *json = malloc(DEEP * 6 + 16);
  assert_non_null(json);
  json[0] = '\0';
  char *p = json;
  for (int i = 0; i < DEEP; i++) p += sprintf(p, "{\"a\":");
  strcpy(p, "1");
  p++;
  for (int i = 0; i < DEEP; i++) *p++ = '}';
  aiorch_status status = aiorch_config_load_json(f->config, json, (size_t)(p - json), "deep", f->error);
  assert_true(status == AIORCH_E_CONFIG_SYNTAX || status == AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(aiorch_error_message(f->error), "deep"));
  free(json);
}

static void test_load_json__size(void **state) {
  fixture *f = *state;
  char *json = malloc(AIO__CONFIG_TEXT_MAX + 1);
  assert_non_null(json);
  memset(json, ' ', AIO__CONFIG_TEXT_MAX + 1);
  json[0] = '{';
  json[1] = '}';
  assert_int_equal(aiorch_config_load_json(f->config, json, AIO__CONFIG_TEXT_MAX, "big", f->error), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(f->config, json, AIO__CONFIG_TEXT_MAX + 1, "big", f->error),
                   AIORCH_E_TOO_LARGE);
  free(json);
}

static void test_load_json__variables(void **state) {
  fixture *f = *state;
  assert_int_equal(setenv("AIO_TEST_VALUE", "/data", 1), 0);
  assert_int_equal(load(f, "{\"store\": \"${AIO_TEST_VALUE}/store\"}"), AIORCH_OK);
  assert_string_equal(f->config->options.store, "/data/store");
  unsetenv("AIO_NOT_THERE");
  expect_error(f, "{\n\"store\": \"${AIO_NOT_THERE}\"}", AIORCH_E_CONFIG_ENV, "c.json, line 2: \"store\" names "
                                                                              "${AIO_NOT_THERE}");
}

static void test_load_json__null_arguments(void **state) {
  fixture *f = *state;
  assert_int_equal(aiorch_config_load_json(NULL, "{}", 2, NULL, f->error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_load_json(f->config, NULL, 0, NULL, f->error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_load_file(f->config, NULL, f->error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_load_file(NULL, "x", f->error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_from_env(NULL, f->error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_load_json(f->config, "{\"x\":1}", 7, NULL, NULL), AIORCH_E_CONFIG_KEY);
}

static void test_load_file__reads_and_names_it(void **state) {
  fixture *f = *state;
  const char good[] = "{\"deadline_ms\": 77}", bad[] = "{\"deadline_ms\": 77,\n\"x\": 1}";
  write_file(f, good, strlen(good));
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_OK);
  assert_int_equal(f->config->options.deadline_ms, 77);
  write_file(f, bad, strlen(bad));
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(f->error), "c.json, line 2: "));
  write_file(f, "", 0);
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_E_CONFIG_SYNTAX);
}

static void test_load_file__that_cannot_be_read(void **state) {
  fixture *f = *state;
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_E_NOT_FOUND);
  assert_non_null(strstr(aiorch_error_message(f->error), f->file));
  char below[128];
  write_file(f, "{}", 2);
  snprintf(below, sizeof below, "%s/x", f->file);
  assert_int_equal(aiorch_config_load_file(f->config, below, f->error), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_config_load_file(f->config, f->folder, f->error), AIORCH_E_SYSTEM);
  assert_non_null(strstr(aiorch_error_message(f->error), "Is a directory"));
}

static void test_load_file__too_large(void **state) {
  fixture *f = *state;
  char *json = malloc(AIO__CONFIG_TEXT_MAX + 1);
  assert_non_null(json);
  memset(json, ' ', AIO__CONFIG_TEXT_MAX + 1);
  memcpy(json, "{}", 2);
  write_file(f, json, AIO__CONFIG_TEXT_MAX);
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_OK);
  write_file(f, json, AIO__CONFIG_TEXT_MAX + 1);
  assert_int_equal(aiorch_config_load_file(f->config, f->file, f->error), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(aiorch_error_message(f->error), "more than 4194304 bytes"));
  free(json);
}

static void test_from_env__file_first_then_variables(void **state) {
  fixture *f = *state;
  const char json[] = "{\"deadline_ms\": 77, \"tenancy\": \"single\", \"cache.ttl_s\": 9}";
  write_file(f, json, strlen(json));
  assert_int_equal(setenv("AIORCH_CONFIG", f->file, 1) | setenv("AIORCH_DEADLINE_MS", "88", 1), 0);
  assert_int_equal(setenv("AIORCH_STORE", "${HOME}/x", 1), 0); /* as it is: it comes from the environment already */
  assert_int_equal(aiorch_config_from_env(f->config, f->error), AIORCH_OK);
  assert_int_equal(f->config->options.deadline_ms, 88);
  assert_int_equal(f->config->options.cache_ttl_s, 9);
  assert_string_equal(f->config->options.tenancy, "single");
  assert_string_equal(f->config->options.store, "${HOME}/x");
  assert_int_equal(setenv("AIORCH_TENANCY", "multi", 1), 0);
  assert_int_equal(aiorch_config_from_env(f->config, f->error), AIORCH_OK);
  assert_string_equal(f->config->options.tenancy, "multi");
}

static void test_from_env__nothing_set_changes_nothing(void **state) {
  fixture *f = *state;
  assert_int_equal(setenv("AIORCH_CONFIG", "", 1) | setenv("AIORCH_STORE", "", 1) | setenv("AIORCH_DEADLINE_MS", "",
                                                                                           1), 0);
  assert_int_equal(aiorch_config_from_env(f->config, f->error), AIORCH_OK);
  assert_int_equal(f->config->options.deadline_ms, 120000);
  assert_string_equal(f->config->options.store, "");
}

static void test_from_env__a_fault_names_the_variable_and_sets_nothing(void **state) {
  fixture *f = *state;
  assert_int_equal(setenv("AIORCH_STORE", "memory", 1) | setenv("AIORCH_DEADLINE_MS", "soon", 1), 0);
  assert_int_equal(aiorch_config_from_env(f->config, f->error), AIORCH_E_CONFIG_TYPE);
  assert_non_null(strstr(aiorch_error_message(f->error), "AIORCH_DEADLINE_MS in the environment: \"deadline_ms\" "
                                                         "takes"));
  assert_string_equal(f->config->options.store, "");
  assert_int_equal(setenv("AIORCH_CONFIG", f->file, 1), 0);
  assert_int_equal(aiorch_config_from_env(f->config, f->error), AIORCH_E_NOT_FOUND);
}

static void test_apply_json__per_run(void **state) {
  fixture *f = *state;
  aio__json *json;
  aio__json_limits limits = {1000, 10, AIORCH_E_INVALID, "request"};
  aio__str text = AIO__LIT("{\"cache.ttl_s\": 5, \"generate\": {\"model\": \"${HOME}\"}}");
  assert_int_equal(aio__json_parse(aio__alloc_default(), text, &limits, &json, NULL), AIORCH_OK);
  assert_int_equal(aio__config_apply_json(&f->config->options, aio__json_root(json), "options", AIO__LIT(""), true,
                                          NULL),
                   AIORCH_OK);
  assert_string_equal(f->config->options.generate_model, "${HOME}");
  aio__json_free(json);
  text = AIO__LIT("{\"store\": \"memory\"}");
  assert_int_equal(aio__json_parse(aio__alloc_default(), text, &limits, &json, NULL), AIORCH_OK);
  assert_int_equal(aio__config_apply_json(&f->config->options, aio__json_root(json), "options", AIO__LIT(""), true,
                                          f->error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(f->error), "options: \"store\" cannot be set for one run"));
  assert_int_equal(aio__config_apply_json(&f->config->options, NULL, "options", text, true, f->error),
                   AIORCH_E_CONFIG_SYNTAX);
  aio__json_free(json);
}

static void test_load_json__out_of_memory_sets_nothing(void **state) {
  fixture *f = *state;
  aio__test_alloc t;
  const char json[] = "{\"store\": \"memory\", \"deadline_ms\": 9, \"cache\": {\"mode\": \"${AIO_TEST_VALUE}\"}}";
  aiorch_config *config;
  write_file(f, json, strlen(json));
  assert_int_equal(setenv("AIO_TEST_VALUE", "off", 1), 0);
  aio__test_alloc_init(&t);
  assert_int_equal(aiorch_config_new_with(&t.al, &config), AIORCH_OK);
  long live = t.live;
  t.fail_at = 0;
  do {
    aio__test_alloc_next(&t);
    aiorch_status status = aiorch_config_load_file(config, f->file, f->error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(config->options.deadline_ms, t.failed > 0 ? 120000 : 9);
    assert_string_equal(config->options.cache_mode, t.failed > 0 ? "on" : "off");
    assert_int_equal(t.live, live);
  } while (t.failed > 0);
  aiorch_config_free(config);
  assert_int_equal(t.live, 0);
}

static void test_json_line__follows_the_path(void **state) {
  (void)state;
  aio__str text = AIO__LIT("{ \"a\\\"}\": [1, {\"x\": \"},]\"}],\n\"b\": {\"c\": 1,\n \"d\": {\n\"e\": 2}}, "
                           "\"f\"\n: 3}");
  size_t path[3] = {0, 0, 0};
  assert_int_equal(aio__config_json_line(text, path, 1), 1);
  path[0] = 1;
  assert_int_equal(aio__config_json_line(text, path, 1), 2);
  assert_int_equal(aio__config_json_line(text, path, 2), 2);
  path[1] = 1;
  assert_int_equal(aio__config_json_line(text, path, 2), 3);
  assert_int_equal(aio__config_json_line(text, path, 3), 4);
  path[0] = 2;
  assert_int_equal(aio__config_json_line(text, path, 1), 4);
  assert_int_equal(aio__config_json_line(text, path, 2), 0); /* 3 has no members */
  path[0] = 3;
  assert_int_equal(aio__config_json_line(text, path, 1), 0);
  assert_int_equal(aio__config_json_line(AIO__LIT(""), path, 1), 0);
  assert_int_equal(aio__config_json_line(AIO__LIT("{\"a"), (const size_t[]){0, 0}, 2), 0);
  assert_int_equal(aio__config_json_line(AIO__LIT("{\"a\\"), (const size_t[]){0, 0}, 2), 0);
}

/* aiorch serve keeps its settings in the same file. */
static void test_load_json__members_of_a_host(void **state) {
  fixture *f = *state;
  assert_int_equal(load(f, "{\"server\": {\"listen\": 1}, \"server.workers\": [], \"deadline_ms\": 5000}"), AIORCH_OK);
  assert_int_equal(load(f, "{\"servers\": {\"listen\": 1}}"), AIORCH_E_CONFIG_KEY);
  assert_int_equal(load(f, "{\"cache\": {\"server\": 1}}"), AIORCH_E_CONFIG_KEY);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_load_json__flat_and_nested),
      CASE(test_load_json__members_of_a_key_that_is_a_setting),
      CASE(test_load_json__one_fault_and_nothing_is_set),
      CASE(test_load_json__errors_name_text_line_and_key),
      CASE(test_load_json__types),
      CASE(test_load_json__keys_that_come_twice),
      CASE(test_load_json__unknown_sections),
      CASE(test_load_json__very_long_keys),
      CASE(test_load_json__syntax_and_depth),
      CASE(test_load_json__size),
      CASE(test_load_json__variables),
      CASE(test_load_json__null_arguments),
      CASE(test_load_file__reads_and_names_it),
      CASE(test_load_file__that_cannot_be_read),
      CASE(test_load_file__too_large),
      CASE(test_from_env__file_first_then_variables),
      CASE(test_from_env__nothing_set_changes_nothing),
      CASE(test_from_env__a_fault_names_the_variable_and_sets_nothing),
      CASE(test_apply_json__per_run),
      CASE(test_load_json__out_of_memory_sets_nothing),
      CASE(test_load_json__members_of_a_host),
      cmocka_unit_test(test_json_line__follows_the_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
