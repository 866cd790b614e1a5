/* Lists of keys and addresses: what is taken is a list whose items, written down again, read the same; no message shows an item. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/weighted_list.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str text = fuzz_text(data, size);
  static aio__weighted_list list, again;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status st = aio__weighted_list_parse(text, "k", &list, &error);
  if (st != AIORCH_OK) {
    FUZZ_CHECK(st == AIORCH_E_CONFIG_RANGE && strstr(error.message, "\"k\"") != NULL && strlen(error.message) < 200);
    return 0;
  }
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 24);
  FUZZ_CHECK(list.count <= AIO__WEIGHTED_ITEMS_MAX);
  for (size_t i = 0; i < list.count; i++) {
    const aio__weighted_item *item = &list.items[i];
    FUZZ_CHECK(item->text.n > 0 && item->weight >= 1 && item->weight <= AIO__WEIGHT_MAX);
    FUZZ_CHECK(item->text.p >= text.p && item->text.p + item->text.n <= text.p + text.n);
    if (i > 0) aio__buf_z(&out, ", ");
    aio__buf_str(&out, item->text);
    aio__buf_fmt(&out, " *%u", (unsigned)item->weight);
  }
  FUZZ_CHECK(aio__weighted_list_parse(aio__buf_view(&out), "k", &again, &error) == AIORCH_OK && again.count == list.count);
  for (size_t i = 0; i < list.count; i++) {
    FUZZ_CHECK(aio__str_eq(list.items[i].text, again.items[i].text) && list.items[i].weight == again.items[i].weight);
  }
  aio__buf_free(&out);
  return 0;
}
