/* Words of a text, and the terms of a person's question. */
#include "stores/fts_query.h"

#include <string.h>

#include "stores/fts_synonyms.h"

enum { FOLDED_MAX = 8, COMPOUND_PARTS_MAX = 8 };

static const double KIN_WEIGHT = 0.35; /* of a word that was not asked for but may be meant */

/* What people write around what they ask for. */
static const char *const STOP_WORDS[] = {
    "a",     "about", "again", "all",   "also",   "am",     "an",    "and",   "any",    "are",   "as",    "at",
    "be",    "been",  "being", "but",   "by",     "can",    "could", "d",     "did",    "do",    "does",  "doing",
    "don",   "for",   "from",  "get",   "give",   "had",    "has",   "have",  "having", "he",    "help",  "her",
    "here",  "him",   "his",   "how",   "i",      "if",     "in",    "into",  "is",     "it",    "its",   "just",
    "know",  "let",   "like",  "ll",    "m",      "may",    "me",    "might", "must",   "my",    "need",  "of",
    "on",    "or",    "our",   "please", "re",    "s",      "shall", "she",   "should", "so",    "some",  "t",
    "tell",  "than",  "that",  "the",   "their",  "them",   "then",  "there", "these",  "they",  "thing", "this",
    "those", "to",    "too",   "us",    "ve",     "very",   "want",  "was",   "way",    "we",    "were",  "what",
    "when",  "where", "which", "who",   "whom",   "why",    "will",  "with",  "would",  "you",   "your",  NULL};

/* Letters of Latin-1 and Latin Extended-A without their marks; a space stands for what is no letter or has no plain form. */
static const char LATIN_1[] = "aaaaaa ceeeeiiii nooooo  uuuuy  aaaaaa ceeeeiiii nooooo  uuuuy y";
static const char LATIN_A[] = "aaaaaaccccccccdd  eeeeeeeeeegggggggghh  iiiiiiiii   jjkk llllll "
                              "   nnnnnn   oooooo  rrrrrrsssssssstttt  uuuuuuuuuuuuwwyyyzzzzzz";

static uint32_t fold(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xC0 && c <= 0xFF && LATIN_1[c - 0xC0] != ' ') return (uint32_t)LATIN_1[c - 0xC0];
  if (c >= 0xC0 && c <= 0xDE) return c + 32;
  if (c >= 0x100 && c <= 0x17E && LATIN_A[c - 0x100] != ' ') return (uint32_t)LATIN_A[c - 0x100];
  if (c >= 0x100 && c <= 0x137) return c | 1u;
  if (c >= 0x14A && c <= 0x177) return c | 1u;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

/* Letters and digits. Beyond ASCII everything counts but spaces, punctuation, symbols and invisible characters. */
static bool is_word(uint32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB2 || c == 0xB3 || c == 0xB5 || c == 0xB9 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || c == UINT32_MAX) return false;
  if (c >= 0x2000 && c <= 0x2BFF) return false;
  if (c >= 0x3000 && c <= 0x3020) return c == 0x3005 || c == 0x3007;
  if ((c >= 0xFE00 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20)) return false;
  return !(c == 0xFEFF || c == 0xFFFD || (c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0xE000 && c <= 0xF8FF));
}

static bool is_mark(uint32_t c) { return c >= 0x300 && c <= 0x36F; }

/* What joins the words of one piece: pg_dump, e-mail, postgresql.conf. */
static bool is_joint(uint32_t c) { return c == '_' || c == '-' || c == '.'; }

void aio__fts_words_init(aio__fts_words *words, aio__str text) {
  memset(words, 0, sizeof *words);
  words->text = text;
}

static void put(aio__fts_word *word, uint32_t c, bool *overflow) {
  char bytes[FOLDED_MAX];
  size_t n = aio__utf8_put(c, bytes);
  if (word->n + n > sizeof word->text) {
    *overflow = true;
    return;
  }
  memcpy(word->text + word->n, bytes, n);
  word->n += n;
}

static void join(aio__fts_words *words, const aio__fts_word *part) {
  aio__fts_word *whole = &words->compound;
  size_t space = words->parts > 0 ? 1 : 0;
  if (words->parts >= COMPOUND_PARTS_MAX || whole->n + space + part->n > sizeof whole->text) words->overflow = true;
  if (!words->overflow) {
    if (space != 0) whole->text[whole->n++] = ' ';
    memcpy(whole->text + whole->n, part->text, part->n);
    whole->n += part->n;
  }
  words->parts++;
}

