/* lib/pipeline/orch_providers.c and orch_embedder.c: providers and embedders of the settings at work in a run, over scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/aiorch.h>

#include "api/config.h"
#include "embedders/http_embedder.h"
#include "pipeline/stages.h"
#include "support/scripted_transport.h"
#include "support/test_alloc.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock time;
  scripted_transport wire;
  aiorch_config *config;
  aiorch *orch;
  aiorch_error error;
} held;

#define NO_CACHE "\"cache.mode\":\"off\",\"retrieve.enabled\":false,\"store\":\"memory\""
#define TWO "\"providers\":{\"anthropic\":{\"key\":\"sk-ant-of-ours\"},\"openai\":{\"key\":\"sk-openai-of-ours\",\"model\":\"gpt-6-sol\"}}"

static void open_config(held *h, const char *settings) {
  memset(h, 0, sizeof *h);
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->time);
  scripted_transport_init(&h->wire, &h->time);
  aio__error_init(&h->error);
  assert_int_equal(aiorch_config_new_with(&h->alloc.al, &h->config), AIORCH_OK);
  aio__config_set_clock(h->config, &h->wire.clock);
  if (aiorch_config_load_json(h->config, settings, strlen(settings), "settings", &h->error)) fail_msg("%s", h->error.message);
  h->config->plugins.transport = &h->wire.transport;
}

static void open_orch(held *h, const char *settings) {
  open_config(h, settings);
  if (aiorch_open(h->config, &h->orch, &h->error)) fail_msg("%s", h->error.message);
}

static void close_held(held *h, int closed) {
  if (h->orch) {
    assert_int_equal(aiorch_close(h->orch, 30000), AIORCH_OK);
    assert_int_equal(aiorch_free(h->orch), AIORCH_OK);
  }
  aiorch_config_free(h->config);
  assert_int_equal(h->wire.closed, closed);
  scripted_transport_free(&h->wire);
  assert_int_equal(h->alloc.live, 0);
}

static aiorch_run *ask(held *h, const char *question) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(h->orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)), AIORCH_OK);
  return run;
}

static void execute(aiorch_run *run, aiorch_status wanted) {
  aiorch_status st = aiorch_run_execute(run);
  if (st != wanted) fail_msg("%s: %s", aiorch_status_name(st), aiorch_error_message(aiorch_run_error(run)));
}

static const char *answer_of(const aiorch_run *run) {
  const char *text = NULL;
  assert_int_equal(aiorch_run_answer(run, &text, NULL), AIORCH_OK);
  return text;
}

#define SSE "data: "
#define DELTA(text) SSE "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define LAST                                                                                         \
  SSE "{\"model\":\"gpt-6-sol\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"      \
  SSE "{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\n" SSE "[DONE]\n\n"

static const script_event DOWN[] = {PAUSE(3), REFUSED};
static const script_event GOOD[] = {HEAD(200, "content-type: text/event-stream|x-request-id: r-9"), PAUSE(40), BYTES(DELTA("At eight ")),
                                    PAUSE(40), BYTES(DELTA("[1].") LAST), END};

static void test_run__the_first_is_down_and_the_second_answers(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{" NO_CACHE "," TWO "}");
  scripted_transport_always(&h.wire, "api.anthropic.com", DOWN, COUNT(DOWN));
  scripted_transport_add(&h.wire, "api.openai.com", GOOD, COUNT(GOOD));
  aiorch_run *run = ask(&h, "When does it open?");
  assert_int_equal(aiorch_run_add_source(run, "faq.md", 6, "Hours", 5, "It opens at eight.", 18), AIORCH_OK);
  int warnings = 0;
  aiorch_status st;
  aio__buf streamed;
  aio__buf_init(&streamed, aio__alloc_default(), 1 << 16);
  const aiorch_event *event;
  do {
    st = aiorch_run_next(run, 1000, &event);
    if (st != AIORCH_OK) continue;
    const char *text = "";
    size_t len = 0;
    int32_t type = aiorch_event_type(event);
    if (type == AIORCH_EVENT_DELTA && aiorch_event_text(event, &text, &len) == AIORCH_OK) aio__buf_add(&streamed, text, len);
    if (type == AIORCH_EVENT_WARNING && aiorch_event_text(event, &text, &len) == AIORCH_OK) {
      warnings += strstr(text, "anthropic") && strstr(text, "openai") ? 1 : 0;
    }
    assert_null(strstr(text, "of-ours"));
  } while (st == AIORCH_OK || st == AIORCH_AGAIN);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(answer_of(run), "At eight [1].");
  assert_string_equal(aio__buf_cstr(&streamed), "At eight [1].");
  assert_int_equal(warnings, 1);
  assert_string_equal(run->provider, "openai");
  assert_string_equal(run->model, "gpt-6-sol");
  assert_true(run->attempt_count >= 2);
  assert_int_equal(run->attempts[0].status, AIORCH_E_NETWORK);
  assert_int_equal(run->usage.n[AIORCH_USAGE_INPUT], 100);
  assert_true(run->cost_known || run->attempts[0].cost_known);
  assert_non_null(strstr(h.wire.requests[h.wire.request_count - 1].body, "It opens at eight."));
  aio__buf report;
  aio__json_writer w;
  aio__buf_init(&report, aio__alloc_default(), 1 << 20);
  aio__jw_init(&w, &report);
  aio__run_report(run, &w);
  assert_non_null(strstr(aio__buf_cstr(&report), "\"anthropic\""));
  assert_null(strstr(aio__buf_cstr(&report), "of-ours"));
  aio__buf_free(&report);
  aio__buf_free(&streamed);
  aiorch_run_free(run);
  close_held(&h, 1);
}

static void test_run__what_is_sent_is_all_that_was_asked(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{" NO_CACHE ",\"prompt.system\":\"Be brief.\",\"generate\":{\"max_tokens\":77,\"temperature\":0.25,"
                "\"provider_options\":\"{\\\"seed\\\":7,\\\"meta\\\":{\\\"b\\\":2}}\"},"
                "\"providers\":{\"here\":{\"api\":\"openai\",\"base_url\":\"http://gpu.example:8000/v1/\",\"model\":\"mine\",\"server\":\"vllm\","
                "\"options\":\"{\\\"seed\\\":1,\\\"meta\\\":{\\\"a\\\":1}}\",\"headers\":\"{\\\"x-team\\\":\\\"blue\\\"}\"}}}");
  scripted_transport_add(&h.wire, "", GOOD, COUNT(GOOD));
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(h.orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "One?", 4), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_ASSISTANT, "One.", 4), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "And \"two\"?", 10), AIORCH_OK);
  execute(run, AIORCH_OK);
  assert_int_equal(h.wire.request_count, 1);
  const scripted_request *r = &h.wire.requests[0];
  assert_string_equal(r->url, "http://gpu.example:8000/v1/chat/completions");
  assert_string_equal(r->body,
                      "{\"model\":\"mine\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"One?\"},"
                      "{\"role\":\"assistant\",\"content\":\"One.\"},{\"role\":\"user\",\"content\":\"And \\\"two\\\"?\"}],\"max_tokens\":77,"
                      "\"temperature\":0.25,\"stream\":true,\"stream_options\":{\"include_usage\":true},\"seed\":7,\"meta\":{\"a\":1,\"b\":2}}");
  assert_non_null(strstr(r->headers, "x-team: blue\n"));
  assert_null(strstr(r->headers, "authorization"));
  assert_int_equal(r->limits.deadline_ns, run->deadline_ns);
  assert_int_equal(r->limits.connect_ms, 5000);
  aiorch_run_free(run);
  close_held(&h, 1);
}

static void test_run__extractive_last(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{" NO_CACHE "," TWO ",\"generate.extractive_last\":true}");
  assert_string_equal(h.orch->options.generate_chain, "anthropic,openai,extractive");
  scripted_transport_always(&h.wire, "", DOWN, COUNT(DOWN));
  aiorch_run *run = ask(&h, "When does the shop open?");
  assert_int_equal(aiorch_run_add_source(run, "faq.md", 6, "Hours", 5, "The shop is open from eight to six.", 35), AIORCH_OK);
  execute(run, AIORCH_OK);
  assert_string_equal(run->provider, "extractive");
  assert_non_null(strstr(answer_of(run), "eight"));
  aiorch_run_free(run);
  close_held(&h, 1);
}

static void test_run__a_makeshift_is_not_kept(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{\"store\":\"memory\",\"retrieve.enabled\":false," TWO ",\"generate.chain\":\"openai,extractive\"}");
  for (int i = 0; i < 8; i++) scripted_transport_add(&h.wire, "", DOWN, COUNT(DOWN));
  static const char *const providers[] = {"extractive", "openai", "openai"};
  for (int i = 0; i < 3; i++) {
    aiorch_run *run = ask(&h, "When does the shop open?");
    assert_int_equal(aiorch_run_add_source(run, "faq.md", 6, "Hours", 5, "The shop is open from eight to six.", 35), AIORCH_OK);
    execute(run, AIORCH_OK);
    assert_string_equal(run->provider, providers[i]);
    assert_int_equal(run->cache_outcome, i < 2 ? AIORCH_CACHE_MISS : AIORCH_CACHE_EXACT);
    aiorch_run_free(run);
    h.wire.script_count = 0; /* it is up again */
    scripted_transport_always(&h.wire, "", GOOD, COUNT(GOOD));
    virtual_clock_advance_ms(&h.time, 60000);
  }
  close_held(&h, 1);
}

