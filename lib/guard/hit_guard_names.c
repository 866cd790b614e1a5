/*
 * Identifiers and names: what the other text must have too, letter by letter, in whatever case.
 *
 * A name is a capitalised word in the middle of a sentence. It is in the other text when the word is, in any case, with
 * or without a plural s, or another spelling of the same name that the lexicon knows (USA, United States).
 */
#include "guard/hit_guard_parts.h"

enum {
  TOLD_MAX = 4,
  MISSING_MAX = 32,     /* names that are looked for in other spellings: with more missing it is refused */
  ABBREVIATION_MAX = 6, /* letters */
  ABBREVIATIONS_MAX = 8 /* that are tried for one name */
};

static bool is_upper(char c) {
  return (unsigned char)(c - 'A') < 26;
}

static bool finds(const aio__hit_text *text, const char *p, size_t n) {
  return aio__hit_text_find(text, aio__str_n(p, n), aio__hit_hash(p, n)) != NULL;
}

/* The word itself, or with or without the ending of a plural or of what belongs to a name: Brazil, Brazilian. */
static bool is_present(const aio__hit_text *text, const aio__hit_token *t) {
  static const char *const endings[] = {"s", "ic", "n", "an", "ian", "ish", "ese"};
  char other[AIO__HIT_WORD_MAX + 4];
  size_t n = t->text.n;
  if (aio__hit_text_find(text, t->text, t->hash) != NULL) return true;
  if (n < 2 || n > AIO__HIT_WORD_MAX || t->kind == AIO__HIT_NUMBER) return false;
  memcpy(other, t->text.p, n);
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t len = strlen(endings[i]);
    memcpy(other + n, endings[i], len);
    if (finds(text, other, n + len)) return true;
    if (n > len + 1 && memcmp(t->text.p + n - len, endings[i], len) == 0 && finds(text, t->text.p, n - len))
      return true;
    if (t->kind == AIO__HIT_CODE) break; /* plurals only */
  }
  return false;
}

/* The other text has the same alternative in another spelling. */
static bool has_synonym(const aio__hit_pair *pair, const aio__hit_token *t) {
  for (size_t k = 0; t->entry != NULL && k < t->entry->choices_n; k++) {
    uint16_t choice = t->entry->choices[k];
    if (pair->lexicon->choices[choice].guard == AIO__HIT_NAMES && pair->marks[choice] == 3) return true;
  }
  return false;
}

/* ---- abbreviations ----------------------------------------------------------------------------------------------- */

static bool is_abbreviation(const aio__hit_token *t) {
  return t->kind == AIO__HIT_WORD && (t->flags & AIO__HIT_CAPS) != 0 && t->text.n >= 2 && t->text.n <= ABBREVIATION_MAX;
}

/* Where the text spells an abbreviation out, "machine learning" for ML: its first token, or text->n. */
static uint32_t find_expansion(const aio__hit_text *text, const aio__hit_token *abbreviation) {
  uint32_t letters = (uint32_t)abbreviation->text.n;
  for (uint32_t i = 0; i + letters <= text->n; i++) {
    uint32_t k = 0;
    while (k < letters && text->tokens[i + k].kind == AIO__HIT_WORD && text->tokens[i + k].text.n > 1 &&
           text->tokens[i + k].text.p[0] == abbreviation->text.p[k]) {
      k++;
    }
    if (k == letters) return i;
  }
  return text->n;
}

/* Token i is part of what an abbreviation in the other text stands for, or such an abbreviation itself. */
static bool is_abbreviated(const aio__hit_text *text, uint32_t i, const aio__hit_text *other) {
  if (is_abbreviation(&text->tokens[i]) && find_expansion(other, &text->tokens[i]) < other->n) return true;
  size_t tried = 0;
  for (uint32_t k = 0; k < other->n && tried < ABBREVIATIONS_MAX && !other->flat; k++) {
    if (!is_abbreviation(&other->tokens[k])) continue;
    tried++;
    uint32_t from = find_expansion(text, &other->tokens[k]);
    if (from <= i && i < from + other->tokens[k].text.n) return true;
  }
  return false;
}

/* ---- identifiers ------------------------------------------------------------------------------------------------- */

