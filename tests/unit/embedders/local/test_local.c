/* lib/embedders/local/local.c: a folder in, vectors out; and as a plug-in. */
#include <math.h>
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

#include "core/call.h"
#include "embedders/local/local.h"
#include "support/test_alloc.h"
#include "support/tiny_bert.h"
#include "support/virtual_clock.h"

enum { HIDDEN = 64, IDS = TINY_POSITIONS };

static aiorch_error error;
static tiny_bert tiny;

static int setup(void **state) {
  (void)state;
  tiny_bert_init(&tiny, 21, "F32", 2, HIDDEN, 4, 128);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  tiny_bert_free(&tiny);
  return 0;
}

static const char *write_as(const char *name) {
  static char folder[4096];
  tiny_path(name, folder, sizeof folder);
  tiny_bert_write(&tiny, folder);
  return folder;
}

static aiorch_status open_at(const char *folder, aio__local_precision precision, aio__local **out) {
  aio__local_args args = {folder, precision, aio__cpu_best(), NULL};
  aio__error_init(&error);
  return aio__local_open(aio__alloc_default(), &args, out, &error);
}

static aio__local *opened(const char *name, aio__local_precision precision) {
  aio__local *local = NULL;
  if (open_at(write_as(name), precision, &local) != AIORCH_OK) fail_msg("%s", error.message);
  return local;
}

static aiorch_status embed(const aio__local *local, int32_t purpose, const char *text, float *out) {
  size_t tokens, truncated;
  aio__str one = aio__str_z(text);
  return aio__local_embed(local, purpose, &one, 1, out, &tokens, &truncated, NULL, NULL);
}

/* ---- opening ---- */

static void test_open__says_what_it_is(void **state) {
  (void)state;
  aio__local *f32 = opened("tiny", AIO__LOCAL_F32), *int8 = opened("tiny", AIO__LOCAL_INT8), *again = opened("tiny", AIO__LOCAL_INT8);
  assert_int_equal(aio__local_dimensions(f32), HIDDEN);
  assert_int_equal(aio__local_max_tokens(f32), TINY_POSITIONS);
  assert_true(aio__local_one_purpose(f32));
  assert_int_equal(strncmp(aio__local_fingerprint(f32), "tiny/f32/", 9), 0);
  assert_int_equal(strncmp(aio__local_fingerprint(int8), "tiny/int8/", 10), 0);
  assert_int_equal(strlen(aio__local_fingerprint(int8)), 10 + 16);
  assert_string_equal(aio__local_fingerprint(int8), aio__local_fingerprint(again));
  aio__local_free(f32);
  aio__local_free(int8);
  aio__local_free(again);
  aio__local_free(NULL);
}

static void test_open__the_fingerprint_changes_with_weights_vocabulary_and_pooling(void **state) {
  (void)state;
  char prints[4][256];
  for (int i = 0; i < 4; i++) {
    const char *folder = write_as("tiny");
    aio__local *local = NULL;
    if (i == 1) {
      tiny_bert_tensor(&tiny, "encoder.layer.0.output.dense.bias")->values[0] += 1;
      tiny_bert_write_weights(&tiny, folder);
    }
    if (i == 2) tiny_write_file(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nother\n", 30);
    if (i == 3) tiny_write_file(folder, "1_Pooling/config.json", "{\"pooling_mode_cls_token\":true}", 31);
    assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_OK);
    (void)snprintf(prints[i], sizeof prints[i], "%s", aio__local_fingerprint(local));
    for (int j = 0; j < i; j++) assert_string_not_equal(prints[i], prints[j]);
    aio__local_free(local);
  }
}

static void test_open__what_is_missing_or_wrong(void **state) {
  (void)state;
  aio__local *local = NULL;
  char path[4200];
  assert_int_equal(open_at("no/such/folder", AIO__LOCAL_F32, &local), AIORCH_E_NOT_FOUND);
  assert_non_null(strstr(error.message, "no/such/folder"));
  const char *folder = write_as("broken");
  (void)snprintf(path, sizeof path, "%s/vocab.txt", folder);
  tiny_write_file(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\nx\n", 20);
  assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "vocab.txt"));
  static char many[1 << 16];
  size_t n = (size_t)snprintf(many, sizeof many, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
  for (int i = 0; i < TINY_WORDS; i++) n += (size_t)snprintf(many + n, sizeof many - n, "word%d\n", i);
  tiny_write_file(folder, "vocab.txt", many, n);
  assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "the vocabulary has 64 entries, config.json says 60"));
  static const char big[] = "{\"model_type\":\"bert\",\"hidden_act\":\"gelu\",\"hidden_size\":64,\"intermediate_size\":128,"
                            "\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":400,"
                            "\"max_position_embeddings\":512}";
  tiny_write_file(folder, "config.json", big, sizeof big - 1);
  assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "the vocabulary has 64 entries, config.json says 400; was the file cut short?"));
  assert_int_equal(unlink(path), 0);
  assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "has neither vocab.txt nor tokenizer.json"));
  tiny_write_file(folder, "tokenizer.json", "{\"model\":{\"type\":\"BPE\"}}", 24);
  assert_int_equal(open_at(folder, AIO__LOCAL_F32, &local), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "tokenizer.json"));
  assert_null(local);
}

