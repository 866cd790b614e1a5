/* Single-flight when the upstream fails and many follow: one request at a time, at distances. And what followers are told besides text. */
#include "../support/flight_scene.h"

#include <stdio.h>

#include "core/call.h"
#include "generate/retry.h"
#include "pipeline/shared_call.h"

enum { FOLLOWERS = 64 };

typedef struct crowd {
  scene *s;
  aiorch_run *runs[FOLLOWERS + 1]; /* the first has sent the first request */
  bool gone[FOLLOWERS + 1];
  int failed, ended;
} crowd;

static void gather(crowd *c, const char *deadline_ms) {
  memset(c, 0, sizeof *c);
  c->s = begin(NULL);
  c->s->f.lot = UINT32_MAX; /* waits are as long as they may be */
  for (int i = 0; i <= FOLLOWERS; i++) {
    char user[16];
    (void)snprintf(user, sizeof user, "u%d", i);
    c->runs[i] = fixture_ask(&c->s->f, "acme", user, "What is it?");
    assert_int_equal(aiorch_run_set_option(c->runs[i], "deadline_ms", deadline_ms, strlen(deadline_ms)), AIORCH_OK);
    assert_int_equal(drive(c->runs[i], NULL), AIORCH_AGAIN);
  }
  assert_int_equal(c->s->h.count, 1);
}

/* What is out fails; then each that is still there is driven once, the last first. */
static void fail_and_drive(crowd *c, int http_status, aiorch_status status) {
  for (; c->failed < c->s->h.count; c->failed++) {
    assert_int_equal(aiorch_call_put_error(c->s->h.calls[c->failed], "no", 2, http_status, -1), AIORCH_OK);
    finish(&c->s->h, c->failed, status, 0);
  }
  int before = c->s->h.count;
  c->ended = 0;
  for (int i = FOLLOWERS; i >= 0; i--) {
    if (!c->gone[i] && drive(c->runs[i], NULL) == AIORCH_DONE) c->ended++;
  }
  assert_true(c->s->h.count <= before + 1); /* never two at once */
}

static void part(crowd *c) {
  for (int i = 0; i <= FOLLOWERS; i++) {
    if (!c->gone[i]) aiorch_run_free(c->runs[i]);
  }
  fixture_close(&c->s->f);
}

static void test_crowd__the_leaders_plan_is_everybodys(void **state) {
  (void)state;
  crowd c;
  gather(&c, "60000");
  for (int ms = 0; ms < 3000 && c.ended <= FOLLOWERS; ms += 100) {
    fail_and_drive(&c, 503, AIORCH_E_PROVIDER_BUSY);
    virtual_clock_advance_ms(&c.s->f.clock, 100);
  }
  assert_int_equal(c.ended, FOLLOWERS + 1);
  assert_int_equal(c.s->h.count, AIO__RETRY_ATTEMPTS_MAX);
  for (int i = 0; i <= FOLLOWERS; i++) {
    assert_int_equal(aiorch_run_status(c.runs[i]), AIORCH_E_PROVIDERS_UNAVAILABLE);
    assert_int_equal(aiorch_run_attempt_count(c.runs[i]), i == 0 ? AIO__RETRY_ATTEMPTS_MAX : 0);
    assert_int_equal(c.runs[i]->shared, i > 0);
  }
  part(&c);
}

/* Whoever sees the end first is not the one who decides. */
static void test_crowd__what_is_refused_is_asked_once(void **state) {
  (void)state;
  crowd c;
  gather(&c, "60000");
  fail_and_drive(&c, 400, AIORCH_E_PROVIDER_REJECTED);
  fail_and_drive(&c, 400, AIORCH_E_PROVIDER_REJECTED);
  assert_int_equal(c.ended, FOLLOWERS + 1);
  assert_int_equal(c.s->h.count, 1);
  part(&c);
}

