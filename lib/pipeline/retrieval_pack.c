/*
 * From ordered chunks to numbered sources: neighbours of one document become one, what says nearly the same as a better
 * one goes, and what is left is cut to the limit and to the budget of tokens.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "pipeline/retrieval_private.h"
#include "text/byte_classes.h"
#include "text/sentence.h"
#include "text/tokens.h"

enum {
  CHUNKS_FIRST = 4,        /* room of a group at first */
  GROUP_TOKENS_MAX = 1200, /* of merged neighbours */
  SOURCE_OVERHEAD = 12,    /* tokens of a source's number and frame in the prompt */
  PART_MIN = 60,           /* a later source is cut to fit only when so many tokens of it remain */
  FIRST_IS_LOWEST = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
  SHINGLE_WORDS = 4,
  SHINGLES_MAX = 512,
  SEEN_WORDS = SHINGLES_MAX / 8 /* bits: eight times as many as shingles */
};

static const double NEAR_DUPLICATE = 0.85; /* share of shingles in common */

/* Neighbouring chunks, one after the other. */
typedef struct group {
  const aio__found_chunk **chunks;
  size_t count, cap, tokens;
  double score, similarity;
  uint64_t *shingles; /* of the best chunk */
  size_t shingle_count;
  bool sorted;                /* the shingles are */
  uint64_t seen[SEEN_WORDS];  /* a bit for each of them, which others may share */
} group;

typedef struct packing {
  aio__retrieval *r;
  group *groups;
  size_t count;
} packing;

/* ---- near-duplicates -------------------------------------------------------------------------------------------- */

/* Up to eight bytes of a word. Whether a letter is small or large does not matter: they differ in one bit, which is taken as set. */
static inline uint64_t eight_of(aio__str text, size_t at, size_t n) {
  uint64_t eight = 0;
  if (FIRST_IS_LOWEST && text.n - at >= sizeof eight) {
    memcpy(&eight, text.p + at, sizeof eight);
    eight &= UINT64_MAX >> (64 - 8 * n);
  } else {
    memcpy(&eight, text.p + at, n);
  }
  return eight | UINT64_C(0x2020202020202020);
}

static inline uint64_t mix(uint64_t hash, uint64_t with) {
  return (hash ^ hash >> 29 ^ with) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t word_hash(aio__str text, size_t begin, size_t end) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (; end - begin > 8; begin += 8) hash = mix(hash, eight_of(text, begin, 8));
  return mix(hash, eight_of(text, begin, end - begin)) | 1;
}

/* The last words, each turned by its place, so that the order counts: the oldest leaves, and all move on by one. */
typedef struct shingler {
  uint64_t *out, last[SHINGLE_WORDS], together;
  size_t n, words;
} shingler;

static inline uint64_t turned(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }

static inline void put_shingle(shingler *s) {
  uint64_t hash = mix(0, s->together ^ s->together >> 32);
  s->out[s->n++] = hash ^ hash >> 32;
}

static inline void add_word(shingler *s, uint64_t word) {
  s->together = turned(s->together ^ s->last[0], 48) ^ turned(word, 48);
  for (size_t i = 1; i < SHINGLE_WORDS; i++) s->last[i - 1] = s->last[i];
  s->last[SHINGLE_WORDS - 1] = word;
  if (++s->words >= SHINGLE_WORDS) put_shingle(s);
}

