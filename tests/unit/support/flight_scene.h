/* A handle whose provider answers when the test says so, and runs that ask it the same. In virtual time. */
#ifndef AIO_TESTS_FLIGHT_SCENE_H
#define AIO_TESTS_FLIGHT_SCENE_H

#include "pipeline_fixture.h"

enum { CALLS_MAX = 256 };

/* A provider whose calls stay out until the test says what comes. Each call is held until it is finished. */
typedef struct held {
  aiorch_call *calls[CALLS_MAX];
  int count, cancelled;
  char system[4096]; /* of the last call */
} held;

typedef struct scene {
  fixture f;
  held h;
} scene;

scene *begin(const char *settings);                        /* the one there is */
aiorch_run *ask(scene *s, const char *user);               /* driven as far as it goes */
/* As far as it goes now. What came as deltas is appended to `deltas` (may be NULL). */
aiorch_status drive(aiorch_run *run, char *deltas);
void say(held *h, int call, const char *text);
void finish(held *h, int call, aiorch_status status, int64_t input);
const char *long_text(void);                               /* more than is held back */

#endif
