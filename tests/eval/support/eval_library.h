/*
 * What the evaluations of retrieval share: the library opened over a store with the vectors that were asked for, filled
 * with documents, and asked by full text, by vectors, or by both.
 *
 * Common arguments:
 *   --models FOLDER [--model NAME] [--precision int8|f32]   the local embedder; else $AIORCH_TEST_MODELS
 *   --vectors FILE      vectors that were computed elsewhere (eval_vectors.h)
 *   --store FOLDER      a store to use and to keep; else one in memory
 *   --tenant NAME       default: "default"
 *   --set KEY=VALUE     a setting; may come again
 *   --json
 * Without models and vectors there is full text alone.
 */
#ifndef EVAL_LIBRARY_H
#define EVAL_LIBRARY_H

#include "support/eval_vectors.h"

enum { EVAL_SETTINGS_MAX = 32, EVAL_LIMIT_MAX = 100 };

typedef enum eval_leg { EVAL_TEXT, EVAL_VECTOR, EVAL_HYBRID, EVAL_LEGS } eval_leg;
const char *eval_leg_name(eval_leg leg);

typedef struct eval_arguments {
  const char *store, *tenant, *models, *model, *precision, *vectors;
  const char *settings[EVAL_SETTINGS_MAX];
  size_t setting_count;
  bool json;
} eval_arguments;

typedef struct eval_library {
  const eval_arguments *arguments;
  aiorch_error *error;
  aiorch *orch;
  bool has_vectors; /* else only EVAL_TEXT is of use */
  eval_vectors vectors;
} eval_library;

extern const char eval_usage[]; /* of the common arguments */

void eval_arguments_init(eval_arguments *a);
/* Takes argv[*at] and its value, and moves *at to the last one taken; false when it is none of the common ones. */
bool eval_argument(eval_arguments *a, int argc, char **argv, int *at);

/* False, with words on stderr, when something fails; the same for all below. */
bool eval_open(eval_library *l, const eval_arguments *arguments);
void eval_close(eval_library *l); /* also after a failed open */
bool eval_add(eval_library *l, const char *source, const char *title, const char *text, size_t len, int32_t format,
              size_t *chunks); /* chunks may be NULL */
bool eval_embed(eval_library *l); /* what is not embedded yet */

/* A run that has retrieved with that leg: read it by the accessors of aiorch/run.h, then free it. NULL: failed. budget:
 * tokens of all sources, 0 none. */
aiorch_run *eval_ask(eval_library *l, eval_leg leg, const char *question, size_t limit, int64_t budget);
/* A run that has answered as it would for a user, with what that leg finds. */
aiorch_run *eval_answer(eval_library *l, eval_leg leg, const char *question);

#endif
