/* The stemmer of M. F. Porter, "An algorithm for suffix stripping", 1980, in the form that SQLite's FTS5 uses. */
#include <stdint.h>
#include <string.h>

#include "stores/fts_query.h"

enum { STEM_MIN = 3, STEM_MAX = 64 };

typedef struct stemmer {
  char *w;
  size_t n;
} stemmer;

static bool consonant(const char *w, size_t i) {
  switch (w[i]) {
  case 'a':
  case 'e':
  case 'i':
  case 'o':
  case 'u':
    return false;
  case 'y':
    return i == 0 || !consonant(w, i - 1);
  default:
    return true;
  }
}

/* How many times a vowel run is followed by a consonant run in the first n bytes: Porter's m. */
static size_t measure(const char *w, size_t n) {
  size_t m = 0, i = 0;
  while (i < n && consonant(w, i)) i++;
  while (i < n) {
    while (i < n && !consonant(w, i)) i++;
    if (i == n) break;
    m++;
    while (i < n && consonant(w, i)) i++;
  }
  return m;
}

static bool has_vowel(const char *w, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!consonant(w, i)) return true;
  return false;
}

static bool double_consonant(const char *w, size_t n) {
  return n >= 2 && w[n - 1] == w[n - 2] && consonant(w, n - 1);
}

/* consonant, vowel, consonant at the end, the last none of w, x, y: where an e was dropped. */
static bool ends_cvc(const char *w, size_t n) {
  return n >= 3 && consonant(w, n - 1) && !consonant(w, n - 2) && consonant(w, n - 3) && w[n - 1] != 'w' &&
         w[n - 1] != 'x' && w[n - 1] != 'y';
}

/* Lengths stand in the table and suffixes in the rule itself: this runs for each word of every question and text. */
typedef struct rule {
  uint8_t len, with_len;
  char suffix[8], with[5];
} rule;

#define RULE(suffix, with) {sizeof(suffix) - 1, sizeof(with) - 1, suffix, with}

/* The last two letters turn nearly every rule away. All suffixes have at least two. */
static inline bool ends_with(const stemmer *s, const char *suffix, size_t len) {
  if (s->n <= len) return false;
  const char *tail = s->w + s->n - len;
  if (tail[len - 1] != suffix[len - 1] || tail[len - 2] != suffix[len - 2]) return false;
  for (size_t i = 0; i + 2 < len; i++)
    if (tail[i] != suffix[i]) return false;
  return true;
}

#define ENDS(s, suffix) ends_with(s, suffix, sizeof(suffix) - 1)

static inline uint16_t pair_of(const char *p) {
  uint16_t pair;
  memcpy(&pair, p, sizeof pair);
  return pair;
}

#define LETTER(c) (UINT32_C(1) << ((c) - 'a'))

/* The first suffix that fits decides, whether or not what stands before it is long enough. `ends`: letters that the suffixes end with. */
static void apply(stemmer *s, const rule *rules, size_t count, uint32_t ends, size_t more_than) {
  if (s->n < 2 || !(ends & LETTER(s->w[s->n - 1]))) return;
  uint16_t last = pair_of(s->w + s->n - 2);
  for (size_t i = 0; i < count; i++) {
    const rule *r = &rules[i];
    if (pair_of(r->suffix + r->len - 2) != last || !ends_with(s, r->suffix, r->len)) continue;
    size_t stem = s->n - r->len;
    if (measure(s->w, stem) <= more_than) return;
    memcpy(s->w + stem, r->with, r->with_len);
    s->n = stem + r->with_len;
    return;
  }
}

static void step_1a(stemmer *s) {
  if (ENDS(s, "sses"))
    s->n -= 2;
  else if (ENDS(s, "ies"))
    s->n -= 2;
  else if (s->n > 1 && s->w[s->n - 1] == 's' && s->w[s->n - 2] != 's')
    s->n -= 1;
}

