/*
 * An embedder behind HTTP as the rest of the library sees any embedder: a codec (embed_codec.h) over the transport. A call's texts go in as
 * many requests as the service takes at once, one after the other; what fails for a while is asked again inside the call.
 *
 * A service that is down costs a run a bounded wait: `timeout_ms` for a question, and nothing once it has failed five times in a row (a
 * breaker on the handle; every half minute one call tries whether it is back).
 */
#ifndef AIO_EMBEDDERS_HTTP_EMBEDDER_H
#define AIO_EMBEDDERS_HTTP_EMBEDDER_H

#include "core/clock.h"
#include "core/plugins.h"
#include "net/transport.h"

enum {
  AIO__HTTP_EMBEDDER_ATTEMPTS = 3,        /* of one request */
  AIO__HTTP_EMBEDDER_BACKOFF_MS = 500,    /* full jitter over this, doubled with each attempt, at most ... */
  AIO__HTTP_EMBEDDER_BACKOFF_MAX_MS = 8000,
  AIO__HTTP_EMBEDDER_FAILURES = 5,        /* in a row, until it is left alone for ... */
  AIO__HTTP_EMBEDDER_OPEN_MS = 30000,
  AIO__HTTP_EMBEDDER_OPEN_MAX_MS = 600000, /* however long a Retry-After is */
  AIO__HTTP_EMBEDDER_BATCH_MS = 60000,    /* for the head of the answer to a batch of passages */
  AIO__HTTP_EMBEDDER_CONNECT_MS = 5000,
  AIO__HTTP_EMBEDDER_BATCH_TOKENS = 100000 /* by the estimate, in one request of several texts */
};

/* Texts are copied. */
typedef struct aio__http_embedder_args {
  const char *api;            /* "huggingface", "openai", "ollama" */
  const char *base_url, *key; /* "": the service's own; none */
  const char *model;
  const char *options;        /* a JSON object laid over each request, or "" */
  int64_t dimensions;         /* 0: those of a model that is known (served_models.h) */
  int64_t max_tokens;         /* likewise */
  int64_t timeout_ms;         /* for one text that is no passage, with all its attempts */
} aio__http_embedder_args;

/*
 * Fills a record as aio__local_plugin does; record->fingerprint ("SERVICE:MODEL:DIMENSIONS") is the caller's to free. Nothing is sent.
 * AIORCH_E_CONFIG with words that name the setting; AIORCH_E_NOMEM, AIORCH_E_SYSTEM.
 */
aiorch_status aio__http_embedder_open(const aio__alloc *al, const aio__clock *clock, aio__transport *transport,
                                      const aio__http_embedder_args *args, aio__plugin_embedder *out, aiorch_error *error);

#endif
