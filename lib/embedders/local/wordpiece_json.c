/*
 * A tokenizer.json as the Hugging Face library writes it. What changes ids is either done as it says or refused by
 * name; members that have no meaning for one text without padding are not read.
 */
#include <string.h>

#include "embedders/local/wordpiece_private.h"
#include "text/json.h"

enum { SHOWN_MAX = 64 /* bytes of a text in a message */ };

typedef struct reader {
  const char *path;
  aiorch_error *error;
} reader;

static aiorch_status missing(const reader *r, const char *place, const char *kind) {
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"%s\" is missing or not %s", r->path, place, kind);
}

static aiorch_status unsupported(const reader *r, const char *place, const char *is, const char *supported) {
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"%s\" is %s; only %s is supported", r->path, place, is,
                        supported);
}

/* `value` stands at `place` and must be this text. */
static aiorch_status expect_text(const reader *r, const aio__json_value *value, const char *place,
                                 const char *expected) {
  aio__str text;
  if (!aio__json_str(value, &text)) return missing(r, place, "a text");
  if (aio__str_eqz(text, expected)) return AIORCH_OK;
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"%s\" is \"%.*s\"; only \"%s\" is supported", r->path, place,
                        (int)aio__utf8_cut(text, SHOWN_MAX), text.p, expected);
}

static aiorch_status expect_number(const reader *r, const aio__json_value *value, const char *place, int64_t expected) {
  int64_t number;
  if (!aio__json_i64(value, &number)) return missing(r, place, "a whole number");
  if (number == expected) return AIORCH_OK;
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"%s\" is %lld; only %lld is supported", r->path, place,
                        (long long)number, (long long)expected);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static aiorch_status read_normalizer(const reader *r, const aio__json_value *normalizer, aio__word_rules *rules) {
  bool clean, ideographs, lower, strip;
  const aio__json_value *accents = aio__json_get(normalizer, "strip_accents");
  aiorch_status status = expect_text(r, aio__json_get(normalizer, "type"), "normalizer.type", "BertNormalizer");
  if (status != AIORCH_OK) return status;
  if (!aio__json_bool(aio__json_get(normalizer, "clean_text"), &clean)) {
    return missing(r, "normalizer.clean_text", "true or false");
  }
  if (!clean) return unsupported(r, "normalizer.clean_text", "false", "true");
  if (!aio__json_bool(aio__json_get(normalizer, "handle_chinese_chars"), &ideographs)) {
    return missing(r, "normalizer.handle_chinese_chars", "true or false");
  }
  if (!aio__json_bool(aio__json_get(normalizer, "lowercase"), &lower)) {
    return missing(r, "normalizer.lowercase", "true or false");
  }
  strip = lower; /* null means: as lowercase */
  if (aio__json_typeof(accents) != AIO__JSON_NULL && !aio__json_bool(accents, &strip)) {
    return missing(r, "normalizer.strip_accents", "true, false or null");
  }
  aio__word_rules_init(rules, lower, strip, ideographs);
  return AIORCH_OK;
}

/* [CLS] text [SEP]: {"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}} */
static aiorch_status read_template(const reader *r, const aio__json_value *single) {
  static const struct {
    const char *kind, *id;
  } expected[] = {{"SpecialToken", "[CLS]"}, {"Sequence", "A"}, {"SpecialToken", "[SEP]"}};
  const aio__json_value *piece = aio__json_first(single);
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++, piece = aio__json_next(piece)) {
    aio__str id;
    if (!aio__json_str(aio__json_get(aio__json_get(piece, expected[i].kind), "id"), &id) ||
        !aio__str_eqz(id, expected[i].id)) {
      return unsupported(r, "post_processor.single", "something else", "[CLS] A [SEP]");
    }
  }
  return piece == NULL ? AIORCH_OK : unsupported(r, "post_processor.single", "longer", "[CLS] A [SEP]");
}

static aiorch_status read_post_processor(const reader *r, const aio__json_value *processor) {
  aio__str type;
  if (!aio__json_str(aio__json_get(processor, "type"), &type)) return missing(r, "post_processor.type", "a text");
  if (aio__str_eqz(type, "TemplateProcessing")) return read_template(r, aio__json_get(processor, "single"));
  aiorch_status status = expect_text(r, aio__json_get(processor, "type"), "post_processor.type", "BertProcessing");
  if (status != AIORCH_OK) return status;
  const aio__json_value *first = aio__json_first(aio__json_get(processor, "cls"));
  const aio__json_value *last = aio__json_first(aio__json_get(processor, "sep"));
  status = expect_text(r, first, "post_processor.cls", "[CLS]");
  return status == AIORCH_OK ? expect_text(r, last, "post_processor.sep", "[SEP]") : status;
}

/* Special tokens are found in a text by the reference, and stay text here; any other would have to be found. */
static aiorch_status read_added_tokens(const reader *r, const aio__json_value *tokens) {
  for (const aio__json_value *t = aio__json_first(tokens); t != NULL; t = aio__json_next(t)) {
    bool special = false;
    aio__str content = AIO__LIT("?");
    (void)aio__json_str(aio__json_get(t, "content"), &content);
    if (aio__json_bool(aio__json_get(t, "special"), &special) && special) continue;
    return aio__error_set(r->error, AIORCH_E_MODEL,
                          "%s: \"added_tokens\" has \"%.*s\"; only special ones are supported", r->path,
                          (int)aio__utf8_cut(content, SHOWN_MAX), content.p);
  }
  return AIORCH_OK;
}

/* ---- model ------------------------------------------------------------------------------------------------------- */

