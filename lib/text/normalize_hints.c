/*
 * Hints: one pass over a PLAIN view that says which decoders are worth running, so that ordinary text pays for none.
 *
 * The pass goes run by run, a run being what base64 may be made of. What it finds is cheap to be wrong about: a decoder
 * that is started in vain finds nothing.
 */
#include "text/normalize_parts.h"

enum {
  ENCODED_MIN = 16, /* characters of base64 or hex that can hold a word or two */
  HEX_PAIRS_MIN = 8,
  LEET_MAX = 32,    /* longer is an identifier or a code */
  MIXED_MIN = 2,
  SPACED_MIN = 4,   /* single letters in a row */
  ROT13_MIN = 44,   /* quarter bits of evidence: about eleven letters of rotated English or German */
  SHORT_TEXT = 400, /* chance makes less of a short text look rotated, so that half of that is enough */
  ROT13_MIN_SHORT = 24
};

enum { ALPHA = 1, DIGIT = 2, HEXED = 4, JOINER = 8 };

/* What a byte may be part of, and how much more likely it is when the text is rotated by 13, in quarter bits: from the
 * letter frequencies of English and German. */
static const struct {
  uint8_t kind;
  int8_t rotated;
} bytes[256] = {
    ['a'] = {ALPHA | HEXED, 0}, ['b'] = {ALPHA | HEXED, 7}, ['c'] = {ALPHA | HEXED, -4}, ['d'] = {ALPHA | HEXED, -16},
    ['e'] = {ALPHA | HEXED, -5}, ['f'] = {ALPHA | HEXED, 7}, ['g'] = {ALPHA, 7}, ['h'] = {ALPHA, -3},
    ['i'] = {ALPHA, -12}, ['j'] = {ALPHA, 14}, ['k'] = {ALPHA, -12}, ['l'] = {ALPHA, -6}, ['m'] = {ALPHA, -10},
    ['n'] = {ALPHA, 0}, ['o'] = {ALPHA, -7}, ['p'] = {ALPHA, 4}, ['q'] = {ALPHA, 16}, ['r'] = {ALPHA, 5},
    ['s'] = {ALPHA, -7}, ['t'] = {ALPHA, -7}, ['u'] = {ALPHA, 3}, ['v'] = {ALPHA, 12}, ['w'] = {ALPHA, -14},
    ['x'] = {ALPHA, 12}, ['y'] = {ALPHA, 6}, ['z'] = {ALPHA, 10}, ['0'] = {DIGIT | HEXED, 0},
    ['1'] = {DIGIT | HEXED, 0}, ['2'] = {DIGIT | HEXED, 0}, ['3'] = {DIGIT | HEXED, 0}, ['4'] = {DIGIT | HEXED, 0},
    ['5'] = {DIGIT | HEXED, 0}, ['6'] = {DIGIT | HEXED, 0}, ['7'] = {DIGIT | HEXED, 0}, ['8'] = {DIGIT | HEXED, 0},
    ['9'] = {DIGIT | HEXED, 0}, ['+'] = {JOINER, 0}, ['/'] = {JOINER, 0}, ['='] = {JOINER, 0}, ['_'] = {JOINER, 0},
    ['-'] = {JOINER, 0},
};

typedef struct scan {
  const char *text;
  aio__hints *hints;
  int32_t rotated;   /* evidence in the best stretch that ends here */
  int32_t rotated_min;
  size_t single;     /* runs of one letter in a row */
  size_t hex_pairs;  /* runs in a row that look like one byte of hex */
  size_t mixed;      /* runs with a digit beside a letter */
} scan;

static bool is_hex_pair(const char *run, size_t len, unsigned all) {
  if (len == 2) return (all & HEXED) != 0;
  return (len == 3 && run[0] == 'x') || (len == 4 && run[0] == '0' && run[1] == 'x');
}

