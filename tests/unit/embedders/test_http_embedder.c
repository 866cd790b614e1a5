/* lib/embedders/http_embedder.c and http_embedding.c: batches, retries, the breaker, what is sent of a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/call.h"
#include "embedders/http_embedder.h"
#include "support/scripted_transport.h"
#include "support/test_alloc.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock time;
  scripted_transport wire;
  aio__counters counters;
  aio__calls *calls;
  aio__waker *waker;
  aio__plugin_embedder embedder;
  aiorch_call *call;
  aiorch_error error;
} held;

static void open_held(held *h) {
  memset(h, 0, sizeof *h);
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->time);
  scripted_transport_init(&h->wire, &h->time);
  aio__counters_init(&h->counters);
  aio__error_init(&h->error);
  assert_int_equal(aio__calls_new(&h->alloc.al, &h->wire.clock, NULL, &h->counters, &h->calls), AIORCH_OK);
  assert_int_equal(aio__waker_new(&h->alloc.al, &h->wire.clock, &h->waker), AIORCH_OK);
}

static const aio__http_embedder_args PLAIN = {
    .api = "openai", .base_url = "", .key = "sk-embed-secret", .model = "two", .options = "", .dimensions = 2, .timeout_ms = 5000};

static aiorch_status open_embedder(held *h, const aio__http_embedder_args *args) {
  return aio__http_embedder_open(&h->alloc.al, &h->wire.clock, &h->wire.transport, args, &h->embedder, &h->error);
}

static void close_embedder(held *h) {
  if (h->embedder.vtbl.destroy) h->embedder.vtbl.destroy(h->embedder.self);
  aio__free(&h->alloc.al, h->embedder.fingerprint);
  memset(&h->embedder, 0, sizeof h->embedder);
}

static void close_held(held *h) {
  aio__call_drop(h->call);
  close_embedder(h);
  aio__waker_release(h->waker);
  aio__calls_free(h->calls);
  scripted_transport_free(&h->wire);
  assert_int_equal(h->alloc.live, 0);
}

static aiorch_status start(held *h, const aio__str *texts, size_t count, int32_t purpose, int64_t deadline_ms) {
  aio__call_drop(h->call);
  h->call = NULL;
  aio__call_request request = {.texts = texts, .text_count = count, .purpose = purpose, .dimensions = h->embedder.vtbl.dimensions};
  aiorch_status st = aio__call_new(h->calls, AIO__CALL_EMBED, &request, h->waker, aio__clock_after_ms(&h->wire.clock, deadline_ms), 0, &h->call);
  if (st == AIORCH_OK) aio__call_start(h->call, h->embedder.vtbl.embed, h->embedder.vtbl.cancel, h->embedder.self, 0, NULL);
  return st;
}

static const aio__call_result *drive(held *h) {
  while (!aio__call_poll(h->call)) {
    (void)aio__waker_wait(h->waker, aio__call_wakes_at(h->call));
    aio__waker_clear(h->waker);
  }
  return aio__call_result_of(h->call);
}

static const aio__call_result *ask(held *h, const char *text, int32_t purpose) {
  const aio__str texts[] = {aio__str_z(text)};
  assert_int_equal(start(h, texts, 1, purpose, 60000), AIORCH_OK);
  return drive(h);
}

static int64_t now_ms(const held *h) { return atomic_load(&h->time.monotonic_ns) / 1000000; }

#define JSON HEAD(200, "content-type: application/json|x-request-id: r-1")
#define ONE(a, b) "{\"data\":[{\"index\":0,\"embedding\":[" a "," b "]}],\"model\":\"two-full\",\"usage\":{\"prompt_tokens\":4}}"
static const script_event GOOD[] = {JSON, BYTES(ONE("0.6", "0.8")), END};
static const script_event BUSY[] = {HEAD(503, ""), BYTES("{\"error\":{\"message\":\"come back\"}}"), END};
static const script_event GONE[] = {REFUSED};

static void test_embed__one_text(void **state) {
  (void)state;
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  assert_string_equal(h.embedder.vtbl.fingerprint, "openai:two:2");
  assert_true(h.embedder.vtbl.flags & AIORCH_PLUGIN_ONE_PURPOSE);
  scripted_transport_add(&h.wire, "https://api.openai.com/v1/embeddings", GOOD, COUNT(GOOD));
  const aio__call_result *r = ask(&h, "a question", AIORCH_PURPOSE_QUERY);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(r->vector_count, 1);
  assert_int_equal(r->dimensions, 2);
  assert_true(r->vectors[0] > 0.59f && r->vectors[0] < 0.61f);
  assert_int_equal(r->usage[AIORCH_USAGE_INPUT], 4);
  assert_string_equal(r->model, "two-full");
  assert_string_equal(r->request_id, "r-1");
  assert_string_equal(h.wire.requests[0].body, "{\"model\":\"two\",\"input\":[\"a question\"],\"encoding_format\":\"base64\"}");
  assert_non_null(strstr(h.wire.requests[0].headers, "Bearer sk-embed-secret\n"));
  close_held(&h);
}

/* Answers of Ollama, with as many vectors as there are texts. */
static void make_answer(char *out, size_t cap, size_t count, size_t first) {
  size_t n = (size_t)snprintf(out, cap, "{\"embeddings\":[");
  for (size_t i = 0; i < count; i++) n += (size_t)snprintf(out + n, cap - n, "%s[1,%zu]", i ? "," : "", first + i);
  (void)snprintf(out + n, cap - n, "],\"prompt_eval_count\":%zu}", count);
}

