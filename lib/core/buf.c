/* The growing byte buffer. A limit that would be passed and an allocation that fails both empty it for good. */
#include "core/buf.h"

#include <aiorch/error.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64, F64_TEXT_MAX = 40, F64_BITS = 52, F64_BIAS = 1023, F64_EXPONENT = 0x7FF };

static const uint64_t F64_HIDDEN = UINT64_C(1) << F64_BITS; /* the bit that is not written */

void aio__buf_init(aio__buf *buf, const aio__alloc *al, size_t max) {
  *buf = (aio__buf){.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4, .al = al};
}

void aio__buf_free(aio__buf *buf) {
  aio__free(buf->al, buf->p);
  buf->p = NULL;
  buf->n = buf->cap = 0;
}

void aio__buf_reset(aio__buf *buf) {
  buf->n = 0;
  buf->failed = AIORCH_OK;
  if (buf->p != NULL) buf->p[0] = '\0';
}

static aiorch_status fail(aio__buf *buf, aiorch_status status) {
  aio__buf_reset(buf);
  buf->failed = status;
  return status;
}

static aiorch_status grow(aio__buf *buf, size_t need) {
  size_t cap = buf->cap < FIRST_CAP / 2 ? FIRST_CAP : buf->cap * 2;
  if (cap > buf->max + 1) cap = buf->max + 1;
  if (cap < need + 1) cap = need + 1;
  char *p = aio__realloc(buf->al, buf->p, cap);
  if (p == NULL) return fail(buf, AIORCH_E_NOMEM);
  if (buf->p == NULL) p[0] = '\0';
  buf->p = p;
  buf->cap = cap;
  return AIORCH_OK;
}

aiorch_status aio__buf_reserve(aio__buf *buf, size_t more) {
  if (buf->failed != AIORCH_OK) return buf->failed;
  if (more > buf->max - buf->n) return fail(buf, AIORCH_E_TOO_LARGE);
  size_t need = buf->n + more;
  return need < buf->cap ? AIORCH_OK : grow(buf, need);
}

aiorch_status aio__buf_add(aio__buf *buf, const void *bytes, size_t len) {
  aiorch_status status = aio__buf_reserve(buf, len);
  if (status != AIORCH_OK) return status;
  if (len > 0) memcpy(buf->p + buf->n, bytes, len);
  buf->n += len;
  buf->p[buf->n] = '\0';
  return AIORCH_OK;
}

aiorch_status aio__buf_str(aio__buf *buf, aio__str text) {
  return aio__buf_add(buf, text.p, text.n);
}

aiorch_status aio__buf_z(aio__buf *buf, const char *text) {
  return aio__buf_str(buf, aio__str_z(text));
}

aiorch_status aio__buf_char(aio__buf *buf, char c) {
  if (buf->failed == AIORCH_OK && buf->n < buf->max && buf->n + 1 < buf->cap) {
    buf->p[buf->n++] = c;
    buf->p[buf->n] = '\0';
    return AIORCH_OK;
  }
  return aio__buf_add(buf, &c, 1);
}

