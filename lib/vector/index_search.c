/* The search: one pass over the codes for all queries, then the rows of what may belong to the result. */
#include <math.h>
#include <string.h>

#include "vector/index_private.h"

/* The floor is what a few more than `limit` reach, since rows may be gone by the time they are read; where those are
 * not enough, the pass is made again for eight times as many. A filter that has refused all but an eighth of 256 or
 * more is asked before scoring. */
enum {
  SPARE_MIN = 2,
  AGAIN_TIMES = 8,
  AGAIN_MAX = 4,
  ASKED_MIN = 256,
  ROOM_MIN = 64, /* candidates */
  AHEAD = 4,     /* blocks */
  ALIGN = AIO__QUERY_ALIGN
};

typedef struct query {
  aio__code_cut coarse, fine;
  aio__nearest nearest;
  float base;   /* the floor that the threshold sets */
  float *exact; /* of unit length, padded with zeros */
  double length;
} query;

/* Neighbouring queries of one scope. */
typedef struct group {
  size_t first, count;
} group;

/* What the upper halves of a block's codes have left in doubt. It is settled after the next block's, so that the lower
 * halves are there by then. */
typedef struct doubt {
  const aio__block *block; /* NULL: nothing is */
  group queries;
  int32_t *dots; /* of upper halves */
  uint32_t rows[AIO__INDEX_QUERIES_MAX];
  uint32_t known, allowed; /* rows that `allow` was asked about, and did not refuse */
} doubt;

typedef struct search {
  aio__index *index;
  const aio__index_search *ask;
  const aio__kernels *kernels;
  size_t stride; /* bytes of a code */
  float rounding; /* of a similarity by code */
  query *queries;
  int8_t *codes;
  float *row;
  aio__near *best; /* room for the most that a query wants, plus one */
  size_t best_room;
  group groups[AIO__INDEX_QUERIES_MAX];
  size_t group_count;
  size_t moves; /* when the pass began */
  size_t asked, refused;
  doubt doubts[2]; /* of the block at hand, and of one before */
  size_t turn;
  void *memory;
} search;

/* ---- queries ---------------------------------------------------------------------------------------------------- */

static void set_floor(query *q, float rounding) {
  double floor = (double)q->nearest.floor, rest = 1 - floor * floor;
  q->fine.floor = q->nearest.floor - rounding;
  q->coarse.floor = q->fine.floor - AIO__SHORT_ROUNDING;
  q->coarse.slope = q->fine.slope = rest > 0 ? (float)(sqrt(rest) * 1.000001) : 0;
}

static double length_of(const float *vector, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)vector[i] * (double)vector[i];
  return sqrt(sum);
}

