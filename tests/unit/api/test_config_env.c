/* lib/api/config_env.c: what the environment says of providers and embedders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <aiorch/error.h>

#include "api/config.h"
#include "support/test_alloc.h"

static const char *const VARIABLES[] = {"AIORCH_CONFIG",     "AIORCH_STORE",       "AIORCH_TENANCY",     "AIORCH_DEADLINE_MS",
                                        "AIORCH_EMBEDDER",   "AIORCH_EMBEDDER_MODEL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
                                        "OPENAI_API_KEY",    "OPENAI_BASE_URL",     "GEMINI_API_KEY",     "GOOGLE_API_KEY",
                                        "GOOGLE_GEMINI_BASE_URL", "OLLAMA_HOST",    "OLLAMA_API_KEY",     "HF_TOKEN"};

typedef struct held {
  aiorch_config *config;
  aiorch_error error;
} held;

static void clear_environment(void) {
  for (size_t i = 0; i < sizeof VARIABLES / sizeof VARIABLES[0]; i++) unsetenv(VARIABLES[i]);
}

static int set_up(void **state) {
  held *h = calloc(1, sizeof *h);
  assert_non_null(h);
  aio__error_init(&h->error);
  assert_int_equal(aiorch_config_new(&h->config), AIORCH_OK);
  clear_environment();
  *state = h;
  return 0;
}

static int tear_down(void **state) {
  held *h = *state;
  clear_environment();
  aiorch_config_free(h->config);
  free(h);
  return 0;
}

static void env(const char *name, const char *value) { assert_int_equal(setenv(name, value, 1), 0); }

static void read_env(held *h) {
  if (aiorch_config_from_env(h->config, &h->error)) fail_msg("%s", h->error.message);
}

/* By its own settings: aiorch_config_get gives no key back. */
static const aio__provider_settings *provider(held *h, const char *name) {
  return aio__provider_list_find(&h->config->options.providers, aio__str_z(name));
}

static void expect_names(held *h, const char *wanted) {
  aiorch_text *text;
  const char *names;
  assert_int_equal(aiorch_config_get(h->config, "providers", &text, &h->error), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &names, NULL), AIORCH_OK);
  assert_string_equal(names, wanted);
  aiorch_text_free(text);
}

static void load(held *h, const char *json) {
  if (aiorch_config_load_json(h->config, json, strlen(json), "c.json", &h->error)) fail_msg("%s", h->error.message);
}

static void test_from_env__providers_in_their_order(void **state) {
  held *h = *state;
  env("OLLAMA_HOST", "gpu");
  env("GOOGLE_API_KEY", "g-key");
  env("OPENAI_API_KEY", "o-key ${HOME}"); /* taken as it is */
  env("OPENAI_BASE_URL", "https://proxy.example/v1");
  env("ANTHROPIC_API_KEY", "a-key");
  read_env(h);
  expect_names(h, "anthropic,openai,gemini,ollama");
  assert_string_equal(provider(h, "anthropic")->key, "a-key");
  assert_string_equal(provider(h, "anthropic")->base_url, "");
  assert_string_equal(provider(h, "openai")->key, "o-key ${HOME}");
  assert_string_equal(provider(h, "openai")->base_url, "https://proxy.example/v1");
  assert_string_equal(provider(h, "gemini")->key, "g-key");
  assert_string_equal(provider(h, "ollama")->base_url, "http://gpu:11434");
  assert_string_equal(provider(h, "ollama")->key, "");
  assert_int_equal(h->config->options.generate_extractive_last, 1);
}

static void test_from_env__nothing_without_a_key(void **state) {
  held *h = *state;
  env("ANTHROPIC_BASE_URL", "https://proxy.example");
  env("GOOGLE_GEMINI_BASE_URL", "https://proxy.example");
  env("OLLAMA_API_KEY", "k");
  env("HF_TOKEN", "hf");
  env("OPENAI_API_KEY", "");
  read_env(h);
  expect_names(h, "");
  assert_string_equal(h->config->options.embedder, "auto");
  assert_string_equal(h->config->options.embedder_key, "");
  env("OPENAI_BASE_URL", "http://localhost:8080/v1"); /* a server of one's own needs none */
  read_env(h);
  expect_names(h, "openai");
}

static void test_from_env__the_better_known_name_comes_first(void **state) {
  held *h = *state;
  env("GEMINI_API_KEY", "one");
  env("GOOGLE_API_KEY", "two");
  read_env(h);
  assert_string_equal(provider(h, "gemini")->key, "one");
}

