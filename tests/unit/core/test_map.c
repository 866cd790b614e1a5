/* lib/core/map.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include <aiorch/error.h>

#include "core/map.h"
#include "support/test_alloc.h"

static void test_map__empty(void **state) {
  (void)state;
  aio__map map;
  size_t pos = 0;
  aio__map_init(&map, aio__alloc_default());
  assert_null(aio__map_get(&map, AIO__LIT("a")));
  assert_null(aio__map_remove(&map, AIO__LIT("a")));
  assert_null(aio__map_next(&map, &pos));
  assert_int_equal(aio__map_put(&map, AIO__LIT("a"), NULL), AIORCH_E_INVALID);
  aio__map_free(&map);
}

static void test_put__replaces(void **state) {
  (void)state;
  aio__map map;
  int one = 1, two = 2;
  aio__map_init(&map, aio__alloc_default());
  assert_int_equal(aio__map_put(&map, AIO__LIT("a"), &one), AIORCH_OK);
  assert_int_equal(aio__map_put(&map, AIO__LIT("a"), &two), AIORCH_OK);
  assert_int_equal(aio__map_put(&map, aio__str_z(NULL), &one), AIORCH_OK);
  assert_int_equal(map.n, 2);
  assert_ptr_equal(aio__map_get(&map, AIO__LIT("a")), &two);
  assert_ptr_equal(aio__map_get(&map, AIO__LIT("")), &one);
  assert_null(aio__map_get(&map, AIO__LIT("b")));
  aio__map_free(&map);
}

enum { MANY = 3000 };
static char names[MANY][16];

static void test_map__behaves_like_a_list_of_what_is_in_it(void **state) {
  (void)state;
  aio__map map;
  bool in[MANY] = {false};
  size_t n = 0;
  uint32_t random = 7;
  aio__map_init(&map, aio__alloc_default());
  for (int i = 0; i < MANY; i++) snprintf(names[i], sizeof names[i], "k%d", i);
  for (int step = 0; step < 30000; step++) {
    random = random * 1664525u + 1013904223u;
    int i = (int)(random >> 8) % MANY;
    aio__str key = aio__str_z(names[i]);
    assert_ptr_equal(aio__map_get(&map, key), in[i] ? names[i] : NULL);
    if ((random >> 28) % 2 == 0) {
      assert_int_equal(aio__map_put(&map, key, names[i]), AIORCH_OK);
      n += !in[i];
      in[i] = true;
    } else {
      assert_ptr_equal(aio__map_remove(&map, key), in[i] ? names[i] : NULL);
      n -= in[i];
      in[i] = false;
    }
    assert_int_equal(map.n, n);
  }
  size_t pos = 0, seen = 0;
  for (char *name; (name = aio__map_next(&map, &pos)) != NULL; seen++) {
    size_t i = (size_t)(name - names[0]) / sizeof names[0];
    assert_true(in[i]);
    in[i] = false;
  }
  assert_int_equal(seen, n);
  aio__map_free(&map);
}

static void test_put__out_of_memory_leaves_the_map_as_it_was(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__map map;
  aio__map_init(&map, &t.al);
  int value;
  size_t put = 0;
  t.fail_at = 2;
  t.fail_on = true;
  for (int i = 0; i < MANY; i++) snprintf(names[i], sizeof names[i], "k%d", i);
  while (aio__map_put(&map, aio__str_z(names[put]), &value) == AIORCH_OK) put++;
  assert_int_equal(map.n, put);
  for (size_t i = 0; i < put; i++) assert_ptr_equal(aio__map_get(&map, aio__str_z(names[i])), &value);
  assert_null(aio__map_get(&map, aio__str_z(names[put])));
  aio__map_free(&map);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_map__empty),
    cmocka_unit_test(test_put__replaces),
    cmocka_unit_test(test_map__behaves_like_a_list_of_what_is_in_it),
    cmocka_unit_test(test_put__out_of_memory_leaves_the_map_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