/* Its code: as that of a row, but signed. */
static bool prepare(search *s, query *q, const float *from, int8_t *code) {
  size_t dimensions = s->index->dimensions;
  float *exact = q->exact;
  float max = 0;
  double length = length_of(from, dimensions), code_squares = 0, rest_squares = 0;
  int32_t sum = 0;
  if (!(fabs(length - 1) <= AIO__UNIT_SLACK)) return false;
  for (size_t i = 0; i < dimensions; i++) {
    exact[i] = (float)((double)from[i] / length);
    max = fabsf(exact[i]) > max ? fabsf(exact[i]) : max;
  }
  double step = (double)max / AIO__QUERY_MAX;
  for (size_t i = 0; i < dimensions; i++) {
    double scaled = (double)exact[i] / step;
    code[i] = (int8_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    double rest = (double)exact[i] - code[i] * step;
    sum += code[i];
    code_squares += code[i] * code[i];
    rest_squares += rest * rest;
  }
  q->length = length;
  q->fine.unit = (float)(1 / sqrt(code_squares));
  q->fine.error = (float)(sqrt(rest_squares) * 1.001 + 1e-6);
  q->coarse = q->fine;
  q->fine.shift = sum * AIO__CODE_ZERO;
  q->coarse.shift = sum * AIO__HALF_ZERO;
  return true;
}

/* Starts a query from the beginning: nothing found, and room for what it wants. */
static aiorch_status begin_query(search *s, query *q, size_t wanted, size_t most) {
  size_t room = 2 * wanted + ROOM_MIN;
  if (s->best_room < wanted) {
    aio__near *best = aio__realloc(s->index->al, s->best, wanted * sizeof *best);
    if (best == NULL) return AIORCH_E_NOMEM;
    s->best = best;
    s->best_room = wanted;
  }
  if (q->nearest.room < room) {
    aio__near *at = aio__realloc(s->index->al, q->nearest.at, room * sizeof *at);
    if (at == NULL) return AIORCH_E_NOMEM;
    q->nearest.at = at;
    q->nearest.room = room;
  }
  q->nearest.n = 0;
  q->nearest.wanted = wanted;
  q->nearest.most = most;
  q->nearest.floor = q->base;
  set_floor(q, s->rounding);
  return AIORCH_OK;
}

/* ---- one vector, one block -------------------------------------------------------------------------------------- */

static bool allows(search *s, doubt *d, uint32_t row) {
  uint32_t bit = UINT32_C(1) << row;
  if (s->ask->allow == NULL) return true;
  if ((d->known & bit) == 0) {
    bool allowed = s->ask->allow(s->ask->ctx, aio__block_keys(d->block)[row]);
    d->known |= bit;
    d->allowed |= allowed ? bit : 0;
    s->asked++;
    s->refused += !allowed;
  }
  return (d->allowed & bit) != 0;
}

static aiorch_status prune(search *s, query *q) {
  bool repeats = s->moves % 2 != 0 || atomic_load(&s->index->moves) != s->moves;
  aiorch_status status = aio__nearest_prune(&q->nearest, s->index->al, s->best, repeats);
  set_floor(q, s->rounding);
  return status;
}

/* The query is as near to the code as p says, and the vector no further from the code than `error`. */
static aiorch_status consider(search *s, query *q, doubt *d, uint32_t row) {
  const aio__block *block = d->block;
  if (!allows(s, d, row)) return AIORCH_OK;
  size_t half = s->stride / 2, at = row * half;
  float error = aio__short_value(aio__block_errors(block)[row]);
  float p = s->kernels->mixed(block->high + at, block->low + at, q->exact, half) * aio__block_units(block)[row];
  p = p > 1 ? 1 : p < -1 ? -1 : p;
  float least = fabsf(p) - s->rounding, side = least > 0 ? sqrtf(1 - least * least) : 1;
  aio__near near = {.key = aio__block_keys(block)[row],
                    .high = p + side * error + (p < 0 ? -p : 0) * error * error + s->rounding,
                    .low = p - side * error - (p > 0 ? p : 0) * error * error - s->rounding};
  if (near.high < q->nearest.floor) return AIORCH_OK;
  q->nearest.at[q->nearest.n++] = near;
  return q->nearest.n == q->nearest.room ? prune(s, q) : AIORCH_OK;
}

/* Rows that may reach the floor, by the upper halves of their codes. Those that are not written yet are another
 * thread's. */
static uint32_t coarse_rows(const search *s, const query *q, const aio__block *block, uint32_t rows,
                            const int32_t *dots) {
  const uint16_t *units = aio__block_coarse_units(block), *errors = aio__block_coarse_errors(block);
  if (rows == UINT32_MAX) return s->kernels->pass(dots, units, errors, &q->coarse);
  uint32_t passed = 0;
  for (; rows != 0; rows &= rows - 1) {
    int row = __builtin_ctz(rows);
    float unit = aio__short_value(units[row]), error = aio__short_value(errors[row]);
    passed |= (uint32_t)aio__code_passes(dots[row], unit, error, &q->coarse) << row;
  }
  return passed;
}

/* Of these, the ones that may by the whole of their codes. */
static uint32_t fine_rows(search *s, size_t number, const aio__block *block, uint32_t rows, const int32_t *high) {
  const query *q = &s->queries[number];
  int32_t low[AIO__BLOCK_ROWS];
  uint32_t passed = 0;
  s->kernels->dots(block->low, s->stride / 2, rows, s->codes + number * s->stride, 1, low, NULL);
  for (; rows != 0; rows &= rows - 1) {
    int row = __builtin_ctz(rows);
    float error = aio__short_value(aio__block_errors(block)[row]);
    bool passes = aio__code_passes(16 * high[row] + low[row], aio__block_units(block)[row], error, &q->fine);
    passed |= (uint32_t)passes << row;
  }
  return passed;
}

static aiorch_status settle(search *s, doubt *d) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; d->block != NULL && status == AIORCH_OK && i < d->queries.count; i++) {
    size_t number = d->queries.first + i;
    uint32_t rows = d->rows[i];
    if (rows != 0) rows = fine_rows(s, number, d->block, rows, d->dots + i * AIO__BLOCK_ROWS);
    for (; rows != 0 && status == AIORCH_OK; rows &= rows - 1)
      status = consider(s, &s->queries[number], d, (uint32_t)__builtin_ctz(rows));
  }
  d->block = NULL;
  return status;
}

