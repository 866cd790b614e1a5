/*
 * Measures when a near hit is a hit:
 *
 *   cache [--data FOLDER] [--pairs FILE] [--model FOLDER [--int8] | --vectors FILE...] [--limit N] [--show WHAT] [--json]
 *
 * FOLDER has gptcache_mock/pairs.tsv, banking77/train.tsv and clinc150/{train,val}.tsv, some or all of them; a test.tsv
 * is asked when it is there. FILE has the lines that make_pairs.py writes. Similarities come from a model folder of the
 * local embedder, or from files of vectors made elsewhere: "AIOVECT1", dimensions and count as little-endian uint32,
 * then for each text the first 16 bytes of its SHA-256 and its unit vector as float32. At each threshold the table has
 * what cosine alone would answer, beside what it answers behind the guards. --show prints questions: `false` hits that
 * pass, `lost` right hits, `removed` false hits, and of the pairs `missed` changes and `refused` rewrites.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data.h"
#include "core/hash.h"
#include "core/map.h"
#include "embedders/local/local.h"
#include "guard/hit_guard.h"
#include "text/json.h"

enum {
  KEY = 16,
  FILE_MAX_BYTES = 1 << 30,
  ARENA_BLOCK = 1 << 16,
  VECTOR_FILES_MAX = 16,
  CLASSES_MAX = 64,
  SHOWN_MAX = 200,
  LIMIT = 2000
};

static const double THRESHOLDS[] = {0.80, 0.85, 0.90, 0.95};
enum { THRESHOLDS_N = sizeof THRESHOLDS / sizeof THRESHOLDS[0] };

typedef struct vector {
  char key[KEY];
  const float *row;
} vector;

typedef struct eval {
  const aio__alloc *al;
  aio__hit_guard *guard;
  aio__arena arena; /* of one check */
  aio__map vectors; /* by key */
  size_t dimensions;
  const char *model; /* folder */
  aio__local *embedder;
  bool int8;
  const char *show;
  size_t shown, limit;
  bool json, first; /* first: nothing was printed in this object yet */
} eval;

static _Noreturn void die(const char *what, const char *which) {
  fprintf(stderr, "cache: %s%s%s\n", what, which != NULL ? ": " : "", which != NULL ? which : "");
  exit(1);
}

static void *take(size_t size) {
  void *memory = calloc(1, size == 0 ? 1 : size);
  if (memory == NULL) die("out of memory", NULL);
  return memory;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) != 0) die("cannot read", path);
  long size = ftell(file);
  if (size < 0 || size > FILE_MAX_BYTES) die("too large", path);
  rewind(file);
  char *text = take((size_t)size + 1);
  if (fread(text, 1, (size_t)size, file) != (size_t)size) die("cannot read", path);
  fclose(file);
  *len = (size_t)size;
  return text;
}

typedef struct rows {
  char *memory;
  aio__str *intent, *text; /* of gptcache_mock: what is kept, what is asked */
  size_t n;
} rows;

/* The last two columns of a file with a header line. False when it is not there. */
static bool read_rows(const char *folder, const char *name, rows *out) {
  char path[4096];
  size_t len = 0, lines = 1;
  *out = (rows){0};
  snprintf(path, sizeof path, "%s/%s", folder, name);
  char *p = read_file(path, &len);
  if (p == NULL) return false;
  for (size_t i = 0; i < len; i++) lines += p[i] == '\n';
  out->memory = p;
  out->intent = take(lines * sizeof *out->intent);
  out->text = take(lines * sizeof *out->text);
  char *line = memchr(p, '\n', len);
  for (line = line == NULL ? p + len : line + 1; line < p + len;) {
    char *end = memchr(line, '\n', (size_t)(p + len - line));
    if (end == NULL) end = p + len;
    char *last = end;
    while (last > line && last[-1] != '\t') last--;
    char *before = last > line ? last - 1 : line;
    while (before > line && before[-1] != '\t') before--;
    if (last > before) {
      out->intent[out->n] = aio__str_n(before, (size_t)(last - 1 - before));
      out->text[out->n++] = aio__str_n(last, (size_t)(end - last));
    }
    line = end + 1;
  }
  return true;
}

