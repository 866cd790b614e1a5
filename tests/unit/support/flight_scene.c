/* See flight_scene.h. */
#include "flight_scene.h"

#include <stdio.h>

static aiorch_status hold(void *self, aiorch_call *call) {
  held *h = self;
  const char *text;
  size_t n;
  assert_int_equal(aiorch_call_system(call, &text, &n), AIORCH_OK);
  (void)snprintf(h->system, sizeof h->system, "%.*s", (int)n, text);
  assert_true(h->count < CALLS_MAX);
  h->calls[h->count++] = call;
  return AIORCH_SLOT_PENDING;
}

static void cancelled(void *self, aiorch_call *call) {
  ((held *)self)->cancelled++;
  aiorch_call_finish(call, AIORCH_E_CANCELLED);
}

void say(held *h, int call, const char *text) {
  assert_int_equal(aiorch_call_emit(h->calls[call], text, strlen(text)), AIORCH_OK);
}

void finish(held *h, int call, aiorch_status status, int64_t input) {
  if (input) assert_int_equal(aiorch_call_put_usage(h->calls[call], AIORCH_USAGE_INPUT, input), AIORCH_OK);
  aiorch_call_finish(h->calls[call], status);
}

scene *begin(const char *settings) {
  static const scripted_answer unused[] = {{.text = ""}};
  static scene s;
  memset(&s, 0, sizeof s);
  fixture_open(&s.f, settings, unused, 1, NULL, 0);
  aio__plugin_provider *provider = &s.f.orch->plugins.providers[0];
  provider->vtbl.generate = hold;
  provider->vtbl.cancel = cancelled;
  provider->vtbl.destroy = NULL;
  provider->self = &s.h;
  return &s;
}

aiorch_status drive(aiorch_run *run, char *deltas) {
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  aiorch_status st;
  while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
    if (!deltas || aiorch_event_type(event) != AIORCH_EVENT_DELTA) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    strncat(deltas, text, n);
  }
  return st;
}

aiorch_run *ask(scene *s, const char *user) {
  aiorch_run *run = fixture_ask(&s->f, "acme", user, "What is it?");
  assert_int_equal(drive(run, NULL), AIORCH_AGAIN);
  return run;
}

const char *long_text(void) {
  static char words[3000];
  words[0] = '\0';
  while (strlen(words) < 2500) strcat(words, "some words of it, ");
  return words;
}