/* Files of the first versions have no type: what has these members is a WordPiece then, too. */
static aiorch_status read_model(const reader *r, const aio__json_value *model) {
  const aio__json_value *type = aio__json_get(model, "type");
  aiorch_status status = AIORCH_OK;
  if (aio__json_typeof(model) != AIO__JSON_OBJECT) return missing(r, "model", "an object");
  if (type != NULL) status = expect_text(r, type, "model.type", "WordPiece");
  if (status == AIORCH_OK) status = expect_text(r, aio__json_get(model, "unk_token"), "model.unk_token", "[UNK]");
  if (status == AIORCH_OK) {
    status = expect_text(r, aio__json_get(model, "continuing_subword_prefix"), "model.continuing_subword_prefix", "##");
  }
  if (status == AIORCH_OK) {
    status = expect_number(r, aio__json_get(model, "max_input_chars_per_word"), "model.max_input_chars_per_word",
                           AIO__WORDPIECE_WORD_MAX);
  }
  return status;
}

static aiorch_status fault_in_entry(const reader *r, aio__str entry, const char *fault) {
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"model.vocab\", entry \"%.*s\" %s", r->path,
                        (int)aio__utf8_cut(entry, SHOWN_MAX), entry.p, fault);
}

/* Leaves in starts[number + 1] the length of each entry: that all are set says that the numbers have no gap. */
static aiorch_status read_lengths(const reader *r, const aio__json_value *vocab, aio__vocabulary *v) {
  for (const aio__json_value *m = aio__json_first(vocab); m != NULL; m = aio__json_next(m)) {
    aio__str entry = aio__json_key(m);
    int64_t number;
    const char *fault = aio__wordpiece_entry_fault(entry);
    if (fault == NULL && !aio__json_i64(m, &number)) fault = "has no whole number";
    if (fault == NULL && (number < 0 || number >= (int64_t)v->count)) {
      fault = "has a number that is not below the count of entries";
    }
    if (fault == NULL && v->starts[number + 1] != 0) fault = "has the number of another entry";
    if (fault != NULL) return fault_in_entry(r, entry, fault);
    v->starts[number + 1] = (uint32_t)entry.n;
  }
  return AIORCH_OK;
}

static aiorch_status read_vocabulary(const reader *r, const aio__alloc *al, const aio__json_value *vocab,
                                     aio__vocabulary *v) {
  size_t count = 0, bytes = 0;
  if (aio__json_typeof(vocab) != AIO__JSON_OBJECT) return missing(r, "model.vocab", "an object");
  for (const aio__json_value *m = aio__json_first(vocab); m != NULL; m = aio__json_next(m), count++) {
    bytes += aio__json_key(m).n;
  }
  if (count > AIO__WORDPIECE_VOCABULARY_MAX) {
    return aio__error_set(r->error, AIORCH_E_MODEL, "%s: \"model.vocab\" has %zu entries; at most %d are accepted",
                          r->path, count, (int)AIO__WORDPIECE_VOCABULARY_MAX);
  }
  aiorch_status status = aio__vocabulary_init(v, al, count, bytes);
  if (status != AIORCH_OK) return aio__error_set(r->error, status, "%s: out of memory", r->path);
  status = read_lengths(r, vocab, v);
  if (status != AIORCH_OK) return status;
  for (size_t i = 0; i < count; i++) v->starts[i + 1] += v->starts[i];
  for (const aio__json_value *m = aio__json_first(vocab); m != NULL; m = aio__json_next(m)) {
    int64_t number = 0;
    aio__str entry = aio__json_key(m);
    (void)aio__json_i64(m, &number);
    memcpy(v->text + v->starts[number], entry.p, entry.n);
  }
  return AIORCH_OK;
}

static aiorch_status read_all(const reader *r, const aio__json_value *root, aio__wordpiece *tokenizer) {
  const aio__json_value *model = aio__json_get(root, "model");
  aiorch_status status = read_model(r, model);
  if (status == AIORCH_OK) status = read_normalizer(r, aio__json_get(root, "normalizer"), &tokenizer->rules);
  if (status == AIORCH_OK) {
    status = expect_text(r, aio__json_get(aio__json_get(root, "pre_tokenizer"), "type"), "pre_tokenizer.type",
                         "BertPreTokenizer");
  }
  if (status == AIORCH_OK) status = read_post_processor(r, aio__json_get(root, "post_processor"));
  if (status == AIORCH_OK) status = read_added_tokens(r, aio__json_get(root, "added_tokens"));
  if (status == AIORCH_OK) {
    status = read_vocabulary(r, tokenizer->al, aio__json_get(model, "vocab"), &tokenizer->vocabulary);
  }
  if (status == AIORCH_OK) status = aio__wordpiece_finish(tokenizer, r->path, "number", 0, r->error);
  return status;
}

aiorch_status aio__wordpiece_from_json(const aio__alloc *al, aio__str text, const char *path, aio__wordpiece **out,
                                       aiorch_error *error) {
  const aio__json_limits limits = {AIO__WORDPIECE_FILE_MAX, AIO__JSON_MAX_DEPTH_CONFIG, AIORCH_E_MODEL, path};
  const reader r = {path, error};
  aio__json *json = NULL;
  if (text.n > AIO__WORDPIECE_FILE_MAX) return aio__wordpiece_too_large(text.n, path, error);
  aio__wordpiece *tokenizer = aio__calloc(al, 1, sizeof *tokenizer);
  if (tokenizer == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "%s: out of memory", path);
  tokenizer->al = al;
  aiorch_status status = aio__json_parse(al, text, &limits, &json, error);
  if (status == AIORCH_OK) status = read_all(&r, aio__json_root(json), tokenizer);
  aio__json_free(json);
  if (status != AIORCH_OK) {
    aio__wordpiece_free(tokenizer);
    return status;
  }
  *out = tokenizer;
  return AIORCH_OK;
}