static void free_rows(rows *r) {
  free(r->memory);
  free(r->intent);
  free(r->text);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

static uint32_t load_u32(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static void read_vectors(eval *e, const char *path) {
  size_t len = 0;
  char *p = read_file(path, &len); /* kept: the vectors lie in it */
  if (p == NULL || len < 16 || memcmp(p, "AIOVECT1", 8) != 0) die("no file of vectors", path);
  size_t dimensions = load_u32(p + 8), n = load_u32(p + 12), size = KEY + dimensions * sizeof(float);
  if (dimensions == 0 || dimensions > 65536 || len != 16 + n * size) die("of another length than it says", path);
  if (e->dimensions != 0 && e->dimensions != dimensions) die("of other dimensions than the one before", path);
  e->dimensions = dimensions;
  vector *all = take(n * sizeof *all);
  float *rows_ = take(n * dimensions * sizeof *rows_);
  for (size_t i = 0; i < n; i++) {
    memcpy(all[i].key, p + 16 + i * size, KEY);
    memcpy(rows_ + i * dimensions, p + 16 + i * size + KEY, dimensions * sizeof(float));
    all[i].row = rows_ + i * dimensions;
    if (aio__map_put(&e->vectors, aio__str_n(all[i].key, KEY), &all[i]) != AIORCH_OK) die("out of memory", NULL);
  }
  free(p);
}

static void open_model(eval *e) {
  aiorch_error error;
  aio__error_init(&error);
  aio__local_args args = {
    .folder = e->model, .precision = e->int8 ? AIO__LOCAL_INT8 : AIO__LOCAL_F32, .cpu = aio__cpu_best()};
  if (aio__local_open(e->al, &args, &e->embedder, &error) != AIORCH_OK) die(error.message, NULL);
  e->dimensions = aio__local_dimensions(e->embedder);
}

/* The vector of one text by the local embedder; false without one. */
static bool embed(eval *e, aio__str text, float *out) {
  size_t tokens = 0, truncated = 0;
  if (e->embedder == NULL) return false;
  return aio__local_embed(e->embedder, AIORCH_PURPOSE_SIMILARITY, &text, 1, out, &tokens, &truncated, NULL, NULL) ==
         AIORCH_OK;
}

/* A row for each text; NULL when there are none for one of them. */
static float *vectors_of(eval *e, const aio__str *texts, size_t n) {
  size_t dimensions = e->dimensions;
  if (dimensions == 0) return NULL;
  float *out = take(n * dimensions * sizeof *out);
  for (size_t i = 0; i < n; i++) {
    aio__sha256 hash;
    uint8_t digest[AIO__SHA256_SIZE];
    aio__sha256_init(&hash);
    aio__sha256_add(&hash, texts[i].p, texts[i].n);
    aio__sha256_end(&hash, digest);
    const vector *v = aio__map_get(&e->vectors, aio__str_n((const char *)digest, KEY));
    if (v != NULL) memcpy(out + i * dimensions, v->row, dimensions * sizeof *out);
    if (v != NULL || embed(e, texts[i], out + i * dimensions)) continue;
    fprintf(stderr, "cache: no vector of \"%.*s\"\n", (int)texts[i].n, texts[i].p);
    free(out);
    return NULL;
  }
  return out;
}

static float dot(const float *a, const float *b, size_t n) {
  float sum[16] = {0};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (size_t k = 0; k < 16; k++) sum[k] += a[i + k] * b[i + k];
  }
  float total = 0;
  for (size_t k = 0; k < 16; k++) total += sum[k];
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

typedef struct tally {
  size_t asked, scoped;                                            /* scoped: what has a right answer in the cache */
  size_t right, wrong;                                             /* by cosine alone */
  size_t right_by[AIO__HIT_REFUSALS], wrong_by[AIO__HIT_REFUSALS]; /* by the verdict of the guards */
} tally;

static void wilson(size_t k, size_t n, double *low, double *high) {
  const double z = 1.959964;
  double total = (double)n, p = n > 0 ? (double)k / total : 0;
  *low = *high = 0;
  if (n == 0) return;
  double centre = p + z * z / (2 * total), spread = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total));
  *low = k == 0 ? 0 : (centre - spread) / (1 + z * z / total);
  *high = k == n ? 1 : (centre + spread) / (1 + z * z / total);
}