static aiorch_status add_decimal(aio__buf *buf, uint64_t value, bool negative) {
  char text[21];
  size_t at = sizeof text;
  do {
    text[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  if (negative) text[--at] = '-';
  return aio__buf_add(buf, text + at, sizeof text - at);
}

aiorch_status aio__buf_i64(aio__buf *buf, int64_t value) {
  return add_decimal(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

aiorch_status aio__buf_u64(aio__buf *buf, uint64_t value) {
  return add_decimal(buf, value, false);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 u128;

/* value is m / 2^shift. What value * power is, rounded to even, when that reads back as the same value; else 0. All of it in integers, and
 * exact. */
static uint64_t digits_of(uint64_t m, unsigned shift, uint64_t power) {
  u128 exact = (u128)m * power, half = (u128)1 << (shift - 1);
  u128 whole = exact >> shift, rest = exact & (half + half - 1);
  if (rest > half || (rest == half && whole % 2 != 0)) whole++;
  u128 read = whole << shift, off = read > exact ? read - exact : exact - read;
  bool nearest = off * 2 < power || (off * 2 == power && m % 2 == 0); /* its neighbours are `power` away */
  if (m == F64_HIDDEN) nearest = off == 0;                             /* but one of a power of two is nearer: as it is, or not at all */
  return nearest ? (uint64_t)whole : 0;
}

/* The shortest form of a value of the size of most scores, which the C library would write and read up to three times. Returns its length
 * at the end of `text`; 0: not one of these. */
static size_t short_form(double value, char text[F64_TEXT_MAX]) {
  uint64_t bits, whole = 0, power = UINT64_C(1000000000000); /* places of 15 digits, for a value of hundreds: 12 */
  double size = fabs(value);
  int places = 12;
  memcpy(&bits, &value, sizeof bits);
  uint64_t m = (bits & (F64_HIDDEN - 1)) | F64_HIDDEN;
  if (!(size > 0.001 && size < 1000.0)) return 0;
  unsigned shift = F64_BIAS + F64_BITS - (unsigned)(bits >> F64_BITS & F64_EXPONENT);
  for (double hundreds = size; hundreds < 100.0; hundreds *= 10, places++) power *= 10;
  for (int more = 0; more < 3 && whole == 0; more++) {
    whole = digits_of(m, shift, power);
    if (whole == 0) power *= 10, places++;
  }
  if (whole == 0) return 0;
  for (; places > 0 && whole % 10 == 0; places--) whole /= 10;
  size_t at = F64_TEXT_MAX;
  for (; whole > 0 || places >= 0; places--) {
    if (places == 0 && at < F64_TEXT_MAX) text[--at] = '.';
    text[--at] = (char)('0' + whole % 10);
    whole /= 10;
  }
  if (value < 0) text[--at] = '-';
  return F64_TEXT_MAX - at;
}
#else
static size_t short_form(double value, char text[F64_TEXT_MAX]) {
  (void)value, (void)text;
  return 0;
}
#endif

/* Any decimal of up to 15 digits survives the way through a double, and %g drops trailing zeros: so when 15 digits read
 * back as the same value they are the shortest form already, and only 16 and 17 remain to be tried. */
aiorch_status aio__buf_f64(aio__buf *buf, double value) {
  if (!isfinite(value)) return aio__buf_z(buf, "null");
  char text[F64_TEXT_MAX];
  size_t n = short_form(value, text);
  if (n > 0) return aio__buf_add(buf, text + sizeof text - n, n);
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    double back = strtod(text, NULL);
    if (!(back < value) && !(back > value)) break;
  }
  /* Whatever is no digit, sign or exponent is the locale's decimal point, of one byte or more. */
  bool in_point = false;
  for (const char *c = text; *c != '\0'; c++) {
    bool part = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e';
    if (part) text[n++] = *c;
    else if (!in_point) text[n++] = '.';
    in_point = !part;
  }
  return aio__buf_add(buf, text, n);
}

aiorch_status aio__buf_fmt(aio__buf *buf, const char *format, ...) {
  va_list args;
  if (aio__buf_reserve(buf, 0) != AIORCH_OK) return buf->failed;
  va_start(args, format);
  int len = vsnprintf(buf->p + buf->n, buf->cap - buf->n, format, args);
  va_end(args);
  if (len < 0) return fail(buf, AIORCH_E_NOMEM);
  if ((size_t)len >= buf->cap - buf->n) {
    if (aio__buf_reserve(buf, (size_t)len) != AIORCH_OK) return buf->failed;
    va_start(args, format);
    vsnprintf(buf->p + buf->n, buf->cap - buf->n, format, args);
    va_end(args);
  }
  if ((size_t)len > buf->max - buf->n) return fail(buf, AIORCH_E_TOO_LARGE);
  buf->n += (size_t)len;
  return AIORCH_OK;
}

aio__str aio__buf_view(const aio__buf *buf) {
  return (aio__str){buf->p, buf->n};
}

const char *aio__buf_cstr(const aio__buf *buf) {
  return buf->p == NULL ? "" : buf->p;
}

char *aio__buf_take(aio__buf *buf, size_t *len) {
  if (buf->failed != AIORCH_OK || buf->p == NULL) return NULL;
  char *memory = buf->p;
  if (len != NULL) *len = buf->n;
  buf->p = NULL;
  buf->n = buf->cap = 0;
  return memory;
}
