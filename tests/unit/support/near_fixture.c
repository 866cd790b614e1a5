/* The fixture of near_fixture.h. */
#include "support/near_fixture.h"

static const scripted_answer answers[] = {
  {.text = "First answer."}, {.text = "Second answer."}, {.text = "Third answer."}, {.text = "Fourth answer."}};

static aiorch_status generate(void *self, aiorch_call *call) {
  scripted_provider *p = self;
  const scripted_answer *a = &p->script[p->at < p->count - 1 ? p->at++ : p->at];
  p->calls++;
  (void)aiorch_call_emit(call, a->text, strlen(a->text));
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

void near_open(near_fixture *n, bool plugin, const char *settings) {
  static const char base[] = "{\"store\": \"memory\", \"retrieve\": {\"threshold\": 0.5}, \"cache\": {\"threshold\": 0.9},"
                             " \"rate_limit.requests\": 0}";
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  memset(n, 0, sizeof *n);
  virtual_clock_init(&n->f.clock);
  fake_vectors_init(&n->vectors);
  n->f.first = (scripted_provider){.script = answers, .count = sizeof answers / sizeof *answers};
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &n->f.clock.clock);
  assert_int_equal(aiorch_config_load_json(config, base, strlen(base), "base", NULL), AIORCH_OK);
  if (settings)
    assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), "settings", NULL), AIORCH_OK);
  if (plugin) fake_vectors_register(&n->vectors, config);
  else fake_vectors_register_embedder(&n->vectors, config);
  aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "model-1", .generate = generate};
  assert_int_equal(aiorch_config_add_provider(config, "first", &vtbl, &n->f.first, NULL), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  if (aiorch_open(config, &n->f.orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_error_free(error);
  aiorch_config_free(config);
}

void near_close(near_fixture *n) {
  fixture_close(&n->f);
  fake_vectors_free(&n->vectors);
}

int near_in_store(void **state) {
  *state = NULL;
  return 0;
}

int near_in_plugin(void **state) {
  static int yes;
  *state = &yes;
  return 0;
}
