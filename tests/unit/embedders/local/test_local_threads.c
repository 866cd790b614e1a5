/* lib/embedders/local/: several threads embed over the same weights, while others do to the model's folder all that a
 * running process must bear. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedders/local/local.h"
#include "support/tiny_bert.h"

enum { THREADS = 6, ROUNDS = 40, TEXTS = 5, HIDDEN = 64 };

static const char *const texts[TEXTS] = {"", "w5 w6 w7", "w20 w21", "w9 w9 w9 w9 w9 w9 w9 w9 w9 w9 w9 w9", "w30"};
static char folder[4096];

typedef struct work {
  const aio__local *local;
  float want[TEXTS][HIDDEN];
  atomic_int wrong;
  atomic_bool stop;
} work;

static aio__local *open_tiny(aio__local_precision precision, aiorch_status *status) {
  aio__local *local = NULL;
  aio__local_args args = {folder, precision, aio__cpu_best(), NULL};
  *status = aio__local_open(aio__alloc_default(), &args, &local, NULL);
  return local;
}

static void embed_all(const aio__local *local, float out[TEXTS][HIDDEN]) {
  aio__str list[TEXTS];
  size_t tokens, truncated;
  for (size_t i = 0; i < TEXTS; i++) list[i] = aio__str_z(texts[i]);
  if (aio__local_embed(local, AIORCH_PURPOSE_QUERY, list, TEXTS, out[0], &tokens, &truncated, NULL, NULL) != AIORCH_OK) abort();
}

static void *embed_often(void *arg) {
  work *w = arg;
  for (int i = 0; i < ROUNDS || !atomic_load(&w->stop); i++) {
    float out[TEXTS][HIDDEN];
    embed_all(w->local, out);
    if (memcmp(out, w->want, sizeof out) != 0) atomic_fetch_add(&w->wrong, 1);
  }
  return NULL;
}

static void write_tiny(uint32_t seed) {
  tiny_bert b;
  tiny_bert_init(&b, seed, "F32", 2, HIDDEN, 4, 128);
  tiny_bert_write(&b, folder);
  tiny_bert_free(&b);
}

/* Replaced by another model, appended to, written to in place, cut short, emptied, removed: each file in turn. */
static void disturb(void) {
  static const char *const names[] = {"model.safetensors", "model.aiorch-int8", "vocab.txt", "config.json"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[4300], other[4400];
    (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    (void)snprintf(other, sizeof other, "%s.other", path);
    FILE *file = fopen(path, "r+b");
    if (file == NULL) continue;
    (void)fseek(file, 5000, SEEK_SET);
    for (int j = 0; j < 3000; j++) (void)fputc(j * 11 & 0xFF, file);
    (void)fseek(file, 0, SEEK_END);
    (void)fputs("appended", file);
    (void)fclose(file);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(truncate(path, 0), 0);
    file = fopen(other, "wb");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(unlink(path), 0);
  }
}

static void run_threads(aio__local_precision precision) {
  static work w;
  pthread_t threads[THREADS];
  aiorch_status status;
  write_tiny(1);
  aio__local *local = open_tiny(precision, &status);
  assert_int_equal(status, AIORCH_OK);
  w.local = local;
  atomic_store(&w.wrong, 0);
  atomic_store(&w.stop, false);
  embed_all(local, w.want);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, embed_often, &w), 0);
  for (uint32_t round = 0; round < 5; round++) {
    disturb();
    write_tiny(2 + round);
  }
  atomic_store(&w.stop, true);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&w.wrong), 0);
  aio__local_free(local);
}

static void test_embed__threads_and_a_folder_that_changes_f32(void **state) {
  (void)state;
  run_threads(AIO__LOCAL_F32);
}

static void test_embed__threads_and_a_folder_that_changes_int8(void **state) {
  (void)state;
  run_threads(AIO__LOCAL_INT8);
}

/* Opened by several threads at once while the weights are replaced: one model or the other, or an error, never a mixture. */
typedef struct opener {
  char prints[2][128];
  float want[2][TEXTS][HIDDEN];
  atomic_int wrong, opened;
  atomic_bool stop;
} opener;

static void *open_often(void *arg) {
  opener *o = arg;
  for (int i = 0; i < 10 || !atomic_load(&o->stop); i++) {
    float out[TEXTS][HIDDEN];
    aiorch_status status;
    aio__local *local = open_tiny(AIO__LOCAL_INT8, &status);
    if (status == AIORCH_E_MODEL) continue;
    if (status != AIORCH_OK) abort();
    int which = strcmp(aio__local_fingerprint(local), o->prints[1]) == 0;
    embed_all(local, out);
    if (strcmp(aio__local_fingerprint(local), o->prints[which]) != 0 || memcmp(out, o->want[which], sizeof out) != 0)
      atomic_fetch_add(&o->wrong, 1);
    atomic_fetch_add(&o->opened, 1);
    aio__local_free(local);
  }
  return NULL;
}

static void test_open__while_the_model_is_replaced(void **state) {
  (void)state;
  static opener o;
  tiny_bert models[2];
  pthread_t threads[3];
  for (uint32_t i = 0; i < 2; i++) {
    aiorch_status status;
    tiny_bert_init(&models[i], 50 + i, "F32", 1, HIDDEN, 4, 64);
    tiny_bert_write(&models[i], folder);
    aio__local *local = open_tiny(AIO__LOCAL_INT8, &status);
    assert_int_equal(status, AIORCH_OK);
    (void)snprintf(o.prints[i], sizeof o.prints[i], "%s", aio__local_fingerprint(local));
    embed_all(local, o.want[i]);
    aio__local_free(local);
  }
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, open_often, &o), 0);
  for (int i = 0; i < 60; i++) tiny_bert_write_weights(&models[i % 2], folder);
  atomic_store(&o.stop, true);
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&o.wrong), 0);
  assert_true(atomic_load(&o.opened) > 0);
  for (int i = 0; i < 2; i++) tiny_bert_free(&models[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_embed__threads_and_a_folder_that_changes_f32),
    cmocka_unit_test(test_embed__threads_and_a_folder_that_changes_int8),
    cmocka_unit_test(test_open__while_the_model_is_replaced),
  };
  tiny_path("model", folder, sizeof folder);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
