/*
 * Negation: what does a text deny, and does the other deny it too?
 *
 * A count of "not" would tell little: "does not fit" and "is too large to fit" say the same, and long texts deny this
 * and that in passing. So each negation is taken with the next few words that mean something, and looks for a partner.
 */
#include "guard/hit_guard_parts.h"

enum {
  NEGATIONS_MAX = 24, /* that are compared: the first so many */
  NEGATED_WORDS_MAX = 6,
  NEGATED_REACH = 9, /* tokens in which they are looked for */
  SAID_WORDS = 3,    /* of those, the first so many, if the other says them, say what is denied */
  DOUBLE_REACH = 2,  /* tokens between "not" and "impossible" */
  KNOWING_REACH = 4,
  PREFIXED_MIN = 4, /* letters behind un-, in-, dis- */
  YET_REACH = 8,
  AKIN_MIN = 4, /* letters that two endings of a word share */
  AKIN_REST = 3 /* letters of an ending */
};

/* A word that negates, and what it negates: the next few words that mean something. */
typedef struct negation {
  uint32_t token;
  aio__str scope[NEGATED_WORDS_MAX];
  size_t scope_n;
  bool matched;
  bool yet; /* "has not arrived yet": how things stand, not what is asked */
} negation;

typedef struct negations {
  negation list[NEGATIONS_MAX];
  size_t n;
} negations;

bool aio__hit_ends_in_nt(const aio__hit_token *t) {
  return t->text.n > 3 && memcmp(t->text.p + t->text.n - 3, "n't", 3) == 0;
}

/* "I don't know why", "not sure how": says only that something is asked. */
static bool is_not_knowing(const aio__hit_text *text, uint32_t i) {
  for (uint32_t k = i + 1; k + 1 < text->n && k <= i + KNOWING_REACH && (text->tokens[k].flags & AIO__HIT_ENDS) == 0;
       k++) {
    if (!AIO__HIT_HAS(text->tokens[k].entry, KNOWING)) continue;
    uint32_t next = aio__hit_is(&text->tokens[k + 1], "out") && k + 2 < text->n ? k + 2 : k + 1;
    const aio__hit_token *after = &text->tokens[next];
    return AIO__HIT_HAS(after->entry, QUESTION) || aio__hit_is(after, "if") || aio__hit_is(after, "whether");
  }
  return false;
}

/* ", isn't it?" asks for consent and negates nothing; "No, ..." answers; "no. 5" counts; "too large to fit" does not
 * fit. */
static bool is_negation(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i], *after = i + 1 < text->n ? t + 1 : NULL;
  if (t->kind == AIO__HIT_NUMBER) {
    bool counts =
      aio__hit_is(t, "0") && (t->flags & (AIO__HIT_USED | AIO__HIT_MEASURE | AIO__HIT_COMMA | AIO__HIT_ENDS)) == 0;
    return counts && after != NULL && after->kind == AIO__HIT_WORD && aio__hit_is_content(after);
  }
  if (t->kind != AIO__HIT_WORD) return false;
  if (aio__hit_is(t, "too")) return i + 2 < text->n && aio__hit_is(t + 2, "to") && aio__hit_is_content(t + 1);
  bool nt = aio__hit_ends_in_nt(t);
  if (is_not_knowing(text, i)) return false;
  if (!nt && !AIO__HIT_HAS(t->entry, NEGATOR) && !AIO__HIT_HAS(t->entry, NEGATIVE)) return false;
  bool tag = i > 0 && (t[-1].flags & AIO__HIT_COMMA) != 0 && after != NULL && (after->flags & AIO__HIT_ENDS) != 0 &&
             AIO__HIT_HAS(after->entry, FUNCTION);
  if (nt && tag) return false;
  if (!aio__hit_is(t, "no")) return true;
  bool answer = (t->flags & AIO__HIT_STARTS) != 0 && (t->flags & (AIO__HIT_COMMA | AIO__HIT_ENDS)) != 0;
  return !answer && !(after != NULL && after->kind == AIO__HIT_NUMBER);
}

