/*
 * How much of the evidence for an answer is in what a search finds, and how little else: a measure of the chunker.
 *
 *   chunking [--questions N] [--limit N] [--budget TOKENS] [common arguments] FOLDER
 *
 * FOLDER has corpora/NAME.md and questions.jsonl with exact spans of evidence (characters). The texts are cut by the
 * library's chunker, and for comparison by a plain recursive splitter (paragraphs, lines, sentences, words) of several
 * sizes; all else is the same. For each question the words of the first N (5) sources are compared with the words of the
 * evidence:
 *
 *   recall = found evidence / evidence    precision = found evidence / found    IoU = found evidence / either of the two
 *
 * and, since larger chunks find more for being larger, recall once more with all the sources that fit --budget (1,000)
 * tokens. The best leg is used that there is: both with vectors, else full text. --questions N takes the first N. Exit code
 * 0 when it ran, 2 for usage, 1 for anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/hash.h"
#include "pipeline/orch.h"
#include "support/eval_data.h"
#include "support/eval_library.h"
#include "text/sentence.h"
#include "text/tokens.h"

enum { CORPORA_MAX = 64, NAME_BYTES = 128, PATH_BYTES = 4096, TIMEOUT_MS = 600000 };

typedef struct corpus_text {
  char name[NAME_BYTES];
  char *text;
  size_t len;
  size_t *words; /* where each begins */
  size_t word_count;
} corpus_text;

typedef struct span {
  size_t corpus, start, end; /* words */
} span;

typedef struct scores {
  double recall, precision, iou, found_words, recall_budget;
  size_t questions, chunks;
} scores;

typedef struct chunking {
  eval_arguments common;
  const char *folder;
  size_t limit, questions;
  int64_t budget;
  corpus_text corpora[CORPORA_MAX];
  size_t corpus_count;
  eval_library library;
  scores scores;
} chunking;

/* ---- texts -------------------------------------------------------------------------------------------------------- */

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool find_words(corpus_text *c) {
  c->words = malloc((c->len / 2 + 2) * sizeof *c->words);
  if (!c->words) return false;
  for (size_t i = 0; i < c->len; i++) {
    if (!is_space(c->text[i]) && (i == 0 || is_space(c->text[i - 1]))) c->words[c->word_count++] = i;
  }
  return true;
}