static void test_open__out_of_memory_anywhere(void **state) {
  (void)state;
  aio__test_alloc t;
  char folder[4096];
  (void)snprintf(folder, sizeof folder, "%s", write_as("tiny"));
  aio__test_alloc_init(&t);
  do {
    float out[2 * HIDDEN];
    size_t tokens, truncated;
    aio__local *local = NULL;
    aio__local_args args = {folder, AIO__LOCAL_INT8, aio__cpu_best(), NULL};
    const aio__str texts[] = {AIO__LIT("w5 w6"), AIO__LIT("w7")};
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status = aio__local_open(&t.al, &args, &local, &error);
    if (status == AIORCH_OK)
      status = aio__local_embed(local, AIORCH_PURPOSE_QUERY, texts, 2, out, &tokens, &truncated, NULL, NULL);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__local_free(local);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

/* ---- embedding ---- */

static void test_embed__the_vector_of_a_text(void **state) {
  (void)state;
  aio__local *local = opened("tiny", AIO__LOCAL_F32);
  const int32_t ids[] = {2, 10, 20, 1, 30, 3};
  double want[HIDDEN];
  float out[HIDDEN];
  size_t tokens, truncated;
  const aio__str text = AIO__LIT(" w10 W20 what w30 ");
  tiny_bert_embed(&tiny, ids, 6, want);
  assert_int_equal(aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, &text, 1, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  assert_true(tiny_cosine(out, want, HIDDEN) > 0.999999);
  assert_int_equal(tokens, 6);
  assert_int_equal(truncated, 0);
  aio__local_free(local);
}

static void fill(char *text, size_t words) {
  size_t n = 0;
  for (size_t i = 0; i < words; i++) n += (size_t)sprintf(text + n, "w%zu ", 4 + i * 7 % (TINY_WORDS - 4));
}

/* Texts of all kinds in one call, more than are done at once: each as alone, for every purpose. */
static void test_embed__many_texts_are_each_as_alone(void **state) {
  (void)state;
  enum { COUNT = 41 };
  static char memory[COUNT][2000];
  static float all[COUNT * HIDDEN];
  aio__str texts[COUNT];
  size_t tokens, truncated, cut = 0, total = 0;
  for (size_t i = 0; i < COUNT; i++) {
    fill(memory[i], i * i % 260);
    texts[i] = aio__str_z(memory[i]);
    size_t length = i * i % 260 + 2;
    cut += length > TINY_POSITIONS;
    total += length > TINY_POSITIONS ? TINY_POSITIONS : length;
  }
  for (int precision = AIO__LOCAL_F32; precision <= AIO__LOCAL_INT8; precision++) {
    aio__local *local = opened("tiny", (aio__local_precision)precision);
    assert_int_equal(aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, texts, COUNT, all, &tokens, &truncated, NULL, NULL), AIORCH_OK);
    assert_int_equal(tokens, total);
    assert_int_equal(truncated, cut);
    for (size_t i = 0; i < COUNT; i++) {
      float one[HIDDEN];
      assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY + (int32_t)i % 3, memory[i], one), AIORCH_OK);
      assert_memory_equal(one, all + i * HIDDEN, sizeof one);
    }
    aio__local_free(local);
  }
}

