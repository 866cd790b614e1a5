/*
 * Server-sent events, read as they come: bytes in, split anywhere, events out. The rules are WHATWG HTML's "server-sent events"
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html), with two differences that streams of models need: an event that
 * is complete but for its blank line is given at a clean end, and there is no reconnecting (a retry would repeat a paid answer).
 */
#ifndef AIO_NET_SSE_H
#define AIO_NET_SSE_H

#include "core/buf.h"

enum { AIO__SSE_EVENT_MAX = 16 << 20 /* bytes of one event, or of one line */ };

/* One event. Borrowed until the callback returns. */
typedef struct aio__sse_event {
  aio__str type; /* of its "event:" line; empty when there was none */
  aio__str data; /* its "data:" lines, joined by LF */
} aio__sse_event;

/* An error ends the feeding; what comes after it in the bytes is not read. */
typedef aiorch_status (*aio__sse_take)(void *ctx, const aio__sse_event *event);

typedef struct aio__sse {
  size_t max;
  aio__buf line;  /* the begin of a line whose end has not come */
  aio__buf data, type;
  aio__str held;  /* the only data line so far, while it lies in the bytes being fed: most events are never copied */
  bool has_data, after_cr;
  int bom;        /* bytes of a byte order mark that have come at the very begin; 3: that is over */
  uint64_t comments; /* lines that began with a colon: a sign of life */
} aio__sse;

/* `max`: the longest event, at most AIO__SSE_EVENT_MAX. */
void aio__sse_init(aio__sse *sse, const aio__alloc *al, size_t max);
void aio__sse_free(aio__sse *sse);
/* Reads all of it. AIORCH_OK; AIORCH_E_NOMEM; AIORCH_E_TOO_LARGE: an event above the limit; what `take` returned. After an error
 * the parser is of no more use. */
aiorch_status aio__sse_feed(aio__sse *sse, aio__str bytes, aio__sse_take take, void *ctx);
/* The stream has ended cleanly: gives what is still unfinished, if it has data. */
aiorch_status aio__sse_end(aio__sse *sse, aio__sse_take take, void *ctx);

#endif
