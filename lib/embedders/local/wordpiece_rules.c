/*
 * The rules of the BERT normalizer and pre-tokenizer, character by character: a text becomes words without ever being
 * held as a whole.
 *
 * ASCII goes through a table. Any other character becomes a few parts (decomposed, without marks, lower case), each of
 * which continues the word, ends it, or is a word of its own. Canonical order across characters, which NFD asks for, is
 * made inside the word: a mark moves back over those of a higher class.
 */
#include <string.h>

#include "embedders/local/wordpiece_private.h"
#include "text/unicode.h"

/* Values of the table beside the character itself: below the space none is a character of a word. */
enum { BYTE_DROPPED = 0, BYTE_NOT_ASCII = 1, BYTE_SPACE = ' ', BYTE_ALONE = 0x80 };

enum { PART_OF_WORD, PART_SPACE, PART_ALONE };

enum { REPLACEMENT = 0xFFFD, HANGUL_FIRST = 0xAC00, HANGUL_LAST = 0xD7A3 };

_Static_assert(AIO__WORD_PARTS_MAX >= AIO__UNICODE_NFD_MAX * AIO__UNICODE_LOWER_MAX, "parts of one character");

static bool is_ascii_punctuation(unsigned c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

void aio__word_rules_init(aio__word_rules *rules, bool lower, bool strip_accents, bool split_ideographs) {
  rules->lower = lower;
  rules->strip_accents = strip_accents;
  rules->split_ideographs = split_ideographs;
  for (unsigned c = 0; c < 256; c++) {
    unsigned value = c;
    if (c >= 0x80) value = BYTE_NOT_ASCII;
    else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') value = BYTE_SPACE;
    else if (c < 0x20 || c == 0x7F) value = BYTE_DROPPED;
    else if (is_ascii_punctuation(c)) value = BYTE_ALONE | c;
    else if (lower && c >= 'A' && c <= 'Z') value = c | 0x20;
    rules->byte[c] = (uint8_t)value;
  }
}

/* What the fast tokenizer takes for ideographs; that 2B820-2B91F are not among them is its slip, and models grew up
 * with it. */
static bool is_ideograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Ideographs that are no compatibility forms, and syllables of Hangul: nothing of them is dropped or made lower. */
static bool is_plain_letter(uint32_t c) {
  return (c >= 0x3400 && c <= 0x9FFF) || (c >= HANGUL_FIRST && c <= HANGUL_LAST) || (c >= 0x20000 && c <= 0x2CEAF);
}

/* ---- one character into parts ------------------------------------------------------------------------------------ */

static void add_part(aio__words *words, uint32_t c, uint8_t kind, uint8_t combining_class) {
  words->list[words->parts++] = (aio__word_part){c, kind, combining_class};
}

/* `c` is decomposed, of the class given. */
static void add_letter(aio__words *words, uint32_t c, aio__unicode_class class, bool alone) {
  const aio__word_rules *rules = words->rules;
  if (c < 0x80) { /* what a letter with a mark, or an equivalent of ASCII, came to: no control, no space */
    uint8_t value = rules->byte[c];
    bool punctuation = (value & BYTE_ALONE) != 0;
    add_part(words, punctuation ? c : value, punctuation ? PART_ALONE : PART_OF_WORD, 0);
    return;
  }
  uint32_t lower[AIO__UNICODE_LOWER_MAX] = {c};
  size_t n = rules->lower && class != AIO__UNICODE_PUNCTUATION ? aio__unicode_lower(c, lower) : 1;
  uint8_t kind = alone || class == AIO__UNICODE_PUNCTUATION ? PART_ALONE : PART_OF_WORD;
  bool mark = rules->strip_accents && class == AIO__UNICODE_SPACING;
  for (size_t i = 0; i < n; i++) add_part(words, lower[i], kind, mark ? aio__unicode_combining_class(c) : 0);
}

static void read_character(aio__words *words) {
  const aio__word_rules *rules = words->rules;
  uint32_t c = aio__utf8_next(words->text, &words->pos), whole[AIO__UNICODE_NFD_MAX] = {c};
  words->part = words->parts = 0;
  if (c == UINT32_MAX || c == REPLACEMENT) return;
  bool alone = rules->split_ideographs && is_ideograph(c);
  bool plain = is_plain_letter(c);
  aio__unicode_class class = plain ? AIO__UNICODE_LETTER : aio__unicode_classify(c);
  if (class == AIO__UNICODE_CONTROL || class == AIO__UNICODE_FORMAT || class == AIO__UNICODE_PRIVATE) return;
  if (class == AIO__UNICODE_SPACE) {
    add_part(words, c, PART_SPACE, 0);
    return;
  }
  size_t n = rules->strip_accents ? aio__unicode_decompose(c, whole) : 1;
  for (size_t i = 0; i < n; i++) {
    if (plain) {
      add_part(words, whole[i], alone ? PART_ALONE : PART_OF_WORD, 0);
      continue;
    }
    if (n > 1 || whole[0] != c) class = aio__unicode_classify(whole[i]);
    if (class == AIO__UNICODE_NONSPACING && rules->strip_accents) continue;
    add_letter(words, whole[i], class, alone);
  }
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static bool is_tail(char byte) {
  return ((uint8_t)byte & 0xC0) == 0x80;
}

/* The last character of the word is a mark of this class: moves it to its place in canonical order. */
static void order_mark(aio__word *word, size_t at, uint8_t combining_class) {
  char mark[4];
  size_t n = word->n - at, to = at;
  while (to > 0) {
    size_t before = to - 1;
    while (before > 0 && is_tail(word->bytes[before])) before--;
    size_t pos = before;
    uint32_t c = aio__utf8_next(aio__str_n(word->bytes, word->n), &pos);
    if (aio__unicode_combining_class(c) <= combining_class) break;
    to = before;
  }
  if (to == at) return;
  memcpy(mark, word->bytes + at, n);
  memmove(word->bytes + to + n, word->bytes + to, at - to);
  memcpy(word->bytes + to, mark, n);
}

static void put_part(aio__word *word, const aio__word_part *part) {
  if (++word->chars > AIO__WORDPIECE_WORD_MAX) return;
  size_t at = word->n;
  word->n += aio__utf8_put(part->code_point, word->bytes + at);
  if (part->combining_class != 0) order_mark(word, at, part->combining_class);
}

/* Reads ASCII until the word ends (true), another character comes, or the text ends. */
static bool read_ascii(aio__words *words, aio__word *word) {
  const uint8_t *table = words->rules->byte, *p = (const uint8_t *)words->text.p;
  size_t pos = words->pos, end = words->text.n;
  bool ended = false;
  for (; pos < end && !ended; pos++) {
    uint8_t value = table[p[pos]];
    if (value > BYTE_SPACE && value < BYTE_ALONE) {
      if (words->in_long_word) continue;
      if (word->chars < AIO__WORDPIECE_WORD_MAX) word->bytes[word->n++] = (char)value;
      ended = ++word->chars > AIO__WORDPIECE_WORD_MAX;
    } else if (value == BYTE_SPACE) {
      words->in_long_word = false;
      ended = word->chars > 0;
    } else if (value == BYTE_NOT_ASCII) {
      break;
    } else if (value != BYTE_DROPPED) {
      words->in_long_word = false;
      ended = true;
      if (word->chars > 0) break; /* a word of its own, next time */
      word->bytes[0] = (char)(value & 0x7F);
      word->n = word->chars = 1;
    }
  }
  words->pos = pos;
  return ended;
}

/* Takes the parts of one character until the word ends (true) or there is none left. */
static bool read_parts(aio__words *words, aio__word *word) {
  for (; words->part < words->parts; words->part++) {
    const aio__word_part *part = &words->list[words->part];
    if (part->kind == PART_OF_WORD) {
      if (words->in_long_word) continue;
      put_part(word, part);
      if (word->chars <= AIO__WORDPIECE_WORD_MAX) continue;
      words->part++;
      return true;
    }
    words->in_long_word = false;
    if (word->chars > 0) return true;
    if (part->kind == PART_SPACE) continue;
    put_part(word, part);
    words->part++;
    return true;
  }
  return false;
}

bool aio__words_next(aio__words *words, aio__word *out) {
  out->n = out->chars = 0;
  for (;;) {
    if (read_parts(words, out) || read_ascii(words, out)) break;
    if (words->pos == words->text.n) break;
    read_character(words);
  }
  if (out->chars > AIO__WORDPIECE_WORD_MAX) {
    words->in_long_word = true;
    out->n = 0;
  }
  return out->chars > 0;
}
