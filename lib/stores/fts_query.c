/* Words of a text, and the terms of a person's question. */
#include "stores/fts_query.h"

#include <string.h>

#include "core/hash.h"
#include "stores/fts_runs.h"
#include "stores/fts_synonyms.h"

enum {
  FOLDED_MAX = 8,
  COMPOUND_PARTS_MAX = 8,
  SEEN_MAX = 256
};

static const double KIN_WEIGHT = 0.35; /* of a word that was not asked for but may be meant */

/* What people write around what they ask for, in order. */
static const char STOP_WORDS[][8] = {
    "a", "about", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but",
    "by", "can", "could", "d", "did", "do", "does", "doing", "don", "for", "from", "get", "give", "had", "has",
    "have", "having", "he", "help", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its",
    "just", "know", "let", "like", "ll", "m", "may", "me", "might", "must", "my", "need", "of", "on", "or", "our",
    "please", "re", "s", "shall", "she", "should", "so", "some", "t", "tell", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "thing", "this", "those", "to", "too", "us", "ve", "very", "want", "was", "way",
    "we", "were", "what", "when", "where", "which", "who", "whom", "why", "will", "with", "would", "you", "your"};

/* Letters and digits in lower case; a space stands for what separates. */
static const char ASCII[] = "                                                0123456789      "
                            " abcdefghijklmnopqrstuvwxyz      abcdefghijklmnopqrstuvwxyz     ";

_Static_assert(sizeof ASCII == 129, "one for each character");

/* Letters of Latin-1 and Latin Extended-A without their marks; a space stands for what is no letter or has no plain form. */
static const char LATIN_1[] = "aaaaaa ceeeeiiii nooooo  uuuuy  aaaaaa ceeeeiiii nooooo  uuuuy y";
static const char LATIN_A[] = "aaaaaaccccccccdd  eeeeeeeeeegggggggghh  iiiiiiiii   jjkk llllll "
                              "   nnnnnn   oooooo  rrrrrrsssssssstttt  uuuuuuuuuuuuwwyyyzzzzzz";

static uint32_t fold(uint32_t c) {
  if (c >= 0xC0 && c <= 0xFF && LATIN_1[c - 0xC0] != ' ') return (uint32_t)LATIN_1[c - 0xC0];
  if (c >= 0xC0 && c <= 0xDE) return c + 32;
  if (c >= 0x100 && c <= 0x17E && LATIN_A[c - 0x100] != ' ') return (uint32_t)LATIN_A[c - 0x100];
  if (c >= 0x100 && c <= 0x137) return c | 1u;
  if (c >= 0x14A && c <= 0x177) return c | 1u;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0xFF10) {
    c = aio__fts_half_width(c);
    return c < 0x80 ? (uint32_t)ASCII[c] : c;
  }
  return c;
}

/* Beyond ASCII everything counts but spaces, punctuation, symbols and invisible characters. */
static bool is_word(uint32_t c) {
  if (c < 0x80) return ASCII[c] != ' ';
  if (c < 0xC0) return c == 0xAA || c == 0xB2 || c == 0xB3 || c == 0xB5 || c == 0xB9 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || c == UINT32_MAX) return false;
  if (c >= 0x2000 && c <= 0x2BFF) return false;
  if (c >= 0x3000 && c <= 0x3020) return c == 0x3005 || c == 0x3007;
  if (c == 0x3099 || c == 0x309A || c == 0x30A0 || c == 0x30FB) return false;
  if (c >= 0xFF00 && c <= 0xFF65) return aio__fts_half_width(c) != c;
  if (c >= 0xFE00 && c <= 0xFE6F) return false;
  return !(c == 0xFEFF || c == 0xFFFD || (c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0xE000 && c <= 0xF8FF));
}

static bool is_mark(uint32_t c) { return c >= 0x300 && c <= 0x36F; }

/* A run is cut from what stands beside it. */
static bool is_run_at(aio__str text, size_t pos) {
  return pos < text.n && (unsigned char)text.p[pos] >= AIO__FTS_RUN_BYTE && aio__fts_run_next(text, &pos) != 0;
}

/* What joins the words of one piece: pg_dump, e-mail, postgresql.conf. */
static bool is_joint(char c) { return c == '_' || c == '-' || c == '.'; }

void aio__fts_words_init(aio__fts_words *words, aio__str text) {
  memset(words, 0, sizeof *words);
  words->text = text;
}

