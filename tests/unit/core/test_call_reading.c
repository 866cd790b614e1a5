/* lib/core/call_api.c: what each accessor gives for each kind of call, what may be handed over, and who may hold it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/call.h"
#include "support/test_alloc.h"
#include "support/virtual_clock.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock clock;
  aio__counters counters;
  aio__calls *calls;
  aiorch_call *call;
} held;

#define TEXT(literal) {(literal), sizeof(literal) - 1} /* AIO__LIT where C wants a constant */
static const aio__call_message messages[] = {{.role = AIORCH_ROLE_USER, .text = TEXT("Hello?")}, {.role = AIORCH_ROLE_ASSISTANT, .text = TEXT("")}};
static const aio__call_source sources[] = {{.title = TEXT("Guide"), .uri = TEXT("guide.md"), .text = TEXT("A \"text\".")}};
static const aio__str texts[] = {TEXT("first"), TEXT("second")};
static const aio__str ids[] = {TEXT("id-1"), TEXT("id-2")};
static const aio__str scopes[] = {TEXT("red"), TEXT("")};
static const float vectors[] = {1.0f, 0.0f, 0.0f, 0.6f, 0.8f, 0.0f};

static void open_with(held *h, aio__call_kind kind, const aio__call_request *request, int64_t deadline_ns) {
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->clock);
  aio__counters_init(&h->counters);
  assert_int_equal(aio__calls_new(&h->alloc.al, &h->clock.clock, NULL, &h->counters, &h->calls), AIORCH_OK);
  assert_int_equal(aio__call_new(h->calls, kind, request, NULL, deadline_ns, 100, &h->call), AIORCH_OK);
}

static void close_held(held *h) {
  aio__call_drop(h->call);
  aio__calls_free(h->calls);
  assert_int_equal(h->alloc.live, 0);
}

static aio__call_request request_of(aio__call_kind kind) {
  aio__call_request r = {.tenant = AIO__LIT("acme"), .run_id = AIO__LIT("run-1"), .temperature = -1};
  if (kind == AIO__CALL_GENERATE) {
    r.model = AIO__LIT("m-1");
    r.system = AIO__LIT("Be brief.");
    r.messages = messages;
    r.message_count = 2;
    r.sources = sources;
    r.source_count = 1;
    r.max_tokens = 50;
  } else if (kind == AIO__CALL_EMBED) {
    r.purpose = AIORCH_PURPOSE_PASSAGE;
    r.texts = texts;
    r.text_count = 2;
    r.dimensions = 3;
  } else {
    r.collection = AIO__LIT("chunks");
    r.ids = ids;
    r.scopes = scopes;
    r.vectors = vectors;
    r.vector_count = 2;
    r.dimensions = 3;
    r.limit = 9;
  }
  return r;
}

static void open_kind(held *h, aio__call_kind kind) {
  aio__call_request r = request_of(kind);
  open_with(h, kind, &r, AIO__NEVER);
}

#define assert_text(call_expression, wanted)               \
  do {                                                     \
    assert_int_equal((call_expression), AIORCH_OK);        \
    assert_int_equal(n, strlen(wanted));                   \
    assert_memory_equal(text, wanted, n);                  \
  } while (0)

/* ---- reading ---- */

