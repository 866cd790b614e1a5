/* The extractive provider: the choice among the sentences of the sources.
 *
 * Two passes over the sources. The first counts in how many units each term of the question stands, which gives its
 * weight (a word that is everywhere says little). The second scores each sentence and keeps the best few:
 *
 *   what it says     the weights of the terms it has, and part of those that its heading and title add; terms that
 *                    stand side by side as in the question count more
 *   how it reads     length, a beginning that leans on the sentence before, questions and references elsewhere count
 *                    less; what defines its subject counts more for "what is", what shows a way for "how", a reason
 *                    for "why"
 *   where it stands  early sources and the first sentences of paragraphs count a little more
 *
 *   what it means    where cosines are known (aio__call_meaning): those of the question and the best sentences so far, in
 *                    whatever words; else those of their sources
 *
 * Then sentences are taken one by one, each for what it adds to those before, and written source by source.
 *
 * Whether there is an answer at all is decided by the nearest sentence or source, with words for and against it:
 *
 *   cosine + covered_part * max(covered - covered_least, -covered_short) >= near
 *
 * where `covered` is what the best source has of the question, by weight.
 *
 * Without cosines a source has to cover covered_least, and where the question is not English, the language of the models whose
 * cosines were measured, that is enough. Measured in docs/retrieval.md. Else the answer says that the documents do not
 * answer this. */
#include "providers/extractive.h"

#include <math.h>
#include <string.h>

#include "providers/extractive_private.h"

enum {
  CANDIDATES = AIO__EXTRACTIVE_NEAR_MAX,
  EARLY_WORDS = 10,
  EARLY_SUBJECT = 5,
  ENTRY_MAX = 80,
  SPAN_MAX = 400,
  BYTES_PER_TOKEN = 3
};

static const double covered_least = 0.5;   /* of the question, by weight, in one source */
static const double covered_part = 0.3;    /* of a cosine, for what is covered beyond that; or short of it */
static const double covered_short = 0.3;   /* which counts no further */
static const double context_part = 0.35;   /* what a heading or title adds for a term that the sentence lacks */
static const double neighbour_part = 0.15; /* of the score of the sentence before, in the same paragraph */
static const double further_least = 0.40;  /* of the best score, for a further sentence */
static const double looked_at = 0.15;      /* of how a sentence reads, beside its words, where meaning is known */
static const double meaning_part = 0.5;    /* of how it reads, for a sentence that is as near as may answer the question */

typedef struct candidate {
  size_t source;
  aio__unit unit, before; /* before: the sentence that it leans on; empty when none */
  uint32_t mask;          /* terms that it has */
  uint64_t sketch[2];     /* of its words, to find near-duplicates */
  double words, quality;  /* what it says of the question, by its words; how it reads and where it stands */
  double near;            /* its cosine to the question; NaN: not known */
  double score;
  bool taken;
} candidate;

typedef struct choice {
  const aio__call_request *request;
  aio__terms terms;
  uint32_t seen_in[AIO__TERMS_MAX];
  double weight[AIO__TERMS_MAX], total;
  size_t units;
  double covered;         /* of the question, in the best source */
  double nearest;         /* the best cosine to the question, of a sentence or else of a source; NaN: none is known */
  candidate best[CANDIDATES];
  size_t n;
} choice;

/* What is seen of a unit. */
typedef struct reading {
  uint32_t mask;
  uint64_t sketch[2];
  unsigned words, pairs, last_at; /* last_at: where the last term stood */
  bool mentions, defines, bound; /* something is said of a term; that it is; other words come before it */
  bool cue, leans, refers, preposition;
} reading;

/* ---- reading a unit ---- */

static bool is_listed(const char *list, const aio__word *word) {
  char key[AIO__WORD_MAX + 3] = " ";
  memcpy(key + 1, word->folded, word->n);
  memcpy(key + 1 + word->n, " ", 2);
  return strstr(list, key) != NULL;
}

static const char *cues_of(aio__question_form form) {
  switch (form) {
    case AIO__FORM_HOW:
      return " add call change click command configure create disable edit enable execute issue option parameter run"
             " running set setting specify start stop type use using via ";
    case AIO__FORM_HOW_MUCH:
      return " about approximately at days default hours least limit maximum minimum minutes most seconds times up ";
    case AIO__FORM_WHY: return " because avoid cause caused causes due prevent prevents reason since therefore ";
    default: return NULL;
  }
}

