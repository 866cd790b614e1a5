/* lib/embedders/local/model_config.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <aiorch/plugin.h>

#include "embedders/local/model_config.h"
#include "support/test_alloc.h"
#include "support/tiny_bert.h"

#define GOOD                                                                                                     \
  "\"model_type\":\"bert\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                \
  "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":50"

static aiorch_error error;
static aio__model_config config;

static aiorch_status parse_all(const char *folder, const char *main_text, const char *modules, const char *pooling,
                               const char *sentence, const char *tokenizer, const char *prompts) {
  aio__model_texts texts = {aio__str_z(main_text), aio__str_z(modules), aio__str_z(pooling),
                            aio__str_z(sentence), aio__str_z(tokenizer), aio__str_z(prompts)};
  aio__error_init(&error);
  return aio__model_config_parse(aio__alloc_default(), folder, &texts, &config, &error);
}

static aiorch_status parse_main(const char *text) {
  return parse_all("models/some", text, NULL, NULL, NULL, NULL, NULL);
}

static void refused(aiorch_status status, const char *words) {
  if (status != AIORCH_E_MODEL) fail_msg("%s: status %d", words, (int)status);
  if (strstr(error.message, words) == NULL) fail_msg("want %s, have %s", words, error.message);
}

static void test_parse__what_is_not_said_is_as_transformers_has_it(void **state) {
  (void)state;
  assert_int_equal(parse_main("{" GOOD "}"), AIORCH_OK);
  assert_string_equal(config.name, "some");
  assert_int_equal(config.layers, 2);
  assert_int_equal(config.hidden, 64);
  assert_int_equal(config.heads, 4);
  assert_int_equal(config.intermediate, 128);
  assert_int_equal(config.vocabulary, 100);
  assert_int_equal(config.positions, 50);
  assert_int_equal(config.types, 2);
  assert_int_equal(config.max_tokens, 50);
  assert_true(config.norm_eps > 0.99e-12f && config.norm_eps < 1.01e-12f);
  assert_ptr_equal(config.curve, &aio__curve_gelu);
  assert_true(config.lower_case);
  assert_false(config.first_token);
  for (int p = 0; p < AIO__MODEL_PURPOSES; p++) assert_string_equal(config.prompt[p], "");
}

static void test_parse__names_what_is_not_supported(void **state) {
  (void)state;
  refused(parse_main("{\"model_type\":\"mpnet\"}"), "models/some/config.json: model_type \"mpnet\" is not supported; only \"bert\" is");
  refused(parse_main("{}"), "model_type \"none\"");
  refused(parse_main("{" GOOD ",\"hidden_act\":\"relu\"}"), "hidden_act \"relu\"");
  refused(parse_main("{" GOOD ",\"position_embedding_type\":\"relative_key\"}"), "position_embedding_type \"relative_key\"");
  refused(parse_main("{" GOOD ",\"is_decoder\":true}"), "decoder");
  refused(parse_main("[]"), "no JSON object");
  refused(parse_main("{\"model_type\":"), "line 1");
  refused(parse_main(""), "is empty");
  assert_int_equal(parse_main("{" GOOD ",\"hidden_act\":\"gelu_new\"}"), AIORCH_OK);
  assert_ptr_equal(config.curve, &aio__curve_gelu_tanh);
}

static aiorch_status with_sizes(const char *hidden, const char *heads, const char *wide, const char *more) {
  char text[512];
  (void)snprintf(text, sizeof text,
                 "{\"model_type\":\"bert\",\"hidden_size\":%s,\"num_hidden_layers\":2,\"num_attention_heads\":%s,"
                 "\"intermediate_size\":%s,\"vocab_size\":100,\"max_position_embeddings\":50%s}",
                 hidden, heads, wide, more);
  return parse_main(text);
}

static void test_parse__sizes(void **state) {
  (void)state;
  assert_int_equal(with_sizes("384", "12", "1536", ""), AIORCH_OK);
  refused(with_sizes("0", "4", "128", ""), "hidden_size must be a whole number from 1 to 4096");
  refused(with_sizes("4128", "4", "128", ""), "hidden_size must be");
  refused(with_sizes("64.5", "4", "128", ""), "hidden_size must be");
  refused(with_sizes("\"64\"", "4", "128", ""), "hidden_size must be");
  refused(with_sizes("null", "4", "128", ""), "hidden_size is missing");
  refused(with_sizes("1e300", "4", "128", ""), "hidden_size must be");
  refused(with_sizes("48", "3", "128", ""), "multiples of 32");
  refused(with_sizes("64", "4", "100", ""), "multiples of 32");
  refused(with_sizes("64", "3", "128", ""), "multiple of 16");
  refused(with_sizes("64", "8", "128", ""), "multiple of 16");
  refused(with_sizes("64", "4", "128", ",\"layer_norm_eps\":0"), "layer_norm_eps");
  refused(with_sizes("64", "4", "128", ",\"layer_norm_eps\":\"x\""), "layer_norm_eps");
  refused(with_sizes("64", "4", "128", ",\"layer_norm_eps\":-1"), "layer_norm_eps");
  refused(with_sizes("64", "4", "128", ",\"type_vocab_size\":0"), "type_vocab_size");
  assert_int_equal(with_sizes("64", "4", "128", ",\"layer_norm_eps\":1e-5,\"type_vocab_size\":1"), AIORCH_OK);
  assert_true(config.norm_eps > 0.99e-5f && config.norm_eps < 1.01e-5f);
  assert_int_equal(config.types, 1);
}

static aiorch_status with_pooling(const char *pooling) {
  return parse_all("m", "{" GOOD "}", NULL, pooling, NULL, NULL, NULL);
}

static void test_parse__pooling(void **state) {
  (void)state;
  assert_int_equal(with_pooling("{\"pooling_mode_cls_token\":true}"), AIORCH_OK);
  assert_true(config.first_token);
  assert_int_equal(with_pooling("{\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":false}"), AIORCH_OK);
  assert_false(config.first_token);
  assert_int_equal(with_pooling("{\"pooling_mode\":\"cls\"}"), AIORCH_OK);
  assert_true(config.first_token);
  refused(with_pooling("{\"pooling_mode_max_tokens\":true}"), "1_Pooling/config.json: pooling by other");
  refused(with_pooling("{\"pooling_mode\":\"lasttoken\"}"), "pooling by other");
  refused(with_pooling("{}"), "pooling by other");
  refused(with_pooling("{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}"), "more than one");
  refused(with_pooling("{\"pooling_mode_cls_token\":true,\"word_embedding_dimension\":32}"), "word_embedding_dimension");
}

static aiorch_status with_modules(const char *modules) {
  return parse_all("m", "{" GOOD "}", modules, NULL, NULL, NULL, NULL);
}

static void test_parse__modules(void **state) {
  (void)state;
  assert_int_equal(with_modules("[{\"type\":\"sentence_transformers.models.Transformer\",\"path\":\"\"},"
                                "{\"type\":\"sentence_transformers.models.Pooling\",\"path\":\"1_Pooling\"},"
                                "{\"type\":\"sentence_transformers.models.Normalize\",\"path\":\"2_Normalize\"}]"),
                   AIORCH_OK);
  refused(with_modules("[{\"type\":\"sentence_transformers.models.Dense\",\"path\":\"2_Dense\"}]"), "modules.json: a module of type");
  refused(with_modules("[{\"type\":\"x.Pooling\",\"path\":\"../../etc\"}]"), "inside of the model");
  refused(with_modules("[{\"type\":\"x.Pooling\",\"path\":\"a/b\"}]"), "inside of the model");
  refused(with_modules("[{\"type\":\"x.Pooling\"}]"), "inside of the model");
}

static void test_parse__the_longest_text(void **state) {
  (void)state;
  assert_int_equal(parse_all("m", "{" GOOD "}", NULL, NULL, "{\"max_seq_length\":20}", NULL, NULL), AIORCH_OK);
  assert_int_equal(config.max_tokens, 20);
  assert_int_equal(parse_all("m", "{" GOOD "}", NULL, NULL, "{\"max_seq_length\":2000}", NULL, NULL), AIORCH_OK);
  assert_int_equal(config.max_tokens, 50);
  assert_int_equal(parse_all("m", "{" GOOD "}", NULL, NULL, "{\"max_seq_length\":null}", NULL, NULL), AIORCH_OK);
  assert_int_equal(config.max_tokens, 50);
  refused(parse_all("m", "{" GOOD "}", NULL, NULL, "{\"max_seq_length\":2}", NULL, NULL), "max_seq_length");
}

static void test_parse__case_of_the_vocabulary(void **state) {
  (void)state;
  assert_int_equal(parse_all("m", "{" GOOD "}", NULL, NULL, NULL, "{\"do_lower_case\":false}", NULL), AIORCH_OK);
  assert_false(config.lower_case);
}

static void test_parse__prompts_by_name_and_by_file(void **state) {
  (void)state;
  assert_int_equal(parse_all("a/bge-small-en-v1.5/", "{" GOOD "}", NULL, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_string_equal(config.name, "bge-small-en-v1.5");
  assert_string_equal(config.prompt[AIORCH_PURPOSE_QUERY - 1], "Represent this sentence for searching relevant passages: ");
  assert_string_equal(config.prompt[AIORCH_PURPOSE_PASSAGE - 1], "");
  assert_string_equal(config.prompt[AIORCH_PURPOSE_SIMILARITY - 1], "");
  assert_true(config.first_token);
  assert_int_equal(parse_all("e5-small-v2", "{" GOOD "}", NULL, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_string_equal(config.prompt[AIORCH_PURPOSE_PASSAGE - 1], "passage: ");
  assert_false(config.first_token);
  assert_int_equal(parse_all("bge-small-zh", "{" GOOD "}", NULL, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_string_equal(config.prompt[AIORCH_PURPOSE_QUERY - 1], "");
  /* What the folder says comes first. */
  assert_int_equal(parse_all("bge-small-en-v1.5", "{" GOOD "}", NULL, "{\"pooling_mode_mean_tokens\":true}", NULL, NULL,
                             "{\"prompts\":{\"query\":\"Q: \",\"document\":\"D: \"}}"),
                   AIORCH_OK);
  assert_string_equal(config.prompt[AIORCH_PURPOSE_QUERY - 1], "Q: ");
  assert_string_equal(config.prompt[AIORCH_PURPOSE_PASSAGE - 1], "D: ");
  assert_false(config.first_token);
  char text[600];
  (void)snprintf(text, sizeof text, "{\"prompts\":{\"query\":\"%0300d\"}}", 7);
  refused(parse_all("m", "{" GOOD "}", NULL, NULL, NULL, NULL, text), "longer than 255");
}

