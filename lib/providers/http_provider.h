/*
 * A provider behind HTTP as the rest of the library sees any provider: made of its settings, a codec and the transport. Its generate slot
 * encodes and starts the exchange; the step that it leaves on the call takes what has come, decodes it, and judges the limits of time that
 * need an eye for tokens. Retries, other keys and other providers are the pipeline's work: here is one attempt.
 */
#ifndef AIO_PROVIDERS_HTTP_PROVIDER_H
#define AIO_PROVIDERS_HTTP_PROVIDER_H

#include "core/clock.h"
#include "core/plugins.h"
#include "core/provider_settings.h"
#include "net/transport.h"

enum {
  AIO__HTTP_PROVIDER_HEADERS_MAX = 16,     /* of the user's own */
  AIO__HTTP_PROVIDER_LINGER_MS = 50,       /* how long the connection may stay open behind the last event of an answer */
  AIO__HTTP_PROVIDER_BODY_FACTOR = 16      /* bytes of a body for each byte that an answer may have; 1 MiB more */
};

/* What it is given besides its settings; borrowed, all outlive it. */
typedef struct aio__http_provider_env {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__transport *transport;
  int64_t response_max;      /* "generate.response_max_bytes" */
} aio__http_provider_env;

/*
 * Checks the settings together, and registers the provider under its name behind those of `plugins`: AIORCH_OK, AIORCH_E_CONFIG or
 * _CONFIG_RANGE with words that name the key, what aio__plugins_add_provider returns. Nothing is sent.
 */
aiorch_status aio__http_provider_add(aio__plugins *plugins, const aio__provider_settings *settings, const aio__http_provider_env *env,
                                     aiorch_error *error);

#endif
