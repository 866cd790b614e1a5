/*
 * How well does a search find the documents that answer a question, by full text, by vectors, and by both?
 *
 *   retrieval [--limit N] [--format plain|markdown] [--answers] [--questions] [common arguments] FOLDER...
 *
 * FOLDER is a set: corpus.jsonl, queries.jsonl and qrels.tsv (support/eval_data.h). Each document is added under its id, with
 * its title, cut as any other; what is measured is the order of documents, each at its first source, among the first N
 * (EVAL_LIMIT_MAX) sources. --answers also lets the extractive provider answer and scores the answer by token F1 against
 * the gold answer. --questions prints each question's figures. Exit code 0 when it ran, 2 for usage, 1 for anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/eval_data.h"
#include "support/eval_library.h"

typedef struct arguments {
  eval_arguments common;
  size_t limit;
  int32_t format;
  bool answers, questions;
  const char *folders[32];
  size_t folder_count;
} arguments;

typedef struct totals {
  eval_measures sum;
  size_t questions, answered, not_answered;
  double f1;
} totals;

static int usage(void) {
  fprintf(stderr, "usage: retrieval [--limit N] [--format plain|markdown] [--answers] [--questions]\n       %s FOLDER...\n",
          eval_usage);
  return 2;
}

static bool read_arguments(int argc, char **argv, arguments *a) {
  memset(a, 0, sizeof *a);
  eval_arguments_init(&a->common);
  a->limit = EVAL_LIMIT_MAX;
  a->format = AIORCH_FORMAT_MARKDOWN;
  for (int i = 1; i < argc; i++) {
    bool value = i + 1 < argc;
    if (eval_argument(&a->common, argc, argv, &i)) continue;
    if (strcmp(argv[i], "--answers") == 0)
      a->answers = true;
    else if (strcmp(argv[i], "--questions") == 0)
      a->questions = true;
    else if (strcmp(argv[i], "--limit") == 0 && value)
      a->limit = (size_t)strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--format") == 0 && value)
      a->format = strcmp(argv[++i], "plain") == 0 ? AIORCH_FORMAT_PLAIN : AIORCH_FORMAT_MARKDOWN;
    else if (argv[i][0] != '-' && a->folder_count < sizeof a->folders / sizeof *a->folders)
      a->folders[a->folder_count++] = argv[i];
    else
      return false;
  }
  return a->folder_count > 0 && a->limit >= 1 && a->limit <= EVAL_LIMIT_MAX;
}

/* The documents of a run's sources, in order, each once. The caller frees the ids. */
static size_t documents_of(const aiorch_run *run, char *found[EVAL_LIMIT_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < aiorch_run_source_count(run) && n < EVAL_LIMIT_MAX; i++) {
    const char *uri = "";
    size_t len = 0;
    bool seen = false;
    if (aiorch_run_source_uri(run, i, &uri, &len) != AIORCH_OK) continue;
    for (size_t k = 0; k < n && !seen; k++) seen = strlen(found[k]) == len && memcmp(found[k], uri, len) == 0;
    if (seen || !(found[n] = malloc(len + 1))) continue;
    memcpy(found[n], uri, len);
    found[n++][len] = '\0';
  }
  return n;
}

/* The answer as people read it: without the numbers of its sources. */
static double f1_of(const aiorch_run *run, const char *gold) {
  const char *answer = "";
  size_t len = 0, n = 0;
  (void)aiorch_run_answer(run, &answer, &len);
  char *plain = malloc(len + 1);
  if (!plain) return 0;
  for (size_t i = 0; i < len;) {
    size_t digits = answer[i] == '[' ? strspn(answer + i + 1, "0123456789") : 0;
    if (digits > 0 && i + digits + 1 < len && answer[i + digits + 1] == ']')
      i += digits + 2;
    else
      plain[n++] = answer[i++];
  }
  plain[n] = '\0';
  double f1 = eval_token_f1(plain, gold);
  free(plain);
  return f1;
}