/* Does the unit begin with a word that points back: "However", "This", "In such cases"? */
static void read_opening(reading *r, const aio__word *word) {
  static const char pointers[] = " it its such that them these they this those ";
  static const char joints[] = " also and but consequently conversely furthermore hence however instead moreover"
                               " nevertheless of otherwise similarly so then therefore thus ";
  if (r->words == 0) {
    r->leans = is_listed(pointers, word) || is_listed(joints, word);
    r->refers = is_listed(" see refer cf ", word);
    r->preposition = is_listed(" at by for from in on to under with ", word);
  } else if (r->words == 1 && r->preposition) {
    r->leans = is_listed(pointers, word);
  }
}

/* "A view is ..." defines; "When a view is ..." and "The owner of a view is ..." do not, but say something of views. */
static void read_definition(reading *r, const aio__word *word) {
  static const char bounds[] = " after although as at because before by each even for from if in note of on once only"
                               " otherwise see since that this these to unless when where whether while with ";
  r->bound = r->bound || (r->mask == 0 && is_listed(bounds, word));
  if (!r->bound && r->mask != 0 && r->words <= EARLY_SUBJECT && r->words == r->last_at + 1) {
    r->defines = r->defines || is_listed(" is are means refers stands ist sind bedeutet est sont es son ", word);
  }
  static const char verbs[] = " is are means mean refers describes specifies controls sets determines defines"
                              " represents contains stores provides allows enables consists denotes ist sind bedeutet"
                              " est sont es son \xC3\xA9 \xC3\xA8 ";
  if (r->mask != 0 && r->words <= EARLY_WORDS) r->mentions = r->mentions || is_listed(verbs, word);
}

/* Signs that prose has few of: a line of a program or of its output. */
static bool looks_like_code(aio__str text) {
  size_t signs = 0;
  for (size_t i = 0; i < text.n; i++) signs += text.p[i] != '\0' && strchr("$#@<>{}=|\\/;*&^~_[]+%", text.p[i]) != NULL;
  return signs * 14 > text.n;
}

static void read_unit(reading *r, const aio__terms *terms, aio__str text) {
  aio__word word;
  size_t pos = 0;
  int last_term = -1;
  const char *cues = cues_of(terms->form);
  memset(r, 0, sizeof *r);
  for (; aio__word_next(text, &pos, &word); r->words++) {
    r->sketch[(word.stem >> 6) & 1] |= UINT64_C(1) << (word.stem & 63);
    read_opening(r, &word);
    if (terms->form == AIO__FORM_WHAT) read_definition(r, &word);
    if (cues && !r->cue) r->cue = is_listed(cues, &word);
    if (terms->form == AIO__FORM_HOW_MUCH && word.number) r->cue = true;
    int term = aio__terms_find(terms, word.stem);
    if (term < 0) continue;
    bool beside = last_term >= 0 && (term == last_term + 1 || last_term == term + 1) && r->words - r->last_at <= 2;
    if (beside) r->pairs++;
    r->mask |= UINT32_C(1) << term;
    last_term = term;
    r->last_at = r->words;
  }
}

static uint32_t mask_of(const aio__terms *terms, aio__str text) {
  reading r;
  read_unit(&r, terms, text);
  return r.mask;
}

static double weight_of(const choice *c, uint32_t mask) {
  double sum = 0;
  for (size_t i = 0; i < c->terms.n; i++) {
    if (mask & (UINT32_C(1) << i)) sum += c->weight[i];
  }
  return sum;
}

/* ---- the first pass ---- */

/* The text of source `i`, cut to what may still be read. */
static aio__str text_of(const choice *c, size_t i, size_t *left) {
  aio__str text = c->request->sources[i].text;
  if (text.n > *left) text.n = aio__utf8_cut(text, *left);
  *left -= text.n;
  return text;
}

static void count_terms(choice *c) {
  size_t left = AIO__EXTRACTIVE_BYTES_MAX;
  for (size_t i = 0; i < c->request->source_count; i++) {
    aio__unit_reader reader;
    aio__unit unit;
    aio__units_begin(&reader, text_of(c, i, &left));
    while (aio__units_next(&reader, &unit)) {
      uint32_t mask = mask_of(&c->terms, aio__unit_text(&reader, &unit));
      c->units++;
      for (size_t t = 0; t < c->terms.n; t++) c->seen_in[t] += (mask >> t) & 1;
    }
  }
  for (size_t t = 0; t < c->terms.n; t++) {
    /* A term that no source has weighs as one that stands once: how rare it is elsewhere, nobody knows. */
    double seen = c->seen_in[t] > 0 ? (double)c->seen_in[t] : 1.0;
    c->weight[t] = c->terms.term[t].weight * sqrt(log(1.0 + ((double)c->units - seen + 1.5) / (seen + 0.5)));
    c->total += c->weight[t];
  }
}