static void test_read__generate(void **state) {
  (void)state;
  held h;
  const char *text;
  size_t n;
  int32_t role = 0;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_text(aiorch_call_tenant(h.call, &text, &n), "acme");
  assert_text(aiorch_call_run_id(h.call, &text, &n), "run-1");
  assert_text(aiorch_call_model(h.call, &text, &n), "m-1");
  assert_text(aiorch_call_system(h.call, &text, &n), "Be brief.");
  assert_int_equal(aiorch_call_message_count(h.call), 2);
  assert_text(aiorch_call_message(h.call, 0, &role, &text, &n), "Hello?");
  assert_int_equal(role, AIORCH_ROLE_USER);
  assert_text(aiorch_call_message(h.call, 1, &role, &text, &n), "");
  assert_int_equal(role, AIORCH_ROLE_ASSISTANT);
  assert_int_equal(aiorch_call_message(h.call, 2, &role, &text, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_message(h.call, 0, NULL, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_call_message(h.call, 0, NULL, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_max_tokens(h.call), 50);
  assert_text(aiorch_call_request_json(h.call, &text, &n),
              "{\"model\":\"m-1\",\"system\":\"Be brief.\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"},"
              "{\"role\":\"assistant\",\"content\":\"\"}],"
              "\"sources\":[{\"n\":1,\"title\":\"Guide\",\"uri\":\"guide.md\","
              "\"text\":\"A \\\"text\\\".\"}],\"max_tokens\":50}");
  const char *again;
  assert_int_equal(aiorch_call_request_json(h.call, &again, NULL), AIORCH_OK);
  assert_ptr_equal(again, text); /* made once */
  close_held(&h);
}

static void test_read__generate_with_options_of_the_provider(void **state) {
  (void)state;
  held h;
  const char *text;
  size_t n;
  aio__call_request r = {.temperature = 0.5, .provider_options = AIO__LIT("{\"a\":[1]}")};
  open_with(&h, AIO__CALL_GENERATE, &r, AIO__NEVER);
  assert_text(aiorch_call_request_json(h.call, &text, &n),
              "{\"model\":\"\",\"system\":\"\",\"messages\":[],\"sources\":[],\"max_tokens\":0,\"temperature\":0.5,"
              "\"provider_options\":{\"a\":[1]}}");
  close_held(&h);
}

static void test_read__embed(void **state) {
  (void)state;
  held h;
  const char *text;
  size_t n;
  open_kind(&h, AIO__CALL_EMBED);
  assert_int_equal(aiorch_call_purpose(h.call), AIORCH_PURPOSE_PASSAGE);
  assert_int_equal(aiorch_call_text_count(h.call), 2);
  assert_text(aiorch_call_text(h.call, 0, &text, &n), "first");
  assert_text(aiorch_call_text(h.call, 1, &text, &n), "second");
  assert_int_equal(aiorch_call_text(h.call, 2, &text, &n), AIORCH_E_INVALID);
  assert_text(aiorch_call_request_json(h.call, &text, &n),
              "{\"purpose\":\"passage\",\"texts\":[\"first\",\"second\"]}");
  assert_int_equal(aiorch_call_model(h.call, &text, &n), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_system(h.call, &text, &n), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_message(h.call, 0, NULL, &text, &n), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_collection(h.call, &text, &n), AIORCH_E_STATE);
  close_held(&h);
}

static void test_read__vectors(void **state) {
  (void)state;
  static const aio__call_kind kinds[] = {AIO__CALL_UPSERT, AIO__CALL_REMOVE, AIO__CALL_SEARCH};
  for (size_t i = 0; i < 3; i++) {
    aio__call_kind kind = kinds[i];
    held h;
    const char *text;
    const float *row;
    size_t n, dimensions;
    open_kind(&h, kind);
    assert_text(aiorch_call_collection(h.call, &text, &n), "chunks");
    assert_int_equal(aiorch_call_vector_count(h.call), 2);
    assert_int_equal(aiorch_call_limit(h.call), 9);
    bool has_rows = kind != AIO__CALL_REMOVE, has_ids = kind != AIO__CALL_SEARCH;
    assert_int_equal(aiorch_call_vector(h.call, 1, &row, &dimensions), has_rows ? AIORCH_OK : AIORCH_E_STATE);
    if (has_rows) {
      assert_int_equal(dimensions, 3);
      assert_memory_equal(row, vectors + 3, 3 * sizeof *row);
      assert_int_equal(aiorch_call_vector(h.call, 2, &row, &dimensions), AIORCH_E_INVALID);
      assert_int_equal(aiorch_call_vector(h.call, 0, &row, NULL), AIORCH_OK);
      assert_text(aiorch_call_vector_scope(h.call, 0, &text, &n), "red");
      assert_text(aiorch_call_vector_scope(h.call, 1, &text, &n), "");
      assert_int_equal(aiorch_call_vector_scope(h.call, 2, &text, &n), AIORCH_E_INVALID);
    } else {
      assert_int_equal(aiorch_call_vector_scope(h.call, 0, &text, &n), AIORCH_E_STATE);
    }
    assert_int_equal(aiorch_call_vector_id(h.call, 1, &text, &n), has_ids ? AIORCH_OK : AIORCH_E_STATE);
    if (has_ids) assert_int_equal(aiorch_call_vector_id(h.call, 2, &text, &n), AIORCH_E_INVALID);
    assert_text(aiorch_call_request_json(h.call, &text, &n),
                "{\"collection\":\"chunks\",\"scopes\":[\"red\",\"\"],\"ids\":[\"id-1\",\"id-2\"],\"limit\":9}");
    assert_int_equal(aiorch_call_text(h.call, 0, &text, &n), AIORCH_E_STATE);
    close_held(&h);
  }
}

static void test_read__without_scopes_they_are_empty(void **state) {
  (void)state;
  held h;
  const char *text;
  size_t n;
  aio__call_request r = request_of(AIO__CALL_SEARCH);
  r.scopes = NULL;
  r.ids = NULL;
  open_with(&h, AIO__CALL_SEARCH, &r, AIO__NEVER);
  assert_text(aiorch_call_vector_scope(h.call, 1, &text, &n), "");
  assert_text(aiorch_call_request_json(h.call, &text, &n),
              "{\"collection\":\"chunks\",\"scopes\":[],\"ids\":[],\"limit\":9}");
  close_held(&h);
}

static void test_read__what_is_no_call(void **state) {
  (void)state;
  static const uint64_t zeros[32] = {0};
  const aiorch_call *none[] = {NULL, (const aiorch_call *)(const void *)zeros};
  for (size_t i = 0; i < 2; i++) {
    const char *text;
    const float *row;
    assert_int_equal(aiorch_call_cancelled(none[i]), 1);
    assert_int_equal(aiorch_call_remaining_ms(none[i]), 0);
    assert_int_equal(aiorch_call_tenant(none[i], &text, NULL), AIORCH_E_INVALID);
    assert_int_equal(aiorch_call_run_id(none[i], &text, NULL), AIORCH_E_INVALID);
    assert_int_equal(aiorch_call_model(none[i], &text, NULL), AIORCH_E_INVALID);
    assert_int_equal(aiorch_call_message_count(none[i]), 0);
    assert_int_equal(aiorch_call_max_tokens(none[i]), 0);
    assert_int_equal(aiorch_call_purpose(none[i]), 0);
    assert_int_equal(aiorch_call_text_count(none[i]), 0);
    assert_int_equal(aiorch_call_vector_count(none[i]), 0);
    assert_int_equal(aiorch_call_vector(none[i], 0, &row, NULL), AIORCH_E_INVALID);
    assert_int_equal(aiorch_call_limit(none[i]), 0);
  }
  aiorch_call *nobody = NULL;
  const char *text;
  assert_int_equal(aiorch_call_request_json(nobody, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_emit(nobody, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_model(nobody, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_request_id(nobody, "x", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_finish(nobody, AIORCH_OK), AIORCH_E_INVALID);
  assert_null(aiorch_call_retain(nobody));
  aiorch_call_release(nobody);
}

static void test_read__the_time_that_is_left(void **state) {
  (void)state;
  held h;
  aio__call_request r = request_of(AIO__CALL_GENERATE);
  open_kind(&h, AIO__CALL_GENERATE);
  assert_true(aiorch_call_remaining_ms(h.call) == INT64_MAX);
  assert_int_equal(aiorch_call_cancelled(h.call), 0);
  close_held(&h);
  virtual_clock start;
  virtual_clock_init(&start);
  open_with(&h, AIO__CALL_GENERATE, &r, atomic_load(&start.monotonic_ns) + 1500000);
  assert_int_equal(aiorch_call_remaining_ms(h.call), 2); /* begun milliseconds count as whole ones */
  virtual_clock_advance_ms(&h.clock, 1);
  assert_int_equal(aiorch_call_remaining_ms(h.call), 1);
  assert_int_equal(aiorch_call_cancelled(h.call), 0);
  virtual_clock_advance_ms(&h.clock, 1);
  assert_int_equal(aiorch_call_remaining_ms(h.call), 0);
  assert_int_equal(aiorch_call_cancelled(h.call), 1);
  close_held(&h);
}

static void test_read__a_json_without_memory_comes_later(void **state) {
  (void)state;
  held h;
  const char *text;
  open_kind(&h, AIO__CALL_GENERATE);
  h.alloc.fail_at = h.alloc.count + 1;
  h.alloc.fail_on = true;
  assert_int_equal(aiorch_call_request_json(h.call, &text, NULL), AIORCH_E_NOMEM);
  h.alloc.fail_at = 0;
  h.alloc.fail_on = false;
  assert_int_equal(aiorch_call_request_json(h.call, &text, NULL), AIORCH_OK);
  assert_non_null(strstr(text, "\"max_tokens\":50}"));
  close_held(&h);
}

/* ---- handing over ---- */

static void test_put__usage_in_its_range(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_usage(h.call, -1, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_COUNT, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_OUTPUT, -1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_OUTPUT, (INT64_C(1) << 53) + 1), AIORCH_E_INVALID);
  assert_false(aio__call_result_of(h.call)->has_usage);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_OUTPUT, 3), AIORCH_OK);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_OUTPUT, INT64_C(1) << 53), AIORCH_OK);
  assert_true(aio__call_result_of(h.call)->has_usage);
  assert_true(aio__call_result_of(h.call)->usage[AIORCH_USAGE_OUTPUT] == INT64_C(1) << 53);
  close_held(&h);
}

static void test_put__finish_reason_in_its_range(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_finish_reason(h.call, AIORCH_FINISH_STOP - 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_finish_reason(h.call, AIORCH_FINISH_ERROR + 1), AIORCH_E_INVALID);
  assert_int_equal(aio__call_result_of(h.call)->finish_reason, AIORCH_FINISH_STOP);
  assert_int_equal(aiorch_call_put_finish_reason(h.call, AIORCH_FINISH_LENGTH), AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->finish_reason, AIORCH_FINISH_LENGTH);
  close_held(&h);
}

static void test_put__names(void **state) {
  (void)state;
  held h;
  char name[256];
  memset(name, 'n', sizeof name);
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_model(h.call, name, 256), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_call_put_model(h.call, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_model(h.call, "a\0b", 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_model(h.call, "a\xff", 2), AIORCH_E_INVALID);
  assert_string_equal(aio__call_result_of(h.call)->model, "");
  assert_int_equal(aiorch_call_put_model(h.call, name, 255), AIORCH_OK);
  assert_int_equal(strlen(aio__call_result_of(h.call)->model), 255);
  assert_int_equal(aiorch_call_put_request_id(h.call, "req-7", 5), AIORCH_OK);
  assert_string_equal(aio__call_result_of(h.call)->request_id, "req-7");
  assert_int_equal(aiorch_call_put_request_id(h.call, NULL, 0), AIORCH_OK);
  assert_string_equal(aio__call_result_of(h.call)->request_id, "");
  close_held(&h);
}

static void test_put__vectors_as_many_as_texts_and_good(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_EMBED);
  assert_int_equal(aiorch_call_put_vectors(h.call, NULL, 2, 3, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 0, 3, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 2, 0, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 2, SIZE_MAX / 4, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 2, 3, 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 1, 3, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 2, 2, 0), AIORCH_E_INVALID);
  float bad[6];
  static const float worst[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 3; i++) {
    memcpy(bad, vectors, sizeof bad);
    bad[5] = worst[i];
    assert_int_equal(aiorch_call_put_vectors(h.call, bad, 2, 3, 0), AIORCH_E_INVALID);
  }
  memcpy(bad, vectors, sizeof bad);
  bad[3] = bad[4] = 0.0f; /* the second row is zero */
  assert_int_equal(aiorch_call_put_vectors(h.call, bad, 2, 3, 0), AIORCH_E_INVALID);
  assert_int_equal(aio__call_result_of(h.call)->vector_count, 0);
  bad[5] = -2.0f;
  assert_int_equal(aiorch_call_put_vectors(h.call, bad, 2, 3, 1), AIORCH_OK);
  const aio__call_result *result = aio__call_result_of(h.call);
  assert_int_equal(result->vector_count, 2);
  assert_int_equal(result->dimensions, 3);
  assert_int_equal(result->truncated, 1);
  assert_memory_equal(result->vectors, bad, sizeof bad);
  close_held(&h);
}

static void test_put__vectors_of_any_size_when_none_is_asked_for(void **state) {
  (void)state;
  held h;
  aio__call_request r = request_of(AIO__CALL_EMBED);
  r.dimensions = 0;
  open_with(&h, AIO__CALL_EMBED, &r, AIO__NEVER);
  assert_int_equal(aiorch_call_put_vectors(h.call, vectors, 2, 2, 0), AIORCH_OK);
  h.alloc.fail_at = h.alloc.count + 1;
  h.alloc.fail_on = true;
  float many[4000];
  for (size_t i = 0; i < 4000; i++) many[i] = 1.0f;
  assert_int_equal(aiorch_call_put_vectors(h.call, many, 2, 2000, 0), AIORCH_E_NOMEM);
  close_held(&h);
}

static void test_put__hits_of_a_search(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_SEARCH);
  char name[256];
  memset(name, 'n', sizeof name);
  assert_int_equal(aiorch_call_put_hit(h.call, 0, NULL, 1, 0.5), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_hit(h.call, 0, "", 0, 0.5), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_hit(h.call, 0, name, 256, 0.5), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_hit(h.call, 0, "a", 1, (double)NAN), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_hit(h.call, 2, "a", 1, 0.5), AIORCH_E_INVALID);
  assert_int_equal(aio__call_result_of(h.call)->hit_count, 0);
  for (int i = 0; i < 40; i++) {
    assert_int_equal(aiorch_call_put_hit(h.call, (size_t)i % 2, name, (size_t)i + 1, i / 100.0), AIORCH_OK);
  }
  const aio__call_result *result = aio__call_result_of(h.call);
  assert_int_equal(result->hit_count, 40);
  for (size_t i = 0; i < 40; i++) {
    assert_int_equal(result->hits[i].query, i % 2);
    assert_int_equal(result->hits[i].id.n, i + 1);
    double off = result->hits[i].similarity - (double)i / 100.0;
    assert_true(off > -1e-9 && off < 1e-9);
  }
  close_held(&h);
}

