/* The tokenizer: any text comes out between [CLS] and [SEP], with no special token in between but [UNK]; a limit cuts,
 * says so, and changes nothing else; bytes that are no UTF-8 count for nothing. The first byte chooses the limit and
 * the case. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "embedders/local/wordpiece.h"

enum { PAD, UNK, CLS, SEP, LIMIT_MIN = 3 };

/* Letters of several scripts, parts of Hangul, and marks that take space, each with the prefix p. */
#define LETTERS(p) \
  p "a\n" p "b\n" p "c\n" p "d\n" p "e\n" p "f\n" p "g\n" p "h\n" p "i\n" p "j\n" p "k\n" p "l\n" p "m\n" \
  p "n\n" p "o\n" p "p\n" p "q\n" p "r\n" p "s\n" p "t\n" p "u\n" p "v\n" p "w\n" p "x\n" p "y\n" p "z\n" \
  p "0\n" p "1\n" p "\xC3\xA9\n" p "\xD0\xB6\n" p "\xE1\x84\x80\n" p "\xE1\x85\xA1\n" p "\xE1\x86\xA8\n" \
  p "\xE3\x80\xAE\n" p "\xE1\xAD\x84\n" p "\xEF\xAC\x81\n" p "\xE2\x82\xAC\n"

static const char VOCABULARY[] =
  "[PAD]\n[UNK]\n[CLS]\n[SEP]\n" LETTERS("") LETTERS("##")
  ".\n,\n!\n[\n]\n-\n'\n\xE2\x80\x94\n\xE4\xB8\xAD\nthe\nwhen\n##ing\n##ed\nsep\ncls\nshop\n##ab\n##aab\n"
  "##\xC3\xA9\xC3\xA9";

/* Loaded once: the tokenizer never changes. */
static const aio__wordpiece *vocabulary(bool lower) {
  static aio__wordpiece *tokenizers[2];
  aio__str file = aio__str_z(VOCABULARY);
  aio__wordpiece **t = &tokenizers[lower];
  if (*t != NULL) return *t;
  FUZZ_CHECK(aio__wordpiece_from_vocabulary(aio__alloc_default(), file, lower, "v", t, NULL) == AIORCH_OK);
  return *t;
}

/* The ids without a limit that cuts, in memory of malloc: no character becomes more than four pieces. */
static int32_t *encode_all(const aio__wordpiece *tokenizer, aio__str text, size_t *n) {
  size_t max = text.n * 4 + LIMIT_MIN;
  int32_t *ids = malloc(max * sizeof *ids);
  bool truncated = true;
  if (ids == NULL) abort();
  FUZZ_CHECK(aio__wordpiece_encode(tokenizer, text, max, ids, n, &truncated) == AIORCH_OK);
  FUZZ_CHECK(!truncated && *n >= 2 && *n <= max);
  return ids;
}

static void check_cut(const aio__wordpiece *tokenizer, aio__str text, size_t max, const int32_t *all, size_t all_n) {
  int32_t *ids = malloc(max * sizeof *ids);
  size_t n = 0;
  bool truncated = false;
  if (ids == NULL) abort();
  FUZZ_CHECK(aio__wordpiece_encode(tokenizer, text, max, ids, &n, &truncated) == AIORCH_OK);
  FUZZ_CHECK(n == (all_n < max ? all_n : max));
  FUZZ_CHECK(truncated == (all_n > max));
  FUZZ_CHECK(memcmp(ids, all, (n - 1) * sizeof *ids) == 0 && ids[n - 1] == SEP);
  free(ids);
}

static void check_without_bad_bytes(const aio__wordpiece *tokenizer, aio__str text, const int32_t *all, size_t all_n) {
  char *clean = malloc(text.n + 1);
  size_t n = 0, ids_n = 0;
  if (clean == NULL) abort();
  for (size_t pos = 0; pos < text.n;) {
    size_t start = pos;
    if (aio__utf8_next(text, &pos) == UINT32_MAX) continue;
    memcpy(clean + n, text.p + start, pos - start);
    n += pos - start;
  }
  int32_t *ids = encode_all(tokenizer, aio__str_n(clean, n), &ids_n);
  FUZZ_CHECK(ids_n == all_n && memcmp(ids, all, all_n * sizeof *ids) == 0);
  free(ids);
  free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  const aio__wordpiece *tokenizer = vocabulary((data[0] & 1) == 0);
  aio__str text = fuzz_text(data + 1, size - 1);
  size_t n = 0, entries = aio__wordpiece_size(tokenizer);
  int32_t *ids = encode_all(tokenizer, text, &n);
  FUZZ_CHECK(ids[0] == CLS && ids[n - 1] == SEP);
  for (size_t i = 1; i + 1 < n; i++) {
    FUZZ_CHECK(ids[i] >= 0 && (size_t)ids[i] < entries && ids[i] != PAD && ids[i] != CLS && ids[i] != SEP);
  }
  check_cut(tokenizer, text, LIMIT_MIN + data[0] / 2, ids, n);
  check_cut(tokenizer, text, n > LIMIT_MIN ? n : LIMIT_MIN, ids, n);
  check_cut(tokenizer, text, n > LIMIT_MIN ? n - 1 : LIMIT_MIN, ids, n);
  check_without_bad_bytes(tokenizer, text, ids, n);
  free(ids);
  return 0;
}
