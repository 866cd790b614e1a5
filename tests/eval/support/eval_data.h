/* Files of JSON lines, and sets of documents, questions and judgements. */
#ifndef EVAL_DATA_H
#define EVAL_DATA_H

#include <stdbool.h>
#include <stddef.h>

/* cJSON is behind it; the values are its strings, "" for what is not there. */
typedef struct eval_line {
  void *json;
} eval_line;

const char *eval_line_text(const eval_line *line, const char *key);

/* Calls `take` for each line that is not empty; false, with words on stderr, at the first that is no JSON or that `take`
 * does not want. */
bool eval_lines(const char *path, bool (*take)(void *ctx, const eval_line *line), void *ctx);

/* A whole file, with a NUL behind it; NULL, with words on stderr. The caller frees it. */
char *eval_file(const char *path, size_t *len);

typedef struct eval_question {
  char *id, *text, *answer; /* answer: "" when the set has none */
  char **relevant;          /* ids of documents */
  size_t relevant_count;
} eval_question;

typedef struct eval_document {
  char *id, *title, *text;
} eval_document;

/* FOLDER/corpus.jsonl {"_id","title","text"}, queries.jsonl {"_id","text","answer"?}, qrels.tsv (query, document, score).
 * Questions without a relevant document are left out. */
typedef struct eval_set {
  eval_document *documents;
  eval_question *questions;
  size_t document_count, question_count, document_cap, question_cap;
} eval_set;

bool eval_set_read(eval_set *set, const char *folder);
void eval_set_free(eval_set *set);

/* ---- measures ---- */

typedef struct eval_measures {
  double ndcg_10, recall_5, recall_20, mrr; /* mrr: of the first 10 */
} eval_measures;

/* Of one question: `found` are the ids of documents, best first, each once. */
eval_measures eval_measure(const eval_question *question, char *const *found, size_t count);

/* F1 of the tokens that two texts share (lower case, letters and digits), as SQuAD's; 1 when both have none. */
double eval_token_f1(const char *answer, const char *gold);

#endif