/* What a negative form denies: valid of invalid, sugar of sugar free. */
static aio__str positive_of(aio__str word) {
  const char *space = memchr(word.p, ' ', word.n);
  if (space != NULL) return aio__str_n(word.p, (size_t)(space - word.p));
  size_t prefix = word.n > 5 && (memcmp(word.p, "dis", 3) == 0 || memcmp(word.p, "non", 3) == 0) ? 3 : 2;
  return word.n > 4 ? aio__str_n(word.p + prefix, word.n - prefix) : word;
}

/* "unsuitable" denies when the other text has "suitable", whether or not the lexicon knows it. */
static bool is_denial_of(const aio__hit_token *t, const aio__hit_text *other) {
  static const char *const prefixes[] = {"un", "in", "im", "il", "ir", "dis", "non"};
  char first = t->text.n > PREFIXED_MIN ? t->text.p[0] : '\0';
  if (first != 'u' && first != 'i' && first != 'd' && first != 'n') return false;
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    size_t n = strlen(prefixes[i]);
    if (t->text.n < n + PREFIXED_MIN || memcmp(t->text.p, prefixes[i], n) != 0) continue;
    return aio__hit_text_find(other, aio__str_n(t->text.p + n, t->text.n - n),
                              aio__hit_hash(t->text.p + n, t->text.n - n)) != NULL;
  }
  return false;
}