static void test_embed__odd_texts(void **state) {
  (void)state;
  enum { LARGE = 10000000 };
  aio__local *local = opened("tiny", AIO__LOCAL_INT8);
  float empty[HIDDEN], out[HIDDEN];
  size_t tokens, truncated;
  char *large = malloc(LARGE);
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "", empty), AIORCH_OK);
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "\x01\x02\x7F \t", out), AIORCH_OK);
  assert_memory_equal(out, empty, sizeof out); /* control characters vanish */
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "\xFF\xC0\x80\xED\xA0\x80", out), AIORCH_OK);
  assert_memory_equal(out, empty, sizeof out); /* as U+FFFD does */
  const aio__str nul = {"w5\0 w6", 6}, nothing = {NULL, 0};
  float plain[HIDDEN];
  assert_int_equal(aio__local_embed(local, 1, &nul, 1, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "w5 w6", plain), AIORCH_OK);
  assert_memory_equal(out, plain, sizeof out);
  assert_int_equal(aio__local_embed(local, 1, &nothing, 1, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  assert_memory_equal(out, empty, sizeof out);
  memset(large, 'x', LARGE);
  for (size_t i = 0; i < LARGE; i += 2) large[i] = ' ';
  const aio__str long_text = {large, LARGE};
  assert_int_equal(aio__local_embed(local, 1, &long_text, 1, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  assert_int_equal(tokens, TINY_POSITIONS);
  assert_int_equal(truncated, 1);
  assert_int_equal(aio__local_embed(local, 1, NULL, 0, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  assert_int_equal(tokens, 0);
  assert_int_equal(embed(local, 0, "w5", out), AIORCH_E_INVALID);
  assert_int_equal(embed(local, 4, "w5", out), AIORCH_E_INVALID);
  free(large);
  aio__local_free(local);
}

/* In place, as a program that copies over a file does it: cut to nothing, then other bytes. Some of them vanish. */
static void ruin(const char *folder, size_t turn) {
  static const char *const names[] = {"model.safetensors", "model.aiorch-int8", "vocab.txt", "config.json"};
  static char other[4096];
  char path[4200];
  memset(other, turn == 1 ? 0xFF : 0x5A, sizeof other);
  for (size_t i = 0; i < 4; i++) {
    (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    if (turn == 3) (void)unlink(path);
    else if (access(path, F_OK) == 0) assert_int_equal(truncate(path, 0), 0);
    if (turn == 1 || turn == 2) tiny_write_file(folder, names[i], other, turn == 1 ? sizeof other : i);
  }
}

static void test_embed__files_that_change_under_it_change_nothing(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    const char *folder = write_as("changing");
    float before[HIDDEN], after[HIDDEN];
    aio__local *local = opened("changing", i == 0 ? AIO__LOCAL_F32 : AIO__LOCAL_INT8), *other = NULL;
    assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "w5 w6 w7", before), AIORCH_OK);
    for (size_t turn = 0; turn < 4; turn++) {
      ruin(folder, turn);
      memset(after, 0, sizeof after);
      assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "w5 w6 w7", after), AIORCH_OK);
      assert_memory_equal(after, before, sizeof after);
      aiorch_status status = open_at(folder, i == 0 ? AIO__LOCAL_F32 : AIO__LOCAL_INT8, &other);
      assert_true(status == AIORCH_E_MODEL || (turn == 3 && status == AIORCH_E_NOT_FOUND));
      assert_null(other);
      assert_non_null(strstr(error.message, folder));
    }
    aio__local_free(local);
  }
}

static void test_embed__a_literal_special_token_stays_text(void **state) {
  (void)state;
  aio__local *local = opened("tiny", AIO__LOCAL_F32);
  int32_t ids[IDS];
  size_t n = 0;
  bool cut = true;
  assert_int_equal(aio__local_tokens(local, AIORCH_PURPOSE_QUERY, AIO__LIT("w5 [SEP] w6"), ids, &n, &cut), AIORCH_OK);
  assert_false(cut);
  assert_int_equal(ids[0], 2);
  assert_int_equal(ids[n - 1], 3);
  for (size_t i = 1; i + 1 < n; i++) assert_true(ids[i] != 3);
  assert_int_equal(aio__local_tokens(local, 9, AIO__LIT("w5"), ids, &n, &cut), AIORCH_E_INVALID);
  aio__local_free(local);
}

static void test_embed__an_instruction_for_queries_alone(void **state) {
  (void)state;
  aio__local *local = opened("bge-tiny-en", AIO__LOCAL_F32), *plain = opened("tiny", AIO__LOCAL_F32);
  int32_t query[IDS], passage[IDS], spelled[IDS];
  size_t q = 0, p = 0, s = 0;
  bool cut;
  const aio__str text = AIO__LIT("w5 w6"),
                 both = AIO__LIT("Represent this sentence for searching relevant passages: w5 w6");
  assert_false(aio__local_one_purpose(local));
  assert_int_equal(aio__local_tokens(local, AIORCH_PURPOSE_QUERY, text, query, &q, &cut), AIORCH_OK);
  assert_int_equal(aio__local_tokens(local, AIORCH_PURPOSE_PASSAGE, text, passage, &p, &cut), AIORCH_OK);
  assert_int_equal(aio__local_tokens(local, AIORCH_PURPOSE_PASSAGE, both, spelled, &s, &cut), AIORCH_OK);
  assert_int_equal(p, 4);
  assert_int_equal(q, s);
  assert_memory_equal(query, spelled, q * sizeof *query);
  float a[HIDDEN], b[HIDDEN];
  assert_int_equal(embed(local, AIORCH_PURPOSE_SIMILARITY, "w5 w6", a), AIORCH_OK);
  assert_int_equal(embed(plain, AIORCH_PURPOSE_QUERY, "w5 w6", b), AIORCH_OK);
  assert_memory_equal(a, b, sizeof a);
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "w5 w6", a), AIORCH_OK);
  assert_memory_not_equal(a, b, sizeof a);
  aio__local_free(local);
  aio__local_free(plain);
}

