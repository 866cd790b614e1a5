/* Models that were measured: which cosine means what. Raw cosines of different models do not compare. */
#ifndef AIO_EMBEDDERS_KNOWN_MODELS_H
#define AIO_EMBEDDERS_KNOWN_MODELS_H

#include "core/str.h"

typedef struct aio__known_model {
  const char *name;           /* the first part of a fingerprint, up to "/"; behind a service that of "SERVICE:MAKER/name:DIMENSIONS" */
  double retrieve_threshold;  /* below it the vector leg finds nothing */
  double cache_threshold;     /* at or above it a near hit may pass the guards */
  double answer_far, answer_near; /* of a question and a sentence: what says nothing of it, what may answer it */
  const char *measured;       /* on what, and how: for docs and stats */
} aio__known_model;

/* NULL when it is not known. Static. */
const aio__known_model *aio__known_model_find(aio__str fingerprint);

#endif
