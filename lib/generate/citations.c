/* See citations.h. */
#include "generate/citations.h"

#include <string.h>

enum {
  NUMBERS_MAX = 32, /* of one marker */
  TICKS_MAX = 32    /* that begin code: each number of them is looked for to the end of the text once at most */
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The numbers of a marker that begins behind its bracket; *end behind the closing one. 0 when it is none. */
static size_t read_marker(aio__str text, size_t at, int64_t numbers[NUMBERS_MAX], size_t *end) {
  size_t n = 0;
  for (;;) {
    while (at < text.n && text.p[at] == ' ') at++;
    size_t digits = 0;
    int64_t value = 0;
    for (; at < text.n && is_digit(text.p[at]) && digits < 4; at++, digits++) value = value * 10 + (text.p[at] - '0');
    if (digits == 0 || digits > 3 || n == NUMBERS_MAX) return 0;
    numbers[n++] = value;
    while (at < text.n && text.p[at] == ' ') at++;
    if (at >= text.n) return 0;
    if (text.p[at] == ']') break;
    if (text.p[at] != ',' && text.p[at] != ';') return 0;
    at++;
  }
  *end = at + 1;
  return *end < text.n && text.p[*end] == '(' ? 0 : n;
}

/* Behind the code that begins with the backticks at `at`; behind these alone when nothing closes them. */
static size_t behind_code(aio__str text, size_t at) {
  size_t ticks = 0;
  while (at + ticks < text.n && text.p[at + ticks] == '`') ticks++;
  if (ticks > TICKS_MAX) return at + ticks;
  for (size_t i = at + ticks; i < text.n;) {
    size_t run = 0;
    while (i + run < text.n && text.p[i + run] == '`') run++;
    if (run == ticks) return i + run;
    i += run > 0 ? run : 1;
  }
  return at + ticks;
}

aio__citations aio__citations_count(aio__str text, size_t sources) {
  aio__citations found = {0, 0, 0};
  for (size_t i = 0; i < text.n;) {
    if (text.p[i] == '`') {
      i = behind_code(text, i);
      continue;
    }
    int64_t numbers[NUMBERS_MAX];
    size_t end = i + 1;
    size_t n = text.p[i] == '[' ? read_marker(text, i + 1, numbers, &end) : 0;
    for (size_t k = 0; k < n; k++) {
      bool valid = numbers[k] >= 1 && (uint64_t)numbers[k] <= sources;
      if (valid) found.valid++;
      else if (found.unknown++ == 0) found.first_unknown = numbers[k];
    }
    i = n > 0 ? end : i + 1;
  }
  return found;
}
