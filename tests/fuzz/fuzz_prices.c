/* A file of prices: taken or refused with words; a cost that is known is never below zero. */
#include <stdlib.h>

#include "fuzz.h"
#include "cost/prices.h"

static void check_costs(const aio__prices *prices) {
  static const int64_t amounts[] = {0, 1, 1000, INT64_C(9007199254740992)};
  static const int64_t times[] = {0, INT64_C(1700000000000), INT64_C(1795000000000)};
  static const char *const models[] = {"gpt-6", "claude-opus-5", "x", "a*b"};
  for (size_t i = 0; i < 4; i++) {
    for (size_t t = 0; t < 3; t++) {
      aio__usage usage = {0};
      int64_t cost = -1;
      usage.n[AIORCH_USAGE_INPUT] = usage.n[AIORCH_USAGE_OUTPUT] = amounts[i];
      usage.n[AIORCH_USAGE_CACHE_WRITE] = usage.n[AIORCH_USAGE_CACHE_WRITE_1H] = amounts[(i + t) % 4];
      bool known = aio__prices_cost(prices, AIO__LIT("first"), aio__str_z(models[i]), &usage, times[t], &cost);
      FUZZ_CHECK(!known || cost >= 0);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__prices *prices = NULL;
  aiorch_error *error = NULL;
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aiorch_status status = aio__prices_new(aio__alloc_default(), fuzz_text(data, size), &prices, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_CONFIG);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  if (status == AIORCH_OK) {
    size_t n = aio__prices_count(prices);
    FUZZ_CHECK(n > 0 && aio__prices_line(prices, n) == NULL);
    for (size_t i = 0; i < n; i++) {
      const aio__price_line *line = aio__prices_line(prices, i);
      FUZZ_CHECK(line != NULL && line->model.n > 0);
      for (int c = 0; c < AIORCH_USAGE_COUNT; c++) FUZZ_CHECK(line->price[c] >= -1);
    }
    check_costs(prices);
  }
  aio__prices_free(prices);
  aiorch_error_free(error);
  return 0;
}