static void test_crowd__what_is_too_long_is_asked_once(void **state) {
  (void)state;
  crowd c;
  gather(&c, "60000");
  fail_and_drive(&c, 400, AIORCH_E_CONTEXT_WINDOW);
  fail_and_drive(&c, 400, AIORCH_E_CONTEXT_WINDOW);
  assert_int_equal(c.ended, FOLLOWERS + 1);
  assert_int_equal(c.s->h.count, 1);
  for (int i = 0; i <= FOLLOWERS; i++) assert_int_equal(aiorch_run_status(c.runs[i]), AIORCH_E_CONTEXT_WINDOW);
  part(&c);
}

/* A leader with too little time for the longest wait does not speak for others, who may have more. */
static void test_error__of_a_leader_with_little_time_is_its_own(void **state) {
  (void)state;
  for (int more = 0; more < 2; more++) {
    scene *s = begin("{\"generate.attempts\": 1}");
    aiorch_run *a = fixture_ask(&s->f, "acme", "u1", "What is it?");
    assert_int_equal(aiorch_run_set_option(a, "deadline_ms", more ? "8001" : "8000", 4), AIORCH_OK);
    assert_int_equal(drive(a, NULL), AIORCH_AGAIN);
    aiorch_run *b = ask(s, "u2");
    finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0);
    assert_int_equal(drive(a, NULL), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(a), AIORCH_E_PROVIDERS_UNAVAILABLE);
    assert_int_equal(drive(b, NULL), more ? AIORCH_DONE : AIORCH_AGAIN);
    assert_int_equal(b->shared, more);
    aiorch_run_free(a);
    aiorch_run_free(b);
    fixture_close(&s->f);
  }
}

/* Each leader is freed as soon as its attempt has failed. */
static void test_crowd__leaders_that_leave_one_after_another(void **state) {
  (void)state;
  crowd c;
  gather(&c, "60000");
  int64_t ms = 0;
  for (; ms < 20000; ms += 100) {
    int leader = -1;
    for (int i = 0; i <= FOLLOWERS; i++) {
      if (!c.gone[i] && c.runs[i]->call) leader = i;
    }
    if (leader >= 0) {
      c.gone[leader] = true;
      aiorch_run_free(c.runs[leader]);
    }
    fail_and_drive(&c, 503, AIORCH_E_PROVIDER_BUSY);
    virtual_clock_advance_ms(&c.s->f.clock, 100);
  }
  /* After 0.5, 1.5, 3.5, 7.5, 15.5 s. */
  assert_int_equal(c.s->h.count, 6);
  part(&c);
}

/* So little time is left that no leader waits for its second attempt: the next does not ask at once either. */
static void test_crowd__short_deadlines(void **state) {
  (void)state;
  crowd c;
  gather(&c, "1000");
  for (int ms = 0; ms <= 1000; ms += 50) {
    fail_and_drive(&c, 503, AIORCH_E_PROVIDER_BUSY);
    virtual_clock_advance_ms(&c.s->f.clock, 50);
  }
  for (int i = 0; i <= FOLLOWERS; i++) assert_int_equal(drive(c.runs[i], NULL), AIORCH_DONE);
  assert_true(c.s->h.count <= 3);
  part(&c);
}

/* What is no text is nobody's answer: the leader asks again, not each for itself. */
static void test_crowd__an_answer_that_is_not_utf8(void **state) {
  (void)state;
  crowd c;
  for (int whole = 0; whole < 2; whole++) {
    gather(&c, "60000");
    c.s->f.lot = 0;
    if (!whole) say(&c.s->h, 0, long_text());
    assert_int_equal(aiorch_call_emit(c.s->h.calls[0], "caf\xe9 au lait", 12), AIORCH_OK);
    if (whole) finish(&c.s->h, 0, AIORCH_OK, 5);
    for (int i = FOLLOWERS; i >= 0; i--) (void)drive(c.runs[i], NULL);
    assert_int_equal(c.s->h.count, 2);
    say(&c.s->h, 1, "It is so.");
    finish(&c.s->h, 1, AIORCH_OK, 5);
    for (int i = 0; i <= FOLLOWERS; i++) assert_int_equal(drive(c.runs[i], NULL), AIORCH_DONE);
    for (int i = 0; i <= FOLLOWERS; i++) {
      assert_string_equal(fixture_answer(c.runs[i]), "It is so.");
      assert_int_equal(c.runs[i]->shared, i > 0);
    }
    if (!whole) aiorch_call_finish(c.s->h.calls[0], AIORCH_E_CANCELLED);
    part(&c);
  }
}

