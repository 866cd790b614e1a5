/* lib/api/embed.c */
#include <stdlib.h>

#include "../support/near_fixture.h"

enum { TIMEOUT = 30000 };

static aiorch_status embed(near_fixture *n, int32_t purpose, const char *const *texts, size_t count, aiorch_text **out) {
  size_t lens[64];
  for (size_t i = 0; i < count && i < 64; i++) lens[i] = strlen(texts[i]);
  return aiorch_embed(n->f.orch, purpose, texts, lens, count, TIMEOUT, out, NULL);
}

static void test_embed__unit_vectors_in_the_order_of_the_texts(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, NULL);
  static const char *const texts[] = {"one text", "another one"};
  aiorch_text *out = NULL;
  const char *json = NULL;
  assert_int_equal(embed(&n, AIORCH_PURPOSE_QUERY, texts, 2, &out), AIORCH_OK);
  assert_int_equal(n.vectors.query_calls, 1); /* one call for both */
  assert_int_equal(aiorch_text_get(out, &json, NULL), AIORCH_OK);
  assert_non_null(strstr(json, "{\"model\":\"fake\",\"dimensions\":32,\"results\":[{\"tokens\":null,\"truncated\":null,"));
  double sum = 0, value = 0;
  const char *at = strstr(json, "\"embedding\":[") + 13;
  for (int i = 0; i < FAKE_DIMENSIONS; i++) {
    char *end = NULL;
    value = strtod(at, &end);
    sum += value * value;
    at = end + 1;
  }
  assert_true(sum > 0.9999 && sum < 1.0001);
  assert_int_equal(at[-1], ']');
  aiorch_text_free(out);
  near_close(&n);
}

static void test_embed__more_than_a_batch(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, NULL);
  const char *texts[64];
  for (int i = 0; i < 64; i++) texts[i] = "text";
  aiorch_text *out = NULL;
  const char *json = NULL;
  assert_int_equal(embed(&n, AIORCH_PURPOSE_PASSAGE, texts, 63, &out), AIORCH_OK);
  assert_int_equal(n.vectors.embedded_texts, 63);
  assert_int_equal(aiorch_text_get(out, &json, NULL), AIORCH_OK);
  int found = 0;
  for (const char *at = json; (at = strstr(at, "\"embedding\"")) != NULL; at++) found++;
  assert_int_equal(found, 63);
  aiorch_text_free(out);
  near_close(&n);
}

static void test_embed__what_cannot_be(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, NULL);
  static const char *const texts[] = {"one"};
  size_t lens[] = {3};
  aiorch_text *out = NULL;
  assert_int_equal(embed(&n, 0, texts, 1, &out), AIORCH_E_INVALID);
  assert_int_equal(embed(&n, 4, texts, 1, &out), AIORCH_E_INVALID);
  assert_int_equal(aiorch_embed(n.f.orch, 1, texts, lens, 0, TIMEOUT, &out, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_embed(n.f.orch, 1, texts, lens, 4097, TIMEOUT, &out, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_embed(n.f.orch, 1, texts, lens, 1, TIMEOUT, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_embed(NULL, 1, texts, lens, 1, TIMEOUT, &out, NULL), AIORCH_E_INVALID);
  n.vectors.embed_status = AIORCH_E_NETWORK;
  assert_int_equal(embed(&n, AIORCH_PURPOSE_QUERY, texts, 1, &out), AIORCH_E_NETWORK);
  n.vectors.embed_status = AIORCH_PENDING;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_embed(n.f.orch, 1, texts, lens, 1, TIMEOUT, &out, error), AIORCH_E_DEADLINE);
  assert_non_null(strstr(aiorch_error_message(error), "did not finish in time"));
  aiorch_error_free(error);
  assert_null(out);
  n.vectors.embed_status = AIORCH_OK;
  near_close(&n);
  fixture f;
  fixture_open(&f, NULL, NULL, 0, NULL, 0);
  assert_int_equal(aiorch_embed(f.orch, 1, texts, lens, 1, TIMEOUT, &out, NULL), AIORCH_E_UNSUPPORTED);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_embed__unit_vectors_in_the_order_of_the_texts),
    cmocka_unit_test(test_embed__more_than_a_batch),
    cmocka_unit_test(test_embed__what_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
