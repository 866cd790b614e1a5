/* Single-flight over the pipeline: two or more runs that ask the same at the same time, in virtual time. */
#include "../support/flight_scene.h"

#include <stdio.h>

#include "pipeline/shared_call.h"

static const char PRICED[] = "{\"generate.model\": \"claude-sonnet-4-5\"}";
enum { INPUT_PRICE = 3000, OUTPUT_PRICE = 15000 }; /* nano-USD a token of that model */

static void answered(aiorch_run *run, const char *text, bool shared) {
  assert_int_equal(drive(run, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(fixture_answer(run), text);
  assert_int_equal(run->shared, shared);
  assert_int_equal(aiorch_run_attempt_count(run), shared ? 0 : 1);
}

static void test_flight__one_call_answers_all(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2"), *c = ask(s, "u3");
  assert_int_equal(s->h.count, 1);
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 10);
  answered(b, "It is so.", true); /* a follower is driven first: it steps the call */
  answered(a, "It is so.", false);
  answered(c, "It is so.", true);
  assert_int_equal(aiorch_run_usage(a, AIORCH_USAGE_INPUT), 10);
  assert_int_equal(aiorch_run_usage(b, AIORCH_USAGE_INPUT), 0);
  int64_t cost = -1;
  assert_int_equal(aiorch_run_cost(b, &cost), AIORCH_OK);
  assert_int_equal(cost, 0);
  assert_int_equal(fixture_counter(&s->f, AIO__N_RUNS_SHARED), 2);
  assert_int_equal(s->f.orch->flights != NULL, 1);
  aiorch_run_free(a);
  aiorch_run_free(b);
  aiorch_run_free(c);
  fixture_close(&s->f);
}

static void test_flight__only_what_is_the_same(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *runs[5];
  runs[0] = ask(s, "u1");
  runs[1] = fixture_ask(&s->f, "other", "u1", "What is it?"); /* another tenant */
  runs[2] = fixture_ask(&s->f, "acme", "u1", "What is that?");
  runs[3] = fixture_ask(&s->f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_set_option(runs[3], "generate.single_flight", "off", 3), AIORCH_OK);
  runs[4] = fixture_ask(&s->f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_set_option(runs[4], "cache.mode", "off", 3), AIORCH_OK);
  for (int i = 1; i < 5; i++) assert_int_equal(drive(runs[i], NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 5);
  for (int i = 0; i < 5; i++) aiorch_run_free(runs[i]);
  assert_int_equal(s->h.cancelled, 5);
  fixture_close(&s->f);
}

static void test_flight__followers_hear_what_ended_the_answer(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *runs[3];
  for (int i = 0; i < 3; i++) {
    runs[i] = fixture_ask(&s->f, "acme", "u1", "What is it?");
    assert_int_equal(aiorch_run_add_stop(runs[i], "END", 3), AIORCH_OK);
    assert_int_equal(drive(runs[i], NULL), AIORCH_AGAIN);
  }
  assert_int_equal(s->h.count, 1);
  for (int i = 0; i < AIO__REASONING_MAX + 1; i++) { /* whatever else it says */
    assert_int_equal(aio__call_put_extra(s->h.calls[0], &(aio__call_extra){.kind = AIO__EVENT_REASONING, .text = AIO__LIT("Hm.")}), AIORCH_OK);
  }
  assert_int_equal(aiorch_call_put_stop_sequence(s->h.calls[0], "END", 3), AIORCH_OK);
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 10);
  for (int i = 2; i >= 0; i--) {
    const char *text;
    answered(runs[i], "It is so.", i > 0);
    assert_int_equal(aiorch_run_stop_sequence(runs[i], &text, NULL), AIORCH_OK);
    assert_string_equal(text, "END");
    assert_int_equal(aiorch_run_reasoning_count(runs[i]), AIO__REASONING_MAX);
    aiorch_run_free(runs[i]);
  }
  fixture_close(&s->f);
}

/* Each holds back and checks for itself; whoever joins late reads from the begin. */
static void test_flight__a_late_one_reads_all(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1");
  static char first[6000], second[6000], whole[6000];
  first[0] = second[0] = '\0';
  say(&s->h, 0, long_text());
  assert_int_equal(drive(a, first), AIORCH_AGAIN);
  assert_true(strlen(first) > 1000);
  aiorch_run *b = fixture_ask(&s->f, "acme", "u2", "What is it?");
  assert_int_equal(drive(b, second), AIORCH_AGAIN);
  assert_string_equal(first, second);
  say(&s->h, 0, "and the end.");
  finish(&s->h, 0, AIORCH_OK, 1);
  assert_int_equal(drive(b, second), AIORCH_DONE);
  assert_int_equal(drive(a, first), AIORCH_DONE);
  (void)snprintf(whole, sizeof whole, "%sand the end.", long_text());
  assert_string_equal(first, whole);
  assert_string_equal(second, whole);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* ---- the leader goes ---- */

static void test_leader__freed_while_it_is_out(void **state) {
  (void)state;
  scene *s = begin("{\"generate.model\": \"claude-sonnet-4-5\"}");
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  char id[AIO__UUID_LEN + 1];
  memcpy(id, a->id, sizeof id);
  aiorch_run_free(a);
  assert_int_equal(s->h.cancelled, 0);
  int64_t rows = fixture_counter(&s->f, AIO__N_COST_ROWS);
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 1000);
  answered(b, "It is so.", true);
  aio__attempt_row row;
  assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1); /* nothing that was spent is lost */
  assert_int_equal(row.state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(row.status, AIORCH_OK);
  assert_int_equal(row.usage.n[AIORCH_USAGE_INPUT], 1000);
  assert_int_equal(fixture_counter(&s->f, AIO__N_COST_ROWS), rows + 2); /* of both runs */
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_leader__cancelled_then_the_last_leaves(void **state) {
  (void)state;
  scene *s = begin(PRICED);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  char id[AIO__UUID_LEN + 1];
  memcpy(id, a->id, sizeof id);
  assert_int_equal(aiorch_cancel(s->f.orch, a->id, strlen(a->id)), AIORCH_OK);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_CANCELLED);
  assert_int_equal(s->h.cancelled, 0);
  aiorch_run_free(b); /* the last aborts it */
  assert_int_equal(s->h.cancelled, 1);
  aio__attempt_row row;
  assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1);
  assert_int_equal(row.state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(row.status, AIORCH_E_CANCELLED);
  assert_true(row.usage.estimated);
  assert_true(row.usage.n[AIORCH_USAGE_INPUT] > 0); /* the prompt, for it was read */
  assert_int_equal(row.usage.n[AIORCH_USAGE_OUTPUT], 0); /* nothing of it had come */
  assert_true(row.cost_known);
  assert_int_equal(row.cost_nano_usd, row.usage.n[AIORCH_USAGE_INPUT] * INPUT_PRICE);
  aiorch_run_free(a);
  fixture_close(&s->f);
}

/* What came of an answer until nobody wanted it any more has taken tokens: estimated, or as far as the provider has counted. */
static void test_leader__gone_and_the_last_leaves_in_the_midst(void **state) {
  (void)state;
  for (int counted = 0; counted < 2; counted++) {
    scene *s = begin(PRICED);
    aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
    char id[AIO__UUID_LEN + 1];
    memcpy(id, a->id, sizeof id);
    say(&s->h, 0, long_text());
    if (counted) assert_int_equal(aiorch_call_put_usage(s->h.calls[0], AIORCH_USAGE_OUTPUT, 7777), AIORCH_OK);
    aiorch_run_free(a);
    aiorch_run_free(b);
    aio__attempt_row row;
    assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1);
    assert_int_equal(row.status, AIORCH_E_CANCELLED);
    assert_int_equal(row.usage.estimated, !counted);
    assert_int_equal(row.usage.n[AIORCH_USAGE_INPUT] > 0, !counted);
    if (counted) assert_int_equal(row.usage.n[AIORCH_USAGE_OUTPUT], 7777);
    else assert_in_range(row.usage.n[AIORCH_USAGE_OUTPUT], 300, 1500);
    assert_true(row.cost_known);
    assert_int_equal(row.cost_nano_usd, row.usage.n[AIORCH_USAGE_INPUT] * INPUT_PRICE + row.usage.n[AIORCH_USAGE_OUTPUT] * OUTPUT_PRICE);
    fixture_close(&s->f);
  }
}

