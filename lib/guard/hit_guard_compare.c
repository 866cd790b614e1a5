/*
 * Comparing what was found: numbers, dates and quantities as multisets, negation by parity and by what is negated,
 * alternatives of one set, and the kind of question.
 */
#include <string.h>

#include "guard/hit_guard_parts.h"

enum { DETAIL_PIECE_MAX = 60, NEGATIONS_MAX = 16, NEGATED_REACH = 4, QUESTION_REACH = 3 };

/* ---- details ----------------------------------------------------------------------------------------------------- */

static void detail_put(aio__hit_detail *detail, const char *p, size_t n) {
  size_t room = AIO__HIT_DETAIL_MAX - detail->n;
  if (n > room) n = aio__utf8_cut(aio__str_n(p, n), room);
  for (size_t i = 0; i < n; i++) detail->out[detail->n + i] = (char)((unsigned char)p[i] < ' ' || p[i] == 0x7F ? ' ' : p[i]);
  detail->n += n;
  detail->out[detail->n] = '\0';
}

void aio__hit_detail_begin(aio__hit_pair *pair, aio__hit_refusal guard, aio__hit_detail *detail) {
  pair->finding->refused_by = guard;
  *detail = (aio__hit_detail){.out = pair->finding->detail};
  detail->out[0] = '\0';
}

void aio__hit_detail_add(aio__hit_detail *detail, aio__str piece) {
  if (detail->any) detail_put(detail, " ", 1);
  detail_put(detail, piece.p, aio__utf8_cut(piece, DETAIL_PIECE_MAX));
  detail->any = true;
}

void aio__hit_detail_tokens(aio__hit_detail *detail, const aio__hit_text *text, uint32_t first, uint32_t last) {
  const char *from = text->tokens[first].written.p;
  const char *to = text->tokens[last].written.p + text->tokens[last].written.n;
  aio__hit_detail_add(detail, aio__str_n(from, (size_t)(to - from)));
}

/* Nothing stands for a side that has nothing: "not" alone. */
void aio__hit_detail_turn(aio__hit_detail *detail) {
  if (detail->any) detail_put(detail, ", ", 2);
  detail->any = false;
}

void aio__hit_detail_end(aio__hit_detail *detail) {
  if (detail->any || detail->n < 2) return;
  if (memcmp(detail->out + detail->n - 2, ", ", 2) == 0) detail->out[detail->n -= 2] = '\0';
}

/* ---- multisets of facts ------------------------------------------------------------------------------------------ */

typedef struct unmatched {
  bool left[2][AIO__HIT_FACTS_MAX]; /* of the question's, of the kept one's facts: has no partner */
  bool any[2], hard[2];
} unmatched;

static bool facts_equal(const aio__hit_lexicon *lexicon, const aio__hit_fact *a, const aio__hit_fact *b, bool units) {
  return a->a == b->a && a->b == b->b && (!units || aio__hit_units_equal(lexicon, a->unit, b->unit));
}

static void match(const aio__hit_pair *pair, const aio__hit_facts *a, const aio__hit_facts *b, bool units, unmatched *out) {
  memset(out->left[0], 1, a->n);
  memset(out->left[1], 1, b->n);
  out->any[0] = out->any[1] = out->hard[0] = out->hard[1] = false;
  for (size_t i = 0; i < a->n; i++) {
    for (size_t k = 0; k < b->n && out->left[0][i]; k++) {
      if (!out->left[1][k] || !facts_equal(pair->lexicon, &a->fact[i], &b->fact[k], units)) continue;
      out->left[0][i] = out->left[1][k] = false;
    }
    out->any[0] = out->any[0] || out->left[0][i];
    out->hard[0] = out->hard[0] || (out->left[0][i] && !a->fact[i].soft);
  }
  for (size_t k = 0; k < b->n; k++) {
    out->any[1] = out->any[1] || out->left[1][k];
    out->hard[1] = out->hard[1] || (out->left[1][k] && !b->fact[k].soft);
  }
}

static void tell_unmatched(aio__hit_pair *pair, aio__hit_refusal guard, const aio__hit_facts *a, const aio__hit_facts *b,
                           const unmatched *u) {
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, guard, &detail);
  for (size_t i = 0; i < a->n; i++) {
    if (u->left[0][i]) aio__hit_detail_tokens(&detail, pair->question, a->fact[i].first, a->fact[i].last);
  }
  aio__hit_detail_turn(&detail);
  for (size_t k = 0; k < b->n; k++) {
    if (u->left[1][k]) aio__hit_detail_tokens(&detail, pair->kept, b->fact[k].first, b->fact[k].last);
  }
  aio__hit_detail_end(&detail);
}

