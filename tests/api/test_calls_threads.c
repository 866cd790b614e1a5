/* The step engine against plug-ins that finish from another thread, late, twice, never, and after cancel; and runs by the
 * thousand over submit, wait and fd. Links the shared library alone; runs under TSan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/finisher.h"

enum { WATCHDOG_S = 30 };

static aiorch *open_with(finisher *first, finisher *second) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_i64(config, "rate_limit.requests", 0, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_bool(config, "anonymous", 1, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_i64(config, "generate.attempts", 1, NULL), AIORCH_OK);
  assert_int_equal(finisher_add(config, "first", first), AIORCH_OK);
  if (second) assert_int_equal(finisher_add(config, "second", second), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  return orch;
}

static aiorch_run *ask(aiorch *orch, const char *question) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)), AIORCH_OK);
  return run;
}

static void close_all(aiorch *orch) {
  assert_int_equal(aiorch_close(orch, WATCHDOG_S * 1000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
}

static finisher one, two; /* 4,096 thread ids are too much for a stack */

static void test_execute__finished_inline(void **state) {
  (void)state;
  finisher_init(&one, FINISH_INLINE);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "What is it?");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  const char *answer;
  size_t len;
  assert_int_equal(aiorch_run_answer(run, &answer, &len), AIORCH_OK);
  assert_string_equal(answer, "answer");
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_STATE);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.destroys, 1);
  assert_int_equal(one.finish_status, AIORCH_OK);
}

static void test_execute__finished_by_another_thread(void **state) {
  (void)state;
  finisher_init(&one, FINISH_THREAD);
  aiorch *orch = open_with(&one, NULL);
  for (int i = 0; i < 50; i++) {
    char question[32];
    (void)snprintf(question, sizeof question, "Question %d?", i);
    aiorch_run *run = ask(orch, question);
    assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
    const char *answer;
    size_t len;
    assert_int_equal(aiorch_run_answer(run, &answer, &len), AIORCH_OK);
    assert_int_equal(len, 48);
    assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_OUTPUT), 8);
    assert_int_equal(aiorch_run_usage_estimated(run), 0);
    aiorch_run_free(run);
  }
  close_all(orch);
  assert_int_equal(one.finishes, 50);
}

static void test_execute__finished_twice_is_told_and_changes_nothing(void **state) {
  (void)state;
  finisher_init(&one, FINISH_TWICE);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Twice?");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.second_status, AIORCH_E_STATE);
}

static void set_deadline(aiorch_run *run, const char *ms) {
  assert_int_equal(aiorch_run_set_option(run, "deadline_ms", ms, strlen(ms)), AIORCH_OK);
}

static void test_execute__never_finished_ends_at_the_deadline(void **state) {
  (void)state;
  finisher_init(&one, FINISH_NEVER);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Never?");
  set_deadline(run, "50");
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_DEADLINE);
  assert_int_equal(aiorch_error_stage(aiorch_run_error(run)), AIORCH_STAGE_GENERATE);
  int64_t cost = 0;
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_E_NOT_FOUND); /* sent: nobody knows what it has cost */
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.cancels, 1);
  assert_int_equal(one.destroys, 1);
}

static void test_free__of_a_run_that_waits_cancels_its_call(void **state) {
  (void)state;
  finisher_init(&one, FINISH_AFTER_CANCEL);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Late?");
  const aiorch_event *event;
  aiorch_status st;
  while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
  }
  assert_int_equal(st, AIORCH_AGAIN);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.cancels, 1);
  assert_int_equal(one.finish_status, AIORCH_E_CANCELLED);
  assert_int_equal(one.emit_after_cancel, AIORCH_E_CANCELLED);
}

