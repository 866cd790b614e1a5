/* lib/embedders/embed_codec.c: what all embedding services have in common. */
#include "support/embed_rows.h"

static const aio__embed_codec *const OPENAI = &aio__embed_openai;

static void test_find(void **state) {
  (void)state;
  assert_ptr_equal(aio__embed_codec_find(AIO__LIT("huggingface")), &aio__embed_hugging_face);
  assert_null(aio__embed_codec_find(AIO__LIT("local")));
}

static void test_encode__what_cannot_be_asked(void **state) {
  (void)state;
  const aio__str texts[] = {AIO__LIT("a"), AIO__LIT("")};
  aio__embed_request r = {.model = AIO__LIT("m"), .texts = texts, .text_count = 2};
  aio__embed_target t = {.key = {"", 0}};
  aio__wire_request wire;
  aio__wire_request_init(&wire, aio__alloc_default());
  assert_int_equal(aio__embed_encode(OPENAI, &r, &t, &wire, NULL), AIORCH_E_INVALID); /* the second is empty */
  r.text_count = 0;
  assert_int_equal(aio__embed_encode(OPENAI, &r, &t, &wire, NULL), AIORCH_E_INVALID);
  r.text_count = 1;
  r.model = AIO__LIT("");
  assert_int_equal(aio__embed_encode(OPENAI, &r, &t, &wire, NULL), AIORCH_E_INVALID);
  r.model = AIO__LIT("m");
  t.base_url = AIO__LIT("ftp://h");
  assert_int_equal(aio__embed_encode(OPENAI, &r, &t, &wire, NULL), AIORCH_E_CONFIG);
  t.base_url = AIO__LIT("");
  const aio__wire_header header = {AIO__LIT("x-a"), AIO__LIT("a\nb"), false};
  t.headers = &header;
  t.header_count = 1;
  assert_int_equal(aio__embed_encode(OPENAI, &r, &t, &wire, NULL), AIORCH_E_CONFIG);
  aio__wire_request_free(&wire);
  expect_embed_request(OPENAI, "", 257, 0, NULL, "!TOO_LARGE", "257 texts in one request; at most 256");
  expect_embed_request(OPENAI, "", 1, 0, "[]", "!CONFIG", "provider_options is no JSON object");
}

#define DATA(list) "{\"data\":[" list "]}"

static void test_decode__vectors_that_are_none(void **state) {
  (void)state;
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,2]}"), 1, 2, "1,2");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,2]}"), 1, 3, "!RESPONSE the vectors have another length than the embedder was set up with");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,2]},{\"embedding\":[1]}"), 2, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,2]},{\"embedding\":[1,2,3]}"), 2, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[]}"), 1, 0, "!RESPONSE the answer has empty vectors");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[0,0]}"), 1, 0, "!RESPONSE a vector is missing, is zero");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,null]}"), 1, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":[1,1e39]}"), 1, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":{}}"), 1, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("null"), 1, 0, "!RESPONSE");
}

static void test_decode__base64(void **state) {
  (void)state;
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAPwAAAMA=\"}"), 1, 2, "1,-2");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAPwAAAMA\"}"), 1, 2, "1,-2"); /* without its padding */
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAPwAA\\/8E=\"}"), 1, 2, "1,-31.875");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAPwAAAA==\"}"), 1, 0, "!RESPONSE"); /* seven bytes */
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAPwAA*MA=\"}"), 1, 0, "!RESPONSE");
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AADAfwAAgD8=\"}"), 1, 0, "!RESPONSE"); /* NaN */
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"AACAfwAAgD8=\"}"), 1, 0, "!RESPONSE"); /* an infinity */
  expect_vectors(OPENAI, 200, DATA("{\"embedding\":\"\"}"), 1, 0, "!RESPONSE");
}

static void test_decode__errors(void **state) {
  (void)state;
  expect_vectors(OPENAI, 401, "{\"error\":{\"message\":\"bad a-secret-key\"}}", 1, 0, "!PROVIDER_KEY bad [key]");
  expect_vectors(OPENAI, 429, "{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}", 1, 0, "!PROVIDER_KEY m");
  expect_vectors(OPENAI, 400, "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens\"}}", 1, 0, "!CONTEXT_WINDOW");
  expect_vectors(OPENAI, 413, "{\"error\":\"batch size 40 > maximum allowed batch size 32\",\"error_type\":\"Validation\"}", 1, 0, "!PROVIDER_REJECTED batch size");
  expect_vectors(OPENAI, 200, "{\"error\":{\"message\":\"late\"}}", 1, 0, "!PROVIDER_BUSY late");
  expect_vectors(OPENAI, 503, "", 1, 0, "!PROVIDER_BUSY without a word");
  expect_vectors(OPENAI, 200, "{\"data\":[", 1, 0, "!TRUNCATED");
  expect_vectors(OPENAI, 200, "<html>", 1, 0, "!RESPONSE the answer is not JSON");
  expect_vectors(OPENAI, 200, "", 1, 0, "!TRUNCATED");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find),
    cmocka_unit_test(test_encode__what_cannot_be_asked),
    cmocka_unit_test(test_decode__vectors_that_are_none),
    cmocka_unit_test(test_decode__base64),
    cmocka_unit_test(test_decode__errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
