/* The stemmer of M. F. Porter, "An algorithm for suffix stripping", 1980, in the form that SQLite's FTS5 uses. */
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

static bool ends(const stemmer *s, const char *suffix) {
  size_t len = strlen(suffix);
  return s->n > len && memcmp(s->w + s->n - len, suffix, len) == 0;
}

static void replace(stemmer *s, const char *suffix, const char *with) {
  s->n -= strlen(suffix);
  size_t len = strlen(with);
  memcpy(s->w + s->n, with, len);
  s->n += len;
}

typedef struct rule {
  const char *suffix, *with;
} rule;

/* The first suffix that fits decides, whether or not what stands before it is long enough. */
static void apply(stemmer *s, const rule *rules, size_t more_than) {
  for (; rules->suffix != NULL; rules++) {
    if (!ends(s, rules->suffix)) continue;
    if (measure(s->w, s->n - strlen(rules->suffix)) > more_than) replace(s, rules->suffix, rules->with);
    return;
  }
}

static void step_1a(stemmer *s) {
  if (ends(s, "sses"))
    s->n -= 2;
  else if (ends(s, "ies"))
    s->n -= 2;
  else if (s->n > 1 && s->w[s->n - 1] == 's' && s->w[s->n - 2] != 's')
    s->n -= 1;
}

static void step_1b(stemmer *s) {
  if (ends(s, "eed")) {
    if (measure(s->w, s->n - 3) > 0) s->n -= 1;
    return;
  }
  if (ends(s, "ed") && has_vowel(s->w, s->n - 2))
    s->n -= 2;
  else if (ends(s, "ing") && has_vowel(s->w, s->n - 3))
    s->n -= 3;
  else
    return;
  if (ends(s, "at") || ends(s, "bl") || ends(s, "iz"))
    s->w[s->n++] = 'e';
  else if (double_consonant(s->w, s->n) && strchr("lsz", s->w[s->n - 1]) == NULL)
    s->n -= 1;
  else if (measure(s->w, s->n) == 1 && ends_cvc(s->w, s->n))
    s->w[s->n++] = 'e';
}

static void step_4(stemmer *s) {
  static const char *const suffixes[] = {"ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate",
                                         "iti",   "ous",  "ive",  "ize",  "ion",  "al",   "er",  "ic",  "ou",  NULL};
  for (size_t i = 0; suffixes[i] != NULL; i++) {
    if (!ends(s, suffixes[i])) continue;
    size_t stem = s->n - strlen(suffixes[i]);
    bool fits = strcmp(suffixes[i], "ion") != 0 || s->w[stem - 1] == 's' || s->w[stem - 1] == 't';
    if (fits && measure(s->w, stem) > 1) s->n = stem;
    return;
  }
}

static void step_5(stemmer *s) {
  if (s->w[s->n - 1] == 'e') {
    size_t m = measure(s->w, s->n - 1);
    if (m > 1 || (m == 1 && !ends_cvc(s->w, s->n - 1))) s->n -= 1;
  }
  if (s->n > 1 && s->w[s->n - 1] == 'l' && s->w[s->n - 2] == 'l' && measure(s->w, s->n - 1) > 1) s->n -= 1;
}

size_t aio__fts_stem(char *word, size_t n) {
  static const rule step_2[] = {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"},
                                {"izer", "ize"},    {"logi", "log"},    {"bli", "ble"},   {"alli", "al"},
                                {"entli", "ent"},   {"eli", "e"},       {"ousli", "ous"}, {"ization", "ize"},
                                {"ation", "ate"},   {"ator", "ate"},    {"alism", "al"},  {"iveness", "ive"},
                                {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"},
                                {"biliti", "ble"},  {NULL, NULL}};
  static const rule step_3[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                                {"ical", "ic"},  {"ful", ""},   {"ness", ""},    {NULL, NULL}};
  if (n < STEM_MIN || n > STEM_MAX) return n;
  for (size_t i = 0; i < n; i++)
    if (word[i] < 'a' || word[i] > 'z') return n;
  stemmer s = {word, n};
  step_1a(&s);
  step_1b(&s);
  if (s.n > 1 && s.w[s.n - 1] == 'y' && has_vowel(s.w, s.n - 1)) s.w[s.n - 1] = 'i';
  apply(&s, step_2, 0);
  apply(&s, step_3, 0);
  step_4(&s);
  step_5(&s);
  return s.n;
}
