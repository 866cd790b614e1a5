/*
 * Identifiers and names: what the other text must have too, letter by letter, in whatever case.
 *
 * A name is a capitalised word in the middle of a sentence. It is in the other text when the word is, in any case, with or
 * without a plural s, or another spelling of the same name that the lexicon knows (USA, United States).
 */
#include <string.h>

#include "guard/hit_guard_parts.h"

enum { TOLD_MAX = 4 };

static bool is_present(const aio__hit_text *text, const aio__hit_token *t) {
  char other[AIO__HIT_WORD_MAX];
  size_t n = t->text.n;
  if (aio__hit_text_find(text, t->text, t->hash) != NULL) return true;
  if (n < 3 || n + 1 > sizeof other || t->kind == AIO__HIT_NUMBER) return false;
  if (t->text.p[n - 1] == 's') return aio__hit_text_find(text, aio__str_n(t->text.p, n - 1), aio__hit_hash(t->text.p, n - 1)) != NULL;
  memcpy(other, t->text.p, n);
  other[n] = 's';
  return aio__hit_text_find(text, aio__str_n(other, n + 1), aio__hit_hash(other, n + 1)) != NULL;
}

/* The other text has the same alternative in another spelling. */
static bool has_synonym(const aio__hit_pair *pair, const aio__hit_token *t) {
  for (size_t k = 0; t->entry != NULL && k < t->entry->choices_n; k++) {
    uint16_t choice = t->entry->choices[k];
    if (pair->lexicon->choices[choice].guard == AIO__HIT_NAMES && pair->marks[choice] == 3) return true;
  }
  return false;
}

/* ---- identifiers ------------------------------------------------------------------------------------------------- */

/* The tokens of a quoted passage stand in the other text, one after the other. */
static bool has_passage(const aio__hit_text *text, const aio__hit_token *first, uint32_t count) {
  const aio__hit_token *found = aio__hit_text_find(text, first->text, first->hash);
  for (size_t probe = 0; found != NULL && probe < AIO__HIT_PROBE_MAX; probe++) {
    uint32_t from = (uint32_t)(found - text->tokens), same = 1;
    while (same < count && from + same < text->n && aio__str_eq(text->tokens[from + same].text, first[same].text)) same++;
    if (same == count) return true;
    found = found->next == 0 ? NULL : &text->tokens[found->next - 1];
  }
  return false;
}

static bool in_code(const aio__hit_text *text, uint32_t i) {
  for (size_t q = 0; q < text->quotes_n; q++) {
    if (text->quotes[q].code && text->quotes[q].first <= i && i < text->quotes[q].end) return true;
  }
  return false;
}

/* Within backticks case counts: `Table` is not `table`, if both texts have them so and neither is flat. */
static bool differs_in_case(const aio__hit_text *text, const aio__hit_text *other, const aio__hit_token *t) {
  const aio__hit_token *found = aio__hit_text_find(other, t->text, t->hash);
  bool in_other = false;
  for (size_t probe = 0; found != NULL && probe < AIO__HIT_PROBE_MAX && !text->flat && !other->flat; probe++) {
    if (aio__str_eq(found->written, t->written)) return false;
    in_other = in_other || in_code(other, (uint32_t)(found - other->tokens));
    found = found->next == 0 ? NULL : &other->tokens[found->next - 1];
  }
  return in_other;
}

static void tell(aio__hit_detail *detail, size_t *told, const aio__hit_text *text, uint32_t first, uint32_t last) {
  if ((*told)++ < TOLD_MAX) aio__hit_detail_tokens(detail, text, first, last);
}

/* Identifiers of `text` that `other` lacks; how many. */
static size_t tell_missing_codes(aio__hit_detail *detail, const aio__hit_text *text, const aio__hit_text *other) {
  size_t told = 0;
  for (size_t q = 0; q < text->quotes_n; q++) {
    const aio__hit_quote *quote = &text->quotes[q];
    const aio__hit_token *first = &text->tokens[quote->first];
    uint32_t count = quote->end - quote->first;
    bool there = count == 1 ? is_present(other, first) : has_passage(other, first, count);
    if (there && quote->code && count == 1 && !differs_in_case(text, other, first)) continue;
    if (there && !(quote->code && count == 1)) continue;
    tell(detail, &told, text, quote->first, quote->end - 1);
  }
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (t->kind == AIO__HIT_CODE && (t->flags & AIO__HIT_QUOTED) == 0 && !is_present(other, t)) tell(detail, &told, text, i, i);
  }
  return told;
}

