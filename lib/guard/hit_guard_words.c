/*
 * From a text to tokens: words, numbers, dates, clocks, ratios and identifiers, with what their writing tells.
 *
 * A chunk is what stands between white space, quotation marks, brackets and commas. It is an identifier as a whole when
 * it is built like one (a path, an address, foo_bar, --flag); else it is walked from left to right, words and numbers
 * in turn.
 */
#include "guard/hit_guard_parts.h"

enum { DIGITS_MAX = 18, JOINED_LETTERS_MIN = 2, SLOPPY_MIN = 4 };

typedef struct reader {
  const aio__hit_lexicon *lexicon;
  aio__hit_text *out;
  const char *p; /* the text as written */
  size_t n, at;
  char *low; /* where lower-case forms go */
  size_t low_n;
  size_t quote_end; /* up to here the text is quoted */
  bool starts;      /* the next token is the first of a sentence */
  bool glued;       /* it follows the one before without anything between them */
} reader;

/* ---- characters -------------------------------------------------------------------------------------------------- */

/* What is not ASCII counts as a letter. */
enum { DIGIT = 1, UPPER = 2, LOWER = 4, BEYOND = 8, JOINER = 16, LETTER = UPPER | LOWER | BEYOND, WORD = LETTER | DIGIT };

#define TEN(x) x, x, x, x, x, x, x, x, x, x
#define ROW(x) TEN(x), x, x, x, x, x, x
static const uint8_t CLASS[256] = {
  ['#'] = JOINER, JOINER, JOINER, JOINER, JOINER, /* # $ % & ' */
  ['*'] = JOINER, JOINER, [','] = 0, JOINER, JOINER, JOINER, /* * + - . / */
  ['0'] = TEN(DIGIT), [':'] = JOINER, ['='] = JOINER, ['@'] = JOINER,
  ['A'] = ROW(UPPER), TEN(UPPER), ['\\'] = JOINER, ['^'] = JOINER, JOINER, /* ^ _ */
  ['a'] = ROW(LOWER), TEN(LOWER), ['|'] = JOINER, ['~'] = JOINER,
  [0x80] = ROW(BEYOND), ROW(BEYOND), ROW(BEYOND), ROW(BEYOND), ROW(BEYOND), ROW(BEYOND), ROW(BEYOND), ROW(BEYOND),
};

static inline bool is(char c, unsigned class) { return (CLASS[(unsigned char)c] & class) != 0; }
static inline bool is_digit(char c) { return is(c, DIGIT); }
static inline bool is_upper(char c) { return is(c, UPPER); }
static inline bool is_letter(char c) { return is(c, LETTER); }
static inline bool is_word(char c) { return is(c, WORD); }
static inline bool is_space(char c) { return (unsigned char)c <= ' '; }
static inline char lower(char c) { return (char)(is_upper(c) ? c | 0x20 : c); }

static inline char at(const reader *r, size_t i, size_t end) {
  return i < end ? r->p[i] : '\0';
}

static bool digits_at(const reader *r, size_t i, size_t end, size_t count) {
  for (size_t k = 0; k < count; k++) {
    if (!is_digit(at(r, i + k, end))) return false;
  }
  return !is_digit(at(r, i + count, end));
}

static size_t digits_end(const reader *r, size_t i, size_t end) {
  while (i < end && is_digit(r->p[i])) i++;
  return i;
}

/* A comma of 1,000. */
static bool is_separator(const reader *r, size_t i, size_t end) {
  return at(r, i, end) == ',' && i > 0 && is_digit(r->p[i - 1]) && digits_at(r, i + 1, end, 3);
}

