/* How attempts of the generate stage end: what they have used, and what of it is known. */
#include "../support/pipeline_fixture.h"

#include "core/call.h"

enum { IN = AIORCH_USAGE_INPUT, OUT = AIORCH_USAGE_OUTPUT };

static void test_attempt_usage__counted_estimated_or_nothing(void **state) {
  (void)state;
  static const char text[] = "Some words of an answer, twelve tokens or so by the estimate.";
  static const struct {
    const char *text;
    bool said, has_usage, partial;
    aiorch_status status;
    int64_t in, out;                   /* counted */
    int64_t used_in, used_out_least;   /* expected; the prompt has 100 */
    bool estimated, given_up;
  } rows[] = {
      {text, true, true, false, AIORCH_OK, 7, 3, 7, 3, false, false},            /* counted is counted */
      {text, true, true, false, AIORCH_E_NETWORK, 7, 3, 7, 3, false, false},
      {"", true, true, false, AIORCH_E_NETWORK, 7, 3, 7, 3, false, false},
      {text, true, true, true, AIORCH_E_NETWORK, 7, 1, 7, 10, true, false},      /* the input is known, the output was more */
      {text, true, true, true, AIORCH_E_NETWORK, 7, 5000, 7, 5000, true, false}, /* thinking that is in no text */
      {"", true, true, true, AIORCH_E_NETWORK, 7, 1, 7, 1, true, false},          /* counted, but not to its end */
      {text, true, false, false, AIORCH_OK, 0, 0, 100, 10, true, false},
      {"", true, false, false, AIORCH_OK, 0, 0, 100, 0, true, false},            /* a tool call alone has taken the prompt, too */
      {"", true, false, false, AIORCH_E_PROVIDER_BUSY, 0, 0, 0, 0, false, false},
      {text, false, false, false, AIORCH_OK, 0, 0, 100, 10, true, false},        /* it said nothing of itself */
      {"", false, false, false, AIORCH_OK, 0, 0, 0, 0, false, false},
      {"", false, false, false, AIORCH_OK, 0, 0, 100, 0, true, true},     /* who was given up has read the prompt */
      {"", true, false, false, AIORCH_E_CANCELLED, 0, 0, 100, 0, true, true},
      {"", true, true, true, AIORCH_E_CANCELLED, 7, 1, 7, 1, true, true},
      {text, true, true, false, AIORCH_E_CANCELLED, 7, 3, 7, 3, false, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    static aio__call_result result;
    memset(&result, 0, sizeof result);
    result.has_usage = rows[i].has_usage;
    result.usage_partial = rows[i].partial;
    result.status = rows[i].status;
    result.usage[IN] = rows[i].in;
    result.usage[OUT] = rows[i].out;
    result.usage[AIORCH_USAGE_CACHE_READ] = rows[i].said ? 2 : 0;
    aio__usage usage = {.estimated = false};
    aio__attempt_usage(&usage, rows[i].said ? &result : NULL, aio__str_z(rows[i].text), rows[i].given_up, 100);
    if (usage.n[IN] != rows[i].used_in) fail_msg("row %zu: %lld in", i, (long long)usage.n[IN]);
    bool exact = !rows[i].estimated || rows[i].text[0] == '\0' || rows[i].out == 5000;
    bool right = exact ? usage.n[OUT] == rows[i].used_out_least : usage.n[OUT] >= rows[i].used_out_least && usage.n[OUT] < 30;
    if (!right) fail_msg("row %zu: %lld out", i, (long long)usage.n[OUT]);
    assert_int_equal(usage.estimated, rows[i].estimated);
    assert_int_equal(usage.n[AIORCH_USAGE_CACHE_READ], rows[i].said ? 2 : 0);
  }
}

/* ---- given up while it was out ---- */

typedef struct out_there {
  const char *text;
  bool counts;  /* it says what it has used when it is cancelled */
  bool sent;
} out_there;

static aiorch_status begin(void *self, aiorch_call *call) {
  const out_there *o = self;
  aio__call_put_sent(call, o->sent);
  if (o->text) assert_int_equal(aiorch_call_emit(call, o->text, strlen(o->text)), AIORCH_OK);
  return AIORCH_SLOT_PENDING;
}

static void break_off(void *self, aiorch_call *call) {
  const out_there *o = self;
  if (o->counts) assert_int_equal(aiorch_call_put_usage(call, IN, 55), AIORCH_E_CANCELLED);
  if (o->counts) aio__call_put_usage_partial(call);
  aiorch_call_finish(call, AIORCH_E_CANCELLED);
}

static void open_out_there(fixture *f, out_there *o) {
  static const scripted_answer unused[] = {{.text = ""}};
  fixture_open(f, "{\"generate.model\": \"claude-sonnet-4-5\"}", unused, 1, NULL, 0);
  aio__plugin_provider *provider = &f->orch->plugins.providers[0];
  provider->vtbl.generate = begin;
  provider->vtbl.cancel = break_off;
  provider->vtbl.destroy = NULL;
  provider->self = o;
}

static aiorch_status drive(aiorch_run *run) {
  const aiorch_event *event;
  aiorch_status st;
  while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {}
  return st;
}

/* What `aiorch costs` says of the only run that there is. */
static void assert_row(fixture *f, const char *provider, const char *model, int64_t cost, bool estimated) {
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  const char *const wanted[] = {provider, model};
  for (int i = 0; i < 2; i++) {
    aio__cost_row *rows = NULL;
    size_t count = 0;
    aio__sync sync;
    assert_int_equal(aio__sync_begin(&sync, f->orch, 1000, NULL), AIORCH_OK);
    aio__store *store = f->orch->store;
    aio__str by = aio__str_z(i ? "model" : "provider");
    assert_int_equal(aio__sync_end(&sync, store->ledger->costs(store, &sync.op, AIO__LIT("acme"), 0, INT64_MAX, by, &arena, &rows, &count), NULL),
                     AIORCH_OK);
    aio__sync_free(&sync);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].group.n ? rows[0].group.p : "", wanted[i]);
    assert_int_equal(rows[0].unknown_price, 0);
    assert_int_equal(rows[0].cost_nano_usd, cost);
    assert_int_equal(rows[0].usage.estimated, estimated);
  }
  aio__arena_free(&arena);
}

