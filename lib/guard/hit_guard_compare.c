/*
 * Comparing what was found: numbers, dates and quantities as multisets, alternatives of one set, the kind of question,
 * and wording: texts that differ in one word, and texts of which one is far longer.
 */
#include <inttypes.h>
#include <stdio.h>
#include "guard/hit_guard_parts.h"

enum {
  DETAIL_PIECE_MAX = 60,
  QUESTION_REACH = 3,
  WORDS_MIN = 2,   /* words but articles */
  LENGTH_MIN = 24, /* tokens: a shorter text is not measured */
  LENGTH_FACTOR = 2
};

/* ---- details ----------------------------------------------------------------------------------------------------- */

static void detail_put(aio__hit_detail *detail, const char *p, size_t n) {
  size_t room = AIO__HIT_DETAIL_MAX - detail->n;
  if (n > room) n = aio__utf8_cut(aio__str_n(p, n), room);
  for (size_t i = 0; i < n; i++)
    detail->out[detail->n + i] = (char)((unsigned char)p[i] < ' ' || p[i] == 0x7F ? ' ' : p[i]);
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

/* The text has the unit with another number, or speaks of age where it is years. */
static bool implies_unit(const aio__hit_pair *pair, const aio__hit_text *text, uint64_t unit) {
  for (size_t i = 0; i < text->numbers.n; i++) {
    if (text->numbers.fact[i].unit == unit) return true;
  }
  for (uint32_t i = 0; i < text->n && unit == pair->lexicon->year; i++) {
    if (AIO__HIT_HAS(text->tokens[i].entry, AGE)) return true;
  }
  return false;
}

static bool facts_equal(const aio__hit_fact *a, const aio__hit_fact *b, bool units) {
  return a->a == b->a && a->b == b->b && (!units || a->unit == b->unit);
}

/* Of equal value, and one unit may mean the other: "10 pounds when I withdrew 30" says 30 pounds. */
static bool units_agree(const aio__hit_pair *pair, const aio__hit_fact *a, const aio__hit_fact *b) {
  if (a->a != b->a || a->b != b->b) return false;
  if (aio__hit_units_equal(pair->lexicon, a->unit, b->unit)) return true;
  if (a->unit == 0) return implies_unit(pair, pair->question, b->unit);
  return b->unit == 0 && implies_unit(pair, pair->kept, a->unit);
}

static bool is_hard(const aio__hit_pair *pair, const aio__hit_fact *fact) {
  return !fact->soft && (pair->brief || !fact->spelled) && (pair->terse || !fact->passing);
}

/* What is left of both when equal facts are taken away; of quantities also those that have one of another spelling. */
static void match(const aio__hit_pair *pair, const aio__hit_facts *a, const aio__hit_facts *b, bool units, unmatched *out) {
  bool agrees[2][AIO__HIT_FACTS_MAX] = {{false}};
  *out = (unmatched){.any = {false}};
  memset(out->left[0], 1, a->n);
  memset(out->left[1], 1, b->n);
  for (size_t i = 0; i < a->n; i++) {
    for (size_t k = 0; k < b->n && out->left[0][i]; k++) {
      if (out->left[1][k] && facts_equal(&a->fact[i], &b->fact[k], units)) out->left[0][i] = out->left[1][k] = false;
    }
  }
  for (size_t i = 0; i < a->n && units; i++) {
    for (size_t k = 0; k < b->n && out->left[0][i]; k++) {
      if (out->left[1][k] && units_agree(pair, &a->fact[i], &b->fact[k])) agrees[0][i] = agrees[1][k] = true;
    }
  }
  const aio__hit_facts *sides[2] = {a, b};
  for (size_t s = 0; s < 2; s++) {
    for (size_t i = 0; i < sides[s]->n; i++) {
      out->left[s][i] = out->left[s][i] && !agrees[s][i];
      out->any[s] = out->any[s] || out->left[s][i];
      out->hard[s] = out->hard[s] || (out->left[s][i] && is_hard(pair, &sides[s]->fact[i]));
    }
  }
}

static void tell_unmatched(aio__hit_pair *pair, aio__hit_refusal guard, const aio__hit_facts *a,
                           const aio__hit_facts *b, const unmatched *u) {
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
static bool compare_facts(aio__hit_pair *pair, aio__hit_refusal guard, const aio__hit_facts *a, const aio__hit_facts *b,
                          bool units) {
  if (a->full || b->full) {
    aio__hit_detail detail;
    aio__hit_detail_begin(pair, guard, &detail);
    aio__hit_detail_add(&detail, AIO__LIT("too many to compare"));
    return true;
  }
  if (a->n == 0 && b->n == 0) return false;
  unmatched u;
  match(pair, a, b, units, &u);
  if (!u.hard[0] && !u.hard[1] && !(u.any[0] && u.any[1] && (pair->brief || guard == AIO__HIT_DATES))) return false;
  tell_unmatched(pair, guard, a, b, &u);
  return true;
}

/* The first fact about something that the other text counts with another number only. */
static const aio__hit_fact *miscounted(const aio__hit_facts *a, const aio__hit_facts *b, const aio__hit_fact **instead) {
  for (size_t i = 0; i < a->n; i++) {
    bool same = false;
    *instead = NULL;
    for (size_t k = 0; k < b->n && a->fact[i].about != 0; k++) {
      if (b->fact[k].about != a->fact[i].about) continue;
      if (facts_equal(&a->fact[i], &b->fact[k], true)) same = true;
      else *instead = &b->fact[k];
    }
    if (*instead != NULL && !same) return &a->fact[i];
  }
  return NULL;
}

/* "3 eggs and 2 cups", "2 eggs and 3 cups": the same numbers, counting other things. */
static bool compare_counted(aio__hit_pair *pair) {
  const aio__hit_fact *there = NULL, *here = miscounted(&pair->question->numbers, &pair->kept->numbers, &there);
  if (here == NULL) there = miscounted(&pair->kept->numbers, &pair->question->numbers, &here);
  if (here == NULL || there == NULL) return false;
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_NUMBERS, &detail);
  aio__hit_detail_tokens(&detail, pair->question, here->first, here->last + 1);
  aio__hit_detail_turn(&detail);
  aio__hit_detail_tokens(&detail, pair->kept, there->first, there->last + 1);
  return true;
}

bool aio__hit_compare_numbers(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_NUMBERS, &pair->question->numbers, &pair->kept->numbers, false) ||
         compare_counted(pair);
}

