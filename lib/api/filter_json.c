/* Reading filters. */
#include "api/filter_json.h"

#include <string.h>

enum { SHOWN_MAX = 64 };

typedef struct reader {
  const char *where;
  aiorch_status (*add)(void *ctx, const aio__filter *filter);
  void *ctx;
  aiorch_error *error;
} reader;

static aiorch_status refuse(const reader *r, aio__str name, const char *words) {
  return aio__error_set(r->error, AIORCH_E_INVALID, "%s.%.*s %s", r->where,
                        (int)(name.n < SHOWN_MAX ? name.n : SHOWN_MAX), name.p, words);
}

/* {"prefix": "x"}, {"from": "a", "to": "b"}. */
static aiorch_status read_object(const reader *r, const aio__json_value *value, aio__filter *filter) {
  static const char form[] = "needs {\"prefix\": text} or {\"from\": text, \"to\": text}, one of the two bounds at least";
  aio__str from = {NULL, 0}, to = {NULL, 0}, prefix = {NULL, 0};
  for (const aio__json_value *at = aio__json_first(value); at; at = aio__json_next(at)) {
    aio__str key = aio__json_key(at), *out = NULL;
    if (aio__str_eqz(key, "prefix")) out = &prefix;
    if (aio__str_eqz(key, "from")) out = &from;
    if (aio__str_eqz(key, "to")) out = &to;
    if (!out || !aio__json_str(at, out)) return refuse(r, filter->name, form);
  }
  bool range = from.p || to.p;
  if (range == (prefix.p != NULL)) return refuse(r, filter->name, form);
  filter->kind = range ? AIO__FILTER_RANGE : AIO__FILTER_PREFIX;
  filter->value = range ? from : prefix;
  filter->to = to;
  return AIORCH_OK;
}

static aiorch_status read_one(const reader *r, aio__str name, const aio__json_value *value) {
  aio__filter filter = {.name = name, .kind = AIO__FILTER_IS};
  if (aio__json_typeof(value) == AIO__JSON_OBJECT) {
    aiorch_status st = read_object(r, value, &filter);
    if (st) return st;
  } else if (!aio__json_str(value, &filter.value)) {
    return refuse(r, name, "needs a text, {\"prefix\": ...}, {\"from\": ..., \"to\": ...}, or a list of these");
  }
  return r->add(r->ctx, &filter);
}

aiorch_status aio__filters_read(const aio__json_value *object, const char *where,
                                aiorch_status (*add)(void *ctx, const aio__filter *filter), void *ctx,
                                aiorch_error *error) {
  reader r = {where, add, ctx, error};
  if (aio__json_typeof(object) != AIO__JSON_OBJECT)
    return aio__error_set(error, AIORCH_E_INVALID, "%s must be an object, as {\"lang\": \"en\"}", where);
  for (const aio__json_value *member = aio__json_first(object); member; member = aio__json_next(member)) {
    aio__str name = aio__json_key(member);
    bool list = aio__json_typeof(member) == AIO__JSON_ARRAY;
    if (list && aio__json_size(member) == 0) return refuse(&r, name, "has no value");
    aiorch_status st = list ? AIORCH_OK : read_one(&r, name, member);
    for (const aio__json_value *v = list ? aio__json_first(member) : NULL; v && st == AIORCH_OK; v = aio__json_next(v))
      st = read_one(&r, name, v);
    if (st) return st;
  }
  return AIORCH_OK;
}

/* Without NUL, which no store has in a text. */
static bool is_text(aio__str text, size_t most) {
  return text.n <= most && aio__utf8_check(text, NULL) == text.n && !(text.n && memchr(text.p, '\0', text.n));
}

const char *aio__filter_fault(const aio__filter *filter) {
  if (filter->name.n == 0 || !is_text(filter->name, AIO__FILTER_NAME_MAX)) return "a filter has a name of 1 to 63 bytes, in UTF-8 without NUL";
  if (!is_text(filter->value, AIO__FILTER_VALUE_MAX) || !is_text(filter->to, AIO__FILTER_VALUE_MAX)) {
    return "a filter has values of at most 1,024 bytes, in UTF-8 without NUL";
  }
  bool open = filter->kind == AIO__FILTER_RANGE && !filter->value.p && !filter->to.p;
  return open ? "a range needs a bound: from, to or both" : NULL;
}
