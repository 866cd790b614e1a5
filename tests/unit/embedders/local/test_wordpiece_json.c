/* lib/embedders/local/wordpiece_json.c: tokenizer.json, good and refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/wordpiece_private.h"
#include "support/test_alloc.h"

#define ADDED "\"added_tokens\": [{\"id\": 3, \"content\": \"[SEP]\", \"special\": true}]"
#define NORMALIZER_(accents, lower, more) \
  "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, " \
  "\"strip_accents\": " accents ", \"lowercase\": " lower more "}"
#define NORMALIZER NORMALIZER_("null", "true", "")
#define PRE "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}"
#define POST \
  "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\"}}, " \
  "{\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"[SEP]\"}}]}"
#define MODEL_(type, unknown, prefix, max, vocab) \
  "\"model\": {" type "\"unk_token\": " unknown ", \"continuing_subword_prefix\": " prefix \
  ", \"max_input_chars_per_word\": " max ", \"vocab\": " vocab "}"
#define WORDPIECE "\"type\": \"WordPiece\", "
#define SPECIAL "\"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3"
#define VOCAB(more) MODEL_(WORDPIECE, "\"[UNK]\"", "\"##\"", "100", "{" SPECIAL more "}")
#define MODEL VOCAB(", \"##b\": 5, \"a\": 4, \"\\u00e9\": 6, \"A\": 7")
#define FILE_(added, normalizer, pre, post, model) \
  "{\"version\": \"1.0\", \"truncation\": {\"max_length\": 3}, \"padding\": {\"strategy\": {\"Fixed\": 128}}, " added \
  ", " normalizer ", " pre ", " post ", " model "}"
#define GOOD FILE_(ADDED, NORMALIZER, PRE, POST, MODEL)

static aio__wordpiece *open_text(const char *text) {
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status =
    aio__wordpiece_from_json(aio__alloc_default(), aio__str_z(text), "tokenizer.json", &tokenizer, &error);
  if (status != AIORCH_OK) fail_msg("%s", error.message);
  return tokenizer;
}

static void check_ids(const char *file, const char *text, size_t n, const int32_t *expected) {
  aio__wordpiece *tokenizer = open_text(file);
  int32_t ids[16];
  size_t count = 0;
  bool truncated = true;
  assert_int_equal(aio__wordpiece_encode(tokenizer, aio__str_z(text), 16, ids, &count, &truncated), AIORCH_OK);
  assert_int_equal(count, n);
  assert_memory_equal(ids, expected, n * sizeof *ids);
  assert_false(truncated);
  aio__wordpiece_free(tokenizer);
}

#define IDS(...) (sizeof(int32_t[]){__VA_ARGS__} / sizeof(int32_t)), (int32_t[]){__VA_ARGS__}

static void test_from_json__numbers_in_any_order(void **state) {
  (void)state;
  aio__wordpiece *tokenizer = open_text(GOOD);
  assert_int_equal(aio__wordpiece_size(tokenizer), 8);
  assert_true(aio__str_eqz(aio__vocabulary_entry(&tokenizer->vocabulary, 6), "\xC3\xA9"));
  aio__wordpiece_free(tokenizer);
  check_ids(GOOD, "Ab \xC3\xA9 a", IDS(2, 4, 5, 1, 4, 3));
}

static void test_from_json__truncation_and_padding_are_not_used(void **state) {
  (void)state;
  check_ids(GOOD, "a a a a a a", IDS(2, 4, 4, 4, 4, 4, 4, 3));
}

static void test_from_json__case_and_accents(void **state) {
  (void)state;
  static const char text[] = "A \xC3\xA9";
  check_ids(FILE_(ADDED, NORMALIZER_("true", "false", ""), PRE, POST, MODEL), text, IDS(2, 7, 1, 3));
  check_ids(FILE_(ADDED, NORMALIZER_("false", "true", ""), PRE, POST, MODEL), text, IDS(2, 4, 6, 3));
  check_ids(FILE_(ADDED, NORMALIZER_("null", "false", ""), PRE, POST, MODEL), text, IDS(2, 7, 6, 3));
  check_ids(FILE_(ADDED, NORMALIZER_("null", "true", ""), PRE, POST, MODEL), text, IDS(2, 4, 1, 3));
}

static void test_from_json__older_forms(void **state) {
  (void)state;
  static const char older[] =
    "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}";
  char file[2000];
  (void)snprintf(file, sizeof file, FILE_("\"x\": 1", NORMALIZER, PRE, "%s", MODEL), older);
  check_ids(file, "a", IDS(2, 4, 3));
  check_ids(FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_("", "\"[UNK]\"", "\"##\"", "100", "{" SPECIAL "}")), "a",
            IDS(2, 1, 3));
}

static void test_from_json__ideographs_as_letters(void **state) {
  (void)state;
  static const char file[] =
    FILE_(ADDED,
          "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": false, "
          "\"strip_accents\": null, \"lowercase\": true}",
          PRE, POST, VOCAB(", \"\xE4\xB8\xAD\": 4, \"##\xE4\xB8\xAD\": 5"));
  check_ids(file, "\xE4\xB8\xAD\xE4\xB8\xAD", IDS(2, 4, 5, 3));
}

static void check_fault_n(aio__str text, const char *says) {
  aio__test_alloc t;
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  aio__test_alloc_init(&t);
  assert_int_equal(aio__wordpiece_from_json(&t.al, text, "m/tokenizer.json", &tokenizer, &error), AIORCH_E_MODEL);
  assert_int_equal(error.status, AIORCH_E_MODEL);
  if (strstr(error.message, says) == NULL) fail_msg("\"%s\" does not say \"%s\"", error.message, says);
  assert_non_null(strstr(error.message, "m/tokenizer.json"));
  assert_null(tokenizer);
  assert_int_equal(t.live, 0);
}

#define FAULT(says, ...) check_fault_n(aio__str_z(__VA_ARGS__), says)

static void test_from_json__not_supported_is_named(void **state) {
  (void)state;
  FAULT("\"model.type\" is \"BPE\"; only \"WordPiece\" is supported",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_("\"type\": \"BPE\", ", "\"[UNK]\"", "\"##\"", "100", "{}")));
  FAULT("\"model.unk_token\" is \"<unk>\"",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"<unk>\"", "\"##\"", "100", "{}")));
  FAULT("\"model.continuing_subword_prefix\" is \"@@\"; only \"##\" is supported",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"[UNK]\"", "\"@@\"", "100", "{}")));
  FAULT("\"model.max_input_chars_per_word\" is 200; only 100 is supported",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"[UNK]\"", "\"##\"", "200", "{}")));
  FAULT("\"normalizer.type\" is \"Lowercase\"; only \"BertNormalizer\" is supported",
        FILE_(ADDED, "\"normalizer\": {\"type\": \"Lowercase\"}", PRE, POST, MODEL));
  FAULT("\"normalizer.clean_text\" is false; only true is supported",
        FILE_(ADDED, "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": false}", PRE, POST, MODEL));
  FAULT("\"pre_tokenizer.type\" is \"Whitespace\"",
        FILE_(ADDED, NORMALIZER, "\"pre_tokenizer\": {\"type\": \"Whitespace\"}", POST, MODEL));
  FAULT("\"post_processor.type\" is \"RobertaProcessing\"",
        FILE_(ADDED, NORMALIZER, PRE, "\"post_processor\": {\"type\": \"RobertaProcessing\"}", MODEL));
  FAULT("\"added_tokens\" has \"<url>\"; only special ones are supported",
        FILE_("\"added_tokens\": [{\"id\": 9, \"content\": \"<url>\", \"special\": false}]", NORMALIZER, PRE, POST,
              MODEL));
  FAULT("\"added_tokens\" has \"?\"", FILE_("\"added_tokens\": [7]", NORMALIZER, PRE, POST, MODEL));
}

#define TEMPLATE(list) "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": " list "}"
#define TOKEN(id) "{\"SpecialToken\": {\"id\": \"" id "\"}}"
#define SEQUENCE "{\"Sequence\": {\"id\": \"A\"}}"

static void test_from_json__templates(void **state) {
  (void)state;
  static const char says[] = "\"post_processor.single\" is";
  FAULT(says, FILE_(ADDED, NORMALIZER, PRE, TEMPLATE("null"), MODEL));
  FAULT(says, FILE_(ADDED, NORMALIZER, PRE, TEMPLATE("[" SEQUENCE "]"), MODEL));
  FAULT(says, FILE_(ADDED, NORMALIZER, PRE, TEMPLATE("[" TOKEN("[CLS]") ", " SEQUENCE "]"), MODEL));
  FAULT(says, FILE_(ADDED, NORMALIZER, PRE, TEMPLATE("[" TOKEN("<s>") ", " SEQUENCE ", " TOKEN("</s>") "]"), MODEL));
  FAULT(says, FILE_(ADDED, NORMALIZER, PRE,
                    TEMPLATE("[" TOKEN("[CLS]") ", " SEQUENCE ", " TOKEN("[SEP]") ", " TOKEN("[SEP]") "]"), MODEL));
  FAULT("\"post_processor.cls\" is \"<s>\"",
        FILE_(ADDED, NORMALIZER, PRE,
              "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"<s>\", 2]}",
              MODEL));
  FAULT("\"post_processor.sep\" is missing",
        FILE_(ADDED, NORMALIZER, PRE, "\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 2]}",
              MODEL));
}

static void test_from_json__missing_is_named(void **state) {
  (void)state;
  FAULT("\"model\" is missing or not an object", "{}");
  FAULT("\"model\" is missing or not an object", "[]");
  FAULT("\"model.type\" is missing or not a text", "{\"model\": {\"type\": 1}}");
  FAULT("\"model.unk_token\" is missing", "{\"model\": {\"type\": \"WordPiece\"}}");
  FAULT("\"model.max_input_chars_per_word\" is missing or not a whole number",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"[UNK]\"", "\"##\"", "1.5", "{}")));
  FAULT("\"normalizer.type\" is missing", FILE_(ADDED, "\"normalizer\": null", PRE, POST, MODEL));
  FAULT("\"normalizer.clean_text\" is missing",
        FILE_(ADDED, "\"normalizer\": {\"type\": \"BertNormalizer\"}", PRE, POST, MODEL));
  FAULT("\"normalizer.handle_chinese_chars\" is missing",
        FILE_(ADDED, "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true}", PRE, POST, MODEL));
  FAULT("\"normalizer.lowercase\" is missing or not true or false",
        FILE_(ADDED, NORMALIZER_("null", "\"yes\"", ""), PRE, POST, MODEL));
  FAULT("\"normalizer.strip_accents\" is missing or not true, false or null",
        FILE_(ADDED, NORMALIZER_("1", "true", ""), PRE, POST, MODEL));
  FAULT("\"pre_tokenizer.type\" is missing", FILE_(ADDED, NORMALIZER, "\"pre_tokenizer\": []", POST, MODEL));
  FAULT("\"post_processor.type\" is missing", FILE_(ADDED, NORMALIZER, PRE, "\"post_processor\": null", MODEL));
  FAULT("\"model.vocab\" is missing or not an object",
        FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"[UNK]\"", "\"##\"", "100", "[]")));
}

static void test_from_json__hostile_vocabularies(void **state) {
  (void)state;
#define VOCABULARY(more) FILE_(ADDED, NORMALIZER, PRE, POST, VOCAB(more))
  FAULT("entry \"a\" has no whole number", VOCABULARY(", \"a\": \"4\""));
  FAULT("entry \"a\" has no whole number", VOCABULARY(", \"a\": 4.5"));
  FAULT("entry \"a\" has no whole number", VOCABULARY(", \"a\": 1e300"));
  FAULT("entry \"a\" has a number that is not below the count of entries", VOCABULARY(", \"a\": 5"));
  FAULT("entry \"a\" has a number that is not below the count of entries", VOCABULARY(", \"a\": -1"));
  FAULT("entry \"a\" has the number of another entry", VOCABULARY(", \"a\": 3"));
  FAULT("entry \"\" is empty", VOCABULARY(", \"\": 4"));
  FAULT("\"[PAD]\" comes twice in this object", VOCABULARY(", \"[PAD]\": 4"));
  FAULT("no entry [PAD]", FILE_(ADDED, NORMALIZER, PRE, POST, MODEL_(WORDPIECE, "\"[UNK]\"", "\"##\"", "100", "{}")));
  FAULT("line 1, column", "{\"model\": ");
  FAULT("this is not UTF-8", VOCABULARY(", \"\xFF\": 4"));
  char file[2000], entry[500];
  memset(entry, 'x', sizeof entry);
  (void)snprintf(file, sizeof file, VOCABULARY(", \"%.403s\": 4"), entry);
  FAULT("x\" is longer than any word", file);
  memset(entry, '[', sizeof entry);
  FAULT("nested deeper than 32 levels", (entry[sizeof entry - 1] = '\0', entry));
}

static void test_from_json__limits(void **state) {
  (void)state;
  static const char head[] =
    FILE_(ADDED, NORMALIZER, PRE, POST,
          "\"model\": {" WORDPIECE "\"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
          "\"max_input_chars_per_word\": 100, \"vocab\": {");
  enum { COUNT = AIO__WORDPIECE_VOCABULARY_MAX + 1, ENTRY = 24 };
  size_t cap = sizeof head + (size_t)COUNT * ENTRY + 8, n = sizeof head - 2;
  char *text = malloc(cap);
  assert_non_null(text);
  memcpy(text, head, n);
  for (int i = 0; i < COUNT; i++) {
    n += (size_t)snprintf(text + n, cap - n, "%s\"%x\":%d", i > 0 ? "," : "", (unsigned)i, i);
  }
  n += (size_t)snprintf(text + n, cap - n, "}}}");
  check_fault_n(aio__str_n(text, n), "has 1048577 entries; at most 1048576 are accepted");
  check_fault_n(aio__str_n(text, (size_t)AIO__WORDPIECE_FILE_MAX + 1), "bytes; at most 33554432 are accepted");
  free(text);
}

static void test_from_json__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__wordpiece *tokenizer = NULL;
    aiorch_error error;
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status = aio__wordpiece_from_json(&t.al, AIO__LIT(GOOD), "tokenizer.json", &tokenizer, &error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(error.status, status);
    assert_true((tokenizer != NULL) == (status == AIORCH_OK));
    aio__wordpiece_free(tokenizer);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_true(t.count >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_from_json__numbers_in_any_order),
    cmocka_unit_test(test_from_json__truncation_and_padding_are_not_used),
    cmocka_unit_test(test_from_json__case_and_accents),
    cmocka_unit_test(test_from_json__older_forms),
    cmocka_unit_test(test_from_json__ideographs_as_letters),
    cmocka_unit_test(test_from_json__not_supported_is_named),
    cmocka_unit_test(test_from_json__templates),
    cmocka_unit_test(test_from_json__missing_is_named),
    cmocka_unit_test(test_from_json__hostile_vocabularies),
    cmocka_unit_test(test_from_json__limits),
    cmocka_unit_test(test_from_json__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
