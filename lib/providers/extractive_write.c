/* What the extractive provider writes: sentences cleaned of the marks of their documents, with their markers, handed
 * over in pieces. */
#include <string.h>

#include "providers/extractive_private.h"

enum { FOLLOW_BYTES = 900, FOLLOW_LINES = 16, FOLLOW_ITEMS = 6 };

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

void aio__answer_begin(aio__answer_writer *w, aiorch_call *call, size_t limit) {
  *w = (aio__answer_writer){.call = call, .limit = limit, .last = '\n', .status = AIORCH_OK};
}

void aio__answer_flush(aio__answer_writer *w) {
  if (w->status == AIORCH_OK && w->n > 0) w->status = aiorch_call_emit(w->call, w->piece, w->n);
  w->n = 0;
}

static void put(aio__answer_writer *w, char c) {
  /* The limit never splits a character: its first byte decides, those that follow go with it. */
  bool follows = ((unsigned char)c & 0xC0) == 0x80;
  if (w->full || (w->written >= w->limit && !follows)) {
    w->full = true;
    return;
  }
  if (w->n == sizeof w->piece) aio__answer_flush(w);
  w->piece[w->n++] = c;
  w->written++;
  w->last = c;
}

static void put_span(aio__answer_writer *w, aio__str text) {
  for (size_t i = 0; i < text.n; i++) put(w, text.p[i]);
}

void aio__answer_z(aio__answer_writer *w, const char *text) { put_span(w, aio__str_z(text)); }

void aio__answer_marker(aio__answer_writer *w, size_t n) {
  char digits[24];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + n % 10);
    n /= 10;
  } while (n > 0);
  aio__answer_z(w, " [");
  put_span(w, aio__str_n(digits + at, sizeof digits - at));
  put(w, ']');
}

/* ---- prose ---- */

/* Length of a footnote's "[12]" at `at`, 0 when it is none. In "a[1]" it is none: nothing parts it from the word. */
static size_t footnote(aio__str text, size_t at) {
  size_t end = at + 1;
  while (end < text.n && is_digit(text.p[end]) && end - at <= 3) end++;
  bool apart = at == 0 || is_space(text.p[at - 1]) || strchr(".,;:!?)]", text.p[at - 1]);
  return apart && end > at + 1 && end < text.n && text.p[end] == ']' ? end + 1 - at : 0;
}

/* The words of "[words](address)" at `at`: *len is all of it; 0 when it is no link. */
static aio__str link_words(aio__str text, size_t at, size_t *len) {
  *len = 0;
  const char *close = memchr(text.p + at, ']', text.n - at);
  if (!close || (size_t)(close - text.p) + 1 >= text.n || close[1] != '(') return AIO__LIT("");
  const char *end = memchr(close, ')', text.n - (size_t)(close - text.p));
  if (!end) return AIO__LIT("");
  *len = (size_t)(end - text.p) + 1 - at;
  return aio__str_n(text.p + at + 1, (size_t)(close - text.p) - at - 1);
}

/* "**" that opens or closes strong words, not that of "2**3" or of a path. */
static bool is_strong_mark(aio__str text, size_t at) {
  if (at + 2 > text.n || text.p[at] != '*' || text.p[at + 1] != '*') return false;
  bool space_before = at == 0 || is_space(text.p[at - 1]) || text.p[at - 1] == '(';
  bool space_after = at + 2 >= text.n || is_space(text.p[at + 2]) || strchr(".,;:!?)", text.p[at + 2]);
  return space_before != space_after;
}

static void put_space(aio__answer_writer *w) {
  if (!is_space(w->last)) put(w, ' ');
}

static void unput_space(aio__answer_writer *w) {
  if (w->last != ' ' || w->n == 0) return;
  w->n--;
  w->written--;
  w->last = '\0';
}

