/* lib/embedders/served_models.c, and how known_models.c finds them again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/known_models.h"
#include "embedders/served_models.h"

static void test_name__without_maker_and_tag(void **state) {
  (void)state;
  assert_true(aio__str_eqz(aio__served_model_name(AIO__LIT("BAAI/bge-small-en-v1.5")), "bge-small-en-v1.5"));
  assert_true(aio__str_eqz(aio__served_model_name(AIO__LIT("nomic-embed-text:v1.5")), "nomic-embed-text"));
  assert_true(aio__str_eqz(aio__served_model_name(AIO__LIT("hf.co/a/b:Q4")), "b"));
  assert_true(aio__str_eqz(aio__served_model_name(AIO__LIT("")), ""));
  assert_true(aio__str_eqz(aio__served_model_name(AIO__LIT("a/")), ""));
}

static void test_find__names_and_alternatives(void **state) {
  (void)state;
  assert_int_equal(aio__served_model_find(AIO__LIT("text-embedding-3-small"))->dimensions, 1536);
  assert_int_equal(aio__served_model_find(AIO__LIT("text-embedding-ada-002"))->dimensions, 1536);
  assert_int_equal(aio__served_model_find(AIO__LIT("all-minilm:latest"))->dimensions, 384);
  assert_string_equal(aio__served_model_find(AIO__LIT("intfloat/e5-base-v2"))->prompt[1], "passage: ");
  assert_null(aio__served_model_find(AIO__LIT("text-embedding-3")));
  assert_null(aio__served_model_find(AIO__LIT("")));
  assert_null(aio__served_model_find(AIO__LIT("e5-small-v2|multilingual-e5-small")));
}

static void test_thresholds__of_a_model_behind_a_service(void **state) {
  (void)state;
  const aio__known_model *local = aio__known_model_find(AIO__LIT("bge-small-en-v1.5/int8/0123"));
  assert_non_null(local);
  assert_ptr_equal(aio__known_model_find(AIO__LIT("huggingface:BAAI/bge-small-en-v1.5:384")), local);
  assert_ptr_equal(aio__known_model_find(AIO__LIT("openai:BAAI/bge-small-en-v1.5:384")), local);
  assert_null(aio__known_model_find(AIO__LIT("openai:text-embedding-3-small:1536")));
  assert_null(aio__known_model_find(AIO__LIT("nobody:BAAI/bge-small-en-v1.5:384")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_name__without_maker_and_tag),
      cmocka_unit_test(test_find__names_and_alternatives),
      cmocka_unit_test(test_thresholds__of_a_model_behind_a_service),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
