/* A configuration's JSON: taken whole or refused with words; a refused one changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/options.h"
#include "api/config.h"

static uint64_t mix(uint64_t sum, aiorch_text *text) {
  const char *p = NULL;
  size_t n = 0;
  FUZZ_CHECK(aiorch_text_get(text, &p, &n) == AIORCH_OK && p[n] == '\0');
  for (size_t i = 0; i < n; i++) sum = (sum ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
  return sum * 31;
}

/* A sum over all settings. */
static uint64_t settings(const aiorch_config *config) {
  static const char *const keys[] = {
#define KEY_S(member, key, d, values, per_run, help) key,
#define KEY_N(member, key, d, min, max, per_run, help) key,
#define KEY_B(member, key, d, per_run, help) key,
    AIO__OPTIONS(KEY_S, KEY_N, KEY_N, KEY_B)};
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    aiorch_text *value = NULL;
    FUZZ_CHECK(aiorch_config_get(config, keys[i], &value, NULL) == AIORCH_OK);
    sum = mix(sum, value);
    aiorch_text_free(value);
  }
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  if (aiorch_config_new(&config) != AIORCH_OK || aiorch_error_new(&error) != AIORCH_OK) abort();
  uint64_t before = settings(config);
  aiorch_status status = aiorch_config_load_json(config, size > 0 ? (const char *)data : "", size, "input", error);
  if (status != AIORCH_OK) {
    bool known = status == AIORCH_E_CONFIG_SYNTAX || status == AIORCH_E_CONFIG_KEY || status == AIORCH_E_CONFIG_TYPE ||
                 status == AIORCH_E_CONFIG_RANGE || status == AIORCH_E_CONFIG_ENV || status == AIORCH_E_TOO_LARGE;
    FUZZ_CHECK(known);
    FUZZ_CHECK(aiorch_error_message(error)[0] != '\0' && aiorch_error_status(error) == status);
    FUZZ_CHECK(settings(config) == before);
  } else {
    (void)settings(config);
  }
  aiorch_error_free(error);
  aiorch_config_free(config);
  return 0;
}
