/* A run, an error and an event as JSON, member by member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "pipeline/run_state.h"
#include "support/virtual_clock.h"

#define ID "01890a5d-ac96-774b-bcce-b302099a8057"
#define USAGE_0                                                                                      \
  "{\"input\":0,\"cache_read\":0,\"cache_write\":0,\"cache_write_1h\":0,\"output\":0,\"reasoning\":0," \
  "\"estimated\":false}"
#define STAGE(name, outcome, ms) "{\"name\":\"" name "\",\"outcome\":\"" outcome "\",\"duration_ms\":" ms "}"

/* A run made by hand: what the report shows is set, the rest is empty. */
typedef struct fixture {
  virtual_clock clock;
  aiorch orch;
  aiorch_run run;
  aio__source source;
  aio__attempt attempts[2];
  aio__buf out;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  virtual_clock_init(&f->clock);
  f->orch.clock = &f->clock.clock;
  aiorch_run *run = &f->run;
  run->orch = &f->orch;
  run->status = AIORCH_PENDING;
  memcpy(run->id, ID, sizeof ID);
  aio__error_init(&run->error);
  aio__buf_init(&run->answer, aio__alloc_default(), 1 << 20);
  run->provider = run->model = run->cache_refused_by = run->cache_refused_detail = "";
  run->cost_known = true;
  aio__buf_init(&f->out, aio__alloc_default(), 1 << 20);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  aio__buf_free(&f->run.answer);
  aio__buf_free(&f->out);
  free(f);
  return 0;
}

static const char *report(fixture *f) {
  aio__json_writer w;
  aio__buf_reset(&f->out);
  aio__jw_init(&w, &f->out);
  aio__run_report(&f->run, &w);
  return aio__buf_cstr(&f->out);
}

static const char *event_report(fixture *f, const struct aiorch_event *event) {
  aio__json_writer w;
  aio__buf_reset(&f->out);
  aio__jw_init(&w, &f->out);
  aio__event_report(event, &w);
  return aio__buf_cstr(&f->out);
}

static void test_run_report__a_new_run_has_every_member(void **state) {
  fixture *f = *state;
  assert_string_equal(
      report(f),
      "{\"run_id\":\"" ID "\",\"answer\":null,\"finish_reason\":null,\"stop_sequence\":null,\"tool_calls\":[],\"reasoning\":[],"
      "\"cache\":{\"outcome\":\"off\",\"entry_id\":null,\"similarity\":null,\"refused_by\":null,"
      "\"refused_detail\":null},"
      "\"sources\":[],\"provider\":null,\"model\":null,\"tier\":null,\"shared\":false,\"citations\":{\"valid\":0,\"unknown\":0},\"usage\":" USAGE_0 ",\"cost_nano_usd\":0,\"cost_usd\":\"0\","
      "\"duration_ms\":0,\"stages\":[" STAGE("validate", "skipped", "0") "," STAGE("rate_limit", "skipped", "0") ","
      STAGE("cache_lookup", "skipped", "0") "," STAGE("retrieve", "skipped", "0") ","
      STAGE("generate", "skipped", "0") ","
      STAGE("log_cost", "skipped", "0") "," STAGE("cache_store", "skipped", "0") "],\"attempts\":[]}");
}

/* Ended well, with one source, two attempts and all that was spent. */
static void fill(fixture *f) {
  aiorch_run *run = &f->run;
  run->phase = AIO__RUN_ENDED;
  run->status = AIORCH_OK;
  run->started_ns = 1000;
  run->ended_ns = 12346000;
  assert_int_equal(aio__buf_z(&run->answer, "It is \"so\". [1]"), AIORCH_OK);
  run->answered = true;
  run->finish_reason = AIORCH_FINISH_STOP;
  run->provider = "second";
  run->model = "m-2";
  f->source = (aio__source){.document_id = ID, .title = AIO__LIT("T"), .uri = AIO__LIT("u#a"), .text = AIO__LIT("so"),
                            .start = 3, .end = 5, .score = 0.5, .similarity = (double)NAN};
  run->sources = &f->source;
  run->source_count = 1;
  for (int i = 0; i < 2; i++) {
    f->attempts[i].kind = AIORCH_ATTEMPT_GENERATE;
    f->attempts[i].request_id = f->attempts[i].message = "";
  }
  f->attempts[0].provider = "first";
  f->attempts[0].model = "m-1";
  f->attempts[0].status = AIORCH_E_PROVIDER_LIMIT;
  f->attempts[0].http_status = 429;
  f->attempts[0].message = "slow down";
  f->attempts[0].duration_us = 1500;
  f->attempts[1].provider = "second";
  f->attempts[1].model = "m-2";
  f->attempts[1].request_id = "req-1";
  f->attempts[1].usage.n[AIORCH_USAGE_INPUT] = 100;
  f->attempts[1].usage.n[AIORCH_USAGE_OUTPUT] = 7;
  f->attempts[1].usage.estimated = true;
  f->attempts[1].cost_known = true;
  f->attempts[1].cost_nano_usd = 1500000;
  f->attempts[1].duration_us = 2000;
  run->attempts = f->attempts;
  run->attempt_count = 2;
  run->usage = f->attempts[1].usage;
  run->cost_nano_usd = 1500000;
  run->stages[AIORCH_STAGE_VALIDATE].outcome = AIORCH_OUTCOME_OK;
  run->stages[AIORCH_STAGE_VALIDATE].us = 12;
  run->stages[AIORCH_STAGE_CACHE_LOOKUP].outcome = AIORCH_OUTCOME_MISS;
  run->cache_outcome = AIORCH_CACHE_MISS;
}

