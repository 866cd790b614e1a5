/* lib/core/thread.c (label: threads) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>

#include <cmocka.h>

#include "core/thread.h"

enum { STACK = 1 << 18 };

static void *note_mask(void *ctx) {
  pthread_sigmask(SIG_SETMASK, NULL, ctx);
  return ctx;
}

static void test_start__signals_are_blocked_in_it_alone(void **state) {
  (void)state;
  static const int some[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE};
  sigset_t own, after, inside;
  pthread_t thread;
  void *result = NULL;
  sigemptyset(&inside);
  sigemptyset(&own);
  sigaddset(&own, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &own, NULL);
  assert_int_equal(aio__thread_start(&thread, STACK, note_mask, &inside), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, &inside);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
    assert_int_equal(sigismember(&inside, some[i]), 1);
    assert_int_equal(sigismember(&after, some[i]), 0);
  }
  assert_int_equal(sigismember(&after, SIGUSR2), 1); /* as it was */
}

static void test_start__that_fails_says_why(void **state) {
  (void)state;
  sigset_t before, after;
  pthread_t thread;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  int code = aio__thread_start(&thread, SIZE_MAX / 4, note_mask, &after);
  assert_true(code == EAGAIN || code == ENOMEM || code == EINVAL);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_start__signals_are_blocked_in_it_alone),
    cmocka_unit_test(test_start__that_fails_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
