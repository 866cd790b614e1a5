/* lib/generate/attempt.c: the way along the chain, in virtual time and with a lot that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "generate/attempt.h"

static uint32_t told(void *ctx) { return *(uint32_t *)ctx; }

typedef struct world {
  aio__plugin_provider providers[3];
  aio__target targets[3];
  aio__plan plan;
  uint32_t lot;
  int64_t now;
} world;

static void make(world *w, size_t count) {
  static const char *const names[] = {"one", "two", "three"};
  const aio__health_limits limits = {AIO__RETRY_BUDGET_MILLI, AIO__BREAKER_FAILURES, AIO__BREAKER_OPEN_MS};
  memset(w, 0, sizeof *w);
  w->now = 1000000;
  for (size_t i = 0; i < count; i++) {
    w->providers[i].name = names[i];
    w->targets[i].whom = (aio__health_whom){&w->providers[i], "m"};
  }
  w->plan = (aio__plan){.targets = w->targets, .count = count, .random = told, .random_ctx = &w->lot};
  assert_int_equal(aio__health_new(aio__alloc_default(), &limits, &w->plan.health), AIORCH_OK);
}

static void done(world *w) { aio__health_free(w->plan.health); }

/* A new run on the same handle. */
static void again(world *w) {
  aio__health *health = w->plan.health;
  for (size_t i = 0; i < w->plan.count; i++) {
    w->targets[i].left = false;
    w->targets[i].passed_over_ms = 0;
  }
  w->plan = (aio__plan){.health = health, .targets = w->targets, .count = w->plan.count, .random = told, .random_ctx = &w->lot};
}

static aio__plan_move failed_with(world *w, aio__retry_failure failure) {
  return aio__plan_failed(&w->plan, &failure, false, 120000, w->now);
}

static aio__plan_move failed(world *w, aiorch_status status) {
  return failed_with(w, (aio__retry_failure){.status = status, .retry_after_ms = -1, .should_retry = -1});
}

static void goes(aio__plan_move move, aio__plan_turn turn, const world *w, size_t at, uint32_t endpoint) {
  assert_int_equal(move.kind, AIO__PLAN_GO);
  assert_int_equal(move.turn, turn);
  assert_int_equal(w->plan.at, at);
  assert_int_equal(w->plan.endpoint, endpoint);
}

static void waits(world *w, aio__plan_move move, int64_t ms) {
  assert_int_equal(move.kind, AIO__PLAN_WAIT);
  assert_int_equal(move.wait_ms, ms);
  w->now += ms;
}

static void test_failed__three_attempts_then_the_next(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  w.lot = UINT32_MAX;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  waits(&w, failed(&w, AIORCH_E_PROVIDER_BUSY), 500);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 0, 0);
  waits(&w, failed(&w, AIORCH_E_PROVIDER_BUSY), 1000);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 0, 0);
  goes(failed(&w, AIORCH_E_PROVIDER_BUSY), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 500); /* each provider has attempts of its own */
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 1, 0);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 1000);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 1, 0);
  assert_int_equal(failed(&w, AIORCH_E_NETWORK).kind, AIO__PLAN_NOBODY);
  assert_int_equal(w.plan.total, 6);
  assert_int_equal(aio__plan_shortest_ms(&w.plan, w.now), -1);
  done(&w);
}

