/*
 * One call of a provider that runs of a handle share, as they ask the same at the same time ("generate.single_flight"): what they share
 * while the answer is made. generate/flight.h says who does what; a flight is the call with those who share it.
 *
 * A flight belongs to the handle. Its text only grows, up to "generate.response_max_bytes", and is never paused; whichever participant
 * is driven steps the call. Each copies what has come into its own run, and checks and holds back there.
 *
 * Locks: the flight's `step` is held while its call is stepped, never while a plug-in's slot runs; then, in this order, the call's
 * mutex, the flight's waker, the table's mutex, a run's waker. A participant that finds `step` taken does not wait for it.
 */
#ifndef AIO_PIPELINE_SHARED_CALL_H
#define AIO_PIPELINE_SHARED_CALL_H

#include "generate/flight.h"
#include "pipeline/run_state.h"

enum { AIO__SHARED_TOLD_MAX = 512 /* warnings that a flight passes on; what comes after is its leader's alone */ };

aiorch_status aio__shared_calls_new(const aio__alloc *al, aio__shared_calls **out);
void aio__shared_calls_free(aio__shared_calls *flights); /* takes NULL; nobody is in one any more */

/* Takes a seat where the run may share its answer; else, and without memory, the run goes alone: run->seat.flight stays NULL. */
void aio__shared_call_join(aiorch_run *run);
/* What is to be done now. For WAITS the run is told when to look again. Before anything else the warnings that others in it have got since
 * the last look become the run's, too. */
aio__flight_role aio__shared_call_role(aiorch_run *run);
/* Takes the lead, or keeps it over a wait. False: it is another's. */
bool aio__shared_call_lead(aiorch_run *run, int64_t wait_ms);
/* run->call was made with aio__shared_call_waker and _deadline, and is started inside, by `start`, unless the lead was lost: false. */
bool aio__shared_call_launch(aiorch_run *run, void (*start)(aiorch_run *run));
aio__waker *aio__shared_call_waker(const aiorch_run *run);
int64_t aio__shared_call_deadline(const aiorch_run *run);
/* Steps what is out and appends what has come to run->raw. AIORCH_OK: *ended says whether all of the round is there, and *status how it
 * ended; AIORCH_AGAIN: run->call has ended, and another round has begun; AIORCH_PENDING: another run is at it; AIORCH_E_TRUNCATED: the
 * round that the run has read is over, and text of it has gone out. Other errors: of run->raw. */
aiorch_status aio__shared_call_pump(aiorch_run *run, bool *ended, aiorch_status *status);
/* The starter is done with its call: it may be dropped. `status` below 0 ends a round that is still out: what has come is no answer for
 * anybody. */
void aio__shared_call_done(aiorch_run *run, aiorch_status status);
/* The run has failed with run->error, and so would any other. */
void aio__shared_call_gave_up(aiorch_run *run);
/* What has come of the round that was read is no answer for anybody, and that is seen before it has ended. */
void aio__shared_call_spoilt(aiorch_run *run, aiorch_status status);
/* A warning of a leader: the others are told, too. */
void aio__shared_call_warn(aiorch_run *run, aiorch_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Reasoning of the answer that has landed, for those who have not asked for it themselves; as aio__call_extra_at. */
bool aio__shared_call_extra_at(const aiorch_run *run, size_t index, aio__call_extra *out);
/* Leaves, if it is in one. An attempt that goes on for others is the flight's to settle: then run->call is NULL and true is returned. */
bool aio__shared_call_leave(aiorch_run *run);

/* What the starter leaves behind. */
typedef struct aio__shared_answer {
  const char *provider, *model; /* in the run's arena */
  int32_t finish_reason;
} aio__shared_answer;
aiorch_status aio__shared_call_answer(aiorch_run *run, aio__shared_answer *out);
/* AIORCH_OK as its status: there is no answer that could be shared, and each asks alone. */
void aio__shared_call_error(aiorch_run *run, aiorch_error *out);

#endif