static void test_embed__many_texts_go_in_several_requests(void **state) {
  (void)state;
  enum { TEXTS = 150 };
  static char bodies[3][4096];
  static aio__str texts[TEXTS];
  static script_event answers[3][3];
  static const size_t sizes[] = {64, 64, 22};
  held h;
  open_held(&h);
  aio__http_embedder_args args = PLAIN;
  args.api = "ollama";
  args.key = "";
  assert_int_equal(open_embedder(&h, &args), AIORCH_OK);
  for (size_t i = 0, first = 0; i < 3; first += sizes[i++]) {
    make_answer(bodies[i], sizeof bodies[i], sizes[i], first);
    const script_event answer[3] = {JSON, {.kind = SCRIPT_BYTES, .text = bodies[i], .len = strlen(bodies[i])}, END};
    memcpy(answers[i], answer, sizeof answer);
    scripted_transport_add(&h.wire, "http://localhost:11434/api/embed", answers[i], 3);
  }
  for (size_t i = 0; i < TEXTS; i++) texts[i] = AIO__LIT("text");
  h.wire.piece = 100;
  assert_int_equal(start(&h, texts, TEXTS, AIORCH_PURPOSE_PASSAGE, 60000), AIORCH_OK);
  const aio__call_result *r = drive(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(r->vector_count, TEXTS);
  for (size_t i = 0; i < TEXTS; i++) assert_int_equal((int)r->vectors[2 * i + 1], i);
  assert_int_equal(r->usage[AIORCH_USAGE_INPUT], TEXTS);
  assert_int_equal(h.wire.request_count, 3);
  close_held(&h);
}

static void test_embed__asks_again_after_a_failure(void **state) {
  (void)state;
  static const script_event wait[] = {HEAD(429, "retry-after-ms: 700"), BYTES("{}"), END};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  scripted_transport_add(&h.wire, "", wait, COUNT(wait));
  scripted_transport_add(&h.wire, "", GONE, COUNT(GONE));
  scripted_transport_add(&h.wire, "", GOOD, COUNT(GOOD));
  int64_t begun = now_ms(&h);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_OK);
  assert_in_range(now_ms(&h) - begun, 700, 700 + 1000 + 1);
  assert_in_range(h.wire.requests[1].at_ns / 1000000 - begun, 700, 701); /* Retry-After was longer than any jitter */
  assert_int_equal(h.wire.request_count, 3);
  close_held(&h);
}