static void test_attempt_dropped__has_the_tokens_that_are_known(void **state) {
  (void)state;
  static const char text[] = "Some words of an answer that nobody waits for any more, fifteen tokens or so.";
  static const struct {
    out_there how;
    bool alone, tokens;
  } rows[] = {{{text, false, true}, true, true},  {{text, true, true}, true, true},   {{text, false, true}, false, true},
              {{NULL, true, true}, true, true},   {{NULL, false, true}, true, true},  {{NULL, false, false}, true, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fixture f;
    out_there how = rows[i].how;
    open_out_there(&f, &how);
    aiorch_run *run = fixture_ask(&f, "acme", "u1", "What is it?");
    if (rows[i].alone) assert_int_equal(aiorch_run_set_option(run, "generate.single_flight", "off", 3), AIORCH_OK);
    assert_int_equal(drive(run), AIORCH_AGAIN);
    assert_int_equal(aiorch_cancel(f.orch, run->id, strlen(run->id)), AIORCH_OK);
    assert_int_equal(drive(run), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(run), AIORCH_E_CANCELLED);
    int64_t in = aiorch_run_attempt_usage(run, 0, IN), out = aiorch_run_attempt_usage(run, 0, OUT), cost;
    if (how.counts) assert_int_equal(in, 55);
    else assert_int_equal(in > 0, rows[i].tokens);
    assert_int_equal(out > 10, how.text != NULL);
    assert_int_equal(aiorch_run_usage(run, IN), in);
    assert_int_equal(aiorch_run_usage(run, OUT), out);
    assert_int_equal(aiorch_run_usage_estimated(run) != 0, how.sent);
    assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
    assert_int_equal(cost, 3000 * in + 15000 * out); /* an estimate, as the mark on its tokens says */
    assert_row(&f, how.sent ? "first" : "", how.sent ? "claude-sonnet-4-5" : "", cost, how.sent);
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

/* The output check stops an answer that is still being written. */
static void test_attempt_end__of_a_blocked_answer_in_its_midst(void **state) {
  (void)state;
  static char text[2000];
  strcpy(text, "The id is AKIAQ3XK7ZPL2MVT5RWN, use it.");
  while (strlen(text) < 1800) strcat(text, " and so on");
  for (int counts = 0; counts < 2; counts++) {
    fixture f;
    out_there how = {text, counts == 1, true};
    open_out_there(&f, &how);
    aiorch_run *run = fixture_ask(&f, "acme", "u1", "What is it?");
    assert_int_equal(aiorch_run_set_option(run, "generate.single_flight", "off", 3), AIORCH_OK);
    assert_int_equal(drive(run), AIORCH_DONE);
    assert_int_equal(aiorch_run_status(run), AIORCH_E_OUTPUT_BLOCKED);
    int64_t cost, in = aiorch_run_usage(run, IN);
    assert_true(counts ? in == 55 : in > 0);
    assert_in_range(aiorch_run_usage(run, OUT), 200, 1000);
    assert_true(aiorch_run_usage_estimated(run));
    assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
    assert_int_equal(cost, 3000 * in + 15000 * aiorch_run_usage(run, OUT));
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

/* What ended well is no failure, and its tokens have a price. */
static void test_attempt_end__of_an_answer(void **state) {
  (void)state;
  static const scripted_answer script[] = {{.text = "It is so.", .input = 1000, .output = 10}};
  fixture f;
  fixture_open(&f, "{\"generate.model\": \"claude-sonnet-4-5\"}", script, 1, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What is it?", AIORCH_OK);
  int64_t cost = 0;
  assert_int_equal(fixture_counter(&f, AIO__N_ATTEMPTS_FAILED), 0);
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
  assert_true(cost > 0);
  assert_int_equal(aiorch_run_usage(run, IN), 1000);
  assert_int_equal(run->attempts[0].status, AIORCH_OK);
  aiorch_run_free(run);
  fixture_close(&f);
}

static aiorch_status answer_as_x(void *self, aiorch_call *call) {
  (void)self;
  assert_int_equal(aiorch_call_put_model(call, "x", 1), AIORCH_OK);
  assert_int_equal(aiorch_call_emit(call, "Yes.", 4), AIORCH_OK);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

/* Whoever says which model has answered is believed, however short its name. */
static void test_attempt_end__has_the_model_that_answered(void **state) {
  (void)state;
  fixture f;
  out_there how = {NULL, false, true};
  open_out_there(&f, &how);
  f.orch->plugins.providers[0].vtbl.generate = answer_as_x;
  aiorch_run *run = fixture_execute(&f, "What is it?", AIORCH_OK);
  assert_string_equal(run->attempts[0].model, "x");
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attempt_usage__counted_estimated_or_nothing),
      cmocka_unit_test(test_attempt_dropped__has_the_tokens_that_are_known),
      cmocka_unit_test(test_attempt_end__of_an_answer),
      cmocka_unit_test(test_attempt_end__has_the_model_that_answered),
      cmocka_unit_test(test_attempt_end__of_a_blocked_answer_in_its_midst),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
