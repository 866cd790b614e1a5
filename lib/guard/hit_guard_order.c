/*
 * Order: the same words in another relation. Four ways to see it:
 *
 * - edges: "from A to B", "A before B", "A instead of B", "A than B" each lead from something to something. Two texts
 * differ when a word at the one end of an edge is at the other end of an edge of the same kind, and the other way
 * round.
 * - turned relations: "before a meal" and "after a meal".
 * - exchange: the texts are word by word the same but for two passages that have changed places around a word that is
 * no "and" or "or": "does A report to B".
 * - roles: what acts in one sentence is acted upon in the other, whatever the verbs: "did Spain beat Brazil", "did Brazil
 *   defeat Spain". Told of rivals (names, or alternatives of one set), and of the words with which two questions begin.
 *
 * "between", "compare" and their like make an order of no meaning: what follows them is left out.
 */
#include "guard/hit_guard_parts.h"

enum {
  SIDE_MAX = 3,        /* words at an end of an edge */
  SIDE_REACH = 6,      /* tokens in which they are looked for */
  JOINT_REACH = 8,     /* tokens between "from" and "to" */
  INNER_WORDS_MAX = 2, /* of B in "to B from A": "to load all examples from" is no way to somewhere */
  VERB_REACH = 8,
  PASSAGE_MAX = 4, /* words that change places */
  ROLES_MAX = 16   /* rivals that are compared: the first so many */
};

typedef struct side {
  uint32_t token[SIDE_MAX]; /* the nearest first */
  size_t n;
} side;

typedef enum edge_kind { FORWARD, REVERSE, JOINT } edge_kind;

typedef struct edge {
  unsigned group;
  edge_kind kind;
  side from, to;
} edge;

typedef struct edges {
  edge edge[AIO__HIT_EDGES_MAX];
  size_t n;
} edges;

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static bool is_relation(const aio__hit_token *t) {
  return AIO__HIT_HAS(t->entry, RELATION) && t->kind == AIO__HIT_WORD;
}

static bool counts(const aio__hit_token *t) {
  return t->kind != AIO__HIT_WORD || aio__hit_is_content(t);
}