/* ---- what comes besides text ---- */

static void put_extra(held *h, int call, aio__event_kind kind, const char *text) {
  aio__call_extra extra = {.kind = kind, .text = aio__str_z(text), .signature = AIO__LIT("signed")};
  assert_int_equal(aio__call_put_extra(h->calls[call], &extra), AIORCH_OK);
}

/* As far as it goes now: "W:words W:words D:text". */
static aiorch_status listen(aiorch_run *run, char *line, size_t room) {
  const aiorch_event *event = NULL;
  const char *text;
  size_t n = strlen(line);
  aiorch_status st;
  while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
    int32_t type = aiorch_event_type(event);
    if (type != AIORCH_EVENT_WARNING && type != AIORCH_EVENT_DELTA) continue;
    assert_int_equal(aiorch_event_text(event, &text, NULL), AIORCH_OK);
    n += (size_t)snprintf(line + n, room - n, "%s%c%d:%s", n ? "|" : "", type == AIORCH_EVENT_WARNING ? 'W' : 'D',
                          (int)aiorch_event_status(event), text);
  }
  return st;
}

static void thought(aiorch_run *run, const char *text) {
  const char *said, *signature;
  assert_int_equal(aiorch_run_reasoning_count(run), 2);
  assert_int_equal(aiorch_run_reasoning(run, 0, &said, NULL, &signature, NULL), AIORCH_OK);
  assert_string_equal(said, text);
  assert_string_equal(signature, "signed");
  assert_int_equal(aiorch_run_reasoning(run, 1, &said, NULL, &signature, NULL), AIORCH_OK);
  assert_string_equal(said, "");
  assert_string_equal(signature, "signed");
}

/* Warnings as they come, reasoning with the answer; also to one that comes late, and to those whose leader has gone. */
static void test_extras__followers_are_told_what_the_leader_is(void **state) {
  (void)state;
  for (int leader_leaves = 0; leader_leaves < 2; leader_leaves++) {
    scene *s = begin(NULL);
    char heard[4][1024] = {""};
    aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2"), *c = NULL;
    put_extra(&s->h, 0, AIO__EVENT_WARNING, "temperature was left out");
    put_extra(&s->h, 0, AIO__EVENT_REASONING, "a thought of the first attempt");
    assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_AGAIN);
    assert_string_equal(heard[1], "W0:temperature was left out");
    assert_int_equal(aiorch_call_put_error(s->h.calls[0], "overloaded", 10, 503, -1), AIORCH_OK);
    finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0);
    assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_AGAIN);
    assert_int_equal(listen(a, heard[0], sizeof heard[0]), AIORCH_AGAIN);
    assert_int_equal(s->h.count, 2);
    c = ask(s, "u3");
    put_extra(&s->h, 1, AIO__EVENT_REASONING, "I know it.");
    put_extra(&s->h, 1, AIO__EVENT_REDACTED, "");
    put_extra(&s->h, 1, AIO__EVENT_WARNING, "seed was left out");
    say(&s->h, 1, "It is so.");
    if (leader_leaves) aiorch_run_free(a);
    finish(&s->h, 1, AIORCH_OK, 5);
    if (!leader_leaves) assert_int_equal(listen(a, heard[0], sizeof heard[0]), AIORCH_DONE);
    assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_DONE);
    assert_int_equal(listen(c, heard[2], sizeof heard[2]), AIORCH_DONE);
    if (!leader_leaves) {
      assert_non_null(strstr(heard[0], "first failed"));
      assert_non_null(strstr(heard[0], "it is tried again in 0 ms"));
      assert_string_equal(heard[1], heard[0]);
      thought(a, "I know it.");
    }
    assert_non_null(strstr(heard[1], "W0:temperature was left out|W-"));
    assert_non_null(strstr(heard[1], "|W0:seed was left out|D0:It is so."));
    assert_non_null(strstr(heard[2], "W0:seed was left out|D0:It is so.")); /* ask() has taken what came before */
    thought(b, "I know it.");
    thought(c, "I know it.");
    if (!leader_leaves) aiorch_run_free(a);
    aiorch_run_free(b);
    aiorch_run_free(c);
    fixture_close(&s->f);
  }
}

