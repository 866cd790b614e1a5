/* For http_provider.c (made of settings) and http_attempt.c (one attempt) alone. */
#ifndef AIO_PROVIDERS_HTTP_PROVIDER_PRIVATE_H
#define AIO_PROVIDERS_HTTP_PROVIDER_PRIVATE_H

#include "providers/codec.h"
#include "providers/http_provider.h"

typedef struct aio__http_endpoint {
  aio__str base_url, key;
  aio__str server; /* of OpenAI's interface: whose, by its name, also where the address tells */
} aio__http_endpoint;

typedef struct aio__http_provider {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__transport *transport;
  const aio__codec *codec;
  aio__provider_list settings; /* of this one provider: texts below point into it */
  aio__arena memory;
  aio__str server, options;
  aio__wire_header headers[AIO__HTTP_PROVIDER_HEADERS_MAX];
  size_t header_count;
  bool refuse;
  size_t response_max;
  size_t endpoint_count, key_count;
  aio__http_endpoint endpoints[AIO__ENDPOINTS_MAX];
  uint32_t weights[AIO__ENDPOINTS_MAX];
  const char *names[AIO__ENDPOINTS_MAX]; /* hosts */
} aio__http_provider;

static inline const aio__provider_settings *aio__http_provider_settings(const aio__http_provider *p) { return p->settings.items[0]; }

/* The slots. */
aiorch_status aio__http_attempt_start(void *self, aiorch_call *call);
void aio__http_attempt_cancel(void *self, aiorch_call *call);

#endif