static void test_cancel__ends_in_exactly_one_final_event(void **state) {
  (void)state;
  finisher_init(&one, FINISH_ON_CANCEL);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Cancelled?");
  const aiorch_event *event;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {
  }
  const char *id;
  size_t len;
  assert_int_equal(aiorch_run_id(run, &id, &len), AIORCH_OK);
  char kept[37];
  memcpy(kept, id, 37);
  assert_int_equal(aiorch_cancel(orch, kept, len), AIORCH_OK);
  assert_int_equal(aiorch_cancel(orch, kept, len), AIORCH_OK);
  int finals = 0;
  aiorch_status st;
  while ((st = aiorch_run_next(run, WATCHDOG_S * 1000, &event)) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_FINAL) continue;
    finals++;
    assert_int_equal(aiorch_event_status(event), AIORCH_E_CANCELLED);
  }
  assert_int_equal(st, AIORCH_DONE);
  assert_int_equal(finals, 1);
  assert_int_equal(aiorch_cancel(orch, kept, len), AIORCH_E_NOT_FOUND);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.cancels, 1);
}

static void test_execute__broken_contracts_go_to_the_next_provider(void **state) {
  (void)state;
  static const struct {
    enum finisher_mode mode;
    aiorch_status outcome;
  } cases[] = {{FINISH_OK_WITHOUT, AIORCH_E_PLUGIN_CONTRACT},
               {FINISH_RETURN_ZERO, AIORCH_E_PLUGIN},
               {FINISH_RETURN_ERROR, AIORCH_E_PROVIDER_BUSY}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    finisher_init(&one, cases[i].mode);
    finisher_init(&two, FINISH_THREAD);
    aiorch *orch = open_with(&one, &two);
    aiorch_run *run = ask(orch, "Next?");
    assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
    assert_int_equal(aiorch_run_attempt_count(run), 2);
    aiorch_status outcome;
    assert_int_equal(aiorch_run_attempt(run, 0, NULL, &outcome, NULL, NULL), AIORCH_OK);
    assert_int_equal(outcome, cases[i].outcome);
    const char *provider;
    assert_int_equal(aiorch_run_provider(run, &provider, NULL), AIORCH_OK);
    assert_string_equal(provider, "second");
    aiorch_run_free(run);
    close_all(orch);
  }
}

static void test_execute__error_after_the_first_delta_ends_the_run(void **state) {
  (void)state;
  finisher_init(&one, FINISH_FAIL_AFTER_TEXT);
  finisher_init(&two, FINISH_INLINE);
  aiorch *orch = open_with(&one, &two);
  aiorch_run *run = ask(orch, "In band?");
  const aiorch_event *event;
  do assert_int_equal(aiorch_run_next(run, -1, &event), AIORCH_OK);
  while (aiorch_event_type(event) != AIORCH_EVENT_DELTA);
  finisher_release(&one);
  while (aiorch_run_next(run, -1, &event) == AIORCH_OK) {
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_E_NETWORK);
  assert_int_equal(aiorch_run_attempt_count(run), 1);
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_ERROR);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(two.starts, 0);
}

static void test_execute__all_providers_failed(void **state) {
  (void)state;
  finisher_init(&one, FINISH_RETURN_ERROR);
  finisher_init(&two, FINISH_RETURN_ZERO);
  aiorch *orch = open_with(&one, &two);
  aiorch_run *run = ask(orch, "Nobody?");
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 503);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST), AIORCH_OUTCOME_OK);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_CACHE_STORE), AIORCH_OUTCOME_SKIPPED);
  aiorch_run_free(run);
  close_all(orch);
}

static void test_callbacks__that_come_back_in_are_told(void **state) {
  (void)state;
  finisher_init(&one, FINISH_REENTER);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Again?");
  one.orch = orch;
  one.run = run;
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(one.reenter_next, AIORCH_E_REENTRANT);
  assert_int_equal(one.reenter_free, AIORCH_E_REENTRANT);
  assert_int_equal(one.reenter_close, AIORCH_E_REENTRANT);
  aiorch_run_free(run);
  close_all(orch);
}