/* After a word: does the piece go on? Otherwise a compound may be due. */
static void end_of_word(aio__fts_words *words, const aio__fts_word *word) {
  size_t next = words->pos;
  uint32_t c = next < words->text.n ? aio__utf8_next(words->text, &next) : 0;
  size_t after = next;
  bool goes_on = is_joint(c) && after < words->text.n && is_word(aio__utf8_next(words->text, &after));
  if (goes_on || words->parts > 0) join(words, word);
  if (goes_on) words->pos = next;
  else if (words->parts > 0) words->due = true;
}

bool aio__fts_words_next(aio__fts_words *words, aio__fts_word *out) {
  if (words->due) {
    bool whole = words->parts > 1 && !words->overflow;
    if (whole) *out = words->compound;
    out->compound = true;
    words->compound.n = words->parts = 0;
    words->due = words->overflow = false;
    if (whole) return true;
  }
  out->n = 0;
  out->compound = false;
  bool cut = false;
  while (words->pos < words->text.n) {
    size_t next = words->pos;
    uint32_t c = aio__utf8_next(words->text, &next);
    if (!is_word(c) && out->n > 0) break;
    words->pos = next;
    if (is_word(c) && !is_mark(c)) put(out, fold(c), &cut);
  }
  if (out->n == 0) return false;
  end_of_word(words, out);
  return true;
}

uint64_t aio__fts_count_words(aio__str text) {
  aio__fts_words words;
  aio__fts_word word;
  uint64_t n = 0;
  aio__fts_words_init(&words, text);
  while (aio__fts_words_next(&words, &word)) n += word.compound ? 0 : 1;
  return n;
}

static bool is_stop_word(const aio__fts_word *word) {
  for (size_t i = 0; STOP_WORDS[i] != NULL; i++)
    if (aio__str_eqz((aio__str){word->text, word->n}, STOP_WORDS[i])) return true;
  return false;
}

static bool same_stem(const aio__fts_word *a, const aio__fts_word *b) {
  char x[AIO__FTS_WORD_MAX], y[AIO__FTS_WORD_MAX];
  memcpy(x, a->text, a->n);
  memcpy(y, b->text, b->n);
  aio__str left = {x, aio__fts_stem(x, a->n)}, right = {y, aio__fts_stem(y, b->n)};
  return aio__str_eq(left, right);
}

static void add_term(aio__fts_query *query, const aio__fts_word *word) {
  for (size_t i = 0; i < query->n; i++)
    if (same_stem(&query->term[i].word, word)) return;
  if (query->n == AIO__FTS_TERMS_MAX) return;
  query->term[query->n].word = *word;
  query->term[query->n].weight = 1.0;
  query->n++;
}

static void gather(aio__str question, bool stop_words, aio__fts_query *out) {
  aio__fts_words words;
  aio__fts_word word;
  out->n = 0;
  aio__fts_words_init(&words, question);
  while (out->n < AIO__FTS_TERMS_MAX && aio__fts_words_next(&words, &word))
    if (stop_words || !is_stop_word(&word)) add_term(out, &word);
}

/* Adds the kin of one word, of less weight. */
static void add_kin(aio__fts_query *query, const char *kin) {
  aio__fts_words words;
  aio__fts_word word;
  aio__fts_words_init(&words, aio__str_z(kin));
  while (aio__fts_words_next(&words, &word)) {
    size_t before = query->n;
    add_term(query, &word);
    if (query->n > before) query->term[before].weight = KIN_WEIGHT;
  }
}

/* Stemming keeps the first letter, so most words of the table need no stemming. */
static bool is_kin_word(const aio__fts_word *asked, const char *text) {
  if (asked->compound || asked->text[0] != text[0]) return false;
  aio__fts_word word = {.n = strlen(text)};
  memcpy(word.text, text, word.n);
  return same_stem(asked, &word);
}

static void add_all_kin(aio__fts_query *query) {
  size_t count, asked = query->n;
  const aio__fts_kin *table = aio__fts_kin_table(&count);
  for (size_t i = 0; i < count && query->n < AIO__FTS_TERMS_MAX; i++) {
    bool meant = false;
    for (size_t k = 0; k < asked && !meant; k++) meant = is_kin_word(&query->term[k].word, table[i].word);
    if (meant) add_kin(query, table[i].kin);
  }
}

void aio__fts_query_parse(aio__str question, aio__fts_query *out) {
  if (question.n > AIO__FTS_QUESTION_MAX) question.n = aio__utf8_cut(question, AIO__FTS_QUESTION_MAX);
  gather(question, false, out);
  if (out->n == 0) gather(question, true, out);
  add_all_kin(out);
}

void aio__fts_term_write(const aio__fts_term *term, bool prefix, aio__buf *out) {
  aio__buf_char(out, '"'); /* a folded word has no quote in it */
  aio__buf_add(out, term->word.text, term->word.n);
  aio__buf_z(out, prefix ? "\"*" : "\"");
}