static side read_right(const aio__hit_text *text, uint32_t i) {
  side out = {.n = 0};
  for (uint32_t k = i + 1; k < text->n && k <= i + SIDE_REACH && out.n < SIDE_MAX; k++) {
    const aio__hit_token *t = &text->tokens[k];
    if ((text->tokens[k - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0 || is_relation(t)) break;
    if (counts(t)) out.token[out.n++] = k;
  }
  return out;
}

/* `over_comma`: "the flour first, before the butter". */
static side read_left(const aio__hit_text *text, uint32_t i, bool over_comma) {
  side out = {.n = 0};
  for (uint32_t k = i; k-- > 0 && k + SIDE_REACH >= i && out.n < SIDE_MAX;) {
    const aio__hit_token *t = &text->tokens[k];
    bool comma = (t->flags & AIO__HIT_COMMA) != 0 && !(over_comma && k + 1 == i);
    if ((t->flags & AIO__HIT_ENDS) != 0 || comma || is_relation(t)) break;
    if (counts(t)) out.token[out.n++] = k;
  }
  return out;
}

/* "the difference between", "compare": said before token i in its sentence. */
static bool is_even(const aio__hit_text *text, uint32_t i) {
  for (uint32_t k = i; k-- > 0 && (text->tokens[k].flags & AIO__HIT_ENDS) == 0 && k + 2 * SIDE_REACH >= i;) {
    if (AIO__HIT_HAS(text->tokens[k].entry, EVEN)) return true;
  }
  return false;
}

/* "with" relates only behind "replace", "by" behind "divide". */
static bool has_verb(const aio__hit_text *text, uint32_t i, unsigned group) {
  for (uint32_t k = i; k-- > 0 && k + VERB_REACH >= i && (text->tokens[k].flags & AIO__HIT_ENDS) == 0;) {
    const aio__hit_entry *e = text->tokens[k].entry;
    if (e != NULL && (e->verbs >> group & 1) != 0) return true;
  }
  return false;
}

/* ---- rivals ------------------------------------------------------------------------------------------------------ */

static bool is_capital_name(const aio__hit_text *text, const aio__hit_token *t) {
  const aio__hit_token *here = aio__hit_text_find(text, t->text, t->hash);
  return !text->flat && here != NULL && (here->flags & AIO__HIT_CAPITAL) != 0 && (here->flags & AIO__HIT_STARTS) == 0 &&
         aio__hit_is_content(here);
}

static bool are_rivals(const aio__hit_pair *pair, const aio__hit_token *p, const aio__hit_token *q) {
  if (is_capital_name(pair->question, p) && is_capital_name(pair->question, q)) return true;
  if (is_capital_name(pair->kept, p) && is_capital_name(pair->kept, q)) return true;
  for (size_t i = 0; p->entry != NULL && q->entry != NULL && i < p->entry->choices_n; i++) {
    for (size_t k = 0; k < q->entry->choices_n; k++) {
      const aio__hit_choice *x = &pair->lexicon->choices[p->entry->choices[i]],
                            *y = &pair->lexicon->choices[q->entry->choices[k]];
      if (x->set == y->set && p->entry->choices[i] != q->entry->choices[k] && x->guard != AIO__HIT_UNITS) return true;
    }
  }
  return false;
}

/* ---- edges ------------------------------------------------------------------------------------------------------- */

static void add_edge(edges *out, edge e) {
  if (e.from.n > 0 && e.to.n > 0 && out->n < AIO__HIT_EDGES_MAX) out->edge[out->n++] = e;
}

static bool moves(const aio__hit_lexicon *lexicon, const aio__hit_token *t, edge_kind kind) {
  return is_relation(t) && (t->entry->relations >> (2u * lexicon->move + (kind == REVERSE)) & 1) != 0;
}

/* Between "from" and "to": words of a name, no clause. */
static bool is_inner(const aio__hit_token *t) {
  return counts(t) || AIO__HIT_HAS(t->entry, DETERMINER) || AIO__HIT_HAS(t->entry, SYMMETRIC) || aio__hit_is(t, "of");
}

/* "from A to B" or "to B from A", with "from" at token i: the token of "to", or text->n. */
static uint32_t find_to(const aio__hit_lexicon *lexicon, const aio__hit_text *text, uint32_t i) {
  size_t words = 0;
  for (uint32_t k = i + 1; k < text->n && k <= i + JOINT_REACH && (text->tokens[k - 1].flags & AIO__HIT_ENDS) == 0;
       k++) {
    if (moves(lexicon, &text->tokens[k], FORWARD)) return k;
    if (is_relation(&text->tokens[k]) || !is_inner(&text->tokens[k])) break;
  }
  for (uint32_t k = i; k-- > 0 && (text->tokens[k].flags & AIO__HIT_ENDS) == 0;) {
    if (moves(lexicon, &text->tokens[k], FORWARD)) return k;
    words += counts(&text->tokens[k]);
    if (is_relation(&text->tokens[k]) || !is_inner(&text->tokens[k]) || words > INNER_WORDS_MAX) break;
  }
  return text->n;
}

static void find_edges(const aio__hit_lexicon *lexicon, const aio__hit_text *text, edges *out) {
  out->n = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (!is_relation(t) || is_even(text, i)) continue;
    bool lone_move = moves(lexicon, t, FORWARD) || moves(lexicon, t, REVERSE);
    side left = read_left(text, i, !lone_move), right = read_right(text, i);
    uint32_t to = moves(lexicon, t, REVERSE) ? find_to(lexicon, text, i) : text->n;
    if (to < text->n) add_edge(out, (edge){lexicon->move, JOINT, right, read_right(text, to)});
    for (unsigned r = 0; r < 2 * lexicon->groups_n && to == text->n; r++) {
      unsigned group = r / 2;
      bool needs_verb =
        (lexicon->groups_with_verb >> group & 1) != 0 && r % 2 == 0 && memchr(t->text.p, ' ', t->text.n) == NULL;
      if ((t->entry->relations >> r & 1) == 0 || (needs_verb && !has_verb(text, i, group))) continue;
      if (r % 2 == 0)
        add_edge(out, (edge){group, FORWARD, left, right});
      else
        add_edge(out, (edge){group, REVERSE, right, left});
    }
  }
}

static bool is_once(const aio__hit_text *text, const aio__hit_token *word) {
  const aio__hit_token *first = aio__hit_text_find(text, word->text, word->hash);
  return first != NULL && first->next == 0;
}

/* How far from the relation the word stands on that side; SIDE_MAX: it is not there. */
static size_t place_on(const aio__hit_text *text, const side *s, const aio__hit_token *word) {
  for (size_t i = 0; i < s->n; i++) {
    const aio__hit_token *t = &text->tokens[s->token[i]];
    if (t->hash == word->hash && aio__str_eq(t->text, word->text)) return i;
  }
  return SIDE_MAX;
}

/* A word at the end `here` of an edge of the question and at the end `there` of one of the kept text, once in each. */
typedef struct crossing {
  const aio__hit_token *word;
  size_t here, there; /* how far from the relation */
} crossing;

static size_t find_crossings(const aio__hit_pair *pair, const side *here, const side *there, crossing out[SIDE_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < here->n; i++) {
    const aio__hit_token *word = &pair->question->tokens[here->token[i]];
    size_t place = place_on(pair->kept, there, word);
    if (place < SIDE_MAX && is_once(pair->question, word) && is_once(pair->kept, word)) out[n++] = (crossing){word, i, place};
  }
  return n;
}

static bool is_near(const crossing *c, size_t here, size_t there) {
  return c->here <= here && c->there <= there;
}

/* A lone "to" may belong to a verb ("to load") and a lone "from" to what stands far before it: there only the next
 * words count, unless they are rivals, and only against the same word. */
static bool are_crossed(const aio__hit_pair *pair, const edge *x, const edge *y) {
  crossing forth[SIDE_MAX], back[SIDE_MAX];
  bool move = x->group == pair->lexicon->move;
  bool joint_and_to = (x->kind == JOINT && y->kind == FORWARD) || (x->kind == FORWARD && y->kind == JOINT);
  if (x->group != y->group || (move && x->kind != y->kind && !joint_and_to)) return false;
  size_t from = x->kind == REVERSE ? 0 : 1, to = x->kind == FORWARD || joint_and_to ? 0 : 1;
  size_t n = find_crossings(pair, &x->from, &y->to, forth), m = n > 0 ? find_crossings(pair, &x->to, &y->from, back) : 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < m; k++) {
      if (!move || are_rivals(pair, forth[i].word, back[k].word)) return true;
      if (is_near(&forth[i], from, to) && is_near(&back[k], to, from)) return true;
    }
  }
  return false;
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
      if (!are_crossed(pair, &a.edge[i], &b.edge[k])) continue;
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
      tell_span(&detail, pair->question, &a.edge[i]);
      aio__hit_detail_turn(&detail);
      tell_span(&detail, pair->kept, &b.edge[k]);
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
    if (!is_relation(&text->tokens[i])) continue;
    out[n] = (towards){i, read_right(text, i)};
    n += out[n].right.n > 0;
  }
  return n;
}