static void test_failed__keys_one_after_the_other(void **state) {
  (void)state;
  static const aiorch_status refused[] = {AIORCH_E_PROVIDER_KEY, AIORCH_E_PROVIDER_LIMIT};
  for (size_t i = 0; i < 2; i++) {
    world w;
    make(&w, 2);
    w.providers[0].endpoint_count = 3;
    goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
    w.lot = UINT32_MAX;
    goes(failed(&w, refused[i]), AIO__TURN_OTHER_KEY, &w, 0, 2);
    goes(failed(&w, refused[i]), AIO__TURN_OTHER_KEY, &w, 0, 1);
    goes(failed(&w, refused[i]), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
    assert_int_equal(w.plan.total, 4);
    done(&w);
  }
}

static void test_failed__a_limit_with_nobody_else_is_waited_out(void **state) {
  (void)state;
  world w;
  make(&w, 1);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  const aio__retry_failure limit = {.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 7000, .should_retry = -1};
  waits(&w, failed_with(&w, limit), 7000);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 0, 0);
  assert_true(w.plan.probe); /* the server named a time: until then the breaker was open */
  aio__plan_succeeded(&w.plan, w.now);
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  const aio__retry_failure today = {.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 100, .should_retry = -1, .not_today = true};
  assert_int_equal(failed_with(&w, today).kind, AIO__PLAN_NOBODY);
  done(&w);
}

/* Attempts at a provider are those that a wait may mend. */
static void test_failed__a_refused_key_is_no_attempt(void **state) {
  (void)state;
  world w;
  make(&w, 1);
  w.providers[0].endpoint_count = 2;
  w.plan.attempts_max = 2;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  w.lot = UINT32_MAX;
  goes(failed(&w, AIORCH_E_PROVIDER_KEY), AIO__TURN_OTHER_KEY, &w, 0, 1);
  waits(&w, failed(&w, AIORCH_E_PROVIDER_BUSY), 500);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 0, 1);
  assert_int_equal(failed(&w, AIORCH_E_PROVIDER_BUSY).kind, AIO__PLAN_NOBODY);
  done(&w);
}

/* Neither the provider itself nor one that was left is another that could be asked. */
static void test_failed__a_limit_that_names_no_time(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  w.lot = UINT32_MAX;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_PROVIDER_MODEL), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
  waits(&w, failed(&w, AIORCH_E_PROVIDER_LIMIT), 500);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 1, 0);
  done(&w);
}

static void test_failed__a_long_retry_after_goes_to_who_may_answer_now(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  const aio__retry_failure busy = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 8001, .should_retry = -1};
  goes(failed_with(&w, busy), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
  waits(&w, failed_with(&w, busy), 8001); /* nobody else */
  done(&w);
}

static void test_failed__model_rejected_and_committed(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  w.providers[0].endpoint_count = 2;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_PROVIDER_MODEL), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
  assert_int_equal(failed(&w, AIORCH_E_PROVIDER_MODEL).kind, AIO__PLAN_NOBODY);
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_int_equal(failed(&w, AIORCH_E_PROVIDER_REJECTED).kind, AIO__PLAN_GIVE_UP);
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  const aio__retry_failure cut = {.status = AIORCH_E_NETWORK, .retry_after_ms = -1, .should_retry = 1};
  assert_int_equal(aio__plan_failed(&w.plan, &cut, true, 120000, w.now).kind, AIO__PLAN_GIVE_UP);
  done(&w);
}

static void test_failed__no_wait_passes_the_deadline(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  w.lot = UINT32_MAX;
  const aio__retry_failure busy = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = -1, .should_retry = -1};
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(aio__plan_failed(&w.plan, &busy, false, 500, w.now), AIO__TURN_OTHER_PROVIDER, &w, 1, 0);
  assert_int_equal(aio__plan_failed(&w.plan, &busy, false, 500, w.now).kind, AIO__PLAN_NOBODY);
  done(&w);
}

/* ---- context window: a chain of its own ---- */