/* What only one text has refuses when it is hard; what is soft, when the other has something else in its place. */
static bool compare_facts(aio__hit_pair *pair, aio__hit_refusal guard, const aio__hit_facts *a, const aio__hit_facts *b, bool units) {
  if (a->full || b->full) {
    aio__hit_detail detail;
    aio__hit_detail_begin(pair, guard, &detail);
    aio__hit_detail_add(&detail, AIO__LIT("too many to compare"));
    return true;
  }
  if (a->n == 0 && b->n == 0) return false;
  unmatched u;
  match(pair, a, b, units, &u);
  if (!u.hard[0] && !u.hard[1] && !(u.any[0] && u.any[1])) return false;
  tell_unmatched(pair, guard, a, b, &u);
  return true;
}

/* "3 eggs and 2 cups", "2 eggs and 3 cups": the same numbers, counting other things. */
static bool compare_counted(aio__hit_pair *pair) {
  const aio__hit_facts *a = &pair->question->numbers, *b = &pair->kept->numbers;
  for (size_t i = 0; i < a->n; i++) {
    const aio__hit_fact *same = NULL, *other = NULL;
    for (size_t k = 0; k < b->n && a->fact[i].about != 0; k++) {
      if (b->fact[k].about != a->fact[i].about) continue;
      if (facts_equal(pair->lexicon, &a->fact[i], &b->fact[k], true)) same = &b->fact[k];
      else other = &b->fact[k];
    }
    if (other == NULL || same != NULL) continue;
    aio__hit_detail detail;
    aio__hit_detail_begin(pair, AIO__HIT_NUMBERS, &detail);
    aio__hit_detail_tokens(&detail, pair->question, a->fact[i].first, a->fact[i].last + 1);
    aio__hit_detail_turn(&detail);
    aio__hit_detail_tokens(&detail, pair->kept, other->first, other->last + 1);
    return true;
  }
  return false;
}

bool aio__hit_compare_numbers(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_NUMBERS, &pair->question->numbers, &pair->kept->numbers, false) || compare_counted(pair);
}

bool aio__hit_compare_dates(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_DATES, &pair->question->dates, &pair->kept->dates, false) ||
         aio__hit_compare_choices(pair, AIO__HIT_DATES);
}

bool aio__hit_compare_units(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_UNITS, &pair->question->numbers, &pair->kept->numbers, true) ||
         aio__hit_compare_choices(pair, AIO__HIT_UNITS);
}

/* ---- negation ---------------------------------------------------------------------------------------------------- */

typedef struct negations {
  size_t n;      /* all of them */
  size_t listed; /* of the first few */
  uint32_t token[NEGATIONS_MAX];
  uint32_t negated[NEGATIONS_MAX]; /* the token that each negates; UINT32_MAX: none is near */
} negations;

static bool ends_in_nt(const aio__hit_token *t) {
  return t->text.n > 3 && memcmp(t->text.p + t->text.n - 3, "n't", 3) == 0;
}

/* ", isn't it?" asks for consent and negates nothing; "No, ..." answers; "no. 5" counts. */
static bool is_negation(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i], *after = i + 1 < text->n ? t + 1 : NULL;
  bool nt = ends_in_nt(t) || (AIO__HIT_HAS(t->entry, NEGATOR) && t->text.n > 2 && memcmp(t->text.p + t->text.n - 2, "nt", 2) == 0);
  if (t->kind != AIO__HIT_WORD || !(AIO__HIT_HAS(t->entry, NEGATOR) || AIO__HIT_HAS(t->entry, NEGATIVE) || nt)) return false;
  bool tag = nt && i > 0 && (t[-1].flags & AIO__HIT_COMMA) != 0 && after != NULL && (after->flags & AIO__HIT_ENDS) != 0 && AIO__HIT_HAS(after->entry, FUNCTION);
  if (tag) return false;
  if (!aio__hit_is(t, "no")) return true;
  bool answer = (t->flags & AIO__HIT_STARTS) != 0 && (t->flags & (AIO__HIT_COMMA | AIO__HIT_ENDS)) != 0;
  return !answer && !(after != NULL && after->kind == AIO__HIT_NUMBER);
}

static void find_negations(const aio__hit_text *text, negations *out) {
  *out = (negations){0};
  for (uint32_t i = 0; i < text->n; i++) {
    if (!is_negation(text, i)) continue;
    out->n++;
    if (out->listed == NEGATIONS_MAX) continue;
    uint32_t negated = UINT32_MAX;
    bool own = AIO__HIT_HAS(text->tokens[i].entry, NEGATIVE); /* "invalid" negates itself */
    for (uint32_t k = i + 1; !own && k < text->n && k <= i + NEGATED_REACH && (text->tokens[k - 1].flags & AIO__HIT_ENDS) == 0; k++) {
      if (text->tokens[k].kind != AIO__HIT_WORD || !aio__hit_is_content(&text->tokens[k])) continue;
      negated = k;
      break;
    }
    out->token[out->listed] = i;
    out->negated[out->listed++] = negated;
  }
}

