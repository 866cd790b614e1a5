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
#include "virtual_clock.h"

typedef struct scripted_answer {
  const char *text;       /* emitted in one piece; NULL: nothing */
  aiorch_status status;   /* AIORCH_PENDING: never finished */
  int32_t finish_reason;  /* 0: not said */
  int64_t input, output;  /* tokens; 0, 0: not counted */
  int32_t http_status;
  int64_t retry_after_ms; /* 0: unknown */
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
void fixture_draw(fixture *f); /* from now on the orchestrator draws f->lot; fixture_open does it */
void fixture_close(fixture *f);
aiorch_run *fixture_ask(fixture *f, const char *tenant, const char *user, const char *question);
/* Asks and executes; the run is the caller's. */
aiorch_run *fixture_execute(fixture *f, const char *question, aiorch_status expected);
void fixture_add(fixture *f, const char *tenant, const char *source, const char *text);
void fixture_remove(fixture *f, const char *tenant, const char *source);
const char *fixture_answer(const aiorch_run *run);
int64_t fixture_counter(fixture *f, int which);

#endif
