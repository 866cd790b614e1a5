/* lib/core/text_handle.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "core/text_handle.h"
#include "support/test_alloc.h"

static void test_from_buf__moves_the_contents(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__buf buf;
  aiorch_text *text = NULL;
  const char *p = NULL;
  size_t n = 0;
  aio__buf_init(&buf, &t.al, 100);
  aio__buf_add(&buf, "a\0b", 3);
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_OK);
  assert_int_equal(buf.n, 0);
  assert_null(buf.p);
  assert_int_equal(aiorch_text_get(text, &p, &n), AIORCH_OK);
  assert_int_equal(n, 3);
  assert_memory_equal(p, "a\0b", 4);
  assert_int_equal(aiorch_text_get(text, &p, NULL), AIORCH_OK);
  aiorch_text_free(text);
  assert_int_equal(t.live, 0);
}

static void test_from_buf__outlives_the_allocator_struct(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__alloc al = t.al;
  aio__buf buf;
  aiorch_text *text = NULL;
  aio__buf_init(&buf, &al, 100);
  aio__buf_z(&buf, "abc");
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_OK);
  memset(&al, 0, sizeof al);
  aiorch_text_free(text);
  assert_int_equal(t.live, 0);
}

static void test_from_buf__empty_text(void **state) {
  (void)state;
  aio__buf buf;
  aiorch_text *text = NULL;
  const char *p = NULL;
  size_t n = 9;
  aio__buf_init(&buf, aio__alloc_default(), 100);
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &p, &n), AIORCH_OK);
  assert_string_equal(p, "");
  assert_int_equal(n, 0);
  aiorch_text_free(text);
}

static void test_from_buf__failures(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__buf buf;
  aiorch_text *text = NULL;
  aio__buf_init(&buf, &t.al, 3);
  aio__buf_z(&buf, "abc");
  aio__buf_z(&buf, "d");
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_E_TOO_LARGE);
  aio__buf_reset(&buf);
  aio__buf_z(&buf, "abc");
  t.fail_at = t.count + 1;
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_E_NOMEM);
  assert_null(text);
  assert_int_equal(t.live, 0);
}

static void test_get__null_and_foreign(void **state) {
  (void)state;
  uint64_t foreign[16] = {1, 2, 3};
  const char *p = "kept";
  size_t n = 4;
  aiorch_text *text = (aiorch_text *)(void *)foreign;
  assert_int_equal(aiorch_text_get(NULL, &p, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_text_get(text, &p, &n), AIORCH_E_INVALID);
  assert_string_equal(p, "kept");
  assert_int_equal(n, 4);
  aiorch_text_free(text);
  aiorch_text_free(NULL);
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 100);
  assert_int_equal(aio__text_from_buf(&buf, &text), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, NULL, &n), AIORCH_E_INVALID);
  aiorch_text_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_from_buf__moves_the_contents),
    cmocka_unit_test(test_from_buf__outlives_the_allocator_struct),
    cmocka_unit_test(test_from_buf__empty_text),
    cmocka_unit_test(test_from_buf__failures),
    cmocka_unit_test(test_get__null_and_foreign),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
