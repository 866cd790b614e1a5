/*
 * Numbers and quantities: 1,000 and "one thousand" and 1k are one number, 1/2 and "half" another; a unit or a currency
 * beside it belongs to it.
 *
 * A number is mantissa * 10^exponent / denominator, exactly. Decimals without a unit keep their last zeros: Python 3.1
 * is not Python 3.10, but $1.5 is $1.50.
 */
#include "guard/hit_guard_parts.h"

enum { EXPONENT_ZERO = 128, SPELLED_WORDS_MAX = 16, COUNTED_REACH = 2, SCALES_MAX = 2 };

static const uint64_t LARGEST = UINT64_C(1000000000000000);

typedef struct value {
  uint64_t mantissa;
  int exponent;
  uint32_t denominator; /* of fractions that have no decimals; else 1 */
  uint32_t zeros;       /* that it begins with: 007 is not 7 */
  bool negative, soft, spelled;
} value;

static const aio__hit_token *token_at(const aio__hit_text *text, uint32_t i) {
  return i < text->n ? &text->tokens[i] : NULL;
}

/* The token after i, unless a sentence or a clause ends between them. */
static const aio__hit_token *token_after(const aio__hit_text *text, uint32_t i) {
  if ((text->tokens[i].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0) return NULL;
  return token_at(text, i + 1);
}

static bool is_free(const aio__hit_token *t, aio__hit_kind kind) {
  return t != NULL && t->kind == kind && (t->flags & AIO__HIT_USED) == 0;
}

/* No last zeros behind the point. */
static void shorten(value *v) {
  while (v->mantissa % 10 == 0 && v->exponent < 0) v->mantissa /= 10, v->exponent++;
}

static void multiply(value *v, uint64_t by) {
  while (by % 10 == 0) by /= 10, v->exponent++;
  if (v->mantissa <= LARGEST && by <= 1000) v->mantissa *= by;
  while (v->exponent > 0 && v->mantissa <= LARGEST) v->mantissa *= 10, v->exponent--;
  shorten(v);
}

/* ---- digits ------------------------------------------------------------------------------------------------------ */

static value parse_digits(aio__str text) {
  value v = {.denominator = 1};
  bool point = false;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (c == '-') v.negative = true;
    if (c == '.') point = true;
    if (c < '0' || c > '9') continue;
    if (v.mantissa == 0 && c == '0' && !point && i + 1 < text.n && text.p[i + 1] != '.') v.zeros++; /* 007 */
    v.mantissa = v.mantissa * 10 + (uint64_t)(c - '0');
    v.exponent -= point;
  }
  v.soft = v.mantissa == 0; /* "0 fees" are no fees: hit_guard_negation.c takes it for a negation */
  return v;
}

/* n/d with as few figures as it can: 1/2 is 0.5, 1/3 stays; 2/20 is no fraction but two numbers written as one. */
static value make_ratio(uint64_t n, uint64_t d) {
  value v = {.mantissa = n, .denominator = (uint32_t)d};
  uint64_t a = n, b = d;
  while (b != 0) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  if (a != 1 || n >= d || d > 10) return v;
  uint64_t tens = d == 2 || d == 5 || d == 10 ? 10 : d == 4 ? 100 : d == 8 ? 1000 : 0;
  if (tens == 0) return v;
  v = (value){.mantissa = n * (tens / d), .exponent = tens == 10 ? -1 : tens == 100 ? -2 : -3, .denominator = 1};
  return v;
}

static value parse_ratio(aio__str text) {
  uint64_t part[2] = {0, 0};
  size_t k = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '/')
      k = 1;
    else if (text.p[i] != '-' && part[k] < LARGEST)
      part[k] = part[k] * 10 + (uint64_t)(text.p[i] - '0');
  }
  return make_ratio(part[0], part[1] & 0xFFFFFFFu);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* Cardinals that build larger ones: not "twice". */
static bool builds(const aio__hit_token *t) {
  return t != NULL && t->kind == AIO__HIT_WORD && AIO__HIT_HAS(t->entry, NUMBER) &&
         (t->entry->number > 3 || !AIO__HIT_HAS(t->entry, SOFT)) && !aio__hit_is(t, "twice") &&
         !aio__hit_is(t, "thrice");
}