static bool negates(const aio__hit_text *text, const negations *list, const aio__hit_token *word) {
  for (size_t i = 0; i < list->listed; i++) {
    if (list->negated[i] != UINT32_MAX && aio__str_eq(text->tokens[list->negated[i]].text, word->text)) return true;
  }
  return false;
}

/* The first word that one text negates and the other says without negating it; NULL for none. */
static const aio__hit_token *only_negated_here(const aio__hit_text *text, const negations *list, const aio__hit_text *other,
                                               const negations *others) {
  for (size_t i = 0; i < list->listed; i++) {
    if (list->negated[i] == UINT32_MAX) continue;
    const aio__hit_token *word = &text->tokens[list->negated[i]];
    if (aio__hit_text_find(other, word->text, word->hash) != NULL && !negates(other, others, word)) return word;
  }
  return NULL;
}

bool aio__hit_compare_negation(aio__hit_pair *pair) {
  negations a, b;
  aio__hit_detail detail;
  find_negations(pair->question, &a);
  find_negations(pair->kept, &b);
  if (a.n % 2 != b.n % 2) {
    aio__hit_detail_begin(pair, AIO__HIT_NEGATION, &detail);
    for (size_t i = 0; i < a.listed; i++) aio__hit_detail_add(&detail, pair->question->tokens[a.token[i]].written);
    aio__hit_detail_turn(&detail);
    for (size_t i = 0; i < b.listed; i++) aio__hit_detail_add(&detail, pair->kept->tokens[b.token[i]].written);
    aio__hit_detail_end(&detail);
    return true;
  }
  if (a.n == 0 || b.n == 0) return false;
  const aio__hit_token *here = only_negated_here(pair->question, &a, pair->kept, &b);
  const aio__hit_token *there = only_negated_here(pair->kept, &b, pair->question, &a);
  if (here == NULL || there == NULL) return false;
  aio__hit_detail_begin(pair, AIO__HIT_NEGATION, &detail);
  aio__hit_detail_add(&detail, AIO__LIT("not"));
  aio__hit_detail_add(&detail, here->written);
  aio__hit_detail_turn(&detail);
  aio__hit_detail_add(&detail, AIO__LIT("not"));
  aio__hit_detail_add(&detail, there->written);
  return true;
}

/* ---- alternatives ------------------------------------------------------------------------------------------------ */

/* Each text has an alternative of one set that the other lacks. */
bool aio__hit_compare_choices(aio__hit_pair *pair, aio__hit_refusal guard) {
  const aio__hit_text *text = pair->question;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_entry *e = text->tokens[i].entry;
    for (size_t k = 0; e != NULL && k < e->choices_n; k++) {
      const aio__hit_choice *choice = &pair->lexicon->choices[e->choices[k]];
      if (choice->guard != guard || pair->marks[e->choices[k]] != 1) continue;
      uint32_t rival = pair->rivals[choice->set];
      if (rival == 0) continue;
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, guard, &detail);
      aio__hit_detail_add(&detail, text->tokens[i].written);
      aio__hit_detail_turn(&detail);
      aio__hit_detail_add(&detail, pair->kept->tokens[rival - 1].written);
      return true;
    }
  }
  return false;
}

/* ---- kinds of question ------------------------------------------------------------------------------------------- */

/* What is asked for: the question word that begins a sentence, or that follows "tell me" and its like. 0: none that says
 * it. */
static uint32_t question_kinds(const aio__hit_text *text, const aio__hit_token **word) {
  uint32_t kinds = 0;
  uint32_t begin = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if ((t->flags & AIO__HIT_STARTS) != 0) begin = i;
    bool asked = AIO__HIT_HAS(t->entry, QUESTION) && t->kind == AIO__HIT_WORD;
    bool leads = asked && i - begin <= QUESTION_REACH;
    for (uint32_t k = begin; k < i && leads; k++) leads = AIO__HIT_HAS(text->tokens[k].entry, LEAD);
    bool follows = asked && i > 0 && AIO__HIT_HAS(t[-1].entry, ASKING);
    if (!leads && !follows) continue;
    if (*word == NULL) *word = t;
    if (t->entry->question == 0) return 0; /* what, which, how: anything */
    kinds |= t->entry->question;
  }
  return kinds;
}

bool aio__hit_compare_questions(aio__hit_pair *pair) {
  const aio__hit_token *a = NULL, *b = NULL;
  uint32_t one = question_kinds(pair->question, &a), other = question_kinds(pair->kept, &b);
  if (one == 0 || other == 0 || (one & other) != 0) return aio__hit_compare_choices(pair, AIO__HIT_QUESTION);
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_QUESTION, &detail);
  aio__hit_detail_add(&detail, a->written);
  aio__hit_detail_turn(&detail);
  aio__hit_detail_add(&detail, b->written);
  return true;
}
