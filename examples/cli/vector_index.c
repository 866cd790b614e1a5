/*
 * One thread waits for the store to make an index, which takes minutes for a million vectors; this one asks how far it is.
 */
#include "vector_index.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 500, NAP_MS = 20 };
static const int64_t MAKE_MS = INT64_C(7) * 86400 * 1000;

typedef struct making {
  cli *c;
  aiorch_error *error;
  aiorch_text *report;
  aiorch_status status;
  atomic_bool ended;
} making;

json_value *vector_index_status(cli *c) {
  aiorch_text *text = NULL;
  if (aiorch_vector_indexes(c->config, AIORCH_INDEXES_STATUS, c->timeout_ms, &text, NULL) != AIORCH_OK) return NULL;
  return json_take(text);
}

static const json_value *first_model(const json_value *report) {
  const json_value *models = json_get(report, "models");
  return models && models->type == JSON_ARRAY ? models->child : NULL;
}

static int64_t count_wanted(const json_value *report) {
  int64_t vectors = 0;
  for (const json_value *m = first_model(report); m; m = m->next) {
    if (json_truth(m, "wanted")) vectors += json_i64(m, "vectors");
  }
  return vectors;
}

static void *make(void *context) {
  making *m = context;
  m->status = aiorch_vector_indexes(m->c->config, AIORCH_INDEXES_MAKE, MAKE_MS, &m->report, m->error);
  atomic_store(&m->ended, true);
  return NULL;
}

static void show_progress(cli_progress *bar, cli *c) {
  json_value *report = vector_index_status(c);
  const json_value *progress = json_get(report, "progress");
  int64_t total = json_i64(progress, "total"), done = json_i64(progress, "done");
  if (total > 0 && done >= 0) { /* in blocks of the table: the bar counts vectors */
    double share = done < total ? (double)done / (double)total : 1;
    cli_progress_to(bar, (uint64_t)(share * (double)bar->bytes_all));
  }
  json_free(report);
}

static void watch(making *m, int64_t vectors) {
  const struct timespec nap = {0, NAP_MS * 1000000};
  int64_t looked_ms = cli_mono_ms();
  cli_progress bar;
  cli_progress_count(&bar, m->c, "vectors", (uint64_t)vectors);
  while (!atomic_load(&m->ended)) {
    nanosleep(&nap, NULL);
    if (!bar.shown || cli_mono_ms() - looked_ms < LOOK_MS) continue;
    show_progress(&bar, m->c);
    looked_ms = cli_mono_ms();
  }
  cli_progress_clear(&bar);
}

static bool talks(const cli *c) { return !c->opt.quiet && !c->opt.json && !c->opt.stream_json; }

static int make_wanted(cli *c, int64_t vectors, json_value **out) {
  making m = {.c = c, .status = AIORCH_E_SYSTEM};
  pthread_t thread;
  if (talks(c)) printf("making the index of %lld vectors; searches and writes go on meanwhile\n", (long long)vectors);
  fflush(stdout);
  aiorch_error_new(&m.error);
  if (pthread_create(&thread, NULL, make, &m) == 0) {
    watch(&m, vectors);
    pthread_join(thread, NULL);
  } else {
    make(&m);
  }
  int code = CLI_EXIT_OK;
  if (m.status == AIORCH_OK) {
    json_free(*out);
    *out = json_take(m.report);
  } else {
    code = cli_fail_error(c, m.error);
  }
  aiorch_error_free(m.error);
  return code;
}

int vector_index_make(cli *c, json_value **out) {
  json_value *report = vector_index_status(c);
  int64_t vectors = count_wanted(report);
  int code = CLI_EXIT_OK;
  if (!json_is_null(report, "pgvector_defects") && json_truth(report, "may_build") && first_model(report)) {
    cli_warn(c, "pgvector %s: %s", json_text(report, "pgvector"), json_text(report, "pgvector_defects"));
  }
  if (vectors > 0) code = make_wanted(c, vectors, &report);
  if (vectors > 0 && code == CLI_EXIT_OK && talks(c)) vector_index_print(c, report);
  *out = report;
  return code;
}

int vector_index_after(cli *c, json_value **out) {
  *out = vector_index_status(c);
  if (!*out) return CLI_EXIT_OK;
  if (json_truth(*out, "may_build")) {
    json_free(*out);
    return vector_index_make(c, out);
  }
  return CLI_EXIT_OK;
}

void vector_index_print(const cli *c, const json_value *report) {
  for (const json_value *m = first_model(report); m; m = m->next) {
    bool by_index = strcmp(json_text(m, "search"), "index") == 0, wanted = json_truth(m, "wanted");
    printf("vectors  %lld of ", (long long)json_i64(m, "vectors"));
    cli_putz(c, json_text(m, "model"));
    if (by_index) {
      printf(": searches go by the index where a tenant has more than %lld\n", (long long)json_i64(report, "exact_up_to"));
    } else if (wanted) {
      printf(": searches are exact and slow, the index is %s; aiorch migrate makes it\n", json_text(m, "index"));
    } else {
      puts(": searches are exact");
    }
  }
}

void vector_index_json(json_print *p, const json_value *report) {
  jp_key(p, "vector_indexes");
  if (!first_model(report)) {
    jp_z(p, NULL);
    return;
  }
  jp_open(p, '[');
  for (const json_value *m = first_model(report); m; m = m->next) {
    jp_open(p, '{');
    jp_kz(p, "model", json_text(m, "model"));
    jp_ki64(p, "vectors", json_i64(m, "vectors"));
    jp_ki64(p, "largest_tenant", json_i64(m, "largest_tenant"));
    jp_kz(p, "index", json_text(m, "index"));
    jp_kz(p, "search", json_text(m, "search"));
    jp_key(p, "made_now");
    jp_bool(p, json_truth(m, "made_now"));
    jp_close(p, '}');
  }
  jp_close(p, ']');
}