static void test_put__an_error_on_one_line_of_a_limited_length(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_REMOVE);
  assert_int_equal(aiorch_call_put_error(h.call, NULL, 1, 0, -1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_error(h.call, "x", 1, -1, -1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_error(h.call, "x", 1, 1000, -1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_error(h.call, "x", 1, 0, -2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_error(h.call, "two\nlines\x7f\there", 15, 999, 0), AIORCH_OK);
  const aio__call_result *result = aio__call_result_of(h.call);
  assert_string_equal(result->message, "two lines  here");
  assert_int_equal(result->http_status, 999);
  assert_int_equal(result->retry_after_ms, 0);
  char longer[AIO__CALL_ERROR_MAX + 10];
  memset(longer, 'e', sizeof longer);
  assert_int_equal(aiorch_call_put_error(h.call, longer, sizeof longer, 0, -1), AIORCH_OK);
  assert_int_equal(strlen(aio__call_result_of(h.call)->message), AIO__CALL_ERROR_MAX);
  assert_int_equal(aiorch_call_put_error(h.call, NULL, 0, 0, -1), AIORCH_OK);
  assert_string_equal(aio__call_result_of(h.call)->message, "");
  close_held(&h);
}

static void test_put__after_the_end_is_refused(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_emit(h.call, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_emit(h.call, NULL, 0), AIORCH_OK);
  assert_int_equal(aiorch_call_finish(h.call, AIORCH_OK), AIORCH_OK);
  assert_int_equal(aiorch_call_cancelled(h.call), 1);
  assert_int_equal(aiorch_call_emit(h.call, "x", 1), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_usage(h.call, AIORCH_USAGE_INPUT, 1), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_finish_reason(h.call, AIORCH_FINISH_STOP), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_model(h.call, "m", 1), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_error(h.call, "m", 1, 0, -1), AIORCH_E_STATE);
  close_held(&h);
}

static void test_put__after_the_driver_has_gone_is_cancelled(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  aiorch_call *call = aiorch_call_retain(h.call);
  assert_ptr_equal(call, h.call);
  aio__call_drop(h.call);
  h.call = NULL;
  assert_int_equal(aiorch_call_cancelled(call), 1);
  assert_int_equal(aiorch_call_emit(call, "x", 1), AIORCH_E_CANCELLED);
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 1), AIORCH_E_CANCELLED);
  const char *text;
  size_t n;
  assert_text(aiorch_call_system(call, &text, &n), "Be brief."); /* what is held can still be read */
  assert_int_equal(aiorch_call_finish(call, AIORCH_OK), AIORCH_E_CANCELLED);
  aiorch_call_release(call);
  assert_null(aiorch_call_retain(call));
  close_held(&h);
}

/* ---- start ---- */

static aiorch_status fails(void *self, aiorch_call *call) {
  (void)call;
  return *(aiorch_status *)self;
}

static void test_start__what_a_slot_returns(void **state) {
  (void)state;
  static const struct {
    aiorch_status said, status;
    int faults;
  } rows[] = {{AIORCH_E_NETWORK, AIORCH_E_NETWORK, 0},
              {AIORCH_SLOT_OK, AIORCH_E_PLUGIN_CONTRACT, 1},
              {0, AIORCH_E_PLUGIN, 1},
              {-987654, AIORCH_E_PLUGIN, 1},
              {12345, AIORCH_E_PLUGIN, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    held h;
    aiorch_status said = rows[i].said;
    open_kind(&h, AIO__CALL_GENERATE);
    aio__call_start(h.call, fails, NULL, &said, 0, NULL);
    assert_true(aio__call_ended(h.call));
    assert_int_equal(aio__call_result_of(h.call)->status, rows[i].status);
    assert_true(aio__call_result_of(h.call)->message[0] != '\0');
    assert_int_equal(atomic_load(&h.counters.n[AIO__N_PLUGIN_FAULTS]), rows[i].faults);
    close_held(&h);
  }
}

static aiorch_status pending(void *self, aiorch_call *call) {
  (void)call;
  ++*(int *)self;
  return AIORCH_SLOT_PENDING;
}

static void cancel(void *self, aiorch_call *call) {
  *(int *)self += 10;
  assert_int_equal(aiorch_call_cancelled(call), 1);
  assert_int_equal(aiorch_call_finish(call, AIORCH_E_CANCELLED), AIORCH_E_CANCELLED);
}

static void test_drop__what_is_out_is_cancelled_once(void **state) {
  (void)state;
  held h;
  int seen = 0;
  open_kind(&h, AIO__CALL_GENERATE);
  aio__call_start(h.call, pending, cancel, &seen, 0, NULL);
  assert_false(aio__call_ended(h.call));
  aio__call_drop(h.call);
  assert_int_equal(seen, 11);
  h.call = NULL;
  close_held(&h);
}

static void test_start__serial_lets_the_next_one_in_afterwards(void **state) {
  (void)state;
  held h;
  int seen = 0;
  pthread_mutex_t serial = PTHREAD_MUTEX_INITIALIZER;
  aio__call_request r = request_of(AIO__CALL_GENERATE);
  virtual_clock now;
  virtual_clock_init(&now);
  static const bool with_deadline[] = {false, true};
  for (size_t i = 0; i < 2; i++) {
    open_with(&h, AIO__CALL_GENERATE, &r, with_deadline[i] ? INT64_MAX - 1 : AIO__NEVER);
    aio__call_start(h.call, pending, cancel, &seen, AIORCH_PLUGIN_SERIAL, &serial);
    assert_int_equal(pthread_mutex_trylock(&serial), 0); /* it is free again */
    assert_int_equal(pthread_mutex_unlock(&serial), 0);
    close_held(&h);
  }
  assert_int_equal(seen, 22);
}

/* The other call is never done: this one ends by its deadline, which has passed, and the slot is not called. */
static void test_start__serial_ends_at_the_deadline(void **state) {
  (void)state;
  held h;
  int seen = 0;
  pthread_mutex_t serial = PTHREAD_MUTEX_INITIALIZER;
  aio__call_request r = request_of(AIO__CALL_GENERATE);
  open_with(&h, AIO__CALL_GENERATE, &r, 1);
  assert_int_equal(pthread_mutex_lock(&serial), 0);
  aio__call_start(h.call, pending, cancel, &seen, AIORCH_PLUGIN_SERIAL, &serial);
  assert_int_equal(seen, 0);
  assert_true(aio__call_ended(h.call));
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_E_DEADLINE);
  assert_non_null(strstr(aio__call_result_of(h.call)->message, "busy with another call"));
  assert_int_equal(pthread_mutex_unlock(&serial), 0);
  close_held(&h);
}

static void test_start__late_is_counted(void **state) {
  (void)state;
  held h;
  int seen = 0;
  aio__call_request r = request_of(AIO__CALL_GENERATE);
  open_with(&h, AIO__CALL_GENERATE, &r, 1);
  aio__call_start(h.call, pending, cancel, &seen, 0, NULL);
  assert_int_equal(atomic_load(&h.counters.n[AIO__N_PLUGIN_OVERRUNS]), 1);
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read__generate),
      cmocka_unit_test(test_read__generate_with_options_of_the_provider),
      cmocka_unit_test(test_read__embed),
      cmocka_unit_test(test_read__vectors),
      cmocka_unit_test(test_read__without_scopes_they_are_empty),
      cmocka_unit_test(test_read__what_is_no_call),
      cmocka_unit_test(test_read__the_time_that_is_left),
      cmocka_unit_test(test_read__a_json_without_memory_comes_later),
      cmocka_unit_test(test_put__usage_in_its_range),
      cmocka_unit_test(test_put__finish_reason_in_its_range),
      cmocka_unit_test(test_put__names),
      cmocka_unit_test(test_put__vectors_as_many_as_texts_and_good),
      cmocka_unit_test(test_put__vectors_of_any_size_when_none_is_asked_for),
      cmocka_unit_test(test_put__hits_of_a_search),
      cmocka_unit_test(test_put__an_error_on_one_line_of_a_limited_length),
      cmocka_unit_test(test_put__after_the_end_is_refused),
      cmocka_unit_test(test_put__after_the_driver_has_gone_is_cancelled),
      cmocka_unit_test(test_start__what_a_slot_returns),
      cmocka_unit_test(test_drop__what_is_out_is_cancelled_once),
      cmocka_unit_test(test_start__serial_lets_the_next_one_in_afterwards),
      cmocka_unit_test(test_start__serial_ends_at_the_deadline),
      cmocka_unit_test(test_start__late_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
