/*
 * Measures the input guard: guard --data FOLDER [--json] [--half 0|1] [--misses SOURCE] [--blocked SOURCE]
 *
 * FOLDER has attacks.jsonl and benign.jsonl, a {"source", "text"} a line. Counted is the verdict `block`; texts over
 * 10,000 characters are left out. --half takes the texts of one half only (by SHA-256), to write rules on one and judge
 * by the other. --misses prints the attacks of a source that pass, --blocked the benign texts that do not.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "guard/input_guard.h"
#include "text/json.h"

enum { CHARS_MAX = 10000, SOURCES_MAX = 64, LINE_MAX_BYTES = 1 << 22, FILE_MAX_BYTES = 1 << 28 };

typedef struct tally {
  char source[64];
  size_t n, blocked, flagged;
} tally;

typedef struct run {
  aio__input_guard *guard;
  const aio__alloc *al;
  int half; /* -1: all */
  const char *print_misses, *print_blocked;
  tally attacks[SOURCES_MAX], benign[SOURCES_MAX];
  size_t attacks_n, benign_n;
  size_t *disguised; /* for each disguise: attacks blocked, all and deepset */
  size_t *disguised_deepset;
} run;

/* ---- disguises --------------------------------------------------------------------------------------------------- */

typedef void disguise_fn(aio__str text, aio__buf *out);

static void put_code_point(aio__buf *out, uint32_t c) {
  char bytes[4];
  aio__buf_add(out, bytes, aio__utf8_put(c, bytes));
}

static void zero_width(aio__str text, aio__buf *out) {
  static const uint32_t invisible[] = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF};
  size_t pos = 0, k = 0;
  while (pos < text.n) {
    put_code_point(out, aio__utf8_next(text, &pos));
    put_code_point(out, invisible[k++ % 5]);
  }
}

static void homoglyph(aio__str text, aio__buf *out) {
  static const char from[] = "aceiopxysjABCEHIKMOPTXY";
  static const uint32_t to[] = {0x430, 0x441, 0x435, 0x456, 0x43E, 0x440, 0x445, 0x443, 0x455, 0x458, 0x410, 0x412,
                                0x421, 0x415, 0x41D, 0x406, 0x41A, 0x41C, 0x41E, 0x420, 0x422, 0x425, 0x423};
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__utf8_next(text, &pos);
    const char *at = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    put_code_point(out, at != NULL ? to[at - from] : c);
  }
}

static void full_width(aio__str text, aio__buf *out) {
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__utf8_next(text, &pos);
    put_code_point(out, c == ' ' ? 0x3000 : c > 0x20 && c < 0x7F ? c + 0xFEE0 : c);
  }
}

static void combining(aio__str text, aio__buf *out) {
  static const uint32_t marks[] = {0x301, 0x323, 0x336, 0x35B, 0x489};
  size_t pos = 0, k = 0;
  while (pos < text.n) {
    uint32_t c = aio__utf8_next(text, &pos);
    put_code_point(out, c);
    if (c > 0x20) put_code_point(out, marks[k++ % 5]);
  }
}

static void tags(aio__str text, aio__buf *out) {
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__utf8_next(text, &pos);
    put_code_point(out, c >= 0x20 && c < 0x7F ? c + 0xE0000 : c);
  }
}

static void leet(aio__str text, aio__buf *out) {
  static const char from[] = "aeiostAEIOST", to[] = "431057431057";
  for (size_t i = 0; i < text.n; i++) {
    const char *at = text.p[i] != '\0' ? strchr(from, text.p[i]) : NULL;
    aio__buf_char(out, at != NULL ? to[at - from] : text.p[i]);
  }
}

static void base64(aio__str text, aio__buf *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < text.n; i += 3) {
    unsigned value = 0;
    size_t have = text.n - i < 3 ? text.n - i : 3;
    for (size_t k = 0; k < 3; k++) value = value << 8 | (k < have ? (unsigned char)text.p[i + k] : 0u);
    for (size_t k = 0; k < 4; k++) aio__buf_char(out, k <= have ? digits[value >> (18 - 6 * k) & 63] : '=');
  }
}

static void hex(aio__str text, aio__buf *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < text.n; i++) {
    aio__buf_char(out, digits[(unsigned char)text.p[i] >> 4]);
    aio__buf_char(out, digits[text.p[i] & 15]);
  }
}

static void rot13(aio__str text, aio__buf *out) {
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (c >= 'a' && c <= 'z') c = (char)('a' + (c - 'a' + 13) % 26);
    if (c >= 'A' && c <= 'Z') c = (char)('A' + (c - 'A' + 13) % 26);
    aio__buf_char(out, c);
  }
}

static void letter_spacing(aio__str text, aio__buf *out) {
  for (size_t pos = 0; pos < text.n;) {
    put_code_point(out, aio__utf8_next(text, &pos));
    if (pos < text.n) aio__buf_char(out, ' ');
  }
}

