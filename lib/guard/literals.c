/*
 * A bitmap of the first three bytes of every literal, tested where a literal may begin; where it says yes, the literals
 * of that bucket are compared by their first eight bytes, and the rare rest byte by byte. Most bytes of a text stand
 * inside a word and cost one comparison.
 */
#include "guard/literals.h"

#include <string.h>

enum { HASH_BITS = 16, BITMAP_WORDS = (1 << HASH_BITS) / 64, BUCKET_BITS = 10, BUCKETS = 1 << BUCKET_BITS, HEAD = 8 };

/* The first bytes of a literal, in lower case as far as | 0x20 makes it so, and which of the eight count. */
typedef struct head {
  uint64_t bytes, mask;
  uint16_t literal;
} head;

struct aio__literals {
  const aio__alloc *al;
  const aio__str *texts;
  size_t n;
  head *heads;                   /* bucket by bucket */
  uint16_t bucket[BUCKETS + 1];  /* where in heads each begins */
  uint64_t bitmap[BITMAP_WORDS];
};

static const uint64_t FOLD = UINT64_C(0x2020202020202020);

static inline uint64_t load_folded(const char *p, size_t n) {
  uint64_t v = 0;
  if (n >= HEAD) {
    memcpy(&v, p, HEAD);
  } else {
    memcpy(&v, p, n);
  }
  return v | FOLD;
}

/* Of the first three bytes. Letters of both cases meet, and some punctuation does; the comparison sorts it out. */
static inline uint32_t hash_of(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  uint32_t v = (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | 0x202020u;
  return v * 2654435761u >> (32 - HASH_BITS);
}

static inline uint32_t bucket_of(uint32_t hash) {
  return hash >> (HASH_BITS - BUCKET_BITS);
}

static inline bool in_word(char c) {
  return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

static inline char lower(char c) {
  return (char)((unsigned char)(c - 'A') < 26 ? c | 0x20 : c);
}

static bool matches(const char *p, size_t n, aio__str literal) {
  if (literal.n > n) return false;
  for (size_t i = 0; i < literal.n; i++) {
    if (lower(p[i]) != lower(literal.p[i])) return false;
  }
  return true;
}

/* Counting sort by bucket. */
static void fill_buckets(aio__literals *l) {
  for (size_t i = 0; i < l->n; i++) {
    uint32_t h = hash_of(l->texts[i].p);
    l->bitmap[h / 64] |= UINT64_C(1) << h % 64;
    l->bucket[bucket_of(h) + 1]++;
  }
  for (size_t b = 0; b < BUCKETS; b++) l->bucket[b + 1] = (uint16_t)(l->bucket[b + 1] + l->bucket[b]);
  for (size_t i = l->n; i-- > 0;) {
    uint32_t b = bucket_of(hash_of(l->texts[i].p));
    size_t at = l->bucket[b];
    while (l->heads[at].mask != 0) at++;
    aio__str text = l->texts[i];
    unsigned char counts[HEAD] = {0};
    memset(counts, 0xFF, text.n < HEAD ? text.n : HEAD);
    l->heads[at].literal = (uint16_t)i;
    memcpy(&l->heads[at].mask, counts, HEAD);
    l->heads[at].bytes = load_folded(text.p, text.n) & l->heads[at].mask;
  }
}

aio__literals *aio__literals_new(const aio__alloc *al, const aio__str *texts, size_t n) {
  aio__literals *l = aio__calloc(al, 1, sizeof *l);
  if (l == NULL) return NULL;
  l->al = al;
  l->n = n;
  l->texts = texts;
  l->heads = aio__calloc(al, n + 1, sizeof *l->heads);
  if (l->heads == NULL) {
    aio__free(al, l);
    return NULL;
  }
  fill_buckets(l);
  return l;
}

void aio__literals_free(aio__literals *literals) {
  if (literals == NULL) return;
  const aio__alloc *al = literals->al;
  aio__free(al, literals->heads);
  aio__free(al, literals);
}

void aio__literals_scan(const aio__literals *literals, aio__str text, aio__literal_hit *hit, void *context) {
  bool word_before = false;
  for (size_t i = 0; i + AIO__LITERAL_MIN <= text.n; i++) {
    bool inside = word_before;
    word_before = in_word(text.p[i]);
    if (inside && word_before) continue;
    uint32_t h = hash_of(text.p + i);
    if ((literals->bitmap[h / 64] >> h % 64 & 1) == 0) continue;
    uint64_t here = load_folded(text.p + i, text.n - i);
    uint32_t b = bucket_of(h);
    const head *end = literals->heads + literals->bucket[b + 1];
    for (const head *k = literals->heads + literals->bucket[b]; k < end; k++) {
      if ((here & k->mask) != k->bytes) continue;
      if (matches(text.p + i, text.n - i, literals->texts[k->literal])) hit(context, k->literal, i);
    }
  }
}
