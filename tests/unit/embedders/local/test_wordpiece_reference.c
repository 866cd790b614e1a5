/* The tokenizer beside the reference: token ids of its texts, and of every code point */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/wordpiece.h"
#include "support/model_files.h"
#include "text/json.h"

enum { TOKENS_MAX = 512, MINILM_TOKENS = 256, BLOCK = 256, BLOCKS = 0x110000 / BLOCK };

static const char MODEL[] = "all-MiniLM-L6-v2";

static aio__wordpiece *open_vocabulary(void) {
  char path[PATH_MAX];
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_true(aio__test_model_path(MODEL, "vocab.txt", path, sizeof path));
  aio__str file = aio__test_read_file(path);
  aiorch_status status = aio__wordpiece_from_vocabulary(aio__alloc_default(), file, true, path, &tokenizer, &error);
  if (status != AIORCH_OK) fail_msg("%s", error.message);
  aio__test_free_file(file);
  return tokenizer;
}

static aio__wordpiece *open_json(void) {
  char path[PATH_MAX];
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_true(aio__test_model_path(MODEL, "tokenizer.json", path, sizeof path));
  aio__str file = aio__test_read_file(path);
  aiorch_status status = aio__wordpiece_from_json(aio__alloc_default(), file, path, &tokenizer, &error);
  if (status != AIORCH_OK) fail_msg("%s", error.message);
  aio__test_free_file(file);
  return tokenizer;
}

static size_t read_ids(const aio__json_value *list, int32_t *ids) {
  size_t n = 0;
  for (const aio__json_value *v = aio__json_first(list); v != NULL; v = aio__json_next(v)) {
    int64_t id = -1;
    assert_true(aio__json_i64(v, &id));
    assert_true(n < TOKENS_MAX);
    ids[n++] = (int32_t)id;
  }
  return n;
}

/* Expected are the first max - 1 of `all` and [SEP] when there are more than max. */
static void check_line(const aio__wordpiece *tokenizer, aio__str text, const int32_t *all, size_t all_n, size_t max) {
  int32_t expected[TOKENS_MAX], ids[TOKENS_MAX];
  size_t expected_n = all_n < max ? all_n : max, n = 0;
  bool truncated = false;
  memcpy(expected, all, expected_n * sizeof *all);
  expected[expected_n - 1] = all[all_n - 1];
  assert_int_equal(aio__wordpiece_encode(tokenizer, text, max, ids, &n, &truncated), AIORCH_OK);
  assert_int_equal(n, expected_n);
  assert_memory_equal(ids, expected, n * sizeof *ids);
  if (all_n != max) assert_int_equal(truncated, all_n > max);
}

static void check_texts(const aio__wordpiece *tokenizer) {
  aio__str file = aio__test_read_data("embedding/tokens.jsonl");
  const aio__json_limits limits = {1 << 20, AIO__JSON_MAX_DEPTH, AIORCH_E_INVALID, "tokens.jsonl"};
  size_t lines = 0, literals = 0;
  for (size_t pos = 0; pos < file.n; lines++) {
    size_t n = (size_t)((const char *)memchr(file.p + pos, '\n', file.n - pos) - (file.p + pos));
    aio__json *json = NULL;
    aio__str kind, text;
    int32_t ids[TOKENS_MAX];
    aio__str line = aio__str_n(file.p + pos, n);
    assert_int_equal(aio__json_parse(aio__alloc_default(), line, &limits, &json, NULL), AIORCH_OK);
    assert_true(aio__json_str(aio__json_get(aio__json_root(json), "kind"), &kind));
    assert_true(aio__json_str(aio__json_get(aio__json_root(json), "text"), &text));
    size_t ids_n = read_ids(aio__json_get(aio__json_root(json), "tokens"), ids);
    if (aio__str_eqz(kind, "special-literal")) {
      literals++;
    } else {
      check_line(tokenizer, text, ids, ids_n, TOKENS_MAX);
      check_line(tokenizer, text, ids, ids_n, MINILM_TOKENS);
    }
    aio__json_free(json);
    pos += n + 1;
  }
  assert_int_equal(lines, 82);
  assert_int_equal(literals, 1);
  aio__test_free_file(file);
}

static void test_encode__texts_of_the_reference(void **state) {
  (void)state;
  aio__wordpiece *tokenizer = open_vocabulary();
  assert_int_equal(aio__wordpiece_size(tokenizer), 30522);
  check_texts(tokenizer);
  aio__wordpiece_free(tokenizer);
}