static void test_close__with_live_runs_cancels_them_and_refuses_new_ones(void **state) {
  (void)state;
  finisher_init(&one, FINISH_NEVER);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *runs[20];
  const aiorch_event *event;
  for (int i = 0; i < 20; i++) {
    runs[i] = ask(orch, "Live?");
    while (i % 2 && aiorch_run_next(runs[i], 0, &event) == AIORCH_OK) {
    }
  }
  assert_int_equal(aiorch_close(orch, WATCHDOG_S * 1000), AIORCH_OK);
  aiorch_run *late = NULL;
  assert_int_equal(aiorch_run_new(orch, "acme", 4, "u1", 2, &late), AIORCH_E_CLOSED);
  assert_int_equal(aiorch_free(orch), AIORCH_OK); /* the runs still hold it */
  for (int i = 0; i < 20; i++) {
    assert_int_equal(aiorch_run_status(runs[i]), AIORCH_E_CANCELLED);
    aiorch_run_free(runs[i]);
  }
  assert_int_equal(one.destroys, 1);
}

/* ---- submitted runs ---- */

typedef struct pool {
  aiorch *orch;
  atomic_int done, ok, deltas;
  int total;
} pool;

static void *drive(void *arg) {
  pool *p = arg;
  while (atomic_load(&p->done) < p->total) {
    aiorch_run *run = NULL;
    if (aiorch_wait(p->orch, 100, &run) != AIORCH_OK) continue;
    const aiorch_event *event;
    aiorch_status st;
    while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
      if (aiorch_event_type(event) == AIORCH_EVENT_DELTA) atomic_fetch_add(&p->deltas, 1);
    }
    if (st != AIORCH_DONE) continue;
    if (aiorch_run_status(run) == AIORCH_OK) atomic_fetch_add(&p->ok, 1);
    aiorch_run_free(run);
    atomic_fetch_add(&p->done, 1);
  }
  return NULL;
}

static void test_submit__many_runs_on_few_threads(void **state) {
  (void)state;
  finisher_init(&one, FINISH_THREAD);
  pool p = {.orch = open_with(&one, NULL), .total = 300};
  for (int i = 0; i < p.total; i++) {
    char question[32];
    (void)snprintf(question, sizeof question, "Many %d?", i);
    aiorch_run *run = ask(p.orch, question);
    assert_int_equal(aiorch_run_submit(run), AIORCH_OK);
  }
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, drive, &p), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  assert_int_equal(p.ok, p.total);
  assert_true(p.deltas >= p.total);
  close_all(p.orch);
}

static void test_fd__is_readable_while_a_run_can_go_on(void **state) {
  (void)state;
  finisher_init(&one, FINISH_ON_RELEASE);
  aiorch *orch = open_with(&one, NULL);
  int32_t fd = -1;
  assert_int_equal(aiorch_fd(orch, &fd), AIORCH_OK);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  assert_int_equal(poll(&p, 1, 0), 0);
  aiorch_run *run = ask(orch, "Readable?");
  assert_int_equal(aiorch_run_submit(run), AIORCH_OK);
  assert_int_equal(aiorch_run_submit(run), AIORCH_E_STATE);
  assert_int_equal(poll(&p, 1, WATCHDOG_S * 1000), 1);
  const aiorch_event *event;
  assert_int_equal(aiorch_run_next(run, 0, &event), AIORCH_E_STATE); /* not leased */
  aiorch_run *got = NULL;
  assert_int_equal(aiorch_wait(orch, 0, &got), AIORCH_OK);
  assert_ptr_equal(got, run);
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {
  }
  assert_int_equal(poll(&p, 1, 0), 0); /* parked: it waits for the provider */
  assert_int_equal(aiorch_wait(orch, 0, &got), AIORCH_AGAIN);
  finisher_release(&one);
  aiorch_status st = AIORCH_AGAIN;
  while (st != AIORCH_DONE) {
    assert_int_equal(poll(&p, 1, WATCHDOG_S * 1000), 1);
    if (aiorch_wait(orch, 0, &got) != AIORCH_OK) continue;
    while ((st = aiorch_run_next(got, 0, &event)) == AIORCH_OK) {
    }
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  aiorch_run_free(run);
  close_all(orch);
}

static void test_wait__a_parked_run_comes_back_at_its_deadline(void **state) {
  (void)state;
  finisher_init(&one, FINISH_NEVER);
  aiorch *orch = open_with(&one, NULL);
  int32_t fd = -1;
  assert_int_equal(aiorch_fd(orch, &fd), AIORCH_OK);
  aiorch_run *run = ask(orch, "Overdue?"), *got = NULL;
  set_deadline(run, "60");
  assert_int_equal(aiorch_run_submit(run), AIORCH_OK);
  const aiorch_event *event;
  aiorch_status st = AIORCH_AGAIN;
  while (st != AIORCH_DONE) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WATCHDOG_S * 1000), 1);
    if (aiorch_wait(orch, 0, &got) != AIORCH_OK) continue;
    while ((st = aiorch_run_next(got, 0, &event)) == AIORCH_OK) {
    }
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_E_DEADLINE);
  aiorch_run_free(run);
  close_all(orch);
}