static void test_window__only_larger_ones_from_then_on(void **state) {
  (void)state;
  world w;
  make(&w, 3);
  w.providers[0].context_tokens = 8000;
  w.providers[1].context_tokens = 8000;
  w.providers[2].context_tokens = 200000;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_CONTEXT_WINDOW), AIO__TURN_LARGER_WINDOW, &w, 2, 0);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 0);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 2, 0);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 0);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 2, 0);
  assert_int_equal(failed(&w, AIORCH_E_NETWORK).kind, AIO__PLAN_NOBODY); /* the second would only fail for its size */
  again(&w);
  w.providers[2].context_tokens = 0;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_int_equal(failed(&w, AIORCH_E_CONTEXT_WINDOW).kind, AIO__PLAN_GIVE_UP);
  again(&w);
  w.providers[0].context_tokens = 0; /* of which nothing is known: what it was asked is the measure */
  w.plan.prompt_tokens = 9000;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_int_equal(failed(&w, AIORCH_E_CONTEXT_WINDOW).kind, AIO__PLAN_GIVE_UP);
  again(&w);
  w.plan.prompt_tokens = 7000;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_CONTEXT_WINDOW), AIO__TURN_LARGER_WINDOW, &w, 1, 0);
  done(&w);
}

/* ---- breakers ---- */

static void open_breaker(world *w, size_t at, int64_t now) {
  for (int i = 0; i < AIO__BREAKER_FAILURES; i++) {
    (void)aio__health_report(w->plan.health, w->targets[at].whom, 0, AIORCH_E_NETWORK, -1, now);
  }
}

/* Where neither window nor prompt is known, one of which nothing is known is no larger one. */
static void test_window__of_which_nothing_is_known(void **state) {
  (void)state;
  world w;
  make(&w, 3);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_int_equal(failed(&w, AIORCH_E_CONTEXT_WINDOW).kind, AIO__PLAN_GIVE_UP);
  assert_false(w.plan.out);
  again(&w);
  w.providers[2].context_tokens = 2;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_CONTEXT_WINDOW), AIO__TURN_LARGER_WINDOW, &w, 2, 0);
  assert_true(w.plan.out);
  assert_int_equal(w.plan.window, 1);
  done(&w);
}

static void test_breaker__an_open_one_is_passed_over(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  open_breaker(&w, 0, w.now);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 1, 0);
  assert_int_equal(w.targets[0].passed_over_ms, w.now + 30000);
  open_breaker(&w, 1, w.now + 10);
  again(&w);
  assert_int_equal(aio__plan_begin(&w.plan, w.now + 20).kind, AIO__PLAN_NOBODY);
  assert_int_equal(aio__plan_shortest_ms(&w.plan, w.now + 20), 29980);
  assert_int_equal(w.plan.total, 0);
  again(&w);
  w.now += 30000;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0); /* the probe */
  assert_true(w.plan.probe);
  aio__plan_alive(&w.plan);
  assert_false(w.plan.probe);
  assert_true(aio__health_any(w.plan.health, w.targets[0].whom, 0, w.now));
  done(&w);
}

/* A run asks each provider once in the order of its chain, also when a breaker closes while it waits for another. */
static void test_breaker__who_was_passed_over_is_left(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  open_breaker(&w, 0, w.now);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 1, 0);
  w.now += AIO__BREAKER_OPEN_MS;
  assert_int_equal(failed(&w, AIORCH_E_PROVIDER_MODEL).kind, AIO__PLAN_NOBODY);
  assert_int_equal(aio__plan_shortest_ms(&w.plan, w.now), 0);
  done(&w);
}

static void test_breaker__opening_says_so_and_ends_the_waiting(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  for (int i = 0; i < AIO__BREAKER_FAILURES - 1; i++) {
    (void)aio__health_report(w.plan.health, w.targets[0].whom, 0, AIORCH_E_NETWORK, -1, w.now);
  }
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  goes(failed(&w, AIORCH_E_NETWORK), AIO__TURN_OTHER_PROVIDER, &w, 1, 0); /* a retry would find it open */
  assert_true(w.plan.opened);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 0);
  assert_false(w.plan.opened);
  open_breaker(&w, 1, w.now); /* another run finds out meanwhile */
  assert_int_equal(aio__plan_waited(&w.plan, w.now).kind, AIO__PLAN_NOBODY);
  assert_int_equal(aio__plan_shortest_ms(&w.plan, w.now), 30000);
  done(&w);
}

