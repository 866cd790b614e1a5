/* The ready queue: states, deadlines in virtual time, the descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "../support/virtual_clock.h"
#include "pipeline/sched.h"

static virtual_clock v;
static aio__sched *sched;
static aio__sched_node nodes[64];

static int open_sched(void **state) {
  (void)state;
  virtual_clock_init(&v);
  memset(nodes, 0, sizeof nodes);
  for (size_t i = 0; i < 64; i++) nodes[i].heap_index = SIZE_MAX;
  return aio__sched_new(aio__alloc_default(), &v.clock, &sched);
}

static int free_sched(void **state) {
  (void)state;
  aio__sched_free(sched);
  return 0;
}

static aio__sched_node *next(void) {
  aio__sched_node *node = NULL;
  return aio__sched_wait(sched, 0, &node) == AIORCH_OK ? node : NULL;
}

static int64_t in_ms(int64_t ms) { return aio__clock_after_ms(&v.clock, ms); }

static void test_wait__gives_in_the_order_of_readiness(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) assert_int_equal(aio__sched_submit(sched, &nodes[i]), AIORCH_OK);
  assert_int_equal(aio__sched_submit(sched, &nodes[0]), AIORCH_E_STATE);
  for (int i = 0; i < 3; i++) assert_ptr_equal(next(), &nodes[i]);
  assert_null(next());
  aio__sched_park(sched, &nodes[0], AIO__NEVER);
  aio__sched_park(sched, &nodes[1], AIO__NEVER);
  aio__sched_ready(sched, &nodes[1]);
  aio__sched_ready(sched, &nodes[1]); /* once is enough */
  aio__sched_ready(sched, &nodes[0]);
  assert_ptr_equal(next(), &nodes[1]);
  assert_ptr_equal(next(), &nodes[0]);
  assert_null(next());
}

static void test_park__what_came_meanwhile_is_not_lost(void **state) {
  (void)state;
  assert_int_equal(aio__sched_submit(sched, &nodes[0]), AIORCH_OK);
  assert_ptr_equal(next(), &nodes[0]);
  aio__sched_ready(sched, &nodes[0]);
  assert_null(next()); /* leased: not given to two */
  aio__sched_park(sched, &nodes[0], AIO__NEVER);
  assert_ptr_equal(next(), &nodes[0]);
}

static void test_wait__a_parked_run_comes_back_at_its_deadline(void **state) {
  (void)state;
  for (int i = 0; i < 64; i++) {
    assert_int_equal(aio__sched_submit(sched, &nodes[i]), AIORCH_OK);
    assert_ptr_equal(next(), &nodes[i]);
  }
  /* Deadlines in a scrambled order, then given back in theirs. */
  for (int i = 0; i < 64; i++) aio__sched_park(sched, &nodes[i], in_ms(1000 + (i * 37) % 64));
  aio__sched_remove(sched, &nodes[5]);
  int64_t last = 0;
  for (int i = 0; i < 63; i++) {
    aio__sched_node *node = NULL;
    assert_int_equal(aio__sched_wait(sched, in_ms(5000), &node), AIORCH_OK);
    assert_ptr_not_equal(node, &nodes[5]);
    assert_true(node->deadline_ns >= last);
    assert_true(atomic_load(&v.monotonic_ns) >= node->deadline_ns);
    last = node->deadline_ns;
  }
  aio__sched_node *node = NULL;
  assert_int_equal(aio__sched_wait(sched, in_ms(10), &node), AIORCH_AGAIN);
}

/* Streams park again and again, each time until later, or sooner: whoever comes back is woken, or its last deadline has come. */
static void test_wait__deadlines_that_move(void **state) {
  (void)state;
  enum { NODES = 24 };
  bool woken[NODES] = {false};
  uint64_t random = 1;
  for (int i = 0; i < NODES; i++) {
    assert_int_equal(aio__sched_submit(sched, &nodes[i]), AIORCH_OK);
    assert_ptr_equal(next(), &nodes[i]);
    aio__sched_park(sched, &nodes[i], in_ms(1 + i));
  }
  for (int round = 0; round < 20000; round++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    unsigned which = (unsigned)(random >> 33) % NODES;
    if (random >> 60 < 9 && !woken[which]) {
      aio__sched_ready(sched, &nodes[which]);
      woken[which] = true;
    }
    aio__sched_node *node = NULL;
    if (aio__sched_wait(sched, in_ms((int64_t)(random >> 40) % 5), &node) != AIORCH_OK) {
      int64_t now = aio__clock_now(&v.clock);
      for (int i = 0; i < NODES; i++) assert_true(!woken[i] && nodes[i].deadline_ns >= now);
      continue;
    }
    size_t i = (size_t)(node - nodes);
    assert_true(woken[i] || node->deadline_ns <= aio__clock_now(&v.clock));
    woken[i] = false;
    bool never = random >> 50 & 1 && random >> 51 & 1;
    aio__sched_park(sched, node, never && i > 3 ? AIO__NEVER : in_ms((int64_t)(random >> 36) % 40));
  }
  for (int i = 0; i < NODES; i++) aio__sched_remove(sched, &nodes[i]);
  assert_null(next());
}

