/* lib/embedders/hugging_face.c: the shapes an answer may have. */
#include "support/embed_rows.h"

static const aio__embed_codec *const HF = &aio__embed_hugging_face;

static void test_encode__router_and_own_server(void **state) {
  (void)state;
#define BODY "{\"inputs\":[\"a\",\"b\"],\"normalize\":true,\"truncate\":true"
  expect_embed_request(HF, "", 2, 0, NULL, "https://router.huggingface.co/hf-inference/models/org/m/pipeline/feature-extraction", BODY "}");
  expect_embed_request(HF, "https://router.huggingface.co/hf-inference", 2, 0, NULL, "https://router.huggingface.co/hf-inference/models/org/m/pipeline/feature-extraction", BODY "}");
  expect_embed_request(HF, "http://localhost:3000", 2, 256, "{\"prompt_name\":\"query\",\"truncate\":false}", "http://localhost:3000/embed", "{\"inputs\":[\"a\",\"b\"],\"normalize\":true,\"truncate\":false,\"dimensions\":256,\"prompt_name\":\"query\"}");
  expect_embed_request(HF, "", 33, 0, NULL, "!TOO_LARGE", "at most 32");
}

static void test_decode__shapes(void **state) {
  (void)state;
  expect_vectors(HF, 200, "[[1,2],[3,4]]", 2, 0, "1,2;3,4");
  expect_vectors(HF, 200, "[1,2]", 1, 0, "1,2");
  expect_vectors(HF, 200, "[[1,2]]", 1, 0, "1,2");
  expect_vectors(HF, 200, "[[[1,2],[3,6]],[[5,5]]]", 2, 0, "2,4;5,5"); /* tokens: their mean */
  expect_vectors(HF, 200, "[[[1,2],[3,4]]]", 1, 0, "2,3");
  expect_vectors(HF, 200, "[[1,2],[3,4],[5,6]]", 1, 0, "!RESPONSE the answer has not as many"); /* tokens of one text, or three texts? */
  expect_vectors(HF, 200, "[1,2]", 2, 0, "!RESPONSE");
  expect_vectors(HF, 200, "[[[1,2],[3]],[[5,5]]]", 2, 0, "!RESPONSE");
  expect_vectors(HF, 200, "[[[1,2],[3,\"x\"]],[[5,5]]]", 2, 0, "!RESPONSE");
  expect_vectors(HF, 200, "[[],[]]", 2, 0, "!RESPONSE");
  expect_vectors(HF, 200, "[[[]],[[]]]", 2, 0, "!RESPONSE");
  expect_vectors(HF, 200, "[]", 1, 0, "!RESPONSE");
  expect_vectors(HF, 200, "{\"embeddings\":[[1,2]]}", 1, 0, "!RESPONSE the answer is no list");
}

static void test_decode__errors(void **state) {
  (void)state;
  expect_vectors(HF, 503, "{\"error\":\"Model org/m is currently loading\",\"estimated_time\":20.5}", 1, 0, "!PROVIDER_BUSY retry=20500 Model org/m is currently loading");
  expect_vectors(HF, 503, "{\"error\":\"Model org/m is currently loading\",\"estimated_time\":1e9}", 1, 0, "!PROVIDER_BUSY retry=600000");
  expect_vectors(HF, 410, "{\"error\":\"https://api-inference.huggingface.co is no longer supported. Please use https://router.huggingface.co instead.\"}", 1, 0, "!PROVIDER_MODEL https://api-inference.huggingface.co is no longer supported.");
  expect_vectors(HF, 422, "{\"error\":\"Input validation error: `inputs` must have less than 512 tokens. Given: 600\",\"error_type\":\"Validation\"}", 1, 0, "!CONTEXT_WINDOW");
  expect_vectors(HF, 401, "{\"error\":\"Invalid username or password.\"}", 1, 0, "!PROVIDER_KEY");
  expect_vectors(HF, 400, "{\"error\":[\"first\",\"second\"]}", 1, 0, "!PROVIDER_REJECTED first");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_embed_without_memory(HF, 200, "[[[1,2],[3,6]],[[5,5]]]", 2);
  expect_embed_without_memory(HF, 503, "{\"error\":\"loading\\n\",\"estimated_time\":1}", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__router_and_own_server),
    cmocka_unit_test(test_decode__shapes),
    cmocka_unit_test(test_decode__errors),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
