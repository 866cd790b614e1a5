/*
 * Decoders: base64, hex, escapes, tag characters and letter-spacing, each one pass from a text to a text whose bytes
 * know where they came from. What does not decode to readable text is left out again.
 */
#include <string.h>

#include "text/normalize_parts.h"

enum { BASE64_MIN = 16, HEX_PAIRS_MIN = 8, SPACED_MIN = 4, READABLE_PERCENT = 60 };

static uint32_t offset_at(const aio__source *in, size_t i) {
  return aio__source_offset(in, i);
}

/* Readable: valid UTF-8 without controls, mostly letters and spaces. */
static bool is_readable(aio__str text) {
  if (text.n == 0 || aio__utf8_check(text, NULL) != text.n) return false;
  size_t good = 0;
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F) return false;
    good += c == ' ' || c >= 0x80 || (unsigned char)((c | 0x20) - 'a') < 26;
  }
  return good * 100 >= text.n * READABLE_PERCENT;
}

/* Keeps what was written since `start` when it is readable, with a line feed after it. */
static bool keep_readable(aio__view_writer *w, size_t start, uint32_t end_offset) {
  if (w->failed) return false;
  if (!is_readable(aio__str_n(w->text + start, w->n - start))) {
    w->n = start;
    return false;
  }
  aio__view_writer_put(w, '\n', end_offset);
  return true;
}

/* ---- base64 ------------------------------------------------------------------------------------------------------ */

/* 1 + the value of a digit; 0: none. */
static const uint8_t base64_digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
    ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
    ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
    ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['-'] = 63, ['/'] = 64, ['_'] = 64};

static inline int base64_digit(char c) {
  return base64_digits[(unsigned char)c] - 1;
}

/* The next place from `pos` on, where no digit stands before, at which a run of BASE64_MIN begins; text.n: none. What has
 * no digit in its last place is no such run, so most of a text is not looked at. */
static size_t base64_start(aio__str text, size_t pos) {
  while (pos < text.n && text.n - pos >= BASE64_MIN) {
    size_t start = pos + BASE64_MIN;
    while (start > pos && base64_digit(text.p[start - 1]) >= 0) start--;
    if (start == pos) return pos;
    pos = start;
  }
  return text.n;
}

/* The end of the run of digits that starts at `pos`; a run of some length goes on in the next line. */
static size_t base64_run(aio__str text, size_t pos, size_t *digits) {
  *digits = 0;
  for (;;) {
    while (pos < text.n && base64_digit(text.p[pos]) >= 0) {
      pos++;
      ++*digits;
    }
    size_t next = pos;
    if (next < text.n && text.p[next] == '\r') next++;
    bool wrapped = next + 1 < text.n && text.p[next] == '\n' && base64_digit(text.p[next + 1]) >= 0;
    if (!wrapped || *digits < BASE64_MIN || *digits % 4 != 0) return pos;
    pos = next + 1;
  }
}

static void base64_write(aio__view_writer *w, const aio__source *in, size_t start, size_t end) {
  uint32_t bits = 0;
  unsigned have = 0;
  for (size_t i = start; i < end; i++) {
    int digit = base64_digit(in->text.p[i]);
    if (digit < 0) continue;
    bits = (bits << 6 | (uint32_t)digit) & 0xFFFFFF;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    /* A byte is said to come from its first digit, the one before this. */
    aio__view_writer_put(w, (char)(bits >> have & 0xFF), offset_at(in, i > start ? i - 1 : i));
  }
}

bool aio__decode_base64(aio__arena *arena, const aio__source *in, aio__source *out) {
  aio__view_writer w;
  aio__view_writer_init(&w, arena, in->text.n / 4 * 3);
  for (size_t pos = 0; (pos = base64_start(in->text, pos)) < in->text.n;) {
    size_t digits, end = base64_run(in->text, pos, &digits), start = w.n;
    base64_write(&w, in, pos, end);
    keep_readable(&w, start, offset_at(in, end));
    pos = end;
  }
  return aio__view_writer_end(&w, offset_at(in, in->text.n), out);
}

/* ---- hex --------------------------------------------------------------------------------------------------------- */

