/*
 * Single flight: identical requests of live runs share one answer while it is made. Who leads, who follows, whose attempt it is, and
 * when it is given up: pure decisions over ids and times; what is shared (the call, its text) and the locks are the pipeline's.
 *
 *   FREE     nobody leads: the first participant that is driven does
 *   LED      its leader writes the row of an attempt, or waits for the next one, or is to say what follows the one that failed. A leader
 *            that is not driven any more loses its place when its time is over, so that the others go on.
 *   OUT      an attempt is out. Whoever is driven steps it; its starter pays for it, also after it has left
 *   LANDED   the answer is whole
 *   FAILED   no provider could answer, and that is so for all
 *
 * An attempt that fails leaves the lead with its starter, whose plan says what follows. When that one has left, or is not driven, another
 * takes over with a plan of its own, but not at once: after each failure the flight pauses, longer each time, for all but its leader. However
 * many are in it, and whatever becomes of its leaders, the upstream that fails gets one request after another, at such distances. What befell
 * a leader alone (it was cancelled, past its own deadline, out of memory) is no failure of the flight.
 */
#ifndef AIO_GENERATE_FLIGHT_H
#define AIO_GENERATE_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

enum { AIO__FLIGHT_LEASE_MS = 1000 /* a leader that is not driven for so long when it should be loses its place */ };

typedef enum aio__flight_state {
  AIO__FLIGHT_FREE,
  AIO__FLIGHT_LED,
  AIO__FLIGHT_OUT,
  AIO__FLIGHT_LANDED,
  AIO__FLIGHT_FAILED
} aio__flight_state;

/* All zero: new, nobody is in it. */
typedef struct aio__flight {
  aio__flight_state state;
  uint32_t members;
  uint32_t round;         /* attempts that were started: text of an older round is nothing to a participant any more */
  uint64_t last_id;
  uint64_t leader;        /* LED: who; OUT: who has started it; 0: that one has left */
  int64_t led_until_ms;
  int failed;             /* attempts */
  int64_t paused_until_ms;
} aio__flight;

/* What a participant is to do when it is driven. */
typedef enum aio__flight_role {
  AIO__FLIGHT_LEADS,      /* it leads, or may: aio__flight_lead */
  AIO__FLIGHT_WAITS,      /* for what the leader does, or for the end of the pause: at most until aio__flight_waits_until */
  AIO__FLIGHT_READS,      /* an attempt is out: step it, take its text */
  AIO__FLIGHT_TAKES,      /* the answer is there */
  AIO__FLIGHT_SHARES      /* the failure is there */
} aio__flight_role;

typedef enum aio__flight_left {
  AIO__FLIGHT_GOES_ON,    /* nothing to do */
  AIO__FLIGHT_ORPHANED,   /* the attempt that is out was this one's: the flight is to settle it when it ends */
  AIO__FLIGHT_ABORTED,    /* nobody is left, and an attempt is out: it is to be aborted and settled */
  AIO__FLIGHT_EMPTY       /* nobody is left, nothing is out */
} aio__flight_left;

/* May one join? Not what has ended: that is for those who were in it. */
bool aio__flight_open(const aio__flight *flight);
uint64_t aio__flight_join(aio__flight *flight);                  /* the id of the new participant, never 0 */
aio__flight_role aio__flight_ask(const aio__flight *flight, uint64_t id, int64_t now_ms);
int64_t aio__flight_waits_until(const aio__flight *flight, int64_t now_ms);
/* Takes or keeps the lead until then. False: another has it, or there is nothing to lead. */
bool aio__flight_lead(aio__flight *flight, uint64_t id, int64_t until_ms, int64_t now_ms);
/* Its attempt leaves. False: the lead was lost meanwhile, and the attempt must not be made. */
bool aio__flight_launch(aio__flight *flight, uint64_t id);
void aio__flight_landed(aio__flight *flight);
/* `retry_after_ms`: what the upstream named; -1: nothing. */
void aio__flight_attempt_failed(aio__flight *flight, int64_t retry_after_ms, int64_t now_ms);
/* The leader has no attempt left. `shared`: so it would be for any other; else the next may try. */
void aio__flight_gave_up(aio__flight *flight, uint64_t id, bool shared);
aio__flight_left aio__flight_leave(aio__flight *flight, uint64_t id);

#endif
