/*
 * Lines of prices from JSON: {"prices": [line, ...]}, each line an object with "model" and any of "provider", "from"
 * (YYYY-MM-DD, UTC), "above_tokens", "utc" (HH:MM-HH:MM), the prices by token class, and "date" and "source", which say
 * when and where the price was read. Other members are mistakes and named as such.
 */
#include "cost/price_lines.h"

#include <aiorch/error.h>

#include <string.h>

#include "text/json.h"

enum { MINUTES_A_DAY = 24 * 60 };

static const int64_t MS_PER_DAY = INT64_C(86400000);

typedef struct reader {
  aio__arena *arena;
  const char *name;
  size_t number; /* of the line, from 1 */
  aiorch_error *error;
} reader;

static aiorch_status bad(const reader *r, const char *key, const char *wanted) {
  return aio__error_set(r->error, AIORCH_E_CONFIG, "%s: price number %zu: \"%s\" must be %s", r->name, r->number, key,
                        wanted);
}

static aiorch_status no_memory(const reader *r) {
  return aio__error_set(r->error, AIORCH_E_NOMEM, "%s: out of memory for prices", r->name);
}

/* Reads `count` digits at `at`; -1 when they are none. */
static int digits(aio__str text, size_t at, size_t count) {
  int value = 0;
  for (size_t i = at; i < at + count; i++) {
    if (i >= text.n || text.p[i] < '0' || text.p[i] > '9') return -1;
    value = value * 10 + (text.p[i] - '0');
  }
  return value;
}

static bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

static bool read_date(aio__str text, int64_t *ms) {
  int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-') return false;
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
  int64_t days = day - 1;
  for (int m = 1; m < month; m++) days += days_in_month(year, m);
  for (int y = 1970; y < year; y++) days += is_leap(y) ? 366 : 365;
  *ms = days * MS_PER_DAY;
  return true;
}

static int minute_of_day(aio__str text, size_t at) {
  int hour = digits(text, at, 2), minute = digits(text, at + 3, 2);
  if (hour < 0 || minute < 0 || minute > 59 || text.p[at + 2] != ':') return -1;
  int value = hour * 60 + minute;
  return value <= MINUTES_A_DAY ? value : -1;
}

static bool read_hours(aio__str text, aio__price_line *line) {
  if (text.n != 11 || text.p[5] != '-') return false;
  line->begin_min = minute_of_day(text, 0);
  line->end_min = minute_of_day(text, 6);
  return line->begin_min >= 0 && line->begin_min < line->end_min;
}

static aiorch_status read_text(const reader *r, const char *key, const aio__json_value *value, aio__str *out) {
  aio__str text;
  if (!aio__json_str(value, &text) || text.n == 0 || text.n > AIO__PRICES_TEXT_MAX) {
    return bad(r, key, "a text of 1 to 1000 bytes");
  }
  *out = aio__arena_str(r->arena, text);
  return out->p == NULL ? no_memory(r) : AIORCH_OK;
}

static aiorch_status read_count(const reader *r, const char *key, const aio__json_value *value, int64_t *out) {
  return aio__json_i64(value, out) && *out >= 0 ? AIORCH_OK : bad(r, key, "a whole number from 0 to 2^53");
}

