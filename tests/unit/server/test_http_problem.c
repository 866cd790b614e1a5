/* Every status of the library as an HTTP status that the SDKs of OpenAI and Anthropic have an exception for, and as both families' words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "anthropic_messages.h"
#include "support/wire_scene.h"

typedef struct row {
  aiorch_status status;
  int http;
  const char *type, *code, *anthropics; /* code NULL: null */
} row;

static const row rows[] = {
    {AIORCH_E_INVALID, 400, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_NOMEM, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_STATE, 409, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_CANCELLED, 499, "invalid_request_error", "cancelled", "invalid_request_error"},
    {AIORCH_E_DEADLINE, 504, "server_error", "timeout", "timeout_error"},
    {AIORCH_E_REENTRANT, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_NOT_FOUND, 404, "not_found_error", "not_found", "not_found_error"},
    {AIORCH_E_CLOSED, 503, "server_error", NULL, "overloaded_error"},
    {AIORCH_E_UNSUPPORTED, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_TOO_LARGE, 413, "invalid_request_error", "too_large", "request_too_large"},
    {AIORCH_E_INTERNAL, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_FORKED, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_SYSTEM, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_CONFIG, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_CONFIG_KEY, 400, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_CONFIG_TYPE, 400, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_CONFIG_RANGE, 400, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_CONFIG_SYNTAX, 400, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_CONFIG_ENV, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_INVALID_INPUT, 400, "invalid_request_error", "invalid_input", "invalid_request_error"},
    {AIORCH_E_INJECTION, 400, "invalid_request_error", "content_policy_violation", "invalid_request_error"},
    {AIORCH_E_RATE_LIMITED, 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"},
    {AIORCH_E_BUDGET_EXCEEDED, 429, "rate_limit_error", "insufficient_quota", "rate_limit_error"},
    {AIORCH_E_DOCUMENT, 422, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_EMBEDDER_MISMATCH, 409, "invalid_request_error", NULL, "invalid_request_error"},
    {AIORCH_E_MODEL, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_PROVIDERS_UNAVAILABLE, 502, "server_error", "providers_unavailable", "api_error"},
    {AIORCH_E_OUTPUT_BLOCKED, 422, "invalid_request_error", "content_filter", "invalid_request_error"},
    {AIORCH_E_NETWORK, 502, "server_error", NULL, "api_error"},
    {AIORCH_E_PROVIDER_BUSY, 503, "server_error", NULL, "overloaded_error"},
    {AIORCH_E_PROVIDER_LIMIT, 503, "server_error", NULL, "overloaded_error"},
    {AIORCH_E_PROVIDER_KEY, 502, "server_error", NULL, "api_error"},
    {AIORCH_E_PROVIDER_MODEL, 502, "server_error", "model_not_found", "api_error"},
    {AIORCH_E_PROVIDER_REJECTED, 502, "server_error", "provider_rejected", "api_error"},
    {AIORCH_E_CONTEXT_WINDOW, 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error"},
    {AIORCH_E_TRUNCATED, 502, "server_error", NULL, "api_error"},
    {AIORCH_E_RESPONSE, 502, "server_error", NULL, "api_error"},
    {AIORCH_E_STORE, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_STORE_DOWN, 503, "server_error", "store_unavailable", "overloaded_error"},
    {AIORCH_E_STORE_FULL, 503, "server_error", NULL, "overloaded_error"},
    {AIORCH_E_STORE_READ_ONLY, 503, "server_error", NULL, "overloaded_error"},
    {AIORCH_E_STORE_NEWER, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_STORE_CORRUPT, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_PLUGIN, 500, "server_error", NULL, "api_error"},
    {AIORCH_E_PLUGIN_CONTRACT, 500, "server_error", NULL, "api_error"},
};

static void test_http_problem_of__every_status(void **state) {
  (void)state;
  char want[256];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    http_problem why;
    cli_bytes openais = {0}, anthropics = {0};
    assert_false(http_problem_of(&why, rows[i].status, NULL));
    assert_int_equal(why.status, rows[i].http);
    http_problem_json(&why, &openais);
    snprintf(want, sizeof want, "\"type\":\"%s\",\"param\":null,\"code\":%s%s%s}}", rows[i].type, rows[i].code ? "\"" : "",
             rows[i].code ? rows[i].code : "null", rows[i].code ? "\"" : "");
    assert_has(cli_z(&openais), want);
    anthropic_problem_json(&why, "req-1", &anthropics);
    snprintf(want, sizeof want, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"", rows[i].anthropics);
    assert_has(cli_z(&anthropics), want);
    cli_release(&openais);
    cli_release(&anthropics);
  }
}

/* What a store says of its files and hosts is for who runs the server. */
static void test_http_problem_of__words_of_the_store(void **state) {
  aiorch *orch = NULL;
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  http_problem why;
  (void)state;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "/proc/none/of/ours", 18, NULL), AIORCH_OK);
  aiorch_status status = aiorch_open(config, &orch, error);
  assert_true(http_problem_of_store(status));
  http_problem_of(&why, status, error);
  assert_null(strstr(why.message, "/proc"));
  assert_non_null(strstr(why.own, "/proc"));
  http_problem_set(&why, 400, NULL, NULL, "%s", "no");
  assert_string_equal(why.own, "");
  aiorch_error_free(error);
  aiorch_config_free(config);
}

/* One that the table above does not know would be told as a fault of the server. */
static void test_http_problem_of__the_table_is_whole(void **state) {
  (void)state;
  size_t known = 0;
  for (aiorch_status status = -1; status >= -800; status--) known += strcmp(aiorch_status_name(status), "UNKNOWN") != 0;
  assert_int_equal(known, sizeof rows / sizeof rows[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_http_problem_of__every_status),
      cmocka_unit_test(test_http_problem_of__words_of_the_store),
      cmocka_unit_test(test_http_problem_of__the_table_is_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
