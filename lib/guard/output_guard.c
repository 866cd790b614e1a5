/*
 * The output guard: secrets by rule, and the canary of the prompt in the disguises that models use to pass it on.
 *
 * A canary is looked for in the letters and digits alone, case ignored, forwards and backwards, so that spacing and
 * punctuation hide nothing, and as base64 at each of the three alignments.
 */
#include "guard/output_guard.h"

#include <string.h>

#include "guard/literals.h"
#include "guard/rule_set.h"
#include "text/unpack.h"

enum {
  LOOKBACK = 1024,     /* a finding begins at most so many bytes before what is new */
  SEGMENT_MIN = 8,     /* less than this between two faulty bytes holds no secret */
  CANARY_MIN = 8,      /* letters and digits: less is met by chance */
  CANARY_MAX = 64,     /* of which so many are looked for */
  CANARY_SPREAD = 8    /* bytes of text for each letter of a canary, on average, that is spaced out */
};

struct aio__output_guard {
  const aio__alloc *al;
  aio__rule_set *rules;
};

aiorch_status aio__output_guard_new(const aio__alloc *al, aio__output_guard **out, aiorch_error *error) {
  aio__output_guard *guard = aio__calloc(al, 1, sizeof *guard);
  if (guard == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "output rules: out of memory");
  guard->al = al;
  char *text = aio__unpack(&aio__data_output_rules, al);
  const aio__rule_file file = {"output_rules.json", {text, aio__data_output_rules.len}};
  aiorch_status status = text != NULL ? aio__rule_set_new(al, &file, 1, false, &guard->rules, error)
                                      : aio__error_set(error, AIORCH_E_NOMEM, "output rules: out of memory");
  aio__free(al, text);
  if (status != AIORCH_OK) {
    aio__free(al, guard);
    return status;
  }
  *out = guard;
  return AIORCH_OK;
}

void aio__output_guard_free(aio__output_guard *guard) {
  if (guard == NULL) return;
  aio__rule_set_free(guard->rules);
  aio__free(guard->al, guard);
}

/* ---- the canary -------------------------------------------------------------------------------------------------- */

