/* Rows for the tests of the spool: included, not compiled by itself. */
#ifndef AIO_TESTS_STORES_SPOOL_ROWS_H
#define AIO_TESTS_STORES_SPOOL_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stores/store.h"

enum { SAMPLE_ATTEMPTS = 2 };

/* A run with two attempts; everything about it follows from its number. */
typedef struct sample {
  char user[16], request[16];
  aio__run_row run;
  aio__attempt_row attempt[SAMPLE_ATTEMPTS];
} sample;

static void sample_id(char out[AIO__UUID_LEN + 1], int kind, int number) {
  (void)snprintf(out, AIO__UUID_LEN + 1, "01900000-0000-7000-%04x-%012x", 0x8000 + kind, (unsigned)number);
}

static void sample_fill(sample *s, int number) {
  memset(s, 0, sizeof *s);
  (void)snprintf(s->user, sizeof s->user, "user-%d", number % 3);
  (void)snprintf(s->request, sizeof s->request, "req_%d", number);
  sample_id(s->run.id, 0, number);
  s->run.user = aio__str_z(s->user);
  s->run.provider = AIO__LIT("provider");
  s->run.model = AIO__LIT("a-model");
  s->run.status = number % 5 == 0 ? AIORCH_E_PROVIDERS_UNAVAILABLE : AIORCH_OK;
  s->run.cache = AIORCH_CACHE_MISS;
  s->run.cost_known = true;
  s->run.cost_nano_usd = 1000 + number;
  s->run.created_ms = 1763942400000 + number;
  s->run.duration_us = 77;
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) s->run.usage.n[i] = 10 * number + i;
  s->run.usage.estimated = number % 2 == 1;
  for (int i = 0; i < SAMPLE_ATTEMPTS; i++) {
    aio__attempt_row *a = &s->attempt[i];
    sample_id(a->id, 1 + i, number);
    memcpy(a->run_id, s->run.id, sizeof a->run_id);
    a->state = AIO__ATTEMPT_SETTLED;
    a->kind = AIORCH_ATTEMPT_GENERATE;
    a->status = i == 0 ? AIORCH_E_NETWORK : AIORCH_OK;
    a->http_status = i == 0 ? 503 : 200;
    a->provider = s->run.provider;
    a->model = s->run.model;
    a->request_id = aio__str_z(s->request);
    a->usage = s->run.usage;
    a->cost_known = i == 1;
    a->cost_nano_usd = s->run.cost_nano_usd;
    a->created_ms = s->run.created_ms + i;
    a->duration_us = 33;
    a->lease_until_ms = s->run.created_ms + 600000;
  }
}

#endif
