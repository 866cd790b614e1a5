/* The tokenizer as its users see it: vocab.txt in, token ids out. The rules are in wordpiece_rules.c, the table in
 * wordpiece_vocabulary.c, tokenizer.json in wordpiece_json.c. */
#include "embedders/local/wordpiece.h"

#include <string.h>

#include "core/hash.h"
#include "embedders/local/wordpiece_private.h"

/* Grows when the same vocabulary would give other ids: vectors made before it are then those of another model. */
enum { RULES_VERSION = 1 };

/* ---- vocab.txt --------------------------------------------------------------------------------------------------- */

const char *aio__wordpiece_entry_fault(aio__str entry) {
  if (entry.n == 0) return "is empty";
  return entry.n > AIO__ENTRY_BYTES_MAX ? "is longer than any word" : NULL;
}

aiorch_status aio__wordpiece_too_large(size_t bytes, const char *path, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_MODEL, "%s has %zu bytes; at most %d are accepted", path, bytes,
                        (int)AIO__WORDPIECE_FILE_MAX);
}

/* The line that begins at *pos, without its end; moves *pos to the next. */
static aio__str next_line(aio__str text, size_t *pos) {
  const char *start = text.p + *pos;
  size_t left = text.n - *pos;
  const char *feed = memchr(start, '\n', left);
  size_t n = feed != NULL ? (size_t)(feed - start) : left;
  *pos += feed != NULL ? n + 1 : n;
  if (n > 0 && start[n - 1] == '\r') n--;
  return aio__str_n(start, n);
}

static size_t count_lines(aio__str text) {
  size_t n = 0;
  for (size_t pos = 0; pos < text.n; n++) (void)next_line(text, &pos);
  return n;
}

static aiorch_status fill_from_lines(aio__vocabulary *v, aio__str text, const char *path, aiorch_error *error) {
  size_t pos = 0, n = 0;
  for (uint32_t line = 0; line < v->count; line++) {
    aio__str entry = next_line(text, &pos);
    const char *fault = aio__wordpiece_entry_fault(entry);
    if (fault != NULL) {
      return aio__error_set(error, AIORCH_E_MODEL, "%s, line %u: the entry %s", path, (unsigned)line + 1, fault);
    }
    memcpy(v->text + n, entry.p, entry.n);
    n += entry.n;
    v->starts[line + 1] = (uint32_t)n;
  }
  return AIORCH_OK;
}

static aiorch_status check_lines(aio__str text, const char *path, aiorch_error *error) {
  if (text.n > AIO__WORDPIECE_FILE_MAX) return aio__wordpiece_too_large(text.n, path, error);
  size_t valid = aio__utf8_check(text, NULL);
  if (valid < text.n) {
    size_t line = count_lines(aio__str_n(text.p, valid)) + (valid == 0 || text.p[valid - 1] == '\n');
    return aio__error_set(error, AIORCH_E_MODEL, "%s, line %zu: this is not UTF-8", path, line);
  }
  size_t count = count_lines(text);
  if (count > AIO__WORDPIECE_VOCABULARY_MAX) {
    return aio__error_set(error, AIORCH_E_MODEL, "%s has %zu entries; at most %d are accepted", path, count,
                          (int)AIO__WORDPIECE_VOCABULARY_MAX);
  }
  return AIORCH_OK;
}

aiorch_status aio__wordpiece_from_vocabulary(const aio__alloc *al, aio__str text, bool lower, const char *path,
                                             aio__wordpiece **out, aiorch_error *error) {
  aiorch_status status = check_lines(text, path, error);
  if (status != AIORCH_OK) return status;
  aio__wordpiece *tokenizer = aio__calloc(al, 1, sizeof *tokenizer);
  if (tokenizer == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "%s: out of memory", path);
  tokenizer->al = al;
  aio__word_rules_init(&tokenizer->rules, lower, lower, true);
  status = aio__vocabulary_init(&tokenizer->vocabulary, al, count_lines(text), text.n);
  if (status != AIORCH_OK) aio__error_set(error, status, "%s: out of memory", path);
  if (status == AIORCH_OK) status = fill_from_lines(&tokenizer->vocabulary, text, path, error);
  if (status == AIORCH_OK) status = aio__wordpiece_finish(tokenizer, path, "line", 1, error);
  if (status != AIORCH_OK) {
    aio__wordpiece_free(tokenizer);
    return status;
  }
  *out = tokenizer;
  return AIORCH_OK;
}