static uint32_t turned(uint32_t relations) {
  return (relations & 0x55555555u) << 1 | (relations & 0xAAAAAAAAu) >> 1;
}

/* "flights to Paris", "flights from Paris" but not "access to", "accessed from". */
static bool same_start(const aio__hit_pair *pair, uint32_t a, uint32_t b) {
  side left = read_left(pair->question, a, false), left2 = read_left(pair->kept, b, false);
  if (left.n == 0 || left2.n == 0) return false;
  aio__str x = pair->question->tokens[left.token[0]].text, y = pair->kept->tokens[left2.token[0]].text;
  if (x.n > 3 && x.p[x.n - 1] == 's') x.n--;
  if (y.n > 3 && y.p[y.n - 1] == 's') y.n--;
  return aio__str_eq(x, y);
}

static bool same_end(const aio__hit_pair *pair, const side *a, const side *b, bool move) {
  const aio__hit_token *x = &pair->question->tokens[a->token[0]], *y = &pair->kept->tokens[b->token[0]];
  if (move) return aio__str_eq(x->text, y->text);
  return place_on(pair->kept, b, x) < SIDE_MAX || place_on(pair->question, a, y) < SIDE_MAX;
}

/* "before a meal", "after a meal"; "to Paris", "from Paris": a relation and its reverse in front of the same word. */
static bool is_turned(const aio__hit_pair *pair, const towards *a, const towards *b) {
  uint32_t own = pair->question->tokens[a->relation].entry->relations;
  uint32_t theirs = pair->kept->tokens[b->relation].entry->relations;
  bool move = ((own | theirs) >> 2 * pair->lexicon->move & 3) != 0;
  if ((turned(own) & theirs) == 0 || (own & theirs) != 0) return false;
  return same_end(pair, &a->right, &b->right, move) && (!move || same_start(pair, a->relation, b->relation));
}

