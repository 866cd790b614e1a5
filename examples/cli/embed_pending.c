/*
 * Vectors for what has none yet. Each batch is a transaction of its own: whatever ends this, what was embedded stays, and
 * the next time goes on with the rest.
 */
#include "embed_pending.h"

#include "commands.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 1000, SLICE_MAX_MS = 60000, DRAW_MS = 100, THREADS_MAX = 256 };

typedef struct work {
  cli *c;
  int64_t end_ms; /* by cli_mono_ms; INT64_MAX: none */
  atomic_bool stop;
  atomic_uint_fast64_t left; /* of the store, as the last call saw it: two threads may have done the same */
  atomic_size_t running;
  pthread_mutex_t lock; /* of what follows */
  aiorch_status status;
  aiorch_error *error;  /* of the first thread that failed */
} work;

static bool is_over(work *w) {
  return atomic_load(&w->stop) || cli_interrupted() || cli_mono_ms() >= w->end_ms;
}

static void keep_failure(work *w, aiorch_status status, aiorch_error **error) {
  pthread_mutex_lock(&w->lock);
  if (w->status >= 0) {
    aiorch_error *mine = w->error;
    w->status = status;
    w->error = *error;
    *error = mine;
  }
  pthread_mutex_unlock(&w->lock);
  atomic_store(&w->stop, true);
}

/* A call's time is a slice, so that Ctrl-C is heard; one in which nothing came to its end is made longer. */
static void *embed(void *context) {
  work *w = context;
  cli *c = w->c;
  aiorch_error *error = NULL;
  int64_t slice_ms = SLICE_MS;
  aiorch_status status = AIORCH_AGAIN;
  aiorch_error_new(&error);
  while (status == AIORCH_AGAIN && !is_over(w)) {
    uint64_t done = 0, left = 0;
    int64_t rest_ms = w->end_ms - cli_mono_ms();
    if (rest_ms < 1) break;
    status = aiorch_knowledge_embed(c->orch, c->opt.tenant, cli_tenant_len(c), rest_ms < slice_ms ? rest_ms : slice_ms, &done,
                                    &left, error);
    bool late = status == AIORCH_E_DEADLINE || status == AIORCH_E_CANCELLED; /* inside of a batch */
    if (late) status = AIORCH_AGAIN;
    if (status < 0) {
      keep_failure(w, status, &error);
      break;
    }
    if (!late) atomic_store(&w->left, left);
    if (done == 0 && slice_ms < SLICE_MAX_MS) slice_ms *= 2;
  }
  aiorch_error_free(error);
  atomic_fetch_sub(&w->running, 1);
  return NULL;
}

static void watch(work *w, uint64_t all) {
  cli_progress progress;
  const struct timespec nap = {0, DRAW_MS * 1000000};
  cli_progress_count(&progress, w->c, "passages", all);
  while (atomic_load(&w->running) > 0) {
    nanosleep(&nap, NULL);
    uint64_t left = atomic_load(&w->left);
    cli_progress_to(&progress, left < all ? all - left : 0);
  }
  cli_progress_clear(&progress);
}

static void run_threads(work *w, uint64_t all) {
  pthread_t threads[THREADS_MAX];
  size_t wanted = command_threads(w->c), started = 0;
  atomic_store(&w->running, wanted);
  while (started < wanted && pthread_create(&threads[started], NULL, embed, w) == 0) started++;
  atomic_fetch_sub(&w->running, wanted - started);
  if (started == 0) {
    atomic_store(&w->running, 1);
    embed(w); /* on this one, without a bar */
  }
  watch(w, all);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

void embed_pending_run(cli *c, embed_pending *out) {
  int64_t started_ms = cli_mono_ms();
  uint64_t left = 0;
  *out = (embed_pending){.able = true};
  out->status = aiorch_knowledge_embed(c->orch, c->opt.tenant, cli_tenant_len(c), 0, NULL, &left, c->error);
  if (out->status == AIORCH_E_UNSUPPORTED) *out = (embed_pending){0};
  if (out->status != AIORCH_AGAIN) return;
  work w = {.c = c, .end_ms = c->opt.seconds ? started_ms + c->opt.seconds * 1000 : INT64_MAX};
  pthread_mutex_init(&w.lock, NULL);
  atomic_store(&w.left, left);
  run_threads(&w, left);
  pthread_mutex_destroy(&w.lock);
  out->left = left;
  out->status = w.status;
  if (w.error) {
    aiorch_error_free(c->error);
    c->error = w.error;
  }
  if (w.status >= 0) { /* what is left now, also by other processes' work */
    out->status = aiorch_knowledge_embed(c->orch, c->opt.tenant, cli_tenant_len(c), 0, NULL, &out->left, c->error);
  }
  out->done = out->left < left ? left - out->left : 0;
  out->duration_ms = cli_mono_ms() - started_ms;
}

void embed_pending_print(const cli *c, const embed_pending *e) {
  char time[32];
  if (c->opt.quiet) return;
  if (!e->able) {
    puts("no local model, so found by words alone; by meaning too: aiorch model pull all-MiniLM-L6-v2 && aiorch reembed");
    return;
  }
  cli_time_text(e->duration_ms * 1000, time);
  if (e->done > 0) {
    printf("%s%llu passage%s embedded%s; %s\n", cli_on(c, STYLE_GREEN), (unsigned long long)e->done, e->done == 1 ? "" : "s",
           cli_off(c), time);
  }
  if (e->left > 0) {
    printf("%llu passage%s without a vector; 'aiorch reembed' goes on\n", (unsigned long long)e->left,
           e->left == 1 ? " is still" : "s are still");
  }
}

void embed_pending_json(json_print *p, const embed_pending *e) {
  jp_key(p, "embedded");
  if (e->able) jp_i64(p, (int64_t)e->done);
  else jp_z(p, NULL);
  jp_key(p, "to_embed");
  if (e->able) jp_i64(p, (int64_t)e->left);
  else jp_z(p, NULL);
}
