/* Cuts a text into units, in one pass: lines make blocks (headings, code, table rows, list items, paragraphs), and
 * blocks of prose are cut at the ends of sentences. A full stop ends a sentence only when it is none of an
 * abbreviation, an initial, a number, a dotted name or a code span. */
#include <string.h>

#include "providers/extractive_private.h"

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* ---- lines ---- */

static size_t line_end(aio__str text, size_t pos) {
  const char *feed = pos < text.n ? memchr(text.p + pos, '\n', text.n - pos) : NULL;
  return feed ? (size_t)(feed - text.p) : text.n;
}

static size_t next_line(aio__str text, size_t pos) {
  size_t end = line_end(text, pos);
  return end < text.n ? end + 1 : end;
}

static size_t indent_end(aio__str text, size_t pos) {
  while (pos < text.n && (text.p[pos] == ' ' || text.p[pos] == '\t')) pos++;
  return pos;
}

static bool is_blank(aio__str text, size_t pos) {
  pos = indent_end(text, pos);
  return pos >= text.n || text.p[pos] == '\n' || text.p[pos] == '\r';
}

/* The fence character of a line that opens or closes fenced code, 0 when it does not. */
static char fence_of(aio__str text, size_t pos) {
  pos = indent_end(text, pos);
  if (pos + 3 > text.n) return 0;
  char c = text.p[pos];
  return (c == '`' || c == '~') && text.p[pos + 1] == c && text.p[pos + 2] == c ? c : 0;
}

static bool is_indented(aio__str text, size_t pos) {
  if (pos < text.n && text.p[pos] == '\t') return !is_blank(text, pos);
  return pos + 4 <= text.n && memcmp(text.p + pos, "    ", 4) == 0 && !is_blank(text, pos);
}

/* Where the words of a "# heading" begin; 0 when it is none. */
static size_t heading_words(aio__str text, size_t pos) {
  size_t at = pos;
  while (at < text.n && text.p[at] == '#' && at - pos < 7) at++;
  if (at == pos || at - pos > 6 || at >= text.n || text.p[at] != ' ') return 0;
  return indent_end(text, at);
}

static bool is_row(aio__str text, size_t pos) {
  pos = indent_end(text, pos);
  return pos < text.n && text.p[pos] == '|';
}

/* "|---|:--:|" and the lines under headings. */
static bool is_rule(aio__str text, size_t pos) {
  size_t end = line_end(text, pos), marks = 0;
  for (; pos < end; pos++) {
    char c = text.p[pos];
    if (c == '-' || c == '=') marks++;
    else if (c != '|' && c != ':' && c != '+' && !is_space(c)) return false;
  }
  return marks >= 3;
}

/* Where the words of a list item begin; 0 when the line is none. */
static size_t item_words(aio__str text, size_t pos) {
  size_t at = indent_end(text, pos);
  if (at >= text.n) return 0;
  if (text.p[at] == '-' || text.p[at] == '*' || text.p[at] == '+') {
    at++;
  } else if (text.n - at > 3 && memcmp(text.p + at, "\xE2\x80\xA2", 3) == 0) { /* U+2022 bullet */
    at += 3;
  } else {
    size_t digits = at;
    while (at < text.n && is_digit(text.p[at]) && at - digits < 4) at++;
    if (at == digits || at >= text.n || (text.p[at] != '.' && text.p[at] != ')')) return 0;
    at++;
  }
  if (at >= text.n || text.p[at] != ' ') return 0;
  size_t words = indent_end(text, at);
  return is_blank(text, words) ? 0 : words;
}

static bool opens_block(aio__str text, size_t pos) {
  return is_blank(text, pos) || fence_of(text, pos) || heading_words(text, pos) || is_row(text, pos) ||
         item_words(text, pos) || is_rule(text, pos);
}

/* ---- blocks ---- */

/* A bare fence that is never closed is the end of a block that began before this text: it is a unit alone. */
static size_t fenced_end(aio__str text, size_t pos) {
  char fence = fence_of(text, pos);
  size_t first = line_end(text, pos);
  bool bare = aio__str_trim(aio__str_n(text.p + pos, first - pos)).n == 3;
  for (pos = next_line(text, pos); pos < text.n; pos = next_line(text, pos)) {
    if (fence_of(text, pos) == fence) return line_end(text, pos);
  }
  return bare ? first : text.n;
}

