/* lib/embedders/known_models.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/known_models.h"

static void test_find__by_the_first_part_of_a_fingerprint(void **state) {
  (void)state;
  const aio__known_model *minilm = aio__known_model_find(AIO__LIT("all-MiniLM-L6-v2/int8/0123456789abcdef"));
  assert_non_null(minilm);
  assert_string_equal(minilm->name, "all-MiniLM-L6-v2");
  assert_ptr_equal(aio__known_model_find(AIO__LIT("all-MiniLM-L6-v2")), minilm);
  assert_non_null(aio__known_model_find(AIO__LIT("bge-small-en-v1.5/f32/x")));
}

static void test_find__others_are_not_known(void **state) {
  (void)state;
  assert_null(aio__known_model_find(AIO__LIT("all-MiniLM-L12-v2/int8/x")));
  assert_null(aio__known_model_find(AIO__LIT("all-MiniLM-L6-v22/int8")));
  assert_null(aio__known_model_find(AIO__LIT("x/all-MiniLM-L6-v2")));
  assert_null(aio__known_model_find(AIO__LIT("/")));
  assert_null(aio__known_model_find((aio__str){NULL, 0}));
}

/* An answer is served from the cache on a nearer match than a passage is looked at, and both can be met. */
static void test_find__thresholds_make_sense_and_say_how_they_were_measured(void **state) {
  (void)state;
  static const char *const names[] = {"all-MiniLM-L6-v2", "bge-small-en-v1.5"};
  for (size_t i = 0; i < 2; i++) {
    const aio__known_model *m = aio__known_model_find(aio__str_z(names[i]));
    assert_non_null(m);
    assert_true(m->retrieve_threshold > 0 && m->retrieve_threshold < m->cache_threshold && m->cache_threshold < 1);
    assert_true(strlen(m->measured) > 50);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find__by_the_first_part_of_a_fingerprint),
    cmocka_unit_test(test_find__others_are_not_known),
    cmocka_unit_test(test_find__thresholds_make_sense_and_say_how_they_were_measured),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