/* The first word that begins at or after a byte. */
static size_t word_at(const corpus_text *c, size_t byte) {
  size_t low = 0, high = c->word_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (c->words[middle] < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static size_t byte_of(const corpus_text *c, size_t characters) {
  size_t at = 0;
  for (; at < c->len; at++) {
    if (((unsigned char)c->text[at] & 0xC0) == 0x80) continue;
    if (characters-- == 0) break;
  }
  return at;
}

static corpus_text *corpus_of(chunking *c, const char *name, size_t len) {
  for (size_t i = 0; i < c->corpus_count; i++) {
    if (strlen(c->corpora[i].name) == len && memcmp(c->corpora[i].name, name, len) == 0) return &c->corpora[i];
  }
  if (c->corpus_count == CORPORA_MAX || len >= NAME_BYTES) return NULL;
  corpus_text *new = &c->corpora[c->corpus_count];
  char path[PATH_BYTES];
  memcpy(new->name, name, len);
  snprintf(path, sizeof path, "%s/corpora/%.*s.md", c->folder, (int)len, name);
  new->text = eval_file(path, &new->len);
  if (!new->text || !find_words(new)) return NULL;
  c->corpus_count++;
  return new;
}

static bool read_corpus(void *ctx, const eval_line *line) {
  const char *name = eval_line_text(line, "corpus");
  return name[0] && corpus_of(ctx, name, strlen(name));
}

/* ---- the plain splitter ------------------------------------------------------------------------------------------- */

typedef struct pieces {
  const corpus_text *corpus;
  size_t max;
  size_t *ends;
  size_t count, cap;
} pieces;

static size_t tokens(const pieces *p, size_t start, size_t end) {
  return aio__tokens_estimate(aio__str_n(p->corpus->text + start, end - start));
}

static void add_end(pieces *p, size_t end) {
  if (p->count == p->cap) {
    p->cap = p->cap ? p->cap * 2 : 64;
    p->ends = realloc(p->ends, p->cap * sizeof *p->ends);
    if (!p->ends) abort();
  }
  p->ends[p->count++] = end;
}

/* The end of the unit that begins at `at`: paragraph, line, sentence, word. */
static size_t unit_end(const pieces *p, size_t at, size_t end, int level) {
  const char *text = p->corpus->text;
  aio__str whole = {text, end};
  if (level == 2) return aio__sentence_end(whole, at);
  for (size_t i = at; i < end; i++) {
    bool here = level == 0 ? text[i] == '\n' && i > at && text[i - 1] == '\n' : level == 1 ? text[i] == '\n' : is_space(text[i]);
    if (!here) continue;
    while (i < end && is_space(text[i])) i++;
    return i;
  }
  return end;
}

/* Units are joined up to the size; one that is larger is split by the next kind of unit. */
static void split(pieces *p, size_t start, size_t end, int level) {
  size_t open = start;
  for (size_t at = start, next; at < end; at = next) {
    next = unit_end(p, at, end, level);
    if (tokens(p, open, next) <= p->max) continue;
    if (at > open) add_end(p, at);
    open = at;
    if (tokens(p, at, next) <= p->max || level == 3) continue;
    split(p, at, next, level + 1);
    open = next;
  }
  if (end > open) add_end(p, end);
}

static bool add_pieces(chunking *c, const corpus_text *corpus, size_t size) {
  pieces p = {corpus, size, NULL, 0, 0};
  aiorch *orch = c->library.orch;
  aio__arena arena;
  aio__sync sync;
  aio__str *removed = NULL;
  size_t removed_count = 0, start = 0;
  int what = 0;
  uint8_t whole[AIO__SHA256_SIZE] = {(uint8_t)size};
  split(&p, 0, corpus->len, 0);
  aio__arena_init(&arena, orch->al, 65536);
  aio__store_chunk *chunks = aio__arena_alloc(&arena, (p.count + 1) * sizeof *chunks);
  uint8_t *hashes = aio__arena_alloc(&arena, (p.count + 1) * AIO__SHA256_SIZE);
  if (!chunks || !hashes) abort();
  for (size_t i = 0; i < p.count; i++) {
    memcpy(hashes + i * AIO__SHA256_SIZE, &i, sizeof i);
    chunks[i] = (aio__store_chunk){.ordinal = (uint32_t)i,
                                   .tokens = (uint32_t)tokens(&p, start, p.ends[i]),
                                   .start = start,
                                   .end = p.ends[i],
                                   .heading = AIO__LIT(""),
                                   .hash = {(const char *)hashes + i * AIO__SHA256_SIZE, AIO__SHA256_SIZE}};
    if (aio__uuid_v7(aio__clock_wall_ms(orch->clock), chunks[i].id)) abort();
    start = p.ends[i];
  }
  aio__store_document d = {.source = aio__str_z(corpus->name),
                           .title = aio__str_z(corpus->name),
                           .text = {corpus->text, corpus->len},
                           .hash = {(const char *)whole, sizeof whole},
                           .format = AIORCH_FORMAT_PLAIN,
                           .chunk_count = (uint32_t)p.count};
  bool good = aio__uuid_v7(aio__clock_wall_ms(orch->clock), d.id) == AIORCH_OK &&
              aio__sync_begin(&sync, orch, TIMEOUT_MS, c->library.error) == AIORCH_OK;
  if (good) {
    aio__store *store = orch->store;
    good = aio__sync_end(&sync,
                         store->knowledge->add(store, &sync.op, aio__str_z(c->common.tenant), &d, chunks, p.count,
                                               aio__clock_wall_ms(orch->clock), &arena, &what, &removed, &removed_count),
                         c->library.error) == AIORCH_OK;
    aio__sync_free(&sync);
  }
  c->scores.chunks += p.count;
  aio__arena_free(&arena);
  free(p.ends);
  return good;
}

/* ---- questions ---------------------------------------------------------------------------------------------------- */

static size_t overlap(const span *a, const span *b) {
  size_t start = a->start > b->start ? a->start : b->start, end = a->end < b->end ? a->end : b->end;
  return a->corpus == b->corpus && start < end ? end - start : 0;
}

static size_t read_evidence(chunking *c, const eval_line *line, span *out, size_t max, size_t *words) {
  const char *name = eval_line_text(line, "corpus");
  corpus_text *corpus = corpus_of(c, name, strlen(name));
  const cJSON *reference = NULL;
  size_t n = 0;
  cJSON_ArrayForEach(reference, cJSON_GetObjectItemCaseSensitive(line->json, "references")) {
    const cJSON *start = cJSON_GetObjectItemCaseSensitive(reference, "start");
    const cJSON *end = cJSON_GetObjectItemCaseSensitive(reference, "end");
    if (!corpus || n == max || !cJSON_IsNumber(start) || !cJSON_IsNumber(end)) return 0;
    out[n] = (span){(size_t)(corpus - c->corpora), word_at(corpus, byte_of(corpus, (size_t)start->valuedouble)),
                    word_at(corpus, byte_of(corpus, (size_t)end->valuedouble))};
    *words += out[n].end - out[n].start;
    n++;
  }
  return n;
}

/* Sources do not overlap, nor does evidence but by slips, which count twice on both sides. */
static void compare(chunking *c, const aiorch_run *run, const span *evidence, size_t count, size_t *found, size_t *hit) {
  for (size_t i = 0; i < aiorch_run_source_count(run); i++) {
    const char *uri = "";
    size_t len = 0;
    uint64_t start = 0, end = 0;
    if (aiorch_run_source_uri(run, i, &uri, &len) || aiorch_run_source_range(run, i, &start, &end)) continue;
    const corpus_text *corpus = corpus_of(c, uri, strcspn(uri, "#"));
    if (!corpus) continue;
    span source = {(size_t)(corpus - c->corpora), word_at(corpus, (size_t)start), word_at(corpus, (size_t)end)};
    *found += source.end - source.start;
    for (size_t k = 0; k < count; k++) *hit += overlap(&source, &evidence[k]);
  }
}

static bool ask(void *ctx, const eval_line *line) {
  enum { EVIDENCE_MAX = 64 };
  chunking *c = ctx;
  span evidence[EVIDENCE_MAX];
  size_t wanted = 0, found = 0, hit = 0, found_budget = 0, hit_budget = 0;
  const char *question = eval_line_text(line, "text");
  if (c->questions > 0 && c->scores.questions >= c->questions) return true;
  size_t count = read_evidence(c, line, evidence, EVIDENCE_MAX, &wanted);
  if (count == 0 || wanted == 0) return count > 0;
  eval_leg leg = c->library.has_vectors ? EVAL_HYBRID : EVAL_TEXT;
  aiorch_run *run = eval_ask(&c->library, leg, question, c->limit, 0);
  aiorch_run *wide = run ? eval_ask(&c->library, leg, question, EVAL_LIMIT_MAX, c->budget) : NULL;
  if (wide) {
    compare(c, run, evidence, count, &found, &hit);
    compare(c, wide, evidence, count, &found_budget, &hit_budget);
    scores *s = &c->scores;
    s->questions++;
    s->recall += (double)hit / (double)wanted;
    s->precision += found > 0 ? (double)hit / (double)found : 0;
    s->iou += (double)hit / (double)(wanted + found - hit);
    s->found_words += (double)found;
    s->recall_budget += (double)hit_budget / (double)wanted;
  }
  aiorch_run_free(run);
  aiorch_run_free(wide);
  return wide != NULL;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

/* size 0: the library's own chunker. */
static bool measure(chunking *c, size_t size) {
  char path[PATH_BYTES], name[64];
  memset(&c->scores, 0, sizeof c->scores);
  bool good = eval_open(&c->library, &c->common);
  for (size_t i = 0; good && i < c->corpus_count; i++) {
    const corpus_text *t = &c->corpora[i];
    size_t chunks = 0;
    good = size ? add_pieces(c, t, size)
                : eval_add(&c->library, t->name, t->name, t->text, t->len, AIORCH_FORMAT_MARKDOWN, &chunks);
    c->scores.chunks += chunks;
  }
  snprintf(path, sizeof path, "%s/questions.jsonl", c->folder);
  good = good && eval_embed(&c->library) && eval_lines(path, ask, c) && c->scores.questions > 0;
  if (good) {
    const scores *s = &c->scores;
    double n = (double)s->questions;
    snprintf(name, sizeof name, size ? "recursive %zu" : "library", size);
    printf(c->common.json ? "{\"chunker\":\"%s\",\"chunks\":%zu,\"questions\":%zu,\"recall\":%.4f,\"precision\":%.4f,\"iou\":%.4f,"
                            "\"words\":%.0f,\"recall_budget\":%.4f}\n"
                          : "| %-14s | %6zu | %9zu | %6.3f | %9.3f | %5.3f | %5.0f | %6.3f |\n",
           name, s->chunks, s->questions, s->recall / n, s->precision / n, s->iou / n, s->found_words / n,
           s->recall_budget / n);
  }
  eval_close(&c->library);
  return good;
}

static int usage(void) {
  fprintf(stderr, "usage: chunking [--questions N] [--limit N] [--budget TOKENS]\n       %s FOLDER\n", eval_usage);
  return 2;
}

static bool read_arguments(int argc, char **argv, chunking *c) {
  eval_arguments_init(&c->common);
  c->limit = 5;
  c->budget = 1000;
  for (int i = 1; i < argc; i++) {
    bool value = i + 1 < argc;
    if (eval_argument(&c->common, argc, argv, &i)) continue;
    if (strcmp(argv[i], "--questions") == 0 && value)
      c->questions = (size_t)strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--limit") == 0 && value)
      c->limit = (size_t)strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--budget") == 0 && value)
      c->budget = (int64_t)strtoul(argv[++i], NULL, 10);
    else if (argv[i][0] != '-' && !c->folder)
      c->folder = argv[i];
    else
      return false;
  }
  return c->folder && !c->common.store && c->limit >= 1 && c->limit <= EVAL_LIMIT_MAX && c->budget >= 50;
}

int main(int argc, char **argv) {
  static chunking c;
  static const size_t sizes[] = {0, 200, 300, 400};
  char path[PATH_BYTES];
  if (!read_arguments(argc, argv, &c)) return usage();
  snprintf(path, sizeof path, "%s/questions.jsonl", c.folder);
  bool good = eval_lines(path, read_corpus, &c);
  if (good && !c.common.json) {
    printf("| chunker        | chunks | questions | recall | precision |   IoU | words | recall in %lld tokens |\n",
           (long long)c.budget);
    puts("|---|---|---|---|---|---|---|---|");
  }
  for (size_t i = 0; good && i < sizeof sizes / sizeof *sizes; i++) good = measure(&c, sizes[i]);
  for (size_t i = 0; i < c.corpus_count; i++) {
    free(c.corpora[i].text);
    free(c.corpora[i].words);
  }
  return good ? 0 : 1;
}
