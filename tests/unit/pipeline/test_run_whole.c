/* Runs that want their answer whole (aiorch_run_set_whole) when it breaks off, is late, is cancelled, or is shared. In virtual time. */
#include "../support/flight_scene.h"

#include <stdio.h>

#include "pipeline/shared_call.h"

enum { ROWS = 8, INPUT_PRICE = 3000, OUTPUT_PRICE = 15000 /* nano-USD a token of the model in ALONE */ };

static const char ALONE[] = "{\"generate.single_flight\": \"off\", \"cache.mode\": \"off\", \"generate.model\": \"claude-sonnet-4-5\"}";

static aiorch_run *ask_whole(scene *s, const char *user, bool whole) {
  aiorch_run *run = fixture_ask(&s->f, "acme", user, "What is it?");
  assert_int_equal(aiorch_run_set_whole(run, whole ? 1 : 0), AIORCH_OK);
  assert_int_equal(drive(run, NULL), AIORCH_AGAIN);
  return run;
}

/* Some of it, which would have gone out of a run that streams; then it breaks off. */
static void begin_and_break(scene *s, int call, int64_t input) {
  say(&s->h, call, long_text());
  finish(&s->h, call, AIORCH_E_NETWORK, input);
}

static void nothing_stands(aiorch_run *run, const char *deltas, aiorch_status status) {
  assert_int_equal(aiorch_run_status(run), status);
  assert_string_equal(fixture_answer(run), "");
  assert_string_equal(deltas, "");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_NONE);
}

/* ---- its own end in the middle of an answer ---- */

static void ends_in_the_middle(int attempts_before, bool cancel) {
  scene *s = begin(ALONE);
  char deltas[6000] = "";
  aiorch_run *run = fixture_ask(&s->f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_set_whole(run, 1), AIORCH_OK);
  assert_int_equal(aiorch_run_set_option(run, "deadline_ms", "5000", 4), AIORCH_OK);
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  for (int i = 0; i < attempts_before; i++) {
    begin_and_break(s, i, 0);
    assert_int_equal(drive(run, deltas), AIORCH_AGAIN); /* the next is out: waits are 0 here */
  }
  assert_int_equal(s->h.count, attempts_before + 1);
  say(&s->h, attempts_before, long_text());
  virtual_clock_advance_ms(&s->f.clock, 4999);
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  if (cancel) assert_int_equal(aiorch_cancel(s->f.orch, run->id, strlen(run->id)), AIORCH_OK);
  else virtual_clock_advance_ms(&s->f.clock, 1);
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_int_equal(s->h.cancelled, 1);
  assert_int_equal(s->h.count, attempts_before + 1);
  nothing_stands(run, deltas, cancel ? AIORCH_E_CANCELLED : AIORCH_E_DEADLINE);
  aio__attempt_row rows[ROWS];
  size_t count = fixture_ledger(&s->f, run->id, rows, ROWS);
  assert_int_equal(count, attempts_before + 1);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(rows[i].state, AIO__ATTEMPT_SETTLED);
    assert_true(rows[i].usage.estimated); /* what came was paid, whoever sees it */
    assert_in_range(rows[i].usage.n[AIORCH_USAGE_OUTPUT], 300, 1500);
    assert_true(rows[i].cost_known); /* by the estimate */
    assert_int_equal(rows[i].cost_nano_usd, rows[i].usage.n[AIORCH_USAGE_INPUT] * INPUT_PRICE + rows[i].usage.n[AIORCH_USAGE_OUTPUT] * OUTPUT_PRICE);
  }
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_OUTPUT), (int64_t)count * rows[0].usage.n[AIORCH_USAGE_OUTPUT]);
  aiorch_run_free(run);
  fixture_close(&s->f);
}

static void test_whole__deadline_in_the_middle(void **state) {
  (void)state;
  ends_in_the_middle(0, false);
  ends_in_the_middle(1, false);
}

static void test_whole__cancelled_in_the_middle(void **state) {
  (void)state;
  ends_in_the_middle(0, true);
  ends_in_the_middle(2, true);
}

/* No time is left for another attempt: the run does not begin one, and ends before its deadline. */
static void test_whole__breaks_off_with_too_little_time_left(void **state) {
  (void)state;
  scene *s = begin(ALONE);
  char deltas[6000] = "";
  s->f.lot = UINT32_MAX; /* the wait is 500 ms */
  aiorch_run *run = fixture_ask(&s->f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_set_whole(run, 1), AIORCH_OK);
  assert_int_equal(aiorch_run_set_option(run, "deadline_ms", "1000", 4), AIORCH_OK);
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  virtual_clock_advance_ms(&s->f.clock, 600);
  begin_and_break(s, 0, 10);
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_int_equal(s->h.count, 1);
  nothing_stands(run, deltas, AIORCH_E_PROVIDERS_UNAVAILABLE);
  aiorch_run_free(run);
  fixture_close(&s->f);
}