static aiorch_run *ask_for_hours(held *h) {
  aiorch_run *run = ask(h, "When does the shop open?");
  assert_int_equal(aiorch_run_add_source(run, "faq.md", 6, "Hours", 5, "The shop is open from eight to six.", 35), AIORCH_OK);
  return run;
}

#define MAKESHIFT "{\"store\":\"memory\",\"retrieve.enabled\":false," TWO ",\"generate.chain\":\"openai,extractive\"}"

/* No attempt has failed here: the breaker of the first was open. */
static void test_run__a_makeshift_for_one_that_is_passed_over_is_not_kept(void **state) {
  (void)state;
  held h;
  open_orch(&h, MAKESHIFT);
  scripted_transport_always(&h.wire, "", DOWN, COUNT(DOWN));
  bool passed_over = false;
  for (int i = 0; i < 8 && !passed_over; i++) {
    size_t asked = h.wire.request_count;
    aiorch_run *run = ask_for_hours(&h);
    execute(run, AIORCH_OK);
    assert_string_equal(run->provider, "extractive");
    assert_false(run->stored);
    passed_over = h.wire.request_count == asked;
    aiorch_run_free(run);
  }
  assert_true(passed_over);
  close_held(&h, 1);
}

/* Who shares it has made no attempt of its own. */
static void test_run__a_makeshift_that_is_shared_is_not_kept(void **state) {
  (void)state;
  held h;
  open_orch(&h, MAKESHIFT);
  scripted_transport_always(&h.wire, "", DOWN, COUNT(DOWN));
  aiorch_run *a = ask_for_hours(&h), *b = ask_for_hours(&h);
  const aiorch_event *event;
  aiorch_status first = AIORCH_OK, second = AIORCH_OK;
  while (first != AIORCH_DONE || second != AIORCH_DONE) {
    if (first != AIORCH_DONE) first = aiorch_run_next(a, 0, &event);
    if (second != AIORCH_DONE) second = aiorch_run_next(b, 0, &event);
    if (first == AIORCH_AGAIN || second == AIORCH_AGAIN) virtual_clock_advance_ms(&h.time, 1);
  }
  assert_string_equal(a->provider, "extractive");
  assert_string_equal(b->provider, "extractive");
  assert_int_equal(a->shared + b->shared, 1);
  assert_false(a->stored);
  assert_false(b->stored);
  aiorch_run_free(a);
  aiorch_run_free(b);
  close_held(&h, 1);
}

