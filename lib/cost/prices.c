/*
 * Prices, and the cost of an attempt in whole nano-USD.
 *
 * The sum of tokens * price / 10^6 over the classes, exact and rounded once, in 64 bits. With M = 10^6, tokens = q M +
 * r and price = s M + t (r, t < M):
 *
 *   tokens * price / M  =  q * price + r * s  +  r * t / M
 *
 * The first two terms are whole; r * t is below 10^12, so that the fractions of all classes add up without overflow.
 * All terms are >= 0: when a partial sum of the whole part passes int64, so does the cost.
 */
#include "cost/prices.h"

#include <aiorch/error.h>

#include <string.h>

#include "cost/price_lines.h"
#include "text/unpack.h"

static const int64_t MILLION = 1000000;
static const int64_t MS_PER_MINUTE = 60000;
static const int64_t MINUTES_A_DAY = 24 * 60;

enum { ARENA_BLOCK = 16384, SOURCES = 2 };

struct aio__prices {
  const aio__alloc *al;
  aio__arena arena;
  aio__price_line *lines[SOURCES]; /* the caller's, then ours */
  size_t count[SOURCES];
};

static uint32_t letter_bit(char c) { return UINT32_C(1) << ((unsigned char)c % 32); }

static uint32_t letters_of(aio__str patterns) {
  uint32_t letters = 0;
  for (size_t i = 0; i < patterns.n; i++) {
    if (i > 0 && patterns.p[i - 1] != '|') continue;
    letters |= patterns.p[i] == '*' || patterns.p[i] == '?' ? UINT32_MAX : letter_bit(patterns.p[i]);
  }
  return patterns.n > 0 ? letters : UINT32_MAX;
}

static void note_letters(aio__prices *prices) {
  for (int i = 0; i < SOURCES; i++) {
    for (size_t k = 0; k < prices->count[i]; k++) {
      aio__price_line *line = &prices->lines[i][k];
      line->provider_begins = letters_of(line->provider);
      line->model_begins = letters_of(line->model);
    }
  }
}

aiorch_status aio__prices_new(const aio__alloc *al, aio__str overrides, aio__prices **out, aiorch_error *error) {
  aio__prices *prices = aio__calloc(al, 1, sizeof *prices);
  if (prices == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for prices");
  prices->al = al;
  aio__arena_init(&prices->arena, al, ARENA_BLOCK);
  char *text = aio__unpack(&aio__data_prices, al);
  aiorch_status status = text != NULL ? AIORCH_OK : aio__error_set(error, AIORCH_E_NOMEM, "out of memory for prices");
  if (status == AIORCH_OK && overrides.n > 0) {
    status = aio__price_lines_read(&prices->arena, overrides, "cost.prices_file", &prices->lines[0], &prices->count[0],
                                   error);
  }
  if (status == AIORCH_OK) {
    status = aio__price_lines_read(&prices->arena, aio__str_n(text, aio__data_prices.len), "built-in prices",
                                   &prices->lines[1], &prices->count[1], error);
  }
  aio__free(al, text);
  if (status != AIORCH_OK) {
    aio__prices_free(prices);
    return status;
  }
  note_letters(prices);
  *out = prices;
  return AIORCH_OK;
}

void aio__prices_free(aio__prices *prices) {
  if (prices == NULL) return;
  aio__arena_free(&prices->arena);
  aio__free(prices->al, prices);
}

size_t aio__prices_count(const aio__prices *prices) {
  return prices->count[0] + prices->count[1];
}

const aio__price_line *aio__prices_line(const aio__prices *prices, size_t index) {
  if (index < prices->count[0]) return &prices->lines[0][index];
  index -= prices->count[0];
  return index < prices->count[1] ? &prices->lines[1][index] : NULL;
}

/* ---- which line ---- */

/* Going back to the last star is enough: an earlier one could match no more than a later one can. */
static bool match_one(aio__str pattern, aio__str name) {
  size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;
  while (n < name.n) {
    if (p < pattern.n && pattern.p[p] == '*') {
      star = p++;
      star_n = n;
    } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == name.p[n])) {
      p++;
      n++;
    } else if (star != SIZE_MAX) {
      p = star + 1;
      n = ++star_n;
    } else {
      return false;
    }
  }
  while (p < pattern.n && pattern.p[p] == '*') p++;
  return p == pattern.n;
}

/* Most patterns begin with another letter. */
static bool may_match(aio__str pattern, aio__str name) {
  char first = pattern.p[0];
  return first == '*' || (name.n > 0 && (first == '?' || first == name.p[0]));
}