static void test_run_report__a_whole_run(void **state) {
  fixture *f = *state;
  fill(f);
  const char *json = report(f);
  static const char *const parts[] = {
      "\"answer\":\"It is \\\"so\\\". [1]\",\"finish_reason\":\"stop\"",
      "\"cache\":{\"outcome\":\"miss\",\"entry_id\":null,\"similarity\":null",
      "\"sources\":[{\"n\":1,\"document_id\":\"" ID "\",\"title\":\"T\",\"uri\":\"u#a\",\"score\":0.5,"
      "\"similarity\":null,\"start\":3,\"end\":5,\"text\":\"so\"}]",
      "\"provider\":\"second\",\"model\":\"m-2\",\"tier\":null,\"shared\":false,\"citations\":{\"valid\":0,\"unknown\":0},\"usage\":{\"input\":100,\"cache_read\":0,\"cache_write\":0,"
      "\"cache_write_1h\":0,\"output\":7,\"reasoning\":0,\"estimated\":true}",
      "\"cost_nano_usd\":1500000,\"cost_usd\":\"0.0015\",\"duration_ms\":12.345",
      STAGE("validate", "ok", "0.012"),
      STAGE("cache_lookup", "miss", "0"),
      "{\"kind\":\"generate\",\"provider\":\"first\",\"model\":\"m-1\",\"outcome\":\"provider_limit\","
      "\"http_status\":429,\"request_id\":null,\"usage\":" USAGE_0 ",\"cost_nano_usd\":null,\"duration_ms\":1.5,"
      "\"message\":\"slow down\"}",
      "\"outcome\":\"ok\",\"http_status\":null,\"request_id\":\"req-1\"",
      "\"cost_nano_usd\":1500000,\"duration_ms\":2,\"message\":null}]}"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (!strstr(json, parts[i])) fail_msg("%s is not in %s", parts[i], json);
  }
  assert_null(strstr(json, "\"error\""));
}

static void test_run_report__an_unknown_price_is_null(void **state) {
  fixture *f = *state;
  fill(f);
  f->run.cost_known = false;
  assert_non_null(strstr(report(f), "\"cost_nano_usd\":null,\"cost_usd\":null,\"duration_ms\":12.345"));
}

static void test_run_report__an_unfinished_answer_shows_as_far_as_it_was_given_out(void **state) {
  fixture *f = *state;
  fill(f);
  f->run.answered = false;
  aio__buf_reset(&f->run.answer);
  assert_int_equal(aio__buf_z(&f->run.answer, "It is"), AIORCH_OK);
  assert_non_null(strstr(report(f), "\"answer\":\"It is\""));
  aio__buf_reset(&f->run.answer);
  assert_non_null(strstr(report(f), "\"answer\":null"));
}

static void test_run_report__cache_hits_and_refusals(void **state) {
  fixture *f = *state;
  fill(f);
  f->run.cache_outcome = AIORCH_CACHE_EXACT;
  f->run.cache_similarity = 1.0;
  memcpy(f->run.entry_id, ID, sizeof ID);
  assert_non_null(strstr(report(f), "\"cache\":{\"outcome\":\"exact\",\"entry_id\":\"" ID "\",\"similarity\":1,"));
  f->run.cache_outcome = AIORCH_CACHE_SEMANTIC;
  f->run.cache_similarity = 0.975;
  assert_non_null(strstr(report(f), "\"outcome\":\"semantic\",\"entry_id\":\"" ID "\",\"similarity\":0.975,"));
  f->run.cache_outcome = AIORCH_CACHE_MISS;
  f->run.entry_id[0] = '\0';
  f->run.cache_refused_by = "numbers";
  f->run.cache_refused_detail = "15 and 16";
  assert_non_null(strstr(report(f), "\"cache\":{\"outcome\":\"miss\",\"entry_id\":null,\"similarity\":0.975,"
                                    "\"refused_by\":\"numbers\",\"refused_detail\":\"15 and 16\"}"));
}