static void test_embed__gives_up_after_three_and_at_once_where_it_is_of_no_use(void **state) {
  (void)state;
  static const script_event no_key[] = {HEAD(401, ""), BYTES("{\"error\":{\"message\":\"no sk-embed-secret here\"}}"), END};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  for (int i = 0; i < 3; i++) scripted_transport_add(&h.wire, "", BUSY, COUNT(BUSY));
  const aio__call_result *r = ask(&h, "q", AIORCH_PURPOSE_QUERY);
  assert_int_equal(r->status, AIORCH_E_PROVIDER_BUSY);
  assert_string_equal(r->message, "come back");
  assert_int_equal(r->http_status, 503);
  assert_true(r->sent);
  assert_int_equal(h.wire.request_count, 3);
  scripted_transport_add(&h.wire, "", no_key, COUNT(no_key));
  r = ask(&h, "q", AIORCH_PURPOSE_QUERY);
  assert_int_equal(r->status, AIORCH_E_PROVIDER_KEY);
  assert_null(strstr(r->message, "secret"));
  assert_int_equal(h.wire.request_count, 4);
  close_held(&h);
}

static void test_embed__never_waits_past_its_time(void **state) {
  (void)state;
  static const script_event later[] = {HEAD(429, "retry-after: 30"), BYTES("{}"), END};
  static const script_event never[] = {PAUSE(100000), END};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  scripted_transport_add(&h.wire, "", later, COUNT(later));
  int64_t begun = now_ms(&h);
  const aio__call_result *r = ask(&h, "q", AIORCH_PURPOSE_QUERY);
  assert_int_equal(r->status, AIORCH_E_PROVIDER_LIMIT);
  assert_int_equal(r->retry_after_ms, 30000);
  assert_int_equal(now_ms(&h), begun);
  scripted_transport_add(&h.wire, "", never, COUNT(never));
  r = ask(&h, "q", AIORCH_PURPOSE_SIMILARITY);
  assert_int_equal(r->status, AIORCH_E_NETWORK);
  assert_string_equal(r->message, "no answer within 5000 ms (\"embedder.timeout_ms\")");
  assert_int_equal(now_ms(&h) - begun, 5000);
  assert_int_equal(h.wire.request_count, 2);
  /* Passages have the time of their call. */
  scripted_transport_add(&h.wire, "", never, COUNT(never));
  begun = now_ms(&h);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_PASSAGE)->status, AIORCH_E_DEADLINE);
  assert_int_equal(now_ms(&h) - begun, 60000);
  close_held(&h);
}

static void test_embed__what_fails_five_times_in_a_row_is_left_alone(void **state) {
  (void)state;
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  for (int i = 0; i < 6; i++) scripted_transport_add(&h.wire, "", GONE, COUNT(GONE));
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_E_NETWORK);
  assert_false(aio__call_result_of(h.call)->sent);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_E_NETWORK);
  assert_int_equal(h.wire.request_count, 5); /* the fifth failure is the last */
  int64_t begun = now_ms(&h);
  for (int i = 0; i < 10; i++) {
    const aio__call_result *r = ask(&h, "q", AIORCH_PURPOSE_QUERY);
    assert_int_equal(r->status, AIORCH_E_PROVIDER_BUSY);
    assert_false(r->sent);
    assert_int_equal(r->retry_after_ms, 30000);
    assert_non_null(strstr(r->message, "connection refused"));
  }
  assert_int_equal(h.wire.request_count, 5);
  assert_int_equal(now_ms(&h), begun);
  /* One tries; it fails, and the rest wait again. */
  virtual_clock_advance_ms(&h.time, 30000);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_E_NETWORK);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(h.wire.request_count, 6);
  /* One tries, and all is well. */
  virtual_clock_advance_ms(&h.time, 30000);
  scripted_transport_always(&h.wire, "", GOOD, COUNT(GOOD));
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_OK);
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_OK);
  close_held(&h);
}

static void test_embed__while_one_tries_the_others_wait(void **state) {
  (void)state;
  static const script_event slow[] = {PAUSE(1000), JSON, BYTES(ONE("1", "0")), END};
  const aio__str texts[] = {AIO__LIT("q")};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  for (int i = 0; i < 5; i++) scripted_transport_add(&h.wire, "", GONE, COUNT(GONE));
  scripted_transport_always(&h.wire, "", slow, COUNT(slow));
  for (int i = 0; i < 2; i++) (void)ask(&h, "q", AIORCH_PURPOSE_QUERY);
  virtual_clock_advance_ms(&h.time, 30000);
  assert_int_equal(start(&h, texts, 1, AIORCH_PURPOSE_QUERY, 60000), AIORCH_OK);
  aiorch_call *trying = h.call;
  h.call = NULL;
  assert_false(aio__call_poll(trying));
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->status, AIORCH_E_PROVIDER_BUSY);
  aio__call_drop(h.call);
  h.call = trying;
  assert_int_equal(drive(&h)->status, AIORCH_OK);
  close_held(&h);
}