static void test_breaker__after_a_wait_another_endpoint_serves(void **state) {
  (void)state;
  world w;
  make(&w, 1);
  w.providers[0].endpoint_count = 2;
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  waits(&w, failed(&w, AIORCH_E_NETWORK), 0);
  open_breaker(&w, 0, w.now);
  goes(aio__plan_waited(&w.plan, w.now), AIO__TURN_AGAIN, &w, 0, 1);
  done(&w);
}

static void test_probe__a_rejected_request_or_a_dropped_one_hands_it_on(void **state) {
  (void)state;
  world w;
  make(&w, 1);
  open_breaker(&w, 0, w.now - 30000);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_true(w.plan.probe);
  aio__plan_dropped(&w.plan, w.now);
  aio__plan_dropped(&w.plan, w.now); /* harmless */
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_true(w.plan.probe);
  assert_int_equal(failed(&w, AIORCH_E_PROVIDER_REJECTED).kind, AIO__PLAN_GIVE_UP);
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_true(w.plan.probe);
  aio__plan_succeeded(&w.plan, w.now);
  again(&w);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 0, 0);
  assert_false(w.plan.probe);
  done(&w);
}

/* ---- the built-in one, and bounds ---- */

static void test_built_in__has_neither_breaker_nor_retries(void **state) {
  (void)state;
  world w;
  make(&w, 2);
  w.targets[1].built_in = true;
  open_breaker(&w, 0, w.now);
  open_breaker(&w, 1, w.now);
  goes(aio__plan_begin(&w.plan, w.now), AIO__TURN_FIRST, &w, 1, 0);
  assert_int_equal(failed(&w, AIORCH_E_NETWORK).kind, AIO__PLAN_NOBODY);
  assert_false(w.plan.opened || w.plan.out);
  done(&w);
}

static void test_total__is_bounded(void **state) {
  (void)state;
  world w;
  make(&w, 1);
  w.providers[0].endpoint_count = 1;
  w.plan.attempts_max = 1000000;
  aio__plan_move move = aio__plan_begin(&w.plan, w.now);
  int attempts = 0;
  while (move.kind == AIO__PLAN_GO) {
    attempts++;
    for (int i = 0; i < 10; i++) (void)aio__health_report(w.plan.health, w.targets[0].whom, 0, AIORCH_OK, -1, w.now);
    move = failed(&w, AIORCH_E_NETWORK);
    if (move.kind == AIO__PLAN_WAIT) move = aio__plan_waited(&w.plan, w.now);
  }
  assert_int_equal(move.kind, AIO__PLAN_NOBODY);
  assert_int_equal(attempts, AIO__PLAN_ATTEMPTS_MAX);
  done(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failed__three_attempts_then_the_next),
      cmocka_unit_test(test_failed__keys_one_after_the_other),
      cmocka_unit_test(test_failed__a_limit_with_nobody_else_is_waited_out),
      cmocka_unit_test(test_failed__a_refused_key_is_no_attempt),
    cmocka_unit_test(test_failed__a_limit_that_names_no_time),
    cmocka_unit_test(test_breaker__who_was_passed_over_is_left),
    cmocka_unit_test(test_failed__a_long_retry_after_goes_to_who_may_answer_now),
      cmocka_unit_test(test_failed__model_rejected_and_committed),
      cmocka_unit_test(test_failed__no_wait_passes_the_deadline),
      cmocka_unit_test(test_window__only_larger_ones_from_then_on),
      cmocka_unit_test(test_window__of_which_nothing_is_known),
    cmocka_unit_test(test_breaker__an_open_one_is_passed_over),
      cmocka_unit_test(test_breaker__opening_says_so_and_ends_the_waiting),
      cmocka_unit_test(test_breaker__after_a_wait_another_endpoint_serves),
      cmocka_unit_test(test_probe__a_rejected_request_or_a_dropped_one_hands_it_on),
      cmocka_unit_test(test_built_in__has_neither_breaker_nor_retries),
      cmocka_unit_test(test_total__is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
