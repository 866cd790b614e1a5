/*
 * The way of one run along its chain of providers: whom to ask next, when, and when to stop. Pure but for the handle's health,
 * which it asks and tells: the caller makes the calls, waits, and says how they ended.
 *
 *   begin -> GO (make the attempt) -> succeeded
 *                                  -> failed -> GO (with the next one), WAIT -> waited -> GO ..., NOBODY or GIVE_UP
 *                                  -> dropped (the run is over)
 *
 * A provider of which no endpoint may be asked now, because their breakers are open, is passed over. Times are monotonic
 * milliseconds.
 */
#ifndef AIO_GENERATE_ATTEMPT_H
#define AIO_GENERATE_ATTEMPT_H

#include "generate/health.h"

enum { AIO__PLAN_ATTEMPTS_MAX = 192 /* of one run, over all providers */ };

typedef struct aio__target {
  aio__health_whom whom;
  bool built_in;           /* inside the library: always there, without breaker and budget */
  bool left;               /* asked and given up, or passed over */
  int64_t passed_over_ms;  /* its breakers were open: when it may be asked again; 0: it was not passed over */
  bool told;               /* the caller's: the user was told of that */
} aio__target;

typedef enum aio__plan_kind {
  AIO__PLAN_GO,            /* attempt at plan->at, plan->endpoint */
  AIO__PLAN_WAIT,          /* wait_ms, then aio__plan_waited */
  AIO__PLAN_NOBODY,        /* all have been tried or passed over */
  AIO__PLAN_GIVE_UP        /* no other would do better, or text has gone out already */
} aio__plan_kind;

typedef enum aio__plan_turn {
  AIO__TURN_FIRST,
  AIO__TURN_AGAIN,         /* the same endpoint, or, when its breaker has opened, another */
  AIO__TURN_OTHER_KEY,
  AIO__TURN_OTHER_PROVIDER,
  AIO__TURN_LARGER_WINDOW
} aio__plan_turn;

typedef struct aio__plan_move {
  aio__plan_kind kind;
  aio__plan_turn turn;     /* of GO and WAIT */
  int64_t wait_ms;
} aio__plan_move;

/* All zero but for health, targets, count, random. */
typedef struct aio__plan {
  aio__health *health;
  aio__target *targets;    /* the caller's; in the order of the chain */
  size_t count, at;
  int attempts_max;        /* at one provider; 0: AIO__RETRY_ATTEMPTS_MAX */
  uint32_t (*random)(void *ctx);
  void *random_ctx;
  int64_t prompt_tokens;   /* for AIORCH_E_CONTEXT_WINDOW: what did not fit, about */

  uint64_t tried;          /* endpoints of the provider `at` that refused this run */
  uint32_t endpoint;
  bool out, probe;         /* an attempt is out; it decides over a breaker */
  bool opened;             /* the last failure has opened a breaker */
  int failures;            /* at this provider, of those that a wait may mend */
  int total;
  int64_t window;          /* only providers with a window larger than this; 0: any */
} aio__plan;

aio__plan_move aio__plan_begin(aio__plan *plan, int64_t now_ms);
/* The attempt that was out has failed. `remaining_ms`: until the run's deadline. */
aio__plan_move aio__plan_failed(aio__plan *plan, const aio__retry_failure *failure, bool committed, int64_t remaining_ms,
                                int64_t now_ms);
aio__plan_move aio__plan_waited(aio__plan *plan, int64_t now_ms);
void aio__plan_alive(aio__plan *plan);                       /* its first text has come */
void aio__plan_succeeded(aio__plan *plan, int64_t now_ms);
/* The run is over, or the attempt was never made: it says nothing of the provider. Harmless when none is out. */
void aio__plan_dropped(aio__plan *plan, int64_t now_ms);
/* The shortest wait of those that were passed over; -1: none was. */
int64_t aio__plan_shortest_ms(const aio__plan *plan, int64_t now_ms);

#endif