/* The tokens of a quoted passage stand in the other text, one after the other. */
static bool has_passage(const aio__hit_text *text, const aio__hit_token *first, uint32_t count) {
  const aio__hit_token *found = aio__hit_text_find(text, first->text, first->hash);
  for (size_t probe = 0; found != NULL && probe < AIO__HIT_PROBE_MAX; probe++) {
    uint32_t from = (uint32_t)(found - text->tokens), same = 1;
    while (same < count && from + same < text->n && aio__str_eq(text->tokens[from + same].text, first[same].text))
      same++;
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

/* IterableDataset, user_id, feature/login: all its words stand in the other text. */
static bool has_parts(const aio__hit_text *other, const aio__hit_token *t) {
  size_t parts = 0, from = 0;
  const char *written = t->written.p;
  for (size_t i = 0; i <= t->text.n; i++) {
    bool joint = i == t->text.n || t->text.p[i] == '_' || t->text.p[i] == '/';
    bool hump = !joint && i > from && is_upper(written[i]) && !is_upper(written[i - 1]);
    if (!joint && !hump) continue;
    aio__str part = aio__str_n(t->text.p + from, i - from);
    if (part.n > 0 && aio__hit_text_find(other, part, aio__hit_hash(part.p, part.n)) == NULL) return false;
    parts += part.n > 0;
    from = hump ? i : i + 1;
  }
  return parts > 1;
}

/* What is in backticks must be there to the letter; what is quoted otherwise is prose, and may be said otherwise but in
 * a terse question. */
static bool lacks_quote(const aio__hit_pair *pair, const aio__hit_text *text, const aio__hit_text *other,
                        const aio__hit_quote *quote) {
  const aio__hit_token *first = &text->tokens[quote->first];
  uint32_t count = quote->end - quote->first;
  if (count > 1) return !has_passage(other, first, count) && (quote->code || pair->terse);
  if (quote->code)
    return aio__hit_text_find(other, first->text, first->hash) == NULL || differs_in_case(text, other, first);
  return !is_present(other, first) && pair->terse;
}

/* Two words with a slash between them, where the other text has no slash, or in prose: "modification/inspection" is no
 * path. */
static bool may_be_words(const aio__hit_pair *pair, const aio__hit_text *other, const aio__hit_token *t) {
  bool plain = t->text.n > 0 && t->text.p[0] != '/' && memchr(t->text.p, '/', t->text.n) != NULL;
  for (size_t i = 0; i < t->text.n && plain; i++) plain = t->text.p[i] == '/' || (unsigned char)(t->text.p[i] - 'a') < 26;
  for (uint32_t i = 0; i < other->n && plain && pair->terse; i++) {
    const aio__hit_token *o = &other->tokens[i];
    plain = o->kind != AIO__HIT_CODE || memchr(o->text.p, '/', o->text.n) == NULL;
  }
  return plain;
}

/* Identifiers of `text` that `other` lacks; how many. */
static size_t tell_missing_codes(const aio__hit_pair *pair, aio__hit_detail *detail, const aio__hit_text *text,
                                 const aio__hit_text *other) {
  size_t told = 0;
  for (size_t q = 0; q < text->quotes_n; q++) {
    const aio__hit_quote *quote = &text->quotes[q];
    if (lacks_quote(pair, text, other, quote)) tell(detail, &told, text, quote->first, quote->end - 1);
  }
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (t->kind != AIO__HIT_CODE || in_code(text, i) || is_present(other, t) || has_synonym(pair, t) ||
        has_parts(other, t))
      continue;
    if (may_be_words(pair, other, t)) continue;
    tell(detail, &told, text, i, i);
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
  size_t told = tell_missing_codes(pair, &detail, pair->question, pair->kept);
  aio__hit_detail_turn(&detail);
  told += tell_missing_codes(pair, &detail, pair->kept, pair->question);
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
  return AIO__HIT_HAS(t->entry, FUNCTION) || AIO__HIT_HAS(t->entry, COMMON) || AIO__HIT_HAS(t->entry, LEAD) ||
         AIO__HIT_HAS(t->entry, QUESTION);
}

/* The first word of a sentence is a name when the next one is: "John Smith lives where?" */
static bool is_name(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i];
  if (t->kind != AIO__HIT_WORD || (t->flags & AIO__HIT_CAPITAL) == 0 || has_other_guard(t)) return false;
  bool known_name = AIO__HIT_HAS(t->entry, NAME), caps = (t->flags & AIO__HIT_CAPS) != 0;
  bool ordinary = is_plain(t) || (AIO__HIT_HAS(t->entry, CHOICE) && !known_name);
  if (ordinary && !(caps && (known_name || !is_plain(t)))) return false; /* "us" is no country, "US" is */
  if ((t->flags & AIO__HIT_STARTS) == 0 || caps) return true;
  const aio__hit_token *next = i + 1 < text->n && (t->flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) == 0 ? t + 1 : NULL;
  return next != NULL && next->kind == AIO__HIT_WORD && (next->flags & AIO__HIT_CAPITAL) != 0 && !is_plain(next) &&
         !has_other_guard(next);
}

/* Iterable of IterableDataset. */
static bool is_part(const aio__hit_text *other, const aio__hit_token *t) {
  for (uint32_t i = 0; i < other->n; i++) {
    const aio__hit_token *code = &other->tokens[i];
    if (code->kind != AIO__HIT_CODE || code->text.n < t->text.n || code->text.n != code->written.n) continue;
    for (size_t k = 0; k + t->text.n <= code->text.n; k++) {
      bool begins = k == 0 || is_upper(code->written.p[k]),
           ends = k + t->text.n == code->text.n || is_upper(code->written.p[k + t->text.n]);
      if (begins && ends && memcmp(code->text.p + k, t->text.p, t->text.n) == 0) return true;
    }
  }
  return false;
}

static size_t tell_missing_names(aio__hit_pair *pair, aio__hit_detail *detail, const aio__hit_text *text,
                                 const aio__hit_text *other) {
  size_t told = 0, missing = 0;
  for (uint32_t i = 0; i < text->n && !text->flat; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (!is_name(text, i) || is_present(other, t) || has_synonym(pair, t)) continue;
    if (missing++ < MISSING_MAX && (is_abbreviated(text, i, other) || is_part(other, t))) continue;
    tell(detail, &told, text, i, i);
  }
  return told;
}

/* In a longer text a name that only one has may be a way of saying it ("the URL", "the location"); two names that each
 * lacks are not. */
bool aio__hit_compare_names(aio__hit_pair *pair) {
  aio__hit_detail detail;
  aio__hit_detail_begin(pair, AIO__HIT_NAMES, &detail);
  size_t left = tell_missing_names(pair, &detail, pair->question, pair->kept);
  aio__hit_detail_turn(&detail);
  size_t right = tell_missing_names(pair, &detail, pair->kept, pair->question);
  aio__hit_detail_end(&detail);
  if ((left > 0 && right > 0) || (left + right > 0 && pair->brief)) return true;
  pair->finding->refused_by = AIO__HIT_PASS;
  return aio__hit_compare_choices(pair, AIO__HIT_NAMES);
}
