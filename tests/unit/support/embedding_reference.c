/* A real model beside its reference: see embedding_reference.h. */
#include "support/embedding_reference.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedders/local/bert_encoder.h"
#include "support/model_files.h"
#include "text/json.h"

static void read_line(reference *r, aio__str line) {
  const aio__json_limits limits = {1 << 20, 8, AIORCH_E_INVALID, "tokens.jsonl"};
  aio__json *json = NULL;
  aio__str text = AIO__LIT(""), kind = AIO__LIT("");
  reference_line *l = &r->lines[r->line_count++];
  assert_int_equal(aio__json_parse(aio__alloc_default(), line, &limits, &json, NULL), AIORCH_OK);
  const aio__json_value *root = aio__json_root(json);
  assert_true(aio__json_str(aio__json_get(root, "text"), &text) && aio__json_str(aio__json_get(root, "kind"), &kind));
  l->text = malloc(text.n + 1);
  assert_non_null(l->text);
  memcpy(l->text, text.p, text.n + 1);
  l->text_len = text.n;
  l->special = aio__str_eqz(kind, "special-literal");
  for (const aio__json_value *v = aio__json_first(aio__json_get(root, "tokens")); v != NULL; v = aio__json_next(v)) {
    int64_t id = -1;
    assert_true(aio__json_i64(v, &id) && l->count < REFERENCE_TOKENS_MAX);
    l->tokens[l->count++] = (int32_t)id;
  }
  aio__json_free(json);
  if (l->count <= r->max_tokens) return;
  l->count = r->max_tokens;
  l->tokens[l->count - 1] = 102; /* [SEP] */
}

bool reference_open(reference *r, const char *model, const char *vectors, size_t max_tokens) {
  char path[PATH_MAX];
  *r = (reference){.model = model, .vectors = vectors, .max_tokens = max_tokens};
  if (!aio__test_model_path(model, "model.safetensors", path, sizeof path)) return false;
  r->lines = calloc(REFERENCE_LINES_MAX, sizeof *r->lines);
  assert_non_null(r->lines);
  aio__str lines = aio__test_read_data("embedding/tokens.jsonl"), rows = aio__test_read_data(vectors);
  for (size_t at = 0; at < lines.n;) {
    const char *end = memchr(lines.p + at, '\n', lines.n - at);
    assert_true(end != NULL && r->line_count < REFERENCE_LINES_MAX);
    read_line(r, aio__str_n(lines.p + at, (size_t)(end - lines.p) - at));
    at = (size_t)(end - lines.p) + 1;
  }
  assert_int_equal(rows.n, r->line_count * REFERENCE_DIMENSIONS * 4);
  for (size_t i = 0; i < r->line_count; i++) {
    for (size_t j = 0; j < REFERENCE_DIMENSIONS; j++) {
      const unsigned char *p = (const unsigned char *)rows.p + 4 * (i * REFERENCE_DIMENSIONS + j);
      uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
      memcpy(&r->lines[i].vector[j], &bits, sizeof bits);
    }
  }
  aio__test_free_file(lines);
  aio__test_free_file(rows);
  return true;
}

void reference_close(reference *r) {
  for (size_t i = 0; i < r->line_count; i++) free(r->lines[i].text);
  free(r->lines);
}

const char *reference_folder(const reference *r) {
  static const char *const files[] = {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json",
                                      "tokenizer_config.json", "modules.json", "sentence_bert_config.json",
                                      "config_sentence_transformers.json", "1_Pooling/config.json"};
  static char folder[PATH_MAX];
  const char *tmp = getenv("AIORCH_TEST_TMP");
  char from[PATH_MAX], to[PATH_MAX + 64];
  (void)snprintf(folder, sizeof folder, "%s/%s", tmp != NULL ? tmp : ".", r->model);
  (void)snprintf(to, sizeof to, "%s/1_Pooling", folder);
  (void)mkdir(folder, 0755);
  (void)mkdir(to, 0755);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    (void)snprintf(from, sizeof from, "%s/%s/%s", getenv("AIORCH_TEST_MODELS"), r->model, files[i]);
    (void)snprintf(to, sizeof to, "%s/%s", folder, files[i]);
    if (access(from, R_OK) == 0) (void)symlink(from, to);
  }
  return folder;
}

/* ---- comparing ---- */

typedef struct tally {
  double sum, least;
  size_t count;
} tally;

/* By a sanitizer, which makes the arithmetic ten times as slow. */
static bool instrumented(void) {
  const char *by = getenv("AIORCH_SANITIZE");
  return by != NULL && by[0] != '\0';
}

static void compare(tally *t, const reference_line *l, size_t index, const float *out, double least) {
  double dot = 0, a = 0, b = 0;
  for (size_t i = 0; i < REFERENCE_DIMENSIONS; i++) {
    dot += (double)out[i] * (double)l->vector[i];
    a += (double)out[i] * (double)out[i];
    b += (double)l->vector[i] * (double)l->vector[i];
  }
  double cosine = dot / sqrt(a * b);
  if (!(cosine >= least)) fail_msg("line %zu: cosine %.7f is below %.7f", index + 1, cosine, least);
  t->sum += cosine;
  t->least = t->count == 0 || cosine < t->least ? cosine : t->least;
  t->count++;
}

