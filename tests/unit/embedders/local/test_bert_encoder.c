/* lib/embedders/local/bert_encoder.c: small networks beside their forward pass in double precision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/bert_encoder.h"
#include "support/tiny_bert.h"

enum { TOKENS = 300, HIDDEN_MAX = 128 };

typedef struct shape {
  const char *dtype, *act;
  size_t layers, hidden, heads, intermediate;
  bool cls;
} shape;

static const shape shapes[] = {
  {"F32", "gelu", 2, 64, 4, 128, false}, {"F32", "gelu_new", 1, 32, 2, 64, true},
  {"F16", "gelu", 2, 128, 4, 256, true}, {"BF16", "gelu", 3, 96, 2, 160, false},
};

static char folder[4096];

static aio__bert *load(const tiny_bert *b, aio__local_precision precision) {
  aio__model_config config;
  aio__bert *bert = NULL;
  aiorch_error error;
  aio__error_init(&error);
  tiny_bert_write(b, folder);
  if (aio__model_config_read(aio__alloc_default(), folder, &config, &error) != AIORCH_OK ||
      aio__bert_load(aio__alloc_default(), folder, &config, precision, NULL, &bert, &error) != AIORCH_OK)
    fail_msg("%s", error.message);
  return bert;
}

static void make_ids(int32_t *ids, size_t n, uint32_t seed) {
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    ids[i] = (int32_t)(4 + (seed >> 16) % (TINY_WORDS - 4));
  }
  ids[0] = 2;
  ids[n - 1] = 3;
}

static void init_shape(tiny_bert *b, const shape *s) {
  tiny_bert_init(b, 7, s->dtype, s->layers, s->hidden, s->heads, s->intermediate);
  b->cls = s->cls;
  b->act = s->act;
}

/* At every level; the least cosine of some lengths. */
static double least_cosine(tiny_bert *b, const aio__bert *bert, aio__cpu cpu) {
  static const size_t lengths[] = {1, 2, 3, 8, 17, 33, 64};
  const aio__bert_kernels *k = aio__bert_kernels_for(cpu);
  void *room = malloc(aio__encoder_room(bert, k, 64, 64));
  double least = 1, want[HIDDEN_MAX];
  float out[HIDDEN_MAX];
  int32_t ids[64];
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    double length = 0;
    make_ids(ids, lengths[i], (uint32_t)i);
    tiny_bert_embed(b, ids, lengths[i], want);
    assert_true(aio__encoder_run(bert, k, ids, &lengths[i], 1, room, out));
    double cosine = tiny_cosine(out, want, b->hidden);
    for (size_t j = 0; j < b->hidden; j++) length += (double)out[j] * (double)out[j];
    assert_true(fabs(length - 1) < 1e-5);
    if (cosine < least) least = cosine;
  }
  free(room);
  return least;
}

static void test_run__f32_is_the_exact_vector(void **state) {
  (void)state;
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    tiny_bert b;
    init_shape(&b, &shapes[s]);
    aio__bert *bert = load(&b, AIO__LOCAL_F32);
    for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++) {
      double least = least_cosine(&b, bert, (aio__cpu)cpu);
      if (!(least > 0.999999)) fail_msg("shape %zu, %s: %.9f", s, aio__cpu_name((aio__cpu)cpu), least);
    }
    aio__bert_free(bert);
    tiny_bert_free(&b);
  }
}

static void test_run__int8_is_near_it(void **state) {
  (void)state;
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    tiny_bert b;
    init_shape(&b, &shapes[s]);
    aio__bert *bert = load(&b, AIO__LOCAL_INT8);
    for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++) {
      double least = least_cosine(&b, bert, (aio__cpu)cpu);
      if (!(least > 0.995)) fail_msg("shape %zu, %s: %.9f", s, aio__cpu_name((aio__cpu)cpu), least);
    }
    aio__bert_free(bert);
    tiny_bert_free(&b);
  }
}

/* Texts of many lengths at once, among them longer ones than are done at once, give bit for bit what each gives alone. */
static void check_batch(const aio__bert *bert, const aio__bert_kernels *k, size_t hidden) {
  static const size_t lengths[] = {5, 64, 1, 64, 2, 33, 64, 17, 50};
  enum { COUNT = sizeof lengths / sizeof lengths[0] };
  int32_t ids[TOKENS];
  float *all = malloc(COUNT * hidden * sizeof *all), one[HIDDEN_MAX];
  size_t at = 0;
  for (size_t i = 0; i < COUNT; at += lengths[i++]) make_ids(ids + at, lengths[i], (uint32_t)i + 100);
  assert_int_equal(at, TOKENS);
  void *room = malloc(aio__encoder_room(bert, k, TOKENS, 64));
  memset(room, 0xFF, aio__encoder_room(bert, k, TOKENS, 64)); /* NaN wherever something is read that was not written */
  assert_true(aio__encoder_run(bert, k, ids, lengths, COUNT, room, all));
  at = 0;
  for (size_t i = 0; i < COUNT; at += lengths[i++]) {
    assert_true(aio__encoder_run(bert, k, ids + at, &lengths[i], 1, room, one));
    assert_memory_equal(one, all + i * hidden, hidden * sizeof *one);
  }
  free(room), free(all);
}

static void test_run__a_vector_is_the_same_in_any_batch(void **state) {
  (void)state;
  for (int precision = AIO__LOCAL_F32; precision <= AIO__LOCAL_INT8; precision++) {
    tiny_bert b;
    init_shape(&b, &shapes[0]);
    aio__bert *bert = load(&b, (aio__local_precision)precision);
    for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++)
      check_batch(bert, aio__bert_kernels_for((aio__cpu)cpu), b.hidden);
    aio__bert_free(bert);
    tiny_bert_free(&b);
  }
}

static void test_run__weights_that_overflow_give_no_vector(void **state) {
  (void)state;
  tiny_bert b;
  int32_t ids[8];
  size_t n = 8;
  float out[HIDDEN_MAX];
  init_shape(&b, &shapes[0]);
  float *gamma = tiny_bert_tensor(&b, "encoder.layer.1.output.LayerNorm.weight")->values;
  for (size_t i = 0; i < b.hidden; i++) gamma[i] = 1e38f;
  aio__bert *bert = load(&b, AIO__LOCAL_F32);
  const aio__bert_kernels *k = aio__bert_kernels_for(aio__cpu_best());
  void *room = malloc(aio__encoder_room(bert, k, n, n));
  make_ids(ids, n, 1);
  assert_false(aio__encoder_run(bert, k, ids, &n, 1, room, out));
  free(room);
  aio__bert_free(bert);
  tiny_bert_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_run__f32_is_the_exact_vector),
    cmocka_unit_test(test_run__int8_is_near_it),
    cmocka_unit_test(test_run__a_vector_is_the_same_in_any_batch),
    cmocka_unit_test(test_run__weights_that_overflow_give_no_vector),
  };
  tiny_path("model", folder, sizeof folder);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