/* A refusal in the middle is no reason to ask again, and nothing of the answer stands. */
static void test_whole__refused_in_the_middle(void **state) {
  (void)state;
  scene *s = begin(ALONE);
  char deltas[6000] = "";
  aiorch_run *run = ask_whole(s, "u1", true);
  say(&s->h, 0, long_text());
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  finish(&s->h, 0, AIORCH_E_PROVIDER_REJECTED, 10);
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_int_equal(s->h.count, 1);
  nothing_stands(run, deltas, AIORCH_E_PROVIDER_REJECTED);
  aiorch_run_free(run);
  fixture_close(&s->f);
}

static void test_whole__closed_in_the_middle(void **state) {
  (void)state;
  scene *s = begin(ALONE);
  char deltas[6000] = "";
  aiorch_run *run = ask_whole(s, "u1", true);
  say(&s->h, 0, long_text());
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  assert_int_equal(aiorch_close(s->f.orch, 30000), AIORCH_OK);
  assert_int_equal(s->h.cancelled, 1);
  nothing_stands(run, deltas, AIORCH_E_CANCELLED);
  aiorch_run_free(run);
  assert_int_equal(aiorch_free(s->f.orch), AIORCH_OK);
}

/* ---- what it costs ---- */

/* `counted`: the provider says what it has counted before it breaks off. */
static void costs_of_two_attempts(bool counted) {
  scene *s = begin(ALONE);
  char deltas[6000] = "";
  int64_t cost = -1;
  aiorch_run *run = ask_whole(s, "u1", true);
  begin_and_break(s, 0, counted ? 700 : 0);
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  say(&s->h, 1, "It is so.");
  assert_int_equal(aiorch_call_put_usage(s->h.calls[1], AIORCH_USAGE_OUTPUT, 4), AIORCH_OK);
  finish(&s->h, 1, AIORCH_OK, 1000);
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_string_equal(deltas, "It is so.");
  aio__attempt_row rows[ROWS];
  assert_int_equal(fixture_ledger(&s->f, run->id, rows, ROWS), 2);
  assert_string_not_equal(rows[0].id, rows[1].id);
  size_t broken = rows[0].status == AIORCH_OK ? 1 : 0;
  const aio__attempt_row *first = &rows[broken], *second = &rows[1 - broken];
  assert_int_equal(first->state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(first->status, AIORCH_E_NETWORK);
  assert_int_equal(first->usage.estimated, !counted);
  assert_true(first->cost_known); /* by the estimate, where nobody has counted */
  if (counted) assert_int_equal(first->usage.n[AIORCH_USAGE_INPUT], 700);
  if (counted) assert_int_equal(first->cost_nano_usd, 700 * INPUT_PRICE);
  else assert_true(first->cost_nano_usd > 300 * OUTPUT_PRICE);
  assert_int_equal(second->state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(second->status, AIORCH_OK);
  assert_true(second->cost_known);
  assert_int_equal(second->cost_nano_usd, 1000 * INPUT_PRICE + 4 * OUTPUT_PRICE);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 1000 + first->usage.n[AIORCH_USAGE_INPUT]);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_OUTPUT), 4 + first->usage.n[AIORCH_USAGE_OUTPUT]);
  assert_int_equal(aiorch_run_usage_estimated(run) != 0, !counted);
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
  assert_int_equal(cost, first->cost_nano_usd + second->cost_nano_usd);
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  assert_int_equal(fixture_counter(&s->f, AIO__N_COST_ROWS), 1); /* one run */
  aiorch_run_free(run);
  fixture_close(&s->f);
}

static void test_cost__both_attempts_have_their_row(void **state) {
  (void)state;
  costs_of_two_attempts(true);
  costs_of_two_attempts(false);
}

/* A budget that is used up by the attempt that broke off lets the run go on, which was admitted, and no other: neither when it is known
 * what that has cost, nor when it is not, as then what was reserved stays. */
