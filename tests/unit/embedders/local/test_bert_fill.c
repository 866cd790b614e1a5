/* lib/embedders/local/bert_fill.c: what is in a model file and what is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/bert_weights.h"
#include "support/tiny_bert.h"

static char folder[4096];
static aiorch_error error;
static tiny_bert tiny;

static int setup(void **state) {
  (void)state;
  tiny_bert_init(&tiny, 3, "F32", 2, 64, 4, 128);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  tiny_bert_free(&tiny);
  return 0;
}

static aiorch_status load(aio__local_precision precision, aio__bert **out) {
  aio__model_config config;
  aio__error_init(&error);
  tiny_bert_write(&tiny, folder);
  aiorch_status status = aio__model_config_read(aio__alloc_default(), folder, &config, &error);
  return status == AIORCH_OK ? aio__bert_load(aio__alloc_default(), folder, &config, precision, NULL, out, &error)
                             : status;
}

static void refused(const char *words) {
  for (int precision = AIO__LOCAL_F32; precision <= AIO__LOCAL_INT8; precision++) {
    aio__bert *bert = NULL;
    aiorch_status status = load((aio__local_precision)precision, &bert);
    if (status != AIORCH_E_MODEL || bert != NULL) fail_msg("%s: status %d", words, (int)status);
    if (strstr(error.message, words) == NULL) fail_msg("want %s, have %s", words, error.message);
    assert_non_null(strstr(error.message, "model.safetensors"));
  }
}

static void test_fill__every_tensor_that_is_missing_is_named(void **state) {
  (void)state;
  for (size_t i = 0; i < tiny.tensor_count; i++) {
    char words[160];
    tiny.tensors[i].left_out = true;
    (void)snprintf(words, sizeof words, "tensor \"%s\" is missing", tiny.tensors[i].name);
    refused(words);
    tiny.tensors[i].left_out = false;
  }
}

static void test_fill__every_tensor_of_another_shape_is_named(void **state) {
  (void)state;
  for (size_t i = 0; i < tiny.tensor_count; i++) {
    tiny_tensor *t = &tiny.tensors[i];
    tiny_tensor was = *t;
    char words[160];
    (void)snprintf(words, sizeof words, "tensor \"%s\" has another shape", t->name);
    t->shape[0]--;
    t->count = t->rank == 1 ? t->shape[0] : t->shape[0] * t->shape[1];
    refused(words);
    *t = was;
    if (t->rank == 2) {
      t->shape[0] = was.count;
      t->rank = 1; /* the same numbers as one vector */
      refused(words);
      *t = was;
    }
  }
}

static void test_fill__refuses_nan_and_infinities_wherever_they_are(void **state) {
  (void)state;
  for (size_t i = 0; i < tiny.tensor_count; i++) {
    char words[160];
    tiny_tensor *t = &tiny.tensors[i];
    /* Only the first type of token is in use. */
    float *at = &t->values[strstr(t->name, "token_type") != NULL ? 3 : t->count - 1], was = *at;
    *at = i % 2 == 0 ? NAN : -INFINITY;
    (void)snprintf(words, sizeof words, "tensor \"%s\": one of its numbers is NaN or infinite", t->name);
    refused(words);
    *at = was;
  }
}

static void test_fill__int8_refuses_what_has_no_code(void **state) {
  (void)state;
  aio__bert *bert = NULL;
  tiny_bert_tensor(&tiny, "encoder.layer.1.output.dense.weight")->values[5] = 3e38f;
  assert_int_equal(load(AIO__LOCAL_F32, &bert), AIORCH_OK);
  aio__bert_free(bert);
  assert_int_equal(load(AIO__LOCAL_INT8, &bert), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "too large for int8"));
}

