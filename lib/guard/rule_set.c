/*
 * Matching rules: literals first, then patterns in windows around the places where a rule's literals came together.
 *
 * A rule set is const after it was made, but for the pool of scratch memory, whose slots are exchanged atomically: a
 * check takes what it finds or makes its own, and gives it back when there is a free slot.
 */
#include "guard/rule_set.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "guard/literals.h"
#include "guard/rule_load.h"

enum {
  POOL_SLOTS = 8,
  WINDOWS_FREE = 512, /* windows that all rules share; after them each rule has one */
  WORD_REST_MAX = 64, /* a window ends behind the word that it would cut */
  NO_WINDOW = 0xFFFF,
  BLOCK_SIZE = 32768
};

/* Literals that are the same text are one; needs[first..first+n) are those who need it. */
typedef struct literal_uses {
  uint16_t first, n;
} literal_uses;

typedef struct scratch_pool {
  _Atomic(aio__rule_scan *) slots[POOL_SLOTS];
} scratch_pool;

struct aio__rule_set {
  const aio__alloc *al;
  aio__arena arena;
  aio__rule_list list;
  aio__str *texts; /* of the literals */
  literal_uses *uses;
  size_t literals_n;
  aio__literals *literals;
  scratch_pool *pool;
  bool tries_all; /* a rule without needs */
  char version[2 * AIO__SHA256_SIZE + 1];
};

typedef struct window {
  uint32_t start, end;
  uint16_t next; /* of the same rule */
} window;

struct aio__rule_scan {
  const aio__rule_set *set;
  aio__pattern_scratch *scratch;
  aio__str text;
  uint32_t *last_at;      /* for each rule and group: 1 + where its last literal stands, 0 for none */
  uint16_t *first, *last; /* for each rule: its windows */
  window *windows;
  size_t windows_n;
};

/* ---- making ------------------------------------------------------------------------------------------------------ */

static int by_literal(const void *a, const void *b) {
  const aio__rule_need *x = a, *y = b;
  int order = aio__str_cmp(x->literal, y->literal);
  if (order != 0) return order;
  return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : (x->group > y->group) - (x->group < y->group);
}

static aiorch_status index_literals(aio__rule_set *set) {
  aio__rule_list *list = &set->list;
  if (list->needs_n > 0) qsort(list->needs, list->needs_n, sizeof *list->needs, by_literal);
  set->texts = aio__calloc(set->al, list->needs_n + 1, sizeof *set->texts);
  set->uses = aio__calloc(set->al, list->needs_n + 1, sizeof *set->uses);
  if (set->texts == NULL || set->uses == NULL) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < list->needs_n; i++) {
    bool same = i > 0 && aio__str_eq(list->needs[i].literal, list->needs[i - 1].literal);
    if (!same) {
      set->texts[set->literals_n] = list->needs[i].literal;
      set->uses[set->literals_n++].first = (uint16_t)i;
    }
    literal_uses *uses = &set->uses[set->literals_n - 1];
    uses->n++;
  }
  set->literals = aio__literals_new(set->al, set->texts, set->literals_n);
  return set->literals != NULL ? AIORCH_OK : AIORCH_E_NOMEM;
}

static void set_version(aio__rule_set *set, const aio__rule_file *files, size_t n) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  aio__sha256_init(&hash);
  for (size_t i = 0; i < n; i++) aio__sha256_str(&hash, files[i].text);
  aio__sha256_end(&hash, digest);
  aio__hex(digest, sizeof digest, set->version);
}

aiorch_status aio__rule_set_new(const aio__alloc *al, const aio__rule_file *files, size_t n, bool spell,
                                aio__rule_set **out, aiorch_error *error) {
  aio__rule_set *set = aio__calloc(al, 1, sizeof *set);
  if (set == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "rules: out of memory");
  set->al = al;
  aio__arena_init(&set->arena, al, BLOCK_SIZE);
  set->list = (aio__rule_list){.al = al, .arena = &set->arena, .spell = spell};
  set_version(set, files, n);
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < n && status == AIORCH_OK; i++) {
    if (files[i].text.n > 0) status = aio__rule_load_file(&set->list, &files[i], error);
  }
  if (status == AIORCH_OK) {
    set->pool = aio__calloc(al, 1, sizeof *set->pool);
    status = set->pool != NULL ? index_literals(set) : AIORCH_E_NOMEM;
    if (status != AIORCH_OK) aio__error_set(error, status, "rules: out of memory");
  }
  if (status != AIORCH_OK) {
    aio__rule_set_free(set);
    return status;
  }
  for (size_t i = 0; i < set->list.n; i++) set->tries_all = set->tries_all || set->list.rules[i].groups == 0;
  for (size_t i = 0; i < POOL_SLOTS; i++) atomic_init(&set->pool->slots[i], NULL);
  *out = set;
  return AIORCH_OK;
}