/* What the service refuses has cost nothing, whoever sees it. */
static void test_leader__gone_before_its_attempt_was_refused(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  char id[AIO__UUID_LEN + 1];
  memcpy(id, a->id, sizeof id);
  aiorch_run_free(a);
  assert_int_equal(aiorch_call_put_error(s->h.calls[0], "overloaded", 10, 503, -1), AIORCH_OK);
  finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  virtual_clock_advance_ms(&s->f.clock, AIO__RETRY_BASE_MS - 1);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 1);
  virtual_clock_advance_ms(&s->f.clock, 1);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2); /* after a pause the other asks again, for itself */
  aio__attempt_row row;
  assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1);
  assert_int_equal(row.status, AIORCH_E_PROVIDER_BUSY);
  assert_true(row.cost_known);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* Its call has ended, but nobody was driven since: what it said is there for the others. */
static void test_leader__freed_when_its_call_has_ended_unseen(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  char id[AIO__UUID_LEN + 1];
  memcpy(id, a->id, sizeof id);
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 1000);
  aiorch_run_free(a);
  answered(b, "It is so.", true);
  assert_int_equal(s->h.count, 1);
  aio__attempt_row row;
  assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1);
  assert_int_equal(row.usage.n[AIORCH_USAGE_INPUT], 1000);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_leader__never_driven_again(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0); /* the attempt fails, and its starter is not there to see it */
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  virtual_clock_advance_ms(&s->f.clock, AIO__FLIGHT_LEASE_MS - 1);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 1);
  virtual_clock_advance_ms(&s->f.clock, 1);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  say(&s->h, 1, "It is so.");
  finish(&s->h, 1, AIORCH_OK, 5);
  answered(b, "It is so.", false); /* it has paid for its own attempt */
  aiorch_run_free(b);
  assert_int_equal(drive(a, NULL), AIORCH_DONE); /* now it comes, and takes what is there */
  assert_int_equal(aiorch_run_status(a), AIORCH_OK);
  assert_string_equal(fixture_answer(a), "It is so.");
  assert_int_equal(aiorch_run_attempt_count(a), 1);
  aiorch_run_free(a);
  fixture_close(&s->f);
}

