/* Answers of embedding services: the first byte chooses the service and how many texts there were. Vectors are whole, finite, and never
 * zero. */
#include <math.h>
#include <stdlib.h>

#include "embedders/embed_codec.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const aio__embed_codec *const codecs[] = {&aio__embed_hugging_face, &aio__embed_openai, &aio__embed_ollama};
  if (size == 0) return 0;
  size_t texts = 1 + data[0] / 4 % 4;
  const aio__embed_target target = {.key = {"", 0}};
  const aio__wire_reply reply = {.http_status = data[0] >= 128 ? 503 : 200};
  aio__embed_result result;
  aio__embed_result_init(&result, aio__alloc_default());
  aiorch_status st = aio__embed_decode(codecs[data[0] % 3], &target, &reply, fuzz_text(data + 1, size - 1), texts, 0, &result);
  FUZZ_CHECK(st == result.error.status && (st == AIORCH_OK) == (result.vectors != NULL));
  FUZZ_CHECK(st == AIORCH_OK || result.error.message[0] != '\0');
  FUZZ_CHECK(st != AIORCH_OK || (result.count == texts && result.dimensions > 0));
  for (size_t i = 0; i < result.count * result.dimensions; i++) FUZZ_CHECK(isfinite(result.vectors[i]));
  aio__embed_result_free(&result);
  return 0;
}