/* ---- the second pass ---- */

static double length_factor(unsigned words) {
  if (words < 4) return 0.45;
  if (words < 7) return 0.8;
  if (words <= 40) return 1.0;
  if (words <= 100) return words <= 70 ? 0.8 : 0.55;
  return 0.25;
}

static double kind_factor(aio__unit_kind kind) {
  switch (kind) {
    case AIO__UNIT_ITEM: return 0.9;
    case AIO__UNIT_ROW: return 0.7;
    case AIO__UNIT_CODE:
    case AIO__UNIT_HEADING: return 0.0;
    default: return 1.0;
  }
}

static unsigned bits(uint64_t a, uint64_t b) {
  return (unsigned)(__builtin_popcountll(a) + __builtin_popcountll(b));
}

/* For an entry of a glossary, "term\n: what it is": which part of the words before ':' a "what is" asks for. */
static double entry_part(const choice *c, aio__str text) {
  if (c->terms.form != AIO__FORM_WHAT) return 0.0;
  const char *feed = memchr(text.p, '\n', text.n < ENTRY_MAX ? text.n : ENTRY_MAX);
  size_t head = feed ? (size_t)(feed - text.p) : 0;
  if (head == 0 || text.n < head + 3 || text.p[head + 1] != ':' || text.p[head + 2] != ' ') return 0.0;
  reading r;
  read_unit(&r, &c->terms, aio__str_n(text.p, head));
  return r.words > 0 ? (double)bits(r.mask, 0) / (double)r.words : 0.0;
}

/* What the unit says by its words, 0 to about 1.4. */
static double words_score(const choice *c, const reading *r, uint32_t context) {
  if (r->mask == 0 || !(c->total > 0)) return 0.0;
  double whole = (weight_of(c, r->mask) + context_part * weight_of(c, context & ~r->mask)) / c->total;
  return whole * (0.5 + 0.5 * whole) * (1.0 + 0.12 * (double)(r->pairs > 3 ? 3 : r->pairs));
}

static double quality_of(const choice *c, const reading *r, const aio__unit *unit, aio__str text, size_t source) {
  char end = text.n > 0 ? text.p[text.n - 1] : '\0';
  char begin = text.n > 0 ? text.p[0] : '\0';
  double value = length_factor(r->words) * kind_factor(unit->kind);
  if (r->defines) value *= 1.9;
  else if (r->mentions) value *= 1.3;
  value *= 1.0 + 0.9 * sqrt(entry_part(c, text));
  if (r->cue) value *= 1.15;
  if (r->refers) value *= 0.35;
  if (r->leans) value *= 0.8;
  if (looks_like_code(text)) value *= 0.4;
  if (end == '?') value *= 0.3;
  if (end != '.' && end != '!' && end != ':' && unit->kind == AIO__UNIT_SENTENCE) value *= 0.75;
  if (unit->first && unit->kind == AIO__UNIT_SENTENCE && begin >= 'a' && begin <= 'z') value *= 0.7;
  if (begin == '(') value *= 0.6;
  if (unit->first) value *= 1.1;
  return value / (1.0 + 0.08 * (double)(source > 10 ? 10 : source));
}

static bool is_duplicate(const candidate *a, const candidate *b) {
  unsigned both = bits(a->sketch[0] & b->sketch[0], a->sketch[1] & b->sketch[1]);
  unsigned any = bits(a->sketch[0] | b->sketch[0], a->sketch[1] | b->sketch[1]);
  return any > 0 && both * 10 >= any * 7;
}

/* Keeps the best; of near-duplicates the better one. */
static void keep(choice *c, const candidate *found) {
  size_t worst = 0;
  for (size_t i = 0; i < c->n; i++) {
    if (is_duplicate(&c->best[i], found)) {
      if (found->score > c->best[i].score) c->best[i] = *found;
      return;
    }
    if (c->best[i].score < c->best[worst].score) worst = i;
  }
  if (c->n < CANDIDATES) c->best[c->n++] = *found;
  else if (found->score > c->best[worst].score) c->best[worst] = *found;
}

static bool nothing_after(aio__str text, size_t end) {
  return aio__str_trim(aio__str_n(text.p + end, text.n - end)).n == 0;
}