static void put_prose(aio__answer_writer *w, aio__str text) {
  for (size_t at = 0, len; at < text.n; at += len) {
    char c = text.p[at];
    len = 1;
    if (is_space(c)) {
      put_space(w);
    } else if (c == ':' && at > 0 && text.p[at - 1] == '\n') { /* "term\n: what it is" */
      unput_space(w);
      put(w, c);
    } else if (c == '`') {
      const char *close = at + 1 < text.n ? memchr(text.p + at + 1, '`', text.n - at - 1) : NULL;
      if (close) len = (size_t)(close - text.p) + 1 - at;
      put_span(w, aio__str_n(text.p + at, len));
    } else if (c == '[' && (len = footnote(text, at)) != 0) {
      unput_space(w);
    } else if (c == '[') {
      aio__str words = link_words(text, at, &len);
      if (len) put_span(w, words);
      else put(w, text.p[at + len++]);
    } else if (is_strong_mark(text, at)) {
      len = 2;
    } else {
      put(w, c);
    }
  }
}

/* "| a | b | c |" as "a: b; c". */
static void put_row(aio__answer_writer *w, aio__str text) {
  size_t cells = 0;
  for (size_t at = 0; at < text.n;) {
    const char *bar = memchr(text.p + at, '|', text.n - at);
    size_t end = bar ? (size_t)(bar - text.p) : text.n;
    aio__str cell = aio__str_trim(aio__str_n(text.p + at, end - at));
    if (cell.n > 0) {
      if (cells > 0) aio__answer_z(w, cells == 1 ? ": " : "; ");
      put_prose(w, cell);
      cells++;
    }
    at = end + 1;
  }
}

void aio__answer_prose(aio__answer_writer *w, aio__unit_kind kind, aio__str text) {
  if (text.n > AIO__UNIT_BYTES_MAX + AIO__CODE_SPAN_MAX) text.n = aio__utf8_cut(text, AIO__UNIT_BYTES_MAX);
  text = aio__str_trim(text);
  if (kind == AIO__UNIT_ROW) put_row(w, text);
  else put_prose(w, text);
}

/* ---- what follows a ':' ---- */

static bool is_fence(aio__str line) {
  return aio__str_starts(line, AIO__LIT("```")) || aio__str_starts(line, AIO__LIT("~~~"));
}

/* A block of code as fenced code, cut at a line when it is long. */
static void put_code(aio__answer_writer *w, aio__str code) {
  size_t lines = 0;
  for (size_t at = 0, end; at < code.n; at = end + 1) {
    const char *feed = memchr(code.p + at, '\n', code.n - at);
    end = feed ? (size_t)(feed - code.p) : code.n;
    aio__str line = aio__str_n(code.p + at, end - at);
    if (is_fence(aio__str_trim(line)) || (lines == 0 && aio__str_trim(line).n == 0)) continue;
    if (lines == 0) aio__answer_z(w, "\n\n```\n");
    if (lines++ == FOLLOW_LINES || end > FOLLOW_BYTES) {
      aio__answer_z(w, "...\n");
      break;
    }
    if (aio__str_starts(line, AIO__LIT("    "))) line = aio__str_n(line.p + 4, line.n - 4);
    put_span(w, line);
    put(w, '\n');
  }
  if (lines > 0) aio__answer_z(w, "```");
}

void aio__answer_follow(aio__answer_writer *w, aio__str text, size_t end) {
  aio__unit_reader reader;
  aio__unit unit;
  aio__units_begin(&reader, text);
  reader.pos = end;
  while (reader.pos < text.n && text.p[reader.pos] != '\n') reader.pos++;
  size_t items = 0;
  while (aio__units_next(&reader, &unit) && unit.end - end <= FOLLOW_BYTES + FOLLOW_BYTES / 2) {
    if (items == 0 && unit.kind == AIO__UNIT_CODE) {
      put_code(w, aio__unit_text(&reader, &unit));
      return;
    }
    if (unit.kind != AIO__UNIT_ITEM || (unit.first && items == FOLLOW_ITEMS)) return;
    aio__answer_z(w, unit.first ? "\n- " : " ");
    aio__answer_prose(w, unit.kind, aio__unit_text(&reader, &unit));
    items += unit.first;
  }
}