static void expect(const void *memory, size_t size) {
  const uint8_t *bytes = memory;
  for (size_t i = 0; i < size; i += AIO__BLOCK_ALIGN) __builtin_prefetch(bytes + i);
}

/* d: the block at hand, of which `rows` are to be compared. */
static aiorch_status scan_group(search *s, doubt *d, const group *g, uint32_t rows, const uint8_t *next) {
  const aio__block *block = d->block;
  size_t half = s->stride / 2;
  uint32_t any = 0;
  s->kernels->dots(block->high, half, rows, s->codes + g->first * s->stride, g->count, d->dots, next);
  for (size_t i = 0; i < g->count; i++) {
    d->rows[i] = coarse_rows(s, &s->queries[g->first + i], block, rows, d->dots + i * AIO__BLOCK_ROWS);
    any |= d->rows[i];
  }
  if (any == 0) return AIORCH_OK;
  d->queries = *g;
  s->turn ^= 1;
  doubt *before = &s->doubts[s->turn];
  expect(aio__block_units(block), block->room * (sizeof(float) + sizeof(uint16_t)));
  for (; any != 0; any &= any - 1) expect(block->low + (size_t)__builtin_ctz(any) * half, half);
  return settle(s, before);
}

static uint32_t rows_of_scope(const search *s, const aio__block *block, const group *g, uint32_t live) {
  if (s->ask->scopes == NULL) return live;
  const uint64_t *scopes = aio__block_scopes(block), scope = s->ask->scopes[g->first];
  uint32_t rows = 0;
  if (live == UINT32_MAX) return s->kernels->same(scopes, scope);
  for (uint32_t left = live; left != 0; left &= left - 1) {
    int row = __builtin_ctz(left);
    rows |= (uint32_t)(scopes[row] == scope) << row;
  }
  return rows;
}

static const aio__block *block_at(const search *s, size_t at) {
  return atomic_load_explicit(aio__index_entry(s->index, at), memory_order_acquire);
}

/* Where nearly all are of another scope, one block is done before the scopes of the next are there. Prefetching does no
 * harm where a block is smaller than nearly all are. */
static void expect_scopes(const search *s, size_t at) {
  const aio__block *block = s->ask->scopes == NULL || at < AHEAD ? NULL : block_at(s, at - AHEAD);
  if (block == NULL) return;
  size_t behind = aio__block_high_offset(AIO__BLOCK_ROWS) + AIO__BLOCK_ROWS * s->index->half;
  __builtin_prefetch(block);
  expect((const uint8_t *)block + behind, AIO__BLOCK_ROWS * sizeof(uint64_t));
}

/* The upper halves of the block below; what is read before them is on its way. */
static const uint8_t *halves_below(const search *s, size_t at) {
  const uint8_t *block = at == 0 ? NULL : (const uint8_t *)block_at(s, at - 1);
  if (block == NULL) return NULL;
  expect(block, aio__block_high_offset(AIO__BLOCK_ROWS));
  return block + aio__block_high_offset(AIO__BLOCK_ROWS);
}

static aiorch_status scan_block(search *s, const aio__block *block, size_t at) {
  uint32_t live = aio__block_live(block), known = 0, allowed = 0;
  bool ask_first = s->asked >= ASKED_MIN && s->refused > s->asked - s->asked / 8;
  for (size_t i = 0; i < s->group_count; i++) {
    doubt *d = &s->doubts[s->turn];
    uint32_t rows = rows_of_scope(s, block, &s->groups[i], live), asked = ask_first ? rows : 0;
    d->block = block;
    d->known = known;
    d->allowed = allowed;
    for (; asked != 0; asked &= asked - 1) {
      uint32_t row = (uint32_t)__builtin_ctz(asked);
      if (!allows(s, d, row)) rows &= ~(UINT32_C(1) << row);
    }
    known = d->known;
    allowed = d->allowed;
    if (rows == 0) continue;
    aiorch_status status = scan_group(s, d, &s->groups[i], rows, rows == UINT32_MAX ? halves_below(s, at) : NULL);
    if (status != AIORCH_OK) return status;
  }
  s->doubts[s->turn].block = NULL;
  return AIORCH_OK;
}