bool aio__hit_compare_dates(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_DATES, &pair->question->dates, &pair->kept->dates, false) ||
         aio__hit_compare_choices(pair, AIO__HIT_DATES);
}

bool aio__hit_compare_units(aio__hit_pair *pair) {
  return compare_facts(pair, AIO__HIT_UNITS, &pair->question->numbers, &pair->kept->numbers, true) ||
         aio__hit_compare_choices(pair, AIO__HIT_UNITS);
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

/* "Where does this fee come from?" asks why. */
static bool comes_from(const aio__hit_text *text, uint32_t i) {
  if (!aio__hit_is(&text->tokens[i], "where")) return false;
  while (i + 1 < text->n && (text->tokens[i].flags & AIO__HIT_ENDS) == 0) i++;
  return aio__hit_is(&text->tokens[i], "from");
}

/* "When does it open", but not "when it opens, who comes". */
static bool is_asked(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i], *after = i + 1 < text->n ? t + 1 : NULL;
  bool may_subordinate = aio__hit_is(t, "when") || aio__hit_is(t, "where");
  return !may_subordinate || after == NULL || AIO__HIT_HAS(after->entry, AUXILIARY) || (t->flags & AIO__HIT_ENDS) != 0;
}

/* What is asked for: the question word that begins a sentence, or that follows "tell me" and its like. 0: none that
 * says it. */
