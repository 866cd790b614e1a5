/* See embed_rows.h. */
#include "support/embed_rows.h"

#include "support/test_alloc.h"

enum { TEXT_MAX = 4096, TEXTS_MAX = 400 };

static aio__embed_request make(aio__str texts[TEXTS_MAX], size_t count, size_t dimensions, const char *options) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
  for (size_t i = 0; i < count; i++) texts[i] = aio__str_n(letters + i % 26, 1);
  return (aio__embed_request){.model = AIO__LIT("org/m"), .texts = texts, .text_count = count, .purpose = AIORCH_PURPOSE_PASSAGE,
                              .dimensions = dimensions, .provider_options = aio__str_z(options)};
}

void expect_embed_request(const aio__embed_codec *codec, const char *base_url, size_t count, size_t dimensions, const char *options, const char *url, const char *body) {
  aio__str texts[TEXTS_MAX];
  aio__embed_request request = make(texts, count, dimensions, options);
  const aio__embed_target target = {.base_url = aio__str_z(base_url), .key = AIO__LIT("a-secret")};
  aio__wire_request wire;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  aio__wire_request_init(&wire, aio__alloc_default());
  aiorch_status st = aio__embed_encode(codec, &request, &target, &wire, error);
  if (url[0] == '!') {
    assert_string_equal(aiorch_status_name(st), url + 1);
    if (!strstr(aiorch_error_message(error), body)) fail_msg("%s", aiorch_error_message(error));
  } else {
    assert_int_equal(st, AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&wire.url), url);
    assert_string_equal(aio__buf_cstr(&wire.body), body);
    size_t secrets = 0;
    for (size_t i = 0; i < wire.header_count; i++) secrets += wire.headers[i].secret && aio__wire_has(wire.headers[i].value, "a-secret") ? 1 : 0;
    assert_int_equal(secrets, 1);
  }
  aio__wire_request_free(&wire);
  aiorch_error_free(error);
}

static void describe(char out[TEXT_MAX], const aio__embed_result *result, aiorch_status st) {
  size_t n = 0;
  if (st) {
    n = (size_t)snprintf(out, TEXT_MAX, "!%s", aiorch_status_name(st));
    if (result->error.retry_after_ms >= 0) n += (size_t)snprintf(out + n, TEXT_MAX - n, " retry=%lld", (long long)result->error.retry_after_ms);
    snprintf(out + n, TEXT_MAX - n, " %s", result->error.message);
    return;
  }
  for (size_t i = 0; i < result->count * result->dimensions; i++) {
    n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s%g", i == 0 ? "" : i % result->dimensions ? "," : ";", (double)result->vectors[i]);
  }
  if (result->tokens >= 0) snprintf(out + n, TEXT_MAX - n, " tokens=%lld", (long long)result->tokens);
}

void expect_vectors(const aio__embed_codec *codec, int32_t http_status, const char *body, size_t texts, size_t dimensions, const char *want) {
  char got[TEXT_MAX];
  const aio__embed_target target = {.key = AIO__LIT("a-secret-key")};
  const aio__wire_reply reply = {.http_status = http_status};
  aio__embed_result result;
  char *copy = malloc(strlen(body) + 1); /* its end is the end of what may be read */
  assert_non_null(copy);
  memcpy(copy, body, strlen(body));
  aio__embed_result_init(&result, aio__alloc_default());
  aiorch_status st = aio__embed_decode(codec, &target, &reply, aio__str_n(copy, strlen(body)), texts, dimensions, &result);
  free(copy);
  describe(got, &result, st);
  if (strncmp(got, want, want[0] == '!' ? strlen(want) : sizeof got) != 0) fail_msg("%s: %s, not %s", body, got, want);
  assert_int_equal(result.error.status, st);
  if (st) assert_null(result.vectors);
  aio__embed_result_free(&result);
}

void expect_embed_without_memory(const aio__embed_codec *codec, int32_t http_status, const char *body, size_t texts) {
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__str list[TEXTS_MAX];
    aio__embed_request request = make(list, texts, 2, "{\"x\":1}");
    const aio__embed_target target = {.key = AIO__LIT("a-secret")};
    const aio__wire_reply reply = {.http_status = http_status};
    aio__wire_request wire;
    aio__embed_result result;
    aio__test_alloc_next(&t);
    aio__wire_request_init(&wire, &t.al);
    aio__embed_result_init(&result, &t.al);
    aiorch_status st = aio__embed_encode(codec, &request, &target, &wire, NULL);
    if (st == AIORCH_OK) st = aio__embed_decode(codec, &target, &reply, aio__str_z(body), texts, 0, &result);
    if (t.failed > 0) assert_int_equal(st, AIORCH_E_NOMEM);
    else assert_int_equal(st == AIORCH_OK, http_status == 200);
    aio__wire_request_free(&wire);
    aio__embed_result_free(&result);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}