static void report(const tally *t, const char *what, double mean) {
  (void)printf("%s: %zu lines, cosine mean %.7f, least %.7f\n", what, t->count, t->sum / (double)t->count, t->least);
  assert_true(t->count > 0 && t->sum / (double)t->count >= mean);
}

void reference_check_ids(const reference *r, aio__local_precision precision, aio__cpu cpu, size_t longest, double mean,
                         double least) {
  aiorch_error error;
  aio__model_config config;
  aio__bert *bert = NULL;
  tally t = {0, 0, 0};
  const char *folder = reference_folder(r);
  const aio__bert_kernels *k = aio__bert_kernels_for(cpu);
  aio__error_init(&error);
  if (aio__model_config_read(aio__alloc_default(), folder, &config, &error) != AIORCH_OK ||
      aio__bert_load(aio__alloc_default(), folder, &config, precision, NULL, &bert, &error) != AIORCH_OK)
    fail_msg("%s", error.message);
  assert_int_equal(config.max_tokens, r->max_tokens);
  void *room = malloc(aio__encoder_room(bert, k, r->max_tokens, r->max_tokens));
  for (size_t i = 0; i < r->line_count; i++) {
    float out[REFERENCE_DIMENSIONS];
    if (r->lines[i].count > longest || (instrumented() && r->lines[i].count > 12)) continue;
    assert_true(aio__encoder_run(bert, k, r->lines[i].tokens, &r->lines[i].count, 1, room, out));
    compare(&t, &r->lines[i], i, out, least);
  }
  free(room);
  aio__bert_free(bert);
  report(&t, aio__cpu_name(cpu), mean);
}

void reference_check_texts(const reference *r, aio__local_precision precision, double mean, double least) {
  aiorch_error error;
  aio__local *local = NULL;
  aio__local_args args = {reference_folder(r), precision, aio__cpu_best(), NULL};
  aio__str *texts = calloc(r->line_count, sizeof *texts);
  float *out = calloc(r->line_count * REFERENCE_DIMENSIONS, sizeof *out);
  size_t tokens, truncated;
  tally t = {0, 0, 0};
  aio__error_init(&error);
  assert_true(texts != NULL && out != NULL);
  if (aio__local_open(aio__alloc_default(), &args, &local, &error) != AIORCH_OK) fail_msg("%s", error.message);
  for (size_t i = 0; i < r->line_count; i++) texts[i] = aio__str_n(r->lines[i].text, r->lines[i].text_len);
  size_t count = instrumented() ? 10 : r->line_count;
  assert_int_equal(aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, texts, count, out, &tokens, &truncated, NULL, NULL), AIORCH_OK);
  for (size_t i = 0; i < count; i++) {
    if (!r->lines[i].special) compare(&t, &r->lines[i], i, out + i * REFERENCE_DIMENSIONS, least);
    if (i % 5 != 0) continue;
    float one[REFERENCE_DIMENSIONS];
    assert_int_equal(aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, &texts[i], 1, one, &tokens, &truncated, NULL, NULL), AIORCH_OK);
    assert_memory_equal(one, out + i * REFERENCE_DIMENSIONS, sizeof one);
  }
  aio__local_free(local);
  free(texts);
  free(out);
  report(&t, "texts", mean);
}

/* ---- both tests ---- */

/* The longest lines that are compared on ids. From text to vector all of them are. */
enum { PLAIN_TOKENS = 8, F32_TOKENS = 40 };
static const double EXACT = 0.9999999, NEAR = .998;

static reference opened;
static const reference_case *of;

static void test_f32__is_exact(void **state) {
  (void)state;
  for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++)
    reference_check_ids(&opened, AIO__LOCAL_F32, (aio__cpu)cpu, cpu == AIO__CPU_PLAIN ? PLAIN_TOKENS : F32_TOKENS, EXACT, EXACT);
  reference_check_texts(&opened, AIO__LOCAL_F32, EXACT, EXACT);
}

static void test_int8__is_near(void **state) {
  (void)state;
  reference_check_ids(&opened, AIO__LOCAL_INT8, AIO__CPU_PLAIN, PLAIN_TOKENS, of->int8_mean_plain, NEAR);
  for (int cpu = AIO__CPU_PLAIN + 1; cpu <= (int)aio__cpu_best(); cpu++)
    reference_check_ids(&opened, AIO__LOCAL_INT8, (aio__cpu)cpu, of->max_tokens, of->int8_mean, NEAR);
  reference_check_texts(&opened, AIO__LOCAL_INT8, of->int8_mean, NEAR);
}

int reference_main(const reference_case *wanted) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_f32__is_exact),
    cmocka_unit_test(test_int8__is_near),
  };
  of = wanted;
  if (!reference_open(&opened, wanted->model, wanted->vectors, wanted->max_tokens)) return 77;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  reference_close(&opened);
  return failed;
}