static void score_source(choice *c, size_t source, aio__str text) {
  uint32_t title = mask_of(&c->terms, c->request->sources[source].title), heading = 0, all = title;
  aio__unit_reader reader;
  aio__unit unit, before = {0};
  double before_score = 0;
  aio__units_begin(&reader, text);
  for (; aio__units_next(&reader, &unit); before = unit) {
    aio__str words = aio__unit_text(&reader, &unit);
    reading r;
    read_unit(&r, &c->terms, words);
    all |= r.mask;
    if (unit.kind == AIO__UNIT_HEADING) heading = r.mask;
    candidate found = {.source = source, .unit = unit, .mask = r.mask, .sketch = {r.sketch[0], r.sketch[1]}};
    found.quality = quality_of(c, &r, &unit, words, source);
    if (words.n > 0 && words.p[words.n - 1] == ':' && nothing_after(text, unit.end)) found.quality *= 0.5;
    double own = words_score(c, &r, heading | title) * found.quality;
    found.words = own + (unit.first ? 0 : neighbour_part * before_score);
    found.near = (double)NAN;
    before_score = own;
    /* With meaning a sentence without a word of the question may be it: some of each source are looked at. */
    found.score = found.words + (c->request->meaning ? looked_at * found.quality : 0);
    if (r.leans && !unit.first && before.end - before.start <= SPAN_MAX) found.before = before;
    if (found.score > 0) keep(c, &found);
  }
  double covered = c->total > 0 ? weight_of(c, all) / c->total : 0;
  if (covered > c->covered) c->covered = covered;
}

/* ---- meaning ---- */

/* 0 to 1: from what says nothing of the question to what may answer it, and on as steeply. */
static double meaning_of(const aio__call_meaning *meaning, double cosine) {
  double x = (cosine - meaning->far) / (meaning->near - meaning->far);
  return x > 0 ? x : 0;
}

static void note_nearest(choice *c, double cosine) {
  if (isfinite(cosine) && !(c->nearest >= cosine)) c->nearest = cosine;
}

static bool ask_for_sentences(choice *c) {
  const aio__call_meaning *meaning = c->request->meaning;
  aio__str texts[CANDIDATES];
  double near[CANDIDATES];
  if (!meaning->similarities || c->n == 0) return false;
  for (size_t i = 0; i < c->n; i++) {
    const candidate *at = &c->best[i];
    texts[i] = aio__str_n(c->request->sources[at->source].text.p + at->unit.start, at->unit.end - at->unit.start);
  }
  if (meaning->similarities(meaning->ctx, texts, c->n, near) != AIORCH_OK) return false;
  for (size_t i = 0; i < c->n; i++) c->best[i].near = near[i];
  return true;
}

/* Scores anew, by words and by meaning. Where sentences have no cosines of their own those of their sources count. */
static void weigh_meaning(choice *c) {
  const aio__call_meaning *meaning = c->request->meaning;
  c->nearest = (double)NAN;
  if (!meaning) return;
  bool sentences = ask_for_sentences(c);
  for (size_t i = 0; i < c->request->source_count; i++) note_nearest(c, c->request->sources[i].similarity);
  for (size_t i = 0; i < c->n; i++) {
    candidate *at = &c->best[i];
    if (!sentences) at->near = c->request->sources[at->source].similarity;
    double m = isfinite(at->near) ? meaning_of(meaning, at->near) : 0;
    at->score = at->words + meaning_part * m * at->quality;
    note_nearest(c, at->near);
  }
}

/* ---- the choice ---- */

/* The next sentence by what it adds; NULL when none is worth it. */
static candidate *take_next(choice *c, uint32_t said, double least) {
  candidate *next = NULL;
  double best = 0;
  for (size_t i = 0; i < c->n; i++) {
    candidate *at = &c->best[i];
    double all = weight_of(c, at->mask), fresh = weight_of(c, at->mask & ~said);
    double value = at->score * (0.55 + 0.45 * (all > 0 ? fresh / all : 1));
    if (at->taken || value <= best) continue;
    best = value;
    next = at;
  }
  return best >= least ? next : NULL;
}

static size_t choose(choice *c, candidate *out[AIO__EXTRACTIVE_SENTENCES_MAX]) {
  size_t n = 0, bytes = 0;
  uint32_t said = 0;
  double least = 1e-9;
  while (n < AIO__EXTRACTIVE_SENTENCES_MAX && bytes < AIO__EXTRACTIVE_ANSWER_BYTES) {
    candidate *next = take_next(c, said, least);
    if (!next) break;
    next->taken = true;
    said |= next->mask;
    bytes += next->unit.end - next->unit.start;
    if (n == 0) least = next->score * further_least;
    out[n++] = next;
  }
  return n;
}

