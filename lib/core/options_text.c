/* Values in text: ${NAME} from the environment, and numbers that read the same in every locale. */
#include "core/options_private.h"

#include <aiorch/error.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 255, NUMBER_MAX = 64, POINT_MAX = 8 };

/* ---- ${NAME} ---- */

static bool is_name_char(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* The name between the braces of `rest`, which begins with "${"; empty when it is none. */
static aio__str variable_name(aio__str rest) {
  size_t n = 2;
  while (n < rest.n && is_name_char(rest.p[n], n == 2)) n++;
  bool good = n > 2 && n < rest.n && rest.p[n] == '}' && n - 2 <= NAME_MAX_BYTES;
  return good ? aio__str_n(rest.p + 2, n - 2) : AIO__LIT("");
}

static aiorch_status add_variable(const aio__option *option, aio__str name, aio__buf *out, aiorch_error *error) {
  char copy[NAME_MAX_BYTES + 1];
  memcpy(copy, name.p, name.n);
  copy[name.n] = '\0';
  const char *value = getenv(copy);
  if (value == NULL) {
    return aio__error_set(error, AIORCH_E_CONFIG_ENV,
                          "\"%s\" names ${%s}, which is not in the environment; set it, or write $${ for a plain ${",
                          option->key, copy);
  }
  return aio__buf_z(out, value);
}

static aiorch_status no_name(const aio__option *option, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_CONFIG_ENV,
                        "\"%s\" has ${ without a name and a closing } after it; write ${NAME}, or $${ for a plain ${",
                        option->key);
}

static aiorch_status buf_failure(const aio__option *option, const aio__buf *buf, aiorch_error *error) {
  if (buf->failed == AIORCH_E_NOMEM) {
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for \"%s\"", option->key);
  }
  return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\" has more than %zu bytes with its variables replaced",
                        option->key, buf->max);
}

aiorch_status aio__option_expand(const aio__option *option, aio__str value, aio__buf *out, aiorch_error *error) {
  size_t at = 0;
  while (at < value.n && out->failed == AIORCH_OK) {
    aio__str rest = aio__str_n(value.p + at, value.n - at);
    if (aio__str_starts(rest, AIO__LIT("$${"))) {
      aio__buf_z(out, "${");
      at += 3;
    } else if (aio__str_starts(rest, AIO__LIT("${"))) {
      aio__str name = variable_name(rest);
      if (name.n == 0) return no_name(option, error);
      aiorch_status status = add_variable(option, name, out, error);
      if (status == AIORCH_E_CONFIG_ENV) return status;
      at += name.n + 3;
    } else {
      const char *dollar = rest.n == 1 ? NULL : memchr(rest.p + 1, '$', rest.n - 1);
      size_t run = dollar == NULL ? rest.n : (size_t)(dollar - rest.p);
      aio__buf_add(out, rest.p, run);
      at += run;
    }
  }
  return out->failed == AIORCH_OK ? AIORCH_OK : buf_failure(option, out, error);
}

/* ---- URLs ---- */

/* Takes [from, to) out of the text. */
static void cut_out(char *from, char *to) {
  size_t n = strlen(to);
  size_t gone = (size_t)(to - from);
  memmove(from, to, n + 1);
  explicit_bzero(from + n + 1, gone > 0 ? gone - 1 : 0);
}

void aio__url_hide_password(char *url) {
  char *at = strstr(url, "://");
  if (at == NULL) return;
  at += 3;
  /* Up to the last @, since a password may hold anything that somebody forgot to escape. */
  char *end = strrchr(at, '@'), *colon = end != NULL ? memchr(at, ':', (size_t)(end - at)) : NULL;
  if (colon != NULL) cut_out(colon, end);
  while ((at = strstr(at, "password=")) != NULL) {
    at += strlen("password=");
    cut_out(at, at + strcspn(at, "&"));
  }
}

/* ---- numbers ---- */

static bool is_digit(aio__str text, size_t at) {
  return at < text.n && text.p[at] >= '0' && text.p[at] <= '9';
}

static size_t skip_digits(aio__str text, size_t at) {
  while (is_digit(text, at)) at++;
  return at;
}

/* Past the integer part: an optional minus, then 0 or digits that do not begin with 0; 0 when there is none. */
static size_t skip_integer(aio__str text) {
  size_t at = text.n > 0 && text.p[0] == '-' ? 1 : 0;
  if (!is_digit(text, at)) return 0;
  return text.p[at] == '0' ? at + 1 : skip_digits(text, at);
}

bool aio__parse_i64(aio__str text, int64_t *out) {
  if (text.n == 0 || skip_integer(text) != text.n) return false;
  bool negative = text.p[0] == '-';
  uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, value = 0;
  for (size_t i = negative ? 1 : 0; i < text.n; i++) {
    uint64_t digit = (uint64_t)(text.p[i] - '0');
    if (value > (limit - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = negative ? -(int64_t)(value - (value > 0)) - (value > 0) : (int64_t)value;
  return true;
}

static bool is_number(aio__str text) {
  size_t at = skip_integer(text);
  if (at == 0) return false;
  if (at < text.n && text.p[at] == '.') {
    if (!is_digit(text, at + 1)) return false;
    at = skip_digits(text, at + 1);
  }
  if (at < text.n && (text.p[at] == 'e' || text.p[at] == 'E')) {
    at++;
    if (at < text.n && (text.p[at] == '+' || text.p[at] == '-')) at++;
    if (!is_digit(text, at)) return false;
    at = skip_digits(text, at);
  }
  return at == text.n;
}

/* The decimal point that strtod takes just now: whatever printf puts between the digits of 0.5. */
static size_t decimal_point(char out[POINT_MAX]) {
  char half[POINT_MAX + 3];
  int len = snprintf(half, sizeof half, "%.1f", 0.5);
  if (len < 3 || (size_t)len >= sizeof half) return 0;
  memcpy(out, half + 1, (size_t)len - 2);
  return (size_t)len - 2;
}

bool aio__parse_f64(aio__str text, double *out) {
  if (text.n > NUMBER_MAX || !is_number(text)) return false;
  char copy[NUMBER_MAX + POINT_MAX + 1], point[POINT_MAX];
  size_t n = 0, point_len = decimal_point(point);
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] != '.') {
      copy[n++] = text.p[i];
      continue;
    }
    memcpy(copy + n, point, point_len);
    n += point_len;
  }
  copy[n] = '\0';
  char *end;
  double value = strtod(copy, &end);
  if (end != copy + n || !isfinite(value)) return false;
  *out = value;
  return true;
}
