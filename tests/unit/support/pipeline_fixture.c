#include "pipeline_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static aiorch_status generate(void *self, aiorch_call *call) {
  scripted_provider *p = self;
  const scripted_answer *a = &p->script[p->at];
  if (p->at + 1 < p->count) p->at++;
  p->calls++;
  const char *text;
  size_t len;
  assert_int_equal(aiorch_call_system(call, &text, &len), AIORCH_OK);
  (void)snprintf(p->last_system, sizeof p->last_system, "%s", text);
  assert_int_equal(aiorch_call_model(call, &text, &len), AIORCH_OK);
  (void)snprintf(p->last_model, sizeof p->last_model, "%s", text);
  assert_int_equal(aiorch_call_request_json(call, &text, &len), AIORCH_OK);
  (void)snprintf(p->last_request, sizeof p->last_request, "%s", text);
  if (a->text) assert_int_equal(aiorch_call_emit(call, a->text, strlen(a->text)), AIORCH_OK);
  if (a->input || a->output) {
    aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, a->input);
    aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, a->output);
  }
  if (a->stop) assert_int_equal(aiorch_call_put_stop_sequence(call, a->stop, strlen(a->stop)), AIORCH_OK);
  if (a->finish_reason) aiorch_call_put_finish_reason(call, a->finish_reason);
  if (a->http_status || a->retry_after_ms) {
    aiorch_call_put_error(call, "scripted", 8, a->http_status, a->retry_after_ms ? a->retry_after_ms : -1);
  }
  if (a->status == AIORCH_PENDING) return AIORCH_SLOT_PENDING;
  aiorch_call_finish(call, a->status);
  return AIORCH_SLOT_OK;
}

static void destroy(void *self) { ((scripted_provider *)self)->destroyed++; }

static void add_provider(aiorch_config *config, const char *name, scripted_provider *p, const scripted_answer *script,
                         size_t count) {
  if (!script) return;
  p->script = script;
  p->count = count;
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "scripted-1";
  vtbl.generate = generate;
  vtbl.destroy = destroy;
  assert_int_equal(aiorch_config_add_provider(config, name, &vtbl, p, NULL), AIORCH_OK);
}

void fixture_open(fixture *f, const char *settings, const scripted_answer *first, size_t first_count,
                  const scripted_answer *second, size_t second_count) {
  memset(f, 0, sizeof *f);
  virtual_clock_init(&f->clock);
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &f->clock.clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  if (settings && aiorch_config_load_json(config, settings, strlen(settings), "settings", error) != AIORCH_OK) {
    fail_msg("%s", aiorch_error_message(error));
  }
  add_provider(config, "first", &f->first, first, first_count);
  add_provider(config, "second", &f->second, second, second_count);
  if (aiorch_open(config, &f->orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_config_free(config);
  aiorch_error_free(error);
  fixture_draw(f);
}

static uint32_t draw(void *ctx) { return ((fixture *)ctx)->lot; }

aiorch *fixture_plain(aio__test_alloc *t, const char *settings) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  aio__test_alloc_init(t);
  assert_int_equal(aiorch_config_new_with(&t->al, &config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  if (settings != NULL) assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  return orch;
}

void fixture_draw(fixture *f) {
  f->orch->random = draw;
  f->orch->random_ctx = f;
}

void fixture_close(fixture *f) {
  assert_int_equal(aiorch_close(f->orch, 30000), AIORCH_OK);
  assert_int_equal(aiorch_free(f->orch), AIORCH_OK);
}

int fixture_set_up_with(void **state, const char *settings, const scripted_answer *script, size_t count) {
  fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  fixture_open(f, settings, script, count, NULL, 0);
  *state = f;
  return 0;
}

int fixture_set_up(void **state) { return fixture_set_up_with(state, NULL, NULL, 0); }

int fixture_tear_down(void **state) {
  fixture_close(*state);
  free(*state);
  return 0;
}

aiorch_run *fixture_from_json(fixture *f, const char *request) {
  aiorch_error error;
  aiorch_run *run = NULL;
  aio__error_init(&error);
  if (aiorch_run_from_json(f->orch, request, strlen(request), &run, &error) != AIORCH_OK) fail_msg("%s", error.message);
  return run;
}

aiorch_run *fixture_ask(fixture *f, const char *tenant, const char *user, const char *question) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(f->orch, tenant, strlen(tenant), user, strlen(user), &run), AIORCH_OK);
  if (question) {
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)), AIORCH_OK);
  }
  return run;
}

aiorch_run *fixture_execute(fixture *f, const char *question, aiorch_status expected) {
  aiorch_run *run = fixture_ask(f, "acme", "u1", question);
  aiorch_status st = aiorch_run_execute(run);
  if (st != expected) {
    fail_msg("%s, not %s: %s", aiorch_status_name(st), aiorch_status_name(expected),
             aiorch_error_message(aiorch_run_error(run)));
  }
  return run;
}

void fixture_add(fixture *f, const char *tenant, const char *source, const char *text) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, text, strlen(text)), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(f->orch, tenant, strlen(tenant), d, 30000, NULL), AIORCH_OK);
  aiorch_document_free(d);
  virtual_clock_advance_ms(&f->clock, 1); /* what happens in the millisecond of an addition counts as before it */
}

void fixture_remove(fixture *f, const char *tenant, const char *source) {
  assert_int_equal(aiorch_knowledge_remove(f->orch, tenant, strlen(tenant), source, strlen(source), 30000, NULL),
                   AIORCH_OK);
}

const char *fixture_answer(const aiorch_run *run) {
  const char *text = NULL;
  assert_int_equal(aiorch_run_answer(run, &text, NULL), AIORCH_OK);
  return text;
}

int64_t fixture_counter(fixture *f, int which) { return (int64_t)atomic_load(&f->orch->counters.n[which]); }

size_t fixture_ledger(fixture *f, const char *run_id, aio__attempt_row *rows, size_t room) {
  aio__arena arena;
  aio__attempt_row *all = NULL;
  size_t count = 0;
  aio__sync sync;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  assert_int_equal(aio__sync_begin(&sync, f->orch, 1000, NULL), AIORCH_OK);
  aio__store *store = f->orch->store;
  assert_int_equal(aio__sync_end(&sync, store->ledger->attempts(store, &sync.op, AIO__LIT("acme"), aio__str_z(run_id), &arena, &all,
                                                                &count), NULL), AIORCH_OK);
  aio__sync_free(&sync);
  for (size_t i = 0; i < count && i < room; i++) {
    rows[i] = all[i];
    rows[i].provider = rows[i].model = rows[i].request_id = AIO__LIT("");
  }
  aio__arena_free(&arena);
  return count;
}
