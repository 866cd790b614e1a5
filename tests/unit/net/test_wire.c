/* lib/net/wire.c: URLs, headers, and what is wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "net/wire.h"
#include "support/test_alloc.h"

static void test_url__joined(void **state) {
  (void)state;
  static const char *const rows[][3] = {
      {"https://api.openai.com/v1", "/chat/completions", "https://api.openai.com/v1/chat/completions"},
      {"https://api.openai.com/v1/", "/chat/completions", "https://api.openai.com/v1/chat/completions"},
      {" https://api.openai.com/v1// \n", "/chat/completions", "https://api.openai.com/v1/chat/completions"},
      {"https://api.openai.com/v1/chat/completions", "/chat/completions", "https://api.openai.com/v1/chat/completions"},
      {"https://api.anthropic.com", "/v1/messages", "https://api.anthropic.com/v1/messages"},
      {"https://api.anthropic.com/v1", "/v1/messages", "https://api.anthropic.com/v1/messages"},
      {"https://api.anthropic.com/v1/messages/", "/v1/messages", "https://api.anthropic.com/v1/messages"},
      {"https://proxy/anthropic", "/v1/messages", "https://proxy/anthropic/v1/messages"},
      {"https://h/v", "/v1/messages", "https://h/v/v1/messages"},
      {"https://h/xv1", "/v1/messages", "https://h/xv1/v1/messages"},
      {"http://localhost:11434", "/api/chat", "http://localhost:11434/api/chat"},
      {"HTTP://LOCALHOST:11434/api", "/api/chat", "HTTP://LOCALHOST:11434/api/chat"},
      {"http://[::1]:8080/v1", "/chat/completions", "http://[::1]:8080/v1/chat/completions"},
      {"https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21", "/chat/completions",
       "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"},
      {"https://h?key=1", "/v1/models/m:stream?alt=sse", "https://h/v1/models/m:stream?key=1&alt=sse"},
      {"https://h/v1", "/v1/models/m:stream?alt=sse", "https://h/v1/models/m:stream?alt=sse"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aio__buf url;
    aio__buf_init(&url, aio__alloc_default(), AIO__WIRE_URL_MAX);
    assert_int_equal(aio__wire_url(&url, aio__str_z(rows[i][0]), aio__str_z(rows[i][1]), NULL), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&url), rows[i][2]);
    aio__buf_free(&url);
  }
}

static void test_url__refused_with_words(void **state) {
  (void)state;
  static const char *const rows[][2] = {{"", "http"},
                                        {"api.openai.com/v1", "http"},
                                        {"ftp://h", "http"},
                                        {"file:///etc/passwd", "http"},
                                        {"https://", "no host"},
                                        {"https:///x", "no host"},
                                        {"https://:8080", "no host"},
                                        {"https://?a", "no host"},
                                        {"https://user:secret@h/v1", "user or password"},
                                        {"https://h/#a", "fragment"},
                                        {"https://h/a b", "character"},
                                        {"https://h/\xC3\xA9", "character"},
                                        {"https://h/a\r\nHost: x", "character"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aio__buf url;
    aiorch_error *error = NULL;
    assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
    aio__buf_init(&url, aio__alloc_default(), AIO__WIRE_URL_MAX);
    assert_int_equal(aio__wire_url(&url, aio__str_z(rows[i][0]), AIO__LIT("/x"), error), AIORCH_E_CONFIG);
    assert_non_null(strstr(aiorch_error_message(error), rows[i][1]));
    assert_null(strstr(aiorch_error_message(error), "secret"));
    assert_int_equal(aio__wire_host(aio__str_z(rows[i][0])).n, 0);
    aio__buf_free(&url);
    aiorch_error_free(error);
  }
  char longer[AIO__WIRE_URL_MAX];
  memset(longer, 'a', sizeof longer);
  memcpy(longer, "https://", 8);
  aio__buf url;
  aio__buf_init(&url, aio__alloc_default(), AIO__WIRE_URL_MAX);
  assert_int_equal(aio__wire_url(&url, aio__str_n(longer, sizeof longer), AIO__LIT("/x"), NULL), AIORCH_E_TOO_LARGE);
  aio__buf_free(&url);
}

static void test_host(void **state) {
  (void)state;
  assert_true(aio__str_eqz(aio__wire_host(AIO__LIT("https://api.groq.com/openai/v1")), "api.groq.com"));
  assert_true(aio__str_eqz(aio__wire_host(AIO__LIT("http://localhost:11434")), "localhost"));
  assert_true(aio__str_eqz(aio__wire_host(AIO__LIT("http://[::1]:80/x")), "[::1]:80"));
}

static void test_segment__leaves_nothing_out_of_its_place(void **state) {
  (void)state;
  static const char *const rows[][2] = {{"gemini-3-flash_x~1.5", "gemini-3-flash_x~1.5"}, {"a/b", "a%2Fb"}, {"..", "%2E%2E"}, {".", "%2E"},
                                        {"a?b#c%", "a%3Fb%23c%25"}, {"\xC3\xA9 ", "%C3%A9%20"}, {"", ""}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aio__buf out;
    aio__buf_init(&out, aio__alloc_default(), 100);
    assert_int_equal(aio__wire_segment(&out, aio__str_z(rows[i][0])), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), rows[i][1]);
    aio__buf_free(&out);
  }
}

static void test_header__checked_and_replaced(void **state) {
  (void)state;
  aio__wire_request r;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  aio__wire_request_init(&r, aio__alloc_default());
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("x-a"), AIO__LIT("1"), false, error), AIORCH_OK);
  assert_int_equal(aio__wire_add_key(&r, AIO__LIT("authorization"), AIO__LIT("Bearer "), AIO__LIT("k1"), error), AIORCH_OK);
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("X-A"), AIO__LIT("2"), false, error), AIORCH_OK);
  assert_int_equal(r.header_count, 2);
  assert_true(aio__str_eqz(r.headers[0].value, "2"));
  assert_true(aio__str_eqz(r.headers[1].value, "Bearer k1"));
  assert_true(r.headers[1].secret && !r.headers[0].secret);
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("x-b"), AIO__LIT("a\r\nx: y"), false, error), AIORCH_E_CONFIG);
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("x b"), AIO__LIT("a"), false, error), AIORCH_E_CONFIG);
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT(""), AIO__LIT("a"), false, error), AIORCH_E_CONFIG);
  assert_int_equal(aio__wire_add_key(&r, AIO__LIT("x-api-key"), AIO__LIT(""), AIO__LIT("sekret\n"), error), AIORCH_E_CONFIG);
  assert_null(strstr(aiorch_error_message(error), "sekret"));
  assert_non_null(strstr(aiorch_error_message(error), "x-api-key"));
  assert_int_equal(aio__wire_add_key(&r, AIO__LIT("x-api-key"), AIO__LIT(""), AIO__LIT("\xC3\xA9"), error), AIORCH_E_CONFIG);
  char longer[AIO__WIRE_HEADER_BYTES_MAX + 1];
  memset(longer, 'a', sizeof longer);
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("x-c"), aio__str_n(longer, sizeof longer), false, error), AIORCH_E_TOO_LARGE);
  char name[3] = "aa";
  for (size_t i = r.header_count; i < AIO__WIRE_HEADERS_MAX; i++, name[1]++) {
    assert_int_equal(aio__wire_add_header(&r, aio__str_z(name), AIO__LIT(""), false, error), AIORCH_OK);
  }
  assert_int_equal(aio__wire_add_header(&r, AIO__LIT("one-more"), AIO__LIT(""), false, error), AIORCH_E_TOO_LARGE);
  aio__wire_request_free(&r);
  aiorch_error_free(error);
}

/* Memory that was freed is looked at before it is given back. */
typedef struct watch {
  aio__alloc al;
  bool saw;
} watch;