static void test_run__all_are_down(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{" NO_CACHE "," TWO "}");
  scripted_transport_always(&h.wire, "", DOWN, COUNT(DOWN));
  aiorch_run *run = ask(&h, "When does the shop open?");
  execute(run, AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(run->error.http_status, 503);
  aiorch_run_free(run);
  close_held(&h, 1);
}

static void test_run__cancelled_and_freed_while_it_streams(void **state) {
  (void)state;
  static const script_event slow[] = {HEAD(200, "content-type: text/event-stream"), BYTES(DELTA("a")), PAUSE(50000), BYTES(LAST), END};
  held h;
  open_orch(&h, "{" NO_CACHE ",\"generate.chain\":\"openai\"," TWO "}");
  scripted_transport_always(&h.wire, "", slow, COUNT(slow));
  const aiorch_event *event;
  aiorch_run *run = ask(&h, "Well?");
  while (h.wire.request_count == 0) assert_true(aiorch_run_next(run, 0, &event) >= 0);
  assert_int_equal(h.wire.live, 1);
  aiorch_run_free(run);
  assert_int_equal(h.wire.live, 0);
  run = ask(&h, "Well?");
  assert_int_equal(aiorch_run_set_option(run, "deadline_ms", "10000", 5), AIORCH_OK);
  execute(run, AIORCH_E_DEADLINE);
  assert_int_equal(h.wire.live, 0);
  aiorch_run_free(run);
  close_held(&h, 1);
}

/* A server that counts nothing: a call of a tool is paid for like a text. */
static void test_run__a_tool_call_that_nobody_counted_is_estimated(void **state) {
  (void)state;
  static const script_event call[] = {
      HEAD(200, "content-type: text/event-stream"),
      BYTES(SSE "{\"model\":\"gpt-6-sol\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":"
                "{\"name\":\"look\",\"arguments\":\"{}\"}}]}}]}\n\n" SSE
                "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n" SSE "[DONE]\n\n"),
      END};
  held h;
  open_orch(&h, "{" NO_CACHE ",\"generate.chain\":\"openai\"," TWO "}");
  scripted_transport_always(&h.wire, "", call, COUNT(call));
  aiorch_run *run = ask(&h, "When does the shop open?");
  assert_int_equal(aiorch_run_add_tool(run, "look", 4, "Looks it up.", 12, "", 0), AIORCH_OK);
  execute(run, AIORCH_OK);
  assert_int_equal(aiorch_run_tool_call_count(run), 1);
  assert_true(run->usage.n[AIORCH_USAGE_INPUT] > 0);
  assert_true(run->usage.estimated);
  aiorch_run_free(run);
  close_held(&h, 1);
}

/* What is laid over every request of a provider, and where it goes, are a part of what its answers depend on. */
static void test_run__options_and_address_of_a_provider_are_a_part_of_the_scope(void **state) {
  (void)state;
  static const char *const options[] = {"", ",\"providers.openai.options\":\"{\\\"seed\\\":1}\"",
                                        ",\"providers.openai.options\":\"{\\\"seed\\\":2}\"",
                                        ",\"providers.openai.base_url\":\"https://elsewhere.example/v1\""};
  uint8_t scopes[COUNT(options)][AIO__SHA256_SIZE];
  for (size_t i = 0; i < COUNT(options); i++) {
    held h;
    char settings[1024];
    (void)snprintf(settings, sizeof settings, "{\"store\":\"memory\",\"retrieve.enabled\":false,\"generate.chain\":\"openai\"," TWO "%s}", options[i]);
    open_orch(&h, settings);
    scripted_transport_always(&h.wire, "", GOOD, COUNT(GOOD));
    aiorch_run *run = ask_for_hours(&h);
    execute(run, AIORCH_OK);
    assert_true(run->stored);
    memcpy(scopes[i], run->scope, sizeof scopes[i]);
    for (size_t k = 0; k < i; k++) assert_memory_not_equal(scopes[i], scopes[k], sizeof scopes[i]);
    aiorch_run_free(run);
    close_held(&h, 1);
  }
}

/* ---- embedders ---- */

#define SERVICE "\"embedder.model\":\"two\",\"embedder.dimensions\":2,\"cache.match\":\"exact\",\"retrieve.threshold\":0.5,"
#define MEMORY "\"store\":\"memory\","

static void add_faq(held *h) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, "faq.md", 6), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, "The shop is open from eight to six.", 35), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(h->orch, "acme", 4, d, 30000, NULL), AIORCH_OK);
  aiorch_document_free(d);
}