static void test_encode__texts_of_the_reference_from_json(void **state) {
  (void)state;
  aio__wordpiece *tokenizer = open_json();
  assert_int_equal(aio__wordpiece_size(tokenizer), 30522);
  check_texts(tokenizer);
  aio__wordpiece_free(tokenizer);
}

static void test_encode__literal_special_tokens_stay_text(void **state) {
  (void)state;
  aio__wordpiece *tokenizer = open_vocabulary();
  static const int32_t expected[] = {101, 1031, 19802, 1033, 1031, 18856, 2015, 1033, 102};
  int32_t ids[16];
  size_t n = 0;
  bool truncated = true;
  assert_int_equal(aio__wordpiece_encode(tokenizer, AIO__LIT("[SEP][CLS]"), 16, ids, &n, &truncated), AIORCH_OK);
  assert_int_equal(n, sizeof expected / sizeof expected[0]);
  assert_memory_equal(ids, expected, sizeof expected);
  assert_false(truncated);
  aio__wordpiece_free(tokenizer);
}

static void test_digest__does_not_depend_on_the_source(void **state) {
  (void)state;
  aio__wordpiece *one = open_vocabulary(), *two = open_json();
  uint8_t a[32], b[32];
  aio__wordpiece_digest(one, a);
  aio__wordpiece_digest(two, b);
  assert_memory_equal(a, b, 32);
  aio__wordpiece_free(one);
  aio__wordpiece_free(two);
}

/* ---- every code point -------------------------------------------------------------------------------------------- */

static uint64_t fnv(uint64_t hash, const int32_t *ids, size_t n) {
  for (size_t i = 0; i < n; i++) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ ((uint32_t)ids[i] >> shift & 0xFF)) * UINT64_C(0x100000001b3);
    }
  }
  return hash;
}

static void hash_code_points(const aio__wordpiece *tokenizer, uint64_t *hashes, unsigned long *counts) {
  aio__str file = aio__test_read_data("embedding/codepoint_ranges.tsv");
  for (size_t i = 0; i < BLOCKS; i++) hashes[i] = UINT64_C(0xcbf29ce484222325);
  for (const char *line = strchr(file.p, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
    char *end;
    unsigned long first = strtoul(line, &end, 16), last = strtoul(end, NULL, 16);
    for (unsigned long c = first; c <= last; c++) {
      char text[6] = "a";
      int32_t ids[16];
      size_t count = 0, n = 1;
      bool truncated;
      n += aio__utf8_put((uint32_t)c, text + n);
      text[n++] = 'b';
      assert_int_equal(aio__wordpiece_encode(tokenizer, aio__str_n(text, n), 16, ids, &count, &truncated), AIORCH_OK);
      hashes[c / BLOCK] = fnv(hashes[c / BLOCK], ids, count);
      counts[c / BLOCK]++;
    }
  }
  aio__test_free_file(file);
}

static void test_encode__every_code_point(void **state) {
  (void)state;
  static uint64_t hashes[BLOCKS];
  static unsigned long counts[BLOCKS];
  aio__wordpiece *tokenizer = open_vocabulary();
  hash_code_points(tokenizer, hashes, counts);
  aio__str file = aio__test_read_data("embedding/codepoints.tsv");
  unsigned long total = 0, wrong = 0;
  for (const char *line = strchr(file.p, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
    char *end;
    unsigned long start = strtoul(line, &end, 16), count = strtoul(end, &end, 10);
    uint64_t hash = strtoull(end, NULL, 16);
    total += count;
    assert_int_equal(counts[start / BLOCK], count);
    if (hashes[start / BLOCK] == hash) continue;
    print_error("block U+%04lX differs\n", start);
    wrong++;
  }
  assert_int_equal(wrong, 0);
  assert_int_equal(total, 281726);
  aio__test_free_file(file);
  aio__wordpiece_free(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__texts_of_the_reference),
    cmocka_unit_test(test_encode__texts_of_the_reference_from_json),
    cmocka_unit_test(test_encode__literal_special_tokens_stay_text),
    cmocka_unit_test(test_digest__does_not_depend_on_the_source),
    cmocka_unit_test(test_encode__every_code_point),
  };
  char path[PATH_MAX];
  if (!aio__test_model_path(MODEL, "vocab.txt", path, sizeof path)) return 77;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