/* ---- the pass --------------------------------------------------------------------------------------------------- */

static void make_groups(search *s, size_t first, size_t count) {
  const uint64_t *scopes = s->ask->scopes;
  s->group_count = 0;
  for (size_t i = first; i < first + count; i++) {
    if (i > first && (scopes == NULL || scopes[i] == scopes[i - 1])) s->groups[s->group_count - 1].count++;
    else s->groups[s->group_count++] = (group){i, 1};
  }
}

/* Downwards, as vectors move. */
static aiorch_status scan(search *s, size_t first, size_t count) {
  aio__index *index = s->index;
  aiorch_status status = AIORCH_OK;
  make_groups(s, first, count);
  s->asked = s->refused = 0;
  s->doubts[0].block = s->doubts[1].block = NULL;
  size_t slot = aio__gate_enter(index);
  s->moves = atomic_load(&index->moves);
  for (size_t at = atomic_load(&index->blocks); status == AIORCH_OK && at-- > 0;) {
    const aio__block *block = block_at(s, at);
    expect_scopes(s, at);
    if (block != NULL) status = scan_block(s, block, at);
  }
  for (size_t i = 0; status == AIORCH_OK && i < 2; i++) status = settle(s, &s->doubts[i]);
  for (size_t i = first; status == AIORCH_OK && i < first + count; i++) status = prune(s, &s->queries[i]);
  aio__gate_leave(index, slot);
  return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

enum { LANES = 8 };

/* In f64 and in one order at every level, so that a result does not depend on the machine. */
static double cosine(const float *of, double length, const float *row, size_t n) {
  double dots[LANES] = {0}, squares[LANES] = {0}, dot = 0, square = 0;
  size_t whole = n / LANES * LANES;
  for (size_t i = 0; i < whole; i += LANES) {
    for (size_t l = 0; l < LANES; l++) {
      dots[l] += (double)of[i + l] * (double)row[i + l];
      squares[l] += (double)row[i + l] * (double)row[i + l];
    }
  }
  for (size_t i = whole; i < n; i++) {
    dots[i - whole] += (double)of[i] * (double)row[i];
    squares[i - whole] += (double)row[i] * (double)row[i];
  }
  for (size_t l = 0; l < LANES; l++) {
    dot += dots[l];
    square += squares[l];
  }
  return dot / (length * sqrt(square));
}

/* Reads rows of candidates, the most promising first, until none that is left can be among the best. *amiss: how many
 * are gone, or less similar than their code said, so that they were changed meanwhile. */
static aiorch_status read_rows(search *s, size_t number, size_t *n, size_t *amiss) {
  const aio__index_search *ask = s->ask;
  query *q = &s->queries[number];
  size_t dimensions = s->index->dimensions;
  *n = *amiss = 0;
  aio__near_sort(q->nearest.at, q->nearest.n, aio__near_lower);
  for (size_t i = 0; i < q->nearest.n; i++) {
    const aio__near *near = &q->nearest.at[i];
    if (*n == ask->limit && near->high < s->best[0].high) break;
    aiorch_status status = ask->row(ask->ctx, near->key, s->row);
    if (status != AIORCH_OK && status != AIORCH_E_NOT_FOUND) return status;
    float similarity =
        status == AIORCH_OK ? (float)cosine(ask->queries + number * dimensions, q->length, s->row, dimensions) : -2;
    *amiss += !(similarity >= near->low);
    if (!(similarity >= ask->threshold)) continue; /* so written that a NaN is left out */
    aio__near_offer(s->best, n, ask->limit, (aio__near){near->key, similarity, similarity}, aio__near_lower);
  }
  return AIORCH_OK;
}

static aiorch_status finish(search *s, size_t number, aio__index_hit *hits, size_t *count) {
  query *q = &s->queries[number];
  size_t n = 0, amiss = 0;
  aiorch_status status = read_rows(s, number, &n, &amiss);
  /* Rows that are gone may have held the floor too high for what is left: once more, with a lower one. */
  for (int again = 0; status == AIORCH_OK && again < AGAIN_MAX && amiss > 0 && q->nearest.floor > q->base &&
                      (n < s->ask->limit || s->best[0].high < q->nearest.floor); again++) {
    size_t wanted = AGAIN_TIMES * q->nearest.wanted + amiss;
    status = begin_query(s, q, wanted, AIO__INDEX_CANDIDATES(wanted));
    if (status == AIORCH_OK) status = scan(s, number, 1);
    if (status == AIORCH_OK) status = read_rows(s, number, &n, &amiss);
  }
  if (status != AIORCH_OK) return status;
  aio__near_sort(s->best, n, aio__near_lower);
  for (size_t i = 0; i < n; i++) hits[i] = (aio__index_hit){s->best[i].key, s->best[i].high};
  *count = n;
  return AIORCH_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static bool sound(const aio__index_search *ask) {
  return ask->queries != NULL && ask->row != NULL && ask->query_count >= 1 &&
         ask->query_count <= AIO__INDEX_QUERIES_MAX && ask->limit >= 1 && ask->limit <= AIO__INDEX_LIMIT_MAX &&
         !isnan(ask->threshold);
}

/* All that has a size known at the start, in one piece. */
static bool take_memory(search *s) {
  size_t n = s->ask->query_count;
  size_t codes = n * s->stride, exact = codes * sizeof(float), dots = 2 * n * AIO__BLOCK_ROWS * sizeof(int32_t);
  size_t queries = n * sizeof(query), row = s->index->dimensions * sizeof(float);
  s->memory = aio__calloc(s->index->al, 1, ALIGN - 1 + exact + codes + dots + queries + row);
  if (s->memory == NULL) return false;
  uint8_t *at = (uint8_t *)s->memory + (ALIGN - (uintptr_t)s->memory % ALIGN) % ALIGN;
  float *exacts = (float *)(void *)at;
  s->codes = (int8_t *)(at + exact);
  s->doubts[0].dots = (int32_t *)(void *)(at + exact + codes);
  s->doubts[1].dots = s->doubts[0].dots + n * AIO__BLOCK_ROWS;
  s->queries = (query *)(void *)(at + exact + codes + dots);
  s->row = (float *)(void *)(at + exact + codes + dots + queries);
  for (size_t i = 0; i < n; i++) s->queries[i].exact = exacts + i * s->stride;
  return true;
}

static aiorch_status begin(search *s) {
  size_t limit = s->ask->limit, dimensions = s->index->dimensions;
  for (size_t i = 0; i < s->ask->query_count; i++) {
    query *q = &s->queries[i];
    if (!prepare(s, q, s->ask->queries + i * dimensions, s->codes + i * s->stride)) return AIORCH_E_INVALID;
    q->base = s->ask->threshold > -1 ? s->ask->threshold : -2;
    size_t wanted = limit + limit / 16 + SPARE_MIN;
    aiorch_status status = begin_query(s, q, wanted, AIO__INDEX_CANDIDATES(limit));
    if (status != AIORCH_OK) return status;
  }
  return AIORCH_OK;
}

aiorch_status aio__index_search_run(aio__index *index, const aio__index_search *ask, aio__index_hit *hits,
                                    size_t *counts) {
  if (!sound(ask)) return AIORCH_E_INVALID;
  search s = {.index = index, .ask = ask, .kernels = index->kernels, .stride = 2 * index->half};
  s.rounding = 2 * AIO__CODE_ROUNDING(s.stride);
  if (!take_memory(&s)) return AIORCH_E_NOMEM;
  aiorch_status status = begin(&s);
  memset(counts, 0, ask->query_count * sizeof *counts);
  if (status == AIORCH_OK) status = scan(&s, 0, ask->query_count);
  for (size_t i = 0; status == AIORCH_OK && i < ask->query_count; i++)
    status = finish(&s, i, hits + i * ask->limit, &counts[i]);
  for (size_t i = 0; i < ask->query_count; i++) aio__free(index->al, s.queries[i].nearest.at);
  aio__free(index->al, s.best);
  aio__free(index->al, s.memory);
  return status;
}