aiorch_status aio__wordpiece_finish(aio__wordpiece *tokenizer, const char *path, const char *counted_as,
                                    int32_t counted_from, aiorch_error *error) {
  aio__vocabulary *v = &tokenizer->vocabulary;
  int32_t earlier, later, padding;
  if (!aio__vocabulary_index(v, &earlier, &later)) {
    aio__str entry = aio__vocabulary_entry(v, (size_t)later);
    return aio__error_set(error, AIORCH_E_MODEL, "%s, %s %d: \"%.*s\" was there before, at %s %d", path, counted_as,
                          later + counted_from, (int)entry.n, entry.p, counted_as, earlier + counted_from);
  }
  const struct {
    const char *name;
    int32_t *number;
  } special[] = {{"[PAD]", &padding}, {"[UNK]", &tokenizer->unknown}, {"[CLS]", &tokenizer->first},
                 {"[SEP]", &tokenizer->last}};
  for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
    *special[i].number = aio__vocabulary_find(v, aio__str_z(special[i].name));
    if (*special[i].number != AIO__NO_ENTRY) continue;
    return aio__error_set(error, AIORCH_E_MODEL,
                          "%s: the vocabulary has no entry %s; only models of the BERT family are supported", path,
                          special[i].name);
  }
  return AIORCH_OK;
}

void aio__wordpiece_free(aio__wordpiece *tokenizer) {
  if (tokenizer == NULL) return;
  aio__vocabulary_free(&tokenizer->vocabulary, tokenizer->al);
  aio__free(tokenizer->al, tokenizer);
}

size_t aio__wordpiece_size(const aio__wordpiece *tokenizer) {
  return tokenizer->vocabulary.count;
}

/* ---- digest ------------------------------------------------------------------------------------------------------ */

/* The same for vocab.txt and tokenizer.json of one model. Where entries begin is hashed in little-endian order, so that
 * a vector keeps its model's name when its store moves to another machine. */
void aio__wordpiece_digest(const aio__wordpiece *tokenizer, uint8_t out[32]) {
  enum { BLOCK = 64 };
  const aio__word_rules *rules = &tokenizer->rules;
  const aio__vocabulary *v = &tokenizer->vocabulary;
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__sha256_u64(&hash, RULES_VERSION);
  aio__sha256_u64(&hash, (uint64_t)rules->lower | (uint64_t)rules->strip_accents << 1 |
                           (uint64_t)rules->split_ideographs << 2);
  aio__sha256_u64(&hash, v->count);
  for (size_t i = 0; i <= v->count; i += BLOCK) {
    uint8_t bytes[4 * BLOCK];
    size_t n = v->count + 1 - i < BLOCK ? v->count + 1 - i : BLOCK;
    for (size_t k = 0; k < 4 * n; k++) bytes[k] = (uint8_t)(v->starts[i + k / 4] >> 8 * (k % 4));
    aio__sha256_add(&hash, bytes, 4 * n);
  }
  aio__sha256_add(&hash, v->text, v->starts[v->count]);
  aio__sha256_end(&hash, out);
}

/* ---- encode ------------------------------------------------------------------------------------------------------ */

aiorch_status aio__wordpiece_encode(const aio__wordpiece *tokenizer, aio__str text, size_t max_tokens, int32_t *ids,
                                    size_t *count, bool *truncated) {
  aio__words words = {.rules = &tokenizer->rules, .text = text};
  aio__word word;
  int32_t pieces[AIO__WORDPIECE_WORD_MAX];
  size_t n = 1, end = max_tokens - 1;
  *truncated = false;
  ids[0] = tokenizer->first;
  while (!*truncated && aio__words_next(&words, &word)) {
    size_t made = n < end ? aio__vocabulary_split(&tokenizer->vocabulary, &word, pieces) : 1;
    if (made == 0) {
      pieces[0] = tokenizer->unknown;
      made = 1;
    }
    *truncated = made > end - n;
    for (size_t i = 0; i < made && n < end; i++) ids[n++] = pieces[i];
  }
  ids[n++] = tokenizer->last;
  *count = n;
  return AIORCH_OK;
}
