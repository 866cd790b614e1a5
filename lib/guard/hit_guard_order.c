/*
 * Order: the same words in another relation. Two ways to see it, whichever words are used:
 *
 * - edges: "from A to B", "A before B", "A instead of B", "A than B" each say that something stands on the one side and
 *   something on the other. Two texts differ when a word of the one side of an edge is on the other side of an edge of
 *   the same kind, and the other way round.
 * - exchange: the texts are word by word the same but for two passages that have changed places around a word that is no
 *   "and" or "or": "does A report to B".
 */
#include "guard/hit_guard_parts.h"

enum { SIDE_MAX = 3, SIDE_REACH = 6, VERB_REACH = 8, PASSAGE_MAX = 4 };

/* What an edge leads from and to: tokens. */
typedef struct side {
  uint32_t token[SIDE_MAX];
  size_t n;
} side;

typedef struct edge {
  unsigned group;
  side from, to;
} edge;

typedef struct edges {
  edge edge[AIO__HIT_EDGES_MAX];
  size_t n;
} edges;

/* ---- edges ------------------------------------------------------------------------------------------------------- */

static bool is_boundary(const aio__hit_token *t) {
  return AIO__HIT_HAS(t->entry, RELATION) && t->kind == AIO__HIT_WORD;
}

static bool counts(const aio__hit_token *t) {
  return t->kind != AIO__HIT_WORD || aio__hit_is_content(t);
}

