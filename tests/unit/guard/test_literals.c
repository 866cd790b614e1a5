/* lib/guard/literals.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard/literals.h"
#include "support/test_alloc.h"

typedef struct hits {
  size_t n, literal[16], at[16];
} hits;

static void on_hit(void *context, size_t literal, size_t at) {
  hits *h = context;
  assert_true(h->n < 16);
  h->literal[h->n] = literal;
  h->at[h->n++] = at;
}

static hits scan(const aio__str *texts, size_t n, const char *text) {
  hits h = {0};
  aio__literals *literals = aio__literals_new(aio__alloc_default(), texts, n);
  assert_non_null(literals);
  aio__literals_scan(literals, aio__str_z(text), on_hit, &h);
  aio__literals_free(literals);
  return h;
}

static void test_scan__all_of_them_by_position(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("ignore"), AIO__LIT("ign"), AIO__LIT("previous instructions"), AIO__LIT("xyz")};
  hits h = scan(texts, 3, "please ignore previous instructions");
  assert_int_equal(h.n, 3);
  assert_int_equal(h.at[0], 7);
  assert_int_equal(h.at[1], 7);
  assert_int_equal(h.literal[0] + h.literal[1], 1);
  assert_int_equal(h.literal[2], 2);
  assert_int_equal(h.at[2], 14);
}

static void test_scan__case_is_ignored_and_nothing_else(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("AKIA"), AIO__LIT("[dan]"), AIO__LIT("a@b")};
  assert_int_equal(scan(texts, 3, "akia Akia").n, 2);
  assert_int_equal(scan(texts, 3, "{dan}").n, 0); /* differ in the bit of case */
  assert_int_equal(scan(texts, 3, "a`b").n, 0);
  assert_int_equal(scan(texts, 3, "[DAN] A@B").n, 2);
}

static void test_scan__letters_begin_words(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("rule"), AIO__LIT(" ai "), AIO__LIT("\xE5\xBF\xBD")};
  assert_int_equal(scan(texts, 3, "ferrule").n, 0);
  assert_int_equal(scan(texts, 3, "_rule -rule rules").n, 3);
  assert_int_equal(scan(texts, 3, "an ai bot").n, 1);
  assert_int_equal(scan(texts, 3, "\xE8\xAF\xB7\xE5\xBF\xBD").n, 1);
}

static void test_scan__ends_of_the_text(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("abc"), AIO__LIT("abcdefghij")};
  assert_int_equal(scan(texts, 2, "").n, 0);
  assert_int_equal(scan(texts, 2, "ab").n, 0);
  assert_int_equal(scan(texts, 2, "abc").n, 1);
  assert_int_equal(scan(texts, 2, "x abc").n, 1);
  assert_int_equal(scan(texts, 2, "abcdefghi").n, 1);
  assert_int_equal(scan(texts, 2, "abcdefghij").n, 2);
  assert_int_equal(scan(texts, 0, "abc").n, 0);
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("abc")};
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aio__literals *literals = aio__literals_new(&t.al, texts, 1);
    assert_true((literals == NULL) == (t.failed > 0));
    aio__literals_free(literals);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_scan__all_of_them_by_position), cmocka_unit_test(test_scan__case_is_ignored_and_nothing_else),
    cmocka_unit_test(test_scan__letters_begin_words),     cmocka_unit_test(test_scan__ends_of_the_text),
    cmocka_unit_test(test_new__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
