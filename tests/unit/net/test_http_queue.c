/* lib/net/http_queue.c: whose turn it is, without a socket and without time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/http.h"
#include "net/http_queue.h"
#include "support/test_alloc.h"

enum { COUNT = 300 };

static aio__exchange exchanges[COUNT];
static aio__exchange_request requests[COUNT];

static aio__exchange *ask(aio__http_queue *q, size_t i, const char *origin) {
  exchanges[i] = (aio__exchange){.request = &requests[i]};
  requests[i] = (aio__exchange_request){.origin = aio__str_z(origin), .https = strncmp(origin, "https", 5) == 0};
  assert_int_equal(aio__http_queue_add(q, &exchanges[i]), AIORCH_OK);
  return &exchanges[i];
}

static void test_next__a_host_in_its_order_up_to_its_limit(void **state) {
  (void)state;
  aio__http_queue q;
  aio__http_queue_init(&q, aio__alloc_default(), 100, 2);
  for (size_t i = 0; i < 4; i++) ask(&q, i, "http://a");
  assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[0]);
  assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[1]);
  assert_null(aio__http_queue_next(&q, 0));
  aio__http_queue_remove(&q, &exchanges[1]);
  aio__http_queue_remove(&q, &exchanges[2]); /* one that waits */
  aio__http_queue_remove(&q, &exchanges[2]);
  assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[3]);
  assert_int_equal(q.waiting, 0);
  assert_int_equal(q.used, 2);
  aio__http_queue_free(&q);
}

/* A host with many waiting and one with few: both move, whoever came first. */
static void test_next__hosts_take_turns(void **state) {
  (void)state;
  aio__http_queue q;
  int of_b = 0;
  aio__http_queue_init(&q, aio__alloc_default(), 4, 100);
  for (size_t i = 0; i < 50; i++) ask(&q, i, "http://a");
  for (size_t i = 50; i < 52; i++) ask(&q, i, "http://b");
  for (int i = 0; i < 4; i++) {
    aio__exchange *e = aio__http_queue_next(&q, 0);
    assert_non_null(e);
    if (e >= &exchanges[50]) of_b++;
  }
  assert_int_equal(of_b, 2);
  assert_null(aio__http_queue_next(&q, 0));
  aio__http_queue_free(&q);
}

/* A host that is at its limit holds up no other. */
static void test_next__a_full_host_stands_in_nobodys_way(void **state) {
  (void)state;
  aio__http_queue q;
  aio__http_queue_init(&q, aio__alloc_default(), 10, 1);
  for (size_t i = 0; i < 3; i++) ask(&q, i, "http://a");
  ask(&q, 3, "http://b");
  assert_non_null(aio__http_queue_next(&q, 0));
  assert_non_null(aio__http_queue_next(&q, 0));
  assert_null(aio__http_queue_next(&q, 0));
  aio__http_queue_remove(&q, &exchanges[3]);
  assert_null(aio__http_queue_next(&q, 0));
  aio__http_queue_remove(&q, &exchanges[0]);
  assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[1]);
  aio__http_queue_free(&q);
}

static void test_next__over_tls_one_goes_first(void **state) {
  (void)state;
  aio__http_queue q;
  int64_t ms = 1000000;
  aio__http_queue_init(&q, aio__alloc_default(), 100, 100);
  for (size_t i = 0; i < 3; i++) ask(&q, i, "https://a");
  assert_ptr_equal(aio__http_queue_next(&q, 5 * ms), &exchanges[0]);
  assert_null(aio__http_queue_next(&q, 6 * ms));
  assert_int_equal(aio__http_queue_wakes_at(&q), (5 + AIO__HTTP_FIRST_MS) * ms);
  aio__http_queue_remove(&q, &exchanges[0]); /* it failed: the next goes alone, too */
  assert_ptr_equal(aio__http_queue_next(&q, 7 * ms), &exchanges[1]);
  assert_null(aio__http_queue_next(&q, 8 * ms));
  aio__http_queue_connected(&q, &exchanges[1]);
  aio__http_queue_connected(&q, &exchanges[1]);
  assert_ptr_equal(aio__http_queue_next(&q, 9 * ms), &exchanges[2]);
  assert_int_equal(aio__http_queue_wakes_at(&q), AIO__NEVER);
  aio__http_queue_free(&q);
}