static void test_leader__not_driven_in_its_wait(void **state) {
  (void)state;
  scene *s = begin(NULL);
  s->f.lot = UINT32_MAX;
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0);
  assert_int_equal(drive(a, NULL), AIORCH_AGAIN); /* it waits 500 ms */
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  virtual_clock_advance_ms(&s->f.clock, 1499);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 1);
  virtual_clock_advance_ms(&s->f.clock, 1); /* a second late: the other goes on */
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  assert_int_equal(drive(a, NULL), AIORCH_AGAIN); /* it is back, and follows */
  assert_int_equal(s->h.count, 2);
  say(&s->h, 1, "It is so.");
  finish(&s->h, 1, AIORCH_OK, 5);
  answered(b, "It is so.", false);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_string_equal(fixture_answer(a), "It is so.");
  assert_true(a->shared);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_leader__with_a_shorter_deadline(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = fixture_ask(&s->f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_set_option(a, "deadline_ms", "1000", 4), AIORCH_OK);
  assert_int_equal(drive(a, NULL), AIORCH_AGAIN);
  aiorch_run *b = ask(s, "u2");
  assert_int_equal(s->h.count, 1);
  virtual_clock_advance_ms(&s->f.clock, 1000);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_DEADLINE);
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 5);
  answered(b, "It is so.", true);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* Calls of tools that a provider's options have offered: they are each run's own, so each asks for itself, at the same time. */
