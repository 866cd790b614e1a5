/*
 * A wire beside a real orchestrator: the memory store, one provider that is a script, and a run driven as the server drives it.
 */
#ifndef WIRE_SCENE_H
#define WIRE_SCENE_H

#include "model_catalog.h"
#include "run_making.h"

enum { SCENE_PIECES = 8, SCENE_CALLS = 4 };

typedef struct scene_call {
  const char *id, *name, *arguments;
} scene_call;

typedef struct wire_scene {
  /* What the provider says; set before scene_run. */
  const char *pieces[SCENE_PIECES];
  scene_call calls[SCENE_CALLS];
  int64_t usage[AIORCH_USAGE_COUNT];
  int32_t finish;          /* 0: not said */
  const char *stop;        /* the sequence that ended it; NULL: not said */
  aiorch_status fails;     /* 0: it does not; behind its pieces */
  /* What it was asked last: JSON, as plug-ins are asked. */
  cli_bytes asked;
  aiorch_call *held;       /* one that is to fail, and has not yet */
  aiorch *orch;
  model_catalog *models;
  caller who;
  http_request request;
  exchange x;
  const wire *wire;
  http_problem why;
} wire_scene;

/* `settings` is JSON laid over the scene's own, NULL for none; `allowed` as model_catalog_make takes it. Provider "fake", model "fake-1". */
void scene_open(wire_scene *s, const wire *w, const char *settings, const char *allowed);
/* A scene whose provider says "Hello." in two pieces, and counts tokens of each kind. */
void scene_hello(wire_scene *s, const wire *w);
void scene_close(wire_scene *s);
/* A new request; false when the wire refused it, with s->why. */
bool scene_begin(wire_scene *s, const char *body);
/* Drives it to its end; what the client would have read, until the next scene_begin. */
const char *scene_run(wire_scene *s);
/* Both, for a request that must be good. */
const char *scene_ask(wire_scene *s, const char *body);
/* A request that must be refused: with this status, this param (NULL: none), and these words somewhere. */
void scene_refused(wire_scene *s, const char *body, int status, const char *param, const char *words);
/* `part` stands in `text`; says both when it does not. */
void assert_has(const char *text, const char *part);
void assert_has_not(const char *text, const char *part);

#endif