static side read_right(const aio__hit_text *text, uint32_t i) {
  side out = {.n = 0};
  for (uint32_t k = i + 1; k < text->n && k <= i + SIDE_REACH && out.n < SIDE_MAX; k++) {
    const aio__hit_token *t = &text->tokens[k];
    if ((text->tokens[k - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0 || is_boundary(t)) break;
    if (counts(t)) out.token[out.n++] = k;
  }
  return out;
}

static side read_left(const aio__hit_text *text, uint32_t i) {
  side out = {.n = 0};
  for (uint32_t k = i; k-- > 0 && k + SIDE_REACH >= i && out.n < SIDE_MAX;) {
    const aio__hit_token *t = &text->tokens[k];
    if ((t->flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0 || is_boundary(t)) break;
    if (counts(t)) out.token[out.n++] = k;
  }
  return out;
}

/* "with" relates only behind "replace", "by" behind "divide". */
static bool has_verb(const aio__hit_text *text, uint32_t i, unsigned group) {
  for (uint32_t k = i; k-- > 0 && k + VERB_REACH >= i && (text->tokens[k].flags & AIO__HIT_ENDS) == 0;) {
    const aio__hit_entry *e = text->tokens[k].entry;
    if (e != NULL && (e->verbs >> group & 1) != 0) return true;
  }
  return false;
}

static void find_edges(const aio__hit_lexicon *lexicon, const aio__hit_text *text, edges *out) {
  out->n = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (!is_boundary(t)) continue;
    side left = read_left(text, i), right = read_right(text, i);
    if (left.n == 0 || right.n == 0) continue;
    for (unsigned r = 0; r < 2 * lexicon->groups_n && out->n < AIO__HIT_EDGES_MAX; r++) {
      unsigned group = r / 2;
      bool marked = (lexicon->groups_with_verb >> group & 1) != 0;
      if ((t->entry->relations >> r & 1) == 0 || (marked && t->text.n <= 4 && !has_verb(text, i, group))) continue;
      bool reversed = r % 2 == 1;
      out->edge[out->n++] = (edge){group, reversed ? right : left, reversed ? left : right};
    }
  }
}

static bool is_on(const aio__hit_text *text, const side *s, const aio__hit_token *word) {
  for (size_t i = 0; i < s->n; i++) {
    const aio__hit_token *t = &text->tokens[s->token[i]];
    if (t->hash == word->hash && aio__str_eq(t->text, word->text)) return true;
  }
  return false;
}

/* A word on side `here` of one edge and `there` of the other, and on no other side of either; -1 for none. */
static int64_t crossing(const aio__hit_text *text, const side *here, const side *opposite, const aio__hit_text *other, const side *there,
                        const side *same) {
  for (size_t i = 0; i < here->n; i++) {
    const aio__hit_token *word = &text->tokens[here->token[i]];
    if (is_on(other, there, word) && !is_on(other, same, word) && !is_on(text, opposite, word)) return here->token[i];
  }
  return -1;
}

static void tell_span(aio__hit_detail *detail, const aio__hit_text *text, const edge *e) {
  uint32_t first = UINT32_MAX, last = 0;
  const side *sides[2] = {&e->from, &e->to};
  for (size_t s = 0; s < 2; s++) {
    for (size_t i = 0; i < sides[s]->n; i++) {
      uint32_t token = sides[s]->token[i];
      first = token < first ? token : first;
      last = token > last ? token : last;
    }
  }
  aio__hit_detail_tokens(detail, text, first, last);
}

static bool compare_edges(aio__hit_pair *pair) {
  edges a, b;
  find_edges(pair->lexicon, pair->question, &a);
  if (a.n == 0) return false;
  find_edges(pair->lexicon, pair->kept, &b);
  for (size_t i = 0; i < a.n; i++) {
    for (size_t k = 0; k < b.n; k++) {
      const edge *x = &a.edge[i], *y = &b.edge[k];
      if (x->group != y->group) continue;
      if (crossing(pair->question, &x->from, &x->to, pair->kept, &y->to, &y->from) < 0) continue;
      if (crossing(pair->question, &x->to, &x->from, pair->kept, &y->from, &y->to) < 0) continue;
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
      tell_span(&detail, pair->question, x);
      aio__hit_detail_turn(&detail);
      tell_span(&detail, pair->kept, y);
      return true;
    }
  }
  return false;
}

/* ---- turned relations -------------------------------------------------------------------------------------------- */

/* A relation and what stands behind it. */
typedef struct towards {
  uint32_t relation; /* token */
  side right;
} towards;

static size_t find_towards(const aio__hit_text *text, towards *out) {
  size_t n = 0;
  for (uint32_t i = 0; i < text->n && n < AIO__HIT_EDGES_MAX; i++) {
    if (!is_boundary(&text->tokens[i])) continue;
    out[n] = (towards){i, read_right(text, i)};
    n += out[n].right.n > 0;
  }
  return n;
}

static uint32_t turned(uint32_t relations) {
  return (relations & 0x55555555u) << 1 | (relations & 0xAAAAAAAAu) >> 1;
}

static bool same_end(const aio__hit_text *text, const side *a, const aio__hit_text *other, const side *b) {
  return is_on(other, b, &text->tokens[a->token[0]]) || is_on(text, a, &other->tokens[b->token[0]]);
}

/* "before a meal", "after a meal"; "to Paris", "from Paris": a relation and its reverse in front of the same word, which the
 * kept text has not behind that relation too. */
static bool compare_turned(aio__hit_pair *pair) {
  towards a[AIO__HIT_EDGES_MAX], b[AIO__HIT_EDGES_MAX];
  size_t an = find_towards(pair->question, a), bn = an > 0 ? find_towards(pair->kept, b) : 0;
  for (size_t i = 0; i < an; i++) {
    uint32_t own = pair->question->tokens[a[i].relation].entry->relations;
    const towards *against = NULL;
    bool agrees = false;
    for (size_t k = 0; k < bn && !agrees; k++) {
      if (!same_end(pair->question, &a[i].right, pair->kept, &b[k].right)) continue;
      uint32_t theirs = pair->kept->tokens[b[k].relation].entry->relations;
      agrees = (own & theirs) != 0;
      if ((turned(own) & theirs) != 0) against = &b[k];
    }
    if (agrees || against == NULL) continue;
    aio__hit_detail detail;
    aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
    aio__hit_detail_tokens(&detail, pair->question, a[i].relation, a[i].right.token[0]);
    aio__hit_detail_turn(&detail);
    aio__hit_detail_tokens(&detail, pair->kept, against->relation, against->right.token[0]);
    return true;
  }
  return false;
}

/* ---- exchange ---------------------------------------------------------------------------------------------------- */

/* The tokens that order is about: without articles and the like. */
typedef struct sequence {
  const aio__hit_text *text;
  const uint32_t *token;
  size_t n;
} sequence;

static bool read_sequence(const aio__hit_text *text, aio__arena *arena, sequence *out) {
  uint32_t *token = aio__arena_alloc(arena, (text->n + 1) * sizeof *token);
  *out = (sequence){text, token, 0};
  for (uint32_t i = 0; i < text->n && token != NULL; i++) {
    if (!AIO__HIT_HAS(text->tokens[i].entry, DETERMINER)) token[out->n++] = i;
  }
  return token != NULL;
}

static const aio__hit_token *in_sequence(const sequence *s, size_t i) {
  return &s->text->tokens[s->token[i]];
}

static bool same_run(const sequence *a, size_t i, const sequence *b, size_t k, size_t n) {
  for (size_t j = 0; j < n; j++) {
    const aio__hit_token *x = in_sequence(a, i + j), *y = in_sequence(b, k + j);
    if (x->hash != y->hash || !aio__str_eq(x->text, y->text)) return false;
  }
  return true;
}

/* What stands between the two makes no difference between them: "and", "or", the commas of a list. */
static bool is_symmetric(const sequence *s, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    bool comma = i > 0 && (in_sequence(s, i - 1)->flags & AIO__HIT_COMMA) != 0;
    if (!comma && !AIO__HIT_HAS(in_sequence(s, i)->entry, SYMMETRIC)) return false;
  }
  return true;
}

/* x m y in the one, y m x in the other, everything else the same. */
static bool compare_exchange(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status) {
  sequence a, b;
  if (!read_sequence(pair->question, arena, &a) || !read_sequence(pair->kept, arena, &b)) {
    *status = AIORCH_E_NOMEM;
    return false;
  }
  size_t from = 0, to = a.n;
  if (a.n != b.n) return false;
  while (from < to && same_run(&a, from, &b, from, 1)) from++;
  while (to > from && same_run(&a, to - 1, &b, to - 1, 1)) to--;
  size_t n = to - from;
  for (size_t x = 1; x <= PASSAGE_MAX && x + 2 <= n; x++) {
    for (size_t y = 1; y <= PASSAGE_MAX && x + y < n; y++) {
      size_t middle = n - x - y;
      if (!same_run(&a, from, &b, to - x, x) || !same_run(&a, to - y, &b, from, y) || !same_run(&a, from + x, &b, from + y, middle)) continue;
      if (is_symmetric(&a, from + x, from + x + middle)) continue;
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
      aio__hit_detail_tokens(&detail, pair->question, a.token[from], a.token[to - 1]);
      aio__hit_detail_turn(&detail);
      aio__hit_detail_tokens(&detail, pair->kept, b.token[from], b.token[to - 1]);
      return true;
    }
  }
  return false;
}

bool aio__hit_compare_order(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status) {
  return compare_edges(pair) || compare_turned(pair) || compare_exchange(pair, arena, status);
}