static bool alternates(const char *run, size_t len) {
  size_t joiners = 0;
  for (size_t i = 0; i < len; i++) joiners += (bytes[(unsigned char)run[i]].kind & JOINER) != 0;
  return len >= 2 * SPACED_MIN - 1 && joiners * 2 + 1 >= len;
}

/* A digit between letters is leet; a digit at one end ("24th", "mp3") only when there are more such words. */
static void note_leet(scan *s, const char *run, size_t len) {
  unsigned before = 0;
  bool beside = false, after_letter = false;
  for (size_t i = 0; i < len; i++) {
    unsigned kind = bytes[(unsigned char)run[i]].kind & (ALPHA | DIGIT | JOINER);
    bool changes = (kind | before) == (ALPHA | DIGIT);
    beside = beside || changes;
    if (changes && kind == ALPHA && after_letter) s->hints->leet = true;
    if (kind != DIGIT) after_letter = false;
    if (changes && kind == DIGIT) after_letter = true;
    before = kind;
  }
  s->mixed += beside;
  if (s->mixed >= MIXED_MIN) s->hints->leet = true;
}

static void end_run(scan *s, size_t end, size_t len, unsigned any, unsigned all, int32_t rotated) {
  const char *run = s->text + end - len;
  s->rotated = s->rotated + rotated > 0 ? s->rotated + rotated : 0;
  if (s->rotated >= s->rotated_min) s->hints->rot13 = true;
  if ((any & (ALPHA | DIGIT)) == (ALPHA | DIGIT) && len <= LEET_MAX) note_leet(s, run, len);
  if (len >= ENCODED_MIN) {
    s->hints->base64 = true;
    s->hints->hex = s->hints->hex || (any & DIGIT) != 0;
  }
  s->single = len == 1 ? s->single + 1 : 0;
  if (s->single >= SPACED_MIN || ((any & JOINER) != 0 && alternates(run, len))) s->hints->spaced = true;
  s->hex_pairs = is_hex_pair(run, len, all) ? s->hex_pairs + 1 : 0;
  if (s->hex_pairs >= HEX_PAIRS_MIN) s->hints->hex = true;
}

static bool is_alpha_at(aio__str text, size_t i) {
  return i < text.n && (bytes[(unsigned char)text.p[i]].kind & ALPHA) != 0;
}

static void note_break(scan *s, aio__str text, size_t i) {
  switch (text.p[i]) {
    case '@': case '$': case '!': case '|':
      if (is_alpha_at(text, i + 1)) s->hints->leet = true;
      break;
    case '%': case '&': case '\\':
      if (i + 1 < text.n && (aio__is_alnum(text.p[i + 1]) || text.p[i + 1] == '#')) s->hints->escaped = true;
      break;
    default: break;
  }
}

void aio__hints_find(aio__str plain, aio__hints *out) {
  *out = (aio__hints){0};
  scan s = {.text = plain.p, .hints = out, .rotated_min = plain.n < SHORT_TEXT ? ROT13_MIN_SHORT : ROT13_MIN};
  size_t len = 0;
  unsigned any = 0, all = 0xFF;
  int32_t rotated = 0;
  for (size_t i = 0; i < plain.n; i++) {
    unsigned char c = (unsigned char)plain.p[i];
    unsigned kind = bytes[c].kind;
    if (kind != 0) {
      any |= kind;
      all &= kind;
      rotated += bytes[c].rotated;
      len++;
      continue;
    }
    if (len > 0) {
      end_run(&s, i, len, any, all, rotated);
      len = 0;
      any = 0;
      all = 0xFF;
      rotated = 0;
    }
    if (c != ' ') note_break(&s, plain, i);
  }
  if (len > 0) end_run(&s, plain.n, len, any, all, rotated);
  for (size_t i = 0; out->leet && !out->leet_one && i < plain.n; i++) {
    out->leet_one = plain.p[i] == '1' && (is_alpha_at(plain, i + 1) || (i > 0 && is_alpha_at(plain, i - 1)));
  }
}