/* What does not fit is left out. */
static void put(aio__fts_word *word, uint32_t c) {
  char bytes[FOLDED_MAX];
  size_t n = aio__utf8_put(c, bytes);
  if (word->n + n > sizeof word->text) return;
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
  size_t after = words->pos + 1;
  bool goes_on = after < words->text.n && is_joint(words->text.p[words->pos]) && !is_run_at(words->text, after) &&
                 is_word(aio__utf8_next(words->text, &after));
  if (goes_on || words->parts > 0) join(words, word);
  if (goes_on) words->pos++;
  else if (words->parts > 0) words->due = true;
}

/* Takes what is at words->pos, no ASCII; false: the word has ended before it. */
static bool take_character(aio__fts_words *words, aio__fts_word *out) {
  size_t next = words->pos;
  uint32_t c = aio__utf8_next(words->text, &next);
  if (out->n > 0 && (!is_word(c) || aio__fts_is_run(c))) return false;
  if (is_word(c) && !is_mark(c)) put(out, fold(c));
  words->pos = next;
  return true;
}

/* Takes the ASCII at words->pos; false: the word has ended in it. */
static bool take_ascii(aio__fts_words *words, aio__fts_word *out) {
  const unsigned char *text = (const unsigned char *)words->text.p;
  size_t pos = words->pos, end = words->text.n, n = out->n;
  if (n == 0) {
    while (pos < end && text[pos] < 0x80 && ASCII[text[pos]] == ' ') pos++;
    words->begin = pos;
  }
  for (; pos < end && text[pos] < 0x80 && ASCII[text[pos]] != ' '; pos++)
    if (n < sizeof out->text) out->text[n++] = ASCII[text[pos]];
  out->n = n;
  words->pos = pos;
  return pos == end || text[pos] >= 0x80 || n == 0;
}