/* An answer that cites nothing says that there is none. */
static void score_answer(eval_library *l, eval_leg leg, const eval_question *q, totals *t) {
  aiorch_run *run = q->answer[0] ? eval_answer(l, leg, q->text) : NULL;
  if (!run) return;
  const char *answer = "";
  (void)aiorch_run_answer(run, &answer, NULL);
  t->f1 += f1_of(run, q->answer);
  t->answered++;
  t->not_answered += strstr(answer, "[1]") == NULL && strchr(answer, '[') == NULL;
  aiorch_run_free(run);
}

static bool ask(eval_library *l, const arguments *a, eval_leg leg, const eval_question *q, totals *t) {
  char *found[EVAL_LIMIT_MAX];
  aiorch_run *run = eval_ask(l, leg, q->text, a->limit, 0);
  if (!run) return false;
  size_t count = documents_of(run, found);
  eval_measures m = eval_measure(q, found, count);
  aiorch_run_free(run);
  t->questions++;
  t->sum.ndcg_10 += m.ndcg_10;
  t->sum.recall_5 += m.recall_5;
  t->sum.recall_20 += m.recall_20;
  t->sum.mrr += m.mrr;
  if (a->questions) printf("%-10s %.3f %.2f  %s  [%s]\n", eval_leg_name(leg), m.ndcg_10, m.recall_5, q->text, count ? found[0] : "");
  if (a->answers) score_answer(l, leg, q, t);
  for (size_t i = 0; i < count; i++) free(found[i]);
  return true;
}

static void print_totals(const arguments *a, const char *name, eval_leg leg, const totals *t) {
  double n = (double)t->questions;
  if (a->common.json) {
    printf("{\"set\":\"%s\",\"leg\":\"%s\",\"questions\":%zu,\"ndcg_10\":%.4f,\"recall_5\":%.4f,\"recall_20\":%.4f,\"mrr\":%.4f",
           name, eval_leg_name(leg), t->questions, t->sum.ndcg_10 / n, t->sum.recall_5 / n, t->sum.recall_20 / n,
           t->sum.mrr / n);
    if (t->answered > 0)
      printf(",\"answers\":%zu,\"token_f1\":%.4f,\"not_answered\":%zu", t->answered, t->f1 / (double)t->answered,
             t->not_answered);
    puts("}");
    return;
  }
  printf("| %-20s | %-9s | %6.3f | %6.3f | %6.3f | %6.3f |", name, eval_leg_name(leg), t->sum.ndcg_10 / n,
         t->sum.recall_5 / n, t->sum.recall_20 / n, t->sum.mrr / n);
  if (t->answered > 0) printf(" %6.3f | %6zu |", t->f1 / (double)t->answered, t->not_answered);
  puts("");
}

static const char *name_of(const char *folder) {
  const char *slash = strrchr(folder, '/');
  return slash && slash[1] ? slash + 1 : folder;
}

static bool measure(const arguments *a, const char *folder) {
  eval_set set;
  eval_library l;
  bool good = eval_set_read(&set, folder);
  memset(&l, 0, sizeof l);
  good = good && eval_open(&l, &a->common);
  for (size_t i = 0; good && i < set.document_count; i++) {
    const eval_document *d = &set.documents[i];
    good = eval_add(&l, d->id, d->title, d->text, strlen(d->text), a->format, NULL);
  }
  good = good && eval_embed(&l);
  for (eval_leg leg = EVAL_TEXT; good && leg < (l.has_vectors ? EVAL_LEGS : EVAL_VECTOR); leg++) {
    totals t;
    memset(&t, 0, sizeof t);
    for (size_t i = 0; good && i < set.question_count; i++) good = ask(&l, a, leg, &set.questions[i], &t);
    if (good) print_totals(a, name_of(folder), leg, &t);
  }
  eval_close(&l);
  eval_set_free(&set);
  return good;
}

int main(int argc, char **argv) {
  arguments a;
  bool good = true;
  if (!read_arguments(argc, argv, &a)) return usage();
  if (!a.common.json) {
    printf("| set                  | search    | nDCG10 |    R@5 |   R@20 |  MRR10 |%s\n", a.answers ? " answer F1 | none |" : "");
    printf("|---|---|---|---|---|---|%s\n", a.answers ? "---|---|" : "");
  }
  for (size_t i = 0; good && i < a.folder_count; i++) good = measure(&a, a.folders[i]);
  return good ? 0 : 1;
}
