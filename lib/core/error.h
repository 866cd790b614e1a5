/* How errors are made. `struct aiorch_error` never allocates, so reporting out of memory works too. */
#ifndef AIO_CORE_ERROR_H
#define AIO_CORE_ERROR_H

#include <aiorch/error.h>

#include "core/alloc.h"
#include "core/str.h"

enum { AIO__ERROR_MESSAGE_MAX = 1000, AIO__ERROR_PROVIDER_MAX = 63 };

struct aiorch_error {
  uint64_t magic;
  aiorch_status status;
  int32_t stage;          /* -1: none */
  int32_t http_status;    /* 0: by the status */
  int32_t reserved;
  int64_t retry_after_ms; /* -1: unknown */
  char provider[AIO__ERROR_PROVIDER_MAX + 1];
  char message[AIO__ERROR_MESSAGE_MAX + 1];
};

void aio__error_init(aiorch_error *error);   /* for one that is embedded in another object */
void aio__error_clear(aiorch_error *error);  /* takes NULL */
/* Sets status and message and returns the status, so that `return aio__error_set(...)` reads well. The message is cut at
 * a character boundary; line feeds and control characters become spaces. Takes NULL. */
aiorch_status aio__error_set(aiorch_error *error, aiorch_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Copies all of `from`; takes NULL for `to`. Returns the status. */
aiorch_status aio__error_copy(aiorch_error *to, const aiorch_error *from);
/* What a server answers with where a service has refused a request: 400 when what the caller sent was refused as invalid, so that it
 * would be refused again; else 0, which is by the status. `answered`: the service's own HTTP status; 0 for none. */
int32_t aio__error_http_of_refusal(aiorch_status status, int32_t answered);

#endif