/* The next word of a run; false: there is none at words->pos. */
static bool take_run(aio__fts_words *words, aio__fts_word *out) {
  if (words->pair_due) {
    size_t after = words->pos, from = words->begin;
    put(out, aio__fts_run_next(words->text, &from));
    put(out, aio__fts_run_next(words->text, &after));
    words->pair_due = false;
    return out->pair = true;
  }
  size_t begin = words->pos;
  uint32_t c = aio__fts_run_next(words->text, &words->pos);
  if (c == 0) return false;
  words->begin = begin;
  words->pair_due = is_run_at(words->text, words->pos);
  out->part = words->in_run || words->pair_due;
  words->in_run = true;
  put(out, c);
  return true;
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
  out->compound = out->part = out->pair = false;
  while (words->pos < words->text.n) {
    unsigned char byte = (unsigned char)words->text.p[words->pos];
    if (out->n == 0 && byte >= AIO__FTS_RUN_BYTE && take_run(words, out)) return true;
    words->in_run = false;
    if (byte < 0x80) {
      if (!take_ascii(words, out)) break;
      continue;
    }
    size_t before = words->pos;
    bool first = out->n == 0;
    if (!take_character(words, out)) break;
    if (first) words->begin = before;
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
  char text[sizeof STOP_WORDS[0]] = {0};
  size_t low = 0, high = sizeof STOP_WORDS / sizeof STOP_WORDS[0];
  if (word->n >= sizeof text) return false;
  memcpy(text, word->text, word->n);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = memcmp(text, STOP_WORDS[middle], sizeof text);
    if (order == 0) return true;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return false;
}

/* ---- the terms of a question ------------------------------------------------------------------------------------ */

/* The stems of the terms so far; most words are told apart by a hash. */
typedef struct stems {
  uint64_t hash[AIO__FTS_TERMS_MAX];
  size_t n[AIO__FTS_TERMS_MAX];
  char text[AIO__FTS_TERMS_MAX][AIO__FTS_WORD_MAX];
} stems;

typedef struct parser {
  aio__fts_query *out;
  stems stems;
} parser;

static size_t stem_copy(const aio__fts_word *word, char out[AIO__FTS_WORD_MAX]) {
  memcpy(out, word->text, word->n);
  return aio__fts_stem(out, word->n);
}

static bool has_stem(const stems *all, size_t term, aio__str stem) {
  return aio__str_eq((aio__str){all->text[term], all->n[term]}, stem);
}

static void add_term(parser *p, const aio__fts_word *word, double weight) {
  aio__fts_query *out = p->out;
  if (out->n == AIO__FTS_TERMS_MAX) return;
  char *text = p->stems.text[out->n];
  aio__str stem = {text, stem_copy(word, text)};
  uint64_t hash = aio__hash64(0, stem.p, stem.n);
  for (size_t i = 0; i < out->n; i++)
    if (p->stems.hash[i] == hash && has_stem(&p->stems, i, stem)) return;
  p->stems.hash[out->n] = hash;
  p->stems.n[out->n] = stem.n;
  aio__fts_term *term = &out->term[out->n++];
  term->word = *word;
  term->weight = weight;
  term->stem_n = (uint8_t)stem.n;
  size_t end = stem.n < sizeof term->stem_end ? stem.n : sizeof term->stem_end;
  memcpy(term->stem_end, stem.p + stem.n - end, end);
}

size_t aio__fts_term_form(const aio__fts_term *term, char out[AIO__FTS_WORD_MAX]) {
  memcpy(out, term->word.text, term->word.n);
  if (term->word.compound) return term->word.n;
  if (term->stem_n == 0) return aio__fts_stem(out, term->word.n);
  size_t end = term->stem_n < sizeof term->stem_end ? term->stem_n : sizeof term->stem_end;
  memcpy(out + term->stem_n - end, term->stem_end, end);
  return term->stem_n;
}

/* Where words stood that were looked at: long texts say the same ones again and again. */
typedef struct seen {
  struct {
    uint32_t begin, n;
  } at[SEEN_MAX];
} seen;

static bool seen_before(seen *s, const aio__fts_words *words) {
  const char *word = words->text.p + words->begin;
  uint32_t n = (uint32_t)(words->pos - words->begin), hash = n;
  for (uint32_t i = 0; i < n; i++) hash = hash * 31 + (unsigned char)word[i];
  size_t slot = (hash ^ hash >> 8) % SEEN_MAX;
  if (s->at[slot].n == n && memcmp(words->text.p + s->at[slot].begin, word, n) == 0) return true;
  s->at[slot].begin = (uint32_t)words->begin;
  s->at[slot].n = n;
  return false;
}

static void gather(parser *p, aio__str question, bool stop_words) {
  aio__fts_words words;
  aio__fts_word word;
  seen before = {0};
  p->out->n = 0;
  aio__fts_words_init(&words, question);
  while (p->out->n < AIO__FTS_TERMS_MAX && aio__fts_words_next(&words, &word)) {
    if (word.part || (!word.compound && !word.pair && seen_before(&before, &words))) continue;
    if (stop_words || !is_stop_word(&word)) add_term(p, &word, 1.0);
  }
}

/* ---- kindred words ---------------------------------------------------------------------------------------------- */

/* Adds the kin of one word, of less weight. */
static void add_kin(parser *p, const char *kin) {
  aio__fts_words words;
  aio__fts_word word;
  aio__fts_words_init(&words, aio__str_z(kin));
  while (aio__fts_words_next(&words, &word)) add_term(p, &word, KIN_WEIGHT);
}

static bool is_kin_word(const parser *p, size_t term, const aio__fts_kin *entry) {
  const stems *all = &p->stems;
  if (p->out->term[term].word.compound || strncmp(entry->stem, all->text[term], all->n[term]) != 0) return false;
  return entry->stem[all->n[term]] == '\0';
}

/* The first entry of the table that begins with `letter` or a later one. */
static size_t kin_from(const aio__fts_kin *table, size_t count, char letter) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table[middle].word[0] < letter)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void add_all_kin(parser *p) {
  bool meant[AIO__FTS_KIN_MAX] = {false};
  size_t count, asked = p->out->n;
  const aio__fts_kin *table = aio__fts_kin_table(&count);
  for (size_t k = 0; k < asked; k++) {
    char letter = p->out->term[k].word.text[0];
    for (size_t i = kin_from(table, count, letter); i < count && table[i].word[0] == letter; i++)
      meant[i] = meant[i] || is_kin_word(p, k, &table[i]);
  }
  for (size_t i = 0; i < count && p->out->n < AIO__FTS_TERMS_MAX; i++)
    if (meant[i]) add_kin(p, table[i].kin);
}

void aio__fts_query_parse(aio__str question, aio__fts_query *out) {
  parser p;
  p.out = out;
  if (question.n > AIO__FTS_QUESTION_MAX) question.n = aio__utf8_cut(question, AIO__FTS_QUESTION_MAX);
  gather(&p, question, false);
  if (out->n == 0) gather(&p, question, true);
  add_all_kin(&p);
}

bool aio__fts_has_longer(const aio__fts_word *word) {
  size_t digits = 0;
  while (digits < word->n && word->text[digits] >= '0' && word->text[digits] <= '9') digits++;
  return !word->compound && word->n >= AIO__FTS_PREFIX_MIN && digits < word->n;
}

void aio__fts_term_write(const aio__fts_term *term, bool prefix, aio__buf *out) {
  aio__buf_char(out, '"'); /* a folded word has no quote in it */
  aio__buf_add(out, term->word.text, term->word.n);
  aio__buf_z(out, prefix ? "\"*" : "\"");
}