/* Source by source in the order of their best sentences; within a source as the document has them. */
static void put_in_order(candidate *out[], size_t n) {
  size_t done = 0;
  while (done < n) {
    size_t source = out[done]->source;
    for (size_t i = done; i < n; i++) {
      if (out[i]->source != source) continue;
      candidate *moved = out[i];
      size_t to = i;
      for (; to > done && (out[to - 1]->source != source || out[to - 1]->unit.start > moved->unit.start); to--) {
        out[to] = out[to - 1];
      }
      out[to] = moved;
    }
    while (done < n && out[done]->source == source) done++;
  }
}

/* ---- the answer ---- */

static bool is_answered(const choice *c) {
  bool covered = c->covered >= covered_least;
  if (isnan(c->nearest)) return covered;
  if (covered && !c->terms.english) return true;
  double beyond = c->covered - covered_least;
  return c->nearest + covered_part * (beyond > -covered_short ? beyond : -covered_short) >= c->request->meaning->near;
}

static void write_one(aio__answer_writer *w, const choice *c, const candidate *at, const candidate *last) {
  aio__str text = c->request->sources[at->source].text;
  const aio__unit *unit = &at->unit, *before = &at->before;
  bool same = last && last->source == at->source;
  bool said_before = same && last->unit.start == before->start;
  bool flows = same && last->unit.kind == AIO__UNIT_SENTENCE && !last->unit.last &&
               (said_before || unit->start - last->unit.end < 4);
  if (last) aio__answer_z(w, flows ? " " : "\n\n");
  if (before->end > before->start && !said_before) {
    aio__answer_prose(w, before->kind, aio__str_n(text.p + before->start, before->end - before->start));
    aio__answer_z(w, " ");
  }
  aio__answer_prose(w, unit->kind, aio__str_n(text.p + unit->start, unit->end - unit->start));
  bool promises = w->last == ':';
  aio__answer_marker(w, at->source + 1);
  if (promises && unit->last) aio__answer_follow(w, text, unit->end);
  aio__answer_flush(w);
}

static void write_answer(aio__answer_writer *w, choice *c) {
  candidate *chosen[AIO__EXTRACTIVE_SENTENCES_MAX];
  size_t n = is_answered(c) ? choose(c, chosen) : 0;
  if (n == 0) {
    aio__answer_z(w, "The documents do not answer this.");
    aio__answer_flush(w);
    return;
  }
  put_in_order(chosen, n);
  aio__answer_z(w, "From the documents:\n\n");
  aio__answer_flush(w);
  for (size_t i = 0; i < n && !w->full && !aiorch_call_cancelled(w->call); i++) {
    write_one(w, c, chosen[i], i > 0 ? chosen[i - 1] : NULL);
  }
}

/* The user's turn before the question. */
static aio__str turn_before(const aio__call_request *request) {
  size_t users = 0;
  for (size_t i = request->message_count; i > 0; i--) {
    if (request->messages[i - 1].role != AIORCH_ROLE_USER) continue;
    if (++users == 2) return request->messages[i - 1].text;
  }
  return AIO__LIT("");
}

static size_t answer_limit(const aio__call_request *request) {
  size_t limit = 2 * AIO__EXTRACTIVE_ANSWER_BYTES;
  if (request->max_tokens > 0 && (uint64_t)request->max_tokens < limit / BYTES_PER_TOKEN) {
    limit = (size_t)request->max_tokens * BYTES_PER_TOKEN;
  }
  return limit;
}

static aiorch_status generate(void *self, aiorch_call *call) {
  (void)self;
  choice c = {.request = aio__call_request_of(call)};
  aio__terms_of_question(&c.terms, c.request->question, turn_before(c.request));
  count_terms(&c);
  size_t left = AIO__EXTRACTIVE_BYTES_MAX;
  for (size_t i = 0; i < c.request->source_count && !aiorch_call_cancelled(call); i++) {
    score_source(&c, i, text_of(&c, i, &left));
  }
  weigh_meaning(&c);
  aio__answer_writer w;
  aio__answer_begin(&w, call, answer_limit(c.request));
  write_answer(&w, &c);
  aio__answer_flush(&w);
  if (w.status != AIORCH_OK) return w.status;
  aiorch_call_put_model(call, AIO__EXTRACTIVE_MODEL, strlen(AIO__EXTRACTIVE_MODEL));
  aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 0);
  aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 0);
  aiorch_call_put_finish_reason(call, w.full ? AIORCH_FINISH_LENGTH : AIORCH_FINISH_STOP);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

const aio__plugin_provider aio__extractive = {
    .vtbl = {.struct_size = sizeof(aiorch_provider_vtbl), .model = AIO__EXTRACTIVE_MODEL, .generate = generate},
    .name = AIO__EXTRACTIVE_MODEL,
    .model = AIO__EXTRACTIVE_MODEL,
};