static void test_embed__another_length_than_was_said_is_an_error(void **state) {
  (void)state;
  static const script_event three[] = {JSON, BYTES("{\"data\":[{\"index\":0,\"embedding\":[1,2,3]}]}"), END};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  scripted_transport_add(&h.wire, "", three, COUNT(three));
  const aio__call_result *r = ask(&h, "q", AIORCH_PURPOSE_QUERY);
  assert_int_equal(r->status, AIORCH_E_RESPONSE);
  assert_non_null(strstr(r->message, "another length"));
  close_held(&h);
}

static void test_embed__prompts_and_texts_that_are_too_long(void **state) {
  (void)state;
  static char longer[20000];
  memset(longer, ' ', sizeof longer);
  for (size_t i = 0; i + 5 < sizeof longer; i += 5) memcpy(longer + i, "word", 4);
  longer[sizeof longer - 1] = '\0';
  held h;
  open_held(&h);
  aio__http_embedder_args args = PLAIN;
  args.model = "intfloat/e5-small-v2";
  args.dimensions = 2; /* less than the model has: it is told */
  args.max_tokens = 100;
  assert_int_equal(open_embedder(&h, &args), AIORCH_OK);
  assert_false(h.embedder.vtbl.flags & AIORCH_PLUGIN_ONE_PURPOSE);
  assert_int_equal(h.embedder.vtbl.max_tokens, 100);
  scripted_transport_always(&h.wire, "", GOOD, COUNT(GOOD));
  assert_int_equal(ask(&h, "q", AIORCH_PURPOSE_QUERY)->truncated, 0);
  assert_non_null(strstr(h.wire.requests[0].body, "[\"query: q\"]"));
  assert_non_null(strstr(h.wire.requests[0].body, "\"dimensions\":2"));
  assert_int_equal(ask(&h, longer, AIORCH_PURPOSE_PASSAGE)->truncated, 1);
  assert_non_null(strstr(h.wire.requests[1].body, "\"passage: word word"));
  assert_true(strlen(h.wire.requests[1].body) < 2000); /* OpenAI refuses what is too long */
  assert_int_equal(ask(&h, " ", AIORCH_PURPOSE_SIMILARITY)->status, AIORCH_OK);
  assert_non_null(strstr(h.wire.requests[2].body, "[\"query: .\"]"));
  close_embedder(&h);
  args.api = "huggingface";
  args.base_url = "http://tei.example";
  assert_int_equal(open_embedder(&h, &args), AIORCH_OK);
  static const script_event tei[] = {JSON, BYTES("[[1,2]]"), END};
  h.wire.script_count = 0;
  scripted_transport_always(&h.wire, "http://tei.example/embed", tei, COUNT(tei));
  const aio__call_result *r = ask(&h, longer, AIORCH_PURPOSE_PASSAGE);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(r->truncated, 1);
  assert_string_equal(r->model, "intfloat/e5-small-v2"); /* it does not say */
  assert_true(strlen(h.wire.requests[3].body) > sizeof longer); /* this one cuts by itself */
  close_held(&h);
}

