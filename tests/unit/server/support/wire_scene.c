/* See wire_scene.h. */
#include "wire_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static aiorch_status generate(void *self, aiorch_call *call) {
  wire_scene *s = self;
  const char *json = "";
  size_t len = 0;
  cli_clear(&s->asked);
  if (aiorch_call_request_json(call, &json, &len) == AIORCH_OK) cli_add(&s->asked, json, len);
  for (size_t i = 0; i < SCENE_PIECES && s->pieces[i]; i++) aiorch_call_emit(call, s->pieces[i], strlen(s->pieces[i]));
  for (size_t i = 0; i < SCENE_CALLS && s->calls[i].id; i++) {
    const scene_call *c = &s->calls[i];
    aiorch_call_put_tool_call(call, c->id, strlen(c->id), c->name, strlen(c->name), c->arguments, strlen(c->arguments));
  }
  for (int32_t i = 0; i < AIORCH_USAGE_COUNT; i++) aiorch_call_put_usage(call, i, s->usage[i]);
  if (s->stop) aiorch_call_put_stop_sequence(call, s->stop, strlen(s->stop));
  if (s->finish) aiorch_call_put_finish_reason(call, s->finish);
  if (s->fails) { /* later, when what it said has been taken */
    s->held = call;
    return AIORCH_SLOT_PENDING;
  }
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static void break_off(wire_scene *s) {
  aiorch_call *call = s->held;
  s->held = NULL;
  if (!call) return;
  aiorch_call_put_error(call, "it broke", 8, 500, -1);
  aiorch_call_finish(call, s->fails);
}

void scene_open(wire_scene *s, const wire *w, const char *settings, const char *allowed) {
  static const char own[] = "{\"store\":\"memory\",\"embedder\":\"none\",\"rate_limit.requests\":0,\"rate_limit.refused\":0}";
  aiorch_config *config = NULL;
  aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "fake-1", .generate = generate};
  *s = (wire_scene){.wire = w, .who = {.tenant = "acme", .user = "alice", .tenant_len = 4, .user_len = 5}};
  snprintf(s->request.id, sizeof s->request.id, "req-1");
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(config, own, sizeof own - 1, NULL, NULL), AIORCH_OK);
  if (settings) assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "fake", &vtbl, s, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &s->orch, NULL), AIORCH_OK);
  s->models = model_catalog_make(s->orch, config, allowed);
  assert_non_null(s->models);
  aiorch_config_free(config);
}

void scene_hello(wire_scene *s, const wire *w) {
  scene_open(s, w, NULL, NULL);
  s->pieces[0] = "Hel";
  s->pieces[1] = "lo.";
  s->usage[AIORCH_USAGE_INPUT] = 60;
  s->usage[AIORCH_USAGE_CACHE_READ] = 40;
  s->usage[AIORCH_USAGE_OUTPUT] = 15;
  s->usage[AIORCH_USAGE_REASONING] = 5;
}

static void end_exchange(wire_scene *s) {
  if (s->x.orch) s->wire->end(&s->x);
  aiorch_run_free(s->x.run);
  cli_release(&s->x.out);
  headers_free(&s->x.headers);
  cli_list_free(&s->x.warnings);
  s->x = (exchange){.orch = NULL};
}

void scene_close(wire_scene *s) {
  end_exchange(s);
  cli_release(&s->asked);
  model_catalog_free(s->models);
  aiorch_close(s->orch, 5000);
  aiorch_free(s->orch);
}

bool scene_begin(wire_scene *s, const char *body) {
  end_exchange(s);
  s->x = (exchange){.orch = s->orch, .models = s->models, .who = &s->who, .request = &s->request};
  return s->wire->begin(&s->x, body, strlen(body), &s->why);
}

const char *scene_run(wire_scene *s) {
  const aiorch_event *event;
  aiorch_status status;
  exchange *x = &s->x;
  int idle = 0;
  while ((status = aiorch_run_next(x->run, s->fails ? 0 : -1, &event)) == AIORCH_OK || status == AIORCH_AGAIN) {
    if (status == AIORCH_AGAIN) {
      if (++idle % 2 == 0) break_off(s); /* what it said has been taken by now */
      continue;
    }
    exchange_event(x, s->wire, event);
    x->started = x->started || (x->streamed && x->out.len > 0);
  }
  assert_int_equal(status, AIORCH_DONE);
  if (aiorch_run_status(x->run) != AIORCH_OK) {
    http_problem_of(&s->why, aiorch_run_status(x->run), aiorch_run_error(x->run));
    s->wire->problem(x, &s->why);
  } else if (!x->streamed) {
    s->wire->whole(x);
  }
  return cli_z(&x->out);
}

const char *scene_ask(wire_scene *s, const char *body) {
  if (!scene_begin(s, body)) fail_msg("refused: %s\n%s", s->why.message, body);
  return scene_run(s);
}

void scene_refused(wire_scene *s, const char *body, int status, const char *param, const char *words) {
  if (scene_begin(s, body)) fail_msg("taken: %s", body);
  if (s->why.status != status) fail_msg("%d, not %d: %s\n%s", s->why.status, status, s->why.message, body);
  if (strcmp(s->why.param ? s->why.param : "", param ? param : "") != 0) fail_msg("param is %s, not %s\n%s", s->why.param, param, body);
  assert_has(s->why.message, words);
}

void assert_has(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("\n  %s\nis not in\n  %s", part, text);
}

void assert_has_not(const char *text, const char *part) {
  if (strstr(text, part)) fail_msg("\n  %s\nis in\n  %s", part, text);
}
