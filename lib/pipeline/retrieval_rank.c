/*
 * Orders what full text found.
 *
 * It scores chunks one by one (BM25). A question's answer is more often on a page whose chunks, taken together,
 * have more of its words, and whose title is made of them. So the best chunk of each document is lifted:
 *
 *   score * (1 + COVERAGE * min(gain / own, GAIN_MAX)) * (1 + TITLE * share of the title's words that were asked for)
 *
 * where `own` is what the chunk's words are worth and `gain` what the document's other candidates add to that, word by
 * word. A word's worth is estimated from the candidates alone (softly, for they are no fair sample). The other chunks
 * of a document count REST of their score, so that five sources come from more than one place. Measured on 60 questions
 * about the PostgreSQL manual (those of tests/eval, and as many others): a right page is among five sources for 28 by
 * BM25 alone, for 35 with this, for 31 with kindred words (stores/fts_synonyms.c), for 38 with both.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/retrieval_private.h"
#include "stores/fts_match.h"
#include "stores/fts_rank.h"

static const double COVERAGE = 0.6, GAIN_MAX = 1.5, TITLE = 0.4, REST = 0.7;
static const double K1 = 1.5, B = 0.75;

/* One candidate: how much each term of the query is in it. */
typedef struct scored {
  size_t at; /* in the order of the store */
  size_t words;
  double worth[AIO__FTS_TERMS_MAX];
  double title_share, score;
  bool best; /* of its document */
} scored;

typedef struct ranking {
  const aio__fts_query *query;
  aio__fts_match match;
  scored *items;
  size_t count;
} ranking;

/* Adds the field's weight for each term in the text; returns the number of words. */
static size_t count_terms(const ranking *all, aio__str text, size_t field, scored *to) {
  double times = (double)aio__fts_field_weight(field);
  aio__fts_words words;
  aio__fts_word word;
  size_t n = 0;
  aio__fts_words_init(&words, text);
  while (aio__fts_words_next(&words, &word)) {
    if (!word.compound) n++;
    size_t term = aio__fts_match_word(&all->match, &word);
    if (term != SIZE_MAX) to->worth[term] += times;
  }
  return n;
}

/* How much of the title was asked for; numbers in it ("7.2.") do not count. */
static double title_share(const ranking *all, aio__str title) {
  aio__fts_words words;
  aio__fts_word word;
  double asked = 0, words_in_title = 0;
  aio__fts_words_init(&words, title);
  while (aio__fts_words_next(&words, &word)) {
    if (word.compound || word.part || (word.text[0] >= '0' && word.text[0] <= '9')) continue;
    words_in_title += 1;
    size_t term = aio__fts_match_word(&all->match, &word);
    if (term != SIZE_MAX) asked += all->query->term[term].weight;
  }
  return words_in_title > 0 ? asked / words_in_title : 0;
}

static void read_candidates(const aio__retrieval_work *w, ranking *all) {
  for (size_t i = 0; i < all->count; i++) {
    const aio__found_chunk *chunk = &w->text[i];
    scored *s = &all->items[i];
    s->at = i;
    s->title_share = title_share(all, chunk->title);
    s->score = chunk->score;
    if (chunk->often != NULL) {
      s->words = chunk->words;
      for (size_t t = 0; t < all->query->n; t++) s->worth[t] = (double)chunk->often[t];
      continue;
    }
    memset(s->worth, 0, all->query->n * sizeof *s->worth);
    s->words = count_terms(all, chunk->title, AIO__FTS_TITLE, s) + count_terms(all, chunk->heading, AIO__FTS_HEADING, s) +
               count_terms(all, chunk->text, AIO__FTS_BODY, s);
  }
}

/* From counts to worth: saturating, by length, and by how rare the term is among the candidates. */
static void weigh(ranking *all) {
  double average = 0;
  for (size_t i = 0; i < all->count; i++) average += (double)all->items[i].words;
  average = average > 0 ? average / (double)all->count : 1;
  for (size_t t = 0; t < all->query->n; t++) {
    double with = 0;
    for (size_t i = 0; i < all->count; i++) with += all->items[i].worth[t] > 0 ? 1 : 0;
    double rare = all->query->term[t].weight * (1 + log(1 + (double)all->count / (with + 1)));
    for (size_t i = 0; i < all->count; i++) {
      scored *s = &all->items[i];
      double norm = K1 * (1 - B + B * (double)s->words / average);
      s->worth[t] = rare * s->worth[t] * (K1 + 1) / (s->worth[t] + norm);
    }
  }
}

static bool same_document(const aio__found_chunk *a, const aio__found_chunk *b) {
  return memcmp(a->document_id, b->document_id, sizeof a->document_id) == 0;
}

/* The candidates of the document of candidate `at`, the best of it, lift that one and lower the others. */
static void lift(const aio__retrieval_work *w, ranking *all, size_t at) {
  scored *best = &all->items[at];
  double most[AIO__FTS_TERMS_MAX], own = 0, gain = 0;
  memcpy(most, best->worth, all->query->n * sizeof *most);
  double title = 1 + TITLE * best->title_share;
  for (size_t i = at + 1; i < all->count; i++) {
    scored *other = &all->items[i];
    if (!same_document(&w->text[i], &w->text[at])) continue;
    for (size_t t = 0; t < all->query->n; t++) most[t] = other->worth[t] > most[t] ? other->worth[t] : most[t];
    other->best = false;
    other->score *= REST * title;
  }
  for (size_t t = 0; t < all->query->n; t++) {
    own += best->worth[t];
    gain += most[t] - best->worth[t];
  }
  double ratio = own > 0 ? gain / own : 0;
  best->score *= (1 + COVERAGE * (ratio < GAIN_MAX ? ratio : GAIN_MAX)) * title;
}

static int by_score(const void *a, const void *b) {
  const scored *x = a, *y = b;
  if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
  return x->at < y->at ? -1 : x->at > y->at;
}

aiorch_status aio__retrieval_rank_text(aio__retrieval *retrieval) {
  aio__retrieval_work *w = retrieval->work;
  if (w->text_count < 2) return AIORCH_OK;
  ranking *all = aio__arena_alloc(retrieval->arena, sizeof *all);
  aio__found_chunk *ordered = aio__arena_room(retrieval->arena, w->text_count * sizeof *ordered);
  if (!all || !ordered) return AIORCH_E_NOMEM;
  all->count = w->text_count;
  all->items = aio__arena_room(retrieval->arena, w->text_count * sizeof *all->items);
  if (!all->items) return AIORCH_E_NOMEM;
  if (w->query.n == 0) aio__fts_query_parse(retrieval->query, &w->query); /* the store has read it for itself */
  all->query = &w->query;
  aio__fts_match_init(&all->match, all->query);
  read_candidates(w, all);
  weigh(all);
  for (size_t i = 0; i < all->count; i++) all->items[i].best = true;
  for (size_t i = 0; i < all->count; i++) {
    if (all->items[i].best) lift(w, all, i);
  }
  qsort(all->items, all->count, sizeof *all->items, by_score);
  for (size_t i = 0; i < all->count; i++) {
    ordered[i] = w->text[all->items[i].at];
    ordered[i].score = all->items[i].score;
  }
  w->text = ordered;
  if (w->text_count > aio__leg_limit(retrieval)) w->text_count = aio__leg_limit(retrieval);
  return AIORCH_OK;
}