static void step_1b(stemmer *s) {
  if (ENDS(s, "eed")) {
    if (measure(s->w, s->n - 3) > 0) s->n -= 1;
    return;
  }
  if (ENDS(s, "ed") && has_vowel(s->w, s->n - 2))
    s->n -= 2;
  else if (ENDS(s, "ing") && has_vowel(s->w, s->n - 3))
    s->n -= 3;
  else
    return;
  if (ENDS(s, "at") || ENDS(s, "bl") || ENDS(s, "iz"))
    s->w[s->n++] = 'e';
  else if (double_consonant(s->w, s->n) && strchr("lsz", s->w[s->n - 1]) == NULL)
    s->n -= 1;
  else if (measure(s->w, s->n) == 1 && ends_cvc(s->w, s->n))
    s->w[s->n++] = 'e';
}

static void step_4(stemmer *s) {
  static const rule rules[] = {RULE("ement", ""), RULE("ance", ""), RULE("ence", ""), RULE("able", ""),
                               RULE("ible", ""),  RULE("ment", ""), RULE("ant", ""),  RULE("ent", ""),
                               RULE("ism", ""),   RULE("ate", ""),  RULE("iti", ""),  RULE("ous", ""),
                               RULE("ive", ""),   RULE("ize", ""),  RULE("al", ""),   RULE("er", ""),
                               RULE("ic", ""),    RULE("ou", "")};
  static const uint32_t ends = LETTER('t') | LETTER('e') | LETTER('m') | LETTER('i') | LETTER('s') | LETTER('l') | LETTER('r') |
                               LETTER('c') | LETTER('u');
  if (!ENDS(s, "ion"))
    apply(s, rules, sizeof rules / sizeof rules[0], ends, 1);
  else if ((s->w[s->n - 4] == 's' || s->w[s->n - 4] == 't') && measure(s->w, s->n - 3) > 1)
    s->n -= 3;
}

static void step_5(stemmer *s) {
  if (s->w[s->n - 1] == 'e') {
    size_t m = measure(s->w, s->n - 1);
    if (m > 1 || (m == 1 && !ends_cvc(s->w, s->n - 1))) s->n -= 1;
  }
  if (s->n > 1 && s->w[s->n - 1] == 'l' && s->w[s->n - 2] == 'l' && measure(s->w, s->n - 1) > 1) s->n -= 1;
}

size_t aio__fts_stem(char *word, size_t n) {
  static const rule step_2[] = {
    RULE("ational", "ate"), RULE("tional", "tion"), RULE("enci", "ence"),
    RULE("anci", "ance"), RULE("izer", "ize"), RULE("logi", "log"),
    RULE("bli", "ble"), RULE("alli", "al"), RULE("entli", "ent"),
    RULE("eli", "e"), RULE("ousli", "ous"), RULE("ization", "ize"),
    RULE("ation", "ate"), RULE("ator", "ate"), RULE("alism", "al"),
    RULE("iveness", "ive"), RULE("fulness", "ful"), RULE("ousness", "ous"),
    RULE("aliti", "al"), RULE("iviti", "ive"), RULE("biliti", "ble"),
  };
  static const rule step_3[] = {
    RULE("icate", "ic"), RULE("ative", ""), RULE("alize", "al"),
    RULE("iciti", "ic"), RULE("ical", "ic"), RULE("ful", ""),
    RULE("ness", ""),
  };
  if (n < STEM_MIN || n > STEM_MAX) return n;
  for (size_t i = 0; i < n; i++)
    if (word[i] < 'a' || word[i] > 'z') return n;
  stemmer s = {word, n};
  step_1a(&s);
  step_1b(&s);
  if (s.n > 1 && s.w[s.n - 1] == 'y' && has_vowel(s.w, s.n - 1)) s.w[s.n - 1] = 'i';
  static const uint32_t step_2_ends = LETTER('l') | LETTER('i') | LETTER('r') | LETTER('n') | LETTER('m') | LETTER('s');
  static const uint32_t step_3_ends = LETTER('e') | LETTER('i') | LETTER('l') | LETTER('s');
  apply(&s, step_2, sizeof step_2 / sizeof step_2[0], step_2_ends, 0);
  apply(&s, step_3, sizeof step_3 / sizeof step_3[0], step_3_ends, 0);
  step_4(&s);
  step_5(&s);
  return s.n;
}