static void test_from_env__what_the_file_says_stays(void **state) {
  held *h = *state;
  load(h, "{\"providers\":{\"openai\":{\"base_url\":\"https://mine.example/v1\"},\"anthropic\":{\"key\":\"from-the-file\"},"
          "\"gemini\":{\"model\":\"gemini-2.5-pro\"},\"ollama\":{\"base_url\":\"http://other\"}}}");
  env("OPENAI_API_KEY", "o-key");
  env("OPENAI_BASE_URL", "https://proxy.example/v1");
  env("ANTHROPIC_API_KEY", "a-key");
  env("ANTHROPIC_BASE_URL", "https://proxy.example");
  env("GEMINI_API_KEY", "g-key");
  env("OLLAMA_HOST", "gpu");
  env("OLLAMA_API_KEY", "k");
  read_env(h);
  expect_names(h, "openai,anthropic,gemini,ollama");
  assert_string_equal(provider(h, "openai")->key, ""); /* a key goes to no address that it was not meant for */
  assert_string_equal(provider(h, "openai")->base_url, "https://mine.example/v1");
  assert_string_equal(provider(h, "anthropic")->key, "from-the-file");
  assert_string_equal(provider(h, "anthropic")->base_url, "");
  assert_string_equal(provider(h, "gemini")->key, "g-key");
  assert_string_equal(provider(h, "gemini")->model, "gemini-2.5-pro");
  assert_string_equal(provider(h, "ollama")->base_url, "http://other");
  assert_string_equal(provider(h, "ollama")->key, "");
}

static void test_from_env__a_file_may_leave_extractive_out(void **state) {
  held *h = *state;
  char path[] = "/tmp/aio-env-XXXXXX";
  static const char json[] = "{\"generate.extractive_last\":false}";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, json, sizeof json - 1), sizeof json - 1);
  close(fd);
  env("AIORCH_CONFIG", path);
  read_env(h);
  unlink(path);
  assert_int_equal(h->config->options.generate_extractive_last, 0);
}

static void test_from_env__forms_of_ollama_host(void **state) {
  held *h = *state;
  static const char *const rows[][2] = {
      {"127.0.0.1", "http://127.0.0.1:11434"},
      {"127.0.0.1:80", "http://127.0.0.1:80"},
      {":80", "http://127.0.0.1:80"},
      {"0.0.0.0", "http://127.0.0.1:11434"},
      {"0.0.0.0:5000", "http://127.0.0.1:5000"},
      {"[::]:5000", "http://[::1]:5000"},
      {"[::1]", "http://[::1]:11434"},
      {"https://ollama.com", "https://ollama.com"},
      {"http://gpu:5000/", "http://gpu:5000/"},
      {"http://0.0.0.0:5000", "http://127.0.0.1:5000"},
      {"[broken", "http://[broken:11434"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aio__provider_list_free(&h->config->al, &h->config->options.providers);
    env("OLLAMA_HOST", rows[i][0]);
    read_env(h);
    assert_string_equal(provider(h, "ollama")->base_url, rows[i][1]);
  }
}

static void test_from_env__keys_of_the_embedding_service_that_was_named(void **state) {
  held *h = *state;
  env("HF_TOKEN", "hf-token");
  env("AIORCH_EMBEDDER", "huggingface");
  env("AIORCH_EMBEDDER_MODEL", "BAAI/bge-small-en-v1.5");
  read_env(h);
  assert_string_equal(h->config->options.embedder, "huggingface");
  assert_string_equal(h->config->options.embedder_model, "BAAI/bge-small-en-v1.5");
  assert_string_equal(h->config->options.embedder_key, "hf-token");
  /* Never another's, never over one that is there, never to an address of its own. */
  load(h, "{\"embedder.key\":\"\"}");
  env("AIORCH_EMBEDDER", "openai");
  read_env(h);
  assert_string_equal(h->config->options.embedder_key, "");
  env("AIORCH_EMBEDDER", "huggingface");
  load(h, "{\"embedder.key\":\"own\"}");
  read_env(h);
  assert_string_equal(h->config->options.embedder_key, "own");
  load(h, "{\"embedder.key\":\"\",\"embedder.base_url\":\"http://tei.example\"}");
  read_env(h);
  assert_string_equal(h->config->options.embedder_key, "");
}

static void test_from_env__a_fault_names_the_variable_and_sets_nothing(void **state) {
  held *h = *state;
  env("ANTHROPIC_API_KEY", "a-key");
  env("OPENAI_API_KEY", "\xFF-secret");
  assert_int_equal(aiorch_config_from_env(h->config, &h->error), AIORCH_E_INVALID);
  assert_non_null(strstr(h->error.message, "OPENAI_API_KEY in the environment: \"providers.openai.key\""));
  assert_null(strstr(h->error.message, "secret"));
  expect_names(h, "");
  unsetenv("OPENAI_API_KEY");
  env("AIORCH_EMBEDDER", "best");
  assert_int_equal(aiorch_config_from_env(h->config, &h->error), AIORCH_E_CONFIG_RANGE);
  assert_non_null(strstr(h->error.message, "AIORCH_EMBEDDER in the environment"));
}

static void test_from_env__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  env("OPENAI_API_KEY", "o-key");
  env("OLLAMA_HOST", "gpu");
  aiorch_config *config = NULL;
  assert_int_equal(aiorch_config_new_with(&t.al, &config), AIORCH_OK);
  aiorch_status st;
  do {
    aio__test_alloc_next(&t);
    st = aiorch_config_from_env(config, NULL);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
  } while (t.failed > 0);
  aiorch_config_free(config);
  assert_int_equal(t.live, 0);
}

