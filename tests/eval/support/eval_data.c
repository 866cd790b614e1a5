/* See eval_data.h. */
#include "support/eval_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { PATH_BYTES = 4096, NDCG_DEPTH = 10 };

/* ---- files -------------------------------------------------------------------------------------------------------- */

const char *eval_line_text(const eval_line *line, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(line->json, key);
  return cJSON_IsString(value) ? value->valuestring : "";
}

char *eval_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  long size = -1;
  if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
  if (size >= 0) {
    rewind(file);
    text = malloc((size_t)size + 1);
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
      free(text);
      text = NULL;
    }
  }
  if (file) fclose(file);
  if (!text) {
    fprintf(stderr, "%s cannot be read\n", path);
    return NULL;
  }
  text[size] = '\0';
  *len = (size_t)size;
  return text;
}

bool eval_lines(const char *path, bool (*take)(void *ctx, const eval_line *line), void *ctx) {
  size_t len = 0, number = 0;
  char *text = eval_file(path, &len);
  bool good = text != NULL;
  for (char *at = text; good && *at;) {
    size_t n = strcspn(at, "\n");
    char *next = at[n] ? at + n + 1 : at + n;
    at[n] = '\0';
    number++;
    if (at[strspn(at, " \t\r")] != '\0') {
      eval_line line = {cJSON_Parse(at)};
      good = line.json && take(ctx, &line);
      cJSON_Delete(line.json);
      if (!good) fprintf(stderr, "%s: line %zu is not what it should be\n", path, number);
    }
    at = next;
  }
  free(text);
  return good;
}

/* ---- sets --------------------------------------------------------------------------------------------------------- */

static char *copy(const char *text) {
  size_t n = strlen(text) + 1;
  char *out = malloc(n);
  if (!out) abort();
  memcpy(out, text, n);
  return out;
}

static void *grow(void *items, size_t count, size_t *cap, size_t size) {
  if (count < *cap) return items;
  *cap = *cap ? *cap * 2 : 64;
  void *more = realloc(items, *cap * size);
  if (!more) abort();
  return more;
}

static bool take_document(void *ctx, const eval_line *line) {
  eval_set *set = ctx;
  set->documents = grow(set->documents, set->document_count, &set->document_cap, sizeof *set->documents);
  set->documents[set->document_count++] = (eval_document){copy(eval_line_text(line, "_id")),
                                                          copy(eval_line_text(line, "title")),
                                                          copy(eval_line_text(line, "text"))};
  return eval_line_text(line, "_id")[0] != '\0';
}

static bool take_question(void *ctx, const eval_line *line) {
  eval_set *set = ctx;
  set->questions = grow(set->questions, set->question_count, &set->question_cap, sizeof *set->questions);
  set->questions[set->question_count++] = (eval_question){
    copy(eval_line_text(line, "_id")), copy(eval_line_text(line, "text")), copy(eval_line_text(line, "answer")), NULL, 0};
  return eval_line_text(line, "text")[0] != '\0';
}

static void judge(eval_set *set, const char *question, const char *document) {
  for (size_t i = 0; i < set->question_count; i++) {
    eval_question *q = &set->questions[i];
    if (strcmp(q->id, question) != 0) continue;
    q->relevant = realloc(q->relevant, (q->relevant_count + 1) * sizeof *q->relevant);
    if (!q->relevant) abort();
    q->relevant[q->relevant_count++] = copy(document);
    return;
  }
}

/* Lines whose third field is no number above 0 are the head, or say that the document is not relevant. */
static bool read_judgements(eval_set *set, const char *path) {
  size_t len = 0;
  char *text = eval_file(path, &len);
  if (!text) return false;
  for (char *at = text; *at;) {
    size_t n = strcspn(at, "\r\n");
    char *next = at[n] ? at + n + 1 : at + n;
    at[n] = '\0';
    char *document = strchr(at, '\t'), *score = document ? strchr(document + 1, '\t') : NULL;
    if (score) {
      *document++ = *score++ = '\0';
      if (strtod(score, NULL) > 0) judge(set, at, document);
    }
    at = next;
  }
  free(text);
  return true;
}

