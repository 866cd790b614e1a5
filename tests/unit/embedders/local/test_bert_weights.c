/* lib/embedders/local/bert_weights.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedders/local/bert_weights.h"
#include "support/test_alloc.h"
#include "support/tiny_bert.h"

static char folder[4096];
static aiorch_error error;

static void write_tiny(void) {
  tiny_bert tiny;
  tiny_bert_init(&tiny, 11, "F32", 2, 32, 2, 64);
  tiny_bert_write(&tiny, folder);
  tiny_bert_free(&tiny);
}

static aio__model_config read_config(void) {
  aio__model_config config;
  aio__error_init(&error);
  if (aio__model_config_read(aio__alloc_default(), folder, &config, &error) != AIORCH_OK) fail_msg("%s", error.message);
  return config;
}

static void test_load__out_of_memory_anywhere(void **state) {
  (void)state;
  char path[4200];
  write_tiny();
  aio__model_config config = read_config();
  (void)snprintf(path, sizeof path, "%s/model.aiorch-int8", folder);
  for (int round = 0; round < 3; round++) { /* f32; int8 made; int8 taken */
    aio__test_alloc t;
    aio__test_alloc_init(&t);
    do {
      aio__bert *bert = NULL;
      if (round < 2) (void)unlink(path);
      aio__error_init(&error);
      aio__test_alloc_next(&t);
      aiorch_status status =
        aio__bert_load(&t.al, folder, &config, round == 0 ? AIO__LOCAL_F32 : AIO__LOCAL_INT8, NULL, &bert, &error);
      assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
      assert_int_equal(error.status, status);
      aio__bert_free(bert);
      assert_int_equal(t.live, 0);
    } while (t.failed > 0);
    assert_true(t.count >= 4);
  }
}

static void test_load__a_model_beyond_the_limit_is_refused_before_memory_is_asked_for(void **state) {
  (void)state;
  aio__bert *bert = NULL;
  write_tiny();
  aio__model_config config = read_config();
  config.layers = AIO__MODEL_LAYERS_MAX;
  config.hidden = AIO__MODEL_HIDDEN_MAX;
  config.intermediate = AIO__MODEL_INTERMEDIATE_MAX;
  config.vocabulary = AIO__MODEL_VOCABULARY_MAX;
  assert_int_equal(aio__bert_load(aio__alloc_default(), folder, &config, AIO__LOCAL_INT8, NULL, &bert, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "is not supported"));
}

static void test_load__a_folder_without_weights(void **state) {
  (void)state;
  char path[4200], longer[5000];
  aio__bert *bert = NULL;
  write_tiny();
  aio__model_config config = read_config();
  (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(aio__bert_load(aio__alloc_default(), folder, &config, AIO__LOCAL_F32, NULL, &bert, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "model.safetensors is not there"));
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  assert_int_equal(aio__bert_load(aio__alloc_default(), longer, &config, AIO__LOCAL_F32, NULL, &bert, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "longer than"));
  aio__bert_free(NULL);
}

/* All parts lie in the block, aligned, none over another. */
static void test_load__parts_do_not_overlap(void **state) {
  (void)state;
  write_tiny();
  aio__model_config config = read_config();
  for (int precision = AIO__LOCAL_F32; precision <= AIO__LOCAL_INT8; precision++) {
    aio__bert *b = NULL;
    assert_int_equal(aio__bert_load(aio__alloc_default(), folder, &config, (aio__local_precision)precision, NULL, &b, &error), AIORCH_OK);
    const size_t f = sizeof(float), w = precision == AIO__LOCAL_INT8 ? 1 : f;
    const struct {
      const void *at;
      size_t bytes;
    } parts[] = {
      {b->words, TINY_WORDS * 32 * w},            {b->positions, TINY_POSITIONS * 32 * f},
      {b->gamma, 32 * f},                         {b->beta, 32 * f},
      {b->layers[0].mix.panels, 32 * 96 * w},     {b->layers[0].mix.bias, 96 * f},
      {b->layers[0].merge.panels, 32 * 32 * w},   {b->layers[0].merge.bias, 32 * f},
      {b->layers[0].widen.panels, 32 * 64 * w},   {b->layers[0].widen.bias, 64 * f},
      {b->layers[0].narrow.panels, 64 * 32 * w},  {b->layers[0].narrow.bias, 32 * f},
      {b->layers[1].mix.panels, 32 * 96 * w},     {b->layers[1].gamma, 32 * f},
      {b->layers[1].beta, 32 * f},
    };
    uintptr_t end = (uintptr_t)b->block;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
      assert_true((uintptr_t)parts[i].at >= end && (uintptr_t)parts[i].at % 64 == 0);
      end = (uintptr_t)parts[i].at + parts[i].bytes;
    }
    assert_true(end <= (uintptr_t)b->block + b->bytes);
    assert_true((precision == AIO__LOCAL_INT8) == (b->word_scale != NULL));
    aio__bert_free(b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_load__out_of_memory_anywhere),
    cmocka_unit_test(test_load__a_model_beyond_the_limit_is_refused_before_memory_is_asked_for),
    cmocka_unit_test(test_load__a_folder_without_weights),
    cmocka_unit_test(test_load__parts_do_not_overlap),
  };
  tiny_path("model", folder, sizeof folder);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
