/* lib/embedders/ollama_embed.c; compared with the SDK in tests/oracle, too. */
#include "support/embed_rows.h"

static const aio__embed_codec *const OLLAMA = &aio__embed_ollama;

static void test_encode(void **state) {
  (void)state;
  expect_embed_request(OLLAMA, "", 2, 0, NULL, "http://localhost:11434/api/embed", "{\"model\":\"org/m\",\"input\":[\"a\",\"b\"],\"truncate\":true}");
  expect_embed_request(OLLAMA, "http://h:1/api", 1, 64, "{\"keep_alive\":\"5m\"}", "http://h:1/api/embed", "{\"model\":\"org/m\",\"input\":[\"a\"],\"truncate\":true,\"dimensions\":64,\"keep_alive\":\"5m\"}");
}

static void test_decode(void **state) {
  (void)state;
  expect_vectors(OLLAMA, 200, "{\"model\":\"m\",\"embeddings\":[[1,2],[3,4]],\"prompt_eval_count\":7}", 2, 0, "1,2;3,4 tokens=7");
  expect_vectors(OLLAMA, 200, "{\"embedding\":[1,2]}", 1, 0, "1,2"); /* the older interface */
  expect_vectors(OLLAMA, 200, "{\"embedding\":[1,2]}", 2, 0, "!RESPONSE");
  expect_vectors(OLLAMA, 200, "{\"embeddings\":[[1,2]]}", 2, 0, "!RESPONSE the answer has not as many");
  expect_vectors(OLLAMA, 200, "{\"embeddings\":[[1,2],[3,4]]}", 1, 0, "!RESPONSE");
  expect_vectors(OLLAMA, 200, "{\"embeddings\":null}", 1, 0, "!RESPONSE");
  expect_vectors(OLLAMA, 404, "{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}", 1, 0, "!PROVIDER_MODEL model \"x\" not found");
  expect_vectors(OLLAMA, 400, "{\"error\":\"the input length exceeds the context length\"}", 1, 0, "!CONTEXT_WINDOW");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_embed_without_memory(OLLAMA, 200, "{\"embeddings\":[[1,2],[3,4]]}", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode),
    cmocka_unit_test(test_decode),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