static void free_question(eval_question *q) {
  for (size_t i = 0; i < q->relevant_count; i++) free(q->relevant[i]);
  free(q->relevant);
  free(q->id);
  free(q->text);
  free(q->answer);
}

static void drop_unjudged(eval_set *set) {
  size_t n = 0;
  for (size_t i = 0; i < set->question_count; i++) {
    if (set->questions[i].relevant_count > 0)
      set->questions[n++] = set->questions[i];
    else
      free_question(&set->questions[i]);
  }
  set->question_count = n;
}

bool eval_set_read(eval_set *set, const char *folder) {
  char path[PATH_BYTES];
  memset(set, 0, sizeof *set);
  snprintf(path, sizeof path, "%s/corpus.jsonl", folder);
  if (!eval_lines(path, take_document, set)) return false;
  snprintf(path, sizeof path, "%s/queries.jsonl", folder);
  if (!eval_lines(path, take_question, set)) return false;
  snprintf(path, sizeof path, "%s/qrels.tsv", folder);
  if (!read_judgements(set, path)) return false;
  drop_unjudged(set);
  if (set->question_count == 0) fprintf(stderr, "%s: no question has a relevant document\n", folder);
  return set->question_count > 0;
}

void eval_set_free(eval_set *set) {
  for (size_t i = 0; i < set->document_count; i++) {
    free(set->documents[i].id);
    free(set->documents[i].title);
    free(set->documents[i].text);
  }
  for (size_t i = 0; i < set->question_count; i++) free_question(&set->questions[i]);
  free(set->documents);
  free(set->questions);
  memset(set, 0, sizeof *set);
}

/* ---- measures ----------------------------------------------------------------------------------------------------- */

static bool is_relevant(const eval_question *q, const char *id) {
  for (size_t i = 0; i < q->relevant_count; i++) {
    if (strcmp(q->relevant[i], id) == 0) return true;
  }
  return false;
}

eval_measures eval_measure(const eval_question *q, char *const *found, size_t count) {
  eval_measures m = {0, 0, 0, 0};
  double best = 0;
  for (size_t i = 0; i < NDCG_DEPTH && i < q->relevant_count; i++) best += 1 / log2((double)i + 2);
  for (size_t i = 0; i < count; i++) {
    if (!is_relevant(q, found[i])) continue;
    if (i < NDCG_DEPTH) m.ndcg_10 += 1 / log2((double)i + 2) / best;
    if (i < NDCG_DEPTH && m.mrr <= 0) m.mrr = 1 / (double)(i + 1);
    if (i < 5) m.recall_5 += 1 / (double)q->relevant_count;
    if (i < 20) m.recall_20 += 1 / (double)q->relevant_count;
  }
  return m;
}

/* Words of ASCII letters and digits and of anything beyond ASCII, in lower case; articles are left out, as SQuAD does. */
static bool next_token(const char **at, char token[64]) {
  for (;;) {
    size_t n = 0;
    const char *p = *at;
    while (*p && !((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p & 0x80))) p++;
    for (; (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p & 0x80); p++) {
      if (n + 1 < 64) token[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    }
    token[n] = '\0';
    *at = p;
    if (n == 0) return false;
    if (strcmp(token, "a") != 0 && strcmp(token, "an") != 0 && strcmp(token, "the") != 0) return true;
  }
}

static size_t tokens_of(const char *text, char (**out)[64]) {
  size_t n = 0, cap = 0;
  char token[64];
  *out = NULL;
  while (next_token(&text, token)) {
    *out = grow(*out, n, &cap, sizeof **out);
    memcpy((*out)[n++], token, sizeof token);
  }
  return n;
}

double eval_token_f1(const char *answer, const char *gold) {
  char(*a)[64], (*g)[64];
  size_t an = tokens_of(answer, &a), gn = tokens_of(gold, &g), both = 0;
  for (size_t i = 0; i < an; i++) {
    for (size_t k = 0; k < gn; k++) {
      if (g[k][0] == '\0' || strcmp(a[i], g[k]) != 0) continue;
      g[k][0] = '\0'; /* each counts once */
      both++;
      break;
    }
  }
  free(a);
  free(g);
  if (an + gn == 0) return 1;
  return 2 * (double)both / (double)(an + gn);
}
