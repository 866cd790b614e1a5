/* For http_embedder.c (made of settings, its breaker) and http_embedding.c (one call) alone. */
#ifndef AIO_EMBEDDERS_HTTP_EMBEDDER_PRIVATE_H
#define AIO_EMBEDDERS_HTTP_EMBEDDER_PRIVATE_H

#include "embedders/embed_codec.h"
#include "embedders/served_models.h"
#include "embedders/http_embedder.h"

typedef struct aio__http_embedder {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__transport *transport;
  const aio__embed_codec *codec;
  aio__arena memory;
  aio__embed_target target;
  aio__str model, options;
  char *secret;             /* the key in target: ours to overwrite */
  const char *prompt[AIO__EMBED_PURPOSES];
  size_t dimensions, max_tokens;
  bool say_dimensions;      /* fewer than the model has: the service must be told */
  bool cut;                 /* the service refuses what is too long */
  int64_t timeout_ms;

  pthread_mutex_t mutex;    /* guards what follows: the breaker */
  int failures;             /* in a row */
  int64_t open_until_ns;    /* while failures >= AIO__HTTP_EMBEDDER_FAILURES */
  char last[AIO__WIRE_MESSAGE_MAX + 1]; /* what it said last */
} aio__http_embedder;

/* May a call go now? Where it may not, *wait_ms says how long, and `words` (of the breaker's) why. The first call after the time is the
 * one that tries; others wait until it is through, for as long as the breaker was open. */
bool aio__http_embedder_allows(aio__http_embedder *e, int64_t *wait_ms, char words[AIO__WIRE_MESSAGE_MAX + 1]);
void aio__http_embedder_succeeded(aio__http_embedder *e);
void aio__http_embedder_failed(aio__http_embedder *e, const aio__wire_error *error);

/* The slots. */
aiorch_status aio__http_embedding_start(void *self, aiorch_call *call);
void aio__http_embedding_cancel(void *self, aiorch_call *call);

#endif