static void verdict(eval *e, aio__str question, aio__str kept, aio__hit_finding *out) {
  if (aio__hit_guard_check(e->guard, &e->arena, question, kept, out) != AIORCH_OK) die("out of memory", NULL);
  aio__arena_free(&e->arena);
}

static void show(eval *e, const char *what, double similarity, const aio__hit_finding *f, aio__str question,
                 aio__str kept) {
  if (e->show == NULL || strcmp(e->show, what) != 0 || e->shown++ >= e->limit) return;
  printf("%s %.3f %s (%s)\n  ? %.*s\n  = %.*s\n", what, similarity, aio__hit_refusal_name(f->refused_by), f->detail,
         (int)question.n, question.p, (int)kept.n, kept.p);
}

static void count(eval *e, tally *tallies, double similarity, bool right, aio__str question, aio__str kept) {
  aio__hit_finding f;
  if (similarity < THRESHOLDS[0]) return;
  verdict(e, question, kept, &f);
  for (size_t t = 0; t < THRESHOLDS_N; t++) {
    if (similarity < THRESHOLDS[t]) continue;
    tallies[t].right += right;
    tallies[t].wrong += !right;
    (right ? tallies[t].right_by : tallies[t].wrong_by)[f.refused_by]++;
  }
  if (similarity < 0.90) return;
  if (!right)
    show(e, f.refused_by == AIO__HIT_PASS ? "false" : "removed", similarity, &f, question, kept);
  else if (f.refused_by != AIO__HIT_PASS)
    show(e, "lost", similarity, &f, question, kept);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void open_object(eval *e, const char *name) {
  if (e->json)
    printf("%s\"%s\":{", e->first ? "" : ",", name);
  else
    printf("\n%s\n", name);
  e->first = true;
}

static void close_object(eval *e) {
  if (e->json) printf("}");
  e->first = false;
}

static void json_rate(eval *e, const char *name, size_t k, size_t n) {
  double low, high;
  wilson(k, n, &low, &high);
  printf("%s\"%s\":{\"k\":%zu,\"n\":%zu,\"rate\":%.4f,\"low\":%.4f,\"high\":%.4f}", e->first ? "" : ",", name, k, n,
         n > 0 ? (double)k / (double)n : 0, low, high);
  e->first = false;
}

static void text_rate(const char *label, size_t k, size_t n) {
  double low, high;
  wilson(k, n, &low, &high);
  printf("  %s %5.1f %% [%4.1f, %5.1f]", label, n > 0 ? 100 * (double)k / (double)n : 0, 100 * low, 100 * high);
}

static void print_refusals(eval *e, const tally *t) {
  for (int g = AIO__HIT_PASS + 1; g < AIO__HIT_REFUSALS; g++) {
    const char *name = aio__hit_refusal_name((aio__hit_refusal)g);
    if (e->json) {
      printf("%s\"%s\":{\"false_removed\":%zu,\"right_lost\":%zu}", e->first ? "" : ",", name, t->wrong_by[g],
             t->right_by[g]);
      e->first = false;
    } else if (t->wrong_by[g] + t->right_by[g] > 0) {
      printf("  %s -%zu/-%zu", name, t->wrong_by[g], t->right_by[g]);
    }
  }
}

static void print_threshold(eval *e, double threshold, const tally *t) {
  size_t hits = t->right + t->wrong, right = t->right_by[AIO__HIT_PASS], wrong = t->wrong_by[AIO__HIT_PASS],
         kept = right + wrong;
  char name[16];
  snprintf(name, sizeof name, "%.2f", threshold);
  if (e->json) {
    open_object(e, name);
    json_rate(e, "cosine_hits", hits, t->asked);
    json_rate(e, "cosine_precision", t->right, hits);
    json_rate(e, "hits", kept, t->asked);
    json_rate(e, "precision", right, kept);
    json_rate(e, "false_removed", t->wrong - wrong, t->wrong);
    json_rate(e, "right_lost", t->right - right, t->right);
    json_rate(e, "points_lost", t->right - right, t->scoped);
    open_object(e, "by_guard");
    print_refusals(e, t);
    close_object(e);
    close_object(e);
    return;
  }
  printf("  %.2f cosine ", threshold);
  text_rate("hits", hits, t->asked);
  text_rate("precision", t->right, hits);
  printf("  (%zu right, %zu false)\n       guarded", t->right, t->wrong);
  text_rate("hits", kept, t->asked);
  text_rate("precision", right, kept);
  printf("  (%zu right, %zu false)\n              ", right, wrong);
  text_rate("false removed", t->wrong - wrong, t->wrong);
  text_rate("right lost", t->right - right, t->right);
  printf("  = %.2f points\n       false removed/right lost by guard:",
         t->scoped > 0 ? 100 * (double)(t->right - right) / (double)t->scoped : 0);
  print_refusals(e, t);
  printf("\n");
}

static void print_tallies(eval *e, const char *name, const tally *tallies) {
  open_object(e, name);
  for (size_t t = 0; t < THRESHOLDS_N; t++) print_threshold(e, THRESHOLDS[t], &tallies[t]);
  close_object(e);
}

/* ---- gptcache_mock ----------------------------------------------------------------------------------------------- */

/* The cache holds the originals; each paraphrase is asked; right is its own original, or one that reads the same. */
static void measure_mock(eval *e, const char *folder) {
  rows r;
  tally tallies[THRESHOLDS_N] = {{0}}, all = {0};
  if (!read_rows(folder, "gptcache_mock/pairs.tsv", &r)) return;
  float *kept = vectors_of(e, r.intent, r.n), *asked = vectors_of(e, r.text, r.n);
  for (size_t i = 0; i < r.n; i++) {
    aio__hit_finding f;
    verdict(e, r.text[i], r.intent[i], &f);
    all.right++;
    all.right_by[f.refused_by]++;
    if (f.refused_by != AIO__HIT_PASS) show(e, "refused-paraphrase", 0, &f, r.text[i], r.intent[i]);
  }
  for (size_t i = 0; i < r.n && kept != NULL && asked != NULL; i++) {
    size_t best = 0;
    float highest = -2;
    for (size_t k = 0; k < r.n; k++) {
      float similarity = dot(asked + i * e->dimensions, kept + k * e->dimensions, e->dimensions);
      if (similarity > highest) highest = similarity, best = k;
    }
    count(e, tallies, (double)highest, aio__str_eq(r.intent[best], r.intent[i]), r.text[i], r.intent[best]);
  }
  for (size_t t = 0; t < THRESHOLDS_N; t++) tallies[t].asked = tallies[t].scoped = r.n;
  if (kept != NULL && asked != NULL) print_tallies(e, "gptcache_mock", tallies);
  open_object(e, "gptcache_mock, every paraphrase beside its original, refused");
  if (e->json)
    json_rate(e, "refused", all.right - all.right_by[AIO__HIT_PASS], all.right);
  else
    text_rate("", all.right - all.right_by[AIO__HIT_PASS], all.right);
  print_refusals(e, &all);
  if (!e->json) printf("\n");
  close_object(e);
  free(kept);
  free(asked);
  free_rows(&r);
}

/* ---- intents ----------------------------------------------------------------------------------------------------- */

/* Each question beside its nearest kept one; right is the same intent. `same` leaves the question itself out. Questions
 * out of scope ("oos") must find nothing. */
static void measure_intents(eval *e, const char *name, const rows *kept, const rows *asked, bool same) {
  tally tallies[THRESHOLDS_N] = {{0}};
  float *rows_kept = vectors_of(e, kept->text, kept->n),
        *rows_asked = same ? rows_kept : vectors_of(e, asked->text, asked->n);
  if (rows_kept == NULL || rows_asked == NULL) return;
  size_t step = asked->n / e->limit + 1, n = 0, scoped = 0;
  for (size_t i = 0; i < asked->n; i += step) {
    size_t best = SIZE_MAX;
    float highest = -2;
    n++;
    scoped += !aio__str_eqz(asked->intent[i], "oos");
    for (size_t k = 0; k < kept->n; k++) {
      if ((same && k == i) || aio__str_eqz(kept->intent[k], "oos")) continue;
      float similarity = dot(rows_asked + i * e->dimensions, rows_kept + k * e->dimensions, e->dimensions);
      if (similarity > highest) highest = similarity, best = k;
    }
    if (best != SIZE_MAX)
      count(e, tallies, (double)highest, aio__str_eq(kept->intent[best], asked->intent[i]), asked->text[i], kept->text[best]);
  }
  for (size_t t = 0; t < THRESHOLDS_N; t++) tallies[t].asked = n, tallies[t].scoped = scoped;
  print_tallies(e, name, tallies);
  if (rows_asked != rows_kept) free(rows_asked);
  free(rows_kept);
}

static void measure_set(eval *e, const char *folder, const char *name) {
  rows train, other;
  char path[128], title[160];
  snprintf(path, sizeof path, "%s/train.tsv", name);
  if (!read_rows(folder, path, &train)) return;
  snprintf(path, sizeof path, "%s/test.tsv", name);
  bool found = read_rows(folder, path, &other);
  if (!found) {
    snprintf(path, sizeof path, "%s/val.tsv", name);
    found = read_rows(folder, path, &other);
  }
  snprintf(title, sizeof title, found ? "%s: train kept, %s asked" : "%s: train, each beside all others", name,
           path + strlen(name) + 1);
  measure_intents(e, title, &train, found ? &other : &train, !found);
  if (found) free_rows(&other);
  free_rows(&train);
}

/* ---- generated pairs --------------------------------------------------------------------------------------------- */

typedef struct class_tally {
  char name[64];
  bool same;
  size_t n, refused, by[AIO__HIT_REFUSALS];
} class_tally;

static class_tally *class_of(class_tally *classes, size_t *n, aio__str name, bool same) {
  for (size_t i = 0; i < *n; i++) {
    if (classes[i].same == same && aio__str_eqz(name, classes[i].name)) return &classes[i];
  }
  if (*n == CLASSES_MAX || name.n >= sizeof classes->name) die("too many classes of pairs", NULL);
  classes[*n].same = same;
  memcpy(classes[*n].name, name.p, name.n);
  return &classes[(*n)++];
}

static void measure_pair(eval *e, aio__str line, class_tally *classes, size_t *n) {
  const aio__json_limits limits = {1 << 20, 4, AIORCH_E_INVALID, "line"};
  aio__json *json = NULL;
  aio__str name, a, b;
  bool same = false;
  aio__hit_finding f, turned;
  aiorch_error error;
  aio__error_init(&error);
  if (aio__json_parse(e->al, line, &limits, &json, &error) != AIORCH_OK) die(error.message, NULL);
  const aio__json_value *root = aio__json_root(json);
  bool ok = aio__json_str(aio__json_get(root, "class"), &name) && aio__json_str(aio__json_get(root, "a"), &a) &&
            aio__json_str(aio__json_get(root, "b"), &b) && aio__json_bool(aio__json_get(root, "same"), &same);
  if (!ok) die("a pair has \"class\", \"same\", \"a\" and \"b\"", NULL);
  class_tally *t = class_of(classes, n, name, same);
  verdict(e, a, b, &f);
  verdict(e, b, a, &turned);
  if ((f.refused_by == AIO__HIT_PASS) != (turned.refused_by == AIO__HIT_PASS))
    fprintf(stderr, "cache: not symmetric: %.*s\n", (int)line.n, line.p);
  t->n++;
  t->refused += f.refused_by != AIO__HIT_PASS;
  t->by[f.refused_by]++;
  if (same && f.refused_by != AIO__HIT_PASS) show(e, "refused", 0, &f, a, b);
  if (!same && f.refused_by == AIO__HIT_PASS) show(e, "missed", 0, &f, a, b);
  aio__json_free(json);
}

static void print_class(eval *e, const class_tally *t) {
  if (e->json) {
    json_rate(e, t->name, t->refused, t->n);
    return;
  }
  printf("  %-16s %5zu / %5zu", t->name, t->refused, t->n);
  text_rate("", t->refused, t->n);
  for (int g = AIO__HIT_PASS + 1; g < AIO__HIT_REFUSALS; g++) {
    if (t->by[g] > 0) printf("  %s %zu", aio__hit_refusal_name((aio__hit_refusal)g), t->by[g]);
  }
  printf("\n");
}

static void measure_pairs(eval *e, const char *path) {
  static class_tally classes[CLASSES_MAX];
  size_t len = 0, n = 0;
  char *text = read_file(path, &len);
  if (text == NULL) die("cannot read", path);
  for (char *line = text, *end; line < text + len; line = end + 1) {
    end = memchr(line, '\n', (size_t)(text + len - line));
    if (end == NULL) end = text + len;
    if (end > line) measure_pair(e, aio__str_n(line, (size_t)(end - line)), classes, &n);
  }
  for (int same = 0; same < 2; same++) {
    class_tally all = {.name = "all"};
    open_object(e, same ? "pairs that mean the same, refused" : "pairs that mean something else, refused");
    for (size_t i = 0; i < n; i++) {
      if (classes[i].same != (same != 0)) continue;
      print_class(e, &classes[i]);
      all.n += classes[i].n;
      all.refused += classes[i].refused;
      for (int g = 0; g < AIO__HIT_REFUSALS; g++) all.by[g] += classes[i].by[g];
    }
    print_class(e, &all);
    close_object(e);
  }
  free(text);
}

static int usage(void) {
  fprintf(stderr, "usage: cache [--data FOLDER] [--pairs FILE] [--model FOLDER [--int8] | --vectors FILE...]\n"
                  "             [--limit N] [--show WHAT] [--json]\n");
  return 2;
}

/* Which data the guards are made of. */
static void print_guards(const eval *e) {
  uint8_t digest[AIO__SHA256_SIZE];
  char hex[2 * AIO__SHA256_SIZE + 1];
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, aio__str_n(aio__data_hit_guard.bytes, aio__data_hit_guard.packed_len));
  aio__sha256_end(&hash, digest);
  aio__hex(digest, sizeof digest, hex);
  printf(e->json ? "{\"guards\":\"%s\"" : "guards %.12s\n", hex);
}