static size_t indented_end(aio__str text, size_t pos) {
  size_t end = line_end(text, pos);
  for (pos = next_line(text, pos); pos < text.n; pos = next_line(text, pos)) {
    if (is_blank(text, pos)) continue;
    if (!is_indented(text, pos)) break;
    end = line_end(text, pos);
  }
  return end;
}

static size_t prose_end(aio__str text, size_t pos) {
  size_t end = line_end(text, pos);
  for (pos = next_line(text, pos); pos < text.n && !opens_block(text, pos); pos = next_line(text, pos)) {
    end = line_end(text, pos);
  }
  return end;
}

static bool whole(aio__unit_reader *r, aio__unit *unit, aio__unit_kind kind, size_t start, size_t end) {
  *unit = (aio__unit){.kind = kind, .start = start, .end = end, .first = true, .last = true};
  r->pos = end < r->text.n ? end + 1 : end;
  r->block_end = 0;
  r->after_item = false;
  return true;
}

/* Looks at the next line that says something: a unit of its own (true), or the begin of a block of sentences. */
static bool open_block(aio__unit_reader *r, aio__unit *unit) {
  aio__str text = r->text;
  size_t pos = r->pos, words;
  if (fence_of(text, pos)) return whole(r, unit, AIO__UNIT_CODE, pos, fenced_end(text, pos));
  if (!r->after_item && is_indented(text, pos)) return whole(r, unit, AIO__UNIT_CODE, pos, indented_end(text, pos));
  if ((words = heading_words(text, pos)) != 0) return whole(r, unit, AIO__UNIT_HEADING, words, line_end(text, pos));
  if (is_row(text, pos)) return whole(r, unit, AIO__UNIT_ROW, pos, line_end(text, pos));
  words = item_words(text, pos);
  r->block = words ? AIO__UNIT_ITEM : AIO__UNIT_SENTENCE;
  r->after_item = words || (r->after_item && is_indented(text, pos));
  size_t end = prose_end(text, pos);
  size_t under = end < text.n ? end + 1 : end;
  if (!words && under < text.n && is_rule(text, under) && !is_row(text, under) && line_end(text, pos) == end) {
    whole(r, unit, AIO__UNIT_HEADING, pos, end);
    r->pos = next_line(text, under);
    return true;
  }
  r->pos = words ? words : indent_end(text, pos);
  r->block_end = end;
  r->first = true;
  return false;
}

/* ---- sentences ---- */

/* The word of letters and full stops that ends at `at`. */
static aio__str word_before(aio__str text, size_t from, size_t at) {
  size_t start = at;
  while (start > from && !is_space(text.p[start - 1]) && text.p[start - 1] != '(' && text.p[start - 1] != '"' &&
         text.p[start - 1] != '[') {
    start--;
  }
  return aio__str_n(text.p + start, at - start);
}

static bool is_abbreviation(aio__str word) {
  static const char list[] =
      " e.g i.e eg ie etc vs cf al ca approx resp incl excl no nos fig figs sec sect ch chap vol ed eds pp p par art"
      " dr mr mrs ms prof st jr sr gen col lt inc ltd co corp dept est min max avg ver rev"
      " jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun"
      " u.s u.k a.m p.m d.h z.b u.a usw bzw bspw evtl ggf vgl abs nr str hr ";
  char key[16];
  if (word.n == 0 || word.n > sizeof key - 2) return false;
  key[0] = ' ';
  for (size_t i = 0; i < word.n; i++) {
    char c = word.p[i];
    key[i + 1] = is_upper(c) ? (char)(c + 32) : c;
  }
  key[word.n + 1] = ' ';
  for (const char *at = list; (at = strchr(at, key[1])) != NULL; at++) {
    if (at[-1] == ' ' && strncmp(at - 1, key, word.n + 2) == 0) return true;
  }
  return false;
}

static bool is_number(aio__str word) {
  for (size_t i = 0; i < word.n; i++) {
    if (!is_digit(word.p[i]) && word.p[i] != '.') return false;
  }
  return word.n > 0;
}

