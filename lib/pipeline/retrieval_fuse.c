/*
 * Makes one list of what full text and vectors found.
 *
 * retrieve.fusion "scores", by what the legs say of a chunk: ranks throw away how sure a leg is, so that by reciprocal rank a
 * question whose words no page has gets as much from full text as one whose words a single page has. Each leg's scores are put
 * on one scale,
 *
 *   (score - floor) / (best score - floor)     floor: 0 for full text; FLOOR_BELOW under the threshold for vectors
 *
 * where a chunk that full text alone found has its own similarity, though it is not among the nearest. What a leg knows nothing
 * of (full text of a chunk that vectors alone found; vectors of one that a plug-in has, or that is not embedded yet) counts as
 * much as the last that a full leg found (it may lie right behind it), else as one without a word, or at the threshold. The two
 * are averaged by the weights of the legs. Then documents are looked at as wholes, as full text does on its own
 * (retrieval_rank.c): the best chunk of each is lifted by how near its other chunks are,
 *
 *   LIFT * (x1 / 2 + x2 / 3 + x3 / 4 + x4 / 5)    x: (similarity - last) / (best - last), above LIFT_FROM, falling
 *
 * and the others count REST.
 *
 * "rrf", by ranks alone: weight / (AIO__RRF_K + rank), summed over the legs.
 *
 * In both the best of each leg keeps a seat among what is asked for. Measured in docs/retrieval.md.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/retrieval_private.h"

enum { LIFT_CHUNKS = 4 };
static const double FLOOR_BELOW = 0.10, LIFT = 0.15, LIFT_FROM = 0.2, REST = 0.8;

/* One leg's scale. */
typedef struct scale {
  double floor, best, last; /* last: of a full leg, else the floor */
} scale;

typedef struct fusion {
  aio__candidate *candidates; /* those of one document stand together while they are scored */
  size_t count;
  scale text, vector;
  double text_weight, vector_weight; /* 1 together */
} fusion;

/* ---- candidates ------------------------------------------------------------------------------------------------- */

static const aio__found_chunk *find_chunk(const aio__retrieval_work *w, aio__str id) {
  for (size_t i = 0; i < w->missing_count; i++) {
    if (aio__str_eqz(id, w->fetched[i].chunk_id)) return &w->fetched[i];
  }
  return NULL;
}

static aio__candidate *find_candidate(aio__candidate *candidates, size_t count, aio__str id) {
  for (size_t i = 0; i < count; i++) {
    if (aio__str_eqz(id, candidates[i].chunk->chunk_id)) return &candidates[i];
  }
  return NULL;
}

/* Ranks are counted over what is there: hits whose chunk is gone or filtered out take no rank. */
static void add_vector_hits(const aio__retrieval_work *w, fusion *f) {
  size_t rank = 0;
  for (size_t i = 0; i < w->hit_count; i++) {
    aio__candidate *c = find_candidate(f->candidates, f->count, w->hits[i].id);
    const aio__found_chunk *chunk = c ? c->chunk : find_chunk(w, w->hits[i].id);
    if (!chunk || (c && c->vector_rank > 0)) continue;
    if (!c) {
      c = &f->candidates[f->count++];
      *c = (aio__candidate){.chunk = chunk};
    }
    c->vector_rank = ++rank;
    c->similarity = w->hits[i].similarity;
  }
}

static aiorch_status gather(const aio__retrieval *r, fusion *f) {
  const aio__retrieval_work *w = r->work;
  f->candidates = aio__arena_alloc(r->arena, (w->text_count + w->hit_count) * sizeof *f->candidates);
  if (!f->candidates) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < w->text_count; i++) {
    f->candidates[i] = (aio__candidate){.chunk = &w->text[i], .text_rank = i + 1, .similarity = w->text[i].similarity};
  }
  f->count = w->text_count;
  add_vector_hits(w, f);
  return AIORCH_OK;
}

/* ---- scales ----------------------------------------------------------------------------------------------------- */

static double on_scale(const scale *s, double score) {
  if (!(s->best > s->floor)) return 1;
  return score > s->floor ? (score - s->floor) / (s->best - s->floor) : 0;
}

/* What a leg says of a chunk that it did not find. */
static double not_found(const scale *s) {
  return s->best > s->floor ? on_scale(s, s->last) : 0;
}

static void set_scales(const aio__retrieval *r, fusion *f) {
  const aio__retrieval_work *w = r->work;
  size_t full = aio__leg_limit(r);
  double floor = w->threshold > FLOOR_BELOW ? w->threshold - FLOOR_BELOW : 0, least = w->threshold > 0 ? w->threshold : 0;
  f->text = (scale){0, w->text_count > 0 ? w->text[0].score : 0, 0};
  if (w->text_count >= full) f->text.last = w->text[w->text_count - 1].score;
  f->vector = (scale){floor, floor, least};
  for (size_t i = 0; i < f->count; i++) {
    const aio__candidate *c = &f->candidates[i];
    if (c->vector_rank == 1) f->vector.best = c->similarity;
    if (c->vector_rank == full) f->vector.last = c->similarity;
  }
  double text = r->options->retrieve_weight_text, vector = r->options->retrieve_weight_vector;
  f->vector_weight = w->hit_count == 0 ? 0 : w->text_count == 0 ? 1 : vector / (text + vector);
  f->text_weight = 1 - f->vector_weight;
}