int main(int argc, char **argv) {
  eval e = {.al = aio__alloc_default(), .limit = LIMIT, .first = false};
  const char *folder = NULL, *pairs = NULL;
  aio__map_init(&e.vectors, e.al);
  aio__arena_init(&e.arena, e.al, ARENA_BLOCK);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--int8") == 0) {
      *(argv[i][2] == 'j' ? &e.json : &e.int8) = true;
      continue;
    }
    if (i + 1 >= argc) return usage();
    const char *value = argv[++i];
    if (strcmp(argv[i - 1], "--data") == 0)
      folder = value;
    else if (strcmp(argv[i - 1], "--pairs") == 0)
      pairs = value;
    else if (strcmp(argv[i - 1], "--model") == 0)
      e.model = value;
    else if (strcmp(argv[i - 1], "--vectors") == 0)
      read_vectors(&e, value);
    else if (strcmp(argv[i - 1], "--limit") == 0)
      e.limit = (size_t)strtoul(value, NULL, 10);
    else if (strcmp(argv[i - 1], "--show") == 0)
      e.show = value;
    else
      return usage();
  }
  if ((folder == NULL && pairs == NULL) || e.limit == 0) return usage();
  aiorch_error error;
  aio__error_init(&error);
  if (aio__hit_guard_new(e.al, &e.guard, &error) != AIORCH_OK) die(error.message, NULL);
  if (e.model != NULL) open_model(&e);
  print_guards(&e);
  if (pairs != NULL) measure_pairs(&e, pairs);
  if (folder != NULL) {
    measure_mock(&e, folder);
    measure_set(&e, folder, "banking77");
    measure_set(&e, folder, "clinc150");
  }
  printf(e.json ? "}\n" : "");
  aio__local_free(e.embedder);
  aio__hit_guard_free(e.guard);
  aio__map_free(&e.vectors);
  return 0;
}
