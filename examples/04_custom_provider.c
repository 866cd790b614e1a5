/*
 * Answers with providers of its own: the first is busy, so the second, which works on a thread of its own, answers.
 *
 * Introduces: the provider and logger plug-ins, a call that is finished late from another thread, errors of an attempt,
 * fallback, attempts, prices.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

static void check(aiorch_status status, const aiorch_error *error) {
  if (status >= 0) return;
  const char *message = aiorch_error_message(error);
  fprintf(stderr, "%s\n", message[0] ? message : aiorch_strerror(status));
  exit(1);
}

/* ---- a provider that has no time: it fails before its first word, so that the next one is asked ---- */

static aiorch_status busy_generate(void *self, aiorch_call *call) {
  static const char why[] = "503 from the model server: overloaded";
  (void)self;
  aiorch_call_put_error(call, why, sizeof why - 1, 503, 2000);
  aiorch_call_finish(call, AIORCH_E_PROVIDER_BUSY);
  return AIORCH_SLOT_OK;
}

/* ---- a provider that answers from another thread, as one that waits for a network would ---- */

typedef struct worker {
  pthread_t thread;
  int started;
  aiorch_call *call;
} worker;

static void *work(void *argument) {
  static const char *const words[] = {"You ", "asked ", "a ", "good ", "question."};
  worker *w = argument;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (aiorch_call_cancelled(w->call)) break;
    aiorch_call_emit(w->call, words[i], strlen(words[i]));
  }
  aiorch_call_put_usage(w->call, AIORCH_USAGE_INPUT, 120);
  aiorch_call_put_usage(w->call, AIORCH_USAGE_OUTPUT, 5);
  aiorch_call_finish(w->call, AIORCH_OK); /* also when it was cancelled: each call is finished once */
  return NULL;
}

static aiorch_status thread_generate(void *self, aiorch_call *call) {
  worker *w = self;
  if (w->started) pthread_join(w->thread, NULL); /* the call before; this provider takes one at a time */
  w->call = call;
  w->started = pthread_create(&w->thread, NULL, work, w) == 0;
  return w->started ? AIORCH_SLOT_PENDING : AIORCH_E_SYSTEM;
}

static void thread_destroy(void *self) {
  worker *w = self;
  if (w->started) pthread_join(w->thread, NULL);
}

/* ---- a logger: one JSON object a line, never a user's text ---- */

static void print_log(void *self, int32_t level, const char *json, size_t len) {
  (void)self;
  (void)level;
  fprintf(stderr, "log: %.*s\n", (int)len, json);
}

static void print_attempts(const aiorch_run *run) {
  for (size_t i = 0; i < aiorch_run_attempt_count(run); i++) {
    const char *provider, *model, *request_id;
    aiorch_status outcome;
    int64_t cost;
    check(aiorch_run_attempt_names(run, i, &provider, &model, &request_id), NULL);
    check(aiorch_run_attempt(run, i, NULL, &outcome, NULL, NULL), NULL);
    if (aiorch_run_attempt_cost(run, i, &cost) == AIORCH_OK) {
      printf("%s (%s): %s, %lld nano-USD\n", provider, model, aiorch_status_name(outcome), (long long)cost);
    } else {
      printf("%s (%s): %s, price unknown\n", provider, model, aiorch_status_name(outcome));
    }
  }
}

int main(void) {
  static worker self;
  aiorch_provider_vtbl busy = {0}, threaded = {0};
  aiorch_logger_vtbl logger = {0};
  aiorch_error *error;
  aiorch_config *config;
  aiorch *orch;
  aiorch_run *run;
  const char *answer;

  check(aiorch_error_new(&error), NULL);
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error);

  busy.struct_size = sizeof busy;
  busy.model = "busy-model";
  busy.generate = busy_generate;
  check(aiorch_config_add_provider(config, "first", &busy, NULL, error), error);
  threaded.struct_size = sizeof threaded;
  threaded.flags = AIORCH_PLUGIN_SERIAL;
  threaded.model = "thread-model";
  threaded.generate = thread_generate;
  threaded.destroy = thread_destroy;
  check(aiorch_config_add_provider(config, "second", &threaded, &self, error), error);
  logger.struct_size = sizeof logger;
  logger.min_level = AIORCH_LOG_WARN;
  logger.log = print_log;
  check(aiorch_config_set_logger(config, &logger, NULL, error), error);

  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);
  check(aiorch_run_new(orch, "acme", 4, "alice", 5, &run), NULL);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, "Is this a good question?", 24), NULL);
  check(aiorch_run_execute(run), aiorch_run_error(run));
  check(aiorch_run_answer(run, &answer, NULL), NULL);
  printf("%s\n", answer);
  print_attempts(run);

  aiorch_run_free(run);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return 0;
}
