/*
 * How fast texts go into a store: cut, indexed for full text and durable.
 *
 *   ingest [--json] [--store FOLDER] TEXTS
 *
 * TEXTS is a folder; each of its files is a document (".md": Markdown). They are read into memory first. The clock runs
 * from the first document to the closed store. Without --store the store is made in a temporary folder. Meanwhile another
 * thread asks the limiter every 2 ms, as runs do, and what its decisions take is printed, too.
 */
#include <aiorch/aiorch.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "support/figures.h"

enum { TIMEOUT_MS = 60000, FILES_MAX = 100000, DECISIONS_MAX = 1 << 20, DECISION_EVERY_NS = 2000000 };

typedef struct text {
  char *name, *bytes;
  size_t n;
} text;

static int read_text(const char *folder, const char *name, text *out) {
  char path[4096];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) return 0;
  FILE *file = fopen(path, "rb");
  *out = (text){strdup(name), malloc((size_t)st.st_size), (size_t)st.st_size};
  if (!file || !out->name || !out->bytes || fread(out->bytes, 1, out->n, file) != out->n)
    die(path, "it cannot be read");
  fclose(file);
  return 1;
}

static size_t read_all(const char *folder, text *texts) {
  DIR *dir = opendir(folder);
  size_t n = 0;
  if (!dir) die(folder, "it cannot be read");
  for (struct dirent *entry; n < FILES_MAX && (entry = readdir(dir));)
    n += (size_t)read_text(folder, entry->d_name, &texts[n]);
  closedir(dir);
  if (n == 0) die(folder, "there is no text in it");
  return n;
}

static size_t add(aiorch *orch, const text *t, aiorch_error *error) {
  aiorch_document *document = NULL;
  size_t len = strlen(t->name);
  int32_t format = len > 3 && strcmp(t->name + len - 3, ".md") == 0 ? AIORCH_FORMAT_MARKDOWN : AIORCH_FORMAT_PLAIN;
  if (aiorch_document_new(&document) || aiorch_document_set_source(document, t->name, len) ||
      aiorch_document_set_text(document, format, t->bytes, t->n))
    die(t->name, "the document cannot be made");
  if (aiorch_knowledge_add(orch, "bench", 5, document, TIMEOUT_MS, error)) die(t->name, aiorch_error_message(error));
  size_t chunks = aiorch_document_chunks(document);
  aiorch_document_free(document);
  return chunks;
}

/* ---- the limiter meanwhile ---- */

typedef struct decisions {
  aiorch *orch;
  atomic_bool over;
  size_t n;
  double *ms;
} decisions;

static double decide(aiorch *orch, size_t number) {
  aiorch_run *run = NULL;
  char user[24];
  int n = snprintf(user, sizeof user, "u%zu", number % 1000);
  if (aiorch_run_new(orch, "bench", 5, user, (size_t)n, &run) || aiorch_run_add_message(run, AIORCH_ROLE_USER, "May I?", 6) ||
      aiorch_stage_validate(run))
    die("limiter", "no run");
  double begin = now_s();
  if (aiorch_stage_rate_limit(run)) die("limiter", aiorch_error_message(aiorch_run_error(run)));
  double ms = (now_s() - begin) * 1000;
  aiorch_run_free(run);
  return ms;
}

static void *keep_deciding(void *ctx) {
  decisions *d = ctx;
  const struct timespec pause = {.tv_nsec = DECISION_EVERY_NS};
  while (!atomic_load(&d->over) && d->n < DECISIONS_MAX) {
    d->ms[d->n] = decide(d->orch, d->n);
    d->n++;
    (void)nanosleep(&pause, NULL);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static text texts[FILES_MAX];
  char made[SCRATCH_MAX] = "", inside[SCRATCH_MAX + 8];
  const char *folder = NULL, *store = NULL;
  int json = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) json = 1;
    else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc) store = argv[++i];
    else if (argv[i][0] != '-' && !folder) folder = argv[i];
    else return fprintf(stderr, "usage: ingest [--json] [--store FOLDER] TEXTS\n"), 2;
  }
  if (!folder) return fprintf(stderr, "usage: ingest [--json] [--store FOLDER] TEXTS\n"), 2;
  if (!store) {
    scratch_make(made);
    snprintf(inside, sizeof inside, "%s/store", made);
    store = inside;
  }
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  size_t count = read_all(folder, texts), bytes = 0, chunks = 0;
  if (aiorch_error_new(&error) || aiorch_config_new(&config)) die("configuration", "out of memory");
  if (aiorch_config_set_str(config, "store", store, strlen(store), error) || aiorch_open(config, &orch, error))
    die(store, aiorch_error_message(error));
  decisions limiter = {.orch = orch, .ms = malloc(DECISIONS_MAX * sizeof(double))};
  pthread_t thread;
  if (!limiter.ms || pthread_create(&thread, NULL, keep_deciding, &limiter)) die("limiter", "no memory or no thread");
  double begin = now_s();
  for (size_t i = 0; i < count; i++) {
    chunks += add(orch, &texts[i], error);
    bytes += texts[i].n;
  }
  atomic_store(&limiter.over, true);
  pthread_join(thread, NULL);
  if (aiorch_close(orch, TIMEOUT_MS)) die(store, "it does not close");
  aiorch_free(orch);
  double seconds = now_s() - begin, rate = (double)bytes / 1e6 / seconds;
  double middle = at_part(limiter.ms, limiter.n, .5), worst = at_part(limiter.ms, limiter.n, 1);
  if (json)
    printf("{\"ingest_mb_per_s\": %.2f, \"documents\": %zu, \"chunks\": %zu, \"bytes\": %zu, \"limiter_decisions\": %zu, "
           "\"limiter_p50_ms\": %.3f, \"limiter_worst_ms\": %.3f}\n", rate, count, chunks, bytes, limiter.n, middle, worst);
  else
    printf("%zu documents, %zu chunks, %.1f MB in %.2f s: %.2f MB/s to full text, durable\n"
           "%zu decisions of the limiter meanwhile: p50 %.3f ms, worst %.3f ms\n", count, chunks, (double)bytes / 1e6, seconds, rate,
           limiter.n, middle, worst);
  free(limiter.ms);
  aiorch_config_free(config);
  aiorch_error_free(error);
  if (made[0] != '\0') scratch_remove(made);
  for (size_t i = 0; i < count; i++) {
    free(texts[i].name);
    free(texts[i].bytes);
  }
  return 0;
}