static void scan_free(const aio__alloc *al, aio__rule_scan *scan) {
  if (scan == NULL) return;
  aio__pattern_scratch_free(scan->scratch);
  aio__free(al, scan);
}

void aio__rule_set_free(aio__rule_set *set) {
  if (set == NULL) return;
  for (size_t i = 0; set->pool != NULL && i < POOL_SLOTS; i++) {
    scan_free(set->al, atomic_load(&set->pool->slots[i]));
  }
  aio__free(set->al, set->pool);
  aio__literals_free(set->literals);
  aio__free(set->al, set->texts);
  aio__free(set->al, set->uses);
  aio__rule_list_free(&set->list);
  aio__arena_free(&set->arena);
  aio__free(set->al, set);
}

size_t aio__rule_set_count(const aio__rule_set *set) {
  return set->list.n;
}

const aio__rule *aio__rule_set_at(const aio__rule_set *set, size_t i) {
  return &set->list.rules[i];
}

bool aio__rule_set_needs_nothing(const aio__rule_set *set) {
  return set->tries_all;
}

static void note_literal(void *context, size_t literal, size_t at) {
  (void)literal;
  *(size_t *)context = at + 1;
}

size_t aio__rule_set_last_literal(const aio__rule_set *set, aio__str text) {
  size_t last = 0;
  aio__literals_scan(set->literals, text, note_literal, &last);
  return last;
}

const char *aio__rule_set_version(const aio__rule_set *set) {
  return set->version;
}

/* ---- scratch ----------------------------------------------------------------------------------------------------- */

/* One block: the struct, then its arrays by falling alignment. */
static aio__rule_scan *scan_new(const aio__rule_set *set) {
  size_t rules = set->list.n, windows = WINDOWS_FREE + rules;
  size_t bytes = sizeof(aio__rule_scan) + windows * sizeof(window) + rules * AIO__RULE_GROUPS_MAX * sizeof(uint32_t) +
                 2 * rules * sizeof(uint16_t);
  aio__rule_scan *scan = aio__calloc(set->al, 1, bytes);
  if (scan == NULL) return NULL;
  scan->set = set;
  scan->windows = (window *)(scan + 1);
  scan->last_at = (uint32_t *)(scan->windows + windows);
  scan->first = (uint16_t *)(scan->last_at + rules * AIO__RULE_GROUPS_MAX);
  scan->last = scan->first + rules;
  if (aio__pattern_scratch_new(set->al, &scan->scratch) == AIORCH_OK) return scan;
  aio__free(set->al, scan);
  return NULL;
}

aio__rule_scan *aio__rule_scan_get(const aio__rule_set *set) {
  for (size_t i = 0; i < POOL_SLOTS; i++) {
    if (atomic_load_explicit(&set->pool->slots[i], memory_order_relaxed) == NULL) continue;
    aio__rule_scan *scan = atomic_exchange(&set->pool->slots[i], NULL);
    if (scan != NULL) return scan;
  }
  return scan_new(set);
}

void aio__rule_scan_put(const aio__rule_set *set, aio__rule_scan *scan) {
  if (scan == NULL) return;
  for (size_t i = 0; i < POOL_SLOTS; i++) {
    aio__rule_scan *expected = NULL;
    if (atomic_compare_exchange_strong(&set->pool->slots[i], &expected, scan)) return;
  }
  scan_free(set->al, scan);
}

/* ---- literals to windows ----------------------------------------------------------------------------------------- */

static void add_window(aio__rule_scan *scan, size_t rule, uint32_t start, uint32_t end) {
  uint16_t last = scan->last[rule];
  bool shared_full = scan->windows_n >= WINDOWS_FREE;
  if (last != NO_WINDOW && (start <= scan->windows[last].end || shared_full)) {
    scan->windows[last].end = end;
    return;
  }
  uint16_t added = (uint16_t)scan->windows_n++;
  scan->windows[added] = (window){start, end, NO_WINDOW};
  if (last == NO_WINDOW) {
    scan->first[rule] = added;
  } else {
    scan->windows[last].next = added;
  }
  scan->last[rule] = added;
}