static bool is_one(const aio__hit_token *t) {
  return t != NULL && aio__hit_is(t, "one");
}

static bool joins(const aio__hit_token *t) {
  return builds(t) || is_one(t);
}

/* Adds a word to what was read: twenty + three, one hundred (and) five, nineteen + ninety-nine. False: it begins
 * another number. */
static bool extend(uint64_t *current, uint64_t n) {
  bool tens = *current % 10 == 0 && *current % 100 >= 20 && n > 0 && n < 10;
  bool hundreds = *current > 0 && *current % 100 == 0 && n < 100;
  bool year = *current >= 13 && *current <= 99 && n >= 10 && n <= 99;
  if (*current == 0 || tens || hundreds)
    *current += n;
  else if (year)
    *current = *current * 100 + n;
  else
    return false;
  return true;
}

/* twenty-three, two thousand and five, a hundred, twenty-first. Returns how many tokens it has, 0 for none. */
static uint32_t read_spelled(const aio__hit_text *text, uint32_t i, value *out) {
  uint64_t total = 0, current = 0;
  uint32_t k = i, words = 0;
  bool scaled = false, ended = false;
  const aio__hit_token *t = token_at(text, i);
  if (t->kind != AIO__HIT_WORD) return 0;
  bool article = (aio__hit_is(t, "a") || aio__hit_is(t, "an")) && i + 1 < text->n && AIO__HIT_HAS(t[1].entry, SCALE);
  if (article) current = 1, k++, words++;
  for (; k < text->n && words < SPELLED_WORDS_MAX && !ended; k++, words++) {
    t = token_at(text, k);
    bool follows = words > (article ? 1u : 0u);
    if (k > i && (t[-1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0) break;
    if (joins(t)) {
      if (!extend(&current, t->entry->number)) break;
    } else if (t->kind == AIO__HIT_WORD && AIO__HIT_HAS(t->entry, SCALE) && words > 0) {
      if (current > LARGEST / 1000 || total > LARGEST) break;
      uint64_t scale = t->entry->number;
      if (scale < 1000)
        current *= scale;
      else
        total += current * (scale <= LARGEST ? scale : 1), current = 0;
      scaled = true;
    } else if (follows && scaled && aio__hit_is(t, "and") && joins(token_at(text, k + 1))) {
      continue;
    } else if (follows && AIO__HIT_HAS(t->entry, ORDINAL) && t->entry->ordinal < 100 && !aio__hit_is(t, "second") &&
               extend(&current, t->entry->ordinal)) {
      ended = true;
    } else {
      break;
    }
  }
  if (words == 0 || (article && words == 1)) return 0;
  *out = (value){.mantissa = total + current, .denominator = 1};
  out->spelled = true;
  out->soft = words == 1 && AIO__HIT_HAS(text->tokens[i].entry, SOFT);
  return words;
}

/* two thirds, one quarter, half a million, a third. */
static uint32_t read_fraction(const aio__hit_text *text, uint32_t i, value *out) {
  const aio__hit_token *t = &text->tokens[i], *after = token_after(text, i);
  uint64_t count = 0;
  if (t->kind == AIO__HIT_WORD && AIO__HIT_HAS(t->entry, FRACTION) && aio__hit_is(t, "half")) {
    *out = make_ratio(1, 2);
    out->soft = true;
    const aio__hit_token *scale = token_at(text, i + 2);
    if (after != NULL && (aio__hit_is(after, "a") || aio__hit_is(after, "an")) && scale != NULL &&
        AIO__HIT_HAS(scale->entry, SCALE)) {
      multiply(out, scale->entry->number);
      out->soft = false;
      return 3;
    }
    return 1;
  }
  if (after == NULL || !AIO__HIT_HAS(after->entry, FRACTION) || after->kind != AIO__HIT_WORD) return 0;
  bool article = aio__hit_is(t, "a") || aio__hit_is(t, "an");
  if (article || is_one(t))
    count = 1;
  else if (joins(t))
    count = t->entry->number;
  else if (t->kind == AIO__HIT_NUMBER && t->text.n == 1)
    count = (uint64_t)(t->text.p[0] - '0');
  bool plural = after->text.n > 1 && after->text.p[after->text.n - 1] == 's';
  if (count == 0 || (count > 1) != plural) return 0;
  *out = make_ratio(count, after->entry->fraction);
  out->soft = article;
  return 2;
}

/* ---- one number with its unit ------------------------------------------------------------------------------------ */

static bool is_money_sign(const aio__hit_token *t) {
  if (t == NULL || !AIO__HIT_HAS(t->entry, MONEY)) return false;
  char c = t->text.p[0];
  return t->text.n <= 3 && ((unsigned char)(c - 'a') >= 26 || t->text.n == 3); /* a sign, or a code: USD */
}

static bool is_inches(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *after = token_after(text, i);
  return after == NULL || aio__hit_is(after, "too") || aio__hit_is(after, "long") || aio__hit_is(after, "wide") ||
         aio__hit_is(after, "by");
}

/* The unit that follows token `last`; how many tokens it has, 0 for none. */
static uint32_t read_unit(const aio__hit_text *text, uint32_t last, uint64_t *unit) {
  const aio__hit_token *t = token_after(text, last);
  if (t == NULL || t->kind != AIO__HIT_WORD || t->entry == NULL || t->entry->unit == 0) return 0;
  bool glued = (t->flags & AIO__HIT_GLUED) != 0;
  bool loose = !AIO__HIT_HAS(t->entry, GLUED_UNIT) || AIO__HIT_HAS(t->entry, LOOSE_UNIT);
  if (!glued && aio__hit_is(t, "in")) loose = is_inches(text, last + 1);
  if (!glued && !loose) return 0;
  *unit = t->entry->unit;
  return 1;
}

static void add(aio__hit_text *text, value v, uint64_t unit, uint32_t first, uint32_t last) {
  aio__hit_facts *facts = &text->numbers;
  if (facts->n == facts->cap) {
    facts->full = true;
    return;
  }
  if (unit != 0) {
    shorten(&v);
    v.zeros = 0;
  }
  uint64_t rest = (uint64_t)v.zeros << 16 | (uint64_t)(v.exponent + EXPONENT_ZERO) << 1 | (v.negative ? 1u : 0u);
  aio__hit_fact fact = {.a = v.mantissa,
                        .b = rest << 32 | v.denominator,
                        .unit = unit,
                        .first = first,
                        .last = last,
                        .soft = v.soft,
                        .spelled = v.spelled};
  for (uint32_t k = last + 1; unit == 0 && k < text->n && k <= last + COUNTED_REACH; k++) {
    const aio__hit_token *t = &text->tokens[k];
    if ((text->tokens[k - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0) break;
    if (t->kind != AIO__HIT_WORD || !aio__hit_is_content(t)) continue;
    fact.about = t->hash;
    break;
  }
  facts->fact[facts->n++] = fact;
}

static void add_plain(aio__hit_text *text, uint64_t n, uint32_t i) {
  add(text, (value){.mantissa = n, .denominator = 1}, 0, i, i);
}

/* "two and a half", "1 1/2": what is added to the number that ends with token `last`. */
static uint32_t read_half(const aio__hit_text *text, uint32_t last, value *v) {
  const aio__hit_token *t = token_after(text, last), *t2 = token_at(text, last + 2), *t3 = token_at(text, last + 3);
  if (t == NULL || v->denominator != 1 || v->exponent != 0 || v->mantissa > LARGEST) return 0;
  bool words = aio__hit_is(t, "and") && t2 != NULL && aio__hit_is(t2, "a") && t3 != NULL && aio__hit_is(t3, "half");
  if (words) {
    *v = (value){.mantissa = v->mantissa * 10 + 5, .exponent = -1, .denominator = 1};
    return 3;
  }
  if (!is_free(t, AIO__HIT_RATIO)) return 0;
  value ratio = parse_ratio(t->text);
  if (ratio.denominator != 1) return 0;
  uint64_t tens = ratio.exponent == -1 ? 10 : ratio.exponent == -2 ? 100 : 1000;
  *v = (value){.mantissa = v->mantissa * tens + ratio.mantissa, .exponent = ratio.exponent, .denominator = 1};
  return 1;
}

/* The number at token i before what multiplies it; how many tokens it has, 0 for none. */
static uint32_t read_base(const aio__hit_text *text, uint32_t i, value *v) {
  const aio__hit_token *t = &text->tokens[i];
  if ((t->flags & AIO__HIT_USED) != 0) return 0;
  uint32_t used = read_fraction(text, i, v);
  if (used > 0) return used;
  if (t->kind == AIO__HIT_RATIO || t->kind == AIO__HIT_NUMBER) {
    *v = t->kind == AIO__HIT_RATIO ? parse_ratio(t->text) : parse_digits(t->text);
    return 1;
  }
  used = read_spelled(text, i, v);
  if (used > 0) return used;
  bool ordinal = AIO__HIT_HAS(t->entry, ORDINAL), number = AIO__HIT_HAS(t->entry, NUMBER); /* "first", "twice" */
  if (t->kind != AIO__HIT_WORD || !(ordinal || number)) return 0;
  *v = (value){.mantissa = ordinal ? t->entry->ordinal : t->entry->number,
               .denominator = 1,
               .soft = AIO__HIT_HAS(t->entry, SOFT)};
  return 1;
}

static bool is_scale(const aio__hit_token *t) {
  if (t == NULL || t->kind != AIO__HIT_WORD) return false;
  bool glued = (t->flags & AIO__HIT_GLUED) != 0 && AIO__HIT_HAS(t->entry, GLUED_SCALE) && t->entry->unit == 0;
  return glued || AIO__HIT_HAS(t->entry, SCALE); /* 5k, 5 million */
}

/* The number at token i; how many tokens it has, 0 for none. */
static uint32_t read_value(const aio__hit_text *text, uint32_t i, value *v) {
  uint32_t used = read_base(text, i, v);
  if (used == 0) return 0;
  used += read_half(text, i + used - 1, v);
  for (size_t n = 0; n < SCALES_MAX && is_scale(token_after(text, i + used - 1)); n++) {
    multiply(v, text->tokens[i + used].entry->number);
    used++;
  }
  return used + read_half(text, i + used - 1, v);
}

/* "an hour", "per day" with an article: one, softly. */
static uint32_t read_article(aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i];
  uint64_t unit = 0;
  if (!aio__hit_is(t, "a") && !aio__hit_is(t, "an")) return 0;
  const aio__hit_token *after = token_after(text, i);
  const aio__hit_token *counted = token_at(text, i + 2);
  if (counted != NULL && counted->kind == AIO__HIT_NUMBER) return 0; /* a $1 fee */
  if (after == NULL || after->entry == NULL || after->entry->choices_n == 0 || read_unit(text, i, &unit) == 0) return 0;
  add(text, (value){.mantissa = 1, .denominator = 1, .soft = true}, unit, i, i + 1);
  return 2;
}

void aio__hit_numbers_find(aio__hit_text *text) {
  for (uint32_t i = 0; i < text->n;) {
    const aio__hit_token *t = &text->tokens[i];
    unsigned year, month, day;
    if (t->kind == AIO__HIT_DATE) {
      if (aio__hit_date_parts(t->text, &year, &month, &day)) {
        add_plain(text, year, i);
        if (month > 0) add_plain(text, day, i);
      }
      i++;
      continue;
    }
    value v = {.denominator = 1};
    uint32_t used = read_value(text, i, &v);
    if (used == 0) {
      uint32_t article = read_article(text, i);
      i += article > 0 ? article : 1;
      continue;
    }
    uint64_t unit = 0;
    uint32_t last = i + used - 1, first = i;
    last += read_unit(text, last, &unit);
    if (unit == 0 && i > 0 && is_money_sign(t - 1) && (t[-1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) == 0) {
      unit = t[-1].entry->unit;
      first = i - 1;
    }
    add(text, v, unit, first, last);
    for (uint32_t k = first; k <= last && unit != 0; k++)
      text->tokens[k].flags = (uint16_t)(text->tokens[k].flags | AIO__HIT_MEASURE);
    i = last + 1;
  }
}
