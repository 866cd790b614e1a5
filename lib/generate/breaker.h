/*
 * A breaker: whether a provider (with a model and a key) is worth asking at all. Closed: yes. Open: no, until a time. Then one
 * attempt is let through as a probe; it closes the breaker, or opens it again; a probe of which nobody hears any more expires.
 *
 * Pure: state, event and time in, state and answer out. Times are monotonic milliseconds.
 */
#ifndef AIO_GENERATE_BREAKER_H
#define AIO_GENERATE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include <aiorch/error.h>

enum {
  AIO__BREAKER_FAILURES = 5,       /* in a row, until it opens */
  AIO__BREAKER_OPEN_MS = 30000,
  AIO__BREAKER_OPEN_MAX_MS = 600000, /* however long a Retry-After is */
  AIO__BREAKER_PROBE_MS = 60000    /* after which a probe is taken for lost */
};

typedef enum aio__breaker_state { AIO__BREAKER_CLOSED, AIO__BREAKER_OPEN, AIO__BREAKER_PROBING } aio__breaker_state;

/* All zero: closed, with the limits above. */
typedef struct aio__breaker {
  aio__breaker_state state;
  int failures;          /* in a row */
  int64_t until_ms;      /* OPEN: when a probe may go; PROBING: when it counts as lost */
  uint64_t opened;       /* how often it has opened, for stats */
  int failures_most;     /* 0: AIO__BREAKER_FAILURES */
  int64_t open_ms;       /* 0: AIO__BREAKER_OPEN_MS */
} aio__breaker;

/* May an attempt be made now? *probe: it is the one that decides. */
bool aio__breaker_allows(aio__breaker *breaker, int64_t now_ms, bool *probe);
/* Milliseconds until an attempt may be made; 0: now. */
int64_t aio__breaker_wait_ms(const aio__breaker *breaker, int64_t now_ms);
/* Closes it, but not while it is open: then it was the answer to an attempt from before. */
void aio__breaker_success(aio__breaker *breaker);
/* `retry_after_ms`: -1 when not said; a server that names a time is left alone until then. Only failures that speak against the
 * provider count: network, busy, limit, key, truncated, response. */
void aio__breaker_failure(aio__breaker *breaker, aiorch_status status, int64_t retry_after_ms, int64_t now_ms);
/* An attempt that ended without saying anything of the provider: cancelled, past the run's own deadline, rejected request. */
void aio__breaker_nothing(aio__breaker *breaker, bool probe, int64_t now_ms);

#endif
