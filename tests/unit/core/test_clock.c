/* lib/core/clock.c, and the clock that the other tests use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "support/virtual_clock.h"

static void test_system__monotonic_goes_on_and_wall_is_now(void **state) {
  (void)state;
  const aio__clock *clock = aio__clock_system();
  int64_t before = aio__clock_now(clock);
  assert_true(before > 0);
  assert_true(aio__clock_now(clock) >= before);
  assert_true(aio__clock_wall_ms(clock) > INT64_C(1577836800000)); /* 2020 */
}

static void test_after_ms__never_overflows(void **state) {
  (void)state;
  virtual_clock v;
  virtual_clock_init(&v);
  int64_t now = aio__clock_now(&v.clock);
  assert_true(aio__clock_after_ms(&v.clock, 0) == now);
  assert_true(aio__clock_after_ms(&v.clock, 1500) == now + INT64_C(1500000000));
  assert_true(aio__clock_after_ms(&v.clock, -1) == AIO__NEVER);
  assert_true(aio__clock_after_ms(&v.clock, INT64_MIN) == AIO__NEVER);
  assert_true(aio__clock_after_ms(&v.clock, INT64_MAX) == AIO__NEVER);
  assert_true(aio__clock_after_ms(&v.clock, INT64_MAX / 1000000) == AIO__NEVER);
}

static void test_wait__a_deadline_in_the_past_is_over_at_once(void **state) {
  (void)state;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond;
  assert_int_equal(aio__cond_init(&cond), 0);
  pthread_mutex_lock(&mutex);
  const aio__clock *clock = aio__clock_system();
  assert_false(aio__clock_wait(clock, &cond, &mutex, aio__clock_now(clock)));
  assert_false(aio__clock_wait(clock, &cond, &mutex, 0));
  assert_false(aio__clock_wait(clock, &cond, &mutex, -5));
  pthread_mutex_unlock(&mutex);
  pthread_cond_destroy(&cond);
}

typedef struct meeting {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool here;
} meeting;

static void *arrive(void *arg) {
  meeting *m = arg;
  pthread_mutex_lock(&m->mutex);
  m->here = true;
  pthread_cond_signal(&m->cond);
  pthread_mutex_unlock(&m->mutex);
  return NULL;
}

static void wait_for_arrival(const aio__clock *clock, int64_t deadline_ns) {
  meeting m = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  assert_int_equal(aio__cond_init(&m.cond), 0);
  pthread_t thread;
  pthread_mutex_lock(&m.mutex);
  assert_int_equal(pthread_create(&thread, NULL, arrive, &m), 0);
  while (!m.here) assert_true(aio__clock_wait(clock, &m.cond, &m.mutex, deadline_ns));
  pthread_mutex_unlock(&m.mutex);
  pthread_join(thread, NULL);
  pthread_cond_destroy(&m.cond);
}

static void test_wait__ends_with_the_signal(void **state) {
  (void)state;
  wait_for_arrival(aio__clock_system(), AIO__NEVER);
  wait_for_arrival(aio__clock_system(), aio__clock_after_ms(aio__clock_system(), 600000));
  virtual_clock v;
  virtual_clock_init(&v);
  wait_for_arrival(&v.clock, AIO__NEVER);
}

static void test_virtual__wait_jumps_to_the_deadline(void **state) {
  (void)state;
  virtual_clock v;
  virtual_clock_init(&v);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond;
  assert_int_equal(aio__cond_init(&cond), 0);
  pthread_mutex_lock(&mutex);
  int64_t wall = aio__clock_wall_ms(&v.clock), deadline = aio__clock_after_ms(&v.clock, 3600000);
  assert_false(aio__clock_wait(&v.clock, &cond, &mutex, deadline));
  assert_true(aio__clock_now(&v.clock) == deadline);
  assert_true(aio__clock_wall_ms(&v.clock) == wall + 3600000);
  assert_false(aio__clock_wait(&v.clock, &cond, &mutex, 5));
  assert_true(aio__clock_now(&v.clock) == deadline);
  pthread_mutex_unlock(&mutex);
  virtual_clock_advance_ms(&v, 5);
  assert_true(aio__clock_now(&v.clock) == deadline + 5000000);
  pthread_cond_destroy(&cond);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_system__monotonic_goes_on_and_wall_is_now),
    cmocka_unit_test(test_after_ms__never_overflows),
    cmocka_unit_test(test_wait__a_deadline_in_the_past_is_over_at_once),
    cmocka_unit_test(test_wait__ends_with_the_signal),
    cmocka_unit_test(test_virtual__wait_jumps_to_the_deadline),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