static void test_flight__tool_calls_are_not_shared(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2"), *c = ask(s, "u3");
  assert_int_equal(s->h.count, 1);
  assert_int_equal(aiorch_call_put_finish_reason(s->h.calls[0], AIORCH_FINISH_TOOL_CALLS), AIORCH_OK);
  finish(&s->h, 0, AIORCH_OK, 5);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_OK);
  assert_int_equal(aiorch_run_finish_reason(a), AIORCH_FINISH_TOOL_CALLS);
  assert_int_equal(drive(c, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 3);
  for (int i = 1; i < 3; i++) {
    say(&s->h, i, "It is so.");
    finish(&s->h, i, AIORCH_OK, 5);
  }
  answered(b, "It is so.", false);
  answered(c, "It is so.", false);
  aiorch_run_free(a);
  aiorch_run_free(b);
  aiorch_run_free(c);
  fixture_close(&s->f);
}

/* ---- failures ---- */

static void test_error__what_is_the_upstreams_is_shared(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  assert_int_equal(aiorch_call_put_error(s->h.calls[0], "too spicy", 9, 400, -1), AIORCH_OK);
  finish(&s->h, 0, AIORCH_E_PROVIDER_REJECTED, 0);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_PROVIDER_REJECTED);
  assert_int_equal(drive(b, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(b), AIORCH_E_PROVIDER_REJECTED);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(a)), 400);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(b)), 400);
  assert_string_equal(aiorch_error_message(aiorch_run_error(a)), aiorch_error_message(aiorch_run_error(b)));
  assert_int_equal(s->h.count, 1);
  assert_int_equal(aiorch_run_attempt_count(b), 0);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_error__after_the_begin_it_is_each_ones_own(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  say(&s->h, 0, long_text());
  assert_int_equal(drive(a, NULL), AIORCH_AGAIN); /* text has gone out of the one, not yet of the other */
  finish(&s->h, 0, AIORCH_E_NETWORK, 0);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_NETWORK);
  assert_true(strlen(fixture_answer(a)) > 1000);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 1);
  virtual_clock_advance_ms(&s->f.clock, AIO__RETRY_BASE_MS);
  assert_int_equal(drive(b, NULL), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  say(&s->h, 1, "It is so.");
  finish(&s->h, 1, AIORCH_OK, 5);
  answered(b, "It is so.", false);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

/* The begin of the answer is seen together with the failure: nobody has seen any of it, and all go on. */
static void test_error__together_with_the_begin(void **state) {
  (void)state;
  for (int first = 0; first < 2; first++) { /* who is driven first */
    scene *s = begin(NULL);
    aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
    char deltas[6000] = "";
    say(&s->h, 0, long_text());
    finish(&s->h, 0, AIORCH_E_NETWORK, 5);
    if (first) assert_int_equal(drive(b, deltas), AIORCH_AGAIN);
    assert_int_equal(drive(a, deltas), AIORCH_AGAIN);
    if (!first) assert_int_equal(drive(b, deltas), AIORCH_AGAIN);
    assert_string_equal(deltas, "");
    assert_int_equal(s->h.count, 2); /* the leader's */
    say(&s->h, 1, "It is so.");
    finish(&s->h, 1, AIORCH_OK, 5);
    answered(b, "It is so.", true);
    assert_int_equal(drive(a, deltas), AIORCH_DONE);
    assert_string_equal(deltas, "It is so.");
    assert_int_equal(aiorch_run_attempt_count(a), 2);
    aiorch_run_free(a);
    aiorch_run_free(b);
    fixture_close(&s->f);
  }
}

/* A follower is checked by the fence of the prompt that was sent, not by its own. */
static void test_check__by_the_fence_of_the_leaders_prompt(void **state) {
  (void)state;
  scene *s = begin(NULL);
  fixture_add(&s->f, "acme", "it.md", "# It\n\nWhat it is: it is a thing that is what it is.\n");
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  assert_int_equal(s->h.count, 1);
  const char *fence = strstr(s->h.system, "\n=====-");
  assert_non_null(fence);
  char leak[64];
  (void)snprintf(leak, sizeof leak, "%.30s", fence + 1);
  say(&s->h, 0, leak);
  finish(&s->h, 0, AIORCH_OK, 5);
  assert_int_equal(drive(b, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(b), AIORCH_E_OUTPUT_BLOCKED);
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_OUTPUT_BLOCKED);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_check__a_leader_that_is_blocked_leaves_it_to_the_others(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  char id[AIO__UUID_LEN + 1];
  memcpy(id, a->id, sizeof id);
  say(&s->h, 0, "The id is AKIAQ3XK7ZPL2MVT5RWN, use it. ");
  say(&s->h, 0, long_text());
  assert_int_equal(drive(a, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_OUTPUT_BLOCKED);
  assert_int_equal(drive(b, NULL), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(b), AIORCH_E_OUTPUT_BLOCKED);
  assert_int_equal(s->h.cancelled, 1); /* the last has left */
  aio__attempt_row row;
  assert_int_equal(fixture_ledger(&s->f, id, &row, 1), 1);
  assert_int_equal(row.state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(aiorch_run_stage_outcome(a, AIORCH_STAGE_GENERATE), AIORCH_OUTCOME_REFUSED);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

static void test_close__ends_all_that_fly(void **state) {
  (void)state;
  scene *s = begin(NULL);
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  assert_int_equal(aiorch_close(s->f.orch, 30000), AIORCH_OK);
  assert_int_equal(s->h.cancelled, 1);
  assert_int_equal(aiorch_run_status(a), AIORCH_E_CANCELLED);
  assert_int_equal(aiorch_run_status(b), AIORCH_E_CANCELLED);
  aiorch_run_free(a);
  aiorch_run_free(b);
  assert_int_equal(aiorch_free(s->f.orch), AIORCH_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_flight__one_call_answers_all),
      cmocka_unit_test(test_flight__followers_hear_what_ended_the_answer),
      cmocka_unit_test(test_flight__only_what_is_the_same),
      cmocka_unit_test(test_flight__a_late_one_reads_all),
      cmocka_unit_test(test_leader__freed_while_it_is_out),
      cmocka_unit_test(test_leader__cancelled_then_the_last_leaves),
      cmocka_unit_test(test_leader__gone_and_the_last_leaves_in_the_midst),
      cmocka_unit_test(test_leader__gone_before_its_attempt_was_refused),
      cmocka_unit_test(test_leader__freed_when_its_call_has_ended_unseen),
      cmocka_unit_test(test_leader__never_driven_again),
      cmocka_unit_test(test_leader__not_driven_in_its_wait),
      cmocka_unit_test(test_leader__with_a_shorter_deadline),
      cmocka_unit_test(test_flight__tool_calls_are_not_shared),
      cmocka_unit_test(test_error__what_is_the_upstreams_is_shared),
      cmocka_unit_test(test_error__together_with_the_begin),
      cmocka_unit_test(test_error__after_the_begin_it_is_each_ones_own),
      cmocka_unit_test(test_check__by_the_fence_of_the_leaders_prompt),
      cmocka_unit_test(test_check__a_leader_that_is_blocked_leaves_it_to_the_others),
      cmocka_unit_test(test_close__ends_all_that_fly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
