/* An orchestrator on the memory store with a virtual clock and a provider that does what its script says. */
#ifndef AIO_TESTS_PIPELINE_FIXTURE_H
#define AIO_TESTS_PIPELINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <aiorch/aiorch.h>

#include "api/config.h"
#include "pipeline/stages.h"
#include "test_alloc.h"
#include "virtual_clock.h"

typedef struct scripted_answer {
  const char *text;       /* emitted in one piece; NULL: nothing */
  aiorch_status status;   /* AIORCH_PENDING: never finished */
  int32_t finish_reason;  /* 0: not said */
  int64_t input, output;  /* tokens; 0, 0: not counted */
  int32_t http_status;
  int64_t retry_after_ms; /* 0: unknown */
  const char *stop;       /* the stop sequence that ended it; NULL: not said */
} scripted_answer;

typedef struct scripted_provider {
  const scripted_answer *script; /* the last entry is repeated */
  size_t count, at;
  int calls, destroyed;
  char last_system[4096];
  char last_model[64];
  char last_request[8192];
} scripted_provider;

typedef struct fixture {
  virtual_clock clock;
  uint32_t lot;                /* what the orchestrator draws for jitter and weights: 0, waits are 0 */
  scripted_provider first, second;
  aiorch *orch;
} fixture;

/* `settings` is JSON for aiorch_config_load_json, or NULL. `first` and `second` are scripts, or NULL for none. */
void fixture_open(fixture *f, const char *settings, const scripted_answer *first, size_t first_count,
                  const scripted_answer *second, size_t second_count);
/* One over the memory store with the allocator `t`, which it sets up, and nothing else. `settings` as above. */
aiorch *fixture_plain(aio__test_alloc *t, const char *settings);
void fixture_draw(fixture *f); /* from now on the orchestrator draws f->lot; fixture_open does it */
void fixture_close(fixture *f);
/* For cmocka: *state is a fixture of its own. One without a provider; one as fixture_open makes it with a single script. */
int fixture_set_up(void **state);
int fixture_set_up_with(void **state, const char *settings, const scripted_answer *script, size_t count);
int fixture_tear_down(void **state);
aiorch_run *fixture_ask(fixture *f, const char *tenant, const char *user, const char *question);
/* aiorch_run_from_json of what must be good. */
aiorch_run *fixture_from_json(fixture *f, const char *request);
/* Asks and executes; the run is the caller's. */
aiorch_run *fixture_execute(fixture *f, const char *question, aiorch_status expected);
void fixture_add(fixture *f, const char *tenant, const char *source, const char *text);
void fixture_remove(fixture *f, const char *tenant, const char *source);
const char *fixture_answer(const aiorch_run *run);
int64_t fixture_counter(fixture *f, int which);
/* The attempts of a run of "acme" as the ledger has them, without their texts: how many, of which the first `room` are in `rows`. */
size_t fixture_ledger(fixture *f, const char *run_id, aio__attempt_row *rows, size_t room);

#endif