/* Where things are, and what they were: f32 as it stood. */
static void test_fill__f32_as_in_the_file(void **state) {
  (void)state;
  aio__bert *bert = NULL;
  assert_int_equal(load(AIO__LOCAL_F32, &bert), AIORCH_OK);
  const float *words = tiny_bert_tensor(&tiny, "embeddings.word_embeddings.weight")->values;
  const float *places = tiny_bert_tensor(&tiny, "embeddings.position_embeddings.weight")->values;
  const float *types = tiny_bert_tensor(&tiny, "embeddings.token_type_embeddings.weight")->values;
  const float *key = tiny_bert_tensor(&tiny, "encoder.layer.1.attention.self.key.weight")->values;
  const float *key_bias = tiny_bert_tensor(&tiny, "encoder.layer.1.attention.self.key.bias")->values;
  const float *gamma = tiny_bert_tensor(&tiny, "encoder.layer.0.output.LayerNorm.weight")->values;
  assert_memory_equal(bert->words, words, TINY_WORDS * 64 * sizeof(float));
  for (size_t i = 0; i < 64; i++) {
    float sum = places[5 * 64 + i] + types[i];
    assert_memory_equal(&bert->positions[5 * 64 + i], &sum, sizeof sum);
  }
  assert_memory_equal(bert->layers[1].mix.bias + 64, key_bias, 64 * sizeof(float));
  assert_memory_equal(bert->layers[0].gamma, gamma, 64 * sizeof(float));
  /* Row 40 of the keys is column 104 of the product: panel 3, column 8. */
  const float *panels = bert->layers[1].mix.panels;
  for (size_t i = 0; i < 64; i++) assert_memory_equal(&panels[3 * 32 * 64 + i * 32 + 8], &key[40 * 64 + i], sizeof(float));
  aio__bert_free(bert);
}

static void test_fill__prefix_old_names_and_types_give_the_same(void **state) {
  (void)state;
  aio__bert *plain = NULL, *other = NULL;
  assert_int_equal(load(AIO__LOCAL_F32, &plain), AIORCH_OK);
  tiny.prefix = "bert.";
  for (size_t i = 0; i < tiny.tensor_count; i++) {
    char *last = strrchr(tiny.tensors[i].name, '.');
    if (strstr(tiny.tensors[i].name, "LayerNorm") == NULL) continue;
    if (strcmp(last, ".weight") == 0) memcpy(last, ".gamma", sizeof ".gamma");
    else memcpy(last, ".beta", sizeof ".beta");
  }
  assert_int_equal(load(AIO__LOCAL_F32, &other), AIORCH_OK);
  assert_int_equal(plain->bytes, other->bytes);
  assert_memory_equal(plain->block, other->block, plain->bytes);
  assert_memory_equal(plain->digest, other->digest, sizeof plain->digest);
  aio__bert_free(plain);
  aio__bert_free(other);
}

static void test_fill__the_digest_is_that_of_the_weights(void **state) {
  (void)state;
  aio__bert *f32 = NULL, *int8 = NULL, *other = NULL;
  assert_int_equal(load(AIO__LOCAL_F32, &f32), AIORCH_OK);
  assert_int_equal(load(AIO__LOCAL_INT8, &int8), AIORCH_OK);
  assert_memory_equal(f32->digest, int8->digest, sizeof f32->digest);
  tiny_bert_tensor(&tiny, "encoder.layer.1.output.LayerNorm.bias")->values[63] += 1e-3f;
  assert_int_equal(load(AIO__LOCAL_INT8, &other), AIORCH_OK);
  assert_memory_not_equal(f32->digest, other->digest, sizeof f32->digest);
  aio__bert_free(f32);
  aio__bert_free(int8);
  aio__bert_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_fill__every_tensor_that_is_missing_is_named, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__every_tensor_of_another_shape_is_named, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__refuses_nan_and_infinities_wherever_they_are, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__int8_refuses_what_has_no_code, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__f32_as_in_the_file, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__prefix_old_names_and_types_give_the_same, setup, teardown),
    cmocka_unit_test_setup_teardown(test_fill__the_digest_is_that_of_the_weights, setup, teardown),
  };
  tiny_path("model", folder, sizeof folder);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
