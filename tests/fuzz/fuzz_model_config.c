/* The configuration files of a model, one after the other, NUL between them: taken or refused with words; what is taken is a
 * network that the encoder can run. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "embedders/local/model_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str parts[6] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
  aio__model_config c;
  aiorch_error *error = NULL;
  size_t at = 0;
  for (size_t i = 0; i < 6 && at < size; i++) {
    const uint8_t *end = memchr(data + at, 0, size - at);
    size_t n = end != NULL ? (size_t)(end - data) - at : size - at;
    parts[i] = fuzz_text(data + at, n);
    at += n + 1;
  }
  const aio__model_texts texts = {parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]};
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aiorch_status status = aio__model_config_parse(aio__alloc_default(), "models/bge-x-en", &texts, &c, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_MODEL || status == AIORCH_E_TOO_LARGE);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  if (status == AIORCH_OK) {
    FUZZ_CHECK(c.layers >= 1 && c.layers <= AIO__MODEL_LAYERS_MAX);
    FUZZ_CHECK(c.hidden >= 32 && c.hidden <= AIO__MODEL_HIDDEN_MAX && c.hidden % AIO__PANEL == 0);
    FUZZ_CHECK(c.intermediate <= AIO__MODEL_INTERMEDIATE_MAX && c.intermediate % AIO__PANEL == 0);
    FUZZ_CHECK(c.heads >= 1 && c.hidden % c.heads == 0 && c.hidden / c.heads % AIO__STEP == 0);
    FUZZ_CHECK(c.max_tokens >= AIO__MODEL_TOKENS_MIN && c.max_tokens <= c.positions);
    FUZZ_CHECK(c.norm_eps > 0 && c.curve != NULL && c.types >= 1);
    for (int p = 0; p < AIO__MODEL_PURPOSES; p++) FUZZ_CHECK(strlen(c.prompt[p]) <= AIO__MODEL_PROMPT_MAX);
  }
  aiorch_error_free(error);
  return 0;
}