static double score_of(const fusion *f, const aio__candidate *c) {
  double text = c->text_rank > 0 ? on_scale(&f->text, c->chunk->score) : not_found(&f->text);
  double vector = !isnan(c->similarity) ? on_scale(&f->vector, c->similarity) : not_found(&f->vector);
  return f->text_weight * text + f->vector_weight * vector;
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

static size_t best_rank(const aio__candidate *c) {
  if (c->text_rank == 0 || c->vector_rank == 0) return c->text_rank + c->vector_rank;
  return c->text_rank < c->vector_rank ? c->text_rank : c->vector_rank;
}

static int by_score(const void *a, const void *b) {
  const aio__candidate *x = a, *y = b;
  if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
  if (best_rank(x) != best_rank(y)) return best_rank(x) < best_rank(y) ? -1 : 1;
  return strcmp(x->chunk->chunk_id, y->chunk->chunk_id);
}

static int by_document(const void *a, const void *b) {
  const aio__candidate *x = a, *y = b;
  int order = strcmp(x->chunk->document_id, y->chunk->document_id);
  return order != 0 ? order : by_score(a, b);
}

/* How near chunk `c` is, from the last that vectors found to the best. */
static double nearness(const fusion *f, const aio__candidate *c) {
  double last = f->vector.last, all = f->vector.best - last;
  if (isnan(c->similarity) || !(all > 0)) return 0;
  double x = (c->similarity - last) / all;
  return x > LIFT_FROM ? (x - LIFT_FROM) / (1 - LIFT_FROM) : 0;
}

/* The chunks of one document, best first. */
static void lift(const fusion *f, aio__candidate *chunks, size_t count) {
  double nearest[LIFT_CHUNKS] = {0};
  for (size_t i = 1; i < count; i++) {
    double x = nearness(f, &chunks[i]);
    for (size_t k = 0; k < LIFT_CHUNKS; k++) {
      if (x <= nearest[k]) continue;
      double less = nearest[k];
      nearest[k] = x;
      x = less;
    }
    chunks[i].score *= REST;
  }
  /* All of it when vectors count as much as full text, or more. */
  double part = LIFT * (f->vector_weight < 0.5 ? 2 * f->vector_weight : 1);
  for (size_t k = 0; k < LIFT_CHUNKS; k++) chunks[0].score += part * nearest[k] / (double)(k + 2);
}

static void lift_documents(fusion *f) {
  qsort(f->candidates, f->count, sizeof *f->candidates, by_document);
  for (size_t i = 0, next; i < f->count; i = next) {
    const char *document = f->candidates[i].chunk->document_id;
    for (next = i + 1; next < f->count && strcmp(f->candidates[next].chunk->document_id, document) == 0;) next++;
    lift(f, &f->candidates[i], next - i);
  }
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* Moves the first of a leg up to place `seat` when it stands below. */
static void keep_seat(fusion *f, bool vectors, size_t seat) {
  for (size_t i = seat + 1; i < f->count; i++) {
    if ((vectors ? f->candidates[i].vector_rank : f->candidates[i].text_rank) != 1) continue;
    aio__candidate first = f->candidates[i];
    memmove(&f->candidates[seat + 1], &f->candidates[seat], (i - seat) * sizeof first);
    f->candidates[seat] = first;
    return;
  }
}

static double reciprocal(size_t rank) {
  return rank > 0 ? 1.0 / (double)(AIO__RRF_K + rank) : 0;
}

static void score_by_ranks(const aio__options *options, fusion *f) {
  for (size_t i = 0; i < f->count; i++) {
    aio__candidate *c = &f->candidates[i];
    c->score = options->retrieve_weight_text * reciprocal(c->text_rank) +
               options->retrieve_weight_vector * reciprocal(c->vector_rank);
  }
}

static void score_by_scores(const aio__retrieval *r, fusion *f) {
  set_scales(r, f);
  for (size_t i = 0; i < f->count; i++) f->candidates[i].score = score_of(f, &f->candidates[i]);
  if (f->vector_weight > 0) lift_documents(f); /* full text alone has lifted its own */
}

aiorch_status aio__retrieval_fuse(aio__retrieval *retrieval, aio__candidate **out, size_t *count) {
  const aio__retrieval_work *w = retrieval->work;
  fusion f = {NULL, 0, {0, 0, 0}, {0, 0, 0}, 0, 0};
  *count = 0;
  if (w->text_count + w->hit_count == 0) return AIORCH_OK;
  aiorch_status st = gather(retrieval, &f);
  if (st) return st;
  if (strcmp(retrieval->options->retrieve_fusion, "rrf") == 0)
    score_by_ranks(retrieval->options, &f);
  else
    score_by_scores(retrieval, &f);
  qsort(f.candidates, f.count, sizeof *f.candidates, by_score);
  if (retrieval->limit >= 2) {
    keep_seat(&f, false, retrieval->limit - 2);
    keep_seat(&f, true, retrieval->limit - 1);
  }
  *out = f.candidates;
  *count = f.count;
  return AIORCH_OK;
}