static bool has_codes(const aio__hit_text *text) {
  if (text->quotes_n > 0) return true;
  for (uint32_t i = 0; i < text->n; i++) {
    if (text->tokens[i].kind == AIO__HIT_CODE) return true;
  }
  return false;
}

bool aio__hit_compare_identifiers(aio__hit_pair *pair) {
  aio__hit_detail detail;
  if (!has_codes(pair->question) && !has_codes(pair->kept)) return false;
  aio__hit_detail_begin(pair, AIO__HIT_IDENTIFIERS, &detail);
  if (pair->question->quotes_full || pair->kept->quotes_full) {
    aio__hit_detail_add(&detail, AIO__LIT("too many quotes to compare"));
    return true;
  }
  size_t told = tell_missing_codes(&detail, pair->question, pair->kept);
  aio__hit_detail_turn(&detail);
  told += tell_missing_codes(&detail, pair->kept, pair->question);
  aio__hit_detail_end(&detail);
  if (told == 0) pair->finding->refused_by = AIO__HIT_PASS;
  return told > 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static bool has_other_guard(const aio__hit_token *t) {
  const aio__hit_entry *e = t->entry;
  return AIO__HIT_HAS(e, MONTH) || AIO__HIT_HAS(e, WEEKDAY) || AIO__HIT_HAS(e, DAY) || AIO__HIT_HAS(e, NUMBER) ||
         AIO__HIT_HAS(e, NEGATOR) || (t->flags & (AIO__HIT_USED | AIO__HIT_MEASURE | AIO__HIT_QUOTED)) != 0;
}

static bool is_plain(const aio__hit_token *t) {
  return AIO__HIT_HAS(t->entry, FUNCTION) || AIO__HIT_HAS(t->entry, COMMON) || AIO__HIT_HAS(t->entry, LEAD) || AIO__HIT_HAS(t->entry, QUESTION);
}

/* The first word of a sentence is a name when the next one is: "John Smith lives where?" */
static bool is_name(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i];
  if (t->kind != AIO__HIT_WORD || (t->flags & AIO__HIT_CAPITAL) == 0 || has_other_guard(t)) return false;
  bool known_name = AIO__HIT_HAS(t->entry, NAME), caps = (t->flags & AIO__HIT_CAPS) != 0;
  if (is_plain(t) && !(known_name && caps)) return false; /* "us" is no country, "US" is */
  if ((t->flags & AIO__HIT_STARTS) == 0 || caps) return true;
  const aio__hit_token *next = i + 1 < text->n && (t->flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) == 0 ? t + 1 : NULL;
  return next != NULL && next->kind == AIO__HIT_WORD && (next->flags & AIO__HIT_CAPITAL) != 0 && !is_plain(next) && !has_other_guard(next);
}

static size_t tell_missing_names(aio__hit_pair *pair, aio__hit_detail *detail, const aio__hit_text *text, const aio__hit_text *other) {
  size_t told = 0;
  for (uint32_t i = 0; i < text->n && !text->flat; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (is_name(text, i) && !is_present(other, t) && !has_synonym(pair, t)) tell(detail, &told, text, i, i);
  }
  return told;
}

bool aio__hit_compare_names(aio__hit_pair *pair) {
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_NAMES, &detail);
  size_t told = tell_missing_names(pair, &detail, pair->question, pair->kept);
  aio__hit_detail_turn(&detail);
  told += tell_missing_names(pair, &detail, pair->kept, pair->question);
  aio__hit_detail_end(&detail);
  if (told > 0) return true;
  pair->finding->refused_by = AIO__HIT_PASS;
  return aio__hit_compare_choices(pair, AIO__HIT_NAMES);
}
