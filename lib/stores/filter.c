/* What fits a filter. Numbers are compared by their digits, so that none is too long or too fine. */
#include "stores/filter.h"

#include <string.h>

/* A number without its sign, leading and closing zeros. */
typedef struct number {
  bool negative;
  aio__str whole, fraction;
} number;

static size_t digits(aio__str text, size_t at) {
  size_t end = at;
  while (end < text.n && text.p[end] >= '0' && text.p[end] <= '9') end++;
  return end - at;
}

static bool read_number(aio__str text, number *out) {
  size_t at = text.n > 0 && text.p[0] == '-' ? 1 : 0, n = digits(text, at);
  bool negative = at == 1;
  if (n == 0) return false;
  *out = (number){negative, aio__str_n(text.p + at, n), aio__str_n("", 0)};
  at += n;
  if (at < text.n) {
    n = digits(text, at + 1);
    if (text.p[at] != '.' || n == 0 || at + 1 + n != text.n) return false;
    out->fraction = aio__str_n(text.p + at + 1, n);
  }
  while (out->whole.n > 0 && out->whole.p[0] == '0') {
    out->whole.p++;
    out->whole.n--;
  }
  while (out->fraction.n > 0 && out->fraction.p[out->fraction.n - 1] == '0') out->fraction.n--;
  if (out->whole.n + out->fraction.n == 0) out->negative = false;
  return true;
}

static int compare_numbers(const number *a, const number *b) {
  if (a->negative != b->negative) return a->negative ? -1 : 1;
  int order = a->whole.n != b->whole.n ? (a->whole.n < b->whole.n ? -1 : 1) : aio__str_cmp(a->whole, b->whole);
  if (order == 0) order = aio__str_cmp(a->fraction, b->fraction);
  return a->negative ? -order : order;
}

/* Are all bounds that there are numbers? */
static bool of_numbers(const aio__filter *range) {
  number bound;
  return (!range->value.p || read_number(range->value, &bound)) && (!range->to.p || read_number(range->to, &bound));
}

static bool in_range(const aio__filter *range, aio__str value) {
  number from, to, own;
  if (of_numbers(range) && read_number(value, &own)) {
    bool after = !range->value.p || (read_number(range->value, &from) && compare_numbers(&from, &own) <= 0);
    return after && (!range->to.p || (read_number(range->to, &to) && compare_numbers(&own, &to) <= 0));
  }
  bool after = !range->value.p || aio__str_cmp(range->value, value) <= 0;
  return after && (!range->to.p || aio__str_cmp(value, range->to) <= 0);
}

bool aio__filter_fits(const aio__filter *filter, aio__str value) {
  if (filter->kind == AIO__FILTER_PREFIX) return aio__str_starts(value, filter->value);
  if (filter->kind == AIO__FILTER_RANGE) return in_range(filter, value);
  return aio__str_eq(filter->value, value);
}

/* Numbers are in no order of bytes: all are looked at. */
aio__str aio__filter_first(const aio__filter *filter) {
  bool any = filter->kind == AIO__FILTER_RANGE && (!filter->value.p || of_numbers(filter));
  return any ? aio__str_n("", 0) : filter->value;
}

bool aio__filter_beyond(const aio__filter *filter, aio__str value) {
  if (filter->kind == AIO__FILTER_RANGE)
    return filter->to.p && !of_numbers(filter) && aio__str_cmp(value, filter->to) > 0;
  if (filter->kind == AIO__FILTER_PREFIX && aio__str_starts(value, filter->value)) return false;
  return aio__str_cmp(value, filter->value) > 0;
}