static const struct {
  const char *name;
  disguise_fn *apply;
} disguises[] = {{"zero_width", zero_width}, {"homoglyph", homoglyph}, {"full_width", full_width},
                 {"combining_marks", combining}, {"tag_characters", tags}, {"leet", leet}, {"base64", base64},
                 {"hex", hex}, {"rot13", rot13}, {"letter_spacing", letter_spacing}};

enum { DISGUISES = sizeof disguises / sizeof disguises[0] };

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* The source without what follows a colon. */
static tally *tally_of(tally *tallies, size_t *n, aio__str source) {
  size_t len = 0;
  while (len < source.n && source.p[len] != ':' && len < sizeof tallies->source - 1) len++;
  for (size_t i = 0; i < *n; i++) {
    if (strlen(tallies[i].source) == len && memcmp(tallies[i].source, source.p, len) == 0) return &tallies[i];
  }
  if (*n == SOURCES_MAX) return &tallies[SOURCES_MAX - 1];
  memcpy(tallies[*n].source, source.p, len);
  return &tallies[(*n)++];
}

static aio__verdict verdict_of(run *r, aio__str text, aio__input_finding *finding) {
  if (aio__input_guard_check(r->guard, text, finding) != AIORCH_OK) {
    fprintf(stderr, "guard: out of memory\n");
    exit(1);
  }
  return finding->verdict;
}

static void measure_disguises(run *r, aio__str text, bool deepset) {
  aio__input_finding finding;
  for (size_t i = 0; i < DISGUISES; i++) {
    aio__buf buf;
    aio__buf_init(&buf, r->al, LINE_MAX_BYTES);
    disguises[i].apply(text, &buf);
    bool blocked = buf.failed == AIORCH_OK && verdict_of(r, aio__buf_view(&buf), &finding) == AIO__VERDICT_BLOCK;
    r->disguised[i] += blocked;
    r->disguised_deepset[i] += blocked && deepset;
    aio__buf_free(&buf);
  }
}

static void print_text(const char *label, const aio__input_finding *finding, aio__str text) {
  printf("%s %s: ", label, finding->rule == NULL ? "-" : finding->rule);
  for (size_t i = 0; i < text.n; i++) putchar(text.p[i] == '\n' ? ' ' : text.p[i]);
  putchar('\n');
}

static int half_of(aio__str text) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  aio__sha256_init(&hash);
  aio__sha256_add(&hash, text.p, text.n);
  aio__sha256_end(&hash, digest);
  return digest[0] & 1;
}

static void measure_text(run *r, aio__str source, aio__str text, bool attack) {
  size_t chars = 0;
  aio__input_finding finding;
  aio__utf8_check(text, &chars);
  if (chars > CHARS_MAX || text.n == 0) return;
  if (r->half >= 0 && half_of(text) != r->half) return;
  tally *t = attack ? tally_of(r->attacks, &r->attacks_n, source) : tally_of(r->benign, &r->benign_n, source);
  aio__verdict verdict = verdict_of(r, text, &finding);
  t->n++;
  t->blocked += verdict == AIO__VERDICT_BLOCK;
  t->flagged += verdict == AIO__VERDICT_FLAG;
  if (attack) measure_disguises(r, text, strcmp(t->source, "deepset_train") == 0);
  bool wrong = attack != (verdict == AIO__VERDICT_BLOCK);
  const char *wanted = attack ? r->print_misses : r->print_blocked;
  if (wrong && wanted != NULL && strcmp(wanted, t->source) == 0) {
    print_text(attack ? "missed" : "blocked", &finding, text);
  }
}

static bool measure_line(run *r, aio__str line, bool attack) {
  aio__json_limits limits = {LINE_MAX_BYTES, 8, AIORCH_E_INVALID, "line"};
  aio__json *json = NULL;
  aio__str source, text;
  if (aio__json_parse(r->al, line, &limits, &json, NULL) != AIORCH_OK) return false;
  const aio__json_value *root = aio__json_root(json);
  bool ok = aio__json_str(aio__json_get(root, "source"), &source) && aio__json_str(aio__json_get(root, "text"), &text);
  if (ok) measure_text(r, source, text, attack);
  aio__json_free(json);
  return ok;
}

static bool measure_file(run *r, const char *folder, const char *name, bool attack) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    fprintf(stderr, "guard: cannot read %s\n", path);
    return false;
  }
  char *line = NULL;
  size_t cap = 0, number = 0;
  ssize_t len;
  bool ok = true;
  while ((len = getline(&line, &cap, file)) > 0) {
    number++;
    aio__str text = aio__str_trim(aio__str_n(line, (size_t)len));
    if (text.n > 0 && !measure_line(r, text, attack)) {
      fprintf(stderr, "guard: %s, line %zu: not an object with \"source\" and \"text\"\n", path, number);
      ok = false;
    }
  }
  free(line);
  fclose(file);
  return ok;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void wilson(size_t k, size_t n, double *low, double *high) {
  const double z = 1.959964;
  double total = (double)n, p = n > 0 ? (double)k / total : 0;
  *low = *high = 0;
  if (n == 0) return;
  double centre = p + z * z / (2 * total), spread = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total));
  *low = (centre - spread) / (1 + z * z / total);
  *high = (centre + spread) / (1 + z * z / total);
  if (k == 0) *low = 0;
  if (k == n) *high = 1;
}

