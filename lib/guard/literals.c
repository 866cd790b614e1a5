/*
 * A bitmap of the first three bytes of every literal, tested at each byte of the text; where it says yes, the literals of
 * that bucket are compared. Loads do not depend on each other, so it runs at about a byte a nanosecond.
 */
#include "guard/literals.h"

#include <string.h>

enum { HASH_BITS = 14, BITMAP_WORDS = (1 << HASH_BITS) / 64, BUCKETS = 1024, NO_LITERAL = 0xFFFF };

struct aio__literals {
  const aio__alloc *al;
  size_t n;
  uint64_t bitmap[BITMAP_WORDS];
  uint16_t bucket[BUCKETS]; /* the first literal, then by `next` */
  uint16_t *next;
  const aio__str *texts;
};

/* Letters of both cases meet in one hash; some punctuation meets too, which the comparison sorts out. */
static inline uint32_t hash_of(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  uint32_t v = (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | 0x202020u;
  return v * 2654435761u >> (32 - HASH_BITS);
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

aio__literals *aio__literals_new(const aio__alloc *al, const aio__str *texts, size_t n) {
  size_t link_bytes = (n + 1) * sizeof(uint16_t);
  aio__literals *l = aio__calloc(al, 1, sizeof *l);
  if (l == NULL) return NULL;
  l->al = al;
  l->n = n;
  l->texts = texts;
  l->next = aio__malloc(al, link_bytes);
  if (l->next == NULL) {
    aio__free(al, l);
    return NULL;
  }
  for (size_t i = 0; i < BUCKETS; i++) l->bucket[i] = NO_LITERAL;
  for (size_t i = n; i-- > 0;) {
    uint32_t h = hash_of(texts[i].p);
    l->bitmap[h / 64] |= UINT64_C(1) << h % 64;
    l->next[i] = l->bucket[h % BUCKETS];
    l->bucket[h % BUCKETS] = (uint16_t)i;
  }
  return l;
}

void aio__literals_free(aio__literals *literals) {
  if (literals == NULL) return;
  const aio__alloc *al = literals->al;
  aio__free(al, literals->next);
  aio__free(al, literals);
}

void aio__literals_scan(const aio__literals *literals, aio__str text, void (*hit)(void *context, size_t literal, size_t at),
                        void *context) {
  if (literals->n == 0) return;
  for (size_t i = 0; i + AIO__LITERAL_MIN <= text.n; i++) {
    uint32_t h = hash_of(text.p + i);
    if ((literals->bitmap[h / 64] >> h % 64 & 1) == 0) continue;
    for (uint16_t k = literals->bucket[h % BUCKETS]; k != NO_LITERAL; k = literals->next[k]) {
      if (matches(text.p + i, text.n - i, literals->texts[k])) hit(context, k, i);
    }
  }
}
