/*
 * What a chunk of text is built like: an identifier, or words and numbers.
 */
#include "guard/hit_guard_parts.h"

enum { SLASHED_MIN = 3 }; /* letters on each side of a slash */

static bool is_digit(char c) {
  return (unsigned char)(c - '0') < 10;
}

static bool is_upper(char c) {
  return (unsigned char)(c - 'A') < 26;
}

static bool is_letter(char c) {
  return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)c >= 0x80;
}

static bool is_word(char c) {
  return is_letter(c) || is_digit(c);
}

static bool has(aio__str text, const char *two) {
  for (size_t i = 0; i + 1 < text.n; i++) {
    if (text.p[i] == two[0] && text.p[i + 1] == two[1]) return true;
  }
  return false;
}

static const aio__hit_entry *known(const aio__hit_lexicon *lexicon, aio__str chunk, size_t from, size_t to) {
  return aio__hit_lexicon_find_written(lexicon, aio__str_n(chunk.p + from, to - from));
}

/* e.g, U.S.A, p.m */
static bool is_initials(aio__str chunk) {
  for (size_t i = 0; i < chunk.n; i++) {
    if (i % 2 == 0 ? !is_letter(chunk.p[i]) : chunk.p[i] != '.') return false;
  }
  return true;
}

/* The last point stands before a known ending, or is not the end of a sentence typed without a space. */
static bool is_dotted_name(const aio__hit_lexicon *lexicon, aio__str chunk) {
  const char *p = chunk.p;
  size_t point = 0, points = 0;
  for (size_t i = 1; i + 1 < chunk.n; i++) {
    if (p[i] != '.' || !is_word(p[i - 1]) || !is_letter(p[i + 1])) continue;
    point = i;
    points++;
  }
  if (points == 0 || is_initials(chunk)) return false;
  if (points > 1 || AIO__HIT_HAS(known(lexicon, chunk, point + 1, chunk.n), FILE_ENDING)) return true;
  if (is_upper(p[point + 1]) && !is_upper(p[point - 1])) return false;
  size_t right = point + 1, left = point;
  while (right < chunk.n && is_letter(p[right])) right++;
  while (left > 0 && is_letter(p[left - 1])) left--;
  return !AIO__HIT_HAS(known(lexicon, chunk, left, point), FUNCTION) &&
         !AIO__HIT_HAS(known(lexicon, chunk, point + 1, right), FUNCTION);
}

/* /etc/hosts, ./run, ~/x, .gitignore, #ff0000, $PATH, @name, --flag, -x */
static bool begins_like_code(aio__str chunk) {
  char first = chunk.p[0], second = chunk.n > 1 ? chunk.p[1] : '\0';
  switch (first) {
    case '/':
    case '#': return true;
    case '.': return second != '\0';
    case '~': return second == '/';
    case '$':
    case '@': return is_letter(second);
    case '-': return second == '-' || (is_letter(second) && chunk.n <= 3);
    default: return false;
  }
}

/* feature/login, but not and/or and TCP/IP: may be a path, may be two words. */
static bool is_slashed(const aio__hit_lexicon *lexicon, aio__str chunk) {
  size_t slash = 0;
  for (size_t i = 0; i < chunk.n; i++) {
    if (chunk.p[i] == '/') slash = i;
    else if (!is_letter(chunk.p[i]) || is_upper(chunk.p[i])) return false;
  }
  const aio__hit_entry *left = known(lexicon, chunk, 0, slash), *right = known(lexicon, chunk, slash + 1, chunk.n);
  bool words = AIO__HIT_HAS(left, FUNCTION) || AIO__HIT_HAS(right, FUNCTION) || (left != NULL && left->unit != 0);
  return slash >= SLASHED_MIN && chunk.n - slash > SLASHED_MIN && !words;
}

/* Path, address, foo_bar, a::b, x=y. */
static bool is_code(const aio__hit_lexicon *lexicon, aio__str chunk) {
  const char *p = chunk.p;
  size_t slashes = 0, letters = 0;
  for (size_t i = 0; i < chunk.n; i++) {
    bool inside = i > 0 && i + 1 < chunk.n && is_word(p[i - 1]) && is_word(p[i + 1]);
    letters += is_letter(p[i]);
    slashes += p[i] == '/';
    if (p[i] == '\\' || (p[i] == '_' && chunk.n > 1)) return true;
    if (inside && (p[i] == '@' || p[i] == '#' || p[i] == '~' || (p[i] == '=' && letters > 0))) return true;
  }
  bool version = chunk.n > 1 && (p[0] | 0x20) == 'v' && is_digit(p[1]);
  if (letters == 0 || version) return false;
  if (slashes == 1 && is_slashed(lexicon, chunk)) return true;
  if (begins_like_code(chunk) || slashes >= 2 || has(chunk, "::") || has(chunk, "->")) return true;
  return (slashes == 1 || !is_digit(p[0])) && is_dotted_name(lexicon, chunk);
}

/* INV-2023-001, i7-9700K: parts of letters and digits that belong together. */
static bool is_serial(aio__str chunk) {
  size_t parts = 1, with_digits = 0;
  bool mixed = false, letters = false, digits = false, capitals = true, number_first = is_digit(chunk.p[0]);
  for (size_t i = 0; i <= chunk.n; i++) {
    char c = i < chunk.n ? chunk.p[i] : '-';
    if (c == '-') {
      mixed = mixed || (letters && digits && !number_first);
      with_digits += digits;
      parts += i < chunk.n;
      letters = digits = false;
      continue;
    }
    if (!is_word(c)) return false;
    letters = letters || is_letter(c);
    digits = digits || is_digit(c);
    capitals = capitals && (!is_letter(c) || is_upper(c));
  }
  return parts > 1 && with_digits > 0 && (mixed || (parts > 2 && capitals && !number_first));
}

bool aio__hit_is_identifier(const aio__hit_lexicon *lexicon, aio__str chunk) {
  return is_code(lexicon, chunk) || is_serial(chunk);
}
