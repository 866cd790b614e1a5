/* See retry_after.h. */
#include "net/retry_after.h"

#include <string.h>

enum { DAY_MS = 86400000 };

/* Decimal digits, and a fraction that is cut to milliseconds; -1 for anything else. In thousandths. */
static int64_t read_thousandths(aio__str text) {
  int64_t value = 0, scale = 0;
  size_t digits = 0;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (c == '.' && scale == 0 && digits > 0) {
      scale = 1000;
      continue;
    }
    if (c < '0' || c > '9') return -1;
    if (scale == 0) {
      if (value > DAY_MS) return -1;
      value = value * 10 + (c - '0');
      digits++;
    } else if (scale > 1) {
      scale /= 10;
      value = value * 10 + (c - '0');
    }
  }
  if (digits == 0) return -1;
  for (int64_t s = scale == 0 ? 1000 : scale; s > 1; s /= 10) value *= 10;
  return value;
}

static int month_of(const char *p) {
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (int m = 0; m < 12; m++) {
    if (memcmp(p, names + 3 * m, 3) == 0) return m + 1;
  }
  return 0;
}

static int number_at(const char *p, int n) {
  int value = 0;
  for (int i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_from_civil(int64_t y, int m, int d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 lets servers send. Seconds since 1970; -1. */
static int64_t read_http_date(aio__str text) {
  if (text.n != 29 || text.p[3] != ',' || memcmp(text.p + 25, " GMT", 4) != 0) return -1;
  if (text.p[19] != ':' || text.p[22] != ':') return -1;
  int day = number_at(text.p + 5, 2), month = month_of(text.p + 8), year = number_at(text.p + 12, 4);
  int hour = number_at(text.p + 17, 2), minute = number_at(text.p + 20, 2), second = number_at(text.p + 23, 2);
  bool sane = day >= 1 && day <= 31 && month > 0 && year >= 1970 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
              second >= 0 && second <= 60;
  return sane ? days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second : -1;
}

static int64_t sane(int64_t ms) {
  return ms >= 0 && ms <= DAY_MS ? ms : -1;
}

int64_t aio__retry_after_ms(aio__str retry_after, aio__str retry_after_ms, int64_t now_ms) {
  aio__str ms = aio__str_trim(retry_after_ms), text = aio__str_trim(retry_after);
  if (ms.n > 0) {
    int64_t thousandths = read_thousandths(ms);
    if (thousandths >= 0 && sane(thousandths / 1000) >= 0) return thousandths / 1000;
  }
  int64_t value = read_thousandths(text);
  if (value >= 0) return sane(value);
  int64_t at = read_http_date(text);
  return at < 0 ? -1 : sane(at * 1000 - now_ms);
}

int64_t aio__retry_duration_ms(aio__str duration) {
  aio__str text = aio__str_trim(duration);
  if (text.n < 2 || text.p[text.n - 1] != 's') return -1;
  int64_t value = read_thousandths(aio__str_n(text.p, text.n - 1));
  return value < 0 ? -1 : sane(value);
}
