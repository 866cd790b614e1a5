/*
 * The lists are walked together in the order of the chunks' numbers. A term that is everywhere says little, and once the
 * best are so good that such terms alone cannot lead among them, their lists are no longer walked but only asked about
 * chunks that another list has brought up ("max score", Turtle and Flood 1995). What is found is the same.
 */
#include "stores/fts_lists.h"

#include <string.h>

/* Sums in another order differ in their last bits: a bound that is so close is none. */
static const double SLACK = 1.000001;

typedef struct cursor {
  const aio__fts_list *list;
  size_t at, term;
  double worth, bound; /* bound: what it can add to a score at most */
} cursor;

typedef struct walk {
  const aio__fts_lists *lists;
  aio__fts_top *top;
  cursor cursor[AIO__FTS_TERMS_MAX]; /* lowest bound first */
  double below[AIO__FTS_TERMS_MAX];  /* what all up to this one can add at most */
  size_t n, first;                   /* from here on lists are walked */
  uint32_t often[AIO__FTS_TERMS_MAX];
} walk;

static void begin(walk *w) {
  const aio__fts_rank *rank = &w->lists->rank;
  double norm = aio__fts_norm(rank, 0.0);
  for (size_t i = 0; i < rank->n; i++) {
    const aio__fts_list *list = &w->lists->list[i];
    double bound = aio__fts_part(rank->worth[i], (double)list->most, norm);
    size_t at = w->n++;
    for (; at > 0 && w->cursor[at - 1].bound > bound; at--) w->cursor[at] = w->cursor[at - 1];
    w->cursor[at] = (cursor){list, 0, i, rank->worth[i], bound};
  }
  for (size_t i = 0; i < w->n; i++) w->below[i] = w->cursor[i].bound + (i > 0 ? w->below[i - 1] : 0.0);
}

/* Can a chunk of at most this score be none of the best? Of equal scores the one that came first stays. */
static bool too_low(const walk *w, double most) {
  return w->top->n == w->top->cap && most * SLACK <= w->top->hits[0].score;
}

static bool lowest(const walk *w, uint64_t *chunk) {
  uint64_t low = UINT64_MAX;
  for (size_t i = w->first; i < w->n; i++) {
    const cursor *c = &w->cursor[i];
    if (c->at < c->list->n && c->list->posting[c->at] < low) low = c->list->posting[c->at];
  }
  *chunk = aio__fts_posting_chunk(low);
  return low != UINT64_MAX;
}

/* In steps that double, then by halves. */
size_t aio__fts_list_seek(const aio__fts_list *list, size_t from, uint64_t chunk) {
  uint64_t wanted = aio__fts_posting(chunk, 0);
  size_t low = from, step = 1;
  while (step < list->n - low && list->posting[low + step] < wanted) {
    low += step;
    step *= 2;
  }
  size_t high = step < list->n - low ? low + step : list->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (list->posting[middle] < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static uint32_t take(cursor *c, uint64_t chunk) {
  if (c->at == c->list->n || aio__fts_posting_chunk(c->list->posting[c->at]) != chunk) return 0;
  return aio__fts_posting_often(c->list->posting[c->at++]);
}

/* Takes what the walked lists say of the chunk; returns what it can come to at most. */
static double gather(walk *w, uint64_t chunk) {
  double most = w->first > 0 ? w->below[w->first - 1] : 0.0;
  memset(w->often, 0, sizeof w->often);
  for (size_t i = w->first; i < w->n; i++) {
    cursor *c = &w->cursor[i];
    uint32_t often = take(c, chunk);
    w->often[c->term] = often;
    if (often > 0) most += c->bound;
  }
  return most;
}

/* Asks the other lists, too. False: none of the best. */
static bool complete(walk *w, uint64_t chunk, double norm) {
  double score = 0.0;
  for (size_t i = w->first; i < w->n; i++)
    score += aio__fts_part(w->cursor[i].worth, (double)w->often[w->cursor[i].term], norm);
  for (size_t i = w->first; i-- > 0;) {
    cursor *c = &w->cursor[i];
    if (too_low(w, score + w->below[i])) return false;
    c->at = aio__fts_list_seek(c->list, c->at, chunk);
    w->often[c->term] = take(c, chunk);
    score += aio__fts_part(c->worth, (double)w->often[c->term], norm);
  }
  return !too_low(w, score);
}

static aiorch_status visit(walk *w, uint64_t chunk) {
  const aio__fts_lists *lists = w->lists;
  uint32_t words = 0;
  if (too_low(w, gather(w, chunk))) return AIORCH_OK;
  aiorch_status status = lists->words(lists->ctx, chunk, &words);
  if (status != AIORCH_OK) return status;
  double norm = aio__fts_norm(&lists->rank, (double)words), score = 0.0;
  if (!complete(w, chunk, norm) || !lists->passes(lists->ctx, chunk)) return AIORCH_OK;
  for (size_t i = 0; i < w->n; i++) score += aio__fts_part(lists->rank.worth[i], (double)w->often[i], norm);
  aio__fts_top_offer(w->top, (aio__fts_hit){score, (int64_t)chunk, NULL});
  return AIORCH_OK;
}

aiorch_status aio__fts_lists_rank(const aio__fts_lists *lists, aio__fts_top *top) {
  walk w = {.lists = lists, .top = top};
  uint64_t chunk;
  aiorch_status status = AIORCH_OK;
  if (top->cap == 0) return AIORCH_OK;
  begin(&w);
  while (status == AIORCH_OK && lowest(&w, &chunk)) {
    status = visit(&w, chunk);
    while (w.first < w.n && too_low(&w, w.below[w.first])) w.first++;
  }
  return status;
}
