/* Where sentences end (see sentence.h). Abbreviations are told by what follows: "e.g. this" goes on, "No. 5" may not.
 */
#include "text/sentence.h"

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_closer(char c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == '_' || c == '`';
}

/* Full-width 。！？ at pos: their length, else 0. */
static size_t wide_stop(aio__str text, size_t pos) {
  if (text.n - pos < 3) return 0;
  const char *p = text.p + pos;
  if (p[0] == '\xe3' && p[1] == '\x80' && p[2] == '\x82') return 3;
  if (p[0] == '\xef' && p[1] == '\xbc' && (p[2] == '\x81' || p[2] == '\x9f')) return 3;
  return 0;
}

static size_t skip_space(aio__str text, size_t pos) {
  while (pos < text.n && is_space(text.p[pos])) pos++;
  return pos;
}

/* "J. Smith", "a. first": one letter alone before the stop. */
static bool is_initial(aio__str text, size_t start, size_t stop) {
  if (text.p[stop] != '.' || stop == start || !is_letter(text.p[stop - 1])) return false;
  return stop - 1 == start || is_space(text.p[stop - 2]) || text.p[stop - 2] == '.';
}

/* The end of a sentence whose stop is at `stop`, or 0 when it goes on. */
static size_t stop_end(aio__str text, size_t start, size_t stop) {
  size_t i = stop + 1;
  while (i < text.n && is_closer(text.p[i])) i++;
  if (i == text.n) return text.n;
  if (!is_space(text.p[i]) || is_initial(text, start, stop)) return 0;
  i = skip_space(text, i);
  if (i < text.n && text.p[i] >= 'a' && text.p[i] <= 'z') return 0;
  return i;
}

static size_t empty_line_end(aio__str text, size_t line_feed) {
  size_t i = line_feed + 1;
  while (i < text.n && text.p[i] != '\n' && is_space(text.p[i])) i++;
  return i < text.n && text.p[i] == '\n' ? skip_space(text, i) : 0;
}

size_t aio__sentence_end(aio__str text, size_t pos) {
  for (size_t i = pos; i < text.n; i++) {
    char c = text.p[i];
    size_t end = 0;
    if (c == '.' || c == '!' || c == '?') {
      end = stop_end(text, pos, i);
    } else if (c == '\n') {
      end = empty_line_end(text, i);
    } else if (wide_stop(text, i) > 0) {
      end = skip_space(text, i + wide_stop(text, i));
    }
    if (end > 0) return end;
  }
  return text.n;
}