static void read_scope(const aio__hit_text *text, bool prefixed, negation *out) {
  const aio__hit_token *own = &text->tokens[out->token];
  if (prefixed || AIO__HIT_HAS(own->entry, NEGATIVE)) {
    out->scope[out->scope_n++] = positive_of(own->text);
    return;
  }
  uint32_t from = out->token + (aio__hit_is(own, "too") ? 3 : 1);
  for (uint32_t k = from; k < text->n && k <= out->token + NEGATED_REACH && out->scope_n < NEGATED_WORDS_MAX; k++) {
    if ((text->tokens[k - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0) break;
    if (text->tokens[k].kind != AIO__HIT_WORD || aio__hit_is_content(&text->tokens[k]))
      out->scope[out->scope_n++] = text->tokens[k].text;
  }
  for (uint32_t k = from;
       k < text->n && k <= out->token + YET_REACH && (text->tokens[k - 1].flags & AIO__HIT_ENDS) == 0; k++) {
    out->yet = out->yet || aio__hit_is(&text->tokens[k], "yet");
  }
  if (out->token > 0) out->yet = out->yet || aio__hit_is(own - 1, "still");
}

bool aio__hit_akin(aio__str a, aio__str b) {
  size_t shorter = a.n < b.n ? a.n : b.n, same = 0;
  while (same < shorter && a.p[same] == b.p[same]) same++;
  return (same == a.n && same == b.n) || (same >= AKIN_MIN && a.n - same <= AKIN_REST && b.n - same <= AKIN_REST);
}

static bool shares_scope(const negation *a, const negation *b) {
  for (size_t i = 0; i < a->scope_n; i++) {
    for (size_t k = 0; k < b->scope_n; k++) {
      if (aio__hit_akin(a->scope[i], b->scope[k])) return true;
    }
  }
  return false;
}

/* The first of them; what negates itself ("not impossible") or says again what was said goes. */
static void find_negations(const aio__hit_text *text, const aio__hit_text *other, negations *out) {
  out->n = 0;
  for (uint32_t i = 0; i < text->n && out->n < NEGATIONS_MAX; i++) {
    bool plain = is_negation(text, i);
    bool prefixed = !plain && text->tokens[i].kind == AIO__HIT_WORD && is_denial_of(&text->tokens[i], other);
    if (!plain && !prefixed) continue;
    bool undone =
      out->n > 0 && i - out->list[out->n - 1].token <= DOUBLE_REACH && (text->tokens[i - 1].flags & AIO__HIT_ENDS) == 0;
    if (undone) {
      out->n--;
      continue;
    }
    negation *now = &out->list[out->n];
    *now = (negation){.token = i};
    read_scope(text, prefixed, now);
    bool again = false;
    for (size_t k = 0; k < out->n && now->scope_n > 0; k++)
      again = again || (out->list[k].scope_n > 0 && aio__str_eq(out->list[k].scope[0], now->scope[0]));
    out->n += !again;
  }
}

/* The other text says one of the first `words` that this negation denies, and denies it nowhere. */
static bool is_said(const negation *n, size_t words, const aio__hit_text *other, const negations *others) {
  for (size_t w = 0; w < n->scope_n && w < words; w++) {
    aio__str word = n->scope[w];
    bool denied = false;
    if (aio__hit_text_find(other, word, aio__hit_hash(word.p, word.n)) == NULL) continue;
    for (size_t i = 0; i < others->n; i++) {
      for (size_t k = 0; k < others->list[i].scope_n; k++)
        denied = denied || aio__hit_akin(others->list[i].scope[k], word);
    }
    if (!denied) return true;
  }
  return false;
}

/* Words like "wrong" and "failed" that only this text has: each may say what a negation in the other says. */
static size_t count_half_negative(const aio__hit_text *text, const aio__hit_text *other) {
  size_t n = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    n += AIO__HIT_HAS(t->entry, HALF_NEGATIVE) && aio__hit_text_find(other, t->text, t->hash) == NULL;
  }
  return n;
}

typedef struct remainder {
  size_t n;   /* negations without a partner */
  bool said;  /* the other text says the very word that one of them denies */
  bool grave; /* one of them refuses if the other text has no partner for it */
} remainder;

static remainder count_unmatched(const aio__hit_pair *pair, const negations *list, const aio__hit_text *other,
                                 const negations *others) {
  remainder out = {0};
  size_t words = pair->brief ? SAID_WORDS : 1;
  for (size_t i = 0; i < list->n; i++) {
    const negation *n = &list->list[i];
    if (n->matched) continue;
    out.n++;
    out.said = out.said || is_said(n, 1, other, others);
    out.grave = out.grave || is_said(n, words, other, others) || (pair->terse && !n->yet);
  }
  return out;
}

static void tell_negations(aio__hit_detail *detail, const aio__hit_text *text, const negations *list) {
  for (size_t i = 0; i < list->n; i++) {
    if (!list->list[i].matched) aio__hit_detail_add(detail, text->tokens[list->list[i].token].written);
  }
}

/* Negations that deny the same are partners, and "wrong" is one for "not right". A negation without a partner refuses
 * in a terse question; in a longer text, which may say "too large to fit" where the other says "does not fit", only
 * when the other says plainly what it denies. */
bool aio__hit_compare_negation(aio__hit_pair *pair) {
  negations a, b;
  find_negations(pair->question, pair->kept, &a);
  find_negations(pair->kept, pair->question, &b);
  if (a.n == 0 && b.n == 0) return false;
  for (size_t i = 0; i < a.n; i++) {
    for (size_t k = 0; k < b.n; k++) {
      if (shares_scope(&a.list[i], &b.list[k])) a.list[i].matched = b.list[k].matched = true;
    }
  }
  remainder left = count_unmatched(pair, &a, pair->kept, &b), right = count_unmatched(pair, &b, pair->question, &a);
  bool crossed = left.n > 0 && right.n > 0 && left.said && right.said; /* not X but Y, X but not Y */
  bool more_left = left.grave && left.n > right.n + count_half_negative(pair->kept, pair->question);
  bool more_right = right.grave && right.n > left.n + count_half_negative(pair->question, pair->kept);
  if (!crossed && !more_left && !more_right) return false;
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_NEGATION, &detail);
  tell_negations(&detail, pair->question, &a);
  aio__hit_detail_turn(&detail);
  tell_negations(&detail, pair->kept, &b);
  aio__hit_detail_end(&detail);
  return true;
}