static void test_parse__the_name_is_one_word(void **state) {
  (void)state;
  assert_int_equal(parse_all("/x/a model\xC3\xA9//", "{" GOOD "}", NULL, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_string_equal(config.name, "a_model__");
  char folder[400];
  memset(folder, 'n', sizeof folder - 1);
  folder[sizeof folder - 1] = '\0';
  assert_int_equal(parse_all(folder, "{" GOOD "}", NULL, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_int_equal(strlen(config.name), AIO__MODEL_NAME_MAX);
}

static void test_digest__changes_with_all_that_has_a_say(void **state) {
  (void)state;
  uint8_t digests[6][AIO__SHA256_SIZE];
  for (int i = 0; i < 6; i++) {
    aio__sha256 hash;
    assert_int_equal(parse_main("{" GOOD "}"), AIORCH_OK);
    if (i == 1) config.max_tokens--;
    if (i == 2) config.first_token = true;
    if (i == 3) config.curve = &aio__curve_gelu_tanh;
    if (i == 4) config.norm_eps = 1e-5f;
    if (i == 5) config.prompt[0][0] = 'q';
    aio__sha256_init(&hash);
    aio__model_config_digest(&config, &hash);
    aio__sha256_end(&hash, digests[i]);
    for (int j = 0; j < i; j++) assert_memory_not_equal(digests[i], digests[j], AIO__SHA256_SIZE);
  }
}

/* ---- folders ---- */

static char folder[4096];

static aiorch_status read_folder(const aio__alloc *al) {
  aio__error_init(&error);
  return aio__model_config_read(al, folder, &config, &error);
}

static void test_read__a_folder_as_it_is(void **state) {
  (void)state;
  tiny_bert b;
  tiny_path("bge-tiny-en", folder, sizeof folder);
  assert_int_equal(read_folder(aio__alloc_default()), AIORCH_E_NOT_FOUND);
  assert_non_null(strstr(error.message, "there is no model in"));
  tiny_bert_init(&b, 1, "F32", 1, 32, 2, 32);
  tiny_bert_write(&b, folder);
  tiny_bert_free(&b);
  assert_int_equal(read_folder(aio__alloc_default()), AIORCH_OK);
  assert_int_equal(config.hidden, 32);
  assert_false(config.first_token); /* its pooling file says mean */
  assert_string_equal(config.name, "bge-tiny-en");
  static const char modules[] = "[{\"type\":\"x.Pooling\",\"path\":\"9_Pooling\"}]";
  tiny_write_file(folder, "modules.json", modules, sizeof modules - 1);
  assert_int_equal(read_folder(aio__alloc_default()), AIORCH_OK);
  assert_true(config.first_token); /* there is none: as its family has it */
  tiny_write_file(folder, "tokenizer_config.json", "{", 1);
  refused(read_folder(aio__alloc_default()), "tokenizer_config.json, line 1");
  tiny_write_file(folder, "tokenizer_config.json", "{\"do_lower_case\":false}", 23);
  assert_int_equal(read_folder(aio__alloc_default()), AIORCH_OK);
  assert_false(config.lower_case);
}

static void test_read__what_is_no_file_and_what_is_too_large(void **state) {
  (void)state;
  char path[4300];
  char *large = calloc(1, AIO__MODEL_FILE_MAX + 1);
  tiny_path("odd", folder, sizeof folder);
  assert_int_equal(mkdir(folder, 0755), 0);
  (void)snprintf(path, sizeof path, "%s/config.json", folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  refused(read_folder(aio__alloc_default()), "no regular file");
  assert_int_equal(unlink(path), 0);
  tiny_write_file(folder, "config.json", large, AIO__MODEL_FILE_MAX + 1);
  refused(read_folder(aio__alloc_default()), "is larger than");
  free(large);
  (void)memset(folder, 'x', sizeof folder - 1);
  folder[sizeof folder - 1] = '\0';
  refused(read_folder(aio__alloc_default()), "longer than");
}

static void test_read__out_of_memory_anywhere(void **state) {
  (void)state;
  aio__test_alloc t;
  tiny_path("bge-tiny-en", folder, sizeof folder);
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aiorch_status status = read_folder(&t.al);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_parse__what_is_not_said_is_as_transformers_has_it),
    cmocka_unit_test(test_parse__names_what_is_not_supported),
    cmocka_unit_test(test_parse__sizes),
    cmocka_unit_test(test_parse__pooling),
    cmocka_unit_test(test_parse__modules),
    cmocka_unit_test(test_parse__the_longest_text),
    cmocka_unit_test(test_parse__case_of_the_vocabulary),
    cmocka_unit_test(test_parse__prompts_by_name_and_by_file),
    cmocka_unit_test(test_parse__the_name_is_one_word),
    cmocka_unit_test(test_digest__changes_with_all_that_has_a_say),
    cmocka_unit_test(test_read__a_folder_as_it_is),
    cmocka_unit_test(test_read__what_is_no_file_and_what_is_too_large),
    cmocka_unit_test(test_read__out_of_memory_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
