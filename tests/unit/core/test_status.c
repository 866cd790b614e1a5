/* lib/core/status.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

typedef struct expected {
  aiorch_status status;
  int32_t value, http;
  const char *name;
} expected;

/* The whole contract, written out: a renumbered or forgotten status fails here. */
#define ROW(name, value, http) {AIORCH_##name, value, http, #name}
static const expected ALL[] = {
  ROW(OK, 0, 200), ROW(DONE, 3, 200), ROW(AGAIN, 4, 200), ROW(PENDING, 5, 200), ROW(PASS, 6, 200),
  ROW(E_INVALID, -1, 400), ROW(E_NOMEM, -2, 500), ROW(E_STATE, -3, 409), ROW(E_CANCELLED, -4, 499),
  ROW(E_DEADLINE, -5, 504), ROW(E_REENTRANT, -6, 500), ROW(E_NOT_FOUND, -7, 404), ROW(E_CLOSED, -8, 503),
  ROW(E_UNSUPPORTED, -9, 500), ROW(E_TOO_LARGE, -10, 413), ROW(E_INTERNAL, -11, 500), ROW(E_FORKED, -12, 500),
  ROW(E_SYSTEM, -13, 500), ROW(E_CONFIG, -100, 500), ROW(E_CONFIG_KEY, -101, 400), ROW(E_CONFIG_TYPE, -102, 400),
  ROW(E_CONFIG_RANGE, -103, 400), ROW(E_CONFIG_SYNTAX, -104, 400), ROW(E_CONFIG_ENV, -105, 500),
  ROW(E_INVALID_INPUT, -200, 400), ROW(E_INJECTION, -201, 400), ROW(E_RATE_LIMITED, -300, 429),
  ROW(E_BUDGET_EXCEEDED, -301, 429), ROW(E_DOCUMENT, -400, 422), ROW(E_EMBEDDER_MISMATCH, -401, 409),
  ROW(E_MODEL, -402, 500), ROW(E_PROVIDERS_UNAVAILABLE, -500, 502),
  ROW(E_OUTPUT_BLOCKED, -501, 422), ROW(E_NETWORK, -502, 502), ROW(E_PROVIDER_BUSY, -503, 503),
  ROW(E_PROVIDER_LIMIT, -504, 503), ROW(E_PROVIDER_KEY, -505, 502), ROW(E_PROVIDER_MODEL, -506, 502),
  ROW(E_PROVIDER_REJECTED, -507, 502), ROW(E_CONTEXT_WINDOW, -508, 413), ROW(E_TRUNCATED, -509, 502),
  ROW(E_RESPONSE, -510, 502), ROW(E_STORE, -600, 500), ROW(E_STORE_DOWN, -601, 503), ROW(E_STORE_FULL, -602, 503),
  ROW(E_STORE_READ_ONLY, -603, 503), ROW(E_STORE_NEWER, -604, 500), ROW(E_STORE_CORRUPT, -605, 500),
  ROW(E_PLUGIN, -700, 500), ROW(E_PLUGIN_CONTRACT, -701, 500),
};
enum { ALL_COUNT = sizeof ALL / sizeof ALL[0] };

static void test_status__every_one_has_its_value_name_and_http(void **state) {
  (void)state;
  for (size_t i = 0; i < ALL_COUNT; i++) {
    const char *name = ALL[i].name + (strncmp(ALL[i].name, "E_", 2) == 0 ? 2 : 0);
    assert_int_equal(ALL[i].status, ALL[i].value);
    assert_string_equal(aiorch_status_name(ALL[i].status), name);
    assert_int_equal(aiorch_status_http(ALL[i].status), ALL[i].http);
  }
}

static void test_strerror__distinct_single_lines(void **state) {
  (void)state;
  for (size_t i = 0; i < ALL_COUNT; i++) {
    const char *text = aiorch_strerror(ALL[i].status);
    assert_true(strlen(text) > 1);
    assert_null(strchr(text, '\n'));
    for (size_t k = 0; k < i; k++) assert_string_not_equal(text, aiorch_strerror(ALL[k].status));
  }
}

static void test_status__others_are_unknown(void **state) {
  (void)state;
  static const aiorch_status others[] = {1, 2, 7, -14, -99, -106, -9999, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_string_equal(aiorch_status_name(others[i]), "UNKNOWN");
    assert_string_equal(aiorch_strerror(others[i]), "an unknown status");
    assert_int_equal(aiorch_status_http(others[i]), others[i] < 0 ? 500 : 200);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_status__every_one_has_its_value_name_and_http),
    cmocka_unit_test(test_strerror__distinct_single_lines),
    cmocka_unit_test(test_status__others_are_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