static void test_close__done_when_nothing_is_submitted(void **state) {
  (void)state;
  aio__sched_node *node = NULL;
  assert_int_equal(aio__sched_submit(sched, &nodes[0]), AIORCH_OK);
  assert_ptr_equal(next(), &nodes[0]);
  aio__sched_close(sched);
  assert_int_equal(aio__sched_wait(sched, in_ms(10), &node), AIORCH_AGAIN);
  aio__sched_remove(sched, &nodes[0]);
  assert_int_equal(aio__sched_wait(sched, in_ms(10), &node), AIORCH_DONE);
  assert_int_equal(aio__sched_state_of(sched, &nodes[0]), AIO__SCHED_IDLE);
}

static int readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0);
}

/* A deadline that has moved away does not show. */
static void test_fd__shows_no_deadline_that_was(void **state) {
  (void)state;
  int fd = -1;
  assert_int_equal(aio__sched_fd(sched, &fd), AIORCH_OK);
  assert_int_equal(aio__sched_submit(sched, &nodes[0]), AIORCH_OK);
  assert_ptr_equal(next(), &nodes[0]);
  aio__sched_park(sched, &nodes[0], 1); /* of the system's clock, by which the descriptor goes: long ago */
  assert_int_equal(readable(fd), 1);
  aio__sched_ready(sched, &nodes[0]);
  assert_ptr_equal(next(), &nodes[0]);
  assert_int_equal(readable(fd), 0);
  aio__sched_park(sched, &nodes[0], aio__clock_now(aio__clock_system()) + INT64_C(3600000000000));
  assert_int_equal(readable(fd), 0);
  aio__sched_ready(sched, &nodes[0]);
  assert_int_equal(readable(fd), 1);
  assert_ptr_equal(next(), &nodes[0]);
  aio__sched_park(sched, &nodes[0], 1);
  assert_int_equal(readable(fd), 1);
}

static void test_fd__is_level_triggered(void **state) {
  (void)state;
  int fd = -1, again = -1;
  assert_int_equal(aio__sched_submit(sched, &nodes[0]), AIORCH_OK);
  assert_int_equal(aio__sched_fd(sched, &fd), AIORCH_OK);
  assert_int_equal(aio__sched_fd(sched, &again), AIORCH_OK);
  assert_int_equal(fd, again);
  assert_int_equal(readable(fd), 1);
  assert_int_equal(readable(fd), 1);
  assert_int_equal(aio__sched_submit(sched, &nodes[1]), AIORCH_OK);
  assert_ptr_equal(next(), &nodes[0]);
  assert_int_equal(readable(fd), 1);
  assert_ptr_equal(next(), &nodes[1]);
  assert_int_equal(readable(fd), 0);
  aio__sched_remove(sched, &nodes[0]);
  aio__sched_ready(sched, &nodes[1]);
  aio__sched_park(sched, &nodes[1], AIO__NEVER);
  assert_int_equal(readable(fd), 1);
  aio__sched_remove(sched, &nodes[1]);
  assert_int_equal(readable(fd), 0);
  aio__sched_close(sched);
  assert_int_equal(readable(fd), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_wait__gives_in_the_order_of_readiness, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_park__what_came_meanwhile_is_not_lost, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_wait__a_parked_run_comes_back_at_its_deadline, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_wait__deadlines_that_move, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_close__done_when_nothing_is_submitted, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_fd__shows_no_deadline_that_was, open_sched, free_sched),
      cmocka_unit_test_setup_teardown(test_fd__is_level_triggered, open_sched, free_sched),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
