/* See weighted_list.h. */
#include "core/weighted_list.h"

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static aiorch_status bad(const char *key, size_t number, const char *what, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\": number %zu of the list %s", key, number, what);
}

/* 0: it is no weight. */
static uint32_t weight_of(aio__str digits) {
  uint32_t weight = 0;
  for (size_t i = 0; i < digits.n; i++) {
    if (digits.p[i] < '0' || digits.p[i] > '9') return 0;
    weight = weight * 10 + (uint32_t)(digits.p[i] - '0');
    if (weight > AIO__WEIGHT_MAX) return 0;
  }
  return weight;
}

static aiorch_status parse_item(aio__str text, const char *key, size_t number, aio__weighted_item *out, aiorch_error *error) {
  size_t end = 0, at;
  while (end < text.n && !is_space(text.p[end])) end++;
  *out = (aio__weighted_item){aio__str_n(text.p, end), 1};
  if (end == 0) return bad(key, number, "is empty", error);
  for (at = end; at < text.n && is_space(text.p[at]); at++) {
  }
  if (at == text.n) return AIORCH_OK;
  if (text.p[at] != '*') return bad(key, number, "has white space in it; separate by commas, and write a weight as \" *3\"", error);
  out->weight = weight_of(aio__str_trim(aio__str_n(text.p + at + 1, text.n - at - 1)));
  return out->weight > 0 ? AIORCH_OK : bad(key, number, "has a weight that is no whole number from 1 to 1000", error);
}

aiorch_status aio__weighted_list_parse(aio__str text, const char *key, aio__weighted_list *out, aiorch_error *error) {
  out->count = 0;
  if (aio__str_trim(text).n == 0) return AIORCH_OK;
  for (size_t at = 0; at <= text.n;) {
    size_t end = at;
    while (end < text.n && text.p[end] != ',') end++;
    if (out->count == AIO__WEIGHTED_ITEMS_MAX) {
      return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\" has more than %d entries", key, AIO__WEIGHTED_ITEMS_MAX);
    }
    aio__str item = aio__str_trim(aio__str_n(text.p + at, end - at));
    aiorch_status st = parse_item(item, key, out->count + 1, &out->items[out->count], error);
    if (st) return st;
    out->count++;
    at = end + 1;
  }
  return AIORCH_OK;
}