static void test_cancel__from_other_threads_at_random_moments(void **state) {
  (void)state;
  finisher_init(&one, FINISH_THREAD);
  pool p = {.orch = open_with(&one, NULL), .total = 300};
  char ids[300][37];
  for (int i = 0; i < p.total; i++) {
    char question[32];
    (void)snprintf(question, sizeof question, "Random %d?", i);
    aiorch_run *run = ask(p.orch, question);
    const char *id;
    assert_int_equal(aiorch_run_id(run, &id, NULL), AIORCH_OK);
    memcpy(ids[i], id, 37);
    assert_int_equal(aiorch_run_submit(run), AIORCH_OK);
  }
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, drive, &p), 0);
  for (int i = 0; i < p.total; i += 3) {
    aiorch_status st = aiorch_cancel(p.orch, ids[i], 36);
    assert_true(st == AIORCH_OK || st == AIORCH_E_NOT_FOUND);
  }
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  assert_int_equal(p.done, p.total);
  close_all(p.orch);
  assert_int_equal(one.starts, one.finishes);
}

static void test_fork__the_child_is_told_and_frees_nothing(void **state) {
  (void)state;
  finisher_init(&one, FINISH_INLINE);
  aiorch *orch = open_with(&one, NULL);
  aiorch_run *run = ask(orch, "Forked?");
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    aiorch_run *mine = NULL;
    int bad = aiorch_run_execute(run) != AIORCH_E_FORKED;
    bad |= aiorch_run_new(orch, "acme", 4, "u1", 2, &mine) != AIORCH_E_FORKED;
    bad |= aiorch_close(orch, 0) != AIORCH_E_FORKED;
    aiorch_run_free(run);
    bad |= aiorch_free(orch) != AIORCH_OK;
    _exit(bad);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  aiorch_run_free(run);
  close_all(orch);
  assert_int_equal(one.destroys, 1);
}

int main(void) {
  alarm(WATCHDOG_S * 4);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_execute__finished_inline),
      cmocka_unit_test(test_execute__finished_by_another_thread),
      cmocka_unit_test(test_execute__finished_twice_is_told_and_changes_nothing),
      cmocka_unit_test(test_execute__never_finished_ends_at_the_deadline),
      cmocka_unit_test(test_free__of_a_run_that_waits_cancels_its_call),
      cmocka_unit_test(test_cancel__ends_in_exactly_one_final_event),
      cmocka_unit_test(test_execute__broken_contracts_go_to_the_next_provider),
      cmocka_unit_test(test_execute__error_after_the_first_delta_ends_the_run),
      cmocka_unit_test(test_execute__all_providers_failed),
      cmocka_unit_test(test_callbacks__that_come_back_in_are_told),
      cmocka_unit_test(test_close__with_live_runs_cancels_them_and_refuses_new_ones),
      cmocka_unit_test(test_submit__many_runs_on_few_threads),
      cmocka_unit_test(test_fd__is_readable_while_a_run_can_go_on),
      cmocka_unit_test(test_wait__a_parked_run_comes_back_at_its_deadline),
      cmocka_unit_test(test_cancel__from_other_threads_at_random_moments),
      cmocka_unit_test(test_fork__the_child_is_told_and_frees_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