static void test_cost__the_budget_is_used_up_by_the_first_attempt(void **state) {
  (void)state;
  for (int counted = 0; counted < 2; counted++) {
    scene *s = begin("{\"generate.single_flight\": \"off\", \"cache.mode\": \"off\", \"generate.model\": \"claude-sonnet-4-5\","
                     "\"budget.user_nano_usd\": 40000000}"); /* room for one run, of up to 24 million, no second */
    char deltas[6000] = "";
    aiorch_run *run = ask_whole(s, "u1", true);
    begin_and_break(s, 0, counted ? 20000 : 0);
    assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
    say(&s->h, 1, "It is so.");
    finish(&s->h, 1, AIORCH_OK, 10);
    assert_int_equal(drive(run, deltas), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(run), AIORCH_OK);
    assert_string_equal(deltas, "It is so.");
    aiorch_run_free(run);
    run = fixture_ask(&s->f, "acme", "u1", "What else?");
    assert_int_equal(drive(run, NULL), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(run), AIORCH_E_BUDGET_EXCEEDED);
    assert_int_equal(s->h.count, 2);
    aiorch_run_free(run);
    fixture_close(&s->f);
  }
}

static void test_cost__the_retries_in_hand_are_used_up(void **state) {
  (void)state;
  scene *s = begin("{\"generate.single_flight\": \"off\", \"cache.mode\": \"off\", \"generate.retry_budget\": 1}");
  char deltas[6000] = "";
  aiorch_run *run = ask_whole(s, "u1", true);
  begin_and_break(s, 0, 10);
  assert_int_equal(drive(run, deltas), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  begin_and_break(s, 1, 10); /* "generate.attempts" would allow a third */
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_int_equal(s->h.count, 2);
  nothing_stands(run, deltas, AIORCH_E_PROVIDERS_UNAVAILABLE);
  aiorch_run_free(run);
  fixture_close(&s->f);
}

/* ---- shared ---- */

static void answered_whole(aiorch_run *run, const char *text, bool shared, size_t attempts) {
  char deltas[6000] = "";
  assert_int_equal(drive(run, deltas), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(deltas, text);
  assert_string_equal(fixture_answer(run), text);
  assert_int_equal(run->shared, shared);
  assert_int_equal(aiorch_run_attempt_count(run), attempts);
}

/* The leader streams, and its client has seen text: its run ends. The other has shown nothing, and asks for itself. */
static void test_shared__the_leader_streams_the_other_is_whole(void **state) {
  (void)state;
  scene *s = begin(NULL);
  char streamed[6000] = "", whole[6000] = "";
  aiorch_run *a = ask_whole(s, "u1", false), *b = ask_whole(s, "u2", true);
  assert_int_equal(s->h.count, 1);
  say(&s->h, 0, long_text());
  assert_int_equal(drive(b, whole), AIORCH_AGAIN);
  assert_int_equal(drive(a, streamed), AIORCH_AGAIN);
  assert_string_equal(whole, "");
  assert_true(strlen(streamed) > 1000);
  finish(&s->h, 0, AIORCH_E_NETWORK, 10);
  assert_int_equal(drive(b, whole), AIORCH_AGAIN);
  assert_int_equal(drive(a, streamed), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_NETWORK);
  assert_string_equal(fixture_answer(a), streamed); /* what was given out stands */
  virtual_clock_advance_ms(&s->f.clock, 1000);
  assert_int_equal(drive(b, whole), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  say(&s->h, 1, "It is so.");
  finish(&s->h, 1, AIORCH_OK, 5);
  answered_whole(b, "It is so.", false, 1);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* The leader is whole, and goes on; of the one that streams, text has gone out: it ends, and never mixes two answers. */
static void test_shared__the_leader_is_whole_the_other_streams(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) { /* is the follower driven before, or after the next attempt has begun? */
    scene *s = begin(NULL);
    char streamed[6000] = "";
    aiorch_run *a = ask_whole(s, "u1", true), *b = ask_whole(s, "u2", false);
    assert_int_equal(s->h.count, 1);
    say(&s->h, 0, long_text());
    assert_int_equal(drive(b, streamed), AIORCH_AGAIN);
    assert_true(strlen(streamed) > 1000);
    finish(&s->h, 0, AIORCH_E_NETWORK, 10);
    if (!late) assert_int_equal(drive(b, streamed), AIORCH_DONE);
    assert_int_equal(drive(a, NULL), AIORCH_AGAIN);
    assert_int_equal(s->h.count, 2);
    say(&s->h, 1, "It is so.");
    if (late) assert_int_equal(drive(b, streamed), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(b), AIORCH_E_TRUNCATED);
    assert_string_equal(fixture_answer(b), streamed);
    finish(&s->h, 1, AIORCH_OK, 5);
    answered_whole(a, "It is so.", false, 2);
    aio__attempt_row rows[ROWS];
    assert_int_equal(fixture_ledger(&s->f, a->id, rows, ROWS), 2);
    assert_int_equal(fixture_ledger(&s->f, b->id, rows, ROWS), 0);
    aiorch_run_free(a);
    aiorch_run_free(b);
    fixture_close(&s->f);
  }
}

static void test_shared__both_are_whole(void **state) {
  (void)state;
  for (int first = 0; first < 2; first++) {
    scene *s = begin(NULL);
    aiorch_run *a = ask_whole(s, "u1", true), *b = ask_whole(s, "u2", true);
    say(&s->h, 0, long_text());
    assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
    finish(&s->h, 0, AIORCH_E_NETWORK, 10);
    if (first) assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
    assert_int_equal(drive(a, NULL), AIORCH_AGAIN);
    assert_int_equal(s->h.count, 2); /* the leader's plan, for both */
    say(&s->h, 1, "It is so.");
    finish(&s->h, 1, AIORCH_OK, 5);
    answered_whole(first ? b : a, "It is so.", first, first ? 0 : 2);
    answered_whole(first ? a : b, "It is so.", !first, first ? 2 : 0);
    aiorch_run_free(a);
    aiorch_run_free(b);
    fixture_close(&s->f);
  }
}

static void test_shared__the_failure_leaves_nothing_with_anybody(void **state) {
  (void)state;
  scene *s = begin("{\"generate.attempts\": 1}");
  char first[6000] = "", second[6000] = "";
  aiorch_run *a = ask_whole(s, "u1", true), *b = ask_whole(s, "u2", true);
  say(&s->h, 0, long_text());
  assert_int_equal(drive(b, second), AIORCH_AGAIN);
  assert_int_equal(drive(a, first), AIORCH_AGAIN);
  finish(&s->h, 0, AIORCH_E_NETWORK, 10);
  assert_int_equal(drive(a, first), AIORCH_DONE);
  nothing_stands(a, first, AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(drive(b, second), AIORCH_DONE);
  nothing_stands(b, second, AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(s->h.count, 1);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* Whoever leaves in the middle takes nothing from the other, who has all of it at the end. */
static void test_shared__one_is_cancelled_in_the_middle(void **state) {
  (void)state;
  for (int leader = 0; leader < 2; leader++) {
    scene *s = begin(NULL);
    char deltas[6000] = "", expected[6000];
    aiorch_run *runs[] = {ask_whole(s, "u1", true), ask_whole(s, "u2", true)};
    aiorch_run *goes = runs[leader ? 0 : 1], *stays = runs[leader ? 1 : 0];
    say(&s->h, 0, long_text());
    assert_int_equal(drive(stays, NULL), AIORCH_AGAIN);
    assert_int_equal(drive(goes, deltas), AIORCH_AGAIN);
    assert_int_equal(aiorch_cancel(s->f.orch, goes->id, strlen(goes->id)), AIORCH_OK);
    assert_int_equal(drive(goes, deltas), AIORCH_DONE);
    nothing_stands(goes, deltas, AIORCH_E_CANCELLED);
    assert_int_equal(s->h.cancelled, 0);
    say(&s->h, 0, "and the end.");
    finish(&s->h, 0, AIORCH_OK, 5);
    (void)snprintf(expected, sizeof expected, "%sand the end.", long_text());
    answered_whole(stays, expected, leader, leader ? 0 : 1);
    assert_int_equal(s->h.count, 1);
    aio__attempt_row rows[ROWS];
    assert_int_equal(fixture_ledger(&s->f, runs[0]->id, rows, ROWS), 1); /* its starter's, also when it has gone */
    assert_int_equal(rows[0].status, AIORCH_OK);
    assert_int_equal(fixture_ledger(&s->f, runs[1]->id, rows, ROWS), 0);
    aiorch_run_free(runs[0]);
    aiorch_run_free(runs[1]);
    fixture_close(&s->f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole__deadline_in_the_middle),
      cmocka_unit_test(test_whole__cancelled_in_the_middle),
      cmocka_unit_test(test_whole__breaks_off_with_too_little_time_left),
      cmocka_unit_test(test_whole__refused_in_the_middle),
      cmocka_unit_test(test_whole__closed_in_the_middle),
      cmocka_unit_test(test_cost__both_attempts_have_their_row),
      cmocka_unit_test(test_cost__the_budget_is_used_up_by_the_first_attempt),
      cmocka_unit_test(test_cost__the_retries_in_hand_are_used_up),
      cmocka_unit_test(test_shared__the_leader_streams_the_other_is_whole),
      cmocka_unit_test(test_shared__the_leader_is_whole_the_other_streams),
      cmocka_unit_test(test_shared__both_are_whole),
      cmocka_unit_test(test_shared__the_failure_leaves_nothing_with_anybody),
      cmocka_unit_test(test_shared__one_is_cancelled_in_the_middle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
