/* See embed_text.h. */
#include "stores/embed_text.h"

#include <string.h>

enum { PARTS_MAX = 16, MARKS_MAX = 6 };

static const char SEPARATOR[] = " > ";

/* The first line. */
typedef struct head {
  aio__str part[PARTS_MAX];
  size_t n;
} head;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* "4.2. Value Expressions" without the number; all of it when it is nothing but one. */
static aio__str without_number(aio__str text) {
  size_t at = 0;
  text = aio__str_trim(text);
  while (at < text.n && ((text.p[at] >= '0' && text.p[at] <= '9') || text.p[at] == '.')) at++;
  bool number = at > 0 && at < text.n && is_space(text.p[at]);
  return number ? aio__str_trim(aio__str_n(text.p + at, text.n - at)) : text;
}

static bool says(const head *h, aio__str part) {
  for (size_t i = 0; i < h->n; i++)
    if (aio__str_eq(h->part[i], part)) return true;
  return false;
}

static void add(head *h, aio__str part) {
  part = without_number(part);
  if (part.n > 0 && h->n < PARTS_MAX && !says(h, part)) h->part[h->n++] = part;
}

static void add_path(head *h, aio__str path) {
  for (size_t start = 0, at = 0; at <= path.n; at++) {
    bool here = at + sizeof SEPARATOR - 1 <= path.n && memcmp(path.p + at, SEPARATOR, sizeof SEPARATOR - 1) == 0;
    if (!here && at < path.n) continue;
    add(h, aio__str_n(path.p + start, at - start));
    start = at + sizeof SEPARATOR - 1;
  }
}

/* Where the text goes on after a heading that the first line says; 0: it begins with none. */
static size_t after_heading(const head *h, aio__str text) {
  size_t at = 0, marks = 0, end;
  while (at < text.n && is_space(text.p[at])) at++;
  while (at < text.n && text.p[at] == '#') {
    at++;
    marks++;
  }
  if (marks == 0 || marks > MARKS_MAX) return 0;
  for (end = at; end < text.n && text.p[end] != '\n';) end++;
  return says(h, without_number(aio__str_n(text.p + at, end - at))) ? end : 0;
}

static size_t put(char *to, size_t n, aio__str text) {
  if (text.n > 0) memcpy(to + n, text.p, text.n);
  return n + text.n;
}

aio__str aio__embed_text(aio__arena *arena, aio__str title, aio__str heading, aio__str text) {
  head h = {.n = 0};
  size_t size = text.n + 1;
  add(&h, title);
  add_path(&h, heading);
  for (size_t skip; (skip = after_heading(&h, text)) > 0;) text = aio__str_n(text.p + skip, text.n - skip);
  for (size_t i = 0; i < h.n; i++) size += h.part[i].n + 2;
  char *out = aio__arena_alloc(arena, size + 1);
  if (!out) return aio__str_n(NULL, 0);
  size_t n = 0;
  for (size_t i = 0; i < h.n; i++) {
    if (i > 0) n = put(out, n, AIO__LIT(": "));
    n = put(out, n, h.part[i]);
  }
  if (n > 0 && text.n > 0) out[n++] = '\n';
  while (n > 0 && text.n > 0 && is_space(text.p[0])) text = aio__str_n(text.p + 1, text.n - 1);
  return aio__str_n(out, put(out, n, text));
}