static void print_rate(bool json, bool first, const char *name, size_t k, size_t n, size_t flagged) {
  double low, high, rate = n > 0 ? (double)k / (double)n : 0;
  wilson(k, n, &low, &high);
  if (json) {
    printf("%s\"%s\":{\"n\":%zu,\"blocked\":%zu,\"flagged\":%zu,", first ? "" : ",", name, n, k, flagged);
    printf("\"rate\":%.4f,\"low\":%.4f,\"high\":%.4f}", rate, low, high);
  } else {
    printf("  %-24s %5zu / %5zu  %6.2f %%  [%5.1f, %5.1f]", name, k, n, 100 * rate, 100 * low, 100 * high);
    printf(flagged > 0 ? "   %zu flagged\n" : "\n", flagged);
  }
}

static tally total_of(const tally *tallies, size_t n) {
  tally total = {.source = "all"};
  for (size_t i = 0; i < n; i++) {
    total.n += tallies[i].n;
    total.blocked += tallies[i].blocked;
    total.flagged += tallies[i].flagged;
  }
  return total;
}

static void print_group(bool json, const char *title, const tally *tallies, size_t n) {
  tally total = total_of(tallies, n);
  printf(json ? "\"%s\":{" : "%s\n", title);
  for (size_t i = 0; i < n; i++) {
    print_rate(json, i == 0, tallies[i].source, tallies[i].blocked, tallies[i].n, tallies[i].flagged);
  }
  print_rate(json, n == 0, total.source, total.blocked, total.n, total.flagged);
  if (json) printf("},");
}

static void print_disguises(bool json, const char *title, const size_t *blocked, size_t plain, size_t n) {
  printf(json ? "\"%s\":{" : "%s\n", title);
  print_rate(json, true, "plain", plain, n, 0);
  for (size_t i = 0; i < DISGUISES; i++) print_rate(json, false, disguises[i].name, blocked[i], n, 0);
  if (json) printf("},");
}

static void print_all(const run *r, bool json) {
  tally all = total_of(r->attacks, r->attacks_n), deepset = {.n = 0}, deepset_benign = {.n = 0};
  for (size_t i = 0; i < r->attacks_n; i++) {
    if (strcmp(r->attacks[i].source, "deepset_train") == 0) deepset = r->attacks[i];
  }
  for (size_t i = 0; i < r->benign_n; i++) {
    if (strcmp(r->benign[i].source, "deepset_train") == 0) deepset_benign = r->benign[i];
  }
  size_t found = deepset.blocked + deepset_benign.blocked;
  double precision = found > 0 ? (double)deepset.blocked / (double)found : 1;
  if (json) printf("{\"guard_version\":\"%s\",", aio__input_guard_version(r->guard));
  print_group(json, json ? "attacks" : "attacks blocked (recall, 95 % interval)", r->attacks, r->attacks_n);
  print_group(json, json ? "benign" : "benign blocked (false positives)", r->benign, r->benign_n);
  print_disguises(json, json ? "disguised" : "attacks blocked when disguised, all sources", r->disguised, all.blocked,
                  all.n);
  print_disguises(json, json ? "disguised_deepset" : "attacks blocked when disguised, deepset", r->disguised_deepset,
                  deepset.blocked, deepset.n);
  printf(json ? "\"deepset_precision\":%.4f}\n" : "precision on deepset: %.4f\n", precision);
}

static int usage(void) {
  fprintf(stderr, "usage: guard --data FOLDER [--json] [--half 0|1] [--misses SOURCE] [--blocked SOURCE]\n");
  return 2;
}

int main(int argc, char **argv) {
  size_t disguised[DISGUISES] = {0}, disguised_deepset[DISGUISES] = {0};
  static run r;
  const char *folder = NULL;
  bool json = false;
  r.half = -1;
  r.al = aio__alloc_default();
  r.disguised = disguised;
  r.disguised_deepset = disguised_deepset;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) {
      json = true;
      continue;
    }
    if (i + 1 >= argc) return usage();
    const char *value = argv[++i];
    if (strcmp(argv[i - 1], "--data") == 0) folder = value;
    else if (strcmp(argv[i - 1], "--half") == 0) r.half = value[0] == '1';
    else if (strcmp(argv[i - 1], "--misses") == 0) r.print_misses = value;
    else if (strcmp(argv[i - 1], "--blocked") == 0) r.print_blocked = value;
    else return usage();
  }
  if (folder == NULL) return usage();
  aiorch_error error;
  aio__error_init(&error);
  if (aio__input_guard_new(r.al, aio__str_n(NULL, 0), &r.guard, &error) != AIORCH_OK) {
    fprintf(stderr, "guard: %s\n", error.message);
    return 1;
  }
  bool ok = measure_file(&r, folder, "attacks.jsonl", true) && measure_file(&r, folder, "benign.jsonl", false);
  print_all(&r, json);
  aio__input_guard_free(r.guard);
  return ok ? 0 : 1;
}