static aiorch_status read_member(const reader *r, const char *key, const aio__json_value *value,
                                 aio__price_line *line) {
  aio__str text = {NULL, 0};
  (void)aio__json_str(value, &text);
  int64_t ignored;
  if (strcmp(key, "provider") == 0) return read_text(r, key, value, &line->provider);
  if (strcmp(key, "model") == 0) return read_text(r, key, value, &line->model);
  if (strcmp(key, "source") == 0) return read_text(r, key, value, &line->source);
  if (strcmp(key, "date") == 0) {
    return read_date(text, &ignored) ? read_text(r, key, value, &line->date) : bad(r, key, "a date, YYYY-MM-DD");
  }
  if (strcmp(key, "from") == 0) return read_date(text, &line->from_ms) ? AIORCH_OK : bad(r, key, "a date, YYYY-MM-DD");
  if (strcmp(key, "utc") == 0) return read_hours(text, line) ? AIORCH_OK : bad(r, key, "hours of a day, HH:MM-HH:MM");
  if (strcmp(key, "above_tokens") == 0) return read_count(r, key, value, &line->above_tokens);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    if (strcmp(key, aio__usage_name(i)) == 0) return read_count(r, key, value, &line->price[i]);
  }
  return aio__error_set(r->error, AIORCH_E_CONFIG,
                        "%s: price number %zu: there is no member \"%.60s\"; there are provider, model, from, "
                        "above_tokens, utc, input, cache_read, cache_write, cache_write_1h, output, reasoning, "
                        "date, source",
                        r->name, r->number, key);
}

static aiorch_status read_line(const reader *r, const aio__json_value *object, aio__price_line *line) {
  *line = (aio__price_line){.from_ms = INT64_MIN, .above_tokens = -1, .end_min = MINUTES_A_DAY};
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) line->price[i] = -1;
  if (aio__json_typeof(object) != AIO__JSON_OBJECT) {
    return aio__error_set(r->error, AIORCH_E_CONFIG, "%s: price number %zu is %s, not an object", r->name, r->number,
                          aio__json_type_name(aio__json_typeof(object)));
  }
  for (const aio__json_value *m = aio__json_first(object); m != NULL; m = aio__json_next(m)) {
    aiorch_status status = read_member(r, aio__json_key(m).p, m, line);
    if (status != AIORCH_OK) return status;
  }
  if (line->model.n == 0) return bad(r, "model", "there");
  /* Reasoning is sold as output unless a line says otherwise. */
  if (line->price[AIORCH_USAGE_REASONING] < 0) line->price[AIORCH_USAGE_REASONING] = line->price[AIORCH_USAGE_OUTPUT];
  return AIORCH_OK;
}

static aiorch_status read_lines(reader *r, const aio__json_value *root, aio__price_line **lines, size_t *count) {
  const aio__json_value *list = aio__json_get(root, "prices");
  if (aio__json_typeof(list) != AIO__JSON_ARRAY || aio__json_size(root) != 1) {
    return aio__error_set(r->error, AIORCH_E_CONFIG, "%s: {\"prices\": [...]} is needed", r->name);
  }
  size_t n = aio__json_size(list);
  if (n > AIO__PRICES_LINES_MAX) {
    return aio__error_set(r->error, AIORCH_E_CONFIG, "%s has %zu prices; at most %d are allowed", r->name, n,
                          (int)AIO__PRICES_LINES_MAX);
  }
  *count = n;
  if (n == 0) return AIORCH_OK;
  *lines = aio__arena_alloc(r->arena, n * sizeof **lines);
  if (*lines == NULL) return no_memory(r);
  aio__price_line *line = *lines;
  for (const aio__json_value *v = aio__json_first(list); v != NULL; v = aio__json_next(v)) {
    r->number++;
    aiorch_status status = read_line(r, v, line++);
    if (status != AIORCH_OK) return status;
  }
  return AIORCH_OK;
}

aiorch_status aio__price_lines_read(aio__arena *arena, aio__str json, const char *name, aio__price_line **lines,
                                    size_t *count, aiorch_error *error) {
  aio__json_limits limits = {AIO__PRICES_BYTES_MAX, AIO__JSON_MAX_DEPTH_CONFIG, AIORCH_E_CONFIG, name};
  aio__json *parsed;
  aiorch_status status = aio__json_parse(arena->al, json, &limits, &parsed, error);
  if (status != AIORCH_OK) return status == AIORCH_E_NOMEM ? status : AIORCH_E_CONFIG;
  reader r = {.arena = arena, .name = name, .error = error};
  status = read_lines(&r, aio__json_root(parsed), lines, count);
  aio__json_free(parsed);
  return status;
}
