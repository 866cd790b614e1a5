/* Lines of JSON, read as they come: bytes in, split anywhere, lines out. CR before LF is dropped, empty lines are passed over. */
#ifndef AIO_NET_NDJSON_H
#define AIO_NET_NDJSON_H

#include "core/buf.h"

enum { AIO__NDJSON_LINE_MAX = 16 << 20 };

/* An error ends the feeding. The line is borrowed until the callback returns. */
typedef aiorch_status (*aio__ndjson_take)(void *ctx, aio__str line);

typedef struct aio__ndjson {
  size_t max;
  aio__buf line; /* the begin of a line whose end has not come */
} aio__ndjson;

void aio__ndjson_init(aio__ndjson *lines, const aio__alloc *al, size_t max);
void aio__ndjson_free(aio__ndjson *lines);
/* AIORCH_OK; AIORCH_E_NOMEM; AIORCH_E_TOO_LARGE: a line above the limit; what `take` returned. */
aiorch_status aio__ndjson_feed(aio__ndjson *lines, aio__str bytes, aio__ndjson_take take, void *ctx);
/* The stream has ended cleanly: a last line needs no LF. */
aiorch_status aio__ndjson_end(aio__ndjson *lines, aio__ndjson_take take, void *ctx);

#endif
