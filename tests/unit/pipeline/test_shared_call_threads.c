/* Single-flight under threads: many runs that ask few questions, driven, cancelled and freed at once, over a provider that answers
 * from a thread of its own. Nobody waits for ever, nothing is used after it has gone. */
#include "../support/pipeline_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 300, QUEUE = 1024 };

typedef struct answerer {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  aiorch_call *queue[QUEUE];
  size_t head, tail;
  bool stop;
  atomic_int asked;
} answerer;

static aiorch_status enqueue(void *self, aiorch_call *call) {
  answerer *a = self;
  atomic_fetch_add(&a->asked, 1);
  pthread_mutex_lock(&a->mutex);
  a->queue[a->tail++ % QUEUE] = call;
  pthread_cond_signal(&a->cond);
  pthread_mutex_unlock(&a->mutex);
  return AIORCH_SLOT_PENDING;
}

static void *answer(void *ctx) {
  answerer *a = ctx;
  unsigned seed = 5;
  for (;;) {
    pthread_mutex_lock(&a->mutex);
    while (a->head == a->tail && !a->stop) pthread_cond_wait(&a->cond, &a->mutex);
    aiorch_call *call = a->head == a->tail ? NULL : a->queue[a->head++ % QUEUE];
    pthread_mutex_unlock(&a->mutex);
    if (!call) return NULL;
    seed = seed * 1664525u + 1013904223u;
    bool fails = seed >> 29 == 0;
    for (int i = 0; i < 20 && !fails; i++) (void)aiorch_call_emit(call, "Some words of the answer. ", 26); /* refused once it is cancelled */
    (void)aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 1);
    aiorch_call_finish(call, fails ? AIORCH_E_PROVIDER_BUSY : AIORCH_OK);
  }
}

typedef struct worker {
  aiorch *orch;
  unsigned seed;
  int answered, ended_otherwise;
} worker;

static void one_run(worker *w, int round) {
  char question[64];
  (void)snprintf(question, sizeof question, "What is number %d?", round);
  aiorch_run *run = NULL;
  if (aiorch_run_new(w->orch, "acme", 4, "u1", 2, &run) != AIORCH_OK) abort();
  if (aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)) != AIORCH_OK) abort();
  w->seed = w->seed * 1664525u + 1013904223u;
  unsigned way = w->seed >> 29;
  const aiorch_event *event;
  aiorch_status st = AIORCH_OK;
  for (int i = 0; (st == AIORCH_OK || st == AIORCH_AGAIN) && (way > 1 || i < 6); i++) st = aiorch_run_next(run, 1, &event);
  if (way == 1) {
    if (aiorch_cancel(w->orch, run->id, strlen(run->id)) == AIORCH_OK) (void)aiorch_run_execute(run);
  }
  if (st == AIORCH_DONE && aiorch_run_status(run) == AIORCH_OK) w->answered++;
  else w->ended_otherwise++;
  aiorch_run_free(run);
}

static void *work(void *ctx) {
  worker *w = ctx;
  for (int round = 0; round < ROUNDS; round++) one_run(w, round);
  return NULL;
}

static void test_threads__all_end_and_nothing_is_lost(void **state) {
  (void)state;
  answerer a = {.head = 0};
  atomic_init(&a.asked, 0);
  assert_int_equal(pthread_mutex_init(&a.mutex, NULL), 0);
  assert_int_equal(pthread_cond_init(&a.cond, NULL), 0);
  aiorch_config *config = NULL;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  static const char settings[] = "{\"store\": \"memory\", \"rate_limit.requests\": 0, \"retrieve.enabled\": false}";
  assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), "settings", NULL), AIORCH_OK);
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "m";
  vtbl.generate = enqueue;
  assert_int_equal(aiorch_config_add_provider(config, "first", &vtbl, &a, NULL), AIORCH_OK);
  aiorch *orch = NULL;
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  pthread_t answering, threads[THREADS];
  worker workers[THREADS];
  assert_int_equal(pthread_create(&answering, NULL, answer, &a), 0);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){.orch = orch, .seed = (unsigned)i * 77u + 1u};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  int answered = 0, otherwise = 0;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    answered += workers[i].answered;
    otherwise += workers[i].ended_otherwise;
  }
  assert_int_equal(answered + otherwise, THREADS * ROUNDS);
  assert_true(answered > THREADS * ROUNDS / 2);
  pthread_mutex_lock(&a.mutex);
  a.stop = true;
  pthread_cond_signal(&a.cond);
  pthread_mutex_unlock(&a.mutex);
  pthread_join(answering, NULL);
  assert_int_equal(aiorch_close(orch, 30000), AIORCH_OK);
  assert_int_equal((int)atomic_load(&orch->counters.n[AIO__N_COST_ROWS]), THREADS * ROUNDS);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  pthread_cond_destroy(&a.cond);
  pthread_mutex_destroy(&a.mutex);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads__all_end_and_nothing_is_lost)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