/* Hashes of every run of four words; of a shorter text its words together. Words are letters, digits, and what is beyond ASCII. */
static size_t shingle(aio__str text, uint64_t out[SHINGLES_MAX]) {
  shingler s = {.out = out};
  bool inside = false; /* a word, from `begin` on */
  size_t begin = 0;
  for (size_t pos = 0; pos < text.n && s.n < SHINGLES_MAX; pos += AIO__CLASSED) {
    uint64_t word = aio__word_bytes((const unsigned char *)text.p + pos, text.n - pos), before = word << 1 | (inside ? 1 : 0);
    uint64_t begins = word & ~before, ends = before & ~word;
    for (; ends && s.n < SHINGLES_MAX; ends &= ends - 1) {
      if (!inside) {
        begin = pos + (size_t)__builtin_ctzll(begins);
        begins &= begins - 1;
      }
      inside = false;
      add_word(&s, word_hash(text, begin, pos + (size_t)__builtin_ctzll(ends)));
    }
    if (begins) {
      begin = pos + (size_t)__builtin_ctzll(begins);
      inside = true;
    }
  }
  if (inside && s.n < SHINGLES_MAX) add_word(&s, word_hash(text, begin, text.n));
  if (s.n == 0 && s.words > 0) put_shingle(&s);
  return s.n;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static bool is_seen(const group *g, uint64_t shingle) {
  return (g->seen[shingle / 64 % SEEN_WORDS] >> shingle % 64 & 1) != 0;
}

/* Of texts that differ few of the first shingles are needed to see that not enough can be in common. */
static bool may_be_alike(const group *g, const uint64_t *shingles, size_t count) {
  double needed = NEAR_DUPLICATE / (1 + NEAR_DUPLICATE) * (double)(g->shingle_count + count);
  if ((double)g->shingle_count < needed || (double)count < needed) return false;
  size_t others = (size_t)((double)count - needed) + 1; /* so many are too many; one more, for what rounding took */
  for (size_t i = 0; i < count; i++) {
    if (!is_seen(g, shingles[i]) && others-- == 0) return false;
  }
  return true;
}

/* Of sorted ones. */
static double overlap(const uint64_t *a, size_t an, const uint64_t *b, size_t bn) {
  size_t i = 0, j = 0, both = 0;
  if (an == 0 || bn == 0) return 0;
  while (i < an && j < bn) {
    if (a[i] == b[j]) both++;
    bool step = a[i] <= b[j];
    if (b[j] <= a[i]) j++;
    if (step) i++;
  }
  return (double)both / (double)(an + bn - both);
}

static bool near_duplicate(const packing *p, uint64_t *shingles, size_t count) {
  bool sorted = false;
  for (size_t i = 0; i < p->count; i++) {
    group *g = &p->groups[i];
    if (!may_be_alike(g, shingles, count)) continue;
    if (!sorted) qsort(shingles, count, sizeof *shingles, by_value);
    if (!g->sorted) qsort(g->shingles, g->shingle_count, sizeof *g->shingles, by_value);
    sorted = g->sorted = true;
    if (overlap(g->shingles, g->shingle_count, shingles, count) >= NEAR_DUPLICATE) return true;
  }
  return false;
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

static bool follows(const aio__found_chunk *a, const aio__found_chunk *b) {
  return strcmp(a->document_id, b->document_id) == 0 && a->document_version == b->document_version &&
         a->ordinal + 1 == b->ordinal && a->end == b->start;
}

static aiorch_status put(packing *p, group *g, const aio__found_chunk *chunk, bool front) {
  const aio__found_chunk **chunks = aio__arena_grow(p->r->arena, g->chunks, g->count, &g->cap, CHUNKS_FIRST, sizeof *chunks);
  if (!chunks) return AIORCH_E_NOMEM;
  g->chunks = chunks;
  if (front) memmove(g->chunks + 1, g->chunks, g->count * sizeof *g->chunks);
  g->chunks[front ? 0 : g->count] = chunk;
  g->count++;
  g->tokens += chunk->tokens;
  return AIORCH_OK;
}

/* Two groups that have grown together become the better one. */
static aiorch_status close_up(packing *p, size_t at) {
  for (size_t i = 0; i < p->count; i++) {
    group *g = &p->groups[at], *other = &p->groups[i];
    if (i == at || g->tokens + other->tokens > GROUP_TOKENS_MAX) continue;
    bool behind = follows(g->chunks[g->count - 1], other->chunks[0]);
    if (!behind && !follows(other->chunks[other->count - 1], g->chunks[0])) continue;
    size_t keep = i < at ? i : at, drop = i < at ? at : i; /* groups stand in the order of their scores */
    group *to = &p->groups[keep], *from = &p->groups[drop];
    bool front = follows(from->chunks[from->count - 1], to->chunks[0]);
    for (size_t k = 0; k < from->count; k++) {
      aiorch_status st = put(p, to, front ? from->chunks[from->count - 1 - k] : from->chunks[k], front);
      if (st) return st;
    }
    if (!(to->similarity >= from->similarity)) to->similarity = from->similarity;
    memmove(from, from + 1, (p->count - drop - 1) * sizeof *from);
    p->count--;
    return AIORCH_OK;
  }
  return AIORCH_OK;
}

/* Lays a chunk beside its neighbour when that is a source already. */
static aiorch_status extend(packing *p, const aio__candidate *c, bool *done) {
  for (size_t i = 0; i < p->count; i++) {
    group *g = &p->groups[i];
    bool front = follows(c->chunk, g->chunks[0]), behind = follows(g->chunks[g->count - 1], c->chunk);
    if ((!front && !behind) || g->tokens + c->chunk->tokens > GROUP_TOKENS_MAX) continue;
    aiorch_status st = put(p, g, c->chunk, front);
    if (st) return st;
    if (!(g->similarity >= c->similarity) && !isnan(c->similarity)) g->similarity = c->similarity;
    *done = true;
    return close_up(p, i);
  }
  return AIORCH_OK;
}

static aiorch_status open_group(packing *p, const aio__candidate *c) {
  uint64_t shingles[SHINGLES_MAX];
  size_t n = shingle(c->chunk->text, shingles);
  if (near_duplicate(p, shingles, n)) return AIORCH_OK;
  group *g = &p->groups[p->count];
  memset(g, 0, sizeof *g);
  g->score = c->score;
  g->similarity = c->similarity;
  g->shingle_count = n;
  g->shingles = aio__arena_room(p->r->arena, (n + 1) * sizeof *g->shingles);
  if (!g->shingles) return AIORCH_E_NOMEM;
  memcpy(g->shingles, shingles, n * sizeof *shingles);
  for (size_t i = 0; i < n; i++) g->seen[shingles[i] / 64 % SEEN_WORDS] |= UINT64_C(1) << shingles[i] % 64;
  aiorch_status st = put(p, g, c->chunk, false);
  if (st == AIORCH_OK) p->count++;
  return st;
}

static aiorch_status make_groups(packing *p, const aio__candidate *candidates, size_t count, size_t *needed) {
  size_t limit = p->r->limit;
  for (size_t i = 0; i < count; i++) {
    bool done = false;
    bool look = i < limit * AIO__LOOK_TIMES_LIMIT || p->count < limit;
    if (!look) break;
    if (!candidates[i].chunk->text.p) {
      *needed = i;
      return AIORCH_AGAIN;
    }
    aiorch_status st = extend(p, &candidates[i], &done);
    if (st == AIORCH_OK && !done && p->count < limit) st = open_group(p, &candidates[i]);
    if (st) return st;
  }
  return AIORCH_OK;
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The end of the last sentence of the first `max` bytes; `max` when not even one ends there. */
static size_t sentence_cut(aio__str text, size_t max) {
  size_t end = 0;
  for (size_t next = aio__sentence_end(text, 0); next <= max && next > end; next = aio__sentence_end(text, next)) {
    end = next;
    if (end == text.n) break;
  }
  return end > 0 ? end : max;
}

static aiorch_status make_text(packing *p, const group *g, aio__source *source) {
  size_t n = 0;
  source->text = g->chunks[0]->text;
  if (g->count == 1) return AIORCH_OK; /* it lives as long as the source */
  for (size_t i = 0; i < g->count; i++) n += g->chunks[i]->text.n;
  char *text = aio__arena_alloc(p->r->arena, n + 1);
  if (!text) return AIORCH_E_NOMEM;
  n = 0;
  for (size_t i = 0; i < g->count; i++) {
    aio__str part = g->chunks[i]->text;
    if (part.n > 0) memcpy(text + n, part.p, part.n);
    n += part.n;
  }
  source->text = aio__str_n(text, n);
  return AIORCH_OK;
}

static void trim(aio__source *source) {
  aio__str text = source->text;
  while (text.n > 0 && is_space(text.p[text.n - 1])) text.n--;
  source->text = text;
  source->end = source->start + text.n;
}

static aiorch_status make_uri(packing *p, const aio__found_chunk *chunk, aio__source *source) {
  source->uri = chunk->source;
  if (chunk->anchor.n == 0) return AIORCH_OK;
  size_t n = chunk->source.n + 1 + chunk->anchor.n;
  char *uri = aio__arena_alloc(p->r->arena, n + 1);
  if (!uri) return AIORCH_E_NOMEM;
  memcpy(uri, chunk->source.p, chunk->source.n);
  uri[chunk->source.n] = '#';
  memcpy(uri + chunk->source.n + 1, chunk->anchor.p, chunk->anchor.n);
  source->uri = aio__str_n(uri, n);
  return AIORCH_OK;
}

static aiorch_status make_source(packing *p, const group *g, aio__source *source) {
  const aio__found_chunk *first = g->chunks[0];
  memset(source, 0, sizeof *source);
  memcpy(source->document_id, first->document_id, sizeof source->document_id);
  source->document_version = first->document_version;
  source->title = first->title;
  source->start = first->start;
  source->score = g->score;
  source->similarity = g->similarity;
  aiorch_status st = make_text(p, g, source);
  if (st == AIORCH_OK) st = make_uri(p, first, source);
  trim(source);
  source->tokens = (uint32_t)aio__tokens_estimate(source->text);
  return st;
}

/* Cuts a source to what is left of the budget; false when it is not worth it. */
static bool fit(aio__source *source, int64_t *left, bool first) {
  int64_t frame = SOURCE_OVERHEAD + (int64_t)aio__tokens_estimate(source->title);
  int64_t room = *left - frame;
  if (room < (int64_t)source->tokens) {
    if (room < PART_MIN && !first) return false;
    size_t max = aio__tokens_cut(source->text, room > PART_MIN / 4 ? (size_t)room : (size_t)(PART_MIN / 4));
    source->text.n = sentence_cut(source->text, max);
    trim(source);
    source->tokens = (uint32_t)aio__tokens_estimate(source->text);
    if (source->text.n == 0) return false;
  }
  *left -= frame + (int64_t)source->tokens;
  return true;
}

static void digest(aio__retrieval *r) {
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_u64(&h, r->source_count);
  for (size_t i = 0; i < r->source_count; i++) {
    const aio__source *s = &r->sources[i];
    aio__sha256_str(&h, aio__str_z(s->document_id));
    aio__sha256_u64(&h, (uint64_t)s->document_version);
    aio__sha256_u64(&h, s->start);
    aio__sha256_u64(&h, s->end);
  }
  aio__sha256_end(&h, r->digest);
}

aiorch_status aio__retrieval_pack(aio__retrieval *retrieval, const aio__candidate *candidates, size_t count,
                                  size_t *needed) {
  packing p = {retrieval, NULL, 0};
  size_t most = count < retrieval->limit ? count : retrieval->limit;
  int64_t left = retrieval->token_budget > 0 ? retrieval->token_budget : INT64_MAX;
  if (most > 0) {
    p.groups = aio__arena_room(retrieval->arena, most * sizeof *p.groups);
    retrieval->sources = aio__arena_room(retrieval->arena, most * sizeof *retrieval->sources);
    if (!p.groups || !retrieval->sources) return AIORCH_E_NOMEM;
    aiorch_status st = make_groups(&p, candidates, count, needed);
    if (st) return st;
  }
  for (size_t i = 0; i < p.count; i++) {
    aio__source *source = &retrieval->sources[retrieval->source_count];
    aiorch_status st = make_source(&p, &p.groups[i], source);
    if (st) return st;
    if (source->text.n > 0 && fit(source, &left, retrieval->source_count == 0)) retrieval->source_count++;
  }
  digest(retrieval);
  return AIORCH_OK;
}

void aio__source_json(aio__json_writer *w, const aio__source *source, size_t n) {
  aio__jw_object(w);
  aio__jw_ki64(w, "n", (int64_t)n);
  aio__jw_kstr(w, "document_id", aio__str_z(source->document_id));
  aio__jw_kstr(w, "title", source->title);
  aio__jw_kstr(w, "uri", source->uri);
  aio__jw_kf64(w, "score", source->score);
  aio__jw_kf64(w, "similarity", source->similarity);
  aio__jw_ki64(w, "start", (int64_t)source->start);
  aio__jw_ki64(w, "end", (int64_t)source->end);
  aio__jw_kstr(w, "text", source->text);
  aio__jw_object_end(w);
}