static void test_load_json__providers_nested_and_flat(void **state) {
  held *h = *state;
  load(h, "{\"providers\":{\"openai\":{\"key\":\"k\",\"idle_ms\":5,\"stream\":false},\"ollama\":{}},\"providers.groq\":{\"model\":\"m\"},"
          "\"providers.mistral.model\":\"n\"}");
  expect_names(h, "openai,ollama,groq,mistral");
  assert_int_equal(provider(h, "openai")->idle_ms, 5);
  assert_int_equal(provider(h, "openai")->stream, 0);
  static const struct {
    const char *json;
    aiorch_status status;
    const char *message;
  } rows[] = {
      {"{\"providers\":{\"a\":{\"key\":\"k\"}},\n\"providers.a.key\":\"k\"}", AIORCH_E_CONFIG_SYNTAX, "c.json, line 2: \"providers.a.key\" comes twice"},
      {"{\"providers\":\n{\"a\":{\n\"kee\":\"k\"}}}", AIORCH_E_CONFIG_KEY, "c.json, line 3: there is no setting \"providers.a.kee\"; the nearest is \"providers.a.key\""},
      {"{\"providers\":{\"A\":{\"key\":\"k\"}}}", AIORCH_E_CONFIG_KEY, "a name of 1 to 63"},
      {"{\"providers\":{\"A\":{}}}", AIORCH_E_CONFIG_KEY, "is no name of a provider"},
      {"{\"providers\":{\"a\":\"k\"}}", AIORCH_E_CONFIG_KEY, "\"providers.a\" is a provider, not a setting"},
      {"{\"providers\":{\"a\":{\"key\":5}}}", AIORCH_E_CONFIG_TYPE, "\"providers.a.key\" takes a text"},
      {"{\"providers\":{\"a\":{\"idle_ms\":0}}}", AIORCH_E_CONFIG_RANGE, "\"providers.a.idle_ms\" takes 1 to"},
      {"{\"providers\":5}", AIORCH_E_CONFIG_KEY, "providers"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aiorch_status st = aiorch_config_load_json(h->config, rows[i].json, strlen(rows[i].json), "c.json", &h->error);
    assert_int_equal(st, rows[i].status);
    if (!strstr(h->error.message, rows[i].message)) fail_msg("row %zu: %s", i, h->error.message);
    expect_names(h, "openai,ollama,groq,mistral");
  }
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_from_env__providers_in_their_order),
      CASE(test_from_env__nothing_without_a_key),
      CASE(test_from_env__the_better_known_name_comes_first),
      CASE(test_from_env__what_the_file_says_stays),
      CASE(test_from_env__a_file_may_leave_extractive_out),
      CASE(test_from_env__forms_of_ollama_host),
      CASE(test_from_env__keys_of_the_embedding_service_that_was_named),
      CASE(test_from_env__a_fault_names_the_variable_and_sets_nothing),
      CASE(test_from_env__out_of_memory_leaks_nothing),
      CASE(test_load_json__providers_nested_and_flat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
