/* lib/embedders/openai_embed.c; compared with the SDK in tests/oracle, too. */
#include "support/embed_rows.h"

static void test_encode(void **state) {
  (void)state;
  expect_embed_request(&aio__embed_openai, "", 2, 0, NULL, "https://api.openai.com/v1/embeddings", "{\"model\":\"org/m\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"base64\"}");
  expect_embed_request(&aio__embed_openai, "http://h:3000/v1/", 1, 512, "{\"user\":\"u\"}", "http://h:3000/v1/embeddings", "{\"model\":\"org/m\",\"input\":[\"a\"],\"encoding_format\":\"base64\",\"dimensions\":512,\"user\":\"u\"}");
  expect_embed_request(&aio__embed_openai, "https://r.openai.azure.com/openai/v1", 1, 0, NULL, "https://r.openai.azure.com/openai/v1/embeddings", "{\"model\":\"org/m\",\"input\":[\"a\"],\"encoding_format\":\"base64\"}");
}

static void test_decode__placed_by_index(void **state) {
  (void)state;
  expect_vectors(&aio__embed_openai, 200, "{\"usage\":{\"prompt_tokens\":7},\"data\":[{\"index\":1,\"embedding\":[3,4]},{\"index\":0,\"embedding\":[1,2]}]}", 2, 0, "1,2;3,4 tokens=7");
  expect_vectors(&aio__embed_openai, 200, "{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[3,4]}],\"usage\":null}", 2, 0, "1,2;3,4");
  expect_vectors(&aio__embed_openai, 200, "{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[3,4]}]}", 2, 0, "!RESPONSE a vector is missing");
  expect_vectors(&aio__embed_openai, 200, "{\"data\":[{\"index\":2,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[3,4]}]}", 2, 0, "!RESPONSE the index");
  expect_vectors(&aio__embed_openai, 200, "{\"data\":[{\"index\":-1,\"embedding\":[1,2]}]}", 1, 0, "!RESPONSE the index");
  expect_vectors(&aio__embed_openai, 200, "{\"data\":[{\"embedding\":[1,2]}]}", 2, 0, "!RESPONSE the answer has not as many");
  expect_vectors(&aio__embed_openai, 200, "{}", 1, 0, "!RESPONSE");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_embed_without_memory(&aio__embed_openai, 200, "{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[3,4]}]}", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode),
    cmocka_unit_test(test_decode__placed_by_index),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
