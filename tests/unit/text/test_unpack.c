/* Embedded data comes out as it went in; damaged data does not come out at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/test_alloc.h"
#include "text/unpack.h"

static void test_unpack__each_file_is_json_of_its_length(void **state) {
  (void)state;
  static const aio__packed *const files[] = {&aio__data_input_rules, &aio__data_output_rules, &aio__data_prices};
  for (size_t i = 0; i < 3; i++) {
    char *text = aio__unpack(files[i], aio__alloc_default());
    assert_non_null(text);
    assert_int_equal(strlen(text), files[i]->len);
    assert_true(text[0] == '{' || text[0] == '[');
    aio__free(aio__alloc_default(), text);
  }
}

/* They are packed together: each is given alone, in its order. */
static void test_unpack__files_of_a_folder_come_one_by_one(void **state) {
  (void)state;
  const aio__packed *list = aio__data_sqlite_knowledge;
  size_t from = 0, count = 0;
  for (; list[count].name != NULL; count++) {
    char *text = aio__unpack(&list[count], aio__alloc_default());
    assert_non_null(text);
    assert_int_equal(list[count].from, from);
    assert_int_equal(strlen(text), list[count].len);
    assert_null(strstr(text, "\n--")); /* comments stay out */
    assert_int_equal(text[list[count].len - 1], '\n');
    from += list[count].len;
    aio__free(aio__alloc_default(), text);
  }
  assert_true(count >= 3);
  assert_int_equal(from, list[0].all);
}

static void test_unpack__damaged_cut_or_of_another_length_is_nothing(void **state) {
  (void)state;
  aio__packed whole = aio__data_prices, other = whole;
  other.len = whole.len + 1;
  assert_null(aio__unpack(&other, aio__alloc_default()));
  other = whole;
  other.all = whole.all - 1;
  assert_null(aio__unpack(&other, aio__alloc_default()));
  other.all = whole.all + 1;
  assert_null(aio__unpack(&other, aio__alloc_default()));
  other = whole;
  other.from = 1; /* so that its end is behind the end of all */
  assert_null(aio__unpack(&other, aio__alloc_default()));
  other = whole;
  other.packed_len = whole.packed_len / 2;
  assert_null(aio__unpack(&other, aio__alloc_default()));
  char bytes[64];
  memset(bytes, 0xff, sizeof bytes);
  other.bytes = bytes;
  other.packed_len = sizeof bytes;
  assert_null(aio__unpack(&other, aio__alloc_default()));
}

static void test_unpack__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    char *text = aio__unpack(&aio__data_prices, &t.al);
    assert_int_equal(text == NULL, t.failed > 0);
    aio__free(&t.al, text);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unpack__each_file_is_json_of_its_length),
      cmocka_unit_test(test_unpack__files_of_a_folder_come_one_by_one),
      cmocka_unit_test(test_unpack__damaged_cut_or_of_another_length_is_nothing),
      cmocka_unit_test(test_unpack__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