static inline int hex_digit(char c) {
  unsigned char digit = (unsigned char)(c - '0'), letter = (unsigned char)((c | 0x20) - 'a');
  return digit < 10 ? digit : letter < 6 ? letter + 10 : -1;
}

/* The position of a pair of digits at `pos`, past \x and 0x; text.n when there is none. */
static size_t hex_pair_at(aio__str text, size_t pos) {
  bool prefix = pos + 1 < text.n && (text.p[pos] == '\\' || text.p[pos] == '0') && (text.p[pos + 1] | 0x20) == 'x';
  if (prefix) pos += 2;
  return pos + 1 < text.n && hex_digit(text.p[pos]) >= 0 && hex_digit(text.p[pos + 1]) >= 0 ? pos : text.n;
}

static size_t skip_hex_gap(aio__str text, size_t pos) {
  size_t end = pos + 2; /* ", " at most */
  while (pos < text.n && pos < end && strchr(" ,:;-\r\n", text.p[pos]) != NULL && text.p[pos] != '\0') pos++;
  return pos;
}

bool aio__decode_hex(aio__arena *arena, const aio__source *in, aio__source *out) {
  aio__view_writer w;
  aio__view_writer_init(&w, arena, in->text.n / 2);
  aio__str text = in->text;
  bool in_word = false;
  for (size_t pos = 0; pos < text.n;) {
    char c = text.p[pos];
    if (in_word || (hex_digit(c) < 0 && c != '\\')) {
      in_word = aio__is_alnum(c);
      pos++;
      continue;
    }
    size_t pair = hex_pair_at(text, pos), start = w.n, end = pos;
    while (pair < text.n) {
      aio__view_writer_put(&w, (char)(hex_digit(text.p[pair]) << 4 | hex_digit(text.p[pair + 1])), offset_at(in, pair));
      end = pair + 2;
      pair = hex_pair_at(text, skip_hex_gap(text, end));
    }
    if (w.failed) return false;
    if (w.n - start < HEX_PAIRS_MIN || !keep_readable(&w, start, offset_at(in, end))) w.n = start;
    if (end == pos) {
      in_word = aio__is_alnum(c);
      end++;
    }
    pos = end;
  }
  return aio__view_writer_end(&w, offset_at(in, text.n), out);
}

/* ---- escapes ----------------------------------------------------------------------------------------------------- */

static uint32_t hex_number(aio__str text, size_t pos, size_t max_digits, size_t *end) {
  uint32_t value = 0;
  size_t i = pos;
  while (i < text.n && i - pos < max_digits && hex_digit(text.p[i]) >= 0) {
    value = value << 4 | (uint32_t)hex_digit(text.p[i++]);
  }
  *end = i;
  return value;
}

static uint32_t html_entity(aio__str text, size_t pos, size_t *end) {
  static const struct {
    const char *name;
    char c;
  } named[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", ' '}};
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
    if (!aio__str_starts(aio__str_n(text.p + pos, text.n - pos), aio__str_z(named[i].name))) continue;
    *end = pos + strlen(named[i].name);
    return (uint32_t)named[i].c;
  }
  if (pos + 3 >= text.n || text.p[pos + 1] != '#') return 0;
  uint32_t value = 0;
  size_t i = pos + 2;
  if ((text.p[i] | 0x20) == 'x') {
    value = hex_number(text, i + 1, 6, &i);
  } else {
    for (; i < text.n && i < pos + 9 && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
      value = value * 10 + (uint32_t)(text.p[i] - '0');
    }
  }
  *end = i < text.n && text.p[i] == ';' ? i + 1 : i;
  return value;
}

/* The character that an escape at `pos` stands for, 0 when there is none; *end is past it. */
static uint32_t escape_at(aio__str text, size_t pos, size_t *end) {
  char next = (char)(pos + 1 < text.n ? text.p[pos + 1] : '\0');
  uint32_t value = 0;
  if (text.p[pos] == '&') return html_entity(text, pos, end);
  if (text.p[pos] != '\\') return 0;
  if (next == 'x') {
    value = hex_number(text, pos + 2, 2, end);
    return *end == pos + 4 ? value : 0;
  }
  if (next != 'u') return 0;
  if (pos + 2 < text.n && text.p[pos + 2] == '{') {
    value = hex_number(text, pos + 3, 6, end);
    if (*end < text.n && text.p[*end] == '}') ++*end;
    return value;
  }
  value = hex_number(text, pos + 2, 4, end);
  return *end == pos + 6 ? value : 0;
}