/* Is the full stop at `at` the end of a sentence, when what follows begins at `next`? */
static bool stop_ends(aio__str text, size_t from, size_t at, size_t next, size_t end) {
  aio__str word = word_before(text, from, at);
  if (word.n == 1 && is_upper(word.p[0])) return false; /* an initial */
  if (is_number(word) && word.p == text.p + from) return false;
  if (next >= end) return true;
  if (is_abbreviation(word)) {
    bool closes = aio__str_eqz(word, "etc") || aio__str_eqz(word, "usw");
    return closes && is_upper(text.p[next]);
  }
  if (!is_lower(text.p[next])) return true;
  /* A lower-case name may begin a sentence ("psql is ..."), but a short word before it may be an abbreviation. */
  return word.n >= 4 && is_lower(word.p[word.n - 1]);
}

static size_t skip_code_span(aio__str text, size_t at, size_t end) {
  size_t most = end - at > AIO__CODE_SPAN_MAX ? AIO__CODE_SPAN_MAX : end - at;
  const char *close = most > 1 ? memchr(text.p + at + 1, '`', most - 1) : NULL;
  return close ? (size_t)(close - text.p) + 1 : at + 1;
}

/* Length of an ideographic full stop, question or exclamation mark at `at`; 0 when it is none. */
static size_t wide_stop(aio__str text, size_t at) {
  if (at + 3 > text.n) return 0;
  const char *p = text.p + at;
  return memcmp(p, "\xE3\x80\x82", 3) == 0 || memcmp(p, "\xEF\xBC\x81", 3) == 0 || memcmp(p, "\xEF\xBC\x9F", 3) == 0
             ? 3 : 0;
}

/* Past what may stand between a full stop and the space after it. */
static size_t skip_closing(aio__str text, size_t at, size_t end) {
  while (at < end) {
    const char *p = text.p + at;
    bool right_quote = end - at >= 3 && (memcmp(p, "\xE2\x80\x9D", 3) == 0 || memcmp(p, "\xE2\x80\x99", 3) == 0);
    bool closing = *p != '\0' && strchr(".!?)]\"'*_", *p);
    if (!right_quote && !closing) break;
    at += right_quote ? 3 : 1;
  }
  return at;
}

static size_t skip_space(aio__str text, size_t at, size_t end) {
  while (at < end && is_space(text.p[at])) at++;
  return at;
}

/* The end of the sentence that begins at `from` in a block that ends at `end`. */
static size_t sentence_end(aio__str text, size_t from, size_t end) {
  size_t space = 0;
  for (size_t at = from; at < end;) {
    char c = text.p[at];
    if (at - from >= AIO__UNIT_BYTES_MAX && space > from) return space;
    if (is_space(c)) space = at;
    if (c == '`') {
      at = skip_code_span(text, at, end);
      continue;
    }
    if ((unsigned char)c >= 0xE3 && wide_stop(text, at)) return at + 3;
    if (c != '.' && c != '!' && c != '?') {
      at++;
      continue;
    }
    size_t after = skip_closing(text, at + 1, end), next = skip_space(text, after, end);
    bool apart = after >= end || next > after;
    if (apart && (c != '.' || stop_ends(text, from, at, next, end))) return after;
    at = after > at ? after : at + 1;
  }
  return end;
}

void aio__units_begin(aio__unit_reader *reader, aio__str text) {
  *reader = (aio__unit_reader){.text = text};
}

bool aio__units_next(aio__unit_reader *r, aio__unit *unit) {
  while (r->pos >= r->block_end) {
    while (r->pos < r->text.n && (is_blank(r->text, r->pos) || is_rule(r->text, r->pos))) {
      r->pos = next_line(r->text, r->pos);
    }
    if (r->pos >= r->text.n) return false;
    if (open_block(r, unit)) return true;
  }
  size_t start = r->pos, end = sentence_end(r->text, start, r->block_end);
  size_t next = skip_space(r->text, end, r->block_end);
  *unit = (aio__unit){.kind = r->block, .start = start, .end = end, .first = r->first, .last = next >= r->block_end};
  while (unit->end > start && is_space(r->text.p[unit->end - 1])) unit->end--;
  r->first = false;
  r->pos = next;
  if (unit->last) {
    r->pos = r->block_end < r->text.n ? r->block_end + 1 : r->block_end;
    r->block_end = 0;
  }
  return true;
}

aio__str aio__unit_text(const aio__unit_reader *reader, const aio__unit *unit) {
  return aio__str_n(reader->text.p + unit->start, unit->end - unit->start);
}