/* Who takes over is not told again what it has told, and those who follow it hear both. */
static void test_extras__over_a_change_of_leaders(void **state) {
  (void)state;
  scene *s = begin(NULL);
  s->f.lot = UINT32_MAX;
  char heard[3][1024] = {""};
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2"), *c = ask(s, "u3");
  put_extra(&s->h, 0, AIO__EVENT_WARNING, "one");
  finish(&s->h, 0, AIORCH_E_PROVIDER_BUSY, 0);
  assert_int_equal(listen(a, heard[0], sizeof heard[0]), AIORCH_AGAIN); /* waits for 500 ms, and is not driven again */
  virtual_clock_advance_ms(&s->f.clock, 1500);
  assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_AGAIN);
  assert_int_equal(s->h.count, 2);
  put_extra(&s->h, 1, AIO__EVENT_WARNING, "two");
  assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_AGAIN);
  say(&s->h, 1, "It is so.");
  finish(&s->h, 1, AIORCH_OK, 5);
  assert_int_equal(listen(c, heard[2], sizeof heard[2]), AIORCH_DONE);
  assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_DONE);
  assert_int_equal(listen(a, heard[0], sizeof heard[0]), AIORCH_DONE);
  assert_string_equal(heard[1], heard[0]);
  assert_string_equal(heard[2], heard[0]);
  assert_non_null(strstr(heard[0], "W0:one|W-"));
  assert_non_null(strstr(heard[0], "W0:two|D0:It is so."));
  aiorch_run_free(a);
  aiorch_run_free(b);
  aiorch_run_free(c);
  fixture_close(&s->f);
}

/* Its output check is its own: reasoning in which something is found is left out of each run. */
static void test_extras__a_followers_reasoning_is_checked(void **state) {
  (void)state;
  scene *s = begin(NULL);
  char heard[2][1024] = {""};
  aiorch_run *a = ask(s, "u1"), *b = ask(s, "u2");
  put_extra(&s->h, 0, AIO__EVENT_REASONING, "The id is AKIAQ3XK7ZPL2MVT5RWN, use it.");
  say(&s->h, 0, "It is so.");
  finish(&s->h, 0, AIORCH_OK, 5);
  assert_int_equal(listen(b, heard[1], sizeof heard[1]), AIORCH_DONE);
  assert_int_equal(listen(a, heard[0], sizeof heard[0]), AIORCH_DONE);
  for (int i = 0; i < 2; i++) assert_non_null(strstr(heard[i], "reasoning was left out"));
  assert_int_equal(aiorch_run_reasoning_count(a) + aiorch_run_reasoning_count(b), 0);
  aiorch_run_free(a);
  aiorch_run_free(b);
  fixture_close(&s->f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_crowd__the_leaders_plan_is_everybodys),
      cmocka_unit_test(test_crowd__what_is_refused_is_asked_once),
      cmocka_unit_test(test_crowd__what_is_too_long_is_asked_once),
      cmocka_unit_test(test_error__of_a_leader_with_little_time_is_its_own),
      cmocka_unit_test(test_crowd__leaders_that_leave_one_after_another),
      cmocka_unit_test(test_crowd__short_deadlines),
      cmocka_unit_test(test_crowd__an_answer_that_is_not_utf8),
      cmocka_unit_test(test_extras__followers_are_told_what_the_leader_is),
      cmocka_unit_test(test_extras__over_a_change_of_leaders),
      cmocka_unit_test(test_extras__a_followers_reasoning_is_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