static void *watch_alloc(void *ctx, size_t size) {
  (void)ctx;
  size_t *p = malloc(size + 16);
  if (p) p[0] = size;
  return p ? (char *)p + 16 : NULL;
}

static void watch_free(void *ctx, void *memory) {
  watch *w = ctx;
  size_t *p = (size_t *)(void *)((char *)memory - 16);
  if (memmem(memory, p[0], "very-secret-key", 15)) w->saw = true;
  free(p);
}

static void *watch_realloc(void *ctx, void *memory, size_t size) {
  if (!memory) return watch_alloc(ctx, size);
  size_t old = ((size_t *)(void *)((char *)memory - 16))[0];
  void *p = watch_alloc(ctx, size);
  if (!p) return NULL;
  memcpy(p, memory, old < size ? old : size);
  watch_free(ctx, memory);
  return p;
}

static void test_request_free__keys_are_wiped(void **state) {
  (void)state;
  watch w = {.al = {sizeof(aio__alloc), &w, watch_alloc, watch_realloc, watch_free}};
  aio__wire_request r;
  aio__wire_request_init(&r, &w.al);
  assert_int_equal(aio__wire_add_key(&r, AIO__LIT("x-api-key"), AIO__LIT(""), AIO__LIT("very-secret-key"), NULL), AIORCH_OK);
  assert_int_equal(aio__wire_add_key(&r, AIO__LIT("x-api-key"), AIO__LIT("Bearer "), AIO__LIT("very-secret-key"), NULL), AIORCH_OK);
  aio__wire_request_free(&r);
  assert_false(w.saw);
}

static void test_request__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__wire_request r;
    aio__test_alloc_next(&t);
    aio__wire_request_init(&r, &t.al);
    aiorch_status st = aio__wire_add_key(&r, AIO__LIT("authorization"), AIO__LIT("Bearer "), AIO__LIT("k"), NULL);
    if (st == AIORCH_OK) st = aio__wire_url(&r.url, AIO__LIT("https://example.org/some/longer/path/to/be/joined"), AIO__LIT("/chat/completions"), NULL);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__wire_request_free(&r);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_url__joined),
    cmocka_unit_test(test_url__refused_with_words),
    cmocka_unit_test(test_host),
    cmocka_unit_test(test_segment__leaves_nothing_out_of_its_place),
    cmocka_unit_test(test_header__checked_and_replaced),
    cmocka_unit_test(test_request_free__keys_are_wiped),
    cmocka_unit_test(test_request__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