static bool after_three(void *ctx) {
  return ++*(int *)ctx > 3;
}

static void test_embed__is_cancelled_between_texts(void **state) {
  (void)state;
  aio__local *local = opened("tiny", AIO__LOCAL_F32);
  aio__str texts[10];
  float out[10 * HIDDEN];
  size_t tokens, truncated;
  int asked = 0;
  for (int i = 0; i < 10; i++) texts[i] = AIO__LIT("w5 w6");
  assert_int_equal(aio__local_embed(local, 1, texts, 10, out, &tokens, &truncated, after_three, &asked), AIORCH_E_CANCELLED);
  assert_int_equal(asked, 4);
  assert_int_equal(aio__local_embed(local, 1, texts, 10, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  aio__local_free(local);
}

static void test_embed__weights_that_give_no_vector(void **state) {
  (void)state;
  float *gamma = tiny_bert_tensor(&tiny, "encoder.layer.1.output.LayerNorm.weight")->values, out[HIDDEN];
  for (size_t i = 0; i < HIDDEN; i++) gamma[i] = 1e38f;
  aio__local *local = opened("tiny", AIO__LOCAL_F32);
  assert_int_equal(embed(local, AIORCH_PURPOSE_QUERY, "w5", out), AIORCH_E_MODEL);
  aio__local_free(local);
}

/* ---- as a plug-in ---- */

typedef struct plugged {
  virtual_clock clock;
  aio__counters counters;
  aio__calls *calls;
  aio__plugins plugins;
} plugged;

static void plug(plugged *p, const char *name) {
  aio__plugin_embedder record;
  virtual_clock_init(&p->clock);
  aio__counters_init(&p->counters);
  assert_int_equal(aio__calls_new(aio__alloc_default(), &p->clock.clock, NULL, &p->counters, &p->calls), AIORCH_OK);
  memset(&p->plugins, 0, sizeof p->plugins);
  aio__plugins_init(&p->plugins, aio__alloc_default());
  aio__local_plugin(opened(name, AIO__LOCAL_INT8), &record);
  aio__error_init(&error);
  if (aio__plugins_set_embedder(&p->plugins, &record.vtbl, record.self, &error) != AIORCH_OK) fail_msg("%s", error.message);
}

static void unplug(plugged *p) {
  aio__calls_quiesce(p->calls);
  aio__plugins_destroy(&p->plugins);
  aio__calls_free(p->calls);
}

static aiorch_call *start(plugged *p, const aio__str *texts, size_t count) {
  aiorch_call *call = NULL;
  const aio__plugin_embedder *e = &p->plugins.embedder;
  const aio__call_request request = {.tenant = AIO__LIT("acme"), .purpose = AIORCH_PURPOSE_PASSAGE, .texts = texts,
                                     .text_count = count, .dimensions = HIDDEN};
  assert_int_equal(aio__call_new(p->calls, AIO__CALL_EMBED, &request, NULL, AIO__NEVER, 0, &call), AIORCH_OK);
  aio__call_start(call, e->vtbl.embed, e->vtbl.cancel, e->self, e->vtbl.flags, e->serial);
  assert_true(aio__call_ended(call));
  return call;
}

static void test_plugin__embeds_inline(void **state) {
  (void)state;
  plugged p;
  plug(&p, "tiny");
  const aiorch_embedder_vtbl *vtbl = &p.plugins.embedder.vtbl;
  assert_int_equal(vtbl->flags, AIORCH_PLUGIN_ONE_PURPOSE);
  assert_int_equal(vtbl->dimensions, HIDDEN);
  assert_int_equal(vtbl->max_tokens, TINY_POSITIONS);
  assert_int_equal(strncmp(vtbl->fingerprint, "tiny/int8/", 10), 0);
  static char many[2000];
  fill(many, 300);
  const aio__str texts[] = {AIO__LIT("w5 w6"), aio__str_z(many), AIO__LIT("")};
  aiorch_call *call = start(&p, texts, 3);
  const aio__call_result *result = aio__call_result_of(call);
  assert_int_equal(result->status, AIORCH_OK);
  assert_int_equal(result->vector_count, 3);
  assert_int_equal(result->dimensions, HIDDEN);
  assert_int_equal(result->truncated, 1);
  assert_int_equal(result->usage[AIORCH_USAGE_INPUT], 4 + TINY_POSITIONS + 2);
  float one[HIDDEN];
  assert_int_equal(embed(p.plugins.embedder.self, AIORCH_PURPOSE_PASSAGE, "w5 w6", one), AIORCH_OK);
  for (size_t i = 0; i < HIDDEN; i++) assert_true(fabsf(result->vectors[i] - one[i]) < 1e-6f);
  aio__call_drop(call);
  unplug(&p);
}

static void test_plugin__a_model_with_an_instruction_has_purposes(void **state) {
  (void)state;
  plugged p;
  plug(&p, "bge-tiny-en");
  assert_int_equal(p.plugins.embedder.vtbl.flags, 0);
  unplug(&p);
}

static void test_plugin__stops_when_the_call_is_cancelled(void **state) {
  (void)state;
  plugged p;
  plug(&p, "tiny");
  aiorch_call *call = NULL;
  const aio__str text = AIO__LIT("w5");
  const aio__plugin_embedder *e = &p.plugins.embedder;
  const aio__call_request request = {.purpose = AIORCH_PURPOSE_QUERY, .texts = &text, .text_count = 1, .dimensions = HIDDEN};
  assert_int_equal(aio__call_new(p.calls, AIO__CALL_EMBED, &request, NULL, p.clock.monotonic_ns + 1, 0, &call), AIORCH_OK);
  virtual_clock_advance_ms(&p.clock, 10); /* its deadline passes */
  aio__call_start(call, e->vtbl.embed, e->vtbl.cancel, e->self, e->vtbl.flags, e->serial);
  assert_true(aio__call_ended(call));
  assert_int_not_equal(aio__call_result_of(call)->status, AIORCH_OK);
  aio__call_drop(call);
  unplug(&p);
}

static void test_plugin__says_why_it_fails(void **state) {
  (void)state;
  plugged p;
  float *gamma = tiny_bert_tensor(&tiny, "encoder.layer.1.output.LayerNorm.weight")->values;
  for (size_t i = 0; i < HIDDEN; i++) gamma[i] = 1e38f;
  plug(&p, "tiny");
  const aio__str text = AIO__LIT("w5");
  aiorch_call *call = start(&p, &text, 1);
  assert_int_equal(aio__call_result_of(call)->status, AIORCH_E_MODEL);
  assert_non_null(strstr(aio__call_result_of(call)->message, "weights"));
  aio__call_drop(call);
  unplug(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_open__says_what_it_is, setup, teardown),
    cmocka_unit_test_setup_teardown(test_open__the_fingerprint_changes_with_weights_vocabulary_and_pooling, setup, teardown),
    cmocka_unit_test_setup_teardown(test_open__what_is_missing_or_wrong, setup, teardown),
    cmocka_unit_test_setup_teardown(test_open__out_of_memory_anywhere, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__the_vector_of_a_text, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__many_texts_are_each_as_alone, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__odd_texts, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__files_that_change_under_it_change_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__a_literal_special_token_stays_text, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__an_instruction_for_queries_alone, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__is_cancelled_between_texts, setup, teardown),
    cmocka_unit_test_setup_teardown(test_embed__weights_that_give_no_vector, setup, teardown),
    cmocka_unit_test_setup_teardown(test_plugin__embeds_inline, setup, teardown),
    cmocka_unit_test_setup_teardown(test_plugin__a_model_with_an_instruction_has_purposes, setup, teardown),
    cmocka_unit_test_setup_teardown(test_plugin__stops_when_the_call_is_cancelled, setup, teardown),
    cmocka_unit_test_setup_teardown(test_plugin__says_why_it_fails, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