/* %XX sequences spell bytes, which must be UTF-8 together; others stay as they are. Returns the end, or `pos`. */
static size_t percent_bytes(aio__view_writer *w, const aio__source *in, size_t pos, bool *decoded) {
  size_t start = w->n, i = pos;
  while (i + 2 < in->text.n && in->text.p[i] == '%' && hex_digit(in->text.p[i + 1]) >= 0 &&
         hex_digit(in->text.p[i + 2]) >= 0) {
    int byte = hex_digit(in->text.p[i + 1]) << 4 | hex_digit(in->text.p[i + 2]);
    aio__view_writer_put(w, (char)byte, offset_at(in, i));
    i += 3;
  }
  if (w->failed || i == pos) return pos;
  aio__str made = aio__str_n(w->text + start, w->n - start);
  if (memchr(made.p, '\0', made.n) == NULL && aio__utf8_check(made, NULL) == made.n) {
    *decoded = true;
    return i;
  }
  w->n = start;
  for (size_t k = pos; k < i; k++) aio__view_writer_put(w, in->text.p[k], offset_at(in, k));
  return i;
}

bool aio__decode_escapes(aio__arena *arena, const aio__source *in, aio__source *out) {
  aio__view_writer w;
  aio__view_writer_init(&w, arena, in->text.n);
  bool decoded = false;
  for (size_t pos = 0; pos < in->text.n;) {
    char c = in->text.p[pos], bytes[4];
    size_t end = pos, n = 0;
    if (c == '%' && (end = percent_bytes(&w, in, pos, &decoded)) > pos) {
      pos = end;
      continue;
    }
    uint32_t code_point = c == '&' || c == '\\' ? escape_at(in->text, pos, &end) : 0;
    if (code_point != 0) n = aio__utf8_put(code_point, bytes);
    for (size_t i = 0; i < n; i++) aio__view_writer_put(&w, bytes[i], offset_at(in, pos));
    decoded = decoded || n > 0;
    if (n == 0) aio__view_writer_put(&w, c, offset_at(in, pos));
    pos = n > 0 ? end : pos + 1;
  }
  if (!decoded) w.n = 0;
  return aio__view_writer_end(&w, offset_at(in, in->text.n), out);
}

/* ---- tag characters and variation selectors ---------------------------------------------------------------------- */

static int selector_byte(uint32_t c) {
  if (c >= 0xFE00 && c <= 0xFE0F) return (int)(c - 0xFE00);
  if (c >= 0xE0100 && c <= 0xE01EF) return (int)(c - 0xE0100 + 16);
  return -1;
}

/* A run of variation selectors, each of which carries one byte; nothing is kept of what is not text. */
static size_t selector_run(aio__view_writer *w, const aio__source *in, size_t pos) {
  size_t start = w->n;
  while (pos < in->text.n) {
    size_t next = pos;
    int byte = selector_byte(aio__next_valid(in->text.p, &next));
    if (byte < 0) break;
    aio__view_writer_put(w, (char)byte, offset_at(in, pos));
    pos = next;
  }
  if (!w->failed && (w->n - start < 2 || !is_readable(aio__str_n(w->text + start, w->n - start)))) w->n = start;
  return pos;
}

bool aio__decode_tags(aio__arena *arena, const aio__source *in, aio__source *out) {
  aio__view_writer w;
  aio__view_writer_init(&w, arena, in->text.n);
  bool decoded = false;
  for (size_t pos = 0; pos < in->text.n && !w.failed;) {
    size_t next = pos;
    uint32_t c = aio__next_valid(in->text.p, &next);
    if (selector_byte(c) >= 0) {
      size_t before = w.n;
      pos = selector_run(&w, in, pos);
      decoded = decoded || w.n > before;
      continue;
    }
    if (c >= 0xE0020 && c <= 0xE007E) {
      aio__view_writer_put(&w, (char)(c - 0xE0000), offset_at(in, pos));
      decoded = true;
    } else {
      for (size_t i = pos; i < next; i++) aio__view_writer_put(&w, in->text.p[i], offset_at(in, i));
    }
    pos = next;
  }
  if (!decoded) w.n = 0;
  return aio__view_writer_end(&w, offset_at(in, in->text.n), out);
}

