/* One tiny call to each of several providers, all at once, and what came of it. */
#ifndef PROVIDER_CHECK_H
#define PROVIDER_CHECK_H

#include "cli.h"

typedef struct provider_check {
  const char *name;   /* borrowed */
  aiorch_run *run;    /* NULL: it could not be made */
  aiorch_status status;
  int64_t latency_us; /* of its last attempt */
  int32_t http_status; /* 0: there was no answer over HTTP */
  cli_bytes model;    /* that answered, or was asked */
  cli_bytes why;      /* what failed, in words; empty when it answered */
} provider_check;

/* Asks all of them, and waits until each has answered or its time is over. Ctrl-C cancels. */
void provider_check_all(cli *c, provider_check *checks, size_t count);
void provider_check_free(provider_check *check);

#endif