static void test_run_report__a_failed_run_has_its_error(void **state) {
  fixture *f = *state;
  fill(f);
  aio__error_set(&f->run.error, AIORCH_E_RATE_LIMITED, "too many");
  f->run.error.stage = AIORCH_STAGE_RATE_LIMIT;
  f->run.error.retry_after_ms = 2500;
  f->run.status = AIORCH_E_RATE_LIMITED;
  assert_non_null(strstr(report(f), "],\"error\":{\"code\":-300,\"name\":\"RATE_LIMITED\",\"stage\":\"rate_limit\","
                                    "\"message\":\"too many\",\"retry_after_ms\":2500,\"http_status\":429}}"));
}

static void test_run_report__a_call_that_failed_on_a_run_that_goes_on(void **state) {
  fixture *f = *state;
  aio__error_set(&f->run.error, AIORCH_E_STATE, "stage cache_store needs a complete answer");
  assert_non_null(strstr(report(f), "\"error\":{\"code\":-3,\"name\":\"STATE\",\"stage\":null"));
  /* Once the run has ended well it is no longer of interest. */
  fill(f);
  assert_null(strstr(report(f), "\"error\""));
}

static void test_run_report__the_time_of_a_run_under_way(void **state) {
  fixture *f = *state;
  f->run.phase = AIO__RUN_ACTIVE;
  f->run.started_ns = aio__run_now(&f->run);
  virtual_clock_advance_ms(&f->clock, 42);
  assert_non_null(strstr(report(f), "\"duration_ms\":42,"));
}

static void test_error_report__without_words_and_wait(void **state) {
  fixture *f = *state;
  aiorch_error error;
  aio__json_writer w;
  aio__error_init(&error);
  error.status = AIORCH_E_NOMEM;
  aio__jw_init(&w, &f->out);
  aio__error_report(&error, &w);
  const char *json = aio__buf_cstr(&f->out);
  assert_non_null(strstr(json, "{\"code\":-2,\"name\":\"NOMEM\",\"stage\":null,\"message\":\""));
  assert_non_null(strstr(json, aiorch_strerror(AIORCH_E_NOMEM)));
  assert_non_null(strstr(json, "\"retry_after_ms\":null,\"http_status\":500}"));
}

static void test_event_report__each_type(void **state) {
  fixture *f = *state;
  fill(f);
  struct aiorch_event event = {.type = AIORCH_EVENT_STAGE, .stage = AIORCH_STAGE_RETRIEVE,
                               .outcome = AIORCH_OUTCOME_DEGRADED, .us = 1250, .run = &f->run};
  assert_string_equal(event_report(f, &event),
                      "{\"type\":\"stage\",\"stage\":\"retrieve\",\"outcome\":\"degraded\",\"duration_ms\":1.25}");
  event = (struct aiorch_event){.type = AIORCH_EVENT_DELTA, .text = AIO__LIT("a\nb"), .run = &f->run};
  assert_string_equal(event_report(f, &event), "{\"type\":\"delta\",\"text\":\"a\\nb\"}");
  event = (struct aiorch_event){.type = AIORCH_EVENT_SOURCE, .index = 0, .run = &f->run};
  static const char source[] = "{\"type\":\"source\",\"source\":{\"n\":1,\"document_id\":\"" ID;
  assert_int_equal(strncmp(event_report(f, &event), source, sizeof source - 1), 0);
  event = (struct aiorch_event){.type = AIORCH_EVENT_WARNING, .stage = AIORCH_STAGE_GENERATE,
                                .status = AIORCH_E_NETWORK, .text = AIO__LIT("first failed"), .run = &f->run};
  assert_string_equal(event_report(f, &event), "{\"type\":\"warning\",\"stage\":\"generate\",\"code\":-502,"
                                               "\"name\":\"NETWORK\",\"message\":\"first failed\"}");
  event = (struct aiorch_event){.type = AIORCH_EVENT_FINAL, .stage = -1, .run = &f->run};
  assert_int_equal(strncmp(event_report(f, &event), "{\"type\":\"final\",\"run\":{\"run_id\":", 32), 0);
  aio__error_set(&f->run.error, AIORCH_E_DEADLINE, "late");
  event = (struct aiorch_event){.type = AIORCH_EVENT_ERROR, .status = AIORCH_E_DEADLINE, .run = &f->run};
  assert_string_equal(event_report(f, &event),
                      "{\"type\":\"error\",\"error\":{\"code\":-5,\"name\":\"DEADLINE\",\"stage\":null,"
                      "\"message\":\"late\",\"retry_after_ms\":null,\"http_status\":504}}");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_run_report__a_new_run_has_every_member),
      TEST(test_run_report__a_whole_run),
      TEST(test_run_report__an_unknown_price_is_null),
      TEST(test_run_report__an_unfinished_answer_shows_as_far_as_it_was_given_out),
      TEST(test_run_report__cache_hits_and_refusals),
      TEST(test_run_report__a_failed_run_has_its_error),
      TEST(test_run_report__a_call_that_failed_on_a_run_that_goes_on),
      TEST(test_run_report__the_time_of_a_run_under_way),
      TEST(test_error_report__without_words_and_wait),
      TEST(test_event_report__each_type),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