static uint32_t question_kinds(const aio__hit_text *text, const aio__hit_token **word) {
  uint32_t kinds = 0;
  uint32_t begin = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if ((t->flags & AIO__HIT_STARTS) != 0) begin = i;
    bool question = AIO__HIT_HAS(t->entry, QUESTION) && t->kind == AIO__HIT_WORD;
    bool leads = question && i - begin <= QUESTION_REACH && is_asked(text, i);
    for (uint32_t k = begin; k < i && leads; k++) leads = AIO__HIT_HAS(text->tokens[k].entry, LEAD);
    bool follows = question && i > 0 && AIO__HIT_HAS(t[-1].entry, ASKING);
    if (!leads && !follows) continue;
    if (*word == NULL) *word = t;
    if (t->entry->question == 0 || comes_from(text, i)) return 0; /* what, which, how: anything */
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

/* ---- wording ----------------------------------------------------------------------------------------------------- */

static bool is_misspelling_of_longer(aio__str a, aio__str b) {
  size_t head = 0, tail = 0;
  if (b.n - a.n > 1 || a.n < 4) return false;
  while (head < a.n && a.p[head] == b.p[head]) head++;
  while (tail < a.n - head && a.p[a.n - 1 - tail] == b.p[b.n - 1 - tail]) tail++;
  return head + tail + 1 >= b.n;
}

/* recognise, recognize: a letter more, less or other. */
static bool is_misspelling(aio__str a, aio__str b) {
  if (a.n > b.n) return is_misspelling_of_longer(b, a);
  return is_misspelling_of_longer(a, b);
}

/* A plain word; units, dates and numbers were compared by what they say. */
static bool can_differ(const aio__hit_token *t) {
  const aio__hit_entry *e = t->entry;
  bool said = AIO__HIT_HAS(e, MONTH) || AIO__HIT_HAS(e, WEEKDAY) || AIO__HIT_HAS(e, DAY) || AIO__HIT_HAS(e, STEP) ||
              AIO__HIT_HAS(e, PERIOD) || AIO__HIT_HAS(e, TIME) || AIO__HIT_HAS(e, NUMBER) || AIO__HIT_HAS(e, ORDINAL) ||
              AIO__HIT_HAS(e, FRACTION) || AIO__HIT_HAS(e, NEGATOR) || AIO__HIT_HAS(e, HALF_NEGATIVE) ||
              AIO__HIT_HAS(e, QUESTION) || aio__hit_ends_in_nt(t) || (e != NULL && e->unit != 0) ||
              memchr(t->text.p, ' ', t->text.n) != NULL;
  return t->kind == AIO__HIT_WORD && t->text.n > 2 && aio__hit_is_content(t) && !said && !AIO__HIT_HAS(e, LOOSE) &&
         (t->flags & (AIO__HIT_USED | AIO__HIT_MEASURE)) == 0;
}

static bool are_synonyms(const aio__hit_token *x, const aio__hit_token *y) {
  for (size_t i = 0; x->entry != NULL && y->entry != NULL && i < x->entry->choices_n; i++) {
    for (size_t k = 0; k < y->entry->choices_n; k++) {
      if (x->entry->choices[i] == y->entry->choices[k]) return true;
    }
  }
  return false;
}

/* The same words in the same order, but for one in whose place the other has another word: front brakes, rear brakes.
 * Words that stand for many others (get, thing, good) say too little to tell. */
bool aio__hit_compare_words(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status) {
  aio__hit_sequence a, b;
  size_t at = 0;
  if (!aio__hit_sequence_read(pair->question, arena, &a) || !aio__hit_sequence_read(pair->kept, arena, &b)) {
    *status = AIORCH_E_NOMEM;
    return false;
  }
  while (at < a.n && at < b.n && aio__hit_sequence_same(&a, at, &b, at, 1)) at++;
  if (a.n != b.n || a.n < WORDS_MIN || at == a.n || !aio__hit_sequence_same(&a, at + 1, &b, at + 1, a.n - at - 1))
    return false;
  const aio__hit_token *x = &pair->question->tokens[a.token[at]], *y = &pair->kept->tokens[b.token[at]];
  if (!can_differ(x) || !can_differ(y) || are_synonyms(x, y)) return false;
  if (aio__hit_akin(x->text, y->text) || is_misspelling(x->text, y->text)) return false;
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_WORDS, &detail);
  aio__hit_detail_add(&detail, x->written);
  aio__hit_detail_turn(&detail);
  aio__hit_detail_add(&detail, y->written);
  return true;
}

/* One goes into much that the other does not touch. */
bool aio__hit_compare_length(aio__hit_pair *pair) {
  uint32_t a = pair->question->n, b = pair->kept->n, longer = a > b ? a : b, shorter = a > b ? b : a;
  if (longer < LENGTH_MIN || longer < shorter * LENGTH_FACTOR) return false;
  pair->finding->refused_by = AIO__HIT_LENGTH;
  snprintf(pair->finding->detail, sizeof pair->finding->detail, "%" PRIu32 " words, %" PRIu32 " words", a, b);
  return true;
}