/* Whenever the literals that a rule needs have come together, the last of them opens a window around them all. */
static void on_literal(void *context, size_t literal, size_t at) {
  aio__rule_scan *scan = context;
  const literal_uses *uses = &scan->set->uses[literal];
  const aio__rule_need *need = scan->set->list.needs + uses->first;
  for (const aio__rule_need *end = need + uses->n; need < end; need++) {
    const aio__rule *rule = &scan->set->list.rules[need->rule];
    uint32_t *last_at = scan->last_at + (size_t)need->rule * AIO__RULE_GROUPS_MAX;
    last_at[need->group] = (uint32_t)at + 1;
    uint32_t least = (uint32_t)at + 1;
    for (size_t g = 0; g < rule->groups; g++) least = last_at[g] < least ? last_at[g] : least;
    if (least == 0 || at - (least - 1) > rule->reach) continue;
    uint32_t start = least - 1 > rule->reach ? least - 1 - rule->reach : 0;
    size_t stop = at + rule->reach < scan->text.n ? at + rule->reach : scan->text.n;
    add_window(scan, need->rule, start, (uint32_t)stop);
  }
}

void aio__rule_scan_text(aio__rule_scan *scan, aio__str text) {
  size_t rules = scan->set->list.n;
  scan->text = text;
  scan->windows_n = 0;
  memset(scan->last_at, 0, rules * AIO__RULE_GROUPS_MAX * sizeof *scan->last_at);
  memset(scan->first, 0xFF, 2 * rules * sizeof *scan->first);
  aio__literals_scan(scan->set->literals, text, on_literal, scan);
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

enum { LOG_ONE = 256 };

/* log2 in 1/256, by repeated squaring. */
static uint32_t log2_256(uint32_t x) {
  uint32_t whole = 0;
  while (x >> (whole + 1) != 0) whole++;
  uint64_t mantissa = ((uint64_t)x << 32) >> whole; /* 1 to 2, with 32 bits after the point */
  uint32_t fraction = 0;
  for (uint32_t bit = LOG_ONE / 2; bit > 0; bit /= 2) {
    mantissa = (mantissa >> 16) * (mantissa >> 16);
    if (mantissa >> 33 == 0) continue;
    mantissa >>= 1;
    fraction |= bit;
  }
  return whole * LOG_ONE + fraction;
}

/* Shannon entropy of the bytes, in hundredths of a bit a byte. */
static uint32_t entropy_of(aio__str text) {
  uint32_t counts[256] = {0};
  uint64_t sum = 0;
  for (size_t i = 0; i < text.n; i++) counts[(unsigned char)text.p[i]]++;
  for (size_t i = 0; i < 256; i++) {
    if (counts[i] > 0) sum += (uint64_t)counts[i] * log2_256(counts[i]);
  }
  uint64_t bits = text.n == 0 ? 0 : log2_256((uint32_t)text.n) - sum / text.n;
  return (uint32_t)(bits * 100 / LOG_ONE);
}

static aio__match match_range(aio__rule_scan *scan, const aio__rule *rule, size_t from, size_t to, size_t after,
                              size_t *start, size_t *end) {
  aio__str text = aio__str_n(scan->text.p, to);
  while (from <= to) {
    aio__match match = aio__pattern_match(rule->pattern, scan->scratch, text, from, start, end);
    if (match != AIO__MATCH_FOUND) return match;
    aio__str found = aio__str_n(text.p + *start, *end - *start);
    bool enough = rule->min_entropy == 0 || entropy_of(found) >= rule->min_entropy;
    if (*end > after && enough) return AIO__MATCH_FOUND;
    from = *end > *start ? *end : *end + 1;
  }
  return AIO__MATCH_NONE;
}

static bool in_character(aio__str text, size_t i) {
  return i < text.n && ((unsigned char)text.p[i] & 0xC0) == 0x80;
}

static bool in_word(aio__str text, size_t i) {
  unsigned char c = (unsigned char)(i < text.n ? text.p[i] : ' ');
  return c >= 0x80 || c == '_' || (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

aio__match aio__rule_scan_match(aio__rule_scan *scan, size_t i, size_t from, size_t after, size_t *start, size_t *end) {
  const aio__rule *rule = &scan->set->list.rules[i];
  if (rule->pattern == NULL) return AIO__MATCH_NONE;
  if (rule->groups == 0) return match_range(scan, rule, from, scan->text.n, after, start, end);
  for (uint16_t w = scan->first[i]; w != NO_WINDOW; w = scan->windows[w].next) {
    size_t begin = scan->windows[w].start, stop = scan->windows[w].end;
    if (stop <= after) continue;
    if (begin < from) begin = from;
    while (in_character(scan->text, begin)) begin++;
    size_t rest = stop + WORD_REST_MAX;
    while (stop < rest && in_word(scan->text, stop)) stop++;
    while (in_character(scan->text, stop)) stop++;
    aio__match match = match_range(scan, rule, begin, stop, after, start, end);
    if (match != AIO__MATCH_NONE) return match;
  }
  return AIO__MATCH_NONE;
}