static bool is_alnum(char c) {
  return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

static char lower(char c) {
  return (char)((unsigned char)(c - 'A') < 26 ? c | 0x20 : c);
}

/* The search of Knuth, Morris and Pratt over the letters and digits of a text: linear whatever the canary. */
typedef struct needle {
  char text[CANARY_MAX * 2];
  uint8_t fall[CANARY_MAX * 2 + 1]; /* made when it is first asked for */
  size_t n, matched;
  bool exact; /* case counts, and every byte */
  bool has_fall;
} needle;

static void needle_make(needle *key, const char *text, size_t n, bool exact) {
  key->n = n;
  key->matched = 0;
  key->exact = exact;
  key->has_fall = false;
  memcpy(key->text, text, n);
}

static void make_fall(needle *key) {
  const char *text = key->text;
  key->fall[0] = key->fall[1] = 0;
  for (size_t i = 1, k = 0; i < key->n; i++) {
    while (k > 0 && text[i] != text[k]) k = key->fall[k];
    if (text[i] == text[k]) k++;
    key->fall[i + 1] = (uint8_t)k;
  }
  key->has_fall = true;
}

/* True when the needle ends with this byte. */
static inline bool needle_step(needle *key, char c) {
  if (!key->exact) {
    if (!is_alnum(c)) return false;
    c = lower(c);
  }
  while (key->matched > 0 && (key->matched == key->n || key->text[key->matched] != c)) {
    if (!key->has_fall) make_fall(key);
    key->matched = key->fall[key->matched];
  }
  if (key->text[key->matched] == c) key->matched++;
  return key->matched == key->n;
}

/* Where the needle began that ends before `end`. */
static size_t needle_start(const needle *key, aio__str text, size_t end) {
  if (key->exact) return end - key->n;
  for (size_t left = key->n; left > 0; end--) left -= is_alnum(text.p[end - 1]) ? 1 : 0;
  return end;
}

/* The base64 digits that the canary has for certain when `shift` bytes stand before it in its group. */
static size_t base64_of(aio__str canary, size_t shift, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t n = 0, bits = canary.n * 8, first = (6 - shift * 8 % 6) % 6;
  for (size_t bit = first; bit + 6 <= bits && n < CANARY_MAX * 2; bit += 6) {
    unsigned high = (unsigned char)canary.p[bit / 8], low = bit / 8 + 1 < canary.n ? (unsigned char)canary.p[bit / 8 + 1] : 0;
    out[n++] = digits[(high << 8 | low) >> (10 - bit % 8) & 63];
  }
  return n;
}

static size_t make_needles(aio__str canary, needle needles[AIO__CANARY_NEEDLES]) {
  char squeezed[CANARY_MAX], reversed[CANARY_MAX], encoded[CANARY_MAX * 2];
  size_t n = 0, made = 0;
  for (size_t i = 0; i < canary.n && n < CANARY_MAX; i++) {
    if (is_alnum(canary.p[i])) squeezed[n++] = lower(canary.p[i]);
  }
  if (n < CANARY_MIN) return 0;
  for (size_t i = 0; i < n; i++) reversed[i] = squeezed[n - 1 - i];
  needle_make(&needles[made++], squeezed, n, false);
  needle_make(&needles[made++], reversed, n, false);
  for (size_t shift = 0; shift < 3; shift++) {
    size_t len = base64_of(canary, shift, encoded);
    if (len >= CANARY_MIN) needle_make(&needles[made++], encoded, len, true);
  }
  return made;
}

/* Whether none of them has begun. */
static bool all_idle(const needle *needles, size_t n) {
  size_t matched = 0;
  for (size_t k = 0; k < n; k++) matched |= needles[k].matched;
  return matched == 0;
}

enum { FIRST = 1, SECOND = 2 };

static void mark(uint8_t marks[256], const needle *key, size_t at, uint8_t as) {
  char c = key->text[at];
  marks[(unsigned char)c] |= as;
  if (!key->exact && c >= 'a') marks[(unsigned char)c & ~0x20u] |= as;
}

/* Marks the bytes with which one of them begins, and with which it may go on: most pairs of bytes of a text are none of these. What is
 * neither letter nor digit may stand between. */
static void mark_begins(const needle *needles, size_t n, uint8_t marks[256]) {
  for (size_t c = 0; c < 256; c++) marks[c] = is_alnum((char)c) ? 0 : SECOND;
  for (size_t k = 0; k < n; k++) {
    mark(marks, &needles[k], 0, FIRST);
    mark(marks, &needles[k], 1, SECOND);
  }
}

/* Of a text in which none has begun, the first byte from `i` on with which one may begin. */
static size_t skip_idle(aio__str text, size_t i, const uint8_t marks[256]) {
  for (; i < text.n; i++) {
    if (!(marks[(unsigned char)text.p[i]] & FIRST)) continue;
    if (i + 1 == text.n || (marks[(unsigned char)text.p[i + 1]] & SECOND)) break;
  }
  return i;
}

/* Goes on where the watch stands. True: one has ended, at watch->canary_at. */
static bool find_canary(aio__str text, aio__str canary, aio__output_watch *watch, aio__output_finding *out) {
  needle needles[AIO__CANARY_NEEDLES];
  uint8_t marks[256];
  size_t n = watch->canary_at < text.n ? make_needles(canary, needles) : 0, i = watch->canary_at, found = n;
  if (n == 0) return false;
  for (size_t k = 0; k < n; k++) needles[k].matched = watch->matched[k];
  mark_begins(needles, n, marks);
  bool idle = all_idle(needles, n);
  for (; i < text.n && found == n; i++) {
    if (idle && (i = skip_idle(text, i, marks)) == text.n) break;
    for (size_t k = 0; k < n; k++) { /* all of them move on, also when one of them has ended */
      if (needle_step(&needles[k], text.p[i]) && found == n) found = k;
    }
    idle = all_idle(needles, n);
  }
  watch->canary_at = i;
  for (size_t k = 0; k < n; k++) watch->matched[k] = (uint8_t)needles[k].matched;
  if (found == n) return false;
  *out = (aio__output_finding){AIO__VERDICT_BLOCK, "prompt_canary", "prompt_leak", needle_start(&needles[found], text, i), i};
  return true;
}

/* False: enough. */
static bool each_canary(aio__str text, size_t from, aio__str canary, aio__output_watch *watch, aio__output_found found, void *ctx) {
  size_t lookback = canary.n * CANARY_SPREAD > LOOKBACK ? canary.n * CANARY_SPREAD : LOOKBACK;
  aio__output_watch once = {.canary_at = from > lookback ? from - lookback : 0};
  aio__output_finding leak;
  if (canary.n == 0) return true;
  while (find_canary(text, canary, watch ? watch : &once, &leak)) {
    if (leak.end > from && !found(ctx, &leak)) return false;
  }
  return true;
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

typedef struct walk {
  const aio__output_guard *guard;
  aio__rule_scan *scan;
  aio__str text;
  size_t from;
  aio__output_found found;
  void *ctx;
} walk;

/* False: enough. */
static bool each_match(const walk *w, size_t index, size_t start, size_t end) {
  const aio__rule *rule = aio__rule_set_at(w->guard->rules, index);
  size_t after = w->from > start ? w->from - start : 0, pos = 0, first = 0, last = 0;
  for (;;) {
    aio__match match = aio__rule_scan_match(w->scan, index, pos, after, &first, &last);
    if (match == AIO__MATCH_NONE) return true;
    aio__output_finding finding = {rule->severity, rule->id, rule->category, start + first, start + last};
    if (match == AIO__MATCH_LIMIT) {
      finding = (aio__output_finding){AIO__VERDICT_BLOCK, "match_limit", rule->category, start, end};
    }
    if (!w->found(w->ctx, &finding)) return false;
    if (match == AIO__MATCH_LIMIT) return true;
    pos = last > first ? last : first + 1;
    if (after < pos) after = pos;
  }
}

static bool each_segment(const walk *w, size_t start, size_t end) {
  aio__rule_scan_text(w->scan, aio__str_n(w->text.p + start, end - start));
  for (size_t i = 0; i < aio__rule_set_count(w->guard->rules); i++) {
    if (!each_match(w, i, start, end)) return false;
  }
  return true;
}

/* Without a literal of a rule at or behind `pos` no rule can match there. Each byte is looked at for them about once. */
static bool may_match(const aio__output_guard *guard, aio__str text, size_t pos, aio__output_watch *watch) {
  if (watch == NULL || aio__rule_set_needs_nothing(guard->rules)) return true;
  size_t start = watch->literals_at > AIO__LITERAL_MAX ? watch->literals_at - AIO__LITERAL_MAX : 0;
  size_t last = aio__rule_set_last_literal(guard->rules, aio__str_n(text.p + start, text.n - start));
  if (last > 0) watch->literal = start + last;
  watch->literals_at = text.n;
  return watch->literal > pos;
}

aiorch_status aio__output_guard_each(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                     aio__output_watch *watch, aio__output_found found, void *ctx) {
  if (from > text.n) from = text.n;
  if (!each_canary(text, from, canary, watch, found, ctx)) return AIORCH_OK;
  size_t pos = from > LOOKBACK ? from - LOOKBACK : 0;
  while (pos > 0 && pos < text.n && ((unsigned char)text.p[pos] & 0xC0) == 0x80 && from - pos < LOOKBACK + 4) pos--;
  if (!may_match(guard, text, pos, watch)) return AIORCH_OK;
  walk w = {guard, aio__rule_scan_get(guard->rules), text, from, found, ctx};
  if (w.scan == NULL) return AIORCH_E_NOMEM;
  for (bool more = true; more && pos < text.n;) {
    size_t valid = pos + aio__utf8_check(aio__str_n(text.p + pos, text.n - pos), NULL);
    if (valid - pos >= SEGMENT_MIN && valid > from) more = each_segment(&w, pos, valid);
    pos = valid + 1;
  }
  aio__rule_scan_put(guard->rules, w.scan);
  return AIORCH_OK;
}

/* The gravest, of equals the first; a block ends the search. */
static bool keep_gravest(void *ctx, const aio__output_finding *finding) {
  aio__output_finding *out = ctx;
  if (finding->verdict > out->verdict) *out = *finding;
  return out->verdict != AIO__VERDICT_BLOCK;
}

aiorch_status aio__output_guard_check(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                      aio__output_finding *out) {
  *out = (aio__output_finding){0};
  return aio__output_guard_each(guard, text, from, canary, NULL, keep_gravest, out);
}

/* ---- how far it goes --------------------------------------------------------------------------------------------- */

/* The end of the line that ends a private key. */
static size_t key_end(aio__str text, size_t from) {
  static const char begin[] = "-----END ";
  const size_t n = sizeof begin - 1;
  for (size_t i = from; i + n <= text.n; i++) {
    if (memcmp(text.p + i, begin, n) != 0) continue;
    for (size_t k = i + n; k + 5 <= text.n && k < i + n + 80; k++) {
      if (memcmp(text.p + k, "-----", 5) == 0) return k + 5;
    }
    return SIZE_MAX;
  }
  return SIZE_MAX;
}

size_t aio__output_guard_extent(aio__str text, const aio__output_finding *finding) {
  if (strcmp(finding->rule, "private_key") == 0) return key_end(text, finding->end);
  size_t end = finding->end;
  while (end < text.n && (is_alnum(text.p[end]) || memchr("_+/=-", text.p[end], 5))) end++;
  return end;
}