/* The text has the relation of `other` in front of one of the words behind `t`, too. */
static bool has_both(const aio__hit_text *text, const towards *list, size_t n, const towards *t, uint32_t other) {
  for (size_t i = 0; i < n; i++) {
    if ((text->tokens[list[i].relation].entry->relations & other) == 0) continue;
    for (size_t k = 0; k < t->right.n; k++) {
      if (place_on(text, &list[i].right, &text->tokens[t->right.token[k]]) < SIDE_MAX) return true;
    }
  }
  return false;
}

static bool compare_turned(aio__hit_pair *pair) {
  towards a[AIO__HIT_EDGES_MAX], b[AIO__HIT_EDGES_MAX];
  if (!pair->brief) return false;
  size_t an = find_towards(pair->question, a), bn = an > 0 ? find_towards(pair->kept, b) : 0;
  for (size_t i = 0; i < an; i++) {
    for (size_t k = 0; k < bn; k++) {
      if (!is_turned(pair, &a[i], &b[k])) continue;
      if (has_both(pair->question, a, an, &a[i], pair->kept->tokens[b[k].relation].entry->relations)) continue;
      if (has_both(pair->kept, b, bn, &b[k], pair->question->tokens[a[i].relation].entry->relations)) continue;
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
      aio__hit_detail_tokens(&detail, pair->question, a[i].relation, a[i].right.token[0]);
      aio__hit_detail_turn(&detail);
      aio__hit_detail_tokens(&detail, pair->kept, b[k].relation, b[k].right.token[0]);
      return true;
    }
  }
  return false;
}

/* ---- exchange ---------------------------------------------------------------------------------------------------- */

bool aio__hit_sequence_read(const aio__hit_text *text, aio__arena *arena, aio__hit_sequence *out) {
  *out = (aio__hit_sequence){text, aio__arena_alloc(arena, (text->n + 1) * sizeof *out->token), 0};
  for (uint32_t i = 0; i < text->n && out->token != NULL; i++) {
    if (!AIO__HIT_HAS(text->tokens[i].entry, DETERMINER)) out->token[out->n++] = i;
  }
  return out->token != NULL;
}

static const aio__hit_token *in_sequence(const aio__hit_sequence *s, size_t i) {
  return &s->text->tokens[s->token[i]];
}

