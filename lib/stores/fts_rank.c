/* BM25 over three weighted fields, and a heap of the best hits. */
#include "stores/fts_rank.h"

#include <math.h>
#include <stdlib.h>

static const double K1 = 1.2;
static const double B = 0.75;
static const uint32_t FIELD_WEIGHT[AIO__FTS_FIELDS] = {5, 3, 1};

double aio__fts_worth(const aio__fts_term *term, uint64_t chunks, uint64_t with_term) {
  double all = (double)(chunks > with_term ? chunks : with_term), with = (double)with_term;
  return term->weight * log(1.0 + (all - with + 0.5) / (with + 0.5));
}

uint32_t aio__fts_field_weight(size_t field) {
  return field < AIO__FTS_FIELDS ? FIELD_WEIGHT[field] : 0;
}

double aio__fts_norm(const aio__fts_rank *rank, double words) {
  double average = rank->average_words > 1.0 ? rank->average_words : 1.0;
  return K1 * (1.0 - B + B * words / average);
}

double aio__fts_part(double worth, double often, double norm) {
  return often > 0.0 ? worth * often * (K1 + 1.0) / (often + norm) : 0.0;
}

double aio__fts_score(const aio__fts_rank *rank, const aio__fts_counts *counts, double words) {
  double norm = aio__fts_norm(rank, words), score = 0.0;
  for (size_t i = 0; i < rank->n; i++) {
    double often = 0.0;
    for (size_t f = 0; f < AIO__FTS_FIELDS; f++) often += (double)FIELD_WEIGHT[f] * (double)counts->n[i][f];
    score += aio__fts_part(rank->worth[i], often, norm);
  }
  return score;
}

static bool better(const aio__fts_hit *a, const aio__fts_hit *b) {
  return a->score > b->score || (!(a->score < b->score) && a->key < b->key);
}

/* The worst hit is on top, so that it is the one that leaves. */
static void sift_down(aio__fts_top *top, size_t at) {
  for (;;) {
    size_t worst = at;
    for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < top->n; child++)
      if (better(&top->hits[worst], &top->hits[child])) worst = child;
    if (worst == at) return;
    aio__fts_hit swap = top->hits[at];
    top->hits[at] = top->hits[worst];
    top->hits[worst] = swap;
    at = worst;
  }
}

void aio__fts_top_offer(aio__fts_top *top, aio__fts_hit hit) {
  if (top->cap == 0) return;
  if (top->n == top->cap) {
    if (!better(&hit, &top->hits[0])) return;
    top->hits[0] = hit;
    sift_down(top, 0);
    return;
  }
  size_t at = top->n++;
  while (at > 0 && better(&top->hits[(at - 1) / 2], &hit)) {
    top->hits[at] = top->hits[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  top->hits[at] = hit;
}

static int by_rank(const void *a, const void *b) {
  const aio__fts_hit *x = a, *y = b;
  return better(x, y) ? -1 : better(y, x) ? 1 : 0;
}

void aio__fts_top_sort(aio__fts_top *top) {
  if (top->n > 1) qsort(top->hits, top->n, sizeof *top->hits, by_rank);
}