static void test_open__settings(void **state) {
  (void)state;
  static const struct {
    const char *api, *base_url, *key, *model, *options;
    int64_t dimensions;
    const char *error, *fingerprint;
  } rows[] = {
      {"openai", "", "k", "text-embedding-3-small", "", 0, NULL, "openai:text-embedding-3-small:1536"},
      {"openai", "", "k", "text-embedding-3-small", "", 512, NULL, "openai:text-embedding-3-small:512"},
      {"huggingface", "", "k", "BAAI/bge-small-en-v1.5", "", 0, NULL, "huggingface:BAAI/bge-small-en-v1.5:384"},
      {"ollama", "", "", "nomic-embed-text:latest", "", 0, NULL, "ollama:nomic-embed-text:latest:768"},
      {"openai", "", "k", "", "", 0, "\"embedder.model\" must be set", NULL},
      {"openai", "", "k", "two words", "", 2, "\"embedder.model\" must be one word", NULL},
      {"openai", "", "k", "unknown", "", 0, "\"embedder.dimensions\" must be set", NULL},
      {"nobody", "", "k", "m", "", 2, "\"embedder\" is no service", NULL},
      {"openai", "ftp://x", "k", "m", "", 2, "\"embedder.base_url\"", NULL},
      {"openai", "", "k\nk", "m", "", 2, "\"embedder.key\"", NULL},
      {"openai", "", "k", "m", "[", 2, "\"embedder.options\"", NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    held h;
    open_held(&h);
    aio__http_embedder_args args = {rows[i].api, rows[i].base_url, rows[i].key, rows[i].model, rows[i].options, rows[i].dimensions, 0, 5000};
    aiorch_status st = open_embedder(&h, &args);
    if (rows[i].error) {
      assert_int_equal(st, AIORCH_E_CONFIG);
      if (!strstr(h.error.message, rows[i].error)) fail_msg("row %zu: %s", i, h.error.message);
    } else {
      if (st) fail_msg("row %zu: %s", i, h.error.message);
      assert_string_equal(h.embedder.fingerprint, rows[i].fingerprint);
    }
    assert_int_equal(h.wire.request_count, 0);
    close_held(&h);
  }
}

static void test_cancel__drops_what_is_out(void **state) {
  (void)state;
  static const script_event never[] = {PAUSE(100000), END};
  const aio__str texts[] = {AIO__LIT("q")};
  held h;
  open_held(&h);
  assert_int_equal(open_embedder(&h, &PLAIN), AIORCH_OK);
  scripted_transport_add(&h.wire, "", never, COUNT(never));
  scripted_transport_add(&h.wire, "", BUSY, COUNT(BUSY));
  for (int i = 0; i < 2; i++) { /* while it is out, and while it waits */
    assert_int_equal(start(&h, texts, 1, AIORCH_PURPOSE_QUERY, 60000), AIORCH_OK);
    assert_false(aio__call_poll(h.call));
    aio__call_drop(h.call);
    h.call = NULL;
    assert_int_equal(h.wire.live, 0);
  }
  close_held(&h);
}

static void test_embed__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("q")};
  held h;
  open_held(&h);
  aio__http_embedder_args args = PLAIN;
  args.model = "e5-small-v2";
  scripted_transport_always(&h.wire, "", GOOD, COUNT(GOOD));
  do {
    aio__test_alloc_next(&h.alloc);
    aiorch_status st = open_embedder(&h, &args);
    if (st == AIORCH_OK) st = start(&h, texts, 1, AIORCH_PURPOSE_QUERY, 60000);
    if (st == AIORCH_OK) st = drive(&h)->status;
    assert_int_equal(st, h.alloc.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__call_drop(h.call);
    h.call = NULL;
    close_embedder(&h);
    scripted_transport_free(&h.wire);
  } while (h.alloc.failed > 0);
  h.alloc.fail_at = 0;
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embed__one_text),
      cmocka_unit_test(test_embed__many_texts_go_in_several_requests),
      cmocka_unit_test(test_embed__asks_again_after_a_failure),
      cmocka_unit_test(test_embed__gives_up_after_three_and_at_once_where_it_is_of_no_use),
      cmocka_unit_test(test_embed__never_waits_past_its_time),
      cmocka_unit_test(test_embed__what_fails_five_times_in_a_row_is_left_alone),
      cmocka_unit_test(test_embed__while_one_tries_the_others_wait),
      cmocka_unit_test(test_embed__another_length_than_was_said_is_an_error),
      cmocka_unit_test(test_embed__prompts_and_texts_that_are_too_long),
      cmocka_unit_test(test_open__settings),
      cmocka_unit_test(test_cancel__drops_what_is_out),
      cmocka_unit_test(test_embed__out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