static void test_next__nobody_waits_long_for_the_first(void **state) {
  (void)state;
  aio__http_queue q;
  aio__http_queue_init(&q, aio__alloc_default(), 100, 100);
  for (size_t i = 0; i < 3; i++) ask(&q, i, "https://a");
  assert_non_null(aio__http_queue_next(&q, 0));
  int64_t at = aio__http_queue_wakes_at(&q);
  assert_null(aio__http_queue_next(&q, at - 1));
  assert_non_null(aio__http_queue_next(&q, at));
  assert_non_null(aio__http_queue_next(&q, at));
  aio__http_queue_free(&q);
}

static void test_speaks__one_connection_carries_many(void **state) {
  (void)state;
  aio__http_queue q;
  aio__http_queue_init(&q, aio__alloc_default(), 2, 2);
  for (size_t i = 0; i < COUNT; i++) ask(&q, i, "https://a");
  assert_non_null(aio__http_queue_next(&q, 0));
  aio__http_queue_connected(&q, &exchanges[0]);
  aio__http_queue_speaks(&q, &exchanges[0], true);
  for (size_t i = 1; i < 2 * AIO__HTTP_STREAMS_MAX; i++) {
    assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[i]);
    assert_null(aio__http_queue_next(&q, 0)); /* it may need a connection that carries the next, too */
    aio__http_queue_connected(&q, &exchanges[i]);
  }
  assert_null(aio__http_queue_next(&q, 0));
  assert_int_equal(q.used, 2);
  for (size_t i = 0; i < 2 * AIO__HTTP_STREAMS_MAX; i++) aio__http_queue_remove(&q, &exchanges[i]);
  assert_int_equal(q.used, 0);
  aio__http_queue_free(&q);
}

static void test_next__who_needs_another_connection_is_waited_for_so_long(void **state) {
  (void)state;
  aio__http_queue q;
  aio__http_queue_init(&q, aio__alloc_default(), 9, 9);
  for (size_t i = 0; i < 4; i++) ask(&q, i, "https://a");
  assert_non_null(aio__http_queue_next(&q, 0));
  aio__http_queue_connected(&q, &exchanges[0]);
  aio__http_queue_speaks(&q, &exchanges[0], true);
  assert_ptr_equal(aio__http_queue_next(&q, 7), &exchanges[1]);
  int64_t at = aio__http_queue_wakes_at(&q);
  assert_int_equal(at, 7 + (int64_t)AIO__HTTP_FIRST_MS * 1000000);
  assert_null(aio__http_queue_next(&q, at - 1));
  assert_ptr_equal(aio__http_queue_next(&q, at), &exchanges[2]);
  aio__http_queue_remove(&q, &exchanges[1]);
  aio__http_queue_remove(&q, &exchanges[2]); /* both have failed: nobody is waited for */
  assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[3]);
  aio__http_queue_remove(&q, &exchanges[0]);
  aio__http_queue_remove(&q, &exchanges[3]);
  aio__http_queue_free(&q);
}

static void test_add__hosts_without_an_exchange_are_forgotten(void **state) {
  (void)state;
  aio__http_queue q;
  char origins[COUNT][32];
  aio__http_queue_init(&q, aio__alloc_default(), 100, 100);
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(origins[i], sizeof origins[i], "http://host%zu", i);
    ask(&q, i, origins[i]);
    assert_ptr_equal(aio__http_queue_next(&q, 0), &exchanges[i]);
    aio__http_queue_remove(&q, &exchanges[i]);
  }
  assert_int_equal(q.host_count, AIO__HTTP_HOSTS_KEPT);
  aio__http_queue_free(&q);
}

static void test_add__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__http_queue q;
  aio__test_alloc_init(&t);
  aio__test_alloc_next(&t);
  aio__http_queue_init(&q, &t.al, 1, 1);
  exchanges[0] = (aio__exchange){.request = &requests[0]};
  requests[0].origin = AIO__LIT("http://a");
  assert_int_equal(aio__http_queue_add(&q, &exchanges[0]), AIORCH_E_NOMEM);
  aio__http_queue_remove(&q, &exchanges[0]);
  assert_int_equal(q.waiting, 0);
  aio__http_queue_free(&q);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_next__a_host_in_its_order_up_to_its_limit),
    cmocka_unit_test(test_next__hosts_take_turns),
    cmocka_unit_test(test_next__a_full_host_stands_in_nobodys_way),
    cmocka_unit_test(test_next__over_tls_one_goes_first),
    cmocka_unit_test(test_next__nobody_waits_long_for_the_first),
    cmocka_unit_test(test_speaks__one_connection_carries_many),
      cmocka_unit_test(test_next__who_needs_another_connection_is_waited_for_so_long),
    cmocka_unit_test(test_add__hosts_without_an_exchange_are_forgotten),
    cmocka_unit_test(test_add__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
