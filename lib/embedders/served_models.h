/* Models of embedding services: what must be known of one before it is asked. One declared table. */
#ifndef AIO_EMBEDDERS_SERVED_MODELS_H
#define AIO_EMBEDDERS_SERVED_MODELS_H

#include "core/str.h"

enum { AIO__EMBED_PURPOSES = 3 }; /* AIORCH_PURPOSE_* less 1 */

typedef struct aio__served_model {
  const char *name;         /* without its maker and tag; alternatives separated by '|' */
  uint32_t dimensions, max_tokens;
  const char *prompt[AIO__EMBED_PURPOSES]; /* what is put before a query, a passage, a text that is compared */
} aio__served_model;

/* By the name as services write it: "BAAI/bge-small-en-v1.5", "nomic-embed-text:latest". NULL when it is not known. */
const aio__served_model *aio__served_model_find(aio__str model);
/* The name without maker and tag. */
aio__str aio__served_model_name(aio__str model);

#endif