static void test_embedder__of_the_settings(void **state) {
  (void)state;
  static const script_event vector[] = {HEAD(200, "content-type: application/json"), BYTES("{\"model\":\"two\",\"embeddings\":[[0,1]],\"prompt_eval_count\":3}"), END};
  held h;
  uint64_t done = 0, left = 0;
  open_orch(&h, "{" MEMORY SERVICE "\"embedder.base_url\":\"http://vectors.example\",\"cache.mode\":\"off\"}");
  assert_false(h.orch->plugins.has_embedder);
  close_held(&h, 1);

  open_config(&h, "{" MEMORY SERVICE "\"embedder.base_url\":\"http://vectors.example\",\"cache.mode\":\"off\"}");
  assert_int_equal(aiorch_config_set_str(h.config, "embedder", "ollama", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(h.config, &h.orch, &h.error), AIORCH_OK);
  assert_int_equal(h.wire.request_count, 0); /* nothing is sent at opening */
  assert_string_equal(h.orch->plugins.embedder.fingerprint, "ollama:two:2");
  assert_false(h.orch->embedder_is_local);
  scripted_transport_always(&h.wire, "http://vectors.example/api/embed", vector, COUNT(vector));
  add_faq(&h);
  assert_int_equal(aiorch_knowledge_embed(h.orch, "acme", 4, 30000, &done, &left, &h.error), AIORCH_OK);
  assert_int_equal(done, 1);
  aiorch_run *run = ask(&h, "Wann?"); /* no word of it is in the document */
  execute(run, AIORCH_OK);
  assert_int_equal(run->source_count, 1);
  assert_int_equal(run->attempts[0].kind, AIORCH_ATTEMPT_EMBED);
  assert_string_equal(run->attempts[0].provider, "ollama");
  assert_true(run->attempts[0].cost_known); /* by its line in the prices: nothing */
  aiorch_run_free(run);
  close_held(&h, 1);
}

/* What was sent and broke off may have cost something; what the service refused has not. */
static void test_embedder__that_breaks_off_has_a_cost_that_nobody_knows(void **state) {
  (void)state;
  static const script_event breaks[] = {FAIL(AIORCH_E_NETWORK, "the connection broke")};
  static const script_event refuses[] = {HEAD(500, "content-type: application/json"), BYTES("{}"), END};
  static const struct {
    const script_event *events;
    size_t count;
    bool known;
  } rows[] = {{breaks, COUNT(breaks), false}, {refuses, COUNT(refuses), true}, {DOWN, COUNT(DOWN), true}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    held h;
    open_config(&h, "{" MEMORY SERVICE "\"cache.mode\":\"off\"}");
    assert_int_equal(aiorch_config_set_str(h.config, "embedder", "ollama", 6, NULL), AIORCH_OK);
    assert_int_equal(aiorch_open(h.config, &h.orch, &h.error), AIORCH_OK);
    scripted_transport_always(&h.wire, "", rows[i].events, rows[i].count);
    add_faq(&h);
    aiorch_run *run = ask(&h, "When is the shop open?");
    execute(run, AIORCH_OK);
    assert_int_equal(run->attempts[0].kind, AIORCH_ATTEMPT_EMBED);
    assert_true(run->attempts[0].status < 0);
    assert_int_equal(run->attempts[0].cost_known, rows[i].known);
    assert_int_equal(run->cost_known, rows[i].known);
    aiorch_run_free(run);
    close_held(&h, 1);
  }
}

static void test_embedder__that_is_down_costs_a_bounded_wait(void **state) {
  (void)state;
  static const script_event hangs[] = {PAUSE(1000000), END};
  held h;
  open_config(&h, "{" MEMORY SERVICE "\"cache.mode\":\"off\"}");
  assert_int_equal(aiorch_config_set_str(h.config, "embedder", "ollama", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(h.config, &h.orch, &h.error), AIORCH_OK);
  scripted_transport_always(&h.wire, "", hangs, COUNT(hangs));
  add_faq(&h);
  for (int i = 0; i < 7; i++) {
    int64_t begun = atomic_load(&h.time.monotonic_ns);
    aiorch_run *run = ask(&h, "When is the shop open?");
    execute(run, AIORCH_OK);
    assert_int_equal(run->source_count, 1); /* by its words */
    assert_true(run->degraded);
    assert_int_equal((atomic_load(&h.time.monotonic_ns) - begun) / 1000000, i < AIO__HTTP_EMBEDDER_FAILURES ? 5000 : 0);
    aiorch_run_free(run);
  }
  close_held(&h, 1);
}

static void test_embedder__borrows_address_and_key_of_its_provider(void **state) {
  (void)state;
  static const struct {
    const char *more, *url, *header;
  } rows[] = {
      {"\"providers.openai\":{\"key\":\"k-1, k-2\",\"base_url\":\"https://proxy.example/v1\"}", "https://proxy.example/v1/embeddings", "Bearer k-1\n"},
      {"\"embedder.key\":\"own\",\"providers.openai.base_url\":\"https://proxy.example/v1\"", "https://proxy.example/v1/embeddings", "Bearer own\n"},
      {"\"embedder.base_url\":\"https://e.example/v1\",\"providers.openai.key\":\"k-1\"", "https://e.example/v1/embeddings", NULL},
      {"\"embedder.key\":\"own\"", "https://api.openai.com/v1/embeddings", "Bearer own\n"},
  };
  static const script_event vector[] = {HEAD(200, ""), BYTES("{\"data\":[{\"index\":0,\"embedding\":[0,1]}]}"), END};
  for (size_t i = 0; i < COUNT(rows); i++) {
    held h;
    char settings[1024];
    (void)strcpy(settings, "{" MEMORY SERVICE);
    (void)strcat(settings, rows[i].more);
    (void)strcat(settings, "}");
    open_config(&h, settings);
    assert_int_equal(aiorch_config_set_str(h.config, "embedder", "openai", 6, NULL), AIORCH_OK);
    if (aiorch_open(h.config, &h.orch, &h.error)) fail_msg("%s", h.error.message);
    scripted_transport_always(&h.wire, "embeddings", vector, COUNT(vector));
    const char *text = "x";
    size_t len = 1;
    aiorch_text *out = NULL;
    (void)aiorch_embed(h.orch, AIORCH_PURPOSE_QUERY, &text, &len, 1, 5000, &out, &h.error);
    aiorch_text_free(out);
    assert_int_equal(h.wire.request_count, 1);
    assert_string_equal(h.wire.requests[0].url, rows[i].url);
    if (rows[i].header) assert_non_null(strstr(h.wire.requests[0].headers, rows[i].header));
    else assert_null(strstr(h.wire.requests[0].headers, "Bearer"));
    close_held(&h, 1);
  }
}

/* ---- opening ---- */

static aiorch_status never(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_E_UNSUPPORTED;
}

static void register_plugin(aiorch_config *config, const char *name) {
  const aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "m", .generate = never};
  assert_int_equal(aiorch_config_add_provider(config, name, &vtbl, NULL, NULL), AIORCH_OK);
}

static void test_open__plug_ins_come_first(void **state) {
  (void)state;
  held h;
  open_config(&h, "{" NO_CACHE "," TWO "}");
  register_plugin(h.config, "own");
  assert_int_equal(aiorch_open(h.config, &h.orch, &h.error), AIORCH_OK);
  const aio__plugins *p = &h.orch->plugins;
  assert_int_equal(h.orch->options.providers.count, 0); /* runs copy the settings, and need no keys */
  assert_int_equal(h.config->options.providers.count, 2);
  assert_int_equal(p->provider_count, 3);
  assert_string_equal(p->providers[0].name, "own");
  assert_string_equal(p->providers[1].name, "anthropic");
  assert_string_equal(p->providers[2].name, "openai");
  close_held(&h, 1);
}

static void test_open__faults(void **state) {
  (void)state;
  static const struct {
    const char *settings, *message;
  } rows[] = {
      {"{" NO_CACHE ",\"providers.own.api\":\"anthropic\"}", "a plug-in was registered under this name"},
      {"{" NO_CACHE "," TWO ",\"generate.chain\":\"openai,groq\"}", "no provider \"groq\""},
      {"{" NO_CACHE ",\"providers.groq.key\":\"k\"}", "\"providers.groq.model\" must be set"},
      {"{" NO_CACHE ",\"embedder\":\"openai\"}", "\"embedder.model\" must be set"},
      {"{" NO_CACHE ",\"embedder\":\"openai\",\"embedder.model\":\"text-embedding-3-small\"}", "retrieve.threshold must be set"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    held h;
    open_config(&h, rows[i].settings);
    register_plugin(h.config, "own");
    assert_true(aiorch_open(h.config, &h.orch, &h.error) < 0);
    if (!strstr(h.error.message, rows[i].message)) fail_msg("row %zu: %s", i, h.error.message);
    assert_null(h.orch);
    close_held(&h, 0); /* what was lent is not closed */
  }
}

static void test_open__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  held h;
  open_config(&h, "{" NO_CACHE "," TWO ",\"generate.extractive_last\":true," SERVICE "\"embedder.key\":\"k\"}");
  assert_int_equal(aiorch_config_set_str(h.config, "embedder", "openai", 6, NULL), AIORCH_OK);
  register_plugin(h.config, "own");
  long live = h.alloc.live;
  aiorch_status st;
  h.alloc.fail_at = 1;
  do {
    h.alloc.fail_at += 16; /* with the one of each next: the rules are most of it, and have tests of their own */
    aio__test_alloc_next(&h.alloc);
    st = aiorch_open(h.config, &h.orch, &h.error);
    if (st == AIORCH_OK) break;
    assert_int_equal(st, AIORCH_E_NOMEM);
    assert_in_range(h.alloc.live, live, live + 1); /* room for the providers may have been made in the configuration */
    live = h.alloc.live;
  } while (true);
  h.alloc.fail_at = 0;
  close_held(&h, 1);
}

static void test_open__without_http_says_so(void **state) {
  (void)state;
  held h;
  open_config(&h, "{" NO_CACHE "," TWO "}");
  h.config->plugins.transport = NULL;
  assert_int_equal(aiorch_open(h.config, &h.orch, &h.error), aiorch_has_feature("http") ? AIORCH_OK : AIORCH_E_UNSUPPORTED);
  close_held(&h, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_run__the_first_is_down_and_the_second_answers),
      cmocka_unit_test(test_run__what_is_sent_is_all_that_was_asked),
      cmocka_unit_test(test_run__extractive_last),
      cmocka_unit_test(test_run__a_makeshift_is_not_kept),
      cmocka_unit_test(test_run__a_makeshift_for_one_that_is_passed_over_is_not_kept),
      cmocka_unit_test(test_run__a_makeshift_that_is_shared_is_not_kept),
      cmocka_unit_test(test_run__all_are_down),
      cmocka_unit_test(test_run__cancelled_and_freed_while_it_streams),
      cmocka_unit_test(test_embedder__of_the_settings),
      cmocka_unit_test(test_run__a_tool_call_that_nobody_counted_is_estimated),
      cmocka_unit_test(test_run__options_and_address_of_a_provider_are_a_part_of_the_scope),
      cmocka_unit_test(test_embedder__that_breaks_off_has_a_cost_that_nobody_knows),
      cmocka_unit_test(test_embedder__that_is_down_costs_a_bounded_wait),
      cmocka_unit_test(test_embedder__borrows_address_and_key_of_its_provider),
      cmocka_unit_test(test_open__plug_ins_come_first),
      cmocka_unit_test(test_open__faults),
      cmocka_unit_test(test_open__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_open__without_http_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