bool aio__hit_sequence_same(const aio__hit_sequence *a, size_t i, const aio__hit_sequence *b, size_t k, size_t n) {
  for (size_t j = 0; j < n; j++) {
    const aio__hit_token *x = in_sequence(a, i + j), *y = in_sequence(b, k + j);
    if (x->hash != y->hash || !aio__str_eq(x->text, y->text)) return false;
  }
  return true;
}

static bool has_content(const aio__hit_sequence *s, size_t from, size_t n) {
  for (size_t i = from; i < from + n; i++) {
    if (counts(in_sequence(s, i))) return true;
  }
  return false;
}

/* Tokens from..to make no difference between what stands on both sides: "and", "or", the commas of a list. */
static bool is_symmetric(const aio__hit_text *text, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    bool comma = i > 0 && (text->tokens[i - 1].flags & AIO__HIT_COMMA) != 0;
    if (!comma && !AIO__HIT_HAS(text->tokens[i].entry, SYMMETRIC) && !AIO__HIT_HAS(text->tokens[i].entry, DETERMINER))
      return false;
  }
  return true;
}

/* x m y in the one, y m x in the other, everything else the same. */
static bool compare_exchange(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status) {
  aio__hit_sequence a, b;
  if (!aio__hit_sequence_read(pair->question, arena, &a) || !aio__hit_sequence_read(pair->kept, arena, &b)) {
    *status = AIORCH_E_NOMEM;
    return false;
  }
  size_t from = 0, to = a.n;
  if (a.n != b.n) return false;
  while (from < to && aio__hit_sequence_same(&a, from, &b, from, 1)) from++;
  while (to > from && aio__hit_sequence_same(&a, to - 1, &b, to - 1, 1)) to--;
  size_t n = to - from;
  if (n < 3 || is_even(pair->question, a.token[from]) || is_even(pair->kept, b.token[from])) return false;
  for (size_t x = 1; x <= PASSAGE_MAX && x + 2 <= n; x++) {
    for (size_t y = 1; y <= PASSAGE_MAX && x + y < n; y++) {
      size_t middle = n - x - y;
      if (!aio__hit_sequence_same(&a, from, &b, to - x, x) || !aio__hit_sequence_same(&a, to - y, &b, from, y) ||
          !aio__hit_sequence_same(&a, from + x, &b, from + y, middle))
        continue;
      if (is_symmetric(pair->question, a.token[from + x], a.token[from + x + middle])) continue;
      if (is_symmetric(pair->kept, b.token[from + y], b.token[from + y + middle])) continue;
      if (!has_content(&a, from, x) || !has_content(&a, to - y, y)) continue;
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

/* ---- roles ------------------------------------------------------------------------------------------------------- */

typedef enum deed { NO_DEED, ACTS, SUFFERS } deed; /* of the first of two words on the second */

static uint32_t before_determiners(const aio__hit_text *text, uint32_t i) {
  while (i > 0 && (text->tokens[i - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) == 0 &&
         AIO__HIT_HAS(text->tokens[i - 1].entry, DETERMINER) && !aio__hit_is(&text->tokens[i - 1], "that")) {
    i--;
  }
  return i;
}

/* "influenced by" before token q. */
static bool is_passive(const aio__hit_text *text, uint32_t by) {
  if (by == 0 || !aio__hit_is(&text->tokens[by], "by")) return false;
  aio__str verb = text->tokens[by - 1].text;
  char last = verb.n > 2 ? verb.p[verb.n - 1] : '\0', before = verb.n > 2 ? verb.p[verb.n - 2] : '\0';
  return before == 'e' && (last == 'd' || last == 'n');
}

/* Token p does something to token q, or has it done to it: no preposition before p, none between them but "to", "over" and
 * the "by" of a passive. */
static deed deed_between(const aio__hit_text *text, uint32_t p, uint32_t q) {
  uint32_t before = before_determiners(text, p), by = before_determiners(text, q);
  bool content = false, passive = by > p + 1 && is_passive(text, by - 1);
  const aio__hit_entry *lead = before > 0 ? text->tokens[before - 1].entry : NULL;
  if (before > 0 && (!AIO__HIT_HAS(lead, FUNCTION) || AIO__HIT_HAS(lead, PREPOSITION))) return NO_DEED;
  for (uint32_t i = p; i < q; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if ((t->flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0) return NO_DEED;
    if (i == p || (passive && i + 1 == by)) continue;
    if (AIO__HIT_HAS(t->entry, PREPOSITION) || AIO__HIT_HAS(t->entry, SYMMETRIC) || AIO__HIT_HAS(t->entry, EVEN)) {
      return NO_DEED;
    }
    content = content || aio__hit_is_content(t);
  }
  return !content ? NO_DEED : passive ? SUFFERS : ACTS;
}

/* The word that a question is about: "law" of "does the law ...", "is it true that the law ...". */
static bool leads(const aio__hit_text *text, const aio__hit_token *t) {
  uint32_t i = before_determiners(text, (uint32_t)(t - text->tokens));
  if (i == 0) return false;
  uint32_t verb = i - 1;
  if (aio__hit_is(&text->tokens[verb], "that")) {
    while (verb > 0 && (text->tokens[verb].flags & AIO__HIT_STARTS) == 0) verb--;
  }
  const aio__hit_token *first = &text->tokens[verb];
  return (first->flags & AIO__HIT_STARTS) != 0 && AIO__HIT_HAS(first->entry, AUXILIARY);
}

/* In the question p acts on q, in the kept text q on p. */
static bool changed_roles(const aio__hit_pair *pair, const aio__hit_token *p, const aio__hit_token *q) {
  const aio__hit_text *text = pair->question, *kept = pair->kept;
  const aio__hit_token *p2 = aio__hit_text_find(kept, p->text, p->hash), *q2 = aio__hit_text_find(kept, q->text, q->hash);
  bool turned_round = p2 > q2;
  const aio__hit_token *first = turned_round ? q2 : p2, *second = turned_round ? p2 : q2;
  if (!are_rivals(pair, p, q) && !(leads(text, p) && leads(kept, first))) return false;
  deed here = deed_between(text, (uint32_t)(p - text->tokens), (uint32_t)(q - text->tokens));
  deed there = here == NO_DEED ? NO_DEED : deed_between(kept, (uint32_t)(first - kept->tokens), (uint32_t)(second - kept->tokens));
  return there != NO_DEED && (here == there) == turned_round;
}

static bool compare_roles(aio__hit_pair *pair) {
  const aio__hit_token *list[ROLES_MAX];
  size_t n = 0;
  const aio__hit_text *text = pair->question, *kept = pair->kept;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (!counts(t) || !is_once(text, t) || !is_once(kept, t)) continue;
    if (n == ROLES_MAX) return false;
    list[n++] = t;
  }
  for (size_t i = 0; i < n; i++) {
    for (size_t k = i + 1; k < n; k++) {
      if (!changed_roles(pair, list[i], list[k])) continue;
      uint32_t p = (uint32_t)(aio__hit_text_find(kept, list[i]->text, list[i]->hash) - kept->tokens);
      uint32_t q = (uint32_t)(aio__hit_text_find(kept, list[k]->text, list[k]->hash) - kept->tokens);
      aio__hit_detail detail;
      aio__hit_detail_begin(pair, AIO__HIT_ORDER, &detail);
      aio__hit_detail_tokens(&detail, text, (uint32_t)(list[i] - text->tokens), (uint32_t)(list[k] - text->tokens));
      aio__hit_detail_turn(&detail);
      aio__hit_detail_tokens(&detail, kept, p < q ? p : q, p < q ? q : p);
      return true;
    }
  }
  return false;
}

bool aio__hit_compare_order(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status) {
  return compare_edges(pair) || compare_turned(pair) || compare_exchange(pair, arena, status) ||
         (*status == AIORCH_OK && compare_roles(pair));
}