bool aio__prices_match(aio__str patterns, aio__str name) {
  for (size_t at = 0; at <= patterns.n;) {
    const char *bar = at == patterns.n ? NULL : memchr(patterns.p + at, '|', patterns.n - at);
    size_t end = bar == NULL ? patterns.n : (size_t)(bar - patterns.p);
    aio__str pattern = aio__str_n(patterns.p + at, end - at);
    if (end > at && may_match(pattern, name) && match_one(pattern, name)) return true;
    at = end + 1;
  }
  return false;
}

static bool holds_at(const aio__price_line *line, int64_t wall_ms) {
  if (wall_ms < line->from_ms) return false;
  int64_t minute = wall_ms / MS_PER_MINUTE % MINUTES_A_DAY;
  if (minute < 0) minute = 0;
  return minute >= line->begin_min && minute < line->end_min;
}

const aio__price_line *aio__prices_find(const aio__prices *prices, aio__str provider, aio__str model,
                                        int64_t prompt_tokens, int64_t wall_ms) {
  const aio__price_line *line;
  uint32_t provider_letter = provider.n > 0 ? letter_bit(provider.p[0]) : UINT32_MAX;
  uint32_t model_letter = model.n > 0 ? letter_bit(model.p[0]) : UINT32_MAX;
  for (size_t i = 0; (line = aio__prices_line(prices, i)) != NULL; i++) {
    if (!(line->provider_begins & provider_letter) || !(line->model_begins & model_letter)) continue;
    if (prompt_tokens <= line->above_tokens || !holds_at(line, wall_ms)) continue;
    if (line->provider.n > 0 && !aio__prices_match(line->provider, provider)) continue;
    if (aio__prices_match(line->model, model)) return line;
  }
  return NULL;
}

/* ---- how much ---- */

typedef struct bill {
  const aio__price_line *line;
  int64_t whole, millionths;
} bill;

/* False when the class has no price, or the sum is too large. */
static bool charge(bill *b, int usage_class, int64_t tokens) {
  if (tokens == 0) return true;
  int64_t price = b->line->price[usage_class];
  if (price < 0) return false;
  int64_t first, second = tokens % MILLION * (price / MILLION);
  if (__builtin_mul_overflow(tokens / MILLION, price, &first)) return false;
  b->millionths += tokens % MILLION * (price % MILLION);
  return !__builtin_add_overflow(b->whole, first, &b->whole) && !__builtin_add_overflow(b->whole, second, &b->whole);
}

static bool charge_all(bill *b, const aio__usage *usage) {
  const int64_t *n = usage->n;
  int64_t long_lived = n[AIORCH_USAGE_CACHE_WRITE_1H];
  int64_t short_lived = n[AIORCH_USAGE_CACHE_WRITE] - long_lived; /* below 0 in a report that contradicts itself */
  return charge(b, AIORCH_USAGE_INPUT, n[AIORCH_USAGE_INPUT]) &&
         charge(b, AIORCH_USAGE_CACHE_READ, n[AIORCH_USAGE_CACHE_READ]) &&
         charge(b, AIORCH_USAGE_CACHE_WRITE, short_lived > 0 ? short_lived : 0) &&
         charge(b, AIORCH_USAGE_CACHE_WRITE_1H, long_lived) &&
         charge(b, AIORCH_USAGE_OUTPUT, n[AIORCH_USAGE_OUTPUT]) &&
         charge(b, AIORCH_USAGE_REASONING, n[AIORCH_USAGE_REASONING]);
}

/* All of the prompt: input classes are disjoint. At most 3 * 2^53. */
static int64_t prompt_tokens(const aio__usage *usage) {
  return usage->n[AIORCH_USAGE_INPUT] + usage->n[AIORCH_USAGE_CACHE_READ] + usage->n[AIORCH_USAGE_CACHE_WRITE];
}

bool aio__prices_cost(const aio__prices *prices, aio__str provider, aio__str model, const aio__usage *usage,
                      int64_t wall_ms, int64_t *nano_usd) {
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    if (usage->n[i] < 0 || usage->n[i] > INT64_C(1) << 53) return false;
  }
  if (!aio__usage_any(usage)) {
    *nano_usd = 0; /* no class is in use: whatever the price */
    return true;
  }
  bill b = {.line = aio__prices_find(prices, provider, model, prompt_tokens(usage), wall_ms)};
  if (b.line == NULL || !charge_all(&b, usage)) return false;
  int64_t sum;
  if (__builtin_add_overflow(b.whole, (b.millionths + MILLION / 2) / MILLION, &sum)) return false;
  *nano_usd = sum;
  return true;
}