static inline bool is_chunk(const reader *r, size_t i) {
  return is(r->p[i], WORD | JOINER) || (r->p[i] == ',' && is_separator(r, i, r->n));
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static uint16_t case_flags(const char *p, size_t n) {
  size_t capitals = 0, small = 0;
  for (size_t i = 0; i < n; i++) {
    capitals += is(p[i], UPPER);
    small += is(p[i], LOWER | BEYOND);
  }
  unsigned flags = n > 0 && is_upper(p[0]) ? AIO__HIT_CAPITAL : 0;
  if (capitals >= 2 && small == 0) flags |= AIO__HIT_CAPS;
  if (small > 0) flags |= AIO__HIT_LOWER;
  return (uint16_t)flags;
}

/* Appends a token whose text is the `low_n - low_from` bytes written last. */
static aio__hit_token *push_low(reader *r, aio__hit_kind kind, size_t low_from, size_t from, size_t to) {
  aio__hit_token *t = &r->out->tokens[r->out->n++];
  t->text = aio__str_n(r->low + low_from, r->low_n - low_from);
  t->written = aio__str_n(r->p + from, to - from);
  t->hash = aio__hit_hash(t->text.p, t->text.n);
  t->kind = (uint8_t)kind;
  t->entry = aio__hit_lexicon_find(r->lexicon, t->text, t->hash);
  unsigned flags = case_flags(r->p + from, to - from);
  if (r->starts) flags |= AIO__HIT_STARTS;
  if (r->glued) flags |= AIO__HIT_GLUED;
  if (from < r->quote_end) flags |= AIO__HIT_QUOTED;
  t->flags = (uint16_t)flags;
  r->starts = false;
  r->glued = true;
  return t;
}

static aio__hit_token *push(reader *r, aio__hit_kind kind, size_t from, size_t to) {
  size_t low_from = r->low_n;
  for (size_t i = from; i < to; i++) r->low[r->low_n++] = lower(r->p[i]);
  return push_low(r, kind, low_from, from, to);
}

/* The word without a possessive s. */
static void push_word(reader *r, size_t from, size_t to) {
  size_t end = to;
  if (to - from > 2 && r->p[to - 2] == '\'' && lower(r->p[to - 1]) == 's') end = to - 2;
  aio__hit_token *t = push(r, AIO__HIT_WORD, from, end);
  t->written.n = to - from;
}

static void set_flag(aio__hit_token *token, unsigned flag) {
  token->flags = (uint16_t)(token->flags | flag);
}

static void mark_last(reader *r, unsigned flag) {
  if (r->out->n > 0) set_flag(&r->out->tokens[r->out->n - 1], flag);
}

static void end_sentence(reader *r) {
  mark_last(r, AIO__HIT_ENDS);
  r->starts = true;
}

static const aio__hit_entry *known(const reader *r, size_t from, size_t to) {
  return aio__hit_lexicon_find_written(r->lexicon, aio__str_n(r->p + from, to - from));
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* The end of a date at i: 2024-05-03, 5/3/2024, 3.5.2024; 0 when there is none. */
static size_t date_end(const reader *r, size_t i, size_t end) {
  size_t first = digits_end(r, i, end), n = first - i;
  char sep = at(r, first, end);
  if (sep != '-' && sep != '/' && sep != '.') return 0;
  size_t second = digits_end(r, first + 1, end), n2 = second - first - 1;
  if (at(r, second, end) != sep || n2 < 1 || n2 > 2) return 0;
  size_t third = digits_end(r, second + 1, end), n3 = third - second - 1;
  bool year_first = n == 4 && sep != '.' && n3 >= 1 && n3 <= 2;
  bool year_last = n <= 2 && (n3 == 4 || (n3 == 2 && sep == '/'));
  bool ends = third == end || !is_word(r->p[third]) || (year_first && r->p[third] == 'T');
  unsigned year, month, day;
  if (!(year_first || year_last) || !ends) return 0;
  return aio__hit_date_parts(aio__str_n(r->p + i, third - i), &year, &month, &day) ? third : 0;
}

/* Digits with at least two points: a version or a network address; up to where it ends, or 0. */
static size_t version_end(const reader *r, size_t i, size_t end) {
  size_t points = 0, k = digits_end(r, i, end);
  while (at(r, k, end) == '.' && is_digit(at(r, k + 1, end))) {
    points++;
    k = digits_end(r, k + 1, end);
  }
  if (points < 2) return 0;
  while (k < end &&
         (is_word(r->p[k]) || ((r->p[k] == '-' || r->p[k] == '.' || r->p[k] == '+') && is_word(at(r, k + 1, end)))))
    k++;
  return k;
}

static bool is_suffix(const aio__hit_entry *entry) {
  return entry != NULL && (entry->unit != 0 || AIO__HIT_HAS(entry, GLUED_SCALE) || AIO__HIT_HAS(entry, GLUED_UNIT) ||
                           AIO__HIT_HAS(entry, SCALE) || AIO__HIT_HAS(entry, AM) || AIO__HIT_HAS(entry, PM));
}

static bool is_th(const char *p, size_t n) {
  static const char endings[] = "stndrdth";
  if (n != 2) return false;
  for (size_t i = 0; i < 8; i += 2) {
    if (lower(p[0]) == endings[i] && lower(p[1]) == endings[i + 1]) return true;
  }
  return false;
}

static size_t letters_end(const reader *r, size_t i, size_t end) {
  while (i < end && (is_letter(r->p[i]) || r->p[i] == '%' || (r->p[i] == '^' && is_digit(at(r, i + 1, end))) ||
                     (i > 0 && r->p[i - 1] == '^') ||
                     (r->p[i] == '/' && i > 0 && is_letter(r->p[i - 1]) && is_letter(at(r, i + 1, end))))) {
    i++;
  }
  return i;
}

/* What follows the digits of a number without a space: 5km, 3rd, 1990s, 5k. Returns where it ends, or 0 when the whole
 * is an identifier. */
static size_t read_suffix(reader *r, size_t from, size_t digits, size_t end) {
  size_t stop = letters_end(r, digits, end), n = stop - digits;
  aio__hit_token *number = &r->out->tokens[r->out->n - 1];
  if (n == 0) return digits;
  if (is_th(r->p + digits, n)) {
    set_flag(number, AIO__HIT_TH);
    number->written.n = stop - from;
    return stop;
  }
  bool after_the = r->out->n > 1 && aio__hit_is(&r->out->tokens[r->out->n - 2], "the");
  size_t count = digits - from;
  if (n == 1 && r->p[digits] == 's' && r->p[digits - 1] == '0' && (count == 4 || (count == 2 && after_the))) {
    set_flag(number, AIO__HIT_DECADE);
    number->written.n = stop - from;
    return stop;
  }
  bool unit = is_suffix(known(r, digits, stop));
  const char *slash = memchr(r->p + digits, '/', n);
  if (!unit && slash != NULL) { /* 5km/day */
    stop = (size_t)(slash - r->p);
    n = stop - digits;
    unit = is_suffix(known(r, digits, stop));
  }
  bool hexadecimal = digits - from == 1 && r->p[from] == '0' && (r->p[digits] | 0x20) == 'x';
  bool sloppy = (n >= SLOPPY_MIN && !hexadecimal) || (n == 1 && r->p[digits] == 'x'); /* 5minutes, 4x */
  if (is_digit(at(r, stop, end)) || !(unit || sloppy)) return 0;
  push(r, AIO__HIT_WORD, digits, stop);
  return stop;
}

/* A number at i, perhaps with a minus before it. Returns where it ends. */
static size_t read_number(reader *r, size_t i, size_t end) {
  size_t from = i, stop = date_end(r, i, end);
  if (stop != 0) {
    push(r, AIO__HIT_DATE, i, stop);
    return stop < end && r->p[stop] == 'T' ? end : stop;
  }
  stop = version_end(r, i, end);
  if (stop != 0) {
    push(r, AIO__HIT_CODE, i, stop);
    return stop;
  }
  if (at(r, i, end) == '-') i++;
  size_t first = digits_end(r, i, end);
  if (at(r, first, end) == ':' && first - i <= 2 && digits_at(r, first + 1, end, 2)) {
    stop = first + 3;
    if (at(r, stop, end) == ':' && digits_at(r, stop + 1, end, 2)) stop += 3;
    push(r, AIO__HIT_CLOCK, i, first + 3);
    size_t behind = read_suffix(r, i, stop, end);
    return behind != 0 ? behind : stop;
  }
  if (at(r, first, end) == '/' && is_digit(at(r, first + 1, end))) {
    stop = digits_end(r, first + 1, end);
    push(r, AIO__HIT_RATIO, from, stop);
    return stop;
  }
  size_t low_from = r->low_n;
  for (stop = from; stop < end; stop++) {
    bool point = r->p[stop] == '.' && is_digit(at(r, stop + 1, end));
    if (!is_digit(r->p[stop]) && !point && !is_separator(r, stop, end) && !(stop == from && i > from)) break;
    if (r->p[stop] != ',') r->low[r->low_n++] = r->p[stop];
  }
  bool small = r->low_n - low_from <= DIGITS_MAX;
  push_low(r, small ? AIO__HIT_NUMBER : AIO__HIT_CODE, low_from, from, stop);
  size_t behind = small ? read_suffix(r, from, stop, end) : stop;
  if (behind != 0) return behind;
  /* 0x80, 4x4, 2fa: one identifier. */
  r->out->n--;
  r->low_n = low_from;
  while (stop < end && is_word(r->p[stop])) stop++;
  push(r, AIO__HIT_CODE, from, stop);
  return stop;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static bool is_camel(const char *p, size_t n) {
  for (size_t i = 1; i < n; i++) {
    if (is_upper(p[i]) && (unsigned char)(p[i - 1] - 'a') < 26) return true;
  }
  return false;
}

/* A run of letters, digits and apostrophes that begins with a letter. Returns where it ends. */
static size_t read_word(reader *r, size_t i, size_t end) {
  size_t stop = i, letters = 0;
  while (stop < end && (is_word(r->p[stop]) || (r->p[stop] == '\'' && is_letter(at(r, stop + 1, end))))) stop++;
  bool possessive = stop - i > 2 && r->p[stop - 2] == '\'' && lower(r->p[stop - 1]) == 's';
  size_t own = possessive ? stop - 2 : stop; /* "dl123's" is DL 123 */
  while (i + letters < own && !is_digit(r->p[i + letters])) letters++;
  if (letters == own - i) {
    if (is_camel(r->p + i, own - i))
      push(r, AIO__HIT_CODE, i, own);
    else
      push_word(r, i, stop);
    return stop;
  }
  /* python3, sha256 and RTX3080 are a word and a number, v2 a number; A1, H2O and p50 identifiers. */
  bool tail = digits_end(r, i + letters, own) == own;
  if (possessive) end = own;
  if (tail && letters == 1 && lower(r->p[i]) == 'v') {
    own = read_number(r, i + 1, end);
  } else if (tail && letters >= JOINED_LETTERS_MIN && memchr(r->p + i, '\'', letters) == NULL) {
    push_word(r, i, i + letters);
    own = read_number(r, i + letters, end);
  } else {
    push(r, AIO__HIT_CODE, i, own);
  }
  return possessive ? stop : own;
}

/* e.g., U.S.A, p.m: single letters between points become one word. Returns where it ends, or 0. */
static size_t read_initials(reader *r, size_t i, size_t end) {
  size_t low_from = r->low_n, k = i, count = 0;
  while (k < end && is_letter(r->p[k]) && !is_word(at(r, k + 1, end))) {
    r->low[r->low_n++] = lower(r->p[k]);
    count++;
    k++;
    if (at(r, k, end) == '.' && is_letter(at(r, k + 1, end)))
      k++;
    else
      break;
  }
  if (count < 2 || (k < end && is_word(r->p[k]))) {
    r->low_n = low_from;
    return 0;
  }
  push_low(r, AIO__HIT_WORD, low_from, i, k);
  return k;
}

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

/* A path or an address as one token: what is said twice is left out, and what only ends a sentence. */
static void push_code(reader *r, size_t from, size_t to) {
  while (to - from > 1 && r->p[to - 1] == '/') to--;
  push(r, AIO__HIT_CODE, from, to);
}

static void walk_chunk(reader *r, size_t from, size_t to) {
  for (size_t i = from; i < to;) {
    char c = r->p[i];
    size_t stop = 0;
    if (is_letter(c)) {
      stop = read_initials(r, i, to);
      if (stop == 0) stop = read_word(r, i, to);
    } else if (is_digit(c) || (c == '-' && i == from && is_digit(at(r, i + 1, to))) ||
               (c == '.' && is_digit(at(r, i + 1, to)))) {
      stop = read_number(r, i, to);
    } else if (c == '$') {
      push(r, AIO__HIT_WORD, i, i + 1);
      stop = i + 1;
    } else {
      bool sign = (c == '+' || c == '*' || c == '^' || c == '=') && i > from && is_digit(r->p[i - 1]) &&
                  is_digit(at(r, i + 1, to));
      if (sign) push(r, AIO__HIT_CODE, i, i + 1);
      if (c == '.') end_sentence(r);
      r->glued = false;
      stop = i + 1;
    }
    i = stop;
  }
}

/* A sign alone: "5 %", "5 $", and between two numbers "5 + 3". */
static void read_sign(reader *r, size_t from) {
  char c = r->p[from];
  size_t next = from + 1;
  while (next < r->n && r->p[next] == ' ') next++;
  bool after_number = r->out->n > 0 && r->out->tokens[r->out->n - 1].kind == AIO__HIT_NUMBER;
  if (!after_number || strchr("+*=^%$", c) == NULL) return;
  if (c == '%' || c == '$')
    push(r, AIO__HIT_WORD, from, from + 1);
  else if (next < r->n && is_digit(r->p[next]))
    push(r, AIO__HIT_CODE, from, from + 1);
}

/* ff0000 of #ff0000, but not 42 of issue #42. */
static bool is_colour(const reader *r, size_t from, size_t to) {
  bool letter = false, digit = false;
  for (size_t i = from; i < to; i++) {
    if (!is_word(r->p[i])) return false;
    letter = letter || is_letter(r->p[i]);
    digit = digit || is_digit(r->p[i]);
  }
  return letter && digit;
}

static size_t trim_front(const reader *r, size_t from, size_t to) {
  for (; from < to; from++) {
    char c = r->p[from], next = at(r, from + 1, to);
    if (is_word(c) || c == '_' || c == '@') break;
    bool sentence = c == '.' && is_upper(next) && !is_upper(at(r, from + 2, to)); /* "me .Is it", but .NET */
    if ((c == '.' && !sentence && (is_word(next) || next == '/' || next == '.')) || (c == '$' && next != '\0')) break;
    if ((c == '/' || c == '~' || c == '\\') && next != '\0') break;
    if (c == '-' && (next == '-' || is_word(next))) break;
    if (c == '#' && is_colour(r, from + 1, to)) break;
  }
  return from;
}

/* "1." and "2)" in front of the items of a list count nothing. */
static bool is_list_mark(const reader *r, size_t start, size_t end, bool stop) {
  if (end - start > 2 || !is_digit(r->p[start]) || !is_digit(r->p[end - 1]) || r->out->n == 0) return false;
  bool first = (r->out->tokens[r->out->n - 1].flags & AIO__HIT_STARTS) != 0;
  return (stop && first) || (at(r, end, r->n) == ')' && (start == 0 || is_space(r->p[start - 1])));
}

static void read_chunk(reader *r) {
  size_t from = r->at, to = from;
  while (to < r->n && is_chunk(r, to)) to++;
  r->at = to;
  r->glued = false;
  size_t start = trim_front(r, from, to), end = to;
  if (start > from && r->p[start - 1] == '.' && start < to && is_upper(r->p[start])) end_sentence(r);
  bool stop = false, colon = false;
  while (end > start && !is_word(r->p[end - 1])) {
    char c = r->p[end - 1];
    if ((c == '%' || c == '$') && end - 1 > start && is_digit(r->p[end - 2])) break;
    if ((c == '+' || c == '#') && known(r, start, end) != NULL) break;
    stop = stop || c == '.';
    colon = colon || c == ':';
    end--;
  }
  if (start == end) {
    if (to - from == 1) read_sign(r, from);
    if (r->p[from] == '.' && (to == r->n || is_space(r->p[to]))) end_sentence(r);
    return;
  }
  bool plain = true, call = at(r, to, r->n) == '(' && at(r, to + 1, r->n) == ')';
  for (size_t i = start; i < end; i++) plain = plain && is_word(r->p[i]);
  if (call) r->at += 2;
  if (!plain && known(r, start, end) != NULL)
    push(r, AIO__HIT_WORD, start, end); /* km/h, w/o, c++ */
  else if (call || aio__hit_is_identifier(r->lexicon, aio__str_n(r->p + start, end - start)))
    push_code(r, start, end);
  else
    walk_chunk(r, start, end);
  if (is_list_mark(r, start, end, stop)) mark_last(r, AIO__HIT_USED);
  if (colon) mark_last(r, AIO__HIT_COMMA);
  if (colon) r->starts = true;
  bool abbreviation = r->out->n > 0 && AIO__HIT_HAS(r->out->tokens[r->out->n - 1].entry, ABBREVIATION);
  bool initial = end - start == 1 && is_upper(r->p[start]);
  if (stop && !abbreviation && !initial && (to == r->n || is_space(r->p[to]) || is_chunk(r, to) == false))
    end_sentence(r);
}

/* ---- quotes ------------------------------------------------------------------------------------------------------ */

/* The other half of the quotation mark at `open`, or 0. */
static size_t quote_close(const reader *r, size_t open) {
  char mark = r->p[open];
  size_t limit = r->n - open > AIO__HIT_QUOTE_BYTES ? open + AIO__HIT_QUOTE_BYTES : r->n;
  for (size_t i = open + 1; i < limit; i++) {
    if (r->p[i] != mark) continue;
    if (mark != '\'') return i;
    if (!is_space(r->p[i - 1]) && i > open + 1 && !is_word(at(r, i + 1, r->n))) return i;
  }
  return 0;
}

static bool opens_quote(const reader *r, size_t i) {
  char c = r->p[i];
  if (i < r->quote_end || (c != '"' && c != '`' && c != '\'')) return false;
  if (c != '\'') return true;
  return (i == 0 || is_space(r->p[i - 1]) || r->p[i - 1] == '(') && is_word(at(r, i + 1, r->n));
}

static void open_quote(reader *r, size_t i) {
  size_t close = quote_close(r, i);
  if (close == 0) return;
  if (r->out->quotes_n == AIO__HIT_QUOTES_MAX) {
    r->out->quotes_full = true;
    return;
  }
  r->quote_end = close;
  aio__hit_quote *quote = &r->out->quotes[r->out->quotes_n++];
  quote->first = quote->end = r->out->n;
  quote->code = r->p[i] == '`';
}

static void close_quote(reader *r) {
  if (r->quote_end == 0 || r->at < r->quote_end) return;
  aio__hit_quote *quote = &r->out->quotes[r->out->quotes_n - 1];
  quote->end = r->out->n;
  if (quote->end == quote->first) r->out->quotes_n--;
  if (r->at == r->quote_end) r->at++;
  r->quote_end = 0;
}

/* ---- the whole text ---------------------------------------------------------------------------------------------- */

static void read_tokens(reader *r) {
  while (r->at < r->n) {
    close_quote(r);
    if (r->at == r->n) break;
    char c = r->p[r->at];
    if (opens_quote(r, r->at)) {
      open_quote(r, r->at++);
    } else if (c != '\'' && is_chunk(r, r->at)) {
      size_t before = r->at;
      size_t n = r->n;
      if (r->quote_end > r->at) r->n = r->quote_end; /* a chunk ends where its quote does */
      read_chunk(r);
      r->n = n;
      if (r->at == before) r->at++;
    } else {
      if (c == '!' || c == '?' || c == '\n') end_sentence(r);
      if (c == ',' || c == ';' || c == '(' || c == ')') mark_last(r, AIO__HIT_COMMA);
      r->at++;
    }
  }
  close_quote(r);
  mark_last(r, AIO__HIT_ENDS);
}

void aio__hit_tokens_read(const aio__hit_lexicon *lexicon, char *low, aio__hit_text *out) {
  reader r = {.lexicon = lexicon, .out = out, .p = out->written.p, .n = out->written.n, .low = low, .starts = true};
  read_tokens(&r);
}

size_t aio__hit_tokens_at_most(aio__str text) {
  size_t n = 1;
  int before = 0;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    int kind = is_letter(c) ? 1 : is_digit(c) ? 2 : is_space(c) ? 0 : 3;
    n += kind == 3 || (kind != 0 && kind != before);
    before = kind;
  }
  return n;
}
