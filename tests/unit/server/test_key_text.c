/* examples/server/key_text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "key_text.h"

static void test_key_text_make__is_valid_and_another_each_time(void **state) {
  char key[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1], other[KEY_TEXT_LEN + 1], other_id[KEY_ID_LEN + 1];
  (void)state;
  for (int i = 0; i < 100; i++) {
    assert_true(key_text_make(key, id));
    assert_true(key_text_make(other, other_id));
    assert_int_equal(strlen(key), KEY_TEXT_LEN);
    assert_int_equal(strlen(id), KEY_ID_LEN);
    assert_true(key_text_valid(key, KEY_TEXT_LEN));
    assert_true(strcmp(key, other) != 0 && strcmp(id, other_id) != 0);
  }
}

static void test_key_text_valid__one_letter_changed(void **state) {
  char key[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1];
  (void)state;
  assert_true(key_text_make(key, id));
  for (size_t i = 0; i < KEY_TEXT_LEN; i++) {
    char was = key[i];
    key[i] = was == 'x' ? 'y' : 'x';
    assert_false(key_text_valid(key, KEY_TEXT_LEN));
    key[i] = '\0';
    assert_false(key_text_valid(key, KEY_TEXT_LEN));
    key[i] = was;
  }
  assert_false(key_text_valid(key, KEY_TEXT_LEN - 1));
  assert_false(key_text_valid(key, 0));
  assert_true(key_text_valid(key, KEY_TEXT_LEN));
}

static void test_key_text_claims__prefix(void **state) {
  (void)state;
  assert_true(key_text_claims("aik_", 4));
  assert_false(key_text_claims("aik", 3));
  assert_false(key_text_claims("sk-abc", 6));
  assert_false(key_text_claims("", 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_key_text_make__is_valid_and_another_each_time),
      cmocka_unit_test(test_key_text_valid__one_letter_changed),
      cmocka_unit_test(test_key_text_claims__prefix),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