/* ---- letter-spacing ---------------------------------------------------------------------------------------------- */

static bool is_letter_at(aio__str text, size_t i) {
  return i < text.n && (aio__is_alnum(text.p[i]) || (unsigned char)text.p[i] >= 0x80);
}

typedef struct spacing {
  aio__str original;
  const aio__source *plain;
  size_t end;      /* of the run of single letters */
  size_t letters;
  size_t narrow;   /* characters between two letters of a word: the least of the run */
  char separator;
} spacing;

static size_t gap_end(aio__str text, size_t i) {
  while (i < text.n && !is_letter_at(text, i)) i++;
  return i;
}

/* Visible characters between the letter at `letter` of the view and the next one. */
static size_t gap_width(const spacing *s, size_t letter, size_t next_letter) {
  size_t pos = offset_at(s->plain, letter), end = offset_at(s->plain, next_letter), width = 0;
  aio__next_valid(s->original.p, &pos);
  while (pos < end) width += !aio__is_invisible(aio__next_valid(s->original.p, &pos));
  return width;
}

static void measure_run(spacing *s, size_t start) {
  aio__str text = s->plain->text;
  s->end = start;
  s->letters = 0;
  s->narrow = SIZE_MAX;
  for (size_t pos = start; pos < text.n;) {
    size_t next = pos;
    aio__next_valid(text.p, &next);
    if (is_letter_at(text, next)) break;
    if (s->letters > 0) {
      size_t before = s->end;
      do before--; while (((unsigned char)text.p[before] & 0xC0) == 0x80);
      size_t width = gap_width(s, before, pos);
      if (width < s->narrow) {
        s->narrow = width;
        s->separator = text.p[s->end];
      }
    }
    s->letters++;
    s->end = next;
    pos = gap_end(text, next);
  }
}

static void close_run(spacing *s, aio__view_writer *w, size_t start) {
  aio__str text = s->plain->text;
  for (size_t pos = start; pos < s->end;) {
    size_t letter = pos;
    aio__next_valid(text.p, &pos);
    for (size_t i = letter; i < pos; i++) aio__view_writer_put(w, text.p[i], offset_at(s->plain, i));
    if (pos >= s->end) return;
    size_t next = gap_end(text, pos);
    if (gap_width(s, letter, next) > s->narrow) {
      for (size_t i = pos; i < next; i++) {
        bool mark = text.p[i] != ' ' && text.p[i] != '\n' && text.p[i] != s->separator;
        if (mark) aio__view_writer_put(w, text.p[i], offset_at(s->plain, i));
      }
      aio__view_writer_put(w, ' ', offset_at(s->plain, next - 1));
    }
    pos = next;
  }
}

bool aio__decode_spaced(aio__arena *arena, aio__str original, const aio__source *plain, aio__source *out) {
  aio__view_writer w;
  aio__view_writer_init(&w, arena, plain->text.n);
  spacing s = {.original = original, .plain = plain};
  bool closed = false, in_word = false;
  for (size_t pos = 0; pos < plain->text.n && !w.failed;) {
    bool letter = is_letter_at(plain->text, pos);
    s.end = pos;
    if (letter && !in_word) measure_run(&s, pos);
    if (s.end > pos && s.letters >= SPACED_MIN) {
      close_run(&s, &w, pos);
      closed = true;
    } else {
      if (s.end == pos) s.end++;
      for (size_t i = pos; i < s.end; i++) aio__view_writer_put(&w, plain->text.p[i], offset_at(plain, i));
    }
    in_word = letter && s.end == pos + 1;
    if (!letter) in_word = false;
    pos = s.end;
  }
  if (!closed) w.n = 0;
  return aio__view_writer_end(&w, offset_at(plain, plain->text.n), out);
}
